#!/bin/sh
# All checks that need no test run: folders, sizes, style, complexity, and on a finished build the symbol list, the ISA
# objects and what libm is used for. usage: lint.sh [BUILD_FOLDER]
set -u
cd "$(dirname "$0")/.."
build=${1:-build/release}
bad=0
scripts/check_folders.sh || bad=1
scripts/check_sizes.sh || bad=1
scripts/check_style.sh || bad=1
scripts/check_complexity.sh || bad=1
if [ -d "$build/CMakeFiles" ]; then
    scripts/check_isa.sh "$build" || bad=1
    if [ -f "$build/libborn.a" ]; then scripts/check_libm.sh "$build/libborn.a" || bad=1; fi
    if [ -f "$build/libborn.so" ]; then scripts/check_symbols.sh "$build/libborn.so" || bad=1; fi
fi
if command -v shellcheck > /dev/null; then shellcheck -S error scripts/*.sh .ci/run || bad=1; fi
[ "$bad" -eq 0 ] && echo "lint: ok"
exit "$bad"
