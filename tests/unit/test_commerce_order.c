/* SPDX-License-Identifier: MIT */
/*
 * Orders of Commerce as each way writes them. The samples give the same order whichever file it
 * stands in; tables hold the forms that fields take, and what is no value of theirs. Numbers are
 * test_commerce_number.c's.
 */
#include "protocol/commerce_order.h"

#include "base/date.h"
#include "tests/unit/commerce_order_fixture.h"
#include "tests/unit/failing_malloc.h"

#define CLICK "clk_7Yq2mVd0Zk3s9Lx1"

static const char *const completed[] = { "new", "processing", "complete", NULL };

static uint64_t at(const char *text)
{
	uint64_t ms;
	assert_int_equal(bc_time_parse(bc_str_of(text), &ms), 0);
	return ms;
}

/* --- the samples ----------------------------------------------------------------------------- */

/* The part of a sample that says something of an order, by the names on the way to it. */
static json_t *part(const char *file, const char *const *way)
{
	json_t *root = sample_json(file), *at_part = root;
	for (; *way; way++)
		at_part = json_is_array(at_part) ? json_array_get(at_part, (size_t)(**way - '0'))
						 : json_object_get(at_part, *way);
	assert_non_null(at_part);
	json_incref(at_part);
	json_decref(root);
	return at_part;
}

static const struct {
	const char *file;
	const char *way[6];
	const char *id, *state, *status, *click, *amount, *currency;
	uint64_t entity_id, quote_id;
	const char *updated; /* NULL: it does not say */
	enum bc_commerce_standing standing;
} samples[] = {
	{ "adobe-order-guest-new.json",
	  { NULL },
	  "000000318",
	  "new",
	  "pending",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:03:11Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-orders-search-page.json",
	  { "items", "0" },
	  "000000318",
	  "new",
	  "pending",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:03:11Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-orders-search-page.json",
	  { "items", "1" },
	  "000000319",
	  "processing",
	  "processing",
	  NULL,
	  "116.64",
	  "USD",
	  319,
	  1911,
	  "2026-11-20T15:41:37Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-event-order-created.json",
	  { "data", "value" },
	  "000000318",
	  "new",
	  "pending",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:03:11Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-event-order-updated.json",
	  { "data", "value" },
	  "000000318",
	  "processing",
	  "processing",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:05:40Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-event-order-place-plugin.json",
	  { "data", "value" },
	  "000000318",
	  "new",
	  "pending",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:03:11Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-event-order-no-token.json",
	  { "data", "value" },
	  "000000319",
	  "new",
	  "pending",
	  NULL,
	  "116.64",
	  NULL,
	  0,
	  1911,
	  "2026-11-20T15:40:02Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-event-batch.json",
	  { "1", "data", "value" },
	  "000000318",
	  "processing",
	  "processing",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:05:40Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-journal-page.json",
	  { "body", "events", "0", "event", "data", "value" },
	  "000000318",
	  "new",
	  "pending",
	  CLICK,
	  "64.28",
	  "EUR",
	  318,
	  1907,
	  "2026-11-20T14:03:11Z",
	  BC_COMMERCE_COMPLETED },
	{ "adobe-webhook-order-management-place.json",
	  { NULL },
	  "000000318",
	  NULL,
	  NULL,
	  CLICK,
	  "64.28",
	  "EUR",
	  0,
	  1907,
	  NULL,
	  BC_COMMERCE_OPEN },
	{ "adobe-webhook-sales-order-place-before.json",
	  { "data" },
	  "000000318",
	  NULL,
	  NULL,
	  CLICK,
	  "64.28",
	  "EUR",
	  0,
	  1907,
	  NULL,
	  BC_COMMERCE_OPEN },
	{ "adobe-webhook-configured-minimal.json",
	  { NULL },
	  "000000318",
	  NULL,
	  NULL,
	  CLICK,
	  "64.28",
	  "EUR",
	  0,
	  1907,
	  NULL,
	  BC_COMMERCE_OPEN },
};

static void every_sample_gives_its_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(samples); i++) {
		struct bc_commerce_order o;
		const char *way[7] = { NULL };
		memcpy(way, samples[i].way, sizeof(samples[i].way));
		assert_int_equal(read_order(part(samples[i].file, way), &o, NULL), 0);
		is(o.increment_id, samples[i].id);
		is(o.order, samples[i].id);
		is(o.state, samples[i].state);
		is(o.status, samples[i].status);
		is(o.click, samples[i].click);
		is(o.amount, samples[i].amount);
		is(o.currency, samples[i].currency);
		assert_int_equal(o.entity_id, samples[i].entity_id);
		assert_int_equal(o.quote_id, samples[i].quote_id);
		assert_int_equal(o.updated_ms, samples[i].updated ? at(samples[i].updated) : 0);
		assert_int_equal(bc_commerce_order_standing(&o, completed), samples[i].standing);
		assert_int_equal(o.edition, 0);
		assert_false(o.replaced);
	}
}

static void the_customers_order_has_no_click(void **state)
{
	(void)state;
	struct bc_commerce_order o;
	const char *const way[] = { NULL };
	assert_int_equal(read_order(part("adobe-order-customer-processing.json", way), &o, NULL),
			 0);
	assert_null(o.click.ptr);
	assert_true(o.order.len > 0 && o.entity_id > 0 && o.quote_id > 0);
	is(o.currency, "USD");
}

static void a_webhook_is_about_an_order_or_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		const char *order; /* NULL: none */
	} bodies[] = {
		{ "{\"order\":{\"increment_id\":\"1\"}}", "1" },
		{ "{\"data\":{\"order\":{\"increment_id\":\"2\"}},\"subject\":[]}", "2" },
		{ "{\"order\":{\"increment_id\":\"3\"},\"data\":{\"order\":{}}}", "3" },
		{ "{\"order\":[]}", NULL },
		{ "{\"order\":\"000000318\"}", NULL },
		{ "{\"data\":{\"cart\":{}}}", NULL },
		{ "{\"data\":[{\"order\":{}}]}", NULL },
		{ "[{\"order\":{}}]", NULL },
		{ "7", NULL },
	};
	for (size_t i = 0; i < BC_COUNT(bodies); i++) {
		json_t *body = parse(bodies[i].body);
		const json_t *found = bc_commerce_webhook_order(body);
		struct bc_commerce_order o;
		assert_int_equal(found != NULL, bodies[i].order != NULL);
		if (found) {
			assert_int_equal(bc_commerce_order_read(found, "a", arena, &o, NULL), 0);
			is(o.order, bodies[i].order);
		}
		json_decref(body);
	}
	assert_null(bc_commerce_webhook_order(NULL));
}

/* --- the click ------------------------------------------------------------------------------- */

static const struct {
	const char *fields;
	const char *click;
} clicks[] = {
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":\"abcd\"}]",
	  "abcd" },
	{ "\"custom_attributes\":[{\"attribute_code\":\"x\",\"value\":\"y\"},{\"value\":\"abcd\","
	  "\"attribute_code\":\"click_token\"}]",
	  "abcd" },
	{ "\"custom_attributes\":{\"0\":{\"attribute_code\":\"click_token\",\"value\":\"abcd\"}}",
	  "abcd" },
	{ "\"custom_attributes\":{\"click_token\":\"abcd\"}", "abcd" },
	{ "\"custom_attributes\":{\"click_token\":{\"attribute_code\":\"click_token\","
	  "\"value\":\"abcd\"}}",
	  "abcd" },
	{ "\"custom_attributes_serializable\":{\"click_token\":\"abcd\"}", "abcd" },
	{ "\"custom_attributes\":[],\"custom_attributes_serializable\":{\"click_token\":\"abcd\"}",
	  "abcd" },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":\"abcd\"}],"
	  "\"custom_attributes_serializable\":{\"click_token\":\"other\"}",
	  "abcd" },
	{ "\"custom_attributes\":{\"click_token\":\" \\tabcd  \"}", "abcd" },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":\"\"},"
	  "{\"attribute_code\":\"click_token\",\"value\":\"abcd\"}]",
	  "abcd" },
	{ "\"custom_attributes\":{\"click_token\":\"t.abcd-_9\"}", "t.abcd-_9" },
	/* A click that is none is told from none, so that whoever takes it can say so. */
	{ "\"custom_attributes\":{\"click_token\":\"not a click\"}", "not a click" },
	/* There is none. */
	{ "\"state\":\"new\"", NULL },
	{ "\"click_token\":\"abcd\"", NULL },
	{ "\"custom_attributes\":null", NULL },
	{ "\"custom_attributes\":\"click_token\"", NULL },
	{ "\"custom_attributes\":7", NULL },
	{ "\"custom_attributes\":[]", NULL },
	{ "\"custom_attributes\":[null,7,\"click_token\",[],{}]", NULL },
	{ "\"custom_attributes\":[[{\"attribute_code\":\"click_token\",\"value\":\"abcd\"}]]",
	  NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"Click_Token\",\"value\":\"abcd\"}]", NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\\u0000\",\"value\":\"abcd\"}]",
	  NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":7,\"value\":\"abcd\"}]", NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":7}]", NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":[\"abcd\"]}]",
	  NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\",\"value\":null}]", NULL },
	{ "\"custom_attributes\":[{\"attribute_code\":\"click_token\"}]", NULL },
	{ "\"custom_attributes\":{\"click_token\":\"   \"}", NULL },
	{ "\"custom_attributes_serializable\":[\"abcd\"]", NULL },
};

static void the_click_is_found_in_every_form_of_attributes(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(clicks); i++) {
		char text[512];
		snprintf(text, sizeof(text), "{\"increment_id\":\"1\",%s}", clicks[i].fields);
		is(order_of(text).click, clicks[i].click);
	}
}

static void what_came_beside_the_order_fills_its_gaps(void **state)
{
	(void)state;
	struct bc_commerce_order o = order_of(
		"{\"order\":{\"increment_id\":\"1\",\"payment\":{\"parent_id\":5}},\"quote\":"
		"{\"entity_id\":\"1907\",\"custom_attributes\":[{\"attribute_code\":"
		"\"click_token\",\"value\":\"abcd\"}]}}");
	is(o.click, "abcd");
	assert_int_equal(o.quote_id, 1907);
	assert_int_equal(o.entity_id, 5);
	o = order_of("{\"order\":{\"increment_id\":\"1\",\"quote_id\":8,\"custom_attributes\":"
		     "{\"click_token\":\"mine\"}},\"quote\":{\"id\":9,\"custom_attributes\":"
		     "{\"click_token\":\"other\"}}}");
	is(o.click, "mine");
	assert_int_equal(o.quote_id, 8);
	o = order_of("{\"order\":{\"increment_id\":\"1\"},\"quote\":{\"id\":9,"
		     "\"custom_attributes_serializable\":{\"click_token\":\"abcd\"}}}");
	is(o.click, "abcd");
	assert_int_equal(o.quote_id, 9);
	o = order_of("{\"order\":{\"increment_id\":\"1\"},\"quote\":[]}");
	assert_null(o.click.ptr);
	/* An order that has a field of that name is the order. */
	o = order_of("{\"increment_id\":\"1\",\"order\":{\"increment_id\":\"2\"}}");
	is(o.order, "1");
}

static void a_long_click_is_cut_to_what_is_none(void **state)
{
	(void)state;
	enum { LONG = 600000 };
	char *text = malloc(LONG + 1);
	assert_non_null(text);
	memset(text, 'a', LONG);
	text[LONG] = '\0';
	struct bc_commerce_order o;
	assert_int_equal(
		read_order(json_pack("{s:s, s:{s:s}, s:s, s:s, s:s}", "increment_id", "1",
				     "custom_attributes", "click_token", text, "state", text,
				     "grand_total", text, "order_currency_code", text),
			   &o, NULL),
		0);
	assert_int_equal(o.click.len, BC_COMMERCE_CLICK_MAX);
	assert_null(o.state.ptr);
	assert_null(o.amount.ptr);
	free(text);
}

/* --- money, time, standing ------------------------------------------------------------------- */

static void money_is_read_from_its_text(void **state)
{
	(void)state;
	static const struct {
		const char *fields, *amount, *currency;
	} rows[] = {
		{ "\"grand_total\":\"58.0400\",\"order_currency_code\":\"EUR\"", "58.04", "EUR" },
		{ "\"grand_total\":58.04,\"order_currency_code\":\"EUR\"", "58.04", "EUR" },
		{ "\"grand_total\":\"58.0000\",\"order_currency_code\":\"EUR\"", "58.00", "EUR" },
		{ "\"grand_total\":58,\"order_currency_code\":\"EUR\"", "58", "EUR" },
		{ "\"grand_total\":\"58.0450\",\"order_currency_code\":\"KWD\"", "58.045", "KWD" },
		{ "\"grand_total\":64.280000,\"order_currency_code\":\"EUR\"", "64.28", "EUR" },
		{ "\"grand_total\":0.30000000000000004,\"order_currency_code\":\"EUR\"", "0.3",
		  "EUR" },
		{ "\"grand_total\":\"12345678901234567890.1234\",\"order_currency_code\":\"IDR\"",
		  "12345678901234567890.1234", "IDR" },
		{ "\"grand_total\":\"-5.1000\",\"order_currency_code\":\"EUR\"", "-5.10", "EUR" },
		{ "\"grand_total\":\" 7.5 \",\"order_currency_code\":\"EUR\"", "7.5", "EUR" },
		{ "\"grand_total\":70,\"order_currency_code\":\"USD\",\"base_grand_total\":60,"
		  "\"base_currency_code\":\"EUR\"",
		  "70", "USD" },
		{ "\"grand_total\":70,\"base_grand_total\":60,\"base_currency_code\":\"EUR\"", "60",
		  "EUR" },
		{ "\"grand_total\":70,\"base_currency_code\":\"EUR\"", "70", NULL },
		{ "\"grand_total\":70,\"currency\":\"EUR\"", "70", "EUR" },
		{ "\"base_grand_total\":60", "60", NULL },
		{ "\"grand_total\":\"58,04\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\"EUR 58\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\"\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\"5.\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\".5\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\"--5\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":\"1e3\",\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":1e300,\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":true,\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":[7],\"order_currency_code\":\"EUR\"", NULL, NULL },
		{ "\"grand_total\":7,\"order_currency_code\":\"E\\nR\"", "7", NULL },
		{ "\"grand_total\":7,\"order_currency_code\":\"EURO\"", "7", NULL },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char text[512];
		snprintf(text, sizeof(text), "{\"increment_id\":\"1\",%s}", rows[i].fields);
		struct bc_commerce_order o = order_of(text);
		is(o.amount, rows[i].amount);
		is(o.currency, rows[i].currency);
	}
}

static void times_without_a_zone_are_utc(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted; /* NULL: none */
	} rows[] = {
		{ "2026-11-20 14:03:11", "2026-11-20T14:03:11Z" },
		{ "2026-11-20T14:03:11", "2026-11-20T14:03:11Z" },
		{ "2026-11-20T14:03:11Z", "2026-11-20T14:03:11Z" },
		{ "2026-11-20T15:03:11+01:00", "2026-11-20T14:03:11Z" },
		{ "2026-03-29 02:30:00", "2026-03-29T02:30:00Z" },
		{ "0000-00-00 00:00:00", NULL },
		{ "2026-02-30 00:00:00", NULL },
		{ "2026-11-20", NULL },
		{ "2026-11-20 14:03:11 ", NULL },
		{ "2026-11-20 14:03:11.00000000000000000000000000000000000000", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_commerce_order o;
		assert_int_equal(read_order(json_pack("{s:s, s:s, s:i}", "increment_id", "1",
						      "created_at", rows[i].text, "updated_at", 7),
					    &o, NULL),
				 0);
		assert_int_equal(o.created_ms, rows[i].wanted ? at(rows[i].wanted) : 0);
		assert_int_equal(o.updated_ms, 0);
	}
}

static void where_an_order_stands_follows_from_its_state(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		enum bc_commerce_standing wanted;
	} rows[] = {
		{ "\"state\":\"new\"", BC_COMMERCE_COMPLETED },
		{ "\"state\":\"processing\"", BC_COMMERCE_COMPLETED },
		{ "\"state\":\"complete\"", BC_COMMERCE_COMPLETED },
		{ "\"state\":\"pending_payment\"", BC_COMMERCE_OPEN },
		{ "\"state\":\"payment_review\"", BC_COMMERCE_OPEN },
		{ "\"state\":\"holded\"", BC_COMMERCE_OPEN },
		{ "\"state\":\"canceled\"", BC_COMMERCE_TAKEN_BACK },
		{ "\"state\":\"closed\"", BC_COMMERCE_TAKEN_BACK },
		{ "\"state\":\"completed\"", BC_COMMERCE_OPEN },
		{ "\"state\":\"\"", BC_COMMERCE_OPEN },
		{ "\"state\":7", BC_COMMERCE_OPEN },
		{ "\"state\":\"new\\u0000\"", BC_COMMERCE_OPEN },
		{ "\"status\":\"canceled\"", BC_COMMERCE_OPEN },
		{ "\"status\":\"complete\"", BC_COMMERCE_OPEN },
		/* Editing cancels it, and is no cancellation. */
		{ "\"state\":\"canceled\",\"relation_child_id\":\"400\"", BC_COMMERCE_OPEN },
		{ "\"state\":\"canceled\",\"relation_child_real_id\":\"000000318-1\"",
		  BC_COMMERCE_OPEN },
		{ "\"state\":\"canceled\",\"relation_child_id\":null,\"relation_child_real_id\":"
		  "\"\"",
		  BC_COMMERCE_TAKEN_BACK },
		{ "\"state\":\"new\",\"relation_child_id\":400", BC_COMMERCE_COMPLETED },
		{ "\"state\":\"canceled\",\"relation_parent_id\":317", BC_COMMERCE_TAKEN_BACK },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char text[512];
		snprintf(text, sizeof(text), "{\"increment_id\":\"1\",%s}", rows[i].fields);
		struct bc_commerce_order o = order_of(text);
		if (bc_commerce_order_standing(&o, completed) != rows[i].wanted)
			fail_msg("%s", text);
	}
	static const char *const closed_counts[] = { "closed", NULL }, *const none[] = { NULL };
	struct bc_commerce_order o = order_of("{\"increment_id\":\"1\",\"state\":\"closed\"}");
	assert_int_equal(bc_commerce_order_standing(&o, closed_counts), BC_COMMERCE_COMPLETED);
	assert_int_equal(bc_commerce_order_standing(&o, none), BC_COMMERCE_TAKEN_BACK);
}

static void a_click_is_bound_to_cart_and_order(void **state)
{
	(void)state;
	struct bc_str quote, number;
	struct bc_commerce_order o =
		order_of("{\"increment_id\":\"000000318-1\",\"quote_id\":\"1907\"}");
	assert_true(bc_commerce_order_sessions(&o, arena, &quote, &number));
	is(quote, "commerce:quote:1907");
	is(number, "commerce:order:000000318");
	o = order_of("{\"increment_id\":\"7\"}");
	assert_true(bc_commerce_order_sessions(&o, arena, &quote, &number));
	assert_null(quote.ptr);
	is(number, "commerce:order:7");
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool reads(void *ctx)
{
	json_t *json = ctx;
	struct bc_commerce_order o;
	struct bc_str quote, number;
	struct bc_arena *small = bc_arena_create(64, 4096);
	if (!small)
		return false;
	int result = bc_commerce_order_read(json, "click_token", small, &o, NULL);
	assert_true(result == 0 || result == BC_ENOMEM);
	bool done = result == 0 && bc_commerce_order_sessions(&o, small, &quote, &number);
	bc_arena_destroy(small);
	return done;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	json_t *json = sample_json("adobe-order-guest-new.json");
	each_allocation_failing(reads, json);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_gives_its_order),
		cmocka_unit_test(the_customers_order_has_no_click),
		cmocka_unit_test(a_webhook_is_about_an_order_or_nothing),
		cmocka_unit_test(the_click_is_found_in_every_form_of_attributes),
		cmocka_unit_test(what_came_beside_the_order_fills_its_gaps),
		cmocka_unit_test(a_long_click_is_cut_to_what_is_none),
		cmocka_unit_test(money_is_read_from_its_text),
		cmocka_unit_test(times_without_a_zone_are_utc),
		cmocka_unit_test(where_an_order_stands_follows_from_its_state),
		cmocka_unit_test(a_click_is_bound_to_cart_and_order),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
