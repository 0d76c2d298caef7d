#!/bin/sh
# The folder rule: a file of src/<folder> includes only its own folder and folders above it in the order below; the
# tool and the examples include public headers only (benchmarks may look inside). Tables (.def) are exempt, and so is ops/rows.h in
# waist/op.h, which only reads rows.
set -eu
cd "$(dirname "$0")/.."
order="base tensor waist ops api graph cpu webgpu cuda decor formats nn optim data train dist zoo llm serve"
find src tools examples -name '*.[chi]' -o -name '*.inc' -o -name '*_shader.h' | sort | xargs awk -v order="$order" '
BEGIN {
    n = split(order, name, " ")
    for (i = 1; i <= n; i++) rank[name[i]] = i
}
FNR == 1 {
    split(FILENAME, part, "/")
    inside = part[1] == "src"
    mine = part[2]
    if (inside && !(mine in rank)) { print FILENAME ": src/" mine " is not in the list of folders"; bad = 1 }
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    path = quoted[2]
    if (path ~ /\.def$/) next
    if (split(path, step, "/") < 2) next                # a file of the same folder
    if (!(step[1] in rank)) {
        if (inside) { print FILENAME ":" FNR ": " path ": no such folder"; bad = 1 }
        next
    }
    if (path == "ops/rows.h" && FILENAME == "src/waist/op.h") next
    if (!inside) { print FILENAME ":" FNR ": " path ": only public headers (<born/...>) here"; bad = 1; next }
    if (rank[step[1]] > rank[mine]) { print FILENAME ":" FNR ": " mine " may not include " path; bad = 1 }
}
END { exit bad }'
echo "check_folders: ok"
