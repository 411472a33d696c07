/* SPDX-License-Identifier: MIT */
/*
 * Answers a search over one list: checks what was asked as Commerce does, picks, sorts, cuts out
 * the page. A page past the end is the last one again unless that is switched off: older versions
 * do so, and a client must not loop on it. Without `fields` the answer is put together from the
 * items' own texts.
 */
#include "sandbox/commerce.h"

#include <string.h>

struct found {
	struct commerce_item **items; /* owned */
	size_t count;
	size_t first, end; /* the page */
};

/* ---- what was asked ---- */

static bool number_read(struct sandbox_call *call, struct bc_str text, uint64_t *value)
{
	if (!text.ptr || text.len == 0 || bc_parse_u64(text, value) == 0)
		return true;
	bc_commerce_fail_type(call, text, "int");
	return false;
}

static bool pages_read(struct sandbox_call *call, const struct commerce_query *q, uint64_t *size,
		       uint64_t *page)
{
	const struct commerce_settings *s = &call->sandbox->commerce->settings;

	*size = 0;
	*page = 1;
	if (!number_read(call, q->page_size, size) || !number_read(call, q->current_page, page))
		return false;
	if (s->page_size_max && *size > s->page_size_max) {
		bc_commerce_fail(call, 400, "Maximum SearchCriteria pageSize is %max",
				 json_pack("{sI}", "max", (json_int_t)s->page_size_max));
		return false;
	}
	if (*size == 0)
		*size = s->page_size;
	if (*page == 0)
		*page = 1;
	return true;
}

/* A list without items knows every field. */
static bool field_known(const struct commerce_list *list, struct bc_str field)
{
	for (size_t i = 0; i < list->count; i++)
		if (bc_commerce_value(list->items[i]->json, field))
			return true;
	return list->count == 0;
}

static bool field_check(struct sandbox_call *call, const struct commerce_list *list,
			struct bc_str field)
{
	if (field_known(list, field))
		return true;
	bc_commerce_fail(call, 400, "Invalid attribute name: %1",
			 json_pack("[s%]", field.ptr ? field.ptr : "", field.len));
	return false;
}

static bool query_check(struct sandbox_call *call, const struct commerce_list *list,
			const struct commerce_query *q)
{
	if (!q->given) {
		bc_commerce_fail_required(call, "searchCriteria");
		return false;
	}
	for (size_t i = 0; i < q->filter_count; i++) {
		struct bc_str condition = q->filters[i].condition;

		if (!field_check(call, list, q->filters[i].field))
			return false;
		if (bc_commerce_condition_known(condition))
			continue;
		bc_commerce_fail(call, 400, "Invalid condition type: %1",
				 json_pack("[s%]", condition.ptr, condition.len));
		return false;
	}
	for (size_t i = 0; i < q->sort_count; i++)
		if (!field_check(call, list, q->sorts[i].field))
			return false;
	return true;
}

/* ---- picking ---- */

static int by_sorts(const void *a, const void *b, void *query)
{
	const json_t *x = (*(struct commerce_item *const *)a)->json;
	const json_t *y = (*(struct commerce_item *const *)b)->json;
	const struct commerce_query *q = query;

	for (size_t i = 0; i < q->sort_count; i++) {
		struct bc_str field = q->sorts[i].field;
		int order = bc_commerce_compare(bc_commerce_value(x, field),
						bc_commerce_value(y, field));

		if (order)
			return bc_str_ieq(q->sorts[i].direction, "ASC") ? order : -order;
	}
	return 0;
}

/* glibc's qsort_r keeps equal ones in order as long as it has memory, so they stay as they were
 * made. */
static bool pick(const struct commerce_list *list, struct commerce_query *q, struct found *f)
{
	f->items = malloc((list->count + 1) * sizeof(struct commerce_item *));
	if (!f->items)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (bc_commerce_matches(q, list->items[i]->json))
			f->items[f->count++] = list->items[i];
	if (q->sort_count)
		qsort_r(f->items, f->count, sizeof(struct commerce_item *), by_sorts, q);
	return true;
}

static void page_cut(struct found *f, uint64_t size, uint64_t page, bool repeat_last)
{
	uint64_t pages = (f->count + size - 1) / size;

	if (page > pages && repeat_last && pages > 0)
		page = pages;
	f->first = page > pages ? f->count : (size_t)((page - 1) * size);
	f->end = f->count - f->first > size ? f->first + (size_t)size : f->count;
}

/* ---- answering ---- */

static int add_items(struct bc_buf *out, const struct found *f)
{
	int rc = bc_buf_adds(out, "{\"items\":[");

	for (size_t i = f->first; rc == 0 && i < f->end; i++) {
		struct bc_str text = bc_commerce_text(f->items[i]);

		rc = !text.ptr ? BC_ENOMEM : i > f->first ? bc_buf_adds(out, ",") : 0;
		if (rc == 0)
			rc = bc_buf_add(out, text.ptr, text.len);
	}
	return rc;
}

/* Takes criteria. */
static void answer_whole(struct sandbox_call *call, const struct found *f, json_t *criteria)
{
	bc_autofree char *echo = criteria ? json_dumps(criteria, COMMERCE_DUMP) : NULL;
	struct bc_buf out;
	int rc;

	json_decref(criteria);
	bc_buf_init(&out, COMMERCE_ANSWER_MAX);
	rc = echo ? add_items(&out, f) : BC_ENOMEM;
	if (rc == 0)
		rc = bc_buf_addf(&out, "],\"search_criteria\":%s,\"total_count\":%zu}", echo,
				 f->count);
	bc_sandbox_answer_buf(call, rc, COMMERCE_JSON, &out);
}

/* Takes criteria. */
static void answer_trimmed(struct sandbox_call *call, const struct found *f, json_t *criteria)
{
	json_t *items = json_array();

	for (size_t i = f->first; i < f->end; i++)
		json_array_append(items, f->items[i]->json);
	bc_commerce_answer(call, 200,
			   json_pack("{so so sI}", "items", items, "search_criteria", criteria,
				     "total_count", (json_int_t)f->count));
}

void bc_commerce_search(struct sandbox_call *call, struct commerce_list *list)
{
	struct commerce_query *q = bc_arena_alloc(call->req->arena, sizeof(*q));
	struct found f = { 0 };
	uint64_t size, page;
	json_t *criteria;

	if (!q || !bc_commerce_query_read(call, q)) {
		bc_commerce_fail(call, 400, "Too many search criteria.", NULL);
		return;
	}
	if (!query_check(call, list, q) || !pages_read(call, q, &size, &page))
		return;
	if (!pick(list, q, &f)) {
		bc_commerce_fail_memory(call);
		return;
	}
	page_cut(&f, size, page, call->sandbox->commerce->settings.repeat_last_page);
	criteria = bc_commerce_query_json(q, size, page);
	if (q->fields.len)
		answer_trimmed(call, &f, criteria);
	else
		answer_whole(call, &f, criteria);
	free(f.items);
}
