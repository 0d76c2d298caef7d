"""Networks to and from other frameworks (round_trip.c has them): PyTorch's weights by safetensors give PyTorch's logits;
networks trained here and saved as .onnx give the same logits in ONNX Runtime; saved as .born (and .onnx) and opened
again they give the same bits. Each part says so where torch, onnxruntime or the hub is missing."""
import json
import os
import subprocess
import sys
import tempfile
from collections import OrderedDict

SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())
CC = os.environ.get("CC", "cc")
LINK = os.environ.get("BORN_LINK", os.environ.get("BORN_LIB", "")).split()
HUB = any("born_hub" in name for name in LINK)
SAVED = ["mlp", "lenet", "cnn", "resnet", "encoder", "causal", "lstm", "gru"]


def try_import(name):
    try:
        return __import__(name)
    except ImportError as e:
        print("skipped the part with %s: %s" % (name, e))
        return None


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": {"torch.float32": "F32", "torch.int64": "I64"}[str(t.dtype)], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


def torch_networks(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, cin, cout, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout)
            self.conv2, self.bn2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout)
            if cin != cout or stride != 1:
                self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))

    class First(nn.Module):
        def __init__(self, rnn):
            super().__init__()
            self.__dict__["_inner"] = rnn
            for name, p in rnn.named_parameters():
                self.register_parameter(name, p)

        def forward(self, x):
            return self._inner(x)[0]

    def net(**layers):
        return nn.Sequential(OrderedDict(layers))

    layer = nn.TransformerEncoderLayer(16, 4, 32, 0.1, "gelu", batch_first=True)
    yield "mlp", (5, 20), net(fc1=nn.Linear(20, 32), act1=nn.ReLU(), fc2=nn.Linear(32, 32), act2=nn.Tanh(),
                              fc3=nn.Linear(32, 10))
    yield "lenet", (3, 1, 28, 28), net(
        conv1=nn.Conv2d(1, 6, 5, padding=2), act1=nn.Tanh(), pool1=nn.AvgPool2d(2), conv2=nn.Conv2d(6, 16, 5),
        act2=nn.ReLU(), pool2=nn.MaxPool2d(2), flat=nn.Flatten(), fc1=nn.Linear(400, 84), act3=nn.Sigmoid(),
        fc2=nn.Linear(84, 10))
    yield "resnet", (2, 3, 16, 16), net(
        conv1=nn.Conv2d(3, 8, 3, 1, 1, bias=False), bn1=nn.BatchNorm2d(8), act=nn.ReLU(), layer1=Block(8, 8, 1),
        layer2=Block(8, 16, 2), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(16, 10))
    yield "encoder", (2, 7, 12), net(into=nn.Linear(12, 16),
                                     encoder=nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16)),
                                     out=nn.Linear(16, 10))
    yield "lstm", (2, 9, 12), net(rnn=First(nn.LSTM(12, 16, 2, batch_first=True, bidirectional=True)),
                                  out=nn.Linear(32, 10))
    yield "gru", (2, 9, 12), net(rnn=First(nn.GRU(12, 16, batch_first=True)), out=nn.Linear(16, 10))


def report(name, got, want):
    worst = float((abs(got - want) / (1 + abs(want))).max())
    good = got.shape == want.shape and worst <= 1e-5
    print("%s %s: largest difference %.1e" % ("ok" if good else "FAIL", name, worst))
    return not good


def from_torch(torch, program, at):
    import numpy as np
    failed = 0
    torch.manual_seed(1)
    for name, shape, net in torch_networks(torch):
        opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
        for _ in range(5):
            opt.zero_grad()
            (net(torch.randn(shape)) - 0.5).square().mean().backward()
            opt.step()
        net.eval()
        x = torch.randn(shape)
        with torch.no_grad():
            want = net(x).numpy()
        write_safetensors(at("w.safetensors"), net.state_dict())
        x.numpy().tofile(at("x"))
        r = subprocess.run([program, "load", name, at("w.safetensors"), at("x"), at("y")], capture_output=True, text=True)
        if r.returncode:
            failed += 1
            print("FAIL %s: %s" % (name, r.stderr.strip()))
            continue
        failed += report("torch %s -> born, %s" % (torch.__version__, name),
                         np.fromfile(at("y"), np.float32).reshape(want.shape), want)
    return failed


def to_onnxruntime(ort, name, at):
    import numpy as np
    ort.set_default_logger_severity(3)
    session = ort.InferenceSession(at("net.onnx"), providers=["CPUExecutionProvider"])
    x = np.fromfile(at("x"), np.float32).reshape(session.get_inputs()[0].shape)
    got = session.run(None, {session.get_inputs()[0].name: x})[0]
    return report("born -> onnxruntime, %s" % name, got, np.fromfile(at("y"), np.float32).reshape(got.shape))


def main():
    failed = 0
    torch, ort = try_import("torch"), try_import("onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        sanitize = os.environ.get("BORN_SANITIZE")
        flags = ["-fsanitize=" + sanitize] if sanitize else []
        subprocess.run([CC, "-std=c17", "-Wall", "-Wextra", "-Werror", *flags, "-DWITH_HUB=%d" % HUB,
                        "-I" + os.path.join(SOURCE, "include"),
                        os.path.join(SOURCE, "tests", "conformance", "round_trip.c"), *LINK, "-lm", "-pthread", "-o",
                        at("round_trip")], check=True)
        for name in SAVED:
            r = subprocess.run([at("round_trip"), "save", name, at("net.onnx"), at("net.born"), at("x"), at("y")],
                               capture_output=True, text=True)
            print("%s born -> .born and .onnx -> born, %s: %s" % ("FAIL" if r.returncode else "ok", name,
                                                                  r.stderr.strip() or "the same bits"))
            failed += r.returncode != 0
            if ort and os.path.exists(at("net.onnx")):
                failed += to_onnxruntime(ort, name, at)
        if torch and HUB:
            failed += from_torch(torch, at("round_trip"), at)
        elif torch:
            print("skipped PyTorch's weights: built without the hub")
    sys.exit(failed != 0)


main()
