/* SPDX-License-Identifier: MIT */
/*
 * An event loop: a libuv loop with a thread-safe way in. Everything on a loop runs on its one
 * thread; the only call another thread may make is bc_loop_post. What is posted during one turn
 * costs one wake-up; what is logged during one turn leaves at its end (see base/log.h). Errors of
 * libuv are turned into struct bc_err here and nowhere else.
 */
#ifndef BC_NET_LOOP_H
#define BC_NET_LOOP_H

#include <stdint.h>

#include "base/attr.h"

struct bc_loop;
struct uv_loop_s;

/* A piece of work for a loop, embedded in whoever posts it; untouched by the poster until it has
 * run. */
struct bc_task {
	void (*run)(struct bc_task *task);
	struct bc_task *next; /* the loop's own */
};

BC_MUST_CHECK int bc_loop_create(struct bc_loop **ret_loop, struct bc_err *err);
/*
 * Runs what is still posted, lets closing handles finish, closes the loop's own. Everything else
 * must be closed by then (timers destroyed, servers and clients gone) and no thread may post any
 * more: a handle that is left is a bug and asserted. NULL is fine.
 */
void bc_loop_destroy(struct bc_loop *loop);
struct uv_loop_s *bc_loop_uv(struct bc_loop *loop);

/* Runs until bc_loop_stop, even with nothing to do, then one last turn for what was posted. May be
 * called again after that. */
void bc_loop_run(struct bc_loop *loop);
/* Ends bc_loop_run after the current turn. Loop's thread only (post it from others). A stop before
 * bc_loop_run ends that run at once. */
void bc_loop_stop(struct bc_loop *loop);
/*
 * For a loop that lives inside somebody else's, in place of bc_loop_run: he waits until the fd (an
 * epoll set) is readable, for at most timeout_ms (-1: without end), then has it turn, which does
 * all that is due and waits for nothing. One thread.
 */
int bc_loop_fd(struct bc_loop *loop);
int bc_loop_timeout_ms(struct bc_loop *loop);
void bc_loop_turn(struct bc_loop *loop);
/* Whoever starts to watch an fd with libuv tells it: it enters the epoll set only when the loop
 * next waits, and a loop that turns must know that it has to once more. */
void bc_loop_watches_more(struct bc_loop *loop);

/* Runs task on the loop's thread, later, never inline, in the order posted. Any thread. The task
 * may be freed or posted again once its run was called. */
void bc_loop_post(struct bc_loop *loop, struct bc_task *task);
/* As post, for a whole list linked by next (first to run first): one wake-up. NULL is fine. */
void bc_loop_post_list(struct bc_loop *loop, struct bc_task *first);

/* Runs task once at the end of the turn under way, before the loop waits again: for what many
 * callbacks of one turn add to. Loop's thread, or before the loop runs; not again while it waits.
 */
void bc_loop_at_turn_end(struct bc_loop *loop, struct bc_task *task);

/* One-shot timer; start it again inside fire for a repeating one. Loop's thread only. */
struct bc_timer;
/* NULL without memory. */
BC_MUST_CHECK struct bc_timer *bc_timer_create(struct bc_loop *loop, void (*fire)(void *ctx),
					       void *ctx);
/* Restarts when running. Counted from the start of the loop's turn; 0 fires in the next turn. */
void bc_timer_start(struct bc_timer *t, uint64_t delay_ms);
void bc_timer_stop(struct bc_timer *t);
void bc_timer_destroy(struct bc_timer *t); /* NULL is fine; safe inside its own fire */

/* Turns libuv's status into a code with "problem: libuv's words"; returns the code. */
int bc_uv_fail(struct bc_err *err, int uv_status, const char *fmt, ...) BC_PRINTF(3, 4);

/* A thread that runs a loop. Signals are blocked in it, so they reach the main thread. */
struct bc_loop_thread;
/* name: at most 15 bytes, shown by ps -T. 0, BC_ENOMEM, BC_EINTERNAL. */
BC_MUST_CHECK int bc_loop_thread_start(struct bc_loop *loop, const char *name,
				       struct bc_loop_thread **ret_thread, struct bc_err *err);
/* Posts a stop, joins. The caller then destroys the loop. NULL is fine. */
void bc_loop_thread_join(struct bc_loop_thread *t);

#endif
