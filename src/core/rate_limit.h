/* SPDX-License-Identifier: MIT */
/*
 * A bucket of permits for each address, in a table that never grows: an address takes one for each
 * thing it asks for, they come back at a steady rate, and no more than burst of them gather. An
 * IPv6 address counts as its /64, which is what one customer gets.
 *
 * When the table is full, whoever has the most permits left gives way: forgetting him costs least,
 * and who is over the limit is forgotten last. Constant time; where an address stands is drawn anew
 * in each process, so nobody can choose addresses that push out each other. One thread.
 */
#ifndef BC_CORE_RATE_LIMIT_H
#define BC_CORE_RATE_LIMIT_H

#include "base/network.h"

struct bc_rate_limit;

enum { BC_RATE_LIMIT_ADDRESSES = 65536 };

/* NULL: no memory. burst: at least 1. */
BC_MUST_CHECK struct bc_rate_limit *bc_rate_limit_create(uint64_t per_hour, uint64_t burst);
void bc_rate_limit_destroy(struct bc_rate_limit *l); /* NULL is fine */
/* From now on; what was taken stays taken. */
void bc_rate_limit_set(struct bc_rate_limit *l, uint64_t per_hour, uint64_t burst);
/* Takes a permit, if there is one. now_ms: a clock that does not jump. */
BC_MUST_CHECK bool bc_rate_limit_take(struct bc_rate_limit *l, const struct bc_address *address,
				      uint64_t now_ms);

#endif
