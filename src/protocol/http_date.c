/* SPDX-License-Identifier: MIT */
/*
 * HTTP dates, read by a small pattern language instead of strptime(3), which asks the locale for
 * the names of days and months. The time now is an argument, so the same bytes always give the same
 * result. Strict as RFC 9110 is: case matters, digits are counted, a 31 June is no date.
 */
#include "protocol/http_date.h"

#include <stdbool.h>
#include <string.h>

struct fields {
	int year, month, day, hour, minute, second; /* month 0 to 11 */
	bool short_year;
};

static const char *const short_days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", NULL };
static const char *const long_days[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
					 "Friday", "Saturday", "Sunday",    NULL };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
				      "Aug", "Sep", "Oct", "Nov", "Dec", NULL };

/* Letters after '%' are those of strftime(3); every other character stands for itself. */
static const char *const forms[] = {
	"%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate, the one that is still sent */
	"%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
	"%a %b %e %H:%M:%S %Y",	     /* asctime(3) */
};

static bool take_char(struct bc_str *text, char wanted)
{
	if (text->len == 0 || *text->ptr != wanted)
		return false;
	text->ptr++;
	text->len--;
	return true;
}

/* Takes exactly digits of them. */
static bool take_number(struct bc_str *text, int digits, int *ret_value)
{
	int value = 0;
	for (; digits > 0; digits--) {
		if (text->len == 0 || *text->ptr < '0' || *text->ptr > '9')
			return false;
		value = value * 10 + (*text->ptr - '0');
		text->ptr++;
		text->len--;
	}
	*ret_value = value;
	return true;
}

static bool take_name(struct bc_str *text, const char *const *names, int *ret_index)
{
	for (int i = 0; names[i]; i++) {
		if (bc_str_starts(*text, names[i])) {
			text->ptr += strlen(names[i]);
			text->len -= strlen(names[i]);
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static bool take_field(struct bc_str *text, char letter, struct fields *f)
{
	int ignored;
	switch (letter) {
	case 'a':
		return take_name(text, short_days, &ignored);
	case 'A':
		return take_name(text, long_days, &ignored);
	case 'b':
		return take_name(text, months, &f->month);
	case 'd':
		return take_number(text, 2, &f->day);
	case 'e': /* two places, the first may be a space */
		return take_number(text, take_char(text, ' ') ? 1 : 2, &f->day);
	case 'H':
		return take_number(text, 2, &f->hour);
	case 'M':
		return take_number(text, 2, &f->minute);
	case 'S':
		return take_number(text, 2, &f->second);
	case 'y':
		f->short_year = true;
		return take_number(text, 2, &f->year);
	case 'Y':
		return take_number(text, 4, &f->year);
	default:
		return false;
	}
}

static bool read_form(struct bc_str text, const char *form, struct fields *f)
{
	for (; *form; form++) {
		bool taken = *form == '%' ? take_field(&text, *++form, f) : take_char(&text, *form);
		if (!taken)
			return false;
	}
	return text.len == 0;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return days[month] + (month == 1 && is_leap(year));
}

/* The grammar lets a leap second through; it is the first second of the next minute here. */
static bool is_real(const struct fields *f)
{
	return f->day >= 1 && f->day <= days_in_month(f->year, f->month) && f->hour <= 23 &&
	       f->minute <= 59 && f->second <= 60;
}

/* The year that ends in these two digits and lies within 49 years before and 50 after now's. */
static int full_year(int two_digits, uint64_t now_wall_ms)
{
	const uint64_t year_ms = 31556952000; /* 146,097 days in 400 years */
	const uint64_t last_year = 9999;
	uint64_t elapsed_years = now_wall_ms / year_ms;
	int now = elapsed_years < last_year - 1970 ? 1970 + (int)elapsed_years : (int)last_year;
	int year = now - now % 100 + two_digits;
	if (year > now + 50)
		return year - 100;
	return year <= now - 50 ? year + 100 : year;
}

/* Days from 1 January of year 0 to 1970 are 719,528 in the Gregorian calendar counted backwards. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t before = year - 1; /* whole years before this one, after year 0 */
	int64_t days = 366 + before * 365 + before / 4 - before / 100 + before / 400;
	if (year == 0)
		days = 0;
	for (int m = 0; m < month; m++)
		days += days_in_month(year, m);
	return days + day - 1 - 719528;
}

int bc_http_date_parse(struct bc_str text, uint64_t now_wall_ms, uint64_t *ret_wall_ms)
{
	struct bc_str trimmed = bc_str_trim(text);
	struct fields f = { 0 };
	size_t i = 0;
	while (i < BC_COUNT(forms) && !read_form(trimmed, forms[i], &f)) {
		f = (struct fields){ 0 };
		i++;
	}
	if (i == BC_COUNT(forms))
		return BC_EINVAL;
	if (f.short_year)
		f.year = full_year(f.year, now_wall_ms);
	if (!is_real(&f))
		return BC_EINVAL;
	int64_t hours = days_since_1970(f.year, f.month, f.day) * 24 + f.hour;
	int64_t seconds = (hours * 60 + f.minute) * 60 + f.second;
	*ret_wall_ms = seconds > 0 ? (uint64_t)seconds * 1000 : 0;
	return 0;
}
