/* SPDX-License-Identifier: MIT */
/* `backchannel lanes`: how each lane stands, and why. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

static void print_lane(const json_t *lane)
{
	printf("%-28s %-10s %6lld pending, %lld in flight, since %s\n", bc_json_text(lane, "name"),
	       bc_json_text(lane, "state"),
	       (long long)json_integer_value(json_object_get(lane, "pending")),
	       (long long)json_integer_value(json_object_get(lane, "in_flight")),
	       bc_json_text(lane, "since"));
	if (bc_json_text(lane, "reason")[0])
		printf("  %s\n", bc_json_text(lane, "reason"));
	if (bc_json_text(lane, "next_probe_at")[0])
		printf("  the test token is tried at %s\n", bc_json_text(lane, "next_probe_at"));
}

static enum bc_exit run(const struct bc_invocation *in)
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

const struct bc_command bc_command_lanes = {
	.name = "lanes",
	.summary = "show the lanes, and why one stands",
	.operands = "",
	.example = "backchannel lanes",
	.prints_json = true,
	.run = run,
};
