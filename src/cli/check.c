/* SPDX-License-Identifier: MIT */
/*
 * `backchannel check`: what one runs first and last. Walks the way of a token hop by hop and names
 * the one that is wrong: settings, credentials (never shown), clock, store, the partner's name,
 * TLS, and at last a documented test token to the partner itself, which tells key and product
 * apart.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/err.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "core/handback.h"
#include "daemon/app.h"

enum verdict { OK, WARNING, WRONG, SKIPPED };
static const char *const verdict_name[] = { "ok", "warning", "wrong", "skipped" };
static const char *const verdict_colour[] = { "\033[32m", "\033[33m", "\033[31m", "\033[2m" };

/* One line of the checklist. */
struct hop {
	const char *name;
	enum verdict verdict;
	char found[400];   /* what was tried and what came back */
	char hint[400];	   /* what to do; "" when nothing is */
	enum bc_exit exit; /* what this hop makes of the whole when it is wrong */
};

struct walk {
	const struct bc_invocation *in;
	struct bc_settings *settings;
	bool local; /* the partner is on this machine: a sandbox */
	bool stop;  /* later hops cannot be tried */
};

static void say(struct hop *h, enum verdict verdict, const char *fmt, ...) BC_PRINTF(3, 4);
static void say(struct hop *h, enum verdict verdict, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	h->verdict = verdict;
	vsnprintf(h->found, sizeof(h->found), fmt, ap);
	va_end(ap);
}

static void advise(struct hop *h, const char *fmt, ...) BC_PRINTF(2, 3);
static void advise(struct hop *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(h->hint, sizeof(h->hint), fmt, ap);
	va_end(ap);
}

/* --- the hops ------------------------------------------------------------------------------------
 */

static void check_settings(struct walk *w, struct hop *h)
{
	struct bc_err err = { 0 };
	char ttl[24];
	if (bc_settings_check_startable(w->settings, NULL, &err)) {
		say(h, WRONG, "%s", err.text);
		advise(h, "%s", err.hint);
		w->stop = w->settings->product_count == 0 || !w->settings->products[0].key ||
			  !w->settings->products[0].id;
		return;
	}
	bc_format_duration(w->settings->click_ttl_ms, ttl, sizeof(ttl));
	if (w->settings->click_ttl_ms < 30ull * 24 * 3600 * 1000 && !w->local) {
		say(h, WARNING, "complete; click.ttl is %s", ttl);
		advise(h, "Sovendus's present documents keep a click 30 days: set click.ttl = 30d");
		return;
	}
	say(h, OK, "complete; %zu product(s), click.ttl %s", w->settings->product_count, ttl);
}

static void check_clock(struct walk *w, struct hop *h)
{
	char text[BC_TIME_TEXT_BYTES];
	uint64_t now = bc_wall_ms(&bc_clock_system), built = 1767225600000; /* 2026-01-01 */
	(void)w;
	bc_time_format(now, text);
	if (now < built) {
		say(h, WRONG, "this machine believes it is %s", text);
		advise(h,
		       "set the clock (systemctl start systemd-timesyncd): TLS and expiry need it");
		return;
	}
	say(h, OK, "%s", text);
}

static void check_space(const char *path, struct hop *h)
{
	struct statvfs fs;
	if (statvfs(path, &fs))
		return;
	unsigned long long free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize / (1024 * 1024);
	if (free_mib >= 256)
		return;
	say(h, WARNING, "writable, but only %llu MiB are free at \"%s\"", free_mib, path);
	advise(h, "make room: when the disk is full, clicks and orders are answered 503");
}

/* A running daemon is asked; else the store is opened as the daemon would. */
static void check_store(struct walk *w, struct hop *h)
{
	struct bc_err err = { 0 };
	struct bc_app *app;
	struct bc_buf body;
	int status = 0, result = bc_app_open(w->settings, BC_APP_OFFLINE, &app, &err);
	if (result == BC_EBUSY) {
		say(h, OK, "in use by the running daemon");
		return;
	}
	if (result) {
		say(h, WRONG, "%s", err.text);
		advise(h, "%s", err.hint);
		return;
	}
	bc_buf_init(&body, 64 * 1024);
	result = bc_app_call(app, "GET", "/readyz", NULL, &status, &body);
	bc_app_close(app);
	bc_buf_finish(&body);
	if (result || status != 200) {
		say(h, WRONG, "the store does not take writes");
		advise(h, "check the disk below \"%s\"", w->settings->state);
		return;
	}
	say(h, OK, "opened, written and closed below \"%s\"", w->settings->state);
	check_space(w->settings->state, h);
}

static void check_daemon(struct walk *w, struct hop *h)
{
	struct bc_reply reply;
	enum bc_exit result;
	fflush(stdout);
	result = bc_remote_ask(w->settings, "GET", "/readyz", &reply);
	if (result == BC_EXIT_UNREACHABLE) {
		say(h, SKIPPED, "none answers at %s", w->settings->url);
		advise(h, "start one: backchannel serve");
	} else if (reply.status == 200) {
		say(h, OK, "ready at %s", w->settings->url);
	} else {
		say(h, WRONG, "at %s it answers %d: %s", w->settings->url, reply.status,
		    bc_json_text(reply.json, "detail"));
		advise(h, "see its log");
	}
	bc_reply_finish(&reply);
}

static bool partner_host(const struct bc_settings *s, char *host, size_t bytes, char *port,
			 size_t port_bytes)
{
	CURLU *url = curl_url();
	char *name = NULL, *number = NULL;
	bool ok = url && !curl_url_set(url, CURLUPART_URL, s->sovendus_base_url, 0) &&
		  !curl_url_get(url, CURLUPART_HOST, &name, 0) &&
		  !curl_url_get(url, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT);
	if (ok) {
		snprintf(host, bytes, "%s", name);
		snprintf(port, port_bytes, "%s", number);
	}
	curl_free(name);
	curl_free(number);
	curl_url_cleanup(url);
	return ok;
}

static void check_dns(struct walk *w, struct hop *h)
{
	char host[256], port[16], address[128] = "";
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	if (!partner_host(w->settings, host, sizeof(host), port, sizeof(port))) {
		say(h, WRONG, "sovendus.base_url has no host");
		w->stop = true;
		return;
	}
	if (w->settings->delivery_proxy) {
		say(h, SKIPPED, "the proxy looks \"%s\" up", host);
		return;
	}
	int failed = getaddrinfo(host[0] == '[' ? "::1" : host, port, &hints, &list);
	if (failed) {
		say(h, WRONG, "\"%s\" is not found: %s", host, gai_strerror(failed));
		h->exit = BC_EXIT_UNREACHABLE;
		advise(h, "check /etc/resolv.conf and the firewall; behind a proxy set "
			  "delivery.proxy");
		w->stop = true;
		return;
	}
	getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address), NULL, 0,
		    NI_NUMERICHOST);
	freeaddrinfo(list);
	say(h, OK, "%s is %s", host, address);
}

/* --- the test token
 * -------------------------------------------------------------------------------- */

struct test_call {
	struct bc_loop *loop;
	struct bc_handback handback;
	struct bc_partner_verdict verdict;
	int status, error;
	uint64_t duration_ms;
	char error_text[160];
};

static struct bc_str test_token(void)
{
	return bc_str_of(bc_partner_sovendus.test_tokens[0]);
}

static void test_answered(void *ctx, const struct bc_http_answer *answer)
{
	struct test_call *c = ctx;
	c->handback.call = NULL;
	c->verdict = bc_handback_read(&c->handback, test_token(), UINT64_MAX, 1, answer);
	c->status = answer->status;
	c->error = answer->error;
	c->duration_ms = answer->duration_ms;
	memcpy(c->error_text, answer->error_text, sizeof(c->error_text));
	bc_loop_stop(c->loop);
}

static int test_call(const struct bc_settings *s, const struct bc_settings_product *p,
		     struct test_call *c, struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = s->delivery_proxy };
	struct bc_shop_config config = { .connect_timeout_ms = s->delivery_connect_timeout_ms,
					 .timeout_ms = s->delivery_timeout_ms };
	struct bc_product product = { .label = p->label,
				      .partner = &bc_partner_sovendus,
				      .base_url = s->sovendus_base_url,
				      .id = p->id,
				      .key = p->key };
	int result = bc_loop_create(&c->loop, err);
	if (result)
		return result;
	result = bc_http_client_create(c->loop, &options, &client, err);
	if (!result)
		result = bc_handback_start(&c->handback, client, &config, &product, test_token(),
					   test_answered, c, err);
	if (!result)
		bc_loop_run(c->loop);
	bc_handback_finish(&c->handback);
	bc_http_client_destroy(client);
	bc_loop_destroy(c->loop);
	return result;
}

static void judge_partner(struct hop *h, const char *label, const struct test_call *c)
{
	if (c->verdict.outcome == BC_OUTCOME_DELIVERED) {
		say(h, OK, "product %s: a test token was accepted (%d in %llu ms)", label,
		    c->status, (unsigned long long)c->duration_ms);
		return;
	}
	if (c->status)
		say(h, WRONG, "product %s: answered %d: %s", label, c->status, c->verdict.meaning);
	else
		say(h, WRONG, "product %s: %s", label,
		    c->error_text[0] ? c->error_text : c->verdict.meaning);
	h->exit = c->status ? BC_EXIT_REFUSED : BC_EXIT_UNREACHABLE;
	if (c->error == BC_EAUTH)
		advise(h,
		       "the TLS certificate is not accepted: check ca-certificates and the clock");
	else if (c->status)
		advise(h, "%s", c->verdict.hint);
	else
		advise(h, "look at what stands between here and there: the firewall, "
			  "delivery.proxy, SOVENDUS_BASE_URL");
}

static void check_partner(struct walk *w, struct hop *h)
{
	for (size_t i = 0; i < w->settings->product_count; i++) {
		const struct bc_settings_product *p = &w->settings->products[i];
		struct test_call c = { 0 };
		struct bc_err err = { 0 };
		if (!p->id || !p->key)
			continue;
		if (test_call(w->settings, p, &c, &err)) {
			say(h, WRONG, "product %s: %s", p->label, err.text);
			advise(h, "%s", err.hint);
			return;
		}
		judge_partner(h, p->label, &c);
		if (h->verdict == WRONG)
			return;
	}
}

/* One more message in somebody's chat, each time that a monitor runs check, would be noise. */
static void check_alerts(struct walk *w, struct hop *h)
{
	if (w->settings->alert_url)
		say(h, OK, "alert.url is set; nothing was sent to it");
	else
		say(h, SKIPPED, "alert.url is not set: nobody is told when a lane stops");
}

static const struct {
	const char *name;
	void (*check)(struct walk *w, struct hop *h);
	bool optional; /* skipped, it is worth no line to people */
} hops[] = {
	{ "settings", check_settings },	  { "clock", check_clock },
	{ "store", check_store },	  { "daemon", check_daemon },
	{ "name look-up", check_dns },	  { "partner", check_partner },
	{ "alerts", check_alerts, true },
};

/* --- printing
 * --------------------------------------------------------------------------------------- */

static void print_hop(const struct hop *h)
{
	bool colour = bc_cli_colour(STDOUT_FILENO);
	printf("%s%-8s%s %-13s %s\n", colour ? verdict_colour[h->verdict] : "",
	       verdict_name[h->verdict], colour ? "\033[0m" : "", h->name, h->found);
	if (h->hint[0])
		printf("%22s -> %s\n", "", h->hint);
}

static json_t *hop_json(const struct hop *h)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "hop", h->name, "verdict",
			 verdict_name[h->verdict], "found", h->found, "hint", h->hint);
}

static enum bc_exit walk_all(struct walk *w)
{
	enum bc_exit worst = BC_EXIT_DONE;
	json_t *list = json_array();
	for (size_t i = 0; i < BC_COUNT(hops); i++) {
		struct hop h = { .name = hops[i].name, .exit = BC_EXIT_FAILED };
		if (w->stop)
			say(&h, SKIPPED, "not tried");
		else
			hops[i].check(w, &h);
		if (h.verdict == WRONG && worst == BC_EXIT_DONE)
			worst = h.exit;
		if (w->in->json)
			json_array_append_new(list, hop_json(&h));
		else if (h.verdict != SKIPPED || !hops[i].optional)
			print_hop(&h);
	}
	if (w->in->json) {
		json_dumpf(list, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
		putchar('\n');
	} else {
		puts(worst == BC_EXIT_DONE ? "all is well" : "something is wrong: see above");
	}
	json_decref(list);
	return worst;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct walk w = { .in = in };
	enum bc_exit result = bc_cli_settings(in, &w.settings);
	if (result)
		return result;
	bc_log_setup(BC_LOG_ERROR, false);
	w.local = strncmp(w.settings->sovendus_base_url, "http://", 7) == 0;
	result = walk_all(&w);
	bc_settings_unref(w.settings);
	return result;
}

const struct bc_command bc_command_check = {
	.name = "check",
	.summary = "walk every hop from the settings to the partner and name the wrong one",
	.operands = "",
	.details = "Sends one documented test token to the partner, which tells a wrong key from a "
		   "wrong "
		   "product and from a broken network. Exit 0 all well, 1 something here is wrong, "
		   "3 the "
		   "partner refuses, 4 it is not reachable. Whether alert.url is set is told; "
		   "nothing is sent to it.",
	.example = "backchannel check",
	.prints_json = true,
	.run = run,
};
