# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What demo, check and tools/deps share; sourced, never run. Sourcing has no effect but the functions.

say() { printf '%s\n' "$*" >&2; }

# die PROBLEM [NEXT STEP]
die() {
	say "${0##*/}: $1"
	[ -z "${2:-}" ] || say "  $2"
	exit 1
}

# Started through sudo, everything but the installing of packages is the calling user's business: a
# build folder that belongs to root would be in that user's way ever after. Returns when there is
# nobody to step down to, or when that user may not write to the tree.
step_down_to_caller() {
	[ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] || return 0
	sudo -u "$SUDO_USER" -- test -w . || return 0
	exec sudo -u "$SUDO_USER" -H -- "$0" "$@"
}

# The compiler cache is used where it is installed, and never asked for.
compiler_cache() {
	if command -v ccache >/dev/null; then
		printf '%s\n' -DCMAKE_C_COMPILER_LAUNCHER=ccache
	fi
}
