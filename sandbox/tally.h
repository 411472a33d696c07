/* SPDX-License-Identifier: MIT */
/*
 * How often each route was asked, by what was answered. Unlike the recorder it never forgets, so
 * "one token request a thousand calls" can be judged over whole runs. Memory only; one thread.
 */
#ifndef BC_SANDBOX_TALLY_H
#define BC_SANDBOX_TALLY_H

#include <jansson.h>
#include <stdint.h>

#include "base/attr.h"

struct bc_tally;

BC_MUST_CHECK struct bc_tally *bc_tally_create(void); /* NULL without memory */
void bc_tally_destroy(struct bc_tally *t);	      /* NULL is fine */

/* One more. method and route are static texts, NULL together for a path without a route; fault
 * (static too, or NULL) says what went out in place of a whole answer, then status is 0. */
void bc_tally_add(struct bc_tally *t, const char *method, const char *route, int status,
		  const char *fault);
/* {"calls":[{"method","route","answered","count"}],"total":n}; NULL without memory. */
BC_MUST_CHECK json_t *bc_tally_json(const struct bc_tally *t);
void bc_tally_clear(struct bc_tally *t);

#endif
