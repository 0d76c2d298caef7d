#!/bin/sh
# The command line: exit codes, one-line errors, JSON, inputs and outputs. Uses the small models of the fuzzers' corpus.
born="${BORN_LAUNCHER:-} ${BORN_BIN:-build/release/born}"
models=fuzz/corpus/onnx_run
$born version > /dev/null || { echo "the tool does not start: $born"; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0

# check CODE NAME COMMAND...: runs it, compares the exit code; stdout and stderr stay in $tmp/out and $tmp/err
check() {
    want=$1
    name=$2
    shift 2
    "$@" > "$tmp/out" 2> "$tmp/err"
    code=$?
    if [ $code -ne "$want" ]; then
        echo "FAIL $name: code $code, not $want"
        cat "$tmp/out" "$tmp/err"
        failed=1
    fi
    if [ "$want" -ne 0 ] && [ "$(wc -l < "$tmp/err")" -ne 1 ] && [ "$name" != no-verb ] && [ "${name%-json}" != verify ] && [ "$name" != gaps ]; then
        echo "FAIL $name: the error is not one line:"
        cat "$tmp/err"
        failed=1
    fi
}
says() {
    if ! grep -q "$2" "$tmp/$1"; then
        echo "FAIL $name: $1 lacks '$2':"
        cat "$tmp/$1"
        failed=1
    fi
}
json() {
    command -v python3 > /dev/null || return
    if ! python3 -m json.tool < "$tmp/out" > /dev/null 2> "$tmp/err"; then
        echo "FAIL $name: no JSON: $(cat "$tmp/err")"
        failed=1
    fi
}

check 0 help $born help
says out 'born verify'
check 0 verb-help $born run --help
says out '\-\-input'
check 0 help-verb $born help bench
check 2 help-unknown $born help nothing
check 2 no-verb $born
check 2 unknown-verb $born nothing
check 0 version $born version
says out '^born [0-9]'
check 0 version-json $born version --json
json
check 0 licences $born version --licenses
check 2 version-option $born version --nothing
check 0 ops $born ops
says out '^matmul'
check 0 ops-one $born ops matmul
check 0 ops-json $born ops --json
json
check 1 ops-none $born ops nothing_like_it

check 2 run-no-model $born run
check 2 run-option $born run $models/relu.onnx --nothing
check 2 run-threads $born run $models/relu.onnx --threads 0
check 2 run-backend $born run $models/relu.onnx --backend cuda
check 3 run-missing $born run "$tmp/absent.onnx" --input rand
says err 'absent.onnx'
check 1 run-no-input $born run $models/relu.onnx
says err "\-\-input x="
check 0 run-rand $born run $models/relu.onnx --input rand
says out '^y  f32\[1, 2, 4, 4\]'
check 0 run-zeros $born run $models/conv.onnx --input x=zeros --threads 2 --time
says out 'peak memory'
check 0 run-json $born run $models/loop.onnx --input rand --json
json
check 0 run-profile $born run $models/lstm.onnx --input rand --profile
check 0 run-dim $born run $models/symbolic.onnx --input rand --dim batch=5
says out 'f32\[5, 2\]'
check 0 run-place $born run $models/symbolic.onnx --input rand --dim x.0=3
says out 'f32\[3, 2\]'
check 0 run-write $born run $models/relu.onnx --input rand --output y="$tmp/y.npy" --output x="$tmp/x.npy"
check 0 run-read $born run $models/relu.onnx --input "$tmp/x.npy" --output y="$tmp/z.npy"
cmp -s "$tmp/y.npy" "$tmp/z.npy" || { echo "FAIL run-read: the same input gave another output"; failed=1; }
check 0 run-csv-out $born run $models/relu.onnx --input "x=$tmp/x.npy" --output x="$tmp/x.csv"
check 0 run-csv $born run $models/relu.onnx --input "$tmp/x.csv"
says out '^y  f32\[1, 2, 4, 4\]'
check 1 run-output $born run $models/relu.onnx --input rand --output nothing="$tmp/n.npy"
check 3 run-input $born run $models/relu.onnx --input x="$tmp/absent.npy"
echo junk > "$tmp/junk.npy"
check 1 run-junk $born run $models/relu.onnx --input "$tmp/junk.npy"
check 1 run-junk-model $born run "$tmp/junk.npy" --input rand
check 1 run-unsupported $born run $models/unsupported.onnx --input rand
says err '2 not supported'
says err 'NoSuchThing:18'
check 1 run-cap $born run $models/relu.onnx --input rand --max-bytes 1
check 2 run-cap-text $born run $models/relu.onnx --input rand --max-bytes many
if command -v python3 > /dev/null; then
    python3 - "$tmp" <<'PY'
import sys, zipfile, struct
data = open(sys.argv[1] + "/x.npy", "rb").read()
with zipfile.ZipFile(sys.argv[1] + "/x.npz", "w", zipfile.ZIP_STORED) as z:
    z.writestr("x.npy", data)
PY
    check 0 run-npz $born run $models/relu.onnx --input "$tmp/x.npz" --output y="$tmp/w.npy"
    cmp -s "$tmp/y.npy" "$tmp/w.npy" || { echo "FAIL run-npz: the same input gave another output"; failed=1; }
fi

check 0 inspect $born inspect $models/conv_norm.onnx
says out '^input '
check 0 inspect-json $born inspect $models/functions.onnx --json
json
check 0 inspect-graph $born inspect $models/if.onnx --graph
check 0 inspect-profile $born inspect $models/pool.onnx --profile
check 0 inspect-dump $born inspect $models/conv_norm.onnx --dump all
check 1 gaps $born inspect $models/unsupported.onnx
says err 'com.example.Another'
check 3 inspect-missing $born inspect "$tmp/absent.onnx"

check 0 bench $born bench $models/conv.onnx --seconds 0.02
says out '^latency'
check 0 bench-json $born bench $models/conv.onnx --seconds 0.02 --json
json
check 0 bench-op $born bench --op matmul_256,relu --seconds 0.02 --json
json
check 2 bench-nothing $born bench
check 2 bench-unknown $born bench --op nothing

mkdir -p "$tmp/cases/a/test_data_set_0" "$tmp/cases/b"
cp $models/relu.onnx "$tmp/cases/a/model.onnx"
cp $models/relu.onnx "$tmp/cases/b/model.onnx"
check 0 run-pb $born run $models/relu.onnx --input rand --json
check 3 verify-missing $born verify "$tmp/absent"
check 2 verify-nothing $born verify
check 1 verify $born verify "$tmp/cases"
says out '^FAIL .*cases/a: '
says out '^0 passed, 1 failed, 1 skipped$'
check 1 verify-json $born verify "$tmp/cases" --json --hash
json
[ $failed -eq 0 ] && echo "all as it should be"
exit $failed
