/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: the webhook of Commerce, which waits for it while a shopper waits for his
 * checkout. So what is signed is answered with success in the turn it came in, whatever it is about
 * and whatever becomes of it here; the store is asked afterwards, for a bounded number at a time.
 *
 * The order is not placed by then, and may never be. Nothing is taken but the click, which is kept
 * under the sessions of cart and order until the order itself is told of.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/intake.h"
#include "daemon/edge_impl.h"
#include "protocol/events.h"

enum { KEYS = 2, UNDER_WAY_MAX = 256, ARENA_BYTES = 4 * 1024, ARENA_MAX_BYTES = 256 * 1024 };

struct edge_webhook {
	struct bc_public_key *keys[KEYS]; /* owned; NULL: not set */
	unsigned under_way;
	struct edge_tally refused, dropped, odd, failed;
	bool stopping;
};

/* A click that is being kept; in its own arena. */
struct binding {
	struct bc_edge *edge;
	struct bc_arena *arena; /* owned: the binding lives in it */
	struct bc_commerce_order order;
};

static void count(struct bc_edge *e, enum bc_webhook result)
{
	atomic_fetch_add_explicit(&e->shop->stats.webhooks[result], 1, memory_order_relaxed);
}

/* --- its click ------------------------------------------------------------------------------- */

static void tell_failed(struct bc_edge *e, const struct bc_err *err)
{
	uint64_t times = edge_tally_count(&e->webhook->failed, e);
	count(e, BC_WEBHOOK_STORE_REFUSED);
	if (times)
		bc_log_warning(
			"webhook.not_kept", BC_LU("count", times), BC_LS("problem", err->text),
			BC_LS("hint", "the order's click is known only if its event has it"));
}

static void leave(struct bc_edge *e)
{
	e->webhook->under_way--;
	if (e->webhook->stopping && e->webhook->under_way == 0)
		edge_part_closed(e);
}

static void bound(void *ctx, int result, const struct bc_err *err,
		  const struct bc_intake_taken *taken)
{
	struct binding *b = ctx;
	struct bc_edge *e = b->edge;
	(void)taken;
	if (result)
		tell_failed(e, err);
	else
		count(e, BC_WEBHOOK_BOUND);
	bc_arena_destroy(b->arena);
	leave(e);
}

static void keep(struct binding *b)
{
	struct bc_edge *e = b->edge;
	struct bc_err err = { 0 };
	e->webhook->under_way++;
	int result = bc_intake_bind(&e->desk, b->arena, &b->order, bound, b, &err);
	if (result == 0)
		return;
	if (result < 0)
		tell_failed(e, &err);
	else
		count(e, BC_WEBHOOK_NOTHING);
	bc_arena_destroy(b->arena);
	leave(e);
}

static void tell_odd(struct bc_edge *e, const char *problem, const char *hint)
{
	uint64_t times = edge_tally_count(&e->webhook->odd, e);
	count(e, BC_WEBHOOK_NOTHING);
	if (times)
		bc_log_warning("webhook.ignored", BC_LU("count", times), BC_LS("problem", problem),
			       BC_LS("hint", hint));
}

/* NULL: there is nothing to keep, and it was counted. */
static struct binding *read_body(struct bc_edge *e, struct bc_str body)
{
	struct bc_arena *arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	struct binding *b = arena ? bc_arena_alloc(arena, sizeof(*b)) : NULL;
	json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_ALLOW_NUL, NULL);
	const json_t *order = bc_commerce_webhook_order(json);
	struct bc_err err = { 0 };
	int result = !b	      ? bc_err_nomem(&err)
		     : !json  ? bc_err_tell(&err, BC_EINVAL,
					    "register the webhook with Adobe's default JSON body",
					    "the body is not JSON")
		     : !order ? bc_err_tell(&err, BC_EINVAL,
					    "register it for the placing of orders alone",
					    "the body says nothing of an order")
			      : bc_commerce_order_read(order, e->desk.config->click_attribute,
						       arena, &b->order, &err);
	json_decref(json);
	if (!result) {
		b->edge = e;
		b->arena = arena;
		return b;
	}
	bc_arena_destroy(arena);
	if (result == BC_ENOMEM)
		tell_failed(e, &err);
	else
		tell_odd(e, err.text,
			 err.hint[0] ? err.hint : "register it for the placing of orders alone");
	return NULL;
}

/* --- whose it is ----------------------------------------------------------------------------- */

static bool is_signed(const struct edge_call *call)
{
	const struct edge_webhook *w = call->edge->webhook;
	struct bc_str signature = bc_http_header(call->http, "x-adobe-commerce-webhook-signature");
	for (size_t i = 0; i < KEYS && signature.len > 0; i++)
		if (w->keys[i] &&
		    bc_webhook_signature_check(call->body, signature, w->keys[i]) == 1)
			return true;
	return false;
}

static void refuse(struct edge_call *call)
{
	struct bc_edge *e = call->edge;
	uint64_t times = edge_tally_count(&e->webhook->refused, e);
	count(e, BC_WEBHOOK_BAD_SIGNATURE);
	if (times)
		bc_log_warning("webhook.refused", BC_LU("count", times),
			       BC_LS("hint",
				     "switch signatures on in Commerce and put its public key in "
				     "webhook.key; while the pair is changed, the new one in "
				     "webhook.key_next"));
	edge_problem(call, BC_PROBLEM_UNAUTHORIZED, "the signature does not pass", NULL);
}

static void drop(struct bc_edge *e)
{
	uint64_t times = edge_tally_count(&e->webhook->dropped, e);
	count(e, BC_WEBHOOK_DROPPED);
	if (times)
		bc_log_warning("webhook.dropped", BC_LU("count", times),
			       BC_LS("hint", "the store is slow: their clicks are known only if "
					     "the orders' events have them"));
}

void edge_take_webhook(struct edge_call *call)
{
	static const char success[] = "{\"op\":\"success\"}";
	struct bc_edge *e = call->edge;
	if (!is_signed(call)) {
		refuse(call);
		return;
	}
	bool room = e->webhook->under_way < UNDER_WAY_MAX && !e->webhook->stopping;
	struct binding *b = room ? read_body(e, call->body) : NULL;
	edge_text(call, 200, "application/json", NULL,
		  (struct bc_str){ success, sizeof(success) - 1 });
	if (!room)
		drop(e);
	else if (b)
		keep(b);
}

/* --- life ------------------------------------------------------------------------------------ */

bool edge_webhook_on(const struct bc_edge *e)
{
	return e->webhook->keys[0] || e->webhook->keys[1];
}

/* 0 and the key, NULL where none is set. */
static int read_key(const struct bc_secret *pem, const char *name, struct bc_public_key **ret_key,
		    struct bc_err *err)
{
	struct bc_err why = { 0 };
	*ret_key = NULL;
	if (!pem)
		return 0;
	struct bc_str text = { bc_secret_reveal(pem), bc_secret_len(pem) };
	int result = bc_public_key_read(text, ret_key, &why);
	if (result == BC_EINVAL) {
		bc_err_set(err, result, "\"%s\": %s", name, why.text);
		bc_err_hint(err, "%s", why.hint);
	}
	return result == BC_ENOMEM ? bc_err_nomem(err) : result;
}

static int read_keys(const struct bc_settings *s, struct bc_public_key *keys[KEYS],
		     struct bc_err *err)
{
	int result = read_key(s->webhook_key, "webhook.key", &keys[0], err);
	if (!result)
		result = read_key(s->webhook_key_next, "webhook.key_next", &keys[1], err);
	if (!result)
		return 0;
	bc_public_key_destroy(keys[0]);
	keys[0] = NULL;
	return result;
}

int edge_open_webhook(struct bc_edge *e, struct bc_err *err)
{
	e->webhook = calloc(1, sizeof(*e->webhook));
	if (!e->webhook)
		return bc_err_nomem(err);
	int result = read_keys(e->settings, e->webhook->keys, err);
	if (result)
		edge_destroy_webhook(e);
	return result;
}

void edge_reconfigure_webhook(struct bc_edge *e)
{
	struct bc_public_key *keys[KEYS] = { NULL };
	struct bc_err err = { 0 };
	if (read_keys(e->settings, keys, &err)) {
		bc_log_warning("settings.warning", BC_LS("problem", err.text),
			       BC_LS("hint", "the keys of before stay in force"));
		return;
	}
	for (size_t i = 0; i < KEYS; i++) {
		bc_public_key_destroy(e->webhook->keys[i]);
		e->webhook->keys[i] = keys[i];
	}
}

void edge_stop_webhook(struct bc_edge *e)
{
	e->webhook->stopping = true;
	if (e->webhook->under_way == 0)
		edge_part_closed(e);
}

void edge_destroy_webhook(struct bc_edge *e)
{
	if (!e->webhook)
		return;
	for (size_t i = 0; i < KEYS; i++)
		bc_public_key_destroy(e->webhook->keys[i]);
	free(e->webhook);
	e->webhook = NULL;
}
