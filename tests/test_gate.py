"""The gate tells a wrong rewriting from a right one: modulo a prime, and in floating point where that is needed."""

from __future__ import annotations

import pytest
import sympy
from hypothesis import HealthCheck, Phase, given, settings
from sympy import Expr, Integer, Rational, exp, log, sqrt

from gradc.compiler import functions as f
from gradc.compiler.elementary import build
from gradc.compiler.graph import Axis, Graph, Node, data_length, placeholder
from gradc.compiler.simplify import gate
from gradc.compiler.simplify.gate import agree, between
from gradc.compiler.simplify.rewrites import Rewrites
from gradc.compiler.source import ModelError

from .generate import models
from .harness import compiled

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)


def graph() -> tuple[Graph, list[Node]]:
    g = Graph()
    n, k = Axis("n", data_length("n")), Axis("k", Integer(3))
    return g, [g.leaf("input", "x", [n, k]), g.leaf("parameter", "w", [k]), g.leaf("parameter", "b", [])]


SAME: list[tuple[Expr, Expr]] = [
    (_0 * _1 + _0 * _2, _0 * (_1 + _2)),
    ((_0**2 - _1**2) / (_0 - _1), _0 + _1),
    (exp(_0) * exp(_1), exp(_0 + _1)),
    (f.softplus(_0) - f.softplus(-_0), _0),
    (1 - f.sigmoid(_0), f.sigmoid(-_0)),
    (sqrt(_0) * sqrt(_0) * _1, _0 * _1),
    (_0 / 3 + _0 / 6, _0 / 2),
]
DIFFERENT: list[tuple[Expr, Expr]] = [
    (_0 * _1 + _2, _0 * (_1 + _2)),
    (exp(_0) * exp(_1), exp(_0 * _1)),
    (_0 + _1, _0 + _1 + Rational(1, 10**6)),
    (f.sigmoid(_0), f.sigmoid(-_0)),
    (log(1 + _0**2), log(2 + _0**2)),
    (_0 - _1, _1 - _0),
    (f.where(f.less(_0, _1), _0, _1), f.where(f.less(_0, _1), _1, _0)),
]


@pytest.mark.parametrize("pair", SAME, ids=str)
def test_equal_forms_pass(pair: tuple[Expr, Expr]) -> None:
    g, leaves = graph()
    with sympy.core.parameters.evaluate(True):
        assert agree(build(g, pair[0], leaves), build(g, pair[1], leaves))


@pytest.mark.parametrize("pair", DIFFERENT, ids=str)
def test_different_forms_do_not(pair: tuple[Expr, Expr]) -> None:
    g, leaves = graph()
    assert not agree(build(g, pair[0], leaves), build(g, pair[1], leaves))


def test_contractions() -> None:
    g, (x, w, b) = graph()
    k, n = w.axis("k"), x.axis("n")
    right = g.map(_0 * _1, [g.contract([x, w], [k]), b])
    assert agree(g.contract([x, w, b], [k]), right)
    assert not agree(g.contract([x, w, w], [k]), right)
    assert not agree(g.contract([x], [n]), g.contract([x], [k]))
    assert not agree(g.contract([x], [n, k]), g.map(2 * _0, [g.contract([x], [n, k])]))


def test_selections_and_names() -> None:
    g, (x, w, _) = graph()
    k = w.axis("k")
    first = g.slice(g.map(_0 * _1, [x, w]), "k", Integer(1), 1, Integer(1), True)
    parts = [g.slice(node, "k", Integer(1), 1, Integer(1), True) for node in (x, w)]
    assert agree(first, g.map(_0 * _1, parts))
    other = g.slice(w, "k", Integer(2), 1, Integer(1), True)
    assert not agree(first, g.map(_0 * _1, [parts[0], other]))
    placed = g.place_slice(parts[0], k, Integer(1), 1, Integer(1), True)
    assert not agree(placed, g.place_slice(parts[0], k, Integer(0), 1, Integer(1), True))
    stacked = g.stack(parts, Axis("2terms", Integer(2)))
    assert agree(g.slice(stacked, "2terms", Integer(0), 1, Integer(1), True), parts[0])
    assert not agree(g.slice(stacked, "2terms", Integer(1), 1, Integer(1), True), parts[0])


def test_what_both_sides_need_is_not_looked_into() -> None:
    g, (x, w, b) = graph()
    whole = g.map(sympy.sin(_0), [g.map(_0 * _1, [x, w])])
    inside, border = between(g.map(_0 + _1, [whole, b]), g.map(_0 - _1, [whole, b]))
    assert whole in border
    assert all(node.id > whole.id for node in inside)


def test_a_refused_rewriting_is_not_done_and_is_told() -> None:
    _, (x, w, _) = graph()
    record = Rewrites(gate=agree)
    assert record.made("a.wrong", x, w) is x
    assert [rewrite.rule for rewrite in record.refused] == ["a.wrong"]
    assert not record.done


def test_what_is_too_large_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    g, (x, _, b) = graph()
    monkeypatch.setattr(gate, "MOST_ELEMENTS", 4)
    assert agree(x, g.map(_0 + _1, [x, b]))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
    phases=[Phase.generate],
)
@given(models())
def test_no_rewriting_of_a_generated_model_is_refused(text: str) -> None:
    try:
        of, _ = compiled(text, fast_algebra=True)
    except ModelError:
        return  # what is generated may be no model: log(-1)
    assert [rewrite.rule for rewrite in of.rewrites.refused] == []
