/* SPDX-License-Identifier: MIT */
/*
 * Finds the click token in a landing URL. The URL is a stranger's text of up to 8 KiB, so it is
 * read once, left to right, without allocation and without copying more than a token's worth.
 * Decoding is the one browsers and servers apply to a query (percent escapes once, '+' is a space,
 * a broken escape stands for itself); what counts as a token is token.c's.
 */
#include "protocol/url.h"

#include <string.h>

#include "base/str.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Takes the next decoded byte off s, which is not empty. */
static char next_decoded(struct bc_str *s)
{
	char c = s->ptr[0];
	size_t used = 1;
	if (c == '+') {
		c = ' ';
	} else if (c == '%' && s->len >= 3 && hex_digit(s->ptr[1]) >= 0 &&
		   hex_digit(s->ptr[2]) >= 0) {
		c = (char)(hex_digit(s->ptr[1]) * 16 + hex_digit(s->ptr[2]));
		used = 3;
	}
	s->ptr += used;
	s->len -= used;
	return c;
}

static bool decodes_to(struct bc_str encoded, const char *plain)
{
	while (encoded.len > 0) {
		/* The end of plain is told first, so that an encoded NUL cannot pass for it. */
		if (!*plain || next_decoded(&encoded) != *plain)
			return false;
		plain++;
	}
	return !*plain;
}

static bool is_wanted(struct bc_str name, const char *const *params)
{
	if (name.len == 0)
		return false;
	for (; *params; params++) {
		if (decodes_to(name, *params))
			return true;
	}
	return false;
}

/* The decoded value as a token, or false. token: BC_TOKEN_MAX + 1 bytes, scratch when false. */
static bool decode_token(struct bc_str value, bc_url_is_token *is_token, const void *ctx,
			 char *token)
{
	size_t len = 0;
	while (value.len > 0) {
		if (len == BC_TOKEN_MAX)
			return false;
		token[len++] = next_decoded(&value);
	}
	token[len] = '\0';
	return is_token(ctx, token, len);
}

/* Drops sep and everything behind it; returns what stood behind, absent without a sep. */
static struct bc_str cut(struct bc_str *s, char sep)
{
	struct bc_str rest = *s;
	*s = bc_str_split(&rest, sep);
	return rest;
}

int bc_url_find(const char *url, size_t len, const char *const *params, bc_url_is_token *is_token,
		const void *ctx, char *ret_token)
{
	if (len > BC_URL_MAX)
		return BC_ETOOBIG;
	struct bc_str whole = { url, len };
	cut(&whole, '#');
	struct bc_str query = cut(&whole, '?');
	int result = 0;
	while (query.ptr) {
		struct bc_str name = bc_str_split(&query, '&');
		struct bc_str value = cut(&name, '=');
		char token[BC_TOKEN_MAX + 1];
		if (value.len == 0 || !is_wanted(name, params))
			continue;
		if (decode_token(value, is_token, ctx, token)) {
			memcpy(ret_token, token, strlen(token) + 1);
			result = 1;
		} else if (result == 0) {
			result = BC_EINVAL;
		}
	}
	return result;
}

static bool is_usual_token(const void *ctx, const char *token, size_t len)
{
	const struct bc_token_pattern *pattern = ctx;
	return bc_token_classify_strict(token, len, pattern) != BC_TOKEN_INVALID;
}

int bc_url_token(const char *url, size_t len, const char *const *params,
		 const struct bc_token_pattern *pattern, char *ret_token)
{
	return bc_url_find(url, len, params, is_usual_token, pattern, ret_token);
}

/* How many bytes of s are "scheme://"; 0 when it is relative. */
static size_t scheme_bytes(struct bc_str s)
{
	size_t i = 0;
	while (i < s.len && s.ptr[i] != ':' && s.ptr[i] != '/')
		i++;
	bool absolute = i > 0 && s.len - i >= 3 && memcmp(s.ptr + i, "://", 3) == 0;
	return absolute ? i + 3 : 0;
}

void bc_url_path(const char *url, size_t len, const char **ret_path, size_t *ret_len)
{
	struct bc_str path = { url, len };
	cut(&path, '#');
	cut(&path, '?');
	size_t scheme = scheme_bytes(path);
	if (scheme > 0) {
		const char *slash = memchr(path.ptr + scheme, '/', path.len - scheme);
		path.len = slash ? path.len - (size_t)(slash - path.ptr) : 0;
		path.ptr = slash;
	}
	*ret_path = path.len > 0 ? path.ptr : "/";
	*ret_len = path.len > 0 ? path.len : 1;
}
