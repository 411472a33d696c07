/* SPDX-License-Identifier: MIT */
/*
 * What is done about answers. The whole product of what can be known about an attempt is gone
 * through, and each promise of the header is asked of every one; a table then holds the answers
 * that a reader would look up.
 */
#include <backchannel/commerce.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <backchannel/partner.h>

#include "base/attr.h"

#define NOW_MS	784111777000ULL /* Sun, 06 Nov 1994 08:49:37 GMT */
#define HOUR_MS ((uint64_t)BC_COMMERCE_SLEEP_MAX_MS)

enum {
	PASS = BC_COMMERCE_PASS,
	REFRESH = BC_COMMERCE_REFRESH,
	SLEEP = BC_COMMERCE_SLEEP,
	RETRY = BC_COMMERCE_RETRY
};

static const char *const methods[] = { "GET",  "HEAD",	"OPTIONS", "PUT", "DELETE", "TRACE",
				       "POST", "PATCH", "CONNECT", "get", "",	    NULL };
static const int statuses[] = { -1,  0,	  100, 101, 200, 201, 202, 204, 206, 299, 301, 302, 304,
				307, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 425, 428,
				429, 431, 499, 500, 501, 502, 503, 504, 505, 511, 599, 600, 999 };
static const unsigned attempts[] = { 0, 1, 2, 3, 4, 5, 40, 64, 1000, UINT_MAX };

static const struct {
	const char *value, *date;
	bool readable;
	uint64_t ms; /* what it says */
} waits[] = {
	{ NULL, NULL, false, 0 },
	{ "", NULL, false, 0 },
	{ "soon", NULL, false, 0 },
	{ "-1", NULL, false, 0 },
	{ "1.5", NULL, false, 0 },
	{ "0", NULL, true, 0 },
	{ "1", NULL, true, 1000 },
	{ " 7 ", NULL, true, 7000 },
	{ "3600", NULL, true, HOUR_MS },
	{ "3601", NULL, true, HOUR_MS + 1000 },
	{ "99999999999999999999999", NULL, true, UINT64_MAX },
	{ "Sun, 06 Nov 1994 08:50:37 GMT", NULL, true, 60000 },
	{ "Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT", true, 30000 },
	{ "Sun, 06 Nov 1994 08:49:00 GMT", NULL, true, 0 },
	{ "Sun, 06 Nov 1994 08:50:37 GMT", "nonsense", true, 60000 },
};

static bool is_one_of(int status, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == status)
			return true;
	}
	return false;
}

/* What the design says, in its own words. */
static void check_steps(const struct bc_commerce_attempt *a, bool readable,
			const struct bc_commerce_verdict *v)
{
	static const int heal[] = { 0, 408, 500, 502, 503, 504 };
	bool idempotent = bc_commerce_is_idempotent(a->method);
	bool repeats = v->step != BC_COMMERCE_PASS;
	bool may_have_left = a->status != 0 || a->request_sent;
	bool nothing_was_done =
		a->status == 401 || a->status == 429 || (a->status == 503 && readable);
	/* Never what is not held. */
	assert_true(a->held || !repeats);
	/* A success is the caller's, and so is a refusal. */
	assert_true(!repeats || a->status == 401 || a->status == 429 ||
		    is_one_of(a->status, heal, BC_COUNT(heal)));
	/* What may have been done is repeated only where that does no harm. */
	assert_true(!repeats || idempotent || nothing_was_done || !may_have_left);
	/* A 401 once, and not for a token that was new. */
	assert_true((v->step == BC_COMMERCE_REFRESH) ==
		    (a->status == 401 && a->held && !a->refreshed && !a->young_token));
	assert_true(a->status != 401 || v->step == BC_COMMERCE_PASS ||
		    v->step == BC_COMMERCE_REFRESH);
	/* A sleeper is always repeated when it can be. */
	bool asked_for_peace = a->status == 429 || (a->status == 503 && readable);
	assert_true((v->step == BC_COMMERCE_SLEEP) == (asked_for_peace && a->held));
	assert_true(v->sleeps == asked_for_peace);
	/* What heals by itself is sent three times at most, and exactly then. */
	bool heals = is_one_of(a->status, heal, BC_COUNT(heal)) && !asked_for_peace;
	assert_true((v->step == BC_COMMERCE_RETRY) ==
		    (heals && a->held && a->attempt < 3 && (idempotent || !may_have_left)));
}

static void check_wait(const struct bc_commerce_attempt *a, size_t wait,
		       const struct bc_commerce_verdict *v)
{
	uint64_t said = waits[wait].ms < HOUR_MS ? waits[wait].ms : HOUR_MS;
	if (!v->sleeps) {
		assert_true((v->wait_ms > 0) == (v->step == BC_COMMERCE_RETRY));
		assert_true(v->wait_ms <= 1000);
		return;
	}
	assert_true(v->wait_ms > 0 && v->wait_ms <= HOUR_MS);
	if (!waits[wait].readable)
		assert_int_equal(v->wait_ms, 5000);
	else if (said > 0)
		assert_int_equal(v->wait_ms, said);
	else
		assert_in_range(v->wait_ms, 100, 5000);
	assert_true(a->attempt < 7 || said > 0 || v->wait_ms == 5000);
}

static void check_every_flag(struct bc_commerce_attempt a, size_t wait)
{
	for (unsigned flags = 0; flags < 16; flags++) {
		a.held = flags & 1;
		a.refreshed = flags & 2;
		a.young_token = flags & 4;
		a.request_sent = flags & 8;
		struct bc_commerce_verdict v = bc_commerce_judge(&a);
		check_steps(&a, waits[wait].readable, &v);
		check_wait(&a, wait, &v);
	}
}

static void every_attempt_keeps_every_promise(void **state)
{
	(void)state;
	for (size_t m = 0; m < BC_COUNT(methods); m++) {
		for (size_t s = 0; s < BC_COUNT(statuses); s++) {
			for (size_t n = 0; n < BC_COUNT(attempts); n++) {
				for (size_t w = 0; w < BC_COUNT(waits); w++)
					check_every_flag(
						(struct bc_commerce_attempt){
							.method = methods[m],
							.status = statuses[s],
							.attempt = attempts[n],
							.retry_after = waits[w].value,
							.date = waits[w].date,
							.now_wall_ms = NOW_MS,
						},
						w);
			}
		}
	}
}

static const struct {
	const char *method;
	unsigned attempt;
	int status;
	const char *retry_after;
	int step;
	uint64_t wait_ms;
} held[] = {
	{ "GET", 1, 200, NULL, PASS, 0 },	{ "GET", 1, 202, "5", PASS, 0 },
	{ "GET", 1, 404, NULL, PASS, 0 },	{ "POST", 1, 400, NULL, PASS, 0 },
	{ "POST", 1, 401, NULL, REFRESH, 0 },	{ "GET", 3, 401, NULL, REFRESH, 0 },
	{ "GET", 1, 403, NULL, PASS, 0 },	{ "POST", 1, 429, NULL, SLEEP, 5000 },
	{ "POST", 9, 429, "2", SLEEP, 2000 },	{ "POST", 1, 503, "2", SLEEP, 2000 },
	{ "POST", 1, 503, NULL, PASS, 0 },	{ "POST", 1, 503, "later", PASS, 0 },
	{ "PATCH", 1, 500, NULL, PASS, 0 },	{ "GET", 1, 503, NULL, RETRY, 250 },
	{ "GET", 2, 503, "later", RETRY, 500 }, { "GET", 3, 503, NULL, PASS, 0 },
	{ "PUT", 1, 500, NULL, RETRY, 250 },	{ "DELETE", 2, 504, NULL, RETRY, 500 },
	{ "GET", 1, 502, "9", RETRY, 250 },	{ "GET", 1, 501, NULL, PASS, 0 },
	{ "GET", 1, 408, NULL, RETRY, 250 },	{ "POST", 1, 408, NULL, PASS, 0 },
	{ "GET", 1, 0, NULL, RETRY, 250 },	{ "POST", 1, 0, NULL, PASS, 0 },
	{ "GET", 1, 429, "0", SLEEP, 100 },	{ "GET", 4, 429, "0", SLEEP, 800 },
};

static void answers_to_a_held_request_that_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(held); i++) {
		struct bc_commerce_verdict v = bc_commerce_judge(&(struct bc_commerce_attempt){
			.method = held[i].method,
			.attempt = held[i].attempt,
			.held = true,
			.status = held[i].status,
			.request_sent = true,
			.retry_after = held[i].retry_after,
			.now_wall_ms = NOW_MS,
		});
		if ((int)v.step != held[i].step || v.wait_ms != held[i].wait_ms)
			fail_msg("row %zu: step %d, %llu ms", i, (int)v.step,
				 (unsigned long long)v.wait_ms);
	}
}

static void what_never_left_is_repeated_for_any_method(void **state)
{
	(void)state;
	struct bc_commerce_attempt a = { .method = "POST", .attempt = 1, .held = true };
	assert_int_equal(bc_commerce_judge(&a).step, RETRY);
	a.attempt = 3;
	assert_int_equal(bc_commerce_judge(&a).step, PASS);
	a.attempt = 1;
	a.held = false;
	assert_int_equal(bc_commerce_judge(&a).step, PASS);
}

static void idempotent_methods_are_the_rfcs_in_their_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(methods); i++)
		assert_int_equal(bc_commerce_is_idempotent(methods[i]), i < 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_attempt_keeps_every_promise),
		cmocka_unit_test(answers_to_a_held_request_that_left),
		cmocka_unit_test(what_never_left_is_repeated_for_any_method),
		cmocka_unit_test(idempotent_methods_are_the_rfcs_in_their_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
