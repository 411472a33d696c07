/* SPDX-License-Identifier: MIT */
/*
 * See alerts.h. One queue, one timer, at most one question to the store and one POST at a time, of
 * the first in the queue:
 *
 *	IDLE	  nothing waits, or the timer is set to begin
 *	COUNTING  the store is asked how many conversions wait on the alert's lane
 *	CALLING	  the POST is under way
 *	WAITING	  it failed; the timer is set for the next try
 *
 * The receiver is not ours: what it answers decides nothing but whether it is asked again, its body
 * is not looked at, and its URL, which may carry a key, stands in no line.
 */
#include "core/alerts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/lanes.h"
#include "core/tokens.h"

enum {
	TRIES = 3,
	CONNECT_TIMEOUT_MS = 5000,
	TIMEOUT_MS = 20 * 1000,
	WAIT_MAX_MS = 30 * 1000, /* with the timeouts: all tries within two minutes */
	WAIT_GROWS_BITS = 3,
	BODY_MAX_BYTES = 16 * 1024,
	ANSWER_MAX_BYTES = 1024,
	ARENA_BYTES = 4096,
	ARENA_MAX_BYTES = 256 * 1024
};

/* Where the documentation stands, ended by a slash: a path in the source, or who builds it says
 * where it is published. */
#ifndef BC_DOCS_ROOT
#define BC_DOCS_ROOT "docs/"
#endif

const char *const bc_alert_result_name[BC_ALERT_RESULTS] = {
	[BC_ALERT_SENT] = "sent",
	[BC_ALERT_FAILED] = "failed",
	[BC_ALERT_DROPPED] = "dropped",
};

struct alert {
	struct alert *next;
	json_t *body; /* owned */
	unsigned tries;
};

struct bc_alerts {
	struct bc_loop *loop;		/* borrowed */
	struct bc_shop *shop;		/* borrowed */
	struct bc_shop_config *config;	/* a reference */
	struct bc_http_client *client;	/* owned */
	struct bc_timer *timer, *grace; /* owned */
	enum { IDLE, COUNTING, CALLING, WAITING } state;
	struct alert *first, **end; /* owned; what the state speaks of is the first */
	size_t waiting;

	struct bc_origin origin;
	struct bc_arena *arena; /* owned; the question's */
	struct bc_store_op question;
	struct bc_http_call *call; /* of CALLING, with what it borrows: */
	struct bc_secret *url;	   /* a reference */
	char *text;		   /* owned */

	bool stopping, cut; /* cut: the grace is over */
	void (*done)(void *ctx);
	void *done_ctx;
	atomic_uint_fast64_t counts[BC_ALERT_RESULTS];
};

/* --- the queue ------------------------------------------------------------------------------- */

static const char *text_of(const struct alert *alert, const char *key)
{
	return json_string_value(json_object_get(alert->body, key));
}

static void alert_destroy(struct alert *alert)
{
	if (alert)
		json_decref(alert->body);
	free(alert);
}

static void count(struct bc_alerts *a, enum bc_alert_result result)
{
	atomic_fetch_add_explicit(&a->counts[result], 1, memory_order_relaxed);
}

/* Takes out the one that slot points at. */
static struct alert *take(struct bc_alerts *a, struct alert **slot)
{
	struct alert *alert = *slot;
	*slot = alert->next;
	if (a->end == &alert->next)
		a->end = slot;
	a->waiting--;
	return alert;
}

/* The text is left out: it may be what an alert is dropped for. */
static void drop(struct bc_alerts *a, struct alert **slot, const char *reason)
{
	struct alert *alert = take(a, slot);
	count(a, BC_ALERT_DROPPED);
	bc_log_warning(
		"alert.dropped", BC_LS("reason", reason), BC_LS("alert", text_of(alert, "event")),
		BC_LS("lane", text_of(alert, "lane")), BC_LS("product", text_of(alert, "product")),
		BC_LS("to", text_of(alert, "to")));
	alert_destroy(alert);
}

static bool in_use(const struct bc_alerts *a)
{
	return a->state == COUNTING || a->state == CALLING;
}

static void drop_waiting(struct bc_alerts *a, const char *reason)
{
	struct alert **slot = in_use(a) ? &a->first->next : &a->first;
	while (*slot)
		drop(a, slot, reason);
}

static void make_room(struct bc_alerts *a)
{
	if (a->waiting == BC_ALERTS_WAITING)
		drop(a, in_use(a) ? &a->first->next : &a->first, "too many wait");
}

/* --- the body -------------------------------------------------------------------------------- */

/* False without memory. What is not UTF-8 stands there with a "?" for each odd byte. */
static bool put_text(json_t *body, const char *key, const char *value)
{
	if (!value || json_object_set_new(body, key, json_string(value)) == 0)
		return true;
	bc_autofree char *copy = bc_str_dup(bc_str_of(value));
	for (char *c = copy; c && *c; c++)
		if (*c & 0x80)
			*c = '?';
	return copy && json_object_set_new(body, key, json_string(copy)) == 0;
}

static json_t *body_of(const struct bc_alert *alert)
{
	char at[BC_TIME_TEXT_BYTES], runbook[sizeof(BC_DOCS_ROOT) + 64];
	bool idle = !alert->hint || !alert->hint[0];
	if (alert->page)
		snprintf(runbook, sizeof(runbook), BC_DOCS_ROOT "howto/%s.md", alert->page);
	const struct {
		const char *key, *value;
	} members[] = {
		{ "event", alert->event },
		{ "at", bc_time_format(alert->at_ms, at) },
		{ "lane", alert->lane },
		{ "product", alert->product },
		{ "from", alert->from },
		{ "to", alert->to },
		{ "reason", alert->reason },
		{ "hint", idle ? "nothing to do" : alert->hint },
		{ "runbook", alert->page ? runbook : NULL },
		{ "text", alert->text },
		{ "version", BC_VERSION },
	};
	json_t *body = json_object();
	bool whole = body != NULL;
	for (size_t i = 0; whole && i < BC_COUNT(members); i++)
		whole = put_text(body, members[i].key, members[i].value);
	if (whole)
		return body;
	json_decref(body);
	return NULL;
}

/* --- one try --------------------------------------------------------------------------------- */

static void end_call(struct bc_alerts *a)
{
	a->call = NULL;
	free(a->text);
	a->text = NULL;
	bc_secret_unref(a->url);
	a->url = NULL;
}

static void rest(struct bc_alerts *a, uint64_t delay_ms)
{
	a->state = delay_ms ? WAITING : IDLE;
	bc_timer_start(a->timer, delay_ms);
}

static void settle(struct bc_alerts *a, enum bc_alert_result result,
		   const struct bc_http_answer *answer)
{
	struct alert *alert = take(a, &a->first);
	bool sent = result == BC_ALERT_SENT;
	count(a, result);
	if (sent)
		bc_log_info("alert.sent", BC_LS("alert", text_of(alert, "event")),
			    BC_LS("text", text_of(alert, "text")), BC_LU("tries", alert->tries),
			    BC_LMS("duration", answer->duration_ms));
	else
		bc_log_warning("alert.failed", BC_LS("alert", text_of(alert, "event")),
			       BC_LS("text", text_of(alert, "text")), BC_LU("tries", alert->tries),
			       BC_LI("status", answer->status), BC_LS("error", answer->error_text));
	alert_destroy(alert);
	rest(a, 0);
}

static uint64_t wait_ms(const struct bc_alerts *a, unsigned tries)
{
	uint64_t base = a->config->retry.base_ms, limit = WAIT_MAX_MS;
	if (base > limit)
		return limit;
	base <<= WAIT_GROWS_BITS * (tries - 1);
	return base > limit ? limit : base ? base : 1;
}

static void try_over(struct bc_alerts *a, const struct bc_http_answer *answer)
{
	struct alert *alert = a->first;
	alert->tries++;
	if (!answer->error && answer->status >= 200 && answer->status < 300)
		settle(a, BC_ALERT_SENT, answer);
	else if (a->stopping || alert->tries == TRIES)
		settle(a, BC_ALERT_FAILED, answer);
	else
		rest(a, wait_ms(a, alert->tries));
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct bc_alerts *a = ctx;
	end_call(a);
	try_over(a, answer);
}

static void try_failed(struct bc_alerts *a, const struct bc_err *err)
{
	struct bc_http_answer none = { .error = err->code };
	snprintf(none.error_text, sizeof(none.error_text), "%.*s", (int)sizeof(none.error_text) - 1,
		 err->text);
	try_over(a, &none);
}

static int start_call(struct bc_alerts *a, struct bc_err *err)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	a->url = bc_secret_ref(a->config->alert_url);
	struct bc_http_exchange exchange = { .method = "POST",
					     .url = bc_secret_reveal(a->url),
					     .headers = headers,
					     .body = a->text,
					     .body_bytes = strlen(a->text),
					     .connect_timeout_ms = CONNECT_TIMEOUT_MS,
					     .timeout_ms = TIMEOUT_MS,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	return bc_http_call_start(a->client, &exchange, answered, a, &a->call, err);
}

/* Why the first may not leave, or NULL. What it says comes from settings and answers; a key must
 * not be in it. */
static const char *refusal(const struct bc_alerts *a)
{
	if (!a->config->alert_url)
		return "alert.url was taken out";
	if (a->text && strlen(a->text) > BODY_MAX_BYTES)
		return "it is too long";
	if (a->text && bc_secret_occurs(a->text, strlen(a->text)))
		return "it would have held a secret";
	return NULL;
}

static void send_first(struct bc_alerts *a)
{
	struct bc_err err = { 0 };
	a->state = IDLE;
	a->text = json_dumps(a->first->body, JSON_COMPACT);
	const char *refused = refusal(a);
	if (refused) {
		end_call(a);
		drop(a, &a->first, refused);
		rest(a, 0);
		return;
	}
	int result = a->text ? start_call(a, &err) : bc_err_nomem(&err);
	if (!result) {
		a->state = CALLING;
		return;
	}
	end_call(a);
	try_failed(a, &err);
}

/* --- how many wait --------------------------------------------------------------------------- */

static void lanes_counted(struct bc_store_op *op)
{
	struct bc_alerts *a = op->ctx;
	const char *lane = text_of(a->first, "lane");
	char name[BC_LANE_NAME_BYTES];
	if (a->cut) {
		rest(a, 0);
		return;
	}
	for (uint32_t i = 0; !op->result && i < op->out.lanes.count; i++) {
		const struct bc_lane_count *l = &op->out.lanes.lanes[i];
		if (strcmp(bc_lane_name(l->partner, l->product, name), lane) == 0)
			json_object_set_new(
				a->first->body, "pending",
				json_integer((json_int_t)l->pending + (json_int_t)l->sending));
	}
	send_first(a);
}

static void ask_store(struct bc_alerts *a)
{
	a->state = COUNTING;
	bc_arena_reset(a->arena);
	a->question = (struct bc_store_op){
		.kind = BC_STORE_LANES, .done = lanes_counted, .ctx = a, .arena = a->arena
	};
	bc_store_submit(a->shop->store, &a->origin.base, &a->question);
}

static void begin(struct bc_alerts *a)
{
	if (text_of(a->first, "lane"))
		ask_store(a);
	else
		send_first(a);
}

static void timer_fired(void *ctx)
{
	struct bc_alerts *a = ctx;
	if (in_use(a))
		return;
	a->state = IDLE;
	if (a->cut)
		drop_waiting(a, "the daemon stops");
	if (a->first)
		begin(a);
	else if (a->done) {
		void (*done)(void *ctx) = a->done;
		a->done = NULL;
		bc_timer_stop(a->grace);
		done(a->done_ctx);
	}
}

/* --- what others call ------------------------------------------------------------------------ */

static void enqueue(struct bc_alerts *a, const struct bc_alert *from)
{
	struct alert *alert = calloc(1, sizeof(*alert));
	if (alert)
		alert->body = body_of(from);
	if (!alert || !alert->body) {
		alert_destroy(alert);
		count(a, BC_ALERT_DROPPED);
		bc_log_warning("alert.dropped", BC_LS("reason", "no memory"),
			       BC_LS("alert", from->event), BC_LS("lane", from->lane),
			       BC_LS("product", from->product), BC_LS("to", from->to));
		return;
	}
	make_room(a);
	*a->end = alert;
	a->end = &alert->next;
	a->waiting++;
}

void bc_alerts_raise(struct bc_alerts *a, const struct bc_alert *alert)
{
	if (!a || !a->config->alert_url || a->stopping)
		return;
	enqueue(a, alert);
	if (a->state == IDLE)
		bc_timer_start(a->timer, 0);
}

void bc_alerts_token_changed(void *alerts, const struct bc_token_change *change)
{
	bc_alerts_raise(alerts, &(struct bc_alert){ .event = "token.state",
						    .from = change->from,
						    .to = change->to,
						    .reason = change->reason,
						    .hint = change->hint,
						    .page = "token-refused",
						    .text = change->text,
						    .at_ms = change->at_ms });
}

void bc_alerts_reconfigure(struct bc_alerts *a, struct bc_shop_config *config)
{
	struct bc_shop_config *former = a->config;
	a->config = bc_shop_config_ref(config);
	bc_shop_config_unref(former);
	if (!config->alert_url)
		drop_waiting(a, "alert.url was taken out");
}

static void grace_over(void *ctx)
{
	struct bc_alerts *a = ctx;
	a->cut = true;
	if (a->state == CALLING) {
		bc_http_call_cancel(a->call);
		end_call(a);
		a->state = IDLE;
	}
	timer_fired(a); /* COUNTING: when the store has answered */
}

void bc_alerts_stop(struct bc_alerts *a, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
	a->stopping = true;
	a->done = done;
	a->done_ctx = ctx;
	bc_timer_start(a->grace, grace_ms);
	if (!in_use(a))
		rest(a, 0);
}

void bc_alerts_counts(struct bc_alerts *a, uint64_t ret_counts[BC_ALERT_RESULTS])
{
	for (size_t i = 0; i < BC_ALERT_RESULTS; i++)
		ret_counts[i] = a ? atomic_load_explicit(&a->counts[i], memory_order_relaxed) : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

int bc_alerts_create(struct bc_loop *loop, struct bc_shop *shop, struct bc_alerts **ret_alerts,
		     struct bc_err *err)
{
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = shop->config->proxy,
						  .connections_max = 1 };
	struct bc_alerts *a = calloc(1, sizeof(*a));
	if (!a)
		return bc_err_nomem(err);
	a->loop = loop;
	a->shop = shop;
	a->config = bc_shop_config_ref(shop->config);
	a->end = &a->first;
	bc_origin_init(&a->origin, loop);
	a->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	a->timer = bc_timer_create(loop, timer_fired, a);
	a->grace = bc_timer_create(loop, grace_over, a);
	int result = a->arena && a->timer && a->grace
			     ? bc_http_client_create(loop, &options, &a->client, err)
			     : bc_err_nomem(err);
	if (result)
		bc_alerts_destroy(a);
	else
		*ret_alerts = a;
	return result;
}

void bc_alerts_destroy(struct bc_alerts *a)
{
	if (!a)
		return;
	BC_ASSERT(a->state != COUNTING);
	bc_http_client_destroy(a->client);
	end_call(a);
	while (a->first)
		alert_destroy(take(a, &a->first));
	bc_timer_destroy(a->timer);
	bc_timer_destroy(a->grace);
	bc_origin_finish(&a->origin);
	bc_arena_destroy(a->arena);
	bc_shop_config_unref(a->config);
	free(a);
}
