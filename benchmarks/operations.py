"""What NumPy's operations cost, beside what `compiler/simplify/cost.py` charges: `python benchmarks/operations.py`.

Nanoseconds an element, float64, into memory that is there already, on arrays that fit the cache nearest to a core; and
nanoseconds of a call on eight: on one alone, NumPy is slower where the result overwrites an operand. Each operation
stands as the emitted module computes it. Where a measured figure and the charged one differ by a factor, the table in
`cost.py` is to be changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from measure import Steps, interleaved, setting, table

import numpy as np  # isort: skip
import sympy  # isort: skip

from gradc.compiler import functions
from gradc.compiler.graph import Axis, Graph, Node, placeholder
from gradc.compiler.simplify.cost import SCALAR, cost

Array = np.ndarray[Any, np.dtype[np.float64]]
FEW, ELEMENTS = 8, 4096
CHOSEN = np.random.default_rng(1).random(ELEMENTS) < 0.5
_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)


@dataclass(frozen=True)
class Operation:
    """`run(x, y, out, more)` computes it; `expression` is what the graph holds of it, or None where `node` tells."""

    run: Callable[[Array, Array, Array, Array], object]
    expression: sympy.Expr | None
    node: Callable[[Graph, list[Node], Axis], Node] | None = None


def half_angle(x: Array, half: Array, scale: Array) -> None:
    """t = tan(x/2), and 2/(1 + t^2)."""
    np.multiply(x, 0.5, half)
    np.tan(half, half)
    np.square(half, scale)
    np.add(scale, 1.0, scale)
    np.divide(2.0, scale, scale)


def sine(x: Array, _: Array, out: Array, half: Array) -> None:
    """2t/(1 + t^2)."""
    half_angle(x, half, out)
    np.multiply(half, out, out)


def cosine(x: Array, _: Array, out: Array, half: Array) -> None:
    """2/(1 + t^2) - 1."""
    half_angle(x, half, out)
    np.subtract(out, 1.0, out)


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


def where(x: Array, y: Array, out: Array, _: Array) -> None:
    """One of two arrays, position by position."""
    np.copyto(out, y)
    np.copyto(out, x, where=CHOSEN[: x.size])


OPERATIONS = {
    "x + y": Operation(lambda x, y, out, _: np.add(x, y, out), _0 + _1),
    "x * y": Operation(lambda x, y, out, _: np.multiply(x, y, out), _0 * _1),
    "x^2": Operation(lambda x, y, out, _: np.square(x, out), _0**2),
    "x / y": Operation(lambda x, y, out, _: np.divide(x, y, out), _0 / _1),
    "1 / x": Operation(lambda x, y, out, _: np.divide(1.0, x, out), 1 / _0),
    "sqrt(x)": Operation(lambda x, y, out, _: np.sqrt(x, out), sympy.sqrt(_0)),
    "x^1.7": Operation(lambda x, y, out, _: np.power(x, 1.7, out), _0 ** sympy.Float(1.7)),
    "x^y": Operation(lambda x, y, out, _: np.power(x, y, out), functions.power(_0, _1)),
    "exp(x)": Operation(lambda x, y, out, _: np.exp(x, out), sympy.exp(_0)),
    "log(x)": Operation(lambda x, y, out, _: np.log(x, out), sympy.log(_0)),
    "log1p(x)": Operation(lambda x, y, out, _: np.log1p(x, out), functions.log1p(_0)),
    "expm1(x)": Operation(lambda x, y, out, _: np.expm1(x, out), functions.expm1(_0)),
    "tanh(x)": Operation(lambda x, y, out, _: np.tanh(x, out), sympy.tanh(_0)),
    "tan(x)": Operation(lambda x, y, out, _: np.tan(x, out), sympy.tan(_0)),
    "sin(x)": Operation(sine, sympy.sin(_0)),
    "cos(x)": Operation(cosine, sympy.cos(_0)),
    "sigmoid(x)": Operation(sigmoid, functions.sigmoid(_0)),
    "softplus(x)": Operation(softplus, functions.softplus(_0)),
    "if c then x else y": Operation(where, functions.where(_2, _0, _1)),
    "max(x, y)": Operation(lambda x, y, out, _: np.maximum(x, y, out=out), functions.maximum(_0, _1)),
    "min(x, y)": Operation(lambda x, y, out, _: np.minimum(x, y, out=out), functions.minimum(_0, _1)),
    "max(x, 0)": Operation(lambda x, y, out, _: np.maximum(x, 0.0, out=out), functions.maximum(_0, sympy.Integer(0))),
    "sum[k](x * y)": Operation(lambda x, y, out, _: x.dot(y), None, lambda graph, of, k: graph.contract(of[:2], [k])),
    "max[k](x)": Operation(lambda x, y, out, _: x.max(), None, lambda graph, of, k: graph.reduce("max", of[0], [k])),
}


def charged(operation: Operation, elements: int) -> float:
    """What the compiler takes it to cost; nanoseconds."""
    graph, axis = Graph(), Axis("k", sympy.Integer(elements))
    operands: list[Node] = [graph.leaf("parameter", name, [axis]) for name in ("x", "y", "c")]
    if operation.node is not None:
        return cost(operation.node(graph, operands, axis), None)
    return cost(graph.map(operation.expression, operands), None)


def repeated(operation: Operation, elements: int) -> Steps:
    """The operation so many times, on numbers between 0.1 and 2."""
    random = np.random.default_rng(0)
    x, y = random.uniform(0.1, 2, elements), random.uniform(0.1, 2, elements)
    out, more = np.empty_like(x), np.empty_like(x)
    run_once = operation.run

    def run(count: int) -> None:
        for _ in range(count):
            run_once(x, y, out, more)

    return run


def numbers(count: int) -> float:
    """Ten products of two Python floats, so many times."""
    x = 1.0000001
    for _ in range(count):
        y = x * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
        y = y * x
    return y


def main() -> None:
    """The table. Least times: what disturbs a run only ever makes it longer."""
    candidates = {(name, n): repeated(op, n) for name, op in OPERATIONS.items() for n in (FEW, ELEMENTS)}
    found = {key: min(times) * 1e3 for key, times in interleaved(candidates, 9, 0.02).items()}
    rows = []
    for name, operation in OPERATIONS.items():
        few, many = found[name, FEW], found[name, ELEMENTS]
        charge, charges = charged(operation, FEW), charged(operation, ELEMENTS)
        each, each_charged = ((b - a) / (ELEMENTS - FEW) for a, b in ((few, many), (charge, charges)))
        rows.append([f"`{name}`", f"{each:.2f}", f"{each_charged:.2f}", f"{few:.0f}", f"{charge:.0f}"])
    product = min(interleaved({"numbers": numbers}, 9, 0.02)["numbers"]) * 1e3 / 10
    rows.append(["`a * b`, two numbers", "", "", f"{product:.0f}", f"{SCALAR:.0f}"])
    print(f"Nanoseconds an element in arrays of {ELEMENTS:,}, and of a call on {FEW}. {setting('numpy')}\n")
    print(table(["operation", "element", "charged", "call", "charged"], rows))


if __name__ == "__main__":
    main()
