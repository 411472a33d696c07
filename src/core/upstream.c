/* SPDX-License-Identifier: MIT */
/*
 * The shared sleep, and the doors where each loop's callers wait for its end.
 *
 * Who waits is in exactly one list of his door:
 *   waiting  by enter. While the upstream sleeps nobody has a time; when it is awake again (a door
 *            notices within LOOK_MS, also after a suspend, which timers don't count) everybody gets
 *            one, in the order in which they came, and leaves when it has come. Should the upstream
 *            fall asleep meanwhile, those still here have no time again.
 *   refused  from waiting, when his deadline turns out to lie before his time; leaves at once.
 * Every turn of this is one call of step. Callbacks run from step alone, one after the other, and
 * each may enter, cancel or destroy the door: nothing is remembered across one.
 */
#include "core/upstream.h"

#include <stddef.h>

#include "base/err.h"

/* Who wakes when, counted from the moment in which a door finds the upstream awake: the first half
 * (rounded down) within FIRST_MS, the others from LATER_MS to LAST_MS. Timers may be late, so each
 * bound keeps a distance to the promised 50, 100 and 500 ms. */
enum { FIRST_MS = 45, LATER_MS = 60, LAST_MS = 440, LOOK_MS = 30 };

struct bc_upstream_door {
	struct bc_upstream *upstream;		  /* borrowed */
	struct bc_timer *timer;			  /* owned */
	struct bc_upstream_wait waiting, refused; /* heads of rings */
	uint64_t seen_until_ms; /* everybody who waits was measured against this sleep */
	bool unmeasured;	/* but the last ones */
	bool waking;		/* everybody who waits has a time */
	bool stepping, destroyed;
};

void bc_upstream_init(struct bc_upstream *u, const struct bc_clock *clock)
{
	u->clock = clock;
	atomic_init(&u->asleep_until_ms, 0);
	atomic_init(&u->refused_401, 0);
	atomic_init(&u->refused_429, 0);
	atomic_init(&u->sleeps, 0);
}

void bc_upstream_sleep(struct bc_upstream *u, uint64_t wait_ms)
{
	uint64_t now = bc_elapsed_ms(u->clock);
	uint_fast64_t before = atomic_load(&u->asleep_until_ms);
	if (wait_ms == 0)
		return;
	/* The clock shows whole milliseconds begun: one more, or the sleep would be cut by a part.
	 */
	uint64_t until = wait_ms < UINT64_MAX - now ? now + wait_ms + 1 : UINT64_MAX;
	do {
		if (before >= until)
			return;
	} while (!atomic_compare_exchange_weak(&u->asleep_until_ms, &before, until));
	if (before <= now)
		atomic_fetch_add(&u->sleeps, 1);
}

static uint64_t left_ms(uint64_t until_ms, uint64_t now_ms)
{
	return until_ms > now_ms ? until_ms - now_ms : 0;
}

uint64_t bc_upstream_asleep_ms(const struct bc_upstream *u)
{
	uint64_t until = atomic_load(&u->asleep_until_ms);
	return until ? left_ms(until, bc_elapsed_ms(u->clock)) : 0;
}

/* --- rings ----------------------------------------------------------------------------------- */

static void ring_init(struct bc_upstream_wait *head)
{
	head->prev = head->next = head;
}

static bool ring_is_empty(const struct bc_upstream_wait *head)
{
	return head->next == head;
}

static void ring_add(struct bc_upstream_wait *head, struct bc_upstream_wait *wait)
{
	wait->prev = head->prev;
	wait->next = head;
	head->prev->next = wait;
	head->prev = wait;
}

static void ring_remove(struct bc_upstream_wait *wait)
{
	wait->prev->next = wait->next;
	wait->next->prev = wait->prev;
	wait->prev = wait->next = NULL;
}

static size_t ring_count(const struct bc_upstream_wait *head)
{
	size_t count = 0;
	for (const struct bc_upstream_wait *w = head->next; w != head; w = w->next)
		count++;
	return count;
}

/* --- a door's turn --------------------------------------------------------------------------- */

static uint64_t offset_ms(size_t i, size_t count)
{
	size_t early = count / 2;
	size_t late = count - early;
	BC_ASSERT(i < count && late > 0);
	if (i < early)
		return (uint64_t)i * FIRST_MS / early;
	return LATER_MS + (uint64_t)(i - early) * (LAST_MS - LATER_MS) / late;
}

static void refuse_if_late(struct bc_upstream_door *door, struct bc_upstream_wait *wait,
			   uint64_t earliest_ms)
{
	if (wait->deadline_ms >= earliest_ms)
		return;
	ring_remove(wait);
	ring_add(&door->refused, wait);
}

/* Asleep: nobody has a time; whose deadline comes before its end need not wait for it. */
static void measure(struct bc_upstream_door *door, uint64_t until_ms)
{
	struct bc_upstream_wait *next;
	if (door->seen_until_ms == until_ms && !door->unmeasured)
		return;
	for (struct bc_upstream_wait *w = door->waiting.next; w != &door->waiting; w = next) {
		next = w->next;
		refuse_if_late(door, w, until_ms);
	}
	door->seen_until_ms = until_ms;
	door->unmeasured = false;
}

/* Awake: everybody gets a time. */
static void spread(struct bc_upstream_door *door, uint64_t now_ms)
{
	struct bc_upstream_wait *next;
	size_t count = ring_count(&door->waiting);
	size_t i = 0;
	for (struct bc_upstream_wait *w = door->waiting.next; w != &door->waiting; w = next) {
		next = w->next;
		w->wake_ms = now_ms + offset_ms(i++, count);
		refuse_if_late(door, w, w->wake_ms);
	}
	door->waking = true;
}

/* Moves everybody to where the time says he is. Returns the first who may leave, or NULL. */
static struct bc_upstream_wait *sort_out(struct bc_upstream_door *door)
{
	uint64_t now = bc_elapsed_ms(door->upstream->clock);
	uint64_t until = atomic_load(&door->upstream->asleep_until_ms);
	if (until > now) {
		door->waking = false;
		measure(door, until);
	} else if (!door->waking) {
		spread(door, now);
	}
	if (!ring_is_empty(&door->refused))
		return door->refused.next;
	struct bc_upstream_wait *first = door->waiting.next;
	bool may_leave = door->waking && first != &door->waiting && first->wake_ms <= now;
	return may_leave ? first : NULL;
}

static void set_timer(struct bc_upstream_door *door)
{
	uint64_t now = bc_elapsed_ms(door->upstream->clock);
	uint64_t until = atomic_load(&door->upstream->asleep_until_ms);
	if (ring_is_empty(&door->waiting)) {
		door->waking = false;
		return;
	}
	uint64_t wait = left_ms(door->waking ? door->waiting.next->wake_ms : until, now);
	bc_timer_start(door->timer, wait < LOOK_MS ? wait : LOOK_MS);
}

static void step(void *ctx)
{
	struct bc_upstream_door *door = ctx;
	struct bc_upstream_wait *wait;
	door->stepping = true;
	while (!door->destroyed && (wait = sort_out(door))) {
		bool open = wait != door->refused.next;
		ring_remove(wait);
		wait->door = NULL;
		wait->done(wait, open);
	}
	door->stepping = false;
	if (door->destroyed)
		free(door);
	else
		set_timer(door);
}

/* --- from outside ---------------------------------------------------------------------------- */

int bc_upstream_door_create(struct bc_loop *loop, struct bc_upstream *u,
			    struct bc_upstream_door **ret_door, struct bc_err *err)
{
	struct bc_upstream_door *door = calloc(1, sizeof(*door));
	if (!door)
		return bc_err_nomem(err);
	door->timer = bc_timer_create(loop, step, door);
	if (!door->timer) {
		free(door);
		return bc_err_nomem(err);
	}
	door->upstream = u;
	ring_init(&door->waiting);
	ring_init(&door->refused);
	*ret_door = door;
	return 0;
}

void bc_upstream_door_destroy(struct bc_upstream_door *door)
{
	if (!door)
		return;
	BC_ASSERT(ring_is_empty(&door->waiting) && ring_is_empty(&door->refused));
	bc_timer_destroy(door->timer);
	door->destroyed = true;
	if (!door->stepping)
		free(door);
}

bool bc_upstream_enter(struct bc_upstream_door *door, struct bc_upstream_wait *wait)
{
	if (bc_upstream_asleep_ms(door->upstream) == 0)
		return true;
	bool measured = wait->deadline_ms >= atomic_load(&door->upstream->asleep_until_ms);
	bool first = ring_is_empty(&door->waiting);
	wait->door = door;
	ring_add(&door->waiting, wait);
	door->unmeasured = door->unmeasured || !measured;
	door->waking = false;
	if (!door->stepping && (first || !measured))
		bc_timer_start(door->timer, 0);
	return false;
}

void bc_upstream_cancel(struct bc_upstream_wait *wait)
{
	if (!wait->door)
		return;
	ring_remove(wait);
	wait->door = NULL;
}
