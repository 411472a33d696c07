/* SPDX-License-Identifier: MIT */
/* See remote.h. */
#include "cli/remote.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/app.h"
#include "net/http_client.h"

enum { ANSWER_MAX_BYTES = 8 * 1024 * 1024, CONNECT_MS = 2000, CALL_MS = 75 * 1000 };

struct bc_remote {
	enum bc_remote_use use;
	struct bc_settings *settings; /* a reference */
	struct bc_app *app;	      /* owned; no daemon runs: the store is used directly */
};

void bc_reply_finish(struct bc_reply *reply)
{
	json_decref(reply->json);
	reply->json = NULL;
}

void bc_json_put(json_t *object, const char *name, const char *value)
{
	if (value)
		json_object_set_new(object, name, json_string(value));
}

const char *bc_json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

char *bc_remote_path(const char *prefix, const char *name, const char *suffix)
{
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (bc_buf_adds(&path, prefix) || bc_percent_encode(&path, bc_str_of(name)) ||
	    bc_buf_adds(&path, suffix)) {
		bc_buf_finish(&path);
		return NULL;
	}
	return bc_buf_take(&path);
}

char *bc_remote_order_path(const char *order, const char *suffix)
{
	return bc_remote_path("/v1/orders/", order, suffix);
}

/* --- by HTTP -----------------------------------------------------------------------------------
 */

struct http_call {
	struct bc_loop *loop;
	int status, error;
	char error_text[160];
	struct bc_buf body;
	bool truncated;
};

static void http_done(void *ctx, const struct bc_http_answer *answer)
{
	struct http_call *c = ctx;
	c->status = answer->status;
	c->error = answer->error;
	memcpy(c->error_text, answer->error_text, sizeof(c->error_text));
	c->truncated = bc_buf_add(&c->body, answer->body.ptr, answer->body.len) != 0;
	bc_loop_stop(c->loop);
}

/* The API token goes into a header line, which is wiped after the call. */
static int authorization(const struct bc_settings *s, struct bc_buf *line)
{
	if (!s->api_token)
		return 0;
	return bc_buf_addf(line, "Authorization: Bearer %s", bc_secret_reveal(s->api_token));
}

static int http_run(const struct bc_http_exchange *exchange, const char *unix_socket,
		    struct http_call *c, struct bc_err *err)
{
	struct bc_http_client *client = NULL;
	struct bc_http_call *call;
	struct bc_http_client_options options = { .user_agent = "backchannel/" BC_VERSION,
						  .unix_socket = unix_socket };
	int result = bc_loop_create(&c->loop, err);
	if (result)
		return result;
	result = bc_http_client_create(c->loop, &options, &client, err);
	if (!result)
		result = bc_http_call_start(client, exchange, http_done, c, &call, err);
	if (!result)
		bc_loop_run(c->loop);
	bc_http_client_destroy(client);
	bc_loop_destroy(c->loop);
	return result;
}

static int http_call(const struct bc_settings *s, const char *method, const char *path,
		     const char *body, struct http_call *c, struct bc_err *err)
{
	bool is_unix = strncmp(s->url, "unix:", 5) == 0;
	struct bc_buf url, token;
	bc_buf_init(&url, 16 * 1024);
	bc_buf_init(&token, 16 * 1024);
	int result = bc_buf_addf(&url, "%s%s", is_unix ? "http://localhost" : s->url, path);
	if (!result)
		result = authorization(s, &token);
	const char *headers[] = { "Content-Type: application/json", token.data, NULL };
	struct bc_http_exchange exchange = { .method = method,
					     .url = url.data,
					     .headers = headers,
					     .body = body,
					     .body_bytes = body ? strlen(body) : 0,
					     .connect_timeout_ms = CONNECT_MS,
					     .timeout_ms = CALL_MS,
					     .answer_max_bytes = ANSWER_MAX_BYTES };
	if (!result)
		result = http_run(&exchange, is_unix ? s->url + 5 : NULL, c, err);
	bc_buf_finish(&url);
	bc_buf_finish(&token);
	return result;
}

/* --- in process --------------------------------------------------------------------------------
 */

/* The store's own hint is for a second daemon; a command wants to reach the first. */
static void hint_locked(const struct bc_settings *s, struct bc_err *err)
{
	err->hint[0] = '\0';
	bc_err_hint(err, "no daemon answers at %s: set BACKCHANNEL_URL to where that one listens",
		    s->url);
}

/* Opened at the first request that needs it, kept for the others. */
static int local_call(struct bc_remote *r, const char *method, const char *path, const char *body,
		      struct http_call *c, struct bc_err *err)
{
	enum bc_app_mode mode = r->use == BC_REMOTE_DELIVER ? BC_APP_DELIVER : BC_APP_OFFLINE;
	int result = r->app ? 0 : bc_app_open(r->settings, mode, &r->app, err);
	if (result) {
		if (result == BC_EBUSY)
			hint_locked(r->settings, err);
		return result;
	}
	result = bc_app_call(r->app, method, path, body, &c->status, &c->body);
	return result ? bc_err_nomem(err) : 0;
}

static bool daemon_absent(const struct http_call *c)
{
	return c->status == 0 && c->error == BC_EUNREACH;
}

bool bc_remote_is_here(const struct bc_settings *s)
{
	const char *at = strstr(s->url, "://");
	return !at || bc_settings_listen_is_local(at + 3) || strcmp(at + 3, s->listen) == 0;
}

static int no_daemon(const struct bc_remote *r, struct bc_err *err)
{
	bc_err_set(err, BC_EUNREACH, "no daemon answers at %s", r->settings->url);
	bc_err_hint(err, "this works on a running daemon alone: start one with backchannel serve, "
			 "or set BACKCHANNEL_URL to where it listens");
	return BC_EUNREACH;
}

static int no_answer(const struct bc_remote *r, const struct http_call *c, struct bc_err *err)
{
	bc_err_set(err, BC_EUNREACH, "no answer from %s: %s", r->settings->url, c->error_text);
	bc_err_hint(err, "is that address a backchannel daemon? see BACKCHANNEL_URL");
	return BC_EUNREACH;
}

static int request(struct bc_remote *r, const char *method, const char *path, const char *body,
		   struct http_call *c, struct bc_err *err)
{
	int result = r->app ? 0 : http_call(r->settings, method, path, body, c, err);
	if (result)
		return result;
	if (!r->app && c->status)
		return 0;
	if (!r->app && (!daemon_absent(c) || !bc_remote_is_here(r->settings)))
		return no_answer(r, c, err);
	if (r->use == BC_REMOTE_DAEMON)
		return no_daemon(r, err);
	bc_buf_reset(&c->body);
	return local_call(r, method, path, body, c, err);
}

enum bc_exit bc_remote_ask(const struct bc_settings *settings, const char *method, const char *path,
			   struct bc_reply *ret)
{
	struct http_call c = { 0 };
	bc_buf_init(&c.body, ANSWER_MAX_BYTES);
	int result = http_call(settings, method, path, NULL, &c, NULL);
	*ret = (struct bc_reply){ .status = c.status };
	if (c.body.len)
		ret->json = json_loadb(c.body.data, c.body.len, 0, NULL);
	bc_buf_finish(&c.body);
	return result || c.status == 0 ? BC_EXIT_UNREACHABLE : BC_EXIT_DONE;
}

enum bc_exit bc_remote_open(const struct bc_invocation *in, enum bc_remote_use use,
			    struct bc_remote **ret)
{
	struct bc_err err = { 0 };
	struct bc_remote *r = calloc(1, sizeof(*r));
	if (!r) {
		bc_err_nomem(&err);
		return bc_cli_fail(&err);
	}
	r->use = use;
	enum bc_exit result = bc_cli_settings(in, &r->settings);
	if (result) {
		free(r);
		return result;
	}
	bc_log_setup(BC_LOG_WARNING, r->settings->log_json);
	*ret = r;
	return BC_EXIT_DONE;
}

void bc_remote_close(struct bc_remote *r)
{
	if (!r)
		return;
	bc_app_close(r->app);
	bc_settings_unref(r->settings);
	free(r);
}

enum bc_exit bc_remote_request(struct bc_remote *r, const char *method, const char *path_and_query,
			       json_t *body, struct bc_reply *ret)
{
	struct http_call c = { 0 };
	struct bc_err err = { 0 };
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	bc_buf_init(&c.body, ANSWER_MAX_BYTES);
	int result = request(r, method, path_and_query, text, &c, &err);
	free(text);
	*ret = (struct bc_reply){ .status = c.status, .in_process = r->app != NULL };
	if (!result && c.body.len)
		ret->json = json_loadb(c.body.data, c.body.len, 0, NULL);
	bc_buf_finish(&c.body);
	return result ? bc_cli_fail(&err) : BC_EXIT_DONE;
}

enum bc_exit bc_remote_call(const struct bc_invocation *in, const char *method,
			    const char *path_and_query, json_t *body, bool deliver,
			    struct bc_reply *ret)
{
	struct bc_remote *r = NULL;
	*ret = (struct bc_reply){ 0 };
	enum bc_exit result = bc_remote_open(in, deliver ? BC_REMOTE_DELIVER : BC_REMOTE_ANY, &r);
	if (result)
		json_decref(body);
	else
		result = bc_remote_request(r, method, path_and_query, body, ret);
	bc_remote_close(r);
	return result;
}

enum bc_exit bc_remote_problem(const struct bc_reply *reply)
{
	const char *detail = bc_json_text(reply->json, "detail");
	fprintf(stderr, "backchannel: %s\n", detail[0] ? detail : "the daemon gave no reason");
	if (!detail[0])
		fprintf(stderr, "  its status was %d: is that this daemon? see its log\n",
			reply->status);
	return reply->status < 500 ? BC_EXIT_REFUSED : BC_EXIT_FAILED;
}

void bc_remote_print_json(const struct bc_reply *reply)
{
	json_dumpf(reply->json, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
}
