/* SPDX-License-Identifier: MIT */
/*
 * What the files of the public listener share; private to them.
 *
 *	edge.c		the route table, answers, life
 *	edge_body.c	bodies, bounded each and all together
 *	edge_visitor.c	whose request it is, behind whatever proxies
 *	edge_beacon.c	/v1/c
 *	edge_files.c	/capture.js
 *	edge_events.c	POST /v1/events/adobe: whose delivery it is, and its orders
 *	edge_validate.c	the same path: how a registration proves that it is ours
 *	edge_webhook.c	/v1/webhooks/commerce
 *
 * A handler gets a request whose body is whole, and answers it once, now or later, by one of the
 * edge_ functions below. What it needs meanwhile stands in the request's arena.
 */
#ifndef BC_DAEMON_EDGE_IMPL_H
#define BC_DAEMON_EDGE_IMPL_H

#include <jansson.h>

#include "base/network.h"
#include "core/rate_limit.h"
#include "daemon/edge.h"
#include "daemon/problem.h"
#include "net/http_server.h"

enum {
	EDGE_BEACON_BODY_BYTES = 2 * 1024,
	EDGE_EVENTS_BODY_BYTES = 2 * 1024 * 1024,
	EDGE_BODIES_BYTES = 64 * 1024 * 1024 /* of all requests under way */
};

/* One request on its way through a handler. Lives in the request's arena. */
struct edge_call {
	struct bc_edge *edge;
	struct bc_http_request *http; /* its body is not set: see body */
	const struct edge_route *route;
	struct bc_str body;  /* until it is answered; absent: none came */
	bool too_large;	     /* more came than the route takes: only for routes that want to know */
	struct bc_buf bytes; /* edge_body.c's: what has come of it, and counts in bodies_bytes */
	struct bc_address visitor;
	void *extra; /* the handler's own */
};
typedef void edge_handler(struct edge_call *call);

struct edge_route {
	const char *method, *path, *summary; /* docs/openapi.yaml has them from here */
	edge_handler *handler;
	size_t body_max_bytes; /* 0: a body is not read */
	/* Is there such a path, by these settings? NULL: always. */
	bool (*on)(const struct bc_edge *e);
	bool takes_too_large; /* is called for a larger body, too; else that is a 413 */
};
extern const struct edge_route edge_routes[];
extern const size_t edge_route_count;

/* How often something happened since it was told. */
struct edge_tally {
	uint64_t since;
	uint64_t told_ms; /* elapsed clock; 0: never */
};

struct bc_edge {
	struct bc_loop *loop;	       /* borrowed */
	struct bc_loop *delivery_loop; /* borrowed, may be NULL */
	struct bc_shop *shop;	       /* borrowed */
	struct bc_desk desk;	       /* for this listener alone; its config is the one in force */
	struct bc_settings *settings;  /* a reference; in force */
	struct bc_http_server *server; /* freed by itself when closed */
	void (*news)(void *ctx);
	void *news_ctx;
	char address[160];
	struct bc_arena *error_arena; /* owned; for the answers that the server gives itself */
	bool desk_open;
	size_t parts_open;
	size_t bodies_bytes; /* of requests under way */
	uint32_t calls;	     /* not answered yet */

	/* The beacon's. */
	struct bc_rate_limit *limit; /* owned */
	struct bc_network *trusted;  /* owned; proxies beside the local ones */
	size_t trusted_count;
	struct edge_tally limited; /* landings over the limit */

	/* Owned by their files; NULL while they are off. */
	struct edge_events *events;
	struct edge_webhook *webhook;

	unsigned closing_parts; /* the server, and the parts that stop */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/*
 * What a route keeps beyond a request (keys, fetches under way). Rows in edge.c, opened in their
 * order before the listener listens, destroyed in reverse. All but open may be NULL.
 */
struct edge_part {
	int (*open)(struct bc_edge *e, struct bc_err *err);
	/* e->settings and e->desk.config are the new ones. */
	void (*reconfigure)(struct bc_edge *e);
	/* The listener closes: what is under way ends, so that its requests are answered. Then
	 * edge_part_closed(e), once, now or later. */
	void (*stop)(struct bc_edge *e);
	void (*destroy)(struct bc_edge *e); /* nothing was opened, or it is stopped */
};
void edge_part_closed(struct bc_edge *e);
void edge_check_closed(struct bc_edge *e); /* edge.c's own */

/* What strangers can cause is told at most once a minute. Counts one more; returns how many to tell
 * of now, 0: not yet. */
uint64_t edge_tally_count(struct edge_tally *t, const struct bc_edge *e);

/* Answering; each ends the call. extra: NULL or whole header lines, each ended by CRLF. */
void edge_empty(struct edge_call *call, int status, const char *extra);
void edge_text(struct edge_call *call, int status, const char *content_type, const char *extra,
	       struct bc_str body);
void edge_json(struct edge_call *call, int status, json_t *json); /* steals json; NULL: 503 */
/* detail and hint are for a stranger: nothing of settings, files or the store in them. A status of
 * 503 says Retry-After. hint may be NULL. */
void edge_problem(struct edge_call *call, enum bc_problem problem, const char *detail,
		  const char *hint);
/* As if there was no such path. */
void edge_not_found(struct edge_call *call);

/* The decoded parameter of the query, in the request's arena; absent: it is not there, or is no
 * text. */
struct bc_str edge_query(struct edge_call *call, const char *name);
/* The same of a text such as a query or a form. */
struct bc_str edge_form_value(struct edge_call *call, struct bc_str form, const char *name);

/* edge_body.c: reads the body, then calls the route's handler, or answers itself. */
void edge_read_body(struct edge_call *call);

/* edge_visitor.c: whose request it is: the peer, or whom a trusted proxy names in X-Forwarded-For.
 * All zero where nobody is named (a Unix socket). */
struct bc_address edge_visitor(const struct bc_edge *e, const struct bc_http_request *req);
/* Proxies as e->settings names them. 0, or BC_ENOMEM, with those of before in force. */
BC_MUST_CHECK int edge_read_trusted(struct bc_edge *e, struct bc_err *err);

/* Routes and parts. */
edge_handler edge_landing;	/* edge_beacon.c */
edge_handler edge_capture_js;	/* edge_files.c */
edge_handler edge_take_events;	/* edge_events.c */
edge_handler edge_challenge;	/* edge_validate.c */
edge_handler edge_take_webhook; /* edge_webhook.c */
bool edge_events_on(const struct bc_edge *e);
bool edge_webhook_on(const struct bc_edge *e);
BC_MUST_CHECK int edge_open_events(struct bc_edge *e, struct bc_err *err);
void edge_reconfigure_events(struct bc_edge *e);
void edge_stop_events(struct bc_edge *e);
void edge_destroy_events(struct bc_edge *e);
BC_MUST_CHECK int edge_open_webhook(struct bc_edge *e, struct bc_err *err);
void edge_reconfigure_webhook(struct bc_edge *e);
void edge_stop_webhook(struct bc_edge *e);
void edge_destroy_webhook(struct bc_edge *e);
BC_MUST_CHECK int edge_open_beacon(struct bc_edge *e, struct bc_err *err);
void edge_reconfigure_beacon(struct bc_edge *e);
void edge_destroy_beacon(struct bc_edge *e);

#endif
