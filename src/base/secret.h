/* SPDX-License-Identifier: MIT */
/*
 * Secrets have a type (design rule 6). The bytes lie in locked memory that is zeroed when freed and
 * kept out of core dumps; every live secret is known to the log writer, which refuses it by value.
 * Nothing prints a secret but bc_secret_reveal's caller, and that is the request that needs it.
 * Thread-safe. Counted: a reload swaps secrets while a request in flight still holds the old one.
 */
#ifndef BC_BASE_SECRET_H
#define BC_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct bc_secret;

enum { BC_SECRET_MAX_BYTES = 1 << 20 };
/* Copies; the caller wipes its own bytes (bc_wipe). NULL without memory, or above the ceiling. */
BC_MUST_CHECK struct bc_secret *bc_secret_create(const void *bytes, size_t len);
struct bc_secret *bc_secret_ref(struct bc_secret *s);
void bc_secret_unref(struct bc_secret *s); /* NULL is fine */

/* The bytes, NUL-terminated, for the request that needs them; valid while s is held. */
const char *bc_secret_reveal(const struct bc_secret *s);
size_t bc_secret_len(const struct bc_secret *s);
/* Constant time. */
bool bc_secret_equals(const struct bc_secret *s, const void *bytes, size_t len);
enum { BC_FINGERPRINT_BYTES = 9 };
/* First 8 hex digits of SHA-256: tells two secrets apart, reveals none. text: BC_FINGERPRINT_BYTES.
 */
void bc_secret_fingerprint(const struct bc_secret *s, char *text);

/* Does any live secret of 6 bytes or more stand in these bytes, raw, JSON-escaped or
 * percent-encoded? For the log writer. */
bool bc_secret_occurs(const char *bytes, size_t len);

/* Zeroes memory in a way that the compiler keeps. */
void bc_wipe(void *bytes, size_t len);

/*
 * Keyed hashes (HMAC-SHA-256, first 128 bits) of sessions and tokens, the only form in which they
 * are indexed or logged. One per thread: it holds a re-initialised EVP_MAC context.
 */
enum { BC_HASH_BYTES = 16 };
struct bc_hasher;
BC_MUST_CHECK struct bc_hasher *bc_hasher_create(const struct bc_secret *key);
void bc_hasher_destroy(struct bc_hasher *h);
/* domain separates uses of one key: "token", "session". 0 or BC_EINTERNAL. */
BC_MUST_CHECK int bc_hasher_hash(struct bc_hasher *h, const char *domain, const void *bytes,
				 size_t len, uint8_t ret_hash[BC_HASH_BYTES]);

/* Random bytes from the kernel; never fails (asserts). */
void bc_random(void *bytes, size_t len);

#endif
