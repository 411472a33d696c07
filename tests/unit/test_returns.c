/* SPDX-License-Identifier: MIT */
/*
 * Returns by themselves: what a transaction keeps, gives back and drops, and that running out of
 * memory changes nothing. What they count is tested with the engines (tests/store/test_returns.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "failing_malloc.h"
#include "store/returns.h"

#define STEP ((uint64_t)BC_RETURNS_STEP_MS)

static struct bc_order order_at(uint64_t created_ms)
{
	return (struct bc_order){ .partner = BC_STR("partner"),
				  .product = BC_STR("default"),
				  .has_token_hash = true,
				  .created_ms = created_ms };
}

static void move(struct bc_returns *r, int from, int to, uint64_t created_ms)
{
	struct bc_order order = order_at(created_ms);
	assert_int_equal(bc_returns_move(r, from, to, &order), 0);
}

struct written {
	uint32_t buckets, empty;
	uint64_t last;
};

static int write_down(void *ctx, const struct bc_returns_product *of,
		      const struct bc_returns_bucket *bucket)
{
	static const uint32_t nothing[BC_RETURNS_STATES];
	struct written *written = ctx;
	assert_string_equal(of->partner, "partner");
	written->buckets++;
	written->empty += memcmp(bucket->now, nothing, sizeof(nothing)) == 0;
	written->last = bucket->number;
	return 0;
}

static struct written changes(const struct bc_returns *r)
{
	struct written written = { 0 };
	assert_int_equal(bc_returns_changes(r, write_down, &written), 0);
	return written;
}

static void only_what_changed_since_the_last_settle_is_written(void **state BC_UNUSED)
{
	struct bc_returns r = { 0 };
	for (unsigned i = 0; i < 40; i++)
		move(&r, -1, BC_ORDER_PENDING, i * STEP);
	assert_int_equal(changes(&r).buckets, 40);
	bc_returns_settle(&r);
	assert_int_equal(changes(&r).buckets, 0);
	move(&r, BC_ORDER_PENDING, BC_ORDER_SENDING, 7 * STEP);
	move(&r, BC_ORDER_PENDING, BC_ORDER_SENDING, 9 * STEP);
	move(&r, BC_ORDER_SENDING, BC_ORDER_PENDING, 9 * STEP);
	struct written written = changes(&r);
	assert_int_equal(written.buckets, 1);
	assert_int_equal(written.last, 7);
	bc_returns_finish(&r);
}

static void what_is_taken_back_leaves_no_bucket_behind(void **state BC_UNUSED)
{
	struct bc_returns r = { 0 };
	move(&r, -1, BC_ORDER_PENDING, 5 * STEP);
	bc_returns_settle(&r);
	move(&r, -1, BC_ORDER_PENDING, 3 * STEP);
	move(&r, -1, BC_ORDER_PENDING, 8 * STEP);
	move(&r, BC_ORDER_PENDING, BC_ORDER_DELIVERED, 5 * STEP);
	assert_int_equal(r.products[0].count, 3);
	bc_returns_restore(&r);
	assert_int_equal(r.products[0].count, 1);
	assert_int_equal(r.products[0].buckets[0].now[0], 1);
	assert_int_equal(changes(&r).buckets, 0);
	bc_returns_finish(&r);
}

static void what_is_dropped_is_written_as_empty_once_and_gone(void **state BC_UNUSED)
{
	struct bc_returns r = { 0 };
	for (unsigned i = 0; i < 3; i++)
		move(&r, -1, BC_ORDER_PENDING, i * STEP);
	bc_returns_settle(&r);
	assert_int_equal(bc_returns_expire(&r, 10000 * STEP, 100), 3);
	assert_int_equal(changes(&r).empty, 3);
	assert_int_equal(bc_returns_expire(&r, 10000 * STEP, 100), 0);
	bc_returns_settle(&r);
	assert_int_equal(r.products[0].count, 0);
	assert_int_equal(changes(&r).buckets, 0);
	bc_returns_finish(&r);
}

/* A bucket was dropped, and made again by an order that was adopted late: what moves in it now may
 * be of the old ones. Wrong by one is fine there, below nothing is not. */
static void no_count_falls_below_nothing(void **state BC_UNUSED)
{
	struct bc_returns r = { 0 };
	for (int i = 0; i < 3; i++)
		move(&r, BC_ORDER_PENDING, BC_ORDER_DELIVERED, 0);
	assert_int_equal(r.count, 0);
	move(&r, -1, BC_ORDER_PENDING, 0);
	for (int i = 0; i < 3; i++)
		move(&r, BC_ORDER_PENDING, BC_ORDER_DELIVERED, 0);
	assert_int_equal(r.products[0].buckets[0].now[0], 0);
	assert_int_equal(r.products[0].buckets[0].now[BC_ORDER_DELIVERED - BC_ORDER_PENDING], 1);
	bc_returns_finish(&r);
}

static void buckets_keep_their_order_whatever_order_they_come_in(void **state BC_UNUSED)
{
	struct bc_returns r = { 0 };
	for (unsigned i = 0; i < 100; i++)
		move(&r, -1, BC_ORDER_PENDING, i * 37 % 100 * STEP);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(r.products[0].buckets[i].number, i);
		assert_int_equal(r.products[0].buckets[i].now[0], 1);
	}
	bc_returns_finish(&r);
}

static uint64_t total(const struct bc_returns *r)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < r->count; i++) {
		for (uint32_t k = 0; k < r->products[i].count; k++)
			sum += r->products[i].buckets[k].now[0];
	}
	return sum;
}

static bool count_and_tell(void *ctx)
{
	struct bc_returns r = { 0 };
	struct bc_arena *arena = ctx;
	struct bc_return_count *products;
	uint32_t count, counted = 0;
	bool whole = true;
	bc_arena_reset(arena);
	for (unsigned i = 0; i < 40; i++) {
		struct bc_order order = order_at(i * STEP);
		order.product = i % 2 ? BC_STR("shoes") : BC_STR("default");
		int result = bc_returns_move(&r, -1, BC_ORDER_PENDING, &order);
		assert_true(result == 0 || result == BC_ENOMEM);
		counted += result == 0;
	}
	assert_int_equal(total(&r), counted);
	int result = bc_returns_tell(&r, 0, arena, &products, &count);
	assert_true(result == 0 || result == BC_ENOMEM);
	whole = result == 0 && counted == 40 && count == 2;
	bc_returns_finish(&r);
	return whole;
}

static void without_memory_nothing_is_counted_and_nothing_lost(void **state BC_UNUSED)
{
	struct bc_arena *arena = bc_arena_create(512, 65536);
	assert_non_null(arena);
	each_allocation_failing(count_and_tell, arena);
	bc_arena_destroy(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_changed_since_the_last_settle_is_written),
		cmocka_unit_test(what_is_taken_back_leaves_no_bucket_behind),
		cmocka_unit_test(what_is_dropped_is_written_as_empty_once_and_gone),
		cmocka_unit_test(no_count_falls_below_nothing),
		cmocka_unit_test(buckets_keep_their_order_whatever_order_they_come_in),
		cmocka_unit_test(without_memory_nothing_is_counted_and_nothing_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
