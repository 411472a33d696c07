/* SPDX-License-Identifier: MIT */
/*
 * See commerce_order.h. Written by a stranger as far as this file knows: a field of a wrong type is
 * a field that is not there, and only an order without a number is refused. Nothing is copied that
 * has no bound of its own, whatever the body's was.
 */
#include "protocol/commerce_order.h"

#include <string.h>

#include "base/date.h"
#include "base/err.h"

enum {
	STATE_MAX = 64,
	AMOUNT_MAX = 32,
	CENTS = 2,
	EDITED_DIGITS_MIN = 6,
	EDITION_DIGITS_MAX = 3,
	NUMBER_BYTES = 64
};

struct reading {
	const json_t *order;  /* the object that has the order's fields */
	const json_t *beside; /* what it came in, or NULL */
	struct bc_arena *arena;
	struct bc_commerce_order *out;
	struct bc_err *err;
};

/* --- values ---------------------------------------------------------------------------------- */

static struct bc_str text_of(const json_t *value)
{
	return (struct bc_str){ json_string_value(value), json_string_length(value) };
}

/* A text, or a number as jansson writes it (into scratch); absent for all else. */
static struct bc_str scalar_of(const json_t *value, char scratch[NUMBER_BYTES])
{
	if (json_is_string(value))
		return text_of(value);
	if (!json_is_number(value))
		return (struct bc_str){ 0 };
	size_t bytes =
		json_dumpb(value, scratch, NUMBER_BYTES, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	return bytes > 0 && bytes <= NUMBER_BYTES ? (struct bc_str){ scratch, bytes }
						  : (struct bc_str){ 0 };
}

/* Takes zeros off the end of a decimal, down to so many places. */
static struct bc_str shorten(struct bc_str number, size_t places)
{
	const char *point = number.len > 0 ? memchr(number.ptr, '.', number.len) : NULL;
	if (!point)
		return number;
	size_t whole = (size_t)(point - number.ptr);
	while (number.len > whole + 1 + places && number.ptr[number.len - 1] == '0')
		number.len--;
	if (number.len == whole + 1)
		number.len--;
	return number;
}

/* An id: a whole number above 0, or its text; 0 for all else, and for what a store cannot hold. */
static uint64_t id_of(const json_t *value)
{
	char scratch[NUMBER_BYTES];
	uint64_t number = 0;
	struct bc_str text = shorten(bc_str_trim(scalar_of(value, scratch)), 0);
	if (bc_parse_u64(text, &number) || number > INT64_MAX)
		return 0;
	return number;
}

static bool has_control(struct bc_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t leading_digits(struct bc_str s)
{
	size_t n = 0;
	while (n < s.len && is_digit(s.ptr[n]))
		n++;
	return n;
}

/* Copies into the arena; an absent text stays absent. False without memory. */
static bool keep(struct reading *r, struct bc_str text, struct bc_str *ret)
{
	*ret = (struct bc_str){ 0 };
	if (!text.ptr)
		return true;
	char *copy = bc_arena_dup(r->arena, text.ptr, text.len);
	if (copy)
		*ret = (struct bc_str){ copy, text.len };
	return copy != NULL;
}

/* --- its number ------------------------------------------------------------------------------ */

/* 0 and a text that may be absent; BC_EINVAL: there is one, and it cannot be an order's. */
static int read_id(struct reading *r, const char *name, struct bc_str *ret)
{
	const json_t *value = json_object_get(r->order, name);
	char scratch[NUMBER_BYTES];
	struct bc_str text = scalar_of(value, scratch);
	if (json_is_real(value))
		text = shorten(text, 0);
	if (text.len == 0)
		text = (struct bc_str){ 0 };
	else if (text.len > BC_COMMERCE_ID_MAX || has_control(text) || bc_str_trim(text).len == 0)
		return bc_err_tell(r->err, BC_EINVAL,
				   "look at that order in Commerce: its number is far too long, or "
				   "has control characters",
				   "\"%s\" of the order is no order number", name);
	return keep(r, text, ret) ? 0 : bc_err_nomem(r->err);
}

/* Is text's end behind the first `base` bytes "-" and a number without leading zeros? */
static bool reads_edition(struct bc_str text, size_t base, size_t digits_max, uint32_t *ret)
{
	if (text.len < base + 2 || text.ptr[base] != '-' || text.ptr[base + 1] == '0')
		return false;
	struct bc_str digits = { text.ptr + base + 1, text.len - base - 1 };
	uint64_t number;
	if (digits.len > digits_max || bc_parse_u64(digits, &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* Commerce names the first one: whatever the number looks like. */
static void edit_of_original(struct bc_commerce_order *o, struct bc_str original, uint32_t said)
{
	bool same = o->increment_id.len == original.len &&
		    memcmp(o->increment_id.ptr, original.ptr, original.len) == 0;
	o->order = original;
	if (same)
		return;
	o->edition = said ? said : 1;
	if (!said && o->increment_id.len > original.len &&
	    memcmp(o->increment_id.ptr, original.ptr, original.len) == 0)
		(void)reads_edition(o->increment_id, original.len, EDITION_DIGITS_MAX, &o->edition);
}

/* Its own number is all there is, and perhaps which edit this was. */
static void edit_of_number(struct bc_commerce_order *o, uint32_t said)
{
	struct bc_str id = o->increment_id;
	uint32_t edition = 0;
	size_t dash = id.len;
	while (dash > 0 && id.ptr[dash - 1] != '-')
		dash--;
	if (dash < 2)
		return;
	size_t base = dash - 1;
	struct bc_str before = { id.ptr, base };
	bool edited = base >= EDITED_DIGITS_MIN && leading_digits(before) == base &&
		      reads_edition(id, base, EDITION_DIGITS_MAX, &edition);
	if (!edited && said)
		edited = reads_edition(id, base, 9, &edition) && edition == said;
	if (!edited)
		return;
	o->order = before;
	o->edition = edition;
}

static int read_number(struct reading *r)
{
	struct bc_commerce_order *o = r->out;
	struct bc_str original = { 0 };
	int result = read_id(r, "increment_id", &o->increment_id);
	if (!result && !o->increment_id.ptr)
		result = read_id(r, "real_order_id", &o->increment_id);
	if (!result)
		result = read_id(r, "original_increment_id", &original);
	if (result)
		return result;
	if (!o->increment_id.ptr) {
		bc_err_set(r->err, BC_EINVAL, "the order has no \"increment_id\"");
		bc_err_hint(r->err, "add increment_id to the fields that Commerce sends");
		return BC_EINVAL;
	}
	uint64_t said = id_of(json_object_get(r->order, "edit_increment"));
	uint32_t edit = said <= UINT32_MAX ? (uint32_t)said : 0;
	o->order = o->increment_id;
	if (original.ptr)
		edit_of_original(o, original, edit);
	else
		edit_of_number(o, edit);
	return 0;
}

/* --- its click ------------------------------------------------------------------------------- */

static struct bc_str click_of(const json_t *value)
{
	struct bc_str text = bc_str_trim(text_of(value));
	if (text.len > BC_COMMERCE_CLICK_MAX)
		text.len = BC_COMMERCE_CLICK_MAX;
	return text.len > 0 ? text : (struct bc_str){ 0 };
}

/* One of {attribute_code, value}. */
static struct bc_str click_in_row(const json_t *row, const char *code)
{
	struct bc_str name = text_of(json_object_get(row, "attribute_code"));
	return name.ptr && bc_str_eq(name, code) ? click_of(json_object_get(row, "value"))
						 : (struct bc_str){ 0 };
}

/* An array of rows, an object of them, or an object of values by their codes. */
static struct bc_str click_in(json_t *attributes, const char *code)
{
	struct bc_str click = click_of(json_object_get(attributes, code));
	json_t *row;
	const char *key;
	size_t i;
	json_array_foreach(attributes, i, row)
	{
		if (!click.ptr)
			click = click_in_row(row, code);
	}
	json_object_foreach(attributes, key, row)
	{
		if (!click.ptr)
			click = click_in_row(row, code);
	}
	return click;
}

static bool read_click(struct reading *r, const char *code)
{
	static const char *const names[] = { "custom_attributes",
					     "custom_attributes_serializable" };
	const json_t *places[] = { r->order, r->beside, json_object_get(r->beside, "quote") };
	struct bc_str click = { 0 };
	for (size_t i = 0; i < BC_COUNT(places); i++)
		for (size_t n = 0; n < BC_COUNT(names) && !click.ptr; n++)
			click = click_in(json_object_get(places[i], names[n]), code);
	return keep(r, click, &r->out->click);
}

/* --- the rest of it -------------------------------------------------------------------------- */

static uint64_t item_order_id(json_t *items)
{
	json_t *item;
	const char *key;
	size_t i;
	uint64_t id = 0;
	json_array_foreach(items, i, item)
	{
		if ((id = id_of(json_object_get(item, "order_id"))))
			return id;
	}
	json_object_foreach(items, key, item)
	{
		if ((id = id_of(json_object_get(item, "order_id"))))
			return id;
	}
	return id;
}

static void read_ids(struct reading *r)
{
	const json_t *payment = json_object_get(r->order, "payment");
	const json_t *quote = json_object_get(r->beside, "quote");
	struct bc_commerce_order *o = r->out;
	o->entity_id = id_of(json_object_get(r->order, "entity_id"));
	if (!o->entity_id)
		o->entity_id = id_of(json_object_get(payment, "parent_id"));
	if (!o->entity_id)
		o->entity_id = item_order_id(json_object_get(r->order, "items"));
	o->quote_id = id_of(json_object_get(r->order, "quote_id"));
	if (!o->quote_id)
		o->quote_id = id_of(json_object_get(quote, "entity_id"));
	if (!o->quote_id)
		o->quote_id = id_of(json_object_get(quote, "id"));
	o->replaced = id_of(json_object_get(r->order, "relation_child_id")) ||
		      text_of(json_object_get(r->order, "relation_child_real_id")).len > 0;
}

/* A short word, or nothing. */
static bool read_word(struct reading *r, const char *name, struct bc_str *ret)
{
	struct bc_str text = text_of(json_object_get(r->order, name));
	if (text.len == 0 || text.len > STATE_MAX || has_control(text))
		text = (struct bc_str){ 0 };
	return keep(r, text, ret);
}

/* "-12.50": a sign, digits, perhaps a point and digits. */
static bool is_decimal(struct bc_str s)
{
	if (s.len > 0 && s.ptr[0] == '-')
		s = (struct bc_str){ s.ptr + 1, s.len - 1 };
	size_t whole = leading_digits(s);
	if (whole == 0 || whole == s.len)
		return whole > 0;
	struct bc_str places = { s.ptr + whole + 1, s.len - whole - 1 };
	return s.ptr[whole] == '.' && places.len > 0 && leading_digits(places) == places.len;
}

static struct bc_str amount_of(const json_t *value, char scratch[NUMBER_BYTES])
{
	struct bc_str text = bc_str_trim(scalar_of(value, scratch));
	text = is_decimal(text) ? shorten(text, CENTS) : (struct bc_str){ 0 };
	return text.len <= AMOUNT_MAX ? text : (struct bc_str){ 0 };
}

static struct bc_str currency_of(const json_t *value)
{
	struct bc_str text = text_of(value);
	bool code = text.len == 3;
	for (size_t i = 0; code && i < text.len; i++)
		code = (text.ptr[i] | 0x20) >= 'a' && (text.ptr[i] | 0x20) <= 'z';
	return code ? text : (struct bc_str){ 0 };
}

/* The first sum that comes with its own currency; else a sum alone, whose currency nobody said. */
static bool read_amount(struct reading *r)
{
	static const char *const pairs[][2] = { { "grand_total", "order_currency_code" },
						{ "base_grand_total", "base_currency_code" },
						{ "grand_total", "currency" },
						{ "grand_total", NULL },
						{ "base_grand_total", NULL } };
	for (size_t i = 0; i < BC_COUNT(pairs); i++) {
		char scratch[NUMBER_BYTES];
		struct bc_str amount = amount_of(json_object_get(r->order, pairs[i][0]), scratch);
		struct bc_str currency = { 0 };
		if (pairs[i][1])
			currency = currency_of(json_object_get(r->order, pairs[i][1]));
		if (amount.ptr && (currency.ptr || !pairs[i][1]))
			return keep(r, amount, &r->out->amount) &&
			       keep(r, currency, &r->out->currency);
	}
	return true;
}

/* "2026-11-20 14:03:11", which is UTC; also with a zone. 0 for all else. */
static uint64_t time_of(const json_t *value)
{
	struct bc_str text = text_of(value);
	char zoned[BC_TIME_TEXT_BYTES];
	uint64_t at = 0;
	if (text.len == 0 || bc_time_parse(text, &at) == 0)
		return at;
	if (text.len >= sizeof(zoned))
		return 0;
	memcpy(zoned, text.ptr, text.len);
	zoned[text.len] = 'Z';
	return bc_time_parse((struct bc_str){ zoned, text.len + 1 }, &at) == 0 ? at : 0;
}

int bc_commerce_order_read(const json_t *json, const char *click_attribute, struct bc_arena *arena,
			   struct bc_commerce_order *ret_order, struct bc_err *err)
{
	struct bc_commerce_order order = { 0 };
	struct reading r = { .order = json, .arena = arena, .out = &order, .err = err };
	const json_t *within = json_object_get(json, "order");
	if (json_is_object(within) && !json_object_get(json, "increment_id")) {
		r.order = within;
		r.beside = json;
	}
	if (!json_is_object(r.order))
		return bc_err_tell(err, BC_EINVAL,
				   "is that Commerce? Add increment_id and state to the fields of "
				   "the event subscription",
				   "the order is no JSON object");
	int result = read_number(&r);
	if (result)
		return result;
	read_ids(&r);
	order.created_ms = time_of(json_object_get(r.order, "created_at"));
	order.updated_ms = time_of(json_object_get(r.order, "updated_at"));
	if (!read_click(&r, click_attribute) || !read_word(&r, "state", &order.state) ||
	    !read_word(&r, "status", &order.status) || !read_amount(&r))
		return bc_err_nomem(err);
	*ret_order = order;
	return 0;
}
