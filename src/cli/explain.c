/* SPDX-License-Identifier: MIT */
/*
 * `backchannel explain`: one order's story as a person would tell it: what was seen, what was sent,
 * what came back, and what happens next and when. Told from the story's JSON alone, so it is the
 * same with and without a daemon.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/explain_revoked.h"
#include "cli/explain_support.h"
#include "cli/remote.h"

struct options {
	bool support;
};

struct teller {
	const json_t *story;
	uint64_t now_ms;
};

static bool time_of(const json_t *j, const char *name, uint64_t *ret_ms)
{
	const char *text = bc_json_text(j, name);
	return text[0] && bc_time_parse(bc_str_of(text), ret_ms) == 0;
}

/* "3 min ago (01:20:11)" or "in 20 s (01:24:31)". */
static const char *when(const struct teller *t, uint64_t ms, char *text, size_t bytes)
{
	char span[48], clock[BC_TIME_TEXT_BYTES];
	uint64_t distance = ms > t->now_ms ? ms - t->now_ms : t->now_ms - ms;
	bc_format_span(distance, span, sizeof(span));
	bc_time_format(ms, clock);
	clock[19] = '\0'; /* whole seconds are enough for a person */
	clock[10] = ' ';
	if (distance < 1000)
		snprintf(text, bytes, "%s (%s UTC)", ms > t->now_ms ? "in a moment" : "just now",
			 clock);
	else
		snprintf(text, bytes, ms > t->now_ms ? "in %s (%s UTC)" : "%s ago (%s UTC)", span,
			 clock);
	return text;
}

static const char *when_field(const struct teller *t, const char *name, char *text, size_t bytes)
{
	uint64_t ms;
	return time_of(t->story, name, &ms) ? when(t, ms, text, bytes) : "";
}

/* What lies ahead: a time that is over by now is about to be acted upon. */
static const char *soon(const struct teller *t, const char *name, char *text, size_t bytes)
{
	uint64_t ms;
	if (time_of(t->story, name, &ms) && ms > t->now_ms)
		return when(t, ms, text, bytes);
	return "in a moment";
}

/* --- the headline and what comes next: one row a state -------------------------------------------
 */

static void tell_deadline(const struct teller *t)
{
	char text[96];
	if (when_field(t, "deadline_at", text, sizeof(text))[0])
		printf("           It is given up %s; backchannel retry brings it back even "
		       "then.\n",
		       text);
}

static void tell_due(const struct teller *t)
{
	char text[96];
	uint64_t ms;
	if (!time_of(t->story, "next_attempt_at", &ms) || ms <= t->now_ms)
		printf("it goes out as soon as a daemon runs and the lane is free.\n");
	else
		printf("it is sent again %s.\n", when(t, ms, text, sizeof(text)));
	tell_deadline(t);
}

static void next_on_parked(const struct teller *t)
{
	char probe[96];
	printf("the lane %s is parked: %s.\n"
	       "           Nothing is lost: the order waits, and its time does not run. The test "
	       "token is tried %s;\n"
	       "           as soon as it is accepted, everything that waits goes out by itself.\n",
	       bc_json_text(t->story, "lane"), bc_json_text(t->story, "lane_reason"),
	       soon(t, "lane_next_probe_at", probe, sizeof(probe)));
}

static void next_on_paused(const struct teller *t)
{
	char since[96];
	const char *lane = bc_json_text(t->story, "lane");
	printf("the lane %s was paused by the operator %s.\n"
	       "           Nothing is lost: the order waits, and its time does not run. It goes "
	       "out "
	       "after\n           backchannel lanes resume %s\n",
	       lane, when_field(t, "lane_since", since, sizeof(since)), lane);
}

static void next_on_broken(const struct teller *t)
{
	char trial[96];
	printf("the lane %s is broken: %s.\n"
	       "           One order is tried %s; as soon as the partner answers, everything that "
	       "is "
	       "due goes out by itself.\n",
	       bc_json_text(t->story, "lane"), bc_json_text(t->story, "lane_reason"),
	       soon(t, "lane_next_probe_at", trial, sizeof(trial)));
	tell_deadline(t);
}

static void next_on_throttled(const struct teller *t)
{
	char end[96];
	printf("the lane %s is throttled: %s.\n"
	       "           It goes on %s, and the order with it when it is due.\n",
	       bc_json_text(t->story, "lane"), bc_json_text(t->story, "lane_reason"),
	       soon(t, "lane_next_probe_at", end, sizeof(end)));
	tell_deadline(t);
}

static void next_on_suspect(const struct teller *t)
{
	printf("the lane stands for a moment (suspect: %s); then ",
	       bc_json_text(t->story, "lane_reason"));
	tell_due(t);
}

/* What a pending order waits for, where its lane is not open. */
static const struct {
	const char *state;
	void (*next)(const struct teller *t);
} lanes[] = {
	{ "throttled", next_on_throttled }, { "suspect", next_on_suspect },
	{ "broken", next_on_broken },	    { "parked", next_on_parked },
	{ "paused", next_on_paused },
};

static void next_pending(const struct teller *t)
{
	const char *lane = bc_json_text(t->story, "lane_state");
	for (size_t i = 0; i < BC_COUNT(lanes); i++) {
		if (!strcmp(lanes[i].state, lane)) {
			lanes[i].next(t);
			return;
		}
	}
	tell_due(t);
}

static void next_sending(const struct teller *t)
{
	(void)t;
	puts("the request is on its way; its result will stand here in a moment.");
}

static void next_delivered(const struct teller *t)
{
	bool kept = json_is_true(json_object_get(json_object_get(t->story, "click"), "token_kept"));
	printf("nothing: the partner has it. %s\n",
	       kept ? "The token is kept with the order for order.keep, in case it must be named "
		      "later."
		    : "The token has been deleted here, as the guide asks.");
}

static void next_rejected(const struct teller *t)
{
	printf("nothing by itself: sending it again would be answered the same. When the cause is "
	       "mended,\n           backchannel retry %s sends it once more.\n",
	       bc_json_text(t->story, "order"));
}

static void next_expired(const struct teller *t)
{
	printf("nothing by itself. backchannel retry %s sends it once more.\n",
	       bc_json_text(t->story, "order"));
}

static void next_unattributed(const struct teller *t)
{
	const char *reason = bc_json_text(t->story, "reason");
	if (!strncmp(reason, "click used", 10))
		puts("nothing: one click serves one order. (Testing? Any aaaaa-test-aaa-aaaaa is a "
		     "test "
		     "token of its own.)");
	else if (!strcmp(reason, "no click named"))
		puts("nothing, unless the shop reports this order again with its click, session or "
		     "token.\n           Does the shop send the bc_click cookie? See `backchannel "
		     "recipe "
		     "nginx`.");
	else
		puts("should the click still turn up within order.adopt, it joins the order and "
		     "goes "
		     "out.\n           If this happens often, compare click.ttl with how long "
		     "customers take.");
}

static const struct state {
	const char *name, *headline;
	void (*next)(const struct teller *t);
} states[] = {
	{ "pending", "waits to be handed back", next_pending },
	{ "sending", "is being handed back right now", next_sending },
	{ "delivered", "was handed back", next_delivered },
	{ "rejected", "was refused by the partner", next_rejected },
	{ "expired", "could not be handed back in time", next_expired },
	{ "cancelled", "was withdrawn before it was handed back", next_expired },
	{ "unattributed", "has no click, so there is nothing to hand back", next_unattributed },
};

static const struct state *state_of(const json_t *story)
{
	const char *name = bc_json_text(story, "state");
	for (size_t i = 0; i < BC_COUNT(states); i++)
		if (!strcmp(states[i].name, name))
			return &states[i];
	return NULL;
}

/* --- the parts of the story
 * ----------------------------------------------------------------------- */

static void tell_report(const struct teller *t)
{
	char text[96];
	const char *amount = bc_json_text(t->story, "amount");
	const char *currency = bc_json_text(t->story, "currency");
	printf("  reported %s%s%s%s%s\n", when_field(t, "created_at", text, sizeof(text)),
	       amount[0] ? ", " : "", amount, amount[0] && currency[0] ? " " : "",
	       amount[0] ? currency : "");
	if (bc_explain_is_revoked(t->story))
		printf("  revoked  the shop took the order back %s\n",
		       when_field(t, "revoked_at", text, sizeof(text)));
	if (bc_json_text(t->story, "reason")[0])
		printf("  because  %s\n", bc_json_text(t->story, "reason"));
}

/* Where Adobe Commerce has it, for whoever looks it up there. */
static void tell_commerce(const struct teller *t)
{
	json_int_t entity = json_integer_value(json_object_get(t->story, "entity_id"));
	json_int_t edition = json_integer_value(json_object_get(t->story, "edition"));
	const char *comment = bc_json_text(t->story, "comment");
	if (!entity && !edition && !comment[0])
		return;
	fputs("  commerce ", stdout);
	if (entity)
		printf("order %lld there", (long long)entity);
	else
		fputs("its id there is not known", stdout);
	if (edition)
		printf(", edited %lld time%s", (long long)edition, edition == 1 ? "" : "s");
	printf("%s%s\n", comment[0] ? ", comment " : "", comment);
}

static void tell_click(const struct teller *t)
{
	const json_t *click = json_object_get(t->story, "click");
	const char *id = bc_json_text(click, "id"), *hash = bc_json_text(click, "token_hash");
	uint64_t captured, reported;
	char span[48];
	if (!click)
		return;
	printf("  click    ");
	if (id[0])
		printf("%s", id);
	else if (hash[0])
		printf(bc_json_text(click, "captured_at")[0] ? "its id is cleared by now"
							     : "named by its token");
	else
		printf("not known%s", json_is_true(json_object_get(click, "by_session"))
					      ? "; a session was named"
					      : "");
	if (hash[0])
		printf(" (token #%s)", hash);
	if (time_of(click, "captured_at", &captured) &&
	    time_of(t->story, "created_at", &reported) && reported >= captured)
		printf(", captured %s before the order",
		       bc_format_span(reported - captured, span, sizeof(span)));
	puts(!strcmp(bc_json_text(t->story, "kind"), "test") ? ", a test token" : "");
}

static void tell_lane(const struct teller *t)
{
	const char *state = bc_json_text(t->story, "lane_state");
	if (bc_json_text(t->story, "lane")[0])
		printf("  lane     %s%s%s%s\n", bc_json_text(t->story, "lane"),
		       state[0] ? " (" : "", state, state[0] ? ")" : "");
}

/* Most answers come within a second, and then milliseconds are what one wants to know. */
static void took(const json_t *attempt, char *text, size_t bytes)
{
	uint64_t ms = (uint64_t)json_integer_value(json_object_get(attempt, "duration_ms"));
	if (ms < 1000)
		snprintf(text, bytes, "%llu ms", (unsigned long long)ms);
	else
		bc_format_span(ms, text, bytes);
}

static void tell_attempt(const struct teller *t, const json_t *a)
{
	char at[96], duration[48], status[16] = "no answer";
	json_int_t code = json_integer_value(json_object_get(a, "status"));
	uint64_t ms = 0;
	if (code)
		snprintf(status, sizeof(status), "%d", (int)code);
	if (time_of(a, "at", &ms))
		when(t, ms, at, sizeof(at));
	else
		at[0] = '\0';
	took(a, duration, sizeof(duration));
	const char *key = bc_json_text(a, "key_fingerprint");
	printf("  attempt %d, %s: %s after %s, %s%s%s%s\n",
	       (int)json_integer_value(json_object_get(a, "n")), at, status, duration,
	       bc_json_text(a, "outcome"), key[0] ? " (key " : "", key, key[0] ? ")" : "");
	if (bc_json_text(a, "error")[0])
		printf("           %s\n", bc_json_text(a, "error"));
}

static void tell_attempts(const struct teller *t)
{
	size_t i;
	json_t *attempt;
	const json_t *attempts = json_object_get(t->story, "attempts");
	json_array_foreach(attempts, i, attempt) tell_attempt(t, attempt);
	if (!json_array_size(attempts) && strcmp(bc_json_text(t->story, "state"), "unattributed"))
		puts("  not sent yet");
}

static void tell(const struct teller *t)
{
	const struct state *state = state_of(t->story);
	char final[96] = "";
	when_field(t, "finished_at", final, sizeof(final));
	printf("Order %s %s%s%s.\n\n", bc_json_text(t->story, "order"),
	       state ? state->headline : bc_json_text(t->story, "state"), final[0] ? " " : "",
	       final);
	tell_report(t);
	tell_commerce(t);
	tell_click(t);
	tell_lane(t);
	tell_attempts(t);
	if (!state)
		return;
	printf("\n  next     ");
	if (bc_explain_is_revoked(t->story))
		bc_explain_revoked(t->story);
	else
		state->next(t);
}

static enum bc_exit support(const struct bc_invocation *in, const json_t *story)
{
	struct bc_settings *settings;
	enum bc_exit result = bc_cli_settings(in, &settings);
	if (result)
		return result;
	bc_explain_support(settings, story);
	bc_settings_unref(settings);
	return BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	struct bc_reply reply;
	bc_autofree char *path = bc_remote_order_path(in->argv[0], "");
	if (!path)
		return bc_cli_usage(in, "\"%.40s...\" is too long for an order", in->argv[0]);
	enum bc_exit result = bc_remote_call(in, "GET", path, NULL, false, &reply);
	if (result)
		return result;
	struct teller t = { .story = reply.json, .now_ms = bc_wall_ms(&bc_clock_system) };
	if (reply.status >= 300)
		result = bc_remote_problem(&reply);
	else if (in->json)
		bc_remote_print_json(&reply);
	else if (o->support)
		result = support(in, reply.json);
	else
		tell(&t);
	bc_reply_finish(&reply);
	return result;
}

static const struct bc_option rows[] = {
	{ "support", 0, NULL, offsetof(struct options, support),
	  "print what to have at hand before writing to the partner" },
	{ NULL, 0, NULL, 0, NULL },
};

const struct bc_command bc_command_explain = {
	.name = "explain",
	.summary = "tell one order's story: what was seen, sent, answered, and what comes next",
	.operands = "ID",
	.example = "backchannel explain 100045",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
