/* SPDX-License-Identifier: MIT */
/*
 * Memory for one request: many small allocations, freed at once. Not thread-safe; one owner.
 * The first block is kept over bc_arena_reset, so a connection that serves small requests stops
 * calling malloc. Memory is zeroed on reset (a request's bytes may hold a token).
 */
#ifndef BC_BASE_ARENA_H
#define BC_BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct bc_arena;

/* block_bytes: first block's size; max_bytes: ceiling of all blocks together. NULL: no memory. */
struct bc_arena *bc_arena_create(size_t block_bytes, size_t max_bytes);
void bc_arena_destroy(struct bc_arena *a); /* NULL is fine */
void bc_arena_reset(struct bc_arena *a);

/* Aligned for any type; zeroed; NULL without memory or beyond the ceiling. */
BC_MUST_CHECK void *bc_arena_alloc(struct bc_arena *a, size_t bytes);
BC_MUST_CHECK char *bc_arena_dup(struct bc_arena *a, const void *bytes, size_t len); /* NUL added */
BC_MUST_CHECK char *bc_arena_printf(struct bc_arena *a, const char *fmt, ...) BC_PRINTF(2, 3);

#endif
