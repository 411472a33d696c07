/* SPDX-License-Identifier: MIT */
/*
 * The engine for tests and try-outs: the same answers as sqlite's, nothing kept. What has no memory
 * left is answered BC_ENOMEM by its own operation; there is no transaction to undo.
 */
#include "store/memory_impl.h"

#include <string.h>

#include "base/err.h"
#include "store/history.h"

static int mem_open(const char *rest, const struct bc_clock *clock, void **ret_engine,
		    struct bc_err *err)
{
	(void)rest;
	(void)clock;
	struct mem *m = calloc(1, sizeof(*m));
	if (!m)
		return bc_err_nomem(err);
	mem_init(m);
	*ret_engine = m;
	return 0;
}

static void mem_close(void *engine)
{
	mem_finish(engine);
	free(engine);
}

static int no_transaction(void *engine, struct bc_engine_fault *fault)
{
	(void)engine;
	(void)fault;
	return 0;
}

static void no_rollback(void *engine)
{
	(void)engine;
}

/* --- single orders ------------------------------------------------------------------------- */

static struct bc_arena *scratch_create(void)
{
	return bc_arena_create(4096, 1024 * 1024);
}

static void scratch_destroy(struct bc_arena **arena)
{
	bc_arena_destroy(*arena);
}
#define SCRATCH BC_CLEANUP(scratch_destroy) struct bc_arena

static int put_click(struct mem *m, struct bc_store_op *op)
{
	const struct bc_click *click = &op->in.put_click.click;
	SCRATCH *scratch = scratch_create();
	struct bc_tally_bucket *bucket = bc_tally_bucket(&m->tally, click->captured_ms);
	if (!scratch || !bucket || bc_rule_put_click(&mem_rows, m, op, scratch))
		return BC_ENOMEM;
	bc_tally_count(&m->tally, bucket, click->is_test ? BC_TALLY_TEST : BC_TALLY_PRODUCTION, 1);
	return 0;
}

static int delete_click(struct mem *m, struct bc_store_op *op)
{
	struct mem_click *rec = mem_click_by_id(m, op->in.delete_click);
	if (!rec) {
		op->result = BC_ENOENT;
		return 0;
	}
	mem_delete_click(m, rec);
	return 0;
}

static int bind_click(struct mem *m, struct bc_store_op *op)
{
	SCRATCH *scratch = scratch_create();
	return scratch ? bc_rule_bind_click(&mem_rows, m, op, scratch) : BC_ENOMEM;
}

static int take_page(struct mem *m, struct bc_store_op *op)
{
	return bc_rule_take_page(&mem_rows, m, op);
}

static int put_comment(struct mem *m, struct bc_store_op *op)
{
	SCRATCH *scratch = scratch_create();
	return scratch ? bc_rule_put_comment(&mem_rows, m, op, scratch) : BC_ENOMEM;
}

static int accept_order(struct mem *m, struct bc_store_op *op)
{
	return bc_rule_accept(&mem_rows, m, op);
}

static int finish(struct mem *m, struct bc_store_op *op)
{
	SCRATCH *scratch = scratch_create();
	return scratch ? bc_rule_finish(&mem_rows, m, op, scratch) : BC_ENOMEM;
}

static int cancel(struct mem *m, struct bc_store_op *op)
{
	return bc_rule_cancel(&mem_rows, m, op);
}

static int copy_attempts(const struct mem_order *rec, struct bc_store_op *op)
{
	uint32_t n = rec->attempt_count;
	struct bc_attempt *out = bc_arena_alloc(op->arena, (n + 1) * sizeof(*out));
	for (uint32_t i = 0; out && i < n; i++) {
		out[i] = rec->attempts[i].a;
		out[i].key_fingerprint.ptr = rec->attempts[i].key;
		if (mem_copy_text(out[i].error, op->arena, &out[i].error) ||
		    mem_copy_text(out[i].key_fingerprint, op->arena, &out[i].key_fingerprint))
			return BC_ENOMEM;
	}
	op->out.story.attempts = out;
	op->out.story.attempt_count = n;
	return out ? 0 : BC_ENOMEM;
}

static int get_order(struct mem *m, struct bc_store_op *op)
{
	struct bc_str name = op->in.get_order.order;
	const struct mem_order *rec = mem_order_by_id(m, name);
	if (rec) {
		int result = mem_copy_order(&rec->o, op->arena, &op->out.story.order);
		return result ? result : copy_attempts(rec, op);
	}
	op->result = bc_err_tell(&op->err, BC_ENOENT,
				 "backchannel orders lists what there is; an order that was never "
				 "reported, or deleted by order.keep, is not known",
				 "there is no order \"%.*s\"", (int)name.len, name.ptr);
	return 0;
}

static const struct bc_lane_record *lane_of(struct mem *m, const struct bc_order *order)
{
	return mem_find_lane(m, order->partner, order->product);
}

/* --- many orders --------------------------------------------------------------------------- */

/* Copies what is due into op's arena. */
static int read_due(struct mem *m, struct bc_store_op *op)
{
	const __typeof__(op->in.lease) *in = &op->in.lease;
	const struct bc_lane_record *lane = mem_find_lane(m, in->partner, in->product);
	struct mem_order *rec = mem_order_due(m, NULL, in->partner, in->product);
	uint64_t most = m->counts.orders[BC_ORDER_PENDING];
	if (most > in->limit)
		most = in->limit;
	struct bc_order *orders = bc_arena_alloc(op->arena, (most + 1) * sizeof(*orders));
	if (!orders)
		return BC_ENOMEM;
	op->out.lease.orders = orders;
	for (; rec && op->out.lease.count < most && rec->o.due_ms <= in->now_ms;
	     rec = mem_order_due(m, rec, in->partner, in->product)) {
		if (bc_rule_is_past(&rec->o, lane, in->now_ms) ||
		    bc_rule_is_excepted(op, rec->o.order))
			continue;
		if (mem_copy_order(&rec->o, op->arena, &orders[op->out.lease.count]))
			return BC_ENOMEM;
		op->out.lease.count++;
	}
	return 0;
}

static int lease(struct mem *m, struct bc_store_op *op)
{
	if (op->in.lease.only_order.ptr)
		return bc_rule_lease_only(&mem_rows, m, op);
	int result = read_due(m, op);
	if (result)
		return result;
	uint32_t count = op->out.lease.count;
	op->out.lease.count = 0;
	for (uint32_t i = 0; i < count; i++) {
		/* What is leased already must be told. */
		if (bc_rule_lease(&mem_rows, m, op, &op->out.lease.orders[i]))
			return i ? 0 : BC_ENOMEM;
		op->out.lease.count++;
	}
	return 0;
}

static int release(struct mem *m, struct bc_store_op *op)
{
	struct mem_order *rec = mem_order_below(m, 0);
	for (; rec; rec = mem_order_below(m, rec->o.row)) {
		struct bc_order order = rec->o;
		if (order.created_ms > op->out.changed.newest_ms)
			op->out.changed.newest_ms = order.created_ms;
		if (order.state != BC_ORDER_SENDING)
			continue;
		if (bc_rule_release(&mem_rows, m, &order, op->in.release.now_ms))
			return BC_ENOMEM;
		op->out.changed.count++;
	}
	return 0;
}

static int requeue(struct mem *m, struct bc_store_op *op)
{
	const __typeof__(op->in.requeue) *in = &op->in.requeue;
	if (in->order.ptr)
		return bc_rule_requeue(&mem_rows, m, op);
	struct mem_order *rec = mem_order_below(m, in->select.before_row);
	uint32_t left = bc_rule_requeue_look(&in->select);
	for (; rec; rec = mem_order_below(m, rec->o.row)) {
		struct bc_order order = rec->o;
		if (left-- == 0) {
			op->out.changed.next_before_row = order.row + 1;
			return 0;
		}
		if (!bc_rule_selects(&in->select, &order) || !bc_rule_requeues(&order, &in->select))
			continue;
		if (in->select.limit && op->out.changed.count == in->select.limit) {
			op->out.changed.next_before_row = order.row + 1;
			return 0;
		}
		if (!in->select.count_only &&
		    bc_rule_make_due(&mem_rows, m, &order, in->now_ms, in->deadline_ms))
			return BC_ENOMEM;
		op->out.changed.count++;
	}
	return 0;
}

/* The next order that is named, from rec on; NULL: there are no more, or, if left is 0, none may be
 * looked at: op says where to go on. */
static struct mem_order *next_named(struct mem *m, struct bc_store_op *op, struct mem_order *rec,
				    uint32_t *left)
{
	for (; rec; rec = mem_order_below(m, rec->o.row)) {
		if (*left == 0) {
			op->out.list.next_before_row = rec->o.row + 1;
			return NULL;
		}
		(*left)--;
		if (bc_rule_selects(&op->in.list.select, &rec->o))
			return rec;
	}
	return NULL;
}

static int list_orders(struct mem *m, struct bc_store_op *op)
{
	const struct bc_order_selector *select = &op->in.list.select;
	__typeof__(op->out.list) *out = &op->out.list;
	uint32_t limit = select->count_only ? UINT32_MAX : bc_rule_list_limit(select);
	uint32_t left = BC_LOOK_ROWS_MAX;
	if (!select->count_only)
		out->orders = bc_arena_alloc(op->arena, limit * sizeof(*out->orders));
	if (!select->count_only && !out->orders)
		return BC_ENOMEM;
	struct mem_order *rec = mem_order_below(m, select->before_row);
	for (; (rec = next_named(m, op, rec, &left)); rec = mem_order_below(m, rec->o.row)) {
		if (out->count == limit) {
			out->next_before_row = rec->o.row + 1;
			return 0;
		}
		if (out->orders && mem_copy_order(&rec->o, op->arena, &out->orders[out->count]))
			return BC_ENOMEM;
		out->count++;
	}
	return 0;
}

/* Oldest first. They are few: no tree of their own. */
static int due_comments(struct mem *m, struct bc_store_op *op)
{
	__typeof__(op->out.list) *out = &op->out.list;
	const uint32_t limit = bc_rule_comment_limit(op);
	out->orders = bc_arena_alloc(op->arena, limit * sizeof(*out->orders));
	if (!out->orders)
		return BC_ENOMEM;
	const struct bc_tree_node *node = bc_tree_first(&m->orders_by_row);
	for (; node && out->count < limit; node = bc_tree_after(&m->orders_by_row, node)) {
		const struct mem_order *rec = BC_CONTAINER(node, const struct mem_order, by_row);
		if (rec->o.comment != BC_COMMENT_DUE)
			continue;
		if (mem_copy_order(&rec->o, op->arena, &out->orders[out->count]))
			return BC_ENOMEM;
		out->count++;
	}
	return 0;
}

/* --- clean-up ------------------------------------------------------------------------------ */

static void purge_clicks(struct mem *m, struct bc_store_op *op, uint32_t limit)
{
	struct bc_tree_node *node;
	while (op->out.purge.clicks < limit && (node = bc_tree_first(&m->clicks_by_expiry))) {
		struct mem_click *rec = BC_CONTAINER(node, struct mem_click, by_expiry);
		if (rec->c.expires_ms > op->in.purge.clicks_before_ms)
			return;
		mem_delete_click(m, rec);
		op->out.purge.clicks++;
	}
}

/* Does to one order what is to be done, each kind of work up to its limit. */
static int purge_order(struct mem *m, struct bc_store_op *op, struct mem_order *rec, uint32_t limit)
{
	const __typeof__(op->in.purge) *in = &op->in.purge;
	__typeof__(op->out.purge) *out = &op->out.purge;
	const struct bc_order *o = &rec->o;
	if (o->state == BC_ORDER_PENDING && out->expired < limit &&
	    bc_rule_is_past(o, lane_of(m, o), in->now_ms)) {
		struct bc_order order = *o;
		out->expired++;
		return bc_rule_expire(&mem_rows, m, &order, in->now_ms);
	}
	if (bc_rule_clears(o, in->clear_before_ms) && out->cleared < limit) {
		struct bc_order order = *o;
		out->cleared++;
		return bc_rule_clear(&mem_rows, m, &order);
	}
	if (bc_rule_forgets(o, in->unattributed_before_ms) && out->orders < limit) {
		out->orders++;
		mem_delete_order(m, rec);
	}
	return 0;
}

static int purge(struct mem *m, struct bc_store_op *op)
{
	__typeof__(op->out.purge) *out = &op->out.purge;
	uint32_t limit = bc_rule_purge_limit(op);
	out->more = bc_returns_expire(&m->returns, op->in.purge.now_ms, limit) == limit;
	bc_returns_settle(&m->returns);
	out->more = bc_tally_expire(&m->tally, op->in.purge.now_ms, limit) == limit || out->more;
	bc_tally_settle(&m->tally);
	purge_clicks(m, op, limit);
	struct mem_order *rec = mem_order_below(m, 0);
	while (rec) {
		uint64_t row = rec->o.row;
		int result = purge_order(m, op, rec, limit);
		if (result)
			return result;
		rec = mem_order_below(m, row);
	}
	out->more = out->more || out->clicks == limit || out->cleared == limit ||
		    out->orders == limit || out->expired == limit;
	return 0;
}

/* --- numbers and meta ---------------------------------------------------------------------- */

static int counts(struct mem *m, struct bc_store_op *op)
{
	op->out.counts = m->counts;
	return 0;
}

static int returns(struct mem *m, struct bc_store_op *op)
{
	return bc_returns_tell(&m->returns, op->in.returns.now_ms, op->arena,
			       &op->out.returns.products, &op->out.returns.count);
}

static int history(struct mem *m, struct bc_store_op *op)
{
	return bc_history_tell(&m->returns, &m->tally, op);
}

static int get_meta(struct mem *m, struct bc_store_op *op)
{
	const struct mem_meta *rec = mem_meta_by_key(m, op->in.meta.key);
	if (rec)
		return mem_copy_text(bc_str_of(rec->value), op->arena, &op->out.meta);
	op->result = BC_ENOENT;
	return 0;
}

static int put_meta(struct mem *m, struct bc_store_op *op)
{
	return mem_put_meta(m, op->in.meta.key, op->in.meta.value);
}

static int probe(struct mem *m, struct bc_store_op *op)
{
	(void)op;
	return mem_put_meta(m, BC_STR("store.probe"), BC_STR("written"));
}

static int refuse_backup(struct mem *m, struct bc_store_op *op)
{
	(void)m;
	op->result = bc_err_set(&op->err, BC_EINVAL, "a store in memory cannot be backed up");
	bc_err_hint(&op->err, "nothing of it is kept: use store = sqlite:PATH");
	return 0;
}

static int (*const operations[BC_STORE_KINDS])(struct mem *, struct bc_store_op *) = {
	[BC_STORE_PUT_CLICK] = put_click,
	[BC_STORE_DELETE_CLICK] = delete_click,
	[BC_STORE_ACCEPT_ORDER] = accept_order,
	[BC_STORE_LEASE] = lease,
	[BC_STORE_FINISH] = finish,
	[BC_STORE_RELEASE] = release,
	[BC_STORE_GET_ORDER] = get_order,
	[BC_STORE_LIST_ORDERS] = list_orders,
	[BC_STORE_REQUEUE] = requeue,
	[BC_STORE_CANCEL] = cancel,
	[BC_STORE_PURGE] = purge,
	[BC_STORE_COUNTS] = counts,
	[BC_STORE_RETURNS] = returns,
	[BC_STORE_HISTORY] = history,
	[BC_STORE_LANES] = mem_tell_lanes,
	[BC_STORE_PUT_LANE] = mem_put_lane,
	[BC_STORE_GET_META] = get_meta,
	[BC_STORE_PUT_META] = put_meta,
	[BC_STORE_PROBE] = probe,
	[BC_STORE_TAKE_PAGE] = take_page,
	[BC_STORE_BIND_CLICK] = bind_click,
	[BC_STORE_DUE_COMMENTS] = due_comments,
	[BC_STORE_PUT_COMMENT] = put_comment,
	[BC_STORE_BACKUP] = refuse_backup,
};

static int apply(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	(void)fault;
	if (operations[op->kind](engine, op)) {
		memset(&op->out, 0, sizeof(op->out));
		op->result = bc_err_nomem(&op->err);
	}
	bc_rule_answer(&mem_rows, engine, op);
	return 0;
}

const struct bc_engine bc_engine_memory = {
	.name = "memory",
	.help = "nothing is kept over a restart; for tests and try-outs: memory:",
	.undoes_nothing = true,
	.open = mem_open,
	.close = mem_close,
	.begin = no_transaction,
	.commit = no_transaction,
	.rollback = no_rollback,
	.apply = apply,
};
