/* SPDX-License-Identifier: MIT */
/*
 * Definitions of partners as text: what is read is what is printed, every fault is told with its
 * line and with what to do, and the three that come with the program have none.
 */
#include "protocol/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/partner_book.h"
#include "tests/unit/failing_malloc.h"

enum { TEXT_MAX = 64 * 1024 };

/* --- what was told --------------------------------------------------------------------------- */

struct told {
	unsigned errors, advice;
	char text[8192]; /* "LINE: text (hint)\n" each */
};

static void tell(void *ctx, unsigned line, bool is_error, const struct bc_err *fault)
{
	struct told *t = ctx;
	size_t len = strlen(t->text);
	assert_true(fault->text[0] && fault->hint[0]);
	assert_true(fault->text[strlen(fault->text) - 1] != '.');
	t->errors += is_error;
	t->advice += !is_error;
	snprintf(t->text + len, sizeof(t->text) - len, "%u: %s (%s)\n", line, fault->text,
		 fault->hint);
}

static int read_text(const char *text, struct told *t, struct bc_definition **ret)
{
	const struct bc_definition_teller teller = { tell, t };
	*t = (struct told){ 0 };
	*ret = NULL;
	return bc_definition_read(text, strlen(text), &teller, ret);
}

/* --- a definition that is right, and what spoils it ------------------------------------------ */

static const char good[] = "[partner]\n"			 /* 1 */
			   "name = shop-net\n"			 /* 2 */
			   "title = Shop Net\n"			 /* 3 */
			   "[landing]\n"			 /* 4 */
			   "param = cid, click.id\n"		 /* 5 */
			   "[token]\n"				 /* 6 */
			   "also = :~\n"			 /* 7 */
			   "test = test:0001\n"			 /* 8 */
			   "[request]\n"			 /* 9 */
			   "base_url = https://api.example/v1\n" /* 10 */
			   "id = account:campaign\n"		 /* 11 */
			   "method = POST\n"			 /* 12 */
			   "path = /{account}/sales\n"		 /* 13 */
			   "query = c={campaign}&a={amount?}\n"	 /* 14 */
			   "header = X-Key: {key}\n"		 /* 15 */
			   "content_type = application/json\n"	 /* 16 */
			   "body = {\"click\":\"{token}\",\n"	 /* 17 */
			   "   \"order\":\"{order}\"}\n"	 /* 18 */
			   "[answer 200-299]\n"			 /* 19 */
			   "message = \"ok\"\n"			 /* 20 */
			   "outcome = delivered\n"		 /* 21 */
			   "meaning = taken\n"			 /* 22 */
			   "source = https://docs.example\n"	 /* 23 */
			   "[answer 400-499]\n"			 /* 24 */
			   "outcome = suspect\n"		 /* 25 */
			   "meaning = refused\n"		 /* 26 */
			   "hint = look\n"			 /* 27 */
			   "source = unverified\n"		 /* 28 */
			   "[answer 100-999]\n"			 /* 29 */
			   "outcome = retry\n"			 /* 30 */
			   "meaning = not now\n"		 /* 31 */
			   "hint = nothing to do\n"		 /* 32 */
			   "source = unverified\n"		 /* 33 */
			   "[test 200]\n"			 /* 34 */
			   "body = {\"ok\":1}\n"		 /* 35 */
			   "outcome = delivered\n"		 /* 36 */
			   "[test 200]\n"			 /* 37 */
			   "outcome = retry\n";			 /* 38 */

/* good with its nth line replaced; a line more may come with it. */
static const char *spoil(unsigned nth, const char *line)
{
	static char text[TEXT_MAX];
	struct bc_str rest = bc_str_of(good);
	char *to = text;
	for (unsigned n = 1; rest.len; n++) {
		struct bc_str old = bc_str_split(&rest, '\n');
		if (n == nth)
			to += sprintf(to, "%s\n", line);
		else
			to += sprintf(to, "%.*s\n", (int)old.len, old.ptr);
	}
	*to = '\0';
	return text;
}

static void a_definition_is_read_whole(void **state)
{
	(void)state;
	struct bc_definition *d;
	struct told t;
	assert_int_equal(read_text(good, &t, &d), 0);
	assert_string_equal(t.text, "");
	const struct bc_partner *p = &d->partner;
	assert_string_equal(p->name, "shop-net");
	assert_string_equal(p->params[1], "click.id");
	assert_null(p->params[2]);
	assert_string_equal(p->token_also, ":~");
	assert_string_equal(p->body, "{\"click\":\"{token}\", \"order\":\"{order}\"}");
	assert_int_equal(p->rule_count, 3);
	assert_string_equal(p->rules[0].message, "\"ok\"");
	assert_string_equal(p->rules[0].hint, "");
	assert_int_equal(p->rules[2].status_to, 999);
	assert_true(bc_partner_needs(p, "key") && bc_partner_uses(p, "amount"));
	assert_false(bc_partner_needs(p, "amount"));
	bc_definition_destroy(d);
}

static const struct {
	unsigned nth;
	const char *line, *told; /* "LINE: text" */
} faults[] = {
	{ 1, "[partners]", "1: there is no section \"partners\"" },
	{ 1, "name = x", "1: the line stands before any section" },
	{ 2, "name = Shop", "2: \"Shop\" is no name of a partner" },
	{ 2, "naem = shop", "2: [partner] has no \"naem\"" },
	{ 2, "name =", "2: \"name\" has no value" },
	{ 2, "name", "2: the line is neither a section nor NAME = VALUE" },
	{ 3, "title = a\ntitle = b", "4: \"title\" stands there a second time" },
	{ 3, "", "0: the partner has no title" },
	{ 3, "title = a\x01", "3: the line has bytes that are no text" },
	{ 3, "title = a\xff", "3: the line has bytes that are no text" },
	{ 4, "[landing", "4: the section's name is not closed" },
	{ 5, "", "0: no parameter of a landing URL is named" },
	{ 5, "param = a b", "5: \"a b\" is no name of a parameter" },
	{ 5, "param = a,,b", "5: \"param\" has an empty entry" },
	{ 7, "also = ;", "7: \";\" widens tokens too far" },
	{ 7, "also = ::", "7: \"::\" widens tokens too far" },
	{ 7, "", "8: the test token \"test:0001\" is no token" },
	{ 7, "also = :\ntest_shape = nnnn-nnn", "8: \"nnnn-nnn\" would make every token a test" },
	{ 10, "base_url = http://api.example", "10: \"http://api.example\" is no base URL" },
	{ 10, "base_url = https://x/", "10: \"https://x/\" is no base URL" },
	{ 11, "id = account:Campaign", "11: \"account:Campaign\" does not name the parts" },
	{ 11, "id = account:campaign:more", "11: the part \"more\" of the id is not used" },
	{ 11, "", "13: \"path\" names {account}, which means nothing" },
	{ 12, "method = PATCH", "12: the request has no method that is known" },
	{ 12, "method = GET", "17: a GET has no body" },
	{ 13, "path = sales", "13: the request has no path that begins with \"/\"" },
	{ 13, "path = /{account}/../x", "13: the path's shape is not one that a server keeps" },
	{ 13, "path = /{account}//x", "13: the path's shape is not one that a server keeps" },
	{ 13, "path = /{account}?x=1", "13: the path's shape is not one that a server keeps" },
	{ 13, "path = /{account}/{key}", "13: \"path\" has the key in it" },
	{ 13, "path = /{amount?}/{account}",
	  "13: \"path\" has {amount?}, and that is for a query" },
	{ 14, "query = c={campaign}&a", "14: \"a\" in query is no pair" },
	{ 14, "query = c={campaign}&k={key}", "14: \"query\" has the key in it" },
	{ 14, "query = c={campaign}&k={key}\nkey_in_url = accepted",
	  "15: the key travels in the URL" },
	{ 14, "query = c={campaign}\nkey_in_url = yes", "15: \"key_in_url\" is not \"accepted\"" },
	{ 15, "header = Host: evil", "15: \"Host: evil\" is no header that can be set" },
	{ 15, "header = X", "15: \"X\" is no header that can be set" },
	{ 16, "", "17: the body has no content_type" },
	{ 17, "body = {\"click\":{token},", "17: the body is no JSON once it is filled in" },
	{ 17, "body = {\"click\":1,", "0: the request carries no {token}" },
	{ 19, "[answer 299-200]", "19: \"299-200\" is no status or range" },
	{ 19, "[answer 99]", "19: \"99\" is no status or range" },
	{ 20, "message = ok_ok", "19: the message of [answer 200-299] could be a token" },
	{ 21, "", "19: [answer 200-299] has no outcome" },
	{ 21, "outcome = unknown", "21: \"unknown\" is no outcome of an answer" },
	{ 21, "outcome = retry", "38: no answer is ever \"delivered\"" },
	{ 22, "", "19: [answer 200-299] has no meaning" },
	{ 23, "", "19: 1 of 3 answers say no source" },
	{ 24,
	  "[answer 500-599]\noutcome = reject\nmeaning = x\nhint = x\nsource = x\n[answer 400-499]",
	  "24: [answer 500-599] gives up on what passes" },
	{ 25, "outcome = delivered",
	  "24: [answer 400-499] delivers by a status that is no success" },
	{ 27, "", "24: [answer 400-499] has no hint" },
	{ 29, "[answer 100-998]", "38: no row takes every answer of the statuses 999 to 999" },
	{ 24,
	  "[answer 100-999]\noutcome = retry\nmeaning = x\nhint = x\nsource = x\n[answer 400-499]",
	  "29: [answer 400-499] is never reached" },
	{ 20, "message = \"ok\"\n[answer 200-299]\nmessage = is \"OK\" now",
	  "21: [answer 200-299] is never reached" },
	{ 34, "[test 20]", "34: \"20\" is no status" },
	{ 36, "outcome = retry", "34: the answer comes to \"delivered\", and not to \"retry\"" },
	{ 36, "", "34: the test says no outcome" },
	{ 37, "[test 500]", "38: success stands in the body, and no test shows a 2xx without it" },
};

static void each_fault_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(faults); i++) {
		struct bc_definition *d;
		struct told t;
		char wanted[160];
		int result = read_text(spoil(faults[i].nth, faults[i].line), &t, &d);
		snprintf(wanted, sizeof(wanted), "\n%s", faults[i].told);
		if (strncmp(t.text, wanted + 1, strlen(wanted + 1)) != 0 && !strstr(t.text, wanted))
			fail_msg("\"%s\": wanted \"%s\", told:\n%s", faults[i].line, faults[i].told,
				 t.text);
		assert_int_equal(result, t.errors ? BC_EINVAL : 0);
		bc_definition_destroy(d);
	}
}

static void what_is_hidden_and_what_hides_it_are_both_named(void **state)
{
	(void)state;
	struct bc_definition *d;
	struct told t;
	assert_int_equal(read_text(spoil(24, "[answer 100-999]\noutcome = retry\nmeaning = x\n"
					     "hint = x\nsource = x\n[answer 400-499]"),
				   &t, &d),
			 BC_EINVAL);
	assert_non_null(strstr(t.text, "put this one before [answer 100-999] in line 24"));
}

static void a_text_that_is_too_long_is_refused(void **state)
{
	(void)state;
	static char text[BC_DEFINITION_MAX_BYTES + 2];
	const struct bc_partner *p = NULL;
	struct bc_err err = { 0 };
	memset(text, '#', sizeof(text) - 1);
	assert_int_equal(bc_partner_parse("x.conf", text, sizeof(text) - 1, &p, &err), BC_ETOOBIG);
	assert_non_null(strstr(err.text, "x.conf: the text is longer than 64 KiB"));
	assert_null(p);
}

static void the_first_fault_stands_in_the_error(void **state)
{
	(void)state;
	const char *text = spoil(12, "method = PATCH");
	const struct bc_partner *p = NULL;
	struct bc_err err = { 0 };
	assert_int_equal(bc_partner_parse("shop-net.conf", text, strlen(text), &p, &err),
			 BC_EINVAL);
	assert_string_equal(err.text, "shop-net.conf:12: the request has no method that is known");
	assert_string_equal(err.hint, "write method = POST, GET or PUT");
}

static void byte_order_mark_and_line_ends_of_windows_do_no_harm(void **state)
{
	(void)state;
	static char text[2 * sizeof(good) + 8];
	char *to = stpcpy(text, "\xef\xbb\xbf");
	for (const char *from = good; *from; from++) {
		if (*from == '\n')
			*to++ = '\r';
		*to++ = *from;
	}
	struct bc_definition *d;
	struct told t;
	assert_int_equal(read_text(text, &t, &d), 0);
	assert_string_equal(d->partner.title, "Shop Net");
	bc_definition_destroy(d);
}

/* --- printed and read again ------------------------------------------------------------------ */

static void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(a == b);
}

static void assert_same_list(const char *const *a, const char *const *b)
{
	for (; a && b && *a && *b; a++, b++)
		assert_string_equal(*a, *b);
	assert_true((!a || !*a) && (!b || !*b));
}

static void assert_same(const struct bc_partner *a, const struct bc_partner *b)
{
	assert_same_text(a->name, b->name);
	assert_same_text(a->title, b->title);
	assert_same_text(a->base_url, b->base_url);
	assert_same_list(a->params, b->params);
	assert_same_text(a->method, b->method);
	assert_same_text(a->path, b->path);
	assert_same_text(a->content_type, b->content_type);
	assert_same_text(a->body, b->body);
	assert_same_list(a->echo, b->echo);
	assert_same_list(a->test_tokens, b->test_tokens);
	assert_same_text(a->query, b->query);
	assert_same_list(a->headers, b->headers);
	assert_same_text(a->basic, b->basic);
	assert_same_text(a->id, b->id);
	assert_same_text(a->token_also, b->token_also);
	assert_same_text(a->test_shape, b->test_shape);
	assert_int_equal(a->key_in_url, b->key_in_url);
	assert_int_equal(a->rule_count, b->rule_count);
	for (size_t i = 0; i < a->rule_count; i++) {
		assert_int_equal(a->rules[i].status_from, b->rules[i].status_from);
		assert_int_equal(a->rules[i].status_to, b->rules[i].status_to);
		assert_int_equal(a->rules[i].outcome, b->rules[i].outcome);
		assert_int_equal(a->rules[i].young_click, b->rules[i].young_click);
		assert_same_text(a->rules[i].message, b->rules[i].message);
		assert_string_equal(a->rules[i].meaning, b->rules[i].meaning);
		assert_string_equal(a->rules[i].hint, b->rules[i].hint);
		assert_same_text(a->rules[i].source, b->rules[i].source);
	}
}

static void print_and_read(const struct bc_partner *p)
{
	struct bc_definition *d = NULL;
	struct told t;
	struct bc_buf out;
	bc_buf_init(&out, TEXT_MAX);
	assert_int_equal(bc_definition_print(p, &out), 0);
	if (read_text(out.data, &t, &d))
		fail_msg("%s: %s", p->name, t.text);
	assert_same(p, &d->partner);
	bc_definition_destroy(d);
	bc_buf_finish(&out);
}

static void what_is_printed_reads_back_as_the_same(void **state)
{
	(void)state;
	struct bc_partner_book *book = bc_partner_book_create("/nowhere");
	assert_non_null(book);
	print_and_read(&bc_partner_sovendus);
	for (const struct bc_partner_text *text = bc_partner_texts; text->name; text++) {
		const struct bc_partner *p;
		assert_int_equal(bc_partner_book_find(book, text->name, &p, NULL), 0);
		print_and_read(p);
	}
	bc_partner_book_destroy(book);
}

static void those_that_come_with_the_program_are_right(void **state)
{
	(void)state;
	size_t count = 0;
	for (const struct bc_partner_text *text = bc_partner_texts; text->name; text++, count++) {
		struct told t = { 0 };
		const struct bc_definition_teller teller = { tell, &t };
		struct bc_definition *d = NULL;
		assert_int_equal(bc_definition_read(text->text, text->bytes, &teller, &d), 0);
		assert_string_equal(d->partner.name, text->name);
		assert_int_equal(t.errors, 0);
		/* TUNE takes its token in the URL alone. */
		assert_int_equal(t.advice, strcmp(text->name, "tune") == 0);
		for (size_t i = 0; i < d->partner.rule_count; i++)
			assert_non_null(d->partner.rules[i].source);
		bc_definition_destroy(d);
	}
	assert_int_equal(count, 3);
	struct told t = { 0 };
	const struct bc_definition_teller teller = { tell, &t };
	struct bc_definition_tally tally;
	assert_int_equal(bc_definition_check(&bc_partner_sovendus, NULL, &teller, &tally), 0);
	assert_string_equal(t.text, "");
	assert_true(tally.answers >= 900 * 4);
}

static bool parse_it(void *ctx)
{
	const struct bc_partner *p = NULL;
	struct bc_err err = { 0 };
	(void)ctx;
	int result = bc_partner_parse("x", good, sizeof(good) - 1, &p, &err);
	assert_true(result == 0 || result == BC_ENOMEM || result == BC_EINVAL);
	bc_partner_destroy(p);
	return result == 0;
}

static void no_memory_is_survived(void **state)
{
	(void)state;
	each_allocation_failing(parse_it, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_definition_is_read_whole),
		cmocka_unit_test(each_fault_is_told_with_its_line),
		cmocka_unit_test(what_is_hidden_and_what_hides_it_are_both_named),
		cmocka_unit_test(a_text_that_is_too_long_is_refused),
		cmocka_unit_test(the_first_fault_stands_in_the_error),
		cmocka_unit_test(byte_order_mark_and_line_ends_of_windows_do_no_harm),
		cmocka_unit_test(what_is_printed_reads_back_as_the_same),
		cmocka_unit_test(those_that_come_with_the_program_are_right),
		cmocka_unit_test(no_memory_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
