/* SPDX-License-Identifier: MIT */
/*
 * What the outside names a click or a session by, read and refused in one place.
 *
 * click    the value of the click cookie, verbatim: "t.<token>", "p.<product>.<token>" for a
 *          product that is not the first one, or "c.<32 hex>"; without a prefix 32 hex digits are
 *          an id, and anything else of the usual alphabet is a token
 * session  any text of 1 to 256 bytes that can be somebody's session id; "", None, null and
 *          undefined are what frameworks print for "no session yet", and would make all first-time
 *          visitors one
 */
#ifndef BC_CORE_IDENTITY_H
#define BC_CORE_IDENTITY_H

#include "core/shop.h"

/* "p." label "." token, and its NUL. */
enum { BC_CLICK_COOKIE_BYTES = 2 + BC_LABEL_MAX + 1 + BC_TOKEN_MAX + 1 };

enum { BC_CLICK_TEXT_BYTES = 2 + 2 * BC_CLICK_ID_BYTES + 1, BC_SESSION_MAX = 256 };

struct bc_click_name {
	enum { BC_NAMED_NOTHING, BC_NAMED_ID, BC_NAMED_TOKEN } what;
	uint8_t id[BC_CLICK_ID_BYTES];
	/* Both point into the text read. The token has the alphabet of some partner: of which one
	 * it has to have is for the product to say. product absent: it was not named. */
	struct bc_str token, product;
};

/* 0 (an absent text names nothing), or BC_EINVAL. */
BC_MUST_CHECK int bc_click_name_read(struct bc_str text, struct bc_click_name *ret_name,
				     struct bc_err *err);
/* "c.<32 hex>". text: BC_CLICK_TEXT_BYTES. Returns text. */
char *bc_click_id_text(const uint8_t id[BC_CLICK_ID_BYTES], char *text);

/* 0, or BC_EINVAL with a text that says why it cannot be a session. */
BC_MUST_CHECK int bc_session_check(struct bc_str session, struct bc_err *err);
/* Checks, then hashes. 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_session_hash(struct bc_hasher *h, struct bc_str session,
				  uint8_t ret_hash[BC_HASH_BYTES], struct bc_err *err);
/* The hash that stands for a token wherever it is indexed, shown or logged. */
void bc_token_hash(struct bc_hasher *h, struct bc_str token, uint8_t ret_hash[BC_HASH_BYTES]);

/* Is there an ASCII control byte in it? What has one would garble a terminal or a log. */
bool bc_has_control(struct bc_str s);

/* Order ids: 1 to BC_ORDER_ID_MAX bytes without control characters, not only spaces. 0 or
 * BC_EINVAL. */
BC_MUST_CHECK int bc_order_id_check(struct bc_str order, struct bc_err *err);

#endif
