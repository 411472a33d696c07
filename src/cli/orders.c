/* SPDX-License-Identifier: MIT */
/* `backchannel orders`: the list, newest first; how many; and the way to its other forms. */
#include "cli/orders.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

/* As wide as the longest of its kind, so that a page lines up. */
static void print_row(const json_t *o)
{
	const char *next = bc_json_text(o, "next_attempt_at");
	const char *reason = bc_json_text(o, "reason");
	const char *revoked = bc_json_text(o, "revoked_at");
	const char *gap = next[0] ? "  next attempt " : reason[0] ? "  " : "";
	printf("%-24s  %-20s  %-12s  %s%s%s%s%s\n", bc_json_text(o, "created_at"),
	       bc_json_text(o, "order"), bc_json_text(o, "state"), bc_json_text(o, "lane"),
	       revoked[0] ? "  taken back " : "", revoked, gap, next[0] ? next : reason);
}

static void print_list(const json_t *answer)
{
	const json_t *orders = json_object_get(answer, "orders");
	size_t i;
	json_t *order;
	if (!json_array_size(orders))
		puts("no orders");
	json_array_foreach(orders, i, order) print_row(order);
	if (json_is_string(json_object_get(answer, "next")))
		puts("... there are more: raise --limit, or take all with --export csv");
}

static void print_count(const json_t *answer)
{
	printf("%lld\n", (long long)json_integer_value(json_object_get(answer, "count")));
}

int bc_orders_path(struct bc_buf *path, const struct bc_orders_options *options, const char *more)
{
	const char *const parts[] = { options->revoked ? "revoked=1" : NULL,
				      options->with_tokens ? "tokens=1" : NULL, more };
	char joined[96] = "";
	size_t at = 0;
	for (size_t i = 0; i < BC_COUNT(parts); i++) {
		if (parts[i])
			at += (size_t)snprintf(joined + at, sizeof(joined) - at, "%s%s",
					       at ? "&" : "", parts[i]);
		if (at >= sizeof(joined))
			return BC_ETOOBIG;
	}
	return bc_selector_path(path, "/v1/orders", &options->selector, at ? joined : NULL);
}

static enum bc_exit ask(const struct bc_invocation *in, const char *more,
			void (*print)(const json_t *answer))
{
	const struct bc_orders_options *o = in->options;
	struct bc_reply reply;
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (bc_orders_path(&path, o, more)) {
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
		print(reply.json);
	bc_reply_finish(&reply);
	return result;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct bc_orders_options *o = in->options;
	if (o->count + o->summary + (o->format != NULL) > 1)
		return bc_cli_usage(in, "--count, --export and --summary are one at a time");
	if (o->with_tokens && !o->format)
		return bc_cli_usage(in, "--with-tokens is for --export alone");
	if (o->summary && (!bc_selector_is_empty(&o->selector) || o->revoked))
		return bc_cli_usage(in, "--summary is of all orders; --count takes a selection");
	if (o->summary)
		return bc_orders_summary(in);
	if (o->format)
		return bc_orders_export(in);
	return o->count ? ask(in, "count=1", print_count) : ask(in, NULL, print_list);
}

static const struct bc_option rows[] = {
	BC_SELECTOR_ROWS(struct bc_orders_options,
			 "at most so many (50; up to 1000; --export: all)"),
	{ "revoked", 0, NULL, offsetof(struct bc_orders_options, revoked),
	  "only those that the shop took back, whatever their state" },
	{ "count", 0, NULL, offsetof(struct bc_orders_options, count), "print only how many" },
	{ "export", 0, "FORMAT", offsetof(struct bc_orders_options, format),
	  "print all of them, as csv or json (one object a line)" },
	{ "with-tokens", 0, NULL, offsetof(struct bc_orders_options, with_tokens),
	  "with --export: the click tokens too, in clear; keep what it prints secret" },
	{ "summary", 0, NULL, offsetof(struct bc_orders_options, summary),
	  "print return rates by product over 1 h, 24 h and 7 days" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_orders = {
	.name = "orders",
	.summary = "list, count or export orders, newest first; --summary for return rates",
	.operands = "",
	.details = "The csv has a header row and is quoted as RFC 4180 says, lines ended by CRLF. "
		   "Values "
		   "are as the shop sent them: a spreadsheet may take an order number that begins "
		   "with "
		   "= + - or @ for a formula, so import such columns as text.",
	.example = "backchannel orders --state rejected --since 24h",
	.rows = rows,
	.options_bytes = sizeof(struct bc_orders_options),
	.prints_json = true,
	.run = run,
};
