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

enum { SANDBOX_PARTS_MAX = 4, SANDBOX_BODY_MAX = 256 * 1024 };

struct sandbox_call;
struct sovendus;
typedef void sandbox_handler(struct sandbox_call *call);

struct sandbox_route {
	const char *method;
	const char *pattern; /* "/ext/{product}/{token}/api": a name in braces fits one segment */
	sandbox_handler *handle;
	sandbox_handler *arrived; /* optional: the request is here, before any fault */
	/* Optional: the credential that it carries, for faults that look at it. */
	bool (*read_key)(struct sandbox_call *call, struct bc_str *ret_key);
	const char *help; /* for GET /_sandbox */
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
	const struct sandbox_route *route; /* the row that fits; NULL = none */
	bool known_path;		   /* some row's pattern fits, whatever the method */
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

	struct bc_timer *timer; /* owned; while it is delayed, hangs or trickles */
	void (*on_timer)(struct sandbox_call *call);
	struct bc_buf raw;		   /* a broken answer's bytes */
	struct sandbox_call *next, **link; /* in sandbox->calls while under way */
};

struct bc_sandbox {
	struct bc_loop *loop;	       /* borrowed */
	struct bc_http_server *server; /* owned; frees itself when closed */
	const struct bc_clock *clock;
	struct bc_faults *faults;     /* owned */
	struct bc_requests *requests; /* owned */
	struct sovendus *sovendus;    /* owned */
	struct sandbox_call *calls;   /* those under way */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* sandbox.c: what a handler needs. */

/* The segment that fits {name}; absent when the route has none. */
struct bc_str bc_sandbox_part(const struct sandbox_call *call, const char *name);
/* A parameter of the query, decoded, in the request's arena. False when it is not there. */
bool bc_sandbox_query(const struct sandbox_call *call, const char *name, struct bc_str *ret_value);
/* Sets the answer; body must outlive the call (a literal, or in its arena). */
void bc_sandbox_answer(struct sandbox_call *call, int status, const char *content_type,
		       struct bc_str body);
/* As JSON. Takes body; NULL stands for "no memory" and makes a 500. */
void bc_sandbox_answer_json(struct sandbox_call *call, int status, json_t *body);
/* {"message":text} and, when there is one, "hint". */
void bc_sandbox_answer_message(struct sandbox_call *call, int status, const char *text,
			       const char *hint);
/* Reads the request's body as a JSON object; NULL, with a 400 as answer, when it is none. */
json_t *bc_sandbox_read_object(struct sandbox_call *call);

/* answer.c */

/* Does the call's ordinary work, as far as its fault lets it, and sends what comes of it. */
void bc_sandbox_perform(struct sandbox_call *call);
/* Sends the answer whole, now, unrecorded. */
void bc_sandbox_send_plain(struct sandbox_call *call);
/* Runs step after delay_ms. */
void bc_sandbox_later(struct sandbox_call *call, uint64_t delay_ms,
		      void (*step)(struct sandbox_call *));
/* Resets the connection of a call under way. */
void bc_sandbox_cancel(struct sandbox_call *call);

/* control.c: the routes below /_sandbox that belong to no service. */
sandbox_handler bc_control_help, bc_control_health, bc_control_reset;
sandbox_handler bc_control_requests, bc_control_requests_clear;
sandbox_handler bc_control_faults, bc_control_faults_set, bc_control_faults_clear;

/* sovendus.c and sovendus_books.c */
BC_MUST_CHECK struct sovendus *bc_sovendus_create(const char *product_id,
						  struct bc_secret *api_key);
void bc_sovendus_destroy(struct sovendus *v); /* NULL is fine */
/* Books, tokens and products as at the start. False without memory. */
BC_MUST_CHECK bool bc_sovendus_reset(struct sovendus *v);
sandbox_handler bc_sovendus_hand_back, bc_sovendus_arrived;
bool bc_sovendus_read_key(struct sandbox_call *call, struct bc_str *ret_key);
/* 404 or 405, in its words; also what any unknown path gets. */
void bc_sovendus_refuse(struct sandbox_call *call);
/* The documented message of a status, or NULL. */
const char *bc_sovendus_message(int status);
sandbox_handler bc_sovendus_counts, bc_sovendus_counts_clear;
sandbox_handler bc_sovendus_tokens, bc_sovendus_tokens_set, bc_sovendus_tokens_clear;
sandbox_handler bc_sovendus_products, bc_sovendus_products_set, bc_sovendus_products_clear;

#endif
