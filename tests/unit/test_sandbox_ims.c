/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's IMS: every form of a token request, every refusal, what a token says about itself,
 * and when it dies, by a clock that the test turns.
 */
#include "tests/unit/sandbox_fixture.h"

#include "tests/unit/failing_malloc.h"

#define GRANT	  "grant_type=client_credentials"
#define GOOD	  GRANT "&client_id=cid&client_secret=first&scope=openid%2CAdobeID"
#define MULTIPART "Content-Type: multipart/form-data; boundary="

static const char *const form[] = { "Content-Type: " DESK_FORM, NULL };

static int open_desk(void **state)
{
	struct bc_secret *first = bc_secret_create("first", 5);
	struct bc_secret *next = bc_secret_create("next", 4);
	struct bc_sandbox_options options = { .ims_client_id = "cid",
					      .ims_secret = first,
					      .ims_secret_next = next,
					      .ims_org_id = "ORG@AdobeOrg" };
	bool good = desk_open(&options);

	(void)state;
	bc_secret_unref(first);
	bc_secret_unref(next);
	return good ? 0 : -1;
}

static int close_desk(void **state)
{
	(void)state;
	desk_close();
	return 0;
}

static int token_request(const char *body)
{
	return desk_ask("POST", "/ims/token/v3", form, body);
}

/* The token of the last answer, in a buffer of its own. */
static struct bc_str token_of_answer(void)
{
	static char text[IMS_TOKEN_BYTES_MAX];
	json_t *answer = desk_json();
	struct bc_str token = bc_str_of(json_string_value(json_object_get(answer, "access_token")));

	assert_non_null(token.ptr);
	assert_int_equal(bc_str_copy(text, sizeof(text), token), 0);
	json_decref(answer);
	return bc_str_of(text);
}

static void set(const char *body)
{
	if (desk_ask("POST", "/_sandbox/ims", NULL, body) != 200)
		fail_msg("%s: %s", body, desk_text());
}

/* ---- forms ---- */

static const struct {
	const char *target, *header, *body;
	const char *counted;
} forms[] = {
	{ "/ims/token/v3", "Content-Type: " DESK_FORM, GOOD, "urlencoded" },
	{ "/ims/token/v2", "content-type: Application/X-WWW-Form-Urlencoded; charset=utf-8", GOOD,
	  "urlencoded" },
	{ "/ims/token/v4?client_id=cid", "Content-Type: " DESK_FORM, GRANT "&client_secret=next",
	  "urlencoded" },
	{ "/ims/token/v3?" GOOD, NULL, NULL, "query" },
	{ "/ims/token/v3?" GOOD, "Content-Type: application/json", "{}", "query" },
	{ "/ims/token/v3?" GRANT, "Authorization: Basic Y2lkOmZpcnN0", NULL, "basic" },
	/* What Adobe's library sends: these fields, in this order. */
	{ "/ims/token/v2", MULTIPART "--------------------------42",
	  "----------------------------42\r\n"
	  "Content-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n"
	  "----------------------------42\r\n"
	  "Content-Disposition: form-data; name=\"client_id\"\r\n\r\ncid\r\n"
	  "----------------------------42\r\n"
	  "Content-Disposition: form-data; name=\"client_secret\"\r\n\r\nfirst\r\n"
	  "----------------------------42\r\n"
	  "Content-Disposition: form-data; name=\"org_id\"\r\n\r\nORG@AdobeOrg\r\n"
	  "----------------------------42\r\n"
	  "Content-Disposition: form-data; name=\"scope\"\r\n\r\nopenid,AdobeID\r\n"
	  "----------------------------42--\r\n",
	  "multipart" },
	{ "/ims/token/v2", MULTIPART "\"b\"",
	  "a preamble\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; "
	  "name=grant_type\r\n\r\nclient_credentials\r\n--b\r\ncontent-disposition:form-data;"
	  "name=\"client_id\"\r\n\r\ncid\r\n--b\r\nContent-Disposition: form-data; "
	  "name=\"client_secret\"\r\n\r\nnext\r\n--b--",
	  "multipart" },
};

static void every_form_of_a_token_request_is_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(forms); i++) {
		const char *const headers[] = { forms[i].header, NULL };
		json_t *counts, *count;

		desk.s.ims->books = (struct ims_books){ 0 };
		if (desk_ask("POST", forms[i].target, headers, forms[i].body) != 200)
			fail_msg("form %zu: %s", i, desk_text());
		desk_ask("GET", "/_sandbox/ims/counts", NULL, NULL);
		counts = desk_json();
		count = json_object_get(json_object_get(counts, "forms"), forms[i].counted);
		assert_int_equal(json_integer_value(count), 1);
		json_decref(counts);
	}
}

static void a_secret_survives_each_encoding(void **state)
{
	static const char odd[] = "{\"secrets\":[\"p8e-:+%&= \\u00fc\"]}";
	const char *const basic[] = {
		"Authorization: Basic Y2lkOnA4ZS0lM0ElMkIlMjUlMjYlM0QrJUMzJUJD",
		"Content-Type: " DESK_FORM, NULL
	};
	const char *const multipart[] = { MULTIPART "x", NULL };

	(void)state;
	set(odd);
	assert_int_equal(
		token_request(GRANT "&client_id=cid&client_secret=p8e-%3A%2B%25%26%3D+%C3%BC"),
		200);
	assert_int_equal(desk_ask("POST", "/ims/token/v3", basic, GRANT), 200);
	assert_int_equal(desk_ask("POST", "/ims/token/v3?" GRANT "&client_id=cid", multipart,
				  "--x\r\nContent-Disposition: form-data; name=\"client_secret\""
				  "\r\n\r\np8e-:+%&= \xc3\xbc\r\n--x--\r\n"),
			 200);
}

/* ---- refusals ---- */

#define BAD_SECRET                                                                                 \
	"{\"error\":\"invalid_client\",\"error_description\":\"invalid client_secret parameter\"}"
#define BAD_CLIENT                                                                                 \
	"{\"error\":\"invalid_client\",\"error_description\":\"invalid client_id parameter\"}"
#define BAD_TYPE                                                                                   \
	"{\"error\":\"unsupported_grant_type\",\"error_description\":\"grant_type is missing or "  \
	"not supported\"}"
#define BAD_SCOPE                                                                                  \
	"{\"error\":\"invalid_scope\",\"error_description\":\"requested scope is not available "   \
	"to this client\"}"

static const struct {
	const char *body, *answer;
} refused[] = {
	{ "", BAD_TYPE },
	{ "grant_type=authorization_code&client_id=cid&client_secret=first", BAD_TYPE },
	{ "{\"grant_type\":\"client_credentials\"}", BAD_TYPE },
	{ GRANT, BAD_CLIENT },
	{ GRANT "&client_id=other&client_secret=first", BAD_CLIENT },
	{ GRANT "&client_id=cid", BAD_SECRET },
	{ GRANT "&client_id=cid&client_secret=", BAD_SECRET },
	{ GRANT "&client_id=cid&client_secret=firs", BAD_SECRET },
	{ GRANT "&client_id=cid&client_secret=first+", BAD_SECRET },
	{ GRANT "&client_id=cid&client_secret=wrong&client_secret=first", BAD_SECRET },
	{ GRANT "&client_id=cid&client_secret=first&scope=openid,commerce.accs", BAD_SCOPE },
	{ GRANT "&client_id=cid&client_secret=first&scope=openid+admin", BAD_SCOPE },
};

static void what_is_wrong_gets_400_and_adobe_s_words(void **state)
{
	(void)state;
	set("{\"scopes\":[\"openid\",\"AdobeID\"]}");
	for (size_t i = 0; i < BC_COUNT(refused); i++) {
		assert_int_equal(token_request(refused[i].body), 400);
		assert_string_equal(desk_text(), refused[i].answer);
		assert_string_equal(desk.call.answer.content_type,
				    "application/json;charset=UTF-8");
		assert_false(desk.call.accepted);
	}
	for (const char *const *scope = (const char *const[]){ "openid,AdobeID", "openid+AdobeID",
							       "openid%2C%20AdobeID", "", NULL };
	     *scope; scope++) {
		char body[200];

		snprintf(body, sizeof(body), GRANT "&client_id=cid&client_secret=first&scope=%s",
			 *scope);
		assert_int_equal(token_request(body), 200);
	}
	set("{\"granted\":false}");
	assert_int_equal(token_request(GOOD), 400);
	assert_string_equal(desk_text(), "{\"error\":\"unauthorized_client\"}");
}

static void a_status_has_its_documented_body(void **state)
{
	static const struct {
		int status;
		const char *message, *body;
	} rows[] = {
		{ 400, NULL, BAD_SECRET },
		{ 400, "unauthorized_client", "{\"error\":\"unauthorized_client\"}" },
		{ 400, "invalid_scope", BAD_SCOPE },
		{ 400, "so it is",
		  "{\"error\":\"invalid_client\",\"error_description\":\"so it is\"}" },
		{ 429, NULL, "{\"error\":\"too_many_requests\"}" },
		{ 500, NULL,
		  "{\"error\":\"internal_error\",\"error_description\":\"Please try again "
		  "later\"}" },
		{ 503, NULL, "{\"error\":\"Service Unavailable\"}" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		token_request(GOOD);
		bc_ims_service.describe(&desk.call, rows[i].status, rows[i].message);
		assert_int_equal(desk.call.answer.status, rows[i].status);
		assert_string_equal(desk_text(), rows[i].body);
	}
}

/* ---- tokens ---- */

static void a_token_says_what_adobe_s_library_reads_in_it(void **state)
{
	json_t *answer, *claims;

	(void)state;
	assert_int_equal(token_request(GOOD), 200);
	assert_true(desk.call.accepted);
	answer = desk_json();
	assert_string_equal(json_string_value(json_object_get(answer, "token_type")), "bearer");
	assert_int_equal(json_integer_value(json_object_get(answer, "expires_in")), 86399);
	json_decref(answer);
	claims = bc_ims_claims(token_of_answer());
	assert_non_null(claims);
	assert_string_equal(json_string_value(json_object_get(claims, "created_at")),
			    "1795335551325");
	assert_string_equal(json_string_value(json_object_get(claims, "expires_in")), "86399000");
	assert_string_equal(json_string_value(json_object_get(claims, "client_id")), "cid");
	assert_string_equal(json_string_value(json_object_get(claims, "scope")), "openid,AdobeID");
	assert_string_equal(json_string_value(json_object_get(claims, "type")), "access_token");
	json_decref(claims);
}

static void the_body_can_say_how_long_a_token_lives_in_every_way(void **state)
{
	static const struct {
		const char *how, *tail; /* of the answer */
	} rows[] = {
		{ "seconds", "\"token_type\":\"bearer\",\"expires_in\":1}" },
		{ "milliseconds", "\"expires_in\":1999}" },
		{ "string", "\"expires_in\":\"1\"}" },
		{ "absent", "\"token_type\":\"bearer\"}" },
		{ "null", "\"expires_in\":null}" },
		{ "0", "\"expires_in\":0}" },
		{ "negative", "\"expires_in\":-3600}" },
		{ "text", "\"expires_in\":\"soon\"}" },
		{ "absurd", "\"expires_in\":999999999999999999}" },
	};

	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char body[80];
		const char *text;

		snprintf(body, sizeof(body), "{\"lifetime\":\"1999ms\",\"expires_in\":\"%s\"}",
			 rows[i].how);
		set(body);
		assert_int_equal(token_request(GOOD), 200);
		text = desk_text();
		assert_string_equal(text + strlen(text) - strlen(rows[i].tail), rows[i].tail);
	}
}

static void a_token_dies_with_its_lifetime_to_the_millisecond(void **state)
{
	struct bc_str token;

	(void)state;
	set("{\"lifetime\":\"1500ms\"}");
	token_request(GOOD);
	token = token_of_answer();
	desk.now_ms += 1499;
	assert_int_equal(bc_ims_token_look(desk.s.ims, token, desk.now_ms, NULL), IMS_ALIVE);
	desk.now_ms++;
	assert_int_equal(bc_ims_token_look(desk.s.ims, token, desk.now_ms, NULL), IMS_DEAD);
	token.len--;
	assert_int_equal(bc_ims_token_look(desk.s.ims, token, desk.now_ms, NULL), IMS_UNKNOWN);
}

static void all_tokens_can_be_killed_and_the_next_one_lives(void **state)
{
	char first[IMS_TOKEN_BYTES_MAX], body[IMS_TOKEN_BYTES_MAX + 40];
	struct bc_str second;

	(void)state;
	token_request(GOOD);
	assert_int_equal(bc_str_copy(first, sizeof(first), token_of_answer()), 0);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/expire", NULL, NULL), 204);
	assert_int_equal(bc_ims_token_look(desk.s.ims, bc_str_of(first), desk.now_ms, NULL),
			 IMS_DEAD);
	token_request(GOOD);
	second = token_of_answer();
	assert_int_equal(bc_ims_token_look(desk.s.ims, second, desk.now_ms, NULL), IMS_ALIVE);
	snprintf(body, sizeof(body), "{\"token\":\"%s\"}", second.ptr);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/expire", NULL, body), 204);
	assert_int_equal(bc_ims_token_look(desk.s.ims, second, desk.now_ms, NULL), IMS_DEAD);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/expire", NULL, "{\"token\":\"x\"}"), 404);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/expire", NULL, "{}"), 400);
}

static void the_oldest_token_is_forgotten_first(void **state)
{
	char text[32];

	(void)state;
	for (int i = 0; i <= IMS_TOKENS_MAX; i++) {
		snprintf(text, sizeof(text), "token-%d", i);
		assert_true(bc_ims_token_keep(desk.s.ims, bc_str_of(text), BC_STR("cid"),
					      desk.now_ms + 1));
	}
	assert_int_equal(desk.s.ims->tokens.map.count, IMS_TOKENS_MAX);
	assert_int_equal(bc_ims_token_look(desk.s.ims, BC_STR("token-0"), desk.now_ms, NULL),
			 IMS_UNKNOWN);
	assert_int_equal(bc_ims_token_look(desk.s.ims, BC_STR("token-1"), desk.now_ms, NULL),
			 IMS_ALIVE);
	assert_int_equal(bc_ims_token_look(desk.s.ims, bc_str_of(text), desk.now_ms, NULL),
			 IMS_ALIVE);
}

static void an_opaque_token_has_no_claims_and_is_known_all_the_same(void **state)
{
	struct bc_str token;

	(void)state;
	set("{\"opaque\":true}");
	token_request(GOOD);
	token = token_of_answer();
	assert_null(memchr(token.ptr, '.', token.len));
	assert_null(bc_ims_claims(token));
	assert_int_equal(bc_ims_token_look(desk.s.ims, token, desk.now_ms, NULL), IMS_ALIVE);
}

static void a_token_can_be_validated(void **state)
{
	const char *headers[] = { NULL, NULL };
	char line[IMS_TOKEN_BYTES_MAX + 40];

	(void)state;
	token_request(GOOD);
	snprintf(line, sizeof(line), "Authorization: Bearer %s", token_of_answer().ptr);
	headers[0] = line;
	assert_int_equal(desk_ask("GET", "/ims/validate_token/v1", headers, NULL), 200);
	assert_non_null(strstr(desk_text(), "\"valid\":true,\"token\":{\"id\""));
	bc_ims_tokens_kill(desk.s.ims);
	desk_ask("GET", "/ims/validate_token/v1", headers, NULL);
	assert_string_equal(desk_text(), "{\"valid\":false,\"reason\":\"expired\"}");
	desk_ask("POST", "/ims/validate_token/v1", form, "token=abc");
	assert_string_equal(desk_text(), "{\"valid\":false,\"reason\":\"bad_signature\"}");
}

/* ---- secrets and settings ---- */

static void two_secrets_live_until_one_is_deleted(void **state)
{
	(void)state;
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=first"), 200);
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=next"), 200);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/secrets", NULL, "{\"secret\":\"third\"}"),
			 409);
	/* SHA-256 of "first" begins so. */
	assert_int_equal(desk_ask("DELETE", "/_sandbox/ims/secrets/a7937b64", NULL, NULL), 204);
	assert_int_equal(desk_ask("DELETE", "/_sandbox/ims/secrets/a7937b64", NULL, NULL), 404);
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=first"), 400);
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=next"), 200);
	assert_int_equal(desk_ask("POST", "/_sandbox/ims/secrets", NULL, "{\"secret\":\"third\"}"),
			 200);
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=third"), 200);
}

static void a_credential_whose_last_secret_is_gone_takes_none(void **state)
{
	(void)state;
	set("{\"secrets\":[]}");
	assert_int_equal(token_request(GOOD), 400);
	set("{\"secrets\":null}");
	assert_int_equal(token_request(GRANT "&client_id=cid&client_secret=whatever"), 200);
}

static void a_setting_that_does_not_fit_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"secret\":[]}",
		"{\"secrets\":[\"a\",\"b\",\"c\"]}",
		"{\"secrets\":[\"\"]}",
		"{\"secrets\":7}",
		"{\"lifetime\":5}",
		"{\"lifetime\":\"5\"}",
		"{\"opaque\":1}",
		"{\"granted\":\"no\"}",
		"{\"expires_in\":\"sec\"}",
		"{\"scopes\":\"openid\"}",
		"{\"scopes\":[1]}",
		"{\"client_id\":\"\"}",
		"{\"org_id\":1}",
		"{\"opaque\":true,\"lifetime\":\"x\"}",
	};
	const char *before;
	char kept[512];

	(void)state;
	set("{\"scopes\":[\"openid\",\"AdobeID\"]}");
	before = desk_text();
	assert_int_equal(bc_str_copy(kept, sizeof(kept), bc_str_of(before)), 0);
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		if (desk_ask("POST", "/_sandbox/ims", NULL, bad[i]) != 400)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(desk_text(), "\"message\""));
		desk_ask("GET", "/_sandbox/ims", NULL, NULL);
		assert_string_equal(desk_text(), kept);
	}
}

static void a_reset_puts_the_start_back_and_forgets_every_token(void **state)
{
	struct bc_str token;

	(void)state;
	token_request(GOOD);
	token = token_of_answer();
	set("{\"secrets\":[],\"client_id\":null,\"lifetime\":\"1s\",\"opaque\":true}");
	assert_int_equal(desk_ask("DELETE", "/_sandbox/ims", NULL, NULL), 204);
	assert_int_equal(bc_ims_token_look(desk.s.ims, token, desk.now_ms, NULL), IMS_UNKNOWN);
	desk_ask("GET", "/_sandbox/ims", NULL, NULL);
	assert_string_equal(desk_text(),
			    "{\"client_id\":\"cid\",\"org_id\":\"ORG@AdobeOrg\",\"secrets\":"
			    "[\"a7937b64\",\"c6c1c9a9\"],\"scopes\":null,\"lifetime\":\"86399s\","
			    "\"expires_in\":\"seconds\",\"opaque\":false,\"granted\":true}");
	assert_int_equal(token_request(GOOD), 200);
}

static void the_books_count_by_result_and_secret(void **state)
{
	json_t *counts, *results, *secrets;

	(void)state;
	token_request(GOOD);
	token_request(GOOD);
	token_request(GRANT "&client_id=cid&client_secret=wrong");
	token_request("");
	desk_ask("GET", "/_sandbox/ims/counts", NULL, NULL);
	counts = desk_json();
	results = json_object_get(counts, "results");
	secrets = json_object_get(counts, "secrets");
	assert_int_equal(json_integer_value(json_object_get(results, "issued")), 2);
	assert_int_equal(json_integer_value(json_object_get(results, "bad_client_secret")), 1);
	assert_int_equal(json_integer_value(json_object_get(results, "bad_grant_type")), 1);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(secrets, "a7937b64"), "issued")),
		2);
	assert_int_equal(json_object_size(secrets), 2);
	json_decref(counts);
}

static void without_a_credential_any_client_and_secret_will_do(void **state)
{
	struct bc_sandbox_options none = { .ims_client_id = "" };

	(void)state;
	desk_close();
	assert_true(desk_open(&none));
	assert_int_equal(token_request(GRANT "&client_id=x&client_secret=y&scope=a+b"), 200);
	assert_int_equal(token_request(GRANT "&client_id=x&client_secret="), 400);
	assert_int_equal(token_request(GRANT "&client_id=&client_secret=y"), 400);
	assert_int_equal(desk_ask("GET", "/ims/token/v3", NULL, NULL), 405);
	assert_string_equal(desk.call.answer.extra, "Allow: POST\r\n");
	assert_int_equal(desk_ask("POST", "/ims/token/v9", NULL, NULL), 404);
}

static bool one_token(void *ctx)
{
	struct bc_sandbox_options options = { .ims_client_id = "cid" };
	bool good;

	(void)ctx;
	if (!desk_open(&options))
		return false;
	desk_ask("POST", "/_sandbox/ims", NULL,
		 "{\"secrets\":[\"a\",\"first\"],\"scopes\":[\"openid\",\"AdobeID\"]}");
	good = desk.call.answer.status == 200 && token_request(GOOD) == 200;
	desk_close();
	return good;
}

static void no_memory_is_survived(void **state)
{
	(void)state;
	desk_close();
	each_allocation_failing(one_token, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_form_of_a_token_request_is_understood),
		TEST(a_secret_survives_each_encoding),
		TEST(what_is_wrong_gets_400_and_adobe_s_words),
		TEST(a_status_has_its_documented_body),
		TEST(a_token_says_what_adobe_s_library_reads_in_it),
		TEST(the_body_can_say_how_long_a_token_lives_in_every_way),
		TEST(a_token_dies_with_its_lifetime_to_the_millisecond),
		TEST(all_tokens_can_be_killed_and_the_next_one_lives),
		TEST(the_oldest_token_is_forgotten_first),
		TEST(an_opaque_token_has_no_claims_and_is_known_all_the_same),
		TEST(a_token_can_be_validated),
		TEST(two_secrets_live_until_one_is_deleted),
		TEST(a_credential_whose_last_secret_is_gone_takes_none),
		TEST(a_setting_that_does_not_fit_changes_nothing),
		TEST(a_reset_puts_the_start_back_and_forgets_every_token),
		TEST(the_books_count_by_result_and_secret),
		TEST(without_a_credential_any_client_and_secret_will_do),
		TEST(no_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
