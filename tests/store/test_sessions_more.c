/* SPDX-License-Identifier: MIT */
/*
 * The clicks of a session when things get out of hand: one visitor has all of them, a store was
 * repaired, a process is killed, there are a million. Memory and time are held to their bounds by
 * the plain build alone.
 */
#include "sessions.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef BC_SANITIZED
enum { MANY = 150 * 1000, IS_PLAIN = 0 };
#else
enum { MANY = 1000 * 1000, IS_PLAIN = 1 };
#endif
enum { RSS_MAX_BYTES = 60 * 1024 * 1024, LOOK_MAX_US = 2000 };

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
	uint64_t last = number(e, "SELECT max(captured_ms) FROM clicks");
	assert_int_equal(newest_of(r, 77), last);
	/* what is there already is not settled once more */
	put_one(e, (struct visit){ TTL, 77, last + 1, TTL });
	assert_in_range(runs_of(e, SQ_SESSION_INSERT), 1, 3 * 128);
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
		ENGINE_TEST(a_visitor_with_many_clicks_waits_for_them_himself),
		ENGINE_TEST(a_store_that_does_not_say_what_is_settled_makes_it_anew),
		ENGINE_TEST(a_kill_in_the_middle_of_a_sweep_loses_nothing),
		ENGINE_TEST(a_million_clicks_are_found_by_session_in_little_memory),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("sessions, more", tests, NULL, NULL);
}
