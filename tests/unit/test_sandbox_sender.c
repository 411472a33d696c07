/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's event sender holds: in which order and in what batches it goes out, by a clock
 * that the test turns, and that it stays within its bounds; and the key pairs that sign it. The
 * wire is the system tests'.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "sandbox/sender.h"
#include "tests/unit/failing_malloc.h"

enum { NOW_MS = 5000, IDS_MAX = 4096 };

static struct {
	struct bc_sandbox sandbox;
	struct bc_clock clock;
	uint64_t now_ms;
	struct sandbox_events events;
	struct sandbox_sender *sender;
} desk;

static uint64_t desk_ms(const struct bc_clock *clock)
{
	(void)clock;
	return desk.now_ms;
}

static bool desk_make(void)
{
	memset(&desk, 0, sizeof(desk));
	desk.now_ms = NOW_MS;
	desk.clock = (struct bc_clock){ desk_ms, desk_ms };
	desk.sandbox.clock = &desk.clock;
	desk.events.sandbox = &desk.sandbox;
	desk.sender = bc_sender_create(&desk.events);
	if (desk.sender) /* without a timer: what is queued stays there */
		desk.sender->registration.state = SENDER_ACTIVE;
	return desk.sender != NULL;
}

static int open_desk(void **state)
{
	(void)state;
	return desk_make() ? 0 : -1;
}

static int close_desk(void **state)
{
	(void)state;
	bc_sender_destroy(desk.sender);
	return 0;
}

static void queue(unsigned number, size_t bytes)
{
	struct sandbox_event event = { .number = number, .text_bytes = bytes };

	event.text = calloc(1, bytes + 1);
	if (!event.text)
		return;
	memset(event.text, 'x', bytes);
	snprintf(event.id, sizeof(event.id), "%u", number);
	bc_sender_queue(desk.sender, &event);
	free(event.text);
}

static void queue_many(unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		queue(i, 10);
}

/* The ids of what goes in one request now, "1 2 3"; "" when nothing is due. They are gone then. */
static const char *taken(void)
{
	static char text[IDS_MAX];
	struct sender_letter *letter = bc_sender_queue_take(desk.sender, desk.now_ms);
	size_t len = 0;

	text[0] = '\0';
	for (const struct sender_letter *l = letter; l; l = l->next)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
					l->event->id);
	bc_sender_letter_free(desk.sender, letter);
	return text;
}

/* All that is due, one a request. */
static const char *taken_all(void)
{
	static char text[IDS_MAX];
	const char *id;
	size_t len = 0;

	text[0] = '\0';
	while (*(id = taken()))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", id);
	return text;
}

static void events_go_out_in_the_order_of_their_coming(void **state)
{
	(void)state;
	queue_many(1, 12);
	assert_string_equal(taken_all(), "1 2 3 4 5 6 7 8 9 10 11 12");
	assert_int_equal(desk.sender->queue.bytes, 0);
	assert_int_equal(desk.sender->queue.letters, 0);
}

static void what_was_put_back_waits_until_it_is_due_and_lets_others_pass(void **state)
{
	struct sender_letter *letter;

	(void)state;
	queue_many(1, 2);
	letter = bc_sender_queue_take(desk.sender, desk.now_ms);
	letter->due_ms = NOW_MS + 100;
	bc_sender_queue_put_back(desk.sender, letter);
	assert_string_equal(taken_all(), "2");
	desk.now_ms = NOW_MS + 99;
	assert_string_equal(taken(), "");
	desk.now_ms = NOW_MS + 100;
	queue(3, 10);
	assert_string_equal(taken_all(), "1 3");
}

static void a_batch_takes_twenty_at_most(void **state)
{
	(void)state;
	desk.sender->settings.batch = true;
	queue_many(1, 23);
	assert_string_equal(taken(), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
	assert_string_equal(taken(), "21 22 23");
	assert_string_equal(taken(), "");
}

static void a_batch_takes_two_mebibytes_at_most(void **state)
{
	(void)state;
	desk.sender->settings.batch = true;
	queue(1, SENDER_BATCH_BYTES / 2);
	queue(2, SENDER_BATCH_BYTES / 2);
	queue(3, 100);
	assert_string_equal(taken(), "1");
	assert_string_equal(taken(), "2 3");
}

static void a_batch_that_failed_stays_together_and_takes_no_more(void **state)
{
	struct sender_letter *letter;

	(void)state;
	desk.sender->settings.batch = true;
	queue_many(1, 3);
	letter = bc_sender_queue_take(desk.sender, desk.now_ms);
	assert_int_equal(bc_sender_letter_count(letter), 3);
	letter->attempts = 1;
	bc_sender_queue_put_back(desk.sender, letter);
	queue_many(4, 5);
	assert_string_equal(taken(), "1 2 3");
	assert_string_equal(taken(), "4 5");
}

static void reordered_events_gather_and_go_out_alike_on_every_run(void **state)
{
	char first[IDS_MAX];

	(void)state;
	desk.sender->settings.reorder = true;
	queue_many(1, 16);
	assert_string_equal(taken(), "");
	desk.now_ms += 1000;
	snprintf(first, sizeof(first), "%s", taken_all());
	assert_string_not_equal(first, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
	bc_sender_reset(desk.sender);
	desk.sender->registration.state = SENDER_ACTIVE;
	desk.sender->settings.reorder = true;
	queue_many(1, 16);
	desk.now_ms += 1000;
	assert_string_equal(taken_all(), first);
}

static void duplicates_share_one_copy(void **state)
{
	(void)state;
	desk.sender->settings.duplicates = 3;
	queue(7, 1000);
	assert_int_equal(desk.sender->queue.bytes, 1000);
	assert_int_equal(desk.sender->counts.events, 1);
	assert_int_equal(desk.sender->counts.deliveries, 4);
	assert_string_equal(taken_all(), "7 7 7 7");
	assert_int_equal(desk.sender->queue.bytes, 0);
}

static void no_more_is_held_than_the_bound_says(void **state)
{
	(void)state;
	desk.sender->settings.queue_bytes = 25;
	queue_many(1, 3);
	queue(4, 26);
	queue(5, 5);
	assert_int_equal(desk.sender->counts.overflow, 2);
	assert_string_equal(taken_all(), "1 2 5");
	queue(6, 25);
	assert_string_equal(taken_all(), "6");
}

static void without_a_registration_nothing_is_held(void **state)
{
	(void)state;
	desk.sender->registration.state = SENDER_NONE;
	queue_many(1, 3);
	assert_int_equal(desk.sender->counts.skipped, 3);
	assert_int_equal(desk.sender->queue.letters, 0);
}

static void an_order_of_a_thousand_due_times_is_kept(void **state)
{
	uint64_t last_ms = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		desk.now_ms = NOW_MS + i * 7919 % 1000;
		queue(i, 1);
	}
	desk.now_ms = NOW_MS + 1000;
	for (unsigned i = 0; i < 1000; i++) {
		struct sender_letter *letter = bc_sender_queue_take(desk.sender, desk.now_ms);

		assert_non_null(letter);
		assert_true(letter->due_ms >= last_ms);
		last_ms = letter->due_ms;
		bc_sender_letter_free(desk.sender, letter);
	}
	assert_string_equal(taken(), "");
}

static bool queue_some(void *ctx)
{
	bool good = desk_make();

	(void)ctx;
	if (good) {
		desk.sender->settings.duplicates = 1;
		queue_many(1, 2);
		good = desk.sender->counts.deliveries == 4;
		bc_sender_queue_clear(desk.sender);
		assert_int_equal(desk.sender->queue.bytes, 0);
		assert_int_equal(desk.sender->queue.letters, 0);
	}
	bc_sender_destroy(desk.sender);
	desk.sender = NULL;
	return good;
}

static void without_memory_events_are_dropped_and_counted(void **state)
{
	(void)state;
	each_allocation_failing(queue_some, NULL);
}

/* ---- the key pairs ---- */

static bool verifies(const struct bc_signer *s, const char *text, struct bc_str bytes)
{
	const char *pem = bc_signer_public_pem(s);
	BIO *in = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[BC_SIGNATURE_BYTES + 3];
	bool good;

	assert_int_equal(strlen(text), BC_SIGNATURE_TEXT_BYTES - 1);
	assert_int_equal(EVP_DecodeBlock(signature, (const unsigned char *)text, (int)strlen(text)),
			 BC_SIGNATURE_BYTES + 2);
	assert_int_equal(EVP_PKEY_get_bits(key), 2048);
	assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
	good = EVP_DigestVerify(context, signature, BC_SIGNATURE_BYTES,
				(const unsigned char *)bytes.ptr, bytes.len) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	BIO_free(in);
	return good;
}

static void a_signature_holds_for_its_bytes_and_its_key_alone(void **state)
{
	struct bc_signer *one = bc_signer_create(), *other = bc_signer_create();
	char text[BC_SIGNATURE_TEXT_BYTES];

	(void)state;
	assert_true(bc_signer_sign(one, BC_STR("{\"a\":1}"), text));
	assert_true(verifies(one, text, BC_STR("{\"a\":1}")));
	assert_false(verifies(one, text, BC_STR("{\"a\":2}")));
	assert_false(verifies(other, text, BC_STR("{\"a\":1}")));
	bc_signer_forge(text);
	assert_false(verifies(one, text, BC_STR("{\"a\":1}")));
	bc_signer_destroy(one);
	bc_signer_destroy(other);
}

static void a_webhook_is_signed_over_the_base64_text_of_its_body(void **state)
{
	struct bc_signer *s = bc_signer_create();
	char text[BC_SIGNATURE_TEXT_BYTES];

	(void)state;
	assert_true(bc_signer_sign_base64(s, BC_STR("{\"a\":1}"), text));
	assert_true(verifies(s, text, BC_STR("eyJhIjoxfQ==")));
	assert_false(verifies(s, text, BC_STR("{\"a\":1}")));
	bc_signer_destroy(s);
}

static bool sign_once(void *ctx)
{
	struct bc_signer *s = bc_signer_create();
	char text[BC_SIGNATURE_TEXT_BYTES];
	bool good = s && bc_signer_sign_base64(s, BC_STR("x"), text);

	(void)ctx;
	bc_signer_destroy(s);
	return good;
}

static void without_memory_there_is_no_signature(void **state)
{
	(void)state;
	each_allocation_failing(sign_once, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_go_out_in_the_order_of_their_coming,
						open_desk, close_desk),
		cmocka_unit_test_setup_teardown(
			what_was_put_back_waits_until_it_is_due_and_lets_others_pass, open_desk,
			close_desk),
		cmocka_unit_test_setup_teardown(a_batch_takes_twenty_at_most, open_desk,
						close_desk),
		cmocka_unit_test_setup_teardown(a_batch_takes_two_mebibytes_at_most, open_desk,
						close_desk),
		cmocka_unit_test_setup_teardown(
			a_batch_that_failed_stays_together_and_takes_no_more, open_desk,
			close_desk),
		cmocka_unit_test_setup_teardown(
			reordered_events_gather_and_go_out_alike_on_every_run, open_desk,
			close_desk),
		cmocka_unit_test_setup_teardown(duplicates_share_one_copy, open_desk, close_desk),
		cmocka_unit_test_setup_teardown(no_more_is_held_than_the_bound_says, open_desk,
						close_desk),
		cmocka_unit_test_setup_teardown(without_a_registration_nothing_is_held, open_desk,
						close_desk),
		cmocka_unit_test_setup_teardown(an_order_of_a_thousand_due_times_is_kept, open_desk,
						close_desk),
		cmocka_unit_test(without_memory_events_are_dropped_and_counted),
		cmocka_unit_test(a_signature_holds_for_its_bytes_and_its_key_alone),
		cmocka_unit_test(a_webhook_is_signed_over_the_base64_text_of_its_body),
		cmocka_unit_test(without_memory_there_is_no_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
