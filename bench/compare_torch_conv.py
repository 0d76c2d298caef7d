#!/usr/bin/env python3
"""The operators and networks of bench_gradients and bench_conv_train in PyTorch: best of many runs, 1 and 2 threads.

  compare_torch_conv.py [--threads N] [ops|nets]

Backward times are those of one gradient alone (torch.ops.aten.convolution_backward with one output asked for).
"""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

CONVS = [("lenet 1-6", 1, 6, 28, 5, 1, 2), ("lenet 6-16", 6, 16, 14, 5, 1, 0), ("cnn 1-32", 1, 32, 28, 3, 1, 1),
         ("cnn 32-64", 32, 64, 14, 3, 1, 1), ("rn 3-64", 3, 64, 32, 3, 1, 1), ("rn 64-64", 64, 64, 32, 3, 1, 1),
         ("rn 64-128/2", 64, 128, 32, 3, 2, 1), ("rn 128-128", 128, 128, 16, 3, 1, 1),
         ("rn 128-256/2", 128, 256, 16, 3, 2, 1), ("rn 256-256", 256, 256, 8, 3, 1, 1),
         ("rn 256-512/2", 256, 512, 8, 3, 2, 1), ("rn 512-512", 512, 512, 4, 3, 1, 1),
         ("rn 64-128 1/2", 64, 128, 32, 1, 2, 0)]
POOLS = [("lenet 6", 6, 28), ("lenet 16", 16, 10), ("cnn 32", 32, 28), ("cnn 64", 64, 14)]
NORMS = [("rn 64", 64, 32), ("rn 512", 512, 4)]
BATCH = 64


def best(fn, seconds=0.3):
    fn(), fn()
    low, end = 1e9, time.perf_counter() + seconds
    while time.perf_counter() < end:
        t = time.perf_counter()
        fn()
        low = min(low, time.perf_counter() - t)
    return low * 1e6


def images(c, h, last):
    x = torch.randn(BATCH, c, h, h)
    return x.to(memory_format=torch.channels_last) if last else x


def both(fn):
    """The better of row-major and channels-last."""
    return min(best(fn(False)), best(fn(True)))


def report(op, name, us):
    print(f"{op:18} {name:13} {us:9.1f} us")


def conv_backward(c, m, h, k, s, p, which):
    def make(last):
        x, w = images(c, h, last), torch.randn(m, c, k, k)
        g = F.conv2d(x, w, None, s, p)
        mask = [which == "conv_transpose", which == "conv_weight_grad", False]
        return lambda: torch.ops.aten.convolution_backward(g, x, w, None, [s, s], [p, p], [1, 1], False, [0, 0], 1, mask)
    return make


def conv_forward(c, m, h, k, s, p):
    def make(last):
        x, w, b = images(c, h, last), torch.randn(m, c, k, k), torch.randn(m)
        return lambda: F.conv2d(x, w, b, s, p)
    return make


def pool_forward(c, h):
    def make(last):
        x = images(c, h, last)
        return lambda: F.max_pool2d(x, 2)
    return make


def pool_backward(c, h):
    def make(last):
        x = images(c, h, last)
        y, at = torch.ops.aten.max_pool2d_with_indices(x, [2, 2])
        return lambda: torch.ops.aten.max_pool2d_with_indices_backward(y, x, [2, 2], [2, 2], [0, 0], [1, 1], False, at)
    return make


def norm_forward(c, h):
    def make(last):
        x, p = images(c, h, last), [torch.rand(c) for _ in range(4)]
        return lambda: torch.ops.aten.native_batch_norm(x, p[0], p[1], p[2], p[3], True, 0.1, 1e-5)
    return make


def norm_backward(c, h):
    def make(last):
        x, p = images(c, h, last), [torch.rand(c) for _ in range(4)]
        y, mean, rstd = torch.ops.aten.native_batch_norm(x, p[0], p[1], p[2], p[3], True, 0.1, 1e-5)
        return lambda: torch.ops.aten.native_batch_norm_backward(y, x, p[0], p[2], p[3], mean, rstd, True, 1e-5,
                                                                 [True, True, True])
    return make


def sum_channels(c, h):
    def make(last):
        x = images(c, h, last)
        return lambda: x.sum((0, 2, 3))
    return make


def ops():
    for op in ("conv", "conv_weight_grad", "conv_transpose"):
        for name, c, m, h, k, s, p in CONVS:
            if op == "conv_transpose" and c in (1, 3):
                continue
            fn = conv_forward(c, m, h, k, s, p) if op == "conv" else conv_backward(c, m, h, k, s, p, op)
            report(op, name, both(fn))
    for name, c, h in POOLS:
        report("max_pool", name, both(pool_forward(c, h)))
        report("max_pool_grad", name, both(pool_backward(c, h)))
        report("reduce_sum", name, both(sum_channels(c, h)))
    for name, c, h in NORMS:
        report("batch_norm", name, both(norm_forward(c, h)))
        report("batch_norm_grad", name, both(norm_backward(c, h)))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


class Block(nn.Module):
    def __init__(self, c, m):
        super().__init__()
        s = 1 if c == m else 2
        self.body = nn.Sequential(nn.Conv2d(c, m, 3, s, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU(),
                                  nn.Conv2d(m, m, 3, 1, 1, bias=False), nn.BatchNorm2d(m))
        self.skip = nn.Identity() if s == 1 else nn.Sequential(nn.Conv2d(c, m, 1, 2, bias=False), nn.BatchNorm2d(m))

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def resnet():
    layers, c = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for i in range(8):
        m = 64 << i // 2
        layers.append(Block(c, m))
        c = m
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def step(make, image, batch, last):
    net, x, y = make(), torch.randn(batch, *image), torch.randint(0, 10, (batch,))
    if last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def run():
        for p in net.parameters():
            p.grad = None
        F.cross_entropy(net(x), y).backward()
    return run


def nets():
    for name, make, image, batch, seconds in (("lenet", lenet, (1, 28, 28), 64, 2), ("lenet", lenet, (1, 28, 28), 256, 2),
                                              ("cnn", cnn, (1, 28, 28), 64, 3), ("resnet", resnet, (3, 32, 32), 64, 6)):
        us = min(best(step(make, image, batch, last), seconds) for last in (False, True))
        print(f"{name:7} batch {batch:3} {us:11.1f} us {batch / us * 1e6:9.0f} samples/s")


if __name__ == "__main__":
    args = sys.argv[1:]
    counts = (int(args[1]),) if args[:1] == ["--threads"] else (1, 2)
    for threads in counts:
        torch.set_num_threads(threads)
        print(f"torch {torch.__version__}, {threads} threads")
        for what in [a for a in args if a in ("ops", "nets")] or ("ops", "nets"):
            {"ops": ops, "nets": nets}[what]()
