# Installs what a task needs from Debian, and does nothing, not even touch the network, when it is all there.
# Sourced by ./dev. A word of a list is a package, or command:package for what may as well come from elsewhere.

build_packages=(gcc:gcc libc6-dev meson:meson ninja:ninja-build pkg-config:pkg-config python3:python3
	libjemalloc-dev libxxhash-dev liblzf-dev liblua5.1-0-dev lua-bitop-dev)
# clang is there for the sanitizers and fuzzers, for its warnings, and for clang-tidy.
clang_packages=(clang:clang clang-format:clang-format clang-tidy:clang-tidy llvm-symbolizer:llvm
	libclang-rt-14-dev)
test_packages=(libcmocka-dev redis-server:redis-server redis-cli:redis-tools python3-venv node:nodejs npm:npm
	ca-certificates)
bench_packages=(redis-server:redis-server)

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root, and there is no sudo: $*"
	fi
}

# Prints those of the words whose package is missing.
missing_packages() {
	local word
	for word in "$@"; do
		if [ "$word" != "${word#*:}" ]; then
			PATH="$PATH:/usr/sbin:/sbin" command -v "${word%%:*}" >/dev/null || echo "${word#*:}"
		elif [ "$(dpkg-query -W -f '${db:Status-Status}' "$word" 2>/dev/null)" != installed ]; then
			echo "$word"
		fi
	done
}

install_packages() {
	local missing
	missing=$(missing_packages "$@" | sort -u | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || die "missing, and there is no apt-get to install them: $missing"
	say "installing $missing"
	forbid_service_starts
	# An update that fails, for one source of several or for lack of a network, need not stop the install.
	local failed=0 apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
	as_root "${apt[@]}" update </dev/null || true
	# shellcheck disable=SC2086 # a list of words
	as_root "${apt[@]}" -y install --no-install-recommends $missing </dev/null || failed=1
	allow_service_starts
	[ $failed = 0 ] || die "apt-get could not install: $missing"
	case " $missing" in
	*" redis-server "*) # Only its binary is wanted: it would take Tarn's port at the next start of the machine.
		if command -v systemctl >/dev/null; then
			as_root systemctl disable --now redis-server.service </dev/null >/dev/null 2>&1 ||
				as_root systemctl disable redis-server.service </dev/null >/dev/null 2>&1 || true
		elif command -v update-rc.d >/dev/null; then
			as_root update-rc.d redis-server disable </dev/null >/dev/null 2>&1 || true
		fi
		;;
	esac
}

# A package's service would be started while it is installed. /usr/sbin/policy-rc.d is how Debian is told not to; where
# there is one already, it is the owner's decision and stays.
policy=/usr/sbin/policy-rc.d

forbid_service_starts() {
	[ ! -e $policy ] || return 0
	trap allow_service_starts EXIT
	printf '#!/bin/sh\n# Put here by Tarn for the time of one apt-get install.\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
}

allow_service_starts() {
	trap - EXIT
	if grep -qs 'Put here by Tarn' $policy; then as_root rm -f $policy; fi
}
