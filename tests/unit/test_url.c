/* SPDX-License-Identifier: MIT */
/*
 * Finding the token in landing URLs: a table of what shops, browsers, mail programs and attackers
 * make of them. No function under test allocates, and the last test holds them to that.
 */
#include <backchannel/token.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

#define T    "12345-test-123-12345"
#define REAL "1095752fb409-457a-af14-17a09e6be522"

static const char *const usual[] = { "sovReqToken", NULL };
static const char *const several[] = { "sovReqToken", "click_id", "t", NULL };
static const char *const renamed[] = { "partner token", NULL };
static const char *const bracketed[] = { "sovReqToken[]", NULL };
static const char *const nameless[] = { "", NULL };
static const char *const none[] = { NULL };

#define ROW(params_, url_, result_, token_, why_)                                                  \
	{                                                                                          \
		(params_), (url_), sizeof(url_) - 1, (result_), (token_), (why_)                   \
	}
#define FOUND(url_, token_, why_) ROW(usual, url_, 1, token_, why_)
#define ABSENT(url_, why_)	  ROW(usual, url_, 0, NULL, why_)
#define BAD(url_, why_)		  ROW(usual, url_, BC_EINVAL, NULL, why_)

static const struct url_row {
	const char *const *params;
	const char *url;
	size_t len;
	int result;
	const char *token;
	const char *why;
} rows[] = {
	/* Ordinary landings. */
	FOUND("https://www.website.com/"
	      "landingpage?channel=sovendus&sovReqToken=XXXXX-XXXXX-XXX-XXXXX",
	      "XXXXX-XXXXX-XXX-XXXXX", "the guide's URL"),
	FOUND("https://shop.example/?sovReqToken=" T, T, "first and only parameter"),
	FOUND("https://shop.example?sovReqToken=" REAL, REAL, "no path at all"),
	FOUND("http://shop.example:8080/p?sovReqToken=" T "&utm_source=x", T, "more behind it"),
	FOUND("/landing?sovReqToken=" T, T, "relative to the shop"),
	FOUND("landing?sovReqToken=" T, T, "relative to the page"),
	FOUND("?sovReqToken=" T, T, "a bare query"),
	FOUND("//shop.example/p?sovReqToken=" T, T, "without a scheme"),
	FOUND("https://user:pw@shop.example/p?sovReqToken=" T, T, "user information"),
	FOUND("https://[2001:db8::1]/p?sovReqToken=" T, T, "an address for a host"),
	FOUND("android-app://com.shop/p?sovReqToken=" T, T, "another scheme"),
	FOUND("/p;jsessionid=1?sovReqToken=" T, T, "a path parameter before it"),
	FOUND("/p?sovReqToken=abcd", "abcd", "the shortest token"),

	/* None there. */
	ABSENT("", "an empty URL"),
	ABSENT("?", "an empty query"),
	ABSENT("https://shop.example/", "no query"),
	ABSENT("https://shop.example/?a=b", "another parameter"),
	ABSENT("/sovReqToken=" T, "in the path"),
	ABSENT("sovReqToken=" T, "a query needs its question mark"),
	ABSENT("/p?", "an empty query"),
	ABSENT("/p?&&&", "empty parameters"),
	ABSENT("/p?=&=abcd", "parameters without names"),
	ABSENT("/p?sovReqToken", "a name without a value"),
	ABSENT("/p?sovReqToken=", "an empty value"),
	ABSENT("/p?sovReqToken=&sovReqToken", "two of them"),
	ABSENT("/p?sovreqtoken=" T, "names are compared with their case"),
	ABSENT("/p?SOVREQTOKEN=" T, "the same"),
	ABSENT("/p?xsovReqToken=" T, "a longer name, at its front"),
	ABSENT("/p?sovReqTokenx=" T, "a longer name, at its end"),
	ABSENT("/p?sovReqToke=" T, "a shorter name"),
	ABSENT("/p?sovReqToken%00=" T, "an encoded NUL does not end a name"),
	ABSENT("/p?sovReqToken+=" T, "a space behind the name"),
	ABSENT("/p?;sovReqToken=" T, "a semicolon separates nothing"),
	ABSENT("/p?a=1;sovReqToken=" T, "the same"),

	/* Fragments do not count. */
	ABSENT("/p#sovReqToken=" T, "in the fragment"),
	ABSENT("/p#?sovReqToken=" T, "a query inside the fragment"),
	ABSENT("/p?a=b#&sovReqToken=" T, "a parameter behind the fragment's start"),
	FOUND("/p?sovReqToken=" T "#top", T, "a fragment behind it"),
	FOUND("/p?sovReqToken=" T "#sovReqToken=abcd", T, "a fragment that tries to win"),
	FOUND("/p?sovReqToken=abcd%23x&sovReqToken=" T, T, "an encoded # is no fragment"),

	/* Repeats: the last valid one. */
	FOUND("/p?sovReqToken=first&sovReqToken=last1", "last1", "last of two"),
	FOUND("/p?sovReqToken=" T "&sovReqToken=", T, "an empty repeat does not erase"),
	FOUND("/p?sovReqToken=" T "&sovReqToken", T, "nor one without a value"),
	FOUND("/p?sovReqToken=" T "&sovReqToken=../..", T, "nor an invalid one"),
	FOUND("/p?sovReqToken=../..&sovReqToken=" T, T, "an invalid one before"),
	FOUND("/p?sovReqToken=aaaa&x=1&sovReqToken=bbbb&y=2&sovReqToken=!", "bbbb", "of three"),
	BAD("/p?sovReqToken=a&sovReqToken=b", "two, and none a token"),
	BAD("/p?sovReqToken=a&sovReqToken=", "one bad, one empty"),

	/* Encoding. */
	FOUND("/p?sovReqToken=12345%2Dtest%2d123%2D12345", T, "encoded dashes, either case"),
	FOUND("/p?%73ovReqToken=" T, T, "an encoded name"),
	FOUND("/p?%73%6F%76%52%65%71%54%6f%6b%65%6e=%61%62%63%64", "abcd", "everything encoded"),
	BAD("/p?sovReqToken=abcd%252Dx", "encoded twice: decoding happens once"),
	BAD("/p?sovReqToken=abcd+efgh", "a plus is a space"),
	BAD("/p?sovReqToken=+abcd", "values are not trimmed"),
	BAD("/p?sovReqToken=abcd%20", "the same"),
	BAD("/p?sovReqToken=abcd%", "a broken escape stands for itself"),
	BAD("/p?sovReqToken=abcd%4", "the same"),
	BAD("/p?sovReqToken=abcd%zz", "the same"),
	BAD("/p?sovReqToken=abcd%4gx", "the same"),
	BAD("/p?sovReqToken=abcd=efgh", "the value goes on behind a second ="),
	BAD("/p?sovReqToken==abcd", "the same"),
	BAD("/p?sovReqToken=abcd?x", "a question mark inside"),
	ABSENT("/r?to=https%3A%2F%2Fshop.example%2F%3FsovReqToken%3D" T, "a URL as a value"),
	FOUND("/r?to=/p?a=b&sovReqToken=" T, T, "an unencoded one: & separates wherever it is"),
	FOUND("/p??sovReqToken=x&sovReqToken=" T, T, "the second question mark is part of a name"),
	ABSENT("/p?&amp;sovReqToken=" T, "escaped as in HTML: another name"),

	/* Arrays and objects: other names, unless the shop asked for them. */
	ABSENT("/p?sovReqToken[]=" T, "an array"),
	ABSENT("/p?sovReqToken[0]=" T, "an array's first"),
	ABSENT("/p?sovReqToken[a][b]=" T, "an object"),
	ABSENT("/p?sovReqToken%5B%5D=" T, "an encoded array"),
	ROW(bracketed, "/p?sovReqToken[]=" T, 1, T, "configured so"),
	ROW(bracketed, "/p?sovReqToken%5B%5d=" T, 1, T, "configured so, and encoded"),

	/* Names. */
	ROW(several, "/p?click_id=abcd", 1, "abcd", "another of several names"),
	ROW(several, "/p?t=abcd&sovReqToken=efgh", 1, "efgh", "the URL's order decides"),
	ROW(several, "/p?sovReqToken=efgh&t=abcd", 1, "abcd", "not the settings'"),
	ROW(several, "/p?sovReqToken=efgh&t=!", 1, "efgh", "the last valid one of any name"),
	ROW(several, "/p?tt=abcd", 0, NULL, "a name that begins like one"),
	ROW(renamed, "/p?partner+token=abcd", 1, "abcd", "a plus in a name is a space"),
	ROW(renamed, "/p?partner%20token=abcd", 1, "abcd", "so is %20"),
	ROW(renamed, "/p?sovReqToken=" T, 0, NULL, "renamed: the old name is gone"),
	ROW(nameless, "/p?=abcd", 0, NULL, "an empty name finds nothing"),
	ROW(none, "/p?sovReqToken=" T, 0, NULL, "no names, no token"),

	/* Hostile values. */
	BAD("/p?sovReqToken=../../x", "a climb"),
	BAD("/p?sovReqToken=..%2F..%2Fx", "an encoded one"),
	BAD("/p?sovReqToken=a%2Fb%2Fc", "slashes"),
	BAD("/p?sovReqToken=x;Domain=evil", "a cookie attribute"),
	BAD("/p?sovReqToken=abcd%0d%0aSet-Cookie:%20a=b", "a header"),
	BAD("/p?sovReqToken=abcd\r\nX: y", "a raw one"),
	BAD("/p?sovReqToken=abcd%00", "a NUL behind a token"),
	BAD("/p?sovReqToken=abcd\0", "a raw one"),
	BAD("/p?sovReqToken=%00abcd", "a NUL before it"),
	BAD("/p?sovReqToken=%C3%A4bcd", "a letter that is not ASCII"),
	BAD("/p?sovReqToken=%F0%9F%98%80", "an emoji"),
	BAD("/p?sovReqToken=<script>alert(1)</script>", "markup"),
	BAD("/p?sovReqToken=abc", "too short"),
	FOUND("/p\0?sovReqToken=" T, T, "a NUL in the path is only a byte"),
	FOUND("/p?x=\xff\xfe&sovReqToken=" T, T, "bytes that are no UTF-8 elsewhere"),
};

static void check_row(const struct url_row *row, size_t i)
{
	char token[BC_TOKEN_MAX + 1] = "untouched";
	int result = bc_url_token(row->url, row->len, row->params, NULL, token);
	if (result != row->result)
		fail_msg("row %zu (%s): result %d instead of %d", i, row->why, result, row->result);
	const char *wanted = row->token ? row->token : "untouched";
	if (strcmp(token, wanted) != 0)
		fail_msg("row %zu (%s): \"%s\" instead of \"%s\"", i, row->why, token, wanted);
}

static void every_landing_url_gives_what_its_row_says(void **state)
{
	(void)state;
	assert_true(BC_COUNT(rows) >= 60);
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		check_row(&rows[i], i);
}

/* "?sovReqToken=" and n times x, or every x as %78. */
static size_t long_value(char *url, size_t n, bool encoded)
{
	size_t len = (size_t)sprintf(url, "?sovReqToken=");
	for (size_t i = 0; i < n; i++)
		len += (size_t)sprintf(url + len, encoded ? "%%78" : "x");
	return len;
}

static void a_value_is_measured_after_decoding(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		int result;
	} lengths[] = { { 1, BC_EINVAL }, { 3, BC_EINVAL },   { 4, 1 },
			{ 128, 1 },	  { 129, BC_EINVAL }, { 2000, BC_EINVAL } };
	for (size_t i = 0; i < BC_COUNT(lengths) * 2; i++) {
		char url[6100];
		char token[BC_TOKEN_MAX + 1] = "";
		size_t n = lengths[i / 2].n;
		size_t len = long_value(url, n, i % 2);
		int result = bc_url_token(url, len, usual, NULL, token);
		assert_int_equal(result, lengths[i / 2].result);
		assert_int_equal(strlen(token), result == 1 ? n : 0);
	}
}

static void eight_kib_are_read_and_not_a_byte_more(void **state)
{
	(void)state;
	static char url[BC_URL_MAX + 1];
	char token[BC_TOKEN_MAX + 1] = "untouched";
	memset(url, 'x', sizeof(url));
	memcpy(url, "/p?pad=", 7);
	memcpy(url + BC_URL_MAX - 17, "&sovReqToken=abcd", 17);
	assert_int_equal(bc_url_token(url, BC_URL_MAX + 1, usual, NULL, token), BC_ETOOBIG);
	assert_string_equal(token, "untouched");
	assert_int_equal(bc_url_token(url, BC_URL_MAX, usual, NULL, token), 1);
	assert_string_equal(token, "abcd");
	assert_int_equal(bc_url_token(url, SIZE_MAX, usual, NULL, token), BC_ETOOBIG);
}

static void thousands_of_parameters_are_just_read(void **state)
{
	(void)state;
	static char url[BC_URL_MAX];
	char token[BC_TOKEN_MAX + 1];
	memset(url, '&', sizeof(url));
	url[0] = '?';
	assert_int_equal(bc_url_token(url, sizeof(url), usual, NULL, token), 0);
	memset(url + 1, '=', sizeof(url) - 1);
	assert_int_equal(bc_url_token(url, sizeof(url), usual, NULL, token), 0);
	memset(url + 1, '%', sizeof(url) - 1);
	assert_int_equal(bc_url_token(url, sizeof(url), usual, NULL, token), 0);
	memset(url + 1, '?', sizeof(url) - 1);
	assert_int_equal(bc_url_token(url, sizeof(url), usual, NULL, token), 0);
}

/* A prefix must never read on: valgrind and the address sanitizer watch the copy's end. */
static void a_url_cut_anywhere_is_read_within_its_bounds(void **state)
{
	(void)state;
	static const char whole[] = "https://shop.example/p?a=%41&%73ovReqToken=%61bcd%2Defgh#x";
	size_t first_hit = strlen("https://shop.example/p?a=%41&%73ovReqToken=%61bcd");
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *cut = malloc(len > 0 ? len : 1);
		assert_non_null(cut);
		memcpy(cut, whole, len);
		char token[BC_TOKEN_MAX + 1];
		const char *path;
		size_t path_len;
		int result = bc_url_token(cut, len, usual, NULL, token);
		bc_url_path(cut, len, &path, &path_len);
		assert_true(len >= first_hit || result != 1);
		assert_true(path_len <= len || (path_len == 1 && *path == '/'));
		free(cut);
	}
}

static bool strict_landing(void *ctx)
{
	(void)ctx;
	static const char url[] = "/?sovReqToken=12a3b-4c5d-6e7-8f9g0&sovReqToken=" REAL;
	static const char test_url[] = "/?sovReqToken=" T;
	char token[BC_TOKEN_MAX + 1] = "";
	struct bc_token_pattern *p = NULL;
	if (bc_token_pattern_create("guide", &p, NULL) < 0)
		return false;
	assert_int_equal(bc_url_token(url, sizeof(url) - 1, usual, p, token), 1);
	assert_string_equal(token, "12a3b-4c5d-6e7-8f9g0");
	assert_int_equal(bc_url_token(test_url, sizeof(test_url) - 1, usual, p, token), 1);
	assert_string_equal(token, T);
	assert_int_equal(bc_url_token("/?sovReqToken=abcd", 18, usual, p, token), BC_EINVAL);
	bc_token_pattern_destroy(p);
	return true;
}

static void a_pattern_decides_which_value_is_valid(void **state)
{
	(void)state;
	each_allocation_failing(strict_landing, NULL);
}

static const struct {
	const char *url;
	const char *path;
} paths[] = {
	{ "https://shop.example/shoes/red?x=1#y", "/shoes/red" },
	{ "https://shop.example/shoes#y?x=1", "/shoes" },
	{ "https://shop.example", "/" },
	{ "https://shop.example/", "/" },
	{ "https://shop.example?a=/b", "/" },
	{ "https://shop.example#a/b", "/" },
	{ "https://", "/" },
	{ "https:///p", "/p" },
	{ "/shoes", "/shoes" },
	{ "/shoes?x=https://other/", "/shoes" },
	{ "shoes/red", "shoes/red" },
	{ "?x=1", "/" },
	{ "#x", "/" },
	{ "", "/" },
	{ "/", "/" },
	{ "//double/slash", "//double/slash" },
	{ "/a://b/c", "/a://b/c" },
	{ "://b/c", "://b/c" },
	{ "/%73hoes/../x", "/%73hoes/../x" },
	{ "mailto:x", "mailto:x" },
};

static void a_path_is_what_stands_between_host_and_query(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(paths); i++) {
		const char *path = NULL;
		size_t len = 0;
		bc_url_path(paths[i].url, strlen(paths[i].url), &path, &len);
		if (len != strlen(paths[i].path) || memcmp(path, paths[i].path, len) != 0)
			fail_msg("\"%s\": \"%.*s\"", paths[i].url, (int)len, path);
	}
}

static bool all_rows(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		check_row(&rows[i], i);
	return !allocation_failed();
}

static void reading_a_url_allocates_nothing(void **state)
{
	(void)state;
	fail_allocation(1);
	bool clean = all_rows(NULL);
	fail_allocation(0);
	assert_true(clean);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_landing_url_gives_what_its_row_says),
		cmocka_unit_test(a_value_is_measured_after_decoding),
		cmocka_unit_test(eight_kib_are_read_and_not_a_byte_more),
		cmocka_unit_test(thousands_of_parameters_are_just_read),
		cmocka_unit_test(a_url_cut_anywhere_is_read_within_its_bounds),
		cmocka_unit_test(a_pattern_decides_which_value_is_valid),
		cmocka_unit_test(a_path_is_what_stands_between_host_and_query),
		cmocka_unit_test(reading_a_url_allocates_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
