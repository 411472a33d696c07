/* SPDX-License-Identifier: MIT */
/* See check.h: what is on this machine, with or without a daemon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/check.h"

extern char **environ;

enum { FREE_MIN_MIB = 256, SPARE_FILES = 256, SKEW_MAX_MS = 60 * 1000 };
#define DAY_MS (24ull * 3600 * 1000)

/* --- settings -------------------------------------------------------------------------------- */

/* An id, and a key where the partner asks for one. */
static bool is_complete(const struct bc_product *p)
{
	return p->id && (p->key || !bc_partner_needs(p->partner, "key"));
}

static bool all_local(const struct bc_shop_config *c)
{
	for (size_t i = 0; i < c->product_count; i++)
		if (!c->products[i].base_url || strncmp(c->products[i].base_url, "http://", 7) != 0)
			return false;
	return c->product_count > 0;
}

void check_lay_ways(struct check_walk *w)
{
	const struct bc_settings *s = w->settings;
	const struct bc_shop_config *c = w->config;
	bool product = c->product_count && is_complete(&c->products[0]);
	bool oauth = s->oauth_client_id || s->oauth_client_secret;
	w->local = all_local(c);
	w->on[CHECK_HERE] = w->on[CHECK_DAEMON] = w->on[CHECK_INTAKE] = true;
	w->on[CHECK_LANDING] = w->landing_url != NULL;
	w->on[CHECK_HANDBACK] = c->product_count || !oauth;
	w->on[CHECK_OAUTH] = w->on[CHECK_COMMERCE] = oauth;
	w->stop[CHECK_HANDBACK] = !product;
	w->stop[CHECK_OAUTH] = !s->oauth_client_id || !s->oauth_client_secret;
	w->stop[CHECK_COMMERCE] = !s->commerce_base_url;
}

static const char *commerce_words(const struct check_walk *w)
{
	if (!w->on[CHECK_COMMERCE])
		return "";
	return w->settings->commerce_is == BC_COMMERCE_PAAS ? ", Commerce (paas)"
							    : ", Commerce (saas)";
}

static bool has_sovendus(const struct check_walk *w)
{
	for (size_t i = 0; i < w->config->product_count; i++)
		if (w->config->products[i].partner == &bc_partner_sovendus)
			return true;
	return false;
}

void check_settings(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	char ttl[24];
	if (bc_settings_check_startable(w->settings, NULL, &err)) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
		return;
	}
	bc_format_duration(w->settings->click_ttl_ms, ttl, sizeof(ttl));
	if (!w->on[CHECK_HANDBACK]) {
		check_say(h, CHECK_OK, "complete%s", commerce_words(w));
	} else if (w->settings->click_ttl_ms < 30 * DAY_MS && !w->local && has_sovendus(w)) {
		check_say(h, CHECK_WARNING, "complete; click.ttl is %s%s", ttl, commerce_words(w));
		check_advise(
			h,
			"Sovendus's present documents keep a click 30 days: set click.ttl = 30d");
	} else {
		check_say(h, CHECK_OK, "complete; %zu product(s), click.ttl %s%s",
			  w->settings->product_count, ttl, commerce_words(w));
	}
}

/* The file part of "backchannel.conf:12"; all of the environment is one place. */
static bool is_new_place(const char *source, char *last, size_t bytes)
{
	size_t n = strncmp(source, "environment", 11) == 0 ? 11 : strcspn(source, ":");
	if (!strcmp(source, "default") || (strlen(last) == n && !strncmp(last, source, n)) ||
	    n >= bytes)
		return false;
	memcpy(last, source, n);
	last[n] = '\0';
	return true;
}

/* Where the settings come from: "environment, ./backchannel.conf". */
static void tell_places(const struct bc_settings *s, char *text, size_t bytes)
{
	struct bc_buf out;
	char last[256] = "";
	size_t i, used = 0;
	json_t *row;
	bc_buf_init(&out, 1024 * 1024);
	json_t *all =
		bc_settings_show_json(s, &out) ? NULL : json_loadb(out.data, out.len, 0, NULL);
	text[0] = '\0';
	json_array_foreach(json_object_get(all, "settings"), i, row)
	{
		const char *source = json_string_value(json_object_get(row, "source"));
		if (!source || !is_new_place(source, last, sizeof(last)) || strstr(text, last) ||
		    used >= bytes)
			continue;
		used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? ", " : "", last);
	}
	json_decref(all);
	bc_buf_finish(&out);
}

/* What a linter would say: names that mean nothing, secrets that others can read. */
void check_files(struct check_walk *w, struct check_hop *h)
{
	struct bc_settings_source source = { .config_path = w->in->config_path,
					     .environment = environ };
	struct bc_settings_report report;
	struct bc_err err = { 0 };
	char places[256];
	bc_settings_report_init(&report);
	int result = bc_settings_lint(&source, NULL, &report, &err);
	tell_places(w->settings, places, sizeof(places));
	if (result == BC_ENOMEM || report.count == report.errors) {
		check_say(h, CHECK_OK, "read from %s; no secret is open to others",
			  places[0] ? places : "nowhere: all are defaults");
	} else {
		const struct bc_settings_finding *f = report.findings;
		while (f->severity != BC_SETTINGS_WARNING)
			f++;
		check_say(h, CHECK_WARNING, "%s%s%s", f->where, f->where[0] ? ": " : "",
			  f->problem.text);
		check_advise(h, "%s; backchannel config lint shows all %zu", f->problem.hint,
			     report.count);
	}
	bc_settings_report_finish(&report);
}

/* --- the machine ----------------------------------------------------------------------------- */

void check_clock(struct check_walk *w, struct check_hop *h)
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

void check_skew(struct check_walk *w, struct check_hop *h)
{
	char text[48];
	uint64_t off_ms = (uint64_t)(w->skew_ms < 0 ? -w->skew_ms : w->skew_ms);
	if (!w->skew_known) {
		h->verdict = CHECK_SILENT;
		return;
	}
	check_try(h, "our clock against the Date of the answers");
	bc_format_duration(off_ms / 1000 * 1000, text, sizeof(text));
	if (off_ms <= SKEW_MAX_MS) {
		check_say(h, CHECK_OK, "our clock and that of the others agree");
		return;
	}
	check_say(h, CHECK_WARNING, "our clock is %s %s that of the others", text,
		  w->skew_ms > 0 ? "behind" : "ahead of");
	check_advise(h, "let it be set (timedatectl set-ntp true): clicks and tokens expire by it, "
			"and the times in the ledger are wrong");
}

void check_state(struct check_walk *w, struct check_hop *h)
{
	const char *path = w->settings->state;
	struct stat st;
	struct statvfs fs;
	if (stat(path, &st)) {
		int error = errno;
		check_say(h, error == ENOENT ? CHECK_OK : CHECK_WARNING, "\"%s\": %s", path,
			  error == ENOENT ? "not there yet, a start makes it" : strerror(error));
		if (error != ENOENT)
			check_advise(h, "look at it as root, or as the user who runs the daemon");
		return;
	}
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 077)) {
		check_say(h, CHECK_WARNING, "\"%s\" is %s", path,
			  S_ISDIR(st.st_mode) ? "open to others" : "not a directory");
		check_advise(h, "it holds click tokens and the hash key: chmod 700 \"%s\"", path);
		return;
	}
	if (statvfs(path, &fs)) {
		check_say(h, CHECK_OK, "\"%s\", ours alone", path);
		return;
	}
	unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize / (1024 * 1024);
	check_say(h, mib < FREE_MIN_MIB ? CHECK_WARNING : CHECK_OK, "\"%s\": %llu MiB are free",
		  path, mib);
	if (mib < FREE_MIN_MIB)
		check_advise(h, "make room: when the disk is full, clicks and orders are answered "
				"503");
}

/* --- how many files it may open -------------------------------------------------------------- */

/* The process that holds the state directory, by its lock file; 0: none, or nobody may know. */
static long holder(const char *state)
{
	char path[4096];
	long pid = 0;
	snprintf(path, sizeof(path), "%s/lock", state);
	FILE *lock = fopen(path, "re");
	if (lock && fscanf(lock, "process %ld", &pid) != 1)
		pid = 0;
	if (lock)
		fclose(lock);
	return pid;
}

/* The soft limit of that process. False: it is not to be seen. */
static bool limit_of(long pid, unsigned long long *ret)
{
	char path[64], line[160];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%ld/limits", pid);
	FILE *limits = pid ? fopen(path, "re") : NULL;
	while (limits && !found && fgets(line, sizeof(line), limits))
		found = sscanf(line, "Max open files %llu", ret) == 1;
	if (limits)
		fclose(limits);
	return found;
}

void check_limits(struct check_walk *w, struct check_hop *h)
{
	struct rlimit own = { 0 };
	unsigned long long limit = 0, need = w->settings->http_connections + SPARE_FILES;
	bool daemons = limit_of(holder(w->settings->state), &limit);
	if (!daemons && !getrlimit(RLIMIT_NOFILE, &own))
		limit = own.rlim_cur;
	const char *whose = daemons ? "the daemon" : "what is started here";
	if (limit >= need) {
		check_say(h, CHECK_OK, "%s may open %llu, http.connections = %llu", whose, limit,
			  (unsigned long long)w->settings->http_connections);
		return;
	}
	check_say(h, CHECK_WARNING, "%s may open %llu, fewer than http.connections = %llu need",
		  whose, limit, (unsigned long long)w->settings->http_connections);
	check_advise(h, "raise it (LimitNOFILE=16384 in the unit, or ulimit -n), or lower "
			"http.connections");
}
