/* SPDX-License-Identifier: MIT */
/* What it means that the shop took an order back, as `backchannel explain` tells it. */
#ifndef BC_CLI_EXPLAIN_REVOKED_H
#define BC_CLI_EXPLAIN_REVOKED_H

#include <jansson.h>
#include <stdbool.h>

bool bc_explain_is_revoked(const json_t *story);
/* What comes next, for a story that is; in place of what its state alone would say. */
void bc_explain_revoked(const json_t *story);

#endif
