/* SPDX-License-Identifier: MIT */
/*
 * The join: a shop on Adobe Commerce gets the hand-back by configuration alone. A visitor lands,
 * the click goes into the cart, Commerce makes it part of the order and tells of that by a signed
 * event. No program of the shop's calls the daemon anywhere in these steps.
 *
 * What Commerce, Adobe's events and the partner saw is read from the stand-in's books.
 */
#include "cli/demo.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TOKEN	    "12a3b-4c5d-6e7-8f9g2"
#define LANDING	    "/landingpage?channel=sovendus&sovReqToken=" TOKEN
#define BEACON	    "/v1/c?u=%2Flandingpage%3Fchannel%3Dsovendus%26sovReqToken%3D" TOKEN
#define EVENTS_PATH "/v1/events/adobe"
#define JOURNAL	    "/events/organizations/23294/integrations/54108/f89067f2-0d50-4bb2"
#define ANY_PORT    "127.0.0.1:0"

enum { GUIDES_OWN = 5 }; /* of the joined daemon's settings */

/* --- the shop -----------------------------------------------------------------------------------
 */

bool demo_start_joined(struct demo *d, const char *edge)
{
	const char *adobe = demo_text(d, "http://%s", d->sandbox.address);
	const struct demo_setting settings[] = {
		{ "IMS_CLIENT_ID", DEMO_CLIENT_ID },
		{ "IMS_CLIENT_SECRET", DEMO_CLIENT_SECRET },
		{ "IMS_ORG_ID", DEMO_ORG_ID },
		{ "IMS_BASE_URL", adobe },
		{ "API_ENDPOINT", demo_text(d, "%s" DEMO_TENANT, adobe) },
		{ "BACKCHANNEL_EDGE", edge },
		{ "BACKCHANNEL_JOURNAL_URL", demo_text(d, "%s" JOURNAL, adobe) },
		{ "BACKCHANNEL_EVENTS_KEY_URL", adobe },
		{ "BACKCHANNEL_EVENTS_VALIDATE_URL", adobe },
		{ "BACKCHANNEL_COMMERCE_COMMENTS", "delivered" },
		{ NULL, NULL },
	};
	/* Shown once; the guides' are known from the steps before. */
	for (size_t i = GUIDES_OWN; settings[i].name && !d->daemon.edge[0]; i++)
		demo_print_block(d, "| ",
				 demo_text(d, "%s=%s", settings[i].name, settings[i].value));
	return demo_start_daemon(d, &d->daemon, settings) && demo_learn_edge(d, &d->daemon);
}

/* From here on d->daemon is this one. */
static bool open_shop(struct demo *d, bool *ret_nginx)
{
	d->daemon = (struct demo_child){ .name = "joined-daemon" };
	demo_note(d, "one daemon has the settings of both guides, and these:");
	if (!demo_start_joined(d, ANY_PORT) || !demo_start_nginx(d, ret_nginx))
		return false;
	d->joined.shop = *ret_nginx ? d->nginx.address : d->daemon.edge;
	return true;
}

/* The value of bc_click in the last answer's Set-Cookie; "" = none. In arena. */
static const char *click_cookie(struct demo *d)
{
	static const char name[] = "bc_click=";
	const char *line = d->answer.cookie;
	if (!line || strncmp(line, name, sizeof(name) - 1) != 0)
		return "";
	line += sizeof(name) - 1;
	return demo_text(d, "%.*s", (int)strcspn(line, ";"), line);
}

static bool expect_cookie(struct demo *d, const char *begins, const char *what)
{
	const char *line = d->answer.cookie ? d->answer.cookie : "";
	d->joined.click = click_cookie(d);
	return demo_expect(d, strncmp(d->joined.click, begins, strlen(begins)) == 0, what, line) &&
	       demo_expect(d, strstr(line, "; HttpOnly; Secure; SameSite=Lax") != NULL,
			   "out of reach of scripts and of other sites", line);
}

static bool land(struct demo *d, bool nginx)
{
	if (nginx)
		return demo_ask_aloud(d, d->joined.shop, "GET", LANDING, NULL) &&
		       demo_expect_status(d, 200, "the page is there; nginx asked nobody for it") &&
		       expect_cookie(d, "t." TOKEN,
				     "the answer to the landing itself sets the click cookie");
	return demo_ask_aloud(d, d->joined.shop, "GET", BEACON, NULL) &&
	       demo_expect_status(d, 204, "the page's beacon is answered 204") &&
	       expect_cookie(d, "c.", "with the click cookie, which names a click on disk");
}

/* What is done once in the Adobe Developer Console. */
static bool sign_up(struct demo *d)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	const char *body = demo_text(
		d, "{\"url\":\"http://%s" EVENTS_PATH "\",\"client_id\":\"" DEMO_CLIENT_ID "\"}",
		d->joined.shop);
	demo_note(d, "Adobe I/O Events is told to send events of orders to http://%s" EVENTS_PATH,
		  d->joined.shop);
	if (!demo_tell_sandbox(d, "PUT", "/_sandbox/sender", body, 200))
		return false;
	while (strcmp(demo_field(d, "state"), "Pending") == 0 &&
	       bc_elapsed_ms(&bc_clock_system) < end)
		if (!demo_sleep(d, DEMO_POLL_MS) ||
		    !demo_tell_sandbox(d, "GET", "/_sandbox/sender", NULL, 200))
			return false;
	return demo_expect_field(d, "state", "Active",
				 "its challenge is answered, and the registration is Active");
}

bool demo_step_visitor(struct demo *d)
{
	bool nginx = false;
	return open_shop(d, &nginx) && land(d, nginx) && sign_up(d);
}

/* --- the cart -----------------------------------------------------------------------------------
 */

/* An operation, as a storefront sends it. Takes variables; NULL: none. */
static bool graphql(struct demo *d, const char *query, json_t *variables)
{
	json_t *body = json_pack("{ss so*}", "query", query, "variables", variables);
	bc_autofree char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!demo_ask_aloud(d, d->sandbox.address, "POST", DEMO_TENANT "/graphql",
			    text ? text : ""))
		return false;
	bool good = d->answer.status == 200 && !demo_field(d, "errors")[0];
	return good || demo_expect(d, false, "Commerce carries it out", d->answer.text);
}

/* The value of this custom attribute in the last answer; "" = it is not there. */
static const char *attribute(struct demo *d, const char *list, const char *code)
{
	for (int i = 0;; i++) {
		const char *name = demo_field(d, demo_text(d, "%s.%d.attribute_code", list, i));
		if (!name[0])
			return "";
		if (strcmp(name, code) == 0)
			return demo_field(d, demo_text(d, "%s.%d.value", list, i));
	}
}

static bool expect_both(struct demo *d, const char *list, const char *what)
{
	return demo_expect(d,
			   strcmp(attribute(d, list, "gift_wrap"), "yes") == 0 &&
				   strcmp(attribute(d, list, "bc_click"), d->joined.click) == 0,
			   what, demo_field(d, list));
}

/* attributes is taken. */
static bool set_attributes(struct demo *d, const char *cart, json_t *attributes)
{
	return graphql(
		d,
		"mutation($i:CartCustomAttributesInput){setCustomAttributesOnCart(input:$i)"
		"{cart{custom_attributes{attribute_code value}}}}",
		json_pack("{s{ss so}}", "i", "cart_id", cart, "custom_attributes", attributes));
}

static json_t *new_attribute(const char *code, const char *value)
{
	return json_pack("{ss ss}", "attribute_code", code, "value", value);
}

/* A cart with a product, and with an attribute of the shop's own. "" = it went wrong. */
static const char *fill_cart(struct demo *d)
{
	if (!graphql(d, "mutation{createGuestCart{cart{id}}}", NULL))
		return "";
	const char *cart = demo_field(d, "data.createGuestCart.cart.id");
	bool good = graphql(d,
			    "mutation($c:String!){addProductsToCart(cartId:$c,cartItems:[{sku:"
			    "\"" DEMO_SKU "\",quantity:1}]){cart{total_quantity}}}",
			    json_pack("{ss}", "c", cart)) &&
		    set_attributes(d, cart, json_pack("[o]", new_attribute("gift_wrap", "yes")));
	return good ? cart : "";
}

/* The mutation replaces the whole set, so: read, add, write. */
static bool add_click(struct demo *d, const char *cart)
{
	demo_note(d, "the click cookie goes into the cart: read what is there, add, write all;");
	demo_note(d, "/capture.js does that, or a line of the storefront's own");
	if (!graphql(d,
		     "query($c:String!){cart(cart_id:$c){custom_attributes{attribute_code value}}}",
		     json_pack("{ss}", "c", cart)))
		return false;
	json_t *all = json_loads(demo_field(d, "data.cart.custom_attributes"), 0, NULL);
	if (!all || json_array_append_new(all, new_attribute("bc_click", d->joined.click))) {
		json_decref(all);
		return demo_expect(d, false, "the cart's attributes are a list", d->answer.text);
	}
	return set_attributes(d, cart, all) &&
	       expect_both(d, "data.setCustomAttributesOnCart.cart.custom_attributes",
			   "the cart has the click, and what it had before");
}

static bool place_order(struct demo *d, const char *cart)
{
	if (!graphql(d,
		     "mutation($c:String!){placeOrder(input:{cart_id:$c})"
		     "{errors{code message}orderV2{number}}}",
		     json_pack("{ss}", "c", cart)))
		return false;
	d->joined.order = demo_field(d, "data.placeOrder.orderV2.number");
	return demo_expect(d, d->joined.order[0] != '\0', "the order is placed", d->answer.text);
}

/* By Commerce's REST API, through the daemon's gateway, as a program of the shop would. */
static bool look_up_order(struct demo *d)
{
	static const char filter[] = "searchCriteria[filter_groups][0][filters][0]";
	const char *path = demo_text(
		d,
		"/accs/V1/orders?%s[field]=increment_id&%s[value]=%s"
		"&fields=items[entity_id,increment_id,custom_attributes[attribute_code,value]]",
		filter, filter, d->joined.order);
	if (!demo_ask_aloud(d, d->daemon.address, "GET", path, NULL))
		return false;
	d->joined.entity_id = demo_field(d, "items.0.entity_id");
	return demo_expect_field(d, "items.0.increment_id", d->joined.order,
				 "Commerce has it among its orders") &&
	       expect_both(d, "items.0.custom_attributes",
			   "with the cart's attributes, the click among them");
}

bool demo_step_cart(struct demo *d)
{
	const char *cart = fill_cart(d);
	return cart[0] && add_click(d, cart) && place_order(d, cart) && look_up_order(d);
}

/* --- the event ----------------------------------------------------------------------------------
 */

bool demo_await_sender(struct demo *d, int waiting)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	bool settled;
	do {
		if (!demo_tell_sandbox(d, "GET", "/_sandbox/sender", NULL, 200))
			return false;
		int left = atoi(demo_field(d, "counts.deliveries")) -
			   atoi(demo_field(d, "counts.acknowledged"));
		int failed = atoi(demo_field(d, "counts.attempts")) -
			     atoi(demo_field(d, "counts.acknowledged"));
		settled = left == waiting && failed == waiting;
	} while (!settled && bc_elapsed_ms(&bc_clock_system) < end && demo_sleep(d, DEMO_POLL_MS));
	return settled || (!d->interrupted &&
			   demo_expect(d, false, "the deliveries of events come to their end",
				       demo_field(d, "counts")));
}

static bool show_event(struct demo *d)
{
	if (!demo_tell_sandbox(d, "GET", "/_sandbox/events?limit=1", NULL, 200))
		return false;
	demo_note(d, "Adobe's event said, among much else:");
	static const char *const shown[] = { "type", "data.value.increment_id", "data.value.state",
					     "data.value.custom_attributes" };
	for (size_t i = 0; i < BC_COUNT(shown); i++)
		demo_print_block(
			d, "| ",
			demo_text(d, "%s: %s", shown[i],
				  demo_field(d, demo_text(d, "events.0.event.%s", shown[i]))));
	return true;
}

static bool expect_comment(struct demo *d, const char *what)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	const char *path =
		demo_text(d, "/_sandbox/commerce/comments?order=%s", d->joined.entity_id);
	do
		if (!demo_tell_sandbox(d, "GET", path, NULL, 200))
			return false;
	while (!atoi(demo_field(d, "total")) && bc_elapsed_ms(&bc_clock_system) < end &&
	       demo_sleep(d, DEMO_POLL_MS));
	return !d->interrupted && demo_expect_field(d, "total", "1", what);
}

static bool tell_again(struct demo *d)
{
	if (!demo_tell_sandbox(d, "GET", "/_sandbox/events?limit=1", NULL, 200))
		return false;
	const char *event = demo_field(d, "events.0.event");
	demo_note(d, "Adobe delivers at least once: the same event is sent again");
	return demo_tell_sandbox(d, "POST", "/_sandbox/events/emit", event, 200) &&
	       demo_await_sender(d, 0) &&
	       demo_expect_field(d, "counts.acknowledged", demo_field(d, "counts.deliveries"),
				 "it is taken, as the one that the comment made was") &&
	       demo_partner_counts(d, TOKEN, 1, 1, "the partner was still asked once") &&
	       expect_comment(d, "and there is still one comment");
}

bool demo_step_event(struct demo *d)
{
	const char *order = d->joined.order;
	if (!show_event(d) ||
	    !demo_await(d, order, "state", "delivered",
			"the order is known here, and handed back") ||
	    !demo_partner_counts(d, TOKEN, 1, 1, "the partner was asked once and took it once") ||
	    !expect_comment(d, "the order in Commerce has a comment that says so"))
		return false;
	demo_print_block(d, "| ", demo_field(d, "comments.0.statusHistory.comment"));
	return demo_tell_sandbox(d, "GET", "/_sandbox/sender", NULL, 200) &&
	       demo_expect_field(d, "attempts.0.status", "200",
				 "the signed delivery of the event was answered 200") &&
	       tell_again(d) && demo_explain(d, order);
}
