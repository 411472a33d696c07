/* SPDX-License-Identifier: MIT */
/* See story.h. */
#include "core/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int bc_json_set_time(json_t *object, const char *key, uint64_t wall_ms)
{
	char text[BC_TIME_TEXT_BYTES];
	if (!wall_ms)
		return 0;
	return json_object_set_new(object, key, json_string(bc_time_format(wall_ms, text)));
}

static int set_str(json_t *object, const char *key, struct bc_str value)
{
	if (!value.ptr)
		return 0;
	return json_object_set_new(object, key, json_stringn(value.ptr, value.len));
}

static int set_cstr(json_t *object, const char *key, const char *value)
{
	return json_object_set_new(object, key, json_string(value));
}

json_t *bc_json_words(const char *words)
{
	json_t *j = json_string(words);
	char *plain = j ? NULL : bc_str_dup(bc_str_of(words));
	for (char *c = plain; c && *c; c++)
		if (*c & 0x80)
			*c = '?';
	if (plain)
		j = json_string(plain);
	free(plain);
	return j;
}

static int set_words(json_t *object, const char *key, const char *words)
{
	return json_object_set_new(object, key, bc_json_words(words));
}

/* --- an order ------------------------------------------------------------------------------ */

/* Who is told of an order, member by member, in the order of its JSON. */
struct listener {
	void (*text)(struct listener *l, const char *key, struct bc_str value);
	void (*number)(struct listener *l, const char *key, uint64_t value);
};

/* What is absent is not told, here and below. */
static void tell_text(struct listener *l, const char *key, struct bc_str value)
{
	if (value.ptr)
		l->text(l, key, value);
}

static void tell_time(struct listener *l, const char *key, uint64_t wall_ms)
{
	char text[BC_TIME_TEXT_BYTES];
	if (wall_ms)
		l->text(l, key, bc_str_of(bc_time_format(wall_ms, text)));
}

static void tell_conversion(struct listener *l, const struct bc_order *o)
{
	char lane[BC_LANE_NAME_BYTES];
	if (o->state == BC_ORDER_UNATTRIBUTED)
		return;
	tell_text(l, "product", o->product);
	tell_text(l, "lane", bc_str_of(bc_lane_name(o->partner, o->product, lane)));
	tell_text(l, "kind", o->is_test ? BC_STR("test") : BC_STR("production"));
	l->number(l, "attempt_count", o->attempts);
	if (o->state == BC_ORDER_PENDING)
		tell_time(l, "next_attempt_at", o->due_ms);
	if (o->state == BC_ORDER_PENDING || o->state == BC_ORDER_SENDING)
		tell_time(l, "deadline_at", o->deadline_ms);
}

static const char *const comment_names[] = {
	[BC_COMMENT_DUE] = "due",
	[BC_COMMENT_DONE] = "done",
	[BC_COMMENT_GIVEN_UP] = "given up",
};

/* What only an order of Adobe Commerce has. */
static void tell_commerce(struct listener *l, const struct bc_order *o)
{
	tell_time(l, "revoked_at", o->revoked_ms);
	if (o->entity_id)
		l->number(l, "entity_id", o->entity_id);
	if (o->edition)
		l->number(l, "edition", o->edition);
	if (o->comment != BC_COMMENT_NONE)
		tell_text(l, "comment", bc_str_of(comment_names[o->comment]));
}

static void tell_order(struct listener *l, const struct bc_order *o)
{
	tell_text(l, "order", o->order);
	tell_text(l, "state", bc_str_of(bc_order_state_name(o->state)));
	tell_text(l, "reason", o->reason);
	tell_conversion(l, o);
	tell_text(l, "amount", o->amount);
	tell_text(l, "currency", o->currency);
	tell_time(l, "created_at", o->created_ms);
	tell_time(l, "updated_at", o->updated_ms);
	tell_time(l, "finished_at", o->finished_ms);
	tell_commerce(l, o);
}

/* As a tree. */
struct tree {
	struct listener base;
	json_t *object;
	int bad;
};

static void set_text(struct listener *l, const char *key, struct bc_str value)
{
	struct tree *t = BC_CONTAINER(l, struct tree, base);
	t->bad |= json_object_set_new(t->object, key, json_stringn(value.ptr, value.len));
}

static void set_number(struct listener *l, const char *key, uint64_t value)
{
	struct tree *t = BC_CONTAINER(l, struct tree, base);
	t->bad |= json_object_set_new(t->object, key, json_integer((json_int_t)value));
}

json_t *bc_order_json(const struct bc_order *o)
{
	struct tree t = { .base = { set_text, set_number }, .object = json_object() };
	if (!t.object)
		return NULL;
	tell_order(&t.base, o);
	if (!t.bad)
		return t.object;
	json_decref(t.object);
	return NULL;
}

/* As text. What has to be escaped, or may not be UTF-8, is left to who builds trees. */
struct sheet {
	struct listener base;
	char *at, *end;
	bool bad;
};

static void put(struct sheet *s, const char *bytes, size_t len)
{
	if (s->bad || (size_t)(s->end - s->at) < len) {
		s->bad = true;
		return;
	}
	memcpy(s->at, bytes, len);
	s->at += len;
}

static void put_key(struct sheet *s, const char *key)
{
	put(s, s->at[-1] == '{' ? "\"" : ",\"", s->at[-1] == '{' ? 1 : 2);
	put(s, key, strlen(key));
	put(s, "\":", 2);
}

static bool is_plain(struct bc_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			return false;
	}
	return true;
}

static void write_text(struct listener *l, const char *key, struct bc_str value)
{
	struct sheet *s = BC_CONTAINER(l, struct sheet, base);
	s->bad = s->bad || !is_plain(value);
	put_key(s, key);
	put(s, "\"", 1);
	put(s, value.ptr, value.len);
	put(s, "\"", 1);
}

static void write_number(struct listener *l, const char *key, uint64_t value)
{
	struct sheet *s = BC_CONTAINER(l, struct sheet, base);
	char digits[24];
	put_key(s, key);
	put(s, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

struct bc_str bc_order_text(const struct bc_order *o, char *text, size_t text_bytes)
{
	struct sheet s = { .base = { write_text, write_number },
			   .at = text,
			   .end = text + text_bytes };
	put(&s, "{", 1);
	tell_order(&s.base, o);
	put(&s, "}", 1);
	return s.bad ? (struct bc_str){ NULL, 0 } : (struct bc_str){ text, (size_t)(s.at - text) };
}

/* --- its story ----------------------------------------------------------------------------- */

static json_t *click_json(const struct bc_order *o)
{
	char text[BC_CLICK_ID_BYTES * 2 + 3] = "c.";
	char hash[9];
	json_t *j = json_object();
	int bad = !j;
	if (!bad && o->has_click) {
		bc_hex(o->click, sizeof(o->click), text + 2);
		bad |= set_cstr(j, "id", text);
	}
	if (!bad && o->has_token_hash) {
		bc_hex(o->token_hash, 4, hash);
		bad |= set_cstr(j, "token_hash", hash);
	}
	bad = bad || bc_json_set_time(j, "captured_at", o->click_ms) ||
	      json_object_set_new(j, "by_session", json_boolean(o->has_session)) ||
	      json_object_set_new(j, "token_kept", json_boolean(o->token.ptr != NULL));
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}

static json_t *attempt_json(const struct bc_attempt *a)
{
	json_t *j = json_object();
	if (!j)
		return NULL;
	int bad = json_object_set_new(j, "n", json_integer(a->n));
	bad |= bc_json_set_time(j, "at", a->at_ms);
	bad |= json_object_set_new(j, "status", a->status ? json_integer(a->status) : json_null());
	bad |= set_cstr(j, "outcome", bc_outcome_name((enum bc_outcome)a->outcome));
	bad |= json_object_set_new(j, "duration_ms", json_integer((json_int_t)a->duration_ms));
	bad |= json_object_set_new(
		j, "error", a->error.ptr ? json_stringn(a->error.ptr, a->error.len) : json_null());
	bad |= set_str(j, "key_fingerprint", a->key_fingerprint);
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}

static json_t *attempts_json(const struct bc_attempt *attempts, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; list && i < count; i++) {
		if (json_array_append_new(list, attempt_json(&attempts[i]))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int set_lane(json_t *j, const struct bc_lane_status *lane)
{
	int bad = set_cstr(j, "lane_state", bc_lane_state_name[lane->state]);
	if (lane->reason[0])
		bad |= set_words(j, "lane_reason", lane->reason);
	if (lane->state != BC_LANE_OPEN)
		bad |= bc_json_set_time(j, "lane_since", lane->since_ms);
	bad |= bc_json_set_time(j, "lane_next_probe_at", lane->next_probe_ms);
	return bad;
}

json_t *bc_story_json(const struct bc_order *order, const struct bc_attempt *attempts,
		      uint32_t count, const struct bc_lane_status *lane)
{
	json_t *j = bc_order_json(order);
	if (!j)
		return NULL;
	int bad = 0;
	if (order->has_click || order->has_token_hash || order->has_session)
		bad |= json_object_set_new(j, "click", click_json(order));
	bad |= json_object_set_new(j, "attempts", attempts_json(attempts, count));
	if (lane && order->state != BC_ORDER_UNATTRIBUTED)
		bad |= set_lane(j, lane);
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}

json_t *bc_lane_json(const struct bc_lane_status *lane, const struct bc_lane_count *count)
{
	json_t *j = json_object();
	if (!j)
		return NULL;
	int bad = set_cstr(j, "name", lane->name);
	bad |= set_cstr(j, "state", bc_lane_state_name[lane->state]);
	bad |= set_words(j, "reason", lane->reason);
	bad |= bc_json_set_time(j, "since", lane->since_ms);
	bad |= json_object_set_new(j, "pending",
				   json_integer(count ? (json_int_t)count->pending : 0));
	bad |= json_object_set_new(j, "in_flight", json_integer(lane->in_flight));
	bad |= bc_json_set_time(j, "next_probe_at", lane->next_probe_ms);
	bad |= bc_json_set_time(j, "oldest_pending_at", count ? count->oldest_ms : 0);
	if (!bad)
		return j;
	json_decref(j);
	return NULL;
}
