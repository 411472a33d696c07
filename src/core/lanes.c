/* SPDX-License-Identifier: MIT */
/*
 * See lanes.h for the states: who moves a lane in, who out. What each state means for what waits is
 * the table below; each event that can move a lane is a function here (an attempt's answer, the
 * timer, new settings), in lane_probe.c (the test token's answer) or in lane_commands.c (the
 * operator).
 */
#include "core/lanes.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/alerts.h"
#include "core/delivery_impl.h"

enum {
	HEALTH_BITS = 20,
	HEALTH_MIN = 10,	       /* fewer say nothing */
	TRIAL_WAIT_MAX_MS = 60 * 1000, /* a partner that is back is noticed within a minute */
	/* The longest Retry-After that is obeyed; a clock that was set back asks for no more. */
	THROTTLE_MAX_MS = 2 * 60 * 60 * 1000,
	LEASE_ARENA_BYTES = 8 * 1024,
	LEASE_ARENA_MAX = 1024 * 1024
};

static void lane_open(struct lane *lane);

static const struct state_rule {
	bool stands; /* its time does not run: deadlines wait */
	bool kept;   /* over a restart */
	bool alarms; /* entering it, and coming back to open from it, is told once */
	enum bc_log_level level;
	void (*timer)(struct lane *lane); /* what it does when it has slept */
} rules[BC_LANE_STATES] = {
	[BC_LANE_OPEN] = { .level = BC_LOG_INFO },
	[BC_LANE_THROTTLED] = { .kept = true, .level = BC_LOG_WARNING, .timer = lane_open },
	[BC_LANE_SUSPECT] = { .level = BC_LOG_WARNING },
	[BC_LANE_BROKEN] = { .kept = true,
			     .alarms = true,
			     .level = BC_LOG_ERROR,
			     .timer = lane_try },
	[BC_LANE_PARKED] = { .stands = true,
			     .kept = true,
			     .alarms = true,
			     .level = BC_LOG_ERROR,
			     .timer = lane_probe },
	[BC_LANE_PAUSED] = { .stands = true,
			     .kept = true,
			     .alarms = true,
			     .level = BC_LOG_WARNING },
};

const char *const bc_lane_state_name[BC_LANE_STATES] = {
	[BC_LANE_OPEN] = "open",       [BC_LANE_THROTTLED] = "throttled",
	[BC_LANE_SUSPECT] = "suspect", [BC_LANE_BROKEN] = "broken",
	[BC_LANE_PARKED] = "parked",   [BC_LANE_PAUSED] = "paused",
};

static char *put_label(char *at, struct bc_str label)
{
	size_t len = label.len < BC_LABEL_MAX ? label.len : BC_LABEL_MAX;
	if (len)
		memcpy(at, label.ptr, len);
	return at + len;
}

char *bc_lane_name(struct bc_str partner, struct bc_str product, char *name)
{
	char *at = put_label(name, partner);
	*at++ = '.';
	*put_label(at, product) = '\0';
	return name;
}

bool lane_stands(enum bc_lane_state state)
{
	return rules[state].stands;
}

bool lane_alarms(enum bc_lane_state state)
{
	return rules[state].alarms;
}

bool lane_is_kept(enum bc_lane_state state)
{
	return rules[state].kept;
}

bool lane_sends(const struct lane *lane)
{
	return lane->product && (lane->state == BC_LANE_OPEN || lane->trial);
}

uint32_t lane_room(const struct lane *lane)
{
	bool many = lane->state == BC_LANE_OPEN && lane->proven && !lane->rechecked[0];
	uint32_t most = many ? lane->delivery->desk.config->concurrency : 1;
	if (!lane_sends(lane))
		return 0;
	return lane->in_flight < most ? most - lane->in_flight : 0;
}

void lane_publish(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	size_t at = 0;
	while (at < d->lane_count && d->lanes[at] != lane)
		at++;
	if (at == d->lane_count)
		return; /* not among them yet */
	pthread_mutex_lock(&d->status_lock);
	struct bc_lane_status *to = &d->status[at];
	memcpy(to->name, lane->name, sizeof(to->name));
	if (!lane->product)
		to->name[0] = '\0';
	memcpy(to->reason, lane->reason, sizeof(to->reason));
	memcpy(to->attempts, lane->attempts, sizeof(to->attempts));
	memcpy(to->entered, lane->entered, sizeof(to->entered));
	to->state = lane->state;
	to->since_ms = lane->since_ms;
	to->next_probe_ms = lane->next_ms;
	to->in_flight = lane->in_flight;
	pthread_mutex_unlock(&d->status_lock);
}

/* --- moving -------------------------------------------------------------------------------- */

static void raise_alarm(const struct lane *lane, enum bc_lane_state from, const char *reason,
			const char *hint)
{
	char text[BC_LANE_NAME_BYTES + BC_LANE_REASON_BYTES + 64];
	snprintf(text, sizeof(text), "backchannel: lane %s is %s%s%s", lane->name,
		 bc_lane_state_name[lane->state], reason[0] ? ": " : "", reason);
	bc_alerts_raise(
		lane->delivery->shop->alerts,
		&(struct bc_alert){ .event = "lane.state",
				    .lane = lane->name,
				    .product = lane->label,
				    .from = bc_lane_state_name[from],
				    .to = bc_lane_state_name[lane->state],
				    .reason = reason,
				    .hint = hint,
				    .page = from == BC_LANE_BROKEN || lane->state == BC_LANE_BROKEN
						    ? "partner-down"
						    : "lane-parked",
				    .text = text,
				    .at_ms = lane->since_ms });
}

static void tell(struct lane *lane, enum bc_lane_state from, const char *reason, const char *hint)
{
	bc_log_at(rules[lane->state].level, "lane.state", BC_LS("lane", lane->name),
		  BC_LS("from", bc_lane_state_name[from]),
		  BC_LS("to", bc_lane_state_name[lane->state]), BC_LS("reason", reason),
		  BC_LS("hint", hint));
	if (!rules[lane->state].alarms && !(lane->alarmed && lane->state == BC_LANE_OPEN))
		return;
	lane->alarmed = rules[lane->state].alarms;
	raise_alarm(lane, from, reason, hint);
}

void lane_enter(struct lane *lane, enum bc_lane_state state, const char *reason, const char *hint)
{
	enum bc_lane_state from = lane->state;
	lane->state = state;
	lane->trial = false;
	lane->next_ms = 0;
	snprintf(lane->reason, sizeof(lane->reason), "%s%s%s", reason, hint[0] ? "; " : "", hint);
	if (rules[from].kept || rules[state].kept)
		lane->unsaved = true;
	if (state != BC_LANE_OPEN && state != BC_LANE_SUSPECT)
		lane_recheck_over(lane);
	if (from != state) {
		bc_timer_stop(lane->timer);
		lane->trials = 0;
		lane->health = (struct lane_health){ 0 };
		lane->since_ms = bc_wall_ms(lane->delivery->shop->clock);
		lane->entered[state]++;
		tell(lane, from, reason, hint);
	}
	lane_publish(lane);
	lane_save(lane); /* before the lease: time it stood does not count against what waits */
	if (state != BC_LANE_OPEN)
		return;
	lane->tripped_count = 0;
	delivery_lane_fill(lane);
}

static void lane_open(struct lane *lane)
{
	lane_enter(lane, BC_LANE_OPEN, "", "");
}

void lane_sleep(struct lane *lane, uint64_t wait_ms)
{
	lane->next_ms = bc_wall_ms(lane->delivery->shop->clock) + wait_ms;
	bc_timer_start(lane->timer, wait_ms);
	lane_publish(lane);
}

/* The one timer: what it means depends on the state. */
static void lane_timer(void *ctx)
{
	struct lane *lane = ctx;
	if (rules[lane->state].timer)
		rules[lane->state].timer(lane);
}

/* --- one conversion, to see whether the lane is good again ----------------------------------- */

void lane_try(struct lane *lane)
{
	lane->trial = true;
	lane->next_ms = 0;
	lane_publish(lane);
	delivery_lane_fill(lane);
}

/* The test token was taken and nothing is due that could say otherwise. A broken lane, and a parked
 * one without a test token, wait for what comes. */
void lane_nothing_to_try(struct lane *lane)
{
	if (lane->state == BC_LANE_PARKED && lane->trial && lane_is_testable(lane))
		lane_open(lane);
}

/* 2, 4, 8 s with the default retry.base, up to a minute. */
static uint64_t trial_wait_ms(const struct lane *lane)
{
	const struct bc_shop_config *config = lane->delivery->desk.config;
	uint64_t most = config->probe_ms < TRIAL_WAIT_MAX_MS ? config->probe_ms : TRIAL_WAIT_MAX_MS;
	uint64_t wait = config->retry.base_ms << (lane->trials < 16 ? lane->trials : 16);
	return wait < most ? wait : most;
}

static void trial_failed(struct lane *lane, uint64_t wait_ms)
{
	uint64_t wait = lane->state == BC_LANE_PARKED ? lane->delivery->desk.config->probe_ms
						      : trial_wait_ms(lane);
	lane->trial = false;
	lane->trials++;
	lane_sleep(lane, wait > wait_ms ? wait : wait_ms);
}

/* --- the credential: key, id, base URL, definition ------------------------------------------- */

/* Of the key, if the partner asks for one. text: BC_FINGERPRINT_BYTES. */
static void fingerprint_of(const struct bc_product *product, char *text)
{
	if (product->key)
		bc_secret_fingerprint(product->key, text);
	else
		memcpy(text, "none", sizeof("none"));
}

static bool same_credential(const struct bc_product *a, const struct bc_product *b,
			    const char *fingerprint)
{
	char other[BC_FINGERPRINT_BYTES];
	fingerprint_of(b, other);
	return strcmp(fingerprint, other) == 0 && strcmp(a->id, b->id) == 0 &&
	       strcmp(a->base_url, b->base_url) == 0 && a->edition == b->edition;
}

/* It was sent with one that is the lane's no longer: a refusal of that tells nothing. */
static bool is_outdated(const struct lane *lane, const struct job *job)
{
	const struct bc_product *sent = job->handback.product, *now = lane->product;
	return !now || (sent != now && !same_credential(now, sent, lane->key_fingerprint));
}

/* --- what attempts say ----------------------------------------------------------------------- */

static void count_health(struct lane *lane, bool failed)
{
	struct lane_health *h = &lane->health;
	h->failed = (h->failed << 1 | failed) & ((1u << HEALTH_BITS) - 1);
	if (h->seen < HEALTH_BITS)
		h->seen++;
}

static bool is_failing(const struct lane *lane)
{
	const struct lane_health *h = &lane->health;
	return h->seen >= HEALTH_MIN && 2 * (uint32_t)__builtin_popcount(h->failed) >= h->seen;
}

void lane_answered(struct lane *lane, const struct job *job)
{
	count_health(lane, false);
	if (lane_rechecks(lane, job))
		lane_recheck_over(lane);
	lane->proven |= !is_outdated(lane, job);
	lane_doubts_answered(lane, job->finish.in.finish.outcome == BC_OUTCOME_DELIVERED);
	if (lane->state == BC_LANE_BROKEN || (lane->state == BC_LANE_PARKED && job->trial))
		lane_open(lane);
}

static void throttle(struct lane *lane, uint64_t wait_ms)
{
	uint64_t until = bc_wall_ms(lane->delivery->shop->clock) + wait_ms;
	if (lane->state == BC_LANE_THROTTLED && until <= lane->next_ms)
		return; /* an answer that was on its way already */
	lane_enter(lane, BC_LANE_THROTTLED, "the partner asked for a pause (Retry-After)", "");
	lane_sleep(lane, wait_ms);
	lane->unsaved = true; /* until when */
	lane_save(lane);
}

static void lane_break(struct lane *lane, uint64_t wait_ms)
{
	uint64_t wait = trial_wait_ms(lane);
	lane_enter(lane, BC_LANE_BROKEN,
		   "half of the last conversions failed at their first attempt",
		   "the partner or the way to it is down; one conversion is tried now and then, "
		   "and the lane opens when it is answered");
	lane_sleep(lane, wait > wait_ms ? wait : wait_ms);
}

void lane_failed(struct lane *lane, const struct job *job, int status, uint64_t wait_ms)
{
	enum { TOO_MANY_REQUESTS = 429 }; /* the partner is well and busy */
	bool sends = lane->state == BC_LANE_OPEN || lane->state == BC_LANE_THROTTLED;
	if (lane_rechecks(lane, job))
		lane_recheck_over(lane);
	if (job->trial && lane->trial) {
		trial_failed(lane, wait_ms);
		return;
	}
	if (job->order.failures == 0 && status != TOO_MANY_REQUESTS)
		count_health(lane, true);
	if (lane->state == BC_LANE_OPEN && is_failing(lane))
		lane_break(lane, wait_ms);
	else if (sends && wait_ms)
		throttle(lane, wait_ms);
}

static void hold(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict)
{
	lane->held = job;
	lane_enter(lane, BC_LANE_SUSPECT, verdict->meaning, verdict->hint);
	lane_probe(lane);
}

/* The test token was taken, or there is none, and a real one met the same answer: the lane stays,
 * and the next probe is followed by another conversion. */
static void trial_tripped(struct lane *lane, struct job *job,
			  const struct bc_partner_verdict *verdict)
{
	snprintf(lane->reason, sizeof(lane->reason), "%s; %s", verdict->meaning, verdict->hint);
	trial_failed(lane, 0);
	if (lane_is_testable(lane))
		lane_trip(lane, job);
	else
		lane_put_back(job, lane->delivery->desk.config->retry.base_ms);
}

void lane_suspect(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict)
{
	uint64_t now = bc_wall_ms(lane->delivery->shop->clock);
	bool tests = lane->state == BC_LANE_OPEN || lane->state == BC_LANE_BROKEN;
	if (lane->delivery->stopping || is_outdated(lane, job))
		lane_put_back(job, 0);
	else if (lane->state == BC_LANE_PARKED && job->trial && lane->trial)
		trial_tripped(lane, job, verdict);
	else if (tests && lane_is_testable(lane))
		hold(lane, job, verdict);
	else if (tests)
		lane_doubt(lane, job, verdict);
	else /* whatever moved the lane meanwhile decides when it goes out again */
		lane_put_back(job, lane->next_ms > now ? lane->next_ms - now : 0);
}

/* --- life ---------------------------------------------------------------------------------- */

struct lane *lane_create(struct bc_delivery *d, const struct bc_product *product)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	*lane = (struct lane){ .delivery = d, .product = product };
	struct bc_str partner = bc_str_of(product->partner->name);
	struct bc_str label = bc_str_of(product->label);
	int failed = bc_str_copy(lane->partner, sizeof(lane->partner), partner) |
		     bc_str_copy(lane->label, sizeof(lane->label), label);
	BC_ASSERT(!failed);
	bc_lane_name(partner, label, lane->name);
	fingerprint_of(product, lane->key_fingerprint);
	lane->since_ms = bc_wall_ms(d->shop->clock);
	lane->lease_arena = bc_arena_create(LEASE_ARENA_BYTES, LEASE_ARENA_MAX);
	lane->timer = bc_timer_create(d->loop, lane_timer, lane);
	if (lane->lease_arena && lane->timer)
		return lane;
	lane_destroy(lane);
	return NULL;
}

void lane_look(struct lane *lane)
{
	uint64_t now = bc_wall_ms(lane->delivery->shop->clock);
	uint64_t wait = lane->next_ms > now ? lane->next_ms - now : 0;
	/* Entered in what is the future by now: the clock was set back, and its time with it. */
	if (lane->since_ms > now && lane->next_ms > lane->since_ms)
		wait = lane->next_ms - lane->since_ms;
	if (lane->state == BC_LANE_PARKED)
		lane_probe(lane);
	else if (lane->state == BC_LANE_BROKEN)
		lane_try(lane);
	else if (lane->state == BC_LANE_THROTTLED)
		lane_sleep(lane, wait < THROTTLE_MAX_MS ? wait : THROTTLE_MAX_MS);
	else if (lane->state == BC_LANE_SUSPECT)
		lane_open(lane); /* its test token was dropped */
}

static void credential_changed(struct lane *lane)
{
	bc_log_info("lane.credential", BC_LS("lane", lane->name),
		    BC_LS("key_fingerprint", lane->key_fingerprint),
		    BC_LS("state", bc_lane_state_name[lane->state]));
	lane->proven = false;
	lane_doubts_clear(lane);
	lane_probe_drop(lane);
	lane_look(lane);
}

void lane_reconfigure(struct lane *lane, const struct bc_product *product)
{
	const struct bc_product *former = lane->product;
	lane->product = product;
	if (!product) {
		lane_probe_drop(lane);
		bc_timer_stop(lane->timer);
	} else if (!former || !same_credential(former, product, lane->key_fingerprint)) {
		fingerprint_of(product, lane->key_fingerprint);
		credential_changed(lane);
	}
	lane_publish(lane);
	delivery_lane_fill(lane);
}

void lane_stop(struct lane *lane)
{
	bc_timer_stop(lane->timer);
	lane_probe_drop(lane);
	lane_commands_stop(lane);
}

void lane_destroy(struct lane *lane)
{
	if (!lane)
		return;
	bc_timer_destroy(lane->timer);
	bc_arena_destroy(lane->lease_arena);
	free(lane);
}
