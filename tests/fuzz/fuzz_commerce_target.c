/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes where a call goes. The input is a base URL, a store view and a path, a line each (what
 * follows the second line feed is all path), mapped on both flavors. Whatever is accepted must stay
 * below its base, hold nothing that another server resolves away, end in the caller's own bytes,
 * and map to itself. The path is then taken as a SKU.
 */
#include <backchannel/commerce.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decoded by a code of its own, twice, and split at every slash. */
static void check_no_climb(struct bc_str resource)
{
	BC_CLEANUP(bc_buf_finish) struct bc_buf once;
	BC_CLEANUP(bc_buf_finish) struct bc_buf twice;
	struct bc_str path = bc_str_split(&resource, '?');
	bc_buf_init(&once, BC_COMMERCE_URL_MAX);
	bc_buf_init(&twice, BC_COMMERCE_URL_MAX);
	BC_ASSERT(bc_percent_decode(&once, path, false) == 0);
	BC_ASSERT(bc_percent_decode(&twice, (struct bc_str){ once.data, once.len }, false) == 0);
	for (size_t i = 0; i < twice.len; i++) {
		BC_ASSERT((unsigned char)twice.data[i] >= 0x20 && twice.data[i] != 0x7f);
		if (twice.data[i] == '\\')
			twice.data[i] = '/';
	}
	struct bc_str rest = { twice.data, twice.len };
	while (rest.ptr) {
		struct bc_str segment = bc_str_split(&rest, '/');
		struct bc_str name = bc_str_split(&segment, ';');
		BC_ASSERT(!bc_str_eq(name, ".") && !bc_str_eq(name, ".."));
	}
}

static void check_url(const char *base, const struct bc_commerce_target *target)
{
	size_t base_bytes = strlen(base);
	while (base_bytes > 0 && base[base_bytes - 1] == '/')
		base_bytes--;
	size_t url_bytes = strlen(target->url);
	BC_ASSERT(url_bytes <= BC_COMMERCE_URL_MAX && url_bytes > base_bytes);
	BC_ASSERT(memcmp(target->url, base, base_bytes) == 0);
	BC_ASSERT(target->url[base_bytes] == '/' && target->url[base_bytes + 1] != '/');
	for (const char *c = target->url; *c; c++)
		BC_ASSERT(*c > ' ' && *c <= '~' && !strchr("#\\\"<>", *c));
	BC_ASSERT(target->resource >= target->url + base_bytes);
	BC_ASSERT(target->resource[0] == '/' && target->resource[1] != '/');
	check_no_climb(bc_str_of(target->url + base_bytes));
	BC_ASSERT(strlen(target->store) < BC_COMMERCE_STORE_BYTES);
	for (const char *c = target->store; *c; c++)
		BC_ASSERT(*c == '_' || (*c >= '0' && *c <= '9') ||
			  ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'));
}

/* What was made of a path makes the same again. */
static void check_again(const char *base, enum bc_commerce_flavor flavor,
			const struct bc_commerce_target *target)
{
	struct bc_commerce_target again;
	size_t base_bytes = strlen(base);
	while (base_bytes > 0 && base[base_bytes - 1] == '/')
		base_bytes--;
	/* On SaaS a resource such as "/rest" would be read as a prefix once more. */
	if (flavor != BC_COMMERCE_PAAS && strncmp(target->resource, "/rest", 5) == 0)
		return;
	BC_ASSERT(bc_commerce_target_build(base, flavor, target->url + base_bytes, target->store,
					   &again, NULL) == 0);
	BC_ASSERT(strcmp(again.url, target->url) == 0);
	BC_ASSERT(strcmp(again.resource, target->resource) == 0);
	BC_ASSERT(strcmp(again.store, target->store) == 0);
	free(again.url);
}

static int check_target(const char *base, enum bc_commerce_flavor flavor, const char *path,
			const char *store)
{
	struct bc_commerce_target target = { 0 };
	struct bc_err err = { 0 };
	int r = bc_commerce_target_build(base, flavor, path, store, &target, &err);
	BC_ASSERT(err.code == r);
	if (r < 0) {
		BC_ASSERT(!target.url && err.text[0] && err.hint[0]);
		return r;
	}
	check_url(base, &target);
	size_t tail = strlen(target.resource) - 1;
	BC_ASSERT(strlen(path) >= tail);
	BC_ASSERT(strcmp(path + strlen(path) - tail, target.resource + 1) == 0);
	check_again(base, flavor, &target);
	free(target.url);
	return r;
}

static void check_sku(const char *sku)
{
	char path[512] = "/V1/products/";
	size_t before = strlen(path);
	int r = bc_commerce_segment_append(path, sizeof(path), sku);
	if (r < 0) {
		BC_ASSERT(strlen(path) == before);
		return;
	}
	BC_CLEANUP(bc_buf_finish) struct bc_buf decoded;
	bc_buf_init(&decoded, sizeof(path));
	BC_ASSERT(!strchr(path + before, '/'));
	BC_ASSERT(bc_percent_decode(&decoded, bc_str_of(path + before), false) == 0);
	BC_ASSERT(strcmp(decoded.data, sku) == 0);
	BC_ASSERT(check_target("https://h/t", BC_COMMERCE_SAAS, path, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bc_autofree char *text = malloc(size + 1);
	BC_ASSERT(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	char *base = text;
	char *store = base + strcspn(base, "\n");
	if (*store)
		*store++ = '\0';
	char *path = store + strcspn(store, "\n");
	if (*path)
		*path++ = '\0';
	enum bc_commerce_flavor flavor = bc_commerce_flavor_of(base);
	BC_ASSERT(flavor == BC_COMMERCE_SAAS || flavor == BC_COMMERCE_PAAS);
	int as_auto = check_target(base, BC_COMMERCE_AUTO, path, store);
	int as_flavor = check_target(base, flavor, path, store);
	BC_ASSERT(as_auto == as_flavor);
	(void)check_target("https://h/t", BC_COMMERCE_SAAS, path, store);
	(void)check_target("https://h", BC_COMMERCE_PAAS, path, NULL);
	check_sku(path);
	return 0;
}
