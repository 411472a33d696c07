/* SPDX-License-Identifier: MIT */
/*
 * The tables of the documentation that are the program's own: metrics in docs/operation.md,
 * problems and the words of routes in docs/openapi.yaml (of which tools/http-page makes
 * docs/http.md). After a change of a table, run this test once with BC_WRITE_DOCS=1 to write them
 * anew.
 *
 * Of a route only its summary is written, and whether it needs no token; who adds one describes it
 * first, for what is not described is an error here, as is what is described and not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>

#include "daemon/api_impl.h"
#include "daemon/edge_impl.h"
#include "daemon/metrics_page.h"
#include "written_docs.h"

#define METRICS_FILE	 "../../docs/operation.md"
#define DESCRIPTION_FILE "../../docs/openapi.yaml"

static void put(struct bc_buf *out, const char *fmt, ...) BC_PRINTF(2, 3);

static void put(struct bc_buf *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	assert_int_equal(bc_buf_addv(out, fmt, ap), 0);
	va_end(ap);
}

/* --- a part of a file, between two lines ----------------------------------------------------- */

typedef void render_fn(struct bc_buf *out);

/* Where the line is that begins so, blanks before it left out. */
static const char *line_of(const char *text, const char *begin)
{
	const char *found = strstr(text, begin);

	if (!found || strstr(found + 1, begin))
		fail_msg("\"%s\" does not stand there once", begin);
	while (found > text && found[-1] != '\n')
		found--;
	return found;
}

static void assert_part_is(const char *path, const char *begin, const char *end, render_fn *render)
{
	struct bc_buf file, wanted;
	const char *from, *to;

	read_doc(path, &file);
	from = strchr(line_of(file.data, begin), '\n') + 1;
	to = line_of(file.data, end);
	assert_true(from <= to);
	bc_buf_init(&wanted, DOCS_MAX);
	put(&wanted, "%.*s", (int)(from - file.data), file.data);
	render(&wanted);
	put(&wanted, "%s", to);
	assert_doc_is(path, &wanted);
	bc_buf_finish(&wanted);
	bc_buf_finish(&file);
}

/* --- metrics --------------------------------------------------------------------------------- */

static void render_label(struct bc_buf *out, const struct metric_label *label)
{
	put(out, "`%s`: %s", label->name, label->is ? label->is : "");
	for (size_t i = 0; i < label->count; i++)
		put(out, "%s`%s`", i ? ", " : "", metric_value(label, i));
}

static void render_metrics(struct bc_buf *out)
{
	put(out, "| metric | type | labels | means | when it rises, or is not what it was |\n"
		 "|---|---|---|---|---|\n");
	for (size_t i = 0; i < METRICS; i++) {
		const struct metric_row *row = &metric_rows[i];
		put(out, "| `backchannel_%s` | %s | ", row->name, row->type);
		for (size_t k = 0; k < BC_COUNT(row->labels) && row->labels[k].name; k++) {
			put(out, "%s", k ? "; " : "");
			render_label(out, &row->labels[k]);
		}
		put(out, " | %s | %s |\n", row->help, row->advice ? row->advice : "");
	}
}

static void the_metrics_of_the_page_are_those_of_the_table(void **state BC_UNUSED)
{
	assert_part_is(METRICS_FILE, "<!-- metrics: ", "<!-- end of metrics -->", render_metrics);
}

static void assert_sentence(const char *text)
{
	size_t len = strlen(text);

	if (len < 20 || text[len - 1] != '.' || strpbrk(text, "|\"\\\n"))
		fail_msg("\"%s\" is no sentence for a table", text);
}

static void every_metric_is_fit_to_be_printed(void **state BC_UNUSED)
{
	for (size_t i = 0; i < METRICS; i++) {
		const struct metric_row *row = &metric_rows[i];
		size_t len = strlen(row->name);
		bool total = len > 6 && strcmp(row->name + len - 6, "_total") == 0;

		assert_sentence(row->help);
		assert_null(strchr(row->help, '`')); /* HELP is no Markdown */
		assert_true(!row->advice || !strpbrk(row->advice, "|\n"));
		assert_int_equal(total, strcmp(row->type, "counter") == 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(metric_rows[k].name, row->name);
		for (size_t k = 0; k < BC_COUNT(row->labels); k++)
			assert_true(!row->labels[k].name ||
				    !row->labels[k].is == !!row->labels[k].count);
	}
}

/* --- problems -------------------------------------------------------------------------------- */

/* "urn:backchannel:bad-request" is called BadRequest. */
static void put_schema_name(struct bc_buf *out, const char *type)
{
	bool capital = true;

	for (const char *c = strrchr(type, ':') + 1; *c; c++) {
		if (*c != '-')
			put(out, "%c", capital ? toupper((unsigned char)*c) : *c);
		capital = *c == '-';
	}
}

static void render_problems(struct bc_buf *out)
{
	put(out, "    ProblemType:\n      type: string\n"
		 "      description: What it is.\n      enum:\n");
	for (size_t i = 0; i < BC_PROBLEMS; i++)
		put(out, "        - \"%s\"\n", bc_problem_rows[i].type);
	for (size_t i = 0; i < BC_PROBLEMS; i++) {
		const struct bc_problem_row *row = &bc_problem_rows[i];
		put(out, "    ");
		put_schema_name(out, row->type);
		put(out,
		    ":\n      description: \"%s\"\n"
		    "      allOf: [{ $ref: \"#/components/schemas/Problem\" }]\n"
		    "      properties: { type: { const: \"%s\" }, title: { const: \"%s\" }, "
		    "status: { const: %d } }\n",
		    row->means, row->type, row->title, row->status);
	}
}

static void the_problems_of_the_description_are_those_of_the_table(void **state BC_UNUSED)
{
	for (size_t i = 0; i < BC_PROBLEMS; i++)
		assert_sentence(bc_problem_rows[i].means);
	assert_part_is(DESCRIPTION_FILE, "# problems: ", "# end of problems", render_problems);
}

/* --- routes ---------------------------------------------------------------------------------- */

/* What both tables say of a route. */
struct words {
	const char *method, *path, *summary;
	bool open, edge;
	bool met; /* its operation stands in the description */
};
enum { WORDS_MAX = 128 };

static size_t gather_words(struct words words[WORDS_MAX])
{
	size_t n = 0;

	assert_true(api_route_count + edge_route_count <= WORDS_MAX);
	for (size_t i = 0; i < api_route_count; i++) {
		const struct route *r = &api_routes[i];
		words[n++] =
			(struct words){ r->method, r->path, r->summary, r->open, false, false };
	}
	for (size_t i = 0; i < edge_route_count; i++) {
		const struct edge_route *r = &edge_routes[i];
		words[n++] = (struct words){ r->method, r->path, r->summary, true, true, false };
	}
	return n;
}

/* Where a line of the description stands. */
struct place {
	bool paths;	    /* below "paths:" */
	struct bc_str path; /* "/v1/orders" */
	struct bc_str key;  /* "get", or another key of the path's */
	bool edge;	    /* the path has servers of its own: the public listener */
};

/* "    get:" is "get" at 4; absent if the line has no key there. */
static struct bc_str key_at(struct bc_str line, size_t blanks)
{
	struct bc_str rest;

	if (line.len <= blanks || strspn(line.ptr, " ") != blanks || line.ptr[blanks] == '#')
		return (struct bc_str){ NULL, 0 };
	rest = (struct bc_str){ line.ptr + blanks, line.len - blanks };
	return bc_str_split(&rest, ':');
}

static void move_on(struct place *at, struct bc_str line)
{
	struct bc_str top = key_at(line, 0), path = key_at(line, 2), key = key_at(line, 4);

	if (top.ptr)
		*at = (struct place){ .paths = bc_str_eq(top, "paths") };
	if (path.ptr)
		*at = (struct place){ .paths = at->paths, .path = path };
	if (key.ptr)
		at->key = key;
	if (key.ptr && bc_str_eq(key, "servers"))
		at->edge = true;
}

/* The gateway takes its calls before a table is looked at: any method, any path. */
static bool is_ours(const struct place *at)
{
	return at->paths && at->path.ptr && !bc_str_starts(at->path, "/accs/");
}

static struct words *words_of(struct words *words, size_t n, const struct place *at)
{
	for (size_t i = 0; i < n; i++)
		if (bc_str_eq(at->path, words[i].path) && bc_str_ieq(at->key, words[i].method) &&
		    at->edge == words[i].edge)
			return &words[i];
	return NULL;
}

static const char *fault(const char *fmt, ...) BC_PRINTF(1, 2);

static const char *fault(const char *fmt, ...)
{
	static char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return text;
}

/* The description with the words of the tables; NULL, or what is wrong with it. */
static const char *give_words(const char *description, struct bc_buf *out)
{
	struct words words[WORDS_MAX];
	size_t n = gather_words(words);
	struct bc_str rest = bc_str_of(description);
	struct place at = { 0 };

	while (rest.len) {
		struct bc_str line = bc_str_split(&rest, '\n');
		move_on(&at, line);
		struct bc_str member = is_ours(&at) ? key_at(line, 6) : (struct bc_str){ NULL, 0 };
		if (!bc_str_eq(member, "summary") && !bc_str_eq(member, "security"))
			put(out, "%.*s\n", (int)line.len, line.ptr);
		if (!bc_str_eq(member, "summary"))
			continue;
		struct words *w = words_of(words, n, &at);
		if (!w || w->met)
			return fault("no such route: %.*s %.*s", (int)at.key.len, at.key.ptr,
				     (int)at.path.len, at.path.ptr);
		w->met = true;
		put(out, "      summary: %s\n%s", w->summary,
		    w->open ? "      security: []\n" : "");
	}
	for (size_t i = 0; i < n; i++)
		if (!words[i].met)
			return fault("%s %s is not described", words[i].method, words[i].path);
	return NULL;
}

static void the_routes_of_the_description_are_those_of_the_tables(void **state BC_UNUSED)
{
	struct bc_buf file, wanted;
	const char *wrong;

	read_doc(DESCRIPTION_FILE, &file);
	bc_buf_init(&wanted, DOCS_MAX);
	wrong = give_words(file.data, &wanted);
	if (wrong)
		fail_msg("%s: %s", DESCRIPTION_FILE, wrong);
	assert_doc_is(DESCRIPTION_FILE, &wanted);
	bc_buf_finish(&wanted);
	bc_buf_finish(&file);
}

static const struct lie {
	const char *truth, *lie, *fault; /* NULL: the table's words take its place */
} lies[] = {
	{ "  /v1/lanes:\n", "  /v1/lines:\n", "no such route: get /v1/lines" },
	{ "  /v1/lanes:\n    get:\n", "  /v1/lanes:\n    put:\n", "no such route: put /v1/lanes" },
	{ "  /v1/c:\n    servers: *edge\n", "  /v1/c:\n", "no such route: get /v1/c" },
	{ "      summary: Hold a lane\n", "", "POST /v1/lanes/{lane}/pause is not described" },
	{ "      summary: Hold a lane\n", "      summary: Let it go\n", NULL },
	{ "      summary: Hold a lane\n", "      summary: Hold a lane\n      security: []\n",
	  NULL },
	{ "      summary: The console\n      security: []\n", "      summary: The console\n",
	  NULL },
};

static void assert_found(const char *description, const struct lie *lie)
{
	const char *at = line_of(description, lie->truth), *wrong;
	struct bc_buf told, out;

	bc_buf_init(&told, DOCS_MAX);
	bc_buf_init(&out, DOCS_MAX);
	put(&told, "%.*s%s%s", (int)(at - description), description, lie->lie,
	    at + strlen(lie->truth));
	wrong = give_words(told.data, &out);
	if (lie->fault)
		assert_string_equal(wrong ? wrong : "", lie->fault);
	else
		assert_string_equal(out.data, description);
	bc_buf_finish(&told);
	bc_buf_finish(&out);
}

static void a_lie_about_a_route_is_found(void **state BC_UNUSED)
{
	struct bc_buf file, truth;

	read_doc(DESCRIPTION_FILE, &file);
	bc_buf_init(&truth, DOCS_MAX);
	assert_null(give_words(file.data, &truth));
	for (size_t i = 0; i < BC_COUNT(lies); i++)
		assert_found(truth.data, &lies[i]);
	bc_buf_finish(&truth);
	bc_buf_finish(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_metrics_of_the_page_are_those_of_the_table),
		cmocka_unit_test(every_metric_is_fit_to_be_printed),
		cmocka_unit_test(the_problems_of_the_description_are_those_of_the_table),
		cmocka_unit_test(the_routes_of_the_description_are_those_of_the_tables),
		cmocka_unit_test(a_lie_about_a_route_is_found),
	};

	return cmocka_run_group_tests_name("docs_tables", tests, NULL, NULL);
}
