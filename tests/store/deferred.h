/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the sqlite engine's deferred indexes: rows by number, put into the bare engine
 * and looked up there, and a look into its file. What they do is the same for each index, what the
 * rows are is the subject's: sessions.h, tokens.h.
 *
 * Row i has the hash of its number; hashes are spread as keyed ones are.
 */
#ifndef BC_TESTS_STORE_DEFERRED_H
#define BC_TESTS_STORE_DEFERRED_H

#include "harness.h"

#include <string.h>

#include "store/sqlite_deferred.h"

enum { BATCH = 1024, EVERY = 97, TTL = 1000 * 1000 * 1000, CLAIMS = 5 };

struct subject {
	const char *name;
	enum sq_deferred_id id;
	uint64_t round;
	void (*put)(struct rig *r, uint64_t i); /* in the transaction under way */
	bool (*is_found)(struct rig *r, uint64_t i);
	/* Asks an operation that depends on it, and takes it back. */
	void (*assert_counts)(struct rig *r, uint64_t i);
	const char *in_table, *numbers; /* how many entries; the greatest number + 1 */
	const char *harm, *unsaid;  /* what a repair may have left of it; and without its count */
	const char *claims[CLAIMS]; /* each gives 0: the invariants that the files state */
};
/* Of the tests that run. */
static const struct subject *subject;

static inline const char *path_of(const struct rig *r)
{
	return strchr(r->url, ':') + 1;
}

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline void hash_of(uint8_t *hash, uint64_t i)
{
	uint64_t words[2] = { mix(i + UINT64_C(0x9e3779b97f4a7c15)), i };
	memcpy(hash, words, BC_HASH_BYTES);
}

/* Some settled, some swept, some in memory, some not in a full block; two parts. */
static inline uint64_t filled(void)
{
	return 2 * subject->round + subject->round / 2 + 300;
}

/* --- the engine ---------------------------------------------------------------------------- */

static inline void begin(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.begin(e, &fault))
		fail_msg("%s", fault.err.text);
}

static inline void commit(struct sq *e)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.commit(e, &fault))
		fail_msg("%s", fault.err.text);
	bc_engine_sqlite.tend(e, false, &fault);
	assert_int_equal(fault.err.code, 0);
}

/* In the transaction under way. */
static inline void apply(struct sq *e, struct bc_store_op *op)
{
	struct bc_engine_fault fault = { 0 };
	if (bc_engine_sqlite.apply(e, op, &fault))
		fail_msg("%s", fault.err.text);
}

static inline void reopen(struct rig *r)
{
	struct bc_err err = { 0 };
	if (r->bare)
		bc_engine_sqlite.close(r->bare);
	r->bare = NULL;
	if (bc_engine_sqlite.open(path_of(r), &bc_clock_system, &r->bare, &err))
		fail_msg("%s", err.text);
}

static inline uint64_t number(struct sq *e, const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* How often a statement was run since the store was opened. */
static inline int runs_of(struct sq *e, enum sq_stmt stmt)
{
	return sqlite3_stmt_status(e->stmts[stmt], SQLITE_STMTSTATUS_RUN, 0);
}

/* --- the subject --------------------------------------------------------------------------- */

static inline uint64_t settled(const struct rig *r)
{
	return ((struct sq *)r->bare)->counts.settled[subject->id].now;
}

static inline uint64_t in_table(struct sq *e)
{
	return number(e, subject->in_table);
}

/* In the transaction under way. */
static inline void apply_range(struct rig *r, uint64_t from, uint64_t to)
{
	while (from < to)
		subject->put(r, from++);
}

/* Rows from a number up to another one. */
static inline void put_range(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t next; from < to; from = next) {
		next = to - from < BATCH ? to : from + BATCH;
		begin(r->bare);
		apply_range(r, from, next);
		commit(r->bare);
	}
}

/* Looks at every 97th, and the last. */
static inline void assert_found(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_true(subject->is_found(r, i));
	if (from < to)
		assert_true(subject->is_found(r, to - 1));
}

static inline void assert_absent(struct rig *r, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i += EVERY)
		assert_false(subject->is_found(r, i));
}

static inline void assert_sound(struct sq *e)
{
	for (size_t i = 0; i < CLAIMS && subject->claims[i]; i++) {
		if (number(e, subject->claims[i]))
			fail_msg("%s", subject->claims[i]);
	}
}

/* All that was put up to a number is there, and counts; between transactions. */
static inline void assert_whole(struct rig *r, uint64_t to)
{
	assert_found(r, 0, to);
	for (uint64_t i = 0; i < to; i += subject->round / 3)
		subject->assert_counts(r, i);
	subject->assert_counts(r, to - 1);
	assert_sound(r->bare);
}

#endif
