/* SPDX-License-Identifier: MIT */
/*
 * What the server's files share; private to them.
 *
 *   http_server.c      create, accept, refuse, close
 *   http_listen.c      the listen text, binding, stale Unix sockets
 *   http_connection.c  how a connection is born and dies
 *   http_exchange.c    bytes in, requests out to the handler, on to the next
 *   http_deadlines.c   who waits for what until when
 *   http_respond.c     answers
 *
 * Ownership: the server owns its connections through the wait lists, each in exactly one. A
 * connection is freed when its handle is closed, its request is answered and no task of it is
 * posted. At the end of a graceful close, one whose request is still unanswered is cut loose
 * (server NULL) and frees itself at the answer.
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
	BC_HTTP_PEER_BYTES = 46
};

/*
 * A connection's states. Who moves it on:
 *   IDLE      nothing of a request has come     -> HEAD by its first byte
 *   HEAD      part of a head has come           -> BODY or HANDLING by the parser
 *   BODY      head whole, body not              -> HANDLING by the parser
 *   HANDLING  the handler has the request       -> IDLE, WRITING or LINGER by its answer
 *   WRITING   the answer does not fit the socket-> IDLE or LINGER when it is written
 *   LINGER    answered and shut for writing     -> CLOSING by the peer's end, or bounds
 *   CLOSING   uv_close was called
 * A refusal leads from IDLE, HEAD and BODY to WRITING or LINGER; a lost peer from all to CLOSING.
 */
enum bc_http_state {
	BC_HTTP_STATE_IDLE,
	BC_HTTP_STATE_HEAD,
	BC_HTTP_STATE_BODY,
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
	BC_HTTP_WAITS
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
	struct bc_http_connection *prev, *next;
	enum bc_http_wait wait;
	uint64_t due_ms; /* uv_now's clock */

	enum bc_http_state state;
	bool reading;	  /* uv_read_start is in force */
	bool eof;	  /* the peer will send no more */
	bool handling;	  /* the handler owes an answer */
	bool raw;	  /* ... and gives it raw */
	bool close_after; /* close when the answer is written */
	bool advancing;	  /* bc_http_connection_advance is on the stack */
	bool resume_posted;
	bool handle_closed;
	bool over_limit; /* accepted only to be refused */
	struct bc_task resume;

	size_t in_max;	     /* ceiling of in */
	struct bc_buf in;    /* the message under way and what follows it */
	struct bc_buf later; /* what came while the request was under way */
	struct bc_http_parser parser;
	struct bc_http_request request;
	struct bc_arena *arena; /* owned */

	unsigned int writes; /* uv_write calls under way */
	size_t queue_seen;   /* unsent bytes at the last look */
	uint64_t body_since_ms;
	uint64_t body_raw_bytes; /* since then */
	size_t drained_bytes;
	uint64_t requests;
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

/* http_listen.c: binds and listens; s->listener is initialised even on failure once
 * *ret_initialised is set. */
int bc_http_listen(struct bc_http_server *s, const char *text, uv_connection_cb on_connection,
		   bool *ret_initialised, struct bc_err *err);

/* http_connection.c */
/* Accepts from the listener; NULL without memory (nothing accepted). */
struct bc_http_connection *bc_http_connection_accept(struct bc_http_server *s);
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

/* http_exchange.c */
/* Reads on, if it does not and there is more to come. */
void bc_http_connection_read(struct bc_http_connection *c);
/* Parses and handles what is in the buffer, as far as answers come at once. */
void bc_http_connection_advance(struct bc_http_connection *c);
/* The task that advances after an answer that came later. */
void bc_http_connection_resume(struct bc_task *task);
/* Answers with an error of the server's own and closes. */
void bc_http_connection_refuse(struct bc_http_connection *c, int status, const char *why);
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

/* http_respond.c */
void bc_http_set_id(struct bc_http_server *s, struct bc_http_request *req);
void bc_http_send_error(struct bc_http_connection *c, int status, const char *why);
void bc_http_send_continue(struct bc_http_connection *c);

#endif
