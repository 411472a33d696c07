/* SPDX-License-Identifier: MIT */
/*
 * What a well-formed head may still not say. One table of rules, tried in order; the first that is
 * broken names the status and the sentence. It covers what llhttp 8.1 lets pass and RFC 9112 does
 * not (missing or repeated Host, Transfer-Encoding other than a lone "chunked" or with HTTP/1.0,
 * equal repeated Content-Length) and repeats what llhttp refuses by itself (both framings at
 * once), so that a newer, more lenient llhttp changes nothing.
 *
 * Left to others: the lines' own syntax (the scan in http_parse.c), whether the body is too large
 * (there too: one that streams is not), which Hosts are known (the handler).
 */
#include "net/http_parse.h"

#include <string.h>
#include <strings.h>

/* The few fields that rules speak about: how often, and the first one's value. */
enum field { HOST, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE, FIELDS };

struct head {
	struct bc_http_request *req;
	bool http10;
	size_t count[FIELDS];
	struct bc_str value[FIELDS];
	bool absolute;		 /* the target is http://authority/... */
	struct bc_str authority; /* of an absolute target */
	bool length_valid;
	uint64_t length; /* Content-Length */
};

static const struct bc_str field_names[FIELDS] = {
	[HOST] = { "Host", 4 },
	[CONTENT_LENGTH] = { "Content-Length", 14 },
	[TRANSFER_ENCODING] = { "Transfer-Encoding", 17 },
	[EXPECT] = { "Expect", 6 },
	[UPGRADE] = { "Upgrade", 7 },
};

static bool equal_names(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

bool bc_http_is_token_byte(unsigned char c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool bc_http_is_token(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!bc_http_is_token_byte((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

static void collect_fields(struct head *h)
{
	for (size_t i = 0; i < h->req->header_count; i++) {
		const struct bc_http_field *header = &h->req->headers[i];
		for (int f = 0; f < FIELDS; f++) {
			if (!equal_names(header->name, field_names[f]))
				continue;
			if (h->count[f]++ == 0)
				h->value[f] = header->value;
		}
	}
}

static struct bc_str without(struct bc_str s, size_t n)
{
	return (struct bc_str){ s.ptr + n, s.len - n };
}

/* Finds scheme and authority of "http://authority/path"; the target stays as it is. */
static void collect_authority(struct head *h)
{
	static const struct bc_str schemes[] = { { "http://", 7 }, { "https://", 8 } };
	struct bc_str target = h->req->target;

	for (size_t i = 0; i < BC_COUNT(schemes) && !h->absolute; i++)
		if (target.len >= schemes[i].len &&
		    strncasecmp(target.ptr, schemes[i].ptr, schemes[i].len) == 0) {
			h->absolute = true;
			h->authority = without(target, schemes[i].len);
		}
	if (h->absolute) {
		size_t n = 0;
		while (n < h->authority.len && !strchr("/?", h->authority.ptr[n]))
			n++;
		h->authority.len = n;
	}
}

/* host[:port] in the letters that names, IPv4 and bracketed IPv6 addresses need. */
static bool is_authority(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) &&
		    (c == '\0' || !strchr("-._~%:[]", c)))
			return false;
	}
	return s.len > 0;
}

static bool is_connect(const struct head *h)
{
	return strcmp(h->req->method, "CONNECT") == 0;
}

static bool is_bad_target(const struct head *h)
{
	struct bc_str target = h->req->target;

	if (bc_str_eq(target, "*"))
		return strcmp(h->req->method, "OPTIONS") != 0;
	return !h->absolute && (target.len == 0 || target.ptr[0] != '/');
}

static bool lacks_host(const struct head *h)
{
	return h->count[HOST] == 0 && !h->http10;
}

static bool repeats_host(const struct head *h)
{
	return h->count[HOST] > 1;
}

static bool has_bad_host(const struct head *h)
{
	return (h->count[HOST] > 0 && !is_authority(h->value[HOST])) ||
	       (h->absolute && !is_authority(h->authority));
}

static bool has_two_hosts(const struct head *h)
{
	return h->absolute && h->count[HOST] > 0 && !equal_names(h->authority, h->value[HOST]);
}

static bool has_two_framings(const struct head *h)
{
	return h->count[TRANSFER_ENCODING] > 0 && h->count[CONTENT_LENGTH] > 0;
}

static bool has_encoding_in_http10(const struct head *h)
{
	return h->count[TRANSFER_ENCODING] > 0 && h->http10;
}

static bool has_odd_encoding(const struct head *h)
{
	return h->count[TRANSFER_ENCODING] > 1 ||
	       (h->count[TRANSFER_ENCODING] == 1 &&
		!bc_str_ieq(h->value[TRANSFER_ENCODING], "chunked"));
}

static bool repeats_length(const struct head *h)
{
	return h->count[CONTENT_LENGTH] > 1;
}

static bool has_bad_length(const struct head *h)
{
	return h->count[CONTENT_LENGTH] > 0 && !h->length_valid;
}

static bool wants_upgrade(const struct head *h)
{
	return h->count[UPGRADE] > 0;
}

static bool expects_other(const struct head *h)
{
	return h->count[EXPECT] > 0 && !h->http10 &&
	       (h->count[EXPECT] > 1 || !bc_str_ieq(h->value[EXPECT], "100-continue"));
}

static const struct {
	bool (*is_broken)(const struct head *h);
	struct bc_http_refusal refusal;
} rules[] = {
	{ lacks_host, { 400, "the request has no Host header" } },
	{ repeats_host, { 400, "the request has more than one Host header" } },
	{ has_two_framings, { 400, "Content-Length and Transfer-Encoding exclude each other" } },
	{ has_encoding_in_http10, { 400, "Transfer-Encoding does not exist in HTTP/1.0" } },
	{ has_odd_encoding, { 400, "Transfer-Encoding is something else than one \"chunked\"" } },
	{ repeats_length, { 400, "the request has more than one Content-Length header" } },
	{ has_bad_length, { 400, "Content-Length is not a decimal number" } },
	{ is_connect, { 501, "CONNECT is not supported: this is no proxy" } },
	{ is_bad_target, { 400, "the request target does not start with a slash" } },
	{ has_bad_host, { 400, "the host is not a name or address with an optional port" } },
	{ has_two_hosts, { 400, "the request target names another host than the Host header" } },
	{ wants_upgrade, { 501, "Upgrade is not supported: send the request without it" } },
	{ expects_other, { 417, "the only expectation that is met is 100-continue" } },
};

/* Reduces an absolute target to what follows its authority, which may lack the first slash. */
static bool reduce_target(const struct head *h)
{
	struct bc_http_request *req = h->req;
	struct bc_str rest = without(req->target, (size_t)(h->authority.ptr - req->target.ptr) +
							  h->authority.len);

	if (rest.len == 0 || rest.ptr[0] != '/') {
		const char *slashed = bc_arena_printf(req->arena, "/%.*s", (int)rest.len, rest.ptr);
		if (!slashed)
			return false;
		rest = (struct bc_str){ slashed, rest.len + 1 };
	}
	req->target = rest;
	return true;
}

static void split_target(struct bc_http_request *req)
{
	const char *mark = memchr(req->target.ptr, '?', req->target.len);

	req->path = req->target;
	req->query = (struct bc_str){ 0 };
	if (!mark)
		return;
	req->path.len = (size_t)(mark - req->target.ptr);
	req->query = without(req->target, req->path.len + 1);
}

struct bc_http_refusal bc_http_rules_apply(struct bc_http_request *req, bool http10,
					   struct bc_http_framing *ret_framing)
{
	struct head h = { .req = req, .http10 = http10 };

	collect_fields(&h);
	collect_authority(&h);
	if (h.count[CONTENT_LENGTH] > 0)
		h.length_valid = bc_parse_u64(h.value[CONTENT_LENGTH], &h.length) == 0;
	for (size_t i = 0; i < BC_COUNT(rules); i++)
		if (rules[i].is_broken(&h))
			return rules[i].refusal;
	if (h.absolute && !reduce_target(&h))
		return (struct bc_http_refusal){ 503, "out of memory" };
	split_target(req);
	*ret_framing = (struct bc_http_framing){
		.chunked = h.count[TRANSFER_ENCODING] > 0,
		.counted = h.count[CONTENT_LENGTH] > 0,
		.content_length = h.length,
		.expect_continue = h.count[EXPECT] > 0 && !http10,
	};
	return (struct bc_http_refusal){ 0, NULL };
}
