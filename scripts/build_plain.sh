#!/bin/sh
# The core library with a C compiler and nothing else: proof that it needs no build system and no other library.
# usage: build_plain.sh FOLDER        makes FOLDER/libborn.a and FOLDER/add, an example that must run; CC and CFLAGS as
# usual
set -eu
out=${1:?usage: build_plain.sh FOLDER}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
cc=${CC:-cc}
flags="-std=c17 -O2 -ffp-contract=off -fno-strict-aliasing -Iinclude -Isrc ${CFLAGS:-}"
case $("$cc" -dumpmachine) in
x86_64*) levels="scalar avx2 avx512 avx512vnni" ;;
aarch64*) levels="scalar neon" ;;
*) levels="scalar" ;;
esac
flags_of() {
    case $1 in
    avx2) echo "-mavx2 -mfma -mf16c" ;;
    avx512) echo "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c" ;;
    avx512vnni) echo "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma -mf16c" ;;
    esac
}
rm -f "$out"/*.o "$out"/libborn.a
{
    for f in $(find src -name '*.c' ! -path 'src/formats/safetensors/*' | sort); do       # those need jansson
        name=$(echo "${f#src/}" | tr / _)
        case $f in
        *_k.c) for level in $levels; do
            # a level that only adds dot products has the kernels of src/cpu/quant alone
            case $level:$f in avx512vnni:src/cpu/quant/*) ;; avx512vnni:*) continue ;; esac
            echo "$flags $(flags_of $level) -DBORN_LEVEL_NAME=$level -c $f -o $out/$level.$name.o"
        done ;;
        *) echo "$flags -c $f -o $out/$name.o" ;;
        esac
    done
} | xargs -P "$(nproc 2> /dev/null || echo 2)" -L 1 "$cc"
ar rcs "$out/libborn.a" "$out"/*.o
rm -f "$out"/*.o
"$cc" -std=c17 -Iinclude ${CFLAGS:-} examples/add.c "$out/libborn.a" -lm -pthread -o "$out/add"
"$out/add" | grep -q '^gradient: 8 16 24 | 12 20 28$' || { echo "build_plain: $out/add finds something else" >&2; exit 1; }
echo "built $out/libborn.a with $cc; link with -lm -pthread"
