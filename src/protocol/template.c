/* SPDX-License-Identifier: MIT */
/*
 * Expands a partner definition's templates. JSON is written here and not by a JSON library because
 * the value is an API key: a library's intermediate copies would be freed without being wiped. What
 * the finished text must look like (path segments, say) is the caller's to check.
 */
#include "protocol/template.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* A placeholder at text ("{name}"), as its name; absent when the brace is only a brace. */
static struct bc_str placeholder_at(const char *text)
{
	size_t len = 0;
	if (*text == '{') {
		while (text[1 + len] >= 'a' && text[1 + len] <= 'z')
			len++;
	}
	if (len == 0 || text[1 + len] != '}')
		return (struct bc_str){ NULL, 0 };
	return (struct bc_str){ text + 1, len };
}

static const struct bc_template_value *find_value(const struct bc_template_value *values,
						  struct bc_str name)
{
	for (; values->name; values++) {
		if (bc_str_eq(name, values->name))
			return values;
	}
	return NULL;
}

static int explain_failure(int code, struct bc_str name, struct bc_err *err)
{
	switch (code) {
	case 0:
		return 0;
	case BC_ENOMEM:
		return bc_err_nomem(err);
	case BC_ETOOBIG:
		return bc_err_set(err, code, "the %.*s is too long for a request", (int)name.len,
				  name.ptr);
	default:
		return bc_err_set(err, code, "the %.*s is not UTF-8 text", (int)name.len, name.ptr);
	}
}

static int put_value(struct bc_buf *out, struct bc_str name, const struct bc_template_value *values,
		     bc_template_encoder *encode, struct bc_err *err)
{
	const struct bc_template_value *found = find_value(values, name);
	if (!found) {
		bc_err_set(err, BC_EINVAL, "a template names \"{%.*s}\", which means nothing there",
			   (int)name.len, name.ptr);
		bc_err_hint(err, "a path may name {product} and {token}, a body {key} as well");
		return BC_EINVAL;
	}
	if (!found->value || !*found->value)
		return bc_err_set(err, BC_EINVAL, "the %s is empty", found->name);
	return explain_failure(encode(out, bc_str_of(found->value)), name, err);
}

/* Appends the text up to the next placeholder; returns how much of text that is, or an error. */
static int put_plain(struct bc_buf *out, const char *text, size_t *ret_len, struct bc_err *err)
{
	size_t len = 0;
	while (text[len] && !placeholder_at(text + len).ptr)
		len++;
	*ret_len = len;
	return explain_failure(bc_buf_add(out, text, len), BC_STR("template"), err);
}

int bc_template_expand(struct bc_buf *out, const char *text, const struct bc_template_value *values,
		       bc_template_encoder *encode, struct bc_err *err)
{
	while (*text) {
		size_t len;
		int r = put_plain(out, text, &len, err);
		if (r < 0)
			return r;
		text += len;
		struct bc_str name = placeholder_at(text);
		if (!name.ptr)
			break;
		r = put_value(out, name, values, encode, err);
		if (r < 0)
			return r;
		text += name.len + 2;
	}
	return 0;
}

/* RFC 3629: a sequence by its first byte, and where the second one may lie (no overlong forms, no
 * surrogates, nothing beyond U+10FFFF); the third and fourth are 80..BF. */
static const struct {
	uint8_t first_from, first_to, second_from, second_to, bytes;
} utf8_sequences[] = {
	{ 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Bytes of the character that s, not empty, begins with; 0 when it is not UTF-8. */
static size_t utf8_bytes(struct bc_str s)
{
	const uint8_t *b = (const uint8_t *)s.ptr;
	size_t i = 0;
	while (i < BC_COUNT(utf8_sequences) && b[0] > utf8_sequences[i].first_to)
		i++;
	if (i == BC_COUNT(utf8_sequences) || b[0] < utf8_sequences[i].first_from)
		return 0;
	size_t bytes = utf8_sequences[i].bytes;
	if (bytes > s.len)
		return 0;
	if (bytes > 1 &&
	    (b[1] < utf8_sequences[i].second_from || b[1] > utf8_sequences[i].second_to))
		return 0;
	for (size_t j = 2; j < bytes; j++) {
		if ((b[j] & 0xc0) != 0x80)
			return 0;
	}
	return bytes;
}

int bc_json_escape(struct bc_buf *out, struct bc_str text)
{
	while (text.len > 0) {
		size_t bytes = utf8_bytes(text);
		uint8_t c = (uint8_t)*text.ptr;
		int r = BC_EINVAL;
		if (bytes > 0 && c < 0x20)
			r = bc_buf_addf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			r = bc_buf_addf(out, "\\%c", c);
		else if (bytes > 0)
			r = bc_buf_add(out, text.ptr, bytes);
		if (r < 0)
			return r;
		text.ptr += bytes;
		text.len -= bytes;
	}
	return 0;
}
