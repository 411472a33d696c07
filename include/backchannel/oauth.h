/* SPDX-License-Identifier: MIT */
/*
 * OAuth 2.0 client credentials (RFC 6749 4.4) as bytes and times: what to send to a token endpoint,
 * what its answer means, and until when a token is good. Nothing here does I/O or reads a clock.
 * Every function is thread-safe.
 *
 * Written against Adobe's IMS and held against other servers: IMS answers a wrong secret with 400
 * invalid_client, others with 401; IMS takes scopes parted by commas, RFC 6749 says blanks.
 */
#ifndef BACKCHANNEL_OAUTH_H
#define BACKCHANNEL_OAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backchannel/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the client's id and secret stand. */
enum bc_oauth_auth {
	BC_OAUTH_AUTH_BODY, /* client_secret_post */
	BC_OAUTH_AUTH_BASIC /* client_secret_basic: form-encoded, then base64, as RFC 6749 2.3.1
			       says */
};

struct bc_oauth_client {
	const char *client_id;
	const char *client_secret;
	const char *scope; /* as it is sent, see bc_oauth_scope_join; NULL or "" = left out */
	enum bc_oauth_auth auth;
};

/* What to POST. Owned; both hold the secret: bc_oauth_request_finish wipes them. */
struct bc_oauth_request {
	char *body; /* application/x-www-form-urlencoded */
	size_t body_bytes;
	char *authorization; /* the Authorization header's value; NULL with BC_OAUTH_AUTH_BODY */
};

/* 0; BC_EINVAL: id or secret is empty or not UTF-8; BC_ENOMEM; BC_ETOOBIG: above 64 KiB. No text
 * shows the secret. On failure ret_request is untouched. */
BC_API BC_MUST_CHECK int bc_oauth_request_build(const struct bc_oauth_client *client,
						struct bc_oauth_request *ret_request,
						struct bc_err *err);
/* Wipes, frees and empties; one that is all zero is fine. */
BC_API void bc_oauth_request_finish(struct bc_oauth_request *request);

/*
 * Reads a list of scopes however it is written (a JSON array of texts, or parted by commas and
 * blanks in any mix) and joins it by separator, each scope once, in the order given.
 * text       NULL or blank: no scope
 * separator  "," for Adobe, " " for RFC 6749
 * ret_scope  malloc'd; "" for no scope; untouched on failure
 * result     0; BC_EINVAL: a scope has a byte that RFC 6749 3.3 does not allow, or broken JSON;
 *            BC_ETOOBIG: more than 256 scopes or 16 KiB; BC_ENOMEM
 */
BC_API BC_MUST_CHECK int bc_oauth_scope_join(const char *text, const char *separator,
					     char **ret_scope, struct bc_err *err);

/* --- the answer ------------------------------------------------------------------------------ */

enum bc_oauth_result {
	BC_OAUTH_GRANTED,
	BC_OAUTH_CLIENT_REFUSED, /* id or secret is wrong: the other secret may do, else a person */
	BC_OAUTH_REQUEST_REFUSED, /* scope, grant type, URL: a person has to mend the settings */
	BC_OAUTH_THROTTLED,	  /* not so often: see retry_after_ms */
	BC_OAUTH_FAILED		  /* 5xx, broken, not what a token endpoint says: try again later */
};
enum { BC_OAUTH_RESULTS = 5 };
/* "granted", "client_refused", "request_refused", "throttled", "failed". */
BC_API const char *bc_oauth_result_name(enum bc_oauth_result result);

enum {
	BC_OAUTH_TOKEN_MAX = 16 * 1024,
	BC_OAUTH_ERROR_BYTES = 64,
	BC_OAUTH_DESCRIPTION_BYTES = 200
};
/* What a token without a usable expires_in is taken to live, and what a life is cut to. */
#define BC_OAUTH_LIFE_ASSUMED_MS (5ull * 60 * 1000)
#define BC_OAUTH_LIFE_MAX_MS	 (7ull * 24 * 3600 * 1000)

/* What came back, as far as it came. */
struct bc_oauth_answer {
	int status;	  /* 0: no whole answer head */
	const char *body; /* as much as was read; may be NULL */
	size_t body_bytes;
	bool complete;		 /* body is the whole body */
	const char *retry_after; /* header's value, or NULL */
	const char *date;	 /* likewise */
	uint64_t now_wall_ms;	 /* only to measure a Retry-After date without a Date */
};

struct bc_oauth_verdict {
	enum bc_oauth_result result;
	const char *meaning; /* borrowed; never NULL: "the client secret is wrong" */
	const char *hint;    /* borrowed; never NULL, may be "" */
	/* The endpoint's own words, cleaned of control characters and cut between characters; ""
	 * when there are none, when granted, and from any body that has an access_token. They may
	 * repeat what was sent to it: whoever logs them has the log refuse secrets. */
	char error[BC_OAUTH_ERROR_BYTES];
	char description[BC_OAUTH_DESCRIPTION_BYTES];
	/* 0: it does not say. At most BC_RETRY_AFTER_MAX_MS. Throttled: to be obeyed; failed (503):
	 * a wish. */
	uint64_t retry_after_ms;
	/* Granted: */
	char *access_token; /* owned; bc_oauth_verdict_finish wipes it; NULL unless granted */
	uint64_t life_ms;
	bool life_assumed; /* expires_in was absent or absurd */
};

/*
 * Total: every status, body and combination has exactly one verdict. GRANTED needs status 200, JSON
 * with access_token of visible ASCII and, when token_type is there, "bearer" in any case, and
 * the body whole. A 200 that has an error code and no such token counts as a 400.
 * expires_in is seconds, as a number or a text of digits; absent, zero, negative or no number gives
 * BC_OAUTH_LIFE_ASSUMED_MS, more than BC_OAUTH_LIFE_MAX_MS is cut to it, both with life_assumed.
 * 0 or BC_ENOMEM: then ret_verdict is untouched.
 */
BC_API BC_MUST_CHECK int bc_oauth_read_answer(const struct bc_oauth_answer *answer,
					      struct bc_oauth_verdict *ret_verdict);
/* Wipes, frees and empties; one that is all zero is fine. */
BC_API void bc_oauth_verdict_finish(struct bc_oauth_verdict *verdict);

/* --- freshness ------------------------------------------------------------------------------- */

/* On one clock, any that does not jump and counts suspend. */
struct bc_oauth_times {
	uint64_t refresh_ms; /* from then on another one is fetched in the background */
	uint64_t expires_ms; /* from then on it is not sent any more: the margin is taken off */
};

enum bc_oauth_freshness { BC_OAUTH_FRESH, BC_OAUTH_STALE, BC_OAUTH_EXPIRED };

/*
 * asked_ms  when the request was made, not when the answer came
 * life_ms   more than BC_OAUTH_LIFE_MAX_MS counts as that
 * random    uniform 64 bits, so that many daemons do not refresh together; drawn once a token
 * Margin: 60 s, a quarter of the life when that is under 4 minutes. Refresh: in 50 to 80 % of the
 * time until expires_ms.
 */
BC_API struct bc_oauth_times bc_oauth_times_of(uint64_t asked_ms, uint64_t life_ms,
					       uint64_t random);
BC_API enum bc_oauth_freshness bc_oauth_freshness_at(const struct bc_oauth_times *times,
						     uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
