/* SPDX-License-Identifier: MIT */
/*
 * A token manager's life: made, given other settings, ended. What hangs on the settings is made
 * anew as a whole before anything of the former goes, so a reload without memory changes nothing.
 */
#include "core/tokens_impl.h"

#include "base/err.h"

/* --- another configuration ------------------------------------------------------------------- */

static int make_client(struct bc_loop *loop, const struct token_settings *s,
		       struct bc_http_client **ret_client, struct bc_err *err)
{
	/* A kept connection that died unseen would cost a failed request: two secrets in a row, or
	 * two tries, may share one; a refresh hours later has its own. */
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = s->proxy,
						  .ca_file = s->ca_file,
						  .connections_max = 1,
						  .connection_age_max_ms = 5000 };
	return bc_http_client_create(loop, &options, ret_client, err);
}

/* What hangs on the settings, made anew; all or nothing. */
struct parts {
	struct token_settings settings;
	struct bc_http_client *client;
	struct bc_token_cache *cache;
};

static void parts_finish(struct parts *p)
{
	bc_http_client_destroy(p->client);
	bc_token_cache_destroy(p->cache);
	bc_token_settings_finish(&p->settings);
}

static int parts_make(struct bc_loop *loop, const struct bc_oauth_config *config, struct parts *p,
		      struct bc_err *err)
{
	*p = (struct parts){ 0 };
	int result = bc_token_settings_copy(&p->settings, config, err);
	if (!result && p->settings.cache_file) {
		p->cache = bc_token_cache_create(p->settings.cache_file);
		result = p->cache ? 0 : bc_err_nomem(err);
	}
	if (!result)
		result = make_client(loop, &p->settings, &p->client, err);
	if (result)
		parts_finish(p);
	return result;
}

static struct parts parts_swap(struct bc_tokens *t, const struct parts *p)
{
	struct parts former = { t->settings, t->client, t->cache };
	t->settings = p->settings;
	t->client = p->client;
	t->cache = p->cache;
	return former;
}

/* The record begins anew; a sleep that the same endpoint asked for is kept. */
static void record_reset(struct bc_tokens *t, bool same_client, unsigned using, bool force)
{
	pthread_mutex_lock(&t->lock);
	struct token_record *r = &t->record;
	bool asleep = same_client && r->failures && r->last_why == BC_OAUTH_THROTTLED;
	if (!asleep)
		r->next_try_ms = 0;
	r->streak = 0;
	if (!same_client) {
		r->failures = 0;
		r->last = (struct bc_err){ 0 };
	}
	r->parked = false;
	r->using = using;
	r->forced |= force;
	if (force)
		r->quiet_ms = 0;
	pthread_mutex_unlock(&t->lock);
}

int bc_tokens_reconfigure(struct bc_tokens *t, const struct bc_oauth_config *config,
			  struct bc_err *err)
{
	struct parts next = { 0 };
	int result = parts_make(t->loop, config, &next, err);
	if (result)
		return result;
	if (bc_token_settings_same(&t->settings, &next.settings)) {
		parts_finish(&next);
		if (t->record.parked)
			(void)bc_tokens_probe(
				t); /* the fault may have been mended at the other end */
		return 0;
	}
	bool same_client = bc_token_settings_same_client(&t->settings, &next.settings);
	int using = bc_token_settings_index(&next.settings, t->settings.secrets[t->record.using]);
	bool parked = t->record.parked;
	bc_tokens_flight_end(t);
	struct parts former = parts_swap(t, &next);
	if (!same_client)
		bc_tokens_publish(t, NULL);
	record_reset(t, same_client, using > 0, parked || (using < 0 && t->options.eager));
	parts_finish(&former);
	t->told_cache = t->told_assumed = false;
	if (bc_tokens_adopt(t))
		bc_tokens_serve(t);
	bc_tokens_step(t);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static void timer_fired(void *ctx)
{
	bc_tokens_step(ctx);
}

/* The token that another process left; a young process is content with it though it be stale. */
static void begin(struct bc_tokens *t)
{
	if (bc_tokens_adopt(t))
		t->record.quiet_ms = bc_elapsed_ms(t->clock) + QUIET_MS;
	atomic_store(&t->wake_ms, t->record.quiet_ms);
	if (t->options.eager)
		bc_timer_start(t->timer, 0);
}

int bc_tokens_create(struct bc_loop *loop, const struct bc_oauth_config *config,
		     const struct bc_tokens_options *options, struct bc_tokens **ret_tokens,
		     struct bc_err *err)
{
	struct parts parts = { 0 };
	struct bc_tokens *t = calloc(1, sizeof(*t));
	if (!t)
		return bc_err_nomem(err);
	pthread_mutex_init(&t->lock, NULL);
	t->loop = loop;
	t->clock = options->clock;
	t->options = *options;
	t->told = -1;
	t->nudge.run = bc_tokens_nudged;
	t->timer = bc_timer_create(loop, timer_fired, t);
	t->lock_timer = bc_timer_create(loop, bc_tokens_flight_enter, t);
	int result = t->timer && t->lock_timer ? parts_make(loop, config, &parts, err)
					       : bc_err_nomem(err);
	if (result) {
		bc_tokens_destroy(t);
		return result;
	}
	parts_swap(t, &parts);
	begin(t);
	*ret_tokens = t;
	return 0;
}

static void give_up_all(struct bc_tokens *t)
{
	struct token_posts posts = { .count = 0 };
	struct bc_err why = { 0 };
	bc_err_tell(&why, BC_ESTATE, "nothing to do: ask again when it has started",
		    "the program ends");
	pthread_mutex_lock(&t->lock);
	for (struct bc_token_wait *wait = t->waiters.first, *next; wait; wait = next) {
		next = wait->next;
		bc_token_posts_add(&posts, wait, NULL, &why);
	}
	t->waiters = (struct token_waiters){ 0 };
	t->stopped = true;
	pthread_mutex_unlock(&t->lock);
	bc_token_posts_send(&posts);
}

void bc_tokens_stop(struct bc_tokens *t)
{
	give_up_all(t);
}

void bc_tokens_destroy(struct bc_tokens *t)
{
	if (!t)
		return;
	bc_tokens_flight_end(t);
	give_up_all(t);
	bc_tokens_publish(t, NULL);
	BC_ASSERT(t->retired == NULL); /* else somebody is in bc_tokens_get */
	struct parts former = { t->settings, t->client, t->cache };
	parts_finish(&former);
	bc_timer_destroy(t->timer);
	bc_timer_destroy(t->lock_timer);
	pthread_mutex_destroy(&t->lock);
	t->dead = true;
	if (!atomic_load(&t->nudged))
		free(t);
}
