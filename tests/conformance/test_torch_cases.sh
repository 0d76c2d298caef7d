#!/bin/sh
# The reference cases from PyTorch: values, gradients, second derivatives, losses, modules, initial values, optimisers,
# schedules. No case fails, each that is not run says why, and enough of them are run.
. tests/conformance/data.sh
need torch/cases.tar.zst
most_failed=0
least_passed=884
most_skipped=0
program=$build/tests/conformance/torch_cases
if [ ! -x "$program" ]; then
    echo "skipped: no torch_cases (it is built where jansson is installed: scripts/bootstrap.sh test)"
    exit 77
fi
cases=$build/torch-cases
if [ ! -e "$cases/unpacked" ]; then
    rm -rf "$cases" && mkdir -p "$cases" || exit 1
    if ! tar --zstd -xf "$data/torch/cases.tar.zst" -C "$cases" 2>/dev/null; then
        echo "skipped: cannot unpack cases.tar.zst (tar with zstd is needed)"
        exit 77
    fi
    : > "$cases/unpacked"
fi
# Runs the cases with the options given; false where there are not enough good ones.
run() {
    # shellcheck disable=SC2086
    ${BORN_LAUNCHER:-} "$program" "$cases" "$@" > "$build/torch-cases.txt"
    grep -E '^(FAIL|SKIP)' "$build/torch-cases.txt" | head -n 60
    last=$(tail -n 1 "$build/torch-cases.txt")
    echo "$* $last"
    if grep -E '^(FAIL|SKIP) [^:]*: *$' "$build/torch-cases.txt"; then
        echo "a case without a reason"
        return 1
    fi
    numbers=$(echo "$last" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    [ -n "$numbers" ] || return 1
    # shellcheck disable=SC2086
    set -- $numbers
    [ "$1" -ge $least_passed ] && [ "$2" -le $most_failed ] && [ "$3" -le $most_skipped ]
}
run && run --fuse
