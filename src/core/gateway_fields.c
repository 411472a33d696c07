/* SPDX-License-Identifier: MIT */
/*
 * Header fields on their way through (RFC 9110 7.6.1). Passed on in either direction is what
 * belongs to the message; not what belongs to one connection, which is a list that everybody knows
 * and what the field Connection names. Framing is each side's own.
 */
#include <stdio.h>
#include <string.h>

#include "core/gateway_impl.h"

#define VIA "1.1 backchannel"

enum { OWN_FIELDS = 7 };

/* What no message hands on; from a client, also what is ours to say. */
static const struct {
	const char *name;
	bool ours; /* dropped from a request alone */
} dropped[] = {
	{ "connection", false },
	{ "keep-alive", false },
	{ "proxy-connection", false },
	{ "proxy-authenticate", false },
	{ "proxy-authorization", false },
	{ "te", false },
	{ "trailer", false },
	{ "transfer-encoding", false },
	{ "upgrade", false },
	{ "content-length", false },
	{ "x-request-id", false }, /* the server says it, both ways */
	{ "host", true },
	{ "expect", true },
	{ "authorization", true }, /* that of our API */
	{ "x-api-key", true },
	{ "x-gw-ims-org-id", true },
	/* Frameworks take them for another method or path than the one that was allowed. */
	{ "x-http-method", true },
	{ "x-http-method-override", true },
	{ "x-method-override", true },
	{ "x-original-url", true },
	{ "x-rewrite-url", true },
};

static bool is_dropped(struct bc_str name, bool request)
{
	for (size_t i = 0; i < BC_COUNT(dropped); i++)
		if ((request || !dropped[i].ours) && bc_str_ieq(name, dropped[i].name))
			return true;
	return false;
}

static bool lists(struct bc_str list, struct bc_str name)
{
	while (list.ptr) {
		struct bc_str item = bc_str_trim(bc_str_split(&list, ','));
		if (item.len == name.len && strncasecmp(item.ptr, name.ptr, name.len) == 0)
			return true;
	}
	return false;
}

/* Does a field Connection name it? */
static bool is_connections(const struct bc_http_field *fields, size_t count, struct bc_str name)
{
	for (size_t i = 0; i < count; i++)
		if (bc_str_ieq(fields[i].name, "connection") && lists(fields[i].value, name))
			return true;
	return false;
}

/* --- to Commerce ----------------------------------------------------------------------------- */

struct lines {
	struct bc_arena *arena;
	const char **all;
	size_t count;
	bool failed;
};

/* Copied, not printed: a token has a thousand letters, and printf was measured to take 4 us of a
 * call for them. */
static void put(struct lines *l, struct bc_str name, const char *between, struct bc_str value)
{
	size_t middle = strlen(between);
	char *line = bc_arena_alloc(l->arena, name.len + middle + value.len + 1);
	l->failed |= !line;
	l->all[l->count++] = line;
	if (!line)
		return;
	memcpy(line, name.ptr, name.len);
	memcpy(line + name.len, between, middle);
	if (value.len)
		memcpy(line + name.len + middle, value.ptr, value.len);
	line[name.len + middle + value.len] = '\0';
}

static void put_own(struct lines *l, const char *name, const char *value)
{
	if (value && value[0])
		put(l, bc_str_of(name), ": ", bc_str_of(value));
}

static bool sends_body(const struct gateway_call *call)
{
	return call->body.len || !call->held;
}

static void put_callers(struct lines *l, const struct gateway_call *call)
{
	const struct bc_http_request *req = call->req;
	for (size_t i = 0; i < req->header_count; i++) {
		const struct bc_http_field *h = &req->headers[i];
		bool store = call->target.store[0] && bc_str_ieq(h->name, "store");
		if (!store && !is_dropped(h->name, true) &&
		    !is_connections(req->headers, req->header_count, h->name))
			put(l, h->name, ": ", h->value);
	}
}

const char *const *gateway_fields_out(struct gateway_call *call)
{
	const struct bc_gateway_config *c = &call->setup->config;
	struct bc_http_request *req = call->req;
	struct lines l = { .arena = req->arena };
	l.all = bc_arena_alloc(req->arena, (req->header_count + OWN_FIELDS + 1) * sizeof(*l.all));
	if (!l.all)
		return NULL;
	put(&l, bc_str_of("Authorization"), ": Bearer ",
	    bc_str_of(bc_secret_reveal(call->token->secret)));
	put_own(&l, "x-api-key", c->client_id);
	put_own(&l, "x-gw-ims-org-id", c->org_id);
	put_own(&l, "Store", call->target.store);
	put_own(&l, "X-Request-Id", call->id);
	put_own(&l, "Via", VIA);
	if (sends_body(call) && !bc_http_header(req, "content-type").ptr)
		put_own(&l, "Content-Type", "application/json");
	put_callers(&l, call);
	if (!l.failed)
		return l.all;
	gateway_fields_wipe(l.all);
	return NULL;
}

void gateway_fields_wipe(const char *const *fields)
{
	if (fields && fields[0])
		bc_wipe((char *)fields[0], strlen(fields[0]));
}

/* --- to the client --------------------------------------------------------------------------- */

static int add_field(struct bc_buf *text, const struct bc_http_field *f)
{
	if (bc_buf_add(text, f->name.ptr, f->name.len) || bc_buf_adds(text, ": ") ||
	    bc_buf_add(text, f->value.ptr, f->value.len))
		return BC_ENOMEM;
	return bc_buf_adds(text, "\r\n");
}

const char *gateway_fields_in(struct gateway_call *call, const struct bc_http_answer_head *head)
{
	struct bc_buf text;
	bc_buf_init(&text, 256 * 1024);
	int result = bc_buf_adds(&text, "Via: " VIA "\r\n");
	for (size_t i = 0; i < head->field_count && !result; i++) {
		const struct bc_http_field *f = &head->fields[i];
		if (!is_dropped(f->name, false) &&
		    !is_connections(head->fields, head->field_count, f->name))
			result = add_field(&text, f);
	}
	char *copy = result ? NULL : bc_arena_dup(call->req->arena, text.data, text.len);
	bc_buf_finish(&text);
	return copy;
}

const char *gateway_field_value(struct gateway_call *call, const struct bc_http_answer_head *head,
				const char *name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (bc_str_ieq(head->fields[i].name, name))
			return bc_arena_dup(call->req->arena, head->fields[i].value.ptr,
					    head->fields[i].value.len);
	return NULL;
}
