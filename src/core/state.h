/* SPDX-License-Identifier: MIT */
/*
 * The state directory: made 0700, locked by one process at a time, home of the hash key. The lock
 * file holds the holder's pid and address so that a second process can name the first. Blocks: for
 * start-up.
 */
#ifndef BC_CORE_STATE_H
#define BC_CORE_STATE_H

#include "base/secret.h"

struct bc_state_lock;

/* Makes the directory and its parents where missing. 0, BC_EIO, or BC_EINVAL (not a directory, or
 * open to others). */
BC_MUST_CHECK int bc_state_dir_make(const char *path, struct bc_err *err);

/* 0; BC_EBUSY: another process holds it (err names pid and address); BC_EIO. */
BC_MUST_CHECK int bc_state_lock(const char *dir, struct bc_state_lock **ret_lock,
				struct bc_err *err);
/* What a second process should be told, e.g. "127.0.0.1:8787". */
void bc_state_lock_note(struct bc_state_lock *lock, const char *address);
void bc_state_unlock(struct bc_state_lock *lock); /* NULL is fine */

/* Reads DIR/hash.key, or makes it (32 random bytes, 0600) the first time. 0, BC_EIO, BC_EINVAL
 * (damaged). */
BC_MUST_CHECK int bc_state_hash_key(const char *dir, struct bc_secret **ret_key,
				    struct bc_err *err);
/* Reads a file that holds a hash key. 0, BC_ENOENT, BC_EIO, BC_EINVAL (it is none). */
BC_MUST_CHECK int bc_state_hash_key_read(const char *path, struct bc_secret **ret_key,
					 struct bc_err *err);

#endif
