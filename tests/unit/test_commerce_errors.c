/* SPDX-License-Identifier: MIT */
/* Error bodies: documented ones, broken ones and hostile ones, each as the line that is shown. */
#include <backchannel/commerce.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

static void check_line(const char *body, size_t bytes, const char *wanted)
{
	char text[BC_COMMERCE_MESSAGE_BYTES];
	memset(text, '~', sizeof(text));
	int found = bc_commerce_error_message(body, bytes, text);
	assert_non_null(memchr(text, '\0', sizeof(text)));
	if (strcmp(text, wanted) != 0)
		fail_msg("%.*s\n  gives \"%s\"\n  not   \"%s\"", (int)(bytes < 200 ? bytes : 200),
			 body ? body : "", text, wanted);
	assert_int_equal(found, wanted[0] != '\0');
}

struct line {
	const char *body;
	const char *wanted; /* "" = nothing is read */
};

static void check_lines(const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_line(lines[i].body, strlen(lines[i].body), lines[i].wanted);
}

static void bodies_of_the_documents_are_readable(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"Invalid product data: %1\",\"parameters\":"
		  "[\"Invalid attribute set entity type\"]}",
		  "Invalid product data: Invalid attribute set entity type" },
		{ "{\"message\":\"\\\"%fieldName\\\" is required. Enter and try again.\","
		  "\"parameters\":{\"fieldName\":\"searchCriteria\"}}",
		  "\"searchCriteria\" is required. Enter and try again." },
		{ "{\"message\":\"The consumer isn't authorized to access %resources.\","
		  "\"parameters\":{\"resources\":\"Magento_Sales::actions_view\"}}",
		  "The consumer isn't authorized to access Magento_Sales::actions_view." },
		{ "{\"error_code\":\"401013\",\"message\":\"Oauth token is not valid\"}",
		  "Oauth token is not valid (401013)" },
		{ "{\"error_code\":403010,\"message\":\"Oauth token is missing.\"}",
		  "Oauth token is missing. (403010)" },
		{ "{\"message\":\"The entity that was requested doesn't exist. Verify the entity "
		  "and try again.\"}",
		  "The entity that was requested doesn't exist. Verify the entity and try again." },
		{ "{\"message\":\"Too Many Requests\",\"trace\":null}", "Too Many Requests" },
		{ "{\"error\":\"invalid_client\",\"error_description\":\"invalid client_secret "
		  "parameter\"}",
		  "invalid_client: invalid client_secret parameter" },
		{ "{\"error\":\"invalid_scope\"}", "invalid_scope" },
		{ "{\"messages\":{\"error\":[{\"code\":500,\"message\":\"Server internal "
		  "error\"}]}}",
		  "Server internal error" },
		{ "{\"errors\":[{\"message\":\"Field \\\"x\\\" is not defined.\",\"extensions\":"
		  "{\"category\":\"graphql\"}}],\"data\":null}",
		  "Field \"x\" is not defined." },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void placeholders_are_filled_from_an_array(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"%1 and %2\",\"parameters\":[\"a\",\"b\"]}", "a and b" },
		{ "{\"message\":\"%2%1%2\",\"parameters\":[\"a\",\"b\"]}", "bab" },
		{ "{\"message\":\"%10|%1\",\"parameters\":[\"a\"]}", "%10|a" },
		{ "{\"message\":\"%10|%1|%11\",\"parameters\":"
		  "[1,2,3,4,5,6,7,8,9,\"ten\",\"eleven\"]}",
		  "ten|1|eleven" },
		{ "{\"message\":\"%01\",\"parameters\":[\"a\"]}", "a" },
		{ "{\"message\":\"%0 %3 %x % %% 5%\",\"parameters\":[\"a\",\"b\"]}",
		  "%0 %3 %x % %% 5%" },
		{ "{\"message\":\"%99999999999999999999999 %18446744073709551615\","
		  "\"parameters\":[\"a\"]}",
		  "%99999999999999999999999 %18446744073709551615" },
		/* What was put in is not looked at again. */
		{ "{\"message\":\"%1\",\"parameters\":[\"%2\",\"b\"]}", "%2" },
		{ "{\"message\":\"%1\",\"parameters\":[]}", "%1" },
		{ "{\"message\":\"%1\"}", "%1" },
		{ "{\"message\":\"%1\",\"parameters\":null}", "%1" },
		{ "{\"message\":\"%1\",\"parameters\":\"a\"}", "%1" },
		{ "{\"message\":\"%1\",\"parameters\":7}", "%1" },
		{ "{\"message\":\"done\",\"parameters\":[\"a\"]}", "done" },
		{ "{\"message\":\"%s %d %n\",\"parameters\":[\"a\"]}", "%s %d %n" },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void placeholders_are_filled_from_an_object_longest_name_first(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"%field %fieldName %fieldNames\",\"parameters\":"
		  "{\"field\":\"a\",\"fieldName\":\"b\"}}",
		  "a b bs" },
		{ "{\"message\":\"%fieldName\",\"parameters\":{\"fieldName\":\"b\","
		  "\"field\":\"a\"}}",
		  "b" },
		{ "{\"message\":\"%1 %2\",\"parameters\":{\"1\":\"x\",\"2\":\"y\"}}", "x y" },
		{ "{\"message\":\"%a%b\",\"parameters\":{\"a\":\"%b\",\"b\":\"2\"}}", "%b2" },
		{ "{\"message\":\"%A %other %\",\"parameters\":{\"a\":\"x\",\"\":\"y\"}}",
		  "%A %other %" },
		{ "{\"message\":\"%\xc3\xb6!\",\"parameters\":{\"\xc3\xb6\":\"o\"}}", "o!" },
		{ "{\"message\":\"%a\",\"parameters\":{}}", "%a" },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void values_need_not_be_texts(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"%1|%2|%3|%4|%5|%6\",\"parameters\":"
		  "[7,-64.28,null,true,\"\",1e300]}",
		  "7|-64.28|null|true||1e300" },
		{ "{\"message\":\"%1|%2\",\"parameters\":[[1,\"a\"],{\"b\":null}]}",
		  "[1,\"a\"]|{\"b\":null}" },
		{ "{\"message\":\"%n\",\"parameters\":{\"n\":0.1}}", "0.1" },
		/* Longer than a person reads. */
		{ "{\"message\":\"%1.\",\"parameters\":[["
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]]}",
		  "...." },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void errors_below_follow(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"No: %1\",\"parameters\":[\"x\"],\"errors\":[{\"message\":"
		  "\"%fieldName is bad\",\"parameters\":{\"fieldName\":\"sku\"}},{\"message\":"
		  "\"%1 too\",\"parameters\":[2]}]}",
		  "No: x; sku is bad; 2 too" },
		{ "{\"errors\":[{\"message\":\"a\"},\"b\",7,null,[],{},{\"message\":\"c\"}]}",
		  "a; b; c" },
		{ "{\"message\":\"a\",\"errors\":[]}", "a" },
		{ "{\"message\":\"a\",\"errors\":\"b\"}", "a" },
		{ "{\"message\":\"1\",\"errors\":[{\"message\":\"2\",\"errors\":[{\"message\":"
		  "\"3\",\"errors\":[{\"message\":\"4\",\"errors\":[{\"message\":\"5\"}]}]}]}]}",
		  "1; 2; 3; 4" },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void other_bodies_give_nothing(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "", "" },
		{ "<html><body>502 Bad Gateway</body></html>", "" },
		{ "upstream connect error", "" },
		{ "null", "" },
		{ "true", "" },
		{ "[]", "" },
		{ "{}", "" },
		{ "\"a text\"", "" },
		{ "[{\"message\":\"in a list\"}]", "" },
		{ "{\"message\":\"\"}", "" },
		{ "{\"message\":7}", "" },
		{ "{\"message\":{\"message\":\"a\"}}", "" },
		{ "{\"message\":null,\"trace\":\"a\"}", "" },
		{ "{\"error\":{\"code\":7}}", "" },
		{ "{\"error_code\":\"401013\"}", "" },
		{ "{\"items\":[],\"total_count\":0}", "" },
		{ "{\"message\":\"cut o", "" },
		{ "{\"message\":\"whole\",\"trace\":\"cut", "" },
		{ "{\"message\":\"twice\"}{\"message\":\"twice\"}", "" },
		{ "{\"message\":\"not \xff UTF-8\"}", "" },
		{ "{\"message\":\"half a \xc3\"}", "" },
		{ "{\"message\":\"overlong \xc0\xaf\"}", "" },
		{ "{\"mess\\u0000age\":\"a\"}", "" },
	};
	check_lines(lines, BC_COUNT(lines));
	check_line(NULL, 0, "");
	check_line(NULL, 7, "");
	check_line("{\"message\":\"a\"}trailing", 15, "a");
	check_line("{\"message\":\"a\"}", 14, "");
}

static void the_last_of_two_equal_names_counts(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"a\",\"message\":\"b %1\",\"parameters\":[1],"
		  "\"parameters\":[2]}",
		  "b 2" },
	};
	check_lines(lines, BC_COUNT(lines));
}

static void control_bytes_become_blanks(void **state)
{
	(void)state;
	static const struct line lines[] = {
		{ "{\"message\":\"a\\r\\nb\\tc\\u0000d\\u001b[31me\\u007ff\"}",
		  "a  b c d [31me f" },
		{ "{\"message\":\"a\\u0080b\\u009fc\\u00a0d\"}", "a b c\xc2\xa0"
								 "d" },
		{ "{\"message\":\"%1\",\"parameters\":[\"a\\nb\"]}", "a b" },
		{ "{\"error\":\"a\\nb\",\"error_description\":\"c\\u0007\"}", "a b: c " },
	};
	check_lines(lines, BC_COUNT(lines));
}

/* A body whose message is `ascii` bytes of 'a' and then some of one character. */
static void check_cut(size_t ascii, const char *character, size_t wanted_bytes)
{
	static char body[4096];
	char text[BC_COMMERCE_MESSAGE_BYTES];
	size_t len = strlen("{\"message\":\"");
	memcpy(body, "{\"message\":\"", len);
	memset(body + len, 'a', ascii);
	body[len + ascii] = '\0';
	for (int i = 0; i < 400; i++)
		strcat(body, character);
	strcat(body, "\"}");
	assert_int_equal(bc_commerce_error_message(body, strlen(body), text), 1);
	assert_int_equal(strlen(text), wanted_bytes);
	json_t *valid = json_string(text);
	assert_non_null(valid);
	json_decref(valid);
}

static void a_long_line_is_cut_between_characters(void **state)
{
	(void)state;
	check_cut(511, "a", 511);
	check_cut(512, "a", 511);
	check_cut(0, "\xc3\xb6", 510);
	check_cut(1, "\xc3\xb6", 511);
	check_cut(0, "\xe2\x82\xac", 510);
	check_cut(2, "\xe2\x82\xac", 509);
	check_cut(0, "\xf0\x9f\x9b\x92", 508);
	check_cut(3, "\xf0\x9f\x9b\x92", 511);
	check_cut(511, "\xf0\x9f\x9b\x92", 511);
}

static void a_huge_body_is_not_read(void **state)
{
	(void)state;
	enum { MOST = 64 * 1024 };
	char *body = malloc(MOST + 1);
	assert_non_null(body);
	memset(body, ' ', MOST + 1);
	memcpy(body, "{\"message\":\"a\"}", 15);
	check_line(body, MOST, "a");
	check_line(body, MOST + 1, "");
	memset(body, '[', MOST);
	check_line(body, MOST, "");
	free(body);
}

static bool reads(void *ctx)
{
	(void)ctx;
	static const char body[] = "{\"message\":\"%1\",\"parameters\":[[7]]}";
	char text[BC_COMMERCE_MESSAGE_BYTES];
	int found = bc_commerce_error_message(body, sizeof(body) - 1, text);
	assert_true(found == (text[0] != '\0'));
	return found == 1;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	each_allocation_failing(reads, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_of_the_documents_are_readable),
		cmocka_unit_test(placeholders_are_filled_from_an_array),
		cmocka_unit_test(placeholders_are_filled_from_an_object_longest_name_first),
		cmocka_unit_test(values_need_not_be_texts),
		cmocka_unit_test(errors_below_follow),
		cmocka_unit_test(other_bodies_give_nothing),
		cmocka_unit_test(the_last_of_two_equal_names_counts),
		cmocka_unit_test(control_bytes_become_blanks),
		cmocka_unit_test(a_long_line_is_cut_between_characters),
		cmocka_unit_test(a_huge_body_is_not_read),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
