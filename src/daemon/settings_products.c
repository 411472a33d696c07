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
				 .allowed = "`sovendus`",
				 .help = "Who gets the token back." },
	[BC_PRODUCT_ID] = { .name = "id",
			    .type = &bc_setting_text,
			    PART(id),
			    .max = 128,
			    .check = bc_setting_check_product_id,
			    .allowed = "letters, digits, `.`, `_`, `-`",
			    .help = "Product ID of this campaign. Required." },
	[BC_PRODUCT_KEY] = { .name = "key",
			     .type = &bc_setting_secret,
			     PART(key),
			     .flags = BC_SETTING_KEY,
			     .help = "API key of this campaign. Required." },
	[BC_PRODUCT_LANDING] = { .name = "landing",
				 .type = &bc_setting_text,
				 PART(landing),
				 .check = bc_setting_check_landing,
				 .allowed = "a path such as `/shoes/`",
				 .help = "Clicks whose landing path starts with this belong to "
					 "this "
					 "product; the longest prefix wins. Without it the product "
					 "is "
					 "chosen only by name, in a request's `product`." },
};
