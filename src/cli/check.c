/* SPDX-License-Identifier: MIT */
/*
 * `backchannel check`: what one runs first and last. Walks the way of a token hop by hop and names
 * the one that is wrong: settings, credentials (never shown), clock, store; then the way of a click
 * token to the partner, and that of a call to Commerce, of which each is walked if it is set.
 */
#include "cli/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "core/story.h"
#include "daemon/app.h"

static const char *const verdict_name[] = { "ok", "warning", "wrong", "skipped" };
static const char *const verdict_colour[] = { "\033[32m", "\033[33m", "\033[31m", "\033[2m" };

void check_say(struct check_hop *h, enum check_verdict verdict, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	h->verdict = verdict;
	vsnprintf(h->found, sizeof(h->found), fmt, ap);
	va_end(ap);
}

void check_advise(struct check_hop *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(h->hint, sizeof(h->hint), fmt, ap);
	va_end(ap);
}

/* --- what is here ---------------------------------------------------------------------------- */

/* What there is to walk, and what is too incomplete for it. */
static void lay_ways(struct check_walk *w)
{
	const struct bc_settings *s = w->settings;
	bool product = s->product_count && s->products[0].key && s->products[0].id;
	bool oauth = s->oauth_client_id || s->oauth_client_secret;
	w->on[CHECK_HERE] = true;
	w->on[CHECK_HANDBACK] = s->product_count || !oauth;
	w->on[CHECK_OAUTH] = w->on[CHECK_COMMERCE] = oauth;
	w->stop[CHECK_HANDBACK] = !product;
	w->stop[CHECK_OAUTH] = !s->oauth_client_id || !s->oauth_client_secret;
	w->stop[CHECK_COMMERCE] = !s->commerce_base_url;
	w->stop[CHECK_HERE] = !product && (w->stop[CHECK_OAUTH] || w->stop[CHECK_COMMERCE]);
}

static const char *commerce_words(const struct check_walk *w)
{
	if (!w->on[CHECK_COMMERCE])
		return "";
	return w->settings->commerce_is == BC_COMMERCE_PAAS ? ", Commerce (paas)"
							    : ", Commerce (saas)";
}

static void check_settings(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	char ttl[24];
	lay_ways(w);
	if (bc_settings_check_startable(w->settings, NULL, &err)) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
		return;
	}
	bc_format_duration(w->settings->click_ttl_ms, ttl, sizeof(ttl));
	if (!w->on[CHECK_HANDBACK]) {
		check_say(h, CHECK_OK, "complete%s", commerce_words(w));
	} else if (w->settings->click_ttl_ms < 30ull * 24 * 3600 * 1000 && !w->local) {
		check_say(h, CHECK_WARNING, "complete; click.ttl is %s%s", ttl, commerce_words(w));
		check_advise(
			h,
			"Sovendus's present documents keep a click 30 days: set click.ttl = 30d");
	} else {
		check_say(h, CHECK_OK, "complete; %zu product(s), click.ttl %s%s",
			  w->settings->product_count, ttl, commerce_words(w));
	}
}

static void check_clock(struct check_walk *w, struct check_hop *h)
{
	char text[BC_TIME_TEXT_BYTES];
	uint64_t now = bc_wall_ms(&bc_clock_system), built = 1767225600000; /* 2026-01-01 */
	(void)w;
	bc_time_format(now, text);
	if (now < built) {
		check_say(h, CHECK_WRONG, "this machine believes it is %s", text);
		check_advise(h, "set the clock (systemctl start systemd-timesyncd): TLS and expiry "
				"need it");
		return;
	}
	check_say(h, CHECK_OK, "%s", text);
}

static void check_space(const char *path, struct check_hop *h)
{
	struct statvfs fs;
	if (statvfs(path, &fs))
		return;
	unsigned long long free_mib = (unsigned long long)fs.f_bavail * fs.f_frsize / (1024 * 1024);
	if (free_mib >= 256)
		return;
	check_say(h, CHECK_WARNING, "writable, but only %llu MiB are free at \"%s\"", free_mib,
		  path);
	check_advise(h, "make room: when the disk is full, clicks and orders are answered 503");
}

/* A running daemon is asked; else the store is opened as the daemon would. */
static void check_store(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	struct bc_app *app;
	struct bc_buf body;
	int status = 0, result = bc_app_open(w->settings, BC_APP_OFFLINE, &app, &err);
	if (result == BC_EBUSY) {
		check_say(h, CHECK_OK, "in use by the running daemon");
		return;
	}
	if (result) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
		return;
	}
	bc_buf_init(&body, 64 * 1024);
	result = bc_app_call(app, "GET", "/readyz", NULL, &status, &body);
	bc_app_close(app);
	bc_buf_finish(&body);
	if (result || status != 200) {
		check_say(h, CHECK_WRONG, "the store does not take writes");
		check_advise(h, "check the disk below \"%s\"", w->settings->state);
		return;
	}
	check_say(h, CHECK_OK, "opened, written and closed below \"%s\"", w->settings->state);
	check_space(w->settings->state, h);
}

static void check_daemon(struct check_walk *w, struct check_hop *h)
{
	struct bc_reply reply;
	enum bc_exit result;
	fflush(stdout);
	result = bc_remote_ask(w->settings, "GET", "/readyz", &reply);
	if (result == BC_EXIT_UNREACHABLE) {
		check_say(h, CHECK_SKIPPED, "none answers at %s", w->settings->url);
		check_advise(h, "start one: backchannel serve");
	} else if (reply.status == 200) {
		check_say(h, CHECK_OK, "ready at %s", w->settings->url);
	} else {
		check_say(h, CHECK_WRONG, "at %s it answers %d: %s", w->settings->url, reply.status,
			  bc_json_text(reply.json, "detail"));
		check_advise(h, "see its log");
	}
	bc_reply_finish(&reply);
}

/* One more message in somebody's chat, each time that a monitor runs check, would be noise. */
static void check_alerts(struct check_walk *w, struct check_hop *h)
{
	if (w->settings->alert_url)
		check_say(h, CHECK_OK, "alert.url is set; nothing was sent to it");
	else
		check_say(h, CHECK_SKIPPED,
			  "alert.url is not set: nobody is told when a lane stops");
}

static const struct {
	const char *name;
	void (*check)(struct check_walk *w, struct check_hop *h);
	enum check_way way;
	bool optional; /* skipped, it is worth no line to people */
} hops[] = {
	{ "settings", check_settings, CHECK_HERE },
	{ "clock", check_clock, CHECK_HERE },
	{ "store", check_store, CHECK_HERE },
	{ "daemon", check_daemon, CHECK_HERE },
	{ "name look-up", check_partner_name, CHECK_HANDBACK },
	{ "partner", check_partner_test, CHECK_HANDBACK },
	{ "oauth name", check_oauth_name, CHECK_OAUTH },
	{ "oauth TLS", check_oauth_tls, CHECK_OAUTH },
	{ "oauth token", check_oauth_token, CHECK_OAUTH },
	{ "commerce name", check_commerce_name, CHECK_COMMERCE },
	{ "commerce TLS", check_commerce_tls, CHECK_COMMERCE },
	{ "commerce call", check_commerce_call, CHECK_COMMERCE },
	{ "alerts", check_alerts, CHECK_HERE, true },
};

/* --- printing -------------------------------------------------------------------------------- */

static void print_hop(const struct check_hop *h)
{
	bool colour = bc_cli_colour(STDOUT_FILENO);
	printf("%s%-8s%s %-13s %s\n", colour ? verdict_colour[h->verdict] : "",
	       verdict_name[h->verdict], colour ? "\033[0m" : "", h->name, h->found);
	if (h->hint[0])
		printf("%22s -> %s\n", "", h->hint);
}

static json_t *hop_json(const struct check_hop *h)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "hop", h->name, "verdict",
			 verdict_name[h->verdict], "found", bc_json_words(h->found), "hint",
			 bc_json_words(h->hint));
}

static void take_hop(struct check_walk *w, size_t i, json_t *list, enum bc_exit *worst)
{
	struct check_hop h = { .name = hops[i].name, .exit = BC_EXIT_FAILED };
	if (w->stop[hops[i].way])
		check_say(&h, CHECK_SKIPPED, "not tried");
	else
		hops[i].check(w, &h);
	if (h.verdict == CHECK_WRONG && *worst == BC_EXIT_DONE)
		*worst = h.exit;
	if (w->in->json)
		json_array_append_new(list, hop_json(&h));
	else if (h.verdict != CHECK_SKIPPED || !hops[i].optional)
		print_hop(&h);
	fflush(stdout);
}

static enum bc_exit walk_all(struct check_walk *w)
{
	enum bc_exit worst = BC_EXIT_DONE;
	json_t *list = json_array();
	w->on[CHECK_HERE] = true;
	for (size_t i = 0; i < BC_COUNT(hops); i++)
		if (w->on[hops[i].way])
			take_hop(w, i, list, &worst);
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
	struct check_walk w = { .in = in };
	enum bc_exit result = bc_cli_settings(in, &w.settings);
	if (result)
		return result;
	bc_log_setup(BC_LOG_ERROR, false);
	w.local = strncmp(w.settings->sovendus_base_url, "http://", 7) == 0;
	result = walk_all(&w);
	bc_secret_unref(w.token);
	bc_settings_unref(w.settings);
	return result;
}

const struct bc_command bc_command_check = {
	.name = "check",
	.summary = "walk every hop to the partner and to Commerce, and name the wrong one",
	.operands = "",
	.details =
		"Sends one documented test token to the partner, which tells a wrong key from a "
		"wrong product and from a broken network. Where an OAuth client is set, also asks "
		"for an access token (the running daemon's, or one of its own) and makes one cheap "
		"call of Commerce. Exit 0 all well, 1 something here is wrong, 3 the other side "
		"refuses, 4 it is not reachable. Whether alert.url is set is told; nothing is sent "
		"to it.",
	.example = "backchannel check",
	.prints_json = true,
	.run = run,
};
