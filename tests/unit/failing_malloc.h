/* SPDX-License-Identifier: MIT */
/*
 * Runs a test body again and again, each time with one more allocation failing, until it gets
 * through without meeting a failure. The body must survive every failure: no crash, no leak (the
 * sanitizer builds look), and either success or a clean BC_ENOMEM / NULL.
 */
#ifndef BC_TESTS_FAILING_MALLOC_H
#define BC_TESTS_FAILING_MALLOC_H

#include <stdbool.h>

/* body returns whether it got what it wanted; it is called at least once. Fails the test when the
 * body still fails though no allocation was refused. */
void each_allocation_failing(bool (*body)(void *ctx), void *ctx);
/* Fail the nth allocation from now on (1 = the next); 0 = none. For finer use. */
void fail_allocation(unsigned long nth);
bool allocation_failed(void); /* since the last fail_allocation */

#endif
