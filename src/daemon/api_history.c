/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/history: what came over time, and what became of it, for charts. The store counts it with
 * the rows themselves, so it survives a restart; reading it looks at no row.
 */
#include <string.h>

#include "daemon/api_impl.h"

enum { FIVE_MINUTES_MS = 5 * 60 * 1000 };

/* The first one is meant when none is named. */
static const struct span {
	const char *name;
	uint32_t step_ms, steps;
} spans[] = {
	{ "24h", FIVE_MINUTES_MS, 288 },
	{ "7d", 6 * FIVE_MINUTES_MS, 336 },
};

/* counts NULL: all 0. */
static json_t *counts_json(uint32_t steps, const uint32_t *counts)
{
	json_t *list = json_array();
	for (uint32_t i = 0; list && i < steps; i++) {
		if (json_array_append_new(list, json_integer(counts ? counts[i] : 0))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *product_json(uint32_t steps, struct bc_str partner, struct bc_str product,
			    const struct bc_history_product *p)
{
	char lane[BC_LANE_NAME_BYTES];
	bc_lane_name(partner, product, lane);
	return json_pack("{s:s%, s:s, s:o, s:o}", "product", product.ptr, product.len, "lane", lane,
			 "orders", counts_json(steps, p ? p->orders : NULL), "delivered",
			 counts_json(steps, p ? p->delivered : NULL));
}

static bool is_of(const struct bc_history_product *p, const struct bc_product *configured)
{
	return bc_str_eq(p->product, configured->label) &&
	       bc_str_eq(p->partner, configured->partner->name);
}

static bool add_configured(json_t *list, const struct bc_product *product, uint32_t steps,
			   const struct bc_history *h)
{
	const struct bc_history_product *found = NULL;
	for (uint32_t i = 0; i < h->product_count; i++)
		if (is_of(&h->products[i], product))
			found = &h->products[i];
	return json_array_append_new(list, product_json(steps, bc_str_of(product->partner->name),
							bc_str_of(product->label), found)) == 0;
}

static bool is_configured(const struct bc_shop_config *config, const struct bc_history_product *p)
{
	for (size_t i = 0; i < config->product_count; i++)
		if (is_of(p, &config->products[i]))
			return true;
	return false;
}

/* In the order of GET /v1/summary: those of the settings, then those that left them. */
static json_t *products_json(const struct bc_shop_config *config, uint32_t steps,
			     const struct bc_history *h)
{
	json_t *list = json_array();
	bool good = list != NULL;
	for (size_t i = 0; good && i < config->product_count; i++)
		good = add_configured(list, &config->products[i], steps, h);
	for (uint32_t i = 0; good && i < h->product_count; i++) {
		const struct bc_history_product *p = &h->products[i];
		good = is_configured(config, p) ||
		       json_array_append_new(list,
					     product_json(steps, p->partner, p->product, p)) == 0;
	}
	if (good)
		return list;
	json_decref(list);
	return NULL;
}

static void history_read(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	const struct bc_history *h = &op->out.history;
	uint32_t steps = op->in.history.steps;
	char from[BC_TIME_TEXT_BYTES];
	if (call_failed(call, op))
		return;
	json_t *j = json_pack("{s:i, s:s}", "step_seconds", (int)(op->in.history.step_ms / 1000),
			      "from", bc_time_format(h->from_ms, from));
	if (!api_put(j, "clicks", counts_json(steps, h->clicks)) ||
	    !api_put(j, "test_clicks", counts_json(steps, h->test_clicks)) ||
	    !api_put(j, "orders", counts_json(steps, h->orders)) ||
	    !api_put(j, "conversions", counts_json(steps, h->conversions)) ||
	    !api_put(j, "delivered", counts_json(steps, h->delivered)) ||
	    !api_put(j, "products", products_json(call->api->desk.config, steps, h))) {
		json_decref(j);
		j = NULL;
	}
	call_json(call, 200, j);
}

static const struct span *find_span(struct bc_str name)
{
	for (size_t i = 0; i < BC_COUNT(spans); i++)
		if (bc_str_eq(name, spans[i].name))
			return &spans[i];
	return name.ptr ? NULL : &spans[0];
}

void get_history(struct call *call)
{
	struct bc_str name;
	if (!call_query(call, "span", &name))
		return;
	const struct span *span = find_span(name);
	if (!span) {
		call_problem(call, BC_PROBLEM_BAD_REQUEST, "parameter \"span\" is no span of time",
			     "24h or 7d; leaving it out is 24h");
		return;
	}
	call->op.in.history.now_ms = bc_wall_ms(call->api->shop->clock);
	call->op.in.history.step_ms = span->step_ms;
	call->op.in.history.steps = span->steps;
	call_submit(call, BC_STORE_HISTORY, history_read);
}
