/* SPDX-License-Identifier: MIT */
/*
 * See pull.h. One thing is under way at a time: a call of Commerce or an operation of the store;
 * what it brought decides what comes next.
 */
#include "core/pull.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/pull_impl.h"

#define POSITION_KEY "pull.position"

enum {
	ARENA_BYTES = 16 * 1024,
	ARENA_MAX_BYTES = 16 * 1024 * 1024,
	CALL_TIMEOUT_MS = 60 * 1000,
	ANSWER_MAX_BYTES = 8 * 1024 * 1024,
	/* An order whose transaction was long may show later than one that is younger. */
	OVERLAP_MS = 5 * 60 * 1000,
	FIRST_MS = 7 * 24 * 3600 * 1000,
	AGAIN_MS = 60 * 1000 /* after a failure, at most; and when it begins by itself */
};

const char *const bc_pull_state_name[BC_PULL_STATES] = { "never", "running", "done", "failed" };

/* --- how it is told -------------------------------------------------------------------------- */

void bc_pull_look(struct bc_pull *p, struct bc_pull_view *ret_view)
{
	pthread_mutex_lock(&p->lock);
	*ret_view = p->view;
	pthread_mutex_unlock(&p->lock);
}

void bc_pull_count(struct bc_pull *p, const struct bc_intake_taken *taken)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; taken && i < BC_INTAKE_RESULTS; i++)
		p->view.counts[i] += taken->counts[i];
	pthread_mutex_unlock(&p->lock);
}

static void end(struct bc_pull *p, enum bc_pull_state state, const struct bc_err *err)
{
	p->running = false;
	pthread_mutex_lock(&p->lock);
	p->view.state = state;
	p->view.finished_ms = bc_wall_ms(p->shop->clock);
	if (err)
		p->view.err = *err;
	pthread_mutex_unlock(&p->lock);
	if (p->every_ms && !p->stopping)
		bc_timer_start(p->timer, state == BC_PULL_FAILED && p->every_ms > AGAIN_MS
						 ? (uint64_t)AGAIN_MS
						 : p->every_ms);
	(void)bc_pull_rests(p);
}

void bc_pull_fail(struct bc_pull *p, const struct bc_err *err)
{
	if (!p->stopping)
		bc_log_error("pull.failed", BC_LS("problem", err->text), BC_LS("hint", err->hint));
	end(p, BC_PULL_FAILED, err);
}

void bc_pull_finish(struct bc_pull *p)
{
	const struct bc_pull_view *v = &p->view; /* this thread alone writes it */
	bc_log_info("pull.done", BC_LU("orders", v->seen),
		    BC_LU("accepted", v->counts[BC_INTAKE_ACCEPTED] + v->counts[BC_INTAKE_ADOPTED]),
		    BC_LU("withdrawn", v->counts[BC_INTAKE_WITHDRAWN]),
		    BC_LU("revoked", v->counts[BC_INTAKE_REVOKED]), BC_LU("checked", v->checked),
		    BC_LU("unknown", v->unknown));
	end(p, BC_PULL_DONE, NULL);
}

bool bc_pull_rests(struct bc_pull *p)
{
	void (*stopped)(void *) = p->stopped;
	if (p->stopping && !p->busy && stopped) {
		p->stopped = NULL;
		stopped(p->stopped_ctx);
	}
	return p->stopping;
}

/* --- what is under way ----------------------------------------------------------------------- */

void bc_pull_ask(struct bc_pull *p, char *path, bc_client_done *done)
{
	struct bc_err err = { 0 };
	struct bc_client_request request = { .path = path,
					     .timeout_ms = CALL_TIMEOUT_MS,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	int result = bc_client_start(p->client, &request, done, p, &err);
	free(path);
	p->busy = !result;
	if (result)
		bc_pull_fail(p, &err);
}

void bc_pull_submit(struct bc_pull *p, enum bc_store_kind kind, struct bc_arena *arena,
		    void (*done)(struct bc_store_op *op))
{
	p->op.kind = kind;
	p->op.arena = arena;
	p->op.done = done;
	p->busy = true;
	bc_desk_submit(&p->desk, &p->op);
}

/* --- pages ----------------------------------------------------------------------------------- */

static void fetch(struct bc_pull *p);

static void page_taken(void *ctx, int result, const struct bc_err *err,
		       const struct bc_intake_taken *taken)
{
	struct bc_pull *p = ctx;
	p->busy = false;
	if (result) {
		bc_pull_fail(p, err);
		return;
	}
	bc_pull_count(p, taken);
	pthread_mutex_lock(&p->lock);
	p->view.pages++;
	p->view.seen += p->page.items;
	p->view.counts[BC_INTAKE_REFUSED] += p->page.refused;
	pthread_mutex_unlock(&p->lock);
	p->cursor_ms = p->page.last_updated_ms;
	p->cursor_id = p->page.last_entity_id;
	if (p->page.items < PULL_PAGE)
		bc_pull_reconcile(p);
	else
		fetch(p);
}

static void take(struct bc_pull *p)
{
	struct pull_page *page = &p->page;
	struct bc_err err = { 0 };
	struct bc_str key = { 0 };
	if (page->items && (!page->last_updated_ms || !page->last_entity_id)) {
		bc_err_tell(&err, BC_EINVAL,
			    "is commerce.base_url the REST address of the shop? Its answer to "
			    "V1/orders is not one of Commerce",
			    "an order of Commerce has no updated_at or entity_id");
		bc_pull_fail(p, &err);
		return;
	}
	if (p->keeps_position && page->items) {
		snprintf(p->position, sizeof(p->position), "%" PRIu64 " %" PRIu64,
			 page->last_updated_ms, page->last_entity_id);
		key = BC_STR(POSITION_KEY);
	}
	p->busy = true;
	int result = bc_intake_take(&p->desk, p->arena, BC_INTAKE_PULL, page->orders, page->count,
				    key, bc_str_of(p->position), page_taken, p, &err);
	if (result) {
		p->busy = false;
		bc_pull_fail(p, &err);
	}
}

bool bc_pull_page_came(struct bc_pull *p, int result, const struct bc_client_answer *answer,
		       const struct bc_err *err)
{
	struct bc_err problem = { 0 };
	if (result) {
		bc_pull_fail(p, err);
		return false;
	}
	if (answer->status != 200) {
		result = bc_err_set(
			&problem, BC_EIO, "Commerce answered %d to a search of orders%s%s",
			answer->status, answer->message[0] ? ": " : "", answer->message);
		bc_err_hint(&problem,
			    "try it by hand: backchannel call GET /V1/orders?searchCriteria=");
	} else {
		result = bc_pull_page_read((struct bc_str){ answer->body, answer->body_bytes },
					   p->desk.config->click_attribute, p->arena, &p->page,
					   &problem);
	}
	if (result)
		bc_pull_fail(p, &problem);
	return !result;
}

static void fetched(void *ctx, int result, struct bc_client_answer *answer,
		    const struct bc_err *err)
{
	struct bc_pull *p = ctx;
	p->busy = false;
	if (bc_pull_rests(p) || !bc_pull_page_came(p, result, answer, err))
		return;
	pthread_mutex_lock(&p->lock);
	if (!p->view.pages)
		p->view.total = p->page.total;
	pthread_mutex_unlock(&p->lock);
	take(p);
}

static void fetch(struct bc_pull *p)
{
	struct bc_err err = { 0 };
	if (bc_pull_rests(p))
		return;
	bc_arena_reset(p->arena);
	char *path = bc_pull_page_path(p->cursor_ms, p->cursor_id, &err);
	if (path)
		bc_pull_ask(p, path, fetched);
	else
		bc_pull_fail(p, &err);
}

/* --- its beginning --------------------------------------------------------------------------- */

static void start_at(struct bc_pull *p, uint64_t since_ms)
{
	p->cursor_ms = since_ms;
	p->cursor_id = 0;
	pthread_mutex_lock(&p->lock);
	p->view.since_ms = since_ms;
	pthread_mutex_unlock(&p->lock);
	fetch(p);
}

static void position_read(struct bc_store_op *op)
{
	struct bc_pull *p = BC_CONTAINER(op, struct bc_pull, op);
	uint64_t now = bc_wall_ms(p->shop->clock), at = 0;
	p->busy = false;
	if (bc_pull_rests(p))
		return;
	if (op->result && op->result != BC_ENOENT) {
		bc_pull_fail(p, &op->err);
		return;
	}
	struct bc_str text = op->result ? (struct bc_str){ 0 } : op->out.meta;
	if (text.ptr && !bc_parse_u64(bc_str_split(&text, ' '), &at) && at > OVERLAP_MS)
		start_at(p, at - OVERLAP_MS);
	else
		start_at(p, now > FIRST_MS ? now - FIRST_MS : 0);
}

static void begin(struct bc_pull *p, uint64_t since_ms)
{
	p->running = true;
	p->keeps_position = since_ms == 0;
	bc_timer_stop(p->timer);
	pthread_mutex_lock(&p->lock);
	p->view = (struct bc_pull_view){ .state = BC_PULL_RUNNING,
					 .started_ms = bc_wall_ms(p->shop->clock) };
	pthread_mutex_unlock(&p->lock);
	if (since_ms) {
		start_at(p, since_ms);
		return;
	}
	bc_arena_reset(p->arena);
	p->op = (struct bc_store_op){ .in.meta.key = BC_STR(POSITION_KEY) };
	bc_pull_submit(p, BC_STORE_GET_META, p->arena, position_read);
}

static void asked(struct bc_task *task)
{
	struct bc_pull *p = BC_CONTAINER(task, struct bc_pull, asked);
	uint64_t since_ms = atomic_load(&p->asked_since_ms);
	atomic_store(&p->asking, false);
	if (!p->running && !p->stopping)
		begin(p, since_ms);
}

void bc_pull_begin(struct bc_pull *p, uint64_t since_ms)
{
	/* Seen as running from now on, so that who asks how it went waits for this one. */
	pthread_mutex_lock(&p->lock);
	bool runs = p->view.state == BC_PULL_RUNNING;
	if (!runs)
		p->view.state = BC_PULL_RUNNING;
	pthread_mutex_unlock(&p->lock);
	if (runs || atomic_exchange(&p->asking, true))
		return;
	atomic_store(&p->asked_since_ms, since_ms);
	bc_loop_post(p->loop, &p->asked);
}

static void due(void *ctx)
{
	struct bc_pull *p = ctx;
	if (!p->running && !p->stopping)
		begin(p, 0);
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_pull_create(struct bc_loop *loop, struct bc_shop *shop, struct bc_client *client,
		   uint64_t every_ms, struct bc_pull **ret_pull, struct bc_err *err)
{
	struct bc_pull *p = calloc(1, sizeof(*p));
	if (!p)
		return bc_err_nomem(err);
	p->loop = loop;
	p->shop = shop;
	p->client = client;
	p->every_ms = every_ms;
	p->asked.run = asked;
	pthread_mutex_init(&p->lock, NULL);
	p->timer = bc_timer_create(loop, due, p);
	p->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	p->list_arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	if (bc_desk_init(&p->desk, shop, loop, err) || !p->timer || !p->arena || !p->list_arena) {
		bc_pull_destroy(p);
		return bc_err_nomem(err);
	}
	if (every_ms)
		bc_timer_start(p->timer, every_ms < AGAIN_MS ? every_ms : (uint64_t)AGAIN_MS);
	*ret_pull = p;
	return 0;
}

void bc_pull_reconfigure(struct bc_pull *p, struct bc_shop_config *config, uint64_t every_ms)
{
	bc_desk_reconfigure(&p->desk, config);
	if (every_ms == p->every_ms)
		return;
	p->every_ms = every_ms;
	if (p->running)
		return;
	if (every_ms)
		bc_timer_start(p->timer, every_ms);
	else
		bc_timer_stop(p->timer);
}

void bc_pull_stop(struct bc_pull *p, void (*done)(void *ctx), void *ctx)
{
	p->stopping = true;
	p->stopped = done;
	p->stopped_ctx = ctx;
	bc_timer_stop(p->timer);
	(void)bc_pull_rests(p);
}

void bc_pull_destroy(struct bc_pull *p)
{
	if (!p)
		return;
	bc_timer_destroy(p->timer);
	bc_desk_finish(&p->desk);
	bc_arena_destroy(p->arena);
	bc_arena_destroy(p->list_arena);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
