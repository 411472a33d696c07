/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/summary: what somebody who looks after the shop wants to know at a glance. How much of
 * what could be handed back was, by product and span of time; what is in the store; how the lanes
 * stand.
 */
#include <string.h>

#include "core/return_rate.h"
#include "daemon/api_impl.h"

/* Rate: delivered of all that have a click, unless the shop withdrew them; none without any. */
static json_t *window_json(const struct bc_return_count *counts, int window)
{
	const uint64_t *by_state = counts->orders[window];
	uint64_t orders = bc_return_orders(counts, window);
	uint64_t delivered = by_state[BC_ORDER_DELIVERED];
	uint64_t pending = by_state[BC_ORDER_PENDING] + by_state[BC_ORDER_SENDING];
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "orders", (json_int_t)orders,
			 "delivered", (json_int_t)delivered, "pending", (json_int_t)pending,
			 "rejected", (json_int_t)by_state[BC_ORDER_REJECTED], "expired",
			 (json_int_t)by_state[BC_ORDER_EXPIRED], "cancelled",
			 (json_int_t)by_state[BC_ORDER_CANCELLED], "rate",
			 orders ? json_real((double)delivered / (double)orders) : json_null());
}

/* counts NULL: no order in the longest window. */
static json_t *product_json(struct bc_str partner, struct bc_str product,
			    const struct bc_return_count *counts)
{
	static const struct bc_return_count none;
	char lane[BC_LANE_NAME_BYTES];
	json_t *windows = json_object();
	for (int i = 0; windows && i < BC_WINDOWS; i++) {
		json_t *window = window_json(counts ? counts : &none, i);
		if (json_object_set_new(windows, bc_window_name[i], window)) {
			json_decref(windows);
			return NULL;
		}
	}
	bc_lane_name(partner, product, lane);
	return json_pack("{s:s%, s:s, s:o}", "product", product.ptr, product.len, "lane", lane,
			 "windows", windows);
}

static const struct bc_return_count *returns_of(const struct shop_view *view,
						const struct bc_product *p)
{
	for (uint32_t i = 0; i < view->return_count; i++)
		if (bc_str_eq(view->returns[i].product, p->label) &&
		    bc_str_eq(view->returns[i].partner, p->partner->name))
			return &view->returns[i];
	return NULL;
}

static bool is_configured(const struct bc_shop_config *config, const struct bc_return_count *r)
{
	for (size_t i = 0; i < config->product_count; i++)
		if (bc_str_eq(r->product, config->products[i].label) &&
		    bc_str_eq(r->partner, config->products[i].partner->name))
			return true;
	return false;
}

/* Those of the settings, in their order; then those that left them and still have orders. */
static json_t *products_json(const struct bc_shop_config *config, const struct shop_view *view)
{
	json_t *list = json_array();
	int bad = !list;
	for (size_t i = 0; !bad && i < config->product_count; i++) {
		const struct bc_product *p = &config->products[i];
		bad = json_array_append_new(list,
					    product_json(bc_str_of(p->partner->name),
							 bc_str_of(p->label), returns_of(view, p)));
	}
	for (uint32_t i = 0; !bad && i < view->return_count; i++) {
		const struct bc_return_count *r = &view->returns[i];
		if (!is_configured(config, r))
			bad = json_array_append_new(list, product_json(r->partner, r->product, r));
	}
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *states_json(const struct bc_store_counts *counts)
{
	json_t *j = json_object();
	int bad = !j;
	for (int i = 0; !bad && i < BC_ORDER_STATES; i++)
		bad = json_object_set_new(j, bc_order_state_name((enum bc_order_state)i),
					  json_integer((json_int_t)counts->orders[i]));
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}

/* While the journal is off, nothing is said of it. False without memory. */
static bool add_journal(struct call *call, json_t *summary)
{
	struct bc_journal *journal = call->api->commerce.journal;
	struct bc_journal_view v;
	char at[BC_TIME_TEXT_BYTES];
	if (!journal || !summary)
		return summary != NULL;
	bc_journal_look(journal, &v);
	bool failed = v.last.code != 0;
	json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s?, s:s?}", "state",
			      bc_journal_state_name[v.state], "events", (json_int_t)v.events,
			      "orders", (json_int_t)v.orders, "events_per_minute",
			      (json_int_t)v.events_per_minute, "lag_ms", (json_int_t)v.lag_ms,
			      "failures", (json_int_t)v.failures, "expired", (json_int_t)v.expired,
			      "last_event_at",
			      v.last_event_ms ? bc_time_format(v.last_event_ms, at) : NULL, "error",
			      failed ? v.last.text : NULL, "hint", failed ? v.last.hint : NULL);
	return json_object_set_new(summary, "journal", j) == 0;
}

bool api_put(json_t *object, const char *key, json_t *value)
{
	if (object)
		return json_object_set_new(object, key, value) == 0;
	json_decref(value);
	return false;
}

/* The time comes first: GET /v1/stream tells by the rest whether anything changed. */
static json_t *head_json(struct call *call)
{
	char at[BC_TIME_TEXT_BYTES], started[BC_TIME_TEXT_BYTES];
	return json_pack("{s:s, s:s, s:s}", "at",
			 bc_time_format(bc_wall_ms(call->api->shop->clock), at), "version",
			 BC_VERSION, "started_at", bc_time_format(call->api->started_ms, started));
}

static json_t *clicks_json(struct bc_shop_stats *s)
{
	return json_pack("{s:I, s:I, s:I}", "production",
			 (json_int_t)atomic_load(&s->clicks_production), "test",
			 (json_int_t)atomic_load(&s->clicks_test), "refused",
			 (json_int_t)atomic_load(&s->clicks_refused));
}

/* Null: nothing waits. */
static json_t *oldest_json(struct call *call, const struct shop_view *view)
{
	uint64_t now = bc_wall_ms(call->api->shop->clock), oldest = 0;
	for (uint32_t i = 0; i < view->lane_count; i++) {
		uint64_t at = view->lanes[i].oldest_ms;
		if (at && (!oldest || at < oldest))
			oldest = at;
	}
	if (!oldest)
		return json_null();
	return json_integer(now > oldest ? (json_int_t)((now - oldest) / 1000) : 0);
}

static bool add_shop(struct call *call, json_t *summary, const struct shop_view *view)
{
	return api_put(summary, "clicks", clicks_json(&call->api->shop->stats)) &&
	       api_put(summary, "pending_oldest_seconds", oldest_json(call, view)) &&
	       api_put(summary, "store", api_store_json(call));
}

/* While it is off, nothing is said of it. */
static bool add_commerce(struct call *call, json_t *summary)
{
	const struct bc_api_commerce *c = &call->api->commerce;
	return (!c->tokens || api_put(summary, "token", api_token_json(call))) &&
	       (!c->gateway || api_put(summary, "gateway", api_gateway_json(c)));
}

static void answer_summary(struct call *call, const struct shop_view *view)
{
	json_t *lanes = call_lanes_json(call, view->lanes, view->lane_count);
	json_t *summary = head_json(call);
	if (!api_put(summary, "products", products_json(call->api->desk.config, view)) ||
	    !api_put(summary, "orders", states_json(&view->counts)) ||
	    !api_put(summary, "lanes", lanes) || !add_shop(call, summary, view) ||
	    !add_commerce(call, summary) || !add_journal(call, summary)) {
		json_decref(summary);
		summary = NULL;
	}
	call_json(call, 200, summary);
}

void get_summary(struct call *call)
{
	call_view(call, answer_summary);
}
