/* SPDX-License-Identifier: MIT */
/*
 * When to ask, and the asking. bc_tokens_step is the only place that begins a flight, and all that
 * could be a reason calls it: the timer, a nudge from a reader, the end of a flight, a reload. It
 * looks at the clock that counts suspend; a timer that comes too early or too late only makes it
 * look.
 *
 * A flight: wait for the cache's lock (if there is a file), look into the file, ask, judge. It is
 * in_flight from its first step to bc_tokens_flight_end.
 */
#include "core/tokens_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static const uint64_t NEVER = UINT64_MAX;

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- asking ---------------------------------------------------------------------------------- */

static void request_end(struct token_flight *f)
{
	f->call = NULL;
	bc_oauth_request_finish(&f->request);
	if (f->authorization)
		bc_wipe(f->authorization, strlen(f->authorization));
	free(f->authorization);
	f->authorization = NULL;
	bc_secret_unref(f->secret);
	f->secret = NULL;
}

void bc_tokens_flight_end(struct bc_tokens *t)
{
	bc_http_call_cancel(t->flight.call);
	request_end(&t->flight);
	if (t->lock_timer)
		bc_timer_stop(t->lock_timer);
	if (t->cache)
		bc_token_cache_unlock(t->cache);
	pthread_mutex_lock(&t->lock);
	t->record.in_flight = false;
	pthread_mutex_unlock(&t->lock);
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct bc_tokens *t = ctx;
	t->flight.call = NULL;
	bc_tokens_judge(t, answer);
	bc_tokens_step(t);
}

static int build(struct bc_tokens *t, struct bc_err *err)
{
	struct token_flight *f = &t->flight;
	const struct bc_oauth_client client = { .client_id = t->settings.client_id,
						.client_secret = bc_secret_reveal(f->secret),
						.scope = t->settings.scope,
						.auth = t->settings.auth };
	int result = bc_oauth_request_build(&client, &f->request, err);
	if (!result && f->request.authorization &&
	    asprintf(&f->authorization, "Authorization: %s", f->request.authorization) < 0) {
		f->authorization = NULL;
		result = bc_err_nomem(err);
	}
	f->headers[0] = "Content-Type: application/x-www-form-urlencoded";
	f->headers[1] = "Accept: application/json";
	f->headers[2] = f->authorization;
	f->headers[3] = NULL;
	return result;
}

void bc_tokens_flight_ask(struct bc_tokens *t)
{
	struct token_flight *f = &t->flight;
	struct bc_err err = { 0 };
	uint32_t timeout_ms = (uint32_t)sooner(t->settings.timeout_ms, UINT32_MAX);
	request_end(f);
	f->secret = bc_secret_ref(t->settings.secrets[t->record.using]);
	int result = build(t, &err);
	struct bc_http_exchange exchange = { .method = "POST",
					     .url = t->settings.token_url,
					     .headers = f->headers,
					     .body = f->request.body,
					     .body_bytes = f->request.body_bytes,
					     .connect_timeout_ms = timeout_ms,
					     .timeout_ms = timeout_ms,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	/* Before the request: the token may be as old as that. */
	f->asked_ms = bc_elapsed_ms(t->clock);
	f->asked_wall_ms = bc_wall_ms(t->clock);
	if (!result)
		result = bc_http_call_start(t->client, &exchange, answered, t, &f->call, &err);
	if (result)
		bc_tokens_unasked(t, &err);
}

/* --- before it ------------------------------------------------------------------------------- */

/* Many processes wait at once: each looks at another time. */
static void wait_for_lock(struct bc_tokens *t)
{
	uint8_t random;
	bc_random(&random, sizeof(random));
	uint64_t tick_ms = LOCK_TICK_MS + random % LOCK_TICK_MS;
	t->flight.lock_waited_ms += tick_ms;
	bc_timer_start(t->lock_timer, tick_ms);
}

/* A lock that is held for longer than a request may take is held by one that hangs: the worst that
 * comes of passing it by is one request more. */
static void enter(struct bc_tokens *t)
{
	struct bc_err err = { 0 };
	int result = t->cache ? bc_token_cache_lock(t->cache, &err) : 0;
	if (result && result != BC_EBUSY) {
		bc_tokens_tell_cache(t, &err);
	} else if (bc_tokens_adopt(t)) {
		bc_tokens_flight_end(t);
		bc_tokens_serve(t);
		return;
	} else if (result && t->flight.lock_waited_ms < t->settings.timeout_ms) {
		wait_for_lock(t);
		return;
	}
	bc_tokens_flight_ask(t);
}

void bc_tokens_flight_enter(void *tokens)
{
	struct bc_tokens *t = tokens;
	enter(t);
	bc_tokens_step(t);
}

static void begin(struct bc_tokens *t)
{
	t->flight.tried_other = false;
	t->flight.lock_waited_ms = 0;
	pthread_mutex_lock(&t->lock);
	t->record.in_flight = true;
	pthread_mutex_unlock(&t->lock);
	atomic_store(&t->wake_ms, NEVER);
	enter(t);
}

/* --- when ------------------------------------------------------------------------------------ */

/* When a flight is to begin; NEVER: nobody needs one, or one is under way. Under the mutex. */
static uint64_t due_ms(const struct bc_tokens *t, const struct bc_access_token *usable,
		       uint64_t now_ms)
{
	const struct token_record *r = &t->record;
	if (r->in_flight)
		return NEVER;
	if (r->forced || (t->waiters.root && !usable))
		return r->next_try_ms;
	if (!usable)
		return t->options.eager || t->wanted ? r->next_try_ms : NEVER;
	if (!t->options.eager && !(t->wanted && usable->times.refresh_ms <= now_ms))
		return NEVER;
	return later(later(usable->times.refresh_ms, r->quiet_ms), r->next_try_ms);
}

static uint64_t look_due(struct bc_tokens *t, uint64_t now_ms, struct bc_access_token *usable)
{
	pthread_mutex_lock(&t->lock);
	uint64_t due = due_ms(t, usable, now_ms);
	pthread_mutex_unlock(&t->lock);
	return due;
}

static void give_up_late(struct bc_tokens *t, uint64_t now_ms)
{
	struct token_posts posts = { .count = 0 };
	struct bc_err late = { 0 };
	bc_err_set(&late, BC_ETIMEDOUT, "no access token came in time");
	bc_err_hint(&late, "the token endpoint answers slowly, or not at all");
	pthread_mutex_lock(&t->lock);
	const struct bc_err *why = t->record.failures ? &t->record.last : &late;
	while (t->waiters.root && t->waiters.root->deadline_ms <= now_ms)
		bc_token_posts_add(&posts, bc_token_waiters_take(&t->waiters), NULL, why);
	pthread_mutex_unlock(&t->lock);
	bc_token_posts_send(&posts);
}

static void set_timer(struct bc_tokens *t, uint64_t now_ms)
{
	struct bc_access_token *usable = bc_tokens_usable(t, now_ms);
	pthread_mutex_lock(&t->lock);
	const struct token_record *r = &t->record;
	uint64_t next = due_ms(t, usable, now_ms);
	if (t->waiters.root)
		next = sooner(next, t->waiters.root->deadline_ms);
	if (r->failures && usable)
		next = sooner(next, usable->times.expires_ms); /* bc_tokens_tell_gone */
	atomic_store(&t->wake_ms, r->in_flight ? NEVER : later(r->next_try_ms, r->quiet_ms));
	pthread_mutex_unlock(&t->lock);
	if (t->retired)
		next = sooner(next, now_ms + RETIRED_TICK_MS);
	if (next == NEVER)
		bc_timer_stop(t->timer);
	else
		bc_timer_start(t->timer, next > now_ms ? sooner(next - now_ms, TICK_MAX_MS) : 0);
}

void bc_tokens_step(struct bc_tokens *t)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	bc_tokens_sweep(t);
	give_up_late(t, now_ms);
	if (look_due(t, now_ms, bc_tokens_usable(t, now_ms)) <= now_ms)
		begin(t);
	if (t->record.failures && !bc_tokens_usable(t, now_ms))
		bc_tokens_tell_gone(t);
	t->wanted = false;
	set_timer(t, now_ms);
}
