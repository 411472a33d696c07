/* SPDX-License-Identifier: MIT */
/* Links of the journal and validation URLs: what is followed, and everything that is not. */
#include "protocol/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/failing_malloc.h"
#include "tests/unit/samples.h"

#define HOST	 "https://events-va6.adobe.io"
#define REGISTER "/events/organizations/23294/integrations/54108/f89067f2"
#define ASKED	 HOST REGISTER "?since=camel:1:2&limit=50"

static const struct {
	const char *target;
	const char *wanted; /* NULL: it is not followed */
} targets[] = {
	{ REGISTER "?since=penguin:1:2", HOST REGISTER "?since=penguin:1:2" },
	{ "/events-fast/organizations/1?since=a", HOST "/events-fast/organizations/1?since=a" },
	{ HOST "/events-fast/x?y", HOST "/events-fast/x?y" },
	{ "HTTPS://EVENTS-VA6.ADOBE.IO:443/x", "HTTPS://EVENTS-VA6.ADOBE.IO:443/x" },
	{ "//events-va6.adobe.io/x", HOST "/x" },
	{ "?since=b", HOST REGISTER "?since=b" },
	{ "", ASKED },
	{ "#top", ASKED },
	{ "/x#top", HOST "/x" },
	{ "next?since=b", HOST "/events/organizations/23294/integrations/54108/next?since=b" },
	{ "./next", HOST "/events/organizations/23294/integrations/54108/next" },
	{ "../next", HOST "/events/organizations/23294/integrations/next" },
	{ "..", HOST "/events/organizations/23294/integrations/" },
	{ "../../../../../../../next", HOST "/next" },
	{ "/../../x/./y/../z/.", HOST "/x/z/" },
	{ "/a/..b/...c", HOST "/a/..b/...c" },
	{ "/", HOST "/" },
	{ " /x ", HOST "/x" },
	{ "/x?u=https://other.example/", HOST "/x?u=https://other.example/" },
	{ "x/y:z", HOST "/events/organizations/23294/integrations/54108/x/y:z" },
	/* Elsewhere. */
	{ "http://events-va6.adobe.io/x", NULL },
	{ "https://events-va6.adobe.io:8443/x", NULL },
	{ "https://events-va6.adobe.io.evil.example/x", NULL },
	{ "https://evil.example/events-va6.adobe.io", NULL },
	{ "https://events-va6.adobe.io@evil.example/x", NULL },
	{ "https://user@events-va6.adobe.io/x", NULL },
	{ "https://user:pw@events-va6.adobe.io/x", NULL },
	{ "https://events-va6.adobe.io:443@evil.example/x", NULL },
	{ "//evil.example/x", NULL },
	{ "//events-va6.adobe.io@evil.example/x", NULL },
	{ "https:evil.example/x", NULL },
	{ "https:/x", NULL },
	{ "https:///x", NULL },
	{ "https://", NULL },
	{ "https://events-va6.adobe.io:/x", NULL },
	{ "https://events-va6.adobe.io:0443x/", NULL },
	{ "https://events-va6.adobe.io./x", NULL },
	{ "https://[::1]/x", NULL },
	{ "file:///etc/passwd", NULL },
	{ "ftp://events-va6.adobe.io/x", NULL },
	{ "javascript:alert(1)", NULL },
	{ "\\\\evil.example\\x", NULL },
	{ "https://events-va6.adobe.io\\@evil.example/", NULL },
	{ "/a b", NULL },
	{ "/a\tb", NULL },
	{ "/a\r\nX-Y: z", NULL },
	{ "/a\xc3\xb6", NULL },
	{ "/a\"b", NULL },
};

static int find(const char *fields, const char *asked, char **ret_url)
{
	*ret_url = NULL;
	return bc_link_find(bc_str_of(fields), "next", asked, ret_url);
}

static void targets_are_resolved_and_stay_on_their_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(targets); i++) {
		char fields[512], *url;
		snprintf(fields, sizeof(fields), "<%s>; rel=\"next\"", targets[i].target);
		int result = find(fields, ASKED, &url);
		if (result != (targets[i].wanted ? 0 : BC_EINVAL) ||
		    (url && strcmp(url, targets[i].wanted) != 0))
			fail_msg("<%s> gives %d, %s", targets[i].target, result, url ? url : "-");
		free(url);
	}
}

static void the_port_counts_in_both_spellings(void **state)
{
	(void)state;
	static const struct {
		const char *asked, *target;
		bool followed;
	} rows[] = {
		{ "http://127.0.0.1:9999/j", "http://127.0.0.1:9999/x", true },
		{ "http://127.0.0.1:9999/j", "/x", true },
		{ "http://127.0.0.1:9999/j", "http://127.0.0.1/x", false },
		{ "http://127.0.0.1:9999/j", "http://127.0.0.1:9998/x", false },
		{ "http://127.0.0.1/j", "http://127.0.0.1:80/x", true },
		{ "https://a.example:443/j", "https://a.example/x", true },
		{ "http://[::1]:99/j", "http://[::1]:99/x", true },
		{ "http://[::1]:99/j", "http://[::2]:99/x", false },
		{ "http://localhost/j", "http://localhost:65536/x", false },
		{ "http://localhost/j", "http://localhost:0/x", false },
		{ "http://localhost", "?x", true },
		{ "http://localhost", "x", true },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char fields[256], *url;
		snprintf(fields, sizeof(fields), "<%s>;rel=next", rows[i].target);
		if (find(fields, rows[i].asked, &url) != (rows[i].followed ? 0 : BC_EINVAL))
			fail_msg("%s from %s", rows[i].target, rows[i].asked);
		free(url);
	}
	char *url;
	assert_int_equal(find("<x>;rel=next", "http://localhost", &url), 0);
	assert_string_equal(url, "http://localhost/x");
	free(url);
}

static const struct {
	const char *fields;
	int result;
	const char *path; /* behind the host */
} fields_of[] = {
	{ "</a>; rel=\"next\", </b>; rel=\"validate\"", 0, "/a" },
	{ "</b>; rel=\"validate\", </a>; rel=\"next\"", 0, "/a" },
	{ "</a>; rel=next", 0, "/a" },
	{ "</a>;rel=next", 0, "/a" },
	{ "</a>  ;  rel = \"next\"  ", 0, "/a" },
	{ ", ,</a>; rel=next,,", 0, "/a" },
	{ "</a>; REL=NEXT", 0, "/a" },
	{ "</a>; rel=\"prefetch next\"", 0, "/a" },
	{ "</a>; rel=\"next prefetch\"", 0, "/a" },
	{ "</a>; title=\"rel=prev, <b>; x\"; rel=\"next\"", 0, "/a" },
	{ "</a>; title=\"a \\\" b\"; rel=\"next\"", 0, "/a" },
	{ "</a,b;c>; rel=\"next\"", 0, "/a,b;c" },
	{ "</a>; rel=\"next\", </b>; rel=\"next\"", 0, "/a" },
	{ "</a>; crossorigin; rel=next", 0, "/a" },
	{ "</a>;;rel=next", 0, "/a" },
	/* There is none. */
	{ "", BC_ENOENT, NULL },
	{ " ", BC_ENOENT, NULL },
	{ "</a>", BC_ENOENT, NULL },
	{ "</a>; rel=prev", BC_ENOENT, NULL },
	{ "</a>; rel=\"nextish\"", BC_ENOENT, NULL },
	{ "</a>; rel", BC_ENOENT, NULL },
	{ "</a>; rel=", BC_ENOENT, NULL },
	{ "</a>; rel=prev; rel=next", BC_ENOENT, NULL },
	{ "</a>; rel=next; anchor=\"/other\"", BC_ENOENT, NULL },
	{ "</a>; title=\"</b>; rel=next\"", BC_ENOENT, NULL },
	/* They are broken. */
	{ "/a; rel=next", BC_EINVAL, NULL },
	{ "</a; rel=next", BC_EINVAL, NULL },
	{ "</a>; rel=\"next", BC_EINVAL, NULL },
	{ "</a>; rel=\"next\\", BC_EINVAL, NULL },
	{ "</a> rel=next", BC_EINVAL, NULL },
	{ "</b>; rel=prev </a>; rel=next", BC_EINVAL, NULL },
};

static void the_first_link_that_fits_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(fields_of); i++) {
		char *url, wanted[256];
		int result = find(fields_of[i].fields, ASKED, &url);
		snprintf(wanted, sizeof(wanted), HOST "%s",
			 fields_of[i].path ? fields_of[i].path : "");
		if (result != fields_of[i].result || (!result && strcmp(url, wanted) != 0))
			fail_msg("%s: %d, %s", fields_of[i].fields, result, url ? url : "-");
		free(url);
	}
	char *url;
	assert_int_equal(bc_link_find((struct bc_str){ 0 }, "next", ASKED, &url), BC_ENOENT);
}

/* The Link fields of a sample, joined as a client gets them; owned. */
static char *sample_links(const char *file)
{
	json_t *root = sample_json(file), *value;
	const json_t *links = json_object_get(json_object_get(root, "headers"), "link");
	char *text = calloc(1, 4096);
	size_t i;
	assert_non_null(text);
	json_array_foreach(links, i, value)
	{
		if (i > 0)
			strcat(text, ", ");
		strcat(text, json_string_value(value));
	}
	json_decref(root);
	return text;
}

static void the_samples_lead_on(void **state)
{
	(void)state;
	static const struct {
		const char *file, *rel, *tail;
	} rows[] = {
		{ "adobe-journal-page.json", "next", "000000000002&limit=2" },
		{ "adobe-journal-empty.json", "next", "b6eb?since=penguin:1:2" },
		{ "adobe-journal-empty.json", "validate", "b6eb/validate?since=penguin:1:2" },
	};
	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		char *links = sample_links(rows[i].file), *url = NULL;
		assert_int_equal(bc_link_find(bc_str_of(links), rows[i].rel, ASKED, &url), 0);
		assert_true(strncmp(url, HOST "/events/organizations/23294/", 30) == 0);
		assert_string_equal(url + strlen(url) - strlen(rows[i].tail), rows[i].tail);
		free(url);
		free(links);
	}
}

static void long_links_are_refused(void **state)
{
	(void)state;
	enum { LONG = 100 * 1024 };
	char *fields = malloc(LONG + 64), *url;
	assert_non_null(fields);
	for (size_t len = 9 * 1024; len <= LONG; len += LONG - 9 * 1024) {
		memset(fields, 'a', len);
		memcpy(fields, "</", 2);
		strcpy(fields + len, ">; rel=next");
		assert_int_equal(find(fields, ASKED, &url), BC_EINVAL);
	}
	free(fields);
	assert_int_equal(find("</a>;rel=next", "no URL", &url), BC_EINVAL);
}

#define CSM "https://csm.adobe.io"
static const struct {
	const char *base, *url;
	bool ok;
} validations[] = {
	{ CSM, CSM "/csm/registrations/validate?id=1&challenge=2", true },
	{ CSM, "https://CSM.adobe.io/x", true },
	{ CSM, CSM ":443/x", true },
	{ CSM, CSM, true },
	{ CSM, CSM "?id=1", true },
	{ CSM "/", CSM "/x", true },
	{ CSM "/csm", CSM "/csm", true },
	{ CSM "/csm", CSM "/csm/validate?x=/../", true },
	{ CSM "/csm/", CSM "/csm/validate", true },
	{ "http://127.0.0.1:7/v", "http://127.0.0.1:7/v/x", true },
	{ CSM "/csm", CSM "/csmx/validate", false },
	{ CSM "/csm", CSM "/", false },
	{ CSM "/csm", CSM "/csm/../x", false },
	{ CSM "/csm", CSM "/csm/%2e%2E/x", false },
	{ CSM "/csm", CSM "/csm/.%2e", false },
	{ CSM, CSM "/./x", false },
	{ CSM, "http://csm.adobe.io/x", false },
	{ CSM, CSM ":8443/x", false },
	{ CSM, CSM ".evil.example/x", false },
	{ CSM, CSM "@evil.example/x", false },
	{ CSM, "https://evil.example/https://csm.adobe.io/", false },
	{ CSM, "https://evil.example#@csm.adobe.io/", false },
	{ CSM, "https://evil.example\\@csm.adobe.io/", false },
	{ CSM, "https://user@csm.adobe.io/x", false },
	{ CSM, CSM "/x#y", false },
	{ CSM, CSM "/x y", false },
	{ CSM, CSM "/x\r\nHost: y", false },
	{ CSM, " " CSM "/x", false },
	{ CSM, "/csm/registrations/validate", false },
	{ CSM, "//csm.adobe.io/x", false },
	{ CSM, "", false },
};

static void validation_urls_are_followed_only_below_their_base(void **state)
{
	(void)state;
	for (size_t i = 0; i < BC_COUNT(validations); i++)
		if (bc_event_validation_url_ok(bc_str_of(validations[i].url),
					       validations[i].base) != validations[i].ok)
			fail_msg("%s below %s", validations[i].url, validations[i].base);
	assert_false(bc_event_validation_url_ok((struct bc_str){ 0 }, CSM));
	assert_false(bc_event_validation_url_ok((struct bc_str){ CSM "\0/x", 23 }, CSM));
}

static bool finds(void *ctx)
{
	char *url = NULL;
	(void)ctx;
	int result = find("</b>; rel=prev, <../x/../y?z>; rel=next", ASKED, &url);
	assert_true(result == 0 ? url != NULL : result == BC_ENOMEM);
	free(url);
	return result == 0;
}

static void running_out_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	each_allocation_failing(finds, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_resolved_and_stay_on_their_host),
		cmocka_unit_test(the_port_counts_in_both_spellings),
		cmocka_unit_test(the_first_link_that_fits_counts),
		cmocka_unit_test(the_samples_lead_on),
		cmocka_unit_test(long_links_are_refused),
		cmocka_unit_test(validation_urls_are_followed_only_below_their_base),
		cmocka_unit_test(running_out_of_memory_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
