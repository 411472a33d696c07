/* SPDX-License-Identifier: MIT */
/* Lists, lanes, counts, meta. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

static void make_orders(struct rig *r, unsigned n)
{
	char name[16];
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%u", 1000 + i);
		convert(r, name, 10 + i);
	}
}

/* --- lists --------------------------------------------------------------------------------- */

static void a_list_is_newest_first(void **state)
{
	struct rig *r = *state;
	make_orders(r, 3);
	struct bc_store_op *op =
		list(r, (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY, .limit = 10 });
	assert_int_equal(op->out.list.count, 3);
	assert_text(op->out.list.orders[0].order, "1002");
	assert_text(op->out.list.orders[2].order, "1000");
	assert_int_equal(op->out.list.next_before_row, 0);
}

static void pages_follow_one_another_without_gap_or_repeat(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .limit = 7 };
	char expected[16];
	int seen = 0;
	make_orders(r, 28);
	do {
		struct bc_store_op *op = list(r, select);
		for (uint32_t i = 0; i < op->out.list.count; i++) {
			snprintf(expected, sizeof(expected), "%d", 1027 - seen++);
			assert_text(op->out.list.orders[i].order, expected);
		}
		select.before_row = op->out.list.next_before_row;
		/* what comes in meanwhile does not shift the pages */
		snprintf(expected, sizeof(expected), "n%d", seen);
		convert(r, expected, 500);
	} while (select.before_row);
	assert_int_equal(seen, 28);
}

static void a_list_keeps_to_its_state_and_time(void **state)
{
	struct rig *r = *state;
	make_orders(r, 10);
	bring_to(r, "1003", BC_ORDER_REJECTED, 50);
	bring_to(r, "1007", BC_ORDER_REJECTED, 50);
	struct bc_order_selector select = { .state = BC_ORDER_REJECTED, .limit = 10 };
	struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, 2);
	assert_text(op->out.list.orders[0].order, "1007");
	assert_text(op->out.list.orders[1].order, "1003");
	select.since_ms = 14;
	assert_int_equal(list(r, select)->out.list.count, 1);
	select.state = BC_ORDER_STATE_ANY;
	assert_int_equal(list(r, select)->out.list.count, 6);
	select.since_ms = 20;
	assert_int_equal(list(r, select)->out.list.count, 0);
	select.state = BC_ORDER_DELIVERED;
	select.since_ms = 0;
	assert_int_equal(list(r, select)->out.list.count, 0);
}

static void a_list_since_survives_a_clock_that_jumped_back(void **state)
{
	struct rig *r = *state;
	convert(r, "a", 100);
	convert(r, "b", 900);
	convert(r, "c", 200);
	convert(r, "d", 300);
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .since_ms = 250 };
	struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, 2);
	assert_text(op->out.list.orders[0].order, "d");
	assert_text(op->out.list.orders[1].order, "b");
	select.since_ms = 150;
	assert_int_equal(list(r, select)->out.list.count, 3);
	if (rig_reopen(r)) {
		convert(r, "e", 260);
		select.since_ms = 250;
		assert_int_equal(list(r, select)->out.list.count, 3);
	}
}

static void a_list_without_a_sane_limit_gets_the_largest(void **state)
{
	struct rig *r = *state;
	make_orders(r, 1001);
	struct bc_order_selector select = { .state = BC_ORDER_PENDING };
	struct bc_store_op *op = list(r, select);
	assert_int_equal(op->out.list.count, 1000);
	select.before_row = op->out.list.next_before_row;
	assert_int_equal(list(r, select)->out.list.count, 1);
	select.before_row = 0;
	select.limit = 5000;
	assert_int_equal(list(r, select)->out.list.count, 1000);
}

static void an_unknown_order_is_absent(void **state)
{
	struct rig *r = *state;
	assert_null(get(r, "none"));
	assert_string_equal(story(r, "none")->err.text, "there is no order \"none\"");
}

/* --- lanes and counts ---------------------------------------------------------------------- */

static const struct bc_lane_count *find_lane(const struct bc_store_op *op, const char *product)
{
	for (uint32_t i = 0; i < op->out.lanes.count; i++) {
		if (bc_str_eq(op->out.lanes.lanes[i].product, product))
			return &op->out.lanes.lanes[i];
	}
	return NULL;
}

static struct bc_store_op *lanes(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LANES);
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static void lanes_say_what_waits_and_since_when(void **state)
{
	struct rig *r = *state;
	assert_int_equal(lanes(r)->out.lanes.count, 0);
	convert(r, "1001", 10);
	convert(r, "1002", 20);
	convert(r, "1003", 30);
	report(r, (struct report){ "1004", "tok-4", .product = "shoes", .at = 40 });
	report(r, (struct report){ "1005", .at = 5 });
	lease_only(r, "1001", 50);
	finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, 51, 25 });
	lease_only(r, "1003", 50);
	struct bc_store_op *op = lanes(r);
	assert_int_equal(op->out.lanes.count, 2);
	const struct bc_lane_count *lane = find_lane(op, "default");
	assert_text(lane->partner, "partner");
	assert_int_equal(lane->pending, 2);
	assert_int_equal(lane->sending, 1);
	assert_int_equal(lane->oldest_ms, 10);
	assert_int_equal(lane->next_due_ms, 20);
	lane = find_lane(op, "shoes");
	assert_int_equal(lane->pending, 1);
	assert_int_equal(lane->next_due_ms, 40);
}

static void a_lane_with_nothing_left_is_gone(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 20, 1);
	struct bc_store_op *op = lanes(r);
	assert_int_equal(op->out.lanes.count, 1);
	assert_int_equal(op->out.lanes.lanes[0].pending, 0);
	assert_int_equal(op->out.lanes.lanes[0].sending, 1);
	assert_int_equal(op->out.lanes.lanes[0].oldest_ms, 0);
	assert_int_equal(op->out.lanes.lanes[0].next_due_ms, 0);
	finish(r, (struct end){ "1001", 1, BC_ORDER_DELIVERED, 21 });
	assert_int_equal(lanes(r)->out.lanes.count, 0);
}

static void counts_and_lanes_are_the_same_after_a_restart(void **state)
{
	struct rig *r = *state;
	make_orders(r, 20);
	report(r, (struct report){ "u", .at = 5 });
	put_click(r, (struct click){ "c1", "tok-1", .at = 10 });
	lease(r, 100, 7);
	bring_to(r, "1010", BC_ORDER_DELIVERED, 100);
	bring_to(r, "1011", BC_ORDER_CANCELLED, 100);
	static const char expected[] =
		"unattributed=1 pending=11 sending=7 delivered=1 cancelled=1 clicks=1";
	assert_counts(r, expected);
	if (!rig_reopen(r))
		return;
	assert_counts(r, expected);
	struct bc_store_op *op = lanes(r);
	assert_int_equal(op->out.lanes.lanes[0].pending, 11);
	assert_int_equal(op->out.lanes.lanes[0].sending, 7);
	assert_int_equal(op->out.lanes.lanes[0].oldest_ms, 17);
}

static void meta_values_are_kept_by_key(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *get_op = rig_op(r, BC_STORE_GET_META);
	struct bc_store_op *put_op = rig_op(r, BC_STORE_PUT_META);
	get_op->in.meta.key = put_op->in.meta.key = BC_STR("journal");
	assert_int_equal(rig_run(r, get_op), BC_ENOENT);
	put_op->in.meta.value = BC_STR("first");
	assert_int_equal(rig_run(r, put_op), 0);
	put_op->in.meta.value = BC_STR("second");
	assert_int_equal(rig_run(r, put_op), 0);
	assert_int_equal(rig_run(r, get_op), 0);
	assert_text(get_op->out.meta, "second");
	if (rig_reopen(r)) {
		assert_int_equal(rig_run(r, get_op), 0);
		assert_text(get_op->out.meta, "second");
	}
}

static void a_probe_writes(void **state)
{
	struct rig *r = *state;
	struct bc_store_stats before, after;
	bc_store_stats(r->store, &before);
	assert_int_equal(rig_run(r, rig_op(r, BC_STORE_PROBE)), 0);
	bc_store_stats(r->store, &after);
	assert_int_equal(after.commits, before.commits + 1);
	assert_true(after.writable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_list_is_newest_first),
		STORE_TEST(pages_follow_one_another_without_gap_or_repeat),
		STORE_TEST(a_list_keeps_to_its_state_and_time),
		STORE_TEST(a_list_since_survives_a_clock_that_jumped_back),
		STORE_TEST(a_list_without_a_sane_limit_gets_the_largest),
		STORE_TEST(an_unknown_order_is_absent),
		STORE_TEST(lanes_say_what_waits_and_since_when),
		STORE_TEST(a_lane_with_nothing_left_is_gone),
		STORE_TEST(counts_and_lanes_are_the_same_after_a_restart),
		STORE_TEST(meta_values_are_kept_by_key),
		STORE_TEST(a_probe_writes),
	};
	return RUN_EACH_ENGINE(tests);
}
