/* SPDX-License-Identifier: MIT */
/*
 * Clicks and their sessions, as a subject of the tests of deferred indexes (deferred.h). Click i
 * has the id and the session of its number and the time i + 1.
 */
#ifndef BC_TESTS_STORE_SESSIONS_H
#define BC_TESTS_STORE_SESSIONS_H

#include "deferred.h"

static inline void id_of(uint8_t *id, uint64_t i)
{
	memset(id, 0, BC_CLICK_ID_BYTES);
	for (int k = 0; k < 8; k++)
		id[k] = (uint8_t)(i >> (56 - 8 * k));
}

struct visit {
	uint64_t id, session, at, expires;
};

static inline struct visit visit_of(uint64_t i)
{
	return (struct visit){ i, i, i + 1, TTL + i };
}

/* In the transaction under way. */
static inline void apply_click(struct sq *e, struct visit visit)
{
	struct bc_store_op op = { .kind = BC_STORE_PUT_CLICK };
	struct bc_click *click = &op.in.put_click.click;
	id_of(click->id, visit.id);
	hash_of(click->session, visit.session);
	hash_of(click->token_hash, visit.id);
	click->has_session = true;
	click->token = BC_STR("token-of-a-click");
	click->partner = BC_STR("partner");
	click->product = BC_STR("default");
	click->captured_ms = visit.at;
	click->expires_ms = visit.expires;
	apply(e, &op);
	assert_int_equal(op.result, 0);
}

static inline void apply_visit(struct rig *r, uint64_t i)
{
	apply_click(r->bare, visit_of(i));
}

static inline void put_one(struct sq *e, struct visit visit)
{
	begin(e);
	apply_click(e, visit);
	commit(e);
}

/* The time of the newest click that a session has; 0: none. */
static inline uint64_t newest_of(struct rig *r, uint64_t session)
{
	struct bc_engine_fault fault = { 0 };
	struct sq *e = r->bare;
	struct bc_click click;
	uint8_t hash[BC_HASH_BYTES];
	e->fault = &fault;
	hash_of(hash, session);
	bc_arena_reset(r->arena);
	int found = sq_rows.find_session_click(e, hash, r->arena, &click);
	if (found < 0)
		fail_msg("%s", fault.err.text);
	if (found)
		assert_memory_equal(click.session, hash, sizeof(hash));
	return found ? click.captured_ms : 0;
}

static inline bool is_click_found(struct rig *r, uint64_t i)
{
	uint64_t newest = newest_of(r, i);
	assert_true(newest == 0 || newest == i + 1);
	return newest != 0;
}

static inline void assert_clicks_counted(struct sq *e)
{
	assert_int_equal(number(e, "SELECT count(*) FROM clicks"),
			 e->counts.clicks.now + e->counts.late_clicks.now);
}

/* An order by its session gets the click. */
static inline void assert_click_counts(struct rig *r, uint64_t i)
{
	uint8_t id[BC_CLICK_ID_BYTES];
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = BC_STR("by-session");
	op->in.accept.has_session = true;
	hash_of(op->in.accept.session, i);
	begin(r->bare);
	apply(r->bare, op);
	bc_engine_sqlite.rollback(r->bare);
	assert_clicks_counted(r->bare);
	id_of(id, i);
	assert_int_equal(op->out.accept.order.state, BC_ORDER_PENDING);
	assert_memory_equal(op->out.accept.order.click, id, sizeof(id));
}

/* Unused where a test has another subject beside it. */
static const struct subject of_sessions __attribute__((unused)) = {
	.name = "sessions",
	.id = SQ_SESSIONS,
	.round = SQ_DEFERRED_ROUND(SQ_SESSIONS_BITS),
	.put = apply_visit,
	.is_found = is_click_found,
	.assert_counts = assert_click_counts,
	.in_table = "SELECT count(*) FROM click_sessions",
	.numbers = "SELECT max(captured_ms) FROM clicks",
	.unsaid = "DELETE FROM counts WHERE name = 'clicks.settled'",
	.harm = "DELETE FROM click_sessions WHERE row % 3 = 0;"
		"DELETE FROM click_expiry WHERE row % 5 = 0",
	.claims = {
		"SELECT count(*) FROM click_sessions s LEFT JOIN clicks c ON c.row = s.row"
		" WHERE c.session IS NOT s.session OR c.captured_ms IS NOT s.captured_ms"
		" OR s.part <> s.row / 131072",
		"SELECT count(*) FROM clicks c WHERE session IS NOT NULL AND row <="
		" (SELECT n FROM counts WHERE name = 'clicks.settled') AND NOT EXISTS"
		" (SELECT 1 FROM click_sessions s WHERE s.part = c.row / 131072"
		" AND s.session = c.session AND s.row = c.row)",
		"SELECT count(*) FROM click_expiry x LEFT JOIN clicks c"
		" ON c.row = x.row WHERE c.expires_ms IS NOT x.expires_ms",
		"SELECT (SELECT coalesce(max(n), 0) FROM counts WHERE name = 'clicks') <>"
		" (SELECT count(*) FROM click_expiry)",
	},
};

static inline void assert_sound_clicks(struct sq *e)
{
	assert_sound(e);
	assert_clicks_counted(e);
}

static inline uint64_t purge(struct sq *e, uint64_t before_ms, uint32_t limit)
{
	struct bc_store_op op = { .kind = BC_STORE_PURGE };
	op.in.purge.clicks_before_ms = before_ms;
	op.in.purge.limit = limit;
	begin(e);
	apply(e, &op);
	commit(e);
	assert_int_equal(op.out.purge.more, op.out.purge.clicks == limit);
	return op.out.purge.clicks;
}

static inline int delete_click(struct sq *e, uint64_t i)
{
	struct bc_store_op op = { .kind = BC_STORE_DELETE_CLICK };
	id_of(op.in.delete_click, i);
	apply(e, &op);
	return op.result;
}

#endif
