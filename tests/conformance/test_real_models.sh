#!/bin/sh
# The 19 real models and 9 whole networks of the test data: all pass. ctest-labels: slow
. tests/conformance/data.sh
need onnx/models
out=$($born verify "$data/onnx/models" "$data/onnx/light")
code=$?
echo "$out"
[ $code -eq 0 ] || exit 1
echo "$out" | grep -q '^28 passed, 0 failed, 0 skipped$' || { echo "expected 28 folders"; exit 1; }
