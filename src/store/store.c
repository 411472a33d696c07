/* SPDX-License-Identifier: MIT */
/*
 * Runs a blocking engine on a thread of its own, with group commit and no timer: the thread takes
 * whatever waits when the last commit has ended, makes it one transaction and one fsync, and sends
 * each origin all of its completions at once.
 *
 * Invariants: an operation is completed exactly once, by the post of its origin, after its
 * transaction is durable or undone; completions keep the order of submission. The engine's handle
 * is the thread's alone. A failed fsync is final: no write is tried on that handle again.
 *
 * Left to others: what operations mean (rules.h, the engines), loops (struct bc_store_origin).
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "store/batch.h"
#include "store/engine.h"

enum { QUEUE_MAX_DEFAULT = 65536, BATCH_MAX_DEFAULT = 1024 };

struct bc_store {
	struct bc_batch_runner runner; /* the store thread's */
	uint32_t queue_max, batch_max;
	pthread_t thread;
	pthread_cond_t wake;
	pthread_mutex_t lock; /* guards what follows */
	struct bc_op_list waiting;
	bool closing;
	struct bc_store_stats stats;
};

const struct bc_engine *const bc_engines[] = { &bc_engine_sqlite, &bc_engine_memory,
					       &bc_engine_faults, NULL };

/* --- completions --------------------------------------------------------------------------- */

void bc_store_complete(struct bc_store_op *ops)
{
	while (ops) {
		struct bc_store_op *op = ops;
		ops = op->next;
		op->next = NULL;
		op->done(op);
	}
}

/* One post an origin. An operation is its caller's again from its post on. */
static void post_batch(struct bc_op_list *batch)
{
	while (batch->head) {
		struct bc_store_origin *origin = batch->head->origin;
		struct bc_op_list mine = { 0 }, rest = { 0 };
		struct bc_store_op *op;
		while ((op = bc_op_list_pop(batch)))
			bc_op_list_push(op->origin == origin ? &mine : &rest, op);
		origin->post(origin, mine.head);
		*batch = rest;
	}
}

static void refuse_full(struct bc_store *s, struct bc_op_list *refused)
{
	for (struct bc_store_op *op = refused->head; op; op = op->next) {
		op->result =
			bc_err_set(&op->err, BC_EBUSY,
				   "the store has %u operations waiting already", s->queue_max);
		bc_err_hint(&op->err, "try again in a moment; if it lasts, the disk is too slow");
	}
	post_batch(refused);
}

void bc_store_submit_all(struct bc_store *s, struct bc_store_origin *origin,
			 struct bc_store_op *ops)
{
	struct bc_op_list refused = { 0 };
	pthread_mutex_lock(&s->lock);
	BC_ASSERT(!s->closing);
	bool idle = s->waiting.count == 0;
	for (struct bc_store_op *op = ops, *next; op; op = next) {
		next = op->next;
		op->origin = origin;
		op->result = 0;
		bc_err_clear(&op->err);
		bc_op_list_push(s->waiting.count < s->queue_max ? &s->waiting : &refused, op);
	}
	if (idle && s->waiting.count)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	refuse_full(s, &refused);
}

void bc_store_submit(struct bc_store *s, struct bc_store_origin *origin, struct bc_store_op *op)
{
	op->next = NULL;
	bc_store_submit_all(s, origin, op);
}

/* --- the thread ---------------------------------------------------------------------------- */

static uint32_t tend(struct bc_store *s)
{
	pthread_mutex_lock(&s->lock);
	bool idle = s->waiting.count == 0 && !s->closing;
	pthread_mutex_unlock(&s->lock);
	return bc_batch_tend(&s->runner, idle);
}

/* Waits for a wake-up, at most delay_ms. Returns false when the time passed first. */
static bool wait_awhile(struct bc_store *s, uint32_t delay_ms)
{
	struct timespec until;
	if (delay_ms == BC_TEND_NEVER)
		return pthread_cond_wait(&s->wake, &s->lock) == 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += delay_ms / 1000;
	until.tv_nsec += (long)(delay_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return pthread_cond_timedwait(&s->wake, &s->lock, &until) != ETIMEDOUT;
}

static void publish_stats(struct bc_store *s)
{
	s->stats = s->runner.stats;
}

/* Takes what waits, letting the engine tend itself until there is something. False: closing and
 * all is done. */
static bool next_batch(struct bc_store *s, struct bc_op_list *ret_batch)
{
	uint32_t delay_ms = tend(s);
	*ret_batch = (struct bc_op_list){ 0 };
	pthread_mutex_lock(&s->lock);
	publish_stats(s);
	while (s->waiting.count == 0 && !s->closing) {
		if (wait_awhile(s, delay_ms))
			continue;
		pthread_mutex_unlock(&s->lock);
		delay_ms = tend(s);
		pthread_mutex_lock(&s->lock);
		publish_stats(s);
	}
	while (ret_batch->count < s->batch_max && s->waiting.head)
		bc_op_list_push(ret_batch, bc_op_list_pop(&s->waiting));
	pthread_mutex_unlock(&s->lock);
	return ret_batch->count > 0;
}

static void *store_main(void *arg)
{
	struct bc_store *s = arg;
	struct bc_op_list batch;
	pthread_setname_np(pthread_self(), "bc-store");
	while (next_batch(s, &batch)) {
		bc_batch_run(&s->runner, &batch);
		bc_batch_measure(&s->runner);
		/* Before the answers leave: who sees one sees its commit counted. */
		pthread_mutex_lock(&s->lock);
		publish_stats(s);
		pthread_mutex_unlock(&s->lock);
		post_batch(&batch);
	}
	return NULL;
}

/* --- opening and closing ------------------------------------------------------------------- */

/* Signals belong to the loops: the store's thread takes none. */
static int start_thread(struct bc_store *s)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&s->thread, NULL, store_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void store_free(struct bc_store *s)
{
	if (s->runner.handle)
		s->runner.engine->close(s->runner.handle);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct bc_store *store_create(const struct bc_engine *engine,
				     const struct bc_store_options *options)
{
	pthread_condattr_t attr;
	struct bc_store *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->runner.engine = engine;
	s->runner.stats.writable = true;
	s->stats.writable = true;
	s->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX_DEFAULT;
	s->batch_max = options->batch_max ? options->batch_max : BATCH_MAX_DEFAULT;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

int bc_store_open_engine(const struct bc_engine *engine, const struct bc_store_options *options,
			 struct bc_store **ret_store, struct bc_err *err)
{
	struct bc_store *s = store_create(engine, options);
	if (!s)
		return bc_err_nomem(err);
	int result = engine->open(options->url, options->clock, &s->runner.handle, err);
	if (result) {
		s->runner.handle = NULL;
		store_free(s);
		return result;
	}
	int error = start_thread(s);
	if (error) {
		store_free(s);
		return bc_err_tell(err, BC_ENOMEM, bc_errno_hint(error),
				   "cannot start the store's thread: %s", strerror(error));
	}
	*ret_store = s;
	return 0;
}

const struct bc_engine *bc_engine_find(const char *url, const char **ret_rest)
{
	struct bc_str rest = bc_str_of(url);
	struct bc_str scheme = bc_str_split(&rest, ':');
	for (size_t i = 0; rest.ptr && bc_engines[i]; i++) {
		if (!bc_str_eq(scheme, bc_engines[i]->name))
			continue;
		*ret_rest = rest.ptr; /* the rest of a C string: terminated */
		return bc_engines[i];
	}
	return NULL;
}

int bc_store_open(const struct bc_store_options *options, struct bc_store **ret_store,
		  struct bc_err *err)
{
	struct bc_store_options inner = *options;
	const struct bc_engine *engine = bc_engine_find(options->url, &inner.url);
	if (engine)
		return bc_store_open_engine(engine, &inner, ret_store, err);
	bc_err_set(err, BC_EINVAL, "store \"%s\" is of no known kind",
		   options->url ? options->url : "");
	bc_err_hint(err, "use sqlite:PATH, or memory: for a try-out that forgets");
	return BC_EINVAL;
}

void bc_store_close(struct bc_store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	store_free(s);
}

void bc_store_stats(struct bc_store *s, struct bc_store_stats *ret_stats)
{
	pthread_mutex_lock(&s->lock);
	*ret_stats = s->stats;
	pthread_mutex_unlock(&s->lock);
}
