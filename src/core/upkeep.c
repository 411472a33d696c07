/* SPDX-License-Identifier: MIT */
/* See upkeep.h. */
#include "core/upkeep.h"

#include "base/err.h"
#include "base/log.h"
#include "core/return_rate.h"
#include "core/watch.h"

enum {
	PURGE_EVERY_MS = 60 * 1000,
	PURGE_AGAIN_MS = 20, /* while there is more; leaves the store to others in between */
	PROBE_EVERY_MS = 1000,
	LOOK_EVERY_MS = 60 * 1000,  /* at the return rate */
	COUNT_EVERY_MS = 60 * 1000, /* what waits, and since when */
	ARENA_BYTES = 4096,
	ARENA_MAX_BYTES = 1024 * 1024,
	PURGE_ROWS = 500,
	EXPIRED_KEEP_MS = 60 * 60 * 1000
};

struct bc_upkeep {
	struct bc_shop *shop;	      /* borrowed */
	struct bc_delivery *delivery; /* borrowed */
	struct bc_desk desk;
	struct bc_timer *timer;
	struct bc_store_op op;
	struct bc_arena *arena;		      /* owned; op's */
	struct bc_return_rate *return_rate;   /* owned */
	struct bc_watch *watch;		      /* owned */
	struct bc_tokens *tokens;	      /* borrowed; NULL: none */
	struct bc_journal *journal;	      /* borrowed; NULL: none */
	uint64_t next_purge_ms, next_look_ms; /* elapsed clock */
	uint64_t next_count_ms;
	bool busy, stopping;
	bool told, told_broken; /* that the store takes no writes; that it never will again */
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

static void check_stopped(struct bc_upkeep *u)
{
	void (*stopped)(void *) = u->stopped;
	if (!u->stopping || u->busy || !stopped)
		return;
	u->stopped = NULL;
	stopped(u->stopped_ctx);
}

static void purged(struct bc_store_op *op)
{
	struct bc_upkeep *u = BC_CONTAINER(op, struct bc_upkeep, op);
	u->busy = false;
	if (!op->result && op->out.purge.expired)
		bc_log_warning("conversion.expired", BC_LU("count", op->out.purge.expired),
			       BC_LS("hint", "backchannel orders --state expired lists them; "
					     "backchannel retry sends them again"));
	if (!op->result && op->out.purge.more && !u->stopping) {
		u->next_purge_ms = 0;
		bc_timer_start(u->timer, PURGE_AGAIN_MS);
	}
	check_stopped(u);
}

static void tell_writable(struct bc_upkeep *u)
{
	u->told = false;
	bc_log_info("store.writable", BC_LS("meaning", "the store takes writes again"));
	bc_delivery_wake(u->delivery);
}

static void probed(struct bc_store_op *op)
{
	struct bc_upkeep *u = BC_CONTAINER(op, struct bc_upkeep, op);
	u->busy = false;
	if (op->result == 0)
		tell_writable(u);
	else if (!u->told)
		bc_log_error("store.refuses", BC_LS("error", op->err.text),
			     BC_LS("hint", op->err.hint));
	u->told = op->result != 0;
	check_stopped(u);
}

static uint64_t before(uint64_t now_ms, uint64_t age_ms)
{
	return now_ms > age_ms ? now_ms - age_ms : 0;
}

/* An order that comes soon after its click expired is told so, which is what the operator can mend
 * (click.ttl); once the click is gone it could only be told that nobody knows it. */
static uint64_t keep_expired_ms(const struct bc_shop_config *config)
{
	return config->click_ttl_ms < EXPIRED_KEEP_MS ? config->click_ttl_ms : EXPIRED_KEEP_MS;
}

static void purge(struct bc_upkeep *u)
{
	const struct bc_shop_config *config = u->desk.config;
	uint64_t now = bc_wall_ms(u->shop->clock), keep = config->order_keep_ms;
	/* An order without a click waits for one that long, however short the rest is kept. */
	uint64_t wait = keep > config->order_adopt_ms ? keep : config->order_adopt_ms;
	u->op = (struct bc_store_op){ .kind = BC_STORE_PURGE, .done = purged };
	u->op.in.purge.now_ms = now;
	u->op.in.purge.clicks_before_ms = before(now, keep_expired_ms(config));
	/* 0 clears a token at delivery; what ended otherwise must stay one to be sent again. */
	u->op.in.purge.clear_before_ms = before(now, keep ? keep : config->retry.deadline_ms);
	u->op.in.purge.unattributed_before_ms = before(now, wait);
	u->op.in.purge.limit = PURGE_ROWS;
	u->next_purge_ms = bc_elapsed_ms(u->shop->clock) + PURGE_EVERY_MS;
}

static void probe(struct bc_upkeep *u)
{
	u->op = (struct bc_store_op){ .kind = BC_STORE_PROBE, .done = probed };
}

static void looked(struct bc_store_op *op)
{
	struct bc_upkeep *u = BC_CONTAINER(op, struct bc_upkeep, op);
	u->busy = false;
	if (op->result == 0)
		bc_return_rate_look(u->return_rate, u->desk.config, op->out.returns.products,
				    op->out.returns.count);
	check_stopped(u);
}

static void look(struct bc_upkeep *u)
{
	uint64_t now = bc_wall_ms(u->shop->clock);
	bc_arena_reset(u->arena);
	u->op = (struct bc_store_op){ .kind = BC_STORE_RETURNS, .done = looked, .arena = u->arena };
	u->op.in.returns.now_ms = now;
	u->next_look_ms = bc_elapsed_ms(u->shop->clock) + LOOK_EVERY_MS;
}

static void counted(struct bc_store_op *op)
{
	struct bc_upkeep *u = BC_CONTAINER(op, struct bc_upkeep, op);
	u->busy = false;
	if (op->result == 0)
		bc_watch_lanes(u->watch, op->out.lanes.lanes, op->out.lanes.count,
			       bc_elapsed_ms(u->shop->clock));
	check_stopped(u);
}

/* What is known here; the lanes' orders are asked of the store. */
static void watch(struct bc_upkeep *u, const struct bc_store_stats *stats, uint64_t now)
{
	struct bc_tokens_view token;
	struct bc_journal_view journal;
	bc_watch_store(u->watch, stats, now);
	if (u->tokens) {
		bc_tokens_look(u->tokens, &token);
		bc_watch_token(u->watch, &token, now);
	}
	if (u->journal) {
		bc_journal_look(u->journal, &journal);
		bc_watch_journal(u->watch, &journal, now);
	}
}

static void count_lanes(struct bc_upkeep *u)
{
	bc_arena_reset(u->arena);
	u->op = (struct bc_store_op){ .kind = BC_STORE_LANES, .done = counted, .arena = u->arena };
	u->next_count_ms = bc_elapsed_ms(u->shop->clock) + COUNT_EVERY_MS;
}

static void tell_broken(struct bc_upkeep *u, const struct bc_err *why)
{
	if (u->told_broken)
		return;
	u->told_broken = true;
	bc_log_error("store.broken", BC_LS("error", why->text),
		     BC_LS("meaning", "a write did not reach the disk: nothing more is "
				      "acknowledged; what was is on disk"),
		     BC_LS("hint", why->hint));
}

static void turn(void *ctx)
{
	struct bc_upkeep *u = ctx;
	struct bc_store_stats stats;
	bc_timer_start(u->timer, PROBE_EVERY_MS);
	if (u->busy || u->stopping)
		return;
	bc_store_stats(u->shop->store, &stats);
	uint64_t now = bc_elapsed_ms(u->shop->clock);
	if (stats.broken)
		tell_broken(u, &stats.broken_err);
	watch(u, &stats, now);
	if (u->told && stats.writable) /* somebody's write went through before a probe did */
		tell_writable(u);
	if (!stats.writable && !stats.broken)
		probe(u);
	else if (stats.writable && !stats.broken && now >= u->next_purge_ms)
		purge(u);
	else if (u->desk.config->return_rate_alert_pct && now >= u->next_look_ms)
		look(u);
	else if (now >= u->next_count_ms)
		count_lanes(u);
	else
		return;
	u->busy = true;
	bc_desk_submit(&u->desk, &u->op);
}

int bc_upkeep_create(struct bc_loop *loop, struct bc_shop *shop, struct bc_delivery *delivery,
		     struct bc_upkeep **ret_upkeep, struct bc_err *err)
{
	struct bc_upkeep *u = calloc(1, sizeof(*u));
	if (!u)
		return bc_err_nomem(err);
	*u = (struct bc_upkeep){ .shop = shop, .delivery = delivery };
	u->timer = bc_timer_create(loop, turn, u);
	u->arena = bc_arena_create(ARENA_BYTES, ARENA_MAX_BYTES);
	u->return_rate = bc_return_rate_create(shop);
	u->watch = bc_watch_create(shop);
	if (bc_desk_init(&u->desk, shop, loop, err) || !u->timer || !u->arena || !u->return_rate ||
	    !u->watch) {
		bc_upkeep_destroy(u);
		return bc_err_nomem(err);
	}
	bc_timer_start(u->timer, PROBE_EVERY_MS);
	*ret_upkeep = u;
	return 0;
}

void bc_upkeep_watch(struct bc_upkeep *u, struct bc_tokens *tokens, struct bc_journal *journal)
{
	u->tokens = tokens;
	u->journal = journal;
}

void bc_upkeep_reconfigure(struct bc_upkeep *u, struct bc_shop_config *config)
{
	bc_desk_reconfigure(&u->desk, config);
	u->next_look_ms = u->next_count_ms = 0;
}

void bc_upkeep_stop(struct bc_upkeep *u, void (*done)(void *ctx), void *ctx)
{
	u->stopping = true;
	u->stopped = done;
	u->stopped_ctx = ctx;
	bc_timer_stop(u->timer);
	check_stopped(u);
}

void bc_upkeep_destroy(struct bc_upkeep *u)
{
	if (!u)
		return;
	bc_timer_destroy(u->timer);
	bc_desk_finish(&u->desk);
	bc_return_rate_destroy(u->return_rate);
	bc_watch_destroy(u->watch);
	bc_arena_destroy(u->arena);
	free(u);
}
