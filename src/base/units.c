/* SPDX-License-Identifier: MIT */
/*
 * Numbers with and without units, as settings and people write them. What a format function here
 * prints, its parse function reads back to the same value; bc_format_span alone is for reading
 * only. Parsing is strict (no sign, no fraction, no space, no overflow): a wrong setting must be
 * refused, not guessed. On failure the result is untouched.
 */
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: formatting takes the first that divides. The bare number's row comes last. */
static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static const struct unit byte_units[] = {
	{ "GiB", 1 << 30 }, { "GB", 1000000000 }, { "MiB", 1 << 20 }, { "MB", 1000000 },
	{ "KiB", 1 << 10 }, { "KB", 1000 },	  { "", 1 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int bc_parse_u64(struct bc_str s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.len == 0)
		return BC_EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
			return BC_EINVAL;
	}
	*ret_value = value;
	return 0;
}

/* Cuts s behind its leading digits and returns what follows. */
static struct bc_str split_unit(struct bc_str *s)
{
	size_t digits = 0;
	struct bc_str unit;

	while (digits < s->len && is_digit(s->ptr[digits]))
		digits++;
	unit = (struct bc_str){ .ptr = s->ptr + digits, .len = s->len - digits };
	s->len = digits;
	return unit;
}

static int parse_scaled(struct bc_str s, const struct unit *units, size_t count, bool fold_case,
			uint64_t *ret_value)
{
	struct bc_str name;
	uint64_t value;

	if (s.len == 0)
		return BC_EINVAL;
	name = split_unit(&s);
	if (bc_parse_u64(s, &value))
		return BC_EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!(fold_case ? bc_str_ieq : bc_str_eq)(name, units[i].name))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return BC_EINVAL;
		*ret_value = value;
		return 0;
	}
	return BC_EINVAL;
}

int bc_parse_duration_ms(struct bc_str s, uint64_t *ret_ms)
{
	if (bc_str_eq(s, "0")) {
		*ret_ms = 0;
		return 0;
	}
	return parse_scaled(s, duration_units, BC_COUNT(duration_units), false, ret_ms);
}

int bc_parse_bytes(struct bc_str s, uint64_t *ret_bytes)
{
	return parse_scaled(s, byte_units, BC_COUNT(byte_units), true, ret_bytes);
}

static char *format_scaled(uint64_t value, const struct unit *unit, char *text, size_t text_bytes)
{
	while (value % unit->factor)
		unit++;
	snprintf(text, text_bytes, "%" PRIu64 "%s", value / unit->factor, unit->name);
	return text;
}

char *bc_format_duration(uint64_t ms, char *text, size_t text_bytes)
{
	const struct unit *largest = duration_units;

	if (ms == 0) {
		snprintf(text, text_bytes, "0");
		return text;
	}
	/* One day is spelled 24h, as the guides and the settings table do. */
	if (ms < 2 * duration_units[0].factor)
		largest++;
	return format_scaled(ms, largest, text, text_bytes);
}

char *bc_format_bytes(uint64_t bytes, char *text, size_t text_bytes)
{
	if (bytes == 0) {
		snprintf(text, text_bytes, "0");
		return text;
	}
	return format_scaled(bytes, byte_units, text, text_bytes);
}

char *bc_format_span(uint64_t ms, char *text, size_t text_bytes)
{
	const uint64_t s = ms / 1000, min = s / 60, h = min / 60, days = h / 24;

	if (ms == 0)
		snprintf(text, text_bytes, "0 s");
	else if (s == 0)
		snprintf(text, text_bytes, "%" PRIu64 " ms", ms);
	else if (s < 120)
		snprintf(text, text_bytes, "%" PRIu64 " s", s);
	else if (h == 0)
		snprintf(text, text_bytes, "%" PRIu64 " min", min);
	else if (days >= 2)
		snprintf(text, text_bytes, "%" PRIu64 " days", days);
	else if (min % 60 == 0)
		snprintf(text, text_bytes, "%" PRIu64 " h", h);
	else
		snprintf(text, text_bytes, "%" PRIu64 " h %" PRIu64 " min", h, min % 60);
	return text;
}

char *bc_formatv(char *text, size_t text_bytes, const char *fmt, va_list ap)
{
	if (vsnprintf(text, text_bytes, fmt, ap) < 0)
		text[0] = '\0';
	return text;
}

char *bc_format(char *text, size_t text_bytes, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bc_formatv(text, text_bytes, fmt, ap);
	va_end(ap);
	return text;
}
