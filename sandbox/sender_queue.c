/* SPDX-License-Identifier: MIT */
/*
 * What waits to be sent: a binary heap of letters, the one that is due first at its top; among
 * those due at one time the order decides, which is that of their coming, or, when deliveries are
 * to be reordered, a scramble of it that falls alike on every run. For there to be something to
 * scramble, letters gather for a moment then.
 */
#include <string.h>

#include "sandbox/sender.h"

enum { GATHER_MS = 100, HEAP_FIRST = 64 };

static bool goes_before(const struct sender_letter *a, const struct sender_letter *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_swap(struct sender_queue *q, size_t i, size_t j)
{
	struct sender_letter *letter = q->heap[i];

	q->heap[i] = q->heap[j];
	q->heap[j] = letter;
}

static void heap_rise(struct sender_queue *q, size_t i)
{
	for (; i > 0 && goes_before(q->heap[i], q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_swap(q, i, (i - 1) / 2);
}

static void heap_sink(struct sender_queue *q, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < q->count && goes_before(q->heap[child + 1], q->heap[child]))
			child++;
		if (child >= q->count || !goes_before(q->heap[child], q->heap[i]))
			return;
		heap_swap(q, i, child);
		i = child;
	}
}

static bool heap_add(struct sender_queue *q, struct sender_letter *letter)
{
	if (q->count == q->room) {
		size_t room = q->room ? q->room * 2 : HEAP_FIRST;
		struct sender_letter **heap = realloc(q->heap, room * sizeof(void *));

		if (!heap)
			return false;
		q->heap = heap;
		q->room = room;
	}
	q->heap[q->count++] = letter;
	heap_rise(q, q->count - 1);
	return true;
}

static struct sender_letter *heap_take(struct sender_queue *q)
{
	struct sender_letter *first = q->heap[0];

	q->heap[0] = q->heap[--q->count];
	heap_sink(q, 0);
	return first;
}

/* ---- letters ---- */

static struct sender_text *text_copy(struct sandbox_sender *s, const struct sandbox_event *event)
{
	struct sender_text *copy = NULL;

	if (event->text_bytes <= s->settings.queue_bytes &&
	    s->queue.bytes <= s->settings.queue_bytes - event->text_bytes)
		copy = malloc(sizeof(*copy) + event->text_bytes + 1);
	if (!copy)
		return NULL;
	*copy = (struct sender_text){ .bytes = event->text_bytes };
	memcpy(copy->id, event->id, sizeof(copy->id));
	memcpy(copy->text, event->text, event->text_bytes);
	copy->text[event->text_bytes] = '\0';
	s->queue.bytes += copy->bytes;
	return copy;
}

static void text_unref(struct sandbox_sender *s, struct sender_text *text)
{
	if (text->refs > 0 && --text->refs > 0)
		return;
	s->queue.bytes -= text->bytes;
	free(text);
}

/* Neighbours come far apart. */
static uint64_t scramble(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
	number = (number ^ number >> 27) * 0x94d049bb133111ebu;
	return number ^ number >> 31;
}

/* When a letter that comes now is due. */
static uint64_t due_of(struct sandbox_sender *s, uint64_t now_ms)
{
	if (!s->settings.reorder)
		return now_ms;
	if (s->queue.window_ms <= now_ms)
		s->queue.window_ms = now_ms + GATHER_MS;
	return s->queue.window_ms;
}

static bool letter_add(struct sandbox_sender *s, struct sender_text *event, uint64_t now_ms)
{
	struct sender_queue *q = &s->queue;
	struct sender_letter *letter =
		q->letters < SENDER_LETTERS_MAX ? malloc(sizeof(*letter)) : NULL;

	if (!letter)
		return false;
	q->number++;
	*letter = (struct sender_letter){
		.event = event,
		.queued_ms = now_ms,
		.due_ms = due_of(s, now_ms),
		.order = s->settings.reorder ? scramble(q->number) : q->number,
	};
	if (!heap_add(q, letter)) {
		free(letter);
		return false;
	}
	event->refs++;
	q->letters++;
	s->counts.deliveries++;
	return true;
}

bool bc_sender_queue_add(struct sandbox_sender *s, const struct sandbox_event *event)
{
	struct sender_text *text = text_copy(s, event);
	uint64_t now_ms = bc_sender_now(s);
	bool good = text != NULL;

	for (uint64_t i = 0; good && i <= s->settings.duplicates; i++)
		good = letter_add(s, text, now_ms);
	if (text && text->refs == 0)
		text_unref(s, text);
	return good;
}

size_t bc_sender_letter_count(const struct sender_letter *letter)
{
	size_t count = 0;

	for (; letter; letter = letter->next)
		count++;
	return count;
}

void bc_sender_letter_free(struct sandbox_sender *s, struct sender_letter *letter)
{
	while (letter) {
		struct sender_letter *next = letter->next;

		text_unref(s, letter->event);
		s->queue.letters--;
		free(letter);
		letter = next;
	}
}

size_t bc_sender_queue_clear(struct sandbox_sender *s)
{
	size_t before = s->queue.letters;

	while (s->queue.count > 0)
		bc_sender_letter_free(s, heap_take(&s->queue));
	return before - s->queue.letters;
}

const struct sender_letter *bc_sender_queue_first(const struct sandbox_sender *s)
{
	return s->queue.count > 0 ? s->queue.heap[0] : NULL;
}

/* Has the batch room for the one that is due next? Only new ones are put together: what went out
 * together once stays so. */
static bool batch_takes(const struct sender_letter *next, uint64_t now_ms, size_t bytes)
{
	return next && next->due_ms <= now_ms && next->attempts == 0 && !next->next &&
	       bytes + next->event->bytes + 1 <= SENDER_BATCH_BYTES;
}

struct sender_letter *bc_sender_queue_take(struct sandbox_sender *s, uint64_t now_ms)
{
	const struct sender_letter *first = bc_sender_queue_first(s);
	struct sender_letter *letter, *last;
	size_t bytes, count = 1;

	if (!first || first->due_ms > now_ms)
		return NULL;
	last = letter = heap_take(&s->queue);
	bytes = letter->event->bytes + 2;
	if (!s->settings.batch || letter->attempts > 0)
		return letter;
	for (; count < SENDER_BATCH_MAX && batch_takes(bc_sender_queue_first(s), now_ms, bytes);
	     count++) {
		last->next = heap_take(&s->queue);
		last = last->next;
		bytes += last->event->bytes + 1;
	}
	return letter;
}

void bc_sender_queue_put_back(struct sandbox_sender *s, struct sender_letter *letter)
{
	if (heap_add(&s->queue, letter))
		return;
	s->counts.overflow += bc_sender_letter_count(letter);
	bc_sender_letter_free(s, letter);
}
