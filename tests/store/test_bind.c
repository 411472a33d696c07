/* SPDX-License-Identifier: MIT */
/* One click, several sessions: the cart and the order that it went into find it as well. */
#include "pages.h"

#include "base/err.h"

struct bind {
	const char *click, *copy, *session;
	uint64_t at, adopt_after, deadline;
};

static struct bc_store_op *bind_click(struct rig *r, struct bind bind)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_BIND_CLICK);
	fill_hash(op->in.bind.click, bind.click);
	fill_hash(op->in.bind.copy, bind.copy);
	fill_hash(op->in.bind.session, bind.session);
	op->in.bind.now_ms = op->in.bind.due_ms = bind.at;
	op->in.bind.adopt_after_ms = bind.adopt_after;
	op->in.bind.deadline_ms = bind.deadline;
	(void)rig_run(r, op);
	return op;
}

static void a_bound_click_is_found_by_both_sessions(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", "visit", "shoes", .at = 10 });
	assert_int_equal(bind_click(r, (struct bind){ "c1", "k1", "cart", 20 })->result, 0);
	assert_int_equal(bind_click(r, (struct bind){ "k1", "k2", "order", 30 })->result, 0);
	assert_counts(r, "clicks=3");
	if (strcmp(rig_engine, "sqlite") == 0)
		rig_reopen(r);
	struct bc_store_op *op = report(r, (struct report){ "1001", .session = "order", .at = 40 });
	const struct bc_order *o = &op->out.accept.order;
	assert_int_equal(o->state, BC_ORDER_PENDING);
	assert_text(o->token, "t1");
	assert_text(o->product, "shoes");
	assert_int_equal(o->click_ms, 10);
	/* it is one click: the other sessions say by whom it was used */
	op = report(r, (struct report){ "1002", .session = "visit", .at = 40 });
	assert_text(op->out.accept.order.reason, "click used by order 1001");
	op = report(r, (struct report){ "1003", .session = "cart", .at = 40 });
	assert_text(op->out.accept.order.reason, "click used by order 1001");
}

static void a_copy_expires_with_its_click(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 10, .ttl = 100 });
	bind_click(r, (struct bind){ "c1", "k1", "cart", 109 });
	struct bc_store_op *op = report(r, (struct report){ "1001", .session = "cart", .at = 110 });
	assert_text(op->out.accept.order.reason, "click expired");
}

static void a_click_that_is_not_there_or_expired_is_not_bound(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 10, .ttl = 100 });
	assert_int_equal(bind_click(r, (struct bind){ "c2", "k1", "cart", 20 })->result, BC_ENOENT);
	assert_int_equal(bind_click(r, (struct bind){ "c1", "k1", "cart", 110 })->result,
			 BC_ENOENT);
	assert_counts(r, "clicks=1");
}

static void the_same_copy_again_replaces_it(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 10 });
	assert_false(
		bind_click(r, (struct bind){ "c1", "k1", "cart", 20 })->out.put_click.replaced);
	assert_true(bind_click(r, (struct bind){ "c1", "k1", "cart", 21 })->out.put_click.replaced);
	assert_counts(r, "clicks=2");
}

static void an_order_that_waits_for_the_session_is_adopted(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 10 });
	report(r, (struct report){ "1001", .session = "cart", .at = 20 });
	report(r, (struct report){ "1002", .session = "cart", .at = 15 });
	/* too old, both of them */
	struct bind bind = { "c1", "k1", "cart", 30, .adopt_after = 21, .deadline = 500 };
	assert_int_equal(bind_click(r, bind)->out.put_click.adopted, 0);
	bind.adopt_after = 16;
	assert_int_equal(bind_click(r, bind)->out.put_click.adopted, 1);
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->state, BC_ORDER_PENDING);
	assert_int_equal(o->due_ms, 30);
	assert_int_equal(o->updated_ms, 30);
	assert_int_equal(o->deadline_ms, 500);
	assert_text(o->token, "t1");
	assert_counts(r, "unattributed=1 pending=1 clicks=2");
}

static void a_used_click_is_bound_without_its_token(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", .at = 10 });
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	struct bc_store_op *op = report(r, (struct report){ "1002", .session = "cart", .at = 21 });
	assert_int_equal(op->out.accept.order.state, BC_ORDER_UNATTRIBUTED);
	op = bind_click(r, (struct bind){ "c1", "k1", "cart", 30 });
	assert_int_equal(op->result, 0);
	assert_int_equal(op->out.put_click.adopted, 0);
	assert_text(report(r, (struct report){ "1002", .session = "cart", .at = 31 })
			    ->out.accept.order.reason,
		    "click used by order 1001");
}

static void no_copy_of_a_used_click_holds_its_token(void **state)
{
	struct rig *r = *state;
	put_click(r, (struct click){ "c1", "t1", "visit", .at = 10 });
	bind_click(r, (struct bind){ "c1", "k1", "cart", 11 });
	report(r, (struct report){ "1001", .click = "c1", .at = 20 });
	bring_to(r, "1001", BC_ORDER_DELIVERED, 21);
	bind_click(r, (struct bind){ "c1", "k2", "order", 30 });
	assert_int_equal(stored_click(r, "k2")->token.len, 0);
	/* once its own was cleaned up, that of another session still has it, until it expires: so
	 * it does for clicks that were loaded again, see finish */
	assert_text(stored_click(r, "k1")->token, "t1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_bound_click_is_found_by_both_sessions),
		STORE_TEST(a_copy_expires_with_its_click),
		STORE_TEST(a_click_that_is_not_there_or_expired_is_not_bound),
		STORE_TEST(the_same_copy_again_replaces_it),
		STORE_TEST(an_order_that_waits_for_the_session_is_adopted),
		STORE_TEST(a_used_click_is_bound_without_its_token),
		ENGINE_TEST(no_copy_of_a_used_click_holds_its_token),
	};
	return RUN_EACH_ENGINE(tests);
}
