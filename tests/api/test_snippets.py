"""The C snippets of README.md and docs/*.md compile: those with a main() are built against the library, the rest are
compiled as the body of a function with the usual names at hand."""
import glob
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())
CC = os.environ.get("CC", "cc")
FLAGS = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-I" + os.path.join(SOURCE, "include")]
FRAME = """#include <born/born.h>
#include <stdio.h>
void f(born_backend *b, born_f32 x, born_f32 y, born_error err);
void f(born_backend *b, born_f32 x, born_f32 y, born_error err)
{
%s
}
"""


def main():
    failed = count = 0
    pages = [os.path.join(SOURCE, "README.md")] + sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md")))
    with tempfile.TemporaryDirectory() as folder:
        for page in [p for p in pages if os.path.exists(p)]:
            for code in re.findall(r"```c\n(.*?)```", open(page).read(), re.S):
                program = "int main" in code
                if not program and "#" in code:
                    continue                        # rows and macros, shown but not a statement
                path = os.path.join(folder, "t.c")
                with open(path, "w") as f:
                    f.write(code if program else FRAME % code)
                r = subprocess.run([CC, *FLAGS, "-fsyntax-only", path], capture_output=True, text=True)
                count += 1
                if r.returncode:
                    failed += 1
                    print("FAIL a snippet of %s\n%s\n%s" % (os.path.relpath(page, SOURCE), code, r.stderr[:1500]))
    example = os.path.join(SOURCE, "examples", "predict.c")
    readme = open(pages[0]).read() if os.path.exists(pages[0]) else ""
    if "examples/predict.c" in readme and open(example).read() not in readme:
        failed += 1
        print("FAIL README.md shows another examples/predict.c than there is")
    print("%d snippets, %d failed" % (count, failed))
    sys.exit(failed != 0)


main()
