/* SPDX-License-Identifier: MIT */
/*
 * Small GETs on behalf of a loop that serves: they are sent on another loop, where a name that does
 * not resolve stalls no listener. One attempt each, no redirects, whole bodies up to a ceiling.
 *
 * All calls, and all completions, on the home loop's thread.
 */
#ifndef BC_CORE_FETCHER_H
#define BC_CORE_FETCHER_H

#include "base/str.h"
#include "net/loop.h"

struct bc_fetcher;

/* Valid during done. */
struct bc_fetched {
	int error;  /* 0: the answer is whole; else a code, and status says nothing */
	int status; /* of HTTP */
	struct bc_str body;
	const char *problem; /* for a person; "" without error; holds no URL */
};
typedef void bc_fetch_done(void *ctx, const struct bc_fetched *fetched);

/*
 * outbound  where they are sent; may be home itself. It must run until stop is done
 * proxy     NULL or "": none; copied
 * max       how many may be under way
 */
BC_MUST_CHECK int bc_fetcher_create(struct bc_loop *home, struct bc_loop *outbound,
				    const char *proxy, unsigned max,
				    struct bc_fetcher **ret_fetcher, struct bc_err *err);
/* done is called once, later. 0; BC_EBUSY: too many are under way; BC_ESTATE: it is stopped;
 * BC_ENOMEM. url is copied. A body above body_max_bytes is BC_ETOOBIG. */
BC_MUST_CHECK int bc_fetcher_get(struct bc_fetcher *f, const char *url, size_t body_max_bytes,
				 uint32_t timeout_ms, bc_fetch_done *done, void *ctx);
/* What is under way ends with BC_ESTATE; then done(ctx), once, later. */
void bc_fetcher_stop(struct bc_fetcher *f, void (*done)(void *ctx), void *ctx);
/* Stopped, or nothing was ever fetched. NULL is fine. */
void bc_fetcher_destroy(struct bc_fetcher *f);

#endif
