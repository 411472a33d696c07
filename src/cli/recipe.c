/* SPDX-License-Identifier: MIT */
/*
 * `backchannel recipe`: the lines that make a web server capture clicks, with this installation's
 * parameter names, click.ttl and input filled in. The lines are in recipe_<server>.c; here is what
 * goes into them, and that nothing goes in which could end a quoted word of a configuration file.
 */
#include "cli/recipe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/commands.h"

#define TOKEN_CLASS "[A-Za-z0-9_-]"

struct options {
	const char *consent, *domain, *session;
};

static const struct recipe {
	const char *name;
	const struct bc_recipe_line *lines;
	bool by_id; /* the daemon gets the click by datagram */
} recipes[] = {
	{ "nginx", bc_recipe_nginx, false },	 { "nginx-log", bc_recipe_nginx, true },
	{ "haproxy", bc_recipe_haproxy, false }, { "haproxy-log", bc_recipe_haproxy, true },
	{ "apache", bc_recipe_apache, false },
};
#define NAMES "nginx, nginx-log, haproxy, haproxy-log, apache"
#define WORDS "nginx nginx-log haproxy haproxy-log apache"

/* What the lines may name. Slices are borrowed from settings and arguments. */
struct values {
	const struct bc_settings *settings;
	struct bc_str consent, pattern; /* absent: no consent is asked for */
	const char *domain, *session;	/* NULL: none */
	const char *socket;		/* path, or host:port; NULL in token mode */
	unsigned have;			/* enum bc_recipe_when */
};

/* --- filling in ---------------------------------------------------------------------------- */

/* Names are [A-Za-z0-9_.:~-]; only the dot means something in an expression. */
static int add_plain(struct bc_buf *out, struct bc_str name)
{
	int result = 0;
	for (size_t i = 0; i < name.len && !result; i++)
		result = bc_buf_addf(out, name.ptr[i] == '.' ? "[%c]" : "%c", name.ptr[i]);
	return result;
}

static int fill_names(struct bc_buf *out, const struct values *v)
{
	char *const *names = v->settings->sovendus_params;
	bool many = names[0] && names[1];
	int result = bc_buf_adds(out, many ? "(?:" : "");
	for (size_t i = 0; names[i] && !result; i++) {
		if (i)
			result = bc_buf_adds(out, "|");
		if (!result)
			result = add_plain(out, bc_str_of(names[i]));
	}
	return result ? result : bc_buf_adds(out, many ? ")" : "");
}

static int fill_param(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(out, v->settings->sovendus_params[0]);
}

static int fill_token(struct bc_buf *out, const struct values *v)
{
	(void)v;
	return bc_buf_addf(out, TOKEN_CLASS "{%d,%d}", BC_TOKEN_MIN, BC_TOKEN_MAX);
}

static int fill_attributes(struct bc_buf *out, const struct values *v)
{
	return bc_buf_addf(out, "; Path=/; Max-Age=%llu; HttpOnly; Secure; SameSite=Lax%s%s",
			   (unsigned long long)(v->settings->click_ttl_ms / 1000),
			   v->domain ? "; Domain=" : "", v->domain ? v->domain : "");
}

static int fill_consent(struct bc_buf *out, const struct values *v)
{
	return bc_buf_add(out, v->consent.ptr, v->consent.len);
}

static int fill_consent_re(struct bc_buf *out, const struct values *v)
{
	return add_plain(out, v->consent);
}

static int fill_pattern(struct bc_buf *out, const struct values *v)
{
	return bc_buf_add(out, v->pattern.ptr, v->pattern.len);
}

static int fill_consent_curl(struct bc_buf *out, const struct values *v)
{
	if (!(v->have & BC_RECIPE_CONSENT))
		return 0;
	return bc_buf_addf(out, "-b '%.*s=A-VALUE-THAT-MATCHES' ", (int)v->consent.len,
			   v->consent.ptr);
}

static int fill_if_consent(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(out, v->have & BC_RECIPE_CONSENT ? " bc_consent" : "");
}

static int fill_session(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(out, v->session);
}

static int fill_session_re(struct bc_buf *out, const struct values *v)
{
	return add_plain(out, bc_str_of(v->session));
}

static int fill_sess(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(out, !v->session ? ""
					    : ",\"sess\":\"%[var(txn.bc_sess),json]\""
					      ",\"newsess\":\"%[var(txn.bc_new),json]\"");
}

static int fill_path(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(
		out, v->have & BC_RECIPE_LANDINGS ? ",\"uri\":\"%[var(txn.bc_path),json]\"" : "");
}

static int fill_socket(struct bc_buf *out, const struct values *v)
{
	return bc_buf_adds(out, v->socket);
}

static int fill_at(struct bc_buf *out, const struct values *v)
{
	(void)v;
	return bc_buf_adds(out, "@");
}

static const struct fill {
	const char *name;
	int (*add)(struct bc_buf *out, const struct values *v);
} fills[] = {
	{ "", fill_at },
	{ "attributes", fill_attributes }, /* of the cookie, from "; Path" on */
	{ "consent", fill_consent },	   /* the consent cookie's name */
	{ "consent_curl", fill_consent_curl },
	{ "consent_re", fill_consent_re }, /* the same as an expression */
	{ "if_consent", fill_if_consent },
	{ "names", fill_names }, /* of the parameters, as an expression */
	{ "param", fill_param }, /* the first of them */
	{ "path", fill_path },	 /* fields of the datagram, where there are any */
	{ "pattern", fill_pattern },
	{ "sess", fill_sess },
	{ "session", fill_session },
	{ "session_re", fill_session_re },
	{ "socket", fill_socket },
	{ "token", fill_token }, /* a valid one, as an expression */
};

static int add_value(struct bc_buf *out, const struct values *v, struct bc_str name)
{
	for (size_t i = 0; i < BC_COUNT(fills); i++)
		if (bc_str_eq(name, fills[i].name))
			return fills[i].add(out, v);
	BC_ASSERT(!"a recipe names a value that there is not");
	return BC_EINVAL;
}

static int add_line(struct bc_buf *out, const struct values *v, const char *text)
{
	struct bc_str rest = bc_str_of(text);
	int result = 0;
	while (rest.ptr && !result) {
		struct bc_str plain = bc_str_split(&rest, '@');
		result = bc_buf_add(out, plain.ptr, plain.len);
		if (!result && rest.ptr)
			result = add_value(out, v, bc_str_split(&rest, '@'));
	}
	return result ? result : bc_buf_adds(out, "\n");
}

static int add_lines(struct bc_buf *out, const struct values *v, const struct bc_recipe_line *line)
{
	int result = 0;
	for (; line->text && !result; line++)
		if ((line->when & v->have) == line->when)
			result = add_line(out, v, line->text);
	return result;
}

/* --- what may go in ------------------------------------------------------------------------ */

static bool all_of(struct bc_str s, const char *further)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) &&
		    !memchr(further, s.ptr[i], strlen(further)))
			return false;
	return s.len > 0;
}

/* "NAME" or "NAME=REGEX". Without an expression any value will do, an empty one will not. */
static enum bc_exit read_consent(const struct bc_invocation *in, struct values *v)
{
	const struct options *o = in->options;
	v->have |= o->consent ? BC_RECIPE_CONSENT : BC_RECIPE_NO_CONSENT;
	if (!o->consent)
		return BC_EXIT_DONE;
	v->pattern = bc_str_of(o->consent);
	v->consent = bc_str_split(&v->pattern, '=');
	if (!all_of(v->consent, "_.:~-"))
		return bc_cli_usage(in, "\"%.*s\" is no name of a cookie", (int)v->consent.len,
				    v->consent.ptr);
	if (!v->pattern.ptr)
		v->pattern = BC_STR(".");
	if (!all_of(v->pattern, "_.,:;=%&|()[]{}^$*+?!<>~/- ") || strstr(o->consent, "${"))
		return bc_cli_usage(
			in,
			"the consent pattern \"%.*s\" has a character that means "
			"different things to different servers; write [.] for a dot and "
			"[0-9] for a digit",
			(int)v->pattern.len, v->pattern.ptr);
	return BC_EXIT_DONE;
}

static enum bc_exit read_domain(const struct bc_invocation *in, struct values *v)
{
	const struct options *o = in->options;
	v->domain = o->domain ? o->domain : v->settings->edge_cookie_domain;
	if (!v->domain)
		return BC_EXIT_DONE;
	struct bc_str bare = bc_str_of(v->domain + (v->domain[0] == '.'));
	if (!all_of(bare, ".-") || bare.ptr[0] == '.')
		return bc_cli_usage(in, "\"%s\" is no domain such as .shop.example", v->domain);
	return BC_EXIT_DONE;
}

static enum bc_exit read_session(const struct bc_invocation *in, const struct recipe *recipe,
				 struct values *v)
{
	const struct options *o = in->options;
	v->session = o->session;
	if (!o->session)
		return BC_EXIT_DONE;
	if (!recipe->by_id)
		return bc_cli_usage(in,
				    "recipe %s knows no --session: its cookie carries the token "
				    "itself, and nothing has to be found by a session",
				    recipe->name);
	if (!all_of(bc_str_of(o->session), "_.:~-"))
		return bc_cli_usage(in, "\"%s\" is no name of a cookie", o->session);
	v->have |= BC_RECIPE_SESSION | (all_of(bc_str_of(o->session), "_") ? BC_RECIPE_SESSION_WORD
									   : BC_RECIPE_SESSION_ODD);
	return BC_EXIT_DONE;
}

static enum bc_exit no_input(const struct recipe *recipe)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EINVAL,
		   "recipe %s sends clicks to the daemon, and the setting \"input\" is not set",
		   recipe->name);
	bc_err_hint(&err,
		    "set input = unix:/run/backchannel/in.sock (with input.group, the web server's "
		    "group) or input = udp:127.0.0.1:8788; or take a recipe without -log, which "
		    "needs no daemon");
	return bc_cli_fail(&err);
}

/* A path goes into a configuration without quotes; commas part nginx's parameters. */
static enum bc_exit bad_path(const char *path)
{
	struct bc_err err = { 0 };
	bc_err_set(&err, BC_EINVAL, "no web server could name the socket \"%s\"", path);
	bc_err_hint(&err, "give input a path of letters, digits and / . _ - only");
	return bc_cli_fail(&err);
}

static enum bc_exit read_input(const struct recipe *recipe, struct values *v)
{
	const char *input = v->settings->input;
	v->have |= recipe->by_id ? BC_RECIPE_ID : BC_RECIPE_TOKEN;
	if (!recipe->by_id)
		return BC_EXIT_DONE;
	if (!input)
		return no_input(recipe);
	bool is_unix = strncmp(input, "unix:", 5) == 0;
	v->have |= is_unix ? BC_RECIPE_UNIX : BC_RECIPE_UDP;
	v->socket = strchr(input, ':') + 1;
	return all_of(bc_str_of(v->socket), is_unix ? "/._-" : "[]:.") ? BC_EXIT_DONE
								       : bad_path(v->socket);
}

/* --- the command --------------------------------------------------------------------------- */

static enum bc_exit print(const struct values *v, const struct recipe *recipe)
{
	struct bc_buf out;
	struct bc_err err = { 0 };
	bc_buf_init(&out, 64 << 10);
	int result = add_lines(&out, v, recipe->lines);
	if (result)
		bc_err_tell(&err, result,
			    "the host, address or path that was given is too long for it: give a "
			    "shorter one",
			    "the recipe cannot be put together");
	else
		fwrite(out.data, 1, out.len, stdout);
	bc_buf_finish(&out);
	return result ? bc_cli_fail(&err) : BC_EXIT_DONE;
}

static void read_products(struct values *v)
{
	for (size_t i = 0; i < v->settings->product_count; i++) {
		const struct bc_settings_product *p = &v->settings->products[i];
		v->have |= p->landing ? BC_RECIPE_LANDINGS : 0;
		v->have |= p->definition != &bc_partner_sovendus ? BC_RECIPE_OTHERS : 0;
	}
}

static enum bc_exit run_recipe(const struct bc_invocation *in, const struct recipe *recipe,
			       const struct bc_settings *settings)
{
	struct values v = { .settings = settings };
	read_products(&v);
	enum bc_exit result = read_consent(in, &v);
	if (!result)
		result = read_domain(in, &v);
	if (!result)
		result = read_session(in, recipe, &v);
	if (!result)
		result = read_input(recipe, &v);
	return result ? result : print(&v, recipe);
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_settings *settings;
	for (size_t i = 0; i < BC_COUNT(recipes); i++) {
		if (strcmp(recipes[i].name, in->argv[0]) != 0)
			continue;
		enum bc_exit result = bc_cli_settings(in, &settings);
		if (result)
			return result;
		result = run_recipe(in, &recipes[i], settings);
		bc_settings_unref(settings);
		return result;
	}
	return bc_cli_usage(in, "there is no recipe \"%s\"; there are: " NAMES, in->argv[0]);
}

#define FIELD(name) .offset = offsetof(struct options, name)
static const struct bc_option rows[] = {
	{ .name = "consent",
	  .value = "NAME[=REGEX]",
	  FIELD(consent),
	  .help = "capture only where this cookie is there, and matches" },
	{ .name = "domain",
	  .value = "DOMAIN",
	  FIELD(domain),
	  .help = "Domain of the click cookie (default: edge.cookie_domain)" },
	{ .name = "session",
	  .value = "NAME",
	  FIELD(session),
	  .help = "send this session cookie along (nginx-log, haproxy-log)" },
	{ .name = NULL },
};

const struct bc_command bc_command_recipe = {
	.name = "recipe",
	.summary = "print what makes a web server capture clicks",
	.operands = "NAME",
	.words = WORDS,
	.details = "Recipes: " NAMES ".\n"
		   "They carry this installation's parameter names and click.ttl, and in comments "
		   "where each\nblock goes and how to check it. Without -log the cookie holds the "
		   "token itself, and a\nlanding needs no daemon; with -log it holds a random id, "
		   "and id and token go to the\ndaemon's input by datagram. For Apache there is no "
		   "-log: it makes no id that cannot be\nguessed.",
	.example = "backchannel recipe nginx > /etc/nginx/conf.d/backchannel.conf",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
