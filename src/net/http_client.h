/* SPDX-License-Identifier: MIT */
/*
 * HTTP client: libcurl's multi interface on a loop. No redirects, no netrc, no signals, no proxy
 * but the one given, TLS always verified. Connections are pooled and kept alive for a bounded time.
 * A request leaves at most once per call: nothing is repeated behind the caller's back.
 * Everything runs on the loop's thread; completions are never called inline, and may start and
 * cancel calls and destroy the client.
 */
#ifndef BC_NET_HTTP_CLIENT_H
#define BC_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

struct bc_http_client;
struct bc_http_call;

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
	uint32_t timeout_ms;	     /* whole call; 0 = none */
	size_t answer_max_bytes; /* of the body that is kept; what exceeds it is read and dropped
				    until the body is 16 times as long (at least 64 KiB), then
				    the connection is cut */
};

struct bc_http_answer {
	int status;		 /* 0: no whole answer head */
	bool request_sent;	 /* some byte of the request may have left us */
	bool complete;		 /* body is the whole body */
	struct bc_str body;	 /* up to answer_max_bytes; valid during the completion only */
	const char *retry_after; /* the header's value, or NULL; valid during the completion only */
	const char *date;	 /* likewise */
	const char *content_type; /* likewise */
	uint64_t duration_ms;
	int error; /* 0 or BC_EUNREACH, BC_ETIMEDOUT, BC_EIO (broke off, cut, not HTTP), BC_EINVAL
		      (url), BC_EAUTH (tls), BC_ENOMEM. A status may come with an error: then it is
		      the body that failed */
	char error_text[160]; /* "could not resolve host", "operation timed out after 30000 ms"; no
				 url, no secret */
};

typedef void bc_http_done(void *ctx, const struct bc_http_answer *answer);

/* Starts a call. 0, BC_ENOMEM, BC_EINVAL. done is called exactly once, later, unless cancelled; the
 * call is gone when it returns. ret_call may be NULL. */
BC_MUST_CHECK int bc_http_call_start(struct bc_http_client *c,
				     const struct bc_http_exchange *exchange, bc_http_done *done,
				     void *ctx, struct bc_http_call **ret_call, struct bc_err *err);
/* Drops it: done is not called. Void for NULL, and for a call from within its own done. */
void bc_http_call_cancel(struct bc_http_call *call);

#endif
