/* SPDX-License-Identifier: MIT */
/*
 * Fills struct bc_err and ends the process on broken assertions.
 *
 * Invariants: the first text wins; a text is always terminated, never ends inside a UTF-8 sequence
 * and holds no control byte, because its quoted subject often comes from outside and the text may
 * end on a terminal. Nothing here allocates, so running out of memory can be reported too.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char *const code_names[] = {
	[-BC_OK] = "ok",	   [-BC_EINVAL] = "invalid",	  [-BC_ENOMEM] = "no-memory",
	[-BC_ETOOBIG] = "too-big", [-BC_ENOENT] = "not-found",	  [-BC_ECONFLICT] = "conflict",
	[-BC_EAUTH] = "refused",   [-BC_ETIMEDOUT] = "timed-out", [-BC_EUNREACH] = "unreachable",
	[-BC_EBUSY] = "busy",	   [-BC_ESTORE] = "store-failed", [-BC_EUNSURE] = "unsure",
	[-BC_EIO] = "io",	   [-BC_ESTATE] = "bad-state",	  [-BC_EINTERNAL] = "internal",
};

const char *bc_code_name(int code)
{
	if (code > 0 || code <= -(int)BC_COUNT(code_names))
		return "unknown";
	return code_names[-code];
}

void bc_assert_failed(const char *what, const char *file, int line)
{
	bc_log_flush();
	fprintf(stderr, "backchannel: bug: %s:%d: %s does not hold; please report it\n", file, line,
		what);
	abort();
}

static size_t utf8_len(unsigned char lead)
{
	if (lead < 0xc0)
		return 1;
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
}

/* A text that was cut to fit must not end in half a character. */
static void drop_partial_utf8(char *text)
{
	size_t len = strlen(text);
	size_t tail = 1;

	while (tail < 4 && tail < len && ((unsigned char)text[len - tail] & 0xc0) == 0x80)
		tail++;
	if (tail <= len && utf8_len((unsigned char)text[len - tail]) > tail)
		text[len - tail] = '\0';
}

static void tame_control_bytes(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n' || c == '\r' || c == '\t')
			*text = ' ';
		else if (c < 0x20 || c == 0x7f)
			*text = '?';
	}
}

BC_PRINTF(3, 0)
static void fill(char *text, size_t text_bytes, const char *fmt, va_list ap)
{
	int len = vsnprintf(text, text_bytes, fmt, ap);

	if (len < 0)
		snprintf(text, text_bytes, "%s", fmt);
	else if ((size_t)len >= text_bytes)
		drop_partial_utf8(text);
	tame_control_bytes(text);
}

int bc_err_set(struct bc_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	BC_ASSERT(code < 0);
	if (!err || err->code)
		return code;
	err->code = code;
	va_start(ap, fmt);
	fill(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int bc_err_tell(struct bc_err *err, int code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	BC_ASSERT(code < 0);
	if (!err || err->code)
		return code;
	err->code = code;
	va_start(ap, fmt);
	fill(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	bc_err_hint(err, "%s", hint);
	return code;
}

static const struct {
	int errnum;
	const char *hint;
} errno_hints[] = {
	{ ENOSPC, "the disk is full: make room on it" },
	{ EDQUOT, "the user's share of the disk is used up: make room, or raise the quota" },
	{ EACCES, "give the user that this runs as the right to it, or choose another place" },
	{ EPERM, "the system does not allow it to this user; see the unit's hardening as well" },
	{ EROFS, "the file system is read-only: choose another place, or see the kernel's log" },
	{ ENOENT, "the directory above it has to be there: make it, or correct the path" },
	{ ENOTDIR, "a part of the path is no directory: correct the path" },
	{ EISDIR, "it is a directory: name a file in it" },
	{ EEXIST, "something stands there already: move it away, or choose another place" },
	{ ELOOP, "it is a symbolic link, which is not followed here: name the file itself" },
	{ ENAMETOOLONG, "choose a shorter path" },
	{ EIO, "the disk does not read or write: see the kernel's log (dmesg)" },
	{ EMFILE, "raise the limit of open files (LimitNOFILE= in the unit, ulimit -n)" },
	{ ENFILE, "the machine is out of open files: see fs.file-max" },
	{ ENOMEM, "free memory on this machine or raise the service's memory limit" },
	{ EAGAIN, "try again; when it stays so, raise the user's limit of processes" },
	{ EADDRINUSE, "another process listens there (ss -ltnp names it): stop it, or choose "
		      "another address" },
	{ EADDRNOTAVAIL, "this machine has no such address (ip address lists them)" },
	{ EAFNOSUPPORT, "this machine has no IPv6 or no IPv4: choose an address of the other" },
};

const char *bc_errno_hint(int errnum)
{
	for (size_t i = 0; i < BC_COUNT(errno_hints); i++)
		if (errno_hints[i].errnum == errnum)
			return errno_hints[i].hint;
	return "the words of the system say what is wrong; its log may say more";
}

void bc_err_hint(struct bc_err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->hint[0])
		return;
	va_start(ap, fmt);
	fill(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

int bc_err_nomem(struct bc_err *err)
{
	bc_err_set(err, BC_ENOMEM, "out of memory");
	bc_err_hint(err, "free memory on this machine or raise the service's memory limit");
	return BC_ENOMEM;
}

void bc_err_clear(struct bc_err *err)
{
	if (err)
		memset(err, 0, sizeof(*err));
}
