#!/usr/bin/env python3
"""Born beside ONNX Runtime on whole models, in one window: the two take turns, and ratios are of medians.

usage: compare_onnxruntime.py BORN MODEL_FOLDER...    (needs the Python packages onnxruntime and numpy)
Prints for 1 and 2 threads: latency of each, ratio born/ort; then exec to first prediction and peak memory.
"""
import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 5
ORT_RUN = """
import sys, numpy as np, onnxruntime as ort
so = ort.SessionOptions(); so.intra_op_num_threads = int(sys.argv[2]); so.log_severity_level = 3
s = ort.InferenceSession(sys.argv[1], so, providers=['CPUExecutionProvider'])
kinds = {'tensor(float)': np.float32, 'tensor(int64)': np.int64, 'tensor(int32)': np.int32, 'tensor(uint8)': np.uint8}
feeds = {i.name: np.ones([d if isinstance(d, int) else 1 for d in i.shape], kinds[i.type]) for i in s.get_inputs()}
s.run(None, feeds)
"""
ORT_LATENCY = ORT_RUN + """
import time
t = []
end = time.perf_counter() + float(sys.argv[3])
while time.perf_counter() < end or len(t) < 3:
    a = time.perf_counter(); s.run(None, feeds); t.append(time.perf_counter() - a)
t.sort()
print(t[len(t) // 2] * 1e3, t[0] * 1e3)
"""


def born_latency(born, model, threads):
    out = subprocess.run([born, "bench", model, "--threads", str(threads), "--seconds", "1", "--json"],
                         check=True, capture_output=True, text=True).stdout
    r = json.loads(out)
    return r["p50_ms"], r["best_ms"], r.get("share_of_peak", 0)


def ort_latency(model, threads):
    out = subprocess.run([sys.executable, "-c", ORT_LATENCY, model, str(threads), "1"], check=True,
                         capture_output=True, text=True).stdout.split()
    return float(out[0]), float(out[1])


def first_prediction(born, model):
    """Milliseconds from exec to exit. (A child's ru_maxrss begins with ours, so memory comes from born itself.)"""
    began = time.perf_counter()
    subprocess.run([born, "run", model, "--input", "rand"], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def memory(born, model):
    """MiB: peak of a process that runs once, packed weights, arena with scratch."""
    run = json.loads(subprocess.run([born, "run", model, "--input", "rand", "--json"], check=True,
                                    capture_output=True, text=True).stdout)
    plan = json.loads(subprocess.run([born, "bench", model, "--seconds", "0", "--json"], check=True,
                                     capture_output=True, text=True).stdout)
    return [x / 2**20 for x in (run["peak_bytes"], plan["packed_bytes"], plan["arena_bytes"] + plan["scratch_bytes"])]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    import onnxruntime
    born = sys.argv[1]
    print(f"onnxruntime {onnxruntime.__version__}, CPU provider, default optimisation; {ROUNDS} rounds in turn")
    print(f"{'model':24} {'threads':>7} {'born ms':>9} {'best':>9} {'ort ms':>9} {'best':>9} {'ratio':>6} {'of best':>7} {'peak':>5}")
    for folder in sys.argv[2:]:
        model = os.path.join(folder, "model.onnx")
        name = os.path.basename(os.path.normpath(folder))
        for threads in (1, 2):
            a, b = [], []
            for _ in range(ROUNDS):
                a.append(born_latency(born, model, threads))
                b.append(ort_latency(model, threads))
            ours, theirs = statistics.median(x[0] for x in a), statistics.median(x[0] for x in b)
            best, best_theirs = min(x[1] for x in a), min(x[1] for x in b)
            share = statistics.median(x[2] for x in a)
            print(f"{name:24} {threads:7} {ours:9.3f} {best:9.3f} {theirs:9.3f} {best_theirs:9.3f} {ours / theirs:6.2f} "
                  f"{best / best_theirs:7.2f} {100 * share:4.0f}%", flush=True)
        first = [first_prediction(born, model) for _ in range(ROUNDS)]
        peak, packed, arena = memory(born, model)
        print(f"{name:24} exec to first prediction: median {statistics.median(first):.1f} ms, best {min(first):.1f} ms; "
              f"peak memory {peak:.1f} MiB = packed weights {packed:.1f} + arena {arena:.1f} + {peak - packed - arena:.1f}")


if __name__ == "__main__":
    main()
