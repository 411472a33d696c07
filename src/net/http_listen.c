/* SPDX-License-Identifier: MIT */
/*
 * Where a server listens: reads "host:port", "[::1]:80" or "unix:PATH", binds, and says where it
 * ended up. A Unix socket that a dead process left behind is replaced; one that is alive, or a path
 * that is something else, is not touched. Its mode is set before it listens, so nobody gets in too
 * early. Or it serves a socket that somebody else made, who also keeps it: what is not accepted
 * here waits there for the next.
 */
#include "net/http_server_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/err.h"
#include "net/listen_text.h"

enum { BACKLOG = 1024 };

static const char unix_prefix[] = "unix:";

/* ---- host:port ---- */

static int bind_tcp(struct bc_http_server *s, const char *text, struct bc_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	char host[BC_LISTEN_HOST_BYTES];
	const char *port = NULL;
	uv_getaddrinfo_t resolved;
	int rc = bc_listen_split(text, host, &port, err);

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

static int bind_unix(struct bc_http_server *s, const char *path, struct bc_err *err)
{
	mode_t mode = s->options.unix_mode ? s->options.unix_mode : BC_UNIX_MODE;
	int rc = bc_unix_path_clear(path, SOCK_STREAM, err);

	if (rc)
		return rc;
	rc = uv_pipe_bind(&s->listener.pipe, path);
	if (rc < 0)
		return bc_uv_fail(err, rc, "cannot bind \"%s\"", path);
	if (chmod(path, mode) < 0)
		return bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
				   "cannot set the mode of \"%s\": %s", path, strerror(errno));
	snprintf(s->address, sizeof(s->address), "%s%s", unix_prefix, path);
	return 0;
}

/* ---- a socket that was passed ---- */

static int take_fd(struct bc_http_server *s, const char *text, struct bc_err *err)
{
	int fd = s->options.fd;
	int rc = s->is_unix ? uv_pipe_open(&s->listener.pipe, fd)
			    : uv_tcp_open(&s->listener.tcp, fd);

	if (rc < 0)
		return bc_uv_fail(err, rc, "cannot use the socket that was passed for \"%s\"",
				  text);
	if (s->is_unix)
		snprintf(s->address, sizeof(s->address), "%s", text);
	return 0;
}

static int bind_any(struct bc_http_server *s, const char *text, struct bc_err *err)
{
	if (s->options.fd)
		return take_fd(s, text, err);
	return s->is_unix ? bind_unix(s, text + strlen(unix_prefix), err) : bind_tcp(s, text, err);
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
	rc = bind_any(s, text, err);
	if (rc)
		return rc;
	rc = uv_listen(&s->listener.stream, BACKLOG, on_connection);
	if (rc < 0) {
		bc_err_hint(err, "see which program has that address with: ss -ltnp");
		return bc_uv_fail(err, rc, "cannot listen on \"%s\"", text);
	}
	if (!s->is_unix)
		name_tcp(s);
	return 0;
}
