/* SPDX-License-Identifier: MIT */
/* Filling a struct bc_err (see <backchannel/error.h> for the rules it keeps). */
#ifndef BC_BASE_ERR_H
#define BC_BASE_ERR_H

#include "base/attr.h"

/* Sets code and text unless a code is set already; returns code, so that it ends a function:
 * `return bc_err_set(err, BC_EINVAL, "bad port \"%s\"", text);` err may be NULL. A text too long
 * is cut between characters; line breaks and tabs become spaces, other control bytes '?'. */
int bc_err_set(struct bc_err *err, int code, const char *fmt, ...) BC_PRINTF(3, 4);

/* Text and hint in one: an error that nobody can act upon is half an error. Both or neither is set.
 */
int bc_err_tell(struct bc_err *err, int code, const char *hint, const char *fmt, ...)
	BC_PRINTF(4, 5);

/* What helps when the system says errnum; never NULL, and never of a single call. */
const char *bc_errno_hint(int errnum);

/* Adds the hint unless there is one already. err may be NULL. */
void bc_err_hint(struct bc_err *err, const char *fmt, ...) BC_PRINTF(2, 3);

/* BC_ENOMEM with its standard text. */
int bc_err_nomem(struct bc_err *err);

void bc_err_clear(struct bc_err *err);

#endif
