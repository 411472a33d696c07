/* SPDX-License-Identifier: MIT */
/*
 * One delivery request, as Adobe I/O Events makes it: the event's bytes as they are (or an array of
 * events), the headers that tell attempts and events apart, two signatures. The answer's status
 * alone decides: 2xx ends it, 429 and what a server may get over is retried on the schedule, any
 * other drops it for good.
 */
#include <string.h>

#include "sandbox/sender.h"

enum { HEADERS_MAX = 16, ARENA_BLOCK = 8 * 1024, ARENA_MAX = 4 * 1024 * 1024, ANSWER_MAX = 4096 };

struct sender_attempt {
	struct sandbox_sender *sender; /* borrowed */
	struct sender_attempt *next, **link;
	struct bc_http_call *call;    /* while it is under way */
	struct sender_letter *letter; /* owned */
	struct bc_arena *arena;	      /* owned; what the request is made of */
	const char *headers[HEADERS_MAX + 1];
	size_t header_count;
	char delivery_id[BC_UUID_BYTES];
	uint64_t at_ms; /* wall clock */
};

static void attempt_unlink(struct sender_attempt *a)
{
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	a->sender->attempt_count--;
	bc_arena_destroy(a->arena);
	free(a);
}

static struct sender_attempt *attempt_link(struct sandbox_sender *s, struct sender_letter *letter)
{
	struct sender_attempt *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->sender = s;
	a->letter = letter;
	a->at_ms = bc_wall_ms(s->sandbox->clock);
	a->arena = bc_arena_create(ARENA_BLOCK, ARENA_MAX);
	bc_uuid_make(a->delivery_id);
	a->next = s->attempts;
	a->link = &s->attempts;
	if (a->next)
		a->next->link = &a->next;
	s->attempts = a;
	s->attempt_count++;
	return a;
}

void bc_sender_attempts_drop(struct sandbox_sender *s)
{
	while (s->attempts) {
		struct sender_attempt *a = s->attempts;

		bc_http_call_cancel(a->call);
		bc_sender_letter_free(s, a->letter);
		attempt_unlink(a);
	}
}

/* ---- the request ---- */

/* Takes a line that is NULL for want of memory as such. */
static bool add(void *ctx, const char *line)
{
	struct sender_attempt *a = ctx;

	if (!line || a->header_count == HEADERS_MAX)
		return false;
	a->headers[a->header_count++] = line;
	return true;
}

static bool is_batch(const struct sender_attempt *a)
{
	return a->sender->settings.batch || a->letter->next;
}

/* The bytes to send and sign; absent without memory. */
static struct bc_str body_of(const struct sender_attempt *a)
{
	const struct sender_letter *l;
	size_t bytes = 1;
	char *text, *at;

	if (!is_batch(a))
		return (struct bc_str){ a->letter->event->text, a->letter->event->bytes };
	for (l = a->letter; l; l = l->next)
		bytes += l->event->bytes + 1;
	at = text = bc_arena_alloc(a->arena, bytes);
	if (!text)
		return (struct bc_str){ 0 };
	for (l = a->letter; l; l = l->next) {
		*at++ = l == a->letter ? '[' : ',';
		memcpy(at, l->event->text, l->event->bytes);
		at += l->event->bytes;
	}
	*at = ']';
	return (struct bc_str){ text, bytes };
}

/* What the event says about itself, as far as it is one. */
static bool add_origin(struct sender_attempt *a)
{
	const struct sender_text *event = a->letter->event;
	json_t *json = json_loadb(event->text, event->bytes, 0, NULL);
	const char *type = json_string_value(json_object_get(json, "type"));
	const char *source = json_string_value(json_object_get(json, "source"));
	bool good = add(a, bc_arena_printf(a->arena, "x-adobe-event-code: %s",
					   type ? type : a->sender->events->type));

	if (source && strncmp(source, "urn:uuid:", 9) == 0)
		source += 9;
	if (source)
		good = good && add(a, bc_arena_printf(a->arena, "x-adobe-provider: %s", source));
	json_decref(json);
	return good;
}

static bool add_names(struct sender_attempt *a)
{
	char request_id[BC_UUID_BYTES], signature[BC_SIGNATURE_TEXT_BYTES];

	bc_signer_forge(signature); /* the old, symmetric one: nobody can check it any more */
	return add(a, "Content-Type: application/json") &&
	       add(a, bc_arena_printf(a->arena, "x-request-id: %s", bc_uuid_make(request_id))) &&
	       add(a, bc_arena_printf(a->arena, "x-adobe-delivery-id: %s", a->delivery_id)) &&
	       add(a, bc_arena_printf(a->arena, "x-adobe-signature: %.43s=", signature)) &&
	       (is_batch(a) ||
		add(a, bc_arena_printf(a->arena, "x-adobe-event-id: %s", a->letter->event->id))) &&
	       (a->letter->attempts == 0 ||
		add(a,
		    bc_arena_printf(a->arena, "x-adobe-retry-count: %u", a->letter->attempts))) &&
	       add_origin(a);
}

/* ---- the answer ---- */

/* Adobe's own numbers for what brought no answer. */
static int status_of(const struct bc_http_answer *answer)
{
	switch (answer->error) {
	case 0:
		return answer->status;
	case BC_EUNREACH:
		return 602;
	case BC_ETIMEDOUT:
		return 604;
	case BC_EAUTH:
		return 611;
	default:
		return 601;
	}
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

static bool is_retried(int status)
{
	return status == 429 || (status >= 500 && status != 505);
}

static void record(const struct sender_attempt *a, int status, uint64_t duration_ms)
{
	struct sandbox_sender *s = a->sender;
	struct sender_record *r = &s->records[s->record_count++ % SENDER_RECORDS];

	*r = (struct sender_record){
		.at_ms = a->at_ms,
		.retry = a->letter->attempts,
		.events = bc_sender_letter_count(a->letter),
		.status = status,
		.duration_ms = duration_ms,
	};
	memcpy(r->event_id, a->letter->event->id, sizeof(r->event_id));
	memcpy(r->delivery_id, a->delivery_id, sizeof(r->delivery_id));
	s->counts.attempts++;
	s->counts.retries += a->letter->attempts > 0;
	if (status < SENDER_STATUSES)
		s->counts.answers[status]++;
}

static void retry(struct sandbox_sender *s, struct sender_letter *letter)
{
	const struct sender_settings *o = &s->settings;
	uint64_t now_ms = bc_sender_now(s);
	size_t step =
		letter->attempts < o->schedule_count ? letter->attempts : o->schedule_count - 1;

	letter->due_ms = now_ms + o->schedule_ms[step];
	letter->attempts++;
	if (letter->due_ms - letter->queued_ms <= o->give_up_ms) {
		bc_sender_queue_put_back(s, letter);
		return;
	}
	s->counts.expired += bc_sender_letter_count(letter);
	bc_sender_letter_free(s, letter);
}

/* Takes the letter. */
static void settle(struct sandbox_sender *s, struct sender_letter *letter, int status)
{
	size_t events = bc_sender_letter_count(letter);

	if (is_retried(status)) {
		retry(s, letter);
		return;
	}
	if (is_success(status))
		s->counts.acknowledged += events;
	else if (status < SENDER_STATUSES)
		s->counts.dropped[status] += events;
	bc_sender_letter_free(s, letter);
}

static void attempt_end(struct sender_attempt *a, int status, uint64_t duration_ms)
{
	struct sandbox_sender *s = a->sender;
	struct sender_letter *letter = a->letter;

	record(a, status, duration_ms);
	attempt_unlink(a);
	settle(s, letter, status);
	bc_sender_judge(s, !is_success(status));
	bc_sender_wake(s);
}

static void on_done(void *ctx, const struct bc_http_answer *answer)
{
	struct sender_attempt *a = ctx;

	attempt_end(a, status_of(answer), answer->duration_ms);
}

static bool attempt_send(struct sender_attempt *a)
{
	struct sandbox_sender *s = a->sender;
	struct bc_str body = { 0 };
	struct bc_http_exchange exchange = {
		.method = "POST",
		.timeout_ms = (uint32_t)s->settings.timeout_ms,
		.connect_timeout_ms = (uint32_t)s->settings.timeout_ms,
		.answer_max_bytes = ANSWER_MAX,
	};

	if (a->arena)
		body = body_of(a);
	if (!body.ptr || !add_names(a) || !bc_sender_sign(s, body, a->arena, add, a))
		return false;
	/* The settings may change while the call is under way. */
	exchange.url = bc_arena_dup(a->arena, s->settings.url, strlen(s->settings.url));
	exchange.headers = a->headers;
	exchange.body = body.ptr;
	exchange.body_bytes = body.len;
	return exchange.url &&
	       bc_http_call_start(s->client, &exchange, on_done, a, &a->call, NULL) == 0;
}

void bc_sender_attempt_start(struct sandbox_sender *s, struct sender_letter *letter)
{
	struct sender_attempt *a = attempt_link(s, letter);

	if (!a) {
		retry(s, letter);
		return;
	}
	if (!attempt_send(a))
		attempt_end(a, 601, 0);
}
