/* SPDX-License-Identifier: MIT */
/* See http_url.h. */
#include "net/http_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

enum { HOST_BYTES = 256 };

/* "localhost", an address of 127.0.0.0/8, "[::1]". */
static bool is_loopback(const char *host)
{
	char v6_text[HOST_BYTES];
	struct in_addr v4;
	struct in6_addr v6;
	size_t len = strlen(host);

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (len < 3 || len >= sizeof(v6_text) || host[0] != '[' || host[len - 1] != ']')
		return false;
	memcpy(v6_text, host + 1, len - 2);
	v6_text[len - 2] = '\0';
	return inet_pton(AF_INET6, v6_text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool has(CURLU *parsed, CURLUPart part)
{
	char *text = NULL;
	bool there = curl_url_get(parsed, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return there;
}

/* *ret_text is for curl_free; NULL where the part is not there: a file's URL has no host. */
static int take_part(CURLU *parsed, CURLUPart part, char **ret_text, struct bc_err *err)
{
	CURLUcode rc = curl_url_get(parsed, part, ret_text, 0);

	if (rc == CURLUE_OUT_OF_MEMORY)
		return bc_err_nomem(err);
	if (rc != CURLUE_OK)
		*ret_text = NULL;
	return 0;
}

static bool is_safe(const char *scheme, const char *host)
{
	if (!scheme || !host)
		return false;
	return strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host));
}

static int check_host(CURLU *parsed, const char *what, struct bc_err *err)
{
	char *scheme = NULL, *host = NULL;
	int result = take_part(parsed, CURLUPART_SCHEME, &scheme, err);

	if (!result)
		result = take_part(parsed, CURLUPART_HOST, &host, err);
	if (!result && !is_safe(scheme, host)) {
		result = bc_err_set(err, BC_EINVAL, "%s is not https: \"%s://%s\"", what,
				    scheme ? scheme : "", host ? host : "");
		bc_err_hint(err, "write https://; http is for this very machine only, since "
				 "secrets are sent to it");
	}
	curl_free(scheme);
	curl_free(host);
	return result;
}

int bc_http_url_check(const char *url, const char *what, struct bc_err *err)
{
	CURLU *parsed = curl_url();
	int result = 0;

	if (!parsed)
		return bc_err_nomem(err);
	CURLUcode rc = curl_url_set(parsed, CURLUPART_URL, url ? url : "",
				    CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
	if (rc == CURLUE_OUT_OF_MEMORY)
		result = bc_err_nomem(err);
	else if (rc != CURLUE_OK)
		result = bc_err_tell(err, BC_EINVAL,
				     "write scheme and host, such as https://host/path",
				     "%s is not a URL: %s", what, curl_url_strerror(rc));
	else if (has(parsed, CURLUPART_USER) || has(parsed, CURLUPART_PASSWORD) ||
		 has(parsed, CURLUPART_FRAGMENT))
		result = bc_err_tell(err, BC_EINVAL, "leave out what stands before @ and after #",
				     "%s holds a user or a fragment", what);
	else
		result = check_host(parsed, what, err);
	curl_url_cleanup(parsed);
	return result;
}
