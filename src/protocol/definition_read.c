/* SPDX-License-Identifier: MIT */
/*
 * See definition.h: from text to a struct bc_partner. The form is INI's, read here and not by inih,
 * because a fault names the line of its section as well as of its key, sections repeat and their
 * order counts, and a long text goes on in indented lines. What the keys are stands in one table.
 */
#include "protocol/definition.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "protocol/template.h"

enum { ARENA_BLOCK_BYTES = 16 * 1024, ARENA_MAX_BYTES = 1024 * 1024 };

enum section { NO_SECTION, PARTNER, LANDING, TOKEN, REQUEST, ANSWER, TEST, BAD_SECTION };

static const char *const section_names[] = {
	[PARTNER] = "partner", [LANDING] = "landing", [TOKEN] = "token",
	[REQUEST] = "request", [ANSWER] = "answer",   [TEST] = "test",
};

struct reader {
	struct bc_definition *d;
	struct bc_answer_rule *rows; /* d's, while it is filled */
	const struct bc_definition_teller *teller;
	unsigned line, errors;
	enum section section;
	/* The key that further lines may go on with. */
	const struct key *key;
	unsigned key_line;
	struct bc_buf value;
	bool going_on;
	int rc; /* BC_ENOMEM, once met */
};

typedef void key_reader(struct reader *r, const struct key *key, struct bc_str value);

struct key {
	enum section section;
	int id; /* enum bc_definition_key; -1: of a row or a test */
	const char *name;
	key_reader *read;
	size_t offset;
};

static void tell(struct reader *r, unsigned line, const char *hint, const char *fmt, ...)
	BC_PRINTF(4, 5);
static void tell(struct reader *r, unsigned line, const char *hint, const char *fmt, ...)
{
	struct bc_err fault = { 0 };
	char text[BC_ERR_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	bc_formatv(text, sizeof(text), fmt, ap);
	va_end(ap);
	bc_err_set(&fault, BC_EINVAL, "%s", text);
	bc_err_hint(&fault, "%s", hint);
	r->errors++;
	r->teller->tell(r->teller->ctx, line, true, &fault);
}

static const char *keep(struct reader *r, struct bc_str text)
{
	const char *kept = bc_arena_dup(r->d->arena, text.ptr, text.len);
	if (!kept)
		r->rc = BC_ENOMEM;
	return kept;
}

/* --- kinds of values ------------------------------------------------------------------------- */

static bool is_taken(struct reader *r, const struct key *key, bool taken)
{
	if (taken)
		tell(r, r->key_line,
		     "one of the two has to go; rows of answers begin with "
		     "[answer STATUS] each",
		     "\"%s\" stands there a second time", key->name);
	return taken;
}

static struct bc_answer_rule *row_of(struct reader *r)
{
	return &r->rows[r->d->partner.rule_count - 1];
}

static struct bc_definition_test *test_of(struct reader *r)
{
	return &r->d->tests[r->d->test_count - 1];
}

static void *field_of(struct reader *r, const struct key *key)
{
	char *base = key->section == ANSWER ? (char *)row_of(r)
		     : key->section == TEST ? (char *)test_of(r)
					    : (char *)&r->d->partner;
	return base + key->offset;
}

static void read_text(struct reader *r, const struct key *key, struct bc_str value)
{
	const char **field = field_of(r, key);
	if (!is_taken(r, key, *field != NULL))
		*field = keep(r, value);
}

/* A list field is allocated once, with room for all that it may hold. */
static void add_item(struct reader *r, const struct key *key, struct bc_str item)
{
	const char ***field = field_of(r, key);
	size_t count = 0;
	if (!*field)
		*field =
			bc_arena_alloc(r->d->arena, (BC_DEFINITION_LIST_MAX + 1) * sizeof(**field));
	if (!*field) {
		r->rc = BC_ENOMEM;
		return;
	}
	while ((*field)[count])
		count++;
	if (count == BC_DEFINITION_LIST_MAX)
		tell(r, r->key_line, "take out what is not needed", "\"%s\" has more than %d",
		     key->name, BC_DEFINITION_LIST_MAX);
	else
		(*field)[count] = keep(r, item);
}

static void read_list(struct reader *r, const struct key *key, struct bc_str value)
{
	while (value.ptr) {
		struct bc_str item = bc_str_trim(bc_str_split(&value, ','));
		if (item.len)
			add_item(r, key, item);
		else
			tell(r, r->key_line, "write NAME or NAME, NAME",
			     "\"%s\" has an empty entry", key->name);
	}
}

static void read_line_of(struct reader *r, const struct key *key, struct bc_str value)
{
	add_item(r, key, value);
}

static void read_flag(struct reader *r, const struct key *key, struct bc_str value)
{
	bool *field = field_of(r, key);
	const char *word = key->id == BC_KEY_KEY_IN_URL ? "accepted" : "yes";
	char hint[64];
	if (bc_str_eq(value, word)) {
		*field = true;
		return;
	}
	bc_format(hint, sizeof(hint), "write %s = %s, or leave it out", key->name, word);
	tell(r, r->key_line, hint, "\"%s\" is not \"%s\"", key->name, word);
}

static bool parse_outcome(struct reader *r, struct bc_str value, enum bc_outcome *ret)
{
	char word[16];
	if (!bc_str_copy(word, sizeof(word), value) && !bc_outcome_parse(word, ret) &&
	    *ret != BC_OUTCOME_UNKNOWN)
		return true;
	tell(r, r->key_line, "write delivered, retry, suspect or reject",
	     "\"%.40s\" is no outcome of an answer", r->value.data);
	return false;
}

static void read_row_outcome(struct reader *r, const struct key *key, struct bc_str value)
{
	bool *has = &r->d->row_has_outcome[r->d->partner.rule_count - 1];
	if (is_taken(r, key, *has))
		return;
	*has = true;
	(void)parse_outcome(r, value, &row_of(r)->outcome);
}

static void read_test_outcome(struct reader *r, const struct key *key, struct bc_str value)
{
	if (is_taken(r, key, test_of(r)->has_outcome))
		return;
	test_of(r)->has_outcome = true;
	(void)parse_outcome(r, value, &test_of(r)->outcome);
}

#define OF_PARTNER(member) offsetof(struct bc_partner, member)
#define OF_ROW(member)	   offsetof(struct bc_answer_rule, member)
#define OF_TEST(member)	   offsetof(struct bc_definition_test, member)

static const struct key keys[] = {
	{ PARTNER, BC_KEY_NAME, "name", read_text, OF_PARTNER(name) },
	{ PARTNER, BC_KEY_TITLE, "title", read_text, OF_PARTNER(title) },
	{ LANDING, BC_KEY_PARAM, "param", read_list, OF_PARTNER(params) },
	{ TOKEN, BC_KEY_ALSO, "also", read_text, OF_PARTNER(token_also) },
	{ TOKEN, BC_KEY_TEST, "test", read_line_of, OF_PARTNER(test_tokens) },
	{ TOKEN, BC_KEY_TEST_SHAPE, "test_shape", read_text, OF_PARTNER(test_shape) },
	{ REQUEST, BC_KEY_BASE_URL, "base_url", read_text, OF_PARTNER(base_url) },
	{ REQUEST, BC_KEY_ID, "id", read_text, OF_PARTNER(id) },
	{ REQUEST, BC_KEY_METHOD, "method", read_text, OF_PARTNER(method) },
	{ REQUEST, BC_KEY_PATH, "path", read_text, OF_PARTNER(path) },
	{ REQUEST, BC_KEY_QUERY, "query", read_text, OF_PARTNER(query) },
	{ REQUEST, BC_KEY_HEADER, "header", read_line_of, OF_PARTNER(headers) },
	{ REQUEST, BC_KEY_BASIC, "basic", read_text, OF_PARTNER(basic) },
	{ REQUEST, BC_KEY_CONTENT_TYPE, "content_type", read_text, OF_PARTNER(content_type) },
	{ REQUEST, BC_KEY_BODY, "body", read_text, OF_PARTNER(body) },
	{ REQUEST, BC_KEY_ECHO, "echo", read_list, OF_PARTNER(echo) },
	{ REQUEST, BC_KEY_KEY_IN_URL, "key_in_url", read_flag, OF_PARTNER(key_in_url) },
	{ ANSWER, -1, "message", read_text, OF_ROW(message) },
	{ ANSWER, -1, "young", read_flag, OF_ROW(young_click) },
	{ ANSWER, -1, "outcome", read_row_outcome, 0 },
	{ ANSWER, -1, "meaning", read_text, OF_ROW(meaning) },
	{ ANSWER, -1, "hint", read_text, OF_ROW(hint) },
	{ ANSWER, -1, "source", read_text, OF_ROW(source) },
	{ TEST, -1, "body", read_text, OF_TEST(body) },
	{ TEST, -1, "young", read_flag, OF_TEST(young) },
	{ TEST, -1, "again", read_flag, OF_TEST(again) },
	{ TEST, -1, "outcome", read_test_outcome, 0 },
};

/* --- sections -------------------------------------------------------------------------------- */

static bool parse_status(struct bc_str text, int *ret)
{
	uint64_t value;
	if (text.len != 3 || bc_parse_u64(text, &value) || value < 100)
		return false;
	*ret = (int)value;
	return true;
}

static void begin_answer(struct reader *r, struct bc_str range)
{
	struct bc_partner *p = &r->d->partner;
	struct bc_answer_rule row = { .hint = NULL };
	struct bc_str to = range, from = bc_str_trim(bc_str_split(&to, '-'));
	to = to.ptr ? bc_str_trim(to) : from;
	r->section = BAD_SECTION;
	if (!parse_status(from, &row.status_from) || !parse_status(to, &row.status_to) ||
	    row.status_from > row.status_to) {
		tell(r, r->line, "write [answer 404] or [answer 500-599]; statuses are 100 to 999",
		     "\"%.*s\" is no status or range of them",
		     (int)(range.len > 40 ? 40 : range.len), range.ptr);
		return;
	}
	if (p->rule_count == BC_DEFINITION_ROWS_MAX) {
		tell(r, r->line, "put rows together: a row may take a range of statuses",
		     "there are more than %d answers", BC_DEFINITION_ROWS_MAX);
		return;
	}
	r->section = ANSWER;
	r->d->row_lines[p->rule_count] = r->line;
	r->rows[p->rule_count++] = row;
}

static void begin_test(struct reader *r, struct bc_str status)
{
	struct bc_definition_test test = { .line = r->line };
	r->section = BAD_SECTION;
	if (!parse_status(status, &test.status)) {
		tell(r, r->line, "write [test 200]", "\"%.*s\" is no status",
		     (int)(status.len > 40 ? 40 : status.len), status.ptr);
		return;
	}
	if (r->d->test_count == BC_DEFINITION_ROWS_MAX) {
		tell(r, r->line, "keep those that say something new",
		     "there are more than %d tests", BC_DEFINITION_ROWS_MAX);
		return;
	}
	r->section = TEST;
	r->d->tests[r->d->test_count++] = test;
}

static void begin_section(struct reader *r, struct bc_str name)
{
	struct bc_str rest = name, word = bc_str_split(&rest, ' ');
	rest = rest.ptr ? bc_str_trim(rest) : (struct bc_str){ "", 0 };
	if (bc_str_eq(word, "answer")) {
		begin_answer(r, rest);
		return;
	}
	if (bc_str_eq(word, "test")) {
		begin_test(r, rest);
		return;
	}
	for (enum section s = PARTNER; s < ANSWER; s++) {
		if (bc_str_eq(name, section_names[s])) {
			r->section = s;
			return;
		}
	}
	r->section = BAD_SECTION;
	tell(r, r->line,
	     "there are [partner], [landing], [token], [request], [answer STATUS] and [test "
	     "STATUS]",
	     "there is no section \"%.*s\"", (int)(name.len > 40 ? 40 : name.len), name.ptr);
}

/* --- lines ----------------------------------------------------------------------------------- */

/* The value is whole: reads it. */
static void end_value(struct reader *r)
{
	const struct key *key = r->key;
	struct bc_str value = bc_str_trim((struct bc_str){ r->value.data, r->value.len });
	r->going_on = false;
	r->key = NULL;
	if (!key || r->rc)
		return;
	if (key->id >= 0 && !r->d->key_lines[key->id])
		r->d->key_lines[key->id] = r->key_line;
	if (value.len)
		key->read(r, key, value);
	else
		tell(r, r->key_line, "write a value behind \"=\", or leave the line out",
		     "\"%s\" has no value", key->name);
}

static void add_value(struct reader *r, struct bc_str part)
{
	int rc = r->value.len ? bc_buf_add(&r->value, " ", 1) : 0;
	if (!rc)
		rc = bc_buf_add(&r->value, part.ptr, part.len);
	r->rc = rc ? BC_ENOMEM : r->rc; /* its ceiling is the text's */
}

static const struct key *find_key(struct reader *r, struct bc_str name)
{
	struct bc_buf hint;
	bool any = false;
	for (size_t i = 0; i < BC_COUNT(keys); i++) {
		if (keys[i].section == r->section && bc_str_eq(name, keys[i].name))
			return &keys[i];
	}
	bc_buf_init(&hint, BC_ERR_HINT_BYTES);
	int rc = bc_buf_adds(&hint, "there are ");
	for (size_t i = 0; !rc && i < BC_COUNT(keys); i++) {
		if (keys[i].section != r->section)
			continue;
		rc = bc_buf_addf(&hint, "%s%s", any ? ", " : "", keys[i].name);
		any = true;
	}
	tell(r, r->line, rc ? "" : hint.data, "[%s] has no \"%.*s\"", section_names[r->section],
	     (int)(name.len > 40 ? 40 : name.len), name.ptr);
	bc_buf_finish(&hint);
	return NULL;
}

static void begin_value(struct reader *r, struct bc_str line)
{
	struct bc_str value = line, name = bc_str_trim(bc_str_split(&value, '='));
	if (!value.ptr || !name.len) {
		tell(r, r->line, "a comment begins with \"#\"; a value that goes on is indented",
		     "the line is neither a section nor NAME = VALUE");
		return;
	}
	if (r->section == NO_SECTION) {
		tell(r, r->line, "begin with [partner]", "the line stands before any section");
		return;
	}
	bc_buf_reset(&r->value);
	r->going_on = true;
	r->key_line = r->line;
	if (r->section != BAD_SECTION)
		r->key = find_key(r, name);
	if (bc_str_trim(value).len)
		add_value(r, bc_str_trim(value));
}

static void take_section(struct reader *r, struct bc_str text)
{
	if (text.len < 3 || text.ptr[text.len - 1] != ']') {
		r->section = BAD_SECTION;
		tell(r, r->line, "write [request], with nothing behind it",
		     "the section's name is not closed");
		return;
	}
	begin_section(r, bc_str_trim((struct bc_str){ text.ptr + 1, text.len - 2 }));
}

static bool is_clean(struct bc_str line)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf scratch;
	bc_buf_init(&scratch, 8 * BC_DEFINITION_MAX_BYTES);
	for (size_t i = 0; i < line.len; i++) {
		if (((unsigned char)line.ptr[i] < 0x20 && line.ptr[i] != '\t') ||
		    line.ptr[i] == 0x7f)
			return false;
	}
	return bc_json_escape(&scratch, line) != BC_EINVAL;
}

static void take_line(struct reader *r, struct bc_str line)
{
	bool indented = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
	struct bc_str text = bc_str_trim(line);
	if (text.len && (text.ptr[0] == '#' || text.ptr[0] == ';'))
		return;
	r->d->last_line = text.len ? r->line : r->d->last_line;
	if (text.len && !is_clean(text)) {
		tell(r, r->line, "write UTF-8 text", "the line has bytes that are no text");
		return;
	}
	if (indented && text.len && r->going_on) {
		add_value(r, text);
		return;
	}
	end_value(r);
	if (text.len && text.ptr[0] == '[')
		take_section(r, text);
	else if (text.len)
		begin_value(r, text);
}

static void read_lines(struct reader *r, struct bc_str text)
{
	while (text.ptr && !r->rc) {
		struct bc_str line = bc_str_split(&text, '\n');
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		r->line++;
		take_line(r, line);
	}
	end_value(r);
}

/* --- the whole ------------------------------------------------------------------------------- */

static struct bc_definition *create(struct reader *r)
{
	struct bc_arena *arena = bc_arena_create(ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
	struct bc_definition *d = arena ? bc_arena_alloc(arena, sizeof(*d)) : NULL;
	if (d)
		r->rows = bc_arena_alloc(arena, BC_DEFINITION_ROWS_MAX * sizeof(*r->rows));
	if (!d || !r->rows) {
		bc_arena_destroy(arena);
		return NULL;
	}
	d->arena = arena;
	d->partner.rules = r->rows;
	return d;
}

int bc_definition_read(const char *text, size_t len, const struct bc_definition_teller *teller,
		       struct bc_definition **ret)
{
	struct reader r = { .teller = teller };
	struct bc_definition_tally tally = { 0 };
	struct bc_str all = { text, len };
	if (len > BC_DEFINITION_MAX_BYTES) {
		tell(&r, 0, "a definition has a few dozen rows", "the text is longer than %d KiB",
		     BC_DEFINITION_MAX_BYTES / 1024);
		return BC_ETOOBIG;
	}
	if (bc_str_starts(all, "\xef\xbb\xbf")) {
		all.ptr += 3;
		all.len -= 3;
	}
	r.d = create(&r);
	if (!r.d)
		return BC_ENOMEM;
	bc_buf_init(&r.value, 2 * BC_DEFINITION_MAX_BYTES);
	read_lines(&r, all);
	bc_buf_finish(&r.value);
	for (size_t i = 0; i < r.d->partner.rule_count; i++) {
		r.rows[i].meaning = r.rows[i].meaning ? r.rows[i].meaning : "";
		r.rows[i].hint = r.rows[i].hint ? r.rows[i].hint : "";
	}
	int result = r.rc;
	if (!result)
		result = bc_definition_check(&r.d->partner, r.d, teller, &tally);
	if (!result && (r.errors || tally.errors))
		result = BC_EINVAL;
	if (result)
		bc_definition_destroy(r.d);
	else
		*ret = r.d;
	return result;
}

void bc_definition_destroy(struct bc_definition *d)
{
	if (d)
		bc_arena_destroy(d->arena);
}

struct first_fault {
	const char *file;
	struct bc_err *err;
};

static void note_first(void *ctx, unsigned line, bool is_error, const struct bc_err *fault)
{
	const struct first_fault *f = ctx;
	if (!is_error)
		return;
	/* The first one set stays. */
	if (line)
		bc_err_set(f->err, fault->code, "%s:%u: %s", f->file, line, fault->text);
	else
		bc_err_set(f->err, fault->code, "%s: %s", f->file, fault->text);
	bc_err_hint(f->err, "%s", fault->hint);
}

int bc_partner_parse(const char *file, const char *text, size_t len,
		     const struct bc_partner **ret_partner, struct bc_err *err)
{
	struct first_fault first = { file, err };
	const struct bc_definition_teller teller = { note_first, &first };
	struct bc_definition *d;
	int result = bc_definition_read(text, len, &teller, &d);
	if (result == BC_ENOMEM)
		return bc_err_nomem(err);
	if (!result)
		*ret_partner = &d->partner;
	return result;
}

void bc_partner_destroy(const struct bc_partner *partner)
{
	if (partner)
		bc_definition_destroy(BC_CONTAINER(partner, struct bc_definition, partner));
}
