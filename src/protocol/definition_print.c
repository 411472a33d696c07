/* SPDX-License-Identifier: MIT */
/*
 * See definition.h: a definition as the text that reads back as it. What is not set is left out;
 * long words are broken into indented lines where a blank stands.
 */
#include "protocol/definition.h"

#include <string.h>

#include "base/str.h"

enum { COLUMN_MAX = 98, INDENT = 8 };

/* Where it is broken one blank comes back. What would read as a comment, or has more blanks beside
 * it, stays on its line. */
static bool may_break(struct bc_str last, struct bc_str next)
{
	return last.len && next.len && last.ptr[last.len - 1] != '\t' &&
	       !memchr("#;\t", next.ptr[0], 3);
}

/* "name = value", broken before COLUMN_MAX where a single blank allows it. */
static int add(struct bc_buf *out, const char *name, const char *value)
{
	size_t start = out->len;
	if (!value)
		return 0;
	int rc = bc_buf_addf(out, "%s =", name);
	struct bc_str rest = bc_str_of(value);
	struct bc_str last = { NULL, 0 };
	while (!rc && rest.ptr) {
		struct bc_str word = bc_str_split(&rest, ' ');
		if (may_break(last, word) && out->len - start + word.len + 1 > COLUMN_MAX) {
			rc = bc_buf_addf(out, "\n%*s", INDENT, "");
			start = out->len - INDENT;
		} else {
			rc = bc_buf_add(out, " ", 1);
		}
		if (!rc)
			rc = bc_buf_add(out, word.ptr, word.len);
		last = word;
	}
	return rc ? rc : bc_buf_adds(out, "\n");
}

static int add_list(struct bc_buf *out, const char *name, const char *const *list)
{
	if (!list || !list[0])
		return 0;
	int rc = bc_buf_addf(out, "%s = ", name);
	for (size_t i = 0; !rc && list[i]; i++)
		rc = bc_buf_addf(out, "%s%s", i ? ", " : "", list[i]);
	return rc ? rc : bc_buf_adds(out, "\n");
}

static int add_each(struct bc_buf *out, const char *name, const char *const *list)
{
	int rc = 0;
	for (size_t i = 0; !rc && list && list[i]; i++)
		rc = add(out, name, list[i]);
	return rc;
}

static int add_token(struct bc_buf *out, const struct bc_partner *p)
{
	bool any = p->token_also || p->test_shape || (p->test_tokens && p->test_tokens[0]);
	int rc = any ? bc_buf_adds(out, "\n[token]\n") : 0;
	if (!rc)
		rc = add(out, "also", p->token_also);
	if (!rc)
		rc = add_each(out, "test", p->test_tokens);
	return rc ? rc : add(out, "test_shape", p->test_shape);
}

static int add_request(struct bc_buf *out, const struct bc_partner *p)
{
	int rc = bc_buf_adds(out, "\n[request]\n");
	if (!rc)
		rc = add(out, "base_url", p->base_url);
	if (!rc)
		rc = add(out, "id", p->id);
	if (!rc)
		rc = add(out, "method", p->method);
	if (!rc)
		rc = add(out, "path", p->path);
	if (!rc)
		rc = add(out, "query", p->query);
	if (!rc)
		rc = add_each(out, "header", p->headers);
	if (!rc)
		rc = add(out, "basic", p->basic);
	if (!rc)
		rc = add(out, "content_type", p->content_type);
	if (!rc)
		rc = add(out, "body", p->body);
	if (!rc)
		rc = add_list(out, "echo", p->echo);
	return rc || !p->key_in_url ? rc : add(out, "key_in_url", "accepted");
}

static int add_row(struct bc_buf *out, const struct bc_answer_rule *row)
{
	int rc = row->status_from == row->status_to
			 ? bc_buf_addf(out, "\n[answer %d]\n", row->status_from)
			 : bc_buf_addf(out, "\n[answer %d-%d]\n", row->status_from, row->status_to);
	if (!rc)
		rc = add(out, "message", row->message);
	if (!rc && row->young_click)
		rc = add(out, "young", "yes");
	if (!rc)
		rc = add(out, "outcome", bc_outcome_name(row->outcome));
	if (!rc)
		rc = add(out, "meaning", row->meaning);
	if (!rc && row->hint && row->hint[0])
		rc = add(out, "hint", row->hint);
	return rc ? rc : add(out, "source", row->source);
}

int bc_definition_print(const struct bc_partner *p, struct bc_buf *out)
{
	int rc = bc_buf_adds(out, "[partner]\n");
	if (!rc)
		rc = add(out, "name", p->name);
	if (!rc)
		rc = add(out, "title", p->title);
	if (!rc)
		rc = bc_buf_adds(out, "\n[landing]\n");
	if (!rc)
		rc = add_list(out, "param", p->params);
	if (!rc)
		rc = add_token(out, p);
	if (!rc)
		rc = add_request(out, p);
	for (size_t i = 0; !rc && i < p->rule_count; i++)
		rc = add_row(out, &p->rules[i]);
	return rc;
}
