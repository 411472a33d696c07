/* SPDX-License-Identifier: MIT */
/* What is logged, kept in a file while a test runs, so that it can count the lines. */
#ifndef BC_TESTS_LOG_KEPT_H
#define BC_TESTS_LOG_KEPT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int saved_stderr;
static FILE *log_file;

static inline bool log_keep(enum bc_log_level level)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	log_file = tmpfile();
	if (saved_stderr < 0 || !log_file || dup2(fileno(log_file), STDERR_FILENO) < 0)
		return false;
	bc_log_setup(level, false);
	return true;
}

static inline void log_keep_end(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(log_file);
	bc_log_setup(BC_LOG_ERROR, false);
}

/* How many lines of the log so far hold the text. */
static inline int lines_with(const char *text)
{
	char line[2048];
	int n = 0;
	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		n += strstr(line, text) != NULL;
	fseek(log_file, 0, SEEK_END);
	return n;
}

#endif
