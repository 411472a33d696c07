/* SPDX-License-Identifier: MIT */
/* See check.h: the store, and the daemon that has it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "cli/check.h"
#include "cli/remote.h"
#include "core/shop.h"
#include "daemon/app.h"
#include "store/backup.h"

enum { OLD_PENDING_S = 3600 };

/* --- the store ------------------------------------------------------------------------------- */

/* "188 KiB", of the file behind "sqlite:". "": it is not to be seen. */
static const char *size_words(const struct bc_settings *s, char *text, size_t bytes)
{
	struct stat st;
	text[0] = '\0';
	if (strncmp(s->store, "sqlite:", 7) == 0 && stat(s->store + 7, &st) == 0)
		snprintf(text, bytes, ", %llu KiB", (unsigned long long)st.st_size / 1024);
	return text;
}

/* One of a former version is not opened: that would upgrade it. */
static bool is_former(struct check_walk *w, struct check_hop *h)
{
	long layout = 0;
	const char *path =
		strncmp(w->settings->store, "sqlite:", 7) == 0 ? w->settings->store + 7 : NULL;
	if (!path || bc_backup_layout(path, &layout) || layout >= bc_backup_layout_now)
		return false;
	check_say(h, CHECK_WARNING, "layout %ld, of an older version; this one brings it to %ld",
		  layout, bc_backup_layout_now);
	check_advise(h, "it does so at its first start, and the older version refuses it from then "
			"on: make a back-up first, backchannel backup FILE");
	return true;
}

static void try_store(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	struct bc_app *app;
	struct bc_buf body;
	char size[48];
	int status = 0, result = bc_app_open(w->settings, BC_APP_OFFLINE, &app, &err);
	if (result == BC_EBUSY) {
		check_say(h, CHECK_OK, "in use by the running daemon%s",
			  size_words(w->settings, size, sizeof(size)));
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
	check_say(h, CHECK_OK, "opened, written and closed below \"%s\"%s", w->settings->state,
		  size_words(w->settings, size, sizeof(size)));
}

/* A running daemon is asked; else the store is opened as the daemon would. */
void check_store(struct check_walk *w, struct check_hop *h)
{
	struct bc_err err = { 0 };
	if (bc_settings_check_startable(w->settings, NULL, &err))
		check_say(h, CHECK_SKIPPED, "not tried: the settings are not complete");
	else if (!is_former(w, h))
		try_store(w, h);
}

/* --- the daemon ------------------------------------------------------------------------------ */

static bool is_problem(const struct bc_reply *reply, struct check_hop *h)
{
	if (reply->status == 200)
		return false;
	check_say(h, CHECK_WRONG, "it answers %d: %s", reply->status,
		  bc_json_text(reply->json, "detail"));
	check_advise(h, "%s",
		     reply->status == 401
			     ? "give this command the token, too: BACKCHANNEL_API_TOKEN"
			     : "see its log");
	h->exit = reply->status < 500 ? BC_EXIT_REFUSED : BC_EXIT_FAILED;
	return true;
}

const json_t *check_summary(struct check_walk *w)
{
	struct bc_reply reply;
	if (w->summary_asked)
		return w->summary;
	w->summary_asked = true;
	if (bc_remote_ask(w->settings, "GET", "/v1/summary", &reply) == BC_EXIT_DONE &&
	    reply.status == 200)
		w->summary = json_incref(reply.json);
	bc_reply_finish(&reply);
	return w->summary;
}

/* /readyz needs no token; what comes behind it does. */
static void look_closer(struct check_walk *w, struct check_hop *h)
{
	struct bc_reply reply;
	(void)bc_remote_ask(w->settings, "GET", "/v1/lanes", &reply);
	bool refused = is_problem(&reply, h);
	bc_reply_finish(&reply);
	w->stop[CHECK_DAEMON] = refused;
	if (refused || !check_summary(w))
		return;
	const char *version = bc_json_text(w->summary, "version");
	if (!version[0] || strcmp(version, BC_VERSION) == 0)
		return;
	check_say(h, CHECK_WARNING, "ready at %s, but it is version %s; this is %s",
		  w->settings->url, version, BC_VERSION);
	check_advise(h, "restart it: systemctl restart backchannel");
}

void check_daemon(struct check_walk *w, struct check_hop *h)
{
	struct bc_reply reply;
	enum bc_exit result = bc_remote_ask(w->settings, "GET", "/readyz", &reply);
	w->stop[CHECK_DAEMON] = true;
	check_try(h, "GET %s/readyz", w->settings->url);
	if (result == BC_EXIT_UNREACHABLE) {
		check_say(h, CHECK_SKIPPED, "none answers at %s", w->settings->url);
		check_advise(h, "start one: backchannel serve");
	} else if (!is_problem(&reply, h)) {
		check_say(h, CHECK_OK, "ready at %s, version " BC_VERSION, w->settings->url);
		look_closer(w, h);
	}
	bc_reply_finish(&reply);
}

/* --- its lanes ------------------------------------------------------------------------------- */

static const struct {
	const char *state, *hint;
	enum check_verdict verdict;
} stands[] = {
	{ "open", "", CHECK_OK },
	{ "parked",
	  "mend that; it is tried again by itself, or at once: backchannel lanes probe %s",
	  CHECK_WRONG },
	{ "broken", "the partner is in trouble; the lane tries again by itself", CHECK_WARNING },
	{ "throttled", "the partner asked for less; the lane goes on by itself", CHECK_WARNING },
	{ "paused", "somebody paused it: backchannel lanes resume %s", CHECK_WARNING },
};

static void judge_lane(struct check_hop *h, const json_t *lane)
{
	const char *name = bc_json_text(lane, "name"), *state = bc_json_text(lane, "state");
	const char *reason = bc_json_text(lane, "reason"), *since = bc_json_text(lane, "since");
	json_int_t pending = json_integer_value(json_object_get(lane, "pending"));
	for (size_t i = 0; i < BC_COUNT(stands); i++) {
		if (strcmp(stands[i].state, state) != 0 || stands[i].verdict <= h->verdict)
			continue;
		check_say(h, stands[i].verdict, "%s is %s since %s, %lld wait%s%.200s", name, state,
			  since, (long long)pending, reason[0] ? ": " : "", reason);
		h->exit = BC_EXIT_REFUSED;
		const char *place = strstr(stands[i].hint, "%s");
		check_advise(h, "%.*s%s", place ? (int)(place - stands[i].hint) : INT16_MAX,
			     stands[i].hint, place ? name : "");
	}
}

void check_lanes(struct check_walk *w, struct check_hop *h)
{
	const json_t *lanes = json_object_get(check_summary(w), "lanes");
	size_t i;
	json_t *lane;
	if (!lanes) {
		check_say(h, CHECK_SKIPPED, "no daemon answers at %s", w->settings->url);
		return;
	}
	check_say(h, CHECK_OK, "%zu, all open", json_array_size(lanes));
	json_array_foreach(lanes, i, lane) judge_lane(h, lane);
}

void check_pending(struct check_walk *w, struct check_hop *h)
{
	char age[48];
	const json_t *summary = check_summary(w);
	const json_t *seconds = json_object_get(summary, "pending_oldest_seconds");
	json_int_t pending =
		json_integer_value(json_object_get(json_object_get(summary, "orders"), "pending"));
	double old_s = json_number_value(seconds);
	bc_format_duration((uint64_t)old_s * 1000, age, sizeof(age));
	if (!summary) {
		check_say(h, CHECK_SKIPPED, "no daemon answers at %s", w->settings->url);
	} else if (!json_is_number(seconds) || !pending) {
		check_say(h, CHECK_OK, "%lld conversion(s) wait", (long long)pending);
	} else if (old_s < OLD_PENDING_S) {
		check_say(h, CHECK_OK, "%lld conversion(s) wait, the oldest for %s",
			  (long long)pending, age);
	} else {
		check_say(h, CHECK_WARNING, "%lld conversion(s) wait, the oldest for %s",
			  (long long)pending, age);
		check_advise(h,
			     "see why: backchannel orders --state pending, backchannel explain ID");
	}
}
