/* SPDX-License-Identifier: MIT */
/*
 * A socket that takes datagrams and answers none: a Unix one, or UDP. What comes is read in
 * batches, and only so many in one turn of the loop, so that a flood of it leaves turns to
 * everybody else. Loop's thread.
 */
#ifndef BC_NET_DATAGRAM_H
#define BC_NET_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

struct bc_datagrams;

enum { BC_DATAGRAM_MAX_BYTES = 16 * 1024, BC_DATAGRAM_BATCH = 32 };

struct bc_datagram_options {
	/* "unix:PATH" (mode 0660; one that nobody has any more is replaced) or "udp:HOST:PORT";
	 * borrowed during create. */
	const char *listen;
	const char *group; /* of the Unix socket; NULL: the process's own; borrowed likewise */
	/* Not 0: a bound socket that is read instead; listen says where it is. Taken by a
	 * create that succeeds; one that fails may have closed it. Mode, group and path are whose
	 * it was; what is not read stays in it. */
	int fd;
	/* One datagram; cut: it was longer than BC_DATAGRAM_MAX_BYTES. False: it was taken, and
	 * after the BC_DATAGRAM_BATCH - 1 that may be read already, no more until
	 * bc_datagrams_resume. Must not close. */
	bool (*take)(void *ctx, struct bc_str bytes, bool cut);
	void *ctx;
};

/* 0, BC_EINVAL (the text, the group), BC_EBUSY (somebody has it), BC_ENOENT (the folder), BC_EIO,
 * BC_ENOMEM. */
BC_MUST_CHECK int bc_datagrams_create(struct bc_loop *loop,
				      const struct bc_datagram_options *options,
				      struct bc_datagrams **ret_datagrams, struct bc_err *err);
/* "unix:PATH", or "udp:127.0.0.1:8788" with the real port. */
const char *bc_datagrams_address(const struct bc_datagrams *d);
/* What the kernel keeps of those that are not read yet: bytes of UDP. */
size_t bc_datagrams_buffer_bytes(const struct bc_datagrams *d);
/* How many may wait in a Unix socket, by the system's setting; 0 = UDP, or not known. */
uint32_t bc_datagrams_queue(const struct bc_datagrams *d);
/* How many the kernel dropped since the last call, because nobody read them in time: UDP's. A full
 * Unix socket tells its writer instead. */
uint64_t bc_datagrams_lost(struct bc_datagrams *d);
/* Not from within take. */
void bc_datagrams_resume(struct bc_datagrams *d);
/* Removes the Unix socket unless it was passed as fd, hands over what had come (as resume allows,
 * too), then calls closed(ctx) once, later; d is freed by then. */
void bc_datagrams_close(struct bc_datagrams *d, void (*closed)(void *ctx), void *ctx);

#endif
