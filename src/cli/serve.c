/* SPDX-License-Identifier: MIT */
/* `backchannel serve`: the daemon, in the foreground; systemd or a shell keeps it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/commands.h"
#include "daemon/app.h"

/* Secrets stay out of core dumps and out of other processes' reach; files are ours alone. */
static void harden(void)
{
#ifndef BC_SANITIZED
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
#endif
	unsetenv("SSLKEYLOGFILE"); /* TLS libraries obey it, and would write session keys */
	umask(077);
	signal(SIGPIPE, SIG_IGN);
}

extern char **environ;

static void log_start(const struct bc_settings *s, const struct bc_app *app)
{
	char ttl[24];
	bc_log_info("daemon.started", BC_LS("version", BC_VERSION),
		    BC_LS("listen", bc_app_address(app)), BC_LS("state", s->state),
		    BC_LU("products", s->product_count),
		    BC_LS("click_ttl", bc_format_duration(s->click_ttl_ms, ttl, sizeof(ttl))));
}

static enum bc_exit run(const struct bc_invocation *in)
{
	struct bc_activation sockets;
	struct bc_settings *settings;
	struct bc_app *app;
	struct bc_err err = { 0 };
	harden();
	if (bc_activation_take(&sockets, &err))
		return bc_cli_fail(&err);
	const struct bc_settings_source again = { .config_path = in->config_path,
						  .environment = environ,
						  .again = true,
						  .sockets = &sockets };
	enum bc_exit result = bc_cli_settings_with(in, &sockets, &settings);
	if (result)
		return result;
	bc_log_setup(settings->log_level, settings->log_json);
	if (bc_settings_check_startable(settings, NULL, &err) ||
	    bc_app_open(settings, BC_APP_SERVE, &app, &err)) {
		bc_settings_unref(settings);
		return bc_cli_fail(&err);
	}
	log_start(settings, app);
	bc_settings_unref(settings); /* the app has its own, and other ones after a reload */
	bc_app_reload_from(app, &again);
	bc_app_run(app);
	bc_app_close(app);
	bc_log_info("daemon.stopped", BC_LS("meaning", "everything acknowledged is on disk"));
	return BC_EXIT_DONE;
}

const struct bc_command bc_command_serve = {
	.name = "serve",
	.summary = "run the daemon",
	.operands = "",
	.details =
		"Takes clicks and orders over HTTP, keeps them on disk, and hands tokens back to "
		"the partner. Runs in the foreground and logs to standard error. SIGTERM stops it "
		"without losing anything; SIGHUP reads the settings again, or says what is wrong "
		"with them and keeps those it has.",
	.example = "SOVENDUS_PRODUCT_ID=... SOVENDUS_API_KEY=... backchannel serve",
	.run = run,
};
