/* SPDX-License-Identifier: MIT */
/*
 * docs/settings.md, rendered from the table, and the prose that it shares with the manual page. The
 * file in the tree is what this renders; a test holds the two together.
 */
#include "daemon/settings_parts.h"

#include <inttypes.h>
#include <string.h>

const struct bc_setting_prose bc_setting_prose[] = {
	{ "Where a setting comes from",
	  "Four places, highest first; what a higher one says, a lower one cannot change:" },
	{ NULL, "1. the environment, with systemd's credentials;" },
	{ NULL,
	  "2. the file `.env` in the working directory. It is read only if it is a regular file "
	  "that "
	  "belongs to you or root and that nobody else can write to; otherwise a warning says why "
	  "it is not;" },
	{ NULL, "3. one settings file: the first of `--config PATH`, `BACKCHANNEL_CONFIG`, "
		"`./backchannel.conf` (refused if others can write to it) and "
		"`/etc/backchannel/backchannel.conf`;" },
	{ NULL, "4. the defaults below." },
	{ NULL,
	  "An empty value is no value. A setting that one place sets twice, and differently, is "
	  "refused by both names. `backchannel config show` prints what is in force and where it "
	  "came from; `backchannel config lint` checks all of it without starting anything." },
	{ "How a setting is written",
	  "The setting `click.ttl` is `BACKCHANNEL_CLICK_TTL` in the environment and in `.env`, "
	  "and `ttl` "
	  "in the section `[click]` of the settings file. So every setting can be given in all "
	  "three. "
	  "The vendor's own names, such as `SOVENDUS_API_KEY`, count as well." },
	{ NULL, "In the settings file a comment begins with `#` or `;` and has a line of its own: "
		"behind a "
		"value it would be part of the value. In `.env` a value may be quoted with `'` or "
		"`\"`, and "
		"nothing is expanded." },
	{ NULL, "A duration is a whole number and its unit: `ms`, `s`, `m`, `h` or `d`. A size is "
		"a whole "
		"number and `KiB`, `MiB`, `KB` or `MB`, or bytes without a unit." },
	{ "Secrets",
	  "A secret can stand in a file of its own: add `_FILE` to its environment name, or "
	  "`_file` to its "
	  "name in the settings file, and give the path. Line ends behind the value are dropped; "
	  "the file "
	  "must be a regular one of at most 64 KiB. A systemd credential of the secret's name, "
	  "such as "
	  "`sovendus.api_key`, needs no setting at all. No secret is ever shown, logged or stored; "
	  "`config show` says `set` or `missing`." },
	{ "Reload",
	  "SIGHUP reads the files again, those of secrets too, and checks everything before "
	  "anything changes; if there is an error, the old settings stay in force and the log says "
	  "why. No connection is dropped, and a parked lane whose key changed is tried at once. "
	  "The environment of a running process cannot change: what is set there needs a restart, "
	  "and so do the settings marked *restart*; the log names those that wait for one." },
};
const size_t bc_setting_prose_count = BC_COUNT(bc_setting_prose);

bool bc_setting_in_group(const struct bc_setting_row *row, const struct bc_setting_group *group)
{
	const char *dot = strchr(row->name, '.');
	struct bc_str prefix = { row->name, dot ? (size_t)(dot - row->name) : 0 };

	return bc_str_eq(prefix, group->prefix);
}

int bc_setting_add_allowed(const struct bc_setting_row *row, struct bc_buf *out)
{
	char min[24], max[24];

	if (row->type->bound)
		return bc_buf_addf(out, "`%s` to `%s`",
				   row->type->bound(row->min, min, sizeof(min)),
				   row->type->bound(row->max, max, sizeof(max)));
	if (row->allowed)
		return bc_buf_adds(out, row->allowed);
	if (row->min)
		return bc_buf_addf(out, "%s of at least %" PRIu64 " bytes", row->type->docs,
				   row->min);
	return bc_buf_adds(out, row->type->docs);
}

int bc_setting_add_default(const struct bc_setting_row *row, struct bc_buf *out)
{
	if (row->def_docs)
		return bc_buf_adds(out, row->def_docs);
	return row->def ? bc_buf_addf(out, "`%s`", row->def) : bc_buf_adds(out, "none");
}

/* --- Markdown -------------------------------------------------------------------------------- */

static int add_prose(struct bc_buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_prose_count; i++) {
		const struct bc_setting_prose *p = &bc_setting_prose[i];

		if (p->title)
			rc = bc_buf_addf(out, "## %s\n\n", p->title);
		if (!rc)
			rc = bc_buf_addf(out, "%s\n\n", p->text);
	}
	return rc;
}

static int add_head(struct bc_buf *out, const char *title, const char *intro)
{
	return bc_buf_addf(out,
			   "## %s\n\n%s\n\n| setting | environment | default | allowed | |\n"
			   "|---|---|---|---|---|\n",
			   title, intro);
}

static int add_tail(const struct bc_setting_row *row, struct bc_buf *out)
{
	int rc = bc_buf_adds(out, " | ");

	if (!rc)
		rc = bc_setting_add_default(row, out);
	if (!rc)
		rc = bc_buf_adds(out, " | ");
	if (!rc)
		rc = bc_setting_add_allowed(row, out);
	if (!rc)
		rc = bc_buf_addf(out, " | %s%s |\n", row->help,
				 row->flags & BC_SETTING_RESTART ? " *restart*" : "");
	return rc;
}

static int add_row(const struct bc_setting_row *row, struct bc_buf *out)
{
	const char *file = row->type == &bc_setting_secret ? ", `…_FILE`" : "";
	char name[BC_SETTING_NAME_MAX];
	int rc;

	bc_setting_env_name(row->name, name);
	rc = bc_buf_addf(out, "| `%s` | ", row->name);
	for (const char *const *alias = row->aliases; !rc && *alias; alias++)
		rc = bc_buf_addf(out, "`%s` or ", *alias);
	if (!rc)
		rc = bc_buf_addf(out, "`%s`%s", name, file);
	return rc ? rc : add_tail(row, out);
}

static int add_group(const struct bc_setting_group *group, struct bc_buf *out)
{
	int rc = add_head(out, group->title, group->intro);

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		if (bc_setting_in_group(&bc_setting_rows[i], group))
			rc = add_row(&bc_setting_rows[i], out);
	return rc ? rc : bc_buf_adds(out, "\n");
}

static int add_products(struct bc_buf *out)
{
	int rc = add_head(out, "Products",
			  "Each further campaign is a section `[product LABEL]`, or variables "
			  "`BACKCHANNEL_PRODUCT_<LABEL>_…`. A label is made of `a`-`z`, `0`-`9`, "
			  "`_` and `-`; "
			  "in the environment it is in capitals, with `_` for `-`. The label "
			  "`default` is the "
			  "`SOVENDUS_*` pair's.");

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		const struct bc_setting_row *row = &bc_product_rows[i];
		char name[BC_SETTING_NAME_MAX];

		bc_setting_env_name(row->name, name);
		rc = bc_buf_addf(out, "| `%s`%s | `BACKCHANNEL_PRODUCT_<LABEL>_%s`%s", row->name,
				 row->type == &bc_setting_secret ? " or `key_file`" : "",
				 name + strlen("BACKCHANNEL_"),
				 row->type == &bc_setting_secret ? ", `…_FILE`" : "");
		if (!rc)
			rc = add_tail(row, out);
	}
	return rc ? rc : bc_buf_adds(out, "\n");
}

static int add_variables(struct bc_buf *out)
{
	int rc = bc_buf_adds(out,
			     "## Variables that are no settings\n\n| environment | |\n|---|---|\n");

	for (size_t i = 0; !rc && i < bc_setting_variable_count; i++)
		rc = bc_buf_addf(out, "| `%s` | %s |\n", bc_setting_variables[i].name,
				 bc_setting_variables[i].help);
	return rc;
}

int bc_settings_markdown(struct bc_buf *out)
{
	int rc = bc_buf_adds(
		out, "# Settings\n\nThis page is rendered from the program's own table of "
		     "settings, as the manual page backchannel.conf(5) is. "
		     "[packaging/backchannel.conf](../packaging/backchannel.conf) has all of "
		     "them as a commented file to start from.\n\n");

	if (!rc)
		rc = add_prose(out);
	for (size_t i = 0; !rc && i < bc_setting_group_count; i++) {
		rc = add_group(&bc_setting_groups[i], out);
		if (!rc && strcmp(bc_setting_groups[i].prefix, "sovendus") == 0)
			rc = add_products(out);
	}
	return rc ? rc : add_variables(out);
}
