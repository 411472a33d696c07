/* SPDX-License-Identifier: MIT */
/*
 * One call of the HTTP client: what http_client.c (sockets and time), http_call.c (the request),
 * http_answer.c (the answer) and http_stream.c (bodies that stream) share, and nobody else
 * includes. The latter three know no loop, no list and no pool.
 */
#ifndef BC_NET_HTTP_CALL_H
#define BC_NET_HTTP_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_client.h"

/* Why we, not the other side, ended an answer. */
enum bc_http_cut {
	BC_CUT_NONE,
	BC_CUT_HEAD,
	BC_CUT_BODY,
	BC_CUT_UPGRADE,
	BC_CUT_MEMORY,
	BC_CUT_FIELD,
	BC_CUT_FRAMING,
	BC_CUT_SHORT,
	BC_CUT_CALLER,
};

struct bc_http_call {
	struct bc_http_client *client; /* borrowed */
	struct bc_http_call *prev;     /* the client's list of calls under way */
	struct bc_http_call *next;
	bc_http_done *done;
	void *ctx;	/* borrowed from the caller */
	bool concluded; /* its completion runs; a cancel from there is void */
	bool cancelled; /* from inside curl, so it goes when curl has returned */
	bool doomed;	/* to be concluded with doom when curl has returned */
	CURLcode doom;
	bool waking; /* in the client's list of calls to unpause */
	struct bc_http_call *wake_next;
	unsigned *inside; /* the client's count of stream functions on the stack */

	CURL *easy;		    /* owned */
	struct curl_slist *headers; /* owned; lent to easy */
	uint64_t started_ms;
	bool sent;	 /* the request was handed to a connection at least once */
	long left_bytes; /* what curl had sent before that (a proxy's CONNECT) */

	enum bc_http_cut cut;
	size_t head_bytes; /* of all heads and trailers so far */
	bool head_open;	   /* between a status line and its empty line */
	bool http_1_0;
	bool head_whole;	 /* the final head ended with its empty line */
	int status;		 /* set with head_whole */
	struct bc_buf head;	 /* the lines of the head under way, then the final one's */
	const char *retry_after; /* into head, NULL = absent; so are the next two */
	const char *date;
	const char *content_type;
	struct bc_buf link; /* the Link fields of the final head, joined */
	struct bc_buf body;
	uint64_t body_bytes; /* seen, kept or not */
	uint64_t body_max_bytes;

	const struct bc_http_stream *stream; /* borrowed; NULL: whole bodies */
	uint64_t timeout_ms;		     /* without progress; 0 = none, as without a stream */
	uint64_t progress_ms;		     /* when it last moved */
	uint64_t upload_left;		     /* bytes that read still owes; unused when chunked */
	bool read_asked;		     /* read gave bytes that can't be had again */
	bool data_waits;		     /* the caller takes no more until he resumes */
	bool read_waits;		     /* the caller has no more until he resumes */
	bool data_resumed;		     /* he did; both take effect in the loop's next turn */
	bool read_resumed;
	bool receive_paused; /* so curl was told */
	bool send_paused;
	bool deaf; /* curl reads no more while it waits to send: the peer has ended */
};

/* A handle with everything set that is the same for each call of a client. */
BC_MUST_CHECK int bc_http_model_create(const struct bc_http_client_options *options,
				       CURL **ret_model, struct bc_err *err);

/* 0, BC_EINVAL (method, url, headers), BC_ENOMEM. call is zeroed before, and finished by the caller
 * in either case. */
BC_MUST_CHECK int bc_http_call_init(struct bc_http_call *call, CURL *model,
				    const struct bc_http_exchange *exchange, struct bc_err *err);
/* The handle must have left its multi handle. */
void bc_http_call_finish(struct bc_http_call *call);

/* A field's name is a token, its value holds no control bytes. */
bool bc_http_call_field_ok(struct bc_str name, struct bc_str value);

/* curl's callbacks, set on the model; ctx is the call. */
size_t bc_http_call_on_head_line(char *bytes, size_t size, size_t count, void *ctx);
size_t bc_http_call_on_body(char *bytes, size_t size, size_t count, void *ctx);
size_t bc_http_stream_on_read(char *buffer, size_t size, size_t count, void *ctx);

/* The final head is whole, and its answer streams: shows it. Anything but BC_CUT_NONE ends it. */
enum bc_http_cut bc_http_stream_head(struct bc_http_call *call, int status);
void bc_http_stream_moved(struct bc_http_call *call);
/* How many of the bytes were taken, or CURL_WRITEFUNC_PAUSE. */
size_t bc_http_stream_data(struct bc_http_call *call, struct bc_str bytes);
/* Carries out what was resumed; enters curl, which may call the functions above at once. */
CURLcode bc_http_stream_wake(struct bc_http_call *call);
/* curl no longer reads from the call's connection. True: the call must be woken. */
bool bc_http_stream_went_deaf(struct bc_http_call *call);
/* When it has to have moved again; UINT64_MAX: it may take its time. */
uint64_t bc_http_stream_due_ms(const struct bc_http_call *call);

/* http_client.c's: bc_http_stream_wake in the loop's next turn. */
void bc_http_call_wake(struct bc_http_call *call);

/* What came of it. The slices and texts of ret_answer stay call's. */
void bc_http_call_read(struct bc_http_call *call, CURLcode result,
		       struct bc_http_answer *ret_answer);

static inline bool bc_http_call_streams_answer(const struct bc_http_call *call)
{
	return call->stream && call->stream->head;
}

#endif
