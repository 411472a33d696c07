/* SPDX-License-Identifier: MIT */
/*
 * Does an item fit a search? Filters of a group are alternatives, groups must all fit; conditions
 * compare as MySQL does under Magento: numbers as numbers, texts without regard to ASCII case,
 * and nothing but null fits null.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NUMBER_BYTES = 48 };

const json_t *bc_commerce_value(const json_t *item, struct bc_str field)
{
	const json_t *value = json_object_getn(item, field.ptr, field.len), *attribute;
	size_t i;

	if (value)
		return json_is_null(value) ? NULL : value;
	json_array_foreach(json_object_get(item, "custom_attributes"), i, attribute)
	{
		const char *code = json_string_value(json_object_get(attribute, "attribute_code"));

		if (code && bc_str_eq(field, code))
			return json_object_get(attribute, "value");
	}
	return NULL;
}

/* A value as text; number: room for one. Absent for objects and lists. */
static struct bc_str text_of(const json_t *value, char number[NUMBER_BYTES])
{
	if (json_is_string(value))
		return (struct bc_str){ json_string_value(value), json_string_length(value) };
	if (json_is_integer(value))
		snprintf(number, NUMBER_BYTES, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(number, NUMBER_BYTES, "%.15g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(number, NUMBER_BYTES, "%d", (int)json_is_true(value));
	else
		return (struct bc_str){ 0 };
	return bc_str_of(number);
}

/* The whole text is a number. */
static bool number_of(struct bc_str text, double *ret_number)
{
	char copy[NUMBER_BYTES], *end;

	if (text.len == 0 || bc_str_copy(copy, sizeof(copy), text) < 0 || copy[0] == ' ')
		return false;
	*ret_number = strtod(copy, &end);
	return *end == '\0';
}

static int compare(struct bc_str a, struct bc_str b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	double x, y;
	int order;

	if (number_of(a, &x) && number_of(b, &y))
		return (x > y) - (x < y);
	order = shorter ? strncasecmp(a.ptr, b.ptr, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

int bc_commerce_compare(const json_t *a, const json_t *b)
{
	char one[NUMBER_BYTES], other[NUMBER_BYTES];
	struct bc_str x = text_of(a, one), y = text_of(b, other);

	if (!x.ptr || !y.ptr)
		return (x.ptr != NULL) - (y.ptr != NULL);
	return compare(x, y);
}

/* SQL's: % any run, _ any one byte. */
static bool like(struct bc_str pattern, struct bc_str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '%') {
			star = p++;
			mark = t;
		} else if (p < pattern.len &&
			   (pattern.ptr[p] == '_' ||
			    strncasecmp(pattern.ptr + p, text.ptr + t, 1) == 0)) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '%')
		p++;
	return p == pattern.len;
}

/* Is needle one of a comma-separated list? */
static bool in_list(struct bc_str list, struct bc_str needle)
{
	while (list.ptr)
		if (compare(bc_str_trim(bc_str_split(&list, ',')), needle) == 0)
			return true;
	return false;
}

enum test { EQ, NEQ, GT, GTEQ, LT, LTEQ, IN, NIN, FINSET, NFINSET, LIKE, NLIKE, NUL, NOTNULL };

static const struct {
	const char *name;
	enum test test;
} conditions[] = {
	{ "eq", EQ },		{ "neq", NEQ },	  { "gt", GT },	      { "gteq", GTEQ },
	{ "moreq", GTEQ },	{ "from", GTEQ }, { "lt", LT },	      { "lteq", LTEQ },
	{ "to", LTEQ },		{ "in", IN },	  { "nin", NIN },     { "finset", FINSET },
	{ "nfinset", NFINSET }, { "like", LIKE }, { "nlike", NLIKE }, { "null", NUL },
	{ "notnull", NOTNULL },
};

static bool condition_find(struct bc_str name, enum test *ret_test)
{
	*ret_test = EQ;
	for (size_t i = 0; i < BC_COUNT(conditions); i++)
		if (bc_str_eq(name, conditions[i].name)) {
			*ret_test = conditions[i].test;
			return true;
		}
	return name.len == 0;
}

bool bc_commerce_condition_known(struct bc_str condition)
{
	enum test test;

	return condition_find(condition, &test);
}

static bool holds(enum test test, struct bc_str value, struct bc_str wanted)
{
	switch (test) {
	case EQ:
		return compare(value, wanted) == 0;
	case NEQ:
		return compare(value, wanted) != 0;
	case GT:
		return compare(value, wanted) > 0;
	case GTEQ:
		return compare(value, wanted) >= 0;
	case LT:
		return compare(value, wanted) < 0;
	case LTEQ:
		return compare(value, wanted) <= 0;
	case IN:
		return in_list(wanted, value);
	case NIN:
		return !in_list(wanted, value);
	case FINSET:
		return in_list(value, wanted);
	case NFINSET:
		return !in_list(value, wanted);
	case LIKE:
		return like(wanted, value);
	case NLIKE:
		return !like(wanted, value);
	case NUL:
		return false;
	case NOTNULL:
		return true;
	}
	return false;
}

static bool filter_fits(const struct commerce_filter *f, const json_t *item)
{
	char number[NUMBER_BYTES];
	struct bc_str value = text_of(bc_commerce_value(item, f->field), number);
	enum test test;

	condition_find(f->condition, &test);
	if (!value.ptr)
		return test == NUL;
	return holds(test, value, f->value.ptr ? f->value : BC_STR(""));
}

static bool group_fits(const struct commerce_query *q, struct bc_str group, const json_t *item)
{
	for (size_t i = 0; i < q->filter_count; i++) {
		struct bc_str other = q->filters[i].group;

		if (other.len == group.len &&
		    (group.len == 0 || memcmp(other.ptr, group.ptr, group.len) == 0) &&
		    filter_fits(&q->filters[i], item))
			return true;
	}
	return false;
}

bool bc_commerce_matches(const struct commerce_query *q, const json_t *item)
{
	for (size_t i = 0; i < q->filter_count; i++)
		if (!group_fits(q, q->filters[i].group, item))
			return false;
	return true;
}
