/* SPDX-License-Identifier: MIT */
/* What the route table (api.c) and the handlers (api_*.c) share. */
#ifndef BC_DAEMON_API_IMPL_H
#define BC_DAEMON_API_IMPL_H

#include <jansson.h>

#include "core/orders.h"
#include "core/story.h"
#include "daemon/api.h"
#include "daemon/problem.h"

enum {
	API_PARAMS_MAX = 1,
	WAIT_MAX_MS = 60 * 1000,
	LIST_LIMIT_DEFAULT = 50,
	LIST_LIMIT_MAX = 1000
};

/* One request on its way through a handler. Lives in the request's arena. */
struct call {
	struct bc_api *api;
	struct bc_api_request *request;
	struct bc_str param;	   /* the decoded {…} of the route */
	json_t *json;		   /* the body; released when answered */
	uint64_t wait_ms;	   /* orders: how long to wait for the final state */
	struct bc_timer *timer;	   /* while it waits */
	struct call *next, **slot; /* in the api's list of those that wait */
	struct bc_str order;	   /* which it waits for */
	struct bc_store_op op;
	void *extra; /* the handler's own */
};

struct bc_api {
	struct bc_loop *loop;	      /* borrowed */
	struct bc_shop *shop;	      /* borrowed */
	struct bc_delivery *delivery; /* borrowed, may be NULL */
	size_t (*connections)(void *ctx);
	void *ctx;
	struct bc_desk desk;
	struct call *waiting;
	uint32_t calls; /* not answered yet */
	bool stopping;	/* nobody may begin to wait */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	atomic_uint_fast32_t
		waiters; /* requests that asked to wait, also before they are in the list */
};

typedef void route_handler(struct call *call);

void api_check_stopped(struct bc_api *api);

/* Answering; each ends the call. */
void call_json(struct call *call, int status, json_t *json); /* steals json; NULL: 503 */
void call_text(struct call *call, int status, const char *content_type, struct bc_str body);
void call_problem(struct call *call, enum bc_problem problem, const char *detail, const char *hint);
void call_error(struct call *call, int code, const struct bc_err *err);
/* As call_error, for a wrong field: tokens and sessions have problem types of their own. */
void call_field_error(struct call *call, int code, const char *field, const struct bc_err *err);

/* Reading. Each answers the call itself and returns false when it is wrong. */
bool call_body(struct call *call); /* call->json, an object */
bool call_field(struct call *call, const char *name, struct bc_str *ret);  /* text; null = absent */
bool call_number(struct call *call, const char *name, struct bc_str *ret); /* text or number */
bool call_query(struct call *call, const char *name,
		struct bc_str *ret); /* decoded; absent = not there */
bool call_query_duration(struct call *call, const char *name, uint64_t max_ms, uint64_t *ret_ms);
bool call_selector(struct call *call, struct bc_order_selector *ret);

/* Copies the status of the lane of that order; false when there is none. */
bool api_lane_of(struct bc_api *api, const struct bc_order *order, struct bc_lane_status *ret);

/* Handlers. */
route_handler post_click, delete_click; /* api_clicks.c */
route_handler post_order, get_order, list_orders, retry_order, retry_orders,
	cancel_order;					     /* api_orders.c */
route_handler get_lanes, get_health, get_ready, get_metrics; /* api_system.c, metrics.c */

#endif
