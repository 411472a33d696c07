/* SPDX-License-Identifier: MIT */
/* The support block of one order; see the .c file. */
#ifndef BC_CLI_EXPLAIN_SUPPORT_H
#define BC_CLI_EXPLAIN_SUPPORT_H

#include "cli/remote.h"

void bc_explain_support(const struct bc_settings *settings, const json_t *story);

#endif
