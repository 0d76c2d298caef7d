# Sourced by the conformance tests: where the test data is, or a line that says how to get it, and code 77 (skipped).
data=${BORN_TEST_DATA:-../shared/data}
born="${BORN_LAUNCHER:-} ${BORN_BIN:-build/release/born}"
build=${BORN_BUILD:-build}
need() {
    if [ ! -e "$data/$1" ]; then
        echo "skipped: no $data/$1; set BORN_TEST_DATA to a folder with the test data (docs/test-data.md)"
        exit 77
    fi
}
