/* SPDX-License-Identifier: MIT */
/*
 * The request that hands a token back: Sovendus's, byte for byte as its guide has it, and the
 * template engine under it with what values, keys and templates can do wrong.
 */
#include <backchannel/partner.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <backchannel/token.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "protocol/template.h"
#include "tests/unit/failing_malloc.h"

#define PRODUCT "9bc72425-902c-3abf-9db8-8b186d7cb160"
#define KEY	"example-key-000"
#define TOKEN	"1a2b3-test-1a2-1a2b3"

static const struct bc_partner *const sovendus = &bc_partner_sovendus;

/* Builds; on failure the request must be as it was, and err must have words without the secrets. */
static int build(const struct bc_partner *partner, const char *base, const char *product,
		 const char *key, const char *token, struct bc_partner_request *request)
{
	struct bc_err err = { 0 };
	struct bc_partner_request made = { .method = "untouched" };
	int r = bc_partner_request_build(partner, base, product, key, token, &made, &err);
	assert_int_equal(err.code, r);
	if (r < 0) {
		assert_string_equal(made.method, "untouched");
		assert_null(made.url);
		assert_null(made.body);
		assert_true(err.text[0] != '\0');
		assert_true(!key || strlen(key) < 6 || !strstr(err.text, key));
		return r;
	}
	*request = made;
	return 0;
}

static bool reference_request(void *ctx)
{
	(void)ctx;
	struct bc_partner_request request;
	if (build(sovendus, NULL, PRODUCT, KEY, TOKEN, &request) < 0)
		return false;
	assert_string_equal(request.method, "POST");
	assert_string_equal(request.content_type, "application/json");
	assert_string_equal(request.url,
			    "https://press-order-api.sovendus.com/ext/" PRODUCT "/" TOKEN "/api");
	assert_string_equal(request.body, "{\"apiKey\":\"example-key-000\"}");
	assert_int_equal(request.body_bytes, 28);
	bc_partner_request_finish(&request);
	assert_null(request.url);
	assert_null(request.body);
	bc_partner_request_finish(&request);
	return true;
}

static void the_sovendus_request_is_the_guides_byte_for_byte(void **state)
{
	(void)state;
	each_allocation_failing(reference_request, NULL);
}

static void sovendus_is_complete_and_consistent(void **state)
{
	(void)state;
	assert_string_equal(sovendus->name, "sovendus");
	assert_string_equal(sovendus->params[0], "sovReqToken");
	assert_null(sovendus->params[1]);
	size_t n = 0;
	for (; sovendus->test_tokens[n]; n++) {
		const char *token = sovendus->test_tokens[n];
		assert_int_equal(bc_token_classify(token, strlen(token)), BC_TOKEN_TEST);
	}
	assert_int_equal(n, 4);
	assert_true(sovendus->base_url[strlen(sovendus->base_url) - 1] != '/');
}

static const struct base_row {
	const char *base;
	const char *url; /* up to the product; NULL = refused */
} bases[] = {
	{ "https://press-order-api.sovendus.com/ext", "https://press-order-api.sovendus.com/ext/" },
	{ "https://press-order-api.sovendus.com/ext/",
	  "https://press-order-api.sovendus.com/ext/" },
	{ "https://a.example///", "https://a.example/" },
	{ "http://127.0.0.1:8080", "http://127.0.0.1:8080/" },
	{ "http://[::1]:8080/ext", "http://[::1]:8080/ext/" },
	{ "", NULL },
	{ "/", NULL },
	{ "https://", NULL },
	{ "https:///ext", NULL },
	{ "press-order-api.sovendus.com/ext", NULL },
	{ "ftp://a.example", NULL },
	{ "file:///etc/passwd", NULL },
	{ "https://a.example/ext?x=", NULL },
	{ "https://a.example/#", NULL },
	{ "https://a.example/e xt", NULL },
	{ "https://a.example/\r\nX: y", NULL },
	{ "https://a.example\\ext", NULL },
	{ "https://a.example/\xc3\xa4", NULL },
};

static bool every_base(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < BC_COUNT(bases); i++) {
		struct bc_partner_request request;
		int r = build(sovendus, bases[i].base, "p", KEY, TOKEN, &request);
		if (r == BC_ENOMEM)
			return false;
		assert_int_equal(r, bases[i].url ? 0 : BC_EINVAL);
		if (r < 0)
			continue;
		size_t len = strlen(bases[i].url);
		assert_memory_equal(request.url, bases[i].url, len);
		assert_string_equal(request.url + len, "p/" TOKEN "/api");
		bc_partner_request_finish(&request);
	}
	return true;
}

static void a_base_url_is_scheme_host_and_path_or_refused(void **state)
{
	(void)state;
	each_allocation_failing(every_base, NULL);
}

static const struct {
	const char *product;
	const char *segment; /* NULL = refused */
} products[] = {
	{ PRODUCT, PRODUCT },
	{ "Abc_123~x", "Abc_123~x" },
	{ "a/b", "a%2Fb" },
	{ "../x", "..%2Fx" },
	{ "a?b#c", "a%3Fb%23c" },
	{ "%2e%2e", "%252e%252e" },
	{ "a b", "a%20b" },
	{ "a\r\nX: y", "a%0D%0AX%3A%20y" },
	{ "\xc3\xa4", "%C3%A4" },
	{ "a\\b", "a%5Cb" },
	{ "...", "..." },
	{ ".a", ".a" },
	{ "{token}", "%7Btoken%7D" },
	{ "", NULL },
	{ NULL, NULL },
	{ ".", NULL },
	{ "..", NULL },
};

static bool every_product(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < BC_COUNT(products); i++) {
		struct bc_partner_request request;
		int r = build(sovendus, "http://h", products[i].product, KEY, TOKEN, &request);
		if (r == BC_ENOMEM)
			return false;
		assert_int_equal(r, products[i].segment ? 0 : BC_EINVAL);
		if (r < 0)
			continue;
		size_t len = strlen(products[i].segment);
		assert_memory_equal(request.url, "http://h/", 9);
		assert_memory_equal(request.url + 9, products[i].segment, len);
		assert_string_equal(request.url + 9 + len, "/" TOKEN "/api");
		bc_partner_request_finish(&request);
	}
	return true;
}

static void a_product_id_stays_one_path_segment_or_is_refused(void **state)
{
	(void)state;
	each_allocation_failing(every_product, NULL);
}

static void what_is_no_token_is_never_sent(void **state)
{
	(void)state;
	static const char *const bad[] = { NULL,       "",	   "abc",
					   "../../x",  "abcd/api", "a%2Fb",
					   "abcd\r\n", "abcd efg", "\xc3\xa4\xc3\xa4" };
	struct bc_partner_request request;
	for (size_t i = 0; i < BC_COUNT(bad); i++)
		assert_int_equal(build(sovendus, NULL, PRODUCT, KEY, bad[i], &request), BC_EINVAL);
}

static const struct {
	const char *key;
	const char *body; /* NULL = refused */
} keys[] = {
	{ "XXXX-XXXXX-XXXXXX-XXX", "{\"apiKey\":\"XXXX-XXXXX-XXXXXX-XXX\"}" },
	{ "a\"b\\c", "{\"apiKey\":\"a\\\"b\\\\c\"}" },
	{ "a/b", "{\"apiKey\":\"a/b\"}" },
	{ "\",\"x\":\"", "{\"apiKey\":\"\\\",\\\"x\\\":\\\"\"}" },
	{ "a\nb\tc\x01", "{\"apiKey\":\"a\\u000ab\\u0009c\\u0001\"}" },
	{ "k\xc3\xa4y\xe2\x82\xac\xf0\x9f\x98\x80",
	  "{\"apiKey\":\"k\xc3\xa4y\xe2\x82\xac\xf0\x9f\x98\x80\"}" },
	{ "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf1\x80\x80\x80\xe0\xa0\x80",
	  "{\"apiKey\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf1\x80\x80\x80\xe0\xa0\x80\"}" },
	{ "{product}{token}{key}", "{\"apiKey\":\"{product}{token}{key}\"}" },
	{ "\x1f \x7f", "{\"apiKey\":\"\\u001f \x7f\"}" },
	{ "", NULL },
	{ NULL, NULL },
	{ "secret-\xff", NULL },
	{ "secret-\xc3", NULL },	 /* cut off */
	{ "secret-\xc3(", NULL },	 /* second byte wrong */
	{ "secret-\xe2\x82(", NULL },	 /* third byte wrong */
	{ "secret-\xc0\xaf", NULL },	 /* overlong */
	{ "secret-\xe0\x80\xaf", NULL }, /* overlong */
	{ "secret-\xed\xa0\x80", NULL }, /* surrogate */
	{ "secret-\xf4\x90\x80\x80", NULL },
	{ "secret-\x80", NULL },
};

/* What a JSON parser makes of the body must be the key again. */
static void assert_carries_key(const struct bc_partner_request *request, const char *key)
{
	json_t *root = json_loadb(request->body, request->body_bytes, 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_object_size(root), 1);
	assert_string_equal(json_string_value(json_object_get(root, "apiKey")), key);
	json_decref(root);
}

static bool every_key(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < BC_COUNT(keys); i++) {
		struct bc_partner_request request;
		int r = build(sovendus, NULL, PRODUCT, keys[i].key, TOKEN, &request);
		if (r == BC_ENOMEM)
			return false;
		assert_int_equal(r, keys[i].body ? 0 : BC_EINVAL);
		if (r < 0)
			continue;
		assert_string_equal(request.body, keys[i].body);
		assert_int_equal(request.body_bytes, strlen(keys[i].body));
		assert_carries_key(&request, keys[i].key);
		bc_partner_request_finish(&request);
	}
	return true;
}

static void a_key_is_written_as_json_or_refused(void **state)
{
	(void)state;
	each_allocation_failing(every_key, NULL);
}

/* The escaper is given slices: what lies behind one must not complete its last character. */
static bool a_slice_that_ends_in_mid_character(void *ctx)
{
	(void)ctx;
	BC_CLEANUP(bc_buf_finish) struct bc_buf out;
	bc_buf_init(&out, 64);
	assert_int_equal(bc_json_escape(&out, (struct bc_str){ "\xc3\xa4", 1 }), BC_EINVAL);
	int r = bc_json_escape(&out, (struct bc_str){ "\xc3\xa4\"", 2 });
	assert_true(r == 0 || r == BC_ENOMEM);
	assert_true(r < 0 || strcmp(out.data, "\xc3\xa4") == 0);
	return r == 0;
}

static void escaping_stops_at_the_end_of_the_slice(void **state)
{
	(void)state;
	each_allocation_failing(a_slice_that_ends_in_mid_character, NULL);
}

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

static const struct {
	const char *path;
	const char *type;
	const char *body;
	const char *want_path; /* NULL = refused */
	const char *want_body;
} templates[] = {
	{ "/{product}/{token}/api", FORM, "apiKey={key}&t={token}", "/a%26b/" TOKEN "/api",
	  "apiKey=k%26%22y&t=" TOKEN },
	{ "/v1/{token}", JSON, "{\"p\":\"{product}\",\"k\":{\"k\":\"{key}\"}}", "/v1/" TOKEN,
	  "{\"p\":\"a&b\",\"k\":{\"k\":\"k&\\\"y\"}}" },
	{ "/{token}/{token}", "text/plain", "", "/" TOKEN "/" TOKEN, "" },
	{ "/x-{product}-y/", JSON, "{}", "/x-a%26b-y/", "{}" },
	{ "/a", JSON, "{token", "/a", "{token" },
	{ "/a", JSON, "}{{key}}{", "/a", "}{k&\\\"y}{" },
	{ "/a", JSON, "{}{ key}{KEY}{key }", "/a", "{}{ key}{KEY}{key }" },
	{ "/{key}/{token}", JSON, "{}", NULL, NULL },
	{ "/{tokn}", JSON, "{}", NULL, NULL },
	{ "/{token}", JSON, "{\"apiKey\":\"{apikey}\"}", NULL, NULL },
	{ "/../{token}", JSON, "{}", NULL, NULL },
};

static bool every_template(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < BC_COUNT(templates); i++) {
		struct bc_partner partner = *sovendus;
		struct bc_partner_request request;
		partner.path = templates[i].path;
		partner.content_type = templates[i].type;
		partner.body = templates[i].body;
		int r = build(&partner, "http://h", "a&b", "k&\"y", TOKEN, &request);
		if (r == BC_ENOMEM)
			return false;
		assert_int_equal(r, templates[i].want_path ? 0 : BC_EINVAL);
		if (r < 0)
			continue;
		assert_string_equal(request.url + strlen("http://h"), templates[i].want_path);
		assert_string_equal(request.body, templates[i].want_body);
		bc_partner_request_finish(&request);
	}
	return true;
}

static void templates_know_three_names_and_keep_the_key_out_of_urls(void **state)
{
	(void)state;
	each_allocation_failing(every_template, NULL);
}

static bool a_body_without_key(void *ctx)
{
	(void)ctx;
	struct bc_partner partner = *sovendus;
	struct bc_partner_request request;
	partner.body = "{\"t\":\"{token}\"}";
	if (build(&partner, NULL, PRODUCT, NULL, TOKEN, &request) < 0)
		return false;
	assert_string_equal(request.body, "{\"t\":\"" TOKEN "\"}");
	bc_partner_request_finish(&request);
	return true;
}

static void a_value_that_no_template_names_may_be_absent(void **state)
{
	(void)state;
	each_allocation_failing(a_body_without_key, NULL);
}

static void a_request_that_would_be_too_long_is_refused(void **state)
{
	(void)state;
	static char product[BC_URL_MAX + 1];
	static char base[BC_URL_MAX + 9];
	static char key[64 * 1024];
	struct bc_partner_request request;
	memset(product, '/', sizeof(product) - 1);
	assert_int_equal(build(sovendus, NULL, product, KEY, TOKEN, &request), BC_ETOOBIG);
	product[BC_URL_MAX / 3 - 100] = '\0';
	assert_int_equal(build(sovendus, NULL, product, KEY, TOKEN, &request), 0);
	bc_partner_request_finish(&request);
	memset(base, 'x', sizeof(base) - 1);
	memcpy(base, "http://", 7);
	assert_int_equal(build(sovendus, base, PRODUCT, KEY, TOKEN, &request), BC_ETOOBIG);
	memset(key, 'k', sizeof(key) - 1);
	assert_int_equal(build(sovendus, NULL, PRODUCT, key, TOKEN, &request), BC_ETOOBIG);
}

static void errors_may_be_left_unasked_for(void **state)
{
	(void)state;
	struct bc_partner_request request;
	assert_int_equal(bc_partner_request_build(sovendus, NULL, "..", KEY, TOKEN, &request, NULL),
			 BC_EINVAL);
	assert_int_equal(bc_partner_request_build(sovendus, "x", "p", KEY, TOKEN, &request, NULL),
			 BC_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sovendus_request_is_the_guides_byte_for_byte),
		cmocka_unit_test(sovendus_is_complete_and_consistent),
		cmocka_unit_test(a_base_url_is_scheme_host_and_path_or_refused),
		cmocka_unit_test(a_product_id_stays_one_path_segment_or_is_refused),
		cmocka_unit_test(what_is_no_token_is_never_sent),
		cmocka_unit_test(a_key_is_written_as_json_or_refused),
		cmocka_unit_test(escaping_stops_at_the_end_of_the_slice),
		cmocka_unit_test(templates_know_three_names_and_keep_the_key_out_of_urls),
		cmocka_unit_test(a_value_that_no_template_names_may_be_absent),
		cmocka_unit_test(a_request_that_would_be_too_long_is_refused),
		cmocka_unit_test(errors_may_be_left_unasked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
