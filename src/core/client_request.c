/* SPDX-License-Identifier: MIT */
/*
 * One request as a call keeps it: checked before it is taken, so that what is wrong with it is said
 * to whoever asked, at once; and as it is sent, which may be more than once.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "core/client_impl.h"

enum {
	TIMEOUT_MS = 60 * 1000,
	ANSWER_MAX_BYTES = 16 * 1024 * 1024,
	METHOD_MAX_BYTES = 15,
	LINES_MAX = 128,
	OWN_LINES = 6, /* with the token's */
	ARENA_BYTES = 1024,
	ARENA_MAX_BYTES = 256 * 1024
};

#define JSON "application/json"

/* --- checks ---------------------------------------------------------------------------------- */

/* Fields that are not the caller's; some only when there is a credential. */
static const struct {
	const char *name;
	bool credential;
} reserved[] = {
	{ "authorization", true }, { "x-api-key", true },	{ "x-gw-ims-org-id", true },
	{ "host", false },	   { "content-length", false }, { "transfer-encoding", false },
	{ "connection", false },   { "expect", false },
};

static int check_reserved(const struct bc_client *c, struct bc_str name, struct bc_err *err)
{
	for (size_t i = 0; i < BC_COUNT(reserved); i++) {
		if (!bc_str_ieq(name, reserved[i].name) || (reserved[i].credential && !c->tokens))
			continue;
		bc_err_hint(err, "leave it out: it is set here");
		return bc_err_set(err, BC_EINVAL, "header \"%s\" is not the caller's to set",
				  reserved[i].name);
	}
	return 0;
}

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

/* "Name: value", its name without blanks. */
static int check_line(const struct bc_client *c, const char *line, struct bc_err *err)
{
	struct bc_str value = bc_str_of(line);
	struct bc_str name = bc_str_split(&value, ':');
	if (!value.ptr || !name.len || memchr(name.ptr, ' ', name.len) ||
	    memchr(name.ptr, '\t', name.len) || !is_clean(line))
		return bc_err_tell(err, BC_EINVAL,
				   "give each header as one line, its name without blanks, then a "
				   "colon and the value",
				   "a header does not read \"Name: value\"");
	return check_reserved(c, name, err);
}

static int check_lines(const struct bc_client *c, const char *const *headers, size_t *ret_count,
		       struct bc_err *err)
{
	size_t count = 0;
	int result = 0;
	for (; headers && headers[count] && !result; count++)
		result = count == LINES_MAX
				 ? bc_err_tell(err, BC_EINVAL, "send fewer headers",
					       "there are more than %d headers", LINES_MAX)
				 : check_line(c, headers[count], err);
	*ret_count = count;
	return result;
}

static int check_method(const struct bc_client_request *from, struct bc_err *err)
{
	const char *method = from->method;
	size_t len = method ? strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
	if (method && (!len || method[len] || len > METHOD_MAX_BYTES))
		return bc_err_tell(err, BC_EINVAL, "write GET, POST, PUT or DELETE",
				   "method \"%.32s\" is not a word in capitals", method);
	if (method && from->body_bytes && strcmp(method, "HEAD") == 0)
		return bc_err_tell(err, BC_EINVAL, "leave the body out, or use GET",
				   "a HEAD request has no body");
	return 0;
}

static int check_type(const struct bc_client_request *from, struct bc_err *err)
{
	if (!from->content_type || is_clean(from->content_type))
		return 0;
	return bc_err_tell(err, BC_EINVAL, "write it as application/json, on one line",
			   "the content type holds a control character");
}

static int build_target(const struct bc_client *c, const struct bc_client_request *from,
			struct client_request *r, struct bc_err *err)
{
	if (!c->settings.base_url) {
		bc_err_hint(err, "set it to the API endpoint, tenant included");
		return bc_err_set(err, BC_EINVAL, "the client has no commerce_base_url");
	}
	return bc_commerce_target_build(c->settings.base_url, c->settings.flavor, from->path,
					from->store, &r->target, err);
}

/* --- its lines ------------------------------------------------------------------------------- */

struct lines {
	struct bc_arena *arena;
	const char *const *callers;
	const char **all;
	size_t count;
	bool failed;
};

static void put(struct lines *l, const char *line)
{
	l->failed |= !line;
	if (line)
		l->all[l->count++] = line;
}

static bool callers_have(const struct lines *l, const char *name)
{
	for (const char *const *line = l->callers; line && *line; line++) {
		struct bc_str rest = bc_str_of(*line);
		if (bc_str_ieq(bc_str_split(&rest, ':'), name))
			return true;
	}
	return false;
}

/* NULL and "" are no value; the caller's own word goes before ours. */
static void put_default(struct lines *l, const char *name, const char *value)
{
	if (value && value[0] && !callers_have(l, name))
		put(l, bc_arena_printf(l->arena, "%s: %s", name, value));
}

static int make_lines(const struct bc_client *c, const struct bc_client_request *from,
		      size_t callers, struct client_request *r)
{
	struct lines l = { .arena = r->arena, .callers = from->headers, .count = 1 };
	l.all = bc_arena_alloc(r->arena, (callers + OWN_LINES + 1) * sizeof(*l.all));
	if (!l.all)
		return BC_ENOMEM;
	if (c->settings.api_key_line)
		put(&l, c->settings.api_key_line);
	if (c->settings.org_line && !callers_have(&l, "x-gw-ims-org-id"))
		put(&l, c->settings.org_line);
	put_default(&l, "Store", r->target.store);
	put_default(&l, "Accept", JSON);
	if (from->body_bytes)
		put_default(&l, "Content-Type", from->content_type ? from->content_type : JSON);
	for (size_t i = 0; i < callers; i++)
		put(&l, bc_arena_dup(r->arena, from->headers[i], strlen(from->headers[i])));
	r->lines = l.all;
	return l.failed ? BC_ENOMEM : 0;
}

/* --- keeping it ------------------------------------------------------------------------------ */

static int keep(const struct bc_client *c, const struct bc_client_request *from, size_t lines,
		struct client_request *r)
{
	const char *method = from->method ? from->method : from->body_bytes ? "POST" : "GET";
	r->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	r->method = r->arena ? bc_arena_dup(r->arena, method, strlen(method)) : NULL;
	r->timeout_ms = from->timeout_ms ? from->timeout_ms : TIMEOUT_MS;
	r->answer_max_bytes = from->answer_max_bytes ? from->answer_max_bytes : ANSWER_MAX_BYTES;
	if (!r->method || make_lines(c, from, lines, r))
		return BC_ENOMEM;
	if (!from->body_bytes)
		return 0;
	r->body = malloc(from->body_bytes);
	if (!r->body)
		return BC_ENOMEM;
	memcpy(r->body, from->body, from->body_bytes);
	r->body_bytes = from->body_bytes;
	return 0;
}

int bc_client_request_copy(const struct bc_client *c, const struct bc_client_request *from,
			   struct client_request *ret_request, struct bc_err *err)
{
	struct client_request r = { 0 };
	size_t lines = 0;
	int result = check_method(from, err);
	if (!result)
		result = check_type(from, err);
	if (!result)
		result = check_lines(c, from->headers, &lines, err);
	if (!result)
		result = build_target(c, from, &r, err);
	if (!result && keep(c, from, lines, &r))
		result = bc_err_nomem(err);
	if (result)
		bc_client_request_finish(&r);
	else
		*ret_request = r;
	return result;
}

void bc_client_request_finish(struct client_request *r)
{
	bc_client_request_unsign(r);
	if (r->body)
		bc_wipe(r->body, r->body_bytes);
	free(r->body);
	free(r->target.url);
	bc_arena_destroy(r->arena);
	*r = (struct client_request){ 0 };
}

/* --- the token ------------------------------------------------------------------------------- */

const char *const *bc_client_request_sign(struct client_request *r,
					  const struct bc_access_token *token)
{
	char *line;
	bc_client_request_unsign(r);
	if (!token)
		return r->lines + 1;
	if (asprintf(&line, "Authorization: Bearer %s", bc_secret_reveal(token->secret)) < 0)
		return NULL;
	r->lines[0] = line;
	return r->lines;
}

void bc_client_request_unsign(struct client_request *r)
{
	char *line = r->lines ? (char *)r->lines[0] : NULL;
	if (!line)
		return;
	bc_wipe(line, strlen(line));
	free(line);
	r->lines[0] = NULL;
}
