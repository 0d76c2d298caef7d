#!/bin/sh
# Installed into a folder, the library serves others: examples/predict.c, as README.md shows it, built by pkg-config and
# by find_package(born), statically and against the shared library, gives one answer, also after the folder moved.
build=${BORN_BUILD:-build/release}
cc=${CC:-cc}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
fail() {
    echo "FAIL $1"
    [ ! -s "$tmp/log" ] || tail -n 20 "$tmp/log"
    exit 1
}
if [ -n "${BORN_SANITIZE:-}" ]; then
    echo "skipped: programs of others are not built with sanitizers"
    exit 77
fi
cmake --install "$build" --prefix "$tmp/first" > "$tmp/log" 2>&1 || fail "cmake --install"
mv "$tmp/first" "$tmp/prefix"
prefix=$tmp/prefix
for f in bin/born include/born/born.h; do [ -e "$prefix/$f" ] || fail "no $f installed"; done
lib=$(find "$prefix" -name libborn.a)
lib=${lib%/libborn.a}
[ -n "$lib" ] && [ -e "$lib/libborn.so" ] || fail "no libborn.a and libborn.so installed"

# what predict.c has to say of an empty image, by the installed tool
data=${BORN_TEST_DATA:-../shared/data}/onnx/models/mnist_8/model.onnx
zeros=
if [ -e "$data" ]; then
    "$prefix/bin/born" run "$data" --input zeros --output Plus214_Output_0="$tmp/y.csv" > "$tmp/log" 2>&1 ||
        fail "the installed tool does not run"
    zeros=$(awk -F, '{ for (i = 1; i <= NF; i++) { if (n == 0 || $i > top) { top = $i; best = n } n++ } }
        END { printf "class %d, score %g", best, top }' "$tmp/y.csv")
fi
programs_work() {       # programs_work NAME FOLDER: what was built there
    "$2/add" > "$tmp/log" 2>&1 || fail "$1: add does not run"
    grep -q '^2x + row: 12 24 36 | 18 30 42$' "$tmp/log" || fail "$1: add finds something else"
    if "$2/predict" fuzz/corpus/onnx_run/relu.onnx > "$tmp/log" 2>&1; then fail "$1: predict takes any shape"; fi
    grep -q '^fuzz/corpus/onnx_run/relu.onnx: .*28' "$tmp/log" || fail "$1: predict does not say what is wrong"
    if [ -n "$zeros" ]; then
        "$2/predict" "$data" > "$tmp/log" 2>&1 || fail "$1: predict does not run"
        grep -qxF "$zeros" "$tmp/log" || fail "$1: predict does not say '$zeros'"
    fi
    echo "$1: works"
}
dynamic() {             # dynamic PROGRAM: whether it asks for libborn.so
    readelf -d "$1" | grep -q 'NEEDED.*libborn'
}

mkdir "$tmp/shared" "$tmp/static"
if command -v pkg-config > /dev/null; then
    PKG_CONFIG_PATH=$lib/pkgconfig
    export PKG_CONFIG_PATH
    for p in add predict; do
        $cc examples/$p.c $(pkg-config --cflags --libs born) -Wl,-rpath,"$lib" -o "$tmp/shared/$p" 2> "$tmp/log" ||
            fail "pkg-config: $p.c does not build"
        $cc -static examples/$p.c $(pkg-config --cflags --libs --static born) -o "$tmp/static/$p" 2> "$tmp/log" ||
            fail "pkg-config --static: $p.c does not build"
        dynamic "$tmp/shared/$p" || fail "pkg-config: $p is not linked to libborn.so"
        if dynamic "$tmp/static/$p"; then fail "pkg-config --static: $p is linked to libborn.so"; fi
    done
    programs_work "pkg-config" "$tmp/shared"
    programs_work "pkg-config --static" "$tmp/static"
else
    echo "pkg-config: skipped, not installed"
fi

mkdir "$tmp/project"
cat > "$tmp/project/CMakeLists.txt" << EOF
cmake_minimum_required(VERSION 3.21)
project(user C)
find_package(born 0.1 REQUIRED)
foreach(form born shared)
    foreach(program add predict)
        add_executable(\${program}_\${form} $PWD/examples/\${program}.c)
        target_link_libraries(\${program}_\${form} PRIVATE born::\${form})
        set_target_properties(\${program}_\${form} PROPERTIES
            OUTPUT_NAME \${program} RUNTIME_OUTPUT_DIRECTORY \${CMAKE_BINARY_DIR}/\${form})
    endforeach()
endforeach()
EOF
cmake -S "$tmp/project" -B "$tmp/out" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" > "$tmp/log" 2>&1 ||
    fail "find_package(born)"
cmake --build "$tmp/out" > "$tmp/log" 2>&1 || fail "a project with find_package(born) does not build"
if dynamic "$tmp/out/born/predict"; then fail "born::born is not the static library"; fi
dynamic "$tmp/out/shared/predict" || fail "born::shared is not the shared library"
programs_work "born::born" "$tmp/out/born"
programs_work "born::shared" "$tmp/out/shared"
