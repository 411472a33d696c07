/* SPDX-License-Identifier: MIT */
/*
 * `backchannel restore FILE`: what `backup` made becomes the store of this installation. It takes
 * no place that is taken: neither a store, nor what is left of one, nor another hash key, nor the
 * state directory of a daemon that runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/backup.h"
#include "cli/commands.h"
#include "cli/remote.h"
#include "core/state.h"
#include "core/story.h"

struct options {
	bool check;
};

struct job {
	const struct bc_invocation *in;
	struct bc_settings *settings;			    /* a reference */
	const char *file, *store;			    /* borrowed */
	char *key_file, *part, *state_key, *state_key_part; /* owned */
	struct bc_secret *key;				    /* a reference; of the back-up */
	bool key_is_setting;
	struct bc_backup_facts facts;
	struct bc_err err;
};

/* --- the key --------------------------------------------------------------------------------- */

static bool fits(const struct job *j, const struct bc_secret *key)
{
	char fingerprint[BC_FINGERPRINT_BYTES];
	bc_secret_fingerprint(key, fingerprint);
	return !j->facts.hash_key[0] || strcmp(fingerprint, j->facts.hash_key) == 0;
}

static int refuse_key(struct job *j, const char *what)
{
	bc_err_clear(&j->err);
	bc_err_set(&j->err, BC_EINVAL, "\"%s\" answers to the hash key %s, and %s", j->file,
		   j->facts.hash_key, what);
	bc_err_hint(&j->err,
		    "put the key that was made with it beside it as \"%s\", or set "
		    "BACKCHANNEL_HASH_KEY to the one it was made with",
		    j->key_file);
	return BC_EINVAL;
}

static int find_key(struct job *j)
{
	if (j->settings->hash_key) {
		j->key_is_setting = true;
		return fits(j, j->settings->hash_key)
			       ? 0
			       : refuse_key(j, "the setting hash.key is another one");
	}
	int result = bc_state_hash_key_read(j->key_file, &j->key, &j->err);
	if (result == BC_ENOENT)
		return refuse_key(j, "that is not beside it");
	if (result)
		return result;
	return fits(j, j->key) ? 0 : refuse_key(j, "the one beside it is another");
}

/* --- the place ------------------------------------------------------------------------------- */

static int refuse_taken(struct job *j, const char *path, const char *what)
{
	bc_err_set(&j->err, BC_EINVAL, "%s: \"%s\"", what, path);
	bc_err_hint(&j->err, "move it away first, with the files beside it of the same name, or "
			     "restore elsewhere: set BACKCHANNEL_STATE");
	return BC_EINVAL;
}

static int check_store_place(struct job *j)
{
	static const char *const leftovers[] = { "-wal", "-journal" };
	if (backup_is_there(j->store))
		return refuse_taken(j, j->store, "there is a store already");
	for (size_t i = 0; i < BC_COUNT(leftovers); i++) {
		bc_autofree char *path = backup_path(j->store, leftovers[i]);
		if (!path)
			return bc_err_nomem(&j->err);
		if (backup_is_there(path))
			return refuse_taken(j, path, "there is the log of another store");
	}
	return 0;
}

/* One that is there and fits stays as it is. */
static int check_key_place(struct job *j, bool *ret_there)
{
	struct bc_secret *there = NULL;
	*ret_there = backup_is_there(j->state_key);
	if (!*ret_there || j->key_is_setting)
		return 0;
	int result = bc_state_hash_key_read(j->state_key, &there, &j->err);
	if (!result && !fits(j, there))
		result = refuse_taken(j, j->state_key, "there is another hash key");
	bc_secret_unref(there);
	return result;
}

/* --- putting --------------------------------------------------------------------------------- */

static int put_key(struct job *j, bool there)
{
	if (there || j->key_is_setting)
		return 0;
	(void)unlink(j->state_key_part);
	int result = backup_write_key(j->state_key_part, j->key, &j->err);
	if (!result)
		result = backup_give_away(j->state_key_part, &j->err);
	return result ? result : backup_put(j->state_key_part, j->state_key, false, &j->err);
}

/* What is read back and checked is the copy: that is what the daemon is going to open. */
static int put_store(struct job *j)
{
	(void)unlink(j->part);
	int result = backup_copy_file(j->file, j->part, &backup_bar, &j->err);
	if (!result)
		result = bc_backup_inspect(j->part, &backup_bar, &j->facts, &j->err);
	if (!result)
		result = backup_give_away(j->part, &j->err);
	if (!result)
		result = backup_put(j->part, j->store, false, &j->err);
	if (result)
		(void)unlink(j->part);
	return result;
}

static int put_all(struct job *j)
{
	bool key_there;
	int result = check_store_place(j);
	if (!result)
		result = check_key_place(j, &key_there);
	if (!result)
		result = put_key(j, key_there);
	return result ? result : put_store(j);
}

/* A lock file that root makes would be closed to the daemon. */
static int give_lock_away(struct job *j)
{
	bc_autofree char *path = backup_path(j->settings->state, "/lock");
	return path ? backup_give_away(path, &j->err) : bc_err_nomem(&j->err);
}

static int restore(struct job *j)
{
	struct bc_state_lock *lock = NULL;
	int result = bc_state_dir_make(j->settings->state, &j->err);
	if (!result)
		result = bc_state_lock(j->settings->state, &lock, &j->err);
	if (result == BC_EBUSY) {
		j->err.hint[0] = '\0';
		bc_err_hint(&j->err, "stop the daemon first: systemctl stop backchannel");
	}
	if (!result)
		result = give_lock_away(j);
	if (!result)
		result = put_all(j);
	bc_state_unlock(lock);
	return result;
}

/* --- telling --------------------------------------------------------------------------------- */

static const char *made_at(const struct job *j)
{
	return j->facts.made_at[0] ? j->facts.made_at : "at an unknown time";
}

static void print_check(const struct job *j)
{
	printf("%s is whole: made %s, ", j->file, made_at(j));
	backup_print_facts(&j->facts);
	puts("; its hash key fits");
}

static void print_done(const struct job *j)
{
	uint64_t waits = j->facts.orders[BC_ORDER_PENDING] + j->facts.orders[BC_ORDER_SENDING];
	printf("restored to %s: made %s, ", j->store, made_at(j));
	backup_print_facts(&j->facts);
	putchar('\n');
	if (waits)
		printf("  %llu of them had not been handed back when it was made: those that were "
		       "since go out once more, and their story goes on from here\n",
		       (unsigned long long)waits);
	printf("  what was reported since is not in it: start the daemon, then report those orders "
	       "again; from Commerce: backchannel pull --since %s\n",
	       j->facts.made_at[0] ? j->facts.made_at : "TIME");
}

static void print_json(const struct job *j, bool restored)
{
	json_t *all = backup_facts_json(&j->facts);
	json_t *more = json_pack("{s:o, s:o, s:s, s:b}", "file", bc_json_words(j->file), "store",
				 bc_json_words(j->store), "key",
				 j->key_is_setting ? "setting" : "file", "restored", restored);
	json_object_update(all, more);
	json_decref(more);
	json_dumpf(all, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

static enum bc_exit run_job(struct job *j)
{
	bool check_only = ((const struct options *)j->in->options)->check;
	j->store = backup_store_path(j->settings, &j->err);
	int result = j->store ? bc_backup_inspect(j->file, &backup_bar, &j->facts, &j->err)
			      : j->err.code;
	if (!result)
		result = find_key(j);
	if (!result && !check_only)
		result = restore(j);
	backup_bar_end();
	if (result)
		return bc_cli_fail(&j->err);
	if (j->in->json)
		print_json(j, !check_only);
	else if (check_only)
		print_check(j);
	else
		print_done(j);
	return BC_EXIT_DONE;
}

static int lay_paths(struct job *j)
{
	const char *store = j->settings->store;
	const char *path = strchr(store, ':') ? strchr(store, ':') + 1 : store;
	j->key_file = backup_path(j->file, BACKUP_KEY_SUFFIX);
	j->part = backup_path(path, BACKUP_PART_SUFFIX);
	j->state_key = backup_path(j->settings->state, "/hash.key");
	j->state_key_part = backup_path(j->settings->state, "/hash.key" BACKUP_PART_SUFFIX);
	return j->key_file && j->part && j->state_key && j->state_key_part ? 0
									   : bc_err_nomem(&j->err);
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct job j = { .in = in, .file = in->argv[0] };
	enum bc_exit result = bc_cli_settings(in, &j.settings);
	if (result)
		return result;
	bc_log_setup(BC_LOG_ERROR, false);
	result = lay_paths(&j) ? bc_cli_fail(&j.err) : run_job(&j);
	bc_secret_unref(j.key);
	bc_settings_unref(j.settings);
	free(j.key_file);
	free(j.part);
	free(j.state_key);
	free(j.state_key_part);
	return result;
}

static const struct bc_option rows[] = {
	{ "check", 0, NULL, offsetof(struct options, check),
	  "say whether FILE is whole and its key fits; change nothing" },
	{ 0 },
};

const struct bc_command bc_command_restore = {
	.name = "restore",
	.summary = "make a back-up the store of this installation",
	.operands = "FILE",
	.details =
		"Checks FILE, which `backup` made, and puts it and FILE.key where the settings "
		"have "
		"the store and the state directory. Neither a store nor another key may be there, "
		"and no daemon may run. Conversions handed back after the back-up was made are "
		"pending in it: they go out once more when the daemon starts, the partner sees "
		"those "
		"tokens twice, and their stories hold the attempts up to the back-up and from the "
		"restore on. Orders reported after it are to be reported again, or fetched by "
		"`pull`.",
	.example = "sudo env BACKCHANNEL_STATE=/var/lib/backchannel backchannel restore "
		   "/var/backups/backchannel.db",
	.rows = rows,
	.options_bytes = sizeof(struct options),
	.prints_json = true,
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
