/* SPDX-License-Identifier: MIT */
/*
 * Reads a token request's parameters in all the forms that clients of IMS send: urlencoded and
 * multipart bodies (Adobe's own library sends the latter), the query, and HTTP Basic. The body goes
 * before the query, both before Basic, and the first of a name counts. JSON is no form. Written
 * apart from the library's own encoder, so that a mistake there can't hide.
 */
#include <string.h>

#include <openssl/evp.h>

#include "sandbox/ims.h"

enum { BASIC_MAX = 8192 };

static const struct {
	const char *name;
	size_t offset;
} params[] = {
	{ "grant_type", offsetof(struct ims_request, grant_type) },
	{ "client_id", offsetof(struct ims_request, client_id) },
	{ "client_secret", offsetof(struct ims_request, client_secret) },
	{ "org_id", offsetof(struct ims_request, org_id) },
	{ "scope", offsetof(struct ims_request, scope) },
	{ "token", offsetof(struct ims_request, token) },
};

static void keep(struct ims_request *r, struct bc_str name, struct bc_str value)
{
	for (size_t i = 0; i < BC_COUNT(params); i++) {
		struct bc_str *slot = (struct bc_str *)(void *)((char *)r + params[i].offset);

		if (bc_str_eq(name, params[i].name) && !slot->ptr)
			*slot = value.ptr ? value : BC_STR("");
	}
}

static void read_pairs(struct bc_arena *arena, struct bc_str text, struct ims_request *r)
{
	while (text.ptr) {
		struct bc_str value = bc_str_split(&text, '&'), name = bc_str_split(&value, '=');

		if (bc_sandbox_decode(arena, name, true, &name) &&
		    bc_sandbox_decode(arena, value, true, &value))
			keep(r, name, value);
	}
}

/* The value of name in "type; name=value; name="value""; absent when it is not there. */
static struct bc_str header_param(struct bc_str header, const char *name)
{
	bc_str_split(&header, ';');
	while (header.ptr) {
		struct bc_str value = bc_str_trim(bc_str_split(&header, ';'));

		if (!bc_str_ieq(bc_str_split(&value, '='), name) || !value.ptr)
			continue;
		if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
			value = (struct bc_str){ value.ptr + 1, value.len - 2 };
		return value;
	}
	return (struct bc_str){ 0 };
}

/* Cuts text behind the first mark and returns what stands before; absent when there is none. */
static struct bc_str cut_at(struct bc_str *text, struct bc_str mark)
{
	const char *at = text->len ? memmem(text->ptr, text->len, mark.ptr, mark.len) : NULL;
	struct bc_str before = { text->ptr, at ? (size_t)(at - text->ptr) : 0 };

	if (!at)
		return (struct bc_str){ 0 };
	text->ptr = at + mark.len;
	text->len -= before.len + mark.len;
	return before;
}

/* The name in a part's head; absent when it has none. */
static struct bc_str part_name(struct bc_str head)
{
	while (head.ptr) {
		struct bc_str line = bc_str_split(&head, '\n'), rest = line;

		if (bc_str_ieq(bc_str_trim(bc_str_split(&rest, ':')), "content-disposition")) {
			if (rest.len && rest.ptr[rest.len - 1] == '\r')
				rest.len--;
			return header_param(rest, "name");
		}
	}
	return (struct bc_str){ 0 };
}

static void read_multipart(struct bc_arena *arena, struct bc_str body, struct bc_str boundary,
			   struct ims_request *r)
{
	const char *text = bc_arena_printf(arena, "\r\n--%.*s", (int)boundary.len, boundary.ptr);
	struct bc_str mark = bc_str_of(text), first = mark;

	if (!text || !body.ptr || boundary.len == 0)
		return;
	/* The first one may open the body. */
	first = (struct bc_str){ mark.ptr + 2, mark.len - 2 };
	if (!cut_at(&body, first).ptr)
		return;
	for (;;) {
		struct bc_str part = cut_at(&body, mark), head;

		if (!part.ptr || !bc_str_starts(part, "\r\n"))
			return;
		part = (struct bc_str){ part.ptr + 2, part.len - 2 };
		head = cut_at(&part, BC_STR("\r\n\r\n"));
		if (head.ptr)
			keep(r, part_name(head), part);
	}
}

static void read_body(const struct bc_http_request *req, struct ims_request *r)
{
	struct bc_str header = bc_http_header(req, "content-type"), type = header;

	type = bc_str_trim(bc_str_split(&type, ';'));
	if (bc_str_ieq(type, "application/x-www-form-urlencoded")) {
		read_pairs(req->arena, req->body, r);
		r->form = IMS_URLENCODED;
	} else if (bc_str_ieq(type, "multipart/form-data")) {
		read_multipart(req->arena, req->body, header_param(header, "boundary"), r);
		r->form = IMS_MULTIPART;
	}
	if (!r->grant_type.ptr)
		r->form = IMS_QUERY;
}

/* What follows a scheme, "Basic" or "Bearer"; absent when it is another. */
static struct bc_str credentials(const struct bc_http_request *req, const char *scheme)
{
	struct bc_str value = bc_http_header(req, "authorization");

	if (!value.ptr || !bc_str_ieq(bc_str_split(&value, ' '), scheme) || !value.ptr)
		return (struct bc_str){ 0 };
	return bc_str_trim(value);
}

struct bc_str bc_ims_bearer(const struct bc_http_request *req)
{
	struct bc_str token = credentials(req, "Bearer");

	return token.len ? token : (struct bc_str){ 0 };
}

/* RFC 6749 2.3.1: both are form-encoded, then joined by a colon. */
static void read_basic(const struct bc_http_request *req, struct ims_request *r)
{
	struct bc_str text = credentials(req, "Basic"), id;
	unsigned char *bytes;
	int len;

	if (text.len == 0 || text.len % 4 != 0 || text.len > BASIC_MAX)
		return;
	bytes = bc_arena_alloc(req->arena, text.len);
	len = bytes ? EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, (int)text.len) : -1;
	if (len < 0)
		return;
	for (size_t i = text.len; i > 0 && text.ptr[i - 1] == '='; i--)
		len--;
	text = (struct bc_str){ (const char *)bytes, (size_t)len };
	id = bc_str_split(&text, ':');
	if (!text.ptr || !bc_sandbox_decode(req->arena, id, true, &id) ||
	    !bc_sandbox_decode(req->arena, text, true, &text))
		return;
	r->basic = !r->client_secret.ptr;
	keep(r, BC_STR("client_id"), id);
	keep(r, BC_STR("client_secret"), text);
}

void bc_ims_request_read(const struct sandbox_call *call, struct ims_request *ret_request)
{
	const struct bc_http_request *req = call->req;

	*ret_request = (struct ims_request){ 0 };
	read_body(req, ret_request);
	read_pairs(req->arena, req->query, ret_request);
	read_basic(req, ret_request);
}
