/* SPDX-License-Identifier: MIT */
/* The text with zeroes where blanks were, and where they stand: printing is a copy and a few
 * strokes over it. */
#include "sandbox/mould.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sandbox/commerce.h"

enum { BLANKS_MAX = 64, NUMBER_DIGITS = 9, TEXT_MAX = 16 * 1024 * 1024 };

enum blank_kind { BLANK_NUMBER, BLANK_EVENT, BLANK_ID, BLANK_KEY, BLANK_TIME };

static const struct {
	const char *name;
	size_t width;
} kinds[] = {
	[BLANK_NUMBER] = { "{n}", NUMBER_DIGITS },
	[BLANK_EVENT] = { "{event}", MOULD_ID_BYTES },
	[BLANK_ID] = { "{id}", MOULD_ID_BYTES },
	[BLANK_KEY] = { "{key}", MOULD_ID_BYTES },
	[BLANK_TIME] = { "{time}", BC_TIME_TEXT_BYTES - 1 },
};

struct blank {
	enum blank_kind kind;
	size_t at;
};

struct sandbox_mould {
	unsigned refs;
	char *text; /* owned */
	size_t text_bytes;
	struct blank blanks[BLANKS_MAX];
	size_t blank_count;
};

/* Which blank the text begins with; -1 = none. */
static int blank_here(struct bc_str text)
{
	for (size_t i = 0; i < BC_COUNT(kinds); i++)
		if (bc_str_starts(text, kinds[i].name))
			return (int)i;
	return -1;
}

/* Takes one blank from the front of *rest. */
static int take_blank(struct sandbox_mould *m, struct bc_buf *out, int kind, struct bc_str *rest)
{
	static const char zeroes[] = "000000000000000000000000000000000000";
	size_t skip = strlen(kinds[kind].name);

	if (m->blank_count == BLANKS_MAX)
		return BC_ETOOBIG;
	m->blanks[m->blank_count++] = (struct blank){ (enum blank_kind)kind, out->len };
	rest->ptr += skip;
	rest->len -= skip;
	return bc_buf_add(out, zeroes, kinds[kind].width);
}

/* Takes what stands before the next brace, and that brace if it opens no blank. */
static int take_plain(struct bc_buf *out, struct bc_str *rest)
{
	const char *brace = rest->len > 1 ? memchr(rest->ptr + 1, '{', rest->len - 1) : NULL;
	size_t n = brace ? (size_t)(brace - rest->ptr) : rest->len;
	int rc = bc_buf_add(out, rest->ptr, n);

	rest->ptr += n;
	rest->len -= n;
	return rc;
}

static int cast(struct sandbox_mould *m, struct bc_str text)
{
	struct bc_buf out;
	int rc = 0;

	bc_buf_init(&out, TEXT_MAX);
	while (rc == 0 && text.len > 0) {
		int kind = text.ptr[0] == '{' ? blank_here(text) : -1;

		rc = kind >= 0 ? take_blank(m, &out, kind, &text) : take_plain(&out, &text);
	}
	m->text_bytes = out.len;
	if (rc == 0)
		m->text = bc_buf_take(&out);
	bc_buf_finish(&out);
	return m->text ? 0 : BC_ENOMEM;
}

struct sandbox_mould *bc_mould_create(const json_t *json)
{
	struct sandbox_mould *m = calloc(1, sizeof(*m));
	bc_autofree char *text = json ? json_dumps(json, COMMERCE_DUMP) : NULL;

	if (m && text && cast(m, bc_str_of(text)) == 0) {
		m->refs = 1;
		return m;
	}
	free(m);
	return NULL;
}

struct sandbox_mould *bc_mould_ref(struct sandbox_mould *m)
{
	m->refs++;
	return m;
}

void bc_mould_unref(struct sandbox_mould *m)
{
	if (!m || --m->refs > 0)
		return;
	free(m->text);
	free(m);
}

int bc_mould_print(const struct sandbox_mould *m, const struct sandbox_filling *with,
		   struct bc_buf *out)
{
	char number[NUMBER_DIGITS + 1];
	const char *const values[] = {
		[BLANK_NUMBER] = number, [BLANK_EVENT] = with->event, [BLANK_ID] = with->id,
		[BLANK_KEY] = with->key, [BLANK_TIME] = with->time,
	};
	size_t start = out->len;
	int rc = bc_buf_add(out, m->text, m->text_bytes);

	snprintf(number, sizeof(number), "%09" PRIu32, with->number % (MOULD_NUMBER_MAX + 1));
	for (size_t i = 0; rc == 0 && i < m->blank_count; i++) {
		const struct blank *b = &m->blanks[i];

		if (values[b->kind])
			memcpy(out->data + start + b->at, values[b->kind], kinds[b->kind].width);
	}
	return rc;
}
