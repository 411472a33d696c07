/* SPDX-License-Identifier: MIT */
/*
 * Dates as text. They are read and written by hand: strptime, mktime and strftime ask the locale
 * and TZ, and a daemon must not read the same time otherwise in Berlin than in London.
 * Times are milliseconds since 1970 UTC; years 1970 to 9999 are known, other dates are refused.
 * The clocks themselves are in clock.c.
 */
#include "base/date.h"

#include <stdbool.h>
#include <string.h>

enum { MS_PER_SECOND = 1000, SECONDS_PER_DAY = 86400, MAX_YEAR = 9999 };

struct civil {
	uint64_t year;
	uint64_t month; /* 1 to 12 */
	uint64_t day;
	uint64_t hour;
	uint64_t minute;
	uint64_t second; /* 60 is a leap second and counts as the next one */
};

static bool is_leap(uint64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint64_t month_days(uint64_t year, uint64_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to the first of January of a year (proleptic Gregorian). */
static uint64_t days_before_year(uint64_t year)
{
	if (year == 0)
		return 0;
	return year * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
}

/* Seconds since 0000-01-01, so that an offset can be taken off before 1970 is. */
static int civil_seconds(const struct civil *c, int64_t *ret_seconds)
{
	uint64_t days = days_before_year(c->year);

	if (c->year > MAX_YEAR || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > month_days(c->year, c->month) || c->hour > 23 || c->minute > 59 ||
	    c->second > 60)
		return BC_EINVAL;
	for (uint64_t m = 1; m < c->month; m++)
		days += month_days(c->year, m);
	days += c->day - 1;
	*ret_seconds =
		(int64_t)(days * SECONDS_PER_DAY + c->hour * 3600 + c->minute * 60 + c->second);
	return 0;
}

static int64_t year_start(uint64_t year)
{
	return (int64_t)(days_before_year(year) * SECONDS_PER_DAY);
}

static int to_wall_ms(int64_t seconds, uint64_t *ret_wall_ms)
{
	if (seconds < year_start(1970) || seconds >= year_start(MAX_YEAR + 1))
		return BC_EINVAL;
	*ret_wall_ms = (uint64_t)(seconds - year_start(1970)) * MS_PER_SECOND;
	return 0;
}

static struct civil from_wall_ms(uint64_t wall_ms)
{
	uint64_t seconds = wall_ms / MS_PER_SECOND;
	uint64_t days = days_before_year(1970) + seconds / SECONDS_PER_DAY;
	struct civil c = { .year = days / 366, .month = 1 };

	while (days >= days_before_year(c.year + 1))
		c.year++;
	days -= days_before_year(c.year);
	for (; days >= month_days(c.year, c.month); c.month++)
		days -= month_days(c.year, c.month);
	c.day = days + 1;
	c.hour = seconds / 3600 % 24;
	c.minute = seconds / 60 % 60;
	c.second = seconds % 60;
	return c;
}

static char *put_digits(char *to, uint64_t value, unsigned count)
{
	for (unsigned i = count; i-- > 0; value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + count;
}

char *bc_time_format(uint64_t wall_ms, char *text)
{
	const uint64_t seconds_known = (uint64_t)(year_start(MAX_YEAR + 1) - year_start(1970));
	const uint64_t last = seconds_known * MS_PER_SECOND - 1;
	struct civil c;
	char *to;

	if (wall_ms > last)
		wall_ms = last;
	c = from_wall_ms(wall_ms);
	to = put_digits(text, c.year, 4);
	*to++ = '-';
	to = put_digits(to, c.month, 2);
	*to++ = '-';
	to = put_digits(to, c.day, 2);
	*to++ = 'T';
	to = put_digits(to, c.hour, 2);
	*to++ = ':';
	to = put_digits(to, c.minute, 2);
	*to++ = ':';
	to = put_digits(to, c.second, 2);
	*to++ = '.';
	to = put_digits(to, wall_ms % MS_PER_SECOND, 3);
	*to++ = 'Z';
	*to = '\0';
	return text;
}

/*
 * A scanner that fails once and stays failed, so that a format reads as one straight list of its
 * parts and is judged at its end.
 */
struct scan {
	const char *at;
	const char *end;
	bool failed;
};

static struct scan scan_of(struct bc_str text)
{
	return (struct scan){ .at = text.ptr, .end = text.ptr ? text.ptr + text.len : NULL };
}

static bool scan_done(const struct scan *s)
{
	return !s->failed && s->at == s->end;
}

static bool next_is_digit(const struct scan *s)
{
	return s->at != s->end && *s->at >= '0' && *s->at <= '9';
}

static uint64_t take_digits(struct scan *s, unsigned count)
{
	uint64_t value = 0;

	for (; count && !s->failed; count--) {
		if (!next_is_digit(s))
			s->failed = true;
		else
			value = value * 10 + (uint64_t)(*s->at++ - '0');
	}
	return value;
}

static bool try_text(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if (s->failed || (size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

static void take_text(struct scan *s, const char *text)
{
	if (!try_text(s, text))
		s->failed = true;
}

/* One character out of a set. */
static char take_any(struct scan *s, const char *set)
{
	if (s->failed || s->at == s->end || *s->at == '\0' || !strchr(set, *s->at)) {
		s->failed = true;
		return '\0';
	}
	return *s->at++;
}

static void take_time_of_day(struct scan *s, struct civil *c)
{
	c->hour = take_digits(s, 2);
	take_text(s, ":");
	c->minute = take_digits(s, 2);
	take_text(s, ":");
	c->second = take_digits(s, 2);
}

/* ".5", ".500", ".500123": milliseconds, the rest is dropped. */
static uint64_t take_fraction_ms(struct scan *s)
{
	uint64_t ms = 0;
	unsigned digits = 0;

	if (!try_text(s, "."))
		return 0;
	for (; next_is_digit(s) && !s->failed; digits++, s->at++)
		if (digits < 3)
			ms = ms * 10 + (uint64_t)(*s->at - '0');
	if (digits == 0)
		s->failed = true;
	for (; digits < 3; digits++)
		ms *= 10;
	return ms;
}

/* Seconds east of UTC. */
static int64_t take_offset(struct scan *s)
{
	char sign = take_any(s, "Zz+-");
	uint64_t hours, minutes;

	if (sign == 'Z' || sign == 'z')
		return 0;
	hours = take_digits(s, 2);
	take_text(s, ":");
	minutes = take_digits(s, 2);
	if (hours > 23 || minutes > 59)
		s->failed = true;
	return (int64_t)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
}

int bc_time_parse(struct bc_str text, uint64_t *ret_wall_ms)
{
	struct scan s = scan_of(text);
	struct civil c = { 0 };
	uint64_t fraction_ms, wall_ms;
	int64_t seconds, offset;

	c.year = take_digits(&s, 4);
	take_text(&s, "-");
	c.month = take_digits(&s, 2);
	take_text(&s, "-");
	c.day = take_digits(&s, 2);
	take_any(&s, "Tt ");
	take_time_of_day(&s, &c);
	fraction_ms = take_fraction_ms(&s);
	offset = take_offset(&s);
	if (!scan_done(&s) || civil_seconds(&c, &seconds) || to_wall_ms(seconds - offset, &wall_ms))
		return BC_EINVAL;
	*ret_wall_ms = wall_ms + fraction_ms;
	return 0;
}
