#!/bin/sh
# The law of bits over real models: one hash of outputs for every instruction set level and number of threads. The
# scalar level emulates FMA and is slow, so it runs once, unless BORN_ALL_BITS is set (make soak).
# ctest-labels: slow threads
. tests/conformance/data.sh
need onnx/models
first=
failed=0
for level in scalar avx2 avx512 neon; do
    BORN_CPU=$level $born version > /dev/null 2>&1 || continue
    for threads in 1 2 3 4; do
        [ $level = scalar ] && [ $threads -ne 2 ] && [ -z "${BORN_ALL_BITS:-}" ] && continue
        hashes=$(BORN_CPU=$level $born verify --hash --threads $threads "$data/onnx/models" | grep '^HASH')
        if [ -z "$first" ]; then
            first=$hashes
            echo "reference: $level, $threads threads, $(echo "$hashes" | wc -l) models"
        elif [ "$hashes" != "$first" ]; then
            echo "differs: $level, $threads threads"
            echo "$first" > "$build/hashes-a.txt"
            echo "$hashes" > "$build/hashes-b.txt"
            diff "$build/hashes-a.txt" "$build/hashes-b.txt"
            failed=1
        fi
    done
done
exit $failed
