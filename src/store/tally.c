/* SPDX-License-Identifier: MIT */
/* See tally.h. An array in order of time, sparse; nearly every look-up ends at its last bucket. */
#include "store/tally.h"

#include <stdlib.h>
#include <string.h>

#include <backchannel/error.h>

#define KEEP_MS (8 * 24 * UINT64_C(3600000))

void bc_tally_finish(struct bc_tally *t)
{
	free(t->buckets);
	*t = (struct bc_tally){ 0 };
}

bool bc_tally_is_empty(const struct bc_tally_bucket *bucket)
{
	static const uint32_t nothing[BC_TALLIES];
	return memcmp(bucket->now, nothing, sizeof(nothing)) == 0;
}

/* --- finding ------------------------------------------------------------------------------- */

/* Where the bucket is, or would be. */
static uint32_t place_of(const struct bc_tally *t, uint64_t number)
{
	uint32_t low = 0, high = t->count;
	if (high && t->buckets[high - 1].number < number)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (t->buckets[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void mark(struct bc_tally *t, struct bc_tally_bucket *bucket)
{
	uint32_t at = (uint32_t)(bucket - t->buckets);
	if (at < t->first_changed)
		t->first_changed = at;
	if (at < t->first_unwritten)
		t->first_unwritten = at;
	bucket->unwritten = true;
}

static struct bc_tally_bucket *take_bucket(struct bc_tally *t, uint64_t number)
{
	uint32_t at = place_of(t, number);
	if (at < t->count && t->buckets[at].number == number)
		return &t->buckets[at];
	if (t->count == t->room) {
		uint32_t room = t->room ? 2 * t->room : 16;
		struct bc_tally_bucket *more = realloc(t->buckets, room * sizeof(*more));
		if (!more)
			return NULL;
		t->buckets = more;
		t->room = room;
	}
	struct bc_tally_bucket *b = &t->buckets[at];
	memmove(b + 1, b, (t->count - at) * sizeof(*b));
	*b = (struct bc_tally_bucket){ .number = number };
	t->count++;
	mark(t, b);
	return b;
}

struct bc_tally_bucket *bc_tally_bucket(struct bc_tally *t, uint64_t at_ms)
{
	return take_bucket(t, at_ms / BC_TALLY_STEP_MS);
}

/* --- changing ------------------------------------------------------------------------------ */

void bc_tally_count(struct bc_tally *t, struct bc_tally_bucket *bucket, enum bc_tally_what what,
		    uint32_t n)
{
	bucket->now[what] += n;
	mark(t, bucket);
}

int bc_tally_load(struct bc_tally *t, uint64_t number, const uint32_t counts[static BC_TALLIES])
{
	struct bc_tally_bucket *b = take_bucket(t, number);
	if (!b)
		return BC_ENOMEM;
	memcpy(b->now, counts, sizeof(b->now));
	memcpy(b->settled, counts, sizeof(b->settled));
	b->unwritten = false;
	return 0;
}

uint32_t bc_tally_expire(struct bc_tally *t, uint64_t now_ms, uint32_t limit)
{
	const uint64_t first = now_ms > KEEP_MS ? (now_ms - KEEP_MS) / BC_TALLY_STEP_MS : 0;
	const uint64_t last = (now_ms + KEEP_MS) / BC_TALLY_STEP_MS;
	uint32_t emptied = 0;
	for (uint32_t k = 0; k < t->count && emptied < limit; k++) {
		struct bc_tally_bucket *b = &t->buckets[k];
		if ((b->number >= first && b->number <= last) || bc_tally_is_empty(b))
			continue;
		memset(b->now, 0, sizeof(b->now));
		mark(t, b);
		emptied++;
	}
	return emptied;
}

/* --- transactions -------------------------------------------------------------------------- */

int bc_tally_write(struct bc_tally *t, int (*write)(void *, const struct bc_tally_bucket *),
		   void *ctx)
{
	for (uint32_t k = t->first_unwritten; k < t->count; k++) {
		int result = t->buckets[k].unwritten ? write(ctx, &t->buckets[k]) : 0;
		if (result)
			return result;
	}
	t->writing = true;
	return 0;
}

/* Looks at what changed, and drops what is empty then and not on disk, or not any more. */
static void end_change(struct bc_tally *t, bool keep)
{
	uint32_t first = t->first_changed, kept;
	bool written = keep && t->writing;
	if (written && t->first_unwritten < first)
		first = t->first_unwritten;
	kept = first;
	for (uint32_t k = first; k < t->count; k++) {
		struct bc_tally_bucket *b = &t->buckets[k];
		memcpy(keep ? b->settled : b->now, keep ? b->now : b->settled, sizeof(b->now));
		b->unwritten = b->unwritten && !written;
		/* Empty and kept, it is written by the transaction that emptied it or was never on
		 * disk; empty and restored, it was made by the one that is taken back. */
		if (!bc_tally_is_empty(b))
			t->buckets[kept++] = *b;
	}
	if (written)
		t->first_unwritten = kept;
	else if (kept < t->count && t->first_unwritten > first)
		t->first_unwritten = first; /* those behind it have moved */
	t->count = t->first_changed = kept;
	t->writing = false;
}

void bc_tally_settle(struct bc_tally *t)
{
	end_change(t, true);
}

void bc_tally_restore(struct bc_tally *t)
{
	end_change(t, false);
}
