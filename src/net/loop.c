/* SPDX-License-Identifier: MIT */
/*
 * The loop, its post queue, timers and threads over libuv.
 *
 * Invariants: the queue is a list under one mutex; whoever makes it non-empty wakes the loop, so a
 * batch costs one wake-up; the loop takes the whole list before it runs any of it, so a task that
 * posts runs in a later turn. The wake-up handle keeps the loop alive until it is stopped.
 *
 * The wake-up is an eventfd of our own and no uv_async_t: where both threads share a processor, the
 * woken one runs as soon as the fd is written, and libuv 1.44 has it spin then, tens of
 * microseconds, until the sender had another turn to leave uv_async_send. For the same reason it is
 * written with the mutex free.
 * Left to others: what the tasks do, and closing every handle before the loop is destroyed.
 */
#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"

struct bc_loop {
	uv_loop_t uv;
	int wake_fd; /* owned */
	uv_poll_t wake;
	atomic_uint posting; /* threads that have not left queue_add yet */
	/* After the callbacks of what came, and before waiting: timers run between the two. */
	uv_check_t after_poll;
	uv_prepare_t before_poll;
	struct bc_task *turn_end; /* loop's thread only */
	bool watches_more;	  /* likewise; an fd may not be in the epoll set yet */
	pthread_mutex_t lock;
	struct bc_task *first; /* under lock; NULL = empty */
	struct bc_task *last;  /* under lock; meaningless when empty */
};

struct bc_timer {
	uv_timer_t uv;
	void (*fire)(void *ctx);
	void *ctx; /* borrowed from the creator */
};

struct bc_loop_thread {
	pthread_t thread;
	struct bc_loop *loop; /* borrowed */
	struct bc_task stop;
	char name[16];
};

/* A loop that is closed has few turns left to do; more means that somebody still holds a handle. */
enum { CLOSING_TURNS_MAX = 64 };
/* Then whoever has the loop turn gets a turn himself. */
enum { TURNS_MAX = 16 };

static const struct {
	int uv;
	int code;
} uv_codes[] = {
	{ UV_ENOMEM, BC_ENOMEM },	  { UV_EADDRINUSE, BC_EBUSY },
	{ UV_EINVAL, BC_EINVAL },	  { UV_EAI_NONAME, BC_EINVAL },
	{ UV_EADDRNOTAVAIL, BC_EINVAL },  { UV_ENOENT, BC_ENOENT },
	{ UV_ETIMEDOUT, BC_ETIMEDOUT },	  { UV_ECONNREFUSED, BC_EUNREACH },
	{ UV_EHOSTUNREACH, BC_EUNREACH }, { UV_ENETUNREACH, BC_EUNREACH },
	{ UV_EMFILE, BC_EBUSY },	  { UV_ENFILE, BC_EBUSY },
};

/* libuv's numbers are the system's, negated; those of names that cannot be resolved stand apart. */
static const char *uv_hint(int uv_status)
{
	if (uv_status <= UV_EAI_ADDRFAMILY)
		return "is the name right, and does a name server answer? An address needs none";
	return bc_errno_hint(-uv_status);
}

int bc_uv_fail(struct bc_err *err, int uv_status, const char *fmt, ...)
{
	char problem[BC_ERR_TEXT_BYTES];
	int code = BC_EIO;
	va_list ap;

	for (size_t i = 0; i < BC_COUNT(uv_codes); i++)
		if (uv_codes[i].uv == uv_status)
			code = uv_codes[i].code;
	va_start(ap, fmt);
	vsnprintf(problem, sizeof(problem), fmt, ap);
	va_end(ap);
	return bc_err_tell(err, code, uv_hint(uv_status), "%s: %s", problem,
			   uv_strerror(uv_status));
}

static struct bc_task *queue_take(struct bc_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct bc_task *first = loop->first;
	loop->first = NULL;
	pthread_mutex_unlock(&loop->lock);
	return first;
}

static void queue_run(struct bc_loop *loop)
{
	struct bc_task *next;

	for (struct bc_task *task = queue_take(loop); task; task = next) {
		next = task->next;
		task->next = NULL;
		task->run(task);
	}
}

static void on_wake(uv_poll_t *wake, int status, int events)
{
	struct bc_loop *loop = wake->data;
	uint64_t count;
	(void)status;
	(void)events;
	/* Before the queue is taken: what is added from now on wakes again. */
	(void)!read(loop->wake_fd, &count, sizeof(count));
	queue_run(loop);
}

/* A task may add another one. */
static void run_turn_end(struct bc_loop *loop)
{
	struct bc_task *task;

	while ((task = loop->turn_end)) {
		loop->turn_end = task->next;
		task->next = NULL;
		task->run(task);
	}
	bc_log_flush();
}

static void on_after_poll(uv_check_t *check)
{
	run_turn_end(check->data);
}

static void on_before_poll(uv_prepare_t *prepare)
{
	run_turn_end(prepare->data);
}

void bc_loop_at_turn_end(struct bc_loop *loop, struct bc_task *task)
{
	task->next = loop->turn_end;
	loop->turn_end = task;
}

static void queue_add(struct bc_loop *loop, struct bc_task *first, struct bc_task *last)
{
	const uint64_t one = 1;
	last->next = NULL;
	/* Once the queue has it the task may run and end whatever owns the loop; but see
	 * bc_loop_destroy. */
	atomic_fetch_add(&loop->posting, 1);
	pthread_mutex_lock(&loop->lock);
	bool was_empty = loop->first == NULL;
	if (was_empty)
		loop->first = first;
	else
		loop->last->next = first;
	loop->last = last;
	pthread_mutex_unlock(&loop->lock);
	/* It fails only when its count is at its end, and then the loop is awake. */
	if (was_empty)
		(void)!write(loop->wake_fd, &one, sizeof(one));
	atomic_fetch_sub(&loop->posting, 1);
}

void bc_loop_post(struct bc_loop *loop, struct bc_task *task)
{
	queue_add(loop, task, task);
}

void bc_loop_post_list(struct bc_loop *loop, struct bc_task *first)
{
	struct bc_task *last = first;

	if (!first)
		return;
	while (last->next)
		last = last->next;
	queue_add(loop, first, last);
}

/* They keep no loop alive: only what waits does. */
static void watch_turns(struct bc_loop *loop)
{
	uv_check_init(&loop->uv, &loop->after_poll);
	uv_prepare_init(&loop->uv, &loop->before_poll);
	loop->after_poll.data = loop->before_poll.data = loop;
	uv_check_start(&loop->after_poll, on_after_poll);
	uv_prepare_start(&loop->before_poll, on_before_poll);
	uv_unref((uv_handle_t *)&loop->after_poll);
	uv_unref((uv_handle_t *)&loop->before_poll);
}

/* 0, or what libuv would say. */
static int watch_queue(struct bc_loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return -errno;
	int rc = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
	if (rc < 0) {
		close(loop->wake_fd);
		return rc;
	}
	loop->wake.data = loop;
	BC_ASSERT(uv_poll_start(&loop->wake, UV_READABLE, on_wake) == 0);
	return 0;
}

int bc_loop_create(struct bc_loop **ret_loop, struct bc_err *err)
{
	struct bc_loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return bc_err_nomem(err);
	rc = uv_loop_init(&loop->uv);
	if (rc < 0) {
		free(loop);
		return bc_uv_fail(err, rc, "cannot create an event loop");
	}
	rc = watch_queue(loop);
	if (rc < 0) {
		uv_loop_close(&loop->uv);
		free(loop);
		return bc_uv_fail(err, rc, "cannot create an event loop");
	}
	loop->watches_more = true;
	watch_turns(loop);
	pthread_mutex_init(&loop->lock, NULL);
	*ret_loop = loop;
	return 0;
}

void bc_loop_destroy(struct bc_loop *loop)
{
	if (!loop)
		return;
	while (atomic_load(&loop->posting))
		sched_yield();
	queue_run(loop);
	for (int turn = 0; turn < 2; turn++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->after_poll, NULL);
	uv_close((uv_handle_t *)&loop->before_poll, NULL);
	for (int turn = 0; turn < CLOSING_TURNS_MAX && uv_loop_alive(&loop->uv); turn++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
	BC_ASSERT(loop->first == NULL && loop->turn_end == NULL);
	BC_ASSERT(uv_loop_close(&loop->uv) == 0);
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

struct uv_loop_s *bc_loop_uv(struct bc_loop *loop)
{
	return &loop->uv;
}

void bc_loop_run(struct bc_loop *loop)
{
	bc_log_gather(true);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	queue_run(loop);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	bc_log_gather(false);
}

void bc_loop_stop(struct bc_loop *loop)
{
	uv_stop(&loop->uv);
}

int bc_loop_fd(struct bc_loop *loop)
{
	return uv_backend_fd(&loop->uv);
}

int bc_loop_timeout_ms(struct bc_loop *loop)
{
	if (loop->watches_more)
		return 0;
	uv_update_time(&loop->uv);
	return uv_backend_timeout(&loop->uv);
}

void bc_loop_watches_more(struct bc_loop *loop)
{
	loop->watches_more = true;
}

void bc_loop_turn(struct bc_loop *loop)
{
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		loop->watches_more = false;
		uv_run(&loop->uv, UV_RUN_NOWAIT);
		if (!loop->watches_more)
			return;
	}
}

static void on_timer(uv_timer_t *uv)
{
	struct bc_timer *t = uv->data;
	t->fire(t->ctx);
}

static void free_timer(uv_handle_t *uv)
{
	free(uv->data);
}

struct bc_timer *bc_timer_create(struct bc_loop *loop, void (*fire)(void *ctx), void *ctx)
{
	struct bc_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	uv_timer_init(&loop->uv, &t->uv);
	t->uv.data = t;
	t->fire = fire;
	t->ctx = ctx;
	return t;
}

void bc_timer_start(struct bc_timer *t, uint64_t delay_ms)
{
	/* At least 1: libuv would run a timer that restarts itself with 0 for ever in one turn. */
	uv_timer_start(&t->uv, on_timer, delay_ms ? delay_ms : 1, 0);
}

void bc_timer_stop(struct bc_timer *t)
{
	uv_timer_stop(&t->uv);
}

void bc_timer_destroy(struct bc_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, free_timer);
}

static void *thread_main(void *arg)
{
	struct bc_loop_thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	bc_loop_run(t->loop);
	return NULL;
}

static void stop_from_task(struct bc_task *task)
{
	bc_loop_stop(BC_CONTAINER(task, struct bc_loop_thread, stop)->loop);
}

int bc_loop_thread_start(struct bc_loop *loop, const char *name, struct bc_loop_thread **ret_thread,
			 struct bc_err *err)
{
	struct bc_loop_thread *t = calloc(1, sizeof(*t));
	sigset_t all, before;

	if (!t)
		return bc_err_nomem(err);
	t->loop = loop;
	t->stop.run = stop_from_task;
	snprintf(t->name, sizeof(t->name), "%s", name);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&t->thread, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		free(t);
		return bc_err_tell(err, BC_EINTERNAL, bc_errno_hint(rc),
				   "cannot start thread \"%s\": %s", name, strerror(rc));
	}
	*ret_thread = t;
	return 0;
}

void bc_loop_thread_join(struct bc_loop_thread *t)
{
	if (!t)
		return;
	bc_loop_post(t->loop, &t->stop);
	pthread_join(t->thread, NULL);
	free(t);
}
