/* SPDX-License-Identifier: MIT */
/*
 * ?fields=items[sku,extension_attributes[website_ids]],total_count: keeps the members that are
 * named, of every element where there is a list. What does not exist is left out; a name without
 * brackets keeps all below it. The text is a stranger's: it is cut by counting brackets, and goes
 * no deeper than the value does.
 */
#include "sandbox/commerce.h"

/* Takes the next name, and what stands in its brackets (absent without), from the text. */
static bool field_take(struct bc_str *text, struct bc_str *ret_name, struct bc_str *ret_inner)
{
	size_t n = 0, depth = 0, inner = 0;

	*ret_inner = (struct bc_str){ 0 };
	if (text->len == 0)
		return false;
	while (n < text->len && text->ptr[n] != ',' && text->ptr[n] != '[')
		n++;
	*ret_name = bc_str_trim((struct bc_str){ text->ptr, n });
	if (n < text->len && text->ptr[n] == '[') {
		for (inner = n + 1; n < text->len; n++) {
			depth += text->ptr[n] == '[';
			if (text->ptr[n] == ']' && --depth == 0)
				break;
		}
		*ret_inner = (struct bc_str){ text->ptr + inner, n - inner };
	}
	while (n < text->len && text->ptr[n] != ',')
		n++;
	n += n < text->len;
	*text = (struct bc_str){ text->ptr + n, text->len - n };
	return true;
}

static json_t *trim_list(json_t *list, struct bc_str spec)
{
	json_t *out = json_array(), *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (json_array_append_new(out, bc_commerce_trim(element, spec)) == 0)
			continue;
		json_decref(out);
		return NULL;
	}
	return out;
}

static json_t *trim_object(json_t *object, struct bc_str spec)
{
	json_t *out = json_object();
	struct bc_str name, inner;

	while (out && field_take(&spec, &name, &inner)) {
		json_t *value = json_object_getn(object, name.ptr, name.len);

		if (!value)
			continue;
		value = inner.ptr ? bc_commerce_trim(value, inner) : json_incref(value);
		if (json_object_setn_new(out, name.ptr, name.len, value) == 0)
			continue;
		json_decref(out);
		out = NULL;
	}
	return out;
}

json_t *bc_commerce_trim(json_t *value, struct bc_str spec)
{
	if (json_is_array(value))
		return trim_list(value, spec);
	if (json_is_object(value))
		return trim_object(value, spec);
	return json_incref(value);
}
