/* SPDX-License-Identifier: MIT */
/*
 * Retry times: the formula at its edges by hand and in between by a few hundred thousand random
 * draws, whose generator is seeded so that a failure repeats; Retry-After in each of its forms.
 */
#include <backchannel/partner.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "protocol/http_date.h"

#define SECOND_MS 1000ULL
#define HOUR_MS	  (3600 * SECOND_MS)
#define DAY_MS	  (24 * HOUR_MS)

static const struct bc_retry_policy usual = {
	.base_ms = 2 * SECOND_MS,
	.cap_ms = HOUR_MS,
	.deadline_ms = 72 * HOUR_MS,
};

/* xorshift64*: reproducible, good enough to draw cases. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 2685821657736338717ULL;
}

static void the_wait_doubles_up_to_the_cap(void **state)
{
	(void)state;
	static const uint64_t longest_s[] = { 2,   4,	8,    16,   32,	  64,  128,
					      256, 512, 1024, 2048, 3600, 3600 };
	for (unsigned n = 1; n <= BC_COUNT(longest_s); n++) {
		uint64_t longest = bc_retry_delay_ms(&usual, n, 0, UINT64_MAX);
		assert_int_equal(longest, longest_s[n - 1] * SECOND_MS);
		assert_int_equal(bc_retry_delay_ms(&usual, n, 0, 0), SECOND_MS);
	}
	assert_int_equal(bc_retry_delay_ms(&usual, 0, 0, UINT64_MAX), 2 * SECOND_MS);
	assert_int_equal(bc_retry_delay_ms(&usual, UINT_MAX, 0, UINT64_MAX), HOUR_MS);
}

static void the_floor_is_a_second_or_a_smaller_base(void **state)
{
	(void)state;
	struct bc_retry_policy quick = { .base_ms = 100, .cap_ms = 1000 };
	struct bc_retry_policy capped = { .base_ms = 2000, .cap_ms = 500 };
	struct bc_retry_policy none = { .base_ms = 0, .cap_ms = 1000 };
	assert_int_equal(bc_retry_delay_ms(&quick, 1, 0, 0), 100);
	assert_int_equal(bc_retry_delay_ms(&quick, 9, 0, 0), 100);
	assert_int_equal(bc_retry_delay_ms(&quick, 9, 0, UINT64_MAX), 1000);
	assert_int_equal(bc_retry_delay_ms(&capped, 5, 0, UINT64_MAX), 1000);
	assert_int_equal(bc_retry_delay_ms(&none, 5, 0, UINT64_MAX), 0);
}

static void retry_after_only_ever_raises_the_wait_and_by_two_hours_at_most(void **state)
{
	(void)state;
	assert_int_equal(bc_retry_delay_ms(&usual, 1, 30 * SECOND_MS, 0), 30 * SECOND_MS);
	assert_int_equal(bc_retry_delay_ms(&usual, 12, SECOND_MS, UINT64_MAX), HOUR_MS);
	assert_int_equal(bc_retry_delay_ms(&usual, 1, 2 * HOUR_MS, 0), 2 * HOUR_MS);
	assert_int_equal(bc_retry_delay_ms(&usual, 1, 2 * HOUR_MS + 1, 0), 2 * HOUR_MS);
	assert_int_equal(bc_retry_delay_ms(&usual, 1, UINT64_MAX, UINT64_MAX), 2 * HOUR_MS);
	struct bc_retry_policy slow = { .base_ms = 3 * HOUR_MS, .cap_ms = 3 * HOUR_MS };
	assert_int_equal(bc_retry_delay_ms(&slow, 1, UINT64_MAX, UINT64_MAX), 3 * HOUR_MS);
}

static void no_input_overflows(void **state)
{
	(void)state;
	struct bc_retry_policy huge = { .base_ms = UINT64_MAX, .cap_ms = UINT64_MAX };
	struct bc_retry_policy wide = { .base_ms = 1, .cap_ms = UINT64_MAX };
	struct bc_retry_policy odd = { .base_ms = 3, .cap_ms = UINT64_MAX - 1 };
	assert_int_equal(bc_retry_delay_ms(&huge, 1, 0, UINT64_MAX), UINT64_MAX);
	assert_int_equal(bc_retry_delay_ms(&huge, UINT_MAX, 0, 0), SECOND_MS);
	assert_int_equal(bc_retry_delay_ms(&wide, 64, 0, UINT64_MAX), 1ULL << 63);
	assert_int_equal(bc_retry_delay_ms(&wide, 65, 0, UINT64_MAX), UINT64_MAX);
	assert_int_equal(bc_retry_delay_ms(&odd, 63, 0, UINT64_MAX), 3ULL << 62);
	assert_int_equal(bc_retry_delay_ms(&odd, 64, 0, UINT64_MAX), UINT64_MAX - 1);
}

/* The ceiling by repeated addition, as a child would compute it. */
static uint64_t slow_ceiling(const struct bc_retry_policy *p, unsigned n)
{
	uint64_t ceiling = p->base_ms;
	for (unsigned i = 1; i < n && ceiling < p->cap_ms; i++)
		ceiling = ceiling > UINT64_MAX - ceiling ? UINT64_MAX : ceiling + ceiling;
	return ceiling < p->cap_ms ? ceiling : p->cap_ms;
}

static void every_draw_lies_between_floor_and_ceiling(void **state)
{
	(void)state;
	uint64_t seed = 0x5eed;
	for (int i = 0; i < 300000; i++) {
		struct bc_retry_policy p = {
			.base_ms = next_random(&seed) >> (next_random(&seed) % 60 + 1),
			.cap_ms = next_random(&seed) >> (next_random(&seed) % 64),
		};
		unsigned n = (unsigned)(next_random(&seed) % 80);
		uint64_t after = next_random(&seed) >> (next_random(&seed) % 64);
		uint64_t random = next_random(&seed);
		uint64_t floor = p.base_ms < SECOND_MS ? p.base_ms : SECOND_MS;
		uint64_t ceiling = slow_ceiling(&p, n);
		uint64_t plain = bc_retry_delay_ms(&p, n, 0, random);
		uint64_t raised = bc_retry_delay_ms(&p, n, after, random);
		uint64_t told = after < BC_RETRY_AFTER_MAX_MS ? after : BC_RETRY_AFTER_MAX_MS;
		assert_true(plain >= floor);
		assert_true(plain <= (ceiling > floor ? ceiling : floor));
		assert_true(raised == (plain > told ? plain : told));
		assert_true(plain == bc_retry_delay_ms(&p, n, 0, random));
		assert_true(plain <= bc_retry_delay_ms(&p, n, 0, random | 0xffff));
	}
}

static void draws_are_spread_evenly(void **state)
{
	(void)state;
	enum { BUCKETS = 32, DRAWS = 320000 };
	unsigned count[BUCKETS] = { 0 };
	uint64_t seed = 0xfa1;
	for (int i = 0; i < DRAWS; i++) {
		uint64_t ms = bc_retry_delay_ms(&usual, 12, 0, next_random(&seed));
		count[ms * BUCKETS / (HOUR_MS + 1)]++;
	}
	for (int i = 0; i < BUCKETS; i++) {
		assert_true(count[i] > DRAWS / BUCKETS * 95 / 100);
		assert_true(count[i] < DRAWS / BUCKETS * 105 / 100);
	}
}

#define NOW_MS	784111777000ULL /* Sun, 06 Nov 1994 08:49:37 GMT, the RFC's own example */
#define REFUSED (UINT64_MAX - 1)

static const struct {
	const char *value;
	const char *date;
	uint64_t ms; /* or REFUSED */
} headers[] = {
	{ "0", NULL, 0 },
	{ "120", NULL, 120000 },
	{ " 120\t", NULL, 120000 },
	{ "007", NULL, 7000 },
	{ "120", "Sun, 06 Nov 1994 08:00:00 GMT", 120000 },
	{ "18446744073709551", NULL, 18446744073709551000ULL },
	{ "18446744073709552", NULL, UINT64_MAX },
	{ "18446744073709551616", NULL, UINT64_MAX },
	{ "99999999999999999999999999999999", NULL, UINT64_MAX },
	{ "", NULL, REFUSED },
	{ " ", NULL, REFUSED },
	{ "-1", NULL, REFUSED },
	{ "+1", NULL, REFUSED },
	{ "1.5", NULL, REFUSED },
	{ "1 2", NULL, REFUSED },
	{ "0x10", NULL, REFUSED },
	{ "30s", NULL, REFUSED },
	{ "soon", NULL, REFUSED },
	/* Against our clock when the answer has no Date. */
	{ "Sun, 06 Nov 1994 08:50:37 GMT", NULL, 60000 },
	{ "Sunday, 06-Nov-94 08:50:37 GMT", NULL, 60000 },
	{ "Sun Nov  6 08:50:37 1994", NULL, 60000 },
	{ "Sun, 06 Nov 1994 08:49:37 GMT", NULL, 0 },
	{ "Sun, 06 Nov 1994 08:49:36 GMT", NULL, 0 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", NULL, 0 },
	{ "Mon, 07 Nov 1994 08:49:37 GMT", NULL, DAY_MS },
	/* Against theirs when it has one. */
	{ "Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT", 30000 },
	{ "Sun, 06 Nov 1994 06:00:10 GMT", "Sun Nov  6 06:00:00 1994", 10000 },
	{ "Sun, 06 Nov 1994 12:00:10 GMT", "Sunday, 06-Nov-94 12:00:00 GMT", 10000 },
	{ "Sun, 06 Nov 1994 06:00:00 GMT", "Sun, 06 Nov 1994 06:00:10 GMT", 0 },
	{ "Sun, 06 Nov 1994 08:50:37 GMT", "yesterday", 60000 },
	{ "Sun, 06 Nov 1994 08:50:37 GMT", "", 60000 },
};

static void retry_after_is_read_in_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(headers); i++) {
		uint64_t ms = REFUSED;
		int r = bc_retry_after_parse(headers[i].value, headers[i].date, NOW_MS, &ms);
		if (ms != headers[i].ms)
			fail_msg("\"%s\": %llu", headers[i].value, (unsigned long long)ms);
		assert_int_equal(r, headers[i].ms == REFUSED ? BC_EINVAL : 0);
	}
	uint64_t untouched = 7;
	assert_int_equal(bc_retry_after_parse(NULL, NULL, NOW_MS, &untouched), BC_EINVAL);
	assert_int_equal(untouched, 7);
}

static const struct {
	const char *text;
	uint64_t ms; /* or REFUSED */
} dates[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", NOW_MS },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", NOW_MS },
	{ "Sun Nov  6 08:49:37 1994", NOW_MS },
	{ "Sun Nov 16 08:49:37 1994", NOW_MS + 10 * DAY_MS },
	{ "Sun Nov 06 08:49:37 1994", NOW_MS },
	{ "  Sun, 06 Nov 1994 08:49:37 GMT\t", NOW_MS },
	{ "Mon, 06 Nov 1994 08:49:37 GMT", NOW_MS }, /* a wrong weekday harms nobody */
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Thu, 01 Jan 1970 00:00:01 GMT", 1000 },
	{ "Wed, 31 Dec 1969 23:59:59 GMT", 0 },
	{ "Sat, 01 Jan 0000 00:00:00 GMT", 0 },
	{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600000 },
	{ "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800000 },
	{ "Fri, 01 Mar 2024 00:00:00 GMT", 1709251200000 },
	{ "Mon, 01 Mar 2100 00:00:00 GMT", 4107542400000 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799000 },
	{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800000 }, /* a leap second */
	{ "Sun, 01 Jan 2017 00:00:00 GMT", 1483228800000 },
	{ "Tue, 30 Feb 2024 00:00:00 GMT", REFUSED },
	{ "Wed, 29 Feb 2023 00:00:00 GMT", REFUSED },
	{ "Mon, 29 Feb 2100 00:00:00 GMT", REFUSED },
	{ "Mon, 31 Jun 2024 00:00:00 GMT", REFUSED },
	{ "Mon, 00 Jun 2024 00:00:00 GMT", REFUSED },
	{ "Mon, 32 Jan 2024 00:00:00 GMT", REFUSED },
	{ "Sun, 06 Nov 1994 24:00:00 GMT", REFUSED },
	{ "Sun, 06 Nov 1994 08:60:00 GMT", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:61 GMT", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:37 gmt", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:37 +0000", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:37", REFUSED },
	{ "Sun, 06 Nov 1994 08:49:37 GMT!", REFUSED },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", REFUSED },
	{ "Sun, 06 nov 1994 08:49:37 GMT", REFUSED },
	{ "sun, 06 Nov 1994 08:49:37 GMT", REFUSED },
	{ "Sunday, 06 Nov 1994 08:49:37 GMT", REFUSED },
	{ "Sun, 06-Nov-1994 08:49:37 GMT", REFUSED },
	{ "Sun Nov 6 08:49:37 1994", REFUSED },
	{ "1994-11-06T08:49:37Z", REFUSED },
	{ "784111777", REFUSED },
	{ "Sun", REFUSED },
	{ "", REFUSED },
};

static void http_dates_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(dates); i++) {
		uint64_t ms = REFUSED;
		int r = bc_http_date_parse(bc_str_of(dates[i].text), NOW_MS, &ms);
		if (ms != dates[i].ms)
			fail_msg("\"%s\": %llu", dates[i].text, (unsigned long long)ms);
		assert_int_equal(r, dates[i].ms == REFUSED ? BC_EINVAL : 0);
	}
}

static const struct {
	const char *now;
	const char *text;
	const char *means;
} two_digits[] = {
	{ "Sun, 22 Nov 2026 00:00:00 GMT", "Sunday, 22-Nov-26 00:00:30 GMT",
	  "Sun, 22 Nov 2026 00:00:30 GMT" },
	{ "Sun, 22 Nov 2026 00:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
	  "Sun, 06 Nov 1994 08:49:37 GMT" },
	{ "Sun, 22 Nov 2026 00:00:00 GMT", "Sunday, 22-Nov-76 00:00:00 GMT",
	  "Sun, 22 Nov 2076 00:00:00 GMT" },
	{ "Sun, 22 Nov 2026 00:00:00 GMT", "Sunday, 22-Nov-77 00:00:00 GMT",
	  "Sun, 22 Nov 1977 00:00:00 GMT" },
	{ "Fri, 31 Dec 2099 12:00:00 GMT", "Friday, 31-Jan-49 00:00:00 GMT",
	  "Fri, 31 Jan 2149 00:00:00 GMT" },
	{ "Fri, 31 Dec 2099 12:00:00 GMT", "Friday, 01-Jan-00 00:00:00 GMT",
	  "Fri, 01 Jan 2100 00:00:00 GMT" },
};

static uint64_t full_date(const char *text)
{
	uint64_t ms = 0;
	assert_int_equal(bc_http_date_parse(bc_str_of(text), 0, &ms), 0);
	return ms;
}

static void two_digit_years_are_within_fifty_years_of_now(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(two_digits); i++) {
		uint64_t ms = 0;
		uint64_t now = full_date(two_digits[i].now);
		assert_int_equal(bc_http_date_parse(bc_str_of(two_digits[i].text), now, &ms), 0);
		assert_int_equal(ms, full_date(two_digits[i].means));
	}
	uint64_t ms = 7;
	assert_int_equal(bc_http_date_parse(bc_str_of(two_digits[0].text), UINT64_MAX, &ms), 0);
	assert_true(ms != 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_the_cap),
		cmocka_unit_test(the_floor_is_a_second_or_a_smaller_base),
		cmocka_unit_test(retry_after_only_ever_raises_the_wait_and_by_two_hours_at_most),
		cmocka_unit_test(no_input_overflows),
		cmocka_unit_test(every_draw_lies_between_floor_and_ceiling),
		cmocka_unit_test(draws_are_spread_evenly),
		cmocka_unit_test(retry_after_is_read_in_every_form),
		cmocka_unit_test(http_dates_are_read_strictly),
		cmocka_unit_test(two_digit_years_are_within_fifty_years_of_now),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
