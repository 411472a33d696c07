/* SPDX-License-Identifier: MIT */
/*
 * The API over HTTP: what the listener asks of a request before the API sees it. A Host it knows,
 * no Origin but its own, application/json for bodies, the API token when one is set: a web page or
 * a confused server on the same machine must not be able to use it.
 */
#ifndef BC_DAEMON_LISTENER_H
#define BC_DAEMON_LISTENER_H

#include "daemon/api.h"
#include "net/http_server.h"

struct bc_listener;

struct bc_listener_options {
	const char *listen;
	int fd; /* as in bc_http_server_options */
	/* Both borrowed until the listener is destroyed or reconfigured. */
	char *const *hosts;		   /* further names, ended by NULL; may be NULL */
	const struct bc_secret *api_token; /* NULL: none asked */
	uint64_t connections_max, body_max_bytes, head_timeout_ms;
	struct bc_gateway *gateway; /* borrowed; NULL: there is no /accs; that of the start stays */
};

BC_MUST_CHECK int bc_listener_create(struct bc_loop *loop, struct bc_api *api,
				     const struct bc_listener_options *options,
				     struct bc_listener **ret_listener, struct bc_err *err);
const char *bc_listener_address(const struct bc_listener *l);
size_t bc_listener_connections(const struct bc_listener *l);
/* Hosts and API token as options say, from the next request on; connections stay. Its ceilings and
 * its address are those of the start. */
void bc_listener_reconfigure(struct bc_listener *l, const struct bc_listener_options *options);
/* Takes no more; done(ctx) when the last connection is gone. */
void bc_listener_close(struct bc_listener *l, uint64_t grace_ms, void (*done)(void *ctx),
		       void *ctx);
void bc_listener_destroy(struct bc_listener *l); /* after close's done only; NULL is fine */

#endif
