/* SPDX-License-Identifier: MIT */
/*
 * The partner and the daemons of the demo, and what every step does with them. All of them get an
 * environment from nothing but the tables here: neither the caller's settings nor any file of this
 * machine takes part.
 */
#include "cli/demo.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"

enum { ENVIRONMENT_MAX = 32 };

#define SANDBOX_READY  "sandbox listening on http://"
#define DAEMON_READY   "daemon.started "
#define EDGE_READY     "edge.listening "
#define DAEMON_LISTEN  " listen="
#define SETTINGS_TAKEN "settings.reloaded "

/* --- environments ------------------------------------------------------------------------------
 */

/* What a process may inherit: how to find libraries, and what a sanitizer's build listens to. */
static const char *const inherited[] = { "PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
					 "TSAN_OPTIONS" };

/* Settings that shorten the demo's time or steer it; the rest are the defaults. */
static const char *const settings[][2] = {
	{ "SOVENDUS_PRODUCT_ID", DEMO_PRODUCT }, { "SOVENDUS_API_KEY", DEMO_KEY },
	{ "BACKCHANNEL_LISTEN", "127.0.0.1:0" }, { "BACKCHANNEL_RETRY_BASE", "200ms" },
	{ "BACKCHANNEL_ORDER_KEEP", "0" },	 { "BACKCHANNEL_LOG", "info,text" },
};

struct environment {
	char *list[ENVIRONMENT_MAX + 1];
	size_t count;
};

static void set(struct demo *d, struct environment *e, const char *name, const char *value)
{
	size_t length = strlen(name), i = 0;
	if (!name[0] || !value)
		return;
	while (i < e->count && (strncmp(e->list[i], name, length) || e->list[i][length] != '='))
		i++;
	BC_ASSERT(i < ENVIRONMENT_MAX);
	e->list[i] = (char *)demo_text(d, "%s=%s", name, value);
	e->count += i == e->count;
}

static void set_all(struct demo *d, struct environment *e, const char *state)
{
	*e = (struct environment){ .count = 0 };
	for (size_t i = 0; i < BC_COUNT(inherited); i++)
		set(d, e, inherited[i], getenv(inherited[i]));
	for (size_t i = 0; i < BC_COUNT(settings); i++)
		set(d, e, settings[i][0], settings[i][1]);
	set(d, e, "BACKCHANNEL_CONFIG", demo_text(d, "%s/backchannel.conf", d->dir));
	set(d, e, "BACKCHANNEL_STATE", demo_text(d, "%s/%s", d->dir, state));
	if (d->sandbox.address[0])
		set(d, e, "SOVENDUS_BASE_URL", demo_text(d, "http://%s/ext", d->sandbox.address));
	if (d->daemon.address[0])
		set(d, e, "BACKCHANNEL_URL", demo_text(d, "http://%s", d->daemon.address));
}

/* --- starting ----------------------------------------------------------------------------------
 */

/* A whole line of the log with this mark, from a place on; NULL = none. log: the caller's. */
static const char *find_line(const struct demo_child *child, size_t from, const char *mark,
			     struct bc_buf *log)
{
	if (!demo_read_file(child->log, log) || log->len <= from)
		return NULL;
	const char *at = strstr(log->data + from, mark);
	return at && strchr(at, '\n') ? at : NULL;
}

/* Finds the address behind these two marks in a whole line of this life's part of the log. */
static bool find_address(const struct demo_child *child, const char *line_mark, const char *mark,
			 char ret_address[DEMO_ADDRESS_BYTES])
{
	struct bc_buf log;
	bool found = false;
	const char *line = find_line(child, child->log_start, line_mark, &log);
	const char *at = line ? strstr(line, mark) : NULL;
	if (at && at < strchr(line, '\n')) {
		at += strlen(mark);
		struct bc_str address = { at, strcspn(at, " \n") };
		found = bc_str_copy(ret_address, DEMO_ADDRESS_BYTES, address) == 0;
	}
	bc_buf_finish(&log);
	return found;
}

static bool await_ready(struct demo *d, struct demo_child *child, const char *line_mark,
			const char *mark)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	const char *what = demo_text(d, "the %s starts and says where it listens", child->name);
	char text[96];
	int status;
	while (!find_address(child, line_mark, mark, child->address)) {
		if (demo_ended(child->pid, &status)) {
			child->pid = 0;
			return demo_expect(d, false, what,
					   demo_end_text(status, text, sizeof(text)));
		}
		if (!demo_sleep(d, DEMO_POLL_MS))
			return false;
		if (bc_elapsed_ms(&bc_clock_system) >= end)
			return demo_expect(d, false, what, "no such line in its log");
	}
	child->ready_ms = bc_elapsed_ms(&bc_clock_system);
	return true;
}

static bool start(struct demo *d, struct demo_child *child, const char *const *words,
		  const struct environment *e)
{
	struct bc_err err = { 0 };
	struct bc_buf log;
	if (!child->log)
		child->log = demo_text(d, "%s/%s.log", d->dir, child->name);
	demo_read_file(child->log, &log);
	child->log_start = log.len;
	bc_buf_finish(&log);
	if (demo_spawn(child->folder ? child->folder : d->dir, words, e->list, child->log,
		       &child->pid, &err))
		return demo_fail(d, demo_text(d, "the %s starts", child->name), &err);
	return true;
}

bool demo_start_sandbox(struct demo *d, struct demo_child *sandbox)
{
	static const char *const words[] = { "sandbox", "--listen", "127.0.0.1:0", NULL };
	struct environment e;
	set_all(d, &e, "none");
	return start(d, sandbox, words, &e) &&
	       await_ready(d, sandbox, SANDBOX_READY, SANDBOX_READY);
}

bool demo_start_daemon(struct demo *d, struct demo_child *daemon, const struct demo_setting *more)
{
	static const char *const words[] = { "serve", NULL };
	struct environment e;
	set_all(d, &e, daemon->name);
	for (; more && more->name; more++)
		set(d, &e, more->name, more->value);
	return start(d, daemon, words, &e) && await_ready(d, daemon, DAEMON_READY, DAEMON_LISTEN);
}

bool demo_learn_edge(struct demo *d, struct demo_child *daemon)
{
	return find_address(daemon, EDGE_READY, DAEMON_LISTEN, daemon->edge) ||
	       demo_expect(d, false,
			   demo_text(d, "the %s says where its public listener is", daemon->name),
			   "no such line in its log");
}

static bool log_says(const struct demo_child *child, size_t from, const char *mark)
{
	struct bc_buf log;
	bool says = find_line(child, from, mark, &log) != NULL;
	bc_buf_finish(&log);
	return says;
}

bool demo_reload(struct demo *d, struct demo_child *daemon, const char *what)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	struct bc_buf log;
	demo_read_file(daemon->log, &log);
	size_t from = log.len;
	bc_buf_finish(&log);
	if (!daemon->pid)
		return demo_expect(d, false, what, "it has ended before");
	kill(daemon->pid, SIGHUP);
	while (!log_says(daemon, from, SETTINGS_TAKEN) && bc_elapsed_ms(&bc_clock_system) < end)
		if (!demo_sleep(d, DEMO_POLL_MS))
			return false;
	return demo_expect(d, log_says(daemon, from, SETTINGS_TAKEN), what,
			   "no settings.reloaded in its log");
}

/* --- what steps ask --------------------------------------------------------------------------- */

bool demo_capture(struct demo *d, const struct demo_child *daemon, const char *token,
		  const char *session)
{
	const char *body =
		demo_text(d,
			  "{\"url\":\"https://www.website.com/landingpage?channel=sovendus"
			  "&sovReqToken=%s\",\"session\":\"%s\"}",
			  token, session);
	return demo_ask_aloud(d, daemon->address, "POST", "/v1/clicks", body);
}

bool demo_order(struct demo *d, const char *order, const char *name, const char *value)
{
	const char *body = demo_text(d, "{\"order\":\"%s\",\"%s\":\"%s\"}", order, name, value);
	return demo_ask_aloud(d, d->daemon.address, "POST", "/v1/orders", body) &&
	       demo_expect_status(d, 202, "202 at once: the order is on disk, with its token");
}

bool demo_await(struct demo *d, const char *order, const char *field, const char *value,
		const char *what)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	const char *path = demo_text(d, "/v1/orders/%s", order);
	do {
		if (!demo_ask(d, d->daemon.address, "GET", path, NULL))
			return false;
		if (strcmp(demo_field(d, field), value) == 0)
			break;
	} while (bc_elapsed_ms(&bc_clock_system) < end && demo_sleep(d, DEMO_POLL_MS));
	return !d->interrupted && demo_expect_field(d, field, value, what);
}

static bool read_output(struct demo *d, const char *path)
{
	struct bc_buf text;
	bool read = demo_read_file(path, &text);
	free(d->output);
	d->output = read ? bc_buf_take(&text) : NULL;
	bc_buf_finish(&text);
	return d->output != NULL;
}

/* Runs it to its end; what it printed is d->output. */
static bool run(struct demo *d, const char *const *words, int *ret_status, struct bc_err *err)
{
	const char *path = demo_text(d, "%s/command.out", d->dir);
	struct environment e;
	struct demo_child command = { .name = "command" };
	remove(path);
	set_all(d, &e, d->daemon.name);
	if (demo_spawn(d->dir, words, e.list, path, &command.pid, err))
		return false;
	if (!demo_wait_end(d, command.pid, ret_status)) {
		demo_kill(&command);
		bc_err_tell(err, BC_ETIMEDOUT, "the machine is very busy: try again when it is not",
			    "it did not end");
		return false;
	}
	if (!read_output(d, path))
		bc_err_tell(
			err, BC_EIO,
			"the folder is below TMPDIR or /tmp: make room, or name another in TMPDIR",
			"its output could not be read");
	return d->output != NULL;
}

bool demo_run(struct demo *d, const char *const *words, int exit_code, const char *what)
{
	struct bc_err err = { 0 };
	char text[96];
	int status = 0;
	if (!run(d, words, &status, &err))
		return !d->interrupted && demo_fail(d, what, &err);
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == exit_code;
	return good || demo_expect(d, false, what,
				   demo_text(d, "%s: %s", demo_end_text(status, text, sizeof(text)),
					     d->output));
}

bool demo_command(struct demo *d, const char *const *words, int exit_code, const char *what)
{
	struct bc_err err = { 0 };
	char text[96];
	int status = 0;
	struct bc_buf line;
	bc_buf_init(&line, 1024);
	int bad = 0;
	for (size_t i = 0; words[i]; i++)
		bad |= bc_buf_addf(&line, " %s", words[i]);
	demo_note(d, "$ backchannel%s", bad ? "" : line.data);
	bc_buf_finish(&line);
	if (!run(d, words, &status, &err))
		return !d->interrupted && demo_fail(d, what, &err);
	demo_print_block(d, "  ", d->output);
	return demo_expect(d, WIFEXITED(status) && WEXITSTATUS(status) == exit_code, what,
			   demo_end_text(status, text, sizeof(text)));
}

bool demo_explain(struct demo *d, const char *order)
{
	const char *words[] = { "explain", order, NULL };
	return demo_command(d, words, 0, "explain tells its story");
}

bool demo_set_faults(struct demo *d, const char *spec)
{
	const char *body = demo_text(d, "{\"faults\":\"%s\"}", spec);
	if (spec[0])
		demo_note(d, "the stand-in is told to misbehave: %s", spec);
	if (!demo_ask(d, d->sandbox.address, "POST", "/_sandbox/faults", body))
		return false;
	return d->answer.status == 200 || demo_expect_status(d, 200, "the sandbox takes the rule");
}

bool demo_tell_sandbox(struct demo *d, const char *method, const char *path, const char *body,
		       int status)
{
	if (!demo_ask(d, d->sandbox.address, method, path, body))
		return false;
	return d->answer.status == status ||
	       demo_expect_status(d, status,
				  demo_text(d, "the sandbox %s %s %s", body ? "takes" : "answers",
					    method, path));
}

/* It must answer: no answer would look like no request. */
static bool ask_sandbox(struct demo *d, const char *path)
{
	return demo_tell_sandbox(d, "GET", path, NULL, 200);
}

bool demo_partner_requests(struct demo *d, const char *token)
{
	return ask_sandbox(
		d, demo_text(d, "/_sandbox/requests?path=/ext/" DEMO_PRODUCT "/%s/", token));
}

int demo_times_taken(struct demo *d, const char *token)
{
	if (!ask_sandbox(d, demo_text(d, "/_sandbox/counts?token=%s", token)))
		return -1;
	const json_t *counts = json_object_get(json_object_get(d->answer.json, "tokens"), token);
	return (int)json_integer_value(json_object_get(counts, "accepted"));
}

bool demo_partner_counts(struct demo *d, const char *token, int asked, int taken, const char *what)
{
	if (!demo_partner_requests(d, token))
		return false;
	int requests = (int)json_array_size(json_object_get(d->answer.json, "requests"));
	int accepted = demo_times_taken(d, token);
	if (accepted < 0)
		return false;
	return demo_expect(d, requests == asked && accepted == taken, what,
			   demo_text(d, "asked %d times and taken %d times, not %d and %d",
				     requests, accepted, asked, taken));
}
