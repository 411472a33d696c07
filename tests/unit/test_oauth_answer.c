/* SPDX-License-Identifier: MIT */
/*
 * The reading of a token endpoint's answers: Adobe's documented ones, those that other servers give
 * for the same, and what proxies, broken connections and odd servers make of them.
 */
#include <backchannel/oauth.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <backchannel/partner.h>

#include "base/attr.h"
#include "protocol/oauth_rules.h"
#include "tests/unit/failing_malloc.h"

#define BAD_SECRET                                                                                 \
	"{\"error\":\"invalid_client\",\"error_description\":\"invalid client_secret parameter\"}"
#define BAD_ID                                                                                     \
	"{\"error\":\"invalid_client\",\"error_description\":\"invalid client_id parameter\"}"
#define PAGE	   "<!DOCTYPE html>\n<html><body>Sign in to the guest network</body></html>"
#define TOKEN	   "eyJhbGciOiJSUzI1NiJ9.eyJ0eXBlIjoiYWNjZXNzX3Rva2VuIn0.c2lnbmF0dXJl"
#define GRANTED	   "{\"access_token\":\"" TOKEN "\",\"token_type\":\"bearer\",\"expires_in\":86399}"
#define CODE(code) "{\"error\":\"" code "\"}"

enum { NOW_MS = 1000 };

static struct bc_oauth_answer answer_of(int status, const char *body)
{
	return (struct bc_oauth_answer){
		.status = status,
		.body = body,
		.body_bytes = body ? strlen(body) : 0,
		.complete = true,
		.now_wall_ms = NOW_MS,
	};
}

/* The caller finishes it. */
static struct bc_oauth_verdict read_answer(const struct bc_oauth_answer *answer)
{
	struct bc_oauth_verdict v;
	assert_int_equal(bc_oauth_read_answer(answer, &v), 0);
	bool granted = v.result == BC_OAUTH_GRANTED;
	assert_non_null(v.meaning);
	assert_non_null(v.hint);
	assert_true(v.meaning[0]);
	assert_true(granted || v.hint[0]);
	assert_int_equal(granted, v.access_token != NULL);
	assert_int_equal(granted, v.life_ms > 0);
	assert_true(!granted || (!v.error[0] && !v.description[0] && !v.retry_after_ms));
	return v;
}

static struct bc_oauth_verdict read_text(int status, const char *body)
{
	struct bc_oauth_answer a = answer_of(status, body);
	return read_answer(&a);
}

static const struct {
	int status;
	const char *body;
	enum bc_oauth_result result;
	const char *says;  /* part of the meaning */
	const char *hints; /* part of the hint */
} known[] = {
	/* Adobe's, see its documents and public code. */
	{ 200, GRANTED, BC_OAUTH_GRANTED, "granted", "" },
	{ 400, BAD_SECRET, BC_OAUTH_CLIENT_REFUSED, "client secret is wrong", "IMS_CLIENT_SECRET" },
	{ 400, BAD_ID, BC_OAUTH_CLIENT_REFUSED, "client id is not known", "IMS_CLIENT_ID" },
	{ 400, CODE("unauthorized_client"), BC_OAUTH_REQUEST_REFUSED, "on its own behalf",
	  "Server-to-Server" },
	{ 400,
	  "{\"error\":\"invalid_scope\",\"error_description\":\"requested scope is not available "
	  "to this client\"}",
	  BC_OAUTH_REQUEST_REFUSED, "scope", "oauth.scopes" },
	{ 400, CODE("unsupported_grant_type"), BC_OAUTH_REQUEST_REFUSED, "client credentials",
	  "oauth.token_url" },
	{ 429, CODE("too_many_requests"), BC_OAUTH_THROTTLED, "too often", "nothing to do" },
	{ 500, "{\"error\":\"internal_error\",\"error_description\":\"Please try again later\"}",
	  BC_OAUTH_FAILED, "error inside", "nothing to do" },

	/* Other servers. */
	{ 401, BAD_SECRET, BC_OAUTH_CLIENT_REFUSED, "client secret is wrong", "IMS_CLIENT_SECRET" },
	{ 401, CODE("invalid_client"), BC_OAUTH_CLIENT_REFUSED, "id or secret", "oauth.auth" },
	{ 401, NULL, BC_OAUTH_CLIENT_REFUSED, "id or secret", "oauth.auth" },
	{ 401, PAGE, BC_OAUTH_CLIENT_REFUSED, "id or secret", "oauth.auth" },
	{ 401, CODE("unauthorized_client"), BC_OAUTH_REQUEST_REFUSED, "on its own behalf", "" },
	{ 200, CODE("invalid_client"), BC_OAUTH_CLIENT_REFUSED, "id or secret", "oauth.auth" },
	{ 400, CODE("invalid_request"), BC_OAUTH_REQUEST_REFUSED, "malformed", "oauth.auth" },
	{ 403, CODE("access_denied"), BC_OAUTH_REQUEST_REFUSED, "denies", "administrator" },
	{ 400, CODE("invalid_target"), BC_OAUTH_REQUEST_REFUSED, "not a usual one", "own words" },
	{ 400, "{\"error\":42}", BC_OAUTH_REQUEST_REFUSED, "not a usual one", "" },
	{ 400, CODE("slow_down"), BC_OAUTH_THROTTLED, "too often", "" },
	{ 400, CODE("temporarily_unavailable"), BC_OAUTH_FAILED, "can't answer now", "" },
	{ 400, CODE("server_error"), BC_OAUTH_FAILED, "error inside", "" },
	{ 429, BAD_SECRET, BC_OAUTH_THROTTLED, "too often", "" },
	{ 500, CODE("invalid_client"), BC_OAUTH_FAILED, "error inside", "" },
	{ 503, PAGE, BC_OAUTH_FAILED, "not available", "" },

	/* Wrong URLs. */
	{ 301, NULL, BC_OAUTH_REQUEST_REFUSED, "token URL is wrong", "oauth.token_url" },
	{ 308, PAGE, BC_OAUTH_REQUEST_REFUSED, "token URL is wrong", "oauth.token_url" },
	{ 403, PAGE, BC_OAUTH_REQUEST_REFUSED, "firewall", "address" },
	{ 404, PAGE, BC_OAUTH_REQUEST_REFUSED, "no token endpoint", "IMS_BASE_URL" },
	{ 405, NULL, BC_OAUTH_REQUEST_REFUSED, "no token endpoint", "IMS_BASE_URL" },
	{ 410, NULL, BC_OAUTH_REQUEST_REFUSED, "no longer", "IMS_BASE_URL" },
	{ 200, "{\"message\":\"hello\"}", BC_OAUTH_FAILED, "no access_token", "token URL" },

	/* What stands between. */
	{ 200, PAGE, BC_OAUTH_FAILED, "web page", "sign-in page" },
	{ 200, " \r\n\t<html>", BC_OAUTH_FAILED, "web page", "proxy" },
	{ 400, PAGE, BC_OAUTH_FAILED, "web page", "proxy" },
	{ 400, "Bad Request", BC_OAUTH_FAILED, "no token endpoint uses", "proxy" },
	{ 400, "", BC_OAUTH_FAILED, "without a word", "proxy" },
	{ 407, PAGE, BC_OAUTH_REQUEST_REFUSED, "proxy", "password" },
	{ 502, PAGE, BC_OAUTH_FAILED, "error inside", "nothing to do" },
	{ 511, PAGE, BC_OAUTH_FAILED, "sign in", "network" },

	/* Broken ones. */
	{ 200, "{\"access_token\":\"eyJ", BC_OAUTH_FAILED, "not whole", "" },
	{ 200, "{\"access_token\":\"" TOKEN "\"", BC_OAUTH_FAILED, "not whole", "" },
	{ 200, "", BC_OAUTH_FAILED, "empty", "" },
	{ 200, NULL, BC_OAUTH_FAILED, "empty", "" },
	{ 200, "[]", BC_OAUTH_FAILED, "not JSON", "" },
	{ 200, "null", BC_OAUTH_FAILED, "not JSON", "" },
	{ 200, "{}", BC_OAUTH_FAILED, "no access_token", "" },
	{ 400, "{", BC_OAUTH_FAILED, "no token endpoint uses", "" },
	{ 408, NULL, BC_OAUTH_FAILED, "in time", "" },
	{ 0, NULL, BC_OAUTH_FAILED, "no answer", "backchannel check" },
	{ 100, NULL, BC_OAUTH_FAILED, "status", "" },
	{ 201, GRANTED, BC_OAUTH_FAILED, "status", "" },
	{ 204, NULL, BC_OAUTH_FAILED, "status", "" },
	{ 999, NULL, BC_OAUTH_FAILED, "status", "" },
	{ -1, GRANTED, BC_OAUTH_FAILED, "status", "" },
};

static void known_answers_mean_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(known); i++) {
		struct bc_oauth_verdict v = read_text(known[i].status, known[i].body);
		if (v.result != known[i].result || !strstr(v.meaning, known[i].says) ||
		    !strstr(v.hint, known[i].hints))
			fail_msg("row %zu, status %d: %s, \"%s\", \"%s\"", i, known[i].status,
				 bc_oauth_result_name(v.result), v.meaning, v.hint);
		bc_oauth_verdict_finish(&v);
	}
}

static void an_answer_that_broke_off_is_not_taken(void **state)
{
	(void)state;
	struct bc_oauth_answer a = answer_of(200, GRANTED);
	a.complete = false;
	struct bc_oauth_verdict v = read_answer(&a);
	assert_int_equal(v.result, BC_OAUTH_FAILED);
	assert_non_null(strstr(v.meaning, "broke off"));
	a = answer_of(400, "{\"error\":\"inv");
	a.complete = false;
	v = read_answer(&a);
	assert_int_equal(v.result, BC_OAUTH_FAILED);
	assert_non_null(strstr(v.meaning, "broke off"));
	a = answer_of(400, BAD_SECRET);
	a.complete = false;
	assert_int_equal(read_answer(&a).result, BC_OAUTH_CLIENT_REFUSED);
}

static void a_granted_token_comes_with_its_life_and_without_words(void **state)
{
	(void)state;
	struct bc_oauth_answer a =
		answer_of(200, "{\"error\":\"\",\"message\":\"" TOKEN "\",\"access_token\":\"" TOKEN
			       "\",\"expires_in\":3599,\"scope\":\"openid\"}");
	a.retry_after = "30";
	struct bc_oauth_verdict v = read_answer(&a);
	assert_string_equal(v.access_token, TOKEN);
	assert_int_equal(v.life_ms, 3599000);
	assert_false(v.life_assumed);
	bc_oauth_verdict_finish(&v);
	assert_null(v.access_token);
	bc_oauth_verdict_finish(&v);
}

/* --- the token ------------------------------------------------------------------------------- */

static struct bc_oauth_verdict read_member(const char *member)
{
	char body[256];
	snprintf(body, sizeof(body), "{\"access_token\":\"t\"%s}", member);
	return read_text(200, body);
}

static void only_bearer_tokens_are_taken(void **state)
{
	static const struct {
		const char *member;
		bool taken;
	} types[] = {
		{ "", true },
		{ ",\"token_type\":null", true },
		{ ",\"token_type\":\"bearer\"", true },
		{ ",\"token_type\":\"Bearer\"", true },
		{ ",\"token_type\":\"BEARER\"", true },
		{ ",\"token_type\":\"mac\"", false },
		{ ",\"token_type\":\"DPoP\"", false },
		{ ",\"token_type\":\"\"", false },
		{ ",\"token_type\":\"bearer \"", false },
		{ ",\"token_type\":1", false },
		{ ",\"token_type\":[\"bearer\"]", false },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(types); i++) {
		struct bc_oauth_verdict v = read_member(types[i].member);
		if (v.result != (types[i].taken ? BC_OAUTH_GRANTED : BC_OAUTH_REQUEST_REFUSED))
			fail_msg("%s: %s", types[i].member, bc_oauth_result_name(v.result));
		bc_oauth_verdict_finish(&v);
	}
}

static void a_token_that_cannot_be_sent_is_not_taken(void **state)
{
	static const char *const values[] = {
		"\"\"",		 "null",
		"true",		 "5",
		"[\"t\"]",	 "{}",
		"\"a b\"",	 "\" a\"",
		"\"a\\n\"",	 "\"a\\u0000b\"",
		"\"a\\u0007b\"", "\"a\\u007fb\"",
		"\"t\xc3\xb6\"", "\"\\r\\nX-A: b\"",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(values); i++) {
		char body[128];
		snprintf(body, sizeof(body), "{\"access_token\":%s,\"expires_in\":60}", values[i]);
		struct bc_oauth_verdict v = read_text(200, body);
		if (v.result != BC_OAUTH_FAILED)
			fail_msg("%s: %s", values[i], bc_oauth_result_name(v.result));
	}
}

static struct bc_oauth_verdict read_long_token(size_t bytes)
{
	static char body[BC_OAUTH_TOKEN_MAX + 64];
	memset(body, 'x', sizeof(body));
	memcpy(body, "{\"access_token\":\"", 17);
	strcpy(body + 17 + bytes, "\"}");
	return read_text(200, body);
}

static void a_token_may_be_16_kib_long_and_no_longer(void **state)
{
	(void)state;
	struct bc_oauth_verdict v = read_long_token(BC_OAUTH_TOKEN_MAX);
	assert_int_equal(v.result, BC_OAUTH_GRANTED);
	assert_int_equal(strlen(v.access_token), BC_OAUTH_TOKEN_MAX);
	bc_oauth_verdict_finish(&v);
	v = read_long_token(BC_OAUTH_TOKEN_MAX + 1);
	assert_int_equal(v.result, BC_OAUTH_FAILED);
	assert_non_null(strstr(v.meaning, "16 KiB"));
}

static void a_life_is_seconds_and_never_absurd(void **state)
{
	static const struct {
		const char *expires_in;
		uint64_t life_ms; /* 0: assumed */
		bool assumed;
	} lives[] = {
		{ "86399", 86399000, false },
		{ "3599", 3599000, false },
		{ "1", 1000, false },
		{ "\"3600\"", 3600000, false },
		{ "3599.5", 3599500, false },
		{ "8.64e4", 86400000, false },
		{ "0.25", 250, false },
		{ "604800", BC_OAUTH_LIFE_MAX_MS, false },
		{ "604801", BC_OAUTH_LIFE_MAX_MS, true },
		{ "86400000", BC_OAUTH_LIFE_MAX_MS, true }, /* milliseconds */
		{ "\"86400000\"", BC_OAUTH_LIFE_MAX_MS, true },
		{ "9223372036854775807", BC_OAUTH_LIFE_MAX_MS, true },
		{ "99999999999999999999999999", BC_OAUTH_LIFE_MAX_MS, true },
		{ "\"99999999999999999999999999\"", BC_OAUTH_LIFE_MAX_MS, true },
		{ "1e300", BC_OAUTH_LIFE_MAX_MS, true },
		{ "0", 0, true },
		{ "0.0001", 0, true },
		{ "-1", 0, true },
		{ "-86399", 0, true },
		{ "-1e300", 0, true },
		{ "\"0\"", 0, true },
		{ "\"-5\"", 0, true },
		{ "\"\"", 0, true },
		{ "\" 60\"", 0, true },
		{ "\"60s\"", 0, true },
		{ "\"3600.0\"", 0, true },
		{ "\"soon\"", 0, true },
		{ "null", 0, true },
		{ "true", 0, true },
		{ "[60]", 0, true },
		{ "{}", 0, true },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(lives); i++) {
		char member[80];
		uint64_t want = lives[i].life_ms ? lives[i].life_ms : BC_OAUTH_LIFE_ASSUMED_MS;
		snprintf(member, sizeof(member), ",\"expires_in\":%s", lives[i].expires_in);
		struct bc_oauth_verdict v = read_member(member);
		if (v.result != BC_OAUTH_GRANTED || v.life_ms != want ||
		    v.life_assumed != lives[i].assumed)
			fail_msg("%s: %llu ms, %sassumed", lives[i].expires_in,
				 (unsigned long long)v.life_ms, v.life_assumed ? "" : "not ");
		bc_oauth_verdict_finish(&v);
	}
	struct bc_oauth_verdict v = read_member("");
	assert_int_equal(v.life_ms, BC_OAUTH_LIFE_ASSUMED_MS);
	assert_true(v.life_assumed);
	bc_oauth_verdict_finish(&v);
}

/* --- words and waits ------------------------------------------------------------------------- */

static void the_endpoints_own_words_are_kept(void **state)
{
	(void)state;
	struct bc_oauth_verdict v = read_text(400, BAD_SECRET);
	assert_string_equal(v.error, "invalid_client");
	assert_string_equal(v.description, "invalid client_secret parameter");
	v = read_text(400, CODE("unauthorized_client"));
	assert_string_equal(v.error, "unauthorized_client");
	assert_string_equal(v.description, "");
	v = read_text(403, "{\"error_code\":\"403010\",\"message\":\"Oauth token is missing.\"}");
	assert_string_equal(v.error, "403010");
	assert_string_equal(v.description, "Oauth token is missing.");
	v = read_text(200, PAGE);
	assert_string_equal(v.error, "");
	assert_string_equal(v.description, "");
}

static void words_hold_no_control_character_and_end_between_characters(void **state)
{
	char body[1024] = "{\"error\":\"a\\u001b[31m\\nb\\u009bc\",\"error_description\":\"x";
	(void)state;
	for (int i = 0; i < 150; i++)
		strcat(body, "\xc3\xa4"); /* two bytes each, the first byte at odd places */
	strcat(body, "\"}");
	struct bc_oauth_verdict v = read_text(400, body);
	assert_string_equal(v.error, "a [31m b c");
	assert_int_equal(strlen(v.description), BC_OAUTH_DESCRIPTION_BYTES - 1);
	assert_memory_equal(v.description + BC_OAUTH_DESCRIPTION_BYTES - 3, "\xc3\xa4", 2);
	body[strlen(body) - 2] = '\0';
	memmove(strchr(body, 'x'), strchr(body, 'x') + 1, strlen(strchr(body, 'x')));
	strcat(body, "\"}");
	v = read_text(400, body);
	assert_int_equal(strlen(v.description), BC_OAUTH_DESCRIPTION_BYTES - 2);
}

static void a_token_never_stands_in_a_text(void **state)
{
	static const int statuses[] = { 0, 200, 201, 301, 400, 401, 403, 404, 429, 500, 503, 999 };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(statuses); i++) {
		struct bc_oauth_verdict v =
			read_text(statuses[i],
				  "{\"access_token\":\"canary\",\"token_type\":\"mac\",\"error\":"
				  "\"canary\",\"error_description\":\"see canary\"}");
		assert_string_equal(v.error, "");
		assert_string_equal(v.description, "");
		assert_null(v.access_token);
	}
}

static void a_wait_is_read_where_waiting_helps(void **state)
{
	static const struct {
		int status;
		const char *retry_after, *date;
		uint64_t wait_ms;
	} waits[] = {
		{ 429, "30", NULL, 30000 },
		{ 429, NULL, NULL, 0 },
		{ 429, "", NULL, 0 },
		{ 429, "soon", NULL, 0 },
		{ 429, "-1", NULL, 0 },
		{ 429, "0", NULL, 0 },
		{ 503, "120", NULL, 120000 },
		{ 500, " 5 ", NULL, 5000 },
		{ 429, "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:07 GMT", 30000 },
		{ 429, "Thu, 01 Jan 1970 00:00:11 GMT", NULL, 10000 },
		{ 429, "Thu, 01 Jan 1970 00:00:00 GMT", NULL, 0 },
		{ 429, "99999999999999999999999", NULL, BC_RETRY_AFTER_MAX_MS },
		{ 429, "7201", NULL, BC_RETRY_AFTER_MAX_MS },
		{ 401, "30", NULL, 0 },
		{ 404, "30", NULL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(waits); i++) {
		struct bc_oauth_answer a = answer_of(waits[i].status, NULL);
		a.retry_after = waits[i].retry_after;
		a.date = waits[i].date;
		struct bc_oauth_verdict v = read_answer(&a);
		if (v.retry_after_ms != waits[i].wait_ms)
			fail_msg("row %zu: %llu ms", i, (unsigned long long)v.retry_after_ms);
	}
}

/* --- the table ------------------------------------------------------------------------------- */

/* A row that an earlier one hides would be words that nobody ever reads. */
static void every_row_of_the_table_is_reached(void **state)
{
	(void)state;
	for (size_t i = 0; i < bc_oauth_rule_count; i++) {
		const struct bc_oauth_rule *rule = &bc_oauth_rules[i];
		bool reached = false;
		for (int status = -1; status <= 600 && !reached; status++)
			reached = bc_oauth_rule_find(status, rule->body, rule->error,
						     rule->about) == rule;
		if (!reached)
			fail_msg("row %zu is never reached: %s", i, rule->meaning);
	}
}

static void every_status_with_every_body_has_a_verdict(void **state)
{
	static const char *const bodies[] = { NULL, "",	    PAGE,      GRANTED,	  BAD_SECRET,
					      "{}", "[1,2", CODE("x"), "\xff\xfe" };
	(void)state;
	for (int status = -1; status <= 1000; status++) {
		for (size_t i = 0; i < BC_COUNT(bodies) * 2; i++) {
			struct bc_oauth_answer a = answer_of(status, bodies[i / 2]);
			a.complete = i % 2;
			struct bc_oauth_verdict v = read_answer(&a);
			bool must_be = status == 200 && a.complete && bodies[i / 2] &&
				       strcmp(bodies[i / 2], GRANTED) == 0;
			assert_int_equal(v.result == BC_OAUTH_GRANTED, must_be);
			bc_oauth_verdict_finish(&v);
		}
	}
}

static void words_for_operators_keep_to_the_style(void **state)
{
	(void)state;
	for (size_t i = 0; i < bc_oauth_rule_count; i++) {
		const char *texts[] = { bc_oauth_rules[i].meaning, bc_oauth_rules[i].hint };
		for (size_t j = 0; j < BC_COUNT(texts); j++) {
			size_t len = strlen(texts[j]);
			assert_true(len < BC_ERR_HINT_BYTES);
			assert_true(len == 0 || texts[j][len - 1] != '.');
			assert_true(len == 0 || texts[j][0] < 'A' || texts[j][0] > 'Z');
			assert_null(strstr(texts[j], "  "));
		}
	}
}

static void results_have_names(void **state)
{
	static const char *const names[] = { "granted", "client_refused", "request_refused",
					     "throttled", "failed" };
	(void)state;
	assert_int_equal(BC_COUNT(names), BC_OAUTH_RESULTS);
	for (int i = 0; i < BC_OAUTH_RESULTS; i++)
		assert_string_equal(bc_oauth_result_name((enum bc_oauth_result)i), names[i]);
	assert_string_equal(bc_oauth_result_name((enum bc_oauth_result)99), "unknown");
}

static bool read_a_token(void *ctx)
{
	struct bc_oauth_answer a = answer_of(200, GRANTED);
	struct bc_oauth_verdict v = { .meaning = "untouched" };
	(void)ctx;
	int r = bc_oauth_read_answer(&a, &v);
	if (r < 0) {
		assert_int_equal(r, BC_ENOMEM);
		assert_string_equal(v.meaning, "untouched");
		return false;
	}
	assert_string_equal(v.access_token, TOKEN);
	bc_oauth_verdict_finish(&v);
	return true;
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(read_a_token, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_mean_what_the_table_says),
		cmocka_unit_test(an_answer_that_broke_off_is_not_taken),
		cmocka_unit_test(a_granted_token_comes_with_its_life_and_without_words),
		cmocka_unit_test(only_bearer_tokens_are_taken),
		cmocka_unit_test(a_token_that_cannot_be_sent_is_not_taken),
		cmocka_unit_test(a_token_may_be_16_kib_long_and_no_longer),
		cmocka_unit_test(a_life_is_seconds_and_never_absurd),
		cmocka_unit_test(the_endpoints_own_words_are_kept),
		cmocka_unit_test(words_hold_no_control_character_and_end_between_characters),
		cmocka_unit_test(a_token_never_stands_in_a_text),
		cmocka_unit_test(a_wait_is_read_where_waiting_helps),
		cmocka_unit_test(every_row_of_the_table_is_reached),
		cmocka_unit_test(every_status_with_every_body_has_a_verdict),
		cmocka_unit_test(words_for_operators_keep_to_the_style),
		cmocka_unit_test(results_have_names),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
