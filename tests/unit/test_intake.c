/* SPDX-License-Identifier: MIT */
/* Orders as Commerce tells of them: what a page makes of each, what is kept with it, and how a
 * click finds an order that is still to come. */
#include "shop_requests.h"

#include "core/clicks.h"
#include "core/intake.h"

static struct bc_desk desk;
static struct bc_arena *arena;
static unsigned dues;
static const char *const completed[] = { "new", "processing", "complete", NULL };

enum { ORDERS_MAX = 8 };
static struct bc_commerce_order orders[ORDERS_MAX];
static size_t order_count;

static struct {
	bool done;
	int result;
	size_t counts[BC_INTAKE_RESULTS];
	enum bc_intake_result results[ORDERS_MAX];
} came;

static void count_due(void *ctx)
{
	dues++;
	rig_on_due(ctx);
}

static int setup(void **state)
{
	int result = rig_setup(state);
	rig.config.completed_states = completed;
	rig.config.click_attribute = "bc_click";
	rig.shop.on_due = count_due;
	dues = 0;
	order_count = 0;
	arena = bc_arena_create(4096, 4 * 1024 * 1024);
	return result || !arena ? -1 : bc_desk_init(&desk, &rig.shop, rig.loop, NULL);
}

static int teardown(void **state)
{
	bc_desk_finish(&desk);
	bc_arena_destroy(arena);
	return rig_teardown(state);
}

/* One more for the page. */
static void tell(const char *text)
{
	struct bc_err err = { 0 };
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_true(order_count < ORDERS_MAX);
	if (bc_commerce_order_read(json, "bc_click", arena, &orders[order_count], &err))
		fail_msg("%s", err.text);
	order_count++;
	json_decref(json);
}

static void tell_state(const char *increment, const char *order_state, const char *click)
{
	char text[600];
	snprintf(text, sizeof(text),
		 "{\"increment_id\":\"%s\",\"state\":\"%s\",\"entity_id\":7,\"quote_id\":1907,"
		 "\"grand_total\":\"64.2800\",\"order_currency_code\":\"EUR\"%s%s%s}",
		 increment, order_state,
		 click ? ",\"custom_attributes\":[{\"attribute_code\":\"bc_click\",\"value\":\""
		       : "",
		 click ? click : "", click ? "\"}]" : "");
	tell(text);
}

static void on_taken(void *ctx, int result, const struct bc_err *err,
		     const struct bc_intake_taken *taken)
{
	(void)ctx;
	assert_false(came.done);
	came.done = true;
	came.result = result;
	assert_int_equal(result != 0, err != NULL);
	assert_int_equal(result == 0, taken != NULL);
	if (result)
		return;
	assert_int_equal(taken->count, order_count);
	memcpy(came.counts, taken->counts, sizeof(came.counts));
	memcpy(came.results, taken->results, order_count * sizeof(came.results[0]));
}

/* Takes what was told as one page, and begins another one. */
static int take_page(const char *position)
{
	struct bc_err err = { 0 };
	memset(&came, 0, sizeof(came));
	struct bc_str key = position ? BC_STR("test.position") : (struct bc_str){ 0 };
	if (bc_intake_take(&desk, arena, BC_INTAKE_PULL, orders, order_count, key,
			   bc_str_of(position), on_taken, NULL, &err))
		fail_msg("%s", err.text);
	assert_false(came.done); /* never inline */
	run_until(is_set, &came.done);
	order_count = 0;
	return came.result;
}

static enum bc_intake_result take(const char *increment, const char *order_state, const char *click)
{
	tell_state(increment, order_state, click);
	assert_int_equal(take_page(NULL), 0);
	return came.results[0];
}

struct look_up {
	struct bc_store_op op;
	bool done;
};

static void looked_up(struct bc_store_op *op)
{
	BC_CONTAINER(op, struct look_up, op)->done = true;
}

static struct look_up look_up(enum bc_store_kind kind, const char *name)
{
	struct look_up l = { .op = { .kind = kind, .done = looked_up, .arena = arena } };
	if (kind == BC_STORE_GET_ORDER)
		l.op.in.get_order.order = bc_str_of(name);
	else
		l.op.in.meta.key = bc_str_of(name);
	bc_desk_submit(&desk, &l.op);
	run_until(is_set, &l.done);
	return l;
}

static struct bc_order order_of(const char *name)
{
	struct look_up l = look_up(BC_STORE_GET_ORDER, name);
	assert_int_equal(l.op.result, 0);
	return l.op.out.story.order;
}

static uint64_t counted(enum bc_intake_result result)
{
	return rig.shop.stats.intake[BC_INTAKE_PULL][result];
}

/* --- a page ---------------------------------------------------------------------------------- */

static void a_page_makes_of_each_order_what_its_state_says(void **state)
{
	(void)state;
	tell_state("000000001", "processing", "t.token-1");
	tell_state("000000002", "complete", NULL);
	tell_state("000000003", "pending_payment", "t.token-3");
	tell_state("000000004", "canceled", NULL);
	tell_state("000000001", "complete", "t.token-1");
	tell_state("000000001", "new", "t.token-9");
	assert_int_equal(take_page(NULL), 0);
	static const enum bc_intake_result wanted[] = { BC_INTAKE_ACCEPTED, BC_INTAKE_UNATTRIBUTED,
							BC_INTAKE_OPEN,	    BC_INTAKE_WITHDRAWN,
							BC_INTAKE_REPEATED, BC_INTAKE_CONFLICT };
	for (size_t i = 0; i < BC_COUNT(wanted); i++) {
		assert_int_equal(came.results[i], wanted[i]);
		assert_true(counted(wanted[i]) > 0);
	}
	assert_int_equal(came.counts[BC_INTAKE_REPEATED], 1);
	assert_int_equal(dues, 1);
	assert_int_equal(rig.shop.stats.orders[BC_ORDERS_ACCEPTED], 1);
	assert_int_equal(order_of("000000001").state, BC_ORDER_PENDING);
	assert_int_equal(look_up(BC_STORE_GET_ORDER, "000000003").op.result, BC_ENOENT);
	assert_true(bc_str_eq(order_of("000000004").reason, BC_INTAKE_CANCELED));
}

static void what_the_order_carries_is_kept(void **state)
{
	(void)state;
	assert_int_equal(take("000000001", "new", "token-bare-1"), BC_INTAKE_ACCEPTED);
	struct bc_order o = order_of("000000001");
	assert_true(bc_str_eq(o.amount, "64.28"));
	assert_true(bc_str_eq(o.currency, "EUR"));
	assert_true(bc_str_eq(o.token, "token-bare-1"));
	assert_int_equal(o.entity_id, 7);
}

static void a_click_that_is_none_costs_the_order_its_click_alone(void **state)
{
	(void)state;
	assert_int_equal(take("000000001", "new", "c.no-hex"), BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(take("000000002", "new", "a b"), BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(take("000000003", "new", "   "), BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(counted(BC_INTAKE_REFUSED), 0);
}

static void an_odd_amount_costs_the_order_its_amount_alone(void **state)
{
	(void)state;
	tell_state("000000001", "new", "t.token-1");
	orders[0].amount = BC_STR("1234567890123456789012345678901234567890");
	orders[0].currency = BC_STR("a currency that is none");
	assert_int_equal(take_page(NULL), 0);
	assert_int_equal(came.results[0], BC_INTAKE_ACCEPTED);
	assert_int_equal(order_of("000000001").amount.len, 0);
	assert_int_equal(order_of("000000001").currency.len, 0);
}

static void an_order_without_a_usable_number_is_refused_alone(void **state)
{
	(void)state;
	tell_state("000000001", "new", NULL);
	tell_state("000000002", "new", NULL);
	tell_state("000000003", "closed", NULL);
	orders[0].order = BC_STR("\n");
	orders[2].order = BC_STR("");
	assert_int_equal(take_page(NULL), 0);
	assert_int_equal(came.results[0], BC_INTAKE_REFUSED);
	assert_int_equal(came.results[1], BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(came.results[2], BC_INTAKE_REFUSED);
	assert_int_equal(counted(BC_INTAKE_REFUSED), 2);
}

static void the_position_is_kept_with_the_page_even_with_an_empty_one(void **state)
{
	(void)state;
	tell_state("000000001", "new", NULL);
	assert_int_equal(take_page("p-1"), 0);
	assert_true(bc_str_eq(look_up(BC_STORE_GET_META, "test.position").op.out.meta, "p-1"));
	assert_int_equal(take_page("p-2"), 0);
	assert_true(bc_str_eq(look_up(BC_STORE_GET_META, "test.position").op.out.meta, "p-2"));
	assert_int_equal(take_page(NULL), 0);
	assert_true(bc_str_eq(look_up(BC_STORE_GET_META, "test.position").op.out.meta, "p-2"));
}

static void a_page_that_the_store_refuses_leaves_nothing(void **state)
{
	(void)state;
	refuse(BC_STORE_TAKE_PAGE, 1);
	tell_state("000000001", "new", "t.token-1");
	assert_int_equal(take_page("p-1"), BC_ESTORE);
	assert_int_equal(counted(BC_INTAKE_ACCEPTED), 0);
	assert_int_equal(dues, 0);
	assert_int_equal(look_up(BC_STORE_GET_META, "test.position").op.result, BC_ENOENT);
	assert_int_equal(look_up(BC_STORE_GET_ORDER, "000000001").op.result, BC_ENOENT);
}

/* --- taken back ------------------------------------------------------------------------------ */

static void an_order_is_withdrawn_before_it_was_handed_back_and_revoked_after(void **state)
{
	(void)state;
	assert_int_equal(take("000000001", "new", "t.token-1"), BC_INTAKE_ACCEPTED);
	assert_int_equal(take("000000001", "canceled", "t.token-1"), BC_INTAKE_WITHDRAWN);
	assert_int_equal(order_of("000000001").state, BC_ORDER_CANCELLED);
	assert_int_equal(take("000000002", "new", "t.token-2"), BC_INTAKE_ACCEPTED);
	start_delivery();
	start_api();
	await_state("000000002", "delivered");
	assert_int_equal(take("000000002", "closed", "t.token-2"), BC_INTAKE_REVOKED);
	assert_int_equal(order_of("000000002").state, BC_ORDER_DELIVERED);
	assert_true(order_of("000000002").revoked_ms > 0);
	assert_int_equal(partner_count("token-1", "posts"), 0);
}

static void a_cancellation_that_overtakes_its_order_keeps_it_from_being_one(void **state)
{
	(void)state;
	assert_int_equal(take("000000001", "canceled", "t.token-1"), BC_INTAKE_WITHDRAWN);
	assert_int_equal(take("000000001", "processing", "t.token-1"), BC_INTAKE_REPEATED);
	assert_int_equal(order_of("000000001").state, BC_ORDER_CANCELLED);
	assert_int_equal(dues, 0);
}

static void an_edited_order_is_one_order(void **state)
{
	(void)state;
	assert_int_equal(take("000000318", "new", "t.token-1"), BC_INTAKE_ACCEPTED);
	assert_int_equal(take("000000318", "canceled", "t.token-1"), BC_INTAKE_WITHDRAWN);
	assert_int_equal(take("000000318-1", "new", "t.token-1"), BC_INTAKE_ADOPTED);
	struct bc_order o = order_of("000000318");
	assert_int_equal(o.state, BC_ORDER_PENDING);
	assert_int_equal(o.edition, 1);
	/* The end of the former one comes again, late. */
	assert_int_equal(take("000000318", "canceled", "t.token-1"), BC_INTAKE_REPEATED);
	assert_int_equal(order_of("000000318").state, BC_ORDER_PENDING);
	assert_int_equal(look_up(BC_STORE_GET_ORDER, "000000318-1").op.result, BC_ENOENT);
}

/* --- a click before its order ---------------------------------------------------------------- */

static bool bound;
static int bind_result;

static void on_bound(void *ctx, int result, const struct bc_err *err,
		     const struct bc_intake_taken *taken)
{
	(void)ctx;
	assert_false(bound);
	assert_null(taken);
	assert_int_equal(result != 0, err != NULL);
	bound = true;
	bind_result = result;
}

static int bind_order(const char *increment, const char *click)
{
	struct bc_err err = { 0 };
	bound = false;
	tell_state(increment, "new", click);
	int result = bc_intake_bind(&desk, arena, &orders[0], on_bound, NULL, &err);
	order_count = 0;
	if (result)
		return result;
	assert_false(bound);
	run_until(is_set, &bound);
	return bind_result;
}

static void a_bound_token_is_found_by_the_cart_and_by_the_number(void **state)
{
	(void)state;
	assert_int_equal(bind_order("000000001", "t.token-1"), 0);
	assert_int_equal(rig.shop.stats.clicks_production, 1); /* one, under two sessions */
	assert_int_equal(take("000000001", "new", NULL), BC_INTAKE_ACCEPTED);
	assert_true(bc_str_eq(order_of("000000001").token, "token-1"));
	/* Without the cart's number. */
	assert_int_equal(bind_order("000000002", "t.token-2"), 0);
	tell("{\"increment_id\":\"000000002\",\"state\":\"new\"}");
	assert_int_equal(take_page(NULL), 0);
	assert_true(bc_str_eq(order_of("000000002").token, "token-2"));
}

static bool captured;
static char captured_click[BC_CLICK_TEXT_BYTES];

static void on_captured(void *ctx, int result, const struct bc_err *err,
			const struct bc_captured *c)
{
	(void)ctx;
	(void)err;
	assert_int_equal(result, 0);
	captured = true;
	memcpy(captured_click, c->click, sizeof(captured_click));
}

static void capture(const char *token)
{
	struct bc_capture in = { .token = bc_str_of(token) };
	struct bc_captured at_once;
	const char *field;
	captured = false;
	assert_int_equal(
		bc_clicks_capture(&desk, arena, &in, on_captured, NULL, &at_once, &field, NULL), 0);
	run_until(is_set, &captured);
}

static void a_bound_click_is_found_by_the_cart_and_by_the_number(void **state)
{
	(void)state;
	capture("token-1");
	assert_int_equal(bind_order("000000001", captured_click), 0);
	assert_int_equal(take("000000001", "new", NULL), BC_INTAKE_ACCEPTED);
	capture("token-2");
	assert_int_equal(bind_order("000000002", captured_click), 0);
	tell("{\"increment_id\":\"000000002\",\"state\":\"new\"}");
	assert_int_equal(take_page(NULL), 0);
	assert_int_equal(came.results[0], BC_INTAKE_ACCEPTED);
}

static void a_click_that_is_bound_late_adopts_the_order_that_waits(void **state)
{
	(void)state;
	assert_int_equal(take("000000001", "new", NULL), BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(bind_order("000000001", "t.token-1"), 0);
	assert_int_equal(order_of("000000001").state, BC_ORDER_PENDING);
	assert_int_equal(rig.shop.stats.orders[BC_ORDERS_ADOPTED], 1);
	assert_true(dues > 0);
	capture("token-2");
	tell("{\"increment_id\":\"000000002\",\"state\":\"new\"}");
	assert_int_equal(take_page(NULL), 0);
	assert_int_equal(came.results[0], BC_INTAKE_UNATTRIBUTED);
	assert_int_equal(bind_order("000000002", captured_click), 0);
	assert_int_equal(order_of("000000002").state, BC_ORDER_PENDING);
	assert_int_equal(rig.shop.stats.orders[BC_ORDERS_ADOPTED], 2);
}

static void an_order_without_a_click_is_bound_at_once(void **state)
{
	(void)state;
	assert_int_equal(bind_order("000000001", NULL), 1);
	assert_int_equal(bind_order("000000001", "  "), 1);
	assert_int_equal(bind_order("000000001", "c.no-hex"), 1);
	assert_false(bound);
}

static void a_click_that_nobody_knows_is_bound_to_nothing(void **state)
{
	(void)state;
	assert_int_equal(bind_order("000000001", "c.00112233445566778899aabbccddeeff"), 0);
	assert_int_equal(take("000000001", "new", NULL), BC_INTAKE_UNATTRIBUTED);
}

static void a_store_that_refuses_a_click_is_told_of(void **state)
{
	(void)state;
	refuse(BC_STORE_PUT_CLICK, 1);
	assert_int_equal(bind_order("000000001", "t.token-1"), BC_ESTORE);
	assert_int_equal(rig.shop.stats.intake[BC_INTAKE_WEBHOOK][BC_INTAKE_OPEN], 0);
	assert_int_equal(bind_order("000000001", "t.token-1"), 0);
	assert_int_equal(rig.shop.stats.intake[BC_INTAKE_WEBHOOK][BC_INTAKE_OPEN], 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_page_makes_of_each_order_what_its_state_says),
		test(what_the_order_carries_is_kept),
		test(a_click_that_is_none_costs_the_order_its_click_alone),
		test(an_odd_amount_costs_the_order_its_amount_alone),
		test(an_order_without_a_usable_number_is_refused_alone),
		test(the_position_is_kept_with_the_page_even_with_an_empty_one),
		test(a_page_that_the_store_refuses_leaves_nothing),
		test(an_order_is_withdrawn_before_it_was_handed_back_and_revoked_after),
		test(a_cancellation_that_overtakes_its_order_keeps_it_from_being_one),
		test(an_edited_order_is_one_order),
		test(a_bound_token_is_found_by_the_cart_and_by_the_number),
		test(a_bound_click_is_found_by_the_cart_and_by_the_number),
		test(a_click_that_is_bound_late_adopts_the_order_that_waits),
		test(an_order_without_a_click_is_bound_at_once),
		test(a_click_that_nobody_knows_is_bound_to_nothing),
		test(a_store_that_refuses_a_click_is_told_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
