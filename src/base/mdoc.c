/* SPDX-License-Identifier: MIT */
/* See mdoc.h. */
#include "base/mdoc.h"

#include <string.h>

enum { LINE_WIDTH = 78, TEXT_MAX = 64 * 1024 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

static struct bc_str next_word(struct bc_str *rest)
{
	struct bc_str word;
	while (rest->len && is_blank(rest->ptr[0]))
		*rest = (struct bc_str){ rest->ptr + 1, rest->len - 1 };
	word = (struct bc_str){ rest->ptr, 0 };
	while (word.len < rest->len && !is_blank(word.ptr[word.len]))
		word.len++;
	if (word.len)
		*rest = (struct bc_str){ rest->ptr + word.len, rest->len - word.len };
	return word;
}

/* A single letter with a dot is an initial, and "e.g." is two. */
static bool ends_sentence(struct bc_str word)
{
	if (word.len == 4 && word.ptr[1] == '.')
		return false;
	while (word.len && strchr(")\"'", word.ptr[word.len - 1]))
		word.len--;
	return word.len > 2 && strchr(".?!", word.ptr[word.len - 1]);
}

int bc_mdoc_fill(struct bc_buf *out, struct bc_str text)
{
	size_t column = 0;
	bool ended = false;
	int rc = 0;

	for (;;) {
		struct bc_str word = next_word(&text);
		bool first = column == 0;
		bool fresh = !first && (ended || column + 1 + word.len > LINE_WIDTH);
		if (rc || !word.len)
			break;
		bool guard = (first || fresh) && (word.ptr[0] == '.' || word.ptr[0] == '\'');
		rc = bc_buf_addf(out, "%s%s%.*s",
				 first	 ? ""
				 : fresh ? "\n"
					 : " ",
				 guard ? "\\&" : "", (int)word.len, word.ptr);
		column = first || fresh ? word.len : column + 1 + word.len;
		ended = ends_sentence(word);
	}
	return rc || !column ? rc : bc_buf_adds(out, "\n");
}

/* groff makes a typographic hyphen of a bare dash, which no shell takes. */
static int escape(struct bc_buf *out, const char *text)
{
	char before = ' ';
	int rc = 0;

	for (; !rc && *text; before = *text++) {
		bool of_option = *text == '-' && !((before >= 'a' && before <= 'z') ||
						   (before >= 'A' && before <= 'Z') ||
						   (before >= '0' && before <= '9'));
		rc = *text == '\\' ? bc_buf_adds(out, "\\e")
		     : of_option   ? bc_buf_adds(out, "\\-")
				   : bc_buf_add(out, text, 1);
	}
	return rc;
}

int bc_mdoc_prose(struct bc_buf *out, const char *text)
{
	struct bc_buf words;
	int rc;

	bc_buf_init(&words, TEXT_MAX);
	rc = escape(&words, text);
	if (!rc)
		rc = bc_mdoc_fill(out, (struct bc_str){ words.data, words.len });
	bc_buf_finish(&words);
	return rc;
}

int bc_mdoc_literal(struct bc_buf *out, const char *text)
{
	struct bc_str rest = bc_str_of(text);
	int rc = 0;

	while (!rc && rest.ptr && rest.len) {
		struct bc_str line = bc_str_split(&rest, '\n');
		rc = line.len && (line.ptr[0] == '.' || line.ptr[0] == '\'')
			     ? bc_buf_adds(out, "\\&")
			     : 0;
		for (size_t i = 0; !rc && i < line.len; i++)
			rc = line.ptr[i] == '\\'  ? bc_buf_adds(out, "\\e")
			     : line.ptr[i] == '-' ? bc_buf_adds(out, "\\-")
						  : bc_buf_add(out, &line.ptr[i], 1);
		if (!rc)
			rc = bc_buf_adds(out, "\n");
	}
	return rc;
}
