/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own, files in it, an environment, and a load over them: what the settings tests
 * share. Nothing outside the folder is read: HOME, the working directory and /etc are all in it.
 */
#ifndef BC_TESTS_SETTINGS_FIXTURE_H
#define BC_TESTS_SETTINGS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/settings.h"
#include "daemon/settings_parts.h"

enum { FIXTURE_VARIABLES = 32 };

struct fixture {
	char dir[64];
	char fallback[96];
	const char *config; /* --config */
	char *environment[FIXTURE_VARIABLES + 1];
	char *owned[FIXTURE_VARIABLES];
	size_t variables;
	struct bc_settings *s;
	struct bc_settings_report report;
	struct bc_err err;
};

BC_PRINTF(2, 3) BC_UNUSED static void set_env(struct fixture *f, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(f->variables < FIXTURE_VARIABLES);
	f->environment[f->variables] = f->owned[f->variables] = strdup(text);
	assert_non_null(f->environment[f->variables]);
	f->variables++;
}

/* Forgets what was loaded and said; keeps files and environment. */
BC_UNUSED static void unload(struct fixture *f)
{
	bc_settings_unref(f->s);
	f->s = NULL;
	bc_settings_report_finish(&f->report);
	bc_err_clear(&f->err);
}

BC_UNUSED static void clear_env(struct fixture *f)
{
	for (size_t i = 0; i < f->variables; i++)
		free(f->owned[i]);
	f->variables = 0;
	memset(f->environment, 0, sizeof(f->environment));
	set_env(f, "HOME=/home/shop");
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/bc-settings-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->fallback, sizeof(f->fallback), "%s/etc.conf", f->dir);
	clear_env(f);
	*state = f;
	return 0;
}

static void path_in(const struct fixture *f, const char *name, char path[160])
{
	snprintf(path, 160, "%s/%s", f->dir, name);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	DIR *d = opendir(f->dir);
	const struct dirent *e;
	char path[512];

	unload(f);
	assert_non_null(d);
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, e->d_name);
		if (e->d_name[0] != '.' || strcmp(e->d_name, ".env") == 0)
			assert_int_equal(remove(path), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(f->dir), 0);
	for (size_t i = 0; i < f->variables; i++)
		free(f->owned[i]);
	free(f);
	return 0;
}

BC_UNUSED static void put_bytes(const struct fixture *f, const char *name, mode_t mode,
				const void *bytes, size_t len)
{
	char path[160];
	int fd;

	path_in(f, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

BC_UNUSED static void put_file(const struct fixture *f, const char *name, const char *text)
{
	put_bytes(f, name, 0600, text, strlen(text));
}

BC_UNUSED static void drop_file(const struct fixture *f, const char *name)
{
	char path[160];

	path_in(f, name, path);
	assert_int_equal(unlink(path), 0);
}

static inline struct bc_settings_source fixture_source(const struct fixture *f)
{
	return (struct bc_settings_source){ .config_path = f->config,
					    .environment = f->environment,
					    .cwd = f->dir,
					    .fallback_path = f->fallback };
}

BC_UNUSED static int load(struct fixture *f)
{
	struct bc_settings_source source = fixture_source(f);

	unload(f);
	return bc_settings_load(&source, &f->s, &f->report, &f->err);
}

/* The report as it would be printed; the last eight stay valid. */
BC_UNUSED static const char *report_text(const struct fixture *f)
{
	static char texts[8][16384];
	static unsigned next;
	char *text = texts[next++ % 8];
	struct bc_buf out;

	bc_buf_init(&out, sizeof(texts[0]) - 1);
	assert_int_equal(bc_settings_report_print(&f->report, &out), 0);
	snprintf(text, sizeof(texts[0]), "%s", out.data ? out.data : "");
	bc_buf_finish(&out);
	return text;
}

BC_UNUSED static void assert_loads(struct fixture *f)
{
	if (load(f))
		fail_msg("refused:\n%s", report_text(f));
}

BC_UNUSED static void assert_quiet(struct fixture *f)
{
	assert_loads(f);
	assert_string_equal(report_text(f), "");
}

BC_UNUSED static void assert_refused(struct fixture *f)
{
	assert_int_equal(load(f), BC_EINVAL);
	assert_null(f->s);
	assert_true(f->report.errors > 0);
	assert_int_equal(f->err.code, BC_EINVAL);
}

BC_UNUSED static void assert_says(const struct fixture *f, const char *part)
{
	const char *text = report_text(f);

	if (!strstr(text, part))
		fail_msg("\"%s\" does not stand in:\n%s", part, text);
}

BC_UNUSED static void assert_silent_about(const struct fixture *f, const char *part)
{
	const char *text = report_text(f);

	if (strstr(text, part) || strstr(f->err.text, part) || strstr(f->err.hint, part))
		fail_msg("\"%s\" stands in:\n%s%s", part, text, f->err.text);
}

BC_UNUSED static void assert_secret(const struct bc_secret *secret, const char *value)
{
	assert_non_null(secret);
	assert_string_equal(bc_secret_reveal(secret), value);
}

#define settings_test(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

#endif
