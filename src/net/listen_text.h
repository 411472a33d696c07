/* SPDX-License-Identifier: MIT */
/* What a listen text says, and the way to a Unix socket's path: the same for streams and datagrams.
 */
#ifndef BC_NET_LISTEN_TEXT_H
#define BC_NET_LISTEN_TEXT_H

#include "base/attr.h"

enum { BC_LISTEN_HOST_BYTES = 256, BC_UNIX_MODE = 0660 };

/* "host:port", "[::1]:80": the host without brackets, and the port, which points into text. 0 or
 * BC_EINVAL. */
BC_MUST_CHECK int bc_listen_split(const char *text, char host[BC_LISTEN_HOST_BYTES],
				  const char **ret_port, struct bc_err *err);
/* BC_EINVAL, with what is wrong with the text and how to write it. */
int bc_listen_bad(struct bc_err *err, const char *text, const char *problem);

/*
 * Makes way for a Unix socket of that type (SOCK_STREAM, SOCK_DGRAM): one that a dead process left
 * behind is removed. BC_EBUSY: somebody has it; BC_EINVAL: the path cannot be one, or stands for
 * something that is no socket; BC_EIO.
 */
BC_MUST_CHECK int bc_unix_path_clear(const char *path, int type, struct bc_err *err);

#endif
