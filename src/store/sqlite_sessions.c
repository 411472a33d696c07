/* SPDX-License-Identifier: MIT */
/*
 * Which clicks a session has, newest first: a deferred index (sqlite_deferred.c). Its table,
 * click_sessions, is split by row, so a sweep writes to few pages however many clicks there are; in
 * return a look-up searches each part. A click expires and an entry goes with it, here or from the
 * table, so there are never many parts.
 *
 * And most of them it need not search: of a part that began in this process there is a filter (a
 * Bloom filter: two bits an entry, set and never cleared), and one in twenty sessions that are not
 * in a part looks as if it were. Of parts that were there before there is none, nor of those that
 * the newest SQ_FILTERS have displaced; they are searched always.
 */
#include "store/sqlite_deferred.h"

#include <string.h>

_Static_assert(SQ_PART_ROWS == 131072, "rebuild says it in SQL");

/* --- filters ------------------------------------------------------------------------------- */

enum { FILTER_BITS = 8 * SQ_PART_ROWS };

/* A session's hash is as good as random: two of its words are where its bits are. */
static uint32_t bit_of(const uint8_t *session, int which)
{
	uint32_t word;
	memcpy(&word, session + 4 * (1 + which), sizeof(word));
	return word % FILTER_BITS;
}

static struct sq_filter *filter_of(struct sq *e, uint64_t part)
{
	return &e->filters[part % SQ_FILTERS];
}

/* The filter of a part whose first entry is about to be noted; without memory the part has none. */
static void begin_filter(const struct sq *e, struct sq_filter *f, uint64_t part)
{
	if (part * SQ_PART_ROWS < e->first_own_click)
		return;
	free(f->bits);
	f->bits = calloc(1, FILTER_BITS / 8);
	f->part_end = part + 1;
}

/* Whatever is to be entered into the table, or is asked of it: too much does no harm. */
static void note(struct sq *e, const struct sq_deferred_entry *entry)
{
	uint64_t part = entry->row / SQ_PART_ROWS;
	struct sq_filter *f = filter_of(e, part);
	if (f->part_end < part + 1)
		begin_filter(e, f, part);
	for (int i = 0; f->bits && f->part_end == part + 1 && i < 2; i++) {
		uint32_t bit = bit_of(entry->hash, i);
		f->bits[bit / 8] |= (uint8_t)(1 << bit % 8);
	}
}

static bool may_hold(struct sq *e, uint64_t part, const uint8_t *session)
{
	const struct sq_filter *f = filter_of(e, part);
	if (f->part_end != part + 1 || !f->bits)
		return true;
	uint32_t a = bit_of(session, 0), b = bit_of(session, 1);
	return f->bits[a / 8] >> a % 8 & 1 && f->bits[b / 8] >> b % 8 & 1;
}

void sq_sessions_close(struct sq *e)
{
	for (int i = 0; i < SQ_FILTERS; i++)
		free(e->filters[i].bits);
}

/* --- the index ----------------------------------------------------------------------------- */

static void bind(struct sq_query *q, const struct sq_deferred_entry *entry)
{
	note(q->e, entry);
	sq_add_int(q, entry->row / SQ_PART_ROWS);
	sq_add_hash(q, true, entry->hash);
	sq_add_int(q, entry->at_ms);
	sq_add_int(q, entry->row);
}

static int rebuild(struct sq *e)
{
	static const char sql[] =
		"DELETE FROM click_sessions;"
		"INSERT INTO click_sessions SELECT row / 131072, session, captured_ms, row"
		" FROM clicks WHERE session IS NOT NULL ORDER BY 1, 2, 3, 4";
	int rc = sqlite3_exec(e->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? sq_clicks_rebuild(e) : sq_failed(e, rc);
}

const struct sq_deferred_kind sq_deferred_sessions = {
	.bits = SQ_SESSIONS_BITS,
	.last = SQ_CLICK_LAST,
	.since = SQ_CLICKS_SINCE,
	.insert = SQ_SESSION_INSERT,
	.has = SQ_SESSION_HAS,
	.bind = bind,
	.rebuild = rebuild,
};

int sq_sessions_add(struct sq *e, const struct bc_click *click)
{
	struct sq_deferred_entry entry = { .at_ms = click->captured_ms,
					   .row = e->counts.next_row[SQ_SESSIONS].now };
	memcpy(entry.hash, click->session, sizeof(entry.hash));
	return sq_deferred_append(e, SQ_SESSIONS, click->has_session ? &entry : NULL);
}

int sq_sessions_remove(struct sq *e, const struct sq_session_click *click, const uint8_t *session)
{
	struct sq_deferred_entry entry = { .at_ms = click->captured_ms, .row = click->row };
	memcpy(entry.hash, session, sizeof(entry.hash));
	sq_deferred_forget(e, SQ_SESSIONS, click->row);
	e->first_click = 0;
	return sq_deferred_run(e, SQ_SESSIONS, SQ_SESSION_DELETE, &entry);
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

/* Below which there are no clicks, as of when it was last asked: 0 or a fault. */
static int find_first(struct sq *e)
{
	if (e->first_click)
		return 0;
	SQ_QUERY q = sq_query(e, SQ_CLICK_FIRST);
	int row = sq_step(&q);
	if (row == 1)
		e->first_click = sq_int(&q, 0); /* NULL is 0 */
	return row < 0 ? row : 0;
}

int sq_sessions_newest(struct sq *e, const uint8_t *session, uint32_t limit,
		       struct sq_session_click *ret_clicks)
{
	struct newest list = { .clicks = ret_clicks, .limit = limit };
	const struct sq_deferred_entry *entry = NULL;
	int result = find_first(e);
	if (result || !e->first_click)
		return result;
	while ((entry = sq_deferred_next(e, SQ_SESSIONS, session, entry)))
		offer(&list, (struct sq_session_click){ entry->at_ms, entry->row });
	uint64_t last_part = (e->counts.next_row[SQ_SESSIONS].now - 1) / SQ_PART_ROWS;
	for (uint64_t part = e->first_click / SQ_PART_ROWS; part <= last_part; part++) {
		if (!may_hold(e, part, session))
			continue;
		result = offer_part(e, part, session, &list);
		if (result)
			return result;
	}
	return (int)list.count;
}
