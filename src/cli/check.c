/* SPDX-License-Identifier: MIT */
/*
 * `backchannel check`: what one runs first and last. Walks hop by hop and names the one that is
 * wrong. The hops stand in one table, in the order in which trouble is to be looked for: what is
 * here, the daemon, the partner of each product, Commerce, what comes in. With --landing: the way
 * of a visitor instead.
 */
#include "cli/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "core/story.h"
#include "daemon/app.h"

struct options {
	const char *only[BC_OPTION_MANY + 1];
	const char *deadline, *landing;
};

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

void check_try(struct check_hop *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(h->tried, sizeof(h->tried), fmt, ap);
	va_end(ap);
}

uint32_t check_time_left_ms(const struct check_walk *w, uint32_t wanted_ms)
{
	uint64_t now_ms = bc_elapsed_ms(&bc_clock_system);
	if (now_ms >= w->end_ms)
		return 1;
	return w->end_ms - now_ms < wanted_ms ? (uint32_t)(w->end_ms - now_ms) : wanted_ms;
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct row {
	const char *group, *name;
	check_function *check;
	enum check_way way;
	bool each_product;
	bool optional; /* skipped, it is worth no line to people */
} rows[] = {
	{ "settings", "settings", check_settings, CHECK_HERE },
	{ "settings", "files", check_files, CHECK_HERE },
	{ "machine", "clock", check_clock, CHECK_HERE },
	{ "machine", "state directory", check_state, CHECK_HERE },
	{ "machine", "open files", check_limits, CHECK_HERE },
	{ "store", "store", check_store, CHECK_HERE },
	{ "daemon", "daemon", check_daemon, CHECK_HERE },
	{ "daemon", "lanes", check_lanes, CHECK_DAEMON, false, true },
	{ "daemon", "oldest pending", check_pending, CHECK_DAEMON, false, true },
	{ "partner", "name look-up", check_partner_name, CHECK_HANDBACK, true },
	{ "partner", "partner TLS", check_partner_tls, CHECK_HANDBACK, true },
	{ "partner", "partner", check_partner_test, CHECK_HANDBACK, true },
	{ "oauth", "oauth name", check_oauth_name, CHECK_OAUTH },
	{ "oauth", "oauth TLS", check_oauth_tls, CHECK_OAUTH },
	{ "oauth", "oauth token", check_oauth_token, CHECK_OAUTH },
	{ "commerce", "commerce name", check_commerce_name, CHECK_COMMERCE },
	{ "commerce", "commerce TLS", check_commerce_tls, CHECK_COMMERCE },
	{ "commerce", "commerce call", check_commerce_call, CHECK_COMMERCE },
	{ "commerce", "commerce orders", check_commerce_orders, CHECK_COMMERCE },
	{ "intake", "public listener", check_edge, CHECK_INTAKE },
	{ "intake", "datagram input", check_input, CHECK_INTAKE },
	{ "intake", "journal", check_journal, CHECK_INTAKE },
	{ "intake", "events", check_events, CHECK_INTAKE },
	{ "intake", "webhook", check_webhook, CHECK_INTAKE },
	{ "intake", "alerts", check_alerts, CHECK_INTAKE, false, true },
	{ "machine", "clock skew", check_skew, CHECK_HERE },
	{ "landing", "landing page", check_landing_page, CHECK_LANDING },
	{ "landing", "query", check_landing_query, CHECK_LANDING },
	{ "landing", "cache", check_landing_cache, CHECK_LANDING },
	{ "landing", "click cookie", check_landing_cookie, CHECK_LANDING },
	{ "landing", "capture script", check_landing_script, CHECK_LANDING },
	{ "landing", "click stored", check_landing_daemon, CHECK_LANDING },
};

static bool names(const char *what, const struct row *row)
{
	return strcmp(what, row->group) == 0 || strcmp(what, row->name) == 0;
}

static bool wanted(const struct check_walk *w, const struct row *row)
{
	const struct options *o = w->in->options;
	if (!w->on[row->way])
		return false;
	if (w->landing_url && row->way != CHECK_LANDING && row->check != check_settings)
		return false;
	for (size_t i = 0; o->only[i]; i++)
		if (names(o->only[i], row))
			return true;
	return !o->only[0];
}

static enum bc_exit check_only(const struct bc_invocation *in)
{
	const struct options *o = in->options;
	for (size_t i = 0; o->only[i]; i++) {
		bool found = false;
		for (size_t r = 0; r < BC_COUNT(rows); r++)
			found = found || names(o->only[i], &rows[r]);
		if (!found)
			return bc_cli_usage(in, "there is no hop or group \"%s\"", o->only[i]);
	}
	return BC_EXIT_DONE;
}

/* --- printing -------------------------------------------------------------------------------- */

enum { INDENT = 25 };

static void print_hop(const struct check_hop *h)
{
	bool colour = bc_cli_colour(STDOUT_FILENO), good = h->verdict == CHECK_OK;
	printf("%s%-8s%s %-15s %s", colour ? verdict_colour[h->verdict] : "",
	       verdict_name[h->verdict], colour ? "\033[0m" : "", h->name, h->found);
	if (h->ms)
		printf(" (%llu ms)", (unsigned long long)h->ms);
	putchar('\n');
	if (!good && h->tried[0])
		printf("%*s tried: %s\n", INDENT, "", h->tried);
	if (h->hint[0])
		printf("%*s -> %s\n", INDENT, "", h->hint);
}

static json_t *hop_json(const struct check_hop *h)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I}", "group", h->group, "hop", h->name,
			 "verdict", verdict_name[h->verdict], "tried", bc_json_words(h->tried),
			 "found", bc_json_words(h->found), "hint", bc_json_words(h->hint), "ms",
			 (json_int_t)h->ms);
}

/* What is under way, where somebody watches. */
static void show_trying(const struct check_walk *w, const char *name)
{
	if (w->in->json || !isatty(STDOUT_FILENO))
		return;
	printf("%-8s %s ...", "", name);
	fflush(stdout);
	printf("\r\033[K");
}

/* --- the walk -------------------------------------------------------------------------------- */

static bool is_late(const struct check_walk *w)
{
	return bc_elapsed_ms(&bc_clock_system) >= w->end_ms;
}

static void try_hop(struct check_walk *w, const struct row *row, struct check_hop *h)
{
	uint64_t started_ms = bc_elapsed_ms(&bc_clock_system);
	if (w->stop[row->way]) {
		check_say(h, CHECK_SKIPPED, "not tried");
	} else if (is_late(w)) {
		check_say(h, CHECK_WRONG, "not tried: the time was over");
		check_advise(h, "give it more: --deadline 2m, or --only %s", row->group);
		h->exit = BC_EXIT_UNREACHABLE;
	} else {
		show_trying(w, row->name);
		row->check(w, h);
		h->ms = bc_elapsed_ms(&bc_clock_system) - started_ms;
	}
}

static void take_hop(struct check_walk *w, const struct row *row, size_t index, json_t *list,
		     enum bc_exit *worst)
{
	struct check_hop h = {
		.group = row->group, .name = row->name, .index = index, .exit = BC_EXIT_FAILED
	};
	try_hop(w, row, &h);
	if (h.verdict == CHECK_SILENT)
		return;
	if (h.verdict == CHECK_WRONG && *worst == BC_EXIT_DONE)
		*worst = h.exit;
	if (w->in->json)
		json_array_append_new(list, hop_json(&h));
	else if (h.verdict != CHECK_SKIPPED || !row->optional)
		print_hop(&h);
	fflush(stdout);
}

static void take_row(struct check_walk *w, const struct row *row, json_t *list, enum bc_exit *worst)
{
	size_t times = row->each_product && w->config ? w->config->product_count : 1;
	for (size_t i = 0; i < times; i++)
		if (wanted(w, row))
			take_hop(w, row, i, list, worst);
}

static enum bc_exit walk_all(struct check_walk *w)
{
	enum bc_exit worst = BC_EXIT_DONE;
	json_t *list = json_array();
	check_lay_ways(w);
	for (size_t i = 0; i < BC_COUNT(rows); i++)
		take_row(w, &rows[i], list, &worst);
	if (w->in->json) {
		json_dumpf(list, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
		putchar('\n');
	} else {
		puts(worst == BC_EXIT_DONE ? "all is well" : "something is wrong: see above");
	}
	json_decref(list);
	return worst;
}

static enum bc_exit read_options(struct check_walk *w)
{
	const struct options *o = w->in->options;
	uint64_t deadline_ms = 60 * 1000;
	enum bc_exit result = check_only(w->in);
	if (result)
		return result;
	if (o->deadline && bc_parse_duration_ms(bc_str_of(o->deadline), &deadline_ms))
		return bc_cli_usage(w->in, "--deadline \"%s\" is no duration, such as 30s",
				    o->deadline);
	w->landing_url = o->landing;
	w->end_ms = bc_elapsed_ms(&bc_clock_system) + deadline_ms;
	return BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct check_walk w = { .in = in };
	enum bc_exit result = read_options(&w);
	if (!result)
		result = bc_cli_settings(in, &w.settings);
	if (result)
		return result;
	bc_log_setup(BC_LOG_ERROR, false);
	w.config = bc_app_config_create(w.settings);
	w.lost = w.config ? calloc(w.config->product_count + 1, sizeof(*w.lost)) : NULL;
	result = w.lost ? walk_all(&w) : BC_EXIT_FAILED;
	bc_secret_unref(w.token);
	json_decref(w.summary);
	check_landing_destroy(w.landing);
	free(w.lost);
	bc_shop_config_unref(w.config);
	bc_settings_unref(w.settings);
	return result;
}

static const struct bc_option option_rows[] = {
	{ "only", 0, "HOP", offsetof(struct options, only),
	  "only this hop, or group of hops: settings, machine, store, daemon, partner, oauth, "
	  "commerce, intake; may be given several times",
	  BC_OPTION_MANY },
	{ "deadline", 0, "DUR", offsetof(struct options, deadline),
	  "begin no hop after this time (60s)" },
	{ "landing", 0, "URL", offsetof(struct options, landing),
	  "open a landing page of the shop with a test token, and look for the click cookie" },
	{ 0 },
};

const struct bc_command bc_command_check = {
	.name = "check",
	.summary = "walk every hop to the partner and to Commerce, and name the wrong one",
	.operands = "",
	.details =
		"Walks what is here (settings, files, clock, state directory, store, the running "
		"daemon and its lanes), then the way to each product's partner, to Commerce, and "
		"what comes in. Each hop says what came back, how long it took and what to do. One "
		"documented test token is sent to the partner, which tells a wrong key from a "
		"wrong "
		"product and from a broken network; a partner without test tokens is only looked "
		"up "
		"and connected to. Where an OAuth client is set, also asks for an access token "
		"(the "
		"running daemon's, or one of its own) and makes two cheap calls of Commerce. "
		"Nothing "
		"is sent to alert.url. Exit 0 all well (a warning is no failure), 1 something here "
		"is "
		"wrong, 3 the other side refuses, 4 it is not reachable.\n\n"
		"--json prints a list of hops: group, hop, verdict (ok, warning, wrong, skipped), "
		"tried, found, hint, ms.\n\n"
		"--landing opens URL as a browser would, with a test token in its query, follows "
		"the "
		"shop's redirects, and tells whether the click cookie came, what is wrong with it, "
		"and whether the running daemon has the click, which it deletes again. No secret "
		"is "
		"sent.",
	.example = "backchannel check --landing https://shop.example/",
	.rows = option_rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.run = run,
};
