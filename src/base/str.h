/* SPDX-License-Identifier: MIT */
/*
 * Small text work: borrowed slices, numbers and units, hex and percent encoding, word lists.
 * ASCII only where it speaks of case; nothing here depends on the locale.
 */
#ifndef BC_BASE_STR_H
#define BC_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

/* A borrowed run of bytes; not NUL-terminated. ptr NULL = absent (differs from empty). */
struct bc_str {
	const char *ptr;
	size_t len;
};

#define BC_STR(literal) ((struct bc_str){ (literal), sizeof(literal) - 1 })
struct bc_str bc_str_of(const char *cstr); /* NULL gives an absent slice */
bool bc_str_eq(struct bc_str a, const char *b);
bool bc_str_ieq(struct bc_str a, const char *b); /* ASCII case folded */
bool bc_str_starts(struct bc_str s, const char *prefix);
struct bc_str bc_str_trim(struct bc_str s); /* spaces and tabs at both ends */
/* Case-insensitive substring; true for an empty needle. */
bool bc_str_icontains(struct bc_str haystack, const char *needle);
/* A heap copy with NUL, or NULL without memory. */
BC_MUST_CHECK char *bc_str_dup(struct bc_str s);
/* Copies into dst (always terminated); BC_ETOOBIG when it does not fit, dst is "" then. */
BC_MUST_CHECK int bc_str_copy(char *dst, size_t dst_bytes, struct bc_str s);
/* Splits at the first sep: returns the part before it and moves *rest behind it (absent at the
 * end). */
struct bc_str bc_str_split(struct bc_str *rest, char sep);

/* Whole text must be a decimal number within [0, UINT64_MAX]; 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_parse_u64(struct bc_str s, uint64_t *ret_value);
/* "250ms", "5s", "15m", "24h", "30d"; a bare number is refused (except "0"). 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_parse_duration_ms(struct bc_str s, uint64_t *ret_ms);
/* "64KiB", "10MiB", "512" (bytes), "1GiB"; also KB MB GB as powers of 1000. 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_parse_bytes(struct bc_str s, uint64_t *ret_bytes);
/* The shortest exact spelling that bc_parse_duration_ms reads back ("24h", "90s", "1500ms").
 * text: at least 24 bytes. Returns text. */
char *bc_format_duration(uint64_t ms, char *text, size_t text_bytes);
/* For people, rounded down: "250 ms", "3 s", "4 min", "2 h 10 min", "6 days". Returns text. */
char *bc_format_span(uint64_t ms, char *text, size_t text_bytes);
/* The spelling with the largest unit that bc_parse_bytes reads back ("64KiB", "10MB", "1500").
 * text: at least 24 bytes. Returns text. */
char *bc_format_bytes(uint64_t bytes, char *text, size_t text_bytes);

/* Text for people, cut where it does not fit (text_bytes is at least 1). Returns text. */
char *bc_format(char *text, size_t text_bytes, const char *fmt, ...) BC_PRINTF(3, 4);
char *bc_formatv(char *text, size_t text_bytes, const char *fmt, va_list ap) BC_PRINTF(3, 0);

void bc_hex(const uint8_t *bytes, size_t len, char *ret_text); /* 2*len + 1 chars, lower case */
/* Exactly 2*len hex digits (either case), else BC_EINVAL. */
BC_MUST_CHECK int bc_unhex(struct bc_str text, uint8_t *ret_bytes, size_t len);
/* RFC 3986 percent-encoding of everything but unreserved characters. */
BC_MUST_CHECK int bc_percent_encode(struct bc_buf *out, struct bc_str s);
/* The standard alphabet, padded. */
BC_MUST_CHECK int bc_base64_encode(struct bc_buf *out, struct bc_str bytes);
/* Decodes %XX; with plus_is_space also '+'. A broken escape is kept as it stands (WHATWG). */
BC_MUST_CHECK int bc_percent_decode(struct bc_buf *out, struct bc_str s, bool plus_is_space);

#endif
