/* SPDX-License-Identifier: MIT */
/* Lines of web servers' logs: what each dialect gives, and what is refused. */
#include "protocol/capture_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "failing_malloc.h"

#define HEX    "bc45f6e00123456789abcdef01234567"
#define HEX_UP "BC45F6E00123456789ABCDEF01234567"
#define UUID   "bc45f6e0-0123-4567-89ab-cdef01234567"
#define TOKEN  "1095752fb409-457a-af14-17a09e6be522"
#define OBJECT "{\"v\":1,\"click\":\"" HEX "\",\"tok\":\"" TOKEN "\"}"

static struct bc_arena *arena;
static struct bc_capture_line line;
static struct bc_err problem;

static int setup(void **state)
{
	(void)state;
	arena = bc_arena_create(1024, 256 * 1024);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bc_arena_destroy(arena);
	return 0;
}

static int read_bytes(const char *bytes, size_t len)
{
	memset(&line, 0, sizeof(line));
	memset(&problem, 0, sizeof(problem));
	return bc_capture_line_read((struct bc_str){ bytes, len }, arena, &line, &problem);
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void must_read(const char *text)
{
	int result = read_text(text);
	if (result)
		fail_msg("%s: %s", text, problem.text);
}

static void assert_text(struct bc_str have, const char *want)
{
	if (!want) {
		assert_null(have.ptr);
		return;
	}
	if (!have.ptr || !bc_str_eq(have, want))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)have.len, have.ptr ? have.ptr : "",
			 want);
}

/* --- dialects -------------------------------------------------------------------------------- */

static void every_prefix_of_a_syslog_is_passed_over(void **state)
{
	static const char *const prefixes[] = {
		"",
		"bc: ",
		"<190>Nov 21 23:17:43 bc: ",
		"<190>Nov  1 03:07:03 bc: ",
		"<190>Nov 21 23:17:43 web-1.shop.example bc: ",
		"<134>Nov 21 23:17:43 haproxy[123]: ",
		"<134>Nov 21 23:17:43 web1 haproxy[123]: bc: ",
		"<134>1 2026-11-21T23:17:43.123456+00:00 web1 haproxy 123 - - bc: ",
		"<134>1 2026-11-21T23:17:43Z web1 haproxy 123 ID47 [bc@32473 a=\"b\"] \xef\xbb\xbf",
		"<190>2026-11-21T23:17:43.123456+00:00 web1 bc: ",
		"<14>bc[77]: @cee: ",
		"   ",
	};
	static const char *const ends[] = { "", "\n", "\r\n", " \n", "\n\n" };
	char text[1024];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(prefixes); i++)
		for (size_t k = 0; k < BC_COUNT(ends); k++) {
			snprintf(text, sizeof(text), "%s%s%s", prefixes[i], OBJECT, ends[k]);
			must_read(text);
			assert_string_equal(line.click, "c." HEX);
			assert_text(line.token, TOKEN);
			bc_arena_reset(arena);
		}
	assert_int_equal(read_bytes(OBJECT "\0", sizeof(OBJECT)), 0);
	assert_int_equal(read_bytes(OBJECT "\n\0", sizeof(OBJECT) + 1), 0);
}

static void a_line_of_nginx_gives_all_it_says(void **state)
{
	(void)state;
	must_read("<190>Nov 21 23:17:43 bc: {\"v\":1,\"t\":1795303063.221,\"click\":\"" HEX
		  "\",\"tok\":\"" TOKEN "\",\"host\":\"shop.example\","
		  "\"uri\":\"/p?sovReqToken=" TOKEN "&a=\\u0022\","
		  "\"sess\":\"old-1\",\"newsess\":\"fresh123\"}");
	assert_string_equal(line.click, "c." HEX);
	assert_text(line.token, TOKEN);
	assert_text(line.uri, "/p?sovReqToken=" TOKEN "&a=\"");
	assert_text(line.session, "old-1");
	assert_text(line.new_session, "fresh123");
}

static void a_line_of_haproxy_gives_all_it_says(void **state)
{
	(void)state;
	must_read("bc: {\"v\":1,\"click\":\"" UUID "\",\"tok\":\"" TOKEN
		  "\",\"sess\":\"-\",\"newsess\":\"fresh123\"}");
	assert_string_equal(line.click, "c." HEX);
	assert_text(line.session, NULL);
	assert_text(line.new_session, "fresh123");
}

/* --- values ---------------------------------------------------------------------------------- */

static void a_click_is_an_id_in_each_of_its_spellings(void **state)
{
	static const char *const same[] = { HEX, HEX_UP, "c." HEX, "c." HEX_UP, UUID, "c." UUID };
	char text[256];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(same); i++) {
		snprintf(text, sizeof(text), "{\"click\":\"%s\"}", same[i]);
		must_read(text);
		assert_string_equal(line.click, "c." HEX);
	}
}

static void what_a_server_writes_for_nothing_is_absent(void **state)
{
	static const char *const nothing[] = { "\"\"", "\"-\"", "null" };
	char text[256];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(nothing); i++) {
		const char *n = nothing[i];
		snprintf(text, sizeof(text),
			 "{\"v\":1,\"t\":null,\"click\":%s,\"tok\":%s,\"uri\":%s,\"host\":%s,"
			 "\"sess\":%s,\"newsess\":%s}",
			 n, n, n, n, n, n);
		must_read(text);
		assert_string_equal(line.click, "");
		assert_text(line.token, NULL);
		assert_text(line.uri, NULL);
		assert_text(line.session, NULL);
		assert_text(line.new_session, NULL);
	}
	must_read("{}");
}

static void fields_of_a_later_version_are_ignored(void **state)
{
	(void)state;
	must_read("{\"tok\":\"" TOKEN "\",\"more\":{\"a\":[1,2,{\"tok\":\"x\"}]},\"\":1,\"n\":1e9,"
		  "\"yes\":true,\"TOK\":7}");
	assert_text(line.token, TOKEN);
}

static void bytes_that_are_no_utf8_become_question_marks(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "/\xff\xfe?a", "/???a" },
		{ "/\xc3\xa4", "/\xc3\xa4" },
		{ "/\xc3", "/?" },
		{ "/\xc0\xaf", "/??" },
		{ "/\xe2\x82\xac", "/\xe2\x82\xac" },
		{ "/\xe2\x82", "/??" },
		{ "/\xed\xa0\x80", "/???" },
		{ "/\xf0\x9f\x98\x80", "/\xf0\x9f\x98\x80" },
		{ "/\xf4\x90\x80\x80", "/????" },
		{ "/\xf0\x9f\x98z", "/???z" },
		{ "/\xe0\x9f\xbf", "/???" },
		{ "/\xf0\x8f\xbf\xbf", "/????" },
	};
	char text[256];
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		snprintf(text, sizeof(text), "{\"uri\":\"%s\"}", rows[i].in);
		must_read(text);
		assert_text(line.uri, rows[i].out);
	}
}

/* --- refusals -------------------------------------------------------------------------------- */

static void everything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"hello",
		"<190>Nov 21 23:17:43 bc: ",
		"[" OBJECT "]x",
		OBJECT OBJECT,
		OBJECT " x",
		"{",
		"{}}",
		"{\"v\":1,",
		"{\"v\":2}",
		"{\"v\":\"1\"}",
		"{\"v\":1.0}",
		"{\"v\":true}",
		"{\"t\":true}",
		"{\"t\":[1]}",
		"{\"click\":1}",
		"{\"click\":\"c.\"}",
		"{\"click\":\"x\"}",
		"{\"click\":\"" HEX "0\"}",
		"{\"click\":\"" HEX "0000\"}",
		"{\"click\":\"c.c." HEX "\"}",
		"{\"click\":\"t." TOKEN "\"}",
		"{\"click\":\"bc45f6e0-0123-4567-89ab-cdef0123456z\"}",
		"{\"click\":\"bc45f6e00-123-4567-89ab-cdef01234567\"}",
		"{\"click\":\"bc45f6e-00123-4567-89ab-cdef01234567\"}",
		"{\"tok\":7}",
		"{\"tok\":[\"" TOKEN "\"]}",
		"{\"uri\":{}}",
		"{\"host\":1}",
		"{\"sess\":1}",
		"{\"newsess\":false}",
		"{\"tok\":\"a\",\"tok\":\"b\"}",
		"{\"tok\":\"a\x01\"}",
		"{\"tok\":\"a\\u0000b\"}",
		"{\"tok\":\"a\\x22\"}",
		"{'tok':'a'}",
		"bell\a {\"tok\":\"" TOKEN "\"}",
		"line\nline {\"tok\":\"" TOKEN "\"}",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		if (read_text(bad[i]) != BC_EINVAL)
			fail_msg("row %zu was taken: %s", i, bad[i]);
		assert_int_not_equal(problem.text[0], '\0');
		assert_null(strstr(problem.text, TOKEN));
		assert_string_equal(line.click, "");
		assert_null(line.token.ptr);
	}
	assert_int_equal(read_bytes("{\"tok\":\"a\0b\"}", 13), BC_EINVAL);
	assert_int_equal(read_bytes(NULL, 0), BC_EINVAL);
}

static void lengths_are_bounded(void **state)
{
	static char text[BC_CAPTURE_LINE_MAX + 2];
	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"uri\":\"", 8);
	memset(text + 8, 'a', BC_CAPTURE_LINE_MAX - 10);
	memcpy(text + BC_CAPTURE_LINE_MAX - 2, "\"}", 2);
	assert_int_equal(read_bytes(text, BC_CAPTURE_LINE_MAX), 0);
	assert_int_equal(line.uri.len, BC_CAPTURE_LINE_MAX - 10);
	assert_int_equal(read_bytes(text, BC_CAPTURE_LINE_MAX + 1), BC_ETOOBIG);

	memset(text, 'p', BC_CAPTURE_PREFIX_MAX + 1);
	memcpy(text + BC_CAPTURE_PREFIX_MAX + 1, OBJECT, sizeof(OBJECT));
	assert_int_equal(read_text(text), BC_EINVAL);
	assert_int_equal(read_text(text + 1), 0);
}

static void a_line_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(OBJECT) - 1; len++)
		assert_int_equal(read_bytes(OBJECT, len), BC_EINVAL);
}

static void depth_is_bounded(void **state)
{
	static char text[BC_CAPTURE_LINE_MAX];
	(void)state;
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":", 5);
	assert_int_equal(read_bytes(text, sizeof(text)), BC_EINVAL);
	memset(text, '{', sizeof(text));
	assert_int_equal(read_bytes(text, sizeof(text)), BC_EINVAL);
}

static bool read_without_memory(void *ctx)
{
	struct bc_arena *small = bc_arena_create(64, 64 * 1024);
	struct bc_capture_line got;
	int result = BC_ENOMEM;
	(void)ctx;
	if (small)
		result = bc_capture_line_read(BC_STR("{\"uri\":\"/a\",\"tok\":\"" TOKEN "\"}"),
					      small, &got, NULL);
	bc_arena_destroy(small);
	/* The JSON library does not tell a lack of memory from what is no JSON. */
	assert_true(result == 0 || result == BC_ENOMEM || result == BC_EINVAL);
	return result == 0;
}

static void without_memory_it_is_refused(void **state)
{
	(void)state;
	each_allocation_failing(read_without_memory, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_prefix_of_a_syslog_is_passed_over),
		TEST(a_line_of_nginx_gives_all_it_says),
		TEST(a_line_of_haproxy_gives_all_it_says),
		TEST(a_click_is_an_id_in_each_of_its_spellings),
		TEST(what_a_server_writes_for_nothing_is_absent),
		TEST(fields_of_a_later_version_are_ignored),
		TEST(bytes_that_are_no_utf8_become_question_marks),
		TEST(everything_else_is_refused),
		TEST(lengths_are_bounded),
		TEST(a_line_cut_anywhere_is_refused),
		TEST(depth_is_bounded),
		cmocka_unit_test(without_memory_it_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
