/* SPDX-License-Identifier: MIT */
/*
 * Names: which setting a name in a file or in the environment means, and which one was probably
 * meant when there is none of that name. A wrong name never passes silently.
 *
 * Products come from names too: [product LABEL] and BACKCHANNEL_PRODUCT_<LABEL>_ID make one each.
 * The environment cannot spell "-", so two labels that differ only in "-" and "_" are one.
 */
#include "daemon/settings_parts.h"

#include <stdio.h>
#include <string.h>

#define ENV_PREFIX     "BACKCHANNEL_"
#define COMMON_NAME    "API_ENDPOINT"
#define PRODUCT_PREFIX "BACKCHANNEL_PRODUCT_"

/* What a variable begins with that may be ours. The vendors' are not ours alone: only what looks
 * like a slip is spoken of. */
static const char *const prefixes[] = { ENV_PREFIX, "SOVENDUS_", "IMS_", "AIO_COMMERCE_",
					COMMON_NAME };

static char to_env(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	return c == '.' || c == '-' ? '_' : c;
}

void bc_setting_env_name(const char *name, char ret_name[BC_SETTING_NAME_MAX])
{
	size_t len = (size_t)snprintf(ret_name, BC_SETTING_NAME_MAX, "%s%s", ENV_PREFIX, name);

	BC_ASSERT(len < BC_SETTING_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		ret_name[i] = to_env(ret_name[i]);
}

void bc_setting_product_name(const char *label, const struct bc_setting_row *row,
			     char ret_name[BC_SETTING_NAME_MAX])
{
	snprintf(ret_name, BC_SETTING_NAME_MAX, "product.%s.%s", label, row->name);
}

/* --- the nearest name ------------------------------------------------------------------------ */

/* Levenshtein's distance of two short names; longer ones are never near. */
static size_t distance(struct bc_str a, const char *b)
{
	size_t row[BC_SETTING_NAME_MAX + 1], blen = strlen(b);

	if (a.len > BC_SETTING_NAME_MAX || blen > BC_SETTING_NAME_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t changed = diagonal + (a.ptr[i - 1] != b[j - 1]);
			size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = changed < least ? changed : least;
		}
	}
	return row[blen];
}

struct nearest {
	struct bc_str wanted;
	size_t distance;
	char name[BC_SETTING_NAME_MAX];
};

/* skip: a prefix that all names share and that therefore says nothing about nearness. */
static struct nearest nearest_start(struct bc_str wanted, size_t skip)
{
	size_t limit = (wanted.len - skip) / 3;

	return (struct nearest){ .wanted = wanted, .distance = (limit < 4 ? limit : 3) + 1 };
}

static void nearest_try(struct nearest *n, const char *name)
{
	size_t d = distance(n->wanted, name);

	if (d >= n->distance)
		return;
	n->distance = d;
	snprintf(n->name, sizeof(n->name), "%s", name);
}

static void nearest_try_secret(struct nearest *n, const char *name, const char *suffix)
{
	char file[BC_SETTING_NAME_MAX];

	if ((size_t)snprintf(file, sizeof(file), "%s%s", name, suffix) < sizeof(file))
		nearest_try(n, file);
}

static int report_unknown(const struct nearest *n, const char *kind, struct bc_err *err)
{
	bc_err_set(err, BC_ENOENT, "there is no %s \"%.*s\"", kind, (int)n->wanted.len,
		   n->wanted.ptr);
	if (n->name[0])
		bc_err_hint(err, "did you mean \"%s\"?", n->name);
	else
		bc_err_hint(err, "`backchannel config show` lists every setting");
	return 0;
}

/* --- products -------------------------------------------------------------------------------- */

static bool same_label(const char *known, struct bc_str label)
{
	for (size_t i = 0; i < label.len; i++)
		if (to_env(known[i]) != to_env(label.ptr[i]))
			return false;
	return known[label.len] == '\0';
}

static bool is_label(struct bc_str label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", label.ptr[i]))
			return false;
	return label.len > 0 && label.len <= BC_PRODUCT_LABEL_MAX;
}

static int refuse_label(struct bc_str label, struct bc_err *err)
{
	if (bc_str_eq(label, "default")) {
		bc_err_set(err, BC_EINVAL, "the product label \"default\" is taken");
		bc_err_hint(err,
			    "SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY ([sovendus] product_id and "
			    "api_key) make that product");
		return BC_EINVAL;
	}
	bc_err_set(err, BC_EINVAL, "the product label \"%.*s\" cannot be used", (int)label.len,
		   label.ptr);
	bc_err_hint(err, "use 1 to %d of a-z, 0-9, \"_\", \"-\"", BC_PRODUCT_LABEL_MAX);
	return BC_EINVAL;
}

/* A file's spelling counts, the environment's gives way: it has no "-". Two of files are refused.
 */
static int spell(struct bc_product_slots *product, struct bc_str label, bool from_file,
		 struct bc_err *err)
{
	if (from_file && product->spelled && !bc_str_eq(label, product->label)) {
		bc_err_set(err, BC_EINVAL, "the product labels \"%s\" and \"%.*s\" are too alike",
			   product->label, (int)label.len, label.ptr);
		bc_err_hint(err, "rename one: the environment cannot tell \"-\" from \"_\"");
		return BC_EINVAL;
	}
	if (from_file) {
		memcpy(product->label, label.ptr, label.len);
		product->spelled = true;
	}
	return 1;
}

/* 1, BC_EINVAL or BC_ENOMEM. */
static int find_product(struct bc_settings_loader *l, struct bc_str label, bool from_file,
			struct bc_product_slots **ret_product, struct bc_err *err)
{
	struct bc_product_slots *grown;

	if (!is_label(label) || bc_str_eq(label, "default"))
		return refuse_label(label, err);
	for (size_t i = 0; i < l->product_count; i++) {
		*ret_product = &l->products[i];
		if (same_label((*ret_product)->label, label))
			return spell(*ret_product, label, from_file, err);
	}
	if (l->product_count == BC_SETTINGS_PRODUCTS_MAX)
		return bc_err_tell(
			err, BC_EINVAL,
			"run a second daemon with a state directory of its own for the others",
			"there are more than %d products", BC_SETTINGS_PRODUCTS_MAX);
	grown = realloc(l->products, (l->product_count + 1) * sizeof(*grown));
	if (!grown)
		return bc_err_nomem(err);
	l->products = grown;
	*ret_product = &grown[l->product_count++];
	memset(*ret_product, 0, sizeof(**ret_product));
	memcpy((*ret_product)->label, label.ptr, label.len);
	(*ret_product)->spelled = from_file;
	return 1;
}

static int target_product(struct bc_settings_loader *l, struct bc_str label, bool from_file,
			  const struct bc_setting_row *row, bool via_file,
			  struct bc_setting_target *ret_target, struct bc_err *err)
{
	struct bc_product_slots *product;
	int rc = find_product(l, label, from_file, &product, err);

	if (rc == 1)
		*ret_target =
			(struct bc_setting_target){ row, &product->slots[row - bc_product_rows],
						    via_file };
	return rc;
}

/* --- files ----------------------------------------------------------------------------------- */

/* Is it the row's name, or for a secret its name and suffix? */
static bool names_row(const struct bc_setting_row *row, struct bc_str name, const char *row_name,
		      const char *suffix, bool *ret_via_file)
{
	size_t len = strlen(row_name);

	*ret_via_file = false;
	if (bc_str_eq(name, row_name))
		return true;
	if (row->type != &bc_setting_secret || !bc_str_starts(name, row_name))
		return false;
	*ret_via_file = true;
	return bc_str_eq((struct bc_str){ name.ptr + len, name.len - len }, suffix);
}

static int find_product_key(struct bc_settings_loader *l, struct bc_str label, const char *key,
			    struct bc_setting_target *ret_target, struct bc_err *err)
{
	struct nearest n = nearest_start(bc_str_of(key), 0);
	bool via_file;

	for (size_t i = 0; i < BC_PRODUCT_ROWS; i++) {
		const struct bc_setting_row *row = &bc_product_rows[i];

		if (names_row(row, bc_str_of(key), row->name, "_file", &via_file))
			return target_product(l, label, true, row, via_file, ret_target, err);
		nearest_try(&n, row->name);
	}
	nearest_try(&n, "key_file");
	return report_unknown(&n, "product setting", err);
}

int bc_setting_find_ini(struct bc_settings_loader *l, const char *section, const char *key,
			struct bc_setting_target *ret_target, struct bc_err *err)
{
	struct bc_str s = bc_str_of(section);
	char name[2 * BC_SETTING_NAME_MAX];
	struct nearest n;

	if (bc_str_starts(s, "product ") || bc_str_eq(s, "product"))
		return find_product_key(l, bc_str_trim((struct bc_str){ s.ptr + 7, s.len - 7 }),
					key, ret_target, err);
	if (s.len == 0 || bc_str_eq(s, "backchannel"))
		snprintf(name, sizeof(name), "%s", key);
	else
		snprintf(name, sizeof(name), "%s.%s", section, key);
	n = nearest_start(bc_str_of(name), 0);
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];

		*ret_target = (struct bc_setting_target){ .row = row, .slot = &l->slots[i] };
		if (names_row(row, n.wanted, row->name, "_file", &ret_target->via_file))
			return 1;
		nearest_try(&n, row->name);
		if (row->type == &bc_setting_secret)
			nearest_try_secret(&n, row->name, "_file");
	}
	return report_unknown(&n, "setting", err);
}

/* --- environment ----------------------------------------------------------------------------- */

/* BACKCHANNEL_PRODUCT_<LABEL>_<FIELD>: the field is what stands behind the label. */
static int find_product_variable(struct bc_settings_loader *l, struct bc_str name,
				 struct bc_setting_target *ret_target, struct bc_err *err)
{
	static const struct {
		const char *suffix;
		int row;
		bool via_file;
	} fields[] = {
		{ "_KEY_FILE", BC_PRODUCT_KEY, true },
		{ "_PARTNER", BC_PRODUCT_PARTNER, false },
		{ "_LANDING", BC_PRODUCT_LANDING, false },
		{ "_KEY", BC_PRODUCT_KEY, false },
		{ "_ID", BC_PRODUCT_ID, false },
		{ "_BASE_URL", BC_PRODUCT_BASE_URL, false },
	};
	struct bc_str rest = { name.ptr + strlen(PRODUCT_PREFIX),
			       name.len - strlen(PRODUCT_PREFIX) };
	char label[BC_SETTING_NAME_MAX];

	for (size_t i = 0; i < BC_COUNT(fields); i++) {
		size_t len = strlen(fields[i].suffix);

		if (rest.len <= len || rest.len - len >= sizeof(label) ||
		    memcmp(rest.ptr + rest.len - len, fields[i].suffix, len) != 0)
			continue;
		for (size_t k = 0; k < rest.len - len; k++)
			label[k] = rest.ptr[k] >= 'A' && rest.ptr[k] <= 'Z'
					   ? (char)(rest.ptr[k] - 'A' + 'a')
					   : rest.ptr[k];
		return target_product(l, (struct bc_str){ label, rest.len - len }, false,
				      &bc_product_rows[fields[i].row], fields[i].via_file,
				      ret_target, err);
	}
	bc_err_set(err, BC_ENOENT, "there is no product setting \"%.*s\"", (int)name.len, name.ptr);
	bc_err_hint(err,
		    "a product's variables are %s<LABEL>_ID, _KEY, _KEY_FILE, _PARTNER, _LANDING, "
		    "_BASE_URL",
		    PRODUCT_PREFIX);
	return 0;
}

static int report_unknown_variable(const struct nearest *n, struct bc_err *err)
{
	if (!bc_str_starts(n->wanted, ENV_PREFIX) && !n->name[0])
		return 0;
	return report_unknown(n, "setting", err);
}

size_t bc_setting_env_prefix(struct bc_str name)
{
	for (size_t i = 0; i < BC_COUNT(prefixes); i++)
		if (bc_str_starts(name, prefixes[i]))
			return strlen(prefixes[i]);
	return 0;
}

static bool try_variable(const struct bc_setting_row *row, const char *known, struct nearest *n,
			 struct bc_setting_target *ret_target)
{
	if (names_row(row, n->wanted, known, "_FILE", &ret_target->via_file))
		return true;
	nearest_try(n, known);
	if (row->type == &bc_setting_secret)
		nearest_try_secret(n, known, "_FILE");
	return false;
}

int bc_setting_find_env(struct bc_settings_loader *l, struct bc_str name,
			struct bc_setting_target *ret_target, struct bc_err *err)
{
	char known[BC_SETTING_NAME_MAX];
	struct nearest n;

	size_t prefix = bc_setting_env_prefix(name);
	if (!prefix)
		return 0;
	if (bc_str_starts(name, PRODUCT_PREFIX))
		return find_product_variable(l, name, ret_target, err);
	n = nearest_start(name, prefix);
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];

		*ret_target = (struct bc_setting_target){ .row = row, .slot = &l->slots[i] };
		bc_setting_env_name(row->name, known);
		if (try_variable(row, known, &n, ret_target))
			return 1;
		for (const char *const *alias = row->aliases; *alias; alias++)
			if (try_variable(row, *alias, &n, ret_target)) {
				ret_target->common_name = strcmp(*alias, COMMON_NAME) == 0;
				return 1;
			}
	}
	*ret_target = (struct bc_setting_target){ .slot = &l->config_path };
	if (bc_str_eq(name, "BACKCHANNEL_CONFIG"))
		return 1;
	nearest_try(&n, "BACKCHANNEL_CONFIG");
	return report_unknown_variable(&n, err);
}
