/* SPDX-License-Identifier: MIT */
/*
 * The demo's HTTP: one request at a time, awaited on the stage's loop, and what is expected of the
 * last answer. It speaks to processes of its own on loopback, as a shop's program would.
 */
#include "cli/demo.h"

#include <stdio.h>
#include <string.h>

/* ANSWER_MS: the sandbox makes RSA keys before it answers some, which takes its time where much
 * else runs. */
enum { ANSWER_MAX_BYTES = 1024 * 1024, CONNECT_MS = 2000, ANSWER_MS = 60 * 1000 };

void demo_answer_finish(struct demo_answer *a)
{
	json_decref(a->json);
	free(a->text);
	free(a->cookie);
	*a = (struct demo_answer){ 0 };
}

struct exchange {
	struct demo *d;
	struct bc_buf body;
	bool cut, done;
};

/* The answer streams, since only then its head is to be seen. */
static void see_head(void *ctx, const struct bc_http_answer_head *head)
{
	struct exchange *x = ctx;
	for (size_t i = 0; i < head->field_count && !x->d->answer.cookie; i++)
		if (bc_str_ieq(head->fields[i].name, "set-cookie"))
			x->d->answer.cookie = bc_str_dup(head->fields[i].value);
}

static bool see_data(void *ctx, struct bc_str bytes)
{
	struct exchange *x = ctx;
	x->cut |= bc_buf_add(&x->body, bytes.ptr, bytes.len) != 0;
	return true;
}

static void answered(void *ctx, const struct bc_http_answer *answer)
{
	struct exchange *x = ctx;
	struct demo_answer *to = &x->d->answer;
	x->done = true;
	to->status = answer->status;
	to->duration_ms = answer->duration_ms;
	to->text = bc_str_dup((struct bc_str){ x->body.data ? x->body.data : "", x->body.len });
	to->json = to->text && !x->cut ? json_loads(to->text, 0, NULL) : NULL;
	snprintf(to->error, sizeof(to->error), "%s", answer->error_text);
	bc_loop_stop(x->d->loop);
}

bool demo_ask(struct demo *d, const char *host, const char *method, const char *path,
	      const char *body)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct exchange x = { .d = d };
	struct bc_http_stream stream = { .head = see_head, .data = see_data, .ctx = &x };
	struct bc_http_call *call;
	struct bc_err err = { 0 };
	struct bc_http_exchange exchange = { .method = method,
					     .url = demo_text(d, "http://%s%s", host, path),
					     .headers = body ? headers : NULL,
					     .body = body,
					     .body_bytes = body ? strlen(body) : 0,
					     .connect_timeout_ms = CONNECT_MS,
					     .timeout_ms = ANSWER_MS,
					     .stream = &stream };
	demo_answer_finish(&d->answer);
	if (d->interrupted)
		return false;
	bc_buf_init(&x.body, ANSWER_MAX_BYTES);
	if (bc_http_call_start(d->client, &exchange, answered, &x, &call, &err))
		return demo_fail(d, "a request is sent", &err);
	while (!x.done && !d->interrupted)
		bc_loop_run(d->loop);
	if (!x.done)
		bc_http_call_cancel(call);
	bc_buf_finish(&x.body);
	return !d->interrupted;
}

bool demo_ask_aloud(struct demo *d, const char *host, const char *method, const char *path,
		    const char *body)
{
	demo_note(d, "> %s %s%s%s", method, path, body ? "  " : "", body ? body : "");
	if (!demo_ask(d, host, method, path, body))
		return false;
	const struct demo_answer *a = &d->answer;
	if (a->status)
		demo_note(d, "< %d  %s  (%d ms)", a->status, a->text ? a->text : "",
			  (int)a->duration_ms);
	else
		demo_note(d, "< no answer: %s", a->error);
	if (a->cookie)
		demo_note(d, "< Set-Cookie: %s", a->cookie);
	return true;
}

static const json_t *follow(const json_t *at, struct bc_str path)
{
	while (at && path.len) {
		struct bc_str name = bc_str_split(&path, '.');
		bc_autofree char *key = bc_str_dup(name);
		uint64_t index;
		if (!key)
			return NULL;
		if (json_is_array(at))
			at = bc_parse_u64(name, &index) ? NULL : json_array_get(at, index);
		else
			at = json_object_get(at, key);
	}
	return at;
}

const char *demo_field(struct demo *d, const char *path)
{
	const json_t *value = follow(d->answer.json, bc_str_of(path));
	if (json_is_string(value))
		return demo_text(d, "%s", json_string_value(value));
	bc_autofree char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	return text ? demo_text(d, "%s", text) : "";
}

static const char *what_came(struct demo *d)
{
	const struct demo_answer *a = &d->answer;
	if (!a->status)
		return demo_text(d, "no answer: %s", a->error);
	return demo_text(d, "%d %s", a->status, a->text ? a->text : "");
}

bool demo_expect_status(struct demo *d, int status, const char *what)
{
	return demo_expect(d, d->answer.status == status, what, what_came(d));
}

bool demo_expect_field(struct demo *d, const char *path, const char *value, const char *what)
{
	return demo_expect(d, strcmp(demo_field(d, path), value) == 0, what, what_came(d));
}
