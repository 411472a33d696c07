/* SPDX-License-Identifier: MIT */
/*
 * What `backup` and `restore` share. A back-up is two files: FILE, the store, and FILE.key, the
 * hash key, without which a store answers to nobody. They are two, not one bundle, because FILE is
 * then a plain SQLite file that any tool reads, and because whoever has both can tell which session
 * had which click: so the key can be kept elsewhere. FILE is put in place last; where it stands,
 * the back-up is whole.
 */
#ifndef BC_CLI_BACKUP_H
#define BC_CLI_BACKUP_H

#include <jansson.h>
#include <sys/types.h>

#include "base/secret.h"
#include "cli/cli.h"
#include "store/backup.h"

#define BACKUP_KEY_SUFFIX ".key"
/* What is being written, beside where it is going to stand. */
#define BACKUP_PART_SUFFIX ".part"

/* --- backup_files.c: each 0 or an error with err ---------------------------------------------- */

/* The path behind "sqlite:", or NULL with err: no other store can be backed up. */
const char *backup_store_path(const struct bc_settings *s, struct bc_err *err);
/* a + b; NULL: no memory. free() it. */
char *backup_path(const char *a, const char *b);
bool backup_is_there(const char *path);

/* Copies a file that is no link to a new one, 0600. */
BC_MUST_CHECK int backup_copy_file(const char *from, const char *to,
				   const struct bc_backup_progress *progress, struct bc_err *err);
/* Writes a new file, 0600. */
BC_MUST_CHECK int backup_write_key(const char *path, const struct bc_secret *key,
				   struct bc_err *err);
/* To disk, under its own name, its folder too; replaces what stands there only when told. */
BC_MUST_CHECK int backup_put(const char *part, const char *path, bool replace, struct bc_err *err);
/* Gives a file to the owner of its folder. Does nothing unless it is root who asks. */
BC_MUST_CHECK int backup_give_away(const char *path, struct bc_err *err);

/* --- backup_print.c --------------------------------------------------------------------------- */

/* A bar on stderr where that is a terminal. */
extern const struct bc_backup_progress backup_bar;
void backup_bar_end(void);

/* "188.0 KiB". text: 32 bytes. Returns text. */
char *backup_size(uint64_t bytes, char *text);
/* "layout 3, 2 clicks, 3 orders, 3 attempts" */
void backup_print_facts(const struct bc_backup_facts *f);
uint64_t backup_orders(const struct bc_backup_facts *f);
/* {"bytes","layout","clicks","orders":{…},"attempts","made_at","hash_key"}; NULL: no memory. */
json_t *backup_facts_json(const struct bc_backup_facts *f);

#endif
