/* SPDX-License-Identifier: MIT */
/*
 * Connections for streams. curl resolves, connects, tunnels and does TLS with its verification;
 * from there on the connection is ours: read, written, watched, kept for the next call to the same
 * origin, and closed when it is too old. Loop's thread only; private to the HTTP client.
 */
#ifndef BC_NET_HTTP_POOL_H
#define BC_NET_HTTP_POOL_H

#include <uv.h>

#include "net/http_call.h"

/* Scheme, host and port, as a URL spells them. Counted: by calls and connections. */
struct bc_http_origin {
	struct bc_http_origin *next;
	unsigned refs;
	char *url; /* owned; "https://host:port", as it was written */
	size_t url_len;
	char *host;	   /* owned; for the field Host; "": curl will refuse the url */
	bool plain;	   /* no TLS: the socket is read and written directly */
	bool asks_in_full; /* of a proxy: the request names the whole url */
};

struct bc_http_conn {
	uv_poll_t poll;		       /* once fd is there */
	struct bc_http_pool *pool;     /* borrowed; not touched once closing */
	struct bc_http_origin *origin; /* a reference */
	CURL *easy;		       /* owned; its connection is this one */
	curl_socket_t fd;	       /* curl's; CURL_SOCKET_BAD until it stands */
	int events;		       /* libuv's, that are watched */
	bool kept;		       /* an earlier call's; it may have died meanwhile */
	uint64_t born_ms;
	struct bc_http_call *call;	    /* borrowed; NULL: idle */
	struct bc_http_conn *newer, *older; /* idle ones, by when they became so */
};

struct bc_http_pool {
	struct bc_loop *loop; /* borrowed; so are the next three */
	CURLM *multi;
	CURL *model;
	const char *user_agent; /* owned; NULL: none */
	bool tls_proxy, http_proxy;
	uint64_t age_max_ms;
	size_t idle_max, idle_count;
	struct bc_http_conn *newest, *oldest;
	struct bc_http_origin *origins;
	struct bc_buf head;	       /* of a request, while it is written */
	char room[BC_HTTP_PIECE_ROOM]; /* bytes on their way, within one function */
	/* A connection with a call can be read or written, or has broken (events 0). */
	void (*ready)(struct bc_http_conn *conn, int events);
};

/* loop, multi, model and ready are set before, the rest is zero. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_http_pool_open(struct bc_http_pool *pool,
				    const struct bc_http_client_options *options);
/* No call may be left. Void if it was never opened. */
void bc_http_pool_close(struct bc_http_pool *pool);

/* A reference to the origin of a url; NULL without memory. */
BC_MUST_CHECK struct bc_http_origin *bc_http_pool_origin(struct bc_http_pool *pool,
							 const char *url);
void bc_http_pool_drop_origin(struct bc_http_pool *pool, struct bc_http_origin *origin);

/* Gives the call a kept connection. False: there is none. */
bool bc_http_pool_take(struct bc_http_pool *pool, struct bc_http_call *call);
/* Has curl make it one: call->conn, and call->easy meanwhile. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_http_pool_connect(struct bc_http_pool *pool, struct bc_http_call *call);
/* curl has made it: call->easy is gone, and the connection is watched. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_http_pool_connected(struct bc_http_call *call);
/* The call's connection is kept, or closed. */
void bc_http_pool_keep(struct bc_http_call *call);
void bc_http_pool_discard(struct bc_http_call *call);

/* Readable, writable; 0 = it rests. */
void bc_http_conn_watch(struct bc_http_conn *conn, int events);
/* How many bytes went; 0: none for now; -1: it has broken. Never for 0 bytes. */
ssize_t bc_http_conn_send(struct bc_http_conn *conn, const void *bytes, size_t len);
/* How many came; 0: the other side has ended; BC_HTTP_CONN_LATER; or -1: it has broken. */
enum { BC_HTTP_CONN_LATER = -2 };
ssize_t bc_http_conn_recv(struct bc_http_conn *conn, void *bytes, size_t room);

#endif
