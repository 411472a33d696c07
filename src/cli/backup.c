/* SPDX-License-Identifier: MIT */
/*
 * `backchannel backup FILE`: the store and its hash key, copied while the daemon works or without
 * one. The daemon makes the copy beside its store and this command fetches it, because the store is
 * locked; reading it there takes the right to read the state directory, and no answer over HTTP
 * replaces that. Nothing is called a back-up before all its pages were read back and checked.
 */
#include "cli/backup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "core/state.h"
#include "core/story.h"

enum { POLL_MS = 30 };

struct options {
	bool force;
};

struct job {
	const struct bc_invocation *in;
	struct bc_settings *settings; /* a reference */
	const char *file;
	char *key_file, *part, *key_part; /* owned */
	char *key_from;			  /* owned; where the hash key is; NULL: it is a setting */
	char made_at[BC_TIME_TEXT_BYTES];
	uint64_t started_ms;
	bool from_daemon, has_key;
	struct bc_backup_facts facts;
	struct bc_err err;
};

static bool replaces(const struct job *j)
{
	return ((const struct options *)j->in->options)->force;
}

/* --- by the daemon --------------------------------------------------------------------------- */

static void pause_awhile(void)
{
	const struct timespec while_ms = { .tv_nsec = POLL_MS * 1000000L };
	nanosleep(&while_ms, NULL);
}

static int take_problem(struct job *j, const struct bc_reply *reply)
{
	if (reply->status == 404) {
		bc_err_set(&j->err, BC_EUNREACH, "the running daemon cannot make back-ups");
		bc_err_hint(&j->err, "it is an older version: restart it with this one, or stop it "
				     "and run this again");
		return BC_EUNREACH;
	}
	const char *detail = bc_json_text(reply->json, "detail");
	int code = reply->status < 500 ? BC_ECONFLICT : BC_ESTORE;
	return bc_err_set(&j->err, code, "%s",
			  detail[0] ? detail : "the daemon did not say why it makes no back-up");
}

/* Waits for the end of the copy that runs. 0 with the answer that tells where it is. */
static int await_copy(struct job *j, struct bc_reply *reply)
{
	while (bc_remote_ask(j->settings, "GET", "/v1/backup", reply) == BC_EXIT_DONE &&
	       reply->status == 200) {
		const char *state = bc_json_text(reply->json, "state");
		const json_t *r = reply->json;
		if (strcmp(state, "done") == 0)
			return 0;
		if (strcmp(state, "running") != 0) {
			bc_err_set(&j->err, BC_EIO, "%s", bc_json_text(r, "problem"));
			bc_err_hint(&j->err, "%s", bc_json_text(r, "hint"));
			return bc_err_set(&j->err, BC_EIO, "the daemon gave the copy up");
		}
		backup_bar.tell(NULL, "copying",
				(uint64_t)json_integer_value(json_object_get(r, "pages")),
				(uint64_t)json_integer_value(json_object_get(r, "of")));
		bc_reply_finish(reply);
		pause_awhile();
	}
	if (reply->status)
		return take_problem(j, reply);
	bc_err_set(&j->err, BC_EUNREACH, "the daemon ended while it made the copy");
	bc_err_hint(&j->err, "run it again");
	return BC_EUNREACH;
}

static int fetch_copy(struct job *j, const struct bc_reply *reply)
{
	const char *key = bc_json_text(reply->json, "hash_key");
	if (key[0]) {
		j->key_from = strdup(key);
		if (!j->key_from)
			return bc_err_nomem(&j->err);
	}
	return backup_copy_file(bc_json_text(reply->json, "path"), j->part, &backup_bar, &j->err);
}

static int copy_by_daemon(struct job *j)
{
	struct bc_reply reply = { 0 }, dropped = { 0 };
	int result = await_copy(j, &reply);
	if (!result)
		result = fetch_copy(j, &reply);
	bc_reply_finish(&reply);
	(void)bc_remote_ask(j->settings, "DELETE", "/v1/backup", &dropped);
	bc_reply_finish(&dropped);
	return result;
}

/* --- without one ----------------------------------------------------------------------------- */

static int no_daemon(struct job *j)
{
	bc_err_set(&j->err, BC_EUNREACH, "no daemon answers at %s", j->settings->url);
	bc_err_hint(&j->err, "run this on the daemon's machine, or set BACKCHANNEL_URL");
	return BC_EUNREACH;
}

static int copy_by_ourselves(struct job *j)
{
	const char *path = backup_store_path(j->settings, &j->err);
	if (!path)
		return j->err.code;
	if (!bc_remote_is_here(j->settings))
		return no_daemon(j);
	if (!j->settings->hash_key) {
		j->key_from = backup_path(j->settings->state, "/hash.key");
		if (!j->key_from)
			return bc_err_nomem(&j->err);
	}
	return bc_backup_copy(path, j->part, &backup_bar, &j->err);
}

static int make_copy(struct job *j)
{
	struct bc_reply reply;
	enum bc_exit there = bc_remote_ask(j->settings, "POST", "/v1/backup", &reply);
	int result = 0;
	j->from_daemon = there == BC_EXIT_DONE;
	if (j->from_daemon && reply.status != 202)
		result = take_problem(j, &reply);
	bc_reply_finish(&reply);
	if (result)
		return result;
	return j->from_daemon ? copy_by_daemon(j) : copy_by_ourselves(j);
}

/* --- the key --------------------------------------------------------------------------------- */

static int check_key(struct job *j, const struct bc_secret *key)
{
	char fingerprint[BC_FINGERPRINT_BYTES];
	bc_secret_fingerprint(key, fingerprint);
	if (!j->facts.hash_key[0] || strcmp(fingerprint, j->facts.hash_key) == 0)
		return 0;
	bc_err_set(&j->err, BC_EINVAL, "the store was made with another hash key (%s, not %s)",
		   j->facts.hash_key, fingerprint);
	bc_err_hint(&j->err, "\"%s\" is not the one the daemon uses: is hash.key a setting?",
		    j->key_from);
	return BC_EINVAL;
}

static int copy_key(struct job *j)
{
	struct bc_secret *key = NULL;
	if (!j->key_from)
		return 0;
	int result = bc_state_hash_key_read(j->key_from, &key, &j->err);
	if (result) {
		bc_err_hint(&j->err, "run it as root, or as the user who runs the daemon; without "
				     "its hash key a store cannot be used");
		return result;
	}
	result = check_key(j, key);
	if (!result)
		result = backup_write_key(j->key_part, key, &j->err);
	bc_secret_unref(key);
	j->has_key = result == 0;
	return result;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int refuse_replacing(struct job *j)
{
	const char *const paths[] = { j->file, j->key_file };
	for (size_t i = 0; !replaces(j) && i < BC_COUNT(paths); i++) {
		if (!backup_is_there(paths[i]))
			continue;
		bc_err_set(&j->err, BC_EINVAL, "\"%s\" is there already", paths[i]);
		bc_err_hint(&j->err, "name another file, or let --force replace it");
		return BC_EINVAL;
	}
	return 0;
}

static int put_both(struct job *j)
{
	int result = 0;
	if (j->has_key)
		result = backup_put(j->key_part, j->key_file, replaces(j), &j->err);
	return result ? result : backup_put(j->part, j->file, replaces(j), &j->err);
}

static int make(struct job *j)
{
	int result = refuse_replacing(j);
	if (!result && strcmp(j->settings->store, "memory:") == 0)
		result = backup_store_path(j->settings, &j->err) ? 0 : j->err.code;
	if (result)
		return result;
	(void)unlink(j->part); /* what one that was killed left */
	(void)unlink(j->key_part);
	result = make_copy(j);
	if (!result)
		result = bc_backup_mark(j->part, j->made_at, &j->err);
	if (!result)
		result = bc_backup_inspect(j->part, &backup_bar, &j->facts, &j->err);
	if (!result)
		result = copy_key(j);
	if (!result)
		result = put_both(j);
	if (result) {
		(void)unlink(j->part);
		(void)unlink(j->key_part);
	}
	return result;
}

static void print(const struct job *j, uint64_t took_ms)
{
	char size[32];
	int width = (int)strlen(j->key_file);
	printf("%-*s  %s, ", width, j->file, backup_size(j->facts.bytes, size));
	backup_print_facts(&j->facts);
	puts("; checked");
	if (j->has_key)
		printf("%-*s  its hash key %s: a store answers only to its own, so keep both\n",
		       width, j->key_file, j->facts.hash_key);
	else
		printf("not in it: the hash key %s, which is a setting (hash.key); keep it with "
		       "your settings\n",
		       j->facts.hash_key);
	printf("all that was acknowledged before %s, from %s, in %llu ms\n", j->made_at,
	       j->from_daemon ? "the running daemon" : "the store at rest",
	       (unsigned long long)took_ms);
}

static void print_json(const struct job *j, uint64_t took_ms)
{
	json_t *all = backup_facts_json(&j->facts);
	json_t *more =
		json_pack("{s:o, s:s, s:I, s:o}", "file", bc_json_words(j->file), "from",
			  j->from_daemon ? "daemon" : "store", "duration_ms", (json_int_t)took_ms,
			  "key_file", j->has_key ? bc_json_words(j->key_file) : json_null());
	json_object_update(all, more);
	json_decref(more);
	json_dumpf(all, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static enum bc_exit run_job(struct job *j)
{
	int result = make(j);
	uint64_t took_ms = bc_elapsed_ms(&bc_clock_system) - j->started_ms;
	backup_bar_end();
	if (result)
		return bc_cli_fail(&j->err);
	if (j->in->json)
		print_json(j, took_ms);
	else
		print(j, took_ms);
	return BC_EXIT_DONE;
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct job j = { .in = in,
			 .file = in->argv[0],
			 .started_ms = bc_elapsed_ms(&bc_clock_system),
			 .key_file = backup_path(in->argv[0], BACKUP_KEY_SUFFIX),
			 .part = backup_path(in->argv[0], BACKUP_PART_SUFFIX),
			 .key_part =
				 backup_path(in->argv[0], BACKUP_KEY_SUFFIX BACKUP_PART_SUFFIX) };
	enum bc_exit result = BC_EXIT_FAILED;
	bc_time_format(bc_wall_ms(&bc_clock_system), j.made_at);
	if (!j.key_file || !j.part || !j.key_part) {
		bc_err_nomem(&j.err);
		result = bc_cli_fail(&j.err);
	} else if (bc_cli_settings(in, &j.settings) == BC_EXIT_DONE) {
		bc_log_setup(BC_LOG_ERROR, false);
		result = run_job(&j);
	}
	bc_settings_unref(j.settings);
	free(j.key_file);
	free(j.part);
	free(j.key_part);
	free(j.key_from);
	return result;
}

static const struct bc_option rows[] = {
	{ "force", 'f', NULL, offsetof(struct options, force), "replace FILE if it is there" },
	{ 0 },
};

const struct bc_command bc_command_backup = {
	.name = "backup",
	.summary = "copy the store, and its hash key, while the daemon works",
	.operands = "FILE",
	.details =
		"Makes two files that nobody else can read: FILE, the store, checked page by page, "
		"and FILE.key, the hash key, without which a store answers to nobody. All that was "
		"acknowledged before the command began is in them. A running daemon makes the copy "
		"between its commits, beside its store, and needs that much room there for the "
		"moment; so run this where and as whom the state directory can be read. Where no "
		"daemon runs the store is copied as it is. Where the hash key is a setting, "
		"FILE.key "
		"is not made: keep the key with your settings.",
	.example = "sudo backchannel backup /var/backups/backchannel.db",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
