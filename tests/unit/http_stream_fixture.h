/* SPDX-License-Identifier: MIT */
/*
 * For the HTTP client's streams: the other side as a function that gets each connection in turn, a
 * sink for answers that can wait, and a source for request bodies that can wait.
 */
#ifndef BC_TESTS_HTTP_STREAM_FIXTURE_H
#define BC_TESTS_HTTP_STREAM_FIXTURE_H

#include "http_client_fixture.h"

#include <sys/time.h>

/* --- the other side --------------------------------------------------------------------------- */

static struct {
	void (*script)(int fd); /* closes nothing; what it reads and writes may fail */
	int fd;
	pthread_t thread;
	atomic_int accepted, closed;
	atomic_bool stopping;
} far;

static inline void *far_main(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(far.fd, NULL, NULL);
		struct timeval patience = { .tv_sec = GUARD_MS / 1000 };
		if (atomic_load(&far.stopping))
			return NULL;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		atomic_fetch_add(&far.accepted, 1);
		far.script(fd);
		close(fd);
		atomic_fetch_add(&far.closed, 1);
	}
}

static inline void far_start(void (*script)(int fd))
{
	memset(&far, 0, sizeof(far));
	far.script = script;
	far.fd = listen_anywhere(&server.port);
	pthread_create(&far.thread, NULL, far_main, NULL);
}

static inline void far_stop(void)
{
	atomic_store(&far.stopping, true);
	shutdown(far.fd, SHUT_RDWR);
	pthread_join(far.thread, NULL);
	close(far.fd);
}

static inline bool far_write(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool far_say(int fd, const char *text)
{
	return far_write(fd, text, strlen(text));
}

/* Byte by byte, so that nothing of what follows is swallowed. "" when the client is gone. */
static inline const char *far_hear_until(int fd, const char *end)
{
	static _Thread_local char text[4096];
	size_t len = 0;

	do {
		if (len + 1 == sizeof(text) || recv(fd, text + len, 1, 0) != 1)
			return "";
		text[++len] = '\0';
	} while (len < strlen(end) || strcmp(text + len - strlen(end), end) != 0);
	return text;
}

static inline const char *far_hear_head(int fd)
{
	return far_hear_until(fd, "\r\n\r\n");
}

/* How many bytes come until the client closes. */
static inline size_t far_hear_all(int fd)
{
	static _Thread_local char bytes[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		total += (size_t)n;
	return total;
}

/* Closing with bytes unread makes the kernel send a reset; this says goodbye first. */
static inline void far_hang_up(int fd)
{
	shutdown(fd, SHUT_WR);
	far_hear_all(fd);
}

/* --- bodies whose bytes tell their place ------------------------------------------------------ */

static inline char byte_at(uint64_t place)
{
	return (char)('a' + (place ^ place >> 8 ^ place >> 16) % 23);
}

static inline void fill(char *bytes, size_t len, uint64_t place)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(place + i);
}

/* --- this side -------------------------------------------------------------------------------- */

struct sink {
	struct result r;
	struct bc_http_stream stream;
	struct bc_http_call *call;
	struct bc_task again; /* resumes */
	bool again_posted;
	/* the answer */
	int heads, status;
	int64_t announced;
	char fields[2048]; /* "name|value\n" */
	char text[2048];   /* the body's beginning */
	uint64_t taken;
	int pieces, waits;
	bool told_to_wait; /* data said no more, and nobody resumed */
	bool by_place;	   /* the body's bytes must tell their place */
	uint64_t
		wait_each; /* data says no more after so many bytes, and resumes later; 0 = never */
	uint64_t wait_at;
	bool hold; /* data says no more each time, and nobody resumes */
	/* the request */
	uint64_t given, give_max; /* how much read gives in all */
	size_t give_piece;	  /* at a time; 0 = as much as fits */
	bool give_waits;	  /* says WAIT before each piece, and resumes later */
	bool give_holds;	  /* says WAIT at the end, and nobody resumes */
	bool give_aborts;	  /* at the end */
	bool wait_next;
	int reads;
	/* what to do from inside: */
	void (*in_head)(struct sink *s);
	void (*in_data)(struct sink *s);
	void (*in_read)(struct sink *s);
};

static inline void sink_again(struct bc_task *task)
{
	struct sink *s = BC_CONTAINER(task, struct sink, again);

	s->again_posted = false;
	s->told_to_wait = false;
	if (s->r.count == 0)
		bc_http_call_resume(s->call);
}

static inline void sink_resume_later(struct sink *s)
{
	if (s->again_posted)
		return;
	s->again_posted = true;
	s->again.run = sink_again;
	bc_loop_post(loop, &s->again);
}

static inline void sink_head(void *ctx, const struct bc_http_answer_head *head)
{
	struct sink *s = ctx;
	size_t len = 0;

	assert_int_equal(s->taken, 0);
	s->heads++;
	s->status = head->status;
	s->announced = head->body_bytes;
	for (size_t i = 0; i < head->field_count; i++)
		len += (size_t)snprintf(s->fields + len, sizeof(s->fields) - len, "%.*s|%.*s\n",
					(int)head->fields[i].name.len, head->fields[i].name.ptr,
					(int)head->fields[i].value.len, head->fields[i].value.ptr);
	if (s->in_head)
		s->in_head(s);
}

static inline bool sink_data(void *ctx, struct bc_str bytes)
{
	struct sink *s = ctx;

	assert_int_equal(s->heads, 1);
	assert_false(s->told_to_wait);
	assert_true(bytes.len > 0);
	for (size_t i = 0; i < bytes.len; i++) {
		if (s->by_place && bytes.ptr[i] != byte_at(s->taken + i))
			fail_msg("another byte at %llu", (unsigned long long)(s->taken + i));
		if (s->taken + i < sizeof(s->text) - 1)
			s->text[s->taken + i] = bytes.ptr[i];
	}
	s->taken += bytes.len;
	s->pieces++;
	if (s->in_data)
		s->in_data(s);
	if (s->wait_each && s->taken >= s->wait_at) {
		s->wait_at = s->taken + s->wait_each;
		sink_resume_later(s);
		s->told_to_wait = true;
	}
	s->told_to_wait = s->told_to_wait || s->hold;
	s->waits += s->told_to_wait;
	return !s->told_to_wait;
}

static inline ssize_t sink_read(void *ctx, void *buffer, size_t room)
{
	struct sink *s = ctx;
	uint64_t left = s->give_max - s->given;
	size_t len = s->give_piece && s->give_piece < room ? s->give_piece : room;

	s->reads++;
	assert_true(room > 0);
	if (s->in_read)
		s->in_read(s);
	if (left == 0 && s->give_aborts)
		return BC_HTTP_STREAM_ABORT;
	if (left == 0 && s->give_holds)
		return BC_HTTP_STREAM_WAIT;
	s->wait_next = s->give_waits && !s->wait_next;
	if (s->wait_next) {
		sink_resume_later(s);
		return BC_HTTP_STREAM_WAIT;
	}
	if (len > left)
		len = (size_t)left;
	fill(buffer, len, s->given);
	s->given += len;
	return (ssize_t)len;
}

static inline void sink_done(void *ctx, const struct bc_http_answer *a)
{
	struct sink *s = ctx;

	assert_int_equal(s->r.count, 0);
	assert_int_equal(a->body.len, 0);
	on_done(&s->r, a);
}

static inline struct bc_http_exchange sink_exchange(struct sink *s, const char *method,
						    const char *url)
{
	struct bc_http_exchange x = exchange_of(method, url);

	s->stream.head = sink_head;
	s->stream.data = sink_data;
	s->stream.ctx = s;
	x.stream = &s->stream;
	return x;
}

static inline void sink_start(struct sink *s, const struct bc_http_exchange *x)
{
	struct bc_err err = { 0 };

	if (bc_http_call_start(client, x, sink_done, s, &s->call, &err) < 0)
		fail_msg("%s", err.text);
	waiting++;
}

/* A whole GET into s. */
static inline void sink_get(struct sink *s)
{
	char url[URL_BYTES];
	struct bc_http_exchange x = sink_exchange(s, "GET", url_of(url, "http", SECRET_PATH));

	sink_start(s, &x);
	run_until_done();
	assert_null(strstr(s->r.a.error_text, "sesame"));
}

/* One turn of the loop, with a guard against waiting for what never comes. */
static inline void turn_until(bool (*reached)(void *ctx), void *ctx)
{
	uint64_t start_ms = bc_elapsed_ms(&bc_clock_system);

	while (!reached(ctx)) {
		if (bc_elapsed_ms(&bc_clock_system) - start_ms > GUARD_MS)
			fail_msg("it has not come after %d ms", GUARD_MS);
		uv_run(bc_loop_uv(loop), UV_RUN_NOWAIT);
		usleep(200);
	}
}

static inline bool sink_is_held(void *ctx)
{
	return ((struct sink *)ctx)->told_to_wait;
}

static inline bool far_has_closed(void *ctx)
{
	return atomic_load(&far.closed) >= *(int *)ctx;
}

static inline int teardown_far(void **state)
{
	int rc = teardown(state);

	far_stop();
	return rc;
}

#define test_far(name) cmocka_unit_test_setup_teardown(name, setup, teardown_far)

#endif
