/* SPDX-License-Identifier: MIT */
/*
 * See delivery.h. When to lease, and the life of the whole; what becomes of one leased conversion
 * stands in job.c, what a lane may do in lanes.c.
 *
 * Turns among lanes are fair by construction: a lane has one lease under way at most, of at most
 * lane.concurrency conversions, and asks for the next when one of those is settled. There is no
 * limit that lanes share, so one whose partner never answers holds nothing that another needs.
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
	MAKE_DUE_ROWS = 1000,
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
	bool gone = !op->result && !count && op->in.lease.only_order.ptr;
	if (gone)
		lane_recheck_over(lane);
	bool full = !op->result && count == op->in.lease.limit;
	bool again = lane->again || gone;
	lane->again = full;
	lane_publish(lane);
	if (!op->result && !count && lane->trial)
		lane_nothing_to_try(lane);
	/* Then rows may be leased of which nobody here knows. */
	if (op->result == BC_EUNSURE)
		delivery_forgot(d);
	if (op->result && !d->stopping)
		bc_timer_start(d->tick, STORE_RETRY_MS);
	else if (again)
		delivery_lane_fill(lane);
	else if (!full)
		plan(d);
	delivery_check_stopped(d);
}

/* The store's thread reads it while the lane goes on: a copy. Without memory the queue has it. */
static struct bc_str recheck_of(struct lane *lane)
{
	size_t len = strlen(lane->rechecked);
	const char *copy = len ? bc_arena_dup(lane->lease_arena, lane->rechecked, len) : NULL;
	return (struct bc_str){ .ptr = copy, .len = copy ? len : 0 };
}

void delivery_lane_fill(struct lane *lane)
{
	struct bc_delivery *d = lane->delivery;
	uint32_t room = lane_room(lane);
	atomic_store(&d->deaf, false);
	if (d->stopping || !d->released || !(room || lane->in_flight))
		return;
	lane->again = true;
	if (lane->leasing || !room)
		return;
	lane->again = false;
	lane->leasing = true;
	bc_arena_reset(lane->lease_arena);
	lane->lease = (struct bc_store_op){ .kind = BC_STORE_LEASE,
					    .done = lane_leased,
					    .arena = lane->lease_arena };
	uint64_t now = bc_wall_ms(d->shop->clock);
	__typeof__(lane->lease.in.lease) *in = &lane->lease.in.lease;
	in->now_ms = now;
	in->lease_ms = now + d->desk.config->lease_ms;
	in->limit = room;
	in->partner = bc_str_of(lane->partner);
	in->product = bc_str_of(lane->label);
	in->key_fingerprint = bc_str_of(lane->key_fingerprint);
	in->only_order = recheck_of(lane);
	for (uint32_t i = 0; lane->trial && i < lane->tripped_count; i++)
		lane->tripped_order[i] = bc_str_of(lane->tripped[i]);
	in->except = lane->tripped_order;
	in->except_count = lane->trial ? lane->tripped_count : 0;
	delivery_submit(d, &lane->lease);
}

struct lane *delivery_lane_find(const struct bc_delivery *d, const char *name)
{
	for (size_t i = 0; i < d->lane_count; i++)
		if (strcmp(d->lanes[i]->name, name) == 0)
			return d->lanes[i];
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
	const struct lane *lane =
		delivery_lane_find(d, bc_lane_name(count->partner, count->product, name));
	if (!lane || !lane->product) {
		tell_stranger(d, count, name);
		return false;
	}
	return lane_room(lane) > 0;
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
		delivery_lane_fill(d->lanes[i]);
}

static void release(struct bc_delivery *d);
static void make_due(struct bc_delivery *d, uint64_t before_row);

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
		if (d->lanes[i]->leasing)
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
		make_due(d, 0);
	for (size_t i = 0; i < d->lane_count; i++)
		lane_save(d->lanes[i]);
	fill_all(d);
}

/* It has no room, and will look for itself as soon as it has. */
static bool is_deaf(const struct lane *lane)
{
	return !lane->leasing && !lane_room(lane) && (lane->again || !lane->in_flight);
}

static bool all_deaf(const struct bc_delivery *d)
{
	size_t i = 0;
	while (i < d->lane_count && is_deaf(d->lanes[i]))
		i++;
	return d->lane_count && i == d->lane_count;
}

static void wake(struct bc_task *task)
{
	struct bc_delivery *d = BC_CONTAINER(task, struct bc_delivery, wake);
	atomic_store(&d->woken, false);
	fill_all(d);
	atomic_store(&d->deaf, !d->stopping && all_deaf(d));
	delivery_check_stopped(d);
}

/* While a partner is slow every order that comes would wake the loop for nothing. */
void bc_delivery_wake(struct bc_delivery *d)
{
	if (!atomic_load(&d->deaf) && !atomic_exchange(&d->woken, true))
		bc_loop_post(d->loop, &d->wake);
}

/* --- life ---------------------------------------------------------------------------------- */

/* The store did not let it begin; the tick tries again. A broken store is told of by upkeep. */
static void begin_failed(struct bc_delivery *d, const struct bc_err *err)
{
	struct bc_store_stats stats;
	bc_store_stats(d->shop->store, &stats);
	if (!d->told_begin && !stats.broken)
		bc_log_error("delivery.release_failed", BC_LS("error", err->text),
			     BC_LS("hint", err->hint));
	d->told_begin = true;
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
			delivery_lane_find(d, bc_lane_name(record->partner, record->product, name));
		if (lane && record->state.ptr)
			lane_restore(lane, record);
	}
	if (d->released)
		delivery_commands_begin(d);
	else
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
	d->told_begin = d->told_begin && op->result;
	/* Set back while no process looked: due times lie too far ahead, as if it had stepped now.
	 */
	if (!op->result && op->out.changed.newest_ms > bc_wall_ms(d->shop->clock) + STEP_MIN_MS)
		d->stepped_back = true;
	if (op->result)
		begin_failed(d, &op->err);
	else if (d->restored)
		d->released = true;
	else if (!d->stopping)
		restore_lanes(d);
	if (d->released)
		delivery_commands_begin(d);
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
	d->made_due += op->result ? 0 : op->out.changed.count;
	if (!op->result && op->out.changed.next_before_row && !d->stopping) {
		make_due(d, op->out.changed.next_before_row);
		return;
	}
	if (!op->result)
		bc_log_warning("clock.stepped_back", BC_LU("conversions", d->made_due),
			       BC_LS("meaning", "what waited for a time is sent now"));
	fill_all(d);
	delivery_check_stopped(d);
}

/* Times that were written by the clock before it stepped back lie too far ahead. A part at a time:
 * others get their turns in between. */
static void make_due(struct bc_delivery *d, uint64_t before_row)
{
	uint64_t now = bc_wall_ms(d->shop->clock);
	d->made_due = before_row ? d->made_due : 0;
	d->planning = true;
	d->plan = (struct bc_store_op){ .kind = BC_STORE_REQUEUE,
					.done = made_due,
					.arena = d->plan_arena };
	d->plan.in.requeue.select.state = BC_ORDER_PENDING;
	d->plan.in.requeue.select.before_row = before_row;
	d->plan.in.requeue.select.limit = MAKE_DUE_ROWS;
	d->plan.in.requeue.now_ms = now;
	d->plan.in.requeue.deadline_ms = now + d->desk.config->retry.deadline_ms;
	delivery_submit(d, &d->plan);
}

/* --- settings in force ---------------------------------------------------------------------- */

/* Room for so many lanes; those that are there stay where they are. */
static int reserve_lanes(struct bc_delivery *d, size_t count, struct bc_err *err)
{
	struct lane **lanes = calloc(count ? count : 1, sizeof(struct lane *));
	struct bc_lane_status *status = calloc(count ? count : 1, sizeof(*status));
	if (!lanes || !status) {
		free(lanes);
		free(status);
		return bc_err_nomem(err);
	}
	if (d->lane_count) {
		memcpy(lanes, d->lanes, d->lane_count * sizeof(struct lane *));
		memcpy(status, d->status, d->lane_count * sizeof(*status));
	}
	pthread_mutex_lock(&d->status_lock);
	free(d->lanes);
	free(d->status);
	d->lanes = lanes;
	d->status = status;
	pthread_mutex_unlock(&d->status_lock);
	return 0;
}

static void add_lane(struct bc_delivery *d, struct lane *lane)
{
	pthread_mutex_lock(&d->status_lock);
	d->lanes[d->lane_count++] = lane;
	pthread_mutex_unlock(&d->status_lock);
	lane_publish(lane);
}

static struct lane *lane_of(const struct bc_delivery *d, const struct bc_product *product)
{
	char name[BC_LANE_NAME_BYTES];
	return delivery_lane_find(d, bc_lane_name(bc_str_of(product->partner->name),
						  bc_str_of(product->label), name));
}

/* A lane for each product of config that has none. */
static int add_lanes(struct bc_delivery *d, const struct bc_shop_config *config, struct bc_err *err)
{
	int result = reserve_lanes(d, d->lane_count + config->product_count, err);
	for (size_t i = 0; !result && i < config->product_count; i++) {
		struct lane *lane;
		if (lane_of(d, &config->products[i]))
			continue;
		lane = lane_create(d, &config->products[i]);
		if (!lane)
			return bc_err_nomem(err);
		add_lane(d, lane);
	}
	return result;
}

static const struct bc_product *product_of(const struct bc_shop_config *config,
					   const struct lane *lane)
{
	for (size_t i = 0; i < config->product_count; i++) {
		const struct bc_product *p = &config->products[i];
		if (strcmp(p->label, lane->label) == 0 &&
		    strcmp(p->partner->name, lane->partner) == 0)
			return p;
	}
	return NULL;
}

int bc_delivery_reconfigure(struct bc_delivery *d, struct bc_shop_config *config,
			    struct bc_err *err)
{
	size_t known = d->lane_count;
	if (d->stopping)
		return 0;
	if (add_lanes(d, config, err)) {
		while (d->lane_count > known)
			lane_destroy(d->lanes[--d->lane_count]);
		return BC_ENOMEM;
	}
	/* Until the last lane has let go of it. */
	struct bc_shop_config *former = bc_shop_config_ref(d->desk.config);
	bc_desk_reconfigure(&d->desk, config);
	for (size_t i = 0; i < d->lane_count; i++)
		lane_reconfigure(d->lanes[i], product_of(config, d->lanes[i]));
	bc_shop_config_unref(former);
	d->told_strangers = false;
	plan(d);
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
		result = add_lanes(d, d->desk.config, err);
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
		lane_stop(d->lanes[i]);
	delivery_commands_begin(d);
	bc_timer_stop(d->tick);
	bc_timer_start(d->grace, grace_ms);
	/* Never from inside this call: the wake task finds everything at rest. */
	atomic_store(&d->deaf, false);
	bc_delivery_wake(d);
}

void bc_delivery_destroy(struct bc_delivery *d)
{
	if (!d)
		return;
	BC_ASSERT(!d->jobs && !d->operations);
	for (size_t i = 0; i < d->lane_count; i++)
		lane_destroy(d->lanes[i]);
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
	size_t count = 0;
	pthread_mutex_lock(&d->status_lock);
	for (size_t i = 0; i < d->lane_count; i++) {
		if (!d->status[i].name[0])
			continue; /* its product left the settings */
		if (count < max)
			ret[count] = d->status[i];
		count++;
	}
	pthread_mutex_unlock(&d->status_lock);
	return count;
}
