/* SPDX-License-Identifier: MIT */
/* The three date forms of HTTP (RFC 9110 5.6.7), without a clock, a locale or a time zone. */
#ifndef BC_PROTOCOL_HTTP_DATE_H
#define BC_PROTOCOL_HTTP_DATE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

/*
 * "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or "Sun Nov  6 08:49:37 1994",
 * with blanks allowed at both ends. A wrong day of the week is not held against a date.
 * now_wall_ms  gives two-digit years their century: at most 50 years ahead
 * ret_wall_ms  ms since 1970; dates before that give 0
 * result       0 or BC_EINVAL
 */
BC_MUST_CHECK int bc_http_date_parse(struct bc_str text, uint64_t now_wall_ms,
				     uint64_t *ret_wall_ms);

#endif
