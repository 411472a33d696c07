/* SPDX-License-Identifier: MIT */
/*
 * See datagram.h. A poll handle on the bare socket: libuv reads a datagram a call and cannot tell
 * what the kernel dropped, recvmmsg reads BATCH of them and does.
 *
 * States: READING (polled) -> HELD by take's false -> READING by resume; CLOSING from either, which
 * goes on as they do until the socket is empty or CLOSING_MAX datagrams were read.
 */
#include "net/datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/secret.h"
#include "net/listen_text.h"

enum {
	BATCH = BC_DATAGRAM_BATCH,
	BATCHES_A_TURN = 4,
	BUFFER_BYTES = 4 * 1024 * 1024,
	CLOSING_MAX = 65536,
	GROUP_BYTES = 4096
};

struct bc_datagrams {
	uv_poll_t poll;
	struct bc_loop *loop; /* borrowed */
	bool (*take)(void *ctx, struct bc_str bytes, bool cut);
	void *ctx;
	int fd; /* owned */
	bool is_unix, held, closing;
	size_t left; /* CLOSING: so many more */
	void (*closed)(void *ctx);
	void *closed_ctx;
	uint32_t lost_seen, lost_told; /* the kernel's count, which wraps */
	/* Of a Unix socket that is to be removed at the end; "": there is none. */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t device; /* of the path, so that nobody else's is removed */
	ino_t inode;
	char address[160];
	struct mmsghdr messages[BATCH];
	struct iovec slots[BATCH];
	char control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	char bytes[BATCH][BC_DATAGRAM_MAX_BYTES];
};

/* --- reading --------------------------------------------------------------------------------- */

static void prepare(struct bc_datagrams *d)
{
	for (int i = 0; i < BATCH; i++) {
		d->slots[i] = (struct iovec){ d->bytes[i], sizeof(d->bytes[i]) };
		d->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &d->slots[i],
							  .msg_iovlen = 1,
							  .msg_control = d->control[i],
							  .msg_controllen = sizeof(d->control[i]) };
	}
}

static void see_lost(struct bc_datagrams *d, struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	for (; c; c = CMSG_NXTHDR(message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&d->lost_seen, CMSG_DATA(c), sizeof(d->lost_seen));
}

/* A batch is handed over whole, though take may say that it is enough. How many; 0: none there. */
static size_t read_batch(struct bc_datagrams *d)
{
	int count;
	prepare(d);
	do {
		count = recvmmsg(d->fd, d->messages, BATCH, MSG_DONTWAIT, NULL);
	} while (count < 0 && errno == EINTR);
	for (int i = 0; i < count; i++) {
		struct msghdr *message = &d->messages[i].msg_hdr;
		struct bc_str bytes = { d->bytes[i], d->messages[i].msg_len };
		see_lost(d, message);
		if (!d->take(d->ctx, bytes, message->msg_flags & MSG_TRUNC))
			d->held = true;
		bc_wipe(d->bytes[i], bytes.len);
	}
	return count > 0 ? (size_t)count : 0;
}

static void free_closed(uv_handle_t *handle)
{
	struct bc_datagrams *d = handle->data;
	void (*closed)(void *ctx) = d->closed;
	void *ctx = d->closed_ctx;
	close(d->fd);
	free(d);
	if (closed)
		closed(ctx);
}

static void read_turn(struct bc_datagrams *d)
{
	size_t count = BATCH;
	for (int i = 0; i < BATCHES_A_TURN && count == BATCH && !d->held; i++) {
		count = read_batch(d);
		d->left -= d->left < count ? d->left : count; /* counts while closing */
	}
	if (d->held)
		uv_poll_stop(&d->poll);
	else if (d->closing && (count < BATCH || !d->left))
		uv_close((uv_handle_t *)&d->poll, free_closed);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status; /* an error is read, and gone with that */
	(void)events;
	read_turn(poll->data);
}

static void watch(struct bc_datagrams *d)
{
	uv_poll_start(&d->poll, UV_READABLE, on_readable);
	bc_loop_watches_more(d->loop);
}

void bc_datagrams_resume(struct bc_datagrams *d)
{
	if (!d->held)
		return;
	d->held = false;
	watch(d);
	if (d->closing) /* when it is empty, nothing wakes it */
		read_turn(d);
}

/* --- a Unix socket --------------------------------------------------------------------------- */

static int find_group(const char *name, gid_t *ret_group, struct bc_err *err)
{
	char buffer[GROUP_BYTES];
	struct group group, *found = NULL;
	int failed = getgrnam_r(name, &group, buffer, sizeof(buffer), &found);
	if (found) {
		*ret_group = group.gr_gid;
		return 0;
	}
	bc_err_set(err, BC_EINVAL, "there is no group \"%s\"%s%s", name, failed ? ": " : "",
		   failed ? strerror(failed) : "");
	bc_err_hint(err, "name the group that the web server runs in, such as www-data");
	return BC_EINVAL;
}

static int set_group(const char *path, const char *name, struct bc_err *err)
{
	gid_t group;
	int result = name ? find_group(name, &group, err) : 0;
	if (result || !name || lchown(path, (uid_t)-1, group) == 0)
		return result;
	bc_err_set(err, BC_EIO, "cannot give \"%s\" to group \"%s\": %s", path, name,
		   strerror(errno));
	bc_err_hint(err,
		    "make the daemon a member of that group (SupplementaryGroups= of its unit)");
	return BC_EIO;
}

static int bind_unix(struct bc_datagrams *d, const char *path, const char *group,
		     struct bc_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int result = bc_unix_path_clear(path, SOCK_DGRAM, err);
	if (result)
		return result;
	memcpy(address.sun_path, path, strlen(path));
	if (bind(d->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		result = -errno;
		bc_err_hint(err, "its folder must exist, and be the daemon's to write to");
		return bc_uv_fail(err, result, "cannot bind \"unix:%s\"", path);
	}
	memcpy(d->path, address.sun_path, sizeof(d->path));
	if (lstat(path, &st) == 0) {
		d->device = st.st_dev;
		d->inode = st.st_ino;
	}
	/* The process's umask lets nobody else in until here. */
	result = set_group(path, group, err);
	if (!result && chmod(path, BC_UNIX_MODE) < 0)
		result = bc_err_tell(err, BC_EIO, bc_errno_hint(errno),
				     "cannot set the mode of \"%s\": %s", path, strerror(errno));
	snprintf(d->address, sizeof(d->address), "unix:%s", path);
	return result;
}

static void remove_path(struct bc_datagrams *d)
{
	struct stat st;
	if (d->path[0] && lstat(d->path, &st) == 0 && st.st_dev == d->device &&
	    st.st_ino == d->inode)
		unlink(d->path);
	d->path[0] = '\0';
}

/* --- UDP ------------------------------------------------------------------------------------- */

static void name_udp(struct bc_datagrams *d)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .v6 = { 0 } };
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";
	BC_ASSERT(getsockname(d->fd, &address.any, &len) == 0);
	uv_ip_name(&address.any, host, sizeof(host));
	bool is_v6 = address.any.sa_family == AF_INET6;
	in_port_t port = is_v6 ? address.v6.sin6_port : address.v4.sin_port;
	snprintf(d->address, sizeof(d->address), "udp:%s%s%s:%u", is_v6 ? "[" : "", host,
		 is_v6 ? "]" : "", (unsigned)ntohs(port));
}

static int resolve_udp(struct bc_loop *loop, const char *text, uv_getaddrinfo_t *resolved,
		       struct bc_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE };
	char host[BC_LISTEN_HOST_BYTES];
	const char *port;
	int result = bc_listen_split(text, host, &port, err);
	if (result)
		return result;
	result = uv_getaddrinfo(bc_loop_uv(loop), resolved, NULL, host, port, &hints);
	return result < 0 ? bc_uv_fail(err, result, "cannot resolve the host of \"%s\"", text) : 0;
}

/* --- life ------------------------------------------------------------------------------------ */

static void widen_socket(struct bc_datagrams *d)
{
	const int wanted = BUFFER_BYTES, on = 1;
	/* The first is beyond the system's limit, for the privileged only. */
	if (setsockopt(d->fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0)
		(void)setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
	(void)setsockopt(d->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

static int make_socket(struct bc_datagrams *d, int family, struct bc_err *err)
{
	d->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		return bc_uv_fail(err, -errno, "cannot create a socket");
	widen_socket(d);
	return 0;
}

static int open_udp(struct bc_datagrams *d, const char *text, struct bc_err *err)
{
	uv_getaddrinfo_t resolved;
	int result = resolve_udp(d->loop, text, &resolved, err);
	if (result)
		return result;
	const struct addrinfo *to = resolved.addrinfo;
	result = make_socket(d, to->ai_family, err);
	if (!result && bind(d->fd, to->ai_addr, to->ai_addrlen) < 0)
		result = bc_uv_fail(err, -errno, "cannot bind \"udp:%s\"", text);
	if (!result)
		name_udp(d);
	uv_freeaddrinfo(resolved.addrinfo);
	return result;
}

static int take_fd(struct bc_datagrams *d, const struct bc_datagram_options *o, struct bc_err *err)
{
	d->fd = o->fd;
	if (fcntl(d->fd, F_SETFL, O_NONBLOCK) < 0)
		return bc_uv_fail(err, -errno, "cannot use the socket that was passed for \"%s\"",
				  o->listen);
	widen_socket(d);
	if (d->is_unix)
		snprintf(d->address, sizeof(d->address), "%s", o->listen);
	else
		name_udp(d);
	return 0;
}

static int open_any(struct bc_datagrams *d, const struct bc_datagram_options *o, struct bc_err *err)
{
	const struct bc_str listen = bc_str_of(o->listen);
	d->is_unix = bc_str_starts(listen, "unix:");
	if (!d->is_unix && !bc_str_starts(listen, "udp:"))
		return bc_err_tell(err, BC_EINVAL,
				   "write unix:/run/backchannel/input.sock or udp:127.0.0.1:PORT",
				   "\"%s\" is neither unix: nor udp:", o->listen);
	if (o->fd)
		return take_fd(d, o, err);
	if (!d->is_unix)
		return open_udp(d, o->listen + 4, err);
	int result = make_socket(d, AF_UNIX, err);
	return result ? result : bind_unix(d, o->listen + 5, o->group, err);
}

int bc_datagrams_create(struct bc_loop *loop, const struct bc_datagram_options *options,
			struct bc_datagrams **ret_datagrams, struct bc_err *err)
{
	struct bc_datagrams *d = calloc(1, sizeof(*d));
	if (!d)
		return bc_err_nomem(err);
	d->loop = loop;
	d->take = options->take;
	d->ctx = options->ctx;
	d->fd = -1;
	int result = open_any(d, options, err);
	if (!result) {
		int failed = uv_poll_init(bc_loop_uv(loop), &d->poll, d->fd);
		result = failed ? bc_uv_fail(err, failed, "cannot watch a socket") : 0;
	}
	if (result) {
		remove_path(d);
		if (d->fd >= 0)
			close(d->fd);
		free(d);
		return result;
	}
	d->poll.data = d;
	watch(d);
	*ret_datagrams = d;
	return 0;
}

const char *bc_datagrams_address(const struct bc_datagrams *d)
{
	return d->address;
}

size_t bc_datagrams_buffer_bytes(const struct bc_datagrams *d)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);
	if (getsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len) < 0)
		return 0;
	return (size_t)bytes;
}

uint32_t bc_datagrams_queue(const struct bc_datagrams *d)
{
	unsigned queue = 0;
	FILE *setting = d->is_unix ? fopen("/proc/sys/net/unix/max_dgram_qlen", "re") : NULL;
	if (setting && fscanf(setting, "%u", &queue) != 1)
		queue = 0;
	if (setting)
		fclose(setting);
	return queue;
}

uint64_t bc_datagrams_lost(struct bc_datagrams *d)
{
	uint32_t lost = d->lost_seen - d->lost_told;
	d->lost_told = d->lost_seen;
	return lost;
}

void bc_datagrams_close(struct bc_datagrams *d, void (*closed)(void *ctx), void *ctx)
{
	remove_path(d);
	d->closing = true;
	d->left = CLOSING_MAX;
	d->closed = closed;
	d->closed_ctx = ctx;
	if (!d->held)
		read_turn(d);
}
