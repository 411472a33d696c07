/* SPDX-License-Identifier: MIT */
/*
 * The sandbox's IMS from behind the counter: its credential and secrets, how it makes tokens, and
 * its books, for tests to look at and to change while a daemon runs (a secret is rotated, every
 * token dies at once). Secrets are shown by their fingerprints.
 */
#include <string.h>

#include "sandbox/ims.h"

/* ---- the settings, one reader a member ---- */

static bool read_text(char **slot, const json_t *value)
{
	char *copy = NULL;

	if (!json_is_null(value)) {
		copy = json_string_length(value) ? strdup(json_string_value(value)) : NULL;
		if (!copy)
			return false;
	}
	free(*slot);
	*slot = copy;
	return true;
}

static bool read_client_id(void *settings, const json_t *value)
{
	struct ims_settings *s = settings;

	return read_text(&s->client_id, value);
}

static bool read_org_id(void *settings, const json_t *value)
{
	struct ims_settings *s = settings;

	return read_text(&s->org_id, value);
}

static bool secret_add(struct ims_settings *s, const json_t *value)
{
	struct bc_secret *secret = NULL;

	if (s->secret_count < IMS_SECRETS_MAX && json_string_length(value))
		secret = bc_secret_create(json_string_value(value), json_string_length(value));
	if (!secret)
		return false;
	s->secrets[s->secret_count++] = secret;
	s->any_secret = false;
	return true;
}

static bool read_secrets(void *settings, const json_t *value)
{
	struct ims_settings *s = settings;
	const json_t *item;
	size_t i;

	s->any_secret = json_is_null(value);
	if (!json_is_null(value) && !json_is_array(value))
		return false;
	while (s->secret_count > 0)
		bc_secret_unref(s->secrets[--s->secret_count]);
	json_array_foreach(value, i, item) if (!secret_add(s, item)) return false;
	return true;
}

static bool read_scopes(void *settings, const json_t *value)
{
	struct ims_scopes *s = &((struct ims_settings *)settings)->scopes;
	const json_t *item;
	size_t i;

	s->any = json_is_null(value);
	if ((!s->any && !json_is_array(value)) || json_array_size(value) > IMS_SCOPES_MAX)
		return false;
	bc_ims_scopes_finish(s);
	json_array_foreach(value, i, item)
	{
		s->name[s->count] =
			json_string_length(item) ? strdup(json_string_value(item)) : NULL;
		if (!s->name[s->count])
			return false;
		s->count++;
	}
	return true;
}

static bool read_lifetime(void *settings, const json_t *value)
{
	struct ims_settings *s = settings;

	return json_is_string(value) &&
	       bc_parse_duration_ms(bc_str_of(json_string_value(value)), &s->life_ms) == 0;
}

static bool read_expiry(void *settings, const json_t *value)
{
	struct ims_settings *s = settings;

	return json_is_string(value) && bc_ims_expiry_find(json_string_value(value), &s->expiry);
}

static bool read_opaque(void *settings, const json_t *value)
{
	((struct ims_settings *)settings)->opaque = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_granted(void *settings, const json_t *value)
{
	((struct ims_settings *)settings)->granted = json_is_true(value);
	return json_is_boolean(value);
}

static const struct sandbox_member members[] = {
	{ "client_id", read_client_id, "a text, or null for any" },
	{ "org_id", read_org_id, "a text, or null for any" },
	{ "secrets", read_secrets, "a list of up to two texts, or null for any" },
	{ "scopes", read_scopes, "a list of up to 64 texts, or null for any" },
	{ "lifetime", read_lifetime, "a duration, \"1500ms\", \"2s\", \"24h\"" },
	{ "expires_in", read_expiry,
	  "one of seconds, milliseconds, string, absent, null, 0, negative, text, absurd" },
	{ "opaque", read_opaque, "true: tokens are no JWT" },
	{ "granted", read_granted, "false: the client may not use this grant" },
};

/* ---- showing ---- */

static json_t *secrets_json(const struct ims_settings *s)
{
	json_t *list = s->any_secret ? json_null() : json_array();

	for (size_t i = 0; i < s->secret_count; i++) {
		char fingerprint[BC_FINGERPRINT_BYTES];

		bc_secret_fingerprint(s->secrets[i], fingerprint);
		json_array_append_new(list, json_string(fingerprint));
	}
	return list;
}

static json_t *scopes_json(const struct ims_scopes *s)
{
	json_t *list = s->any ? json_null() : json_array();

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, json_string(s->name[i]));
	return list;
}

void bc_ims_show(struct sandbox_call *call)
{
	const struct ims_settings *s = &call->sandbox->ims->now;
	char life[32];

	bc_format_duration(s->life_ms, life, sizeof(life));
	bc_sandbox_answer_json(call, 200,
			       json_pack("{ss? ss? so so ss ss sb sb}", "client_id", s->client_id,
					 "org_id", s->org_id, "secrets", secrets_json(s), "scopes",
					 scopes_json(&s->scopes), "lifetime", life, "expires_in",
					 bc_ims_expiry_name(s->expiry), "opaque", (int)s->opaque,
					 "granted", (int)s->granted));
}

/* ---- changing ---- */

/* All or nothing: a copy is read into, and takes the place of what was in force. */
void bc_ims_set(struct sandbox_call *call)
{
	struct ims *m = call->sandbox->ims;
	struct ims_settings next;

	if (!bc_ims_settings_copy(&m->now, &next)) {
		bc_sandbox_answer_json(call, 500, NULL);
		return;
	}
	if (!bc_sandbox_read_settings(call, members, BC_COUNT(members), &next)) {
		bc_ims_settings_finish(&next);
		return;
	}
	bc_ims_settings_finish(&m->now);
	m->now = next;
	bc_ims_show(call);
}

void bc_ims_clear(struct sandbox_call *call)
{
	if (bc_ims_reset(call->sandbox->ims))
		bc_sandbox_answer_nothing(call);
	else
		bc_sandbox_answer_json(call, 500, NULL);
}

void bc_ims_secrets_add(struct sandbox_call *call)
{
	struct ims_settings *s = &call->sandbox->ims->now;
	json_t *object = bc_sandbox_read_object(call);

	if (!object)
		return;
	if (s->secret_count == IMS_SECRETS_MAX)
		bc_sandbox_answer_message(call, 409, "the credential has two secrets already",
					  "delete one first: DELETE .../secrets/FINGERPRINT");
	else if (secret_add(s, json_object_get(object, "secret")))
		bc_ims_show(call);
	else
		bc_sandbox_answer_message(call, 400, "\"secret\" is missing or no text",
					  "send {\"secret\":\"...\"}");
	json_decref(object);
}

void bc_ims_secrets_delete(struct sandbox_call *call)
{
	struct ims_settings *s = &call->sandbox->ims->now;
	struct bc_str wanted = bc_sandbox_part(call, "fingerprint");

	for (size_t i = 0; i < s->secret_count; i++) {
		char fingerprint[BC_FINGERPRINT_BYTES];

		bc_secret_fingerprint(s->secrets[i], fingerprint);
		if (!bc_str_eq(wanted, fingerprint))
			continue;
		bc_secret_unref(s->secrets[i]);
		s->secrets[i] = s->secrets[--s->secret_count];
		bc_sandbox_answer_nothing(call);
		return;
	}
	bc_sandbox_answer_message(call, 404, "the credential has no such secret",
				  "GET /_sandbox/ims shows the fingerprints");
}

static void expire_one(struct sandbox_call *call)
{
	json_t *object = bc_sandbox_read_object(call);
	const json_t *token = json_object_get(object, "token");
	struct bc_str text = { json_string_value(token), json_string_length(token) };

	if (object && !text.ptr)
		bc_sandbox_answer_message(call, 400, "\"token\" is missing or no text",
					  "send {\"token\":\"...\"}, or nothing for all");
	else if (object && !bc_ims_token_kill(call->sandbox->ims, text))
		bc_sandbox_answer_message(call, 404, "no such token was issued", NULL);
	else if (object)
		bc_sandbox_answer_nothing(call);
	json_decref(object);
}

void bc_ims_expire(struct sandbox_call *call)
{
	if (call->req->body.len > 0) {
		expire_one(call);
		return;
	}
	bc_ims_tokens_kill(call->sandbox->ims);
	bc_sandbox_answer_nothing(call);
}

/* ---- the books ---- */

static const char *const result_names[IMS_RESULTS] = {
	[IMS_ISSUED] = "issued",
	[IMS_BAD_GRANT_TYPE] = "bad_grant_type",
	[IMS_BAD_CLIENT] = "bad_client_id",
	[IMS_BAD_SECRET] = "bad_client_secret",
	[IMS_NOT_ALLOWED] = "not_granted",
	[IMS_BAD_SCOPE] = "bad_scope",
};
static const char *const form_names[IMS_FORMS] = {
	[IMS_QUERY] = "query",
	[IMS_URLENCODED] = "urlencoded",
	[IMS_MULTIPART] = "multipart",
};

static json_t *numbers_json(const uint64_t *numbers, const char *const *names, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		json_object_set_new(object, names[i], json_integer((json_int_t)numbers[i]));
	return object;
}

static json_t *seen_json(const struct ims_books *b)
{
	json_t *object = json_object();

	for (size_t i = 0; i < b->seen_count; i++)
		json_object_set_new(object, b->seen[i].fingerprint,
				    json_pack("{sIsI}", "issued", (json_int_t)b->seen[i].issued,
					      "refused", (json_int_t)b->seen[i].refused));
	return object;
}

void bc_ims_counts(struct sandbox_call *call)
{
	const struct ims_books *b = &call->sandbox->ims->books;
	json_t *forms = numbers_json(b->forms, form_names, IMS_FORMS);

	json_object_set_new(forms, "basic", json_integer((json_int_t)b->basic));
	bc_sandbox_answer_json(call, 200,
			       json_pack("{sIsososo}", "requests", (json_int_t)b->requests,
					 "results",
					 numbers_json(b->results, result_names, IMS_RESULTS),
					 "secrets", seen_json(b), "forms", forms));
}

void bc_ims_counts_clear(struct sandbox_call *call)
{
	call->sandbox->ims->books = (struct ims_books){ 0 };
	bc_sandbox_answer_nothing(call);
}
