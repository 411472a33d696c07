/* SPDX-License-Identifier: MIT */
/* See check_cookie.h. */
#include "cli/check_cookie.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/attr.h"

#define CLICK_COOKIE "bc_click="

/* --- reading --------------------------------------------------------------------------------- */

static struct bc_str trim(struct bc_str s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len && (unsigned char)s.ptr[s.len - 1] <= ' ')
		s.len--;
	return s;
}

static bool is_name(struct bc_str s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

static void keep(struct bc_str s, char *text, size_t bytes)
{
	snprintf(text, bytes, "%.*s", (int)s.len, s.len ? s.ptr : "");
}

static void read_attribute(struct bc_str attribute, struct check_cookie *c)
{
	char number[24];
	struct bc_str value = attribute;
	struct bc_str name = trim(bc_str_split(&value, '='));
	value = trim(value);
	c->http_only |= is_name(name, "HttpOnly");
	c->secure |= is_name(name, "Secure");
	if (is_name(name, "Path"))
		keep(value, c->path, sizeof(c->path));
	else if (is_name(name, "Domain"))
		keep(value, c->domain, sizeof(c->domain));
	else if (is_name(name, "SameSite"))
		keep(value, c->same_site, sizeof(c->same_site));
	if (!is_name(name, "Max-Age"))
		return;
	keep(value, number, sizeof(number));
	c->has_max_age = true;
	c->max_age_s = strtoll(number, NULL, 10);
}

bool check_cookie_read(struct bc_str field, struct check_cookie *c)
{
	unsigned count = c->count;
	struct bc_str rest = trim(field);
	struct bc_str pair = bc_str_split(&rest, ';');
	if (!bc_str_starts(pair, CLICK_COOKIE))
		return false;
	*c = (struct check_cookie){ .count = count + 1 };
	pair.ptr += sizeof(CLICK_COOKIE) - 1;
	pair.len -= sizeof(CLICK_COOKIE) - 1;
	keep(trim(pair), c->value, sizeof(c->value));
	while (rest.ptr)
		read_attribute(trim(bc_str_split(&rest, ';')), c);
	return true;
}

/* --- judging --------------------------------------------------------------------------------- */

static bool other_path(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return strcmp(c->path, "/") != 0;
}

static bool ends_with_the_visit(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return !c->has_max_age || c->max_age_s <= 0;
}

static bool too_short(const struct check_cookie *c, uint64_t ttl_ms)
{
	return (uint64_t)c->max_age_s < ttl_ms / 1000;
}

static bool too_long(const struct check_cookie *c, uint64_t ttl_ms)
{
	return (uint64_t)c->max_age_s > ttl_ms / 1000;
}

static bool readable(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return !c->http_only;
}

static bool in_clear(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return !c->secure;
}

static bool not_lax(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return strcasecmp(c->same_site, "Lax") != 0;
}

static bool twice(const struct check_cookie *c, uint64_t ttl_ms)
{
	(void)ttl_ms;
	return c->count > 1;
}

static const struct {
	bool (*has)(const struct check_cookie *c, uint64_t ttl_ms);
	struct check_flaw flaw;
} flaws[] = {
	{ other_path,
	  { true, "its Path is not /, so the checkout does not get it",
	    "set Path=/, as backchannel recipe prints it" } },
	{ ends_with_the_visit,
	  { true, "it has no Max-Age, so it ends with the visit",
	    "set Max-Age to click.ttl, as backchannel recipe prints it" } },
	{ too_short,
	  { false, "its Max-Age is shorter than click.ttl, so clicks are lost before they expire",
	    "click.ttl was changed since: print the recipe anew (backchannel recipe) and reload "
	    "the "
	    "web server" } },
	{ too_long,
	  { false, "its Max-Age is longer than click.ttl, so late orders hand back nothing",
	    "click.ttl was changed since: print the recipe anew (backchannel recipe) and reload "
	    "the "
	    "web server" } },
	{ readable,
	  { false, "it is not HttpOnly: every script of the page can read it",
	    "set HttpOnly, as backchannel recipe prints it" } },
	{ in_clear,
	  { false, "it is not Secure: it also goes out without TLS",
	    "set Secure, as backchannel recipe prints it" } },
	{ not_lax,
	  { false,
	    "it is not SameSite=Lax: it comes with other sites' requests, or not from a mail",
	    "set SameSite=Lax, as backchannel recipe prints it" } },
	{ twice,
	  { false, "it is set more than once: two captures are at work",
	    "take one of them out; the last one wins" } },
};

const struct check_flaw *check_cookie_flaw(const struct check_cookie *c, uint64_t ttl_ms)
{
	for (size_t i = 0; i < BC_COUNT(flaws); i++)
		if (flaws[i].has(c, ttl_ms))
			return &flaws[i].flaw;
	return NULL;
}
