/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints: bringing the log into the database file, off the commit path. (And a copy that is
 * being made goes on: sqlite_backup.c.)
 *
 * When nothing waits, from WAL_IDLE_PAGES on; under load only at WAL_MAX_PAGES, which bounds the
 * log (a batch and SQLite's reuse of the file from its start included). With one connection and no
 * reader a checkpoint always gets to the end. A log that has become large is cut when idle; one
 * that still holds removed tokens is cut within SCRUB_MS, because secure_delete cleans the database
 * file but not the log.
 */
#include "store/sqlite_impl.h"

enum {
	WAL_IDLE_PAGES = 16 * 1024 * 1024 / SQ_PAGE_BYTES,
	WAL_CUT_PAGES = 32 * 1024 * 1024 / SQ_PAGE_BYTES,
	WAL_MAX_PAGES = 64 * 1024 * 1024 / SQ_PAGE_BYTES,
	SCRUB_MS = 10 * 1000,
	RETRY_MS = 10 * 1000
};

int sq_count_wal(void *engine, sqlite3 *db, const char *schema, int pages)
{
	struct sq *e = engine;
	(void)db;
	(void)schema;
	e->wal_pages = (uint32_t)pages;
	return SQLITE_OK;
}

void sq_want_scrub(struct sq *e)
{
	if (e->scrub)
		return;
	e->scrub = true;
	e->scrub_ms = bc_elapsed_ms(e->clock) + SCRUB_MS;
}

static uint32_t until(uint64_t now_ms, uint64_t then_ms)
{
	return then_ms > now_ms ? (uint32_t)(then_ms - now_ms) : 0;
}

/* When to come back if nothing happens. */
static uint32_t next_wish(const struct sq *e, uint64_t now_ms)
{
	if (now_ms < e->retry_ms)
		return until(now_ms, e->retry_ms);
	return e->scrub ? until(now_ms, e->scrub_ms) : BC_TEND_NEVER;
}

static bool is_time(const struct sq *e, bool idle, uint64_t now_ms)
{
	if (now_ms < e->retry_ms)
		return false;
	if (e->wal_pages >= WAL_MAX_PAGES)
		return true;
	if (!idle)
		return false;
	return e->wal_pages >= WAL_IDLE_PAGES || (e->scrub && now_ms >= e->scrub_ms);
}

static uint32_t checkpoint(struct sq *e, bool idle, struct bc_engine_fault *fault)
{
	uint64_t now_ms = bc_elapsed_ms(e->clock);
	if (!is_time(e, idle, now_ms))
		return next_wish(e, now_ms);
	bool cut = e->scrub || (idle && e->wal_pages >= WAL_CUT_PAGES);
	int mode = cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int rc = sqlite3_wal_checkpoint_v2(e->db, NULL, mode, NULL, NULL);
	if (rc == SQLITE_OK) {
		e->wal_pages = 0;
		e->scrub = e->scrub && !cut;
		return next_wish(e, now_ms);
	}
	/* No space for the database file: the log still takes commits, so this is nobody's fault
	 * yet. */
	struct bc_engine_fault found = { 0 };
	e->fault = &found;
	sq_commit_failed(e, sqlite3_extended_errcode(e->db));
	if (found.reach == BC_REACH_FINAL)
		*fault = found;
	e->retry_ms = now_ms + RETRY_MS;
	return next_wish(e, now_ms);
}

uint32_t sq_tend(void *engine, bool idle, struct bc_engine_fault *fault)
{
	struct sq *e = engine;
	uint32_t checkpoint_ms = checkpoint(e, idle, fault), backup_ms = sq_backup_tend(e);
	return backup_ms < checkpoint_ms ? backup_ms : checkpoint_ms;
}
