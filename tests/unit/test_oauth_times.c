/* SPDX-License-Identifier: MIT */
/* Freshness: the margin, the drawn refresh, and what a token is good for at any time. */
#include <backchannel/oauth.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/attr.h"

enum { MINUTE_MS = 60 * 1000 };
#define DAY_MS (24ull * 60 * MINUTE_MS)

static const uint64_t draws[] = { 0, 1, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX };

static void a_margin_is_taken_off_the_life(void **state)
{
	static const struct {
		uint64_t life_ms, usable_ms;
	} lives[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 4, 3 },
		{ 1000, 750 },
		{ MINUTE_MS, 45 * 1000 },
		{ 4 * MINUTE_MS - 4, 3 * MINUTE_MS - 3 },
		{ 4 * MINUTE_MS, 3 * MINUTE_MS },
		{ 5 * MINUTE_MS, 4 * MINUTE_MS },
		{ DAY_MS, DAY_MS - MINUTE_MS },
		{ 7 * DAY_MS, 7 * DAY_MS - MINUTE_MS },
		{ 8 * DAY_MS, 7 * DAY_MS - MINUTE_MS },
		{ UINT64_MAX, 7 * DAY_MS - MINUTE_MS },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(lives); i++) {
		struct bc_oauth_times t = bc_oauth_times_of(100, lives[i].life_ms, 0);
		assert_int_equal(t.expires_ms, 100 + lives[i].usable_ms);
	}
}

static void a_refresh_lies_between_half_and_four_fifths(void **state)
{
	static const uint64_t lives[] = { 0, 1, 7, 999, 30000, 4 * MINUTE_MS, DAY_MS, 7 * DAY_MS };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(lives); i++) {
		uint64_t last = 0;
		for (size_t j = 0; j < BC_COUNT(draws); j++) {
			struct bc_oauth_times t = bc_oauth_times_of(1000, lives[i], draws[j]);
			uint64_t usable = t.expires_ms - 1000;
			uint64_t refresh = t.refresh_ms - 1000;
			assert_true(refresh >= usable / 2 && refresh * 10 <= usable * 8);
			assert_true(refresh >= last);
			last = refresh;
		}
	}
}

static void draws_use_the_whole_span(void **state)
{
	(void)state;
	uint64_t usable = DAY_MS - MINUTE_MS;
	assert_int_equal(bc_oauth_times_of(0, DAY_MS, 0).refresh_ms, usable / 2);
	assert_int_equal(bc_oauth_times_of(0, DAY_MS, UINT64_MAX).refresh_ms, usable / 10 * 8);
	uint64_t middle = bc_oauth_times_of(0, DAY_MS, 1ull << 63).refresh_ms;
	assert_true(middle > usable / 100 * 64 && middle < usable / 100 * 66);
}

static void a_token_is_fresh_then_stale_then_expired(void **state)
{
	(void)state;
	struct bc_oauth_times t = { .refresh_ms = 500, .expires_ms = 900 };
	assert_int_equal(bc_oauth_freshness_at(&t, 0), BC_OAUTH_FRESH);
	assert_int_equal(bc_oauth_freshness_at(&t, 499), BC_OAUTH_FRESH);
	assert_int_equal(bc_oauth_freshness_at(&t, 500), BC_OAUTH_STALE);
	assert_int_equal(bc_oauth_freshness_at(&t, 899), BC_OAUTH_STALE);
	assert_int_equal(bc_oauth_freshness_at(&t, 900), BC_OAUTH_EXPIRED);
	assert_int_equal(bc_oauth_freshness_at(&t, UINT64_MAX), BC_OAUTH_EXPIRED);
}

static void a_token_without_a_life_is_never_sent(void **state)
{
	(void)state;
	struct bc_oauth_times t = bc_oauth_times_of(1000, 0, UINT64_MAX);
	assert_int_equal(bc_oauth_freshness_at(&t, 1000), BC_OAUTH_EXPIRED);
}

static void the_end_of_time_does_not_wrap_around(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(draws); i++) {
		struct bc_oauth_times t = bc_oauth_times_of(UINT64_MAX - 5, DAY_MS, draws[i]);
		assert_true(t.expires_ms == UINT64_MAX && t.refresh_ms == UINT64_MAX);
		assert_int_equal(bc_oauth_freshness_at(&t, UINT64_MAX - 1), BC_OAUTH_FRESH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_margin_is_taken_off_the_life),
		cmocka_unit_test(a_refresh_lies_between_half_and_four_fifths),
		cmocka_unit_test(draws_use_the_whole_span),
		cmocka_unit_test(a_token_is_fresh_then_stale_then_expired),
		cmocka_unit_test(a_token_without_a_life_is_never_sent),
		cmocka_unit_test(the_end_of_time_does_not_wrap_around),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
