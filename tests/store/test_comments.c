/* SPDX-License-Identifier: MIT */
/* Comments that are due: what the shop's own system is to be told of a conversion, once an end. */
#include "pages.h"

#include "base/err.h"

/* --- helpers ------------------------------------------------------------------------------- */

/* Leases the order and ends its attempt, with a comment. */
static void end_it(struct rig *r, const char *order, enum bc_order_state next, uint64_t at)
{
	struct bc_store_op *leased = lease_only(r, order, at);
	assert_int_equal(leased->out.lease.count, 1);
	struct bc_store_op *op = rig_op(r, BC_STORE_FINISH);
	op->in.finish.order = bc_str_of(order);
	op->in.finish.n = leased->out.lease.orders[0].attempts;
	op->in.finish.next = next;
	op->in.finish.reason = BC_STR("so it is");
	op->in.finish.now_ms = op->in.finish.due_ms = at;
	op->in.finish.comment = true;
	assert_int_equal(rig_run(r, op), 0);
}

/* The orders whose comment is due, as "1001 1002". */
static const char *due(struct rig *r, uint32_t limit)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_DUE_COMMENTS);
	op->in.comments.limit = limit;
	assert_int_equal(rig_run(r, op), 0);
	const char *text = "";
	for (uint32_t i = 0; i < op->out.list.count; i++) {
		const struct bc_order *o = &op->out.list.orders[i];
		assert_int_equal(o->comment, BC_COMMENT_DUE);
		text = bc_arena_printf(r->arena, "%s%s%.*s", text, i ? " " : "", (int)o->order.len,
				       o->order.ptr);
	}
	return text;
}

static int put_comment(struct rig *r, const char *order, enum bc_comment_state state,
		       uint64_t entity, uint64_t finished)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_COMMENT);
	op->in.put_comment.order = bc_str_of(order);
	op->in.put_comment.state = state;
	op->in.put_comment.entity_id = entity;
	op->in.put_comment.finished_ms = finished;
	return rig_run(r, op);
}

/* --- becoming due -------------------------------------------------------------------------- */

static void an_end_that_tells_something_makes_a_comment_due(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *order;
		enum bc_order_state next;
		bool due;
	} ends[] = {
		{ "1001", BC_ORDER_DELIVERED, true },
		{ "1002", BC_ORDER_REJECTED, true },
		{ "1003", BC_ORDER_EXPIRED, false },
		{ "1004", BC_ORDER_PENDING, false },
	};
	for (size_t i = 0; i < BC_COUNT(ends); i++) {
		convert(r, ends[i].order, 10);
		end_it(r, ends[i].order, ends[i].next, 20);
		assert_int_equal(get(r, ends[i].order)->comment,
				 ends[i].due ? BC_COMMENT_DUE : BC_COMMENT_NONE);
	}
	convert(r, "1005", 10);
	bring_to(r, "1005", BC_ORDER_DELIVERED, 20);
	assert_string_equal(due(r, 0), "1001 1002");
	if (rig_reopen(r))
		assert_string_equal(due(r, 0), "1001 1002");
}

static void comments_come_oldest_first_and_no_more_than_asked_for(void **state)
{
	struct rig *r = *state;
	char order[16];
	for (int i = 0; i < 130; i++) {
		snprintf(order, sizeof(order), "%d", 1000 + i);
		convert(r, order, 10);
	}
	for (int i = 129; i >= 0; i--) {
		snprintf(order, sizeof(order), "%d", 1000 + i);
		end_it(r, order, BC_ORDER_DELIVERED, 20);
	}
	assert_string_equal(due(r, 3), "1000 1001 1002");
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 0), 0);
	assert_string_equal(due(r, 3), "1000 1002 1003");
	assert_int_equal(strlen(due(r, 0)), 100 * 5 - 1);
	assert_int_equal(strlen(due(r, 5000)), 129 * 5 - 1);
}

/* --- what became of them ------------------------------------------------------------------- */

static void a_comment_that_was_made_or_given_up_is_not_due_any_more(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	convert(r, "1002", 10);
	convert(r, "1003", 10);
	end_it(r, "1001", BC_ORDER_DELIVERED, 20);
	end_it(r, "1002", BC_ORDER_REJECTED, 20);
	end_it(r, "1003", BC_ORDER_REJECTED, 20);
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 77, 0), 0);
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 0), 0);
	assert_int_equal(put_comment(r, "1002", BC_COMMENT_GIVEN_UP, 0, 20), 0);
	/* put off: the entity was found meanwhile */
	assert_int_equal(put_comment(r, "1003", BC_COMMENT_DUE, 78, 20), 0);
	assert_string_equal(due(r, 0), "1003");
	assert_int_equal(get(r, "1001")->comment, BC_COMMENT_DONE);
	assert_int_equal(get(r, "1001")->entity_id, 77);
	assert_int_equal(get(r, "1001")->state, BC_ORDER_DELIVERED);
	assert_int_equal(get(r, "1002")->comment, BC_COMMENT_GIVEN_UP);
	assert_int_equal(get(r, "1003")->entity_id, 78);
}

static void a_comment_of_an_order_that_there_is_not_is_refused(void **state)
{
	struct rig *r = *state;
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 0), BC_ENOENT);
	assert_int_equal(put_comment(r, "", BC_COMMENT_DONE, 0, 0), BC_EINVAL);
	convert(r, "1001", 10);
	assert_int_equal(put_comment(r, "1001", (enum bc_comment_state)7, 0, 0), BC_EINVAL);
	assert_int_equal(get(r, "1001")->comment, BC_COMMENT_NONE);
}

/* --- more than one end --------------------------------------------------------------------- */

static void an_order_that_goes_on_has_nothing_to_tell_until_its_next_end(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	end_it(r, "1001", BC_ORDER_REJECTED, 20);
	assert_string_equal(due(r, 0), "1001");
	assert_int_equal(requeue(r, "1001", 30)->result, 0);
	assert_string_equal(due(r, 0), "");
	assert_int_equal(get(r, "1001")->comment, BC_COMMENT_NONE);
	end_it(r, "1001", BC_ORDER_DELIVERED, 40);
	assert_string_equal(due(r, 0), "1001");
}

static void a_second_end_is_told_as_well(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	end_it(r, "1001", BC_ORDER_REJECTED, 20);
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 20), 0);
	assert_int_equal(requeue(r, "1001", 30)->result, 0);
	assert_int_equal(get(r, "1001")->comment, BC_COMMENT_DONE);
	end_it(r, "1001", BC_ORDER_DELIVERED, 40);
	assert_string_equal(due(r, 0), "1001");
}

/* It was on its way to the shop while the order was requeued and delivered. */
static void a_comment_of_an_earlier_end_leaves_the_next_one_due(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	end_it(r, "1001", BC_ORDER_REJECTED, 20);
	assert_int_equal(requeue(r, "1001", 30)->result, 0);
	end_it(r, "1001", BC_ORDER_DELIVERED, 40);
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 20), 0);
	assert_string_equal(due(r, 0), "1001");
	assert_int_equal(put_comment(r, "1001", BC_COMMENT_DONE, 0, 40), 0);
	assert_string_equal(due(r, 0), "");
}

static void requeueing_many_drops_what_was_due(void **state)
{
	struct rig *r = *state;
	char order[16];
	for (int i = 0; i < 100; i++) {
		snprintf(order, sizeof(order), "%d", 1000 + i);
		convert(r, order, 10);
		end_it(r, order, BC_ORDER_REJECTED, 20);
	}
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.select.state = BC_ORDER_REJECTED;
	op->in.requeue.now_ms = 30;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 100);
	assert_string_equal(due(r, 0), "");
}

static void what_is_withdrawn_after_its_end_is_not_told(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	convert(r, "1002", 10);
	convert(r, "1003", 10);
	end_it(r, "1001", BC_ORDER_REJECTED, 20);
	end_it(r, "1002", BC_ORDER_REJECTED, 20);
	end_it(r, "1003", BC_ORDER_DELIVERED, 20);
	assert_int_equal(cancel(r, "1001", 30), 0);
	assert_int_equal(revoke_order(r, "1002", 0, 30), BC_REVOKE_WITHDRAWN);
	assert_int_equal(revoke_order(r, "1003", 0, 30), BC_REVOKE_LATE);
	assert_string_equal(due(r, 0), "1003");
}

static void one_that_was_taken_back_on_its_way_is_told_only_if_it_arrived(void **state)
{
	struct rig *r = *state;
	static const enum bc_order_state ends[] = { BC_ORDER_DELIVERED, BC_ORDER_REJECTED };
	for (size_t i = 0; i < BC_COUNT(ends); i++) {
		const char *order = i ? "1002" : "1001";
		convert(r, order, 10);
		bring_to(r, order, BC_ORDER_SENDING, 20);
		assert_int_equal(revoke_order(r, order, 0, 30), BC_REVOKE_LATE);
		struct bc_store_op *op = rig_op(r, BC_STORE_FINISH);
		op->in.finish.order = bc_str_of(order);
		op->in.finish.n = 1;
		op->in.finish.next = ends[i];
		op->in.finish.now_ms = 40;
		op->in.finish.comment = true;
		assert_int_equal(rig_run(r, op), 0);
	}
	assert_string_equal(due(r, 0), "1001");
	assert_int_equal(state_of(r, "1002"), BC_ORDER_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_end_that_tells_something_makes_a_comment_due),
		STORE_TEST(comments_come_oldest_first_and_no_more_than_asked_for),
		STORE_TEST(a_comment_that_was_made_or_given_up_is_not_due_any_more),
		STORE_TEST(a_comment_of_an_order_that_there_is_not_is_refused),
		STORE_TEST(an_order_that_goes_on_has_nothing_to_tell_until_its_next_end),
		STORE_TEST(a_second_end_is_told_as_well),
		STORE_TEST(a_comment_of_an_earlier_end_leaves_the_next_one_due),
		STORE_TEST(requeueing_many_drops_what_was_due),
		STORE_TEST(what_is_withdrawn_after_its_end_is_not_told),
		STORE_TEST(one_that_was_taken_back_on_its_way_is_told_only_if_it_arrived),
	};
	return RUN_EACH_ENGINE(tests);
}
