/* SPDX-License-Identifier: MIT */
/*
 * The settings file: which one is read, and how. inih parses; around it stands what inih leaves to
 * its user: line numbers, long lines, NUL bytes, names without values, and what follows a section's
 * closing bracket. A comment has a line of its own, because a value may hold ";" or "#" (a key
 * does).
 *
 * A file found by searching the working directory must be trustworthy, else it is an error: to
 * fall through to another file would be to use other settings than the ones that lie there.
 */
#include "daemon/settings_parts.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 8192,
	INIH_NAME_MAX = 49 /* inih cuts longer section and key names without a word */
};

struct reader {
	struct bc_settings_loader *l;
	const char *name; /* of the file, for `where` */
	struct bc_str rest;
	unsigned line;
	int rc; /* BC_ENOMEM, once met */
};

static int where_text(const struct reader *r, struct bc_buf *out)
{
	bc_buf_init(out, 2 * BC_SETTINGS_FILE_MAX);
	return bc_buf_addf(out, "%s:%u", r->name, r->line);
}

static void report(struct reader *r, enum bc_settings_severity severity, const char *text,
		   const char *hint)
{
	struct bc_err problem = { 0 };
	struct bc_buf where;

	bc_err_set(&problem, BC_EINVAL, "%s", text);
	bc_err_hint(&problem, "%s", hint);
	if (!r->rc)
		r->rc = where_text(r, &where);
	else
		bc_buf_init(&where, 0);
	if (!r->rc)
		r->rc = bc_settings_report_add(r->l->report, severity, where.data, &problem);
	bc_buf_finish(&where);
}

/* --- what inih would let pass ---------------------------------------------------------------- */

static bool is_blank_rest(struct bc_str s)
{
	s = bc_str_trim(s);
	return s.len == 0 || s.ptr[0] == ';' || s.ptr[0] == '#';
}

static const char *section_fault(struct bc_str line)
{
	const char *end = memchr(line.ptr, ']', line.len);

	if (!end)
		return "the section's name is not closed";
	if ((size_t)(end - line.ptr) > INIH_NAME_MAX + 1)
		return "the section's name is too long";
	end++;
	if (!is_blank_rest((struct bc_str){ end, line.len - (size_t)(end - line.ptr) }))
		return "there is text behind the section's name";
	return NULL;
}

static const char *line_fault(struct bc_str line)
{
	if (line.len && memchr(line.ptr, '\0', line.len))
		return "the line has a NUL byte in it";
	if (line.len > LINE_MAX_BYTES - 3)
		return "the line is too long";
	return bc_str_starts(bc_str_trim(line), "[") ? section_fault(bc_str_trim(line)) : NULL;
}

static struct bc_str next_line(struct reader *r)
{
	struct bc_str line = bc_str_split(&r->rest, '\n');

	r->line++;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Stands for a section whose line was at fault: its keys must not fall to the section above. */
#define FAULTY "\x01"

/* inih's fgets. A line with a fault is reported and given to inih as an empty one, or as FAULTY. */
static char *read_line(char *out, int bytes, void *ctx)
{
	struct reader *r = ctx;
	struct bc_str line;
	const char *fault;

	if (!r->rest.ptr || r->rc)
		return NULL;
	line = next_line(r);
	fault = line_fault(line);
	if (fault) {
		report(r, BC_SETTINGS_ERROR, fault,
		       "write [section], then name = value, each on a line of its own");
		line = bc_str_starts(bc_str_trim(line), "[") ? BC_STR("[" FAULTY "]") : BC_STR("");
	}
	if ((int)line.len > bytes - 2)
		line.len = (size_t)bytes - 2;
	if (line.len)
		memcpy(out, line.ptr, line.len);
	memcpy(out + line.len, "\n", 2);
	return out;
}

/* --- values ---------------------------------------------------------------------------------- */

/* Behind a value, what looks like a comment is part of the value: worth a word. */
static bool looks_commented(const char *value)
{
	return strstr(value, " #") || strstr(value, " ;") || strstr(value, "\t#") ||
	       strstr(value, "\t;");
}

static int take_value(struct reader *r, const char *section, const char *key, const char *value,
		      const char *where)
{
	struct bc_setting_target target;
	struct bc_err problem = { 0 };
	enum bc_settings_severity severity = BC_SETTINGS_ERROR;
	int rc = bc_setting_find_ini(r->l, section, key, &target, &problem);

	if (rc == 1)
		return bc_settings_offer(r->l, &target, BC_LEVEL_FILE, bc_str_of(value), where);
	if (rc == BC_ENOMEM)
		return rc;
	if (rc == 0 && !r->l->lint)
		severity = BC_SETTINGS_WARNING;
	return bc_settings_report_add(r->l->report, severity, where, &problem);
}

/* inih's handler; returns 1 always, since the report says more than inih's one line number. */
static int handle(void *ctx, const char *section, const char *key, const char *value)
{
	struct reader *r = ctx;
	struct bc_buf where;
	int rc;

	if (r->rc || strcmp(section, FAULTY) == 0)
		return 1;
	if (!value || !key[0]) {
		report(r, BC_SETTINGS_ERROR, "the line is neither a section nor name = value",
		       "a comment begins with \"#\" or \";\"");
		return 1;
	}
	if (looks_commented(value))
		report(r, BC_SETTINGS_WARNING, "what looks like a comment is part of the value",
		       "give the comment a line of its own");
	rc = where_text(r, &where);
	if (!rc && !r->rc)
		rc = take_value(r, section, key, value, where.data);
	bc_buf_finish(&where);
	if (rc)
		r->rc = rc;
	return 1;
}

int bc_settings_parse_ini(struct bc_settings_loader *l, const char *name, struct bc_str text)
{
	struct reader r = { .l = l, .name = name, .rest = text };

	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_no_value = true;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = LINE_MAX_BYTES;
	ini_initial_alloc = LINE_MAX_BYTES;
	if (ini_parse_stream(read_line, &r, handle, &r) == -2)
		return BC_ENOMEM;
	return r.rc;
}

/* --- which file ------------------------------------------------------------------------------ */

static const char fallback[] = "/etc/backchannel/backchannel.conf";

/* A file to try. named: somebody asked for it, so it must be there; who: for the error. */
struct candidate {
	const char *path;
	const char *who;
	bool named, check_trust;
};

static int report_file(struct bc_settings_loader *l, const struct candidate *c,
		       const struct bc_err *problem)
{
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, c->who ? c->who : c->path,
				      problem);
}

static int parse_file(struct bc_settings_loader *l, const struct candidate *c,
		      const struct bc_buf *text, const struct stat *st)
{
	struct bc_err problem = { 0 };
	int rc = c->check_trust ? bc_settings_check_trusted(st, &problem) : 0;

	if (rc) {
		struct bc_err refusal = { 0 };

		bc_err_set(&refusal, BC_EINVAL, "the file is not used: %s", problem.text);
		bc_err_hint(&refusal, "%s, or name it with --config", problem.hint);
		return report_file(l, c, &refusal);
	}
	l->readable_file = l->lint && (st->st_mode & S_IROTH) ? c->path : NULL;
	rc = bc_settings_parse_ini(l, c->path, (struct bc_str){ text->data, text->len });
	l->readable_file = NULL;
	return rc;
}

static int keep_folder(struct bc_settings_loader *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct bc_str folder = { path, slash ? (size_t)(slash - path) : 0 };

	free(l->config_folder);
	l->config_folder = bc_str_dup(slash ? folder : BC_STR("."));
	return l->config_folder ? 0 : BC_ENOMEM;
}

/* 1: this was the file (read, or reported); 0: it is not there; BC_ENOMEM. */
static int try_file(struct bc_settings_loader *l, const struct candidate *c)
{
	bc_autofree char *full = bc_settings_resolve(l->source, c->path);
	struct bc_err problem = { 0 };
	struct bc_buf text;
	struct stat st;
	int rc;

	if (!full)
		return BC_ENOMEM;
	bc_buf_init(&text, BC_SETTINGS_FILE_MAX + 1);
	rc = bc_settings_read_file(full, BC_SETTINGS_FILE_MAX, l->source->again, &text, &st,
				   &problem);
	if (!rc)
		rc = keep_folder(l, full);
	if (!rc)
		rc = parse_file(l, c, &text, &st);
	else if (rc != BC_ENOMEM && (rc != BC_ENOENT || c->named))
		rc = report_file(l, c, &problem);
	bc_buf_finish(&text);
	if (rc == BC_ENOENT)
		return 0;
	return rc ? rc : 1;
}

int bc_settings_read_config(struct bc_settings_loader *l)
{
	const char *given = l->source->config_path, *etc = l->source->fallback_path;
	const struct candidate candidates[] = {
		{ given && given[0] ? given : NULL, "--config", true, false },
		{ l->config_path.text, l->config_path.where, true, false },
		{ "backchannel.conf", NULL, false, true },
		{ etc ? etc : fallback, NULL, false, false },
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < BC_COUNT(candidates); i++)
		if (candidates[i].path)
			rc = try_file(l, &candidates[i]);
	return rc == 1 ? 0 : rc;
}
