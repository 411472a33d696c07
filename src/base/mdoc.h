/* SPDX-License-Identifier: MIT */
/* Text for manual pages in mdoc: what mandoc -Tlint asks of it, whatever it says. */
#ifndef BC_BASE_MDOC_H
#define BC_BASE_MDOC_H

#include "base/buf.h"
#include "base/str.h"

/* Words, parted by blanks and line ends, in lines of at most 78 bytes where they allow it; a new
 * line for each sentence. A line that begins like a request is kept from being one. text may hold
 * roff's escapes. 0, BC_ENOMEM or BC_ETOOBIG. */
BC_MUST_CHECK int bc_mdoc_fill(struct bc_buf *out, struct bc_str text);
/* Plain text, filled: backslashes and the dashes of options show as they are. */
BC_MUST_CHECK int bc_mdoc_prose(struct bc_buf *out, const char *text);
/* Plain lines, each ended by a line end, as they are: for displays that are not filled. */
BC_MUST_CHECK int bc_mdoc_literal(struct bc_buf *out, const char *text);

#endif
