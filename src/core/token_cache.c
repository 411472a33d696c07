/* SPDX-License-Identifier: MIT */
/*
 * See token_cache.h. Everything is opened below a descriptor of the directory, which is looked at
 * each time: who may write the directory may put any file in our file's place.
 *
 * The token is written clear, in a file of mode 0600: it is worth a day at most, and whoever reads
 * this user's files has the client secret as well. What passes through memory is wiped.
 */
#include "core/token_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <backchannel/oauth.h>

#include "base/err.h"

enum {
	FILE_MAX_BYTES = 64 * 1024, /* a token, escaped, and little more */
	DIGEST_BYTES = 32,
	FORMAT = 1
};

struct bc_token_cache {
	char *directory, *name, *lock_name, *new_name; /* owned */
	int lock;				       /* a descriptor, or -1 */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define autoclose BC_CLEANUP(close_fd)

/* --- the key --------------------------------------------------------------------------------- */

/* Each part with its NUL, so that no two lists of parts give the same bytes. */
static bool digest_part(EVP_MD_CTX *context, const char *part)
{
	return EVP_DigestUpdate(context, part, strlen(part) + 1) == 1;
}

int bc_token_cache_key(const char *token_url, const char *client_id, const char *scope,
		       const struct bc_secret *secret, char ret_key[BC_CACHE_KEY_BYTES])
{
	uint8_t digest[DIGEST_BYTES];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool made = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		    digest_part(context, token_url) && digest_part(context, client_id) &&
		    digest_part(context, scope ? scope : "") &&
		    digest_part(context, bc_secret_reveal(secret)) &&
		    EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	if (!made)
		return BC_ENOMEM;
	bc_hex(digest, (BC_CACHE_KEY_BYTES - 1) / 2, ret_key);
	return 0;
}

/* --- what may be trusted --------------------------------------------------------------------- */

static int fail(struct bc_err *err, const char *what, const char *path)
{
	return bc_err_tell(err, BC_EIO, bc_errno_hint(errno), "cannot %s \"%s\": %s", what, path,
			   strerror(errno));
}

static int check_directory(const char *path, const struct stat *st, struct bc_err *err)
{
	if (st->st_uid != geteuid() && st->st_uid != 0)
		bc_err_set(err, BC_EINVAL, "the directory \"%s\" belongs to another user", path);
	else if (st->st_mode & 022)
		bc_err_set(err, BC_EINVAL, "the directory \"%s\" may be written by others", path);
	else
		return 0;
	bc_err_hint(err, "name a file in a directory of this user alone (mode 0700)");
	return BC_EINVAL;
}

static int check_file(const char *name, const struct stat *st, struct bc_err *err)
{
	if (!S_ISREG(st->st_mode))
		bc_err_set(err, BC_EINVAL, "\"%s\" is not a plain file", name);
	else if (st->st_uid != geteuid())
		bc_err_set(err, BC_EINVAL, "\"%s\" belongs to another user", name);
	else if (st->st_mode & 077)
		bc_err_set(err, BC_EINVAL, "\"%s\" may be read or written by others", name);
	else
		return 0;
	bc_err_hint(err, "remove it; it is made again, with mode 0600");
	return BC_EINVAL;
}

static int open_directory(const struct bc_token_cache *c, int *ret_fd, struct bc_err *err)
{
	struct stat st;
	autoclose int fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		bc_err_hint(err, "make it (mode 0700), or name a file in another one");
		return fail(err, "open the directory", c->directory);
	}
	int result = check_directory(c->directory, &st, err);
	if (result)
		return result;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* 0 with ret_fd -1: there is none. */
static int open_file(int directory, const char *name, int flags, int *ret_fd, struct bc_err *err)
{
	struct stat st;
	autoclose int fd =
		openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	*ret_fd = -1;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return fail(err, "open", name);
	int result = check_file(name, &st, err);
	if (result)
		return result;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* --- the lock -------------------------------------------------------------------------------- */

int bc_token_cache_lock(struct bc_token_cache *c, struct bc_err *err)
{
	autoclose int directory = -1;
	autoclose int fd = -1;
	if (c->lock >= 0)
		return 0;
	int result = open_directory(c, &directory, err);
	if (!result)
		result = open_file(directory, c->lock_name, O_RDWR | O_CREAT, &fd, err);
	if (result)
		return result;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK || errno == EINTR)
			return bc_err_tell(err, BC_EBUSY,
					   "nothing to do: another process fetches the token, and "
					   "it is read when it is there",
					   "\"%s\" is locked", c->lock_name);
		return fail(err, "lock", c->lock_name);
	}
	c->lock = fd;
	fd = -1;
	return 0;
}

void bc_token_cache_unlock(struct bc_token_cache *c)
{
	close_fd(&c->lock);
	c->lock = -1;
}

/* --- reading --------------------------------------------------------------------------------- */

static int read_all(int fd, struct bc_buf *to, const char *name, struct bc_err *err)
{
	for (;;) {
		char *room = bc_buf_room(to, 4096);
		if (!room)
			return to->len + 4096 > to->max ? BC_ENOENT : bc_err_nomem(err);
		ssize_t n = read(fd, room, 4096);
		if (n < 0 && errno != EINTR)
			return fail(err, "read", name);
		if (n == 0)
			return 0;
		to->len += n > 0 ? (size_t)n : 0;
	}
}

static uint64_t number_of(const json_t *root, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(root, key));
	return n > 0 ? (uint64_t)n : 0;
}

static bool key_among(const char *key, const char (*keys)[BC_CACHE_KEY_BYTES], size_t count)
{
	for (size_t i = 0; key && i < count; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* Visible ASCII alone: anything else could break out of the header it will stand in. */
static bool is_sendable(const char *token, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (token[i] < 0x21 || token[i] > 0x7e)
			return false;
	return len > 0 && len <= BC_OAUTH_TOKEN_MAX;
}

/* A life beyond any that we write, or times out of order, were not written by us. */
static bool is_ours(const json_t *root, const struct bc_cached_token *read)
{
	return json_integer_value(json_object_get(root, "format")) == FORMAT && read->issued_ms &&
	       read->issued_ms <= read->refresh_ms && read->refresh_ms <= read->expires_ms &&
	       read->expires_ms - read->issued_ms <= BC_OAUTH_LIFE_MAX_MS;
}

static int take(const json_t *root, const char (*keys)[BC_CACHE_KEY_BYTES], size_t key_count,
		uint64_t now_ms, struct bc_cached_token *ret_token, struct bc_err *err)
{
	const json_t *token = json_object_get(root, "access_token");
	struct bc_cached_token read = { .issued_ms = number_of(root, "issued_ms"),
					.refresh_ms = number_of(root, "refresh_ms"),
					.expires_ms = number_of(root, "expires_ms") };
	if (!is_ours(root, &read) || !json_is_string(token) ||
	    !is_sendable(json_string_value(token), json_string_length(token)))
		return BC_ENOENT;
	if (!key_among(json_string_value(json_object_get(root, "credential")), keys, key_count) ||
	    read.issued_ms > now_ms || read.expires_ms <= now_ms)
		return 0;
	read.token = bc_secret_create(json_string_value(token), json_string_length(token));
	if (!read.token)
		return bc_err_nomem(err);
	*ret_token = read;
	return 1;
}

static void wipe_text(const json_t *text)
{
	if (json_is_string(text))
		bc_wipe((char *)json_string_value(text), json_string_length(text));
}

static int parse(const struct bc_buf *content, const char (*keys)[BC_CACHE_KEY_BYTES],
		 size_t key_count, uint64_t now_ms, struct bc_cached_token *ret_token,
		 struct bc_err *err)
{
	json_error_t where;
	json_t *root = json_loadb(content->data ? content->data : "", content->len,
				  JSON_REJECT_DUPLICATES, &where);
	int result = take(root, keys, key_count, now_ms, ret_token, err);
	wipe_text(json_object_get(root, "access_token"));
	json_decref(root);
	return result;
}

int bc_token_cache_read(struct bc_token_cache *c, const char (*keys)[BC_CACHE_KEY_BYTES],
			size_t key_count, uint64_t now_ms, struct bc_cached_token *ret_token,
			struct bc_err *err)
{
	autoclose int directory = -1;
	autoclose int fd = -1;
	struct bc_buf content;
	int result = open_directory(c, &directory, err);
	if (!result)
		result = open_file(directory, c->name, O_RDONLY, &fd, err);
	if (result || fd < 0)
		return result;
	bc_buf_init(&content, FILE_MAX_BYTES);
	result = read_all(fd, &content, c->name, err);
	if (!result)
		result = parse(&content, keys, key_count, now_ms, ret_token, err);
	bc_buf_finish(&content);
	return result;
}

/* --- writing --------------------------------------------------------------------------------- */

/* By hand: jansson would leave copies of the token behind. */
static int print(struct bc_buf *to, const char *key, const struct bc_cached_token *token)
{
	const char *text = bc_secret_reveal(token->token);
	int result = bc_buf_addf(to, "{\"format\":%d,\"credential\":\"%s\",\"access_token\":\"",
				 FORMAT, key);
	for (; !result && *text; text++) {
		bool escaped = *text == '"' || *text == '\\';
		result = bc_buf_addf(to, "%s%c", escaped ? "\\" : "", *text);
	}
	return result ? result
		      : bc_buf_addf(to,
				    "\",\"issued_ms\":%llu,\"refresh_ms\":%llu,"
				    "\"expires_ms\":%llu}\n",
				    (unsigned long long)token->issued_ms,
				    (unsigned long long)token->refresh_ms,
				    (unsigned long long)token->expires_ms);
}

static int write_all(int fd, const struct bc_buf *content)
{
	size_t at = 0;
	while (at < content->len) {
		ssize_t n = write(fd, content->data + at, content->len - at);
		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd);
}

/* Whoever else writes without the lock (it took too long to get) fails at O_EXCL: one of the two
 * tokens is kept whole. */
static int replace(const struct bc_token_cache *c, int directory, const struct bc_buf *content,
		   struct bc_err *err)
{
	unlinkat(directory, c->new_name, 0);
	autoclose int fd = openat(directory, c->new_name,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, "make", c->new_name);
	if (write_all(fd, content) || renameat(directory, c->new_name, directory, c->name)) {
		fail(err, "write", c->new_name);
		unlinkat(directory, c->new_name, 0);
		return BC_EIO;
	}
	return fsync(directory) ? fail(err, "write", c->directory) : 0;
}

int bc_token_cache_write(struct bc_token_cache *c, const char *key,
			 const struct bc_cached_token *token, struct bc_err *err)
{
	autoclose int directory = -1;
	struct bc_buf content;
	int result = open_directory(c, &directory, err);
	if (result)
		return result;
	bc_buf_init(&content, FILE_MAX_BYTES);
	result = print(&content, key, token);
	if (result)
		bc_err_tell(err, result,
			    "free memory on this machine; the token itself is in use all the same",
			    "no memory for the content of \"%s\"", c->name);
	else
		result = replace(c, directory, &content, err);
	bc_buf_finish(&content);
	return result;
}

/* --- life ------------------------------------------------------------------------------------ */

static char *joined(const char *name, const char *end)
{
	char *text = NULL;
	return asprintf(&text, "%s%s", name, end) < 0 ? NULL : text;
}

struct bc_token_cache *bc_token_cache_create(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct bc_token_cache *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->lock = -1;
	c->directory = !slash	       ? strdup(".")
		       : slash == path ? strdup("/")
				       : strndup(path, (size_t)(slash - path));
	c->name = strdup(name);
	c->lock_name = joined(name, ".lock");
	c->new_name = joined(name, ".new");
	if (c->directory && c->name && c->lock_name && c->new_name)
		return c;
	bc_token_cache_destroy(c);
	return NULL;
}

void bc_token_cache_destroy(struct bc_token_cache *c)
{
	if (!c)
		return;
	bc_token_cache_unlock(c);
	free(c->directory);
	free(c->name);
	free(c->lock_name);
	free(c->new_name);
	free(c);
}
