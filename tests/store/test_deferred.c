/* SPDX-License-Identifier: MIT */
/*
 * What is so of each deferred index of the sqlite engine: the newest rows' entries are in memory,
 * the others in a table, and whoever asks must not notice: whatever was put, rolled back, repaired
 * or killed. Runs once for the sessions of clicks and once for the tokens of orders.
 */
#include "sessions.h"
#include "tokens.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- wherever it is ------------------------------------------------------------------------ */

static void a_row_is_found_in_memory_and_in_the_table_and_after_a_restart(void **state)
{
	struct rig *r = *state;
	const uint64_t round = subject->round;
	uint64_t from = 0;
	for (uint64_t to = round / 2; to <= filled(); to += round / 2, from += round / 2) {
		put_range(r, from, to);
		assert_found(r, 0, to);
		assert_absent(r, to, to + 10 * EVERY);
		assert_int_equal(in_table(r->bare) > 0, to > round);
		assert_true(in_table(r->bare) + round * 3 / 2 >= to);
	}
	put_range(r, from, filled());
	assert_int_equal(settled(r), round);
	assert_whole(r, filled());
	reopen(r);
	assert_whole(r, filled());
	put_range(r, filled(), filled() + round);
	assert_int_equal(settled(r), 2 * round);
	assert_whole(r, filled() + round);
}

static void a_store_that_is_opened_often_settles_all_the_same(void **state)
{
	struct rig *r = *state;
	const uint64_t round = subject->round;
	uint64_t n = 0;
	while (n < 4 * round) {
		put_range(r, n, n + round / 4 + 11);
		n += round / 4 + 11;
		reopen(r);
	}
	assert_true(in_table(r->bare) + round * 3 / 2 >= n);
	assert_whole(r, n);
}

static void harm_and_reopen(struct rig *r, const char *sql)
{
	sqlite3 *db;
	bc_engine_sqlite.close(r->bare);
	r->bare = NULL;
	assert_int_equal(sqlite3_open(path_of(r), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, subject->harm, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	reopen(r);
}

static void a_store_that_does_not_say_what_is_settled_makes_it_anew(void **state)
{
	struct rig *r = *state;
	put_range(r, 0, filled());
	harm_and_reopen(r, subject->unsaid);
	assert_whole(r, filled());
	put_range(r, filled(), filled() + subject->round);
	reopen(r);
	assert_whole(r, filled() + subject->round);
}

static void a_store_that_another_program_wrote_makes_it_anew(void **state)
{
	struct rig *r = *state;
	put_range(r, 0, filled());
	harm_and_reopen(r, "PRAGMA journal_mode = DELETE");
	assert_whole(r, filled());
	assert_int_equal(settled(r), filled());
	reopen(r);
	assert_whole(r, filled());
}

/* --- rollbacks ----------------------------------------------------------------------------- */

static void a_rollback_takes_back_what_was_added_and_nothing_else(void **state)
{
	struct rig *r = *state;
	put_range(r, 0, 500);
	begin(r->bare);
	apply_range(r, 500, 600);
	assert_found(r, 0, 600);
	bc_engine_sqlite.rollback(r->bare);
	assert_found(r, 0, 500);
	assert_absent(r, 500, 600);
	put_range(r, 600, 700);
	assert_absent(r, 500, 600);
	assert_found(r, 600, 700);
	assert_whole(r, 500);
}

/* More than a whole sweep. */
static void a_rollback_of_what_was_settled_leaves_it_where_it_was(void **state)
{
	struct rig *r = *state;
	const uint64_t n = filled(), more = 2 * subject->round;
	put_range(r, 0, n);
	uint64_t settled_row = settled(r), entries = in_table(r->bare);
	for (int turn = 0; turn < 2; turn++) {
		begin(r->bare);
		apply_range(r, n, n + more);
		assert_found(r, 0, n + more);
		bc_engine_sqlite.rollback(r->bare);
		assert_int_equal(settled(r), settled_row);
		begin(r->bare);
		assert_int_equal(in_table(r->bare), entries);
		assert_found(r, 0, n);
		assert_absent(r, n, n + more);
		commit(r->bare);
		assert_whole(r, n);
	}
	put_range(r, n, n + more);
	assert_whole(r, n + more);
	reopen(r);
	assert_whole(r, n + more);
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
	const uint64_t n = subject->round + 10;
	put_range(r, 0, n);
	begin(e);
	apply_range(r, n, n + subject->round / 4);
	bc_engine_sqlite.rollback(e);
	sqlite3_progress_handler(e->db, 1, refuse, NULL);
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(bc_engine_sqlite.begin(e, &fault), BC_ESTORE);
		bc_engine_sqlite.rollback(e);
	}
	sqlite3_progress_handler(e->db, 0, NULL, NULL);
	begin(e);
	commit(e);
	assert_whole(r, n);
	assert_absent(r, n, n + subject->round / 4);
}

/* --- kills --------------------------------------------------------------------------------- */

static void put_until_killed(struct rig *r, uint64_t from, int fd)
{
	if (bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, NULL))
		_exit(2);
	for (;;) {
		put_range(r, from, from + 100);
		from += 100;
		if (write(fd, &from, sizeof(from)) != sizeof(from))
			_exit(3);
	}
}

/* Returns how many were acknowledged. */
static uint64_t put_and_kill(struct rig *r, uint64_t from, unsigned batches)
{
	int fds[2], status;
	uint64_t n = from, told;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		put_until_killed(r, from, fds[1]);
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
	uint64_t n = subject->round;
	srand(seed);
	put_range(r, 0, n);
	for (int turn = 0; turn < 6; turn++) {
		bc_engine_sqlite.close(r->bare);
		r->bare = NULL;
		n = put_and_kill(r, n, 30 + (unsigned)rand() % 150);
		reopen(r);
		assert_whole(r, n);
		/* the batch that was not acknowledged may be there too: go on behind it */
		n = number(r->bare, subject->numbers);
	}
	print_message("seed %u: %llu %s, settled up to %llu\n", seed, (unsigned long long)n,
		      subject->name, (unsigned long long)settled(r));
}

int main(void)
{
	static const struct subject *const subjects[] = { &of_sessions, &of_tokens };
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(a_row_is_found_in_memory_and_in_the_table_and_after_a_restart),
		ENGINE_TEST(a_store_that_is_opened_often_settles_all_the_same),
		ENGINE_TEST(a_store_that_does_not_say_what_is_settled_makes_it_anew),
		ENGINE_TEST(a_store_that_another_program_wrote_makes_it_anew),
		ENGINE_TEST(a_rollback_takes_back_what_was_added_and_nothing_else),
		ENGINE_TEST(a_rollback_of_what_was_settled_leaves_it_where_it_was),
		ENGINE_TEST(until_memory_is_read_again_no_transaction_begins),
		ENGINE_TEST(a_kill_in_the_middle_of_a_sweep_loses_nothing),
	};
	int failed = 0;
	rig_engine = "sqlite";
	for (size_t i = 0; i < BC_COUNT(subjects); i++) {
		subject = subjects[i];
		failed += cmocka_run_group_tests_name(subject->name, tests, NULL, NULL);
	}
	return failed;
}
