/* SPDX-License-Identifier: MIT */
/*
 * The eight faults. In each, both shops live through the same story at the same time; whatever is
 * done to one (a restart, a wrong key) is done to the other. docs/compare.md says of each why it
 * ends as it does.
 */
#include "cli/demo_compare.h"

#define WRONG_KEY "XXXX-WRONG-XXXXXX-XXX"

/* A partner that is down is all of this, by turns: what stands before it answers 503, a connection
 * is reset, and a request is never answered. */
#define DOWN                                                                                       \
	"POST /ext/* status=503 every=3, POST /ext/* reset-after every=2, "                        \
	"POST /ext/* hang"

static bool land_all(struct compare *c)
{
	return compare_land(c, 0, c->shopper_count);
}

static bool order_before(struct compare *c)
{
	return compare_order(c, 0, COMPARE_HIT_FROM) && compare_settle(c);
}

static bool order_hit(struct compare *c)
{
	return compare_order(c, COMPARE_HIT_FROM, COMPARE_HIT_TO);
}

static bool order_after(struct compare *c)
{
	return compare_order(c, COMPARE_HIT_TO, COMPARE_ORDERS);
}

static bool order_all(struct compare *c)
{
	return compare_order(c, 0, COMPARE_ORDERS);
}

static bool play_down(struct compare *c)
{
	if (!land_all(c) || !order_before(c) || !compare_misbehave(c, DOWN))
		return false;
	for (size_t i = COMPARE_HIT_FROM; i < COMPARE_HIT_TO; i++)
		if (!compare_order(c, i, i + 1) ||
		    !compare_pass(c, COMPARE_MINUTE_MS / (COMPARE_HIT_TO - COMPARE_HIT_FROM)))
			return false;
	return compare_misbehave(c, "") && order_after(c);
}

/* The daemon is not asked to end: it gets SIGKILL. */
static bool play_restart(struct compare *c)
{
	if (!compare_land(c, 0, COMPARE_HIT_TO) || !order_before(c) ||
	    !compare_restart_daemon(c, true, NULL))
		return false;
	demo_sample_restart(&c->sample);
	return order_hit(c) && compare_land(c, COMPARE_HIT_TO, COMPARE_ORDERS) && order_after(c);
}

/* The sample keeps its cache while its key is changed, though its process would have to be started
 * again for that: this fault is to count alone. */
static bool play_wrong_key(struct compare *c)
{
	if (!land_all(c) || !order_before(c) || !compare_restart_daemon(c, false, WRONG_KEY))
		return false;
	c->sample.api_key = WRONG_KEY;
	if (!order_hit(c) || !compare_await_checkouts(c) || !compare_await_lane(c, "parked") ||
	    !compare_restart_daemon(c, false, NULL))
		return false;
	c->sample.api_key = DEMO_KEY;
	return order_after(c);
}

static bool play_login(struct compare *c)
{
	if (!land_all(c))
		return false;
	for (size_t i = COMPARE_HIT_FROM; i < COMPARE_HIT_TO; i++) {
		struct compare_shopper *s = &c->shoppers[i];
		s->session_at_order = demo_text(c->d, "%s-renewed", s->session_at_landing);
	}
	return order_all(c);
}

/* A double click on "buy", or the page behind it loaded again while it still loads. */
static bool play_double_order(struct compare *c)
{
	return land_all(c) && order_all(c) && order_hit(c);
}

static bool play_answer_lost(struct compare *c)
{
	return land_all(c) && order_before(c) &&
	       compare_misbehave(c, "POST /ext/* hang taken first=6") && order_hit(c) &&
	       compare_settle(c) && order_after(c);
}

static bool play_no_session(struct compare *c)
{
	for (size_t i = COMPARE_HIT_FROM; i < COMPARE_HIT_TO; i++)
		c->shoppers[i].session_at_landing = NULL;
	return land_all(c) && order_all(c);
}

static bool play_dead_tokens(struct compare *c)
{
	return compare_misbehave(c, "POST /ext/* status=404 token=forged-*") && land_all(c) &&
	       order_before(c) && compare_order(c, COMPARE_ORDERS, c->shopper_count) &&
	       order_hit(c) && order_after(c);
}

const struct compare_fault compare_faults[COMPARE_FAULTS] = {
	{ "partner-down", "partner down for a minute",
	  "two order before, six while it answers 503, resets, or says nothing; two after", false,
	  play_down },
	{ "restart", "restart between landing and order",
	  "the sample's process starts again, the daemon gets SIGKILL; then the six order", false,
	  play_restart },
	{ "wrong-key", "wrong key for a while",
	  "both are given a wrong key, six order, both are given the right one", false,
	  play_wrong_key },
	{ "login", "login renews the session",
	  "six log in between landing and order and have another session then", false, play_login },
	{ "double-order", "order reported twice at once",
	  "six orders are reported again while the first report is under way", false,
	  play_double_order },
	{ "answer-lost", "taken, and the answer is lost",
	  "six requests are taken and never answered, so they time out", false, play_answer_lost },
	{ "no-session", "no session cookie at the landing",
	  "six visitors have no session yet when they land, and one when they order", false,
	  play_no_session },
	{ "dead-token", "dead tokens among good ones",
	  "six more orders come with tokens that the partner refuses, by 422 or 404", true,
	  play_dead_tokens },
};
