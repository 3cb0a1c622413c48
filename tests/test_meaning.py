"""What elaborated expressions mean in numbers: each against the formula that a reader would write in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.reference import evaluate
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

Array = npt.NDArray[Any]

HEAD = """
axis k: 3, j: 2, vocab: 5
use nn.mse, nn.mae, nn.huber, nn.cross_entropy, nn.binary_cross_entropy, nn.logistic_loss, nn.hinge, nn.gaussian_nll
use nn.gelu, nn.gelu_tanh, nn.silu, nn.mish, nn.softsign, nn.selu, nn.log_sigmoid, nn.logaddexp
use nn.LayerNorm, nn.RMSNorm, nn.Linear
input x[n, k], y[n], s[n, t], label[n]: k, token[n, t]: vocab, flag[n]: bool
param w[k], A[k, j], E[vocab, j], b, r in (0, 1), q > 2
fc = Linear[k, j]
layer_norm = LayerNorm[k]
rms = RMSNorm[k]
def twice[a](v[a], by=2) = by * sum[a](v)
"""

chance = np.random.default_rng(0)
N, T, K, J, V = 4, 6, 3, 2, 5
DATA: dict[str, Any] = {
    "x": chance.normal(size=(N, K)),
    "y": chance.normal(size=N),
    "s": chance.normal(size=(N, T)),
    "label": chance.integers(0, K, N),
    "token": chance.integers(0, V, (N, T)),
    "flag": np.array([True, False, True, True]),
    "w": chance.normal(size=K),
    "A": chance.normal(size=(K, J)),
    "E": chance.normal(size=(V, J)),
    "b": np.array(0.3),
    "r": np.array(0.7),
    "q": np.array(0.1),
    "fc.W": chance.normal(size=(K, J)),
    "fc.b": chance.normal(size=J),
    "layer_norm.gain": chance.normal(size=K),
    "layer_norm.bias": chance.normal(size=K),
    "rms.gain": chance.normal(size=K),
}


class D:
    """The data by name."""

    x, y, s, label, token, flag = (DATA[name] for name in ("x", "y", "s", "label", "token", "flag"))
    w, A, E, b = (DATA[name] for name in ("w", "A", "E", "b"))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


MEANINGS: dict[str, Callable[[], Any]] = {
    "x @ w": lambda: D.x @ D.w,
    "x @ A": lambda: D.x @ D.A,
    "x * y": lambda: D.x * D.y[:, None],
    "sum[k](x * w * A)": lambda: np.einsum("nk,k,kj->nj", D.x, D.w, D.A),
    "2 * sum[k](3 * x * w)": lambda: 6 * (D.x @ D.w),
    "sum(x)": lambda: D.x.sum(),
    "mean[n](x)": lambda: D.x.mean(axis=0),
    "mean(x * y)": lambda: (D.x * D.y[:, None]).mean(),
    "mean[t](s[t = 1:])": lambda: D.s[:, 1:].mean(axis=1),
    "var[n](x)": lambda: D.x.var(axis=0),
    "var(s)": lambda: D.s.var(),
    "std[k](x)": lambda: D.x.std(axis=1),
    "norm[k](x)": lambda: np.linalg.norm(D.x, axis=1),
    "prod[k](x)": lambda: D.x.prod(axis=1),
    "max[k](x) - min[k](x)": lambda: np.ptp(D.x, axis=1),
    "max(y, b, 0)": lambda: np.maximum(np.maximum(D.y, D.b), 0),
    "logsumexp[k](x)": lambda: np.log(np.exp(D.x).sum(axis=1)),
    "softmax[k](x)": lambda: softmax(D.x),
    "log_softmax[k](x)": lambda: np.log(softmax(D.x)),
    "argmax[k](x)": lambda: D.x.argmax(axis=1),
    "argmin[n](y)": lambda: D.y.argmin(),
    "any[n](flag and y > 0)": lambda: (D.flag & (D.y > 0)).any(),
    "all(x > -10)": lambda: True,
    "sum(x > 0)": lambda: (D.x > 0).sum(),
    "mean[n](flag)": lambda: D.flag.mean(),
    "sum[k](x - x) + sum[k](ones[k])": lambda: np.full(N, 3.0),
    "mean[n](y - y + 2)": lambda: 2.0,
    "max[n](zeros[n, k]) + logsumexp[k](0 * x) |> sum": lambda: K * N * np.log(K),
    "s[t = 0]": lambda: D.s[:, 0],
    "s[t = -1]": lambda: D.s[:, -1],
    "s[t = 1:] - s[t = :-1]": lambda: np.diff(D.s, axis=1),
    "s[t = ::2]": lambda: D.s[:, ::2],
    "s[t = 1::3]": lambda: D.s[:, 1::3],
    "s[t = ::-1]": lambda: D.s[:, ::-1],
    "s[t = -2:0:-2]": lambda: D.s[:, -2:0:-2],
    "s[t = size[t] - 2:]": lambda: D.s[:, T - 2 :],
    "s[t = 1:][t = ::2]": lambda: D.s[:, 1:][:, ::2],
    "s[t = 2:][t = -1]": lambda: D.s[:, -1],
    "E[vocab = token]": lambda: D.E[D.token].transpose(0, 2, 1),
    "E[vocab = token, j = 1]": lambda: D.E[D.token][:, :, 1],
    "x[k = label]": lambda: D.x[np.arange(N), D.label],
    "x[k = argmax[k](x)]": lambda: D.x.max(axis=1),
    "x[k -> k'] * x": lambda: np.einsum("na,nb->nab", D.x, D.x),
    "sum[k'](x[k -> k'] * A[k = index[k']])": lambda: D.x @ D.A,
    "index[k] * w": lambda: np.arange(K) * D.w,
    "size[n] * size[t] + size[k]": lambda: N * T + K,
    "if flag then y else b": lambda: np.where(D.flag, D.y, D.b),
    "if flag then y > 0 else false": lambda: D.flag & (D.y > 0),
    "if flag then true else y > 0": lambda: D.flag | (D.y > 0),
    "if y > 0 then 1 else -1": lambda: np.sign(D.y),
    "where(x > w, x, w)": lambda: np.maximum(D.x, D.w),
    "not flag or y >= 0": lambda: ~D.flag | (D.y >= 0),
    "(y > 0) == flag": lambda: (D.y > 0) == D.flag,
    "label != argmax[k](x)": lambda: D.label != D.x.argmax(axis=1),
    "y^3 - y^-2": lambda: D.y**3 - D.y**-2.0,
    "abs(y)^0.5": lambda: np.sqrt(abs(D.y)),
    "abs(y)^y": lambda: abs(D.y) ** D.y,
    "2^y": lambda: 2**D.y,
    "-y^2": lambda: -(D.y**2),
    "log10(y^2) + log2(abs(y))": lambda: np.log10(D.y**2) + np.log2(abs(D.y)),
    "atan2(y, b)": lambda: np.arctan2(D.y, D.b),
    "clip(y, -0.5, 0.5)": lambda: np.clip(D.y, -0.5, 0.5),
    "leaky_relu(y)": lambda: np.where(D.y > 0, D.y, 0.01 * D.y),
    "elu(y, 2)": lambda: np.where(D.y > 0, D.y, 2 * np.expm1(D.y)),
    "relu(y) + step(y) + sign(y)": lambda: np.maximum(D.y, 0) + (D.y > 0) + np.sign(D.y),
    "floor(y) + ceil(y)": lambda: np.floor(D.y) + np.ceil(D.y),
    "erf(y) - erfc(2 * y)": lambda: np.array([math.erf(v) - math.erfc(2 * v) for v in D.y]),
    "xlogy(abs(y), 2)": lambda: abs(D.y) * np.log(2),
    "sin(pi * y)": lambda: np.sin(np.pi * D.y),
    "stop_gradient(w) @ A": lambda: D.w @ D.A,
    "r": lambda: sigmoid(np.array(0.7)),
    "q": lambda: 2 + np.exp(0.1),
    "x |> fc |> relu": lambda: np.maximum(D.x @ DATA["fc.W"] + DATA["fc.b"], 0),
    "layer_norm(x)": lambda: (
        (D.x - D.x.mean(axis=1, keepdims=True))
        / np.sqrt(D.x.var(axis=1, keepdims=True) + 1e-5)
        * DATA["layer_norm.gain"]
        + DATA["layer_norm.bias"]
    ),
    "rms(x)": lambda: D.x / np.sqrt((D.x**2).mean(axis=1, keepdims=True) + 1e-6) * DATA["rms.gain"],
    "twice[k](x)": lambda: 2 * D.x.sum(axis=1),
    "twice[n](by=b, v=y)": lambda: D.b * D.y.sum(),
    "mse(y, b)": lambda: ((D.y - D.b) ** 2).mean(),
    "mae(y, b)": lambda: abs(D.y - D.b).mean(),
    "huber(y, 0, delta=0.5)": lambda: np.where(abs(D.y) <= 0.5, 0.5 * D.y**2, 0.5 * (abs(D.y) - 0.25)),
    "cross_entropy[k](x, label)": lambda: -np.log(softmax(D.x))[np.arange(N), D.label],
    "binary_cross_entropy(sigmoid(y), 0.25)": lambda: -(0.25 * np.log(sigmoid(D.y)) + 0.75 * np.log(1 - sigmoid(D.y))),
    "logistic_loss(y, 1)": lambda: -np.log(sigmoid(D.y)),
    "hinge(y, -1)": lambda: np.maximum(0, 1 + D.y),
    "gaussian_nll(y, b, 2)": lambda: 0.5 * ((D.y - D.b) / 2) ** 2 + np.log(2) + 0.5 * np.log(2 * np.pi),
    "gelu(y)": lambda: np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in D.y]),
    "gelu_tanh(y)": lambda: 0.5 * D.y * (1 + np.tanh(np.sqrt(2 / np.pi) * (D.y + 0.044715 * D.y**3))),
    "silu(y)": lambda: D.y * sigmoid(D.y),
    "mish(y)": lambda: D.y * np.tanh(np.log1p(np.exp(D.y))),
    "softsign(y)": lambda: D.y / (1 + abs(D.y)),
    "selu(y)": lambda: 1.0507009873554805 * np.where(D.y > 0, D.y, 1.6732632423543772 * np.expm1(D.y)),
    "log_sigmoid(y)": lambda: np.log(sigmoid(D.y)),
    "logaddexp(y, b)": lambda: np.logaddexp(D.y, D.b),
}


@pytest.mark.parametrize("expression", MEANINGS)
def test_meaning(expression: str) -> None:
    found = elaborate(parse(Source("test.model", f"{HEAD}value = {expression}\nminimize b^2\noutput value\n")))
    node = dict(found.outputs)["value"]
    parameters = {parameter.name for parameter in found.parameters}
    data = {name: value for name, value in DATA.items() if name not in parameters}
    start = {name: value for name, value in DATA.items() if name in parameters}
    (value,) = evaluate(found, [node], data, start)
    np.testing.assert_allclose(np.asarray(value), MEANINGS[expression](), rtol=1e-12, atol=1e-14)
