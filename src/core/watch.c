/* SPDX-License-Identifier: MIT */
/* See watch.h. What a watch is called, and what is said of it, stands in one table. */
#include "core/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/alerts.h"
#include "core/lanes.h"

enum watch { STORE, SPEED, DISK, PENDING, JOURNAL, TOKEN, WATCHES };
enum reading { GOOD, BETWEEN, BAD }; /* BETWEEN: leaves it as it is */

static const struct row {
	const char *event;
	const char *name[2];	 /* of the states: good, bad */
	const char *headline[2]; /* what is said of them */
	const char *hint;	 /* when it is bad, unless the reading has a better one */
	const char *page;	 /* of docs/howto */
	bool logged;		 /* by others, in words of their own */
	uint64_t after_ms[2];	 /* how long it has to be so before it turns good, bad */
} rows[WATCHES] = {
	[STORE] = { "store.state",
		    { "writable", "refusing" },
		    { "the store takes writes again", "the store takes no writes" },
		    "see the disk below the state directory: df -h, and the kernel's log",
		    "disk-filling",
		    true,
		    { BC_WATCH_STORE_GOOD_MS, BC_WATCH_STORE_BAD_MS } },
	[SPEED] = { "store_speed.state",
		    { "normal", "slow" },
		    { "writes reach the disk fast again", "writes reach the disk slowly" },
		    "every click and order waits for that: iostat -x 5 says who uses the disk; a "
		    "back-up, a neighbour, a network disk?",
		    "disk-filling",
		    false,
		    { BC_WATCH_SPEED_MS, BC_WATCH_SPEED_MS } },
	[DISK] = { "disk.state",
		   { "normal", "low" },
		   { "there is room on the disk again", "the disk is filling up" },
		   "make room where the state directory is: when the disk is full, clicks and "
		   "orders are answered 503",
		   "disk-filling",
		   false,
		   { 0, 0 } },
	[PENDING] = { "pending.state",
		      { "normal", "old" },
		      { "no order waits for long any more", "orders wait for long" },
		      "backchannel lanes says what holds them; backchannel check walks their way "
		      "hop by hop",
		      "partner-down",
		      false,
		      { 0, 0 } },
	[JOURNAL] = { "journal_lag.state",
		      { "current", "behind" },
		      { "Adobe's journal is read to its end again",
			"Adobe's journal is read too slowly, or not at all" },
		      "the log's journal.failed says why; Adobe forgets what is older than seven "
		      "days",
		      "order-missing",
		      false,
		      { 0, 0 } },
	[TOKEN] = { "token.margin",
		    { "ample", "short" },
		    { "the access token was renewed",
		      "the access token runs out, and there is no other" },
		    "backchannel token says when it runs out and what the OAuth server answers",
		    "token-refused",
		    false,
		    { 0, BC_WATCH_TOKEN_BAD_MS } },
};

struct mark {
	bool bad;
	uint64_t since_ms; /* since when what is read says otherwise; 0: it does not */
};

/* A lane whose orders were read to be old. */
struct old_lane {
	struct old_lane *next;
	char lane[BC_LANE_NAME_BYTES];
	struct mark mark;
};

struct bc_watch {
	struct bc_shop *shop;	    /* borrowed */
	struct mark marks[WATCHES]; /* PENDING: unused, each lane has one */
	struct old_lane *old;	    /* owned */
	bool broken;		    /* the store is, and that was told */
	uint64_t expired;	    /* the journal's count of that, as it was told */
};

struct bc_watch *bc_watch_create(struct bc_shop *shop)
{
	struct bc_watch *w = calloc(1, sizeof(*w));
	if (w)
		w->shop = shop;
	return w;
}

static void forget(struct old_lane **at)
{
	struct old_lane *gone = *at;
	*at = gone->next;
	free(gone);
}

void bc_watch_destroy(struct bc_watch *w)
{
	while (w && w->old)
		forget(&w->old);
	free(w);
}

/* --- telling --------------------------------------------------------------------------------- */

struct news {
	const char *from, *to, *headline, *reason, *hint;
	const char *lane, *label; /* NULL: it is about none */
	bool bad;
};

static void tell(const struct bc_watch *w, const struct row *row, const struct news *news)
{
	char text[BC_LANE_NAME_BYTES + BC_ERR_TEXT_BYTES + 96];
	snprintf(text, sizeof(text), "backchannel: %s%s%s: %s", news->headline,
		 news->lane ? " on lane " : "", news->lane ? news->lane : "", news->reason);
	bc_log_at(row->logged ? BC_LOG_DEBUG
		  : news->bad ? BC_LOG_ERROR
			      : BC_LOG_INFO,
		  "watch.state", BC_LS("watch", row->event), BC_LS("lane", news->lane),
		  BC_LS("from", news->from), BC_LS("to", news->to), BC_LS("reason", news->reason),
		  BC_LS("hint", news->hint));
	bc_alerts_raise(w->shop->alerts, &(struct bc_alert){ .event = row->event,
							     .lane = news->lane,
							     .product = news->label,
							     .from = news->from,
							     .to = news->to,
							     .reason = news->reason,
							     .hint = news->hint,
							     .page = row->page,
							     .text = text,
							     .at_ms = bc_wall_ms(w->shop->clock) });
}

/* Does it turn? */
static bool turns(struct mark *mark, const struct row *row, enum reading reading, uint64_t now_ms)
{
	if (reading != (mark->bad ? GOOD : BAD)) {
		mark->since_ms = 0;
		return false;
	}
	if (!mark->since_ms)
		mark->since_ms = now_ms;
	if (now_ms - mark->since_ms < row->after_ms[!mark->bad])
		return false;
	*mark = (struct mark){ .bad = !mark->bad };
	return true;
}

static void tell_turn(const struct bc_watch *w, enum watch which, bool bad, const char *reason,
		      const char *hint)
{
	const struct row *row = &rows[which];
	tell(w, row,
	     &(struct news){ .from = row->name[!bad],
			     .to = row->name[bad],
			     .headline = row->headline[bad],
			     .reason = reason,
			     .hint = bad ? hint && hint[0] ? hint : row->hint : NULL,
			     .bad = bad });
}

/* Good below one bound, bad from the other on. */
static enum reading read_age(uint64_t age_ms, uint64_t good_ms, uint64_t bad_ms)
{
	return age_ms >= bad_ms ? BAD : age_ms < good_ms ? GOOD : BETWEEN;
}

static const char *minutes(char text[64], const char *what, uint64_t ms)
{
	snprintf(text, 64, "%s %" PRIu64 " minutes", what, ms / 60000);
	return text;
}

/* --- the watches ------------------------------------------------------------------------------ */

static void tell_broken(struct bc_watch *w, const struct bc_err *why)
{
	const struct row *row = &rows[STORE];
	if (w->broken)
		return;
	w->broken = true;
	tell(w, row,
	     &(struct news){ .from = row->name[w->marks[STORE].bad],
			     .to = "broken",
			     .headline = "the store is broken, and takes nothing until a restart",
			     .reason = why->text,
			     .hint = why->hint,
			     .bad = true });
}

static void look_at_writes(struct bc_watch *w, const struct bc_store_stats *stats, uint64_t now_ms)
{
	struct mark *mark = &w->marks[STORE];
	const struct bc_err *why = &stats->refused_err;
	if (!turns(mark, &rows[STORE], stats->writable ? GOOD : BAD, now_ms))
		return;
	if (mark->bad)
		tell_turn(w, STORE, true, why->text[0] ? why->text : "a write was refused",
			  why->hint);
	else
		tell_turn(w, STORE, false, "writes reach the disk", NULL);
}

static void look_at_disk(struct bc_watch *w, uint64_t free_bytes, uint64_t now_ms)
{
	struct mark *mark = &w->marks[DISK];
	uint64_t mib = free_bytes / (1024 * 1024);
	char reason[64];
	enum reading reading = mib < BC_WATCH_DISK_BAD_MIB     ? BAD
			       : mib >= BC_WATCH_DISK_GOOD_MIB ? GOOD
							       : BETWEEN;
	if (!turns(mark, &rows[DISK], reading, now_ms))
		return;
	snprintf(reason, sizeof(reason), "%" PRIu64 " MiB are free where the store is", mib);
	tell_turn(w, DISK, mark->bad, reason, NULL);
}

static void look_at_speed(struct bc_watch *w, const struct bc_store_stats *stats, uint64_t now_ms)
{
	struct mark *mark = &w->marks[SPEED];
	struct bc_store_recent recent;
	char reason[96];
	bc_store_recent(stats, &recent);
	enum reading reading = recent.commits < BC_WATCH_SPEED_COMMITS	? BETWEEN
			       : recent.p99_us >= BC_WATCH_SPEED_BAD_US ? BAD
			       : recent.p99_us < BC_WATCH_SPEED_GOOD_US ? GOOD
									: BETWEEN;
	if (!turns(mark, &rows[SPEED], reading, now_ms))
		return;
	snprintf(reason, sizeof(reason), "one commit in a hundred takes %" PRIu32 " ms or more",
		 recent.p99_us / 1000);
	tell_turn(w, SPEED, mark->bad, reason, NULL);
}

void bc_watch_store(struct bc_watch *w, const struct bc_store_stats *stats, uint64_t now_ms)
{
	if (stats->broken)
		tell_broken(w, &stats->broken_err);
	else
		look_at_writes(w, stats, now_ms);
	look_at_speed(w, stats, now_ms);
	if (stats->has_size)
		look_at_disk(w, stats->free_bytes, now_ms);
}

void bc_watch_journal(struct bc_watch *w, const struct bc_journal_view *view, uint64_t now_ms)
{
	struct mark *mark = &w->marks[JOURNAL];
	char reason[64];
	enum reading reading =
		read_age(view->lag_ms, BC_WATCH_JOURNAL_GOOD_MS, BC_WATCH_JOURNAL_BAD_MS);
	if (view->expired > w->expired) {
		static const struct row expired = { .event = "journal.expired",
						    .page = "order-missing" };
		tell(w, &expired,
		     &(struct news){ .to = "expired",
				     .headline = "orders may be missing",
				     .reason = "Adobe's journal had forgotten what came after the "
					       "last event that was read",
				     .hint = "backchannel pull fetches the orders from Commerce",
				     .bad = true });
	}
	w->expired = view->expired;
	if (turns(mark, &rows[JOURNAL], reading, now_ms))
		tell_turn(w, JOURNAL, mark->bad, minutes(reason, "it lags", view->lag_ms),
			  view->last.code ? view->last.hint : NULL);
}

/* Without a token in hand, and while the credential is refused, token.state has told it. */
void bc_watch_token(struct bc_watch *w, const struct bc_tokens_view *view, uint64_t now_ms)
{
	struct mark *mark = &w->marks[TOKEN];
	char reason[BC_ERR_TEXT_BYTES + 64];
	bool lent = view->state == BC_TOKEN_FRESH || view->state == BC_TOKEN_STALE;
	enum reading reading = !view->failures ? GOOD : lent && !view->parked ? BAD : BETWEEN;
	if (!turns(mark, &rows[TOKEN], reading, now_ms))
		return;
	snprintf(reason, sizeof(reason), "it can be used for %" PRIu64 " more minutes%s%s",
		 view->expires_in_ms / 60000, mark->bad ? "; " : "",
		 mark->bad ? view->last.text : "");
	tell_turn(w, TOKEN, mark->bad, reason, view->last.hint);
}

/* --- the lanes -------------------------------------------------------------------------------- */

static struct old_lane **find(struct bc_watch *w, const char *lane)
{
	struct old_lane **at = &w->old;
	while (*at && strcmp((*at)->lane, lane) != 0)
		at = &(*at)->next;
	return at;
}

static uint64_t age_of(const struct bc_lane_count *lane, uint64_t wall_ms)
{
	return lane->oldest_ms && wall_ms > lane->oldest_ms ? wall_ms - lane->oldest_ms : 0;
}

static void tell_lane(const struct bc_watch *w, const char *lane, bool bad, uint64_t age_ms)
{
	const struct row *row = &rows[PENDING];
	char reason[64];
	tell(w, row,
	     &(struct news){ .from = row->name[!bad],
			     .to = row->name[bad],
			     .headline = row->headline[bad],
			     .reason = age_ms ? minutes(reason, "the oldest waits", age_ms)
					      : "none waits",
			     .hint = bad ? row->hint : NULL,
			     .lane = lane,
			     .label = strchr(lane, '.') + 1,
			     .bad = bad });
}

/* Lanes are remembered while they are old. */
static void look_at(struct bc_watch *w, const char *lane, enum reading reading, uint64_t age_ms,
		    uint64_t now_ms)
{
	struct old_lane **at = find(w, lane), *known = *at;
	struct mark fresh = { 0 };
	if (!turns(known ? &known->mark : &fresh, &rows[PENDING], reading, now_ms))
		return;
	if (!known) {
		*at = known = calloc(1, sizeof(*known));
		if (!known)
			return; /* at the next look */
		snprintf(known->lane, sizeof(known->lane), "%s", lane);
		known->mark = fresh;
		tell_lane(w, lane, true, age_ms);
	} else {
		tell_lane(w, lane, false, age_ms);
		forget(at);
	}
}

void bc_watch_lanes(struct bc_watch *w, const struct bc_lane_count *lanes, uint32_t count,
		    uint64_t now_ms)
{
	uint64_t wall_ms = bc_wall_ms(w->shop->clock);
	char name[BC_LANE_NAME_BYTES];
	for (uint32_t i = 0; i < count; i++) {
		uint64_t age_ms = age_of(&lanes[i], wall_ms);
		enum reading reading =
			read_age(age_ms, BC_WATCH_PENDING_GOOD_MS, BC_WATCH_PENDING_BAD_MS);
		bc_lane_name(lanes[i].partner, lanes[i].product, name);
		look_at(w, name, lanes[i].stands && reading == BAD ? BETWEEN : reading, age_ms,
			now_ms);
	}
	/* One that has nothing waiting may not be among them. */
	for (struct old_lane *l = w->old, *next; l; l = next) {
		bool seen = false;
		next = l->next;
		for (uint32_t i = 0; i < count && !seen; i++)
			seen = !strcmp(bc_lane_name(lanes[i].partner, lanes[i].product, name),
				       l->lane);
		if (!seen) {
			snprintf(name, sizeof(name), "%s", l->lane);
			look_at(w, name, GOOD, 0, now_ms);
		}
	}
}
