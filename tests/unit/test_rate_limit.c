/* SPDX-License-Identifier: MIT */
/* How many permits an address gets, by a clock that the test turns; and what a full table does. */
#include "core/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "failing_malloc.h"

enum { BURST = 5, START_MS = 1000 * 1000 };
static const uint64_t per_second = 3600; /* one a second, as so many an hour */

static struct bc_rate_limit *limit;

static int setup(void **state)
{
	(void)state;
	limit = bc_rate_limit_create(per_second, BURST);
	return limit ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bc_rate_limit_destroy(limit);
	return 0;
}

static bool take(const char *text, uint64_t now_ms)
{
	struct bc_address a;
	assert_int_equal(bc_address_parse(bc_str_of(text), &a), 0);
	return bc_rate_limit_take(limit, &a, now_ms);
}

/* How many of tries are granted at that moment. */
static int taken(const char *text, uint64_t now_ms, int tries)
{
	int n = 0;
	while (tries--)
		n += take(text, now_ms);
	return n;
}

static void an_address_gets_its_burst_and_then_no_more(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", START_MS, 100), BURST);
	assert_int_equal(taken("10.0.0.1", START_MS + 999, 100), 0);
}

static void permits_come_back_at_the_rate(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", START_MS, 100), BURST);
	assert_int_equal(taken("10.0.0.1", START_MS + 1000, 100), 1);
	assert_int_equal(taken("10.0.0.1", START_MS + 3999, 100), 2);
	assert_int_equal(taken("10.0.0.1", START_MS + 4000, 100), 1);
}

static void no_more_than_the_burst_gather(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", START_MS, 100), BURST);
	assert_int_equal(taken("10.0.0.1", START_MS + 3600 * 1000, 100), BURST);
}

static void a_steady_asker_within_the_rate_is_never_refused(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 10000; i++)
		assert_true(take("10.0.0.1", START_MS + i * 1000));
}

static void who_is_refused_loses_nothing_by_asking(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", START_MS, 100000), BURST);
	assert_true(take("10.0.0.1", START_MS + 1000));
}

static void addresses_do_not_share(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", START_MS, 100), BURST);
	assert_int_equal(taken("10.0.0.2", START_MS, 100), BURST);
	assert_int_equal(taken("11.0.0.1", START_MS, 100), BURST);
	assert_int_equal(taken("2001:db8:0:1::1", START_MS, 100), BURST);
}

static void ipv6_counts_by_64_bits(void **state)
{
	(void)state;
	assert_int_equal(taken("2001:db8:0:1::1", START_MS, 3), 3);
	assert_int_equal(taken("2001:db8:0:1:ffff:ffff:ffff:ffff", START_MS, 100), BURST - 3);
	assert_int_equal(taken("2001:db8:0:2::1", START_MS, 100), BURST);
}

static void the_clock_may_begin_at_nothing(void **state)
{
	(void)state;
	assert_int_equal(taken("10.0.0.1", 0, 100), BURST);
	assert_int_equal(taken("10.0.0.1", 1, 100), 0);
}

static void a_change_of_the_rate_holds_for_those_who_are_known(void **state)
{
	(void)state;
	bc_rate_limit_set(limit, 1,
			  BURST); /* one an hour: it would be five hours until it is full */
	assert_int_equal(taken("10.0.0.1", START_MS, 100), BURST);
	bc_rate_limit_set(limit, per_second * 10, BURST);
	assert_int_equal(taken("10.0.0.1", START_MS + 1000, 100), 0);
	assert_int_equal(taken("10.0.0.1", START_MS + 1100, 100), 1);
	assert_int_equal(taken("10.0.0.1", START_MS + 2000, 100), BURST);
	bc_rate_limit_set(limit, per_second, 1);
	assert_int_equal(taken("10.0.0.1", START_MS + 3000, 100), 1);
}

static void the_largest_and_the_smallest_of_the_settings_work(void **state)
{
	(void)state;
	bc_rate_limit_set(limit, 1000000 * 3600ull, 1000000);
	assert_int_equal(taken("10.0.0.1", START_MS, 1000100), 1000000);
	assert_int_equal(taken("10.0.0.1", START_MS + 1, 2000), 1000);
	bc_rate_limit_set(limit, 1, 1000000);
	assert_int_equal(taken("10.0.0.2", START_MS, 1000100), 1000000);
	bc_rate_limit_set(limit, 1, 1);
	assert_int_equal(taken("10.0.0.3", START_MS, 3), 1);
	assert_int_equal(taken("10.0.0.3", START_MS + 3600 * 1000 - 1, 3), 0);
	assert_int_equal(taken("10.0.0.3", START_MS + 3600 * 1000, 3), 1);
}

/* A million addresses with a permit each go through a table of 65,536. */
static void a_flood_of_addresses_does_not_free_who_is_over_the_limit(void **state)
{
	(void)state;
	assert_int_equal(taken("192.0.2.1", START_MS, 100), BURST);
	for (uint32_t i = 0; i < 1000 * 1000; i++) {
		struct bc_address a;
		char text[16];
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
		assert_int_equal(bc_address_parse(bc_str_of(text), &a), 0);
		assert_true(bc_rate_limit_take(limit, &a, START_MS));
	}
	assert_int_equal(taken("192.0.2.1", START_MS, 100), 0);
}

static bool create(void *ctx)
{
	(void)ctx;
	struct bc_rate_limit *l = bc_rate_limit_create(1, 1);
	bc_rate_limit_destroy(l);
	return l != NULL;
}

static void without_memory_there_is_none(void **state)
{
	(void)state;
	each_allocation_failing(create, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_gets_its_burst_and_then_no_more),
		TEST(permits_come_back_at_the_rate),
		TEST(no_more_than_the_burst_gather),
		TEST(a_steady_asker_within_the_rate_is_never_refused),
		TEST(who_is_refused_loses_nothing_by_asking),
		TEST(addresses_do_not_share),
		TEST(ipv6_counts_by_64_bits),
		TEST(the_clock_may_begin_at_nothing),
		TEST(a_change_of_the_rate_holds_for_those_who_are_known),
		TEST(the_largest_and_the_smallest_of_the_settings_work),
		TEST(a_flood_of_addresses_does_not_free_who_is_over_the_limit),
		cmocka_unit_test(without_memory_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
