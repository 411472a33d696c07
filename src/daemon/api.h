/* SPDX-License-Identifier: MIT */
/*
 * The HTTP API as a function: a request in, an answer out, no socket. The listener hands it what
 * came over HTTP; the command line, when no daemon runs, hands it the same requests on a loop of
 * its own. One per loop; loop's thread only, except where said. Routes stand in one table in api.c.
 */
#ifndef BC_DAEMON_API_H
#define BC_DAEMON_API_H

#include "core/comments.h"
#include "core/delivery.h"
#include "core/gateway.h"
#include "core/journal.h"
#include "core/pull.h"

struct bc_api;

struct bc_api_answer {
	int status;
	const char *content_type; /* NULL: no body */
	const char *extra;	  /* whole header lines ended by CRLF, or NULL */
	struct bc_str body;
};

struct bc_api_request;

/* An answer that goes on and on: begun and ended in place of answered. */
struct bc_api_stream {
	/* Its head: 200 of that type. gone(ctx): the peer has left; it must still be ended. */
	void (*begin)(struct bc_api_request *request, const char *content_type,
		      void (*gone)(void *ctx), void *ctx);
	void (*write)(struct bc_api_request *request, struct bc_str bytes);
	/* Bytes that the peer has not taken yet. */
	size_t (*unsent)(const struct bc_api_request *request);
	/* The peer sends no more: it left, or it only reads. What is written tells. */
	bool (*ended)(const struct bc_api_request *request);
	/* cut: so that the peer sees that it broke off. */
	void (*end)(struct bc_api_request *request, bool cut);
};

struct bc_api_request {
	const char *method;
	struct bc_str path, query,
		body; /* path percent-encoded as sent; absent where there is none */
	struct bc_arena *arena;
	/* Called exactly once, now or later; slices of the answer are valid during the call. */
	void (*answer)(struct bc_api_request *request, const struct bc_api_answer *answer);
	/* A header, absent when there is none. NULL: this request has no headers at all. */
	struct bc_str (*header)(const struct bc_api_request *request, const char *name);
	const struct bc_api_stream *stream; /* NULL: an answer comes whole, or not at all */
	void *ctx;
};

/* Commerce, to report on; all borrowed, and all NULL while it is off. */
struct bc_api_commerce {
	struct bc_tokens *tokens;
	struct bc_gateway *gateway;
	struct bc_upstream *upstream;
	struct bc_pull *pull; /* there without the others where no daemon runs */
	struct bc_comments *comments;
	struct bc_journal *journal; /* NULL while it alone is off, too */
};

struct bc_api_options {
	struct bc_shop *shop;
	struct bc_delivery *delivery; /* NULL: orders are kept, nothing is handed back here */
	struct bc_api_commerce commerce;
	size_t (*connections)(void *ctx); /* for /metrics; may be NULL */
	/* Where hash.key is, which a back-up needs; borrowed. NULL: it is a setting. */
	const char *key_folder;
	void *ctx;
};

BC_MUST_CHECK int bc_api_create(struct bc_loop *loop, const struct bc_api_options *options,
				struct bc_api **ret_api, struct bc_err *err);
/* Every request must have been answered (see bc_api_stop). NULL is fine. */
void bc_api_destroy(struct bc_api *api);
void bc_api_handle(struct bc_api *api, struct bc_api_request *request);
/* Works by these rules from now on. Takes a reference. */
void bc_api_reconfigure(struct bc_api *api, struct bc_shop_config *config);
/* No request waits for an order's final state any more: those that do are answered with what there
 * is. Calls done(ctx) once, now or later, when every request has been answered. */
void bc_api_stop(struct bc_api *api, void (*done)(void *ctx), void *ctx);
/* Answers that go on and on end now: who reads one comes again, and is asked for the API token. */
void bc_api_end_streams(struct bc_api *api);
/* An order reached its final state. Any thread. */
void bc_api_order_final(struct bc_api *api, struct bc_str order);

/* Is there an API route of this path that needs no API token (health)? */
bool bc_api_is_open(struct bc_str path);

#endif
