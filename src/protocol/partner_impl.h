/* SPDX-License-Identifier: MIT */
/* What the files that know how a request is built share. */
#ifndef BC_PROTOCOL_PARTNER_IMPL_H
#define BC_PROTOCOL_PARTNER_IMPL_H

#include <backchannel/partner.h>

enum { BC_PARTNER_ID_PARTS = 4, BC_PARTNER_NAME_BYTES = 32 };

/* The row that decides an answer with a status, or NULL. */
const struct bc_answer_rule *bc_partner_find_rule(const struct bc_partner *partner,
						  const struct bc_partner_answer *answer);
/* Is its body a form? Then a pair may be left out. */
bool bc_partner_has_form(const struct bc_partner *partner);

#endif
