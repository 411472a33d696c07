/* SPDX-License-Identifier: MIT */
/*
 * The load order and the merge. Each source offers what it has; of two offers for one setting the
 * higher level wins, and two that differ on one level are refused by name, because neither order in
 * a file nor a vendor's alias should decide which credential is used.
 *
 * Everything is read and checked before anything is handed out: a bad file leaves whoever reloads
 * with the settings they had.
 */
#include "daemon/settings.h"

#include <string.h>

#include "daemon/settings_parts.h"

static void slot_finish(struct bc_setting_slot *slot)
{
	if (slot->text)
		bc_wipe(slot->text, slot->len);
	free(slot->text);
	free(slot->where);
	free(slot->hidden.where);
	*slot = (struct bc_setting_slot){ 0 };
}

int bc_settings_loader_init(struct bc_settings_loader *l, const struct bc_settings_source *source,
			    struct bc_settings_report *report, bool lint)
{
	*l = (struct bc_settings_loader){ .source = source, .report = report, .lint = lint };
	l->slots = calloc(bc_setting_row_count, sizeof(*l->slots));
	return l->slots ? 0 : BC_ENOMEM;
}

void bc_settings_loader_finish(struct bc_settings_loader *l)
{
	for (size_t i = 0; l->slots && i < bc_setting_row_count; i++)
		slot_finish(&l->slots[i]);
	for (size_t i = 0; i < l->product_count; i++)
		for (size_t k = 0; k < BC_PRODUCT_ROWS; k++)
			slot_finish(&l->products[i].slots[k]);
	slot_finish(&l->config_path);
	free(l->config_folder);
	free(l->slots);
	free(l->products);
}

const char *bc_settings_getenv(const struct bc_settings_source *source, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = source->environment; e && *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=' && (*e)[len + 1])
			return *e + len + 1;
	return NULL;
}

char *bc_settings_resolve(const struct bc_settings_source *source, const char *path)
{
	struct bc_buf joined;
	char *resolved = NULL;

	if (path[0] == '/' || !source->cwd)
		return bc_str_dup(bc_str_of(path));
	bc_buf_init(&joined, 2 * BC_SETTINGS_FILE_MAX);
	if (!bc_buf_addf(&joined, "%s/%s", source->cwd, path))
		resolved = bc_buf_take(&joined);
	bc_buf_finish(&joined);
	return resolved;
}

/* --- offers ---------------------------------------------------------------------------------- */

static const char *target_name(const struct bc_setting_target *target)
{
	return target->row ? target->row->name : "BACKCHANNEL_CONFIG";
}

static int refuse_second(struct bc_settings_loader *l, const struct bc_setting_target *target,
			 const char *where)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_EINVAL, "\"%s\" is set twice, and differently: %s, and %s",
		   target_name(target), target->slot->where, where);
	bc_err_hint(&problem, "keep one of the two");
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, "", &problem);
}

static bool slot_has(const struct bc_setting_slot *slot, struct bc_str text)
{
	return slot->level != BC_LEVEL_NONE && slot->len == text.len &&
	       memcmp(slot->text, text.ptr, text.len) == 0;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(struct bc_str text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3;
	return hash;
}

static int hide(struct bc_setting_hidden *hidden, struct bc_str text, const char *where)
{
	hidden->where = bc_str_dup(bc_str_of(where));
	hidden->hash = hash_of(text);
	return hidden->where ? 0 : BC_ENOMEM;
}

static int slot_fill(struct bc_setting_slot *slot, enum bc_setting_level level, struct bc_str text,
		     const char *where)
{
	struct bc_setting_slot fresh = { .level = level, .len = text.len };
	int rc = 0;

	fresh.text = bc_str_dup(text);
	fresh.where = bc_str_dup(bc_str_of(where));
	if (slot->level != BC_LEVEL_NONE && !slot_has(slot, text))
		rc = hide(&fresh.hidden, (struct bc_str){ slot->text, slot->len }, slot->where);
	if (rc || !fresh.text || !fresh.where) {
		slot_finish(&fresh);
		return BC_ENOMEM;
	}
	slot_finish(slot);
	*slot = fresh;
	return 0;
}

static int merge(struct bc_settings_loader *l, const struct bc_setting_target *target,
		 enum bc_setting_level level, struct bc_str text, const char *where)
{
	struct bc_setting_slot *slot = target->slot;

	if (slot->level > level)
		return slot->hidden.where || slot_has(slot, text)
			       ? 0
			       : hide(&slot->hidden, text, where);
	if (slot->level == level)
		return slot_has(slot, text) ? 0 : refuse_second(l, target, where);
	int rc = slot_fill(slot, level, text, where);
	if (!rc)
		slot->common_name = target->common_name;
	return rc;
}

/* Lint only: says once a file that holds a secret and that others can read it. */
static int warn_readable(struct bc_settings_loader *l, const char *path)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_EINVAL, "the file holds a secret, and every user can read it");
	bc_err_hint(&problem, "chmod o-r %s", path);
	return bc_settings_report_add(l->report, BC_SETTINGS_WARNING, path, &problem);
}

static struct bc_str without_line_ends(const struct bc_buf *buf)
{
	struct bc_str text = { buf->data, buf->len };

	while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
		text.len--;
	return text;
}

/* The contents of a secret's file. 0 with *ret_text in buf; 1: it cannot serve, which is reported
 * unless it is hidden by a higher place; BC_ENOMEM. */
static int read_secret(struct bc_settings_loader *l, const struct bc_setting_target *target,
		       struct bc_str path, bool hidden, const char *where, struct bc_buf *buf,
		       struct bc_str *ret_text)
{
	bc_autofree char *given = bc_str_dup(path);
	bc_autofree char *full = given ? bc_settings_resolve(l->source, given) : NULL;
	struct bc_err problem = { 0 };
	struct stat st;
	int rc;

	if (!full)
		return BC_ENOMEM;
	rc = bc_settings_read_file(full, BC_SECRET_FILE_MAX, true, buf, &st, &problem);
	if (rc == BC_ENOMEM)
		return rc;
	*ret_text = without_line_ends(buf);
	if (!rc && ret_text->len == 0) {
		rc = bc_err_set(&problem, BC_EINVAL, "\"%s\" is empty", full);
		bc_err_hint(&problem, "write the value of \"%s\" to it", target_name(target));
	}
	if (rc) {
		rc = hidden ? 0
			    : bc_settings_report_add(l->report, BC_SETTINGS_ERROR, where, &problem);
		return rc ? rc : 1;
	}
	return l->lint && !hidden && (st.st_mode & S_IROTH) ? warn_readable(l, full) : 0;
}

static int offer_file(struct bc_settings_loader *l, const struct bc_setting_target *target,
		      enum bc_setting_level level, struct bc_str path, const char *where)
{
	struct bc_buf buf;
	struct bc_str text;
	int rc;

	bc_buf_init(&buf, BC_SECRET_FILE_MAX + 1);
	rc = read_secret(l, target, path, target->slot->level > level, where, &buf, &text);
	if (!rc)
		rc = merge(l, target, level, text, where);
	bc_buf_finish(&buf);
	return rc == 1 ? 0 : rc;
}

int bc_settings_offer(struct bc_settings_loader *l, const struct bc_setting_target *target,
		      enum bc_setting_level level, struct bc_str text, const char *where)
{
	int rc = 0;

	if (text.len == 0)
		return 0;
	if (target->via_file)
		return offer_file(l, target, level, text, where);
	if (l->readable_file && target->slot->level <= level && target->row &&
	    target->row->type == &bc_setting_secret) {
		rc = warn_readable(l, l->readable_file);
		l->readable_file = NULL;
	}
	return rc ? rc : merge(l, target, level, text, where);
}

/* --- loading --------------------------------------------------------------------------------- */

static int read_sources(struct bc_settings_loader *l)
{
	static int (*const sources[])(struct bc_settings_loader *) = {
		bc_settings_read_environment, bc_settings_read_dotenv,	bc_settings_read_config,
		bc_settings_read_credentials, bc_settings_read_sockets,
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_COUNT(sources); i++)
		rc = sources[i](l);
	return rc;
}

static int first_error(const struct bc_settings_report *report, struct bc_err *err)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct bc_settings_finding *f = &report->findings[i];

		if (f->severity != BC_SETTINGS_ERROR)
			continue;
		bc_err_set(err, BC_EINVAL, "%s%s%s", f->where, f->where[0] ? ": " : "",
			   f->problem.text);
		if (f->problem.hint[0])
			bc_err_hint(err, "%s", f->problem.hint);
		return BC_EINVAL;
	}
	return bc_err_tell(err, BC_EINVAL, "backchannel config lint names them",
			   "the settings have errors");
}

static int load(const struct bc_settings_source *source, bool lint,
		struct bc_settings **ret_settings, struct bc_settings_report *report,
		struct bc_err *err)
{
	struct bc_settings *settings = NULL;
	struct bc_settings_loader l;
	int rc = bc_settings_loader_init(&l, source, report, lint);

	if (!rc)
		rc = read_sources(&l);
	if (!rc)
		rc = bc_settings_build(&l, &settings);
	if (settings && source->sockets)
		settings->sockets = *source->sockets;
	bc_settings_loader_finish(&l);
	if (rc)
		return bc_err_nomem(err);
	if (!settings)
		return first_error(report, err);
	*ret_settings = settings;
	return 0;
}

int bc_settings_load(const struct bc_settings_source *source, struct bc_settings **ret_settings,
		     struct bc_settings_report *report, struct bc_err *err)
{
	return load(source, false, ret_settings, report, err);
}

int bc_settings_lint(const struct bc_settings_source *source, const char *file,
		     struct bc_settings_report *report, struct bc_err *err)
{
	struct bc_settings_source alone = { .config_path = file, .cwd = source->cwd };
	struct bc_settings *settings = NULL;
	int rc = load(file ? &alone : source, true, &settings, report, err);

	/* A file alone need not be complete: the pair may come from the environment. */
	if (!rc && !file)
		rc = bc_settings_check_startable(settings, report, err);
	bc_settings_unref(settings);
	return rc;
}
