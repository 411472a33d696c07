/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of a web server's line. The input is the datagram. Of a line that is taken, a
 * second reader must find the same: the JSON library alone, on what stands behind the first brace.
 */
#include "protocol/capture_line.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const json_t *object, const char *name, struct bc_str have)
{
	const json_t *value = json_object_get(object, name);
	struct bc_str want = { json_string_value(value), json_string_length(value) };
	if (!want.len || bc_str_eq(want, "-")) {
		BC_ASSERT(!have.ptr);
		return;
	}
	BC_ASSERT(have.ptr && have.len == want.len && !memcmp(have.ptr, want.ptr, want.len));
	BC_ASSERT(!memchr(have.ptr, '\0', have.len) && have.ptr[have.len] == '\0');
}

static void check_click(const struct bc_capture_line *line)
{
	uint8_t id[16];
	if (!line->click[0])
		return;
	BC_ASSERT(strlen(line->click) == BC_CAPTURE_CLICK_BYTES - 1);
	BC_ASSERT(bc_str_starts(bc_str_of(line->click), "c."));
	BC_ASSERT(!bc_unhex(bc_str_of(line->click + 2), id, sizeof(id)));
}

static void check_taken(const struct bc_capture_line *line, const uint8_t *data, size_t size)
{
	const uint8_t *brace = memchr(data, '{', size);
	check_click(line);
	BC_ASSERT(brace && size <= BC_CAPTURE_LINE_MAX);
	/* The end of the object is found by the library; what may follow is white space and NUL. */
	json_t *object = json_loadb((const char *)brace, size - (size_t)(brace - data),
				    JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
	if (!object) /* of other bytes than UTF-8 it takes none */
		return;
	check_text(object, "tok", line->token);
	check_text(object, "uri", line->uri);
	check_text(object, "sess", line->session);
	check_text(object, "newsess", line->new_session);
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bc_arena *arena = bc_arena_create(1024, 256 * 1024);
	struct bc_str datagram = { size ? (const char *)data : "", size };
	struct bc_capture_line line = { 0 };
	struct bc_err err = { 0 };
	BC_ASSERT(arena);
	int result = bc_capture_line_read(datagram, arena, &line, &err);
	BC_ASSERT(result == 0 || result == BC_EINVAL || result == BC_ETOOBIG);
	BC_ASSERT((result == 0) == !err.text[0]);
	if (!result)
		check_taken(&line, data, size);
	bc_arena_destroy(arena);
	return 0;
}
