/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what a token endpoint may say. The input is a head line "STATUS", or "STATUS cut" for a
 * body that broke off, a second line with the Retry-After value, and the body, each as far as it is
 * there. The body is also asked about under a range of statuses, and serves as a list of scopes and
 * as a client secret.
 */
#include <backchannel/oauth.h>
#include <backchannel/partner.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "protocol/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1795309000000

static void check_words(const char *text, size_t room)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf escaped;
	bc_buf_init(&escaped, 6 * room);
	BC_ASSERT(memchr(text, '\0', room));
	BC_ASSERT(bc_json_escape(&escaped, bc_str_of(text)) == 0); /* whole characters */
	for (; *text; text++)
		BC_ASSERT((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_granted(const struct bc_oauth_answer *answer, const struct bc_oauth_verdict *v)
{
	size_t len = strlen(v->access_token);
	BC_ASSERT(answer->status == 200 && answer->complete);
	BC_ASSERT(len > 0 && len <= BC_OAUTH_TOKEN_MAX && len < answer->body_bytes);
	for (size_t i = 0; i < len; i++)
		BC_ASSERT(v->access_token[i] > ' ' && v->access_token[i] <= '~');
	BC_ASSERT(v->life_ms > 0 && v->life_ms <= BC_OAUTH_LIFE_MAX_MS);
	BC_ASSERT(!v->error[0] && !v->description[0] && v->retry_after_ms == 0);
}

/* The results that a status allows, whatever the body. */
static bool is_allowed(int status, enum bc_oauth_result result)
{
	if (status == 429)
		return result == BC_OAUTH_THROTTLED;
	if (status >= 300 && status <= 399)
		return result == BC_OAUTH_REQUEST_REFUSED;
	if (status != 200 && (status < 400 || status > 499))
		return result == BC_OAUTH_FAILED;
	return status == 200 || result != BC_OAUTH_GRANTED;
}

static void check_answer(const struct bc_oauth_answer *answer)
{
	struct bc_oauth_verdict v;
	struct bc_oauth_verdict again;
	BC_ASSERT(bc_oauth_read_answer(answer, &v) == 0);
	BC_ASSERT(bc_oauth_read_answer(answer, &again) == 0);
	BC_ASSERT(v.meaning && v.meaning[0] && v.hint && is_allowed(answer->status, v.result));
	BC_ASSERT(v.meaning == again.meaning && v.hint == again.hint && v.result == again.result);
	BC_ASSERT((v.result == BC_OAUTH_GRANTED) == (v.access_token != NULL));
	BC_ASSERT(v.retry_after_ms <= BC_RETRY_AFTER_MAX_MS);
	check_words(v.error, sizeof(v.error));
	check_words(v.description, sizeof(v.description));
	if (v.access_token)
		check_granted(answer, &v);
	bc_oauth_verdict_finish(&v);
	bc_oauth_verdict_finish(&again);
}

/* A list that was joined once is joined as it is. */
static void check_scopes(const char *text)
{
	bc_autofree char *joined = NULL;
	bc_autofree char *again = NULL;
	struct bc_err err = { 0 };
	int r = bc_oauth_scope_join(text, ",", &joined, &err);
	BC_ASSERT(err.code == r && (r == 0) == (joined != NULL));
	BC_ASSERT(r == 0 || (err.text[0] && (r == BC_EINVAL || r == BC_ETOOBIG)));
	if (joined && joined[0] != '[') {
		BC_ASSERT(bc_oauth_scope_join(joined, ",", &again, NULL) == 0);
		BC_ASSERT(strcmp(joined, again) == 0);
	}
}

/* Whatever the secret is, a server that decodes the form gets it back and nothing besides. */
static void check_request(const char *secret)
{
	static const char before[] = "grant_type=client_credentials&client_id=i&client_secret=";
	BC_CLEANUP(bc_buf_finish) struct bc_buf decoded;
	struct bc_oauth_client client = { "i", secret, NULL, BC_OAUTH_AUTH_BODY };
	struct bc_oauth_request request = { 0 };
	bc_buf_init(&decoded, 64 * 1024);
	if (bc_oauth_request_build(&client, &request, NULL) < 0)
		return;
	BC_ASSERT(strncmp(request.body, before, strlen(before)) == 0);
	const char *field = request.body + strlen(before);
	BC_ASSERT(!strpbrk(field, "&=+ "));
	BC_ASSERT(bc_percent_decode(&decoded, bc_str_of(field), true) == 0);
	BC_ASSERT(strcmp(decoded.data, secret) == 0);
	bc_oauth_request_finish(&request);
}

static int take_status(struct bc_str line)
{
	uint64_t status = 0;
	if (bc_parse_u64(bc_str_split(&line, ' '), &status) < 0)
		return 0;
	return (int)status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 0,   100, 200, 201, 204, 301, 399, 400, 401, 403,
					404, 407, 408, 422, 429, 499, 500, 503, 511, 999 };
	bc_autofree char *text = malloc(size + 1);
	BC_ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	struct bc_str body = { text, size };
	struct bc_str head = bc_str_split(&body, '\n');
	struct bc_str wait = bc_str_split(&body, '\n');
	bc_autofree char *retry_after = bc_str_dup(wait);
	struct bc_oauth_answer answer = {
		.status = take_status(head),
		.body = body.ptr,
		.body_bytes = body.len,
		.complete = !bc_str_icontains(head, " cut"),
		.retry_after = retry_after,
		.now_wall_ms = NOW_MS,
	};
	check_answer(&answer);
	for (size_t i = 0; i < BC_COUNT(statuses) * 2; i++) {
		answer.status = statuses[i / 2];
		answer.complete = i % 2;
		check_answer(&answer);
	}
	check_scopes(body.ptr ? body.ptr : text);
	check_request(body.ptr ? body.ptr : text);
	return 0;
}
