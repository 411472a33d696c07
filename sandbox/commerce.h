/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox's Commerce knows: its products and orders, the comments that were posted, who
 * is let in. The data is made when it is first asked for, so that a sandbox that only plays
 * Sovendus costs nothing; it is the same on every start.
 *
 * commerce.c		where its paths stand, who is let in, its life
 * commerce_errors.c	error bodies
 * commerce_data.c	lists of things by key
 * commerce_products.c, commerce_orders.c, commerce_stores.c	the data, made at start
 * commerce_catalogue.c, commerce_sales.c	the routes over it
 * commerce_place.c	orders that come into being, are saved, are edited
 * commerce_desk.c	the same from behind the counter
 * graphql*.c, shop_page.c	the storefront
 * commerce_query.c, commerce_match.c, commerce_search.c, commerce_fields.c	searching
 */
#ifndef BC_SANDBOX_COMMERCE_H
#define BC_SANDBOX_COMMERCE_H

#include "sandbox/map.h"
#include "sandbox/service.h"

#define COMMERCE_JSON "application/json; charset=utf-8"
/* As PHP writes it: slashes and non-ASCII escaped. */
#define COMMERCE_DUMP                                                                              \
	(JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH | JSON_ENCODE_ANY |                  \
	 JSON_REAL_PRECISION(15))

enum {
	COMMERCE_PRODUCTS = 250, /* at start */
	COMMERCE_ORDERS = 120,
	COMMERCE_FIRST_ORDER = 201, /* entity_id; the last is 320 */
	COMMERCE_ITEMS_MAX = 10000, /* products, with those that were posted */
	COMMERCE_COMMENTS_MAX = 100000,
	COMMERCE_BULKS_MAX = 1000,
	COMMERCE_ACL_MAX = 32,
	COMMERCE_ANSWER_MAX = 64 * 1024 * 1024,
	COMMERCE_TIME_BYTES = 20,
	COMMERCE_INCREMENT_BYTES = 48,
	COMMERCE_QUOTE_AHEAD = 1589 /* quote_id of an order at the start: so much more */
};

/* ---- data ---- */

struct commerce_item {
	struct sandbox_node node; /* key: in data */
	json_t *json;		  /* owned */
	char *text;		  /* owned; the JSON as it is sent; NULL = not made yet */
	size_t text_bytes;
	char data[];
};

struct commerce_list {
	struct sandbox_map map;
	struct commerce_item **items; /* owned, as are they; in the order of their making */
	size_t count, cap;
	const char *id_field; /* "sku", "entity_id" */
};

struct commerce_item *bc_commerce_find(const struct commerce_list *list, struct bc_str key);
/* Takes json, whatever the result (NULL: no memory). The key must be new. */
struct commerce_item *bc_commerce_add(struct commerce_list *list, struct bc_str key, json_t *json);
void bc_commerce_remove(struct commerce_list *list, struct commerce_item *item);
void bc_commerce_changed(struct commerce_item *item); /* its JSON did */
/* The item as it is sent; absent without memory. */
struct bc_str bc_commerce_text(struct commerce_item *item);
void bc_commerce_list_finish(struct commerce_list *list);

/* Fills an empty list. False without memory. */
bool bc_commerce_make_products(struct commerce_list *list);
bool bc_commerce_make_orders(struct commerce_list *list, const struct commerce_list *products);
/* One with all the fields, for what a POST leaves out. */
json_t *bc_commerce_product_new(size_t number, const char *sku, const char *name, unsigned cents,
				const char *time);
/* The price of the nth product, from 0. */
unsigned bc_commerce_cents(size_t number);
json_t *bc_commerce_money(int64_t cents);
/* "2026-11-20 14:03:11", UTC. Returns text. */
char *bc_commerce_time(uint64_t wall_ms, char text[COMMERCE_TIME_BYTES]);

/* What an order is made of that is new, of a guest, in euros. */
struct commerce_wish {
	uint64_t entity_id, quote_id;
	const char *increment_id;  /* less than COMMERCE_INCREMENT_BYTES */
	const char *email;	   /* NULL = one of ours */
	const char *time;	   /* as bc_commerce_time writes it */
	const json_t *lines;	   /* borrowed; [{"product":{...},"quantity":1}], one at least */
	json_t *custom_attributes; /* borrowed; an array */
};
/* NULL without memory. */
json_t *bc_commerce_order_new(const struct commerce_wish *wish);

/* ---- orders that come into being or change: commerce_place.c ---- */

/* Sets the wish's entity_id, and its increment_id, written into text; nobody else gets them. */
void bc_commerce_reserve(struct commerce *m, struct commerce_wish *wish,
			 char text[COMMERCE_INCREMENT_BYTES]);
/* Keeps last_increment ahead of an increment_id that somebody else chose. */
void bc_commerce_increment_seen(struct commerce *m, const char *increment_id);
/* Puts a new order among the others. Takes it (NULL: no memory). NULL without memory. */
struct commerce_item *bc_commerce_enter(struct bc_sandbox *s, json_t *order, bool with_event);
/* An order's JSON changed: what it is sent as, and its event. False without memory. */
bool bc_commerce_saved(struct bc_sandbox *s, struct commerce_item *order, bool with_event);
/* What editing does: a new order "<increment>-1", with these changes, then the old one canceled.
 * Returns the new one; NULL without memory. */
struct commerce_item *bc_commerce_edit(struct bc_sandbox *s, struct commerce_item *old,
				       json_t *changes, bool with_event);

/* ---- who is let in ---- */

enum commerce_tokens {
	COMMERCE_ISSUED, /* tokens of the sandbox's own IMS */
	COMMERCE_ANY,	 /* any bearer token */
	COMMERCE_OPEN	 /* none is needed */
};

struct commerce_rule {
	char *path;	 /* owned; a glob for the resource */
	char *method;	 /* owned; NULL = any */
	char *resources; /* owned; NULL = what the route usually names */
};

struct commerce_settings {
	enum commerce_tokens tokens;
	struct commerce_rule acl[COMMERCE_ACL_MAX];
	size_t acl_count;
	bool repeat_last_page; /* a page past the end is the last one again */
	uint64_t page_size, page_size_max;
};

enum commerce_refusal {
	COMMERCE_MISSING,
	COMMERCE_UNKNOWN,
	COMMERCE_DEAD,
	COMMERCE_API_KEY,
	COMMERCE_ORG,
	COMMERCE_ACL
};
enum { COMMERCE_REFUSALS = COMMERCE_ACL + 1 };

struct commerce {
	struct commerce_settings settings;
	uint64_t refusals[COMMERCE_REFUSALS];
	bool made; /* the data */
	struct commerce_list products, orders;
	struct commerce_list carts; /* by masked id; see graphql_cart.c */
	/* Ids. The number of the last increment_id may run ahead of the last entity_id. */
	uint64_t last_product, last_comment, last_order, last_quote, last_increment;
	json_t *comments; /* owned; an array, as they were posted */
	json_t *bulks;	  /* owned; by uuid */
};

void bc_commerce_settings_default(struct commerce_settings *s);
void bc_commerce_settings_finish(struct commerce_settings *s);
/* The data, made if need be; NULL, with a 500 as answer, without memory. */
struct commerce *bc_commerce_of(struct sandbox_call *call);

/* ---- answers ---- */

/* Trimmed as ?fields= says. Takes body; NULL = no memory. */
void bc_commerce_answer(struct sandbox_call *call, int status, json_t *body);
/* The item whole, from its text, or trimmed. */
void bc_commerce_answer_item(struct sandbox_call *call, struct commerce_item *item);
/* {"message","parameters"}; takes parameters; NULL = none. */
void bc_commerce_fail(struct sandbox_call *call, int status, const char *message,
		      json_t *parameters);
/* The body for a status, see struct sandbox_service. */
void bc_commerce_describe(struct sandbox_call *call, int status, const char *message);
void bc_commerce_fail_memory(struct sandbox_call *call);
/* "%fieldName" is required. */
void bc_commerce_fail_required(struct sandbox_call *call, const char *field);
void bc_commerce_fail_missing(struct sandbox_call *call); /* no such entity */
void bc_commerce_fail_type(struct sandbox_call *call, struct bc_str value, const char *type);
void bc_commerce_fail_acl(struct sandbox_call *call, const char *resources);
/* "Magento_Sales::actions_view": what a route of this resource asks for. */
const char *bc_commerce_acl_name(struct bc_str resource);
/* The body's JSON, object or array; NULL, with a 400 as answer, when it is none. */
json_t *bc_commerce_read(struct sandbox_call *call);
/* The object in it under name; NULL with a 400. Takes nothing, borrows from body. */
json_t *bc_commerce_member(struct sandbox_call *call, const json_t *body, const char *name);

/* commerce_desk.c: orders from behind the counter */
sandbox_handler bc_desk_orders_post, bc_desk_order_put, bc_desk_order_edit;

/* ---- searching ---- */

enum { COMMERCE_FILTERS_MAX = 64, COMMERCE_SORTS_MAX = 8 };

struct commerce_filter {
	struct bc_str group, index; /* as they stand in brackets */
	struct bc_str field, value, condition;
};

struct commerce_sort {
	struct bc_str index;
	struct bc_str field, direction;
};

struct commerce_query {
	bool given; /* there is a searchCriteria at all */
	struct commerce_filter filters[COMMERCE_FILTERS_MAX];
	size_t filter_count;
	struct commerce_sort sorts[COMMERCE_SORTS_MAX];
	size_t sort_count;
	struct bc_str page_size, current_page; /* absent = not given */
	struct bc_str fields;
};

/* commerce_query.c: false = too many filters, or no memory. */
bool bc_commerce_query_read(const struct sandbox_call *call, struct commerce_query *ret_query);
/* The echo in an answer; filters by group, in the order of their coming. */
json_t *bc_commerce_query_json(const struct commerce_query *q, uint64_t page_size,
			       uint64_t current_page);
/* Only the parameter `fields`; absent when there is none. */
struct bc_str bc_commerce_query_fields(const struct sandbox_call *call);

/* commerce_match.c */
/* An item's value: a member, or one of its custom attributes; NULL = none. */
const json_t *bc_commerce_value(const json_t *item, struct bc_str field);
bool bc_commerce_condition_known(struct bc_str condition);
bool bc_commerce_matches(const struct commerce_query *q, const json_t *item);
int bc_commerce_compare(const json_t *a, const json_t *b);

/* commerce_search.c */
void bc_commerce_search(struct sandbox_call *call, struct commerce_list *list);

/* commerce_fields.c: what `spec` ("items[sku,price],total_count") leaves; NULL without memory. */
json_t *bc_commerce_trim(json_t *value, struct bc_str spec);

#endif
