/* SPDX-License-Identifier: MIT */
/*
 * Hands tokens back with nothing but libcurl's multi interface: the floor under any delivery that
 * libcurl makes. It keeps nothing, retries nothing and reads of an answer only its status; a fixed
 * number of transfers is under way at once, over connections that are kept.
 *
 * usage: curl_post BASE-URL/PRODUCT API-KEY COUNT CONCURRENCY
 * Prints how many were answered 200, and waits for the end of its standard input, so that its
 * processor time can be read.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONCURRENCY_MAX = 1024, URL_MAX_BYTES = 512, POLL_MS = 1000 };

struct run {
	CURLM *multi;
	const char *base;
	char body[256];
	struct curl_slist *headers;
	unsigned long count, started, ended, delivered;
};

static void fail(const char *what)
{
	fprintf(stderr, "curl_post: %s\n", what);
	exit(1);
}

static size_t ignore(char *data, size_t size, size_t n, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * n;
}

/* The token is of the guide's shape, another one for each number. */
static void start(struct run *r, CURL *easy)
{
	char url[URL_MAX_BYTES];
	unsigned long n = r->started++;
	snprintf(url, sizeof(url), "%s/%05lx-%04lx-abc-12345/api", r->base, n & 0xfffff, n >> 20);
	if (curl_easy_setopt(easy, CURLOPT_URL, url) || curl_multi_add_handle(r->multi, easy))
		fail("a transfer could not be started");
}

static CURL *transfer(struct run *r)
{
	CURL *easy = curl_easy_init();
	if (!easy)
		fail("out of memory");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	return easy;
}

static void end(struct run *r, CURL *easy, CURLcode result)
{
	long status = 0;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(r->multi, easy);
	r->ended++;
	r->delivered += result == CURLE_OK && status == 200;
	if (r->started < r->count)
		start(r, easy);
	else
		curl_easy_cleanup(easy);
}

static void deliver_all(struct run *r)
{
	while (r->ended < r->count) {
		int running, left;
		if (curl_multi_perform(r->multi, &running))
			fail("libcurl's multi interface failed");
		for (CURLMsg *m; (m = curl_multi_info_read(r->multi, &left));)
			end(r, m->easy_handle, m->data.result);
		if (curl_multi_poll(r->multi, NULL, 0, r->ended < r->count ? POLL_MS : 0, NULL))
			fail("libcurl's multi interface failed");
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		fail("usage: curl_post BASE-URL/PRODUCT API-KEY COUNT CONCURRENCY");
	struct run r = { .base = argv[1], .count = strtoul(argv[3], NULL, 10) };
	unsigned long concurrency = strtoul(argv[4], NULL, 10);
	if (!concurrency || concurrency > CONCURRENCY_MAX || curl_global_init(CURL_GLOBAL_DEFAULT))
		fail("the concurrency is from 1 to 1024");
	snprintf(r.body, sizeof(r.body), "{\"apiKey\":\"%s\"}", argv[2]);
	r.headers = curl_slist_append(NULL, "Content-Type: application/json");
	r.multi = curl_multi_init();
	if (!r.multi || !r.headers)
		fail("out of memory");
	curl_multi_setopt(r.multi, CURLMOPT_MAXCONNECTS, (long)concurrency);
	for (unsigned long i = 0; i < concurrency && r.started < r.count; i++)
		start(&r, transfer(&r));
	deliver_all(&r);
	printf("%lu\n", r.delivered);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	curl_multi_cleanup(r.multi);
	curl_slist_free_all(r.headers);
	curl_global_cleanup();
	return r.delivered == r.count ? 0 : 1;
}
