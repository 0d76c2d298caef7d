#!/bin/sh
# make demo: trains a small network on Fashion-MNIST for 320 steps, then a process of its own answers with the
# checkpoint on images that the training never saw. usage: demo.sh BUILD_FOLDER
set -eu
build=${1:?usage: demo.sh BUILD_FOLDER}
folder=$build/demo/cnn
images=/usr/share/datasets/fashion-mnist
show() {            # show COMMAND...: as one would type it
    echo "\$ $*"
    "$@"
}
if [ ! -f "$images/train-images-idx3-ubyte.gz" ]; then
    echo "born: the images are not here ($images): install Debian's package dataset-fashion-mnist, then 'make demo' again." >&2
    exit 3
fi
rm -rf "$folder"
echo
echo "A network learns to tell ten kinds of clothes apart, from 60,000 images of 28 x 28 pixels:"
show "$build/born" train cnn --steps 320 --augment none --out "$folder"
echo
echo "Another process opens the checkpoint and looks at images of the test part:"
show "$build/born" predict "$folder/best.born" --index 0,2,4 --time
echo
echo "The whole training is '$build/born train cnn' (docs/recipes.md); trained networks of others: make demo-onnx."
