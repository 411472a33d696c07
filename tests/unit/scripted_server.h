/* SPDX-License-Identifier: MIT */
/*
 * The other side of the HTTP client's tests: blocking sockets, one thread a connection, and one
 * step of a script a request. It shares no code with the client or with our server, so that a
 * mistake in those can't hide here. Its threads allocate nothing through the wrapped allocator.
 */
#ifndef BC_TESTS_SCRIPTED_SERVER_H
#define BC_TESTS_SCRIPTED_SERVER_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"

enum { SERVER_CONNECTIONS_MAX = 256, SERVER_SEEN_BYTES = 8192 };

enum then { THEN_KEEP, THEN_CLOSE, THEN_RESET, THEN_HANG };

struct step {
	const char *answer;  /* NULL = nothing is written */
	size_t answer_bytes; /* 0 = answer is a C string */
	size_t repeat;	     /* the answer's last line again and again, so many times */
	enum then then;
	bool unread; /* the request is awaited, but not read */
};

struct server {
	const struct step *steps; /* the last one serves all further requests too */
	size_t step_count;
	SSL_CTX *tls; /* borrowed; NULL = plain */
	int port;
	int fd;
	int stop[2];
	pthread_t acceptor;
	pthread_t threads[SERVER_CONNECTIONS_MAX];
	atomic_int accepted;
	atomic_int requests;
	atomic_int closed;
	atomic_size_t body_bytes;     /* of the last request */
	char seen[SERVER_SEEN_BYTES]; /* the last request's head and as much of its body as fits */
};

struct peer {
	struct server *server;
	int fd;
	SSL *tls;
};

/* False when the server is told to stop. */
static inline bool server_wait(const struct server *s, int fd, short events)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = s->stop[0], .events = POLLIN } };

	return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static inline ssize_t peer_read(struct peer *p, void *bytes, size_t len)
{
	if (p->tls)
		return SSL_read(p->tls, bytes, (int)len);
	if (!server_wait(p->server, p->fd, POLLIN))
		return -1;
	return read(p->fd, bytes, len);
}

static inline bool peer_write(struct peer *p, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n;
		if (!server_wait(p->server, p->fd, POLLOUT))
			return false;
		n = p->tls ? SSL_write(p->tls, bytes, (int)len)
			   : send(p->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void peer_close(struct peer *p, bool reset)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (reset)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	if (p->tls && !reset)
		SSL_shutdown(p->tls);
	SSL_free(p->tls);
	close(p->fd);
	atomic_fetch_add(&p->server->closed, 1);
}

/* Whoever of several connections comes last is seen. */
static inline void peer_show(struct peer *p, size_t at, const char *bytes, size_t len)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	memcpy(p->server->seen + at, bytes, len);
	p->server->seen[at + len] = '\0';
	pthread_mutex_unlock(&lock);
}

/* Reads one request into seen. False: the client is gone, or the server stops. */
static inline bool peer_request(struct peer *p)
{
	static _Thread_local char bytes[65536];
	char *head_end = NULL;
	size_t len = 0, want = 0, body = 0;

	while (!head_end && len < SERVER_SEEN_BYTES - 1) {
		ssize_t n = peer_read(p, bytes + len, SERVER_SEEN_BYTES - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		bytes[len] = '\0';
		head_end = strstr(bytes, "\r\n\r\n");
	}
	if (!head_end)
		return false;
	peer_show(p, 0, bytes, len);
	const char *length = strcasestr(bytes, "\r\nContent-Length:");
	if (length && length < head_end)
		want = strtoul(length + 17, NULL, 10);
	body = len - (size_t)(head_end + 4 - bytes);
	while (body < want) {
		ssize_t n = peer_read(p, bytes, sizeof(bytes));
		if (n <= 0)
			return false;
		/* A small body that came in a piece of its own is shown as well. */
		if (len + (size_t)n < SERVER_SEEN_BYTES) {
			peer_show(p, len, bytes, (size_t)n);
			len += (size_t)n;
		}
		body += (size_t)n;
	}
	atomic_store(&p->server->body_bytes, body);
	return true;
}

/* Waits for a request's first byte and leaves it where it is. */
static inline bool peer_spoke(struct peer *p)
{
	char byte;

	return server_wait(p->server, p->fd, POLLIN) && recv(p->fd, &byte, 1, MSG_PEEK) == 1;
}

static inline bool peer_answer(struct peer *p, const struct step *step)
{
	size_t len = step->answer_bytes ? step->answer_bytes
		     : step->answer	? strlen(step->answer)
					: 0;
	size_t line = len;

	if (!peer_write(p, step->answer, len))
		return false;
	while (line > 1 && step->answer[line - 2] != '\n')
		line--;
	for (size_t i = 0; i < step->repeat; i++)
		if (!peer_write(p, step->answer + line - 1, len - line + 1))
			return false;
	return true;
}

static inline void *peer_main(void *arg)
{
	struct server *s = ((struct peer *)arg)->server;
	struct peer p = *(struct peer *)arg;

	(free)(arg);
	if (s->tls) {
		p.tls = SSL_new(s->tls);
		SSL_set_fd(p.tls, p.fd);
	}
	while (!p.tls || SSL_is_init_finished(p.tls) || SSL_accept(p.tls) == 1) {
		size_t n = (size_t)atomic_load(&s->requests);
		const struct step *step = &s->steps[n < s->step_count ? n : s->step_count - 1];

		if (!(step->unread ? peer_spoke(&p) : peer_request(&p)))
			break;
		atomic_fetch_add(&s->requests, 1);
		bool went = peer_answer(&p, step);
		if (step->then == THEN_HANG)
			while (peer_read(&p, (char[64]){ 0 }, 64) > 0)
				continue;
		if (!went || step->then != THEN_KEEP) {
			peer_close(&p, step->then == THEN_RESET);
			return NULL;
		}
	}
	peer_close(&p, false);
	return NULL;
}

/* calloc and free of the C library itself, past the allocator that fails on request. */
void *__real_calloc(size_t count, size_t bytes);

static inline void *server_main(void *arg)
{
	struct server *s = arg;
	sigset_t set;

	/* OpenSSL writes into closed sockets. The client must do without this: it is not told. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (server_wait(s, s->fd, POLLIN)) {
		struct peer *p = __real_calloc(1, sizeof(*p));
		int n = atomic_load(&s->accepted);

		p->server = s;
		p->fd = accept(s->fd, NULL, NULL);
		if (p->fd < 0 || n == SERVER_CONNECTIONS_MAX)
			abort();
		atomic_store(&s->accepted, n + 1);
		pthread_create(&s->threads[n], NULL, peer_main, p);
	}
	return NULL;
}

/* A listening socket on a free loopback port. */
static inline int listen_anywhere(int *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		abort();
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static inline int listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0)
		abort();
	return fd;
}

/* The caller has set what differs from zero: steps, tls, fd of a Unix socket. */
static inline void server_start(struct server *s, const struct step *steps, size_t count)
{
	s->steps = steps;
	s->step_count = count;
	if (s->fd == 0)
		s->fd = listen_anywhere(&s->port);
	if (pipe(s->stop) < 0)
		abort();
	pthread_create(&s->acceptor, NULL, server_main, s);
}

static inline void server_stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->acceptor, NULL);
	for (int i = 0; i < s->accepted; i++)
		pthread_join(s->threads[i], NULL);
	close(s->stop[0]);
	close(s->fd);
}

#endif
