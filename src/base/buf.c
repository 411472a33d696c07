/* SPDX-License-Identifier: MIT */
/*
 * The growing byte buffer. Invariants: len < cap whenever data is set, data[len] is NUL, len <=
 * max. Memory that is given back is zeroed first, also when the buffer moves while it grows:
 * buffers carry request bodies and those carry keys. That is why growth does not use realloc.
 */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 64 };

void bc_buf_init(struct bc_buf *b, size_t max_bytes)
{
	*b = (struct bc_buf){ .max = max_bytes };
}

static void release(struct bc_buf *b)
{
	if (!b->data)
		return;
	explicit_bzero(b->data, b->cap);
	free(b->data);
}

void bc_buf_finish(struct bc_buf *b)
{
	release(b);
	*b = (struct bc_buf){ 0 };
}

void bc_buf_reset(struct bc_buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* The next capacity that holds want bytes and the NUL: doubled, but no more than max ever needs. */
static size_t next_cap(const struct bc_buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : FIRST_BYTES;

	while (cap <= want)
		cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
	if (b->max < cap - 1)
		cap = b->max + 1;
	return cap;
}

static int reserve(struct bc_buf *b, size_t len)
{
	struct bc_buf grown = *b;

	if (b->len > b->max || len > b->max - b->len || len >= SIZE_MAX - b->len)
		return BC_ETOOBIG;
	if (b->data && b->len + len < b->cap)
		return 0;
	grown.cap = next_cap(b, b->len + len);
	grown.data = malloc(grown.cap);
	if (!grown.data)
		return BC_ENOMEM;
	if (b->len)
		memcpy(grown.data, b->data, b->len);
	grown.data[b->len] = '\0';
	release(b);
	*b = grown;
	return 0;
}

int bc_buf_add(struct bc_buf *b, const void *bytes, size_t len)
{
	int rc;

	if (len == 0)
		return 0;
	rc = reserve(b, len);
	if (rc)
		return rc;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int bc_buf_adds(struct bc_buf *b, const char *s)
{
	return bc_buf_add(b, s, strlen(s));
}

int bc_buf_addv(struct bc_buf *b, const char *fmt, va_list ap)
{
	va_list measure;
	int len;
	int rc;

	va_copy(measure, ap);
	len = vsnprintf(NULL, 0, fmt, measure);
	va_end(measure);
	if (len < 0)
		return errno == EOVERFLOW ? BC_ETOOBIG : BC_ENOMEM;
	if (len == 0)
		return 0;
	rc = reserve(b, (size_t)len);
	if (rc)
		return rc;
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap);
	b->len += (size_t)len;
	return 0;
}

int bc_buf_addf(struct bc_buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = bc_buf_addv(b, fmt, ap);
	va_end(ap);
	return rc;
}

char *bc_buf_room(struct bc_buf *b, size_t len)
{
	if (reserve(b, len))
		return NULL;
	/* The caller writes up to len bytes and moves b->len anywhere within: any stop is a NUL. */
	memset(b->data + b->len, 0, len + 1);
	return b->data + b->len;
}

void bc_buf_drop(struct bc_buf *b, size_t n)
{
	BC_ASSERT(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len);
	b->data[b->len] = '\0';
}

char *bc_buf_take(struct bc_buf *b)
{
	char *bytes;

	if (reserve(b, 0))
		return NULL;
	bytes = bc_take(b->data);
	bc_buf_init(b, b->max);
	return bytes;
}
