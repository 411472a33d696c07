/* SPDX-License-Identifier: MIT */
/*
 * The store: domain operations over one of several engines, always asynchronous.
 *
 * A caller fills a struct bc_store_op, submits it, and gets op->done(op) later on its own loop,
 * never inline. Input slices must live until then; output strings are allocated in op->arena. A
 * write's done is called after it is on disk: operations that wait together share one transaction
 * and one fsync (group commit), and one wake-up a loop brings all their completions.
 *
 * Results: 0 or a negative BC_E*. BC_ESTORE: nothing of it is kept. BC_EUNSURE: the engine cannot
 * say whether it landed; every operation may be put again with the same key safely.
 *
 * The engine knows rows and states; it decides nothing about partners, times or answers. What it
 * does guarantee is what must be one transaction: the token moves into the conversion with the
 * order (design rule 2), one conversion an order, one order a click.
 */
#ifndef BC_STORE_STORE_H
#define BC_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/backup.h"
#include "store/reports.h"
#include "store/rows.h"

enum bc_store_kind {
	BC_STORE_PUT_CLICK,    /* w: click. ret: adopted orders */
	BC_STORE_DELETE_CLICK, /* w: by id. BC_ENOENT when unknown */
	BC_STORE_ACCEPT_ORDER, /* w: the heart; see struct bc_accept */
	BC_STORE_LEASE,	  /* w: due conversions become sending, each with its attempt recorded */
	BC_STORE_FINISH,  /* w: what an attempt came to */
	BC_STORE_RELEASE, /* w: every sending row back to pending, due at now (start of a daemon) */
	BC_STORE_GET_ORDER, /* r: one order with its attempts. BC_ENOENT */
	/* r: newest first, by selector. Looks at a bounded number of rows: a page may be shorter
	 * than its limit, even empty, and yet have a next one */
	BC_STORE_LIST_ORDERS,
	/* w: one order, or all that a selector names, due at now with no failures counted. Takes
	 * pending, rejected, expired, cancelled ones that still have their token; one of another
	 * kind is BC_ESTATE, and is passed over by a selector. A selector for any state leaves out
	 * the cancelled: what was withdrawn on purpose comes back only when it is named. One that
	 * the shop took back is left out by a selector without `revoked` as well; requeued, it
	 * counts as not taken back: revoked_ms becomes 0, until the shop says so again. */
	BC_STORE_REQUEUE,
	/* w: one order. BC_ENOENT; BC_ESTATE when sending or delivered already; one that is
	 * cancelled already is 0 with count 0. */
	BC_STORE_CANCEL,
	/* w: clean-up; a bounded amount a call. Conversions that are final are never deleted,
	 * because there is one an order, ever: they only lose what is not needed to know that. */
	BC_STORE_PURGE,
	BC_STORE_COUNTS, /* r */
	/* r: conversions by product, window and state; without a scan. Products without one in the
	 * longest window are left out */
	BC_STORE_RETURNS,
	BC_STORE_HISTORY, /* r: clicks, orders, conversions by steps of time; without a scan */
	/* r: per (partner, product) with pending or sending conversions, or a PUT_LANE of its own
	 */
	BC_STORE_LANES,
	/* w: how a lane stands, kept over restarts. While `stands` is true the lane's time does not
	 * run: deadlines are kept in lane time (wall clock less all time the lane stood), so that a
	 * long stand costs no conversion and no row has to be touched for it. */
	BC_STORE_PUT_LANE,
	BC_STORE_GET_META, /* r: BC_ENOENT */
	BC_STORE_PUT_META, /* w */
	BC_STORE_PROBE,	   /* w: writes one row, to learn whether the store takes writes again */
	/* w: what one page of a source says of orders, in its order, and the page's position as
	 * PUT_META would: one transaction, all or nothing. How an order came out (CONFLICT, say) is
	 * the item's alone and fails nothing; one that could not be an order's name or lane is
	 * BC_EINVAL or BC_ETOOBIG for the whole page, and nothing of it is kept */
	BC_STORE_TAKE_PAGE,
	/* w: another session for the click of that id, by a copy of it, which a later bind with the
	 * same copy replaces. One that was used is bound as well: the order then says by whom.
	 * BC_ENOENT: no such click, or expired */
	BC_STORE_BIND_CLICK,
	/* r: orders whose comment is due, the first reported first. All are delivered or rejected:
	 * one that leaves those states has no comment due any more */
	BC_STORE_DUE_COMMENTS,
	/* w: what became of it. BC_ENOENT. 0 also where nothing was changed: see finished_ms */
	BC_STORE_PUT_COMMENT,
	/* r: a copy of the whole store (backup.h). BC_ESTATE: one is being made already; BC_EINVAL:
	 * this engine makes none */
	BC_STORE_BACKUP,
	BC_STORE_KINDS
};

/* Selects orders: for lists, counts, requeue and export alike. */
struct bc_order_selector {
	int state;			/* enum bc_order_state or BC_ORDER_STATE_ANY */
	uint64_t since_ms;		/* created at or after; 0 = all */
	uint64_t until_ms;		/* created before; 0 = all */
	struct bc_str partner, product; /* absent = any */
	bool revoked;			/* only those the shop took back */
	struct bc_str search;		/* whose id begins with it; absent or empty = all */
	uint64_t before_row;		/* cursor: rows below; 0 = from the newest */
	uint32_t limit;	 /* requeue: 0 = no limit; lists: 1 to 1000, others are 1000 */
	bool count_only; /* requeue, list: only say how many (out.changed.count,
			    out.list.count); a list's limit does not bound it then, what one
			    look may cost does: next_before_row says where to go on */
};

struct bc_store_op {
	enum bc_store_kind kind;
	void (*done)(
		struct bc_store_op *op); /* on the submitter's loop; op is the caller's again */
	void *ctx;			 /* the caller's */
	struct bc_arena *arena; /* for outputs; required by the kinds that return strings */

	union {
		struct {
			struct bc_click click;
			uint64_t adopt_after_ms; /* unattributed orders created at or after are
						    adopted */
			uint64_t due_ms, deadline_ms;
		} put_click;
		uint8_t delete_click[BC_CLICK_ID_BYTES];
		struct bc_accept accept;
		struct {
			uint64_t now_ms, lease_ms; /* lease_ms: until when */
			uint32_t limit;
			struct bc_str partner, product; /* the lane */
			struct bc_str key_fingerprint;
			/* Absent = any due; else just this one, due or not; the lane, if given,
			 * must be its own. What is past its deadline is never leased. */
			struct bc_str only_order;
			/* Left where they are, though due; a few. Not with only_order. */
			const struct bc_str *except;
			uint32_t except_count;
		} lease;
		struct {
			struct bc_str order;
			uint32_t n; /* which attempt; a finish of an older lease is BC_ESTATE */
			int status, outcome;
			uint64_t duration_ms;
			struct bc_str error;
			enum bc_order_state next; /* pending, delivered, rejected or expired */
			struct bc_str reason;	  /* with rejected or expired */
			uint64_t due_ms;	  /* with pending */
			uint64_t deadline_ms;	  /* 0 = unchanged */
			uint64_t now_ms;
			/* order.keep = 0 and final. Clears it from the order and blanks it in the
			 * clicks that hold it: the order's own, and the newest of its
			 * session. One that came by its token names no click. Copies under other
			 * sessions go when they expire. */
			bool clear_token;
			bool count_failure; /* counts for back-off */
			bool comment;	    /* delivered or rejected: its comment becomes due */
		} finish;
		struct {
			uint64_t now_ms;
		} release;
		struct {
			struct bc_str order;
		} get_order;
		struct {
			struct bc_order_selector select;
		} list;
		struct {
			struct bc_str order; /* absent: by selector */
			struct bc_order_selector select;
			uint64_t now_ms, deadline_ms;
		} requeue;
		struct {
			struct bc_str order, reason;
			uint64_t now_ms;
		} cancel;
		struct {
			uint64_t now_ms;
			uint64_t clicks_before_ms; /* clicks that expired at it or before: delete */
			/* Final rows finished before: clear token, session and click id, and blank
			 * the token in the clicks as finish does. The token's hash stays. */
			uint64_t clear_before_ms;
			/* Unattributed, or taken back by the shop without ever having had a token;
			 * untouched since: delete. */
			uint64_t unattributed_before_ms;
			uint32_t limit; /* most rows a kind of work; 0 = 1000 */
		} purge;
		struct {
			struct bc_str partner, product;
			struct bc_str state, reason; /* the core's words, kept as they are */
			bool stands;		     /* its time does not run */
			uint64_t now_ms;	     /* since when */
			uint64_t until_ms;	     /* kept and told again; 0 = none */
		} put_lane;
		struct {
			uint64_t now_ms;
		} returns;
		struct {
			uint64_t now_ms;
			/* A step: whole five minutes; all of them: seven days at most. */
			uint32_t step_ms, steps;
		} history;
		struct {
			struct bc_str key, value; /* value: put only */
		} meta;
		struct {
			struct bc_page_item *items; /* the caller's; filled */
			uint32_t count;		    /* 0 to BC_PAGE_ITEMS_MAX */
			struct bc_str key, value;   /* the position; key absent: none */
		} page;
		struct {
			uint8_t click[BC_CLICK_ID_BYTES]; /* which */
			uint8_t copy[BC_CLICK_ID_BYTES];  /* the id of the copy */
			uint8_t session[BC_HASH_BYTES];
			uint64_t now_ms;
			/* An order that waits for that session is adopted, as by PUT_CLICK. */
			uint64_t adopt_after_ms, due_ms, deadline_ms;
		} bind;
		struct {
			uint32_t limit; /* 0 = 100 */
		} comments;		/* out.list */
		struct {
			struct bc_str order;
			enum bc_comment_state state;
			uint64_t entity_id; /* 0 = unchanged */
			/* The order's, as the comment told of it: one that has ended anew since
			 * keeps its comment due. 0 = whatever it is. */
			uint64_t finished_ms;
		} put_comment;
		struct {
			enum bc_backup_wish wish;
		} backup;
	} in;

	/* Filled before done; valid as long as arena and the caller's inputs. */
	int result; /* 0 or negative BC_E* */
	struct bc_err err;
	union {
		struct {
			uint32_t adopted; /* orders that became pending; of a bind, too */
			bool replaced;	  /* an earlier click of this id was there */
		} put_click;
		struct {
			enum bc_accept_result how;
			struct bc_order order; /* the row as it stands now */
		} accept;
		struct {
			struct bc_order *orders; /* state sending, attempts = the one to send */
			uint32_t count;
		} lease;
		struct {
			uint64_t count;	       /* rows released, requeued, cancelled */
			struct bc_order order; /* requeue/cancel of one: as it stands now */
			/* requeue by selector with a limit: that was reached, or as many rows were
			 * looked at as one look may cost (then count may be anything, even 0); go
			 * on from here. 0 = all done. A row that moves costs about 10 us during
			 * which the store does nothing else. */
			uint64_t next_before_row;
			/* release: greatest time at which an order was created; later than now:
			 * the wall clock was set back since */
			uint64_t newest_ms;
		} changed;
		struct {
			struct bc_order order;
			struct bc_attempt *attempts;
			uint32_t attempt_count;
		} story;
		struct {
			struct bc_order *orders;
			uint32_t count;
			uint64_t next_before_row; /* 0 = no more */
		} list;
		struct {
			uint64_t clicks, cleared, orders; /* deleted, final rows, deleted */
			uint64_t expired; /* pending past their deadline, now expired */
			bool more;	  /* limit reached: call again */
		} purge;
		struct bc_store_counts counts;
		struct {
			struct bc_lane_count *lanes;
			uint32_t count;
		} lanes;
		struct {
			struct bc_return_count *products;
			uint32_t count;
		} returns;
		struct bc_history history;
		struct bc_str meta;
		struct bc_backup_view backup;
	} out;

	struct bc_store_op *next; /* the store's own, from here */
	void *origin;
};

bool bc_store_kind_writes(enum bc_store_kind kind);
const char *bc_store_kind_name(enum bc_store_kind kind);

/* How a store reaches a loop. The store layer knows no loop: whoever opens a store gives it this.
 */
struct bc_store_origin {
	/* Runs, on the origin's own thread and never inline, bc_store_complete(ops). Any thread may
	 * call it. */
	void (*post)(struct bc_store_origin *origin, struct bc_store_op *ops);
};
/* Calls done of each op of the list, in order. */
void bc_store_complete(struct bc_store_op *ops);

enum { BC_STORE_COMMIT_BUCKETS = 16, BC_STORE_MINUTES = 5 };

/* Commits that ended in one minute of the clock that does not jump. */
struct bc_store_minute {
	uint64_t number; /* which */
	uint64_t committed;
	uint32_t commit_us_bucket[BC_STORE_COMMIT_BUCKETS];
};

struct bc_store_stats {
	uint64_t commits, commit_errors;
	uint64_t operations;	  /* all, reads too */
	uint64_t committed;	  /* those in commits */
	uint64_t commit_us_total; /* begin of transaction to durable */
	uint64_t commit_us_max;
	uint64_t batch_max;
	/* Commits by duration: below 2^i * 100 us. */
	uint32_t commit_us_bucket[BC_STORE_COMMIT_BUCKETS];
	uint32_t batch_bucket[BC_STORE_COMMIT_BUCKETS];	  /* by operations: at most 2^i */
	struct bc_store_minute minutes[BC_STORE_MINUTES]; /* by number modulo their number */
	bool writable;					  /* the last write succeeded */
	bool broken;		   /* final for this handle (failed fsync); restart needed */
	struct bc_err broken_err;  /* while broken: what failed, and what to do */
	struct bc_err refused_err; /* while not writable, likewise */
	/* What it takes on disk, and what is free there, a few seconds ago at most when an
	 * operation ended just now. Not known for an engine without a file. */
	bool has_size;
	uint64_t bytes, free_bytes;
};

struct bc_store;

struct bc_store_options {
	const char *url; /* "sqlite:PATH", "memory:" */
	const struct bc_clock *clock;
	uint32_t queue_max; /* operations waiting; beyond: BC_EBUSY. 0 = 65536 */
	uint32_t batch_max; /* operations a transaction. 0 = 1024 */
};

/*
 * Opens (and creates or upgrades) a store, on the caller's thread; then serves it on a thread of
 * its own where the engine blocks. result  0; BC_EINVAL url; BC_EBUSY another process holds it (err
 * names it); BC_EIO; BC_ESTORE damaged
 */
BC_MUST_CHECK int bc_store_open(const struct bc_store_options *options, struct bc_store **ret_store,
				struct bc_err *err);
/* Waits for what is queued, commits, closes. No submit may follow. NULL is fine. */
void bc_store_close(struct bc_store *s);

/* Any thread that owns origin. op and its inputs are the store's until done. Refusals (BC_EBUSY)
 * come by done as well, so there is one path. */
void bc_store_submit(struct bc_store *s, struct bc_store_origin *origin, struct bc_store_op *op);
/* The same for a list linked by next, first to be done first: they share a commit, unless they are
 * more than one takes. */
void bc_store_submit_all(struct bc_store *s, struct bc_store_origin *origin,
			 struct bc_store_op *ops);

/* A snapshot; any thread. */
void bc_store_stats(struct bc_store *s, struct bc_store_stats *ret_stats);

/* The commits of the last minutes, of a snapshot taken now. */
struct bc_store_recent {
	uint64_t commits, committed; /* committed: operations in them */
	uint32_t p50_us, p99_us; /* of their durations, to within a bucket; 0 without a commit */
};
void bc_store_recent(const struct bc_store_stats *stats, struct bc_store_recent *ret_recent);

#endif
