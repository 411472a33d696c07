/* SPDX-License-Identifier: MIT */
/* The returns (returns.h) on disk: a row a bucket and product, written by each commit that changes
 * it. The counts' functions (sqlite_counts.c) call those here, so both move and turn back together.
 */
#include "store/history.h"
#include "store/sqlite_impl.h"

int sq_returns_load(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_RETURNS);
	int row;
	while ((row = sq_step(&q)) == 1) {
		struct bc_returns_bucket bucket = { .number = sq_int(&q, 0) };
		for (int i = 0; i < BC_RETURNS_STATES; i++)
			bucket.now[i] = (uint32_t)sq_int(&q, 3 + i);
		if (bc_returns_load(&e->returns, sq_text(&q, 1), sq_text(&q, 2), &bucket))
			return sq_no_memory(e);
	}
	bc_returns_settle(&e->returns);
	return row;
}

static bool is_gone(const struct bc_returns_bucket *bucket)
{
	for (int i = 0; i < BC_RETURNS_STATES; i++) {
		if (bucket->now[i])
			return false;
	}
	return true;
}

static int write_bucket(void *e, const struct bc_returns_product *of,
			const struct bc_returns_bucket *bucket)
{
	bool gone = is_gone(bucket);
	SQ_QUERY q = sq_query(e, gone ? SQ_RETURNS_DELETE : SQ_RETURNS_PUT);
	sq_add_int(&q, bucket->number);
	sq_add_text(&q, bc_str_of(of->partner));
	sq_add_text(&q, bc_str_of(of->product));
	for (int i = 0; !gone && i < BC_RETURNS_STATES; i++)
		sq_add_int(&q, bucket->now[i]);
	return sq_run(&q);
}

int sq_returns_store(struct sq *e)
{
	return bc_returns_changes(&e->returns, write_bucket, e);
}

int sq_tell_returns(struct sq *e, struct bc_store_op *op)
{
	return bc_returns_tell(&e->returns, op->in.returns.now_ms, op->arena,
			       &op->out.returns.products, &op->out.returns.count)
		       ? sq_no_memory(e)
		       : 0;
}

int sq_tell_history(struct sq *e, struct bc_store_op *op)
{
	return bc_history_tell(&e->returns, &e->tally, op) ? sq_no_memory(e) : 0;
}
