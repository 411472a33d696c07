/* SPDX-License-Identifier: MIT */
/* See identity.h. */
#include "core/identity.h"

#include <string.h>

#include "base/err.h"
#include "protocol/token.h"

bool bc_has_control(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static bool name_id(struct bc_str hex, struct bc_click_name *ret)
{
	if (bc_unhex(hex, ret->id, BC_CLICK_ID_BYTES))
		return false;
	ret->what = BC_NAMED_ID;
	return true;
}

static bool has_prefix(struct bc_str text)
{
	return bc_str_starts(text, "c.") || bc_str_starts(text, "t.") || bc_str_starts(text, "p.");
}

/* also: what it may hold besides [A-Za-z0-9_-]. Without a prefix nothing more, so that one that was
 * mistyped is no token; and one that was put before another is none either. */
static bool name_token(struct bc_str token, const char *also, struct bc_click_name *ret)
{
	if (has_prefix(token) || !bc_token_is_safe(token.ptr, token.len, also))
		return false;
	ret->what = BC_NAMED_TOKEN;
	ret->token = token;
	return true;
}

/* "shoes.abcd": labels have no dot, so the first one parts them. */
static bool name_products_token(struct bc_str text, struct bc_click_name *ret)
{
	struct bc_str label = bc_str_split(&text, '.');
	for (size_t i = 0; i < label.len; i++) {
		char c = label.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	ret->product = label;
	return label.len && label.len <= BC_LABEL_MAX && text.ptr &&
	       name_token(text, BC_TOKEN_ALSO, ret);
}

int bc_click_name_read(struct bc_str text, struct bc_click_name *ret_name, struct bc_err *err)
{
	struct bc_click_name name = { .what = BC_NAMED_NOTHING };
	bool ok = true;
	if (text.ptr) {
		struct bc_str rest = { text.ptr + 2, text.len - 2 };
		if (bc_str_starts(text, "c."))
			ok = name_id(rest, &name);
		else if (bc_str_starts(text, "t."))
			ok = name_token(rest, BC_TOKEN_ALSO, &name);
		else if (bc_str_starts(text, "p."))
			ok = name_products_token(rest, &name);
		else
			ok = name_id(text, &name) || name_token(text, NULL, &name);
	}
	if (!ok) {
		bc_err_set(err, BC_EINVAL, "field \"click\" is neither a click id nor a token");
		bc_err_hint(err,
			    "send the value of the bc_click cookie as it is (c.<32 hex digits> "
			    "or t.<token>), or leave the field out");
		return BC_EINVAL;
	}
	*ret_name = name;
	return 0;
}

char *bc_click_id_text(const uint8_t id[BC_CLICK_ID_BYTES], char *text)
{
	memcpy(text, "c.", 2);
	bc_hex(id, BC_CLICK_ID_BYTES, text + 2);
	return text;
}

int bc_session_check(struct bc_str session, struct bc_err *err)
{
	static const char *const nobody[] = { "", "none", "null", "undefined" };
	struct bc_str trimmed = bc_str_trim(session);
	for (size_t i = 0; i < BC_COUNT(nobody); i++) {
		if (!bc_str_ieq(trimmed, nobody[i]))
			continue;
		bc_err_set(err, BC_EINVAL,
			   "session \"%s\" is what a framework prints for no session", nobody[i]);
		bc_err_hint(err, "save the session first, or leave the field out and send the "
				 "click cookie: all first-time visitors would share this one");
		return BC_EINVAL;
	}
	if (session.len > BC_SESSION_MAX || bc_has_control(session)) {
		bc_err_set(err, BC_EINVAL, "a session is 1 to %d bytes without control characters",
			   BC_SESSION_MAX);
		bc_err_hint(err, "send the session's id, not its content");
		return BC_EINVAL;
	}
	return 0;
}

int bc_session_hash(struct bc_hasher *h, struct bc_str session, uint8_t ret_hash[BC_HASH_BYTES],
		    struct bc_err *err)
{
	int result = bc_session_check(session, err);
	if (result)
		return result;
	result = bc_hasher_hash(h, "session", session.ptr, session.len, ret_hash);
	BC_ASSERT(result == 0);
	return 0;
}

void bc_token_hash(struct bc_hasher *h, struct bc_str token, uint8_t ret_hash[BC_HASH_BYTES])
{
	int result = bc_hasher_hash(h, "token", token.ptr, token.len, ret_hash);
	BC_ASSERT(result == 0);
}

int bc_order_id_check(struct bc_str order, struct bc_err *err)
{
	if (order.len <= BC_ORDER_ID_MAX && bc_str_trim(order).len && !bc_has_control(order))
		return 0;
	bc_err_set(err, BC_EINVAL,
		   "field \"order\" must be 1 to %d bytes without control characters",
		   BC_ORDER_ID_MAX);
	bc_err_hint(err, "send the shop's own order number as a string");
	return BC_EINVAL;
}
