/* SPDX-License-Identifier: MIT */
/*
 * Deferred indexes: what finds a row by a hash, without an index that each row pays for. There are
 * two, of the clicks' sessions and of the orders' tokens; see sqlite_deferred.c for how they work
 * and sqlite_sessions.c, sqlite_tokens.c for what differs between them.
 */
#ifndef BC_STORE_SQLITE_DEFERRED_H
#define BC_STORE_SQLITE_DEFERRED_H

#include "store/sqlite_impl.h"

/* A row, by the hash that finds it. */
struct sq_deferred_entry {
	uint8_t hash[BC_HASH_BYTES];
	uint64_t at_ms; /* of a click: when it was captured */
	uint64_t row;
};

/*
 * The ring has room for 2^bits of the newest rows; a sweep waits for a round of them and takes as
 * many to go over all hashes. How far it was the next process reads from these numbers, so they are
 * part of the layout of a store: bits may grow, never shrink, and the rest stays.
 */
enum { SQ_SESSIONS_BITS = 17, SQ_TOKENS_BITS = 16, SQ_DEFERRED_SLICES = 256 };
#define SQ_DEFERRED_ROUND(bits) ((7U << (bits)) / 16)

/* What differs. */
struct sq_deferred_kind {
	unsigned bits;
	enum sq_stmt last;	  /* gives the greatest row, or none */
	enum sq_stmt since;	  /* gives row, hash, at_ms of the rows after one */
	enum sq_stmt insert, has; /* of the table; both take what bind binds */
	void (*bind)(struct sq_query *q, const struct sq_deferred_entry *entry);
	/* Makes the table anew from the rows, in the transaction under way. 0 or a fault. */
	int (*rebuild)(struct sq *e);
};
extern const struct sq_deferred_kind sq_deferred_sessions, sq_deferred_tokens;

/* All of them; after the counts. 0 or a fault. */
int sq_deferred_open(struct sq *e);
void sq_deferred_close(struct sq *e);

/* With each row that is added: counts.next_row, which moves on. entry: NULL where it has no hash.
 * 0 or a fault. */
int sq_deferred_append(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry);
/* With a row of before that had no entry and gets one. 0 or a fault. */
int sq_deferred_add(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry);
/* From memory; from the table it is the caller's to delete. */
void sq_deferred_forget(struct sq *e, enum sq_deferred_id id, uint64_t row);

/* The entries of a hash that are in memory, one after another, NULL after the last; after: NULL
 * for the first. Valid until the next change. */
const struct sq_deferred_entry *sq_deferred_next(const struct sq *e, enum sq_deferred_id id,
						 const uint8_t *hash,
						 const struct sq_deferred_entry *after);
/* Runs a statement of the table's that takes what bind binds. 1 if it gave a row, 0, or a fault. */
int sq_deferred_run(struct sq *e, enum sq_deferred_id id, enum sq_stmt stmt,
		    const struct sq_deferred_entry *entry);

int sq_deferred_begin(struct sq *e);	/* before a transaction: 0 or a fault */
void sq_deferred_settle(struct sq *e);	/* after a commit */
void sq_deferred_restore(struct sq *e); /* after a rollback, before the counts */

#endif
