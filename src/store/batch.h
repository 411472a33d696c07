/* SPDX-License-Identifier: MIT */
/*
 * One batch of operations against one engine: the transaction, and what becomes of each operation
 * when something of it fails. One thread's; store.c brings the queue.
 */
#ifndef BC_STORE_BATCH_H
#define BC_STORE_BATCH_H

#include "store/engine.h"

struct bc_op_list {
	struct bc_store_op *head, *tail;
	uint32_t count;
};
void bc_op_list_push(struct bc_op_list *list, struct bc_store_op *op);
struct bc_store_op *bc_op_list_pop(struct bc_op_list *list); /* NULL when empty */

struct bc_batch_runner {
	const struct bc_engine *engine;
	void *handle;
	struct bc_store_stats stats;
	uint64_t measured_us; /* when that was; 0 = never */
};

/* Applies the batch; afterwards every operation has its result. The list is left as it is. */
void bc_batch_run(struct bc_batch_runner *r, const struct bc_op_list *batch);
/* Asks the engine for its size now and then: every few seconds at most. */
void bc_batch_measure(struct bc_batch_runner *r);
/* See bc_engine.tend. */
uint32_t bc_batch_tend(struct bc_batch_runner *r, bool idle);

#endif
