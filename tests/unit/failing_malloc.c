/* SPDX-License-Identifier: MIT */
/*
 * The allocator that fails on request. The linker sends every malloc, calloc, realloc, strdup and
 * strndup of the code under test here (--wrap); what libraries allocate by themselves is not
 * counted. One allocation fails per run, the one that was named; those after it succeed, which is
 * harder on clean-up code than a machine that is out of memory for good.
 */
#include "failing_malloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* More allocations in one test body than this, and the loop does not end for some other reason. */
enum { MOST_ALLOCATIONS = 100000 };

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);

static atomic_ulong allocations; /* since fail_allocation */
static atomic_ulong failing;	 /* which of them fails; 0 = none */
static atomic_bool failed;

void fail_allocation(unsigned long nth)
{
	atomic_store(&failing, 0);
	atomic_store(&allocations, 0);
	atomic_store(&failed, false);
	atomic_store(&failing, nth);
}

bool allocation_failed(void)
{
	return atomic_load(&failed);
}

static bool refused(void)
{
	const unsigned long nth = atomic_fetch_add(&allocations, 1) + 1;

	if (nth != atomic_load(&failing))
		return false;
	atomic_store(&failed, true);
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t bytes)
{
	return refused() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return refused() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return refused() ? NULL : __real_realloc(old, bytes);
}

char *__wrap_strdup(const char *s)
{
	return refused() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t len)
{
	return refused() ? NULL : __real_strndup(s, len);
}

void each_allocation_failing(bool (*body)(void *ctx), void *ctx)
{
	for (unsigned long nth = 1; nth <= MOST_ALLOCATIONS; nth++) {
		bool ok, met_failure;

		fail_allocation(nth);
		ok = body(ctx);
		met_failure = allocation_failed();
		fail_allocation(0);
		if (met_failure)
			continue;
		if (!ok)
			fail_msg("the body failed though no allocation was refused (run %lu)", nth);
		return;
	}
	fail_msg("still allocating after %d allocations", MOST_ALLOCATIONS);
}
