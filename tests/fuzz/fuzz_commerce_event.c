/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what Commerce and its events say of orders: deliveries, pages of the journal, webhooks,
 * and the paths of keys. Whatever comes in, an order has a number that the store takes, an amount
 * is a decimal, nothing has a control byte, and reading it twice gives the same. The input is then
 * put into an order as its texts, so that they are reached without a fuzzer having to learn JSON.
 */
#include "protocol/commerce_order.h"
#include "protocol/events.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEM                                                                                        \
	"-----BEGIN PUBLIC KEY-----\n"                                                             \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAk7r5MKEPOobLcTL44ic2\n"                       \
	"z06H/KgrQUm4u9lqT+RWKna1AYMr24Hu/ANNSVzlupL6Dv4NxIadg3rm2zDMedOy\n"                       \
	"lOlkm/qOCruwTx7XjfZ8eIzxTqX4jcqLGXzZzYZCDFWivEHIsvD9CmFduxuhi16I\n"                       \
	"2UBzVdkiAxl10HLmpbQ0p/9h+Vwj+r9dN6y3/Xo6dQ4tXmT2yO7e+XKe4EUnFyx7\n"                       \
	"upD86LRXT9fUJtE/vhSHHbfB7xjU2IS03mttPItgCJAUrgssZRIF0XM61wykkFxQ\n"                       \
	"Cf8C1wjuImoFdqnA2X9VaD0Do28owA7q7GLcpFZcHZKR/q4UISpF8YPQkVsrl3QB\n"                       \
	"pwIDAQAB\n"                                                                               \
	"-----END PUBLIC KEY-----\n"

static const char *const completed[] = { "new", "complete", NULL };

static bool same(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && !a.ptr == !b.ptr && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static void check_plain(struct bc_str s, size_t max)
{
	BC_ASSERT(s.len <= max && (s.ptr || s.len == 0));
	for (size_t i = 0; i < s.len; i++)
		BC_ASSERT((unsigned char)s.ptr[i] >= 0x20 && s.ptr[i] != 0x7f);
}

static void check_decimal(struct bc_str s)
{
	size_t points = 0;
	for (size_t i = s.len > 0 && s.ptr[0] == '-'; i < s.len; i++) {
		points += s.ptr[i] == '.';
		BC_ASSERT(s.ptr[i] == '.' || (s.ptr[i] >= '0' && s.ptr[i] <= '9'));
	}
	BC_ASSERT(points <= 1 && s.len <= 32);
}

static void check_fields(const struct bc_commerce_order *o)
{
	BC_ASSERT(o->order.len > 0 && o->increment_id.len > 0);
	check_plain(o->order, BC_COMMERCE_ID_MAX);
	check_plain(o->increment_id, BC_COMMERCE_ID_MAX);
	check_plain(o->state, 64);
	check_plain(o->status, 64);
	check_plain(o->currency, 3);
	check_decimal(o->amount);
	BC_ASSERT(o->click.len <= BC_COMMERCE_CLICK_MAX && (o->click.len > 0) == !!o->click.ptr);
	BC_ASSERT(o->edition > 0 || o->order.len == o->increment_id.len);
	BC_ASSERT(o->entity_id <= INT64_MAX && o->quote_id <= INT64_MAX);
	(void)bc_commerce_order_standing(o, completed);
}

static void check_order(const json_t *json, struct bc_arena *arena)
{
	struct bc_commerce_order o = { 0 }, again = { 0 };
	struct bc_str quote, number;
	int result = bc_commerce_order_read(json, "bc_click", arena, &o, NULL);
	BC_ASSERT(result == bc_commerce_order_read(json, "bc_click", arena, &again, NULL));
	BC_ASSERT(result == 0 || result == BC_EINVAL);
	if (result)
		return;
	BC_ASSERT(same(o.order, again.order) && same(o.click, again.click));
	check_fields(&o);
	BC_ASSERT(bc_commerce_order_sessions(&o, arena, &quote, &number));
	BC_ASSERT(!quote.ptr == !o.quote_id && number.len > o.order.len);
}

static void check_list(struct bc_event_list *list, bool page, struct bc_arena *arena)
{
	BC_ASSERT(list->count <= BC_EVENTS_MAX);
	for (size_t i = 0; i < list->count; i++) {
		const struct bc_event *event = &list->events[i];
		check_plain(event->position, 512);
		BC_ASSERT((event->position.len > 0) == page);
		BC_ASSERT(!event->order || bc_event_is_order(event->type));
		if (event->order)
			check_order(event->order, arena);
	}
	bc_event_list_finish(list);
}

static void check_body(struct bc_str body, struct bc_arena *arena)
{
	struct bc_event_list list = { 0 };
	json_t *json = json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, NULL);
	if (bc_events_read(body, arena, &list, NULL) == 0)
		check_list(&list, false, arena);
	if (bc_journal_page_read(body, arena, &list, NULL) == 0)
		check_list(&list, true, arena);
	check_order(json, arena);
	const json_t *hook = bc_commerce_webhook_order(json);
	if (hook)
		check_order(hook, arena);
	json_decref(json);
}

/* The input as every text of an order. */
static void check_texts(struct bc_str text, struct bc_arena *arena)
{
	json_t *value = json_stringn(text.ptr, text.len);
	if (!value)
		return;
	json_t *order =
		json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:{s:O}, s:O}", "increment_id",
			  value, "edit_increment", value, "state", value, "grand_total", value,
			  "order_currency_code", value, "quote_id", value, "created_at", value,
			  "custom_attributes", "bc_click", value, "entity_id", value);
	BC_ASSERT(order);
	check_order(order, arena);
	json_object_set_new(order, "original_increment_id", json_string("000000318"));
	check_order(order, arena);
	json_object_set(order, "original_increment_id", value);
	json_object_set_new(order, "increment_id", json_string("000000318-2"));
	check_order(order, arena);
	json_decref(order);
	json_decref(value);
}

/* No input is a signature of its own. */
static void check_signature(struct bc_str text)
{
	static struct bc_public_key *key;
	struct bc_public_key *own = NULL;
	if (!key)
		BC_ASSERT(bc_public_key_read(BC_STR(PEM), &key, NULL) == 0);
	BC_ASSERT(bc_signature_check(text, text, key) == 0);
	BC_ASSERT(bc_webhook_signature_check(text, text, key) == 0);
	if (bc_public_key_read(text, &own, NULL) == 0)
		BC_ASSERT(bc_signature_check(text, BC_STR("AAAA"), own) == 0);
	bc_public_key_destroy(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bc_str text = { size > 0 ? (const char *)data : "", size };
	struct bc_arena *arena = bc_arena_create(64 * 1024, 16 << 20);
	BC_ASSERT(arena);
	check_body(text, arena);
	check_texts(text, arena);
	if (bc_event_key_path_ok(text, "/prod/keys/")) {
		check_plain(text, 128);
		BC_ASSERT(!memchr(text.ptr + 11, '/', text.len - 11));
	}
	check_signature(text);
	bc_arena_destroy(arena);
	return 0;
}
