/* SPDX-License-Identifier: MIT */
/* Chained, doubled when there are as many nodes as slots. */
#include "sandbox/map.h"

#include <string.h>

enum { SLOTS_AT_FIRST = 64, HASHED_BYTES = 24 };

static uint32_t hash_of(struct bc_str key)
{
	size_t n = key.len < HASHED_BYTES ? key.len : HASHED_BYTES;
	uint32_t hash = 2166136261U;

	for (const char *at = key.ptr + (key.len - n); n > 0; n--)
		hash = (hash ^ (unsigned char)*at++) * 16777619U;
	return hash;
}

static struct sandbox_node **slot_of(const struct sandbox_map *map, uint32_t hash)
{
	return &map->slots[hash & (map->slot_count - 1)];
}

struct sandbox_node *bc_map_find(const struct sandbox_map *map, struct bc_str key)
{
	uint32_t hash;

	if (map->count == 0 || key.len == 0)
		return NULL;
	hash = hash_of(key);
	for (struct sandbox_node *n = *slot_of(map, hash); n; n = n->next)
		if (n->hash == hash && n->key.len == key.len &&
		    memcmp(n->key.ptr, key.ptr, key.len) == 0)
			return n;
	return NULL;
}

static void put(struct sandbox_map *map, struct sandbox_node *node)
{
	struct sandbox_node **slot = slot_of(map, node->hash);

	node->next = *slot;
	*slot = node;
}

static bool grow(struct sandbox_map *map)
{
	size_t count = map->slot_count ? 2 * map->slot_count : SLOTS_AT_FIRST;
	struct sandbox_map bigger = { calloc(count, sizeof(struct sandbox_node *)), count,
				      map->count };

	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < map->slot_count; i++)
		for (struct sandbox_node *n = map->slots[i], *next; n; n = next) {
			next = n->next;
			put(&bigger, n);
		}
	free(map->slots);
	*map = bigger;
	return true;
}

bool bc_map_add(struct sandbox_map *map, struct sandbox_node *node)
{
	if (map->count == map->slot_count && !grow(map))
		return false;
	node->hash = hash_of(node->key);
	put(map, node);
	map->count++;
	return true;
}

void bc_map_remove(struct sandbox_map *map, struct sandbox_node *node)
{
	struct sandbox_node **at = slot_of(map, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	map->count--;
}

void bc_map_finish(struct sandbox_map *map)
{
	free(map->slots);
	*map = (struct sandbox_map){ 0 };
}
