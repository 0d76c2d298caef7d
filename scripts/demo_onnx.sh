#!/bin/sh
# make demo-onnx: the example program on real networks and real input from the test data; without the data, what can be
# shown without it, and where to get it. usage: demo_onnx.sh BUILD_FOLDER
set -eu
build=${1:?usage: demo_onnx.sh BUILD_FOLDER}
data=${BORN_TEST_DATA:-../shared/data}
models=$data/onnx/models
show() {            # show COMMAND...: as one would type it
    echo "\$ $*"
    "$@"
}
echo
if [ ! -f "$models/fastestdet/model.onnx" ]; then
    echo "skipped: the networks for photos and speech are not here ($models)."
    echo "docs/test-data.md says how to get the test data; put it there or set BORN_TEST_DATA to its folder."
    echo "Meanwhile a small network that came with the sources, on random input:"
    echo
    show "$build/born" run fuzz/corpus/onnx_run/lstm.onnx --input rand --time
    echo
    show "$build/born" inspect fuzz/corpus/onnx_run/lstm.onnx
else
    mkdir -p "$build/demo"
    "$build/examples/example_demo" "$models" "$build/demo"
    echo "Which digit is it?   The same from the command line:"
    show "$build/born" run "$models/mnist_8/model.onnx" --input "$models/mnist_8/test_data_set_0/input_0.pb" --time
fi
echo
echo "Your own model: $build/born run MODEL.onnx --input rand, and $build/born help for more."
