/* SPDX-License-Identifier: MIT */
/* What an order of Commerce that was read stands for, see commerce_order.h. */
#include "protocol/commerce_order.h"

const json_t *bc_commerce_webhook_order(const json_t *body)
{
	const json_t *data = json_object_get(body, "data");
	if (json_is_object(json_object_get(body, "order")))
		return body;
	return json_is_object(json_object_get(data, "order")) ? data : NULL;
}

enum bc_commerce_standing bc_commerce_order_standing(const struct bc_commerce_order *order,
						     const char *const *completed)
{
	for (; order->state.ptr && *completed; completed++)
		if (bc_str_ieq(order->state, *completed))
			return BC_COMMERCE_COMPLETED;
	bool ended = order->state.ptr &&
		     (bc_str_ieq(order->state, "canceled") || bc_str_ieq(order->state, "closed"));
	return ended && !order->replaced ? BC_COMMERCE_TAKEN_BACK : BC_COMMERCE_OPEN;
}

bool bc_commerce_order_sessions(const struct bc_commerce_order *order, struct bc_arena *arena,
				struct bc_str *ret_quote, struct bc_str *ret_order)
{
	struct bc_str quote = { 0 }, number = { 0 };
	if (order->quote_id) {
		quote = bc_str_of(bc_arena_printf(arena, "commerce:quote:%llu",
						  (unsigned long long)order->quote_id));
		if (!quote.ptr)
			return false;
	}
	if (order->order.ptr) {
		number = bc_str_of(bc_arena_printf(arena, "commerce:order:%.*s",
						   (int)order->order.len, order->order.ptr));
		if (!number.ptr)
			return false;
	}
	*ret_quote = quote;
	*ret_order = number;
	return true;
}
