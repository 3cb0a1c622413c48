"""The named rules of pointwise simplification: each fires, keeps value and gradient, lowers the cost, and can be left
out by its name; and the gate before them refuses what overflows or loses digits where the old form did not.

Digits are counted against mpmath.
"""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import pytest
import sympy
from sympy import Expr

from gradc.compiler import functions as f
from gradc.compiler.graph import Program, placeholder
from gradc.compiler.simplify.pointwise import EXTREMES, RULES, agree, simplify_pointwise
from gradc.compiler.simplify.rewrites import Rewrites
from gradc.compiler.simplify.rounding import EPSILON, value_and_error

from .test_tensor_rules import POINTWISE, formula, program, same_values, value, whole_cost

pytestmark = pytest.mark.simplified

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
p0 = placeholder(0, positive=True)

# Rule: what is written, and what it becomes.
FIRES: dict[str, tuple[str, str]] = {
    "pointwise.canonical": POINTWISE["cancelled"],
    "pointwise.factored": POINTWISE["factored, inside a function"],
    "pointwise.powers": POINTWISE["exponents combined"],
    "pointwise.complements": POINTWISE["sigmoid and its complement"],
    "pointwise.collected": POINTWISE["terms of one array collected"],
    "pointwise.cancelled": POINTWISE["fractions joined"],
    "pointwise.branches": (
        "(if y < b then b*u else 0) + (if not y < b then b*y else 0)",
        "b*where(less(y, b), u, y)",
    ),
    "pointwise.reciprocals": (
        "sin(y/(1 + b*u)) + cos(1/(1 + b*u)) + tan(u/(1 + b*u))",
        "(cos((1/((b*u) + 1))) + sin(((1/((b*u) + 1))*y))) + tan(((1/((b*u) + 1))*u))",
    ),
    # The sum of y times what is written here times b, which elaboration would take apart.
    "pointwise.scaled": ("sin(b*u)", "b*sum[n](y, sin((b*u)))"),
    "pointwise.common": (
        "sum[n](y*exp(b*u)*sin(b*y)) + sum[n](u*exp(b*u)*sin(b*y)) + sum[n](exp(b*u)*sin(b*y))",
        "(sum[n](u, exp((b*u))*sin((b*y))) + sum[n](y, exp((b*u))*sin((b*y)))) + sum[n](exp((b*u)), sin((b*y)))",
    ),
}
NAMES = [rule.name for rule in RULES]


def written(name: str) -> Program:
    """The program before the rule."""
    of = program(FIRES[name][0])
    if name != "pointwise.scaled":
        return of
    y, b = of.inputs[1].leaf, of.parameters[1].leaf
    assert (y.name, b.name) == ("y", "b")
    whole = of.graph.contract([y, of.graph.map(_0 * _1, [b, value(of)])], [y.axis("n")])
    (objective,) = of.objectives
    squared = replace(objective, value=of.graph.map(_0**2, [whole]))
    return replace(of, outputs=(("value", whole),), objectives=(squared,))


def test_every_rule_is_tested_and_stands_once() -> None:
    assert list(FIRES) == NAMES
    assert all(rule.of == "pointwise" and rule.why and rule.source for rule in RULES)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_fires_and_keeps_value_and_gradient_at_a_lower_cost(name: str) -> None:
    of = written(name)
    record = Rewrites()
    new = simplify_pointwise(of, record)
    assert name in [rewrite.rule for rewrite in record.done]
    assert formula(value(new)) == FIRES[name][1]
    same_values(of, new)
    assert whole_cost(new) < whole_cost(of)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_is_left_out_by_name(name: str) -> None:
    of = written(name)
    record = Rewrites(without=[name])
    new = simplify_pointwise(of, record)
    assert name not in [rewrite.rule for rewrite in record.done]
    assert whole_cost(new) > whole_cost(simplify_pointwise(of))
    same_values(of, new)


def test_all_rules_are_left_out_by_the_name_of_the_pass() -> None:
    record = Rewrites(without=["pointwise"])
    of = program("y*w[k=t] + y*b")
    assert formula(value(simplify_pointwise(of, record))) == formula(value(of))
    assert record.done == []


def test_what_the_gate_of_the_record_refuses_is_not_taken() -> None:
    record = Rewrites(gate=lambda before, after: False)
    of = program("y*w[k=t] + y*b")
    assert formula(value(simplify_pointwise(of, record))) == formula(value(of))
    assert {rewrite.rule for rewrite in record.refused} >= {"pointwise.factored"}


# ------------------------------------------------------------------------------------------------------------- the gate


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        (sympy.exp(2 * _0) / (1 + sympy.exp(2 * _0)), f.sigmoid(2 * _0), "inf/inf"),
        (1 - f.sigmoid(_0), f.sigmoid(-_0), "0 at 700, where the truth is 1e-304"),
        (sympy.log(1 + sympy.exp(_0)), f.softplus(_0), "inf at 8e8"),
        (sympy.exp(_0) - 1, f.expm1(_0), "8 of 16 digits at 1e-8"),
        (sympy.log(1 + _0), f.log1p(_0), "8 of 16 digits at 1e-8"),
        ((_0 * _1 * _2 + _2) / (_1 * _2), _0 + 1 / _1, "inf at 1e150"),
        (sympy.sqrt((_0**2 + 1) * (_1**2 + 1) * _1**2) / _1, sympy.Abs(_1), "inf at 1e150"),
        (1 - 2 / (sympy.exp(2 * _0) + 1), sympy.tanh(_0), "8 of 16 digits at 1e-8"),
    ],
)
def test_the_gate_refuses_what_fails_at_an_extreme_point(new: Expr, old: Expr, why: str) -> None:
    assert not agree(new, old), why


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (f.sigmoid(-_0), 1 - f.sigmoid(_0)),
        (f.softplus(_0), sympy.log(1 + sympy.exp(_0))),
        (1 / (1 + _0 * _1), 1 - _0 * _1 / (1 + _0 * _1)),
        (_0 * (_1 - _2), _0 * _1 - _0 * _2),
        ((_0 - _1) * (_0 + _1), _0**2 - _1**2),
        (2 * sympy.log(p0), sympy.log(p0**2)),
    ],
)
def test_the_gate_takes_what_is_no_worse_where_the_old_form_has_lost_its_digits(new: Expr, old: Expr) -> None:
    assert agree(new, old)


def test_what_has_no_value_anywhere_is_not_taken() -> None:
    assert not agree(sympy.sqrt(-1 - _0**2), sympy.sqrt(-(_0**2) - 1) * 1.0)
    assert not agree(sympy.Integer(1), sympy.sqrt(-1 - _0**2))


# ------------------------------------------------------------------------------------------------ the bound on rounding


def exact(expression: Expr, point: dict[sympy.Symbol, float]) -> mpmath.mpf:
    """The expression of the functions below at 400 digits: exp(700) has 305 before its point."""
    x, y = mpmath.mpf(point.get(_0, 0)), mpmath.mpf(point.get(_1, 0))
    with mpmath.workdps(400):
        return TRUTHS[expression](x, y)


TRUTHS = {
    1 - f.sigmoid(_0): lambda x, y: mpmath.exp(-x) / (1 + mpmath.exp(-x)),
    f.sigmoid(-_0): lambda x, y: mpmath.exp(-x) / (1 + mpmath.exp(-x)),
    f.softplus(_0) - _0: lambda x, y: mpmath.log(1 + mpmath.exp(-x)),
    sympy.exp(_0) - 1: lambda x, y: mpmath.expm1(x),
    _0**2 - _1**2: lambda x, y: x**2 - y**2,
    (_0 - _1) * (_0 + _1): lambda x, y: x**2 - y**2,
    1 - _0 * _1 / (1 + _0 * _1): lambda x, y: 1 / (1 + x * y),
    sympy.sqrt(_0**2 + 1) - sympy.Abs(_0): lambda x, y: 1 / (mpmath.sqrt(x**2 + 1) + abs(x)),
    sympy.tanh(_0) * _1: lambda x, y: mpmath.tanh(x) * y,
}


@pytest.mark.parametrize("expression", TRUTHS, ids=str)
def test_the_truth_lies_within_the_bound(expression: Expr) -> None:
    told = 0
    for x in (*EXTREMES, 0.3, 1.7, 40.0):
        for y in (*EXTREMES, 0.3, 1.7, 40.0):
            for sign in (-1, 1):
                found = value_and_error(expression, {_0: sign * x, _1: y})
                if found is not None and math.isfinite(x) and math.isfinite(y):
                    told += 1
                    truth = exact(expression, {_0: sign * x, _1: y})
                    assert abs(found[0] - truth) <= 2 * found[1], (x, y)
    assert told > 50


def test_a_form_without_cancellation_is_bounded_by_a_few_roundings() -> None:
    found = value_and_error(sympy.tanh(_0) * _1 / (1 + _1**2), {_0: 0.3, _1: 1.7})
    assert found is not None
    assert found[1] <= 8 * EPSILON * abs(found[0])
