/* SPDX-License-Identifier: MIT */
/*
 * The history: clicks and orders are counted when they come, and by nothing else; conversions as
 * they stand. Whatever happens to the rows, or to the process, what is told is what came. (A killed
 * process: test_crash.c.)
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/tally.h"

#define STEP ((uint64_t)BC_TALLY_STEP_MS)
#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)
#define NOON (UINT64_C(20000) * DAY + 12 * HOUR) /* the start of a bucket, and of a half hour */

enum { STEPS = 288 };

/* --- helpers ------------------------------------------------------------------------------- */

static struct bc_store_op *ask(struct rig *r, uint64_t at, uint32_t step_ms, uint32_t steps)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_HISTORY);
	op->in.history.now_ms = at;
	op->in.history.step_ms = step_ms;
	op->in.history.steps = steps;
	(void)rig_run(r, op);
	return op;
}

static const struct bc_history *history(struct rig *r, uint64_t at)
{
	struct bc_store_op *op = ask(r, at, (uint32_t)STEP, STEPS);
	assert_int_equal(op->result, 0);
	return &op->out.history;
}

/* What the steps before the running one say: "-3:5 0:2" is 5 in the third before it, 2 in it. */
static const char *steps_of(struct rig *r, const uint32_t *counts)
{
	char *text = bc_arena_alloc(r->arena, 512);
	size_t end = 0;
	assert_non_null(text);
	text[0] = '\0';
	for (int i = 0; i < STEPS && end < 480; i++)
		if (counts[i])
			end += (size_t)snprintf(text + end, 512 - end, "%s%d:%u", end ? " " : "",
						i - STEPS + 1, counts[i]);
	return text;
}

#define assert_clicks(r, at, expected)                                                             \
	assert_string_equal(steps_of(r, history(r, at)->clicks), expected)
#define assert_orders(r, at, expected)                                                             \
	assert_string_equal(steps_of(r, history(r, at)->orders), expected)

static void click(struct rig *r, const char *id, uint64_t at)
{
	put_click(r, (struct click){ id, id, .at = at, .ttl = DAY });
}

static void test_click(struct rig *r, const char *id, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	struct bc_click *c = &op->in.put_click.click;
	fill_hash(c->id, id);
	fill_hash(c->token_hash, id);
	c->token = bc_str_of(id);
	c->is_test = true;
	c->captured_ms = at;
	c->expires_ms = at + DAY;
	assert_int_equal(rig_run(r, op), 0);
}

static void delete_click(struct rig *r, const char *id)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_DELETE_CLICK);
	fill_hash(op->in.delete_click, id);
	assert_int_equal(rig_run(r, op), 0);
}

static struct bc_store_op *purge(struct rig *r, uint64_t at, uint32_t limit)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = op->in.purge.clicks_before_ms = at;
	op->in.purge.unattributed_before_ms = at;
	op->in.purge.limit = limit;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static bool keeps_rows(void)
{
	return strcmp(rig_engine, "memory") != 0;
}

/* --- what is told -------------------------------------------------------------------------- */

static void an_empty_store_tells_of_steps_that_are_all_nothing(void **state)
{
	struct rig *r = *state;
	const struct bc_history *h = history(r, NOON + 7);
	assert_int_equal(h->from_ms, NOON - 287 * STEP);
	assert_string_equal(steps_of(r, h->clicks), "");
	assert_string_equal(steps_of(r, h->test_clicks), "");
	assert_string_equal(steps_of(r, h->orders), "");
	assert_string_equal(steps_of(r, h->conversions), "");
	assert_string_equal(steps_of(r, h->delivered), "");
	assert_int_equal(h->product_count, 0);
}

static void clicks_count_in_the_five_minutes_in_which_they_were_captured(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON);
	click(r, "b", NOON + STEP - 1);
	click(r, "c", NOON - 1);
	test_click(r, "d", NOON - 2 * STEP);
	const struct bc_history *h = history(r, NOON + 10);
	assert_string_equal(steps_of(r, h->clicks), "-2:1 -1:1 0:2");
	assert_string_equal(steps_of(r, h->test_clicks), "-2:1");
	assert_string_equal(steps_of(r, history(r, NOON + STEP)->clicks), "-3:1 -2:1 -1:2");
	/* a day later only the newest are in reach */
	assert_string_equal(steps_of(r, history(r, NOON + 287 * STEP)->clicks), "-287:2");
	assert_string_equal(steps_of(r, history(r, NOON + 288 * STEP)->clicks), "");
}

static void orders_count_with_and_without_a_click(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON - STEP);
	convert(r, "1002", NOON);
	bring_to(r, "1002", BC_ORDER_DELIVERED, NOON + 5);
	report(r, (struct report){ "1003", .at = NOON });
	report(r, (struct report){ "1003", .at = NOON + STEP }); /* repeated */
	convert(r, "1004", NOON);
	assert_int_equal(cancel(r, "1004", NOON + 1), 0);
	const struct bc_history *h = history(r, NOON + 10);
	assert_string_equal(steps_of(r, h->orders), "-1:1 0:3");
	assert_string_equal(steps_of(r, h->conversions), "-1:1 0:2");
	assert_string_equal(steps_of(r, h->delivered), "0:1");
	assert_int_equal(h->product_count, 1);
	assert_text(h->products[0].partner, "partner");
	assert_text(h->products[0].product, "default");
	assert_string_equal(steps_of(r, h->products[0].orders), "-1:1 0:1");
	assert_string_equal(steps_of(r, h->products[0].delivered), "0:1");
}

static void products_have_their_own_steps(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON);
	report(r, (struct report){ "1002", "tok-2", .product = "shoes", .at = NOON - STEP });
	report(r, (struct report){ "1003", "tok-3", .product = "old", .at = NOON - 2 * DAY });
	const struct bc_history *h = history(r, NOON);
	assert_int_equal(h->product_count, 2);
	assert_text(h->products[1].product, "shoes");
	assert_string_equal(steps_of(r, h->products[0].orders), "0:1");
	assert_string_equal(steps_of(r, h->products[1].orders), "-1:1");
}

static void half_hours_of_a_week_lie_on_the_clock(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON);
	click(r, "b", NOON - 1);
	click(r, "c", NOON - 6 * DAY);
	const struct bc_store_op *op = ask(r, NOON + 20 * 60 * 1000, 30 * 60 * 1000, 336);
	assert_int_equal(op->result, 0);
	const struct bc_history *h = &op->out.history;
	assert_int_equal(h->from_ms, NOON - 335 * 30 * UINT64_C(60000));
	assert_int_equal(h->clicks[335], 1);
	assert_int_equal(h->clicks[334], 1);
	assert_int_equal(h->clicks[335 - 6 * 48], 1);
}

static void what_is_ahead_of_the_clock_counts_as_of_now(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON + 6 * HOUR);
	click(r, "b", NOON + 400 * DAY);
	convert(r, "1001", NOON + 6 * HOUR);
	const struct bc_history *h = history(r, NOON);
	assert_string_equal(steps_of(r, h->clicks), "0:1");
	assert_string_equal(steps_of(r, h->conversions), "0:1");
}

static void a_clock_at_zero_has_a_history_too(void **state)
{
	struct rig *r = *state;
	click(r, "a", 5);
	const struct bc_history *h = history(r, 10);
	assert_int_equal(h->from_ms, 0);
	assert_int_equal(h->clicks[0], 1);
}

static void steps_that_are_not_kept_are_refused(void **state)
{
	struct rig *r = *state;
	assert_int_equal(ask(r, NOON, 60 * 1000, 10)->result, BC_EINVAL);
	assert_int_equal(ask(r, NOON, 0, 10)->result, BC_EINVAL);
	assert_int_equal(ask(r, NOON, (uint32_t)STEP, 0)->result, BC_EINVAL);
	assert_int_equal(ask(r, NOON, (uint32_t)STEP, 2017)->result, BC_EINVAL);
	assert_int_equal(ask(r, NOON, (uint32_t)STEP, UINT32_MAX)->result, BC_EINVAL);
	assert_int_equal(ask(r, NOON, (uint32_t)STEP, 2016)->result, 0);
}

/* --- what came stays ----------------------------------------------------------------------- */

/* Opens it again, twice: what the rows said the first time is not said once more. */
static void assert_clicks_stay(struct rig *r, uint64_t at, const char *expected)
{
	assert_clicks(r, at, expected);
	for (int i = 0; i < 2 && keeps_rows(); i++) {
		rig_reopen(r);
		assert_clicks(r, at, expected);
	}
}

static void a_click_that_goes_has_come_all_the_same(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON);
	click(r, "b", NOON);
	click(r, "c", NOON + STEP);
	delete_click(r, "c");
	assert_clicks_stay(r, NOON + STEP, "-1:2 0:1");
	click(r, "d", NOON + STEP);
	assert_int_equal(purge(r, NOON + DAY, 0)->out.purge.clicks, 2);
	assert_clicks_stay(r, NOON + STEP, "-1:2 0:2");
	/* the numbers of the rows that are gone are given again */
	click(r, "e", NOON + STEP);
	assert_clicks_stay(r, NOON + STEP, "-1:2 0:3");
	delete_click(r, "d");
	delete_click(r, "e");
	assert_clicks_stay(r, NOON + STEP, "-1:2 0:3");
	click(r, "f", NOON + STEP);
	assert_clicks_stay(r, NOON + STEP, "-1:2 0:4");
}

static void a_landing_that_comes_again_counts_again(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON);
	click(r, "a", NOON + STEP);
	click(r, "a", NOON + STEP);
	assert_clicks_stay(r, NOON + STEP, "-1:1 0:2");
}

static void a_click_that_is_bound_to_another_session_came_once(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON);
	for (int i = 0; i < 2; i++) {
		struct bc_store_op *op = rig_op(r, BC_STORE_BIND_CLICK);
		fill_hash(op->in.bind.click, "a");
		fill_hash(op->in.bind.copy, "copy");
		fill_hash(op->in.bind.session, "s");
		op->in.bind.now_ms = NOON + STEP;
		assert_int_equal(rig_run(r, op), 0);
		assert_clicks_stay(r, NOON + STEP, "-1:1");
	}
}

static void an_order_that_is_cleaned_up_has_come_all_the_same(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .at = NOON });
	report(r, (struct report){ "1002", .at = NOON });
	assert_int_equal(purge(r, NOON + STEP, 1)->out.purge.orders, 1);
	for (int i = 0; i < 3; i++) {
		assert_orders(r, NOON, "0:2");
		if (keeps_rows())
			rig_reopen(r);
	}
}

static void what_no_history_reaches_is_dropped(void **state)
{
	struct rig *r = *state;
	for (unsigned i = 0; i < 5; i++)
		click(r, bc_arena_printf(r->arena, "c%u", i), NOON + i * STEP);
	assert_true(purge(r, NOON + 30 * DAY, 3)->out.purge.more);
	assert_false(purge(r, NOON + 30 * DAY, 3)->out.purge.more);
	assert_clicks_stay(r, NOON + 5 * STEP, "");
	click(r, "late", NOON);
	assert_clicks_stay(r, NOON, "0:1");
}

static void a_clock_set_forward_by_a_day_and_back_costs_nothing(void **state)
{
	struct rig *r = *state;
	click(r, "a", NOON - 7 * DAY + HOUR);
	click(r, "b", NOON);
	purge(r, NOON + DAY, 0);
	const struct bc_store_op *op = ask(r, NOON, 30 * 60 * 1000, 336);
	uint32_t sum = 0;
	for (int i = 0; i < 336; i++)
		sum += op->out.history.clicks[i];
	assert_int_equal(sum, 2);
}

/* --- whatever happens ---------------------------------------------------------------------- */

/* Many clicks, some of which come again or go, over the bounds at which buckets are written. */
static void the_counts_are_what_came_whatever_happens(void **state)
{
	struct rig *r = *state;
	uint32_t came = 0, orders = 0;
	unsigned seed = (unsigned)time(NULL), ids = 0;
	srand(seed);
	print_message("seed %u\n", seed);
	for (int i = 0; i < 6000; i++) {
		int dice = rand() % 100;
		char *name = bc_arena_printf(r->arena, "n%u", dice < 90 ? ids++ : ids / 2);
		if (dice < 92 || !ids) {
			click(r, name, NOON);
			came++;
		} else if (dice < 95) {
			report(r,
			       (struct report){ bc_arena_printf(r->arena, "o%d", i), .at = NOON });
			orders++;
		} else {
			struct bc_store_op *op = rig_op(r, BC_STORE_DELETE_CLICK);
			fill_hash(op->in.delete_click, name);
			(void)rig_run(r, op);
		}
		if (i % 500 == 499 && keeps_rows())
			rig_reopen(r);
		if (i % 500 == 499) {
			assert_int_equal(history(r, NOON)->clicks[STEPS - 1], came);
			assert_int_equal(history(r, NOON)->orders[STEPS - 1], orders);
			bc_arena_reset(r->arena);
		}
	}
}

/* --- transactions -------------------------------------------------------------------------- */

static void apply(struct rig *r, struct bc_store_op *op)
{
	struct bc_engine_fault fault = { 0 };
	assert_int_equal(bc_engine_sqlite.apply(r->bare, op, &fault), 0);
}

static struct bc_store_op *landing(struct rig *r, const char *id, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	struct bc_click *c = &op->in.put_click.click;
	fill_hash(c->id, id);
	fill_hash(c->token_hash, id);
	c->token = bc_str_of(id);
	c->captured_ms = at;
	c->expires_ms = at + DAY;
	return op;
}

static void a_transaction_that_fails_counts_nothing(void **state)
{
	struct rig *r = *state;
	struct bc_engine_fault fault = { 0 };
	if (!keeps_rows())
		return; /* it undoes nothing, and fails never */
	click(r, "a", NOON);
	for (int i = 0; i < 2; i++) {
		struct bc_store_op *gone = rig_op(r, BC_STORE_DELETE_CLICK);
		fill_hash(gone->in.delete_click, "a");
		struct bc_store_op *swept = rig_op(r, BC_STORE_PURGE);
		swept->in.purge.now_ms = NOON + 30 * DAY;
		assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
		apply(r, landing(r, "b", NOON));
		apply(r, landing(r, "c", NOON - STEP));
		apply(r, landing(r, "d", NOON + STEP));
		apply(r, gone);
		apply(r, swept);
		bc_engine_sqlite.rollback(r->bare);
		assert_clicks(r, NOON, "0:1");
	}
	assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
	apply(r, landing(r, "b", NOON - STEP));
	assert_int_equal(bc_engine_sqlite.commit(r->bare, &fault), 0);
	assert_clicks(r, NOON, "-1:1 0:1");
	bc_engine_sqlite.rollback(r->bare);
	assert_clicks(r, NOON, "-1:1 0:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_empty_store_tells_of_steps_that_are_all_nothing),
		STORE_TEST(clicks_count_in_the_five_minutes_in_which_they_were_captured),
		STORE_TEST(orders_count_with_and_without_a_click),
		STORE_TEST(products_have_their_own_steps),
		STORE_TEST(half_hours_of_a_week_lie_on_the_clock),
		STORE_TEST(what_is_ahead_of_the_clock_counts_as_of_now),
		STORE_TEST(a_clock_at_zero_has_a_history_too),
		STORE_TEST(steps_that_are_not_kept_are_refused),
		STORE_TEST(a_click_that_goes_has_come_all_the_same),
		STORE_TEST(a_landing_that_comes_again_counts_again),
		STORE_TEST(a_click_that_is_bound_to_another_session_came_once),
		STORE_TEST(an_order_that_is_cleaned_up_has_come_all_the_same),
		STORE_TEST(what_no_history_reaches_is_dropped),
		STORE_TEST(a_clock_set_forward_by_a_day_and_back_costs_nothing),
		STORE_TEST(the_counts_are_what_came_whatever_happens),
		ENGINE_TEST(a_transaction_that_fails_counts_nothing),
	};
	return RUN_EACH_ENGINE(tests);
}
