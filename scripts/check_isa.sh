#!/bin/sh
# An object compiled for an ISA level defines only born_k_..._<level>: anything else, an inline helper say, could be
# picked by the linker for the whole program and then not run on older CPUs.
# usage: check_isa.sh BUILD_FOLDER
set -eu
build=${1:?usage: check_isa.sh BUILD_FOLDER}
bad=0
found=0
for folder in "$build"/CMakeFiles/born_k_*.dir; do
    [ -d "$folder" ] || continue
    level=${folder##*/born_k_}
    level=${level%.dir}
    level=${level##*_}
    for object in $(find "$folder" -name '*.o'); do
        found=$((found + 1))
        wrong=$(${NM:-nm} -g --defined-only "$object" | awk '{ print $NF }' |
            grep -v "^born_k_[a-z0-9_]*_$level\$" | grep -v '^__\(asan\|odr_asan\|ubsan\|tsan\)' || true)
        if [ -n "$wrong" ]; then
            echo "$object:" $wrong
            bad=1
        fi
    done
done
[ "$bad" -eq 0 ] && echo "check_isa: ok, $found objects"
exit "$bad"
