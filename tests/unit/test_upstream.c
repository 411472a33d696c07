/* SPDX-License-Identifier: MIT */
/*
 * The shared sleep and the waking of those who waited. The clock is turned by hand or by a ticker
 * on the loop, at most 1 ms a millisecond: however slow the machine is, timers are then early or on
 * time and never late, so the bounds are asked for exactly.
 */
#include "core/upstream.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "failing_malloc.h"

enum { START_MS = 5000, MANY = 1000, GUARD_TICKS = 20000 };

static struct bc_loop *loop;
static atomic_uint_fast64_t now;
static struct bc_upstream upstream;
static struct bc_upstream_door *door;
static bool told_inline_is_wrong; /* set while the test itself calls the door */

static uint64_t read_now(const struct bc_clock *c)
{
	(void)c;
	return atomic_load(&now);
}

static const struct bc_clock clock_by_hand = { read_now, read_now };

/* --- who waits ------------------------------------------------------------------------------- */

struct caller {
	struct bc_upstream_wait wait;
	uint64_t told_ms; /* 0: not yet */
	unsigned times;
	bool open;
	void (*then)(struct caller *caller);
};

static struct caller callers[MANY];
static int told_count;

static void on_done(struct bc_upstream_wait *wait, bool open)
{
	struct caller *c = BC_CONTAINER(wait, struct caller, wait);
	assert_false(told_inline_is_wrong);
	assert_null(wait->door);
	c->told_ms = atomic_load(&now);
	c->open = open;
	c->times++;
	told_count++;
	if (c->then)
		c->then(c);
}

static bool enter(struct caller *c, uint64_t deadline_ms)
{
	c->wait.deadline_ms = deadline_ms;
	c->wait.done = on_done;
	told_inline_is_wrong = true;
	bool awake = bc_upstream_enter(door, &c->wait);
	told_inline_is_wrong = false;
	return awake;
}

static void enter_many(int count, uint64_t deadline_ms)
{
	for (int i = 0; i < count; i++)
		assert_false(enter(&callers[i], deadline_ms));
}

static int open_between(uint64_t from_ms, uint64_t to_ms)
{
	int count = 0;
	for (int i = 0; i < MANY; i++) {
		const struct caller *c = &callers[i];
		count += c->told_ms && c->open && c->told_ms >= from_ms && c->told_ms < to_ms;
	}
	return count;
}

static int setup(void **state)
{
	(void)state;
	memset(callers, 0, sizeof(callers));
	told_count = 0;
	atomic_store(&now, START_MS);
	bc_upstream_init(&upstream, &clock_by_hand);
	return bc_loop_create(&loop, NULL) || bc_upstream_door_create(loop, &upstream, &door, NULL);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++)
		bc_upstream_cancel(&callers[i].wait); /* left by a test that failed */
	bc_upstream_door_destroy(door);
	door = NULL;
	bc_loop_destroy(loop);
	return 0;
}

/* --- time ------------------------------------------------------------------------------------ */

struct ticker {
	struct bc_timer *timer;
	bool turns_clock;
	uint64_t until_ms; /* the clock's; 0: until so many were told */
	int told, ticks;
};

static void tick(void *ctx)
{
	struct ticker *t = ctx;
	if (t->turns_clock)
		atomic_fetch_add(&now, 1);
	bool over = t->until_ms ? atomic_load(&now) >= t->until_ms : told_count >= t->told;
	if (over || ++t->ticks > GUARD_TICKS)
		bc_loop_stop(loop);
	else
		bc_timer_start(t->timer, 1);
}

static void run(struct ticker t)
{
	t.timer = bc_timer_create(loop, tick, &t);
	assert_non_null(t.timer);
	bc_timer_start(t.timer, 1);
	bc_loop_run(loop);
	bc_timer_destroy(t.timer);
	assert_true(t.ticks <= GUARD_TICKS);
}

static void run_to(uint64_t until_ms)
{
	run((struct ticker){ .turns_clock = true, .until_ms = until_ms });
}

static void run_until_told(int count)
{
	run((struct ticker){ .turns_clock = true, .told = count });
}

/* The clock stands still. */
static void run_until_told_at_once(int count)
{
	run((struct ticker){ .told = count });
}

/* --- the sleep itself ------------------------------------------------------------------------ */

static void awake_everybody_goes_on_without_a_call(void **state)
{
	(void)state;
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 0);
	assert_true(enter(&callers[0], 0));
	assert_null(callers[0].wait.door);
	bc_upstream_sleep(&upstream, 0);
	assert_true(enter(&callers[0], 0));
	assert_int_equal(atomic_load(&upstream.sleeps), 0);
	run_to(START_MS + 20);
	assert_int_equal(told_count, 0);
}

static void a_sleep_is_only_ever_made_longer(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 1000);
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 1001);
	bc_upstream_sleep(&upstream, 500);
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 1001);
	bc_upstream_sleep(&upstream, 3000);
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 3001);
	assert_int_equal(atomic_load(&upstream.sleeps), 1);
	atomic_store(&now, START_MS + 3001);
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 0);
	bc_upstream_sleep(&upstream, 10);
	assert_int_equal(atomic_load(&upstream.sleeps), 2);
}

static void a_sleep_without_end_does_not_wrap_around(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, UINT64_MAX);
	assert_true(bc_upstream_asleep_ms(&upstream) > UINT64_MAX - START_MS - 2);
	bc_upstream_sleep(&upstream, UINT64_MAX - START_MS);
	assert_true(bc_upstream_asleep_ms(&upstream) > UINT64_MAX - START_MS - 2);
}

static void *sleep_often(void *arg)
{
	for (uint64_t i = 0; i < 20000; i++)
		bc_upstream_sleep(&upstream, (i * 7919 + *(int *)arg) % 10007);
	return NULL;
}

static void of_many_threads_the_longest_sleep_counts(void **state)
{
	pthread_t threads[4];
	int salts[4] = { 0, 1, 2, 3 };
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_often, &salts[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(bc_upstream_asleep_ms(&upstream), 10007);
	assert_int_equal(atomic_load(&upstream.sleeps), 1);
}

/* --- waking ---------------------------------------------------------------------------------- */

static void one_who_waits_goes_on_within_100_ms_of_the_end_and_never_before(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 200);
	enter_many(1, UINT64_MAX);
	run_until_told(1);
	assert_true(callers[0].open);
	assert_true(callers[0].told_ms > START_MS + 200);
	assert_true(callers[0].told_ms <= START_MS + 300);
}

static void assert_spread(int count, uint64_t end_ms)
{
	assert_int_equal(open_between(0, end_ms), 0);
	assert_true(open_between(end_ms, end_ms + 50) <= count / 2);
	assert_int_equal(open_between(end_ms, end_ms + 501), count);
	for (int i = 0; i < count; i++)
		assert_int_equal(callers[i].times, 1);
}

static void any_number_wakes_without_a_burst(void **state)
{
	static const int counts[] = { 1, 2, 3, 7, 100, MANY };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(counts); i++) {
		memset(callers, 0, sizeof(callers));
		told_count = 0;
		bc_upstream_sleep(&upstream, 80);
		uint64_t end = atomic_load(&upstream.asleep_until_ms);
		enter_many(counts[i], UINT64_MAX);
		run_until_told(counts[i]);
		assert_spread(counts[i], end);
	}
}

static void no_millisecond_sees_more_than_a_fraction_of_them(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 80);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	enter_many(MANY, UINT64_MAX);
	run_until_told(MANY);
	for (uint64_t ms = 0; ms < 500; ms++)
		assert_true(open_between(end + ms, end + ms + 1) <= MANY / 20);
}

static void who_came_first_goes_first(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 50);
	enter_many(MANY, UINT64_MAX);
	run_until_told(MANY);
	for (int i = 1; i < MANY; i++)
		assert_true(callers[i - 1].told_ms <= callers[i].told_ms);
}

static void by_the_systems_clock_a_sleep_is_not_undercut_either(void **state)
{
	(void)state;
	bc_upstream_init(&upstream, &bc_clock_system);
	uint64_t before = bc_elapsed_ms(&bc_clock_system);
	bc_upstream_sleep(&upstream, 120);
	enter_many(10, UINT64_MAX);
	run_until_told_at_once(1);
	assert_true(callers[0].open);
	assert_true(bc_elapsed_ms(&bc_clock_system) > before + 120);
	run_until_told_at_once(10);
	assert_true(bc_elapsed_ms(&bc_clock_system) > before + 120 + 60);
}

/* Timers don't count a suspend; the clock does. */
static void a_sleep_that_ends_during_a_suspend_is_over_right_after_it(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 3600 * 1000);
	enter_many(4, UINT64_MAX);
	run_to(START_MS + 100);
	assert_int_equal(told_count, 0);
	uint64_t resumed = START_MS + 3600 * 1000 + 500;
	atomic_store(&now, resumed);
	run_until_told(4);
	assert_int_equal(open_between(resumed, resumed + 601), 4);
	assert_true(callers[0].told_ms <= resumed + 100);
}

static void who_comes_while_the_others_wake_goes_on(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 50);
	enter_many(10, UINT64_MAX);
	run_until_told(2);
	assert_true(enter(&callers[10], UINT64_MAX));
	run_until_told(10);
	assert_int_equal(callers[10].times, 0);
}

static void sleep_again(struct caller *caller)
{
	(void)caller;
	bc_upstream_sleep(&upstream, 200);
}

static void those_not_yet_woken_wait_again_when_it_falls_asleep_once_more(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 50);
	callers[30].then = sleep_again;
	enter_many(MANY, UINT64_MAX);
	run_until_told(31);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	assert_true(end >= callers[30].told_ms + 200);
	run_to(end - 1);
	assert_int_equal(told_count, 31);
	run_until_told(MANY);
	assert_int_equal(open_between(0, end), 31);
	assert_true(open_between(end, end + 50) <= (MANY - 31) / 2);
	assert_int_equal(open_between(end, end + 501), MANY - 31);
}

static void a_longer_sleep_holds_those_who_wait_already(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 60);
	enter_many(5, UINT64_MAX);
	run_to(START_MS + 40);
	bc_upstream_sleep(&upstream, 300);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	run_until_told(5);
	assert_spread(5, end);
}

static void a_woken_caller_may_enter_again(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 50);
	enter_many(1, UINT64_MAX);
	run_until_told(1);
	bc_upstream_sleep(&upstream, 50);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	assert_false(enter(&callers[0], UINT64_MAX));
	run_until_told(2);
	assert_int_equal(callers[0].times, 2);
	assert_true(callers[0].told_ms >= end);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void a_deadline_before_the_end_is_told_at_once(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 30000);
	assert_false(enter(&callers[0], UINT64_MAX));
	assert_false(enter(&callers[1], START_MS + 15000));
	assert_false(enter(&callers[2], 0));
	assert_false(enter(&callers[3], START_MS + 30001 + 1000));
	run_until_told_at_once(2);
	run_to(START_MS + 100);
	assert_int_equal(told_count, 2);
	assert_true(callers[1].times == 1 && !callers[1].open);
	assert_true(callers[2].times == 1 && !callers[2].open);
	bc_upstream_cancel(&callers[0].wait);
	bc_upstream_cancel(&callers[3].wait);
}

static void who_comes_late_with_an_early_deadline_is_told_at_once_too(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 30000);
	assert_false(enter(&callers[0], UINT64_MAX));
	run_to(START_MS + 100);
	assert_false(enter(&callers[1], START_MS + 15000));
	run_until_told_at_once(1);
	assert_true(callers[1].times == 1 && !callers[1].open);
	assert_int_equal(callers[0].times, 0);
	bc_upstream_cancel(&callers[0].wait);
}

static void a_deadline_that_a_longer_sleep_overtakes_is_told_then(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 1000);
	assert_false(enter(&callers[0], START_MS + 5000));
	run_to(START_MS + 100);
	assert_int_equal(told_count, 0);
	bc_upstream_sleep(&upstream, 10000);
	run_until_told_at_once(1);
	assert_false(callers[0].open);
}

static void whose_turn_to_wake_comes_after_his_deadline_is_told_when_it_wakes(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 50);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	enter_many(100, end + 200);
	run_until_told(100);
	int opened = open_between(end, end + 201);
	assert_true(opened >= 50 && opened < 100);
	for (int i = 0; i < 100; i++) {
		if (!callers[i].open)
			assert_true(callers[i].told_ms >= end && callers[i].told_ms <= end + 50);
	}
}

/* --- leaving --------------------------------------------------------------------------------- */

static void a_cancelled_wait_is_never_told(void **state)
{
	(void)state;
	struct bc_upstream_wait idle = { .done = on_done };
	bc_upstream_cancel(&idle);
	bc_upstream_sleep(&upstream, 50);
	enter_many(3, UINT64_MAX);
	bc_upstream_cancel(&callers[0].wait);
	bc_upstream_cancel(&callers[2].wait);
	bc_upstream_cancel(&callers[2].wait);
	run_to(START_MS + 600);
	assert_int_equal(told_count, 1);
	assert_int_equal(callers[1].times, 1);
}

static void cancel_the_others(struct caller *caller)
{
	for (int i = 0; i < 20; i++) {
		if (&callers[i] != caller)
			bc_upstream_cancel(&callers[i].wait);
	}
}

static void the_others_may_be_cancelled_by_one_that_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		callers[i].then = cancel_the_others;
	bc_upstream_sleep(&upstream, 50);
	enter_many(10, UINT64_MAX);
	for (int i = 10; i < 20; i++)
		assert_false(enter(&callers[i], START_MS));
	run_to(START_MS + 600);
	assert_int_equal(told_count, 1);
	assert_int_equal(callers[10].times, 1);
}

static void destroy_the_door(struct caller *caller)
{
	(void)caller;
	bc_upstream_door_destroy(door);
	door = NULL;
}

static void the_last_one_may_destroy_the_door(void **state)
{
	(void)state;
	callers[1].then = destroy_the_door;
	bc_upstream_sleep(&upstream, 50);
	enter_many(2, UINT64_MAX);
	run_until_told(2);
	assert_null(door);
	bc_upstream_door_destroy(NULL);
}

static void all_who_wait_may_leave_and_others_come(void **state)
{
	(void)state;
	bc_upstream_sleep(&upstream, 100);
	uint64_t end = atomic_load(&upstream.asleep_until_ms);
	for (int round = 0; round < 3; round++) {
		enter_many(10, UINT64_MAX);
		for (int i = 0; i < 10; i++)
			bc_upstream_cancel(&callers[i].wait);
		run_to(atomic_load(&now) + 20);
	}
	enter_many(10, UINT64_MAX);
	run_until_told(10);
	assert_spread(10, end);
}

static bool make_a_door(void *ctx)
{
	struct bc_upstream_door *made = NULL;
	struct bc_err err = { 0 };
	(void)ctx;
	int r = bc_upstream_door_create(loop, &upstream, &made, &err);
	assert_true(r == 0 || (r == BC_ENOMEM && err.code == BC_ENOMEM && !made));
	bc_upstream_door_destroy(made);
	return r == 0;
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(make_a_door, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(awake_everybody_goes_on_without_a_call),
		TEST(a_sleep_is_only_ever_made_longer),
		TEST(a_sleep_without_end_does_not_wrap_around),
		TEST(of_many_threads_the_longest_sleep_counts),
		TEST(one_who_waits_goes_on_within_100_ms_of_the_end_and_never_before),
		TEST(any_number_wakes_without_a_burst),
		TEST(no_millisecond_sees_more_than_a_fraction_of_them),
		TEST(who_came_first_goes_first),
		TEST(by_the_systems_clock_a_sleep_is_not_undercut_either),
		TEST(a_sleep_that_ends_during_a_suspend_is_over_right_after_it),
		TEST(who_comes_while_the_others_wake_goes_on),
		TEST(those_not_yet_woken_wait_again_when_it_falls_asleep_once_more),
		TEST(a_longer_sleep_holds_those_who_wait_already),
		TEST(a_woken_caller_may_enter_again),
		TEST(a_deadline_before_the_end_is_told_at_once),
		TEST(who_comes_late_with_an_early_deadline_is_told_at_once_too),
		TEST(a_deadline_that_a_longer_sleep_overtakes_is_told_then),
		TEST(whose_turn_to_wake_comes_after_his_deadline_is_told_when_it_wakes),
		TEST(a_cancelled_wait_is_never_told),
		TEST(the_others_may_be_cancelled_by_one_that_is_told),
		TEST(the_last_one_may_destroy_the_door),
		TEST(all_who_wait_may_leave_and_others_come),
		TEST(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
