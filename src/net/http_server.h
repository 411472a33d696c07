/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 server on libuv and llhttp: parses strictly, bounds everything, hands requests to one
 * handler, whole or (where that is wished) with a body that streams. What llhttp lets pass and RFC
 * 9112 does not is refused here (http_parse.c, the table in http_rules.c): obs-fold, empty field
 * names, a missing version, HTTP/2.0, missing or repeated Host, Transfer-Encoding other than a lone
 * "chunked", TE with HTTP/1.0, repeated Content-Length.
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
#include "net/http_field.h"
#include "net/loop.h"

struct bc_http_server;

/* A whole request. All slices live until it is answered, in the arena or the input buffer. */
struct bc_http_request {
	const char *method; /* "GET"; NUL-terminated */
	/* As sent, starts with '/'; an absolute one is reduced to that; "*" for OPTIONS. */
	struct bc_str target;
	struct bc_str path;  /* target before '?', as sent (percent-encoded) */
	struct bc_str query; /* after '?'; absent when there is none */
	const struct bc_http_field *headers;
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
	/* Not 0: a socket that listens already, which is served instead; listen says where it does.
	 * Taken by a create that succeeds; one that fails may have closed it. Its end leaves a path
	 * where it is. */
	int fd;
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
	/* Optional: asked when a head is whole (req->id is not made yet). True: its body streams
	 * (bc_http_body_read), whatever its length; the handler is called at once, with req->body
	 * absent. */
	bool (*streams)(void *ctx, const struct bc_http_request *req);
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
 * ("Connection: close"), one on which nothing has come yet a moment later, in case its first
 * request is on the way; after grace_ms the rest is cut. Calls done(ctx) once, never inline, when
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

/* --- bodies that stream -----------------------------------------------------------------------
 *
 * The peer is read no faster than data is taken, the answer is written no faster than the peer
 * reads. No callback comes from within a call of the handler's; each may answer the request, and
 * none comes after the answer. bc_http_body_* is for requests that options.streams took,
 * bc_http_stream_* for any; a request that streams may as well be answered by bc_http_respond.
 *
 * A request that is answered (or whose answer begins) before its body is whole costs its
 * connection, which is closed as after a refusal: the peer can read the answer. A body that nobody
 * asked for and that is at hand does not. */

struct bc_http_body {
	/* Some of the request's body; all of it is taken. False: no more, and no end, until
	 * bc_http_body_resume (which counts from within data, too). */
	bool (*data)(void *ctx, struct bc_str bytes);
	/* Once, after the last byte: whole; or it broke off: the peer went, or it ended its side,
	 * sent nonsense or was too slow and was told so (400, 408) if no answer had begun. Then the
	 * request must still be answered, the answer is dropped. */
	void (*end)(void *ctx, bool whole);
	void *ctx;
};
/* Content-Length of the request's body: 0 = none, -1 = chunked. */
int64_t bc_http_body_announced(const struct bc_http_request *req);
/* Starts reading, once a request and before bc_http_stream_begin; "100 Continue" is sent if the
 * peer waits for it. body is copied. Trailers are dropped. The least rate counts only while the
 * handler takes. */
void bc_http_body_read(struct bc_http_request *req, const struct bc_http_body *body);
void bc_http_body_resume(struct bc_http_request *req); /* void unless data said false */

/* The answer's head; then bc_http_stream_write, then bc_http_stream_end. body_bytes is what will
 * come exactly, or -1 (chunked; to HTTP/1.0 until the connection closes). extra as in
 * bc_http_respond, with what the answer needs of Content-Type; X-Request-Id, Content-Length,
 * Transfer-Encoding and Connection are set here. For a HEAD and for 204 and 304 nothing may be
 * written; a body_bytes >= 0 of a HEAD is announced. Small pieces leave together at the end of the
 * loop's turn, or with the answer's end. */
void bc_http_stream_begin(struct bc_http_request *req, int status, const char *extra,
			  int64_t body_bytes);
/* Copied as far as it cannot be sent at once. Returns the bytes that wait: above
 * BC_HTTP_STREAM_HIGH_BYTES the caller should stop until drained is called, once, when they are
 * gone (or the peer is: what is written then is dropped, and 0 waits). drained is not called for a
 * lower return. A peer that takes nothing for 60 s is cut, and so is one whose handler writes on
 * while more than 1 MiB waits. More than was announced is asserted. */
enum { BC_HTTP_STREAM_HIGH_BYTES = 64 * 1024 };
size_t bc_http_stream_write(struct bc_http_request *req, const void *bytes, size_t len,
			    void (*drained)(void *ctx), void *ctx);
/* Bytes of the answer that the peer's machine has not taken yet, those in the kernel too: what is
 * written now comes behind them. */
size_t bc_http_stream_unsent(const struct bc_http_request *req);
/* The peer ended its side: it left, or it only reads from now on. */
bool bc_http_peer_ended(const struct bc_http_request *req);
/* All was written; fewer bytes than announced are an abort. req is gone after it. */
void bc_http_stream_end(struct bc_http_request *req);
/* The answer breaks off after what was written, so that the peer sees that it is not whole: by the
 * missing rest, or, where nothing would be missed (HTTP/1.0 without a length), by a reset (which a
 * Unix socket does not have). Before bc_http_stream_begin: no answer at all. req is gone after it.
 */
void bc_http_stream_abort(struct bc_http_request *req);

/*
 * Calls gone(ctx) once when the peer has gone before the request is answered; it must still be
 * answered or aborted. Comes after the body's end(false), and also when the server cut the peer off
 * or refused its body. NULL takes it back.
 *
 * How it is noticed: a reset, a failed write, a closed Unix socket at once or, while the peer is
 * not read, within a second. An orderly end over TCP does not tell whether the peer left or only
 * ended its own side (shutdown, "nc -N") and still reads, so it is asked: with "100 Continue",
 * which every client of HTTP/1.1 skips, and who has left answers by a reset. A peer that has not
 * left stays. Once the answer has begun, and for HTTP/1.0, its next bytes do the asking.
 */
void bc_http_on_gone(struct bc_http_request *req, void (*gone)(void *ctx), void *ctx);

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
