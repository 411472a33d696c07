/* SPDX-License-Identifier: MIT */
/*
 * The environment and what stands in for it: variables, the .env file, systemd's credentials.
 *
 * A .env is often the shop's own and mostly about other things. So names that are not ours are
 * passed over, a line that cannot be read is an error only if it is about one of ours, and a file
 * that others could have written is not believed at all. Nothing is expanded: "$" is a "$".
 */
#include "daemon/settings_parts.h"

#include <string.h>

/* --- variables ------------------------------------------------------------------------------- */

static int take_variable(struct bc_settings_loader *l, struct bc_str name, struct bc_str value,
			 enum bc_setting_level level, const char *where)
{
	struct bc_setting_target target;
	struct bc_err problem = { 0 };
	enum bc_settings_severity severity = BC_SETTINGS_ERROR;
	int rc = bc_setting_find_env(l, name, &target, &problem);

	if (rc == 1)
		return bc_settings_offer(l, &target, level, value, where);
	if (rc == BC_ENOMEM)
		return rc;
	if (problem.code == 0)
		return 0;
	if (rc == 0 && !l->lint)
		severity = BC_SETTINGS_WARNING;
	return bc_settings_report_add(l->report, severity, where, &problem);
}

static int read_variable(struct bc_settings_loader *l, const char *entry)
{
	struct bc_str value = bc_str_of(entry), name = bc_str_split(&value, '=');
	struct bc_buf where;
	int rc;

	if (!value.ptr || !bc_setting_env_prefix(name))
		return 0;
	bc_buf_init(&where, BC_SETTINGS_FILE_MAX);
	rc = bc_buf_addf(&where, "environment %.*s", (int)name.len, name.ptr);
	if (!rc)
		rc = take_variable(l, name, value, BC_LEVEL_ENVIRONMENT, where.data);
	bc_buf_finish(&where);
	return rc;
}

int bc_settings_read_environment(struct bc_settings_loader *l)
{
	int rc = 0;

	for (char *const *e = l->source->environment; !rc && e && *e; e++)
		rc = read_variable(l, *e);
	return rc;
}

/* --- credentials ----------------------------------------------------------------------------- */

static int read_credential(struct bc_settings_loader *l, const char *directory, const char *name,
			   struct bc_setting_target target)
{
	struct bc_buf path, where;
	struct stat st;
	int rc;

	bc_buf_init(&path, BC_SETTINGS_FILE_MAX);
	bc_buf_init(&where, BC_SETTINGS_FILE_MAX);
	target.via_file = true;
	rc = bc_buf_addf(&path, "%s/%s", directory, name);
	if (!rc)
		rc = bc_buf_addf(&where, "credential %s", name);
	if (!rc && stat(path.data, &st) == 0)
		rc = bc_settings_offer(l, &target, BC_LEVEL_ENVIRONMENT,
				       (struct bc_str){ path.data, path.len }, where.data);
	bc_buf_finish(&path);
	bc_buf_finish(&where);
	return rc;
}

/* After all other sources: only then every product's label is known. */
int bc_settings_read_credentials(struct bc_settings_loader *l)
{
	const char *directory = bc_settings_getenv(l->source, "CREDENTIALS_DIRECTORY");
	const struct bc_setting_row *key = &bc_product_rows[BC_PRODUCT_KEY];
	char name[BC_SETTING_NAME_MAX];
	int rc = 0;

	for (size_t i = 0; !rc && directory && i < bc_setting_row_count; i++)
		if (bc_setting_rows[i].type == &bc_setting_secret)
			rc = read_credential(l, directory, bc_setting_rows[i].name,
					     (struct bc_setting_target){ &bc_setting_rows[i],
									 &l->slots[i], true });
	for (size_t i = 0; !rc && directory && i < l->product_count; i++) {
		bc_setting_product_name(l->products[i].label, key, name);
		rc = read_credential(l, directory, name,
				     (struct bc_setting_target){
					     key, &l->products[i].slots[BC_PRODUCT_KEY], true });
	}
	return rc;
}

/* --- .env ------------------------------------------------------------------------------------ */

struct cursor {
	const char *at, *end;
	unsigned line;
};

static bool at_end(const struct cursor *c)
{
	return c->at == c->end;
}

static bool at_line_end(const struct cursor *c)
{
	return at_end(c) || *c->at == '\n';
}

static void skip_blanks(struct cursor *c)
{
	while (!at_end(c) && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
		c->at++;
}

static struct bc_str rest_of_line(struct cursor *c)
{
	const char *begin = c->at;

	while (!at_line_end(c))
		c->at++;
	return (struct bc_str){ begin, (size_t)(c->at - begin) };
}

static bool is_name_byte(char b)
{
	return (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') ||
	       b == '_';
}

static struct bc_str read_name(struct cursor *c)
{
	const char *begin = c->at;

	while (!at_end(c) && is_name_byte(*c->at))
		c->at++;
	return (struct bc_str){ begin, (size_t)(c->at - begin) };
}

static char unescaped(char b)
{
	return b == 'n' ? '\n' : b == 'r' ? '\r' : b == 't' ? '\t' : b;
}

/* Behind the opening quote; may span lines. 0, BC_EINVAL (never closed) or BC_ENOMEM. */
static int read_quoted(struct cursor *c, char quote, struct bc_buf *value)
{
	int rc = 0;

	while (!rc && !at_end(c) && *c->at != quote) {
		char b = *c->at++;

		if (quote == '"' && b == '\\' && !at_end(c))
			b = unescaped(*c->at++);
		if (c->at[-1] == '\n')
			c->line++;
		rc = bc_buf_add(value, &b, 1);
	}
	if (rc)
		return BC_ENOMEM;
	if (at_end(c))
		return BC_EINVAL;
	c->at++;
	return 0;
}

/* To the end of the line, or to a "#" with a blank in front of it. */
static int read_plain(struct cursor *c, struct bc_buf *value)
{
	struct bc_str text = rest_of_line(c);

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '#' &&
		    (i == 0 || text.ptr[i - 1] == ' ' || text.ptr[i - 1] == '\t'))
			text.len = i;
	if (text.len && text.ptr[text.len - 1] == '\r')
		text.len--;
	text = bc_str_trim(text);
	return bc_buf_add(value, text.ptr, text.len);
}

static int read_value(struct cursor *c, struct bc_buf *value)
{
	struct bc_str rest;
	char quote;
	int rc;

	skip_blanks(c);
	if (at_line_end(c) || (*c->at != '"' && *c->at != '\''))
		return read_plain(c, value);
	quote = *c->at++;
	rc = read_quoted(c, quote, value);
	if (rc)
		return rc;
	skip_blanks(c);
	rest = rest_of_line(c);
	return rest.len == 0 || rest.ptr[0] == '#' ? 0 : BC_EINVAL;
}

struct dotenv {
	struct bc_settings_loader *l;
	const char *name;
	struct cursor c;
};

static int report_line(struct dotenv *d, bool ours, const char *where)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_EINVAL, "the line cannot be read");
	bc_err_hint(&problem,
		    "write NAME=value, NAME=\"value\" or NAME='value'; a comment begins with #");
	return bc_settings_report_add(d->l->report, ours ? BC_SETTINGS_ERROR : BC_SETTINGS_WARNING,
				      where, &problem);
}

/* One assignment: name has been read, the cursor stands behind it. */
static int read_assignment(struct dotenv *d, struct bc_str name, struct bc_buf *value,
			   struct bc_buf *where)
{
	bool ours = bc_setting_env_prefix(name) != 0;
	const struct cursor start = d->c;
	int rc = bc_buf_addf(where, "%s:%u", d->name, d->c.line);

	if (rc)
		return rc;
	skip_blanks(&d->c);
	rc = BC_EINVAL;
	if (name.len && !at_end(&d->c) && *d->c.at == '=') {
		d->c.at++;
		rc = read_value(&d->c, value);
	}
	if (!rc && value->len && memchr(value->data, '\0', value->len))
		rc = BC_EINVAL;
	if (rc == BC_EINVAL) {
		/* A quote that is never closed must not swallow the lines below it. */
		d->c = start;
		rest_of_line(&d->c);
		return report_line(d, ours, where->data);
	}
	if (!rc && ours) {
		rc = bc_buf_addf(where, " (%.*s)", (int)name.len, name.ptr);
		if (!rc)
			rc = take_variable(d->l, name, (struct bc_str){ value->data, value->len },
					   BC_LEVEL_DOTENV, where->data);
	}
	return rc;
}

static int read_line(struct dotenv *d)
{
	struct bc_buf value, where;
	struct bc_str name;
	int rc;

	skip_blanks(&d->c);
	if (at_line_end(&d->c) || *d->c.at == '#') {
		rest_of_line(&d->c);
		return 0;
	}
	name = read_name(&d->c);
	if (bc_str_eq(name, "export") && !at_end(&d->c) && (*d->c.at == ' ' || *d->c.at == '\t')) {
		skip_blanks(&d->c);
		name = read_name(&d->c);
	}
	bc_buf_init(&value, BC_SETTINGS_FILE_MAX + 1);
	bc_buf_init(&where, 2 * BC_SETTINGS_FILE_MAX);
	rc = read_assignment(d, name, &value, &where);
	bc_buf_finish(&value);
	bc_buf_finish(&where);
	return rc;
}

int bc_settings_parse_dotenv(struct bc_settings_loader *l, const char *name, struct bc_str text)
{
	struct dotenv d = { l, name, { text.ptr, text.len ? text.ptr + text.len : text.ptr, 1 } };
	int rc = 0;

	if (bc_str_starts(text, "\xef\xbb\xbf"))
		d.c.at += 3;
	while (!rc && !at_end(&d.c)) {
		rc = read_line(&d);
		if (!rc && !at_end(&d.c)) {
			d.c.at++; /* the line's end */
			d.c.line++;
		}
	}
	return rc;
}

static int warn_unused(struct bc_settings_loader *l, const struct bc_err *why)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_EINVAL, "the file is not used: %s", why->text);
	if (why->hint[0])
		bc_err_hint(&problem, "%s", why->hint);
	return bc_settings_report_add(l->report, BC_SETTINGS_WARNING, ".env", &problem);
}

int bc_settings_read_dotenv(struct bc_settings_loader *l)
{
	bc_autofree char *path = bc_settings_resolve(l->source, ".env");
	struct bc_err problem = { 0 };
	struct bc_buf text;
	struct stat st;
	int rc;

	if (!path)
		return BC_ENOMEM;
	if (!l->source->environment)
		return 0;
	bc_buf_init(&text, BC_SETTINGS_FILE_MAX + 1);
	rc = bc_settings_read_file(path, BC_SETTINGS_FILE_MAX, true, &text, &st, &problem);
	if (!rc)
		rc = bc_settings_check_trusted(&st, &problem);
	if (!rc) {
		l->readable_file = l->lint && (st.st_mode & S_IROTH) ? ".env" : NULL;
		rc = bc_settings_parse_dotenv(l, ".env", (struct bc_str){ text.data, text.len });
		l->readable_file = NULL;
	} else if (rc == BC_ENOENT) {
		rc = 0;
	} else if (rc != BC_ENOMEM) {
		rc = warn_unused(l, &problem);
	}
	bc_buf_finish(&text);
	return rc;
}
