# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A bare Debian in a temporary folder: what the scripts beside this one share; sourced after
# tools/shell.sh, from the tree's top folder, never run. Sourcing has no effect but the functions.
#
# All of it happens in mount and process namespaces of its own, so that whatever goes wrong no mount
# and no process is left, and removing the folder cannot reach the machine's own files.

# shellcheck disable=SC2154 # folder: whoever sources this sets it, inside
suite=bookworm

# own_world KEEP PROGRAM ARGUMENT...: runs the program again in a world of its own, with a folder for
# it in $BC_FRESH_ROOT, which is removed whatever happens unless KEEP says yes. Ends with its status.
own_world() {
	local keep=$1 status=0
	shift
	[ "$(id -u)" = 0 ] || die 'making a bare system needs root' "run: sudo $1"
	tools/deps --fresh
	fresh_folder=$(mktemp -d "${TMPDIR:-/var/tmp}/backchannel-fresh.XXXXXX")
	fresh_inner=
	[ -z "$keep" ] || fresh_kept=$fresh_folder
	trap own_world_end EXIT
	trap 'exit 130' INT TERM HUP
	chmod 755 "$fresh_folder"
	BC_FRESH_ROOT=$fresh_folder unshare --mount --pid --fork --mount-proc --kill-child --propagation private "$@" &
	fresh_inner=$!
	wait "$fresh_inner" || status=$?
	fresh_inner=
	[ -z "$keep" ] || say "Kept: $fresh_folder"
	exit "$status"
}

# shellcheck disable=SC2317 # the trap calls it
own_world_end() {
	[ -z "$fresh_inner" ] || kill -KILL "$fresh_inner" 2>/dev/null || :
	wait
	# A process that is only just dying may still write: try again while it does.
	[ -n "${fresh_kept:-}" ] || for _ in 1 2 3 4 5; do
		rm -rf --one-file-system "$fresh_folder" 2>/dev/null && break
		sleep 1
	done
}

# --- inside; all of these need folder=$BC_FRESH_ROOT ---

quietly() {
	"$@" >"$folder/log" 2>&1 </dev/null || {
		tail -n 40 "$folder/log" >&2
		die "this failed: $*" 'its last lines stand above'
	}
}

# The machine's own Debian sources, so that a mirror or a proxy that it needs is used here too:
# lines of "URI SUITE COMPONENT".
machine_sources() {
	# shellcheck disable=SC2016 # apt-get expands these
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
		2>/dev/null | grep -E "^(http|https|file|copy):[^ ]* ${suite}[^ ]* main\$" | sort -u || :
}

# The bare system itself, in $folder/base; whoever needs one copies it.
make_base() {
	local include=() sources mirror
	sources=$(machine_sources)
	mirror=$(printf '%s\n' "$sources" | awk -v s=$suite '$2 == s { print $1; exit }')
	if [ -z "$mirror" ]; then
		mirror=http://deb.debian.org/debian/
		sources="$mirror $suite main"
	fi
	case $sources in *https:*) include=(--include=ca-certificates) ;; esac
	say "Making a bare Debian ($suite, minbase) from $mirror"
	quietly debootstrap --variant=minbase "${include[@]}" "$suite" "$folder/base" "$mirror"
	printf '%s\n' "$sources" | sed 's/^/deb /' >"$folder/base/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' \
		>"$folder/base/etc/apt/apt.conf.d/00machine" || :
	cp -L /etc/resolv.conf /etc/hosts "$folder/base/etc/"
	mkdir -p "$folder/base/usr/local/share/ca-certificates"
	cp /usr/local/share/ca-certificates/*.crt "$folder/base/usr/local/share/ca-certificates/" 2>/dev/null || :
	# A service that a package brings must not start: its ports would be the machine's.
	printf '#!/bin/sh\nexit 101\n' >"$folder/base/usr/sbin/policy-rc.d"
	chmod 755 "$folder/base/usr/sbin/policy-rc.d"
	mkdir -p "$folder/archives"
}

# What the root needs to be lived in; packages that were fetched are shared by all.
mount_into() {
	mount -t proc proc "$1/proc"
	mount -t tmpfs -o mode=755 tmpfs "$1/dev"
	for node in null zero full random urandom tty; do
		touch "$1/dev/$node"
		mount --bind "/dev/$node" "$1/dev/$node"
	done
	mkdir -p "$1/dev/shm" "$1/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
	ln -s pts/ptmx "$1/dev/ptmx"
	ln -s /proc/self/fd "$1/dev/fd"
	ln -s /proc/self/fd/1 "$1/dev/stdout"
	ln -s /proc/self/fd/2 "$1/dev/stderr"
	mount --bind "$folder/archives" "$1/var/cache/apt/archives"
}
