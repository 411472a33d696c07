/* SPDX-License-Identifier: MIT */
/*
 * Sockets that a service manager made and passed: LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES of the
 * environment, as sd_listen_fds(3) has them. It keeps them open while the daemon restarts, so what
 * connects or is sent meanwhile waits instead of being refused.
 *
 * A socket goes to the setting of its name (FileDescriptorName= of the socket unit): "listen",
 * "edge", "input". Where it is decides: it takes the setting's place, for the rules too, such as
 * that an API which others can reach needs a token.
 */
#ifndef BC_DAEMON_ACTIVATION_H
#define BC_DAEMON_ACTIVATION_H

#include "base/attr.h"

enum bc_socket_role { BC_SOCKET_LISTEN, BC_SOCKET_EDGE, BC_SOCKET_INPUT, BC_SOCKET_ROLES };

struct bc_passed_socket {
	int fd;		   /* 0 = none was passed */
	char address[160]; /* as the setting would say it: "127.0.0.1:8787", "unix:PATH" */
};

struct bc_activation {
	struct bc_passed_socket of[BC_SOCKET_ROLES];
};

/* The setting whose place a socket takes. */
const char *bc_socket_role_name(enum bc_socket_role role);

/*
 * Takes what was passed to this process, and the variables out of the environment.
 * result 0, also when nothing was passed; BC_EINVAL: one of them can serve nothing here
 */
BC_MUST_CHECK int bc_activation_take(struct bc_activation *ret_activation, struct bc_err *err);

#endif
