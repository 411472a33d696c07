/* SPDX-License-Identifier: MIT */
/*
 * The two key pairs that sign deliveries, and the host that gives out their public halves. Any
 * other key that is asked for is counted: whoever checks a signature must not follow a path that
 * only looks like one of these.
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/sender.h"

/* ---- the pairs ---- */

static bool key_make(struct sender_key *key)
{
	char uuid[BC_UUID_BYTES];
	struct bc_signer *signer = bc_signer_create();

	if (!signer)
		return false;
	bc_signer_destroy(key->signer);
	key->signer = signer;
	key->fetches = 0;
	snprintf(key->path, sizeof(key->path), "/prod/keys/pub-key-%s.pem", bc_uuid_make(uuid));
	return true;
}

bool bc_sender_keys_make(struct sandbox_sender *s)
{
	bool good = true;

	for (size_t i = 0; good && i < SENDER_KEYS; i++)
		good = s->keys[i].signer || key_make(&s->keys[i]);
	return good;
}

void bc_sender_keys_finish(struct sandbox_sender *s)
{
	for (size_t i = 0; i < SENDER_KEYS; i++)
		bc_signer_destroy(s->keys[i].signer);
}

void bc_sender_rotate(struct sandbox_call *call)
{
	struct sandbox_sender *s = call->sandbox->events->sender;

	if (key_make(&s->keys[0]) && key_make(&s->keys[1]))
		bc_sender_show(call);
	else
		bc_sandbox_answer_json(call, 500, NULL);
}

/* ---- signing ---- */

/* Which of the two signatures is a true one. */
static bool is_true(enum sender_signing keys, size_t number)
{
	return keys == SENDER_KEYS_OK || (keys == SENDER_KEYS_SECOND_ONLY && number == 1);
}

bool bc_sender_sign(const struct sandbox_sender *s, struct bc_str body, struct bc_arena *arena,
		    bool (*add)(void *ctx, const char *line), void *ctx)
{
	const struct sender_settings *o = &s->settings;
	char text[BC_SIGNATURE_TEXT_BYTES];

	for (size_t i = 0; o->keys != SENDER_KEYS_NONE && i < SENDER_KEYS; i++) {
		const char *path = o->key_path[0] ? o->key_path : s->keys[i].path;

		if (!is_true(o->keys, i))
			bc_signer_forge(text);
		else if (!bc_signer_sign(s->keys[i].signer, body, text))
			return false;
		if (!add(ctx, bc_arena_printf(arena, "x-adobe-digital-signature-%zu: %s", i + 1,
					      text)) ||
		    !add(ctx,
			 bc_arena_printf(arena, "x-adobe-public-key%zu-path: %s", i + 1, path)))
			return false;
	}
	return true;
}

/* ---- the host ---- */

static void host_describe(struct sandbox_call *call, int status, const char *message)
{
	bc_sandbox_answer_message(call, status, message ? message : bc_http_reason(status), NULL);
}

static void host_refuse(struct sandbox_call *call)
{
	if (!bc_str_starts(call->req->path, "/csm/"))
		call->sandbox->events->sender->strange_fetches++;
	host_describe(call, call->known_path ? 405 : 404, NULL);
}

const struct sandbox_service bc_sender_service = { .describe = host_describe,
						   .refuse = host_refuse };

static void answer_pem(struct sandbox_call *call, const struct sender_key *key)
{
	const char *pem = bc_signer_public_pem(key->signer);
	const char *copy = bc_arena_dup(call->req->arena, pem, strlen(pem));

	bc_sandbox_answer(call, copy ? 200 : 503, "application/x-pem-file",
			  bc_str_of(copy ? copy : ""));
}

static void answer_down(struct sandbox_call *call, const struct sender_key *key)
{
	(void)key;
	host_describe(call, 503, NULL);
}

static void answer_garbage(struct sandbox_call *call, const struct sender_key *key)
{
	(void)key;
	bc_sandbox_answer(call, 200, "application/x-pem-file",
			  BC_STR("-----BEGIN PUBLIC KEY-----\nbm8ga2V5\n-----END PUBLIC "
				 "KEY-----\n"));
}

static void on_slow(void *ctx)
{
	bc_sandbox_finish(ctx);
}

static void answer_slow(struct sandbox_call *call, const struct sender_key *key)
{
	answer_pem(call, key);
	call->timer = bc_timer_create(call->sandbox->loop, on_slow, call);
	if (!call->timer)
		return;
	call->handed_over = true;
	bc_timer_start(call->timer, call->sandbox->events->sender->settings.slow_ms);
}

static void (*const hosts[])(struct sandbox_call *call, const struct sender_key *key) = {
	[SENDER_HOST_OK] = answer_pem,
	[SENDER_HOST_DOWN] = answer_down,
	[SENDER_HOST_SLOW] = answer_slow,
	[SENDER_HOST_GARBAGE] = answer_garbage,
};

void bc_sender_key(struct sandbox_call *call)
{
	struct sandbox_sender *s = call->sandbox->events->sender;

	for (size_t i = 0; i < SENDER_KEYS; i++) {
		if (!s->keys[i].signer || !bc_str_eq(call->req->path, s->keys[i].path))
			continue;
		s->keys[i].fetches++;
		hosts[s->settings.key_host](call, &s->keys[i]);
		return;
	}
	host_refuse(call);
	call->answer.status = 404;
}
