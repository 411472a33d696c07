/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's Commerce from behind the counter: whom it lets in and how it pages, for tests to
 * look at and to change while a daemon runs, and how often it refused whom.
 */
#include "sandbox/commerce.h"

#include <string.h>

static const char *const token_names[] = {
	[COMMERCE_ISSUED] = "issued",
	[COMMERCE_ANY] = "any",
	[COMMERCE_OPEN] = "none",
};
static const char *const refusal_names[COMMERCE_REFUSALS] = {
	[COMMERCE_MISSING] = "missing", [COMMERCE_UNKNOWN] = "unknown", [COMMERCE_DEAD] = "expired",
	[COMMERCE_API_KEY] = "api_key", [COMMERCE_ORG] = "org",		[COMMERCE_ACL] = "acl",
};

/* ---- the settings, one reader a member ---- */

static bool read_tokens(void *settings, const json_t *value)
{
	struct commerce_settings *s = settings;

	for (size_t i = 0; json_is_string(value) && i < BC_COUNT(token_names); i++)
		if (strcmp(json_string_value(value), token_names[i]) == 0) {
			s->tokens = (enum commerce_tokens)i;
			return true;
		}
	return false;
}

/* NULL stays NULL; anything else has to be a text. */
static bool copy_text(const json_t *value, char **ret_copy)
{
	*ret_copy = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
	return !value || *ret_copy;
}

/* A glob alone, or an object. */
static bool rule_add(struct commerce_settings *s, const json_t *item)
{
	struct commerce_rule *rule = &s->acl[s->acl_count];
	const json_t *path = json_is_string(item) ? item : json_object_get(item, "path");
	bool good;

	if (s->acl_count == COMMERCE_ACL_MAX || !path)
		return false;
	*rule = (struct commerce_rule){ 0 };
	s->acl_count++;
	good = copy_text(path, &rule->path);
	good &= copy_text(json_object_get(item, "method"), &rule->method);
	good &= copy_text(json_object_get(item, "resources"), &rule->resources);
	return good;
}

static bool read_acl(void *settings, const json_t *value)
{
	const json_t *item;
	size_t i;

	bc_commerce_settings_finish(settings);
	json_array_foreach(value, i, item) if (!rule_add(settings, item)) return false;
	return json_is_array(value);
}

static bool read_repeat(void *settings, const json_t *value)
{
	((struct commerce_settings *)settings)->repeat_last_page = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_size(uint64_t *slot, const json_t *value, json_int_t least)
{
	if (!json_is_integer(value) || json_integer_value(value) < least)
		return false;
	*slot = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_page_size(void *settings, const json_t *value)
{
	return read_size(&((struct commerce_settings *)settings)->page_size, value, 1);
}

static bool read_page_size_max(void *settings, const json_t *value)
{
	return read_size(&((struct commerce_settings *)settings)->page_size_max, value, 0);
}

static const struct sandbox_member members[] = {
	{ "tokens", read_tokens,
	  "\"issued\" (by this sandbox), \"any\", or \"none\" if none is needed" },
	{ "acl", read_acl,
	  "a list of up to 32 globs, or of {\"path\":\"/V1/orders*\",\"method\":\"POST\","
	  "\"resources\":\"Magento_Sales::comment\"}" },
	{ "repeat_last_page", read_repeat, "true: a page past the end is the last one again" },
	{ "page_size", read_page_size, "a number from 1: of a page when none is asked for" },
	{ "page_size_max", read_page_size_max, "a number: more is refused; 0 = no limit" },
};

/* ---- routes ---- */

static json_t *acl_json(const struct commerce_settings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->acl_count; i++)
		json_array_append_new(list, json_pack("{ss ss* ss*}", "path", s->acl[i].path,
						      "method", s->acl[i].method, "resources",
						      s->acl[i].resources));
	return list;
}

static json_t *refusals_json(const struct commerce *m)
{
	json_t *object = json_object();

	for (size_t i = 0; i < COMMERCE_REFUSALS; i++)
		json_object_set_new(object, refusal_names[i],
				    json_integer((json_int_t)m->refusals[i]));
	return object;
}

void bc_commerce_show(struct sandbox_call *call)
{
	const struct commerce *m = call->sandbox->commerce;
	const struct commerce_settings *s = &m->settings;

	bc_sandbox_answer_json(
		call, 200,
		json_pack("{ss so sb sI sI so}", "tokens", token_names[s->tokens], "acl",
			  acl_json(s), "repeat_last_page", (int)s->repeat_last_page, "page_size",
			  (json_int_t)s->page_size, "page_size_max", (json_int_t)s->page_size_max,
			  "refusals", refusals_json(m)));
}

static bool settings_copy(const struct commerce_settings *from, struct commerce_settings *ret_to)
{
	json_t *acl = acl_json(from);
	bool good;

	*ret_to = *from;
	ret_to->acl_count = 0;
	good = acl && read_acl(ret_to, acl);
	json_decref(acl);
	if (!good)
		bc_commerce_settings_finish(ret_to);
	return good;
}

/* All or nothing: a copy is read into, and takes the place of what was in force. */
void bc_commerce_set(struct sandbox_call *call)
{
	struct commerce *m = call->sandbox->commerce;
	struct commerce_settings next;

	if (!settings_copy(&m->settings, &next)) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next)) {
		bc_commerce_settings_finish(&next);
		return;
	}
	bc_commerce_settings_finish(&m->settings);
	m->settings = next;
	bc_commerce_show(call);
}

void bc_commerce_clear(struct sandbox_call *call)
{
	bc_commerce_reset(call->sandbox->commerce);
	bc_sandbox_answer_nothing(call);
}
