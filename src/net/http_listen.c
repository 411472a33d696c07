/* SPDX-License-Identifier: MIT */
/*
 * Where a server listens: reads "host:port", "[::1]:80" or "unix:PATH", binds, and says where it
 * ended up. A Unix socket that a dead process left behind is replaced; one that is alive, or a path
 * that is something else, is not touched. Its mode is set before it listens, so nobody gets in too
 * early.
 */
#include "net/http_server_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

enum { BACKLOG = 1024, UNIX_MODE = 0660, HOST_BYTES = 256 };

static const char unix_prefix[] = "unix:";

/* ---- host:port ---- */

static int bad_listen(struct bc_err *err, const char *text, const char *problem)
{
	bc_err_set(err, BC_EINVAL, "cannot listen on \"%s\": %s", text, problem);
	bc_err_hint(err,
		    "write host:port such as 127.0.0.1:8787, [::1]:8787, or unix:/path/socket");
	return BC_EINVAL;
}

/* Splits at the last colon; brackets round an IPv6 address are dropped. */
static int split_address(const char *text, char host[HOST_BYTES], const char **ret_port,
			 struct bc_err *err)
{
	const char *colon = strrchr(text, ':');
	struct bc_str name = { text, colon ? (size_t)(colon - text) : 0 };
	uint64_t port;

	if (!colon || name.len == 0)
		return bad_listen(err, text, "it is not host:port");
	if (bc_parse_u64(bc_str_of(colon + 1), &port) || port > UINT16_MAX)
		return bad_listen(err, text, "the port is not a number up to 65535");
	if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
		name = (struct bc_str){ name.ptr + 1, name.len - 2 };
	else if (memchr(name.ptr, ':', name.len))
		return bad_listen(err, text, "an IPv6 address needs brackets");
	if (bc_str_copy(host, HOST_BYTES, name))
		return bad_listen(err, text, "the host name is too long");
	*ret_port = colon + 1;
	return 0;
}

static int bind_tcp(struct bc_http_server *s, const char *text, struct bc_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	char host[HOST_BYTES];
	const char *port = NULL;
	uv_getaddrinfo_t resolved;
	int rc = split_address(text, host, &port, err);

	if (rc)
		return rc;
	rc = uv_getaddrinfo(bc_loop_uv(s->loop), &resolved, NULL, host, port, &hints);
	if (rc < 0)
		return bc_uv_fail(err, rc, "cannot resolve the host of \"%s\"", text);
	rc = uv_tcp_bind(&s->listener.tcp, resolved.addrinfo->ai_addr, 0);
	uv_freeaddrinfo(resolved.addrinfo);
	return rc < 0 ? bc_uv_fail(err, rc, "cannot bind \"%s\"", text) : 0;
}

static void name_tcp(struct bc_http_server *s)
{
	struct sockaddr_storage address = { 0 };
	int len = sizeof(address);
	char host[BC_HTTP_PEER_BYTES] = "?";
	bool is_v6;

	uv_tcp_getsockname(&s->listener.tcp, (struct sockaddr *)&address, &len);
	uv_ip_name((struct sockaddr *)&address, host, sizeof(host));
	is_v6 = address.ss_family == AF_INET6;
	/* The port is at the same place in both families. */
	snprintf(s->address, sizeof(s->address), "%s%s%s:%u", is_v6 ? "[" : "", host,
		 is_v6 ? "]" : "", (unsigned int)ntohs(((struct sockaddr_in *)&address)->sin_port));
}

/* ---- unix:PATH ---- */

/* Does anybody listen there? */
static bool is_alive(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return true;
	memcpy(address.sun_path, path, strlen(path));
	/* EAGAIN is a full backlog: alive, and busy. */
	alive = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		errno != ECONNREFUSED;
	close(fd);
	return alive;
}

static int remove_stale(const char *path, struct bc_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0; /* absent; any other trouble shows at bind */
	if (!S_ISSOCK(st.st_mode)) {
		bc_err_set(err, BC_EINVAL, "cannot listen on \"%s\": it exists and is no socket",
			   path);
		bc_err_hint(err, "choose another path, or move the file away");
		return BC_EINVAL;
	}
	if (is_alive(path)) {
		bc_err_set(err, BC_EBUSY, "cannot listen on \"%s\": another process does", path);
		bc_err_hint(err, "stop that process, or choose another path");
		return BC_EBUSY;
	}
	if (unlink(path) < 0)
		return bc_err_set(err, BC_EIO, "cannot remove the stale socket \"%s\": %s", path,
				  strerror(errno));
	return 0;
}

static int bind_unix(struct bc_http_server *s, const char *path, struct bc_err *err)
{
	mode_t mode = s->options.unix_mode ? s->options.unix_mode : UNIX_MODE;
	int rc;

	if (path[0] == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bad_listen(err, path, "the socket's path must have 1 to 107 bytes");
	rc = remove_stale(path, err);
	if (rc)
		return rc;
	rc = uv_pipe_bind(&s->listener.pipe, path);
	if (rc < 0)
		return bc_uv_fail(err, rc, "cannot bind \"%s\"", path);
	if (chmod(path, mode) < 0)
		return bc_err_set(err, BC_EIO, "cannot set the mode of \"%s\": %s", path,
				  strerror(errno));
	snprintf(s->address, sizeof(s->address), "%s%s", unix_prefix, path);
	return 0;
}

int bc_http_listen(struct bc_http_server *s, const char *text, uv_connection_cb on_connection,
		   bool *ret_initialised, struct bc_err *err)
{
	uv_loop_t *loop = bc_loop_uv(s->loop);
	int rc;

	s->is_unix = strncmp(text, unix_prefix, strlen(unix_prefix)) == 0;
	rc = s->is_unix ? uv_pipe_init(loop, &s->listener.pipe, 0)
			: uv_tcp_init(loop, &s->listener.tcp);
	if (rc < 0)
		return bc_uv_fail(err, rc, "cannot create a socket");
	*ret_initialised = true;
	s->listener.handle.data = s;
	rc = s->is_unix ? bind_unix(s, text + strlen(unix_prefix), err) : bind_tcp(s, text, err);
	if (rc)
		return rc;
	rc = uv_listen(&s->listener.stream, BACKLOG, on_connection);
	if (rc < 0) {
		rc = bc_uv_fail(err, rc, "cannot listen on \"%s\"", text);
		bc_err_hint(err, "see which program has that address with: ss -ltnp");
		return rc;
	}
	if (!s->is_unix)
		name_tcp(s);
	return 0;
}
