/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's Sovendus from behind the counter: its products, the tokens it knows and its books,
 * for tests to look at and to change while the daemon runs (a key is renewed, a product vanishes).
 */
#include "sandbox/sovendus.h"

#include <string.h>

/* Every token that begins so is unknown from the start: no set-up for the common case. */
static const char always_unknown[] = "unknown*";

static void globs_clear(struct sovendus_globs *g)
{
	while (g->count > 0)
		free(g->text[--g->count]);
}

static bool globs_add(struct sovendus_globs *g, const char *text)
{
	char *copy = g->count < SOVENDUS_GLOBS_MAX ? strdup(text) : NULL;

	if (copy)
		g->text[g->count++] = copy;
	return copy != NULL;
}

static bool globs_fit(const struct sovendus_globs *g, struct bc_str token)
{
	for (size_t i = 0; i < g->count; i++)
		if (bc_glob_match(g->text[i], token))
			return true;
	return false;
}

static void products_clear(struct sovendus_products *list)
{
	while (list->count > 0) {
		struct sovendus_product *p = &list->row[--list->count];

		free(p->id);
		bc_secret_unref(p->key);
	}
}

/* One more row; takes the key, whatever the result. */
static bool products_add(struct sovendus_products *list, const char *id, struct bc_secret *key)
{
	struct sovendus_product p = { .id = id ? strdup(id) : NULL, .key = key };

	if (list->count == SOVENDUS_PRODUCTS_MAX || (id && !p.id)) {
		free(p.id);
		bc_secret_unref(key);
		return false;
	}
	list->row[list->count++] = p;
	return true;
}

static bool products_reset(struct sovendus *v)
{
	products_clear(&v->products);
	return products_add(&v->products, v->start_id,
			    v->start_key ? bc_secret_ref(v->start_key) : NULL);
}

static bool tokens_reset(struct sovendus *v)
{
	globs_clear(&v->unknown);
	globs_clear(&v->known);
	return globs_add(&v->unknown, always_unknown);
}

struct sovendus *bc_sovendus_create(const char *product_id, struct bc_secret *api_key)
{
	struct sovendus *v = calloc(1, sizeof(*v));
	bool named = product_id && *product_id;

	if (!v)
		return NULL;
	v->counts = bc_counts_create();
	v->start_id = named ? strdup(product_id) : NULL;
	v->start_key = api_key ? bc_secret_ref(api_key) : NULL;
	if (v->counts && (!named || v->start_id) && products_reset(v) && tokens_reset(v))
		return v;
	bc_sovendus_destroy(v);
	return NULL;
}

void bc_sovendus_destroy(struct sovendus *v)
{
	if (!v)
		return;
	products_clear(&v->products);
	globs_clear(&v->unknown);
	globs_clear(&v->known);
	bc_counts_destroy(v->counts);
	free(v->start_id);
	bc_secret_unref(v->start_key);
	free(v);
}

bool bc_sovendus_reset(struct sovendus *v)
{
	bc_counts_clear(v->counts);
	return products_reset(v) && tokens_reset(v);
}

const struct sovendus_product *bc_sovendus_product(const struct sovendus *v, struct bc_str id)
{
	for (size_t i = 0; i < v->products.count; i++) {
		const struct sovendus_product *p = &v->products.row[i];

		if (!p->id || bc_str_eq(id, p->id))
			return p;
	}
	return NULL;
}

bool bc_sovendus_key_fits(const struct sovendus_product *p, struct bc_str key)
{
	return !p->key || bc_secret_equals(p->key, key.ptr, key.len);
}

bool bc_sovendus_token_known(const struct sovendus *v, struct bc_str token)
{
	return !globs_fit(&v->unknown, token) &&
	       (v->known.count == 0 || globs_fit(&v->known, token));
}

void bc_sovendus_counts(struct sandbox_call *call)
{
	struct bc_str token = { 0 };

	bc_sandbox_query(call, "token", &token);
	bc_sandbox_answer_json(call, 200, bc_counts_json(call->sandbox->sovendus->counts, token));
}

void bc_sovendus_counts_clear(struct sandbox_call *call)
{
	bc_counts_clear(call->sandbox->sovendus->counts);
	bc_sandbox_answer(call, 204, NULL, BC_STR(""));
}

static json_t *globs_json(const struct sovendus_globs *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->count; i++)
		json_array_append_new(list, json_string(g->text[i]));
	return list;
}

void bc_sovendus_tokens(struct sandbox_call *call)
{
	const struct sovendus *v = call->sandbox->sovendus;

	bc_sandbox_answer_json(call, 200,
			       json_pack("{soso}", "unknown", globs_json(&v->unknown), "known",
					 globs_json(&v->known)));
}

static bool globs_read(const json_t *list, struct sovendus_globs *g)
{
	const json_t *item;
	size_t i;

	if (list && !json_is_array(list))
		return false;
	json_array_foreach(list, i, item) if (!json_is_string(item) ||
					      !globs_add(g, json_string_value(item))) return false;
	return true;
}

void bc_sovendus_tokens_set(struct sandbox_call *call)
{
	struct sovendus *v = call->sandbox->sovendus;
	struct sovendus_globs unknown = { 0 }, known = { 0 };
	json_t *object = bc_sandbox_read_object(call);

	if (!object)
		return;
	if (globs_read(json_object_get(object, "unknown"), &unknown) &&
	    globs_read(json_object_get(object, "known"), &known)) {
		globs_clear(&v->unknown);
		globs_clear(&v->known);
		v->unknown = unknown;
		v->known = known;
		bc_sovendus_tokens(call);
	} else {
		globs_clear(&unknown);
		globs_clear(&known);
		bc_sandbox_answer_message(call, 400,
					  "\"unknown\" and \"known\" are lists of up to "
					  "64 texts",
					  "send {\"unknown\":[\"lost-*\"]}");
	}
	json_decref(object);
}

static void answer_done(struct sandbox_call *call, bool done)
{
	if (done)
		bc_sandbox_answer(call, 204, NULL, BC_STR(""));
	else
		bc_sandbox_answer_json(call, 500, NULL);
}

void bc_sovendus_tokens_clear(struct sandbox_call *call)
{
	answer_done(call, tokens_reset(call->sandbox->sovendus));
}

void bc_sovendus_products(struct sandbox_call *call)
{
	const struct sovendus_products *list = &call->sandbox->sovendus->products;
	json_t *rows = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(rows, json_pack("{ss?ss}", "id", list->row[i].id, "key",
						      list->row[i].key ? "set" : "any"));
	bc_sandbox_answer_json(call, 200, json_pack("{so}", "products", rows));
}

/* {"id":"...","key":"..."}; without a key any will do. */
static bool product_read(const json_t *item, struct sovendus_products *list)
{
	const json_t *id = json_object_get(item, "id"), *key = json_object_get(item, "key");
	struct bc_secret *secret = NULL;

	if (json_string_length(id) == 0 || (key && json_string_length(key) == 0))
		return false;
	if (key) {
		secret = bc_secret_create(json_string_value(key), json_string_length(key));
		if (!secret)
			return false;
	}
	return products_add(list, json_string_value(id), secret);
}

static bool products_read(const json_t *items, struct sovendus_products *list)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(items))
		return false;
	json_array_foreach(items, i, item) if (!product_read(item, list)) return false;
	return true;
}

void bc_sovendus_products_set(struct sandbox_call *call)
{
	struct sovendus_products list = { .count = 0 };
	json_t *object = bc_sandbox_read_object(call);

	if (!object)
		return;
	if (products_read(json_object_get(object, "products"), &list)) {
		products_clear(&call->sandbox->sovendus->products);
		call->sandbox->sovendus->products = list;
		bc_sovendus_products(call);
	} else {
		products_clear(&list);
		bc_sandbox_answer_message(
			call, 400, "\"products\" is no list of up to 64 products",
			"send {\"products\":[{\"id\":\"...\",\"key\":\"...\"}]}; without a key any "
			"will do");
	}
	json_decref(object);
}

void bc_sovendus_products_clear(struct sandbox_call *call)
{
	answer_done(call, products_reset(call->sandbox->sovendus));
}
