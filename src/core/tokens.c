/* SPDX-License-Identifier: MIT */
/*
 * The token manager as others see it: lending, waiting, telling of a 401, looking. How a snapshot
 * is lent without a lock, and which field belongs to whom, is in tokens_impl.h. Left to others: its
 * life and its settings (tokens_life.c), and the flight.
 */
#include "core/tokens.h"

#include <string.h>

#include "base/err.h"
#include "core/tokens_impl.h"

const char *const bc_token_state_name[BC_TOKEN_STATES] = {
	[BC_TOKEN_FRESH] = "fresh",
	[BC_TOKEN_STALE] = "stale",
	[BC_TOKEN_NONE] = "none",
	[BC_TOKEN_REFUSED] = "refused",
};

/* --- snapshots ------------------------------------------------------------------------------- */

struct bc_access_token *bc_access_token_ref(struct bc_access_token *token)
{
	atomic_fetch_add_explicit(&token->references, 1, memory_order_relaxed);
	return token;
}

void bc_access_token_unref(struct bc_access_token *token)
{
	if (!token || atomic_fetch_sub_explicit(&token->references, 1, memory_order_acq_rel) > 1)
		return;
	bc_secret_unref(token->secret);
	free(token);
}

struct bc_access_token *bc_tokens_borrow(struct bc_tokens *t)
{
	atomic_fetch_add(&t->readers, 1);
	struct bc_access_token *token = atomic_load(&t->current);
	if (token)
		bc_access_token_ref(token);
	atomic_fetch_sub(&t->readers, 1);
	return token;
}

void bc_tokens_sweep(struct bc_tokens *t)
{
	if (!t->retired || atomic_load(&t->readers) > 0)
		return;
	while (t->retired) {
		struct bc_access_token *former = t->retired;
		t->retired = former->retired;
		bc_access_token_unref(former);
	}
}

void bc_tokens_publish(struct bc_tokens *t, struct bc_access_token *token)
{
	struct bc_access_token *former = atomic_exchange(&t->current, token);
	if (former) {
		former->retired = t->retired;
		t->retired = former;
	}
	bc_tokens_sweep(t);
}

struct bc_access_token *bc_tokens_renew(struct bc_tokens *t, struct bc_secret *secret,
					struct bc_oauth_times times, uint64_t issued_ms,
					uint64_t issued_wall_ms)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	struct bc_access_token *token = calloc(1, sizeof(*token));
	if (!token) {
		bc_secret_unref(secret);
		return NULL;
	}
	atomic_init(&token->references, 1);
	token->secret = secret;
	token->generation = ++t->generation;
	token->times = times;
	token->issued_ms = issued_ms;
	token->issued_wall_ms = issued_wall_ms;
	token->expires_wall_ms = bc_wall_ms(t->clock);
	if (times.expires_ms > now_ms)
		token->expires_wall_ms += times.expires_ms - now_ms;
	bc_secret_fingerprint(secret, token->fingerprint);
	bc_tokens_publish(t, token);
	return token;
}

static enum bc_oauth_freshness freshness(const struct bc_access_token *token, uint64_t now_ms)
{
	return token ? bc_oauth_freshness_at(&token->times, now_ms) : BC_OAUTH_EXPIRED;
}

struct bc_access_token *bc_tokens_usable(struct bc_tokens *t, uint64_t now_ms)
{
	struct bc_access_token *token = atomic_load(&t->current);
	return freshness(token, now_ms) == BC_OAUTH_EXPIRED ? NULL : token;
}

/* --- lending --------------------------------------------------------------------------------- */

void bc_tokens_nudge(struct bc_tokens *t)
{
	if (!atomic_exchange(&t->nudged, true))
		bc_loop_post(t->loop, &t->nudge);
}

void bc_tokens_nudged(struct bc_task *task)
{
	struct bc_tokens *t = BC_CONTAINER(task, struct bc_tokens, nudge);
	if (t->dead) {
		free(t);
		return;
	}
	/* First: what comes from now on posts again. */
	atomic_store(&t->nudged, false);
	t->wanted = true;
	bc_tokens_step(t);
}

/* Frees the reference it is given, and returns it when it may be sent. */
static struct bc_access_token *lend(struct bc_tokens *t, struct bc_access_token *token,
				    uint64_t now_ms)
{
	enum bc_oauth_freshness is = freshness(token, now_ms);
	if (is != BC_OAUTH_FRESH &&
	    now_ms >= atomic_load_explicit(&t->wake_ms, memory_order_relaxed))
		bc_tokens_nudge(t);
	if (is != BC_OAUTH_EXPIRED)
		return token;
	bc_access_token_unref(token);
	return NULL;
}

struct bc_access_token *bc_tokens_get(struct bc_tokens *t)
{
	struct bc_access_token *token = bc_tokens_borrow(t);
	return lend(t, token, bc_elapsed_ms(t->clock));
}

/* --- waiting --------------------------------------------------------------------------------- */

/* Under the mutex. True: no flight that is under way or planned can help; why is in ret_why. */
static bool hopeless(const struct bc_tokens *t, const struct bc_token_wait *wait, bool usable,
		     uint64_t now_ms, struct bc_err *ret_why)
{
	const struct token_record *r = &t->record;
	if (t->stopped) {
		bc_err_tell(ret_why, BC_ESTATE, "nothing to do: ask again when it has started",
			    "the program ends");
		return true;
	}
	if (r->in_flight)
		return false;
	if (usable && !r->forced) {
		bc_err_set(ret_why, BC_EAUTH, "the API refused the access token");
		bc_err_hint(ret_why, "another one was asked for a moment ago: the credential may "
				     "lack a scope or a role");
		return true;
	}
	if (r->next_try_ms <= now_ms ||
	    (bc_token_record_is_worth_waiting(r) && r->next_try_ms < wait->deadline_ms))
		return false;
	*ret_why = r->last;
	return true;
}

void bc_tokens_wait(struct bc_tokens *t, struct bc_token_wait *wait)
{
	struct token_posts posts = { .count = 0 };
	struct bc_err why = { 0 };
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	bool look = false;
	wait->clock = t->clock;
	wait->err = (struct bc_err){ 0 };
	pthread_mutex_lock(&t->lock);
	/* Within the mutex: a flight serves who waits after it has published. */
	struct bc_access_token *token = bc_tokens_borrow(t);
	bool usable = freshness(token, now_ms) != BC_OAUTH_EXPIRED;
	if (usable && token->generation != wait->not_generation) {
		bc_token_posts_add(&posts, wait, token, NULL);
	} else if (hopeless(t, wait, usable, now_ms, &why)) {
		bc_token_posts_add(&posts, wait, NULL, &why);
	} else {
		bc_token_waiters_add(&t->waiters, wait);
		look = !t->record.in_flight || t->waiters.root == wait;
	}
	pthread_mutex_unlock(&t->lock);
	bc_access_token_unref(token);
	bc_token_posts_send(&posts);
	if (look)
		bc_tokens_nudge(t);
}

/* --- a 401 from the API ---------------------------------------------------------------------- */

/* Under the mutex: is a flight granted beside those that time asks for? */
static bool grant_forced(struct token_record *r, uint64_t now_ms)
{
	if (r->in_flight || r->forced) {
		r->forced = true;
		return true;
	}
	if (r->forced_ms && now_ms - r->forced_ms < BC_TOKENS_FORCED_GAP_MS)
		return false;
	r->forced = true;
	r->forced_ms = now_ms;
	return true;
}

bool bc_tokens_refused(struct bc_tokens *t, uint64_t generation)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	struct bc_access_token *token = bc_tokens_borrow(t);
	bool granted = true;
	if (token && token->generation == generation) {
		pthread_mutex_lock(&t->lock);
		granted = !t->record.parked && now_ms - token->issued_ms >= BC_TOKENS_YOUNG_MS &&
			  grant_forced(&t->record, now_ms);
		pthread_mutex_unlock(&t->lock);
		if (granted)
			bc_tokens_nudge(t);
	}
	bc_access_token_unref(token);
	return granted;
}

bool bc_tokens_probe(struct bc_tokens *t)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	pthread_mutex_lock(&t->lock);
	struct token_record *r = &t->record;
	bool told_to_sleep =
		r->failures && r->last_why == BC_OAUTH_THROTTLED && now_ms < r->next_try_ms;
	bool granted = !told_to_sleep && grant_forced(r, now_ms);
	if (granted && !r->in_flight)
		r->next_try_ms = 0;
	pthread_mutex_unlock(&t->lock);
	if (granted)
		bc_tokens_nudge(t);
	return granted;
}

/* --- looking --------------------------------------------------------------------------------- */

static enum bc_token_state state_of(enum bc_oauth_freshness is, bool parked)
{
	if (is == BC_OAUTH_EXPIRED)
		return parked ? BC_TOKEN_REFUSED : BC_TOKEN_NONE;
	return is == BC_OAUTH_FRESH ? BC_TOKEN_FRESH : BC_TOKEN_STALE;
}

/* Under the mutex. As due_ms in tokens_flight.c has it, for who only watches. */
static uint64_t refresh_ms(const struct token_record *r, const struct bc_access_token *usable)
{
	uint64_t at_ms = r->next_try_ms;
	if (!usable)
		return at_ms;
	if (usable->times.refresh_ms > at_ms)
		at_ms = usable->times.refresh_ms;
	return r->quiet_ms > at_ms ? r->quiet_ms : at_ms;
}

void bc_tokens_look(struct bc_tokens *t, struct bc_tokens_view *ret_view)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	struct bc_access_token *token = bc_tokens_borrow(t);
	enum bc_oauth_freshness is = freshness(token, now_ms);
	struct bc_tokens_view view = { 0 };
	pthread_mutex_lock(&t->lock);
	const struct token_record *r = &t->record;
	view.state = state_of(is, r->parked);
	memcpy(view.requests, r->requests, sizeof(view.requests));
	view.failures = r->failures;
	view.next_try_ms = r->next_try_ms > now_ms ? r->next_try_ms - now_ms : 0;
	view.on_next_secret = r->using > 0;
	view.parked = r->parked;
	view.in_flight = r->in_flight;
	view.last = r->last;
	view.refreshes = t->options.eager || r->in_flight;
	uint64_t at_ms = r->in_flight ? 0 : refresh_ms(r, is == BC_OAUTH_EXPIRED ? NULL : token);
	view.refresh_in_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	pthread_mutex_unlock(&t->lock);
	if (token) {
		view.generation = token->generation;
		memcpy(view.fingerprint, token->fingerprint, sizeof(view.fingerprint));
		if (is != BC_OAUTH_EXPIRED)
			view.expires_in_ms = token->times.expires_ms - now_ms;
	}
	bc_access_token_unref(token);
	*ret_view = view;
}
