/* SPDX-License-Identifier: MIT */
/* What the route table (api.c), the reading of requests (api_read.c) and the handlers (api_*.c)
 * share. */
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

struct watcher;	   /* who reads GET /v1/stream; api_stream.c */
struct lane_order; /* what the operator ordered of a lane; api_lanes.c */

struct bc_api {
	struct bc_loop *loop;	      /* borrowed */
	struct bc_shop *shop;	      /* borrowed */
	struct bc_delivery *delivery; /* borrowed, may be NULL */
	struct bc_api_commerce commerce;
	size_t (*connections)(void *ctx);
	const char *key_folder; /* borrowed; NULL: the hash key is no file */
	void *ctx;
	struct bc_desk desk;
	uint64_t started_ms; /* wall clock */
	struct call *waiting;
	struct api_streams {
		struct watcher *first;
		unsigned count;
		struct bc_timer *timer; /* owned; runs while there is one */
		struct bc_arena *arena; /* owned; while a summary is built for them */
		struct bc_api_request request;
		char *event; /* owned; the last one built, as it is sent; NULL: none yet */
		size_t event_bytes;
		uint64_t version, built_ms; /* of it; 0: none yet; elapsed clock */
	} streams;
	struct lane_order *lane_orders; /* not obeyed yet, and their requests wait for it */
	uint32_t calls;			/* not answered yet */
	bool stopping;			/* nobody may begin to wait */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	atomic_uint_fast32_t
		waiters; /* requests that asked to wait, also before they are in the list */
};

typedef void route_handler(struct call *call);

/* docs/openapi.yaml has its summaries from here, and which of them need no token. */
struct route {
	const char *method, *path, *summary;
	route_handler *handler;
	bool open; /* needs no API token */
};
extern const struct route api_routes[];
extern const size_t api_route_count;

void api_check_stopped(struct bc_api *api);

/* Answering; each ends the call. */
void call_json(struct call *call, int status, json_t *json); /* steals json; NULL: 503 */
void call_text(struct call *call, int status, const char *content_type, struct bc_str body);
void call_answer(struct call *call, const struct bc_api_answer *a); /* the others come down to it */
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
/* RFC 3339, or an age as "2h"; absent: 0. */
bool call_query_time(struct call *call, const char *name, uint64_t *ret_ms);
bool call_query_flag(struct call *call, const char *name, bool *ret); /* 0 or 1; absent = 0 */
struct bc_str call_header(const struct call *call, const char *name); /* absent = not there */
/* state, since, until, lane, product, revoked, search, limit, cursor. limit 0 = not given; a state
 * of any where none is named. What it points to is in the request's arena. */
bool call_selector(struct call *call, struct bc_order_selector *ret);

/* The store on the call's behalf, on call->op but for its inputs. */
void call_submit(struct call *call, enum bc_store_kind kind, void (*done)(struct bc_store_op *));
/* Answers if op failed, and says whether. Answering ends the call, and op with it. */
bool call_failed(struct call *call, const struct bc_store_op *op);

/* Copies of all lanes' status, in the request's arena; none where nothing is handed back here.
 * NULL: no memory. */
struct bc_lane_status *call_lanes(struct call *call, size_t *ret_count);
/* The status of the lane of that order, or NULL. */
const struct bc_lane_status *call_lane_of(struct call *call, const struct bc_order *order);
/* An array of lanes as GET /v1/lanes has them; NULL: no memory. */
json_t *call_lanes_json(struct call *call, const struct bc_lane_count *counts, uint32_t count);
/* Nobody waits for a lane any more. */
void api_leave_lanes(struct bc_api *api);

/* The whole shop at a glance, read from the store in one go: what /metrics and /v1/summary tell.
 * Lives in the request's arena. */
struct shop_view {
	struct bc_store_counts counts;
	const struct bc_lane_count *lanes;
	const struct bc_return_count *returns;
	uint32_t lane_count, return_count;
	void (*seen)(struct call *call, const struct shop_view *view);
};
/* Calls seen, or answers the call itself when the store refuses. */
void call_view(struct call *call, void (*seen)(struct call *call, const struct shop_view *view));

/* Sets key and steals value; false without memory, NULL of value too. */
bool api_put(json_t *object, const char *key, json_t *value);
/* How the access token stands; NULL: no memory. Commerce is on. */
json_t *api_token_json(struct call *call);
/* Members of the summary (summary_parts.c); NULL: no memory. */
json_t *api_store_json(struct call *call);
json_t *api_gateway_json(const struct bc_api_commerce *commerce);

/* Handlers. */
route_handler get_backup, post_backup, delete_backup;		 /* api_backup.c */
route_handler post_click, delete_click;				 /* api_clicks.c */
route_handler post_order, get_order, retry_order, cancel_order;	 /* api_orders.c */
route_handler list_orders, retry_orders;			 /* api_select.c */
route_handler get_lanes, pause_lane, resume_lane, probe_lane;	 /* api_lanes.c */
route_handler get_pull, post_pull;				 /* api_pull.c */
route_handler get_summary;					 /* api_summary.c */
route_handler get_history;					 /* api_history.c */
route_handler get_stream;					 /* api_stream.c */
route_handler get_token;					 /* api_token.c */
route_handler get_health, get_ready, get_metrics;		 /* api_system.c, metrics.c */
route_handler get_console_html, get_console_js;			 /* console_files.c */
route_handler get_console_base_js, get_console_orders_js;	 /* likewise */
route_handler get_console_start_js;				 /* likewise */
route_handler get_dygraph_css, get_dygraph_js, get_openapi_yaml; /* likewise */

#endif
