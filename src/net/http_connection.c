/* SPDX-License-Identifier: MIT */
/*
 * How a connection is born and how it dies: accepted, named, closed, reset, or closed with patience
 * so that the peer gets its last answer. States and their movers are documented in
 * http_server_impl.h.
 *
 * Invariants: it is in exactly one wait list as long as it has a server; its memory stays until the
 * handle is closed, the request under way is answered and no task of it is posted or running.
 * Left to others: what happens in between (http_exchange.c), deadlines, writing.
 */
#include "net/http_server_impl.h"

#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

static struct bc_http_connection *of_handle(void *handle)
{
	return ((uv_handle_t *)handle)->data;
}

/* ---- birth ---- */

static size_t input_max(const struct bc_http_server *s)
{
	return (size_t)s->limits.head_max_bytes + s->limits.body_max_bytes +
	       4 * BC_HTTP_SCRATCH_BYTES;
}

static size_t arena_max(const struct bc_http_server *s)
{
	return (size_t)s->limits.head_max_bytes + s->limits.body_max_bytes +
	       BC_HTTP_ARENA_SPARE_BYTES;
}

/* The peer's address as text, and whether it is this machine. An IPv4 peer of a dual-stack listener
 * is shown as IPv4. */
static void name_peer(struct bc_http_connection *c)
{
	static const char mapped[] = "::ffff:";
	struct sockaddr_storage address = { 0 };
	int len = sizeof(address);
	const char *local_prefix = "127.";

	c->request.peer = c->peer;
	if (c->server->is_unix) {
		strcpy(c->peer, "unix");
		c->request.peer_local = true;
		return;
	}
	strcpy(c->peer, "unknown");
	if (uv_tcp_getpeername(&c->io.tcp, (struct sockaddr *)&address, &len) < 0 ||
	    uv_ip_name((struct sockaddr *)&address, c->peer, sizeof(c->peer)) < 0)
		return;
	if (strncmp(c->peer, mapped, strlen(mapped)) == 0 && strchr(c->peer, '.'))
		memmove(c->peer, c->peer + strlen(mapped), strlen(c->peer + strlen(mapped)) + 1);
	c->request.peer_local = strncmp(c->peer, local_prefix, strlen(local_prefix)) == 0 ||
				strcmp(c->peer, "::1") == 0;
}

static struct bc_http_connection *create(struct bc_http_server *s)
{
	struct bc_http_connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->arena = bc_arena_create(BC_HTTP_ARENA_BLOCK_BYTES, arena_max(s));
	if (!c->arena) {
		free(c);
		return NULL;
	}
	c->server = s;
	c->loop = s->loop;
	c->request.arena = c->arena;
	c->resume.run = bc_http_connection_resume;
	c->uncork.run = bc_http_stream_uncork;
	c->in_max = input_max(s);
	bc_buf_init(&c->in, c->in_max);
	bc_buf_init(&c->later, BC_HTTP_SCRATCH_BYTES);
	bc_buf_init(&c->answer.out, BC_HTTP_STREAM_MAX_BYTES);
	return c;
}

struct bc_http_connection *bc_http_connection_accept(struct bc_http_server *s)
{
	struct bc_http_connection *c = create(s);

	if (!c)
		return NULL;
	if (s->is_unix)
		uv_pipe_init(bc_loop_uv(s->loop), &c->io.pipe, 0);
	else
		uv_tcp_init(bc_loop_uv(s->loop), &c->io.tcp);
	c->io.handle.data = c;
	s->count++;
	bc_http_wait_add(c, BC_HTTP_WAIT_NONE);
	if (uv_accept(&s->listener.stream, &c->io.stream) < 0) {
		bc_http_connection_close(c, "accept failed");
		return c;
	}
	if (!s->is_unix)
		uv_tcp_nodelay(&c->io.tcp, 1);
	name_peer(c);
	return c;
}

void bc_http_connection_start(struct bc_http_connection *c)
{
	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	bc_http_connection_begin(c);
	bc_http_wait_for(c, BC_HTTP_WAIT_HEAD);
	bc_http_connection_read(c);
}

/* ---- death ---- */

static void destroy(struct bc_http_connection *c)
{
	bc_buf_finish(&c->in);
	bc_buf_finish(&c->later);
	bc_buf_finish(&c->answer.out);
	bc_arena_destroy(c->arena);
	free(c);
}

/* Takes it from the server, which may be over then. */
static void leave(struct bc_http_connection *c)
{
	struct bc_http_server *s = c->server;

	bc_http_wait_remove(c);
	s->count--;
	s->over_limit -= c->over_limit;
	c->server = NULL;
	bc_http_server_check_done(s);
}

void bc_http_connection_free_if_over(struct bc_http_connection *c)
{
	if (!c->handle_closed || c->handling || c->resume_posted || c->uncork_posted || c->telling)
		return;
	if (c->server)
		leave(c);
	destroy(c);
}

void bc_http_connection_cut_loose(struct bc_http_connection *c)
{
	if (c->server)
		leave(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct bc_http_connection *c = of_handle(handle);

	c->handle_closed = true;
	if (c->server->cut)
		bc_http_connection_cut_loose(c);
	bc_http_connection_free_if_over(c);
}

static void start_closing(struct bc_http_connection *c, const char *reason)
{
	bc_log_debug("http.closed", BC_LS("peer", c->peer), BC_LS("reason", reason),
		     BC_LU("requests", c->requests));
	c->state = BC_HTTP_STATE_CLOSING;
	c->eof = true;
	c->reading = false;
	bc_http_wait_for(c, BC_HTTP_WAIT_NONE);
	if (c->handling && (c->body.streams || c->answer.begun || c->gone))
		bc_http_connection_post(c);
}

void bc_http_connection_close(struct bc_http_connection *c, const char *reason)
{
	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	start_closing(c, reason);
	uv_close(&c->io.handle, on_closed);
}

void bc_http_connection_reset(struct bc_http_connection *c)
{
	if (c->state == BC_HTTP_STATE_CLOSING)
		return;
	start_closing(c, "reset on purpose");
	if (c->server->is_unix || uv_tcp_close_reset(&c->io.tcp, on_closed) < 0)
		uv_close(&c->io.handle, on_closed);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	(void)req; /* a failure shows as the peer's end soon enough */
	(void)status;
}

/*
 * Closes so that the peer gets the last answer: closing a socket with unread bytes resets it, and a
 * reset may destroy what the peer has not read. So: end our side, throw away what still comes,
 * within bounds, until the peer ends its side.
 */
void bc_http_connection_linger(struct bc_http_connection *c)
{
	if (c->eof || uv_shutdown(&c->shutdown, &c->io.stream, on_shutdown) < 0) {
		bc_http_connection_close(c, "answered");
		return;
	}
	c->state = BC_HTTP_STATE_LINGER;
	c->drained_bytes = 0;
	bc_buf_finish(&c->in);
	bc_buf_finish(&c->later);
	bc_http_wait_for(c, BC_HTTP_WAIT_LINGER);
	bc_http_connection_read(c);
}
