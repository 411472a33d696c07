/* SPDX-License-Identifier: MIT */
/*
 * Between the manager and the file it shares with other processes: which token there is of use, and
 * from one clock to the other. The file speaks wall clock; what is lent goes by the elapsed one,
 * from the moment of reading on.
 */
#include "core/tokens_impl.h"

#include "base/err.h"

/* One for each secret: whichever another process used, the token is the same client's. */
static size_t keys_of(const struct bc_tokens *t, char (*keys)[BC_CACHE_KEY_BYTES])
{
	const struct token_settings *s = &t->settings;
	size_t count = 0;
	for (size_t i = 0; i < TOKEN_SECRETS; i++)
		if (s->secrets[i] && bc_token_cache_key(s->token_url, s->client_id, s->scope,
							s->secrets[i], keys[count]) == 0)
			count++;
	return count;
}

static uint64_t from_wall(uint64_t at_wall_ms, uint64_t now_wall_ms, uint64_t now_ms)
{
	return at_wall_ms > now_wall_ms ? now_ms + (at_wall_ms - now_wall_ms) : now_ms;
}

static uint64_t before(uint64_t now_ms, uint64_t age_ms)
{
	return now_ms > age_ms ? now_ms - age_ms : 0;
}

/* One that is fresh, or any where there is none; never an older one than that in hand. */
static bool is_of_use(struct bc_tokens *t, const struct bc_cached_token *read, uint64_t now_wall_ms)
{
	const struct bc_access_token *usable = bc_tokens_usable(t, bc_elapsed_ms(t->clock));
	if (!usable)
		return true;
	return read->refresh_ms > now_wall_ms && read->issued_ms > usable->issued_wall_ms;
}

static bool take_over(struct bc_tokens *t, struct bc_cached_token *read, uint64_t now_wall_ms)
{
	uint64_t now_ms = bc_elapsed_ms(t->clock);
	struct bc_oauth_times times = {
		.refresh_ms = from_wall(read->refresh_ms, now_wall_ms, now_ms),
		.expires_ms = from_wall(read->expires_ms, now_wall_ms, now_ms),
	};
	if (!is_of_use(t, read, now_wall_ms)) {
		bc_secret_unref(read->token);
		return false;
	}
	struct bc_access_token *token =
		bc_tokens_renew(t, read->token, times,
				before(now_ms, now_wall_ms - read->issued_ms), read->issued_ms);
	if (token)
		bc_tokens_tell_cached(t, token);
	return token != NULL;
}

bool bc_tokens_adopt(struct bc_tokens *t)
{
	char keys[TOKEN_SECRETS][BC_CACHE_KEY_BYTES];
	struct bc_cached_token read;
	struct bc_err err = { 0 };
	uint64_t now_wall_ms = bc_wall_ms(t->clock);
	if (!t->cache)
		return false;
	int result = bc_token_cache_read(t->cache, (const char(*)[BC_CACHE_KEY_BYTES])keys,
					 keys_of(t, keys), now_wall_ms, &read, &err);
	if (result < 0)
		bc_tokens_tell_cache(t, &err);
	return result == 1 && take_over(t, &read, now_wall_ms);
}

void bc_tokens_share(struct bc_tokens *t, const struct bc_access_token *token)
{
	const struct token_flight *f = &t->flight;
	const struct token_settings *s = &t->settings;
	char key[BC_CACHE_KEY_BYTES];
	struct bc_err err = { 0 };
	struct bc_cached_token out = {
		.token = token->secret,
		.issued_ms = f->asked_wall_ms,
		.refresh_ms = f->asked_wall_ms + (token->times.refresh_ms - f->asked_ms),
		.expires_ms = f->asked_wall_ms + (token->times.expires_ms - f->asked_ms),
	};
	if (!t->cache)
		return;
	int result = bc_token_cache_key(s->token_url, s->client_id, s->scope, f->secret, key);
	if (result)
		bc_err_nomem(&err);
	else
		result = bc_token_cache_write(t->cache, key, &out, &err);
	if (result)
		bc_tokens_tell_cache(t, &err);
}
