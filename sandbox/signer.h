/* SPDX-License-Identifier: MIT */
/*
 * A key pair that signs what the sandbox sends: RSA of 2048 bits, PKCS#1 v1.5, SHA-256. The private
 * half never leaves it. Making one takes some tenths of a second, so it is made when it is first
 * needed. One thread.
 */
#ifndef BC_SANDBOX_SIGNER_H
#define BC_SANDBOX_SIGNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

enum { BC_SIGNATURE_BYTES = 2048 / 8, BC_SIGNATURE_TEXT_BYTES = 345, BC_UUID_BYTES = 37 };

struct bc_signer;

BC_MUST_CHECK struct bc_signer *bc_signer_create(void); /* NULL without memory */
void bc_signer_destroy(struct bc_signer *s);		/* NULL is fine */

/* "-----BEGIN PUBLIC KEY-----...", SPKI; lives as long as s. */
const char *bc_signer_public_pem(const struct bc_signer *s);

/* The signature in base64, with a NUL. False when OpenSSL fails. */
BC_MUST_CHECK bool bc_signer_sign(const struct bc_signer *s, struct bc_str bytes,
				  char ret_text[BC_SIGNATURE_TEXT_BYTES]);
/* As the above, over the base64 text of the bytes: how Commerce signs its webhooks. */
BC_MUST_CHECK bool bc_signer_sign_base64(const struct bc_signer *s, struct bc_str bytes,
					 char ret_text[BC_SIGNATURE_TEXT_BYTES]);
/* What looks like a signature and is none. */
void bc_signer_forge(char ret_text[BC_SIGNATURE_TEXT_BYTES]);

/* A random one, "6a5f0c3e-2f51-4d0e-9a7a-0123456789ab". Returns text. */
char *bc_uuid_make(char text[BC_UUID_BYTES]);

#endif
