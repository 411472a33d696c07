/* SPDX-License-Identifier: MIT */
/* The growing buffer: its ceiling, its NUL, and that a failure changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "failing_malloc.h"

static void bytes_are_kept_in_order_with_a_nul_behind(void **state BC_UNUSED)
{
	struct bc_buf b;

	bc_buf_init(&b, 100);
	assert_null(b.data);
	assert_int_equal(bc_buf_adds(&b, "one "), 0);
	assert_int_equal(bc_buf_add(&b, "t\0o", 3), 0);
	assert_int_equal(bc_buf_addf(&b, " %s=%d", "n", 5), 0);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "one t\0o n=5", 12);
	bc_buf_finish(&b);
	assert_null(b.data);
}

static void adding_nothing_needs_no_memory(void **state BC_UNUSED)
{
	struct bc_buf b;

	bc_buf_init(&b, 0);
	assert_int_equal(bc_buf_add(&b, NULL, 0), 0);
	assert_int_equal(bc_buf_adds(&b, ""), 0);
	assert_int_equal(bc_buf_addf(&b, "%s", ""), 0);
	assert_null(b.data);
	bc_buf_finish(&b);
}

static void it_grows_to_its_ceiling_and_not_beyond(void **state BC_UNUSED)
{
	enum { MAX = 1000 };
	struct bc_buf b;

	bc_buf_init(&b, MAX);
	for (size_t i = 0; i < MAX; i++) {
		assert_int_equal(bc_buf_add(&b, &(char){ (char)('a' + i % 26) }, 1), 0);
		assert_true(b.cap <= MAX + 1);
	}
	assert_int_equal(b.len, MAX);
	assert_int_equal(bc_buf_adds(&b, "x"), BC_ETOOBIG);
	assert_int_equal(bc_buf_addf(&b, "%d", 1), BC_ETOOBIG);
	assert_null(bc_buf_room(&b, 1));
	assert_int_equal(b.len, MAX);
	for (size_t i = 0; i < MAX; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.data[MAX], '\0');
	bc_buf_finish(&b);
}

static void absurd_lengths_are_refused_without_overflow(void **state BC_UNUSED)
{
	struct bc_buf b;

	bc_buf_init(&b, SIZE_MAX);
	assert_int_equal(bc_buf_adds(&b, "x"), 0);
	assert_null(bc_buf_room(&b, SIZE_MAX));
	assert_null(bc_buf_room(&b, SIZE_MAX - 1));
	assert_int_equal(bc_buf_add(&b, "", SIZE_MAX - 1), BC_ETOOBIG);
	assert_string_equal(b.data, "x");
	bc_buf_finish(&b);
}

static void room_is_written_by_the_caller(void **state BC_UNUSED)
{
	struct bc_buf b;
	char *to;

	bc_buf_init(&b, 64);
	assert_int_equal(bc_buf_adds(&b, "ab"), 0);
	to = bc_buf_room(&b, 10);
	assert_ptr_equal(to, b.data + 2);
	memcpy(to, "cde", 3);
	b.len += 3;
	assert_string_equal(b.data, "abcde");
	bc_buf_finish(&b);
}

static void dropping_moves_the_rest_forward(void **state BC_UNUSED)
{
	struct bc_buf b;

	bc_buf_init(&b, 64);
	bc_buf_drop(&b, 0);
	assert_int_equal(bc_buf_adds(&b, "head body"), 0);
	bc_buf_drop(&b, 5);
	assert_string_equal(b.data, "body");
	bc_buf_drop(&b, 4);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	bc_buf_finish(&b);
}

static void reset_keeps_the_memory(void **state BC_UNUSED)
{
	struct bc_buf b;
	const char *data;

	bc_buf_init(&b, 64);
	bc_buf_reset(&b);
	assert_int_equal(bc_buf_adds(&b, "first"), 0);
	data = b.data;
	bc_buf_reset(&b);
	assert_string_equal(b.data, "");
	assert_int_equal(bc_buf_adds(&b, "2nd"), 0);
	assert_ptr_equal(b.data, data);
	assert_string_equal(b.data, "2nd");
	bc_buf_finish(&b);
}

static void taking_hands_the_bytes_over_and_leaves_an_empty_buffer(void **state BC_UNUSED)
{
	struct bc_buf b;
	char *bytes;

	bc_buf_init(&b, 64);
	bytes = bc_buf_take(&b);
	assert_string_equal(bytes, "");
	free(bytes);
	assert_int_equal(bc_buf_adds(&b, "mine"), 0);
	bytes = bc_buf_take(&b);
	assert_string_equal(bytes, "mine");
	free(bytes);
	assert_null(b.data);
	assert_int_equal(b.max, 64);
	assert_int_equal(bc_buf_adds(&b, "again"), 0);
	assert_string_equal(b.data, "again");
	bc_buf_finish(&b);
}

/* Adds in every way; a refused step must leave what was there before. */
static bool fill_and_take(void *ctx BC_UNUSED)
{
	const char *const expected = "0123456789 number 42";
	char big[300];
	struct bc_buf b;
	bool ok;

	memset(big, 'b', sizeof(big));
	bc_buf_init(&b, 1000);
	ok = bc_buf_adds(&b, "0123456789") == 0;
	assert_string_equal(ok ? b.data : "0123456789", "0123456789");
	ok = ok && bc_buf_addf(&b, " number %d", 42) == 0;
	if (ok && bc_buf_add(&b, big, sizeof(big))) {
		assert_string_equal(b.data, expected);
		ok = false;
	}
	if (ok && !bc_buf_room(&b, 500)) {
		assert_int_equal(b.len, strlen(expected) + sizeof(big));
		ok = false;
	}
	if (ok) {
		bc_autofree char *bytes = bc_buf_take(&b);

		assert_memory_equal(bytes, expected, strlen(expected));
	} else {
		bc_autofree char *empty = NULL;

		bc_buf_finish(&b);
		bc_buf_init(&b, 10);
		empty = bc_buf_take(&b);
	}
	bc_buf_finish(&b);
	return ok;
}

static bool take_empty(void *ctx BC_UNUSED)
{
	bc_autofree char *bytes = NULL;
	struct bc_buf b;

	bc_buf_init(&b, 10);
	bytes = bc_buf_take(&b);
	bc_buf_finish(&b);
	return bytes && bytes[0] == '\0';
}

static void a_refused_allocation_leaves_the_buffer_as_it_was(void **state BC_UNUSED)
{
	each_allocation_failing(fill_and_take, NULL);
	each_allocation_failing(take_empty, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_kept_in_order_with_a_nul_behind),
		cmocka_unit_test(adding_nothing_needs_no_memory),
		cmocka_unit_test(it_grows_to_its_ceiling_and_not_beyond),
		cmocka_unit_test(absurd_lengths_are_refused_without_overflow),
		cmocka_unit_test(room_is_written_by_the_caller),
		cmocka_unit_test(dropping_moves_the_rest_forward),
		cmocka_unit_test(reset_keeps_the_memory),
		cmocka_unit_test(taking_hands_the_bytes_over_and_leaves_an_empty_buffer),
		cmocka_unit_test(a_refused_allocation_leaves_the_buffer_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
