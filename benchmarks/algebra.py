"""What algebra saves, beside PyTorch and JAX: `python benchmarks/algebra.py [mixture | rows | matrices]`.

Needs `pip install torch jax` besides gradc. Times are of value and gradient in one call, float64, two threads; all
candidates must have agreed before. `mixture` is a Gaussian mixture with full covariances. `rows` is a training step
of models that are linear in their parameters, for more and more rows. `matrices` holds forms of linear algebra that a
compiler may rewrite: the peers compute them as they are written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import Steps, interleaved, ratios, setting, table

import gradc  # isort: skip
import jax  # isort: skip
import jax.numpy as jnp  # isort: skip
import numpy as np  # isort: skip
import torch  # isort: skip

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(2)

EXAMPLES = Path(__file__).parents[1] / "examples"
ROUNDS = 15
NEAR = 1e-9
Arrays = dict[str, Any]
Loss = Callable[[Any, Arrays, Arrays], Any]
"""Of a library (torch or jax.numpy), parameters and data."""


def module_of(text: str, **options: Any) -> Any:
    """The module of a model's text."""
    return gradc.compile(text, **options).module


def ours(module: Any, data: Arrays, start: Arrays) -> tuple[Steps, float, Arrays]:
    """The module's calls, its loss, and its gradient by name."""
    theta = module.pack(start, data)
    objective, out = module.bind(data), np.empty_like(theta)

    def run(count: int) -> None:
        for _ in range(count):
            objective(theta, out=out)

    loss, gradient = objective(theta)
    places = module.layout(data)
    return run, float(loss), {name: gradient[at].reshape(shape) for name, (at, shape) in places.items()}


def of_torch(loss: Loss, data: Arrays, start: Arrays, compiled: bool = False) -> tuple[Steps, float, Arrays]:
    """Eager PyTorch, or what torch.compile makes of the loss."""
    inputs = {name: torch.as_tensor(value) for name, value in data.items()}
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}

    def plain(p: Arrays) -> Any:
        return loss(torch, p, inputs)

    function = torch.compile(plain) if compiled else plain

    def run(count: int) -> None:
        for _ in range(count):
            for parameter in parameters.values():
                parameter.grad = None
            function(parameters).backward()

    run(1)
    return run, float(plain(parameters).detach()), {name: p.grad.numpy() for name, p in parameters.items()}


def of_jax(loss: Loss, data: Arrays, start: Arrays) -> tuple[Steps, float, Arrays]:
    """Jitted JAX; each call is waited for."""
    inputs = {name: jnp.asarray(value) for name, value in data.items()}
    parameters = {name: jnp.asarray(value) for name, value in start.items()}
    function = jax.jit(jax.value_and_grad(lambda p, d: loss(jnp, p, d)))

    def run(count: int) -> None:
        for _ in range(count):
            jax.block_until_ready(function(parameters, inputs))

    value, gradient = function(parameters, inputs)
    return run, float(value), {name: np.asarray(g) for name, g in gradient.items()}


def agreeing(candidates: Mapping[str, tuple[Steps, float, Arrays]]) -> dict[str, Steps]:
    """The candidates to be timed. ValueError where one has another loss or gradient."""
    (first, *_) = candidates
    _, loss, gradient = candidates[first]
    for name, (_, value, slope) in candidates.items():
        for key, truth in {"loss": np.asarray(loss), **gradient}.items():
            found = np.asarray(value) if key == "loss" else slope[key]
            if not np.abs(found - truth).max() <= NEAR * max(np.abs(truth).max(), 1.0):
                raise ValueError(f"{name} has another {key} than {first}")
    return {name: run for name, (run, _, _) in candidates.items()}


def timed(name: str, candidates: Mapping[str, Steps], against: str) -> list[str]:
    """A row: microseconds of each, and how many times that of `against` it is."""
    found = interleaved(candidates, ROUNDS)
    cells = [name]
    for key, times in found.items():
        middle, low, high = ratios(times, found[against])
        median = f"{sorted(times)[len(times) // 2]:,.1f}"
        cells.append(median if key == against else f"{median}: **{middle:.1f}** ({low:.1f} to {high:.1f})")
    return cells


# -------------------------------------------------------------------------------------------------------------- mixture


def mixture_loss(lib: Any, p: Arrays, d: Arrays) -> Any:
    """As the model is written."""
    size = p["mu"].shape[1]
    below = lib.tril(lib.ones((size, size), dtype=p["mu"].dtype), -1)
    diff = d["x"][:, None, :] - p["mu"]
    white = lib.exp(p["log_diag"]) * diff + lib.einsum("kde,nke->nkd", p["low"] * below, diff)
    log_p = p["alpha"] + p["log_diag"].sum(1) - 0.5 * (white**2).sum(-1)
    total = lib.logsumexp if lib is torch else jax.nn.logsumexp
    return -(total(log_p, 1) - total(p["alpha"], 0)).sum()


def mixture() -> None:
    """Gaussian mixtures of 25 components in 10 dimensions."""
    random = np.random.default_rng(0)
    k, d = 25, 10
    start = {
        "alpha": random.normal(size=k),
        "mu": random.normal(size=(k, d)),
        "log_diag": 0.1 * random.normal(size=(k, d)),
        "low": 0.1 * random.normal(size=(k, d, d)),
    }
    text = (EXAMPLES / "mixture" / "mixture.model").read_text(encoding="utf-8")
    rows = []
    for n in (1000, 10_000):
        data = {"x": random.normal(size=(n, d))}
        found = {
            "gradc --fast-algebra": ours(module_of(text, fast_algebra=True), data, start),
            "gradc": ours(module_of(text), data, start),
            "PyTorch eager": of_torch(mixture_loss, data, start),
            "torch.compile": of_torch(mixture_loss, data, start, compiled=True),
            "JAX jit": of_jax(mixture_loss, data, start),
        }
        rows.append(timed(f"{n:,} rows", agreeing(found), "gradc --fast-algebra"))
    print(table(["mixture", *found], rows))


# ----------------------------------------------------------------------------------------------------------------- rows


def rows() -> None:
    """A step of the thermometer and of the cubic, over the factor of their columns and row by row."""
    random = np.random.default_rng(0)
    lines = []
    for name in ("thermometer", "cubic"):
        path = EXAMPLES / name / f"{name}.model"
        for n in (11, 2000, 100_000, 1_000_000):
            x = np.linspace(-3.0, 3.0, n)
            y = 2.0 * x + 0.5 + 0.1 * random.normal(size=n)
            runs: dict[str, Steps] = {}
            ends: list[Any] = []
            for title, without in (("factor", ()), ("row by row", ("factor",))):
                module = gradc.compile(path, without=without).module
                data = dict(zip(module.INPUTS, (x, y), strict=True))
                session = gradc.Session(module, data, np.full(module.bind(data).size, 0.3))
                # The cubic sums over its rows, the thermometer takes their mean.
                optimizer = gradc.SGD(session, lr=1e-3 if name == "thermometer" else 1e-3 / n)
                gradc.fit(session, optimizer, epochs=1000 if n <= 100_000 else 100)
                ends.append(session.theta.copy())

                def run(count: int, session: Any = session, optimizer: Any = optimizer) -> object:
                    return gradc.fit(session, optimizer, epochs=count)

                runs[title] = run
            apart = np.abs(ends[0] - ends[1]).max() / np.abs(ends[1]).max()
            lines.append([*timed(f"{name}, {n:,} rows", runs, "factor"), f"{apart:.0e}"])
    print(table(["model", "factor", "row by row", "parameters after training differ by"], lines))


# ------------------------------------------------------------------------------------------------------------- matrices


@dataclass(frozen=True)
class Form:
    """A model over square matrices of side n, and its loss as it is written."""

    text: str
    loss: Loss


def square(x: Any) -> Any:
    """The sum of the squares."""
    return (x * x).sum()


FORMS = {
    "(A B) v": Form(
        "param A[i, j] = 1, B[j, k] = 1, v[k] = 1\nminimize sum[i](sum[k](sum[j](A * B) * v)^2)",
        lambda lib, p, _: square((p["A"] @ p["B"]) @ p["v"]),
    ),
    "sum(A B)": Form(
        "param A[i, j] = 1, B[j, k] = 1\nminimize sum[i, k](sum[j](A * B))^2",
        lambda lib, p, _: (p["A"] @ p["B"]).sum() ** 2,
    ),
    "trace(A B)": Form(
        "param A[i, j] = 1, B[j, i] = 1\nC = sum[j](A * B[i -> i'])\nminimize trace[i, i'](C)^2",
        lambda lib, p, _: lib.trace(p["A"] @ p["B"]) ** 2,
    ),
    "diag(V' T V)": Form(
        "param V[i, a] = 1, T[i, j] = 1\nQ = sum[i, i'](V * T[j -> i'] * V[i -> i', a -> a'])\n"
        "minimize sum[a](Q[a' = index[a]]^2)",
        lambda lib, p, _: square(lib.diagonal(p["V"].T @ p["T"] @ p["V"])),
    ),
    "A B + A C": Form(
        "param A[i, j] = 1, B[j, k] = 1, C[j, k] = 1\nminimize sum[i, k]((sum[j](A * B) + sum[j](A * C))^2)",
        lambda lib, p, _: square(p["A"] @ p["B"] + p["A"] @ p["C"]),
    ),
    "(A - H' H) x": Form(
        "param A[i, j] = 1, H[m, i] = 1, x[j] = 1\nminimize sum[i](sum[j]((A - sum[m](H * H[i -> j])) * x)^2)",
        lambda lib, p, _: square((p["A"] - p["H"].T @ p["H"]) @ p["x"]),
    ),
    "(A B)[2, 3]": Form(
        "param A[i, j] = 1, B[j, k] = 1\nC = sum[j](A * B)\nminimize C[i = 2, k = 3]^2",
        lambda lib, p, _: (p["A"] @ p["B"])[2, 3] ** 2,
    ),
    "S + S', S = A' A": Form(
        "param A[m, i] = 1\nS = sum[m](A * A[i -> j])\nminimize sum[i, j](S * S[i -> j, j -> i])",
        lambda lib, p, _: ((p["A"].T @ p["A"]) * (p["A"].T @ p["A"]).T).sum(),
    ),
    "diag(w) X": Form(
        "param w[i] = 1, X[i, j] = 1\nD = if index[i] == index[i'] then w else 0\n"
        "minimize sum[i, j](sum[i'](D * X[i -> i'])^2)",
        lambda lib, p, _: square(lib.diag(p["w"]) @ p["X"]),
    ),
}


def matrices() -> None:
    """Square matrices of side 400."""
    random = np.random.default_rng(0)
    lines = []
    for name, form in FORMS.items():
        module = module_of(f"axis i: 400, j: 400, k: 400, m: 400, a: 400\n{form.text}\n")
        shapes = {key: entry["shape"] for key, entry in module.PARAMETERS.items()}
        start = {key: random.normal(size=shape) / 20 for key, shape in shapes.items()}
        found = {
            "gradc": ours(module, {}, start),
            "PyTorch eager": of_torch(form.loss, {}, start),
            "JAX jit": of_jax(form.loss, {}, start),
        }
        lines.append(timed(name, agreeing(found), "gradc"))
    print(table(["form", *found], lines))


TABLES = {"mixture": mixture, "rows": rows, "matrices": matrices}


def main() -> None:
    """The tables."""
    print(f"Microseconds. {setting('gradc', 'numpy', 'torch', 'jax')}")
    for name in sys.argv[1:] or TABLES:
        print()
        TABLES[name]()


if __name__ == "__main__":
    main()
