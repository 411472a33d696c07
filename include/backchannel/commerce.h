/* SPDX-License-Identifier: MIT */
/*
 * Adobe Commerce's REST API as bytes: where a path stands on SaaS (ACCS) and on PaaS, how a search
 * is asked for, what an error body says, and what a client does about an answer. Nothing here does
 * I/O or reads a clock. Every function is thread-safe.
 */
#ifndef BACKCHANNEL_COMMERCE_H
#define BACKCHANNEL_COMMERCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backchannel/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bc_commerce_flavor {
	BC_COMMERCE_AUTO,
	BC_COMMERCE_SAAS, /* BASE/V1/...; the store view in the header Store */
	BC_COMMERCE_PAAS  /* BASE/rest/STORE/V1/... */
};

/* "auto", "saas", "paas". 0, or BC_EINVAL: another name, NULL. */
BC_API BC_MUST_CHECK int bc_commerce_flavor_parse(const char *name,
						  enum bc_commerce_flavor *ret_flavor);
/* What auto means for this base URL: SAAS for *.api.commerce.adobe.com, localhost and loopback
 * addresses, else (also for what is no URL) PAAS. Never AUTO. */
BC_API enum bc_commerce_flavor bc_commerce_flavor_of(const char *base_url);

/* --- paths ----------------------------------------------------------------------------------- */

enum { BC_COMMERCE_URL_MAX = 16 * 1024, BC_COMMERCE_STORE_BYTES = 65 };

/* Where one call goes. */
struct bc_commerce_target {
	char *url; /* owned; free() */
	/* In url: what stands behind the base, "/rest" and the store view, query included. The same
	 * with and without those and on both flavors, so it is what to hold a rule against; escapes
	 * stand as the caller wrote them. */
	const char *resource;
	char store[BC_COMMERCE_STORE_BYTES]; /* for the header Store; "" = none is sent */
};

/*
 * Maps a caller's path to the flavor's URL. Only what stands in front of the resource changes:
 *
 *	caller's path			resource		store
 *	"/V1/orders", "V1/orders"	"/V1/orders"		none
 *	"/rest/V1/orders"		"/V1/orders"		none
 *	"/rest/default/V1/orders"	"/V1/orders"		"default"
 *	"/rest/all/async/V1/orders"	"/async/V1/orders"	"all"
 *	"/graphql", anything else	"/graphql"		none
 *
 * SAAS: BASE RESOURCE; the store becomes the header.
 * PAAS: BASE "/rest/STORE" RESOURCE ("/rest" without a store) for REST, which is what had "/rest"
 *       and what begins with a version ("V1"), "async" or "schema"; anything else as on SAAS.
 * The resource and the query are passed on byte for byte. That goes for asynchronous routes too,
 * which the flavors spell differently: "/V1/async/orders" and "/V1/async/bulk/orders" on SAAS,
 * "/async/V1/orders" and "/async/bulk/V1/orders" on PAAS. Write the one of your instance.
 *
 * base_url  http or https in any case, host, port and path (the tenant); trailing slashes are
 *           dropped. No user, query, fragment or dot segment. That http is for loopback only is not
 *           checked here
 * flavor    AUTO is what bc_commerce_flavor_of says
 * path      percent-encoded, with or without a query. Taken as they are, beside RFC 3986's bytes:
 *           [ ] | ^ anywhere and { } ` in the query, which browsers and Node leave bare; a '%' in
 *           the query that begins no escape. Encoded slashes may stand in the resource (a SKU holds
 *           them), also empty segments behind its first one
 * store     NULL or "": the path's own. It wins over the path's. [A-Za-z0-9_]{1,64},
 *           and not "V1", "async" or "schema"
 * result    0; BC_EINVAL: no base URL as above; no path, or one without a resource; a whole URL; a
 *           bad store; a blank, quote, backslash, '#', '<', '>', control or non-ASCII byte; an
 *           escape or a ':' in a segment that decides the mapping (the first, a store, the
 *           resource's first); a dot segment or a control byte in the path, bare or encoded up to
 *twice, where encoded slashes and backslashes part segments and a ';' ends a name ("..", "%2e%2E",
 *".%252e",
 *           "..%2F", "..;x"); BC_ETOOBIG: the URL is longer than BC_COMMERCE_URL_MAX; BC_ENOMEM.
 * On failure ret_target is untouched.
 */
BC_API BC_MUST_CHECK int bc_commerce_target_build(const char *base_url,
						  enum bc_commerce_flavor flavor, const char *path,
						  const char *store,
						  struct bc_commerce_target *ret_target,
						  struct bc_err *err);

/*
 * Appends one path segment, percent-encoded whole: a SKU may hold '/', blanks and non-ASCII.
 * text     NUL-terminated within text_bytes; a failure leaves it as it is
 * segment  any bytes; what is refused is what bc_commerce_target_build would refuse then
 * result   0; BC_EINVAL: NULL, "", ".", "..", a control byte, a dot segment between slashes;
 *          BC_ETOOBIG: no room
 */
BC_API BC_MUST_CHECK int bc_commerce_segment_append(char *text, size_t text_bytes,
						    const char *segment);

/* --- search ---------------------------------------------------------------------------------- */

enum { BC_COMMERCE_PAGE_MAX = 300 }; /* Adobe's cap; a tenant may have no other */

struct bc_commerce_filter {
	unsigned group;	   /* filters of a group are OR, groups are AND */
	const char *field; /* any text; encoded here, as value is */
	/* A list ("in", "nin") is parted by commas, which its elements cannot hold. NULL only with
	 * "null" and "notnull". */
	const char *value;
	/* eq neq gt gteq lt lteq moreq in nin finset nfinset from to like nlike null notnull;
	 * NULL: left out, which is eq. */
	const char *condition;
};

struct bc_commerce_search {
	const struct bc_commerce_filter *filters;
	size_t filter_count;
	const char *sort_field; /* NULL or "": unsorted */
	bool descending;
	unsigned page_size; /* 0: left out, Commerce then takes 20; at most BC_COMMERCE_PAGE_MAX */
	unsigned current_page; /* from 1; 0: left out */
	const char *fields;    /* "items[entity_id],total_count"; NULL: all */
};

/*
 * "searchCriteria[filter_groups][0]..." with brackets encoded, without '?'. Without any criterion:
 * "searchCriteria=", which Commerce wants to see.
 * ret_query  malloc'd; untouched on failure
 * result     0; BC_EINVAL: a filter without field or value, an unknown condition, too large a page;
 *            BC_ETOOBIG: longer than BC_COMMERCE_URL_MAX; BC_ENOMEM
 */
BC_API BC_MUST_CHECK int bc_commerce_search_build(const struct bc_commerce_search *search,
						  char **ret_query, struct bc_err *err);

/* --- answers --------------------------------------------------------------------------------- */

enum { BC_COMMERCE_MESSAGE_BYTES = 512 };

/*
 * One readable line of an error body: "message" with its "parameters" put in, which may be an array
 * (%1, %2) or an object (%fieldName), then those of "errors", parted by "; "; also the gateway's
 * {"error_code","message"} as "message (code)", OAuth's {"error","error_description"} as "error:
 * description", and {"messages":{"error":[...]}}. A placeholder without a parameter stays as it is.
 * Control bytes become blanks; what is too long is cut at a character's border.
 * Returns 1 and the text, or 0 and "": HTML, broken or cut-off JSON, not UTF-8, nothing of the kind
 * in it, more than 64 KiB, no memory. body may be NULL.
 */
BC_API int bc_commerce_error_message(const char *body, size_t body_bytes,
				     char text[BC_COMMERCE_MESSAGE_BYTES]);

/* What to do about an answer. */
enum bc_commerce_step {
	BC_COMMERCE_PASS,    /* it is the caller's */
	BC_COMMERCE_REFRESH, /* 401: with another token, once */
	BC_COMMERCE_SLEEP,   /* 429, or 503 with Retry-After: everybody waits wait_ms, then again */
	BC_COMMERCE_RETRY    /* again after wait_ms, which is this call's alone */
};

struct bc_commerce_attempt {
	const char *method;
	unsigned attempt;  /* how often it has been sent, 1 = once, for whatever reason */
	bool held;	   /* the request can be sent again: its body is held, or it has none */
	bool refreshed;	   /* a 401 has been answered with another token already */
	bool young_token;  /* the token that was refused has been fetched since the call began */
	int status;	   /* 0: no whole answer head */
	bool request_sent; /* with status 0: some of it may have left */
	const char *retry_after, *date; /* header values, or NULL */
	uint64_t now_wall_ms;
};

enum { BC_COMMERCE_SLEEP_DEFAULT_MS = 5000, BC_COMMERCE_SLEEP_MAX_MS = 3600 * 1000 };

struct bc_commerce_verdict {
	enum bc_commerce_step step;
	/* sleeps: how long the upstream is left alone. RETRY: the least wait, 250 ms doubled on
	 * each attempt, to which the caller adds jitter. Else 0. */
	uint64_t wait_ms;
	/* The upstream asked to be left alone, whether or not this call is repeated (a request that
	 * is not held is PASS and sleeps). */
	bool sleeps;
};

/*
 * Total. Nothing that is not held is repeated, whatever came back. Held:
 *
 *	401			once, any method, unless the token was young
 *	429			any method, without end: the caller's deadline ends it
 *	503 with Retry-After	likewise
 *	408, 500, 502, 503, 504	idempotent methods, until it has been sent three times
 *	no answer		likewise; what never left is so repeated for any method
 *
 * A wait is what Retry-After says, at most BC_COMMERCE_SLEEP_MAX_MS; a 429 without one that can be
 * read BC_COMMERCE_SLEEP_DEFAULT_MS; "0", or a date that has passed, 100 ms doubled on each attempt
 * up to the default. A gateway that shows its callers what the server said takes RETRY for PASS.
 */
BC_API struct bc_commerce_verdict bc_commerce_judge(const struct bc_commerce_attempt *attempt);
/* GET, HEAD, OPTIONS, PUT, DELETE, TRACE (RFC 9110 9.2.2), in this case; NULL is not. */
BC_API bool bc_commerce_is_idempotent(const char *method);

#ifdef __cplusplus
}
#endif
#endif
