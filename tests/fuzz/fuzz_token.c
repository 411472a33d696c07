/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what goes into a request. The input is taken as a token, as a product id and as an API key
 * in turn: the classification must agree with the documented regular expressions, and whatever is
 * accepted must give a request with the template's path and with a body that says the same.
 */
#include <backchannel/partner.h>
#include <backchannel/token.h>

#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN "12345-test-123-12345"

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	BC_ASSERT(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
	bool fits = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return fits;
}

static enum bc_token_kind kind_by_regex(const char *text, size_t len)
{
	if (strlen(text) != len || !matches("^[A-Za-z0-9_-]{4,128}$", text))
		return BC_TOKEN_INVALID;
	bool test = matches("^[A-Za-z0-9]{5}-test-[A-Za-z0-9]{3}-[A-Za-z0-9]{5}$", text);
	return test ? BC_TOKEN_TEST : BC_TOKEN_PRODUCTION;
}

/* Takes the next path segment off url, decodes it and compares. */
static void check_segment(struct bc_str *url, const char *wanted)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf decoded;
	struct bc_str segment = bc_str_split(url, '/');
	bc_buf_init(&decoded, BC_URL_MAX);
	BC_ASSERT(bc_percent_decode(&decoded, segment, false) == 0);
	BC_ASSERT(segment.len > 0 && !bc_str_eq(segment, ".") && !bc_str_eq(segment, ".."));
	BC_ASSERT(strcmp(decoded.data, wanted) == 0);
}

static void check_body(const struct bc_partner_request *request, const char *key)
{
	json_t *root = json_loadb(request->body, request->body_bytes, 0, NULL);
	BC_ASSERT(root && json_object_size(root) == 1);
	BC_ASSERT(strcmp(json_string_value(json_object_get(root, "apiKey")), key) == 0);
	BC_ASSERT(strncmp(request->body, "{\"apiKey\":\"", 11) == 0);
	json_decref(root);
}

/* Builds from three texts; whatever is built is exactly the guide's request. */
static int check_request(const char *product, const char *key, const char *token)
{
	struct bc_err err = { 0 };
	struct bc_partner_request request = { 0 };
	int r = bc_partner_request_build(&bc_partner_sovendus, "http://h", product, key, token,
					 &request, &err);
	BC_ASSERT(err.code == r);
	if (r < 0) {
		BC_ASSERT(!request.url && !request.body && err.text[0]);
		return r;
	}
	struct bc_str url = bc_str_of(request.url);
	for (size_t i = 0; i < url.len; i++)
		BC_ASSERT(url.ptr[i] > ' ' && url.ptr[i] <= '~' && !strchr("?#\"\\", url.ptr[i]));
	BC_ASSERT(bc_str_starts(url, "http://h/"));
	url.ptr += strlen("http://h/");
	url.len -= strlen("http://h/");
	check_segment(&url, product);
	check_segment(&url, token);
	check_segment(&url, "api");
	BC_ASSERT(!url.ptr);
	check_body(&request, key);
	bc_partner_request_finish(&request);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bc_autofree char *text = malloc(size + 1);
	BC_ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	enum bc_token_kind kind = bc_token_classify(text, size);
	BC_ASSERT(kind == kind_by_regex(text, size));
	int as_token = check_request("p", "k", text);
	bool valid = bc_token_classify(text, strlen(text)) != BC_TOKEN_INVALID;
	BC_ASSERT(as_token == (valid ? 0 : BC_EINVAL));
	int as_product = check_request(text, "k", TOKEN);
	BC_ASSERT(as_product == 0 || as_product == BC_EINVAL || as_product == BC_ETOOBIG);
	int as_key = check_request("p", text, TOKEN);
	BC_ASSERT(as_key == 0 || as_key == BC_EINVAL || as_key == BC_ETOOBIG);
	return 0;
}
