/* SPDX-License-Identifier: MIT */
/* See lanes.h for the states. Runs on the delivery thread; others read what lane_publish copied. */
#include "core/lanes.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

const char *const bc_lane_state_name[BC_LANE_STATES] = {
	[BC_LANE_OPEN] = "open",
	[BC_LANE_THROTTLED] = "throttled",
	[BC_LANE_SUSPECT] = "suspect",
	[BC_LANE_PARKED] = "parked",
};

char *bc_lane_name(struct bc_str partner, struct bc_str product, char *name)
{
	snprintf(name, BC_LANE_NAME_BYTES, "%.*s.%.*s", (int)partner.len, partner.ptr,
		 (int)product.len, product.ptr);
	return name;
}

bool lane_sends(const struct lane *lane)
{
	return lane->state == BC_LANE_OPEN;
}

void lane_publish(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	struct bc_lane_status *to = &d->status[lane - d->lanes];
	pthread_mutex_lock(&d->status_lock);
	memcpy(to->name, lane->name, sizeof(to->name));
	memcpy(to->reason, lane->reason, sizeof(to->reason));
	memcpy(to->attempts, lane->attempts, sizeof(to->attempts));
	to->state = lane->state;
	to->since_ms = lane->since_ms;
	to->next_probe_ms = lane->next_probe_ms;
	to->in_flight = lane->in_flight;
	pthread_mutex_unlock(&d->status_lock);
}

static void lane_enter(struct lane *lane, enum bc_lane_state state, const char *reason,
		       const char *hint)
{
	enum bc_lane_state from = lane->state;
	lane->state = state;
	lane->next_probe_ms = 0;
	snprintf(lane->reason, sizeof(lane->reason), "%s%s%s", reason, hint[0] ? "; " : "", hint);
	if (from != state && (from == BC_LANE_PARKED || state == BC_LANE_PARKED))
		lane->unsaved = true;
	if (from != state) {
		lane->since_ms = bc_wall_ms(lane->delivery->shop->clock);
		bc_log_at(state == BC_LANE_PARKED ? BC_LOG_ERROR : BC_LOG_WARNING, "lane.state",
			  BC_LS("lane", lane->name), BC_LS("from", bc_lane_state_name[from]),
			  BC_LS("to", bc_lane_state_name[state]), BC_LS("reason", reason),
			  BC_LS("hint", hint));
	}
	lane_publish(lane);
	lane_save(lane); /* before the lease: time it stood does not count against what waits */
	if (state == BC_LANE_OPEN)
		delivery_lane_fill(lane);
}

/* --- on disk ------------------------------------------------------------------------------- */

static void lane_saved(struct bc_store_op *op)
{
	struct lane *lane = BC_CONTAINER(op, struct lane, put);
	struct bc_delivery *d = lane->delivery;
	d->operations--;
	lane->putting = false;
	if (op->result)
		lane->unsaved = true; /* the next tick tries again */
	else if (!d->stopping)
		lane_save(lane);
	delivery_check_stopped(d);
}

void lane_save(struct lane *lane)
{
	if (!lane->unsaved || lane->putting)
		return;
	lane->unsaved = false;
	lane->putting = true;
	memcpy(lane->put_reason, lane->reason, sizeof(lane->put_reason));
	lane->put = (struct bc_store_op){ .kind = BC_STORE_PUT_LANE, .done = lane_saved };
	__typeof__(lane->put.in.put_lane) *in = &lane->put.in.put_lane;
	in->partner = bc_str_of(lane->product->partner->name);
	in->product = bc_str_of(lane->product->label);
	in->state = bc_str_of(bc_lane_state_name[lane->state]);
	in->reason = bc_str_of(lane->put_reason);
	in->stands = lane->state == BC_LANE_PARKED;
	in->now_ms = lane->since_ms;
	delivery_submit(lane->delivery, &lane->put);
}

void lane_throttle(struct lane *lane, uint64_t wait_ms)
{
	if (lane->state != BC_LANE_OPEN && lane->state != BC_LANE_THROTTLED)
		return;
	bc_timer_start(lane->timer, wait_ms);
	lane_enter(lane, BC_LANE_THROTTLED, "the partner asked for a pause (Retry-After)", "");
}

/* --- the test token ------------------------------------------------------------------------ */

/* Lets go of the conversion that brought the lane under suspicion, if it still waits. */
static void settle_held(struct lane *lane, const struct job_end *end)
{
	struct job *held = lane->held;
	lane->held = NULL;
	if (held)
		job_settle(held, end);
}

static struct job_end end_later(const struct lane *lane, uint64_t wait_ms)
{
	return (struct job_end){ .next = BC_ORDER_PENDING,
				 .due_ms = bc_wall_ms(lane->delivery->shop->clock) + wait_ms };
}

/* The lane is good: the held conversion itself was at fault. */
static void probe_accepted(struct lane *lane)
{
	settle_held(lane, &(struct job_end){
				  .next = BC_ORDER_REJECTED,
				  .reason = BC_STR("the partner refuses this conversion alone: a "
						   "test token on the same lane was accepted"),
			  });
	lane_enter(lane, BC_LANE_OPEN, "", "");
}

/* The lane is bad: nothing more leaves until the test token is accepted. */
static void probe_suspect(struct lane *lane, const struct bc_partner_verdict *v)
{
	uint64_t wait = lane->delivery->shop->config->probe_ms;
	struct job_end later = end_later(lane, 0);
	settle_held(lane, &later);
	lane_enter(lane, BC_LANE_PARKED, v->meaning, v->hint);
	lane->next_probe_ms = bc_wall_ms(lane->delivery->shop->clock) + wait;
	lane_publish(lane);
	bc_timer_start(lane->timer, wait);
}

/* The test told nothing: a parked lane waits on, a suspect one goes on and tries the held one
 * later. */
static void probe_told_nothing(struct lane *lane)
{
	const struct bc_shop_config *config = lane->delivery->shop->config;
	if (lane->state == BC_LANE_PARKED) {
		lane->next_probe_ms = bc_wall_ms(lane->delivery->shop->clock) + config->probe_ms;
		lane_publish(lane);
		bc_timer_start(lane->timer, config->probe_ms);
		return;
	}
	struct job_end later = end_later(lane, config->retry.base_ms);
	later.count_failure = true;
	settle_held(lane, &later);
	lane_enter(lane, BC_LANE_OPEN, "", "");
}

static struct bc_str test_token(const struct lane *lane)
{
	return bc_str_of(lane->product->partner->test_tokens[0]);
}

static void probe_answered(void *ctx, const struct bc_http_answer *answer)
{
	struct lane *lane = ctx;
	lane->probe.call = NULL;
	struct bc_partner_verdict v =
		bc_handback_read(&lane->probe, test_token(lane), UINT64_MAX, 1, answer);
	bc_handback_finish(&lane->probe);
	bc_log_info("lane.probe", BC_LS("lane", lane->name), BC_LI("status", answer->status),
		    BC_LS("outcome", bc_outcome_name(v.outcome)), BC_LS("meaning", v.meaning));
	if (v.outcome == BC_OUTCOME_DELIVERED)
		probe_accepted(lane);
	else if (v.outcome == BC_OUTCOME_SUSPECT)
		probe_suspect(lane, &v);
	else
		probe_told_nothing(lane);
	delivery_check_stopped(lane->delivery);
}

static void probe_send(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	if (bc_handback_start(&lane->probe, d->client, d->shop->config, lane->product,
			      test_token(lane), probe_answered, lane, NULL))
		probe_told_nothing(lane);
}

void lane_suspect(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict)
{
	bool testing = lane->state == BC_LANE_SUSPECT || lane->state == BC_LANE_PARKED;
	if (testing || lane->delivery->stopping) {
		struct job_end later = end_later(lane, 0);
		job_settle(job, &later);
		return;
	}
	lane->held = job;
	bc_timer_stop(lane->timer);
	lane_enter(lane, BC_LANE_SUSPECT, verdict->meaning, verdict->hint);
	probe_send(lane);
}

void lane_restore(struct lane *lane, const struct bc_lane_count *record)
{
	if (!bc_str_eq(record->state, bc_lane_state_name[BC_LANE_PARKED]))
		return;
	lane->state = BC_LANE_PARKED;
	lane->since_ms = record->since_ms;
	snprintf(lane->reason, sizeof(lane->reason), "%.*s", (int)record->reason.len,
		 record->reason.ptr ? record->reason.ptr : "");
	lane_publish(lane);
	/* What was wrong may have been mended while nobody ran. */
	probe_send(lane);
}

/* --- life ---------------------------------------------------------------------------------- */

/* The lane's one timer: what it means depends on the state it was started in. */
static void lane_timer(void *ctx)
{
	struct lane *lane = ctx;
	if (lane->state == BC_LANE_THROTTLED)
		lane_enter(lane, BC_LANE_OPEN, "", "");
	else if (lane->state == BC_LANE_PARKED && !lane->probe.call)
		probe_send(lane);
}

int lane_init(struct lane *lane, struct bc_delivery *d, const struct bc_product *product,
	      struct bc_err *err)
{
	*lane = (struct lane){ .delivery = d, .product = product };
	bc_lane_name(bc_str_of(product->partner->name), bc_str_of(product->label), lane->name);
	bc_secret_fingerprint(product->key, lane->key_fingerprint);
	lane->since_ms = bc_wall_ms(d->shop->clock);
	lane->lease_arena = bc_arena_create(8192, 1024 * 1024);
	lane->timer = bc_timer_create(d->loop, lane_timer, lane);
	if (!lane->lease_arena || !lane->timer)
		return bc_err_nomem(err);
	lane_publish(lane);
	return 0;
}

void lane_stop(struct lane *lane)
{
	bc_timer_stop(lane->timer);
	bc_handback_finish(&lane->probe);
	struct job_end later = end_later(lane, 0);
	settle_held(lane, &later);
}

void lane_finish(struct lane *lane)
{
	bc_timer_destroy(lane->timer);
	bc_arena_destroy(lane->lease_arena);
}
