/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's one table of routes, and the finding of the row that fits a request. Commerce
 * answers below any tenant and store view, so its rows are held against what is left of the path
 * then (bc_commerce_locate); its HEAD is a GET. Paths that belong to no service are Sovendus's,
 * which says "Invalid API call." to them.
 */
#include <string.h>

#include "sandbox/commerce.h"
#include "sandbox/events.h"
#include "sandbox/graphql.h"
#include "sandbox/service.h"

#define CONTROL "/_sandbox"
#define IMS	.service = &bc_ims_service, .read_key = bc_ims_read_key
#define SHOP	.service = &bc_commerce_service, .read_key = bc_commerce_read_key
#define STREAM	"organizations/{org}/integrations/{credential}/{registration}"
#define SINK	"/V1/_sink"

/* clang-format off */
static const struct sandbox_route routes[] = {
	{ .method = "POST", .pattern = "/ext/{product}/{token}/api", .handle = bc_sovendus_hand_back,
	  .arrived = bc_sovendus_arrived, .read_key = bc_sovendus_read_key, .service = &bc_sovendus_service,
	  .help = "Sovendus: hand a token back, body {\"apiKey\":\"...\"}" },

	{ "POST", "/ims/token/v2", bc_ims_token, bc_ims_arrived, IMS, .help = "IMS: client credentials for a token" },
	{ "POST", "/ims/token/v3", bc_ims_token, bc_ims_arrived, IMS, .help = "the same" },
	{ "POST", "/ims/token/v4", bc_ims_token, bc_ims_arrived, IMS, .help = "the same" },
	{ "GET", "/ims/validate_token/v1", bc_ims_validate, IMS, .help = "is this token good?" },
	{ "POST", "/ims/validate_token/v1", bc_ims_validate, IMS, .help = "the same" },
	{ "GET", "/ims/.well-known/openid-configuration", bc_ims_discovery, IMS, .help = "where things are" },

	{ "GET", "/V1/products/{sku}", bc_commerce_product, SHOP, .help = "one product" },
	{ "GET", "/V1/products", bc_commerce_products, SHOP, .help = "Commerce, below /TENANT, /rest, /rest/STORE or /TENANT/rest/STORE: search; ?searchCriteria..., ?fields=" },
	{ "POST", "/V1/products", bc_commerce_product_post, SHOP, .help = "{\"product\":{\"sku\":...}}" },
	{ "PUT", "/V1/products/{sku}", bc_commerce_product_put, SHOP, .help = "the same, for this SKU" },
	{ "DELETE", "/V1/products/{sku}", bc_commerce_product_delete, SHOP, .help = "true" },
	{ "GET", "/V1/orders", bc_commerce_orders, SHOP, .help = "search" },
	{ "GET", "/V1/orders/{id}", bc_commerce_order, SHOP, .help = "one order, by entity_id" },
	{ "GET", "/V1/orders/{id}/statuses", bc_commerce_order_status, SHOP, .help = "its status, a bare text" },
	{ "GET", "/V1/orders/{id}/comments", bc_commerce_order_comments, SHOP, .help = "its comments" },
	{ "POST", "/V1/orders/{id}/comments", bc_commerce_order_comment, SHOP, .help = "{\"statusHistory\":{...}}: true" },
	{ "GET", "/V1/store/{list}", bc_commerce_static, SHOP, .help = "storeConfigs, storeViews, storeGroups or websites" },
	{ "GET", "/V1/directory/{list}", bc_commerce_static, SHOP, .help = "countries or currency" },
	{ "GET", "/V1/directory/countries/{id}", bc_commerce_country, SHOP, .help = "one country" },
	{ "POST", "/V1/async/bulk/{path*}", bc_commerce_async_bulk, SHOP, .help = "many at once, answered 202; on PaaS /async/bulk/V1/..." },
	{ "PUT", "/V1/async/bulk/{path*}", bc_commerce_async_bulk, SHOP, .help = "the same" },
	{ "DELETE", "/V1/async/bulk/{path*}", bc_commerce_async_bulk, SHOP, .help = "the same" },
	{ "POST", "/V1/async/{path*}", bc_commerce_async, SHOP, .help = "answered 202; on PaaS /async/V1/..." },
	{ "PUT", "/V1/async/{path*}", bc_commerce_async, SHOP, .help = "the same" },
	{ "DELETE", "/V1/async/{path*}", bc_commerce_async, SHOP, .help = "the same" },
	{ "GET", "/V1/bulk/{uuid}/status", bc_commerce_bulk_status, SHOP, .help = "what became of it" },
	{ "GET", "/V1/_large", bc_commerce_large, SHOP, .help = "not Adobe's: ?bytes=1GiB, and &chunked=1, &cut=BYTES" },
	{ "POST", SINK, bc_commerce_sink, SHOP, .streams = true, .help = "not Adobe's: takes any body, says how long it was and its SHA-256" },

	{ "POST", "/graphql", bc_graphql_post, .service = &bc_graphql_service, .help = "the storefront, no token needed: cart, createGuestCart, createEmptyCart, setCustomAttributesOnCart, addProductsToCart, setGuestEmailOnCart, placeOrder" },
	{ "GET", "/graphql", bc_graphql_get, .service = &bc_graphql_service, .help = "a query: ?query=, ?variables=" },
	{ "OPTIONS", "/graphql", bc_graphql_options, .service = &bc_graphql_service, .help = "a browser's preflight" },
	{ "POST", "/{tenant}/graphql", bc_graphql_post, .service = &bc_graphql_service, .help = "the same" },
	{ "GET", "/{tenant}/graphql", bc_graphql_get, .service = &bc_graphql_service, .help = "the same" },
	{ "OPTIONS", "/{tenant}/graphql", bc_graphql_options, .service = &bc_graphql_service, .help = "the same" },
	{ "GET", "/shop", bc_shop_page, .help = "a shop to click through; ?capture=URL loads that script, ?data-NAME=VALUE is an attribute of its tag" },
	{ "GET", "/shop/{page}", bc_shop_page, .help = "the same: /shop/checkout has the button that orders" },

	{ "GET", "/events/" STREAM, bc_journal_read, .service = &bc_journal_service, .help = "Journaling API: ?since=POSITION, ?limit=, ?latest=true, ?seek=-PT2H" },
	{ "GET", "/events-fast/" STREAM, bc_journal_read, .service = &bc_journal_service, .help = "the same" },
	{ "GET", "/prod/keys/{name}", bc_sender_key, .service = &bc_sender_service, .help = "I/O Events: the public keys of what the sender signs" },
	{ "GET", "/csm/registrations/validate", bc_sender_validate, .service = &bc_sender_service, .help = "the validation URL of the sender's registration" },

	{ "GET", CONTROL, bc_control_help, .help = "this text" },
	{ "DELETE", CONTROL, bc_control_reset, .help = "everything as at the start, without faults" },
	{ "GET", CONTROL "/health", bc_control_health, .help = "alive, and how much it was asked" },
	{ "GET", CONTROL "/requests", bc_control_requests, .help = "what was asked; ?path=PREFIX, ?since=N" },
	{ "DELETE", CONTROL "/requests", bc_control_requests_clear, .help = "forget it" },
	{ "GET", CONTROL "/calls", bc_control_calls, .help = "how often, by route and answer" },
	{ "DELETE", CONTROL "/calls", bc_control_calls_clear, .help = "count from nothing" },
	{ "GET", CONTROL "/counts", bc_sovendus_counts, .help = "by token: posted, taken, taken again; ?token=T" },
	{ "DELETE", CONTROL "/counts", bc_sovendus_counts_clear, .help = "count from nothing" },
	{ "GET", CONTROL "/faults", bc_control_faults, .help = "the rules, and how often each struck" },
	{ "POST", CONTROL "/faults", bc_control_faults_set, .help = "these rules instead: text, or {\"faults\":\"...\"}" },
	{ "DELETE", CONTROL "/faults", bc_control_faults_clear, .help = "no faults" },
	{ "GET", CONTROL "/tokens", bc_sovendus_tokens, .help = "which tokens are known" },
	{ "POST", CONTROL "/tokens", bc_sovendus_tokens_set, .help = "{\"unknown\":[GLOB...],\"known\":[GLOB...]}" },
	{ "DELETE", CONTROL "/tokens", bc_sovendus_tokens_clear, .help = "all but unknown*" },
	{ "GET", CONTROL "/products", bc_sovendus_products, .help = "product ids, and whether a key is asked for" },
	{ "POST", CONTROL "/products", bc_sovendus_products_set, .help = "these instead: {\"products\":[{\"id\":\"...\",\"key\":\"...\"}]}" },
	{ "DELETE", CONTROL "/products", bc_sovendus_products_clear, .help = "those of the start" },
	{ "GET", CONTROL "/ims", bc_ims_show, .help = "the credential, and how tokens are made" },
	{ "POST", CONTROL "/ims", bc_ims_set, .help = "any of client_id, org_id, secrets, scopes, lifetime, expires_in, opaque, granted" },
	{ "DELETE", CONTROL "/ims", bc_ims_clear, .help = "as at the start; every token is forgotten" },
	{ "POST", CONTROL "/ims/secrets", bc_ims_secrets_add, .help = "{\"secret\":\"...\"}: one more; two are the most" },
	{ "DELETE", CONTROL "/ims/secrets/{fingerprint}", bc_ims_secrets_delete, .help = "this one no longer" },
	{ "POST", CONTROL "/ims/expire", bc_ims_expire, .help = "every token issued so far is dead, or {\"token\":\"...\"}" },
	{ "GET", CONTROL "/ims/counts", bc_ims_counts, .help = "token requests by result, secret and form" },
	{ "DELETE", CONTROL "/ims/counts", bc_ims_counts_clear, .help = "count from nothing" },
	{ "GET", CONTROL "/commerce", bc_commerce_show, .help = "what Commerce lets in, and how it pages" },
	{ "POST", CONTROL "/commerce", bc_commerce_set, .help = "any of tokens, acl, repeat_last_page, page_size, page_size_max" },
	{ "DELETE", CONTROL "/commerce", bc_commerce_clear, .help = "as at the start, the data too" },
	{ "GET", CONTROL "/commerce/comments", bc_commerce_comments, .help = "the comments that were posted; ?order=ENTITY_ID" },
	{ "DELETE", CONTROL "/commerce/comments", bc_commerce_comments_clear, .help = "forget them" },
	{ "POST", CONTROL "/orders", bc_desk_orders_post, .help = "an order of these members, a list of them, or {\"count\":N,\"template\":{...}}; ?event=0" },
	{ "PUT", CONTROL "/orders/{id}", bc_desk_order_put, .help = "changes it and saves it; ?event=0" },
	{ "POST", CONTROL "/orders/{id}/edit", bc_desk_order_edit, .help = "what editing does: NUMBER-1, and this one canceled; ?event=0" },
	{ "GET", CONTROL "/events", bc_events_show, .help = "what events say about themselves, and which there are; ?since=NUMBER, ?limit=100" },
	{ "POST", CONTROL "/events", bc_events_set, .help = "any of client_id, type, spelling" },
	{ "PUT", CONTROL "/events", bc_events_set, .help = "the same" },
	{ "DELETE", CONTROL "/events", bc_events_clear, .help = "no events; what they say as at the start" },
	{ "POST", CONTROL "/events/emit", bc_events_emit, .help = "an envelope, a list of them, or {\"count\":N,\"template\":{...}}" },
	{ "GET", CONTROL "/journal", bc_journal_show, .help = "how the journal pages and forgets, and what it was asked" },
	{ "POST", CONTROL "/journal", bc_journal_set, .help = "any of page_max, keep_ms, retry_after, hide_retry_after, next_moves, need_scope" },
	{ "PUT", CONTROL "/journal", bc_journal_set, .help = "the same" },
	{ "DELETE", CONTROL "/journal", bc_journal_clear, .help = "as at the start, counted from nothing; the events stay" },
	{ "POST", CONTROL "/journal/forget", bc_journal_forget, .help = "{\"oldest\":N}: so many of the oldest events are gone" },
	{ "GET", CONTROL "/sender", bc_sender_show, .help = "the event sender: registration, counts, keys, the last attempts" },
	{ "PUT", CONTROL "/sender", bc_sender_set, .help = "any of url, batch, reorder, duplicates, schedule_ms, keys, key_path, key_host..." },
	{ "POST", CONTROL "/sender", bc_sender_set, .help = "the same" },
	{ "DELETE", CONTROL "/sender", bc_sender_clear, .help = "no registration; what waits is dropped" },
	{ "POST", CONTROL "/sender/rotate", bc_sender_rotate, .help = "two new keys at new paths" },
	{ "GET", CONTROL "/webhook", bc_webhook_show, .help = "the hook that is asked before an order is placed, its key, its answers" },
	{ "PUT", CONTROL "/webhook", bc_webhook_set, .help = "any of url, kind, required, signed, timeout_ms, soft_timeout_ms" },
	{ "POST", CONTROL "/webhook", bc_webhook_set, .help = "the same" },
	{ "DELETE", CONTROL "/webhook", bc_webhook_clear, .help = "no hook" },
	{ "POST", CONTROL "/webhook/rotate", bc_webhook_rotate, .help = "a new key pair" },
};
/* clang-format on */

bool bc_sandbox_decode(struct bc_arena *arena, struct bc_str text, bool plus_is_space,
		       struct bc_str *ret_value)
{
	struct bc_buf out;
	char *copy = NULL;

	*ret_value = text;
	if (text.len == 0 || (!memchr(text.ptr, '%', text.len) &&
			      !(plus_is_space && memchr(text.ptr, '+', text.len))))
		return true;
	bc_buf_init(&out, text.len);
	if (bc_percent_decode(&out, text, plus_is_space) == 0)
		copy = bc_arena_dup(arena, out.data, out.len);
	*ret_value = (struct bc_str){ copy, out.len };
	bc_buf_finish(&out);
	return copy != NULL;
}

/* One name in braces: keeps what fits it. */
static bool part_fits(struct sandbox_call *call, struct bc_str name, struct bc_str segment)
{
	if (segment.len == 0 || call->part_count == SANDBOX_PARTS_MAX)
		return false;
	call->parts[call->part_count].name = name;
	return bc_sandbox_decode(call->req->arena, segment, false,
				 &call->parts[call->part_count++].value);
}

/* Does the path fit? Fills the call's parts as far as it does. */
static bool pattern_fits(const char *pattern, struct bc_str path, struct sandbox_call *call)
{
	struct bc_str want = bc_str_of(pattern);

	call->part_count = 0;
	while (want.ptr && path.ptr) {
		struct bc_str name = bc_str_split(&want, '/'), whole = path;
		struct bc_str segment = bc_str_split(&path, '/');

		if (name.len < 2 || name.ptr[0] != '{') {
			if (name.len != segment.len || memcmp(name.ptr, segment.ptr, name.len) != 0)
				return false;
			continue;
		}
		name = (struct bc_str){ name.ptr + 1, name.len - 2 };
		if (name.ptr[name.len - 1] == '*')
			return part_fits(call, (struct bc_str){ name.ptr, name.len - 1 }, whole);
		if (!part_fits(call, name, segment))
			return false;
	}
	return !want.ptr && !path.ptr;
}

static bool row_is_commerce(const struct sandbox_route *row)
{
	return row->service == &bc_commerce_service;
}

static bool method_fits(const struct sandbox_route *row, const char *method)
{
	return strcmp(row->method, method) == 0 ||
	       (row_is_commerce(row) && strcmp(method, "HEAD") == 0 &&
		strcmp(row->method, "GET") == 0);
}

static bool path_fits(const struct sandbox_route *row, struct sandbox_call *call)
{
	bool commerce = call->service == &bc_commerce_service;

	if (commerce != row_is_commerce(row) || (commerce && !call->resource.ptr))
		return false;
	return pattern_fits(row->pattern, commerce ? call->resource : call->req->path, call);
}

void bc_sandbox_find(struct sandbox_call *call)
{
	for (size_t i = 0; i < BC_COUNT(routes); i++) {
		bool same = method_fits(&routes[i], call->req->method);

		if ((!same && call->known_path) || !path_fits(&routes[i], call))
			continue;
		call->known_path = true;
		if (same) {
			call->route = &routes[i];
			return;
		}
	}
	if (!call->known_path)
		call->part_count = 0;
}

/* Whatever asks for a key is the key host's, so that it can count those that are none. */
static bool path_is_sender(struct bc_str path)
{
	return bc_str_starts(path, "/prod/keys") || bc_str_starts(path, "/csm/") ||
	       (path.len > 4 && memcmp(path.ptr + path.len - 4, ".pem", 4) == 0);
}

/* "/graphql" and "/TENANT/graphql". */
static bool path_is_store(struct bc_str path)
{
	static const char tail[] = "/graphql";
	size_t n = sizeof(tail) - 1;

	return path.len >= n && memcmp(path.ptr + path.len - n, tail, n) == 0;
}

void bc_sandbox_route(struct sandbox_call *call)
{
	if (bc_commerce_locate(call))
		call->service = &bc_commerce_service;
	else if (bc_str_starts(call->req->path, "/ims/"))
		call->service = &bc_ims_service;
	else if (path_is_store(call->req->path))
		call->service = &bc_graphql_service;
	else if (bc_str_starts(call->req->path, "/events/") ||
		 bc_str_starts(call->req->path, "/events-fast/"))
		call->service = &bc_journal_service;
	else if (path_is_sender(call->req->path))
		call->service = &bc_sender_service;
	else
		call->service = &bc_sovendus_service;
	bc_sandbox_find(call);
}

bool bc_sandbox_streams(const struct bc_http_request *req)
{
	struct bc_str path = req->path;
	size_t tail = sizeof(SINK) - 1;

	return strcmp(req->method, "POST") == 0 && path.len > tail &&
	       memcmp(path.ptr + path.len - tail, SINK, tail) == 0;
}

const char *bc_sandbox_allowed(struct sandbox_call *call)
{
	const char *list = NULL;

	for (size_t i = 0; i < BC_COUNT(routes); i++)
		if (path_fits(&routes[i], call))
			list = bc_arena_printf(call->req->arena, "%s%s%s", list ? list : "",
					       list ? ", " : "", routes[i].method);
	return list;
}

struct bc_str bc_sandbox_part(const struct sandbox_call *call, const char *name)
{
	for (size_t i = 0; i < call->part_count; i++)
		if (bc_str_eq(call->parts[i].name, name))
			return call->parts[i].value;
	return (struct bc_str){ 0 };
}

bool bc_sandbox_query(const struct sandbox_call *call, const char *name, struct bc_str *ret_value)
{
	struct bc_str query = call->req->query;

	while (query.ptr) {
		struct bc_str value = bc_str_split(&query, '&');

		if (bc_str_eq(bc_str_split(&value, '='), name))
			return value.ptr &&
			       bc_sandbox_decode(call->req->arena, value, false, ret_value);
	}
	return false;
}

static int help_routes(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, "Routes\n");

	for (size_t i = 0; rc == 0 && i < BC_COUNT(routes); i++)
		rc = bc_buf_addf(out, "  %-6s %-36s %s\n", routes[i].method, routes[i].pattern,
				 routes[i].help);
	return rc;
}

int bc_sandbox_help(struct bc_buf *out)
{
	static const char *const titles[] = {
		[BC_FAULT_WHAT] = "\nFaults: rules of [METHOD] [PATH-GLOB] FAULT [WORD...]\n",
		[BC_FAULT_SHAPE] = "\nWords that shape a fault\n",
		[BC_FAULT_SELECTOR] = "\nWords that choose requests\n",
	};
	const struct bc_fault_word *w;
	int role = -1, rc = help_routes(out);

	for (size_t i = 0; rc == 0 && (w = bc_fault_word_at(i)); i++) {
		if ((int)w->role != role)
			rc = bc_buf_adds(out, titles[w->role]);
		role = (int)w->role;
		if (rc == 0)
			rc = bc_buf_addf(out, "  %s%-*s %s\n", w->name, 24 - (int)strlen(w->name),
					 w->arg, w->help);
	}
	return rc;
}
