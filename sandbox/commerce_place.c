/* SPDX-License-Identifier: MIT */
/*
 * Orders come into being, are saved and are edited. Each save makes an event, as in Commerce: a
 * placement one that says _isNew, an edit one for the new order and one for the old. An order is
 * never taken away.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/commerce.h"
#include "sandbox/events.h"

void bc_commerce_reserve(struct commerce *m, struct commerce_wish *wish,
			 char text[COMMERCE_INCREMENT_BYTES])
{
	wish->entity_id = ++m->last_order;
	if (m->last_increment < m->last_order)
		m->last_increment = m->last_order;
	else
		m->last_increment++;
	snprintf(text, COMMERCE_INCREMENT_BYTES, "%09" PRIu64, m->last_increment);
	wish->increment_id = text;
}

void bc_commerce_increment_seen(struct commerce *m, const char *increment_id)
{
	uint64_t number;

	if (bc_parse_u64(bc_str_of(increment_id), &number) == 0 && number > m->last_increment &&
	    number < UINT32_MAX)
		m->last_increment = number;
}

struct commerce_item *bc_commerce_enter(struct bc_sandbox *s, json_t *order, bool with_event)
{
	json_int_t id = json_integer_value(json_object_get(order, "entity_id"));
	struct commerce_item *item;
	char key[24];

	snprintf(key, sizeof(key), "%lld", (long long)id);
	item = bc_commerce_add(&s->commerce->orders, bc_str_of(key), order);
	if (!item || (with_event && !bc_events_order_saved(s->events, item->json, true)))
		return NULL;
	return item;
}

bool bc_commerce_saved(struct bc_sandbox *s, struct commerce_item *order, bool with_event)
{
	bc_commerce_changed(order);
	return !with_event || bc_events_order_saved(s->events, order->json, false);
}

/* ---- editing ---- */

static const char *text_of(const json_t *order, const char *name)
{
	return json_string_value(json_object_get(order, name));
}

/* Everything below that names the order it belongs to. */
static void rename_parts(json_t *order, json_t *id)
{
	json_t *item;
	size_t i;

	json_object_set(json_object_get(order, "payment"), "entity_id", id);
	json_object_set(json_object_get(order, "payment"), "parent_id", id);
	json_object_set(json_object_get(order, "billing_address"), "parent_id", id);
	json_array_foreach(json_object_get(order, "items"), i, item)
		json_object_set(item, "order_id", id);
}

/* The increment_id that the first of a chain of edits had. */
static const char *original_of(const json_t *old)
{
	const char *original = text_of(old, "original_increment_id");

	return original ? original : text_of(old, "increment_id");
}

/* The order that takes the old one's place; NULL without memory. */
static json_t *successor(struct commerce *m, const json_t *old, const char *time)
{
	json_int_t edit = json_integer_value(json_object_get(old, "edit_increment")) + 1;
	json_t *order = json_deep_copy(old), *id = json_integer((json_int_t)m->last_order + 1);
	json_t *head = json_pack(
		"{sO so sI sI ss sO sO ss ss ss ss s[]}", "entity_id", id, "increment_id",
		json_sprintf("%s-%lld", original_of(old), (long long)edit), "quote_id",
		(json_int_t)m->last_quote + 1, "edit_increment", edit, "original_increment_id",
		original_of(old), "relation_parent_id", json_object_get(old, "entity_id"),
		"relation_parent_real_id", json_object_get(old, "increment_id"), "state", "new",
		"status", "pending", "created_at", time, "updated_at", time, "status_histories");

	if (order && head && json_object_update(order, head) == 0) {
		json_object_del(order, "relation_child_id");
		json_object_del(order, "relation_child_real_id");
		rename_parts(order, id);
		m->last_order++;
		m->last_quote++;
	} else {
		json_decref(order);
		order = NULL;
	}
	json_decref(head);
	json_decref(id);
	return order;
}

struct commerce_item *bc_commerce_edit(struct bc_sandbox *s, struct commerce_item *old,
				       json_t *changes, bool with_event)
{
	char time[COMMERCE_TIME_BYTES];
	json_t *order;
	struct commerce_item *item;

	bc_commerce_time(bc_wall_ms(s->clock), time);
	order = successor(s->commerce, old->json, time);
	if (order)
		json_object_update(order, changes);
	item = bc_commerce_enter(s, order, with_event);
	if (!item)
		return NULL;
	json_object_set(old->json, "relation_child_id", json_object_get(item->json, "entity_id"));
	json_object_set(old->json, "relation_child_real_id",
			json_object_get(item->json, "increment_id"));
	json_object_set_new(old->json, "state", json_string("canceled"));
	json_object_set_new(old->json, "status", json_string("canceled"));
	json_object_set_new(old->json, "updated_at", json_string(time));
	return bc_commerce_saved(s, old, with_event) ? item : NULL;
}
