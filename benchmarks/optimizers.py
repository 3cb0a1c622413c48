"""The time of an optimiser's step on a million parameters, and of one that sees a few rows of a table:
`python benchmarks/optimizers.py [name ...]`, where a name may be "table".

Needs `pip install torch` besides gradc. The gradient is the same in every step, so that the update alone is timed.
PyTorch runs its foreach form, with two threads, and the form for one array after another, which is its default on a
processor. The parameters are eight arrays. All start from the same numbers; after three steps all must have moved
alike, or nothing is timed.

Of a table each step sees 64 rows, others than the step before. It is timed as a whole: loss, gradient by rows, update.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from measure import Steps, interleaved, ratios, setting, table

import gradc  # isort: skip
import numpy as np  # isort: skip
import torch  # isort: skip

torch.set_num_threads(2)

ARRAYS, LENGTH = 8, 125_000
MODEL = f"axis k: {LENGTH}\nparam {', '.join(f'w{i}[k] = 1' for i in range(ARRAYS))}\n"
MODEL += f"minimize {' + '.join(f'sum(w{i}^2)' for i in range(ARRAYS))}\n"

SETTINGS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "SGD": ("SGD", {"lr": 1e-4}),
    "SGD, momentum": ("SGD", {"lr": 1e-4, "momentum": 0.9}),
    "Adam": ("Adam", {"lr": 1e-4}),
    "AdamW": ("AdamW", {"lr": 1e-4}),
    "RMSprop": ("RMSprop", {"lr": 1e-4}),
}
PEERS = ("PyTorch, foreach", "PyTorch, one by one")
ROUNDS = 15


def start(dtype: str) -> tuple[Any, Any]:
    """Parameters and gradient."""
    random = np.random.default_rng(0)
    return tuple(random.normal(size=ARRAYS * LENGTH).astype(dtype) for _ in range(2))


def ours(name: str, options: Mapping[str, Any], dtype: str) -> tuple[Steps, Callable[[], Any]]:
    """Steps of gradc, and where they have led."""
    theta, gradient = start(dtype)
    session = gradc.Session(gradc.compile(MODEL, dtype=dtype).module, {}, theta)
    optimizer = getattr(gradc, name)(session, **options)
    session.backward()
    session.grad[...] = gradient

    def run(count: int) -> None:
        for _ in range(count):
            optimizer.step()

    return run, lambda: session.theta


def theirs(name: str, options: Mapping[str, Any], dtype: str, foreach: bool) -> tuple[Steps, Callable[[], Any]]:
    """Steps of PyTorch."""
    theta, gradient = (torch.as_tensor(a).split(LENGTH) for a in start(dtype))
    parameters = [part.clone().requires_grad_() for part in theta]
    for parameter, part in zip(parameters, gradient, strict=True):
        parameter.grad = part.clone()
    optimizer = getattr(torch.optim, name)(parameters, **options, foreach=foreach)

    def run(count: int) -> None:
        for _ in range(count):
            optimizer.step()

    return run, lambda: torch.cat([parameter.detach() for parameter in parameters]).numpy()


def measured(title: str, dtype: str, rounds: int) -> list[str]:
    """A line of the table. Raises SystemExit where the candidates disagree."""
    name, options = SETTINGS[title]
    made = {"gradc": ours(name, options, dtype)}
    made |= {peer: theirs(name, options, dtype, peer == PEERS[0]) for peer in PEERS}
    for run, _ in made.values():
        run(3)
    first = start(dtype)[0]
    expected = made["gradc"][1]() - first
    for peer in PEERS:
        if not np.allclose(made[peer][1]() - first, expected, rtol=1e-3, atol=1e-9 if dtype == "float64" else 1e-6):
            raise SystemExit(f"{title}: {peer} is elsewhere after three steps")
    times = interleaved({name: run for name, (run, _) in made.items()}, rounds)
    cells = [f"{title}, {dtype}", f"{np.median(times['gradc']):,.0f}"]
    for peer in PEERS:
        middle, low, high = ratios(times[peer], times["gradc"])
        cells.append(f"{np.median(times[peer]):,.0f}: **{middle:.2f}** ({low:.2f} to {high:.2f})")
    return cells


# ------------------------------------------------------------------------------------------------------------ a table

TABLES = (1_000, 1_000_000)
WIDTH, BATCH, BATCHES = 16, 64, 50
LAYER = "batch n\ninput token[n]: word, y[n]\nparam E[word, d] = 0\nminimize mean((sum[d](E[word = token]^2) - y)^2)\n"


def batches(words: int, dtype: str) -> tuple[Any, list[Any], Any]:
    """The table, tokens, and what to come near to."""
    random = np.random.default_rng(0)
    found = [random.integers(0, words, BATCH) for _ in range(BATCHES)]
    return random.normal(size=(words, WIDTH)).astype(dtype), found, np.ones(BATCH, dtype)


def our_table(words: int, dtype: str) -> tuple[Steps, Callable[[], Any]]:
    """Steps of gradc, and where they have led."""
    table, tokens, aim = batches(words, dtype)
    text = f"axis word: {words}, d: {WIDTH}\n{LAYER}"
    module = gradc.compile(text, dtype=dtype, sparse=("E",)).module
    session = gradc.Session(module, {"token": tokens[0], "y": aim}, table.ravel())
    objective = session.objectives["loss"]
    optimizer = gradc.SparseAdam(session)

    def run(count: int) -> None:
        for step in range(count):
            objective.rebind({"token": tokens[step % BATCHES], "y": aim})
            optimizer.zero_grad()
            session.backward()
            optimizer.step()

    return run, lambda: session.theta


def their_table(words: int, dtype: str) -> tuple[Steps, Callable[[], Any]]:
    """Steps of PyTorch."""
    table, tokens, aim = batches(words, dtype)
    layer = torch.nn.Embedding.from_pretrained(torch.as_tensor(table).clone(), freeze=False, sparse=True)
    optimizer = torch.optim.SparseAdam(layer.parameters())
    given, wanted = [torch.as_tensor(each) for each in tokens], torch.as_tensor(aim)

    def run(count: int) -> None:
        for step in range(count):
            optimizer.zero_grad()
            loss = (((layer(given[step % BATCHES]) ** 2).sum(1) - wanted) ** 2).mean()
            loss.backward()
            optimizer.step()

    return run, lambda: layer.weight.detach().numpy().ravel()


def tabled(words: int, dtype: str, rounds: int) -> list[str]:
    """A line of the table. Raises SystemExit where the candidates disagree."""
    made = {"gradc": our_table(words, dtype), "PyTorch": their_table(words, dtype)}
    for run, _ in made.values():
        run(3)
    if not np.allclose(made["gradc"][1](), made["PyTorch"][1](), rtol=1e-4, atol=1e-9 if dtype == "float64" else 1e-5):
        raise SystemExit(f"a table of {words} words: PyTorch is elsewhere after three steps")
    times = interleaved({name: run for name, (run, _) in made.items()}, rounds)
    middle, low, high = ratios(times["PyTorch"], times["gradc"])
    return [
        f"{words:,} by {WIDTH}, {dtype}",
        f"{np.median(times['gradc']):,.0f}",
        f"{np.median(times['PyTorch']):,.0f}: **{middle:.2f}** ({low:.2f} to {high:.2f})",
    ]


def main(names: list[str]) -> None:
    """The tables of the named settings, or of all."""
    print(f"Microseconds a step; how many times gradc's. {setting('numpy', 'torch')}\n")
    vectors = [name for name in names or SETTINGS if name != "table"]
    if vectors:
        rows = [measured(name, dtype, ROUNDS) for name in vectors for dtype in ("float32", "float64")]
        print(table(["optimiser", "gradc", *PEERS], rows), end="\n\n")
    if not names or "table" in names:
        rows = [tabled(words, dtype, ROUNDS) for words in TABLES for dtype in ("float32", "float64")]
        print(table(["a table, 64 rows a step, SparseAdam", "gradc", "PyTorch"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
