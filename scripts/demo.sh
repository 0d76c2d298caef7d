#!/bin/sh
# make demo: the example program on real networks and real input from the test data; without the data, it says where
# to get it. usage: demo.sh BUILD_FOLDER
set -eu
build=${1:?usage: demo.sh BUILD_FOLDER}
data=${BORN_TEST_DATA:-../shared/data}
if [ ! -f "$data/onnx/models/fastestdet/model.onnx" ]; then
    echo "demo: skipped: there are no networks in $data/onnx/models."
    echo "Put the test data there or set BORN_TEST_DATA; any ONNX file runs with: $build/born run MODEL.onnx"
    exit 0
fi
"$build/examples/example_demo" "$data/onnx/models"
"$build/born" run "$data/onnx/models/mnist_8/model.onnx" \
    --input "$data/onnx/models/mnist_8/test_data_set_0/input_0.pb"
