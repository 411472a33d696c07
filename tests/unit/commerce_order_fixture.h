/* SPDX-License-Identifier: MIT */
/* An arena and a reader for the tests of Commerce's orders. */
#ifndef BC_TESTS_COMMERCE_ORDER_FIXTURE_H
#define BC_TESTS_COMMERCE_ORDER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/commerce_order.h"
#include "tests/unit/samples.h"

static struct bc_arena *arena;

static inline int set_up(void **state)
{
	(void)state;
	arena = bc_arena_create(4096, 1 << 20);
	return arena ? 0 : -1;
}

static inline int tear_down(void **state)
{
	(void)state;
	bc_arena_destroy(arena);
	return 0;
}

static inline json_t *parse(const char *text)
{
	json_error_t wrong;
	json_t *json = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, &wrong);
	if (!json)
		fail_msg("%s: %s", wrong.text, text);
	return json;
}

/* Reads, and lets go of the document: what is kept must not be borrowed from it. */
static inline int read_order(json_t *json, struct bc_commerce_order *ret, struct bc_err *err)
{
	memset(ret, 0, sizeof(*ret));
	int result = bc_commerce_order_read(json, "click_token", arena, ret, err);
	json_decref(json);
	return result;
}

static inline struct bc_commerce_order order_of(const char *text)
{
	struct bc_commerce_order order;
	struct bc_err err = { 0 };
	if (read_order(parse(text), &order, &err))
		fail_msg("%s: %s", err.text, text);
	return order;
}

static inline void is(struct bc_str text, const char *wanted)
{
	if (!wanted && !text.ptr)
		return;
	if (!wanted || !text.ptr || !bc_str_eq(text, wanted))
		fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.ptr ? text.ptr : "(absent)",
			 wanted ? wanted : "(absent)");
}

#endif
