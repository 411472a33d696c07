/* SPDX-License-Identifier: MIT */
/*
 * What the gateway's files share; private to them.
 *
 *	gateway.c		life, configuration, what is let in
 *	gateway_call.c		one call: its states, its request, its answer
 *	gateway_line.c		how many are under way at once, and who waits for that
 *	gateway_fields.c	header fields on their way, in either direction
 *	gateway_counts.c	what is measured
 *
 * A call belongs to its gateway until it is answered and waits for nothing. It may outlive the
 * client's connection, since nobody can end a wait for a token.
 */
#ifndef BC_CORE_GATEWAY_IMPL_H
#define BC_CORE_GATEWAY_IMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/gateway.h"
#include "net/http_client.h"

/* More requests under way would not make Commerce faster, and each costs a connection. */
enum { ATTEMPTS_MAX = 5, PIPE_MAX_BYTES = 64 * 1024, ASKING_MAX = 256 };

/* A configuration with the client that works by it. Counted: a reload makes another one. */
struct setup {
	unsigned references;
	struct bc_gateway_config config; /* points into the arena */
	struct bc_arena *arena;		 /* owned */
	struct bc_http_client *client;	 /* owned */
};

struct bc_gateway {
	struct bc_loop *loop; /* borrowed */
	struct bc_gateway_options options;
	struct setup *setup; /* a reference: the one for new calls */
	struct bc_upstream_door *door;
	struct gateway_call *calls;
	unsigned asking;		   /* calls that have a place */
	struct gateway_call *first, *last; /* who waits for one, by wait_until_ms */
	struct bc_timer *line_timer;	   /* owned; the next who has waited for too long */
	struct bc_task line_task;	   /* a place is free */
	bool line_posted;
	bool stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;

	struct bc_gateway_code codes[BC_GATEWAY_CODES_MAX];
	size_t code_count;
	struct bc_gateway_shape shapes[BC_GATEWAY_SHAPES_MAX];
	size_t shape_count;
};

enum call_state {
	CALL_HOLD,   /* its body is read */
	CALL_DOOR,   /* Commerce asked to be left alone */
	CALL_LINE,   /* so many are under way that it has to wait for its place */
	CALL_TOKEN,  /* there is no token that may be sent */
	CALL_PAUSE,  /* before it is sent once more */
	CALL_ASK,    /* the request is under way */
	CALL_ANSWER, /* the answer's head has been passed on */
	CALL_OVER    /* answered; a wait for a token is left */
};

struct gateway_call {
	struct bc_gateway *gateway; /* borrowed */
	struct gateway_call *next, **link;
	struct setup *setup;	     /* a reference */
	struct bc_http_request *req; /* NULL once answered */
	enum call_state state;
	struct bc_commerce_target target; /* owned */
	const char *shape;		  /* borrowed from the gateway's counts */
	char method[16];
	char id[33];
	uint64_t began_ms, wait_until_ms; /* elapsed clock */

	/* The request's body. */
	bool held;	    /* all of it is, or will be, in body: it can be sent again */
	bool body_whole;    /* it has ended */
	bool body_broken;   /* it will not come to its end */
	bool body_paused;   /* the client is asked for no more until body is empty */
	struct bc_buf body; /* held: the whole; else what waits to be sent */

	/* The request under way. */
	struct bc_http_call *http;
	struct bc_http_exchange exchange;
	struct bc_http_stream stream;
	const char *const *fields;     /* in the request's arena */
	struct bc_access_token *token; /* a reference; what it is signed with */
	unsigned attempt;
	bool refreshed;		    /* a 401 was met with another token */
	bool dropping;		    /* its answer is not passed on: another one follows */
	enum bc_commerce_step step; /* what follows then */
	int status;		    /* that the client got */

	bool placed;			     /* it is one of gateway->asking */
	struct gateway_call *ahead, *behind; /* in CALL_LINE */
	bool token_waits;
	struct bc_token_wait token_wait;
	struct bc_upstream_wait door_wait;
	struct bc_timer *timer; /* owned; for CALL_PAUSE */
};

/* gateway.c */
void setup_unref(struct setup *s);
void gateway_check_stopped(struct bc_gateway *g);

/* gateway_call.c: takes over an admitted request. target is taken. */
void gateway_call_begin(struct bc_gateway *g, struct bc_http_request *req,
			struct bc_commerce_target *target);
/* Ends it, if it only waits: the daemon stops. */
void gateway_call_stop(struct gateway_call *call);

/* Goes on with a call whose turn it is. */
void gateway_call_proceed(struct gateway_call *call);
/* It has waited in line for too long. */
void gateway_call_too_late(struct gateway_call *call);

/* gateway_line.c */
BC_MUST_CHECK int gateway_line_open(struct bc_gateway *g); /* 0 or BC_ENOMEM */
void gateway_line_close(struct bc_gateway *g);
/* True: it has a place now. False: it stands in line, in CALL_LINE. */
bool gateway_line_enter(struct gateway_call *call);
/* Gives its place back, or leaves the line; whoever has neither does nothing. */
void gateway_line_leave(struct gateway_call *call);

/* gateway_fields.c. In the request's arena; NULL without memory. */
/* The fields to ask with, ended by NULL. The token stands among them: the lines are wiped by
 * gateway_fields_wipe when the request is over. */
const char *const *gateway_fields_out(struct gateway_call *call);
void gateway_fields_wipe(const char *const *fields);
/* The answer's fields, a text of whole lines. */
const char *gateway_fields_in(struct gateway_call *call, const struct bc_http_answer_head *head);
/* The value of an answer's field, a NUL-terminated copy, or NULL. */
const char *gateway_field_value(struct gateway_call *call, const struct bc_http_answer_head *head,
				const char *name);

/* gateway_counts.c */
/* The route shape of a resource: ids folded. Never NULL. */
const char *gateway_shape(struct bc_gateway *g, const char *method, const char *resource);
void gateway_count(struct bc_gateway *g, const struct gateway_call *call, uint64_t duration_ms);

#endif
