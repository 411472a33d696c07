/* SPDX-License-Identifier: MIT */
/*
 * The memory engine's items and the trees that order them. An item is in a tree exactly while its
 * fields say so (a pending order is in the queue of its lane); mem_save_order keeps that true.
 */
#include "store/memory_impl.h"

#include <string.h>

/* --- orderings ----------------------------------------------------------------------------- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_text(struct bc_str a, struct bc_str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
	return order ? order : compare_u64(a.len, b.len);
}

#define ORDER_OF(node, member) (&BC_CONTAINER(node, struct mem_order, member)->o)
#define CLICK_OF(node, member) BC_CONTAINER(node, struct mem_click, member)

static int orders_by_id(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	return compare_text(ORDER_OF(a, by_id)->order, ORDER_OF(b, by_id)->order);
}

static int orders_by_row(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	return compare_u64(ORDER_OF(a, by_row)->row, ORDER_OF(b, by_row)->row);
}

static int orders_by_token(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct bc_order *x = ORDER_OF(a, by_token), *y = ORDER_OF(b, by_token);
	int order = memcmp(x->token_hash, y->token_hash, BC_HASH_BYTES);
	return order ? order : compare_text(x->partner, y->partner);
}

static int orders_by_due(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct bc_order *x = ORDER_OF(a, by_due), *y = ORDER_OF(b, by_due);
	int order = compare_text(x->partner, y->partner);
	if (order == 0)
		order = compare_text(x->product, y->product);
	if (order == 0)
		order = compare_u64(x->due_ms, y->due_ms);
	return order ? order : compare_u64(x->row, y->row);
}

static int orders_by_click(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct bc_order *x = ORDER_OF(a, by_click), *y = ORDER_OF(b, by_click);
	int order = memcmp(x->click, y->click, BC_CLICK_ID_BYTES);
	return order ? order : compare_u64(x->row, y->row);
}

static int orders_by_session(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct bc_order *x = ORDER_OF(a, by_session), *y = ORDER_OF(b, by_session);
	int order = memcmp(x->session, y->session, BC_HASH_BYTES);
	return order ? order : compare_u64(x->row, y->row);
}

static int clicks_by_id(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	return memcmp(CLICK_OF(a, by_id)->c.id, CLICK_OF(b, by_id)->c.id, BC_CLICK_ID_BYTES);
}

static int clicks_by_expiry(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct mem_click *x = CLICK_OF(a, by_expiry), *y = CLICK_OF(b, by_expiry);
	int order = compare_u64(x->c.expires_ms, y->c.expires_ms);
	return order ? order : compare_u64(x->serial, y->serial);
}

static int clicks_by_session(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	const struct mem_click *x = CLICK_OF(a, by_session), *y = CLICK_OF(b, by_session);
	int order = memcmp(x->c.session, y->c.session, BC_HASH_BYTES);
	if (order == 0)
		order = compare_u64(x->c.captured_ms, y->c.captured_ms);
	return order ? order : compare_u64(x->serial, y->serial);
}

static int metas_by_key(const struct bc_tree_node *a, const struct bc_tree_node *b)
{
	return strcmp(BC_CONTAINER(a, struct mem_meta, by_key)->key,
		      BC_CONTAINER(b, struct mem_meta, by_key)->key);
}

void mem_init(struct mem *m)
{
	bc_tree_init(&m->orders_by_id, orders_by_id);
	bc_tree_init(&m->orders_by_row, orders_by_row);
	bc_tree_init(&m->orders_by_token, orders_by_token);
	bc_tree_init(&m->orders_by_due, orders_by_due);
	bc_tree_init(&m->orders_by_click, orders_by_click);
	bc_tree_init(&m->orders_by_session, orders_by_session);
	bc_tree_init(&m->clicks_by_id, clicks_by_id);
	bc_tree_init(&m->clicks_by_expiry, clicks_by_expiry);
	bc_tree_init(&m->clicks_by_session, clicks_by_session);
	bc_tree_init(&m->metas, metas_by_key);
}

/* --- strings ------------------------------------------------------------------------------- */

static const size_t order_texts[] = {
	offsetof(struct bc_order, order),    offsetof(struct bc_order, reason),
	offsetof(struct bc_order, partner),  offsetof(struct bc_order, product),
	offsetof(struct bc_order, token),    offsetof(struct bc_order, amount),
	offsetof(struct bc_order, currency),
};
static const size_t click_texts[] = {
	offsetof(struct bc_click, token),
	offsetof(struct bc_click, partner),
	offsetof(struct bc_click, product),
};

static struct bc_str *text_at(void *item, size_t offset)
{
	return (struct bc_str *)(void *)((char *)item + offset);
}

/* Moves an item's strings into one block of its own: NULL without memory. */
static char *own_texts(void *item, const size_t *offsets, size_t n)
{
	size_t bytes = 1;
	for (size_t i = 0; i < n; i++)
		bytes += text_at(item, offsets[i])->len;
	char *texts = malloc(bytes), *at = texts;
	for (size_t i = 0; texts && i < n; i++) {
		struct bc_str *text = text_at(item, offsets[i]);
		if (!text->ptr)
			continue;
		if (text->len)
			memcpy(at, text->ptr, text->len);
		text->ptr = at;
		at += text->len;
	}
	return texts;
}

int mem_copy_text(struct bc_str from, struct bc_arena *arena, struct bc_str *ret_text)
{
	*ret_text = from;
	if (!from.ptr)
		return 0;
	ret_text->ptr = bc_arena_dup(arena, from.ptr, from.len);
	return ret_text->ptr ? 0 : BC_ENOMEM;
}

static int copy_texts(void *item, const size_t *offsets, size_t n, struct bc_arena *arena)
{
	for (size_t i = 0; i < n; i++) {
		struct bc_str *text = text_at(item, offsets[i]);
		if (mem_copy_text(*text, arena, text))
			return BC_ENOMEM;
	}
	return 0;
}

int mem_copy_order(const struct bc_order *from, struct bc_arena *arena, struct bc_order *ret_order)
{
	*ret_order = *from;
	return copy_texts(ret_order, order_texts, BC_COUNT(order_texts), arena);
}

int mem_copy_click(const struct bc_click *from, struct bc_arena *arena, struct bc_click *ret_click)
{
	*ret_click = *from;
	return copy_texts(ret_click, click_texts, BC_COUNT(click_texts), arena);
}

/* --- orders -------------------------------------------------------------------------------- */

/* by_id and by_row are the item's for life. */
static void unlink_order(struct mem *m, struct mem_order *rec)
{
	bc_tree_remove(&m->orders_by_token, &rec->by_token);
	bc_tree_remove(&m->orders_by_due, &rec->by_due);
	bc_tree_remove(&m->orders_by_click, &rec->by_click);
	bc_tree_remove(&m->orders_by_session, &rec->by_session);
}

static void link_order(struct mem *m, struct mem_order *rec)
{
	const struct bc_order *o = &rec->o;
	if (o->has_token_hash && o->state != BC_ORDER_UNATTRIBUTED)
		bc_tree_add(&m->orders_by_token, &rec->by_token);
	if (o->state == BC_ORDER_PENDING)
		bc_tree_add(&m->orders_by_due, &rec->by_due);
	if (o->state == BC_ORDER_UNATTRIBUTED && o->has_click)
		bc_tree_add(&m->orders_by_click, &rec->by_click);
	if (o->state == BC_ORDER_UNATTRIBUTED && o->has_session)
		bc_tree_add(&m->orders_by_session, &rec->by_session);
}

int mem_save_order(struct mem *m, struct mem_order *rec, const struct bc_order *order)
{
	struct bc_order copy = *order;
	char *texts = own_texts(&copy, order_texts, BC_COUNT(order_texts));
	if (!texts)
		return BC_ENOMEM;
	bool is_new = rec->texts == NULL;
	if (bc_returns_move(&m->returns, is_new ? -1 : (int)rec->o.state, (int)copy.state, &copy)) {
		free(texts);
		return BC_ENOMEM;
	}
	if (!is_new)
		m->counts.orders[rec->o.state]--;
	m->counts.orders[copy.state]++;
	unlink_order(m, rec);
	free(rec->texts);
	rec->texts = texts;
	rec->o = copy;
	link_order(m, rec);
	if (is_new) {
		bc_tree_add(&m->orders_by_id, &rec->by_id);
		bc_tree_add(&m->orders_by_row, &rec->by_row);
	}
	return 0;
}

int mem_add_order(struct mem *m, struct bc_order *order)
{
	struct bc_tally_bucket *bucket = bc_tally_bucket(&m->tally, order->created_ms);
	struct mem_order *rec = bucket ? calloc(1, sizeof(*rec)) : NULL;
	if (!rec)
		return BC_ENOMEM;
	order->row = m->last_row + 1;
	if (mem_save_order(m, rec, order)) {
		free(rec);
		return BC_ENOMEM;
	}
	m->last_row++;
	bc_tally_count(&m->tally, bucket, BC_TALLY_ORDERS, 1);
	return 0;
}

void mem_delete_order(struct mem *m, struct mem_order *rec)
{
	m->counts.orders[rec->o.state]--;
	unlink_order(m, rec);
	bc_tree_remove(&m->orders_by_id, &rec->by_id);
	bc_tree_remove(&m->orders_by_row, &rec->by_row);
	for (uint32_t i = 0; i < rec->attempt_count; i++)
		free(rec->attempts[i].error);
	free(rec->attempts);
	free(rec->texts);
	free(rec);
}

/* --- clicks and meta ----------------------------------------------------------------------- */

int mem_add_click(struct mem *m, const struct bc_click *click)
{
	struct mem_click *rec = calloc(1, sizeof(*rec));
	if (!rec)
		return BC_ENOMEM;
	rec->c = *click;
	rec->texts = own_texts(&rec->c, click_texts, BC_COUNT(click_texts));
	if (!rec->texts) {
		free(rec);
		return BC_ENOMEM;
	}
	struct mem_click *old = mem_click_by_id(m, click->id);
	if (old)
		mem_delete_click(m, old);
	rec->serial = ++m->last_serial;
	bc_tree_add(&m->clicks_by_id, &rec->by_id);
	bc_tree_add(&m->clicks_by_expiry, &rec->by_expiry);
	if (click->has_session)
		bc_tree_add(&m->clicks_by_session, &rec->by_session);
	m->counts.clicks++;
	return 0;
}

void mem_delete_click(struct mem *m, struct mem_click *rec)
{
	bc_tree_remove(&m->clicks_by_id, &rec->by_id);
	bc_tree_remove(&m->clicks_by_expiry, &rec->by_expiry);
	bc_tree_remove(&m->clicks_by_session, &rec->by_session);
	m->counts.clicks--;
	free(rec->texts);
	free(rec);
}

int mem_put_meta(struct mem *m, struct bc_str key, struct bc_str value)
{
	struct mem_meta *rec = mem_meta_by_key(m, key);
	char *copy = bc_str_dup(value);
	if (!copy)
		return BC_ENOMEM;
	if (!rec) {
		rec = calloc(1, sizeof(*rec));
		char *name = bc_str_dup(key);
		if (!rec || !name) {
			free(rec);
			free(name);
			free(copy);
			return BC_ENOMEM;
		}
		rec->key = name;
		bc_tree_add(&m->metas, &rec->by_key);
	}
	free(rec->value);
	rec->value = copy;
	return 0;
}

static void delete_meta(struct mem *m, struct mem_meta *rec)
{
	bc_tree_remove(&m->metas, &rec->by_key);
	free(rec->key);
	free(rec->value);
	free(rec);
}

void mem_finish(struct mem *m)
{
	struct bc_tree_node *node;
	mem_finish_lanes(m);
	bc_returns_finish(&m->returns);
	bc_tally_finish(&m->tally);
	while ((node = bc_tree_first(&m->orders_by_row)))
		mem_delete_order(m, BC_CONTAINER(node, struct mem_order, by_row));
	while ((node = bc_tree_first(&m->clicks_by_id)))
		mem_delete_click(m, BC_CONTAINER(node, struct mem_click, by_id));
	while ((node = bc_tree_first(&m->metas)))
		delete_meta(m, BC_CONTAINER(node, struct mem_meta, by_key));
}
