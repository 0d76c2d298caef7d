"""The snippets of README.md and docs/*.md are what they seem. C: those with a main() are compiled against the headers,
the rest as the body of a function with the usual names at hand. The programs of docs/training.md are linked and run on
a small data set, and so are its Python programs where torch can be imported (else they are compiled)."""
import glob
import gzip
import importlib.util
import os
import re
import struct
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())
CC = os.environ.get("CC", "cc")
FLAGS = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-I" + os.path.join(SOURCE, "include")]
LINK = os.environ.get("BORN_LINK", "").split()
FRAME = """#include <born/born.h>
#include <stdio.h>
void f(born_backend *b, born_f32 x, born_f32 y, born_error err);
void f(born_backend *b, born_f32 x, born_f32 y, born_error err)
{
%s
}
"""
RUN = os.path.join("docs", "training.md")


class Results:
    count = failed = skipped = 0

    def add(self, what, page, code, r):
        self.count += 1
        if r.returncode:
            self.failed += 1
            print("FAIL %s: a snippet of %s\n%s\n%s" % (what, page, code, (r.stdout + r.stderr)[-2500:]))
        return not r.returncode


def call(command, folder):
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


def write_images(folder):
    """Fashion-MNIST's four files with few items, whose classes can be told apart."""
    for what, n in ("train", 160), ("t10k", 64):
        labels = bytes((7 * i + 3) % 10 for i in range(n))
        pixels = bytes((x * (label + 1) + i % 3) % 251 for i, label in enumerate(labels) for x in range(784))
        with gzip.open(os.path.join(folder, what + "-images-idx3-ubyte.gz"), "wb") as f:
            f.write(struct.pack(">4i", 0x803, n, 28, 28) + pixels)
        with gzip.open(os.path.join(folder, what + "-labels-idx1-ubyte.gz"), "wb") as f:
            f.write(struct.pack(">2i", 0x801, n) + labels)


def is_linkable(code):
    wants = {"born/hub.h": "born_hub", "born/codecs.h": "libz"}
    return bool(LINK) and all(any(lib in name for name in LINK) for header, lib in wants.items() if header in code)


def check_c(results, page, code, folder, data):
    program = "int main" in code
    if not program and "#" in code:
        return                          # rows and macros, shown but not a statement
    path = os.path.join(folder, "t.c")
    with open(path, "w") as f:
        f.write(code if program else FRAME % code)
    if not program or page != RUN or not is_linkable(code):
        results.skipped += program and page == RUN
        results.add("cc", page, code, call([CC, *FLAGS, "-fsyntax-only", path], folder))
        return
    sanitize = os.environ.get("BORN_SANITIZE")
    flags = FLAGS + (["-fsanitize=" + sanitize] if sanitize else [])
    if results.add("cc", page, code, call([CC, *flags, path, *LINK, "-lm", "-pthread", "-o", "t"], folder)):
        results.add("run", page, code, call([os.path.join(folder, "t"), data], folder))


def check_python(results, page, code, folder, data):
    path = os.path.join(folder, "t.py")
    with open(path, "w") as f:
        f.write(code)
    if page == RUN and importlib.util.find_spec("torch"):
        results.add("python", page, code, call([sys.executable, path, data], folder))
        return
    results.skipped += page == RUN
    results.add("python", page, code, call([sys.executable, "-m", "py_compile", path], folder))


def main():
    results = Results()
    pages = [os.path.join(SOURCE, "README.md")] + sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md")))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as data:
        write_images(data)
        for page in [p for p in pages if os.path.exists(p)]:
            for language, code in re.findall(r"```(c|python)\n(.*?)```", open(page).read(), re.S):
                check = check_c if language == "c" else check_python
                check(results, os.path.relpath(page, SOURCE), code, folder, data)
    example = os.path.join(SOURCE, "examples", "predict.c")
    readme = open(pages[0]).read() if os.path.exists(pages[0]) else ""
    if "examples/predict.c" in readme and open(example).read() not in readme:
        results.failed += 1
        print("FAIL README.md shows another examples/predict.c than there is")
    print("%d checks of snippets, %d failed; %d snippets compiled but not run" % (results.count, results.failed,
                                                                                  results.skipped))
    sys.exit(results.failed != 0)


main()
