/* SPDX-License-Identifier: MIT */
/*
 * Orders from behind the counter: made without a cart, one or many, changed and edited. What a body
 * leaves out is as a shop would have it; what it sets stands as it is given, so that a test can
 * make any order that Commerce might have. With ?event=0 nobody is told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/commerce.h"
#include "sandbox/mould.h"

static const struct {
	const char *state, *status;
} usual_status[] = {
	{ "new", "pending" },		{ "pending_payment", "pending_payment" },
	{ "processing", "processing" }, { "complete", "complete" },
	{ "closed", "closed" },		{ "canceled", "canceled" },
	{ "holded", "holded" },		{ "payment_review", "payment_review" },
};

static void refuse(struct sandbox_call *call, int status, const char *text, const char *hint)
{
	bc_sandbox_answer_message(call, status, text, hint);
}

static bool with_event(const struct sandbox_call *call)
{
	struct bc_str text;

	return !bc_sandbox_query(call, "event", &text) || !bc_str_eq(text, "0");
}

/* ---- what a body sets ---- */

/* {"bc_click":"t.abc"} becomes the array that Commerce has. */
static bool attributes_unfold(json_t *changes)
{
	json_t *given = json_object_get(changes, "custom_attributes"), *value, *list;
	const char *code;

	if (!json_is_object(given))
		return true;
	list = json_array();
	json_object_foreach(given, code, value)
	{
		if (json_array_append_new(list, json_pack("{sssO}", "attribute_code", code, "value",
							  value)) < 0) {
			json_decref(list);
			return false;
		}
	}
	return json_object_set_new(changes, "custom_attributes", list) == 0;
}

static void follow(json_t *changes, const char *name, const char *led_by)
{
	json_t *value = json_object_get(changes, led_by);

	if (value && !json_object_get(changes, name))
		json_object_set(changes, name, value);
}

/* What goes with what is set, unless that is set too. False without memory. */
static bool changes_complete(json_t *changes)
{
	const char *state = json_string_value(json_object_get(changes, "state"));

	follow(changes, "base_grand_total", "grand_total");
	for (size_t i = 0; state && i < BC_COUNT(usual_status); i++)
		if (strcmp(usual_status[i].state, state) == 0 &&
		    !json_object_get(changes, "status"))
			json_object_set_new(changes, "status", json_string(usual_status[i].status));
	return attributes_unfold(changes);
}

static bool increment_is_free(const struct commerce *m, const char *increment_id)
{
	for (size_t i = 0; i < m->orders.count; i++) {
		const json_t *known = json_object_get(m->orders.items[i]->json, "increment_id");

		if (json_is_string(known) && strcmp(json_string_value(known), increment_id) == 0)
			return false;
	}
	return true;
}

/* False, with an answer, for what can't be set. */
static bool changes_check(struct sandbox_call *call, const json_t *changes, bool is_new)
{
	const json_t *increment = json_object_get(changes, "increment_id");
	size_t length = json_string_length(increment);

	if (json_object_get(changes, "entity_id"))
		refuse(call, 400, "\"entity_id\" can't be set", "it is the sandbox's to give");
	else if (increment && !is_new)
		refuse(call, 400, "\"increment_id\" can't be changed", "make another order");
	else if (increment && (length == 0 || length >= COMMERCE_INCREMENT_BYTES))
		refuse(call, 400, "\"increment_id\" is no text, or too long",
		       "send a text such as \"000000501\"");
	else if (increment &&
		 !increment_is_free(call->sandbox->commerce, json_string_value(increment)))
		refuse(call, 409, "an order has this increment_id already",
		       "PUT /_sandbox/orders/{entity_id} changes one");
	else
		return true;
	return false;
}

/* ---- making ---- */

/* One of the first product. */
static json_t *usual_lines(const struct commerce *m)
{
	if (m->products.count == 0)
		return NULL;
	return json_pack("[{sO si}]", "product", m->products.items[0]->json, "quantity", 1);
}

/* Makes an order of what is set. NULL without memory. */
static struct commerce_item *order_make(struct sandbox_call *call, json_t *changes)
{
	struct commerce *m = call->sandbox->commerce;
	const char *increment = json_string_value(json_object_get(changes, "increment_id"));
	char time[COMMERCE_TIME_BYTES], next[COMMERCE_INCREMENT_BYTES];
	json_t *lines = usual_lines(m), *attributes = json_array(), *order;
	struct commerce_wish wish = { .quote_id = ++m->last_quote,
				      .time = time,
				      .lines = lines,
				      .custom_attributes = attributes };

	bc_commerce_time(bc_wall_ms(call->sandbox->clock), time);
	follow(changes, "updated_at", "created_at");
	follow(changes, "total_due", "grand_total");
	if (increment) {
		wish.entity_id = ++m->last_order;
		wish.increment_id = increment;
		bc_commerce_increment_seen(m, increment);
	} else {
		bc_commerce_reserve(m, &wish, next);
	}
	order = lines && attributes ? bc_commerce_order_new(&wish) : NULL;
	json_decref(lines);
	json_decref(attributes);
	if (order)
		json_object_update(order, changes);
	return bc_commerce_enter(call->sandbox, order, with_event(call));
}

/* Checks and makes one; NULL with an answer. */
static struct commerce_item *order_take(struct sandbox_call *call, json_t *changes)
{
	struct commerce_item *item;

	if (!json_is_object(changes)) {
		refuse(call, 400, "an order is no JSON object", "send {\"state\":\"complete\"}");
		return NULL;
	}
	if (!changes_check(call, changes, true))
		return NULL;
	item = changes_complete(changes) ? order_make(call, changes) : NULL;
	if (!item)
		refuse(call, 500, "no memory, or too many orders", "DELETE /_sandbox/commerce");
	return item;
}

static void list_add(json_t *list, const struct commerce_item *item)
{
	json_array_append_new(
		list, json_pack("{sO sO sO}", "entity_id", json_object_get(item->json, "entity_id"),
				"increment_id", json_object_get(item->json, "increment_id"),
				"quote_id", json_object_get(item->json, "quote_id")));
}

/* Takes list, unless whole is false: then there is an answer. */
static void list_answer(struct sandbox_call *call, json_t *list, bool whole)
{
	if (whole)
		bc_sandbox_answer_json(call, 200,
				       json_pack("{sO sI}", "orders", list, "total",
						 (json_int_t)json_array_size(list)));
	json_decref(list);
}

static void make_list(struct sandbox_call *call, const json_t *wanted)
{
	json_t *list = json_array(), *changes;
	struct commerce_item *item = NULL;
	size_t i;

	json_array_foreach(wanted, i, changes)
	{
		item = order_take(call, changes);
		if (!item)
			break;
		list_add(list, item);
	}
	list_answer(call, list, i == json_array_size(wanted));
}

/* The template with its {n} filled; NULL without memory. */
static json_t *cast(const struct sandbox_mould *mould, uint64_t number)
{
	struct bc_buf text;
	json_t *json = NULL;

	bc_buf_init(&text, SANDBOX_BODY_MAX * 4);
	if (mould && bc_mould_print(mould, &(struct sandbox_filling){ .number = (uint32_t)number },
				    &text) == 0)
		json = json_loadb(text.data, text.len, 0, NULL);
	bc_buf_finish(&text);
	return json;
}

static void make_many(struct sandbox_call *call, json_int_t count, const json_t *template)
{
	struct commerce *m = call->sandbox->commerce;
	struct sandbox_mould *mould = bc_mould_create(template);
	json_t *list = json_array();
	struct commerce_item *item = NULL;
	json_int_t made = 0;

	for (; made < count; made++) {
		uint64_t next = m->last_increment + 1;
		json_t *changes = cast(mould, next > m->last_order ? next : m->last_order + 1);

		item = order_take(call, changes);
		json_decref(changes);
		if (!item)
			break;
		list_add(list, item);
	}
	bc_mould_unref(mould);
	list_answer(call, list, made == count);
}

static void make_template(struct sandbox_call *call, const json_t *body)
{
	json_int_t count = json_integer_value(json_object_get(body, "count"));
	json_t *template = json_object_get(body, "template"), *none = json_object();

	if (count < 1 || count > COMMERCE_ITEMS_MAX || (template && !json_is_object(template)))
		refuse(call, 400, "\"count\" and \"template\" don't fit",
		       "send {\"count\":1 to 10000,\"template\":{\"state\":\"complete\"}}");
	else
		make_many(call, count, template ? template : none);
	json_decref(none);
}

void bc_desk_orders_post(struct sandbox_call *call)
{
	struct bc_str body = call->req->body;
	struct commerce *m = bc_commerce_of(call);
	json_t *json =
		m ? json_loadb(body.len ? body.ptr : "{}", body.len ? body.len : 2, 0, NULL) : NULL;
	struct commerce_item *item;

	if (!m)
		return;
	if (json_is_array(json)) {
		make_list(call, json);
	} else if (json_object_get(json, "count")) {
		make_template(call, json);
	} else {
		item = order_take(call, json);
		if (item)
			bc_sandbox_answer_json(call, 200, json_incref(item->json));
	}
	json_decref(json);
}

/* ---- changing ---- */

static struct commerce_item *order_find(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);
	struct commerce_item *item;
	char key[24];
	uint64_t id;

	if (!m)
		return NULL;
	if (bc_parse_u64(bc_sandbox_part(call, "id"), &id) < 0)
		id = 0;
	snprintf(key, sizeof(key), "%" PRIu64, id);
	item = bc_commerce_find(&m->orders, bc_str_of(key));
	if (!item)
		refuse(call, 404, "no order has this entity_id",
		       "the number of the path is Commerce's own, not the customer's");
	return item;
}

/* The body's members, checked and made complete; an empty body has none. NULL with an answer. */
static json_t *changes_read(struct sandbox_call *call)
{
	json_t *changes = call->req->body.len > 0 ? bc_sandbox_read_object(call) : json_object();

	if (changes && changes_check(call, changes, false) && changes_complete(changes))
		return changes;
	json_decref(changes);
	return NULL;
}

void bc_desk_order_put(struct sandbox_call *call)
{
	struct commerce_item *item = order_find(call);
	json_t *changes = item ? changes_read(call) : NULL;
	char time[COMMERCE_TIME_BYTES];

	if (!changes)
		return;
	bc_commerce_time(bc_wall_ms(call->sandbox->clock), time);
	json_object_set_new(item->json, "updated_at", json_string(time));
	json_object_update(item->json, changes);
	json_decref(changes);
	if (bc_commerce_saved(call->sandbox, item, with_event(call)))
		bc_sandbox_answer_json(call, 200, json_incref(item->json));
	else
		bc_sandbox_answer_json(call, 500, NULL);
}

void bc_desk_order_edit(struct sandbox_call *call)
{
	struct commerce_item *old = order_find(call), *item;
	json_t *changes = old ? changes_read(call) : NULL;

	if (!changes)
		return;
	item = bc_commerce_edit(call->sandbox, old, changes, with_event(call));
	json_decref(changes);
	if (item)
		bc_sandbox_answer_json(call, 200,
				       json_pack("{sO sO}", "old", old->json, "new", item->json));
	else
		bc_sandbox_answer_json(call, 500, NULL);
}
