/* SPDX-License-Identifier: MIT */
/*
 * A partner is data: where its token stands in a URL, how the hand-back is asked for, what its
 * answers mean. Sovendus is the built-in one, others are read from text. Nothing here does I/O:
 * bytes and times in, decisions out. Every function is thread-safe.
 *
 * Source of the Sovendus rules: its server-to-server guide and older postback documentation; where
 * the documents are silent the rule says so.
 */
#ifndef BACKCHANNEL_PARTNER_H
#define BACKCHANNEL_PARTNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backchannel/error.h>
#include <backchannel/token.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The class an answer falls in. */
enum bc_outcome {
	BC_OUTCOME_UNKNOWN, /* the request left, no whole answer head came back: may have counted */
	BC_OUTCOME_DELIVERED, /* taken */
	BC_OUTCOME_RETRY,     /* not now */
	BC_OUTCOME_SUSPECT, /* may be about us (key, URL, product): test the lane before judging */
	BC_OUTCOME_REJECT   /* about this conversion: hopeless */
};
enum { BC_OUTCOMES = 5 };

/* "unknown", "delivered", "retry", "suspect", "reject". */
BC_API const char *bc_outcome_name(enum bc_outcome outcome);
/* 0, or BC_EINVAL for a name that is none of them. */
BC_API BC_MUST_CHECK int bc_outcome_parse(const char *name, enum bc_outcome *ret_outcome);

/* A click is young for this long: the partner's own record of it may lag behind. */
enum { BC_YOUNG_CLICK_MS = 60 * 1000 };

/* One row of a partner's answer table; the first row that fits decides. */
struct bc_answer_rule {
	int status_from, status_to; /* inclusive */
	const char *message;	    /* must stand in the body, case ignored; NULL = any body */
	bool young_click;	    /* fits only the first attempt, and only for a young click */
	enum bc_outcome outcome;
	const char *meaning; /* in words, for explain: "the API key is wrong or missing" */
	const char *hint;    /* what to do: "check SOVENDUS_API_KEY ..." */
	const char *source;  /* the public document that says so, or "unverified"; may be NULL */
};

/*
 * Templates hold {name}: {product} or, where `id` names parts, each of them; {token} {key} {order}
 * {amount} {currency} {time} (RFC 3339, when the order was placed). A brace that opens no {name}
 * stands for itself, so a JSON body needs no escapes; a {name} that means nothing is an error.
 * Values are percent-encoded in path, query and a form body, JSON-escaped in any other body, and
 * kept from breaking a line in a header. In a query and a form body, a pair whose value is {name?}
 * is left out when there is no such value. A key belongs into a body or a header: in a URL it ends
 * up in somebody's access log, so there it has to be asked for (key_in_url).
 *
 * Made by hand, or read from a file by bc_partner_parse. Whatever comes behind rule_count may be
 * left zero.
 */
struct bc_partner {
	const char *name;	   /* [a-z0-9_-]+ */
	const char *title;	   /* for people: "Sovendus" */
	const char *base_url;	   /* default; no trailing slash; NULL: each product has its own */
	const char *const *params; /* token parameters in landing URLs, ended by NULL */
	const char *method;	   /* "POST" */
	const char *path;	   /* "/{product}/{token}/api" */
	const char *content_type;  /* "application/json"; NULL: no body */
	const char *body;	   /* "{\"apiKey\":\"{key}\"}"; NULL: none */
	/* Text members of a 2xx's JSON body, ended by NULL; the first repeats the token that was
	 * handed back. NULL: any body will do. */
	const char *const *echo;
	/* Documented ones, ended by NULL; the first is the probe. NULL, or none in it: the partner
	 * has no test token. */
	const char *const *test_tokens;
	const struct bc_answer_rule *rules; /* the last ones catch every status 100 to 999 */
	size_t rule_count;

	const char *query;	    /* "a={product}&b={amount?}"; NULL: none */
	const char *const *headers; /* "Name: value" templates, ended by NULL; NULL: none */
	const char *basic;	    /* "{account}:{key}": HTTP Basic authentication; NULL: none */
	const char *id;		/* "account:campaign": parts of a product's id; NULL: {product} */
	const char *token_also; /* of ".~:", what tokens may hold besides [A-Za-z0-9_-]; or NULL */
	const char *test_shape; /* of test tokens: n is a letter or digit, others stand for
				   themselves; NULL: only test_tokens are any */
	bool key_in_url;	/* {key} may stand in path and query */
};

BC_API extern const struct bc_partner bc_partner_sovendus;

/* What to send. All owned; bc_partner_request_finish wipes what may hold the key. */
struct bc_partner_request {
	const char *method;	  /* borrowed from the partner */
	const char *content_type; /* borrowed from the partner; NULL: none */
	char *url;
	char *body;
	size_t body_bytes;
	char **headers; /* all "Name: value" lines, Content-Type too, ended by NULL; NULL: none */
};

/* What a hand-back is made of. */
struct bc_partner_conversion {
	const char *base_url;	/* NULL: the partner's own */
	const char *product_id; /* with parts: "IRxyz:1000:4000" */
	const char *key;	/* NULL where the partner asks for none */
	const char *token;
	const char *order, *amount, *currency; /* NULL or "": the order came without */
	uint64_t time_ms; /* when the order was placed, since 1970 UTC; 0: not known */
};

/*
 * Builds the hand-back of one token. Every part that is put into the URL is percent-encoded and
 * the result is checked to have exactly the path segments of the template.
 * base_url   scheme, host and path prefix, without query; trailing slashes are dropped;
 *            NULL = the partner's own
 * key        the product's API key, NUL-terminated UTF-8; goes into the body and nowhere else
 * result     0; BC_EINVAL: token is no token; product is empty, "." or ".."; key is empty or not
 *            UTF-8; base_url is no URL; a template is wrong; BC_ETOOBIG: the URL is longer than
 *            BC_URL_MAX or the body than 64 KiB; BC_ENOMEM. No text shows the token or the key.
 * On failure ret_request is untouched.
 */
BC_API BC_MUST_CHECK int bc_partner_request_build(const struct bc_partner *partner,
						  const char *base_url, const char *product_id,
						  const char *key, const char *token,
						  struct bc_partner_request *ret_request,
						  struct bc_err *err);
/*
 * The same for a partner that is told of the order as well.
 * result     as above, and BC_ENOENT: the definition asks for something of the order that this one
 *            has not, or an amount that is no decimal number: the conversion is at fault, not the
 *            definition
 */
BC_API BC_MUST_CHECK int bc_partner_request_make(const struct bc_partner *partner,
						 const struct bc_partner_conversion *conversion,
						 struct bc_partner_request *ret_request,
						 struct bc_err *err);
/* Does a request of that partner have {name} in it, {name?} included? */
BC_API bool bc_partner_uses(const struct bc_partner *partner, const char *name);
/* Does it take {name}, so that there is none without? */
BC_API bool bc_partner_needs(const struct bc_partner *partner, const char *name);
/* Wipes, frees and empties; a request that is all zero, or finished already, is fine. */
BC_API void bc_partner_request_finish(struct bc_partner_request *request);

/* What came back, as far as it came. */
struct bc_partner_answer {
	int status;	   /* 0: no whole answer head */
	bool request_sent; /* did (any part of) the request leave? */
	const char *body;  /* as much as was read, may be NULL; broken off, its status counts */
	size_t body_bytes;
	const char *token;     /* what was handed back, to compare a 200's echo with; may be NULL */
	uint64_t click_age_ms; /* UINT64_MAX when the click's time is not known */
	unsigned attempt;      /* 1 = the first */
};

struct bc_partner_verdict {
	enum bc_outcome outcome;
	const char *meaning; /* borrowed from the rule; never NULL */
	const char *hint;    /* borrowed from the rule; never NULL, may be "" */
	bool odd_body; /* a 2xx whose body is not the documented echo: a warning, never a retry */
};

/*
 * Reads an answer. Total: every status, body and combination has exactly one verdict.
 * status 0 and request_sent is `unknown`; status 0 and not request_sent is `retry`, as is a status
 * that no rule knows.
 */
BC_API struct bc_partner_verdict bc_partner_read_answer(const struct bc_partner *partner,
							const struct bc_partner_answer *answer);

/* --- tokens of a partner ---------------------------------------------------------------------- */

struct bc_token_pattern;

/* What a token is to that partner: as bc_token_classify_strict, with its alphabet and its test
 * tokens. pattern may be NULL. */
BC_API enum bc_token_kind bc_partner_token_kind(const struct bc_partner *partner, const char *token,
						size_t len, const struct bc_token_pattern *pattern);
/* As bc_url_token, with the partner's parameters (or params, if it is not NULL) and alphabet. */
BC_API BC_MUST_CHECK int bc_partner_find_token(const struct bc_partner *partner, const char *url,
					       size_t len, const char *const *params,
					       const struct bc_token_pattern *pattern,
					       char *ret_token);

/* --- definitions as text ---------------------------------------------------------------------- */

/*
 * Reads a definition, as docs/partners.md describes its format, and checks it whole.
 * file        how the text is called in err: "awin.conf"
 * ret_partner belongs to the caller: bc_partner_destroy; untouched on failure
 * result      0; BC_EINVAL: it is none, err names the first fault with its line; BC_ETOOBIG: more
 *             than 64 KiB; BC_ENOMEM
 */
BC_API BC_MUST_CHECK int bc_partner_parse(const char *file, const char *text, size_t len,
					  const struct bc_partner **ret_partner,
					  struct bc_err *err);
/* Only what bc_partner_parse made; NULL is fine. */
BC_API void bc_partner_destroy(const struct bc_partner *partner);

struct bc_retry_policy {
	uint64_t base_ms;     /* wait before the second attempt, doubled on each further failure */
	uint64_t cap_ms;      /* largest wait of that series */
	uint64_t deadline_ms; /* age at which a conversion is given up, parked time not counted */
};

enum { BC_RETRY_AFTER_MAX_MS = 2 * 3600 * 1000 };

/*
 * How long to wait after failure n (1 = the first): max(floor, U(0, min(cap, base * 2^(n-1)))),
 * floor = 1 s or base if smaller, raised to retry_after_ms (itself at most BC_RETRY_AFTER_MAX_MS).
 * n        0 counts as 1
 * random   uniform 64 random bits, from the caller, so that the function stays pure: 0 draws the
 *          shortest wait, UINT64_MAX the longest
 */
BC_API uint64_t bc_retry_delay_ms(const struct bc_retry_policy *policy, unsigned n,
				  uint64_t retry_after_ms, uint64_t random);

/*
 * Reads a Retry-After value: delta-seconds or any HTTP date of RFC 9110, which is measured against
 * the answer's own Date when there is one (their clock, not ours), else against now_wall_ms.
 *
 * date      the Date header, or NULL; one that cannot be read counts as absent
 * result    0, or BC_EINVAL: neither form. A date that has passed gives 0 ms. Long waits are not
 *           cut here (bc_retry_delay_ms does); a number beyond 64 bits gives UINT64_MAX.
 */
BC_API BC_MUST_CHECK int bc_retry_after_parse(const char *value, const char *date,
					      uint64_t now_wall_ms, uint64_t *ret_ms);

#ifdef __cplusplus
}
#endif
#endif
