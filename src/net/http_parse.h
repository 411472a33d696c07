/* SPDX-License-Identifier: MIT */
/*
 * The server's parser, apart from sockets and clocks: bytes in, a request or a refusal out. Private
 * to src/net and its tests.
 *
 * A message is read three times, each reading with its own duty, and all must agree:
 *   1. the scan (http_parse.c) takes bytes as they come and lets only clean lines through: CRLF
 * line ends, no control bytes, no folding, a name before each colon, a request line of three words
 *      that ends in HTTP/1.0 or HTTP/1.1;
 *   2. llhttp splits the whole head into method, target and fields;
 *   3. the rules (http_rules.c), one table, refuse what is well-formed but ambiguous or not for us.
 * Bodies are counted (Content-Length) or unwrapped in place (http_chunked.c). One that streams is
 * left to the owner of the socket, who hands it to bc_http_parser_unwrap as it comes.
 *
 * Feeding a message in pieces or whole gives the same result; the fuzz target checks it.
 */
#ifndef BC_NET_HTTP_PARSE_H
#define BC_NET_HTTP_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_server.h"

enum { BC_HTTP_HEADERS_MAX = 100 };

struct bc_http_limits {
	uint32_t head_max_bytes;
	uint32_t body_max_bytes;
};

/* Why a message is refused: the status to answer and a sentence for people. status 0 = it is not.
 */
struct bc_http_refusal {
	int status;
	const char *why; /* static */
};

enum bc_http_parsed {
	BC_HTTP_MORE,	/* needs more bytes */
	BC_HTTP_READY,	/* the request is whole */
	BC_HTTP_REFUSED /* answer parser.refusal and close */
};

/* Undoes chunked coding; see http_chunked.c for the states. */
struct bc_http_chunks {
	int state;
	uint64_t left;	      /* of the chunk's size: bytes still to come */
	uint32_t size_digits; /* of the size being read */
	uint32_t extra_bytes; /* extensions and trailers so far, bounded */
	struct bc_http_refusal refusal;
};

enum bc_http_stage {
	BC_HTTP_HEAD,
	BC_HTTP_BODY_COUNTED,
	BC_HTTP_BODY_CHUNKED,
	BC_HTTP_DONE,
	BC_HTTP_STREAMED /* done but for its body, which is unwrapped elsewhere */
};

struct bc_http_parser {
	const struct bc_http_limits *limits; /* borrowed */
	struct bc_http_request *req;	     /* borrowed; filled as far as the message tells */
	/* To be set after begin; NULL: no body streams. As bc_http_server_options.streams. */
	bool (*streams)(void *ctx, const struct bc_http_request *req);
	void *streams_ctx;
	enum bc_http_stage stage;
	struct bc_http_refusal refusal;
	bool http10;
	bool keep_alive;      /* what the peer wants; known once the head is done */
	bool expect_continue; /* the body waits for "100 Continue"; the server clears it */
	bool blank_skipped;   /* the one empty line before the request line that is allowed */

	/* Offsets into the buffer. */
	size_t start;	   /* the message */
	size_t scanned;	   /* head bytes that were looked at; raw body bytes that were unwrapped */
	size_t line_start; /* the line being scanned */
	size_t head_start; /* the request line */
	size_t body_start;
	size_t body_end; /* grows for chunked; for a counted body where it will end */

	uint32_t lines; /* request line and header lines so far */
	struct bc_http_chunks chunks;
	int64_t announced;  /* Content-Length; 0 = no body, -1 = chunked; once the head is done */
	uint64_t body_left; /* of a counted body that streams */
};

/*
 * Prepares for the message that starts at offset start of the buffer. req->arena must be set; all
 * other fields that a message decides are cleared. limits and req are borrowed until it is done.
 */
void bc_http_parser_begin(struct bc_http_parser *p, const struct bc_http_limits *limits,
			  struct bc_http_request *req, size_t start);

/*
 * Looks at what was added to the buffer since the last call. Chunked coding is undone in place,
 * which shortens the buffer. When ready, req->body points into the buffer, so that must not grow or
 * shrink until the request is answered; everything else lies in the arena. Not to be called again
 * after READY or REFUSED. A request whose body streams is ready with its head.
 */
enum bc_http_parsed bc_http_parse(struct bc_http_parser *p, struct bc_buf *in);

/*
 * The next bytes of a body that streams, in place: *ret_used of them belong to the message (all,
 * unless it ends here), *ret_body bytes of the body then stand at the start of data. READY: that
 * was the end. Trailers are checked and dropped; they and chunk extensions have the head's ceiling.
 */
enum bc_http_parsed bc_http_parser_unwrap(struct bc_http_parser *p, char *data, size_t len,
					  size_t *ret_used, size_t *ret_body);

/* Where the next message starts (or the body that streams); once READY. */
static inline size_t bc_http_parser_end(const struct bc_http_parser *p)
{
	return p->body_end;
}

/* Has anything of a message come (more than a leading empty line)? */
static inline bool bc_http_parser_begun(const struct bc_http_parser *p, const struct bc_buf *in)
{
	return in->len > p->head_start;
}

/* http_rules.c: what a head's fields say about its body. */
struct bc_http_framing {
	bool chunked;
	bool counted;
	uint64_t content_length;
	bool expect_continue;
};

/*
 * Applies the rules to a head that llhttp split: checks, reduces an absolute target to its path,
 * sets target, path and query, and tells the framing. Returns a refusal with status 0 when all is
 * well.
 */
struct bc_http_refusal bc_http_rules_apply(struct bc_http_request *req, bool http10,
					   struct bc_http_framing *ret_framing);
/* Is it a token character of RFC 9110 5.6.2? */
bool bc_http_is_token_byte(unsigned char c);
/* The same for a whole, non-empty name. */
bool bc_http_is_token(struct bc_str s);

/* http_chunked.c */
void bc_http_chunks_begin(struct bc_http_chunks *c);
/*
 * Unwraps data[*pos .. len) towards data[*end], moving both on; *end never overtakes *pos. room:
 * how many more body bytes are allowed; extra_max: of extensions and trailers in sum.
 */
enum bc_http_parsed bc_http_chunks_unwrap(struct bc_http_chunks *c, char *data, size_t len,
					  size_t *pos, size_t *end, size_t room,
					  uint32_t extra_max);

#endif
