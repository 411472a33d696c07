/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's files share: a call, its answer, the routes. A service is a file of handlers;
 * it joins by adding rows to the table in sandbox.c. A handler fills call->answer at once and never
 * sends: answer.c does that, whole or broken, as the faults want it.
 */
#ifndef BC_SANDBOX_SERVICE_H
#define BC_SANDBOX_SERVICE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/clock.h"
#include "net/http_server.h"
#include "sandbox/faults.h"
#include "sandbox/requests.h"
#include "sandbox/sandbox.h"
#include "sandbox/tally.h"

enum { SANDBOX_PARTS_MAX = 4, SANDBOX_BODY_MAX = 256 * 1024 };

struct sandbox_call;
struct sovendus;
struct ims;
struct commerce;
struct sandbox_events;
typedef void sandbox_handler(struct sandbox_call *call);

/* What all routes of a service have in common. */
struct sandbox_service {
	/* Answers with the service's own body for a status, as the fault "status" has it. message:
	 * instead of its own text; NULL = that. */
	void (*describe)(struct sandbox_call *call, int status, const char *message);
	/* Optional: asked before a handler, and before refuse. False: it has answered. */
	bool (*guard)(struct sandbox_call *call);
	/* No row fits; call->known_path: another method's does. */
	sandbox_handler *refuse;
	const char *other_echo; /* what the fault wrong-echo answers; NULL = it does nothing */
};

struct sandbox_route {
	const char *method;
	/* "/ext/{product}/{token}/api": a name in braces fits one segment, "{name*}" at the end all
	 * that follow. Commerce's are held against call->resource, all others against the path. */
	const char *pattern;
	sandbox_handler *handle;
	sandbox_handler *arrived; /* optional: the request is here, before any fault */
	/* Optional: the credential that it carries, for faults that look at it. */
	bool (*read_key)(struct sandbox_call *call, struct bc_str *ret_key);
	const struct sandbox_service *service; /* NULL: the sandbox's own */
	bool streams;			       /* its body is not held, the handler reads it */
	const char *help;		       /* for GET /_sandbox */
};

struct sandbox_answer {
	int status;
	const char *content_type;
	const char *extra; /* whole header lines, each ended by CRLF; NULL = none */
	struct bc_str body;
	char *owned; /* freed when it was sent; what body points to, or NULL */
};

/* One request on its way through. Lives in the request's arena. */
struct sandbox_call {
	struct bc_sandbox *sandbox;
	struct bc_http_request *req;
	const struct sandbox_route *route;     /* the row that fits; NULL = none */
	bool known_path;		       /* some row's pattern fits, whatever the method */
	const struct sandbox_service *service; /* whose path it is */
	struct bc_str resource; /* Commerce: the path from "/V1" on; absent = there is none */
	struct bc_str store;	/* Commerce: the store view that the path names; absent = none */
	struct {
		struct bc_str name;
		struct bc_str value; /* percent-decoded */
	} parts[SANDBOX_PARTS_MAX];
	size_t part_count;

	uint64_t number; /* the recorder's */
	uint64_t delay_ms;
	struct bc_fault_action fault;
	bool accepted; /* set by a handler: the partner counts it */
	struct sandbox_answer answer;

	/* A handler that answers later, or bit by bit, sets both; never before it has returned,
	 * since the call is gone with its answer. cancel drops the connection, by way of
	 * bc_sandbox_leave. */
	bool handed_over;
	void (*cancel)(struct sandbox_call *call);
	void *user; /* the handler's */

	struct bc_timer *timer; /* owned; while it is delayed, hangs or trickles */
	void (*on_timer)(struct sandbox_call *call);
	struct bc_buf raw;		   /* a broken answer's bytes */
	struct sandbox_call *next, **link; /* in sandbox->calls while under way */
};

struct bc_sandbox {
	struct bc_loop *loop;	       /* borrowed */
	struct bc_http_server *server; /* owned; frees itself when closed */
	const struct bc_clock *clock;
	struct bc_faults *faults;      /* owned */
	struct bc_requests *requests;  /* owned */
	struct bc_tally *tally;	       /* owned */
	struct sovendus *sovendus;     /* owned */
	struct ims *ims;	       /* owned */
	struct commerce *commerce;     /* owned */
	struct sandbox_events *events; /* owned */
	struct sandbox_call *calls;    /* those under way */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* routes.c: the one table, and who fits. */

/* Sets the call's route, service, resource, store and parts. */
void bc_sandbox_route(struct sandbox_call *call);
/* Only the route and its parts, for a call whose service and resource are set. */
void bc_sandbox_find(struct sandbox_call *call);
/* Does the body of a request with this head stream? */
bool bc_sandbox_streams(const struct bc_http_request *req);
/* The methods that the path takes, "GET, POST", for Allow; in the arena, NULL without memory. */
const char *bc_sandbox_allowed(struct sandbox_call *call);
/* The segment that fits {name}; absent when the route has none. */
struct bc_str bc_sandbox_part(const struct sandbox_call *call, const char *name);
/* Percent-decodes, into the arena when there is something to decode. False without memory. */
bool bc_sandbox_decode(struct bc_arena *arena, struct bc_str text, bool plus_is_space,
		       struct bc_str *ret_value);
/* A parameter of the query, decoded, in the request's arena. False when it is not there. */
bool bc_sandbox_query(const struct sandbox_call *call, const char *name, struct bc_str *ret_value);

/* replies.c: what a handler needs. */

/* Sets the answer; body must outlive the call (a literal, or in its arena). */
void bc_sandbox_answer(struct sandbox_call *call, int status, const char *content_type,
		       struct bc_str body);
/* As JSON. Takes body; NULL stands for "no memory" and makes a 500. */
void bc_sandbox_answer_json(struct sandbox_call *call, int status, json_t *body);
/* Answers with what the buffer holds, which empties it; rc < 0, or no memory: a 500. */
void bc_sandbox_answer_buf(struct sandbox_call *call, int rc, const char *content_type,
			   struct bc_buf *b);
/* {"message":text} and, when there is one, "hint". */
void bc_sandbox_answer_message(struct sandbox_call *call, int status, const char *text,
			       const char *hint);
void bc_sandbox_answer_nothing(struct sandbox_call *call); /* 204 */
/* Reads the request's body as a JSON object; NULL, with a 400 as answer, when it is none. */
json_t *bc_sandbox_read_object(struct sandbox_call *call);

/* One member of a settings object; false = it is not what it should be. */
struct sandbox_member {
	const char *name;
	bool (*read)(void *settings, const json_t *value);
	const char *hint; /* what it should be */
};
/* Reads the body's members into settings, by the table. False, with a 400 as answer, for a body
 * that is no object, for an unknown member and for a value that does not fit; what stands before it
 * has been read then. */
bool bc_sandbox_read_settings(struct sandbox_call *call, const struct sandbox_member *members,
			      size_t count, void *settings);

/* answer.c */

/* Does the call's ordinary work, as far as its fault lets it, and sends what comes of it. */
void bc_sandbox_perform(struct sandbox_call *call);
/* Sends the answer whole, now, unrecorded. */
void bc_sandbox_send_plain(struct sandbox_call *call);
/* Sends the answer of a call that was handed over, now. */
void bc_sandbox_finish(struct sandbox_call *call);
/* Takes a call that was handed over off the books, before the handler ends its answer by itself;
 * whole: it went out as it should. */
void bc_sandbox_leave(struct sandbox_call *call, int status, bool whole);
/* Runs step after delay_ms. */
void bc_sandbox_later(struct sandbox_call *call, uint64_t delay_ms,
		      void (*step)(struct sandbox_call *));
/* Resets the connection of a call under way. */
void bc_sandbox_cancel(struct sandbox_call *call);

/* control.c: the routes below /_sandbox that belong to no service. */
sandbox_handler bc_control_help, bc_control_health, bc_control_reset;
sandbox_handler bc_control_requests, bc_control_requests_clear;
sandbox_handler bc_control_calls, bc_control_calls_clear;
sandbox_handler bc_control_faults, bc_control_faults_set, bc_control_faults_clear;

/* sovendus.c and sovendus_books.c */
BC_MUST_CHECK struct sovendus *bc_sovendus_create(const char *product_id,
						  struct bc_secret *api_key);
void bc_sovendus_destroy(struct sovendus *v); /* NULL is fine */
/* Books, tokens and products as at the start. False without memory. */
BC_MUST_CHECK bool bc_sovendus_reset(struct sovendus *v);
sandbox_handler bc_sovendus_hand_back, bc_sovendus_arrived;
bool bc_sovendus_read_key(struct sandbox_call *call, struct bc_str *ret_key);
extern const struct sandbox_service bc_sovendus_service; /* also for any unknown path */
sandbox_handler bc_sovendus_counts, bc_sovendus_counts_clear;
sandbox_handler bc_sovendus_tokens, bc_sovendus_tokens_set, bc_sovendus_tokens_clear;
sandbox_handler bc_sovendus_products, bc_sovendus_products_set, bc_sovendus_products_clear;

/* ims*.c */
BC_MUST_CHECK struct ims *bc_ims_create(const struct bc_sandbox_options *options);
void bc_ims_destroy(struct ims *m); /* NULL is fine */
/* As at the start; tokens that were issued are forgotten. False without memory. */
BC_MUST_CHECK bool bc_ims_reset(struct ims *m);
extern const struct sandbox_service bc_ims_service;
sandbox_handler bc_ims_token, bc_ims_arrived, bc_ims_validate, bc_ims_discovery;
bool bc_ims_read_key(struct sandbox_call *call, struct bc_str *ret_key);
sandbox_handler bc_ims_show, bc_ims_set, bc_ims_clear;
sandbox_handler bc_ims_secrets_add, bc_ims_secrets_delete, bc_ims_expire;
sandbox_handler bc_ims_counts, bc_ims_counts_clear;

/* commerce*.c */
BC_MUST_CHECK struct commerce *bc_commerce_create(void);
void bc_commerce_destroy(struct commerce *m); /* NULL is fine */
void bc_commerce_reset(struct commerce *m);   /* as at the start, the data too */
extern const struct sandbox_service bc_commerce_service;
/* Is it a path of Commerce's? Sets the call's resource and store. */
bool bc_commerce_locate(struct sandbox_call *call);
bool bc_commerce_read_key(struct sandbox_call *call, struct bc_str *ret_key);
sandbox_handler bc_commerce_products, bc_commerce_product;
sandbox_handler bc_commerce_product_post, bc_commerce_product_put, bc_commerce_product_delete;
sandbox_handler bc_commerce_orders, bc_commerce_order, bc_commerce_order_status;
sandbox_handler bc_commerce_order_comments, bc_commerce_order_comment;
sandbox_handler bc_commerce_static, bc_commerce_country;
sandbox_handler bc_commerce_async, bc_commerce_async_bulk, bc_commerce_bulk_status;
sandbox_handler bc_commerce_large, bc_commerce_sink;
sandbox_handler bc_commerce_show, bc_commerce_set, bc_commerce_clear;
sandbox_handler bc_commerce_comments, bc_commerce_comments_clear;

#endif
