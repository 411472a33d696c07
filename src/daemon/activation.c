/* SPDX-License-Identifier: MIT */
/*
 * See activation.h. The protocol is three variables: too little to be worth a library that is
 * loaded into a process that holds keys.
 *
 * A socket that nobody here takes is refused: whoever connects to it would wait for ever.
 */
#include "daemon/activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

enum { FIRST_FD = 3, FDS_MAX = 64 };

static const struct {
	const char *name, *prefix; /* the prefix is of addresses that are not a path */
	int type;
	const char *directive; /* of the socket unit */
} roles[BC_SOCKET_ROLES] = {
	[BC_SOCKET_LISTEN] = { "listen", "", SOCK_STREAM, "ListenStream=" },
	[BC_SOCKET_EDGE] = { "edge", "", SOCK_STREAM, "ListenStream=" },
	[BC_SOCKET_INPUT] = { "input", "udp:", SOCK_DGRAM, "ListenDatagram=" },
};

const char *bc_socket_role_name(enum bc_socket_role role)
{
	return roles[role].name;
}

static int refuse(struct bc_err *err, const char *name, const char *problem, const char *hint)
{
	bc_err_set(err, BC_EINVAL, "the socket that was passed as \"%s\" %s", name, problem);
	bc_err_hint(err, "%s", hint);
	return BC_EINVAL;
}

/* --- what it is ------------------------------------------------------------------------------ */

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* False: it has none that a setting could say. */
static bool write_address(int fd, const char *prefix, char *text, size_t text_bytes)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} a = { .local = { 0 } };
	socklen_t len = sizeof(a) - 1;
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, &a.any, &len) < 0)
		return false;
	if (a.any.sa_family == AF_UNIX && a.local.sun_path[0] == '/')
		snprintf(text, text_bytes, "unix:%s", a.local.sun_path);
	else if (a.any.sa_family == AF_INET &&
		 inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host)))
		snprintf(text, text_bytes, "%s%s:%u", prefix, host, ntohs(a.v4.sin_port));
	else if (a.any.sa_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host)))
		snprintf(text, text_bytes, "%s[%s]:%u", prefix, host, ntohs(a.v6.sin6_port));
	else
		return false;
	return true;
}

static int look_at(enum bc_socket_role role, int fd, struct bc_passed_socket *ret_socket,
		   struct bc_err *err)
{
	const char *name = roles[role].name;
	struct bc_passed_socket socket = { .fd = fd };
	char hint[96];

	snprintf(hint, sizeof(hint), "its socket unit says %sADDRESS, or %s/a/path, and Accept=no",
		 roles[role].directive, roles[role].directive);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return refuse(err, name, "is not there",
			      "LISTEN_FDS counts more than were passed: leave it to the service "
			      "manager, or unset it");
	if (option_of(fd, SO_TYPE) != roles[role].type)
		return refuse(err, name, "is of another kind", hint);
	if (roles[role].type == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) != 1)
		return refuse(err, name, "does not listen", hint);
	if (!write_address(fd, roles[role].prefix, socket.address, sizeof(socket.address)))
		return refuse(err, name, "has no address that a setting could say", hint);
	*ret_socket = socket;
	return 0;
}

/* --- whose it is ----------------------------------------------------------------------------- */

static int role_of(struct bc_str name)
{
	for (int role = 0; role < BC_SOCKET_ROLES; role++)
		if (bc_str_eq(name, roles[role].name))
			return role;
	return -1;
}

static int take_one(struct bc_activation *a, struct bc_str name, int fd, struct bc_err *err)
{
	char text[64];
	int role = role_of(name);

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr ? name.ptr : "");
	if (role < 0)
		return refuse(err, text, "is for nobody here",
			      "FileDescriptorName= of its socket unit is listen, edge or input");
	if (a->of[role].fd)
		return refuse(err, text, "is the second of that name",
			      "one socket unit each, with one ListenStream= or ListenDatagram=");
	return look_at((enum bc_socket_role)role, fd, &a->of[role], err);
}

/* How many were passed to us. 0 with *ret_count, or BC_EINVAL. */
static int count_passed(int *ret_count, struct bc_err *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	*ret_count = 0;
	if (!fds || !pid || bc_parse_u64(bc_str_of(pid), &number) || number != (uint64_t)getpid())
		return 0; /* meant for the process that started us */
	if (bc_parse_u64(bc_str_of(fds), &number) || number > FDS_MAX) {
		bc_err_set(err, BC_EINVAL, "LISTEN_FDS \"%s\" is no number of sockets", fds);
		bc_err_hint(err, "leave it to the service manager, or unset it");
		return BC_EINVAL;
	}
	*ret_count = (int)number;
	return 0;
}

int bc_activation_take(struct bc_activation *ret_activation, struct bc_err *err)
{
	static const char *const variables[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };
	const char *text = getenv("LISTEN_FDNAMES");
	struct bc_str names = text ? bc_str_of(text) : (struct bc_str){ NULL, 0 };
	int count, result = count_passed(&count, err);

	*ret_activation = (struct bc_activation){ 0 };
	for (int i = 0; !result && i < count; i++)
		result = take_one(ret_activation, bc_str_split(&names, ':'), FIRST_FD + i, err);
	for (size_t i = 0; i < BC_COUNT(variables); i++)
		unsetenv(variables[i]);
	return result;
}
