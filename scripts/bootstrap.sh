#!/bin/sh
# Installs the Debian packages that are missing for a purpose, as root or by sudo; otherwise prints the command.
# usage: bootstrap.sh build|demo|test|ci  build: compiler and cmake; demo: also the images; test: C++ and python3; ci:
# sanitizers, cross compilers
set -eu
purpose=${1:-build}
need=""
want() {            # want PACKAGE COMMAND: the package is missing if the command is
    command -v "$2" > /dev/null 2>&1 || need="$need $1"
}
want_file() {       # want_file PACKAGE PATH...
    package=$1
    shift
    for f in "$@"; do
        [ -e "$f" ] && return 0
    done
    need="$need $package"
}
want gcc cc
want cmake cmake
want_file libc6-dev /usr/include/stdio.h /usr/include/*/stdio.h
# image and .npz input of the tool; it builds without them
if command -v dpkg > /dev/null 2>&1; then
    want_file zlib1g-dev /usr/include/zlib.h
    want_file libpng-dev /usr/include/png.h
    want_file libjpeg62-turbo-dev /usr/include/jpeglib.h
    want_file libjansson-dev /usr/include/jansson.h     # component hub
fi
case $purpose in
build) ;;
demo) want_file dataset-fashion-mnist /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ;;
test | ci)
    want g++ c++
    want python3 python3
    want zstd zstd
    want pkg-config pkg-config
    ;;
*)
    echo "usage: bootstrap.sh build|demo|test|ci" >&2
    exit 2
    ;;
esac
if [ "$purpose" = ci ]; then
    want ninja-build ninja
    want clang-14 clang-14
    want clang-tidy-14 clang-tidy-14
    want shellcheck shellcheck
    want_file libclang-rt-14-dev /usr/lib/llvm-14/lib/clang/14*/lib/linux/libclang_rt.fuzzer-*.a
    want llvm-14 llvm-symbolizer-14
    want gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
    want_file libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h
    want gcc-arm-linux-gnueabihf arm-linux-gnueabihf-gcc
    want_file libc6-dev-armhf-cross /usr/arm-linux-gnueabihf/include/stdio.h
    want gcc-riscv64-linux-gnu riscv64-linux-gnu-gcc
    want_file libc6-dev-riscv64-cross /usr/riscv64-linux-gnu/include/stdio.h
    want qemu-user-static qemu-aarch64-static
    want lld-14 wasm-ld-14
    want_file wasi-libc /usr/include/wasm32-wasi/stdio.h
    want_file libclang-rt-14-dev-wasm32 /usr/lib/llvm-14/lib/clang/14*/lib/wasi/libclang_rt.builtins-wasm32.a
    want nodejs node
fi
[ -z "$need" ] && exit 0
if ! command -v apt-get > /dev/null 2>&1; then
    echo "born: please install what Debian calls:$need" >&2
    exit 1
fi
install="apt-get install -y --no-install-recommends$need"
if [ "$(id -u)" -eq 0 ]; then
    as=""
elif command -v sudo > /dev/null 2>&1 && sudo -n true 2> /dev/null; then
    as="sudo"
else
    echo "born: packages are missing; please run:  sudo $install" >&2
    exit 1
fi
echo "born: installing$need"
export DEBIAN_FRONTEND=noninteractive
$as apt-get update -qq || true
$as env DEBIAN_FRONTEND=noninteractive $install && exit 0
# all or none by apt: one by one, so that a package that cannot be had takes no other along
bad=0
for package in $need; do
    $as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package" || {
        echo "born: $package cannot be installed" >&2
        bad=1
    }
done
exit $bad
