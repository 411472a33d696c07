/* SPDX-License-Identifier: MIT */
/* Keyed hashes: the value is plain HMAC-SHA-256, domains are apart, one hasher serves many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/secret.h"
#include "failing_malloc.h"

static struct bc_hasher *make(const char *key)
{
	struct bc_secret *secret = bc_secret_create(key, strlen(key));
	struct bc_hasher *h = bc_hasher_create(secret);

	assert_non_null(h);
	bc_secret_unref(secret);
	return h;
}

static void assert_hashes(struct bc_hasher *h, const char *domain, struct bc_str bytes,
			  const char *expected)
{
	uint8_t hash[BC_HASH_BYTES];
	char text[2 * BC_HASH_BYTES + 1];

	assert_int_equal(bc_hasher_hash(h, domain, bytes.ptr, bytes.len, hash), 0);
	bc_hex(hash, sizeof(hash), text);
	assert_string_equal(text, expected);
}

/* Computed apart: hmac.new(b"key", domain + b"\0" + text, "sha256").hexdigest()[:32] */
static void a_hash_is_hmac_sha256_of_domain_nul_and_bytes(void **state BC_UNUSED)
{
	struct bc_hasher *h = make("key");

	assert_hashes(h, "token", BC_STR("abcde-abcd-abc-abcde"),
		      "ead3ed8e62be16a445e9435e62ee1b0b");
	assert_hashes(h, "session", BC_STR("abcde-abcd-abc-abcde"),
		      "52a5f4d695b4d9870f3bfe6c928307c8");
	assert_hashes(h, "token", BC_STR("a\0b"), "e35523008ab2433dc74bcb61b07a9c32");
	assert_hashes(h, "token", (struct bc_str){ 0 }, "7cf0406207d9782c9da6320cd5c948e6");
	bc_hasher_destroy(h);
}

static void a_hasher_gives_the_same_hash_again(void **state BC_UNUSED)
{
	struct bc_hasher *h = make("key");

	for (int i = 0; i < 100; i++) {
		assert_hashes(h, "token", BC_STR("abcde-abcd-abc-abcde"),
			      "ead3ed8e62be16a445e9435e62ee1b0b");
		assert_hashes(h, "token", BC_STR("a\0b"), "e35523008ab2433dc74bcb61b07a9c32");
	}
	bc_hasher_destroy(h);
}

static void another_key_gives_another_hash(void **state BC_UNUSED)
{
	struct bc_hasher *one = make("key one"), *two = make("key two");
	uint8_t a[BC_HASH_BYTES], b[BC_HASH_BYTES];

	assert_int_equal(bc_hasher_hash(one, "token", "x", 1, a), 0);
	assert_int_equal(bc_hasher_hash(two, "token", "x", 1, b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	bc_hasher_destroy(one);
	bc_hasher_destroy(two);
}

static void domain_and_bytes_do_not_run_together(void **state BC_UNUSED)
{
	struct bc_hasher *h = make("key");
	uint8_t a[BC_HASH_BYTES], b[BC_HASH_BYTES];

	assert_int_equal(bc_hasher_hash(h, "ab", "c", 1, a), 0);
	assert_int_equal(bc_hasher_hash(h, "a", "bc", 2, b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	bc_hasher_destroy(h);
	bc_hasher_destroy(NULL);
}

static bool create_and_hash(void *ctx)
{
	struct bc_hasher *h = bc_hasher_create(ctx);
	uint8_t hash[BC_HASH_BYTES];

	if (!h)
		return false;
	assert_int_equal(bc_hasher_hash(h, "token", "x", 1, hash), 0);
	bc_hasher_destroy(h);
	return true;
}

static void without_memory_there_is_no_hasher(void **state BC_UNUSED)
{
	struct bc_secret *key = bc_secret_create("key", 3);

	each_allocation_failing(create_and_hash, key);
	bc_secret_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_is_hmac_sha256_of_domain_nul_and_bytes),
		cmocka_unit_test(a_hasher_gives_the_same_hash_again),
		cmocka_unit_test(another_key_gives_another_hash),
		cmocka_unit_test(domain_and_bytes_do_not_run_together),
		cmocka_unit_test(without_memory_there_is_no_hasher),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
