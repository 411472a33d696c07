/* SPDX-License-Identifier: MIT */
/* BC_STORE_HISTORY, for any engine that keeps returns and a tally in memory: their buckets summed
 * up into steps. */
#ifndef BC_STORE_HISTORY_H
#define BC_STORE_HISTORY_H

#include "store/returns.h"
#include "store/store.h"
#include "store/tally.h"

/* A step is a whole number of buckets, and steps reach back no further than buckets are kept. 0,
 * BC_EINVAL. */
BC_MUST_CHECK int bc_history_check(const struct bc_store_op *op, struct bc_err *err);
/* Fills op->out.history, in op's arena. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_history_tell(const struct bc_returns *returns, const struct bc_tally *tally,
				  struct bc_store_op *op);

#endif
