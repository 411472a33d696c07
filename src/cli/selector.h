/* SPDX-License-Identifier: MIT */
/* Which orders a command means: the options that list, count, export and retry share, and the query
 * string they make. What each means is decided by the API alone. */
#ifndef BC_CLI_SELECTOR_H
#define BC_CLI_SELECTOR_H

#include <stdio.h>

#include "cli/cli.h"

struct bc_selector {
	const char *state, *since, *until, *lane, *product, *search, *limit; /* NULL = not given */
};

/* Rows for a command whose struct holds a struct bc_selector named selector. */
#define BC_SELECTOR_ROWS(options_type, limit_help)                                                 \
	{ "state", 0, "S", offsetof(options_type, selector.state),                                 \
	  "only these: pending, delivered, rejected, expired, ..." },                              \
		{ "since", 0, "T", offsetof(options_type, selector.since),                         \
		  "reported at or after: RFC 3339, or an age such as 2h" },                        \
		{ "until", 0, "T", offsetof(options_type, selector.until),                         \
		  "reported before: the same" },                                                   \
		{ "lane", 0, "LANE", offsetof(options_type, selector.lane),                        \
		  "only this lane's, such as sovendus.default" },                                  \
		{ "product", 0, "LABEL", offsetof(options_type, selector.product),                 \
		  "only this product's" },                                                         \
		{ "search", 0, "TEXT", offsetof(options_type, selector.search),                    \
		  "only those whose id begins with it" },                                          \
	{                                                                                          \
		"limit", 'n', "N", offsetof(options_type, selector.limit), limit_help              \
	}

/* route, what of the selector is given, and more ("count=1"; NULL = none) as a path with its query.
 * path: initialised. 0, BC_ENOMEM or BC_ETOOBIG. */
BC_MUST_CHECK int bc_selector_path(struct bc_buf *path, const char *route,
				   const struct bc_selector *s, const char *more);
bool bc_selector_is_empty(const struct bc_selector *s);
/* In words, for a sentence that begins with how many there are: " since 2h on lane x.y". */
void bc_selector_print(const struct bc_selector *s, FILE *to);

#endif
