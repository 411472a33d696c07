/* SPDX-License-Identifier: MIT */
/*
 * Four origins at once: each operation is completed exactly once, to its own origin, in the order
 * of submission; and the counts at the end are those of the rows.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORIGINS = 4, OPS = 5000, WINDOW = 256 };

struct job {
	struct bc_store_op op;
	struct bc_arena *arena;
	unsigned serial, completions;
	char text[32];
};

struct origin {
	struct bc_store *store;
	struct mailbox box;
	pthread_t thread;
	struct job *jobs; /* OPS of them */
	unsigned number, completed, out_of_order, failed, conversions;
};

static void job_done(struct bc_store_op *op)
{
	struct job *job = BC_CONTAINER(op, struct job, op);
	struct origin *o = op->ctx;
	job->completions++;
	if (job->serial != o->completed)
		o->out_of_order++;
	if (op->result && op->result != BC_ENOENT && op->result != BC_ESTATE)
		o->failed++;
	if (op->kind == BC_STORE_ACCEPT_ORDER && op->result == 0 &&
	    op->out.accept.how == BC_ACCEPT_CREATED &&
	    op->out.accept.order.state == BC_ORDER_PENDING)
		o->conversions++;
	o->completed++;
	bc_arena_destroy(job->arena);
}

/* A mix: clicks, orders on them, orders of the other origins, leases, lists. */
static void fill(struct origin *o, struct job *job, unsigned i)
{
	struct bc_store_op *op = &job->op;
	switch (i % 8) {
	case 0:
	case 3:
		op->kind = BC_STORE_PUT_CLICK;
		snprintf(job->text, sizeof(job->text), "%u-%u", o->number, i);
		fill_hash(op->in.put_click.click.id, job->text);
		op->in.put_click.click.token = bc_str_of(job->text);
		fill_hash(op->in.put_click.click.token_hash, job->text);
		op->in.put_click.click.partner = BC_STR("partner");
		op->in.put_click.click.product = BC_STR("default");
		op->in.put_click.click.expires_ms = 1000000;
		break;
	case 1:
	case 4:
		/* an order on the click just put; every second one names another origin's order */
		op->kind = BC_STORE_ACCEPT_ORDER;
		snprintf(job->text, sizeof(job->text), "%u-%u", o->number, i - 1);
		fill_hash(op->in.accept.click, job->text);
		op->in.accept.has_click = true;
		snprintf(job->text, sizeof(job->text), "%u-%u", i % 8 == 1 ? o->number : 0, i);
		op->in.accept.order = bc_str_of(job->text);
		op->in.accept.partner = BC_STR("partner");
		op->in.accept.product = BC_STR("default");
		op->in.accept.now_ms = op->in.accept.due_ms = i;
		break;
	case 2:
		op->kind = BC_STORE_LEASE;
		op->in.lease.now_ms = i;
		op->in.lease.limit = 2;
		op->in.lease.partner = BC_STR("partner");
		op->in.lease.product = BC_STR("default");
		break;
	case 5:
		op->kind = BC_STORE_COUNTS;
		break;
	case 6:
		op->kind = BC_STORE_LIST_ORDERS;
		op->in.list.select.state = BC_ORDER_STATE_ANY;
		op->in.list.select.limit = 3;
		break;
	default:
		op->kind = BC_STORE_CANCEL;
		snprintf(job->text, sizeof(job->text), "%u-%u", o->number, i - 6);
		op->in.cancel.order = bc_str_of(job->text);
		break;
	}
}

static void *origin_main(void *arg)
{
	struct origin *o = arg;
	for (unsigned i = 0; i < OPS; i++) {
		struct job *job = &o->jobs[i];
		job->serial = i;
		job->arena = bc_arena_create(2048, 65536);
		job->op.arena = job->arena;
		job->op.ctx = o;
		job->op.done = job_done;
		fill(o, job, i);
		bc_store_submit(o->store, &o->box.base, &job->op);
		while (i + 1 - o->completed >= WINDOW)
			mailbox_serve(&o->box);
	}
	while (o->completed < OPS)
		mailbox_serve(&o->box);
	return NULL;
}

static void origin_check(struct origin *o)
{
	assert_int_equal(o->out_of_order, 0);
	assert_int_equal(o->failed, 0);
	for (unsigned i = 0; i < OPS; i++)
		assert_int_equal(o->jobs[i].completions, 1);
	free(o->jobs);
	mailbox_finish(&o->box);
}

static void mixed_operations_of_four_origins_all_complete_once(void **state)
{
	struct rig *r = *state;
	struct origin origins[ORIGINS];
	unsigned conversions = 0;
	for (unsigned i = 0; i < ORIGINS; i++) {
		origins[i] = (struct origin){ .store = r->store, .number = i };
		origins[i].jobs = calloc(OPS, sizeof(struct job));
		mailbox_init(&origins[i].box);
	}
	for (unsigned i = 0; i < ORIGINS; i++)
		assert_int_equal(pthread_create(&origins[i].thread, NULL, origin_main, &origins[i]),
				 0);
	for (unsigned i = 0; i < ORIGINS; i++) {
		pthread_join(origins[i].thread, NULL);
		conversions += origins[i].conversions;
		origin_check(&origins[i]);
	}
	struct bc_store_counts c = counts(r);
	assert_int_equal(c.clicks, ORIGINS * OPS / 4);
	assert_int_equal(c.orders[BC_ORDER_UNATTRIBUTED], 0);
	assert_int_equal(c.orders[BC_ORDER_PENDING] + c.orders[BC_ORDER_SENDING] +
				 c.orders[BC_ORDER_CANCELLED],
			 conversions);
	/* the first kind of order: one an origin; the second: one for all */
	assert_int_equal(conversions, ORIGINS * OPS / 8 + OPS / 8);
	struct bc_store_stats stats;
	bc_store_stats(r->store, &stats);
	assert_int_equal(stats.commit_errors, 0);
	assert_true(stats.operations >= ORIGINS * OPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(mixed_operations_of_four_origins_all_complete_once),
	};
	return RUN_EACH_ENGINE(tests);
}
