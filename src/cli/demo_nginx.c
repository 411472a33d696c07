/* SPDX-License-Identifier: MIT */
/*
 * The joined shop's web server: a real nginx, where one is installed, with a configuration of its
 * own in the demo's folder, on a free port, as who runs the demo. In it is what `backchannel recipe
 * nginx` prints, and the four public paths of the daemon are passed on.
 *
 * It runs as a child like the daemons, in the foreground; its worker is of its process group, so
 * both end together. One that does not start is no failure of the journey: a shop without it has
 * the page's beacon.
 */
#include "cli/demo.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* What is in it stands in the recipe's comments: the line for the shop's server block, and in
 * docs/orders.md which paths lead to the daemon. */
static const char configuration[] =
	"daemon off;\n"
	"pid nginx.pid;\n"
	"worker_processes 1;\n"
	"error_log stderr warn;\n"
	"%s" /* user */
	"events { worker_connections 64; }\n"
	"http {\n"
	"    access_log off;\n"
	"    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;\n"
	"    uwsgi_temp_path temp; scgi_temp_path temp;\n"
	"    include recipe.conf;\n"
	"    server {\n"
	"        listen %s;\n"
	"        add_header Set-Cookie $bc_cookie always;\n"
	"        location = /capture.js           { proxy_pass http://%s; }\n"
	"        location = /v1/c                 { proxy_pass http://%s; }\n"
	"        location = /v1/events/adobe      { proxy_pass http://%s; }\n"
	"        location = /v1/webhooks/commerce { proxy_pass http://%s; }\n"
	"        location / { return 200 'a page of the shop'; }\n"
	"    }\n"
	"}\n";

/* --- finding it ---------------------------------------------------------------------------------
 */

static const char *executable(struct demo *d, struct bc_str folder, const char *name)
{
	const char *path = demo_text(d, "%.*s/%s", (int)folder.len, folder.ptr, name);
	return folder.len && access(path, X_OK) == 0 ? path : NULL;
}

/* Along PATH. Debian keeps it in /usr/sbin, which not every user's PATH has: beside each bin its
 * sbin is looked at. NULL = none. */
static const char *find_nginx(struct demo *d)
{
	struct bc_str rest = bc_str_of(getenv("PATH") ? getenv("PATH") : "");
	const char *found = NULL;
	while (rest.len && !found) {
		struct bc_str folder = bc_str_split(&rest, ':');
		found = executable(d, folder, "nginx");
		if (!found && folder.len > 4 && !memcmp(folder.ptr + folder.len - 4, "/bin", 4)) {
			folder.len -= 4;
			found = executable(d, folder, "sbin/nginx");
		}
	}
	return found;
}

/* One that was free a moment ago. */
static bool find_address(char ret_address[DEMO_ADDRESS_BYTES])
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool found = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 &&
		     getsockname(fd, (struct sockaddr *)&any, &bytes) == 0;
	if (found)
		snprintf(ret_address, DEMO_ADDRESS_BYTES, "127.0.0.1:%u", ntohs(any.sin_port));
	if (fd >= 0)
		close(fd);
	return found;
}

/* --- its folder ---------------------------------------------------------------------------------
 */

static bool write_file(struct demo *d, const char *path, const char *text)
{
	struct bc_err err = { 0 };
	FILE *f = fopen(path, "we");
	bool written = f && fputs(text, f) >= 0;
	if (f && fclose(f) == 0 && written)
		return true;
	bc_err_tell(&err, BC_EIO, bc_errno_hint(errno), "cannot write \"%s\": %s", path,
		    strerror(errno));
	return demo_fail(d, "the web server gets its configuration", &err);
}

static bool write_configuration(struct demo *d)
{
	static const char *const words[] = { "recipe", "nginx", NULL };
	const char *edge = d->daemon.edge, *user = geteuid() ? "" : "user root;\n";
	if (!demo_run(d, words, 0, "the recipe for nginx is printed"))
		return false;
	demo_note(d, "$ backchannel recipe nginx >recipe.conf  (in the shop's nginx, at http://%s)",
		  d->nginx.address);
	return write_file(d, demo_text(d, "%s/recipe.conf", d->nginx.folder), d->output) &&
	       write_file(
		       d, demo_text(d, "%s/nginx.conf", d->nginx.folder),
		       demo_text(d, configuration, user, d->nginx.address, edge, edge, edge, edge));
}

static bool make_folder(struct demo *d)
{
	struct bc_err err = { 0 };
	d->nginx.folder = demo_text(d, "%s/nginx", d->dir);
	d->nginx.log = demo_text(d, "%s/nginx.log", d->dir);
	if (find_address(d->nginx.address) && mkdir(d->nginx.folder, 0700) == 0)
		return true;
	bc_err_tell(&err, BC_EIO, bc_errno_hint(errno), "no folder or no port: %s",
		    strerror(errno));
	return demo_fail(d, "the web server gets a folder and a port of its own", &err);
}

/* --- its life -----------------------------------------------------------------------------------
 */

/* Until it answers; false: it has ended, or the time is over, or interrupted. */
static bool await_answer(struct demo *d)
{
	uint64_t end = bc_elapsed_ms(&bc_clock_system) + DEMO_WAIT_MS;
	int status;
	do {
		if (demo_ended(d->nginx.pid, &status)) {
			d->nginx.pid = 0;
			return false;
		}
		if (!demo_ask(d, d->nginx.address, "GET", "/", NULL))
			return false;
		if (d->answer.status == 200)
			return true;
	} while (bc_elapsed_ms(&bc_clock_system) < end && demo_sleep(d, DEMO_POLL_MS));
	return false;
}

bool demo_start_nginx(struct demo *d, bool *ret_started)
{
	static const char *const words[] = { "-p", "./", "-c", "nginx.conf", NULL };
	char *const environment[] = { NULL };
	/* At SIGTERM it takes its worker along. */
	struct demo_program nginx = { .name = "nginx",
				      .path = find_nginx(d),
				      .end_signal = SIGTERM };
	*ret_started = false;
	if (!nginx.path) {
		demo_note(d, "there is no nginx here, so the page itself tells of the landing");
		return true;
	}
	if (!make_folder(d) || !write_configuration(d))
		return false;
	*ret_started = demo_spawn_program(&nginx, d->nginx.folder, words, environment, d->nginx.log,
					  &d->nginx.pid, NULL) == 0 &&
		       await_answer(d);
	if (!*ret_started && !d->interrupted) {
		demo_kill(&d->nginx);
		demo_note(d, "%s does not start here (see %s), so the page tells of the landing",
			  nginx.path, d->nginx.log);
	}
	return !d->interrupted;
}
