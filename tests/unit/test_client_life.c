/* SPDX-License-Identifier: MIT */
/* The library's client as a whole: both forms, many callers, its beginning and its end. */
#include "client_fixture.h"

#include <netinet/in.h>
#include <sys/stat.h>

#include "failing_malloc.h"
#include "scripted_server.h"

enum { MANY = 2000, THREADS = 8, CALLS_EACH = 50, SHORT_CLIENTS = 100 };

/* --- options --------------------------------------------------------------------------------- */

static void options_that_cannot_work_are_refused(void **state)
{
	static const struct {
		struct bc_client_options options;
		const char *says;
	} rows[] = {
		{ { .commerce_base_url = "http://shop.example/tenant" }, "not https" },
		{ { .commerce_base_url = "ftp://shop.example" }, "not https" },
		{ { .commerce_base_url = "https://user:canary@shop.example" }, "user" },
		{ { .commerce_base_url = "https://shop.example/?a=b" }, "" },
		{ { .commerce_base_url = "shop" }, "commerce_base_url" },
		{ { .oauth_base_url = "http://127.0.0.1.example" }, "oauth_base_url" },
		{ { .oauth_token_url = "http://10.0.0.1/token" }, "oauth_token_url" },
		{ { .oauth_client_id = "id" }, "oauth_client_secret is missing" },
		{ { .oauth_client_secret = "canary" }, "oauth_client_id is missing" },
		{ { .oauth_client_id = "i\r\nd", .oauth_client_secret = "canary" }, "control" },
		{ { .oauth_client_id = "id",
		    .oauth_client_secret = "canary",
		    .oauth_scopes = "a\"b" },
		  "" },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_client *none = NULL;
		struct bc_err err = { 0 };
		assert_int_equal(bc_client_create(&rows[i].options, &none, &err), BC_EINVAL);
		assert_null(none);
		assert_int_equal(err.code, BC_EINVAL);
		assert_null(strstr(err.text, "canary"));
		if (!strstr(err.text, rows[i].says))
			fail_msg("\"%s\" does not speak of \"%s\"", err.text, rows[i].says);
	}
}

static void http_is_taken_on_this_very_machine(void **state)
{
	static const char *const bases[] = { "http://localhost:1", "http://127.1.2.3/t",
					     "http://[::1]:1/t", "https://shop.example/t" };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bases); i++) {
		struct bc_client_options o = { .commerce_base_url = bases[i] };
		struct bc_client *made = NULL;
		assert_int_equal(bc_client_create(&o, &made, NULL), 0);
		bc_client_destroy(made);
	}
	bc_client_destroy(NULL);
}

static void without_a_commerce_url_there_are_no_calls(void **state)
{
	(void)state;
	options = (struct bc_client_options){ .run_thread = true };
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, BC_EINVAL);
	assert_non_null(strstr(o.err.text, "commerce_base_url"));
}

/* --- on a loop of the caller's --------------------------------------------------------------- */

static struct outcome *start(const char *path)
{
	struct outcome *o = calloc(1, sizeof(*o));
	struct bc_err err = { 0 };
	char copy[64];
	snprintf(copy, sizeof(copy), "%s", path);
	struct bc_client_request request = { .path = copy };
	if (bc_client_start(client, &request, keep_outcome, o, &err))
		fail_msg("%s", err.text);
	memset(copy, '#', sizeof(copy)); /* it was copied */
	assert_int_equal(o->count, 0);
	return o;
}

static void a_call_on_the_callers_loop_completes_in_dispatch(void **state)
{
	(void)state;
	options.run_thread = false;
	answers({ .status = 500 }, { .status = 200, .body = "[1]" });
	create();
	struct outcome *o = start("/V1/a");
	turn_until(&o->count, 1);
	assert_int_equal(o->result, 0);
	assert_string_equal(o->text, "[1]");
	assert_int_equal(o->answer.attempts, 2);
	free(o);
	o = start("/V1/b");
	turn_until(&o->count, 1);
	assert_int_equal(o->answer.attempts, 1);
	assert_string_equal(shop.target, "/V1/b");
	free(o);
}

static void nothing_to_do_is_nothing_to_wake_for(void **state)
{
	(void)state;
	options.run_thread = false;
	create();
	bc_client_dispatch(client);
	assert_int_equal(bc_client_timeout_ms(client), -1);
	struct pollfd fd = { .fd = bc_client_fd(client), .events = POLLIN };
	assert_int_equal(poll(&fd, 1, 0), 0);
	struct outcome *o = start("/V1/a");
	assert_int_equal(poll(&fd, 1, 1000), 1);
	turn_until(&o->count, 1);
	assert_int_equal(o->answer.status, 200);
	free(o);
}

static void blocking_calls_need_the_thread(void **state)
{
	struct bc_client_conversion conversion = { .product_id = "1",
						   .key = "key",
						   .token = "12345-test-123-12345" };
	struct bc_client_outcome outcome;
	(void)state;
	options.run_thread = false;
	create();
	struct outcome o = get("/V1/a");
	assert_int_equal(o.result, BC_ESTATE);
	assert_non_null(strstr(o.err.hint, "run_thread"));
	assert_int_equal(bc_client_hand_back(client, &conversion, &outcome, NULL), BC_ESTATE);
}

struct chain {
	int count, left;
};

static void start_next(void *ctx, int result, struct bc_client_answer *answer,
		       const struct bc_err *err)
{
	struct chain *chain = ctx;
	(void)err;
	assert_int_equal(result, 0);
	assert_int_equal(answer->status, 200);
	chain->count++;
	if (--chain->left)
		assert_int_equal(bc_client_start(client,
						 &(struct bc_client_request){ .path = "/V1/a" },
						 start_next, chain, NULL),
				 0);
}

static void a_completion_may_begin_the_next_call_and_keep_the_body(void **state)
{
	struct chain chain = { .left = 20 };
	(void)state;
	options.run_thread = false;
	create();
	assert_int_equal(bc_client_start(client, &(struct bc_client_request){ .path = "/V1/a" },
					 start_next, &chain, NULL),
			 0);
	turn_until(&chain.count, 20);
	assert_int_equal(shop.requests, 20);
}

static void destroy_inside(void *ctx, int result, struct bc_client_answer *answer,
			   const struct bc_err *err)
{
	(void)answer;
	(void)err;
	*(int *)ctx += 1;
	if (!result)
		bc_client_destroy(client);
}

static void a_completion_may_destroy_the_client(void **state)
{
	int count = 0;
	(void)state;
	options.run_thread = false;
	answers({ .status = 200 }, { .how = HOW_HOLD });
	create();
	for (int i = 0; i < 3; i++)
		assert_int_equal(bc_client_start(client,
						 &(struct bc_client_request){ .path = "/V1/a" },
						 destroy_inside, &count, NULL),
				 0);
	turn_until(&count, 3); /* the others are ended by it, in the same dispatch */
	assert_int_equal(count, 3);
	client = NULL;
}

/* --- many ------------------------------------------------------------------------------------ */

static struct {
	atomic_int done;
	atomic_int good;
} tally;

static void count_good(void *ctx, int result, struct bc_client_answer *answer,
		       const struct bc_err *err)
{
	(void)ctx;
	(void)err;
	if (!result && answer->status == 200)
		atomic_fetch_add(&tally.good, 1);
	atomic_fetch_add(&tally.done, 1);
}

static void two_thousand_calls_at_the_start_cost_one_token_request(void **state)
{
	struct bc_client_request request = { .path = "/V1/a" };
	(void)state;
	atomic_store(&tally.done, 0);
	atomic_store(&tally.good, 0);
	create();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(bc_client_start(client, &request, count_good, NULL, NULL), 0);
	uint64_t began = bc_elapsed_ms(&bc_clock_system);
	while (atomic_load(&tally.done) < MANY &&
	       bc_elapsed_ms(&bc_clock_system) - began < GUARD_MS)
		sched_yield();
	assert_int_equal(atomic_load(&tally.good), MANY);
	assert_int_equal(shop_count(&shop.requests), MANY);
	assert_int_equal(shop_count(&shop.token_requests), 1);
}

static void no_more_are_under_way_than_was_said(void **state)
{
	struct bc_client_request request = { .path = "/V1/a", .timeout_ms = 1000 };
	struct outcome late;
	struct bc_task release = { .run = release_held };
	(void)state;
	options.concurrency = 3;
	answers({ .how = HOW_HOLD }, { .how = HOW_HOLD }, { .how = HOW_HOLD }, { .status = 200 });
	atomic_store(&tally.done, 0);
	atomic_store(&tally.good, 0);
	create();
	for (int i = 0; i < 3; i++)
		assert_int_equal(bc_client_start(client,
						 &(struct bc_client_request){ .path = "/V1/a" },
						 count_good, NULL, NULL),
				 0);
	wait_for_count(&shop.most_at_once, 3);
	late = call(&request);
	assert_int_equal(late.result, BC_ETIMEDOUT);
	assert_non_null(strstr(late.err.hint, "concurrency"));
	for (int i = 0; i < 10; i++)
		assert_int_equal(bc_client_start(client,
						 &(struct bc_client_request){ .path = "/V1/a" },
						 count_good, NULL, NULL),
				 0);
	assert_int_equal(shop_count(&shop.requests), 3);
	bc_loop_post(shop.loop, &release);
	wait_for_count(&shop.requests, 13);
	while (atomic_load(&tally.done) < 13)
		sched_yield();
	assert_int_equal(atomic_load(&tally.good), 13);
}

static void *call_often(void *arg)
{
	unsigned *failed = arg;
	for (int i = 0; i < CALLS_EACH; i++) {
		struct bc_client_request request = { .path = "/V1/a" };
		struct bc_client_answer answer;
		if (bc_client_call(client, &request, &answer, NULL)) {
			++*failed;
			continue;
		}
		*failed += answer.status != 200;
		bc_client_answer_finish(&answer);
	}
	return NULL;
}

static void many_threads_call_at_once(void **state)
{
	pthread_t threads[THREADS];
	unsigned failed[THREADS] = { 0 };
	(void)state;
	create();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &failed[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failed[i], 0);
	}
	assert_int_equal(shop.requests, THREADS * CALLS_EACH);
	assert_int_equal(shop.token_requests, 1);
}

static void the_cache_file_makes_a_hundred_short_clients_one_token_request(void **state)
{
	char folder[] = "/tmp/bc-client-XXXXXX", file[64], lock[72];
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/token", folder);
	snprintf(lock, sizeof(lock), "%s.lock", file);
	options.oauth_cache_file = file;
	for (int i = 0; i < SHORT_CLIENTS; i++) {
		create();
		assert_int_equal(get("/V1/a").answer.status, 200);
		destroy();
	}
	assert_int_equal(shop.requests, SHORT_CLIENTS);
	assert_int_equal(shop.token_requests, 1);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(file);
	unlink(lock);
	rmdir(folder);
}

/* --- the end --------------------------------------------------------------------------------- */

static void *call_once(void *arg)
{
	struct outcome *o = arg;
	struct bc_client_request request = { .path = "/V1/a" };
	o->result = bc_client_call(client, &request, &o->answer, &o->err);
	o->count++;
	return NULL;
}

static void threads_that_are_blocked_return_when_it_is_destroyed(void **state)
{
	pthread_t threads[THREADS];
	struct outcome outcomes[THREADS] = { 0 };
	(void)state;
	answers({ .how = HOW_HOLD });
	create();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_once, &outcomes[i]);
	wait_for_count(&shop.most_at_once, THREADS); /* all have begun */
	destroy();
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(outcomes[i].count, 1);
		assert_int_equal(outcomes[i].result, BC_ESTATE);
		assert_non_null(strstr(outcomes[i].err.text, "destroyed"));
	}
}

static void refuse_more(void *ctx, int result, struct bc_client_answer *answer,
			const struct bc_err *err)
{
	int *count = ctx;
	struct bc_client_request request = { .path = "/V1/a" };
	(void)err;
	++*count;
	assert_int_equal(result, BC_ESTATE);
	assert_null(answer);
	assert_int_equal(bc_client_start(client, &request, refuse_more, ctx, NULL), BC_ESTATE);
}

static void start_counted(int n, int *count)
{
	struct bc_client_request request = { .path = "/V1/a" };
	for (int i = 0; i < n; i++)
		assert_int_equal(bc_client_start(client, &request, refuse_more, count, NULL), 0);
}

/* Whatever they wait for: to begin, for a token, for their turn, for an answer, for a sleep. */
static void each_state_of_a_call_ends_once_when_it_is_destroyed(void **state)
{
	int count = 0;
	(void)state;
	options.run_thread = false;
	options.concurrency = 2;
	create();
	start_counted(5, &count);
	destroy(); /* none has begun */
	assert_int_equal(count, 5);

	options.oauth_base_url = "http://127.0.0.1:1";
	create();
	start_counted(5, &count);
	for (int i = 0; i < 20; i++)
		bc_client_dispatch(client);
	destroy(); /* no token */
	assert_int_equal(count, 10);

	options.oauth_base_url = shop.base;
	answers({ .how = HOW_HOLD });
	create();
	start_counted(5, &count);
	while (shop_count(&shop.most_at_once) < 2)
		turn();
	destroy(); /* two are under way, three wait for their turn */
	assert_int_equal(count, 15);
}

static void a_call_that_sleeps_or_pauses_ends_when_it_is_destroyed(void **state)
{
	int count = 0;
	(void)state;
	options.run_thread = false;
	answers({ .status = 429, .head = "Retry-After: 30\r\n" });
	create();
	start_counted(2, &count);
	while (shop_count(&shop.requests) < 2)
		turn();
	while (bc_client_timeout_ms(client) == 0)
		bc_client_dispatch(client);
	destroy();
	assert_int_equal(count, 2);

	pthread_mutex_lock(&shop.lock);
	shop.requests = 0;
	pthread_mutex_unlock(&shop.lock);
	answers({ .status = 500 });
	create();
	start_counted(1, &count);
	while (shop_count(&shop.requests) < 1)
		turn();
	destroy();
	assert_int_equal(count, 3);
}

/* --- hand-back ------------------------------------------------------------------------------- */

static struct bc_client_conversion conversion_of(const char *token)
{
	return (struct bc_client_conversion){
		.base_url = shop.base, .product_id = "4711", .key = "canary-key", .token = token
	};
}

static void a_hand_back_is_one_attempt_and_its_verdict(void **state)
{
	struct bc_client_conversion conversion = conversion_of("12345-test-123-12345");
	struct bc_client_outcome o;
	(void)state;
	answers({ .status = 200, .body = "{\"requestToken\":\"12345-test-123-12345\"}" },
		{ .status = 503, .head = "Retry-After: 7\r\n" }, { .how = HOW_RESET });
	create();
	assert_int_equal(bc_client_hand_back(client, &conversion, &o, NULL), 0);
	assert_int_equal(o.verdict.outcome, BC_OUTCOME_DELIVERED);
	assert_int_equal(o.status, 200);
	assert_string_equal(o.error, "");
	assert_string_equal(shop.target, "/4711/12345-test-123-12345/api");
	assert_string_equal(shop.body, "{\"apiKey\":\"canary-key\"}");
	assert_string_equal(shop.authorization, "");
	assert_int_equal(bc_client_hand_back(client, &conversion, &o, NULL), 0);
	assert_int_equal(o.verdict.outcome, BC_OUTCOME_RETRY);
	assert_int_equal(o.retry_after_ms, 7000);
	assert_int_equal(bc_client_hand_back(client, &conversion, &o, NULL), 0);
	assert_int_equal(o.verdict.outcome, BC_OUTCOME_UNKNOWN);
	assert_int_equal(o.status, 0);
	assert_true(o.error[0]);
	assert_int_equal(shop.requests, 3);
	assert_int_equal(shop.token_requests, 0);
}

static void a_hand_back_that_cannot_be_is_refused_at_once(void **state)
{
	struct bc_client_conversion plain = conversion_of("12345-test-123-12345");
	struct bc_client_conversion forged = conversion_of("../../x");
	struct bc_client_conversion keyless = conversion_of("12345-test-123-12345");
	struct bc_client_outcome o;
	struct bc_err err = { 0 };
	(void)state;
	plain.base_url = "http://partner.example/ext";
	keyless.key = NULL;
	create();
	assert_int_equal(bc_client_hand_back(client, &plain, &o, &err), BC_EINVAL);
	assert_non_null(strstr(err.text, "not https"));
	assert_int_equal(bc_client_hand_back(client, &forged, &o, NULL), BC_EINVAL);
	assert_int_equal(bc_client_hand_back(client, &keyless, &o, NULL), BC_EINVAL);
	assert_int_equal(shop.requests, 0);
}

static void keep_handed_back(void *ctx, int result, const struct bc_client_outcome *outcome,
			     const struct bc_err *err)
{
	struct outcome *o = ctx;
	o->count++;
	o->result = result;
	o->err = *err;
	o->answer.status = outcome ? outcome->status : -1;
}

static void a_hand_back_works_on_the_callers_loop_and_ends_with_the_client(void **state)
{
	struct bc_client_conversion conversion = conversion_of("12345-test-123-12345");
	struct outcome first = { 0 }, second = { 0 };
	(void)state;
	options.run_thread = false;
	answers({ .status = 422 }, { .how = HOW_HOLD });
	create();
	assert_int_equal(
		bc_client_hand_back_start(client, &conversion, keep_handed_back, &first, NULL), 0);
	turn_until(&first.count, 1);
	assert_int_equal(first.answer.status, 422);
	assert_int_equal(
		bc_client_hand_back_start(client, &conversion, keep_handed_back, &second, NULL), 0);
	while (shop_count(&shop.requests) < 2)
		turn();
	destroy();
	assert_int_equal(second.count, 1);
	assert_int_equal(second.result, BC_ESTATE);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* A server that allocates nothing through the wrapped allocator, and whose every answer is both a
 * token and an order. */
static bool one_life(void *ctx)
{
	static const struct step steps[] = { {
		.answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			  "Content-Length: 46\r\n\r\n"
			  "{\"access_token\":\"canary-9\",\"expires_in\":3600 }",
		.then = THEN_KEEP,
	} };
	static const char *const headers[] = { "X-Own: yes", NULL };
	struct bc_client_request request = { .path = "/V1/a",
					     .body = "{}",
					     .body_bytes = 2,
					     .headers = headers,
					     .timeout_ms = 400 };
	struct outcome o = { 0 };
	struct server s = { 0 };
	char base[64];
	(void)ctx;
	server_start(&s, steps, 1);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", s.port);
	options.oauth_base_url = options.commerce_base_url = base;
	options.run_thread = false;
	client = NULL;
	if (bc_client_create(&options, &client, NULL) == 0 &&
	    bc_client_start(client, &request, keep_outcome, &o, NULL) == 0)
		turn_until(&o.count, 1);
	destroy();
	server_stop(&s);
	return o.count == 1 && o.result == 0 && o.answer.status == 200;
}

static void without_memory_a_call_ends_cleanly(void **state)
{
	(void)state;
	each_allocation_failing(one_life, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(options_that_cannot_work_are_refused),
		test(http_is_taken_on_this_very_machine),
		test(without_a_commerce_url_there_are_no_calls),
		test(a_call_on_the_callers_loop_completes_in_dispatch),
		test(nothing_to_do_is_nothing_to_wake_for),
		test(blocking_calls_need_the_thread),
		test(a_completion_may_begin_the_next_call_and_keep_the_body),
		test(a_completion_may_destroy_the_client),
		test(two_thousand_calls_at_the_start_cost_one_token_request),
		test(no_more_are_under_way_than_was_said),
		test(many_threads_call_at_once),
		test(the_cache_file_makes_a_hundred_short_clients_one_token_request),
		test(threads_that_are_blocked_return_when_it_is_destroyed),
		test(each_state_of_a_call_ends_once_when_it_is_destroyed),
		test(a_call_that_sleeps_or_pauses_ends_when_it_is_destroyed),
		test(a_hand_back_is_one_attempt_and_its_verdict),
		test(a_hand_back_that_cannot_be_is_refused_at_once),
		test(a_hand_back_works_on_the_callers_loop_and_ends_with_the_client),
		test(without_memory_a_call_ends_cleanly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
