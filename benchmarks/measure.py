"""Timing side by side: candidates take turns, so that what disturbs the machine disturbs them all.

Takes functions that run a number of steps; gives microseconds for a step, round by round, and tables of the medians.
Import this before NumPy: it fixes the number of threads.
"""

from __future__ import annotations

import os

THREADS = "2"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = THREADS
# Where it is set, it keeps NumPy's matrix products from the processor's own instructions.
os.environ.pop("OPENBLAS_CORETYPE", None)

import platform  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Hashable, Mapping, Sequence  # noqa: E402
from importlib.metadata import version  # noqa: E402
from typing import TypeVar  # noqa: E402

Steps = Callable[[int], object]
Key = TypeVar("Key", bound=Hashable)


def seconds(run: Callable[..., object], *arguments: object) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - started


def enough(run: Steps, budget: float) -> int:
    """A number of steps that takes about `budget` seconds, after a first call that warms up."""
    run(1)
    count = 1
    while (taken := seconds(run, count)) < budget / 4:
        count *= 4
    return max(1, round(count * budget / taken))


def interleaved(candidates: Mapping[Key, Steps], rounds: int, budget: float = 0.1) -> dict[Key, list[float]]:
    """Microseconds a step of each candidate in each round.

    A step before each turn is not timed: in it the threads of the candidate before come to rest.
    """
    counts = {name: enough(run, budget) for name, run in candidates.items()}
    found: dict[Key, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            run(1)
            found[name].append(seconds(run, counts[name]) / counts[name] * 1e6)
    return found


def ratios(of: Sequence[float], to: Sequence[float]) -> tuple[float, float, float]:
    """The median of the rounds' ratios, and the quartiles."""
    low, middle, high = statistics.quantiles((a / b for a, b in zip(of, to, strict=True)), n=4)
    return middle, low, high


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (len(head) - 1), *lines[1:]])


def setting(*packages: str) -> str:
    """The processor's kind and the versions, for the line above a table."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {versions}"
