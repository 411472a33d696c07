/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reader of partner definitions. What was accepted must have one verdict with words for
 * any answer, must build requests that stay below its base URL whatever the order is, and must read
 * back from its print; what was not must have said why.
 */
#include "protocol/definition.h"

#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, unsigned line, bool is_error, const struct bc_err *fault)
{
	unsigned *errors = ctx;
	(void)line;
	BC_ASSERT(fault->text[0] && fault->hint[0]);
	for (const char *c = fault->text; *c; c++)
		BC_ASSERT((unsigned char)*c >= 0x20);
	*errors += is_error;
}

static void check_answers(const struct bc_partner *p)
{
	static const int statuses[] = { 100, 200, 204, 302, 404, 422, 429, 500, 999 };
	for (size_t i = 0; i < 2 * BC_COUNT(statuses); i++) {
		struct bc_partner_answer answer = { .status = statuses[i / 2],
						    .request_sent = true,
						    .attempt = 1,
						    .click_age_ms = i % 2 ? 0 : UINT64_MAX };
		struct bc_partner_verdict v = bc_partner_read_answer(p, &answer);
		BC_ASSERT(v.meaning[0] && v.outcome != BC_OUTCOME_UNKNOWN);
		BC_ASSERT(v.hint[0] || v.outcome == BC_OUTCOME_DELIVERED);
	}
}

static void check_request(const struct bc_partner *p)
{
	static const char hostile[] = "\"}&x=1/../?#\\";
	struct bc_partner_conversion c = { .base_url = "https://h",
					   .product_id = "a",
					   .key = hostile,
					   .token = "abcd",
					   .order = hostile,
					   .amount = "1",
					   .currency = hostile,
					   .time_ms = 1 };
	struct bc_partner_request request = { 0 };
	char ids[16] = "a";
	for (const char *at = p->id; at && *at; at++) {
		if (*at == ':')
			strcat(ids, ":a");
	}
	c.product_id = ids;
	BC_ASSERT(bc_partner_request_make(p, &c, &request, NULL) == 0);
	BC_ASSERT(strncmp(request.url, "https://h/", strlen("https://h/")) == 0);
	BC_ASSERT(!strstr(request.url, "/../") && !strchr(request.url, '#'));
	for (char **header = request.headers; header && *header; header++)
		BC_ASSERT(!strpbrk(*header, "\r\n"));
	bc_partner_request_finish(&request);
}

static void check_print(const struct bc_partner *p)
{
	unsigned errors = 0;
	const struct bc_definition_teller teller = { count, &errors };
	struct bc_definition *again = NULL;
	struct bc_buf first, second;
	bc_buf_init(&first, 4 * BC_DEFINITION_MAX_BYTES);
	bc_buf_init(&second, 4 * BC_DEFINITION_MAX_BYTES);
	BC_ASSERT(bc_definition_print(p, &first) == 0);
	if (first.len <= BC_DEFINITION_MAX_BYTES) {
		BC_ASSERT(bc_definition_read(first.data, first.len, &teller, &again) == 0);
		BC_ASSERT(bc_definition_print(&again->partner, &second) == 0);
		BC_ASSERT(strcmp(first.data, second.data) == 0);
		bc_definition_destroy(again);
	}
	bc_buf_finish(&first);
	bc_buf_finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned errors = 0;
	const struct bc_definition_teller teller = { count, &errors };
	struct bc_definition *d = NULL;
	int result = bc_definition_read((const char *)data, size, &teller, &d);
	BC_ASSERT(result == 0 || errors > 0);
	if (result)
		return 0;
	BC_ASSERT(errors == 0 && d->partner.name && d->partner.rule_count > 0);
	check_answers(&d->partner);
	check_request(&d->partner);
	check_print(&d->partner);
	bc_definition_destroy(d);
	return 0;
}
