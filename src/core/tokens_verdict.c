/* SPDX-License-Identifier: MIT */
/*
 * What follows from an answer of the token endpoint: which token is in force, what is known of the
 * credential, when to ask again, and for whom waiting is over.
 */
#include "core/tokens_impl.h"

#include <string.h>

#include "base/err.h"

#define WAIT_HINT                                                                                  \
	"it is tried again by itself; when it stays so, see the machine's memory and clock"

/* --- when to ask again ----------------------------------------------------------------------- */

static uint64_t doubled(uint64_t first_ms, uint64_t cap_ms, unsigned n)
{
	while (--n && first_ms < cap_ms)
		first_ms *= 2;
	return first_ms < cap_ms ? first_ms : cap_ms;
}

static uint64_t plan_parked(unsigned n, uint64_t told_ms)
{
	(void)n;
	(void)told_ms;
	return PARKED_PROBE_MS;
}

static uint64_t plan_request(unsigned n, uint64_t told_ms)
{
	(void)told_ms;
	return doubled(REQUEST_PROBE_MS, PARKED_PROBE_MS, n);
}

static uint64_t plan_throttled(unsigned n, uint64_t told_ms)
{
	if (!told_ms)
		return doubled(THROTTLED_MS, THROTTLED_CAP_MS, n);
	return told_ms < THROTTLED_MAX_MS ? told_ms : THROTTLED_MAX_MS;
}

/* Half of it is drawn, so that many daemons do not come back together. */
static uint64_t plan_failed(unsigned n, uint64_t told_ms)
{
	uint64_t half_ms = doubled(BACKOFF_MS, BACKOFF_CAP_MS, n) / 2, random;
	(void)told_ms;
	bc_random(&random, sizeof(random));
	return half_ms + random % (half_ms + 1);
}

/* n: so many of the class in a row; told_ms: what Retry-After said, 0: nothing. */
static uint64_t (*const plan[BC_OAUTH_RESULTS])(unsigned n, uint64_t told_ms) = {
	[BC_OAUTH_GRANTED] = plan_failed, /* one that had run out already */
	[BC_OAUTH_CLIENT_REFUSED] = plan_parked, [BC_OAUTH_REQUEST_REFUSED] = plan_request,
	[BC_OAUTH_THROTTLED] = plan_throttled,	 [BC_OAUTH_FAILED] = plan_failed,
};

static bool parks(enum bc_oauth_result why)
{
	return why == BC_OAUTH_CLIENT_REFUSED || why == BC_OAUTH_REQUEST_REFUSED;
}

/* --- a failure ------------------------------------------------------------------------------- */

/* Under the mutex. A parked credential stays so, with its reason, until one is granted. */
static void note(struct token_record *r, struct token_failure *failure, uint64_t now_ms)
{
	enum bc_oauth_result why = failure->why;
	failure->was_parked = r->parked;
	failure->repeated = r->failures && r->last_why == why;
	memcpy(failure->former_text, r->last.text, sizeof(failure->former_text));
	r->streak = failure->repeated ? r->streak + 1 : 1;
	r->failures++;
	r->last_why = why;
	uint64_t wait_ms = plan[why](r->streak, failure->retry_after_ms);
	if (!r->parked || parks(why))
		r->last = failure->err;
	else if (wait_ms < PARKED_PROBE_MS)
		wait_ms = PARKED_PROBE_MS;
	r->parked |= parks(why);
	failure->wait_ms = wait_ms;
	r->next_try_ms = now_ms + wait_ms;
	if (!r->parked)
		return;
	r->forced = false;
	r->using = 0;
}

/* Under the mutex: those whose deadline comes before the next try. */
static void give_up(struct bc_tokens *t, struct token_posts *posts)
{
	const struct token_record *r = &t->record;
	bool worth = bc_token_record_is_worth_waiting(r);
	while (t->waiters.root && (!worth || t->waiters.root->deadline_ms <= r->next_try_ms))
		bc_token_posts_add(posts, bc_token_waiters_take(&t->waiters), NULL, &r->last);
}

static void failed(struct bc_tokens *t, struct token_failure *failure)
{
	struct token_posts posts = { .count = 0 };
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	if (t->flight.secret)
		bc_secret_fingerprint(t->flight.secret, failure->secret);
	if (!t->record.failures)
		t->failing_since_ms = now_ms;
	bc_tokens_flight_end(t);
	pthread_mutex_lock(&t->lock);
	note(&t->record, failure, now_ms);
	give_up(t, &posts);
	pthread_mutex_unlock(&t->lock);
	bc_token_posts_send(&posts);
	bc_tokens_tell_failure(t, failure);
}

void bc_tokens_unasked(struct bc_tokens *t, const struct bc_err *err)
{
	failed(t, &(struct token_failure){ .why = err->code == BC_EINVAL ? BC_OAUTH_REQUEST_REFUSED
									 : BC_OAUTH_FAILED,
					   .err = *err });
}

static void describe(const struct bc_oauth_verdict *v, const struct bc_http_answer *answer,
		     struct bc_err *ret_err)
{
	int code = parks(v->result) ? BC_EAUTH : BC_EUNREACH;
	/* One that says what was wrong with our secret by repeating it is not quoted. */
	bool unquotable = answer->body.len && bc_secret_occurs(answer->body.ptr, answer->body.len);
	const char *said = v->error[0] ? v->error : v->description;
	const char *more = v->error[0] ? v->description : "";
	if (answer->status == 0)
		said = answer->error_text, more = "";
	if (unquotable)
		said = more = "";
	bc_err_tell(ret_err, code, v->hint[0] ? v->hint : WAIT_HINT, "%s%s%s%s%s%s", v->meaning,
		    said[0] ? " (" : "", said, more[0] ? ": " : "", more, said[0] ? ")" : "");
}

static void refused(struct bc_tokens *t, const struct bc_oauth_verdict *v,
		    const struct bc_http_answer *answer)
{
	struct token_failure failure = { .why = v->result,
					 .status = answer->status,
					 .retry_after_ms = v->retry_after_ms };
	describe(v, answer, &failure.err);
	if (v->result != BC_OAUTH_CLIENT_REFUSED || t->flight.tried_other ||
	    !bc_token_settings_second_differs(&t->settings)) {
		failed(t, &failure);
		return;
	}
	bc_tokens_tell_other(t, &failure.err);
	pthread_mutex_lock(&t->lock);
	t->record.using = !t->record.using;
	pthread_mutex_unlock(&t->lock);
	t->flight.tried_other = true;
	bc_tokens_flight_ask(t);
}

/* --- a token --------------------------------------------------------------------------------- */

/* Under the mutex. One who was refused with this very token, so quickly, waits for the next. */
static void serve_list(struct bc_tokens *t, struct bc_access_token *token,
		       struct token_posts *posts)
{
	struct bc_token_wait *next, *first = t->waiters.first;
	t->waiters = (struct token_waiters){ 0 };
	for (struct bc_token_wait *wait = first; wait; wait = next) {
		next = wait->next;
		if (wait->not_generation != token->generation) {
			bc_token_posts_add(posts, wait, token, NULL);
			continue;
		}
		bc_token_waiters_add(&t->waiters, wait);
		t->record.forced = true;
	}
}

void bc_tokens_serve(struct bc_tokens *t)
{
	struct token_posts posts = { .count = 0 };
	struct bc_access_token *token = atomic_load(&t->current);
	pthread_mutex_lock(&t->lock);
	struct token_record *r = &t->record;
	uint64_t failures = r->failures;
	r->failures = r->streak = 0;
	r->last = (struct bc_err){ 0 };
	r->next_try_ms = 0;
	r->parked = r->forced = false;
	serve_list(t, token, &posts);
	pthread_mutex_unlock(&t->lock);
	bc_token_posts_send(&posts);
	bc_tokens_tell_good(t, failures);
}

static void failed_ourselves(struct bc_tokens *t, const struct bc_http_answer *answer,
			     const char *text)
{
	struct token_failure failure = { .why = BC_OAUTH_FAILED, .status = answer->status };
	bc_err_tell(&failure.err, BC_EUNREACH, WAIT_HINT, "%s", text);
	failed(t, &failure);
}

/* Who waits is served before the file is written: that may take a while. */
static void granted(struct bc_tokens *t, const struct bc_oauth_verdict *v,
		    const struct bc_http_answer *answer)
{
	const struct token_flight *f = &t->flight;
	uint64_t random, now_ms = bc_elapsed_ms(t->clock);
	bc_random(&random, sizeof(random));
	struct bc_oauth_times times = bc_oauth_times_of(f->asked_ms, v->life_ms, random);
	if (bc_oauth_freshness_at(&times, now_ms) == BC_OAUTH_EXPIRED) {
		failed_ourselves(t, answer, "the access token had run out when it came");
		return;
	}
	struct bc_secret *secret = bc_secret_create(v->access_token, strlen(v->access_token));
	struct bc_access_token *token =
		secret ? bc_tokens_renew(t, secret, times, now_ms, f->asked_wall_ms) : NULL;
	if (!token) {
		failed_ourselves(t, answer, "no memory for an access token");
		return;
	}
	bc_tokens_tell_issued(t, token, answer);
	if (v->life_assumed)
		bc_tokens_tell_assumed(t, v->life_ms);
	bc_tokens_serve(t);
	bc_tokens_share(t, token);
	bc_tokens_flight_end(t);
}

static void count(struct bc_tokens *t, enum bc_oauth_result result)
{
	pthread_mutex_lock(&t->lock);
	t->record.requests[result]++;
	pthread_mutex_unlock(&t->lock);
}

void bc_tokens_judge(struct bc_tokens *t, const struct bc_http_answer *answer)
{
	struct bc_oauth_answer read = { .status = answer->status,
					.body = answer->body.ptr,
					.body_bytes = answer->body.len,
					.complete = answer->complete,
					.retry_after = answer->retry_after,
					.date = answer->date,
					.now_wall_ms = bc_wall_ms(t->clock) };
	struct bc_oauth_verdict verdict;
	if (bc_oauth_read_answer(&read, &verdict)) {
		count(t, BC_OAUTH_FAILED);
		failed_ourselves(t, answer, "no memory for the token endpoint's answer");
		return;
	}
	count(t, verdict.result);
	if (verdict.result == BC_OAUTH_GRANTED)
		granted(t, &verdict, answer);
	else
		refused(t, &verdict, answer);
	bc_oauth_verdict_finish(&verdict);
}
