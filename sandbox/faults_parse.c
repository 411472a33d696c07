/* SPDX-License-Identifier: MIT */
/*
 * Reads fault rules from text. One table holds every word with its argument, its help and how it is
 * read; hints of errors are made from it, so they can't fall behind. Words are cut and unquoted in
 * the spec's second copy; rules point into it. When a rule fires is faults.c's business.
 */
#include "sandbox/faults_rule.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum arg_type {
	ARG_NONE,
	ARG_FLAG,
	ARG_COUNT, /* a number from 1 */
	ARG_NUMBER,
	ARG_DURATION,
	ARG_LINE, /* text that goes into a head: no control bytes */
	ARG_TEXT,
	ARG_WHEN,
	ARG_STATUS,
	ARG_REDIRECT,
	ARG_TRICKLE,
	ARG_PROBABILITY
};

struct word {
	struct bc_fault_word shown;
	enum bc_fault_kind kind; /* of a fault */
	enum arg_type type;
	size_t offset;	/* where the value goes in struct fault_rule */
	uint32_t kinds; /* which faults a shape is for; 0 = all */
};

#define KIND(k) (1U << BC_FAULT_##k)
/* Faults that stand in for the ordinary answer, so that the work behind it is left undone unless
 * `taken` asks for it. */
#define REPLACING                                                                                  \
	(KIND(STATUS) | KIND(REDIRECT) | KIND(GARBAGE) | KIND(HANG) | KIND(CLOSE) |                \
	 KIND(RESET_AFTER))
#define OWN_ANSWER   (KIND(STATUS) | KIND(REDIRECT))
#define REQUEST_ONLY (~KIND(RESET_BEFORE))

#define FAULT(name, arg, k, arg_type, help)                                                        \
	{                                                                                          \
		{ BC_FAULT_WHAT, name, arg, help }, BC_FAULT_##k, arg_type,                        \
			offsetof(struct fault_rule, delay_ms), 0                                   \
	}
#define SHAPE(name, arg, member, arg_type, mask, help)                                             \
	{                                                                                          \
		{ BC_FAULT_SHAPE, name, arg, help }, BC_FAULT_NONE, arg_type,                      \
			offsetof(struct fault_rule, member), mask                                  \
	}
#define SELECTOR(name, arg, member, arg_type, mask, help)                                          \
	{                                                                                          \
		{ BC_FAULT_SELECTOR, name, arg, help }, BC_FAULT_NONE, arg_type,                   \
			offsetof(struct fault_rule, member), mask                                  \
	}

/* clang-format off */
static const struct word words[] = {
	FAULT("delay", "=DURATION", DELAY, ARG_DURATION, "waits first, then goes on: with the rules behind it, else with the ordinary answer"),
	FAULT("status", "=CODE", STATUS, ARG_STATUS, "answers with that status and its documented body"),
	FAULT("redirect", "[=CODE]", REDIRECT, ARG_REDIRECT, "answers 307 (or 301, 302, 303, 308) to /redirected, which records who follows"),
	FAULT("wrong-echo", "", WRONG_ECHO, ARG_NONE, "takes the request, answers 200 with somebody else's ids"),
	FAULT("empty-body", "", EMPTY_BODY, ARG_NONE, "the ordinary answer without its body"),
	FAULT("html", "", HTML, ARG_NONE, "the ordinary answer with a web page for a body"),
	FAULT("half-head", "", HALF_HEAD, ARG_NONE, "half of the ordinary answer's head, then closes"),
	FAULT("half-body", "", HALF_BODY, ARG_NONE, "the ordinary answer's head and half of its body, then closes"),
	FAULT("trickle", "=BYTES/DURATION", TRICKLE, ARG_TRICKLE, "the ordinary answer, so many bytes at a time"),
	FAULT("garbage", "", GARBAGE, ARG_NONE, "answers with bytes that are not HTTP, then closes"),
	FAULT("hang", "", HANG, ARG_NONE, "reads the request and never answers"),
	FAULT("close", "", CLOSE, ARG_NONE, "reads the request, then closes without an answer"),
	FAULT("reset-before", "", RESET_BEFORE, ARG_NONE, "resets a new connection before reading from it"),
	FAULT("reset-after", "", RESET_AFTER, ARG_NONE, "reads the request, then resets the connection"),
	FAULT("accept-reset", "", ACCEPT_RESET, ARG_NONE, "takes the request, then resets the connection: taken, but nobody was told"),
	SHAPE("message", "=TEXT", action.message, ARG_TEXT, KIND(STATUS), "the answer's message, instead of the status's own"),
	SHAPE("body", "=TEXT", action.body, ARG_TEXT, OWN_ANSWER, "the answer's whole body"),
	SHAPE("type", "=TYPE", action.type, ARG_LINE, OWN_ANSWER, "the content type of that body"),
	SHAPE("header", "=LINE", action.header, ARG_LINE, OWN_ANSWER, "one more header line: header=\"X-Any: thing\""),
	SHAPE("retry-after", "=WHEN", action.retry_after, ARG_WHEN, OWN_ANSWER, "a Retry-After header: 2 is seconds, date:2s an HTTP date that far ahead, other text goes as it is"),
	SHAPE("to", "=URL", action.to, ARG_LINE, KIND(REDIRECT), "where the redirect leads"),
	SHAPE("taken", "", action.taken, ARG_FLAG, REPLACING, "takes the request all the same before it goes wrong"),
	SELECTOR("token", "=GLOB", token, ARG_TEXT, REQUEST_ONLY, "only for tokens that fit"),
	SELECTOR("product", "=GLOB", product, ARG_TEXT, REQUEST_ONLY, "only for product ids that fit"),
	SELECTOR("key", "=FINGERPRINT", key, ARG_TEXT, REQUEST_ONLY, "only for an API key whose SHA-256 begins with these 8 hex digits"),
	SELECTOR("first", "=N", first, ARG_COUNT, 0, "only the first N requests that fit"),
	SELECTOR("skip", "=N", skip, ARG_COUNT, 0, "spares the first N requests that fit"),
	SELECTOR("every", "=N", every, ARG_COUNT, 0, "only each Nth request that fits"),
	SELECTOR("times", "=N", times, ARG_COUNT, 0, "stops after it has struck N times"),
	SELECTOR("for", "=DURATION", for_ms, ARG_DURATION, 0, "only so long, from now (or from `after`)"),
	SELECTOR("after", "=DURATION", after_ms, ARG_DURATION, 0, "only when so much time has passed from now"),
	SELECTOR("probability", "=P", probability, ARG_PROBABILITY, 0, "only by chance: 0.1 or 10%; dice fall alike on every run"),
	SELECTOR("seed", "=N", seed, ARG_NUMBER, 0, "other dice for probability"),
};
/* clang-format on */

_Static_assert(BC_COUNT(words) <= 64, "a rule's words are counted in 64 bits");

const struct bc_fault_word *bc_fault_word_at(size_t index)
{
	return index < BC_COUNT(words) ? &words[index].shown : NULL;
}

/* "faults: delay=DURATION status=CODE ..." */
static void hint_words(struct bc_err *err, const char *lead, bool faults)
{
	char list[BC_ERR_HINT_BYTES] = "";
	size_t used = 0;

	for (size_t i = 0; i < BC_COUNT(words) && used < sizeof(list); i++) {
		const struct bc_fault_word *w = &words[i].shown;

		if ((w->role == BC_FAULT_WHAT) == faults)
			used += (size_t)snprintf(list + used, sizeof(list) - used, " %s%s", w->name,
						 w->arg);
	}
	bc_err_hint(err, "%s%s", lead, list);
}

static void hint_one(struct bc_err *err, const struct word *w)
{
	bc_err_hint(err, "write %s%s: %s", w->shown.name, w->shown.arg, w->shown.help);
}

static int read_none(const struct word *w, struct fault_rule *r, const char *value)
{
	(void)w;
	(void)r;
	return value ? BC_EINVAL : 0;
}

static int read_flag(const struct word *w, struct fault_rule *r, const char *value)
{
	*(bool *)((char *)r + w->offset) = true;
	return value ? BC_EINVAL : 0;
}

static int read_number(const struct word *w, struct fault_rule *r, const char *value)
{
	return bc_parse_u64(bc_str_of(value), (uint64_t *)(void *)((char *)r + w->offset));
}

static int read_count(const struct word *w, struct fault_rule *r, const char *value)
{
	int rc = read_number(w, r, value);

	if (rc == 0 && *(uint64_t *)(void *)((char *)r + w->offset) == 0)
		return BC_EINVAL;
	return rc;
}

enum { DURATION_MAX_MS = 24 * 3600 * 1000 };

static int parse_duration(struct bc_str text, uint64_t *ret_ms)
{
	uint64_t ms;

	if (bc_parse_duration_ms(text, &ms) < 0 || ms == 0 || ms > DURATION_MAX_MS)
		return BC_EINVAL;
	*ret_ms = ms;
	return 0;
}

static int read_duration(const struct word *w, struct fault_rule *r, const char *value)
{
	return parse_duration(bc_str_of(value), (uint64_t *)(void *)((char *)r + w->offset));
}

static int read_text(const struct word *w, struct fault_rule *r, const char *value)
{
	*(const char **)(void *)((char *)r + w->offset) = value;
	return value ? 0 : BC_EINVAL;
}

static int read_line(const struct word *w, struct fault_rule *r, const char *value)
{
	for (const char *c = value; c && *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return BC_EINVAL;
	return read_text(w, r, value);
}

static int read_when(const struct word *w, struct fault_rule *r, const char *value)
{
	struct bc_str text = bc_str_of(value);
	uint64_t ahead_ms;

	if (value && bc_str_starts(text, "date:") &&
	    parse_duration((struct bc_str){ text.ptr + 5, text.len - 5 }, &ahead_ms) < 0)
		return BC_EINVAL;
	return read_line(w, r, value);
}

static int read_status(const struct word *w, struct fault_rule *r, const char *value)
{
	uint64_t status;

	(void)w;
	if (bc_parse_u64(bc_str_of(value), &status) < 0 || status < 200 || status > 999)
		return BC_EINVAL;
	r->action.status = (int)status;
	return 0;
}

static int read_redirect(const struct word *w, struct fault_rule *r, const char *value)
{
	static const char *const codes[] = { "301", "302", "303", "307", "308" };

	r->action.status = 307;
	if (!value)
		return 0;
	for (size_t i = 0; i < BC_COUNT(codes); i++)
		if (strcmp(codes[i], value) == 0)
			return read_status(w, r, value);
	return BC_EINVAL;
}

static int read_trickle(const struct word *w, struct fault_rule *r, const char *value)
{
	struct bc_str pause = bc_str_of(value);
	struct bc_str bytes = bc_str_split(&pause, '/');

	(void)w;
	if (bc_parse_u64(bytes, &r->action.chunk_bytes) < 0 || r->action.chunk_bytes == 0)
		return BC_EINVAL;
	return parse_duration(pause, &r->action.chunk_ms);
}

/* "0.25", "1", ".5" or "25%", in millionths; by hand, since strtod reads by the locale. */
static int parse_millionths(const char *text, uint64_t *ret_millionths)
{
	uint64_t unit = strchr(text, '%') ? MILLION / 100 : MILLION, value = 0;
	bool digits = false, point = false;

	for (; *text; text++) {
		if (*text == '%' && text[1] == '\0')
			break;
		if (*text == '.' && !point) {
			point = true;
		} else if (*text >= '0' && *text <= '9' && value <= 100 * (uint64_t)MILLION) {
			unit = point ? unit / 10 : unit;
			value = point ? value + (uint64_t)(*text - '0') * unit
				      : value * 10 + (uint64_t)(*text - '0') * unit;
			digits = true;
		} else {
			return BC_EINVAL;
		}
	}
	if (!digits || value > MILLION)
		return BC_EINVAL;
	*ret_millionths = value;
	return 0;
}

static int read_probability(const struct word *w, struct fault_rule *r, const char *value)
{
	(void)w;
	return value ? parse_millionths(value, &r->probability) : BC_EINVAL;
}

static int (*const readers[])(const struct word *, struct fault_rule *, const char *) = {
	[ARG_NONE] = read_none,		[ARG_FLAG] = read_flag,
	[ARG_COUNT] = read_count,	[ARG_NUMBER] = read_number,
	[ARG_LINE] = read_line,		[ARG_DURATION] = read_duration,
	[ARG_TEXT] = read_text,		[ARG_WHEN] = read_when,
	[ARG_STATUS] = read_status,	[ARG_TRICKLE] = read_trickle,
	[ARG_REDIRECT] = read_redirect, [ARG_PROBABILITY] = read_probability,
};

/* One rule being read. */
struct parse {
	struct fault_rule *rule;
	const char *what; /* the fault's name, once it was read */
	uint64_t given;	  /* bit n: words[n] was read */
	struct bc_err *err;
};

static const struct word *word_find(const char *name)
{
	for (size_t i = 0; i < BC_COUNT(words); i++)
		if (strcmp(words[i].shown.name, name) == 0)
			return &words[i];
	return NULL;
}

static int refuse_unknown(struct parse *p, const char *name)
{
	if (!p->what) {
		bc_err_set(p->err, BC_EINVAL, "no fault is called \"%.60s\"", name);
		hint_words(p->err, "faults:", true);
	} else {
		bc_err_set(p->err, BC_EINVAL, "\"%.60s\" can't follow a fault", name);
		hint_words(p->err, "what can:", false);
	}
	return BC_EINVAL;
}

/* Takes a known word: once, in its place, with a good value. */
static int word_apply(struct parse *p, const struct word *w, const char *value)
{
	uint64_t bit = 1ULL << (w - words);
	int rc;

	if (p->given & bit)
		return bc_err_tell(p->err, BC_EINVAL, "leave one of them out",
				   "\"%s\" is given twice in a rule", w->shown.name);
	if (w->shown.role == BC_FAULT_WHAT && p->what) {
		rc = bc_err_set(p->err, BC_EINVAL, "\"%s\" and \"%s\" stand in one rule", p->what,
				w->shown.name);
		bc_err_hint(p->err, "put a comma or a line end between them: two rules");
		return rc;
	}
	p->given |= bit;
	if (readers[w->type](w, p->rule, value) < 0) {
		rc = bc_err_set(p->err, BC_EINVAL, "bad value \"%.60s\" for \"%s\"",
				value ? value : "", w->shown.name);
		hint_one(p->err, w);
		return rc;
	}
	if (w->shown.role == BC_FAULT_WHAT) {
		p->what = w->shown.name;
		p->rule->action.kind = w->kind;
		p->rule->action.name = w->shown.name;
	}
	return 0;
}

static bool is_method(const char *word)
{
	return *word && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static int word_read(struct parse *p, char *word)
{
	struct fault_rule *r = p->rule;
	char *value = strchr(word, '=');
	const struct word *w;

	if (!p->what && !r->method && !r->path && is_method(word)) {
		r->method = word;
		return 0;
	}
	if (!p->what && !r->path && (*word == '/' || *word == '*')) {
		r->path = word;
		return 0;
	}
	if (value)
		*value++ = '\0';
	w = word_find(word);
	if (!w || (!p->what && w->shown.role != BC_FAULT_WHAT))
		return refuse_unknown(p, word);
	return word_apply(p, w, value);
}

/* A reset before reading can't be aimed at a path, and without an end it would lock out the very
 * call that takes it back. */
static int check_reset_before(const struct parse *p)
{
	const struct fault_rule *r = p->rule;
	int rc;

	if (r->method || r->path) {
		rc = bc_err_set(p->err, BC_EINVAL,
				"\"reset-before\" strikes before a method or path is read");
		bc_err_hint(p->err, "leave them out, or write reset-after");
		return rc;
	}
	if (r->first || r->times || r->for_ms || r->every > 1 || r->probability < MILLION)
		return 0;
	rc = bc_err_set(p->err, BC_EINVAL,
			"\"reset-before\" without an end would lock you out too");
	bc_err_hint(p->err, "add times=N, first=N, every=N or for=DURATION");
	return rc;
}

/* Every word of the rule has to mean something for its fault. */
static int rule_check(const struct parse *p)
{
	const struct fault_rule *r = p->rule;
	int rc;

	if (!p->what) {
		rc = bc_err_set(p->err, BC_EINVAL, "the rule \"%.*s\" names no fault",
				(int)(r->text.len < 80 ? r->text.len : 80), r->text.ptr);
		hint_words(p->err, "faults:", true);
		return rc;
	}
	for (size_t i = 0; i < BC_COUNT(words); i++) {
		if (!(p->given >> i & 1) || words[i].kinds == 0 ||
		    words[i].kinds & (1U << r->action.kind))
			continue;
		rc = bc_err_set(p->err, BC_EINVAL, "\"%s\" means nothing for \"%s\"",
				words[i].shown.name, p->what);
		hint_one(p->err, &words[i]);
		return rc;
	}
	return r->action.kind == BC_FAULT_RESET_BEFORE ? check_reset_before(p) : 0;
}

/* Where the words of the spec are cut from. */
struct scan {
	char *at;
	bool rule_ended;
	bool spec_ended;
};

static const char blanks[] = " \t\r;";

/* Cuts the next word of a rule, unquoted in place. 1 a word, 0 the rule has ended, BC_EINVAL a
 * quote is left open. */
static int scan_word(struct scan *s, char **ret_word)
{
	char quote = '\0', *out, end;

	s->at += strspn(s->at, blanks);
	*ret_word = out = s->at;
	for (; *s->at; s->at++) {
		if (quote ? *s->at == quote : *s->at == '"' || *s->at == '\'')
			quote = quote ? '\0' : *s->at;
		else if (!quote && (*s->at == ',' || *s->at == '\n' || strchr(blanks, *s->at)))
			break;
		else
			*out++ = *s->at;
	}
	if (quote)
		return BC_EINVAL;
	end = *s->at;
	s->spec_ended = end == '\0';
	s->rule_ended = s->spec_ended || end == ',' || end == '\n';
	if (!s->spec_ended)
		s->at++;
	*out = '\0';
	return out > *ret_word;
}

/* Reads one rule; 1 a rule, 0 nothing but blanks stood there. */
static int rule_parse(struct scan *s, struct parse *p)
{
	bool any = false;
	int rc = 0;

	for (s->rule_ended = false; !s->rule_ended && rc >= 0;) {
		char *word;
		int got = scan_word(s, &word);

		if (got < 0)
			return bc_err_tell(p->err, BC_EINVAL, "add the missing quote at its end",
					   "a quote is not closed: \"%.60s\"", word);
		if (got > 0) {
			any = true;
			rc = word_read(p, word);
		}
	}
	return rc < 0 ? rc : any;
}

static int rule_finish(struct bc_faults *f, const struct scan *s, size_t start,
		       const struct parse *p)
{
	struct fault_rule *r = p->rule;
	size_t end = (size_t)(s->at - f->words) - (s->spec_ended ? 0 : 1);
	int rc;

	if (f->count == BC_FAULT_RULES_MAX)
		return bc_err_tell(p->err, BC_ETOOBIG,
				   "leave some out: one rule may hit many requests",
				   "more than %d fault rules", BC_FAULT_RULES_MAX);
	r->text = bc_str_trim((struct bc_str){ f->text + start, end - start });
	r->random = r->seed;
	rc = rule_check(p);
	if (rc == 0)
		f->count++;
	return rc;
}

int bc_faults_parse(struct bc_faults *f, struct bc_err *err)
{
	struct scan s = { .at = f->words };

	while (!s.spec_ended) {
		struct fault_rule *r = &f->rules[f->count];
		struct parse p = { .rule = r, .err = err };
		size_t start = (size_t)(s.at - f->words);
		int rc;

		*r = (struct fault_rule){ .probability = MILLION, .seed = 1 };
		rc = rule_parse(&s, &p);
		if (rc > 0)
			rc = rule_finish(f, &s, start, &p);
		if (rc < 0)
			return rc;
	}
	return 0;
}
