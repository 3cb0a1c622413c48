"""Hessians, and their products with a vector, beside PyTorch and JAX: `python benchmarks/hessians.py [workload ...]`.

Needs `pip install torch jax` besides gradc. Times are of one Hessian at a point, float64, two threads. PyTorch's is
`torch.func.hessian`, JAX's `jax.jit(jax.hessian(f))`; products are `torch.func.jvp` of the gradient, and `jax.jvp` of
it under `jit`. Nothing is timed unless all have agreed to 1e-9 of the largest element.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from measure import Steps, interleaved, ratios, setting, table

import gradc  # isort: skip
import jax  # isort: skip
import jax.numpy as jnp  # isort: skip
import numpy as np  # isort: skip
import torch  # isort: skip

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(2)

ROUNDS, BUDGET, NEAR = 15, 0.2, 1e-9
Arrays = dict[str, Any]
Loss = Callable[[Any, Arrays, Arrays], Any]
"""Of a library (torch or jax.numpy), parameters and data."""


@dataclass(frozen=True)
class Workload:
    """A model in the language, the same loss for the peers, and data."""

    model: str
    loss: Loss
    data: Arrays


def logistic(rows: int = 20_000, features: int = 50) -> Workload:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, features))
    y = (random.uniform(size=rows) < 1 / (1 + np.exp(-x @ random.normal(size=features) / 5))).astype(float)
    model = f"""input x[n, k: {features}], y[n]
param w[k] ~ normal(0, 0.1), b = 0
z = x @ w + b
minimize mean(softplus(z) - y * z)
"""

    def loss(xp: Any, p: Arrays, d: Arrays) -> Any:
        z = d["x"] @ p["w"] + p["b"]
        return (xp.logaddexp(xp.zeros_like(z), z) - d["y"] * z).mean()

    return Workload(model, loss, {"x": x, "y": y})


def softmax(rows: int = 5_000, features: int = 20, classes: int = 8) -> Workload:
    random = np.random.default_rng(0)
    label = random.integers(0, classes, rows)
    x = random.normal(size=(rows, features))
    model = f"""axis c: {classes}
input x[n, k: {features}], label[n]: c
param W[k, c] ~ normal(0, 0.1)
z = x @ W
minimize mean(logsumexp[c](z) - z[c = label])
"""

    def loss(xp: Any, p: Arrays, d: Arrays) -> Any:
        z = d["x"] @ p["W"]
        of_label = (z * d["one"]).sum(1)
        total = torch.logsumexp(z, 1) if xp is torch else jax.scipy.special.logsumexp(z, 1)
        return (total - of_label).mean()

    return Workload(model, loss, {"x": x, "label": label, "one": np.eye(classes)[label]})


def network(rows: int = 2_000, features: int = 8, hidden: int = 16) -> Workload:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, features))
    model = f"""axis h: {hidden}
input x[n, k: {features}], y[n]
param W[k, h] ~ normal(0, 0.3), a[h] = 0, v[h] ~ normal(0, 0.3), b = 0
minimize mean((tanh(x @ W + a) @ v + b - y)^2)
"""

    def loss(xp: Any, p: Arrays, d: Arrays) -> Any:
        return ((xp.tanh(d["x"] @ p["W"] + p["a"]) @ p["v"] + p["b"] - d["y"]) ** 2).mean()

    return Workload(model, loss, {"x": x, "y": np.sin(x.sum(1))})


def curve(rows: int = 500) -> Workload:
    random = np.random.default_rng(0)
    x = random.uniform(0, 5, rows)
    model = """input x[n], y[n]
param a = 1, b = 0.7, c = 0.2, d = 0.1
minimize sum[n]((a * exp(-b * x) + c * exp(-d * x) - y)^2)
"""

    def loss(xp: Any, p: Arrays, d: Arrays) -> Any:
        found = p["a"] * xp.exp(-p["b"] * d["x"]) + p["c"] * xp.exp(-p["d"] * d["x"])
        return ((found - d["y"]) ** 2).sum()

    return Workload(model, loss, {"x": x, "y": np.exp(-x) + 0.01 * random.normal(size=rows)})


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "curve": curve,
    "logistic": logistic,
    "softmax": softmax,
    "network": network,
}
TITLES = {
    "curve": "two exponentials, 500 rows, 4 parameters",
    "logistic": "logistic regression, 20,000 by 50, 51 parameters",
    "softmax": "softmax regression, 5,000 by 20, 8 classes, 160 parameters",
    "network": "perceptron 8-16-1, 2,000 rows, 161 parameters",
}


def repeated(call: Callable[[], Any]) -> Steps:
    def run(count: int) -> object:
        return [call() for _ in range(count)][-1]

    return run


def candidates(work: Workload) -> dict[str, dict[str, Callable[[], Any]]]:
    """By kind (Hessian or product) and candidate: a call that gives its array."""
    module = gradc.compile(work.model, derivatives=("hessian", "hvp")).module
    theta = module.initial(work.data, seed=1)
    v = np.random.default_rng(2).normal(size=theta.size)
    hessian, hvp = module.bind_hessian(work.data), module.bind_hvp(work.data)
    places = module.layout(work.data)

    def of_flat(xp: Any, data: Arrays) -> Callable[[Any], Any]:
        def flat(vector: Any) -> Any:
            return work.loss(xp, {name: vector[at].reshape(shape) for name, (at, shape) in places.items()}, data)

        return flat

    of_torch = of_flat(torch, {name: torch.as_tensor(value) for name, value in work.data.items()})
    t_theta, t_v = torch.tensor(theta), torch.tensor(v)
    t_hessian, t_gradient = torch.func.hessian(of_torch), torch.func.grad(of_torch)
    known = {name: jnp.asarray(value) for name, value in work.data.items()}
    j_hessian = jax.jit(lambda vector, data: jax.hessian(of_flat(jnp, data))(vector))
    j_product = jax.jit(lambda p, d, data: jax.jvp(jax.grad(of_flat(jnp, data)), (p,), (d,))[1])
    j_theta, j_v = jnp.asarray(theta), jnp.asarray(v)
    return {
        "Hessian": {
            "gradc": lambda: hessian(theta),
            "torch": lambda: t_hessian(t_theta),
            "jax": lambda: j_hessian(j_theta, known).block_until_ready(),
        },
        "product": {
            "gradc": lambda: hvp(theta, v),
            "torch": lambda: torch.func.jvp(t_gradient, (t_theta,), (t_v,))[1],
            "jax": lambda: j_product(j_theta, j_v, known).block_until_ready(),
        },
    }


def main(names: list[str]) -> None:
    """Both tables' lines, for each workload."""
    lines = []
    for name in names or list(WORKLOADS):
        for kind, calls in candidates(WORKLOADS[name]()).items():
            expected = np.asarray(calls["jax"]())
            for call in calls.values():
                assert np.abs(np.asarray(call()) - expected).max() <= NEAR * np.abs(expected).max()
            times = interleaved({peer: repeated(call) for peer, call in calls.items()}, ROUNDS, BUDGET)
            line = [f"{TITLES[name]}: {kind}", f"{np.median(times['gradc']):,.0f}"]
            for peer in ("torch", "jax"):
                middle, low, high = ratios(times[peer], times["gradc"])
                line.append(f"{np.median(times[peer]):,.0f}: **{middle:.1f}** ({low:.1f} to {high:.1f})")
            lines.append(line)
    print(setting("numpy", "torch", "jax"))
    print(table(["microseconds", "gradc", "torch.func", "JAX jit"], lines))


if __name__ == "__main__":
    main(sys.argv[1:])
