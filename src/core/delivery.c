/* SPDX-License-Identifier: MIT */
/*
 * See delivery.h. When to lease, and the life of the whole; what becomes of one leased conversion
 * stands in job.c, what a lane may do in lanes.c.
 */
#include "core/delivery.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

enum {
	LEASE_ARENA_MAX = 1024 * 1024,
	STORE_RETRY_MS = 1000,
	/* Due times are wall clock and the timer's is not: looking this often bounds what a jump
	   can strand. */
	TICK_MAX_MS = 5000,
	TICK_MIN_MS = 2,
	STEP_MIN_MS = 1000 /* less than this the wall clock may go back unnoticed */
};

void delivery_submit(struct bc_delivery *d, struct bc_store_op *op)
{
	d->operations++;
	bc_desk_submit(&d->desk, op);
}

/* --- leasing ------------------------------------------------------------------------------- */

static void plan(struct bc_delivery *d);

static void lane_leased(struct bc_store_op *op)
{
	struct lane *lane = BC_CONTAINER(op, struct lane, lease);
	struct bc_delivery *d = lane->delivery;
	d->operations--;
	lane->leasing = false;
	uint32_t count = op->result ? 0 : op->out.lease.count;
	for (uint32_t i = 0; i < count; i++)
		job_start(lane, &op->out.lease.orders[i]);
	bool full = !op->result && count == op->in.lease.limit;
	bool again = lane->again;
	lane->again = full;
	lane_publish(lane);
	if (op->result && !d->stopping)
		bc_timer_start(d->tick, STORE_RETRY_MS);
	else if (again)
		delivery_lane_fill(lane);
	else if (!full)
		plan(d);
	delivery_check_stopped(d);
}

void delivery_lane_fill(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	const struct bc_shop_config *config = d->shop->config;
	if (d->stopping || !d->released || !lane_sends(lane))
		return;
	lane->again = true;
	if (lane->leasing || lane->in_flight >= config->concurrency)
		return;
	lane->again = false;
	lane->leasing = true;
	bc_arena_reset(lane->lease_arena);
	lane->lease = (struct bc_store_op){ .kind = BC_STORE_LEASE,
					    .done = lane_leased,
					    .arena = lane->lease_arena };
	uint64_t now = bc_wall_ms(d->shop->clock);
	lane->lease.in.lease.now_ms = now;
	lane->lease.in.lease.lease_ms = now + config->lease_ms;
	lane->lease.in.lease.limit = config->concurrency - lane->in_flight;
	lane->lease.in.lease.partner = bc_str_of(lane->product->partner->name);
	lane->lease.in.lease.product = bc_str_of(lane->product->label);
	lane->lease.in.lease.key_fingerprint = bc_str_of(lane->key_fingerprint);
	delivery_submit(d, &lane->lease);
}

static struct lane *lane_find(const struct bc_delivery *d, const char *name)
{
	for (size_t i = 0; i < d->lane_count; i++)
		if (strcmp(d->lanes[i].name, name) == 0)
			return &d->lanes[i];
	return NULL;
}

/* What waits for a product that left the settings is nobody's: once, somebody is told. */
static void tell_stranger(struct bc_delivery *d, const struct bc_lane_count *count,
			  const char *name)
{
	if (d->told_strangers || !count->pending)
		return;
	d->told_strangers = true;
	bc_log_error("lane.no_product", BC_LS("lane", name), BC_LU("pending", count->pending),
		     BC_LS("hint", "they wait until they expire: put the product back into the "
				   "settings, or cancel them"));
}

/* Would a lease give anything? A lane that stands or is full looks for itself when it goes on. */
static bool can_lease(struct bc_delivery *d, const struct bc_lane_count *count)
{
	char name[BC_LANE_NAME_BYTES];
	const struct lane *lane = lane_find(d, bc_lane_name(count->partner, count->product, name));
	if (!lane) {
		tell_stranger(d, count, name);
		return false;
	}
	return lane_sends(lane) && lane->in_flight < d->shop->config->concurrency;
}

/* Knows the next due time: sleeps until then. */
static void planned(struct bc_store_op *op)
{
	struct bc_delivery *d = BC_CONTAINER(op, struct bc_delivery, plan);
	uint64_t now = bc_wall_ms(d->shop->clock);
	uint64_t wait = d->released ? TICK_MAX_MS : STORE_RETRY_MS;
	d->operations--;
	d->planning = false;
	for (uint32_t i = 0; !op->result && i < op->out.lanes.count; i++) {
		uint64_t due = op->out.lanes.lanes[i].next_due_ms;
		if (!can_lease(d, &op->out.lanes.lanes[i]) || !due)
			continue;
		uint64_t until = due > now ? due - now : TICK_MIN_MS;
		wait = until < wait ? until : wait;
	}
	if (!d->stopping)
		bc_timer_start(d->tick, wait < TICK_MIN_MS ? TICK_MIN_MS : wait);
	if (d->plan_again && !d->stopping)
		plan(d);
	delivery_check_stopped(d);
}

static void plan(struct bc_delivery *d)
{
	d->plan_again = d->planning;
	if (d->planning || d->stopping)
		return;
	d->planning = true;
	bc_arena_reset(d->plan_arena);
	d->plan = (struct bc_store_op){ .kind = BC_STORE_LANES,
					.done = planned,
					.arena = d->plan_arena };
	delivery_submit(d, &d->plan);
}

static void fill_all(struct bc_delivery *d)
{
	for (size_t i = 0; i < d->lane_count; i++)
		delivery_lane_fill(&d->lanes[i]);
}

static void release(struct bc_delivery *d);
static void make_due(struct bc_delivery *d);

/* Against the clock that never does: has the wall clock gone back since the last look? */
static void look_at_clock(struct bc_delivery *d)
{
	uint64_t wall = bc_wall_ms(d->shop->clock), elapsed = bc_elapsed_ms(d->shop->clock);
	uint64_t expected = d->looked_wall_ms + (elapsed - d->looked_elapsed_ms);
	if (d->looked_wall_ms && wall + STEP_MIN_MS < expected)
		d->stepped_back = true;
	d->looked_wall_ms = wall;
	d->looked_elapsed_ms = elapsed;
}

/* No row is with a job, and none is on its way to one. */
static bool at_rest(const struct bc_delivery *d)
{
	for (size_t i = 0; i < d->lane_count; i++)
		if (d->lanes[i].leasing)
			return false;
	return d->jobs == NULL;
}

static void tick(void *ctx)
{
	struct bc_delivery *d = ctx;
	/* Should nothing come of this tick (all lanes stand), the next one must not depend on it.
	 */
	bc_timer_start(d->tick, d->released ? TICK_MAX_MS : STORE_RETRY_MS);
	look_at_clock(d);
	if (!d->planning && !d->released && at_rest(d))
		release(d);
	else if (!d->planning && d->released && d->stepped_back)
		make_due(d);
	for (size_t i = 0; i < d->lane_count; i++)
		lane_save(&d->lanes[i]);
	fill_all(d);
}

static void wake(struct bc_task *task)
{
	struct bc_delivery *d = BC_CONTAINER(task, struct bc_delivery, wake);
	atomic_store(&d->woken, false);
	fill_all(d);
	delivery_check_stopped(d);
}

void bc_delivery_wake(struct bc_delivery *d)
{
	if (!atomic_exchange(&d->woken, true))
		bc_loop_post(d->loop, &d->wake);
}

/* --- life ---------------------------------------------------------------------------------- */

/* The store did not let it begin; the tick tries again. */
static void begin_failed(struct bc_delivery *d, const struct bc_err *err)
{
	bc_log_error("delivery.release_failed", BC_LS("error", err->text),
		     BC_LS("hint", err->hint));
	if (!d->stopping)
		bc_timer_start(d->tick, TICK_MAX_MS);
}

static void lanes_restored(struct bc_store_op *op)
{
	struct bc_delivery *d = BC_CONTAINER(op, struct bc_delivery, plan);
	char name[BC_LANE_NAME_BYTES];
	d->operations--;
	d->planning = false;
	d->restored = d->released = op->result == 0;
	for (uint32_t i = 0; d->restored && !d->stopping && i < op->out.lanes.count; i++) {
		const struct bc_lane_count *record = &op->out.lanes.lanes[i];
		struct lane *lane =
			lane_find(d, bc_lane_name(record->partner, record->product, name));
		if (lane && record->state.ptr)
			lane_restore(lane, record);
	}
	if (!d->released)
		begin_failed(d, &op->err);
	fill_all(d);
	delivery_check_stopped(d);
}

static void restore_lanes(struct bc_delivery *d)
{
	d->planning = true;
	bc_arena_reset(d->plan_arena);
	d->plan = (struct bc_store_op){ .kind = BC_STORE_LANES,
					.done = lanes_restored,
					.arena = d->plan_arena };
	delivery_submit(d, &d->plan);
}

static void released(struct bc_store_op *op)
{
	struct bc_delivery *d = BC_CONTAINER(op, struct bc_delivery, plan);
	d->operations--;
	d->planning = false;
	if (!op->result && op->out.changed.count)
		bc_log_info("delivery.released", BC_LU("conversions", op->out.changed.count));
	if (op->result)
		begin_failed(d, &op->err);
	else if (d->restored)
		d->released = true;
	else if (!d->stopping)
		restore_lanes(d);
	fill_all(d);
	delivery_check_stopped(d);
}

/* What a dead process left in sending goes back to pending; nothing is leased before. */
static void release(struct bc_delivery *d)
{
	d->planning = true;
	d->plan = (struct bc_store_op){ .kind = BC_STORE_RELEASE,
					.done = released,
					.arena = d->plan_arena };
	d->plan.in.release.now_ms = bc_wall_ms(d->shop->clock);
	delivery_submit(d, &d->plan);
}

void delivery_forgot(struct bc_delivery *d)
{
	d->released = false;
	if (!d->stopping)
		bc_timer_start(d->tick, STORE_RETRY_MS);
}

static void made_due(struct bc_store_op *op)
{
	struct bc_delivery *d = BC_CONTAINER(op, struct bc_delivery, plan);
	d->operations--;
	d->planning = false;
	d->stepped_back = op->result != 0; /* the next tick tries again */
	if (!op->result)
		bc_log_warning("clock.stepped_back", BC_LU("conversions", op->out.changed.count),
			       BC_LS("meaning", "what waited for a time is sent now"));
	fill_all(d);
	delivery_check_stopped(d);
}

/* Times that were written by the clock before it stepped back lie too far ahead. */
static void make_due(struct bc_delivery *d)
{
	uint64_t now = bc_wall_ms(d->shop->clock);
	d->planning = true;
	d->plan = (struct bc_store_op){ .kind = BC_STORE_REQUEUE,
					.done = made_due,
					.arena = d->plan_arena };
	d->plan.in.requeue.select.state = BC_ORDER_PENDING;
	d->plan.in.requeue.now_ms = now;
	d->plan.in.requeue.deadline_ms = now + d->shop->config->retry.deadline_ms;
	delivery_submit(d, &d->plan);
}

static int init_lanes(struct bc_delivery *d, struct bc_err *err)
{
	const struct bc_shop_config *config = d->shop->config;
	if (!config->product_count)
		return 0;
	d->lanes = calloc(config->product_count, sizeof(*d->lanes));
	d->status = calloc(config->product_count, sizeof(*d->status));
	if (!d->lanes || !d->status)
		return bc_err_nomem(err);
	for (size_t i = 0; i < config->product_count; i++) {
		int result = lane_init(&d->lanes[i], d, &config->products[i], err);
		d->lane_count = i + 1;
		if (result)
			return result;
	}
	return 0;
}

/* The last call, probe and store operation are over: say so, once. */
void delivery_check_stopped(struct bc_delivery *d)
{
	if (!d->stopping || d->jobs || d->operations || !d->stopped || atomic_load(&d->woken))
		return;
	void (*stopped)(void *) = d->stopped;
	d->stopped = NULL;
	bc_timer_stop(d->grace);
	stopped(d->stopped_ctx);
}

/* Time is over: calls under way are dropped where they are. Their attempts stand as unknown and
 * their conversions as sending, which the next start releases. */
static void cut(void *ctx)
{
	struct bc_delivery *d = ctx;
	for (struct job *job = d->jobs, *next; job; job = next) {
		next = job->next;
		if (!job->storing)
			job_end(job);
	}
	delivery_check_stopped(d);
}

int bc_delivery_create(struct bc_loop *loop, struct bc_shop *shop,
		       struct bc_delivery **ret_delivery, struct bc_err *err)
{
	struct bc_delivery *d = calloc(1, sizeof(*d));
	if (!d)
		return bc_err_nomem(err);
	*d = (struct bc_delivery){ .loop = loop, .shop = shop, .wake.run = wake };
	pthread_mutex_init(&d->status_lock, NULL);
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .proxy = shop->config->proxy };
	int result = bc_desk_init(&d->desk, shop, loop, err);
	if (!result)
		result = bc_http_client_create(loop, &options, &d->client, err);
	if (!result)
		result = init_lanes(d, err);
	d->tick = bc_timer_create(loop, tick, d);
	d->grace = bc_timer_create(loop, cut, d);
	d->plan_arena = bc_arena_create(4096, LEASE_ARENA_MAX);
	if (!result && (!d->tick || !d->grace || !d->plan_arena))
		result = bc_err_nomem(err);
	if (result) {
		bc_delivery_destroy(d);
		return result;
	}
	bc_timer_start(d->tick, 0);
	*ret_delivery = d;
	return 0;
}

void bc_delivery_stop(struct bc_delivery *d, uint64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
	d->stopping = true;
	d->stopped = done;
	d->stopped_ctx = ctx;
	for (size_t i = 0; i < d->lane_count; i++)
		lane_stop(&d->lanes[i]);
	bc_timer_stop(d->tick);
	bc_timer_start(d->grace, grace_ms);
	/* Never from inside this call: the wake task finds everything at rest. */
	bc_delivery_wake(d);
}

void bc_delivery_destroy(struct bc_delivery *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->lane_count; i++)
		lane_finish(&d->lanes[i]);
	bc_timer_destroy(d->tick);
	bc_timer_destroy(d->grace);
	bc_http_client_destroy(d->client);
	bc_desk_finish(&d->desk);
	bc_arena_destroy(d->plan_arena);
	pthread_mutex_destroy(&d->status_lock);
	free(d->lanes);
	free(d->status);
	free(d);
}

size_t bc_delivery_lanes(struct bc_delivery *d, struct bc_lane_status *ret, size_t max)
{
	pthread_mutex_lock(&d->status_lock);
	size_t n = d->lane_count < max ? d->lane_count : max;
	if (n)
		memcpy(ret, d->status, n * sizeof(*ret));
	pthread_mutex_unlock(&d->status_lock);
	return d->lane_count;
}
