/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 server on libuv and llhttp: parses strictly, bounds everything, hands whole requests to
 * one handler. What llhttp lets pass and RFC 9112 does not is refused here (http_parse.c, the table
 * in http_rules.c): obs-fold, empty field names, a missing version, HTTP/2.0, missing or repeated
 * Host, Transfer-Encoding other than a lone "chunked", TE with HTTP/1.0, repeated Content-Length.
 *
 * Limits: head and body bytes, a deadline for the whole head, a least rate for the body, a number
 * of connections (the newest is refused with 503), an idle time for kept-alive connections. A
 * refused or ambiguous message gets its 4xx and the connection is closed, in a way that lets the
 * peer read the answer first.
 *
 * One request a connection is under way at a time; pipelined ones wait (one read's worth with us,
 * the rest in the socket). A connection that dies while its request is under way keeps the request
 * object until it is answered; the answer is then dropped. Everything runs on the loop's thread.
 */
#ifndef BC_NET_HTTP_SERVER_H
#define BC_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/loop.h"

struct bc_http_server;

struct bc_http_header {
	struct bc_str name; /* as sent */
	struct bc_str value;
};

/* A whole request. All slices live until it is answered, in the arena or the input buffer. */
struct bc_http_request {
	const char *method; /* "GET"; NUL-terminated */
	/* As sent, starts with '/'; an absolute one is reduced to that; "*" for OPTIONS. */
	struct bc_str target;
	struct bc_str path;  /* target before '?', as sent (percent-encoded) */
	struct bc_str query; /* after '?'; absent when there is none */
	const struct bc_http_header *headers;
	size_t header_count;
	struct bc_str body;	/* absent when the message announces none; may be empty */
	struct bc_arena *arena; /* the request's; for the handler's use too */
	const char *peer;	/* "127.0.0.1", "unix"; NUL-terminated, without port */
	bool peer_local;	/* loopback or Unix socket */
	char id[33];		/* X-Request-Id: the caller's if [A-Za-z0-9._-]{1,32}, else made */
	uint64_t started_ms;	/* elapsed clock, when its head began */
	void *user;		/* the handler's */
};

/* First header of that name, case ignored; absent slice when there is none. */
struct bc_str bc_http_header(const struct bc_http_request *req, const char *name);

/* Called once per request; answers now or later with exactly one of the calls below. */
typedef void bc_http_handler(void *ctx, struct bc_http_request *req);

struct bc_http_server_options {
	/* "host:port" (port 0 = any), "[::1]:80", "unix:PATH"; borrowed during create only. */
	const char *listen;
	uint32_t head_max_bytes;  /* 0 = 16 KiB */
	uint32_t body_max_bytes;  /* 0 = 64 KiB */
	uint32_t connections_max; /* 0 = 4096 */
	uint32_t head_timeout_ms; /* 0 = 10 s */
	uint32_t idle_timeout_ms; /* between requests; 0 = 75 s */
	/* Bytes a second on average, counted after the first head_timeout_ms; 0 = 1024. */
	uint32_t body_min_rate;
	mode_t unix_mode; /* 0 = 0660 */
	bc_http_handler *handler;
	/* An error that the server answers itself (400, 408, 413, 417, 431, 501, 503): the body to
	 * send, as problem+json; ret_body is borrowed until the next call. NULL = an empty body. */
	void (*describe_error)(void *ctx, int status, const char *why, struct bc_str *ret_body,
			       const char **ret_content_type);
	/* Optional: called for each connection; false resets it at once (sandbox faults). */
	bool (*accept)(void *ctx);
	void *ctx;
};

/* Binds and listens. 0, BC_EINVAL (listen text), BC_EBUSY (address in use), BC_EIO. A stale Unix
 * socket that nobody listens on is replaced; one that is alive is BC_EBUSY. */
BC_MUST_CHECK int bc_http_server_create(struct bc_loop *loop,
					const struct bc_http_server_options *options,
					struct bc_http_server **ret_server, struct bc_err *err);
/* Where it listens: "127.0.0.1:8787" with the real port, or "unix:PATH". */
const char *bc_http_server_address(const struct bc_http_server *s);
/* Open ones, and those whose peer went while their request is still unanswered. */
size_t bc_http_server_connections(const struct bc_http_server *s);
/*
 * Graceful: closes the listener and idle connections now, each busy one after its answer
 * ("Connection: close"); after grace_ms the rest is cut. Calls done(ctx) once, never inline, when
 * the last connection is gone; s is freed by then. A request that is still unanswered at the cut
 * stays valid, and its answer is dropped.
 */
void bc_http_server_close(struct bc_http_server *s, uint64_t grace_ms, void (*done)(void *ctx),
			  void *ctx);

/* Answers. content_type NULL = none. extra: NULL or whole header lines, each ended by CRLF (the
 * caller vouches for them). body is copied as far as it cannot be sent at once. A HEAD gets the
 * headers only; 204 and 304 get no body. status is 200 to 999. req is gone after it. */
void bc_http_respond(struct bc_http_request *req, int status, const char *content_type,
		     const char *extra, const void *body, size_t body_bytes);

/* For streams (server-sent events) and for the sandbox's broken answers: bytes go out as they are,
 * the head too. A peer that lets more than 1 MiB pile up, or reads nothing for 30 s, is cut. */
void bc_http_send_raw(struct bc_http_request *req, const void *bytes, size_t len);
/* Ends a raw answer by closing the connection after what is queued; reset = RST, at once (a Unix
 * socket is just closed). May come without any bc_http_send_raw. req is gone after it. */
void bc_http_close_raw(struct bc_http_request *req, bool reset);
/* Has the peer gone meanwhile? (A raw stream should stop then, with bc_http_close_raw.) A peer that
 * only ended its own side counts as gone once the answer is raw. */
bool bc_http_peer_gone(const struct bc_http_request *req);

/* The standard phrase, "OK"; "Unknown" for an unregistered code. */
const char *bc_http_reason(int status);

#endif
