#!/bin/sh
# Each target is built with its cross compiler, run under an emulator on real models, and its output hashes compared
# with those of the native tool: the same files give the same bits on every machine.
# usage: check_targets.sh [--all] [TARGET...]      aarch64 armv7 riscv64 wasm; three models, with --all every one
#        check_targets.sh --lacking TARGET         what its check lacks, with code 77; nothing and 0 if it can run
# Needs build/release/born. Code 77: nothing could be checked (no tools, no test data), 1: something failed.
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc 2> /dev/null || echo 2)
data=${BORN_TEST_DATA:-../shared/data}
models="kws_fp32 kws_qoperator silero_vad_ifless_op18"      # convolution; integers; STFT, LSTM and control flow
native=build/release/born
if [ "${1:-}" = --all ]; then
    models=
    shift
fi
[ $# -gt 0 ] || set -- aarch64 armv7 riscv64 wasm
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

hashes() {          # hashes FILE COMMAND...: verifies the models; "folder hash" lines into FILE
    file=$1
    shift
    "$@" verify --hash --threads 1 $folders > "$tmp/out"
    code=$?
    sed -n 's,^HASH .*/\([^/ ]*\) \([0-9a-f]*\)$,\1 \2,p' "$tmp/out" > "$file"
    [ $code -eq 0 ] || grep -E '^FAIL|failed' "$tmp/out"
    return $code
}
compiler_of() {
    case $1 in
    aarch64) echo aarch64-linux-gnu-gcc ;;
    armv7) echo arm-linux-gnueabihf-gcc ;;
    riscv64) echo riscv64-linux-gnu-gcc ;;
    wasm) echo clang-14 ;;
    esac
}
emulator_of() {
    case $1 in
    aarch64) echo qemu-aarch64-static ;;
    armv7) echo qemu-arm-static ;;
    riscv64) echo qemu-riscv64-static ;;
    wasm) echo node ;;
    esac
}
lacking() {         # lacking TARGET: the first thing that its check lacks
    if [ ! -d "$data/onnx/models" ]; then
        echo "no $data/onnx/models; set BORN_TEST_DATA to the test data (docs/test-data.md)"
        return
    fi
    for tool in "$(compiler_of "$1")" "$(emulator_of "$1")"; do
        command -v "$tool" > /dev/null || { echo "no $tool"; return; }
    done
    [ "$1" = wasm ] || return
    [ -e /usr/include/wasm32-wasi/stdio.h ] || { echo "no wasi-libc"; return; }
    command -v wasm-ld-14 > /dev/null || echo "no lld-14"
}
check() {           # check TARGET
    if ! { cmake --preset "$1" --log-level=WARNING && cmake --build "build/$1" --parallel "$jobs" --target born; } \
        > "$tmp/build" 2>&1; then
        tail -n 20 "$tmp/build"
        echo "$1: does not build"
        return 1
    fi
    run="$(emulator_of "$1") build/$1/born"
    levels=scalar
    [ "$1" = aarch64 ] && levels="neon scalar"
    [ "$1" = wasm ] && run="node --no-warnings cmake/wasi_run.mjs build/wasm/born.wasm"
    for level in $levels; do
        began=$(date +%s)
        BORN_CPU=$level hashes "$tmp/$1" $run || { echo "$1, $level: models fail"; return 1; }
        if ! cmp -s "$tmp/native" "$tmp/$1"; then
            diff "$tmp/native" "$tmp/$1"
            echo "$1, $level: other bits than on $host"
            return 1
        fi
        echo "$1, $level: $count models pass, the hashes of $host ($(($(date +%s) - began)) s)"
    done
}

for target in "$@"; do
    [ "$target" = --lacking ] || [ -n "$(compiler_of "$target")" ] || {
        echo "check_targets: no target $target"
        exit 1
    }
done
if [ "$1" = --lacking ]; then
    why=$(lacking "$2")
    [ -n "$why" ] || exit 0
    echo "$why"
    exit 77
fi
can=
for target in "$@"; do
    why=$(lacking "$target")
    if [ -n "$why" ]; then echo "$target: skipped, $why"; else can="$can $target"; fi
done
[ -n "$can" ] || exit 77

folders=
for name in ${models:-$(ls "$data/onnx/models")}; do folders="$folders $data/onnx/models/$name"; done
host=$(uname -m)
[ -x $native ] || { echo "check_targets: no $native; run make first"; exit 1; }
hashes "$tmp/native" $native || { echo "$host: models fail"; exit 1; }
count=$(grep -c . "$tmp/native")
[ "$count" -gt 0 ] || { echo "$host: no hashes"; exit 1; }
bad=0
for target in $can; do check "$target" || bad=1; done
exit $bad
