/* SPDX-License-Identifier: MIT */
/*
 * The file that the processes of one user share (oauth.cache_file), so that a hundred of them cost
 * one token request. It holds one access token and the fingerprint of the credential that got it;
 * whoever has another credential does not see it. Mode 0600, replaced as a whole, never half.
 *
 * A file or directory that others could have written is not used at all: what stands in it is sent
 * to Commerce as our own. Beside it stands "<file>.lock", which is held for the time of a request.
 * Nothing here waits: the loop's thread may call all of it.
 */
#ifndef BC_CORE_TOKEN_CACHE_H
#define BC_CORE_TOKEN_CACHE_H

#include <stdint.h>

#include "base/secret.h"

/* Wall clock, for another process can read no other of ours. */
struct bc_cached_token {
	struct bc_secret *token; /* owned by whoever holds the struct */
	uint64_t issued_ms, refresh_ms, expires_ms;
};

/* Tells credentials apart: 32 hex digits of SHA-256. */
enum { BC_CACHE_KEY_BYTES = 33 };
/* 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_token_cache_key(const char *token_url, const char *client_id,
				     const char *scope, const struct bc_secret *secret,
				     char ret_key[BC_CACHE_KEY_BYTES]);

struct bc_token_cache;
/* Touches nothing yet. NULL without memory. */
BC_MUST_CHECK struct bc_token_cache *bc_token_cache_create(const char *path);
void bc_token_cache_destroy(struct bc_token_cache *c); /* unlocks; NULL is fine */

/* 0; BC_EBUSY: another process holds it, try again later; BC_EINVAL: others may write there, or it
 * is not ours; BC_EIO. */
BC_MUST_CHECK int bc_token_cache_lock(struct bc_token_cache *c, struct bc_err *err);
void bc_token_cache_unlock(struct bc_token_cache *c); /* one that is not locked is fine */

/*
 * The token of the credential whose key is among keys, if it may still be sent.
 * result  1; 0: no file, another's, expired, or issued later than now (a clock was set back);
 *         BC_ENOENT: the content is not what this program writes; BC_EINVAL, BC_EIO as for lock;
 *         BC_ENOMEM
 */
BC_MUST_CHECK int bc_token_cache_read(struct bc_token_cache *c,
				      const char (*keys)[BC_CACHE_KEY_BYTES], size_t key_count,
				      uint64_t now_ms, struct bc_cached_token *ret_token,
				      struct bc_err *err);
/* Replaces what is there. 0, BC_EINVAL, BC_EIO, BC_ENOMEM. */
BC_MUST_CHECK int bc_token_cache_write(struct bc_token_cache *c, const char *key,
				       const struct bc_cached_token *token, struct bc_err *err);

#endif
