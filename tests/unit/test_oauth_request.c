/* SPDX-License-Identifier: MIT */
/* The client-credentials request, byte for byte, and the lists of scopes in all their spellings. */
#include <backchannel/oauth.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "tests/unit/failing_malloc.h"

#define ID     "3c1f0a9be2d74c5f8a6b7d0e9f112233"
#define SECRET "p8e-canary_~secret"

/* Builds; on failure the request must be as it was, and err must have words without the secret. */
static int build(const struct bc_oauth_client *client, struct bc_oauth_request *request)
{
	struct bc_err err = { 0 };
	struct bc_oauth_request made = { .body_bytes = 77 };
	int r = bc_oauth_request_build(client, &made, &err);
	assert_int_equal(err.code, r);
	if (r < 0) {
		assert_int_equal(made.body_bytes, 77);
		assert_null(made.body);
		assert_null(made.authorization);
		assert_true(err.text[0]);
		assert_null(strstr(err.text, "canary"));
		assert_null(strstr(err.hint, "canary"));
		return r;
	}
	assert_int_equal(strlen(made.body), made.body_bytes);
	*request = made;
	return 0;
}

static void assert_request(const struct bc_oauth_client *client, const char *body,
			   const char *authorization)
{
	struct bc_oauth_request request;
	assert_int_equal(build(client, &request), 0);
	assert_string_equal(request.body, body);
	if (authorization)
		assert_string_equal(request.authorization, authorization);
	else
		assert_null(request.authorization);
	bc_oauth_request_finish(&request);
	assert_null(request.body);
	assert_int_equal(request.body_bytes, 0);
	bc_oauth_request_finish(&request);
}

static void adobes_request_is_the_documented_one_byte_for_byte(void **state)
{
	(void)state;
	assert_request(&(struct bc_oauth_client){ ID, SECRET, "openid,AdobeID,commerce.accs" },
		       "grant_type=client_credentials&client_id=" ID "&client_secret=" SECRET
		       "&scope=openid%2CAdobeID%2Ccommerce.accs",
		       NULL);
}

static void without_scopes_there_is_no_scope_field(void **state)
{
	(void)state;
	const char *body = "grant_type=client_credentials&client_id=i&client_secret=s";
	assert_request(&(struct bc_oauth_client){ "i", "s" }, body, NULL);
	assert_request(&(struct bc_oauth_client){ "i", "s", "" }, body, NULL);
}

static void no_value_can_end_its_field(void **state)
{
	(void)state;
	assert_request(&(struct bc_oauth_client){ "a&b=c", "p+q %r\n\"#?/:;\xc3\xb6", "x y" },
		       "grant_type=client_credentials&client_id=a%26b%3Dc&client_secret="
		       "p%2Bq%20%25r%0A%22%23%3F%2F%3A%3B%C3%B6&scope=x%20y",
		       NULL);
}

static void with_basic_the_secret_stands_in_the_header_alone(void **state)
{
	(void)state;
	/* "i:s", "id:sec", "id:s", "id:se", "a%3Ab:p%25%20q": each length of padding. */
	assert_request(&(struct bc_oauth_client){ "i", "s", "x", BC_OAUTH_AUTH_BASIC },
		       "grant_type=client_credentials&scope=x", "Basic aTpz");
	assert_request(&(struct bc_oauth_client){ "id", "sec", NULL, BC_OAUTH_AUTH_BASIC },
		       "grant_type=client_credentials", "Basic aWQ6c2Vj");
	assert_request(&(struct bc_oauth_client){ "id", "s", NULL, BC_OAUTH_AUTH_BASIC },
		       "grant_type=client_credentials", "Basic aWQ6cw==");
	assert_request(&(struct bc_oauth_client){ "id", "se", NULL, BC_OAUTH_AUTH_BASIC },
		       "grant_type=client_credentials", "Basic aWQ6c2U=");
	assert_request(&(struct bc_oauth_client){ "a:b", "p% q", NULL, BC_OAUTH_AUTH_BASIC },
		       "grant_type=client_credentials", "Basic YSUzQWI6cCUyNSUyMHE=");
}

static void half_a_credential_is_refused(void **state)
{
	static const struct bc_oauth_client halves[] = {
		{ NULL, SECRET },
		{ "", SECRET },
		{ ID, NULL },
		{ ID, "" },
		{ "\xff", SECRET },
		{ ID, "canary\xc3" },
		{ ID, "canary\xed\xa0\x80" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(halves); i++) {
		struct bc_oauth_client basic = halves[i];
		basic.auth = BC_OAUTH_AUTH_BASIC;
		assert_int_equal(build(&halves[i], NULL), BC_EINVAL);
		assert_int_equal(build(&basic, NULL), BC_EINVAL);
	}
}

static void a_request_of_more_than_64_kib_is_refused(void **state)
{
	enum { LONG = 70000 };
	bc_autofree char *longer = malloc(LONG + 1);
	(void)state;
	assert_non_null(longer);
	memset(longer, 'x', LONG);
	longer[LONG] = '\0';
	for (int auth = BC_OAUTH_AUTH_BODY; auth <= BC_OAUTH_AUTH_BASIC; auth++) {
		enum bc_oauth_auth how = (enum bc_oauth_auth)auth;
		const struct bc_oauth_client too_big[] = {
			{ longer, SECRET, NULL, how },
			{ ID, longer, NULL, how },
			{ ID, SECRET, longer, how },
		};
		for (size_t i = 0; i < BC_COUNT(too_big); i++)
			assert_int_equal(build(&too_big[i], NULL), BC_ETOOBIG);
	}
	/* base64 alone makes this one too long. */
	longer[50000] = '\0';
	struct bc_oauth_client basic = { ID, longer, NULL, BC_OAUTH_AUTH_BASIC };
	assert_int_equal(build(&basic, NULL), BC_ETOOBIG);
}

static bool build_basic(void *ctx)
{
	struct bc_oauth_request request;
	struct bc_oauth_client client = { ID, SECRET, "openid", BC_OAUTH_AUTH_BASIC };
	(void)ctx;
	int r = build(&client, &request);
	if (r < 0) {
		assert_int_equal(r, BC_ENOMEM);
		return false;
	}
	bc_oauth_request_finish(&request);
	return true;
}

static bool join_scopes(void *ctx)
{
	char *scope = NULL;
	struct bc_err err = { 0 };
	(void)ctx;
	int r = bc_oauth_scope_join("openid, AdobeID", ",", &scope, &err);
	assert_int_equal(err.code, r);
	assert_true(r == 0 ? scope != NULL : r == BC_ENOMEM && !scope);
	free(scope);
	return r == 0;
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(build_basic, NULL);
	each_allocation_failing(join_scopes, NULL);
}

/* --- scopes ---------------------------------------------------------------------------------- */

static void a_list_is_read_however_it_is_written(void **state)
{
	static const struct {
		const char *text, *separator, *joined;
	} lists[] = {
		{ NULL, ",", "" },
		{ "", ",", "" },
		{ " , ,\t\n", ",", "" },
		{ "openid", ",", "openid" },
		{ "openid,AdobeID", ",", "openid,AdobeID" },
		{ "openid AdobeID", ",", "openid,AdobeID" },
		{ "openid, AdobeID", ",", "openid,AdobeID" },
		{ "openid,AdobeID", " ", "openid AdobeID" },
		{ ",, openid ,\r\n\tAdobeID,", ",", "openid,AdobeID" },
		{ "openid,AdobeID,openid,AdobeID", ",", "openid,AdobeID" },
		{ "b,a,b,ab", ",", "b,a,ab" },
		{ "[]", ",", "" },
		{ "[\"openid\",\"AdobeID\"]", ",", "openid,AdobeID" },
		{ " [ \"openid\" , \"commerce.accs\" ] ", " ", "openid commerce.accs" },
		{ "[\"openid,AdobeID\"]", ",", "openid,AdobeID" },
		{ "[\"openid AdobeID\",\"openid\",\"\"]", ",", "openid,AdobeID" },
		{ "a!#[]~:/?b", ",", "a!#[]~:/?b" },
		{ "https://api.example/read", " ", "https://api.example/read" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(lists); i++) {
		char *joined = NULL;
		struct bc_err err = { 0 };
		assert_int_equal(
			bc_oauth_scope_join(lists[i].text, lists[i].separator, &joined, &err), 0);
		assert_string_equal(joined, lists[i].joined);
		free(joined);
	}
}

static void assert_refused(const char *text, int code)
{
	char *joined = NULL;
	struct bc_err err = { 0 };
	if (bc_oauth_scope_join(text, ",", &joined, &err) != code)
		fail_msg("%.40s is not refused with %s", text, bc_code_name(code));
	assert_null(joined);
	assert_int_equal(err.code, code);
	assert_true(err.text[0]);
	assert_int_equal(bc_oauth_scope_join(text, ",", &joined, NULL), code);
}

static void a_list_that_is_none_is_refused(void **state)
{
	static const char *const texts[] = {
		"\"openid\"",
		"openid,\"AdobeID\"",
		"a\\b",
		"a\x01",
		"a\x7f",
		"sch\xc3\xb6n",
		"[",
		"[1]",
		"[null]",
		"[\"a\",[\"b\"]]",
		"[\"a\"",
		"[\"a\"] x",
		"['a']",
		"[\"a\\\"\"]",
		"[\"\\u0000\"]",
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(texts); i++)
		assert_refused(texts[i], BC_EINVAL);
}

static void a_list_has_its_ceilings(void **state)
{
	static char text[20000];
	char *joined = NULL;
	(void)state;
	for (int i = 0; i < 256; i++)
		snprintf(text + strlen(text), 16, "s%d ", i);
	strcat(text, "s0 s255");
	assert_int_equal(bc_oauth_scope_join(text, ",", &joined, NULL), 0);
	free(joined);
	strcat(text, " s256");
	assert_refused(text, BC_ETOOBIG);
	memset(text, 'x', 17000);
	text[17000] = '\0';
	assert_refused(text, BC_ETOOBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adobes_request_is_the_documented_one_byte_for_byte),
		cmocka_unit_test(without_scopes_there_is_no_scope_field),
		cmocka_unit_test(no_value_can_end_its_field),
		cmocka_unit_test(with_basic_the_secret_stands_in_the_header_alone),
		cmocka_unit_test(half_a_credential_is_refused),
		cmocka_unit_test(a_request_of_more_than_64_kib_is_refused),
		cmocka_unit_test(every_failed_allocation_is_survived),
		cmocka_unit_test(a_list_is_read_however_it_is_written),
		cmocka_unit_test(a_list_that_is_none_is_refused),
		cmocka_unit_test(a_list_has_its_ceilings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
