/* SPDX-License-Identifier: MIT */
/*
 * What the files of the sqlite engine share. One connection, one thread at a time.
 *
 * A function that talks to SQLite returns 0 (look-ups 1 found, 0 absent) or a negative code; then
 * the fault that struct sq points to during an operation is filled, and the caller only returns.
 */
#ifndef BC_STORE_SQLITE_IMPL_H
#define BC_STORE_SQLITE_IMPL_H

#include <sqlite3.h>

#include "store/engine.h"
#include "store/returns.h"
#include "store/rules.h"
#include "store/tally.h"

enum {
	SQ_SCHEMA_VERSION = 4,
	SQ_APPLICATION_ID = 0x62636831, /* "bch1" */
	SQ_PAGE_BYTES = 4096,
	SQ_SCRATCH_BYTES = 64 * 1024,
	SQ_SCRATCH_MAX = 1024 * 1024,
	SQ_CHUNK_ROWS = 64, /* rows that a bulk move holds at a time */
	SQ_NEW_ORDERS = 32, /* the most that one statement inserts */
	SQ_FILTERS = 16	    /* of the sessions' parts, 128 KiB each */
};

/* Every statement, prepared once; the texts are in sqlite_schema.c in this order. */
enum sq_stmt {
	SQ_BEGIN,
	SQ_COMMIT,
	SQ_CLICK_DELETE,
	SQ_CLICK_INSERT,
	SQ_CLICK_BY_ID,
	SQ_CLICK_BY_ROW,
	SQ_CLICK_SESSION,
	SQ_CLICK_BLANK,
	SQ_CLICK_BLANK_ROW,
	SQ_CLICKS_EXPIRED,
	SQ_CLICKS_EXPIRED_LATE,
	SQ_CLICKS_SINCE,
	SQ_CLICK_FIRST,
	SQ_CLICK_LAST,
	SQ_CLICKS_LATE,
	SQ_EXPIRY_FILL,
	SQ_EXPIRY_DELETE,
	SQ_SESSION_INSERT,
	SQ_SESSION_DELETE,
	SQ_SESSION_HAS,
	SQ_SESSION_NEWEST,
	SQ_TOKEN_INSERT,
	SQ_TOKEN_HAS,
	SQ_TOKEN_IN_TABLE,
	SQ_TOKEN_OF_ROW,
	SQ_TOKENS_SINCE,
	SQ_ORDER_BY_ID,
	SQ_ORDER_UNCLAIMED_CLICK,
	SQ_ORDER_UNCLAIMED_SESSION,
	SQ_ORDER_INSERT, /* of one, and of so many */
	SQ_ORDER_INSERT_2,
	SQ_ORDER_INSERT_4,
	SQ_ORDER_INSERT_8,
	SQ_ORDER_INSERT_16,
	SQ_ORDER_INSERT_32,
	SQ_ORDER_CLAIM,
	SQ_ORDER_MOVE,
	SQ_ORDER_MARK,
	SQ_ORDER_RESTORE,
	SQ_ORDERS_DUE,
	SQ_ORDERS_BELOW,
	SQ_ORDERS_BELOW_IN_STATE,
	SQ_ORDERS_BELOW_REVOKED,
	SQ_ORDERS_STARTING,
	SQ_ORDERS_BELOW_STARTING,
	SQ_ORDERS_TO_COMMENT,
	SQ_ORDERS_PAST_DEADLINE,
	SQ_ORDER_SINCE,
	SQ_ORDER_LAST,
	SQ_ORDERS_TO_CLEAR,
	SQ_ORDER_CLEAR,
	SQ_ORDERS_UNTOUCHED,
	SQ_ORDERS_TOMBSTONES,
	SQ_ORDER_DELETE,
	SQ_ATTEMPT_INSERT,
	SQ_ATTEMPT_UPDATE,
	SQ_ATTEMPTS,
	SQ_LANE_NEXT_DUE,
	SQ_LANE_OLDEST,
	SQ_META_GET,
	SQ_META_PUT,
	SQ_COUNT_PUT,
	SQ_COUNTS,
	SQ_LANE_PUT,
	SQ_LANES,
	SQ_RETURNS_PUT,
	SQ_RETURNS_DELETE,
	SQ_RETURNS,
	SQ_TALLY_PUT,
	SQ_TALLY_DELETE,
	SQ_TALLY,
	SQ_TALLY_SINCE,
	SQ_STMTS
};
extern const char *const sq_texts[SQ_STMTS];
extern const char sq_schema[];
/* A number of the store's, as it is now and as it was at the last commit. */
struct sq_count {
	uint64_t now, durable;
};
struct sq_lane {
	char *partner, *product; /* owned */
	struct sq_count pending, sending;
	/* How it stands, now and at the last commit. Owned; often the same; NULL = never put. */
	struct bc_lane_record *record, *durable_record;
};
/* The deferred indexes (sqlite_deferred.h), each of one table: the clicks, the orders. */
enum sq_deferred_id { SQ_SESSIONS, SQ_TOKENS, SQ_DEFERRED };
#define SQ_UNSETTLED UINT64_MAX /* counts.settled: the store does not say */
struct sq_counts {
	struct sq_count orders[BC_ORDER_STATES], clicks;
	struct sq_count late_clicks;	       /* not in clicks; see sqlite_clicks.c */
	struct sq_count next_row[SQ_DEFERRED]; /* that the next click, or order, gets */
	struct sq_count settled[SQ_DEFERRED];  /* a row; see sqlite_deferred.c */
	struct sq_count tallied[SQ_DEFERRED];  /* likewise; see sqlite_tally.c */
	struct sq_lane *lanes;		       /* owned; only ever grows */
	uint32_t lane_count, lane_room;
};

/* Which sessions a part of click_sessions cannot have; see sqlite_sessions.c. */
struct sq_filter {
	uint64_t part_end; /* the part's number + 1; 0 = of none yet */
	uint8_t *bits;	   /* owned; NULL: it has none */
};

/* Orders that are to be inserted yet; see sqlite_insert.c. */
struct sq_new_orders {
	struct {
		struct bc_order order;
		uint64_t newest_ms;
	} orders[SQ_NEW_ORDERS];
	uint32_t count;
	struct bc_arena *texts; /* owned; theirs */
};

/* A copy of the store; see sqlite_backup.c. */
struct sq_backup {
	enum bc_backup_state state;
	char *path;	      /* owned */
	sqlite3 *to;	      /* while it runs */
	sqlite3_backup *copy; /* while it runs */
	uint64_t pages, of;
	uint64_t seen_ms; /* when somebody last asked about it; elapsed clock */
	struct bc_err err;
};

struct sq {
	sqlite3 *db;
	char *path; /* owned */
	const struct bc_clock *clock;
	sqlite3_stmt *stmts[SQ_STMTS];
	struct bc_engine_fault *fault; /* borrowed from the call under way */
	struct bc_arena *scratch;      /* owned; reset before each operation */
	struct sq_counts counts;
	struct sq_new_orders new_orders;
	struct sq_deferred *deferred[SQ_DEFERRED]; /* owned */
	uint64_t first_click;			   /* no row of a click is below; 0 = not known */
	uint64_t first_own_click;		   /* the first row that this process puts */
	struct sq_filter filters[SQ_FILTERS];
	struct bc_returns returns;
	struct bc_tally tally;
	bool tally_due;		   /* the transaction under way writes it */
	struct sq_count newest_ms; /* greatest created_ms so far; see sq_schema */
	/* No unattributed order was created later. */
	uint64_t unattributed_ms;
	uint32_t wal_pages; /* not yet in the database file */
	bool broken;	    /* a commit or checkpoint met an I/O error: nothing more is written */
	bool scrub;	    /* the log still holds tokens that were removed */
	uint64_t scrub_ms;  /* when to do that; elapsed clock */
	uint64_t retry_ms;  /* no checkpoint before; elapsed clock */
	struct sq_backup backup;
};

/* sqlite_fault.c */
int sq_failed(struct sq *e, int rc);	    /* fills *e->fault; returns its code */
int sq_commit_failed(struct sq *e, int rc); /* the same, for what COMMIT or a checkpoint said */
int sq_no_memory(struct sq *e);
/* The same words for opening. */
int sq_open_failed(struct sq *e, int rc, struct bc_err *err);

/* sqlite_query.c: a statement in use, bound from left to right, reset when it leaves scope. */
struct sq_query {
	struct sq *e;
	sqlite3_stmt *stmt;
	int bound;
};
struct sq_query sq_query(struct sq *e, enum sq_stmt stmt);
void sq_query_end(struct sq_query *q);
#define SQ_QUERY BC_CLEANUP(sq_query_end) struct sq_query
void sq_add_int(struct sq_query *q, uint64_t value);	   /* beyond INT64_MAX is that */
void sq_add_text(struct sq_query *q, struct bc_str text);  /* absent = NULL */
void sq_add_label(struct sq_query *q, struct bc_str text); /* absent = empty */
void sq_add_hash(struct sq_query *q, bool present, const uint8_t *hash);
int sq_step(struct sq_query *q); /* 1: a row; 0: done; or a fault */
int sq_run(struct sq_query *q);	 /* steps one that returns no row: 0 or a fault */
uint64_t sq_int(const struct sq_query *q, int column);
bool sq_hash(const struct sq_query *q, int column, uint8_t *ret_hash);
/* Borrowed until the next step. */
struct bc_str sq_text(const struct sq_query *q, int column);
/* A copy in arena: 0 or a fault. */
int sq_copy(const struct sq_query *q, int column, struct bc_arena *arena, struct bc_str *ret_text);
/* Reads the columns of SQ_ORDER_COLUMNS: 0 or a fault. */
int sq_read_order(const struct sq_query *q, struct bc_arena *arena, struct bc_order *ret_order);
/* Steps; 1 and the order, 0, or a fault. */
int sq_step_order(struct sq_query *q, struct bc_arena *arena, struct bc_order *ret_order);

/* Steps up to SQ_CHUNK_ROWS orders into scratch, which is reset first. 0 or a fault. */
int sq_read_chunk(struct sq_query *q, struct bc_order **ret_orders, uint32_t *ret_count);

/* sqlite_counts.c: counts, lanes and returns live in memory and are written, where they changed, by
 * each commit.
 */
int sq_counts_load(struct sq *e);
int sq_counts_store(struct sq *e);    /* within the transaction that is about to commit */
void sq_counts_settle(struct sq *e);  /* after a commit */
void sq_counts_restore(struct sq *e); /* after a rollback */
void sq_counts_finish(struct sq *e);
/* Moves an order from a state to another; -1 = from or to nowhere. 0 or a fault. */
int sq_counts_move(struct sq *e, int from, int to, const struct bc_order *order);
uint64_t sq_counts_pending(const struct sq *e, struct bc_str partner, struct bc_str product);
/* NULL where there is none. Lanes move when one is added. */
struct sq_lane *sq_counts_find(struct sq *e, struct bc_str partner, struct bc_str product);
/* Adds it if there is none; NULL without memory. */
struct sq_lane *sq_counts_lane(struct sq *e, struct bc_str partner, struct bc_str product);

/* sqlite_lanes.c */
const struct bc_lane_record *sq_find_lane(void *e, struct bc_str partner, struct bc_str product);
int sq_put_lane(struct sq *e, struct bc_store_op *op);
int sq_tell_lanes(struct sq *e, struct bc_store_op *op);

/* sqlite_sessions.c: the clicks of each session. */
#define SQ_PART_ROWS 131072 /* of click_sessions; never changes: stores are laid out by it */
struct sq_session_click {
	uint64_t captured_ms, row;
};
/* With each click that is put; its row is counts.next_row, which moves on. 0 or a fault. */
int sq_sessions_add(struct sq *e, const struct bc_click *click);
/* With each click of a session that is deleted. 0 or a fault. */
int sq_sessions_remove(struct sq *e, const struct sq_session_click *click, const uint8_t *session);
/* The newest by time, then row, newest first. Returns how many, or a fault. */
int sq_sessions_newest(struct sq *e, const uint8_t *session, uint32_t limit,
		       struct sq_session_click *ret_clicks);

void sq_sessions_close(struct sq *e);

/* sqlite_tokens.c: which order holds a token. */
/* With each order that is inserted; its row is counts.next_row, which moves on. 0 or a fault. */
int sq_tokens_append(struct sq *e, const struct bc_order *order);
/* With each one that was unattributed and may have got its click. 0 or a fault. */
int sq_tokens_claim(struct sq *e, const struct bc_order *order);
int sq_find_token(void *e, struct bc_str partner, const uint8_t *hash, struct bc_arena *arena,
		  struct bc_str *ret_order);

/* sqlite_returns.c */
int sq_returns_load(struct sq *e);
int sq_returns_store(struct sq *e);
int sq_tell_returns(struct sq *e, struct bc_store_op *op);
int sq_tell_history(struct sq *e, struct bc_store_op *op);

/* sqlite_tally.c: how many clicks and orders came. */
int sq_tally_open(struct sq *e); /* after counts and deferred indexes: 0 or a fault */
/* With each click that is captured, after it was put; with each order that is inserted. 0 or a
 * fault. */
int sq_tally_click(struct sq *e, const struct bc_click *click);
int sq_tally_order(struct sq *e, const struct bc_order *order);
/* A row is deleted, or is none that came. */
void sq_tally_changes(struct sq *e, enum sq_deferred_id id, uint64_t row);
uint32_t sq_tally_expire(struct sq *e, uint64_t now_ms, uint32_t limit);
int sq_tally_store(struct sq *e);    /* within the transaction, before the counts: 0 or a fault */
void sq_tally_settle(struct sq *e);  /* after a commit */
void sq_tally_restore(struct sq *e); /* after a rollback */

/* sqlite_rows.c: the rows that the rules work on. */
extern const struct bc_rule_rows sq_rows;
int sq_move_order(void *e, enum bc_order_state from, const struct bc_order *order);

/* sqlite_insert.c: orders are inserted together. 0 or a fault. */
int sq_insert_later(struct sq *e, const struct bc_order *order);
int sq_insert_now(struct sq *e); /* all that are to be */
/* If one of them has that id, or that token: who asks looks into the table next. */
int sq_insert_named(struct sq *e, struct bc_str order);
int sq_insert_holder(struct sq *e, const uint8_t *token_hash);
void sq_insert_none(struct sq *e); /* forgets them: after a rollback */

/* sqlite_clicks.c: what the rules ask about clicks (rules.h). */
int sq_find_click(void *e, const uint8_t *id, struct bc_arena *arena, struct bc_click *ret_click);
int sq_find_session_click(void *e, const uint8_t *session, struct bc_arena *arena,
			  struct bc_click *ret_click);
int sq_put_click(void *e, const struct bc_click *click, bool *ret_replaced);
int sq_blank_clicks(void *e, const struct bc_order *order);
/* Deletes what expired at before_ms or earlier, at most so many. How many, or a fault. */
int sq_purge_clicks(struct sq *e, uint64_t before_ms, uint32_t limit);
int sq_clicks_open(struct sq *e); /* after their sessions: 0 or a fault */
/* Makes click_expiry and its count anew, in the transaction under way. 0 or a fault. */
int sq_clicks_rebuild(struct sq *e);

/* Operations. 0 or a fault. */
int sq_delete_click(struct sq *e, struct bc_store_op *op);
int sq_lease(struct sq *e, struct bc_store_op *op);
int sq_release(struct sq *e, struct bc_store_op *op);
int sq_requeue(struct sq *e, struct bc_store_op *op);
int sq_get_order(struct sq *e, struct bc_store_op *op);
int sq_list_orders(struct sq *e, struct bc_store_op *op);
int sq_due_comments(struct sq *e, struct bc_store_op *op);

/* sqlite_look.c: one look over the orders that a selector names, newest first. It may go on over
 * several queries, each from where the last one stood. */
struct sq_look {
	const struct bc_order_selector *select; /* borrowed */
	uint64_t from_row;			/* rows below cannot be named */
	uint64_t below_row;			/* what was looked at is not below */
	uint32_t left;				/* rows that may be looked at */
	bool few; /* select->search names so few that an index finds them */
	char search_end[BC_ORDER_ID_MAX + 1]; /* what is not below it begins with something else */
	bool more;			      /* it ended because none may */
};
/* 0 or a fault. */
int sq_look_start(struct sq *e, const struct bc_order_selector *select, uint32_t rows,
		  struct sq_look *ret_look);
struct sq_query sq_look_query(struct sq *e, struct sq_look *look);
/* 1: q is at an order that is named; 0: there are no more, or look->more; or a fault. */
int sq_look_step(struct sq_query *q, struct sq_look *look);
/* As sq_read_chunk, of those that are named. */
int sq_look_chunk(struct sq *e, struct sq_look *look, struct bc_order **ret_orders,
		  uint32_t *ret_count);
int sq_purge(struct sq *e, struct bc_store_op *op);

/* sqlite_upgrade.c: makes the tables of a store that an older backchannel left those of this one,
 * in one transaction. 0 or an error. */
int sq_upgrade(struct sq *e, long version, struct bc_err *err);

/* sqlite_open.c */
int sq_open(const char *path, const struct bc_clock *clock, void **ret_engine, struct bc_err *err);
void sq_close(void *engine);

/* sqlite_backup.c */
int sq_backup_open(struct sq *e, struct bc_err *err); /* once path is known: 0 or BC_ENOMEM */
void sq_backup_close(struct sq *e);		      /* before the database is closed */
int sq_backup(struct sq *e, struct bc_store_op *op);
uint32_t sq_backup_tend(struct sq *e); /* as sq_tend */

/* sqlite_measure.c: file and log together. */
bool sq_measure(void *engine, uint64_t *ret_bytes, uint64_t *ret_free_bytes);

/* sqlite_tend.c: checkpoints, off the commit path. */
uint32_t sq_tend(void *engine, bool idle, struct bc_engine_fault *fault);
/* A token was removed: the log must lose it too, soon. */
void sq_want_scrub(struct sq *e);
int sq_count_wal(void *engine, sqlite3 *db, const char *schema, int pages); /* wal hook */

#endif
