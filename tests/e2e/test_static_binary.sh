#!/bin/sh
# The release tool is one static file without a dynamic section, below 4,000,000 bytes. Skipped for other builds.
build=${BORN_BUILD:-build/release}
born=${BORN_BIN:-$build/born}
setting() {         # setting NAME: its value in this build
    sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"
}
if [ "$(setting BORN_STATIC)" != ON ] || [ "$(setting CMAKE_BUILD_TYPE)" != Release ]; then
    echo "skipped: not a static release build"
    exit 77
fi
dynamic=$(LC_ALL=C readelf -d -l "$born") || exit 1
if echo "$dynamic" | grep -E 'INTERP|NEEDED|DYNAMIC|Dynamic section'; then
    echo "FAIL $born has a dynamic section"
    exit 1
fi
bytes=$(wc -c < "$born")
echo "$born: static, $bytes bytes"
[ "$bytes" -lt 4000000 ] || { echo "FAIL that is not below 4,000,000 bytes"; exit 1; }
