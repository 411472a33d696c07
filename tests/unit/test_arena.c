/* SPDX-License-Identifier: MIT */
/* The arena: alignment, zeroed memory, its ceiling, and what a reset keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "failing_malloc.h"

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static void memory_is_aligned_zeroed_and_apart(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(128, 4096);
	unsigned char *objects[40];

	assert_non_null(a);
	for (size_t i = 0; i < BC_COUNT(objects); i++) {
		objects[i] = bc_arena_alloc(a, i);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
		assert_true(is_zero(objects[i], i));
		memset(objects[i], (int)i + 1, i);
	}
	for (size_t i = 0; i < BC_COUNT(objects); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(objects[i][k], i + 1);
	bc_arena_destroy(a);
}

static void empty_objects_have_addresses_of_their_own(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(128, 128);
	void *first = bc_arena_alloc(a, 0);
	void *second = bc_arena_alloc(a, 0);

	assert_non_null(first);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	bc_arena_destroy(a);
}

static void an_object_larger_than_a_block_gets_its_own(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(64, 4096);
	unsigned char *big = bc_arena_alloc(a, 3000);
	unsigned char *small = bc_arena_alloc(a, 10);

	assert_non_null(big);
	assert_non_null(small);
	assert_true(is_zero(big, 3000));
	memset(big, 1, 3000);
	assert_true(is_zero(small, 10));
	bc_arena_destroy(a);
}

static void the_ceiling_holds_for_all_blocks_together(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(256, 1024);
	size_t got = 0;

	while (bc_arena_alloc(a, 64))
		got += 64;
	assert_int_equal(got, 1024);
	assert_null(bc_arena_alloc(a, 1));
	bc_arena_reset(a);
	assert_null(bc_arena_alloc(a, 1025));
	assert_null(bc_arena_alloc(a, SIZE_MAX));
	assert_null(bc_arena_alloc(a, SIZE_MAX - 15));
	assert_null(bc_arena_dup(a, "", SIZE_MAX));
	assert_non_null(bc_arena_alloc(a, 700));
	bc_arena_destroy(a);
}

static void the_last_block_is_trimmed_to_the_ceiling(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(256, 992);
	size_t got = 0;

	while (bc_arena_alloc(a, 8))
		got += 16; /* what alignment makes of 8 */
	assert_int_equal(got, 992);
	bc_arena_destroy(a);
}

static void a_first_block_above_the_ceiling_is_trimmed_to_it(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(4096, 100);

	assert_null(bc_arena_alloc(a, 101));
	assert_non_null(bc_arena_alloc(a, 100));
	assert_null(bc_arena_alloc(a, 1));
	bc_arena_destroy(a);
}

static void a_reset_zeroes_and_reuses_the_first_block(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(256, 4096);
	unsigned char *first = bc_arena_alloc(a, 200);
	void *later;

	memset(first, 0xee, 200);
	later = bc_arena_alloc(a, 2000);
	assert_non_null(later);
	bc_arena_reset(a);
	assert_true(is_zero(first, 200));
	fail_allocation(1);
	assert_ptr_equal(bc_arena_alloc(a, 256), first);
	assert_false(allocation_failed());
	fail_allocation(0);
	assert_true(is_zero(first, 256));
	bc_arena_destroy(a);
}

static void a_block_that_cannot_be_had_leaves_the_arena_usable(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(64, 4096);

	fail_allocation(1);
	assert_null(bc_arena_alloc(a, 65));
	fail_allocation(0);
	assert_non_null(bc_arena_alloc(a, 64));
	assert_non_null(bc_arena_alloc(a, 65));
	bc_arena_destroy(a);
}

static void destroying_nothing_is_fine(void **state BC_UNUSED)
{
	bc_arena_destroy(NULL);
	assert_null(bc_arena_create(SIZE_MAX, SIZE_MAX));
}

static bool build_texts(void *ctx BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(16, 4096);
	char *copy, *text, *empty;
	bool ok;

	if (!a)
		return false;
	copy = bc_arena_dup(a, "a\0b", 3);
	text = bc_arena_printf(a, "%s has %d parts", "a rather long subject", 12);
	empty = bc_arena_dup(a, NULL, 0);
	if (copy)
		assert_memory_equal(copy, "a\0b", 4);
	if (text)
		assert_string_equal(text, "a rather long subject has 12 parts");
	if (empty)
		assert_string_equal(empty, "");
	ok = copy && text && empty;
	bc_arena_destroy(a);
	return ok;
}

static void texts_are_whole_or_null(void **state BC_UNUSED)
{
	struct bc_arena *a = bc_arena_create(16, 16);

	assert_null(bc_arena_printf(a, "%20s", "x"));
	assert_string_equal(bc_arena_printf(a, "%s", "x"), "x");
	bc_arena_destroy(a);
	each_allocation_failing(build_texts, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_zeroed_and_apart),
		cmocka_unit_test(empty_objects_have_addresses_of_their_own),
		cmocka_unit_test(an_object_larger_than_a_block_gets_its_own),
		cmocka_unit_test(the_ceiling_holds_for_all_blocks_together),
		cmocka_unit_test(the_last_block_is_trimmed_to_the_ceiling),
		cmocka_unit_test(a_first_block_above_the_ceiling_is_trimmed_to_it),
		cmocka_unit_test(a_reset_zeroes_and_reuses_the_first_block),
		cmocka_unit_test(a_block_that_cannot_be_had_leaves_the_arena_usable),
		cmocka_unit_test(destroying_nothing_is_fine),
		cmocka_unit_test(texts_are_whole_or_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
