/* SPDX-License-Identifier: MIT */
/*
 * What the server's files share; private to them.
 *
 *   http_server.c      create, accept, refuse, close
 *   http_listen.c      the listen text, binding, stale Unix sockets
 *   http_connection.c  how a connection is born and dies
 *   http_exchange.c    bytes in, requests out to the handler, on to the next
 *   http_deadlines.c   who waits for what until when
 *   http_respond.c     answers, and bytes to the socket
 *   http_server_body.c    request bodies that stream, and what a handler is told later
 *   http_server_stream.c  answers that stream
 *
 * Ownership: the server owns its connections through the wait lists, each in exactly one. A
 * connection is freed when its handle is closed, its request is answered and no task of it is
 * posted or running. At the end of a graceful close, one whose request is still unanswered is cut
 * loose (server NULL) and frees itself at the answer.
 */
#ifndef BC_NET_HTTP_SERVER_IMPL_H
#define BC_NET_HTTP_SERVER_IMPL_H

#include <uv.h>

#include "net/http_parse.h"

enum {
	BC_HTTP_SCRATCH_BYTES =
		16 * 1024, /* one read; bounds what a pipelining peer can leave with us */
	BC_HTTP_KEPT_BYTES = 4 * 1024, /* input buffer that an idle connection may keep */
	BC_HTTP_ARENA_BLOCK_BYTES = 4 * 1024,
	BC_HTTP_ARENA_SPARE_BYTES = 1024 * 1024, /* beyond head and body: for the handler */
	BC_HTTP_RAW_QUEUE_MAX = 1024 * 1024,	 /* unsent raw bytes before the peer is cut */
	BC_HTTP_DRAIN_MAX = 4 * 1024 * 1024,	 /* bytes thrown away in a lingering close */
	BC_HTTP_REFUSED_MAX = 64, /* connections over the limit that get their 503 in peace */
	BC_HTTP_STREAM_MAX_BYTES = 1024 * 1024, /* of a streamed answer, unsent, before the cut */
	BC_HTTP_STREAM_LOOKS_MAX = 60,		/* a second each, at a peer that takes nothing */
	BC_HTTP_PEER_BYTES = 46
};

/*
 * A connection's states. Who moves it on:
 *   IDLE      nothing of a request has come     -> HEAD by its first byte
 *   HEAD      part of a head has come           -> BODY, STREAMING or HANDLING by the parser
 *   BODY      head whole, body not              -> HANDLING by the parser
 *   STREAMING the handler has the request, whose body still comes
 *                                               -> HANDLING by the body's last byte, or as that
 *   HANDLING  the handler has the whole request -> IDLE, WRITING or LINGER by its answer
 *   WRITING   the answer does not fit the socket-> IDLE or LINGER when it is written
 *   LINGER    answered and shut for writing     -> CLOSING by the peer's end, or bounds
 *   CLOSING   uv_close was called
 * A refusal leads from IDLE, HEAD, BODY and STREAMING to WRITING or LINGER; a lost peer from all to
 * CLOSING. From STREAMING the handler still owes its answer then, which is dropped (lost).
 */
enum bc_http_state {
	BC_HTTP_STATE_IDLE,
	BC_HTTP_STATE_HEAD,
	BC_HTTP_STATE_BODY,
	BC_HTTP_STATE_STREAMING,
	BC_HTTP_STATE_HANDLING,
	BC_HTTP_STATE_WRITING,
	BC_HTTP_STATE_LINGER,
	BC_HTTP_STATE_CLOSING
};

/* What a connection waits for. One list each; a list has one period, so it is ordered by deadline.
 */
enum bc_http_wait {
	BC_HTTP_WAIT_NONE, /* for the handler, or for libuv to close: no deadline */
	BC_HTTP_WAIT_NEXT, /* the next request */
	BC_HTTP_WAIT_HEAD,
	BC_HTTP_WAIT_BODY_GRACE, /* a body, before its rate counts */
	BC_HTTP_WAIT_BODY_RATE,	 /* the next look at a body's rate */
	BC_HTTP_WAIT_WRITE,	 /* the next look at whether the peer reads */
	BC_HTTP_WAIT_LINGER,
	BC_HTTP_WAIT_STREAM, /* the next look at a body's rate, at whether the peer reads, is there
			      */
	BC_HTTP_WAITS
};

/*
 * What the handler wants of a body that streams. Who moves it on:
 *   NONE    nothing: none streams, or its end was told
 *   HELD    not asked for yet: one read at most     -> TAKING by bc_http_body_read
 *   TAKING  data goes to the handler as it comes    -> PAUSED by data's false, NONE by the end
 *   PAUSED  the peer is not read                    -> TAKING by resume, NONE if it breaks off
 * The answer leads from all to NONE. Whether more of it will come is the connection's state.
 */
enum bc_http_intake {
	BC_HTTP_INTAKE_NONE,
	BC_HTTP_INTAKE_HELD,
	BC_HTTP_INTAKE_TAKING,
	BC_HTTP_INTAKE_PAUSED
};

/* The request's half of a stream. */
struct bc_http_body_half {
	bool streams;
	bool whole;
	bool resumed; /* from within data */
	enum bc_http_intake intake;
	struct bc_http_body to;
	uint64_t since_ms; /* TAKING since then */
	uint64_t took_ms;  /* and so long before */
	uint64_t bytes;	   /* raw ones, that the handler took */
};

/* The answer's half. Bytes pass through out, which gathers small ones until the turn ends, and all
 * while the socket is full. */
struct bc_http_answer_half {
	bool begun;
	bool chunked;
	bool bodiless; /* HEAD, 204, 304 */
	int64_t left;  /* of what was announced; -1: the length is not known */
	struct bc_buf out;
	void (*drained)(void *ctx); /* armed while set */
	void *drained_ctx;
	uint64_t pushed_bytes; /* to libuv */
	uint64_t taken_bytes;  /* of these, by the peer, at the last look */
	unsigned int vain_looks;
};

struct bc_http_connection {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} io;
	uv_shutdown_t shutdown;
	struct bc_http_server *server; /* borrowed; NULL once cut loose */
	struct bc_loop *loop;	       /* borrowed */
	struct bc_http_connection *prev, *next;
	enum bc_http_wait wait;
	uint64_t due_ms; /* uv_now's clock */

	enum bc_http_state state;
	bool reading;	  /* uv_read_start is in force */
	bool eof;	  /* the peer will send no more */
	bool handling;	  /* the handler owes an answer */
	bool raw;	  /* ... and gives it raw */
	bool lost;	  /* ... which is dropped: the server refused the body meanwhile */
	bool close_after; /* close when the answer is written */
	bool advancing;	  /* bc_http_connection_advance is on the stack */
	bool telling;	  /* bc_http_stream_tell is on the stack */
	bool probed;	  /* a peer that ended its side was sent a byte to see if it is there */
	bool resume_posted;
	bool uncork_posted;
	bool handle_closed;
	bool over_limit;       /* accepted only to be refused */
	struct bc_task resume; /* what is to be done later, out of the handler's calls */
	struct bc_task uncork; /* at the turn's end */

	size_t in_max;	     /* ceiling of in */
	struct bc_buf in;    /* the message under way and what follows it */
	struct bc_buf later; /* what came while the request was under way */
	struct bc_http_parser parser;
	struct bc_http_request request;
	struct bc_arena *arena; /* owned */

	unsigned int writes; /* uv_write calls under way */
	size_t queue_seen;   /* bc_http_unsent_bytes at the last look */
	uint64_t body_since_ms;
	uint64_t body_raw_bytes; /* since then */
	size_t drained_bytes;
	uint64_t requests;
	void (*gone)(void *ctx); /* of the request under way */
	void *gone_ctx;
	struct bc_http_body_half body;
	struct bc_http_answer_half answer;
	char peer[BC_HTTP_PEER_BYTES];
};

struct bc_http_wait_list {
	struct bc_http_connection *first, *last;
	uint64_t period_ms;
};

struct bc_http_server {
	struct bc_loop *loop; /* borrowed */
	struct bc_http_server_options options;
	struct bc_http_limits limits;
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	/* Takes a connection off the queue when there is no memory for it: libuv listens no further
	 * until somebody accepts. */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} spare;
	bool spare_busy;
	bool spare_wanted;
	bool is_unix;
	bool listener_closed;
	bool closing; /* graceful close under way */
	bool cut;     /* its grace is over */
	bool done_posted;
	uint64_t cut_due_ms;
	uint64_t fresh_due_ms; /* closing: until then who is new may send a request; 0 = over */
	struct bc_task done_task;
	void (*done)(void *ctx);
	void *done_ctx;

	size_t count;	   /* connections in the lists */
	size_t over_limit; /* of these, refused ones */
	struct bc_http_wait_list waits[BC_HTTP_WAITS];
	struct bc_timer *tick; /* owned; armed for the earliest deadline, or earlier */
	uint64_t tick_due_ms;  /* 0 = not armed */

	char random[512]; /* for request ids */
	size_t random_left;
	char address[160];
	char scratch[BC_HTTP_SCRATCH_BYTES]; /* every read lands here; wiped after use */
};

/* http_server.c: to be called when a connection or the listener is gone. */
void bc_http_server_check_done(struct bc_http_server *s);
/* Closes those on which nothing of a request has come: all, or only who had one before. */
void bc_http_server_close_idle(struct bc_http_server *s, bool new_ones_too);

/* http_listen.c: binds and listens; s->listener is initialised even on failure once
 * *ret_initialised is set. */
int bc_http_listen(struct bc_http_server *s, const char *text, uv_connection_cb on_connection,
		   bool *ret_initialised, struct bc_err *err);

/* http_connection.c */
/* Accepts from the listener; NULL without memory (nothing accepted). */
struct bc_http_connection *bc_http_connection_accept(struct bc_http_server *s);
/* Prepares for the message that starts at the beginning of the input. */
void bc_http_connection_begin(struct bc_http_connection *c);
/* Starts reading, with the deadline of a head. */
void bc_http_connection_start(struct bc_http_connection *c);
/* Closes at once; reason is for the log. A request under way stays until it is answered. */
void bc_http_connection_close(struct bc_http_connection *c, const char *reason);
/* The same with a reset. */
void bc_http_connection_reset(struct bc_http_connection *c);
/* Closes so that the peer can read what was sent. */
void bc_http_connection_linger(struct bc_http_connection *c);
void bc_http_connection_free_if_over(struct bc_http_connection *c);
/* Takes a closed one from its server; it frees itself when its request is answered. */
void bc_http_connection_cut_loose(struct bc_http_connection *c);
/* The answer goes nowhere: the peer is gone or was refused. */
static inline bool bc_http_connection_is_lost(const struct bc_http_connection *c)
{
	return c->lost || c->state == BC_HTTP_STATE_CLOSING;
}

/* http_exchange.c */
/* Reads on, if it does not and there is more to come. */
void bc_http_connection_read(struct bc_http_connection *c);
void bc_http_connection_read_stop(struct bc_http_connection *c);
/* Forgets the first n bytes of the input. */
void bc_http_connection_drop_input(struct bc_http_connection *c, size_t n);
/* Has the resume task run, once, at the end of the loop's turn. */
void bc_http_connection_post(struct bc_http_connection *c);
/* Parses and handles what is in the buffer, as far as answers come at once. */
void bc_http_connection_advance(struct bc_http_connection *c);
/* The task that advances after an answer that came later, or tells the handler what happened. */
void bc_http_connection_resume(struct bc_task *task);
/* Answers with an error of the server's own and closes. */
void bc_http_connection_refuse(struct bc_http_connection *c, int status, const char *why);
/* The same in place of the handler, who still has the request; its answer is dropped. One that has
 * begun breaks off. */
void bc_http_connection_overrule(struct bc_http_connection *c, int status, const char *why);
/* The answer is sent or queued: what comes next. */
void bc_http_connection_answered(struct bc_http_connection *c);
/* All that was queued is written. */
void bc_http_connection_written(struct bc_http_connection *c);

/* http_deadlines.c */
BC_MUST_CHECK int bc_http_waits_init(struct bc_http_server *s); /* 0 or BC_ENOMEM */
void bc_http_wait_add(struct bc_http_connection *c, enum bc_http_wait wait);
void bc_http_wait_remove(struct bc_http_connection *c);
void bc_http_wait_for(struct bc_http_connection *c, enum bc_http_wait wait); /* moves it */
void bc_http_waits_cut_at(struct bc_http_server *s, uint64_t delay_ms);
uint64_t bc_http_now(const struct bc_http_server *s);

/* http_server_body.c */
/* The handler is about to get a request whose body streams. */
void bc_http_body_begin(struct bc_http_connection *c);
/* Bytes from the peer, in the server's scratch buffer. */
void bc_http_body_take(struct bc_http_connection *c, char *bytes, size_t len);
/* The request is being answered: is its body whole? One that nobody asked for is skipped, as far as
 * it is here. */
bool bc_http_body_skip(struct bc_http_connection *c);
/* The peer ended its side while the body still came. */
void bc_http_body_no_more(struct bc_http_connection *c);
/* Does the body come too slowly, while the handler takes? */
bool bc_http_body_is_late(const struct bc_http_connection *c);
extern const char bc_http_body_late[]; /* why it is refused then */
/* Gives the handler what is held for it: data, the body's end, the peer's. */
void bc_http_stream_tell(struct bc_http_connection *c);
/* Looks whether the peer of a request, which ended its side or is not read, is still there. */
void bc_http_look_for_peer(struct bc_http_connection *c);

/* http_server_stream.c */
/* All that libuv had is written: gives it what was gathered meanwhile. */
void bc_http_stream_refill(struct bc_http_connection *c);
/* ... and there was nothing. */
void bc_http_stream_drained(struct bc_http_connection *c);
void bc_http_stream_uncork(struct bc_task *task);
/* Did the peer take nothing for so long that it is to be cut? To be asked at each look. */
bool bc_http_stream_is_stuck(struct bc_http_connection *c);

/* http_respond.c */
enum { BC_HTTP_HEAD_BYTES = 512, BC_HTTP_PARTS_MAX = 4 };
/* Sends, or closes the connection when the peer is gone. What the socket does not take is copied.
 */
void bc_http_send_parts(struct bc_http_connection *c, const uv_buf_t *parts, unsigned int n);
/* What the peer's side has not acknowledged yet, of all that libuv got. */
size_t bc_http_unsent_bytes(const struct bc_http_connection *c);
/* Status line and what every answer has; framing is a header line or empty. Returns its length. */
size_t bc_http_format_head(const struct bc_http_connection *c, int status, const char *framing,
			   const char *content_type, char head[BC_HTTP_HEAD_BYTES]);
bool bc_http_has_length(int status);
bool bc_http_sends_body(const struct bc_http_request *req, int status);
void bc_http_set_id(struct bc_http_server *s, struct bc_http_request *req);
void bc_http_send_error(struct bc_http_connection *c, int status, const char *why);
void bc_http_send_continue(struct bc_http_connection *c);

#endif
