/* SPDX-License-Identifier: MIT */
/* Hex and percent encoding: strict out, lenient in, and each other's inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "failing_malloc.h"

static void hex_is_written_in_lower_case(void **state BC_UNUSED)
{
	char text[9];

	bc_hex((const uint8_t[]){ 0x00, 0x9a, 0xbc, 0xff }, 4, text);
	assert_string_equal(text, "009abcff");
	bc_hex(NULL, 0, text);
	assert_string_equal(text, "");
}

static void hex_is_read_in_either_case(void **state BC_UNUSED)
{
	uint8_t bytes[3] = { 0 };

	assert_int_equal(bc_unhex(BC_STR("00aBFf"), bytes, 3), 0);
	assert_memory_equal(bytes, ((const uint8_t[]){ 0x00, 0xab, 0xff }), 3);
	assert_int_equal(bc_unhex(BC_STR(""), bytes, 0), 0);
}

static void hex_of_another_length_or_alphabet_changes_nothing(void **state BC_UNUSED)
{
	static const char *const bad[] = { "",	     "0011",   "001122a", "00112233",
					   "00112g", "0x1122", "00 122",  "-01122" };
	uint8_t bytes[3] = { 1, 2, 3 };

	for (size_t i = 0; i < BC_COUNT(bad); i++)
		assert_int_equal(bc_unhex(bc_str_of(bad[i]), bytes, 3), BC_EINVAL);
	assert_int_equal(bc_unhex(BC_STR("00112"), bytes, SIZE_MAX / 2 + 1), BC_EINVAL);
	assert_memory_equal(bytes, ((const uint8_t[]){ 1, 2, 3 }), 3);
}

static void assert_encodes(struct bc_str in, const char *expected)
{
	struct bc_buf out;

	bc_buf_init(&out, 1024);
	assert_int_equal(bc_percent_encode(&out, in), 0);
	assert_string_equal(out.data, expected);
	bc_buf_finish(&out);
}

static void assert_decodes(const char *in, bool plus_is_space, const char *expected)
{
	struct bc_buf out;

	bc_buf_init(&out, 1024);
	assert_int_equal(bc_percent_decode(&out, bc_str_of(in), plus_is_space), 0);
	assert_string_equal(out.data, expected);
	bc_buf_finish(&out);
}

static void everything_but_unreserved_characters_is_escaped(void **state BC_UNUSED)
{
	assert_encodes(BC_STR("AZaz09-._~"), "AZaz09-._~");
	assert_encodes(BC_STR("a/b?c=d&e f+g%"), "a%2Fb%3Fc%3Dd%26e%20f%2Bg%25");
	assert_encodes(BC_STR("\r\n\0\xc3\xa9\x7f"), "%0D%0A%00%C3%A9%7F");
	assert_encodes(BC_STR(""), "");
}

static void escapes_are_decoded_and_broken_ones_kept(void **state BC_UNUSED)
{
	assert_decodes("a%2Fb%2fc%41", false, "a/b/cA");
	assert_decodes("%", false, "%");
	assert_decodes("%4", false, "%4");
	assert_decodes("%zz%4x%x4%%41", false, "%zz%4x%x4%A");
	assert_decodes("%2541", false, "%41");
	assert_decodes("", false, "");
}

static void an_escape_that_breaks_off_is_not_read_beyond_its_end(void **state BC_UNUSED)
{
	for (size_t len = 1; len < 3; len++) {
		bc_autofree char *bytes = malloc(len);
		struct bc_buf out;

		memcpy(bytes, "%4", len);
		bc_buf_init(&out, 8);
		assert_int_equal(bc_percent_decode(&out, (struct bc_str){ bytes, len }, false), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, "%4", len);
		bc_buf_finish(&out);
	}
}

static void plus_is_a_space_where_asked_for(void **state BC_UNUSED)
{
	assert_decodes("a+b%2Bc", true, "a b+c");
	assert_decodes("a+b%2Bc", false, "a+b+c");
}

static void every_byte_survives_the_round_trip(void **state BC_UNUSED)
{
	struct bc_buf encoded, decoded;
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	bc_buf_init(&encoded, 1024);
	bc_buf_init(&decoded, 256);
	assert_int_equal(bc_percent_encode(&encoded, (struct bc_str){ all, 256 }), 0);
	assert_int_equal(
		bc_percent_decode(&decoded, (struct bc_str){ encoded.data, encoded.len }, true), 0);
	assert_int_equal(decoded.len, 256);
	assert_memory_equal(decoded.data, all, 256);
	bc_buf_finish(&encoded);
	bc_buf_finish(&decoded);
}

static void the_ceiling_counts_what_comes_out(void **state BC_UNUSED)
{
	struct bc_buf out;

	bc_buf_init(&out, 4);
	assert_int_equal(bc_buf_adds(&out, "x"), 0);
	assert_int_equal(bc_percent_encode(&out, BC_STR("ab/")), BC_ETOOBIG);
	assert_int_equal(bc_percent_decode(&out, BC_STR("abcd"), false), BC_ETOOBIG);
	assert_string_equal(out.data, "x");
	assert_int_equal(bc_percent_decode(&out, BC_STR("%61%62%63"), false), 0);
	assert_string_equal(out.data, "xabc");
	assert_int_equal(bc_percent_encode(&out, BC_STR("a")), BC_ETOOBIG);
	bc_buf_finish(&out);
}

static bool encode_and_decode(void *ctx BC_UNUSED)
{
	struct bc_buf encoded, decoded;
	bool ok;

	bc_buf_init(&encoded, 100);
	bc_buf_init(&decoded, 100);
	ok = bc_percent_encode(&encoded, BC_STR("a b")) == 0 &&
	     bc_percent_decode(&decoded, bc_str_of(encoded.data), false) == 0;
	if (ok)
		assert_string_equal(decoded.data, "a b");
	else
		assert_int_equal(decoded.len, 0);
	bc_buf_finish(&encoded);
	bc_buf_finish(&decoded);
	return ok;
}

static void a_refused_allocation_is_reported(void **state BC_UNUSED)
{
	each_allocation_failing(encode_and_decode, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_is_written_in_lower_case),
		cmocka_unit_test(hex_is_read_in_either_case),
		cmocka_unit_test(hex_of_another_length_or_alphabet_changes_nothing),
		cmocka_unit_test(everything_but_unreserved_characters_is_escaped),
		cmocka_unit_test(escapes_are_decoded_and_broken_ones_kept),
		cmocka_unit_test(an_escape_that_breaks_off_is_not_read_beyond_its_end),
		cmocka_unit_test(plus_is_a_space_where_asked_for),
		cmocka_unit_test(every_byte_survives_the_round_trip),
		cmocka_unit_test(the_ceiling_counts_what_comes_out),
		cmocka_unit_test(a_refused_allocation_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
