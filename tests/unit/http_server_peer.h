/* SPDX-License-Identifier: MIT */
/*
 * The other side of an HTTP server under test: blocking sockets that send any bytes and read
 * answers with patience. Knows nothing of the server but its port or path.
 */
#ifndef BC_TESTS_HTTP_SERVER_PEER_H
#define BC_TESTS_HTTP_SERVER_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

#define HOST	"Host: shop.example\r\n"
#define GET(to) "GET " to " HTTP/1.1\r\n" HOST

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline int dial_port(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline int dial_unix(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Sends what the server will take; a connection it closed meanwhile is no fault of the client's. */
static inline bool put_bytes(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool put(int fd, const char *text)
{
	return put_bytes(fd, text, strlen(text));
}

/* One recv, with patience. Bytes, 0 at the end, -1 for a reset. */
static inline ssize_t get_some(int fd, char *to, size_t max)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	return recv(fd, to, max, 0);
}

struct reply {
	int status;
	char head[2048]; /* with its empty line */
	char *body;	 /* owned; NUL added */
	size_t body_len;
};

static inline void reply_finish(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

static inline const char *reply_header(const struct reply *r, const char *name)
{
	static char value[256];
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
	const char *at = strstr(r->head, wanted);
	if (!at)
		return NULL;
	at += strlen(wanted);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

/* Reads one head byte by byte, so that nothing of what follows is lost. */
static inline bool get_head(int fd, struct reply *r)
{
	size_t len = 0;

	*r = (struct reply){ 0 };
	while (len < 4 || memcmp(r->head + len - 4, "\r\n\r\n", 4) != 0) {
		assert_true(len < sizeof(r->head) - 1);
		if (get_some(fd, r->head + len, 1) <= 0)
			return false;
		r->head[++len] = '\0';
	}
	assert_int_equal(sscanf(r->head, "HTTP/1.1 %d ", &r->status), 1);
	return true;
}

/* Reads one answer. false: the connection ended instead. */
static inline bool get_reply(int fd, struct reply *r, bool to_head)
{
	const char *length;

	if (!get_head(fd, r))
		return false;
	length = reply_header(r, "Content-Length");
	size_t wanted = length && !to_head ? (size_t)atol(length) : 0;
	r->body = calloc(1, wanted + 1);
	assert_non_null(r->body);
	while (r->body_len < wanted) {
		ssize_t n = get_some(fd, r->body + r->body_len, wanted - r->body_len);
		assert_true(n > 0);
		r->body_len += (size_t)n;
	}
	return true;
}

/* Is the connection over (orderly), with nothing more to read? */
static inline void expect_end(int fd)
{
	char byte;

	assert_int_equal(get_some(fd, &byte, 1), 0);
}

/* Expects one answer with that status, and its body when one is named. */
static inline void expect_reply(int fd, int status, const char *body)
{
	struct reply r;

	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.status, status);
	assert_non_null(reply_header(&r, "X-Request-Id"));
	if (body)
		assert_string_equal(r.body, body);
	reply_finish(&r);
}

static inline void expect_refusal(int fd, int status)
{
	struct reply r;

	assert_true(get_reply(fd, &r, false));
	assert_int_equal(r.status, status);
	assert_string_equal(reply_header(&r, "Connection"), "close");
	assert_int_equal(atoi(r.body), status);
	reply_finish(&r);
	expect_end(fd);
}

#endif
