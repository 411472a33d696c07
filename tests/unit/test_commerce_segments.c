/* SPDX-License-Identifier: MIT */
/* Segments of a path, such as SKUs: any text in, one segment out, or a refusal. */
#include <backchannel/commerce.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/str.h"

static const struct {
	const char *segment;
	const char *encoded; /* NULL = refused */
} segments[] = {
	{ "example-sku", "example-sku" },
	{ "24/7 Gr\xc3\xb6\xc3\x9f"
	  "e",
	  "24%2F7%20Gr%C3%B6%C3%9Fe" },
	{ "a%2Fb", "a%252Fb" },
	{ "100% wool?#[]&=+;", "100%25%20wool%3F%23%5B%5D%26%3D%2B%3B" },
	{ "a\\b", "a%5Cb" },
	{ "\xff\x80", "%FF%80" },
	{ "~a.b_c-d", "~a.b_c-d" },
	{ "...", "..." },
	{ ".a", ".a" },
	{ "a..", "a.." },
	{ "/", "%2F" },
	{ "a/", "a%2F" },
	{ NULL, NULL },
	{ "", NULL },
	{ ".", NULL },
	{ "..", NULL },
	{ "..;x", NULL },
	{ "a/../b", NULL },
	{ "a\\..", NULL },
	{ "./a", NULL },
	{ "%2e%2e", NULL },
	{ "a%2f..", NULL },
	{ "a\tb", NULL },
	{ "a\n", NULL },
	{ "\x7f", NULL },
	{ "a%00", NULL },
};

static void a_segment_is_encoded_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(segments); i++) {
		char text[128] = "/V1/products/";
		int r = bc_commerce_segment_append(text, sizeof(text), segments[i].segment);
		if (r != (segments[i].encoded ? 0 : BC_EINVAL))
			fail_msg("row %zu: %d", i, r);
		assert_true(strncmp(text, "/V1/products/", 13) == 0);
		assert_string_equal(text + 13, segments[i].encoded ? segments[i].encoded : "");
	}
}

/* Every text of a few bytes that matter, up to four of them. */
static void what_is_appended_is_taken_as_a_path_and_decodes_to_itself(void **state)
{
	(void)state;
	static const char bytes[] = { 'a', '.', '/', '\\', '%', '2', 'e', 'F', ';', '\xc3', ' ' };
	unsigned taken = 0;
	for (size_t n = 1; n < 12 * 12 * 12 * 12; n++) {
		char segment[5] = "";
		size_t len = 0;
		for (size_t rest = n; rest > 0; rest /= 12) {
			if (rest % 12 > 0)
				segment[len++] = bytes[rest % 12 - 1];
		}
		char text[64] = "/V1/products/";
		if (bc_commerce_segment_append(text, sizeof(text), segment) < 0)
			continue;
		struct bc_commerce_target target;
		assert_int_equal(bc_commerce_target_build("https://h", BC_COMMERCE_SAAS, text, NULL,
							  &target, NULL),
				 0);
		BC_CLEANUP(bc_buf_finish) struct bc_buf decoded;
		bc_buf_init(&decoded, sizeof(text));
		assert_int_equal(
			bc_percent_decode(&decoded, bc_str_of(target.resource + 13), false), 0);
		assert_string_equal(decoded.data, segment);
		assert_null(strchr(target.resource + 13, '/'));
		free(target.url);
		taken++;
	}
	assert_true(taken > 5000);
}

static void a_segment_without_room_leaves_the_text_as_it_is(void **state)
{
	(void)state;
	char text[16];
	for (size_t bytes = 0; bytes <= sizeof(text); bytes++) {
		memcpy(text, "/V1/\0~~~~~~~~~~~", sizeof(text));
		int r = bc_commerce_segment_append(text, bytes, "a/b");
		/* "/V1/a%2Fb" and its end. */
		assert_int_equal(r, bytes >= 10 ? 0 : BC_ETOOBIG);
		assert_string_equal(text, r == 0 ? "/V1/a%2Fb" : "/V1/");
		assert_memory_equal(text + 10, "~~~~~~", 6);
	}
	char full[4] = { 'a', 'b', 'c', 'd' };
	assert_int_equal(bc_commerce_segment_append(full, sizeof(full), "x"), BC_ETOOBIG);
	assert_memory_equal(full, "abcd", 4);
}

static void segments_can_be_put_together(void **state)
{
	(void)state;
	char text[64] = "/V1/products/";
	assert_int_equal(bc_commerce_segment_append(text, sizeof(text), "a b"), 0);
	strcat(text, "/media/");
	assert_int_equal(bc_commerce_segment_append(text, sizeof(text), "7"), 0);
	assert_string_equal(text, "/V1/products/a%20b/media/7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_encoded_whole),
		cmocka_unit_test(what_is_appended_is_taken_as_a_path_and_decodes_to_itself),
		cmocka_unit_test(a_segment_without_room_leaves_the_text_as_it_is),
		cmocka_unit_test(segments_can_be_put_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
