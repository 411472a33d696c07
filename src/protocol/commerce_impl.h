/* SPDX-License-Identifier: MIT */
/*
 * What the files behind <backchannel/commerce.h> share: base URLs, and which texts may stand in a
 * URL. Nobody else includes this.
 */
#ifndef BC_PROTOCOL_COMMERCE_IMPL_H
#define BC_PROTOCOL_COMMERCE_IMPL_H

#include <backchannel/commerce.h>

#include "base/str.h"

/* Both borrowed from the URL that was read. */
struct bc_commerce_base {
	struct bc_str text; /* all of it, without trailing slashes */
	struct bc_str host; /* without port; an IPv6 address without its brackets */
};

/* 0 or BC_EINVAL, with a text that shows no user information. */
BC_MUST_CHECK int bc_commerce_base_parse(const char *base_url, struct bc_commerce_base *ret_base,
					 struct bc_err *err);

enum bc_commerce_place { BC_COMMERCE_IN_PATH, BC_COMMERCE_IN_QUERY };

/* How many leading bytes of s may stand there as they are: s.len when all may. In a path an escape
 * must be whole; in a query a lone '%' stands for itself, as PHP reads it. */
size_t bc_commerce_url_bytes(struct bc_str s, enum bc_commerce_place place);

/*
 * Does text, percent-decoded `decodings` times, have no control byte and no dot segment? Both
 * slashes part segments there, also those that had been encoded, and a ';' ends a segment's name:
 * some server on the way takes each of them so.
 */
bool bc_commerce_is_tame(struct bc_str text, unsigned decodings);

/* A proxy decodes, and then the application: what is tame after two decodings is so after fewer. */
enum { BC_COMMERCE_DECODINGS = 2 };

#endif
