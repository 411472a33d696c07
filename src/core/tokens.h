/* SPDX-License-Identifier: MIT */
/*
 * The access token of one OAuth credential, kept fresh (design section 10). One immutable snapshot,
 * published by pointer: whoever has a usable one takes no lock and waits for nobody. There is at
 * most one request to the token endpoint at a time (the flight), it belongs to the manager and no
 * caller can end it.
 *
 * States, of what a caller gets:
 *   fresh    the token is used
 *   stale    it is used, and a flight is under way or slept for in the background
 *   none     none that may be sent: callers wait for the flight, each to its own deadline
 *   refused  none, and the endpoint refused the credential (every secret of it): callers fail at
 *            once, until the credential changes or a probe goes through (every 15 minutes, and
 *            bc_tokens_probe). While parked with a token that is still good, that one is lent: the
 *            state is fresh or stale then, and view.parked tells
 *
 * What a failed flight does, by its class (see bc_oauth_result): a refused client tries the other
 * secret once, then parks; a refused request parks too, but is asked again after 1 to 15 minutes,
 * for it may be the endpoint's fault; throttled sleeps as told; failed backs off with jitter, below
 * 15 s. None of them touches a token that is still good.
 *
 * The clock counts suspend, timers do not: whether a token may be sent is judged when it is lent
 * and again when a waiter gets it, never by a timer.
 *
 * create, reconfigure, destroy and the flights run on the loop's thread; the others on any.
 */
#ifndef BC_CORE_TOKENS_H
#define BC_CORE_TOKENS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <backchannel/oauth.h>

#include "base/clock.h"
#include "base/secret.h"
#include "net/loop.h"

/* Borrowed strings; whoever takes them copies. Secrets are counted. */
struct bc_oauth_config {
	const char *token_url;
	const char *client_id;
	struct bc_secret *secret, *secret_next; /* next: may be NULL */
	const char *scope;			/* joined, as it is sent */
	enum bc_oauth_auth auth;
	uint64_t timeout_ms;
	const char *cache_file; /* NULL: none */
	const char *proxy;	/* NULL or "": none */
	const char *ca_file;	/* NULL: the system's */
};

/* A snapshot. Immutable, counted. */
struct bc_access_token {
	atomic_uint references;	     /* by ref and unref alone */
	struct bc_secret *secret;    /* the token itself */
	uint64_t generation;	     /* 1 = the first of this process; never the same again */
	struct bc_oauth_times times; /* elapsed clock */
	uint64_t issued_ms;	     /* elapsed clock: when it came */
	uint64_t issued_wall_ms, expires_wall_ms; /* for people; expires: margin taken off */
	char fingerprint[BC_FINGERPRINT_BYTES];
	struct bc_access_token *retired; /* the manager's */
};
struct bc_access_token *bc_access_token_ref(struct bc_access_token *token);
void bc_access_token_unref(struct bc_access_token *token); /* NULL is fine; any thread */

enum bc_token_state { BC_TOKEN_FRESH, BC_TOKEN_STALE, BC_TOKEN_NONE, BC_TOKEN_REFUSED };
enum { BC_TOKEN_STATES = 4 };
extern const char *const bc_token_state_name[BC_TOKEN_STATES];

/* The credential's state is another one. Lent for the time of the call. */
struct bc_token_change {
	const char *from, *to;	   /* bc_token_state_name; from NULL: there was none before */
	const char *reason, *hint; /* NULL: none */
	const char *text;	   /* the whole in one sentence */
	uint64_t at_ms;		   /* wall clock */
};

struct bc_tokens;

struct bc_tokens_options {
	const struct bc_clock *clock; /* borrowed */
	bool eager; /* fetch at once and refresh by itself; else only when somebody asks */
	bool quiet; /* what would be logged is at debug: a guest in somebody else's program */
	/* NULL: nobody wants to know. Loop's thread; must not call the manager. */
	void (*changed)(void *ctx, const struct bc_token_change *change);
	void *ctx; /* borrowed */
};

/* 0, BC_ENOMEM, BC_EINVAL (token_url, client_id or secret is missing or none). A token in the cache
 * file is there when it returns; nothing is asked before the loop runs. */
BC_MUST_CHECK int bc_tokens_create(struct bc_loop *loop, const struct bc_oauth_config *config,
				   const struct bc_tokens_options *options,
				   struct bc_tokens **ret_tokens, struct bc_err *err);
/* Who waits is told BC_ESTATE now, and whoever asks to wait from now on. Any thread. */
void bc_tokens_stop(struct bc_tokens *t);
/* The flight is ended; who waits is told BC_ESTATE. Snapshots that are held stay valid. No other
 * thread may be in a call, or make one any more. NULL is fine. */
void bc_tokens_destroy(struct bc_tokens *t);
/* Another configuration; the same one again changes nothing. The same client keeps its token until
 * another one came; another client id, URL or scope drops it. A parked credential is tried at once
 * (the same one as by bc_tokens_probe), and so is one whose secret in use is no longer among the
 * two: a wrong one shows now, not when the token runs out. */
BC_MUST_CHECK int bc_tokens_reconfigure(struct bc_tokens *t, const struct bc_oauth_config *config,
					struct bc_err *err);

/* The token that may be sent now: a reference, or NULL (then bc_tokens_wait). A stale one, and
 * none, set off the flight. Any thread; takes no lock unless it is the one that sets the flight
 * off. */
struct bc_access_token *bc_tokens_get(struct bc_tokens *t);

/* Embedded in whoever waits; untouched by it from wait to done. */
struct bc_token_wait {
	struct bc_loop *loop;	 /* borrowed: where done runs */
	uint64_t deadline_ms;	 /* elapsed clock */
	uint64_t not_generation; /* another one than this; 0 = any */
	void (*done)(struct bc_token_wait *wait);
	/* For done: */
	int result;		       /* 0, BC_EAUTH, BC_EUNREACH, BC_ETIMEDOUT, BC_ESTATE */
	struct bc_access_token *token; /* a reference, the waiter's; NULL unless result is 0 */
	struct bc_err err;	       /* what the endpoint said, and what to do */
	/* The manager's: */
	struct bc_task task;
	struct bc_token_wait *prev, *next;     /* in the order they came */
	struct bc_token_wait *child, *sibling; /* by deadline */
	const struct bc_clock *clock;
};
/* done runs exactly once, on wait->loop, later. Any thread. There is no cancel: each wait ends at
 * its deadline. While no flight can help (refused, the endpoint failed three times in a row, or its
 * next try comes after the deadline), it ends at once with the reason of the last failure. Wait for
 * another generation only after bc_tokens_refused said true: else it may end at once with BC_EAUTH.
 */
void bc_tokens_wait(struct bc_tokens *t, struct bc_token_wait *wait);

/* The API answered 401 to this generation. The current one: a flight is set off, at most one in
 * BC_TOKENS_FORCED_GAP_MS, and none for a token younger than BC_TOKENS_YOUNG_MS; an older one:
 * nothing. Any thread. True: another token is there already or will be asked for; false: the cap
 * says no, the token is young or the credential is refused, so the 401 is the caller's answer. */
enum { BC_TOKENS_FORCED_GAP_MS = 10 * 1000, BC_TOKENS_YOUNG_MS = 5 * 1000 };
bool bc_tokens_refused(struct bc_tokens *t, uint64_t generation);
/* Somebody wants to know now (`check`): a flight is set off even though the credential is parked or
 * the back-off runs, within the same cap; a sleep that the endpoint asked for is kept. Any thread.
 * False: none was. */
bool bc_tokens_probe(struct bc_tokens *t);

struct bc_tokens_view {
	enum bc_token_state state;
	uint64_t generation;	/* 0: none yet */
	uint64_t expires_in_ms; /* of the one in hand; 0: none */
	char fingerprint[BC_FINGERPRINT_BYTES];
	uint64_t requests[BC_OAUTH_RESULTS]; /* made so far, by what came of them */
	uint64_t failures;		     /* in a row */
	uint64_t next_try_ms;		     /* from now; 0: none is planned */
	bool refreshes;			     /* another one is going to be asked for by itself: */
	uint64_t refresh_in_ms;		     /* from now; 0: it is being asked for, or at once */
	bool on_next_secret; /* the first secret was refused, the second is in use */
	bool parked;	     /* the credential is refused; a token in hand is lent all the same */
	bool in_flight;	     /* a request is under way */
	struct bc_err last;  /* of the last failure; code 0: none since the last success */
};
/* Any thread. */
void bc_tokens_look(struct bc_tokens *t, struct bc_tokens_view *ret_view);

#endif
