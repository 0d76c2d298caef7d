#!/bin/sh
# No function of the library or the tool above 25 in cognitive complexity, as clang-tidy counts it; those listed in
# scripts/complex_functions.txt ("file function", with a reason after #) are exempt. Macros count as the one word they
# are to the reader: the two that hold a branch, BORN_TRY and BORN_FAIL_IF, are rules of the house. Each file is read
# once, kernels as the scalar level.
set -u
cd "$(dirname "$0")/.." || exit 1
tidy=$(command -v clang-tidy-14 || true)
if [ -z "$tidy" ]; then
    echo "check_complexity: skipped, no clang-tidy-14"
    exit 0
fi
check=readability-function-cognitive-complexity
config="{CheckOptions: [{key: $check.Threshold, value: '25'}, {key: $check.IgnoreMacros, value: 'true'},
    {key: $check.DescribeBasicIncrements, value: 'false'}]}"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# eight files a process: starting it costs as much as reading one
find src tools -name '*.c' | sort | xargs -P "$(nproc 2> /dev/null || echo 2)" -n 8 sh -c '
    tidy=$1 checks=$2 config=$3
    shift 3
    "$tidy" --quiet --checks="-*,$checks" --config="$config" "$@" -- -std=c17 -Iinclude -Isrc -D_FILE_OFFSET_BITS=64 \
        -DBORN_LEVEL_NAME=scalar 2> /dev/null' sh "$tidy" "$check" "$config" > "$out"
# what the compiler could not read was not checked
if grep -E '(error|fatal error):' "$out"; then exit 1; fi
awk -v here="$(pwd)/" '
FILENAME == "scripts/complex_functions.txt" { sub(/#.*/, ""); if ($1 != "") exempt[$1 " " $2] = 1; next }
/ has cognitive complexity of / {
    file = $0
    sub(/:.*/, "", file)
    if (index(file, here) == 1) file = substr(file, length(here) + 1)
    name = $0
    sub(/.* function ./, "", name)
    sub(/. has cognitive.*/, "", name)
    sub(/_scalar$/, "", name)
    score = $0
    sub(/.* complexity of /, "", score)
    sub(/ .*/, "", score)
    if (!seen[file " " name]++ && !((file " " name) in exempt)) {
        print file ": " name " has cognitive complexity " score ", above 25"
        bad = 1
    }
}
END { exit bad }' scripts/complex_functions.txt "$out" || exit 1
echo "check_complexity: ok"
