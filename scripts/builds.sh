# The build directories and how each is configured. Sourced by ./dev.
#
#   build         release, gcc, link-time optimisation, laid out by the counts of build-profile: what users run
#   build-profile the same code with gcc's counters in it, which scripts/train.py keeps busy for some seconds
#   build-clang   the same code through clang's warnings, and compile_commands.json for clang-tidy
#   build-asan    clang, address and undefined-behaviour sanitizers, asserts on
#   build-tsan    clang, thread sanitizer, asserts on
#   build-fuzz    clang, libFuzzer targets with the address sanitizer

# configure DIR CC [meson options]: sets the directory up, again when its options are not those of last time.
configure() {
	local dir=$1 cc=$2 wanted
	shift 2
	wanted="$cc $*"
	if [ -e "$dir/build.ninja" ] && [ "$(cat "$dir/.dev-options" 2>/dev/null)" = "$wanted" ]; then return 0; fi
	local wipe=()
	if [ -d "$dir/meson-private" ]; then wipe=(--wipe); fi
	say "configuring $dir ($wanted)"
	CC=$cc meson setup "${wipe[@]}" "$@" "$dir" >"$dir.log" 2>&1 </dev/null || {
		cat "$dir.log" >&2
		die "meson could not configure $dir"
	}
	mkdir -p "$dir" && mv "$dir.log" "$dir/meson-setup.log"
	printf '%s' "$wanted" >"$dir/.dev-options"
}

compile() {
	local dir=$1
	shift
	ninja --quiet -C "$dir" "$@" </dev/null | sed '/no work to do/d' || die "the build in $dir failed"
	# Both programs stand at the top of the directory, wherever meson puts the target.
	if [ -e "$dir/src/tools/tarn-cli" ]; then ln -sfn src/tools/tarn-cli "$dir/tarn-cli"; fi
}

# Counts, once per checkout, how often each piece of code runs. Code that has changed since is compiled without counts; `./dev
# clean` makes the next build count anew.
count_steps() {
	local compiler
	compiler=$(gcc -dumpfullversion)
	[ "$(cat build-profile/counted 2>/dev/null)" != "$compiler" ] || return 0
	configure build-profile gcc --buildtype=release -Db_lto=true -Db_pgo=generate -Dunit_tests=disabled
	compile build-profile tarn-server
	find build-profile -name '*.gcda' -delete
	say "counting what runs how often, to lay the release out for it"
	env -u GCOV_PREFIX -u GCOV_PREFIX_STRIP python3 scripts/train.py build-profile/tarn-server || die "scripts/train.py failed"
	[ -n "$(find build-profile -name '*.gcda' -print -quit)" ] || die "the server in build-profile has counted nothing"
	# ninja knows nothing of counts: what was compiled by others is made anew.
	rm -f build/.dev-options
	printf '%s' "$compiler" >build-profile/counted
}

configure_release() {
	count_steps
	configure build gcc --buildtype=release -Db_lto=true -Db_pgo=use
	# gcc looks for an object's counts beside it.
	(cd build-profile && find . -name '*.gcda' -exec cp --parents -p -t ../build {} +) || die "the counts could not be copied"
}

build_release() {
	install_packages "${build_packages[@]}"
	configure_release
	compile build
}

# The tests' form of the release: the same directory and options, with cmocka's tests in it because cmocka is there.
build_release_for_tests() {
	install_packages "${build_packages[@]}" "${test_packages[@]}" "${clang_packages[@]}"
	configure_release
	# Configured before cmocka was there? The dependency is looked for anew.
	if ! grep -qs cmocka build/build.ninja; then
		rm -f build/.dev-options
		configure_release
	fi
	compile build
}

build_clang() {
	install_packages "${build_packages[@]}" "${clang_packages[@]}" libcmocka-dev
	configure build-clang clang --buildtype=release
	compile build-clang
}

build_asan() {
	install_packages "${build_packages[@]}" "${test_packages[@]}" "${clang_packages[@]}"
	configure build-asan clang --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fno-sanitize-recover=undefined
	compile build-asan
}

build_tsan() {
	install_packages "${build_packages[@]}" "${test_packages[@]}" "${clang_packages[@]}"
	configure build-tsan clang --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
	compile build-tsan
}

build_fuzz() {
	install_packages "${build_packages[@]}" "${clang_packages[@]}"
	configure build-fuzz clang --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
		-Dfuzzers=true -Dunit_tests=disabled "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined"
	compile build-fuzz
}

# The environment in which sanitized programs are run; the reports go to the log that the tests look at.
sanitizer_environment() {
	export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:exitcode=99
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99
	export TSAN_OPTIONS=halt_on_error=0:exitcode=99:second_deadlock_stack=1:history_size=4
	# clang 14's runtimes do not know the widest address randomisation of newer kernels; without any they always start.
	fixed_addresses=()
	if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_addresses=(setarch "$(uname -m)" -R); fi
}
