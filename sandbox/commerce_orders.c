/* SPDX-License-Identifier: MIT */
/*
 * Orders with the fields of Adobe's schema that a shop's programs look at: the 120 that the
 * sandbox's Commerce starts with, the same on every start, and those that are placed later. At the
 * start there are guests and customers, euros and dollars, every state; every third carries a click
 * token as custom attribute. Amounts are reckoned in cents and add up.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>

enum { APART_MS = 97 * 60 * 1000, ITEMS_MAX = 3, TAX_PERCENT = 19, SHIPPING = 490 };

/* The last order was made then: 2026-11-20 15:40:02 UTC. */
static const uint64_t last_ms = 1795189202000;

static const struct {
	const char *state, *status;
} states[] = {
	{ "processing", "processing" }, { "pending_payment", "pending_payment" },
	{ "complete", "complete" },	{ "processing", "processing" },
	{ "closed", "closed" },		{ "canceled", "canceled" },
	{ "holded", "holded" },		{ "new", "pending" },
	{ "processing", "processing" }, { "payment_review", "payment_review" },
};

/* One order while it is being made. */
struct draft {
	size_t nth; /* from 0 */
	json_int_t id, quote;
	char increment[COMMERCE_INCREMENT_BYTES];
	const char *state, *status;
	bool guest, paid;
	bool second; /* store view */
	const char *currency, *email, *first, *last;
	const char *time;
	json_t *items; /* owned until it is packed */
	size_t item_count;
	int64_t subtotal, discount, tax, shipping, total;
	int quantity;
};

static const struct {
	const char *first, *last, *name;
} people[] = {
	{ "Ada", "Schröder", "ada" },
	{ "Émile", "Dubois", "emile" },
	{ "Zoë", "van Dijk", "zoe" },
	{ "Paweł", "Nowak", "pawel" },
	{ "Grace", "O'Neill", "grace" },
	{ "Jo", "Muster", "guest.buyer" },
	{ "Kim", "Beispiel", "registered.buyer" },
};

static json_t *money(int64_t cents)
{
	return bc_commerce_money(cents);
}

static json_t *address(const struct draft *d, const char *type, int offset)
{
	json_t *a = json_pack("{sI sI ss ss ss s[s] ss ss ss si ss ss ss ss}", "entity_id",
			      2 * d->id + offset, "parent_id", d->id, "address_type", type,
			      "firstname", d->first, "lastname", d->last, "street", "Musterweg 12",
			      "city", "Karlsruhe", "region", "Baden-Württemberg", "region_code",
			      "BAW", "region_id", 80, "postcode", "76131", "country_id", "DE",
			      "telephone", "+49 721 0000000", "email", d->email);

	if (!d->guest && a)
		json_object_set_new(a, "customer_id", json_integer((json_int_t)(70 + d->nth % 30)));
	return a;
}

static json_t *item_make(const struct draft *d, const json_t *product, int64_t cents, int quantity)
{
	int64_t row = cents * quantity, tax = row * TAX_PERCENT / 100;
	json_t *item = json_pack(
		"{sI sI sI sO sO sO ss si so so so so si si si si si so so so so so si si si}",
		"item_id", 3 * d->id + (json_int_t)d->item_count, "order_id", d->id,
		"quote_item_id", 4000 + 3 * d->id, "sku", json_object_get(product, "sku"), "name",
		json_object_get(product, "name"), "product_id", json_object_get(product, "id"),
		"product_type", "simple", "store_id", 1, "price", money(cents), "base_price",
		money(cents), "original_price", money(cents), "price_incl_tax",
		money(cents + cents * TAX_PERCENT / 100), "qty_ordered", quantity, "qty_invoiced",
		d->paid ? quantity : 0, "qty_shipped", 0, "qty_refunded", 0, "qty_canceled", 0,
		"row_total", money(row), "base_row_total", money(row), "row_total_incl_tax",
		money(row + tax), "tax_amount", money(tax), "base_tax_amount", money(tax),
		"tax_percent", TAX_PERCENT, "discount_amount", 0, "is_virtual", 0);

	if (item) {
		json_object_set_new(item, "created_at", json_string(d->time));
		json_object_set_new(item, "updated_at", json_string(d->time));
	}
	return item;
}

/* One more product; false, without items, without memory. */
static bool item_add(struct draft *d, const json_t *product, int64_t cents, int quantity)
{
	if (!d->items)
		d->items = json_array();
	if (json_array_append_new(d->items, item_make(d, product, cents, quantity)) < 0) {
		json_decref(d->items);
		d->items = NULL;
		return false;
	}
	d->item_count++;
	d->subtotal += cents * quantity;
	d->tax += cents * quantity * TAX_PERCENT / 100;
	d->quantity += quantity;
	return true;
}

/* What the items come to. */
static void sum_up(struct draft *d)
{
	d->shipping = d->subtotal < 10000 ? SHIPPING : 0;
	d->discount = !d->guest && d->nth % 4 == 2 ? d->subtotal / 10 : 0;
	d->total = d->subtotal - d->discount + d->tax + d->shipping;
}

/* One to three products. */
static bool items_make(struct draft *d, const struct commerce_list *products)
{
	size_t count = 1 + d->nth % ITEMS_MAX;

	while (d->item_count < count) {
		size_t number = (d->nth * 5 + d->item_count * 61) % products->count;

		if (!item_add(d, products->items[number]->json, bc_commerce_cents(number),
			      1 + (int)((d->nth + d->item_count) % 3)))
			return false;
	}
	sum_up(d);
	return true;
}

static bool set_money(json_t *order, const char *name, int64_t cents)
{
	char base[40];

	snprintf(base, sizeof(base), "base_%s", name);
	return json_object_set_new(order, name, money(cents)) == 0 &&
	       json_object_set_new(order, base, money(cents)) == 0;
}

static bool add_amounts(const struct draft *d, json_t *order)
{
	const struct {
		const char *name;
		int64_t cents;
	} amounts[] = {
		{ "subtotal", d->subtotal }, { "shipping_amount", d->shipping },
		{ "tax_amount", d->tax },    { "discount_amount", -d->discount },
		{ "grand_total", d->total }, { "total_due", d->paid ? 0 : d->total },
		{ "total_paid", d->total },  { "total_invoiced", d->total },
	};

	/* The last two only once it is paid. */
	for (size_t i = 0; i < BC_COUNT(amounts) - (d->paid ? 0 : 2); i++)
		if (!set_money(order, amounts[i].name, amounts[i].cents))
			return false;
	return true;
}

static json_t *payment(const struct draft *d)
{
	json_t *p = json_pack(
		"{sI sI ss sn s[s] ss? so so}", "entity_id", d->id, "parent_id", d->id, "method",
		d->guest ? "checkmo" : "payment_services_paypal_hosted_fields", "account_status",
		"additional_information", d->guest ? "Check / Money order" : "Credit Card",
		"cc_last4", d->guest ? NULL : "1111", "amount_ordered", money(d->total),
		"base_amount_ordered", money(d->total));

	if (p && d->paid &&
	    (json_object_set_new(p, "amount_paid", money(d->total)) < 0 ||
	     json_object_set_new(p, "base_amount_paid", money(d->total)) < 0)) {
		json_decref(p);
		p = NULL;
	}
	return p;
}

static json_t *extension(const struct draft *d)
{
	return json_pack("{s[{s{so ss s{so so}} s[]}] s[] so}", "shipping_assignments", "shipping",
			 "address", address(d, "shipping", -2), "method",
			 d->shipping ? "flatrate_flatrate" : "freeshipping_freeshipping", "total",
			 "shipping_amount", money(d->shipping), "base_shipping_amount",
			 money(d->shipping), "items", "applied_taxes", "coupon_codes",
			 d->discount ? json_pack("[s]", "WELCOME10") : json_array());
}

/* The click token that a storefront left on the cart; of the sample order as it stands there. */
static json_t *custom_attributes(const struct draft *d)
{
	char token[40];

	if (d->nth % 3 != 0)
		return json_array();
	snprintf(token, sizeof(token), "clk_%06zu-bc%04zx-%lld", d->nth * 7919 + 100003,
		 d->nth * 40503 & 0xffff, (long long)d->id);
	return json_pack("[{ssss}]", "attribute_code", "click_token", "value",
			 d->id == 318 ? "clk_7Yq2mVd0Zk3s9Lx1" : token);
}

static json_t *order_head(const struct draft *d)
{
	char protect[8];

	snprintf(protect, sizeof(protect), "%06zx", (d->nth * 2654435761U) & 0xffffff);
	return json_pack(
		"{sI ss ss ss ss si ss sI ss ss si si si ss ss ss si si ss ss ss ss si si si si "
		"si si sf ss sI}",
		"entity_id", d->id, "increment_id", d->increment, "protect_code", protect, "state",
		d->state, "status", d->status, "store_id", d->second ? 2 : 1, "store_name",
		d->second ? "Main Website\nMain Website Store\nEnglish"
			  : "Main Website\nMain Website Store\nDefault Store View",
		"quote_id", d->quote, "created_at", d->time, "updated_at", d->time, "is_virtual", 0,
		"customer_is_guest", (int)d->guest, "customer_group_id", d->guest ? 0 : 1,
		"customer_email", d->email, "customer_firstname", d->first, "customer_lastname",
		d->last, "customer_note_notify", 1, "email_sent", 1, "base_currency_code",
		d->currency, "order_currency_code", d->currency, "store_currency_code", d->currency,
		"global_currency_code", d->currency, "base_to_order_rate", 1, "base_to_global_rate",
		1, "store_to_base_rate", 0, "store_to_order_rate", 0, "total_item_count",
		(int)d->item_count, "total_qty_ordered", d->quantity, "weight", 0.4 * d->quantity,
		"shipping_description", d->shipping ? "Flat Rate - Fixed" : "Free Shipping - Free",
		"billing_address_id", 2 * d->id - 1);
}

static bool add_customer(const struct draft *d, json_t *order)
{
	if (d->guest)
		return json_object_set_new(order, "remote_ip", json_string("198.51.100.23")) == 0;
	if (d->discount &&
	    (json_object_set_new(order, "coupon_code", json_string("WELCOME10")) < 0 ||
	     json_object_set_new(order, "discount_description", json_string("WELCOME10")) < 0 ||
	     json_object_set_new(order, "applied_rule_ids", json_string("3")) < 0))
		return false;
	return json_object_set_new(order, "customer_id",
				   json_integer((json_int_t)(70 + d->nth % 30))) == 0;
}

/* Takes the draft's items; attributes: borrowed, NULL without memory. */
static json_t *order_make(struct draft *d, json_t *attributes)
{
	json_t *order = order_head(d);

	if (json_object_set_new(order, "items", d->items) == 0 && add_amounts(d, order) &&
	    add_customer(d, order) &&
	    json_object_set_new(order, "billing_address", address(d, "billing", -1)) == 0 &&
	    json_object_set_new(order, "payment", payment(d)) == 0 &&
	    json_object_set_new(order, "status_histories", json_array()) == 0 &&
	    json_object_set_new(order, "extension_attributes", extension(d)) == 0 &&
	    json_object_set(order, "custom_attributes", attributes) == 0)
		return order;
	json_decref(order);
	return NULL;
}

static json_t *order_of(size_t nth, const struct commerce_list *products)
{
	const char *state = states[nth % BC_COUNT(states)].state;
	size_t person = nth % BC_COUNT(people);
	char email[64], time[COMMERCE_TIME_BYTES];
	json_t *attributes, *order;
	struct draft d = {
		.nth = nth,
		.id = COMMERCE_FIRST_ORDER + (json_int_t)nth,
		.quote = COMMERCE_QUOTE_AHEAD + COMMERCE_FIRST_ORDER + (json_int_t)nth,
		.state = state,
		.status = states[nth % BC_COUNT(states)].status,
		.second = nth % 5 == 4,
		.guest = nth % 2 == 1,
		.paid = strcmp(state, "processing") == 0 || strcmp(state, "complete") == 0,
		.currency = nth % 10 == 8 ? "USD" : "EUR",
		.email = email,
		.first = people[person].first,
		.last = people[person].last,
		.time = time,
	};

	snprintf(d.increment, sizeof(d.increment), "%09lld", (long long)d.id);
	snprintf(email, sizeof(email), "%s@example.com", people[person].name);
	bc_commerce_time(last_ms - (COMMERCE_ORDERS - 1 - nth) * APART_MS, time);
	if (!items_make(&d, products))
		return NULL;
	attributes = custom_attributes(&d);
	order = order_make(&d, attributes);
	json_decref(attributes);
	return order;
}

bool bc_commerce_make_orders(struct commerce_list *list, const struct commerce_list *products)
{
	char key[24];

	for (size_t i = 0; i < COMMERCE_ORDERS; i++) {
		snprintf(key, sizeof(key), "%zu", COMMERCE_FIRST_ORDER + i);
		if (!bc_commerce_add(list, bc_str_of(key), order_of(i, products)))
			return false;
	}
	return true;
}

/* ---- those that are placed ---- */

static bool wish_items(struct draft *d, const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		const json_t *product = json_object_get(line, "product");
		double price = json_number_value(json_object_get(product, "price"));

		if (!item_add(d, product, (int64_t)(price * 100 + 0.5),
			      (int)json_integer_value(json_object_get(line, "quantity"))))
			return false;
	}
	sum_up(d);
	return true;
}

json_t *bc_commerce_order_new(const struct commerce_wish *wish)
{
	struct draft d = {
		.nth = (size_t)(wish->entity_id - COMMERCE_FIRST_ORDER),
		.id = (json_int_t)wish->entity_id,
		.quote = (json_int_t)wish->quote_id,
		.state = "new",
		.status = "pending",
		.guest = true,
		.currency = "EUR",
		.email = wish->email ? wish->email : "guest.buyer@example.com",
		.first = "Jo",
		.last = "Muster",
		.time = wish->time,
	};

	snprintf(d.increment, sizeof(d.increment), "%s", wish->increment_id);
	if (!wish_items(&d, wish->lines) || !d.items)
		return NULL;
	return order_make(&d, wish->custom_attributes);
}
