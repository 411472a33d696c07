/* SPDX-License-Identifier: MIT */
/*
 * A shop's history in a few lines, and everything that an engine holds as one text: what the tests
 * compare that fail an engine in the middle.
 *
 * Each line may be put twice: whoever was not told how it went puts it again, and that must change
 * nothing.
 */
#ifndef BC_TESTS_STORE_HISTORY_H
#define BC_TESTS_STORE_HISTORY_H

#include "harness.h"

#include "store/batch.h"

struct line {
	enum bc_store_kind kind;
	uint64_t at;
	const char *order, *token, *click, *session;
	uint32_t n; /* attempt of a finish, limit of a lease */
	enum bc_order_state next;
	uint64_t due, deadline;
	bool flag;    /* finish: clear the token; put_lane: it stands */
	bool comment; /* finish: it becomes due */
	/* State of a lane, value of a meta, reason; of a page, the order that is taken back. A
	 * page's n is the edition of both its orders; of a comment, what became of it. */
	const char *text;
};

enum { HISTORY_LINES = 50 };
extern const struct line history[HISTORY_LINES];

struct bc_store_op *history_op(struct bc_arena *arena, const struct line *l);
/* A batch of one. */
void run_alone(struct bc_batch_runner *r, struct bc_store_op *op);

enum { DUMP_BYTES = 32 * 1024 };

struct dump {
	size_t len;
	char text[DUMP_BYTES];
};

/* Every order with its attempts, lanes, return rates, counts, meta. */
void take_dump(struct bc_batch_runner *r, struct bc_arena *arena, struct dump *d);

#endif
