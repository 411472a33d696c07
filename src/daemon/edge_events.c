/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: deliveries of Adobe I/O Events. What is said decides what Adobe does: a 5xx is
 * sent again for a day, any 4xx never. So 401 is for what Adobe did not sign for us, 400 for what
 * cannot ever be read (the journal has it still), and 503 for everything that may be otherwise
 * later; 200 when the orders are on disk.
 *
 * States of a delivery: its signatures are checked with the keys that are known, then with those
 * that are fetched one after the other (it waits in the key cache), then its events are read, then
 * its orders are taken (it waits in the store). It is answered once, from wherever it is by then.
 */
#include "daemon/edge_events.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/intake.h"

enum { PAIRS = 2, ARENA_BYTES = 8 * 1024, ARENA_MAX_BYTES = 16 * 1024 * 1024, FETCHES_MAX = 16 };

/* A signature, and where its key is. */
struct pair {
	struct bc_str signature, path;
	/* OPEN: the key is not known yet. BAD: it does not pass. LOST: it cannot be checked. */
	enum { PAIR_NONE, PAIR_OPEN, PAIR_BAD, PAIR_LOST } state;
};

/* One delivery; in the request's arena. */
struct delivery {
	struct edge_call *call;
	struct pair pairs[PAIRS];
	size_t at;	     /* the pair whose key is fetched */
	bool signed_somehow; /* there is a signature, of whatever kind */
	bool forged_path;
	struct bc_event_key_wait wait;
	struct bc_arena *arena; /* owned: for its events and orders */
	struct bc_event_list list;
	struct bc_commerce_order *orders;
	size_t count;
};

/* --- answers --------------------------------------------------------------------------------- */

static const struct verdict {
	enum bc_problem problem;
	const char *detail; /* for the sender */
	const char *hint;   /* for the shop's engineer */
} verdicts[BC_EVENTS_RESULTS] = {
	[BC_EVENTS_BAD_SIGNATURE] = { BC_PROBLEM_UNAUTHORIZED, "no signature of Adobe's passes",
				      "somebody else than Adobe sent it, or something on the way "
				      "changed the body: a proxy must pass it on byte for byte" },
	[BC_EVENTS_UNKNOWN_KEY_PATH] = { BC_PROBLEM_UNAUTHORIZED, "no key of Adobe's is named",
					 "somebody else than Adobe sent it; for events of Adobe's "
					 "stage set events.key_path" },
	[BC_EVENTS_KEY_UNAVAILABLE] = { BC_PROBLEM_BUSY, "the key cannot be fetched now",
					"Adobe sends it again; see events.key_unavailable" },
	[BC_EVENTS_OTHER_CLIENT] = { BC_PROBLEM_UNAUTHORIZED, "these events are for another client",
				     "set events.client_id to the client ID of the registration, "
				     "or "
				     "delete the registration that sends here" },
	[BC_EVENTS_MALFORMED] = { BC_PROBLEM_BAD_REQUEST, "these are no events",
				  "Adobe does not send it again; the journal has it for a week" },
	[BC_EVENTS_STORE_REFUSED] = { BC_PROBLEM_STORE_FAILED, "it cannot be stored now",
				      "Adobe sends it again" },
};

static void count(struct edge_call *call, enum bc_events_result result)
{
	atomic_fetch_add_explicit(&call->edge->shop->stats.events[result], 1, memory_order_relaxed);
}

static void finish(struct delivery *d)
{
	bc_event_list_finish(&d->list);
	bc_arena_destroy(d->arena);
}

static void refuse(struct delivery *d, enum bc_events_result result, const char *problem)
{
	struct edge_call *call = d->call;
	struct edge_events *events = call->edge->events;
	const struct verdict *v = &verdicts[result];
	uint64_t times = edge_tally_count(&events->refused[result], call->edge);
	if (times)
		bc_log_warning("events.refused", BC_LS("result", bc_events_result_name[result]),
			       BC_LU("count", times), BC_LS("problem", problem),
			       BC_LS("hint", v->hint));
	finish(d);
	count(call, result);
	edge_problem(call, v->problem, v->detail, NULL);
}

static void accept(struct delivery *d)
{
	struct edge_call *call = d->call;
	json_t *json = json_pack("{s:I, s:I}", "events", (json_int_t)d->list.count, "orders",
				 (json_int_t)d->count);
	finish(d);
	count(call, BC_EVENTS_ACCEPTED);
	edge_json(call, 200, json);
}

/* --- its orders ------------------------------------------------------------------------------ */

static void taken(void *ctx, int result, const struct bc_err *err,
		  const struct bc_intake_taken *how)
{
	struct delivery *d = ctx;
	(void)how;
	if (result)
		refuse(d, BC_EVENTS_STORE_REFUSED, err->text);
	else
		accept(d);
}

static bool is_ours(const struct delivery *d)
{
	const char *client_id = d->call->edge->settings->events_client_id;
	for (size_t i = 0; i < d->list.count; i++)
		if (!bc_str_eq(d->list.events[i].client_id, client_id))
			return false;
	return true;
}

/* 0, or BC_ENOMEM. An order that cannot be read is told of and left out. */
static int read_orders(struct delivery *d, struct bc_err *err)
{
	const char *attribute = d->call->edge->desk.config->click_attribute;
	d->orders = bc_arena_alloc(d->arena, (d->list.count + 1) * sizeof(*d->orders));
	if (!d->orders)
		return bc_err_nomem(err);
	for (size_t i = 0; i < d->list.count; i++) {
		const struct bc_event *event = &d->list.events[i];
		struct bc_err why = { 0 };
		int result = event->order
				     ? bc_commerce_order_read(event->order, attribute, d->arena,
							      &d->orders[d->count], &why)
				     : BC_EINVAL;
		d->count += result == 0;
		if (result == BC_ENOMEM)
			return bc_err_nomem(err);
		if (result && event->order)
			bc_log_warning("events.order_unreadable", BC_LSTR("id", event->id),
				       BC_LS("problem", why.text), BC_LS("hint", why.hint));
	}
	return 0;
}

static void take_orders(struct delivery *d)
{
	struct bc_edge *e = d->call->edge;
	const struct bc_str none = { NULL, 0 };
	struct bc_err err = { 0 };
	int result = read_orders(d, &err);
	if (!result && e->news)
		e->news(e->news_ctx);
	if (!result && d->count == 0) {
		accept(d);
		return;
	}
	if (!result)
		result = bc_intake_take(&e->desk, d->arena, BC_INTAKE_EVENT, d->orders, d->count,
					none, none, taken, d, &err);
	if (result)
		refuse(d, BC_EVENTS_STORE_REFUSED, err.text);
}

/* It is Adobe's; whose events are they? */
static void read_events(struct delivery *d)
{
	struct bc_err err = { 0 };
	d->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	int result = d->arena ? bc_events_read(d->call->body, d->arena, &d->list, &err)
			      : bc_err_nomem(&err);
	if (result == BC_ENOMEM)
		refuse(d, BC_EVENTS_STORE_REFUSED, err.text);
	else if (result)
		refuse(d, BC_EVENTS_MALFORMED, err.text);
	else if (!is_ours(d))
		refuse(d, BC_EVENTS_OTHER_CLIENT, NULL);
	else
		take_orders(d);
}

/* --- its signatures -------------------------------------------------------------------------- */

/* Does the pair pass? Else it is BAD, or LOST. */
static bool passes(const struct delivery *d, struct pair *pair, const struct bc_public_key *key)
{
	int result = bc_signature_check(d->call->body, pair->signature, key);
	pair->state = result < 0 ? PAIR_LOST : PAIR_BAD;
	return result == 1;
}

static void check_next(struct delivery *d);

static void key_came(struct bc_event_key_wait *wait, const struct bc_public_key *key,
		     const char *problem)
{
	struct delivery *d = BC_CONTAINER(wait, struct delivery, wait);
	struct pair *pair = &d->pairs[d->at];
	(void)problem; /* the cache told it */
	if (key && passes(d, pair, key)) {
		read_events(d);
		return;
	}
	if (!key)
		pair->state = PAIR_LOST;
	check_next(d);
}

static bool any(const struct delivery *d, int state)
{
	return (int)d->pairs[0].state == state || (int)d->pairs[1].state == state;
}

/* Fetches the next key that is still to come, or ends it: nothing passed. */
static void check_next(struct delivery *d)
{
	for (d->at = 0; d->at < PAIRS; d->at++) {
		struct pair *pair = &d->pairs[d->at];
		if (pair->state != PAIR_OPEN)
			continue;
		if (!bc_event_keys_fetch(d->call->edge->events->keys, pair->path, &d->wait))
			return;
		pair->state = PAIR_LOST;
	}
	refuse(d,
	       any(d, PAIR_LOST)		     ? BC_EVENTS_KEY_UNAVAILABLE
	       : any(d, PAIR_BAD) || !d->forged_path ? BC_EVENTS_BAD_SIGNATURE
						     : BC_EVENTS_UNKNOWN_KEY_PATH,
	       NULL);
}

static void read_pairs(struct delivery *d)
{
	static const char *const names[PAIRS][2] = {
		{ "x-adobe-digital-signature-1", "x-adobe-public-key1-path" },
		{ "x-adobe-digital-signature-2", "x-adobe-public-key2-path" },
	};
	for (size_t i = 0; i < PAIRS; i++) {
		struct pair *pair = &d->pairs[i];
		pair->signature = bc_http_header(d->call->http, names[i][0]);
		pair->path = bc_http_header(d->call->http, names[i][1]);
		d->signed_somehow = d->signed_somehow || pair->signature.ptr || pair->path.ptr;
		if (pair->signature.len == 0 || pair->path.len == 0)
			continue;
		if (bc_event_key_path_ok(pair->path, d->call->edge->events->key_prefix))
			pair->state = PAIR_OPEN;
		else
			d->forged_path = true;
	}
}

void edge_take_events(struct edge_call *call)
{
	struct bc_event_keys *keys = call->edge->events->keys;
	struct delivery *d = bc_arena_alloc(call->http->arena, sizeof(*d));
	if (!d) {
		edge_problem(call, BC_PROBLEM_BUSY, "no memory for the request", "try again");
		return;
	}
	*d = (struct delivery){ .call = call, .wait = { .done = key_came } };
	read_pairs(d);
	if (!d->signed_somehow && edge_validate(call))
		return;
	for (size_t i = 0; i < PAIRS; i++) {
		struct pair *pair = &d->pairs[i];
		const struct bc_public_key *key =
			pair->state == PAIR_OPEN ? bc_event_keys_look(keys, pair->path) : NULL;
		if (key && passes(d, pair, key)) {
			read_events(d);
			return;
		}
	}
	check_next(d);
}

/* --- life ------------------------------------------------------------------------------------ */

bool edge_events_on(const struct bc_edge *e)
{
	return e->settings->events_client_id != NULL;
}

/* With a slash at its end. NULL: no memory. */
static char *make_prefix(const char *path)
{
	size_t len = strlen(path);
	char *prefix = malloc(len + 2);
	if (!prefix)
		return NULL;
	memcpy(prefix, path, len + 1);
	if (len == 0 || path[len - 1] != '/')
		memcpy(prefix + len, "/", 2);
	return prefix;
}

int edge_open_events(struct bc_edge *e, struct bc_err *err)
{
	const struct bc_settings *s = e->settings;
	struct bc_loop *outbound = e->delivery_loop ? e->delivery_loop : e->loop;
	struct edge_events *events = e->events = calloc(1, sizeof(*events));
	if (!events)
		return bc_err_nomem(err);
	int result = bc_fetcher_create(e->loop, outbound, s->commerce_proxy, FETCHES_MAX,
				       &events->fetcher, err);
	if (!result)
		result = bc_event_keys_create(events->fetcher, e->shop->clock, s->events_key_url,
					      &events->keys, err);
	if (!result && !(events->key_prefix = make_prefix(s->events_key_path)))
		result = bc_err_nomem(err);
	if (result)
		edge_destroy_events(e);
	return result;
}

void edge_reconfigure_events(struct bc_edge *e)
{
	struct edge_events *events = e->events;
	char *prefix = make_prefix(e->settings->events_key_path);
	if (prefix && !bc_event_keys_reconfigure(events->keys, e->settings->events_key_url)) {
		free(events->key_prefix);
		events->key_prefix = prefix;
		return;
	}
	free(prefix);
	bc_log_warning("settings.warning", BC_LS("problem", "no memory for events.key_url"),
		       BC_LS("hint", "that of before stays in force: send SIGHUP again"));
}

static void fetcher_stopped(void *ctx)
{
	edge_part_closed(ctx);
}

void edge_stop_events(struct bc_edge *e)
{
	bc_fetcher_stop(e->events->fetcher, fetcher_stopped, e);
}

void edge_destroy_events(struct bc_edge *e)
{
	struct edge_events *events = e->events;
	if (!events)
		return;
	bc_event_keys_destroy(events->keys);
	bc_fetcher_destroy(events->fetcher);
	free(events->key_prefix);
	free(events);
	e->events = NULL;
}
