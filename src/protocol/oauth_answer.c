/* SPDX-License-Identifier: MIT */
/*
 * Reads a token endpoint's answer by the table of oauth_rules.c. Invariants: no token is ever part
 * of a text (a body that holds an access_token lends none of its words); what is copied out is
 * clean of control characters; a life is never zero and never longer than the ceiling, because a
 * server that mistakes milliseconds for seconds must not have us send a token for years.
 */
#include <backchannel/oauth.h>

#include <string.h>

#include <jansson.h>

#include <backchannel/partner.h>

#include "base/attr.h"
#include "base/str.h"
#include "protocol/oauth_rules.h"

static const char *const result_names[BC_OAUTH_RESULTS] = {
	[BC_OAUTH_GRANTED] = "granted",
	[BC_OAUTH_CLIENT_REFUSED] = "client_refused",
	[BC_OAUTH_REQUEST_REFUSED] = "request_refused",
	[BC_OAUTH_THROTTLED] = "throttled",
	[BC_OAUTH_FAILED] = "failed",
};

/* The members that hold the endpoint's words, the standard's first, then those of Adobe's other
 * gateways. */
static const char *const error_names[] = { "error", "error_code", NULL };
static const char *const description_names[] = { "error_description", "message", NULL };

struct reading {
	json_t *root; /* owned; NULL: the body is no JSON object */
	enum bc_oauth_body body;
	const char *error, *description; /* borrowed from root; NULL: none */
};

const char *bc_oauth_result_name(enum bc_oauth_result result)
{
	return (unsigned)result < BC_OAUTH_RESULTS ? result_names[result] : "unknown";
}

/* Its memory goes back to the allocator, so the token is wiped where it stands. */
static void finish_reading(struct reading *r)
{
	const json_t *token = json_object_get(r->root, "access_token");
	if (json_is_string(token))
		explicit_bzero((char *)json_string_value(token), json_string_length(token));
	json_decref(r->root);
}

/* 0 also when it is no JSON object. Integers are read as reals, so that an absurd one is a number
 * that is too large and not a syntax error. */
static int parse(const struct bc_oauth_answer *answer, json_t **ret_root)
{
	json_error_t wrong = { 0 };
	if (!answer->body || answer->body_bytes == 0)
		return 0;
	json_t *root =
		json_loadb(answer->body, answer->body_bytes, JSON_DECODE_INT_AS_REAL, &wrong);
	if (!root && json_error_code(&wrong) == json_error_out_of_memory)
		return BC_ENOMEM;
	if (json_is_object(root))
		*ret_root = root;
	else
		json_decref(root);
	return 0;
}

static enum bc_oauth_body kind_without_object(const struct bc_oauth_answer *answer)
{
	for (size_t i = 0; answer->body && i < answer->body_bytes; i++) {
		if (!strchr(" \t\r\n", answer->body[i]) || answer->body[i] == '\0')
			return answer->body[i] == '<' ? BC_OAUTH_BODY_PAGE : BC_OAUTH_BODY_OTHER;
	}
	return BC_OAUTH_BODY_EMPTY;
}

static bool is_sendable(const json_t *token)
{
	struct bc_str text = { json_string_value(token), json_string_length(token) };
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	}
	return text.len > 0 && text.len <= BC_OAUTH_TOKEN_MAX;
}

static bool is_bearer(const json_t *type)
{
	struct bc_str text = { json_string_value(type), json_string_length(type) };
	return !type || json_is_null(type) || (text.ptr && bc_str_ieq(text, "bearer"));
}

static enum bc_oauth_body kind_of(const struct bc_oauth_answer *answer, const json_t *root)
{
	const json_t *token = json_object_get(root, "access_token");
	if (!answer->complete)
		return BC_OAUTH_BODY_CUT;
	if (!root)
		return kind_without_object(answer);
	if (!token)
		return BC_OAUTH_BODY_OBJECT;
	if (!is_sendable(token))
		return BC_OAUTH_BODY_BAD_TOKEN;
	return is_bearer(json_object_get(root, "token_type")) ? BC_OAUTH_BODY_TOKEN
							      : BC_OAUTH_BODY_OTHER_TYPE;
}

/* The first of the members that is a text with something in it. */
static const char *first_text(const json_t *root, const char *const *names)
{
	for (; *names; names++) {
		const char *text = json_string_value(json_object_get(root, *names));
		if (text && text[0])
			return text;
	}
	return NULL;
}

/* Some servers say their errors with 200. */
static int status_that_counts(const struct bc_oauth_answer *answer, const struct reading *r)
{
	bool is_error = answer->status == 200 && r->error && r->body != BC_OAUTH_BODY_TOKEN;
	return is_error ? 400 : answer->status;
}

/* Bytes of the UTF-8 character that text, valid and not empty, begins with. */
static size_t character_bytes(const char *text)
{
	unsigned char lead = (unsigned char)*text;
	if (lead < 0xc0)
		return 1;
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

/* C0, DEL, and C1: a terminal may obey any of them. */
static bool is_control(const char *text)
{
	unsigned char first = (unsigned char)text[0];
	return first < ' ' || first == 0x7f || (first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

/* Copies as many whole characters as fit, controls as blanks. */
static void copy_clean(char *to, size_t to_bytes, const char *text)
{
	size_t len = 0;
	for (size_t bytes; *text; text += bytes) {
		bool control = is_control(text);
		bytes = character_bytes(text);
		size_t put = control ? 1 : bytes;
		if (len + put >= to_bytes)
			break;
		memcpy(to + len, control ? " " : text, put);
		len += put;
	}
	to[len] = '\0';
}

/* Digits only; what does not fit is more than any ceiling. */
static double read_digits(const char *text)
{
	double seconds = 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		seconds = seconds * 10 + (*text - '0');
	}
	return seconds;
}

static void fill_life(struct bc_oauth_verdict *v, const json_t *expires_in)
{
	const char *text = json_string_value(expires_in);
	double ms = 1000 * (text ? read_digits(text) : json_number_value(expires_in));
	v->life_assumed = ms < 1 || ms > (double)BC_OAUTH_LIFE_MAX_MS;
	if (ms < 1)
		v->life_ms = BC_OAUTH_LIFE_ASSUMED_MS;
	else
		v->life_ms = v->life_assumed ? BC_OAUTH_LIFE_MAX_MS : (uint64_t)ms;
}

static int fill_token(struct bc_oauth_verdict *v, const json_t *root)
{
	const json_t *token = json_object_get(root, "access_token");
	struct bc_str text = { json_string_value(token), json_string_length(token) };
	v->access_token = bc_str_dup(text);
	fill_life(v, json_object_get(root, "expires_in"));
	return v->access_token ? 0 : BC_ENOMEM;
}

static void fill_words(struct bc_oauth_verdict *v, const struct reading *r)
{
	if (json_object_get(r->root, "access_token"))
		return;
	copy_clean(v->error, sizeof(v->error), r->error ? r->error : "");
	copy_clean(v->description, sizeof(v->description), r->description ? r->description : "");
}

static void fill_retry_after(struct bc_oauth_verdict *v, const struct bc_oauth_answer *answer)
{
	uint64_t ms;
	bool waiting_helps = v->result == BC_OAUTH_THROTTLED || v->result == BC_OAUTH_FAILED;
	if (!waiting_helps || !answer->retry_after ||
	    bc_retry_after_parse(answer->retry_after, answer->date, answer->now_wall_ms, &ms) < 0)
		return;
	v->retry_after_ms = ms < BC_RETRY_AFTER_MAX_MS ? ms : BC_RETRY_AFTER_MAX_MS;
}

int bc_oauth_read_answer(const struct bc_oauth_answer *answer, struct bc_oauth_verdict *ret_verdict)
{
	BC_CLEANUP(finish_reading) struct reading r = { 0 };
	int result = parse(answer, &r.root);
	if (result < 0)
		return result;
	r.body = kind_of(answer, r.root);
	r.error = first_text(r.root, error_names);
	r.description = first_text(r.root, description_names);
	const struct bc_oauth_rule *rule =
		bc_oauth_rule_find(status_that_counts(answer, &r), r.body, r.error, r.description);
	struct bc_oauth_verdict v = { rule->result, rule->meaning, rule->hint };
	if (v.result == BC_OAUTH_GRANTED)
		result = fill_token(&v, r.root);
	else
		fill_words(&v, &r);
	if (result < 0)
		return result;
	fill_retry_after(&v, answer);
	*ret_verdict = v;
	return 0;
}

void bc_oauth_verdict_finish(struct bc_oauth_verdict *verdict)
{
	if (verdict->access_token)
		explicit_bzero(verdict->access_token, strlen(verdict->access_token));
	free(verdict->access_token);
	*verdict = (struct bc_oauth_verdict){ 0 };
}
