/* SPDX-License-Identifier: MIT */
/*
 * The few GNU extensions and idioms that the whole tree may use, in one place.
 * BC_ASSERT is for what cannot happen: it stays on in every build and ends the process.
 */
#ifndef BC_BASE_ATTR_H
#define BC_BASE_ATTR_H

#include <stdlib.h>

#include <backchannel/error.h>

#define BC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BC_CLEANUP(fn)	     __attribute__((cleanup(fn)))
#define BC_UNUSED	     __attribute__((unused))
#define BC_NORETURN	     __attribute__((noreturn))

#define BC_COUNT(array)			(sizeof(array) / sizeof((array)[0]))
#define BC_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Frees the pointer a variable holds when it leaves scope: `bc_autofree char *s = ...;` */
static inline void bc_free_pointer(void *slot)
{
	free(*(void **)slot);
}
#define bc_autofree BC_CLEANUP(bc_free_pointer)

/* Hands over what a bc_autofree variable holds: `return bc_take(s);` */
#define bc_take(slot)                                                                              \
	__extension__({                                                                            \
		__typeof__(slot) bc_taken_ = (slot);                                               \
		(slot) = NULL;                                                                     \
		bc_taken_;                                                                         \
	})

BC_NORETURN void bc_assert_failed(const char *what, const char *file, int line);
#define BC_ASSERT(cond) ((cond) ? (void)0 : bc_assert_failed(#cond, __FILE__, __LINE__))

#endif
