/* SPDX-License-Identifier: MIT */
/* How lanes stand, and that no conversion loses time to it. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define HOUR  UINT64_C(3600000)
#define FRI   (UINT64_C(1000000) * HOUR)
#define DAYS4 (96 * HOUR)

struct put {
	const char *state, *reason, *product; /* product NULL: default */
	bool stands;
	uint64_t at, until;
};

static int try_put(struct rig *r, struct put put)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_LANE);
	op->in.put_lane.partner = BC_STR("partner");
	op->in.put_lane.product = bc_str_of(put.product ? put.product : "default");
	op->in.put_lane.state = bc_str_of(put.state);
	op->in.put_lane.reason = bc_str_of(put.reason);
	op->in.put_lane.stands = put.stands;
	op->in.put_lane.now_ms = put.at;
	op->in.put_lane.until_ms = put.until;
	return rig_run(r, op);
}

static void park(struct rig *r, uint64_t at)
{
	assert_int_equal(
		try_put(r, (struct put){ "parked", "no answer", .stands = true, .at = at }), 0);
}

static void open_lane(struct rig *r, uint64_t at)
{
	assert_int_equal(try_put(r, (struct put){ "open", .at = at }), 0);
}

static struct bc_store_op *lanes(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_LANES);
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static const struct bc_lane_count *lane_of(struct rig *r, const char *product)
{
	const struct bc_store_op *op = lanes(r);
	for (uint32_t i = 0; i < op->out.lanes.count; i++) {
		if (bc_str_eq(op->out.lanes.lanes[i].product, product))
			return &op->out.lanes.lanes[i];
	}
	fail_msg("there is no lane \"%s\"", product);
	return NULL;
}

static struct bc_store_op *purge(struct rig *r, uint64_t at, uint32_t limit)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = at;
	op->in.purge.limit = limit;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

/* A conversion with 72 hours from at on. */
static void take(struct rig *r, const char *order, uint64_t at)
{
	const struct bc_order *o =
		&report(r, (struct report){ order, order, .at = at, .deadline = at + 72 * HOUR })
			 ->out.accept.order;
	assert_int_equal(o->state, BC_ORDER_PENDING);
}

/* --- records ------------------------------------------------------------------------------- */

static void a_lane_says_how_it_stands_also_without_orders(void **state)
{
	struct rig *r = *state;
	assert_int_equal(lanes(r)->out.lanes.count, 0);
	park(r, 20);
	convert(r, "1001", 30);
	report(r, (struct report){ "1002", "tok-2", .product = "shoes", .at = 30 });
	assert_int_equal(try_put(r, (struct put){ "paused", .product = "hats", .stands = true }),
			 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lanes(r)->out.lanes.count, 3);
		const struct bc_lane_count *lane = lane_of(r, "default");
		assert_text(lane->partner, "partner");
		assert_text(lane->state, "parked");
		assert_text(lane->reason, "no answer");
		assert_true(lane->stands);
		assert_int_equal(lane->since_ms, 20);
		assert_int_equal(lane->pending, 1);
		assert_int_equal(lane->oldest_ms, 30);
		assert_text(lane_of(r, "shoes")->state, NULL);
		assert_false(lane_of(r, "shoes")->stands);
		assert_int_equal(lane_of(r, "shoes")->pending, 1);
		assert_text(lane_of(r, "hats")->state, "paused");
		assert_text(lane_of(r, "hats")->reason, NULL);
		assert_int_equal(lane_of(r, "hats")->pending, 0);
		if (!rig_reopen(r))
			return;
	}
}

static void since_is_when_the_state_changed_not_when_it_was_put_again(void **state)
{
	struct rig *r = *state;
	park(r, 20);
	assert_int_equal(
		try_put(r, (struct put){ "parked", "another reason", .stands = true, .at = 30 }),
		0);
	assert_int_equal(lane_of(r, "default")->since_ms, 20);
	assert_text(lane_of(r, "default")->reason, "another reason");
	assert_int_equal(try_put(r, (struct put){ "paused", .stands = true, .at = 40 }), 0);
	assert_int_equal(lane_of(r, "default")->since_ms, 40);
	open_lane(r, 50);
	assert_int_equal(lane_of(r, "default")->since_ms, 50);
	assert_false(lane_of(r, "default")->stands);
	assert_int_equal(lanes(r)->out.lanes.count, 1);
}

static void a_lane_keeps_until_when_and_each_put_sets_it_anew(void **state)
{
	struct rig *r = *state;
	assert_int_equal(try_put(r, (struct put){ "throttled", "429", .at = 20, .until = 90 }), 0);
	assert_int_equal(lane_of(r, "default")->until_ms, 90);
	if (rig_reopen(r)) {
		assert_int_equal(lane_of(r, "default")->until_ms, 90);
		assert_text(lane_of(r, "default")->state, "throttled");
	}
	assert_int_equal(try_put(r, (struct put){ "throttled", "429", .at = 30, .until = 120 }), 0);
	assert_int_equal(lane_of(r, "default")->until_ms, 120);
	open_lane(r, 50);
	assert_int_equal(lane_of(r, "default")->until_ms, 0);
}

static void a_lane_without_a_state_or_with_a_huge_name_is_refused(void **state)
{
	char name[BC_LABEL_MAX + 2];
	struct rig *r = *state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(try_put(r, (struct put){ .at = 10 }), BC_EINVAL);
	assert_int_equal(try_put(r, (struct put){ "open", .product = name }), BC_ETOOBIG);
	assert_int_equal(try_put(r, (struct put){ name }), BC_ETOOBIG);
	assert_int_equal(lanes(r)->out.lanes.count, 0);
}

/* A transaction of the bare engine that is taken back. */
static void a_lane_stands_as_before_when_its_transaction_fails(void **state)
{
	struct rig *r = *state;
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_LANE);
	if (strcmp(rig_engine, "memory") == 0)
		return; /* it undoes nothing, and fails never */
	park(r, 20);
	op->in.put_lane.partner = BC_STR("partner");
	op->in.put_lane.product = BC_STR("default");
	op->in.put_lane.state = BC_STR("open");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
		assert_int_equal(bc_engine_sqlite.apply(r->bare, op, &fault), 0);
		assert_int_equal(bc_engine_sqlite.apply(r->bare, op, &fault), 0);
		bc_engine_sqlite.rollback(r->bare);
		assert_text(lane_of(r, "default")->state, "parked");
		assert_true(lane_of(r, "default")->stands);
	}
	op->in.put_lane.product = BC_STR("new");
	assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
	assert_int_equal(bc_engine_sqlite.apply(r->bare, op, &fault), 0);
	bc_engine_sqlite.rollback(r->bare);
	assert_int_equal(lanes(r)->out.lanes.count, 1);
}

/* --- lane time ----------------------------------------------------------------------------- */

/* Parked from Friday evening on, put right on Tuesday: nothing is lost, over restarts too. */
static void a_parked_weekend_costs_no_conversion(void **state)
{
	struct rig *r = *state;
	bool keeps = strcmp(rig_engine, "memory") != 0;
	take(r, "before", FRI);
	park(r, FRI + HOUR);
	take(r, "during", FRI + 2 * HOUR);
	if (keeps)
		rig_reopen(r);
	assert_int_equal(purge(r, FRI + DAYS4, 10)->out.purge.expired, 0);
	assert_int_equal(lease_only(r, "before", FRI + DAYS4)->out.lease.count, 1);
	assert_int_equal(
		finish(r, (struct end){ "before", 1, BC_ORDER_PENDING, FRI + DAYS4, FRI + DAYS4 }),
		0);
	if (keeps)
		rig_reopen(r);
	open_lane(r, FRI + HOUR + DAYS4);
	if (keeps)
		rig_reopen(r);
	assert_int_equal(purge(r, FRI + HOUR + DAYS4, 10)->out.purge.expired, 0);
	/* an hour before it, two during: the rest of 72 is left */
	assert_int_equal(get(r, "before")->deadline_ms, FRI + 72 * HOUR + DAYS4);
	assert_int_equal(get(r, "during")->deadline_ms, FRI + 73 * HOUR + DAYS4);
	assert_int_equal(purge(r, FRI + 72 * HOUR + DAYS4 - 1, 10)->out.purge.expired, 0);
	assert_int_equal(lease(r, FRI + 72 * HOUR + DAYS4 - 1, 10)->out.lease.count, 2);
}

static void after_a_stand_the_time_that_was_left_is_left(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI);
	take(r, "1002", FRI + 1);
	park(r, FRI + HOUR);
	open_lane(r, FRI + HOUR + DAYS4);
	uint64_t end = FRI + 72 * HOUR + DAYS4;
	assert_int_equal(lease_only(r, "1001", end)->out.lease.count, 0);
	struct bc_store_op *op = purge(r, end, 10);
	assert_int_equal(op->out.purge.expired, 1);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_EXPIRED);
	op = lease(r, end, 10);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1002");
	assert_int_equal(op->out.lease.orders[0].deadline_ms, end + 1);
}

static void stands_add_up(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI);
	for (uint64_t i = 0; i < 5; i++) {
		park(r, FRI + HOUR + i * 21 * HOUR);
		/* another word for it, still the same stand */
		assert_int_equal(try_put(r, (struct put){ "paused", .stands = true,
							  .at = FRI + (i * 21 + 3) * HOUR }),
				 0);
		open_lane(r, FRI + HOUR + (i * 21 + 20) * HOUR);
		open_lane(r, FRI + HOUR + (i * 21 + 20) * HOUR);
	}
	assert_int_equal(get(r, "1001")->deadline_ms, FRI + 172 * HOUR);
	assert_int_equal(purge(r, FRI + 172 * HOUR - 1, 10)->out.purge.expired, 0);
	assert_int_equal(purge(r, FRI + 172 * HOUR, 10)->out.purge.expired, 1);
}

static void a_lane_that_stands_stops_no_other(void **state)
{
	struct rig *r = *state;
	park(r, FRI);
	take(r, "1001", FRI);
	report(r, (struct report){ "1002", "tok-2", .product = "shoes", .at = FRI,
				   .deadline = FRI + HOUR });
	report(r, (struct report){ "1003", "tok-3", .product = "hats", .at = FRI,
				   .deadline = FRI + HOUR });
	struct bc_store_op *op = purge(r, FRI + DAYS4, 1);
	assert_int_equal(op->out.purge.expired, 1);
	assert_true(op->out.purge.more);
	op = purge(r, FRI + DAYS4, 2);
	assert_int_equal(op->out.purge.expired, 1);
	assert_false(op->out.purge.more);
	assert_counts(r, "pending=1 expired=2");
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
}

static void what_was_past_before_the_stand_stays_past(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI);
	park(r, FRI + 72 * HOUR);
	assert_int_equal(lease_only(r, "1001", FRI + DAYS4)->out.lease.count, 0);
	assert_int_equal(purge(r, FRI + DAYS4, 10)->out.purge.expired, 1);
	/* the end is told in wall time, and no later stand moves it */
	open_lane(r, FRI + 2 * DAYS4);
	assert_int_equal(get(r, "1001")->deadline_ms, FRI + DAYS4);
}

static void a_wall_clock_set_back_while_a_lane_stands_costs_nothing(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI);
	park(r, FRI + HOUR);
	assert_int_equal(purge(r, FRI - HOUR, 10)->out.purge.expired, 0);
	take(r, "1002", FRI - HOUR);
	assert_int_equal(get(r, "1002")->deadline_ms, FRI + 71 * HOUR);
	/* opened before it was parked: that stand is none */
	open_lane(r, FRI - HOUR);
	assert_int_equal(get(r, "1001")->deadline_ms, FRI + 72 * HOUR);
	assert_int_equal(lease(r, FRI + 71 * HOUR - 1, 10)->out.lease.count, 2);
	/* and the next one counts as ever */
	park(r, FRI + 71 * HOUR);
	open_lane(r, FRI + 72 * HOUR);
	assert_int_equal(get(r, "1001")->deadline_ms, FRI + 73 * HOUR);
}

/* --- every place that sets a deadline ------------------------------------------------------ */

/* The lane stood for DAYS4, and stands again since half an hour; an order gets 72 hours at FRI. */
static void stand_before_and_now(struct rig *r)
{
	park(r, FRI - 2 * DAYS4);
	open_lane(r, FRI - DAYS4);
	park(r, FRI - HOUR / 2);
}

/* The stand ends an hour later: order has 72 hours from then on. */
static void assert_whole_time_left(struct rig *r, const char *order)
{
	open_lane(r, FRI + HOUR);
	assert_int_equal(get(r, order)->deadline_ms, FRI + 73 * HOUR);
	assert_int_equal(purge(r, FRI + 73 * HOUR - 1, 10)->out.purge.expired, 0);
	assert_int_equal(purge(r, FRI + 73 * HOUR, 10)->out.purge.expired, 1);
	assert_int_equal(state_of(r, order), BC_ORDER_EXPIRED);
	assert_int_equal(get(r, order)->deadline_ms, FRI + 73 * HOUR);
}

static void an_accepted_order_has_its_whole_time(void **state)
{
	struct rig *r = *state;
	stand_before_and_now(r);
	take(r, "1001", FRI);
	assert_whole_time_left(r, "1001");
}

static void an_order_that_a_late_click_adopts_has_its_whole_time(void **state)
{
	struct rig *r = *state;
	uint8_t id[BC_CLICK_ID_BYTES];
	stand_before_and_now(r);
	report(r, (struct report){ "1001", .click = "c1", .at = FRI - 10 });
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	fill_hash(id, "c1");
	op->in.put_click.click = (struct bc_click){ .token = BC_STR("tok-1"),
						    .partner = BC_STR("partner"),
						    .captured_ms = FRI,
						    .expires_ms = FRI + HOUR };
	memcpy(op->in.put_click.click.id, id, sizeof(id));
	op->in.put_click.due_ms = FRI;
	op->in.put_click.deadline_ms = FRI + 72 * HOUR;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.put_click.adopted, 1);
	assert_whole_time_left(r, "1001");
}

static void a_finish_that_sets_a_deadline_gives_the_whole_time(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI - DAYS4 - HOUR);
	stand_before_and_now(r);
	lease_only(r, "1001", FRI - HOUR);
	struct bc_store_op *op = rig_op(r, BC_STORE_FINISH);
	op->in.finish.order = BC_STR("1001");
	op->in.finish.n = 1;
	op->in.finish.next = BC_ORDER_PENDING;
	op->in.finish.due_ms = op->in.finish.now_ms = FRI;
	op->in.finish.deadline_ms = FRI + 72 * HOUR;
	assert_int_equal(rig_run(r, op), 0);
	assert_whole_time_left(r, "1001");
}

static struct bc_store_op *requeue_until(struct rig *r, const char *order, uint64_t deadline_ms)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.order = bc_str_of(order);
	op->in.requeue.select.state = BC_ORDER_STATE_ANY;
	op->in.requeue.now_ms = FRI;
	op->in.requeue.deadline_ms = deadline_ms;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 1);
	return op;
}

static void a_requeued_order_has_its_whole_time(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI - 2 * DAYS4 - HOUR);
	bring_to(r, "1001", BC_ORDER_REJECTED, FRI - 2 * DAYS4 - HOUR);
	stand_before_and_now(r);
	requeue_until(r, "1001", FRI + 72 * HOUR);
	assert_whole_time_left(r, "1001");
}

static void an_order_that_a_selector_requeues_has_its_whole_time(void **state)
{
	struct rig *r = *state;
	take(r, "1001", FRI - 2 * DAYS4 - HOUR);
	bring_to(r, "1001", BC_ORDER_REJECTED, FRI - 2 * DAYS4 - HOUR);
	stand_before_and_now(r);
	requeue_until(r, NULL, FRI + 72 * HOUR);
	assert_whole_time_left(r, "1001");
}

/* Final or open before: an unchanged deadline is the same moment after. */
static void a_requeue_that_sets_no_deadline_keeps_the_one_there_is(void **state)
{
	struct rig *r = *state;
	stand_before_and_now(r);
	take(r, "1001", FRI);
	requeue_until(r, "1001", 0);
	bring_to(r, "1001", BC_ORDER_CANCELLED, FRI);
	assert_int_equal(get(r, "1001")->deadline_ms, FRI + 72 * HOUR);
	struct bc_store_op *op = requeue_until(r, "1001", 0);
	assert_int_equal(op->out.changed.order.state, BC_ORDER_PENDING);
	assert_whole_time_left(r, "1001");
}

static void no_later_stand_moves_the_deadline_of_what_is_over(void **state)
{
	static const enum bc_order_state ends[] = { BC_ORDER_DELIVERED, BC_ORDER_REJECTED,
						    BC_ORDER_EXPIRED, BC_ORDER_CANCELLED };
	struct rig *r = *state;
	for (size_t i = 0; i < BC_COUNT(ends); i++) {
		const char *name = bc_order_state_name(ends[i]);
		take(r, name, FRI);
		bring_to(r, name, ends[i], FRI + HOUR);
	}
	park(r, FRI + 2 * HOUR);
	open_lane(r, FRI + DAYS4);
	struct bc_store_op *op = list(r, (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY });
	assert_int_equal(op->out.list.count, BC_COUNT(ends));
	for (uint32_t i = 0; i < op->out.list.count; i++)
		assert_int_equal(op->out.list.orders[i].deadline_ms, FRI + 72 * HOUR);
}

static void every_answer_tells_the_same_deadline(void **state)
{
	struct rig *r = *state;
	park(r, FRI - DAYS4);
	open_lane(r, FRI);
	uint64_t end = FRI + 72 * HOUR;
	struct bc_store_op *op =
		report(r, (struct report){ "1001", "tok-1", .at = FRI, .deadline = end });
	assert_int_equal(op->out.accept.order.deadline_ms, end);
	op = report(r, (struct report){ "1001", "tok-1", .at = FRI });
	assert_int_equal(op->out.accept.how, BC_ACCEPT_REPEATED);
	assert_int_equal(op->out.accept.order.deadline_ms, end);
	assert_int_equal(requeue_until(r, "1001", 0)->out.changed.order.deadline_ms, end);
	op = list(r, (struct bc_order_selector){ .state = BC_ORDER_PENDING });
	assert_int_equal(op->out.list.orders[0].deadline_ms, end);
	assert_int_equal(lease(r, FRI, 1)->out.lease.orders[0].deadline_ms, end);
	assert_int_equal(get(r, "1001")->deadline_ms, end);
	finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, FRI, FRI });
	assert_int_equal(lease_only(r, "1001", FRI)->out.lease.orders[0].deadline_ms, end);
	op = rig_op(r, BC_STORE_RELEASE);
	op->in.release.now_ms = FRI;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(get(r, "1001")->deadline_ms, end);
	convert(r, "none", FRI);
	assert_int_equal(get(r, "none")->deadline_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_lane_says_how_it_stands_also_without_orders),
		STORE_TEST(since_is_when_the_state_changed_not_when_it_was_put_again),
		STORE_TEST(a_lane_keeps_until_when_and_each_put_sets_it_anew),
		STORE_TEST(a_lane_without_a_state_or_with_a_huge_name_is_refused),
		ENGINE_TEST(a_lane_stands_as_before_when_its_transaction_fails),
		STORE_TEST(a_parked_weekend_costs_no_conversion),
		STORE_TEST(after_a_stand_the_time_that_was_left_is_left),
		STORE_TEST(stands_add_up),
		STORE_TEST(a_lane_that_stands_stops_no_other),
		STORE_TEST(what_was_past_before_the_stand_stays_past),
		STORE_TEST(a_wall_clock_set_back_while_a_lane_stands_costs_nothing),
		STORE_TEST(an_accepted_order_has_its_whole_time),
		STORE_TEST(an_order_that_a_late_click_adopts_has_its_whole_time),
		STORE_TEST(a_finish_that_sets_a_deadline_gives_the_whole_time),
		STORE_TEST(a_requeued_order_has_its_whole_time),
		STORE_TEST(an_order_that_a_selector_requeues_has_its_whole_time),
		STORE_TEST(a_requeue_that_sets_no_deadline_keeps_the_one_there_is),
		STORE_TEST(no_later_stand_moves_the_deadline_of_what_is_over),
		STORE_TEST(every_answer_tells_the_same_deadline),
	};
	return RUN_EACH_ENGINE(tests);
}
