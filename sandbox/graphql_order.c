/* SPDX-License-Identifier: MIT */
/*
 * Placing an order: the cart's products and custom attributes become an order of the data that REST
 * shows, and the cart is gone. Before that Commerce's webhook is asked, so the answer may come
 * later: then the call is handed over, and a placing lives until the hook has spoken, whatever
 * becomes of the call meanwhile. A refusal leaves the cart as it was; the number is spent.
 */
#include <string.h>

#include "sandbox/events.h"
#include "sandbox/graphql.h"

#define FAILED                                                                                     \
	"Unable to place order: A server error stopped your order from being placed. Please try "  \
	"to place your order again"

struct placing {
	struct graphql_run run; /* run.call is NULL when the connection was dropped */
	json_t *field;		/* owned */
	json_t *order;		/* owned */
	json_t *cart_id;	/* owned */
	bool later;		/* the call was handed over */
	bool decided;
};

static void placing_free(struct placing *p)
{
	bc_graphql_finish(&p->run);
	json_decref(p->field);
	json_decref(p->order);
	json_decref(p->cart_id);
	free(p);
}

/* ---- answers ---- */

static void answer_failed(struct placing *p, const char *code, const char *message)
{
	bc_graphql_result(&p->run, p->field,
			  json_pack("{ss s[{ss ss ss}] sn sn}", "__typename", "PlaceOrderOutput",
				    "errors", "__typename", "PlaceOrderError", "code", code,
				    "message", message, "order", "orderV2"));
	bc_graphql_answer(&p->run);
}

static void answer_placed(struct placing *p, const json_t *order)
{
	json_t *number = json_object_get(order, "increment_id");

	bc_graphql_result(
		&p->run, p->field,
		json_pack("{ss s[] s{ss sO sO} s{ss so sO ss sO sO s{ss s{ss sO sO}}}}",
			  "__typename", "PlaceOrderOutput", "errors", "order", "__typename",
			  "Order", "order_number", number, "order_id", number, "orderV2",
			  "__typename", "CustomerOrder", "id",
			  json_sprintf("%" JSON_INTEGER_FORMAT,
				       json_integer_value(json_object_get(order, "entity_id"))),
			  "number", number, "status", "Pending", "order_date",
			  json_object_get(order, "created_at"), "custom_attributes",
			  json_object_get(order, "custom_attributes"), "total", "__typename",
			  "OrderTotal", "grand_total", "__typename", "Money", "value",
			  json_object_get(order, "grand_total"), "currency",
			  json_object_get(order, "order_currency_code")));
	bc_graphql_answer(&p->run);
}

/* ---- the order ---- */

/* As REST shows them; NULL without memory. */
static json_t *plain_attributes(const json_t *cart)
{
	json_t *list = json_array(), *attribute;
	size_t i;

	json_array_foreach(json_object_get(cart, "custom_attributes"), i, attribute)
	{
		json_array_append_new(list,
				      json_pack("{sO sO}", "attribute_code",
						json_object_get(attribute, "attribute_code"),
						"value", json_object_get(attribute, "value")));
	}
	return list;
}

static json_t *order_of(struct placing *p, const json_t *cart)
{
	char time[COMMERCE_TIME_BYTES], increment[COMMERCE_INCREMENT_BYTES];
	json_t *attributes = plain_attributes(cart), *order;
	struct commerce_wish wish = {
		.quote_id = (uint64_t)json_integer_value(json_object_get(cart, "quote_id")),
		.email = json_string_value(json_object_get(cart, "email")),
		.time = time,
		.lines = json_object_get(cart, "lines"),
		.custom_attributes = attributes,
	};

	bc_commerce_time(bc_wall_ms(p->run.call->sandbox->clock), time);
	bc_commerce_reserve(p->run.commerce, &wish, increment);
	order = bc_commerce_order_new(&wish);
	json_decref(attributes);
	return order;
}

static void place(struct placing *p, struct commerce_item *cart)
{
	struct commerce_item *order =
		bc_commerce_enter(p->run.call->sandbox, json_incref(p->order), true);

	if (!order) {
		answer_failed(p, "UNDEFINED", FAILED);
		return;
	}
	bc_commerce_remove(&p->run.commerce->carts, cart);
	p->run.call->accepted = true;
	answer_placed(p, order->json);
}

/* ---- the hook has spoken ---- */

static void conclude(struct placing *p, bool allowed, const char *message)
{
	struct commerce_item *cart =
		bc_graphql_cart_find(p->run.commerce, json_string_value(p->cart_id));

	if (cart)
		json_object_del(cart->json, "placing");
	if (!allowed)
		answer_failed(p, "UNABLE_TO_PLACE_ORDER", message ? message : FAILED);
	else if (!cart)
		answer_failed(p, "CART_NOT_FOUND", "The cart is gone.");
	else
		place(p, cart);
}

static void decided(void *ctx, bool allowed, const char *message)
{
	struct placing *p = ctx;
	struct sandbox_call *call = p->run.call;

	p->decided = true;
	if (call)
		conclude(p, allowed, message);
	if (!p->later)
		return;
	placing_free(p);
	if (call)
		bc_sandbox_finish(call);
}

static void cancel(struct sandbox_call *call)
{
	struct placing *p = call->user;
	struct bc_http_request *req = call->req;

	p->run.call = NULL;
	bc_sandbox_leave(call, 0, false);
	bc_http_close_raw(req, true);
}

/* What the hook gets: the order is not there yet, so it has no entity_id. */
static void ask(struct placing *p)
{
	struct sandbox_call *call = p->run.call;
	struct sandbox_events *events = call->sandbox->events;
	json_t *draft = json_copy(p->order);

	json_object_del(draft, "entity_id");
	if (events && draft)
		bc_webhook_ask(events->webhook, draft, decided, p);
	else
		decided(p, draft != NULL, NULL);
	json_decref(draft);
	if (p->decided) {
		placing_free(p);
		return;
	}
	p->later = true;
	call->handed_over = true;
	call->cancel = cancel;
	call->user = p;
}

/* Everything that can be wrong before the hook is asked; false with an answer. */
static bool prepare(struct placing *p)
{
	const char *id = json_string_value(p->cart_id);
	struct commerce_item *cart = bc_graphql_cart_find(p->run.commerce, id);

	if (!cart)
		answer_failed(p, "CART_NOT_FOUND", "Could not find a cart with this ID");
	else if (json_object_get(cart->json, "placing"))
		answer_failed(p, "UNABLE_TO_PLACE_ORDER",
			      "Unable to place order: the cart is being ordered already");
	else if (json_array_size(json_object_get(cart->json, "lines")) == 0)
		answer_failed(p, "UNABLE_TO_PLACE_ORDER",
			      "Unable to place order: the cart is empty; addProductsToCart first");
	else {
		p->order = order_of(p, cart->json);
		if (p->order && json_object_set_new(cart->json, "placing", json_true()) == 0)
			return true;
		answer_failed(p, "UNDEFINED", FAILED);
	}
	return false;
}

void bc_graphql_place(struct graphql_run *run, const json_t *field)
{
	static const char *const members[] = { "cart_id", NULL };
	json_t *input = bc_graphql_input(run, field, "input", members);
	const char *id = input ? bc_graphql_text(run, field, input, "cart_id") : NULL;
	struct placing *p = id ? calloc(1, sizeof(*p)) : NULL;

	if (!p) {
		if (!input || id)
			run->invalid = true;
		else
			bc_graphql_result(run, field, NULL);
		bc_graphql_answer(run);
		return;
	}
	*p = (struct placing){ .run = *run,
			       .field = json_incref((json_t *)field),
			       .cart_id = json_incref(json_object_get(input, "cart_id")) };
	*run = (struct graphql_run){ 0 };
	if (prepare(p))
		ask(p);
	else
		placing_free(p);
}
