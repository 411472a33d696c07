/* SPDX-License-Identifier: MIT */
/* Look-ups in the memory engine's trees, and the rows that the rules (rules.h) work on. */
#include "store/memory_impl.h"

#include <string.h>

#define ITEM(node, type, member) ((node) ? BC_CONTAINER(node, type, member) : NULL)

struct mem_order *mem_order_by_id(struct mem *m, struct bc_str order)
{
	struct mem_order key = { .o.order = order };
	struct bc_tree_node *node = bc_tree_at(&m->orders_by_id, &key.by_id);
	return node && m->orders_by_id.compare(node, &key.by_id) == 0
		       ? BC_CONTAINER(node, struct mem_order, by_id)
		       : NULL;
}

struct mem_order *mem_order_below(struct mem *m, uint64_t row)
{
	struct mem_order key = { .o.row = row ? row : UINT64_MAX };
	struct bc_tree_node *node = bc_tree_before(&m->orders_by_row, &key.by_row);
	return ITEM(node, struct mem_order, by_row);
}

static bool in_lane(const struct mem_order *rec, struct bc_str partner, struct bc_str product)
{
	const struct bc_order *o = &rec->o;
	return o->partner.len == partner.len && o->product.len == product.len &&
	       (!partner.len || memcmp(o->partner.ptr, partner.ptr, partner.len) == 0) &&
	       (!product.len || memcmp(o->product.ptr, product.ptr, product.len) == 0);
}

struct mem_order *mem_order_due(struct mem *m, const struct mem_order *after, struct bc_str partner,
				struct bc_str product)
{
	struct mem_order key = { .o.partner = partner, .o.product = product };
	struct bc_tree_node *node = after ? bc_tree_after(&m->orders_by_due, &after->by_due)
					  : bc_tree_at(&m->orders_by_due, &key.by_due);
	struct mem_order *rec = ITEM(node, struct mem_order, by_due);
	return rec && in_lane(rec, partner, product) ? rec : NULL;
}

struct mem_click *mem_click_by_id(struct mem *m, const uint8_t *id)
{
	struct mem_click key = { 0 };
	memcpy(key.c.id, id, sizeof(key.c.id));
	struct bc_tree_node *node = bc_tree_at(&m->clicks_by_id, &key.by_id);
	struct mem_click *rec = ITEM(node, struct mem_click, by_id);
	return rec && memcmp(rec->c.id, id, sizeof(key.c.id)) == 0 ? rec : NULL;
}

struct mem_meta *mem_meta_by_key(struct mem *m, struct bc_str key)
{
	bc_autofree char *text = bc_str_dup(key);
	struct mem_meta probe = { .key = text };
	struct bc_tree_node *node = text ? bc_tree_at(&m->metas, &probe.by_key) : NULL;
	struct mem_meta *rec = ITEM(node, struct mem_meta, by_key);
	return rec && strcmp(rec->key, text) == 0 ? rec : NULL;
}

/* --- rows ---------------------------------------------------------------------------------- */

static int found(int result)
{
	return result ? result : 1;
}

static int find_order(void *m, struct bc_str order, struct bc_arena *arena,
		      struct bc_order *ret_order)
{
	const struct mem_order *rec = mem_order_by_id(m, order);
	return rec ? found(mem_copy_order(&rec->o, arena, ret_order)) : 0;
}

static int find_click(void *m, const uint8_t *id, struct bc_arena *arena,
		      struct bc_click *ret_click)
{
	const struct mem_click *rec = mem_click_by_id(m, id);
	return rec ? found(mem_copy_click(&rec->c, arena, ret_click)) : 0;
}

static bool same_hash(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, BC_HASH_BYTES) == 0;
}

/* The next older one of the same session; of two at the same time, the one put last is newer. */
static struct mem_click *older_click(struct mem *m, const struct mem_click *than)
{
	struct bc_tree_node *node = bc_tree_before(&m->clicks_by_session, &than->by_session);
	struct mem_click *rec = ITEM(node, struct mem_click, by_session);
	return rec && same_hash(rec->c.session, than->c.session) ? rec : NULL;
}

static struct mem_click *newest_click(struct mem *m, const uint8_t *session)
{
	struct mem_click end = { .c.captured_ms = UINT64_MAX, .serial = UINT64_MAX };
	memcpy(end.c.session, session, sizeof(end.c.session));
	return older_click(m, &end);
}

static int find_session_click(void *engine, const uint8_t *session, struct bc_arena *arena,
			      struct bc_click *ret_click)
{
	const struct mem_click *rec = newest_click(engine, session);
	return rec ? found(mem_copy_click(&rec->c, arena, ret_click)) : 0;
}

static int find_token(void *engine, struct bc_str partner, const uint8_t *hash,
		      struct bc_arena *arena, struct bc_str *ret_order)
{
	struct mem *m = engine;
	struct mem_order key = { .o.partner = partner };
	memcpy(key.o.token_hash, hash, sizeof(key.o.token_hash));
	struct bc_tree_node *node = bc_tree_at(&m->orders_by_token, &key.by_token);
	if (!node || m->orders_by_token.compare(node, &key.by_token) != 0)
		return 0;
	const struct mem_order *rec = BC_CONTAINER(node, struct mem_order, by_token);
	return found(mem_copy_text(rec->o.order, arena, ret_order));
}

/* The newest one that waits for this click. */
static struct mem_order *waiting_click(struct mem *m, const uint8_t *id, uint64_t since_ms)
{
	struct mem_order key = { .o.row = UINT64_MAX };
	struct bc_tree_node *node = &key.by_click;
	memcpy(key.o.click, id, sizeof(key.o.click));
	while ((node = bc_tree_before(&m->orders_by_click, node))) {
		struct mem_order *rec = BC_CONTAINER(node, struct mem_order, by_click);
		if (memcmp(rec->o.click, id, sizeof(key.o.click)) != 0)
			return NULL;
		if (bc_rule_is_adoptable(&rec->o, since_ms))
			return rec;
	}
	return NULL;
}

static struct mem_order *waiting_session(struct mem *m, const uint8_t *session, uint64_t since_ms)
{
	struct mem_order key = { .o.row = UINT64_MAX };
	struct bc_tree_node *node = &key.by_session;
	memcpy(key.o.session, session, sizeof(key.o.session));
	while ((node = bc_tree_before(&m->orders_by_session, node))) {
		struct mem_order *rec = BC_CONTAINER(node, struct mem_order, by_session);
		if (memcmp(rec->o.session, session, sizeof(key.o.session)) != 0)
			return NULL;
		if (bc_rule_is_adoptable(&rec->o, since_ms))
			return rec;
	}
	return NULL;
}

static int find_unclaimed(void *m, const struct bc_click *click, uint64_t since_ms,
			  struct bc_arena *arena, struct bc_order *ret_order)
{
	const struct mem_order *rec = waiting_click(m, click->id, since_ms);
	const struct mem_order *other =
		click->has_session ? waiting_session(m, click->session, since_ms) : NULL;
	if (!rec || (other && other->o.row > rec->o.row))
		rec = other;
	return rec ? found(mem_copy_order(&rec->o, arena, ret_order)) : 0;
}

static int put_click(void *m, const struct bc_click *click, bool *ret_replaced)
{
	*ret_replaced = mem_click_by_id(m, click->id) != NULL;
	return mem_add_click(m, click);
}

static void blank_click(struct mem_click *rec, const uint8_t *token_hash)
{
	struct bc_str *token = &rec->c.token;
	if (!same_hash(rec->c.token_hash, token_hash))
		return;
	bc_wipe(rec->texts + (token->ptr - rec->texts), token->len);
	token->len = 0;
}

static void blank_session(struct mem *m, const uint8_t *session, const uint8_t *token_hash)
{
	struct mem_click *rec = newest_click(m, session);
	for (int i = 0; rec && i < BC_BLANK_CLICKS_MAX; i++) {
		blank_click(rec, token_hash);
		rec = older_click(m, rec);
	}
}

/* The click's session, also where the order was reported without one. */
static int blank_clicks(void *m, const struct bc_order *order)
{
	if (!order->has_click)
		return 0; /* it came by its token */
	struct mem_click *rec = mem_click_by_id(m, order->click);
	if (rec)
		blank_click(rec, order->token_hash);
	if (rec && rec->c.has_session)
		blank_session(m, rec->c.session, order->token_hash);
	else if (order->has_session)
		blank_session(m, order->session, order->token_hash);
	return 0;
}

static int insert_order(void *m, struct bc_order *order)
{
	return mem_add_order(m, order);
}

static int claim_order(void *m, const struct bc_order *order)
{
	return mem_save_order(m, mem_order_by_id(m, order->order), order);
}

static int clear_order(void *m, const struct bc_order *order)
{
	return mem_save_order(m, mem_order_by_id(m, order->order), order);
}

static int move_order(void *m, enum bc_order_state from, const struct bc_order *order)
{
	struct mem_order *rec = mem_order_by_id(m, order->order);
	BC_ASSERT(rec && rec->o.state == from);
	return mem_save_order(m, rec, order);
}

/* By its row: the caller's strings may have been the record's own, which the move before replaced.
 */
static int mark_order(void *m, const struct bc_order *order)
{
	struct mem_order *rec = mem_order_below(m, order->row + 1);
	BC_ASSERT(rec && rec->o.row == order->row);
	rec->o.entity_id = order->entity_id;
	rec->o.edition = order->edition;
	rec->o.revoked_ms = order->revoked_ms;
	rec->o.comment = order->comment;
	return 0;
}

static int restore_token(void *m, const struct bc_order *order)
{
	struct mem_order *rec = mem_order_by_id(m, order->order);
	struct bc_order with = rec->o;
	with.token = order->token;
	return mem_save_order(m, rec, &with);
}

static int put_meta(void *m, struct bc_str key, struct bc_str value)
{
	return mem_put_meta(m, key, value.ptr ? value : BC_STR(""));
}

/* --- attempts ------------------------------------------------------------------------------ */

static int insert_attempt(void *m, const struct bc_order *order, const struct bc_attempt *attempt)
{
	struct mem_order *rec = mem_order_by_id(m, order->order);
	if (rec->attempt_count < attempt->n) {
		struct mem_attempt *more =
			realloc(rec->attempts, attempt->n * sizeof(*rec->attempts));
		if (!more)
			return BC_ENOMEM;
		rec->attempts = more;
		rec->attempt_count = attempt->n;
		more[attempt->n - 1].error = NULL;
	}
	struct mem_attempt *a = &rec->attempts[attempt->n - 1];
	struct bc_str key = attempt->key_fingerprint;
	free(a->error);
	*a = (struct mem_attempt){ .a = *attempt };
	a->a.error = (struct bc_str){ 0 };
	if (key.len >= sizeof(a->key))
		key.len = sizeof(a->key) - 1;
	if (key.len)
		memcpy(a->key, key.ptr, key.len);
	a->a.key_fingerprint.len = key.len;
	return 0;
}

static int update_attempt(void *m, const struct bc_order *order, const struct bc_attempt *attempt)
{
	struct mem_order *rec = mem_order_by_id(m, order->order);
	struct mem_attempt *a = &rec->attempts[attempt->n - 1];
	char *error = attempt->error.ptr ? bc_str_dup(attempt->error) : NULL;
	if (attempt->error.ptr && !error)
		return BC_ENOMEM;
	free(a->error);
	a->error = error;
	a->a.error = (struct bc_str){ error, attempt->error.len };
	a->a.status = attempt->status;
	a->a.outcome = attempt->outcome;
	a->a.duration_ms = attempt->duration_ms;
	return 0;
}

const struct bc_rule_rows mem_rows = {
	.find_order = find_order,
	.find_click = find_click,
	.find_session_click = find_session_click,
	.find_lane = mem_find_lane,
	.find_token = find_token,
	.find_unclaimed = find_unclaimed,
	.put_click = put_click,
	.insert_order = insert_order,
	.claim_order = claim_order,
	.move_order = move_order,
	.mark_order = mark_order,
	.restore_token = restore_token,
	.clear_order = clear_order,
	.blank_clicks = blank_clicks,
	.insert_attempt = insert_attempt,
	.update_attempt = update_attempt,
	.put_meta = put_meta,
};
