/* SPDX-License-Identifier: MIT */
/*
 * What an engine author implements. An engine that blocks is run by store.c on a thread of its own:
 * begin, apply for each waiting operation, commit. (Asynchronous engines get a second shape beside
 * `apply` when the first of them arrives.)
 */
#ifndef BC_STORE_ENGINE_H
#define BC_STORE_ENGINE_H

#include "store/store.h"

/* How far a failure reaches, which decides what becomes of the rest of its batch. */
enum bc_reach {
	BC_REACH_OPERATION, /* this one alone (no memory, too big): the others are tried again */
	BC_REACH_WRITES,    /* every write of now (disk full, read-only): all fail, reads go on */
	BC_REACH_FINAL	    /* every write of this handle from here on (a failed fsync) */
};

struct bc_engine_fault {
	enum bc_reach reach;
	struct bc_err err; /* for each operation that it hits; err.code is their result */
};

/* What tend answers when it wants nothing until the next batch. */
#define BC_TEND_NEVER UINT32_MAX

struct bc_engine {
	const char *name; /* the url's scheme: "sqlite" */
	const char *help; /* one line for docs and `config show` */

	/* rollback undoes nothing, so apply returns 0 always: what fails in it fails that operation
	 * alone. */
	bool undoes_nothing;

	/* Optional. Is rest one that open can understand? Looks at the text only; any thread. */
	int (*check)(const char *rest, struct bc_err *err);

	/* Required. rest: the url behind "name:". On the opener's thread; every other entry runs on
	 * the store's. */
	int (*open)(const char *rest, const struct bc_clock *clock, void **ret_engine,
		    struct bc_err *err);
	void (*close)(void *engine);

	/* Required. One transaction around the applies of a batch that holds at least one write; a
	 * batch of reads runs without. commit returns 0 when the batch is durable. Else the fault
	 * is filled and its code returned: BC_ESTORE, nothing of the batch is kept; BC_EUNSURE, the
	 * engine cannot know. rollback follows any failure, begin's too. */
	int (*begin)(void *engine, struct bc_engine_fault *fault);
	int (*commit)(void *engine, struct bc_engine_fault *fault);
	void (*rollback)(void *engine);

	/* Required. Fills op->result (domain results such as BC_ENOENT, BC_ESTATE included),
	 * op->err, op->out, which come in cleared; op->in was checked (bc_rule_check). Returns 0,
	 * or the fault's code when the transaction must be rolled back. */
	int (*apply)(void *engine, struct bc_store_op *op, struct bc_engine_fault *fault);

	/* Optional. House-keeping between batches, after their answers left: checkpoints and the
	 * like. idle: nothing waits. Returns in how many ms it wants to be called again if nothing
	 * happens, 0 = at once. A fault is filled only when it is BC_REACH_FINAL. */
	uint32_t (*tend)(void *engine, bool idle, struct bc_engine_fault *fault);

	/* Optional. What it takes on disk, and what is free there. False: not known now. */
	bool (*measure)(void *engine, uint64_t *ret_bytes, uint64_t *ret_free_bytes);
};

extern const struct bc_engine bc_engine_sqlite;
extern const struct bc_engine bc_engine_memory;
extern const struct bc_engine bc_engine_faults; /* named "fault" */

/* Every engine built in, ended by NULL. */
extern const struct bc_engine *const bc_engines[];

/* The engine that a url names, and in ret_rest what its open gets; or NULL. */
const struct bc_engine *bc_engine_find(const char *url, const char **ret_rest);

/* bc_store_open for an engine that is not among them: wrappers and tests. options->url is what
 * open gets as rest. */
BC_MUST_CHECK int bc_store_open_engine(const struct bc_engine *engine,
				       const struct bc_store_options *options,
				       struct bc_store **ret_store, struct bc_err *err);

#endif
