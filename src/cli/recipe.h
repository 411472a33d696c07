/* SPDX-License-Identifier: MIT */
/*
 * What a recipe is made of: lines of a web server's configuration, each with what it is printed
 * for. A server is one file with one table; recipe.c fills in what belongs to the installation.
 *
 * Between two '@' a line names a value (see `fills` in recipe.c). What comes in that way has been
 * checked: no quote, no backslash, no '#', no control byte. So a table may quote as its server
 * likes to.
 *
 * Rules that hold for every recipe:
 *  - A token gets in by one way only: the pattern of token.h, matched against the request as it
 *    came. So no ';', no line break and no percent escape reaches a header, a log or a datagram.
 *  - Only what a visitor opens is a landing: GET and, where the browser says what it wants it for,
 *    a document. A hidden image or frame plants no token.
 *  - The page never waits: nothing is asked of the daemon, at most a datagram is sent to it.
 */
#ifndef BC_CLI_RECIPE_H
#define BC_CLI_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

/* When a line is printed: all of its bits must hold. */
enum bc_recipe_when {
	BC_RECIPE_ALWAYS = 0,
	BC_RECIPE_TOKEN = 1 << 0, /* the cookie carries the token */
	BC_RECIPE_ID = 1 << 1,	  /* it carries an id, and the daemon gets the token */
	BC_RECIPE_CONSENT = 1 << 2,
	BC_RECIPE_NO_CONSENT = 1 << 3,
	BC_RECIPE_SESSION = 1 << 4,
	BC_RECIPE_SESSION_WORD = 1 << 5, /* its name is letters, digits and '_' */
	BC_RECIPE_SESSION_ODD = 1 << 6,	 /* it is not */
	BC_RECIPE_UNIX = 1 << 7,	 /* where the daemon's input is */
	BC_RECIPE_UDP = 1 << 8,
	BC_RECIPE_LANDINGS = 1 << 9, /* products are told apart by where a visitor lands */
	BC_RECIPE_OTHERS = 1 << 10,  /* there are products of other partners than Sovendus */
};

struct bc_recipe_line {
	unsigned when;
	const char *text;
};

/* Each ends with a row without a text. */
extern const struct bc_recipe_line bc_recipe_nginx[], bc_recipe_haproxy[], bc_recipe_apache[];

#endif
