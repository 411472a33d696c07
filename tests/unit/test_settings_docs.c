/* SPDX-License-Identifier: MIT */
/*
 * Settings as they are shown and documented. The files in the tree must be what the table renders;
 * after a change of the table, run this test once with BC_WRITE_DOCS=1 to write them anew.
 */
#include "settings_fixture.h"

#include "failing_malloc.h"
#include "written_docs.h"

#define MARKDOWN_FILE "../../docs/settings.md"
#define EXAMPLE_FILE  "../../packaging/backchannel.conf"

typedef int render_fn(struct bc_buf *out);

static void render(render_fn *fn, struct bc_buf *out)
{
	bc_buf_init(out, DOCS_MAX);
	assert_int_equal(fn(out), 0);
	assert_true(out->len > 1000);
}

static void assert_file_is(const char *path, render_fn *fn)
{
	struct bc_buf wanted;

	render(fn, &wanted);
	assert_doc_is(path, &wanted);
	bc_buf_finish(&wanted);
}

static void the_settings_page_is_what_the_table_renders(void **state BC_UNUSED)
{
	assert_file_is(MARKDOWN_FILE, bc_settings_markdown);
}

static void the_example_file_is_what_the_table_renders(void **state BC_UNUSED)
{
	assert_file_is(EXAMPLE_FILE, bc_settings_example);
}

static void every_setting_stands_in_every_document(void **state BC_UNUSED)
{
	struct bc_buf markdown, mdoc, example;
	char text[BC_SETTING_NAME_MAX + 8], name[BC_SETTING_NAME_MAX];

	render(bc_settings_markdown, &markdown);
	render(bc_settings_mdoc, &mdoc);
	render(bc_settings_example, &example);
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];
		const char *dot = strchr(row->name, '.');

		bc_setting_env_name(row->name, name);
		assert_non_null(strstr(markdown.data, name));
		assert_non_null(strstr(mdoc.data, name));
		snprintf(text, sizeof(text), "| `%s` |", row->name);
		assert_non_null(strstr(markdown.data, text));
		snprintf(text, sizeof(text), ".It Ic %s\n", row->name);
		assert_non_null(strstr(mdoc.data, text));
		snprintf(text, sizeof(text), "\n#%s%s =", dot ? dot + 1 : row->name,
			 row->type == &bc_setting_secret ? "_file" : "");
		assert_non_null(strstr(example.data, text));
	}
	bc_buf_finish(&markdown);
	bc_buf_finish(&mdoc);
	bc_buf_finish(&example);
}

/* "#name = value" becomes a setting; "# words" stays a comment. Products are left out. */
static void uncomment(const struct bc_buf *example, char *out)
{
	struct bc_str rest = { example->data, example->len };

	while (rest.ptr) {
		struct bc_str line = bc_str_split(&rest, '\n');

		if (bc_str_starts(line, "#[product"))
			break;
		if (line.len > 1 && line.ptr[0] == '#' && line.ptr[1] != ' ') {
			line.ptr++;
			line.len--;
		}
		out += sprintf(out, "%.*s\n", (int)line.len, line.ptr);
	}
}

static void the_example_uncommented_gives_the_defaults(void **state)
{
	static char text[65536];
	struct fixture *f = *state;
	struct bc_settings *defaults;
	struct bc_buf example;

	assert_quiet(f);
	defaults = bc_settings_ref(f->s);
	render(bc_settings_example, &example);
	put_bytes(f, "backchannel.conf", 0600, example.data, example.len);
	assert_quiet(f);
	uncomment(&example, text);
	put_file(f, "backchannel.conf", text);
	assert_quiet(f);
	for (size_t i = 0; i < bc_setting_row_count; i++)
		assert_true(bc_setting_rows[i].type->equal(
			(const char *)defaults + bc_setting_rows[i].offset,
			(const char *)f->s + bc_setting_rows[i].offset));
	assert_non_null(strstr(bc_settings_origins_of(f->s)->rows[0], "backchannel.conf:"));
	bc_buf_finish(&example);
	bc_settings_unref(defaults);
}

static void every_row_is_fit_to_be_printed(void **state BC_UNUSED)
{
	for (size_t i = 0; i < bc_setting_row_count; i++) {
		const struct bc_setting_row *row = &bc_setting_rows[i];
		size_t groups = 0, len = strlen(row->help);

		for (size_t k = 0; k < bc_setting_group_count; k++)
			groups += bc_setting_in_group(row, &bc_setting_groups[k]);
		assert_int_equal(groups, 1);
		assert_true(len > 20 && row->help[len - 1] == '.');
		assert_null(strchr(row->help, '|'));
		assert_true(row->type->bound ? row->max >= row->min && row->def : true);
		assert_true(!row->check || row->allowed);
		for (const char *const *alias = row->aliases; *alias; alias++)
			assert_true(strncmp(*alias, "BACKCHANNEL_", 12) != 0);
	}
}

/* --- config show ----------------------------------------------------------------------------- */

static void give_some(struct fixture *f)
{
	put_file(f, "backchannel.conf",
		 "[click]\nttl = 30d\n[product shoes]\nid = s\nkey = shoe-canary\n");
	set_env(f, "SOVENDUS_PRODUCT_ID=p-1");
	set_env(f, "SOVENDUS_API_KEY=key-canary");
	assert_quiet(f);
}

/* The line of that name, its columns parted by one space each. */
static void assert_line(const char *shown, const char *name, const char *wanted)
{
	struct bc_str rest = bc_str_of(shown);
	char line[512];
	size_t len;

	while (rest.ptr) {
		struct bc_str found = bc_str_split(&rest, '\n');

		if (found.len <= strlen(name) || !bc_str_starts(found, name) ||
		    found.ptr[strlen(name)] != ' ')
			continue;
		len = 0;
		for (size_t i = 0; i < found.len; i++)
			if (found.ptr[i] != ' ' || found.ptr[i - 1] != ' ')
				line[len++] = found.ptr[i];
		line[len] = '\0';
		assert_string_equal(line, wanted);
		return;
	}
	fail_msg("no line \"%s\" in:\n%s", name, shown);
}

static void show_prints_value_and_source_and_no_secret(void **state)
{
	struct fixture *f = *state;
	struct bc_buf out;

	give_some(f);
	bc_buf_init(&out, DOCS_MAX);
	assert_int_equal(bc_settings_show_text(f->s, &out), 0);
	assert_line(out.data, "click.ttl", "click.ttl 30d backchannel.conf:2");
	assert_line(out.data, "order.adopt", "order.adopt 15m default");
	assert_line(out.data, "sovendus.product_id",
		    "sovendus.product_id p-1 environment SOVENDUS_PRODUCT_ID");
	assert_line(out.data, "sovendus.api_key",
		    "sovendus.api_key set environment SOVENDUS_API_KEY");
	assert_line(out.data, "api_token", "api_token missing default");
	assert_line(out.data, "http.hosts", "http.hosts - default");
	assert_line(out.data, "product.shoes.id", "product.shoes.id s backchannel.conf:4");
	assert_line(out.data, "product.shoes.key", "product.shoes.key set backchannel.conf:5");
	assert_line(out.data, "product.shoes.partner", "product.shoes.partner sovendus default");
	assert_null(strstr(out.data, "canary"));
	assert_null(strstr(out.data, "product.default"));
	bc_buf_finish(&out);
}

static void show_as_json_has_the_same(void **state)
{
	static const char *const parts[] = {
		"\"name\": \"click.ttl\",\n      \"value\": \"30d\",\n"
		"      \"source\": \"backchannel.conf:2\",\n"
		"      \"environment\": \"BACKCHANNEL_CLICK_TTL\"",
		"\"name\": \"sovendus.api_key\",\n      \"value\": \"set\",\n",
		"\"environment\": \"SOVENDUS_API_KEY\"",
		"\"name\": \"http.hosts\",\n      \"value\": null,\n",
		"\"name\": \"api_token\",\n      \"value\": \"missing\",\n",
		"\"environment\": \"BACKCHANNEL_PRODUCT_SHOES_KEY\"",
	};
	struct fixture *f = *state;
	struct bc_buf out;

	give_some(f);
	bc_buf_init(&out, DOCS_MAX);
	assert_int_equal(bc_settings_show_json(f->s, &out), 0);
	for (size_t i = 0; i < BC_COUNT(parts); i++)
		if (!strstr(out.data, parts[i]))
			fail_msg("no %s in %s", parts[i], out.data);
	assert_null(strstr(out.data, "canary"));
	bc_buf_finish(&out);
}

static void a_file_name_of_any_bytes_can_be_shown(void **state)
{
	struct fixture *f = *state;
	struct bc_buf out;

	put_file(f, "\xff.conf", "[click]\nttl = 30d\n");
	f->config = "\xff.conf";
	assert_quiet(f);
	bc_buf_init(&out, DOCS_MAX);
	assert_int_equal(bc_settings_show_json(f->s, &out), 0);
	assert_non_null(strstr(out.data, "a file whose name is not UTF-8"));
	bc_buf_finish(&out);
}

static bool show_once(void *ctx)
{
	struct fixture *f = ctx;
	struct bc_buf out;
	int rc;

	bc_buf_init(&out, DOCS_MAX);
	rc = bc_settings_show_text(f->s, &out);
	if (!rc)
		rc = bc_settings_show_json(f->s, &out);
	bc_buf_finish(&out);
	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static bool document_once(void *ctx BC_UNUSED)
{
	static render_fn *const all[] = { bc_settings_markdown, bc_settings_mdoc,
					  bc_settings_example };
	int rc = 0;

	for (size_t i = 0; !rc && i < BC_COUNT(all); i++) {
		struct bc_buf out;

		bc_buf_init(&out, DOCS_MAX);
		rc = all[i](&out);
		bc_buf_finish(&out);
	}
	assert_true(rc == 0 || rc == BC_ENOMEM);
	return rc == 0;
}

static void showing_and_documenting_survive_each_failing_allocation(void **state)
{
	struct fixture *f = *state;

	give_some(f);
	each_allocation_failing(show_once, f);
	each_allocation_failing(document_once, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_settings_page_is_what_the_table_renders),
		cmocka_unit_test(the_example_file_is_what_the_table_renders),
		cmocka_unit_test(every_setting_stands_in_every_document),
		settings_test(the_example_uncommented_gives_the_defaults),
		cmocka_unit_test(every_row_is_fit_to_be_printed),
		settings_test(show_prints_value_and_source_and_no_secret),
		settings_test(show_as_json_has_the_same),
		settings_test(a_file_name_of_any_bytes_can_be_shown),
		settings_test(showing_and_documenting_survive_each_failing_allocation),
	};

	return cmocka_run_group_tests_name("settings_docs", tests, NULL, NULL);
}
