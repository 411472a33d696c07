/* SPDX-License-Identifier: MIT */
/*
 * See definition.h: what a definition must be to be used, but for its answers, which are
 * definition_answers.c's. Each rule is a function here; a fault says what is wrong and what to
 * write instead.
 */
#include "protocol/definition_impl.h"

#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "protocol/partner_impl.h"
#include "protocol/template.h"
#include "protocol/token.h"

void bc_check_tell(struct bc_check *c, unsigned line, bool is_error, const char *hint,
		   const char *fmt, ...)
{
	struct bc_err fault = { 0 };
	char text[BC_ERR_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	bc_formatv(text, sizeof(text), fmt, ap);
	va_end(ap);
	bc_err_set(&fault, BC_EINVAL, "%s", text);
	bc_err_hint(&fault, "%s", hint);
	if (is_error)
		c->tally->errors++;
	else
		c->tally->advice++;
	c->teller->tell(c->teller->ctx, line, is_error, &fault);
}

static unsigned line_of(const struct bc_check *c, enum bc_definition_key key)
{
	return c->d ? c->d->key_lines[key] : 0;
}

static bool is_word(struct bc_str s, const char *further, size_t max)
{
	for (size_t i = 0; i < s.len; i++) {
		char ch = s.ptr[i];
		bool lower = ch >= 'a' && ch <= 'z', digit = ch >= '0' && ch <= '9';
		if (!lower && !digit && !(ch && strchr(further, ch)))
			return false;
	}
	return s.len > 0 && s.len <= max;
}

bool bc_partner_name_ok(struct bc_str name)
{
	return is_word(name, "_-", BC_PARTNER_NAME_MAX);
}

static void check_names(struct bc_check *c)
{
	const struct bc_partner *p = c->partner;
	if (!p->name)
		bc_check_tell(c, 0, true,
			      "write [partner] and below it name = NAME, as the file "
			      "NAME.conf is called",
			      "the partner has no name");
	else if (!bc_partner_name_ok(bc_str_of(p->name)))
		bc_check_tell(c, line_of(c, BC_KEY_NAME), true,
			      "use 1 to 40 of a-z, 0-9, \"_\" and \"-\"",
			      "\"%.60s\" is no name of a partner", p->name);
	if (!p->title)
		bc_check_tell(c, 0, true, "write title = NAME below [partner], as people know it",
			      "the partner has no title");
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void check_params(struct bc_check *c)
{
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
	if (!c->partner->params || !c->partner->params[0]) {
		bc_check_tell(c, 0, true, "write [landing] and below it param = NAME",
			      "no parameter of a landing URL is named: no click would be found");
		return;
	}
	for (const char *const *param = c->partner->params; *param; param++) {
		if (!is_word(bc_str_of(*param), upper, 64))
			bc_check_tell(c, line_of(c, BC_KEY_PARAM), true,
				      "use 1 to 64 letters, digits, \"_\", \".\", \"-\"",
				      "\"%.80s\" is no name of a parameter", *param);
	}
}

static void check_also(struct bc_check *c)
{
	const char *also = c->partner->token_also;
	for (const char *at = also; at && *at; at++) {
		if (!strchr(BC_TOKEN_ALSO, *at) || strchr(at + 1, *at)) {
			bc_check_tell(c, line_of(c, BC_KEY_ALSO), true,
				      "a token may hold letters, digits, \"-\", \"_\", and of "
				      "\"" BC_TOKEN_ALSO "\" what is named here, each once",
				      "\"%.40s\" widens tokens too far", also);
			return;
		}
	}
}

static void check_test_shape(struct bc_check *c)
{
	const char *shape = c->partner->test_shape;
	if (!shape)
		return;
	size_t len = strlen(shape);
	if (!bc_token_is_safe(shape, len, c->partner->token_also))
		bc_check_tell(c, line_of(c, BC_KEY_TEST_SHAPE), true,
			      "write it as a token, with n for each letter or digit",
			      "\"%.80s\" is no shape of a token", shape);
	else if (strspn(shape, "n-_") == len)
		bc_check_tell(c, line_of(c, BC_KEY_TEST_SHAPE), true,
			      "a shape needs a fixed part, such as nnnnn-test-nnn-nnnnn",
			      "\"%.80s\" would make every token a test", shape);
}

static void check_test_tokens(struct bc_check *c)
{
	const struct bc_partner *p = c->partner;
	for (const char *const *test = p->test_tokens; test && *test; test++) {
		if (!bc_token_is_safe(*test, strlen(*test), p->token_also))
			bc_check_tell(c, line_of(c, BC_KEY_TEST), true,
				      "a token is 4 to 128 letters, digits, \"-\", \"_\"; see also",
				      "the test token \"%.140s\" is no token", *test);
	}
}

/* --- templates ------------------------------------------------------------------------------- */

struct place {
	const char *text, *name;
	enum bc_definition_key key;
	bool pairs, in_url;
};

enum { PLACES_MAX = BC_DEFINITION_LIST_MAX + 4 };

static size_t list_places(const struct bc_partner *p, struct place *places)
{
	size_t count = 0;
	if (p->path)
		places[count++] = (struct place){ p->path, "path", BC_KEY_PATH, false, true };
	if (p->query)
		places[count++] = (struct place){ p->query, "query", BC_KEY_QUERY, true, true };
	if (p->basic)
		places[count++] = (struct place){ p->basic, "basic", BC_KEY_BASIC, false, false };
	if (p->body)
		places[count++] = (struct place){ p->body, "body", BC_KEY_BODY,
						  bc_partner_has_form(p), false };
	for (const char *const *header = p->headers; header && *header && count < PLACES_MAX;
	     header++)
		places[count++] = (struct place){ *header, "header", BC_KEY_HEADER, false, false };
	return count;
}

static bool is_known(const struct bc_partner *p, struct bc_str name)
{
	static const char *const known[] = {
		"token", "key", "order", "amount", "currency", "time"
	};
	struct bc_str parts = bc_str_of(p->id ? p->id : "product");
	for (size_t i = 0; i < BC_COUNT(known); i++) {
		if (bc_str_eq(name, known[i]))
			return true;
	}
	while (parts.ptr) {
		struct bc_str part = bc_str_split(&parts, ':');
		if (part.len == name.len && memcmp(part.ptr, name.ptr, name.len) == 0)
			return true;
	}
	return false;
}

static void check_placeholder(struct bc_check *c, const struct place *place,
			      const struct bc_template_name *found)
{
	unsigned line = line_of(c, place->key);
	int len = (int)(found->name.len > 40 ? 40 : found->name.len);
	const char *name = found->name.ptr;
	char hint[160];
	if (!is_known(c->partner, found->name)) {
		bc_format(hint, sizeof(hint),
			  "there are {token}, {key}, {order}, {amount}, {currency}, {time} and, of "
			  "the product's id, %.60s",
			  c->partner->id ? c->partner->id : "{product}");
		bc_check_tell(c, line, true, hint, "\"%s\" names {%.*s}, which means nothing",
			      place->name, len, name);
	} else if (found->optional && !place->pairs) {
		bc_format(hint, sizeof(hint), "write {%.*s}; only a pair can be left out", len,
			  name);
		bc_check_tell(c, line, true, hint,
			      "\"%s\" has {%.*s?}, and that is for a query and a form only",
			      place->name, len, name);
	}
	if (place->in_url && bc_str_eq(found->name, "key") && !c->partner->key_in_url)
		bc_check_tell(c, line, true,
			      "put it into a header, basic or body; if the partner takes it in the "
			      "URL alone, write key_in_url = accepted",
			      "\"%s\" has the key in it, and a URL ends up in access logs",
			      place->name);
}

static void check_places(struct bc_check *c)
{
	struct place places[PLACES_MAX];
	size_t count = list_places(c->partner, places);
	bool in_url = false;
	for (size_t i = 0; i < count; i++) {
		struct bc_template_name found;
		const char *rest = places[i].text;
		while (bc_template_next(&rest, &found)) {
			check_placeholder(c, &places[i], &found);
			in_url |= places[i].in_url && bc_str_eq(found.name, "key");
		}
	}
	if (c->partner->key_in_url)
		bc_check_tell(c, line_of(c, BC_KEY_KEY_IN_URL), false,
			      in_url ? "ask the partner for a header or a body instead, and keep "
				       "the URL out of proxies' logs"
				     : "take the line out",
			      in_url ? "the key travels in the URL"
				     : "no URL has the key in it, though key_in_url says so");
	if (!bc_partner_uses(c->partner, "token"))
		bc_check_tell(c, 0, true, "put {token} where the partner wants it",
			      "the request carries no {token}");
}

static void check_id(struct bc_check *c)
{
	static const char *const taken[] = {
		"token", "key", "order", "amount", "currency", "time"
	};
	struct bc_str rest = bc_str_of(c->partner->id);
	unsigned line = line_of(c, BC_KEY_ID);
	size_t count = 0;
	while (rest.ptr) {
		struct bc_str part = bc_str_split(&rest, ':');
		char name[BC_PARTNER_NAME_BYTES] = "";
		bool good = strspn(part.ptr, "abcdefghijklmnopqrstuvwxyz") >= part.len &&
			    part.len && !bc_str_copy(name, sizeof(name), part);
		for (size_t i = 0; i < BC_COUNT(taken); i++)
			good &= strcmp(name, taken[i]) != 0;
		if (!good || ++count > BC_PARTNER_ID_PARTS) {
			bc_check_tell(c, line, true,
				      "write up to four names of small letters, such as "
				      "account:campaign",
				      "\"%.60s\" does not name the parts of an id", c->partner->id);
			return;
		}
		if (!bc_partner_uses(c->partner, name))
			bc_check_tell(c, line, false, "put it into the request, or take it out",
				      "the part \"%s\" of the id is not used", name);
	}
}

/* --- the request ----------------------------------------------------------------------------- */

static void check_method(struct bc_check *c)
{
	const struct bc_partner *p = c->partner;
	bool get = p->method && strcmp(p->method, "GET") == 0;
	if (!p->method || (!get && strcmp(p->method, "POST") != 0 && strcmp(p->method, "PUT") != 0))
		bc_check_tell(c, line_of(c, BC_KEY_METHOD), true, "write method = POST, GET or PUT",
			      "the request has no method that is known");
	else if (get && p->body)
		bc_check_tell(c, line_of(c, BC_KEY_BODY), true,
			      "put what it says into the query, or write method = POST",
			      "a GET has no body");
	if (!p->body != !p->content_type)
		bc_check_tell(c, line_of(c, p->body ? BC_KEY_BODY : BC_KEY_CONTENT_TYPE), true,
			      "write both, such as content_type = application/json, or neither",
			      p->body ? "the body has no content_type"
				      : "there is a content_type and no body");
}

static void check_path(struct bc_check *c)
{
	struct bc_str path = bc_str_of(c->partner->path);
	unsigned line = line_of(c, BC_KEY_PATH);
	if (!path.ptr || path.ptr[0] != '/') {
		bc_check_tell(c, line, true, "write path = /..., what comes behind base_url",
			      "the request has no path that begins with \"/\"");
		return;
	}
	path.ptr++;
	path.len--;
	for (bool good = true; path.ptr && good;) {
		struct bc_str segment = bc_str_split(&path, '/');
		good = !bc_str_eq(segment, ".") && !bc_str_eq(segment, "..") &&
		       (segment.len || !path.ptr);
		for (size_t i = 0; i < segment.len; i++)
			good &= segment.ptr[i] > ' ' && segment.ptr[i] <= '~' &&
				!strchr("?#\\", segment.ptr[i]);
		if (!good)
			bc_check_tell(c, line, true,
				      "write plain segments; parameters go into query",
				      "the path's shape is not one that a server keeps: \"%.100s\"",
				      c->partner->path);
	}
}

static void check_query(struct bc_check *c)
{
	struct bc_str rest = bc_str_of(c->partner->query);
	while (rest.ptr) {
		struct bc_str pair = bc_str_split(&rest, '&');
		struct bc_str value = pair, name = bc_str_split(&value, '=');
		bool good = name.len && value.ptr && !memchr(name.ptr, '{', name.len);
		for (size_t i = 0; i < pair.len; i++)
			good &= pair.ptr[i] > ' ' && pair.ptr[i] <= '~' && pair.ptr[i] != '#';
		if (!good)
			bc_check_tell(c, line_of(c, BC_KEY_QUERY), true,
				      "write name=value, with \"&\" between two, percent-encoded",
				      "\"%.*s\" in query is no pair",
				      (int)(pair.len > 80 ? 80 : pair.len), pair.ptr);
	}
}

static void check_base_url(struct bc_check *c)
{
	static const char *const good[] = { "https://", "http://127.", "http://localhost",
					    "http://[::1]" };
	struct bc_str url = bc_str_of(c->partner->base_url);
	for (size_t i = 0; i < BC_COUNT(good); i++) {
		if (!url.ptr || (bc_str_starts(url, good[i]) && !memchr(url.ptr, '{', url.len) &&
				 url.ptr[url.len - 1] != '/'))
			return;
	}
	bc_check_tell(c, line_of(c, BC_KEY_BASE_URL), true,
		      "write https://HOST/PREFIX without a slash at the end, or leave it out: then "
		      "each product has a base_url",
		      "\"%.100s\" is no base URL", c->partner->base_url);
}

static void check_headers(struct bc_check *c)
{
	static const char *const ours[] = { "Host",	  "Content-Length", "Transfer-Encoding",
					    "Connection", "Content-Type",   "Expect" };
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
	for (const char *const *header = c->partner->headers; header && *header; header++) {
		struct bc_str value = bc_str_of(*header), name = bc_str_split(&value, ':');
		bool good = value.len > 1 && value.ptr[0] == ' ' && is_word(name, upper, 64);
		for (size_t i = 0; i < BC_COUNT(ours); i++)
			good &= !bc_str_ieq(name, ours[i]);
		for (const char *at = *header; *at; at++)
			good &= *at >= ' ' && *at <= '~';
		if (!good)
			bc_check_tell(c, line_of(c, BC_KEY_HEADER), true,
				      "write header = Name: value; what frames the request is not "
				      "for a definition, and content_type has its own line",
				      "\"%.80s\" is no header that can be set", *header);
	}
}

/* What could be smuggled out of a quoted word, a pair or a path, if anything could. */
#define HOSTILE "a\"b\\c{token}&d=e/../f?g#h%00;'<"

static int try_request(struct bc_check *c)
{
	BC_CLEANUP(bc_partner_request_finish) struct bc_partner_request request = { 0 };
	struct bc_partner_conversion sample = {
		.base_url = "https://partner.example",
		.product_id = "1",
		.key = HOSTILE,
		.token = "abcd",
		.order = HOSTILE,
		.amount = "-0.50",
		.currency = HOSTILE,
		.time_ms = 1,
	};
	char ids[2 * BC_PARTNER_ID_PARTS] = "1"; /* ":1" for each further part */
	size_t ids_len = 1;
	struct bc_err err = { 0 };
	for (const char *at = c->partner->id; at && *at; at++) {
		if (*at != ':' || ids_len + 2 >= sizeof(ids))
			continue;
		memcpy(ids + ids_len, ":1", 3);
		ids_len += 2;
	}
	sample.product_id = ids;
	int result = bc_partner_request_make(c->partner, &sample, &request, &err);
	if (result == BC_ENOMEM)
		return result;
	if (result) {
		bc_check_tell(c, 0, true, err.hint, "no request comes of it: %s", err.text);
		return 0;
	}
	if (!request.body || !strstr(c->partner->content_type, "json"))
		return 0;
	json_t *json = json_loadb(request.body, request.body_bytes, 0, NULL);
	if (!json)
		bc_check_tell(c, line_of(c, BC_KEY_BODY), true,
			      "put quotes round each {name}; {amount} alone may stand without",
			      "the body is no JSON once it is filled in");
	json_decref(json);
	return 0;
}

int bc_definition_check(const struct bc_partner *partner, const struct bc_definition *d,
			const struct bc_definition_teller *teller, struct bc_definition_tally *ret)
{
	*ret = (struct bc_definition_tally){ 0 };
	struct bc_check c = { .partner = partner, .d = d, .teller = teller, .tally = ret };
	check_names(&c);
	check_params(&c);
	check_also(&c);
	check_test_shape(&c);
	check_test_tokens(&c);
	check_places(&c);
	if (partner->id)
		check_id(&c);
	check_method(&c);
	check_path(&c);
	check_query(&c);
	check_base_url(&c);
	check_headers(&c);
	int result = ret->errors ? 0 : try_request(&c);
	if (!result)
		bc_check_answers(&c);
	return result;
}
