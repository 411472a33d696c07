/* SPDX-License-Identifier: MIT */
/* See listen_text.h. */
#include "net/listen_text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

/* --- host:port ------------------------------------------------------------------------------- */

int bc_listen_bad(struct bc_err *err, const char *text, const char *problem)
{
	bc_err_set(err, BC_EINVAL, "cannot listen on \"%s\": %s", text, problem);
	bc_err_hint(err,
		    "write host:port such as 127.0.0.1:8787, [::1]:8787, or unix:/path/socket");
	return BC_EINVAL;
}

/* At the last colon. */
int bc_listen_split(const char *text, char host[BC_LISTEN_HOST_BYTES], const char **ret_port,
		    struct bc_err *err)
{
	const char *colon = strrchr(text, ':');
	struct bc_str name = { text, colon ? (size_t)(colon - text) : 0 };
	uint64_t port;

	if (!colon || name.len == 0)
		return bc_listen_bad(err, text, "it is not host:port");
	if (bc_parse_u64(bc_str_of(colon + 1), &port) || port > UINT16_MAX)
		return bc_listen_bad(err, text, "the port is not a number up to 65535");
	if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
		name = (struct bc_str){ name.ptr + 1, name.len - 2 };
	else if (memchr(name.ptr, ':', name.len))
		return bc_listen_bad(err, text, "an IPv6 address needs brackets");
	if (bc_str_copy(host, BC_LISTEN_HOST_BYTES, name))
		return bc_listen_bad(err, text, "the host name is too long");
	*ret_port = colon + 1;
	return 0;
}

/* --- the way to a path ----------------------------------------------------------------------- */

/* Does anybody have it? */
static bool is_alive(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	memcpy(address.sun_path, path, strlen(path));
	/* EAGAIN is a full backlog: alive, and busy. A socket of another type is somebody else's.
	 */
	alive = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	return alive;
}

int bc_unix_path_clear(const char *path, int type, struct bc_err *err)
{
	struct stat st;

	if (path[0] == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bc_listen_bad(err, path, "the socket's path must have 1 to 107 bytes");
	if (lstat(path, &st) < 0)
		return 0; /* absent; any other trouble shows at bind */
	if (!S_ISSOCK(st.st_mode)) {
		bc_err_set(err, BC_EINVAL, "cannot listen on \"%s\": it exists and is no socket",
			   path);
		bc_err_hint(err, "choose another path, or move the file away");
		return BC_EINVAL;
	}
	if (is_alive(path, type)) {
		bc_err_set(err, BC_EBUSY, "cannot listen on \"%s\": another process does", path);
		bc_err_hint(err, "stop that process, or choose another path");
		return BC_EBUSY;
	}
	if (unlink(path) < 0)
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
				   "cannot remove the stale socket \"%s\": %s", path,
				   strerror(errno));
	return 0;
}
