/* SPDX-License-Identifier: MIT */
/*
 * The catalogue that the sandbox's Commerce starts with: 250 products, the same on every start.
 * Some SKUs are those that clients trip over (slashes, blanks, umlauts, percent signs), and three
 * stand in the sample orders.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

/* The first product was made then: 2026-01-05 08:00:00 UTC. */
static const uint64_t first_ms = 1767600000000;

static const struct {
	const char *sku, *name;
	unsigned cents;
} named[] = {
	{ "MUG-BLUE", "Blue mug", 4990 },
	{ "TEE-M", "T-shirt (M)", 3000 },
	{ "HOODIE-L", "Hoodie (L)", 6000 },
	{ "CABLE/USB-C/2m", "USB-C cable, 2 m", 1290 },
	{ "BÜRO/STUHL 01", "Bürostuhl „Köln“", 24900 },
	{ "Größe XL", "Regenjacke (XL)", 8950 },
	{ "100%-COTTON", "Socks, 100% cotton", 790 },
	{ "SALT & PEPPER", "Salt & pepper mills", 3450 },
	{ "A+B", "Set of A and B", 1999 },
	{ "WHAT?#1", "Surprise box", 2500 },
	{ "TABLE;ROUND,OAK", "Round table, oak", 39900 },
	{ "日本-茶", "Sencha 100 g", 1450 },
};

static const char *const adjectives[] = {
	"Blue",	 "Red",	  "Green", "Black",  "White", "Small", "Large", "Soft",
	"Heavy", "Light", "Round", "Square", "Warm",  "Cool",  "Plain", "Striped",
};
static const char *const nouns[] = {
	"mug",	"shirt",  "lamp",  "chair",  "table", "pillow", "blanket", "bottle",
	"bowl", "basket", "clock", "mirror", "shelf", "vase",	"candle",  "towel",
};

unsigned bc_commerce_cents(size_t number)
{
	if (number < BC_COUNT(named))
		return named[number].cents;
	return 490 + (unsigned)(number * 7919 % 19500);
}

static json_t *attribute(const char *code, const char *value)
{
	return json_pack("{ssss}", "attribute_code", code, "value", value);
}

static json_t *attributes_of(size_t number, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "product-%03zu", number + 1);
	return json_pack("[o, o, o, o]", attribute("url_key", key), attribute("description", name),
			 attribute("tax_class_id", "2"),
			 attribute("color", adjectives[number % BC_COUNT(adjectives)]));
}

json_t *bc_commerce_product_new(size_t number, const char *sku, const char *name, unsigned cents,
				const char *time)
{
	char category[16];

	snprintf(category, sizeof(category), "%zu", 3 + number % 5);
	return json_pack("{sI ss ss si so si si ss ss ss sf s{s[i] s[{si ss}]} s[] s[] s[] s[] so}",
			 "id", (json_int_t)number + 1, "sku", sku, "name", name, "attribute_set_id",
			 4, "price", bc_commerce_money(cents), "status", number % 25 == 24 ? 2 : 1,
			 "visibility", 4, "type_id", "simple", "created_at", time, "updated_at",
			 time, "weight", 0.2 + (double)(number % 40) / 10, "extension_attributes",
			 "website_ids", 1, "category_links", "position", 0, "category_id", category,
			 "product_links", "options", "media_gallery_entries", "tier_prices",
			 "custom_attributes", attributes_of(number, name));
}

static bool make_one(struct commerce_list *list, size_t number)
{
	char sku[32], name[64], time[COMMERCE_TIME_BYTES];
	const char *the_sku = sku, *the_name = name;
	size_t i = number;

	snprintf(sku, sizeof(sku), "BC-%04zu", number + 1);
	snprintf(name, sizeof(name), "%s %s", adjectives[i % BC_COUNT(adjectives)],
		 nouns[i / BC_COUNT(adjectives) % BC_COUNT(nouns)]);
	if (number < BC_COUNT(named)) {
		the_sku = named[number].sku;
		the_name = named[number].name;
	}
	bc_commerce_time(first_ms + number * 7 * HOUR_MS, time);
	return bc_commerce_add(list, bc_str_of(the_sku),
			       bc_commerce_product_new(number, the_sku, the_name,
						       bc_commerce_cents(number), time)) != NULL;
}

bool bc_commerce_make_products(struct commerce_list *list)
{
	for (size_t i = 0; i < COMMERCE_PRODUCTS; i++)
		if (!make_one(list, i))
			return false;
	return true;
}
