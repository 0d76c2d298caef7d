#!/bin/sh
# The cases of the ONNX backend test-suite: of those in the core classes at least 1,170 pass, none crashes, and each
# failure says why. ctest-labels: slow
. tests/conformance/data.sh
need onnx/nodes.tar.zst
cases=$build/onnx-nodes
if [ ! -e "$cases/unpacked" ]; then
    rm -rf "$cases" && mkdir -p "$cases" || exit 1
    if ! tar --zstd -xf "$data/onnx/nodes.tar.zst" -C "$cases" 2>/dev/null; then
        echo "skipped: cannot unpack nodes.tar.zst (tar with zstd is needed)"
        exit 77
    fi
    : > "$cases/unpacked"
fi
$born verify "$cases" > "$build/onnx-nodes.txt"
tail -n 1 "$build/onnx-nodes.txt"
if grep -E 'crashed with|ended with code|no answer' "$build/onnx-nodes.txt"; then
    echo "a case crashed or hung"
    exit 1
fi
if grep -E '^FAIL [^:]*: *$' "$build/onnx-nodes.txt"; then
    echo "a failure without a reason"
    exit 1
fi
# nodes.csv: suite,test,...,cls,expanded,n_sets,ort
passed=$(awk -F, '
    NR == FNR { if ($0 ~ /^FAIL /) { sub(/^FAIL /, ""); sub(/: .*/, ""); n = split($0, part, "/"); bad[part[n]] = 1 } next }
    FNR > 1 && $(NF - 3) ~ /^core:/ { all++; if (!($2 in bad)) good++ }
    END { print good, all }' "$build/onnx-nodes.txt" "$data/onnx/nodes.csv")
echo "core cases passed: $passed"
[ "${passed% *}" -ge 1170 ] || exit 1
