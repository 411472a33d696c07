/* SPDX-License-Identifier: MIT */
/* See check_visit.h. */
#include "cli/check_visit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/err.h"

enum { TIMEOUT_MS = 20 * 1000, CONNECT_MS = 10 * 1000, BODY_MAX_BYTES = 1024 * 1024 };

/* --- URLs ------------------------------------------------------------------------------------ */

static bool take_part(CURLU *u, CURLUPart part, char *text, size_t bytes)
{
	char *found = NULL;
	bool ok = u && !curl_url_get(u, part, &found, 0) && strlen(found) < bytes;
	if (ok)
		memcpy(text, found, strlen(found) + 1);
	curl_free(found);
	return ok;
}

bool visit_resolve(const char *base, const char *link, char *ret_url, size_t bytes)
{
	CURLU *u = curl_url();
	bool ok = u && !curl_url_set(u, CURLUPART_URL, base, 0) &&
		  !curl_url_set(u, CURLUPART_URL, link, CURLU_URLENCODE) &&
		  !curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) &&
		  take_part(u, CURLUPART_URL, ret_url, bytes);
	curl_url_cleanup(u);
	return ok;
}

bool visit_landing(const char *url, const char *param, const char *token, char *ret_url,
		   size_t bytes)
{
	char pair[256];
	CURLU *u = curl_url();
	snprintf(pair, sizeof(pair), "%s=%s", param, token);
	bool ok = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
		  !curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) &&
		  !curl_url_set(u, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE) &&
		  take_part(u, CURLUPART_URL, ret_url, bytes);
	curl_url_cleanup(u);
	return ok;
}

static void show(struct visit_step *s)
{
	CURLU *u = curl_url();
	if (u && !curl_url_set(u, CURLUPART_URL, s->url, 0) &&
	    !curl_url_set(u, CURLUPART_QUERY, NULL, 0))
		(void)take_part(u, CURLUPART_URL, s->shown, sizeof(s->shown));
	curl_url_cleanup(u);
}

/* --- an answer's head ------------------------------------------------------------------------ */

struct stepping {
	struct visit *visit;
	struct visit_step *step;
	char location[VISIT_URL_BYTES];
};

static void read_cache(struct visit_step *s, const char *name, struct bc_str value)
{
	bool hit = memmem(value.ptr, value.len, "HIT", 3) ||
		   memmem(value.ptr, value.len, "Hit", 3) || memmem(value.ptr, value.len, "hit", 3);
	if (hit && !s->cache[0])
		snprintf(s->cache, sizeof(s->cache), "%s: %.*s", name, (int)value.len, value.ptr);
}

static void read_field(struct stepping *at, const char *name, struct bc_str value)
{
	static const char *const caches[] = {
		"X-Cache",	  "CF-Cache-Status",	   "X-Cache-Status",
		"X-Proxy-Cache",  "X-Magento-Cache-Debug", "Cache-Status",
		"X-Varnish-Cache"
	};
	if (strcasecmp(name, "Location") == 0)
		snprintf(at->location, sizeof(at->location), "%.*s", (int)value.len, value.ptr);
	else if (strcasecmp(name, "Age") == 0)
		at->step->age_s = strtol(value.ptr, NULL, 10);
	else if (strcasecmp(name, "Set-Cookie") == 0 &&
		 check_cookie_read(value, &at->visit->cookie)) {
		at->step->set_click = true;
		at->visit->cookie_at = (size_t)(at->step - at->visit->steps);
	}
	for (size_t i = 0; i < BC_COUNT(caches); i++)
		if (strcasecmp(name, caches[i]) == 0)
			read_cache(at->step, caches[i], value);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
	char name[64];
	size_t n = size * count;
	const char *colon = memchr(bytes, ':', n);
	if (!colon || (size_t)(colon - bytes) >= sizeof(name))
		return n;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - bytes), bytes);
	struct bc_str value = { colon + 1, (size_t)(bytes + n - colon - 1) };
	while (value.len && value.ptr[0] == ' ') {
		value.ptr++;
		value.len--;
	}
	while (value.len && (unsigned char)value.ptr[value.len - 1] <= ' ')
		value.len--;
	if (value.len)
		read_field(ctx, name, value);
	return n;
}

/* What is more than fits is not looked at: scripts stand in the head. */
static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct stepping *at = ctx;
	size_t room = BODY_MAX_BYTES - 1 - at->visit->body.len, n = size * count;
	return bc_buf_add(&at->visit->body, bytes, n < room ? n : room) ? 0 : n;
}

/* --- going ----------------------------------------------------------------------------------- */

static struct curl_slist *browser_fields(void)
{
	static const char *const fields[] = { "Accept: text/html,application/xhtml+xml,*/*;q=0.8",
					      "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate",
					      "Sec-Fetch-Dest: document" };
	struct curl_slist *list = NULL;
	for (size_t i = 0; i < BC_COUNT(fields); i++) {
		struct curl_slist *more = curl_slist_append(list, fields[i]);
		list = more ? more : list;
	}
	return list;
}

static CURL *prepare(struct stepping *at, struct curl_slist *fields)
{
	CURL *curl = curl_easy_init();
	if (!curl)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT,
			 "Mozilla/5.0 (compatible; backchannel-check/" BC_VERSION ")");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, at);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, at);
	return curl;
}

/* One answer. False: there is none. */
static bool step(const struct check_walk *w, CURL *curl, struct stepping *at)
{
	struct visit *v = at->visit;
	long status = 0;
	at->location[0] = '\0';
	at->step->age_s = -1;
	show(at->step);
	bc_buf_reset(&v->body);
	curl_easy_setopt(curl, CURLOPT_URL, at->step->url);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)check_time_left_ms(w, CONNECT_MS));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)check_time_left_ms(w, TIMEOUT_MS));
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	at->step->status = (int)status;
	v->count++;
	if (code != CURLE_OK)
		snprintf(v->error, sizeof(v->error), "%s", curl_easy_strerror(code));
	return code == CURLE_OK;
}

static bool is_redirect(const struct stepping *at)
{
	return at->step->status >= 300 && at->step->status < 400 && at->location[0];
}

static void follow(const struct check_walk *w, CURL *curl, struct stepping *at, const char *token)
{
	struct visit *v = at->visit;
	at->step->has_token = strstr(at->step->url, token) != NULL;
	while (step(w, curl, at) && is_redirect(at)) {
		struct visit_step *next = &v->steps[v->count];
		v->endless = v->count == VISIT_STEPS;
		if (v->endless ||
		    !visit_resolve(at->step->url, at->location, next->url, sizeof(next->url)))
			return;
		next->has_token = strstr(next->url, token) != NULL;
		at->step = next;
	}
}

static int begin(struct visit *v, struct stepping *at, struct curl_slist **ret_fields,
		 CURL **ret_curl, struct bc_err *err)
{
	*v = (struct visit){ 0 };
	bc_buf_init(&v->body, BODY_MAX_BYTES);
	*at = (struct stepping){ .visit = v, .step = v->steps };
	*ret_fields = browser_fields();
	*ret_curl = prepare(at, *ret_fields);
	return *ret_curl ? 0 : bc_err_nomem(err);
}

int visit_make(const struct check_walk *w, const char *url, const char *param, const char *token,
	       struct visit *v, struct bc_err *err)
{
	struct stepping at;
	struct curl_slist *fields;
	CURL *curl;
	int result = begin(v, &at, &fields, &curl, err);
	if (!result &&
	    !visit_landing(url, param, token, v->steps[0].url, sizeof(v->steps[0].url))) {
		bc_err_set(err, BC_EINVAL, "\"%.200s\" is no URL of a page", url);
		bc_err_hint(err, "write it whole: https://shop.example/landing");
		result = BC_EINVAL;
	}
	if (!result)
		follow(w, curl, &at, token);
	curl_easy_cleanup(curl);
	curl_slist_free_all(fields);
	return result;
}

int visit_beacon(const struct check_walk *w, const char *endpoint, const char *landing,
		 struct visit *v, struct bc_err *err)
{
	struct stepping at;
	struct curl_slist *fields, *own = NULL;
	CURL *curl;
	int result = begin(v, &at, &fields, &curl, err);
	if (!result) {
		own = curl_slist_append(NULL, "Sec-Fetch-Site: same-origin");
		own = curl_slist_append(own, "Sec-Fetch-Dest: empty");
		own = curl_slist_append(own, "Content-Type: text/plain;charset=UTF-8");
		snprintf(v->steps[0].url, sizeof(v->steps[0].url), "%s", endpoint);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, own);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, landing);
		(void)step(w, curl, &at);
	}
	curl_easy_cleanup(curl);
	curl_slist_free_all(fields);
	curl_slist_free_all(own);
	return result;
}

void visit_finish(struct visit *v)
{
	bc_buf_finish(&v->body);
}
