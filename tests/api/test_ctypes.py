"""A binding in miniature: Python's ctypes, the shared library, exported symbols only. Runs one small graph (a two-layer
network) through born_call, reads the answer, provokes an error and reads its text."""
import ctypes as c
import math
import os
import sys

LIB = os.environ.get("BORN_SHARED_LIB")
if not LIB or not os.path.exists(LIB):
    print("skipped: no shared library (BORN_SHARED_LIB)")
    sys.exit(77)
if os.environ.get("BORN_SANITIZE"):
    print("skipped: a sanitized library does not load into python")
    sys.exit(77)

F32 = 1


class Tensor(c.Structure):
    _fields_ = [("w", c.c_size_t)]


class Shape(c.Structure):
    _fields_ = [("rank", c.c_int), ("dim", c.c_int64 * 8)]


class Array(c.Structure):
    _fields_ = [("dtype", c.c_int), ("shape", Shape), ("data", c.c_void_p), ("bytes", c.c_size_t)]


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("line", c.c_int), ("file", c.c_char_p), ("text", c.c_char * 240)]


class Scope(c.Structure):
    _fields_ = [("b", c.c_void_p), ("depth", c.c_uint32)]


lib = c.CDLL(LIB)
lib.born_version.restype = c.c_char_p
lib.born_cpu_sized.restype = c.c_void_p
lib.born_cpu_sized.argtypes = [c.c_void_p, c.c_size_t]
lib.born_from.restype = Tensor
lib.born_from.argtypes = [c.c_void_p, Array, c.c_int, c.c_void_p]
lib.born_call.argtypes = [c.c_void_p, c.c_char_p, c.POINTER(Tensor), c.c_int, c.c_char_p, c.POINTER(Tensor), c.c_int]
lib.born_read.argtypes = [Tensor, c.c_void_p, c.c_size_t]
lib.born_shape_of.restype = Shape
lib.born_shape_of.argtypes = [Tensor]
lib.born_backend_take_error.argtypes = [c.c_void_p, c.POINTER(Error)]
lib.born_backend_close.argtypes = [c.POINTER(c.c_void_p)]
lib.born_scope_begin.restype = Scope
lib.born_scope_begin.argtypes = [c.c_void_p]
lib.born_scope_end.argtypes = [Scope]
lib.born_add.restype = Tensor
lib.born_add.argtypes = [Tensor, Tensor, c.c_void_p]

backend = c.c_void_p(lib.born_cpu_sized(None, 0))


def tensor(values, *dims):
    data = (c.c_float * len(values))(*values)
    shape = Shape(len(dims), (c.c_int64 * 8)(*dims))
    return lib.born_from(backend, Array(F32, shape, c.cast(data, c.c_void_p), 0), F32, None)


def call(op, *operands, attrs=b""):
    given = (Tensor * len(operands))(*operands)
    out = (Tensor * 1)()
    status = lib.born_call(backend, op, given, len(operands), attrs, out, 1)
    return status, out[0]


def good(op, *operands, attrs=b""):
    status, t = call(op, *operands, attrs=attrs)
    if status:
        e = Error()
        lib.born_backend_take_error(backend, c.byref(e))
        sys.exit("FAIL %s: %s" % (op.decode(), e.text.decode()))
    return t


def main():
    scope = lib.born_scope_begin(backend)
    x, w1 = [0.5, -1.0, 2.0, 0.25], [1, -1, 0.5, 2, -0.5, 1, 1.5, 0.25]
    t = good(b"relu", good(b"matmul", tensor(x, 2, 2), tensor(w1, 2, 4)))
    t = good(b"matmul", t, tensor([1, 2, -1, 0.5, 0.25, -2, 1, 1, 0, -1, 3, 2], 4, 3))
    t = good(b"softmax", t, attrs=b"axis=1")
    shape = lib.born_shape_of(t)
    assert (shape.rank, shape.dim[0], shape.dim[1]) == (2, 2, 3), "shape"
    got = (c.c_float * 6)()
    assert lib.born_read(t, got, c.sizeof(got)) == 0, "read"

    w2 = [[1, 2, -1], [0.5, 0.25, -2], [1, 1, 0], [-1, 3, 2]]
    for r in range(2):
        h = [max(0.0, sum(x[2 * r + k] * w1[4 * k + j] for k in range(2))) for j in range(4)]
        z = [sum(h[k] * w2[k][j] for k in range(4)) for j in range(3)]
        e = [math.exp(v - max(z)) for v in z]
        for j in range(3):
            assert abs(got[3 * r + j] - e[j] / sum(e)) < 1e-5, (r, j, got[3 * r + j])

    total = lib.born_add(t, t, None)
    assert lib.born_read(total, got, c.sizeof(got)) == 0 and abs(sum(got) - 4) < 1e-5, "add"

    e = Error()
    status, _ = call(b"matmul", t, t)
    lib.born_backend_take_error(backend, c.byref(e))
    assert status and status == e.status and b"matmul" in e.text, e.text
    status, _ = call(b"no_such_operator", t)
    lib.born_backend_take_error(backend, c.byref(e))
    assert e.text == b"call: there is no operator named no_such_operator", e.text
    status, _ = call(b"softmax", t, attrs=b"axle=1")
    lib.born_backend_take_error(backend, c.byref(e))
    assert status and b"softmax" in e.text, e.text
    lib.born_scope_end(scope)
    lib.born_backend_close(c.byref(backend))
    assert not backend.value
    print("ok: born %s through ctypes" % lib.born_version().decode())


main()
