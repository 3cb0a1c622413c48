"""Recurrences in the language and in PyTorch: what make_scans.py stores and test_scans.py compares.

A case is the text of a model, its data and parameters, and the loss as PyTorch computes it from them by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`shapes` of inputs and parameters, in the order of the model; an input that is an index has its number of
    positions in `indexes`."""

    text: str
    shapes: dict[str, tuple[int, ...]]
    parameters: tuple[str, ...]
    loss: Callable[[Any, Values], Any]
    indexes: dict[str, int]


def values(case: Case, seed: int) -> dict[str, np.ndarray]:
    """Data and parameters, the same on every machine."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in case.shapes.items():
        if name in case.indexes:
            found[name] = random.integers(0, case.indexes[name], shape)
        else:
            found[name] = np.round(random.normal(size=shape), 3)
    return found


def _rnn(torch: Any, v: Values) -> Any:
    h = torch.zeros(2, 3, dtype=torch.float64)
    total = 0
    for t in range(5):
        h = torch.tanh(v["x"][:, t] @ v["W"] + h @ v["U"] + v["b"])
        total = total + (h**2).sum()
    return total / 30


def _lstm(torch: Any, v: Values) -> Any:
    h = c = torch.zeros(2, 3, dtype=torch.float64)
    total = 0
    for t in range(4):
        z = torch.einsum("nm,mgk->ngk", v["x"][:, t], v["W"]) + torch.einsum("nm,mgk->ngk", h, v["U"]) + v["b"]
        c = torch.sigmoid(z[:, 0]) * c + torch.sigmoid(z[:, 1]) * torch.tanh(z[:, 2])
        h = torch.sigmoid(z[:, 3]) * torch.tanh(c)
        total = total + (h * v["y"][:, t]).sum()
    return total


def _gru(torch: Any, v: Values) -> Any:
    h = v["h0"].expand(2, 3)
    for t in range(4):
        r = torch.sigmoid(v["x"][:, t] + h @ v["R"])
        z = torch.sigmoid(v["x"][:, t] + h @ v["Z"])
        h = (1 - z) * torch.tanh(v["x"][:, t] + (r * h) @ v["N"]) + z * h
    return (h**2).mean()


def _runge_kutta(torch: Any, v: Values) -> Any:
    def slope(p: Any, q: Any) -> tuple[Any, Any]:
        return v["a"] * p - v["b"] * p * q, v["b"] * p * q - v["c"] * q

    p = q = torch.ones((), dtype=torch.float64)
    total = 0
    for t in range(7):
        k1 = slope(p, q)
        k2 = slope(p + 0.05 * k1[0], q + 0.05 * k1[1])
        p, q = p + 0.1 * k2[0], q + 0.1 * k2[1]
        total = total + (p - v["y"][t]) ** 2 + (q - v["z"][t]) ** 2
    return total


def _nested(torch: Any, v: Values) -> Any:
    h = torch.ones(2, 3, dtype=torch.float64)
    total = 0
    for t in range(3):
        g, inner = h, []
        for s in range(4):
            g = torch.tanh(torch.einsum("nk,mk->nm", g, v["U"]) + v["x"][:, t, s])
            inner.append(g * h)
        h = sum(inner) / 4 + torch.tanh(torch.einsum("nk,mk->nm", h, v["V"]))
        total = total + (h * inner[-1]).sum()
    return total


def _branches(torch: Any, v: Values) -> Any:
    h = torch.zeros(3, dtype=torch.float64)
    total = 0
    for t in range(5):
        x = v["x"][t]
        h = torch.where(x > 0, h + v["w"] * x, h * torch.exp(-(v["w"] ** 2)))
        total = total + h.max() + (v["E"][v["k"][t]] * h).sum()
    return total


def _rows(torch: Any, v: Values) -> Any:
    level, trend, total = v["l"], v["b"], 0
    for t in range(8):
        total = total + (v["y"][t] - level - trend) ** 2
        last = level
        level = torch.sigmoid(v["a"]) * v["y"][t] + (1 - torch.sigmoid(v["a"])) * (level + trend)
        trend = torch.sigmoid(v["g"]) * (level - last) + (1 - torch.sigmoid(v["g"])) * trend
    return total / 8


def _kalman(torch: Any, v: Values) -> Any:
    eye = torch.eye(2, dtype=torch.float64)
    mean, cov, total = torch.zeros(2, dtype=torch.float64), eye, 0
    noise = v["L"] @ v["L"].T + 0.5 * eye
    for t in range(4):
        mean, cov = v["F"] @ mean, v["F"] @ cov @ v["F"].T + 0.1 * eye
        spread = cov + noise
        miss = v["y"][t] - mean
        total = total + 0.5 * (miss @ torch.linalg.solve(spread, miss) + torch.logdet(spread))
        gain = torch.linalg.solve(spread, cov).T
        mean, cov = mean + gain @ miss, cov - gain @ cov
    return total


CASES: dict[str, Case] = {
    "rnn": Case(
        """axis m: 3
input x[n, t, m]
param W[m, m'], U[m, m'], b[m]
h0 = zeros[n, m]
states = scan t with h = h0:
    h = tanh((x @ W + h @ U)[m' -> m] + b)
    yield h
minimize mean(states^2)
""",
        {"x": (2, 5, 3), "W": (3, 3), "U": (3, 3), "b": (3,)},
        ("W", "U", "b"),
        _rnn,
        {},
    ),
    "lstm": Case(
        """axis m: 3, gate: 4
input x[n, t, m], y[n, t, m]
param W[m, gate, m'], U[m, gate, m'], b[gate, m]
states = scan t with h = zeros[n, m], c = zeros[n, m]:
    z = (x @ W + h @ U)[m' -> m] + b
    c = sigmoid(z[gate = 0]) * c + sigmoid(z[gate = 1]) * tanh(z[gate = 2])
    h = sigmoid(z[gate = 3]) * tanh(c)
    yield h
minimize sum(states * y)
""",
        {"x": (2, 4, 3), "y": (2, 4, 3), "W": (3, 4, 3), "U": (3, 4, 3), "b": (4, 3)},
        ("W", "U", "b"),
        _lstm,
        {},
    ),
    "gru_last": Case(
        """axis m: 3
input x[n, t, m]
param R[m, m'], Z[m, m'], N[m, m'], h0[m]
states = scan t with h = h0:
    r = sigmoid(x + (h @ R)[m' -> m])
    z = sigmoid(x + (h @ Z)[m' -> m])
    h = (1 - z) * tanh(x + ((r * h) @ N)[m' -> m]) + z * h
    yield h
minimize mean(states[t = -1]^2)
""",
        {"x": (2, 4, 3), "R": (3, 3), "Z": (3, 3), "N": (3, 3), "h0": (3,)},
        ("R", "Z", "N", "h0"),
        _gru,
        {},
    ),
    "runge_kutta": Case(
        """input y[t], z[t]
param a, b, c
prey, hunters = scan t with p = 1, q = 1:
    k1 = a * p - b * p * q
    l1 = b * p * q - c * q
    p2 = p + 0.05 * k1
    q2 = q + 0.05 * l1
    p = p + 0.1 * (a * p2 - b * p2 * q2)
    q = q + 0.1 * (b * p2 * q2 - c * q2)
    yield p, q
minimize sum((prey - y)^2 + (hunters - z)^2)
""",
        {"y": (7,), "z": (7,), "a": (), "b": (), "c": ()},
        ("a", "b", "c"),
        _runge_kutta,
        {},
    ),
    "nested": Case(
        """axis m: 3
input x[n, t, s, m]
param U[m, m'], V[m, m']
outer = scan t with h = ones[m]:
    inner = scan s with g = h:
        g = tanh(sum[m'](U * g[m -> m']) + x)
        yield g * h
    h = mean[s](inner) + tanh(sum[m'](V * h[m -> m']))
    yield h * inner[s = -1]
minimize sum(outer)
""",
        {"x": (2, 3, 4, 3), "U": (3, 3), "V": (3, 3)},
        ("U", "V"),
        _nested,
        {},
    ),
    "branches": Case(
        """axis m: 3, v: 4
input x[t, m], k[t]: v
param w[m], E[v, m]
top, read = scan t with h = zeros[m]:
    h = if x > 0 then h + w * x else h * exp(-w^2)
    yield max(h), sum[m](E[v = k] * h)
minimize sum(top + read)
""",
        {"x": (5, 3), "k": (5,), "w": (3,), "E": (4, 3)},
        ("w", "E"),
        _branches,
        {"k": 4},
    ),
    "along_rows": Case(
        """input y[t]
param a, g, l, b
miss = scan t with level = l, trend = b:
    now = sigmoid(a) * y + (1 - sigmoid(a)) * (level + trend)
    e = y - level - trend
    trend = sigmoid(g) * (now - level) + (1 - sigmoid(g)) * trend
    level = now
    yield e
minimize mean(miss^2)
""",
        {"y": (8,), "a": (), "g": (), "l": (), "b": ()},
        ("a", "g", "l", "b"),
        _rows,
        {},
    ),
    "kalman": Case(
        """axis d: 2
input y[t, d]
param F[d, d'], L[d, d']
same = where(index[d] == index[d'], 1, 0)
spread = sum[d''](L[d' -> d''] * L[d -> d', d' -> d'']) + 0.5 * same
score = scan t with m = zeros[d], P = same:
    ahead = (F @ m[d -> d'])
    Q = sum[d'', d'''](F[d' -> d''] * P[d -> d'', d' -> d'''] * F[d -> d', d' -> d''']) + 0.1 * same
    S = Q + spread
    miss = y - ahead
    X = solve[d, d'](S, Q[d' -> d''])
    m = ahead + sum[d](X * miss)[d'' -> d]
    P = Q - sum[d](X * Q)[d'' -> d]
    yield 0.5 * (sum[d](miss * solve[d, d'](S, miss)) + logdet[d, d'](S))
minimize sum(score)
""",
        {"y": (4, 2), "F": (2, 2), "L": (2, 2)},
        ("F", "L"),
        _kalman,
        {},
    ),
}
