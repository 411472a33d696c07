/* SPDX-License-Identifier: MIT */
/*
 * GraphQL over HTTP: what a request says, which of its root fields are known, how an answer is put
 * together. Whatever is wrong with an operation is told in a 200, as GraphQL has it. A selection is
 * held against what comes out: a field that is not there is refused, but only then.
 *
 * A storefront asks from another origin than Commerce's, so every answer may be read by any; no
 * cookie counts here, and no token is asked for.
 */
#include "sandbox/graphql.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CORS                                                                                       \
	"Access-Control-Allow-Origin: *\r\n"                                                       \
	"Access-Control-Expose-Headers: X-Magento-Cache-Id\r\n"
#define PREFLIGHT                                                                                  \
	CORS "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"                                \
	     "Access-Control-Allow-Headers: Content-Type, Accept, Store, Authorization, "          \
	     "X-Api-Key, X-Requested-With, Content-Currency\r\n"                                   \
	     "Access-Control-Max-Age: 86400\r\n"
#define GRAPHQL_SYNTAX "graphql"

enum { MESSAGE_MAX = 512 };

static const struct {
	const char *name;
	bool mutation;
	graphql_root *run;
} roots[] = {
	{ "cart", false, bc_graphql_cart },
	{ "createGuestCart", true, bc_graphql_cart_create },
	{ "createEmptyCart", true, bc_graphql_cart_empty },
	{ "setCustomAttributesOnCart", true, bc_graphql_cart_attributes },
	{ "addProductsToCart", true, bc_graphql_cart_add },
	{ "setGuestEmailOnCart", true, bc_graphql_cart_email },
	{ "placeOrder", true, NULL }, /* alone only: run_operation */
};

/* ---- what handlers need ---- */

const char *bc_graphql_name(const json_t *field)
{
	return json_string_value(json_object_get(field, "name"));
}

void bc_graphql_fail(struct graphql_run *run, const char *path, const char *category,
		     const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error = json_pack("{ss s{ss}}", "message", text, "extensions", "category", category);
	if (!error) /* what was asked is no UTF-8 */
		error = json_pack("{ss s{ss}}", "message", "Syntax Error", "extensions", "category",
				  category);
	if (path)
		json_object_set_new(error, "path", json_pack("[s]", path));
	else
		run->invalid = true;
	json_array_append_new(run->errors, error);
}

const char *bc_graphql_text(struct graphql_run *run, const json_t *field, const json_t *members,
			    const char *name)
{
	const char *text = json_string_value(json_object_get(members, name));

	if (text && *text)
		return text;
	bc_graphql_fail(run, bc_graphql_name(field), GRAPHQL_INPUT,
			"Required parameter \"%s\" is missing", name);
	return NULL;
}

static bool is_member(const char *name, const char *const *members)
{
	for (; *members; members++)
		if (strcmp(*members, name) == 0)
			return true;
	return false;
}

json_t *bc_graphql_input(struct graphql_run *run, const json_t *field, const char *name,
			 const char *const *members)
{
	json_t *input = json_object_get(json_object_get(field, "arguments"), name), *value;
	const char *member;

	if (!json_is_object(input)) {
		bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX,
				"Field \"%s\" argument \"%s\" is required but not provided.",
				bc_graphql_name(field), name);
		return NULL;
	}
	json_object_foreach(input, member, value)
	{
		if (is_member(member, members))
			continue;
		bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX,
				"Field \"%s\" is not defined by the type of \"%s\".", member, name);
		return NULL;
	}
	return input;
}

/* ---- selections ---- */

static json_t *project(struct graphql_run *run, const json_t *value, const json_t *field);

static const char *type_of(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "__typename"));

	return name ? name : "Object";
}

static json_t *project_object(struct graphql_run *run, const json_t *object, const json_t *field)
{
	const json_t *select = json_object_get(field, "select"), *wanted;
	json_t *out;
	size_t i;

	if (!json_is_array(select)) {
		bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX,
				"Field \"%s\" of type \"%s\" must have a selection of subfields.",
				bc_graphql_name(field), type_of(object));
		return json_null();
	}
	out = json_object();
	json_array_foreach(select, i, wanted)
	{
		const json_t *value = json_object_get(object, bc_graphql_name(wanted));

		if (value)
			json_object_set_new(out, json_string_value(json_object_get(wanted, "key")),
					    project(run, value, wanted));
		else
			bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX,
					"Cannot query field \"%s\" on type \"%s\".",
					bc_graphql_name(wanted), type_of(object));
	}
	return out;
}

static json_t *project(struct graphql_run *run, const json_t *value, const json_t *field)
{
	json_t *out;
	const json_t *item;
	size_t i;

	if (json_is_object(value))
		return project_object(run, value, field);
	if (json_is_array(value)) {
		out = json_array();
		json_array_foreach(value, i, item)
			json_array_append_new(out, project(run, item, field));
		return out;
	}
	if (!json_is_null(value) && json_is_array(json_object_get(field, "select")))
		bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX,
				"Field \"%s\" must not have a selection since it has no subfields.",
				bc_graphql_name(field));
	return json_incref((json_t *)value);
}

void bc_graphql_result(struct graphql_run *run, const json_t *field, json_t *value)
{
	const char *key = json_string_value(json_object_get(field, "key"));

	if (!value)
		value = json_null();
	json_object_set_new(run->data, key, project(run, value, field));
	json_decref(value);
}

/* ---- answers ---- */

void bc_graphql_finish(struct graphql_run *run)
{
	json_decref(run->data);
	json_decref(run->errors);
	run->data = run->errors = NULL;
}

static void answer_text(struct sandbox_call *call, int status, json_t *body)
{
	char *text = body ? json_dumps(body, COMMERCE_DUMP) : NULL;

	json_decref(body);
	bc_sandbox_answer(call, text ? status : 500, "application/json",
			  text ? bc_str_of(text) : BC_STR("{\"errors\":[]}"));
	call->answer.owned = text;
	call->answer.extra = CORS;
}

void bc_graphql_answer(struct graphql_run *run)
{
	json_t *body = json_object();

	if (json_array_size(run->errors) > 0)
		json_object_set(body, "errors", run->errors);
	if (!run->invalid)
		json_object_set(body, "data", run->data);
	bc_graphql_finish(run);
	if (json_object_size(body) == 0) { /* no memory */
		json_decref(body);
		body = NULL;
	}
	answer_text(run->call, 200, body);
}

static void describe(struct sandbox_call *call, int status, const char *message)
{
	static const struct {
		int status;
		const char *category;
	} categories[] = {
		{ 401, "graphql-authentication" },
		{ 403, "graphql-authorization" },
		{ 404, GRAPHQL_MISSING },
		{ 429, "graphql-too-many-requests" },
	};
	const char *category = "internal";

	for (size_t i = 0; i < BC_COUNT(categories); i++)
		if (categories[i].status == status)
			category = categories[i].category;
	answer_text(call, status,
		    json_pack("{s[{ss s{ss}}]}", "errors", "message",
			      message ? message : bc_http_reason(status), "extensions", "category",
			      category));
}

static void refuse_path(struct sandbox_call *call)
{
	describe(call, 405, NULL);
}

const struct sandbox_service bc_graphql_service = { .describe = describe, .refuse = refuse_path };

/* ---- running ---- */

static void run_field(struct graphql_run *run, const json_t *field, bool mutation)
{
	const char *name = bc_graphql_name(field);

	for (size_t i = 0; i < BC_COUNT(roots); i++)
		if (strcmp(roots[i].name, name) == 0 && roots[i].mutation == mutation &&
		    roots[i].run) {
			roots[i].run(run, field);
			return;
		}
	bc_graphql_fail(run, NULL, GRAPHQL_SYNTAX, "Cannot query field \"%s\" on type \"%s\".",
			name, mutation ? "Mutation" : "Query");
}

static bool is_placing(const json_t *operation)
{
	const json_t *fields = json_object_get(operation, "fields");

	return json_is_true(json_object_get(operation, "mutation")) &&
	       json_array_size(fields) == 1 &&
	       strcmp(bc_graphql_name(json_array_get(fields, 0)), "placeOrder") == 0;
}

static void run_operation(struct graphql_run *run, const json_t *operation)
{
	bool mutation = json_is_true(json_object_get(operation, "mutation"));
	const json_t *fields = json_object_get(operation, "fields"), *field;
	size_t i;

	if (is_placing(operation)) {
		bc_graphql_place(run, json_array_get(fields, 0));
		return;
	}
	json_array_foreach(fields, i, field) if (!run->invalid) run_field(run, field, mutation);
	bc_graphql_answer(run);
}

static void serve(struct sandbox_call *call, struct bc_str query, const json_t *variables,
		  bool queries_only)
{
	struct graphql_run run = { .call = call,
				   .commerce = bc_commerce_of(call),
				   .data = json_object(),
				   .errors = json_array() };
	struct bc_err err = { 0 };
	json_t *operation = NULL;

	if (!run.commerce) {
		bc_graphql_finish(&run);
		return;
	}
	if (bc_graphql_read(query, variables, &operation, &err) < 0)
		bc_graphql_fail(&run, NULL, GRAPHQL_INPUT, "%s", err.text);
	else if (queries_only && json_is_true(json_object_get(operation, "mutation")))
		bc_graphql_fail(&run, NULL, GRAPHQL_INPUT,
				"Mutation requests allowed only for POST requests");
	if (run.invalid)
		bc_graphql_answer(&run);
	else
		run_operation(&run, operation);
	json_decref(operation);
}

static void refuse_request(struct sandbox_call *call, const char *message)
{
	answer_text(call, 200,
		    json_pack("{s[{ss s{ss}}]}", "errors", "message", message, "extensions",
			      "category", GRAPHQL_INPUT));
}

static bool is_json(const struct sandbox_call *call)
{
	struct bc_str type = bc_http_header(call->req, "content-type");

	return bc_str_ieq(bc_str_trim(bc_str_split(&type, ';')), "application/json");
}

void bc_graphql_post(struct sandbox_call *call)
{
	struct bc_str body = call->req->body;
	json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
	const json_t *query = json_object_get(json, "query");
	const json_t *variables = json_object_get(json, "variables");

	if (!is_json(call))
		refuse_request(call, "Request content type must be application/json");
	else if (!json_is_string(query))
		refuse_request(call, "Unable to parse the request.");
	else
		serve(call, (struct bc_str){ json_string_value(query), json_string_length(query) },
		      variables, false);
	json_decref(json);
}

/* A parameter as URLSearchParams writes it, where '+' is a blank; empty when there is none. */
static struct bc_str parameter(const struct sandbox_call *call, const char *name)
{
	struct bc_str query = call->req->query, text;

	while (query.ptr) {
		struct bc_str value = bc_str_split(&query, '&');

		if (bc_str_eq(bc_str_split(&value, '='), name) && value.ptr &&
		    bc_sandbox_decode(call->req->arena, value, true, &text))
			return text;
	}
	return BC_STR("");
}

/* Queries may come by GET, so that caches keep them. */
void bc_graphql_get(struct sandbox_call *call)
{
	struct bc_str text = parameter(call, "variables");
	json_t *variables = json_loadb(text.ptr, text.len, 0, NULL);

	serve(call, parameter(call, "query"), variables, true);
	json_decref(variables);
}

void bc_graphql_options(struct sandbox_call *call)
{
	bc_sandbox_answer_nothing(call);
	call->answer.extra = PREFLIGHT;
}
