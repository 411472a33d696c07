/* SPDX-License-Identifier: MIT */
/* The click cookie as an answer sets it, read and judged. Knows no I/O. */
#ifndef BC_CLI_CHECK_COOKIE_H
#define BC_CLI_CHECK_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { CHECK_COOKIE_VALUE_BYTES = 160 };

struct check_cookie {
	unsigned count; /* how many of that name came; the last one is told */
	char value[CHECK_COOKIE_VALUE_BYTES];
	char path[64], domain[256], same_site[16]; /* "" = not there */
	bool http_only, secure, has_max_age;
	int64_t max_age_s;
};

/* Reads the value of a Set-Cookie field. False: it sets another cookie. */
bool check_cookie_read(struct bc_str field, struct check_cookie *c);

struct check_flaw {
	bool wrong; /* else it is only unwise */
	const char *what, *hint;
};
/* The worst flaw of its attributes, or NULL. */
const struct check_flaw *check_cookie_flaw(const struct check_cookie *c, uint64_t ttl_ms);

#endif
