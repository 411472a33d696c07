/* SPDX-License-Identifier: MIT */
/*
 * A partner without a test token. Whether a suspect answer is about the conversion or about us,
 * only other conversions can tell:
 *
 *  - another one is taken, and this one meets a suspect answer once more: it alone is at fault, and
 *    it alone is rejected. So one forged token stops no lane.
 *  - several different ones in a row meet one, and none is taken: it is about us, and the lane
 *    parks. So a wrong key rejects nothing. Where nothing was taken yet by this credential, the
 *    same conversion again and again will do: a wrong key is then likelier than a forged token.
 *
 * Until one of both is known the conversion waits, longer each time, as after a failure. A lane
 * that is parked lets one conversion out every lane.probe instead of a test token.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

enum { DOUBTS_TO_PARK = 3 };

bool lane_is_testable(const struct lane *lane)
{
	return lane->product && bc_handback_test_token(lane->product->partner).ptr;
}

static struct lane_doubt *find(struct lane *lane, struct bc_str order)
{
	for (uint32_t i = 0; i < lane->doubt_count; i++) {
		if (bc_str_eq(order, lane->doubts[i].order))
			return &lane->doubts[i];
	}
	return NULL;
}

static void forget(struct lane *lane, struct lane_doubt *doubt)
{
	size_t behind = (size_t)(lane->doubts + lane->doubt_count - (doubt + 1));
	memmove(doubt, doubt + 1, behind * sizeof(*doubt));
	lane->doubt_count--;
}

static void remember(struct lane *lane, struct bc_str order)
{
	if (lane->doubt_count == LANE_DOUBTS_MAX)
		forget(lane, lane->doubts);
	struct lane_doubt *doubt = &lane->doubts[lane->doubt_count++];
	int failed = bc_str_copy(doubt->order, sizeof(doubt->order), order);
	BC_ASSERT(!failed);
	doubt->taken_since = false;
}

/* Different ones since the last that was taken. */
static uint32_t count_open(const struct lane *lane)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < lane->doubt_count; i++)
		count += !lane->doubts[i].taken_since;
	return count;
}

void lane_doubts_answered(struct lane *lane, bool taken)
{
	lane->doubts_in_a_row = 0;
	for (uint32_t i = 0; taken && i < lane->doubt_count; i++)
		lane->doubts[i].taken_since = true;
}

void lane_doubts_clear(struct lane *lane)
{
	lane->doubt_count = 0;
	lane->doubts_in_a_row = 0;
}

static void reject(struct lane *lane, struct lane_doubt *doubt, struct job *job)
{
	forget(lane, doubt);
	job_settle(job,
		   &(struct job_end){
			   .next = BC_ORDER_REJECTED,
			   .reason = BC_STR("the partner refuses this conversion alone: it took "
					    "another one on the same lane in between"),
		   });
}

static void wait(struct lane *lane, struct job *job)
{
	const struct bc_delivery *d = lane->delivery;
	uint64_t random;
	bc_random(&random, sizeof(random));
	uint64_t delay =
		bc_retry_delay_ms(&d->desk.config->retry, job->order.failures + 1, 0, random);
	job_settle(job, &(struct job_end){ .next = BC_ORDER_PENDING,
					   .due_ms = bc_wall_ms(d->shop->clock) + delay,
					   .count_failure = true });
}

static void park(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict)
{
	const struct bc_shop_config *config = lane->delivery->desk.config;
	lane_doubts_clear(lane);
	lane_enter(lane, BC_LANE_PARKED, verdict->meaning, verdict->hint);
	lane_sleep(lane, config->probe_ms);
	lane_put_back(job, config->retry.base_ms); /* behind those that are due already */
}

void lane_doubt(struct lane *lane, struct job *job, const struct bc_partner_verdict *verdict)
{
	struct lane_doubt *known = find(lane, job->order.order);
	if (lane->state == BC_LANE_BROKEN) /* whatever it says, it answers again */
		lane_enter(lane, BC_LANE_OPEN, "", "");
	if (known && known->taken_since) {
		reject(lane, known, job);
		return;
	}
	if (!known)
		remember(lane, job->order.order);
	lane->doubts_in_a_row++;
	bc_log_warning("lane.doubt", BC_LS("lane", lane->name), BC_LSTR("order", job->order.order),
		       BC_LU("in_a_row", lane->doubts_in_a_row), BC_LS("meaning", verdict->meaning),
		       BC_LS("hint", verdict->hint));
	uint32_t evidence = lane->proven ? count_open(lane) : lane->doubts_in_a_row;
	if (evidence >= DOUBTS_TO_PARK)
		park(lane, job, verdict);
	else
		wait(lane, job);
}
