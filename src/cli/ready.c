/* SPDX-License-Identifier: MIT */
/*
 * `backchannel ready`: the question of a health check, for what starts and watches containers and
 * has no HTTP client. Asks the daemon alone, sends nothing to a partner, and never looks into the
 * store.
 */
#include <stdio.h>

#include "base/err.h"
#include "cli/commands.h"
#include "cli/remote.h"

static enum bc_exit unreachable(const struct bc_settings *settings)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EUNREACH, "no daemon answers at \"%s\"", settings->url);
	bc_err_hint(&err, "see whether backchannel serve runs, and whether the setting url says "
			  "where it listens");
	return bc_cli_fail(&err);
}

static enum bc_exit tell(const struct bc_invocation *in, const struct bc_reply *reply)
{
	if (reply->status != 200)
		return bc_remote_problem(reply);
	if (in->json)
		bc_remote_print_json(reply);
	else
		puts("ready");
	return BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_settings *settings;
	struct bc_reply reply;
	enum bc_exit result = bc_cli_settings(in, &settings);
	if (result)
		return result;
	if (bc_remote_ask(settings, "GET", "/readyz", &reply) != BC_EXIT_DONE)
		result = unreachable(settings);
	else
		result = tell(in, &reply);
	bc_reply_finish(&reply);
	bc_settings_unref(settings);
	return result;
}

const struct bc_command bc_command_ready = {
	.name = "ready",
	.summary = "ask the daemon whether it is ready, for health checks",
	.operands = "",
	.details = "Exit 0 when the daemon's store takes writes and its settings are complete, 1 "
		   "with the reason when it does not, 4 when no daemon answers. Nothing is sent to "
		   "the partner: check does that.",
	.example = "backchannel ready || systemctl status backchannel",
	.prints_json = true,
	.run = run,
};
