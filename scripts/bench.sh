#!/bin/sh
# make bench: the library's own measurements as ratios, then each program of bench/. usage: bench.sh BUILD_FOLDER
set -eu
build=${1:?usage: bench.sh BUILD_FOLDER}
data=${BORN_TEST_DATA:-../shared/data}
born=$build/born
for threads in 1 2; do
    echo "==== operators, $threads thread(s)"
    "$born" bench --op matmul,conv2d --threads $threads
done
for model in light/light_resnet50 light/light_squeezenet light/light_vgg19 models/mnist_8; do
    [ -f "$data/onnx/$model/model.onnx" ] || continue
    echo "==== $model"
    for threads in 1 2; do "$born" bench "$data/onnx/$model/model.onnx" --threads $threads; done
done
for program in "$build"/bench/bench_*; do
    [ -x "$program" ] || continue
    echo "==== ${program##*/}"
    "$program"
done
