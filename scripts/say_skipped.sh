#!/bin/sh
# After ctest: one line for each test that was skipped, with its reason, and how to get the test data where that is what
# is missing. usage: say_skipped.sh BUILD_FOLDER
set -eu
log=${1:?usage: say_skipped.sh BUILD_FOLDER}/Testing/Temporary/LastTest.log
data=${BORN_TEST_DATA:-../shared/data}
[ -f "$log" ] || exit 0
# A test begins at "50/59 Testing: NAME". Scripts say "skipped: " at the margin, programs end with "0 passed, ...".
awk '
/^[0-9]+\/[0-9]+ Testing: / { name = $3; why = "" }
/^ *skipped: / && why == "" { why = $0; sub(/^ */, "", why) }
/^skipped: / || /^0 passed, 0 failed, [1-9][0-9]* skipped/ { printf "%-20s %s\n", name, why }' "$log"
if [ ! -d "$data/onnx" ]; then
    echo
    echo "The test data is not part of the sources: docs/test-data.md says how to get it. Put it into $data or name its"
    echo "folder in BORN_TEST_DATA, and the tests above run."
fi
