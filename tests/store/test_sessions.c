/* SPDX-License-Identifier: MIT */
/*
 * The clicks of a session in the sqlite engine: the newest are in memory, the others in a table,
 * and whoever asks must not notice: whatever was put, deleted or rolled back.
 */
#include "sessions.h"

/* --- wherever it is ------------------------------------------------------------------------ */

static void a_session_is_found_in_memory_and_in_the_table_and_after_a_restart(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	uint64_t from = 0;
	for (uint64_t to = ROUND / 2; to <= FILLED; to += ROUND / 2, from += ROUND / 2) {
		put_range(e, from, to);
		assert_found(r, 0, to);
		assert_absent(r, to, to + 10 * EVERY);
		assert_int_equal(in_table(e) > 0, to > ROUND);
		assert_true(in_table(e) + ROUND * 3 / 2 >= to);
	}
	put_range(e, from, FILLED);
	assert_int_equal(e->counts.settled.now, ROUND);
	assert_sound(e);
	reopen(r);
	assert_found(r, 0, FILLED);
	e = r->bare;
	put_range(e, FILLED, FILLED + ROUND);
	assert_int_equal(e->counts.settled.now, 2 * ROUND);
	assert_found(r, 0, FILLED + ROUND);
	assert_sound(e);
}

static void a_store_that_is_opened_often_settles_all_the_same(void **state)
{
	struct rig *r = *state;
	uint64_t n = 0;
	while (n < 4 * ROUND) {
		put_range(r->bare, n, n + ROUND / 4 + 11);
		n += ROUND / 4 + 11;
		reopen(r);
	}
	assert_found(r, 0, n);
	assert_true(in_table(r->bare) + ROUND * 3 / 2 >= n);
	assert_sound(r->bare);
}

static void the_newest_click_of_a_session_wins_wherever_the_others_are(void **state)
{
	const uint64_t session = 77;
	struct rig *r = *state;
	struct sq *e = r->bare;
	put_one(e, (struct visit){ 1 << 30, session, TTL, 2 * TTL });
	put_range(e, 1000, 1000 + 2 * ROUND);
	assert_true(e->counts.settled.now > 0);
	assert_int_equal(newest_of(r, session), TTL);
	/* put later, captured before */
	put_one(e, (struct visit){ 2 << 20, session, TTL - 1, 2 * TTL });
	assert_int_equal(newest_of(r, session), TTL);
	put_one(e, (struct visit){ 3 << 20, session, TTL + 1, 2 * TTL });
	assert_int_equal(newest_of(r, session), TTL + 1);
	begin(e);
	assert_int_equal(delete_click(e, 3 << 20), 0);
	commit(e);
	assert_int_equal(newest_of(r, session), TTL);
	begin(e);
	assert_int_equal(delete_click(e, 1 << 30), 0);
	commit(e);
	assert_int_equal(newest_of(r, session), TTL - 1);
	assert_sound(e);
}

static void of_two_at_the_same_time_the_one_put_last_wins(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	struct bc_engine_fault fault = { 0 };
	struct bc_click click;
	uint8_t id[BC_CLICK_ID_BYTES], session[BC_HASH_BYTES];
	put_one(e, (struct visit){ 9, 77, 500, TTL });
	put_range(e, 1000, 1000 + 2 * ROUND);
	put_one(e, (struct visit){ 8, 77, 500, TTL });
	hash_of(session, 77);
	e->fault = &fault;
	assert_int_equal(sq_rows.find_session_click(e, session, r->arena, &click), 1);
	id_of(id, 8);
	assert_memory_equal(click.id, id, sizeof(id));
	/* put again, the first is the last */
	put_one(e, (struct visit){ 9, 77, 500, TTL });
	assert_int_equal(sq_rows.find_session_click(e, session, r->arena, &click), 1);
	id_of(id, 9);
	assert_memory_equal(click.id, id, sizeof(id));
	assert_sound(e);
}

/* All hold the token of an order: one is settled, one swept, one in memory. */
static void the_clicks_of_a_session_are_blanked_wherever_they_are(void **state)
{
	const uint64_t ids[] = { 5, 6, 7 };
	struct rig *r = *state;
	struct sq *e = r->bare;
	struct bc_engine_fault fault = { 0 };
	struct bc_order order = { .has_click = true };
	put_one(e, (struct visit){ 5, 77, 500, TTL });
	put_range(e, 1000, 1000 + ROUND);
	put_one(e, (struct visit){ 6, 77, 501, TTL });
	put_range(e, 1000 + ROUND, 1000 + 2 * ROUND);
	put_one(e, (struct visit){ 7, 77, 502, TTL });
	assert_int_equal(sqlite3_exec(e->db, "UPDATE clicks SET token_hash = zeroblob(16)", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	e->fault = &fault;
	id_of(order.click, 6);
	assert_int_equal(sq_rows.blank_clicks(e, &order), 0);
	for (size_t i = 0; i < BC_COUNT(ids); i++) {
		struct bc_click click;
		uint8_t id[BC_CLICK_ID_BYTES];
		id_of(id, ids[i]);
		assert_int_equal(sq_rows.find_click(e, id, r->arena, &click), 1);
		assert_int_equal(click.token.len, 0);
	}
	assert_int_equal(number(e, "SELECT count(*) FROM clicks WHERE token = ''"), 3);
}

/* --- what goes ----------------------------------------------------------------------------- */

static void expired_clicks_leave_nothing_behind(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	uint64_t gone = 0, n;
	put_range(e, 0, FILLED);
	/* the oldest first, at most so many a call */
	assert_int_equal(purge(e, TTL + 2500, 1000), 1000);
	assert_int_equal(purge(e, TTL + 2500, 1000), 1000);
	assert_int_equal(purge(e, TTL + 2500, 1000), 501);
	assert_absent(r, 0, 2501);
	assert_found(r, 2501, FILLED);
	assert_sound(e);
	reopen(r);
	e = r->bare;
	assert_found(r, 2501, FILLED);
	while ((n = purge(e, TTL + FILLED, 20000)))
		gone += n;
	assert_int_equal(gone, FILLED - 2501);
	assert_absent(r, 0, FILLED);
	assert_int_equal(in_table(e), 0);
	assert_int_equal(number(e, "SELECT count(*) FROM click_expiry"), 0);
	assert_sound(e);
	reopen(r);
	put_range(r->bare, 0, 2 * BATCH);
	assert_found(r, 0, 2 * BATCH);
	assert_sound(r->bare);
}

/* The greatest rows are deleted, and their numbers given again after the restart. */
static void rows_that_are_given_again_meet_nothing_of_those_before(void **state)
{
	struct rig *r = *state;
	uint64_t n = 2 * ROUND - 100;
	put_range(r->bare, 0, n);
	begin(r->bare);
	for (uint64_t i = n - ROUND / 2; i < n; i++)
		assert_int_equal(delete_click(r->bare, i), 0);
	commit(r->bare);
	reopen(r);
	assert_found(r, 0, n - ROUND / 2);
	assert_absent(r, n - ROUND / 2, n);
	put_range(r->bare, 2 * n, 4 * n);
	assert_found(r, 0, n - ROUND / 2);
	assert_absent(r, n - ROUND / 2, n);
	assert_found(r, 2 * n, 4 * n);
	assert_sound(r->bare);
}

/* --- rollbacks ----------------------------------------------------------------------------- */

static void a_rollback_takes_back_what_was_added_and_nothing_else(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	put_range(e, 0, 500);
	begin(e);
	for (uint64_t i = 500; i < 600; i++)
		apply_click(e, visit_of(i));
	assert_found(r, 0, 600);
	bc_engine_sqlite.rollback(e);
	assert_found(r, 0, 500);
	assert_absent(r, 500, 600);
	put_range(e, 600, 700);
	assert_found(r, 0, 500);
	assert_found(r, 600, 700);
	assert_absent(r, 500, 600);
	assert_sound(e);
}

/* More than a whole sweep, and deletions on either side. */
static void a_rollback_of_what_was_settled_and_deleted_leaves_it_where_it_was(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	put_range(e, 0, FILLED);
	uint64_t settled = e->counts.settled.now, entries = in_table(e);
	for (int turn = 0; turn < 2; turn++) {
		begin(e);
		for (uint64_t i = FILLED; i < FILLED + 2 * ROUND; i++)
			apply_click(e, visit_of(i));
		for (uint64_t i = 0; i < FILLED; i += EVERY)
			assert_int_equal(delete_click(e, i), 0);
		assert_absent(r, 0, FILLED);
		assert_found(r, FILLED, FILLED + 2 * ROUND);
		bc_engine_sqlite.rollback(e);
		begin(e);
		assert_int_equal(e->counts.settled.now, settled);
		assert_int_equal(in_table(e), entries);
		assert_found(r, 0, FILLED);
		assert_absent(r, FILLED, FILLED + 2 * ROUND);
		commit(e);
	}
	put_range(e, FILLED, FILLED + 2 * ROUND);
	assert_found(r, 0, FILLED + 2 * ROUND);
	assert_sound(e);
}

static int refuse(void *ctx)
{
	(void)ctx;
	return 1;
}

static void until_memory_is_read_again_no_transaction_begins(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	struct bc_engine_fault fault = { 0 };
	put_range(e, 0, 3000);
	begin(e);
	assert_int_equal(delete_click(e, 5), 0);
	bc_engine_sqlite.rollback(e);
	sqlite3_progress_handler(e->db, 1, refuse, NULL);
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(bc_engine_sqlite.begin(e, &fault), BC_ESTORE);
		bc_engine_sqlite.rollback(e);
	}
	sqlite3_progress_handler(e->db, 0, NULL, NULL);
	begin(e);
	assert_found(r, 0, 3000);
	assert_int_equal(newest_of(r, 5), 6);
	commit(e);
	assert_sound(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(a_session_is_found_in_memory_and_in_the_table_and_after_a_restart),
		ENGINE_TEST(a_store_that_is_opened_often_settles_all_the_same),
		ENGINE_TEST(the_newest_click_of_a_session_wins_wherever_the_others_are),
		ENGINE_TEST(of_two_at_the_same_time_the_one_put_last_wins),
		ENGINE_TEST(the_clicks_of_a_session_are_blanked_wherever_they_are),
		ENGINE_TEST(expired_clicks_leave_nothing_behind),
		ENGINE_TEST(rows_that_are_given_again_meet_nothing_of_those_before),
		ENGINE_TEST(a_rollback_takes_back_what_was_added_and_nothing_else),
		ENGINE_TEST(a_rollback_of_what_was_settled_and_deleted_leaves_it_where_it_was),
		ENGINE_TEST(until_memory_is_read_again_no_transaction_begins),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
