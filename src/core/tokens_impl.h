/* SPDX-License-Identifier: MIT */
/*
 * Inside the token manager. tokens.c lends and answers questions, tokens_life.c begins and ends it
 * and swaps its settings, tokens_wait.c keeps who waits,
 * tokens_flight.c decides when to ask and asks, tokens_verdict.c draws the consequences of what
 * came back, tokens_tell.c says it (log, and to whoever listens), tokens_config.c holds the
 * settings, tokens_shared.c and token_cache.c the file.
 *
 * Three kinds of fields in struct bc_tokens: atomics that any thread uses; what the mutex guards;
 * and the rest, which belongs to the loop's thread. Other threads write waiters, forced, forced_ms
 * and next_try_ms; what else the mutex guards the loop alone writes, and reads without it.
 *
 * How a snapshot is lent without a lock. A reader counts itself in (readers), reads current, takes
 * a reference, counts itself out. The loop exchanges current first and gives up the manager's
 * reference to the former only after it has seen readers at 0 since. All four are sequentially
 * consistent: a reader that the loop did not see had not counted itself in yet, so it reads current
 * after the exchange and finds the new one. Until nobody is seen inside, the former waits in the
 * list of the retired; a reader is inside for a few instructions, and tokens change once in hours.
 */
#ifndef BC_CORE_TOKENS_IMPL_H
#define BC_CORE_TOKENS_IMPL_H

#include <pthread.h>

#include "core/token_cache.h"
#include "core/tokens.h"
#include "net/http_client.h"

enum {
	TIMEOUT_MS = 10 * 1000, /* when none is set */
	PARKED_PROBE_MS = 15 * 60 * 1000,
	REQUEST_PROBE_MS = 60 * 1000, /* doubles to PARKED_PROBE_MS */
	THROTTLED_MS = 5 * 1000,      /* when it does not say; doubles to the next */
	THROTTLED_CAP_MS = 60 * 1000,
	THROTTLED_MAX_MS = 3600 * 1000, /* what is believed of what it says */
	BACKOFF_MS = 1000,		/* doubles to the next; half of it is drawn */
	BACKOFF_CAP_MS = 14 * 1000,
	/* A process that lives for one call does not begin a refresh that it will not see the end
	 * of. */
	QUIET_MS = 5 * 1000,
	TICK_MAX_MS = 60 * 1000, /* timers do not count suspend: look at the clock that does */
	RETIRED_TICK_MS = 10,
	LOCK_TICK_MS = 20, /* and up to as much again */
	ANSWER_MAX_BYTES = 64 * 1024,
	TOKEN_SECRETS = 2
};

/* Owned copy of a struct bc_oauth_config. */
struct token_settings {
	char *token_url, *client_id, *scope, *cache_file, *proxy, *ca_file; /* NULL: none */
	struct bc_secret *secrets[TOKEN_SECRETS];			    /* [1] may be NULL */
	enum bc_oauth_auth auth;
	uint64_t timeout_ms;
};
BC_MUST_CHECK int bc_token_settings_copy(struct token_settings *to,
					 const struct bc_oauth_config *from, struct bc_err *err);
void bc_token_settings_finish(struct token_settings *s);
/* Whose tokens are the same: client id, URL and scope. */
bool bc_token_settings_same_client(const struct token_settings *a, const struct token_settings *b);
bool bc_token_settings_same(const struct token_settings *a, const struct token_settings *b);
/* Which of them has these bytes; -1: none. */
int bc_token_settings_index(const struct token_settings *s, const struct bc_secret *secret);
bool bc_token_settings_second_differs(const struct token_settings *s);

/* Who waits: a list in the order they came, and a pairing heap by deadline through the same
 * structs, so that nothing is allocated and each comes and goes in O(log n) at most. */
struct token_waiters {
	struct bc_token_wait *first, *last;
	struct bc_token_wait *root; /* whose deadline is the first; NULL: nobody waits */
};
void bc_token_waiters_add(struct token_waiters *w, struct bc_token_wait *wait);
/* Takes the root out; there must be one. */
struct bc_token_wait *bc_token_waiters_take(struct token_waiters *w);

/* Those whose wait is over, sorted by loop: one wake-up each. More loops than that: a few more. */
enum { TOKEN_POST_LOOPS = 8 };
struct token_posts {
	struct {
		struct bc_loop *loop;
		struct bc_task *first, *last;
	} rows[TOKEN_POST_LOOPS];
	size_t count;
};
/* Sets what done will find: token (a reference is taken) or the code and words of err. */
void bc_token_posts_add(struct token_posts *p, struct bc_token_wait *wait,
			struct bc_access_token *token, const struct bc_err *err);
void bc_token_posts_send(struct token_posts *p);

/* What is known of the credential; guarded by the mutex. */
struct token_record {
	uint64_t requests[BC_OAUTH_RESULTS];
	uint64_t failures;	       /* in a row */
	unsigned streak;	       /* of them, of the same class as the last */
	enum bc_oauth_result last_why; /* of the last failure */
	struct bc_err last;
	uint64_t next_try_ms; /* elapsed clock; no request before; 0: at any time */
	uint64_t quiet_ms;    /* likewise, for a refresh that nobody waits for */
	bool parked, in_flight;
	bool forced;	    /* another token is wanted though this one has not run out */
	uint64_t forced_ms; /* when that was granted the last time; 0: never */
	unsigned using;	    /* which of the secrets */
};

struct token_flight {
	struct bc_http_call *call;	 /* of the request under way */
	struct bc_oauth_request request; /* with what the exchange borrows */
	char *authorization;		 /* owned, wiped: the header line */
	const char *headers[4];
	struct bc_secret *secret; /* a reference: the one it is made with */
	uint64_t asked_ms, asked_wall_ms;
	uint64_t lock_waited_ms;
	bool tried_other;
};

/* A hiccup is waited for; who is down for longer is not: then callers fail at once. */
enum { TOKEN_HICCUP_FAILURES = 3 };
static inline bool bc_token_record_is_worth_waiting(const struct token_record *r)
{
	return !r->parked && r->failures < TOKEN_HICCUP_FAILURES;
}

struct bc_tokens {
	struct bc_loop *loop;	      /* borrowed */
	const struct bc_clock *clock; /* borrowed */
	struct bc_tokens_options options;

	_Atomic(struct bc_access_token *) current; /* holds a reference */
	atomic_uint readers;
	/* Before then a reader who finds the token not fresh need not wake the loop. */
	atomic_uint_fast64_t wake_ms;
	atomic_bool nudged; /* nudge is posted and has not run */
	struct bc_task nudge;

	pthread_mutex_t lock;
	struct token_waiters waiters;
	bool stopped; /* nobody may wait any more */
	struct token_record record;

	struct token_settings settings;
	struct bc_http_client *client; /* owned */
	struct bc_token_cache *cache;  /* owned; NULL: none */
	struct bc_timer *timer;	       /* owned; the next thing to do */
	struct bc_timer *lock_timer;   /* owned; the next try for the cache's lock */
	struct token_flight flight;
	struct bc_access_token *retired; /* owned; former ones that a reader may be looking at */
	uint64_t generation;
	bool wanted; /* somebody got a token that is not fresh */
	bool dead;   /* destroyed; the nudge that is still posted frees it */

	bool told_assumed, told_cache, told_gone; /* said once */
	int told; /* enum bc_token_state that was told last; -1: nothing yet */
	uint64_t failing_since_ms;
};

/* tokens.c */
/* A reference, or NULL; whatever its age. Any thread. */
struct bc_access_token *bc_tokens_borrow(struct bc_tokens *t);
/* Takes the reference. NULL: none any more. */
void bc_tokens_publish(struct bc_tokens *t, struct bc_access_token *token);
void bc_tokens_sweep(struct bc_tokens *t);
/* Makes the loop look, unless it was told already. Any thread. */
void bc_tokens_nudge(struct bc_tokens *t);
void bc_tokens_nudged(struct bc_task *task); /* what then runs on the loop */
/* Publishes a new generation. Takes the secret. Times and issued_ms on the elapsed clock. NULL
 * without memory, else borrowed. Loop's thread. */
struct bc_access_token *bc_tokens_renew(struct bc_tokens *t, struct bc_secret *secret,
					struct bc_oauth_times times, uint64_t issued_ms,
					uint64_t issued_wall_ms);
/* The current one, or NULL when it may not be sent any more; borrowed. Loop's thread. */
struct bc_access_token *bc_tokens_usable(struct bc_tokens *t, uint64_t now_ms);

/* tokens_flight.c */
/* Looks what is to be done now, does it, sets the timer. Loop's thread. */
void bc_tokens_step(struct bc_tokens *t);
/* The request is dropped, and what it borrowed with it. */
void bc_tokens_flight_end(struct bc_tokens *t);
/* Sends the request, with the secret in use. */
void bc_tokens_flight_ask(struct bc_tokens *t);
/* The next try for the cache's lock. */
void bc_tokens_flight_enter(void *tokens);

/* tokens_shared.c: the cache file. Without one, nothing happens and nothing is found. */
/* A token there that is of more use than the one in hand is published. */
bool bc_tokens_adopt(struct bc_tokens *t);
/* Writes what a flight got. Within the lock. */
void bc_tokens_share(struct bc_tokens *t, const struct bc_access_token *token);

/* tokens_verdict.c */
struct token_failure {
	enum bc_oauth_result why;
	struct bc_err err;
	uint64_t retry_after_ms;   /* as it was told; 0: it was not */
	uint64_t wait_ms;	   /* as it was planned */
	int status;		   /* 0: no answer */
	bool was_parked, repeated; /* before; the class is that of the failure before */
	/* Before. */
	char former_text[BC_ERR_TEXT_BYTES];
	char secret[BC_FINGERPRINT_BYTES]; /* of the secret that was sent; "": none */
};
void bc_tokens_judge(struct bc_tokens *t, const struct bc_http_answer *answer);
/* The flight failed before there was an answer. */
void bc_tokens_unasked(struct bc_tokens *t, const struct bc_err *err);
/* All who wait get the current one, and the failures are over. */
void bc_tokens_serve(struct bc_tokens *t);

/* tokens_tell.c */
/* Of a flight that is not ended yet. */
void bc_tokens_tell_issued(struct bc_tokens *t, const struct bc_access_token *token,
			   const struct bc_http_answer *answer);
void bc_tokens_tell_assumed(struct bc_tokens *t, uint64_t life_ms); /* once */
void bc_tokens_tell_good(struct bc_tokens *t, uint64_t failures);
void bc_tokens_tell_failure(struct bc_tokens *t, const struct token_failure *failure);
/* One of two secrets was refused, the other one is tried. */
void bc_tokens_tell_other(struct bc_tokens *t, const struct bc_err *why);
/* The last good token has run out while no other is to be had: once. */
void bc_tokens_tell_gone(struct bc_tokens *t);
void bc_tokens_tell_cached(struct bc_tokens *t, const struct bc_access_token *token);
/* The file cannot be used: once. */
void bc_tokens_tell_cache(struct bc_tokens *t, const struct bc_err *err);

#endif
