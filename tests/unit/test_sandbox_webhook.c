/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's webhook caller against a scripted hook: what it says about an order, how that is
 * signed, and which answers let the order be placed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "sandbox/webhook.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/scripted_server.h"

enum { GUARD_MS = 60 * 1000 }; /* the first request under valgrind, on a busy machine, takes long */

#define ANSWER(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"
#define SUCCESS	       ANSWER("200 OK") "{\"op\":\"success\"}"

static struct bc_loop *loop;
static struct bc_sandbox sandbox;
static struct sandbox_webhook *webhook;
static struct server server;
static json_t *order;

static struct {
	int calls;
	bool running; /* the loop, for what is told later */
	bool allowed;
	char message[200];
} told;

static void done(void *ctx, bool allowed, const char *message)
{
	assert_ptr_equal(ctx, &told);
	told.calls++;
	told.allowed = allowed;
	snprintf(told.message, sizeof(told.message), "%s", message ? message : "");
	if (told.running)
		bc_loop_stop(loop);
}

static void too_late(void *ctx)
{
	(void)ctx;
	bc_loop_stop(loop);
}

static void serve(const struct step *steps, size_t count)
{
	server_start(&server, steps, count);
	snprintf(webhook->settings.url, sizeof(webhook->settings.url), "http://127.0.0.1:%d/hook",
		 server.port);
	webhook->settings.timeout_ms = GUARD_MS / 2;
	assert_true(bc_webhook_ready(webhook));
}

/* Until the answer was told. */
static void run(void)
{
	told.running = true;
	if (told.calls == 0)
		bc_loop_run(loop);
	told.running = false;
}

/* Asks and waits until that is over. */
static void ask(void)
{
	struct bc_timer *guard = bc_timer_create(loop, too_late, NULL);

	told.calls = 0;
	bc_timer_start(guard, GUARD_MS);
	bc_webhook_ask(webhook, order, done, &told);
	run();
	bc_timer_destroy(guard);
	assert_int_equal(told.calls, 1);
}

/* Made once: under valgrind a key takes ten seconds and more. */
static struct bc_signer *signer;

static int make_signer(void **state)
{
	(void)state;
	signer = bc_signer_create();
	return signer ? 0 : -1;
}

static int drop_signer(void **state)
{
	(void)state;
	bc_signer_destroy(signer);
	return 0;
}

static int open_hook(void **state)
{
	(void)state;
	sandbox = (struct bc_sandbox){ .clock = &bc_clock_system };
	assert_int_equal(bc_loop_create(&loop, NULL), 0);
	sandbox.loop = loop;
	webhook = bc_webhook_create(&sandbox);
	order = json_pack("{si ss ss sf s[{ssss}] ss ss}", "entity_id", 318, "increment_id",
			  "000000318", "note", "a/b \xc3\xbc", "grand_total", 64.28,
			  "custom_attributes", "attribute_code", "bc_click", "value",
			  "c.0123456789abcdef0123456789abcdef", "created_at", "2026-11-20 14:03:11",
			  "state", "new");
	if (!webhook || !order)
		return -1;
	webhook->signer = signer;
	return 0;
}

/* The signer stays. */
static void drop_hook(void)
{
	if (webhook)
		webhook->signer = NULL;
	bc_webhook_destroy(webhook);
	webhook = NULL;
}

static int close_hook(void **state)
{
	(void)state;
	drop_hook();
	json_decref(order);
	bc_loop_destroy(loop);
	if (server.port)
		server_stop(&server);
	server = (struct server){ 0 };
	return 0;
}

static const char *sent_body(void)
{
	const char *end = strstr(server.seen, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

/* ---- what is said ---- */

static void a_plugin_hook_is_told_the_order_before_it_was_saved(void **state)
{
	static const struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };

	(void)state;
	serve(&step, 1);
	ask();
	assert_true(told.allowed);
	assert_string_equal(
		sent_body(),
		"{\"order\":{\"increment_id\":\"000000318\",\"note\":\"a\\/b \\u00FC\","
		"\"grand_total\":64.28,\"custom_attributes_serializable\":{\"bc_click\":"
		"\"c.0123456789abcdef0123456789abcdef\"}}}");
	assert_non_null(strstr(server.seen, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(server.seen, "\r\nx-adobe-commerce-request-id: "));
}

static void an_observer_hook_is_told_it_below_data(void **state)
{
	static const struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };
	static const char head[] = "{\"subject\":[],\"eventName\":\"sales_order_place_before\","
				   "\"data\":{\"order\":{\"increment_id\":\"000000318\"";

	(void)state;
	webhook->settings.kind = WEBHOOK_OBSERVER;
	serve(&step, 1);
	ask();
	assert_int_equal(strncmp(sent_body(), head, sizeof(head) - 1), 0);
}

static void an_order_without_attributes_has_an_empty_list_as_php_writes_it(void **state)
{
	static const struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };

	(void)state;
	json_object_set_new(order, "custom_attributes", json_array());
	serve(&step, 1);
	ask();
	assert_non_null(strstr(sent_body(), "\"custom_attributes_serializable\":[]"));
}

static bool signature_holds(const char *signature, const char *text)
{
	BIO *in = BIO_new_mem_buf(bc_signer_public_pem(webhook->signer), -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char bytes[BC_SIGNATURE_BYTES + 3];
	bool good = EVP_DecodeBlock(bytes, (const unsigned char *)signature,
				    BC_SIGNATURE_TEXT_BYTES - 1) > 0 &&
		    EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		    EVP_DigestVerify(context, bytes, BC_SIGNATURE_BYTES,
				     (const unsigned char *)text, strlen(text)) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	BIO_free(in);
	return good;
}

static void the_signature_is_over_the_base64_text_of_the_body(void **state)
{
	static const struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };
	static const char name[] = "x-adobe-commerce-webhook-signature: ";
	unsigned char text[4096];
	const char *signature;

	(void)state;
	serve(&step, 1);
	ask();
	signature = strstr(server.seen, name);
	assert_non_null(signature);
	EVP_EncodeBlock(text, (const unsigned char *)sent_body(), (int)strlen(sent_body()));
	assert_true(signature_holds(signature + sizeof(name) - 1, (const char *)text));
	assert_false(signature_holds(signature + sizeof(name) - 1, sent_body()));
}

static void an_unsigned_hook_gets_no_signature(void **state)
{
	static const struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };

	(void)state;
	webhook->settings.sign = false;
	serve(&step, 1);
	ask();
	assert_null(strstr(server.seen, "signature"));
}

/* ---- what the answers mean ---- */

static const struct {
	const char *answer;
	enum webhook_result result;
	bool required, optional; /* is the order placed, when the hook is so? */
	const char *message;
} answers[] = {
	{ SUCCESS, WEBHOOK_SUCCESS, true, true, "" },
	{ ANSWER("200 OK") "[{\"op\":\"success\"}]", WEBHOOK_SUCCESS, true, true, "" },
	{ ANSWER("200 OK") "[]", WEBHOOK_SUCCESS, true, true, "" },
	{ ANSWER("200 OK") "[{\"op\":\"replace\",\"path\":\"data/order\",\"value\":\"x\"}]",
	  WEBHOOK_SUCCESS, true, true, "" },
	{ ANSWER("200 OK") "{\"op\":\"exception\",\"message\":\"not today\"}", WEBHOOK_EXCEPTION,
	  false, false, "not today" },
	{ ANSWER("200 OK") "[{\"op\":\"success\"},{\"op\":\"exception\"}]", WEBHOOK_EXCEPTION,
	  false, false, "Cannot perform the operation due to an error." },
	{ ANSWER("200 OK") "", WEBHOOK_MALFORMED, false, true, "" },
	{ ANSWER("200 OK") "ok", WEBHOOK_MALFORMED, false, true, "" },
	{ ANSWER("200 OK") "{\"op\":\"other\"}", WEBHOOK_MALFORMED, false, true, "" },
	{ ANSWER("200 OK") "[1]", WEBHOOK_MALFORMED, false, true, "" },
	{ ANSWER("204 No Content"), WEBHOOK_STATUS, false, true, "" },
	{ ANSWER("500 Oops") "{\"op\":\"success\"}", WEBHOOK_STATUS, false, true, "" },
	{ ANSWER("302 Found"), WEBHOOK_STATUS, false, true, "" },
	{ "", WEBHOOK_NO_ANSWER, false, true, "" },
};

static void an_answer_places_the_order_or_not(void **state)
{
	struct step steps[2 * BC_COUNT(answers)];

	(void)state;
	for (size_t i = 0; i < BC_COUNT(steps); i++)
		steps[i] = (struct step){ .answer = answers[i / 2].answer, .then = THEN_CLOSE };
	serve(steps, BC_COUNT(steps));
	for (size_t i = 0; i < BC_COUNT(steps); i++) {
		uint64_t before = webhook->results[answers[i / 2].result];

		webhook->settings.required = i % 2 == 0;
		ask();
		if (told.allowed != (i % 2 ? answers[i / 2].optional : answers[i / 2].required) ||
		    webhook->results[answers[i / 2].result] != before + 1)
			fail_msg("%s, %s: allowed %d", answers[i / 2].answer,
				 i % 2 ? "optional" : "required", told.allowed);
		if (answers[i / 2].message[0])
			assert_string_equal(told.message, answers[i / 2].message);
		assert_int_equal(!told.allowed, told.message[0] != '\0');
	}
	assert_int_equal(webhook->asked, BC_COUNT(steps));
	assert_int_equal(webhook->allowed + webhook->refused, BC_COUNT(steps));
}

static void a_hook_that_is_too_slow_fails_and_one_that_is_rather_slow_is_counted(void **state)
{
	static const struct step step = { .then = THEN_HANG };

	(void)state;
	serve(&step, 1);
	webhook->settings.timeout_ms = 50;
	webhook->settings.soft_timeout_ms = 20;
	ask();
	assert_false(told.allowed);
	assert_int_equal(webhook->results[WEBHOOK_TIMEOUT], 1);
	assert_int_equal(webhook->slow, 1);
	webhook->settings.required = false;
	ask();
	assert_true(told.allowed);
}

static void without_a_hook_the_order_is_placed_at_once(void **state)
{
	(void)state;
	told.calls = 0;
	bc_webhook_ask(webhook, order, done, &told);
	assert_int_equal(told.calls, 1);
	assert_true(told.allowed);
	assert_int_equal(webhook->asked, 0);
}

static void a_reset_tells_those_that_wait(void **state)
{
	static const struct step step = { .then = THEN_HANG };

	(void)state;
	serve(&step, 1);
	told.calls = 0;
	bc_webhook_ask(webhook, order, done, &told);
	assert_int_equal(told.calls, 0);
	bc_webhook_reset(webhook);
	assert_int_equal(told.calls, 1);
	assert_false(told.allowed);
}

/* One ask: it comes to an end whatever is missing, and refuses when it could not be sent. */
static bool ask_once(void *ctx)
{
	const struct step *step = ctx;

	webhook = bc_webhook_create(&sandbox);
	if (!webhook)
		return false;
	webhook->signer = signer;
	server_start(&server, step, 1);
	snprintf(webhook->settings.url, sizeof(webhook->settings.url), "http://127.0.0.1:%d/hook",
		 server.port);
	webhook->settings.timeout_ms = GUARD_MS;
	told.calls = 0;
	told.allowed = false;
	if (bc_webhook_ready(webhook)) {
		bc_webhook_ask(webhook, order, done, &told);
		run();
		assert_int_equal(told.calls, 1);
	}
	drop_hook();
	server_stop(&server);
	server = (struct server){ 0 };
	return told.allowed;
}

static void without_memory_an_order_is_refused(void **state)
{
	static struct step step = { .answer = SUCCESS, .then = THEN_CLOSE };

	(void)state;
	drop_hook();
	each_allocation_failing(ask_once, &step);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_plugin_hook_is_told_the_order_before_it_was_saved,
						open_hook, close_hook),
		cmocka_unit_test_setup_teardown(an_observer_hook_is_told_it_below_data, open_hook,
						close_hook),
		cmocka_unit_test_setup_teardown(
			an_order_without_attributes_has_an_empty_list_as_php_writes_it, open_hook,
			close_hook),
		cmocka_unit_test_setup_teardown(the_signature_is_over_the_base64_text_of_the_body,
						open_hook, close_hook),
		cmocka_unit_test_setup_teardown(an_unsigned_hook_gets_no_signature, open_hook,
						close_hook),
		cmocka_unit_test_setup_teardown(an_answer_places_the_order_or_not, open_hook,
						close_hook),
		cmocka_unit_test_setup_teardown(
			a_hook_that_is_too_slow_fails_and_one_that_is_rather_slow_is_counted,
			open_hook, close_hook),
		cmocka_unit_test_setup_teardown(without_a_hook_the_order_is_placed_at_once,
						open_hook, close_hook),
		cmocka_unit_test_setup_teardown(a_reset_tells_those_that_wait, open_hook,
						close_hook),
		cmocka_unit_test_setup_teardown(without_memory_an_order_is_refused, open_hook,
						close_hook),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_signer, drop_signer);
}
