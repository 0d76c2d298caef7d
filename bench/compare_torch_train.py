#!/usr/bin/env python3
"""Whole training steps of bench_train beside PyTorch, in one window.

usage: compare_torch_train.py BENCH_TRAIN [--seconds S] [--rounds N] [NAME...]
BORN_TORCH: Pythons that have torch, separated by colons (default: this one). Both sides run in turn, N times (default
3); of each number of threads and each Python the median counts, and of these the best stands against the better of
Born's 1 and 2 threads. A machine that others use as well drifts within a second; medians of rounds in turn drift less.
"""
import json
import os
import statistics
import subprocess
import sys
import time

CASES = [("mlp", 64), ("mlp", 256), ("lenet", 64), ("lenet", 256), ("cnn", 64), ("gpt", 4), ("gpt", 16)]
VOCAB, CONTEXT, WIDTH, LAYERS = 65, 256, 128, 4


def network(torch, name):
    nn = torch.nn
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    if name == "lenet":
        return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                             nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84),
                             nn.ReLU(), nn.Linear(84, 10))
    if name == "cnn":
        return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                             nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))
    return gpt(torch)


def gpt(torch):
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def attend(self, x):
            b, t, c = x.shape
            q, k, v = (y.view(b, t, 4, c // 4).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
            if hasattr(functional, "scaled_dot_product_attention"):
                y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                mask = torch.full((t, t), float("-inf")).triu(1)
                y = torch.softmax(q @ k.transpose(-2, -1) * (c // 4) ** -0.5 + mask, -1) @ v
            return self.out(y.transpose(1, 2).reshape(b, t, c))

        def forward(self, x):
            x = x + self.attend(self.norm1(x))
            return x + self.down(functional.gelu(self.up(self.norm2(x))))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(VOCAB, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCAB)

        def forward(self, x):
            y = self.tokens(x) + self.positions(torch.arange(CONTEXT))
            for block in self.blocks:
                y = block(y)
            return self.head(self.norm(y)).view(-1, VOCAB)

    return Gpt()


def worker(name, batch, threads, seconds):
    import torch
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = network(torch, name)
    if name == "gpt":
        x, y = torch.randint(0, VOCAB, (batch, CONTEXT)), torch.randint(0, 10, (batch * CONTEXT,))
        optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    else:
        x = torch.randn(batch, 784) if name == "mlp" else torch.randn(batch, 1, 28, 28)
        y = torch.randint(0, 10, (batch,))
        kind = torch.optim.Adam if name == "cnn" else torch.optim.SGD
        optimiser = kind(net.parameters(), 1e-3)
    loss_of = torch.nn.CrossEntropyLoss()

    def step():
        optimiser.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimiser.step()

    for _ in range(5):
        step()
    runs, start = 0, time.perf_counter()
    while runs < 5 or time.perf_counter() - start < seconds:
        step()
        runs += 1
    items = batch * (CONTEXT if name == "gpt" else 1)
    print(json.dumps({"version": torch.__version__, "rate": items * runs / (time.perf_counter() - start)}))


def main():
    args = sys.argv[1:]
    if args and args[0] == "--worker":
        return worker(args[1], int(args[2]), int(args[3]), float(args[4]))
    if not args:
        sys.exit(__doc__)
    program, seconds, rounds, names = args[0], 1.0, 3, []
    rest = args[1:]
    while rest:
        word = rest.pop(0)
        if word == "--seconds":
            seconds = float(rest.pop(0))
        elif word == "--rounds":
            rounds = int(rest.pop(0))
        else:
            names.append(word)
    pythons = os.environ.get("BORN_TORCH", sys.executable).split(":")
    for name in dict.fromkeys(n for n, _ in CASES):
        if not names or name in names:
            compare(program, pythons, name, seconds, rounds)


def compare(program, pythons, name, seconds, rounds):
    ours, theirs = {}, {}       # (batch, threads[, version]) -> rates
    share = {}
    batches = [b for n, b in CASES if n == name]
    for _ in range(rounds):
        text = subprocess.run([program, "--json", "--seconds", str(seconds), name], capture_output=True, text=True,
                              check=True).stdout
        for line in text.splitlines():
            row = json.loads(line)
            ours.setdefault((row["batch"], row["threads"]), []).append(row["items_per_second"])
            share[row["batch"], row["threads"]] = row["share_of_peak"] / row["items_per_second"]
        for batch in batches:
            for python in pythons:
                for threads in (1, 2):
                    out = subprocess.run([python, __file__, "--worker", name, str(batch), str(threads), str(seconds)],
                                         capture_output=True, text=True)
                    if out.returncode == 0:
                        row = json.loads(out.stdout)
                        theirs.setdefault((batch, threads, row["version"]), []).append(row["rate"])
    for batch in batches:
        rate, threads = max((statistics.median(v), k[1]) for k, v in ours.items() if k[0] == batch)
        line = f"{name:6} batch {batch:3}  {rate:10.0f} items/s on {threads} thread(s), " \
               f"{100 * rate * share[batch, threads]:.0f}% of FMA peak"
        rivals = [(statistics.median(v), k) for k, v in theirs.items() if k[0] == batch]
        if rivals:
            rival, key = max(rivals)
            line += f"; torch {key[2]} {rival:10.0f} on {key[1]}: {rate / rival:.2f} times"
        print(line, flush=True)


main()
