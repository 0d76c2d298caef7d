#!/bin/sh
# Sizes: no source file above 1,000 lines, no function above 80, no two files of one name. Tables (.def) are exempt;
# functions listed in scripts/long_functions.txt ("file function", with a reason after #) are as well.
set -eu
cd "$(dirname "$0")/.."
bad=0
files=$(find src include tools tests fuzz bench examples \( -name '*.c' -o -name '*.h' -o -name '*.inc' -o -name '*.cpp' \) | sort)
wc -l $files | awk '$2 != "total" && $1 > 1000 { print $2 ": " $1 " lines, above 1000"; bad = 1 } END { exit bad }' || bad=1
# A function begins at a line "{" and ends at a line "}", both at the margin; its name is on the line before with "(".
awk '
FILENAME == "scripts/long_functions.txt" { sub(/#.*/, ""); if ($1 != "") exempt[$1 " " $2] = 1; next }
FNR == 1 { start = 0; name = "" }
/^[A-Za-z_].*\(/ && !/^#/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
}
/^\{/ { start = FNR }
/^\}/ && start > 0 {
    if (FNR - start - 1 > 80 && !((FILENAME " " name) in exempt)) {
        print FILENAME ":" start ": " name " has " FNR - start - 1 " lines, above 80"
        bad = 1
    }
    start = 0
}
END { exit bad }' scripts/long_functions.txt $files || bad=1
same=$(find src include tools \( -name '*.c' -o -name '*.inc' -o -name '*.def' \) | sed 's,.*/,,' | sort | uniq -d)
if [ -n "$same" ]; then
    echo "file names that are not unique: $same"
    bad=1
fi
[ "$bad" -eq 0 ] && echo "check_sizes: ok"
exit "$bad"
