/* SPDX-License-Identifier: MIT */
/*
 * Brings the store's completions home to a loop: the bridge between the store layer, which knows
 * no loop, and net. However many batches complete before the loop looks, it is woken once.
 */
#ifndef BC_CORE_ORIGIN_H
#define BC_CORE_ORIGIN_H

#include <pthread.h>

#include "net/loop.h"
#include "store/store.h"

struct bc_origin {
	struct bc_store_origin base; /* hand &origin->base to bc_store_submit */
	struct bc_loop *loop;	     /* borrowed */
	struct bc_task task;
	pthread_mutex_t lock;
	struct bc_store_op *first, **last; /* completed, not yet run; under lock */
};

void bc_origin_init(struct bc_origin *o, struct bc_loop *loop);
/* Nothing may be under way any more. */
void bc_origin_finish(struct bc_origin *o);

#endif
