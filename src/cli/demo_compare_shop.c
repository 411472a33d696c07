/* SPDX-License-Identifier: MIT */
/*
 * The two shops. At a landing the one calls the sample's middleware; ours reports the URL to the
 * daemon and sets the cookie bc_click to what it answered. At an order the one calls the sample's
 * processOrderCompletion; ours reports the order with that cookie. Neither tries anything again.
 *
 * Nothing that a shop was told counts: what was returned, lost or doubled is read from the
 * partners' books.
 */
#include "cli/demo_compare.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"

/* Longer than any back-off can last after the faults here. */
enum { SETTLE_MS = 30 * 1000, CHECKOUT_TIMEOUT_MS = 10 * 1000, ANSWER_MAX_BYTES = 64 * 1024 };

static uint64_t now_ms(void)
{
	return bc_elapsed_ms(&bc_clock_system);
}

/* --- shoppers ----------------------------------------------------------------------------------
 */

/* Behind the good ones two kinds of dead tokens, by turns: one the partner does not know (422), and
 * one that it answers as it does a wrong URL (404; see the rule in the fault). */
static const char *token_of(struct demo *d, size_t n)
{
	const char *first = n < COMPARE_ORDERS ? "12a3b" : n % 2 ? "forged" : "unknown";
	return demo_text(d, "%s-4c5d-6e7-8f9%02d", first, (int)n);
}

void compare_invite(struct compare *c, bool dead_tokens)
{
	c->shopper_count = dead_tokens ? COMPARE_SHOPPERS : COMPARE_ORDERS;
	for (size_t i = 0; i < c->shopper_count; i++) {
		struct compare_shopper *s = &c->shoppers[i];
		const char *session = demo_text(c->d, "sess-7f3a9c1e5b2d-%02d", (int)i);
		*s = (struct compare_shopper){ .order = demo_text(c->d, "1000%02d", (int)i + 1),
					       .token = token_of(c->d, i),
					       .session_at_landing = session,
					       .session_at_order = session };
		s->url = demo_text(c->d,
				   "https://www.website.com/landingpage?channel=sovendus"
				   "&sovReqToken=%s",
				   s->token);
	}
}

/* --- the landing -------------------------------------------------------------------------------
 */

static bool capture(struct compare *c, struct compare_shopper *s)
{
	struct demo *d = c->d;
	const char *session = s->session_at_landing
				      ? demo_text(d, ",\"session\":\"%s\"", s->session_at_landing)
				      : "";
	const char *body = demo_text(d, "{\"url\":\"%s\"%s}", s->url, session);
	if (!demo_ask(d, d->daemon.address, "POST", "/v1/clicks", body))
		return false;
	s->cookie = d->answer.status == 201 ? demo_field(d, "click") : NULL;
	return true;
}

bool compare_land(struct compare *c, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct compare_shopper *s = &c->shoppers[i];
		demo_sample_capture(&c->sample, s->url, s->session_at_landing);
		if (!capture(c, s))
			return false;
	}
	return true;
}

/* --- the order ---------------------------------------------------------------------------------
 */

/* The daemon has answered our shop, or not. A good shop would report the order again later; this
 * one does not, so that nothing but the daemon can make up for a fault. */
static void reported(void *ctx, const struct bc_http_answer *answer)
{
	struct compare *c = ctx;
	c->reports--;
	if (answer->duration_ms > c->longest_ms)
		c->longest_ms = answer->duration_ms;
	bc_loop_stop(c->d->loop);
}

static bool report(struct compare *c, const struct compare_shopper *s)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct demo *d = c->d;
	struct bc_err err = { 0 };
	const char *click = s->cookie ? demo_text(d, ",\"click\":\"%s\"", s->cookie) : "";
	const char *body = demo_text(d, "{\"order\":\"%s\"%s,\"session\":\"%s\"}", s->order, click,
				     s->session_at_order);
	struct bc_http_exchange exchange = { .method = "POST",
					     .url = demo_text(d, "http://%s/v1/orders",
							      d->daemon.address),
					     .headers = headers,
					     .body = body,
					     .body_bytes = strlen(body),
					     .timeout_ms = CHECKOUT_TIMEOUT_MS,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	if (bc_http_call_start(d->client, &exchange, reported, c, NULL, &err))
		return demo_fail(d, "an order is reported", &err);
	c->reports++;
	return true;
}

bool compare_order(struct compare *c, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct compare_shopper *s = &c->shoppers[i];
		demo_sample_order(&c->sample, s->session_at_order, s->order);
		if (!report(c, s))
			return false;
	}
	return !c->d->interrupted;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

/* Every request has its time-out, so this ends. */
bool compare_await_checkouts(struct compare *c)
{
	while ((c->sample.under_way || c->reports) && !c->d->interrupted)
		bc_loop_run(c->d->loop);
	return !c->d->interrupted;
}

/* An answer that comes meanwhile stops the loop, too. */
bool compare_pass(struct compare *c, uint64_t ms)
{
	uint64_t now, end = now_ms() + ms;
	while ((now = now_ms()) < end && demo_sleep(c->d, end - now))
		continue;
	return !c->d->interrupted;
}

bool compare_daemon_runs(struct compare *c)
{
	struct demo_child *daemon = &c->d->daemon;
	int status;
	char text[96];
	if (daemon->pid && demo_ended(daemon->pid, &status)) {
		daemon->pid = 0;
		c->daemon_lost = true;
		demo_note(c->d, "the daemon is gone: %s",
			  demo_end_text(status, text, sizeof(text)));
	}
	return daemon->pid != 0;
}

static bool none_waits(const json_t *orders)
{
	size_t i;
	json_t *order;
	json_array_foreach(orders, i, order)
	{
		const char *state = json_string_value(json_object_get(order, "state"));
		if (!state || strcmp(state, "pending") == 0 || strcmp(state, "sending") == 0)
			return false;
	}
	return json_is_array(orders);
}

static bool lane_is(const json_t *lanes, const char *state)
{
	const char *is = json_string_value(json_object_get(json_array_get(lanes, 0), "state"));
	return is && strcmp(is, state) == 0;
}

/* Asks the daemon until state (of the lane), or NULL: until no order waits. */
static bool await_daemon(struct compare *c, const char *path, const char *state)
{
	struct demo *d = c->d;
	uint64_t end = now_ms() + SETTLE_MS;
	while (now_ms() < end && compare_daemon_runs(c)) {
		if (!demo_ask(d, d->daemon.address, "GET", path, NULL))
			return false;
		if (state ? lane_is(json_object_get(d->answer.json, "lanes"), state)
			  : none_waits(json_object_get(d->answer.json, "orders")))
			break;
		if (!demo_sleep(d, DEMO_POLL_MS))
			return false;
	}
	return !d->interrupted;
}

bool compare_settle(struct compare *c)
{
	return compare_await_checkouts(c) && await_daemon(c, "/v1/orders?limit=100", NULL);
}

bool compare_await_lane(struct compare *c, const char *state)
{
	return await_daemon(c, "/v1/lanes", state);
}

/* --- the partners ------------------------------------------------------------------------------
 */

static bool tell(struct compare *c, const char *method, const char *path, const char *body)
{
	struct demo *d = c->d;
	const struct demo_child *const partners[] = { &d->sample_partner, &d->sandbox };
	for (size_t i = 0; i < BC_COUNT(partners); i++) {
		if (!demo_ask(d, partners[i]->address, method, path, body))
			return false;
		if (d->answer.status / 100 != 2)
			return demo_expect_status(d, 200,
						  demo_text(d, "the %s obeys", partners[i]->name));
	}
	return true;
}

bool compare_misbehave(struct compare *c, const char *spec)
{
	return tell(c, "POST", "/_sandbox/faults", demo_text(c->d, "{\"faults\":\"%s\"}", spec));
}

bool compare_open_books(struct compare *c)
{
	return tell(c, "DELETE", "/_sandbox", NULL);
}

static int number(const json_t *object, const char *key)
{
	return (int)json_integer_value(json_object_get(object, key));
}

/* Attempts of this order of which our ledger does not know what they came to. */
static bool count_unknown(struct compare *c, const char *order, int *ret_unknown)
{
	struct demo *d = c->d;
	size_t i;
	json_t *attempt;
	*ret_unknown = 0;
	if (!compare_daemon_runs(c))
		return true;
	if (!demo_ask(d, d->daemon.address, "GET", demo_text(d, "/v1/orders/%s", order), NULL))
		return false;
	json_array_foreach(json_object_get(d->answer.json, "attempts"), i, attempt)
	{
		const char *outcome = json_string_value(json_object_get(attempt, "outcome"));
		*ret_unknown += outcome && strcmp(outcome, "unknown") == 0;
	}
	return true;
}

static bool read_side(struct compare *c, const struct demo_child *partner,
		      struct compare_side *side, int taken[COMPARE_ORDERS])
{
	struct demo *d = c->d;
	if (!demo_ask(d, partner->address, "GET", "/_sandbox/counts", NULL))
		return false;
	const json_t *tokens = json_object_get(d->answer.json, "tokens");
	if (!tokens) {
		demo_expect(d, false, demo_text(d, "the %s shows its books", partner->name),
			    d->answer.status ? "an answer without them" : d->answer.error);
		return false;
	}
	side->asked = number(d->answer.json, "posts");
	for (size_t i = 0; i < COMPARE_ORDERS; i++) {
		taken[i] = number(json_object_get(tokens, c->shoppers[i].token), "accepted");
		side->returned += taken[i] > 0;
		side->lost += taken[i] == 0;
		side->doubled += taken[i] > 1 ? taken[i] - 1 : 0;
	}
	return true;
}

bool compare_read_books(struct compare *c, struct compare_result *r)
{
	int taken[COMPARE_ORDERS];
	r->orders = COMPARE_ORDERS;
	r->dead = (int)c->shopper_count - COMPARE_ORDERS;
	if (!read_side(c, &c->d->sample_partner, &r->sample, taken) ||
	    !read_side(c, &c->d->sandbox, &r->ours, taken))
		return false;
	for (size_t i = 0; i < COMPARE_ORDERS; i++) {
		int unknown = 0, repeats = taken[i] - 1;
		if (repeats > 0 && !count_unknown(c, c->shoppers[i].order, &unknown))
			return false;
		if (repeats > 0)
			r->unknown += unknown < repeats ? unknown : repeats;
	}
	r->sample.longest_ms = c->sample.longest_ms;
	r->ours.longest_ms = c->longest_ms;
	r->sample_failures = c->sample.failures;
	r->daemon_lost = c->daemon_lost;
	return true;
}
