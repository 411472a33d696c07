/* SPDX-License-Identifier: MIT */
/*
 * Partners by name. Sovendus is in the library; the others are definitions (docs/partners.md) from
 * one of two places, the first that has NAME goes:
 *
 *	partners/NAME.conf	beside the settings file in use, else below /etc/backchannel
 *	the program itself	the tree's partners/, put in by the build
 *
 * A book belongs to whoever loaded settings, and lives as long as those: a reload reads the files
 * anew. One thread fills it; once it is filled it is read by any.
 */
#ifndef BC_DAEMON_PARTNER_BOOK_H
#define BC_DAEMON_PARTNER_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <backchannel/partner.h>

#include "base/attr.h"

/* What the build put in; ended by a row without a name. */
struct bc_partner_text {
	const char *name, *text;
	size_t bytes;
};
extern const struct bc_partner_text bc_partner_texts[];

struct bc_partner_book;

/* folder: of NAME.conf, need not be there; copied. NULL: no memory. */
struct bc_partner_book *bc_partner_book_create(const char *folder);
void bc_partner_book_destroy(struct bc_partner_book *book); /* NULL is fine */
const char *bc_partner_book_folder(const struct bc_partner_book *book);

/*
 * The partner of that name; borrowed from the book. The same name gives the same one again.
 * 0; BC_ENOENT: there is none; BC_EINVAL: its file is not one to use, err says where and why;
 * BC_ENOMEM.
 */
BC_MUST_CHECK int bc_partner_book_find(struct bc_partner_book *book, const char *name,
				       const struct bc_partner **ret, struct bc_err *err);

/* Two definitions of one name have the same edition if they have the same text. */
uint64_t bc_partner_book_edition(const struct bc_partner_book *book,
				 const struct bc_partner *partner);

/* Its own words: the file as it stands, or what comes with the program. 1 with text (to be freed)
 * and where; 0: there is no text (Sovendus); BC_ENOENT, BC_EINVAL, BC_ENOMEM as above. where:
 * "/etc/backchannel/partners/awin.conf", "built in"; borrowed from the book until the next call. */
BC_MUST_CHECK int bc_partner_book_text(struct bc_partner_book *book, const char *name,
				       char **ret_text, size_t *ret_bytes, const char **ret_where,
				       struct bc_err *err);

/* Names of all that there are, sorted, ended by NULL; free() it, which frees the names too. */
BC_MUST_CHECK int bc_partner_book_names(const struct bc_partner_book *book, char ***ret_names);

#endif
