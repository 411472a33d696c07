/* SPDX-License-Identifier: MIT */
/* Secrets: where their bytes lie, who may see them, and that the log writer's question finds them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/secret.h"
#include "failing_malloc.h"

static bool occurs(const char *text)
{
	return bc_secret_occurs(text, strlen(text));
}

static struct bc_secret *make(const char *text)
{
	struct bc_secret *s = bc_secret_create(text, strlen(text));

	assert_non_null(s);
	return s;
}

static void a_secret_keeps_its_bytes(void **state BC_UNUSED)
{
	struct bc_secret *s = bc_secret_create("k\0y\xff", 4);

	assert_int_equal(bc_secret_len(s), 4);
	assert_memory_equal(bc_secret_reveal(s), "k\0y\xff", 5);
	bc_secret_unref(s);
	s = bc_secret_create(NULL, 0);
	assert_string_equal(bc_secret_reveal(s), "");
	bc_secret_unref(s);
	bc_secret_unref(NULL);
	assert_null(bc_secret_ref(NULL));
}

static void a_secret_has_a_ceiling(void **state BC_UNUSED)
{
	static char big[BC_SECRET_MAX_BYTES + 1];
	struct bc_secret *s = bc_secret_create(big, BC_SECRET_MAX_BYTES);

	assert_non_null(s);
	bc_secret_unref(s);
	assert_null(bc_secret_create(big, sizeof(big)));
	assert_null(bc_secret_create(big, SIZE_MAX));
}

static void equality_needs_every_byte_and_the_length(void **state BC_UNUSED)
{
	struct bc_secret *s = make("hunter2");

	assert_true(bc_secret_equals(s, "hunter2", 7));
	assert_false(bc_secret_equals(s, "hunter3", 7));
	assert_false(bc_secret_equals(s, "Hunter2", 7));
	assert_false(bc_secret_equals(s, "hunter", 6));
	assert_false(bc_secret_equals(s, "hunter2\0", 8));
	assert_false(bc_secret_equals(s, "hunter2\0hunter2", 15));
	assert_false(bc_secret_equals(s, NULL, 0));
	bc_secret_unref(s);
	s = make("");
	assert_true(bc_secret_equals(s, "", 0));
	assert_false(bc_secret_equals(s, "\0", 1));
	bc_secret_unref(s);
}

static void a_fingerprint_is_the_start_of_sha256(void **state BC_UNUSED)
{
	char text[BC_FINGERPRINT_BYTES];
	struct bc_secret *s = make("abc");

	bc_secret_fingerprint(s, text);
	assert_string_equal(text, "ba7816bf");
	bc_secret_unref(s);
}

static void a_live_secret_is_found_wherever_it_stands(void **state BC_UNUSED)
{
	struct bc_secret *s = make("s3cr3t-key");

	assert_true(occurs("s3cr3t-key"));
	assert_true(occurs("a line with s3cr3t-key in it"));
	assert_true(occurs("at the end s3cr3t-key"));
	assert_true(bc_secret_occurs("nul\0s3cr3t-key", 14));
	assert_false(occurs("s3cr3t-ke"));
	assert_false(occurs("S3CR3T-KEY"));
	assert_false(occurs(""));
	assert_false(bc_secret_occurs(NULL, 0));
	bc_secret_unref(s);
}

static void a_secret_is_found_escaped_for_json_or_a_url(void **state BC_UNUSED)
{
	struct bc_secret *s = make("a\"b\\c/d e\n\x01");

	assert_true(occurs("{\"apiKey\":\"a\\\"b\\\\c/d e\\n\\u0001\"}"));
	assert_true(occurs("client_secret=a%22b%5Cc%2Fd%20e%0A%01&x=y"));
	assert_true(occurs("a\"b\\c/d e\n\x01"));
	assert_false(occurs("a%22b%5Cc%2Fd"));
	bc_secret_unref(s);
}

static void short_secrets_are_not_searched_for(void **state BC_UNUSED)
{
	struct bc_secret *five = make("12345");
	struct bc_secret *six = make("zyxwvu");

	assert_false(occurs("order 12345 accepted"));
	assert_true(occurs("order zyxwvu accepted"));
	bc_secret_unref(five);
	bc_secret_unref(six);
}

static void a_secret_lives_until_its_last_reference_goes(void **state BC_UNUSED)
{
	struct bc_secret *first = make("first-secret");
	struct bc_secret *middle = make("middle-secret");
	struct bc_secret *last = make("last-secret");

	assert_ptr_equal(bc_secret_ref(middle), middle);
	bc_secret_unref(middle);
	assert_true(occurs("middle-secret"));
	bc_secret_unref(middle);
	assert_false(occurs("middle-secret"));
	assert_true(occurs("first-secret"));
	assert_true(occurs("last-secret"));
	bc_secret_unref(last);
	assert_false(occurs("last-secret"));
	assert_true(occurs("first-secret"));
	bc_secret_unref(first);
	assert_false(occurs("first-secret"));
}

static void two_holders_of_the_same_text_do_not_share_its_life(void **state BC_UNUSED)
{
	struct bc_secret *old = make("same-secret");
	struct bc_secret *new = make("same-secret");

	bc_secret_unref(old);
	assert_true(occurs("same-secret"));
	bc_secret_unref(new);
	assert_false(occurs("same-secret"));
}

/* The VmFlags of the mapping that holds address, "" when there is none. */
static void mapping_flags(const void *address, char flags[512])
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;

	assert_non_null(maps);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			memcpy(flags, line, sizeof(line));
	}
	fclose(maps);
}

static void its_memory_is_kept_out_of_core_dumps_and_locked(void **state BC_UNUSED)
{
	struct bc_secret *s = make("where-am-i");
	struct rlimit limit;
	char flags[512];

	mapping_flags(bc_secret_reveal(s), flags);
	assert_non_null(strstr(flags, " dd"));
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
#ifndef BC_SANITIZED /* the address sanitizer makes mlock do nothing */
	if (limit.rlim_cur >= 65536)
		assert_non_null(strstr(flags, " lo"));
#endif
	bc_secret_unref(s);
}

static void its_memory_is_gone_with_it(void **state BC_UNUSED)
{
	struct bc_secret *s = make("soon-gone-for-good");
	const char *bytes = bc_secret_reveal(s);
	char *page = (char *)((uintptr_t)bytes & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1));
	unsigned char resident;

	assert_int_equal(mincore(page, 1, &resident), 0);
	bc_secret_unref(s);
	assert_int_equal(mincore(page, 1, &resident), -1);
}

static void memory_that_cannot_be_locked_is_tolerated(void **state BC_UNUSED)
{
	struct rlimit limit, none;
	struct bc_secret *s;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	s = make("unlocked-secret");
	assert_true(occurs("unlocked-secret"));
	bc_secret_unref(s);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

static void wiping_zeroes_memory(void **state BC_UNUSED)
{
	char bytes[8] = "abcdefg";

	bc_wipe(bytes, 4);
	assert_memory_equal(bytes, "\0\0\0\0efg", 8);
	bc_wipe(NULL, 0);
}

static void random_bytes_differ_and_stay_in_their_place(void **state BC_UNUSED)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	static unsigned char large[100000];

	bc_random(a + 8, 48);
	bc_random(b + 8, 48);
	assert_memory_not_equal(a + 8, b + 8, 48);
	assert_memory_equal(a, "\0\0\0\0\0\0\0", 8);
	assert_memory_equal(a + 56, "\0\0\0\0\0\0\0", 8);
	bc_random(large, sizeof(large));
	assert_memory_not_equal(large, large + sizeof(large) - 64, 64);
	bc_random(NULL, 0);
}

static void *create_search_release(void *arg)
{
	const char *name = arg;

	for (int i = 0; i < 300; i++) {
		struct bc_secret *s = bc_secret_create(name, strlen(name));
		struct bc_secret *again = bc_secret_ref(s);

		if (!s || !occurs(name))
			return arg;
		bc_secret_unref(s);
		if (!occurs(name))
			return arg;
		bc_secret_unref(again);
		if (occurs(name))
			return arg;
	}
	return NULL;
}

static void threads_may_create_and_search_at_once(void **state BC_UNUSED)
{
	char names[4][16] = { "thread-one", "thread-two", "thread-three", "thread-four" };
	pthread_t threads[4];

	for (size_t i = 0; i < BC_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, create_search_release, names[i]),
				 0);
	for (size_t i = 0; i < BC_COUNT(threads); i++) {
		void *failed = threads;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

static bool create_one(void *ctx BC_UNUSED)
{
	struct bc_secret *s = bc_secret_create("maybe-there", 11);

	assert_int_equal(occurs("maybe-there"), s != NULL);
	bc_secret_unref(s);
	assert_false(occurs("maybe-there"));
	return s != NULL;
}

static void without_memory_there_is_no_secret(void **state BC_UNUSED)
{
	each_allocation_failing(create_one, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_keeps_its_bytes),
		cmocka_unit_test(a_secret_has_a_ceiling),
		cmocka_unit_test(equality_needs_every_byte_and_the_length),
		cmocka_unit_test(a_fingerprint_is_the_start_of_sha256),
		cmocka_unit_test(a_live_secret_is_found_wherever_it_stands),
		cmocka_unit_test(a_secret_is_found_escaped_for_json_or_a_url),
		cmocka_unit_test(short_secrets_are_not_searched_for),
		cmocka_unit_test(a_secret_lives_until_its_last_reference_goes),
		cmocka_unit_test(two_holders_of_the_same_text_do_not_share_its_life),
		cmocka_unit_test(its_memory_is_kept_out_of_core_dumps_and_locked),
		cmocka_unit_test(its_memory_is_gone_with_it),
		cmocka_unit_test(memory_that_cannot_be_locked_is_tolerated),
		cmocka_unit_test(wiping_zeroes_memory),
		cmocka_unit_test(random_bytes_differ_and_stay_in_their_place),
		cmocka_unit_test(threads_may_create_and_search_at_once),
		cmocka_unit_test(without_memory_there_is_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
