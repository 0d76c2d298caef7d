"""born train and born predict: small data made here, training that is stopped and goes on, predictions, JSON, errors.
ctest-labels: threads"""
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile

BORN = os.environ.get("BORN_LAUNCHER", "").split() + [os.path.abspath(os.environ.get("BORN_BIN", "build/release/born"))]
FAILED = []


def check(ok, *what):
    if not ok:
        FAILED.append(what)
        print("FAIL", *what)
    return ok


def run(args, want=0, name=None):
    r = subprocess.run(BORN + [str(a) for a in args], capture_output=True, timeout=600)
    out, err = r.stdout.decode("utf-8", "replace"), r.stderr.decode("utf-8", "replace")
    check(r.returncode == want, name or " ".join(map(str, args)), "code", r.returncode, "not", want, out[-500:], err[-500:])
    if want:
        check(err.count("\n") == 1, name or args, "the error is not one line:", err)
    return out, err


def write_idx(folder, part, count, seed):
    """Squares of four places and some noise: four classes."""
    side, state = 12, seed
    pixels, labels = bytearray(), bytearray()
    for i in range(count):
        label = (i * 5 + seed) % 4
        labels.append(label)
        for y in range(side):
            for x in range(side):
                state = (state * 1103515245 + 12345) % 2147483648
                inside = 6 * (label % 2) <= x < 6 * (label % 2) + 6 and 6 * (label // 2) <= y < 6 * (label // 2) + 6
                pixels.append((170 if inside else 30) + (state >> 16) % 60)
    with open(f"{folder}/{part}-images-idx3-ubyte", "wb") as f:
        f.write(struct.pack(">IIII", 0x803, count, side, side) + pixels)
    with open(f"{folder}/{part}-labels-idx1-ubyte", "wb") as f:
        f.write(struct.pack(">II", 0x801, count) + labels)


def tensors(path):
    """The tensors of a .born file (GGUF) by name: type, shape and bytes."""
    data = open(path, "rb").read()
    at = 0

    def take(fmt):
        nonlocal at
        v = struct.unpack_from("<" + fmt, data, at)
        at += struct.calcsize("<" + fmt)
        return v[0]

    def text():
        nonlocal at
        n = take("Q")
        at += n
        return data[at - n:at]

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            kind, n = take("I"), take("Q")
            return [value(kind) for _ in range(n)]
        return take({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}[kind])

    assert data[:4] == b"GGUF"
    at = 8
    count, keys = take("Q"), take("Q")
    meta = {}
    for _ in range(keys):
        key = text().decode()
        meta[key] = value(take("I"))
    infos = []
    for _ in range(count):
        name = text().decode("utf-8", "replace")
        dims = [take("Q") for _ in range(take("I"))]
        infos.append((name, dims, take("I"), take("Q")))
    align = meta.get("general.alignment", 32)
    base = (at + align - 1) // align * align
    ends = sorted([o for _, _, _, o in infos]) + [len(data) - base]
    found = {}
    for name, dims, kind, offset in infos:
        end = ends[ends.index(offset) + 1]
        size = 1
        for d in dims:
            size *= d
        size *= {0: 4, 1: 2, 24: 1, 25: 2, 26: 4, 27: 8, 28: 8, 30: 2}.get(kind, 0) or (end - offset) // max(size, 1)
        found[name] = (kind, tuple(dims), data[base + offset:base + offset + size])
    return found


def differences(a, b):
    """How many numbers differ: the seconds that training took may."""
    count = 0
    for name in a.keys() - {"born.sums", "born.model"}:
        x, y = a[name], b[name]
        check(x[:2] == y[:2], name, x[:2], y[:2])
        count += sum(x[2][i:i + 8] != y[2][i:i + 8] for i in range(0, len(x[2]), 8)) if x != y else 0
    return count


def newest(folder):
    steps = sorted(f for f in os.listdir(folder) if f.startswith("step-"))
    return f"{folder}/{steps[-1]}"


def lines_of(out):
    return [json.loads(line) for line in out.splitlines()]


def usage():
    run([*"train --help".split()])
    out, _ = run(["train", "cnn", "--help"])
    check("--width" in out and "--epochs" in out, "help of a recipe", out)
    check("gpt" in run(["train", "--help"])[0], "the list of recipes")
    run(["predict", "--help"])
    for args in (["train"], ["train", "nothing"], ["train", "mlp", "--nothing", "1"], ["train", "mlp", "--width", "x"],
                 ["train", "mlp", "--width"], ["train", "mlp", "--schedule", "cos"], ["train", "mlp", "more"],
                 ["train", "--epochs", "1", "mlp"], ["train", "gpt"], ["train", "mlp", "--export", "a.txt"],
                 ["predict"], ["predict", "a", "--index", "x"], ["predict", "a", "--nothing"],
                 ["predict", "a", "--temperature", "-1"]):
        run(args, 2)
    _, err = run(["train", "cnn", "--data", "/nowhere"], 3)
    check("/nowhere" in err, err)
    run(["train", "gpt", "--data", "/nowhere.txt"], 3)
    run(["predict", "/nowhere.born"], 3)
    run(["predict", "README.md"], 1)


def images(tmp):
    data = f"{tmp}/idx"
    os.mkdir(data)
    write_idx(data, "train", 512, 1)
    write_idx(data, "t10k", 128, 2)
    common = ["train", "cnn", "--data", data, "--epochs", 2, "--batch", 32, "--width", 4, "--hidden", 16, "--lr", 0.01,
              "--augment", "shift"]
    out, _ = run(common + ["--out", f"{tmp}/a", "--export", f"{tmp}/cnn.onnx"])
    check("accuracy" in out and "predict with" in out, out)
    best = f"{tmp}/a/best.born"

    out, _ = run(["predict", best, "--index", "0,1,2", "--json"])
    answer = json.loads(out)
    check(answer["recipe"] == "cnn" and len(answer["answers"]) == 3, out)
    top = answer["answers"][0]["top"]
    check(len(top) == 3 and top[0]["probability"] >= top[1]["probability"], out)
    everything = json.loads(run(["predict", best, "--data", data, "--json", "--top", 1])[0])
    check(everything["accuracy"] > 0.9 and len(everything["answers"]) == 128, everything["accuracy"])
    out, _ = run(["predict", best, "--index", 5, "--time"])
    check("%" in out and "peak memory" in out, out)
    run(["predict", best], 2)
    run(["predict", best, "--index", 1000], 1)
    run(["predict", best, "--prompt", "x"], 2)
    run(["predict", best, "README.md"], 1)
    check(run(["run", f"{tmp}/cnn.onnx", "--input", "rand"])[0].count("f32[1, 4]") == 1, "the exported network runs")

    stop_and_go_on(tmp, common, f"{tmp}/a")
    _, err = run(["train", "mlp", "--data", data, "--epochs", 2, "--out", f"{tmp}/a", "--resume"], 1)
    check(len(err) < 400, err)


def stop_and_go_on(tmp, common, whole):
    """Ctrl-C after some steps, then --resume: the same bits as without."""
    args = BORN + [str(a) for a in common] + ["--out", f"{tmp}/b", "--json"]
    p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = []
    for line in p.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == "step" and seen[-1]["step"] == 5:
            p.send_signal(signal.SIGINT)
    p.wait(timeout=300)
    check(p.returncode == 0, "stopped training ends with", p.returncode, p.stderr.read())
    end = seen[-1]
    if not check(end["event"] == "end" and end["why"] == "stopped" and end["step"] < 32, "stopped:", end):
        return
    check([e["event"] for e in seen].count("begin") == 1, "one begin")
    resumed = lines_of(run([*common, "--out", f"{tmp}/b", "--json", "--resume"])[0])
    check(resumed[0]["step"] == end["step"] and resumed[-1]["why"] == "done" and resumed[-1]["step"] == 32, resumed[0],
          resumed[-1])
    a, b = tensors(newest(whole)), tensors(newest(f"{tmp}/b"))
    check(a.keys() == b.keys() and len(a) > 20, "names of tensors differ", a.keys() ^ b.keys())
    check(differences(a, b) <= 1, "tensors differ after going on")
    check(differences(tensors(f"{whole}/best.born"), tensors(f"{tmp}/b/best.born")) <= 1, "the best checkpoints differ")


def text(tmp):
    path = f"{tmp}/a.txt"
    with open(path, "w", encoding="utf-8") as f:
        for i in range(400):
            f.write(f"Zeile {i % 17}: schön, {'ja' if i % 2 else 'nein'}.\n")
    for recipe, extra in (("gpt", ["--heads", 2]), ("lstm", [])):
        args = ["train", recipe, "--data", path, "--epochs", 2, "--width", 16, "--layers", 1, "--context", 32,
                "--warmup", 5, "--out", f"{tmp}/{recipe}", "--quiet"]
        out, _ = run(args + extra)
        check(out == "", "--quiet prints", out)
        best = f"{tmp}/{recipe}/best.born"
        first, _ = run(["predict", best, "--prompt", "Zeile 1", "--tokens", 80, "--seed", 4])
        check(first.startswith("Zeile 1") and len(first) == 88, recipe, repr(first))
        check(run(["predict", best, "--prompt", "Zeile 1", "--tokens", 80, "--seed", 4])[0] == first, "the same seed")
        answer = json.loads(run(["predict", best, "--tokens", 20, "--temperature", 0, "--json"])[0])
        check(len(answer["answers"][0]["text"]) == 20, answer)
        run(["predict", best, "--prompt", "\u00e0"], 1)
        run(["predict", best, "--index", 0], 2)


def table(tmp):
    path = f"{tmp}/t.csv"
    with open(path, "w", encoding="utf-8") as f:
        f.write("a,b,c,kind,size\n")
        for i in range(300):
            a, b, c = i % 13, i * 7 % 11, i * 3 % 5
            f.write(f"{a},{b},{c},{'up' if a > b else 'down'},{2 * a - b + 10}\n")
    common = ["train", "tabular", "--data", path, "--epochs", 30, "--width", 32]
    out, _ = run(common + ["--target", "kind", "--columns", "a,b,c", "--out", f"{tmp}/kind"])
    check("accuracy" in out, out)
    answer = json.loads(run(["predict", f"{tmp}/kind/best.born", path, "--json"])[0])
    check(len(answer["answers"]) == 300 and answer["accuracy"] > 0.9, answer.get("accuracy"))
    run(common + ["--target", "size", "--columns", "b,a", "--regression", "--out", f"{tmp}/size"])
    unknown = f"{tmp}/u.csv"
    with open(unknown, "w", encoding="utf-8") as f:
        f.write("a,b\n5,5\n10,2\n")
    values = [x["value"] for x in json.loads(run(["predict", f"{tmp}/size/best.born", unknown, "--json"])[0])["answers"]]
    check(len(values) == 2 and abs(values[0] - 15) < 3 and abs(values[1] - 28) < 3, values)
    out, _ = run(["predict", f"{tmp}/size/best.born", path])
    check("mean squared error" in out, out)
    run(common + ["--target", "nothing", "--out", f"{tmp}/none"], 2)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        usage()
        images(tmp)
        text(tmp)
        table(tmp)
    print("FAILED" if FAILED else "all passed")
    return 1 if FAILED else 0


sys.exit(main())
