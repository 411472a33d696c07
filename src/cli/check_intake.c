/* SPDX-License-Identifier: MIT */
/* See check.h: what comes in, and who is told. Only what is set has a line. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/check.h"
#include "cli/remote.h"

/* --- public listener ------------------------------------------------------------------------- */

/* "0.0.0.0:8788" listens everywhere, and is asked here. */
static const char *own_address(const char *listen, char *text, size_t bytes)
{
	const char *port = strrchr(listen, ':');
	if (strncmp(listen, "0.0.0.0:", 8) == 0)
		snprintf(text, bytes, "127.0.0.1%s", port);
	else if (strncmp(listen, "[::]:", 5) == 0)
		snprintf(text, bytes, "[::1]%s", port);
	else
		snprintf(text, bytes, "%s", listen);
	return text;
}

static void ask_edge(struct check_walk *w, struct check_hop *h)
{
	char url[300], address[260];
	struct check_answer a = { 0 };
	struct bc_err err = { 0 };
	snprintf(url, sizeof(url), "http://%s/capture.js",
		 own_address(w->settings->edge, address, sizeof(address)));
	check_try(h, "GET %s", url);
	if (check_ask(w, "GET", url, NULL, NULL, NULL, &a, &err)) {
		check_say(h, CHECK_WRONG, "%s", err.text);
		check_advise(h, "%s", err.hint);
	} else if (a.status == 200) {
		check_say(h, CHECK_OK, "%s serves capture.js", w->settings->edge);
	} else {
		check_say(h, CHECK_WRONG, "%s: %s", w->settings->edge,
			  a.status ? "something else listens there" : a.error_text);
		check_advise(h, "a new address needs a restart; the log says on what it listens");
		h->exit = BC_EXIT_UNREACHABLE;
	}
	check_answer_finish(&a);
}

void check_edge(struct check_walk *w, struct check_hop *h)
{
	const char *edge = w->settings->edge;
	if (!edge)
		h->verdict = CHECK_SILENT;
	else if (!check_summary(w))
		check_say(h, CHECK_SKIPPED, "no daemon runs, so nobody listens at %s", edge);
	else if (strncmp(edge, "unix:", 5) == 0)
		check_say(h, CHECK_SKIPPED, "%s is asked by the web server alone", edge);
	else
		ask_edge(w, h);
}

/* --- datagrams ------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* 0, or errno: does somebody read there? Nothing is sent. */
static int try_socket(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	BC_CLEANUP(close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) ? errno : 0;
}

static void judge_socket(struct check_hop *h, const char *path)
{
	struct stat st;
	int error = try_socket(path);
	check_try(h, "a connection to %s", path);
	if (error == EACCES) {
		check_say(h, CHECK_SKIPPED, "%s is not ours to write", path);
		check_advise(h, "the web server's user has to be of its group: input.group");
	} else if (error) {
		check_say(h, CHECK_WRONG, "%s: %s", path, strerror(error));
		check_advise(h, "the daemon makes it at its start; a new path needs a restart");
	} else if (stat(path, &st)) {
		check_say(h, CHECK_OK, "%s is read", path);
	} else {
		check_say(h, CHECK_OK, "%s is read; mode %03o, group %u", path, st.st_mode & 0777u,
			  (unsigned)st.st_gid);
	}
}

/* Does any socket of this machine have that UDP port? */
static bool has_udp(unsigned port)
{
	static const char *const tables[] = { "/proc/net/udp", "/proc/net/udp6" };
	bool found = false;
	for (size_t i = 0; i < BC_COUNT(tables); i++) {
		char line[256];
		unsigned at;
		FILE *table = fopen(tables[i], "re");
		while (table && fgets(line, sizeof(line), table))
			found = found ||
				(sscanf(line, " %*u: %*[0-9A-F]:%x", &at) == 1 && at == port);
		if (table)
			fclose(table);
	}
	return found;
}

void check_input(struct check_walk *w, struct check_hop *h)
{
	const char *input = w->settings->input;
	if (!input) {
		h->verdict = CHECK_SILENT;
	} else if (!check_summary(w)) {
		check_say(h, CHECK_SKIPPED, "no daemon runs, so nobody reads %s", input);
	} else if (strncmp(input, "unix:", 5) == 0) {
		judge_socket(h, input + 5);
	} else if (has_udp((unsigned)strtoul(strrchr(input, ':') + 1, NULL, 10))) {
		check_say(h, CHECK_OK, "%s is open", input);
	} else {
		check_say(h, CHECK_WRONG, "nothing is open at %s", input);
		check_advise(h, "a new address needs a restart of the daemon");
	}
}

/* --- Adobe's events -------------------------------------------------------------------------- */

void check_journal(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	const struct check_peer peer = { s->journal_url, s->commerce_proxy, s->commerce_ca_file,
					 "journal.url", "commerce.proxy" };
	const json_t *journal = json_object_get(check_summary(w), "journal");
	const char *error = bc_json_text(journal, "error");
	if (!s->journal_url) {
		h->verdict = CHECK_SILENT;
	} else if (error[0]) {
		check_say(h, CHECK_WRONG, "the daemon reads it and fails: %s", error);
		check_advise(h, "%s", bc_json_text(journal, "hint"));
	} else if (journal) {
		check_say(h, CHECK_OK, "the daemon reads it: %s, %lld event(s) so far",
			  bc_json_text(journal, "state"),
			  (long long)json_integer_value(json_object_get(journal, "events")));
	} else {
		check_tls(w, h, &peer);
	}
}

static bool without_edge(const struct check_walk *w, struct check_hop *h, const char *what)
{
	if (w->settings->edge)
		return false;
	check_say(h, CHECK_WARNING, "%s is set, and nobody listens for it", what);
	check_advise(h, "set edge = 127.0.0.1:8788, and let the web server lead there");
	return true;
}

/* The client id comes from the OAuth client by itself, so it alone means nothing. */
void check_events(struct check_walk *w, struct check_hop *h)
{
	const struct bc_settings *s = w->settings;
	const struct check_peer peer = { s->events_key_url, s->commerce_proxy, NULL,
					 "events.key_url", "commerce.proxy" };
	if (!s->events_client_id || !s->edge)
		h->verdict = CHECK_SILENT;
	else
		check_tls(w, h, &peer);
}

void check_webhook(struct check_walk *w, struct check_hop *h)
{
	if (!w->settings->webhook_key)
		h->verdict = CHECK_SILENT;
	else if (!without_edge(w, h, "webhook.key"))
		check_say(h, CHECK_OK, "webhook.key is set: POST /v1/webhooks/commerce is taken");
}

/* --- alerts ---------------------------------------------------------------------------------- */

/* One more message in somebody's chat, each time that a monitor runs check, would be noise. */
void check_alerts(struct check_walk *w, struct check_hop *h)
{
	const struct bc_secret *url = w->settings->alert_url;
	if (!url) {
		check_say(h, CHECK_SKIPPED,
			  "alert.url is not set: nobody is told when a lane stops");
		return;
	}
	const struct check_peer peer = { .url = bc_secret_reveal(url),
					 .proxy = w->settings->delivery_proxy,
					 .setting = "alert.url",
					 .proxy_setting = "delivery.proxy",
					 .unnamed = true,
					 .silent = true };
	check_tls(w, h, &peer);
	if (h->verdict == CHECK_WRONG)
		h->verdict = CHECK_WARNING; /* orders come and go without it */
	else
		check_say(h, CHECK_OK,
			  "alert.url is set; nothing was sent to it, but its host is there");
}
