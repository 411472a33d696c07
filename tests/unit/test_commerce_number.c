/* SPDX-License-Identifier: MIT */
/*
 * By what number an order of Commerce is known, edited ones included, and what Commerce calls it
 * and its cart elsewhere.
 */
#include "protocol/commerce_order.h"

#include "store/rows.h"
#include "tests/unit/commerce_order_fixture.h"

static const struct {
	const char *fields;
	const char *increment_id, *order;
	uint32_t edition;
} numbers[] = {
	{ "\"increment_id\":\"000000318\"", "000000318", "000000318", 0 },
	{ "\"real_order_id\":\"000000318\"", "000000318", "000000318", 0 },
	{ "\"increment_id\":null,\"real_order_id\":\"7\"", "7", "7", 0 },
	{ "\"increment_id\":\"\",\"real_order_id\":\"7\"", "7", "7", 0 },
	{ "\"increment_id\":318", "318", "318", 0 },
	{ "\"increment_id\":318.0", "318", "318", 0 },
	/* Nobody says more than the number. */
	{ "\"increment_id\":\"000000318-1\"", "000000318-1", "000000318", 1 },
	{ "\"increment_id\":\"000000318-12\"", "000000318-12", "000000318", 12 },
	{ "\"increment_id\":\"000318-999\"", "000318-999", "000318", 999 },
	{ "\"increment_id\":\"00318-1\"", "00318-1", "00318-1", 0 },
	{ "\"increment_id\":\"000000318-1000\"", "000000318-1000", "000000318-1000", 0 },
	{ "\"increment_id\":\"000000318-0\"", "000000318-0", "000000318-0", 0 },
	{ "\"increment_id\":\"000000318-01\"", "000000318-01", "000000318-01", 0 },
	{ "\"increment_id\":\"000000318-\"", "000000318-", "000000318-", 0 },
	{ "\"increment_id\":\"000000318-1a\"", "000000318-1a", "000000318-1a", 0 },
	{ "\"increment_id\":\"000000318--1\"", "000000318--1", "000000318--1", 0 },
	{ "\"increment_id\":\"000000318-1-2\"", "000000318-1-2", "000000318-1-2", 0 },
	{ "\"increment_id\":\"EU-12\"", "EU-12", "EU-12", 0 },
	{ "\"increment_id\":\"EU000000318-1\"", "EU000000318-1", "EU000000318-1", 0 },
	{ "\"increment_id\":\"-123456\"", "-123456", "-123456", 0 },
	{ "\"increment_id\":\"-1\"", "-1", "-1", 0 },
	{ "\"increment_id\":\"-\"", "-", "-", 0 },
	/* What was edited is said: that wins. */
	{ "\"increment_id\":\"000000318-1\",\"original_increment_id\":\"000000318\","
	  "\"edit_increment\":1",
	  "000000318-1", "000000318", 1 },
	{ "\"increment_id\":\"000000318-2\",\"original_increment_id\":\"000000318\","
	  "\"edit_increment\":\"2\"",
	  "000000318-2", "000000318", 2 },
	{ "\"increment_id\":\"000000318-3\",\"original_increment_id\":\"000000318\"", "000000318-3",
	  "000000318", 3 },
	{ "\"increment_id\":\"EU-12\",\"original_increment_id\":\"EU-7\"", "EU-12", "EU-7", 1 },
	{ "\"increment_id\":\"EU-7-4\",\"original_increment_id\":\"EU-7\"", "EU-7-4", "EU-7", 4 },
	{ "\"increment_id\":\"EU-7x\",\"original_increment_id\":\"EU-7\"", "EU-7x", "EU-7", 1 },
	{ "\"increment_id\":\"EU-12-1\",\"edit_increment\":1", "EU-12-1", "EU-12", 1 },
	{ "\"increment_id\":\"EU-12\",\"edit_increment\":1", "EU-12", "EU-12", 0 },
	{ "\"increment_id\":\"EU-12\",\"original_increment_id\":\"EU-12\"", "EU-12", "EU-12", 0 },
	{ "\"increment_id\":\"EU-12\",\"original_increment_id\":\"EU-12\",\"edit_increment\":1",
	  "EU-12", "EU-12", 0 },
	{ "\"increment_id\":\"000000318-1\",\"original_increment_id\":\"000000318-1\"",
	  "000000318-1", "000000318-1", 0 },
	{ "\"increment_id\":\"000000318-1\",\"original_increment_id\":null,\"edit_increment\":null",
	  "000000318-1", "000000318", 1 },
	{ "\"increment_id\":\"000000318-1\",\"original_increment_id\":\"\",\"edit_increment\":0",
	  "000000318-1", "000000318", 1 },
	{ "\"increment_id\":\"000000318\",\"edit_increment\":99999999999", "000000318", "000000318",
	  0 },
	{ "\"increment_id\":\"000000318-1\",\"original_increment_id\":[],\"edit_increment\":{}",
	  "000000318-1", "000000318", 1 },
	/* Numbers that are not ASCII stay what they are. */
	{ "\"increment_id\":\"B\\u00fc-1\"", "B\xc3\xbc-1", "B\xc3\xbc-1", 0 },
};

static void an_edited_order_is_the_same_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(numbers); i++) {
		char text[512];
		snprintf(text, sizeof(text), "{%s}", numbers[i].fields);
		struct bc_commerce_order o = order_of(text);
		is(o.increment_id, numbers[i].increment_id);
		is(o.order, numbers[i].order);
		if (o.edition != numbers[i].edition)
			fail_msg("%s: edition %u", text, o.edition);
	}
}

static void what_has_no_number_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"{}",
		"[]",
		"\"000000318\"",
		"null",
		"{\"order\":{}}",
		"{\"order\":[{\"increment_id\":\"1\"}]}",
		"{\"entity_id\":318}",
		"{\"increment_id\":\"\"}",
		"{\"increment_id\":\"  \"}",
		"{\"increment_id\":[\"1\"]}",
		"{\"increment_id\":true}",
		"{\"increment_id\":{\"value\":\"1\"}}",
		"{\"increment_id\":\"0000\\u0000318\"}",
		"{\"increment_id\":\"000000318\\n\"}",
		"{\"increment_id\":\"\\u001b[2J\"}",
		"{\"increment_id\":\"a\\u007f\"}",
		"{\"increment_id\":\"1\",\"original_increment_id\":\"a\\tb\"}",
		"{\"increment_id\":\"\\r\",\"real_order_id\":\"1\"}",
	};
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		struct bc_commerce_order o;
		struct bc_err err = { 0 };
		if (read_order(parse(bad[i]), &o, &err) != BC_EINVAL)
			fail_msg("%s is an order", bad[i]);
		assert_int_equal(err.code, BC_EINVAL);
		assert_true(err.text[0] != '\0');
	}
	struct bc_commerce_order o;
	assert_int_equal(bc_commerce_order_read(NULL, "a", arena, &o, NULL), BC_EINVAL);
}

static void a_number_is_as_long_as_the_store_takes_it(void **state)
{
	(void)state;
	assert_int_equal(BC_COMMERCE_ID_MAX, BC_ORDER_ID_MAX);
	for (size_t len = BC_ORDER_ID_MAX; len <= BC_ORDER_ID_MAX + 1; len++) {
		char id[BC_ORDER_ID_MAX + 2];
		struct bc_commerce_order o;
		memset(id, '7', len);
		id[len] = '\0';
		int wanted = len == BC_ORDER_ID_MAX ? 0 : BC_EINVAL;
		assert_int_equal(read_order(json_pack("{s:s}", "increment_id", id), &o, NULL),
				 wanted);
	}
}

static void the_ids_of_commerce_are_found_where_they_stand(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		uint64_t entity_id, quote_id;
	} rows[] = {
		{ "\"entity_id\":318,\"quote_id\":1907", 318, 1907 },
		{ "\"entity_id\":\"318\",\"quote_id\":\"1907\"", 318, 1907 },
		{ "\"entity_id\":318.0,\"quote_id\":\" 7 \"", 318, 7 },
		{ "\"payment\":{\"parent_id\":318}", 318, 0 },
		{ "\"entity_id\":null,\"payment\":{\"parent_id\":\"318\"}", 318, 0 },
		{ "\"items\":[{\"order_id\":319}]", 319, 0 },
		{ "\"items\":[{},null,{\"order_id\":\"319\"}]", 319, 0 },
		{ "\"items\":{\"502\":{\"order_id\":319}}", 319, 0 },
		{ "\"payment\":[],\"items\":{\"a\":7,\"b\":{\"order_id\":4}}", 4, 0 },
		{ "\"entity_id\":1,\"payment\":{\"parent_id\":2},\"items\":[{\"order_id\":3}]", 1,
		  0 },
		/* None of these is one. */
		{ "\"entity_id\":-318,\"quote_id\":0", 0, 0 },
		{ "\"entity_id\":3.18,\"quote_id\":\"1907x\"", 0, 0 },
		{ "\"entity_id\":true,\"quote_id\":[1907]", 0, 0 },
		{ "\"entity_id\":\"18446744073709551615\",\"quote_id\":\"9223372036854775807\"", 0,
		  INT64_MAX },
		{ "\"entity_id\":1e30,\"quote_id\":\"\"", 0, 0 },
		{ "\"quote_id\":\"3aXQ9\"", 0, 0 },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char text[512];
		snprintf(text, sizeof(text), "{\"increment_id\":\"1\",%s}", rows[i].fields);
		struct bc_commerce_order o = order_of(text);
		if (o.entity_id != rows[i].entity_id || o.quote_id != rows[i].quote_id)
			fail_msg("%s: %llu, %llu", text, (unsigned long long)o.entity_id,
				 (unsigned long long)o.quote_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edited_order_is_the_same_order),
		cmocka_unit_test(what_has_no_number_is_refused),
		cmocka_unit_test(a_number_is_as_long_as_the_store_takes_it),
		cmocka_unit_test(the_ids_of_commerce_are_found_where_they_stand),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
