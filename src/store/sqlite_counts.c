/* SPDX-License-Identifier: MIT */
/*
 * How many orders are in which state, how many each lane has, how it stands, and how the last
 * days' conversions do (sqlite_returns.c): known without counting. All of it lives in memory; each
 * commit writes those that changed, within its own transaction, so after a crash they fit the rows;
 * a rollback takes them back. (Triggers would do the same at two more statements for every row that
 * moves.)
 */
#include "store/sqlite_impl.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 32, COUNTS = BC_ORDER_STATES + 1 + 2 * SQ_DEFERRED };

static struct sq_lane *find_lane(const struct sq_counts *c, struct bc_str partner,
				 struct bc_str product)
{
	for (uint32_t i = 0; i < c->lane_count; i++) {
		struct sq_lane *lane = &c->lanes[i];
		if (bc_str_eq(product, lane->product) && bc_str_eq(partner, lane->partner))
			return lane;
	}
	return NULL;
}

static char *dup_label(struct bc_str label)
{
	return bc_str_dup(label.ptr ? label : BC_STR(""));
}

static struct sq_lane *add_lane(struct sq_counts *c, struct bc_str partner, struct bc_str product)
{
	if (c->lane_count == c->lane_room) {
		uint32_t room = c->lane_room ? 2 * c->lane_room : 8;
		struct sq_lane *lanes = realloc(c->lanes, room * sizeof(*lanes));
		if (!lanes)
			return NULL;
		c->lanes = lanes;
		c->lane_room = room;
	}
	struct sq_lane *lane = &c->lanes[c->lane_count];
	*lane = (struct sq_lane){ .partner = dup_label(partner), .product = dup_label(product) };
	if (!lane->partner || !lane->product) {
		free(lane->partner);
		free(lane->product);
		return NULL;
	}
	c->lane_count++;
	return lane;
}

struct sq_lane *sq_counts_find(struct sq *e, struct bc_str partner, struct bc_str product)
{
	return find_lane(&e->counts, partner, product);
}

struct sq_lane *sq_counts_lane(struct sq *e, struct bc_str partner, struct bc_str product)
{
	struct sq_lane *lane = find_lane(&e->counts, partner, product);
	return lane ? lane : add_lane(&e->counts, partner, product);
}

static struct sq_count *lane_count(struct sq_lane *lane, int state)
{
	return state == BC_ORDER_PENDING ? &lane->pending : &lane->sending;
}

static bool in_lane(int state)
{
	return state == BC_ORDER_PENDING || state == BC_ORDER_SENDING;
}

int sq_counts_move(struct sq *e, int from, int to, const struct bc_order *order)
{
	struct sq_counts *c = &e->counts;
	if (from == to)
		return 0;
	if (in_lane(from) || in_lane(to)) {
		struct sq_lane *lane = sq_counts_lane(e, order->partner, order->product);
		if (!lane)
			return sq_no_memory(e);
		if (in_lane(from))
			lane_count(lane, from)->now--;
		if (in_lane(to))
			lane_count(lane, to)->now++;
	}
	if (bc_returns_move(&e->returns, from, to, order))
		return sq_no_memory(e);
	if (from >= 0)
		c->orders[from].now--;
	if (to >= 0)
		c->orders[to].now++;
	return 0;
}

uint64_t sq_counts_pending(const struct sq *e, struct bc_str partner, struct bc_str product)
{
	const struct sq_lane *lane = find_lane(&e->counts, partner, product);
	return lane ? lane->pending.now : 0;
}

/* --- on disk ------------------------------------------------------------------------------- */

/* The orders' states, then these. */
static const char *const names[] = { "clicks", "clicks.settled", "orders.settled", "clicks.tallied",
				     "orders.tallied" };
_Static_assert(COUNTS == BC_ORDER_STATES + BC_COUNT(names), "each count has a name");

static const char *count_name(int i, char *text)
{
	if (i >= BC_ORDER_STATES)
		return names[i - BC_ORDER_STATES];
	snprintf(text, NAME_BYTES, "orders.%s", bc_order_state_name((enum bc_order_state)i));
	return text;
}

static struct sq_count *count_at(struct sq_counts *c, int i)
{
	if (i < BC_ORDER_STATES)
		return &c->orders[i];
	i -= BC_ORDER_STATES;
	if (i == 0)
		return &c->clicks;
	return i <= SQ_DEFERRED ? &c->settled[i - 1] : &c->tallied[i - 1 - SQ_DEFERRED];
}

/* One that was never put has no state. */
static int load_record(const struct sq_query *q, struct sq_lane *lane)
{
	const struct bc_lane_record stored = {
		.state = sq_text(q, 4),
		.reason = sq_text(q, 5),
		.stands = sq_int(q, 6) != 0,
		.since_ms = sq_int(q, 7),
		.stood_ms = sq_int(q, 8),
		.stood_since_ms = sq_int(q, 9),
		.until_ms = sq_int(q, 10),
	};
	if (!stored.state.ptr)
		return 0;
	lane->record = lane->durable_record = bc_lane_record_dup(&stored);
	return lane->record ? 0 : sq_no_memory(q->e);
}

static int load_lanes(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_LANES);
	int row;
	while ((row = sq_step(&q)) == 1) {
		struct sq_lane *lane = add_lane(&e->counts, sq_text(&q, 0), sq_text(&q, 1));
		if (!lane)
			return sq_no_memory(e);
		lane->pending = (struct sq_count){ sq_int(&q, 2), sq_int(&q, 2) };
		lane->sending = (struct sq_count){ sq_int(&q, 3), sq_int(&q, 3) };
		int result = load_record(&q, lane);
		if (result)
			return result;
	}
	return row;
}

static int load_newest(struct sq *e)
{
	SQ_QUERY q = sq_query(e, SQ_ORDER_LAST);
	int row = sq_step(&q);
	if (row == 1)
		e->newest_ms = (struct sq_count){ sq_int(&q, 1), sq_int(&q, 1) };
	e->unattributed_ms = e->newest_ms.now;
	return row < 0 ? row : 0;
}

int sq_counts_load(struct sq *e)
{
	char name[NAME_BYTES];
	for (int id = 0; id < SQ_DEFERRED; id++)
		e->counts.settled[id] = e->counts.tallied[id] =
			(struct sq_count){ SQ_UNSETTLED, SQ_UNSETTLED };
	SQ_QUERY q = sq_query(e, SQ_COUNTS);
	int row;
	while ((row = sq_step(&q)) == 1) {
		for (int i = 0; i < COUNTS; i++) {
			if (bc_str_eq(sq_text(&q, 0), count_name(i, name)))
				*count_at(&e->counts, i) =
					(struct sq_count){ sq_int(&q, 1), sq_int(&q, 1) };
		}
	}
	if (row == 0)
		row = load_lanes(e);
	if (row == 0)
		row = sq_returns_load(e);
	return row ? row : load_newest(e);
}

static int store_count(struct sq *e, int i)
{
	char name[NAME_BYTES];
	const struct sq_count *count = count_at(&e->counts, i);
	if (count->now == count->durable)
		return 0;
	SQ_QUERY q = sq_query(e, SQ_COUNT_PUT);
	sq_add_text(&q, bc_str_of(count_name(i, name)));
	sq_add_int(&q, count->now);
	return sq_run(&q);
}

static int store_lane(struct sq *e, const struct sq_lane *lane)
{
	if (lane->pending.now == lane->pending.durable &&
	    lane->sending.now == lane->sending.durable && lane->record == lane->durable_record)
		return 0;
	static const struct bc_lane_record never;
	const struct bc_lane_record *record = lane->record ? lane->record : &never;
	SQ_QUERY q = sq_query(e, SQ_LANE_PUT);
	sq_add_text(&q, bc_str_of(lane->partner));
	sq_add_text(&q, bc_str_of(lane->product));
	sq_add_int(&q, lane->pending.now);
	sq_add_int(&q, lane->sending.now);
	sq_add_text(&q, record->state);
	sq_add_text(&q, record->reason);
	sq_add_int(&q, record->stands);
	sq_add_int(&q, record->since_ms);
	sq_add_int(&q, record->stood_ms);
	sq_add_int(&q, record->stood_since_ms);
	sq_add_int(&q, record->until_ms);
	return sq_run(&q);
}

int sq_counts_store(struct sq *e)
{
	int result = sq_tally_store(e);
	for (int i = 0; result == 0 && i < COUNTS; i++)
		result = store_count(e, i);
	for (uint32_t i = 0; result == 0 && i < e->counts.lane_count; i++)
		result = store_lane(e, &e->counts.lanes[i]);
	return result ? result : sq_returns_store(e);
}

/* --- after the transaction ----------------------------------------------------------------- */

static void each_count(struct sq *e, void (*visit)(struct sq_count *))
{
	for (int i = 0; i < COUNTS; i++)
		visit(count_at(&e->counts, i));
	for (uint32_t i = 0; i < e->counts.lane_count; i++) {
		visit(&e->counts.lanes[i].pending);
		visit(&e->counts.lanes[i].sending);
	}
	visit(&e->counts.late_clicks);
	for (int id = 0; id < SQ_DEFERRED; id++)
		visit(&e->counts.next_row[id]);
	visit(&e->newest_ms);
}

static void settle(struct sq_count *count)
{
	count->durable = count->now;
}

static void restore(struct sq_count *count)
{
	count->now = count->durable;
}

/* Lets both be the one that is kept. */
static void keep_record(struct bc_lane_record **kept, struct bc_lane_record **other)
{
	if (*kept == *other)
		return;
	free(*other);
	*other = *kept;
}

void sq_counts_settle(struct sq *e)
{
	each_count(e, settle);
	for (uint32_t i = 0; i < e->counts.lane_count; i++)
		keep_record(&e->counts.lanes[i].record, &e->counts.lanes[i].durable_record);
	bc_returns_settle(&e->returns);
	sq_tally_settle(e);
}

void sq_counts_restore(struct sq *e)
{
	each_count(e, restore);
	for (uint32_t i = 0; i < e->counts.lane_count; i++)
		keep_record(&e->counts.lanes[i].durable_record, &e->counts.lanes[i].record);
	bc_returns_restore(&e->returns);
	sq_tally_restore(e);
}

void sq_counts_finish(struct sq *e)
{
	for (uint32_t i = 0; i < e->counts.lane_count; i++) {
		free(e->counts.lanes[i].partner);
		free(e->counts.lanes[i].product);
		if (e->counts.lanes[i].record != e->counts.lanes[i].durable_record)
			free(e->counts.lanes[i].record);
		free(e->counts.lanes[i].durable_record);
	}
	free(e->counts.lanes);
	bc_returns_finish(&e->returns);
	bc_tally_finish(&e->tally);
}
