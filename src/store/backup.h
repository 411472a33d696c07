/* SPDX-License-Identifier: MIT */
/*
 * Copies of a store, for back-ups. Two ways make one:
 *
 * - The engine that has the store open copies it itself, by BC_STORE_BACKUP, in small steps between
 *   its commits: nobody else can read the file while it is locked. The copy stands beside the store
 *   (its path + BC_BACKUP_SUFFIX) until it is dropped.
 * - Where nothing has it open, bc_backup_copy does, on the caller's thread.
 *
 * Either way the copy is whole and holds every commit that ended before it was begun. It is not
 * fsynced: whoever puts it where it is to stay does that. The hash key is not in it, see
 * core/state.h.
 */
#ifndef BC_STORE_BACKUP_H
#define BC_STORE_BACKUP_H

#include "store/rows.h"

#define BC_BACKUP_SUFFIX ".backup"
/* Row of `meta` in a copy: when it was begun, RFC 3339. */
#define BC_BACKUP_MADE_AT "backup.made_at"
enum { BC_BACKUP_TEXT_BYTES = 64 };

/* NONE --begin--> RUNNING --> DONE or FAILED; --drop--> NONE. One that nobody looked at for ten
 * minutes is dropped, and so is what an earlier process left. */
enum bc_backup_state { BC_BACKUP_NONE, BC_BACKUP_RUNNING, BC_BACKUP_DONE, BC_BACKUP_FAILED };
enum bc_backup_wish { BC_BACKUP_LOOK, BC_BACKUP_BEGIN, BC_BACKUP_DROP };

/* What BC_STORE_BACKUP answers. */
struct bc_backup_view {
	enum bc_backup_state state;
	uint64_t pages, of;
	struct bc_str path;	     /* absent while NONE */
	struct bc_str problem, hint; /* while FAILED */
};
extern const char *const bc_backup_state_name[];

/* What is in a copy. */
struct bc_backup_facts {
	long layout;
	uint64_t bytes, clicks, attempts, orders[BC_ORDER_STATES];
	char hash_key[BC_BACKUP_TEXT_BYTES]; /* fingerprint of the key it answers to; "" = none yet
					      */
	char made_at[BC_BACKUP_TEXT_BYTES];  /* "" = nobody noted it */
};

/* done of so many; of 0: nobody knows. Called often. */
struct bc_backup_progress {
	void (*tell)(void *ctx, const char *what, uint64_t done, uint64_t of);
	void *ctx;
};

/*
 * Copies the store `from`, which nothing may have open, to the new file `to`. What is in the store
 * is left as it is, its layout too.
 * result 0; BC_ENOENT: no such store; BC_EBUSY: it is in use; BC_EIO, BC_ESTORE
 */
BC_MUST_CHECK int bc_backup_copy(const char *from, const char *to,
				 const struct bc_backup_progress *progress, struct bc_err *err);
/* Notes in a copy when it was begun. 0, BC_ESTORE or BC_EIO. */
BC_MUST_CHECK int bc_backup_mark(const char *path, const char *made_at, struct bc_err *err);
/* Reads every page of a copy, checks its structure and counts its rows; writes nothing. 0, or
 * BC_EINVAL: it is no store of ours, or of a newer backchannel; BC_ESTORE: damaged; BC_EIO. */
BC_MUST_CHECK int bc_backup_inspect(const char *path, const struct bc_backup_progress *progress,
				    struct bc_backup_facts *ret_facts, struct bc_err *err);

/* The layout of a store that nothing has open; leaves it as it is. 0 or an error. */
BC_MUST_CHECK int bc_backup_layout(const char *path, long *ret_layout);
/* The one that this program makes. */
extern const long bc_backup_layout_now;

#endif
