/* SPDX-License-Identifier: MIT */
/*
 * One call of the HTTP client: what http_client.c (sockets and time), http_call.c (the request) and
 * http_answer.c (the answer) share, and nobody else includes. The latter two know no loop, no list
 * and no pool.
 */
#ifndef BC_NET_HTTP_CALL_H
#define BC_NET_HTTP_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_client.h"

/* Why we, not the other side, ended an answer. */
enum bc_http_cut { BC_CUT_NONE, BC_CUT_HEAD, BC_CUT_BODY, BC_CUT_UPGRADE, BC_CUT_MEMORY };

struct bc_http_call {
	struct bc_http_client *client; /* borrowed */
	struct bc_http_call *prev;     /* the client's list of calls under way */
	struct bc_http_call *next;
	bc_http_done *done;
	void *ctx;	/* borrowed from the caller */
	bool concluded; /* its completion runs; a cancel from there is void */
	bool starved;	/* no memory to watch its socket */

	CURL *easy;		    /* owned */
	struct curl_slist *headers; /* owned; lent to easy */
	uint64_t started_ms;
	bool sent;	 /* the request was handed to a connection at least once */
	long left_bytes; /* what curl had sent before that (a proxy's CONNECT) */

	enum bc_http_cut cut;
	size_t head_bytes; /* of all heads and trailers so far */
	bool head_whole;   /* the final head ended with its empty line */
	int status;	   /* set with head_whole */
	char *retry_after; /* owned, NULL = absent; so are the next two */
	char *date;
	char *content_type;
	struct bc_buf body;
	uint64_t body_bytes; /* seen, kept or not */
	uint64_t body_max_bytes;
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

/* curl's callbacks, set on the model; ctx is the call. */
size_t bc_http_call_on_head_line(char *bytes, size_t size, size_t count, void *ctx);
size_t bc_http_call_on_body(char *bytes, size_t size, size_t count, void *ctx);

/* What came of it. The slices and texts of ret_answer stay call's. */
void bc_http_call_read(struct bc_http_call *call, CURLcode result,
		       struct bc_http_answer *ret_answer);

#endif
