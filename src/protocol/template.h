/* SPDX-License-Identifier: MIT */
/*
 * Templates of a partner definition: text with {name} in it, where a name is lower-case letters.
 * Each value passes through the encoder of the place it goes to; the template's own text does not.
 */
#ifndef BC_PROTOCOL_TEMPLATE_H
#define BC_PROTOCOL_TEMPLATE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct bc_template_value {
	const char *name;
	const char *value; /* NULL or "" is refused where the template asks for it */
};

/* Appends the encoded text. 0, BC_EINVAL (not encodable), BC_ENOMEM or BC_ETOOBIG. */
typedef int bc_template_encoder(struct bc_buf *out, struct bc_str value);

/*
 * Appends text to out with each {name} replaced.
 * values   ended by a NULL name
 * result   0; BC_EINVAL: text names what values has not, or a value is empty or not encodable;
 *          BC_ENOMEM; BC_ETOOBIG: out's ceiling. err names the placeholder, never its value.
 */
BC_MUST_CHECK int bc_template_expand(struct bc_buf *out, const char *text,
				     const struct bc_template_value *values,
				     bc_template_encoder *encode, struct bc_err *err);

/* The inside of a JSON string; everything but '"', '\' and controls stays as it is. Wants UTF-8. */
BC_MUST_CHECK int bc_json_escape(struct bc_buf *out, struct bc_str text);

#endif
