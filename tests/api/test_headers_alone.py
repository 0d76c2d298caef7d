"""Each public header compiles alone, in C11, C17 and C++17, under every compiler found, without a warning, and twice in
one file. Also with the header's own lint switch, which takes away the shelter of a system header.
ctest-labels: source"""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

WARN = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror".split()
SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())
INCLUDE = os.path.join(SOURCE, "include")


def compilers():
    found = [c for c in ("gcc", "clang", "clang-14") if shutil.which(c)]
    plus = {"gcc": "g++", "clang": "clang++", "clang-14": "clang++-14"}
    for c in found:
        yield c, "c11", ".c"
        yield c, "c17", ".c"
        if shutil.which(plus[c]):
            yield plus[c], "c++17", ".cpp"


def main():
    failed = tried = 0
    headers = sorted(os.path.basename(h) for h in glob.glob(os.path.join(INCLUDE, "born", "*.h")))
    with tempfile.TemporaryDirectory() as folder:
        for cc, std, ext in compilers():
            flags = WARN + ([] if ext == ".cpp" else ["-Wstrict-prototypes"])
            for header in headers:
                path = os.path.join(folder, "t" + ext)
                with open(path, "w") as f:
                    f.write("#include <born/%s>\n#include <born/%s>\nint main(%s) { return 0; }\n"
                            % (header, header, "" if ext == ".cpp" else "void"))
                for extra in ([], ["-DBORN_LINT_HEADERS"] if ext == ".c" else None):
                    if extra is None:
                        continue
                    run = [cc, "-std=" + std, *flags, *extra, "-I" + INCLUDE, "-fsyntax-only", path]
                    r = subprocess.run(run, capture_output=True, text=True)
                    tried += 1
                    if r.returncode:
                        failed += 1
                        print("FAIL %s -std=%s %s <born/%s>\n%s" % (cc, std, extra, header, r.stderr[:2000]))
    print("%d compilations, %d failed" % (tried, failed))
    if not tried:
        sys.exit(77)
    sys.exit(failed != 0)


main()
