/* SPDX-License-Identifier: MIT */
/*
 * Which clicks a session has, newest first, without an index that each capture pays for. Sessions
 * are hashes: in an index of them every click dirties a page of its own, which is more to write
 * than all the rest of it. So the newest clicks' sessions are kept in memory, and go from there to
 * the table click_sessions in the order of their hashes, many to a page.
 *
 * A click's row is the one after the last. counts.settled says which are in the table:
 *
 *      settled          settled + ROUND      settled + 2 * ROUND
 *   ------|------------------|-------------------|
 *    table  memory, or swept   memory
 *
 * When a click comes after the first ROUND of them, a sweep over all hashes begins: with each
 * SLICE_CLICKS more, the next SLICE_BUCKETS move to the table, in the transaction of the click.
 * When it has gone round, so many clicks have come that settled moves on by a ROUND, and the next
 * sweep begins. So there is no work apart from commits, what a click causes is bounded, memory too,
 * and the two numbers, settled and the last row, say how far the sweep is: nothing else is stored,
 * and a process that was killed goes on where it was.
 *
 * Invariants: an entry, here or in the table, goes with its click. A click up to settled is in the
 * table, a later one here or in the table; in both does no harm, because who asks gets the two
 * together.
 *
 * A rollback takes back the clicks that were added. What left memory in that transaction is read
 * from the clicks again before the next one begins; while that fails, no transaction does begin.
 */
#include "store/sqlite_impl.h"

#include <string.h>

enum {
	BUCKETS = 65536, /* by the first two bytes, so they stand in the table's order */
	SLICES = 256,
	SLICE_BUCKETS = BUCKETS / SLICES,
	SLICE_CLICKS = 224,
	ROUND = SLICES * SLICE_CLICKS,
	RING = 131072, /* entries; more than two rounds */
	CROWD = 128    /* of one bucket: one visitor's, so that he waits for them himself */
};
_Static_assert(RING > 2 * ROUND, "a row's place is free when it comes");
_Static_assert(SQ_UNSETTLED_MAX == 2 * ROUND, "what may be in memory");

struct entry {
	uint8_t session[BC_HASH_BYTES];
	struct sq_session_click click; /* row 0: the place is free */
	uint32_t next;		       /* of its bucket: a place in the ring + 1; 0 = none */
};

struct bucket {
	uint32_t first; /* the newest; as entry.next */
	uint32_t count;
};

struct sq_sessions {
	struct entry *ring;	/* owned; a row's place is row % RING */
	struct bucket *buckets; /* owned */
	bool moved;		/* something left memory in this transaction */
	bool stale;		/* to be read again */
};

/* --- in memory ----------------------------------------------------------------------------- */

static unsigned bucket_of(const uint8_t *session)
{
	return (unsigned)session[0] << 8 | session[1];
}

static struct entry *place_of(const struct sq_sessions *s, uint64_t row)
{
	return &s->ring[row % RING];
}

static void link_entry(struct sq_sessions *s, const struct entry *entry)
{
	struct bucket *bucket = &s->buckets[bucket_of(entry->session)];
	struct entry *place = place_of(s, entry->click.row);
	BC_ASSERT(place->click.row == 0);
	*place = *entry;
	place->next = bucket->first;
	bucket->first = (uint32_t)(entry->click.row % RING) + 1;
	bucket->count++;
}

/* No-op for a row that is not here. */
static void unlink_row(struct sq_sessions *s, uint64_t row)
{
	struct entry *place = place_of(s, row);
	if (place->click.row != row)
		return;
	struct bucket *bucket = &s->buckets[bucket_of(place->session)];
	uint32_t *link = &bucket->first;
	while (*link != row % RING + 1)
		link = &s->ring[*link - 1].next;
	*link = place->next;
	bucket->count--;
	place->click.row = 0;
}

static void forget_all(struct sq_sessions *s)
{
	memset(s->ring, 0, RING * sizeof(*s->ring));
	memset(s->buckets, 0, BUCKETS * sizeof(*s->buckets));
}

/* --- to the table -------------------------------------------------------------------------- */

/* Runs a statement that takes an entry: 1 if it gave a row, 0, or a fault. */
static int run_with(struct sq *e, enum sq_stmt stmt, const uint8_t *session,
		    const struct sq_session_click *click)
{
	SQ_QUERY q = sq_query(e, stmt);
	sq_add_int(&q, click->row / SQ_PART_ROWS);
	sq_add_hash(&q, true, session);
	sq_add_int(&q, click->captured_ms);
	sq_add_int(&q, click->row);
	return sq_step(&q);
}

static int settle_bucket(struct sq *e, unsigned i)
{
	struct sq_sessions *s = e->sessions;
	struct bucket *bucket = &s->buckets[i];
	while (bucket->first) {
		struct entry *entry = &s->ring[bucket->first - 1];
		int result = run_with(e, SQ_SESSION_INSERT, entry->session, &entry->click);
		if (result)
			return result;
		s->moved = true;
		unlink_row(s, entry->click.row);
	}
	return 0;
}

/* How many slices of the sweep under way are done. */
static uint64_t slices_done(const struct sq *e, uint64_t last_row)
{
	uint64_t rows = last_row - e->counts.settled.now;
	return rows > ROUND ? (rows - ROUND) / SLICE_CLICKS : 0;
}

static int sweep(struct sq *e, uint64_t slice)
{
	for (unsigned i = 0; i < SLICE_BUCKETS; i++) {
		int result = settle_bucket(e, (unsigned)slice * SLICE_BUCKETS + i);
		if (result)
			return result;
	}
	if (slice + 1 == SLICES)
		e->counts.settled.now += ROUND;
	return 0;
}

/* A bucket that only one visitor can have filled so is settled at once. */
static int add_entry(struct sq *e, uint64_t row, const struct bc_click *click)
{
	struct entry entry = { .click = { click->captured_ms, row } };
	unsigned i = bucket_of(click->session);
	memcpy(entry.session, click->session, sizeof(entry.session));
	link_entry(e->sessions, &entry);
	return e->sessions->buckets[i].count < CROWD ? 0 : settle_bucket(e, i);
}

int sq_sessions_add(struct sq *e, uint64_t row, const struct bc_click *click)
{
	uint64_t done = slices_done(e, row - 1);
	int result = click->has_session ? add_entry(e, row, click) : 0;
	return result || slices_done(e, row) == done ? result : sweep(e, done);
}

int sq_sessions_remove(struct sq *e, const struct sq_session_click *click, const uint8_t *session)
{
	struct sq_sessions *s = e->sessions;
	s->moved = true;
	unlink_row(s, click->row);
	return run_with(e, SQ_SESSION_DELETE, session, click);
}

/* --- looking up ---------------------------------------------------------------------------- */

struct newest {
	struct sq_session_click *clicks;
	uint32_t count, limit;
};

static bool is_newer(const struct sq_session_click *a, const struct sq_session_click *b)
{
	if (a->captured_ms != b->captured_ms)
		return a->captured_ms > b->captured_ms;
	return a->row > b->row;
}

/* Puts it where it belongs, if it is among the newest and not there yet. */
static void offer(struct newest *list, struct sq_session_click click)
{
	uint32_t at = list->count;
	while (at && is_newer(&click, &list->clicks[at - 1]))
		at--;
	if (at == list->limit || (at && list->clicks[at - 1].row == click.row))
		return;
	if (list->count < list->limit)
		list->count++;
	memmove(&list->clicks[at + 1], &list->clicks[at], (list->count - 1 - at) * sizeof(click));
	list->clicks[at] = click;
}

static void offer_memory(const struct sq_sessions *s, const uint8_t *session, struct newest *list)
{
	uint32_t i = s->buckets[bucket_of(session)].first;
	for (const struct entry *entry; i; i = entry->next) {
		entry = &s->ring[i - 1];
		if (memcmp(entry->session, session, BC_HASH_BYTES) == 0)
			offer(list, entry->click);
	}
}

static int offer_part(struct sq *e, uint64_t part, const uint8_t *session, struct newest *list)
{
	int row;
	SQ_QUERY q = sq_query(e, SQ_SESSION_NEWEST);
	sq_add_int(&q, part);
	sq_add_hash(&q, true, session);
	sq_add_int(&q, list->limit);
	while ((row = sq_step(&q)) == 1)
		offer(list, (struct sq_session_click){ sq_int(&q, 0), sq_int(&q, 1) });
	return row;
}

/* Of the clicks that there are: 1 and the row, 0 without any. */
static int first_row(struct sq *e, uint64_t *ret_row)
{
	SQ_QUERY q = sq_query(e, SQ_CLICK_FIRST);
	int row = sq_step(&q);
	*ret_row = row == 1 ? sq_int(&q, 0) : 0; /* NULL is 0 */
	return row < 0 ? row : *ret_row > 0;
}

int sq_sessions_newest(struct sq *e, const uint8_t *session, uint32_t limit,
		       struct sq_session_click *ret_clicks)
{
	struct newest list = { .clicks = ret_clicks, .limit = limit };
	uint64_t first, last_part = (e->counts.next_click.now - 1) / SQ_PART_ROWS;
	int result = first_row(e, &first);
	if (result <= 0)
		return result;
	offer_memory(e->sessions, session, &list);
	for (uint64_t part = first / SQ_PART_ROWS; part <= last_part; part++) {
		result = offer_part(e, part, session, &list);
		if (result)
			return result;
	}
	return (int)list.count;
}

/* --- loading ------------------------------------------------------------------------------- */

/* A row of the first round that the sweep has passed is in the table; its place here will be
 * another's before the next sweep comes by. */
static bool was_swept(const struct sq *e, const struct entry *entry)
{
	return entry->click.row <= e->counts.settled.now + ROUND &&
	       bucket_of(entry->session) / SLICE_BUCKETS <
		       slices_done(e, e->counts.next_click.now - 1);
}

/* Those of a crowd are in the table but for the last few. 1, 0, or a fault. */
static int was_crowded_out(struct sq *e, const struct entry *entry)
{
	if (e->sessions->buckets[bucket_of(entry->session)].count < CROWD)
		return 0;
	return run_with(e, SQ_SESSION_HAS, entry->session, &entry->click);
}

static int load_entry(struct sq *e, const struct entry *entry)
{
	int known = was_swept(e, entry) ? 1 : was_crowded_out(e, entry);
	if (known == 0)
		link_entry(e->sessions, entry);
	return known < 0 ? known : 0;
}

static int load_entries(struct sq *e)
{
	struct entry entry = { 0 };
	int row;
	SQ_QUERY q = sq_query(e, SQ_CLICKS_SINCE);
	sq_add_int(&q, e->counts.settled.now);
	while ((row = sq_step(&q)) == 1) {
		entry.click = (struct sq_session_click){ sq_int(&q, 2), sq_int(&q, 0) };
		int result = sq_hash(&q, 1, entry.session) ? load_entry(e, &entry) : 0;
		if (result)
			return result;
	}
	return row;
}

int sq_sessions_open(struct sq *e)
{
	struct sq_sessions *s = e->sessions = calloc(1, sizeof(*s));
	if (!s)
		return sq_no_memory(e);
	s->ring = calloc(RING, sizeof(*s->ring));
	s->buckets = calloc(BUCKETS, sizeof(*s->buckets));
	if (!s->ring || !s->buckets)
		return sq_no_memory(e);
	return load_entries(e);
}

void sq_sessions_close(struct sq *e)
{
	if (!e->sessions)
		return;
	free(e->sessions->ring);
	free(e->sessions->buckets);
	free(e->sessions);
}

/* --- around a transaction ------------------------------------------------------------------ */

int sq_sessions_begin(struct sq *e)
{
	if (!e->sessions->stale)
		return 0;
	forget_all(e->sessions);
	int result = load_entries(e);
	e->sessions->stale = result != 0;
	return result;
}

void sq_sessions_settle(struct sq *e)
{
	e->sessions->moved = false;
}

void sq_sessions_restore(struct sq *e)
{
	struct sq_sessions *s = e->sessions;
	const struct sq_count *next = &e->counts.next_click;
	s->stale = s->stale || s->moved;
	s->moved = false;
	for (uint64_t row = next->durable; !s->stale && row < next->now; row++)
		unlink_row(s, row);
}
