/* SPDX-License-Identifier: MIT */
/*
 * `backchannel lanes`: how each lane stands, why, and the one thing that helps; and the operator's
 * pause, resume and probe, which need the running daemon: a lane lives in its process.
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/remote.h"

/* --- telling ------------------------------------------------------------------------------- */

static void next_throttled(const json_t *lane)
{
	printf("  it goes on by itself at %s\n", bc_json_text(lane, "next_probe_at"));
}

static void next_suspect(const json_t *lane)
{
	(void)lane;
	puts("  a test token is on its way; the lane opens or parks within seconds");
}

static void next_broken(const json_t *lane)
{
	const char *at = bc_json_text(lane, "next_probe_at");
	printf("  one order is tried %s%s; to ask the partner now: backchannel lanes probe %s\n",
	       at[0] ? "at " : "right now", at, bc_json_text(lane, "name"));
}

static void next_parked(const json_t *lane)
{
	const char *at = bc_json_text(lane, "next_probe_at");
	printf("  the test token is tried %s%s; once the cause is mended, ask at once: backchannel "
	       "lanes probe %s\n",
	       at[0] ? "at " : "right now", at, bc_json_text(lane, "name"));
}

static void next_paused(const json_t *lane)
{
	printf("  to let it go on: backchannel lanes resume %s\n", bc_json_text(lane, "name"));
}

/* An open lane needs nothing. */
static const struct {
	const char *state;
	void (*next)(const json_t *lane);
} states[] = {
	{ "throttled", next_throttled }, { "suspect", next_suspect }, { "broken", next_broken },
	{ "parked", next_parked },	 { "paused", next_paused },
};

static void print_lane(const json_t *lane)
{
	const char *state = bc_json_text(lane, "state");
	printf("%-28s %-10s %6lld pending, %lld in flight, since %s\n", bc_json_text(lane, "name"),
	       state, (long long)json_integer_value(json_object_get(lane, "pending")),
	       (long long)json_integer_value(json_object_get(lane, "in_flight")),
	       bc_json_text(lane, "since"));
	if (bc_json_text(lane, "reason")[0])
		printf("  %s\n", bc_json_text(lane, "reason"));
	for (size_t i = 0; i < BC_COUNT(states); i++)
		if (!strcmp(states[i].state, state))
			states[i].next(lane);
}

static enum bc_exit list(const struct bc_invocation *in)
{
	struct bc_reply reply;
	size_t i;
	json_t *lane;
	enum bc_exit result = bc_remote_call(in, "GET", "/v1/lanes", NULL, false, &reply);
	if (result)
		return result;
	const json_t *lanes = json_object_get(reply.json, "lanes");
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else if (reply.in_process)
		puts("no daemon runs, so no lane does; start one: backchannel serve");
	else
		json_array_foreach(lanes, i, lane) print_lane(lane);
	bc_reply_finish(&reply);
	return result;
}

/* --- ordering ------------------------------------------------------------------------------ */

static void print_probe(const json_t *probe)
{
	long long status = json_integer_value(json_object_get(probe, "status"));
	printf("test token: ");
	if (status)
		printf("%lld", status);
	else
		printf("no answer");
	printf(" after %lld ms, %s: %s\n",
	       (long long)json_integer_value(json_object_get(probe, "duration_ms")),
	       bc_json_text(probe, "outcome"), bc_json_text(probe, "meaning"));
	if (bc_json_text(probe, "hint")[0])
		printf("  %s\n", bc_json_text(probe, "hint"));
}

/* A probe that was sent says what the partner thinks of it. */
static enum bc_exit probe_exit(const json_t *probe)
{
	if (!probe || !strcmp(bc_json_text(probe, "outcome"), "delivered"))
		return BC_EXIT_DONE;
	return json_is_integer(json_object_get(probe, "status")) ? BC_EXIT_REFUSED
								 : BC_EXIT_UNREACHABLE;
}

static enum bc_exit tell_obeyed(const struct bc_invocation *in, const struct bc_reply *reply)
{
	const json_t *probe = json_object_get(reply->json, "probe");
	if (in->json) {
		bc_remote_print_json(reply);
		return probe_exit(probe);
	}
	if (probe)
		print_probe(probe);
	print_lane(reply->json);
	return probe_exit(probe);
}

static enum bc_exit order(const struct bc_invocation *in, const char *action, const char *lane)
{
	struct bc_reply reply;
	struct bc_remote *remote = NULL;
	char suffix[16];
	snprintf(suffix, sizeof(suffix), "/%s", action);
	bc_autofree char *path = bc_remote_path("/v1/lanes/", lane, suffix);
	if (!path)
		return bc_cli_usage(in, "\"%.40s...\" is too long for a lane", lane);
	enum bc_exit result = bc_remote_open(in, BC_REMOTE_DAEMON, &remote);
	if (result)
		return result;
	result = bc_remote_request(remote, "POST", path, NULL, &reply);
	if (!result && reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (!result)
		result = tell_obeyed(in, &reply);
	bc_reply_finish(&reply);
	bc_remote_close(remote);
	return result;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	static const char *const actions[] = { "pause", "resume", "probe" };
	if (in->argc == 0)
		return list(in);
	for (size_t i = 0; i < BC_COUNT(actions); i++) {
		if (strcmp(in->argv[0], actions[i]) != 0)
			continue;
		if (in->argc == 2)
			return order(in, actions[i], in->argv[1]);
		return bc_cli_usage(in, "%s which lane? backchannel lanes names them", actions[i]);
	}
	return bc_cli_usage(in, "\"%s\" is nothing that a lane does; pause, resume or probe",
			    in->argv[0]);
}

const struct bc_command bc_command_lanes = {
	.name = "lanes",
	.summary = "show the lanes and why one stands; pause, resume or probe one",
	.operands = "[pause|resume|probe LANE]",
	.details =
		"pause: nothing leaves until it is resumed, also after a restart; orders are "
		"accepted and wait, and no deadline runs. resume: of a paused lane. probe: sends "
		"the test token now; a parked or broken lane goes on when the partner takes it "
		"(exit 0), 3 when it is refused, 4 without an answer.",
	.example = "backchannel lanes pause sovendus.default",
	.prints_json = true,
	.operands_max = 2,
	.run = run,
};
