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

/*
 * One API request. body: a reference is stolen; NULL = none. deliver: without a daemon, hand back
 * in this process while the request waits (order --wait).
 * result DONE with *ret set (whatever its status), or the exit code of a failure that was printed.
 */
enum bc_exit bc_remote_call(const struct bc_invocation *in, const char *method,
			    const char *path_and_query, json_t *body, bool deliver,
			    struct bc_reply *ret);

/* As above, to a running daemon alone and without printing: UNREACHABLE when there is none. */
enum bc_exit bc_remote_ask(const struct bc_settings *settings, const char *method, const char *path,
			   struct bc_reply *ret);

/* Prints a problem answer. Returns REFUSED for 4xx, FAILED for 5xx. */
enum bc_exit bc_remote_problem(const struct bc_reply *reply);
/* Prints the answer's JSON, indented on a terminal. */
void bc_remote_print_json(const struct bc_reply *reply);

/* "/v1/orders/" + encoded id + suffix; NULL without memory. free() it. */
char *bc_remote_order_path(const char *order, const char *suffix);

/* Sets name when value is given. */
void bc_json_put(json_t *object, const char *name, const char *value);
/* The text of a field, or "". */
const char *bc_json_text(const json_t *object, const char *name);

#endif
