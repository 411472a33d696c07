/* SPDX-License-Identifier: MIT */
/*
 * Signatures of Adobe's events and webhooks, see events.h. Whoever asks has the bytes as they came:
 * what was parsed and written anew is another text. Base64 is read strictly, so that one signature
 * has one spelling, and sizes are bounded before OpenSSL sees anything.
 */
#include "protocol/events.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

enum {
	KEY_BITS_MIN = 2048,
	KEY_BITS_MAX = 8192,
	KEY_NAME_MAX = 64,
	PEM_MAX_BYTES = 16 * 1024,
	SPKI_MAX_BYTES = 3 * 512,
	SIGNATURE_MAX_BYTES = KEY_BITS_MAX / 8,
	CHUNK_BYTES = 3 * 1024 /* whole groups of base64, so that chunks join without padding */
};

bool bc_event_key_path_ok(struct bc_str path, const char *prefix)
{
	static const char start[] = "pub-key-", end[] = ".pem";
	size_t before = strlen(prefix), fixed = before + strlen(start) + strlen(end);
	if (!bc_str_starts(path, prefix) || path.len <= fixed || path.len > fixed + KEY_NAME_MAX)
		return false;
	struct bc_str file = { path.ptr + before, path.len - before };
	if (!bc_str_starts(file, start) ||
	    memcmp(path.ptr + path.len - strlen(end), end, strlen(end)) != 0)
		return false;
	for (size_t i = strlen(start); i < file.len - strlen(end); i++) {
		char c = file.ptr[i], lower = (char)(c | 0x20);
		if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '-'))
			return false;
	}
	return true;
}

/* --- base64 ---------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters of which the last `padding` are '='. The bits they leave over must be 0. */
static bool decode_group(const char *text, size_t padding, uint8_t *to)
{
	uint32_t bits = 0;
	for (size_t i = 0; i < 4; i++) {
		int digit = i < 4 - padding ? digit_of(text[i]) : 0;
		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
	}
	for (size_t i = 0; i < 3 - padding; i++)
		to[i] = (uint8_t)(bits >> (16 - 8 * i));
	return (bits & ((1u << 8 * padding) - 1)) == 0;
}

/* How many bytes; 0: it is none, or too long for max. */
static size_t decode(struct bc_str text, uint8_t *ret_bytes, size_t max)
{
	if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > max)
		return 0;
	size_t padding = 0, len = 0;
	while (padding < 2 && text.ptr[text.len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t pad = i + 4 == text.len ? padding : 0;
		if (!decode_group(text.ptr + i, pad, ret_bytes + len))
			return 0;
		len += 3 - pad;
	}
	return len;
}

/* --- keys ------------------------------------------------------------------------------------ */

struct bc_public_key {
	EVP_PKEY *pkey; /* owned */
};

static bool out_of_memory(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* What stands between the two lines of a PEM; absent: they are not there. */
static struct bc_str pem_content(struct bc_str pem)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----",
			  end[] = "-----END PUBLIC KEY-----";
	struct bc_str none = { NULL, 0 };
	if (!pem.ptr || pem.len > PEM_MAX_BYTES)
		return none;
	const char *from = memmem(pem.ptr, pem.len, begin, strlen(begin));
	if (!from)
		return none;
	from += strlen(begin);
	size_t left = pem.len - (size_t)(from - pem.ptr);
	const char *to = memmem(from, left, end, strlen(end));
	return to ? (struct bc_str){ from, (size_t)(to - from) } : none;
}

/* How many characters of a line's end stand there; a settings file has it on one line, with blanks
 * or with the two characters "\n" where lines would end. */
static size_t blank_bytes(struct bc_str s)
{
	if (s.len >= 2 && s.ptr[0] == '\\' && s.ptr[1] == 'n')
		return 2;
	return s.ptr[0] && strchr(" \t\r\n", s.ptr[0]) ? 1 : 0;
}

static EVP_PKEY *read_spki(struct bc_str content)
{
	char text[SPKI_MAX_BYTES / 3 * 4];
	uint8_t bytes[SPKI_MAX_BYTES];
	size_t len = 0;
	while (content.len > 0 && len < sizeof(text)) {
		size_t skip = blank_bytes(content);
		if (!skip)
			text[len++] = content.ptr[0];
		content.ptr += skip ? skip : 1;
		content.len -= skip ? skip : 1;
	}
	if (content.len > 0)
		return NULL;
	len = decode((struct bc_str){ text, len }, bytes, sizeof(bytes));
	const unsigned char *at = bytes;
	EVP_PKEY *pkey = len > 0 ? d2i_PUBKEY(NULL, &at, (long)len) : NULL;
	if (pkey && at == bytes + len && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(pkey) >= KEY_BITS_MIN && EVP_PKEY_get_bits(pkey) <= KEY_BITS_MAX)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

int bc_public_key_read(struct bc_str pem, struct bc_public_key **ret_key, struct bc_err *err)
{
	struct bc_public_key *key = calloc(1, sizeof(*key));
	if (!key)
		return bc_err_nomem(err);
	ERR_clear_error(); /* what is found there below is of this key */
	key->pkey = read_spki(pem_content(pem));
	bool starved = !key->pkey && out_of_memory();
	ERR_clear_error();
	if (key->pkey) {
		*ret_key = key;
		return 0;
	}
	free(key);
	if (starved)
		return bc_err_nomem(err);
	bc_err_set(err, BC_EINVAL, "the key is no public RSA key of %d bits or more", KEY_BITS_MIN);
	bc_err_hint(err, "a public key in PEM begins with -----BEGIN PUBLIC KEY-----");
	return BC_EINVAL;
}

void bc_public_key_destroy(struct bc_public_key *key)
{
	if (key)
		EVP_PKEY_free(key->pkey);
	free(key);
}

/* --- checking -------------------------------------------------------------------------------- */

/* Gives the digest what was signed. False: OpenSSL failed. */
typedef bool feed_text(EVP_MD_CTX *digest, struct bc_str text);

static bool feed_plain(EVP_MD_CTX *digest, struct bc_str text)
{
	return EVP_DigestVerifyUpdate(digest, text.ptr ? text.ptr : "", text.len) == 1;
}

static bool feed_base64(EVP_MD_CTX *digest, struct bc_str text)
{
	unsigned char encoded[CHUNK_BYTES / 3 * 4 + 1];
	while (text.len > 0) {
		size_t bytes = text.len < CHUNK_BYTES ? text.len : CHUNK_BYTES;
		int len = EVP_EncodeBlock(encoded, (const unsigned char *)text.ptr, (int)bytes);
		if (EVP_DigestVerifyUpdate(digest, encoded, (size_t)len) != 1)
			return false;
		text.ptr += bytes;
		text.len -= bytes;
	}
	return true;
}

static bool verify(EVP_MD_CTX *digest, EVP_PKEY *pkey, feed_text *feed, struct bc_str text,
		   const uint8_t *signature, size_t bytes)
{
	return EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, pkey) == 1 &&
	       feed(digest, text) && EVP_DigestVerifyFinal(digest, signature, bytes) == 1;
}

static int check(feed_text *feed, struct bc_str text, struct bc_str signature,
		 const struct bc_public_key *key)
{
	uint8_t bytes[SIGNATURE_MAX_BYTES + 2];
	size_t len = decode(signature, bytes, sizeof(bytes));
	if (len == 0)
		return 0;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	if (!digest)
		return BC_ENOMEM;
	ERR_clear_error();
	bool good = verify(digest, key->pkey, feed, text, bytes, len);
	bool starved = !good && out_of_memory();
	EVP_MD_CTX_free(digest);
	ERR_clear_error();
	return good ? 1 : starved ? BC_ENOMEM : 0;
}

int bc_signature_check(struct bc_str text, struct bc_str signature, const struct bc_public_key *key)
{
	return check(feed_plain, text, signature, key);
}

int bc_webhook_signature_check(struct bc_str body, struct bc_str signature,
			       const struct bc_public_key *key)
{
	return check(feed_base64, body, signature, key);
}
