/* SPDX-License-Identifier: MIT */
/*
 * The gateway: a request below /accs goes to Adobe Commerce with the access token of this daemon,
 * and its answer comes back as it is (design section 11). Bodies stream both ways: who reads slowly
 * slows the other side and nothing else. One per loop; loop's thread only.
 *
 * A call's way:
 *   HOLD     a body of at most hold_bytes is read whole, so that the call can be repeated
 *   DOOR     Commerce asked to be left alone: waits, at most wait_ms in all
 *   TOKEN    no token that may be sent: waits for one, within the same time
 *   ASK      the request is under way; a 401 or 429 of a held one leads back to TOKEN or DOOR
 *   ANSWER   its head is passed on, its body streams
 * A client that leaves ends the call at any point.
 */
#ifndef BC_CORE_GATEWAY_H
#define BC_CORE_GATEWAY_H

#include <backchannel/commerce.h>

#include "core/tokens.h"
#include "core/upstream.h"
#include "net/http_server.h"

/* What a program may do. */
struct bc_gateway_rule {
	const char *method; /* "GET"; "*" = any. GET lets HEAD pass too */
	const char *prefix; /* "/V1/orders": this path and what lies below it */
};

/* Borrowed; whoever takes it copies. */
struct bc_gateway_config {
	const char *base_url;
	enum bc_commerce_flavor flavor; /* never AUTO */
	const char *client_id;		/* x-api-key */
	const char *org_id;		/* x-gw-ims-org-id; NULL: not sent */
	const char *proxy, *ca_file;	/* NULL: none; the system's */
	uint64_t wait_ms, timeout_ms, connect_timeout_ms;
	size_t hold_bytes;
	const struct bc_gateway_rule *rules; /* none: everything is allowed */
	size_t rule_count;
};

enum { BC_GATEWAY_DURATION_BUCKETS = 14, BC_GATEWAY_SHAPES_MAX = 64, BC_GATEWAY_CODES_MAX = 256 };
extern const uint32_t bc_gateway_bound_ms[BC_GATEWAY_DURATION_BUCKETS];

/* Calls by method and the status that the caller got. */
struct bc_gateway_code {
	char method[16]; /* beyond the registered ones: "other" */
	int status;
	uint64_t count;
};

/* Durations of one method and route shape (ids folded: "/V1/orders/{id}"), from a call's arrival to
 * the end of its answer. Beyond BC_GATEWAY_SHAPES_MAX shapes the rest is "/other". */
struct bc_gateway_shape {
	char method[16];
	char shape[96];
	uint64_t buckets[BC_GATEWAY_DURATION_BUCKETS + 1], sum_ms;
};

struct bc_gateway;

/* Why a call is answered here. */
enum bc_gateway_refusal {
	BC_GATEWAY_BAD_REQUEST,	       /* 400: a path with dot segments, an ambiguous message */
	BC_GATEWAY_FORBIDDEN,	       /* 403: no rule allows it */
	BC_GATEWAY_THROTTLED,	       /* 429: Commerce asked to be left alone for longer */
	BC_GATEWAY_UNREACHABLE,	       /* 503: it, or the token endpoint, cannot be reached */
	BC_GATEWAY_TIMED_OUT,	       /* 504 */
	BC_GATEWAY_CREDENTIAL_REFUSED, /* 503 */
	BC_GATEWAY_BUSY		       /* 503: no memory, or the daemon stops */
};

int bc_gateway_status(enum bc_gateway_refusal refusal);

struct bc_gateway_options {
	const struct bc_clock *clock; /* borrowed */
	struct bc_tokens *tokens;     /* borrowed */
	struct bc_upstream *upstream; /* borrowed */
	/* Answers the request with a problem of ours. extra: header lines, or NULL. */
	void (*refuse)(void *ctx, struct bc_http_request *req, enum bc_gateway_refusal refusal,
		       const char *detail, const char *hint, const char *extra);
	void *ctx;
};

BC_MUST_CHECK int bc_gateway_create(struct bc_loop *loop, const struct bc_gateway_config *config,
				    const struct bc_gateway_options *options,
				    struct bc_gateway **ret_gateway, struct bc_err *err);
/* Every call must have ended (bc_gateway_stop). NULL is fine. */
void bc_gateway_destroy(struct bc_gateway *g);
/* From the next call on. */
BC_MUST_CHECK int bc_gateway_reconfigure(struct bc_gateway *g,
					 const struct bc_gateway_config *config,
					 struct bc_err *err);
/* Takes over a request whose path begins with /accs/: its body is not read yet (the server's
 * streams option said so). */
void bc_gateway_handle(struct bc_gateway *g, struct bc_http_request *req);
/* Calls that wait are answered 503; calls under way go on. done(ctx) once, when none is left. */
void bc_gateway_stop(struct bc_gateway *g, void (*done)(void *ctx), void *ctx);

size_t bc_gateway_in_flight(const struct bc_gateway *g); /* calls not answered yet */
size_t bc_gateway_code_count(const struct bc_gateway *g);
const struct bc_gateway_code *bc_gateway_code_at(const struct bc_gateway *g, size_t i);
size_t bc_gateway_shape_count(const struct bc_gateway *g);
const struct bc_gateway_shape *bc_gateway_shape_at(const struct bc_gateway *g, size_t i);

#endif
