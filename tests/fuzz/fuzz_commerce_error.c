/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reading of error bodies. Whatever comes in, the line must end, be UTF-8 and hold no
 * control byte, and reading it twice must give the same. The input is then put into a body as its
 * message and as its parameters, so that the templates are reached without a fuzzer having to learn
 * JSON's quotes.
 */
#include <backchannel/commerce.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <jansson.h>

#include "base/attr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX_BYTES = 64 * 1024 };

static int read_line(const char *body, size_t bytes, char text[BC_COMMERCE_MESSAGE_BYTES])
{
	memset(text, '~', BC_COMMERCE_MESSAGE_BYTES);
	int found = bc_commerce_error_message(body, bytes, text);
	const char *end = memchr(text, '\0', BC_COMMERCE_MESSAGE_BYTES);
	BC_ASSERT(end && (found == 0 || found == 1));
	BC_ASSERT((found == 1) == (text[0] != '\0'));
	for (const char *c = text; *c; c++) {
		BC_ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
		BC_ASSERT((unsigned char)c[0] != 0xc2 || (unsigned char)c[1] >= 0xa0);
	}
	json_t *valid = json_string(text);
	BC_ASSERT(valid);
	json_decref(valid);
	return found;
}

static void check_body(const char *body, size_t bytes)
{
	char text[BC_COMMERCE_MESSAGE_BYTES];
	char again[BC_COMMERCE_MESSAGE_BYTES];
	BC_ASSERT(read_line(body, bytes, text) == read_line(body, bytes, again));
	BC_ASSERT(strcmp(text, again) == 0);
}

/* A body made of texts; parameters is taken over. */
static void check_message(json_t *message, json_t *parameters)
{
	char text[BC_COMMERCE_MESSAGE_BYTES];
	json_t *root = json_pack("{s:O, s:o, s:[{s:O}]}", "message", message, "parameters",
				 parameters, "errors", "message", message);
	BC_ASSERT(root);
	char *body = json_dumps(root, 0);
	BC_ASSERT(body);
	int found = read_line(body, strlen(body), text);
	/* A message that is read is shown, unless what it became in JSON is above the ceiling. */
	BC_ASSERT(found == (json_string_length(message) > 0) || strlen(body) > BODY_MAX_BYTES);
	free(body);
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_body((const char *)data, size);
	json_t *message = json_stringn((const char *)data, size);
	if (!message)
		return 0;
	check_message(message, json_pack("[s, i, O]", "a", 7, message));
	check_message(message, json_pack("{s:s, s:n, s:O}", "a", "first", "ab", "1", message));
	json_decref(message);
	return 0;
}
