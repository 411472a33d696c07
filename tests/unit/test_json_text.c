/* SPDX-License-Identifier: MIT */
/* JSON laid out and taken apart by its bytes: brackets in strings, escapes, odd spacing, and
 * numbers that keep their spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/call.h"
#include "cli/json_text.h"
#include "failing_malloc.h"

static void written_is(const char *text, enum bc_json_layout layout, const char *expected)
{
	char out[512];
	FILE *to = fmemopen(out, sizeof(out), "w");
	assert_non_null(to);
	setvbuf(to, NULL, _IONBF, 0);
	memset(out, 0, sizeof(out));
	bc_json_write(bc_str_of(text), layout, 0, to);
	long n = ftell(to);
	fclose(to);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(out, expected, strlen(expected));
}

static void numbers_keep_their_spelling(void **state BC_UNUSED)
{
	written_is("{\"p\": 19.90, \"q\":1e2}", BC_JSON_COMPACT, "{\"p\":19.90,\"q\":1e2}");
	written_is("[19.90,-0.0]", BC_JSON_PRETTY, "[\n  19.90,\n  -0.0\n]");
	written_is(" 12345678901234567890 ", BC_JSON_PRETTY, "12345678901234567890");
}

static void empty_pairs_stay_together(void **state BC_UNUSED)
{
	written_is("{ }", BC_JSON_PRETTY, "{}");
	written_is("[[],{\"a\":[ \n ]}]", BC_JSON_PRETTY, "[\n  [],\n  {\n    \"a\": []\n  }\n]");
}

static void brackets_and_blanks_in_strings_are_text(void **state BC_UNUSED)
{
	written_is("[\"a ]}\\\"[ ,:\", \"\\\\\" ]", BC_JSON_COMPACT, "[\"a ]}\\\"[ ,:\",\"\\\\\"]");
	written_is("[\"a ]}\\\"[ ,:\"]", BC_JSON_PRETTY, "[\n  \"a ]}\\\"[ ,:\"\n]");
}

static void what_steers_a_terminal_is_escaped_for_people_only(void **state BC_UNUSED)
{
	written_is("\"\xc2\x9b \x7f \xc3\xbc\"", BC_JSON_PRETTY, "\"\\u009b \\u007f \xc3\xbc\"");
	written_is("\"\xc2\x9b \x7f\"", BC_JSON_COMPACT, "\"\xc2\x9b \x7f\"");
}

static void member_is(const char *object, const char *name, const char *expected)
{
	struct bc_str value = { NULL, 0 };
	bool found = bc_json_member(bc_str_of(object), name, &value);
	assert_int_equal(found, expected != NULL);
	if (expected)
		assert_true(bc_str_eq(value, expected));
}

static void a_member_is_found_by_its_name_at_the_top_only(void **state BC_UNUSED)
{
	member_is("{\"a\":{\"items\":1},\"items\" : [ {\"x\":\"]\"} ] , \"b\":2}", "items",
		  "[ {\"x\":\"]\"} ]");
	member_is("{\"a\":\"b\",\"b\":-1.5e3}", "b", "-1.5e3");
	member_is("{\"a\":\"b\"}", "b", NULL);
	member_is("{\"b\":1,\"b\":2}", "b", "1");
	member_is(" { } ", "b", NULL);
	member_is("[\"b\",1]", "b", NULL);
	member_is("\"b\"", "b", NULL);
	member_is("", "b", NULL);
}

static void elements_are(const char *array, size_t count, const char *const *expected)
{
	struct bc_str rest = bc_str_of(array), element;
	for (size_t i = 0; i < count; i++) {
		assert_true(bc_json_next(&rest, &element));
		assert_true(bc_str_eq(element, expected[i]));
	}
	assert_false(bc_json_next(&rest, &element));
}

static void an_array_is_gone_through_element_by_element(void **state BC_UNUSED)
{
	elements_are(" [ 1 , \"a,]\" ,{\"b\":[2,3]}, [], null ] ", 5,
		     (const char *const[]){ "1", "\"a,]\"", "{\"b\":[2,3]}", "[]", "null" });
	elements_are("[]", 0, NULL);
	elements_are("[ ]", 0, NULL);
	elements_are("{\"a\":1}", 0, NULL);
	elements_are("null", 0, NULL);
}

static void validity_is_of_the_whole_text(void **state BC_UNUSED)
{
	static const char *const broken[] = { "", " ", "{", "[1,]", "{}x", "<html>", "\"\xff\"" };
	for (size_t i = 0; i < BC_COUNT(broken); i++)
		assert_false(bc_json_is_valid(bc_str_of(broken[i])));
	assert_false(bc_json_is_valid((struct bc_str){ NULL, 0 }));
	assert_true(bc_json_is_valid(BC_STR("12")));
	assert_true(bc_json_is_valid(BC_STR(" {\"a\":\"\\u0000\"} ")));
}

static bool see_three_thousand(void *ctx BC_UNUSED)
{
	struct call_seen seen = { 0 };
	char id[24];
	bool whole = true;
	for (unsigned n = 0; n < 6000 && whole; n++) {
		snprintf(id, sizeof(id), "\"%u\"", n % 3000);
		int fresh = call_seen_add(&seen, bc_str_of(id));
		whole = fresh != BC_ENOMEM;
		if (whole)
			assert_int_equal(fresh, n < 3000);
	}
	if (whole)
		assert_int_equal(seen.count, 3000);
	call_seen_finish(&seen);
	return whole;
}

static void an_id_is_new_once(void **state BC_UNUSED)
{
	each_allocation_failing(see_three_thousand, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_keep_their_spelling),
		cmocka_unit_test(empty_pairs_stay_together),
		cmocka_unit_test(brackets_and_blanks_in_strings_are_text),
		cmocka_unit_test(what_steers_a_terminal_is_escaped_for_people_only),
		cmocka_unit_test(a_member_is_found_by_its_name_at_the_top_only),
		cmocka_unit_test(an_array_is_gone_through_element_by_element),
		cmocka_unit_test(validity_is_of_the_whole_text),
		cmocka_unit_test(an_id_is_new_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
