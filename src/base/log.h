/* SPDX-License-Identifier: MIT */
/*
 * One line per event: `TIME LEVEL EVENT key=value...` or the same as a JSON object with ts, level,
 * event. Values are typed fields, never formatted text, so nothing from outside can forge a line.
 * A line that holds a live secret is replaced by one that says so. Thread-safe; lines leave in the
 * order of the calls, whichever threads these were made on.
 *
 * A line is one write(2), but on a thread that gathers: there, what is below a warning waits for
 * the next line that does not, for 4096 bytes, or for bc_log_flush. Loops gather, and flush before
 * they wait, so a line is never later than its turn. Whoever kills the process with SIGKILL, or
 * makes it crash, loses the lines of the turns under way; the log tells, it does not prove.
 *
 *	bc_log_info("order.accepted", BC_LS("order", id), BC_LU("attempt", n));
 *
 * Library code returns its error and logs nothing above debug; the layer that decides logs once.
 */
#ifndef BC_BASE_LOG_H
#define BC_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

enum bc_log_level { BC_LOG_ERROR, BC_LOG_WARNING, BC_LOG_INFO, BC_LOG_DEBUG };

struct bc_log_field {
	const char *key;
	enum { BC_FIELD_STR, BC_FIELD_U64, BC_FIELD_I64, BC_FIELD_MS, BC_FIELD_HASH } type;
	struct bc_str
		str; /* BC_FIELD_STR; absent prints nothing. HASH: 16 bytes, first 4 shown as hex */
	uint64_t u64; /* U64; MS prints as key_ms=N */
	int64_t i64;
};

#define BC_LS(k, cstr)                                                                             \
	((struct bc_log_field){ .key = (k), .type = BC_FIELD_STR, .str = bc_str_of(cstr) })
#define BC_LSTR(k, s) ((struct bc_log_field){ .key = (k), .type = BC_FIELD_STR, .str = (s) })
#define BC_LU(k, n)   ((struct bc_log_field){ .key = (k), .type = BC_FIELD_U64, .u64 = (n) })
#define BC_LI(k, n)   ((struct bc_log_field){ .key = (k), .type = BC_FIELD_I64, .i64 = (n) })
#define BC_LMS(k, n)  ((struct bc_log_field){ .key = (k), .type = BC_FIELD_MS, .u64 = (n) })
#define BC_LHASH(k, h)                                                                             \
	((struct bc_log_field){                                                                    \
		.key = (k), .type = BC_FIELD_HASH, .str = { (const char *)(h), 16 } })

/* Takes effect at once for all threads. */
void bc_log_setup(enum bc_log_level level, bool json);
/* "info", "debug,json", "warning,text". json is left alone when the format is not named. 0 or
 * BC_EINVAL. */
BC_MUST_CHECK int bc_log_parse(struct bc_str text, enum bc_log_level *ret_level, bool *ret_json);
bool bc_log_enabled(enum bc_log_level level);
/* Where lines go; stderr by default. What was gathered goes where it was meant to. For tests. */
void bc_log_to_fd(int fd);

/* Gathers what the calling thread logs, or no longer (and flushes). Who asks for it has to flush
 * before it waits for anything, and before the process ends. */
void bc_log_gather(bool on);
/* Writes what all threads have gathered. Any thread. */
void bc_log_flush(void);

void bc_log_write(enum bc_log_level level, const char *event, const struct bc_log_field *fields,
		  size_t n);

#define bc_log_at(level, event, ...)                                                               \
	do {                                                                                       \
		if (bc_log_enabled(level)) {                                                       \
			const struct bc_log_field bc_fields_[] = { __VA_ARGS__ };                  \
			bc_log_write(level, event, bc_fields_, BC_COUNT(bc_fields_));              \
		}                                                                                  \
	} while (0)
#define bc_log_error(event, ...)   bc_log_at(BC_LOG_ERROR, event, __VA_ARGS__)
#define bc_log_warning(event, ...) bc_log_at(BC_LOG_WARNING, event, __VA_ARGS__)
#define bc_log_info(event, ...)	   bc_log_at(BC_LOG_INFO, event, __VA_ARGS__)
#define bc_log_debug(event, ...)   bc_log_at(BC_LOG_DEBUG, event, __VA_ARGS__)

#endif
