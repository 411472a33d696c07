/* SPDX-License-Identifier: MIT */
/*
 * `backchannel demo --compare`: the guide's sample beside the daemon, through eight faults. Each
 * fault has new books, a new cache and a daemon with a store of its own, so that none reaches into
 * the next. What hinders the comparison itself (a process that does not start) ends it; what goes
 * wrong with the daemon does not: it is counted.
 */
#include "cli/demo_compare.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* The defaults of the daemon's durations that play a part, as docs/settings.md has them. */
static const struct {
	const char *name;
	uint64_t default_ms;
} durations[] = {
	{ "BACKCHANNEL_RETRY_BASE", 2 * 1000 },
	{ "BACKCHANNEL_RETRY_CAP", 60 * 60 * 1000 },
	{ "BACKCHANNEL_RETRY_DEADLINE", 72 * 60 * 60 * 1000 },
	{ "BACKCHANNEL_DELIVERY_CONNECT_TIMEOUT", 5 * 1000 },
	{ "BACKCHANNEL_DELIVERY_TIMEOUT", 30 * 1000 },
	{ "BACKCHANNEL_LANE_PROBE", 15 * 60 * 1000 },
	{ "BACKCHANNEL_LANE_LEASE", 90 * 1000 },
	{ "BACKCHANNEL_ORDER_ADOPT", 15 * 60 * 1000 },
};

/* --- the daemon --------------------------------------------------------------------------------
 */

static bool start_daemon(struct compare *c, const char *key)
{
	struct demo_setting settings[BC_COUNT(durations) + 2] = { { NULL, NULL } };
	struct demo *d = c->d;
	size_t n = 0;
	for (; n < BC_COUNT(durations); n++) {
		char text[24];
		bc_format_duration(durations[n].default_ms / COMPARE_SPEED, text, sizeof(text));
		settings[n] = (struct demo_setting){ durations[n].name, demo_text(d, "%s", text) };
	}
	if (key)
		settings[n] = (struct demo_setting){ "SOVENDUS_API_KEY", key };
	return demo_start_daemon(d, &d->daemon, settings);
}

/* One that is gone already has been noted. false: interrupted. */
static bool stop_daemon(struct compare *c)
{
	if (compare_daemon_runs(c) && !demo_stop(c->d, &c->d->daemon)) {
		c->daemon_lost = true;
		demo_kill(&c->d->daemon);
	}
	return !c->d->interrupted;
}

bool compare_restart_daemon(struct compare *c, bool killed, const char *key)
{
	if (killed && compare_daemon_runs(c))
		demo_kill(&c->d->daemon);
	return stop_daemon(c) && start_daemon(c, key);
}

/* --- the journey -------------------------------------------------------------------------------
 */

/* Everything as new. */
static bool open_fault(struct compare *c, size_t i)
{
	struct demo *d = c->d;
	demo_sample_restart(&c->sample);
	c->sample.failures = 0;
	c->sample.longest_ms = c->longest_ms = 0;
	c->daemon_lost = false;
	d->daemon = (struct demo_child){ .name = demo_text(d, "daemon-of-fault-%zu", i + 1) };
	compare_invite(c, compare_faults[i].dead_tokens);
	return compare_open_books(c) && start_daemon(c, NULL);
}

static bool play(struct compare *c, size_t i)
{
	const struct compare_fault *fault = &compare_faults[i];
	demo_print_step(c->d, (int)i + 1, fault->title);
	demo_note(c->d, "%s", fault->story);
	if (!open_fault(c, i) || !fault->play(c) || !compare_settle(c) ||
	    !compare_read_books(c, &c->results[i]) || !stop_daemon(c))
		return false;
	c->results[i].daemon_lost = c->daemon_lost;
	compare_print_result(c->d, &c->results[i]);
	return true;
}

static bool open_sample(struct compare *c)
{
	struct demo *d = c->d;
	const char *path = demo_text(d, "%s/sample.log", d->dir);
	struct bc_err err = { 0 };
	c->sample = (struct demo_sample){
		.d = d,
		.base_url = demo_text(d, "http://%s/ext", d->sample_partner.address),
		.product_id = DEMO_PRODUCT,
		.api_key = DEMO_KEY,
		.timeout_ms = COMPARE_TIMEOUT_MS,
		.console = fopen(path, "we"),
	};
	if (c->sample.console)
		return true;
	bc_err_tell(&err, BC_EIO, bc_errno_hint(errno), "cannot write \"%s\": %s", path,
		    strerror(errno));
	return demo_fail(d, "the sample has a log", &err);
}

/* How many faults were played. */
static size_t walk(struct compare *c)
{
	size_t played = 0;
	compare_print_opening(c->d);
	while (played < COMPARE_FAULTS && !ferror(c->d->out) && play(c, played))
		played++;
	return played;
}

static int count_held(const struct compare *c)
{
	int held = 0;
	for (size_t i = 0; i < COMPARE_FAULTS; i++)
		held += compare_held(&c->results[i]);
	return held;
}

static bool tell_all(const struct compare *c, bool json, uint64_t duration_ms)
{
	int held = count_held(c);
	compare_print_table(c);
	if (json)
		compare_print_json(c, duration_ms);
	compare_print_closing(c, held, duration_ms);
	return held == COMPARE_FAULTS;
}

enum bc_exit demo_compare(struct demo *d, bool json)
{
	struct compare c = { .d = d };
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	bool held = false;
	if (demo_start_sandbox(d, &d->sandbox) && demo_start_sandbox(d, &d->sample_partner) &&
	    open_sample(&c)) {
		if (walk(&c) == COMPARE_FAULTS)
			held = tell_all(&c, json, bc_elapsed_ms(&bc_clock_system) - began);
		fclose(c.sample.console);
	}
	if (d->interrupted)
		fputs("backchannel: interrupted; what was started is ended\n", stderr);
	else if (!held)
		demo_print_logs(d);
	return held ? BC_EXIT_DONE : BC_EXIT_FAILED;
}
