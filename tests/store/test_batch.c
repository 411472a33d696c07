/* SPDX-License-Identifier: MIT */
/*
 * What comes together is one transaction, and yet one after the other: each operation meets what
 * those before it in the same batch did, whatever an engine puts off until the commit.
 */
#include "harness.h"

#include <stdio.h>

enum { MANY = 150 };

struct batch {
	struct bc_store_op *first, **last;
	unsigned count;
};

static void over(struct bc_store_op *op)
{
	(void)op; /* the batch counts them */
}

static struct bc_store_op *add(struct batch *b, struct bc_store_op *op)
{
	op->done = over;
	*b->last = op;
	b->last = &op->next;
	b->count++;
	return op;
}

static void run(struct rig *r, struct batch *b)
{
	bc_store_submit_all(r->store, &r->box.base, b->first);
	for (unsigned done = 0; done < b->count;)
		done += mailbox_serve(&r->box);
}

static struct bc_store_op *add_report(struct rig *r, struct batch *b, const char *order,
				      const char *token, const char *session)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	struct bc_accept *a = &op->in.accept;
	a->order = bc_str_of(order);
	a->partner = BC_STR("partner");
	a->product = BC_STR("default");
	a->token = bc_str_of(token);
	if (token)
		fill_hash(a->token_hash, token);
	a->has_session = session != NULL;
	if (session)
		fill_hash(a->session, session);
	a->now_ms = a->due_ms = 100;
	return add(b, op);
}

static struct bc_store_op *add_click(struct rig *r, struct batch *b, const char *id,
				     const char *session)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_CLICK);
	struct bc_click *c = &op->in.put_click.click;
	fill_hash(c->id, id);
	c->has_session = true;
	fill_hash(c->session, session);
	c->token = bc_str_of(id);
	fill_hash(c->token_hash, id);
	c->partner = BC_STR("partner");
	c->product = BC_STR("default");
	c->captured_ms = 90;
	c->expires_ms = 1000;
	op->in.put_click.due_ms = 90;
	return add(b, op);
}

static struct bc_store_op *add_named(struct rig *r, struct batch *b, enum bc_store_kind kind,
				     const char *order)
{
	struct bc_store_op *op = rig_op(r, kind);
	if (kind == BC_STORE_CANCEL)
		op->in.cancel.order = bc_str_of(order);
	else
		op->in.get_order.order = bc_str_of(order);
	return add(b, op);
}

static void is_accepted(const struct bc_store_op *op, enum bc_accept_result how,
			enum bc_order_state state)
{
	assert_int_equal(op->result, 0);
	assert_int_equal(op->out.accept.how, how);
	assert_int_equal(op->out.accept.order.state, state);
}

static void an_order_that_comes_twice_at_once_is_one(void **state)
{
	struct rig *r = *state;
	struct batch b = { .last = &b.first };
	const struct bc_store_op *first = add_report(r, &b, "1", "token-a", NULL);
	const struct bc_store_op *other = add_report(r, &b, "2", "token-b", NULL);
	const struct bc_store_op *again = add_report(r, &b, "1", "token-a", NULL);
	const struct bc_store_op *conflict = add_report(r, &b, "1", "token-c", NULL);
	run(r, &b);
	is_accepted(first, BC_ACCEPT_CREATED, BC_ORDER_PENDING);
	is_accepted(other, BC_ACCEPT_CREATED, BC_ORDER_PENDING);
	is_accepted(again, BC_ACCEPT_REPEATED, BC_ORDER_PENDING);
	is_accepted(conflict, BC_ACCEPT_CONFLICT, BC_ORDER_PENDING);
	assert_counts(r, "pending=2");
}

static void a_token_that_comes_twice_at_once_has_one_order(void **state)
{
	struct rig *r = *state;
	struct batch b = { .last = &b.first };
	const struct bc_store_op *first = add_report(r, &b, "1", "token-a", NULL);
	const struct bc_store_op *second = add_report(r, &b, "2", "token-a", NULL);
	run(r, &b);
	is_accepted(first, BC_ACCEPT_CREATED, BC_ORDER_PENDING);
	is_accepted(second, BC_ACCEPT_CREATED, BC_ORDER_UNATTRIBUTED);
	assert_text(second->out.accept.order.reason, BC_REASON_CLICK_USED "1");
	assert_counts(r, "unattributed=1 pending=1");
}

static void what_came_is_met_by_whatever_follows_it(void **state)
{
	struct rig *r = *state;
	struct batch b = { .last = &b.first };
	add_report(r, &b, "1", "token-a", NULL);
	const struct bc_store_op *told = add_named(r, &b, BC_STORE_GET_ORDER, "1");
	add_report(r, &b, "2", "token-b", NULL);
	struct bc_store_op *listed = add(&b, rig_op(r, BC_STORE_LIST_ORDERS));
	listed->in.list.select.state = BC_ORDER_PENDING;
	add_report(r, &b, "3", "token-c", NULL);
	const struct bc_store_op *cancelled = add_named(r, &b, BC_STORE_CANCEL, "3");
	add_report(r, &b, "4", "token-d", NULL);
	struct bc_store_op *leased = add(&b, rig_op(r, BC_STORE_LEASE));
	leased->in.lease.now_ms = 200;
	leased->in.lease.lease_ms = 300;
	leased->in.lease.limit = 10;
	leased->in.lease.partner = BC_STR("partner");
	leased->in.lease.product = BC_STR("default");
	run(r, &b);
	assert_int_equal(told->result, 0);
	assert_int_equal(told->out.story.order.state, BC_ORDER_PENDING);
	assert_int_equal(listed->out.list.count, 2);
	assert_int_equal(cancelled->result, 0);
	assert_int_equal(leased->out.lease.count, 3);
	assert_text(leased->out.lease.orders[2].order, "4");
	assert_counts(r, "sending=3 cancelled=1");
}

static void a_click_adopts_the_order_that_came_with_it(void **state)
{
	struct rig *r = *state;
	struct batch b = { .last = &b.first };
	const struct bc_store_op *early = add_report(r, &b, "1", NULL, "session");
	const struct bc_store_op *click = add_click(r, &b, "click-of-1", "session");
	const struct bc_store_op *later = add_report(r, &b, "2", NULL, "session");
	run(r, &b);
	is_accepted(early, BC_ACCEPT_CREATED, BC_ORDER_UNATTRIBUTED);
	assert_int_equal(click->result, 0);
	assert_int_equal(click->out.put_click.adopted, 1);
	is_accepted(later, BC_ACCEPT_CREATED, BC_ORDER_UNATTRIBUTED);
	assert_text(later->out.accept.order.reason, BC_REASON_CLICK_USED "1");
	assert_int_equal(state_of(r, "1"), BC_ORDER_PENDING);
}

static void many_at_once_are_all_there_and_in_their_order(void **state)
{
	struct rig *r = *state;
	struct batch b = { .last = &b.first };
	char names[MANY][8];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "o%u", i);
		add_report(r, &b, names[i], names[i], NULL);
	}
	run(r, &b);
	const struct bc_store_op *all =
		list(r, (struct bc_order_selector){ .state = BC_ORDER_PENDING, .limit = MANY });
	assert_int_equal(all->out.list.count, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_text(all->out.list.orders[i].order, names[MANY - 1 - i]);
	if (!rig_reopen(r))
		return;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(state_of(r, names[i]), BC_ORDER_PENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_order_that_comes_twice_at_once_is_one),
		STORE_TEST(a_token_that_comes_twice_at_once_has_one_order),
		STORE_TEST(what_came_is_met_by_whatever_follows_it),
		STORE_TEST(a_click_adopts_the_order_that_came_with_it),
		STORE_TEST(many_at_once_are_all_there_and_in_their_order),
	};
	return RUN_EACH_ENGINE(tests);
}
