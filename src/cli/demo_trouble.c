/* SPDX-License-Identifier: MIT */
/*
 * The bad days: data that is no good, a key that is no good, a partner that is down, and a daemon
 * that is killed with a request on its way. Each ends with nothing lost, nothing doubled, and a
 * ledger that tells what happened.
 */
#include "cli/demo.h"

#include <stdio.h>

#include "base/clock.h"

#define UNKNOWN_TOKEN	"unknown-4c5d-6e7-8f9g0"
#define WRONG_KEY	"XXXX-WRONG-XXXXXX-XXX"
#define WRONG_KEY_TOKEN "fffff-test-fff-fffff"
#define DOWN_TOKEN	"1a2b3-test-1a2-1a2b3"

/* --- invalid data -------------------------------------------------------------------------------
 */

static bool refuse_at_the_door(struct demo *d)
{
	const char *api = d->daemon.address;
	return demo_ask_aloud(d, api, "POST", "/v1/clicks", "{\"token\":\"../../admin\"}") &&
	       demo_expect_status(d, 400, "a token that is none is refused: 400") &&
	       demo_expect_field(d, "type", "urn:backchannel:bad-token",
				 "with a problem that names it") &&
	       demo_capture(d, &d->daemon, "..%2F..%2Fadmin", "demo-session-0003") &&
	       demo_expect_field(d, "captured", "false",
				 "in a landing URL it is passed over: there is no click") &&
	       demo_ask_aloud(d, api, "POST", "/v1/orders",
			      "{\"order\":\"100047\",\"session\":\"undefined\"}") &&
	       demo_expect_status(d, 400, "a session that every visitor shares is refused: 400") &&
	       demo_expect_field(d, "type", "urn:backchannel:bad-session",
				 "with a problem that names it");
}

/* The partner does not know the token; a click that young is believed to be merely late, once. */
static bool refuse_at_the_partner(struct demo *d)
{
	return demo_capture(d, &d->daemon, UNKNOWN_TOKEN, "demo-session-0004") &&
	       demo_expect_status(d, 201, "a token of the right form is captured") &&
	       demo_order(d, "100047", "session", "demo-session-0004") &&
	       demo_await(d, "100047", "state", "rejected", "the partner refuses it") &&
	       demo_expect_field(d, "attempts.0.status", "422", "the first answer was 422") &&
	       demo_expect_field(d, "attempts.0.outcome", "retry",
				 "the click was young, so it was tried once more") &&
	       demo_expect_field(d, "attempts.1.outcome", "reject",
				 "then it was rejected, alone") &&
	       demo_explain(d, "100047");
}

bool demo_step_invalid(struct demo *d)
{
	return refuse_at_the_door(d) && refuse_at_the_partner(d);
}

/* --- wrong key ----------------------------------------------------------------------------------
 */

static bool park(struct demo *d)
{
	return demo_capture(d, &d->daemon, WRONG_KEY_TOKEN, "demo-session-0005") &&
	       demo_order(d, "100048", "session", "demo-session-0005") &&
	       demo_await(d, "100048", "lane_state", "parked",
			  "the test token got the same 403, so the lane is parked") &&
	       demo_await(d, "100048", "state", "pending", "the order waits") &&
	       demo_expect_field(d, "attempts.0.status", "403", "its own answer was 403") &&
	       demo_explain(d, "100048");
}

bool demo_step_wrong_key(struct demo *d)
{
	static const struct demo_setting wrong_key[] = { { "SOVENDUS_API_KEY", WRONG_KEY },
							 { NULL, NULL } };
	demo_note(d, "the daemon is stopped, and started with SOVENDUS_API_KEY=" WRONG_KEY);
	if (!demo_stop(d, &d->daemon) || !demo_start_daemon(d, &d->daemon, wrong_key) || !park(d))
		return false;
	demo_note(d, "the daemon is stopped, and started with the right key");
	return demo_stop(d, &d->daemon) && demo_start_daemon(d, &d->daemon, NULL) &&
	       demo_await(d, "100048", "state", "delivered",
			  "what waited is handed back by itself") &&
	       demo_expect_field(d, "attempts.1.status", "200", "at its second attempt") &&
	       demo_partner_counts(d, WRONG_KEY_TOKEN, 2, 1, "the partner took it once");
}

/* --- partner down -------------------------------------------------------------------------------
 */

bool demo_step_partner_down(struct demo *d)
{
	return demo_set_faults(d, "POST /ext/* status=503 first=1, "
				  "POST /ext/* reset-after first=1") &&
	       demo_capture(d, &d->daemon, DOWN_TOKEN, "demo-session-0006") &&
	       demo_order(d, "100049", "session", "demo-session-0006") &&
	       demo_await(d, "100049", "state", "delivered", "it arrives all the same") &&
	       demo_expect_field(d, "attempts.0.status", "503", "attempt 1 was answered 503") &&
	       demo_expect_field(d, "attempts.1.outcome", "unknown",
				 "attempt 2 was cut off: nobody knows, so it is sent again") &&
	       demo_expect_field(d, "attempts.2.status", "200", "attempt 3 was answered 200") &&
	       demo_partner_counts(d, DOWN_TOKEN, 3, 1,
				   "the partner was asked three times and took it once") &&
	       demo_explain(d, "100049") && demo_set_faults(d, "");
}

/* --- killed -------------------------------------------------------------------------------------
 */

/* The ledger has an attempt before its request leaves: only the partner's books say that it came.
 */
static bool await_request(struct demo *d, const char *token)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	do
		if (!demo_partner_requests(d, token))
			return false;
	while (!demo_field(d, "requests.0.method")[0] && bc_elapsed_ms(&bc_clock_system) < end &&
	       demo_sleep(d, DEMO_POLL_MS));
	return !d->interrupted && demo_expect_field(d, "requests.0.answered", "null",
						    "the partner has it, and does not answer");
}

/* Orders in token mode: the click is the cookie that a web server set, token included. */
static bool kill_in_flight(struct demo *d)
{
	if (!demo_set_faults(d, "POST /ext/* hang") ||
	    !demo_order(d, "100050", "click", "t." DEMO_TOKEN_KILLED) ||
	    !demo_await(d, "100050", "state", "sending", "its request is on its way") ||
	    !demo_expect_field(d, "attempts.0.outcome", "unknown",
			       "and is in the ledger already, as unknown") ||
	    !await_request(d, DEMO_TOKEN_KILLED) ||
	    !demo_order(d, "100051", "click", "t." DEMO_TOKEN_UNSENT))
		return false;
	demo_kill(&d->daemon);
	demo_note(d, "the daemon is killed (SIGKILL), the partner recovers, the daemon is started");
	return true;
}

bool demo_step_killed(struct demo *d)
{
	return kill_in_flight(d) && demo_set_faults(d, "") &&
	       demo_start_daemon(d, &d->daemon, NULL) &&
	       demo_await(d, "100051", "state", "delivered",
			  "the order that was only acknowledged is handed back") &&
	       demo_await(d, "100050", "state", "delivered",
			  "the one that was on its way is handed back") &&
	       demo_expect_field(d, "attempts.0.outcome", "unknown",
				 "its first attempt stands as unknown") &&
	       demo_expect_field(d, "attempts.1.status", "200", "its second was answered 200") &&
	       demo_partner_counts(d, DEMO_TOKEN_KILLED, 2, 1,
				   "the partner was asked twice and took it once") &&
	       demo_explain(d, "100050");
}
