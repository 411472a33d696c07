/* SPDX-License-Identifier: MIT */
/*
 * The clicks of a session in the sqlite engine, beyond what is so of each deferred index
 * (test_deferred.c): the newest one wins wherever it is, what expires is gone from everywhere, one
 * visitor may have all of them, and there may be a million. Memory and time are held to their
 * bounds by the plain build alone.
 */
#include "sessions.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef BC_SANITIZED
enum { MANY = 150 * 1000, IS_PLAIN = 0 };
#else
enum { MANY = 1000 * 1000, IS_PLAIN = 1 };
#endif
enum { RSS_MAX_BYTES = 60 * 1024 * 1024, LOOK_MAX_US = 2000 };
enum {
	ROUND = SQ_DEFERRED_ROUND(SQ_SESSIONS_BITS),
	FILLED = 2 * ROUND + ROUND / 2 + 300 /* see filled() */
};

/* --- wherever it is ------------------------------------------------------------------------ */

static void the_newest_click_of_a_session_wins_wherever_the_others_are(void **state)
{
	const uint64_t session = 77;
	struct rig *r = *state;
	struct sq *e = r->bare;
	put_one(e, (struct visit){ 1 << 30, session, TTL, 2 * TTL });
	put_range(r, 1000, 1000 + 2 * ROUND);
	assert_true(settled(r) > 0);
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
	assert_sound_clicks(e);
}

static void of_two_at_the_same_time_the_one_put_last_wins(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	struct bc_engine_fault fault = { 0 };
	struct bc_click click;
	uint8_t id[BC_CLICK_ID_BYTES], session[BC_HASH_BYTES];
	put_one(e, (struct visit){ 9, 77, 500, TTL });
	put_range(r, 1000, 1000 + 2 * ROUND);
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
	assert_sound_clicks(e);
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
	put_range(r, 1000, 1000 + ROUND);
	put_one(e, (struct visit){ 6, 77, 501, TTL });
	put_range(r, 1000 + ROUND, 1000 + 2 * ROUND);
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
	put_range(r, 0, FILLED);
	/* the oldest first, at most so many a call */
	assert_int_equal(purge(e, TTL + 2500, 1000), 1000);
	assert_int_equal(purge(e, TTL + 2500, 1000), 1000);
	assert_int_equal(purge(e, TTL + 2500, 1000), 501);
	assert_absent(r, 0, 2501);
	assert_found(r, 2501, FILLED);
	assert_sound_clicks(e);
	reopen(r);
	e = r->bare;
	assert_found(r, 2501, FILLED);
	while ((n = purge(e, TTL + FILLED, 20000)))
		gone += n;
	assert_int_equal(gone, FILLED - 2501);
	assert_absent(r, 0, FILLED);
	assert_int_equal(in_table(e), 0);
	assert_int_equal(number(e, "SELECT count(*) FROM click_expiry"), 0);
	assert_sound_clicks(e);
	reopen(r);
	put_range(r, 0, 2 * BATCH);
	assert_found(r, 0, 2 * BATCH);
	assert_sound_clicks(r->bare);
}

/* The greatest rows are deleted, and their numbers given again after the restart. */
static void rows_that_are_given_again_meet_nothing_of_those_before(void **state)
{
	struct rig *r = *state;
	uint64_t n = 2 * ROUND - 100;
	put_range(r, 0, n);
	begin(r->bare);
	for (uint64_t i = n - ROUND / 2; i < n; i++)
		assert_int_equal(delete_click(r->bare, i), 0);
	commit(r->bare);
	reopen(r);
	assert_found(r, 0, n - ROUND / 2);
	assert_absent(r, n - ROUND / 2, n);
	put_range(r, 2 * n, 4 * n);
	assert_found(r, 0, n - ROUND / 2);
	assert_absent(r, n - ROUND / 2, n);
	assert_found(r, 2 * n, 4 * n);
	assert_sound_clicks(r->bare);
}

/* --- rollbacks ----------------------------------------------------------------------------- */

/* More than a whole sweep, and deletions on either side. */
static void a_rollback_of_what_was_settled_and_deleted_leaves_it_where_it_was(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	put_range(r, 0, FILLED);
	uint64_t settled_row = settled(r), entries = in_table(e);
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
		assert_int_equal(settled(r), settled_row);
		assert_int_equal(in_table(e), entries);
		assert_found(r, 0, FILLED);
		assert_absent(r, FILLED, FILLED + 2 * ROUND);
		commit(e);
	}
	put_range(r, FILLED, FILLED + 2 * ROUND);
	assert_found(r, 0, FILLED + 2 * ROUND);
	assert_sound_clicks(e);
}

/* The whole first part is deleted, and asked for meanwhile. */
static void a_rollback_brings_back_the_first_clicks(void **state)
{
	struct rig *r = *state;
	struct sq *e = r->bare;
	struct bc_store_op op = { .kind = BC_STORE_PURGE };
	put_range(r, 0, FILLED);
	op.in.purge.clicks_before_ms = TTL + SQ_PART_ROWS;
	op.in.purge.limit = FILLED;
	begin(e);
	apply(e, &op);
	assert_int_equal(op.out.purge.clicks, SQ_PART_ROWS + 1);
	assert_absent(r, 0, SQ_PART_ROWS + 1);
	assert_found(r, SQ_PART_ROWS + 1, FILLED);
	bc_engine_sqlite.rollback(e);
	begin(e);
	assert_found(r, 0, FILLED);
	commit(e);
	assert_sound_clicks(e);
}

/* A part that began in this process says by itself whom it cannot have; one of before is searched.
 */
static void a_session_that_is_nobodys_is_not_searched_in_every_part(void **state)
{
	enum { NOBODYS = 1000, PARTS = FILLED / SQ_PART_ROWS + 1 };
	struct rig *r = *state;
	put_range(r, 0, FILLED);
	int before = runs_of(r->bare, SQ_SESSION_NEWEST);
	assert_absent(r, FILLED, FILLED + NOBODYS * EVERY);
	assert_in_range(runs_of(r->bare, SQ_SESSION_NEWEST) - before, 0, PARTS * NOBODYS / 5);
	assert_found(r, 0, FILLED);
	reopen(r);
	before = runs_of(r->bare, SQ_SESSION_NEWEST);
	assert_absent(r, FILLED, FILLED + NOBODYS * EVERY);
	assert_int_equal(runs_of(r->bare, SQ_SESSION_NEWEST) - before, PARTS * NOBODYS);
	put_range(r, FILLED, FILLED + ROUND);
	assert_found(r, 0, FILLED + ROUND);
}

/* --- one visitor --------------------------------------------------------------------------- */

static void a_visitor_with_many_clicks_waits_for_them_himself(void **state)
{
	enum { CLICKS = 20 * 1000 };
	struct rig *r = *state;
	struct sq *e = r->bare;
	for (uint64_t n = 0; n < CLICKS;) {
		begin(e);
		for (unsigned k = 0; k < BATCH; k++, n++)
			apply_click(e, (struct visit){ n, 77, n + 1, TTL });
		commit(e);
		assert_int_equal(newest_of(r, 77), n);
		assert_true(in_table(e) + 128 > n);
	}
	reopen(r);
	e = r->bare;
	uint64_t last = number(e, "SELECT max(captured_ms) FROM clicks");
	assert_int_equal(newest_of(r, 77), last);
	/* what is there already is not settled once more */
	put_one(e, (struct visit){ TTL, 77, last + 1, TTL });
	assert_in_range(runs_of(e, SQ_SESSION_INSERT), 1, 3 * 128);
	assert_int_equal(newest_of(r, 77), last + 1);
	assert_sound_clicks(e);
}

/* --- a million ----------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*s %lu", &pages), 1);
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void a_million_clicks_are_found_by_session_in_little_memory(void **state)
{
	struct rig *r = *state;
	unsigned looks = 0;
	put_range(r, 0, MANY);
	reopen(r);
	uint64_t began_us = cpu_us();
	for (uint64_t i = 0; i < MANY; i += 10 * EVERY, looks++)
		assert_int_equal(newest_of(r, i), i + 1);
	uint64_t look_us = (cpu_us() - began_us) / looks, bytes = resident_bytes();
	print_message("%d clicks: %llu us a look-up, %.1f MiB resident\n", MANY,
		      (unsigned long long)look_us, (double)bytes / 1024 / 1024);
	if (IS_PLAIN) {
		assert_true(bytes < RSS_MAX_BYTES);
		assert_true(look_us < LOOK_MAX_US);
	}
	assert_sound_clicks(r->bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(the_newest_click_of_a_session_wins_wherever_the_others_are),
		ENGINE_TEST(of_two_at_the_same_time_the_one_put_last_wins),
		ENGINE_TEST(the_clicks_of_a_session_are_blanked_wherever_they_are),
		ENGINE_TEST(expired_clicks_leave_nothing_behind),
		ENGINE_TEST(rows_that_are_given_again_meet_nothing_of_those_before),
		ENGINE_TEST(a_rollback_of_what_was_settled_and_deleted_leaves_it_where_it_was),
		ENGINE_TEST(a_rollback_brings_back_the_first_clicks),
		ENGINE_TEST(a_session_that_is_nobodys_is_not_searched_in_every_part),
		ENGINE_TEST(a_visitor_with_many_clicks_waits_for_them_himself),
		ENGINE_TEST(a_million_clicks_are_found_by_session_in_little_memory),
	};
	rig_engine = "sqlite";
	subject = &of_sessions;
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
