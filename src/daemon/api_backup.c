/* SPDX-License-Identifier: MIT */
/*
 * /v1/backup: a copy of the store, made while it works. The answers tell where the copy and the
 * hash key are, and hold neither: who may not read the state directory gets nothing by asking.
 */
#include <stdio.h>

#include "base/log.h"
#include "daemon/api_impl.h"

static int put_text(json_t *j, const char *name, struct bc_str text)
{
	return text.ptr ? json_object_set_new(j, name, json_stringn(text.ptr, text.len)) : 0;
}

/* Absent where the hash key is a setting. */
static int put_key(json_t *j, const struct bc_api *api)
{
	char path[4096 + 16];
	if (!api->key_folder)
		return 0;
	bc_autofree char *folder = realpath(api->key_folder, NULL);
	if (!folder)
		return 0;
	snprintf(path, sizeof(path), "%s/hash.key", folder);
	return json_object_set_new(j, "hash_key", json_string(path));
}

static json_t *view_json(const struct bc_api *api, const struct bc_backup_view *v)
{
	json_t *j = json_pack("{s:s, s:I, s:I}", "state", bc_backup_state_name[v->state], "pages",
			      (json_int_t)v->pages, "of", (json_int_t)v->of);
	if (j && !put_text(j, "path", v->path) && !put_text(j, "problem", v->problem) &&
	    !put_text(j, "hint", v->hint) && !put_key(j, api))
		return j;
	json_decref(j);
	return NULL;
}

static void backup_told(struct bc_store_op *op)
{
	struct call *call = BC_CONTAINER(op, struct call, op);
	const struct bc_backup_view *v = &op->out.backup;
	if (call_failed(call, op))
		return;
	if (op->in.backup.wish == BC_BACKUP_DROP)
		call_text(call, 204, NULL, (struct bc_str){ NULL, 0 });
	else
		call_json(call, op->in.backup.wish == BC_BACKUP_BEGIN ? 202 : 200,
			  view_json(call->api, v));
}

static void ask(struct call *call, enum bc_backup_wish wish)
{
	call->op.in.backup.wish = wish;
	call_submit(call, BC_STORE_BACKUP, backup_told);
}

static void backup_begun(struct bc_store_op *op)
{
	if (op->result == 0)
		bc_log_info("backup.begun", BC_LSTR("path", op->out.backup.path));
	backup_told(op);
}

void get_backup(struct call *call)
{
	ask(call, BC_BACKUP_LOOK);
}

void post_backup(struct call *call)
{
	call->op.in.backup.wish = BC_BACKUP_BEGIN;
	call_submit(call, BC_STORE_BACKUP, backup_begun);
}

void delete_backup(struct call *call)
{
	ask(call, BC_BACKUP_DROP);
}
