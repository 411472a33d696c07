/* SPDX-License-Identifier: MIT */
/*
 * Products: found by SKU, searched, made, changed and deleted. A POST or PUT of a SKU that exists
 * changes it, as Commerce does; custom attributes are changed one by one, every other member that
 * is named is replaced.
 */
#include "sandbox/commerce.h"

#include <string.h>

enum { ATTRIBUTE_SET = 4 };

static void fail_unknown(struct sandbox_call *call)
{
	bc_commerce_fail(
		call, 404,
		"The product that was requested doesn't exist. Verify the product and try again.",
		NULL);
}

/* The product that the path names; NULL, with a 404 or 500 as answer. */
static struct commerce_item *product_of(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);
	struct commerce_item *item =
		m ? bc_commerce_find(&m->products, bc_sandbox_part(call, "sku")) : NULL;

	if (m && !item)
		fail_unknown(call);
	return item;
}

void bc_commerce_product(struct sandbox_call *call)
{
	struct commerce_item *item = product_of(call);

	if (item)
		bc_commerce_answer_item(call, item);
}

void bc_commerce_products(struct sandbox_call *call)
{
	struct commerce *m = bc_commerce_of(call);

	if (m)
		bc_commerce_search(call, &m->products);
}

void bc_commerce_product_delete(struct sandbox_call *call)
{
	struct commerce_item *item = product_of(call);

	if (!item)
		return;
	bc_commerce_remove(&call->sandbox->commerce->products, item);
	call->accepted = true;
	bc_sandbox_answer(call, 200, COMMERCE_JSON, BC_STR("true"));
}

/* ---- writing ---- */

static json_t *attribute_find(const json_t *list, const char *code)
{
	json_t *attribute;
	size_t i;

	json_array_foreach(list, i, attribute)
	{
		const char *name = json_string_value(json_object_get(attribute, "attribute_code"));

		if (name && strcmp(name, code) == 0)
			return attribute;
	}
	return NULL;
}

static bool attributes_merge(json_t *to, const json_t *from)
{
	const json_t *attribute;
	size_t i;

	json_array_foreach(from, i, attribute)
	{
		json_t *value = json_object_get(attribute, "value"), *known;
		const char *code = json_string_value(json_object_get(attribute, "attribute_code"));

		if (!code || !value)
			return false;
		known = attribute_find(to, code);
		if (known)
			json_object_set(known, "value", value);
		else
			json_array_append_new(
				to, json_pack("{sssO}", "attribute_code", code, "value", value));
	}
	return true;
}

static void product_merge(json_t *to, json_t *from)
{
	const char *name;
	json_t *value;

	json_object_foreach(from, name, value)
	{
		/* Those that identify it are not the caller's to change. */
		if (strcmp(name, "id") == 0 || strcmp(name, "sku") == 0)
			continue;
		if (strcmp(name, "custom_attributes") == 0)
			attributes_merge(json_object_get(to, name), value);
		else
			json_object_set(to, name, value);
	}
}

static bool product_check(struct sandbox_call *call, const json_t *product)
{
	const json_t *set = json_object_get(product, "attribute_set_id");
	json_t *probe = json_array();
	bool good = attributes_merge(probe, json_object_get(product, "custom_attributes"));

	json_decref(probe);
	if (!good)
		bc_commerce_fail(call, 400, "Invalid product data: %1",
				 json_pack("[s]", "Invalid custom attribute"));
	else if (set && json_integer_value(set) != ATTRIBUTE_SET)
		bc_commerce_fail(call, 400, "Invalid product data: %1",
				 json_pack("[s]", "Invalid attribute set entity type"));
	else
		return true;
	return false;
}

static struct commerce_item *product_create(struct sandbox_call *call, struct bc_str sku,
					    const json_t *product)
{
	struct commerce *m = call->sandbox->commerce;
	const char *name = json_string_value(json_object_get(product, "name"));
	bc_autofree char *key = bc_str_dup(sku);
	char time[COMMERCE_TIME_BYTES];
	json_t *json;

	if (!name || !*name) {
		bc_commerce_fail(call, 400,
				 "The \"%1\" attribute value is empty. Set the attribute and try "
				 "again.",
				 json_pack("[s]", "name"));
		return NULL;
	}
	bc_commerce_time(bc_wall_ms(call->sandbox->clock), time);
	json = key ? bc_commerce_product_new(m->last_product, key, name, 0, time) : NULL;
	if (json)
		json_array_clear(json_object_get(json, "custom_attributes"));
	struct commerce_item *item = bc_commerce_add(&m->products, sku, json);
	if (item)
		m->last_product++;
	else
		bc_commerce_fail_memory(call);
	return item;
}

static void product_save(struct sandbox_call *call, struct bc_str sku, json_t *product)
{
	struct commerce_item *item = bc_commerce_find(&call->sandbox->commerce->products, sku);
	char time[COMMERCE_TIME_BYTES];

	if (!product_check(call, product))
		return;
	if (!item)
		item = product_create(call, sku, product);
	if (!item)
		return;
	product_merge(item->json, product);
	bc_commerce_time(bc_wall_ms(call->sandbox->clock), time);
	json_object_set_new(item->json, "updated_at", json_string(time));
	bc_commerce_changed(item);
	call->accepted = true;
	bc_commerce_answer_item(call, item);
}

/* sku absent: it stands in the body. */
static void product_write(struct sandbox_call *call, struct bc_str sku)
{
	json_t *body = bc_commerce_of(call) ? bc_commerce_read(call) : NULL;
	json_t *product = body ? bc_commerce_member(call, body, "product") : NULL;
	const json_t *named = json_object_get(product, "sku");

	if (product && !sku.ptr)
		sku = (struct bc_str){ json_string_value(named), json_string_length(named) };
	if (product && sku.len == 0)
		bc_commerce_fail_required(call, "sku");
	else if (product)
		product_save(call, sku, product);
	json_decref(body);
}

void bc_commerce_product_post(struct sandbox_call *call)
{
	product_write(call, (struct bc_str){ 0 });
}

void bc_commerce_product_put(struct sandbox_call *call)
{
	product_write(call, bc_sandbox_part(call, "sku"));
}
