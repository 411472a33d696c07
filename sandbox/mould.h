/* SPDX-License-Identifier: MIT */
/*
 * A text that is printed many times with other numbers, ids and times in it, each of a fixed width:
 * so a hundred thousand events are one text and a row each. Blanks are written {n}, {event}, {id},
 * {key} and {time} in the texts of a JSON value.
 */
#ifndef BC_SANDBOX_MOULD_H
#define BC_SANDBOX_MOULD_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

enum { MOULD_ID_BYTES = 36, MOULD_NUMBER_MAX = 999999999 };

/* What fills the blanks; one that is NULL stays zeroes. */
struct sandbox_filling {
	uint32_t number;      /* {n}: nine digits */
	const char *event;    /* {event}; MOULD_ID_BYTES long, as are id and key */
	const char *id, *key; /* {id}, {key} */
	const char *time;     /* {time}: "2026-11-22T00:54:31.000Z" */
};

struct sandbox_mould;

/* Counted. NULL without memory, or with too many blanks. */
BC_MUST_CHECK struct sandbox_mould *bc_mould_create(const json_t *json);
struct sandbox_mould *bc_mould_ref(struct sandbox_mould *m);
void bc_mould_unref(struct sandbox_mould *m); /* NULL is fine */

/* Adds the text to out. 0 or an error. */
BC_MUST_CHECK int bc_mould_print(const struct sandbox_mould *m, const struct sandbox_filling *with,
				 struct bc_buf *out);

#endif
