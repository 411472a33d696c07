/* SPDX-License-Identifier: MIT */
/*
 * Orders: found by entity_id, searched, commented on. A comment changes the order's status when it
 * names one, and the order's updated_at, and so makes an event of the order; nothing tells a
 * repeated one from a new one, so what a client posts twice stands there twice. The comments are
 * kept as they were posted, too, for tests.
 */
#include "sandbox/commerce.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The order that the path names; NULL, with a 400, 404 or 500 as answer. "000318" is 318, as PHP
 * reads it. */
static struct commerce_item *order_of(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);
	struct bc_str text = bc_sandbox_part(call, "id");
	struct commerce_item *item;
	char key[24];
	uint64_t id;

	if (!m)
		return NULL;
	if (bc_parse_u64(text, &id) < 0) {
		bc_commerce_fail_type(call, text, "int");
		return NULL;
	}
	snprintf(key, sizeof(key), "%" PRIu64, id);
	item = bc_commerce_find(&m->orders, bc_str_of(key));
	if (!item)
		bc_commerce_fail_missing(call);
	return item;
}

void bc_commerce_order(struct sandbox_call *call)
{
	struct commerce_item *item = order_of(call);

	if (item)
		bc_commerce_answer_item(call, item);
}

void bc_commerce_orders(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);

	if (m)
		bc_commerce_search(call, &m->orders);
}

void bc_commerce_order_status(struct sandbox_call *call)
{
	struct commerce_item *item = order_of(call);

	if (item)
		bc_commerce_answer(call, 200, json_incref(json_object_get(item->json, "status")));
}

void bc_commerce_order_comments(struct sandbox_call *call)
{
	struct commerce_item *item = order_of(call);
	json_t *list = item ? json_object_get(item->json, "status_histories") : NULL;

	if (item)
		bc_commerce_answer(call, 200,
				   json_pack("{sO s{s[]} sI}", "items", list, "search_criteria",
					     "filter_groups", "total_count",
					     (json_int_t)json_array_size(list)));
}

/* ---- comments ---- */

static bool comment_check(struct sandbox_call *call, const json_t *history)
{
	static const char *const required[] = { "comment", "is_customer_notified",
						"is_visible_on_front", "parent_id" };

	for (size_t i = 0; i < BC_COUNT(required); i++)
		if (!json_object_get(history, required[i])) {
			bc_commerce_fail_required(call, required[i]);
			return false;
		}
	if (json_is_string(json_object_get(history, "comment")))
		return true;
	bc_commerce_fail_type(call, BC_STR("comment"), "string");
	return false;
}

/* Into the order, as Commerce shows it. */
static bool comment_enter(struct commerce *m, struct commerce_item *item, const json_t *history,
			  const char *time)
{
	json_t *entry = json_copy((json_t *)history);
	json_t *status = json_object_get(history, "status");

	if (!entry ||
	    json_object_set_new(entry, "entity_id", json_integer((json_int_t)m->last_comment + 1)) <
		    0 ||
	    json_object_set(entry, "parent_id", json_object_get(item->json, "entity_id")) < 0 ||
	    json_object_set_new(entry, "entity_name", json_string("order")) < 0 ||
	    json_object_set_new(entry, "created_at", json_string(time)) < 0) {
		json_decref(entry);
		return false;
	}
	if (json_array_append_new(json_object_get(item->json, "status_histories"), entry) < 0)
		return false;
	m->last_comment++;
	if (json_is_string(status))
		json_object_set(item->json, "status", status);
	json_object_set_new(item->json, "updated_at", json_string(time));
	return true;
}

static void comment_post(struct sandbox_call *call, struct commerce_item *item, json_t *history)
{
	struct commerce *m = call->sandbox->commerce;
	uint64_t wall_ms = bc_wall_ms(call->sandbox->clock);
	char time[COMMERCE_TIME_BYTES], at[BC_TIME_TEXT_BYTES];

	if (!comment_check(call, history))
		return;
	if (json_array_size(m->comments) >= COMMERCE_COMMENTS_MAX ||
	    !comment_enter(m, item, history, bc_commerce_time(wall_ms, time))) {
		bc_commerce_fail_memory(call);
		return;
	}
	json_array_append_new(m->comments,
			      json_pack("{sOsssO}", "order",
					json_object_get(item->json, "entity_id"), "at",
					bc_time_format(wall_ms, at), "statusHistory", history));
	if (!bc_commerce_saved(call->sandbox, item, true)) {
		bc_commerce_fail_memory(call);
		return;
	}
	call->accepted = true;
	bc_sandbox_answer(call, 200, COMMERCE_JSON, BC_STR("true"));
}

void bc_commerce_order_comment(struct sandbox_call *call)
{
	struct commerce_item *item = order_of(call);
	json_t *body = item ? bc_commerce_read(call) : NULL;
	json_t *history = body ? bc_commerce_member(call, body, "statusHistory") : NULL;

	if (history)
		comment_post(call, item, history);
	json_decref(body);
}

/* ---- behind the counter ---- */

void bc_commerce_comments(struct sandbox_call *call)
{
	json_t *list = json_array(), *comment;
	struct bc_str wanted;
	uint64_t order = 0;
	size_t i;

	if (bc_sandbox_query(call, "order", &wanted) && bc_parse_u64(wanted, &order) < 0) {
		json_decref(list);
		bc_sandbox_answer_message(call, 400, "\"order\" is no number",
					  "give an entity_id, such as 318");
		return;
	}
	json_array_foreach(call->sandbox->commerce->comments, i, comment)
	{
		json_int_t of = json_integer_value(json_object_get(comment, "order"));

		if (order == 0 || (uint64_t)of == order)
			json_array_append(list, comment);
	}
	bc_sandbox_answer_json(
		call, 200,
		json_pack("{sosI}", "comments", list, "total", (json_int_t)json_array_size(list)));
}

void bc_commerce_comments_clear(struct sandbox_call *call)
{
	json_array_clear(call->sandbox->commerce->comments);
	bc_sandbox_answer_nothing(call);
}
