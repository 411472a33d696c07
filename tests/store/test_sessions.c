/* SPDX-License-Identifier: MIT */
/*
 * The clicks of a session in the sqlite engine: the newest are in memory, the others in a table,
 * and whoever asks must not notice. These tests drive the bare engine, and look into its file.
 *
 * Click i has the id and the session of its number and the time i + 1; sessions are spread as
 * hashes are.
 */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite_impl.h"

#ifdef BC_SANITIZED
enum { MANY = 150 * 1000, IS_PLAIN = 0 };
#else
enum { MANY = 1000 * 1000, IS_PLAIN = 1 };
#endif
enum {
	BATCH = 1024,
	ROUND = SQ_UNSETTLED_MAX / 2,	/* clicks until a sweep, and of one */
	FILLED = 2 * ROUND + ROUND / 2, /* some settled, some swept, some in memory; two parts */
	EVERY = 97,
	TTL = 1000 * 1000 * 1000,
	RSS_MAX_BYTES = 60 * 1024 * 1024,
	LOOK_MAX_US = 2000
};

/* --- helpers ------------------------------------------------------------------------------- */

static const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void hash_of(uint8_t *hash, uint64_t i)
{
	uint64_t words[2] = { mix(i + UINT64_C(0x9e3779b97f4a7c15)), i };
	memcpy(hash, words, BC_HASH_BYTES);
}

static void id_of(uint8_t *id, uint64_t i)
{
	memset(id, 0, BC_CLICK_ID_BYTES);
	for (int k = 0; k < 8; k++)
		id[k] = (uint8_t)(i >> (56 - 8 * k));
}

struct visit {
	uint64_t id, session, at, expires;
};

static struct visit visit_of(uint64_t i)
{
	return (struct visit){ i, i, i + 1, TTL + i };
}

/* In the transaction under way. */
static void apply_click(struct sq *e, struct visit visit)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_PUT_CLICK };
	struct bc_click *click = &op.in.put_click.click;
	id_of(click->id, visit.id);
	hash_of(click->session, visit.session);
	hash_of(click->token_hash, visit.id);
	click->has_session = true;
	click->token = BC_STR("token-of-a-click");
	click->partner = BC_STR("partner");
	click->product = BC_STR("default");
	click->captured_ms = visit.at;
	click->expires_ms = visit.expires;
	if (bc_engine_sqlite.apply(e, &op, &fault) || op.result)
		fail_msg("%s", fault.err.text);
}

static void begin(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.begin(e, &fault))
		fail_msg("%s", fault.err.text);
}

static void commit(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.commit(e, &fault))
		fail_msg("%s", fault.err.text);
	bc_engine_sqlite.tend(e, false, &fault);
	assert_int_equal(fault.err.code, 0);
}

static void put_one(struct sq *e, struct visit visit)
{
	begin(e);
	apply_click(e, visit);
	commit(e);
}

/* Clicks from a number up to another one. */
static void put_range(struct sq *e, uint64_t from, uint64_t to)
{
	while (from < to) {
		begin(e);
		for (unsigned k = 0; k < BATCH && from < to; k++)
			apply_click(e, visit_of(from++));
		commit(e);
	}
}

/* The time of the newest click that a session has; 0: none. */
static uint64_t newest_of(struct rig *r, uint64_t session)
{
	struct bc_engine_fault fault = { 0 };
	struct sq *e = r->bare;
	struct bc_click click;
	uint8_t hash[BC_HASH_BYTES];
	e->fault = &fault;
	hash_of(hash, session);
	bc_arena_reset(r->arena);
	int found = sq_rows.find_session_click(e, hash, r->arena, &click);
	if (found < 0)
		fail_msg("%s", fault.err.text);
	if (found)
		assert_memory_equal(click.session, hash, sizeof(hash));
	return found ? click.captured_ms : 0;
}

/* Looks at every 97th session, and the last. */
static void assert_found(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_int_equal(newest_of(r, i), i + 1);
	if (from < to)
		assert_int_equal(newest_of(r, to - 1), to);
}

static void assert_absent(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_int_equal(newest_of(r, i), 0);
}

static uint64_t number(struct sq *e, const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static uint64_t in_table(struct sq *e)
{
	return number(e, "SELECT count(*) FROM click_sessions");
}

/* The invariants that sqlite_sessions.c and sqlite_clicks.c state. */
static void assert_sound(struct sq *e)
{
	assert_int_equal(
		number(e,
		       "SELECT count(*) FROM click_sessions s LEFT JOIN clicks c ON c.row = s.row"
		       " WHERE c.session IS NOT s.session OR c.captured_ms IS NOT s.captured_ms"
		       " OR s.part <> s.row / 131072"),
		0);
	assert_int_equal(
		number(e, "SELECT count(*) FROM clicks c WHERE session IS NOT NULL AND row <="
			  " (SELECT n FROM counts WHERE name = 'clicks.settled') AND NOT EXISTS"
			  " (SELECT 1 FROM click_sessions s WHERE s.part = c.row / 131072"
			  " AND s.session = c.session AND s.row = c.row)"),
		0);
	assert_int_equal(number(e, "SELECT count(*) FROM click_expiry x LEFT JOIN clicks c"
				   " ON c.row = x.row WHERE c.expires_ms IS NOT x.expires_ms"),
			 0);
	assert_int_equal(number(e, "SELECT count(*) FROM clicks"),
			 e->counts.clicks.now + e->counts.late_clicks.now);
	assert_int_equal(number(e, "SELECT coalesce(max(n), 0) FROM counts WHERE name = 'clicks'"),
			 number(e, "SELECT count(*) FROM click_expiry"));
}

static void reopen(struct rig *r)
{
	struct bc_err err = { 0 };
	bc_engine_sqlite.close(r->bare);
	r->bare = NULL;
	if (bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, &err))
		fail_msg("%s", err.text);
}

static uint64_t purge(struct sq *e, uint64_t before_ms, uint32_t limit)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_PURGE };
	op.in.purge.clicks_before_ms = before_ms;
	op.in.purge.limit = limit;
	begin(e);
	assert_int_equal(bc_engine_sqlite.apply(e, &op, &fault), 0);
	commit(e);
	assert_int_equal(op.out.purge.more, op.out.purge.clicks == limit);
	return op.out.purge.clicks;
}

static int delete_click(struct sq *e, uint64_t i)
{
	struct bc_engine_fault fault = { 0 };
	struct bc_store_op op = { .kind = BC_STORE_DELETE_CLICK };
	id_of(op.in.delete_click, i);
	assert_int_equal(bc_engine_sqlite.apply(e, &op, &fault), 0);
	return op.result;
}

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

/* --- one visitor, a repaired store --------------------------------------------------------- */

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
	uint64_t last = number(e, "SELECT max(captured_ms) FROM clicks"), table = in_table(e);
	assert_int_equal(newest_of(r, 77), last);
	/* what is there already is not settled once more */
	put_one(e, (struct visit){ TTL, 77, last + 1, TTL });
	assert_true(in_table(e) < table + 3 * 128);
	assert_int_equal(newest_of(r, 77), last + 1);
	assert_sound(e);
}

static void a_store_that_does_not_say_what_is_settled_makes_it_anew(void **state)
{
	struct rig *r = *state;
	sqlite3 *db;
	put_range(r->bare, 0, FILLED);
	bc_engine_sqlite.close(r->bare);
	r->bare = NULL;
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DELETE FROM counts WHERE name = 'clicks.settled';"
				      "DELETE FROM click_sessions WHERE row % 3 = 0;"
				      "DELETE FROM click_expiry WHERE row % 5 = 0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, NULL), 0);
	assert_found(r, 0, FILLED);
	assert_sound(r->bare);
	put_range(r->bare, FILLED, FILLED + ROUND);
	reopen(r);
	assert_found(r, 0, FILLED + ROUND);
	assert_sound(r->bare);
}

/* --- kills --------------------------------------------------------------------------------- */

static void put_until_killed(const char *path, uint64_t from, int fd)
{
	void *e;
	if (bc_engine_sqlite.open(path, &bc_clock_system, &e, NULL))
		_exit(2);
	for (;;) {
		begin(e);
		for (unsigned k = 0; k < 100; k++)
			apply_click(e, visit_of(from++));
		commit(e);
		if (write(fd, &from, sizeof(from)) != sizeof(from))
			_exit(3);
	}
}

/* Returns how many clicks were acknowledged. */
static uint64_t put_and_kill(struct rig *r, uint64_t from, unsigned batches)
{
	int fds[2], status;
	uint64_t n = from, told;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		put_until_killed(path_of(r), from, fds[1]);
	close(fds[1]);
	while (batches-- && read(fds[0], &told, sizeof(told)) == sizeof(told))
		n = told;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &told, sizeof(told)) == sizeof(told))
		n = told;
	close(fds[0]);
	return n;
}

static void a_kill_in_the_middle_of_a_sweep_loses_nothing(void **state)
{
	struct rig *r = *state;
	unsigned seed = (unsigned)time(NULL);
	uint64_t n = ROUND;
	srand(seed);
	put_range(r->bare, 0, n);
	for (int turn = 0; turn < 6; turn++) {
		bc_engine_sqlite.close(r->bare);
		r->bare = NULL;
		n = put_and_kill(r, n, 30 + (unsigned)rand() % 150);
		assert_int_equal(
			bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, NULL), 0);
		assert_found(r, 0, n);
		assert_sound(r->bare);
		/* the batch that was not acknowledged may be there too: go on behind it */
		n = number(r->bare, "SELECT max(captured_ms) FROM clicks");
	}
	print_message("seed %u: %llu clicks, settled up to %llu\n", seed, (unsigned long long)n,
		      (unsigned long long)((struct sq *)r->bare)->counts.settled.now);
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
	put_range(r->bare, 0, MANY);
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
	assert_sound(r->bare);
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
		ENGINE_TEST(a_visitor_with_many_clicks_waits_for_them_himself),
		ENGINE_TEST(a_store_that_does_not_say_what_is_settled_makes_it_anew),
		ENGINE_TEST(a_kill_in_the_middle_of_a_sweep_loses_nothing),
		ENGINE_TEST(a_million_clicks_are_found_by_session_in_little_memory),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
