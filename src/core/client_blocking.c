/* SPDX-License-Identifier: MIT */
/*
 * The forms that wait: the ones with a completion, and a thread that sleeps until it has come. What
 * they share lives on that thread's stack; once it wakes it looks at nothing of the client's, which
 * may be gone by then.
 */
#include <pthread.h>

#include "base/err.h"
#include "core/client_impl.h"

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
	int result;
	void *ret;	    /* borrowed; a struct bc_client_answer or bc_client_outcome */
	struct bc_err *err; /* borrowed; may be NULL */
};

static void waiter_init(struct waiter *w, void *ret, struct bc_err *err)
{
	*w = (struct waiter){ .ret = ret, .err = err };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
}

/* started: what the start returned; only if it is 0 a completion comes, or has come by now. */
static int await(struct waiter *w, int started)
{
	pthread_mutex_lock(&w->lock);
	while (!started && !w->over)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	return started ? started : w->result;
}

/* Within the lock to the end: the waiter's stack goes as soon as it is released. */
static void wake(struct waiter *w, int result, const struct bc_err *err)
{
	w->result = result;
	if (result)
		bc_err_set(w->err, result, "%s", err->text);
	if (result && err->hint[0])
		bc_err_hint(w->err, "%s", err->hint);
	w->over = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void call_done(void *ctx, int result, struct bc_client_answer *answer,
		      const struct bc_err *err)
{
	struct waiter *w = ctx;
	pthread_mutex_lock(&w->lock);
	if (!result) {
		*(struct bc_client_answer *)w->ret = *answer;
		answer->body = NULL;
	}
	wake(w, result, err);
}

int bc_client_call(struct bc_client *client, const struct bc_client_request *request,
		   struct bc_client_answer *ret_answer, struct bc_err *err)
{
	struct waiter w;
	int result = bc_client_check_blocking(client, err);
	if (result)
		return result;
	waiter_init(&w, ret_answer, err);
	return await(&w, bc_client_start(client, request, call_done, &w, err));
}

static void hand_back_done(void *ctx, int result, const struct bc_client_outcome *outcome,
			   const struct bc_err *err)
{
	struct waiter *w = ctx;
	pthread_mutex_lock(&w->lock);
	if (!result)
		*(struct bc_client_outcome *)w->ret = *outcome;
	wake(w, result, err);
}

int bc_client_hand_back(struct bc_client *client, const struct bc_client_conversion *conversion,
			struct bc_client_outcome *ret_outcome, struct bc_err *err)
{
	struct waiter w;
	int result = bc_client_check_blocking(client, err);
	if (result)
		return result;
	waiter_init(&w, ret_outcome, err);
	return await(&w, bc_client_hand_back_start(client, conversion, hand_back_done, &w, err));
}
