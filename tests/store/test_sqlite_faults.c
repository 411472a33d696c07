/* SPDX-License-Identifier: MIT */
/*
 * The sqlite engine over a file system that counts and fails: one fsync a commit, a failed one is
 * final, checkpoints stay off the commit path, the log stays bounded.
 *
 * The stand-in file system offers no shared memory, so these tests also hold the engine to needing
 * none.
 */
#include "harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_impl.h"

/* --- the file system ----------------------------------------------------------------------- */

static struct {
	atomic_uint syncs[2];			/* of the database, of its log */
	atomic_int fail_sync[2], fail_write[2]; /* a result code to give, or 0 */
	atomic_llong log_bytes;			/* greatest offset written in the log */
} disk;
enum { DATABASE, LOG };

struct file {
	sqlite3_file base;
	int kind;
	_Alignas(8) char inner[]; /* the real one */
};

static sqlite3_file *inner_of(sqlite3_file *file)
{
	return (sqlite3_file *)(void *)((struct file *)file)->inner;
}
#define INNER(file, method, ...) (inner_of(file)->pMethods->method(inner_of(file), ##__VA_ARGS__))

static int file_close(sqlite3_file *f)
{
	return INNER(f, xClose);
}
static int file_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 at)
{
	return INNER(f, xRead, bytes, n, at);
}
static int file_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
	int kind = ((struct file *)f)->kind;
	if (disk.fail_write[kind])
		return disk.fail_write[kind];
	if (kind == LOG && at + n > disk.log_bytes)
		disk.log_bytes = at + n;
	return INNER(f, xWrite, bytes, n, at);
}
static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return INNER(f, xTruncate, size);
}
static int file_sync(sqlite3_file *f, int flags)
{
	int kind = ((struct file *)f)->kind;
	disk.syncs[kind]++;
	return disk.fail_sync[kind] ? disk.fail_sync[kind] : INNER(f, xSync, flags);
}
static int file_size(sqlite3_file *f, sqlite3_int64 *ret_size)
{
	return INNER(f, xFileSize, ret_size);
}
static int file_lock(sqlite3_file *f, int lock)
{
	return INNER(f, xLock, lock);
}
static int file_unlock(sqlite3_file *f, int lock)
{
	return INNER(f, xUnlock, lock);
}
static int file_check_lock(sqlite3_file *f, int *ret_reserved)
{
	return INNER(f, xCheckReservedLock, ret_reserved);
}
static int file_control(sqlite3_file *f, int op, void *arg)
{
	return INNER(f, xFileControl, op, arg);
}
static int file_sector(sqlite3_file *f)
{
	return INNER(f, xSectorSize);
}
static int file_device(sqlite3_file *f)
{
	return INNER(f, xDeviceCharacteristics);
}

static const sqlite3_io_methods methods = {
	1,	     file_close, file_read,   file_write,      file_truncate, file_sync,
	file_size,   file_lock,	 file_unlock, file_check_lock, file_control,  file_sector,
	file_device,
};

static sqlite3_vfs *real_vfs, test_vfs;

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct file *f = (struct file *)file;
	(void)vfs;
	f->kind = flags & SQLITE_OPEN_WAL ? LOG : DATABASE;
	int rc = real_vfs->xOpen(real_vfs, name, inner_of(file), flags, ret_flags);
	f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
	return rc;
}

static int install_vfs(void **state)
{
	(void)state;
	real_vfs = sqlite3_vfs_find(NULL);
	test_vfs = *real_vfs;
	test_vfs.zName = "counting";
	test_vfs.szOsFile += (int)sizeof(struct file);
	test_vfs.xOpen = vfs_open;
	return sqlite3_vfs_register(&test_vfs, 1);
}

static int remove_vfs(void **state)
{
	(void)state;
	return sqlite3_vfs_unregister(&test_vfs);
}

static int setup(void **state)
{
	memset(&disk, 0, sizeof(disk));
	return rig_setup(state);
}

static struct bc_store_stats stats_of(struct rig *r)
{
	struct bc_store_stats stats;
	bc_store_stats(r->store, &stats);
	return stats;
}

static int put_meta(struct rig *r, struct bc_str value)
{
	struct bc_store_op *op = rig_op(r, BC_STORE_PUT_META);
	op->in.meta.key = BC_STR("key");
	op->in.meta.value = value;
	return rig_run(r, op);
}

/* --- commits ------------------------------------------------------------------------------- */

static void a_commit_is_one_fsync_of_the_log(void **state)
{
	struct rig *r = *state;
	convert(r, "1000", 10);
	unsigned log = disk.syncs[LOG], database = disk.syncs[DATABASE];
	convert(r, "1001", 10);
	convert(r, "1002", 10);
	lease(r, 20, 5);
	assert_int_equal(disk.syncs[LOG], log + 3);
	assert_int_equal(disk.syncs[DATABASE], database);
	counts(r);
	get(r, "1001");
	assert_int_equal(disk.syncs[LOG], log + 3);
}

static void a_failed_fsync_is_final_and_the_next_start_goes_on(void **state)
{
	struct rig *r = *state;
	convert(r, "1001", 10);
	disk.fail_sync[LOG] = SQLITE_IOERR_FSYNC;
	struct bc_store_op *op = rig_op(r, BC_STORE_ACCEPT_ORDER);
	op->in.accept.order = BC_STR("1002");
	assert_int_equal(rig_run(r, op), BC_EUNSURE);
	assert_non_null(strstr(op->err.hint, "restart"));
	assert_true(stats_of(r).broken);
	/* even though the disk is well again */
	disk.fail_sync[LOG] = 0;
	unsigned syncs = disk.syncs[LOG];
	assert_int_equal(rig_run(r, rig_op(r, BC_STORE_PROBE)), BC_ESTORE);
	assert_int_equal(disk.syncs[LOG], syncs);
	assert_int_equal(state_of(r, "1001"), BC_ORDER_PENDING);
	assert_counts(r, "pending=1");
	unsigned database = disk.syncs[DATABASE];
	bc_store_close(r->store);
	assert_int_equal(disk.syncs[DATABASE], database);
	rig_open(r);
	/* unsure: it may have landed; put again it stands once either way */
	assert_int_equal(rig_run(r, op), 0);
	assert_counts(r, "unattributed=1 pending=1");
}

static void a_write_error_of_the_log_at_commit_is_final_too(void **state)
{
	struct rig *r = *state;
	disk.fail_write[LOG] = SQLITE_IOERR_WRITE;
	assert_int_equal(put_meta(r, BC_STR("x")), BC_EUNSURE);
	disk.fail_write[LOG] = 0;
	assert_true(stats_of(r).broken);
	assert_int_equal(put_meta(r, BC_STR("x")), BC_ESTORE);
}

static void a_full_disk_is_not_final(void **state)
{
	struct rig *r = *state;
	disk.fail_write[LOG] = SQLITE_FULL;
	assert_int_equal(put_meta(r, BC_STR("x")), BC_ESTORE);
	assert_false(stats_of(r).broken);
	assert_false(stats_of(r).writable);
	disk.fail_write[LOG] = 0;
	assert_int_equal(put_meta(r, BC_STR("x")), 0);
	assert_true(stats_of(r).writable);
}

/* --- checkpoints --------------------------------------------------------------------------- */

enum { LARGE = 100 * 1000, KEYS = 8, VALUES = 9 };

struct pour {
	struct rig *rig;
	unsigned done, failed;
};

static void poured(struct bc_store_op *op)
{
	struct pour *pour = op->ctx;
	pour->done++;
	pour->failed += op->result != 0;
}

/* Writes n large values that wait together, so that the store is never idle between them. A key's
 * value differs from its last one: SQLite does not write what stands there already. Returns how
 * many failed. */
static unsigned pour(struct rig *r, unsigned n)
{
	static const char keys[KEYS + 1] = "abcdefgh";
	static char values[VALUES][LARGE];
	struct pour pour = { .rig = r };
	bc_arena_reset(r->arena);
	for (unsigned i = 0; i < VALUES; i++)
		memset(values[i], 'a' + (int)i, LARGE);
	for (unsigned i = 0; i < n; i++) {
		struct bc_store_op *op = rig_op(r, BC_STORE_PUT_META);
		op->in.meta.key = (struct bc_str){ &keys[i % KEYS], 1 };
		op->in.meta.value = (struct bc_str){ values[i % VALUES], LARGE };
		op->done = poured;
		op->ctx = &pour;
		bc_store_submit(r->store, &r->box.base, op);
	}
	while (pour.done < n)
		mailbox_serve(&r->box);
	return pour.failed;
}

static void reopen_with_small_batches(struct rig *r)
{
	const struct bc_store_options options = { .url = r->url,
						  .clock = &bc_clock_system,
						  .batch_max = 8 };
	bc_store_close(r->store);
	assert_int_equal(bc_store_open(&options, &r->store, NULL), 0);
}

static void the_log_stays_bounded_under_load(void **state)
{
	struct rig *r = *state;
	reopen_with_small_batches(r);
	disk.log_bytes = 0;
	assert_int_equal(pour(r, 1500), 0);
	assert_true(disk.log_bytes > 16 * 1024 * 1024);
	assert_true(disk.log_bytes < 72 * 1024 * 1024);
}

static void a_failed_fsync_of_a_checkpoint_is_final(void **state)
{
	struct rig *r = *state;
	disk.fail_sync[DATABASE] = SQLITE_IOERR_FSYNC;
	/* goes on until there is enough for a checkpoint; only from then on writes are refused */
	while (!stats_of(r).broken) {
		unsigned failed = pour(r, 20);
		assert_true(failed == 0 || stats_of(r).broken);
	}
	disk.fail_sync[DATABASE] = 0;
	assert_int_equal(put_meta(r, BC_STR("x")), BC_ESTORE);
	bc_store_close(r->store);
	rig_open(r);
	assert_int_equal(put_meta(r, BC_STR("x")), 0);
}

static void a_checkpoint_without_space_leaves_commits_alone(void **state)
{
	struct rig *r = *state;
	disk.fail_write[DATABASE] = SQLITE_FULL;
	for (int i = 0; i < 5; i++)
		assert_int_equal(pour(r, 20), 0);
	assert_int_equal(put_meta(r, BC_STR("x")), 0);
	assert_false(stats_of(r).broken);
	assert_true(stats_of(r).writable);
	disk.fail_write[DATABASE] = 0;
}

/* --- removed tokens ------------------------------------------------------------------------ */

static uint64_t turned_ms(const struct bc_clock *c);
static const struct bc_clock turned_clock = { .wall_ms = turned_ms, .elapsed_ms = turned_ms };
static atomic_ullong turned;

static uint64_t turned_ms(const struct bc_clock *c)
{
	(void)c;
	return turned;
}

static void the_log_is_cut_soon_after_a_token_was_removed(void **state)
{
	struct bc_engine_fault fault = { 0 };
	struct rig *r = *state;
	struct sq *e;
	bc_store_close(r->store);
	r->store = NULL;
	turned = 1000;
	assert_int_equal(
		bc_engine_sqlite.open(strchr(r->url, ':') + 1, &turned_clock, (void **)&e, NULL),
		0);
	struct bc_store_op op = { .kind = BC_STORE_PUT_META,
				  .in.meta = { BC_STR("k"), BC_STR("v") } };
	assert_int_equal(bc_engine_sqlite.begin(e, &fault), 0);
	assert_int_equal(bc_engine_sqlite.apply(e, &op, &fault), 0);
	assert_int_equal(bc_engine_sqlite.commit(e, &fault), 0);
	assert_true(e->wal_pages > 0);
	/* what a killed process removed is not known: each start asks for it */
	assert_int_equal(bc_engine_sqlite.tend(e, true, &fault), 10000);
	turned += 9999;
	assert_int_equal(bc_engine_sqlite.tend(e, true, &fault), 1);
	turned += 1;
	assert_int_equal(bc_engine_sqlite.tend(e, true, &fault), BC_TEND_NEVER);
	assert_int_equal(e->wal_pages, 0);
	/* and after a removal again, but not while there is work */
	sq_want_scrub(e);
	turned += 20000;
	assert_int_equal(bc_engine_sqlite.tend(e, false, &fault), 0);
	assert_true(e->scrub);
	assert_int_equal(bc_engine_sqlite.tend(e, true, &fault), BC_TEND_NEVER);
	assert_false(e->scrub);
	bc_engine_sqlite.close(e);
}

int main(void)
{
#define FAULT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		FAULT_TEST(a_commit_is_one_fsync_of_the_log),
		FAULT_TEST(a_failed_fsync_is_final_and_the_next_start_goes_on),
		FAULT_TEST(a_write_error_of_the_log_at_commit_is_final_too),
		FAULT_TEST(a_full_disk_is_not_final),
		FAULT_TEST(the_log_stays_bounded_under_load),
		FAULT_TEST(a_failed_fsync_of_a_checkpoint_is_final),
		FAULT_TEST(a_checkpoint_without_space_leaves_commits_alone),
		FAULT_TEST(the_log_is_cut_soon_after_a_token_was_removed),
	};
	rig_engine = "sqlite";
	return cmocka_run_group_tests_name("sqlite-faults", tests, install_vfs, remove_vfs);
}
