/* SPDX-License-Identifier: MIT */
/*
 * Guests' carts. A cart is found by its masked id, 32 letters and digits; its number, quote_id, is
 * what an order tells of it. It is kept as {"id","quote_id","email","custom_attributes":[...],
 * "lines":[{"product","quantity"}]}. Setting custom attributes replaces them all, as in Commerce:
 * what is left out is gone.
 */
#include <string.h>

#include "base/secret.h"
#include "sandbox/graphql.h"

enum { ID_LENGTH = 32 };

static bool id_is_good(const char *id)
{
	return strlen(id) == ID_LENGTH &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
		       ID_LENGTH;
}

static void id_make(char id[ID_LENGTH + 1])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[ID_LENGTH];

	bc_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < ID_LENGTH; i++)
		id[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	id[ID_LENGTH] = '\0';
}

struct commerce_item *bc_graphql_cart_find(struct commerce *m, const char *id)
{
	return bc_commerce_find(&m->carts, bc_str_of(id));
}

/* ---- what a cart looks like ---- */

static json_t *money(double value)
{
	return json_pack("{ss sf ss}", "__typename", "Money", "value", value, "currency", "EUR");
}

static json_t *line_view(const json_t *line, size_t nth, double *sum)
{
	const json_t *product = json_object_get(line, "product");
	json_int_t quantity = json_integer_value(json_object_get(line, "quantity"));
	double price = json_number_value(json_object_get(product, "price"));

	*sum += price * (double)quantity;
	return json_pack("{ss so sI s{ss sO sO} s{ss so so}}", "__typename", "SimpleCartItem",
			 "uid", json_sprintf("line-%zu", nth + 1), "quantity", quantity, "product",
			 "__typename", "SimpleProduct", "sku", json_object_get(product, "sku"),
			 "name", json_object_get(product, "name"), "prices", "__typename",
			 "CartItemPrices", "price", money(price), "row_total",
			 money(price * (double)quantity));
}

static json_t *lines_view(const json_t *cart, double *sum, json_int_t *quantity)
{
	json_t *list = json_array(), *line;
	size_t i;

	json_array_foreach(json_object_get(cart, "lines"), i, line)
	{
		json_array_append_new(list, line_view(line, i, sum));
		*quantity += json_integer_value(json_object_get(line, "quantity"));
	}
	return list;
}

static json_t *cart_view(const json_t *cart)
{
	double sum = 0;
	json_int_t quantity = 0;
	json_t *items = lines_view(cart, &sum, &quantity), *view;

	view = json_pack("{ss sO sO sb sI sO sO s{ss sO sI} s{ss so so}}", "__typename", "Cart",
			 "id", json_object_get(cart, "id"), "email", json_object_get(cart, "email"),
			 "is_virtual", 0, "total_quantity", quantity, "custom_attributes",
			 json_object_get(cart, "custom_attributes"), "items", items, "itemsV2",
			 "__typename", "CartItems", "items", items, "total_count",
			 (json_int_t)json_array_size(items), "prices", "__typename", "CartPrices",
			 "grand_total", money(sum), "subtotal_excluding_tax", money(sum));
	json_decref(items);
	return view;
}

/* {"cart":{...}}, and what else the field's output has. Takes more. */
static void cart_result(struct graphql_run *run, const json_t *field,
			const struct commerce_item *cart, json_t *more)
{
	json_t *output =
		json_pack("{ss so}", "__typename", "CartOutput", "cart", cart_view(cart->json));

	json_object_update(output, more);
	json_decref(more);
	bc_graphql_result(run, field, output);
}

/* The cart that the members name; NULL with an error. */
static struct commerce_item *cart_of(struct graphql_run *run, const json_t *field,
				     const json_t *members, const char *name)
{
	const char *id = bc_graphql_text(run, field, members, name);
	struct commerce_item *cart = id ? bc_graphql_cart_find(run->commerce, id) : NULL;

	if (id && !cart)
		bc_graphql_fail(run, bc_graphql_name(field), GRAPHQL_MISSING,
				"Could not find a cart with ID \"%s\"", id);
	if (!cart)
		bc_graphql_result(run, field, NULL);
	return cart;
}

void bc_graphql_cart(struct graphql_run *run, const json_t *field)
{
	struct commerce_item *cart =
		cart_of(run, field, json_object_get(field, "arguments"), "cart_id");

	if (cart)
		bc_graphql_result(run, field, cart_view(cart->json));
}

/* ---- a new one ---- */

static struct commerce_item *cart_make(struct graphql_run *run, const json_t *field,
				       const char *wanted)
{
	struct commerce *m = run->commerce;
	struct commerce_item *cart = NULL;
	char made[ID_LENGTH + 1];

	id_make(made);
	if (wanted && !id_is_good(wanted))
		bc_graphql_fail(run, bc_graphql_name(field), GRAPHQL_INPUT,
				"Cart ID length should be 32 characters.");
	else if (wanted && bc_graphql_cart_find(m, wanted))
		bc_graphql_fail(run, bc_graphql_name(field), "graphql-already-exists",
				"Cart with ID \"%s\" already exists.", wanted);
	else
		cart = bc_commerce_add(&m->carts, bc_str_of(wanted ? wanted : made),
				       json_pack("{ss sI sn s[] s[]}", "id", wanted ? wanted : made,
						 "quote_id", (json_int_t)++m->last_quote, "email",
						 "custom_attributes", "lines"));
	if (!cart)
		bc_graphql_result(run, field, NULL);
	return cart;
}

/* An id that the caller has chosen; NULL = none. */
static const char *wanted_id(const json_t *field, const char *name)
{
	const json_t *input = json_object_get(json_object_get(field, "arguments"), "input");

	return json_string_value(json_object_get(input, name));
}

void bc_graphql_cart_create(struct graphql_run *run, const json_t *field)
{
	struct commerce_item *cart = cart_make(run, field, wanted_id(field, "cart_uid"));

	if (cart)
		cart_result(run, field, cart, NULL);
}

void bc_graphql_cart_empty(struct graphql_run *run, const json_t *field)
{
	struct commerce_item *cart = cart_make(run, field, wanted_id(field, "cart_id"));

	if (cart)
		bc_graphql_result(run, field, json_incref(json_object_get(cart->json, "id")));
}

/* ---- what is set on it ---- */

/* One of the list, by its code; the last one counts. */
static void attribute_put(json_t *list, const char *code, json_t *value)
{
	json_t *known;
	size_t i;

	json_array_foreach(list, i, known)
	{
		if (strcmp(json_string_value(json_object_get(known, "attribute_code")), code) != 0)
			continue;
		json_object_set(known, "value", value);
		return;
	}
	json_array_append_new(list, json_pack("{ss ss sO}", "__typename", "CustomAttribute",
					      "attribute_code", code, "value", value));
}

/* The whole new set; NULL with an error. */
static json_t *attributes_read(struct graphql_run *run, const json_t *field, const json_t *given)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(given, i, item)
	{
		const char *code = json_string_value(json_object_get(item, "attribute_code"));
		json_t *value = json_object_get(item, "value");

		if (code && *code && json_is_string(value)) {
			attribute_put(list, code, value);
			continue;
		}
		bc_graphql_fail(run, NULL, GRAPHQL_INPUT,
				"Variable got invalid value at \"input.custom_attributes[%zu]\" of "
				"\"%s\"; attribute_code and value are of type String!.",
				i, bc_graphql_name(field));
		json_decref(list);
		return NULL;
	}
	return list;
}

void bc_graphql_cart_attributes(struct graphql_run *run, const json_t *field)
{
	static const char *const members[] = { "cart_id", "custom_attributes", NULL };
	const json_t *input = bc_graphql_input(run, field, "input", members);
	struct commerce_item *cart = input ? cart_of(run, field, input, "cart_id") : NULL;
	json_t *list = NULL;

	if (cart)
		list = attributes_read(run, field, json_object_get(input, "custom_attributes"));
	if (!list)
		return;
	json_object_set_new(cart->json, "custom_attributes", list);
	run->call->accepted = true;
	cart_result(run, field, cart, NULL);
}

void bc_graphql_cart_email(struct graphql_run *run, const json_t *field)
{
	static const char *const members[] = { "cart_id", "email", NULL };
	const json_t *input = bc_graphql_input(run, field, "input", members);
	const char *email = input ? bc_graphql_text(run, field, input, "email") : NULL;
	struct commerce_item *cart = email ? cart_of(run, field, input, "cart_id") : NULL;

	if (!cart)
		return;
	json_object_set_new(cart->json, "email", json_string(email));
	cart_result(run, field, cart, NULL);
}

/* ---- products ---- */

/* Among errors. */
static void line_refuse(json_t *errors, const char *sku)
{
	json_array_append_new(
		errors, json_pack("{ss ss so}", "__typename", "CartUserInputError", "code",
				  "PRODUCT_NOT_FOUND", "message",
				  json_sprintf("Could not find a product with SKU \"%s\"", sku)));
}

/* One of cartItems; what is wrong with it is told among errors, as Commerce does. */
static void line_add(struct commerce *m, json_t *cart, const json_t *item, json_t *errors)
{
	const char *sku = json_string_value(json_object_get(item, "sku"));
	double quantity = json_number_value(json_object_get(item, "quantity"));
	struct commerce_item *product = sku ? bc_commerce_find(&m->products, bc_str_of(sku)) : NULL;

	if (!product)
		line_refuse(errors, sku ? sku : "");
	else
		json_array_append_new(json_object_get(cart, "lines"),
				      json_pack("{sO sI}", "product", product->json, "quantity",
						quantity >= 1 ? (json_int_t)quantity : 1));
}

void bc_graphql_cart_add(struct graphql_run *run, const json_t *field)
{
	const json_t *arguments = json_object_get(field, "arguments"), *item;
	struct commerce_item *cart = cart_of(run, field, arguments, "cartId");
	json_t *errors;
	size_t i;

	if (!cart)
		return;
	errors = json_array();
	json_array_foreach(json_object_get(arguments, "cartItems"), i, item)
		line_add(run->commerce, cart->json, item, errors);
	cart_result(run, field, cart, json_pack("{so}", "user_errors", errors));
}
