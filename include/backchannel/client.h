/* SPDX-License-Identifier: MIT */
/*
 * A client that does what the daemon does, inside a program of your own: it holds the OAuth
 * credential, keeps its access token fresh, calls Adobe Commerce, and hands click tokens back.
 *
 *	struct bc_client_options options = { .run_thread = true, .oauth_client_id = "...", ... };
 *	struct bc_client_request request = { .path = "/V1/orders/1" };
 *	...
 *	if (bc_client_create(&options, &client, &err) ||
 *	    bc_client_call(client, &request, &answer, &err))
 *		fprintf(stderr, "%s; %s\n", err.text, err.hint);
 *
 * Two ways to use it. Blocking: with run_thread the client works on a thread of its own, and any
 * number of threads may call it. On a loop of yours: without run_thread nothing happens but in
 * bc_client_dispatch, and every call comes from that one thread (see the end of this file).
 *
 * A hand-back here is one attempt and its verdict: whoever needs "never lost, never doubled" over
 * restarts runs the daemon.
 *
 * Nothing is written to stdout, stderr or a log, no signal is touched, no variable of the
 * environment is read.
 */
#ifndef BACKCHANNEL_CLIENT_H
#define BACKCHANNEL_CLIENT_H

#include <backchannel/commerce.h>
#include <backchannel/error.h>
#include <backchannel/oauth.h>
#include <backchannel/partner.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bc_client;

/* What is asked for when no scopes are named: those of Adobe's guide, and commerce.accs, without
 * which ACCS refuses the token. */
#define BC_CLIENT_SCOPES                                                                           \
	"openid,AdobeID,email,profile,additional_info.roles,"                                      \
	"additional_info.projectedProductContext,commerce.accs"

/* All copied. Zero and NULL mean the default. URLs are https, or http to this very machine. */
struct bc_client_options {
	bool run_thread;

	const char *oauth_base_url; /* "https://ims-na1.adobelogin.com"; "/ims/token/v3" is added */
	const char *oauth_token_url; /* instead: the whole URL of any token endpoint */
	const char *oauth_client_id; /* NULL: no OAuth, calls go without a token */
	const char *oauth_client_secret;
	const char *oauth_client_secret_next; /* tried when the other is refused */
	const char *oauth_org_id;
	/* Any list, see bc_oauth_scope_join; "": none. NULL: BC_CLIENT_SCOPES, with
	 * oauth_token_url none. */
	const char *oauth_scopes;
	const char *oauth_scope_separator; /* "," */
	enum bc_oauth_auth oauth_auth;
	uint32_t oauth_timeout_ms; /* of one token request; 10 s */
	/* A file that processes of one user share, mode 0600, NULL: none. One token request then
	 * serves many short runs. One that cannot be used, or that others could have written, is
	 * passed by. */
	const char *oauth_cache_file;

	const char *commerce_base_url; /* tenant included; NULL: no Commerce calls */
	enum bc_commerce_flavor commerce_flavor;
	uint32_t concurrency; /* requests under way at once, the others wait their turn; 64 */

	const char *proxy;	/* NULL: none; the environment's are not honoured */
	const char *ca_file;	/* NULL: the system's */
	const char *user_agent; /* "backchannel/VERSION" */
};

/* 0; BC_EINVAL: a URL that is none, or http and not to this machine, a half pair, a bad scope;
 * BC_ENOMEM; BC_EINTERNAL: no thread could be started. Asks nobody anything. */
BC_API BC_MUST_CHECK int bc_client_create(const struct bc_client_options *options,
					  struct bc_client **ret_client, struct bc_err *err);
/*
 * What is under way ends with BC_ESTATE: completions are called in here, on the calling thread, and
 * threads that are blocked in a call return. Nothing may be begun any more once this has been
 * called, be it from another thread or from such a completion (which gets BC_ESTATE): that no
 * other thread begins a call is up to you.
 * Inside a completion: fine on a loop of yours, the client then ends when bc_client_dispatch does;
 * not with run_thread, where it would wait for itself. NULL is fine.
 */
BC_API void bc_client_destroy(struct bc_client *client);

/* --- Commerce -------------------------------------------------------------------------------- */

struct bc_client_request {
	const char *method; /* capitals; NULL: GET, or POST with a body */
	const char *path;   /* as bc_commerce_target_build */
	const char *store;  /* store view, or NULL */
	const void *body;
	size_t body_bytes;
	const char *content_type; /* NULL: application/json */
	/* "Name: value", ended by NULL; NULL: none. Beside these are sent Accept (application/json,
	 * unless it is among them) and the fields that carry the credential, which are not yours to
	 * set when there is one. */
	const char *const *headers;
	uint32_t timeout_ms;	 /* of the whole call, waits and repeats included; 0: 60 s */
	size_t answer_max_bytes; /* 0: 16 MiB; a longer body is BC_ETOOBIG */
};

/* Owned by whoever got it; bc_client_answer_finish frees it. */
struct bc_client_answer {
	int status;
	char *body; /* NUL-terminated; never NULL after success */
	size_t body_bytes;
	char content_type[128]; /* "" when there is none, or one longer than that */
	unsigned attempts;	/* how often it was sent */
	uint64_t duration_ms;	/* of the whole call */
	/* What an error body (status 400 and up) says, in one line; "" for none. */
	char message[BC_COMMERCE_MESSAGE_BYTES];
};
/* One that is all zero, or finished already, is fine. */
BC_API void bc_client_answer_finish(struct bc_client_answer *answer);

/*
 * One call with all that belongs to it: the token, one repeat after a 401, the sleep that a 429
 * asks for (which all calls of the client share), repeats of idempotent methods; see
 * bc_commerce_judge. A repeat that could not end in time is not begun: the answer that asked for
 * it is then the call's.
 * result  0: there is an answer, whatever its status
 *         BC_EINVAL: the request is none, or there is no commerce_base_url
 *         BC_EAUTH: the credential was refused; err says what to mend
 *         BC_EUNREACH: the token endpoint or Commerce cannot be reached, or its certificate is not
 *         trusted; nothing was sent
 *         BC_ETIMEDOUT, BC_EIO: no whole answer came. A request that had left may have been carried
 *         out: the hint says so
 *         BC_ETOOBIG: the answer is; its request was carried out
 *         BC_ENOMEM; BC_ESTATE: the client was destroyed meanwhile; without run_thread; inside a
 *         completion, where it would wait for itself
 * On failure ret_answer is untouched. Any thread.
 */
BC_API BC_MUST_CHECK int bc_client_call(struct bc_client *client,
					const struct bc_client_request *request,
					struct bc_client_answer *ret_answer, struct bc_err *err);

/* result as bc_client_call. answer is NULL unless it is 0, else lent: move out what you keep
 * (answer->body may be taken by setting it NULL). err is never NULL. */
typedef void bc_client_done(void *ctx, int result, struct bc_client_answer *answer,
			    const struct bc_err *err);
/*
 * The request is copied. done is called exactly once: later, in bc_client_dispatch (or on the
 * client's thread, which must not be kept waiting), or in bc_client_destroy. It may begin further
 * calls.
 * 0; BC_EINVAL, BC_ENOMEM, BC_ESTATE (the client is being destroyed): then done is not called.
 */
BC_API BC_MUST_CHECK int bc_client_start(struct bc_client *client,
					 const struct bc_client_request *request,
					 bc_client_done *done, void *ctx, struct bc_err *err);

/* --- hand-back ------------------------------------------------------------------------------- */

/* One attempt to hand one token back. */
struct bc_client_conversion {
	const struct bc_partner *partner; /* NULL: Sovendus; borrowed until it is done */
	const char *base_url;		  /* NULL: the partner's own */
	const char *product_id, *key, *token;
	uint64_t click_age_ms; /* 0: not known; see BC_YOUNG_CLICK_MS */
	unsigned attempt;      /* how often it was tried, this one included; 0: 1 */
	uint32_t timeout_ms;   /* 0: 30 s */
	/* For partners that are told of the order; NULL or 0 where there is none. */
	const char *order, *amount, *currency;
	uint64_t order_ms; /* when it was placed, since 1970 UTC */
};

struct bc_client_outcome {
	struct bc_partner_verdict verdict; /* its texts are the partner's */
	int status;			   /* 0: no whole answer head */
	uint64_t retry_after_ms;	   /* for bc_retry_delay_ms; 0: it does not say */
	uint64_t duration_ms;
	char error[160]; /* why there is no whole answer; "" when there is one */
};

/*
 * Sends it once; nothing is repeated.
 * result  0: there is a verdict (a lost answer is `unknown`); BC_EINVAL, BC_ENOENT: as
 *         bc_partner_request_make, or http and not to this machine; BC_ETOOBIG, BC_ENOMEM;
 *         BC_ESTATE as bc_client_call
 * Any thread.
 */
BC_API BC_MUST_CHECK int bc_client_hand_back(struct bc_client *client,
					     const struct bc_client_conversion *conversion,
					     struct bc_client_outcome *ret_outcome,
					     struct bc_err *err);

/* outcome is NULL unless result is 0 (then BC_ENOMEM or BC_ESTATE). err is never NULL. */
typedef void bc_client_handed_back(void *ctx, int result, const struct bc_client_outcome *outcome,
				   const struct bc_err *err);
/* As bc_client_start. */
BC_API BC_MUST_CHECK int bc_client_hand_back_start(struct bc_client *client,
						   const struct bc_client_conversion *conversion,
						   bc_client_handed_back *done, void *ctx,
						   struct bc_err *err);

/* --- on a loop of yours ---------------------------------------------------------------------- */

/*
 * Without run_thread: wait until bc_client_fd is readable, for at most bc_client_timeout_ms, then
 * bc_client_dispatch; ask for the time anew after each dispatch and after each start. One that is
 * done too often does no harm.
 *
 *	poll      { .fd = bc_client_fd(c), .events = POLLIN } and the time as its timeout
 *	epoll     the same, level-triggered: the fd is an epoll set itself, which may be nested
 *	libuv     a uv_poll_t on the fd, and a uv_timer_t that is restarted with the time
 *	libevent  an event of EV_READ | EV_PERSIST, and a timeout event likewise
 *
 * The fd stays the same for the client's life, and is its own: don't read or close it.
 */
BC_API int bc_client_fd(const struct bc_client *client);
/* -1: as long as the fd is not readable. 0: dispatch at once. */
BC_API int bc_client_timeout_ms(const struct bc_client *client);
/* Does what is due and calls completions; waits for nothing. */
BC_API void bc_client_dispatch(struct bc_client *client);

#ifdef __cplusplus
}
#endif
#endif
