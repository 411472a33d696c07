/* SPDX-License-Identifier: MIT */
/*
 * One call of the HTTP client: what its files share, and nobody else includes.
 *
 *	http_client.c	the calls under way, time, curl on the loop
 *	http_call.c	what a request may say; a call with whole bodies, which curl carries
 *	http_request.c	the head of a request that we write ourselves: that of a stream
 *	http_stream.c	what streams are told and asked, and their waiting
 *	http_wire.c	a stream's exchange on its connection
 *	http_pool.c	the connections for that: made by curl, kept by us
 *	http_answer.c	an answer's head and kept body, failures in words
 */
#ifndef BC_NET_HTTP_CALL_H
#define BC_NET_HTTP_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_client.h"
#include "net/http_parse.h"

/* All heads and trailers of an answer. */
enum { BC_HTTP_ANSWER_HEAD_MAX = 64 * 1024 };

/* Why we, not the other side, ended an answer. */
enum bc_http_cut {
	BC_CUT_NONE,
	BC_CUT_HEAD,
	BC_CUT_BODY,
	BC_CUT_UPGRADE,
	BC_CUT_MEMORY,
	BC_CUT_FIELD,
	BC_CUT_FRAMING,
	BC_CUT_CHUNKS,
	BC_CUT_SHORT,
	BC_CUT_CALLER,
};

struct bc_http_conn;
struct bc_http_origin;

struct bc_http_call {
	struct bc_http_client *client; /* borrowed */
	struct bc_http_call *prev;     /* the client's list of calls under way */
	struct bc_http_call *next;
	bc_http_done *done;
	void *ctx;	/* borrowed from the caller */
	bool concluded; /* its completion runs; a cancel from there is void */
	bool cancelled; /* from inside a stream's function, so it goes when that has returned */
	bool doomed;	/* to be concluded with result when curl has returned, or later */
	CURLcode result;
	bool waking; /* in the client's list of calls to go on with */
	struct bc_http_call *wake_next;
	unsigned *inside; /* the client's count of stream functions on the stack */

	CURL *easy; /* owned; of a stream: its connection's, borrowed until that stands */
	struct curl_slist *headers; /* owned; lent to easy */
	uint64_t started_ms;
	bool sent;	 /* the request was handed to a connection at least once */
	long left_bytes; /* what curl had sent before that (a proxy's CONNECT) */

	enum bc_http_cut cut;
	size_t head_bytes; /* of all heads and trailers so far */
	bool head_open;	   /* between a status line and its empty line */
	bool http_1_0;
	int head_status;	 /* of the head under way */
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

	const struct bc_http_stream
		*stream;      /* borrowed; NULL: whole bodies, and none of the rest */
	uint64_t timeout_ms;  /* without progress; 0 = none */
	uint64_t progress_ms; /* when it last moved */
	uint64_t upload_left; /* bytes that read still owes; unused when chunked */
	bool data_waits;      /* the caller takes no more until he resumes */
	bool read_waits;      /* the caller has no more until he resumes */
	bool data_resumed;    /* he did; both take effect in the loop's next turn */
	bool read_resumed;

	struct bc_http_conn *conn;     /* NULL: none yet */
	struct bc_http_origin *origin; /* a reference */
	uint32_t connect_timeout_ms;
	bool no_answer_body; /* it asked by HEAD */
	bool reading;	     /* the request's body is asked of the stream, and has not ended */
	bool send_failed;    /* the rest of the request cannot be sent; an answer may have come */
	bool any_sent;	     /* the connection took a byte */
	struct bc_buf out;   /* what waits to be sent: of the head, or a piece of a body */
	size_t out_done;     /* of it was sent */
	struct bc_str body_out; /* after that: the rest of a whole body, the exchange's */
	struct bc_buf line;	/* of the answer's head, not whole yet */
	bool answer_begun;	/* a byte of it came */
	bool answer_over;	/* all of it came */
	bool answer_chunked;
	bool answer_closes;   /* its connection is not for another one */
	bool answer_endless;  /* it ends with its connection */
	uint64_t answer_left; /* of a counted body */
	struct bc_http_chunks chunks;
};

/* A handle with everything set that is the same for each call of a client. */
BC_MUST_CHECK int bc_http_model_create(const struct bc_http_client_options *options,
				       CURL **ret_model, struct bc_err *err);

/* What every call begins with. call is zeroed before, and finished by the caller. */
void bc_http_call_prepare(struct bc_http_call *call, const struct bc_http_exchange *exchange);
/* For one with whole bodies: 0, BC_EINVAL (method, url, headers), BC_ENOMEM. */
BC_MUST_CHECK int bc_http_call_init(struct bc_http_call *call, CURL *model,
				    const struct bc_http_exchange *exchange, struct bc_err *err);
/* The handle must have left its multi handle. */
void bc_http_call_finish(struct bc_http_call *call);

/* A field's name is a token, its value holds no control bytes. */
bool bc_http_call_field_ok(struct bc_str name, struct bc_str value);
/* Method and URL are such as can be sent; a header line is, and is the caller's to set. */
BC_MUST_CHECK int bc_http_call_check(const struct bc_http_exchange *x, struct bc_err *err);
BC_MUST_CHECK int bc_http_call_check_header(struct bc_str name, struct bc_str value,
					    struct bc_err *err);
/* A stream that is known to be empty is a request without a body. */
bool bc_http_call_reads_body(const struct bc_http_exchange *x);
/* Does such a request say its length, be it 0? */
bool bc_http_call_has_length(const struct bc_http_exchange *x);

/* The head of a stream's request, with its empty line; origin's, see http_pool.h. 0, BC_EINVAL,
 * BC_ENOMEM. */
BC_MUST_CHECK int bc_http_request_write(struct bc_buf *out, const struct bc_http_exchange *x,
					const struct bc_http_origin *origin, const char *user_agent,
					struct bc_err *err);

/* One line of an answer's head, or of what curl takes for one. Anything but BC_CUT_NONE ends it. */
enum bc_http_cut bc_http_call_head_line(struct bc_http_call *call, struct bc_str line);
enum bc_http_cut bc_http_call_keep(struct bc_http_call *call, struct bc_str bytes);

/* The final head is whole: learns how the body is framed, shows it if the answer streams. */
enum bc_http_cut bc_http_stream_head(struct bc_http_call *call, int status);
void bc_http_stream_moved(struct bc_http_call *call);
/* The next bytes of the body, for the caller to take. */
enum bc_http_cut bc_http_stream_data(struct bc_http_call *call, struct bc_str bytes);
/* The next bytes of the request's body, as they are on the wire, to be sent before it is called
 * again: *ret_bytes points into room. Of 0 bytes: the caller waits, or it has ended. */
enum { BC_HTTP_PIECE_BYTES = 16 * 1024, BC_HTTP_PIECE_ROOM = BC_HTTP_PIECE_BYTES + 64 };
enum bc_http_cut bc_http_stream_read(struct bc_http_call *call, char *room,
				     struct bc_str *ret_bytes);
/* Carries out what was resumed. */
void bc_http_stream_wake(struct bc_http_call *call);
/* When it has to have moved again; UINT64_MAX: it may take its time. */
uint64_t bc_http_stream_due_ms(const struct bc_http_call *call);

/* What came of it. The slices and texts of ret_answer stay call's. */
void bc_http_call_read(struct bc_http_call *call, CURLcode result,
		       struct bc_http_answer *ret_answer);

static inline bool bc_http_call_streams_answer(const struct bc_http_call *call)
{
	return call->stream && call->stream->head;
}

#endif
