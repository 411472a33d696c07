/* SPDX-License-Identifier: MIT */
/*
 * Templates of a partner definition: text with {name} in it, where a name is lower-case letters.
 * Each value passes through the encoder of the place it goes to; the template's own text does not.
 * In pairs, {name?} is a value that may be missing.
 */
#ifndef BC_PROTOCOL_TEMPLATE_H
#define BC_PROTOCOL_TEMPLATE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct bc_template_value {
	const char *name;
	const char *value; /* NULL or "" is refused where the template asks for it */
	bool of_order;	   /* then with BC_ENOENT */
};

/* What one placeholder is called, and whether it may be missing. */
struct bc_template_name {
	struct bc_str name;
	bool optional;
};
/* Finds the next placeholder in *text and moves *text behind it; false: there is none. A brace that
 * opens no {name} is text. */
bool bc_template_next(const char **text, struct bc_template_name *ret);

/* Appends the encoded text. 0, BC_EINVAL (not encodable), BC_ENOMEM or BC_ETOOBIG. */
typedef int bc_template_encoder(struct bc_buf *out, struct bc_str value);

/*
 * Appends text to out with each {name} replaced.
 * values   ended by a NULL name
 * result   0; BC_EINVAL: text names what values has not, or a value is empty or not encodable;
 *          BC_ENOENT: that one is of the order (of_order); BC_ENOMEM; BC_ETOOBIG: out's ceiling.
 *          err names the placeholder, never its value.
 */
BC_MUST_CHECK int bc_template_expand(struct bc_buf *out, const char *text,
				     const struct bc_template_value *values,
				     bc_template_encoder *encode, struct bc_err *err);

/* The same for "name=template" pairs parted by '&': percent-encoded, and without those whose
 * {name?} has no value. */
BC_MUST_CHECK int bc_template_expand_pairs(struct bc_buf *out, const char *text,
					   const struct bc_template_value *values,
					   struct bc_err *err);

/* For a header's value: printable ASCII as it is; anything else is BC_EINVAL. */
BC_MUST_CHECK int bc_header_plain(struct bc_buf *out, struct bc_str text);

/* The inside of a JSON string; everything but '"', '\' and controls stays as it is. Wants UTF-8. */
BC_MUST_CHECK int bc_json_escape(struct bc_buf *out, struct bc_str text);

#endif
