/* SPDX-License-Identifier: MIT */
/* The failing allocator itself: the tests of everything else rest on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "failing_malloc.h"

/* A compiler may leave out allocations that nobody looks at; these are looked at. */
static void *volatile sink;

static void *kept(void *block)
{
	sink = block;
	return block;
}

static bool allocate_in_every_way(void *ctx)
{
	int *runs = ctx;
	bc_autofree char *a = kept(malloc(1));
	bc_autofree char *b = kept(calloc(1, 1));
	bc_autofree char *c = kept(realloc(NULL, 1));
	bc_autofree char *d = kept(strdup("text"));
	bc_autofree char *e = kept(strndup("text", 2));
	const int got = (a != NULL) + (b != NULL) + (c != NULL) + (d != NULL) + (e != NULL);

	assert_int_equal(got, allocation_failed() ? 4 : 5);
	if (d)
		assert_string_equal(d, "text");
	if (e)
		assert_string_equal(e, "te");
	++*runs;
	return got == 5;
}

static void each_kind_of_allocation_is_failed_once(void **state BC_UNUSED)
{
	int runs = 0;

	each_allocation_failing(allocate_in_every_way, &runs);
	assert_int_equal(runs, 6);
}

static void only_the_named_allocation_fails(void **state BC_UNUSED)
{
	void *first, *third;

	fail_allocation(2);
	first = kept(malloc(1));
	assert_non_null(first);
	errno = 0;
	assert_null(kept(malloc(1)));
	assert_int_equal(errno, ENOMEM);
	assert_true(allocation_failed());
	third = kept(malloc(1));
	assert_non_null(third);
	free(first);
	free(third);
	fail_allocation(0);
	assert_false(allocation_failed());
}

static void a_refused_realloc_leaves_the_old_block(void **state BC_UNUSED)
{
	char *volatile text = kept(strdup("kept")); /* or the compiler sees a use after realloc */

	assert_non_null(text);
	fail_allocation(1);
	assert_null(kept(realloc(text, 1000)));
	fail_allocation(0);
	assert_string_equal(text, "kept");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_allocation_is_failed_once),
		cmocka_unit_test(only_the_named_allocation_fails),
		cmocka_unit_test(a_refused_realloc_leaves_the_old_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
