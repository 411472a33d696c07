/* SPDX-License-Identifier: MIT */
/*
 * What never changes in the sandbox's Commerce: its websites, stores and views, its countries and
 * its currency, as the texts that are sent.
 */
#include "sandbox/commerce.h"

#include <string.h>

#define CONFIG(id, code, locale)                                                                   \
	"{\"id\":" id ",\"code\":\"" code "\",\"website_id\":1,\"locale\":\"" locale               \
	"\",\"base_currency_code\":\"EUR\",\"default_display_currency_code\":\"EUR\","             \
	"\"timezone\":\"Europe\\/Berlin\",\"weight_unit\":\"kgs\","                                \
	"\"base_url\":\"https:\\/\\/shop.example\\/\","                                            \
	"\"base_link_url\":\"https:\\/\\/shop.example\\/\","                                       \
	"\"base_static_url\":\"https:\\/\\/shop.example\\/static\\/\","                            \
	"\"base_media_url\":\"https:\\/\\/shop.example\\/media\\/\","                              \
	"\"secure_base_url\":\"https:\\/\\/shop.example\\/\"}"
#define COUNTRY(id, three, local, english)                                                         \
	"{\"id\":\"" id "\",\"two_letter_abbreviation\":\"" id                                     \
	"\",\"three_letter_abbreviation\":\"" three "\",\"full_name_locale\":\"" local             \
	"\",\"full_name_english\":\"" english "\"}"

/* clang-format off */
static const char store_configs[] =
	"[" CONFIG("1", "default", "de_DE")
	"," CONFIG("2", "en", "en_GB")
	"," CONFIG("3", "fr", "fr_FR") "]";

static const char countries[] =
	"[" COUNTRY("AT", "AUT", "\\u00d6sterreich", "Austria")
	"," COUNTRY("CH", "CHE", "Schweiz", "Switzerland")
	"," COUNTRY("DE", "DEU", "Deutschland", "Germany")
	"," COUNTRY("FR", "FRA", "France", "France")
	"," COUNTRY("NL", "NLD", "Nederland", "Netherlands")
	"," COUNTRY("US", "USA", "United States", "United States") "]";
/* clang-format on */

static const char store_views[] =
	"[{\"id\":0,\"code\":\"admin\",\"name\":\"Admin\",\"website_id\":0,\"store_group_id\":0,"
	"\"is_active\":1},"
	"{\"id\":1,\"code\":\"default\",\"name\":\"Default Store View\",\"website_id\":1,"
	"\"store_group_id\":1,\"is_active\":1},"
	"{\"id\":2,\"code\":\"en\",\"name\":\"English\",\"website_id\":1,\"store_group_id\":1,"
	"\"is_active\":1},"
	"{\"id\":3,\"code\":\"fr\",\"name\":\"Fran\\u00e7ais\",\"website_id\":1,"
	"\"store_group_id\":1,\"is_active\":1}]";

static const char store_groups[] =
	"[{\"id\":0,\"website_id\":0,\"root_category_id\":0,\"default_store_id\":0,"
	"\"name\":\"Default\",\"code\":\"default\"},"
	"{\"id\":1,\"website_id\":1,\"root_category_id\":2,\"default_store_id\":1,"
	"\"name\":\"Main Website Store\",\"code\":\"main_website_store\"}]";

static const char websites[] =
	"[{\"id\":0,\"code\":\"admin\",\"name\":\"Admin\",\"default_group_id\":0},"
	"{\"id\":1,\"code\":\"base\",\"name\":\"Main Website\",\"default_group_id\":1}]";

static const char currency[] =
	"{\"base_currency_code\":\"EUR\",\"base_currency_symbol\":\"\\u20ac\","
	"\"default_display_currency_code\":\"EUR\","
	"\"default_display_currency_symbol\":\"\\u20ac\","
	"\"available_currency_codes\":[\"EUR\"],"
	"\"exchange_rates\":[{\"currency_to\":\"EUR\",\"rate\":1}]}";

static const struct {
	const char *resource, *text;
} lists[] = {
	{ "/V1/store/storeConfigs", store_configs }, { "/V1/store/storeViews", store_views },
	{ "/V1/store/storeGroups", store_groups },   { "/V1/store/websites", websites },
	{ "/V1/directory/countries", countries },    { "/V1/directory/currency", currency },
};

void bc_commerce_static(struct sandbox_call *call)
{
	for (size_t i = 0; i < BC_COUNT(lists); i++) {
		if (!bc_str_eq(call->resource, lists[i].resource))
			continue;
		if (bc_commerce_query_fields(call).ptr)
			bc_commerce_answer(call, 200, json_loads(lists[i].text, 0, NULL));
		else
			bc_sandbox_answer(call, 200, COMMERCE_JSON, bc_str_of(lists[i].text));
		return;
	}
	bc_commerce_describe(call, 404, NULL);
}

void bc_commerce_country(struct sandbox_call *call)
{
	struct bc_str wanted = bc_sandbox_part(call, "id");
	json_t *all = json_loads(countries, 0, NULL), *found = NULL, *country;
	size_t i;

	json_array_foreach(all, i, country)
	{
		const char *id = json_string_value(json_object_get(country, "id"));

		if (bc_str_eq(wanted, id))
			found = json_incref(country);
	}
	json_decref(all);
	if (found)
		bc_commerce_answer(call, 200, found);
	else
		bc_commerce_fail(call, 404, "The country isn't available.", NULL);
}
