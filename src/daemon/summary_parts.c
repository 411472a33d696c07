/* SPDX-License-Identifier: MIT */
/*
 * What the summary tells of the store and of the gateway, from the counters that /metrics shows as
 * well. Quantiles are as if what falls in a bucket of a histogram lay evenly within it.
 */
#include <string.h>

#include "daemon/api_impl.h"

enum { PATHS_MAX = 20 };

/* --- the store ------------------------------------------------------------------------------- */

static json_t *ms_json(uint32_t us)
{
	return json_real((double)us / 1000);
}

/* Null without a commit in the last minutes. */
static bool add_recent(json_t *j, const struct bc_store_stats *stats)
{
	struct bc_store_recent r;
	bc_store_recent(stats, &r);
	if (!r.commits)
		return api_put(j, "commit_ms", json_null()) &&
		       api_put(j, "batch_size", json_null());
	return api_put(j, "commit_ms",
		       json_pack("{s:o, s:o}", "p50", ms_json(r.p50_us), "p99",
				 ms_json(r.p99_us))) &&
	       api_put(j, "batch_size", json_real((double)r.committed / (double)r.commits));
}

static bool add_size(json_t *j, const struct bc_store_stats *stats)
{
	if (!stats->has_size)
		return api_put(j, "bytes", json_null()) && api_put(j, "free_bytes", json_null());
	return api_put(j, "bytes", json_integer((json_int_t)stats->bytes)) &&
	       api_put(j, "free_bytes", json_integer((json_int_t)stats->free_bytes));
}

json_t *api_store_json(struct call *call)
{
	struct bc_store_stats stats;
	bc_store_stats(call->api->shop->store, &stats);
	bool writable = stats.writable && !stats.broken;
	const struct bc_err *why = stats.broken ? &stats.broken_err : &stats.refused_err;
	json_t *j = json_pack("{s:b, s:o, s:o}", "writable", (int)writable, "error",
			      writable ? json_null() : bc_json_words(why->text), "hint",
			      writable ? json_null() : bc_json_words(why->hint));
	if (j && add_recent(j, &stats) && add_size(j, &stats))
		return j;
	json_decref(j);
	return NULL;
}

/* --- the gateway ----------------------------------------------------------------------------- */

static uint64_t calls_of(const uint64_t *buckets)
{
	uint64_t all = 0;
	for (int i = 0; i <= BC_GATEWAY_DURATION_BUCKETS; i++)
		all += buckets[i];
	return all;
}

/* The last bucket has no upper bound: what falls in it is told as its lower one. */
static json_t *quantile_json(const uint64_t *buckets, double part)
{
	uint64_t all = calls_of(buckets);
	double left = (double)all * part, low = 0;
	if (!all)
		return json_null();
	for (int i = 0; i < BC_GATEWAY_DURATION_BUCKETS; i++) {
		double high = bc_gateway_bound_ms[i];
		if (buckets[i] && left <= (double)buckets[i])
			return json_real(low + (high - low) * left / (double)buckets[i]);
		left -= (double)buckets[i];
		low = high;
	}
	return json_real(low);
}

/* The one that was called most after those that stand in the list already; NULL: there is none. */
static const struct bc_gateway_shape *next_shape(const struct bc_gateway *g, uint64_t *taken)
{
	size_t best = SIZE_MAX;
	uint64_t most = 0;
	for (size_t i = 0; i < bc_gateway_shape_count(g); i++) {
		uint64_t calls = calls_of(bc_gateway_shape_at(g, i)->buckets);
		if (taken[i / 64] & (UINT64_C(1) << i % 64) || calls <= most)
			continue;
		most = calls;
		best = i;
	}
	if (best == SIZE_MAX)
		return NULL;
	taken[best / 64] |= UINT64_C(1) << best % 64;
	return bc_gateway_shape_at(g, best);
}

static json_t *path_json(const struct bc_gateway_shape *s)
{
	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "method", s->method, "path", s->shape,
			 "calls", (json_int_t)calls_of(s->buckets), "p50_ms",
			 quantile_json(s->buckets, 0.5), "p99_ms", quantile_json(s->buckets, 0.99));
}

static json_t *paths_json(const struct bc_gateway *g)
{
	uint64_t taken[BC_GATEWAY_SHAPES_MAX / 64 + 1] = { 0 };
	const struct bc_gateway_shape *s;
	json_t *list = json_array();
	for (int i = 0; list && i < PATHS_MAX && (s = next_shape(g, taken)); i++) {
		if (json_array_append_new(list, path_json(s))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool add_calls(json_t *j, const struct bc_gateway *g)
{
	uint64_t calls = 0, errors = 0;
	for (size_t i = 0; i < bc_gateway_code_count(g); i++) {
		const struct bc_gateway_code *code = bc_gateway_code_at(g, i);
		calls += code->count;
		errors += code->status >= 500 ? code->count : 0;
	}
	return api_put(j, "calls", json_integer((json_int_t)calls)) &&
	       api_put(j, "errors", json_integer((json_int_t)errors)) &&
	       api_put(j, "in_flight", json_integer((json_int_t)bc_gateway_in_flight(g)));
}

static bool add_durations(json_t *j, const struct bc_gateway *g)
{
	uint64_t all[BC_GATEWAY_DURATION_BUCKETS + 1] = { 0 };
	for (size_t i = 0; i < bc_gateway_shape_count(g); i++)
		for (int b = 0; b <= BC_GATEWAY_DURATION_BUCKETS; b++)
			all[b] += bc_gateway_shape_at(g, i)->buckets[b];
	return api_put(j, "p50_ms", quantile_json(all, 0.5)) &&
	       api_put(j, "p99_ms", quantile_json(all, 0.99)) && api_put(j, "paths", paths_json(g));
}

json_t *api_gateway_json(const struct bc_api_commerce *commerce)
{
	struct bc_upstream *u = commerce->upstream;
	json_t *j = json_object();
	if (j && add_calls(j, commerce->gateway) && add_durations(j, commerce->gateway) &&
	    api_put(j, "refusals",
		    json_pack("{s:I, s:I}", "401", (json_int_t)atomic_load(&u->refused_401), "429",
			      (json_int_t)atomic_load(&u->refused_429))))
		return j;
	json_decref(j);
	return NULL;
}
