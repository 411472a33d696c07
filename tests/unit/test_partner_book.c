/* SPDX-License-Identifier: MIT */
/* Where definitions come from, and how products get theirs: files beside the settings file go
 * before what the program carries, and whatever is wrong is told with the setting that asked. */
#include "settings_fixture.h"

#include "base/str.h"
#include "daemon/partner_book.h"

#define GOOD                                                                                       \
	"[partner]\nname = %s\ntitle = %s\n[landing]\nparam = cid\n[request]\n"                    \
	"base_url = https://api.example\nmethod = GET\npath = /p\nquery = c={token}&o={product}\n" \
	"[answer 200-299]\noutcome = delivered\nmeaning = taken\nsource = x\n"                     \
	"[answer 100-999]\noutcome = retry\nmeaning = not now\nhint = wait\nsource = x\n"

/* The fixture's folder has files alone. */
static int book_teardown(void **state)
{
	const struct fixture *f = *state;
	char folder[160], path[512];
	snprintf(folder, sizeof(folder), "%s/partners", f->dir);
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			assert_int_equal(unlink(path), 0);
	}
	if (dir) {
		closedir(dir);
		assert_int_equal(rmdir(folder), 0);
	}
	return fixture_teardown(state);
}

#define BOOK_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, book_teardown)

static void put_definition(struct fixture *f, const char *file, const char *name, const char *title)
{
	char path[160], text[1024];
	snprintf(path, sizeof(path), "%s/partners", f->dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "partners/%s.conf", file);
	snprintf(text, sizeof(text), GOOD, name, title);
	put_bytes(f, path, 0644, text, strlen(text));
}

static void a_product_gets_its_partners_definition(void **state)
{
	struct fixture *f = *state;
	put_file(f, "backchannel.conf",
		 "[product uk]\npartner = awin\nid = 1001\nkey = k\n"
		 "[product us]\npartner = impact\nid = IR1:1000:4000\nkey = k\n"
		 "[product net]\npartner = tune\nid = 26\nbase_url = https://demo.go2cloud.org\n");
	assert_quiet(f);
	assert_int_equal(f->s->product_count, 3);
	assert_string_equal(f->s->products[0].label, "net");
	assert_string_equal(f->s->products[0].definition->name, "tune");
	assert_string_equal(f->s->products[0].url, "https://demo.go2cloud.org");
	assert_string_equal(f->s->products[1].definition->name, "awin");
	assert_string_equal(f->s->products[1].url, "https://api.awin.com/s2s/advertiser");
	assert_string_equal(f->s->products[2].definition->title, "impact.com");
	assert_int_equal(bc_settings_check_startable(f->s, &f->report, &f->err), 0);
}

static void the_pair_stays_sovendus(void **state)
{
	struct fixture *f = *state;
	set_env(f, "SOVENDUS_PRODUCT_ID=p");
	set_env(f, "SOVENDUS_API_KEY=k");
	put_file(f, "backchannel.conf",
		 "[sovendus]\nbase_url = https://one.example/ext\n"
		 "[product b]\nid = x\nkey = y\n");
	assert_quiet(f);
	for (size_t i = 0; i < 2; i++) {
		assert_ptr_equal(f->s->products[i].definition, &bc_partner_sovendus);
		assert_string_equal(f->s->products[i].url, "https://one.example/ext");
	}
}

static void a_file_beside_the_settings_adds_a_partner(void **state)
{
	struct fixture *f = *state;
	put_definition(f, "mine", "mine", "Mine");
	put_file(f, "backchannel.conf", "[product m]\npartner = mine\nid = 7\n");
	assert_quiet(f);
	assert_string_equal(f->s->products[0].definition->title, "Mine");
	assert_int_equal(bc_settings_check_startable(f->s, &f->report, &f->err), 0);
}

static void a_file_goes_before_the_one_of_the_program(void **state)
{
	struct fixture *f = *state;
	put_file(f, "backchannel.conf", "[product m]\npartner = tune\nid = 7\n");
	assert_quiet(f);
	uint64_t before = f->s->products[0].edition;
	unload(f);
	put_definition(f, "tune", "tune", "Our TUNE");
	assert_quiet(f);
	assert_string_equal(f->s->products[0].definition->title, "Our TUNE");
	assert_true(f->s->products[0].edition != before);
}

static const struct {
	const char *product, *says, *hint;
} refused[] = {
	{ "partner = nobody\nid = 1\n",
	  "\"product.p.partner\" = \"nobody\" is no partner that is known here",
	  "/partners/nobody.conf" },
	{ "partner = No\nid = 1\n", "\"product.p.partner\" = \"No\" is no partner's name",
	  "backchannel partners" },
	{ "partner = impact\nid = IR1:1000\n",
	  "\"product.p.id\" = \"IR1:1000\" is no product ID of impact.com",
	  "account:campaign:event" },
	{ "partner = awin\nid = 1:2\n", "\"product.p.id\" = \"1:2\" is no product ID of Awin", "" },
	{ "partner = sovendus\nid = 1:2\n", "is no product ID of Sovendus", "one part" },
	{ "partner = impact\nid = IR1::4\n", "\"product.p.id\" = \"IR1::4\" is no product ID",
	  "colon" },
	{ "partner = other\nid = 1\n", "calls its partner \"another\"", "name = other" },
	{ "partner = broken\nid = 1\n", "broken.conf:1: there is no section \"partnr\"",
	  "[partner]" },
};

static void what_cannot_be_used_is_told_with_the_setting(void **state)
{
	struct fixture *f = *state;
	char text[256];
	put_definition(f, "other", "another", "Another");
	put_bytes(f, "partners/broken.conf", 0644, "[partnr]\n", 9);
	for (size_t i = 0; i < BC_COUNT(refused); i++) {
		snprintf(text, sizeof(text), "[product p]\n%s", refused[i].product);
		put_file(f, "backchannel.conf", text);
		assert_refused(f);
		assert_says(f, refused[i].says);
		assert_says(f, refused[i].hint);
	}
}

static void a_definition_that_others_may_write_is_not_used(void **state)
{
	struct fixture *f = *state;
	char path[160];
	put_definition(f, "mine", "mine", "Mine");
	snprintf(path, sizeof(path), "%s/partners/mine.conf", f->dir);
	assert_int_equal(chmod(path, 0666), 0);
	put_file(f, "backchannel.conf", "[product m]\npartner = mine\nid = 7\n");
	assert_refused(f);
	assert_says(f, "others than its owner can write to it");
}

static void what_a_partner_needs_is_missed_at_the_start(void **state)
{
	static const struct {
		const char *product, *says;
	} rows[] = {
		{ "partner = awin\nid = 1\n", "the product \"p\" has no key" },
		{ "partner = awin\nkey = k\n", "the product \"p\" has no id" },
		{ "partner = tune\n", "the product \"p\" has no id" },
		{ "partner = tune\nid = 26\n",
		  "the product \"p\" has no base_url, and TUNE has none of its own" },
	};
	struct fixture *f = *state;
	char text[128];
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		snprintf(text, sizeof(text), "[product p]\n%s", rows[i].product);
		put_file(f, "backchannel.conf", text);
		assert_quiet(f);
		assert_int_equal(bc_settings_check_startable(f->s, &f->report, &f->err), BC_EINVAL);
		assert_string_equal(f->err.text, rows[i].says);
		assert_true(f->err.hint[0] != '\0');
		unload(f);
	}
}

static void a_book_lists_what_there_is_once_each(void **state)
{
	struct fixture *f = *state;
	char folder[160];
	char **names = NULL;
	put_definition(f, "awin", "awin", "Ours");
	put_definition(f, "mine", "mine", "Mine");
	put_bytes(f, "partners/README", 0644, "x", 1);
	put_bytes(f, "partners/Not.conf", 0644, "x", 1);
	snprintf(folder, sizeof(folder), "%s/partners", f->dir);
	struct bc_partner_book *book = bc_partner_book_create(folder);
	assert_non_null(book);
	assert_int_equal(bc_partner_book_names(book, &names), 0);
	static const char *const wanted[] = { "awin", "impact", "mine", "sovendus", "tune", NULL };
	for (size_t i = 0; wanted[i] || names[i]; i++)
		assert_string_equal(names[i], wanted[i]);
	const struct bc_partner *first, *again;
	assert_int_equal(bc_partner_book_find(book, "mine", &first, NULL), 0);
	assert_int_equal(bc_partner_book_find(book, "mine", &again, NULL), 0);
	assert_ptr_equal(first, again);
	struct bc_err err = { 0 };
	assert_int_equal(bc_partner_book_find(book, "../mine", &again, &err), BC_ENOENT);
	free(names);
	bc_partner_book_destroy(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOOK_TEST(a_product_gets_its_partners_definition),
		BOOK_TEST(the_pair_stays_sovendus),
		BOOK_TEST(a_file_beside_the_settings_adds_a_partner),
		BOOK_TEST(a_file_goes_before_the_one_of_the_program),
		BOOK_TEST(what_cannot_be_used_is_told_with_the_setting),
		BOOK_TEST(a_definition_that_others_may_write_is_not_used),
		BOOK_TEST(what_a_partner_needs_is_missed_at_the_start),
		BOOK_TEST(a_book_lists_what_there_is_once_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
