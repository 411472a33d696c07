/* SPDX-License-Identifier: MIT */
/*
 * Internet addresses as numbers: IPv4 is kept as the IPv6 address that maps it, so there is one
 * kind, one comparison and one table for both.
 */
#ifndef BC_BASE_NETWORK_H
#define BC_BASE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct bc_address {
	uint8_t bytes[16];
};

struct bc_network {
	struct bc_address address;
	unsigned bits; /* 0 to 128 */
};

/* "10.1.2.3", "fd00::1"; no port, no brackets, no zone. 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_address_parse(struct bc_str text, struct bc_address *ret_address);
/* "10.0.0.0/8", or an address alone. 0 or BC_EINVAL. */
BC_MUST_CHECK int bc_network_parse(struct bc_str text, struct bc_network *ret_network);
bool bc_network_has(const struct bc_network *network, const struct bc_address *address);
bool bc_address_is_loopback(const struct bc_address *address);
bool bc_address_is_ipv4(const struct bc_address *address);

#endif
