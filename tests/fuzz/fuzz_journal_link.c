/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the journal's Link fields and validation URLs. What is followed stays on the host that was
 * asked, whoever reads it: curl's URL parser, which sends the request, must see the same host, or
 * none at all. The first line of the input is the URL that was asked, the rest are fields.
 */
#include "protocol/events.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define ASKED "https://events.example:8443/a/b/c?since=x"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	CURLUcode rc = curl_url_get(url, part, &text, CURLU_DEFAULT_PORT);
	BC_ASSERT(rc == CURLUE_OK || !text);
	return text;
}

static void check_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *of_a = part_of(a, part), *of_b = part_of(b, part);
	BC_ASSERT(!of_a == !of_b && (!of_a || strcasecmp(of_a, of_b) == 0));
	curl_free(of_a);
	curl_free(of_b);
}

static void check_same_host(const char *url, const char *asked)
{
	CURLU *a = curl_url(), *b = curl_url();
	BC_ASSERT(a && b);
	for (const char *c = url; *c; c++)
		BC_ASSERT(*c > 0x20 && *c < 0x7f && *c != '#' && *c != '\\');
	/* What curl does not read is not sent anywhere. */
	if (curl_url_set(a, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
	    curl_url_set(b, CURLUPART_URL, asked, CURLU_PATH_AS_IS) == CURLUE_OK) {
		check_part(a, b, CURLUPART_SCHEME);
		check_part(a, b, CURLUPART_HOST);
		check_part(a, b, CURLUPART_PORT);
		char *user = part_of(a, CURLUPART_USER);
		BC_ASSERT(!user);
	}
	curl_url_cleanup(a);
	curl_url_cleanup(b);
}

static void check_fields(struct bc_str fields, const char *asked)
{
	char *url = NULL, *again = NULL, line[32 * 1024];
	int result = bc_link_find(fields, "next", asked, &url);
	BC_ASSERT(result == 0 || result == BC_ENOENT || result == BC_EINVAL);
	BC_ASSERT(!url == (result != 0));
	if (!url)
		return;
	check_same_host(url, asked);
	/* Where it leads is where it leads. */
	BC_ASSERT(snprintf(line, sizeof(line), "<%s>; rel=next", url) < (int)sizeof(line));
	BC_ASSERT(bc_link_find(bc_str_of(line), "next", asked, &again) == 0);
	BC_ASSERT(strcmp(url, again) == 0);
	free(again);
	free(url);
}

static void check_target(struct bc_str target)
{
	char *line = malloc(target.len + 16);
	BC_ASSERT(line);
	memcpy(line, "<", 1);
	memcpy(line + 1, target.ptr, target.len);
	memcpy(line + 1 + target.len, ">; rel=next", 11);
	check_fields((struct bc_str){ line, target.len + 12 }, ASKED);
	free(line);
}

static void check_validation(struct bc_str url)
{
	static const char *const bases[] = { "https://csm.example", "http://127.0.0.1:99/v/w" };
	for (size_t i = 0; i < BC_COUNT(bases); i++) {
		if (!bc_event_validation_url_ok(url, bases[i]))
			continue;
		char *text = bc_str_dup(url);
		BC_ASSERT(text);
		check_same_host(text, bases[i]);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bc_str all = { size > 0 ? (const char *)data : "", size }, fields = all;
	struct bc_str first = bc_str_split(&fields, '\n');
	char *asked = bc_str_dup(first);
	BC_ASSERT(asked);
	check_fields(all, ASKED);
	if (fields.ptr)
		check_fields(fields, asked);
	check_target(all);
	check_validation(all);
	free(asked);
	return 0;
}
