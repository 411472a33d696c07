/* SPDX-License-Identifier: MIT */
/*
 * The sender's life, and its one timer: whenever it fires, deliveries that are due go out, as many
 * as may be under way at once, and it is set to the next one. Completions and new events only wake
 * it, so that what is queued in one turn can become one batch.
 */
#include "sandbox/sender.h"

#include <string.h>

enum { MINUTE_MS = 60 * 1000, DAY_MS = 24 * 60 * MINUTE_MS };

void bc_sender_settings_default(struct sender_settings *s)
{
	*s = (struct sender_settings){
		.schedule_ms = { 1 * MINUTE_MS, 2 * MINUTE_MS, 4 * MINUTE_MS, 8 * MINUTE_MS,
				 15 * MINUTE_MS },
		.schedule_count = 5,
		.concurrency = 4,
		.timeout_ms = 10 * 1000,
		.give_up_ms = DAY_MS,
		.validate_ms = 5 * MINUTE_MS,
		.grace_ms = DAY_MS,
		.slow_ms = 3000,
		.queue_bytes = 256 * 1024 * 1024,
	};
}

uint64_t bc_sender_now(const struct sandbox_sender *s)
{
	return bc_elapsed_ms(s->sandbox->clock);
}

static void timer_set(struct sandbox_sender *s)
{
	const struct sender_letter *first = bc_sender_queue_first(s);
	uint64_t now = bc_sender_now(s);

	if (first && bc_sender_in_force(s) && s->attempt_count < s->settings.concurrency)
		bc_timer_start(s->timer, first->due_ms > now ? first->due_ms - now : 0);
	else
		bc_timer_stop(s->timer);
}

static void on_due(void *ctx)
{
	struct sandbox_sender *s = ctx;
	uint64_t now_ms = bc_sender_now(s); /* what becomes due meanwhile waits for its turn */
	struct sender_letter *letter;

	while (bc_sender_in_force(s) && s->attempt_count < s->settings.concurrency) {
		letter = bc_sender_queue_take(s, now_ms);
		if (!letter)
			break;
		bc_sender_attempt_start(s, letter);
	}
	timer_set(s);
}

void bc_sender_wake(struct sandbox_sender *s)
{
	if (s->timer)
		timer_set(s);
}

static bool client_make(struct sandbox_sender *s)
{
	struct bc_http_client_options options = { .user_agent = "Adobe/1.0" };

	return s->client ||
	       bc_http_client_create(s->sandbox->loop, &options, &s->client, NULL) == 0;
}

bool bc_sender_ready(struct sandbox_sender *s)
{
	if (!s->timer)
		s->timer = bc_timer_create(s->sandbox->loop, on_due, s);
	return s->timer && client_make(s) && bc_sender_keys_make(s);
}

struct sandbox_sender *bc_sender_create(struct sandbox_events *events)
{
	struct sandbox_sender *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->events = events;
	s->sandbox = events->sandbox;
	bc_sender_settings_default(&s->settings);
	return s;
}

static void stop(struct sandbox_sender *s)
{
	bc_sender_register_stop(s);
	bc_sender_attempts_drop(s);
	bc_sender_queue_clear(s);
	bc_sender_wake(s);
}

void bc_sender_destroy(struct sandbox_sender *s)
{
	if (!s)
		return;
	stop(s);
	bc_timer_destroy(s->registration.timer);
	bc_timer_destroy(s->timer);
	bc_http_client_destroy(s->client);
	bc_sender_keys_finish(s);
	free(s->queue.heap);
	free(s);
}

/* The keys stay: whoever has fetched one may keep it for a day. */
void bc_sender_reset(struct sandbox_sender *s)
{
	stop(s);
	bc_sender_settings_default(&s->settings);
	bc_sender_register(s);
	s->queue.number = 0;
	s->queue.window_ms = 0;
	s->counts = (struct sender_counts){ 0 };
	s->record_count = 0;
	s->strange_fetches = 0;
	for (size_t i = 0; i < SENDER_KEYS; i++)
		s->keys[i].fetches = 0;
}

void bc_sender_queue(struct sandbox_sender *s, const struct sandbox_event *event)
{
	if (s->registration.state == SENDER_NONE || s->registration.state == SENDER_DISABLED) {
		s->counts.skipped++;
		return;
	}
	if (bc_sender_queue_add(s, event))
		s->counts.events++;
	else
		s->counts.overflow++;
	bc_sender_wake(s);
}
