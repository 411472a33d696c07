/* SPDX-License-Identifier: MIT */
/*
 * How every fallible call of libbackchannel reports.
 *
 * A call returns 0 (or 1 "found" / 0 "absent" for look-ups) or one of the negative codes below. The
 * words go into the caller's struct bc_err: the last parameter, may be NULL, never allocates. The
 * first text set wins; nothing on the way up overwrites it. A text is lower case, without a full
 * stop, problem first, with its subject in quotes; the hint says what to do next.
 */
#ifndef BACKCHANNEL_ERROR_H
#define BACKCHANNEL_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define BC_API	      __attribute__((visibility("default")))
#define BC_MUST_CHECK __attribute__((warn_unused_result))
#else
#define BC_API
#define BC_MUST_CHECK
#endif

enum bc_code {
	BC_OK = 0,
	BC_EINVAL = -1,	   /* the caller's value is wrong; the text names it */
	BC_ENOMEM = -2,	   /* no memory; nothing was changed */
	BC_ETOOBIG = -3,   /* a ceiling was reached; the text names it */
	BC_ENOENT = -4,	   /* no such thing */
	BC_ECONFLICT = -5, /* it exists already and differs */
	BC_EAUTH = -6,	   /* a credential was refused */
	BC_ETIMEDOUT = -7, /* the deadline passed */
	BC_EUNREACH = -8,  /* the other side cannot be reached */
	BC_EBUSY = -9,	   /* somebody else holds it, or a queue is full: try again later */
	BC_ESTORE = -10,   /* the store refused the write: nothing of it is kept */
	BC_EUNSURE = -11,  /* the store cannot say whether the write landed: put it again */
	BC_EIO = -12,	   /* reading or writing a file or socket failed */
	BC_ESTATE = -13,   /* not possible in this state */
	BC_EINTERNAL = -14 /* a bug; please report it */
};

enum { BC_ERR_TEXT_BYTES = 320, BC_ERR_HINT_BYTES = 320 };

struct bc_err {
	int code;		      /* enum bc_code; 0 = nothing set */
	char text[BC_ERR_TEXT_BYTES]; /* what happened */
	char hint[BC_ERR_HINT_BYTES]; /* what to do next; may be empty */
};

/* The code's own short name, such as "invalid"; never NULL. */
BC_API const char *bc_code_name(int code);

#ifdef __cplusplus
}
#endif
#endif
