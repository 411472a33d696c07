/* SPDX-License-Identifier: MIT */
/*
 * The manual page backchannel.conf(5) and the commented example file, rendered from the table.
 *
 * The table's texts are Markdown of the simplest kind: `code`, **strong**, *emphasis*,
 * [text](link). A man page turns these into fonts, a settings file into nothing.
 */
#include "daemon/settings_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/mdoc.h"

/* --- Markdown to something else -------------------------------------------------------------- */

/* What stands for each mark; a font's end is the same for all. */
struct dialect {
	const char *code, *strong, *emphasis, *end, *backslash;
};
static const struct dialect roff = { "\\fB", "\\fB", "\\fI", "\\fR", "\\e" };
static const struct dialect plain = { "", "", "", "", "\\" };

struct converter {
	const struct dialect *dialect;
	bool in_code, in_strong, in_emphasis, in_link;
	struct bc_buf *out;
};

static int toggle(struct converter *c, bool *state, const char *begin)
{
	*state = !*state;
	return bc_buf_adds(c->out, *state ? begin : c->dialect->end);
}

/* Takes one mark or one byte from text; moves it. */
static int convert_one(struct converter *c, const char **text)
{
	const char *t = *text;

	*text = t + 1;
	if (*t == '`')
		return toggle(c, &c->in_code, c->dialect->code);
	if (!c->in_code && t[0] == '*' && t[1] == '*') {
		*text = t + 2;
		return toggle(c, &c->in_strong, c->dialect->strong);
	}
	if (!c->in_code && *t == '*')
		return toggle(c, &c->in_emphasis, c->dialect->emphasis);
	if (!c->in_code && *t == '[') {
		c->in_link = true;
		return 0;
	}
	if (c->in_link && t[0] == ']') {
		c->in_link = false;
		*text = strchr(t, ')') + 1;
		return 0;
	}
	if (*t == '\\')
		return bc_buf_adds(c->out, c->dialect->backslash);
	return bc_buf_add(c->out, t, 1);
}

static int convert(const struct dialect *dialect, const char *text, struct bc_buf *out)
{
	struct converter c = { .dialect = dialect, .out = out };
	int rc = 0;

	while (!rc && *text)
		rc = convert_one(&c, &text);
	return rc;
}

/* --- mdoc ------------------------------------------------------------------------------------ */

static int add_text(struct bc_buf *out, const char *text)
{
	struct bc_buf words;
	int rc;

	bc_buf_init(&words, BC_SETTINGS_FILE_MAX);
	rc = convert(&roff, text, &words);
	if (!rc)
		rc = bc_mdoc_fill(out, (struct bc_str){ words.data, words.len });
	bc_buf_finish(&words);
	return rc;
}

typedef int add_fn(const struct bc_setting_row *row, struct bc_buf *out);

/* "Default: none. Allowed: ..." */
static int add_fact(struct bc_buf *out, const char *label, add_fn *fn,
		    const struct bc_setting_row *row)
{
	struct bc_buf fact;
	int rc;

	bc_buf_init(&fact, BC_SETTINGS_FILE_MAX);
	rc = bc_buf_addf(&fact, "%s: ", label);
	if (!rc)
		rc = fn(row, &fact);
	if (!rc)
		rc = bc_buf_adds(&fact, ".");
	if (!rc)
		rc = add_text(out, fact.data);
	bc_buf_finish(&fact);
	return rc;
}

static int add_item(const struct bc_setting_row *row, const char *variable, struct bc_buf *out)
{
	int rc = bc_buf_addf(out, ".It Ic %s\n", row->name);

	if (!rc)
		rc = add_text(out, row->help);
	if (!rc && row->flags & BC_SETTING_RESTART)
		rc = add_text(out, "Takes effect at a restart.");
	if (!rc)
		rc = bc_buf_adds(out, ".br\n");
	if (!rc)
		rc = add_fact(out, "Allowed", bc_setting_add_allowed, row);
	if (!rc)
		rc = add_fact(out, "Default", bc_setting_add_default, row);
	if (!rc)
		rc = bc_buf_addf(out, ".br\nEnvironment:\n.Ev %s", variable);
	for (const char *const *alias = row->aliases; !rc && *alias; alias++)
		rc = bc_buf_addf(out, " ,\n.Ev %s", *alias);
	if (!rc && row->type == &bc_setting_secret)
		rc = bc_buf_adds(out, " ;\neach also with\n.Ql _FILE");
	return rc ? rc : bc_buf_adds(out, " .\n");
}

static int add_group(const struct bc_setting_group *group, struct bc_buf *out)
{
	char variable[BC_SETTING_NAME_MAX];
	int rc = bc_buf_addf(out, ".Ss %s\n", group->title);

	if (!rc)
		rc = add_text(out, group->intro);
	if (!rc)
		rc = bc_buf_adds(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; !rc && i < bc_setting_row_count; i++) {
		if (!bc_setting_in_group(&bc_setting_rows[i], group))
			continue;
		bc_setting_env_name(bc_setting_rows[i].name, variable);
		rc = add_item(&bc_setting_rows[i], variable, out);
	}
	return rc ? rc : bc_buf_adds(out, ".El\n");
}

static int add_products(struct bc_buf *out)
{
	int rc = bc_buf_adds(out,
			     ".Ss Products\nEach further campaign is a section\n"
			     ".Ql [product LABEL] .\n"
			     "A label is made of a-z, 0-9, _ and -; in the environment\nit is in "
			     "capitals, with _ for -.\nThe label\n.Ql default\nis the\n"
			     ".Ev SOVENDUS_*\npair's.\n.Bl -tag -width Ds\n");

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		char variable[BC_SETTING_NAME_MAX], name[BC_SETTING_NAME_MAX];

		bc_setting_env_name(bc_product_rows[i].name, name);
		snprintf(variable, sizeof(variable), "BACKCHANNEL_PRODUCT_<LABEL>_%.40s",
			 name + strlen("BACKCHANNEL_"));
		rc = add_item(&bc_product_rows[i], variable, out);
	}
	return rc ? rc : bc_buf_adds(out, ".El\n");
}

static int add_prose(struct bc_buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_prose_count; i++) {
		const struct bc_setting_prose *p = &bc_setting_prose[i];

		if (p->title)
			rc = bc_buf_addf(out, ".Ss %s\n", p->title);
		else
			rc = bc_buf_adds(out, ".Pp\n");
		if (!rc)
			rc = add_text(out, p->text);
	}
	return rc;
}

static int add_variables(struct bc_buf *out)
{
	int rc = bc_buf_adds(out,
			     ".Sh ENVIRONMENT\nEvery setting has its variable; it stands with the "
			     "setting.\nThese are read as well:\n.Bl -tag -width Ds\n");

	for (size_t i = 0; !rc && i < bc_setting_variable_count; i++) {
		rc = bc_buf_addf(out, ".It Ev %s\n", bc_setting_variables[i].name);
		if (!rc)
			rc = add_text(out, bc_setting_variables[i].help);
	}
	return rc ? rc : bc_buf_adds(out, ".El\n");
}

static const char mdoc_head[] = ".\\\" SPDX-License-Identifier: MIT\n"
				".\\\" Rendered from the program's table of settings.\n"
				".Dd November 22, 2026\n"
				".Dt BACKCHANNEL.CONF 5\n"
				".Os\n"
				".Sh NAME\n"
				".Nm backchannel.conf\n"
				".Nd settings of backchannel\n"
				".Sh DESCRIPTION\n"
				".Nm\n"
				"holds the settings of\n"
				".Xr backchannel 1\n"
				"as sections and values:\n"
				".Bd -literal -offset indent\n"
				"[sovendus]\n"
				"product_id = 9bc72425-902c-3abf-9db8-8b186d7cb160\n"
				"api_key_file = /etc/backchannel/sovendus.key\n"
				"\n"
				"[click]\n"
				"ttl = 30d\n"
				".Ed\n";

static const char mdoc_tail[] = ".Sh FILES\n"
				".Bl -tag -width Ds -compact\n"
				".It Pa .env\n"
				".It Pa backchannel.conf\n"
				"in the working directory\n"
				".It Pa /etc/backchannel/backchannel.conf\n"
				".El\n"
				".Sh SEE ALSO\n"
				".Xr backchannel 1\n";

int bc_settings_mdoc(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, mdoc_head);

	if (!rc)
		rc = add_prose(out);
	if (!rc)
		rc = bc_buf_adds(out, ".Sh SETTINGS\n");
	for (size_t i = 0; !rc && i < bc_setting_group_count; i++) {
		rc = add_group(&bc_setting_groups[i], out);
		if (!rc && strcmp(bc_setting_groups[i].prefix, "sovendus") == 0)
			rc = add_products(out);
	}
	if (!rc)
		rc = add_variables(out);
	return rc ? rc : bc_buf_adds(out, mdoc_tail);
}

/* --- the example file ------------------------------------------------------------------------ */

enum { COMMENT_WIDTH = 78 };

/* Words, with "# " before each line. */
static int add_wrapped(struct bc_buf *out, struct bc_str text)
{
	size_t column = 0;
	int rc = 0;

	while (!rc && text.ptr) {
		struct bc_str word = bc_str_split(&text, ' ');
		bool first = column == 0, fits = column + 1 + word.len <= COMMENT_WIDTH;

		rc = bc_buf_addf(out, "%s%.*s",
				 first	? "# "
				 : fits ? " "
					: "\n# ",
				 (int)word.len, word.ptr);
		column = first ? 2 + word.len : fits ? column + 1 + word.len : 2 + word.len;
	}
	return rc ? rc : bc_buf_adds(out, "\n");
}

static int add_comment(struct bc_buf *out, const char *markdown)
{
	struct bc_buf words;
	int rc;

	bc_buf_init(&words, BC_SETTINGS_FILE_MAX);
	rc = convert(&plain, markdown, &words);
	if (!rc)
		rc = add_wrapped(out, (struct bc_str){ words.data, words.len });
	bc_buf_finish(&words);
	return rc;
}

static int add_example_fact(struct bc_buf *out, const char *label, add_fn *fn,
			    const struct bc_setting_row *row)
{
	struct bc_buf fact;
	int rc;

	bc_buf_init(&fact, BC_SETTINGS_FILE_MAX);
	rc = bc_buf_addf(&fact, "%s: ", label);
	if (!rc)
		rc = fn(row, &fact);
	if (!rc)
		rc = add_comment(out, fact.data);
	bc_buf_finish(&fact);
	return rc;
}

static int add_example_row(const struct bc_setting_row *row, struct bc_buf *out)
{
	const char *dot = strchr(row->name, '.');
	bool secret = row->type == &bc_setting_secret;
	int rc = add_comment(out, row->help);

	if (!rc)
		rc = add_example_fact(out, "Allowed", bc_setting_add_allowed, row);
	if (!rc && !row->def)
		rc = add_example_fact(out, "Default", bc_setting_add_default, row);
	if (rc)
		return rc;
	return bc_buf_addf(out, "#%s%s =%s%s\n\n", dot ? dot + 1 : row->name, secret ? "_file" : "",
			   row->def ? " " : "", row->def ? row->def : "");
}

static int add_example_group(const struct bc_setting_group *group, struct bc_buf *out)
{
	int rc = add_comment(out, group->title);

	if (!rc && group->prefix[0])
		rc = bc_buf_addf(out, "[%s]\n", group->prefix);
	if (!rc)
		rc = bc_buf_adds(out, "\n");
	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		if (bc_setting_in_group(&bc_setting_rows[i], group))
			rc = add_example_row(&bc_setting_rows[i], out);
	return rc;
}

static const char example_head[] =
	"# Settings of backchannel; the manual page backchannel.conf(5) explains them.\n"
	"#\n"
	"# Every line that is commented out shows its default, or stands for a value\n"
	"# that has none. The environment goes before this file: click.ttl here is\n"
	"# BACKCHANNEL_CLICK_TTL there. A comment has a line of its own.\n"
	"# Check with: backchannel config lint FILE\n"
	"\n";

static const char example_product[] = "# Further campaigns: a section each, as many as there are.\n"
				      "#[product shoes]\n"
				      "#id = 9bc72425-902c-3abf-9db8-8b186d7cb160\n"
				      "#key_file = /etc/backchannel/shoes.key\n"
				      "#landing = /shoes/\n";

int bc_settings_example(struct bc_buf *out)
{
	int rc = bc_buf_adds(out, example_head);

	for (size_t i = 0; !rc && i < bc_setting_group_count; i++)
		rc = add_example_group(&bc_setting_groups[i], out);
	return rc ? rc : bc_buf_adds(out, example_product);
}
