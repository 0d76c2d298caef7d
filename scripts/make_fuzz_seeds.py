#!/usr/bin/env python3
"""Writes the seeds of the ONNX fuzzers, small models that between them use every part of the reader and the mapper, and
those of the fuzzer of data files.
Needs nothing but Python. The files are committed; run this again after changing it."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "fuzz", "corpus")


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def num(field, v):
    return varint(field << 3) + varint(v)


def msg(field, b):
    if isinstance(b, str):
        b = b.encode()
    return varint(field << 3 | 2) + varint(len(b)) + b


def f32(field, v):
    return varint(field << 3 | 5) + struct.pack("<f", v)


def shape(dims):
    return b"".join(msg(1, num(1, d) if isinstance(d, int) else msg(2, d)) for d in dims)


def value(name, dims=None, elem=1):
    t = num(1, elem) + (msg(2, shape(dims)) if dims is not None else b"")
    return msg(1, name) + msg(2, msg(1, t))


def attr(name, v):
    b = msg(1, name)
    if isinstance(v, bool) or isinstance(v, int):
        return b + num(20, 2) + num(3, int(v))
    if isinstance(v, float):
        return b + num(20, 1) + f32(2, v)
    if isinstance(v, str):
        return b + num(20, 3) + msg(4, v)
    if isinstance(v, Graph):
        return b + num(20, 5) + msg(6, v.bytes())
    if isinstance(v, Ref):
        return b + num(20, v.type) + msg(21, v.name)
    if isinstance(v, bytes):
        return b + num(20, 4) + msg(5, v)
    if v and isinstance(v[0], float):
        return b + num(20, 6) + b"".join(f32(7, x) for x in v)
    return b + num(20, 7) + b"".join(num(8, x) for x in v)


class Ref:
    def __init__(self, name, type):
        self.name, self.type = name, type


def node(op, ins, outs, domain="", **attrs):
    b = b"".join(msg(1, i) for i in ins) + b"".join(msg(2, o) for o in outs) + msg(3, op.lower()) + msg(4, op)
    b += b"".join(msg(5, attr(k, v)) for k, v in attrs.items())
    return b + (msg(7, domain) if domain else b"")


def floats(name, dims, v, raw=True):
    b = b"".join(num(1, d) for d in dims) + num(2, 1) + msg(8, name)
    return b + (msg(9, struct.pack("<%df" % len(v), *v)) if raw else msg(4, struct.pack("<%df" % len(v), *v)))


def ints(name, dims, v, raw=True):
    b = b"".join(num(1, d) for d in dims) + num(2, 7) + msg(8, name)
    return b + (msg(9, struct.pack("<%dq" % len(v), *v)) if raw else msg(7, b"".join(varint(x) for x in v)))


class Graph:
    def __init__(self, nodes, ins, outs, inits=(), infos=()):
        self.parts = (nodes, ins, outs, inits, infos)

    def bytes(self):
        nodes, ins, outs, inits, infos = self.parts
        return (b"".join(msg(1, n) for n in nodes) + msg(2, "g") + b"".join(msg(5, t) for t in inits) +
                b"".join(msg(11, v) for v in ins) + b"".join(msg(12, v) for v in outs) +
                b"".join(msg(13, v) for v in infos))


def model(graph, opset=18, functions=(), domains=()):
    b = num(1, 8) + msg(2, "seed") + msg(8, num(2, opset))
    b += b"".join(msg(8, msg(1, d) + num(2, v)) for d, v in domains)
    return b + msg(7, graph.bytes()) + b"".join(msg(25, f) for f in functions)


def function(name, ins, outs, nodes, attrs=(), domain="mine", opset=18):
    return (msg(1, name) + b"".join(msg(4, i) for i in ins) + b"".join(msg(5, o) for o in outs) +
            b"".join(msg(6, a) for a in attrs) + b"".join(msg(7, n) for n in nodes) + msg(9, num(2, opset)) +
            msg(9, msg(1, domain) + num(2, 1)) + msg(10, domain))


X = value("x", [1, 2, 4, 4])
Y = value("y")


def chain(*nodes, ins=(X,), inits=(), opset=18, **kw):
    return model(Graph(nodes, ins, [Y], inits), opset, **kw)


def seeds():
    w = floats("w", [2, 2, 3, 3], [0.1 * (i % 7) - 0.3 for i in range(36)])
    b = floats("b", [2], [0.5, -0.5], raw=False)
    two = [floats(n, [2], v) for n, v in (("s", [1, 2]), ("o", [0, 1]), ("m", [0, 0]), ("v", [1, 1]))]
    yield "relu", chain(node("Relu", ["x"], ["y"]))
    yield "conv", chain(node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"]), inits=[w, b])
    yield "conv_norm", chain(node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
                             node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"]),
                             node("Add", ["n", "x"], ["r"]), node("Relu", ["r"], ["y"]), inits=[w] + two)
    yield "pool", chain(node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
                        node("GlobalAveragePool", ["p"], ["g"]), node("Flatten", ["g"], ["y"]))
    yield "old_forms", chain(node("Clip", ["x"], ["a"], min=0.0, max=6.0), node("Unsqueeze", ["a"], ["u"], axes=[0]),
                             node("Squeeze", ["u"], ["q"], axes=[0]), node("Slice", ["q"], ["s"], starts=[0], ends=[1]),
                             node("Pad", ["s"], ["p"], pads=[0, 0, 1, 1, 0, 0, 1, 1], value=1.0),
                             node("Upsample", ["p", "k"], ["z"], mode="nearest"), node("Softmax", ["z"], ["y"]),
                             inits=[floats("k", [4], [1, 1, 2, 2])], opset=9)
    yield "shapes", chain(node("Shape", ["x"], ["h"]), node("Gather", ["h", "i"], ["d"], axis=0),
                          node("Concat", ["d", "n"], ["t"], axis=0), node("Reshape", ["x", "t"], ["y"]),
                          inits=[ints("i", [1], [1]), ints("n", [1], [-1], raw=False)])
    yield "constant", chain(node("Constant", [], ["k"], value=floats("", [1], [2.0])),
                            node("Constant", [], ["f"], value_float=3.0), node("Constant", [], ["l"], value_ints=[1, 2]),
                            node("ConstantOfShape", ["l"], ["z"], value=floats("", [1], [4.0])),
                            node("Mul", ["x", "k"], ["a"]), node("Add", ["a", "f"], ["c"]),
                            node("ReduceMax", ["z"], ["e"]), node("Add", ["c", "e"], ["y"]))
    yield "symbolic", model(Graph([node("MatMul", ["x", "w"], ["h"]), node("Softmax", ["h"], ["y"])],
                                  [value("x", ["batch", 3])], [value("y", ["batch", 2])],
                                  [floats("w", [3, 2], [1, 2, 3, 4, 5, 6])]))
    then = Graph([node("Relu", ["x"], ["t"])], [], [value("t")])
    other = Graph([node("Neg", ["x"], ["e"])], [], [value("e")])
    yield "if", chain(node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Greater", ["sum", "zero"], ["c"]),
                      node("If", ["c"], ["y"], then_branch=then, else_branch=other), inits=[floats("zero", [], [0])])
    dead = node("If", ["c"], ["unused"], then_branch=then, else_branch=other)
    yield "dead_if", model(Graph([dead, node("Relu", ["x"], ["y"])], [X, value("c", [], 9)], [Y]))
    body = Graph([node("Add", ["a", "x"], ["b"]), node("Identity", ["c"], ["d"]), node("ReduceSum", ["b"], ["r"])],
                 [value("i", [], 7), value("c", [], 9), value("a")], [value("d", [], 9), value("b"), value("r")])
    yield "loop", model(Graph([node("Loop", ["n", "", "x"], ["y", "rows"], body=body)], [X], [Y, value("rows")],
                              [ints("n", [], [3])]))
    step = Graph([node("Add", ["s", "e"], ["t"]), node("Identity", ["t"], ["z"])], [value("s"), value("e")],
                 [value("t"), value("z")])
    yield "scan", model(Graph([node("Scan", ["b", "x"], ["y", "z"], body=step, num_scan_inputs=1)],
                              [value("x", [3, 2])], [Y, value("z")], [b]))
    f = function("twice", ["a"], ["r"], [node("LeakyRelu", ["a"], ["h"], alpha=Ref("slope", 1)),
                                         node("Add", ["h", "h"], ["r"])], ["slope"])
    g = function("outer", ["a"], ["r"], [node("twice", ["a"], ["h"], "mine", slope=0.5),
                                         node("twice", ["h"], ["r"], "mine")])
    yield "functions", chain(node("outer", ["x"], ["y"], "mine"), functions=[f, g], domains=[("mine", 1)])
    yield "variadic", chain(node("Sum", ["x", "x", "x"], ["a"]), node("Max", ["a", "x", "x"], ["b"]),
                            node("Mean", ["a", "b", "x"], ["y"]))
    yield "lstm", model(Graph([node("LSTM", ["x", "w", "r"], ["y"], hidden_size=2)], [value("x", [3, 1, 2])], [Y],
                              [floats("w", [1, 8, 2], [0.1] * 16), floats("r", [1, 8, 2], [0.2] * 16)]))
    yield "quantised", chain(node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"]),
                             inits=[floats("s", [], [0.1]), num(2, 2) + msg(8, "z") + msg(9, b"\x80")])
    yield "topk", model(Graph([node("TopK", ["x", "k"], ["y", "i"]), node("NonZero", ["x"], ["n"])],
                              [value("x", [2, 5])], [Y, value("i"), value("n")], [ints("k", [1], [2])]))
    yield "microsoft", model(Graph([node("FastGelu", ["x"], ["y"], "com.microsoft")], [X], [Y]),
                             domains=[("com.microsoft", 1)])
    yield "unsupported", chain(node("NoSuchThing", ["x"], ["a"]), node("Another", ["a"], ["y"], "com.example"),
                               domains=[("com.example", 3)])
    yield "external", model(Graph([node("Add", ["x", "w"], ["y"])], [X], [Y],
                                  [num(1, 2) + num(2, 1) + msg(8, "w") + msg(13, msg(1, "location") + msg(2, "../w")) + num(14, 1)]))


def npy(descr, shape, b, order="False"):
    head = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n" % (descr, order, shape)).encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + b


def zipped(members, method):
    out, directory = b"", b""
    for name, b in members:
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, 0, len(b), len(b), len(name), 0)
        directory += b"PK\1\2\x14\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name
        out += b"PK\3\4" + fields + name + b
    count = len(members)
    return out + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(out), 0)


def data_seeds():
    yield "images.idx", b"\0\0\x08\3" + struct.pack(">III", 2, 2, 3) + bytes(range(12))
    yield "labels.idx", b"\0\0\x08\1" + struct.pack(">I", 4) + b"\0\1\2\1"
    yield "absurd.idx", b"\0\0\x08\4" + b"\xff" * 16
    floats32 = struct.pack("<6f", *range(6))
    yield "plain.npy", npy("<f4", "(2, 3)", floats32)
    yield "fortran.npy", npy("<f4", "(2, 3)", floats32, "True")
    yield "bools.npy", npy("|b1", "(3,)", b"\0\1\2")
    yield "version2.npy", npy("<i8", "()", b"\1" * 8).replace(b"NUMPY\1\0", b"NUMPY\2\0").replace(b"{", b"\0\0{", 1)
    pair = [(b"x.npy", npy("<f4", "(2, 3)", floats32)), (b"y.npy", npy("<i8", "(2,)", struct.pack("<2q", 1, 2)))]
    yield "stored.npz", zipped(pair, 0)
    yield "packed.npz", zipped(pair, 8)
    yield "header.csv", b"\xef\xbb\xbfa,b,kind\r\n1,2.5,red\r\n-3e1,4,blue\r\n\r\n5,6,red\r\n"
    yield "quotes.csv", b'a,"b ""q""",y\n1,"2","x, y"\n3,4,"two\nlines"'
    yield "numbers.csv", b"1;2;3\n4;5;6\n"
    yield "classes.csv", b"0,1,2\n1,a,2\n3,b,4\n"
    yield "ragged.csv", b"a,b,y\n1,2,x\n1,2\n"
    yield "nan.csv", b"a,b,y\n1,nan,x\n"


def main():
    for name in ("onnx_reader", "onnx_run"):
        os.makedirs(os.path.join(OUT, name), exist_ok=True)
    for name, b in seeds():
        for folder in ("onnx_reader", "onnx_run"):
            with open(os.path.join(OUT, folder, name + ".onnx"), "wb") as f:
                f.write(b)
    with open(os.path.join(OUT, "onnx_reader", "tensor.pb"), "wb") as f:
        f.write(floats("w", [2, 2], [1, 2, 3, 4], raw=False))
    os.makedirs(os.path.join(OUT, "data_reader"), exist_ok=True)
    for name, b in data_seeds():
        with open(os.path.join(OUT, "data_reader", name), "wb") as f:
            f.write(b)
    return 0


sys.exit(main())
