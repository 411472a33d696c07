/* SPDX-License-Identifier: MIT */
/*
 * What settings must keep towards each other, and whether a daemon could start with them. The
 * bounds of a single setting are in its row.
 */
#include "daemon/settings_parts.h"

#include <stddef.h>
#include <string.h>

/* Adds an error and makes the first one err's. 0 or BC_ENOMEM. */
static int add_error(struct bc_settings_report *report, const char *where,
		     const struct bc_err *problem, struct bc_err *err)
{
	bc_err_set(err, problem->code, "%s%s%s", where, where[0] ? ": " : "", problem->text);
	bc_err_hint(err, "%s", problem->hint);
	return report ? bc_settings_report_add(report, BC_SETTINGS_ERROR, where, problem) : 0;
}

/* --- between settings ------------------------------------------------------------------------ */

static const struct order {
	size_t small, large; /* fields */
	bool may_be_equal;
	const char *hint;
} orders[] = {
	{ offsetof(struct bc_settings, retry_base_ms), offsetof(struct bc_settings, retry_cap_ms),
	  true, "the first wait cannot be above the longest one" },
	{ offsetof(struct bc_settings, delivery_timeout_ms),
	  offsetof(struct bc_settings, lane_lease_ms), false,
	  "a lease that ends before its request would send the token twice" },
};

static size_t row_at(size_t offset)
{
	size_t i = 0;

	while (bc_setting_rows[i].offset != offset)
		i++;
	return i;
}

/* A field whose own text was at fault is 0, and has its finding already. */
static int check_order(const struct bc_settings *s, const struct order *o,
		       struct bc_settings_report *report)
{
	size_t i = row_at(o->small), k = row_at(o->large);
	uint64_t small = *(const uint64_t *)((const char *)s + o->small);
	uint64_t large = *(const uint64_t *)((const char *)s + o->large);
	const struct bc_settings_origins *origins = bc_settings_origins_of(s);
	struct bc_err problem = { 0 };
	char a[24], b[24];

	if (!small || !large || small < large || (o->may_be_equal && small == large))
		return 0;
	bc_err_set(&problem, BC_EINVAL, "\"%s\" = %s (%s) must be %s \"%s\" = %s (%s)",
		   bc_setting_rows[i].name, bc_format_duration(small, a, sizeof(a)),
		   origins->rows[i], o->may_be_equal ? "at most" : "below", bc_setting_rows[k].name,
		   bc_format_duration(large, b, sizeof(b)), origins->rows[k]);
	bc_err_hint(&problem, "%s", o->hint);
	return bc_settings_report_add(report, BC_SETTINGS_ERROR, "", &problem);
}

static int check_landings(const struct bc_settings *s, struct bc_settings_report *report)
{
	struct bc_err problem;
	int rc = 0;

	for (size_t i = 0; i < s->product_count; i++)
		for (size_t k = i + 1; !rc && k < s->product_count; k++) {
			const struct bc_settings_product *a = &s->products[i], *b = &s->products[k];

			if (!a->landing || !b->landing || strcmp(a->landing, b->landing) != 0)
				continue;
			bc_err_clear(&problem);
			bc_err_set(&problem, BC_EINVAL,
				   "the products \"%s\" and \"%s\" have the same landing \"%.80s\"",
				   a->label, b->label, a->landing);
			bc_err_hint(&problem, "give each its own path prefix, or leave one out");
			rc = bc_settings_report_add(report, BC_SETTINGS_ERROR, "", &problem);
		}
	return rc;
}

int bc_settings_check_together(const struct bc_settings *s, struct bc_settings_report *report)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_COUNT(orders); i++)
		rc = check_order(s, &orders[i], report);
	return rc ? rc : check_landings(s, report);
}

/* --- may a daemon start? --------------------------------------------------------------------- */

static int refuse_nothing(struct bc_settings_report *report, struct bc_err *err)
{
	struct bc_err problem = { 0 };

	bc_err_set(&problem, BC_EINVAL,
		   "nothing to do: SOVENDUS_PRODUCT_ID and SOVENDUS_API_KEY are missing, and "
		   "IMS_CLIENT_ID and IMS_CLIENT_SECRET too");
	bc_err_hint(
		&problem,
		"set the first two, as Sovendus gave them to you, for the hand-back; the others, "
		"with API_ENDPOINT, for Commerce; in the environment, in .env or in "
		"backchannel.conf");
	return add_error(report, "", &problem, err);
}

static void word_default_half(const struct bc_settings_product *p, struct bc_err *problem)
{
	bc_err_set(problem, BC_EINVAL, "%s is missing, though %s is set",
		   p->id ? "SOVENDUS_API_KEY" : "SOVENDUS_PRODUCT_ID",
		   p->id ? "SOVENDUS_PRODUCT_ID" : "SOVENDUS_API_KEY");
	bc_err_hint(problem, "set %s%s; your Sovendus contact has it",
		    p->id ? "SOVENDUS_API_KEY" : "SOVENDUS_PRODUCT_ID",
		    p->id ? " or SOVENDUS_API_KEY_FILE" : "");
}

static bool lacks_key(const struct bc_settings_product *p)
{
	return !p->key && bc_partner_needs(p->definition, "key");
}

static void word_product_half(const struct bc_settings_product *p, struct bc_err *problem)
{
	bool no_key = lacks_key(p);

	bc_err_set(problem, BC_EINVAL, "the product \"%s\" has no %s", p->label,
		   p->id    ? "key"
		   : no_key ? "id and no key"
			    : "id");
	bc_err_hint(problem, "add %s to [product %s]",
		    p->id    ? "key or key_file"
		    : no_key ? "id and key"
			     : "id",
		    p->label);
}

static void word_no_address(const struct bc_settings_product *p, struct bc_err *problem)
{
	bc_err_set(problem, BC_EINVAL,
		   "the product \"%s\" has no base_url, and %s has none of its "
		   "own",
		   p->label, p->definition->title);
	bc_err_hint(problem,
		    "add base_url = https://HOST to [product %s], the address that %s gave "
		    "you",
		    p->label, p->definition->title);
}

static int check_product(const struct bc_settings_product *p, struct bc_settings_report *report,
			 struct bc_err *err)
{
	struct bc_err problem = { 0 };

	if (p->id && !lacks_key(p) && p->url)
		return 0;
	if (p->id && !lacks_key(p))
		word_no_address(p, &problem);
	else if (strcmp(p->label, "default") == 0)
		word_default_half(p, &problem);
	else
		word_product_half(p, &problem);
	return add_error(report, "", &problem, err);
}

/* What a Commerce client needs, if any of it is there. */
static int check_commerce(const struct bc_settings *s, struct bc_settings_report *report,
			  struct bc_err *err)
{
	const struct {
		const char *name, *hint;
		bool set;
	} needed[] = {
		{ "IMS_CLIENT_ID", "it stands in the Developer Console, beside the credential",
		  s->oauth_client_id },
		{ "IMS_CLIENT_SECRET",
		  "set it or IMS_CLIENT_SECRET_FILE; it stands in the Developer Console, beside "
		  "the "
		  "credential",
		  s->oauth_client_secret },
		{ "API_ENDPOINT",
		  "it is the REST base of your Commerce, as a Cloud Service "
		  "https://na1.api.commerce.adobe.com/TENANT",
		  s->commerce_base_url },
	};
	const char *set = NULL;
	int rc = 0;

	for (size_t i = 0; i < BC_COUNT(needed); i++)
		set = !set && needed[i].set ? needed[i].name : set;
	for (size_t i = 0; set && !rc && i < BC_COUNT(needed); i++) {
		struct bc_err problem = { 0 };

		if (needed[i].set)
			continue;
		bc_err_set(&problem, BC_EINVAL, "%s is missing, though %s is set", needed[i].name,
			   set);
		bc_err_hint(&problem, "%s", needed[i].hint);
		rc = add_error(report, "", &problem, err);
	}
	return rc;
}

/* What asks Adobe for something needs the credential for it. */
static int check_intake(const struct bc_settings *s, struct bc_settings_report *report,
			struct bc_err *err)
{
	const struct {
		const char *name;
		bool set;
	} needy[] = { { "journal.url", s->journal_url },
		      { "commerce.pull", s->commerce_pull_ms },
		      { "commerce.comments", s->commerce_comments } };
	int rc = 0;

	for (size_t i = 0; !rc && !s->oauth_client_id && i < BC_COUNT(needy); i++) {
		struct bc_err problem = { 0 };

		if (!needy[i].set)
			continue;
		bc_err_set(&problem, BC_EINVAL, "\"%s\" is set, and there is no OAuth client",
			   needy[i].name);
		bc_err_hint(&problem, "set IMS_CLIENT_ID, IMS_CLIENT_SECRET and API_ENDPOINT");
		rc = add_error(report, "", &problem, err);
	}
	return rc;
}

static int check_listener(const struct bc_settings *s, struct bc_settings_report *report,
			  struct bc_err *err)
{
	const char *where =
		bc_settings_origins_of(s)->rows[row_at(offsetof(struct bc_settings, listen))];
	struct bc_err problem = { 0 };

	if (s->api_token || bc_settings_listen_is_local(s->listen))
		return 0;
	bc_err_set(&problem, BC_EINVAL,
		   "\"api_token\" is missing, and \"listen\" = \"%s\" can be reached from other "
		   "machines",
		   s->listen);
	bc_err_hint(&problem,
		    "set BACKCHANNEL_API_TOKEN (or BACKCHANNEL_API_TOKEN_FILE), or listen on "
		    "127.0.0.1 or unix:PATH");
	return add_error(report, where, &problem, err);
}

int bc_settings_check_startable(const struct bc_settings *s, struct bc_settings_report *report,
				struct bc_err *err)
{
	struct bc_err first = { 0 };
	bool commerce = s->oauth_client_id || s->oauth_client_secret || s->commerce_base_url;
	int rc = s->product_count || commerce ? 0 : refuse_nothing(report, &first);

	for (size_t i = 0; !rc && i < s->product_count; i++)
		rc = check_product(&s->products[i], report, &first);
	if (!rc)
		rc = check_commerce(s, report, &first);
	if (!rc)
		rc = check_intake(s, report, &first);
	if (!rc)
		rc = check_listener(s, report, &first);
	if (rc)
		return bc_err_nomem(err);
	if (!first.code)
		return 0;
	bc_err_set(err, first.code, "%s", first.text);
	bc_err_hint(err, "%s", first.hint);
	return first.code;
}
