/* SPDX-License-Identifier: MIT */
/*
 * Which bytes may stand in a path or a query as they are, and which paths would be resolved to
 * another one on their way. Invariant: what bc_commerce_segment_append accepts is accepted as part
 * of a path as well. Nothing here allocates. Which segments decide where a call goes is
 * commerce_paths.c's.
 */
#include "protocol/commerce_impl.h"

#include <string.h>

/*
 * RFC 3986's, and what the URL parser of browsers and of Node leaves bare, so that a call through
 * the gateway may be written as it is without one. Braces only in a query: in a path they are a
 * placeholder that nobody has filled in.
 */
static const char *const marks[] = {
	[BC_COMMERCE_IN_PATH] = "-._~!$&'()*+,;=:@/[]|^",
	[BC_COMMERCE_IN_QUERY] = "-._~!$&'()*+,;=:@/[]|^?%{}`",
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	unsigned char lower = c | 0x20;
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_escape(struct bc_str s)
{
	return s.len >= 3 && s.ptr[0] == '%' && hex_value((unsigned char)s.ptr[1]) >= 0 &&
	       hex_value((unsigned char)s.ptr[2]) >= 0;
}

size_t bc_commerce_url_bytes(struct bc_str s, enum bc_commerce_place place)
{
	size_t i = 0;
	while (i < s.len) {
		char c = s.ptr[i];
		struct bc_str here = { s.ptr + i, s.len - i };
		if (is_escape(here))
			i += 3;
		else if (is_alnum(c) || (c != '\0' && strchr(marks[place], c)))
			i++;
		else
			break;
	}
	return i;
}

/* Takes the next byte off s, which is not empty, as it is after so many decodings. A broken escape
 * stands for itself. The recursion is as deep as there are decodings. */
static unsigned char take_decoded(struct bc_str *s, unsigned decodings)
{
	if (decodings == 0) {
		s->len--;
		return (unsigned char)*s->ptr++;
	}
	unsigned char c = take_decoded(s, decodings - 1);
	struct bc_str ahead = *s;
	if (c != '%' || ahead.len == 0)
		return c;
	int high = hex_value(take_decoded(&ahead, decodings - 1));
	if (high < 0 || ahead.len == 0)
		return c;
	int low = hex_value(take_decoded(&ahead, decodings - 1));
	if (low < 0)
		return c;
	*s = ahead;
	return (unsigned char)(high * 16 + low);
}

bool bc_commerce_is_tame(struct bc_str text, unsigned decodings)
{
	unsigned dots = 0;  /* that the segment consists of so far */
	bool named = false; /* it has another byte as well */
	while (text.len > 0) {
		unsigned char c = take_decoded(&text, decodings);
		bool slash = c == '/' || c == '\\';
		bool is_dots = !named && (dots == 1 || dots == 2);
		if (c < 0x20 || c == 0x7f || (is_dots && (slash || c == ';')))
			return false;
		dots = slash ? 0 : c == '.' ? dots + 1 : dots;
		named = !slash && (named || c != '.');
	}
	return named || dots == 0 || dots > 2;
}

static bool is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t encoded_bytes(struct bc_str s)
{
	size_t bytes = 0;
	for (size_t i = 0; i < s.len; i++)
		bytes += is_unreserved(s.ptr[i]) ? 1 : 3;
	return bytes;
}

int bc_commerce_segment_append(char *text, size_t text_bytes, const char *segment)
{
	static const char digits[] = "0123456789ABCDEF";
	struct bc_str s = bc_str_of(segment);
	if (s.len == 0 || !bc_commerce_is_tame(s, BC_COMMERCE_DECODINGS - 1))
		return BC_EINVAL;
	size_t used = strnlen(text, text_bytes);
	if (used == text_bytes || encoded_bytes(s) >= text_bytes - used)
		return BC_ETOOBIG;
	char *to = text + used;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (is_unreserved(s.ptr[i])) {
			*to++ = s.ptr[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	*to = '\0';
	return 0;
}
