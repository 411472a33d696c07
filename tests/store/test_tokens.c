/* SPDX-License-Identifier: MIT */
/*
 * The orders' tokens in the sqlite engine, beyond what is so of each deferred index
 * (test_deferred.c): one order a token and partner, wherever the first one's entry is and however
 * the order came by its token.
 */
#include "tokens.h"

/* Every 97th order comes without a click, and may get one later. */
static void put_with_gaps(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t next; from < to; from = next) {
		next = to - from < BATCH ? to : from + BATCH;
		begin(r->bare);
		for (uint64_t i = from; i < next; i++)
			apply_report(r,
				     (struct order_report){ i, i, .by_session = i % EVERY == 0 });
		commit(r->bare);
	}
}

static void assert_pending(struct rig *r, struct order_report report)
{
	assert_int_equal(apply_report(r, report)->state, BC_ORDER_PENDING);
}

/* In the transaction under way. */
static void claim_gaps(struct rig *r, uint64_t to)
{
	for (uint64_t i = 0; i < to; i += EVERY)
		assert_pending(r, (struct order_report){ i, i });
}

/* --- one order a token and partner --------------------------------------------------------- */

static void an_order_writes_nothing_of_its_token_but_its_row(void **state)
{
	struct rig *r = *state;
	put_range(r, 0, subject->round);
	assert_int_equal(runs_of(r->bare, SQ_TOKEN_INSERT), 0);
	/* and then as many as came */
	put_range(r, subject->round, 4 * subject->round);
	assert_in_range(runs_of(r->bare, SQ_TOKEN_INSERT), 3 * subject->round, 4 * subject->round);
	assert_sound(r->bare);
}

static void a_token_of_two_partners_is_two_wherever_they_are(void **state)
{
	static const char *const partners[] = { "partner", "another", "third" };
	struct rig *r = *state;
	const uint64_t n = TTL / 2, apart = subject->round;
	begin(r->bare);
	for (uint64_t i = 0; i < BC_COUNT(partners); i++)
		assert_pending(r, (struct order_report){ n + i, 1 << 30, partners[i] });
	commit(r->bare);
	for (uint64_t at = 0; at < 3 * apart; at += apart) {
		for (uint64_t i = 0; i < BC_COUNT(partners); i++)
			assert_token_is_used(r, partners[i], 1 << 30, n + i);
		assert_int_equal(owner_of(r, "fourth", 1 << 30), NOBODY);
		put_range(r, at, at + apart);
		reopen(r);
	}
	assert_int_equal(number(r->bare, "SELECT count(*) FROM order_tokens WHERE row <= 3"), 3);
	/* one in memory beside those in the table */
	begin(r->bare);
	assert_pending(r, (struct order_report){ n + 3, 1 << 30, "fourth" });
	commit(r->bare);
	assert_token_is_used(r, "fourth", 1 << 30, n + 3);
	assert_token_is_used(r, "another", 1 << 30, n + 1);
	assert_sound(r->bare);
}

static void a_test_token_has_one_order_too(void **state)
{
	struct rig *r = *state;
	begin(r->bare);
	assert_pending(r, (struct order_report){ 7, 1 << 30, .is_test = true });
	commit(r->bare);
	assert_token_is_used(r, "partner", 1 << 30, 7);
	put_range(r, 100, 100 + 2 * subject->round);
	reopen(r);
	assert_token_is_used(r, "partner", 1 << 30, 7);
	assert_sound(r->bare);
}

static void a_cleared_order_keeps_its_token_used(void **state)
{
	struct rig *r = *state;
	struct bc_store_op *op;
	put_range(r, 0, 2 * subject->round);
	for (uint64_t i = 0; i < 2 * subject->round; i += subject->round - 1) {
		begin(r->bare);
		op = rig_op(r, BC_STORE_CANCEL);
		op->in.cancel.order =
			bc_str_of(bc_arena_printf(r->arena, "o%09llu", (unsigned long long)i));
		op->in.cancel.now_ms = TTL;
		apply(r->bare, op);
		assert_int_equal(op->result, 0);
		op = rig_op(r, BC_STORE_PURGE);
		op->in.purge.clear_before_ms = TTL + 1;
		apply(r->bare, op);
		assert_int_equal(op->out.purge.cleared, 1);
		commit(r->bare);
		assert_token_is_used(r, "partner", i, i);
	}
	reopen(r);
	assert_whole(r, 2 * subject->round);
}

/* --- orders that get their click later ----------------------------------------------------- */

/* Their rows are in the table's reach, passed by the sweep, before it, and the newest. */
static void an_old_order_that_is_claimed_has_its_token_wherever_its_row_is(void **state)
{
	struct rig *r = *state;
	const uint64_t n = filled();
	put_with_gaps(r, 0, n);
	assert_absent(r, 0, n - 1);
	/* taken back first */
	begin(r->bare);
	claim_gaps(r, n);
	assert_found(r, 0, n);
	bc_engine_sqlite.rollback(r->bare);
	begin(r->bare);
	assert_absent(r, 0, n - 1);
	claim_gaps(r, n);
	commit(r->bare);
	assert_whole(r, n);
	reopen(r);
	assert_whole(r, n);
	put_range(r, n, n + 2 * subject->round);
	assert_whole(r, n + 2 * subject->round);
	assert_true(settled(r) >= n);
	reopen(r);
	assert_whole(r, n + 2 * subject->round);
}

/* Of the session and the token of an order. Returns how many it was adopted by. */
static unsigned put_late_click(struct rig *r, uint64_t id, uint64_t order)
{
	struct bc_store_op op = { .kind = BC_STORE_PUT_CLICK };
	struct bc_click *click = &op.in.put_click.click;
	hash_of(click->id, id);
	hash_of(click->session, order);
	hash_of(click->token_hash, order);
	click->has_session = true;
	click->token = BC_STR("token-of-an-order");
	click->partner = BC_STR("partner");
	click->captured_ms = click->expires_ms = TTL;
	begin(r->bare);
	apply(r->bare, &op);
	commit(r->bare);
	return (unsigned)op.out.put_click.adopted;
}

static void a_late_click_gives_an_old_order_its_token(void **state)
{
	struct rig *r = *state;
	const uint64_t n = filled();
	put_with_gaps(r, 0, n);
	for (uint64_t i = 0; i < n; i += n / 5 / EVERY * EVERY) {
		assert_int_equal(put_late_click(r, i, i), 1);
		assert_token_is_used(r, "partner", i, i);
		reopen(r);
		assert_token_is_used(r, "partner", i, i);
		/* the landing page once more: kept without the token */
		assert_int_equal(put_late_click(r, n + i, i), 0);
	}
	assert_int_equal(number(r->bare, "SELECT count(*) FROM clicks WHERE token = ''"), 6);
	assert_sound(r->bare);
}

/* --- rows that go -------------------------------------------------------------------------- */

enum { GONE = 700 };

/* Puts so many without a click, and deletes them: the last rows. */
static void put_and_delete(struct rig *r)
{
	begin(r->bare);
	for (uint64_t i = 0; i < GONE; i++)
		apply_report(r, (struct order_report){ TTL / 2 + i, i, .by_session = true });
	commit(r->bare);
	bc_arena_reset(r->arena);
	struct bc_store_op *op = rig_op(r, BC_STORE_PURGE);
	op->in.purge.unattributed_before_ms = TTL;
	begin(r->bare);
	apply(r->bare, op);
	commit(r->bare);
	assert_int_equal(op->out.purge.orders, GONE);
}

static uint64_t last_row(struct rig *r)
{
	return number(r->bare, "SELECT max(row) FROM orders");
}

/* In the middle of a sweep, which the next process finds less far than it was. */
static void rows_that_are_given_again_meet_nothing_of_those_before(void **state)
{
	struct rig *r = *state;
	const uint64_t n = subject->round + subject->round / 3;
	put_range(r, 0, n);
	put_and_delete(r);
	reopen(r);
	assert_int_equal(last_row(r), n);
	assert_whole(r, n);
	put_range(r, n, n + 1);
	assert_int_equal(last_row(r), n + 1);
	put_range(r, n + 1, n + 2 * subject->round);
	assert_whole(r, n + 2 * subject->round);
	reopen(r);
	assert_whole(r, n + 2 * subject->round);
}

static void a_process_gives_no_row_twice(void **state)
{
	struct rig *r = *state;
	const uint64_t n = subject->round + subject->round / 3;
	put_range(r, 0, n);
	put_and_delete(r);
	put_range(r, n, n + 1);
	assert_int_equal(last_row(r), n + GONE + 1);
	put_range(r, n + 1, n + 2 * subject->round);
	assert_whole(r, n + 2 * subject->round);
	reopen(r);
	assert_whole(r, n + 2 * subject->round);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(an_order_writes_nothing_of_its_token_but_its_row),
		ENGINE_TEST(a_token_of_two_partners_is_two_wherever_they_are),
		ENGINE_TEST(a_test_token_has_one_order_too),
		ENGINE_TEST(a_cleared_order_keeps_its_token_used),
		ENGINE_TEST(an_old_order_that_is_claimed_has_its_token_wherever_its_row_is),
		ENGINE_TEST(a_late_click_gives_an_old_order_its_token),
		ENGINE_TEST(rows_that_are_given_again_meet_nothing_of_those_before),
		ENGINE_TEST(a_process_gives_no_row_twice),
	};
	rig_engine = "sqlite";
	subject = &of_tokens;
	return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
