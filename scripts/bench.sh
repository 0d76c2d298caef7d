#!/bin/sh
# make bench: measurements as ratios to what the machine can do, to ONNX Runtime on whole models where it can be had,
# then each program of bench/. usage: bench.sh BUILD_FOLDER
# BORN_RIVALS: a Python that has onnxruntime and numpy; else one is made in build/rivals, where pip reaches its index.
set -eu
build=${1:?usage: bench.sh BUILD_FOLDER}
data=${BORN_TEST_DATA:-../shared/data}
born=$build/born
for threads in 1 2; do
    echo "==== operators, $threads thread(s)"
    "$born" bench --op matmul,conv2d --threads $threads
done
models=""
for model in light/light_resnet50 light/light_squeezenet light/light_vgg19 models/mnist_8; do
    if [ -f "$data/onnx/$model/model.onnx" ]; then models="$models $data/onnx/$model"; fi
done
rivals() { "$1" -c 'import onnxruntime, numpy' > /dev/null 2>&1; }
python=${BORN_RIVALS:-build/rivals/bin/python3}
if [ -n "$models" ] && ! rivals "$python" && [ -z "${BORN_RIVALS:-}" ]; then
    python3 -m venv build/rivals > /dev/null 2>&1 &&
        build/rivals/bin/pip install --quiet onnxruntime numpy > /dev/null 2>&1 || true
fi
if [ -z "$models" ]; then
    echo "==== whole models: skipped, there are none in $data/onnx (docs/test-data.md says how to get them)"
elif rivals "$python"; then
    echo "==== whole models beside ONNX Runtime"
    # shellcheck disable=SC2086
    "$python" bench/compare_onnxruntime.py "$born" $models
else
    echo "==== whole models (no ONNX Runtime beside them: pip install onnxruntime numpy failed, or python3-venv is missing)"
    for model in $models; do
        echo "$model"
        for threads in 1 2; do "$born" bench "$model/model.onnx" --threads $threads; done
    done
fi
for program in "$build"/bench/bench_*; do
    [ -x "$program" ] || continue
    echo "==== ${program##*/}"
    "$program"
done
