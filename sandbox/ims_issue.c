/* SPDX-License-Identifier: MIT */
/*
 * Makes tokens as IMS does: a JWT whose claims carry times in milliseconds, as texts (Adobe's
 * Node library reads them and refuses anything else), in a body that counts in seconds. The
 * signature is random bytes of the right length; nobody here checks it. On demand: opaque tokens,
 * and an expires_in of every kind that a client may meet.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "sandbox/ims.h"

enum { SIGNATURE_BYTES = 256, OPAQUE_BYTES = 48, ID_BYTES = 16 };

static json_t *in_seconds(uint64_t life_ms)
{
	return json_integer((json_int_t)(life_ms / 1000));
}

static json_t *in_milliseconds(uint64_t life_ms)
{
	return json_integer((json_int_t)life_ms);
}

static json_t *as_string(uint64_t life_ms)
{
	return json_sprintf("%llu", (unsigned long long)(life_ms / 1000));
}

static json_t *absent(uint64_t life_ms)
{
	(void)life_ms;
	return NULL;
}

static json_t *null(uint64_t life_ms)
{
	(void)life_ms;
	return json_null();
}

static json_t *zero(uint64_t life_ms)
{
	(void)life_ms;
	return json_integer(0);
}

static json_t *negative(uint64_t life_ms)
{
	(void)life_ms;
	return json_integer(-3600);
}

static json_t *text(uint64_t life_ms)
{
	(void)life_ms;
	return json_string("soon");
}

static json_t *absurd(uint64_t life_ms)
{
	(void)life_ms;
	return json_integer(999999999999999999);
}

static const struct {
	const char *name;
	json_t *(*make)(uint64_t life_ms);
} expiries[] = {
	[IMS_SECONDS] = { "seconds", in_seconds },
	[IMS_MILLISECONDS] = { "milliseconds", in_milliseconds },
	[IMS_STRING] = { "string", as_string },
	[IMS_ABSENT] = { "absent", absent },
	[IMS_NULL] = { "null", null },
	[IMS_ZERO] = { "0", zero },
	[IMS_NEGATIVE] = { "negative", negative },
	[IMS_TEXT] = { "text", text },
	[IMS_ABSURD] = { "absurd", absurd },
};

const char *bc_ims_expiry_name(enum ims_expiry expiry)
{
	return expiries[expiry].name;
}

bool bc_ims_expiry_find(const char *name, enum ims_expiry *ret_expiry)
{
	for (size_t i = 0; i < BC_COUNT(expiries); i++)
		if (strcmp(expiries[i].name, name) == 0) {
			*ret_expiry = (enum ims_expiry)i;
			return true;
		}
	return false;
}

/* Adds bytes as base64url without padding. */
static int add_base64url(struct bc_buf *out, const void *bytes, size_t len)
{
	char *at = bc_buf_room(out, 4 * ((len + 2) / 3) + 1);
	size_t n;

	if (!at)
		return BC_ENOMEM;
	n = (size_t)EVP_EncodeBlock((unsigned char *)at, bytes, (int)len);
	while (n > 0 && at[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		at[i] = at[i] == '+' ? '-' : at[i] == '/' ? '_' : at[i];
	at[n] = '\0';
	out->len += n;
	return 0;
}

static int add_random(struct bc_buf *out, size_t len)
{
	unsigned char bytes[SIGNATURE_BYTES];

	bc_random(bytes, len);
	return add_base64url(out, bytes, len);
}

static int add_json(struct bc_buf *out, json_t *json)
{
	char *dump = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int rc = dump ? add_base64url(out, dump, strlen(dump)) : BC_ENOMEM;

	free(dump);
	json_decref(json);
	return rc;
}

static json_t *claims_make(const struct sandbox_call *call, const struct ims_request *r)
{
	uint64_t now_ms = bc_wall_ms(call->sandbox->clock);
	uint8_t random[ID_BYTES];
	char id[2 * ID_BYTES + 1], created[24], life[24];

	bc_random(random, sizeof(random));
	bc_hex(random, sizeof(random), id);
	snprintf(created, sizeof(created), "%llu", (unsigned long long)now_ms);
	snprintf(life, sizeof(life), "%llu", (unsigned long long)call->sandbox->ims->now.life_ms);
	return json_pack("{s:o, s:s, s:s%, s:s, s:s, s:s, s:s, s:s%}", "id",
			 json_sprintf("%s_%s_ue1", created, id), "type", "access_token",
			 "client_id", r->client_id.ptr, r->client_id.len, "user_id",
			 "5F0D1A2B3C4D5E6F7A8B9C0D@techacct.adobe.com", "as", "ims-na1",
			 "created_at", created, "expires_in", life, "scope",
			 r->scope.ptr ? r->scope.ptr : "", r->scope.len);
}

static int add_jwt(struct bc_buf *out, const struct sandbox_call *call, const struct ims_request *r)
{
	int rc = add_json(
		out, json_pack("{ssssss}", "alg", "RS256", "kid", "ims_na1-key-at-1", "itt", "at"));

	if (rc == 0)
		rc = bc_buf_adds(out, ".");
	if (rc == 0)
		rc = add_json(out, claims_make(call, r));
	if (rc == 0)
		rc = bc_buf_adds(out, ".");
	return rc == 0 ? add_random(out, SIGNATURE_BYTES) : rc;
}

static bool token_make(struct sandbox_call *call, const struct ims_request *r, struct bc_buf *out)
{
	struct ims *m = call->sandbox->ims;
	int rc = m->now.opaque ? add_random(out, OPAQUE_BYTES) : add_jwt(out, call, r);

	return rc == 0 && bc_ims_token_keep(m, (struct bc_str){ out->data, out->len }, r->client_id,
					    bc_elapsed_ms(call->sandbox->clock) + m->now.life_ms);
}

void bc_ims_issue(struct sandbox_call *call, const struct ims_request *r)
{
	const struct ims_settings *s = &call->sandbox->ims->now;
	json_t *body = NULL, *life;
	struct bc_buf token;

	bc_buf_init(&token, IMS_TOKEN_BYTES_MAX);
	if (token_make(call, r, &token)) {
		body = json_pack("{ss%ss}", "access_token", token.data, token.len, "token_type",
				 "bearer");
		life = expiries[s->expiry].make(s->life_ms);
		if (body && life && json_object_set_new(body, "expires_in", life) < 0) {
			json_decref(body);
			body = NULL;
		}
	}
	bc_buf_finish(&token);
	call->accepted = body != NULL;
	bc_sandbox_answer_json(call, 200, body);
}

json_t *bc_ims_claims(struct bc_str token)
{
	unsigned char text64[IMS_TOKEN_BYTES_MAX + 4], bytes[IMS_TOKEN_BYTES_MAX + 4];
	struct bc_str claims;
	size_t n = 0;
	int len;

	bc_str_split(&token, '.');
	claims = bc_str_split(&token, '.');
	if (!token.ptr || claims.len > IMS_TOKEN_BYTES_MAX)
		return NULL;
	for (; n < claims.len; n++)
		text64[n] = (unsigned char)(claims.ptr[n] == '-'   ? '+'
					    : claims.ptr[n] == '_' ? '/'
								   : claims.ptr[n]);
	while (n % 4 != 0)
		text64[n++] = '=';
	len = EVP_DecodeBlock(bytes, text64, (int)n);
	if (len < 0)
		return NULL;
	return json_loadb((const char *)bytes, (size_t)len - (n - claims.len), 0, NULL);
}
