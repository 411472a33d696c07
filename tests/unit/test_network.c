/* SPDX-License-Identifier: MIT */
/* Addresses and networks as text: what is read, what is refused, who is in which network. */
#include "base/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct bc_address address_of(const char *text)
{
	struct bc_address a;
	if (bc_address_parse(bc_str_of(text), &a))
		fail_msg("\"%s\" is no address", text);
	return a;
}

static void an_address_is_read_as_it_is_written(void **state)
{
	static const char *const good[] = { "0.0.0.0",
					    "10.1.2.3",
					    "255.255.255.255",
					    "::",
					    "::1",
					    "fd00::1",
					    "2001:db8::",
					    "FE80::A",
					    "::ffff:10.1.2.3",
					    "1:2:3:4:5:6:7:8" };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(good); i++)
		address_of(good[i]);
}

static void anything_else_is_refused_and_leaves_the_result_alone(void **state)
{
	static const char *const bad[] = {
		"",
		"10.1.2",
		"10.1.2.3.4",
		"10.1.2.256",
		"10.1.2.3:80",
		"[::1]",
		"fe80::1%lo",
		"localhost",
		" 10.1.2.3",
		"10.1.2.3 ",
		"10.1.2.3/32",
		"1:2:3:4:5:6:7:8:9",
		":::",
		"0x0a.1.2.3",
		"10.1.2.3\n",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		struct bc_address a;
		memset(&a, '!', sizeof(a));
		assert_int_equal(bc_address_parse(bc_str_of(bad[i]), &a), BC_EINVAL);
		assert_int_equal(a.bytes[0], '!');
	}
	struct bc_address a;
	assert_int_equal(bc_address_parse((struct bc_str){ "10.1.2.3\0", 9 }, &a), BC_EINVAL);
	assert_int_equal(bc_address_parse((struct bc_str){ "10.1.2.3\0.4", 11 }, &a), BC_EINVAL);
	assert_int_equal(bc_address_parse((struct bc_str){ NULL, 0 }, &a), BC_EINVAL);
}

static void ipv4_and_the_ipv6_address_that_maps_it_are_one(void **state)
{
	struct bc_address plain = address_of("10.1.2.3"), mapped = address_of("::ffff:10.1.2.3");
	struct bc_address other = address_of("::10.1.2.3");
	(void)state;
	assert_memory_equal(&plain, &mapped, sizeof(plain));
	assert_true(bc_address_is_ipv4(&plain));
	assert_false(bc_address_is_ipv4(&other));
}

static void who_is_in_which_network(void **state)
{
	static const struct {
		const char *network, *address;
		bool is_in;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.2.3/8", "10.9.9.9", true }, /* what is beyond the bits does not count */
		{ "10.0.0.0/9", "10.127.0.1", true },
		{ "10.0.0.0/9", "10.128.0.1", false },
		{ "192.168.7.128/25", "192.168.7.127", false },
		{ "192.168.7.128/25", "192.168.7.129", true },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.2", false },
		{ "10.1.2.3/32", "10.1.2.2", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "203.0.113.9", true },
		{ "fd00::/8", "fdff::1", true },
		{ "fd00::/8", "fe00::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "::1/128", "::1", true },
		{ "::ffff:10.0.0.0/104", "10.3.4.5", true },
	};
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_network n;
		struct bc_address a = address_of(rows[i].address);
		assert_int_equal(bc_network_parse(bc_str_of(rows[i].network), &n), 0);
		if (bc_network_has(&n, &a) != rows[i].is_in)
			fail_msg("row %zu: %s in %s", i, rows[i].address, rows[i].network);
	}
}

static void a_network_with_impossible_bits_is_refused(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33",  "10.0.0.0/",	  "10.0.0.0/-1",
					   "::/129",	   "/8",	  "",
					   "10.0.0.0/8/8", "10.0.0.0/ 8", "fd00::/8x",
					   "host/8" };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(bad); i++) {
		struct bc_network n;
		if (bc_network_parse(bc_str_of(bad[i]), &n) != BC_EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void loopback_is_a_whole_network_of_ipv4_and_one_address_of_ipv6(void **state)
{
	static const struct {
		const char *address;
		bool is;
	} rows[] = { { "127.0.0.1", true },  { "127.255.0.9", true }, { "::1", true },
		     { "126.0.0.1", false }, { "128.0.0.1", false },  { "::", false },
		     { "::2", false },	     { "::127.0.0.1", false } };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_address a = address_of(rows[i].address);
		if (bc_address_is_loopback(&a) != rows[i].is)
			fail_msg("row %zu: %s", i, rows[i].address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_read_as_it_is_written),
		cmocka_unit_test(anything_else_is_refused_and_leaves_the_result_alone),
		cmocka_unit_test(ipv4_and_the_ipv6_address_that_maps_it_are_one),
		cmocka_unit_test(who_is_in_which_network),
		cmocka_unit_test(a_network_with_impossible_bits_is_refused),
		cmocka_unit_test(loopback_is_a_whole_network_of_ipv4_and_one_address_of_ipv6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
