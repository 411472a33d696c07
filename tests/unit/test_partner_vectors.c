/* SPDX-License-Identifier: MIT */
/*
 * Conformance of the partners that come with backchannel: what each takes from a landing URL, the
 * bytes that it is sent, what its answers come to. The vectors are
 * tests/samples/partners/NAME.json, written down from the partners' public documents and not from
 * the definitions; the definitions are those that the program carries.
 */
#include <backchannel/partner.h>
#include <backchannel/token.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/date.h"
#include "daemon/partner_book.h"
#include "samples.h"

static const char *const names[] = { "sovendus", "awin", "impact", "tune" };

static struct bc_partner_book *book;
static const struct bc_partner *partner;

static json_t *open_vectors(const char *name)
{
	char path[64];
	struct bc_err err = { 0 };
	snprintf(path, sizeof(path), "partners/%s.json", name);
	if (bc_partner_book_find(book, name, &partner, &err))
		fail_msg("%s: %s", name, err.text);
	return sample_json(path);
}

static const char *text(const json_t *vector, const char *name)
{
	return json_string_value(json_object_get(vector, name));
}

/* --- landings -------------------------------------------------------------------------------- */

static void check_landing(const json_t *v)
{
	const char *url = text(v, "url"), *want = text(v, "token"), *kind = text(v, "kind");
	char token[BC_TOKEN_MAX + 1] = "";
	int found = bc_partner_find_token(partner, url, strlen(url), NULL, NULL, token);
	int wanted = !want ? 0 : strcmp(want, "invalid") == 0 ? BC_EINVAL : 1;
	if (found != wanted)
		fail_msg("%s: %s gives %d", partner->name, url, found);
	if (found != 1)
		return;
	assert_string_equal(token, want);
	assert_string_equal(
		bc_token_kind_name(bc_partner_token_kind(partner, token, strlen(token), NULL)),
		kind ? kind : "production");
}

/* --- requests -------------------------------------------------------------------------------- */

static void check_headers(const struct bc_partner_request *request, const json_t *wanted)
{
	size_t count = 0;
	for (; request->headers && request->headers[count]; count++)
		assert_string_equal(request->headers[count],
				    json_string_value(json_array_get(wanted, count)));
	assert_int_equal(count, json_array_size(wanted));
}

static void check_request(const json_t *v)
{
	struct bc_partner_conversion c = { .base_url = text(v, "base_url"),
					   .product_id = text(v, "product"),
					   .key = text(v, "key"),
					   .token = text(v, "token"),
					   .order = text(v, "order"),
					   .amount = text(v, "amount"),
					   .currency = text(v, "currency") };
	struct bc_partner_request request = { 0 };
	struct bc_err err = { 0 };
	if (text(v, "time"))
		assert_int_equal(bc_time_parse(bc_str_of(text(v, "time")), &c.time_ms), 0);
	int result = bc_partner_request_make(partner, &c, &request, &err);
	if (text(v, "refused")) {
		assert_string_equal(bc_code_name(result), text(v, "refused"));
		assert_true(err.text[0] && err.hint[0]);
		assert_null(c.key && strlen(c.key) > 1 ? strstr(err.text, c.key) : NULL);
		return;
	}
	if (result)
		fail_msg("%s: %s", partner->name, err.text);
	assert_string_equal(request.method, text(v, "method"));
	assert_string_equal(request.url, text(v, "url"));
	check_headers(&request, json_object_get(v, "headers"));
	assert_int_equal(request.body == NULL, text(v, "body") == NULL);
	if (request.body) {
		assert_string_equal(request.body, text(v, "body"));
		assert_int_equal(request.body_bytes, strlen(text(v, "body")));
	}
	bc_partner_request_finish(&request);
}

/* --- answers --------------------------------------------------------------------------------- */

static void check_answer(const json_t *v)
{
	const char *body = text(v, "body");
	struct bc_partner_answer answer = {
		.status = (int)json_integer_value(json_object_get(v, "status")),
		.request_sent = true,
		.body = body,
		.body_bytes = body ? strlen(body) : 0,
		.token = "1a2b3-test-1a2-1a2b3",
		.click_age_ms = json_is_true(json_object_get(v, "young")) ? 1000 : UINT64_MAX,
		.attempt = json_is_true(json_object_get(v, "again")) ? 2 : 1,
	};
	struct bc_partner_verdict verdict = bc_partner_read_answer(partner, &answer);
	if (strcmp(bc_outcome_name(verdict.outcome), text(v, "outcome")) != 0)
		fail_msg("%s: %d \"%s\" comes to %s", partner->name, answer.status,
			 body ? body : "", bc_outcome_name(verdict.outcome));
	assert_true(verdict.meaning[0] != '\0');
	assert_true(verdict.outcome == BC_OUTCOME_DELIVERED || verdict.hint[0] != '\0');
}

static void check_all(const char *part, void (*check)(const json_t *vector))
{
	for (size_t i = 0; i < BC_COUNT(names); i++) {
		json_t *vectors = open_vectors(names[i]);
		const json_t *list = json_object_get(vectors, part), *vector;
		size_t at;
		assert_true(json_array_size(list) > 2);
		json_array_foreach(list, at, vector) check(vector);
		json_decref(vectors);
	}
}

static void each_partner_takes_its_token_from_a_landing(void **state)
{
	(void)state;
	check_all("landing", check_landing);
}

static void each_partner_is_sent_these_bytes(void **state)
{
	(void)state;
	check_all("requests", check_request);
}

static void each_answer_comes_to_its_outcome(void **state)
{
	(void)state;
	check_all("answers", check_answer);
}

static int setup(void **state)
{
	(void)state;
	book = bc_partner_book_create("/nowhere/partners");
	return book ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	bc_partner_book_destroy(book);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_partner_takes_its_token_from_a_landing),
		cmocka_unit_test(each_partner_is_sent_these_bytes),
		cmocka_unit_test(each_answer_comes_to_its_outcome),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
