"""What must not compile does not, and says so briefly: one mistake gives at most 2 errors and 20 lines from gcc. The
same programs without the mistake compile. ctest-labels: source"""
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())

HEADER = "#include <born/born.h>\n"
ARGS = "born_backend *b, born_f32 x, born_f32 y, born_f64 d, born_i64 i, born_i32 j, born_bool m, born_tensor t"
FUNCTION = """void f%d(ARGS);
void f%d(ARGS)
{
    (void)b, (void)x, (void)y, (void)d, (void)i, (void)j, (void)m, (void)t;
    %s
}
""".replace("ARGS", ARGS)

GOOD = [
    "(void)born_add(x, y);",
    "(void)born_add(x, 2);",
    "(void)born_add(i, 2);",
    "(void)born_add(t, t);",
    "(void)born_add(t, 2);",
    "(void)born_relu(born_matmul(x, y));",
    "(void)born_where(m, x, y);",
    "(void)born_where(born_gt(x, 0), x, y);",
    "(void)born_gather(x, i, 0);",
    "(void)born_gather(x, j, 0);",
    "(void)born_gather(x, t, 0);",
    "(void)born_softmax(x, -1);",
    "(void)born_reduce_sum(x, BORN_INTS(0, 1), NULL);",
    "(void)born_reshape(x, BORN_SHAPE(2, -1));",
    "(void)born_gelu(x, NULL);",
    "(void)born_conv(x, y, (born_f32){ { 0 } }, &(born_conv_attrs){ .group = 2 });",
    "born_f32 two[2] = { x, y }; (void)born_concat(two, 2, 0);",
    "born_f32 two[2]; (void)born_split(x, two, 2, (born_ints){ 0 }, 0);",
    "(void)born_cast(i, BORN_F32);",
    "(void)born_keep(x); born_drop(&x);",
    "(void)born_quantize_linear(x, y, t, NULL);",
    "(void)born_from_f32(b, (born_array){ BORN_F32, BORN_SHAPE(1), NULL, 0 });",
    "float v[4]; (void)born_from_f32(b, BORN_ARRAY(v, 2, 2));",
    "born_i64 k; (void)born_topk(x, 3, NULL, &k);",
    "(void)born_attention(x, x, x, BORN_ANY(m), NULL);",
    "(void)born_range(b, BORN_F32, 0, 10, 1);",
]

BAD = [
    "(void)born_add(x, d);",                    # mixed dtypes
    "(void)born_add(x, i);",
    "(void)born_add(x, t);",                    # known and unknown dtype
    "(void)born_add(x, \"2\");",
    "(void)born_add(x, &y);",
    "(void)born_relu(&x);",
    "(void)born_relu(3.0f);",
    "(void)born_exp(i);",                       # floats only
    "(void)born_bitwise_and(x, y);",            # integers only
    "(void)born_logical_and(i, i);",            # bools only
    "(void)born_matmul(x, d);",
    "(void)born_where(x, x, y);",               # a float as a condition
    "(void)born_where(m, x, d);",
    "(void)born_gather(x, y, 0);",              # a float as an index
    "(void)born_gather(x, 1, 0);",
    "(void)born_scatter_nd(x, x, y, NULL);",
    "born_f64 r = born_add(x, y); (void)r;",    # the result's dtype
    "born_f32 r = born_eq(x, y); (void)r;",
    "born_f32 r = born_arg_max(x, NULL); (void)r;",
    "born_i64 k = born_cast(x, BORN_I64); (void)k;",
    "(void)born_softmax(i, 0);",
    "(void)born_softmax(x);",                   # the axis is not optional
    "(void)born_gelu(x, &(born_elu_attrs){ 0 });",
    "(void)born_conv(x, y, d, NULL);",
    "born_f64 two[2]; (void)born_split(x, two, 2, (born_ints){ 0 }, 0);",
    "born_drop(x);",
    "born_from_f32(b, x);",
    "(void)BORN_ARRAY(\"text\", 4);",
    "(void)born_read(3, b, 4);",
    "(void)born_item_f64(x, NULL);",
    "(void)born_attention(x, x, x, m, NULL);",  # BORN_ANY(m)
]


def compile_all(cc, std, bodies, folder):
    path = os.path.join(folder, "t.c")
    with open(path, "w") as f:
        f.write(HEADER)
        for i, body in enumerate(bodies):
            f.write(FUNCTION % (i, i, body))
    run = [cc, "-std=" + std, "-Wall", "-Wextra", "-Werror", "-fno-diagnostics-show-option",
           "-I" + os.path.join(SOURCE, "include"), "-fsyntax-only", path]
    return subprocess.run(run, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


def main():
    if not shutil.which("gcc"):
        print("skipped: no gcc")
        sys.exit(77)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for cc in [c for c in ("gcc", "clang-14", "clang") if shutil.which(c)]:
            for std in ("c11", "c17") if cc == "gcc" else ("c17",):
                r = compile_all(cc, std, GOOD, folder)
                if r.returncode:
                    failed += 1
                    print("FAIL does not compile (%s %s)\n%s" % (cc, std, r.stderr[:1500]))
            for body in BAD:
                r = compile_all(cc, "c17", [body], folder)
                errors = r.stderr.count("error: ")
                lines = len(r.stderr.splitlines())
                if r.returncode == 0:
                    failed += 1
                    print("FAIL compiles (%s): %s" % (cc, body))
                elif cc == "gcc" and (errors > 2 or lines > 20):
                    failed += 1
                    print("FAIL %d errors, %d lines (%s): %s\n%s" % (errors, lines, cc, body, r.stderr))
    print("%d programs that compile, %d that must not, %d failed" % (len(GOOD), len(BAD), failed))
    sys.exit(failed != 0)


main()
