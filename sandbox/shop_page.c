/* SPDX-License-Identifier: MIT */
/*
 * A small shop to click through in a browser, of two pages: /shop, where a visitor lands and puts
 * something into the cart, and /shop/checkout, where it is ordered. It does what Adobe's headless
 * storefront does with a cart, and nothing more: the id in sessionStorage, its events on the bus of
 * the drop-ins (a BroadcastChannel) and in window.adobeDataLayer.
 *
 * ?capture=URL loads that script into both pages, ?data-NAME=VALUE becomes an attribute of its tag;
 * both stay in the links. Only scripts of this machine are loaded, since the page's origin is the
 * sandbox's, whose recorder shows whatever credentials it was sent.
 */
#include <string.h>

#include "sandbox/graphql.h"

enum { PAGE_MAX_BYTES = 64 * 1024, SETTINGS_MAX = 16 };

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>Sandbox shop</title>\n"
	"<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 "
	"1rem}button{font:inherit;padding:.4em 1em}output{display:block;margin:1em 0;"
	"white-space:pre-wrap;overflow-wrap:anywhere}nav a{margin-right:1em}</style>\n"
	"<h1>Sandbox shop</h1>\n";

static const char body[] =
	"<p>You came with <code id=\"landing\"></code>.</p>\n"
	"<p><button id=\"add\">Add to cart</button> <button id=\"order\">Place order</button></p>\n"
	"<output id=\"cart\"></output>\n<output id=\"number\"></output>\n";

/* GRAPHQL, the address to ask, stands before it. */
static const char script[] =
	"<script>\n"
	"const $ = (id) => document.getElementById(id);\n"
	"const KEY = 'DROPINS_CART_ID';\n"
	"const bus = new BroadcastChannel('ElsieSDK/EventBus');\n"
	"window.adobeDataLayer = window.adobeDataLayer || [];\n"
	"\n"
	"function tell(event, payload) {\n"
	"  bus.postMessage({ event, payload });\n"
	"  window.adobeDataLayer.push(event === 'order/placed'\n"
	"    ? { orderContext: { orderId: payload.number } }\n"
	"    : { shoppingCartContext: { id: payload && payload.id } });\n"
	"  const name = event === 'order/placed' ? 'place-order' : event;\n"
	"  window.adobeDataLayer.push({ event: name });\n"
	"}\n"
	"\n"
	"async function ask(query, variables) {\n"
	"  const answer = await fetch(GRAPHQL, {\n"
	"    method: 'POST',\n"
	"    headers: { 'Content-Type': 'application/json' },\n"
	"    body: JSON.stringify({ query, variables }),\n"
	"  });\n"
	"  const { data, errors } = await answer.json();\n"
	"  if (errors) throw new Error(errors[0].message);\n"
	"  return data;\n"
	"}\n"
	"\n"
	"async function show() {\n"
	"  const id = sessionStorage.getItem(KEY);\n"
	"  $('order').disabled = !id;\n"
	"  if (!id) { $('cart').textContent = 'The cart is empty.'; return; }\n"
	"  const { cart } = await ask(`query($id: String!) { cart(cart_id: $id) {\n"
	"    id total_quantity custom_attributes { attribute_code value } } }`, { id });\n"
	"  $('cart').textContent = `Cart ${cart.id}: ${cart.total_quantity} in it\\n`\n"
	"    + cart.custom_attributes.map((a) => `${a.attribute_code} = ${a.value}`).join('\\n');\n"
	"}\n"
	"\n"
	"async function add() {\n"
	"  let id = sessionStorage.getItem(KEY);\n"
	"  const known = !!id;\n"
	"  if (!known) {\n"
	"    const made = await ask('mutation { createGuestCart { cart { id } } }');\n"
	"    id = made.createGuestCart.cart.id;\n"
	"    sessionStorage.setItem(KEY, id);\n"
	"    document.cookie = `DROPIN__CART__CART-ID=${id}; path=/`;\n"
	"  }\n"
	"  await ask(`mutation($id: String!, $items: [CartItemInput!]!) {\n"
	"    addProductsToCart(cartId: $id, cartItems: $items) { user_errors { message } } }`,\n"
	"  { id, items: [{ sku: 'MUG-BLUE', quantity: 1 }] });\n"
	"  tell(known ? 'cart/updated' : 'cart/initialized', { id });\n"
	"  tell('cart/data', { id });\n"
	"}\n"
	"\n"
	"async function order() {\n"
	"  const id = sessionStorage.getItem(KEY);\n"
	"  const { placeOrder } = await ask(`mutation($id: String!) {\n"
	"    placeOrder(input: { cart_id: $id }) {\n"
	"      errors { message } orderV2 { number } } }`, { id });\n"
	"  if (!placeOrder.orderV2) throw new Error(placeOrder.errors[0].message);\n"
	"  sessionStorage.removeItem(KEY);\n"
	"  document.cookie = 'DROPIN__CART__CART-ID=; path=/; max-age=0';\n"
	"  $('number').textContent = `Order ${placeOrder.orderV2.number}`;\n"
	"  tell('order/placed', placeOrder.orderV2);\n"
	"  tell('cart/reset', null);\n"
	"}\n"
	"\n"
	"async function run(step) {\n"
	"  try { await step(); await show(); } catch (e) { $('number').textContent = e.message; }\n"
	"}\n"
	"\n"
	"const came = [...new URLSearchParams(location.search)]\n"
	"  .filter(([name]) => name !== 'capture' && !name.startsWith('data-'))\n"
	"  .map(([name, value]) => `${name}=${value}`);\n"
	"$('landing').textContent = came.join(' ') || 'no parameter';\n"
	"$('add').onclick = () => run(add);\n"
	"$('order').onclick = () => run(order);\n"
	"run(async () => {\n"
	"  const id = sessionStorage.getItem(KEY);\n"
	"  if (id) tell('cart/initialized', { id });\n"
	"  if (!id || !location.pathname.endsWith('/checkout')) return;\n"
	"  tell('checkout/initialized', { id });\n"
	"});\n"
	"</script>\n";

/* ---- what the address asks for ---- */

struct settings {
	struct bc_str capture; /* absent = none */
	struct {
		struct bc_str name, value;
	} data[SETTINGS_MAX];
	size_t count;
	bool has_graphql;
	struct bc_str graphql;
};

static bool is_attribute(struct bc_str name)
{
	if (!bc_str_starts(name, "data-") || name.len < 6)
		return false;
	for (size_t i = 5; i < name.len; i++)
		if (!(name.ptr[i] >= 'a' && name.ptr[i] <= 'z') && name.ptr[i] != '-')
			return false;
	return true;
}

static bool take_setting(struct sandbox_call *call, struct settings *s, struct bc_str pair)
{
	struct bc_str name = bc_str_split(&pair, '='), value = BC_STR("");

	if (pair.ptr && !bc_sandbox_decode(call->req->arena, pair, true, &value))
		return false;
	if (bc_str_eq(name, "capture"))
		s->capture = value;
	if (!is_attribute(name) || s->count == SETTINGS_MAX)
		return true;
	if (bc_str_eq(name, "data-graphql")) {
		s->has_graphql = true;
		s->graphql = value;
	}
	s->data[s->count].name = name;
	s->data[s->count++].value = value;
	return true;
}

static bool settings_read(struct sandbox_call *call, struct settings *s)
{
	struct bc_str query = call->req->query;

	*s = (struct settings){ .graphql = BC_STR("/graphql") };
	while (query.ptr)
		if (!take_setting(call, s, bc_str_split(&query, '&')))
			return false;
	return true;
}

static bool is_local_name(struct bc_str host)
{
	static const char tail[] = ".localhost";
	size_t n = sizeof(tail) - 1;

	return bc_str_eq(host, "localhost") || bc_str_eq(host, "127.0.0.1") ||
	       bc_str_eq(host, "[::1]") ||
	       (host.len > n && memcmp(host.ptr + host.len - n, tail, n) == 0);
}

/* A path of this origin, or a URL of this machine. */
static bool is_local(struct bc_str url)
{
	struct bc_str rest = url, host;

	if (url.len > 0 && url.ptr[0] == '/')
		return url.len == 1 || (url.ptr[1] != '/' && url.ptr[1] != '\\');
	if (bc_str_starts(url, "http://"))
		rest = (struct bc_str){ url.ptr + 7, url.len - 7 };
	else if (bc_str_starts(url, "https://"))
		rest = (struct bc_str){ url.ptr + 8, url.len - 8 };
	else
		return false;
	host = bc_str_split(&rest, '/');
	if (host.len > 4 && memcmp(host.ptr, "[::1]", 5) == 0)
		return host.len == 5 || host.ptr[5] == ':';
	return is_local_name(bc_str_split(&host, ':')) && !memchr(url.ptr, '@', url.len) &&
	       !memchr(url.ptr, '\\', url.len);
}

/* ---- the page ---- */

/* Text between double quotes of HTML. */
static int add_escaped(struct bc_buf *out, struct bc_str text)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < text.len; i++) {
		char c = text.ptr[i];

		if (strchr("&<>\"'", c) && c)
			rc = bc_buf_addf(out, "&#%d;", c);
		else
			rc = bc_buf_add(out, &c, 1);
	}
	return rc;
}

static int add_attribute(struct bc_buf *out, struct bc_str name, struct bc_str value)
{
	int rc = bc_buf_addf(out, " %.*s=\"", (int)name.len, name.ptr);

	if (rc == 0)
		rc = add_escaped(out, value);
	return rc == 0 ? bc_buf_adds(out, "\"") : rc;
}

/* The tag as a storefront has it; it is told where the shop's GraphQL is unless it is told
 * otherwise, "data-graphql=" meaning nowhere. */
static int add_capture(struct bc_buf *out, const struct settings *s)
{
	int rc = bc_buf_adds(out, "<script defer");

	if (rc == 0)
		rc = add_attribute(out, BC_STR("src"), s->capture);
	if (rc == 0 && !s->has_graphql)
		rc = add_attribute(out, BC_STR("data-graphql"), s->graphql);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (s->data[i].value.len > 0 || !bc_str_eq(s->data[i].name, "data-graphql"))
			rc = add_attribute(out, s->data[i].name, s->data[i].value);
	return rc == 0 ? bc_buf_adds(out, "></script>\n") : rc;
}

/* What links carry on: the script and its attributes, as they were asked for. */
static int add_kept(struct bc_buf *out, const struct settings *s)
{
	int rc = s->capture.ptr ? bc_buf_adds(out, "?capture=") : 0;

	if (rc == 0 && s->capture.ptr)
		rc = bc_percent_encode(out, s->capture);
	for (size_t i = 0; rc == 0 && s->capture.ptr && i < s->count; i++) {
		rc = bc_buf_addf(out, "&amp;%.*s=", (int)s->data[i].name.len, s->data[i].name.ptr);
		if (rc == 0)
			rc = bc_percent_encode(out, s->data[i].value);
	}
	return rc;
}

static int add_link(struct bc_buf *out, const char *path, const char *text,
		    const struct settings *s)
{
	int rc = bc_buf_addf(out, "<a href=\"%s", path);

	if (rc == 0)
		rc = add_kept(out, s);
	return rc == 0 ? bc_buf_addf(out, "\">%s</a> ", text) : rc;
}

/* JSON is a text of JavaScript; "<" would end the script. */
static int add_graphql(struct bc_buf *out, const struct settings *s)
{
	struct bc_str at = s->graphql.len > 0 ? s->graphql : BC_STR("/graphql");
	json_t *text = json_stringn(at.ptr, at.len);
	bc_autofree char *dump = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
	int rc = dump ? bc_buf_adds(out, "<script>const GRAPHQL = ") : BC_EINVAL;

	for (const char *c = dump; rc == 0 && *c; c++)
		rc = *c == '<' ? bc_buf_adds(out, "\\u003c") : bc_buf_add(out, c, 1);
	json_decref(text);
	return rc == 0 ? bc_buf_adds(out, ";</script>\n") : rc;
}

static int page_build(struct bc_buf *out, const struct settings *s)
{
	int rc = bc_buf_adds(out, head);

	if (rc == 0 && s->capture.len > 0)
		rc = add_capture(out, s);
	if (rc == 0)
		rc = bc_buf_adds(out, "<nav>");
	if (rc == 0)
		rc = add_link(out, "/shop", "Shop", s);
	if (rc == 0)
		rc = add_link(out, "/shop/checkout", "Checkout", s);
	if (rc == 0)
		rc = bc_buf_addf(out, "</nav>\n%s", body);
	if (rc == 0)
		rc = add_graphql(out, s);
	return rc == 0 ? bc_buf_adds(out, script) : rc;
}

void bc_shop_page(struct sandbox_call *call)
{
	struct settings s;
	struct bc_buf out;
	int rc;

	if (!settings_read(call, &s)) {
		bc_sandbox_answer_message(call, 500, "no memory for so long an address", NULL);
		return;
	}
	if ((s.capture.len > 0 && !is_local(s.capture)) ||
	    (s.graphql.len > 0 && !is_local(s.graphql))) {
		bc_sandbox_answer_message(call, 400,
					  "\"capture\" and \"data-graphql\" are of "
					  "this machine only",
					  "a path, or http://127.0.0.1:PORT/capture.js");
		return;
	}
	bc_buf_init(&out, PAGE_MAX_BYTES);
	rc = page_build(&out, &s);
	bc_sandbox_answer_buf(call, rc, "text/html; charset=utf-8", &out);
}
