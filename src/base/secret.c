/* SPDX-License-Identifier: MIT */
/*
 * Secrets and the registry of those alive. The bytes of each lie in a mapping of their own: locked
 * where the system lets us (a small RLIMIT_MEMLOCK is no reason not to start), left out of core
 * dumps, zeroed before it is given back. Beside the raw bytes stand the spellings in which a secret
 * would reach a log by way of a body or a URL: JSON-escaped and percent-encoded.
 *
 * Invariants: a secret is in the registry from its creation until its last reference goes; what
 * walks the registry holds its mutex and calls nothing that could create or free a secret. The
 * bytes never change, so holders of a reference read them without a lock.
 */
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <openssl/evp.h>

enum {
	OCCURS_MIN_BYTES = 6, /* shorter ones would stand in innocent lines by chance */
	FORMS = 3,
	SHA256_BYTES = 32,
};

struct bc_secret {
	struct bc_secret *next; /* borrowed; the registry's list */
	struct bc_secret *prev;
	atomic_uint references;
	void *mapping; /* owned; holds all forms one after the other */
	size_t mapping_bytes;
	struct bc_str forms[FORMS]; /* in mapping; [0] is the secret itself, NUL-terminated */
	char fingerprint[BC_FINGERPRINT_BYTES];
};

static struct {
	pthread_mutex_t mutex;
	struct bc_secret *first; /* borrowed; newest first */
} registry = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* Writes one byte in some spelling, at most 6 characters without NUL, and returns how many. */
typedef size_t spell_byte(unsigned char c, char *to);

static size_t spell_raw(unsigned char c, char *to)
{
	*to = (char)c;
	return 1;
}

static size_t spell_json(unsigned char c, char *to)
{
	static const char short_forms[][3] = {
		['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
		['\n'] = "\\n", ['\r'] = "\\r",	 ['\t'] = "\\t",
	};
	char text[8];

	if (c < BC_COUNT(short_forms) && short_forms[c][0]) {
		memcpy(to, short_forms[c], 2);
		return 2;
	}
	if (c >= 0x20)
		return spell_raw(c, to);
	snprintf(text, sizeof(text), "\\u%04X", c);
	memcpy(to, text, 6);
	return 6;
}

static size_t spell_percent(unsigned char c, char *to)
{
	static const char digits[] = "0123456789ABCDEF";

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c && strchr("-._~", c)))
		return spell_raw(c, to);
	to[0] = '%';
	to[1] = digits[c >> 4];
	to[2] = digits[c & 15];
	return 3;
}

static spell_byte *const spellings[FORMS] = { spell_raw, spell_json, spell_percent };

static size_t spelled_len(spell_byte *spell, const unsigned char *bytes, size_t len)
{
	char one[6];
	size_t total = 0;

	for (size_t i = 0; i < len; i++)
		total += spell(bytes[i], one);
	bc_wipe(one, sizeof(one));
	return total;
}

/* Room for all forms; the raw one's NUL is the zero that follows it. */
static int map_locked(struct bc_secret *s, size_t bytes)
{
	void *mapping =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mapping == MAP_FAILED)
		return BC_ENOMEM;
	(void)mlock(mapping, bytes);
	(void)madvise(mapping, bytes, MADV_DONTDUMP);
	s->mapping = mapping;
	s->mapping_bytes = bytes;
	return 0;
}

static int store_forms(struct bc_secret *s, const unsigned char *bytes, size_t len)
{
	size_t total = 0;
	char *to;
	int rc;

	for (size_t f = 0; f < FORMS; f++) {
		s->forms[f].len = spelled_len(spellings[f], bytes, len);
		total += s->forms[f].len + 1;
	}
	rc = map_locked(s, total);
	if (rc)
		return rc;
	to = s->mapping;
	for (size_t f = 0; f < FORMS; f++) {
		s->forms[f].ptr = to;
		for (size_t i = 0; i < len; i++)
			to += spellings[f](bytes[i], to);
		to++;
	}
	return 0;
}

static int take_fingerprint(struct bc_secret *s)
{
	uint8_t digest[SHA256_BYTES];

	if (!EVP_Digest(s->forms[0].ptr, s->forms[0].len, digest, NULL, EVP_sha256(), NULL))
		return BC_ENOMEM;
	bc_hex(digest, (BC_FINGERPRINT_BYTES - 1) / 2, s->fingerprint);
	return 0;
}

static void register_secret(struct bc_secret *s)
{
	pthread_mutex_lock(&registry.mutex);
	s->next = registry.first;
	if (s->next)
		s->next->prev = s;
	registry.first = s;
	pthread_mutex_unlock(&registry.mutex);
}

static void unregister_secret(struct bc_secret *s)
{
	pthread_mutex_lock(&registry.mutex);
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		registry.first = s->next;
	pthread_mutex_unlock(&registry.mutex);
}

static void release(struct bc_secret *s)
{
	if (s->mapping) {
		bc_wipe(s->mapping, s->mapping_bytes);
		munmap(s->mapping, s->mapping_bytes);
	}
	free(s);
}

struct bc_secret *bc_secret_create(const void *bytes, size_t len)
{
	struct bc_secret *s;

	if (len > BC_SECRET_MAX_BYTES)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	atomic_init(&s->references, 1);
	if (store_forms(s, bytes, len) || take_fingerprint(s)) {
		release(s);
		return NULL;
	}
	register_secret(s);
	return s;
}

struct bc_secret *bc_secret_ref(struct bc_secret *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return s;
}

void bc_secret_unref(struct bc_secret *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) > 1)
		return;
	unregister_secret(s);
	release(s);
}

const char *bc_secret_reveal(const struct bc_secret *s)
{
	return s->forms[0].ptr;
}

size_t bc_secret_len(const struct bc_secret *s)
{
	return s->forms[0].len;
}

/* Takes as long as the caller's bytes are many: neither the place of a difference nor the secret's
 * own length can be timed. The NUL behind the secret makes even an empty one have a byte to read.
 */
bool bc_secret_equals(const struct bc_secret *s, const void *bytes, size_t len)
{
	const volatile unsigned char *own = s->mapping;
	const unsigned char *theirs = bytes;
	const size_t own_bytes = s->forms[0].len + 1;
	volatile unsigned char differs = s->forms[0].len != len;

	for (size_t i = 0; i < len; i++)
		differs = (unsigned char)(differs | (own[i % own_bytes] ^ theirs[i]));
	return !differs;
}

void bc_secret_fingerprint(const struct bc_secret *s, char *text)
{
	memcpy(text, s->fingerprint, BC_FINGERPRINT_BYTES);
}

static bool occurs(const struct bc_secret *s, const char *bytes, size_t len)
{
	if (s->forms[0].len < OCCURS_MIN_BYTES)
		return false;
	for (size_t f = 0; f < FORMS; f++) {
		/* A form is never shorter than the raw bytes; as long means it is the same. */
		if (f > 0 && s->forms[f].len == s->forms[0].len)
			continue;
		if (memmem(bytes, len, s->forms[f].ptr, s->forms[f].len))
			return true;
	}
	return false;
}

bool bc_secret_occurs(const char *bytes, size_t len)
{
	bool found = false;

	if (len < OCCURS_MIN_BYTES)
		return false;
	pthread_mutex_lock(&registry.mutex);
	for (const struct bc_secret *s = registry.first; s && !found; s = s->next)
		found = occurs(s, bytes, len);
	pthread_mutex_unlock(&registry.mutex);
	return found;
}

void bc_wipe(void *bytes, size_t len)
{
	if (len)
		explicit_bzero(bytes, len);
}

void bc_random(void *bytes, size_t len)
{
	unsigned char *to = bytes;

	while (len) {
		ssize_t got = getrandom(to, len, 0);

		BC_ASSERT(got > 0 || errno == EINTR);
		if (got > 0) {
			to += got;
			len -= (size_t)got;
		}
	}
}
