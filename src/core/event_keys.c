/* SPDX-License-Identifier: MIT */
/*
 * See event_keys.h. A path has a slot: EMPTY (no path), FETCHING (with those who wait for it),
 * KNOWN (a key; it may be fetched anew beside that) or MISSING (until when it is not asked for). A
 * slot moves from EMPTY to FETCHING when it is asked for, and from there by what comes; KNOWN ones
 * that are a day old are as MISSING ones that may be asked for. Who needs a slot takes an EMPTY
 * one, then the MISSING one that is oldest, then the KNOWN one that nobody asked for for the
 * longest time.
 */
#include "core/event_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

enum {
	PATH_BYTES = 256,
	KEY_MAX_BYTES = 16 * 1024,
	KEEP_MS = 24 * 3600 * 1000,
	RENEW_MS = 12 * 3600 * 1000,
	MISSING_MS = 30 * 1000,	   /* the host answered, and not with a key */
	UNREACHABLE_MS = 1000,	   /* it did not answer */
	RENEW_AGAIN_MS = 60 * 1000 /* after a renewal that failed */
};

struct slot {
	struct bc_event_keys *keys;
	char path[PATH_BYTES];			     /* "" = the slot is free */
	struct bc_public_key *key;		     /* owned; NULL: none */
	uint64_t fetched_ms, used_ms, not_before_ms; /* elapsed clock */
	bool fetching;
	bool telling; /* those who waited; it must not go meanwhile */
	bool stale;   /* what is under way comes from a host that no longer counts */
	struct bc_event_key_wait *waits, **last_wait;
};

struct bc_event_keys {
	struct bc_fetcher *fetcher;   /* borrowed */
	const struct bc_clock *clock; /* borrowed */
	char *base_url;		      /* owned */
	struct slot slots[BC_EVENT_KEYS_MAX];
	unsigned waiters, fetching;
	uint64_t minute_ms; /* when the minute began that fetches are counted in */
	unsigned minute_fetches;
};

static bool is_known(const struct slot *s, uint64_t now)
{
	return s->key && now - s->fetched_ms < KEEP_MS;
}

static struct slot *find(struct bc_event_keys *k, struct bc_str path)
{
	for (size_t i = 0; i < BC_EVENT_KEYS_MAX; i++)
		if (k->slots[i].path[0] && bc_str_eq(path, k->slots[i].path))
			return &k->slots[i];
	return NULL;
}

/* --- slots ----------------------------------------------------------------------------------- */

/* The lower, the sooner it may go; UINT64_MAX: it may not. */
static uint64_t worth(const struct slot *s, uint64_t now)
{
	if (!s->path[0])
		return 0;
	if (s->fetching || s->telling)
		return UINT64_MAX;
	return is_known(s, now) ? UINT64_MAX / 2 + s->used_ms : 1 + s->used_ms;
}

static void clear(struct slot *s)
{
	bc_public_key_destroy(s->key);
	*s = (struct slot){ .keys = s->keys };
}

/* A free slot, or NULL. */
static struct slot *make_slot(struct bc_event_keys *k, struct bc_str path)
{
	uint64_t now = bc_elapsed_ms(k->clock);
	struct slot *least = &k->slots[0];
	for (size_t i = 1; i < BC_EVENT_KEYS_MAX; i++)
		if (worth(&k->slots[i], now) < worth(least, now))
			least = &k->slots[i];
	if (worth(least, now) == UINT64_MAX)
		return NULL;
	clear(least);
	if (bc_str_copy(least->path, sizeof(least->path), path))
		return NULL;
	least->used_ms = now;
	least->last_wait = &least->waits;
	return least;
}

/* --- fetching -------------------------------------------------------------------------------- */

static void tell_waiters(struct slot *s, const struct bc_public_key *key, const char *problem)
{
	struct bc_event_key_wait *wait = s->waits, *next;
	s->waits = NULL;
	s->last_wait = &s->waits;
	s->telling = true;
	for (; wait; wait = next) {
		next = wait->next;
		s->keys->waiters--;
		wait->done(wait, key, problem);
	}
	s->telling = false;
}

/* The key in the answer, or NULL and why there is none. */
static struct bc_public_key *read_answer(const struct slot *s, const struct bc_fetched *fetched,
					 struct bc_err *err)
{
	struct bc_public_key *key = NULL;
	if (s->stale)
		bc_err_tell(err, BC_ESTATE,
			    "nothing to do: the settings were reloaded meanwhile, and Adobe sends "
			    "it again",
			    "another key host counts now");
	else if (fetched->error)
		bc_err_tell(err, fetched->error,
			    "is events.key_url reachable from here? curl tells", "%s",
			    fetched->problem);
	else if (fetched->status != 200)
		bc_err_tell(err, BC_ENOENT,
			    "is events.key_url the one of Adobe's documents? If it is, nothing to "
			    "do: Adobe sends the event again",
			    "the key host answers %d", fetched->status);
	else if (bc_public_key_read(fetched->body, &key, err))
		key = NULL;
	return key;
}

/* A program that ends, or has another host now, has nothing to tell. */
static void tell_failed(const struct slot *s, const struct bc_err *err)
{
	if (err->code != BC_ESTATE)
		bc_log_warning("events.key_unavailable", BC_LS("path", s->path),
			       BC_LS("problem", err->text),
			       BC_LS("hint", "deliveries that need it are answered 503 and sent "
					     "again by Adobe; see events.key_url"));
}

static void fetched(void *ctx, const struct bc_fetched *answer)
{
	struct slot *s = ctx;
	struct bc_event_keys *k = s->keys;
	uint64_t now = bc_elapsed_ms(k->clock);
	struct bc_err err = { 0 };
	struct bc_public_key *key = read_answer(s, answer, &err);
	s->fetching = s->stale = false;
	k->fetching--;
	if (key) {
		bc_public_key_destroy(s->key);
		s->key = key;
		s->fetched_ms = now;
		bc_log_info("events.key_fetched", BC_LS("path", s->path));
	} else {
		s->not_before_ms = now + (is_known(s, now)     ? RENEW_AGAIN_MS
					  : answer->error == 0 ? MISSING_MS
							       : UNREACHABLE_MS);
		tell_failed(s, &err);
	}
	tell_waiters(s, is_known(s, now) ? s->key : NULL, err.text);
}

/* Counts it, if one more may be sent this minute. */
static bool may_fetch(struct bc_event_keys *k, uint64_t now)
{
	if (now - k->minute_ms >= 60 * 1000) {
		k->minute_ms = now;
		k->minute_fetches = 0;
	}
	if (k->minute_fetches == BC_EVENT_KEYS_FETCHES_MINUTE ||
	    k->fetching == BC_EVENT_KEYS_FETCHES_MAX)
		return false;
	k->minute_fetches++;
	return true;
}

static int fetch(struct bc_event_keys *k, struct slot *s)
{
	char url[2048];
	if (!may_fetch(k, bc_elapsed_ms(k->clock)))
		return BC_EBUSY;
	int len = snprintf(url, sizeof(url), "%s%s", k->base_url, s->path);
	if (len < 0 || len >= (int)sizeof(url))
		return BC_ETOOBIG;
	int result = bc_fetcher_get(k->fetcher, url, KEY_MAX_BYTES, BC_EVENT_KEYS_TIMEOUT_MS,
				    fetched, s);
	if (result)
		return result;
	s->fetching = true;
	k->fetching++;
	return 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

const struct bc_public_key *bc_event_keys_look(struct bc_event_keys *k, struct bc_str path)
{
	struct slot *s = find(k, path);
	uint64_t now = bc_elapsed_ms(k->clock);
	if (!s || s->stale || !is_known(s, now))
		return NULL;
	s->used_ms = now;
	if (now - s->fetched_ms >= RENEW_MS && !s->fetching && now >= s->not_before_ms)
		(void)fetch(k, s); /* nobody waits for it: the next one tries again */
	return s->key;
}

int bc_event_keys_fetch(struct bc_event_keys *k, struct bc_str path, struct bc_event_key_wait *wait)
{
	struct slot *s = find(k, path);
	uint64_t now = bc_elapsed_ms(k->clock);
	if (k->waiters == BC_EVENT_KEYS_WAITERS_MAX)
		return BC_EBUSY;
	if (s && !s->fetching && now < s->not_before_ms)
		return BC_EUNREACH;
	if (!s && !(s = make_slot(k, path)))
		return BC_EBUSY;
	s->used_ms = now;
	int result = s->fetching ? 0 : fetch(k, s);
	if (result && !s->key)
		clear(s);
	if (result)
		return result;
	wait->next = NULL;
	*s->last_wait = wait;
	s->last_wait = &wait->next;
	k->waiters++;
	return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_event_keys_create(struct bc_fetcher *fetcher, const struct bc_clock *clock,
			 const char *base_url, struct bc_event_keys **ret_keys, struct bc_err *err)
{
	struct bc_event_keys *k = calloc(1, sizeof(*k));
	char *copy = k ? bc_str_dup(bc_str_of(base_url)) : NULL;
	if (!copy) {
		free(k);
		return bc_err_nomem(err);
	}
	k->fetcher = fetcher;
	k->clock = clock;
	k->base_url = copy;
	for (size_t i = 0; i < BC_EVENT_KEYS_MAX; i++)
		k->slots[i].keys = k;
	*ret_keys = k;
	return 0;
}

int bc_event_keys_reconfigure(struct bc_event_keys *k, const char *base_url)
{
	if (strcmp(k->base_url, base_url) == 0)
		return 0;
	char *copy = bc_str_dup(bc_str_of(base_url));
	if (!copy)
		return BC_ENOMEM;
	free(k->base_url);
	k->base_url = copy;
	for (size_t i = 0; i < BC_EVENT_KEYS_MAX; i++) {
		if (!k->slots[i].fetching)
			clear(&k->slots[i]);
		else
			k->slots[i].stale = true;
	}
	return 0;
}

void bc_event_keys_destroy(struct bc_event_keys *k)
{
	if (!k)
		return;
	BC_ASSERT(!k->fetching && !k->waiters);
	for (size_t i = 0; i < BC_EVENT_KEYS_MAX; i++)
		clear(&k->slots[i]);
	free(k->base_url);
	free(k);
}
