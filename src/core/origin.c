/* SPDX-License-Identifier: MIT */
/* See origin.h. */
#include "core/origin.h"

static void run_completed(struct bc_task *task)
{
	struct bc_origin *o = BC_CONTAINER(task, struct bc_origin, task);
	pthread_mutex_lock(&o->lock);
	struct bc_store_op *ops = o->first;
	o->first = NULL;
	o->last = &o->first;
	pthread_mutex_unlock(&o->lock);
	bc_store_complete(ops);
}

static void post_completed(struct bc_store_origin *base, struct bc_store_op *ops)
{
	struct bc_origin *o = BC_CONTAINER(base, struct bc_origin, base);
	pthread_mutex_lock(&o->lock);
	bool wake = o->first == NULL;
	*o->last = ops;
	while (*o->last)
		o->last = &(*o->last)->next;
	pthread_mutex_unlock(&o->lock);
	if (wake)
		bc_loop_post(o->loop, &o->task);
}

void bc_origin_init(struct bc_origin *o, struct bc_loop *loop)
{
	*o = (struct bc_origin){ .base.post = post_completed,
				 .loop = loop,
				 .task.run = run_completed };
	o->last = &o->first;
	pthread_mutex_init(&o->lock, NULL);
}

void bc_origin_finish(struct bc_origin *o)
{
	BC_ASSERT(o->first == NULL);
	pthread_mutex_destroy(&o->lock);
}
