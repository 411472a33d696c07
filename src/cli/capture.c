/* SPDX-License-Identifier: MIT */
/* `backchannel capture`: a click as the landing would report it. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
	const char *session, *click, *product;
};

static void print_captured(const struct bc_reply *reply)
{
	const json_t *j = reply->json;
	if (!json_is_true(json_object_get(j, "captured"))) {
		printf("not captured: %s\n", bc_json_text(j, "reason"));
		return;
	}
	printf("captured a %s token as click %s\nit can be ordered with until %s\n",
	       bc_json_text(j, "kind"), bc_json_text(j, "click"), bc_json_text(j, "expires_at"));
	if (reply->in_process)
		puts("(no daemon runs: written to the store directly)");
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	json_t *body = json_object();
	bc_json_put(body, "url", in->argv[0]);
	bc_json_put(body, "session", o->session);
	bc_json_put(body, "click", o->click);
	bc_json_put(body, "product", o->product);
	enum bc_exit result = bc_remote_call(in, "POST", "/v1/clicks", body, false, &reply);
	if (result)
		return result;
	bool captured = json_is_true(json_object_get(reply.json, "captured"));
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else
		print_captured(&reply);
	if (result == BC_EXIT_DONE && !captured)
		result = BC_EXIT_FAILED;
	bc_reply_finish(&reply);
	return result;
}

static const struct bc_option rows[] = {
	{ "session", 0, "S", offsetof(struct options, session), "the shop's session id" },
	{ "click", 0, "C", offsetof(struct options, click),
	  "the bc_click cookie; made when not given" },
	{ "product", 0, "LABEL", offsetof(struct options, product), "the product it belongs to" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_capture = {
	.name = "capture",
	.summary = "capture a click from a landing URL",
	.operands = "URL",
	.details = "Does what the landing does: finds the token in the URL and keeps it until "
		   "click.ttl "
		   "has passed. Exit 1 when the URL has no token.",
	.example = "backchannel capture 'https://shop.example/?sovReqToken=12345-test-123-12345' "
		   "--session 6f1c0a9e5b",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
