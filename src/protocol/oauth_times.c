/* SPDX-License-Identifier: MIT */
/*
 * Until when a token is used, and when the next one is fetched, as pure arithmetic on the caller's
 * clock. Nothing here overflows for any input.
 */
#include <backchannel/oauth.h>

enum { MARGIN_MS = 60 * 1000, SHORT_LIFE_MS = 4 * MARGIN_MS };

static uint64_t later(uint64_t from_ms, uint64_t by_ms)
{
	return from_ms > UINT64_MAX - by_ms ? UINT64_MAX : from_ms + by_ms;
}

struct bc_oauth_times bc_oauth_times_of(uint64_t asked_ms, uint64_t life_ms, uint64_t random)
{
	uint64_t life = life_ms < BC_OAUTH_LIFE_MAX_MS ? life_ms : BC_OAUTH_LIFE_MAX_MS;
	uint64_t usable = life - (life < SHORT_LIFE_MS ? life / 4 : MARGIN_MS);
	/* A life fits into 32 bits, so this product fits into 64. */
	uint64_t drawn = (random >> 32) * (usable * 3 / 10 + 1) >> 32;
	return (struct bc_oauth_times){
		.refresh_ms = later(asked_ms, usable / 2 + drawn),
		.expires_ms = later(asked_ms, usable),
	};
}

enum bc_oauth_freshness bc_oauth_freshness_at(const struct bc_oauth_times *times, uint64_t now_ms)
{
	if (now_ms >= times->expires_ms)
		return BC_OAUTH_EXPIRED;
	return now_ms >= times->refresh_ms ? BC_OAUTH_STALE : BC_OAUTH_FRESH;
}
