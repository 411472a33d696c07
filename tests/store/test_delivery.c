/* SPDX-License-Identifier: MIT */
/* How conversions move: lease, finish, release, requeue, cancel. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

/* --- lease --------------------------------------------------------------------------------- */

static void a_lease_takes_what_is_due_oldest_first(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 30);
	convert(r, "1002", 10);
	convert(r, "1003", 20);
	convert(r, "1004", 10);
	convert(r, "1005", 41);
	struct bc_store_op *op = lease(r, 40, 3);
	assert_int_equal(op->out.lease.count, 3);
	assert_text(op->out.lease.orders[0].order, "1002");
	assert_text(op->out.lease.orders[1].order, "1004");
	assert_text(op->out.lease.orders[2].order, "1003");
	op = lease(r, 40, 3);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1001");
	assert_counts(r, "pending=1 sending=4");
}

static void a_lease_leaves_what_it_excepts_and_takes_the_next_ones(void **state)
{
	static const struct bc_str except[] = { { "1001", 4 }, { "1003", 4 }, { "none", 4 } };
	struct rig *r = *state;
	for (unsigned i = 1; i <= 5; i++)
		convert(r, bc_arena_printf(r->arena, "100%u", i), i);
	struct bc_store_op *op = rig_op(r, BC_STORE_LEASE);
	op->in.lease.now_ms = 10;
	op->in.lease.lease_ms = 100;
	op->in.lease.limit = 2;
	op->in.lease.partner = BC_STR("partner");
	op->in.lease.product = BC_STR("default");
	op->in.lease.except = except;
	op->in.lease.except_count = 3;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lease.count, 2);
	assert_text(op->out.lease.orders[0].order, "1002");
	assert_text(op->out.lease.orders[1].order, "1004");
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1005");
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lease.count, 0);
	assert_counts(r, "pending=2 sending=3");
}

static void a_leased_order_is_ready_to_send(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	struct bc_store_op *op = lease(r, 40, 1);
	const struct bc_order *o = op->out.lease.orders;
	assert_int_equal(o->state, BC_ORDER_SENDING);
	assert_text(o->token, "token-1001");
	assert_int_equal(o->attempts, 1);
	assert_int_equal(o->failures, 0);
	assert_int_equal(o->lease_ms, 130);
	op = story(r, "1001");
	assert_int_equal(op->out.story.order.lease_ms, 130);
	assert_int_equal(op->out.story.attempt_count, 1);
	const struct bc_attempt *a = op->out.story.attempts;
	assert_int_equal(a->n, 1);
	assert_int_equal(a->at_ms, 40);
	assert_int_equal(a->status, 0);
	assert_int_equal(a->outcome, 0);
	assert_text(a->key_fingerprint, "0a1b2c3d");
}

static void a_leased_order_is_nobody_elses(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	assert_int_equal(lease(r, 40, 5)->out.lease.count, 1);
	assert_int_equal(lease(r, 40, 5)->out.lease.count, 0);
	assert_int_equal(lease(r, 4000, 5)->out.lease.count, 0);
	struct bc_store_op *op = lease_only(r, "1001", 4000);
	assert_int_equal(op->result, 0);
	assert_int_equal(op->out.lease.count, 0);
}

static void a_lease_keeps_to_its_lane(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .product = "shoes", .at = 10 });
	convert(r, "1002", 20);
	struct bc_store_op *op = lease(r, 40, 5);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1002");
	op = rig_op(r, BC_STORE_LEASE);
	op->in.lease.now_ms = 40;
	op->in.lease.only_order = BC_STR("1001");
	op->in.lease.product = BC_STR("default");
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lease.count, 0);
	op->in.lease.product = BC_STR("shoes");
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.lease.count, 1);
}

static void one_named_order_is_leased_before_it_is_due(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 500);
	convert(r, "1002", 500);
	struct bc_store_op *op = lease_only(r, "1002", 40);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1002");
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	assert_int_equal(lease_only(r, "none", 40)->result, BC_ENOENT);
}

static void what_is_past_its_deadline_is_not_leased(void **state)
{
	struct rig *r = *state;
	report(r, (struct report){ "1001", "tok-1", .at = 10, .deadline = 40 });
	report(r, (struct report){ "1002", "tok-2", .at = 20, .deadline = 41 });
	assert_int_equal(lease_only(r, "1001", 40)->out.lease.count, 0);
	struct bc_store_op *op = lease(r, 40, 5);
	assert_int_equal(op->out.lease.count, 1);
	assert_text(op->out.lease.orders[0].order, "1002");
}

/* --- finish -------------------------------------------------------------------------------- */

static void a_delivered_order_is_final(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_DELIVERED, 45 }), 0);
	struct bc_store_op *op = story(r, "1001");
	const struct bc_order *o = &op->out.story.order;
	assert_int_equal(o->state, BC_ORDER_DELIVERED);
	assert_int_equal(o->finished_ms, 45);
	assert_int_equal(o->updated_ms, 45);
	assert_int_equal(o->due_ms, 0);
	assert_int_equal(o->lease_ms, 0);
	assert_text(o->token, "token-1001");
	assert_int_equal(op->out.story.attempts[0].status, 200);
	assert_int_equal(op->out.story.attempts[0].outcome, 1);
	assert_int_equal(op->out.story.attempts[0].duration_ms, 7);
	assert_text(op->out.story.attempts[0].error, NULL);
	assert_int_equal(lease(r, 5000, 5)->out.lease.count, 0);
}

static void a_failed_attempt_is_due_again_and_counted(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, 45, 100 }), 0);
	assert_int_equal(lease(r, 99, 1)->out.lease.count, 0);
	struct bc_store_op *op = lease(r, 100, 1);
	assert_int_equal(op->out.lease.count, 1);
	assert_int_equal(op->out.lease.orders[0].attempts, 2);
	assert_int_equal(op->out.lease.orders[0].failures, 1);
	op = story(r, "1001");
	assert_int_equal(op->out.story.attempt_count, 2);
	assert_int_equal(op->out.story.attempts[0].n, 1);
	assert_int_equal(op->out.story.attempts[0].outcome, 2);
	assert_text(op->out.story.attempts[0].error, "not now");
	assert_int_equal(op->out.story.attempts[1].n, 2);
	assert_int_equal(op->out.story.attempts[1].outcome, 0);
}

static void a_rejected_order_keeps_its_reason(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_REJECTED, 45,
						 .reason = "Token not found." }),
			 0);
	assert_text(get(r, "1001")->reason, "Token not found.");
	assert_counts(r, "rejected=1");
}

static void a_finish_may_move_the_deadline_and_clear_the_token(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	struct bc_store_op *op = rig_op(r, BC_STORE_FINISH);
	op->in.finish.order = BC_STR("1001");
	op->in.finish.n = 1;
	op->in.finish.next = BC_ORDER_EXPIRED;
	op->in.finish.reason = BC_STR("deadline passed");
	op->in.finish.deadline_ms = 77;
	op->in.finish.clear_token = true;
	assert_int_equal(rig_run(r, op), 0);
	const struct bc_order *o = get(r, "1001");
	assert_int_equal(o->deadline_ms, 77);
	assert_text(o->token, NULL);
	assert_true(o->has_token_hash);
}

static void a_finish_of_an_older_lease_is_refused(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, 45, 50 }), 0);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_DELIVERED, 46 }), BC_ESTATE);
	lease(r, 60, 1);
	assert_int_equal(finish(r, (struct end){ "1001", 1, BC_ORDER_DELIVERED, 61 }), BC_ESTATE);
	assert_int_equal(finish(r, (struct end){ "1001", 3, BC_ORDER_DELIVERED, 61 }), BC_ESTATE);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_SENDING);
	assert_int_equal(finish(r, (struct end){ "1001", 2, BC_ORDER_DELIVERED, 62 }), 0);
	assert_int_equal(finish(r, (struct end){ "1001", 2, BC_ORDER_DELIVERED, 62 }), BC_ESTATE);
	assert_int_equal(finish(r, (struct end){ "none", 1, BC_ORDER_DELIVERED, 62 }), BC_ENOENT);
}

static void an_attempt_ends_only_in_a_state_that_an_answer_can_mean(void **state)
{
	static const enum bc_order_state wrong[] = { BC_ORDER_UNATTRIBUTED, BC_ORDER_SENDING,
						     BC_ORDER_CANCELLED };
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	for (size_t i = 0; i < BC_COUNT(wrong); i++)
		assert_int_equal(finish(r, (struct end){ "1001", 1, wrong[i], 45 }), BC_EINVAL);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_SENDING);
}

/* --- release ------------------------------------------------------------------------------- */

static void a_release_makes_every_lease_due_again(void **state)
{
	struct rig *r = *state;
	char name[16];
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "%d", 1000 + i);
		convert(r, name, 10);
	}
	assert_int_equal(lease(r, 40, 140)->out.lease.count, 140);
	struct bc_store_op *op = rig_op(r, BC_STORE_RELEASE);
	op->in.release.now_ms = 60;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 140);
	assert_counts(r, "pending=150");
	assert_int_equal(get(r, "1000")->due_ms, 60);
	assert_int_equal(get(r, "1000")->attempts, 1);
	/* the attempt of the released lease is history; its result comes too late */
	assert_int_equal(finish(r, (struct end){ "1000", 1, BC_ORDER_DELIVERED, 61 }), BC_ESTATE);
	assert_int_equal(lease(r, 60, 500)->out.lease.count, 150);
	assert_int_equal(get(r, "1000")->attempts, 2);
}

static void leases_of_a_dead_process_are_released_at_the_next_start(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 40, 1);
	if (!rig_reopen(r))
		return;
	assert_counts(r, "sending=1");
	struct bc_store_op *op = rig_op(r, BC_STORE_RELEASE);
	op->in.release.now_ms = 60;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 1);
	assert_counts(r, "pending=1");
	assert_int_equal(story(r, "1001")->out.story.attempt_count, 1);
}

/* --- every move, from every state ---------------------------------------------------------- */

/* Makes an order of that state and returns its name. */
static const char *make(struct rig *r, enum bc_order_state state)
{
	const char *name = bc_order_state_name(state);
	char token[17];
	if (state == BC_ORDER_UNATTRIBUTED) {
		report(r, (struct report){ name, .at = 10 });
		return name;
	}
	snprintf(token, sizeof(token), "t-%s", name);
	report(r, (struct report){ name, token, .at = 10, .deadline = 900 });
	bring_to(r, name, state, 20);
	assert_int_equal(state_of(r, name), state);
	return name;
}

static void a_cancel_is_possible_from_these_states(void **state)
{
	static const int expected[BC_ORDER_STATES] = {
		[BC_ORDER_SENDING] = BC_ESTATE, [BC_ORDER_DELIVERED] = BC_ESTATE
	};
	struct rig *r = *state;
	for (int from = 0; from < BC_ORDER_STATES; from++) {
		const char *name = make(r, (enum bc_order_state)from);
		assert_int_equal(cancel(r, name, 30), expected[from]);
		assert_int_equal(state_of(r, name), expected[from] ? from : BC_ORDER_CANCELLED);
	}
	assert_text(get(r, "pending")->reason, "asked for");
	assert_int_equal(get(r, "pending")->finished_ms, 30);
	assert_int_equal(cancel(r, "none", 30), BC_ENOENT);
	assert_counts(r, "sending=1 delivered=1 cancelled=5");
}

static void a_second_cancel_changes_nothing(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	assert_int_equal(cancel(r, "1001", 30), 0);
	assert_int_equal(cancel(r, "1001", 35), 0);
	assert_int_equal(get(r, "1001")->finished_ms, 30);
}

static void a_requeue_of_one_is_possible_from_these_states(void **state)
{
	static const int expected[BC_ORDER_STATES] = { [BC_ORDER_UNATTRIBUTED] = BC_ESTATE,
						       [BC_ORDER_SENDING] = BC_ESTATE,
						       [BC_ORDER_DELIVERED] = BC_ESTATE };
	struct rig *r = *state;
	for (int from = 0; from < BC_ORDER_STATES; from++) {
		const char *name = make(r, (enum bc_order_state)from);
		struct bc_store_op *op = requeue(r, name, 30);
		assert_int_equal(op->result, expected[from]);
		assert_int_equal(state_of(r, name), expected[from] ? from : BC_ORDER_PENDING);
		if (expected[from])
			continue;
		const struct bc_order *o = &op->out.changed.order;
		assert_int_equal(op->out.changed.count, 1);
		assert_int_equal(o->due_ms, 30);
		assert_int_equal(o->deadline_ms, 530);
		assert_int_equal(o->failures, 0);
		assert_int_equal(o->finished_ms, 0);
		assert_text(o->reason, NULL);
	}
	assert_int_equal(requeue(r, "none", 30)->result, BC_ENOENT);
	assert_counts(r, "unattributed=1 pending=4 sending=1 delivered=1");
}

static void a_requeue_may_only_count(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	bring_to(r, "1001", BC_ORDER_REJECTED, 20);
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.order = BC_STR("1001");
	op->in.requeue.select.count_only = true;
	assert_int_equal(rig_run(r, op), 0);
	assert_int_equal(op->out.changed.count, 1);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_REJECTED);
}

static void a_requeue_forgets_failures_but_not_attempts(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 20, 1);
	finish(r, (struct end){ "1001", 1, BC_ORDER_PENDING, 21, 500 });
	assert_int_equal(requeue(r, "1001", 30)->result, 0);
	struct bc_store_op *op = lease(r, 30, 1);
	assert_int_equal(op->out.lease.orders[0].failures, 0);
	assert_int_equal(op->out.lease.orders[0].attempts, 2);
}

static void an_order_without_its_token_cannot_be_requeued(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	lease(r, 20, 1);
	finish(r, (struct end){ "1001", 1, BC_ORDER_REJECTED, 21, .clear_token = true });
	struct bc_store_op *op = requeue(r, "1001", 30);
	assert_int_equal(op->result, BC_ESTATE);
	assert_string_equal(op->err.text, "order \"1001\" has no click token any more");
	report(r, (struct report){ "1002", .at = 10 });
	cancel(r, "1002", 20);
	assert_int_equal(requeue(r, "1002", 30)->result, BC_ESTATE);
}

/* --- requeue by selector ------------------------------------------------------------------- */

static struct bc_store_op *requeue_op(struct rig *r, struct bc_order_selector select)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_REQUEUE);
	op->in.requeue.select = select;
	op->in.requeue.now_ms = 50;
	op->in.requeue.deadline_ms = 550;
	assert_int_equal(rig_run(r, op), 0);
	return op;
}

static uint64_t requeue_all(struct rig *r, struct bc_order_selector select)
{
	return requeue_op(r, select)->out.changed.count;
}

static void make_rejected(struct rig *r, unsigned n)
{
	char name[16];
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%u", 1000 + i);
		convert(r, name, 10 + i);
		bring_to(r, name, BC_ORDER_REJECTED, 400);
	}
}

static void a_selector_requeues_all_it_names(void **state)
{
	struct rig *r = *state;
	make_rejected(r, 200);
	const struct bc_order_selector counting = { .state = BC_ORDER_REJECTED,
						    .since_ms = 20,
						    .count_only = true };
	assert_int_equal(requeue_all(r, counting), 190);
	assert_counts(r, "rejected=200");
	const struct bc_order_selector all = { .state = BC_ORDER_REJECTED, .since_ms = 20 };
	assert_int_equal(requeue_all(r, all), 190);
	assert_counts(r, "pending=190 rejected=10");
	assert_int_equal(get(r, "1199")->due_ms, 50);
	assert_int_equal(state_of(r, "1009"), BC_ORDER_REJECTED);
	assert_int_equal(requeue_all(r, all), 0);
}

static void a_selector_keeps_its_limit_and_starts_with_the_newest(void **state)
{
	struct rig *r = *state;
	make_rejected(r, 5);
	assert_int_equal(requeue_all(r, (struct bc_order_selector){ .state = BC_ORDER_REJECTED,
								    .limit = 2 }),
			 2);
	assert_int_equal(state_of(r, "1004"), BC_ORDER_PENDING);
	assert_int_equal(state_of(r, "1003"), BC_ORDER_PENDING);
	assert_int_equal(state_of(r, "1002"), BC_ORDER_REJECTED);
}

static void a_large_requeue_can_be_done_in_parts(void **state)
{
	struct rig *r = *state;
	struct bc_order_selector select = { .state = BC_ORDER_STATE_ANY, .limit = 50 };
	unsigned parts = 0, total = 0;
	make_rejected(r, 150);
	do {
		struct bc_store_op *op = requeue_op(r, select);
		total += (unsigned)op->out.changed.count;
		parts++;
		select.before_row = op->out.changed.next_before_row;
	} while (select.before_row);
	assert_int_equal(total, 150);
	assert_int_equal(parts, 3);
	assert_counts(r, "pending=150");
}

static void a_selector_for_any_state_leaves_out_what_was_withdrawn(void **state)
{
	struct rig *r = *state;
	for (int from = 0; from < BC_ORDER_STATES; from++)
		make(r, (enum bc_order_state)from);
	assert_int_equal(requeue_all(r, (struct bc_order_selector){ .state = BC_ORDER_STATE_ANY }),
			 3);
	assert_counts(r, "unattributed=1 pending=3 sending=1 delivered=1 cancelled=1");
	assert_int_equal(requeue_all(r, (struct bc_order_selector){ .state = BC_ORDER_CANCELLED }),
			 1);
	assert_int_equal(requeue_all(r, (struct bc_order_selector){ .state = BC_ORDER_DELIVERED }),
			 0);
	assert_counts(r, "unattributed=1 pending=4 sending=1 delivered=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_lease_takes_what_is_due_oldest_first),
		STORE_TEST(a_lease_leaves_what_it_excepts_and_takes_the_next_ones),
		STORE_TEST(a_leased_order_is_ready_to_send),
		STORE_TEST(a_leased_order_is_nobody_elses),
		STORE_TEST(a_lease_keeps_to_its_lane),
		STORE_TEST(one_named_order_is_leased_before_it_is_due),
		STORE_TEST(what_is_past_its_deadline_is_not_leased),
		STORE_TEST(a_delivered_order_is_final),
		STORE_TEST(a_failed_attempt_is_due_again_and_counted),
		STORE_TEST(a_rejected_order_keeps_its_reason),
		STORE_TEST(a_finish_may_move_the_deadline_and_clear_the_token),
		STORE_TEST(a_finish_of_an_older_lease_is_refused),
		STORE_TEST(an_attempt_ends_only_in_a_state_that_an_answer_can_mean),
		STORE_TEST(a_release_makes_every_lease_due_again),
		STORE_TEST(leases_of_a_dead_process_are_released_at_the_next_start),
		STORE_TEST(a_cancel_is_possible_from_these_states),
		STORE_TEST(a_second_cancel_changes_nothing),
		STORE_TEST(a_requeue_of_one_is_possible_from_these_states),
		STORE_TEST(a_requeue_may_only_count),
		STORE_TEST(a_requeue_forgets_failures_but_not_attempts),
		STORE_TEST(an_order_without_its_token_cannot_be_requeued),
		STORE_TEST(a_selector_requeues_all_it_names),
		STORE_TEST(a_selector_keeps_its_limit_and_starts_with_the_newest),
		STORE_TEST(a_large_requeue_can_be_done_in_parts),
		STORE_TEST(a_selector_for_any_state_leaves_out_what_was_withdrawn),
	};
	return RUN_EACH_ENGINE(tests);
}
