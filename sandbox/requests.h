/* SPDX-License-Identifier: MIT */
/*
 * The recorder: what was asked of the sandbox and what came of it, newest last, bounded by number
 * and by bytes (the oldest is forgotten first). Bodies are kept as they came, keys and tokens
 * included: that is its purpose, and why a sandbox belongs on loopback. Memory only; one thread.
 */
#ifndef BC_SANDBOX_REQUESTS_H
#define BC_SANDBOX_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_server.h"

enum { BC_REQUESTS_MAX = 10000, BC_REQUESTS_MAX_BYTES = 64 * 1024 * 1024 };

struct bc_requests;

/* NULL without memory. */
BC_MUST_CHECK struct bc_requests *bc_requests_create(void);
void bc_requests_destroy(struct bc_requests *r); /* NULL is fine */

/* Notes a request; returns its number, counted from 1. Without memory the number is used up and
 * nothing is kept. */
uint64_t bc_requests_add(struct bc_requests *r, const struct bc_http_request *req, uint64_t wall_ms,
			 uint64_t elapsed_ms);

/* What became of it. */
struct bc_request_result {
	int status;	   /* 0: no whole answer was sent */
	const char *fault; /* static name, NULL = none */
	bool accepted;	   /* the partner counts it */
	bool client_left;  /* nobody was there any more to hear the answer */
	uint64_t elapsed_ms;
};
/* No effect when the request is forgotten already. */
void bc_requests_answered(struct bc_requests *r, uint64_t number,
			  const struct bc_request_result *result);

/* Adds {"requests":[...],"last":N,"forgotten":N} with those numbered above `since` whose path
 * begins with path_prefix. 0, BC_ENOMEM, BC_ETOOBIG. */
BC_MUST_CHECK int bc_requests_list(const struct bc_requests *r, struct bc_str path_prefix,
				   uint64_t since, struct bc_buf *out);
/* Forgets all; numbers go on. */
void bc_requests_clear(struct bc_requests *r);
uint64_t bc_requests_last(const struct bc_requests *r);

#endif
