/* SPDX-License-Identifier: MIT */
/* See partner_book.h. */
#include "daemon/partner_book.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "daemon/settings_parts.h"
#include "protocol/definition.h"

enum { BOOK_MAX = 256 };

struct page {
	const struct bc_partner *partner; /* owned */
	uint64_t edition;
	struct page *next;
};

struct bc_partner_book {
	char *folder, *where; /* owned */
	struct page *pages;   /* owned */
};

struct bc_partner_book *bc_partner_book_create(const char *folder)
{
	bc_autofree struct bc_partner_book *book = calloc(1, sizeof(*book));
	if (!book)
		return NULL;
	book->folder = bc_str_dup(bc_str_of(folder));
	return book->folder ? bc_take(book) : NULL;
}

void bc_partner_book_destroy(struct bc_partner_book *book)
{
	if (!book)
		return;
	for (struct page *page = book->pages, *next; page; page = next) {
		next = page->next;
		bc_partner_destroy(page->partner);
		free(page);
	}
	free(book->folder);
	free(book->where);
	free(book);
}

const char *bc_partner_book_folder(const struct bc_partner_book *book)
{
	return book->folder;
}

static const struct bc_partner_text *find_text(const char *name)
{
	for (const struct bc_partner_text *t = bc_partner_texts; t->name; t++) {
		if (strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

/* --- texts ----------------------------------------------------------------------------------- */

static int set_where(struct bc_partner_book *book, const char *name)
{
	struct bc_buf path;
	bc_buf_init(&path, 2 * BC_SETTINGS_FILE_MAX);
	int result = bc_buf_addf(&path, "%s/%s.conf", book->folder, name);
	free(book->where);
	book->where = result ? NULL : bc_buf_take(&path);
	bc_buf_finish(&path);
	return book->where ? 0 : BC_ENOMEM;
}

static int refuse_file(const char *path, const struct bc_err *why, struct bc_err *err)
{
	bc_err_set(err, BC_EINVAL, "\"%s\" is not used: %s", path, why->text);
	bc_err_hint(err, "%s", why->hint);
	return BC_EINVAL;
}

/* 1 with the text; 0: there is no such file; BC_EINVAL or BC_ENOMEM. */
static int read_file(struct bc_partner_book *book, const char *name, struct bc_buf *out,
		     struct bc_err *err)
{
	struct bc_err why = { 0 };
	struct stat st;
	int result = set_where(book, name);
	if (result)
		return bc_err_nomem(err);
	result = bc_settings_read_file(book->where, BC_DEFINITION_MAX_BYTES, true, out, &st, &why);
	if (result == BC_ENOENT)
		return 0;
	if (!result)
		result = bc_settings_check_trusted(&st, &why);
	if (result == BC_ENOMEM)
		return bc_err_nomem(err);
	return result ? refuse_file(book->where, &why, err) : 1;
}

int bc_partner_book_text(struct bc_partner_book *book, const char *name, char **ret_text,
			 size_t *ret_bytes, const char **ret_where, struct bc_err *err)
{
	const struct bc_partner_text *known = find_text(name);
	BC_CLEANUP(bc_buf_finish) struct bc_buf text;
	bc_buf_init(&text, BC_DEFINITION_MAX_BYTES + 1);
	*ret_where = "built in";
	if (strcmp(name, bc_partner_sovendus.name) == 0)
		return 0;
	if (!bc_partner_name_ok(bc_str_of(name)))
		return bc_err_tell(
			err, BC_ENOENT,
			"a name has small letters, digits, \"_\" and \"-\"; backchannel partners "
			"lists those there are",
			"\"%.60s\" is no name of a partner", name);
	int result = read_file(book, name, &text, err);
	if (result < 0)
		return result;
	if (result == 0 && !known)
		return bc_err_tell(err, BC_ENOENT,
				   "backchannel partners lists those there are; one of your own is "
				   "a file in the folder of partners",
				   "there is no partner \"%s\"", name);
	if (result == 0 && bc_buf_add(&text, known->text, known->bytes))
		return bc_err_nomem(err);
	if (result == 1)
		*ret_where = book->where;
	*ret_bytes = text.len;
	*ret_text = text.len ? bc_buf_take(&text) : bc_str_dup(BC_STR(""));
	return *ret_text ? 1 : bc_err_nomem(err);
}

/* --- partners -------------------------------------------------------------------------------- */

static const struct bc_partner *look_up(const struct bc_partner_book *book, const char *name)
{
	if (strcmp(name, bc_partner_sovendus.name) == 0)
		return &bc_partner_sovendus;
	for (const struct page *page = book->pages; page; page = page->next) {
		if (strcmp(page->partner->name, name) == 0)
			return page->partner;
	}
	return NULL;
}

/* A file is found by its name, so that has to be the partner's as well. */
static int check_name(const struct bc_partner *partner, const char *name, const char *where,
		      struct bc_err *err)
{
	if (strcmp(partner->name, name) == 0)
		return 0;
	bc_err_set(err, BC_EINVAL, "%s calls its partner \"%s\"", where, partner->name);
	bc_err_hint(err, "write name = %s in it, or call the file %s.conf", name, partner->name);
	return BC_EINVAL;
}

static uint64_t fnv1a(const char *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
	return hash;
}

uint64_t bc_partner_book_edition(const struct bc_partner_book *book,
				 const struct bc_partner *partner)
{
	for (const struct page *page = book->pages; page; page = page->next) {
		if (page->partner == partner)
			return page->edition;
	}
	return 0;
}

static int add_page(struct bc_partner_book *book, const struct bc_partner *partner,
		    struct bc_str text, struct bc_err *err)
{
	struct page *page = calloc(1, sizeof(*page));
	if (!page)
		return bc_err_nomem(err);
	*page = (struct page){ partner, fnv1a(text.ptr, text.len), book->pages };
	book->pages = page;
	return 0;
}

int bc_partner_book_find(struct bc_partner_book *book, const char *name,
			 const struct bc_partner **ret, struct bc_err *err)
{
	const struct bc_partner *partner = look_up(book, name);
	bc_autofree char *text = NULL;
	const char *where = NULL;
	size_t bytes = 0;
	int result = partner ? 0 : bc_partner_book_text(book, name, &text, &bytes, &where, err);
	if (result == 1) {
		result = bc_partner_parse(where == book->where ? where : name, text, bytes,
					  &partner, err);
		if (!result && (result = check_name(partner, name, where, err)) == 0)
			result = add_page(book, partner, (struct bc_str){ text, bytes }, err);
		if (result)
			bc_partner_destroy(partner);
	}
	if (result == BC_ETOOBIG)
		result = BC_EINVAL;
	if (!result)
		*ret = partner;
	return result;
}

/* --- names ----------------------------------------------------------------------------------- */

/* Pointers and what they point at, in one block that grows from both ends. */
struct names {
	char *list[BOOK_MAX];
	size_t count;
};

static bool add_name(struct names *names, struct bc_str name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (bc_str_eq(name, names->list[i]))
			return true;
	}
	if (names->count == BOOK_MAX)
		return true;
	names->list[names->count] = bc_str_dup(name);
	return names->list[names->count++] != NULL;
}

static bool add_folder(struct names *names, const char *folder)
{
	static const char end[] = ".conf";
	DIR *dir = opendir(folder);
	bool good = true;
	for (struct dirent *entry; dir && good && (entry = readdir(dir));) {
		size_t len = strlen(entry->d_name), tail = sizeof(end) - 1;
		if (len <= tail || strcmp(entry->d_name + len - tail, end) != 0)
			continue;
		struct bc_str name = { entry->d_name, len - tail };
		if (bc_partner_name_ok(name))
			good = add_name(names, name);
	}
	if (dir)
		closedir(dir);
	return good;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names and the list of them as one allocation. */
static char **pack(const struct names *names)
{
	size_t bytes = (names->count + 1) * sizeof(char *);
	for (size_t i = 0; i < names->count; i++)
		bytes += strlen(names->list[i]) + 1;
	char **packed = calloc(1, bytes);
	char *to = packed ? (char *)(packed + names->count + 1) : NULL;
	for (size_t i = 0; packed && i < names->count; i++) {
		packed[i] = to;
		to = stpcpy(to, names->list[i]) + 1;
	}
	return packed;
}

int bc_partner_book_names(const struct bc_partner_book *book, char ***ret_names)
{
	struct names names = { .count = 0 };
	bool good = add_name(&names, bc_str_of(bc_partner_sovendus.name));
	for (const struct bc_partner_text *t = bc_partner_texts; good && t->name; t++)
		good = add_name(&names, bc_str_of(t->name));
	good = good && add_folder(&names, book->folder);
	char **packed = NULL;
	if (good) {
		qsort(names.list, names.count, sizeof(names.list[0]), by_name);
		packed = pack(&names);
	}
	for (size_t i = 0; i < names.count; i++)
		free(names.list[i]);
	if (packed)
		*ret_names = packed;
	return packed ? 0 : BC_ENOMEM;
}
