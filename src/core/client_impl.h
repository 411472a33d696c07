/* SPDX-License-Identifier: MIT */
/*
 * Inside the library's client (<backchannel/client.h>).
 *
 *	client.c		life, the caller's loop, what is under way
 *	client_options.c	what it was told to work by
 *	client_request.c	one request as it is kept and sent
 *	client_call.c		one Commerce call: its states
 *	client_hand_back.c	one hand-back
 *	client_blocking.c	the forms that wait
 *	client_shared.h		a client on a loop of the daemon's
 *
 * Whatever is under way is a job: built on the thread that asks for it, posted to the client's
 * loop, and from then on the loop's alone. It belongs to the client until its done was called and
 * nothing calls back any more; a wait for a token can only be outlived, not ended.
 */
#ifndef BC_CORE_CLIENT_IMPL_H
#define BC_CORE_CLIENT_IMPL_H

#include <backchannel/client.h>

#include "base/arena.h"
#include "core/tokens.h"
#include "core/upstream.h"
#include "net/http_client.h"

enum { CONNECT_TIMEOUT_MS = 10 * 1000 };

struct client_call;

struct client_job {
	struct bc_client *client; /* borrowed */
	void (*begin)(struct client_job *job);
	/* Ends it with BC_ESTATE. One that is over already is left as it is. */
	void (*stop)(struct client_job *job);
	struct bc_task task;		 /* the client's own, as are the links */
	struct client_job *next, **link; /* all that have begun */
};

/* What all calls have in common; all but two borrowed from the arena. */
struct client_settings {
	struct bc_arena *arena; /* owned */
	const char *base_url;	/* NULL: no Commerce */
	enum bc_commerce_flavor flavor;
	const char *api_key_line, *org_line; /* whole header lines, or NULL */
	const char *proxy, *ca_file, *user_agent;
	unsigned concurrency;
	/* For the token manager; client_id NULL: none. Its secrets are references. */
	struct bc_oauth_config oauth;
};
/* shared: the credential is somebody else's, only its id is read. */
BC_MUST_CHECK int bc_client_settings_read(const struct bc_client_options *options, bool shared,
					  struct client_settings *ret_settings, struct bc_err *err);
void bc_client_settings_finish(struct client_settings *s); /* all zero is fine */

struct bc_client {
	bool shared;		       /* loop, tokens and upstream are somebody else's */
	struct bc_loop *loop;	       /* owned unless shared */
	struct bc_loop_thread *thread; /* owned; NULL: a loop of the caller's */
	struct bc_task mark;	       /* tells the thread whose it is */
	const struct bc_clock *clock;  /* borrowed */
	struct client_settings settings;
	struct bc_http_client *http;  /* owned */
	struct bc_tokens *tokens;     /* owned unless shared; NULL: no OAuth */
	struct bc_upstream *upstream; /* own_upstream unless shared */
	struct bc_upstream own_upstream;
	struct bc_upstream_door *door; /* owned */
	atomic_bool ending;	       /* nothing may be asked for any more */
	bool dispatching;	       /* a completion may be running, */
	bool doomed;		       /* which wants it destroyed */

	/* The loop's: */
	bool stopping; /* what is asked for already ends as soon as it begins */
	struct client_job *jobs;
	unsigned in_flight;		  /* requests of calls */
	struct client_call *first, *last; /* calls that wait for their turn, in order */
	struct bc_task pump;
	bool pumping; /* it is posted */
};

/* client.c */
/* Any thread: the job begins, or is stopped, on the loop. */
void bc_client_job_post(struct bc_client *c, struct client_job *job);
void bc_client_job_remove(struct client_job *job);
/* BC_ESTATE while it is being destroyed, else 0. */
BC_MUST_CHECK int bc_client_check_open(const struct bc_client *c, struct bc_err *err);
/* 0; BC_ESTATE: it has no thread, or this is it. */
BC_MUST_CHECK int bc_client_check_blocking(const struct bc_client *c, struct bc_err *err);
int bc_client_gone(struct bc_err *err); /* BC_ESTATE, in words */

/* One request, as long as its call lives. */
struct client_request {
	struct bc_arena *arena; /* owned: texts and header lines */
	const char *method;
	struct bc_commerce_target target; /* owned */
	void *body;			  /* owned, wiped */
	size_t body_bytes;
	/* Ended by NULL. The first place is the token's: bc_client_request_sign fills it. */
	const char **lines;
	uint32_t timeout_ms;
	size_t answer_max_bytes;
};
/* On failure nothing is left behind. */
BC_MUST_CHECK int bc_client_request_copy(const struct bc_client *c,
					 const struct bc_client_request *from,
					 struct client_request *ret_request, struct bc_err *err);
/* token NULL: none. Returns the lines to send, or NULL without memory. */
BC_MUST_CHECK const char *const *bc_client_request_sign(struct client_request *r,
							const struct bc_access_token *token);
void bc_client_request_unsign(struct client_request *r); /* wipes it; none is fine */
void bc_client_request_finish(struct client_request *r);

/* client_call.c: there is room for one more request. */
void bc_client_calls_pump(struct bc_task *task);

#endif
