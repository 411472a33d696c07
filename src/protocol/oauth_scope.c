/* SPDX-License-Identifier: MIT */
/*
 * Lists of scopes. Adobe's material writes them with commas, with commas and blanks, as JSON arrays
 * and as JSON arrays of one text with commas in it; RFC 6749 writes blanks. All of them are read
 * alike, and a scope that stands there twice is sent once.
 */
#include <backchannel/oauth.h>

#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { SCOPES_MAX = 256, SCOPE_TEXT_MAX_BYTES = 16 * 1024 };

struct joined {
	struct bc_buf out;
	const char *separator;
	struct bc_str seen[SCOPES_MAX]; /* borrowed from the text or its JSON */
	size_t count;
};

/* RFC 6749 3.3; the comma is one of its bytes and parts scopes here. */
static bool is_scope_byte(char c)
{
	return c > ' ' && c <= '~' && c != '"' && c != '\\';
}

static bool is_separator(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int refuse(struct bc_err *err, struct bc_str scope)
{
	int shown = scope.len < 60 ? (int)scope.len : 60;
	bc_err_set(err, BC_EINVAL, "scope \"%.*s\" has a character that no scope may have", shown,
		   scope.ptr);
	bc_err_hint(err, "write the names with commas between them and without quotes, such as "
			 "openid,AdobeID,commerce.accs");
	return BC_EINVAL;
}

static int refuse_size(struct bc_err *err)
{
	return bc_err_tell(err, BC_ETOOBIG,
			   "name only the scopes that the project in the Developer Console has",
			   "there are more than %d scopes, or more than %d bytes", SCOPES_MAX,
			   SCOPE_TEXT_MAX_BYTES);
}

static bool is_known(const struct joined *j, struct bc_str scope)
{
	for (size_t i = 0; i < j->count; i++) {
		if (j->seen[i].len == scope.len &&
		    memcmp(j->seen[i].ptr, scope.ptr, scope.len) == 0)
			return true;
	}
	return false;
}

static int add_scope(struct joined *j, struct bc_str scope, struct bc_err *err)
{
	for (size_t i = 0; i < scope.len; i++) {
		if (!is_scope_byte(scope.ptr[i]))
			return refuse(err, scope);
	}
	if (is_known(j, scope))
		return 0;
	if (j->count == SCOPES_MAX)
		return refuse_size(err);
	int r = j->count > 0 ? bc_buf_adds(&j->out, j->separator) : 0;
	if (r == 0)
		r = bc_buf_add(&j->out, scope.ptr, scope.len);
	j->seen[j->count++] = scope;
	if (r == BC_ETOOBIG)
		return refuse_size(err);
	return r < 0 ? bc_err_nomem(err) : 0;
}

static int add_list(struct joined *j, const char *text, struct bc_err *err)
{
	int r = 0;
	while (r == 0 && *text) {
		struct bc_str scope = { text, 0 };
		while (text[scope.len] && !is_separator(text[scope.len]))
			scope.len++;
		text += scope.len > 0 ? scope.len : 1;
		if (scope.len > 0)
			r = add_scope(j, scope, err);
	}
	return r;
}

static int add_array(struct joined *j, const json_t *array, struct bc_err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));
		if (!text)
			return bc_err_tell(err, BC_EINVAL,
					   "write each scope as a text in quotes, or all of them "
					   "separated by commas",
					   "the list of scopes holds something that is no text");
		r = add_list(j, text, err);
	}
	return r;
}

static int parse_array(const char *text, json_t **ret_array, struct bc_err *err)
{
	json_error_t wrong;
	*ret_array = json_loads(text, 0, &wrong);
	if (*ret_array)
		return 0;
	if (json_error_code(&wrong) == json_error_out_of_memory)
		return bc_err_nomem(err);
	bc_err_set(err, BC_EINVAL, "the list of scopes begins like a JSON array and is none: %s",
		   wrong.text);
	bc_err_hint(err, "write [\"openid\",\"AdobeID\"], or the names with commas between them");
	return BC_EINVAL;
}

static void decref(json_t **slot)
{
	json_decref(*slot);
}

static void finish(struct joined *j)
{
	bc_buf_finish(&j->out);
}

int bc_oauth_scope_join(const char *text, const char *separator, char **ret_scope,
			struct bc_err *err)
{
	BC_CLEANUP(finish) struct joined j = { .separator = separator };
	BC_CLEANUP(decref) json_t *array = NULL;
	const char *from = text ? text : "";
	bc_buf_init(&j.out, SCOPE_TEXT_MAX_BYTES);
	while (is_separator(*from))
		from++;
	int r = *from == '[' ? parse_array(from, &array, err) : add_list(&j, from, err);
	if (array)
		r = add_array(&j, array, err);
	if (r < 0)
		return r;
	char *made = bc_buf_take(&j.out);
	if (!made)
		return bc_err_nomem(err);
	*ret_scope = made;
	return 0;
}
