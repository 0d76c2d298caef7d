#!/bin/sh
# Each case of the ONNX backend test-suite that Born passes, read, saved as .born, from there as .onnx, and verified
# again: what can be saved gives the same verdict, and what cannot is refused by name. ctest-labels: slow
. tests/conformance/data.sh
need onnx/nodes.tar.zst
work=$build/onnx-export
rm -rf "$work" && mkdir -p "$work/cases" || exit 1
if ! tar --zstd -xf "$data/onnx/nodes.tar.zst" -C "$work/cases" 2>/dev/null; then
    echo "skipped: cannot unpack nodes.tar.zst (tar with zstd is needed)"
    exit 77
fi
# Overwrites each model it is told of with what Born saves of it, by way of a .born file.
cat > "$work/again.c" <<'C'
#include <born/born.h>
#include <stdio.h>
#include <string.h>

static born_status again(const char *from, const char *to, born_error *err)
{
    born_model *m = NULL;
    born_status st = born_model_open(from, &(born_model_desc){ .passes_off = "all" }, &m, err);
    if (st == BORN_OK) st = born_model_save(m, to, err);
    born_model_close(&m);
    return st;
}

int main(int argc, char **argv)
{
    char line[4096];
    while (argc == 2 && fgets(line, sizeof line, stdin)) {
        born_error err = { .status = BORN_OK };
        line[strcspn(line, "\n")] = 0;
        born_status st = again(line, argv[1], &err);
        if (st == BORN_OK && (st = again(argv[1], line, &err)) != BORN_OK) printf("LOST ");
        printf("%s %s %s\n", born_status_name(st), line, err.text);
        if (st != BORN_OK) remove(line);
    }
    return 0;
}
C
# the library of a sanitizer build needs its run time
"${CC:-cc}" -std=c17 ${BORN_SANITIZE:+-fsanitize=$BORN_SANITIZE} -Iinclude "$work/again.c" "$BORN_LIB" -lm -pthread -o "$work/again" || exit 1
$born verify "$work/cases" > "$work/before.txt"
find "$work/cases" -name model.onnx | sort | "$work/again" "$work/t.born" > "$work/saved.txt"
$born verify "$work/cases" > "$work/after.txt"
tail -n 1 "$work/before.txt" "$work/after.txt"
bad=0
if grep '^LOST\|^[A-Z]* [^ ]* *$' "$work/saved.txt" | grep -v '^OK'; then
    echo "saved as .born, but not again from there, or refused without a reason"
    bad=1
fi
sed -n 's/^FAIL \([^:]*\):.*/\1/p' "$work/before.txt" | sort > "$work/a"
sed -n 's/^FAIL \([^:]*\):.*/\1/p' "$work/after.txt" | sort > "$work/b"
if comm -13 "$work/a" "$work/b" | grep .; then
    echo "the cases above pass as they are and fail once saved"
    bad=1
fi
saved=$(grep -c '^OK' "$work/saved.txt")
echo "saved: $saved; refused: $(grep -c 'export:' "$work/saved.txt")"
[ "$saved" -ge 1150 ] || bad=1
rm -rf "$work/cases"
exit $bad
