/* SPDX-License-Identifier: MIT */
/*
 * Reads a GraphQL document: one operation with variables, arguments of any kind, aliases. Not
 * understood, and said so: fragments, directives, block texts, subscriptions, a second operation.
 * One token is looked at ahead; every reader below begins at it and ends behind what it read. The
 * first error stays, and makes all readers stand still.
 */
#include <string.h>

#include "sandbox/graphql.h"

enum { DEPTH_MAX = 24 };

/* Punctuators are tokens of their own character. */
enum token { END = 0, NAME = 'n', NUMBER = '0', STRING = '"', SPREAD = '.', OTHER = '?' };

struct reader {
	const char *at, *end; /* behind the token */
	enum token token;
	struct bc_str text; /* the token's */
	const json_t *given;
	json_t *declared; /* owned; by name: the value, or null */
	json_t *absent;	  /* owned; by name: declared without a value */
	unsigned depth;
	struct bc_err *err;
	bool failed;
};

/* ---- tokens ---- */

static bool is_name(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static bool is_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end) {
		if (strchr(" \t\r\n,", *r->at) && *r->at)
			r->at++;
		else if (*r->at == '#')
			while (r->at < r->end && *r->at != '\n')
				r->at++;
		else
			return;
	}
}

/* Behind the closing quote; the end, when there is none. */
static const char *string_end(const struct reader *r)
{
	const char *at = r->at + 1;

	while (at < r->end && *at != '"' && *at != '\n')
		at += *at == '\\' && at + 1 < r->end ? 2 : 1;
	return at < r->end && *at == '"' ? at + 1 : r->end;
}

static enum token token_find(const struct reader *r, const char **ret_end)
{
	const char *at = r->at;
	char c = *at;

	*ret_end = at + 1;
	if (is_name(c, true)) {
		while (*ret_end < r->end && is_name(**ret_end, false))
			(*ret_end)++;
		return NAME;
	}
	if (is_number(c) && c != '.') {
		while (*ret_end < r->end && is_number(**ret_end))
			(*ret_end)++;
		return NUMBER;
	}
	if (c == '"') {
		*ret_end = string_end(r);
		return STRING;
	}
	if (r->end - at >= 3 && memcmp(at, "...", 3) == 0) {
		*ret_end = at + 3;
		return SPREAD;
	}
	if (c && strchr("{}()[]:!$=@|&", c))
		return (enum token)(unsigned char)c;
	while (*ret_end < r->end && (**ret_end & 0xc0) == 0x80) /* the rest of a character */
		(*ret_end)++;
	return OTHER;
}

static void next(struct reader *r)
{
	const char *end;

	if (r->failed)
		return;
	skip_blanks(r);
	r->text = (struct bc_str){ r->at, 0 };
	r->token = END;
	if (r->at == r->end)
		return;
	r->token = token_find(r, &end);
	r->text.len = (size_t)(end - r->at);
	r->at = end;
}

/* Stands still from now on: no token fits any more. */
static void stop(struct reader *r)
{
	r->failed = true;
	r->token = OTHER;
}

static void unexpected(struct reader *r, const char *wanted)
{
	if (r->failed)
		return;
	if (r->token == END)
		bc_err_set(r->err, BC_EINVAL, "Syntax Error: Expected %s, found <EOF>", wanted);
	else
		bc_err_set(r->err, BC_EINVAL, "Syntax Error: Expected %s, found %.*s", wanted,
			   (int)r->text.len, r->text.ptr);
	stop(r);
}

static void no_memory(struct reader *r)
{
	bc_err_nomem(r->err);
	stop(r);
}

static bool take(struct reader *r, enum token token)
{
	if (r->failed || r->token != token)
		return false;
	next(r);
	return true;
}

static void expect(struct reader *r, enum token token, const char *wanted)
{
	if (!take(r, token))
		unexpected(r, wanted);
}

/* A name, owned by the caller; NULL after an error. */
static char *take_name(struct reader *r)
{
	char *name;

	if (r->failed || r->token != NAME) {
		unexpected(r, "Name");
		return NULL;
	}
	name = bc_str_dup(r->text);
	if (!name)
		no_memory(r);
	else
		next(r);
	return name;
}

/* ---- values ---- */

static json_t *read_value(struct reader *r, bool constant);

/* Numbers and texts are written as in JSON. */
static json_t *read_plain(struct reader *r)
{
	json_t *value = json_loadb(r->text.ptr, r->text.len, JSON_DECODE_ANY, NULL);

	if (value)
		next(r);
	else
		unexpected(r, "a value");
	return value;
}

/* true, false, null, or an enum's name, which is kept as a text. */
static json_t *read_word(struct reader *r)
{
	json_t *value = bc_str_eq(r->text, "true")    ? json_true()
			: bc_str_eq(r->text, "false") ? json_false()
			: bc_str_eq(r->text, "null")  ? json_null()
						      : json_stringn(r->text.ptr, r->text.len);

	next(r);
	return value;
}

/* NULL without an error: it is declared, and has no value. */
static json_t *read_variable(struct reader *r)
{
	bc_autofree char *name = NULL;
	json_t *value;

	next(r);
	name = take_name(r);
	if (!name || json_object_get(r->absent, name))
		return NULL;
	value = json_object_get(r->declared, name);
	if (!value) {
		bc_err_set(r->err, BC_EINVAL, "Variable \"$%s\" is not defined.", name);
		stop(r);
	}
	return json_incref(value);
}

static json_t *read_list(struct reader *r, bool constant)
{
	json_t *list = json_array();

	next(r);
	while (!r->failed && !take(r, ']')) {
		json_t *value = read_value(r, constant);

		json_array_append_new(list, value ? value : json_null());
	}
	return list;
}

/* "name: value" again and again, until the closing token. */
static json_t *read_members(struct reader *r, enum token close, bool constant)
{
	json_t *object = json_object();

	next(r);
	while (!r->failed && !take(r, close)) {
		bc_autofree char *name = take_name(r);
		json_t *value;

		expect(r, ':', "\":\"");
		value = read_value(r, constant);
		if (name && value)
			json_object_set_new(object, name, value);
		else
			json_decref(value);
	}
	return object;
}

static json_t *read_value(struct reader *r, bool constant)
{
	json_t *value = NULL;

	if (r->failed)
		return NULL;
	if (++r->depth > DEPTH_MAX)
		unexpected(r, "less depth");
	else if (r->token == NUMBER || r->token == STRING)
		value = read_plain(r);
	else if (r->token == NAME)
		value = read_word(r);
	else if (r->token == '[')
		value = read_list(r, constant);
	else if (r->token == '{')
		value = read_members(r, '}', constant);
	else if (r->token == '$' && !constant)
		value = read_variable(r);
	else
		unexpected(r, "a value");
	r->depth--;
	return value;
}

/* ---- variables ---- */

/* Is it required ("T!")? */
static bool read_type(struct reader *r)
{
	if (++r->depth > DEPTH_MAX) {
		unexpected(r, "less depth");
	} else if (take(r, '[')) {
		read_type(r);
		expect(r, ']', "\"]\"");
	} else {
		free(take_name(r));
	}
	r->depth--;
	return take(r, '!');
}

/* Takes value: the default, or NULL. */
static void declare(struct reader *r, const char *name, bool required, json_t *value)
{
	json_t *given = json_object_get(r->given, name);

	if (given) {
		json_decref(value);
		value = json_incref(given);
	}
	if (required && (!value || json_is_null(value))) {
		bc_err_set(r->err, BC_EINVAL,
			   "Variable \"$%s\" of a required type was not provided.", name);
		stop(r);
	}
	if (value)
		json_object_set_new(r->declared, name, value);
	else
		json_object_set_new(r->absent, name, json_true());
}

static void read_variables(struct reader *r)
{
	while (!r->failed && !take(r, ')')) {
		bc_autofree char *name = NULL;
		json_t *value = NULL;
		bool required;

		expect(r, '$', "\"$\"");
		name = take_name(r);
		expect(r, ':', "\":\"");
		required = read_type(r);
		if (take(r, '='))
			value = read_value(r, true);
		if (r->failed)
			json_decref(value);
		else
			declare(r, name, required, value);
	}
}

/* ---- selections ---- */

static json_t *read_selection(struct reader *r);

static json_t *read_field(struct reader *r)
{
	bc_autofree char *key = take_name(r), *name = NULL;
	json_t *arguments = NULL, *select = NULL;

	if (take(r, ':'))
		name = take_name(r);
	if (!r->failed && r->token == '(')
		arguments = read_members(r, ')', false);
	if (!r->failed && r->token == '{')
		select = read_selection(r);
	if (r->failed) {
		json_decref(arguments);
		json_decref(select);
		return NULL;
	}
	return json_pack("{ss ss so so}", "name", name ? name : key, "key", key, "arguments",
			 arguments ? arguments : json_object(), "select",
			 select ? select : json_null());
}

static json_t *read_selection(struct reader *r)
{
	json_t *list = json_array();

	expect(r, '{', "\"{\"");
	if (++r->depth > DEPTH_MAX || (!r->failed && r->token == '}'))
		unexpected(r, "Name");
	while (!r->failed && !take(r, '}')) {
		json_t *field = read_field(r);

		if (field)
			json_array_append_new(list, field);
	}
	r->depth--;
	return list;
}

static json_t *read_operation(struct reader *r)
{
	bool mutation = r->token == NAME && bc_str_eq(r->text, "mutation");
	json_t *fields;

	if (r->token == NAME) {
		if (!mutation && !bc_str_eq(r->text, "query"))
			unexpected(r, "query or mutation");
		next(r);
		if (r->token == NAME)
			next(r);
		if (take(r, '('))
			read_variables(r);
	}
	fields = read_selection(r);
	if (!r->failed && r->token != END)
		unexpected(r, "<EOF>");
	return json_pack("{sb so}", "mutation", (int)mutation, "fields", fields);
}

int bc_graphql_read(struct bc_str text, const json_t *variables, json_t **ret_operation,
		    struct bc_err *err)
{
	struct reader r = { .at = text.ptr,
			    .end = text.ptr + text.len,
			    .given = variables,
			    .declared = json_object(),
			    .absent = json_object(),
			    .err = err };
	json_t *operation;

	next(&r);
	operation = read_operation(&r);
	json_decref(r.declared);
	json_decref(r.absent);
	if (!r.failed && operation) {
		*ret_operation = operation;
		return 0;
	}
	json_decref(operation);
	return r.failed ? BC_EINVAL : bc_err_nomem(err);
}
