/* SPDX-License-Identifier: MIT */
/* The settings of a product: the rows of a [product LABEL] section. See settings_table.c. */
#include "daemon/settings_parts.h"

#include <stddef.h>

#define PART(member) .offset = offsetof(struct bc_settings_product, member)

const struct bc_setting_row bc_product_rows[BC_PRODUCT_ROWS] = {
	[BC_PRODUCT_PARTNER] = { .name = "partner",
				 .type = &bc_setting_text,
				 PART(partner),
				 .def = "sovendus",
				 .check = bc_setting_check_partner,
				 .allowed = "a name that `backchannel partners` lists",
				 .help = "Who gets the token back: `sovendus`, `awin`, `impact`, "
					 "`tune`, or a definition of your own; see "
					 "[partners](partners.md)." },
	[BC_PRODUCT_ID] = { .name = "id",
			    .type = &bc_setting_text,
			    PART(id),
			    .max = 128,
			    .check = bc_setting_check_partner_id,
			    .allowed = "letters, digits, `.`, `_`, `-`; parts parted by `:` "
				       "where the partner has several",
			    .help = "Product ID of this campaign. Required." },
	[BC_PRODUCT_KEY] = { .name = "key",
			     .type = &bc_setting_secret,
			     PART(key),
			     .flags = BC_SETTING_KEY,
			     .help = "API key of this campaign. Required where the partner asks "
				     "for one." },
	[BC_PRODUCT_LANDING] = { .name = "landing",
				 .type = &bc_setting_text,
				 PART(landing),
				 .check = bc_setting_check_landing,
				 .allowed = "a path such as `/shoes/`",
				 .help = "Clicks whose landing path starts with this belong to "
					 "this product; of the products of the token's partner, "
					 "the longest prefix wins, else the first one. The first "
					 "product of all, `default` if there is one, also takes "
					 "orders that name neither click nor product." },
	[BC_PRODUCT_BASE_URL] = { .name = "base_url",
				  .type = &bc_setting_text,
				  PART(base_url),
				  .def_docs = "the partner's own; of `sovendus`, "
					      "`sovendus.base_url`",
				  .check = bc_setting_check_base_url,
				  .allowed = "an https URL without query or user; http only on "
					     "loopback",
				  .help = "Where this product's tokens are handed back. Required "
					  "where the partner has an address for each customer, as "
					  "`tune` has." },
};
