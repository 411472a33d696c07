/* SPDX-License-Identifier: MIT */
/*
 * Partner definitions as text: read, checked, printed. docs/partners.md describes the format for
 * those who write one; <backchannel/partner.h> what a definition is to those who use it.
 *
 * A text is read in two steps. definition_read.c knows lines, sections and keys, and fills a struct
 * bc_partner; definition_check.c asks whether that one could be used: whether its requests keep
 * their shape, and whether each answer has its row. Both tell of all faults, each with its line.
 */
#ifndef BC_PROTOCOL_DEFINITION_H
#define BC_PROTOCOL_DEFINITION_H

#include <backchannel/partner.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"

enum {
	BC_DEFINITION_MAX_BYTES = 64 * 1024,
	BC_DEFINITION_LIST_MAX = 8,  /* parameters, headers, test tokens, members of an echo */
	BC_DEFINITION_ROWS_MAX = 64, /* answers; tests */
	BC_PARTNER_NAME_MAX = 40
};

/* An answer that the definition itself says the outcome of. */
struct bc_definition_test {
	unsigned line;
	int status;
	const char *body;
	bool young, again; /* a click under a minute old; not the first attempt */
	bool has_outcome;
	enum bc_outcome outcome;
};

/* The single keys, by which a fault finds its line. */
enum bc_definition_key {
	BC_KEY_NAME,
	BC_KEY_TITLE,
	BC_KEY_PARAM,
	BC_KEY_ALSO,
	BC_KEY_TEST,
	BC_KEY_TEST_SHAPE,
	BC_KEY_BASE_URL,
	BC_KEY_ID,
	BC_KEY_METHOD,
	BC_KEY_PATH,
	BC_KEY_QUERY,
	BC_KEY_HEADER,
	BC_KEY_BASIC,
	BC_KEY_CONTENT_TYPE,
	BC_KEY_BODY,
	BC_KEY_ECHO,
	BC_KEY_KEY_IN_URL,
	BC_KEYS
};

struct bc_definition {
	struct bc_partner partner;
	struct bc_arena *arena;	     /* owned; holds all below, itself included */
	unsigned key_lines[BC_KEYS]; /* 0: not there */
	unsigned last_line;
	unsigned row_lines[BC_DEFINITION_ROWS_MAX];
	bool row_has_outcome[BC_DEFINITION_ROWS_MAX];
	struct bc_definition_test tests[BC_DEFINITION_ROWS_MAX];
	size_t test_count;
};

/* Is told of each fault. line 0: of the whole. An error makes the definition useless, advice does
 * not. The texts are those of struct bc_err. */
struct bc_definition_teller {
	void (*tell)(void *ctx, unsigned line, bool is_error, const struct bc_err *fault);
	void *ctx;
};

/*
 * Reads and checks. 0; BC_EINVAL: there were errors, the teller has them; BC_ETOOBIG, likewise;
 * BC_ENOMEM. On failure ret is untouched.
 */
BC_MUST_CHECK int bc_definition_read(const char *text, size_t len,
				     const struct bc_definition_teller *teller,
				     struct bc_definition **ret);
void bc_definition_destroy(struct bc_definition *d); /* NULL is fine */

/* How a check went. */
struct bc_definition_tally {
	unsigned errors, advice;
	unsigned long answers; /* so many were asked for, each has one row */
	unsigned tests;	       /* so many of its own were run */
};
/* Checks a definition. d is what partner was read into, for the lines; NULL: it was not. 0 or
 * BC_ENOMEM. */
BC_MUST_CHECK int bc_definition_check(const struct bc_partner *partner,
				      const struct bc_definition *d,
				      const struct bc_definition_teller *teller,
				      struct bc_definition_tally *ret);

/* The text that reads back as partner. 0, BC_ENOMEM or BC_ETOOBIG (out's ceiling). */
BC_MUST_CHECK int bc_definition_print(const struct bc_partner *partner, struct bc_buf *out);

/* [a-z0-9_-]{1,BC_PARTNER_NAME_MAX} */
bool bc_partner_name_ok(struct bc_str name);

#endif
