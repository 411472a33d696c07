/* SPDX-License-Identifier: MIT */
/*
 * Writes a search as the query that Adobe Commerce reads: searchCriteria with filters in groups, an
 * order and a page. Names and values are encoded whole, so a value with '&' or '%' stays one value.
 * What Commerce would silently read otherwise (an unknown condition, a page above its cap) is
 * refused here. Turning pages is the caller's.
 */
#include <backchannel/commerce.h>

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { KEY_BYTES = 96, NUMBER_BYTES = 16 };

static const struct {
	const char *name;
	bool bare; /* needs no value */
} conditions[] = {
	{ "eq", false },     { "neq", false },	  { "gt", false },	{ "gteq", false },
	{ "lt", false },     { "lteq", false },	  { "moreq", false },	{ "in", false },
	{ "nin", false },    { "finset", false }, { "nfinset", false }, { "from", false },
	{ "to", false },     { "like", false },	  { "nlike", false },	{ "null", true },
	{ "notnull", true },
};

/* Is there such a condition, and may it stand without a value? */
static bool find_condition(const char *name, bool *ret_bare)
{
	for (size_t i = 0; i < BC_COUNT(conditions); i++) {
		if (strcmp(name, conditions[i].name) == 0) {
			*ret_bare = conditions[i].bare;
			return true;
		}
	}
	return false;
}

static int check_filter(const struct bc_commerce_filter *filter, struct bc_err *err)
{
	bool bare = false;
	if (!filter->field || !filter->field[0]) {
		bc_err_set(err, BC_EINVAL, "a filter names no field");
		bc_err_hint(err, "name an attribute of what is searched for, such as updated_at");
		return BC_EINVAL;
	}
	if (filter->condition && !find_condition(filter->condition, &bare)) {
		bc_err_set(err, BC_EINVAL, "there is no condition \"%.40s\"", filter->condition);
		bc_err_hint(err, "take one of eq neq gt gteq lt lteq moreq in nin finset nfinset "
				 "from to like nlike null notnull");
		return BC_EINVAL;
	}
	if (!filter->value && !bare) {
		bc_err_set(err, BC_EINVAL, "the filter on \"%.80s\" has no value", filter->field);
		bc_err_hint(err, "only null and notnull go without one; the empty text is a value");
		return BC_EINVAL;
	}
	return 0;
}

static int check_search(const struct bc_commerce_search *search, struct bc_err *err)
{
	for (size_t i = 0; i < search->filter_count; i++) {
		int r = check_filter(&search->filters[i], err);
		if (r < 0)
			return r;
	}
	if (search->page_size > BC_COMMERCE_PAGE_MAX) {
		bc_err_set(err, BC_EINVAL, "a page of %u is more than Commerce gives",
			   search->page_size);
		bc_err_hint(err, "ask for %d at most, and for further pages by current_page",
			    BC_COMMERCE_PAGE_MAX);
		return BC_EINVAL;
	}
	return 0;
}

/* "key=value", parted from what stands in front. */
static int add_pair(struct bc_buf *query, const char *key, const char *value)
{
	int r = query->len > 0 ? bc_buf_adds(query, "&") : 0;
	if (r == 0)
		r = bc_percent_encode(query, bc_str_of(key));
	if (r == 0)
		r = bc_buf_adds(query, "=");
	return r < 0 ? r : bc_percent_encode(query, bc_str_of(value));
}

static int add_number(struct bc_buf *query, const char *key, unsigned value)
{
	struct bc_buf text;
	if (value == 0)
		return 0;
	bc_buf_init(&text, NUMBER_BYTES);
	int r = bc_buf_addf(&text, "%u", value);
	if (r == 0)
		r = add_pair(query, key, text.data);
	bc_buf_finish(&text);
	return r;
}

/* One of the members of the filter that is number `index` of its group; NULL is left out. */
static int add_member(struct bc_buf *query, unsigned group, size_t index, const char *member,
		      const char *value)
{
	struct bc_buf key;
	if (!value)
		return 0;
	bc_buf_init(&key, KEY_BYTES);
	int r = bc_buf_addf(&key, "searchCriteria[filter_groups][%u][filters][%zu][%s]", group,
			    index, member);
	if (r == 0)
		r = add_pair(query, key.data, value);
	bc_buf_finish(&key);
	return r;
}

static size_t index_in_group(const struct bc_commerce_search *search, size_t at)
{
	size_t index = 0;
	for (size_t i = 0; i < at; i++)
		index += search->filters[i].group == search->filters[at].group;
	return index;
}

/* The ceiling of the query ends this long before the quadratic count could hurt. */
static int add_filters(struct bc_buf *query, const struct bc_commerce_search *search)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < search->filter_count; i++) {
		const struct bc_commerce_filter *filter = &search->filters[i];
		size_t index = index_in_group(search, i);
		r = add_member(query, filter->group, index, "field", filter->field);
		if (r == 0)
			r = add_member(query, filter->group, index, "value", filter->value);
		if (r == 0)
			r = add_member(query, filter->group, index, "condition_type",
				       filter->condition);
	}
	return r;
}

static int add_order(struct bc_buf *query, const struct bc_commerce_search *search)
{
	if (!search->sort_field || !search->sort_field[0])
		return 0;
	int r = add_pair(query, "searchCriteria[sortOrders][0][field]", search->sort_field);
	return r < 0 ? r
		     : add_pair(query, "searchCriteria[sortOrders][0][direction]",
				search->descending ? "DESC" : "ASC");
}

static int write_query(struct bc_buf *query, const struct bc_commerce_search *search)
{
	int r = add_filters(query, search);
	if (r == 0)
		r = add_order(query, search);
	if (r == 0)
		r = add_number(query, "searchCriteria[pageSize]", search->page_size);
	if (r == 0)
		r = add_number(query, "searchCriteria[currentPage]", search->current_page);
	/* Commerce refuses a search without any, so "everything" has to be said. */
	if (r == 0 && query->len == 0)
		r = add_pair(query, "searchCriteria", "");
	return r < 0 || !search->fields ? r : add_pair(query, "fields", search->fields);
}

int bc_commerce_search_build(const struct bc_commerce_search *search, char **ret_query,
			     struct bc_err *err)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf query;
	bc_buf_init(&query, BC_COMMERCE_URL_MAX);
	int r = check_search(search, err);
	if (r < 0)
		return r;
	r = write_query(&query, search);
	if (r == BC_ETOOBIG) {
		bc_err_set(err, r, "the search is longer than %d bytes", BC_COMMERCE_URL_MAX);
		bc_err_hint(err, "split a long list of values over several searches");
		return r;
	}
	char *text = r == 0 ? bc_buf_take(&query) : NULL;
	if (!text)
		return bc_err_nomem(err);
	*ret_query = text;
	return 0;
}
