/* SPDX-License-Identifier: MIT */
/* See credential.h. A token manager of our own, on a loop that runs until it has a token or knows
 * why it gets none. */
#include "cli/credential.h"

#include <fcntl.h>

#include "base/err.h"
#include "base/log.h"
#include "core/token_cache.h"
#include "daemon/app.h"

enum { SPARE_MS = 2000, LOOK_MS = 20, TRIES = 3, PATIENCE_MS = 5000 };

struct fetch {
	struct bc_loop *loop;
	struct bc_tokens *tokens;
	struct bc_timer *timer;
	struct bc_token_wait wait;
	bool done; /* the wait is over */
};

static void waited(struct bc_token_wait *wait)
{
	struct fetch *f = BC_CONTAINER(wait, struct fetch, wait);
	f->done = true;
	bc_loop_stop(f->loop);
}

/* A manager tries for as long as somebody waits. Somebody at a terminal wants to know why not. */
static void look(void *ctx)
{
	struct fetch *f = ctx;
	struct bc_tokens_view v;
	bc_tokens_look(f->tokens, &v);
	if (!v.in_flight && (v.failures >= TRIES || (v.failures && v.next_try_ms > PATIENCE_MS)))
		bc_loop_stop(f->loop);
	else
		bc_timer_start(f->timer, LOOK_MS);
}

static void keep(struct bc_credential *c, const struct bc_access_token *token)
{
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);
	c->token = bc_secret_ref(token->secret);
	if (token->times.refresh_ms > now_ms)
		c->refresh_in_ms = token->times.refresh_ms - now_ms;
}

/* Each of two secrets may take the whole time. */
static int wait_for_token(struct fetch *f, const struct bc_settings *s, struct bc_credential *c,
			  struct bc_err *err)
{
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);
	f->wait =
		(struct bc_token_wait){ .loop = f->loop,
					.deadline_ms = now_ms + 2 * s->oauth_timeout_ms + SPARE_MS,
					.done = waited };
	bc_tokens_wait(f->tokens, &f->wait);
	bc_timer_start(f->timer, LOOK_MS);
	bc_loop_run(f->loop);
	if (!f->done) {
		bc_tokens_look(f->tokens, &c->view);
		*err = c->view.last;
		return err->code;
	}
	if (f->wait.result) {
		*err = f->wait.err;
		return f->wait.result;
	}
	keep(c, f->wait.token);
	bc_access_token_unref(f->wait.token);
	return 0;
}

static int fetch(struct fetch *f, const struct bc_settings *s, struct bc_credential *c,
		 struct bc_err *err)
{
	struct bc_oauth_config config = bc_app_oauth_config(s);
	struct bc_tokens_options options = { .clock = &bc_clock_system };
	int result = bc_tokens_create(f->loop, &config, &options, &f->tokens, err);
	if (result)
		return result;
	struct bc_access_token *token = bc_tokens_get(f->tokens);
	c->cached = token != NULL;
	if (token)
		keep(c, token);
	else
		result = wait_for_token(f, s, c, err);
	bc_access_token_unref(token);
	bc_tokens_look(f->tokens, &c->view);
	/* A wait that was not seen through ends now, while f is there. */
	bc_tokens_destroy(f->tokens);
	return result;
}

int bc_credential_fetch(const struct bc_settings *s, struct bc_credential *ret, struct bc_err *err)
{
	struct fetch f = { 0 };
	*ret = (struct bc_credential){ 0 };
	bc_credential_hush_log();
	int result = bc_loop_create(&f.loop, err);
	if (result)
		return result;
	f.timer = bc_timer_create(f.loop, look, &f);
	result = f.timer ? fetch(&f, s, ret, err) : bc_err_nomem(err);
	bc_timer_destroy(f.timer);
	bc_loop_destroy(f.loop);
	return result;
}

void bc_credential_finish(struct bc_credential *c)
{
	bc_secret_unref(c->token);
	c->token = NULL;
}

int bc_credential_check(const struct bc_settings *s, struct bc_err *err)
{
	const struct {
		const char *name;
		bool set;
	} needed[] = { { "IMS_CLIENT_ID", s->oauth_client_id },
		       { "IMS_CLIENT_SECRET", s->oauth_client_secret },
		       { "API_ENDPOINT", s->commerce_base_url } };
	for (size_t i = 0; i < BC_COUNT(needed); i++) {
		if (needed[i].set)
			continue;
		bc_err_set(err, BC_EUNREACH, "no daemon answers at %s, and %s is not set here",
			   s->url, needed[i].name);
		bc_err_hint(err, "start one with backchannel serve, name another in "
				 "BACKCHANNEL_URL, or set IMS_CLIENT_ID, IMS_CLIENT_SECRET and "
				 "API_ENDPOINT");
		return BC_EUNREACH;
	}
	return 0;
}

int bc_credential_check_cache(const struct bc_settings *s, struct bc_err *err)
{
	if (!s->oauth_cache_file)
		return 0;
	struct bc_token_cache *cache = bc_token_cache_create(s->oauth_cache_file);
	if (!cache)
		return bc_err_nomem(err);
	int result = bc_token_cache_lock(cache, err);
	bc_token_cache_destroy(cache);
	return result == BC_EBUSY ? 0 : result;
}

void bc_credential_hush_log(void)
{
	static int nowhere = -1;
	if (nowhere < 0)
		nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere >= 0)
		bc_log_to_fd(nowhere);
}
