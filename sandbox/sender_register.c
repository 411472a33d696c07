/* SPDX-License-Identifier: MIT */
/*
 * The registration. A URL that is set is challenged as Adobe does it: first by a GET with a
 * parameter that has to come back, then, if that was wrong but a POST gets 200, by a URL that has
 * to be asked for. When most attempts fail the registration becomes unstable, and disabled when
 * that lasts; it is never enabled again but by setting the URL.
 *
 *	None		to Pending when a URL is set
 *	Pending		to Active when the challenge is met, else to Disabled
 *	Active		to Unstable when at least ten attempts were made and 80 % of the last failed
 *	Unstable	to Active when fewer do, to Disabled after grace_ms
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/sender.h"

enum { ANSWER_MAX = 4096, JUDGED_MIN = 10, FAILED_PERCENT = 80 };

const char *bc_sender_state_name(enum sender_state state)
{
	static const char *const names[] = {
		[SENDER_NONE] = "None",		[SENDER_PENDING] = "Pending",
		[SENDER_ACTIVE] = "Active",	[SENDER_UNSTABLE] = "Unstable",
		[SENDER_DISABLED] = "Disabled",
	};

	return names[state];
}

bool bc_sender_in_force(const struct sandbox_sender *s)
{
	return s->registration.state == SENDER_ACTIVE || s->registration.state == SENDER_UNSTABLE;
}

static void state_set(struct sandbox_sender *s, enum sender_state state)
{
	if (s->registration.timer)
		bc_timer_stop(s->registration.timer);
	s->registration.state = state;
	if (state == SENDER_DISABLED)
		s->counts.disabled += bc_sender_queue_clear(s);
	bc_sender_wake(s);
}

static void BC_PRINTF(2, 3) disable(struct sandbox_sender *s, const char *fmt, ...)
{
	char reason[sizeof(s->registration.reason)]; /* the old one may be part of it */
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	memcpy(s->registration.reason, reason, sizeof(reason));
	state_set(s, SENDER_DISABLED);
}

static void activate(struct sandbox_sender *s)
{
	s->registration.reason[0] = '\0';
	s->registration.judged = 0;
	state_set(s, SENDER_ACTIVE);
}

/* ---- the challenge ---- */

static const char *answer_kind(const struct bc_http_answer *answer)
{
	return answer->status ? answer->content_type ? answer->content_type : "no content type"
			      : answer->error_text;
}

static void call_over(struct sender_registration *r)
{
	r->call = NULL;
	free(r->text);
	r->text = NULL;
}

/* Starts the request; text is taken and is its URL (a GET) or its body. */
static void ask(struct sandbox_sender *s, const char *method, char *text, bc_http_done *done)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct sender_registration *r = &s->registration;
	bool post = strcmp(method, "POST") == 0;
	struct bc_err err = { 0 };
	struct bc_http_exchange exchange = {
		.method = method,
		.url = post ? s->settings.url : text,
		.headers = post ? headers : NULL,
		.body = post ? text : NULL,
		.body_bytes = post && text ? strlen(text) : 0,
		.timeout_ms = (uint32_t)s->settings.timeout_ms,
		.answer_max_bytes = ANSWER_MAX,
	};

	r->text = text;
	if (text && bc_http_call_start(s->client, &exchange, done, s, &r->call, &err) == 0)
		return;
	call_over(r);
	disable(s, "the challenge could not be sent: %s", text ? err.text : "no memory");
}

static void on_validate_late(void *ctx)
{
	struct sandbox_sender *s = ctx;

	disable(s, "nobody asked for the validation URL in time");
}

static void on_posted(void *ctx, const struct bc_http_answer *answer)
{
	struct sandbox_sender *s = ctx;
	struct sender_registration *r = &s->registration;

	call_over(r);
	if (r->state != SENDER_PENDING)
		return;
	if (answer->status != 200 || answer->error) {
		disable(s, "%s; the POST of the validation URL got %d (%s)", r->reason,
			answer->status, answer_kind(answer));
		return;
	}
	bc_timer_start(r->timer, s->settings.validate_ms);
}

static void post(struct sandbox_sender *s)
{
	struct sender_registration *r = &s->registration;
	char *text = NULL;

	if (!r->timer)
		r->timer = bc_timer_create(s->sandbox->loop, on_validate_late, s);
	if (r->timer && asprintf(&text,
				 "{\"validationUrl\":\"http://%s/csm/registrations/"
				 "validate?id=%s&challenge=%s\"}",
				 bc_sandbox_address(s->sandbox), r->id, r->challenge) < 0)
		text = NULL;
	r->posted = true;
	s->counts.validations++;
	ask(s, "POST", text, on_posted);
}

/* Is it the challenge, with the content type that goes with its form? */
static bool is_met(const struct sender_registration *r, const struct bc_http_answer *answer)
{
	struct bc_str rest = bc_str_of(answer->content_type);
	struct bc_str type = bc_str_trim(bc_str_split(&rest, ';'));
	json_t *json;
	bool met;

	if (answer->status != 200 || answer->error)
		return false;
	if (bc_str_ieq(type, "text/plain"))
		return bc_str_eq(answer->body, r->challenge);
	if (!bc_str_ieq(type, "application/json"))
		return false;
	json = json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, 0, NULL);
	met = bc_str_eq(bc_str_of(json_string_value(json_object_get(json, "challenge"))),
			r->challenge);
	json_decref(json);
	return met;
}

static void on_challenged(void *ctx, const struct bc_http_answer *answer)
{
	struct sandbox_sender *s = ctx;
	struct sender_registration *r = &s->registration;

	call_over(r);
	if (is_met(r, answer)) {
		activate(s);
		return;
	}
	snprintf(r->reason, sizeof(r->reason), "the challenge was not met: %d (%s)", answer->status,
		 answer_kind(answer));
	post(s);
}

static void challenge(struct sandbox_sender *s)
{
	const char *url = s->settings.url;
	char *text;

	if (asprintf(&text, "%s%cchallenge=%s", url, strchr(url, '?') ? '&' : '?',
		     s->registration.challenge) < 0)
		text = NULL;
	s->counts.challenges++;
	ask(s, "GET", text, on_challenged);
}

void bc_sender_register_stop(struct sandbox_sender *s)
{
	bc_http_call_cancel(s->registration.call);
	call_over(&s->registration);
	if (s->registration.timer)
		bc_timer_stop(s->registration.timer);
}

void bc_sender_register(struct sandbox_sender *s)
{
	struct sender_registration *r = &s->registration;

	bc_sender_register_stop(s);
	r->reason[0] = '\0';
	r->posted = false;
	r->judged = 0;
	bc_uuid_make(r->id);
	bc_uuid_make(r->challenge);
	if (!s->settings.url[0]) {
		bc_sender_queue_clear(s);
		state_set(s, SENDER_NONE);
		return;
	}
	state_set(s, SENDER_PENDING);
	if (s->settings.validation == SENDER_VALIDATE_POST) {
		snprintf(r->reason, sizeof(r->reason), "no GET was sent");
		post(s);
	} else {
		challenge(s);
	}
}

static bool parameter_is(const struct sandbox_call *call, const char *name, const char *wanted)
{
	struct bc_str value = { 0 };

	return bc_sandbox_query(call, name, &value) && bc_str_eq(value, wanted);
}

void bc_sender_validate(struct sandbox_call *call)
{
	struct sandbox_sender *s = call->sandbox->events->sender;
	struct sender_registration *r = &s->registration;

	if (!r->posted || !parameter_is(call, "id", r->id) ||
	    !parameter_is(call, "challenge", r->challenge)) {
		bc_sandbox_answer_message(call, 404, "no such registration waits for validation",
					  NULL);
		return;
	}
	if (r->state == SENDER_PENDING)
		activate(s);
	bc_sandbox_answer(call, 200, "text/plain", BC_STR("validated"));
}

/* ---- how it fares ---- */

static bool most_failed(const struct sender_registration *r)
{
	size_t count = r->judged < SENDER_RECORDS ? r->judged : SENDER_RECORDS, failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += r->failed[i];
	return count >= JUDGED_MIN && failed * 100 >= count * FAILED_PERCENT;
}

void bc_sender_judge(struct sandbox_sender *s, bool failed)
{
	struct sender_registration *r = &s->registration;
	uint64_t now_ms = bc_sender_now(s);

	r->failed[r->judged++ % SENDER_RECORDS] = failed;
	if (!bc_sender_in_force(s))
		return;
	if (!most_failed(r)) {
		r->state = SENDER_ACTIVE;
		r->reason[0] = '\0';
		return;
	}
	if (r->state == SENDER_ACTIVE) {
		r->state = SENDER_UNSTABLE;
		r->unstable_ms = now_ms;
		snprintf(r->reason, sizeof(r->reason), "%d %% or more of the last attempts failed",
			 FAILED_PERCENT);
	}
	if (now_ms - r->unstable_ms >= s->settings.grace_ms)
		disable(s, "%d %% or more of the attempts failed for too long", FAILED_PERCENT);
}
