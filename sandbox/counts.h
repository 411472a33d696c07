/* SPDX-License-Identifier: MIT */
/*
 * Who was handed back, and how often: the partner's own books, by token. They outlast the recorder,
 * since "lost" and "doubled" are judged over whole runs. Memory only; one thread.
 */
#ifndef BC_SANDBOX_COUNTS_H
#define BC_SANDBOX_COUNTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Beyond so many different tokens only the totals go on. */
enum { BC_COUNTS_TOKENS_MAX = 1000000 };

struct bc_counts;

BC_MUST_CHECK struct bc_counts *bc_counts_create(void); /* NULL without memory */
void bc_counts_destroy(struct bc_counts *c);		/* NULL is fine */

/* A hand-back of this token came in, whatever becomes of it. */
void bc_counts_posted(struct bc_counts *c, struct bc_str token, bool test);
/* It was taken. */
void bc_counts_accepted(struct bc_counts *c, struct bc_str token, bool test);

/*
 * {"tokens":{"<token>":{"posts":n,"accepted":n,"test":true?}},"posts":n,"accepted":n,"repeated":n,
 *  "test_posts":n,"test_accepted":n}; NULL without memory. accepted: customers' tokens taken at
 * least once; repeated: how often one was taken again; test tokens are in neither.
 * token     only this one under "tokens"; an absent slice = all
 */
BC_MUST_CHECK json_t *bc_counts_json(const struct bc_counts *c, struct bc_str token);
void bc_counts_clear(struct bc_counts *c);

#endif
