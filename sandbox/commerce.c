/* SPDX-License-Identifier: MIT */
/*
 * The stand-in for Adobe Commerce: where its routes stand (below any tenant, with and without
 * /rest and a store view), whom it lets in, and its life.
 *
 * The order of the checks is that of a gateway before the shop: token, API key, organization, then
 * the route, then the permission, then the body's type.
 */
#include "sandbox/commerce.h"

#include <string.h>

#include "sandbox/ims.h"

/* ---- paths ---- */

/* First segments that are no tenant. */
static bool is_reserved(struct bc_str name)
{
	static const char *const names[] = { "", "rest", "V1", "async", "ims", "ext", "_sandbox" };

	for (size_t i = 0; i < BC_COUNT(names); i++)
		if (bc_str_eq(name, names[i]))
			return true;
	return false;
}

/* The segment that rest, which begins with '/', has first; rest then is what follows, with its
 * '/'. Empty at the end. */
static struct bc_str segment_take(struct bc_str *rest)
{
	struct bc_str segment = { rest->ptr, 0 };

	if (rest->len == 0)
		return segment;
	segment.ptr++;
	while (segment.len + 1 < rest->len && segment.ptr[segment.len] != '/')
		segment.len++;
	rest->ptr += segment.len + 1;
	rest->len -= segment.len + 1;
	return segment;
}

static struct bc_str segment_peek(struct bc_str rest)
{
	return segment_take(&rest);
}

static void resource_set(struct sandbox_call *call, const char *lead, struct bc_str tail)
{
	const char *text =
		bc_arena_printf(call->req->arena, "%s%.*s", lead, (int)tail.len, tail.ptr);

	if (text)
		call->resource = bc_str_of(text);
}

/* "/async/V1/..." and "/async/bulk/V1/..." of PaaS, put as SaaS has them. */
static void locate_async(struct sandbox_call *call, struct bc_str rest)
{
	bool bulk = bc_str_eq(segment_peek(rest), "bulk");

	if (bulk)
		segment_take(&rest);
	if (bc_str_eq(segment_take(&rest), "V1"))
		resource_set(call, bulk ? "/V1/async/bulk" : "/V1/async", rest);
}

static void locate_resource(struct sandbox_call *call, struct bc_str rest, bool paas)
{
	struct bc_str at = rest, name = segment_take(&rest);

	if (bc_str_eq(name, "V1") && !(paas && bc_str_eq(segment_peek(rest), "async")))
		call->resource = at;
	else if (bc_str_eq(name, "async") && paas)
		locate_async(call, rest);
}

static bool begins_resource(struct bc_str name)
{
	return bc_str_eq(name, "V1") || bc_str_eq(name, "async");
}

bool bc_commerce_locate(struct sandbox_call *call)
{
	struct bc_str rest = call->req->path, name = segment_peek(rest);
	bool paas;

	if (rest.len == 0 || rest.ptr[0] != '/')
		return false;
	if (!is_reserved(name)) {
		segment_take(&rest);
		name = segment_peek(rest);
	} else if (!bc_str_eq(name, "rest")) {
		return false;
	}
	paas = bc_str_eq(name, "rest");
	if (!paas && !begins_resource(name))
		return false;
	if (paas) {
		segment_take(&rest);
		if (!begins_resource(segment_peek(rest)))
			call->store = segment_take(&rest);
	}
	locate_resource(call, rest, paas);
	return true;
}

/* ---- who is let in ---- */

static bool refuse(struct sandbox_call *call, enum commerce_refusal why)
{
	call->sandbox->commerce->refusals[why]++;
	return false;
}

static bool token_refuse(struct sandbox_call *call, enum commerce_refusal why)
{
	if (why == COMMERCE_MISSING)
		bc_commerce_fail_acl(call, bc_commerce_acl_name(call->resource));
	else
		bc_commerce_describe(call, 401, NULL);
	return refuse(call, why);
}

static bool key_fits(struct sandbox_call *call, const struct ims_token *token)
{
	struct bc_str key = bc_http_header(call->req, "x-api-key");

	if (!key.ptr || (key.len == token->client_id.len &&
			 memcmp(key.ptr, token->client_id.ptr, key.len) == 0))
		return true;
	bc_commerce_fail(call, 401, "Api Key is invalid", NULL);
	return refuse(call, COMMERCE_API_KEY);
}

static bool org_fits(struct sandbox_call *call)
{
	const char *org = call->sandbox->ims->now.org_id;
	struct bc_str sent = bc_http_header(call->req, "x-gw-ims-org-id");

	if (!sent.ptr || !org || bc_str_eq(sent, org))
		return true;
	bc_commerce_describe(call, 403, NULL);
	return refuse(call, COMMERCE_ORG);
}

static bool token_fits(struct sandbox_call *call)
{
	enum commerce_tokens which = call->sandbox->commerce->settings.tokens;
	struct bc_str text = bc_ims_bearer(call->req);
	const struct ims_token *token = NULL;
	enum ims_life life;

	if (which == COMMERCE_OPEN)
		return true;
	if (!text.ptr)
		return token_refuse(call, COMMERCE_MISSING);
	if (which == COMMERCE_ANY)
		return true;
	life = bc_ims_token_look(call->sandbox->ims, text, bc_elapsed_ms(call->sandbox->clock),
				 &token);
	if (life != IMS_ALIVE)
		return token_refuse(call, life == IMS_DEAD ? COMMERCE_DEAD : COMMERCE_UNKNOWN);
	return key_fits(call, token) && org_fits(call);
}

static bool acl_allows(struct sandbox_call *call)
{
	const struct commerce_settings *s = &call->sandbox->commerce->settings;

	for (size_t i = 0; i < s->acl_count; i++) {
		const struct commerce_rule *rule = &s->acl[i];

		if (!bc_glob_match(rule->path, call->resource) ||
		    (rule->method && strcmp(rule->method, call->req->method) != 0))
			continue;
		bc_commerce_fail_acl(call, rule->resources ? rule->resources
							   : bc_commerce_acl_name(call->resource));
		return refuse(call, COMMERCE_ACL);
	}
	return true;
}

static bool body_has_type(struct sandbox_call *call)
{
	if (call->req->body.len == 0 || bc_http_header(call->req, "content-type").len > 0)
		return true;
	bc_commerce_fail(call, 400, "Content-Type header is empty.", NULL);
	return false;
}

static bool guard(struct sandbox_call *call)
{
	if (!token_fits(call))
		return false;
	return !call->route || (acl_allows(call) && body_has_type(call));
}

bool bc_commerce_read_key(struct sandbox_call *call, struct bc_str *ret_key)
{
	*ret_key = bc_ims_bearer(call->req);
	return ret_key->ptr != NULL;
}

/* ---- life ---- */

void bc_commerce_settings_default(struct commerce_settings *s)
{
	*s = (struct commerce_settings){ .repeat_last_page = true,
					 .page_size = 20,
					 .page_size_max = 300 };
}

void bc_commerce_settings_finish(struct commerce_settings *s)
{
	while (s->acl_count > 0) {
		struct commerce_rule *rule = &s->acl[--s->acl_count];

		free(rule->path);
		free(rule->method);
		free(rule->resources);
	}
}

struct commerce *bc_commerce_create(void)
{
	struct commerce *m = calloc(1, sizeof(*m));

	if (m)
		bc_commerce_settings_default(&m->settings);
	return m;
}

static void data_finish(struct commerce *m)
{
	bc_commerce_list_finish(&m->products);
	bc_commerce_list_finish(&m->orders);
	bc_commerce_list_finish(&m->carts);
	json_decref(m->comments);
	json_decref(m->bulks);
	m->comments = m->bulks = NULL;
	m->made = false;
}

void bc_commerce_destroy(struct commerce *m)
{
	if (!m)
		return;
	bc_commerce_settings_finish(&m->settings);
	data_finish(m);
	free(m);
}

void bc_commerce_reset(struct commerce *m)
{
	bc_commerce_settings_finish(&m->settings);
	data_finish(m);
	*m = (struct commerce){ 0 };
	bc_commerce_settings_default(&m->settings);
}

static bool data_make(struct commerce *m)
{
	m->products.id_field = "id";
	m->orders.id_field = "entity_id";
	m->comments = json_array();
	m->bulks = json_object();
	m->last_product = COMMERCE_PRODUCTS;
	m->last_order = m->last_increment = COMMERCE_FIRST_ORDER + COMMERCE_ORDERS - 1;
	m->last_quote = COMMERCE_QUOTE_AHEAD + m->last_order;
	m->made = m->comments && m->bulks && bc_commerce_make_products(&m->products) &&
		  bc_commerce_make_orders(&m->orders, &m->products);
	if (!m->made)
		data_finish(m);
	return m->made;
}

struct commerce *bc_commerce_of(struct sandbox_call *call)
{
	struct commerce *m = call->sandbox->commerce;

	if (m->made || data_make(m))
		return m;
	bc_commerce_fail_memory(call);
	return NULL;
}

static void refuse_path(struct sandbox_call *call)
{
	const char *allowed = call->known_path ? bc_sandbox_allowed(call) : NULL;

	bc_commerce_describe(call, call->known_path ? 405 : 404, NULL);
	if (allowed)
		call->answer.extra = bc_arena_printf(call->req->arena, "Allow: %s\r\n", allowed);
}

const struct sandbox_service bc_commerce_service = { .describe = bc_commerce_describe,
						     .guard = guard,
						     .refuse = refuse_path };
