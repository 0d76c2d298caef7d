#!/bin/sh
# make soak: what takes hours. The full matrix of hashes, the whole suite under each sanitizer, all cross targets and
# their hashes of every real model, each fuzzer for ten minutes, the core with clang alone, and two builds compared byte
# by byte.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc 2> /dev/null || echo 2)
echo "==== release, the full matrix of hashes"
BORN_ALL_BITS=1 make test
for preset in dev asan tsan aarch64 armv7 riscv64 wasm; do
    echo "==== $preset"
    cmake --preset $preset --log-level=WARNING
    cmake --build build/$preset --parallel "$jobs"
    ctest --test-dir build/$preset --output-on-failure --parallel "$jobs"
done
echo "==== models on every target"
make release
scripts/check_targets.sh --all
echo "==== fuzz"
for f in build/asan/fuzz/fuzz_*; do
    [ -x "$f" ] || continue
    name=${f##*/fuzz_}
    corpus=fuzz/corpus/$name
    [ -d "$corpus" ] || corpus=""
    mkdir -p "build/asan/fuzz/new/$name"
    "$f" -max_total_time=600 -timeout=20 -rss_limit_mb=4096 "build/asan/fuzz/new/$name" $corpus
done
echo "==== core with clang alone"
CC=clang-14 scripts/build_plain.sh build/plain-clang
echo "==== reproducible"
for n in 1 2; do
    rm -rf build/same$n
    CCACHE_DISABLE=1 cmake -S . -B build/same$n -DBORN_STATIC=ON -DBORN_TESTS=OFF > /dev/null
    CCACHE_DISABLE=1 cmake --build build/same$n --parallel "$jobs" --target born > /dev/null
done
cmp build/same1/born build/same2/born
echo "soak: all passed"
