#!/bin/sh
# The exported symbols of the shared library are exactly those of api/symbols.txt, all of them born_ and none born__.
# usage: check_symbols.sh LIBRARY [--update]
set -eu
library=${1:?usage: check_symbols.sh LIBRARY [--update]}
library=$(cd "$(dirname "$library")" && pwd)/$(basename "$library")
cd "$(dirname "$0")/.."
got=$(mktemp)
trap 'rm -f "$got"' EXIT
nm -D --defined-only "$library" | awk '$2 ~ /^[A-Z]$/ && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u > "$got"
if grep -v '^born_[a-z0-9]' "$got" | grep -v '^__\(asan\|ubsan\|tsan\)'; then
    echo "check_symbols: the symbols above do not belong to the public API"
    exit 1
fi
if [ "${2:-}" = --update ]; then
    cp "$got" api/symbols.txt
    echo "check_symbols: wrote $(wc -l < api/symbols.txt) symbols"
elif ! diff -u api/symbols.txt "$got"; then
    echo "check_symbols: the exported list changed; if that is meant: $0 $library --update"
    exit 1
else
    echo "check_symbols: ok, $(wc -l < "$got") symbols"
fi
