/* SPDX-License-Identifier: MIT */
/*
 * Spells one log line. Values come from outside and may be anything, so both forms escape what
 * could end a line, end a value, or steer a terminal (C0 and C1 control bytes, line separators,
 * writing-direction marks); other UTF-8 is kept, broken UTF-8 is shown as \xNN (text) or U+FFFD
 * (JSON). Events and keys are words of this program and are copied as they are.
 *
 * Invariant: the last TAIL_BYTES of the buffer are touched by finish() alone, so that a line is
 * whole, and valid JSON, however much was put into it.
 */
#include "base/log_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char cut_mark[] = "...[cut]";

enum {
	TAIL_BYTES = 32,      /* what finish() writes */
	NUMBER_BYTES = 24,    /* any 64-bit number, sign and NUL */
	MIN_FIELD_BYTES = 40, /* space, quotes, "_ms", colon and a number or a cut mark */
	UNIT_BYTES = 20,      /* one character, escaped at its longest */
};

static const char *const text_levels[] = { "ERROR", "WARNING", "INFO", "DEBUG" };
static const char *const json_levels[] = { "error", "warning", "info", "debug" };

static void put(struct bc_log_line *line, const char *bytes, size_t len)
{
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void put_text(struct bc_log_line *line, const char *s)
{
	put(line, s, strlen(s));
}

static size_t room(const struct bc_log_line *line)
{
	return sizeof(line->bytes) - TAIL_BYTES - line->len;
}

/* One character of text: 1 to 4 bytes that are valid UTF-8, or one byte that is not. */
struct unit {
	const unsigned char *at;
	size_t len;
	uint32_t code;
	bool valid;
};

static size_t sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static bool decode_tail(struct unit *u, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = u->at[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((u->at[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (u->at[i] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return false;
	u->code = code;
	u->len = len;
	return true;
}

static struct unit unit_at(struct bc_str s)
{
	struct unit u = { .at = (const unsigned char *)s.ptr, .len = 1, .valid = true };
	size_t len = sequence_len(u.at[0]);

	if (len == 1)
		u.code = u.at[0];
	else
		u.valid = len != 0 && len <= s.len && decode_tail(&u, len);
	return u;
}

static bool is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} unsafe[] = {
		{ 0, 0x1f },	    /* C0 controls */
		{ 0x7f, 0x9f },	    /* DEL and C1: a terminal obeys them */
		{ 0x200e, 0x200f }, /* direction marks */
		{ 0x2028, 0x202e }, /* line and paragraph separators, direction overrides */
		{ 0x2066, 0x2069 }, /* direction isolates */
	};

	for (size_t i = 0; i < BC_COUNT(unsafe); i++)
		if (code >= unsafe[i].from && code <= unsafe[i].to)
			return true;
	return false;
}

/* The escapes that text and JSON share, or NULL. */
static const char *short_escape(uint32_t code)
{
	switch (code) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static size_t spell_unit(const struct unit *u, bool json, char *to)
{
	const char *escape = u->valid ? short_escape(u->code) : NULL;
	size_t len = 0;

	if (escape)
		return (size_t)snprintf(to, UNIT_BYTES, "%s", escape);
	if (u->valid && !is_unsafe(u->code)) {
		memcpy(to, u->at, u->len);
		return u->len;
	}
	if (json)
		return (size_t)snprintf(to, UNIT_BYTES, "\\u%04x", u->valid ? u->code : 0xfffd);
	for (size_t i = 0; i < u->len; i++)
		len += (size_t)snprintf(to + len, UNIT_BYTES - len, "\\x%02x", u->at[i]);
	return len;
}

/* Quoted; cut with a mark where it would outgrow its share or the line. */
static void put_quoted(struct bc_log_line *line, bool json, struct bc_str s)
{
	size_t left = room(line) < BC_LOG_VALUE_BYTES ? room(line) : BC_LOG_VALUE_BYTES;
	char text[UNIT_BYTES];

	left -= 2 + strlen(cut_mark);
	put_text(line, "\"");
	while (s.len) {
		struct unit u = unit_at(s);
		size_t len = spell_unit(&u, json, text);

		line->altered = line->altered || len != u.len || len > left;
		if (len > left) {
			put_text(line, cut_mark);
			break;
		}
		put(line, text, len);
		left -= len;
		s.ptr += u.len;
		s.len -= u.len;
	}
	put_text(line, "\"");
}

/* May stand without quotes in text form: then a line splits at its spaces and equals signs. */
static bool is_bare(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || strchr("\"=\\", s.ptr[i]))
			return false;
	return s.len > 0;
}

static void put_string(struct bc_log_line *line, bool json, struct bc_str s)
{
	if (!json && s.len <= BC_LOG_VALUE_BYTES && s.len <= room(line) && is_bare(s))
		put(line, s.ptr, s.len);
	else
		put_quoted(line, json, s);
}

static void put_value(struct bc_log_line *line, bool json, const struct bc_log_field *f)
{
	char text[NUMBER_BYTES] = "";

	switch (f->type) {
	case BC_FIELD_STR:
		put_string(line, json, f->str);
		return;
	case BC_FIELD_HASH:
		bc_hex((const uint8_t *)f->str.ptr, 4, text);
		put_string(line, json, bc_str_of(text));
		return;
	case BC_FIELD_U64:
	case BC_FIELD_MS:
		snprintf(text, sizeof(text), "%" PRIu64, f->u64);
		break;
	case BC_FIELD_I64:
		snprintf(text, sizeof(text), "%" PRId64, f->i64);
		break;
	}
	put_text(line, text);
}

static void put_key(struct bc_log_line *line, bool json, const struct bc_log_field *f)
{
	put_text(line, json ? ",\"" : " ");
	put_text(line, f->key);
	if (f->type == BC_FIELD_MS)
		put_text(line, "_ms");
	put_text(line, json ? "\":" : "=");
}

static bool is_absent(const struct bc_log_field *f)
{
	return (f->type == BC_FIELD_STR || f->type == BC_FIELD_HASH) && !f->str.ptr;
}

static void start(struct bc_log_line *line, bool json, uint64_t wall_ms, enum bc_log_level level,
		  const char *event)
{
	char time[BC_TIME_TEXT_BYTES];

	line->len = 0;
	line->altered = false;
	bc_time_format(wall_ms, time);
	put_text(line, json ? "{\"ts\":\"" : "");
	put_text(line, time);
	put_text(line, json ? "\",\"level\":\"" : " ");
	put_text(line, json ? json_levels[level] : text_levels[level]);
	put_text(line, json ? "\",\"event\":\"" : " ");
	/* An event is a word; the ceiling only keeps a mistake from overrunning the line. */
	put(line, event, strnlen(event, 256));
	put_text(line, json ? "\"" : "");
}

static void finish(struct bc_log_line *line, bool json, bool cut)
{
	if (cut)
		put_text(line, json ? ",\"cut\":true" : " cut=true");
	put_text(line, json ? "}\n" : "\n");
}

void bc_log_line_render(struct bc_log_line *line, bool json, uint64_t wall_ms,
			enum bc_log_level level, const char *event,
			const struct bc_log_field *fields, size_t n)
{
	bool cut = false;

	start(line, json, wall_ms, level, event);
	for (size_t i = 0; i < n && !cut; i++) {
		if (is_absent(&fields[i]))
			continue;
		cut = strlen(fields[i].key) + MIN_FIELD_BYTES > room(line);
		line->altered = line->altered || cut;
		if (cut)
			break;
		put_key(line, json, &fields[i]);
		put_value(line, json, &fields[i]);
	}
	finish(line, json, cut);
}
