/* SPDX-License-Identifier: MIT */
/*
 * See check.h: the way of a call to Commerce. The token endpoint's name and certificate, a token,
 * Commerce's name and certificate, and at last the cheapest call that needs a right, which tells
 * role, organization and base URL apart. A running daemon's token is used: a monitor that runs
 * check by the minute costs no token requests.
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/call.h"
#include "cli/check.h"
#include "cli/credential.h"
#include "cli/json_text.h"
#include "cli/remote.h"

#define CHEAP_CALL "/V1/store/storeConfigs"
#define NEWEST_ORDER                                                                               \
	"/V1/orders?searchCriteria[pageSize]=1"                                                    \
	"&searchCriteria[sortOrders][0][field]=entity_id"                                          \
	"&searchCriteria[sortOrders][0][direction]=DESC"

/* --- names and certificates ------------------------------------------------------------------ */

/* The endpoint follows from one of two settings. */
static const char *oauth_setting(const struct bc_settings *s)
{
	return s->oauth_token_url ? "oauth.token_url" : "IMS_BASE_URL";
}

void check_oauth_name(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	check_name(w, h, s->oauth_endpoint, s->commerce_proxy, oauth_setting(s), "commerce.proxy");
	w->stop[CHECK_OAUTH] |= h->verdict == CHECK_WRONG;
}

void check_oauth_tls(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	const struct check_peer peer = { s->oauth_endpoint, s->commerce_proxy, s->commerce_ca_file,
					 oauth_setting(s), "commerce.proxy" };
	check_tls(w, h, &peer);
	w->stop[CHECK_OAUTH] |= h->verdict == CHECK_WRONG;
}

void check_commerce_name(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	check_name(w, h, s->commerce_base_url, s->commerce_proxy, "API_ENDPOINT", "commerce.proxy");
	w->stop[CHECK_COMMERCE] |= h->verdict == CHECK_WRONG;
}

void check_commerce_tls(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	const struct check_peer peer = { s->commerce_base_url, s->commerce_proxy,
					 s->commerce_ca_file, "API_ENDPOINT", "commerce.proxy" };
	check_tls(w, h, &peer);
	w->stop[CHECK_COMMERCE] |= h->verdict == CHECK_WRONG;
}

/* --- a token --------------------------------------------------------------------------------- */

/* What the running daemon thinks of its credential. */
struct daemons_view {
	bool runs, usable;
	char problem[BC_ERR_TEXT_BYTES]; /* "" = none */
	char hint[BC_ERR_HINT_BYTES];
};

static void borrow_token(struct check_walk *w)
{
	struct bc_reply reply;
	(void)bc_remote_ask(w->settings, "GET", "/v1/token?show=1", &reply);
	const char *token = bc_json_text(reply.json, "access_token");
	if (token[0])
		w->token = bc_secret_create(token, strlen(token));
	bc_reply_finish(&reply);
}

static void tell_daemons(struct check_hop *h, const struct daemons_view *v, const json_t *view)
{
	char left[48];
	json_int_t seconds = json_integer_value(json_object_get(view, "expires_in"));
	bc_format_span((uint64_t)seconds * 1000, left, sizeof(left));
	if (!v->problem[0]) {
		check_say(h, CHECK_OK, "the daemon's is good for %s", left);
		return;
	}
	check_say(h, CHECK_WARNING, "the daemon's is good for %s, but gets no successor: %s", left,
		  v->problem);
	check_advise(h, "%s", v->hint);
}

static struct daemons_view ask_daemon(struct check_walk *w, struct check_hop *h)
{
	struct daemons_view v = { 0 };
	struct bc_reply reply;
	enum bc_exit result = bc_remote_ask(w->settings, "GET", "/v1/token", &reply);
	const char *state = bc_json_text(reply.json, "state");
	v.runs = !result && reply.status > 0;
	v.usable = !strcmp(state, "fresh") || !strcmp(state, "stale");
	snprintf(v.problem, sizeof(v.problem), "%s",
		 bc_json_text(reply.json, reply.status == 200 ? "problem" : "detail"));
	snprintf(v.hint, sizeof(v.hint), "%s", bc_json_text(reply.json, "hint"));
	if (v.usable)
		tell_daemons(h, &v, reply.json);
	bc_reply_finish(&reply);
	return v;
}

/* Here it works, in the daemon it does not: they do not go by the same settings. */
static void tell_our_own(struct check_hop *h, const struct daemons_view *v,
			 const struct bc_credential *c)
{
	char left[48];
	bc_format_span(c->view.expires_in_ms, left, sizeof(left));
	if (v->runs && v->problem[0]) {
		check_say(h, CHECK_WARNING,
			  "these settings are granted one, but the running daemon has none: %s",
			  v->problem);
		check_advise(h, "have it read its settings again (systemctl reload backchannel); "
				"Commerce that was off when it started needs a restart");
		return;
	}
	check_say(h, CHECK_OK, "%s, good for %s%s",
		  c->cached ? "oauth.cache_file has one" : "one was granted", left,
		  c->view.on_next_secret ? "; only the next secret is accepted" : "");
}

static void warn_of_cache(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	if (h->verdict != CHECK_OK || !bc_credential_check_cache(w->settings, &err))
		return;
	check_say(h, CHECK_WARNING, "one was granted, but is not kept: %s", err.text);
	check_advise(h, "%s", err.hint);
}

static void fetch_token(struct check_walk *w, struct check_hop *h, const struct daemons_view *v)
{
	struct bc_credential c;
	struct bc_err err = { 0 };
	int result = bc_credential_fetch(w->settings, &c, &err);
	if (result) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
		h->exit = result == BC_EAUTH	? BC_EXIT_REFUSED
			  : result == BC_EINVAL ? BC_EXIT_FAILED
						: BC_EXIT_UNREACHABLE;
	} else {
		w->token = bc_secret_ref(c.token);
		tell_our_own(h, v, &c);
		warn_of_cache(w, h);
	}
	bc_credential_finish(&c);
}

void check_oauth_token(struct check_walk *w, struct check_hop *h)
{
	struct daemons_view v = ask_daemon(w, h);
	if (v.usable)
		borrow_token(w);
	else
		fetch_token(w, h, &v);
}

/* --- a call ---------------------------------------------------------------------------------- */

static void judge_good(struct check_hop *h, const struct check_answer *a)
{
	struct bc_str rest = { a->body.data, a->body.len }, one;
	unsigned views = 0;
	if (!a->body.len || !bc_json_is_valid(rest) || !bc_json_next(&rest, &one)) {
		check_say(h, CHECK_WRONG, "GET " CHEAP_CALL ": 200, but no list of store views");
		check_advise(h, "this is not the REST API: compare API_ENDPOINT, tenant included");
		return;
	}
	do
		views++;
	while (bc_json_next(&rest, &one));
	check_say(h, CHECK_OK, "GET " CHEAP_CALL ": 200, %u store view(s)", views);
}

static void judge_bad(struct check_hop *h, const struct check_answer *a)
{
	char said[BC_COMMERCE_MESSAGE_BYTES];
	(void)bc_commerce_error_message(a->body.data, a->body.len, said);
	const struct call_advice *advice = call_advise(a->status, said);
	check_say(h, a->status == 429 ? CHECK_WARNING : CHECK_WRONG, "%s: %d: %s%s%.200s%s",
		  h->tried, a->status, advice->meaning ? advice->meaning : "",
		  advice->meaning && said[0] ? " (" : "", said,
		  advice->meaning && said[0] ? ")" : "");
	check_advise(h, "%s", advice->hint);
	h->exit = a->status < 500 ? BC_EXIT_REFUSED : BC_EXIT_FAILED;
}

static void judge(struct check_hop *h, const struct check_answer *a)
{
	if (a->status == 200) {
		judge_good(h, a);
	} else if (a->status) {
		judge_bad(h, a);
	} else {
		check_say(h, CHECK_WRONG, "GET " CHEAP_CALL ": %s", a->error_text);
		check_advise(h, "look at what stands between here and there: the firewall, "
				"commerce.proxy, API_ENDPOINT");
		h->exit = BC_EXIT_UNREACHABLE;
	}
}

/* Header lines as the gateway sends them. */
static int ask_commerce(const struct check_walk *w, const char *url, struct check_answer *a,
			struct bc_err *err)
{
	const struct bc_settings *s = w->settings;
	struct bc_buf lines[3];
	const char *headers[BC_COUNT(lines) + 1] = { NULL };
	for (size_t i = 0; i < BC_COUNT(lines); i++)
		bc_buf_init(&lines[i], 32 * 1024);
	int result = bc_buf_addf(&lines[0], "Authorization: Bearer %s", bc_secret_reveal(w->token));
	if (!result)
		result = bc_buf_addf(&lines[1], "x-api-key: %s", s->oauth_client_id);
	if (!result && s->oauth_org_id)
		result = bc_buf_addf(&lines[2], "x-gw-ims-org-id: %s", s->oauth_org_id);
	for (size_t i = 0; i < BC_COUNT(lines); i++)
		headers[i] = lines[i].data;
	result = result ? bc_err_nomem(err)
			: check_ask(w, "GET", url, headers, s->commerce_proxy, s->commerce_ca_file,
				    a, err);
	for (size_t i = 0; i < BC_COUNT(lines); i++)
		bc_buf_finish(&lines[i]);
	return result;
}

/* 0 with the answer, or it was said what is wrong. */
static int call(struct check_walk *w, struct check_hop *h, const char *path, struct check_answer *a)
{
	const struct bc_settings *s = w->settings;
	struct bc_commerce_target target = { 0 };
	struct bc_err err = { 0 };
	check_try(h, "GET %s", path);
	int result = bc_commerce_target_build(s->commerce_base_url, s->commerce_is, path, NULL,
					      &target, &err);
	if (!result)
		result = ask_commerce(w, target.url, a, &err);
	if (result) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
	}
	free(target.url);
	return result;
}

void check_commerce_call(struct check_walk *w, struct check_hop *h)
{
	struct check_answer a = { 0 };
	if (!w->token) {
		check_say(h, CHECK_SKIPPED, "not tried: there is no access token");
		w->stop[CHECK_COMMERCE] = true;
		return;
	}
	if (!call(w, h, CHEAP_CALL, &a))
		judge(h, &a);
	w->stop[CHECK_COMMERCE] |= h->verdict != CHECK_OK;
	check_answer_finish(&a);
}

/* --- orders ---------------------------------------------------------------------------------- */

/* Does the newest order have the attribute that says which click it came from? */
static void judge_orders(struct check_walk *w, struct check_hop *h, const struct check_answer *a)
{
	const char *name = w->settings->commerce_click_attribute;
	size_t i;
	json_t *attribute, *all = json_loadb(a->body.data, a->body.len, 0, NULL);
	const json_t *order = json_array_get(json_object_get(all, "items"), 0);
	bool has = false;
	json_array_foreach(json_object_get(order, "custom_attributes"), i, attribute) has =
		has || strcmp(bc_json_text(attribute, "attribute_code"), name) == 0;
	if (!json_is_array(json_object_get(all, "items")))
		check_say(h, CHECK_WARNING, "200, but no list of orders");
	else if (!order)
		check_say(h, CHECK_OK, "orders can be read; there is none yet");
	else
		check_say(h, CHECK_OK, "orders can be read; the newest has %s custom attribute %s",
			  has ? "the" : "no", name);
	if (order && !has)
		check_advise(h, "if orders are to bring their click that way, put it into the cart "
				"(docs/orders.md), and compare commerce.click_attribute");
	json_decref(all);
}

/* Only the join needs this right: where it is missing, the gateway works all the same. */
void check_commerce_orders(struct check_walk *w, struct check_hop *h)
{
	struct check_answer a = { 0 };
	if (call(w, h, NEWEST_ORDER, &a)) {
		h->verdict = CHECK_WARNING;
	} else if (a.status == 200) {
		judge_orders(w, h, &a);
	} else {
		judge_bad(h, &a);
		h->verdict = CHECK_WARNING;
		check_advise(h, "journal, pull and comments need the resource "
				"Magento_Sales::actions_view in the credential's role");
	}
	check_answer_finish(&a);
}
