/* SPDX-License-Identifier: MIT */
/* See json_text.h. */
#include "cli/json_text.h"

#include <jansson.h>
#include <string.h>

bool bc_json_is_valid(struct bc_str text)
{
	json_t *value = json_loadb(text.ptr ? text.ptr : "", text.len,
				   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	json_decref(value);
	return value != NULL;
}

/* --- taking apart ---------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

/* at: an opening quote. Behind the closing one. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\';
	return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
	unsigned depth = 0;
	if (at < end && *at == '"')
		return skip_string(at, end);
	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		if (depth == 0 && (is_blank(*at) || strchr(",]}", *at)))
			return at;
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
		if (depth == 0 && strchr("}]", at[-1]))
			return at;
	}
	return end;
}

static struct bc_str between(const char *from, const char *to)
{
	return (struct bc_str){ from, (size_t)(to - from) };
}

bool bc_json_member(struct bc_str object, const char *name, struct bc_str *ret_value)
{
	const char *end = object.ptr + object.len, *at = skip_blanks(object.ptr, end);
	if (at == end || *at != '{')
		return false;
	for (at = skip_blanks(at + 1, end); at < end && *at == '"'; at = skip_blanks(at, end)) {
		const char *behind = skip_string(at, end);
		struct bc_str found = between(at + 1, behind - 1);
		at = skip_blanks(behind, end);
		at = skip_blanks(at + 1, end); /* ':' */
		behind = skip_value(at, end);
		if (bc_str_eq(found, name)) {
			*ret_value = between(at, behind);
			return true;
		}
		at = skip_blanks(behind, end);
		at += at < end && *at == ',';
	}
	return false;
}

bool bc_json_next(struct bc_str *rest, struct bc_str *ret_element)
{
	const char *end = rest->ptr + rest->len, *at = skip_blanks(rest->ptr, end);
	if (at == end || (*at != '[' && *at != ','))
		return false;
	at = skip_blanks(at + 1, end);
	if (at == end || *at == ']')
		return false;
	const char *behind = skip_value(at, end);
	*ret_element = between(at, behind);
	*rest = between(behind, end);
	return true;
}

/* --- laying out ------------------------------------------------------------------------------ */

static void new_line(unsigned depth, FILE *to)
{
	fprintf(to, "\n%*s", (int)(2 * depth), "");
}

/* DEL and U+0080 to U+009F steer terminals and need no escape in JSON. */
static void write_tame(struct bc_str text, FILE *to)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
		if (c == 0x7f)
			fputs("\\u007f", to);
		else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
			fprintf(to, "\\u%04x", (unsigned)text.ptr[++i] & 0xffu);
		else
			putc(c, to);
	}
}

/* at: a bracket. An empty pair stays together. */
static const char *write_opening(const char *at, const char *end, unsigned *depth, FILE *to)
{
	const char *next = skip_blanks(at + 1, end);
	putc(*at, to);
	if (next < end && (*next == '}' || *next == ']')) {
		putc(*next, to);
		return next + 1;
	}
	new_line(++*depth, to);
	return at + 1;
}

static const char *write_mark(const char *at, const char *end, unsigned *depth, FILE *to)
{
	switch (*at) {
	case '{':
	case '[':
		return write_opening(at, end, depth, to);
	case '}':
	case ']':
		new_line(--*depth, to);
		putc(*at, to);
		break;
	case ',':
		putc(',', to);
		new_line(*depth, to);
		break;
	case ':':
		fputs(": ", to);
		break;
	default:
		putc(*at, to);
	}
	return at + 1;
}

void bc_json_write(struct bc_str value, enum bc_json_layout layout, unsigned depth, FILE *to)
{
	const char *at = value.ptr, *end = value.ptr + value.len;
	bool pretty = layout == BC_JSON_PRETTY;
	while ((at = skip_blanks(at, end)) < end) {
		const char *behind = *at == '"' ? skip_string(at, end) : at + 1;
		if (*at == '"' && pretty)
			write_tame(between(at, behind), to);
		else if (pretty)
			behind = write_mark(at, end, &depth, to);
		else
			fwrite(at, 1, (size_t)(behind - at), to);
		at = behind;
	}
}
