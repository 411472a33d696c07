/* SPDX-License-Identifier: MIT */
/*
 * Reads searchCriteria from a query: brackets raw or encoded, names in snake_case or camelCase, as
 * PHP's parser and Magento's input processor take them together. Numbers in brackets are only
 * names: what shares one belongs together.
 */
#include "sandbox/commerce.h"

#include <string.h>

enum { DEPTH_MAX = 6 };

/* "searchCriteria[filter_groups][0][filters][0][field]" in its parts. */
struct path {
	struct bc_str part[DEPTH_MAX];
	size_t count;
};

/* Cuts a name into its parts; false when it is none that PHP would take apart so. */
static bool path_read(struct bc_str name, struct path *p)
{
	size_t n = 0;

	while (n < name.len && name.ptr[n] != '[')
		n++;
	*p = (struct path){ .part = { { name.ptr, n } }, .count = 1 };
	while (n < name.len) {
		struct bc_str *part = &p->part[p->count];

		if (name.ptr[n] != '[' || p->count == DEPTH_MAX)
			return false;
		part->ptr = name.ptr + ++n;
		while (n < name.len && name.ptr[n] != ']')
			n++;
		part->len = (size_t)(name.ptr + n - part->ptr);
		if (n++ == name.len)
			return false;
		p->count++;
	}
	return true;
}

static bool is(struct bc_str part, const char *snake, const char *camel)
{
	return bc_str_eq(part, snake) || bc_str_eq(part, camel);
}

static bool same(struct bc_str a, struct bc_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static struct commerce_filter *filter_of(struct commerce_query *q, struct bc_str group,
					 struct bc_str index)
{
	for (size_t i = 0; i < q->filter_count; i++)
		if (same(q->filters[i].group, group) && same(q->filters[i].index, index))
			return &q->filters[i];
	if (q->filter_count == COMMERCE_FILTERS_MAX)
		return NULL;
	q->filters[q->filter_count] = (struct commerce_filter){ .group = group, .index = index };
	return &q->filters[q->filter_count++];
}

static bool filter_take(struct commerce_query *q, const struct path *p, struct bc_str value)
{
	struct commerce_filter *f;

	if (p->count != 6 || !bc_str_eq(p->part[3], "filters"))
		return true;
	f = filter_of(q, p->part[2], p->part[4]);
	if (!f)
		return false;
	if (bc_str_eq(p->part[5], "field"))
		f->field = value;
	else if (bc_str_eq(p->part[5], "value"))
		f->value = value;
	else if (is(p->part[5], "condition_type", "conditionType"))
		f->condition = value;
	return true;
}

static bool sort_take(struct commerce_query *q, const struct path *p, struct bc_str value)
{
	struct commerce_sort *s = q->sorts;

	if (p->count != 4)
		return true;
	while (s < q->sorts + q->sort_count && !same(s->index, p->part[2]))
		s++;
	if (s == q->sorts + COMMERCE_SORTS_MAX)
		return false;
	if (s == q->sorts + q->sort_count)
		q->sorts[q->sort_count++] = (struct commerce_sort){ .index = p->part[2] };
	if (bc_str_eq(p->part[3], "field"))
		s->field = value;
	else if (bc_str_eq(p->part[3], "direction"))
		s->direction = value;
	return true;
}

static bool take(struct commerce_query *q, struct bc_str name, struct bc_str value)
{
	struct path p;

	if (bc_str_eq(name, "fields"))
		q->fields = value;
	if (!path_read(name, &p) || !is(p.part[0], "search_criteria", "searchCriteria"))
		return true;
	q->given = true;
	if (p.count < 2)
		return true;
	if (is(p.part[1], "filter_groups", "filterGroups"))
		return filter_take(q, &p, value);
	if (is(p.part[1], "sort_orders", "sortOrders"))
		return sort_take(q, &p, value);
	if (is(p.part[1], "page_size", "pageSize"))
		q->page_size = value;
	else if (is(p.part[1], "current_page", "currentPage"))
		q->current_page = value;
	return true;
}

bool bc_commerce_query_read(const struct sandbox_call *call, struct commerce_query *ret_query)
{
	struct bc_str query = call->req->query;
	struct bc_arena *arena = call->req->arena;

	*ret_query = (struct commerce_query){ 0 };
	while (query.ptr) {
		struct bc_str value = bc_str_split(&query, '&'), name = bc_str_split(&value, '=');

		if (!value.ptr)
			value = BC_STR("");
		if (!bc_sandbox_decode(arena, name, true, &name) ||
		    !bc_sandbox_decode(arena, value, true, &value) || !take(ret_query, name, value))
			return false;
	}
	return true;
}

struct bc_str bc_commerce_query_fields(const struct sandbox_call *call)
{
	struct bc_str query = call->req->query, fields = { 0 };

	while (query.ptr) {
		struct bc_str value = bc_str_split(&query, '&');

		if (bc_str_eq(bc_str_split(&value, '='), "fields") && value.ptr &&
		    bc_sandbox_decode(call->req->arena, value, true, &value))
			fields = value;
	}
	return fields.len ? fields : (struct bc_str){ 0 };
}

/* ---- the echo ---- */

static json_t *text(struct bc_str s)
{
	return json_stringn(s.ptr ? s.ptr : "", s.len);
}

static json_t *filter_json(const struct commerce_filter *f)
{
	return json_pack("{so so so}", "field", text(f->field), "value", text(f->value),
			 "condition_type",
			 f->condition.len ? text(f->condition) : json_string("eq"));
}

/* Is this the first filter of its group? */
static bool begins_group(const struct commerce_query *q, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (same(q->filters[i].group, q->filters[at].group))
			return false;
	return true;
}

static json_t *groups_json(const struct commerce_query *q)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < q->filter_count; i++) {
		json_t *filters;

		if (!begins_group(q, i))
			continue;
		filters = json_array();
		for (size_t k = i; k < q->filter_count; k++)
			if (same(q->filters[k].group, q->filters[i].group))
				json_array_append_new(filters, filter_json(&q->filters[k]));
		json_array_append_new(groups, json_pack("{so}", "filters", filters));
	}
	return groups;
}

static json_t *sorts_json(const struct commerce_query *q)
{
	json_t *sorts = q->sort_count ? json_array() : NULL;

	for (size_t i = 0; i < q->sort_count; i++)
		json_array_append_new(
			sorts,
			json_pack("{so ss}", "field", text(q->sorts[i].field), "direction",
				  bc_str_ieq(q->sorts[i].direction, "ASC") ? "ASC" : "DESC"));
	return sorts;
}

json_t *bc_commerce_query_json(const struct commerce_query *q, uint64_t page_size,
			       uint64_t current_page)
{
	return json_pack("{so so* sI so*}", "filter_groups", groups_json(q), "sort_orders",
			 sorts_json(q), "page_size", (json_int_t)page_size, "current_page",
			 q->current_page.ptr ? json_integer((json_int_t)current_page) : NULL);
}
