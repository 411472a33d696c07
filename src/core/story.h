/* SPDX-License-Identifier: MIT */
/*
 * Orders as JSON: the one form in which the API, the lists and `explain` tell them. No token and no
 * session ever stands in it; a keyed hash prefix names a token.
 */
#ifndef BC_CORE_STORY_H
#define BC_CORE_STORY_H

#include <jansson.h>

#include "core/lanes.h"

/* One order in a list or an answer: order, state, reason, product, lane, kind, times; of one of
 * Adobe Commerce entity_id, edition, revoked_at, comment. NULL: no memory. */
BC_MUST_CHECK json_t *bc_order_json(const struct bc_order *order);
/* The same as text, as jansson would dump it without spaces: far cheaper, and there is one for each
 * report. Absent where it does not fit, or a text of it is not plain ASCII or needs an escape:
 * bc_order_json knows how. text_bytes is at least 1. */
BC_MUST_CHECK struct bc_str bc_order_text(const struct bc_order *order, char *text,
					  size_t text_bytes);
/* The whole story: the above, the click, every attempt, how its lane stands (lane may be NULL). */
BC_MUST_CHECK json_t *bc_story_json(const struct bc_order *order, const struct bc_attempt *attempts,
				    uint32_t count, const struct bc_lane_status *lane);

/* How a lane stands. count: what waits in it, NULL = nothing does. */
BC_MUST_CHECK json_t *bc_lane_json(const struct bc_lane_status *lane,
				   const struct bc_lane_count *count);

/* A sentence as JSON text: what it quotes may be cut in a letter's middle, or never have been
 * UTF-8, and then its odd bytes are shown as "?". NULL: no memory. */
BC_MUST_CHECK json_t *bc_json_words(const char *words);
/* Sets key to the time unless it is 0. 0 or -1, as jansson. */
int bc_json_set_time(json_t *object, const char *key, uint64_t wall_ms);

#endif
