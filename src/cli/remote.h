/* SPDX-License-Identifier: MIT */
/*
 * How a command reaches the API: by HTTP where a daemon runs, else in process on the store itself,
 * under its lock. The same requests and the same answers either way.
 */
#ifndef BC_CLI_REMOTE_H
#define BC_CLI_REMOTE_H

#include <jansson.h>

#include "cli/cli.h"

struct bc_reply {
	int status;
	json_t *json;	 /* owned; NULL when the body is no JSON */
	bool in_process; /* no daemon runs: the store was used directly */
};
void bc_reply_finish(struct bc_reply *reply);

/* A command's way to the API, for as many requests as it makes. */
struct bc_remote;
enum bc_remote_use {
	BC_REMOTE_ANY,	   /* where no daemon runs: the store, under its lock */
	BC_REMOTE_DELIVER, /* the same, and hands back here while a request waits (order --wait) */
	BC_REMOTE_DAEMON   /* a running daemon alone: what it does lives in its process */
};
/* DONE with *ret set, or the exit code of a failure that was printed. */
enum bc_exit bc_remote_open(const struct bc_invocation *in, enum bc_remote_use use,
			    struct bc_remote **ret);
void bc_remote_close(struct bc_remote *r); /* NULL is fine */
/*
 * One API request. body: a reference is stolen; NULL = none.
 * result DONE with *ret set (whatever its status), or the exit code of a failure that was printed.
 */
enum bc_exit bc_remote_request(struct bc_remote *r, const char *method, const char *path_and_query,
			       json_t *body, struct bc_reply *ret);

/* Open, one request, close. deliver: BC_REMOTE_DELIVER instead of BC_REMOTE_ANY. */
enum bc_exit bc_remote_call(const struct bc_invocation *in, const char *method,
			    const char *path_and_query, json_t *body, bool deliver,
			    struct bc_reply *ret);

/* One request to a running daemon alone, without printing: UNREACHABLE when there is none. */
enum bc_exit bc_remote_ask(const struct bc_settings *settings, const char *method, const char *path,
			   struct bc_reply *ret);

/* Is the daemon that the settings name one of this machine? Where another one does not answer,
 * doing its work here instead would hide that it is down. */
bool bc_remote_is_here(const struct bc_settings *settings);

/* Prints a problem answer. Returns REFUSED for 4xx, FAILED for 5xx. */
enum bc_exit bc_remote_problem(const struct bc_reply *reply);
/* Prints the answer's JSON, indented on a terminal. */
void bc_remote_print_json(const struct bc_reply *reply);

/* prefix + percent-encoded name + suffix; NULL without memory or when it is too long. free() it. */
char *bc_remote_path(const char *prefix, const char *name, const char *suffix);
/* The same with "/v1/orders/". */
char *bc_remote_order_path(const char *order, const char *suffix);

/* Sets name when value is given. */
void bc_json_put(json_t *object, const char *name, const char *value);
/* The text of a field, or "". */
const char *bc_json_text(const json_t *object, const char *name);

#endif
