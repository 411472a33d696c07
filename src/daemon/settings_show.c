/* SPDX-License-Identifier: MIT */
/*
 * `config show`: what is in force and where it came from. A secret is "set" or "missing", never
 * more; that is its type's doing (format writes "set"), not a rule to be remembered here.
 */
#include "daemon/settings_parts.h"

#include <jansson.h>
#include <string.h>

enum { VALUE_MAX = 1 << 20 };

/* What is said of one setting. */
struct line {
	const struct bc_setting_row *row;
	const char *name;
	const char *origin;
	struct bc_buf value; /* empty: not set */
};

typedef int line_fn(void *ctx, const struct line *line);

static int visit(const struct bc_setting_row *row, const char *name, const void *base,
		 const char *origin, line_fn *fn, void *ctx)
{
	struct line line = { .row = row, .name = name, .origin = origin };
	int rc;

	bc_buf_init(&line.value, VALUE_MAX);
	rc = row->type->format((const char *)base + row->offset, &line.value);
	if (!rc && row->type == &bc_setting_secret && line.value.len == 0)
		rc = bc_buf_adds(&line.value, "missing");
	if (!rc)
		rc = fn(ctx, &line);
	bc_buf_finish(&line.value);
	return rc;
}

static int visit_product(const struct bc_settings *s, size_t at, line_fn *fn, void *ctx)
{
	char name[BC_SETTING_NAME_MAX];
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		const struct bc_setting_row *row = &bc_product_rows[i];

		bc_setting_product_name(s->products[at].label, row, name);
		rc = visit(row, name, &s->products[at], bc_settings_origins_of(s)->products[at][i],
			   fn, ctx);
	}
	return rc;
}

/* The product "default" stands there already, as sovendus.product_id and sovendus.api_key. */
static int visit_all(const struct bc_settings *s, line_fn *fn, void *ctx)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		rc = visit(&bc_setting_rows[i], bc_setting_rows[i].name, s,
			   bc_settings_origins_of(s)->rows[i], fn, ctx);
	for (size_t i = 0; !rc && i < s->product_count; i++)
		if (strcmp(s->products[i].label, "default") != 0)
			rc = visit_product(s, i, fn, ctx);
	return rc;
}

/* --- text ------------------------------------------------------------------------------------ */

struct columns {
	int name, value;
	struct bc_buf *out;
};

/* One very long value must not push every source off the screen. */
enum { VALUE_COLUMN_MAX = 48 };

static const char *shown(const struct line *line)
{
	return line->value.len ? line->value.data : "-";
}

static int measure(void *ctx, const struct line *line)
{
	struct columns *c = ctx;
	int name = (int)strlen(line->name), value = (int)strlen(shown(line));

	if (name > c->name)
		c->name = name;
	if (value > c->value && value <= VALUE_COLUMN_MAX)
		c->value = value;
	return 0;
}

static int print(void *ctx, const struct line *line)
{
	const struct columns *c = ctx;

	return bc_buf_addf(c->out, "%-*s  %-*s  %s\n", c->name, line->name, c->value, shown(line),
			   line->origin);
}

int bc_settings_show_text(const struct bc_settings *s, struct bc_buf *out)
{
	struct columns c = { .out = out };
	int rc = visit_all(s, measure, &c);

	return rc ? rc : visit_all(s, print, &c);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static int collect(void *ctx, const struct line *line)
{
	char variable[BC_SETTING_NAME_MAX];
	const char *origin = line->origin;
	json_t *entry;

	/* A file's name may be any bytes; JSON's texts may not. */
	if (!bc_setting_is_utf8(bc_str_of(origin)))
		origin = "a file whose name is not UTF-8";
	bc_setting_env_name(line->name, variable);
	entry = json_pack("{s:s, s:s?, s:s, s:s}", "name", line->name, "value",
			  line->value.len ? line->value.data : NULL, "source", origin,
			  "environment", line->row->aliases[0] ? line->row->aliases[0] : variable);
	return entry && json_array_append_new(ctx, entry) == 0 ? 0 : BC_ENOMEM;
}

static void free_json(json_t **json)
{
	json_decref(*json);
}

int bc_settings_show_json(const struct bc_settings *s, struct bc_buf *out)
{
	BC_CLEANUP(free_json) json_t *list = json_array(), *whole = NULL;
	bc_autofree char *text = NULL;
	int rc = list ? visit_all(s, collect, list) : BC_ENOMEM;

	if (!rc)
		whole = json_pack("{s:O}", "settings", list);
	if (whole)
		text = json_dumps(whole, JSON_INDENT(2));
	if (rc || !text)
		return rc ? rc : BC_ENOMEM;
	return bc_buf_addf(out, "%s\n", text);
}
