/* SPDX-License-Identifier: MIT */
/*
 * See check.h, --landing: what a click brings to the shop, and what becomes of it. The page is
 * visited twice, with two test tokens: what is the same both times came from a cache. The click
 * that the daemon stored for it is deleted again.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "cli/check_visit.h"
#include "cli/remote.h"

enum { TOKEN_BYTES = 32, STORED_TRIES = 40, STORED_POLL_MS = 50 };

struct check_landing {
	char param[128];
	char tokens[2][BC_TOKEN_MAX + 1];
	struct visit first, last, beacon;
	bool visited, told; /* told: the beacon was, because the page's script would */
};

void check_landing_destroy(struct check_landing *l)
{
	if (!l)
		return;
	visit_finish(&l->first);
	visit_finish(&l->last);
	visit_finish(&l->beacon);
	free(l);
}

/* --- the visit ------------------------------------------------------------------------------- */

/* A test token of its own for each visit, in the shape that Sovendus documents: 5-test-3-5 letters
 * or digits. A page of another partner gets the same: it is a token to every capture, and since its
 * click is deleted again, it is handed back to nobody. */
static void make_token(char *text)
{
	uint8_t r[5];
	bc_random(r, sizeof(r));
	snprintf(text, TOKEN_BYTES, "c%02x%02x-test-b%02x-k%02x%02x", r[0], r[1], r[2], r[3], r[4]);
}

static const char *param_of(const struct check_walk *w)
{
	const char *path;
	size_t len;
	bc_url_path(w->landing_url, strlen(w->landing_url), &path, &len);
	const struct bc_product *p =
		bc_config_product_for_path(w->config, (struct bc_str){ path, len });
	if (p && p->partner != &bc_partner_sovendus && p->partner->params)
		return p->partner->params[0];
	return w->settings->sovendus_params[0];
}

static int visit_twice(struct check_walk *w, struct check_landing *l, struct bc_err *err)
{
	snprintf(l->param, sizeof(l->param), "%s", param_of(w));
	make_token(l->tokens[0]);
	make_token(l->tokens[1]);
	int result = visit_make(w, w->landing_url, l->param, l->tokens[0], &l->first, err);
	if (!result)
		result = visit_make(w, w->landing_url, l->param, l->tokens[1], &l->last, err);
	return result;
}

/* "302 /go, 200 /landing" */
static void tell_way(struct check_hop *h, const struct visit *v)
{
	char text[360];
	size_t used = 0;
	for (size_t i = 0; i < v->count && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d %s", i ? ", " : "",
					 v->steps[i].status, v->steps[i].shown);
	check_say(h, CHECK_OK, "%s", text);
}

static void judge_page(struct check_hop *h, const struct visit *v)
{
	const struct visit_step *last = &v->steps[v->count - 1];
	tell_way(h, v);
	if (v->error[0]) {
		check_say(h, CHECK_WRONG, "%s: %s", last->shown, v->error);
		check_advise(h, "can this machine reach the shop? a browser elsewhere may");
		h->exit = BC_EXIT_UNREACHABLE;
	} else if (v->endless) {
		h->verdict = CHECK_WRONG;
		check_advise(h, "a browser gives up on so many redirects, too");
	} else if (last->status >= 400) {
		h->verdict = CHECK_WRONG;
		h->exit = BC_EXIT_REFUSED;
		check_advise(h, "name a page that a partner's link leads to; does a firewall turn "
				"programs away?");
	}
}

void check_landing_page(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	struct check_landing *l = w->landing = calloc(1, sizeof(*l));
	int result = l ? visit_twice(w, l, &err) : bc_err_nomem(&err);
	if (result) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
	} else {
		check_try(h, "the page with %s=%s, as a browser", l->param, l->tokens[1]);
		judge_page(h, &l->last);
	}
	w->stop[CHECK_LANDING] = h->verdict == CHECK_WRONG;
}

/* --- redirects ------------------------------------------------------------------------------- */

/* The step whose redirect has the token no more, or -1. */
static int drops_at(const struct visit *v)
{
	for (size_t i = 1; i < v->count; i++)
		if (v->steps[i - 1].has_token && !v->steps[i].has_token)
			return (int)i - 1;
	return -1;
}

void check_landing_query(struct check_walk *w, struct check_hop *h)
{
	const struct visit *v = &w->landing->last;
	int at = drops_at(v);
	if (v->count < 2) {
		check_say(h, CHECK_OK, "no redirect, so %s stays", w->landing->param);
	} else if (at < 0) {
		check_say(h, CHECK_OK, "%zu redirect(s) keep %s", v->count - 1, w->landing->param);
	} else if (v->cookie.count && v->cookie_at <= (size_t)at) {
		check_say(h, CHECK_OK, "the redirect at %s drops %s, but sets the cookie",
			  v->steps[at].shown, w->landing->param);
	} else {
		check_say(h, CHECK_WRONG, "the redirect at %s drops %s, and no cookie came before",
			  v->steps[at].shown, w->landing->param);
		check_advise(h,
			     "let the redirect keep its query, or capture in the web server, which "
			     "sets the cookie with the redirect: backchannel recipe nginx");
	}
}

/* --- caches ---------------------------------------------------------------------------------- */

static const struct visit_step *cached_step(const struct visit *v)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->steps[i].cache[0] || v->steps[i].age_s > 0)
			return &v->steps[i];
	return NULL;
}

static bool is_shared(const struct check_landing *l)
{
	return l->last.cookie.count && l->first.cookie.count &&
	       strcmp(l->last.cookie.value, l->first.cookie.value) == 0;
}

void check_landing_cache(struct check_walk *w, struct check_hop *h)
{
	const struct check_landing *l = w->landing;
	const struct visit_step *s = cached_step(&l->last);
	char how[128] = "no answer of a cache";
	if (s && s->cache[0])
		snprintf(how, sizeof(how), "a cache answered (%s)", s->cache);
	else if (s)
		snprintf(how, sizeof(how), "a cache answered (Age: %ld)", s->age_s);
	if (is_shared(l)) {
		check_say(h, CHECK_WRONG, "two visits got one cookie: it is kept with the page");
		check_advise(h,
			     "a visitor gets another one's click: set the cookie in front of the "
			     "cache (backchannel recipe), never behind it");
	} else if (s && l->last.cookie.count) {
		check_say(h, CHECK_OK, "%s, and the cookie came all the same", how);
	} else if (s) {
		check_say(h, CHECK_WARNING, "%s, and no cookie came", how);
		check_advise(h,
			     "what stands behind a cache sees no landing: capture in front of it, "
			     "or in the page (docs/storefront.md)");
	} else {
		check_say(h, CHECK_OK, "%s", how);
	}
}

/* --- the script in the page ------------------------------------------------------------------ */

/* The address in src="…capture.js…". False: the page has none. */
static bool find_script(const struct visit *v, char *url, size_t bytes)
{
	char link[512];
	const char *page = v->body.data;
	const char *name = page ? memmem(page, v->body.len, "capture.js", 10) : NULL;
	const char *from = name, *end = name;
	if (!name)
		return false;
	while (from > page && !strchr("\"'= \n", from[-1]))
		from--;
	while (end < page + v->body.len && !strchr("\"'> \n", *end))
		end++;
	snprintf(link, sizeof(link), "%.*s", (int)(end - from), from);
	return visit_resolve(v->steps[v->count - 1].url, link, url, bytes);
}

/* As the script does: it tells of the landing where it came from. */
static void tell_beacon(struct check_walk *w, struct check_hop *h, const char *script)
{
	struct check_landing *l = w->landing;
	struct bc_err err = { 0 };
	char endpoint[VISIT_URL_BYTES], landing[VISIT_URL_BYTES];
	l->told = visit_landing(w->landing_url, l->param, l->tokens[1], landing, sizeof(landing)) &&
		  visit_resolve(script, "/v1/c", endpoint, sizeof(endpoint)) &&
		  !visit_beacon(w, endpoint, landing, &l->beacon, &err);
	if (l->told && l->beacon.cookie.count) {
		check_say(h, CHECK_OK, "the page has %s, and its beacon sets the cookie",
			  strrchr(script, '/') + 1);
		return;
	}
	check_say(h, CHECK_WRONG, "the page has %s, but %s answers %d without the cookie",
		  strrchr(script, '/') + 1, l->told ? l->beacon.steps[0].shown : "its beacon",
		  l->told ? l->beacon.steps[0].status : 0);
	check_advise(h, "the shop's web server has to lead /v1/c to the public listener "
			"(docs/storefront.md); is edge set, and the daemon running?");
}

void check_landing_script(struct check_walk *w, struct check_hop *h)
{
	struct check_landing *l = w->landing;
	struct check_answer a = { 0 };
	struct bc_err err = { 0 };
	char script[VISIT_URL_BYTES];
	if (!find_script(&l->last, script, sizeof(script))) {
		h->verdict = CHECK_SILENT;
		return;
	}
	check_try(h, "GET %.300s, and its beacon", script);
	if (check_ask(w, "GET", script, NULL, NULL, NULL, &a, &err)) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
	} else if (a.status != 200 || !a.body.len ||
		   !memmem(a.body.data, a.body.len, "sendBeacon", 10)) {
		check_say(h, CHECK_WRONG, "the page asks for %.300s, which answers %d%s", script,
			  a.status, a.status == 200 ? " with something else" : "");
		check_advise(h, "the shop's web server has to lead /capture.js to the public "
				"listener, or serve a copy (docs/storefront.md)");
	} else {
		tell_beacon(w, h, script);
	}
	check_answer_finish(&a);
}

/* --- the cookie ------------------------------------------------------------------------------ */

static bool is_id(const char *value)
{
	return strncmp(value, "c.", 2) == 0 && strlen(value) == 34 &&
	       strspn(value + 2, "0123456789abcdef") == 32;
}

static void judge_missing(struct check_walk *w, struct check_hop *h)
{
	char script[VISIT_URL_BYTES];
	if (find_script(&w->landing->last, script, sizeof(script))) {
		check_say(h, CHECK_OK, "none comes with the page: its script is to do that");
		return;
	}
	check_say(h, CHECK_WRONG, "no bc_click came, and the page has no capture.js");
	check_advise(h, "no capture is at work here. In the web server: backchannel recipe nginx; "
			"in the page: docs/storefront.md");
}

static void judge_value(struct check_walk *w, struct check_hop *h)
{
	const struct visit *v = &w->landing->last;
	const char *value = v->cookie.value, *at = v->steps[v->cookie_at].shown;
	bool token = strncmp(value, "t.", 2) == 0;
	if (token && strcmp(value + 2, w->landing->tokens[1]) == 0) {
		check_say(h, CHECK_OK, "the token itself, set by %s", at);
	} else if (is_id(value)) {
		check_say(h, CHECK_OK, "a click id, set by %s", at);
	} else if (is_shared(w->landing)) {
		check_say(h, CHECK_WRONG, "it is that of another visit");
		check_advise(h, "see the cache above");
	} else {
		check_say(h, CHECK_WRONG, "its value is neither the token nor an id, set by %s",
			  at);
		check_advise(h,
			     "something else writes bc_click, or the recipe is an old one: print "
			     "it anew (backchannel recipe)");
	}
}

void check_landing_cookie(struct check_walk *w, struct check_hop *h)
{
	const struct check_cookie *c = &w->landing->last.cookie;
	if (!c->count) {
		judge_missing(w, h);
		return;
	}
	judge_value(w, h);
	const struct check_flaw *flaw = check_cookie_flaw(c, w->settings->click_ttl_ms);
	if (h->verdict == CHECK_WRONG || !flaw)
		return;
	check_say(h, flaw->wrong ? CHECK_WRONG : CHECK_WARNING, "%s", flaw->what);
	check_advise(h, "%s", flaw->hint);
}

/* --- the daemon ------------------------------------------------------------------------------ */

/* Asking and cleaning up are one: who deletes it learns whether it was there. A datagram takes its
 * time. Returns the last status, 0 without a daemon. */
static int delete_click(const struct check_walk *w, const char *id)
{
	const struct timespec pause = { .tv_nsec = STORED_POLL_MS * 1000000L };
	char path[80];
	int status = 404;
	snprintf(path, sizeof(path), "/v1/clicks/%s", id);
	for (int i = 0; i < STORED_TRIES && status == 404; i++) {
		struct bc_reply reply;
		if (i)
			nanosleep(&pause, NULL);
		(void)bc_remote_ask(w->settings, "DELETE", path, &reply);
		status = reply.status;
		bc_reply_finish(&reply);
	}
	return status;
}

static void judge_stored(struct check_walk *w, struct check_hop *h, int status)
{
	if (status == 204) {
		check_say(h, CHECK_OK, "the running daemon had the click; it is deleted again");
	} else if (status == 404) {
		check_say(h, CHECK_WRONG, "the running daemon has no such click");
		check_advise(h, "the web server sets the id and nobody is told of it: compare its "
				"log's socket with the setting input, and look at "
				"backchannel_input_dropped_total");
	} else if (status) {
		check_say(h, CHECK_WRONG, "the daemon at %s answers %d", w->settings->url, status);
		check_advise(h, status == 401 ? "give this command the token, too: "
						"BACKCHANNEL_API_TOKEN"
					      : "see its log");
	} else {
		check_say(h, CHECK_SKIPPED, "no daemon answers at %s", w->settings->url);
		check_advise(h, "run this where the daemon is, or set BACKCHANNEL_URL");
	}
}

void check_landing_daemon(struct check_walk *w, struct check_hop *h)
{
	struct check_landing *l = w->landing;
	const struct check_cookie *c = l->told ? &l->beacon.cookie : &l->last.cookie;
	if (l->first.cookie.count && is_id(l->first.cookie.value) && !is_shared(l))
		(void)delete_click(w, l->first.cookie.value);
	if (!c->count) {
		h->verdict = CHECK_SILENT;
	} else if (is_id(c->value)) {
		check_try(h, "DELETE /v1/clicks/%s", c->value);
		judge_stored(w, h, delete_click(w, c->value));
	} else {
		check_say(h, CHECK_OK,
			  "the cookie holds the token; the daemon needs nothing before "
			  "the order");
	}
}
