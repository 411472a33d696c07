/* SPDX-License-Identifier: MIT */
/*
 * From a partner's name to its definition, for each product; and what a product must have for it.
 * Definitions of one's own lie beside the settings file (partner_book.h).
 */
#include "daemon/settings_parts.h"

#include <string.h>

#include "protocol/definition.h"

static const char etc[] = "/etc/backchannel/backchannel.conf";

/* Of the file that was read; else of the one that is looked for last. */
static char *folder_of(const struct bc_settings_loader *l)
{
	const char *last = l->source->fallback_path ? l->source->fallback_path : etc;
	const char *slash = strrchr(last, '/');
	struct bc_str base = { last, slash ? (size_t)(slash - last) : 0 };
	struct bc_buf path;
	char *folder = NULL;

	if (l->config_folder)
		base = bc_str_of(l->config_folder);
	bc_buf_init(&path, 2 * BC_SETTINGS_FILE_MAX);
	if (!bc_buf_addf(&path, "%.*s/partners", (int)base.len, base.ptr))
		folder = bc_buf_take(&path);
	bc_buf_finish(&path);
	return folder;
}

char *bc_settings_partner_folder(const struct bc_settings_source *source)
{
	struct bc_settings_report report;
	struct bc_settings_loader l;
	char *folder = NULL;

	bc_settings_report_init(&report);
	int rc = bc_settings_loader_init(&l, source, &report, false);
	if (!rc)
		rc = bc_settings_read_environment(&l);
	if (!rc)
		rc = bc_settings_read_dotenv(&l);
	if (!rc)
		rc = bc_settings_read_config(&l);
	if (!rc)
		folder = folder_of(&l);
	bc_settings_loader_finish(&l);
	bc_settings_report_finish(&report);
	return folder;
}

/* --- one product ----------------------------------------------------------------------------- */

/* Tells of a value of the product. The row's own fault has its finding already. */
static int report(struct bc_settings_loader *l, const struct bc_settings *s,
		  const struct bc_settings_product *p, int row, const char *value,
		  const struct bc_err *why)
{
	const struct bc_settings_origins *origins = bc_settings_origins_of(s);
	const char *where = origins->products[p - s->products][row];
	struct bc_err problem = { 0 };
	char name[BC_SETTING_NAME_MAX];

	bc_setting_product_name(p->label, &bc_product_rows[row], name);
	bc_err_set(&problem, BC_EINVAL, "\"%s\" = \"%.80s\" %s", name, value, why->text);
	bc_err_hint(&problem, "%s", why->hint);
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, where ? where : "", &problem);
}

static int report_partner(struct bc_settings_loader *l, const struct bc_settings *s,
			  const struct bc_settings_product *p, int code, const struct bc_err *found)
{
	struct bc_err why = { 0 };

	if (code == BC_ENOENT) {
		bc_err_set(&why, BC_EINVAL, "is no partner that is known here");
		bc_err_hint(&why,
			    "backchannel partners lists them; one of your own is the file "
			    "%.100s/%s.conf",
			    bc_partner_book_folder(s->partners), p->partner);
	} else {
		bc_err_set(&why, BC_EINVAL, "cannot be used: %s", found->text);
		bc_err_hint(&why, "%s", found->hint);
	}
	return report(l, s, p, BC_PRODUCT_PARTNER, p->partner, &why);
}

static size_t count_parts(const char *text)
{
	size_t count = 1;

	for (; text && *text; text++)
		count += *text == ':';
	return count;
}

static int check_id(struct bc_settings_loader *l, const struct bc_settings *s,
		    const struct bc_settings_product *p)
{
	const char *wanted = p->definition->id;
	struct bc_err why = { 0 };

	if (!p->id || count_parts(p->id) == count_parts(wanted))
		return 0;
	bc_err_set(&why, BC_EINVAL, "is no product ID of %s", p->definition->title);
	if (wanted)
		bc_err_hint(&why, "write %s, each as %s gave it", wanted, p->definition->title);
	else
		bc_err_hint(&why, "it is one part, without a colon");
	return report(l, s, p, BC_PRODUCT_ID, p->id, &why);
}

static int find_partner(struct bc_settings_loader *l, struct bc_settings *s,
			struct bc_settings_product *p)
{
	struct bc_err why = { 0 };
	int rc = p->partner ? bc_partner_book_find(s->partners, p->partner, &p->definition, &why)
			    : 0;

	if (rc == BC_ENOMEM || !p->partner)
		return rc;
	if (rc)
		return report_partner(l, s, p, rc, &why);
	p->edition = bc_partner_book_edition(s->partners, p->definition);
	p->url = p->base_url				 ? p->base_url
		 : p->definition == &bc_partner_sovendus ? s->sovendus_base_url
							 : p->definition->base_url;
	return check_id(l, s, p);
}

int bc_settings_find_partners(struct bc_settings_loader *l, struct bc_settings *s)
{
	bc_autofree char *folder = folder_of(l);
	int rc = 0;

	s->partners = folder ? bc_partner_book_create(folder) : NULL;
	if (!s->partners)
		return BC_ENOMEM;
	for (size_t i = 0; !rc && i < s->product_count; i++)
		rc = find_partner(l, s, &s->products[i]);
	return rc;
}
