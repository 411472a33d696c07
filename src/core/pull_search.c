/* SPDX-License-Identifier: MIT */
/* See pull_impl.h: searches of orders, and their answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <backchannel/commerce.h>

#include "base/err.h"
#include "base/log.h"
#include "core/pull_impl.h"

/* What an order is read from; the rest of its 138 fields stays where it is. */
#define FIELDS                                                                                     \
	"items[entity_id,increment_id,quote_id,state,status,grand_total,order_currency_code,"      \
	"created_at,updated_at,original_increment_id,edit_increment,relation_child_real_id,"       \
	"relation_parent_real_id,custom_attributes],total_count"

/* The second key, which struct bc_commerce_search has no room for. */
#define BY_ENTITY                                                                                  \
	"&searchCriteria%5BsortOrders%5D%5B1%5D%5Bfield%5D=entity_id"                              \
	"&searchCriteria%5BsortOrders%5D%5B1%5D%5Bdirection%5D=ASC"

char *bc_pull_time(uint64_t wall_ms, char *text)
{
	char rfc3339[BC_TIME_TEXT_BYTES];
	bc_time_format(wall_ms, rfc3339);
	snprintf(text, PULL_TEXT_BYTES, "%.10s %.8s", rfc3339, rfc3339 + 11);
	return text;
}

static char *path_of(const struct bc_commerce_search *search, const char *more, struct bc_err *err)
{
	bc_autofree char *query = NULL;
	char *path = NULL;
	if (bc_commerce_search_build(search, &query, err))
		return NULL;
	if (asprintf(&path, "/V1/orders?%s%s", query, more) < 0) {
		(void)bc_err_nomem(err);
		return NULL;
	}
	return path;
}

/* (updated_at, entity_id) greater than the cursor, in the only form that Commerce takes: groups are
 * AND, filters of a group OR. */
char *bc_pull_page_path(uint64_t cursor_ms, uint64_t cursor_id, struct bc_err *err)
{
	char at[PULL_TEXT_BYTES], id[24];
	bc_pull_time(cursor_ms, at);
	snprintf(id, sizeof(id), "%" PRIu64, cursor_id);
	const struct bc_commerce_filter filters[] = {
		{ 0, "updated_at", at, "gteq" },
		{ 1, "updated_at", at, "gt" },
		{ 1, "entity_id", id, "gt" },
	};
	const struct bc_commerce_search search = { .filters = filters,
						   .filter_count = BC_COUNT(filters),
						   .sort_field = "updated_at",
						   .page_size = PULL_PAGE,
						   .current_page = 1,
						   .fields = FIELDS };
	return path_of(&search, BY_ENTITY, err);
}

bool bc_pull_is_listable(struct bc_str order)
{
	return !memchr(order.ptr, ',', order.len);
}

char *bc_pull_lookup_path(const struct bc_str *orders, size_t count, struct bc_err *err)
{
	struct bc_buf list;
	bc_buf_init(&list, 64 * 1024);
	int result = 0;
	for (size_t i = 0; i < count && !result; i++)
		result = bc_buf_addf(&list, "%s%.*s", i ? "," : "", (int)orders[i].len,
				     orders[i].ptr);
	const struct bc_commerce_filter filter = { 0, "increment_id", list.data,
						   count > 1 ? "in" : "eq" };
	const struct bc_commerce_search search = { .filters = &filter,
						   .filter_count = 1,
						   .page_size = PULL_LOOKUP,
						   .current_page = 1,
						   .fields = FIELDS };
	char *path = NULL;
	if (result)
		(void)bc_err_nomem(err);
	else
		path = path_of(&search, "", err);
	bc_buf_finish(&list);
	return path;
}

/* --- answers --------------------------------------------------------------------------------- */

static int read_items(const json_t *items, const char *click_attribute, struct bc_arena *arena,
		      struct pull_page *page, struct bc_err *err)
{
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)items, i, item)
	{
		struct bc_commerce_order *order = &page->orders[page->count];
		struct bc_err why = { 0 };
		int result = bc_commerce_order_read(item, click_attribute, arena, order, &why);
		if (result == BC_ENOMEM)
			return bc_err_nomem(err);
		if (result) {
			page->refused++;
			bc_log_warning("pull.order_refused", BC_LS("problem", why.text));
			continue;
		}
		page->count++;
		page->last_updated_ms = order->updated_ms;
		page->last_entity_id = order->entity_id;
	}
	page->items = i;
	return 0;
}

int bc_pull_page_read(struct bc_str body, const char *click_attribute, struct bc_arena *arena,
		      struct pull_page *ret_page, struct bc_err *err)
{
	json_t *answer = json_loadb(body.ptr, body.len, 0, NULL);
	const json_t *items = json_object_get(answer, "items");
	size_t count = json_array_size(items);
	int result = 0;
	*ret_page = (struct pull_page){
		.total = (uint64_t)json_integer_value(json_object_get(answer, "total_count")),
		.orders = bc_arena_alloc(arena, (count + 1) * sizeof(*ret_page->orders)),
	};
	if (!answer || (!json_is_array(items) && !json_is_null(items))) {
		bc_err_hint(err,
			    "is commerce.base_url the REST base of Commerce, tenant included?");
		result = bc_err_set(err, BC_EINVAL, "the answer to a search of orders is no list");
	} else if (!ret_page->orders) {
		result = bc_err_nomem(err);
	} else {
		result = read_items(items, click_attribute, arena, ret_page, err);
	}
	json_decref(answer);
	return result;
}
