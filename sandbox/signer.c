/* SPDX-License-Identifier: MIT */
/* Signing with OpenSSL 3; see signer.h. */
#include "sandbox/signer.h"

#include <stdint.h>
#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/secret.h"

enum { KEY_BITS = BC_SIGNATURE_BYTES * 8 };
_Static_assert(BC_SIGNATURE_TEXT_BYTES == (BC_SIGNATURE_BYTES + 2) / 3 * 4 + 1, "base64 and a NUL");

struct bc_signer {
	EVP_PKEY *key; /* owned */
	char *pem;     /* owned; the public half */
};

/* The public half as text; NULL when OpenSSL fails. */
static char *pem_of(EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *bytes, *text = NULL;
	long len;

	if (out && PEM_write_bio_PUBKEY(out, key) == 1) {
		len = BIO_get_mem_data(out, &bytes);
		text = bc_str_dup((struct bc_str){ bytes, (size_t)len });
	}
	BIO_free(out);
	return text;
}

struct bc_signer *bc_signer_create(void)
{
	struct bc_signer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->key = EVP_RSA_gen(KEY_BITS);
	s->pem = s->key ? pem_of(s->key) : NULL;
	if (s->pem)
		return s;
	bc_signer_destroy(s);
	return NULL;
}

void bc_signer_destroy(struct bc_signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->key);
	free(s->pem);
	free(s);
}

const char *bc_signer_public_pem(const struct bc_signer *s)
{
	return s->pem;
}

bool bc_signer_sign(const struct bc_signer *s, struct bc_str bytes,
		    char ret_text[BC_SIGNATURE_TEXT_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[BC_SIGNATURE_BYTES];
	size_t len = sizeof(signature);
	bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, s->key) == 1 &&
		    EVP_DigestSign(context, signature, &len, (const uint8_t *)bytes.ptr,
				   bytes.len) == 1 &&
		    len == sizeof(signature);

	EVP_MD_CTX_free(context);
	if (good)
		EVP_EncodeBlock((uint8_t *)ret_text, signature, (int)len);
	return good;
}

bool bc_signer_sign_base64(const struct bc_signer *s, struct bc_str bytes,
			   char ret_text[BC_SIGNATURE_TEXT_BYTES])
{
	bc_autofree char *text = malloc((bytes.len + 2) / 3 * 4 + 1);
	int len;

	if (!text)
		return false;
	len = EVP_EncodeBlock((uint8_t *)text, (const uint8_t *)bytes.ptr, (int)bytes.len);
	return bc_signer_sign(s, (struct bc_str){ text, (size_t)len }, ret_text);
}

void bc_signer_forge(char ret_text[BC_SIGNATURE_TEXT_BYTES])
{
	uint8_t bytes[BC_SIGNATURE_BYTES];

	bc_random(bytes, sizeof(bytes));
	bytes[0] &= 0x7f; /* below the modulus: refused for what it says, not for its form */
	EVP_EncodeBlock((uint8_t *)ret_text, bytes, sizeof(bytes));
}

char *bc_uuid_make(char text[BC_UUID_BYTES])
{
	uint8_t r[16];

	bc_random(r, sizeof(r));
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	snprintf(text, BC_UUID_BYTES,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
		 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
		 r[15]);
	return text;
}
