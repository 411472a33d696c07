/* SPDX-License-Identifier: MIT */
/*
 * `backchannel partners`: which ones are known and who uses them; a definition as text; whether
 * definitions are right. show and lint need no settings that load: a definition that is wrong keeps
 * settings from loading, and that is when one looks at it.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/commands.h"
#include "daemon/settings_parts.h"
#include "protocol/definition.h"

extern char **environ;

static void free_book(struct bc_partner_book **book)
{
	bc_partner_book_destroy(*book);
}

static enum bc_exit fail(int code)
{
	struct bc_err err = { 0 };
	if (code == BC_ENOMEM)
		bc_err_nomem(&err);
	else
		bc_err_tell(&err, code, "report it, with the definition", "that went wrong");
	return bc_cli_fail(&err);
}

/* The book of the place where settings are, right or wrong. */
static struct bc_partner_book *open_book(const struct bc_invocation *in)
{
	struct bc_settings_source source = { .config_path = in->config_path,
					     .environment = environ };
	bc_autofree char *folder = bc_settings_partner_folder(&source);
	return folder ? bc_partner_book_create(folder) : NULL;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

/* --- list ------------------------------------------------------------------------------------ */

struct listed {
	const char *name, *title, *where; /* title NULL: its definition is wrong */
	const struct bc_settings *settings;
};

static json_t *used_by(const struct listed *l)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->settings->product_count; i++) {
		const struct bc_settings_product *p = &l->settings->products[i];
		if (strcmp(p->partner, l->name) == 0)
			json_array_append_new(list, json_string(p->label));
	}
	return list;
}

static json_t *listed_json(const struct listed *l)
{
	return json_pack("{s:s, s:s?, s:s, s:o}", "name", l->name, "title", l->title, "from",
			 l->where, "products", used_by(l));
}

static void print_listed(const struct listed *l)
{
	json_t *products = used_by(l);
	const json_t *label;
	size_t i;
	printf("%-12s %-14s %s", l->name, l->title ? l->title : "(wrong: lint)", l->where);
	json_array_foreach(products, i, label)
		printf("%s%s", i ? ", " : "\tproducts ", json_string_value(label));
	putchar('\n');
	json_decref(products);
}

static enum bc_exit list_names(const struct bc_invocation *in, const struct bc_settings *settings,
			       char **names)
{
	json_t *all = in->json ? json_array() : NULL;
	for (; *names; names++) {
		struct listed l = { .name = *names, .settings = settings };
		const struct bc_partner *partner = NULL;
		bc_autofree char *text = NULL;
		size_t bytes;
		if (bc_partner_book_find(settings->partners, *names, &partner, NULL) == 0)
			l.title = partner->title;
		if (bc_partner_book_text(settings->partners, *names, &text, &bytes, &l.where,
					 NULL) < 0)
			l.where = bc_partner_book_folder(settings->partners);
		if (all)
			json_array_append_new(all, listed_json(&l));
		else
			print_listed(&l);
	}
	if (all)
		print_json(json_pack("{s:o}", "partners", all));
	return BC_EXIT_DONE;
}

static enum bc_exit list(const struct bc_invocation *in)
{
	struct bc_settings *settings;
	bc_autofree char **names = NULL;
	enum bc_exit result = bc_cli_settings(in, &settings);
	if (result)
		return result;
	if (bc_partner_book_names(settings->partners, &names))
		result = fail(BC_ENOMEM);
	else
		result = list_names(in, settings, names);
	bc_settings_unref(settings);
	return result;
}

/* --- show ------------------------------------------------------------------------------------ */

static enum bc_exit no_partner(const char *name, const struct bc_err *found)
{
	struct bc_err err = { 0 };
	bc_err_tell(&err, found->code,
		    found->hint[0] ? found->hint : "backchannel partners lists them", "%s",
		    found->text[0] ? found->text : name);
	return bc_cli_fail(&err);
}

static enum bc_exit show_text(const struct bc_invocation *in, const char *name, struct bc_str text,
			      const char *where)
{
	if (in->json)
		print_json(json_pack("{s:s, s:s, s:s%}", "name", name, "from", where, "definition",
				     text.ptr, text.len));
	else
		fwrite(text.ptr, 1, text.len, stdout);
	return BC_EXIT_DONE;
}

static enum bc_exit show(const struct bc_invocation *in)
{
	BC_CLEANUP(free_book) struct bc_partner_book *book = open_book(in);
	BC_CLEANUP(bc_buf_finish) struct bc_buf printed;
	bc_autofree char *text = NULL;
	const char *where, *name = in->argc > 1 ? in->argv[1] : NULL;
	struct bc_err err = { 0 };
	size_t bytes;
	bc_buf_init(&printed, BC_DEFINITION_MAX_BYTES);
	if (!name)
		return bc_cli_usage(in, "partners show takes a NAME");
	if (!book)
		return fail(BC_ENOMEM);
	int result = bc_partner_book_text(book, name, &text, &bytes, &where, &err);
	if (result < 0)
		return no_partner(name, &err);
	if (result == 1)
		return show_text(in, name, (struct bc_str){ text, bytes }, where);
	result = bc_definition_print(&bc_partner_sovendus, &printed);
	return result ? fail(result)
		      : show_text(in, name, (struct bc_str){ printed.data, printed.len }, where);
}

/* --- lint ------------------------------------------------------------------------------------ */

struct lint {
	const char *file;
	json_t *findings; /* NULL: printed as they come */
	unsigned errors, advice;
};

static void tell(void *ctx, unsigned line, bool is_error, const struct bc_err *fault)
{
	struct lint *l = ctx;
	const char *kind = is_error ? "error" : "advice";
	l->errors += is_error;
	l->advice += !is_error;
	if (l->findings) {
		json_array_append_new(l->findings,
				      json_pack("{s:s, s:s, s:i, s:s, s:s}", "file", l->file,
						"kind", kind, "line", (int)line, "problem",
						fault->text, "hint", fault->hint));
		return;
	}
	FILE *to = is_error ? stderr : stdout;
	if (line)
		fprintf(to, "%s: %s:%u: %s\n", kind, l->file, line, fault->text);
	else
		fprintf(to, "%s: %s: %s\n", kind, l->file, fault->text);
	if (fault->hint[0])
		fprintf(to, "  %s\n", fault->hint);
}

static void print_tally(const struct lint *l, const struct bc_partner *p,
			const struct bc_definition_tally *t)
{
	if (!l->findings)
		printf("%s: %zu rows; each of %lu answers has one of them; %u of its own tests "
		       "hold\n",
		       l->file, p->rule_count, t->answers, t->tests);
}

/* Counts once more what the reading counted: a definition that was read has no error. */
static int tally_of(const struct bc_partner *p, const struct bc_definition *d,
		    struct bc_definition_tally *ret)
{
	struct lint quiet = { .file = "", .findings = json_array() };
	const struct bc_definition_teller teller = { tell, &quiet };
	int result = bc_definition_check(p, d, &teller, ret);
	json_decref(quiet.findings);
	return result;
}

static int lint_text(struct lint *l, struct bc_str text, const char *name)
{
	const struct bc_definition_teller teller = { tell, l };
	struct bc_definition_tally tally;
	struct bc_definition *d;
	struct bc_err other = { 0 };
	int result = bc_definition_read(text.ptr, text.len, &teller, &d);
	if (result)
		return result == BC_ENOMEM ? result : 0;
	if (name && strcmp(d->partner.name, name) != 0) {
		bc_err_tell(&other, BC_EINVAL,
			    "a partner is found by its file's name: make them one",
			    "the file NAME.conf of \"%.40s\" calls its partner \"%.40s\"", name,
			    d->partner.name);
		tell(l, d->key_lines[BC_KEY_NAME], true, &other);
	}
	result = tally_of(&d->partner, d, &tally);
	if (!result && !other.code)
		print_tally(l, &d->partner, &tally);
	bc_definition_destroy(d);
	return result;
}

static int lint_built_in(struct lint *l)
{
	const struct bc_definition_teller teller = { tell, l };
	struct bc_definition_tally tally;
	int result = bc_definition_check(&bc_partner_sovendus, NULL, &teller, &tally);
	if (!result && !tally.errors)
		print_tally(l, &bc_partner_sovendus, &tally);
	return result;
}

static int lint_name(struct lint *l, struct bc_partner_book *book, const char *name)
{
	bc_autofree char *text = NULL;
	struct bc_err err = { 0 };
	const char *where;
	size_t bytes;
	int result = bc_partner_book_text(book, name, &text, &bytes, &where, &err);
	l->file = strcmp(where, "built in") == 0 ? name : where;
	if (result == 1)
		return lint_text(l, (struct bc_str){ text, bytes }, name);
	if (result == 0)
		return lint_built_in(l);
	if (result != BC_ENOMEM)
		tell(l, 0, true, &err);
	return result == BC_ENOMEM ? result : 0;
}

static int lint_file(struct lint *l, const char *path)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf text;
	struct bc_err err = { 0 };
	struct stat st;
	bc_buf_init(&text, BC_DEFINITION_MAX_BYTES + 2);
	int result =
		bc_settings_read_file(path, BC_DEFINITION_MAX_BYTES + 1, false, &text, &st, &err);
	l->file = path;
	if (!result)
		return lint_text(l, (struct bc_str){ text.data ? text.data : "", text.len }, NULL);
	if (result != BC_ENOMEM)
		tell(l, 0, true, &err);
	return result == BC_ENOMEM ? result : 0;
}

static int lint_all(struct lint *l, const struct bc_invocation *in)
{
	BC_CLEANUP(free_book) struct bc_partner_book *book = open_book(in);
	bc_autofree char **names = NULL;
	int result = book ? bc_partner_book_names(book, &names) : BC_ENOMEM;
	for (char **name = names; !result && *name; name++)
		result = lint_name(l, book, *name);
	return result;
}

static enum bc_exit lint(const struct bc_invocation *in)
{
	struct lint l = { .findings = in->json ? json_array() : NULL };
	int result = in->argc > 1 ? lint_file(&l, in->argv[1]) : lint_all(&l, in);
	if (l.findings)
		print_json(json_pack("{s:o, s:i, s:i}", "findings", l.findings, "errors",
				     (int)l.errors, "advice", (int)l.advice));
	if (result)
		return fail(result);
	return l.errors ? BC_EXIT_FAILED : BC_EXIT_DONE;
}

/* --- the command ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum bc_exit (*run)(const struct bc_invocation *in);
} verbs[] = { { "list", list }, { "show", show }, { "lint", lint } };

static enum bc_exit run(const struct bc_invocation *in)
{
	const char *verb = in->argc ? in->argv[0] : "list";
	for (size_t i = 0; i < BC_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, verb) == 0)
			return verbs[i].run(in);
	}
	return bc_cli_usage(in, "partners takes list, show NAME or lint, not \"%s\"", verb);
}

const struct bc_command bc_command_partners = {
	.name = "partners",
	.summary = "list the partners that are known, show or check a definition",
	.operands = "[list | show NAME | lint [FILE]]",
	.details =
		"list names them, where their definitions are from, and which products use them. "
		"show prints a definition, to read or to start from. lint checks a file, or all "
		"definitions that there are: that every answer a partner may give has one meaning "
		"and one outcome, that no row is hidden by another, that requests keep their "
		"shape. Your own definitions are files partners/NAME.conf beside the settings "
		"file.",
	.example = "backchannel partners show awin > /etc/backchannel/partners/mine.conf",
	.prints_json = true,
	.operands_max = 2,
	.run = run,
};
