/* SPDX-License-Identifier: MIT */
/*
 * See input.h. A click's states: under way (the store has it) -> stored, or waiting (the store
 * refused) -> under way again by the timer, or dropped when it has waited for WAIT_MAX_MS, when too
 * many wait, or at the end.
 *
 * No more than UNDER_WAY_MAX are under way: then the socket is not read until half of them are
 * stored, which the socket's own buffer bridges. While the store refuses, the socket is read on,
 * and what finds no room among the waiting is dropped and counted: who writes is never held up.
 */
#include "daemon/input.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/clicks.h"
#include "net/datagram.h"
#include "protocol/capture_line.h"

enum {
	UNDER_WAY_MAX = 1024,
	WAITING_MAX = 1024,
	WAIT_MAX_MS = 60 * 1000,
	RETRY_FIRST_MS = 100,
	RETRY_LAST_MS = 5000,
	TELL_EVERY_MS = 60 * 1000,
	ARENA_BLOCK_BYTES = 2 * 1024,
	ARENA_MAX_BYTES = 256 * 1024 /* line, fields, and an operation for each try */
};

struct click {
	struct bc_input *in;	/* borrowed */
	struct bc_arena *arena; /* owned */
	struct bc_capture capture;
	char id[BC_CAPTURE_CLICK_BYTES];
	uint64_t since_ms; /* elapsed clock */
	struct click *next;
};

struct bc_input {
	struct bc_loop *loop; /* borrowed */
	struct bc_shop *shop; /* borrowed */
	struct bc_desk desk;
	bool desk_open;
	struct bc_datagrams *datagrams; /* frees itself when closed; NULL then */
	struct click *spare;		/* owned */
	size_t under_way;
	struct click *waiting, **waiting_last;
	size_t waiting_count;
	struct bc_timer *retry; /* owned; runs while something waits */
	uint64_t retry_ms;
	struct bc_timer *tell; /* owned; runs while the log was told of late */
	bool telling;
	uint64_t untold[BC_INPUT_DROPS];
	struct bc_err problem; /* of the last drop */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* --- what is dropped ------------------------------------------------------------------------- */

static void say(struct bc_input *in)
{
	bc_log_warning("input.dropped", BC_LU("malformed", in->untold[BC_INPUT_MALFORMED]),
		       BC_LU("busy", in->untold[BC_INPUT_BUSY]),
		       BC_LU("kernel", in->untold[BC_INPUT_KERNEL]),
		       BC_LS("problem", in->problem.text[0] ? in->problem.text : NULL),
		       BC_LS("hint", in->problem.hint[0] ? in->problem.hint : NULL));
	for (int i = 0; i < BC_INPUT_DROPS; i++)
		in->untold[i] = 0;
	bc_err_clear(&in->problem);
}

static bool has_untold(const struct bc_input *in)
{
	uint64_t sum = 0;
	for (int i = 0; i < BC_INPUT_DROPS; i++)
		sum += in->untold[i];
	return sum > 0;
}

static void tell_more(void *ctx)
{
	struct bc_input *in = ctx;
	in->telling = has_untold(in);
	if (!in->telling)
		return;
	say(in);
	bc_timer_start(in->tell, TELL_EVERY_MS);
}

/* The first is told at once, all others once a minute: who floods the socket does not flood the
 * log. */
static void drop(struct bc_input *in, enum bc_input_drop why, uint64_t count,
		 const struct bc_err *problem)
{
	atomic_fetch_add_explicit(&in->shop->stats.input_dropped[why], count, memory_order_relaxed);
	in->untold[why] += count;
	if (problem)
		in->problem = *problem;
	if (in->telling)
		return;
	in->telling = true;
	say(in);
	bc_timer_start(in->tell, TELL_EVERY_MS);
}

static void drop_malformed(struct bc_input *in, const char *why)
{
	struct bc_err problem = { 0 };
	bc_err_tell(&problem, BC_EINVAL,
		    "compare the web server's configuration with backchannel recipe", "%s", why);
	drop(in, BC_INPUT_MALFORMED, 1, &problem);
}

/* --- clicks ---------------------------------------------------------------------------------- */

static struct click *new_click(struct bc_input *in)
{
	struct click *c = in->spare;
	if (c) {
		in->spare = c->next;
		c->next = NULL;
	} else {
		c = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		c->in = in;
		c->arena = bc_arena_create(ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
	}
	if (!c->arena) {
		free(c);
		return NULL;
	}
	c->capture = (struct bc_capture){ 0 };
	c->since_ms = bc_elapsed_ms(in->shop->clock);
	return c;
}

static void check_closed(struct bc_input *in)
{
	void (*closed)(void *ctx) = in->closed;
	if (!closed || in->datagrams || in->under_way)
		return;
	in->closed = NULL;
	closed(in->closed_ctx);
}

static void let_go(struct click *c)
{
	struct bc_input *in = c->in;
	bc_arena_reset(c->arena);
	c->next = in->spare;
	in->spare = c;
}

/* It waits for its turn, or there is no room left for that. */
static void put_off(struct click *c, const struct bc_err *why)
{
	struct bc_input *in = c->in;
	uint64_t waited = bc_elapsed_ms(in->shop->clock) - c->since_ms;
	if (in->closed || in->waiting_count >= WAITING_MAX || waited >= WAIT_MAX_MS) {
		drop(in, BC_INPUT_BUSY, 1, why);
		let_go(c);
		return;
	}
	if (!in->waiting)
		bc_timer_start(in->retry, in->retry_ms);
	c->next = NULL;
	*in->waiting_last = c;
	in->waiting_last = &c->next;
	in->waiting_count++;
}

static void stored(void *ctx, int result, const struct bc_err *err, const struct bc_captured *now)
{
	struct click *c = ctx;
	struct bc_input *in = c->in;
	(void)now;
	in->under_way--;
	if (result) {
		put_off(c, err);
	} else {
		atomic_fetch_add_explicit(&in->shop->stats.input_taken, 1, memory_order_relaxed);
		in->retry_ms = RETRY_FIRST_MS;
		let_go(c);
	}
	if (in->under_way <= UNDER_WAY_MAX / 2 && in->datagrams)
		bc_datagrams_resume(in->datagrams);
	check_closed(in);
}

static void capture(struct click *c)
{
	struct bc_input *in = c->in;
	struct bc_captured now = { 0 };
	struct bc_err err = { 0 };
	const char *field;
	int result =
		bc_clicks_capture(&in->desk, c->arena, &c->capture, stored, c, &now, &field, &err);
	if (!result) {
		in->under_way++;
		return;
	}
	if (result == 1)
		drop_malformed(in, now.reason);
	else
		drop(in, result == BC_ENOMEM ? BC_INPUT_BUSY : BC_INPUT_MALFORMED, 1, &err);
	let_go(c);
}

static void retry(void *ctx)
{
	struct bc_input *in = ctx;
	struct click *c = in->waiting;
	in->retry_ms = in->retry_ms * 2 < RETRY_LAST_MS ? in->retry_ms * 2 : RETRY_LAST_MS;
	in->waiting = NULL;
	in->waiting_last = &in->waiting;
	in->waiting_count = 0;
	while (c) {
		struct click *next = c->next;
		capture(c);
		c = next;
	}
}

/* --- lines ----------------------------------------------------------------------------------- */

/* What frameworks print for "no session" is none, and so is what cannot be one. */
static struct bc_str usable(struct bc_str session)
{
	bool good = session.ptr && bc_session_check(session, NULL) == 0;
	return good ? session : (struct bc_str){ NULL, 0 };
}

/* 0, or why nothing can come of it. */
static int read_line(struct click *c, struct bc_str bytes, struct bc_err *err)
{
	struct bc_capture_line line;
	int result = bc_capture_line_read(bytes, c->arena, &line, err);
	if (result)
		return result;
	memcpy(c->id, line.click, sizeof(c->id));
	c->capture = (struct bc_capture){ .url = line.uri,
					  .token = line.token,
					  .session = usable(line.new_session),
					  .click = bc_str_of(c->id[0] ? c->id : NULL) };
	if (!c->capture.session.ptr)
		c->capture.session = usable(line.session);
	if (!c->capture.session.ptr && !c->capture.click.ptr)
		return bc_err_tell(
			err, BC_EINVAL,
			"log the click or the session too: compare with backchannel recipe",
			"it names neither a click nor a session, so no order could find "
			"it");
	if (!line.token.ptr && !line.uri.ptr)
		return bc_err_tell(
			err, BC_EINVAL,
			"log the landing's URL or its token: compare with backchannel recipe",
			"it has neither \"tok\" nor \"uri\"");
	return 0;
}

static bool take(void *ctx, struct bc_str bytes, bool cut)
{
	struct bc_input *in = ctx;
	struct bc_err err = { 0 };
	uint64_t lost = bc_datagrams_lost(in->datagrams);
	struct click *c = cut ? NULL : new_click(in);
	if (lost)
		drop(in, BC_INPUT_KERNEL, lost, NULL);
	if (cut) {
		drop_malformed(in, "it is longer than a datagram may be");
	} else if (!c) {
		bc_err_nomem(&err);
		drop(in, BC_INPUT_BUSY, 1, &err);
	} else {
		int result = read_line(c, bytes, &err);
		if (!result) {
			capture(c);
		} else {
			drop(in, result == BC_ENOMEM ? BC_INPUT_BUSY : BC_INPUT_MALFORMED, 1, &err);
			let_go(c);
		}
	}
	return in->under_way + BC_DATAGRAM_BATCH <= UNDER_WAY_MAX;
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_input_create(struct bc_loop *loop, struct bc_shop *shop,
		    const struct bc_input_options *options, struct bc_input **ret_input,
		    struct bc_err *err)
{
	struct bc_input *in = calloc(1, sizeof(*in));
	if (!in)
		return bc_err_nomem(err);
	struct bc_datagram_options datagrams = { .listen = options->listen,
						 .group = options->group,
						 .fd = options->fd,
						 .take = take,
						 .ctx = in };
	in->loop = loop;
	in->shop = shop;
	in->waiting_last = &in->waiting;
	in->retry_ms = RETRY_FIRST_MS;
	in->retry = bc_timer_create(loop, retry, in);
	in->tell = bc_timer_create(loop, tell_more, in);
	int result = in->retry && in->tell ? bc_desk_init(&in->desk, shop, loop, err)
					   : bc_err_nomem(err);
	in->desk_open = !result;
	if (!result)
		result = bc_datagrams_create(loop, &datagrams, &in->datagrams, err);
	if (result)
		bc_input_destroy(in);
	else
		*ret_input = in;
	return result;
}

const char *bc_input_address(const struct bc_input *in)
{
	return bc_datagrams_address(in->datagrams);
}

size_t bc_input_buffer_bytes(const struct bc_input *in)
{
	return bc_datagrams_buffer_bytes(in->datagrams);
}

uint32_t bc_input_queue(const struct bc_input *in)
{
	return bc_datagrams_queue(in->datagrams);
}

void bc_input_reconfigure(struct bc_input *in, struct bc_shop_config *config)
{
	bc_desk_reconfigure(&in->desk, config);
}

static void datagrams_closed(void *ctx)
{
	struct bc_input *in = ctx;
	in->datagrams = NULL;
	check_closed(in);
}

void bc_input_close(struct bc_input *in, void (*done)(void *ctx), void *ctx)
{
	in->closed = done;
	in->closed_ctx = ctx;
	bc_timer_stop(in->retry);
	retry(in); /* once more, and then no more */
	bc_datagrams_close(in->datagrams, datagrams_closed, in);
}

static void destroy_clicks(struct click *list)
{
	while (list) {
		struct click *next = list->next;
		bc_arena_destroy(list->arena);
		free(list);
		list = next;
	}
}

void bc_input_destroy(struct bc_input *in)
{
	if (!in)
		return;
	BC_ASSERT(!in->datagrams && !in->under_way && !in->waiting);
	if (has_untold(in))
		say(in);
	destroy_clicks(in->spare);
	bc_timer_destroy(in->retry);
	bc_timer_destroy(in->tell);
	if (in->desk_open)
		bc_desk_finish(&in->desk);
	free(in);
}
