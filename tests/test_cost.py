"""What a node is charged: each kind has its row, the regimes differ, and a form costs the passes that it becomes.

The sine and the cosine that `lower` makes are charged as such, so their accuracy is held here too, against mpmath.
"""

from __future__ import annotations

import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Expr, Integer, Rational

from gradc.compiler import arrays
from gradc.compiler import functions as f
from gradc.compiler import graph as kinds
from gradc.compiler.graph import Axis, Graph, Node, data_length, placeholder
from gradc.compiler.simplify.cost import BIND, CACHE, KINDS, PASSES, cost, total
from gradc.compiler.simplify.measured import MEASURED

from .harness import compiled

ROOT = Path(__file__).parents[1]
_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
n, k, j = Axis("n", data_length("n")), Axis("k", Integer(8)), Axis("j", Integer(8))
BIG = Axis("big", Integer(CACHE + 1))


def of(expression: Expr, *axes: Axis) -> float:
    """What the expression is charged, over parameters that all have these axes."""
    graph = Graph()
    operands = [graph.leaf("parameter", name, axes) for name in ("x", "y", "z")]
    return cost(graph.map(expression, operands), "n")


def test_every_kind_has_a_row_or_is_a_view_or_known_before_a_step() -> None:
    rooms = {**vars(kinds), **vars(arrays)}
    every = {kind for kind in rooms.values() if isinstance(kind, type) and issubclass(kind, Node)} - {Node}
    free = {kinds.Leaf, kinds.Constant, kinds.Index, kinds.Size, kinds.Slice, kinds.Relabel, kinds.Stop, kinds.Factor}
    free |= {arrays.Window, arrays.Flatten, arrays.Split}
    assert set(KINDS) & free == set()
    assert every >= set(KINDS) | free


def test_what_is_charged_is_what_the_benchmark_measures() -> None:
    text = (ROOT / "benchmarks" / "operations.py").read_text(encoding="utf-8")
    measured = re.findall(r'^    "(\w+)": Operation\(', text, re.MULTILINE)
    assert [*measured, "number"] == list(MEASURED)
    assert {name for names in PASSES.values() for name in names} <= set(MEASURED)


@pytest.mark.parametrize("name", [name for name in MEASURED if name != "number"])
def test_an_operation_is_dearer_beyond_the_cache(name: str) -> None:
    call, cached, beyond, _ = MEASURED[name]
    assert 0 < cached <= beyond
    assert call > 0


# ---------------------------------------------------------------------------------------------------------- the regimes


@pytest.mark.parametrize("expression", [_0 + _1, _0 * _1, sympy.exp(_0), f.sigmoid(_0), f.where(_2, _0, _1)], ids=str)
def test_numbers_cost_less_than_arrays_and_blocks_less_than_memory(expression: Expr) -> None:
    assert of(expression) < of(expression, k) < of(expression, k, j) < of(expression, n, k, j)
    cut = Graph()
    rows = cut.leaf("parameter", "x", [n, BIG])
    alone = cut.leaf("parameter", "y", [Axis("m", Integer(1000)), BIG])
    assert cost(cut.map(sympy.exp(_0), [rows]), "n") < cost(cut.map(sympy.exp(_0), [alone]), "n")


def test_a_number_that_python_holds_costs_at_each_call() -> None:
    graph = Graph()
    x, b = graph.leaf("parameter", "x", [n]), graph.leaf("parameter", "b", [])
    held = graph.map(sympy.exp(_0), [b])
    number = MEASURED["number"][0]
    assert of(_0 + 1, n) == of(_0 + _1, n) + number
    assert cost(graph.map(_0 * _1, [x, held]), "n") == cost(graph.map(_0 * _1, [x, b]), "n") + number


def test_what_is_known_at_bind_hardly_costs() -> None:
    graph = Graph()
    early, late = graph.leaf("input", "x", [n]), graph.leaf("parameter", "y", [n])
    exponentials = [cost(graph.map(sympy.exp(_0), [x]), "n") for x in (early, late)]
    assert exponentials[0] == pytest.approx(BIND * exponentials[1])


# ----------------------------------------------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("dear", "cheap"),
    [
        (f.power(_0, _1), sympy.exp(_0)),
        (_0**7, _0**3),
        (_0**3, _0**2),
        (_0 ** Rational(5, 2), sympy.sqrt(_0)),
        (_0 ** sympy.Float(1.7), _0**2),
        (1 / _0**2, 1 / _0),
        (_0 / _1, _0 * _1),
        (f.softplus(_0), sympy.exp(_0)),
        (f.where(_2, _0, _1), f.maximum(_0, _1)),
        (sympy.sin(_0), sympy.tan(_0)),
        (-_0 - _1, _0 - _1),
    ],
    ids=str,
)
def test_dearer(dear: Expr, cheap: Expr) -> None:
    assert of(dear, n) > of(cheap, n)


def test_whole_powers_cost_the_multiplications_that_they_become() -> None:
    assert of(_0**3, n) == pytest.approx(of(_0**2, n) + of(_0 * _1, n))
    assert of(_0**64, n) == pytest.approx(6 * of(_0**2, n))
    assert of(_0 ** Rational(3, 2), n) == pytest.approx(of(sympy.sqrt(_0), n) + of(_0 * _1, n))


def test_a_sine_and_a_cosine_of_one_value_share_their_tangent() -> None:
    graph = Graph()
    x, y = graph.leaf("parameter", "x", [n]), graph.leaf("parameter", "y", [n])
    sine, cosine, other = (graph.map(e, [v]) for e, v in ((sympy.sin(_0), x), (sympy.cos(_0), x), (sympy.cos(_0), y)))
    both, apart = graph.sum([sine, cosine]), graph.sum([sine, other])
    assert total(both, (), "n") < 0.7 * total(apart, (), "n")


def test_contractions_are_charged_a_pair_at_a_time() -> None:
    graph = Graph()
    a, b = graph.leaf("parameter", "a", [n, k]), graph.leaf("parameter", "b", [k, j])
    v = graph.leaf("parameter", "v", [j])
    chain = graph.contract([a, b, v], [k, j])
    steps = graph.contract([a, graph.contract([b, v], [j])], [k])
    assert cost(chain, "n") == pytest.approx(total(steps, (), "n"))
    assert cost(chain, "n") < total(graph.contract([graph.contract([a, b], [k]), v], [j]), (), "n")


# ------------------------------------------------------------------------------------------------------ sines, cosines


def test_sine_and_cosine_are_within_two_units_of_the_last_place_of_1() -> None:
    """Near 0 and near multiples of pi/2, and up to 1e300; the sine of what is small keeps its own last place."""
    _, module = compiled(
        "input x[n]\nparam a = 1\nminimize sum(sin(a*x) + cos(a*x))\noutput s = sin(a*x), c = cos(a*x)\n"
    )
    random = np.random.default_rng(0)
    quarters = np.arange(-200, 201) * (np.pi / 2)
    x = np.concatenate(
        [
            quarters,
            np.nextafter(quarters, np.inf),
            quarters + 1e-8,
            quarters / 2,
            random.uniform(-10, 10, 2000),
            random.uniform(-1e6, 1e6, 1000),
            10.0 ** random.uniform(6, 300, 1000),
            10.0 ** random.uniform(-300, -2, 1000),
        ]
    )
    found = module.predict(np.array([1.0]), {"x": x})
    with mpmath.workdps(340):
        for name, function in (("s", mpmath.sin), ("c", mpmath.cos)):
            truth = [function(mpmath.mpf(float(v))) for v in x]
            wrong = [abs(mpmath.mpf(float(got)) - t) for got, t in zip(found[name], truth, strict=True)]
            assert max(wrong) <= 2 * 2.0**-52
            if name == "s":
                small = [e / abs(t) for e, t, v in zip(wrong, truth, x, strict=True) if 1e-300 < abs(v) < 1]
                assert max(small) <= 2 * 2.0**-52
