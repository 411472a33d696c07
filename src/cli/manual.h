/* SPDX-License-Identifier: MIT */
/* The manual page backchannel(1). */
#ifndef BC_CLI_MANUAL_H
#define BC_CLI_MANUAL_H

#include "base/buf.h"

/* In mdoc. 0, BC_ENOMEM or BC_ETOOBIG. */
BC_MUST_CHECK int bc_manual(struct bc_buf *out);

#endif
