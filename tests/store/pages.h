/* SPDX-License-Identifier: MIT */
/* Short ways to say what a source says of orders, for the tests of pages and of what comes of them.
 */
#ifndef BC_TESTS_STORE_PAGES_H
#define BC_TESTS_STORE_PAGES_H

#include "harness.h"

#include <stdio.h>
#include <string.h>

/* One line of a page. A reason makes it a revocation. */
struct news {
	const char *order, *token, *click, *session, *reason;
	uint32_t edition;
	uint64_t at, entity, deadline;
};

static inline struct bc_page_item page_item(struct news n)
{
	struct bc_page_item item = { .what = n.reason ? BC_PAGE_REVOKE : BC_PAGE_ACCEPT };
	if (n.reason) {
		item.in.revoke = (struct bc_revoke){
			.order = bc_str_of(n.order),
			.partner = BC_STR("partner"),
			.product = BC_STR("default"),
			.entity_id = n.entity,
			.edition = n.edition,
			.reason = bc_str_of(n.reason),
			.now_ms = n.at,
		};
		return item;
	}
	struct bc_accept *a = &item.in.accept;
	*a = (struct bc_accept){
		.order = bc_str_of(n.order),
		.partner = BC_STR("partner"),
		.product = BC_STR("default"),
		.token = bc_str_of(n.token),
		.has_click = n.click != NULL,
		.has_session = n.session != NULL,
		.now_ms = n.at,
		.due_ms = n.at,
		.deadline_ms = n.deadline,
		.entity_id = n.entity,
		.edition = n.edition,
	};
	fill_hash(a->token_hash, n.token ? n.token : "");
	fill_hash(a->click, n.click ? n.click : "");
	fill_hash(a->session, n.session ? n.session : "");
	return item;
}

/* A page of so many lines; position NULL: it has none. Not yet run. */
static inline struct bc_store_op *new_page(struct rig *r, const struct news *news, uint32_t count,
					   const char *position)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_TAKE_PAGE);
	op->in.page.items = bc_arena_alloc(r->arena, (count + 1) * sizeof(struct bc_page_item));
	assert_non_null(op->in.page.items);
	for (uint32_t i = 0; i < count; i++)
		op->in.page.items[i] = page_item(news[i]);
	op->in.page.count = count;
	if (position) {
		op->in.page.key = BC_STR("journal.position");
		op->in.page.value = bc_str_of(position);
	}
	return op;
}

/* A page of one line, run; its result is 0. */
static inline const struct bc_page_item *take(struct rig *r, struct news news)
{
	struct bc_store_op *op = new_page(r, &news, 1, NULL);
	if (rig_run(r, op))
		fail_msg("%s", op->err.text);
	return &op->in.page.items[0];
}

static inline enum bc_revoke_result revoke_order(struct rig *r, const char *order, uint32_t edition,
						 uint64_t at)
{
	return take(r, (struct news){ order, .reason = "canceled in Commerce", .edition = edition,
				      .at = at })
		->how.revoked;
}

/* The position that pages left; NULL: none. */
static inline const char *position(struct rig *r)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_GET_META);
	op->in.meta.key = BC_STR("journal.position");
	if (rig_run(r, op) == BC_ENOENT)
		return NULL;
	assert_int_equal(op->result, 0);
	return bc_arena_printf(r->arena, "%.*s", (int)op->out.meta.len, op->out.meta.ptr);
}

#endif
