/* SPDX-License-Identifier: MIT */
/*
 * The stand-in for Sovendus's order API: POST /ext/{product}/{token}/api, with the answers that its
 * documents show, body for body. Where they are silent the choice is ours and docs/sandbox.md says
 * so. Tokens are judged here by rules of its own, not by the library's, so that a mistake there
 * can't hide.
 */
#include "sandbox/sovendus.h"

#include <string.h>
#include <strings.h>

static const struct {
	int status;
	const char *text;
} messages[] = {
	{ 403, "This API call is unauthorized. Please contact your account manager." },
	{ 404, "Invalid API call." },
	{ 405, "Invalid API call." },
	{ 422, "Invalid API parameters." },
};

/* The documented message of a status, else its phrase. */
static const char *message_of(int status)
{
	for (size_t i = 0; i < BC_COUNT(messages); i++)
		if (messages[i].status == status)
			return messages[i].text;
	return bc_http_reason(status);
}

static void describe(struct sandbox_call *call, int status, const char *message)
{
	bc_sandbox_answer_message(call, status, message ? message : message_of(status), NULL);
}

static void refuse(struct sandbox_call *call, int status)
{
	describe(call, status, NULL);
}

static void refuse_path(struct sandbox_call *call)
{
	refuse(call, call->known_path ? 405 : 404);
	if (call->known_path)
		call->answer.extra = "Allow: POST\r\n";
}

const struct sandbox_service bc_sovendus_service = {
	.describe = describe,
	.refuse = refuse_path,
	.other_echo = "{\"externalProductId\":\"somebody-else\",\"sovReqToken\":\"another-token\"}",
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The alphabet and length of anything that could be a token. */
static bool token_well_formed(struct bc_str token)
{
	if (token.len < 4 || token.len > 128)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (!is_alnum(token.ptr[i]) && token.ptr[i] != '-' && token.ptr[i] != '_')
			return false;
	return true;
}

/* aaaaa-test-aaa-aaaaa, letters and digits. */
static bool token_is_test(struct bc_str token)
{
	static const char shape[] = "*****-test-***-*****";

	if (token.len != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (shape[i] == '*' ? !is_alnum(token.ptr[i]) : token.ptr[i] != shape[i])
			return false;
	return true;
}

/* Does one of its groups read "test"? Then it wants to be a test token. */
static bool token_means_test(struct bc_str token)
{
	while (token.ptr)
		if (bc_str_eq(bc_str_split(&token, '-'), "test"))
			return true;
	return false;
}

static bool token_valid(struct bc_str token)
{
	return token_well_formed(token) && (!token_means_test(token) || token_is_test(token));
}

static bool body_is(const struct bc_http_request *req, const char *type)
{
	struct bc_str value = bc_http_header(req, "content-type");

	return value.ptr && bc_str_ieq(bc_str_trim(bc_str_split(&value, ';')), type);
}

static bool key_from_json(struct sandbox_call *call, struct bc_str *ret_key)
{
	struct bc_str body = call->req->body;
	json_t *object = json_loadb(body.ptr, body.len, 0, NULL);
	const json_t *key = json_object_get(object, "apiKey");
	size_t len = json_string_length(key);
	char *copy = len ? bc_arena_dup(call->req->arena, json_string_value(key), len) : NULL;

	json_decref(object);
	*ret_key = (struct bc_str){ copy, len };
	return copy != NULL;
}

static bool key_from_form(struct sandbox_call *call, struct bc_str *ret_key)
{
	struct bc_str body = call->req->body;
	struct bc_buf key;
	char *copy = NULL;

	bc_buf_init(&key, SANDBOX_BODY_MAX);
	while (body.ptr && !copy) {
		struct bc_str value = bc_str_split(&body, '&');

		if (!bc_str_eq(bc_str_split(&value, '='), "apiKey") || value.len == 0 ||
		    bc_percent_decode(&key, value, true) < 0)
			continue;
		copy = bc_arena_dup(call->req->arena, key.data, key.len);
		*ret_key = (struct bc_str){ copy, key.len };
	}
	bc_buf_finish(&key);
	return copy != NULL;
}

bool bc_sovendus_read_key(struct sandbox_call *call, struct bc_str *ret_key)
{
	if (!call->req->body.ptr)
		return false;
	if (body_is(call->req, "application/json"))
		return key_from_json(call, ret_key);
	if (body_is(call->req, "application/x-www-form-urlencoded"))
		return key_from_form(call, ret_key);
	return false;
}

/* For an unknown product: is it at least some product's key? Without products any is. */
static bool key_of_anybody(const struct sovendus *v, struct bc_str key)
{
	for (size_t i = 0; i < v->products.count; i++)
		if (bc_sovendus_key_fits(&v->products.row[i], key))
			return true;
	return v->products.count == 0;
}

static void accept_token(struct sandbox_call *call, struct bc_str product, struct bc_str token)
{
	bc_sandbox_answer_json(call, 200,
			       json_pack("{ss%ss%}", "externalProductId", product.ptr, product.len,
					 "sovReqToken", token.ptr, token.len));
	if (call->answer.status != 200)
		return;
	call->accepted = true;
	bc_counts_accepted(call->sandbox->sovendus->counts, token, token_is_test(token));
}

void bc_sovendus_hand_back(struct sandbox_call *call)
{
	const struct sovendus *v = call->sandbox->sovendus;
	struct bc_str product_id = bc_sandbox_part(call, "product");
	struct bc_str token = bc_sandbox_part(call, "token"), key;
	const struct sovendus_product *product = bc_sovendus_product(v, product_id);

	if (!bc_sovendus_read_key(call, &key))
		refuse(call, 403);
	else if (product ? !bc_sovendus_key_fits(product, key) : !key_of_anybody(v, key))
		refuse(call, 403);
	else if (!token_valid(token))
		refuse(call, 422);
	else if (!product)
		bc_sandbox_answer_message(call, 422, "External product id not found.", NULL);
	else if (!token_is_test(token) && !bc_sovendus_token_known(v, token))
		bc_sandbox_answer_message(call, 422, "Token not found.", NULL);
	else
		accept_token(call, product_id, token);
}

void bc_sovendus_arrived(struct sandbox_call *call)
{
	struct bc_str token = bc_sandbox_part(call, "token");

	if (token_well_formed(token))
		bc_counts_posted(call->sandbox->sovendus->counts, token, token_is_test(token));
}
