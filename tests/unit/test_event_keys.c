/* SPDX-License-Identifier: MIT */
/*
 * Keys of events: fetched on another loop's thread from a scripted host, kept by a clock that the
 * test turns. What strangers may ask for is told from what was ever good.
 */
#include "core/event_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <uv.h>

#include "base/log.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/samples.h"
#include "tests/unit/scripted_server.h"

enum { GUARD_MS = 20000, HOUR_MS = 3600 * 1000 };

#define ONE "/prod/keys/pub-key-one.pem"

static struct bc_loop *home, *outbound;
static struct bc_loop_thread *thread;
static struct bc_fetcher *fetcher;
static struct bc_event_keys *keys;
static struct server server;
static unsigned waiting;
static bool stopped;
static char good[2048]; /* the answer with a key */

static uint64_t now_ms;
static uint64_t turned(const struct bc_clock *c)
{
	(void)c;
	return now_ms;
}
static const struct bc_clock by_hand = { .wall_ms = turned, .elapsed_ms = turned };

/* Somebody who asks. */
struct asker {
	struct bc_event_key_wait wait;
	unsigned told;
	bool has_key;
	char problem[BC_ERR_TEXT_BYTES];
};

/* --- the world ------------------------------------------------------------------------------- */

static void guard(void *ctx)
{
	(void)ctx;
	fail_msg("%u askers wait after %d ms", waiting, GUARD_MS);
}

static void told(struct bc_event_key_wait *wait, const struct bc_public_key *key,
		 const char *problem)
{
	struct asker *a = BC_CONTAINER(wait, struct asker, wait);
	a->told++;
	a->has_key = key != NULL;
	snprintf(a->problem, sizeof(a->problem), "%s", problem);
	if (--waiting == 0)
		bc_loop_stop(home);
}

static void run_until_told(void)
{
	struct bc_timer *timer = bc_timer_create(home, guard, NULL);
	bc_timer_start(timer, GUARD_MS);
	if (waiting > 0)
		bc_loop_run(home);
	bc_timer_destroy(timer);
	assert_int_equal(waiting, 0);
}

static int ask(const char *path, struct asker *a)
{
	*a = (struct asker){ .wait = { .done = told } };
	int result = bc_event_keys_fetch(keys, bc_str_of(path), &a->wait);
	assert_int_equal(a->told, 0); /* never inline */
	waiting += result == 0;
	return result;
}

static struct asker asked(const char *path)
{
	static struct asker a;
	assert_int_equal(ask(path, &a), 0);
	run_until_told();
	assert_int_equal(a.told, 1);
	return a;
}

static bool knows(const char *path)
{
	return bc_event_keys_look(keys, bc_str_of(path)) != NULL;
}

static void host_answers(const struct step *steps, size_t count)
{
	char base[64];
	struct bc_err err = { 0 };
	server = (struct server){ 0 };
	server_start(&server, steps, count);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", server.port);
	assert_int_equal(bc_loop_create(&home, &err), 0);
	assert_int_equal(bc_loop_create(&outbound, &err), 0);
	assert_int_equal(bc_loop_thread_start(outbound, "outbound", &thread, &err), 0);
	assert_int_equal(bc_fetcher_create(home, outbound, NULL, 16, &fetcher, &err), 0);
	assert_int_equal(bc_event_keys_create(fetcher, &by_hand, base, &keys, &err), 0);
	now_ms = 1000;
}

static void is_stopped(void *ctx)
{
	(void)ctx;
	stopped = true;
	bc_loop_stop(home);
}

static void stop_fetcher(void)
{
	stopped = false;
	bc_fetcher_stop(fetcher, is_stopped, NULL);
	while (!stopped)
		bc_loop_run(home);
}

static void end(void)
{
	stop_fetcher();
	assert_int_equal(waiting, 0);
	bc_event_keys_destroy(keys);
	bc_fetcher_destroy(fetcher);
	bc_loop_thread_join(thread);
	bc_loop_destroy(outbound);
	bc_loop_destroy(home);
	server_stop(&server);
}

/* Waits for an answer that nobody waits for: the host has seen so many requests, and what came of
 * the last one is known here. */
static void run_until_requests(int count)
{
	while (atomic_load(&server.requests) < count)
		usleep(1000);
	/* Behind it in line: a fetch of something else is answered after it. */
	struct asker a;
	if (ask("/prod/keys/pub-key-behind.pem", &a) == 0)
		run_until_told();
}

static int read_key(void **state)
{
	(void)state;
	json_t *root = sample_json("adobe-signature-vectors.json");
	const char *pem = json_string_value(
		json_object_get(json_object_get(root, "commerce_webhook"), "public_key"));
	snprintf(good, sizeof(good), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(pem), pem);
	json_decref(root);
	bc_log_setup(BC_LOG_ERROR, false);
	return 0;
}

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Length: " #body "\r\n\r\n"

/* --- fetching -------------------------------------------------------------------------------- */

static void a_key_is_fetched_once_for_all_who_wait(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = good } };
	struct asker askers[100];
	host_answers(steps, 1);
	assert_false(knows(ONE));
	for (size_t i = 0; i < BC_COUNT(askers); i++)
		assert_int_equal(ask(ONE, &askers[i]), 0);
	run_until_told();
	for (size_t i = 0; i < BC_COUNT(askers); i++)
		assert_true(askers[i].told == 1 && askers[i].has_key);
	assert_true(knows(ONE));
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_non_null(strstr(server.seen, "GET " ONE " HTTP/1.1"));
	assert_null(strstr(server.seen, "Authorization"));
	end();
}

static void a_key_ends_after_a_day(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = good }, { .answer = ANSWER("500 No", 0) } };
	host_answers(steps, 2);
	assert_true(asked(ONE).has_key);
	now_ms += 12 * HOUR_MS - 1;
	assert_true(knows(ONE));
	now_ms += 12 * HOUR_MS;
	assert_true(knows(ONE)); /* and is fetched anew, in vain */
	run_until_requests(2);
	assert_true(knows(ONE));
	now_ms++;
	assert_false(knows(ONE));
	end();
}

static void a_key_is_renewed_in_time_and_by_one_at_a_time(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = good } };
	host_answers(steps, 1);
	assert_true(asked(ONE).has_key);
	for (int day = 1; day <= 3; day++) {
		now_ms += 20 * HOUR_MS;
		for (int i = 0; i < 50; i++)
			assert_true(knows(ONE));
		struct asker a = asked(ONE); /* waits for the renewal, too */
		assert_true(a.has_key);
	}
	assert_int_equal(atomic_load(&server.requests), 4);
	end();
}

static void what_is_not_there_is_not_asked_for_at_once(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = ANSWER("404 Not Found", 0) },
				      { .answer = good } };
	struct asker a;
	host_answers(steps, 2);
	a = asked(ONE);
	assert_false(a.has_key);
	assert_string_equal(a.problem, "the key host answers 404");
	now_ms += 29 * 1000;
	assert_int_equal(ask(ONE, &a), BC_EUNREACH);
	assert_int_equal(atomic_load(&server.requests), 1);
	now_ms += 2 * 1000;
	assert_true(asked(ONE).has_key);
	end();
}

static void a_host_that_is_gone_is_asked_again_soon(void **state)
{
	(void)state;
	const struct step steps[] = { { .then = THEN_CLOSE }, { .answer = good } };
	struct asker a;
	host_answers(steps, 2);
	assert_false(asked(ONE).has_key);
	assert_int_equal(ask(ONE, &a), BC_EUNREACH);
	now_ms += 1000;
	assert_true(asked(ONE).has_key);
	end();
}

static void what_is_no_key_is_not_kept(void **state)
{
	(void)state;
	static char huge[40 * 1024];
	int head = snprintf(huge, sizeof(huge), "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n");
	memset(huge + head, 'a', 30000);
	const struct step steps[] = { { .answer = ANSWER("200 OK", 5) "hello" },
				      { .answer = huge, .answer_bytes = (size_t)head + 30000 },
				      { .answer = ANSWER("302 Found", 0) },
				      { .answer = ANSWER("204 No", 0) } };
	static const char *const problems[] = { "the key is no public RSA key of 2048 bits or more",
						"the answer is too large",
						"the key host answers 302",
						"the key host answers 204" };
	host_answers(steps, 4);
	for (size_t i = 0; i < BC_COUNT(problems); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/prod/keys/pub-key-%zu.pem", i);
		assert_string_equal(asked(path).problem, problems[i]);
		assert_false(knows(path));
	}
	end();
}

/* --- strangers ------------------------------------------------------------------------------- */

static void paths_that_are_none_never_push_out_a_key(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = good },
				      { .answer = ANSWER("404 Not Found", 0) } };
	host_answers(steps, 2);
	assert_true(asked(ONE).has_key);
	for (int i = 0; i < 3 * BC_EVENT_KEYS_MAX; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/prod/keys/pub-key-x%d.pem", i);
		if (i % 50 == 0)
			now_ms += 61 * 1000;
		assert_false(asked(path).has_key);
	}
	assert_true(knows(ONE));
	end();
}

static void a_minute_has_its_number_of_fetches(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = ANSWER("404 Not Found", 0) } };
	struct asker a;
	host_answers(steps, 1);
	for (int i = 0; i < BC_EVENT_KEYS_FETCHES_MINUTE; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/prod/keys/pub-key-x%d.pem", i);
		assert_false(asked(path).has_key);
	}
	assert_int_equal(ask(ONE, &a), BC_EBUSY);
	now_ms += 60 * 1000;
	assert_false(asked(ONE).has_key);
	assert_int_equal(atomic_load(&server.requests), BC_EVENT_KEYS_FETCHES_MINUTE + 1);
	end();
}

static void few_are_fetched_at_once_and_all_end_when_it_stops(void **state)
{
	(void)state;
	const struct step steps[] = { { .then = THEN_HANG } };
	struct asker askers[BC_EVENT_KEYS_FETCHES_MAX + 1];
	host_answers(steps, 1);
	for (int i = 0; i <= BC_EVENT_KEYS_FETCHES_MAX; i++) {
		char path[64];
		snprintf(path, sizeof(path), "/prod/keys/pub-key-x%d.pem", i);
		assert_int_equal(ask(path, &askers[i]),
				 i < BC_EVENT_KEYS_FETCHES_MAX ? 0 : BC_EBUSY);
	}
	stop_fetcher();
	for (int i = 0; i < BC_EVENT_KEYS_FETCHES_MAX; i++)
		assert_true(askers[i].told == 1 && !askers[i].has_key);
	now_ms += 60 * 1000;
	assert_int_equal(ask(ONE, &askers[0]), BC_ESTATE);
	bc_event_keys_destroy(keys);
	bc_fetcher_destroy(fetcher);
	bc_loop_thread_join(thread);
	bc_loop_destroy(outbound);
	bc_loop_destroy(home);
	server_stop(&server);
}

/* --- another host ---------------------------------------------------------------------------- */

static void another_host_knows_nothing_of_the_former_ones_keys(void **state)
{
	(void)state;
	const struct step steps[] = { { .answer = good } };
	char base[64];
	struct asker a;
	host_answers(steps, 1);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", server.port);
	assert_true(asked(ONE).has_key);
	assert_int_equal(bc_event_keys_reconfigure(keys, base), 0);
	assert_true(knows(ONE)); /* the same one */
	/* What is under way from the former host does not count either. */
	assert_int_equal(ask("/prod/keys/pub-key-two.pem", &a), 0);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d/below", server.port);
	assert_int_equal(bc_event_keys_reconfigure(keys, base), 0);
	assert_false(knows(ONE));
	run_until_told();
	assert_false(a.has_key);
	assert_string_equal(a.problem, "another key host counts now");
	assert_true(asked(ONE).has_key);
	assert_non_null(strstr(server.seen, "GET /below" ONE));
	end();
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool opens(void *ctx)
{
	struct bc_fetcher *f = NULL;
	struct bc_event_keys *k = NULL;
	struct bc_err err = { 0 };
	(void)ctx;
	int result = bc_fetcher_create(home, home, "http://127.0.0.1:1", 4, &f, &err);
	if (!result)
		result = bc_event_keys_create(f, &by_hand, "http://127.0.0.1:2", &k, &err);
	if (!result)
		result = bc_event_keys_reconfigure(k, "http://127.0.0.1:3");
	assert_true(result == 0 || result == BC_ENOMEM);
	bc_event_keys_destroy(k);
	bc_fetcher_destroy(f);
	return result == 0;
}

static void opening_survives_each_failing_allocation(void **state)
{
	(void)state;
	assert_int_equal(bc_loop_create(&home, NULL), 0);
	each_allocation_failing(opens, NULL);
	bc_loop_destroy(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_fetched_once_for_all_who_wait),
		cmocka_unit_test(a_key_ends_after_a_day),
		cmocka_unit_test(a_key_is_renewed_in_time_and_by_one_at_a_time),
		cmocka_unit_test(what_is_not_there_is_not_asked_for_at_once),
		cmocka_unit_test(a_host_that_is_gone_is_asked_again_soon),
		cmocka_unit_test(what_is_no_key_is_not_kept),
		cmocka_unit_test(paths_that_are_none_never_push_out_a_key),
		cmocka_unit_test(a_minute_has_its_number_of_fetches),
		cmocka_unit_test(few_are_fetched_at_once_and_all_end_when_it_stops),
		cmocka_unit_test(another_host_knows_nothing_of_the_former_ones_keys),
		cmocka_unit_test(opening_survives_each_failing_allocation),
	};
	return cmocka_run_group_tests(tests, read_key, NULL);
}
