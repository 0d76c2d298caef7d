#!/bin/sh
# What review would otherwise repeat: no leftovers, no calls that end or print in the library, no alloca, no tabs, no
# line above 120 columns, a paragraph at the top of each file.
set -eu
cd "$(dirname "$0")/.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT
complain() {        # complain TEXT, lines on stdin
    lines=$(cat)
    [ -z "$lines" ] || printf '%s\ncheck_style: %s\n' "$lines" "$1" >> "$found"
}
sources=$(find src include tools tests fuzz bench examples \( -name '*.c' -o -name '*.h' -o -name '*.inc' \) | sort)
grep -nE '\b(TODO|FIXME|XXX|HACK)\b|#if 0' $sources | complain "leftovers" || true
library=$(find src -name '*.c' -o -name '*.h' -o -name '*.inc' | sort)
# comments may say these words
sed_code() { sed -e 's,/\*.*\*/,,' -e 's,//.*,,' -e 's,"[^"]*","",g' "$1" | grep -nE "$2" | sed "s,^,$1:,"; }
for f in $library; do
    sed_code "$f" '(^|[^A-Za-z0-9_>.])(abort|exit|_exit|printf|puts|putchar|perror|alloca|gets|strcpy|strcat|sprintf|getenv|system)[ ]*\(' || true
done | complain "the library neither ends, prints, reads the environment nor uses these calls"
for f in $library; do
    [ "$f" = src/base/alloc.c ] && continue
    sed_code "$f" '(^|[^A-Za-z0-9_>.])(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup)[ ]*\(' || true
done | complain "memory comes from base/alloc.h"
grep -nP '\t' $sources | complain "tabs" || true
awk 'length($0) > 120 { print FILENAME ":" FNR ": " length($0) " columns" }' $sources | complain "lines above 120 columns"
for f in $sources; do
    head -1 "$f" | grep -qE '^/[*/]' || echo "$f"
done | complain "files that do not begin with a paragraph of what they are for"
if [ -s "$found" ]; then
    cat "$found"
    exit 1
fi
echo "check_style: ok"
