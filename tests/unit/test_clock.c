/* SPDX-License-Identifier: MIT */
/* The two clocks and dates as text, the calendar's corners and the C library as second opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static void the_system_clocks_agree_with_the_kernel(void **state BC_UNUSED)
{
	const uint64_t elapsed = bc_elapsed_ms(&bc_clock_system);
	struct timespec now;
	uint64_t kernel_ms;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	kernel_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	assert_in_range(bc_wall_ms(&bc_clock_system), kernel_ms, kernel_ms + 60000);
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	kernel_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	assert_in_range(kernel_ms, elapsed, elapsed + 60000);
	assert_true(bc_elapsed_ms(&bc_clock_system) >= elapsed);
}

struct hand_clock {
	struct bc_clock clock;
	uint64_t now;
};

static uint64_t read_hand(const struct bc_clock *c)
{
	return BC_CONTAINER(c, struct hand_clock, clock)->now;
}

static void a_test_turns_its_own_clock(void **state BC_UNUSED)
{
	struct hand_clock hand = { .clock = { read_hand, read_hand }, .now = 5 };

	assert_int_equal(bc_wall_ms(&hand.clock), 5);
	hand.now = 7;
	assert_int_equal(bc_elapsed_ms(&hand.clock), 7);
}

static void assert_prints(uint64_t wall_ms, const char *expected)
{
	char text[BC_TIME_TEXT_BYTES];

	assert_ptr_equal(bc_time_format(wall_ms, text), text);
	assert_string_equal(text, expected);
}

static void times_are_printed_in_utc_with_milliseconds(void **state BC_UNUSED)
{
	assert_prints(0, "1970-01-01T00:00:00.000Z");
	assert_prints(1795308871123, "2026-11-22T00:54:31.123Z");
	assert_prints(951782399999, "2000-02-28T23:59:59.999Z");
	assert_prints(951782400000, "2000-02-29T00:00:00.000Z");
	assert_prints(4107542400000, "2100-03-01T00:00:00.000Z");
	assert_prints(253402300799999, "9999-12-31T23:59:59.999Z");
}

static void times_beyond_the_calendar_print_its_last_moment(void **state BC_UNUSED)
{
	assert_prints(253402300800000, "9999-12-31T23:59:59.999Z");
	assert_prints(UINT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void assert_reads(const char *text, uint64_t expected)
{
	uint64_t wall_ms = ~expected;

	if (bc_time_parse(bc_str_of(text), &wall_ms))
		fail_msg("\"%s\" was refused", text);
	if (wall_ms != expected)
		fail_msg("\"%s\" was read as %" PRIu64, text, wall_ms);
}

static void times_are_read_with_any_offset_and_fraction(void **state BC_UNUSED)
{
	assert_reads("1970-01-01T00:00:00Z", 0);
	assert_reads("2026-11-22T00:54:31.123Z", 1795308871123);
	assert_reads("2026-11-22t01:54:31.123+01:00", 1795308871123);
	assert_reads("2026-11-21 19:24:31.123-05:30", 1795308871123);
	assert_reads("2026-11-22T00:54:31z", 1795308871000);
	assert_reads("2026-11-22T00:54:31.5Z", 1795308871500);
	assert_reads("2026-11-22T00:54:31.1239999999999999999999Z", 1795308871123);
	assert_reads("2026-11-22T00:54:31-00:00", 1795308871000);
	assert_reads("1969-12-31T23:30:00-01:00", 1800000);
	assert_reads("2000-02-29T00:00:00Z", 951782400000);
	assert_reads("2016-12-31T23:59:60Z", 1483228800000);
	assert_reads("9999-12-31T23:59:59.999Z", 253402300799999);
}

static void what_is_no_time_is_refused_and_changes_nothing(void **state BC_UNUSED)
{
	static const char *const bad[] = {
		"",
		"2h",
		"2026-11-22",
		"2026-11-22T00:54Z",
		"2026-11-22T00:54:31",
		"2026-11-22T00:54:31.Z",
		"2026-11-22T00:54:31,5Z",
		"2026-11-22T00:54:31+0100",
		"2026-11-22T00:54:31+01",
		"2026-11-22T00:54:31+24:00",
		"2026-11-22T00:54:31+01:60",
		"2026-11-22T00:54:31Zx",
		" 2026-11-22T00:54:31Z",
		"2026-11-22T00:54:31Z ",
		"2026-13-22T00:54:31Z",
		"2026-00-22T00:54:31Z",
		"2026-11-00T00:54:31Z",
		"2026-11-31T00:54:31Z",
		"2026-02-29T00:54:31Z",
		"2100-02-29T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T00:60:00Z",
		"2026-11-22T00:00:61Z",
		"2026-1-22T00:54:31Z",
		"26-11-22T00:54:31Z",
		"+026-11-22T00:54:31Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"0000-01-01T00:00:00+23:59",
		"9999-12-31T23:59:59-00:01",
		"2026-11-22_00:54:31Z",
	};

	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		uint64_t wall_ms = 4711;

		if (bc_time_parse(bc_str_of(bad[i]), &wall_ms) != BC_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(wall_ms, 4711);
	}
	assert_int_equal(bc_time_parse((struct bc_str){ 0 }, &(uint64_t){ 0 }), BC_EINVAL);
	assert_int_equal(bc_time_parse(BC_STR("2026-11-22T00:54:31\0"), &(uint64_t){ 0 }),
			 BC_EINVAL);
}

/* Every prefix of a good time is refused, and is never read beyond its end. */
static void a_time_that_breaks_off_is_refused(void **state BC_UNUSED)
{
	static const char whole[] = "2026-11-22T01:54:31.123+01:00";

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		bc_autofree char *part = malloc(len);
		uint64_t wall_ms;

		for (size_t i = 0; i < len; i++)
			part[i] = whole[i];
		assert_int_equal(bc_time_parse((struct bc_str){ part, len }, &wall_ms), BC_EINVAL);
	}
}

/* Steps of a little more than a day, so that each day and each hour of it is met. */
static void every_day_for_centuries_is_what_the_c_library_says(void **state BC_UNUSED)
{
	for (uint64_t s = 0; s < 20000000000; s += 86400 * 3 + 4007) {
		const time_t seconds = (time_t)s;
		char text[BC_TIME_TEXT_BYTES], expected[64];
		struct tm tm;

		assert_non_null(gmtime_r(&seconds, &tm));
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, (int)(s % 1000));
		assert_string_equal(bc_time_format(s * 1000 + s % 1000, text), expected);
		assert_reads(text, s * 1000 + s % 1000);
	}
}

static void the_time_zone_of_the_machine_does_not_matter(void **state BC_UNUSED)
{
	assert_int_equal(setenv("TZ", "Pacific/Kiritimati", 1), 0);
	tzset();
	assert_prints(1795308871123, "2026-11-22T00:54:31.123Z");
	assert_reads("2026-11-22T00:54:31.123Z", 1795308871123);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_system_clocks_agree_with_the_kernel),
		cmocka_unit_test(a_test_turns_its_own_clock),
		cmocka_unit_test(times_are_printed_in_utc_with_milliseconds),
		cmocka_unit_test(times_beyond_the_calendar_print_its_last_moment),
		cmocka_unit_test(times_are_read_with_any_offset_and_fraction),
		cmocka_unit_test(what_is_no_time_is_refused_and_changes_nothing),
		cmocka_unit_test(a_time_that_breaks_off_is_refused),
		cmocka_unit_test(every_day_for_centuries_is_what_the_c_library_says),
		cmocka_unit_test(the_time_zone_of_the_machine_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
