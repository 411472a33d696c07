/* SPDX-License-Identifier: MIT */
/* Deliveries and pages of the journal: the samples, every form, and what is none of them. */
#include "protocol/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/commerce_order.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/samples.h"

#define CLIENT "3c1f0a9be2d74c5f8a6b7d0e9f112233"
#define COMMIT "com.adobe.commerce.observer.sales_order_save_commit_after"

static struct bc_arena *arena;
static struct bc_event_list list;

static int set_up(void **state)
{
	(void)state;
	arena = bc_arena_create(4096, 1 << 20);
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	bc_arena_destroy(arena);
	return 0;
}

static int read_delivery(struct bc_str body, struct bc_err *err)
{
	bc_event_list_finish(&list);
	return bc_events_read(body, arena, &list, err);
}

static int read_page(struct bc_str body, struct bc_err *err)
{
	bc_event_list_finish(&list);
	return bc_journal_page_read(body, arena, &list, err);
}

static void is(struct bc_str text, const char *wanted)
{
	if (!text.ptr || !bc_str_eq(text, wanted))
		fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.ptr ? text.ptr : "(absent)",
			 wanted);
}

static const struct {
	const char *file;
	size_t count;
	const char *id, *type, *order; /* of the last one */
} deliveries[] = {
	{ "adobe-event-order-created.json", 1, "6a5f0c3e-2f51-4d0e-9a7a-000000000001", COMMIT,
	  "000000318" },
	{ "adobe-event-order-updated.json", 1, "6a5f0c3e-2f51-4d0e-9a7a-000000000002", COMMIT,
	  "000000318" },
	{ "adobe-event-order-place-plugin.json", 1, "6a5f0c3e-2f51-4d0e-9a7a-000000000003",
	  "com.adobe.commerce.plugin.sales.api.order_management.place", "000000318" },
	{ "adobe-event-order-no-token.json", 1, "6a5f0c3e-2f51-4d0e-9a7a-000000000004", COMMIT,
	  "000000319" },
	{ "adobe-event-batch.json", 2, "6a5f0c3e-2f51-4d0e-9a7a-000000000002", COMMIT,
	  "000000318" },
};

static void every_sample_is_a_delivery_of_orders(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(deliveries); i++) {
		struct bc_str body = sample_bytes(deliveries[i].file);
		assert_int_equal(read_delivery(body, NULL), 0);
		free((char *)body.ptr);
		assert_int_equal(list.count, deliveries[i].count);
		for (size_t n = 0; n < list.count; n++) {
			is(list.events[n].client_id, CLIENT);
			assert_non_null(list.events[n].order);
			assert_null(list.events[n].position.ptr);
		}
		const struct bc_event *last = &list.events[list.count - 1];
		struct bc_commerce_order order;
		is(last->id, deliveries[i].id);
		is(last->type, deliveries[i].type);
		assert_int_equal(
			bc_commerce_order_read(last->order, "click_token", arena, &order, NULL), 0);
		is(order.order, deliveries[i].order);
	}
	bc_event_list_finish(&list);
}

static void the_sample_page_has_positions(void **state)
{
	(void)state;
	json_t *root = sample_json("adobe-journal-page.json");
	char *body = json_dumps(json_object_get(root, "body"), 0);
	assert_int_equal(read_page(bc_str_of(body), NULL), 0);
	assert_int_equal(list.count, 2);
	is(list.events[0].position, "camel:11111111-2222-3333-4444-555555555555:66666666-7777-"
				    "8888-9999-000000000001");
	const json_t *page = json_object_get(json_object_get(root, "body"), "_page");
	is(list.events[1].position, json_string_value(json_object_get(page, "last")));
	for (size_t i = 0; i < 2; i++) {
		is(list.events[i].client_id, CLIENT);
		assert_non_null(list.events[i].order);
	}
	free(body);
	json_decref(root);
	bc_event_list_finish(&list);
}

static void types_are_told_by_their_tail(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		bool order;
	} types[] = {
		{ COMMIT, true },
		{ "com.adobe.commerce.observer.sales_order_save_after", true },
		{ "com.adobe.commerce.observer.checkout_submit_all_after", true },
		{ "com.adobe.commerce.plugin.sales.api.order_management.place", true },
		{ "com.adobe.commerce.plugin.sales.api.order_repository.save", true },
		{ "com.adobe.commerce.plugin.magento.sales.api.order_management.place", true },
		{ "com.adobe.commerce.plugin.magento.sales.api.order_repository.save", true },
		{ "com.adobe.commerce.my_app-7.observer.sales_order_save_commit_after", true },
		{ "observer.sales_order_save_commit_after", true },
		{ "com.adobe.commerce.observer.sales_order_invoice_save_after", false },
		{ "com.adobe.commerce.observer.sales_quote_save_after", false },
		{ "com.adobe.commerce.observer.sales_order_creditmemo_save_after", false },
		{ "com.adobe.commerce.xobserver.sales_order_save_commit_after", false },
		{ "com.adobe.commerce.observer.sales_order_save_commit_after.extra", false },
		{ "com.adobe.commerce.observer.sales_order_save_commit_afterwards", false },
		{ "com.adobe.commerce.Observer.sales_order_save_commit_after", false },
		{ "sales_order_save_commit_after", false },
		{ "", false },
	};
	for (size_t i = 0; i < BC_COUNT(types); i++)
		if (bc_event_is_order(bc_str_of(types[i].type)) != types[i].order)
			fail_msg("%s", types[i].type);
	assert_false(bc_event_is_order((struct bc_str){ 0 }));
}

static const struct {
	const char *body;
	const char *id, *client; /* NULL: absent */
	bool order;
} envelopes[] = {
	{ "{\"id\":\"a\",\"eventid\":\"b\",\"event_id\":\"c\",\"recipientclientid\":\"d\","
	  "\"recipient_client_id\":\"e\",\"type\":\"" COMMIT "\",\"data\":{\"value\":{}}}",
	  "b", "d", true },
	{ "{\"id\":\"a\",\"event_id\":\"c\",\"recipient_client_id\":\"e\"}", "c", "e", false },
	{ "{\"id\":\"a\"}", "a", NULL, false },
	{ "{\"id\":7,\"eventid\":null,\"recipientclientid\":[\"d\"],\"recipient_client_id\":\"e\"}",
	  NULL, "e", false },
	{ "{\"recipientclientid\":\"\",\"recipient_client_id\":\"e\"}", NULL, "e", false },
	{ "{\"type\":\"" COMMIT "\",\"data\":{\"value\":[{}]}}", NULL, NULL, false },
	{ "{\"type\":\"" COMMIT "\",\"data\":{\"value\":\"{}\"}}", NULL, NULL, false },
	{ "{\"type\":\"" COMMIT "\",\"data\":[]}", NULL, NULL, false },
	{ "{\"type\":\"" COMMIT "\"}", NULL, NULL, false },
	{ "{\"type\":[\"" COMMIT "\"],\"data\":{\"value\":{}}}", NULL, NULL, false },
	{ "{\"type\":\"com.adobe.commerce.observer.x\",\"data\":{\"value\":{}}}", NULL, NULL,
	  false },
	{ "{\"type\":\"" COMMIT "\",\"data\":{\"value\":{\"n\":99999999999999999999}}}", NULL, NULL,
	  true },
	{ "{\"type\":\"" COMMIT "\",\"data\":{\"value\":{\"n\":\"a\\u0000b\"}}}", NULL, NULL,
	  true },
	{ "{}", NULL, NULL, false },
};

static void fields_of_a_wrong_type_are_not_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(envelopes); i++) {
		if (read_delivery(bc_str_of(envelopes[i].body), NULL))
			fail_msg("%s", envelopes[i].body);
		assert_int_equal(list.count, 1);
		const struct bc_event *event = &list.events[0];
		assert_int_equal(event->id.len > 0, envelopes[i].id != NULL);
		if (envelopes[i].id)
			is(event->id, envelopes[i].id);
		assert_int_equal(event->client_id.len > 0, envelopes[i].client != NULL);
		if (envelopes[i].client)
			is(event->client_id, envelopes[i].client);
		if ((event->order != NULL) != envelopes[i].order)
			fail_msg("%s", envelopes[i].body);
	}
	bc_event_list_finish(&list);
}

static void other_bodies_are_no_delivery(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		" ",
		"event",
		"7",
		"\"{}\"",
		"null",
		"true",
		"[7]",
		"[null]",
		"[{},[]]",
		"[[{}]]",
		"{",
		"{}{}",
		"[{}",
		"{\"a\":}",
		"{'a':1}",
		"{\"a\":1,}",
		"\xff{}",
		"{\"a\":\"\xff\"}",
		"NaN",
		"{\"a\":1e999}",
		"{\"a\":\"\\ud800\"}",
		"<html>",
	};
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		struct bc_err err = { 0 };
		if (read_delivery(bc_str_of(bad[i]), &err) != BC_EINVAL)
			fail_msg("%s", bad[i]);
		assert_int_equal(err.code, BC_EINVAL);
		assert_null(list.document);
	}
	assert_int_equal(read_delivery((struct bc_str){ 0 }, NULL), BC_EINVAL);
	assert_int_equal(read_delivery(bc_str_of("[]"), NULL), 0);
	assert_int_equal(list.count, 0);
	bc_event_list_finish(&list);
}

static void an_error_shows_nothing_of_the_body(void **state)
{
	(void)state;
	struct bc_err err = { 0 };
	assert_int_equal(read_delivery(bc_str_of("{\"token\":\"clk_7Yq2mVd0\",}"), &err),
			 BC_EINVAL);
	assert_null(strstr(err.text, "clk_"));
	assert_non_null(strstr(err.text, "not JSON"));
}

static void pages_are_whole_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		int count; /* below 0: refused */
	} pages[] = {
		{ "{\"events\":[]}", 0 },
		{ "{\"events\":[{\"position\":\"a:b:c\",\"event\":{}}],\"_page\":{\"count\":1}}",
		  1 },
		{ "{\"events\":[{\"position\":\"a\",\"event\":{}},{\"position\":\"b\"}]}", 2 },
		/* What is no event must not hold up those behind it. */
		{ "{\"events\":[{\"position\":\"a\",\"event\":\"text\"}]}", 1 },
		{ "{\"events\":[{\"event\":{}}]}", -1 },
		{ "{\"events\":[{\"position\":\"\",\"event\":{}}]}", -1 },
		{ "{\"events\":[{\"position\":7,\"event\":{}}]}", -1 },
		{ "{\"events\":[{\"position\":\"a b\",\"event\":{}}]}", -1 },
		{ "{\"events\":[{\"position\":\"a\\r\\nX: y\",\"event\":{}}]}", -1 },
		{ "{\"events\":[7]}", -1 },
		{ "{\"events\":{}}", -1 },
		{ "{}", -1 },
		{ "[]", -1 },
		{ "", -1 },
	};
	for (size_t i = 0; i < BC_COUNT(pages); i++) {
		int result = read_page(bc_str_of(pages[i].body), NULL);
		if (result != (pages[i].count < 0 ? BC_EINVAL : 0))
			fail_msg("%s", pages[i].body);
		assert_int_equal(list.count, pages[i].count < 0 ? 0 : pages[i].count);
	}
	bc_event_list_finish(&list);
}

/* "[{},{},...]" or a page of the same; owned. */
static char *many(size_t count, bool page)
{
	const char *one = page ? "{\"position\":\"p\"}," : "{},";
	char *body = malloc(count * strlen(one) + 32), *to = body;
	assert_non_null(body);
	to += sprintf(to, "%s[", page ? "{\"events\":" : "");
	for (size_t i = 0; i < count; i++)
		to += sprintf(to, "%s", one);
	sprintf(to - 1, "]%s", page ? "}" : "");
	return body;
}

static void a_list_has_its_ceiling(void **state)
{
	(void)state;
	for (int page = 0; page <= 1; page++)
		for (size_t over = 0; over <= 1; over++) {
			char *body = many(BC_EVENTS_MAX + over, page);
			int result = page ? read_page(bc_str_of(body), NULL)
					  : read_delivery(bc_str_of(body), NULL);
			assert_int_equal(result, over ? BC_ETOOBIG : 0);
			free(body);
		}
	bc_event_list_finish(&list);
}

static void deep_nesting_is_bounded(void **state)
{
	(void)state;
	enum { DEEP = 500000 };
	char *body = malloc(2 * DEEP + 64);
	assert_non_null(body);
	for (int depth = 1000; depth <= DEEP; depth += DEEP - 1000) {
		int head = sprintf(body, "{\"data\":{\"value\":");
		memset(body + head, '[', (size_t)depth);
		memset(body + head + depth, ']', (size_t)depth);
		strcpy(body + head + 2 * depth, "}}");
		assert_int_equal(read_delivery(bc_str_of(body), NULL),
				 depth == DEEP ? BC_EINVAL : 0);
	}
	free(body);
	bc_event_list_finish(&list);
}

static bool reads(void *ctx)
{
	struct bc_event_list all = { 0 };
	struct bc_arena *small = bc_arena_create(64, 4096);
	if (!small)
		return false;
	int result = bc_events_read(*(struct bc_str *)ctx, small, &all, NULL);
	assert_true(result == 0 || result == BC_ENOMEM);
	bc_event_list_finish(&all);
	bc_arena_destroy(small);
	return result == 0;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	struct bc_str body = sample_bytes("adobe-event-batch.json");
	each_allocation_failing(reads, &body);
	free((char *)body.ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_a_delivery_of_orders),
		cmocka_unit_test(the_sample_page_has_positions),
		cmocka_unit_test(types_are_told_by_their_tail),
		cmocka_unit_test(fields_of_a_wrong_type_are_not_there),
		cmocka_unit_test(other_bodies_are_no_delivery),
		cmocka_unit_test(an_error_shows_nothing_of_the_body),
		cmocka_unit_test(pages_are_whole_or_refused),
		cmocka_unit_test(a_list_has_its_ceiling),
		cmocka_unit_test(deep_nesting_is_bounded),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
