/* SPDX-License-Identifier: MIT */
/*
 * From slots to the snapshot: reads each text into its typed field, works out the defaults that
 * depend on the machine, makes the products. A fault names the setting, where it stands and, unless
 * it is a secret, the value; all faults are found before any is final.
 *
 * The snapshot is counted. Behind what settings.h shows lie the origins that `config show` prints.
 */
#include "daemon/settings_parts.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <backchannel/client.h>
#include <backchannel/oauth.h>

struct owner {
	struct bc_settings s;
	struct bc_settings_origins origins; /* owned */
	atomic_uint refs;
};

static struct owner *owner_of(const struct bc_settings *s)
{
	return BC_CONTAINER(s, struct owner, s);
}

static void *field_of(void *base, const struct bc_setting_row *row)
{
	return (char *)base + row->offset;
}

/* --- life ------------------------------------------------------------------------------------ */

static void free_products(struct owner *o)
{
	for (size_t i = 0; i < o->s.product_count; i++) {
		for (size_t k = 0; k < BC_PRODUCT_ROWS; k++) {
			bc_product_rows[k].type->free(
				field_of(&o->s.products[i], &bc_product_rows[k]));
			free(o->origins.products[i][k]);
			free(o->origins.hidden_products[i][k].where);
		}
		free(o->s.products[i].label);
	}
	free(o->s.products);
	free(o->origins.products);
	free(o->origins.hidden_products);
}

static void owner_destroy(struct owner *o)
{
	if (!o)
		return;
	free_products(o);
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		bc_setting_rows[i].type->free(field_of(&o->s, &bc_setting_rows[i]));
		if (o->origins.rows)
			free(o->origins.rows[i]);
		if (o->origins.hidden_rows)
			free(o->origins.hidden_rows[i].where);
	}
	free(o->origins.rows);
	free(o->origins.hidden_rows);
	bc_token_pattern_destroy(o->s.token_pattern);
	bc_partner_book_destroy(o->s.partners);
	free(o->s.oauth_endpoint);
	free(o->s.oauth_scope);
	free(o);
}

static struct owner *owner_create(size_t products)
{
	struct owner *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	atomic_init(&o->refs, 1);
	o->origins.rows = calloc(bc_setting_row_count, sizeof(*o->origins.rows));
	o->origins.products = calloc(products, sizeof(*o->origins.products));
	o->origins.hidden_rows = calloc(bc_setting_row_count, sizeof(*o->origins.hidden_rows));
	o->origins.hidden_products = calloc(products, sizeof(*o->origins.hidden_products));
	o->s.products = calloc(products, sizeof(*o->s.products));
	if (o->origins.rows && o->origins.products && o->origins.hidden_rows &&
	    o->origins.hidden_products && o->s.products)
		return o;
	owner_destroy(o);
	return NULL;
}

struct bc_settings *bc_settings_ref(struct bc_settings *s)
{
	atomic_fetch_add_explicit(&owner_of(s)->refs, 1, memory_order_relaxed);
	return s;
}

void bc_settings_unref(struct bc_settings *s)
{
	if (s && atomic_fetch_sub_explicit(&owner_of(s)->refs, 1, memory_order_acq_rel) == 1)
		owner_destroy(owner_of(s));
}

const struct bc_settings_origins *bc_settings_origins_of(const struct bc_settings *s)
{
	return &owner_of(s)->origins;
}

/* --- one field ------------------------------------------------------------------------------- */

static int report_value(struct bc_settings_loader *l, const struct bc_setting_row *row,
			const char *name, struct bc_str text, const char *where,
			const struct bc_err *why)
{
	struct bc_err problem = { 0 };

	if (row->type == &bc_setting_secret)
		bc_err_set(&problem, BC_EINVAL, "\"%s\" %s", name, why->text);
	else
		bc_err_set(&problem, BC_EINVAL, "\"%s\" = \"%.*s%s\" %s", name,
			   (int)(text.len > 80 ? 80 : text.len), text.ptr,
			   text.len > 80 ? "..." : "", why->text);
	bc_err_hint(&problem, "%s", why->hint);
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, where, &problem);
}

/* Reads slot or default into the field; a fault is reported and leaves the field unset. Takes what
 * the slot hides. */
static int build_field(struct bc_settings_loader *l, const struct bc_setting_row *row,
		       const char *name, struct bc_setting_slot *slot, void *base,
		       char **ret_origin, struct bc_setting_hidden *ret_hidden)
{
	bool given = slot->level != BC_LEVEL_NONE;
	struct bc_str text = given ? (struct bc_str){ slot->text, slot->len } : bc_str_of(row->def);
	struct bc_err why = { 0 };
	int rc;

	*ret_hidden = slot->hidden;
	slot->hidden = (struct bc_setting_hidden){ 0 };
	*ret_origin = bc_str_dup(bc_str_of(given ? slot->where : "default"));
	if (!*ret_origin)
		return BC_ENOMEM;
	if (!text.ptr)
		return 0;
	rc = row->type->parse(row, text, field_of(base, row), &why);
	if (rc == BC_EINVAL)
		return report_value(l, row, name, text, *ret_origin, &why);
	return rc;
}

static int build_fields(struct bc_settings_loader *l, struct owner *o)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < bc_setting_row_count; i++)
		rc = build_field(l, &bc_setting_rows[i], bc_setting_rows[i].name, &l->slots[i],
				 &o->s, &o->origins.rows[i], &o->origins.hidden_rows[i]);
	return rc;
}

/* --- defaults that are worked out ------------------------------------------------------------ */

BC_PRINTF(2, 3) static int set_text(char **field, const char *fmt, ...)
{
	struct bc_buf buf;
	char *text = NULL;
	va_list ap;

	bc_buf_init(&buf, 2 * BC_SETTINGS_FILE_MAX);
	va_start(ap, fmt);
	if (!bc_buf_addv(&buf, fmt, ap))
		text = bc_buf_take(&buf);
	va_end(ap);
	bc_buf_finish(&buf);
	if (!text)
		return BC_ENOMEM;
	free(*field);
	*field = text;
	return 0;
}

/* The directory by its environment; NULL stays when nothing says where. */
static int find_state(struct bc_settings_loader *l, struct bc_settings *s)
{
	const char *systemd = bc_settings_getenv(l->source, "STATE_DIRECTORY");
	const char *xdg = bc_settings_getenv(l->source, "XDG_STATE_HOME");
	const char *home = bc_settings_getenv(l->source, "HOME");
	struct bc_str first = bc_str_of(systemd);

	if (systemd) {
		first = bc_str_split(&first, ':');
		return set_text(&s->state, "%.*s", (int)first.len, first.ptr);
	}
	/* The XDG specification: a relative path is to be ignored. */
	if (xdg && xdg[0] == '/')
		return set_text(&s->state, "%s/backchannel", xdg);
	if (home)
		return set_text(&s->state, "%s/.local/state/backchannel", home);
	/* A file that is linted alone knows no home. */
	return l->source->environment ? 0 : set_text(&s->state, "/var/lib/backchannel");
}

static int default_state(struct bc_settings_loader *l, struct bc_settings *s)
{
	struct bc_err problem = { 0 };
	int rc = find_state(l, s);

	if (rc || (s->state && bc_setting_is_utf8(bc_str_of(s->state))))
		return rc;
	if (s->state)
		bc_err_set(&problem, BC_EINVAL, "the state directory's name is not UTF-8");
	else
		bc_err_set(&problem, BC_EINVAL, "there is no state directory: HOME is not set");
	bc_err_hint(&problem, "set BACKCHANNEL_STATE, such as /var/lib/backchannel");
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, "", &problem);
}

/* Where one can connect to, when the daemon listens on every address. */
static int default_url(struct bc_settings *s)
{
	struct bc_str host, port, text = bc_str_of(s->listen);

	if (bc_str_starts(text, "unix:"))
		return set_text(&s->url, "%s", s->listen);
	BC_ASSERT(bc_setting_split_listen(text, &host, &port));
	if (bc_str_eq(host, "0.0.0.0"))
		host = BC_STR("127.0.0.1");
	else if (bc_str_eq(host, "::"))
		host = BC_STR("::1");
	if (memchr(host.ptr, ':', host.len))
		return set_text(&s->url, "http://[%.*s]:%.*s", (int)host.len, host.ptr,
				(int)port.len, port.ptr);
	return set_text(&s->url, "http://%.*s:%.*s", (int)host.len, host.ptr, (int)port.len,
			port.ptr);
}

static int derive_log(struct bc_settings *s)
{
	static const char *const levels[] = {
		[BC_LOG_ERROR] = "error",
		[BC_LOG_WARNING] = "warning",
		[BC_LOG_INFO] = "info",
		[BC_LOG_DEBUG] = "debug",
	};

	s->log_json = !isatty(STDERR_FILENO);
	/* The row's check has read it already. */
	if (bc_log_parse(bc_str_of(s->log), &s->log_level, &s->log_json))
		return BC_ENOMEM;
	return set_text(&s->log, "%s,%s", levels[s->log_level], s->log_json ? "json" : "text");
}

static int derive_pattern(struct bc_settings_loader *l, struct owner *o)
{
	const struct bc_setting_row *row = bc_setting_rows;
	struct bc_err why = { 0 }, problem = { 0 };
	size_t i = 0;
	int rc;

	if (!o->s.token_pattern_text)
		return 0;
	rc = bc_token_pattern_create(o->s.token_pattern_text, &o->s.token_pattern, &why);
	if (rc != BC_EINVAL)
		return rc;
	while (row[i].offset != offsetof(struct bc_settings, token_pattern_text))
		i++;
	bc_err_set(&problem, BC_EINVAL, "\"%s\": %s", row[i].name, why.text);
	bc_err_hint(&problem, "%s",
		    why.hint[0] ? why.hint : "write a POSIX extended regular expression");
	return bc_settings_report_add(l->report, BC_SETTINGS_ERROR, o->origins.rows[i], &problem);
}

static void drop_trailing_slashes(char *url)
{
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		url[--len] = '\0';
}

/* --- Commerce -------------------------------------------------------------------------------- */

/* Adobe's tools write both secrets into one variable, as a JSON array. */
static int split_secrets(struct bc_settings *s)
{
	struct bc_secret **each[] = { &s->oauth_client_secret, &s->oauth_client_secret_next };
	struct bc_secret *all = s->oauth_client_secret;

	if (!all || bc_secret_reveal(all)[0] != '[')
		return 0;
	json_t *list = json_loadb(bc_secret_reveal(all), bc_secret_len(all), 0, NULL);
	size_t count = json_is_array(list) ? json_array_size(list) : 0;
	int rc = 0;
	for (size_t i = 0; !rc && i < count && i < BC_COUNT(each); i++) {
		json_t *text = json_array_get(list, i);
		if (!json_is_string(text) || !json_string_length(text) || (i && *each[i]))
			continue;
		*each[i] = bc_secret_create(json_string_value(text), json_string_length(text));
		rc = *each[i] ? 0 : BC_ENOMEM;
	}
	if (s->oauth_client_secret != all)
		bc_secret_unref(all);
	json_decref(list);
	return rc;
}

static int derive_oauth(struct bc_settings *s)
{
	bool none = s->oauth_scopes && strcmp(s->oauth_scopes, "none") == 0;
	bool comma = !s->oauth_scope_separator || strcmp(s->oauth_scope_separator, "comma") == 0;
	const char *base = s->oauth_base_url;
	int rc = split_secrets(s);

	if (base && strcmp(base, "prod") == 0)
		rc = set_text(&s->oauth_base_url, "https://ims-na1.adobelogin.com");
	else if (base && strcmp(base, "stage") == 0)
		rc = set_text(&s->oauth_base_url, "https://ims-na1-stg1.adobelogin.com");
	if (!rc && s->oauth_token_url)
		rc = set_text(&s->oauth_endpoint, "%s", s->oauth_token_url);
	else if (!rc && s->oauth_base_url)
		rc = set_text(&s->oauth_endpoint, "%s/ims/token/v3", s->oauth_base_url);
	/* The journal needs one more, which is said unless somebody said otherwise. */
	if (!rc && s->journal_url && s->oauth_scopes && !strcmp(s->oauth_scopes, BC_CLIENT_SCOPES))
		rc = set_text(&s->oauth_scopes, BC_CLIENT_SCOPES ",adobeio_api");
	if (!rc && s->oauth_scopes && !none)
		/* The row's check has read it already. */
		rc = bc_oauth_scope_join(s->oauth_scopes, comma ? "," : " ", &s->oauth_scope, NULL);
	if (!rc && !s->events_client_id && s->oauth_client_id)
		rc = set_text(&s->events_client_id, "%s", s->oauth_client_id);
	s->oauth_basic = s->oauth_auth && strcmp(s->oauth_auth, "basic") == 0;
	return rc;
}

/* Given by a name that anything may have, it is ours only if there is an OAuth client. */
static void derive_commerce(struct bc_settings_loader *l, struct bc_settings *s)
{
	size_t i = 0;

	while (bc_setting_rows[i].offset != offsetof(struct bc_settings, commerce_base_url))
		i++;
	if (l->slots[i].common_name && !s->oauth_client_id && !s->oauth_client_secret) {
		free(s->commerce_base_url);
		s->commerce_base_url = NULL;
	}
	if (!s->commerce_flavor || bc_commerce_flavor_parse(s->commerce_flavor, &s->commerce_is))
		s->commerce_is = BC_COMMERCE_AUTO;
	if (s->commerce_is == BC_COMMERCE_AUTO && s->commerce_base_url)
		s->commerce_is = bc_commerce_flavor_of(s->commerce_base_url);
}

static int derive(struct bc_settings_loader *l, struct owner *o)
{
	struct bc_settings *s = &o->s;
	int rc = s->state ? 0 : default_state(l, s);

	if (!rc && !s->store && s->state)
		rc = set_text(&s->store, "sqlite:%s/backchannel.db", s->state);
	if (!rc && !s->url && s->listen)
		rc = default_url(s);
	if (!rc && s->log)
		rc = derive_log(s);
	if (!rc)
		rc = derive_pattern(l, o);
	char *const bases[] = { s->sovendus_base_url, s->oauth_base_url, s->commerce_base_url };
	for (size_t i = 0; i < BC_COUNT(bases); i++)
		if (bases[i])
			drop_trailing_slashes(bases[i]);
	if (!rc)
		rc = derive_oauth(s);
	derive_commerce(l, s);
	return rc;
}

/* --- products -------------------------------------------------------------------------------- */

static int copy_origin(struct owner *o, const void *field, char **ret_origin)
{
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		if (field_of(&o->s, &bc_setting_rows[i]) != field)
			continue;
		*ret_origin = bc_str_dup(bc_str_of(o->origins.rows[i]));
		return *ret_origin ? 0 : BC_ENOMEM;
	}
	return BC_EINTERNAL;
}

/* The SOVENDUS_* pair, or half of it, is the product "default". */
static int build_default_product(struct owner *o)
{
	struct bc_settings *s = &o->s;
	struct bc_settings_product *p = &s->products[0];
	char **origins = o->origins.products[0];
	int rc;

	if (!s->sovendus_product_id && !s->sovendus_api_key)
		return 0;
	s->product_count = 1;
	rc = set_text(&p->label, "default");
	if (!rc)
		rc = set_text(&p->partner, "sovendus");
	if (!rc && s->sovendus_product_id)
		rc = set_text(&p->id, "%s", s->sovendus_product_id);
	if (s->sovendus_api_key)
		p->key = bc_secret_ref(s->sovendus_api_key);
	if (!rc)
		rc = copy_origin(o, &s->sovendus_product_id, &origins[BC_PRODUCT_ID]);
	return rc ? rc : copy_origin(o, &s->sovendus_api_key, &origins[BC_PRODUCT_KEY]);
}

static int build_product(struct bc_settings_loader *l, struct owner *o,
			 struct bc_product_slots *slots)
{
	size_t at = o->s.product_count++;
	struct bc_settings_product *p = &o->s.products[at];
	char name[BC_SETTING_NAME_MAX];
	int rc = set_text(&p->label, "%s", slots->label);

	for (size_t i = 0; !rc && i < BC_PRODUCT_ROWS; i++) {
		bc_setting_product_name(p->label, &bc_product_rows[i], name);
		rc = build_field(l, &bc_product_rows[i], name, &slots->slots[i], p,
				 &o->origins.products[at][i], &o->origins.hidden_products[at][i]);
	}
	return rc;
}

static int compare_labels(const void *a, const void *b)
{
	const struct bc_product_slots *x = a, *y = b;

	return strcmp(x->label, y->label);
}

static bool has_value(const struct bc_product_slots *p)
{
	for (size_t i = 0; i < BC_PRODUCT_ROWS; i++)
		if (p->slots[i].level != BC_LEVEL_NONE)
			return true;
	return false;
}

static int build_products(struct bc_settings_loader *l, struct owner *o)
{
	int rc = build_default_product(o);

	if (l->product_count)
		qsort(l->products, l->product_count, sizeof(*l->products), compare_labels);
	/* One whose every value is empty was never set. */
	for (size_t i = 0; !rc && i < l->product_count; i++)
		if (has_value(&l->products[i]))
			rc = build_product(l, o, &l->products[i]);
	return rc;
}

int bc_settings_build(struct bc_settings_loader *l, struct bc_settings **ret_settings)
{
	struct owner *o = owner_create(l->product_count + 1);
	int rc = o ? build_fields(l, o) : BC_ENOMEM;

	if (!rc)
		rc = derive(l, o);
	if (!rc)
		rc = build_products(l, o);
	if (!rc)
		rc = bc_settings_find_partners(l, &o->s);
	if (!rc)
		rc = bc_settings_check_together(&o->s, l->report);
	if (rc || l->report->errors) {
		owner_destroy(o);
		return rc;
	}
	*ret_settings = &o->s;
	return 0;
}
