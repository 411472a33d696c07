/* SPDX-License-Identifier: MIT */
/* See selector.h. One table: the parameter's name, and how a sentence says it. */
#include "cli/selector.h"

static const struct part {
	const char *name, *words;
	size_t offset;
} parts[] = {
	{ "state", NULL, offsetof(struct bc_selector, state) },
	{ "since", "since", offsetof(struct bc_selector, since) },
	{ "until", "until", offsetof(struct bc_selector, until) },
	{ "lane", "on lane", offsetof(struct bc_selector, lane) },
	{ "product", "of product", offsetof(struct bc_selector, product) },
	{ "search", "beginning with", offsetof(struct bc_selector, search) },
	{ "limit", NULL, offsetof(struct bc_selector, limit) },
};

static const char *value_of(const struct bc_selector *s, const struct part *part)
{
	return *(const char *const *)((const char *)s + part->offset);
}

int bc_selector_path(struct bc_buf *path, const char *route, const struct bc_selector *s,
		     const char *more)
{
	char separator = '?';
	int result = bc_buf_adds(path, route);
	for (size_t i = 0; !result && i < BC_COUNT(parts); i++) {
		const char *value = value_of(s, &parts[i]);
		if (!value)
			continue;
		result = bc_buf_addf(path, "%c%s=", separator, parts[i].name);
		if (!result)
			result = bc_percent_encode(path, bc_str_of(value));
		separator = '&';
	}
	if (!result && more)
		result = bc_buf_addf(path, "%c%s", separator, more);
	return result;
}

bool bc_selector_is_empty(const struct bc_selector *s)
{
	for (size_t i = 0; i < BC_COUNT(parts); i++)
		if (value_of(s, &parts[i]))
			return false;
	return true;
}

void bc_selector_print(const struct bc_selector *s, FILE *to)
{
	for (size_t i = 0; i < BC_COUNT(parts); i++) {
		const char *value = value_of(s, &parts[i]);
		if (value && parts[i].words)
			fprintf(to, " %s %s", parts[i].words, value);
	}
}
