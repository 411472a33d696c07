/* SPDX-License-Identifier: MIT */
/*
 * An order of Adobe Commerce as its REST API, its events and its webhooks write it: numbers may be
 * texts, lists may be objects, what one way has another lacks. Read here once, for all of them.
 *
 * Sources: the ACCS schema sales-data-order-interface; the events' and webhooks' sample payloads.
 */
#ifndef BC_PROTOCOL_COMMERCE_ORDER_H
#define BC_PROTOCOL_COMMERCE_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* Of an order's number (as the store takes them), and of the click attribute's value: what is
 * longer is cut, and is no click. */
enum { BC_COMMERCE_ID_MAX = 128, BC_COMMERCE_CLICK_MAX = 256 };

/* Absent texts and 0: it did not say, or nothing that can be it. Texts live in the arena that it
 * was read into. */
struct bc_commerce_order {
	struct bc_str increment_id; /* as Commerce has it: "000000318-1" */
	/* What it is known by here. Editing an order cancels it and makes another one, "-1" behind
	 * its number; it is one order all the same: "000000318", of edition 1. */
	struct bc_str order;
	uint32_t edition;
	bool replaced; /* it says itself that a later edition replaced it: its end is none */
	uint64_t entity_id, quote_id;
	struct bc_str state, status;
	struct bc_str click; /* the click attribute's value, blanks around it taken off */
	struct bc_str amount, currency;	 /* as it was written, zeros behind the cents taken off */
	uint64_t created_ms, updated_ms; /* UTC */
};

/*
 * Reads one order, or what one came in: {"order", "quote"}, as checkout_submit_all_after has it,
 * and {"order", "custom_attributes"}; then what the order lacks is looked for beside it.
 *
 * click_attribute: the code of the custom attribute that carries the click, found in
 * "custom_attributes" (an array of {attribute_code, value}, or an object) and in
 * "custom_attributes_serializable" (an object). The order's own goes first.
 *
 * The edition is what original_increment_id and edit_increment say; without them, a number of at
 * least six digits followed by "-" and one to three digits is one.
 *
 * 0; BC_EINVAL: no object, or without an increment_id (real_order_id does as well) that can be an
 * order's; err says what is missing. BC_ENOMEM.
 */
BC_MUST_CHECK int bc_commerce_order_read(const json_t *json, const char *click_attribute,
					 struct bc_arena *arena,
					 struct bc_commerce_order *ret_order, struct bc_err *err);

enum bc_commerce_standing {
	BC_COMMERCE_COMPLETED,	/* its state is among completed */
	BC_COMMERCE_TAKEN_BACK, /* canceled or closed, and not replaced */
	BC_COMMERCE_OPEN	/* anything else, a missing state too: nothing is known yet */
};
/* completed: states, ended by NULL. */
enum bc_commerce_standing bc_commerce_order_standing(const struct bc_commerce_order *order,
						     const char *const *completed);

/* What a webhook of Commerce says of an order, as bc_commerce_order_read takes it: the body when it
 * has an "order", or its "data" (observers). NULL: it is about something else. Borrowed. */
const json_t *bc_commerce_webhook_order(const json_t *body);

/* The sessions that a click is bound to when an order is about to be placed, and that find it when
 * the order comes: "commerce:quote:1907", and "commerce:order:000000318". Absent where the number
 * is. In the arena; false without memory. */
bool bc_commerce_order_sessions(const struct bc_commerce_order *order, struct bc_arena *arena,
				struct bc_str *ret_quote, struct bc_str *ret_order);

#endif
