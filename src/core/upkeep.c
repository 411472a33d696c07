/* SPDX-License-Identifier: MIT */
/* See upkeep.h. */
#include "core/upkeep.h"

#include "base/err.h"
#include "base/log.h"

enum {
	PURGE_EVERY_MS = 60 * 1000,
	PURGE_AGAIN_MS = 20, /* while there is more; leaves the store to others in between */
	PROBE_EVERY_MS = 1000,
	PURGE_ROWS = 500,
	EXPIRED_KEEP_MS = 60 * 60 * 1000
};

struct bc_upkeep {
	struct bc_shop *shop;	      /* borrowed */
	struct bc_delivery *delivery; /* borrowed */
	struct bc_desk desk;
	struct bc_timer *timer;
	struct bc_store_op op;
	uint64_t next_purge_ms; /* elapsed clock */
	bool busy, stopping;
	bool told; /* that the store takes no writes */
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

static void probed(struct bc_store_op *op)
{
	struct bc_upkeep *u = BC_CONTAINER(op, struct bc_upkeep, op);
	u->busy = false;
	if (op->result == 0) {
		bc_log_info("store.writable", BC_LS("meaning", "the store takes writes again"));
		bc_delivery_wake(u->delivery);
	} else if (!u->told) {
		bc_log_error("store.refuses", BC_LS("error", op->err.text),
			     BC_LS("hint", op->err.hint));
	}
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
	const struct bc_shop_config *config = u->shop->config;
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

static void turn(void *ctx)
{
	struct bc_upkeep *u = ctx;
	struct bc_store_stats stats;
	bc_timer_start(u->timer, PROBE_EVERY_MS);
	if (u->busy || u->stopping)
		return;
	bc_store_stats(u->shop->store, &stats);
	if (!stats.writable && !stats.broken)
		probe(u);
	else if (stats.writable && bc_elapsed_ms(u->shop->clock) >= u->next_purge_ms)
		purge(u);
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
	if (bc_desk_init(&u->desk, shop, loop, err) || !u->timer) {
		bc_upkeep_destroy(u);
		return bc_err_nomem(err);
	}
	bc_timer_start(u->timer, PROBE_EVERY_MS);
	*ret_upkeep = u;
	return 0;
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
	free(u);
}
