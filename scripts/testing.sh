# The test runs. Sourced by ./dev. Everything is a pytest item, so that pytest's last line counts everything.

# prepare_venv DIR REQUIREMENTS MODULE: a virtual environment with what that file names, made anew when the file changes or
# the module cannot be imported.
prepare_venv() {
	local dir=$1 requirements=$2 module=$3 wanted
	wanted=$(sha256sum "$requirements")
	if [ "$(cat "$dir/.made-from" 2>/dev/null)" = "$wanted" ] && "$dir/bin/python" -c "import $module" 2>/dev/null; then return 0; fi
	say "making $dir from $requirements"
	rm -rf "$dir"
	/usr/bin/python3 -m venv "$dir" </dev/null || die "python3 -m venv failed"
	"$dir/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements" </dev/null ||
		die "pip could not install $requirements"
	printf '%s' "$wanted" >"$dir/.made-from"
}

# What the tests run in, and, for tutorials that were written for it, redis-py 2 in an environment of its own.
prepare_python() {
	prepare_venv .venv tests/requirements.txt pytest
	prepare_venv .venv-redis2 tests/requirements-redis2.txt redis
}

prepare_node() {
	[ -e tests/system/node/package.json ] || return 0
	local wanted
	wanted=$(cat tests/system/node/package*.json | sha256sum)
	if [ "$(cat tests/system/node/node_modules/.made-from 2>/dev/null)" = "$wanted" ]; then return 0; fi
	say "installing tests/system/node"
	(cd tests/system/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2) ||
		die "npm ci failed in tests/system/node"
	printf '%s' "$wanted" >tests/system/node/node_modules/.made-from
}

# Sets `places` (what to run) and `options` from the arguments: ours (--long) are taken out, paths come last.
sort_arguments() {
	places=()
	options=()
	local soaks=no word
	for word in "$@"; do
		if [ "$word" = --long ]; then
			soaks=yes
		elif [ -e "${word%%::*}" ]; then
			places+=("$word")
		else
			options+=("$word")
		fi
	done
	# A -m of the caller's decides by itself.
	if [ $soaks = no ] && ! printf '%s\n' "$@" | grep -q '^-m'; then options=(-m "not long" "${options[@]}"); fi
}

run_tests() {
	local places options
	build_release_for_tests
	prepare_python
	prepare_node
	sort_arguments "$@"
	if [ ${#places[@]} = 0 ]; then
		places=(tests/build/test_unit.py tests/build/test_checks.py tests/build/test_fuzz.py)
		places+=($(system_tests) tests/build/test_sanitizers.py)
	fi
	sanitizer_environment
	exec .venv/bin/python -m pytest "${options[@]}" "${places[@]}"
}

system_tests() {
	local place
	for place in tests/system tests/differential; do
		if [ -d $place ]; then echo $place; fi
	done
}

# run_sanitized asan|tsan [pytest arguments]: unit and system tests against that build.
run_sanitized() {
	local kind=$1 places options
	shift
	build_"$kind"
	prepare_python
	prepare_node
	sort_arguments "$@"
	if [ ${#places[@]} = 0 ]; then places=(tests/build/test_unit.py $(system_tests)); fi
	sanitizer_environment
	export TARN_TEST_BUILD="$PWD/build-$kind" TARN_TEST_BINARY="$PWD/build-$kind/tarn-server"
	exec "${fixed_addresses[@]}" .venv/bin/python -m pytest "${options[@]}" "${places[@]}"
}
