/* SPDX-License-Identifier: MIT */
/*
 * Routes, statuses and faults are few, so the rows stand in one array and are found by looking at
 * pointers. Beyond its end only the total goes on.
 */
#include "sandbox/tally.h"

#include <stddef.h>

enum { ROWS_MAX = 512 };

struct tally_row {
	const char *method, *route, *fault;
	int status;
	uint64_t count;
};

struct bc_tally {
	struct tally_row rows[ROWS_MAX];
	size_t count;
	uint64_t total;
};

struct bc_tally *bc_tally_create(void)
{
	return calloc(1, sizeof(struct bc_tally));
}

void bc_tally_destroy(struct bc_tally *t)
{
	free(t);
}

void bc_tally_clear(struct bc_tally *t)
{
	t->count = 0;
	t->total = 0;
}

void bc_tally_add(struct bc_tally *t, const char *method, const char *route, int status,
		  const char *fault)
{
	t->total++;
	for (size_t i = 0; i < t->count; i++) {
		struct tally_row *row = &t->rows[i];

		if (row->route == route && row->method == method && row->status == status &&
		    row->fault == fault) {
			row->count++;
			return;
		}
	}
	if (t->count < ROWS_MAX)
		t->rows[t->count++] = (struct tally_row){ method, route, fault, status, 1 };
}

static json_t *answered(const struct tally_row *row)
{
	if (row->status)
		return json_integer(row->status);
	return row->fault ? json_string(row->fault) : json_null();
}

json_t *bc_tally_json(const struct bc_tally *t)
{
	json_t *calls = json_array();

	for (size_t i = 0; i < t->count; i++) {
		const struct tally_row *row = &t->rows[i];

		json_array_append_new(calls,
				      json_pack("{ss?ss?sosI}", "method", row->method, "route",
						row->route, "answered", answered(row), "count",
						(json_int_t)row->count));
	}
	return json_pack("{sosI}", "calls", calls, "total", (json_int_t)t->total);
}
