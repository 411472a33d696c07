/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: how a registration with Adobe I/O Events proves that this address is ours. Adobe
 * sends a challenge that is answered with itself, or a URL that is to be asked. Neither is signed:
 * what is said back is a word of a narrow alphabet, never markup, and what is asked stands below
 * events.validate_url, a few at a time.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/edge_events.h"

enum {
	CHALLENGE_MAX = 256,
	BODY_MAX_BYTES = 8 * 1024,
	ANSWER_MAX_BYTES = 4 * 1024,
	TIMEOUT_MS = 10 * 1000,
	VALIDATING_MAX = 4,
	LEAST_GAP_MS = 200
};

/* --- the challenge --------------------------------------------------------------------------- */

static bool is_word(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i], lower = (char)(c | 0x20);
		if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') ||
		      (c && strchr("-._~+/=:", c))))
			return false;
	}
	return s.len > 0 && s.len <= CHALLENGE_MAX;
}

void edge_challenge(struct edge_call *call)
{
	struct bc_str challenge = edge_query(call, "challenge");
	if (!is_word(challenge)) {
		edge_problem(call, BC_PROBLEM_BAD_REQUEST, "no challenge that can be answered",
			     "this path takes deliveries of Adobe I/O Events by POST");
		return;
	}
	bc_log_info("events.challenged", BC_LS("id", call->http->id));
	edge_text(call, 200, "text/plain",
		  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n", challenge);
}

/* --- the URL --------------------------------------------------------------------------------- */

static void followed(void *ctx, const struct bc_fetched *fetched)
{
	struct edge_events *events = ctx;
	events->validating--;
	if (!fetched->error && fetched->status / 100 == 2)
		bc_log_info("events.validated", BC_LI("status", fetched->status));
	else
		bc_log_warning("events.validation_failed", BC_LI("status", fetched->status),
			       BC_LS("problem", fetched->problem),
			       BC_LS("hint", "save the registration once more in Adobe's console"));
}

static int follow(struct edge_call *call, struct bc_str url)
{
	struct edge_events *events = call->edge->events;
	uint64_t now = bc_elapsed_ms(call->edge->shop->clock);
	char *text = bc_arena_dup(call->http->arena, url.ptr, url.len);
	if (events->validating == VALIDATING_MAX ||
	    (events->validated_ms && now - events->validated_ms < LEAST_GAP_MS))
		return BC_EBUSY;
	int result = text ? bc_fetcher_get(events->fetcher, text, ANSWER_MAX_BYTES, TIMEOUT_MS,
					   followed, events)
			  : BC_ENOMEM;
	if (result)
		return result;
	events->validating++;
	events->validated_ms = now ? now : 1;
	return 0;
}

static void refuse_url(struct edge_call *call)
{
	struct bc_edge *e = call->edge;
	uint64_t count = edge_tally_count(&e->events->strange_url, e);
	if (count)
		bc_log_warning("events.validation_refused", BC_LU("count", count),
			       BC_LS("hint", "a validationUrl led elsewhere than to "
					     "events.validate_url, and was not followed"));
	edge_problem(call, BC_PROBLEM_BAD_REQUEST, "that validationUrl is not followed", NULL);
}

bool edge_validate(struct edge_call *call)
{
	struct bc_edge *e = call->edge;
	json_t *json =
		call->body.len <= BODY_MAX_BYTES
			? json_loadb(call->body.ptr ? call->body.ptr : "", call->body.len, 0, NULL)
			: NULL;
	const json_t *value = json_object_get(json, "validationUrl");
	struct bc_str url = { json_string_value(value), json_string_length(value) };
	bool asked = url.len > 0;
	if (asked && !bc_event_validation_url_ok(url, e->settings->events_validate_url))
		refuse_url(call);
	else if (asked && follow(call, url))
		edge_problem(call, BC_PROBLEM_BUSY, "too much is under way", "try again");
	else if (asked)
		edge_json(call, 200, json_pack("{s:b}", "validating", 1));
	json_decref(json);
	return asked;
}
