/* SPDX-License-Identifier: MIT */
/* `backchannel order`: reports an order, and waits for its hand-back when told to. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
	const char *session, *click, *token, *product, *amount, *currency, *wait;
};

static json_t *report(const char *order, const struct options *o)
{
	json_t *body = json_object();
	bc_json_put(body, "order", order);
	bc_json_put(body, "token", o->token);
	bc_json_put(body, "click", o->click);
	bc_json_put(body, "session", o->session);
	bc_json_put(body, "product", o->product);
	bc_json_put(body, "amount", o->amount);
	bc_json_put(body, "currency", o->currency);
	return body;
}

static void print_order(const struct bc_reply *reply)
{
	const char *state = bc_json_text(reply->json, "state");
	const char *reason = bc_json_text(reply->json, "reason");
	const char *order = bc_json_text(reply->json, "order");
	printf("order %s: %s%s%s\n", order, state, reason[0] ? ": " : "", reason);
	if (reply->in_process && !strcmp(state, "pending"))
		puts("no daemon runs: it is stored and goes out when `backchannel serve` starts");
	printf("its story: backchannel explain %s\n", order);
}

static enum bc_exit exit_of(const struct bc_reply *reply, bool waited)
{
	const char *state = bc_json_text(reply->json, "state");
	if (!strcmp(state, "rejected") || !strcmp(state, "expired") || !strcmp(state, "cancelled"))
		return BC_EXIT_REFUSED;
	if (waited && (!strcmp(state, "pending") || !strcmp(state, "sending")))
		return BC_EXIT_FAILED;
	return BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	char path[128];
	uint64_t ms;
	if (o->wait && (bc_parse_duration_ms(bc_str_of(o->wait), &ms) || strlen(o->wait) > 20))
		return bc_cli_usage(in, "--wait takes a duration such as 5s, not \"%s\"", o->wait);
	snprintf(path, sizeof(path), "/v1/orders%s%s", o->wait ? "?wait=" : "",
		 o->wait ? o->wait : "");
	enum bc_exit result =
		bc_remote_call(in, "POST", path, report(in->argv[0], o), o->wait != NULL, &reply);
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else
		print_order(&reply);
	if (result == BC_EXIT_DONE)
		result = exit_of(&reply, o->wait != NULL);
	bc_reply_finish(&reply);
	return result;
}

static const struct bc_option rows[] = {
	{ "click", 0, "C", offsetof(struct options, click), "the bc_click cookie, as it is" },
	{ "session", 0, "S", offsetof(struct options, session), "the shop's session id" },
	{ "token", 0, "T", offsetof(struct options, token), "the click token itself" },
	{ "product", 0, "LABEL", offsetof(struct options, product),
	  "the product, when the click names none" },
	{ "amount", 0, "N", offsetof(struct options, amount), "kept with the order, not sent" },
	{ "currency", 0, "CUR", offsetof(struct options, currency),
	  "kept with the order, not sent" },
	{ "wait", 0, "DUR", offsetof(struct options, wait),
	  "wait for the hand-back, at most this long" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_order = {
	.name = "order",
	.summary = "report a completed order",
	.operands = "ID",
	.details = "Reporting the same order again changes nothing and prints how it stands. With "
		   "--wait, exit 0 means handed back, 3 refused, 1 not yet.",
	.example = "backchannel order 100045 --session 6f1c0a9e5b --wait 5s",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
