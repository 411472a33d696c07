/* SPDX-License-Identifier: MIT */
/*
 * JSON as text: laid out and taken apart by its bytes, so that a price keeps the spelling that
 * Commerce gave it. (Parsed and printed again, 19.99 becomes 19.989999999999998.)
 *
 * But for bc_json_is_valid, everything here wants text that is valid, and parts of such.
 */
#ifndef BC_CLI_JSON_TEXT_H
#define BC_CLI_JSON_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"

/* One JSON value, of any type. */
bool bc_json_is_valid(struct bc_str text);

enum bc_json_layout {
	BC_JSON_COMPACT, /* without any blank: one line */
	BC_JSON_PRETTY,	 /* a line a member; what could steer a terminal is escaped */
};
/* depth: how deep the value stands in what is printed around it; its first line is not indented. */
void bc_json_write(struct bc_str value, enum bc_json_layout layout, unsigned depth, FILE *to);

/* The value of the object's first member of that name (spelled without escapes). False: there is
 * none, or it is no object. */
bool bc_json_member(struct bc_str object, const char *name, struct bc_str *ret_value);

/* Goes through an array: rest is the array first, afterwards what is left of it. False at the end,
 * and for what is no array. */
bool bc_json_next(struct bc_str *rest, struct bc_str *ret_element);

#endif
