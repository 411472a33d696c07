/* SPDX-License-Identifier: MIT */
/*
 * How a log line is spelled, apart from where it goes: text or JSON into a buffer of fixed size.
 * For log.c. Does no I/O, allocates nothing, keeps no state.
 */
#ifndef BC_BASE_LOG_LINE_H
#define BC_BASE_LOG_LINE_H

#include "base/log.h"

enum {
	BC_LOG_LINE_BYTES = 8192, /* the line with its line feed never needs more */
	BC_LOG_VALUE_BYTES = 2048 /* a longer value is cut: `...[cut]` */
};

struct bc_log_line {
	char bytes[BC_LOG_LINE_BYTES]; /* ends in a line feed; not NUL-terminated */
	size_t len;
	bool altered; /* a value stands in it otherwise than as its bytes: escaped, or cut */
};

/*
 * Fields that find no room any more are left out, and the line says so with `cut=true`.
 * Nothing a field's value holds can end the line, add a field or steer a terminal.
 */
void bc_log_line_render(struct bc_log_line *line, bool json, uint64_t wall_ms,
			enum bc_log_level level, const char *event,
			const struct bc_log_field *fields, size_t n);

#endif
