/* SPDX-License-Identifier: MIT */
/* Slices: comparing, trimming, splitting, copying; absent and empty ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "failing_malloc.h"

static const struct bc_str absent;

static void a_slice_of_no_string_is_absent(void **state BC_UNUSED)
{
	assert_null(bc_str_of(NULL).ptr);
	assert_int_equal(bc_str_of(NULL).len, 0);
	assert_non_null(bc_str_of("").ptr);
	assert_int_equal(bc_str_of("abc").len, 3);
}

static void equality_looks_at_length_and_bytes(void **state BC_UNUSED)
{
	assert_true(bc_str_eq(BC_STR("abc"), "abc"));
	assert_false(bc_str_eq(BC_STR("abc"), "abd"));
	assert_false(bc_str_eq(BC_STR("abc"), "ab"));
	assert_false(bc_str_eq(BC_STR("ab\0c"), "ab"));
	assert_false(bc_str_eq(BC_STR("ABC"), "abc"));
	assert_true(bc_str_eq(absent, ""));
	assert_false(bc_str_eq(absent, "a"));
}

static void case_is_folded_for_ascii_letters_only(void **state BC_UNUSED)
{
	assert_true(bc_str_ieq(BC_STR("Content-TYPE"), "content-type"));
	assert_false(bc_str_ieq(BC_STR("content-typ"), "content-type"));
	assert_false(bc_str_ieq(BC_STR("[\\]"), "{|}"));
	assert_false(bc_str_ieq(BC_STR("@"), "`"));
	assert_false(bc_str_ieq(BC_STR("\xc3\x84"), "\xc3\xa4"));
	assert_true(bc_str_ieq(absent, ""));
}

static void a_prefix_is_found_at_the_start_only(void **state BC_UNUSED)
{
	assert_true(bc_str_starts(BC_STR("c.abc"), "c."));
	assert_true(bc_str_starts(BC_STR("c."), "c."));
	assert_false(bc_str_starts(BC_STR("c"), "c."));
	assert_false(bc_str_starts(BC_STR("xc."), "c."));
	assert_true(bc_str_starts(absent, ""));
	assert_false(bc_str_starts(absent, "c"));
}

static void trimming_takes_blanks_at_both_ends(void **state BC_UNUSED)
{
	assert_true(bc_str_eq(bc_str_trim(BC_STR(" \t a b\t ")), "a b"));
	assert_true(bc_str_eq(bc_str_trim(BC_STR("a\n")), "a\n"));
	assert_int_equal(bc_str_trim(BC_STR(" \t ")).len, 0);
	assert_non_null(bc_str_trim(BC_STR("  ")).ptr);
	assert_null(bc_str_trim(absent).ptr);
}

static void a_needle_is_found_anywhere_in_any_case(void **state BC_UNUSED)
{
	struct bc_str body = BC_STR("{\"message\":\"Token NOT found.\"}");

	assert_true(bc_str_icontains(body, "token not found."));
	assert_true(bc_str_icontains(body, "}"));
	assert_true(bc_str_icontains(body, "{"));
	assert_true(bc_str_icontains(body, ""));
	assert_true(bc_str_icontains(absent, ""));
	assert_false(bc_str_icontains(body, "tokens"));
	assert_false(bc_str_icontains(BC_STR("ab"), "abc"));
	assert_false(bc_str_icontains(absent, "a"));
	assert_true(bc_str_icontains(BC_STR("a\0b"), "B"));
}

static void a_copy_fits_or_is_refused(void **state BC_UNUSED)
{
	char dst[4] = "zzz";

	assert_int_equal(bc_str_copy(dst, sizeof(dst), BC_STR("abc")), 0);
	assert_string_equal(dst, "abc");
	assert_int_equal(bc_str_copy(dst, sizeof(dst), BC_STR("abcd")), BC_ETOOBIG);
	assert_string_equal(dst, "");
	assert_int_equal(bc_str_copy(dst, 1, BC_STR("")), 0);
	assert_int_equal(bc_str_copy(dst, sizeof(dst), absent), 0);
	assert_string_equal(dst, "");
}

static void splitting_walks_over_every_part(void **state BC_UNUSED)
{
	static const char *const expected[] = { "a", "", "bc", "" };
	struct bc_str rest = BC_STR("a,,bc,");
	size_t parts = 0;

	while (rest.ptr) {
		struct bc_str part = bc_str_split(&rest, ',');

		assert_true(parts < BC_COUNT(expected));
		assert_non_null(part.ptr);
		assert_true(bc_str_eq(part, expected[parts++]));
	}
	assert_int_equal(parts, BC_COUNT(expected));
	assert_null(bc_str_split(&rest, ',').ptr);
}

static void an_empty_text_splits_into_one_empty_part(void **state BC_UNUSED)
{
	struct bc_str rest = BC_STR("");
	struct bc_str part = bc_str_split(&rest, ',');

	assert_non_null(part.ptr);
	assert_int_equal(part.len, 0);
	assert_null(rest.ptr);
}

static bool duplicate(void *ctx BC_UNUSED)
{
	bc_autofree char *copy = bc_str_dup(BC_STR("a\0b"));
	bc_autofree char *empty = bc_str_dup(absent);

	if (copy)
		assert_memory_equal(copy, "a\0b", 4);
	if (empty)
		assert_string_equal(empty, "");
	return copy && empty;
}

static void a_heap_copy_is_whole_or_null(void **state BC_UNUSED)
{
	each_allocation_failing(duplicate, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_of_no_string_is_absent),
		cmocka_unit_test(equality_looks_at_length_and_bytes),
		cmocka_unit_test(case_is_folded_for_ascii_letters_only),
		cmocka_unit_test(a_prefix_is_found_at_the_start_only),
		cmocka_unit_test(trimming_takes_blanks_at_both_ends),
		cmocka_unit_test(a_needle_is_found_anywhere_in_any_case),
		cmocka_unit_test(a_copy_fits_or_is_refused),
		cmocka_unit_test(splitting_walks_over_every_part),
		cmocka_unit_test(an_empty_text_splits_into_one_empty_part),
		cmocka_unit_test(a_heap_copy_is_whole_or_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
