#!/usr/bin/env python3
"""The operators of bench_train_ops beside PyTorch, in one window.

usage: compare_torch_ops.py BENCH_TRAIN_OPS [--seconds S] [OP...]
BORN_TORCH: Pythons that have torch, separated by colons (default: this one). For each operator and number of threads
the best of all Pythons stands against Born.
"""
import json
import os
import subprocess
import sys
import time


def layer(part, m, k, n):
    """A part of a linear layer: forward, or the gradient by x or by the weight."""
    def make(torch):
        x, w, b, g = torch.rand(m, k), torch.rand(n, k), torch.rand(n), torch.rand(m, n)
        return {"": lambda: torch.addmm(b, x, w.t()), "dx": lambda: g @ w, "dw": lambda: g.t() @ x}[part]
    return make


def classes(grad, n, c):
    def make(torch):
        x, y = torch.rand(n, c), torch.randint(0, c, (n,))
        log_p, one, total = torch.log_softmax(x, 1), torch.tensor(1.0), torch.tensor(float(n))
        aten = torch.ops.aten
        if grad:
            def back():
                g = aten.nll_loss_backward(one, log_p, y, None, 1, -100, total)
                return aten._log_softmax_backward_data(g, log_p, 1, torch.float32)
            return back
        return lambda: torch.nn.functional.cross_entropy(x, y)
    return make


def norm(grad):
    def make(torch):
        x, w, b, g = torch.rand(1024, 128), torch.rand(128), torch.rand(128), torch.rand(1024, 128)
        y, mean, rstd = torch.native_layer_norm(x, [128], w, b, 1e-5)
        if grad:
            return lambda: torch.ops.aten.native_layer_norm_backward(g, x, [128], mean, rstd, w, b, [True] * 3)
        return lambda: torch.native_layer_norm(x, [128], w, b, 1e-5)
    return make


def attention(grad):
    def make(torch):
        functional = torch.nn.functional
        q, k, v, g = (torch.rand(4, 4, 256, 32, requires_grad=i < 3 and grad) for i in range(4))
        if hasattr(functional, "scaled_dot_product_attention"):
            def run():
                return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            mask = torch.full((256, 256), float("-inf")).triu(1)

            def run():
                return torch.softmax(q @ k.transpose(-2, -1) * 32 ** -0.5 + mask, -1) @ v
        if not grad:
            return run
        y = run()
        return lambda: torch.autograd.grad(y, (q, k, v), g, retain_graph=True)
    return make


def table(torch):
    t = {}
    for m, k, n in ((64, 784, 128), (64, 128, 10), (256, 784, 128), (256, 128, 10), (1024, 128, 384),
                    (1024, 128, 128), (1024, 128, 512), (1024, 512, 128), (1024, 128, 65)):
        for part in ("", "dx", "dw"):
            t["gemm", f"{m} {k}-{n} {part}".strip()] = layer(part, m, k, n)
    t["relu", "64x128"] = lambda torch, x=torch.rand(64, 128): lambda: torch.relu(x)
    t["gelu", "1024x512"] = lambda torch, x=torch.rand(1024, 512): lambda: torch.nn.functional.gelu(x)
    t["add", "1024x128"] = lambda torch, x=torch.rand(1024, 128): lambda: x + x
    t["reduce_sum", "64x128 rows"] = lambda torch, x=torch.rand(64, 128): lambda: x.sum(0)
    t["reduce_sum", "1024x512 rows"] = lambda torch, x=torch.rand(1024, 512): lambda: x.sum(0)
    for n, c in ((64, 10), (1024, 65)):
        t["cross_entropy_loss", f"{n}x{c}"] = classes(False, n, c)
        t["cross_entropy_grad", f"{n}x{c}"] = classes(True, n, c)
    t["softmax", "4x4x256x256"] = lambda torch, x=torch.rand(4, 4, 256, 256): lambda: torch.softmax(x, -1)
    index = torch.randint(0, 65, (1024,))
    t["gather", "65x128 by 1024"] = lambda torch, w=torch.rand(65, 128): lambda: torch.nn.functional.embedding(index, w)
    t["scatter_nd", "65x128 by 1024"] = lambda torch, g=torch.rand(1024, 128): lambda: (
        torch.ops.aten.embedding_dense_backward(g, index, 65, -1, False))
    t["layer_norm", "1024x128"], t["layer_norm_grad", "1024x128"] = norm(False), norm(True)
    t["attention", "4x4x256x32"], t["attention_grad", "4x4x256x32"] = attention(False), attention(True)
    return t


def best(run, seconds):
    run()
    least, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        at = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - at)
    return least * 1e6


def measure(seconds, only):
    """As the child of a Python that has torch: [version, {"op|name|threads": microseconds}] on stdout."""
    import torch
    result = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for (op, name), make in table(torch).items():
            if only and op not in only:
                continue
            try:
                result[f"{op}|{name}|{threads}"] = best(make(torch), seconds)
            except (RuntimeError, AttributeError, TypeError) as problem:
                print(f"{op} {name}: {problem}", file=sys.stderr)
    print(json.dumps([torch.__version__, result]))


def main():
    args = sys.argv[1:]
    seconds = 0.1
    if "--seconds" in args:
        at = args.index("--seconds")
        seconds = float(args[at + 1])
        del args[at:at + 2]
    if args and args[0] == "--child":
        measure(seconds, args[1:])
        return
    if not args:
        sys.exit(__doc__)
    bench, only = args[0], args[1:]
    rivals = []
    for python in os.environ.get("BORN_TORCH", sys.executable).split(":"):
        out = subprocess.run([python, __file__, "--seconds", str(seconds), "--child", *only], stdout=subprocess.PIPE,
                             check=True, text=True).stdout
        rivals.append(json.loads(out.splitlines()[-1]))
    out = subprocess.run([bench, "--json", "--seconds", str(seconds)], stdout=subprocess.PIPE, check=True,
                         text=True).stdout
    for row in json.loads(out):
        key = f"{row['op']}|{row['name']}|{row['threads']}"
        times = [(r[key], version) for version, r in rivals if key in r]
        if not times:
            continue
        us, version = min(times)
        print(f"{row['op']:18} {row['name']:16} {row['threads']} threads  {row['us']:9.1f} us  share {row['share']:.2f}"
              f"  torch {version.split('+')[0]:8} {us:9.1f} us  x{us / row['us']:.2f}")


if __name__ == "__main__":
    main()
