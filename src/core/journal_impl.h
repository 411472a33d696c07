/* SPDX-License-Identifier: MIT */
/*
 * Inside the journal's reader. journal.c is its life, its states and what others ask it;
 * journal_call.c asks for a page and reads the answer's status; journal_page.c makes orders of a
 * page and stores it; journal_place.c knows where it is: what is stored of that, and which URL goes
 * on from there; journal_show.c is what others see of it.
 *
 * One thing is under way at a time: the look-up of the stored place, the wait for a token, the
 * call, or the page on its way to the store; else the timer runs, for a rest (IDLE) or a back-off
 * (WAITING). Every path ends in journal_ask, journal_rest, journal_fail or a stop. So there is
 * never more than one page in memory.
 *
 * All of it belongs to the loop's thread, but `view` (under the lock) and `woken`.
 */
#ifndef BC_CORE_JOURNAL_IMPL_H
#define BC_CORE_JOURNAL_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/intake.h"
#include "core/journal.h"
#include "net/http_client.h"
#include "protocol/events.h"

enum {
	JOURNAL_PAGE_EVENTS = 250, /* asked for; the journal may give fewer */
	JOURNAL_PAGE_BYTES = 2 * 1024 * 1024,
	JOURNAL_ARENA_BYTES = 64 * 1024,
	JOURNAL_ARENA_MAX = 32 * 1024 * 1024,
	JOURNAL_REST_MS = 10 * 1000, /* when it does not say */
	JOURNAL_REST_MAX_MS = 600 * 1000,
	JOURNAL_GAP_MS = 1000, /* between two questions of which the first found nothing */
	JOURNAL_BACKOFF_MAX_MS = 60 * 1000,
	JOURNAL_TOKEN_WAIT_MS = 20 * 1000,
	JOURNAL_PACE_MS = 10 * 1000, /* a long way is told of that often */
	JOURNAL_MINUTE_MS = 60 * 1000,
	JOURNAL_HEADERS = 5
};
#define JOURNAL_POSITION_KEY "journal.position"

/* Owned copy of a struct bc_journal_config, ready to be sent. */
struct journal_settings {
	char *url, *client_id, *proxy, *ca_file; /* the last two: NULL = none */
	char *key_line, *org_line;		 /* header lines; org_line NULL: not sent */
	uint64_t timeout_ms;
};
BC_MUST_CHECK int journal_settings_copy(struct journal_settings *to,
					const struct bc_journal_config *from, struct bc_err *err);
void journal_settings_finish(struct journal_settings *s);

/* Where it is: behind the last event that is stored. */
struct journal_place {
	char *position; /* owned; NULL: at the oldest that the journal has */
	char *next;	/* owned; the link that goes on from there; NULL: asked by the position */
};
void journal_place_finish(struct journal_place *p);
/* The stored text: of the registration, of the place. In the arena; absent without memory. */
struct bc_str journal_place_text(const struct journal_place *p, const char *url,
				 struct bc_arena *arena);
/* 0; BC_ENOENT: it is the place in another registration's journal, or no place; BC_ENOMEM. */
BC_MUST_CHECK int journal_place_read(struct bc_str text, const char *url,
				     struct journal_place *ret_place);
/* Owned, or NULL without memory: what is to be asked. */
BC_MUST_CHECK char *journal_place_url(const struct journal_place *p, const char *url);

/* The page that is on its way to the store. */
struct journal_page {
	struct journal_place after; /* it */
	struct bc_commerce_order *orders;
	size_t events, order_count;
	uint64_t newest_ms; /* 0: none of its events says when it came to be */
};

/* How far it came since it last had nothing to read; for the pace. */
struct journal_run {
	uint64_t started_ms, told_ms, minute_ms; /* elapsed clock */
	uint64_t events, orders, pages;
	uint64_t minute_events; /* since minute_ms */
};

struct bc_journal {
	struct bc_loop *loop;	  /* borrowed */
	struct bc_shop *shop;	  /* borrowed */
	struct bc_tokens *tokens; /* borrowed */
	struct journal_settings settings;
	struct bc_http_client *client; /* owned */
	struct bc_desk desk;
	struct bc_timer *timer; /* owned; the end of a rest or of a back-off */
	struct bc_arena *arena; /* owned; what is under way */

	struct journal_place place;
	struct journal_page page;

	/* At most one of these is under way. */
	struct bc_store_op place_op;
	struct bc_token_wait wait;
	struct bc_http_call *call;

	struct bc_access_token *token; /* a reference, of the call */
	char *authorization;	       /* owned, wiped: the header line, of the call */
	char *asked_url;	       /* owned; of the call */
	const char *headers[JOURNAL_HEADERS];
	uint64_t asked_ms; /* elapsed clock */
	struct journal_run run;

	struct bc_task wake;
	unsigned failures;		/* in a row */
	atomic_bool woken;		/* wake is posted and has not run */
	bool placing, waiting, storing; /* which is under way */
	bool placed;			/* what is stored of the place was read */
	bool refused;			/* the call before was answered 401 */
	bool news;			/* woken while a call was under way */
	bool stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;

	pthread_mutex_t lock;
	struct bc_journal_view view; /* under the lock; next_try_ms on the elapsed clock */
	uint64_t started_wall_ms;    /* under the lock, as the next */
	uint64_t known_wall_ms;	     /* up to when all is read; 0: not known */
};

/* journal.c */
/* The journal has been read to its end: rests. */
void journal_rest(struct bc_journal *j, const struct bc_http_answer *answer);
/* Backs off. answer: may ask for more time; NULL: there was none. */
void journal_fail(struct bc_journal *j, const struct bc_err *err,
		  const struct bc_http_answer *answer);
/* The last thing under way is over. */
void journal_check_stopped(struct bc_journal *j);

/* journal_show.c */
/* next_try_ms: elapsed clock. */
void journal_show_state(struct bc_journal *j, enum bc_journal_state state, uint64_t next_try_ms);
/* A page is on disk. */
void journal_count(struct bc_journal *j, const struct journal_page *page);
/* There is nothing more to read. */
void journal_run_end(struct bc_journal *j, uint64_t now_ms);
/* The failures, if there were any, are over. */
void journal_recovered(struct bc_journal *j);

/* journal_call.c */
/* Asks for the next page. */
void journal_ask(struct bc_journal *j);
/* Drops the call, if any, and what it borrowed. */
void journal_call_end(struct bc_journal *j);

/* journal_page.c */
void journal_page_take(struct bc_journal *j, const struct bc_http_answer *answer);
void journal_page_finish(struct journal_page *page);

#endif
