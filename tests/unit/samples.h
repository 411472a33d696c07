/* SPDX-License-Identifier: MIT */
/* The sample payloads in tests/samples, as bytes and as JSON. */
#ifndef BC_TESTS_SAMPLES_H
#define BC_TESTS_SAMPLES_H

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/str.h"

/* Owned by the caller: free(ptr). */
static inline struct bc_str sample_bytes(const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "../samples/%s", name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *bytes = malloc(1 << 20);
	assert_non_null(bytes);
	size_t len = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	assert_true(len > 0 && len < 1 << 20);
	return (struct bc_str){ bytes, len };
}

/* Owned by the caller. */
static inline json_t *sample_json(const char *name)
{
	struct bc_str bytes = sample_bytes(name);
	json_t *json = json_loadb(bytes.ptr, bytes.len, 0, NULL);
	free((char *)bytes.ptr);
	assert_non_null(json);
	return json;
}

#endif
