/* SPDX-License-Identifier: MIT */
/*
 * `backchannel pull`: fetches orders from Commerce now and reconciles. The daemon does it, and this
 * asks how far it came; where none runs it is done here, on the store.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "core/intake.h"

enum { ASK_EVERY_MS = 100, BAR = 30 };

struct options {
	const char *since;
};

static long long number(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static void show_progress(const json_t *j)
{
	long long seen = number(j, "seen"), total = number(j, "total");
	int done = total > 0 ? (int)(seen < total ? seen * BAR / total : BAR) : 0;
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r[%.*s%.*s] %lld of %lld orders", done, "##############################",
		BAR - done, "                              ", seen, total);
	fflush(stderr);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* --- what came of it ------------------------------------------------------------------------- */

static const char *const words[BC_INTAKE_RESULTS] = {
	[BC_INTAKE_ACCEPTED] = "new conversions, which are handed back",
	[BC_INTAKE_ADOPTED] = "known orders that now have their click",
	[BC_INTAKE_REPEATED] = "known already",
	[BC_INTAKE_UNATTRIBUTED] = "without a click",
	[BC_INTAKE_CONFLICT] = "known with another click, which stays",
	[BC_INTAKE_WITHDRAWN] = "taken back by the shop before they were handed back",
	[BC_INTAKE_REVOKED] = "taken back after that: backchannel orders --revoked",
	[BC_INTAKE_OPEN] = "not completed yet",
	[BC_INTAKE_REFUSED] = "that no order could be made of: the log says why",
};

static void print_unknown(const json_t *j)
{
	long long unknown = number(j, "unknown");
	size_t i;
	json_t *order;
	if (!unknown)
		return;
	printf("%lld reported here, and not known to Commerce:\n", unknown);
	json_array_foreach(json_object_get(j, "unknown_orders"), i, order)
		printf("  %s\n", json_string_value(order));
	if ((long long)i < unknown)
		printf("  and %lld more, which the log names\n", unknown - (long long)i);
}

static void print_result(const json_t *j)
{
	const json_t *results = json_object_get(j, "results");
	printf("%lld orders changed in Commerce since %s\n", number(j, "seen"),
	       bc_json_text(j, "since"));
	for (size_t i = 0; i < BC_INTAKE_RESULTS; i++)
		if (number(results, bc_intake_result_name[i]))
			printf("%8lld  %s\n", number(results, bc_intake_result_name[i]), words[i]);
	print_unknown(j);
}

static enum bc_exit tell(const struct bc_invocation *in, const struct bc_reply *reply)
{
	bool failed = strcmp(bc_json_text(reply->json, "state"), "failed") == 0;
	if (in->json)
		bc_remote_print_json(reply);
	else if (!failed)
		print_result(reply->json);
	if (failed)
		fprintf(stderr, "backchannel: %s\n  %s\n", bc_json_text(reply->json, "problem"),
			bc_json_text(reply->json, "hint"));
	return failed ? BC_EXIT_FAILED : BC_EXIT_DONE;
}

/* --- the asking ------------------------------------------------------------------------------ */

/* DONE: *ret is the daemon's last word on it. */
static enum bc_exit follow(struct bc_remote *remote, struct bc_reply *ret)
{
	const struct timespec pause = { .tv_nsec = ASK_EVERY_MS * 1000000L };
	for (;;) {
		enum bc_exit result = bc_remote_request(remote, "GET", "/v1/pull", NULL, ret);
		if (result)
			return result;
		if (ret->status >= 300) {
			result = bc_remote_problem(ret);
			bc_reply_finish(ret);
			return result;
		}
		if (strcmp(bc_json_text(ret->json, "state"), "running") != 0)
			return BC_EXIT_DONE;
		show_progress(ret->json);
		bc_reply_finish(ret);
		nanosleep(&pause, NULL);
	}
}

static enum bc_exit pull(const struct bc_invocation *in, struct bc_remote *remote)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	bc_autofree char *path =
		o->since ? bc_remote_path("/v1/pull?since=", o->since, "") : strdup("/v1/pull");
	enum bc_exit result =
		path ? bc_remote_request(remote, "POST", path, NULL, &reply) : BC_EXIT_FAILED;
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	bc_reply_finish(&reply);
	if (!result)
		result = follow(remote, &reply);
	if (result)
		return result;
	end_progress();
	result = tell(in, &reply);
	bc_reply_finish(&reply);
	return result;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_remote *remote = NULL;
	enum bc_exit result = bc_remote_open(in, BC_REMOTE_DELIVER, &remote);
	if (!result)
		result = pull(in, remote);
	bc_remote_close(remote);
	return result;
}

static const struct bc_option rows[] = {
	{ "since", 0, "TIME", offsetof(struct options, since),
	  "orders changed since then: RFC 3339, or an age such as 2h (where the last pull ended)" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_pull = {
	.name = "pull",
	.summary = "fetch orders from Commerce now and reconcile",
	.operands = "",
	.details = "Orders that Commerce changed are taken as its events are: completed ones are "
		   "handed back, cancelled ones withdrawn. Orders reported here that Commerce does "
		   "not know are listed.",
	.example = "backchannel pull --since 24h",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.run = run,
};
