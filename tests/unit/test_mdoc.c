/* SPDX-License-Identifier: MIT */
/* Text for manual pages: filled, a line a sentence, and nothing in it that roff would obey. */
#include "base/mdoc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "failing_malloc.h"

static char *made(int (*fn)(struct bc_buf *out, const char *text), const char *text)
{
	struct bc_buf out;
	bc_buf_init(&out, 64 * 1024);
	assert_int_equal(fn(&out, text), 0);
	return bc_buf_take(&out);
}

static void expect(int (*fn)(struct bc_buf *out, const char *text), const char *text,
		   const char *wanted)
{
	bc_autofree char *got = made(fn, text);
	assert_string_equal(got ? got : "", wanted);
}

static void each_sentence_begins_a_line(void **state)
{
	(void)state;
	expect(bc_mdoc_prose, "One. Two! (Three.) Four", "One.\nTwo!\n(Three.)\nFour\n");
	expect(bc_mdoc_prose, "A. Smith, e.g. here", "A. Smith, e.g. here\n");
	expect(bc_mdoc_prose, "", "");
}

static void blanks_and_line_ends_part_words_alike(void **state)
{
	(void)state;
	expect(bc_mdoc_prose, "  a\nb\t c  ", "a b c\n");
}

static void no_line_is_longer_than_it_must_be(void **state)
{
	char text[2000] = "";
	(void)state;
	for (int i = 0; i < 300; i++)
		strcat(text, "words ");
	bc_autofree char *got = made(bc_mdoc_prose, text);
	for (char *line = strtok(got, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 78);
	memset(text, 'x', 200);
	text[200] = '\0';
	bc_autofree char *one = made(bc_mdoc_prose, text);
	assert_int_equal(strlen(one), 201);
}

static void nothing_is_a_request_and_options_keep_their_dashes(void **state)
{
	(void)state;
	expect(bc_mdoc_prose, ".Sh is 'no' macro", "\\&.Sh is 'no' macro\n");
	expect(bc_mdoc_prose, "'quoted' \\n", "\\&'quoted' \\en\n");
	expect(bc_mdoc_prose, "with --json and -n, server-to-server",
	       "with \\-\\-json and \\-n, server-to-server\n");
	expect(bc_mdoc_literal, ".x\na -b 'c'\n'd' \\", "\\&.x\na \\-b 'c'\n\\&'d' \\e\n");
}

static bool make_once(void *ctx)
{
	struct bc_buf out;
	(void)ctx;
	bc_buf_init(&out, 64 * 1024);
	int result = bc_mdoc_prose(&out, "Some words. And --more of them.");
	assert_true(result == 0 || result == BC_ENOMEM);
	bc_buf_finish(&out);
	return result == 0;
}

static void it_survives_each_failing_allocation(void **state)
{
	(void)state;
	each_allocation_failing(make_once, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sentence_begins_a_line),
		cmocka_unit_test(blanks_and_line_ends_part_words_alike),
		cmocka_unit_test(no_line_is_longer_than_it_must_be),
		cmocka_unit_test(nothing_is_a_request_and_options_keep_their_dashes),
		cmocka_unit_test(it_survives_each_failing_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
