/* SPDX-License-Identifier: MIT */
/* See history.h. */
#include "history.h"

#include <stdio.h>
#include <string.h>

/* --- the history --------------------------------------------------------------------------- */

/* Each conversion's way: o1 delivered, o2 failed, released, delivered; o3 adopted, rejected,
 * requeued, cancelled; o4 accepted on a lane that stands; o5 expired and brought back; o6 on a used
 * click. Then what a caller repeats. Then Commerce: o7 accepted, taken back, back by its second
 * edition, rejected, commented on, requeued; o8 taken back before it was known, back, taken back on
 * its way; o9 waits for a session that its click is bound to. */
const struct line history[] = {
	{ BC_STORE_PUT_CLICK, 10, .click = "c1", .token = "t1", .session = "s1" },
	{ BC_STORE_ACCEPT_ORDER, 20, .order = "o1", .click = "c1" },
	{ BC_STORE_ACCEPT_ORDER, 21, .order = "o2", .token = "t2" },
	{ BC_STORE_ACCEPT_ORDER, 22, .order = "o3", .session = "s3" },
	{ BC_STORE_PUT_CLICK, 23, .click = "c3", .token = "t3", .session = "s3", .due = 23 },
	{ BC_STORE_PUT_CLICK, 24, .click = "c4", .token = "t4" },
	{ BC_STORE_GET_ORDER, 25, .order = "o3" },
	{ BC_STORE_LEASE, 30, .order = "o1", .n = 1 },
	{ BC_STORE_FINISH, 31, "o1", .n = 1, .next = BC_ORDER_DELIVERED, .flag = true },
	{ BC_STORE_LEASE, 32, .order = "o2", .n = 1 },
	{ BC_STORE_FINISH, 33, "o2", .n = 1, .next = BC_ORDER_PENDING, .due = 40 },
	{ BC_STORE_LANES, 34 },
	{ BC_STORE_LEASE, 41, .n = 5 },
	{ BC_STORE_FINISH, 42, "o3", .n = 1, .next = BC_ORDER_REJECTED, .text = "hopeless" },
	{ BC_STORE_RELEASE, 43 },
	{ BC_STORE_REQUEUE, 44, .order = "o3" },
	{ BC_STORE_CANCEL, 45, .order = "o3", .text = "asked for" },
	{ BC_STORE_PUT_LANE, 46, .text = "parked", .flag = true },
	{ BC_STORE_ACCEPT_ORDER, 47, .order = "o4", .click = "c4", .deadline = 1000 },
	{ BC_STORE_PUT_META, 48, .text = "noted" },
	{ BC_STORE_PUT_LANE, 60, .text = "open" },
	{ BC_STORE_DELETE_CLICK, 61, .click = "c4" },
	{ BC_STORE_LIST_ORDERS, 62 },
	{ BC_STORE_LEASE, 70, .order = "o2", .n = 1 },
	{ BC_STORE_FINISH, 71, "o2", .n = 3, .next = BC_ORDER_DELIVERED },
	{ BC_STORE_ACCEPT_ORDER, 72, .order = "o5", .token = "t5", .deadline = 75 },
	{ BC_STORE_PURGE, 80 },
	{ BC_STORE_REQUEUE, 81, .deadline = 2000 },
	{ BC_STORE_COUNTS, 82 },
	{ BC_STORE_ACCEPT_ORDER, 90, .order = "o1", .click = "c1" },
	{ BC_STORE_ACCEPT_ORDER, 91, .order = "o6", .token = "t2" },
	{ BC_STORE_PROBE, 92 },
	{ BC_STORE_TAKE_PAGE, 110, .order = "o7", .token = "t7", .text = "o8" },
	{ BC_STORE_TAKE_PAGE, 111, .order = "o8", .token = "t8", .text = "o7", .n = 1 },
	{ BC_STORE_LEASE, 112, .order = "o8", .n = 1 },
	{ BC_STORE_TAKE_PAGE, 113, .text = "o8", .n = 1 },
	{ BC_STORE_RELEASE, 114 },
	{ BC_STORE_TAKE_PAGE, 115, .order = "o7", .token = "t7", .n = 2 },
	{ BC_STORE_LEASE, 116, .order = "o7", .n = 1 },
	{ BC_STORE_FINISH, 117, "o7", .n = 1, .next = BC_ORDER_REJECTED, .comment = true },
	{ BC_STORE_DUE_COMMENTS, 118 },
	{ BC_STORE_PUT_COMMENT, 119, .order = "o7", .n = BC_COMMENT_DONE },
	{ BC_STORE_REQUEUE, 120, .order = "o7" },
	{ BC_STORE_PUT_CLICK, 121, .click = "c7", .token = "t10", .due = 121 },
	{ BC_STORE_ACCEPT_ORDER, 122, .order = "o9", .session = "s9" },
	{ BC_STORE_BIND_CLICK, 123, .click = "c7", .session = "s9" },
	{ BC_STORE_GET_ORDER, 124, .order = "o9" },
	{ BC_STORE_TAKE_PAGE, 125, .order = "o9", .click = "c7", .text = "o1" },
	{ BC_STORE_TAKE_PAGE, 126, .order = "o10", .text = "o10", .n = 3 },
	{ BC_STORE_CANCEL, 127, .order = "o10", .text = "asked for" },
};
_Static_assert(BC_COUNT(history) == HISTORY_LINES, "one line more or less");

static void fill_click(struct bc_store_op *op, const struct line *l)
{
	struct bc_click *c = &op->in.put_click.click;
	fill_hash(c->id, l->click);
	c->has_session = l->session != NULL;
	if (l->session)
		fill_hash(c->session, l->session);
	c->token = bc_str_of(l->token);
	fill_hash(c->token_hash, l->token);
	c->partner = BC_STR("partner");
	c->product = BC_STR("default");
	c->captured_ms = l->at;
	c->expires_ms = l->at + 1000;
	op->in.put_click.due_ms = l->due;
}

static void fill_report(struct bc_accept *a, const struct line *l)
{
	a->order = bc_str_of(l->order);
	a->partner = BC_STR("partner");
	a->product = BC_STR("default");
	a->token = bc_str_of(l->token);
	fill_hash(a->token_hash, l->token ? l->token : "");
	a->has_click = l->click != NULL;
	fill_hash(a->click, l->click ? l->click : "");
	a->has_session = l->session != NULL;
	fill_hash(a->session, l->session ? l->session : "");
	a->now_ms = a->due_ms = l->at;
	a->deadline_ms = l->deadline;
}

static void fill_accept(struct bc_store_op *op, const struct line *l)
{
	fill_report(&op->in.accept, l);
}

static void add_item(struct bc_store_op *op, const struct line *l)
{
	struct bc_page_item *item = &op->in.page.items[op->in.page.count++];
	item->what = BC_PAGE_ACCEPT;
	fill_report(&item->in.accept, l);
	item->in.accept.entity_id = 1000 + l->n;
	item->in.accept.edition = l->n;
}

static void add_revocation(struct bc_store_op *op, const struct line *l)
{
	struct bc_page_item *item = &op->in.page.items[op->in.page.count++];
	item->what = BC_PAGE_REVOKE;
	item->in.revoke.order = bc_str_of(l->text);
	item->in.revoke.partner = BC_STR("partner");
	item->in.revoke.product = BC_STR("default");
	item->in.revoke.reason = BC_STR("taken back");
	item->in.revoke.edition = l->n;
	item->in.revoke.now_ms = l->at;
}

static void fill_page(struct bc_store_op *op, const struct line *l)
{
	op->in.page.items = bc_arena_alloc(op->arena, 2 * sizeof(*op->in.page.items));
	assert_non_null(op->in.page.items);
	if (l->order)
		add_item(op, l);
	if (l->text)
		add_revocation(op, l);
	op->in.page.key = BC_STR("position");
	op->in.page.value = bc_str_of(bc_arena_printf(op->arena, "%u", (unsigned)l->at));
}

static void fill_bind(struct bc_store_op *op, const struct line *l)
{
	fill_hash(op->in.bind.click, l->click);
	fill_hash(op->in.bind.copy, "a copy");
	fill_hash(op->in.bind.session, l->session);
	op->in.bind.now_ms = op->in.bind.due_ms = l->at;
}

static void fill_lease(struct bc_store_op *op, const struct line *l)
{
	op->in.lease.now_ms = l->at;
	op->in.lease.lease_ms = l->at + 90;
	op->in.lease.limit = l->n;
	op->in.lease.partner = BC_STR("partner");
	op->in.lease.product = BC_STR("default");
	op->in.lease.key_fingerprint = BC_STR("0a1b2c3d");
	op->in.lease.only_order = bc_str_of(l->order);
}

static void fill_finish(struct bc_store_op *op, const struct line *l)
{
	op->in.finish.order = bc_str_of(l->order);
	op->in.finish.n = l->n;
	op->in.finish.next = l->next;
	op->in.finish.now_ms = l->at;
	op->in.finish.due_ms = l->due;
	op->in.finish.reason = bc_str_of(l->text);
	op->in.finish.clear_token = l->flag;
	op->in.finish.comment = l->comment;
	op->in.finish.count_failure = l->next == BC_ORDER_PENDING;
	op->in.finish.status = l->next == BC_ORDER_DELIVERED ? 200 : 503;
	op->in.finish.outcome = (int)l->next;
	op->in.finish.duration_ms = 7;
	op->in.finish.error = BC_STR("as it was answered");
}

static void fill_put_lane(struct bc_store_op *op, const struct line *l)
{
	op->in.put_lane.partner = BC_STR("partner");
	op->in.put_lane.product = BC_STR("default");
	op->in.put_lane.state = bc_str_of(l->text);
	op->in.put_lane.reason = BC_STR("a test says so");
	op->in.put_lane.stands = l->flag;
	op->in.put_lane.now_ms = l->at;
}

static void fill_purge(struct bc_store_op *op, const struct line *l)
{
	op->in.purge.now_ms = l->at;
	op->in.purge.clicks_before_ms = 1011;
	op->in.purge.clear_before_ms = 40;
}

static void fill_rest(struct bc_store_op *op, const struct line *l)
{
	switch (l->kind) {
	case BC_STORE_DELETE_CLICK:
		fill_hash(op->in.delete_click, l->click);
		break;
	case BC_STORE_RELEASE:
		op->in.release.now_ms = l->at;
		break;
	case BC_STORE_REQUEUE:
		op->in.requeue.order = bc_str_of(l->order);
		op->in.requeue.select.state = BC_ORDER_STATE_ANY;
		op->in.requeue.now_ms = l->at;
		op->in.requeue.deadline_ms = l->deadline;
		break;
	case BC_STORE_CANCEL:
		op->in.cancel.order = bc_str_of(l->order);
		op->in.cancel.reason = bc_str_of(l->text);
		op->in.cancel.now_ms = l->at;
		break;
	case BC_STORE_PUT_META:
		op->in.meta.key = BC_STR("note");
		op->in.meta.value = bc_str_of(l->text);
		break;
	case BC_STORE_GET_ORDER:
		op->in.get_order.order = bc_str_of(l->order);
		break;
	case BC_STORE_PUT_COMMENT:
		op->in.put_comment.order = bc_str_of(l->order);
		op->in.put_comment.state = (enum bc_comment_state)l->n;
		break;
	case BC_STORE_LIST_ORDERS:
		op->in.list.select.state = BC_ORDER_STATE_ANY;
		break;
	default:
		break;
	}
}

static struct bc_store_op *new_op(struct bc_arena *arena, enum bc_store_kind kind)
{
	struct bc_store_op *op = bc_arena_alloc(arena, sizeof(*op));
	assert_non_null(op);
	*op = (struct bc_store_op){ .kind = kind, .arena = arena };
	return op;
}

struct bc_store_op *history_op(struct bc_arena *arena, const struct line *l)
{
	static void (*const fillers[BC_STORE_KINDS])(struct bc_store_op *, const struct line *) = {
		[BC_STORE_PUT_CLICK] = fill_click,   [BC_STORE_ACCEPT_ORDER] = fill_accept,
		[BC_STORE_LEASE] = fill_lease,	     [BC_STORE_FINISH] = fill_finish,
		[BC_STORE_PUT_LANE] = fill_put_lane, [BC_STORE_PURGE] = fill_purge,
		[BC_STORE_TAKE_PAGE] = fill_page,    [BC_STORE_BIND_CLICK] = fill_bind,
	};
	struct bc_store_op *op = new_op(arena, l->kind);
	(fillers[l->kind] ? fillers[l->kind] : fill_rest)(op, l);
	return op;
}

/* --- what an engine holds ------------------------------------------------------------------ */

static void BC_PRINTF(2, 3) say(struct dump *d, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	d->len += (size_t)vsnprintf(d->text + d->len, DUMP_BYTES - d->len, fmt, args);
	va_end(args);
	assert_true(d->len < DUMP_BYTES);
}
#define TEXT(s) (int)(s).len, (s).ptr ? (s).ptr : ""
#define U(n)	(unsigned long long)(n)

void run_alone(struct bc_batch_runner *r, struct bc_store_op *op)
{
	struct bc_op_list list = { 0 };
	bc_op_list_push(&list, op);
	bc_batch_run(r, &list);
}

/* Everything of an order but its row number, which a refused insert may use up. Ids and hashes are
 * short texts here. */
static void say_order(struct dump *d, const struct bc_order *o)
{
	say(d, "%.*s %s (%.*s) %.*s.%.*s token=%.*s hash=%s test=%d", TEXT(o->order),
	    bc_order_state_name(o->state), TEXT(o->reason), TEXT(o->partner), TEXT(o->product),
	    TEXT(o->token), o->has_token_hash ? (const char *)o->token_hash : "-", o->is_test);
	say(d, " click=%s session=%s at=%llu amount=%.*s %.*s",
	    o->has_click ? (const char *)o->click : "-",
	    o->has_session ? (const char *)o->session : "-", U(o->click_ms), TEXT(o->amount),
	    TEXT(o->currency));
	say(d, " created=%llu updated=%llu due=%llu deadline=%llu lease=%llu finished=%llu",
	    U(o->created_ms), U(o->updated_ms), U(o->state == BC_ORDER_PENDING ? o->due_ms : 0),
	    U(o->deadline_ms), U(o->state == BC_ORDER_SENDING ? o->lease_ms : 0),
	    U(o->finished_ms));
	say(d, " entity=%llu edition=%u revoked=%llu comment=%d", U(o->entity_id), o->edition,
	    U(o->revoked_ms), o->comment);
	say(d, " attempts=%u failures=%u\n", o->attempts, o->failures);
}

static void say_story(struct dump *d, struct bc_batch_runner *r, struct bc_arena *arena,
		      struct bc_str order)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_GET_ORDER);
	op->in.get_order.order = order;
	run_alone(r, op);
	assert_int_equal(op->result, 0);
	say_order(d, &op->out.story.order);
	for (uint32_t i = 0; i < op->out.story.attempt_count; i++) {
		const struct bc_attempt *a = &op->out.story.attempts[i];
		say(d, "  %u at=%llu %d %d %llu ms %.*s by %.*s\n", a->n, U(a->at_ms), a->status,
		    a->outcome, U(a->duration_ms), TEXT(a->error), TEXT(a->key_fingerprint));
	}
}

static void say_lanes(struct dump *d, struct bc_batch_runner *r, struct bc_arena *arena)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_LANES);
	run_alone(r, op);
	assert_int_equal(op->result, 0);
	for (uint32_t i = 0; i < op->out.lanes.count; i++) {
		const struct bc_lane_count *l = &op->out.lanes.lanes[i];
		say(d,
		    "lane %.*s.%.*s %.*s (%.*s) stands=%d since=%llu pending=%llu sending=%llu "
		    "oldest=%llu next=%llu\n",
		    TEXT(l->partner), TEXT(l->product), TEXT(l->state), TEXT(l->reason), l->stands,
		    U(l->since_ms), U(l->pending), U(l->sending), U(l->oldest_ms),
		    U(l->next_due_ms));
	}
}

static void say_returns(struct dump *d, struct bc_batch_runner *r, struct bc_arena *arena)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_RETURNS);
	op->in.returns.now_ms = 100;
	run_alone(r, op);
	assert_int_equal(op->result, 0);
	for (uint32_t i = 0; i < op->out.returns.count; i++) {
		const struct bc_return_count *p = &op->out.returns.products[i];
		say(d, "returns of %.*s.%.*s:", TEXT(p->partner), TEXT(p->product));
		for (int state = 0; state < BC_ORDER_STATES; state++)
			say(d, " %llu", U(p->orders[0][state]));
		say(d, "\n");
	}
}

static void say_meta(struct dump *d, struct bc_batch_runner *r, struct bc_arena *arena,
		     const char *key)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_GET_META);
	op->in.meta.key = bc_str_of(key);
	run_alone(r, op);
	say(d, "%s: %d %.*s\n", key, op->result, TEXT(op->out.meta));
}

static void say_numbers(struct dump *d, struct bc_batch_runner *r, struct bc_arena *arena)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_COUNTS);
	run_alone(r, op);
	assert_int_equal(op->result, 0);
	for (int i = 0; i < BC_ORDER_STATES; i++)
		say(d, "%s=%llu ", bc_order_state_name((enum bc_order_state)i),
		    U(op->out.counts.orders[i]));
	say(d, "clicks=%llu\n", U(op->out.counts.clicks));
	say_meta(d, r, arena, "note");
	say_meta(d, r, arena, "position");
}

void take_dump(struct bc_batch_runner *r, struct bc_arena *arena, struct dump *d)
{
	struct bc_store_op *op = new_op(arena, BC_STORE_LIST_ORDERS);
	d->len = 0;
	op->in.list.select.state = BC_ORDER_STATE_ANY;
	run_alone(r, op);
	assert_int_equal(op->result, 0);
	for (uint32_t i = 0; i < op->out.list.count; i++)
		say_story(d, r, arena, op->out.list.orders[i].order);
	say_lanes(d, r, arena);
	say_returns(d, r, arena);
	say_numbers(d, r, arena);
}
