/* SPDX-License-Identifier: MIT */
/* `backchannel orders --summary`: how much of what could be handed back was. */
#include <stdio.h>
#include <string.h>

#include "cli/orders.h"
#include "store/store.h"

static long long number(const json_t *object, const char *name)
{
	return (long long)json_integer_value(json_object_get(object, name));
}

static void print_window(const char *lane, const char *span, const json_t *w)
{
	const json_t *rate = json_object_get(w, "rate");
	char percent[16] = "-";
	if (json_is_real(rate))
		snprintf(percent, sizeof(percent), "%.1f %%", 100 * json_real_value(rate));
	printf("%-24s  %-4s  %8lld  %9lld  %8lld  %8lld  %8lld  %9lld  %7s\n", lane, span,
	       number(w, "orders"), number(w, "delivered"), number(w, "pending"),
	       number(w, "rejected"), number(w, "expired"), number(w, "cancelled"), percent);
}

/* Spans as the API names them, the shortest first. */
static void print_products(const json_t *answer)
{
	size_t i;
	json_t *product;
	printf("%-24s  %-4s  %8s  %9s  %8s  %8s  %8s  %9s  %7s\n", "lane", "last", "orders",
	       "delivered", "pending", "rejected", "expired", "cancelled", "rate");
	json_array_foreach(json_object_get(answer, "products"), i, product)
	{
		const json_t *windows = json_object_get(product, "windows");
		const char *lane = bc_json_text(product, "lane");
		for (int w = 0; w < BC_WINDOWS; w++, lane = "")
			print_window(lane, bc_window_name[w],
				     json_object_get(windows, bc_window_name[w]));
	}
	if (!i)
		puts("no product is configured, and no order has a click");
}

static void print_states(const json_t *answer)
{
	const json_t *orders = json_object_get(answer, "orders");
	const char *name, *gap = "\nin the store:";
	json_t *count;
	json_object_foreach((json_t *)orders, name, count)
	{
		if (!json_integer_value(count))
			continue;
		printf("%s %lld %s", gap, (long long)json_integer_value(count), name);
		gap = ",";
	}
	puts(gap[0] == ',' ? "" : "\nin the store: no orders");
}

static void print_lanes(const json_t *answer)
{
	size_t i;
	json_t *lane;
	json_array_foreach(json_object_get(answer, "lanes"), i, lane)
	{
		const char *state = bc_json_text(lane, "state");
		if (strcmp(state, "open") != 0)
			printf("lane %s is %s: %s\n", bc_json_text(lane, "name"), state,
			       bc_json_text(lane, "reason"));
	}
}

enum bc_exit bc_orders_summary(const struct bc_invocation *in)
{
	struct bc_reply reply;
	enum bc_exit result = bc_remote_call(in, "GET", "/v1/summary", NULL, false, &reply);
	if (result)
		return result;
	if (reply.status >= 300) {
		result = bc_remote_problem(&reply);
	} else if (in->json) {
		bc_remote_print_json(&reply);
	} else {
		print_products(reply.json);
		print_states(reply.json);
		print_lanes(reply.json);
	}
	bc_reply_finish(&reply);
	return result;
}
