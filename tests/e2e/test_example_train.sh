#!/bin/sh
# The example that trains (modules, optimiser and loader over born_autodiff(born_fuse(born_cpu))) learns, where images of
# the Debian package dataset-fashion-mnist are installed.
set -eu
program=$BORN_BUILD/examples/example_train
images=/usr/share/datasets/fashion-mnist
for need in "$program" "$images/train-images-idx3-ubyte.gz"; do
    if [ ! -e "$need" ]; then
        echo "skipped: no $need"
        exit 77
    fi
done
# shellcheck disable=SC2086
said=$(${BORN_LAUNCHER:-} "$program" "$images" 1)
echo "$said"
percent=$(echo "$said" | sed -n 's/^epoch 1 .* test accuracy \([0-9]*\)\..*$/\1/p')
[ -n "$percent" ] && [ "$percent" -ge 80 ]
