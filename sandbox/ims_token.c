/* SPDX-License-Identifier: MIT */
/*
 * The stand-in for Adobe's token endpoint, POST /ims/token/v2, v3 and v4: the client-credentials
 * grant, with the errors that Adobe's documents and public code show. A wrong secret is 400, not
 * 401. What is not documented is our choice and docs/sandbox.md says so.
 */
#include <string.h>

#include "sandbox/ims.h"

#define JSON_TYPE "application/json;charset=UTF-8"

/* What IMS says, by result; and by status, for faults. */
static const struct ims_error {
	int status;
	const char *error, *description;
} errors[] = {
	{ 400, "invalid_client", "invalid client_secret parameter" },
	{ 400, "invalid_client", "invalid client_id parameter" },
	{ 400, "unauthorized_client", NULL },
	{ 400, "invalid_scope", "requested scope is not available to this client" },
	{ 400, "unsupported_grant_type", "grant_type is missing or not supported" },
	{ 401, "invalid_client", "invalid client_secret parameter" },
	{ 404, "not_found", NULL },
	{ 405, "method_not_allowed", NULL },
	{ 429, "too_many_requests", NULL },
	{ 500, "internal_error", "Please try again later" },
};

static const struct {
	const char *error;
	const char *about; /* part of the description that tells two alike apart */
} refusals[IMS_RESULTS] = {
	[IMS_BAD_GRANT_TYPE] = { "unsupported_grant_type", "" },
	[IMS_BAD_CLIENT] = { "invalid_client", "client_id" },
	[IMS_BAD_SECRET] = { "invalid_client", "client_secret" },
	[IMS_NOT_ALLOWED] = { "unauthorized_client", "" },
	[IMS_BAD_SCOPE] = { "invalid_scope", "" },
};

static void add_lines(struct sandbox_call *call)
{
	call->answer.content_type = JSON_TYPE;
	call->answer.extra = bc_arena_printf(
		call->req->arena, "Cache-Control: no-store\r\nX-Debug-Id: sandbox-%04llu\r\n",
		(unsigned long long)call->number);
}

static void answer_error(struct sandbox_call *call, int status, const char *error,
			 const char *description)
{
	bc_sandbox_answer_json(
		call, status,
		description ? json_pack("{ssss}", "error", error, "error_description", description)
			    : json_pack("{ss}", "error", error));
	add_lines(call);
}

/* A message that is an error's code stands for that error, any other is the description. */
static void describe(struct sandbox_call *call, int status, const char *message)
{
	const struct ims_error *by_status = NULL;

	for (size_t i = 0; i < BC_COUNT(errors); i++) {
		if (message && strcmp(message, errors[i].error) == 0) {
			answer_error(call, status, errors[i].error, errors[i].description);
			return;
		}
		if (errors[i].status == status && !by_status)
			by_status = &errors[i];
	}
	answer_error(call, status, by_status ? by_status->error : bc_http_reason(status),
		     message	 ? message
		     : by_status ? by_status->description
				 : NULL);
}

static void refuse_path(struct sandbox_call *call)
{
	const char *allowed = call->known_path ? bc_sandbox_allowed(call) : NULL;

	describe(call, call->known_path ? 405 : 404, NULL);
	if (allowed)
		call->answer.extra = bc_arena_printf(call->req->arena, "Allow: %s\r\n", allowed);
}

const struct sandbox_service bc_ims_service = { .describe = describe, .refuse = refuse_path };

static void refuse(struct sandbox_call *call, enum ims_result result)
{
	const struct ims_error *e = errors;

	while (strcmp(e->error, refusals[result].error) != 0 ||
	       (*refusals[result].about && !strstr(e->description, refusals[result].about)))
		e++;
	answer_error(call, e->status, e->error, e->description);
}

/* ---- judging ---- */

static bool scope_known(const struct ims_scopes *s, struct bc_str scope)
{
	for (size_t i = 0; i < s->count; i++)
		if (bc_str_eq(scope, s->name[i]))
			return true;
	return s->any;
}

/* Commas or blanks in between, both or many. */
static bool scopes_known(const struct ims_scopes *s, struct bc_str text)
{
	while (text.len > 0) {
		size_t n = 0;

		while (n < text.len && text.ptr[n] != ',' && text.ptr[n] != ' ')
			n++;
		if (n > 0 && !scope_known(s, (struct bc_str){ text.ptr, n }))
			return false;
		if (n < text.len)
			n++;
		text = (struct bc_str){ text.ptr + n, text.len - n };
	}
	return true;
}

static enum ims_result judge(const struct ims_settings *s, const struct ims_request *r)
{
	if (!bc_str_eq(r->grant_type, "client_credentials"))
		return IMS_BAD_GRANT_TYPE;
	if (r->client_id.len == 0 || (s->client_id && !bc_str_eq(r->client_id, s->client_id)))
		return IMS_BAD_CLIENT;
	if (r->client_secret.len == 0 ||
	    (!s->any_secret && !bc_ims_secret_find(s, r->client_secret)))
		return IMS_BAD_SECRET;
	if (!s->granted)
		return IMS_NOT_ALLOWED;
	return scopes_known(&s->scopes, r->scope) ? IMS_ISSUED : IMS_BAD_SCOPE;
}

/* ---- books ---- */

static struct ims_seen *seen_find(struct ims_books *b, const char *fingerprint)
{
	for (size_t i = 0; i < b->seen_count; i++)
		if (strcmp(b->seen[i].fingerprint, fingerprint) == 0)
			return &b->seen[i];
	if (b->seen_count == IMS_SEEN_MAX)
		return NULL;
	memcpy(b->seen[b->seen_count].fingerprint, fingerprint, BC_FINGERPRINT_BYTES);
	return &b->seen[b->seen_count++];
}

static void count_secret(struct ims_books *b, struct bc_str text, enum ims_result result)
{
	struct bc_secret *secret = text.len ? bc_secret_create(text.ptr, text.len) : NULL;
	char fingerprint[BC_FINGERPRINT_BYTES];
	struct ims_seen *seen;

	if (!secret)
		return;
	bc_secret_fingerprint(secret, fingerprint);
	bc_secret_unref(secret);
	seen = seen_find(b, fingerprint);
	if (seen && result == IMS_ISSUED)
		seen->issued++;
	else if (seen)
		seen->refused++;
}

void bc_ims_arrived(struct sandbox_call *call)
{
	call->sandbox->ims->books.requests++;
}

void bc_ims_token(struct sandbox_call *call)
{
	struct ims *m = call->sandbox->ims;
	struct ims_request r;
	enum ims_result result;

	bc_ims_request_read(call, &r);
	result = judge(&m->now, &r);
	if (result == IMS_ISSUED)
		bc_ims_issue(call, &r);
	else
		refuse(call, result);
	if (call->answer.status == 200)
		add_lines(call);
	m->books.results[result]++;
	m->books.forms[r.form]++;
	m->books.basic += r.basic;
	count_secret(&m->books, r.client_secret, result);
}

bool bc_ims_read_key(struct sandbox_call *call, struct bc_str *ret_key)
{
	struct ims_request r;

	bc_ims_request_read(call, &r);
	*ret_key = r.client_secret;
	return r.client_secret.len > 0;
}

/* ---- beside the tokens ---- */

void bc_ims_validate(struct sandbox_call *call)
{
	struct bc_str token = bc_ims_bearer(call->req);
	enum ims_life life;
	struct ims_request r;

	bc_ims_request_read(call, &r);
	if (!token.ptr)
		token = r.token;
	life = bc_ims_token_look(call->sandbox->ims, token, bc_elapsed_ms(call->sandbox->clock),
				 NULL);
	if (life == IMS_ALIVE)
		bc_sandbox_answer_json(
			call, 200, json_pack("{sbso*}", "valid", 1, "token", bc_ims_claims(token)));
	else
		bc_sandbox_answer_json(call, 200,
				       json_pack("{sbss}", "valid", 0, "reason",
						 life == IMS_DEAD ? "expired" : "bad_signature"));
	add_lines(call);
}

static json_t *scopes_json(const struct ims_scopes *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, json_string(s->name[i]));
	return list;
}

void bc_ims_discovery(struct sandbox_call *call)
{
	struct bc_str host = bc_http_header(call->req, "host");
	const char *base =
		bc_arena_printf(call->req->arena, "http://%.*s", (int)host.len, host.ptr);

	if (!base) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	bc_sandbox_answer_json(
		call, 200,
		json_pack("{ss so s[s] s[ss] so}", "issuer", base, "token_endpoint",
			  json_sprintf("%s/ims/token/v3", base), "grant_types_supported",
			  "client_credentials", "token_endpoint_auth_methods_supported",
			  "client_secret_basic", "client_secret_post", "scopes_supported",
			  scopes_json(&call->sandbox->ims->now.scopes)));
	add_lines(call);
}
