# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The packages in a bare Debian, and the service there as its unit would run it: what the scripts beside
# this one share; sourced after bare.sh, inside the world that it makes, never run. Sourcing has no
# effect but the functions and names.
#
# Nothing boots there, so what systemd would do is done by hand: the state directory, a user without a
# name, credentials in a folder, a socket for the notifications.

# shellcheck disable=SC2154,SC2034 # folder, root, debs, boot: whoever sources this sets them, or reads ours

# --- saying and doing ---

# in_root COMMAND ARGUMENT...: with a clean environment and nothing to ask from.
in_root() {
	chroot "$root" /usr/bin/env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		${no_proxy:+no_proxy="$no_proxy"} "$@" </dev/null
}

# holds WHAT COMMAND...
holds() {
	local what=$1
	shift
	if "$@" >"$folder/said" 2>&1; then
		echo "ok      $what"
	else
		echo "FAILED  $what"
		tail -n 40 "$folder/said" | sed 's/^/        /'
		exit 1
	fi
}

# wait_for WHAT COMMAND...: until it succeeds.
wait_for() {
	local what=$1 tries
	shift
	for ((tries = 0; tries < 300; tries++)); do
		"$@" && return
		sleep 0.1
	done
	echo "waited in vain for $what"
	return 1
}

# --- installing ---

install_packages() {
	mkdir -p "$root/root/debs"
	cp "$debs"/backchannel_*.deb "$debs"/libbackchannel0_*.deb "$debs"/libbackchannel-dev_*.deb "$root/root/debs/"
	in_root apt-get -q update &&
		in_root sh -c "apt-get -q -y install --no-install-recommends systemd ${boot:+dbus} /root/debs/*.deb"
}

units_are_right() {
	# shellcheck disable=SC2016 # the inner shell expands it
	in_root sh -c 'systemd-analyze verify --man=no /lib/systemd/system/backchannel*.service /lib/systemd/system/backchannel*.socket'
}

# --- the service, by hand ---

product=9bc72425-902c-3abf-9db8-8b186d7cb160 key=example-key-000
uid=61947 # among those that DynamicUser= takes
state=/var/lib/private/backchannel credentials=/run/credentials/backchannel.service

unit() { echo "$root/lib/systemd/system/backchannel.service"; }
exec_start() { sed -n 's/^ExecStart=//p' "$(unit)"; }

start_sandbox() {
	SOVENDUS_PRODUCT_ID=$product SOVENDUS_API_KEY=$key \
		chroot "$root" backchannel sandbox --listen 127.0.0.1:0 >"$folder/sandbox.out" 2>"$folder/sandbox.log" </dev/null &
	sandbox=$!
	wait_for 'the sandbox' grep -qo 'http://127.0.0.1:[0-9]*' "$folder/sandbox.out" "$folder/sandbox.log"
	partner=$(cat "$folder/sandbox.out" "$folder/sandbox.log" | grep -o 'http://127.0.0.1:[0-9]*' | head -n 1)
}

# What an administrator does by docs/packaging.md.
configure() {
	sed -i "s|^#listen = .*|listen = 127.0.0.1:0|; s|^#product_id =.*|product_id = $product|
		s|^#base_url = .*|base_url = $partner/ext|" "$root/etc/backchannel/backchannel.conf"
	install -d -m 0700 "$root/etc/credstore"
	(umask 077 && echo $key >"$root/etc/credstore/backchannel.sovendus.api_key")
}

# What systemd does.
prepare_service() {
	install -d -m 0700 "$root/var/lib/private"
	install -d -m 0700 -o $uid -g $uid "$root$state" "$root$credentials"
	chmod 0711 "$root/var/lib/private" # a user of ours must pass; systemd mounts it instead
	ln -sfn private/backchannel "$root/var/lib/backchannel"
	sed -n 's/^LoadCredential=\([^:]*\):\(.*\)$/\1 \2/p' "$(unit)" | while read -r name file; do
		[ ! -e "$root/etc/credstore/$file" ] ||
			install -m 0400 -o $uid -g $uid "$root/etc/credstore/$file" "$root$credentials/$name"
	done
	rm -f "$folder/notify"
	/usr/bin/python3 tests/fresh/notify_listen "$root/run/notify" "$folder/notify" &
	listener=$!
	wait_for 'the listener for notifications' test -S "$root/run/notify"
}

start_service() {
	# shellcheck disable=SC2046 # the command line's words
	chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin LANG=C.UTF-8 STATE_DIRECTORY=$state \
		CREDENTIALS_DIRECTORY=$credentials NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=200000 \
		setpriv --reuid $uid --regid $uid --clear-groups --no-new-privs --bounding-set -all --inh-caps -all \
		$(exec_start) 2>"$folder/service.log" </dev/null &
	service=$!
	wait_for 'READY=1' grep -qx 'READY=1' "$folder/notify"
	address=$(grep -o '"listen":"[^"]*"' "$folder/service.log" | cut -d'"' -f4)
	[ -n "$address" ]
}

daemon() { in_root env BACKCHANNEL_URL="http://$address" backchannel "$@"; }
