/* SPDX-License-Identifier: MIT */
/*
 * Key pairs that are ready. To make one takes OpenSSL 15 seconds under valgrind, and it is
 * OpenSSL's work: there ./check names a folder in BC_TEST_KEYS with key pairs made for that run,
 * BITS-N.pem, and they go round, so that two that are made one after the other differ. Without that
 * folder, as in all other runs, each is made anew, in full.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

EVP_PKEY *__real_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *context, const char *properties, const char *type,
				   ...);
EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *context, const char *properties, const char *type,
				   ...);

static EVP_PKEY *read_key(const char *folder, size_t bits, unsigned number)
{
	char path[512];
	FILE *file;
	EVP_PKEY *key;

	snprintf(path, sizeof(path), "%s/%zu-%u.pem", folder, bits, number);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	return key;
}

/* NULL when none of that size is ready. */
static EVP_PKEY *ready_key(size_t bits)
{
	static atomic_uint made;
	const char *folder = getenv("BC_TEST_KEYS");
	EVP_PKEY *key;

	if (!folder)
		return NULL;
	key = read_key(folder, bits, atomic_fetch_add(&made, 1) % 2);
	return key ? key : read_key(folder, bits, 0);
}

EVP_PKEY *__wrap_EVP_PKEY_Q_keygen(OSSL_LIB_CTX *context, const char *properties, const char *type,
				   ...)
{
	EVP_PKEY *key = NULL;
	va_list more;

	va_start(more, type);
	if (!strcmp(type, "RSA")) {
		const size_t bits = va_arg(more, size_t);

		key = ready_key(bits);
		if (!key)
			key = __real_EVP_PKEY_Q_keygen(context, properties, type, bits);
	} else { /* "EC", the other kind that is made here, has the name of a curve */
		key = __real_EVP_PKEY_Q_keygen(context, properties, type, va_arg(more, char *));
	}
	va_end(more);
	return key;
}
