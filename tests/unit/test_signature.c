/* SPDX-License-Identifier: MIT */
/*
 * Signatures: every vector passes, every mutation of one fails. Vectors come from elsewhere
 * (tests/samples); what needs a private key is signed here by OpenSSL.
 */
#include "protocol/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "tests/unit/samples.h"

#define PREFIX "/prod/keys/"

typedef int check_signature(struct bc_str text, struct bc_str signature,
			    const struct bc_public_key *key);

/* One of the two halves of the vectors. Owned by the test. */
struct vectors {
	json_t *root;
	const json_t *half;
	struct bc_str body; /* owned */
};

static struct bc_str text_at(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return (struct bc_str){ json_string_value(value), json_string_length(value) };
}

static struct bc_str unbase64(struct bc_str text)
{
	unsigned char *bytes = malloc(text.len);
	assert_non_null(bytes);
	int len = EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, (int)text.len);
	assert_true(len > 0);
	for (size_t i = text.len; text.ptr[i - 1] == '='; i--)
		len--;
	return (struct bc_str){ (char *)bytes, (size_t)len };
}

static char *base64(const void *bytes, size_t len)
{
	char *text = malloc(len / 3 * 4 + 8);
	assert_non_null(text);
	EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
	return text;
}

/* What cannot be read passes nothing. */
static int check_with(check_signature *check, struct bc_str text, struct bc_str signature,
		      struct bc_str pem)
{
	struct bc_public_key *key = NULL;
	int result = bc_public_key_read(pem, &key, NULL);
	assert_true(result == 0 || (result == BC_EINVAL && !key));
	if (!result)
		result = check(text, signature, key);
	bc_public_key_destroy(key);
	return result == BC_EINVAL ? 0 : result;
}

static bool is_key(struct bc_str pem)
{
	struct bc_public_key *key = NULL;
	struct bc_err err = { 0 };
	int result = bc_public_key_read(pem, &key, &err);
	assert_true(result == 0 ? key != NULL : result == BC_EINVAL && err.hint[0]);
	bc_public_key_destroy(key);
	return result == 0;
}

static struct vectors vectors_of(const char *half)
{
	struct vectors v = { .root = sample_json("adobe-signature-vectors.json") };
	v.half = json_object_get(v.root, half);
	v.body = unbase64(text_at(v.half, "body_b64"));
	return v;
}

static void vectors_finish(struct vectors *v)
{
	free((char *)v->body.ptr);
	json_decref(v->root);
}

static const json_t *case_of(const struct vectors *v, size_t i)
{
	return json_object_get(json_array_get(json_object_get(v->half, "cases"), i), "headers");
}

/* As the events' route does it: a key only for a path that is one, and either signature will do. */
static bool event_passes(const struct vectors *v, const json_t *headers)
{
	static const char *const names[][2] = {
		{ "x-adobe-digital-signature-1", "x-adobe-public-key1-path" },
		{ "x-adobe-digital-signature-2", "x-adobe-public-key2-path" },
	};
	bool passes = false;
	for (size_t i = 0; i < 2; i++) {
		struct bc_str path = text_at(headers, names[i][1]);
		if (!path.ptr || !bc_event_key_path_ok(path, PREFIX))
			continue;
		struct bc_str key = text_at(json_object_get(v->half, "public_keys"), path.ptr);
		passes = check_with(bc_signature_check, v->body, text_at(headers, names[i][0]),
				    key) == 1 ||
			 passes;
	}
	return passes;
}

static void every_vector_of_an_event_comes_out_as_it_says(void **state)
{
	(void)state;
	struct vectors v = vectors_of("io_events");
	const json_t *one;
	size_t i, good = 0;
	json_array_foreach(json_object_get(v.half, "cases"), i, one)
	{
		bool valid = json_is_true(json_object_get(one, "valid"));
		if (event_passes(&v, json_object_get(one, "headers")) != valid)
			fail_msg("%s", text_at(one, "name").ptr);
		good += valid;
	}
	assert_int_equal(i, 6);
	assert_int_equal(good, 2);
	vectors_finish(&v);
}

static void every_vector_of_a_webhook_comes_out_as_it_says(void **state)
{
	(void)state;
	struct vectors v = vectors_of("commerce_webhook");
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(v.half, "cases"), i, one)
	{
		struct bc_str signature = text_at(json_object_get(one, "headers"),
						  "x-adobe-commerce-webhook-signature");
		int wanted = json_is_true(json_object_get(one, "valid"));
		if (check_with(bc_webhook_signature_check, v.body, signature,
			       text_at(v.half, "public_key")) != wanted)
			fail_msg("%s", text_at(one, "name").ptr);
	}
	assert_int_equal(i, 3);
	vectors_finish(&v);
}

/* --- mutations ------------------------------------------------------------------------------- */

/* One good vector, as it is checked. */
struct good {
	struct vectors v;
	check_signature *check;
	struct bc_str signature, pem, other_pem;
	struct bc_public_key *key; /* owned */
};

static struct good good_event(void)
{
	struct good g = { .v = vectors_of("io_events"), .check = bc_signature_check };
	const json_t *headers = case_of(&g.v, 0), *keys = json_object_get(g.v.half, "public_keys");
	g.signature = text_at(headers, "x-adobe-digital-signature-1");
	g.pem = text_at(keys, text_at(headers, "x-adobe-public-key1-path").ptr);
	g.other_pem = text_at(keys, text_at(headers, "x-adobe-public-key2-path").ptr);
	assert_int_equal(bc_public_key_read(g.pem, &g.key, NULL), 0);
	return g;
}

static struct good good_webhook(void)
{
	struct good g = { .v = vectors_of("commerce_webhook"),
			  .check = bc_webhook_signature_check };
	const json_t *events = json_object_get(g.v.root, "io_events");
	g.signature = text_at(case_of(&g.v, 0), "x-adobe-commerce-webhook-signature");
	g.pem = text_at(g.v.half, "public_key");
	g.other_pem = text_at(json_object_get(events, "public_keys"),
			      PREFIX "pub-key-0b7d1f9e-1111-4a4a-8b8b-000000000001.pem");
	assert_int_equal(bc_public_key_read(g.pem, &g.key, NULL), 0);
	return g;
}

static void each_byte_of_the_body_counts(const struct good *g)
{
	struct bc_str body = g->v.body;
	char *bytes = (char *)body.ptr;
	assert_int_equal(g->check(body, g->signature, g->key), 1);
	for (size_t i = 0; i < body.len; i++) {
		bytes[i] ^= (char)(1 << i % 8);
		if (g->check(body, g->signature, g->key))
			fail_msg("byte %zu of the body does not count", i);
		bytes[i] ^= (char)(1 << i % 8);
	}
	for (size_t cut = 0; cut <= body.len; cut += cut < 4 ? 1 : body.len / 7) {
		struct bc_str shorter = { body.ptr, body.len - cut };
		assert_int_equal(g->check(shorter, g->signature, g->key), cut == 0);
	}
	assert_int_equal(g->check((struct bc_str){ 0 }, g->signature, g->key), 0);
	assert_int_equal(g->check(BC_STR(""), g->signature, g->key), 0);
}

static void each_character_of_the_signature_counts(const struct good *g)
{
	char text[1024];
	assert_int_equal(bc_str_copy(text, sizeof(text), g->signature), 0);
	for (size_t i = 0; i < g->signature.len; i++)
		for (const char *c = "A/+z=9-_ \n.%\x80"; *c; c++) {
			char was = text[i];
			text[i] = *c;
			if (*c != was && g->check(g->v.body, bc_str_of(text), g->key))
				fail_msg("character %zu may be '%c'", i, *c);
			text[i] = was;
		}
	for (size_t len = 0; len < g->signature.len; len++)
		if (g->check(g->v.body, (struct bc_str){ text, len }, g->key))
			fail_msg("%zu characters are enough", len);
	assert_int_equal(g->check(g->v.body, bc_str_of(text), g->key), 1);
}

static void one_signature_has_one_spelling(const struct good *g)
{
	static const char *const around[][2] = {
		{ " ", "" },
		{ "", " " },
		{ "", "\n" },
		{ "", "\r\n" },
		{ "=", "" },
		{ "", "=" },
		{ "", "==" },
		{ "", "====" },
		{ "", "AAAA" },
		{ "AAAA", "" },
		{ "\"", "\"" },
		{ "", "\0"
		      "x" },
		{ "", "," },
	};
	char text[1024];
	for (size_t i = 0; i < BC_COUNT(around); i++) {
		snprintf(text, sizeof(text), "%s%.*s%s", around[i][0], (int)g->signature.len,
			 g->signature.ptr, around[i][1]);
		bool same = bc_str_eq(g->signature, text);
		if (!same && g->check(g->v.body, bc_str_of(text), g->key))
			fail_msg("\"%s\" and \"%s\" may stand around it", around[i][0],
				 around[i][1]);
	}
	/* 256 bytes leave four bits over in the last group, which are 0 in the one spelling. */
	assert_int_equal(g->signature.ptr[g->signature.len - 1], '=');
	char *last = text + g->signature.len - 3;
	assert_int_equal(bc_str_copy(text, sizeof(text), g->signature), 0);
	last[0]++;
	assert_int_equal(g->check(g->v.body, bc_str_of(text), g->key), 0);
	last[0]--;
	last[1] = 'A';
	last[2] = 'A';
	assert_int_equal(g->check(g->v.body, bc_str_of(text), g->key), 0);
	last[2] = '=';
	assert_int_equal(g->check(g->v.body, bc_str_of(text), g->key), 0);
	char line[2048];
	snprintf(line, sizeof(line), "%.64s\n%.*s", g->signature.ptr, (int)g->signature.len - 64,
		 g->signature.ptr + 64);
	assert_int_equal(g->check(g->v.body, bc_str_of(line), g->key), 0);
	assert_int_equal(g->check(g->v.body, (struct bc_str){ 0 }, g->key), 0);
	assert_int_equal(g->check(g->v.body, BC_STR(""), g->key), 0);
	assert_int_equal(g->check(g->v.body, BC_STR("===="), g->key), 0);
	assert_int_equal(g->check(g->v.body, BC_STR("AA=="), g->key), 0);
}

static void other_keys_do_not_pass(const struct good *g)
{
	static const char *const none[] = {
		"",
		"key",
		"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----\n",
		"<html>404</html>",
	};
	assert_int_equal(check_with(g->check, g->v.body, g->signature, g->pem), 1);
	assert_int_equal(check_with(g->check, g->v.body, g->signature, g->other_pem), 0);
	assert_false(is_key((struct bc_str){ 0 }));
	for (size_t i = 0; i < BC_COUNT(none); i++)
		assert_false(is_key(bc_str_of(none[i])));
	for (size_t len = 0; len < g->pem.len - 2; len += 7)
		assert_false(is_key((struct bc_str){ g->pem.ptr, len }));
}

static void every_mutation_of_an_event_fails(void **state)
{
	(void)state;
	struct good g = good_event();
	each_byte_of_the_body_counts(&g);
	each_character_of_the_signature_counts(&g);
	one_signature_has_one_spelling(&g);
	other_keys_do_not_pass(&g);
	/* What the other route would take. */
	assert_int_equal(bc_webhook_signature_check(g.v.body, g.signature, g.key), 0);
	bc_public_key_destroy(g.key);
	vectors_finish(&g.v);
}

static void every_mutation_of_a_webhook_fails(void **state)
{
	(void)state;
	struct good g = good_webhook();
	each_byte_of_the_body_counts(&g);
	each_character_of_the_signature_counts(&g);
	one_signature_has_one_spelling(&g);
	other_keys_do_not_pass(&g);
	assert_int_equal(bc_signature_check(g.v.body, g.signature, g.key), 0);
	bc_public_key_destroy(g.key);
	vectors_finish(&g.v);
}

/* --- keys of our own ------------------------------------------------------------------------- */

/* Owned. */
static char *public_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	long len = BIO_get_mem_data(bio, &bytes);
	char *pem = strndup(bytes, (size_t)len);
	BIO_free(bio);
	return pem;
}

/* In base64; owned. padding 0: as the key has it. */
static char *sign(EVP_PKEY *key, const EVP_MD *digest, int padding, struct bc_str text)
{
	unsigned char bytes[1100];
	size_t len = sizeof(bytes);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *parameters;
	assert_int_equal(EVP_DigestSignInit(c, &parameters, digest, NULL, key), 1);
	if (padding)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, padding), 1);
	assert_int_equal(EVP_DigestSign(c, bytes, &len, (const unsigned char *)text.ptr, text.len),
			 1);
	EVP_MD_CTX_free(c);
	return base64(bytes, len);
}

static bool passes(EVP_PKEY *key, const EVP_MD *digest, int padding)
{
	char *pem = public_pem(key), *signature = sign(key, digest, padding, BC_STR("body"));
	int result = check_with(bc_signature_check, BC_STR("body"), bc_str_of(signature),
				bc_str_of(pem));
	assert_true(result == 0 || result == 1);
	free(signature);
	free(pem);
	return result == 1;
}

static void the_algorithm_is_the_one_and_no_other(void **state)
{
	(void)state;
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *weak = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
	assert_true(rsa && weak && curve);
	assert_true(passes(rsa, EVP_sha256(), RSA_PKCS1_PADDING));
	assert_false(passes(rsa, EVP_sha256(), RSA_PKCS1_PSS_PADDING));
	assert_false(passes(rsa, EVP_sha1(), RSA_PKCS1_PADDING));
	assert_false(passes(rsa, EVP_sha512(), RSA_PKCS1_PADDING));
	assert_false(passes(weak, EVP_sha256(), RSA_PKCS1_PADDING));
	assert_false(passes(curve, EVP_sha256(), 0));
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(curve);
}

static void longer_keys_and_bodies_pass_as_well(void **state)
{
	(void)state;
	enum { LONG = 300 * 1024 };
	EVP_PKEY *rsa = EVP_RSA_gen(3072);
	char *pem = public_pem(rsa), *body = malloc(LONG);
	assert_non_null(body);
	memset(body, '\xe4', LONG);
	/* Around the pieces in which a body is encoded. */
	static const size_t sizes[] = { 0, 1, 2, 3, 3071, 3072, 3073, 6144, LONG - 1, LONG };
	for (size_t i = 0; i < BC_COUNT(sizes); i++) {
		char *encoded = base64(body, sizes[i]);
		char *signature = sign(rsa, EVP_sha256(), RSA_PKCS1_PADDING, bc_str_of(encoded));
		struct bc_str text = { body, sizes[i] };
		if (check_with(bc_webhook_signature_check, text, bc_str_of(signature),
			       bc_str_of(pem)) != 1)
			fail_msg("a body of %zu bytes", sizes[i]);
		assert_int_equal(
			check_with(bc_signature_check, text, bc_str_of(signature), bc_str_of(pem)),
			sizes[i] == 0); /* the base64 of nothing is nothing */
		free(signature);
		free(encoded);
	}
	free(body);
	free(pem);
	EVP_PKEY_free(rsa);
}

static void a_key_is_public_and_nothing_else(void **state)
{
	(void)state;
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes, *pem = public_pem(rsa), wrapped[2048];
	assert_int_equal(PEM_write_bio_PrivateKey(bio, rsa, NULL, NULL, 0, NULL, NULL), 1);
	long len = BIO_get_mem_data(bio, &bytes);
	assert_false(is_key((struct bc_str){ bytes, (size_t)len }));
	BIO_free(bio);
	/* Words in front of it, and Windows's line ends, are how people keep keys. */
	snprintf(wrapped, sizeof(wrapped), "key of the shop\n%s\n\n", pem);
	assert_true(is_key(bc_str_of(wrapped)));
	size_t n = 0;
	for (const char *c = pem; *c; c++) {
		if (*c == '\n')
			wrapped[n++] = '\r';
		wrapped[n++] = *c;
	}
	assert_true(is_key((struct bc_str){ wrapped, n }));
	/* On one line, as settings have them. */
	const char *const line_ends[] = { " ", "", "\\n" };
	for (size_t i = 0; i < BC_COUNT(line_ends); i++) {
		wrapped[0] = '\0';
		for (const char *line = pem, *end; (end = strchr(line, '\n')); line = end + 1) {
			strncat(wrapped, line, (size_t)(end - line));
			strcat(wrapped, line_ends[i]);
		}
		assert_true(is_key(bc_str_of(wrapped)));
	}
	/* What stands among the base64, or behind the key inside it, makes it none. */
	for (const char *c = "\\.,-=\x01"; *c; c++) {
		strcpy(wrapped, pem);
		strchr(wrapped, '\n')[0] = *c;
		assert_false(is_key(bc_str_of(wrapped)));
	}
	free(pem);
	EVP_PKEY_free(rsa);
}

/* --- key paths ------------------------------------------------------------------------------- */

static void only_paths_of_keys_are_fetched(void **state)
{
	(void)state;
	static const char *const good[] = {
		PREFIX "pub-key-0b7d1f9e-1111-4a4a-8b8b-000000000001.pem",
		PREFIX "pub-key-IkpzhSpTw0.pem",
		PREFIX "pub-key-a.pem",
		PREFIX "pub-key--.pem",
		PREFIX "pub-key-"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.pem",
	};
	static const char *const bad[] = {
		"",
		PREFIX,
		PREFIX "pub-key-.pem",
		PREFIX "pub-key-a.pe",
		PREFIX "pub-key-a.pem ",
		PREFIX "pub-key-a.pem\n",
		PREFIX "pub-key-a.pem?x",
		PREFIX "pub-key-a.pem#.pem",
		PREFIX "pub-key-a?.pem",
		PREFIX "pub-key-a%2e.pem",
		PREFIX "pub-key-a.b.pem",
		PREFIX "pub-key-a/b.pem",
		PREFIX "pub-key-../a.pem",
		PREFIX "pub-key-a\\.pem",
		PREFIX "pub-key-a@b.pem",
		PREFIX "pub-key-a_b.pem",
		PREFIX "pub-key-\xc3\xa4.pem",
		PREFIX "../keys/pub-key-a.pem",
		PREFIX "k.pem",
		PREFIX "PUB-KEY-a.pem",
		PREFIX "pub-key-a.PEM",
		"/stage/keys/pub-key-a.pem",
		"//prod/keys/pub-key-a.pem",
		"prod/keys/pub-key-a.pem",
		"/PROD/keys/pub-key-a.pem",
		".attacker.example" PREFIX "pub-key-a.pem",
		"@attacker.example" PREFIX "pub-key-a.pem",
		":8443" PREFIX "pub-key-a.pem",
		"https://static.adobeioevents.com" PREFIX "pub-key-a.pem",
		" " PREFIX "pub-key-a.pem",
		PREFIX "pub-key-"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.pem",
	};
	for (size_t i = 0; i < BC_COUNT(good); i++)
		if (!bc_event_key_path_ok(bc_str_of(good[i]), PREFIX))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < BC_COUNT(bad); i++)
		if (bc_event_key_path_ok(bc_str_of(bad[i]), PREFIX))
			fail_msg("%s", bad[i]);
	assert_false(bc_event_key_path_ok((struct bc_str){ 0 }, PREFIX));
	assert_false(bc_event_key_path_ok(BC_STR(PREFIX "pub-key-a\0.pem"), PREFIX));
	assert_true(bc_event_key_path_ok(BC_STR("/stage/keys/pub-key-a.pem"), "/stage/keys/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_of_an_event_comes_out_as_it_says),
		cmocka_unit_test(every_vector_of_a_webhook_comes_out_as_it_says),
		cmocka_unit_test(every_mutation_of_an_event_fails),
		cmocka_unit_test(every_mutation_of_a_webhook_fails),
		cmocka_unit_test(the_algorithm_is_the_one_and_no_other),
		cmocka_unit_test(longer_keys_and_bodies_pass_as_well),
		cmocka_unit_test(a_key_is_public_and_nothing_else),
		cmocka_unit_test(only_paths_of_keys_are_fetched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
