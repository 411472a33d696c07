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

/* A placeholder at text ("{name}" or "{name?}"); its bytes, 0 when the brace is only a brace. */
static size_t placeholder_at(const char *text, struct bc_template_name *ret)
{
	size_t len = 0;
	if (*text == '{') {
		while (text[1 + len] >= 'a' && text[1 + len] <= 'z')
			len++;
	}
	bool optional = len > 0 && text[1 + len] == '?';
	if (len == 0 || text[1 + len + optional] != '}')
		return 0;
	*ret = (struct bc_template_name){ { text + 1, len }, optional };
	return len + optional + 2;
}

bool bc_template_next(const char **text, struct bc_template_name *ret)
{
	for (; **text; (*text)++) {
		size_t bytes = placeholder_at(*text, ret);
		*text += bytes;
		if (bytes)
			return true;
	}
	return false;
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
		return bc_err_tell(
			err, code,
			"nothing can be sent with a value of that length: is it the right one?",
			"the %.*s is too long for a request", (int)name.len, name.ptr);
	default:
		return bc_err_tell(
			err, code,
			"copy it again as plain text, without quotes and line breaks around it",
			"the %.*s is not text that can be sent there", (int)name.len, name.ptr);
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
	if ((!found->value || !*found->value) && found->of_order) {
		bc_err_set(err, BC_ENOENT, "the order came without %s %s",
			   found->name[0] == 'a' || found->name[0] == 'o' ? "an" : "a",
			   found->name);
		bc_err_hint(err, "let the shop report it with the order");
		return BC_ENOENT;
	}
	if (!found->value || !*found->value)
		return bc_err_tell(err, BC_EINVAL,
				   "set it; backchannel config show says what is set",
				   "the %s is empty", found->name);
	return explain_failure(encode(out, bc_str_of(found->value)), name, err);
}

/* Appends the text up to the next placeholder. */
static int put_plain(struct bc_buf *out, const char *text, size_t len, struct bc_err *err)
{
	return explain_failure(bc_buf_add(out, text, len), BC_STR("template"), err);
}

static int expand(struct bc_buf *out, struct bc_str text, const struct bc_template_value *values,
		  bc_template_encoder *encode, bool pairs, struct bc_err *err)
{
	struct bc_template_name found;
	while (text.len > 0) {
		size_t plain = 0, bytes = 0;
		while (plain < text.len) {
			bytes = placeholder_at(text.ptr + plain, &found);
			if (bytes && bytes <= text.len - plain && (pairs || !found.optional))
				break;
			bytes = 0;
			plain++;
		}
		int r = put_plain(out, text.ptr, plain, err);
		if (r == 0 && bytes)
			r = put_value(out, found.name, values, encode, err);
		if (r < 0)
			return r;
		text.ptr += plain + bytes;
		text.len -= plain + bytes;
	}
	return 0;
}

int bc_template_expand(struct bc_buf *out, const char *text, const struct bc_template_value *values,
		       bc_template_encoder *encode, struct bc_err *err)
{
	return expand(out, bc_str_of(text), values, encode, false, err);
}

/* Does pair hold a {name?} that has no value? */
static bool is_left_out(struct bc_str pair, const struct bc_template_value *values)
{
	struct bc_template_name found;
	for (size_t i = 0; i < pair.len; i++) {
		size_t bytes = placeholder_at(pair.ptr + i, &found);
		if (!bytes || !found.optional || bytes > pair.len - i)
			continue;
		const struct bc_template_value *value = find_value(values, found.name);
		if (value && (!value->value || !*value->value))
			return true;
	}
	return false;
}

int bc_template_expand_pairs(struct bc_buf *out, const char *text,
			     const struct bc_template_value *values, struct bc_err *err)
{
	struct bc_str rest = bc_str_of(text);
	bool first = true;
	while (rest.ptr) {
		struct bc_str pair = bc_str_split(&rest, '&');
		if (is_left_out(pair, values))
			continue;
		int r = first ? 0 : put_plain(out, "&", 1, err);
		if (r == 0)
			r = expand(out, pair, values, bc_percent_encode, true, err);
		if (r < 0)
			return r;
		first = false;
	}
	return 0;
}

int bc_header_plain(struct bc_buf *out, struct bc_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
			return BC_EINVAL;
	}
	return bc_buf_add(out, text.ptr, text.len);
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
