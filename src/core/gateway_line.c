/* SPDX-License-Identifier: MIT */
/*
 * How many calls are under way at once. Whoever comes when all places are taken stands in line, as
 * long as he may wait for anything else; who has waited for too long is told so. A place that is
 * free is given on in the loop's next turn, so that no call is gone on with from within another.
 */
#include "core/gateway_impl.h"

static uint64_t now_ms(const struct bc_gateway *g)
{
	return bc_elapsed_ms(g->options.clock);
}

/* By when they have to be gone on with, which is the order they came in: so one that comes back to
 * be repeated does not begin at the end. */
static void put_in(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	struct gateway_call *ahead = g->last;
	while (ahead && ahead->wait_until_ms > call->wait_until_ms)
		ahead = ahead->ahead;
	call->ahead = ahead;
	call->behind = ahead ? ahead->behind : g->first;
	if (call->behind)
		call->behind->ahead = call;
	else
		g->last = call;
	if (ahead)
		ahead->behind = call;
	else
		g->first = call;
}

static void take_out(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	if (call->ahead)
		call->ahead->behind = call->behind;
	else
		g->first = call->behind;
	if (call->behind)
		call->behind->ahead = call->ahead;
	else
		g->last = call->ahead;
	call->ahead = call->behind = NULL;
}

static void set_timer(struct bc_gateway *g)
{
	uint64_t now = now_ms(g);
	if (g->first)
		bc_timer_start(g->line_timer,
			       g->first->wait_until_ms > now ? g->first->wait_until_ms - now : 0);
}

static void look(void *ctx)
{
	struct bc_gateway *g = ctx;
	while (g->first && g->first->wait_until_ms <= now_ms(g)) {
		struct gateway_call *call = g->first;
		gateway_line_leave(call);
		gateway_call_too_late(call);
	}
	set_timer(g);
}

static void give_places(struct bc_task *task)
{
	struct bc_gateway *g = BC_CONTAINER(task, struct bc_gateway, line_task);
	g->line_posted = false;
	while (g->first && g->asking < ASKING_MAX) {
		struct gateway_call *call = g->first;
		gateway_line_leave(call);
		call->placed = true;
		g->asking++;
		gateway_call_proceed(call);
	}
}

static void wake(struct bc_gateway *g)
{
	if (!g->first || g->line_posted)
		return;
	g->line_posted = true;
	bc_loop_post(g->loop, &g->line_task);
}

bool gateway_line_enter(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	if (!call->placed && g->asking < ASKING_MAX && !g->first) {
		call->placed = true;
		g->asking++;
	}
	if (call->placed)
		return true;
	call->state = CALL_LINE;
	put_in(call);
	if (g->first == call)
		set_timer(g);
	return false;
}

void gateway_line_leave(struct gateway_call *call)
{
	struct bc_gateway *g = call->gateway;
	if (call->state == CALL_LINE) {
		take_out(call);
		call->state = CALL_DOOR;
	}
	if (!call->placed)
		return;
	call->placed = false;
	g->asking--;
	wake(g);
}

int gateway_line_open(struct bc_gateway *g)
{
	g->line_task.run = give_places;
	g->line_timer = bc_timer_create(g->loop, look, g);
	return g->line_timer ? 0 : BC_ENOMEM;
}

void gateway_line_close(struct bc_gateway *g)
{
	BC_ASSERT(!g->first && !g->asking && !g->line_posted);
	bc_timer_destroy(g->line_timer);
}
