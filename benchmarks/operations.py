"""What NumPy's operations cost, for the table in `compiler/simplify/cost.py`: `python benchmarks/operations.py`.

Nanoseconds an element, float64, into memory that is there already, on arrays that fit the cache nearest to a core; and
nanoseconds of a call on one element. sin and cos, the sigmoid and softplus stand as the emitted module computes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from measure import interleaved, setting, table

import numpy as np  # isort: skip

Array = np.ndarray[Any, np.dtype[np.float64]]
ELEMENTS = 4096


def sine(x: Array, out: Array, half: Array) -> None:
    """2t/(1 + t^2) of t = tan(x/2)."""
    np.multiply(x, 0.5, half)
    np.tan(half, half)
    np.square(half, out)
    np.add(out, 1.0, out)
    np.divide(half, out, out)
    np.multiply(out, 2.0, out)


def sigmoid(x: Array, out: Array, _: Array) -> None:
    """1/(1 + exp(-x))."""
    np.negative(x, out)
    np.exp(out, out)
    np.add(out, 1.0, out)
    np.divide(1.0, out, out)


def softplus(x: Array, out: Array, largest: Array) -> None:
    """max(x, 0) + log1p(exp(-|x|))."""
    np.absolute(x, out)
    np.negative(out, out)
    np.exp(out, out)
    np.log1p(out, out)
    np.maximum(x, 0.0, out=largest)
    np.add(out, largest, out)


def where(x: Array, out: Array, other: Array) -> None:
    """One of two arrays, position by position."""
    np.copyto(out, other)
    np.copyto(out, x, where=CONDITION[: x.size])


CONDITION = np.random.default_rng(1).random(ELEMENTS) < 0.5
OPERATIONS: dict[str, Callable[[Array, Array, Array], object]] = {
    "add": lambda x, out, _: np.add(x, x, out),
    "multiply": lambda x, out, _: np.multiply(x, x, out),
    "divide": lambda x, out, _: np.divide(1.0, x, out),
    "sqrt": lambda x, out, _: np.sqrt(x, out),
    "exp": lambda x, out, _: np.exp(x, out),
    "log": lambda x, out, _: np.log(x, out),
    "log1p": lambda x, out, _: np.log1p(x, out),
    "expm1": lambda x, out, _: np.expm1(x, out),
    "tanh": lambda x, out, _: np.tanh(x, out),
    "tan": lambda x, out, _: np.tan(x, out),
    "sine, by tan(x/2)": sine,
    "sin": lambda x, out, _: np.sin(x, out),
    "sigmoid": sigmoid,
    "softplus": softplus,
    "where": where,
    "maximum": lambda x, out, _: np.maximum(x, 0.5, out=out),
    "power": lambda x, out, _: np.power(x, 1.7, out),
}


def repeated(operation: Callable[[Array, Array, Array], object], elements: int) -> Callable[[int], object]:
    """The operation so many times, on numbers between 0.1 and 2."""
    x = np.random.default_rng(0).uniform(0.1, 2, elements)
    out, more = np.empty_like(x), np.empty_like(x)

    def run(count: int) -> None:
        for _ in range(count):
            operation(x, out, more)

    return run


def main() -> None:
    """The table."""
    large = interleaved({name: repeated(f, ELEMENTS) for name, f in OPERATIONS.items()}, 9, 0.02)
    small = interleaved({name: repeated(f, 1) for name, f in OPERATIONS.items()}, 9, 0.02)
    rows = []
    for name in OPERATIONS:
        call = min(small[name]) * 1e3
        rows.append([name, f"{(min(large[name]) * 1e3 - call) / ELEMENTS:.2f}", f"{call:.0f}"])
    print(f"Nanoseconds an element in arrays of {ELEMENTS:,}, and of a call on one. {setting('numpy')}\n")
    print(table(["operation", "element", "call"], rows))


if __name__ == "__main__":
    main()
