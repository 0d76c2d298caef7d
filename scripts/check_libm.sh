#!/bin/sh
# The law of bits: of libm the library takes only what every libm gives the same bits for, because it is exact or
# correctly rounded (fma, fmod, sqrt, the roundings). Elementary functions are our own (src/ops/math.inc, math64.h).
# usage: check_libm.sh LIBRARY.a
set -eu
library=${1:?usage: check_libm.sh LIBRARY.a}
found=$(${NM:-nm} -u "$library" 2> /dev/null | awk '{ print $2 }' | sort -u |
    grep -xE '(a?(sin|cos|tan)h?|sincos|atan2|exp(2|10|m1)?|log(2|10|1p|b)?|pow|cbrt|hypot|erfc?|[lt]gamma|j[01n]|y[01n])[fl]?' || true)
if [ -n "$found" ]; then
    echo "$library: elementary functions of libm:" $found
    exit 1
fi
echo "check_libm: ok"
