/* SPDX-License-Identifier: MIT */
/*
 * Classification of tokens: a table of shapes and attacks, each with the reason for its class, and
 * the optional stricter pattern. The table is the argument for the safe alphabet: read it top down.
 */
#include <backchannel/token.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

#define LETTERS_16 "abcdefghijklmnop"
#define LETTERS_128                                                                                \
	LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16 LETTERS_16

/* The literal's size counts, so that a NUL inside is part of the token. */
#define ROW(kind_, text_, why_)                                                                    \
	{                                                                                          \
		(kind_), (text_), sizeof(text_) - 1, (why_)                                        \
	}
#define PROD(text_, why_) ROW(BC_TOKEN_PRODUCTION, text_, why_)
#define TEST(text_, why_) ROW(BC_TOKEN_TEST, text_, why_)
#define BAD(text_, why_)  ROW(BC_TOKEN_INVALID, text_, why_)

static const struct token_row {
	enum bc_token_kind kind;
	const char *text;
	size_t len;
	const char *why;
} rows[] = {
	/* The guide's own vectors. */
	TEST("11111-test-111-11111", "documented test token"),
	TEST("fffff-test-fff-fffff", "documented test token"),
	TEST("12345-test-123-12345", "documented test token"),
	TEST("1a2b3-test-1a2-1a2b3", "documented test token"),
	PROD("12345-prod-123-12345", "the guide: no test token; so it is somebody's click"),
	PROD("12a3b-4c5d-6e7-8f9g0", "the guide's production example"),
	PROD("aaaaa-aaaa-aaa-aaaaa", "the guide's production format, taken literally"),
	TEST("aaaaa-test-aaa-aaaaa", "the guide's test format, taken literally"),

	/* Shapes seen in Sovendus's documents and code. */
	PROD("XXXXX-XXXXX-XXX-XXXXX", "5-5-3-5: the guide's URL, not its own format"),
	PROD("XXXXXX-XXXXX-XXXX-XXXXXXX", "6-5-4-7: sample of an accepted answer"),
	PROD("XXXXX-XXXX-XXX-XXX", "5-4-3-3: the workflow picture"),
	PROD("1095752fb409-457a-af14-17a09e6be522", "12-4-4-12: the one that looks real"),
	PROD("10957520-b409-457a-af14-17a09e6be522", "8-4-4-4-12: a UUID"),
	PROD("abc123-def456-ghi789", "6-6-6: placeholder"),
	PROD("abc123", "no groups at all: placeholder"),
	PROD("test-token-123", "4-5-3: the browser's quick test; no test token of the API"),
	PROD("test-checkoutProductsToken", "the self-tester's value; its scripts check nothing"),
	PROD("test-token", "the scripts' demo value"),

	/* Close to a test token, and none: only the exact shape earns the label. */
	PROD("12345-TEST-123-12345", "case is kept, and the API's word is lower case"),
	PROD("12345-Test-123-12345", "the same"),
	PROD("1234-test-123-12345", "first group too short"),
	PROD("123456-test-123-12345", "first group too long"),
	PROD("12345-test-12-12345", "third group too short"),
	PROD("12345-test-1234-12345", "third group too long"),
	PROD("12345-test-123-1234", "last group too short"),
	PROD("12345-test-123-123456", "last group too long"),
	PROD("12345_test_123_12345", "other separators"),
	PROD("12345-tes_-123-12345", "another word"),
	PROD("12-45-test-123-12345", "a dash inside the first group is no letter or digit"),
	PROD("1_345-test-123-12345", "nor is an underscore"),
	PROD("12345-test-123-12345-", "something behind it"),
	PROD("-12345-test-123-12345", "something before it"),
	PROD("12345test12312345", "no groups"),
	PROD("TEST-12345-123-12345", "groups in another order"),

	/* Length and alphabet. */
	BAD("", "empty"),
	BAD("a", "too short to be anything"),
	BAD("abc", "3: one below the least"),
	PROD("abcd", "4: the least"),
	PROD(LETTERS_128, "128: the most"),
	BAD(LETTERS_128 "q", "129: one above"),
	BAD(LETTERS_128 LETTERS_128, "256"),
	PROD("----", "odd, but it cannot hurt; the partner will not know it"),
	PROD("____", "the same"),
	PROD("-rf-", "starts with a dash: never an argument of a command here"),
	PROD("0000", "digits alone"),
	PROD("null", "a word that scripts produce; four safe letters all the same"),
	PROD("undefined", "the same; the partner rejects it, and only it"),
	PROD("AbCdEfGh", "mixed case is kept as it is"),

	/* Changing the request's path. */
	BAD("../../x", "climbs"),
	BAD("..", "a dot segment"),
	BAD("....", "dots are not in the alphabet"),
	BAD("a.bcd", "nor is a single one"),
	BAD("abcd/api", "a slash"),
	BAD("abcd\\api", "a backslash, which some servers take for one"),
	BAD("abcd%2Fapi", "an encoded slash"),
	BAD("%2e%2e%2f", "an encoded climb"),
	BAD("%252e%252e", "encoded twice"),
	BAD("abcd?x=1", "would start a query"),
	BAD("abcd#frag", "would end the path"),
	BAD("abcd;v=1", "a path parameter, and a cookie attribute"),
	BAD("abcd&x=1", "another parameter"),
	BAD("abcd=ef", "an equals sign"),
	BAD("http://evil.example/", "another host"),
	BAD("abcd@evil.example", "user information"),
	BAD("abcd:80", "a port"),

	/* Adding a header, a log line, a statement, a format. */
	BAD("abcd\r\nX-Evil: 1", "CRLF"),
	BAD("abcd\nefgh", "a line feed"),
	BAD("12345-test-123-12345\n", "the line feed that a regular expression's $ lets through"),
	BAD("abcd\refgh", "a carriage return"),
	BAD("abcd%0d%0aX", "encoded CRLF"),
	BAD("abcd\0efgh", "a NUL inside"),
	BAD("12345-test-123-12345\0", "a NUL behind"),
	BAD("\0\0\0\0", "nothing but NUL"),
	BAD("abcd efgh", "a space"),
	BAD(" abcd", "a space before: values are not trimmed"),
	BAD("abcd ", "a space behind"),
	BAD("abcd\tefgh", "a tab"),
	BAD("abcd\x1b[31m", "a terminal's escape sequence"),
	BAD("abcd\x7f", "delete"),
	BAD("abcd\"efgh", "a quote"),
	BAD("abcd'--", "an SQL comment"),
	BAD("<script>", "markup"),
	BAD("${jndi:x}", "a look-up"),
	BAD("abcd%s%n", "a format"),
	BAD("{token}", "our own placeholder"),
	BAD("abcd*efgh", "a pattern"),
	BAD("abcd+efgh", "a plus"),
	BAD("abcd~efgh", "unreserved in URLs, but never seen in a token"),
	BAD("abcd,efgh", "a comma"),

	/* Not ASCII. */
	BAD("abcd\xc3\xa9", "an e with an accent"),
	BAD("\xef\xbb\xbf"
	    "abcd",
	    "a byte order mark"),
	BAD("abcd\xe2\x80\x8b"
	    "efgh",
	    "a space of no width"),
	BAD("abcd\xe2\x80\x93"
	    "efgh",
	    "the dash that word processors make"),
	BAD("\xd0\xb0"
	    "bcd",
	    "a Cyrillic a"),
	BAD("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x93\xef\xbc\x94", "full-width digits"),
	BAD("abcd\xff", "no UTF-8 at all"),
	BAD("abcd\xc0\xaf", "an overlong slash"),
};

static void every_token_is_classified_as_argued(void **state)
{
	(void)state;
	assert_true(BC_COUNT(rows) >= 60);
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		enum bc_token_kind kind = bc_token_classify(rows[i].text, rows[i].len);
		if (kind != rows[i].kind)
			fail_msg("row %zu (%s): %s instead of %s", i, rows[i].why,
				 bc_token_kind_name(kind), bc_token_kind_name(rows[i].kind));
	}
}

static void exactly_the_safe_bytes_are_safe(void **state)
{
	(void)state;
	static const char safe[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	for (int byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < 5; at++) {
			char token[5] = { 'a', 'b', 'c', 'd', 'e' };
			token[at] = (char)byte;
			bool wanted = byte != 0 && strchr(safe, byte);
			bool valid = bc_token_classify(token, 5) != BC_TOKEN_INVALID;
			assert_int_equal(valid, wanted);
		}
	}
}

static void every_length_is_judged_by_the_two_bounds(void **state)
{
	(void)state;
	char token[300];
	memset(token, 'x', sizeof(token));
	for (size_t len = 0; len <= sizeof(token); len++) {
		bool wanted = len >= BC_TOKEN_MIN && len <= BC_TOKEN_MAX;
		assert_int_equal(bc_token_classify(token, len) != BC_TOKEN_INVALID, wanted);
	}
	assert_int_equal(bc_token_classify(NULL, 0), BC_TOKEN_INVALID);
	assert_int_equal(bc_token_classify("abc", SIZE_MAX), BC_TOKEN_INVALID);
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(bc_token_kind_name(BC_TOKEN_INVALID), "invalid");
	assert_string_equal(bc_token_kind_name(BC_TOKEN_PRODUCTION), "production");
	assert_string_equal(bc_token_kind_name(BC_TOKEN_TEST), "test");
	assert_string_equal(bc_token_kind_name((enum bc_token_kind)77), "invalid");
}

static enum bc_token_kind strict(const char *token, const struct bc_token_pattern *pattern)
{
	return bc_token_classify_strict(token, strlen(token), pattern);
}

/* Each body below says whether it got its pattern; the checks stand only then. */
static bool guide_pattern(void *ctx)
{
	(void)ctx;
	struct bc_token_pattern *p = NULL;
	struct bc_err err = { 0 };
	if (bc_token_pattern_create("guide", &p, &err) < 0) {
		assert_int_equal(err.code, BC_ENOMEM);
		assert_null(p);
		return false;
	}
	assert_int_equal(strict("12a3b-4c5d-6e7-8f9g0", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("12345-prod-123-12345", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("12345-test-123-12345", p), BC_TOKEN_TEST);
	assert_int_equal(strict("1095752fb409-457a-af14-17a09e6be522", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("XXXXX-XXXXX-XXX-XXXXX", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("12a3b_4c5d_6e7_8f9g0", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("12a3b-4c5d-6e7-8f9g", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("../../../../../../..", p), BC_TOKEN_INVALID);
	bc_token_pattern_destroy(p);
	return true;
}

static bool regex_pattern(void *ctx)
{
	(void)ctx;
	struct bc_token_pattern *p = NULL;
	if (bc_token_pattern_create("[a-f0-9]{12}(-[a-f0-9]{4}){2}-[a-f0-9]{12}", &p, NULL) < 0)
		return false;
	assert_int_equal(strict("1095752fb409-457a-af14-17a09e6be522", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("x1095752fb409-457a-af14-17a09e6be522", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("1095752fb409-457a-af14-17a09e6be522x", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("1095752FB409-457a-af14-17a09e6be522", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("12345-test-123-12345", p), BC_TOKEN_TEST);
	assert_int_equal(strict("abc", p), BC_TOKEN_INVALID);
	bc_token_pattern_destroy(p);
	return true;
}

static bool alternating_pattern(void *ctx)
{
	(void)ctx;
	struct bc_token_pattern *p = NULL;
	if (bc_token_pattern_create("abcd|abcdef|[0-9]*", &p, NULL) < 0)
		return false;
	assert_int_equal(strict("abcd", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("abcdef", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("abcde", p), BC_TOKEN_INVALID);
	assert_int_equal(strict("123456", p), BC_TOKEN_PRODUCTION);
	assert_int_equal(strict("1234x", p), BC_TOKEN_INVALID);
	bc_token_pattern_destroy(p);
	return true;
}

static bool hostile_to_a_loose_pattern(void *ctx)
{
	(void)ctx;
	struct bc_token_pattern *p = NULL;
	if (bc_token_pattern_create(".*", &p, NULL) < 0)
		return false;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		enum bc_token_kind kind = bc_token_classify_strict(rows[i].text, rows[i].len, p);
		assert_int_equal(kind, rows[i].kind);
	}
	bc_token_pattern_destroy(p);
	return true;
}

static void the_guide_pattern_keeps_to_the_guide(void **state)
{
	(void)state;
	each_allocation_failing(guide_pattern, NULL);
}

static void a_regular_expression_must_match_the_whole_token(void **state)
{
	(void)state;
	each_allocation_failing(regex_pattern, NULL);
}

static void an_alternative_that_matches_less_does_not_hide_the_one_that_fits(void **state)
{
	(void)state;
	each_allocation_failing(alternating_pattern, NULL);
}

static void a_pattern_can_only_narrow_the_alphabet(void **state)
{
	(void)state;
	each_allocation_failing(hostile_to_a_loose_pattern, NULL);
}

static void without_a_pattern_strict_is_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		assert_int_equal(bc_token_classify_strict(rows[i].text, rows[i].len, NULL),
				 rows[i].kind);
}

static bool broken_patterns(void *ctx)
{
	static const char *const broken[] = { "", "(abc", "[a-", "a{2", "*(" };
	(void)ctx;
	bool without_failure = true;
	for (size_t i = 0; i < BC_COUNT(broken); i++) {
		struct bc_err err = { 0 };
		struct bc_token_pattern *p = NULL;
		int r = bc_token_pattern_create(broken[i], &p, &err);
		assert_null(p);
		assert_int_equal(err.code, r);
		assert_true(r == BC_EINVAL || r == BC_ENOMEM);
		assert_true(r != BC_EINVAL || (err.text[0] && err.hint[0]));
		without_failure = without_failure && r == BC_EINVAL;
	}
	return without_failure;
}

static void a_broken_pattern_is_refused_with_words(void **state)
{
	(void)state;
	each_allocation_failing(broken_patterns, NULL);
	assert_int_equal(
		bc_token_pattern_create("(abc", &(struct bc_token_pattern *){ NULL }, NULL),
		BC_EINVAL);
	bc_token_pattern_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_token_is_classified_as_argued),
		cmocka_unit_test(exactly_the_safe_bytes_are_safe),
		cmocka_unit_test(every_length_is_judged_by_the_two_bounds),
		cmocka_unit_test(kinds_have_names),
		cmocka_unit_test(the_guide_pattern_keeps_to_the_guide),
		cmocka_unit_test(a_regular_expression_must_match_the_whole_token),
		cmocka_unit_test(an_alternative_that_matches_less_does_not_hide_the_one_that_fits),
		cmocka_unit_test(a_pattern_can_only_narrow_the_alphabet),
		cmocka_unit_test(without_a_pattern_strict_is_plain),
		cmocka_unit_test(a_broken_pattern_is_refused_with_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
