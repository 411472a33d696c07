/* SPDX-License-Identifier: MIT */
/*
 * HTTP client on a loop; bodies whole or as streams. Whole ones are carried by libcurl's multi
 * interface; streams by ourselves, over connections that libcurl makes (names, TCP, proxies, TLS).
 * No redirects, no netrc, no signals, no proxy but the one given, TLS always verified. Connections
 * are pooled and kept alive for a bounded time, those of streams apart from the others. A request
 * leaves at most once per call: nothing is repeated behind the caller's back. Everything runs on
 * the loop's thread; completions are never called inline, and may start and cancel calls and
 * destroy the client.
 */
#ifndef BC_NET_HTTP_CLIENT_H
#define BC_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "net/http_field.h"
#include "net/loop.h"

struct bc_http_client;
struct bc_http_call;
struct bc_http_stream;

struct bc_http_client_options {
	const char *user_agent;
	const char *proxy;	  /* NULL or "" = none; environment variables are not honoured */
	const char *ca_file;	  /* NULL = the system's; else only these are trusted */
	const char *unix_socket;  /* NULL, or a path to connect to instead of the URL's host */
	uint32_t connections_max; /* pooled; 0 = 64 */
	uint32_t connection_age_max_ms; /* 0 = 2 min */
};

BC_MUST_CHECK int bc_http_client_create(struct bc_loop *loop,
					const struct bc_http_client_options *options,
					struct bc_http_client **ret_client, struct bc_err *err);
/* Calls under way are cancelled without completion. NULL is fine. The last of its memory goes in
 * the loop's next turn (bc_loop_destroy has one). */
void bc_http_client_destroy(struct bc_http_client *c);

/* All borrowed until the call completes, body and headers included. */
struct bc_http_exchange {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value" lines, ended by NULL; NULL = none. Added are
				       Host, User-Agent (when set), Accept and Content-Length only;
				       Host and what frames the body are not the caller's to set */
	const void *body;
	size_t body_bytes;
	uint32_t connect_timeout_ms; /* name, TCP and TLS together; 0 = 5 min */
	/* The whole call; 0 = none. With a stream: the longest time without progress, as below. */
	uint32_t timeout_ms;
	const struct bc_http_stream *stream; /* NULL: whole bodies; borrowed like the rest */
	size_t answer_max_bytes; /* of the body that is kept; what exceeds it is read and dropped
				    until the body is 16 times as long (at least 64 KiB), then
				    the connection is cut */
};

struct bc_http_answer {
	int status;		 /* 0: no whole answer head */
	bool request_sent;	 /* some byte of the request may have left us */
	bool complete;		 /* body, or what the stream was given, is the whole body */
	struct bc_str body;	 /* up to answer_max_bytes; valid during the completion only */
	const char *retry_after; /* the header's value, or NULL; valid during the completion only */
	const char *date;	 /* likewise */
	const char *content_type; /* likewise */
	const char *link;	  /* all Link fields, joined by ", "; likewise */
	uint64_t duration_ms;
	int error; /* 0 or BC_EUNREACH, BC_ETIMEDOUT, BC_EIO (broke off, cut, not HTTP), BC_EINVAL
		      (url), BC_EAUTH (tls), BC_ENOMEM. A status may come with an error: then it is
		      the body that failed */
	char error_text[160]; /* "could not resolve host", "operation timed out after 30000 ms"; no
				 url, no secret */
};

typedef void bc_http_done(void *ctx, const struct bc_http_answer *answer);

/* The head of an answer that streams. Interim (1xx) ones and trailers are not shown. Slices are
 * valid during the call only. */
struct bc_http_answer_head {
	int status;
	const struct bc_http_field *fields; /* in the order they came, framing included */
	size_t field_count;
	int64_t body_bytes; /* announced, also for a HEAD and a 304 that send none; -1: not */
};

/*
 * Bodies that stream, in place of exchange->body and answer->body. Both directions stop when the
 * caller says so and go on when he resumes them; meanwhile the socket is not read, and nothing is
 * kept. Streams speak HTTP/1.1 only: a paused HTTP/2 stream of curl's was measured to pile up 32
 * MiB as soon as another one moves on its connection.
 *
 * The functions are called in the middle of an exchange, never from bc_http_call_start: they may
 * resume and cancel calls, but neither start one nor destroy the client (post a task for that).
 *
 * A request goes out on a kept connection if there is one; only if that takes no byte of it is
 * another one made. So one that a dying connection swallowed fails with request_sent.
 *
 * An answer is passed on as it came: nothing is decoded but the chunked coding. One whose framing
 * is ambiguous (a repeated or odd Content-Length, one beside Transfer-Encoding, another coding than
 * chunked, folded lines, names or values with control bytes) ends the call with BC_EIO, unshown.
 * One whose end is that of its connection is whole only if TLS, where there is TLS, said goodbye.
 *
 * An answer of 300 or more that comes before the request's body has ended ends the sending: its
 * head and body are delivered, read is not called again, the connection is closed. Below 300 the
 * sending goes on, and the call lasts until both are over.
 *
 * timeout_ms: the answer's head must come within it, counted from the start or from the last bytes
 * that read gave; then each piece of the answer's body. Time in which the caller himself lets the
 * call wait, in either direction, does not count, and resuming starts it anew. So a long transfer
 * that moves never ends for it.
 */
struct bc_http_stream {
	/* Once, before any data. NULL: the answer is kept as without a stream. */
	void (*head)(void *ctx, const struct bc_http_answer_head *head);
	/* All of bytes are taken. False: no more until bc_http_call_resume. done may come all the
	 * same: then nothing is left to deliver. Required with head. */
	bool (*data)(void *ctx, struct bc_str bytes);
	/* Puts the next bytes of the request's body into buffer: how many, 0 = that was all (fewer
	 * than body_bytes fail the call), BC_HTTP_STREAM_WAIT = none yet (until resumed),
	 * BC_HTTP_STREAM_ABORT = the call fails with BC_EIO and the peer sees that the body is not
	 * whole. Nothing is ever read twice. NULL: the body is exchange->body. */
	ssize_t (*read)(void *ctx, void *buffer, size_t room);
	int64_t body_bytes; /* of the request, with read; -1: not known, sent chunked */
	bool raw_headers;   /* exchange->headers go as they are: no Accept, no User-Agent is added;
			       Host and the framing are set here all the same */
	void *ctx;
};
enum { BC_HTTP_STREAM_WAIT = -1, BC_HTTP_STREAM_ABORT = -2 };

/* Starts a call. 0, BC_ENOMEM, BC_EINVAL. done is called exactly once, later, unless cancelled; the
 * call is gone when it returns. ret_call may be NULL. */
BC_MUST_CHECK int bc_http_call_start(struct bc_http_client *c,
				     const struct bc_http_exchange *exchange, bc_http_done *done,
				     void *ctx, struct bc_http_call **ret_call, struct bc_err *err);
/* A stream goes on, in both directions: data comes again, read is asked again. Safe at any time
 * until done was called, also inside the stream's own functions; it is done in the loop's next
 * turn. */
void bc_http_call_resume(struct bc_http_call *call);
/* Only the request's body goes on; an answer that waits keeps waiting. */
void bc_http_call_resume_read(struct bc_http_call *call);
/* Drops it: done is not called, nor is any function of its stream; the call is gone. A connection
 * whose answer is not whole is closed. Void for NULL, and for a call from within its own done. */
void bc_http_call_cancel(struct bc_http_call *call);
/* Calls under way: started, neither done nor cancelled. */
size_t bc_http_client_calls(const struct bc_http_client *c);

#endif
