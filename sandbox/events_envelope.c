/* SPDX-License-Identifier: MIT */
/*
 * An event as Adobe I/O Events has it: CloudEvents 1.0 around data.value, which is the order as a
 * subscription without a list of fields shows it. An observer's event lacks entity_id and
 * extension_attributes, a plugin's has them. After the first save the totals are texts with four
 * decimals, as Commerce has them once it has read them back.
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/events_rows.h"

static const char *const spellings[SANDBOX_SPELLINGS] = {
	[SANDBOX_BOTH] = "both",
	[SANDBOX_NEW] = "new",
	[SANDBOX_OLD] = "old",
};

const char *bc_envelope_spelling(enum sandbox_spelling spelling)
{
	return spellings[spelling];
}

/* ---- data.value ---- */

static const char *const order_fields[] = {
	"increment_id",
	"quote_id",
	"store_id",
	"state",
	"status",
	"base_currency_code",
	"order_currency_code",
	"grand_total",
	"base_grand_total",
	"subtotal",
	"discount_amount",
	"tax_amount",
	"shipping_amount",
	"coupon_code",
	"customer_id",
	"customer_email",
	"customer_is_guest",
	"created_at",
	"updated_at",
	"original_increment_id",
	"edit_increment",
	"relation_parent_real_id",
	"relation_child_real_id",
	"custom_attributes",
};
static const char *const plugin_fields[] = { "entity_id", "extension_attributes" };
static const char *const item_fields[] = { "order_id", "sku", "name", "qty_ordered", "price" };
static const char *const payment_fields[] = { "parent_id", "method" };

/* Those of the fields that are there. */
static bool pick(json_t *to, const json_t *from, const char *const *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *value = json_object_get(from, fields[i]);

		if (value && json_object_set(to, fields[i], value) < 0)
			return false;
	}
	return true;
}

static json_t *picked(const json_t *from, const char *const *fields, size_t count)
{
	json_t *to = json_object();

	if (to && pick(to, from, fields, count))
		return to;
	json_decref(to);
	return NULL;
}

static json_t *items_of(const json_t *order)
{
	json_t *list = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(order, "items"), i, item)
	{
		if (json_array_append_new(list, picked(item, item_fields, BC_COUNT(item_fields))) <
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* 64.28 becomes "64.2800". */
static bool total_as_text(json_t *value, const char *name)
{
	json_t *number = json_object_get(value, name);
	char text[64];

	if (!json_is_number(number))
		return true;
	snprintf(text, sizeof(text), "%.4f", json_number_value(number));
	return json_object_set_new(value, name, json_string(text)) == 0;
}

static json_t *value_of(const struct sandbox_events *e, const json_t *order, bool is_new)
{
	json_t *value = picked(order, order_fields, BC_COUNT(order_fields));
	bool plugin = strstr(e->type, ".plugin.") != NULL;
	bool good = value &&
		    json_object_set(value, "real_order_id",
				    json_object_get(order, "increment_id")) == 0 &&
		    json_object_set_new(value, "payment",
					picked(json_object_get(order, "payment"), payment_fields,
					       BC_COUNT(payment_fields))) == 0 &&
		    json_object_set_new(value, "items", items_of(order)) == 0 &&
		    json_object_set_new(value, "_isNew", json_boolean(is_new)) == 0;

	if (good && plugin)
		good = pick(value, order, plugin_fields, BC_COUNT(plugin_fields));
	if (good && !is_new)
		good = total_as_text(value, "grand_total") &&
		       total_as_text(value, "base_grand_total");
	if (good)
		return value;
	json_decref(value);
	return NULL;
}

/* ---- around it ---- */

static bool spell(json_t *envelope, enum sandbox_spelling spelling, const char *name,
		  const char *old_name, const char *text)
{
	return (spelling == SANDBOX_OLD ||
		json_object_set_new(envelope, name, json_string(text)) == 0) &&
	       (spelling == SANDBOX_NEW ||
		json_object_set_new(envelope, old_name, json_string(text)) == 0);
}

/* Takes value (NULL: no memory). */
static json_t *envelope_make(const struct sandbox_events *e, const struct sandbox_filling *with,
			     json_t *value)
{
	json_t *envelope =
		json_pack("{ss ss ss ss ss ss}", "specversion", "1.0", "id", with->id, "source",
			  "urn:uuid:fb58963f-d2e7-4ab4-83da-b6ff15b8ebc0", "type", e->type,
			  "datacontenttype", "application/json", "time", with->time);
	json_t *data =
		json_pack("{ss so ss s{ss ss ss ss ss ss}}", "key", with->key, "value", value,
			  "source", "mystore.prod", "_metadata", "commerceEdition",
			  "Adobe Commerce", "commerceVersion", "1.0.0", "eventsClientVersion",
			  "1.22.1", "storeId", "1", "websiteId", "1", "storeGroupId", "1");

	if (data && envelope && spell(envelope, e->spelling, "eventid", "event_id", with->event) &&
	    spell(envelope, e->spelling, "recipientclientid", "recipient_client_id",
		  e->client_id) &&
	    json_object_set(envelope, "data", data) == 0) {
		json_decref(data);
		return envelope;
	}
	json_decref(data);
	json_decref(envelope);
	return NULL;
}

json_t *bc_envelope_of_order(const struct sandbox_events *e, const struct sandbox_event *event,
			     const json_t *order, bool is_new)
{
	struct sandbox_names names;
	struct sandbox_filling with = {
		.event = names.event, .id = names.id, .key = names.key, .time = names.time
	};

	bc_events_fill(event, &names);
	return envelope_make(e, &with, value_of(e, order, is_new));
}

json_t *bc_envelope_blank(const struct sandbox_events *e, const json_t *changes)
{
	static const struct sandbox_filling with = {
		.event = "{event}", .id = "{id}", .key = "{key}", .time = "{time}"
	};
	char time[COMMERCE_TIME_BYTES];
	json_t *value, *envelope;

	bc_commerce_time(bc_wall_ms(e->sandbox->clock), time);
	value = json_pack("{ss ss si si ss ss ss ss sf sf ss si ss ss s[] sb}", "increment_id",
			  "{n}", "real_order_id", "{n}", "quote_id", 1, "store_id", 1, "state",
			  "new", "status", "pending", "base_currency_code", "EUR",
			  "order_currency_code", "EUR", "grand_total", 64.28, "base_grand_total",
			  64.28, "customer_email", "guest.buyer@example.com", "customer_is_guest",
			  1, "created_at", time, "updated_at", time, "custom_attributes", "_isNew",
			  1);
	envelope = envelope_make(e, &with, value);
	if (envelope && json_object_update_recursive(envelope, (json_t *)changes) == 0)
		return envelope;
	json_decref(envelope);
	return NULL;
}
