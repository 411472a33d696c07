/* SPDX-License-Identifier: MIT */
/*
 * The test token: one documented token that the partner takes on a good lane and counts nowhere. It
 * tells whether an answer was about the conversion or about us (design rule 4). One is under way a
 * lane at most; whoever asks meanwhile learns of that one.
 *
 * The answer that is judged came before the test token's, and what was wrong may have been mended
 * between the two. So a conversion is rejected only when it was refused between two test tokens
 * that were taken: after the first it goes once more, alone.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

void lane_put_back(struct job *job, uint64_t wait_ms)
{
	uint64_t now = bc_wall_ms(job->lane->delivery->shop->clock);
	job_settle(job, &(struct job_end){ .next = BC_ORDER_PENDING, .due_ms = now + wait_ms });
}

/* Put back; at the next trial another one goes first. */
void lane_trip(struct lane *lane, struct job *job)
{
	uint32_t at = lane->tripped_count;
	if (at == LANE_TRIPPED_MAX) {
		at--;
		memmove(lane->tripped[0], lane->tripped[1], sizeof(lane->tripped[0]) * at);
	}
	int failed = bc_str_copy(lane->tripped[at], sizeof(lane->tripped[at]), job->order.order);
	BC_ASSERT(!failed);
	lane->tripped_count = at + 1;
	lane_put_back(job, 0);
}

/* --- what it came to ----------------------------------------------------------------------- */

bool lane_rechecks(const struct lane *lane, const struct job *job)
{
	return lane->rechecked[0] && bc_str_eq(job->order.order, lane->rechecked);
}

void lane_recheck_over(struct lane *lane)
{
	lane->rechecked[0] = '\0';
}

static void recheck(struct lane *lane, struct job *held)
{
	int failed = bc_str_copy(lane->rechecked, sizeof(lane->rechecked), held->order.order);
	BC_ASSERT(!failed);
	lane_put_back(held, 0);
}

static void reject(struct lane *lane, struct job *held)
{
	lane_recheck_over(lane);
	job_settle(held, &(struct job_end){
				 .next = BC_ORDER_REJECTED,
				 .reason = BC_STR("the partner refuses this conversion alone: it "
						  "was sent twice, and each time a test token on "
						  "the same lane was accepted"),
			 });
}

/* The lane is good now: was it, when the held conversion was refused? */
static void accepted(struct lane *lane)
{
	struct job *held = lane->held;
	lane->held = NULL;
	lane->proven = true;
	if (held && lane_rechecks(lane, held))
		reject(lane, held);
	else if (held)
		recheck(lane, held);
	if (lane->state == BC_LANE_SUSPECT)
		lane_enter(lane, BC_LANE_OPEN, "", "");
	else if (lane->state == BC_LANE_PARKED || lane->state == BC_LANE_BROKEN)
		lane_try(lane);
}

/* The lane is bad: nothing more leaves until the test token is accepted. */
static void refused(struct lane *lane, const struct bc_partner_verdict *v)
{
	struct job *held = lane->held;
	lane->held = NULL;
	if (lane->state == BC_LANE_PAUSED)
		return;
	lane_enter(lane, BC_LANE_PARKED, v->meaning, v->hint);
	lane_sleep(lane, lane->delivery->desk.config->probe_ms);
	if (held)
		lane_trip(lane, held);
}

/* A parked lane waits on; a suspect one goes on and tries the held one later. */
static void told_nothing(struct lane *lane)
{
	const struct bc_shop_config *config = lane->delivery->desk.config;
	struct job *held = lane->held;
	lane->held = NULL;
	lane_recheck_over(lane);
	if (held)
		job_settle(held, &(struct job_end){
					 .next = BC_ORDER_PENDING,
					 .due_ms = bc_wall_ms(lane->delivery->shop->clock) +
						   config->retry.base_ms,
					 .count_failure = true,
				 });
	if (lane->state == BC_LANE_PARKED)
		lane_sleep(lane, config->probe_ms);
	else if (lane->state == BC_LANE_SUSPECT)
		lane_enter(lane, BC_LANE_OPEN, "", "");
}

/* --- on its way ---------------------------------------------------------------------------- */

static struct bc_str test_token(const struct lane *lane)
{
	return bc_handback_test_token(lane->product->partner);
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct lane *lane = ctx;
	struct bc_handback *probe = &lane->probe;
	struct bc_shop_config *config = bc_shop_config_ref(probe->config); /* its words are v's */
	probe->call = NULL;
	struct bc_str token = bc_handback_test_token(probe->product->partner);
	struct bc_partner_verdict v = bc_handback_read(probe, token, UINT64_MAX, 1, answer);
	bc_handback_finish(probe);
	bc_log_info("lane.probe", BC_LS("lane", lane->name), BC_LI("status", answer->status),
		    BC_LS("outcome", bc_outcome_name(v.outcome)), BC_LS("meaning", v.meaning));
	if (v.outcome == BC_OUTCOME_DELIVERED)
		accepted(lane);
	else if (v.outcome == BC_OUTCOME_SUSPECT)
		refused(lane, &v);
	else
		told_nothing(lane);
	lane_commands_probed(lane, &v, answer);
	bc_shop_config_unref(config);
	delivery_check_stopped(lane->delivery);
}

void lane_probe(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	if (lane->probe.call)
		return;
	if (lane->product && !lane_is_testable(lane)) {
		if (lane->state == BC_LANE_PARKED || lane->state == BC_LANE_BROKEN)
			lane_try(lane);
		lane_commands_untestable(lane);
		return;
	}
	if (!lane->product ||
	    bc_handback_start(&lane->probe, d->client, d->desk.config, lane->product,
			      test_token(lane), answered, lane, NULL)) {
		told_nothing(lane);
		lane_commands_probed(lane, NULL, NULL);
	}
}

void lane_probe_drop(struct lane *lane)
{
	struct job *held = lane->held;
	bc_handback_finish(&lane->probe);
	lane_recheck_over(lane);
	lane->held = NULL;
	if (held)
		lane_put_back(held, 0);
	lane_commands_probed(lane, NULL, NULL);
}
