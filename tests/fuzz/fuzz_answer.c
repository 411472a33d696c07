/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of answers. The input is a head line "STATUS AGE_MS ATTEMPT", as far as it is
 * there, a line feed and the body; the body serves as a Retry-After value and as a date as well.
 * The body is also asked about under a range of statuses, since a status is cheap to vary and a
 * body is not.
 */
#include <backchannel/partner.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/str.h"
#include "protocol/http_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN	"1a2b3-test-1a2-1a2b3"
#define LAST_MS 253402300800000 /* the first instant of the year 10000 */
#define NOW_MS	1795309000000

static bool between(int status, int from, int to)
{
	return status >= from && status <= to;
}

/* The outcomes that a status allows, whatever the body. */
static bool is_allowed(int status, bool sent, enum bc_outcome outcome)
{
	bool is_retry = outcome == BC_OUTCOME_RETRY;
	bool is_suspect = outcome == BC_OUTCOME_SUSPECT;
	if (status == 0)
		return outcome == (sent ? BC_OUTCOME_UNKNOWN : BC_OUTCOME_RETRY);
	if (between(status, 200, 299))
		return outcome == BC_OUTCOME_DELIVERED;
	if (between(status, 300, 399) || status == 401 || between(status, 403, 405))
		return is_suspect;
	if (status == 408 || status == 429 || !between(status, 400, 499))
		return is_retry;
	return is_suspect || outcome == BC_OUTCOME_REJECT || (is_retry && status == 422);
}

static void check_answer(const struct bc_partner_answer *answer)
{
	struct bc_partner_verdict v = bc_partner_read_answer(&bc_partner_sovendus, answer);
	struct bc_partner_verdict again = bc_partner_read_answer(&bc_partner_sovendus, answer);
	BC_ASSERT(v.meaning && v.meaning[0] && v.hint);
	BC_ASSERT(is_allowed(answer->status, answer->request_sent, v.outcome));
	BC_ASSERT(!v.odd_body || v.outcome == BC_OUTCOME_DELIVERED);
	BC_ASSERT(v.outcome == again.outcome && v.odd_body == again.odd_body);
	BC_ASSERT(v.meaning == again.meaning && v.hint == again.hint);
	bool good_echo = v.outcome == BC_OUTCOME_DELIVERED && !v.odd_body;
	BC_ASSERT(!good_echo || answer->body_bytes > strlen("sovReqToken"));
}

/* Reads a number off the line; what is no number, or none, is 0. */
static uint64_t take_number(struct bc_str *line)
{
	uint64_t value = 0;
	if (bc_parse_u64(bc_str_split(line, ' '), &value) < 0)
		return 0;
	return value;
}

static void check_times(const char *text)
{
	uint64_t ms = 7;
	uint64_t date = 7;
	int is_date = bc_http_date_parse(bc_str_of(text), NOW_MS, &date);
	int is_wait = bc_retry_after_parse(text, NULL, NOW_MS, &ms);
	BC_ASSERT(is_date == 0 || (is_date == BC_EINVAL && date == 7));
	BC_ASSERT(is_wait == 0 || (is_wait == BC_EINVAL && ms == 7));
	if (is_date == 0) {
		BC_ASSERT(date <= LAST_MS && date % 1000 == 0);
		BC_ASSERT(is_wait == 0 && ms == (date > NOW_MS ? date - NOW_MS : 0));
		BC_ASSERT(bc_retry_after_parse(text, text, NOW_MS, &ms) == 0 && ms == 0);
	}
	struct bc_retry_policy policy = { .base_ms = 2000, .cap_ms = 3600000 };
	uint64_t delay = bc_retry_delay_ms(&policy, 1, is_wait == 0 ? ms : 0, 0);
	BC_ASSERT(delay >= 1000 && delay <= BC_RETRY_AFTER_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {
		0,   1,	  100, 200, 204, 299, 300, 399, 400, 401, 402, 403,
		404, 405, 406, 408, 410, 422, 429, 499, 500, 599, 999, 1000
	};
	bc_autofree char *text = malloc(size + 1);
	BC_ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	struct bc_str body = { text, size };
	struct bc_str line = bc_str_split(&body, '\n');
	struct bc_partner_answer answer = { .body = body.ptr, .body_bytes = body.len };
	answer.status = (int)take_number(&line);
	answer.click_age_ms = take_number(&line);
	answer.attempt = (unsigned)take_number(&line);
	answer.token = answer.attempt % 2 ? TOKEN : NULL;
	check_answer(&answer);
	for (size_t i = 0; i < BC_COUNT(statuses) * 2; i++) {
		answer.status = statuses[i / 2];
		answer.request_sent = i % 2;
		check_answer(&answer);
	}
	check_times(body.ptr ? body.ptr : text);
	return 0;
}
