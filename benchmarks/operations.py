"""What NumPy's operations cost: `python benchmarks/operations.py [--write]`.

Measures what `compiler/simplify/measured.py` holds, prints both side by side, and with `--write` writes it anew. The
committed file is what the compiler uses, so that the same source gives the same module on any machine.

Nanoseconds, float64, into memory that is there already: an element in arrays of 4,096, which fit the cache nearest to a
core; an element in arrays of 2^22, which fit no cache; a call on eight, its elements left out (on one alone, NumPy is
slower where the result overwrites an operand); and the operation on one number, which the module leaves to Python.
Each operation stands as the emitted module computes it.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import Steps, interleaved, setting, table

# A product of a block's size has one thread; with two, a busy machine is measured and not the product.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # isort: skip

from gradc.compiler.emit.special import support
from gradc.compiler.simplify.measured import MEASURED

Array = np.ndarray[Any, np.dtype[np.float64]]
FEW, ELEMENTS, MANY = 8, 4096, 1 << 22
WIDTH = 32
LINES = 10
COLUMNS = ("call", "element", "beyond the cache", "one number")
FILE = Path(__file__).parents[1] / "compiler" / "simplify" / "measured.py"
HEADER = '''"""What NumPy's operations cost, in nanoseconds: written by `python benchmarks/operations.py --write`.

A row holds: a call, an element in the cache, an element beyond it, and the operation on one number, in Python. Of
products and sums the elements are those of all axes together. "number" is what a number that Python holds adds to a
call. Only ratios matter.
"""

from collections.abc import Mapping

MEASURED: Mapping[str, tuple[float, float, float, float]] = {
'''


@dataclass(frozen=True)
class Operation:
    """`run(x, y, out, more)` computes it over arrays; `single` is the module's text for two numbers x and y.

    With `width`, x is a matrix with so many columns, and `work` says how many elements each row counts for.
    """

    run: Callable[[Array, Array, Array, Array], object]
    single: str | None = None
    width: int = 1
    work: int = 1


def half_angle(x: Array, _: Array, scale: Array, half: Array) -> None:
    """t = tan(x/2), and 2/(1 + t^2): sin(x) is their product, cos(x) the second less 1."""
    np.multiply(x, 0.5, half)
    np.tan(half, half)
    np.square(half, scale)
    np.add(scale, 1.0, scale)
    np.divide(2.0, scale, scale)


def sigmoid(x: Array, _: Array, out: Array, more: Array) -> None:
    """1/(1 + exp(-x))."""
    np.negative(x, out)
    np.exp(out, out)
    np.add(out, 1.0, out)
    np.divide(1.0, out, out)


def softplus(x: Array, _: Array, out: Array, largest: Array) -> None:
    """max(x, 0) + log1p(exp(-|x|))."""
    np.absolute(x, out)
    np.negative(out, out)
    np.exp(out, out)
    np.log1p(out, out)
    np.maximum(x, 0.0, out=largest)
    np.add(out, largest, out)


ROUTINES: dict[str, Any] = {"numpy": np}
exec(support(frozenset({"_erf", "_lgamma"})), ROUTINES)
"""The module's own routines of functions that NumPy lacks."""

CHOSEN = np.random.default_rng(1).random(MANY) < 0.5
COUNTED = np.random.default_rng(1).integers(0, FEW, MANY)
TRUTHS = np.empty(MANY, bool)
SQUARE = np.ones((WIDTH, WIDTH))


CASES = np.ones((4, WIDTH // 4, WIDTH // 4))


def by_case(x: Array) -> Array:
    """A view of the columns as those of several cases, which lie along the rows as an emitted module has them."""
    return x.reshape(len(x), len(CASES), -1).transpose(1, 2, 0)


def where(x: Array, y: Array, out: Array, _: Array) -> None:
    """One of two arrays, position by position."""
    np.copyto(out, y)
    np.copyto(out, x, where=CHOSEN[: x.size])


OPERATIONS = {
    "add": Operation(lambda x, y, out, _: np.add(x, y, out), "x + y"),
    "multiply": Operation(lambda x, y, out, _: np.multiply(x, y, out), "x * y"),
    "negate": Operation(lambda x, y, out, _: np.negative(x, out), "-x"),
    "square": Operation(lambda x, y, out, _: np.square(x, out), "x * x"),
    "divide": Operation(lambda x, y, out, _: np.divide(x, y, out), "float(divide(x, y))"),
    "reciprocal": Operation(lambda x, y, out, _: np.divide(1.0, x, out), "float(divide(1.0, x))"),
    "sqrt": Operation(lambda x, y, out, _: np.sqrt(x, out), "float(sqrt(x))"),
    "power": Operation(lambda x, y, out, _: np.power(x, y, out), "float(power(x, y))"),
    "abs": Operation(lambda x, y, out, _: np.absolute(x, out), "float(absolute(x))"),
    "exp": Operation(lambda x, y, out, _: np.exp(x, out), "float(exp(x))"),
    "log": Operation(lambda x, y, out, _: np.log(x, out), "float(log(x))"),
    "log1p": Operation(lambda x, y, out, _: np.log1p(x, out), "float(log1p(x))"),
    "expm1": Operation(lambda x, y, out, _: np.expm1(x, out), "float(expm1(x))"),
    "tanh": Operation(lambda x, y, out, _: np.tanh(x, out), "float(tanh(x))"),
    "tan": Operation(lambda x, y, out, _: np.tan(x, out), "float(tan(x))"),
    "half_angle": Operation(half_angle, "float(sin(x))"),
    "sigmoid": Operation(sigmoid, "float(divide(1.0, 1.0 + float(exp(-x))))"),
    "softplus": Operation(
        softplus,
        "float(log1p(float(exp(-float(absolute(x)))))) + float(maximum(x, 0.0))",
    ),
    "maximum": Operation(lambda x, y, out, _: np.maximum(x, y, out=out), "float(maximum(x, y))"),
    "compare": Operation(lambda x, y, out, _: np.less(x, y, TRUTHS[: x.size]), "(x < y)"),
    "where": Operation(where, "x if x < y else y"),
    "erf": Operation(lambda x, y, out, _: ROUTINES["_erf"](x, out), "float(_erf(x))"),
    "lgamma": Operation(lambda x, y, out, _: ROUTINES["_lgamma"](x, out), "float(_lgamma(x))"),
    "other": Operation(lambda x, y, out, _: np.arctan(x, out), "float(arctan(x))"),
    "copy": Operation(lambda x, y, out, _: np.copyto(out, x), "float(x)"),
    "reduce": Operation(lambda x, y, out, _: np.maximum.reduce(x), None),
    "dot": Operation(lambda x, y, out, _: float(x.dot(y))),
    "matvec": Operation(lambda x, y, out, _: x.dot(SQUARE[0], out), None, WIDTH, WIDTH),
    "matmul": Operation(lambda x, y, out, more: x.dot(SQUARE, more), None, WIDTH, WIDTH * WIDTH),
    "batched": Operation(
        lambda x, y, out, more: np.matmul(CASES, by_case(x), by_case(more)), None, WIDTH, WIDTH * WIDTH // len(CASES)
    ),
    "elementwise": Operation(lambda x, y, out, _: np.einsum("ab,ab->a", x, y, out=out), None, WIDTH, WIDTH),
    "gather": Operation(lambda x, y, out, _: np.take(x, COUNTED[: x.size], 0, out, "clip")),
    "scatter": Operation(lambda x, y, out, _: np.add.at(out, COUNTED[: x.size], x)),
}


def repeated(operation: Operation, elements: int) -> Steps:
    """The operation so many times, on numbers between 0.1 and 2."""
    random = np.random.default_rng(0)
    rows = max(1, elements // operation.width) if elements == MANY else elements
    shape = (rows,) if operation.width == 1 else (rows, operation.width)
    x, y = random.uniform(0.1, 2, shape), random.uniform(0.1, 2, shape)
    out, more = np.empty(rows), np.empty(shape)
    run_once = operation.run

    def run(count: int) -> None:
        for _ in range(count):
            run_once(x, y, out, more)

    return run


def singly(text: str) -> Steps:
    """A line that computes it from two Python floats, ten times, so many times."""
    lines = [f"        z = {text}"] * LINES
    body = "\n".join(["def run(count):", "    x, y = 0.7000001, 1.3", "    for _ in range(count):", *lines])
    names = {**vars(np), **ROUTINES}
    exec(body, names)
    found: Steps = names["run"]
    return found


def with_number(x: Array, _: Array, out: Array, more: Array) -> None:
    """A product with a number that Python holds."""
    np.multiply(x, 1.1, out)


def least(candidates: dict[Any, Steps]) -> dict[Any, float]:
    """Nanoseconds. Least times: what disturbs a run only ever makes it longer."""
    return {key: min(times) * 1e3 for key, times in interleaved(candidates, 15, 0.02).items()}


def measured() -> dict[str, tuple[float, float, float, float]]:
    """The table, as this machine has it."""
    found = {}
    for name, operation in OPERATIONS.items():
        sizes = {n: repeated(operation, n) for n in (FEW, ELEMENTS, MANY)}
        taken = least({**sizes, **({1: singly(operation.single)} if operation.single else {})})
        each = (taken[ELEMENTS] - taken[FEW]) / (ELEMENTS - FEW)
        call = max(0.0, taken[FEW] - each * FEW)
        rows = MANY // operation.width
        beyond = (taken[MANY] - call) / rows
        single = taken[1] / LINES if operation.single else 0.0
        found[name] = (call, each / operation.work, max(beyond, each) / operation.work, single)
    number = least({"number": repeated(Operation(with_number), FEW), "array": repeated(OPERATIONS["multiply"], FEW)})
    found["number"] = (number["number"] - number["array"], 0.0, 0.0, 0.0)
    return found


def rounded(figure: float) -> float:
    """To 1, 1.5, 2, 3, 5 or 7 times a power of ten: a machine is no more exact from one day to the next."""
    if figure <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(figure))
    steps = (1, 1.5, 2, 3, 5, 7, 10)
    return float(f"{min(steps, key=lambda s: abs(math.log(figure / power / s))) * power:.2g}")


def text(found: dict[str, tuple[float, float, float, float]]) -> str:
    """The file that holds the table."""
    rows = {name: tuple(rounded(figure) for figure in row) for name, row in found.items()}
    return HEADER + "".join(f'    "{name}": {row},\n' for name, row in rows.items()) + "}\n"


def main() -> None:
    """The table, measured beside committed; with `--write` it is committed."""
    found = measured()
    rows = []
    for name, row in found.items():
        held = MEASURED.get(name, (0.0, 0.0, 0.0, 0.0))
        rows.append(
            [f"`{name}`", *(f"{float(f'{figure:.2g}'):g}" for pair in zip(row, held, strict=True) for figure in pair)]
        )
    print(f"Nanoseconds. {setting('numpy')}\n")
    print(table(["operation", *(cell for column in COLUMNS for cell in (column, "held"))], rows))
    if "--write" in sys.argv[1:]:
        FILE.write_text(text(found), encoding="utf-8")


if __name__ == "__main__":
    main()
