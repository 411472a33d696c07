/* SPDX-License-Identifier: MIT */
/*
 * When to try again, as pure arithmetic: full jitter under a doubling ceiling, so that a thousand
 * conversions that failed together do not come back together, with a floor so that no draw means
 * "at once". Nothing here overflows for any input. Deadlines and parked time are the lane's.
 */
#include <backchannel/partner.h>

#include "base/str.h"
#include "protocol/http_date.h"

enum { FLOOR_MS = 1000 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* min(cap, base * 2^(n-1)); a shift that would drop a bit has long passed the cap. */
static uint64_t ceiling_ms(const struct bc_retry_policy *policy, unsigned n)
{
	unsigned doublings = n > 0 ? n - 1 : 0;
	if (policy->base_ms == 0)
		return 0;
	if (doublings >= 64 || policy->base_ms > UINT64_MAX >> doublings)
		return policy->cap_ms;
	return smaller(policy->cap_ms, policy->base_ms << doublings);
}

/* Spreads random over [0, most]: the high half of random * (most + 1), in steps of 32 bits because
 * not every platform has a 128-bit type. */
static uint64_t draw(uint64_t random, uint64_t most)
{
	if (most == UINT64_MAX)
		return random;
	const uint64_t low_half = UINT32_MAX;
	uint64_t m = most + 1;
	uint64_t low = (random & low_half) * (m & low_half);
	uint64_t mid = (random >> 32) * (m & low_half) + (low >> 32);
	uint64_t cross = (random & low_half) * (m >> 32) + (mid & low_half);
	return (random >> 32) * (m >> 32) + (mid >> 32) + (cross >> 32);
}

uint64_t bc_retry_delay_ms(const struct bc_retry_policy *policy, unsigned n,
			   uint64_t retry_after_ms, uint64_t random)
{
	uint64_t jittered = draw(random, ceiling_ms(policy, n));
	uint64_t own = larger(smaller(policy->base_ms, FLOOR_MS), jittered);
	return larger(own, smaller(retry_after_ms, BC_RETRY_AFTER_MAX_MS));
}

/* Digits only; saturates, since a wait of a million years is as good as one of two. */
static bool read_delta_seconds(struct bc_str text, uint64_t *ret_ms)
{
	uint64_t seconds = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c < '0' || c > '9')
			return false;
		uint64_t digit = (uint64_t)(c - '0');
		seconds = seconds > (UINT64_MAX - digit) / 10 ? UINT64_MAX : seconds * 10 + digit;
	}
	*ret_ms = seconds > UINT64_MAX / 1000 ? UINT64_MAX : seconds * 1000;
	return text.len > 0;
}

int bc_retry_after_parse(const char *value, const char *date, uint64_t now_wall_ms,
			 uint64_t *ret_ms)
{
	uint64_t ms;
	uint64_t until;
	struct bc_str text = bc_str_trim(bc_str_of(value));
	if (read_delta_seconds(text, &ms)) {
		*ret_ms = ms;
		return 0;
	}
	if (bc_http_date_parse(text, now_wall_ms, &until) < 0)
		return BC_EINVAL;
	uint64_t from = now_wall_ms;
	if (date && bc_http_date_parse(bc_str_of(date), now_wall_ms, &from) < 0)
		from = now_wall_ms;
	*ret_ms = until > from ? until - from : 0;
	return 0;
}
