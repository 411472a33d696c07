/* SPDX-License-Identifier: MIT */
/*
 * The tally by itself: what a transaction keeps, gives back and drops, what is written and when,
 * and that running out of memory changes nothing. What it counts is tested with the engines
 * (tests/store/test_tally.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <backchannel/error.h>

#include "failing_malloc.h"
#include "store/tally.h"

#define STEP ((uint64_t)BC_TALLY_STEP_MS)

static void count(struct bc_tally *t, uint64_t at_ms, uint32_t n)
{
	struct bc_tally_bucket *bucket = bc_tally_bucket(t, at_ms);
	assert_non_null(bucket);
	bc_tally_count(t, bucket, BC_TALLY_ORDERS, n);
}

struct written {
	uint32_t buckets, empty, orders;
	int fail_at; /* the so-manieth fails; 0: none */
};

static int write_down(void *ctx, const struct bc_tally_bucket *bucket)
{
	struct written *w = ctx;
	w->buckets++;
	w->empty += bc_tally_is_empty(bucket);
	w->orders += bucket->now[BC_TALLY_ORDERS];
	return (int)w->buckets == w->fail_at ? BC_ESTORE : 0;
}

static struct written write_all(struct bc_tally *t)
{
	struct written w = { 0 };
	assert_int_equal(bc_tally_write(t, write_down, &w), 0);
	return w;
}

static void what_is_settled_unwritten_is_written_by_a_later_transaction(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	for (unsigned i = 0; i < 40; i++) {
		count(&t, i * STEP, 1);
		bc_tally_settle(&t);
	}
	assert_int_equal(write_all(&t).buckets, 40);
	bc_tally_settle(&t);
	assert_int_equal(write_all(&t).buckets, 0);
	bc_tally_settle(&t);
	count(&t, 7 * STEP, 2);
	bc_tally_settle(&t);
	const struct written w = write_all(&t);
	assert_int_equal(w.buckets, 1);
	assert_int_equal(w.orders, 3);
	bc_tally_finish(&t);
}

static void what_was_written_by_a_transaction_that_fails_is_written_again(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	count(&t, 3 * STEP, 1);
	bc_tally_settle(&t);
	count(&t, 5 * STEP, 1);
	assert_int_equal(write_all(&t).buckets, 2);
	bc_tally_restore(&t);
	assert_int_equal(t.count, 1);
	assert_int_equal(write_all(&t).buckets, 1);
	bc_tally_settle(&t);
	assert_int_equal(write_all(&t).buckets, 0);
	bc_tally_finish(&t);
}

static void a_write_that_breaks_off_counts_as_none(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	struct written w = { .fail_at = 2 };
	for (unsigned i = 0; i < 3; i++)
		count(&t, i * STEP, 1);
	bc_tally_settle(&t);
	assert_int_equal(bc_tally_write(&t, write_down, &w), BC_ESTORE);
	bc_tally_restore(&t);
	assert_int_equal(write_all(&t).buckets, 3);
	bc_tally_finish(&t);
}

static void what_is_dropped_is_written_as_empty_once_and_gone(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	for (unsigned i = 0; i < 6; i++)
		count(&t, i * STEP, 1);
	(void)write_all(&t);
	bc_tally_settle(&t);
	assert_int_equal(bc_tally_expire(&t, 10000 * STEP, 4), 4);
	bc_tally_restore(&t);
	assert_int_equal(t.count, 6);
	assert_int_equal(t.buckets[0].now[BC_TALLY_ORDERS], 1);
	assert_int_equal(bc_tally_expire(&t, 10000 * STEP, 4), 4);
	count(&t, 5 * STEP, 1);
	const struct written w = write_all(&t);
	assert_int_equal(w.empty, 4);
	assert_int_equal(w.orders, 2); /* of the one that stays as it was: nothing */
	bc_tally_settle(&t);
	assert_int_equal(t.count, 2);
	assert_int_equal(write_all(&t).buckets, 0);
	bc_tally_finish(&t);
}

static void a_bucket_that_nothing_was_counted_in_leaves_with_the_transaction(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	count(&t, 9 * STEP, 1);
	bc_tally_settle(&t);
	assert_non_null(bc_tally_bucket(&t, 2 * STEP));
	assert_non_null(bc_tally_bucket(&t, 12 * STEP));
	assert_int_equal(t.count, 3);
	bc_tally_settle(&t);
	assert_int_equal(t.count, 1);
	/* those behind it have moved, and are found to be written all the same */
	assert_int_equal(write_all(&t).orders, 1);
	bc_tally_finish(&t);
}

static void buckets_keep_their_order_whatever_order_they_come_in(void **state BC_UNUSED)
{
	struct bc_tally t = { 0 };
	for (unsigned i = 0; i < 100; i++)
		count(&t, i * 37 % 100 * STEP, 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(t.buckets[i].number, i);
		assert_int_equal(t.buckets[i].now[BC_TALLY_ORDERS], 1);
	}
	bc_tally_finish(&t);
}

static void what_was_loaded_is_not_written(void **state BC_UNUSED)
{
	static const uint32_t counts[BC_TALLIES] = { 1, 2, 3 };
	struct bc_tally t = { 0 };
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(bc_tally_load(&t, i, counts), 0);
	count(&t, 4 * STEP, 1);
	bc_tally_settle(&t);
	assert_int_equal(write_all(&t).buckets, 1);
	bc_tally_finish(&t);
}

static bool count_many(void *ctx)
{
	static const uint32_t counts[BC_TALLIES] = { 1, 0, 0 };
	struct bc_tally t = { 0 };
	uint32_t counted = 0, sum = 0, loaded = 0;
	(void)ctx;
	for (unsigned i = 0; i < 40; i++) {
		struct bc_tally_bucket *bucket = bc_tally_bucket(&t, i * STEP);
		if (bucket)
			bc_tally_count(&t, bucket, BC_TALLY_TEST, 1);
		counted += bucket != NULL;
		loaded += bc_tally_load(&t, 1000 + i, counts) == 0;
	}
	for (uint32_t k = 0; k < t.count; k++)
		sum += t.buckets[k].now[BC_TALLY_TEST] + t.buckets[k].now[BC_TALLY_PRODUCTION];
	assert_int_equal(sum, counted + loaded);
	bc_tally_finish(&t);
	return counted == 40 && loaded == 40;
}

static void without_memory_nothing_is_counted_and_nothing_lost(void **state BC_UNUSED)
{
	each_allocation_failing(count_many, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_settled_unwritten_is_written_by_a_later_transaction),
		cmocka_unit_test(what_was_written_by_a_transaction_that_fails_is_written_again),
		cmocka_unit_test(a_write_that_breaks_off_counts_as_none),
		cmocka_unit_test(what_is_dropped_is_written_as_empty_once_and_gone),
		cmocka_unit_test(a_bucket_that_nothing_was_counted_in_leaves_with_the_transaction),
		cmocka_unit_test(buckets_keep_their_order_whatever_order_they_come_in),
		cmocka_unit_test(what_was_loaded_is_not_written),
		cmocka_unit_test(without_memory_nothing_is_counted_and_nothing_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
