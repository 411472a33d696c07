/* SPDX-License-Identifier: MIT */
/*
 * See fetcher.h. A fetch is one object that travels: home posts it to the outbound loop, which
 * keeps it in its list while the call is under way, fills in what came, and posts it back. Nothing
 * is touched by two threads at a time. The HTTP client is the outbound loop's, made with the first
 * fetch.
 */
#include "core/fetcher.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "net/http_client.h"

struct fetch {
	struct bc_task task; /* first there, then back */
	struct bc_fetcher *fetcher;
	char *url; /* owned */
	size_t body_max_bytes;
	uint32_t timeout_ms;
	bc_fetch_done *done;
	void *ctx;
	struct bc_http_call *call; /* the outbound loop's, as are the links */
	struct fetch *next, **link;
	int error, status;
	char *body; /* owned */
	size_t body_bytes;
	char problem[BC_ERR_TEXT_BYTES];
};

struct bc_fetcher {
	struct bc_loop *home, *outbound; /* borrowed */
	char *proxy;			 /* owned; may be NULL */
	unsigned max, under_way;
	bool used, stopping, stopped;
	void (*done)(void *ctx);
	void *ctx;
	struct bc_task stop_task; /* first there, then back */
	/* The outbound loop's: */
	struct bc_http_client *client; /* owned */
	struct fetch *fetches;
};

/* --- back home ------------------------------------------------------------------------------- */

static void come_home(struct bc_task *task)
{
	struct fetch *fetch = BC_CONTAINER(task, struct fetch, task);
	const struct bc_fetched fetched = { .error = fetch->error,
					    .status = fetch->status,
					    .body = { fetch->body, fetch->body_bytes },
					    .problem = fetch->problem };
	fetch->fetcher->under_way--;
	fetch->done(fetch->ctx, &fetched);
	free(fetch->body);
	free(fetch->url);
	free(fetch);
}

static void send_home(struct fetch *fetch, int error, const char *problem)
{
	fetch->error = error;
	snprintf(fetch->problem, sizeof(fetch->problem), "%s", problem);
	fetch->task.run = come_home;
	bc_loop_post(fetch->fetcher->home, &fetch->task);
}

/* --- there ----------------------------------------------------------------------------------- */

static void unlink_fetch(struct fetch *fetch)
{
	*fetch->link = fetch->next;
	if (fetch->next)
		fetch->next->link = fetch->link;
}

/* 0, or why the answer is of no use. */
static int take_answer(struct fetch *fetch, const struct bc_http_answer *answer)
{
	if (answer->error)
		return answer->error;
	if (!answer->complete)
		return BC_ETOOBIG;
	fetch->status = answer->status;
	fetch->body = bc_str_dup(answer->body.ptr ? answer->body : BC_STR(""));
	fetch->body_bytes = answer->body.len;
	return fetch->body ? 0 : BC_ENOMEM;
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct fetch *fetch = ctx;
	int error = take_answer(fetch, answer);
	unlink_fetch(fetch);
	send_home(fetch, error,
		  !error	       ? ""
		  : answer->error      ? answer->error_text
		  : error == BC_ENOMEM ? "no memory"
				       : "the answer is too large");
}

static int make_client(struct bc_fetcher *f, struct bc_err *err)
{
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = f->proxy };
	return f->client ? 0 : bc_http_client_create(f->outbound, &options, &f->client, err);
}

static void begin(struct bc_task *task)
{
	struct fetch *fetch = BC_CONTAINER(task, struct fetch, task);
	struct bc_fetcher *f = fetch->fetcher;
	struct bc_err err = { 0 };
	const struct bc_http_exchange get = { .method = "GET",
					      .url = fetch->url,
					      .connect_timeout_ms = fetch->timeout_ms,
					      .timeout_ms = fetch->timeout_ms,
					      .answer_max_bytes = fetch->body_max_bytes };
	int result = make_client(f, &err);
	if (!result)
		result = bc_http_call_start(f->client, &get, answered, fetch, &fetch->call, &err);
	if (result) {
		send_home(fetch, result, err.text);
		return;
	}
	fetch->next = f->fetches;
	fetch->link = &f->fetches;
	if (f->fetches)
		f->fetches->link = &fetch->next;
	f->fetches = fetch;
}

/* --- the end --------------------------------------------------------------------------------- */

static void told_stopped(struct bc_task *task)
{
	struct bc_fetcher *f = BC_CONTAINER(task, struct bc_fetcher, stop_task);
	f->stopped = true;
	f->done(f->ctx);
}

static void stop_there(struct bc_task *task)
{
	struct bc_fetcher *f = BC_CONTAINER(task, struct bc_fetcher, stop_task);
	while (f->fetches) {
		struct fetch *fetch = f->fetches;
		unlink_fetch(fetch);
		bc_http_call_cancel(fetch->call);
		send_home(fetch, BC_ESTATE, "this program ends");
	}
	bc_http_client_destroy(f->client);
	f->client = NULL;
	f->stop_task.run = told_stopped;
	bc_loop_post(f->home, &f->stop_task);
}

void bc_fetcher_stop(struct bc_fetcher *f, void (*done)(void *ctx), void *ctx)
{
	f->stopping = true;
	f->done = done;
	f->ctx = ctx;
	f->stop_task.run = stop_there;
	bc_loop_post(f->outbound, &f->stop_task);
}

/* --- at home --------------------------------------------------------------------------------- */

int bc_fetcher_create(struct bc_loop *home, struct bc_loop *outbound, const char *proxy,
		      unsigned max, struct bc_fetcher **ret_fetcher, struct bc_err *err)
{
	struct bc_fetcher *f = calloc(1, sizeof(*f));
	if (!f)
		return bc_err_nomem(err);
	*f = (struct bc_fetcher){ .home = home, .outbound = outbound, .max = max };
	if (proxy && !(f->proxy = bc_str_dup(bc_str_of(proxy)))) {
		free(f);
		return bc_err_nomem(err);
	}
	*ret_fetcher = f;
	return 0;
}

int bc_fetcher_get(struct bc_fetcher *f, const char *url, size_t body_max_bytes,
		   uint32_t timeout_ms, bc_fetch_done *done, void *ctx)
{
	if (f->stopping)
		return BC_ESTATE;
	if (f->under_way == f->max)
		return BC_EBUSY;
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	char *copy = fetch ? bc_str_dup(bc_str_of(url)) : NULL;
	if (!copy) {
		free(fetch);
		return BC_ENOMEM;
	}
	*fetch = (struct fetch){ .task = { .run = begin },
				 .fetcher = f,
				 .url = copy,
				 .body_max_bytes = body_max_bytes,
				 .timeout_ms = timeout_ms,
				 .done = done,
				 .ctx = ctx };
	f->under_way++;
	f->used = true;
	bc_loop_post(f->outbound, &fetch->task);
	return 0;
}

void bc_fetcher_destroy(struct bc_fetcher *f)
{
	if (!f)
		return;
	BC_ASSERT(!f->under_way && (!f->used || f->stopped));
	free(f->proxy);
	free(f);
}
