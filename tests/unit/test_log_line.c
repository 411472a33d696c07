/* SPDX-License-Identifier: MIT */
/* The spelling of a log line: nothing from outside ends it, adds to it or steers a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <jansson.h>

#include "base/log_line.h"

static const uint64_t when = 1795308871123; /* 2026-11-22T00:54:31.123Z */

static void assert_line(bool json, const struct bc_log_field *fields, size_t n,
			const char *expected)
{
	struct bc_log_line line;

	bc_log_line_render(&line, json, when, BC_LOG_INFO, "order.accepted", fields, n);
	assert_true(line.len <= sizeof(line.bytes));
	if (line.len != strlen(expected) || memcmp(line.bytes, expected, line.len) != 0)
		fail_msg("got %.*s instead of %s", (int)line.len, line.bytes, expected);
}

#define assert_text(expected, ...)                                                                 \
	assert_line(false, (const struct bc_log_field[]){ __VA_ARGS__ },                           \
		    BC_COUNT(((const struct bc_log_field[]){ __VA_ARGS__ })),                      \
		    "2026-11-22T00:54:31.123Z INFO order.accepted" expected "\n")
#define assert_json(expected, ...)                                                                 \
	assert_line(true, (const struct bc_log_field[]){ __VA_ARGS__ },                            \
		    BC_COUNT(((const struct bc_log_field[]){ __VA_ARGS__ })),                      \
		    "{\"ts\":\"2026-11-22T00:54:31.123Z\",\"level\":\"info\","                     \
		    "\"event\":\"order.accepted\"" expected "}\n")

static const uint8_t hash[16] = { 0xde, 0xad, 0xbe, 0xef, 1, 2, 3 };

static void a_line_is_time_level_event_and_fields(void **state BC_UNUSED)
{
	assert_text(" order=100 note=\"a b\"", BC_LS("order", "100"), BC_LS("note", "a b"));
	assert_json(",\"order\":\"100\",\"note\":\"a b\"", BC_LS("order", "100"),
		    BC_LS("note", "a b"));
	assert_line(false, NULL, 0, "2026-11-22T00:54:31.123Z INFO order.accepted\n");
}

static void every_field_type_has_its_form(void **state BC_UNUSED)
{
	assert_text(" n=18446744073709551615 i=-9223372036854775808 wait_ms=250 click=deadbeef",
		    BC_LU("n", UINT64_MAX), BC_LI("i", INT64_MIN), BC_LMS("wait", 250),
		    BC_LHASH("click", hash));
	assert_json(",\"n\":7,\"i\":-1,\"wait_ms\":250,\"click\":\"deadbeef\"", BC_LU("n", 7),
		    BC_LI("i", -1), BC_LMS("wait", 250), BC_LHASH("click", hash));
}

static void absent_values_print_nothing_and_empty_ones_show(void **state BC_UNUSED)
{
	assert_text(" b=\"\"", BC_LS("a", NULL), BC_LS("b", ""), BC_LHASH("c", NULL));
	assert_json(",\"b\":\"\"", BC_LS("a", NULL), BC_LS("b", ""), BC_LHASH("c", NULL));
}

static void values_that_would_split_a_line_are_quoted(void **state BC_UNUSED)
{
	assert_text(" a=\"x=y\" b=\"q\\\"q\" c=\"b\\\\s\" d=a/b?c&d%20;~!'", BC_LS("a", "x=y"),
		    BC_LS("b", "q\"q"), BC_LS("c", "b\\s"), BC_LS("d", "a/b?c&d%20;~!'"));
}

static void no_value_can_end_the_line_or_forge_another(void **state BC_UNUSED)
{
	assert_text(" a=\"x\\n2026-11-22T00:54:31.123Z ERROR forged\\r\\t\"",
		    BC_LS("a", "x\n2026-11-22T00:54:31.123Z ERROR forged\r\t"));
	assert_json(",\"a\":\"x\\\",\\\"level\\\":\\\"error\\n\"",
		    BC_LS("a", "x\",\"level\":\"error\n"));
}

static void no_value_can_steer_a_terminal(void **state BC_UNUSED)
{
	assert_text(" esc=\"\\x1b[2J\" nul=\"a\\x00b\" del=\"\\x7f\" csi=\"\\xc2\\x9b2J\""
		    " ls=\"\\xe2\\x80\\xa8\" rlo=\"\\xe2\\x80\\xae\"",
		    BC_LS("esc", "\x1b[2J"), BC_LSTR("nul", BC_STR("a\0b")), BC_LS("del", "\x7f"),
		    BC_LS("csi", "\xc2\x9b"
				 "2J"),
		    BC_LS("ls", "\xe2\x80\xa8"), BC_LS("rlo", "\xe2\x80\xae"));
	assert_json(",\"esc\":\"\\u001b[2J\",\"csi\":\"\\u009b2J\",\"rlo\":\"\\u202e\"",
		    BC_LS("esc", "\x1b[2J"),
		    BC_LS("csi", "\xc2\x9b"
				 "2J"),
		    BC_LS("rlo", "\xe2\x80\xae"));
}

static void valid_utf8_is_kept_and_broken_utf8_is_shown(void **state BC_UNUSED)
{
	assert_text(" a=\"caf\xc3\xa9 \xf0\x9f\x92\xb6\"",
		    BC_LS("a", "caf\xc3\xa9 \xf0\x9f\x92\xb6"));
	/* alone, overlong, surrogate, too high, cut off at the end */
	assert_text(" a=\"\\xff\" b=\"\\xc0\\xaf\" c=\"\\xed\\xa0\\x80\" d=\"\\xf4\\x90\\x80\\x80\""
		    " e=\"x\\xe2\\x82\" f=\"\\xe0\\x80\\xaf\" g=\"\\xc3(\"",
		    BC_LS("a", "\xff"), BC_LS("b", "\xc0\xaf"), BC_LS("c", "\xed\xa0\x80"),
		    BC_LS("d", "\xf4\x90\x80\x80"), BC_LS("e", "x\xe2\x82"),
		    BC_LS("f", "\xe0\x80\xaf"), BC_LS("g", "\xc3("));
	assert_json(",\"a\":\"caf\xc3\xa9\",\"b\":\"\\ufffdx\\ufffd\\ufffd\"",
		    BC_LS("a", "caf\xc3\xa9"), BC_LS("b", "\xffx\xe2\x82"));
}

static void a_slice_is_never_read_beyond_its_end(void **state BC_UNUSED)
{
	bc_autofree char *bytes = malloc(2);

	bytes[0] = 'x';
	bytes[1] = (char)0xf0;
	assert_text(" a=\"x\\xf0\"", BC_LSTR("a", ((struct bc_str){ bytes, 2 })));
}

static void every_level_has_its_names(void **state BC_UNUSED)
{
	static const char *const text[] = { " ERROR e\n", " WARNING e\n", " INFO e\n",
					    " DEBUG e\n" };
	static const char *const json[] = { "\"error\"", "\"warning\"", "\"info\"", "\"debug\"" };

	for (int level = BC_LOG_ERROR; level <= BC_LOG_DEBUG; level++) {
		struct bc_log_line line;

		bc_log_line_render(&line, false, when, (enum bc_log_level)level, "e", NULL, 0);
		assert_non_null(memmem(line.bytes, line.len, text[level], strlen(text[level])));
		bc_log_line_render(&line, true, when, (enum bc_log_level)level, "e", NULL, 0);
		assert_non_null(memmem(line.bytes, line.len, json[level], strlen(json[level])));
	}
}

static void a_long_value_is_cut_with_a_mark_and_the_rest_goes_on(void **state BC_UNUSED)
{
	static char big[100000];
	const struct bc_log_field fields[] = {
		BC_LSTR("big", ((struct bc_str){ big, sizeof(big) })),
		BC_LU("after", 1),
	};

	memset(big, 'x', sizeof(big));
	for (int json = 0; json < 2; json++) {
		const char *end = json ? "x...[cut]\",\"after\":1}\n" : "x...[cut]\" after=1\n";
		struct bc_log_line line;

		bc_log_line_render(&line, json, when, BC_LOG_INFO, "e", fields, 2);
		assert_in_range(line.len, BC_LOG_VALUE_BYTES, BC_LOG_VALUE_BYTES + 150);
		assert_memory_equal(line.bytes + line.len - strlen(end), end, strlen(end));
	}
}

/* Values of every length and kind: the line must fit, end in one line feed, and parse as JSON. */
static void a_line_that_overflows_is_still_whole(void **state BC_UNUSED)
{
	static const char *const fillers[] = {
		"x", "\"", "\x01", "\xff", "\xc3\xa9", "\xe2\x80\xa8"
	};
	static char big[3000];
	bool met_cut = false;

	for (size_t f = 0; f < BC_COUNT(fillers); f++) {
		for (size_t i = 0; i < sizeof(big); i++)
			big[i] = fillers[f][i % strlen(fillers[f])];
		for (size_t len = 0; len < sizeof(big); len += 13) {
			const struct bc_str s = { big, len };
			const struct bc_log_field fields[] = {
				BC_LSTR("a", s),       BC_LSTR("b", s),	    BC_LSTR("c", s),
				BC_LSTR("d", s),       BC_LSTR("e", s),	    BC_LU("n", UINT64_MAX),
				BC_LI("i", INT64_MIN), BC_LHASH("h", hash), BC_LMS("t", UINT64_MAX),
				BC_LSTR("z", s),
			};
			struct bc_log_line line;
			json_t *parsed;

			for (int json = 0; json < 2; json++) {
				bc_log_line_render(&line, json, when, BC_LOG_INFO, "e", fields,
						   BC_COUNT(fields));
				assert_true(line.len <= sizeof(line.bytes));
				assert_ptr_equal(memchr(line.bytes, '\n', line.len),
						 line.bytes + line.len - 1);
			}
			parsed = json_loadb(line.bytes, line.len, JSON_DECODE_INT_AS_REAL, NULL);
			assert_non_null(parsed);
			met_cut = met_cut || json_is_true(json_object_get(parsed, "cut"));
			json_decref(parsed);
		}
	}
	assert_true(met_cut);
}

static void an_absurd_event_or_key_cannot_overrun_the_line(void **state BC_UNUSED)
{
	static char big[10000];
	struct bc_log_line line;

	memset(big, 'e', sizeof(big) - 1);
	bc_log_line_render(&line, false, when, BC_LOG_INFO, big,
			   (const struct bc_log_field[]){ BC_LU(big, 1) }, 1);
	assert_memory_equal(line.bytes + line.len - 11, "e cut=true\n", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_time_level_event_and_fields),
		cmocka_unit_test(every_field_type_has_its_form),
		cmocka_unit_test(absent_values_print_nothing_and_empty_ones_show),
		cmocka_unit_test(values_that_would_split_a_line_are_quoted),
		cmocka_unit_test(no_value_can_end_the_line_or_forge_another),
		cmocka_unit_test(no_value_can_steer_a_terminal),
		cmocka_unit_test(valid_utf8_is_kept_and_broken_utf8_is_shown),
		cmocka_unit_test(a_slice_is_never_read_beyond_its_end),
		cmocka_unit_test(every_level_has_its_names),
		cmocka_unit_test(a_long_value_is_cut_with_a_mark_and_the_rest_goes_on),
		cmocka_unit_test(a_line_that_overflows_is_still_whole),
		cmocka_unit_test(an_absurd_event_or_key_cannot_overrun_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
