/* SPDX-License-Identifier: MIT */
/*
 * See edge_impl.h: GET and POST /v1/c, where a page tells of a landing. The answer is 204 whatever
 * comes: but for the cookie, which follows from the URL alone, nobody learns from it what is known
 * here, and it carries no header that would let a page of another site read it.
 *
 * The click is on disk before its cookie names it ("c.<id>"). Where the store refuses, the cookie
 * carries the token itself ("t.<token>", or "p.<product>.<token>" where that is not the first one),
 * which needs nothing of us until the order.
 *
 * What an attacker can reach: he may invent tokens, as he may by calling the shop's own pages. He
 * may not plant one in somebody else's browser by an image or a frame: a request that another site
 * made, and that is no visit, does not count.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/clicks.h"
#include "core/landing.h"
#include "daemon/edge_impl.h"

enum { COOKIE_LINE_BYTES = 768 };

static const char cookie_name[] = "bc_click";
static const char no_store[] = "Cache-Control: no-store\r\n";

/* --- where it comes from --------------------------------------------------------------------- */

/* Browsers say where a request comes from and what for, and let no page change it. Those that do
 * not (old ones, and programs) are believed. */
static bool is_own(const struct bc_http_request *req)
{
	struct bc_str site = bc_http_header(req, "sec-fetch-site");
	struct bc_str dest = bc_http_header(req, "sec-fetch-dest");
	if (!site.ptr && !dest.ptr)
		return true;
	return bc_str_eq(site, "same-origin") || bc_str_eq(site, "same-site") ||
	       bc_str_eq(dest, "document");
}

/* A text body is a form, or the URL itself. */
static struct bc_str body_url(struct edge_call *call)
{
	struct bc_str url = edge_form_value(call, call->body, "u");
	struct bc_str text = bc_str_trim(call->body);
	while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	if (!url.len && (bc_str_starts(text, "http") || bc_str_starts(text, "/")))
		return text;
	return url;
}

static struct bc_str landing_url(struct edge_call *call)
{
	struct bc_str url = edge_query(call, "u");
	if (!url.len && call->body.ptr)
		url = body_url(call);
	return url.len ? url : bc_http_header(call->http, "referer");
}

/* The value of the visitor's click cookie, if it names a click by its id. */
static struct bc_str known_click(const struct bc_http_request *req)
{
	struct bc_str rest = bc_http_header(req, "cookie");
	struct bc_click_name name;
	while (rest.ptr) {
		struct bc_str value = bc_str_split(&rest, ';'), key = bc_str_split(&value, '=');
		value = bc_str_trim(value);
		if (value.ptr && bc_str_eq(bc_str_trim(key), cookie_name) &&
		    bc_str_starts(value, "c.") && !bc_click_name_read(value, &name, NULL) &&
		    name.what == BC_NAMED_ID)
			return value;
	}
	return (struct bc_str){ NULL, 0 };
}

/* --- the answer ------------------------------------------------------------------------------ */

static void end(struct edge_call *call, enum bc_landing landing, const char *extra)
{
	atomic_fetch_add_explicit(&call->edge->shop->stats.landings[landing], 1,
				  memory_order_relaxed);
	edge_empty(call, 204, extra);
}

static void end_with_cookie(struct edge_call *call, enum bc_landing landing, const char *value)
{
	const char *domain = call->edge->settings->edge_cookie_domain;
	uint64_t seconds = call->edge->desk.config->click_ttl_ms / 1000;
	char line[COOKIE_LINE_BYTES];
	int len = snprintf(line, sizeof(line),
			   "%sSet-Cookie: %s=%s; Path=/; Max-Age=%llu; HttpOnly; Secure; "
			   "SameSite=Lax%s%s\r\n",
			   no_store, cookie_name, value, (unsigned long long)seconds,
			   domain ? "; Domain=" : "", domain ? domain : "");
	BC_ASSERT(len > 0 && len < COOKIE_LINE_BYTES); /* of a domain there are 253 bytes at most */
	end(call, landing, line);
}

/* The store cannot keep it: the browser does. */
static void keep_in_cookie(struct edge_call *call, struct bc_str url)
{
	const struct bc_shop_config *config = call->edge->desk.config;
	const struct bc_product *product = NULL;
	char token[BC_TOKEN_MAX + 1], value[BC_CLICK_COOKIE_BYTES];
	if (bc_landing_find(config, url, NULL, token, &product) != 1) {
		end(call, BC_LANDING_NOTHING, no_store);
		return;
	}
	if (product && product != config->products)
		snprintf(value, sizeof(value), "p.%s.%s", product->label, token);
	else
		snprintf(value, sizeof(value), "t.%s", token);
	end_with_cookie(call, BC_LANDING_COOKIE, value);
}

static void captured(void *ctx, int result, const struct bc_err *err, const struct bc_captured *c)
{
	struct edge_call *call = ctx;
	struct bc_str *url = call->extra;
	if (!result) {
		end_with_cookie(call, BC_LANDING_STORED, c->click);
		return;
	}
	bc_log_debug("edge.not_stored", BC_LS("id", call->http->id), BC_LS("problem", err->text));
	keep_in_cookie(call, *url);
}

static void capture(struct edge_call *call, struct bc_str url)
{
	struct bc_edge *e = call->edge;
	struct bc_capture in = { .url = url, .click = known_click(call->http) };
	struct bc_captured now = { 0 };
	const char *field;
	struct bc_err err = { 0 };
	struct bc_str *kept = bc_arena_alloc(call->http->arena, sizeof(*kept));
	int result = kept ? 0 : BC_ENOMEM;
	if (kept) {
		*kept = url;
		call->extra = kept;
		result = bc_clicks_capture(&e->desk, call->http->arena, &in, captured, call, &now,
					   &field, &err);
	}
	if (result == BC_ENOMEM)
		keep_in_cookie(call, url);
	else if (result)
		end(call, BC_LANDING_NOTHING, no_store);
}

/* --- too many -------------------------------------------------------------------------------- */

static void tell_limited(struct bc_edge *e, const struct bc_address *visitor)
{
	static const struct bc_address nobody;
	bool proxied =
		bc_address_is_loopback(visitor) || memcmp(visitor, &nobody, sizeof(nobody)) == 0;
	uint64_t landings = edge_tally_count(&e->limited, e);
	if (landings)
		bc_log_warning(
			"edge.limited", BC_LU("landings", landings),
			BC_LS("hint", proxied ? "the web server in front names no visitor, so all "
						"count as one: let it set X-Forwarded-For"
					      : "one address told of more than edge.rate; if that "
						"is a proxy, name it in edge.trusted_proxies"));
}

static bool is_limited(struct edge_call *call)
{
	struct bc_edge *e = call->edge;
	if (bc_rate_limit_take(e->limit, &call->visitor, bc_elapsed_ms(e->shop->clock)))
		return false;
	tell_limited(e, &call->visitor);
	return true;
}

void edge_landing(struct edge_call *call)
{
	struct bc_str url = { NULL, 0 };
	if (!is_own(call->http)) {
		end(call, BC_LANDING_FOREIGN, no_store);
		return;
	}
	if (is_limited(call)) {
		end(call, BC_LANDING_LIMITED, no_store);
		return;
	}
	if (!call->too_large)
		url = landing_url(call);
	if (url.len)
		capture(call, url);
	else
		end(call, BC_LANDING_NOTHING, no_store);
}

/* --- life ------------------------------------------------------------------------------------ */

int edge_open_beacon(struct bc_edge *e, struct bc_err *err)
{
	const struct bc_settings *s = e->settings;
	e->limit = bc_rate_limit_create(s->edge_rate_per_hour, s->edge_burst);
	int result = e->limit ? edge_read_trusted(e, err) : bc_err_nomem(err);
	if (result)
		edge_destroy_beacon(e);
	return result;
}

void edge_reconfigure_beacon(struct bc_edge *e)
{
	const struct bc_settings *s = e->settings;
	bc_rate_limit_set(e->limit, s->edge_rate_per_hour, s->edge_burst);
	if (edge_read_trusted(e, NULL))
		bc_log_warning("settings.warning",
			       BC_LS("problem", "no memory for edge.trusted_proxies"),
			       BC_LS("hint", "those of before stay in force: send SIGHUP again"));
}

void edge_destroy_beacon(struct bc_edge *e)
{
	bc_rate_limit_destroy(e->limit);
	e->limit = NULL;
	free(e->trusted);
	e->trusted = NULL;
}
