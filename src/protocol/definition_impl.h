/* SPDX-License-Identifier: MIT */
/* What the two halves of the check share. */
#ifndef BC_PROTOCOL_DEFINITION_IMPL_H
#define BC_PROTOCOL_DEFINITION_IMPL_H

#include "base/str.h"
#include "protocol/definition.h"

struct bc_check {
	const struct bc_partner *partner;
	const struct bc_definition *d; /* NULL: it was not read from text */
	const struct bc_definition_teller *teller;
	struct bc_definition_tally *tally;
};

void bc_check_tell(struct bc_check *c, unsigned line, bool is_error, const char *hint,
		   const char *fmt, ...) BC_PRINTF(5, 6);

/* definition_answers.c */
void bc_check_answers(struct bc_check *c);

#endif
