/* SPDX-License-Identifier: MIT */
/*
 * See batch.h. A batch with a write is one transaction. When it fails, reads are answered alone;
 * a fault of one operation (BC_REACH_OPERATION) has all tried again, each in a transaction of its
 * own, so that a poisoned one fails nobody else; a fault of the engine fails every write at once.
 */
#include "store/batch.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "store/rules.h"

void bc_op_list_push(struct bc_op_list *list, struct bc_store_op *op)
{
	op->next = NULL;
	if (list->tail)
		list->tail->next = op;
	else
		list->head = op;
	list->tail = op;
	list->count++;
}

struct bc_store_op *bc_op_list_pop(struct bc_op_list *list)
{
	struct bc_store_op *op = list->head;
	if (!op)
		return NULL;
	list->head = op->next;
	if (!list->head)
		list->tail = NULL;
	list->count--;
	op->next = NULL;
	return op;
}

enum { COMMIT_US_FIRST = 100, MEASURE_US = 5 * 1000 * 1000 };

/* --- numbers ------------------------------------------------------------------------------- */

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The first bucket whose bound, first << i, value stays below; the last takes the rest. */
static size_t bucket_of(uint64_t value, uint64_t first)
{
	size_t i = 0;
	while (i < 15 && value >= first << i)
		i++;
	return i;
}

#define MINUTE_US UINT64_C(60000000)

static void count_minute(struct bc_store_stats *stats, size_t bucket, uint64_t operations)
{
	uint64_t number = now_us() / MINUTE_US;
	struct bc_store_minute *minute = &stats->minutes[number % BC_STORE_MINUTES];
	if (minute->number != number)
		*minute = (struct bc_store_minute){ .number = number };
	minute->commit_us_bucket[bucket]++;
	minute->committed += operations;
}

static void count_commit(struct bc_store_stats *stats, uint64_t us, uint64_t operations)
{
	stats->commits++;
	stats->writable = true;
	stats->commit_us_total += us;
	if (us > stats->commit_us_max)
		stats->commit_us_max = us;
	stats->committed += operations;
	if (operations > stats->batch_max)
		stats->batch_max = operations;
	stats->commit_us_bucket[bucket_of(us, COMMIT_US_FIRST)]++;
	count_minute(stats, bucket_of(us, COMMIT_US_FIRST), operations);
	stats->batch_bucket[bucket_of(operations - 1, 1)]++;
}

static void count_fault(struct bc_store_stats *stats, const struct bc_engine_fault *fault)
{
	stats->commit_errors++;
	if (fault->reach >= BC_REACH_WRITES) {
		stats->writable = false;
		stats->refused_err = fault->err;
	}
	if (fault->reach == BC_REACH_FINAL && !stats->broken) {
		stats->broken = true;
		stats->broken_err = fault->err;
	}
}

void bc_batch_measure(struct bc_batch_runner *r)
{
	uint64_t now = now_us();
	struct bc_store_stats *stats = &r->stats;
	if (!r->engine->measure || (r->measured_us && now - r->measured_us < MEASURE_US))
		return;
	r->measured_us = now;
	stats->has_size = r->engine->measure(r->handle, &stats->bytes, &stats->free_bytes);
}

/* The value that so many of all stay below, as if those of a bucket lay evenly within it. */
static uint32_t quantile(const uint32_t *buckets, uint64_t all, unsigned percent)
{
	double left = (double)all * percent / 100;
	for (unsigned i = 0; i < BC_STORE_COMMIT_BUCKETS; i++) {
		double low = i ? (double)((uint64_t)COMMIT_US_FIRST << (i - 1)) : 0;
		double high = (double)((uint64_t)COMMIT_US_FIRST << i);
		if (left <= buckets[i] && buckets[i])
			return (uint32_t)(low + (high - low) * left / buckets[i]);
		left -= buckets[i];
	}
	return 0;
}

void bc_store_recent(const struct bc_store_stats *stats, struct bc_store_recent *ret_recent)
{
	uint64_t now = now_us() / MINUTE_US;
	uint32_t buckets[BC_STORE_COMMIT_BUCKETS] = { 0 };
	*ret_recent = (struct bc_store_recent){ 0 };
	for (int m = 0; m < BC_STORE_MINUTES; m++) {
		const struct bc_store_minute *minute = &stats->minutes[m];
		if (minute->number + BC_STORE_MINUTES <= now)
			continue;
		ret_recent->committed += minute->committed;
		for (int i = 0; i < BC_STORE_COMMIT_BUCKETS; i++) {
			buckets[i] += minute->commit_us_bucket[i];
			ret_recent->commits += minute->commit_us_bucket[i];
		}
	}
	if (!ret_recent->commits)
		return;
	ret_recent->p50_us = quantile(buckets, ret_recent->commits, 50);
	ret_recent->p99_us = quantile(buckets, ret_recent->commits, 99);
}

/* --- operations ---------------------------------------------------------------------------- */

static void refuse_broken(struct bc_store_op *op)
{
	op->result = bc_err_set(&op->err, BC_ESTORE,
				"the store failed to reach the disk earlier and takes no writes");
	bc_err_hint(&op->err, "look for disk errors (dmesg), then restart backchannel");
}

static void settle(struct bc_store_op *op, const struct bc_engine_fault *fault)
{
	memset(&op->out, 0, sizeof(op->out));
	op->err = fault->err;
	op->result = fault->err.code;
}

/* 0, or the fault's code: the transaction must be rolled back. */
static int apply(struct bc_batch_runner *r, struct bc_store_op *op, struct bc_engine_fault *fault)
{
	memset(&op->out, 0, sizeof(op->out));
	bc_err_clear(&op->err);
	op->result = bc_rule_check(op, &op->err);
	if (op->result)
		return 0;
	if (r->stats.broken && bc_store_kind_writes(op->kind)) {
		refuse_broken(op);
		return 0;
	}
	return r->engine->apply(r->handle, op, fault);
}

static void read_alone(struct bc_batch_runner *r, struct bc_store_op *op)
{
	struct bc_engine_fault fault = { 0 };
	if (apply(r, op, &fault))
		settle(op, &fault);
}

/* One transaction over the operations from first up to, not including, end. */
static int transact(struct bc_batch_runner *r, struct bc_store_op *first, struct bc_store_op *end,
		    struct bc_engine_fault *fault)
{
	uint64_t start = now_us(), operations = 0;
	int result = r->engine->begin(r->handle, fault);
	for (struct bc_store_op *op = first; result == 0 && op != end; op = op->next) {
		result = apply(r, op, fault);
		operations++;
	}
	if (result == 0)
		result = r->engine->commit(r->handle, fault);
	if (result == 0) {
		count_commit(&r->stats, now_us() - start, operations);
		return 0;
	}
	r->engine->rollback(r->handle);
	count_fault(&r->stats, fault);
	return result;
}

static void salvage(struct bc_batch_runner *r, const struct bc_op_list *batch,
		    struct bc_engine_fault *fault)
{
	for (struct bc_store_op *op = batch->head; op; op = op->next) {
		struct bc_engine_fault own = { 0 };
		if (!bc_store_kind_writes(op->kind)) {
			read_alone(r, op);
		} else if (fault->reach != BC_REACH_OPERATION) {
			settle(op, fault);
		} else if (transact(r, op, op->next, &own)) {
			settle(op, &own);
			if (own.reach != BC_REACH_OPERATION)
				*fault = own;
		}
	}
}

static bool needs_transaction(const struct bc_batch_runner *r, const struct bc_op_list *batch)
{
	if (r->stats.broken)
		return false;
	for (const struct bc_store_op *op = batch->head; op; op = op->next) {
		if (bc_store_kind_writes(op->kind))
			return true;
	}
	return false;
}

void bc_batch_run(struct bc_batch_runner *r, const struct bc_op_list *batch)
{
	struct bc_engine_fault fault = { 0 };
	r->stats.operations += batch->count;
	if (!needs_transaction(r, batch)) {
		for (struct bc_store_op *op = batch->head; op; op = op->next)
			read_alone(r, op);
	} else if (transact(r, batch->head, NULL, &fault)) {
		if (batch->count == 1)
			settle(batch->head, &fault);
		else
			salvage(r, batch, &fault);
	}
}

uint32_t bc_batch_tend(struct bc_batch_runner *r, bool idle)
{
	struct bc_engine_fault fault = { 0 };
	if (!r->engine->tend || r->stats.broken)
		return BC_TEND_NEVER;
	uint32_t delay_ms = r->engine->tend(r->handle, idle, &fault);
	if (fault.err.code) {
		count_fault(&r->stats, &fault);
		return BC_TEND_NEVER;
	}
	return delay_ms;
}
