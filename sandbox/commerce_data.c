/* SPDX-License-Identifier: MIT */
/*
 * A list of JSON objects in the order of their making, each found by its key, each with the text
 * it is sent as: made once, dropped when the object changes, so that a GET costs a look-up and a
 * copy.
 */
#include "sandbox/commerce.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct commerce_item *bc_commerce_find(const struct commerce_list *list, struct bc_str key)
{
	return (struct commerce_item *)(void *)bc_map_find(&list->map, key);
}

static bool room(struct commerce_list *list)
{
	size_t cap = list->cap ? 2 * list->cap : 128;
	struct commerce_item **items;

	if (list->count < list->cap)
		return true;
	if (list->count >= COMMERCE_ITEMS_MAX)
		return false;
	items = realloc(list->items, cap * sizeof(struct commerce_item *));
	if (!items)
		return false;
	list->items = items;
	list->cap = cap;
	return true;
}

static void item_free(struct commerce_item *item)
{
	json_decref(item->json);
	free(item->text);
	free(item);
}

struct commerce_item *bc_commerce_add(struct commerce_list *list, struct bc_str key, json_t *json)
{
	struct commerce_item *item = json && room(list) ? malloc(sizeof(*item) + key.len) : NULL;

	if (!item) {
		json_decref(json);
		return NULL;
	}
	*item = (struct commerce_item){ .node.key = { item->data, key.len }, .json = json };
	memcpy(item->data, key.ptr, key.len);
	if (!bc_map_add(&list->map, &item->node)) {
		item_free(item);
		return NULL;
	}
	list->items[list->count++] = item;
	return item;
}

void bc_commerce_remove(struct commerce_list *list, struct commerce_item *item)
{
	size_t i = 0;

	while (list->items[i] != item)
		i++;
	list->count--;
	memmove(&list->items[i], &list->items[i + 1],
		(list->count - i) * sizeof(struct commerce_item *));
	bc_map_remove(&list->map, &item->node);
	item_free(item);
}

void bc_commerce_changed(struct commerce_item *item)
{
	free(item->text);
	item->text = NULL;
}

struct bc_str bc_commerce_text(struct commerce_item *item)
{
	if (!item->text) {
		item->text = json_dumps(item->json, COMMERCE_DUMP);
		item->text_bytes = item->text ? strlen(item->text) : 0;
	}
	return (struct bc_str){ item->text, item->text_bytes };
}

void bc_commerce_list_finish(struct commerce_list *list)
{
	while (list->count > 0)
		item_free(list->items[--list->count]);
	free(list->items);
	bc_map_finish(&list->map);
	*list = (struct commerce_list){ 0 };
}

json_t *bc_commerce_money(int64_t cents)
{
	return json_real((double)cents / 100);
}

char *bc_commerce_time(uint64_t wall_ms, char text[COMMERCE_TIME_BYTES])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, COMMERCE_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}
