/* SPDX-License-Identifier: MIT */
/*
 * A request's memory. Invariants: the bytes of a block behind `used` are zero, so what
 * bc_arena_alloc hands out needs no clearing; the list ends in the first block, which lives as long
 * as the arena; the blocks' sizes together never exceed max_bytes. Nothing is freed one by one.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct block {
	struct block *next; /* owned; older blocks, the first one last */
	size_t size;
	size_t used;
	_Alignas(max_align_t) unsigned char bytes[];
};

struct bc_arena {
	struct block *head; /* owned; the block that is being filled */
	size_t block_bytes;
	size_t max_bytes;
	size_t total; /* sizes of all blocks */
};

static struct block *block_create(size_t size)
{
	struct block *block = NULL;

	if (size <= SIZE_MAX - sizeof(*block))
		block = calloc(1, sizeof(*block) + size);
	if (block)
		block->size = size;
	return block;
}

static void block_destroy(struct block *block)
{
	explicit_bzero(block->bytes, block->used);
	free(block);
}

struct bc_arena *bc_arena_create(size_t block_bytes, size_t max_bytes)
{
	struct bc_arena *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->block_bytes = block_bytes < max_bytes ? block_bytes : max_bytes;
	a->max_bytes = max_bytes;
	a->total = a->block_bytes;
	a->head = block_create(a->block_bytes);
	if (!a->head) {
		free(a);
		return NULL;
	}
	return a;
}

static void drop_later_blocks(struct bc_arena *a)
{
	while (a->head->next) {
		struct block *older = a->head->next;

		a->total -= a->head->size;
		block_destroy(a->head);
		a->head = older;
	}
}

void bc_arena_destroy(struct bc_arena *a)
{
	if (!a)
		return;
	drop_later_blocks(a);
	block_destroy(a->head);
	free(a);
}

void bc_arena_reset(struct bc_arena *a)
{
	drop_later_blocks(a);
	explicit_bzero(a->head->bytes, a->head->used);
	a->head->used = 0;
}

static bool add_block(struct bc_arena *a, size_t bytes)
{
	size_t left = a->max_bytes - a->total;
	size_t size = bytes > a->block_bytes ? bytes : a->block_bytes;
	struct block *block;

	if (bytes > left)
		return false;
	if (size > left)
		size = left;
	block = block_create(size);
	if (!block)
		return false;
	block->next = a->head;
	a->head = block;
	a->total += size;
	return true;
}

void *bc_arena_alloc(struct bc_arena *a, size_t bytes)
{
	const size_t align = _Alignof(max_align_t);
	size_t start = (a->head->used + align - 1) / align * align;

	/* Two empty objects are still two addresses. */
	if (bytes == 0)
		bytes = 1;
	if (start > a->head->size || bytes > a->head->size - start) {
		if (!add_block(a, bytes))
			return NULL;
		start = 0;
	}
	a->head->used = start + bytes;
	return a->head->bytes + start;
}

char *bc_arena_dup(struct bc_arena *a, const void *bytes, size_t len)
{
	char *copy = len < SIZE_MAX ? bc_arena_alloc(a, len + 1) : NULL;

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

char *bc_arena_printf(struct bc_arena *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len >= 0)
		text = bc_arena_alloc(a, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}
