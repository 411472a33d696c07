/* SPDX-License-Identifier: MIT */
/* Numbers and units: what is read, what is refused, and that printing and reading agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

typedef int parse_fn(struct bc_str s, uint64_t *ret_value);
typedef char *format_fn(uint64_t value, char *text, size_t text_bytes);

static const uint64_t second = 1000, minute = 60000, hour = 3600000, day = 86400000;

static void assert_reads(parse_fn *parse, const char *text, uint64_t expected)
{
	uint64_t value = ~expected;

	if (parse(bc_str_of(text), &value))
		fail_msg("\"%s\" was refused", text);
	if (value != expected)
		fail_msg("\"%s\" was read as %ju", text, (uintmax_t)value);
}

static void assert_refuses(parse_fn *parse, const char *const *texts)
{
	for (; *texts; texts++) {
		uint64_t value = 4711;

		if (parse(bc_str_of(*texts), &value) != BC_EINVAL)
			fail_msg("\"%s\" was taken", *texts);
		assert_int_equal(value, 4711);
	}
	assert_int_equal(parse((struct bc_str){ 0 }, &(uint64_t){ 0 }), BC_EINVAL);
}

static void assert_prints(format_fn *format, uint64_t value, const char *expected)
{
	char text[24];

	assert_ptr_equal(format(value, text, sizeof(text)), text);
	assert_string_equal(text, expected);
}

static void whole_numbers_are_read_to_their_limit(void **state BC_UNUSED)
{
	static const char *const bad[] = { "",	   "-1",
					   "+1",   " 1",
					   "1 ",   "1.0",
					   "0x10", "18446744073709551616",
					   "1e3",  "99999999999999999999999",
					   "a",	   NULL };

	assert_reads(bc_parse_u64, "0", 0);
	assert_reads(bc_parse_u64, "007", 7);
	assert_reads(bc_parse_u64, "18446744073709551615", UINT64_MAX);
	assert_refuses(bc_parse_u64, bad);
	assert_int_equal(bc_parse_u64(BC_STR("1\0"), &(uint64_t){ 0 }), BC_EINVAL);
}

static void durations_need_a_unit(void **state BC_UNUSED)
{
	static const char *const bad[] = { "",	 "5",	  "00",	  "s",	"5 s", "-5s",  "1.5h",
					   "5S", "1h30m", "5sec", "5w", "ms",  "5ms ", NULL };

	assert_reads(bc_parse_duration_ms, "0", 0);
	assert_reads(bc_parse_duration_ms, "0s", 0);
	assert_reads(bc_parse_duration_ms, "250ms", 250);
	assert_reads(bc_parse_duration_ms, "5s", 5 * second);
	assert_reads(bc_parse_duration_ms, "15m", 15 * minute);
	assert_reads(bc_parse_duration_ms, "24h", day);
	assert_reads(bc_parse_duration_ms, "30d", 30 * day);
	assert_refuses(bc_parse_duration_ms, bad);
}

static void durations_that_overflow_are_refused(void **state BC_UNUSED)
{
	static const char *const bad[] = { "18446744073709551616ms", "18446744073709552s",
					   "213503982335d", NULL };

	assert_reads(bc_parse_duration_ms, "18446744073709551615ms", UINT64_MAX);
	assert_reads(bc_parse_duration_ms, "213503982334d", 213503982334 * day);
	assert_refuses(bc_parse_duration_ms, bad);
}

static void sizes_know_powers_of_1024_and_of_1000(void **state BC_UNUSED)
{
	static const char *const bad[] = { "",
					   "KiB",
					   "1 KiB",
					   "-1",
					   "1.5MiB",
					   "64K",
					   "1TiB",
					   "18446744073GB1",
					   "17179869184GiB",
					   NULL };

	assert_reads(bc_parse_bytes, "0", 0);
	assert_reads(bc_parse_bytes, "512", 512);
	assert_reads(bc_parse_bytes, "64KiB", 65536);
	assert_reads(bc_parse_bytes, "10MiB", 10485760);
	assert_reads(bc_parse_bytes, "1GiB", 1073741824);
	assert_reads(bc_parse_bytes, "64kB", 64000);
	assert_reads(bc_parse_bytes, "64KB", 64000);
	assert_reads(bc_parse_bytes, "10MB", 10000000);
	assert_reads(bc_parse_bytes, "1gb", 1000000000);
	assert_refuses(bc_parse_bytes, bad);
}

static void durations_are_printed_in_their_largest_exact_unit(void **state BC_UNUSED)
{
	assert_prints(bc_format_duration, 0, "0");
	assert_prints(bc_format_duration, 1500, "1500ms");
	assert_prints(bc_format_duration, 90 * second, "90s");
	assert_prints(bc_format_duration, 15 * minute, "15m");
	assert_prints(bc_format_duration, day, "24h");
	assert_prints(bc_format_duration, 36 * hour, "36h");
	assert_prints(bc_format_duration, 3 * day, "3d");
	assert_prints(bc_format_duration, UINT64_MAX, "18446744073709551615ms");
}

static void sizes_are_printed_in_their_largest_exact_unit(void **state BC_UNUSED)
{
	assert_prints(bc_format_bytes, 0, "0");
	assert_prints(bc_format_bytes, 65536, "64KiB");
	assert_prints(bc_format_bytes, 262144, "256KiB");
	assert_prints(bc_format_bytes, 10000000, "10MB");
	assert_prints(bc_format_bytes, 1500, "1500");
	assert_prints(bc_format_bytes, UINT64_MAX, "18446744073709551615");
}

static void what_is_printed_is_read_back(void **state BC_UNUSED)
{
	/* A walk over all magnitudes; multiplied so that every unit comes up exact somewhere. */
	for (uint64_t value = 1, step = 0; step < 4000; step++) {
		char text[24];
		uint64_t back = ~value;

		assert_int_equal(
			bc_parse_duration_ms(
				bc_str_of(bc_format_duration(value, text, sizeof(text))), &back),
			0);
		assert_int_equal(back, value);
		assert_int_equal(
			bc_parse_bytes(bc_str_of(bc_format_bytes(value, text, sizeof(text))),
				       &back),
			0);
		assert_int_equal(back, value);
		value = step % 3 == 0 ? value * 60 : step % 3 == 1 ? value + step : value * 1000;
		if (value == 0)
			value = step + 1;
	}
}

static void spans_read_as_a_person_says_them(void **state BC_UNUSED)
{
	assert_prints(bc_format_span, 0, "0 s");
	assert_prints(bc_format_span, 250, "250 ms");
	assert_prints(bc_format_span, 3 * second + 999, "3 s");
	assert_prints(bc_format_span, 90 * second, "90 s");
	assert_prints(bc_format_span, 2 * minute, "2 min");
	assert_prints(bc_format_span, 4 * minute + 59 * second, "4 min");
	assert_prints(bc_format_span, hour, "1 h");
	assert_prints(bc_format_span, 2 * hour + 10 * minute, "2 h 10 min");
	assert_prints(bc_format_span, day, "24 h");
	assert_prints(bc_format_span, 2 * day - 1, "47 h 59 min");
	assert_prints(bc_format_span, 6 * day + hour, "6 days");
	assert_prints(bc_format_span, UINT64_MAX, "213503982334 days");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers_are_read_to_their_limit),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(durations_that_overflow_are_refused),
		cmocka_unit_test(sizes_know_powers_of_1024_and_of_1000),
		cmocka_unit_test(durations_are_printed_in_their_largest_exact_unit),
		cmocka_unit_test(sizes_are_printed_in_their_largest_exact_unit),
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(spans_read_as_a_person_says_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
