/* SPDX-License-Identifier: MIT */
/* See landing.h. */
#include "core/landing.h"

#include <string.h>

const struct bc_partner *bc_landing_partner(const struct bc_shop_config *config,
					    const struct bc_product *product)
{
	return product ? product->partner : config->partner;
}

/* Of the settings' partner, its parameters and pattern are the settings'; of others, their own. */
static const struct bc_token_pattern *pattern_of(const struct bc_shop_config *config,
						 const struct bc_partner *partner)
{
	return partner == config->partner ? config->pattern : NULL;
}

enum bc_token_kind bc_landing_kind(const struct bc_shop_config *config,
				   const struct bc_partner *partner, struct bc_str token)
{
	return bc_partner_token_kind(partner, token.ptr, token.len, pattern_of(config, partner));
}

static int find_of(const struct bc_shop_config *config, const struct bc_partner *partner,
		   struct bc_str url, char *token)
{
	bool settings = partner == config->partner;
	return bc_partner_find_token(partner, url.ptr, url.len, settings ? config->params : NULL,
				     pattern_of(config, partner), token);
}

static bool is_first_of_its_partner(const struct bc_shop_config *config, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (config->products[i].partner == config->products[at].partner)
			return false;
	}
	return true;
}

static const struct bc_product *product_for(const struct bc_shop_config *config, struct bc_str url,
					    const struct bc_partner *partner)
{
	struct bc_str path;
	bc_url_path(url.ptr, url.len, &path.ptr, &path.len);
	return bc_config_product_of(config, path, partner);
}

/* Goes through the partners of the products, each once. */
static int find_any(const struct bc_shop_config *config, struct bc_str url, char *token,
		    const struct bc_product **ret_product)
{
	int result = 0;
	for (size_t i = 0; i < config->product_count; i++) {
		const struct bc_partner *partner = config->products[i].partner;
		if (!is_first_of_its_partner(config, i))
			continue;
		int found = find_of(config, partner, url, token);
		if (found == 1)
			*ret_product = product_for(config, url, partner);
		if (found == 1 || found == BC_ETOOBIG)
			return found;
		result = result ? result : found;
	}
	return result;
}

int bc_landing_find(const struct bc_shop_config *config, struct bc_str url,
		    const struct bc_product *product, char *token,
		    const struct bc_product **ret_product)
{
	if (!product && config->product_count)
		return find_any(config, url, token, ret_product);
	int result = find_of(config, bc_landing_partner(config, product), url, token);
	if (result == 1)
		*ret_product = product;
	return result;
}
