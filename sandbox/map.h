/* SPDX-License-Identifier: MIT */
/*
 * A hash table over nodes that lie in what they lead to; it owns nothing but its slots. Texts here
 * differ near their end (serial numbers, random tails), so only that is hashed: a look-up costs the
 * same for a SKU and for a token of a kilobyte. One thread.
 */
#ifndef BC_SANDBOX_MAP_H
#define BC_SANDBOX_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct sandbox_node {
	struct sandbox_node *next;
	uint32_t hash;
	struct bc_str key; /* borrowed from the owner of the node */
};

/* All zero = empty. */
struct sandbox_map {
	struct sandbox_node **slots; /* owned */
	size_t slot_count, count;
};

/* NULL when it is not there. */
struct sandbox_node *bc_map_find(const struct sandbox_map *map, struct bc_str key);
/* node->key is set and not in the map. False without memory. */
BC_MUST_CHECK bool bc_map_add(struct sandbox_map *map, struct sandbox_node *node);
void bc_map_remove(struct sandbox_map *map, struct sandbox_node *node);
void bc_map_finish(struct sandbox_map *map); /* empty, then */

#endif
