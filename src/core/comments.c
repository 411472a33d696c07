/* SPDX-License-Identifier: MIT */
/*
 * See comments.h. The way of one comment:
 *
 *	LIST	what is due, from the store, a few at once
 *	FIND	an order whose entity id nobody told: searched by its number
 *	LOOK	does the comment stand there already?
 *	POST	it does not
 *	STORE	what became of it, and the next one
 */
#include "core/comments.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <backchannel/commerce.h>

#include "base/err.h"
#include "base/log.h"

enum {
	ARENA_BYTES = 8 * 1024,
	ARENA_MAX_BYTES = 1024 * 1024,
	LIST_LIMIT = 50,
	CALL_TIMEOUT_MS = 30 * 1000,
	FIRST_MS = 1000, /* at the start */
	AGAIN_MIN_MS = 1000,
	AGAIN_MAX_MS = 60 * 1000
};

const char *const bc_comment_result_name[BC_COMMENT_RESULTS] = { "written", "failed", "given_up" };

struct bc_comments {
	struct bc_loop *loop;	  /* borrowed */
	struct bc_shop *shop;	  /* borrowed */
	struct bc_client *client; /* borrowed */
	struct bc_desk desk;
	struct bc_timer *timer;
	struct bc_task woken; /* posted at most once */
	atomic_bool waking;
	bool busy, again, stopping;
	uint64_t wait_ms; /* after the last failure; 0: none */

	struct bc_arena *arena; /* of one list */
	struct bc_order *due;
	uint32_t count, next;
	uint64_t entity_id; /* of due[next] */
	char text[256];	    /* its comment */
	struct bc_store_op op;

	atomic_uint_fast64_t counts[BC_COMMENT_RESULTS];
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

static void work(struct bc_comments *c);

/* --- one after the other --------------------------------------------------------------------- */

/* True: it stops, and nothing may be begun. */
static bool rests(struct bc_comments *c)
{
	void (*stopped)(void *) = c->stopped;
	if (c->stopping && !c->busy && stopped) {
		c->stopped = NULL;
		stopped(c->stopped_ctx);
	}
	return c->stopping;
}

static const struct bc_order *current(const struct bc_comments *c)
{
	return &c->due[c->next];
}

static void count(struct bc_comments *c, enum bc_comment_result result)
{
	atomic_fetch_add_explicit(&c->counts[result], 1, memory_order_relaxed);
}

/* Neither Commerce nor the store is asked again before a while. */
static void try_later(struct bc_comments *c, const char *problem, const char *hint)
{
	c->busy = false;
	if (rests(c))
		return;
	c->wait_ms = c->wait_ms ? 2 * c->wait_ms : (uint64_t)AGAIN_MIN_MS;
	if (c->wait_ms > AGAIN_MAX_MS)
		c->wait_ms = AGAIN_MAX_MS;
	count(c, BC_COMMENTS_FAILED);
	bc_log_warning("comment.later", BC_LS("problem", problem), BC_LS("hint", hint),
		       BC_LU("again_in_ms", c->wait_ms));
	bc_timer_start(c->timer, c->wait_ms);
}

static void stored(struct bc_store_op *op)
{
	struct bc_comments *c = BC_CONTAINER(op, struct bc_comments, op);
	if (op->result && op->result != BC_ENOENT) {
		try_later(c, op->err.text, op->err.hint);
		return;
	}
	c->busy = false;
	c->next++;
	c->entity_id = 0;
	if (!rests(c))
		work(c);
}

static void submit(struct bc_comments *c, enum bc_store_kind kind, struct bc_arena *arena,
		   void (*done)(struct bc_store_op *op))
{
	c->op.kind = kind;
	c->op.arena = arena;
	c->op.done = done;
	c->busy = true;
	bc_desk_submit(&c->desk, &c->op);
}

static void store(struct bc_comments *c, enum bc_comment_state state)
{
	const struct bc_order *order = current(c);
	c->wait_ms = 0;
	count(c, state == BC_COMMENT_DONE ? BC_COMMENTS_WRITTEN : BC_COMMENTS_GIVEN_UP);
	c->op = (struct bc_store_op){ .in.put_comment = { .order = order->order,
							  .state = state,
							  .finished_ms = order->finished_ms,
							  .entity_id = c->entity_id } };
	submit(c, BC_STORE_PUT_COMMENT, NULL, stored);
}

static void give_up(struct bc_comments *c, const char *why)
{
	bc_log_warning("comment.given_up", BC_LSTR("order", current(c)->order),
		       BC_LS("reason", why),
		       BC_LS("meaning", "the hand-back itself is not touched by it"));
	store(c, BC_COMMENT_GIVEN_UP);
}

/* --- Commerce -------------------------------------------------------------------------------- */

static void ask(struct bc_comments *c, const char *method, const char *path, const char *body,
		bc_client_done *done)
{
	struct bc_err err = { 0 };
	struct bc_client_request request = { .method = method,
					     .path = path,
					     .body = body,
					     .body_bytes = body ? strlen(body) : 0,
					     .timeout_ms = CALL_TIMEOUT_MS };
	c->busy = true;
	if (bc_client_start(c->client, &request, done, c, &err))
		try_later(c, err.text, err.hint);
}

/* Does its answer end this step otherwise than by success? Then it has been dealt with. */
static bool ends(struct bc_comments *c, int result, const struct bc_client_answer *answer,
		 const struct bc_err *err)
{
	char why[64];
	c->busy = false;
	if (rests(c))
		return true;
	if (!result && answer->status < 300)
		return false;
	if (result) {
		try_later(c, err->text, err->hint);
		return true;
	}
	snprintf(why, sizeof(why), "Commerce answered %d", answer->status);
	/* A credential, or too many calls: not about this order. */
	bool theirs = answer->status < 500 && answer->status != 401 && answer->status != 403 &&
		      answer->status != 408 && answer->status != 429;
	if (theirs)
		give_up(c, why);
	else
		try_later(c, why, "does the credential's role allow comments on orders?");
	return true;
}

static void posted(void *ctx, int result, struct bc_client_answer *answer, const struct bc_err *err)
{
	struct bc_comments *c = ctx;
	if (ends(c, result, answer, err))
		return;
	bc_log_info("comment.written", BC_LSTR("order", current(c)->order));
	store(c, BC_COMMENT_DONE);
}

static void post(struct bc_comments *c)
{
	char path[64];
	/* No status: the order's own stays. */
	json_t *json = json_pack("{s{ss si si sI}}", "statusHistory", "comment", c->text,
				 "is_customer_notified", 0, "is_visible_on_front", 0, "parent_id",
				 (json_int_t)c->entity_id);
	char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	snprintf(path, sizeof(path), "/V1/orders/%" PRIu64 "/comments", c->entity_id);
	if (body)
		ask(c, "POST", path, body, posted);
	else
		try_later(c, "no memory for a comment", "");
	free(body);
}

static bool stands(const struct bc_client_answer *answer, const char *text)
{
	json_t *json = json_loadb(answer->body, answer->body_bytes, 0, NULL), *item;
	bool found = false;
	size_t i;
	json_array_foreach(json_object_get(json, "items"), i, item)
	{
		const char *comment = json_string_value(json_object_get(item, "comment"));
		found |= comment && strcmp(comment, text) == 0;
	}
	json_decref(json);
	return found;
}

static void looked(void *ctx, int result, struct bc_client_answer *answer, const struct bc_err *err)
{
	struct bc_comments *c = ctx;
	if (ends(c, result, answer, err))
		return;
	if (stands(answer, c->text))
		store(c, BC_COMMENT_DONE);
	else
		post(c);
}

static void look(struct bc_comments *c)
{
	char path[64];
	snprintf(path, sizeof(path), "/V1/orders/%" PRIu64 "/comments", c->entity_id);
	ask(c, "GET", path, NULL, looked);
}

static void found(void *ctx, int result, struct bc_client_answer *answer, const struct bc_err *err)
{
	struct bc_comments *c = ctx;
	if (ends(c, result, answer, err))
		return;
	json_t *json = json_loadb(answer->body, answer->body_bytes, 0, NULL);
	const json_t *order = json_array_get(json_object_get(json, "items"), 0);
	json_int_t id = json_integer_value(json_object_get(order, "entity_id"));
	json_decref(json);
	c->entity_id = id > 0 ? (uint64_t)id : 0;
	if (c->entity_id)
		look(c);
	else
		give_up(c, "Commerce has no order of that number");
}

static void find(struct bc_comments *c)
{
	const struct bc_order *order = current(c);
	bc_autofree char *query = NULL, *path = NULL, *number = bc_str_dup(order->order);
	struct bc_commerce_filter filter = { 0, "increment_id", number, NULL };
	struct bc_commerce_search search = { .filters = &filter,
					     .filter_count = 1,
					     .page_size = 1,
					     .current_page = 1,
					     .fields = "items[entity_id],total_count" };
	if (!number || bc_commerce_search_build(&search, &query, NULL) ||
	    asprintf(&path, "/V1/orders?%s", query) < 0)
		try_later(c, "no memory for a look-up", "");
	else
		ask(c, "GET", path, NULL, found);
}

/* --- what is due ----------------------------------------------------------------------------- */

/* The same for the same order, whenever it is made: so it is recognised. */
static void write_text(struct bc_comments *c)
{
	const struct bc_order *o = current(c);
	char at[BC_TIME_TEXT_BYTES];
	bc_time_format(o->finished_ms, at);
	if (o->state == BC_ORDER_DELIVERED)
		snprintf(c->text, sizeof(c->text),
			 "Click token handed back to %.*s (product %.*s) on %.10s at %.8s UTC.",
			 (int)o->partner.len, o->partner.ptr, (int)o->product.len, o->product.ptr,
			 at, at + 11);
	else
		snprintf(c->text, sizeof(c->text),
			 "Click token not taken by %.*s (product %.*s) on %.10s at %.8s UTC: %.*s.",
			 (int)o->partner.len, o->partner.ptr, (int)o->product.len, o->product.ptr,
			 at, at + 11, (int)(o->reason.len < 100 ? o->reason.len : 100),
			 o->reason.ptr ? o->reason.ptr : "");
}

static void listed(struct bc_store_op *op)
{
	struct bc_comments *c = BC_CONTAINER(op, struct bc_comments, op);
	if (op->result) {
		try_later(c, op->err.text, op->err.hint);
		return;
	}
	c->busy = false;
	c->due = op->out.list.orders;
	c->count = op->out.list.count;
	c->next = 0;
	c->entity_id = 0;
	if (!rests(c) && c->count)
		work(c);
	else if (c->again && !c->stopping)
		bc_comments_wake(c);
	c->again = false;
}

static void list(struct bc_comments *c)
{
	c->count = c->next = 0;
	bc_arena_reset(c->arena);
	c->op = (struct bc_store_op){ .in.comments.limit = LIST_LIMIT };
	submit(c, BC_STORE_DUE_COMMENTS, c->arena, listed);
}

static void work(struct bc_comments *c)
{
	if (c->next == c->count) {
		list(c);
		return;
	}
	const struct bc_order *order = current(c);
	if (!c->entity_id)
		c->entity_id = order->entity_id;
	write_text(c);
	if (c->entity_id)
		look(c);
	else
		find(c);
}

static void begin(void *ctx)
{
	struct bc_comments *c = ctx;
	if (!c->busy && !c->stopping)
		work(c);
}

static void woken(struct bc_task *task)
{
	struct bc_comments *c = BC_CONTAINER(task, struct bc_comments, woken);
	atomic_store(&c->waking, false);
	c->again = c->busy;
	if (!c->wait_ms)
		begin(c);
}

/* --- life ------------------------------------------------------------------------------------ */

void bc_comments_wake(struct bc_comments *c)
{
	if (c && !atomic_exchange(&c->waking, true))
		bc_loop_post(c->loop, &c->woken);
}

int bc_comments_create(struct bc_loop *loop, struct bc_shop *shop, struct bc_client *client,
		       struct bc_comments **ret_comments, struct bc_err *err)
{
	struct bc_comments *c = calloc(1, sizeof(*c));
	if (!c)
		return bc_err_nomem(err);
	c->loop = loop;
	c->shop = shop;
	c->client = client;
	c->woken.run = woken;
	c->timer = bc_timer_create(loop, begin, c);
	c->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	if (bc_desk_init(&c->desk, shop, loop, err) || !c->timer || !c->arena) {
		bc_comments_destroy(c);
		return bc_err_nomem(err);
	}
	bc_timer_start(c->timer, FIRST_MS);
	*ret_comments = c;
	return 0;
}

void bc_comments_reconfigure(struct bc_comments *c, struct bc_shop_config *config)
{
	bc_desk_reconfigure(&c->desk, config);
}

void bc_comments_counts(struct bc_comments *c, uint64_t ret_counts[BC_COMMENT_RESULTS])
{
	for (size_t i = 0; i < BC_COMMENT_RESULTS; i++)
		ret_counts[i] = atomic_load(&c->counts[i]);
}

void bc_comments_stop(struct bc_comments *c, void (*done)(void *ctx), void *ctx)
{
	c->stopping = true;
	c->stopped = done;
	c->stopped_ctx = ctx;
	bc_timer_stop(c->timer);
	(void)rests(c);
}

void bc_comments_destroy(struct bc_comments *c)
{
	if (!c)
		return;
	bc_timer_destroy(c->timer);
	bc_desk_finish(&c->desk);
	bc_arena_destroy(c->arena);
	free(c);
}
