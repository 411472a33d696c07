/* SPDX-License-Identifier: MIT */
/* See network.h. */
#include "base/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool bc_address_is_ipv4(const struct bc_address *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

int bc_address_parse(struct bc_str text, struct bc_address *ret_address)
{
	struct bc_address a;
	char copy[INET6_ADDRSTRLEN];
	if (bc_str_copy(copy, sizeof(copy), text) || strlen(copy) != text.len)
		return BC_EINVAL;
	memcpy(a.bytes, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, copy, a.bytes + sizeof(mapped)) != 1 &&
	    inet_pton(AF_INET6, copy, a.bytes) != 1)
		return BC_EINVAL;
	*ret_address = a;
	return 0;
}

int bc_network_parse(struct bc_str text, struct bc_network *ret_network)
{
	struct bc_str bits = text, address = bc_str_split(&bits, '/');
	uint64_t count = 128, most;
	struct bc_network n;
	if (bc_address_parse(address, &n.address))
		return BC_EINVAL;
	most = memchr(address.ptr, ':', address.len) ? 128 : 32;
	if (bits.ptr && (bc_parse_u64(bits, &count) || count > most))
		return BC_EINVAL;
	n.bits = (unsigned)(bits.ptr ? count + 128 - most : 128);
	*ret_network = n;
	return 0;
}

bool bc_network_has(const struct bc_network *network, const struct bc_address *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(network->address.bytes, address->bytes, whole) != 0)
		return false;
	if (!rest)
		return true;
	unsigned differ = network->address.bytes[whole] ^ address->bytes[whole];
	return (differ >> (8 - rest)) == 0;
}

bool bc_address_is_loopback(const struct bc_address *a)
{
	static const uint8_t v6[16] = { [15] = 1 };
	return (bc_address_is_ipv4(a) && a->bytes[12] == 127) ||
	       memcmp(a->bytes, v6, sizeof(v6)) == 0;
}
