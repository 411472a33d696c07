/* SPDX-License-Identifier: MIT */
/*
 * An index that each row does not pay for. Hashes are random: in an index of them every row dirties
 * a page of its own, in the log and again in the file, which is more to write than all the rest of
 * it. So the newest rows' hashes are kept in memory, and go from there to a table in the order of
 * the hashes, many to a page.
 *
 * A row is the one after the last. counts.settled says which are in the table:
 *
 *      settled          settled + ROUND      settled + 2 * ROUND
 *   ------|------------------|-------------------|
 *    table  memory, or swept   memory
 *
 * When a row comes after the first ROUND of them, a sweep over all hashes begins: with each
 * slice_rows more, the next slice_buckets move to the table, in the transaction of the last row.
 * When it has gone round, so many rows have come that settled moves on by a ROUND, and the next
 * sweep begins. So there is no work apart from commits, what a row causes is bounded, memory too,
 * and the two numbers, settled and the last row, say how far the sweep is: nothing else is stored,
 * and a process that was killed goes on where it was.
 *
 * Invariants: a row up to settled has its entry in the table, a later one here or in the table; in
 * both does no harm, because who asks looks into the two. An entry says where to look, the row what
 * is so. Rows that were deleted from the end are given again by the next process: then a sweep goes
 * over some hashes once more, and what it meets is in the table already.
 *
 * A rollback takes back the rows that were added. What else changed here in that transaction is
 * read from the rows again before the next one begins; while that fails, no transaction does begin.
 */
#include "store/sqlite_deferred.h"

#include <string.h>

enum {
	SLICES = SQ_DEFERRED_SLICES,
	CROWD = 128 /* of one bucket: one visitor's, so that he waits for them himself */
};

struct place {
	struct sq_deferred_entry entry; /* row 0: the place is free */
	uint32_t next;			/* of its bucket: a place in the ring + 1; 0 = none */
};

struct bucket {
	uint32_t first; /* the newest; as place.next */
	uint32_t count;
};

struct sq_deferred {
	const struct sq_deferred_kind *kind;
	struct sq_count *settled, *next; /* borrowed from the counts */
	struct place *ring;		 /* owned; a row's place is row % ring_size */
	struct bucket *buckets; /* owned; by the first bits, so they stand in the table's order */
	uint64_t ring_size, round, slice_rows;
	unsigned bucket_count, slice_buckets;
	bool changed; /* other than by rows that were added, in this transaction */
	bool stale;   /* to be read again */
};

static const struct sq_deferred_kind *const kinds[SQ_DEFERRED] = {
	[SQ_SESSIONS] = &sq_deferred_sessions,
	[SQ_TOKENS] = &sq_deferred_tokens,
};

/* --- in memory ----------------------------------------------------------------------------- */

static unsigned bucket_of(const struct sq_deferred *d, const uint8_t *hash)
{
	unsigned first_bits = (unsigned)hash[0] << 8 | hash[1];
	return first_bits * d->bucket_count >> 16;
}

static struct place *place_of(const struct sq_deferred *d, uint64_t row)
{
	return &d->ring[row % d->ring_size];
}

static void link_entry(struct sq_deferred *d, const struct sq_deferred_entry *entry)
{
	struct bucket *bucket = &d->buckets[bucket_of(d, entry->hash)];
	struct place *place = place_of(d, entry->row);
	BC_ASSERT(place->entry.row == 0);
	place->entry = *entry;
	place->next = bucket->first;
	bucket->first = (uint32_t)(entry->row % d->ring_size) + 1;
	bucket->count++;
}

/* No-op for a row that is not here. */
static void unlink_row(struct sq_deferred *d, uint64_t row)
{
	struct place *place = place_of(d, row);
	if (place->entry.row != row)
		return;
	struct bucket *bucket = &d->buckets[bucket_of(d, place->entry.hash)];
	uint32_t *link = &bucket->first;
	while (*link != row % d->ring_size + 1)
		link = &d->ring[*link - 1].next;
	*link = place->next;
	bucket->count--;
	place->entry.row = 0;
}

static void forget_all(struct sq_deferred *d)
{
	memset(d->ring, 0, d->ring_size * sizeof(*d->ring));
	memset(d->buckets, 0, d->bucket_count * sizeof(*d->buckets));
}

void sq_deferred_forget(struct sq *e, enum sq_deferred_id id, uint64_t row)
{
	struct sq_deferred *d = e->deferred[id];
	d->changed = true;
	unlink_row(d, row);
}

const struct sq_deferred_entry *sq_deferred_next(const struct sq *e, enum sq_deferred_id id,
						 const uint8_t *hash,
						 const struct sq_deferred_entry *after)
{
	const struct sq_deferred *d = e->deferred[id];
	uint32_t i = after ? BC_CONTAINER(after, const struct place, entry)->next
			   : d->buckets[bucket_of(d, hash)].first;
	for (const struct place *place; i; i = place->next) {
		place = &d->ring[i - 1];
		if (memcmp(place->entry.hash, hash, BC_HASH_BYTES) == 0)
			return &place->entry;
	}
	return NULL;
}

/* --- to the table -------------------------------------------------------------------------- */

int sq_deferred_run(struct sq *e, enum sq_deferred_id id, enum sq_stmt stmt,
		    const struct sq_deferred_entry *entry)
{
	SQ_QUERY q = sq_query(e, stmt);
	kinds[id]->bind(&q, entry);
	return sq_step(&q);
}

static int settle_bucket(struct sq *e, enum sq_deferred_id id, unsigned i)
{
	struct sq_deferred *d = e->deferred[id];
	struct bucket *bucket = &d->buckets[i];
	while (bucket->first) {
		const struct sq_deferred_entry *entry = &d->ring[bucket->first - 1].entry;
		int result = sq_deferred_run(e, id, d->kind->insert, entry);
		if (result)
			return result;
		d->changed = true;
		unlink_row(d, entry->row);
	}
	return 0;
}

/* How many slices of the sweep under way are done. */
static uint64_t slices_done(const struct sq_deferred *d)
{
	uint64_t rows = d->next->now - 1 - d->settled->now;
	return rows > d->round ? (rows - d->round) / d->slice_rows : 0;
}

static int sweep(struct sq *e, enum sq_deferred_id id, uint64_t slice)
{
	struct sq_deferred *d = e->deferred[id];
	for (unsigned i = 0; i < d->slice_buckets; i++) {
		int result = settle_bucket(e, id, (unsigned)slice * d->slice_buckets + i);
		if (result)
			return result;
	}
	if (slice + 1 == SLICES)
		d->settled->now += d->round;
	return 0;
}

/* A bucket that only one visitor can have filled so is settled at once. */
static int keep(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry)
{
	struct sq_deferred *d = e->deferred[id];
	unsigned i = bucket_of(d, entry->hash);
	link_entry(d, entry);
	return d->buckets[i].count < CROWD ? 0 : settle_bucket(e, id, i);
}

int sq_deferred_append(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry)
{
	struct sq_deferred *d = e->deferred[id];
	uint64_t done = slices_done(d);
	BC_ASSERT(!entry || entry->row == d->next->now);
	int result = entry ? keep(e, id, entry) : 0;
	d->next->now++;
	return result || slices_done(d) == done ? result : sweep(e, id, done);
}

/* Is it in the table, or has to be? The sweep has passed it, so its place here will be another's
 * before the next one comes by. */
static bool is_swept(const struct sq_deferred *d, const struct sq_deferred_entry *entry)
{
	uint64_t settled = d->settled->now;
	if (entry->row <= settled)
		return true;
	return entry->row <= settled + d->round &&
	       bucket_of(d, entry->hash) / d->slice_buckets < slices_done(d);
}

int sq_deferred_add(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry)
{
	struct sq_deferred *d = e->deferred[id];
	if (is_swept(d, entry))
		return sq_deferred_run(e, id, d->kind->insert, entry);
	d->changed = true;
	return keep(e, id, entry);
}

/* --- loading ------------------------------------------------------------------------------- */

/* Those of a crowd are in the table but for the last few. 1, 0, or a fault. */
static int was_crowded_out(struct sq *e, enum sq_deferred_id id,
			   const struct sq_deferred_entry *entry)
{
	const struct sq_deferred *d = e->deferred[id];
	if (d->buckets[bucket_of(d, entry->hash)].count < CROWD)
		return 0;
	return sq_deferred_run(e, id, d->kind->has, entry);
}

static int load_entry(struct sq *e, enum sq_deferred_id id, const struct sq_deferred_entry *entry)
{
	struct sq_deferred *d = e->deferred[id];
	int known = is_swept(d, entry) ? 1 : was_crowded_out(e, id, entry);
	if (known == 0)
		link_entry(d, entry);
	return known < 0 ? known : 0;
}

static int load_entries(struct sq *e, enum sq_deferred_id id)
{
	struct sq_deferred *d = e->deferred[id];
	int row;
	SQ_QUERY q = sq_query(e, d->kind->since);
	sq_add_int(&q, d->settled->now);
	while ((row = sq_step(&q)) == 1) {
		struct sq_deferred_entry entry = { .row = sq_int(&q, 0), .at_ms = sq_int(&q, 2) };
		int result = sq_hash(&q, 1, entry.hash) ? load_entry(e, id, &entry) : 0;
		if (result)
			return result;
	}
	return row;
}

static int load_last(struct sq *e, struct sq_deferred *d)
{
	uint64_t last = d->settled->now == SQ_UNSETTLED ? 0 : d->settled->now;
	SQ_QUERY q = sq_query(e, d->kind->last);
	int row = sq_step(&q);
	if (row == 1 && sq_int(&q, 0) > last) /* NULL is 0 */
		last = sq_int(&q, 0);
	*d->next = (struct sq_count){ last + 1, last + 1 };
	return row < 0 ? row : 0;
}

static int rebuild(struct sq *e, struct sq_deferred *d)
{
	int rc = sqlite3_exec(e->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sq_failed(e, rc);
	int result = d->kind->rebuild(e);
	d->settled->now = d->next->now - 1;
	if (result == 0)
		result = sq_counts_store(e);
	if (result)
		return result;
	rc = sqlite3_exec(e->db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sq_commit_failed(e, rc);
	sq_counts_settle(e);
	return 0;
}

/* A store that was repaired does not say what is settled. More than may be unsettled there never
 * is. */
static bool is_unsettled(const struct sq_deferred *d)
{
	return d->settled->now == SQ_UNSETTLED || d->next->now - 1 - d->settled->now > 2 * d->round;
}

/* --- opening ------------------------------------------------------------------------------- */

static struct sq_deferred *create(struct sq *e, enum sq_deferred_id id)
{
	struct sq_deferred *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->kind = kinds[id];
	d->settled = &e->counts.settled[id];
	d->next = &e->counts.next_row[id];
	d->ring_size = UINT64_C(1) << d->kind->bits;
	d->round = SQ_DEFERRED_ROUND(d->kind->bits); /* two of them are less than the ring */
	d->slice_rows = d->round / SLICES;
	d->bucket_count = 1U << (d->kind->bits - 1);
	d->slice_buckets = d->bucket_count / SLICES;
	d->ring = calloc(d->ring_size, sizeof(*d->ring));
	d->buckets = calloc(d->bucket_count, sizeof(*d->buckets));
	return d;
}

static int open_one(struct sq *e, enum sq_deferred_id id)
{
	struct sq_deferred *d = e->deferred[id] = create(e, id);
	if (!d || !d->ring || !d->buckets)
		return sq_no_memory(e);
	int result = load_last(e, d);
	if (result == 0 && is_unsettled(d))
		result = rebuild(e, d);
	return result ? result : load_entries(e, id);
}

int sq_deferred_open(struct sq *e)
{
	int result = 0;
	for (int id = 0; result == 0 && id < SQ_DEFERRED; id++)
		result = open_one(e, (enum sq_deferred_id)id);
	return result;
}

void sq_deferred_close(struct sq *e)
{
	for (int id = 0; id < SQ_DEFERRED; id++) {
		struct sq_deferred *d = e->deferred[id];
		if (!d)
			continue;
		free(d->ring);
		free(d->buckets);
		free(d);
	}
}

/* --- around a transaction ------------------------------------------------------------------ */

int sq_deferred_begin(struct sq *e)
{
	for (int id = 0; id < SQ_DEFERRED; id++) {
		struct sq_deferred *d = e->deferred[id];
		if (!d->stale)
			continue;
		forget_all(d);
		int result = load_entries(e, (enum sq_deferred_id)id);
		if (result)
			return result;
		d->stale = false;
	}
	return 0;
}

void sq_deferred_settle(struct sq *e)
{
	for (int id = 0; id < SQ_DEFERRED; id++)
		e->deferred[id]->changed = false;
}

void sq_deferred_restore(struct sq *e)
{
	for (int id = 0; id < SQ_DEFERRED; id++) {
		struct sq_deferred *d = e->deferred[id];
		d->stale = d->stale || d->changed;
		d->changed = false;
		for (uint64_t row = d->next->durable; !d->stale && row < d->next->now; row++)
			unlink_row(d, row);
	}
}
