/* SPDX-License-Identifier: MIT */
/*
 * A set of 64-bit hashes in open addressing, 16 to 32 bytes an item: a search of a million orders
 * costs some 32 MiB here, and nothing else grows. That two of them have one hash is a chance of one
 * in 2^25.
 */
#include <openssl/evp.h>
#include <string.h>

#include "cli/call.h"

enum { SLOTS_FIRST = 1024 };

static uint64_t hash_of(struct bc_str text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint64_t hash;
	if (!EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL))
		return 0;
	memcpy(&hash, digest, sizeof(hash));
	return hash ? hash : 1;
}

/* Where it is, or where it goes. */
static uint64_t *slot_of(uint64_t *slots, size_t count, uint64_t hash)
{
	size_t at = hash & (count - 1);
	while (slots[at] && slots[at] != hash)
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static int grow(struct call_seen *s)
{
	size_t count = s->slot_count ? 2 * s->slot_count : SLOTS_FIRST;
	uint64_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return BC_ENOMEM;
	for (size_t i = 0; i < s->slot_count; i++)
		if (s->slots[i])
			*slot_of(slots, count, s->slots[i]) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->slot_count = count;
	return 0;
}

int call_seen_add(struct call_seen *s, struct bc_str text)
{
	uint64_t hash = hash_of(text);
	if (!hash || (2 * (s->count + 1) > s->slot_count && grow(s)))
		return BC_ENOMEM;
	uint64_t *slot = slot_of(s->slots, s->slot_count, hash);
	if (*slot)
		return 0;
	*slot = hash;
	s->count++;
	return 1;
}

void call_seen_finish(struct call_seen *s)
{
	free(s->slots);
	*s = (struct call_seen){ 0 };
}
