/* SPDX-License-Identifier: MIT */
/*
 * How handlers read a request: the body's fields, the query's parameters, and the selector that
 * lists, counts, retries and exports share. Each answers the call itself when something is wrong,
 * and names it.
 */
#include <string.h>

#include "base/err.h"
#include "daemon/api_impl.h"

/* --- the body ------------------------------------------------------------------------------ */

bool call_body(struct call *call)
{
	json_error_t where;
	struct bc_str body = call->request->body;
	/* A NUL inside a text is that field's fault, and the field's own check says so. */
	call->json = json_loadb(body.ptr ? body.ptr : "", body.len,
				JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	if (json_is_object(call->json))
		return true;
	char *detail = bc_arena_printf(call->request->arena, "the body is not a JSON object%s%s",
				       call->json ? "" : ": ", call->json ? "" : where.text);
	call_problem(call, BC_PROBLEM_BAD_REQUEST,
		     detail ? detail : "the body is not a JSON object",
		     "send e.g. {\"order\":\"100045\",\"click\":\"<bc_click cookie>\"}");
	return false;
}

static bool wrong_type(struct call *call, const char *name, const char *wanted)
{
	char *detail =
		bc_arena_printf(call->request->arena, "field \"%s\" must be %s", name, wanted);
	call_problem(call, BC_PROBLEM_BAD_REQUEST, detail ? detail : "a field has the wrong type",
		     "null or leaving it out means: not given");
	return false;
}

bool call_field(struct call *call, const char *name, struct bc_str *ret)
{
	const json_t *value = json_object_get(call->json, name);
	*ret = (struct bc_str){ NULL, 0 };
	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value))
		return wrong_type(call, name, "a string");
	*ret = (struct bc_str){ json_string_value(value), json_string_length(value) };
	return true;
}

bool call_number(struct call *call, const char *name, struct bc_str *ret)
{
	const json_t *value = json_object_get(call->json, name);
	if (!json_is_number(value))
		return !value || json_is_null(value) || json_is_string(value)
			       ? call_field(call, name, ret)
			       : wrong_type(call, name, "a number or a string");
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	char *text = dump ? bc_arena_dup(call->request->arena, dump, strlen(dump)) : NULL;
	free(dump);
	*ret = bc_str_of(text);
	return text ? true : wrong_type(call, name, "a shorter number");
}

/* --- headers -------------------------------------------------------------------------------- */

struct bc_str call_header(const struct call *call, const char *name)
{
	const struct bc_api_request *request = call->request;
	return request->header ? request->header(request, name) : (struct bc_str){ NULL, 0 };
}

/* --- the query ----------------------------------------------------------------------------- */

static bool bad_query(struct call *call, const char *name, struct bc_str value, const char *hint)
{
	char *detail = bc_arena_printf(call->request->arena, "parameter \"%s\" is wrong: \"%.*s\"",
				       name, (int)(value.len > 80 ? 80 : value.len), value.ptr);
	call_problem(call, BC_PROBLEM_BAD_REQUEST, detail ? detail : "a parameter is wrong", hint);
	return false;
}

/* One value, decoded into the request's arena; 0, BC_ENOMEM or BC_ETOOBIG. */
static int decode_value(struct call *call, struct bc_str value, struct bc_str *ret)
{
	struct bc_buf decoded;
	bc_buf_init(&decoded, BC_URL_MAX);
	int result = value.ptr ? bc_percent_decode(&decoded, value, true) : 0;
	char *copy = result ? NULL
			    : bc_arena_dup(call->request->arena, decoded.data ? decoded.data : "",
					   decoded.len);
	*ret = (struct bc_str){ copy, decoded.len };
	bc_buf_finish(&decoded);
	return result || copy ? result : BC_ENOMEM;
}

bool call_query(struct call *call, const char *name, struct bc_str *ret)
{
	struct bc_str rest = call->request->query;
	*ret = (struct bc_str){ NULL, 0 };
	while (rest.ptr) {
		struct bc_str value = bc_str_split(&rest, '&'), key = bc_str_split(&value, '=');
		int result = bc_str_eq(key, name) ? decode_value(call, value, ret) : 0;
		if (result == BC_ENOMEM) {
			call_problem(call, BC_PROBLEM_BUSY, "no memory for the request",
				     "try again");
			return false;
		}
		if (result)
			return bad_query(call, name, value, "it is too long");
	}
	return true;
}

bool call_query_duration(struct call *call, const char *name, uint64_t max_ms, uint64_t *ret_ms)
{
	struct bc_str text;
	*ret_ms = 0;
	if (!call_query(call, name, &text))
		return false;
	if (text.ptr && bc_parse_duration_ms(text, ret_ms))
		return bad_query(call, name, text, "a duration such as 500ms, 5s or 2m");
	if (*ret_ms > max_ms)
		*ret_ms = max_ms;
	return true;
}

bool call_query_flag(struct call *call, const char *name, bool *ret)
{
	struct bc_str text;
	*ret = false;
	if (!call_query(call, name, &text))
		return false;
	*ret = bc_str_eq(text, "1");
	return !text.ptr || *ret || bc_str_eq(text, "0") ||
	       bad_query(call, name, text, "1 or 0; leaving it out is 0");
}

/* --- the selector -------------------------------------------------------------------------- */

bool call_query_time(struct call *call, const char *name, uint64_t *ret_ms)
{
	struct bc_str text;
	uint64_t age;
	*ret_ms = 0;
	if (!call_query(call, name, &text))
		return false;
	if (!text.ptr || bc_time_parse(text, ret_ms) == 0)
		return true;
	if (bc_parse_duration_ms(text, &age))
		return bad_query(call, name, text, "RFC 3339, or an age such as 2h");
	uint64_t now = bc_wall_ms(call->api->shop->clock);
	*ret_ms = now > age ? now - age : 0;
	return true;
}

static bool select_times(struct call *call, struct bc_order_selector *ret)
{
	struct bc_str until;
	if (!call_query_time(call, "since", &ret->since_ms) ||
	    !call_query_time(call, "until", &ret->until_ms) || !call_query(call, "until", &until))
		return false;
	if (until.ptr && ret->until_ms <= ret->since_ms)
		return bad_query(call, "until", until, "it must be later than \"since\"");
	return true;
}

static bool select_state(struct call *call, struct bc_order_selector *ret)
{
	struct bc_str state;
	enum bc_order_state parsed;
	ret->state = BC_ORDER_STATE_ANY;
	if (!call_query(call, "state", &state))
		return false;
	if (!state.len)
		return true;
	if (bc_order_state_parse(state, &parsed))
		return bad_query(call, "state", state,
				 "one of unattributed, pending, sending, delivered, rejected, "
				 "expired, cancelled");
	ret->state = (int)parsed;
	return true;
}

static bool is_label(struct bc_str s)
{
	if (!s.ptr || s.len < 1 || s.len > BC_LABEL_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* An empty name is a script's unset variable, and must not mean "all". */
static bool select_lane(struct call *call, struct bc_order_selector *ret)
{
	struct bc_str lane, product;
	if (!call_query(call, "lane", &lane) || !call_query(call, "product", &product))
		return false;
	if (product.ptr && !is_label(product))
		return bad_query(call, "product", product, "a product's label, such as default");
	ret->product = product;
	if (!lane.ptr)
		return true;
	struct bc_str label = lane;
	ret->partner = bc_str_split(&label, '.');
	if (!is_label(ret->partner) || !is_label(label))
		return bad_query(call, "lane", lane,
				 "partner.label, such as sovendus.default; GET /v1/lanes names "
				 "them");
	if (product.ptr && (product.len != label.len || memcmp(product.ptr, label.ptr, label.len)))
		return bad_query(call, "product", product,
				 "the lane is of another one: leave one of the two out");
	ret->product = label;
	return true;
}

/* Empty is a search that has not begun yet; but a script's unset variable must not change all. */
static bool select_search(struct call *call, struct bc_order_selector *ret)
{
	if (!call_query(call, "search", &ret->search))
		return false;
	if (ret->search.ptr && !ret->search.len && strcmp(call->request->method, "POST") == 0)
		return bad_query(call, "search", ret->search,
				 "empty would be all of them: leave it out if that is meant");
	return ret->search.len <= BC_ORDER_ID_MAX ||
	       bad_query(call, "search", ret->search, "an order id has at most 128 bytes");
}

static bool select_page(struct call *call, struct bc_order_selector *ret)
{
	struct bc_str cursor, limit;
	uint64_t n = 0;
	if (!call_query(call, "cursor", &cursor) || !call_query(call, "limit", &limit))
		return false;
	if (limit.ptr && (bc_parse_u64(limit, &n) || n < 1 || n > LIST_LIMIT_MAX))
		return bad_query(call, "limit", limit, "a number from 1 to 1000");
	if (cursor.ptr && (bc_parse_u64(cursor, &ret->before_row) || !ret->before_row))
		return bad_query(call, "cursor", cursor, "what the last page's \"next\" said");
	ret->limit = (uint32_t)n;
	return true;
}

bool call_selector(struct call *call, struct bc_order_selector *ret)
{
	*ret = (struct bc_order_selector){ 0 };
	return select_state(call, ret) && select_times(call, ret) && select_lane(call, ret) &&
	       call_query_flag(call, "revoked", &ret->revoked) && select_search(call, ret) &&
	       select_page(call, ret);
}
