/* SPDX-License-Identifier: MIT */
/*
 * Whose token it is: partners differ in the parameter that brings a token, in its alphabet, and in
 * what counts as a test. A token that a URL brought belongs to the partner whose parameter it stood
 * in; a token that comes alone belongs to the product it was named with, else to the first one.
 */
#ifndef BC_CORE_LANDING_H
#define BC_CORE_LANDING_H

#include "core/shop.h"

/* The kind of a token at that partner, by the rules in force. */
enum bc_token_kind bc_landing_kind(const struct bc_shop_config *config,
				   const struct bc_partner *partner, struct bc_str token);

/*
 * Finds the token of a landing and the product it belongs to.
 * product      asked for by name: only its partner's parameters count; NULL: those of all products,
 *              in the order of the settings. Of the partner's products the one with the longest
 *              landing prefix, else the first
 * token        BC_TOKEN_MAX + 1 bytes; untouched unless the result is 1
 * ret_product  NULL when there is no product at all
 * result       as bc_url_token
 */
BC_MUST_CHECK int bc_landing_find(const struct bc_shop_config *config, struct bc_str url,
				  const struct bc_product *product, char *token,
				  const struct bc_product **ret_product);

/* The partner of a product; without one, whose tokens are kept all the same. */
const struct bc_partner *bc_landing_partner(const struct bc_shop_config *config,
					    const struct bc_product *product);

#endif
