/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of all connections with one timer. Each kind of wait has one period, so appending keeps
 * its list ordered and the earliest deadline of all is at one of the few list heads. The timer is
 * never moved back when a connection goes on to another wait: it fires a little too early then,
 * finds nothing due and is armed anew. That costs nothing per request.
 *
 * Left to others: what a connection does when it is refused or closed (http_connection.c).
 */
#include "net/http_server_impl.h"

/* A client that has just connected is about to send: closing on it would be a request cut off. */
enum { FRESH_GRACE_MS = 250 };
enum { LINGER_MS = 2000, WRITE_LOOK_MS = 30000, RATE_LOOK_MS = 1000, STREAM_LOOK_MS = 1000 };

uint64_t bc_http_now(const struct bc_http_server *s)
{
	return uv_now(bc_loop_uv(s->loop));
}

static void arm(struct bc_http_server *s, uint64_t due_ms)
{
	uint64_t now = bc_http_now(s);

	if (s->tick_due_ms != 0 && s->tick_due_ms <= due_ms)
		return;
	s->tick_due_ms = due_ms;
	bc_timer_start(s->tick, due_ms > now ? due_ms - now : 0);
}

void bc_http_wait_add(struct bc_http_connection *c, enum bc_http_wait wait)
{
	struct bc_http_server *s = c->server;
	struct bc_http_wait_list *list = &s->waits[wait];

	c->wait = wait;
	c->prev = list->last;
	c->next = NULL;
	*(list->last ? &list->last->next : &list->first) = c;
	list->last = c;
	if (wait == BC_HTTP_WAIT_NONE)
		return;
	c->due_ms = bc_http_now(s) + list->period_ms;
	arm(s, c->due_ms);
}

void bc_http_wait_remove(struct bc_http_connection *c)
{
	struct bc_http_wait_list *list = &c->server->waits[c->wait];

	*(c->prev ? &c->prev->next : &list->first) = c->next;
	*(c->next ? &c->next->prev : &list->last) = c->prev;
	c->prev = c->next = NULL;
}

void bc_http_wait_for(struct bc_http_connection *c, enum bc_http_wait wait)
{
	bc_http_wait_remove(c);
	bc_http_wait_add(c, wait);
}

/* ---- what happens at a deadline; each moves the connection to another wait or to a later time
 * ---- */

static void next_is_due(struct bc_http_connection *c)
{
	bc_http_connection_close(c, "idle");
}

static void head_is_due(struct bc_http_connection *c)
{
	if (bc_http_parser_begun(&c->parser, &c->in))
		bc_http_connection_refuse(c, 408, "the request head did not come in time");
	else
		bc_http_connection_close(c, "no request came");
}

static void body_is_due(struct bc_http_connection *c)
{
	const struct bc_http_server *s = c->server;
	uint64_t counted_ms =
		bc_http_now(s) - c->body_since_ms - s->waits[BC_HTTP_WAIT_BODY_GRACE].period_ms;

	/* At the end of the grace a body of which nothing came is late, however small the rate. */
	if (c->body_raw_bytes == 0 ||
	    c->body_raw_bytes < counted_ms * s->options.body_min_rate / 1000)
		bc_http_connection_refuse(c, 408, bc_http_body_late);
	else
		bc_http_wait_for(c, BC_HTTP_WAIT_BODY_RATE);
}

static void write_is_due(struct bc_http_connection *c)
{
	size_t queue = bc_http_unsent_bytes(c);

	if (queue >= c->queue_seen) {
		bc_http_connection_close(c, "the peer does not read");
		return;
	}
	c->queue_seen = queue;
	bc_http_wait_for(c, BC_HTTP_WAIT_WRITE);
}

static void linger_is_due(struct bc_http_connection *c)
{
	bc_http_connection_close(c, "answered, and the peer did not close");
}

static void stream_is_due(struct bc_http_connection *c)
{
	bc_http_wait_for(c, BC_HTTP_WAIT_STREAM);
	if (bc_http_stream_is_stuck(c))
		bc_http_connection_close(c, "the peer does not read");
	else if (bc_http_body_is_late(c))
		bc_http_connection_overrule(c, 408, bc_http_body_late);
	else
		bc_http_look_for_peer(c);
}

static void (*const is_due[BC_HTTP_WAITS])(struct bc_http_connection *c) = {
	[BC_HTTP_WAIT_NEXT] = next_is_due,	 [BC_HTTP_WAIT_HEAD] = head_is_due,
	[BC_HTTP_WAIT_BODY_GRACE] = body_is_due, [BC_HTTP_WAIT_BODY_RATE] = body_is_due,
	[BC_HTTP_WAIT_WRITE] = write_is_due,	 [BC_HTTP_WAIT_LINGER] = linger_is_due,
	[BC_HTTP_WAIT_STREAM] = stream_is_due,
};

static void cut_all(struct bc_http_server *s)
{
	struct bc_http_connection *next;

	s->cut = true;
	for (int wait = 0; wait < BC_HTTP_WAITS; wait++)
		for (struct bc_http_connection *c = s->waits[wait].first; c; c = next) {
			next = c->next;
			bc_http_connection_close(c, "cut at the end of the grace");
			if (c->handle_closed)
				bc_http_connection_cut_loose(c);
		}
	bc_http_server_check_done(s);
}

static void closing_tick(struct bc_http_server *s, uint64_t now)
{
	if (s->fresh_due_ms && s->fresh_due_ms <= now) {
		s->fresh_due_ms = 0;
		bc_http_server_close_idle(s, true);
	}
	if (s->cut_due_ms <= now)
		cut_all(s);
}

static void on_tick(void *ctx)
{
	struct bc_http_server *s = ctx;
	uint64_t now = bc_http_now(s);

	s->tick_due_ms = 0;
	for (int wait = BC_HTTP_WAIT_NEXT; wait < BC_HTTP_WAITS; wait++)
		while (s->waits[wait].first && s->waits[wait].first->due_ms <= now)
			is_due[wait](s->waits[wait].first);
	if (s->closing && !s->cut)
		closing_tick(s, now);
	for (int wait = BC_HTTP_WAIT_NEXT; wait < BC_HTTP_WAITS; wait++)
		if (s->waits[wait].first)
			arm(s, s->waits[wait].first->due_ms);
	if (s->closing && !s->cut)
		arm(s, s->fresh_due_ms ? s->fresh_due_ms : s->cut_due_ms);
}

int bc_http_waits_init(struct bc_http_server *s)
{
	const struct bc_http_server_options *o = &s->options;

	s->waits[BC_HTTP_WAIT_NEXT].period_ms = o->idle_timeout_ms;
	s->waits[BC_HTTP_WAIT_HEAD].period_ms = o->head_timeout_ms;
	s->waits[BC_HTTP_WAIT_BODY_GRACE].period_ms = o->head_timeout_ms;
	s->waits[BC_HTTP_WAIT_BODY_RATE].period_ms = RATE_LOOK_MS;
	s->waits[BC_HTTP_WAIT_WRITE].period_ms = WRITE_LOOK_MS;
	s->waits[BC_HTTP_WAIT_LINGER].period_ms = LINGER_MS;
	s->waits[BC_HTTP_WAIT_STREAM].period_ms = STREAM_LOOK_MS;
	s->tick = bc_timer_create(s->loop, on_tick, s);
	return s->tick ? 0 : BC_ENOMEM;
}

void bc_http_waits_cut_at(struct bc_http_server *s, uint64_t delay_ms)
{
	uint64_t now = bc_http_now(s);

	s->cut_due_ms = now + delay_ms;
	s->fresh_due_ms = now + (delay_ms < FRESH_GRACE_MS ? delay_ms : FRESH_GRACE_MS);
	arm(s, s->fresh_due_ms);
}
