/* SPDX-License-Identifier: MIT */
/* `backchannel orders`: the list, newest first. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/remote.h"

struct options {
	const char *state, *since, *limit;
};

static int add_parameter(struct bc_buf *path, const char *name, const char *value)
{
	if (!value)
		return 0;
	bool first = strchr(path->data, '?') == NULL;
	return bc_buf_addf(path, "%c%s=", first ? '?' : '&', name) ||
	       bc_percent_encode(path, bc_str_of(value));
}

/* As wide as the longest of its kind, so that a page lines up. */
static void print_row(const json_t *o)
{
	const char *next = bc_json_text(o, "next_attempt_at");
	const char *reason = bc_json_text(o, "reason");
	const char *gap = next[0] ? "  next attempt " : reason[0] ? "  " : "";
	printf("%-24s  %-20s  %-12s  %s%s%s\n", bc_json_text(o, "created_at"),
	       bc_json_text(o, "order"), bc_json_text(o, "state"), bc_json_text(o, "lane"), gap,
	       next[0] ? next : reason);
}

static void print_list(const struct bc_reply *reply)
{
	const json_t *orders = json_object_get(reply->json, "orders");
	size_t i;
	json_t *order;
	if (!json_array_size(orders))
		puts("no orders");
	json_array_foreach(orders, i, order) print_row(order);
	if (json_is_string(json_object_get(reply->json, "next")))
		puts("... there are more: raise --limit");
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (bc_buf_adds(&path, "/v1/orders") || add_parameter(&path, "state", o->state) ||
	    add_parameter(&path, "since", o->since) || add_parameter(&path, "limit", o->limit)) {
		bc_buf_finish(&path);
		return bc_cli_usage(in, "an option is too long");
	}
	enum bc_exit result = bc_remote_call(in, "GET", path.data, NULL, false, &reply);
	bc_buf_finish(&path);
	if (result)
		return result;
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else
		print_list(&reply);
	bc_reply_finish(&reply);
	return result;
}

static const struct bc_option rows[] = {
	{ "state", 0, "S", offsetof(struct options, state),
	  "only these: pending, delivered, rejected, ..." },
	{ "since", 0, "T", offsetof(struct options, since), "RFC 3339, or an age such as 2h" },
	{ "limit", 'n', "N", offsetof(struct options, limit), "at most so many (50; up to 1000)" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_orders = {
	.name = "orders",
	.summary = "list orders, newest first",
	.operands = "",
	.example = "backchannel orders --state rejected --since 24h",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.run = run,
};
