/* SPDX-License-Identifier: MIT */
/*
 * `backchannel demo`: the whole journey of a click, then a program's calls of Adobe Commerce, then
 * both joined: orders that Commerce tells of. With real processes, on free ports and in a temporary
 * folder. Every step says what was sent and seen and checks it; the first one that does not hold
 * ends the journey, and then the folder stays, with the logs. `--compare` is another journey on the
 * same stage (demo_compare.c).
 */
#include "cli/demo.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "cli/demo_compare.h"

enum { ARENA_BLOCK = 64 * 1024, ARENA_MAX = 16 * 1024 * 1024, FOLDERS_OPEN = 8 };

struct options {
	bool compare;
};

static const struct demo_step steps[] = {
	{ "A landing with a test token is captured, and kept", demo_step_landing },
	{ "A token expires", demo_step_expiry },
	{ "The order completes, and the token is handed back", demo_step_order },
	{ "Nothing is handed back twice", demo_step_once },
	{ "Invalid data", demo_step_invalid },
	{ "A wrong API key", demo_step_wrong_key },
	{ "The partner is down", demo_step_partner_down },
	{ "The daemon is killed between order and delivery", demo_step_killed },
	{ "Clean-up after success", demo_step_cleanup },
	{ "A program calls Adobe Commerce, and knows nothing of OAuth", demo_step_commerce },
	{ "One access token serves every call", demo_step_one_token },
	{ "Commerce asks for a pause", demo_step_pause },
	{ "The access token dies before its time", demo_step_dead_token },
	{ "The client secret is replaced while calls go on", demo_step_rotation },
	{ "A visitor lands in a shop that has settings for it, and no code", demo_step_visitor },
	{ "The click goes into the cart, and with the order into Commerce", demo_step_cart },
	{ "Commerce tells of the order, and it is handed back", demo_step_event },
	{ "The daemon is away, and two orders come; both are taken back", demo_step_away },
};

/* --- the stage ----------------------------------------------------------------------------------
 */

static void interrupted(void *ctx, int signum)
{
	struct demo *d = ctx;
	(void)signum;
	d->interrupted = true;
	bc_loop_stop(d->loop);
}

static int open_loop(struct demo *d, struct bc_err *err)
{
	static const int watched[] = { SIGINT, SIGTERM, SIGHUP };
	struct bc_http_client_options options = { .user_agent = "backchannel-demo/" BC_VERSION };
	int result = bc_loop_create(&d->loop, err);
	if (!result)
		result = bc_http_client_create(d->loop, &options, &d->client, err);
	for (size_t i = 0; i < BC_COUNT(watched) && !result; i++)
		result = bc_signal_watch(d->loop, watched[i], interrupted, d, &d->signals[i], err);
	return result;
}

/* An empty settings file of its own keeps the machine's out of the folder. */
static int write_settings(struct demo *d, struct bc_err *err)
{
	const char *path = demo_text(d, "%s/backchannel.conf", d->dir);
	FILE *f = fopen(path, "we");
	bool written = f && fputs("; every setting of the demo is in its environment\n", f) >= 0;
	if (f && fclose(f) == 0 && written)
		return 0;
	return bc_err_tell(err, BC_EIO, bc_errno_hint(errno), "cannot write \"%s\": %s", path,
			   strerror(errno));
}

static int make_folder(struct demo *d, struct bc_err *err)
{
	const char *base = getenv("TMPDIR");
	if (!base || !base[0])
		base = "/tmp";
	bc_autofree char *template = NULL;
	if (asprintf(&template, "%s/backchannel-demo-XXXXXX", base) < 0)
		return bc_err_nomem(err);
	if (!mkdtemp(template)) {
		bc_err_set(err, BC_EIO, "cannot make a temporary folder in \"%s\": %s", base,
			   strerror(errno));
		bc_err_hint(err, "set TMPDIR to a folder that exists and that you may write to");
		return BC_EIO;
	}
	bc_autofree char *whole = realpath(template, NULL);
	d->dir = whole ? bc_arena_dup(d->arena, whole, strlen(whole)) : NULL;
	if (d->dir)
		return write_settings(d, err);
	rmdir(template);
	return bc_err_nomem(err);
}

static int open_stage(struct demo *d, struct bc_err *err)
{
	d->sandbox.name = "sandbox";
	d->sample_partner.name = "sandbox-of-the-sample";
	d->daemon.name = "daemon";
	d->other.name = "expiry-daemon";
	d->commerce.name = "commerce-daemon";
	d->nginx.name = "nginx";
	d->colour = bc_cli_colour(fileno(d->out));
	d->arena = bc_arena_create(ARENA_BLOCK, ARENA_MAX);
	if (!d->arena)
		return bc_err_nomem(err);
	int result = make_folder(d, err);
	return result ? result : open_loop(d, err);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	remove(path);
	return 0;
}

static void close_stage(struct demo *d, bool keep_folder)
{
	demo_kill(&d->daemon);
	demo_kill(&d->other);
	demo_kill(&d->commerce);
	demo_kill(&d->nginx);
	demo_kill(&d->sandbox);
	demo_kill(&d->sample_partner);
	demo_answer_finish(&d->answer);
	for (size_t i = 0; i < BC_COUNT(d->signals); i++)
		bc_signal_destroy(d->signals[i]);
	bc_timer_destroy(d->timer);
	bc_http_client_destroy(d->client);
	bc_loop_destroy(d->loop);
	if (d->dir && !keep_folder)
		nftw(d->dir, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
	free(d->output);
	bc_arena_destroy(d->arena);
}

/* --- the journey --------------------------------------------------------------------------------
 */

/* Returns how many steps held, one after the other. */
static int walk(struct demo *d)
{
	int held = 0;
	while (held < (int)BC_COUNT(steps) && !ferror(d->out)) {
		demo_print_step(d, held + 1, steps[held].title);
		if (!steps[held].walk(d) || d->interrupted)
			break;
		held++;
	}
	return held;
}

static enum bc_exit journey(struct demo *d)
{
	static const struct demo_setting short_lived[] = { { "BACKCHANNEL_CLICK_TTL", "1s" },
							   { NULL, NULL } };
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	int held = 0;
	if (demo_start_sandbox(d, &d->sandbox) && demo_start_daemon(d, &d->daemon, NULL) &&
	    demo_start_daemon(d, &d->other, short_lived) && demo_start_commerce(d)) {
		demo_print_opening(d);
		held = walk(d);
	}
	bool all = held == (int)BC_COUNT(steps);
	if (d->interrupted)
		fputs("backchannel: interrupted; what was started is ended\n", stderr);
	else if (all)
		demo_print_next(d);
	else
		demo_print_logs(d);
	demo_print_closing(d, held, (int)BC_COUNT(steps), bc_elapsed_ms(&bc_clock_system) - began);
	return all ? BC_EXIT_DONE : BC_EXIT_FAILED;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct demo d = { .out = in->json ? stderr : stdout };
	struct bc_err err = { 0 };
	if (in->json && !o->compare)
		return bc_cli_usage(in, "--json goes with --compare");
	signal(SIGPIPE, SIG_IGN);
	bool staged = open_stage(&d, &err) == 0;
	enum bc_exit result = staged ? BC_EXIT_DONE : bc_cli_fail(&err);
	if (staged)
		result = o->compare ? demo_compare(&d, in->json) : journey(&d);
	/* Kept only for somebody who was told of it. */
	bool keep = staged && result != BC_EXIT_DONE && !d.interrupted && !ferror(d.out);
	close_stage(&d, keep);
	return result;
}

static const struct bc_option rows[] = {
	{ .name = "compare",
	  .offset = offsetof(struct options, compare),
	  .help = "run the guide's sample beside it through eight faults, and count" },
	{ .name = NULL },
};

const struct bc_command bc_command_demo = {
	.name = "demo",
	.summary = "walk both journeys, of a click and of a Commerce call, with stand-ins",
	.operands = "",
	.details =
		"Starts a sandbox and a daemon on free ports with a temporary store, goes "
		"through the hand-back guide's test list, then through the Commerce guide's calls, "
		"then through orders that Commerce itself tells of (with a real nginx, where one "
		"is installed), prints what was sent and seen, and kills the daemon three times. "
		"Nothing "
		"leaves "
		"this machine and nothing stays behind. "
		"Exit 0 only if every step held; otherwise the logs are kept and named.\n\n"
		"With --compare a client that does what the guide's sample does goes through the "
		"same faults as the daemon, and a table tells what each returned, lost and "
		"doubled. Exit 0 only if the daemon lost nothing, and doubled nothing but what "
		"its ledger calls unknown. With --json the numbers are JSON on standard output, "
		"and the rest goes to standard error.",
	.example = "backchannel demo --compare",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.run = run,
};
