/* SPDX-License-Identifier: MIT */
/*
 * See rate_limit.h. A bucket is one number: when it will be full again. A permit moves that by one
 * interval; there is none while it lies burst intervals ahead. A bucket that is full by now is as
 * good as none, so nothing has to be tidied away.
 *
 * The table is sets of WAYS entries; an address belongs into one set, and gives way only within it.
 */
#include "core/rate_limit.h"

#include <string.h>

#include "base/secret.h"

enum { WAYS = 8, SETS = BC_RATE_LIMIT_ADDRESSES / WAYS, WORDS = 4 };

static const uint64_t ns_per_hour = 3600ull * 1000 * 1000 * 1000, ns_per_ms = 1000 * 1000;

struct bucket {
	struct bc_address address;
	uint64_t full_ns; /* 0: never used */
};

struct bc_rate_limit {
	uint64_t interval_ns, burst_ns;
	uint64_t keys[WORDS + 1]; /* random */
	struct bucket sets[SETS][WAYS];
};

void bc_rate_limit_set(struct bc_rate_limit *l, uint64_t per_hour, uint64_t burst)
{
	l->interval_ns = per_hour < ns_per_hour ? ns_per_hour / per_hour : 1;
	l->burst_ns = l->interval_ns * burst;
}

struct bc_rate_limit *bc_rate_limit_create(uint64_t per_hour, uint64_t burst)
{
	struct bc_rate_limit *l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	bc_random(l->keys, sizeof(l->keys));
	bc_rate_limit_set(l, per_hour, burst);
	return l;
}

void bc_rate_limit_destroy(struct bc_rate_limit *l)
{
	free(l);
}

/* Multilinear hashing: without the keys, no two addresses are more likely to meet than others. */
static struct bucket *set_of(struct bc_rate_limit *l, const struct bc_address *address)
{
	uint32_t words[WORDS];
	uint64_t sum = l->keys[WORDS];
	memcpy(words, address->bytes, sizeof(words));
	for (int i = 0; i < WORDS; i++)
		sum += l->keys[i] * words[i];
	return l->sets[(sum >> 32) % SETS];
}

static struct bucket *bucket_of(struct bc_rate_limit *l, const struct bc_address *address)
{
	struct bucket *set = set_of(l, address), *fullest = &set[0];
	for (int i = 0; i < WAYS; i++) {
		if (set[i].full_ns && memcmp(&set[i].address, address, sizeof(*address)) == 0)
			return &set[i];
		if (set[i].full_ns < fullest->full_ns)
			fullest = &set[i];
	}
	*fullest = (struct bucket){ .address = *address };
	return fullest;
}

bool bc_rate_limit_take(struct bc_rate_limit *l, const struct bc_address *address, uint64_t now_ms)
{
	struct bc_address whose = *address;
	uint64_t now = now_ms * ns_per_ms;
	if (!bc_address_is_ipv4(&whose))
		memset(whose.bytes + 8, 0, 8);
	struct bucket *b = bucket_of(l, &whose);
	if (b->full_ns < now)
		b->full_ns = now;
	if (b->full_ns > now + l->burst_ns) /* from before a change of the settings */
		b->full_ns = now + l->burst_ns;
	if (b->full_ns + l->interval_ns > now + l->burst_ns)
		return false;
	b->full_ns += l->interval_ns;
	return true;
}
