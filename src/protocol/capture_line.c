/* SPDX-License-Identifier: MIT */
/*
 * See capture_line.h. Anybody who may write to the socket, and any visitor through the web server,
 * writes these lines. So the fields stand in one table with their types, the object is read
 * strictly, and nothing of a refused line is repeated in its error.
 */
#include "protocol/capture_line.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"

static int refuse(struct bc_err *err, const char *why)
{
	return bc_err_tell(err, BC_EINVAL,
			   "compare the web server's configuration with backchannel recipe", "%s",
			   why);
}

/* --- what stands before the object ----------------------------------------------------------- */

/* A priority, a time, a host, a tag, in whatever order and dialect (RFC 3164, RFC 5424, nginx,
 * HAProxy, rsyslog): text, and no brace. */
static int drop_prefix(struct bc_str *line, struct bc_err *err)
{
	const char *brace = line->len ? memchr(line->ptr, '{', line->len) : NULL;
	size_t prefix = brace ? (size_t)(brace - line->ptr) : 0;
	if (!brace)
		return refuse(err, "there is no JSON object in it");
	if (prefix > BC_CAPTURE_PREFIX_MAX)
		return refuse(err, "what stands before the JSON object is too long");
	for (size_t i = 0; i < prefix; i++)
		if ((unsigned char)line->ptr[i] < 0x20 || line->ptr[i] == 0x7f)
			return refuse(err, "there are control bytes before the JSON object");
	line->ptr += prefix;
	line->len -= prefix;
	return 0;
}

/* Senders end a line with a newline, a NUL, or nothing. */
static void drop_end(struct bc_str *line)
{
	while (line->len && (line->ptr[line->len - 1] == '\0' || line->ptr[line->len - 1] == '\n' ||
			     line->ptr[line->len - 1] == '\r' || line->ptr[line->len - 1] == ' '))
		line->len--;
}

/* --- UTF-8 ----------------------------------------------------------------------------------- */

/* How many bytes of s are one character, 0 = it does not begin with one. What is overlong, a
 * surrogate or beyond U+10FFFF is none. */
static size_t character(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char first, last, low, high; /* of the first byte, of the second */
		size_t bytes;
	} forms[] = { { 0x00, 0x7f, 0, 0, 1 },	     { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		      { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		      { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		      { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		      { 0xf4, 0xf4, 0x80, 0x8f, 4 } };
	for (size_t i = 0; i < BC_COUNT(forms); i++) {
		size_t n = forms[i].bytes;
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (n > len || (n > 1 && (s[1] < forms[i].low || s[1] > forms[i].high)))
			return 0;
		for (size_t k = 2; k < n; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return n;
	}
	return 0;
}

/* A copy with '?' for each byte that belongs to no character. NULL: no memory. */
static char *repair(struct bc_str text, struct bc_arena *arena)
{
	char *copy = bc_arena_dup(arena, text.ptr, text.len);
	for (size_t i = 0; copy && i < text.len;) {
		size_t n = character((const unsigned char *)copy + i, text.len - i);
		if (!n)
			copy[i] = '?';
		i += n ? n : 1;
	}
	return copy;
}

/* --- fields ---------------------------------------------------------------------------------- */

typedef int field_reader(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
			 struct bc_err *err);

static int read_version(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
			struct bc_err *err)
{
	(void)line;
	(void)arena;
	if (json_is_integer(value) && json_integer_value(value) == 1)
		return 0;
	return refuse(err, "its version \"v\" is not 1");
}

static int read_time(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
		     struct bc_err *err)
{
	(void)line;
	(void)arena;
	return json_is_number(value) || json_is_string(value)
		       ? 0
		       : refuse(err, "its time \"t\" is neither a number nor a string");
}

/* 0, and *ret absent where the server had nothing to write. */
static int read_text(const json_t *value, struct bc_arena *arena, struct bc_str *ret,
		     struct bc_err *err)
{
	if (!json_is_string(value))
		return refuse(err, "one of its fields is no string");
	struct bc_str text = { json_string_value(value), json_string_length(value) };
	if (!text.len || bc_str_eq(text, "-"))
		return 0;
	*ret = (struct bc_str){ bc_arena_dup(arena, text.ptr, text.len), text.len };
	return ret->ptr ? 0 : bc_err_nomem(err);
}

static int read_token(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
		      struct bc_err *err)
{
	return read_text(value, arena, &line->token, err);
}

static int read_uri(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
		    struct bc_err *err)
{
	return read_text(value, arena, &line->uri, err);
}

static int read_session(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
			struct bc_err *err)
{
	return read_text(value, arena, &line->session, err);
}

static int read_new_session(const json_t *value, struct bc_capture_line *line,
			    struct bc_arena *arena, struct bc_err *err)
{
	return read_text(value, arena, &line->new_session, err);
}

static int read_host(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
		     struct bc_err *err)
{
	struct bc_str ignored = { NULL, 0 };
	(void)line;
	return read_text(value, arena, &ignored, err);
}

/* Where a UUID has its dashes. */
static bool is_dash(size_t at)
{
	return at == 8 || at == 13 || at == 18 || at == 23;
}

static int read_click(const json_t *value, struct bc_capture_line *line, struct bc_arena *arena,
		      struct bc_err *err)
{
	enum { HEX = 32, UUID = 36 };
	struct bc_str id = { NULL, 0 };
	uint8_t bytes[HEX / 2];
	char hex[HEX];
	size_t n = 0;
	int result = read_text(value, arena, &id, err);
	if (result || !id.ptr)
		return result;
	if (bc_str_starts(id, "c."))
		id = (struct bc_str){ id.ptr + 2, id.len - 2 };
	bool good = id.len == HEX || id.len == UUID;
	for (size_t i = 0; good && i < id.len; i++) {
		if (id.len == HEX || !is_dash(i))
			hex[n++] = id.ptr[i];
		else
			good = id.ptr[i] == '-';
	}
	if (!good || bc_unhex((struct bc_str){ hex, n }, bytes, sizeof(bytes)))
		return refuse(err, "its \"click\" is neither 32 hex digits nor a UUID");
	memcpy(line->click, "c.", 2);
	bc_hex(bytes, sizeof(bytes), line->click + 2);
	return 0;
}

static const struct {
	const char *name;
	field_reader *read;
} fields[] = {
	{ "v", read_version },	  { "t", read_time },
	{ "click", read_click },  { "tok", read_token },
	{ "host", read_host },	  { "uri", read_uri },
	{ "sess", read_session }, { "newsess", read_new_session },
};

static int read_fields(const json_t *object, struct bc_capture_line *line, struct bc_arena *arena,
		       struct bc_err *err)
{
	for (size_t i = 0; i < BC_COUNT(fields); i++) {
		const json_t *value = json_object_get(object, fields[i].name);
		if (!value || json_is_null(value))
			continue;
		int result = fields[i].read(value, line, arena, err);
		if (result)
			return result;
	}
	return 0;
}

int bc_capture_line_read(struct bc_str datagram, struct bc_arena *arena,
			 struct bc_capture_line *ret_line, struct bc_err *err)
{
	struct bc_capture_line line = { 0 };
	struct bc_str text = datagram;
	if (text.len > BC_CAPTURE_LINE_MAX)
		return bc_err_tell(err, BC_ETOOBIG,
				   "log less: a landing URL of that length is none of a shop",
				   "it is longer than %d bytes", BC_CAPTURE_LINE_MAX);
	drop_end(&text);
	int result = drop_prefix(&text, err);
	if (result)
		return result;
	char *copy = repair(text, arena);
	if (!copy)
		return bc_err_nomem(err);
	json_t *object = json_loadb(copy, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(object))
		result = read_fields(object, &line, arena, err);
	else
		result = refuse(err, "it is not one JSON object");
	json_decref(object);
	if (!result)
		*ret_line = line;
	return result;
}
