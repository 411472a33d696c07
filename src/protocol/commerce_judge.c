/* SPDX-License-Identifier: MIT */
/*
 * What a caller of Adobe Commerce does about an answer. Invariants: nothing is repeated that cannot
 * be sent again; what may have been done is repeated only where doing it twice is doing it once; a
 * 401 is repeated once, and not at all when the refused token was new, since a missing role does
 * not heal by refreshing; a wait is never shorter than what was asked for, up to the cap. How
 * sleepers wake, and when a caller gives up, is told elsewhere.
 */
#include <backchannel/commerce.h>

#include <string.h>

#include <backchannel/partner.h>

#include "base/attr.h"

enum {
	SENDS_MAX = 3, /* of an answer that may heal by itself */
	RETRY_FIRST_MS = 250,
	SLEEP_LEAST_MS = 100, /* when "now" is the answer to when; doubles */
	DOUBLINGS_MAX = 16,
};

/* What is known about an attempt. A row asks for all of its facts. */
enum fact {
	HELD = 1,	/* it can be sent again */
	HARMLESS = 2,	/* done twice it is done once */
	UNSENT = 4,	/* nothing has left */
	FEW = 8,	/* has not been sent too often */
	OLD_TOKEN = 16, /* another token may help */
	SAYS_WHEN = 32	/* a Retry-After that can be read */
};

/* The first row that fits decides; without one the answer is the caller's. */
static const struct {
	int status_from, status_to; /* inclusive; 0: no answer */
	unsigned facts;
	enum bc_commerce_step step;
} rules[] = {
	{ 0, 0, HELD | FEW | UNSENT, BC_COMMERCE_RETRY },
	{ 0, 0, HELD | FEW | HARMLESS, BC_COMMERCE_RETRY },
	{ 401, 401, HELD | OLD_TOKEN, BC_COMMERCE_REFRESH },
	{ 408, 408, HELD | FEW | HARMLESS, BC_COMMERCE_RETRY },
	{ 429, 429, HELD, BC_COMMERCE_SLEEP },
	{ 500, 500, HELD | FEW | HARMLESS, BC_COMMERCE_RETRY },
	{ 502, 502, HELD | FEW | HARMLESS, BC_COMMERCE_RETRY },
	{ 503, 503, HELD | SAYS_WHEN, BC_COMMERCE_SLEEP },
	{ 503, 504, HELD | FEW | HARMLESS, BC_COMMERCE_RETRY },
};

/* RFC 9110 9.2.2; case matters. */
static const char *const idempotent[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE" };

bool bc_commerce_is_idempotent(const char *method)
{
	for (size_t i = 0; method && i < BC_COUNT(idempotent); i++) {
		if (strcmp(method, idempotent[i]) == 0)
			return true;
	}
	return false;
}

static unsigned facts_of(const struct bc_commerce_attempt *a, bool says_when)
{
	return (a->held ? HELD : 0u) | (bc_commerce_is_idempotent(a->method) ? HARMLESS : 0u) |
	       (a->status == 0 && !a->request_sent ? UNSENT : 0u) |
	       (a->attempt < SENDS_MAX ? FEW : 0u) |
	       (!a->refreshed && !a->young_token ? OLD_TOKEN : 0u) | (says_when ? SAYS_WHEN : 0u);
}

static enum bc_commerce_step find_step(int status, unsigned facts)
{
	for (size_t i = 0; i < BC_COUNT(rules); i++) {
		if (status >= rules[i].status_from && status <= rules[i].status_to &&
		    (facts & rules[i].facts) == rules[i].facts)
			return rules[i].step;
	}
	return BC_COMMERCE_PASS;
}

/* first_ms, doubled on each attempt, up to most_ms. */
static uint64_t doubled(uint64_t first_ms, unsigned attempt, uint64_t most_ms)
{
	unsigned doublings = attempt > 1 ? attempt - 1 : 0;
	uint64_t ms = first_ms << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
	return ms < most_ms ? ms : most_ms;
}

/* A server that always says "now" is still not asked in a tight loop. */
static uint64_t sleep_ms(const struct bc_commerce_attempt *a, bool says_when, uint64_t asked_ms)
{
	if (!says_when)
		return BC_COMMERCE_SLEEP_DEFAULT_MS;
	if (asked_ms == 0)
		return doubled(SLEEP_LEAST_MS, a->attempt, BC_COMMERCE_SLEEP_DEFAULT_MS);
	return asked_ms < BC_COMMERCE_SLEEP_MAX_MS ? asked_ms : BC_COMMERCE_SLEEP_MAX_MS;
}

struct bc_commerce_verdict bc_commerce_judge(const struct bc_commerce_attempt *attempt)
{
	uint64_t asked_ms = 0;
	bool says_when =
		attempt->retry_after && bc_retry_after_parse(attempt->retry_after, attempt->date,
							     attempt->now_wall_ms, &asked_ms) == 0;
	struct bc_commerce_verdict verdict = {
		.step = find_step(attempt->status, facts_of(attempt, says_when)),
		.sleeps = attempt->status == 429 || (attempt->status == 503 && says_when),
	};
	if (verdict.sleeps)
		verdict.wait_ms = sleep_ms(attempt, says_when, asked_ms);
	else if (verdict.step == BC_COMMERCE_RETRY)
		verdict.wait_ms = doubled(RETRY_FIRST_MS, attempt->attempt, UINT64_MAX);
	return verdict;
}
