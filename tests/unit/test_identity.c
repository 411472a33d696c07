/* SPDX-License-Identifier: MIT */
/* What names a click, a session, an order: what is read, and what is refused with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/identity.h"

#define ID "000102030405060708090a0b0c0d0e0f"

static void a_click_text_names_an_id_a_token_or_nothing(void **state)
{
	static const struct {
		const char *text;
		int what; /* -1 = refused */
	} rows[] = {
		{ NULL, BC_NAMED_NOTHING },
		{ "c." ID, BC_NAMED_ID },
		{ ID, BC_NAMED_ID },
		{ "C." ID, -1 },
		{ "c.000102030405060708090A0B0C0D0E0F", BC_NAMED_ID },
		{ "c.000102030405060708090a0b0c0d0e0", -1 },
		{ "c." ID "0", -1 },
		{ "c.", -1 },
		{ "c", -1 },
		{ "", -1 },
		{ "t.", -1 },
		{ "t.abc", -1 },
		{ "t.abcd", BC_NAMED_TOKEN },
		{ "t." ID, BC_NAMED_TOKEN },
		{ "t.c." ID, -1 },
		{ "abcd", BC_NAMED_TOKEN },
		{ "12345-test-123-12345", BC_NAMED_TOKEN },
		{ "t.ab/cd", -1 },
		{ "ab.cd", -1 },
		{ "abcd\n", -1 },
		{ "None", BC_NAMED_TOKEN },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_click_name name = { .what = BC_NAMED_NOTHING };
		struct bc_err err = { 0 };
		int result = bc_click_name_read(bc_str_of(rows[i].text), &name, &err);
		if (rows[i].what < 0 ? result != BC_EINVAL || !err.text[0] || !err.hint[0]
				     : result || (int)name.what != rows[i].what)
			fail_msg("\"%s\": %d %d", rows[i].text, result, (int)name.what);
	}
}

static void a_token_is_read_without_its_prefix_and_an_id_round_trips(void **state)
{
	struct bc_click_name name;
	char text[BC_CLICK_TEXT_BYTES];
	(void)state;
	assert_int_equal(bc_click_name_read(BC_STR("t.abcd"), &name, NULL), 0);
	assert_true(bc_str_eq(name.token, "abcd"));
	assert_int_equal(bc_click_name_read(BC_STR(ID), &name, NULL), 0);
	assert_int_equal(name.id[15], 0x0f);
	assert_string_equal(bc_click_id_text(name.id, text), "c." ID);
}

static void what_frameworks_print_for_no_session_is_refused(void **state)
{
	static const char *const refused[] = { "",     " ",	"None",	  "none",
					       "NULL", "null",	" null ", "undefined",
					       "a\nb", "a\x7f", "\t" };
	static const char *const fine[] = { "a",	  "0",	      "nobody",	 "null0",
					    "6f1c0a9e5b", "sess ion", "\xc3\xa9" };
	char longest[BC_SESSION_MAX + 2];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(refused); i++) {
		struct bc_err err = { 0 };
		assert_int_equal(bc_session_check(bc_str_of(refused[i]), &err), BC_EINVAL);
		assert_true(err.text[0] && err.hint[0]);
	}
	for (size_t i = 0; i < BC_COUNT(fine); i++)
		assert_int_equal(bc_session_check(bc_str_of(fine[i]), NULL), 0);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(bc_session_check((struct bc_str){ longest, BC_SESSION_MAX }, NULL), 0);
	assert_int_equal(bc_session_check((struct bc_str){ longest, BC_SESSION_MAX + 1 }, NULL),
			 BC_EINVAL);
	assert_int_equal(bc_session_check((struct bc_str){ "a\0b", 3 }, NULL), BC_EINVAL);
}

static void order_ids_are_bounded_and_printable(void **state)
{
	char longest[BC_ORDER_ID_MAX + 1];
	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(bc_order_id_check(BC_STR("1"), NULL), 0);
	assert_int_equal(bc_order_id_check(BC_STR("a/b c"), NULL), 0);
	assert_int_equal(bc_order_id_check((struct bc_str){ longest, BC_ORDER_ID_MAX }, NULL), 0);
	assert_int_equal(bc_order_id_check((struct bc_str){ longest, BC_ORDER_ID_MAX + 1 }, NULL),
			 BC_EINVAL);
	assert_int_equal(bc_order_id_check((struct bc_str){ 0 }, NULL), BC_EINVAL);
	assert_int_equal(bc_order_id_check(BC_STR(""), NULL), BC_EINVAL);
	assert_int_equal(bc_order_id_check(BC_STR("  "), NULL), BC_EINVAL);
	assert_int_equal(bc_order_id_check(BC_STR("a\x1b[2J"), NULL), BC_EINVAL);
	assert_int_equal(bc_order_id_check((struct bc_str){ "a\0b", 3 }, NULL), BC_EINVAL);
}

static void a_session_and_a_token_of_the_same_text_hash_apart(void **state)
{
	struct bc_secret *key = bc_secret_create("0123456789abcdef", 16);
	struct bc_hasher *h = bc_hasher_create(key);
	uint8_t session[BC_HASH_BYTES], token[BC_HASH_BYTES], again[BC_HASH_BYTES];
	(void)state;
	assert_int_equal(bc_session_hash(h, BC_STR("abcd"), session, NULL), 0);
	bc_token_hash(h, BC_STR("abcd"), token);
	bc_token_hash(h, BC_STR("abcd"), again);
	assert_memory_not_equal(session, token, BC_HASH_BYTES);
	assert_memory_equal(token, again, BC_HASH_BYTES);
	assert_int_equal(bc_session_hash(h, BC_STR("null"), session, NULL), BC_EINVAL);
	bc_hasher_destroy(h);
	bc_secret_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_click_text_names_an_id_a_token_or_nothing),
		cmocka_unit_test(a_token_is_read_without_its_prefix_and_an_id_round_trips),
		cmocka_unit_test(what_frameworks_print_for_no_session_is_refused),
		cmocka_unit_test(order_ids_are_bounded_and_printable),
		cmocka_unit_test(a_session_and_a_token_of_the_same_text_hash_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
