/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer with a ceiling. The bytes are always followed by a NUL that is not counted,
 * so data is a C string when no NUL was added. After a failure the buffer is as it was before.
 */
#ifndef BC_BASE_BUF_H
#define BC_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"

struct bc_buf {
	char *data; /* owned; NULL until the first byte */
	size_t len;
	size_t cap;
	size_t max; /* most bytes it may hold; adding beyond is BC_ETOOBIG */
};

void bc_buf_init(struct bc_buf *b, size_t max_bytes);
void bc_buf_finish(struct bc_buf *b); /* frees; zeroes the bytes first; usable after init only */
void bc_buf_reset(struct bc_buf *b);  /* len = 0, keeps the memory */

/* 0, BC_ENOMEM or BC_ETOOBIG. */
BC_MUST_CHECK int bc_buf_add(struct bc_buf *b, const void *bytes, size_t len);
BC_MUST_CHECK int bc_buf_adds(struct bc_buf *b, const char *s);
BC_MUST_CHECK int bc_buf_addf(struct bc_buf *b, const char *fmt, ...) BC_PRINTF(2, 3);
BC_MUST_CHECK int bc_buf_addv(struct bc_buf *b, const char *fmt, va_list ap) BC_PRINTF(2, 0);
/* Makes room for len more bytes and returns where they go; the caller adds to b->len itself. */
BC_MUST_CHECK char *bc_buf_room(struct bc_buf *b, size_t len);
/* Drops the first n bytes. */
void bc_buf_drop(struct bc_buf *b, size_t n);
/* Hands over the bytes (never NULL on success; free() them); the buffer is empty after. NULL: no
 * memory. */
BC_MUST_CHECK char *bc_buf_take(struct bc_buf *b);

#endif
