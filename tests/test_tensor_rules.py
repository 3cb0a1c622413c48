"""The rewrites that follow differentiation: each rule fires where it is meant to, nowhere else, and changes no value.

Formulas are shown as they stand in the graph, operands of contractions in their canonical order, so that a rule's
effect is read in the table. Values and gradients before and after are the reference evaluator's, at random points,
with axes of different lengths and of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sympy
from hypothesis import HealthCheck, given, settings
from sympy import Expr, Integer, exp

from gradc.compiler import functions as f
from gradc.compiler.check_graph import checked
from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.elementary import build
from gradc.compiler.graph import (
    Axis,
    Constant,
    Contract,
    Factor,
    Graph,
    Index,
    Leaf,
    Map,
    Node,
    Program,
    Scatter,
    Size,
    Stack,
    data_length,
    placeholder,
    reachable,
)
from gradc.compiler.pipeline import PASSES
from gradc.compiler.reference import evaluate
from gradc.compiler.simplify.cost import cost, total
from gradc.compiler.simplify.pointwise import agree, candidates, simplify_pointwise
from gradc.compiler.simplify.rewrites import Rewrites, Rule
from gradc.compiler.simplify.stack import stack_terms
from gradc.compiler.simplify.tensor import simplify_tensors
from gradc.compiler.simplify.window import LARGEST, window
from gradc.compiler.source import ModelError, Source
from gradc.compiler.syntax import parse

from .generate import models
from .harness import Truth, compiled, distance, sample, start
from .test_properties import everything_agrees

pytestmark = pytest.mark.simplified

Array = npt.NDArray[Any]

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
p0 = placeholder(0, positive=True)

HEAD = """
input x[n, k], y[n], u[n], A[k, j], t[n]: k
batch n
param w[k] = 1, b = 1, c > 0 = 1, v[j] = 1, M[k, j] = 1
"""
LENGTHS = ({"n": 5, "k": 3, "j": 2}, {"n": 1, "k": 1, "j": 4}, {"n": 4, "k": 2, "j": 1})


def program(expression: str, before: str = "") -> Program:
    """A program whose output `value` is the expression."""
    text = f"{HEAD}{before}value = {expression}\nminimize sum(value^2) + b\noutput value\n"
    return elaborate(parse(Source("test.model", text)))


def value(of: Program) -> Node:
    return dict(of.outputs)["value"]


def formula(node: Node) -> str:
    """The node as it stands in the graph, on one line."""
    match node:
        case Leaf():
            return node.name
        case Constant():
            return str(node.value)
        case Size():
            return f"size({node.length})"
        case Index():
            return f"index({node.names[0]})"
        case Map():
            shown = {}
            for i, operand in enumerate(node.operands):
                text = formula(operand)
                e = operand.expression if isinstance(operand, Map) else _0
                compound = e.is_Add or e.is_Mul or e.is_Pow
                shown[placeholder(i)] = sympy.Symbol(f"({text})" if compound else text)
            return str(node.expression.xreplace(shown))
        case Contract():
            over = ", ".join(axis.name for axis in node.summed)
            return f"sum[{over}]({', '.join(formula(operand) for operand in node.operands)})"
    return f"{type(node).__name__.lower()}[{', '.join(node.names)}]({', '.join(map(formula, node.operands))})"


def numbers(of: Program, lengths: Mapping[str, int], seed: int = 0) -> tuple[dict[str, Array], dict[str, Array]]:
    """Data and unconstrained parameters."""
    random = np.random.default_rng(seed)
    data: dict[str, Array] = {}
    for item in of.inputs:
        shape = [lengths[axis.name] for axis in item.axes]
        if item.dtype == "int":
            assert item.indexes is not None
            data[item.name] = random.integers(0, lengths[item.indexes.name], shape)
        else:
            data[item.name] = random.normal(size=shape)
    free = {p.name: random.normal(size=[lengths[a.name] for a in p.axes]) for p in of.parameters}
    return data, free


def same_values(before: Program, after: Program, seed: int = 0) -> None:
    """Value and gradient by every parameter, differentiated from each program by itself."""
    before, after = differentiate(before), differentiate(after)
    for lengths in LENGTHS:
        data, free = numbers(before, lengths, seed)
        roots = [value(before), *before.gradients["loss"].values()]
        new = [value(after), *after.gradients["loss"].values()]
        expected, found = evaluate(before, roots, data, free), evaluate(after, new, data, free)
        for old, node, truth, got in zip(roots, new, expected, found, strict=True):
            names = list(old.names)
            order = [node.names.index(name) for name in names if name in node.names]
            shape = [lengths[name] if name in node.names else 1 for name in names]
            np.testing.assert_allclose(
                np.broadcast_to(np.asarray(got).transpose(order).reshape(shape), np.shape(truth)),
                np.asarray(truth),
                rtol=1e-11,
                atol=1e-12,
            )


def whole_cost(of: Program) -> float:
    return sum(cost(node, of.rows) for node in reachable([value(of)]))


# ------------------------------------------------------------------------------------------------ rules on contractions

# Rule: what is written, how it stands in the graph, what it becomes.
TENSOR: dict[str, tuple[str, str, str]] = {
    "a factor without the axis moves out": ("sum[n](b*y)", "sum[n](y, b)", "b*sum[n](y)"),
    "of an array too": ("sum[k](w[k=t]*x)", "sum[k](x, gather[n](w, t))", "gather[n](w, t)*sum[k](x)"),
    "a number moves out": ("sum[n](y*u/3)", "sum[n]((u*y)/3)", "sum[n](u*y)/3"),
    "a sign moves out": ("sum[n](-y)", "sum[n](-y)", "-sum[n](y)"),
    "a divisor moves out": ("sum[n](y/b)", "sum[n](y/b)", "(1/b)*sum[n](y)"),
    "a divisor along the axis is a factor": (
        "sum[n](y/(1 + b^2*u^2))",
        "sum[n](y/(((b**2)*(u**2)) + 1))",
        "sum[n](y, 1/(((b**2)*(u**2)) + 1))",
    ),
    "a product in a sum is its operands": ("sum[k](w*(x*b))", "sum[k](x, w, b)", "b*sum[k](x, w)"),
    "a square in a sum is two operands": ("sum[n](y^2)", "sum[n](y**2)", "sum[n](y, y)"),
    "contractions merge": ("sum[k](w*sum[j](A*v))", "sum[k](w, sum[j](A, v))", "sum[k, j](A, w, v)"),
    "contractions over rows merge": ("sum[n](sum[k](x*w)*y)", "sum[n](y, sum[k](x, w))", "sum[n, k](x, y, w)"),
    "a sum without the axis moves out": ("sum[n](y*sum[k](w))", "sum[n](y, sum[k](w))", "sum[k](w)*sum[n](y)"),
    "a length moves out": ("sum[n](size[n]*y)", "sum[n](y, size(n))", "size(n)*sum[n](y)"),
}
DEARER = (
    "a divisor along the axis is a factor",
    "a product in a sum is its operands",
    "contractions over rows merge",
    "a length moves out",
)
"""Rules that pay only once the contraction is ordered, or what is left is computed at bind."""
# What must stay as it is.
TENSOR_KEEPS: dict[str, tuple[str, str]] = {
    "a sum of terms": ("sum[n](b*y - u)", "sum[n]((b*y) - u)"),
    "an axis that the others have": ("sum[n](x*sum[k](x*w))", "sum[n](x, sum[k](x, w))"),
    "a function of the factor": ("sum[n](sin(b*y))", "sum[n](sin((b*y)))"),
    "an axis of its own": ("sum[k](x*w)", "sum[k](x, w)"),
}


@pytest.mark.parametrize("name", TENSOR)
def test_a_rule_fires(name: str) -> None:
    text, before, after = TENSOR[name]
    of = program(text)
    assert formula(value(of)) == before
    new = checked(simplify_tensors(of))
    assert formula(value(new)) == after
    assert value(new).names == value(of).names
    assert value(new).dtype == value(of).dtype
    same_values(of, new)


@pytest.mark.parametrize("name", [name for name in TENSOR if name not in DEARER])
def test_a_rule_lowers_the_cost(name: str) -> None:
    of = program(TENSOR[name][0])
    assert whole_cost(simplify_tensors(of)) <= whole_cost(of)


@pytest.mark.parametrize("name", TENSOR_KEEPS)
def test_a_rule_keeps_out(name: str) -> None:
    text, stays = TENSOR_KEEPS[name]
    new = simplify_tensors(program(text))
    assert formula(value(new)) == stays
    same_values(program(text), new)


def test_a_shared_contraction_is_computed_once() -> None:
    of = program("sum[n](y*z) + sum[n](sin(z))", "z = sum[k](x*w)\n")
    assert formula(value(simplify_tensors(of))) == "sum[n](sin(sum[k](x, w))) + sum[n](y, sum[k](x, w))"


def test_a_product_that_is_needed_anyway_stays() -> None:
    of = program("sum[n](z) + sum[n](sin(z))", "z = y*u*b\n")
    assert formula(value(simplify_tensors(of))) == "sum[n]((u*y)*b) + sum[n](sin(((u*y)*b)))"


def test_a_sum_over_an_axis_that_nothing_has_is_its_length() -> None:
    graph = Graph()
    n, k = Axis("n", data_length("n")), Axis("k", Integer(3))
    x = graph.leaf("input", "x", [n])
    assert formula(graph.contract([x], [k])) == "3*x"
    assert formula(graph.contract([x], [n, k])) == "3*sum[n](x)"
    assert formula(graph.contract([graph.constant(2)], [n])) == "2*size(n)"


def test_a_sum_over_a_broadcast_is_its_length() -> None:
    graph = Graph()
    n, k = Axis("n", data_length("n")), Axis("k", Integer(3))
    y, b = graph.leaf("input", "y", [n]), graph.leaf("parameter", "b", [])
    # A broadcast inside a Map or a Contract is taken off, and one that is itself summed counts.
    of = replace(program("b"), graph=graph, outputs=(("value", graph.contract([graph.spread(y, [k])], [n, k])),))
    of = replace(of, objectives=(), metrics=(), named=(), parameters=())
    assert formula(value(simplify_tensors(of))) == "3*sum[n](y)"
    wide = graph.map(sympy.sin(_0), [graph.spread(b, [n])])
    of = replace(of, outputs=(("value", graph.contract([wide], [n])),))
    assert formula(value(simplify_tensors(of))) == "sin(b)*size(n)"
    # One that is not summed is still there in what is asked for.
    of = simplify_tensors(replace(of, outputs=(("value", wide),)))
    assert formula(value(of)) == "spread[n](sin(b))"


def test_a_scatter_of_a_broadcast_counts_the_axes_that_are_gone() -> None:
    """A value that turns out not to depend on the summed axis still counts at each of its positions."""
    graph = Graph()
    n, k, j = (Axis(name, data_length(name)) for name in ("n", "k", "j"))
    t = graph.leaf("input", "t", [n], "int")
    g = graph.leaf("input", "g", [n, j])
    placed = graph.scatter(g, t, k, [n, j])
    assert placed.names == ("k",)
    assert formula(graph.scatter(graph.constant(1), t, k, [n, j])) == "scatter[k](1, t)*size(j)"
    # What only the value has is summed before, also where the index had it and has lost it.
    assert formula(placed) == "scatter[k](sum[j](g), t)"
    wide = graph.scatter(g, graph.map(_0 + _1, [t, graph.index(j)]), k, [n, j])
    assert isinstance(wide, Scatter)
    assert graph.remake(wide, [g, t]) is placed


def test_what_goes_to_one_place_is_summed_before() -> None:
    """An index that turns out not to depend on an axis: all of the gradient along it goes where the index says."""
    everything_agrees(
        "axis k: 3, j: 2\ninput x[j]\nparam w[k] = 0.3, z[j] = 0.4\nh = exp(z) * x\n"
        "minimize sum(sin(w)[k = argmax[k](h - x - h + w + x)] * z)\n"
    )


def test_a_scattered_scalar_moves_out() -> None:
    of, _ = compiled(f"{HEAD}minimize sum(b*y*w[k=t]/3)\n")
    assert formula(of.program.gradients["loss"]["w"]) == "(scatter[k](y, t)/3)*b"
    written = differentiate(of.elaborated)
    for lengths in LENGTHS:
        data, free = numbers(written, lengths)
        (truth,) = evaluate(written, [written.gradients["loss"]["w"]], data, free)
        (found,) = evaluate(of.program, [of.program.gradients["loss"]["w"]], data, free)
        np.testing.assert_allclose(np.asarray(found), np.asarray(truth), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------ pointwise forms

POINTWISE: dict[str, tuple[str, str]] = {
    "factored": ("y*w[k=t] + y*b", "(b + gather[n](w, t))*y"),
    "factored, an array": ("y*b - u*b", "(-u + y)*b"),
    "a common divisor": ("y/b + u/b", "(1/b)*(u + y)"),
    "exponents combined": ("exp(y*b)*exp(u*b)", "exp(((b*u) + (b*y)))"),
    "a root of a square": ("sqrt(b^2)*y", "Abs(b)*y"),
    "a root of a positive square": ("sqrt(c^2)*y", "exp(c)*y"),
    "cancelled": ("y*b/(b*u)", "y/u"),
    "terms cancelled": ("(y + b) - b", "y"),
    "a logarithm undone": ("log(exp(y*b))", "b*y"),
    "equal terms counted": ("sin(y*b) + sin(y*b) + sin(y*b)", "3*sin((b*y))"),
    "complements": ("y*(1 - sigmoid(b*y)) + y*sigmoid(b*y)", "y"),
    "factored, inside a function": ("sin(b*y + b*u)", "sin(((u + y)*b))"),
    "terms of one array collected": ("b*y - c*y + u", "((b - exp(c))*y) + u"),
    "fractions joined": ("1 - b*u/(1 + b*u)", "1/((b*u) + 1)"),
    "small axes first": ("(y*b)*(u*c)", "(b*exp(c))*(u*y)"),
    "sigmoid and its complement": ("(1 - y)*sigmoid(b*u) - y*sigmoid(-b*u)", "sigmoid((b*u)) - y"),
    "softplus and its complement": ("(1 - y)*softplus(b*u) + y*softplus(-b*u)", "-((u*y)*b) + softplus((b*u))"),
}
POINTWISE_KEEPS: dict[str, tuple[str, str]] = {
    "a logarithm of what may be negative": ("log(b^2)", "log((b**2))"),
    "a root of what may be negative": ("sqrt(b*y)", "sqrt((b*y))"),
    "a power that is not whole": ("(b*y)^0.5", "sqrt((b*y))"),
    "sines": ("sin(y*b)^2 + cos(y*b)^2 - 1/(1 + b)", "(-(1/(b + 1)) + (sin((b*y))**2)) + (cos((b*y))**2)"),
    "a product of complements": ("sigmoid(b*y)*sigmoid(-b*y)", "sigmoid((-(b*y)))*sigmoid((b*y))"),
}


@pytest.mark.parametrize("name", POINTWISE)
def test_a_form_is_found(name: str) -> None:
    text, after = POINTWISE[name]
    of = program(text)
    new = checked(simplify_pointwise(of))
    assert formula(value(new)) == after
    assert whole_cost(new) < whole_cost(of)
    same_values(of, new)


@pytest.mark.parametrize("name", POINTWISE_KEEPS)
def test_a_form_that_does_not_hold_is_not_taken(name: str) -> None:
    text, stays = POINTWISE_KEEPS[name]
    new = simplify_pointwise(program(text))
    assert formula(value(new)) == stays


def test_what_is_used_twice_is_not_taken_apart() -> None:
    of = program("sin(z) + z*b", "z = y*b + u*c\noutput z\n")
    new = simplify_pointwise(of)
    z = dict(new.outputs)["z"]
    assert any(z in node.operands for node in reachable([value(new)]))


@pytest.mark.parametrize(
    ("new", "old", "holds"),
    [
        (_0 + _1, _1 + _0, True),
        (sympy.sin(_0) ** 2, 1 - sympy.cos(_0) ** 2, True),
        (_0, sympy.Abs(_0), False),
        (p0, sympy.Abs(p0), True),
        (2 * sympy.log(_0), sympy.log(_0**2), False),
        (_0 + Integer(1) / 10**6, _0, False),
        (_0 * _2, _0 * _1, False),
        (f.sigmoid(-_0), 1 - f.sigmoid(_0), True),
        (1 / _0, sympy.exp(_0), False),
    ],
)
def test_the_gate(new: Expr, old: Expr, holds: bool) -> None:
    assert agree(new, old) is holds


def test_a_wrong_form_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that gives something cheaper and wrong can do no harm."""

    def wrong(expression: Expr) -> Expr | None:
        return _0 if expression.has(_0) else None

    rule = Rule("pointwise.wrong", "x + y", "x", "It is wrong.", "none")
    monkeypatch.setattr("gradc.compiler.simplify.pointwise.FORMS", ((rule, wrong),))
    of = program("sin(y)*b + u")
    assert (rule, _0) in set(candidates(sympy.sin(_0) + _1, Rewrites()))
    assert formula(value(simplify_pointwise(of))) == "(b*sin(y)) + u"


# -------------------------------------------------------------------------------------------------------------- windows


def _chain(graph: Graph, length: int) -> Map:
    node: Node = graph.leaf("input", "y", [Axis("n", data_length("n"))])
    for i in range(length):
        node = graph.map(sympy.sin(_0), [graph.map(_0 + Integer(i), [node])])
    assert isinstance(node, Map)
    return node


def test_a_window_is_bounded_in_operations() -> None:
    seen = window(_chain(Graph(), 100), lambda inner: True)
    assert seen.inside == LARGEST
    assert len(seen.operands) == 1
    assert window(_chain(Graph(), 100), lambda inner: True, 4).inside == 4


def test_a_window_ends_where_it_may_not_enter() -> None:
    graph = Graph()
    n = Axis("n", data_length("n"))
    y, u = graph.leaf("input", "y", [n]), graph.leaf("input", "u", [n])
    inner = graph.map(_0 * _1, [y, u])
    root = graph.map(exp(_0), [graph.map(_0 + _1, [inner, u])])
    assert isinstance(root, Map)
    seen = window(root, lambda node: node is not inner)
    assert [formula(node) for node in seen.operands] == ["u", "u*y"]
    assert seen.expression == exp(_0 + _1)
    assert build(graph, seen.expression, seen.operands) is root


def test_a_window_knows_signs() -> None:
    graph = Graph()
    c = graph.map(exp(_0), [graph.leaf("parameter", "c", [])])
    root = graph.map(sympy.sqrt(_0), [graph.map(_0**2, [c])])
    assert isinstance(root, Map)
    assert window(root, lambda node: node is not c).expression == p0


def test_a_window_without_a_real_value_is_left() -> None:
    graph = Graph()
    c = graph.map(exp(_0), [graph.leaf("parameter", "c", [])])
    root = graph.map(sympy.sqrt(_0), [graph.map(-_0, [c])])
    assert isinstance(root, Map)
    seen = window(root, lambda node: True)
    assert seen.inside == 1
    assert not seen.expression.has(sympy.I)


# ----------------------------------------------------------------------------------------------- sums of scalar columns


def stacks(of: Program) -> list[str]:
    return [formula(n) for n in reachable(of.roots()) if isinstance(n, Stack)]


STACKED = {
    "a line": (
        "b*y + c",
        "sum[2terms](stack[n, 2terms](y, 1), stack[2terms](b, exp(c)))",
    ),
    "a polynomial": (
        "b + c*y + d*y^2",
        "sum[3terms](stack[n, 3terms](1, y, y**2), stack[3terms](b, exp(c), d))",
    ),
    "what is not linear stands beside": (
        "b*y + c*u + sin(b*y)",
        "sin((b*y)) + sum[2terms](stack[n, 2terms](y, u), stack[2terms](b, exp(c)))",
    ),
    "a number beside a parameter": (
        "3*b*y - c*u/2",
        "sum[2terms](stack[n, 2terms](y, u), stack[2terms](3*b, -exp(c)/2))",
    ),
}


@pytest.mark.parametrize("name", STACKED)
def test_a_sum_of_columns_is_one_matrix_product(name: str) -> None:
    text, after = STACKED[name]
    of = program(text, "param d = 1\n")
    assert formula(value(checked(stack_terms(of)))) == after


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_stacked_model_has_the_same_value_and_gradient(name: str, rows: int) -> None:
    text = f"input y[n], u[n]\nparam b = 1, c > 0 = 1, d = 1\nv = {STACKED[name][0]}\n"
    text += "output v\nminimize mean((v - u)^2) + d^2\n"
    of, module = compiled(text)
    assert stacks(stack_terms(of.program))
    data = sample(module, seed=rows, lengths={"n": rows})
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta)
    loss, gradient = module.bind(data)(theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-13
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-12
    assert distance(module.predict(theta, data)["v"], truth.outputs["v"]) < 1e-13


def test_sums_against_the_same_columns_are_one_product() -> None:
    before = "r = sin(b*y) - u\noutput p = sum[n](r), q = sum[n](r*y), s = sum[n](r*u)\n"
    new = checked(stack_terms(program("b*1", before)))
    assert stacks(new) == ["stack[n, 3terms](y, u, 1)"]
    assert len([n for n in reachable(new.roots()) if isinstance(n, Contract)]) == 1
    text = f"input y[n], u[n]\nparam b = 1\n{before}minimize p^2 + q^2 + s^2\n"
    of, module = compiled(text)
    data = sample(module, seed=2)
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta)
    for name, found in module.predict(theta, data).items():
        assert distance(found, truth.outputs[name]) < 1e-13
    assert distance(module.bind(data)(theta)[1], truth.loss_and_gradient[1]) < 1e-12


@pytest.mark.parametrize(
    "text",
    [
        "b*y",  # one term
        "b*y + u",  # one parameter
        "b*x + c",  # not along the rows alone
        "w*b + c",  # no rows at all
        "b*sin(c*y) + c",  # a column that is not known at bind
        "b*y + c*y",  # one column
    ],
)
def test_what_is_no_sum_of_columns_is_not_stacked(text: str) -> None:
    new = stack_terms(program(text))
    assert not stacks(new)
    assert formula(value(new)) == formula(value(program(text)))


# ------------------------------------------------------------------------------------------------------------- the cost


def test_arrays_cost_more_than_scalars_and_what_is_known_at_bind_hardly_anything() -> None:
    of = program("b*c", "output early = sin(y), late = sin(b*y), cheap = b + y\n")
    price = {name: total(node, (), of.rows) for name, node in of.outputs}
    assert price["early"] < price["value"] < price["cheap"] < price["late"]


def test_what_is_shared_costs_once() -> None:
    of = program("sin(z) + cos(z)", "z = exp(b*y)\noutput z, once = sin(z)\n")
    price = {name: total(node, (), of.rows) for name, node in of.outputs}
    assert price["value"] < price["once"] + price["once"]
    assert total(value(of), [dict(of.outputs)["z"]], of.rows) == pytest.approx(price["value"] - price["z"])


# ---------------------------------------------------------------------------------------------- every pass on any model


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_alone_changes_no_value_no_axis_and_no_type(name: str) -> None:
    """Of every root and every named value of generated models, gradients included."""

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(text=models())
    def unchanged(text: str) -> None:
        try:
            of = compiled(text, without=tuple(PASSES))
        except ModelError:
            return
        module, written = of[1], differentiate(of[0].elaborated)
        new = checked(PASSES[name](written))
        data = sample(module, seed=4)
        theta = start(module, data, seed=5)
        free = {n: np.asarray(theta[at].reshape(shape)) for n, (at, shape) in module.layout(data).items()}
        roots = [o.value for o in written.objectives] + [n for _, n in (*written.outputs, *written.metrics)]
        roots += list(written.gradients[written.objectives[0].name].values())
        after = [o.value for o in new.objectives] + [n for _, n in (*new.outputs, *new.metrics)]
        after += list(new.gradients[new.objectives[0].name].values())
        assert [set(n.names) for n in after] == [set(n.names) for n in roots]
        assert [n.dtype for n in after] == [n.dtype for n in roots]
        if any(isinstance(node, Factor) for node in reachable(after)):
            return  # The reference has none; tests of the factor compare the module's.
        exact = evaluate(written, roots, data, free, 30)
        plain = evaluate(written, roots, data, free)
        found = evaluate(new, after, data, free)
        for before, node, truth, rough, got in zip(roots, after, exact, plain, found, strict=True):
            if before.dtype != "float":
                continue
            order = [node.names.index(n) for n in before.names]
            lost = distance(np.asarray(rough), np.asarray(truth, dtype=np.float64))
            if lost < 1e-6:
                assert (
                    distance(np.asarray(got).transpose(order), np.asarray(truth, dtype=np.float64)) < 1e-9 + 1e4 * lost
                )

    with np.errstate(all="ignore"):
        unchanged()
