/* SPDX-License-Identifier: MIT */
/* For request bodies that stream: a call that sends one, and an other side that listens to it, with
 * or without chunks, and keeps what it heard. */
#ifndef BC_TESTS_HTTP_UPLOAD_FIXTURE_H
#define BC_TESTS_HTTP_UPLOAD_FIXTURE_H

#include "http_stream_fixture.h"

#define OK_HEAD	 "HTTP/1.1 200 OK\r\n"
#define OK_EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"

/* How the other side leaves. */
enum { BY_GOODBYE, BY_RESET, BY_READING };
static atomic_int early_close;

static inline struct bc_http_exchange upload(struct sink *s, const char *method, int64_t body_bytes)
{
	static char url[URL_BYTES];
	struct bc_http_exchange x = sink_exchange(s, method, url_of(url, "http", SECRET_PATH));

	s->stream.read = sink_read;
	s->stream.body_bytes = body_bytes;
	return x;
}

static inline void run_upload(struct sink *s, const char *method, int64_t body_bytes)
{
	struct bc_http_exchange x = upload(s, method, body_bytes);

	sink_start(s, &x);
	run_until_done();
	assert_null(strstr(s->r.a.error_text, "sesame"));
}

static char heard_head[4096];
static char heard_body[16384];
static atomic_size_t heard_bytes;
static atomic_bool heard_end; /* of a chunked body */
static atomic_int heard_wrong;
static atomic_size_t heard_length; /* what a body without chunks has */

static inline void hear_bytes(int fd, size_t len)
{
	static char bytes[65536];

	while (len > 0) {
		ssize_t n = recv(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), 0);
		if (n <= 0)
			return;
		size_t place = atomic_load(&heard_bytes);
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != byte_at(place + (size_t)i))
				atomic_fetch_add(&heard_wrong, 1);
		if (place + (size_t)n <= sizeof(heard_body))
			memcpy(heard_body + place, bytes, (size_t)n);
		atomic_fetch_add(&heard_bytes, (size_t)n);
		len -= (size_t)n;
	}
}

static inline void hear_chunks(int fd)
{
	for (;;) {
		const char *line = far_hear_until(fd, "\r\n");
		size_t len = strtoul(line, NULL, 16);
		if (!line[0])
			return;
		hear_bytes(fd, len);
		if (strcmp(far_hear_until(fd, "\r\n"), "\r\n") != 0)
			return;
		if (len == 0)
			break;
	}
	atomic_store(&heard_end, true);
}

static inline void hear_and_accept(int fd)
{
	snprintf(heard_head, sizeof(heard_head), "%s", far_hear_head(fd));
	if (strstr(heard_head, "chunked"))
		hear_chunks(fd);
	else
		hear_bytes(fd, heard_length);
	far_say(fd, OK_HEAD "Content-Length: 2\r\n\r\nok");
	far_hear_all(fd);
}

static inline void hear_nothing_yet(size_t length)
{
	heard_head[0] = '\0';
	heard_length = length;
	atomic_store(&heard_bytes, 0);
	atomic_store(&heard_end, false);
	atomic_store(&heard_wrong, 0);
}

#endif
