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

char *bc_remote_order_path(const char *order, const char *suffix)
{
	struct bc_buf path;
	bc_buf_init(&path, 4096);
	if (bc_buf_adds(&path, "/v1/orders/") || bc_percent_encode(&path, bc_str_of(order)) ||
	    bc_buf_adds(&path, suffix)) {
		bc_buf_finish(&path);
		return NULL;
	}
	return bc_buf_take(&path);
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

static int local_call(struct bc_settings *s, const char *method, const char *path, const char *body,
		      bool deliver, struct http_call *c, struct bc_err *err)
{
	struct bc_app *app;
	int result = bc_app_open(s, deliver ? BC_APP_DELIVER : BC_APP_OFFLINE, &app, err);
	if (result) {
		if (result == BC_EBUSY)
			hint_locked(s, err);
		return result;
	}
	result = bc_app_call(app, method, path, body, &c->status, &c->body);
	bc_app_close(app);
	return result ? bc_err_nomem(err) : 0;
}

static bool daemon_absent(const struct http_call *c)
{
	return c->status == 0 && c->error == BC_EUNREACH;
}

/* Is the daemon's store the one on this machine? Writing to another one would hide that it is
 * down. */
static bool is_here(const struct bc_settings *s)
{
	const char *at = strstr(s->url, "://");
	return !at || bc_settings_listen_is_local(at + 3) || strcmp(at + 3, s->listen) == 0;
}

static enum bc_exit call_with(struct bc_settings *s, const char *method, const char *path,
			      const char *body, bool deliver, struct bc_reply *ret)
{
	struct http_call c = { 0 };
	struct bc_err err = { 0 };
	bc_buf_init(&c.body, ANSWER_MAX_BYTES);
	int result = http_call(s, method, path, body, &c, &err);
	if (!result && daemon_absent(&c) && is_here(s)) {
		ret->in_process = true;
		bc_buf_reset(&c.body);
		result = local_call(s, method, path, body, deliver, &c, &err);
	} else if (!result && c.status == 0) {
		result = bc_err_set(&err, BC_EUNREACH, "no answer from %s: %s", s->url,
				    c.error_text);
		bc_err_hint(&err, "is that address a backchannel daemon? see BACKCHANNEL_URL");
	}
	ret->status = c.status;
	if (c.body.len)
		ret->json = json_loadb(c.body.data, c.body.len, 0, NULL);
	bc_buf_finish(&c.body);
	return result ? bc_cli_fail(&err) : BC_EXIT_DONE;
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

enum bc_exit bc_remote_call(const struct bc_invocation *in, const char *method,
			    const char *path_and_query, json_t *body, bool deliver,
			    struct bc_reply *ret)
{
	struct bc_settings *settings;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	*ret = (struct bc_reply){ 0 };
	enum bc_exit result = bc_cli_settings(in, &settings);
	if (result == BC_EXIT_DONE) {
		bc_log_setup(BC_LOG_WARNING, settings->log_json);
		result = call_with(settings, method, path_and_query, text, deliver, ret);
		bc_settings_unref(settings);
	}
	free(text);
	return result;
}

enum bc_exit bc_remote_problem(const struct bc_reply *reply)
{
	const char *detail = bc_json_text(reply->json, "detail");
	fprintf(stderr, "backchannel: %s\n", detail[0] ? detail : "the daemon gave no reason");
	if (!detail[0])
		fprintf(stderr, "  the answer's status was %d\n", reply->status);
	return reply->status < 500 ? BC_EXIT_REFUSED : BC_EXIT_FAILED;
}

void bc_remote_print_json(const struct bc_reply *reply)
{
	json_dumpf(reply->json, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
}
