/* SPDX-License-Identifier: MIT */
/*
 * Two snapshots side by side: what a reload changes, what it cannot change before a restart, and
 * what was changed in vain. Products are matched by their labels, all else by its row; the product
 * `default` stands among the rows, as sovendus.product_id and sovendus.api_key.
 */
#include "daemon/settings_parts.h"

#include <string.h>

static bool same(const struct bc_setting_row *row, const void *a, const void *b)
{
	return row->type->equal((const char *)a + row->offset, (const char *)b + row->offset);
}

static bool is_default(const struct bc_settings_product *p)
{
	return strcmp(p->label, "default") == 0;
}

/* The place of the product with that label, or product_count. */
static size_t find(const struct bc_settings *s, const char *label)
{
	size_t i = 0;

	while (i < s->product_count && strcmp(s->products[i].label, label) != 0)
		i++;
	return i;
}

/* --- may it go on? --------------------------------------------------------------------------- */

int bc_settings_check_reload(const struct bc_settings *before, const struct bc_settings *after,
			     struct bc_settings_report *report, struct bc_err *err)
{
	struct bc_err problem = { 0 };
	int rc = bc_settings_check_startable(after, report, err);

	if (rc || after->api_token || bc_settings_listen_is_local(before->listen))
		return rc;
	bc_err_set(&problem, BC_EINVAL,
		   "\"api_token\" is missing, and until a restart \"listen\" is \"%s\"",
		   before->listen);
	bc_err_hint(&problem, "keep the token, or restart backchannel");
	bc_err_set(err, BC_EINVAL, "%s", problem.text);
	bc_err_hint(err, "%s", problem.hint);
	rc = bc_settings_report_add(report, BC_SETTINGS_ERROR, "", &problem);
	return rc ? rc : BC_EINVAL;
}

/* --- what needs a restart -------------------------------------------------------------------- */

static int report_switched(const struct bc_settings *after, struct bc_settings_report *report)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_ESTATE, "Commerce is switched %s by this, but at a restart only",
		   after->oauth_client_id ? "on" : "off");
	bc_err_hint(&problem, "restart backchannel");
	return bc_settings_report_add(report, BC_SETTINGS_WARNING, "", &problem);
}

int bc_settings_restart_needed(const struct bc_settings *before, const struct bc_settings *after,
			       struct bc_settings_report *report)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];
		struct bc_err problem = { 0 };

		if (!(row->flags & BC_SETTING_RESTART) || same(row, before, after))
			continue;
		bc_err_set(&problem, BC_ESTATE,
			   "\"%s\" has changed, but stays as it was until a restart", row->name);
		bc_err_hint(&problem, "restart backchannel to use the new value");
		rc = bc_settings_report_add(report, BC_SETTINGS_WARNING,
					    bc_settings_origins_of(after)->rows[i], &problem);
	}
	if (!rc && !before->oauth_client_id != !after->oauth_client_id)
		rc = report_switched(after, report);
	return rc;
}

/* --- what was changed in vain ---------------------------------------------------------------- */

static int report_hidden(struct bc_settings_report *report, const char *name,
			 const struct bc_setting_hidden *before,
			 const struct bc_setting_hidden *after, const char *origin)
{
	bool environment = strncmp(origin, "environment ", 12) == 0;
	struct bc_err problem = { 0 };

	if (!after->where || (before && before->where && before->hash == after->hash))
		return 0;
	bc_err_set(&problem, BC_ESTATE, "\"%s\" is not used from here: %s goes first", name,
		   origin);
	bc_err_hint(&problem,
		    environment ? "restart backchannel without that variable, or with another value"
				: "change it there, or take it out there");
	return bc_settings_report_add(report, BC_SETTINGS_WARNING, after->where, &problem);
}

static int report_hidden_product(const struct bc_settings *before, const struct bc_settings *after,
				 size_t at, struct bc_settings_report *report)
{
	const struct bc_settings_origins *was = bc_settings_origins_of(before);
	const struct bc_settings_origins *is = bc_settings_origins_of(after);
	size_t former = find(before, after->products[at].label);
	char name[BC_SETTING_NAME_MAX];
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		bc_setting_product_name(after->products[at].label, &bc_product_rows[i], name);
		rc = report_hidden(report, name,
				   former < before->product_count ? &was->hidden_products[former][i]
								  : NULL,
				   &is->hidden_products[at][i], is->products[at][i]);
	}
	return rc;
}

int bc_settings_hidden(const struct bc_settings *before, const struct bc_settings *after,
		       struct bc_settings_report *report)
{
	const struct bc_settings_origins *was = bc_settings_origins_of(before);
	const struct bc_settings_origins *is = bc_settings_origins_of(after);
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		rc = report_hidden(report, bc_setting_rows[i].name, &was->hidden_rows[i],
				   &is->hidden_rows[i], is->rows[i]);
	for (size_t i = 0; !rc && i < after->product_count; i++)
		if (!is_default(&after->products[i]))
			rc = report_hidden_product(before, after, i, report);
	return rc;
}

/* --- what changes ---------------------------------------------------------------------------- */

static const char *fingerprint(const struct bc_setting_row *row, const void *base, char *text)
{
	const struct bc_secret *key =
		*(struct bc_secret *const *)((const char *)base + row->offset);

	if (!key)
		return "none";
	bc_secret_fingerprint(key, text);
	return text;
}

static int add_name(struct bc_buf *out, const char *name)
{
	return bc_buf_addf(out, "%s%s", out->len ? ", " : "", name);
}

static int add_change(const struct bc_setting_row *row, const char *name, const void *before,
		      const void *after, struct bc_buf *out)
{
	char from[BC_FINGERPRINT_BYTES], to[BC_FINGERPRINT_BYTES];
	int rc;

	if ((row->flags & (BC_SETTING_RESTART | BC_SETTING_CLIENT)) || same(row, before, after))
		return 0;
	rc = add_name(out, name);
	if (rc || !(row->flags & BC_SETTING_KEY))
		return rc;
	return bc_buf_addf(out, " (%s to %s)", fingerprint(row, before, from),
			   fingerprint(row, after, to));
}

static int add_product_changes(const struct bc_settings_product *before,
			       const struct bc_settings_product *after, struct bc_buf *out)
{
	char name[BC_SETTING_NAME_MAX];
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		bc_setting_product_name(after->label, &bc_product_rows[i], name);
		rc = add_change(&bc_product_rows[i], name, before, after, out);
	}
	if (!rc && before->edition != after->edition &&
	    strcmp(before->partner, after->partner) == 0) {
		bc_setting_product_name(after->label, &bc_product_rows[BC_PRODUCT_PARTNER], name);
		rc = add_name(out, name);
		if (!rc)
			rc = bc_buf_adds(out, " (its definition)");
	}
	return rc;
}

/* Products of s that other does not have. */
static int add_unmatched(const struct bc_settings *s, const struct bc_settings *other,
			 const char *what, struct bc_buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->product_count; i++) {
		const struct bc_settings_product *p = &s->products[i];

		if (is_default(p) || find(other, p->label) < other->product_count)
			continue;
		rc = add_name(out, "product.");
		if (!rc)
			rc = bc_buf_addf(out, "%s %s", p->label, what);
	}
	return rc;
}

int bc_settings_changes(const struct bc_settings *before, const struct bc_settings *after,
			struct bc_buf *out)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		rc = add_change(&bc_setting_rows[i], bc_setting_rows[i].name, before, after, out);
	for (size_t i = 0; !rc && i < after->product_count; i++) {
		const struct bc_settings_product *p = &after->products[i];
		size_t former = find(before, p->label);

		if (!is_default(p) && former < before->product_count)
			rc = add_product_changes(&before->products[former], p, out);
	}
	if (!rc)
		rc = add_unmatched(after, before, "added", out);
	return rc ? rc : add_unmatched(before, after, "removed", out);
}

/* --- secrets --------------------------------------------------------------------------------- */

int bc_settings_each_secret(const struct bc_settings *s,
			    int (*visit)(void *ctx, struct bc_secret *secret), void *ctx)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];
		struct bc_secret *const *field = (const void *)((const char *)s + row->offset);

		if (row->type == &bc_setting_secret && *field)
			rc = visit(ctx, *field);
	}
	for (size_t i = 0; !rc && i < s->product_count; i++)
		if (s->products[i].key)
			rc = visit(ctx, s->products[i].key);
	return rc;
}
