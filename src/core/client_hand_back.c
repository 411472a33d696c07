/* SPDX-License-Identifier: MIT */
/*
 * One hand-back of the library: one request, one verdict, nothing kept. Lanes, the ledger and the
 * second attempt are the daemon's (core/handback.h and above), or the embedding program's.
 */
#include <stdio.h>
#include <string.h>

#include <backchannel/token.h>

#include "base/err.h"
#include "core/client_impl.h"
#include "net/http_url.h"

enum { TIMEOUT_MS = 30 * 1000, ANSWER_MAX_BYTES = 16 * 1024 };

struct hand_back {
	struct client_job job;
	const struct bc_partner *partner; /* borrowed from the caller, as is ctx */
	struct bc_partner_request request;
	char token[BC_TOKEN_MAX + 1];
	uint64_t click_age_ms;
	unsigned attempt;
	uint32_t timeout_ms;
	bc_client_handed_back *done;
	void *ctx;
	struct bc_http_call *http; /* under way, or NULL */
};

static struct hand_back *hand_back_of(struct client_job *job)
{
	return BC_CONTAINER(job, struct hand_back, job);
}

static void hand_back_free(struct hand_back *h)
{
	bc_partner_request_finish(&h->request);
	bc_wipe(h->token, sizeof(h->token));
	free(h);
}

static void over(struct hand_back *h, int result, const struct bc_client_outcome *outcome,
		 const struct bc_err *err)
{
	h->done(h->ctx, result, outcome, err);
	bc_client_job_remove(&h->job);
	hand_back_free(h);
}

static void answered(void *ctx, const struct bc_http_answer *a)
{
	struct hand_back *h = ctx;
	struct bc_client_outcome outcome = { .status = a->status, .duration_ms = a->duration_ms };
	const struct bc_partner_answer read = { .status = a->status,
						.request_sent = a->request_sent,
						.body = a->body.ptr,
						.body_bytes = a->body.len,
						.token = h->token,
						.click_age_ms = h->click_age_ms,
						.attempt = h->attempt };
	h->http = NULL;
	outcome.verdict = bc_partner_read_answer(h->partner, &read);
	if (!a->retry_after ||
	    bc_retry_after_parse(a->retry_after, a->date, bc_wall_ms(h->job.client->clock),
				 &outcome.retry_after_ms))
		outcome.retry_after_ms = 0;
	snprintf(outcome.error, sizeof(outcome.error), "%s", a->error_text);
	over(h, 0, &outcome, &(struct bc_err){ 0 });
}

static void hand_back_begin(struct client_job *job)
{
	struct hand_back *h = hand_back_of(job);
	struct bc_err err = { 0 };
	const struct bc_http_exchange exchange = {
		.method = h->request.method,
		.url = h->request.url,
		.headers = (const char *const *)h->request.headers,
		.body = h->request.body,
		.body_bytes = h->request.body_bytes,
		.connect_timeout_ms =
			h->timeout_ms < CONNECT_TIMEOUT_MS ? h->timeout_ms : CONNECT_TIMEOUT_MS,
		.timeout_ms = h->timeout_ms,
		.answer_max_bytes = ANSWER_MAX_BYTES,
	};
	int result = bc_http_call_start(job->client->http, &exchange, answered, h, &h->http, &err);
	if (result)
		over(h, result, NULL, &err);
}

static void hand_back_stop(struct client_job *job)
{
	struct hand_back *h = hand_back_of(job);
	struct bc_err err = { 0 };
	bc_http_call_cancel(h->http);
	over(h, bc_client_gone(&err), NULL, &err);
}

static int build(struct hand_back *h, const struct bc_client_conversion *c, struct bc_err *err)
{
	h->partner = c->partner ? c->partner : &bc_partner_sovendus;
	const struct bc_partner_conversion conversion = { .base_url = c->base_url,
							  .product_id = c->product_id,
							  .key = c->key,
							  .token = c->token,
							  .order = c->order,
							  .amount = c->amount,
							  .currency = c->currency,
							  .time_ms = c->order_ms };
	int result = bc_partner_request_make(h->partner, &conversion, &h->request, err);
	if (!result)
		result = bc_http_url_check(h->request.url, "base_url", err);
	if (result)
		return result;
	/* It has been checked: it is one. */
	BC_ASSERT(bc_str_copy(h->token, sizeof(h->token), bc_str_of(c->token)) == 0);
	return 0;
}

int bc_client_hand_back_start(struct bc_client *client,
			      const struct bc_client_conversion *conversion,
			      bc_client_handed_back *done, void *ctx, struct bc_err *err)
{
	int result = bc_client_check_open(client, err);
	if (result)
		return result;
	struct hand_back *h = calloc(1, sizeof(*h));
	if (!h)
		return bc_err_nomem(err);
	result = build(h, conversion, err);
	if (result) {
		hand_back_free(h);
		return result;
	}
	h->job.begin = hand_back_begin;
	h->job.stop = hand_back_stop;
	h->click_age_ms = conversion->click_age_ms ? conversion->click_age_ms : UINT64_MAX;
	h->attempt = conversion->attempt ? conversion->attempt : 1;
	h->timeout_ms = conversion->timeout_ms ? conversion->timeout_ms : TIMEOUT_MS;
	h->done = done;
	h->ctx = ctx;
	bc_client_job_post(client, &h->job);
	return 0;
}
