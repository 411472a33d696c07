/* SPDX-License-Identifier: MIT */
/*
 * The kinds of value a setting can have: how each is read, shown, compared and freed. A field's C
 * type belongs to its kind: text char *, list char ** ended by NULL, secret struct bc_secret *, all
 * others uint64_t. What format writes, parse reads back to the same value; a secret alone is never
 * written, it is "set".
 */
#include "daemon/settings_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1024, LIST_ITEMS_MAX = 64 };

static bool has_control(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

/* Length of the UTF-8 sequence that s begins with; 0: none (overlong ones and surrogates too). */
static size_t utf8_length(struct bc_str s)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *b = (const unsigned char *)s.ptr;
	size_t i = 0, k = 2;

	if (b[0] < 0x80)
		return 1;
	while (i < BC_COUNT(forms) && (b[0] < forms[i].first_min || b[0] > forms[i].first_max))
		i++;
	if (i == BC_COUNT(forms) || s.len < forms[i].len || b[1] < forms[i].second_min ||
	    b[1] > forms[i].second_max)
		return 0;
	while (k < forms[i].len && (b[k] & 0xc0) == 0x80)
		k++;
	return k == forms[i].len ? k : 0;
}

bool bc_setting_is_utf8(struct bc_str s)
{
	while (s.len) {
		size_t len = utf8_length(s);

		if (len == 0)
			return false;
		s.ptr += len;
		s.len -= len;
	}
	return true;
}

static int check_text(const struct bc_setting_row *row, struct bc_str text, struct bc_err *err)
{
	uint64_t max = row->max ? row->max : TEXT_MAX;

	if (text.len < row->min || text.len > max) {
		bc_err_set(err, BC_EINVAL, "is %zu bytes long, which is too %s", text.len,
			   text.len > max ? "long" : "short");
		bc_err_hint(err, "%" PRIu64 " to %" PRIu64 " bytes are allowed",
			    row->min ? row->min : 1, max);
		return BC_EINVAL;
	}
	if (!(row->flags & BC_SETTING_LINES) && has_control(text)) {
		bc_err_set(err, BC_EINVAL, "has a line break or another control character in it");
		bc_err_hint(err, "write it on one line");
		return BC_EINVAL;
	}
	if (!bc_setting_is_utf8(text)) {
		bc_err_set(err, BC_EINVAL, "is not UTF-8");
		bc_err_hint(err, "save the file as UTF-8");
		return BC_EINVAL;
	}
	return 0;
}

/* --- text ------------------------------------------------------------------------------------ */

static int text_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		      struct bc_err *err)
{
	int rc = check_text(row, text, err);
	char *copy;

	if (!rc && row->check)
		rc = row->check(text, err);
	if (rc)
		return rc;
	copy = bc_str_dup(text);
	if (!copy)
		return bc_err_nomem(err);
	*(char **)field = copy;
	return 0;
}

static int text_format(const void *field, struct bc_buf *out)
{
	const char *text = *(char *const *)field;

	return text ? bc_buf_adds(out, text) : 0;
}

static bool text_equal(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return x && y ? strcmp(x, y) == 0 : x == y;
}

static void text_free(void *field)
{
	bc_free_pointer(field);
}

const struct bc_setting_type bc_setting_text = {
	.noun = "a text",
	.docs = "text",
	.parse = text_parse,
	.format = text_format,
	.equal = text_equal,
	.free = text_free,
};

/* --- list ------------------------------------------------------------------------------------ */

static void list_free(void *field)
{
	char **items = *(char ***)field;

	for (size_t i = 0; items && items[i]; i++)
		free(items[i]);
	free(items);
}

static int list_add(const struct bc_setting_row *row, char **items, size_t *count,
		    struct bc_str item, struct bc_err *err)
{
	int rc;

	if (item.len == 0) {
		bc_err_set(err, BC_EINVAL, "has an empty item");
		bc_err_hint(err, "separate items by one comma each");
		return BC_EINVAL;
	}
	if (*count == LIST_ITEMS_MAX)
		return bc_err_tell(err, BC_EINVAL,
				   "leave some out, or join several into one that is wider",
				   "has more than %d items", LIST_ITEMS_MAX);
	rc = row->check ? row->check(item, err) : 0;
	if (rc)
		return rc;
	items[*count] = bc_str_dup(item);
	if (!items[*count])
		return bc_err_nomem(err);
	++*count;
	return 0;
}

static int list_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		      struct bc_err *err)
{
	char **items;
	size_t count = 0;
	int rc = check_text(row, text, err);

	if (rc)
		return rc;
	items = calloc(LIST_ITEMS_MAX + 1, sizeof(*items));
	if (!items)
		return bc_err_nomem(err);
	do {
		rc = list_add(row, items, &count, bc_str_trim(bc_str_split(&text, ',')), err);
	} while (!rc && text.ptr);
	if (rc)
		list_free(&items);
	else
		*(char ***)field = items;
	return rc;
}

static int list_format(const void *field, struct bc_buf *out)
{
	char *const *items = *(char *const *const *)field;
	int rc = 0;

	for (size_t i = 0; !rc && items && items[i]; i++)
		rc = bc_buf_addf(out, "%s%s", i ? "," : "", items[i]);
	return rc;
}

static bool list_equal(const void *a, const void *b)
{
	char *const *x = *(char *const *const *)a, *const *y = *(char *const *const *)b;

	if (!x || !y)
		return x == y;
	while (*x && *y && strcmp(*x, *y) == 0) {
		x++;
		y++;
	}
	return !*x && !*y;
}

const struct bc_setting_type bc_setting_list = {
	.noun = "a list",
	.docs = "list",
	.parse = list_parse,
	.format = list_format,
	.equal = list_equal,
	.free = list_free,
};

/* --- numbers --------------------------------------------------------------------------------- */

static int check_bounds(const struct bc_setting_row *row, uint64_t value, struct bc_err *err)
{
	char min[24], max[24];

	if (value >= row->min && value <= row->max)
		return 0;
	row->type->bound(row->min, min, sizeof(min));
	row->type->bound(row->max, max, sizeof(max));
	bc_err_set(err, BC_EINVAL, "is too %s", value < row->min ? "small" : "large");
	bc_err_hint(err, "%s to %s is allowed", min, max);
	return BC_EINVAL;
}

static int number_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
			int (*read)(struct bc_str, uint64_t *), const char *hint,
			struct bc_err *err)
{
	uint64_t value;

	if (read(text, &value)) {
		bc_err_set(err, BC_EINVAL, "is not %s", row->type->noun);
		bc_err_hint(err, "%s", hint);
		return BC_EINVAL;
	}
	if (check_bounds(row, value, err))
		return BC_EINVAL;
	*(uint64_t *)field = value;
	return 0;
}

static bool number_equal(const void *a, const void *b)
{
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

static void number_free(void *field)
{
	*(uint64_t *)field = 0;
}

static int ms_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		    struct bc_err *err)
{
	return number_parse(
		row, text, field, bc_parse_duration_ms,
		"write a whole number and its unit (ms, s, m, h, d), such as 90s or 24h", err);
}

static int ms_format(const void *field, struct bc_buf *out)
{
	char text[24];

	return bc_buf_adds(out, bc_format_duration(*(const uint64_t *)field, text, sizeof(text)));
}

const struct bc_setting_type bc_setting_ms = {
	.noun = "a duration",
	.docs = "duration",
	.parse = ms_parse,
	.format = ms_format,
	.equal = number_equal,
	.free = number_free,
	.bound = bc_format_duration,
};

static int bytes_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		       struct bc_err *err)
{
	return number_parse(row, text, field, bc_parse_bytes,
			    "write a whole number and its unit (KiB, MiB, KB, MB), such as 64KiB",
			    err);
}

static int bytes_format(const void *field, struct bc_buf *out)
{
	char text[24];

	return bc_buf_adds(out, bc_format_bytes(*(const uint64_t *)field, text, sizeof(text)));
}

const struct bc_setting_type bc_setting_bytes = {
	.noun = "a size",
	.docs = "size",
	.parse = bytes_parse,
	.format = bytes_format,
	.equal = number_equal,
	.free = number_free,
	.bound = bc_format_bytes,
};

static char *count_bound(uint64_t value, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "%" PRIu64, value);
	return text;
}

static int count_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		       struct bc_err *err)
{
	return number_parse(row, text, field, bc_parse_u64, "write digits only", err);
}

static int count_format(const void *field, struct bc_buf *out)
{
	return bc_buf_addf(out, "%" PRIu64, *(const uint64_t *)field);
}

const struct bc_setting_type bc_setting_count = {
	.noun = "a whole number",
	.docs = "number",
	.parse = count_parse,
	.format = count_format,
	.equal = number_equal,
	.free = number_free,
	.bound = count_bound,
};

/* --- rates ----------------------------------------------------------------------------------- */

static const struct {
	char unit;
	uint64_t per_hour;
} rate_units[] = { { 's', 3600 }, { 'm', 60 }, { 'h', 1 } };

/* "10/s" as so many an hour. */
static int parse_rate(struct bc_str text, uint64_t *ret_per_hour)
{
	struct bc_str unit = text, digits = bc_str_split(&unit, '/');
	uint64_t number;
	if (unit.len != 1 || bc_parse_u64(digits, &number))
		return BC_EINVAL;
	for (size_t i = 0; i < BC_COUNT(rate_units); i++)
		if (rate_units[i].unit == unit.ptr[0])
			return __builtin_mul_overflow(number, rate_units[i].per_hour, ret_per_hour)
				       ? BC_EINVAL
				       : 0;
	return BC_EINVAL;
}

static char *rate_bound(uint64_t value, char *text, size_t text_bytes)
{
	size_t i = 0;
	while (value % rate_units[i].per_hour)
		i++;
	snprintf(text, text_bytes, "%" PRIu64 "/%c", value / rate_units[i].per_hour,
		 rate_units[i].unit);
	return text;
}

static int rate_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
		      struct bc_err *err)
{
	return number_parse(row, text, field, parse_rate, "write it as 10/s, 600/m or 5/h", err);
}

static int rate_format(const void *field, struct bc_buf *out)
{
	char text[32];
	return bc_buf_adds(out, rate_bound(*(const uint64_t *)field, text, sizeof(text)));
}

const struct bc_setting_type bc_setting_rate = {
	.noun = "a rate",
	.docs = "rate, such as `10/s`",
	.parse = rate_parse,
	.format = rate_format,
	.equal = number_equal,
	.free = number_free,
	.bound = rate_bound,
};

/* --- secrets --------------------------------------------------------------------------------- */

static int secret_parse(const struct bc_setting_row *row, struct bc_str text, void *field,
			struct bc_err *err)
{
	int rc = check_text(row, text, err);
	struct bc_secret *secret;

	if (!rc && row->check)
		rc = row->check(text, err);
	if (rc)
		return rc;
	secret = bc_secret_create(text.ptr, text.len);
	if (!secret)
		return bc_err_nomem(err);
	*(struct bc_secret **)field = secret;
	return 0;
}

static int secret_format(const void *field, struct bc_buf *out)
{
	return *(struct bc_secret *const *)field ? bc_buf_adds(out, "set") : 0;
}

static bool secret_equal(const void *a, const void *b)
{
	const struct bc_secret *x = *(struct bc_secret *const *)a;
	const struct bc_secret *y = *(struct bc_secret *const *)b;

	if (!x || !y)
		return x == y;
	return bc_secret_equals(x, bc_secret_reveal(y), bc_secret_len(y));
}

static void secret_free(void *field)
{
	bc_secret_unref(*(struct bc_secret **)field);
}

const struct bc_setting_type bc_setting_secret = {
	.noun = "a secret",
	.docs = "secret",
	.parse = secret_parse,
	.format = secret_format,
	.equal = secret_equal,
	.free = secret_free,
};
