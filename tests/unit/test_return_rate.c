/* SPDX-License-Identifier: MIT */
/* The return rate: when it is low, that somebody is told once, and once when that is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/return_rate.h"
#include "log_kept.h"

static struct bc_shop shop = { .clock = &bc_clock_system };
static struct bc_shop_config config = { .return_rate_alert_pct = 50, .return_rate_orders = 10 };
static struct bc_return_rate *rate;

static int setup(void **state)
{
	(void)state;
	if (!log_keep(BC_LOG_INFO))
		return -1;
	rate = bc_return_rate_create(&shop);
	return rate ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bc_return_rate_destroy(rate);
	log_keep_end();
	return 0;
}

/* One look at the last 24 hours. */
static void look(const char *product, uint64_t delivered, uint64_t pending, uint64_t cancelled)
{
	struct bc_return_count count = { .partner = BC_STR("sovendus"),
					 .product = bc_str_of(product) };
	count.orders[1][BC_ORDER_DELIVERED] = delivered;
	count.orders[1][BC_ORDER_PENDING] = pending;
	count.orders[1][BC_ORDER_CANCELLED] = cancelled;
	bc_return_rate_look(rate, &config, &count, 1);
}

static void a_low_rate_is_told_once_and_once_when_it_is_over(void **state)
{
	(void)state;
	look("default", 4, 6, 0);
	look("default", 4, 6, 0);
	assert_int_equal(lines_with("return_rate.state"), 1);
	assert_int_equal(lines_with("to=low reason=\"4 of 10 conversions"), 1);
	look("default", 5, 5, 0);
	look("default", 5, 5, 0);
	assert_int_equal(lines_with("return_rate.state"), 2);
	assert_int_equal(lines_with("to=normal"), 1);
}

static void few_orders_say_nothing_and_cancelled_ones_do_not_count(void **state)
{
	(void)state;
	look("default", 0, 9, 0);
	look("default", 5, 4, 90);
	assert_int_equal(lines_with("return_rate.state"), 0);
}

static void a_threshold_of_0_is_off(void **state)
{
	(void)state;
	config.return_rate_alert_pct = 0;
	look("default", 0, 100, 0);
	config.return_rate_alert_pct = 50;
	assert_int_equal(lines_with("return_rate.state"), 0);
}

static void each_product_has_a_rate_of_its_own(void **state)
{
	(void)state;
	look("default", 0, 100, 0);
	look("shoes", 100, 0, 0);
	look("hats", 0, 100, 0);
	assert_int_equal(lines_with("to=low"), 2);
	look("hats", 100, 0, 0);
	assert_int_equal(lines_with("lane=sovendus.hats from=low to=normal"), 1);
	assert_int_equal(lines_with("to=normal"), 1);
}

#define RATE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RATE_TEST(a_low_rate_is_told_once_and_once_when_it_is_over),
		RATE_TEST(few_orders_say_nothing_and_cancelled_ones_do_not_count),
		RATE_TEST(a_threshold_of_0_is_off),
		RATE_TEST(each_product_has_a_rate_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
