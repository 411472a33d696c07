/* SPDX-License-Identifier: MIT */
/* What is watched: each turn is told once, and what goes to and fro near a bound is not told all
 * night. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/watch.h"
#include "log_kept.h"

enum { MINUTE_MS = 60 * 1000, NOW_MS = 1000 * MINUTE_MS };
static const uint64_t mib = 1024 * 1024;

static uint64_t wall_ms(const struct bc_clock *clock)
{
	(void)clock;
	return NOW_MS;
}
static const struct bc_clock clock_at = { .wall_ms = wall_ms, .elapsed_ms = wall_ms };
static struct bc_shop shop = { .clock = &clock_at };
static struct bc_watch *watch;

static int setup(void **state)
{
	(void)state;
	if (!log_keep(BC_LOG_DEBUG))
		return -1;
	watch = bc_watch_create(&shop);
	return watch ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bc_watch_destroy(watch);
	log_keep_end();
	return 0;
}

/* So many lines so far say what to do: all but those that say that it is over. */
static void expect_hints(int count)
{
	assert_int_equal(lines_with(" hint="), count);
}

/* --- the store ------------------------------------------------------------------------------- */

static void look_store(bool writable, uint64_t at_ms)
{
	struct bc_store_stats stats = { .writable = writable };
	if (!writable)
		bc_err_tell(&stats.refused_err, BC_ESTORE, "make room", "the disk is full");
	bc_watch_store(watch, &stats, at_ms);
}

static void a_store_that_refuses_for_a_moment_wakes_nobody(void **state)
{
	(void)state;
	look_store(true, 1000);
	look_store(false, 2000);
	look_store(false, 2000 + BC_WATCH_STORE_BAD_MS - 1);
	look_store(true, 2000 + BC_WATCH_STORE_BAD_MS);
	look_store(false, 2001 + BC_WATCH_STORE_BAD_MS);
	assert_int_equal(lines_with("watch.state"), 0);
}

static void a_store_that_comes_and_goes_is_told_once_and_once_when_that_is_over(void **state)
{
	uint64_t at = 1000;
	(void)state;
	look_store(false, at);
	look_store(false, at += BC_WATCH_STORE_BAD_MS);
	assert_int_equal(lines_with("from=writable to=refusing reason=\"the disk is full\""), 1);
	for (int i = 0; i < 50; i++) {
		look_store(true, at += 1000);
		look_store(true, at += BC_WATCH_STORE_GOOD_MS / 2);
		look_store(false, at += BC_WATCH_STORE_BAD_MS);
	}
	assert_int_equal(lines_with("watch.state"), 1);
	look_store(true, at += 1000);
	look_store(true, at += BC_WATCH_STORE_GOOD_MS);
	look_store(true, at += BC_WATCH_STORE_GOOD_MS);
	assert_int_equal(lines_with("watch.state"), 2);
	assert_int_equal(lines_with("from=refusing to=writable"), 1);
	expect_hints(1);
}

static void a_broken_store_is_told_at_once_and_once(void **state)
{
	struct bc_store_stats stats = { .broken = true };
	(void)state;
	bc_err_tell(&stats.broken_err, BC_ESTORE, "restart", "an fsync failed");
	bc_watch_store(watch, &stats, 1000);
	bc_watch_store(watch, &stats, 2000);
	assert_int_equal(lines_with("DEBUG") + lines_with("debug"), 1); /* store.broken tells it */
	assert_int_equal(lines_with("to=broken reason=\"an fsync failed\" hint=restart"), 1);
	assert_int_equal(lines_with("watch.state"), 1);
}

/* --- its speed ------------------------------------------------------------------------------- */

/* So many commits in this minute, each of at most 2^bucket * 100 us. */
static void look_speed(uint32_t commits, int bucket, uint64_t at_ms)
{
	struct bc_store_stats stats = { .writable = true };
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	stats.minutes[0].number = (uint64_t)now.tv_sec / 60;
	stats.minutes[0].commit_us_bucket[bucket] = commits;
	bc_watch_store(watch, &stats, at_ms);
}

static void a_store_that_is_slow_for_long_is_told_once_and_once_when_it_is_fast_again(void **state)
{
	enum { FAST = 5, BETWEEN = 11, SLOW = 13 };
	uint64_t at = 1000;
	(void)state;
	look_speed(100, SLOW, at);
	look_speed(100, FAST, at += BC_WATCH_SPEED_MS - 1);
	look_speed(BC_WATCH_SPEED_COMMITS - 1, SLOW, at += 1);
	look_speed(BC_WATCH_SPEED_COMMITS - 1, SLOW, at += BC_WATCH_SPEED_MS);
	assert_int_equal(lines_with("watch.state"), 0);
	look_speed(BC_WATCH_SPEED_COMMITS, SLOW, at += 1);
	look_speed(BC_WATCH_SPEED_COMMITS, SLOW, at += BC_WATCH_SPEED_MS);
	assert_int_equal(lines_with("watch=store_speed.state from=normal to=slow"), 1);
	look_speed(100, BETWEEN, at += BC_WATCH_SPEED_MS);
	look_speed(100, FAST, at += 1);
	look_speed(100, SLOW, at += BC_WATCH_SPEED_MS);
	assert_int_equal(lines_with("watch.state"), 1);
	look_speed(100, FAST, at += 1);
	look_speed(100, FAST, at += BC_WATCH_SPEED_MS);
	assert_int_equal(lines_with("watch=store_speed.state from=slow to=normal"), 1);
	assert_int_equal(lines_with("watch.state"), 2);
	expect_hints(1);
}

/* --- the disk -------------------------------------------------------------------------------- */

static void look_disk(uint64_t free_mib)
{
	bc_watch_store(watch,
		       &(struct bc_store_stats){
			       .writable = true, .has_size = true, .free_bytes = free_mib * mib },
		       1000);
}

static void a_disk_that_stays_near_the_bound_is_told_once(void **state)
{
	(void)state;
	look_disk(BC_WATCH_DISK_BAD_MIB);
	assert_int_equal(lines_with("watch.state"), 0);
	for (int i = 0; i < 10; i++) {
		look_disk(BC_WATCH_DISK_BAD_MIB - 1);
		look_disk(BC_WATCH_DISK_GOOD_MIB - 1);
	}
	assert_int_equal(lines_with("watch.state"), 1);
	assert_int_equal(lines_with("from=normal to=low reason=\"255 MiB are free"), 1);
	look_disk(BC_WATCH_DISK_GOOD_MIB);
	assert_int_equal(lines_with("from=low to=normal"), 1);
	expect_hints(1);
}

static void an_engine_without_a_file_has_no_disk(void **state)
{
	(void)state;
	bc_watch_store(watch, &(struct bc_store_stats){ .writable = true }, 1000);
	assert_int_equal(lines_with("watch.state"), 0);
}

/* --- what waits ------------------------------------------------------------------------------ */

static struct bc_lane_count lane(const char *product, uint64_t age_ms, bool stands)
{
	return (struct bc_lane_count){ .partner = BC_STR("sovendus"),
				       .product = bc_str_of(product),
				       .pending = age_ms != 0,
				       .oldest_ms = age_ms ? NOW_MS - age_ms : 0,
				       .stands = stands };
}

static void look_lane(uint64_t age_ms, bool stands)
{
	struct bc_lane_count lanes[] = { lane("default", age_ms, stands) };
	bc_watch_lanes(watch, lanes, 1, 1000);
}

static void orders_that_wait_for_an_hour_are_told_once_and_once_when_none_does(void **state)
{
	(void)state;
	look_lane(BC_WATCH_PENDING_BAD_MS - 1, false);
	assert_int_equal(lines_with("watch.state"), 0);
	look_lane(BC_WATCH_PENDING_BAD_MS, false);
	look_lane(2 * (uint64_t)BC_WATCH_PENDING_BAD_MS, false);
	look_lane(BC_WATCH_PENDING_GOOD_MS, false);
	look_lane(BC_WATCH_PENDING_BAD_MS, false);
	assert_int_equal(lines_with("watch.state"), 1);
	assert_int_equal(lines_with("lane=sovendus.default from=normal to=old"), 1);
	look_lane(0, false);
	look_lane(0, false);
	assert_int_equal(lines_with("lane=sovendus.default from=old to=normal"), 1);
	assert_int_equal(lines_with("watch.state"), 2);
	expect_hints(1);
}

static void a_lane_that_stands_was_told_of_already(void **state)
{
	(void)state;
	look_lane(10 * (uint64_t)BC_WATCH_PENDING_BAD_MS, true);
	assert_int_equal(lines_with("watch.state"), 0);
	look_lane(10 * (uint64_t)BC_WATCH_PENDING_BAD_MS, false);
	assert_int_equal(lines_with("watch.state"), 1);
}

static void each_lane_is_watched_and_one_that_is_gone_waits_no_more(void **state)
{
	struct bc_lane_count lanes[] = { lane("default", BC_WATCH_PENDING_BAD_MS, false),
					 lane("hats", BC_WATCH_PENDING_BAD_MS, false),
					 lane("shoes", 1000, false) };
	(void)state;
	bc_watch_lanes(watch, lanes, 3, 1000);
	assert_int_equal(lines_with("to=old"), 2);
	bc_watch_lanes(watch, lanes, 1, 2000);
	assert_int_equal(lines_with("lane=sovendus.hats from=old to=normal"), 1);
	bc_watch_lanes(watch, NULL, 0, 3000);
	assert_int_equal(lines_with("to=normal"), 2);
}

/* --- the journal ----------------------------------------------------------------------------- */

static void look_journal(uint64_t lag_ms, uint64_t expired)
{
	struct bc_journal_view view = { .lag_ms = lag_ms, .expired = expired };
	bc_watch_journal(watch, &view, 1000);
}

static void a_journal_that_lags_for_an_hour_is_told_once(void **state)
{
	(void)state;
	look_journal(BC_WATCH_JOURNAL_BAD_MS - 1, 0);
	look_journal(BC_WATCH_JOURNAL_BAD_MS, 0);
	look_journal(BC_WATCH_JOURNAL_GOOD_MS, 0);
	look_journal(BC_WATCH_JOURNAL_BAD_MS, 0);
	assert_int_equal(lines_with("watch=journal_lag.state from=current to=behind"), 1);
	look_journal(0, 0);
	assert_int_equal(lines_with("watch=journal_lag.state from=behind to=current"), 1);
	assert_int_equal(lines_with("watch.state"), 2);
	expect_hints(1);
}

static void a_journal_that_forgot_is_told_each_time_that_it_did(void **state)
{
	(void)state;
	look_journal(0, 0);
	look_journal(0, 1);
	look_journal(0, 1);
	assert_int_equal(lines_with("watch=journal.expired to=expired"), 1);
	look_journal(0, 2);
	assert_int_equal(lines_with("watch=journal.expired to=expired"), 2);
	expect_hints(2);
}

/* --- the token ------------------------------------------------------------------------------- */

static void look_token(enum bc_token_state token, bool parked, uint64_t failures, uint64_t at_ms)
{
	struct bc_tokens_view view = { .state = token,
				       .parked = parked,
				       .failures = failures,
				       .expires_in_ms = 30 * MINUTE_MS };
	if (failures)
		bc_err_tell(&view.last, BC_EUNREACH, "see DNS", "no answer");
	bc_watch_token(watch, &view, at_ms);
}

static void a_token_that_nobody_renews_is_told_before_it_runs_out(void **state)
{
	uint64_t at = MINUTE_MS;
	(void)state;
	look_token(BC_TOKEN_FRESH, false, 0, at);
	look_token(BC_TOKEN_STALE, false, 1, at);
	look_token(BC_TOKEN_STALE, false, 9, at + BC_WATCH_TOKEN_BAD_MS - 1);
	assert_int_equal(lines_with("watch.state"), 0);
	look_token(BC_TOKEN_STALE, false, 9, at + BC_WATCH_TOKEN_BAD_MS);
	look_token(BC_TOKEN_NONE, false, 99, at + 2 * (uint64_t)BC_WATCH_TOKEN_BAD_MS);
	assert_int_equal(lines_with("from=ample to=short reason=\"it can be used for 30 more "
				    "minutes; no answer\" hint=\"see DNS\""),
			 1);
	look_token(BC_TOKEN_FRESH, false, 0, at + 3 * (uint64_t)BC_WATCH_TOKEN_BAD_MS);
	assert_int_equal(lines_with("from=short to=ample"), 1);
	assert_int_equal(lines_with("watch.state"), 2);
}

static void a_refused_credential_and_a_missing_token_are_told_elsewhere(void **state)
{
	(void)state;
	look_token(BC_TOKEN_STALE, true, 1, MINUTE_MS);
	look_token(BC_TOKEN_STALE, true, 2, MINUTE_MS + 2 * (uint64_t)BC_WATCH_TOKEN_BAD_MS);
	look_token(BC_TOKEN_NONE, false, 3, MINUTE_MS + 3 * (uint64_t)BC_WATCH_TOKEN_BAD_MS);
	look_token(BC_TOKEN_NONE, false, 4, MINUTE_MS + 5 * (uint64_t)BC_WATCH_TOKEN_BAD_MS);
	assert_int_equal(lines_with("watch.state"), 0);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(a_store_that_refuses_for_a_moment_wakes_nobody),
		WATCH_TEST(a_store_that_comes_and_goes_is_told_once_and_once_when_that_is_over),
		WATCH_TEST(a_broken_store_is_told_at_once_and_once),
		WATCH_TEST(
			a_store_that_is_slow_for_long_is_told_once_and_once_when_it_is_fast_again),
		WATCH_TEST(a_disk_that_stays_near_the_bound_is_told_once),
		WATCH_TEST(an_engine_without_a_file_has_no_disk),
		WATCH_TEST(orders_that_wait_for_an_hour_are_told_once_and_once_when_none_does),
		WATCH_TEST(a_lane_that_stands_was_told_of_already),
		WATCH_TEST(each_lane_is_watched_and_one_that_is_gone_waits_no_more),
		WATCH_TEST(a_journal_that_lags_for_an_hour_is_told_once),
		WATCH_TEST(a_journal_that_forgot_is_told_each_time_that_it_did),
		WATCH_TEST(a_token_that_nobody_renews_is_told_before_it_runs_out),
		WATCH_TEST(a_refused_credential_and_a_missing_token_are_told_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
