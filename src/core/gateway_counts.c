/* SPDX-License-Identifier: MIT */
/*
 * What is measured of calls: how many, by method and status; how long they took, by method and
 * route shape. A shape has no ids in it, so that there are few: a segment that is an id becomes
 * "{id}", and what follows one of the collections that are keyed by a text becomes "{key}".
 */
#include <stdio.h>
#include <string.h>

#include "core/gateway_impl.h"

const uint32_t bc_gateway_bound_ms[BC_GATEWAY_DURATION_BUCKETS] = { 1,	  2,	5,     10,   25,
								    50,	  100,	250,   500,  1000,
								    2500, 5000, 10000, 30000 };

static const char other_shape[] = "/other";

/* --- shapes ---------------------------------------------------------------------------------- */

/* Collections whose members have texts for names, and what below them is none. */
static const char *const keyed[] = { "products",	"stockItems",
				     "stockStatuses",	"configurable-products",
				     "bundle-products", "coupons",
				     "attributes" };
static const char *const words[] = { "attributes",
				     "attribute-sets",
				     "base-prices",
				     "base-prices-information",
				     "cost",
				     "cost-information",
				     "downloadable-links",
				     "links",
				     "media",
				     "options",
				     "render-info",
				     "special-price",
				     "special-price-information",
				     "special-price-delete",
				     "tier-prices",
				     "tier-prices-delete",
				     "tier-prices-information",
				     "types",
				     "variation",
				     "search",
				     "add",
				     "all",
				     "sample",
				     "groups" };

static bool is_one_of(struct bc_str s, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bc_str_eq(s, list[i]))
			return true;
	return false;
}

static bool is_version(struct bc_str s)
{
	return s.len == 2 && s.ptr[0] == 'V' && s.ptr[1] >= '0' && s.ptr[1] <= '9';
}

/* A name of a route is letters and dashes, and not long. */
static bool is_name(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') ||
		      (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') || s.ptr[i] == '-' || s.ptr[i] == '_'))
			return false;
	return s.len <= 32;
}

static const char *folded(struct bc_str segment, struct bc_str before)
{
	bool key = is_one_of(before, keyed, BC_COUNT(keyed)) &&
		   !is_one_of(segment, words, BC_COUNT(words));
	if (segment.len == 0)
		return "";
	if (key)
		return "{key}";
	return is_version(segment) || is_name(segment) ? NULL : "{id}";
}

/* "/" and the segment; false: no room. */
static bool put_segment(char *shape, size_t *len, size_t room, struct bc_str segment)
{
	if (segment.len + 2 > room - *len)
		return false;
	shape[(*len)++] = '/';
	memcpy(shape + *len, segment.ptr, segment.len);
	*len += segment.len;
	shape[*len] = '\0';
	return true;
}

static void fold(const char *resource, char *shape, size_t room)
{
	struct bc_str rest = bc_str_of(resource), path = bc_str_split(&rest, '?');
	struct bc_str before = { 0 };
	size_t len = 0;
	shape[0] = '\0';
	(void)bc_str_split(&path, '/'); /* what stands before the first slash: nothing */
	while (path.ptr) {
		struct bc_str segment = bc_str_split(&path, '/');
		const char *fixed = folded(segment, before);
		if (!put_segment(shape, &len, room, fixed ? bc_str_of(fixed) : segment)) {
			snprintf(shape, room, "%s", other_shape);
			return;
		}
		before = segment;
	}
}

static struct bc_gateway_shape *find_shape(struct bc_gateway *g, const char *method,
					   const char *shape)
{
	for (size_t i = 0; i < g->shape_count; i++)
		if (strcmp(g->shapes[i].shape, shape) == 0 &&
		    strcmp(g->shapes[i].method, method) == 0)
			return &g->shapes[i];
	return NULL;
}

/* The last place is kept for what has none of its own. */
static struct bc_gateway_shape *take_shape(struct bc_gateway *g, const char *method,
					   const char *shape)
{
	struct bc_gateway_shape *found = find_shape(g, method, shape);
	bool full = g->shape_count >= BC_GATEWAY_SHAPES_MAX - 1;
	if (found)
		return found;
	if (full && (found = find_shape(g, "*", other_shape)))
		return found;
	found = &g->shapes[g->shape_count++];
	snprintf(found->method, sizeof(found->method), "%s", full ? "*" : method);
	snprintf(found->shape, sizeof(found->shape), "%s", full ? other_shape : shape);
	return found;
}

const char *gateway_shape(struct bc_gateway *g, const char *method, const char *resource)
{
	char shape[sizeof(g->shapes[0].shape)];
	fold(resource, shape, sizeof(shape));
	return take_shape(g, method, shape)->shape;
}

/* --- counting -------------------------------------------------------------------------------- */

static struct bc_gateway_code *take_code(struct bc_gateway *g, const char *method, int status)
{
	for (size_t i = 0; i < g->code_count; i++)
		if (g->codes[i].status == status && strcmp(g->codes[i].method, method) == 0)
			return &g->codes[i];
	if (g->code_count == BC_GATEWAY_CODES_MAX)
		return &g->codes[BC_GATEWAY_CODES_MAX - 1];
	struct bc_gateway_code *code = &g->codes[g->code_count++];
	snprintf(code->method, sizeof(code->method), "%s", method);
	code->status = status;
	return code;
}

static void count_duration(struct bc_gateway_shape *shape, uint64_t duration_ms)
{
	int i = 0;
	while (i < BC_GATEWAY_DURATION_BUCKETS && duration_ms > bc_gateway_bound_ms[i])
		i++;
	shape->buckets[i]++;
	shape->sum_ms += duration_ms;
}

void gateway_count(struct bc_gateway *g, const struct gateway_call *call, uint64_t duration_ms)
{
	static const char *const known[] = { "GET",    "HEAD",	  "POST",  "PUT",
					     "DELETE", "OPTIONS", "PATCH", "TRACE" };
	bool registered = is_one_of(bc_str_of(call->method), known, BC_COUNT(known));
	take_code(g, registered ? call->method : "other", call->status)->count++;
	count_duration(BC_CONTAINER(call->shape, struct bc_gateway_shape, shape[0]), duration_ms);
}

size_t bc_gateway_in_flight(const struct bc_gateway *g)
{
	size_t count = 0;
	for (const struct gateway_call *call = g->calls; call; call = call->next)
		count += call->state != CALL_OVER;
	return count;
}

size_t bc_gateway_code_count(const struct bc_gateway *g)
{
	return g->code_count;
}

const struct bc_gateway_code *bc_gateway_code_at(const struct bc_gateway *g, size_t i)
{
	return &g->codes[i];
}

size_t bc_gateway_shape_count(const struct bc_gateway *g)
{
	return g->shape_count;
}

const struct bc_gateway_shape *bc_gateway_shape_at(const struct bc_gateway *g, size_t i)
{
	return &g->shapes[i];
}
