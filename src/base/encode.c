/* SPDX-License-Identifier: MIT */
/*
 * Hex, base64 and percent encoding. Percent encoding is strict (everything but RFC 3986's
 * unreserved characters is escaped), decoding is what a browser's URL parser does: a broken escape
 * stands for itself. Neither knows what the bytes mean; a decoded value may hold NULs.
 */
#include "base/str.h"

#include <limits.h>

#include <openssl/evp.h>

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";

void bc_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
	for (size_t i = 0; i < len; i++) {
		*ret_text++ = lower_digits[bytes[i] >> 4];
		*ret_text++ = lower_digits[bytes[i] & 15];
	}
	*ret_text = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int pair_value(const char *two)
{
	int high = digit_value(two[0]);
	int low = digit_value(two[1]);

	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int bc_unhex(struct bc_str text, uint8_t *ret_bytes, size_t len)
{
	if (text.len % 2 || text.len / 2 != len)
		return BC_EINVAL;
	/* Checked before anything is written: on failure ret_bytes is untouched. */
	for (size_t i = 0; i < text.len; i++)
		if (digit_value(text.ptr[i]) < 0)
			return BC_EINVAL;
	for (size_t i = 0; i < len; i++)
		ret_bytes[i] = (uint8_t)pair_value(text.ptr + 2 * i);
	return 0;
}

int bc_base64_encode(struct bc_buf *out, struct bc_str bytes)
{
	if (out->len > out->max || bytes.len > INT_MAX / 2)
		return BC_ETOOBIG;
	size_t encoded = (bytes.len + 2) / 3 * 4;
	if (encoded + 1 > out->max - out->len)
		return BC_ETOOBIG;
	char *to = bc_buf_room(out, encoded + 1);
	if (!to)
		return BC_ENOMEM;
	EVP_EncodeBlock((unsigned char *)to, (const unsigned char *)bytes.ptr, (int)bytes.len);
	out->len += encoded;
	return 0;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int bc_percent_encode(struct bc_buf *out, struct bc_str s)
{
	size_t escaped = 0;
	char *to;

	for (size_t i = 0; i < s.len; i++)
		escaped += !is_unreserved(s.ptr[i]);
	if (escaped > (SIZE_MAX - s.len) / 2)
		return BC_ETOOBIG;
	if (out->len > out->max || s.len + 2 * escaped > out->max - out->len)
		return BC_ETOOBIG;
	to = bc_buf_room(out, s.len + 2 * escaped);
	if (!to)
		return BC_ENOMEM;
	for (size_t i = 0; i < s.len; i++) {
		if (is_unreserved(s.ptr[i])) {
			*to++ = s.ptr[i];
			continue;
		}
		*to++ = '%';
		*to++ = upper_digits[(unsigned char)s.ptr[i] >> 4];
		*to++ = upper_digits[(unsigned char)s.ptr[i] & 15];
	}
	out->len += s.len + 2 * escaped;
	return 0;
}

/* One decoded byte; *ret_used is how much of s it took. */
static char decode_one(struct bc_str s, bool plus_is_space, size_t *ret_used)
{
	int value = -1;

	if (s.ptr[0] == '%' && s.len >= 3)
		value = pair_value(s.ptr + 1);
	*ret_used = value >= 0 ? 3 : 1;
	if (value >= 0)
		return (char)value;
	return s.ptr[0] == '+' && plus_is_space ? ' ' : s.ptr[0];
}

static size_t decoded_len(struct bc_str s)
{
	size_t len = 0;

	for (size_t used; s.len; s.ptr += used, s.len -= used, len++)
		decode_one(s, false, &used);
	return len;
}

int bc_percent_decode(struct bc_buf *out, struct bc_str s, bool plus_is_space)
{
	size_t len = decoded_len(s);
	char *to;

	if (out->len > out->max || len > out->max - out->len)
		return BC_ETOOBIG;
	to = bc_buf_room(out, len);
	if (!to)
		return BC_ENOMEM;
	for (size_t used; s.len; s.ptr += used, s.len -= used)
		*to++ = decode_one(s, plus_is_space, &used);
	out->len += len;
	return 0;
}
