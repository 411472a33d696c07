/* SPDX-License-Identifier: MIT */
/*
 * Where log lines go, which are wanted, and which are refused. How a line is spelled is in
 * log_line.c.
 *
 * Invariants: no line that holds a live secret is gathered, or leaves; a write(2) holds whole lines
 * and no more than a pipe takes in one piece (a longer line goes alone), so those of threads and of
 * processes that share a file do not mix; only a thread that gathers leaves something in the
 * buffer; errno is kept, so that a caller may log before it looks. Nothing here allocates or fails,
 * and nothing is asserted under the lock: a broken assertion flushes.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/secret.h"

static atomic_int wanted_level = BC_LOG_INFO;
static atomic_bool as_json;
static _Thread_local bool gathers;

static struct {
	pthread_mutex_t lock;
	int fd;
	size_t len;
	char bytes[PIPE_BUF];
} out = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO };

void bc_log_setup(enum bc_log_level level, bool json)
{
	atomic_store(&wanted_level, (int)level);
	atomic_store(&as_json, json);
}

bool bc_log_enabled(enum bc_log_level level)
{
	return (int)level <= atomic_load_explicit(&wanted_level, memory_order_relaxed);
}

/* Position of the word in the list, or -1. */
static int find_word(struct bc_str word, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
		if (bc_str_ieq(word, words[i]))
			return i;
	return -1;
}

int bc_log_parse(struct bc_str text, enum bc_log_level *ret_level, bool *ret_json)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	static const char *const formats[] = { "text", "json" };
	struct bc_str level_word = bc_str_trim(bc_str_split(&text, ','));
	int level = find_word(level_word, levels, BC_COUNT(levels));
	int format = -1;

	if (level < 0)
		return BC_EINVAL;
	if (text.ptr) {
		format = find_word(bc_str_trim(text), formats, BC_COUNT(formats));
		if (format < 0)
			return BC_EINVAL;
		*ret_json = format == 1;
	}
	*ret_level = (enum bc_log_level)level;
	return 0;
}

/* Values that were escaped or cut are searched as they were: half a secret at a cut is one too. */
static bool holds_secret(const struct bc_log_line *line, const struct bc_log_field *fields,
			 size_t n)
{
	for (size_t i = 0; line->altered && i < n; i++)
		if (fields[i].type == BC_FIELD_STR && fields[i].str.ptr &&
		    bc_secret_occurs(fields[i].str.ptr, fields[i].str.len))
			return true;
	return bc_secret_occurs(line->bytes, line->len);
}

static void render_refusal(struct bc_log_line *line, bool json, uint64_t now, const char *event)
{
	const struct bc_log_field fields[] = {
		/* JSON has a member "event" already. */
		BC_LS(json ? "refused_event" : "event", event),
		BC_LS("reason", "the line held a secret"),
	};

	bc_log_line_render(line, json, now, BC_LOG_ERROR, "log.refused", fields, BC_COUNT(fields));
}

/* --- under the lock -------------------------------------------------------------------------- */

/* A pipe may take bytes in parts. What cannot be written is lost: logging must not stall. */
static void write_out(const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t wrote = write(out.fd, bytes + done, len - done);

		if (wrote > 0)
			done += (size_t)wrote;
		else if (wrote == 0 || errno != EINTR)
			return;
	}
}

static void flush(void)
{
	write_out(out.bytes, out.len);
	out.len = 0;
}

static void add(const struct bc_log_line *line)
{
	if (line->len > sizeof(out.bytes) - out.len)
		flush();
	if (line->len > sizeof(out.bytes)) {
		write_out(line->bytes, line->len);
		return;
	}
	memcpy(out.bytes + out.len, line->bytes, line->len);
	out.len += line->len;
}

/* --- the way out ----------------------------------------------------------------------------- */

void bc_log_to_fd(int fd)
{
	pthread_mutex_lock(&out.lock);
	flush();
	out.fd = fd;
	pthread_mutex_unlock(&out.lock);
}

void bc_log_flush(void)
{
	const int saved_errno = errno;

	pthread_mutex_lock(&out.lock);
	flush();
	pthread_mutex_unlock(&out.lock);
	errno = saved_errno;
}

void bc_log_gather(bool on)
{
	gathers = on;
	if (!on)
		bc_log_flush();
}

void bc_log_write(enum bc_log_level level, const char *event, const struct bc_log_field *fields,
		  size_t n)
{
	const bool json = atomic_load(&as_json);
	const uint64_t now = bc_wall_ms(&bc_clock_system);
	const int saved_errno = errno;
	struct bc_log_line line;

	bc_log_line_render(&line, json, now, level, event, fields, n);
	if (holds_secret(&line, fields, n)) {
		bc_wipe(&line, sizeof(line));
		render_refusal(&line, json, now, event);
		level = BC_LOG_ERROR;
	}
	pthread_mutex_lock(&out.lock);
	add(&line);
	if (!gathers || level <= BC_LOG_WARNING)
		flush();
	pthread_mutex_unlock(&out.lock);
	errno = saved_errno;
}
