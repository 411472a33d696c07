/* SPDX-License-Identifier: MIT */
/* Return rates: what RETURNS tells is what a count of the rows would, at any moment. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/returns.h"

#define STEP ((uint64_t)BC_RETURNS_STEP_MS)
#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)
#define NOON (UINT64_C(20000) * DAY + 12 * HOUR) /* the start of a bucket */

static struct bc_store_op *returns(struct rig *r, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_RETURNS);
	op->in.returns.now_ms = at;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static const struct bc_return_count *product_of(const struct bc_store_op *op, const char *product)
{
	for (uint32_t i = 0; i < op->out.returns.count; i++) {
		if (bc_str_eq(op->out.returns.products[i].product, product))
			return &op->out.returns.products[i];
	}
	return NULL;
}

/* In one comparison: "1h: pending=1, 24h: pending=1 delivered=2, 7d: ..."; NULL: not told. */
static void assert_returns_of(struct rig *r, const char *product, uint64_t at, const char *expected)
{
	char text[512];
	size_t end = 0;
	const struct bc_return_count *count = product_of(returns(r, at), product);
	if (!expected) {
		assert_null(count);
		return;
	}
	assert_non_null(count);
	assert_text(count->partner, "partner");
	for (int w = 0; w < BC_WINDOWS; w++) {
		end += (size_t)snprintf(text + end, sizeof(text) - end, "%s%s:", w ? ", " : "",
					bc_window_name[w]);
		for (int s = 0; s < BC_ORDER_STATES; s++) {
			if (count->orders[w][s])
				end += (size_t)snprintf(text + end, sizeof(text) - end, " %s=%llu",
							bc_order_state_name((enum bc_order_state)s),
							(unsigned long long)count->orders[w][s]);
		}
	}
	assert_string_equal(text, expected);
}

static void assert_returns(struct rig *r, uint64_t at, const char *expected)
{
	assert_returns_of(r, "default", at, expected);
}

static struct bc_store_op *purge(struct rig *r, uint64_t at, uint32_t limit)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = at;
	op->in.purge.limit = limit;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

/* --- windows and states -------------------------------------------------------------------- */

static void a_store_without_conversions_tells_of_no_product(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .at = NOON });
	assert_int_equal(returns(r, NOON)->out.returns.count, 0);
}

static void conversions_count_by_the_state_they_are_in(void **state)
{
	struct rig *r = *state;
	static const enum bc_order_state states[] = {
		BC_ORDER_PENDING,  BC_ORDER_SENDING, BC_ORDER_DELIVERED,
		BC_ORDER_REJECTED, BC_ORDER_EXPIRED, BC_ORDER_CANCELLED,
	};
	char name[8];
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d", 1000 + i);
		convert(r, name, NOON);
		bring_to(r, name, states[i % 6], NOON + 5);
	}
	convert(r, "2000", NOON);
	static const char all[] =
		"1h: pending=3 sending=2 delivered=2 rejected=2 expired=2 cancelled=2,"
		" 24h: pending=3 sending=2 delivered=2 rejected=2 expired=2 cancelled=2,"
		" 7d: pending=3 sending=2 delivered=2 rejected=2 expired=2 cancelled=2";
	assert_returns(r, NOON + 9, all);
	if (rig_reopen(r))
		assert_returns(r, NOON + 9, all);
}

static void an_order_counts_by_when_it_was_created_whatever_becomes_of_it(void **state)
{
	struct rig *r = *state;
	convert(r, "old", NOON - 6 * DAY);
	convert(r, "yesterday", NOON - 20 * HOUR);
	convert(r, "new", NOON);
	bring_to(r, "old", BC_ORDER_DELIVERED, NOON);
	bring_to(r, "yesterday", BC_ORDER_REJECTED, NOON);
	assert_returns(r, NOON,
		       "1h: pending=1, 24h: pending=1 rejected=1,"
		       " 7d: pending=1 delivered=1 rejected=1");
	requeue(r, "yesterday", NOON);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=2, 7d: pending=2 delivered=1");
}

static void a_conversion_leaves_each_window_within_five_minutes_of_its_end(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON + STEP - 1);
	for (int w = 0; w < BC_WINDOWS; w++) {
		const struct bc_store_op *op = returns(r, NOON + STEP - 1 + bc_window_ms[w]);
		assert_int_equal(op->out.returns.products[0].orders[w][BC_ORDER_PENDING], 1);
		op = returns(r, NOON + STEP + bc_window_ms[w]);
		const struct bc_return_count *left = product_of(op, "default");
		assert_true(!left || left->orders[w][BC_ORDER_PENDING] == 0);
	}
	assert_returns(r, NOON + STEP + 7 * DAY, NULL);
}

static void products_are_counted_apart(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON);
	report(r, (struct report){ "1002", "tok-2", .product = "shoes", .at = NOON });
	report(r, (struct report){ "1003", "tok-3", .product = "shoes", .at = NOON });
	bring_to(r, "1003", BC_ORDER_DELIVERED, NOON);
	assert_int_equal(returns(r, NOON)->out.returns.count, 2);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=1");
	assert_returns_of(r, "shoes", NOON,
			  "1h: pending=1 delivered=1, 24h: pending=1 delivered=1,"
			  " 7d: pending=1 delivered=1");
}

static void an_adopted_order_counts_where_it_was_created(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", .click = "c1", .at = NOON - 2 * HOUR });
	report(r, (struct report){ "1002", .session = "s2", .at = NOON - 3 * HOUR });
	assert_returns(r, NOON, NULL);
	put_click(r, (struct click){ "c1", "tok-1", .product = "default", .at = NOON });
	assert_returns(r, NOON, "1h:, 24h: pending=1, 7d: pending=1");
	report(r, (struct report){ "1002", .token = "tok-2", .at = NOON });
	assert_returns(r, NOON, "1h:, 24h: pending=2, 7d: pending=2");
}

static void a_repeated_report_counts_once(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON);
	report(r, (struct report){ "1001", .token = "token-1001", .at = NOON + 10 });
	report(r, (struct report){ "1001", .token = "another", .at = NOON + 20 });
	/* its click was used: this one is no conversion */
	report(r, (struct report){ "1002", .token = "token-1001", .at = NOON + 20 });
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=1");
}

static void a_release_counts_what_was_sending_as_pending(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", NOON);
	convert(r, "1002", NOON + STEP);
	lease(r, NOON + STEP, 5);
	assert_returns(r, NOON, "1h: sending=2, 24h: sending=2, 7d: sending=2");
	struct bc_store_op *op = rig_op(r, BC_STORE_RELEASE);
	op->in.release.now_ms = NOON + STEP;
	assert_int_equal(rig_run(r, op), 0);
	assert_returns(r, NOON, "1h: pending=2, 24h: pending=2, 7d: pending=2");
}

/* --- clocks -------------------------------------------------------------------------------- */

static void an_order_ahead_of_the_clock_counts_as_one_of_now(void **state)
{
	struct rig *r = *state;
	convert(r, "ahead", NOON + DAY);
	convert(r, "now", NOON);
	assert_returns(r, NOON, "1h: pending=2, 24h: pending=2, 7d: pending=2");
	bring_to(r, "ahead", BC_ORDER_DELIVERED, NOON);
	assert_returns(r, NOON,
		       "1h: pending=1 delivered=1, 24h: pending=1 delivered=1,"
		       " 7d: pending=1 delivered=1");
}

static void a_clock_that_was_years_ahead_leaves_the_rates_alone(void **state)
{
	struct rig *r = *state;
	convert(r, "then", NOON + 9000 * DAY);
	assert_returns(r, NOON + 9000 * DAY, "1h: pending=1, 24h: pending=1, 7d: pending=1");
	assert_returns(r, NOON, NULL);
	convert(r, "now", NOON);
	bring_to(r, "then", BC_ORDER_REJECTED, NOON);
	purge(r, NOON, 0);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=1");
	requeue(r, "then", NOON);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=1");
}

static void a_clock_set_forward_by_a_day_and_back_costs_nothing(void **state)
{
	struct rig *r = *state;
	convert(r, "oldest", NOON - 7 * DAY);
	convert(r, "new", NOON);
	purge(r, NOON + DAY, 0);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=2");
}

static void a_clock_at_zero_counts_too(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 0);
	assert_returns(r, 0, "1h: pending=1, 24h: pending=1, 7d: pending=1");
	purge(r, 0, 0);
	assert_returns(r, 0, "1h: pending=1, 24h: pending=1, 7d: pending=1");
}

/* --- what is dropped ----------------------------------------------------------------------- */

static void what_no_window_reaches_is_dropped_and_stays_so(void **state)
{
	struct rig *r = *state;
	convert(r, "old", NOON - 9 * DAY);
	convert(r, "new", NOON);
	assert_returns(r, NOON - 9 * DAY, "1h: pending=1, 24h: pending=1, 7d: pending=1");
	purge(r, NOON, 0);
	static const char one[] = "1h: pending=1, 24h: pending=1, 7d: pending=1";
	assert_returns(r, NOON - 9 * DAY, NULL);
	bring_to(r, "old", BC_ORDER_DELIVERED, NOON);
	assert_returns(r, NOON - 9 * DAY, NULL);
	assert_returns(r, NOON, one);
	if (rig_reopen(r)) {
		assert_returns(r, NOON - 9 * DAY, NULL);
		assert_returns(r, NOON, one);
	}
}

static void a_purge_drops_no_more_than_its_limit_and_says_so(void **state)
{
	struct rig *r = *state;
	char name[8];
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%u", 1000 + i);
		convert(r, name, NOON + i * STEP);
	}
	assert_true(purge(r, NOON + 20 * DAY, 2)->out.purge.more);
	const struct bc_store_op *op = returns(r, NOON + 4 * STEP);
	assert_int_equal(op->out.returns.products[0].orders[0][BC_ORDER_PENDING], 3);
	assert_true(purge(r, NOON + 20 * DAY, 2)->out.purge.more);
	assert_false(purge(r, NOON + 20 * DAY, 2)->out.purge.more);
	assert_returns(r, NOON + 4 * STEP, NULL);
}

/* --- against the rows ---------------------------------------------------------------------- */

static void add_row(struct bc_return_count *expected, const struct bc_order *o, uint64_t at)
{
	for (int w = 0; w < BC_WINDOWS; w++) {
		uint64_t first = (at - bc_window_ms[w]) / STEP;
		/* Without a click it is no conversion, though it may be cancelled. */
		if (o->has_token_hash && o->created_ms / STEP >= first)
			expected->orders[w][o->state]++;
	}
}

static void assert_as_rows(struct rig *r, uint64_t at)
{
	static const char *const products[] = { "default", "shoes" };
	for (int i = 0; i < 2; i++) {
		struct bc_return_count expected = { 0 };
		const struct bc_store_op *rows =
			list(r, (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY });
		assert_int_equal(rows->out.list.next_before_row, 0);
		for (uint32_t k = 0; k < rows->out.list.count; k++) {
			if (bc_str_eq(rows->out.list.orders[k].product, products[i]))
				add_row(&expected, &rows->out.list.orders[k], at);
		}
		const struct bc_return_count *told = product_of(returns(r, at), products[i]);
		assert_non_null(told);
		assert_memory_equal(told->orders, expected.orders, sizeof(expected.orders));
	}
}

/* One step of a shop's life. */
static void live(struct rig *r, int i, uint64_t at)
{
	char name[16], token[16];
	int chosen = rand() % (i + 1), deed = rand() % 6;
	snprintf(name, sizeof(name), "%d", deed < 3 ? i : chosen);
	snprintf(token, sizeof(token), "t%d", deed < 3 ? i : chosen);
	switch (deed) {
	case 0:
		report(r, (struct report){ name, .at = at });
		break;
	case 1:
	case 2:
		report(r, (struct report){ name, token, .product = i % 3 ? "default" : "shoes",
					   .at = at, .deadline = at + 4 * HOUR });
		break;
	case 3:
		lease(r, at, 2);
		finish(r, (struct end){ name, 1, BC_ORDER_DELIVERED + rand() % 3, at,
					.reason = "so it is" });
		break;
	case 4:
		cancel(r, name, at);
		requeue(r, name, at);
		report(r, (struct report){ name, token, .at = at });
		break;
	default:
		purge(r, at, 0);
	}
}

static void the_counts_are_those_of_the_rows_whatever_happens(void **state)
{
	struct rig *r = *state;
	uint64_t at = NOON;
	srand(7);
	report(r, (struct report){ "first", "tok", .product = "shoes", .at = at });
	convert(r, "second", at);
	for (int i = 0; i < 150; i++) {
		at += (uint64_t)(rand() % 60) * 60 * 1000;
		live(r, i, at);
		if (i % 50 != 49)
			continue;
		assert_as_rows(r, at);
		if (strcmp(rig_engine, "memory") != 0) {
			rig_reopen(r);
			assert_as_rows(r, at);
		}
	}
}

/* --- transactions -------------------------------------------------------------------------- */

static void apply(struct rig *r, struct bc_store_op *op)
{
	struct bc_engine_fault fault = { 0 };
	assert_int_equal(bc_engine_sqlite.apply(r->bare, op, &fault), 0);
}

static struct bc_store_op *conversion(struct rig *r, const char *order, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = bc_str_of(order);
	op->in.accept.partner = BC_STR("partner");
	op->in.accept.product = BC_STR("default");
	op->in.accept.token = bc_str_of(order);
	fill_hash(op->in.accept.token_hash, order);
	op->in.accept.now_ms = op->in.accept.due_ms = at;
	return op;
}

static struct bc_store_op *cancellation(struct rig *r, const char *order)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_CANCEL);
	op->in.cancel.order = bc_str_of(order);
	op->in.cancel.now_ms = NOON;
	return op;
}

static struct bc_store_op *clean_up(struct rig *r, uint64_t at)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.now_ms = at;
	return op;
}

/* Transactions of the bare engine that are taken back: of every kind of change. */
static void a_transaction_that_fails_leaves_the_returns_as_they_were(void **state)
{
	static const char before[] = "1h: pending=1, 24h: pending=1, 7d: pending=2";
	struct rig *r = *state;
	struct bc_engine_fault fault = { 0 };
	if (strcmp(rig_engine, "memory") == 0)
		return; /* it undoes nothing, and fails never */
	convert(r, "old", NOON - 2 * DAY);
	convert(r, "new", NOON);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
		apply(r, conversion(r, "older", NOON - 3 * DAY));
		apply(r, conversion(r, "between", NOON - DAY));
		apply(r, conversion(r, "newer", NOON + STEP));
		apply(r, cancellation(r, "old"));
		apply(r, cancellation(r, "between"));
		apply(r, clean_up(r, NOON + 100 * DAY));
		bc_engine_sqlite.rollback(r->bare);
		assert_returns(r, NOON, before);
	}
	assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
	apply(r, cancellation(r, "old"));
	apply(r, conversion(r, "between", NOON - DAY));
	assert_int_equal(bc_engine_sqlite.commit(r->bare, &fault), 0);
	static const char after[] = "1h: pending=1, 24h: pending=2, 7d: pending=2 cancelled=1";
	assert_returns(r, NOON, after);
	bc_engine_sqlite.rollback(r->bare);
	assert_returns(r, NOON, after);
}

/* A bucket that a purge emptied and that fills again before the commit. */
static void a_bucket_that_is_dropped_and_filled_in_one_transaction_is_kept(void **state)
{
	struct rig *r = *state;
	struct bc_engine_fault fault = { 0 };
	if (strcmp(rig_engine, "memory") == 0)
		return;
	convert(r, "old", NOON);
	assert_int_equal(bc_engine_sqlite.begin(r->bare, &fault), 0);
	apply(r, clean_up(r, NOON + 20 * DAY));
	apply(r, conversion(r, "late", NOON));
	assert_int_equal(bc_engine_sqlite.commit(r->bare, &fault), 0);
	assert_returns(r, NOON, "1h: pending=1, 24h: pending=1, 7d: pending=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_store_without_conversions_tells_of_no_product),
		STORE_TEST(conversions_count_by_the_state_they_are_in),
		STORE_TEST(an_order_counts_by_when_it_was_created_whatever_becomes_of_it),
		STORE_TEST(a_conversion_leaves_each_window_within_five_minutes_of_its_end),
		STORE_TEST(products_are_counted_apart),
		STORE_TEST(an_adopted_order_counts_where_it_was_created),
		STORE_TEST(a_repeated_report_counts_once),
		STORE_TEST(a_release_counts_what_was_sending_as_pending),
		STORE_TEST(an_order_ahead_of_the_clock_counts_as_one_of_now),
		STORE_TEST(a_clock_that_was_years_ahead_leaves_the_rates_alone),
		STORE_TEST(a_clock_set_forward_by_a_day_and_back_costs_nothing),
		STORE_TEST(a_clock_at_zero_counts_too),
		STORE_TEST(what_no_window_reaches_is_dropped_and_stays_so),
		STORE_TEST(a_purge_drops_no_more_than_its_limit_and_says_so),
		STORE_TEST(the_counts_are_those_of_the_rows_whatever_happens),
		ENGINE_TEST(a_transaction_that_fails_leaves_the_returns_as_they_were),
		ENGINE_TEST(a_bucket_that_is_dropped_and_filled_in_one_transaction_is_kept),
	};
	return RUN_EACH_ENGINE(tests);
}
