/* SPDX-License-Identifier: MIT */
/*
 * Keyed hashes of tokens and sessions. The HMAC context is set up once and re-initialised with its
 * own key for each hash, which spares a key schedule and an allocation a click. The domain and a
 * NUL go in front of the bytes, so the same text hashed as "token" and as "session" cannot be
 * matched up. OpenSSL keeps the key's copy and clears it when the context is freed.
 */
#include "base/secret.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { DIGEST_BYTES = 32 };

struct bc_hasher {
	EVP_MAC_CTX *context; /* owned */
};

static EVP_MAC_CTX *create_context(const struct bc_secret *key)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	const unsigned char *bytes = (const unsigned char *)bc_secret_reveal(key);
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

	EVP_MAC_free(hmac);
	if (context && EVP_MAC_init(context, bytes, bc_secret_len(key), params))
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

struct bc_hasher *bc_hasher_create(const struct bc_secret *key)
{
	struct bc_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->context = create_context(key);
	if (!h->context) {
		free(h);
		return NULL;
	}
	return h;
}

void bc_hasher_destroy(struct bc_hasher *h)
{
	if (!h)
		return;
	EVP_MAC_CTX_free(h->context);
	free(h);
}

int bc_hasher_hash(struct bc_hasher *h, const char *domain, const void *bytes, size_t len,
		   uint8_t ret_hash[BC_HASH_BYTES])
{
	uint8_t digest[DIGEST_BYTES];
	size_t digest_len;

	if (!EVP_MAC_init(h->context, NULL, 0, NULL) ||
	    !EVP_MAC_update(h->context, (const unsigned char *)domain, strlen(domain) + 1) ||
	    (len && !EVP_MAC_update(h->context, bytes, len)) ||
	    !EVP_MAC_final(h->context, digest, &digest_len, sizeof(digest)))
		return BC_EINTERNAL;
	memcpy(ret_hash, digest, BC_HASH_BYTES);
	return 0;
}
