/* SPDX-License-Identifier: MIT */
/*
 * Turns an error body into one line for a person. The body is a stranger's: it is read up to a
 * ceiling, its nesting is followed to a small depth, and the line holds whole UTF-8 characters and
 * no control byte, so it may end in a log or on a terminal. Placeholders are filled as Commerce's
 * own PHP does it (longest name first, what was put in is not looked at again), except that "%10"
 * is never "%1" and a zero.
 */
#include <backchannel/commerce.h>

#include <string.h>

#include <jansson.h>

#include "base/str.h"

enum { BODY_MAX_BYTES = 64 * 1024, DEPTH_MAX = 3, VALUE_BYTES = 256 };

/* The line as far as it is written. full: a character did not fit, so nothing more is added. */
struct line {
	char *text; /* BC_COMMERCE_MESSAGE_BYTES */
	size_t len;
	bool full;
};

static size_t character_bytes(unsigned char lead)
{
	if (lead < 0xc0)
		return 1;
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

/* One whole character of valid UTF-8; the control characters of both sets become blanks. */
static void add_character(struct line *line, struct bc_str c)
{
	unsigned char first = (unsigned char)c.ptr[0];
	bool control = first < 0x20 || first == 0x7f ||
		       (c.len == 2 && first == 0xc2 && (unsigned char)c.ptr[1] < 0xa0);
	if (control)
		c = BC_STR(" ");
	line->full = line->full || c.len > BC_COMMERCE_MESSAGE_BYTES - 1 - line->len;
	if (line->full)
		return;
	memcpy(line->text + line->len, c.ptr, c.len);
	line->len += c.len;
}

static void add_text(struct line *line, struct bc_str s)
{
	while (s.len > 0) {
		size_t bytes = character_bytes((unsigned char)s.ptr[0]);
		bytes = bytes < s.len ? bytes : s.len;
		add_character(line, (struct bc_str){ s.ptr, bytes });
		s.ptr += bytes;
		s.len -= bytes;
	}
}

static struct bc_str text_of(const json_t *value)
{
	return (struct bc_str){ json_string_value(value), json_string_length(value) };
}

static bool is_text(const json_t *value)
{
	return json_string_length(value) > 0;
}

/* A text as it is, anything else as JSON; what is longer than a person reads is left out. */
static void add_value(struct line *line, const json_t *value)
{
	char json[VALUE_BYTES];
	if (json_is_string(value)) {
		add_text(line, text_of(value));
		return;
	}
	size_t bytes = json_dumpb(value, json, sizeof(json),
				  JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	struct bc_str text = { json, bytes };
	add_text(line, bytes > 0 && bytes <= sizeof(json) ? text : BC_STR("..."));
}

/* What a placeholder that begins behind '%' stands for, or NULL, and how long its name is. */
static const json_t *find_by_number(struct bc_str s, const json_t *parameters, size_t *ret_bytes)
{
	uint64_t number = 0;
	size_t digits = 0;
	while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
		digits++;
	*ret_bytes = digits;
	if (bc_parse_u64((struct bc_str){ s.ptr, digits }, &number) < 0 || number == 0 ||
	    number > json_array_size(parameters))
		return NULL;
	return json_array_get(parameters, (size_t)number - 1);
}

static const json_t *find_by_name(struct bc_str s, json_t *parameters, size_t *ret_bytes)
{
	const char *name;
	json_t *value;
	const json_t *found = NULL;
	*ret_bytes = 0;
	json_object_foreach(parameters, name, value)
	{
		size_t bytes = strlen(name);
		if (bytes > *ret_bytes && bc_str_starts(s, name)) {
			*ret_bytes = bytes;
			found = value;
		}
	}
	return found;
}

/* Writes template with the parameters put in; a placeholder that stands for nothing stays. */
static void add_filled(struct line *line, struct bc_str template, json_t *parameters)
{
	while (template.len > 0 && !line->full) {
		const char *percent = memchr(template.ptr, '%', template.len);
		size_t plain = percent ? (size_t)(percent - template.ptr) : template.len;
		add_text(line, (struct bc_str){ template.ptr, plain });
		template.ptr += plain;
		template.len -= plain;
		if (!percent)
			return;
		struct bc_str name = { percent + 1, template.len - 1 };
		size_t bytes = 0;
		const json_t *value = json_is_array(parameters)
					      ? find_by_number(name, parameters, &bytes)
					      : find_by_name(name, parameters, &bytes);
		if (value)
			add_value(line, value);
		else
			add_text(line, (struct bc_str){ percent, 1 + bytes });
		template.ptr += 1 + bytes;
		template.len -= 1 + bytes;
	}
}

/* The shapes of one error: its text, and a short name that stands beside it. */
static const struct {
	const char *text, *name;
	bool name_first; /* "name: text", else "text (name)" */
} shapes[] = {
	{ "message", "error_code", false },
	{ "error_description", "error", true },
	{ "error", NULL, false },
};

static void part(struct line *line)
{
	if (line->len > 0)
		add_text(line, BC_STR("; "));
}

static bool is_name(const json_t *value)
{
	return is_text(value) || json_is_integer(value);
}

static void add_shape(struct line *line, json_t *object)
{
	for (size_t i = 0; i < BC_COUNT(shapes); i++) {
		const json_t *text = json_object_get(object, shapes[i].text);
		const json_t *name =
			shapes[i].name ? json_object_get(object, shapes[i].name) : NULL;
		if (!is_text(text))
			continue;
		part(line);
		if (is_name(name) && shapes[i].name_first) {
			add_value(line, name);
			add_text(line, BC_STR(": "));
		}
		add_filled(line, text_of(text), json_object_get(object, "parameters"));
		if (is_name(name) && !shapes[i].name_first) {
			add_text(line, BC_STR(" ("));
			add_value(line, name);
			add_text(line, BC_STR(")"));
		}
		return;
	}
}

static void add_error(struct line *line, json_t *error, unsigned depth);

static void add_errors(struct line *line, const json_t *errors, unsigned depth)
{
	size_t i;
	json_t *error;
	json_array_foreach(errors, i, error)
	{
		if (line->full)
			return;
		add_error(line, error, depth);
	}
}

/* An error is an object or, within a list, a bare text. */
static void add_error(struct line *line, json_t *error, unsigned depth)
{
	if (depth > 0 && is_text(error)) {
		part(line);
		add_text(line, text_of(error));
	}
	add_shape(line, error);
	if (depth == DEPTH_MAX)
		return;
	add_errors(line, json_object_get(error, "errors"), depth + 1);
	/* How Commerce's web API reports that PHP itself broke down. */
	add_errors(line, json_object_get(json_object_get(error, "messages"), "error"), depth + 1);
}

int bc_commerce_error_message(const char *body, size_t body_bytes,
			      char text[BC_COMMERCE_MESSAGE_BYTES])
{
	struct line line = { .text = text };
	text[0] = '\0';
	if (!body || body_bytes > BODY_MAX_BYTES)
		return 0;
	json_t *root = json_loadb(body, body_bytes, JSON_ALLOW_NUL, NULL);
	add_error(&line, root, 0);
	json_decref(root);
	text[line.len] = '\0';
	return line.len > 0;
}
