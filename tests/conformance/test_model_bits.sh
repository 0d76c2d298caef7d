#!/bin/sh
# The law of bits on real models: every output has the same hash for 1, 2, 3 and 4 threads under each mask that this
# machine has. BORN_BITS_MODELS=all takes every model (minutes); otherwise the small ones. ctest-labels: threads
set -u
data=${BORN_TEST_DATA:-../shared/data}/onnx/models
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -d "$data" ]; then
    echo "skipped: no test data in $data (set BORN_TEST_DATA to the folder that holds onnx/models)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 77
fi
if [ "${BORN_BITS_MODELS:-}" = all ]; then
    models=$(ls "$data")
else
    models="mnist_8 kws_fp32 kws_qdq kws_qoperator dtln_1 gtcrn_simple optimum_asset silero_vad_ifless_op18
        tiny_random_gpt2 tract_byte_sb_bidi_lstm tract_qlstm tract_qtdnn tract_xgb_cls ultraface_rfb320"
fi
set --
for m in $models; do [ -d "$data/$m" ] && set -- "$@" "$data/$m"; done
case $(uname -m) in
x86_64) masks="scalar avx2 avx512" ;;
aarch64) masks="scalar neon" ;;
*) masks="scalar" ;;
esac
passed=0
failed=0
for mask in $masks; do
    for threads in 1 2 3 4; do
        BORN_CPU=$mask ${BORN_LAUNCHER:-} "$BORN_BIN" verify --hash --threads $threads "$@" > "$work/now" 2>&1 || {
            echo "FAIL $mask, $threads threads:"
            cat "$work/now"
            failed=$((failed + 1))
            continue
        }
        grep '^HASH' "$work/now" > "$work/hash"
        [ -f "$work/first" ] || cp "$work/hash" "$work/first"
        if [ -s "$work/hash" ] && cmp -s "$work/hash" "$work/first"; then
            passed=$((passed + 1))
        else
            echo "FAIL $mask, $threads threads: these differ from $(echo $masks | cut -d' ' -f1), 1 thread:"
            diff "$work/first" "$work/hash"
            failed=$((failed + 1))
        fi
    done
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
