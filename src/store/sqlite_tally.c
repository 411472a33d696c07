/* SPDX-License-Identifier: MIT */
/*
 * The tally (tally.h) on disk. A commit that only puts clicks or orders writes nothing of it: what
 * no bucket on disk has is counted again from the rows when the store is opened. counts.tallied
 * says, for both tables, up to which row the buckets have all; those behind it are few, because
 * every TALLY_ROWS rows the buckets are written, in the commit that puts the last of them.
 *
 * Invariant: what the buckets on disk say, and the rows behind counts.tallied, is what came. So
 * whatever makes a row behind it say anything else (it is deleted, or it is a copy and no click of
 * its own) has the buckets written in its own transaction: e->tally_due.
 */
#include "store/sqlite_impl.h"

enum { TALLY_ROWS = 1024 };

static uint64_t last_row(const struct sq *e, enum sq_deferred_id id)
{
	return e->counts.next_row[id].now - 1;
}

/* --- counting ------------------------------------------------------------------------------ */

static int count_one(struct sq *e, enum sq_deferred_id id, enum bc_tally_what what, uint64_t at_ms)
{
	struct bc_tally_bucket *bucket = bc_tally_bucket(&e->tally, at_ms);
	if (!bucket)
		return sq_no_memory(e);
	bc_tally_count(&e->tally, bucket, what, 1);
	if (last_row(e, id) - e->counts.tallied[id].now >= TALLY_ROWS)
		e->tally_due = true;
	return 0;
}

int sq_tally_click(struct sq *e, const struct bc_click *click)
{
	return count_one(e, SQ_SESSIONS, click->is_test ? BC_TALLY_TEST : BC_TALLY_PRODUCTION,
			 click->captured_ms);
}

int sq_tally_order(struct sq *e, const struct bc_order *order)
{
	return count_one(e, SQ_TOKENS, BC_TALLY_ORDERS, order->created_ms);
}

void sq_tally_changes(struct sq *e, enum sq_deferred_id id, uint64_t row)
{
	if (row > e->counts.tallied[id].now)
		e->tally_due = true;
}

uint32_t sq_tally_expire(struct sq *e, uint64_t now_ms, uint32_t limit)
{
	uint32_t emptied = bc_tally_expire(&e->tally, now_ms, limit);
	if (emptied)
		e->tally_due = true;
	return emptied;
}

/* --- on disk ------------------------------------------------------------------------------- */

static int load_buckets(struct sq *e)
{
	uint32_t counts[BC_TALLIES];
	SQ_QUERY q = sq_query(e, SQ_TALLY);
	int row;
	while ((row = sq_step(&q)) == 1) {
		for (int i = 0; i < BC_TALLIES; i++)
			counts[i] = (uint32_t)sq_int(&q, 1 + i);
		if (bc_tally_load(&e->tally, sq_int(&q, 0), counts))
			return sq_no_memory(e);
	}
	return row;
}

static int count_rows(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_TALLY_SINCE);
	int row;
	sq_add_int(&q, e->counts.tallied[SQ_SESSIONS].now);
	sq_add_int(&q, e->counts.tallied[SQ_TOKENS].now);
	while ((row = sq_step(&q)) == 1) {
		struct bc_tally_bucket *bucket =
			bc_tally_bucket(&e->tally, sq_int(&q, 0) * BC_TALLY_STEP_MS);
		if (!bucket)
			return sq_no_memory(e);
		for (int i = 0; i < BC_TALLIES; i++)
			bc_tally_count(&e->tally, bucket, (enum bc_tally_what)i,
				       (uint32_t)sq_int(&q, 1 + i));
	}
	return row;
}

int sq_tally_open(struct sq *e)
{
	/* The last rows may be gone, and their numbers are given again. A store that does not say
	 * has all. */
	for (int id = 0; id < SQ_DEFERRED; id++)
		if (e->counts.tallied[id].now > last_row(e, (enum sq_deferred_id)id))
			e->counts.tallied[id].now = last_row(e, (enum sq_deferred_id)id);
	int result = load_buckets(e);
	if (result == 0)
		result = count_rows(e);
	bc_tally_settle(&e->tally);
	return result;
}

static int write_bucket(void *engine, const struct bc_tally_bucket *bucket)
{
	bool gone = bc_tally_is_empty(bucket);
	SQ_QUERY q = sq_query(engine, gone ? SQ_TALLY_DELETE : SQ_TALLY_PUT);
	sq_add_int(&q, bucket->number);
	for (int i = 0; !gone && i < BC_TALLIES; i++)
		sq_add_int(&q, bucket->now[i]);
	return sq_run(&q);
}

int sq_tally_store(struct sq *e)
{
	if (!e->tally_due)
		return 0;
	for (int id = 0; id < SQ_DEFERRED; id++)
		e->counts.tallied[id].now = last_row(e, (enum sq_deferred_id)id);
	return bc_tally_write(&e->tally, write_bucket, e);
}

void sq_tally_settle(struct sq *e)
{
	bc_tally_settle(&e->tally);
	e->tally_due = false;
}

void sq_tally_restore(struct sq *e)
{
	bc_tally_restore(&e->tally);
	e->tally_due = false;
}
