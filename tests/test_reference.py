"""The reference evaluator against plain NumPy, every kind of node; the numerical gradients against calculus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Integer, Rational

from gradc.compiler import functions as f
from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.graph import (
    Axis,
    Graph,
    Initial,
    Input,
    Leaf,
    Node,
    Parameter,
    Program,
    data_length,
    placeholder,
)
from gradc.compiler.reference import MissingValue, ShapeMismatch, evaluate, numeric_gradient
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
N = Axis("n", data_length("n"))
D = Axis("d", Integer(3))
K = Axis("k", Integer(4))
RNG = np.random.default_rng(7)


class Small:
    """A program of one graph, put together by hand."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.inputs: list[Input] = []
        self.parameters: list[Parameter] = []
        self.values: dict[str, Any] = {}
        self.free: dict[str, Any] = {}

    def input(self, name: str, axes: Sequence[Axis], value: Any, dtype: str = "float") -> Leaf:
        leaf = self.graph.leaf("input", name, axes, dtype)
        self.inputs.append(Input(name, tuple(axes), leaf, dtype))
        self.values[name] = value
        return leaf

    def parameter(self, name: str, axes: Sequence[Axis], value: Any) -> Leaf:
        leaf = self.graph.leaf("parameter", name, axes)
        self.parameters.append(Parameter(name, tuple(axes), leaf, leaf, Initial("constant", (0.0,))))
        self.free[name] = value
        return leaf

    def program(self) -> Program:
        return Program(self.graph, (N, D, K), "n", tuple(self.parameters), tuple(self.inputs), (), (), (), ())

    def __call__(self, node: Node, digits: int | None = None) -> Any:
        return evaluate(self.program(), [node], self.values, self.free, digits)[0]

    def numeric(self, node: Node, **more: Any) -> Any:
        return numeric_gradient(self.program(), node, self.values, self.free, **more)


@pytest.fixture
def small() -> Small:
    return Small()


X = RNG.normal(size=(5, 3))
W = RNG.normal(size=(3, 4))


def test_leaves_come_in_the_order_in_which_their_axes_are_written(small: Small) -> None:
    small.input("first", [N, D], X)
    turned = small.input("turned", [D, N], X.T)
    assert turned.names == ("n", "d")
    np.testing.assert_array_equal(small(turned), X)


def test_constants_sizes_and_indices(small: Small) -> None:
    small.input("x", [N, D], X)
    assert small(small.graph.constant(Rational(1, 3))) == 1 / 3
    assert small(small.graph.constant(10**30)) == 1e30
    assert small(small.graph.size(N.length - 1)) == 4
    np.testing.assert_array_equal(small(small.graph.index(N)), np.arange(5))


def test_a_map_broadcasts_by_name(small: Small) -> None:
    x, w = small.input("x", [N, D], X), small.parameter("w", [D, K], W)
    b = small.parameter("b", [N], X[:, 0])
    node = small.graph.map(_0 * sympy.exp(_1) - _2 / 3, [x, w, b])
    assert node.names == ("n", "d", "k")
    np.testing.assert_allclose(small(node), X[:, :, None] * np.exp(W) - X[:, :1, None] / 3, rtol=1e-15)


def test_truth_values_count_as_numbers_in_arithmetic(small: Small) -> None:
    x = small.input("x", [N, D], X)
    positive = small.graph.map(f.less(Integer(0), _0), [x])
    assert positive.dtype == "bool"
    assert small(positive).dtype == np.bool_
    np.testing.assert_array_equal(small(small.graph.map(_0 + _1 * 2, [positive, positive])), 3.0 * (X > 0))


def test_whole_numbers_stay_whole(small: Small) -> None:
    k = small.graph.index(K)
    node = small.graph.map(2 * _0 + 1, [k])
    assert node.dtype == "int"
    assert small(node).dtype == np.int64
    np.testing.assert_array_equal(small(node), [1, 3, 5, 7])


POINTWISE: list[tuple[Any, Callable[..., Any], float]] = [
    (sympy.exp(_0), np.exp, 0.0),
    (sympy.log(_0), np.log, 2.0),
    (sympy.sqrt(_0), np.sqrt, 2.0),
    (_0 ** Rational(2, 3), lambda x: x ** (2 / 3), 2.0),
    (_0**-2, lambda x: x**-2.0, 0.0),
    (sympy.pi * _0, lambda x: np.pi * x, 0.0),
    (sympy.sin(_0), np.sin, 0.0),
    (sympy.cos(_0), np.cos, 0.0),
    (sympy.tan(_0), np.tan, 0.0),
    (sympy.cot(_0), lambda x: 1 / np.tan(x), 0.0),
    (sympy.sec(_0), lambda x: 1 / np.cos(x), 0.0),
    (sympy.csc(_0), lambda x: 1 / np.sin(x), 0.0),
    (sympy.asin(_0 / 4), lambda x: np.arcsin(x / 4), 0.0),
    (sympy.acos(_0 / 4), lambda x: np.arccos(x / 4), 0.0),
    (sympy.atan(_0), np.arctan, 0.0),
    (sympy.sinh(_0), np.sinh, 0.0),
    (sympy.cosh(_0), np.cosh, 0.0),
    (sympy.tanh(_0), np.tanh, 0.0),
    (sympy.sech(_0), lambda x: 1 / np.cosh(x), 0.0),
    (sympy.csch(_0), lambda x: 1 / np.sinh(x), 0.0),
    (sympy.coth(_0), lambda x: 1 / np.tanh(x), 0.0),
    (sympy.asinh(_0), np.arcsinh, 0.0),
    (sympy.acosh(_0), np.arccosh, 4.0),
    (sympy.atanh(_0 / 4), lambda x: np.arctanh(x / 4), 0.0),
    (sympy.Abs(_0), np.abs, 0.0),
    (sympy.sign(_0), np.sign, 0.0),
    (sympy.floor(_0), np.floor, 0.0),
    (sympy.ceiling(_0), np.ceil, 0.0),
    (f.sigmoid(_0), lambda x: 1 / (1 + np.exp(-x)), 0.0),
    (f.softplus(_0), lambda x: np.log(1 + np.exp(x)), 0.0),
    (f.relu(_0), lambda x: np.maximum(x, 0), 0.0),
    (f.step(_0), lambda x: (x > 0) * 1.0, 0.0),
    (f.log1p(_0), np.log1p, 2.0),
    (f.expm1(_0), np.expm1, 0.0),
    (f.as_float(_0), lambda x: x, 0.0),
    (f.maximum(_0, Rational(1, 2)), lambda x: np.maximum(x, 0.5), 0.0),
    (f.minimum(_0, Rational(1, 2)), lambda x: np.minimum(x, 0.5), 0.0),
    (f.power(_0, Integer(3)), lambda x: x**3, 0.0),
    (f.xlogy(_0, Integer(3)), lambda x: x * np.log(3), 0.0),
    (sympy.atan2(_0, Integer(2)), lambda x: np.arctan2(x, 2), 0.0),
    (f.where(f.less(_0, Integer(0)), _0, _0**2), lambda x: np.where(x < 0, x, x**2), 0.0),
]


@pytest.mark.parametrize(("expression", "formula", "shift"), POINTWISE, ids=lambda value: str(value)[:24])
def test_pointwise_functions(small: Small, expression: Any, formula: Callable[..., Any], shift: float) -> None:
    values = np.linspace(-1.9, 1.9, 8) + shift
    x = small.input("x", [N], values)
    node = small.graph.map(expression, [x])
    np.testing.assert_allclose(small(node), formula(values), rtol=4e-15, atol=1e-15)
    exact = small(node, digits=50)
    np.testing.assert_allclose(exact.astype(float), formula(values), rtol=4e-15, atol=1e-15)


@pytest.mark.parametrize(
    ("truth", "formula"),
    [
        (f.less(_0, _1), np.less),
        (f.less_equal(_0, _1), np.less_equal),
        (f.equal(_0, _1), np.equal),
        (f.unequal(_0, _1), np.not_equal),
        (f.both(_0, _1), np.logical_and),
        (f.either(_0, _1), np.logical_or),
        (f.negation(_0), lambda a, b: np.logical_not(a)),
    ],
)
def test_truths(small: Small, truth: Any, formula: Callable[..., Any]) -> None:
    first, second = np.array([0.0, 1, 2, 0]), np.array([1.0, 1, 0, 0])
    node = small.graph.map(truth, [small.input("a", [K], first), small.input("b", [K], second)])
    assert node.dtype == "bool"
    np.testing.assert_array_equal(small(node), formula(first, second))


def test_stable_where_the_plain_formula_is_not(small: Small) -> None:
    x = small.input("x", [K], np.array([-800.0, -1e-20, 40.0, 800.0]))
    np.testing.assert_array_equal(small(small.graph.map(f.softplus(_0), [x]))[[0, 3]], [0.0, 800.0])
    np.testing.assert_array_equal(small(small.graph.map(f.sigmoid(_0), [x]))[[0, 3]], [0.0, 1.0])
    assert small(small.graph.map(f.log1p(_0), [x]))[1] == -1e-20
    o, y = small.input("o", [], 0.0), small.input("y", [K], np.zeros(4))
    np.testing.assert_array_equal(small(small.graph.map(f.xlogy(_0, _1), [o, y])), np.zeros(4))
    assert small(small.graph.map(f.power(_0, _1), [o, small.input("p", [], 0)])) == 1.0


def test_what_a_where_does_not_choose_is_not_seen(small: Small) -> None:
    x = small.input("x", [K], np.array([-1.0, 0.0, 1.0, 4.0]))
    node = small.graph.map(f.where(f.less(Integer(0), _0), sympy.log(_0), Integer(0)), [x])
    np.testing.assert_array_equal(small(node), [0.0, 0.0, 0.0, np.log(4.0)])


def test_contract(small: Small) -> None:
    x, w = small.input("x", [N, D], X), small.parameter("w", [D, K], W)
    np.testing.assert_allclose(small(small.graph.contract([x, w], [D])), X @ W, rtol=1e-14)
    np.testing.assert_allclose(small(small.graph.contract([x, x], [N, D])), np.sum(X**2), rtol=1e-14)
    np.testing.assert_allclose(small(small.graph.contract([x], [N])), X.sum(0), rtol=1e-14)
    whole = small.graph.contract([x, w, x], [N, D])
    np.testing.assert_allclose(small(whole), np.einsum("nd,dk,nd->k", X, W, X), rtol=1e-13)
    np.testing.assert_allclose(small(small.graph.contract([w], [N])), 5 * W)


def test_contract_counts_truth_values(small: Small) -> None:
    x = small.input("x", [N, D], X)
    positive = small.graph.map(f.less(Integer(0), _0), [x])
    assert small(small.graph.contract([positive], [N, D])) == (X > 0).sum()


@pytest.mark.parametrize(
    ("operator", "formula"),
    [
        ("max", lambda x: x.max(1)),
        ("min", lambda x: x.min(1)),
        ("prod", lambda x: x.prod(1)),
        ("argmax", lambda x: x.argmax(1)),
        ("argmin", lambda x: x.argmin(1)),
        ("logsumexp", lambda x: np.log(np.exp(x).sum(1))),
    ],
)
def test_reduce(small: Small, operator: str, formula: Callable[[Any], Any]) -> None:
    node = small.graph.reduce(operator, small.input("x", [N, D], X), [D])
    np.testing.assert_allclose(small(node), formula(X), rtol=1e-14)
    np.testing.assert_allclose(small(node, digits=30).astype(float), formula(X), rtol=1e-14)
    every = small.graph.reduce(operator, small.inputs[0].leaf, [D, N])
    np.testing.assert_allclose(small(every), formula(X.reshape(1, -1))[0], rtol=1e-14)


def test_reduce_of_truths_and_of_infinities(small: Small) -> None:
    x = small.input("x", [N, D], np.where(X > 0, X, -np.inf))
    below = small.graph.map(f.less(_0, Integer(0)), [x])
    np.testing.assert_array_equal(small(small.graph.reduce("any", below, [N])), (X <= 0).any(0))
    np.testing.assert_array_equal(small(small.graph.reduce("all", below, [D])), (X <= 0).all(1))
    nothing = small.input("nothing", [D], np.full(3, -np.inf))
    assert small(small.graph.reduce("logsumexp", nothing, [D])) == -np.inf


@pytest.mark.parametrize(
    ("start", "step", "length", "drop", "key"),
    [
        (Integer(1), 1, N.length - 1, False, np.s_[1:]),
        (Integer(0), 2, sympy.floor((N.length + 1) / 2), False, np.s_[::2]),
        (N.length - 1, -1, N.length, False, np.s_[::-1]),
        (N.length - 1, 1, Integer(1), True, -1),
    ],
)
def test_slice_and_its_adjoint(small: Small, start: Any, step: int, length: Any, drop: bool, key: Any) -> None:
    small.graph.rank("d")
    x = small.input("x", [N, D], X)
    taken = small.graph.slice(x, "n", start, step, length, drop)
    expected = X[key] if drop else X[key].T
    np.testing.assert_array_equal(small(taken), expected)
    placed = np.zeros_like(X)
    placed[key] = X[key]
    back = small.graph.place_slice(taken, N, start, step, length, drop)
    np.testing.assert_array_equal(small(back), placed.T)


def test_slice_outside_its_axis(small: Small) -> None:
    x = small.input("x", [N, D], X)
    with pytest.raises(IndexError, match="outside n of length 5"):
        small(small.graph.slice(x, "n", Integer(3), 1, Integer(4), False))


def test_gather_and_scatter(small: Small) -> None:
    label = np.array([3, 0, 2, 0, 1])
    index = small.input("label", [N], label, "int")
    table = small.parameter("table", [K, D], W.T)
    read = small.graph.gather(table, index, "k")
    assert read.names == ("n", "d")
    np.testing.assert_array_equal(small(read), W.T[label])
    logits = small.input("logits", [N, K], X @ W)
    picked = small.graph.gather(logits, index, "k")
    assert picked.names == ("n",)
    np.testing.assert_array_equal(small(picked), (X @ W)[np.arange(5), label])

    x = small.input("x", [N, D], X)
    added = small.graph.scatter(x, index, K, [N])
    assert set(added.names) == {"k", "d"}
    expected = np.zeros((4, 3))
    np.add.at(expected, label, X)
    got = small(added)
    np.testing.assert_allclose(got if added.names == ("k", "d") else got.T, expected)
    placed = small.graph.scatter(picked, index, K, [])
    assert placed.names == ("n", "k")
    np.testing.assert_array_equal(small(placed).sum(1), small(picked))
    np.testing.assert_array_equal(small(placed)[np.arange(5), label], small(picked))


def test_scatter_counts_a_summed_axis_that_nothing_has(small: Small) -> None:
    small.input("x", [N, D], X)
    index = small.input("place", [D], np.array([1, 1, 0]), "int")
    one = small.graph.spread(small.graph.constant(1), [D])
    node = small.graph.scatter(one, index, K, [D, N])
    np.testing.assert_array_equal(small(node), [5.0, 10.0, 0.0, 0.0])


def test_gather_along_the_axis_of_its_own_index(small: Small) -> None:
    order = np.array([2, 0, 0, 1])
    x = small.input("x", [K], np.array([10.0, 11, 12, 13]))
    index = small.input("order", [K], order, "int")
    np.testing.assert_array_equal(small(small.graph.gather(x, index, "k")), [12.0, 10, 10, 11])
    added = small.graph.scatter(x, index, K, [])
    np.testing.assert_array_equal(small(added), [11.0 + 12, 13, 10, 0])


def test_gather_outside_its_axis(small: Small) -> None:
    index = small.input("label", [N], np.array([0, 4, 0, 0, 0]), "int")
    table = small.parameter("table", [K], np.ones(4))
    with pytest.raises(IndexError, match="indices 0 to 4 lie outside k of length 4"):
        small(small.graph.gather(table, index, "k"))


def test_relabel_spread_and_stop(small: Small) -> None:
    x = small.parameter("x", [N, D], X)
    y = small.graph.relabel(x, {"n": "m", "d": "n"})
    assert set(y.names) == {"m", "n"}
    np.testing.assert_array_equal(small(y) if y.names == ("m", "n") else small(y).T, X)
    wide = small.graph.spread(x, [K])
    np.testing.assert_array_equal(small(wide), np.broadcast_to(X[:, :, None], (5, 3, 4)))
    np.testing.assert_array_equal(small(small.graph.stop(x)), X)


def test_a_long_chain_does_not_recurse(small: Small) -> None:
    node: Node = small.input("x", [], 1.0)
    for _ in range(3000):
        node = small.graph.map(_0 + f.sigmoid(_0) * 0 + Rational(1, 1000), [node])
    assert small(node) == pytest.approx(4.0)


def test_complex_values_pass_through(small: Small) -> None:
    small.input("x", [K], np.array([0.5 + 1e-20j, 1.0, -2.0, 3.0]))
    node = small.graph.map(f.softplus(_0) + f.log1p(_0**2) * sympy.tanh(_0), [small.inputs[0].leaf])
    slope = small(node).imag[0] / 1e-20
    x = sympy.Symbol("x")
    truth = sympy.diff(sympy.log(1 + sympy.exp(x)) + sympy.log(1 + x**2) * sympy.tanh(x), x)
    assert slope == pytest.approx(float(truth.subs(x, 0.5)), rel=1e-14)


def test_fifty_digits(small: Small) -> None:
    node = small.graph.map(f.softplus(_0), [small.input("x", [], 100.0)])
    with mpmath.workdps(50):
        assert small(node, digits=50).item() - 100 == pytest.approx(mpmath.exp(-100), rel=1e-6)


def test_values_that_do_not_fit(small: Small) -> None:
    x = small.input("x", [N, D], X)
    y = small.input("y", [N], np.ones(4))
    with pytest.raises(ShapeMismatch, match=r"y: expected shape \(5\), found \(4,\)"):
        small(small.graph.map(_0 + _1, [x, y]))
    small.values["x"] = np.ones((5, 2))
    with pytest.raises(ShapeMismatch, match=r"x: expected shape \(5, 3\)"):
        small(x)
    small.values["x"] = np.ones(5)
    with pytest.raises(ShapeMismatch, match=r"x: expected shape \(n, 3\)"):
        small(x)
    del small.values["x"]
    with pytest.raises(MissingValue, match="no value for the input x"):
        small(x)


# ------------------------------------------------------------------------------------------------- numerical gradients


def test_complex_step_where_the_graph_is_analytic(small: Small) -> None:
    x, w = small.input("x", [N, D], X), small.parameter("w", [K, D], W.T)
    loss = small.graph.contract([small.graph.map(f.softplus(_0), [small.graph.contract([x, w], [D])])], [N, K])
    found = small.numeric(loss)["w"]
    assert found.method == "complex step"
    expected = (1 / (1 + np.exp(-X @ W))).T @ X
    np.testing.assert_allclose(found.gradient.reshape(4, 3), expected, rtol=1e-13)
    assert (found.error < 1e-13).all()


def test_differences_where_it_is_not(small: Small) -> None:
    x, w = small.input("x", [N, D], X), small.parameter("w", [D], W[:, 0])
    loss = small.graph.contract([small.graph.map(f.relu(_0) ** 2, [small.graph.contract([x, w], [D])])], [N])
    found = small.numeric(loss)["w"]
    assert found.method == "differences"
    expected = 2 * np.maximum(X @ W[:, 0], 0) @ X
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-8)
    assert (np.abs(found.gradient - expected) <= 10 * found.error).all()


def test_a_complex_step_where_differences_reach_over_corners(small: Small) -> None:
    """Of |w - 1|, |w - 1.0001|, ... every difference sees other corners, and the point lies between two of them."""
    corners = 1 + 1e-4 * np.arange(1000)
    x, w = small.input("x", [Axis("n", Integer(1000))], corners), small.parameter("w", [], 1.03004)
    loss = small.graph.contract(
        [small.graph.map(sympy.Abs(_0 - _1) * sympy.exp(_1), [x, w])], [Axis("n", Integer(1000))]
    )
    found = small.numeric(loss)["w"]
    assert found.method == "complex step beside corners"
    value = np.sign(1.03004 - corners) + np.abs(1.03004 - corners)
    np.testing.assert_allclose(found.gradient, np.exp(1.03004) * value.sum(), rtol=1e-8)


def test_a_corner_itself_has_no_derivative(small: Small) -> None:
    w = small.parameter("w", [], 0.0)
    found = small.numeric(small.graph.map(sympy.Abs(_0), [w]))["w"]
    assert found.method == "differences"


def test_a_condition_on_data_alone_is_analytic(small: Small) -> None:
    x, w = small.input("x", [N], X[:, 0]), small.parameter("w", [], 0.3)
    loss = small.graph.contract([small.graph.map(f.where(f.less(_0, Integer(0)), _1**2, _0 * _1), [x, w])], [N])
    found = small.numeric(loss)["w"]
    assert found.method == "complex step"
    assert found.gradient[0] == pytest.approx(np.where(X[:, 0] < 0, 0.6, X[:, 0]).sum())


def test_the_method_is_chosen_for_each_parameter(small: Small) -> None:
    v, w = small.parameter("v", [], 0.7), small.parameter("w", [], -0.2)
    loss = small.graph.map(sympy.Abs(_0) * sympy.exp(_1), [v, w])
    found = small.numeric(loss)
    assert (found["v"].method, found["w"].method) == ("differences", "complex step")
    assert list(small.numeric(loss, names=["w"])) == ["w"]


def test_what_stands_behind_a_stop_is_held(small: Small) -> None:
    w = small.parameter("w", [], 3.0)
    loss = small.graph.map(_0 * _1, [w, small.graph.stop(w)])
    assert small.numeric(loss)["w"].gradient[0] == pytest.approx(3.0)


def test_a_branch_point_is_seen(small: Small) -> None:
    w = small.parameter("w", [D], np.zeros(3))
    loss = small.graph.map(sympy.sqrt(_0), [small.graph.contract([w, w], [D])])
    found = small.numeric(loss)["w"]
    assert found.method == "differences"
    np.testing.assert_allclose(found.gradient, 0, atol=1e-9)


def test_a_few_coordinates_of_a_large_parameter(small: Small) -> None:
    w = small.parameter("w", [K, D], W.T)
    found = small.numeric(small.graph.contract([w, w], [K, D]), most=5)["w"]
    np.testing.assert_array_equal(found.coordinates, [0, 2, 4, 7, 9])
    np.testing.assert_allclose(found.gradient, 2 * W.T.reshape(-1)[found.coordinates])


def test_a_parameter_that_the_objective_does_not_need(small: Small) -> None:
    small.parameter("unused", [D], np.ones(3))
    w = small.parameter("w", [], 2.0)
    np.testing.assert_array_equal(small.numeric(small.graph.map(_0**2, [w]))["unused"].gradient, np.zeros(3))


MODELS = Path(__file__).parent / "models"


@pytest.mark.parametrize("name", ["thermometer", "cubic", "decay", "logistic", "digits", "transfer", "mixture"])
def test_reverse_mode_agrees_with_numerical_differentiation(name: str) -> None:
    program = differentiate(elaborate(parse(Source(name, (MODELS / f"{name}.model").read_text()))))
    rng = np.random.default_rng(3)
    lengths = {data_length(axis.name): 4 + i for i, axis in enumerate(program.axes)}

    def shape(axes: Sequence[Axis]) -> list[int]:
        return [int(axis.length.xreplace(lengths)) for axis in axes]

    values: dict[str, Any] = {}
    for given in program.inputs:
        if given.indexes is not None:
            values[given.name] = rng.integers(0, shape([given.indexes])[0], shape(given.axes))
        else:
            values[given.name] = rng.normal(size=shape(given.axes))
    free = {p.name: 0.3 * rng.normal(size=shape(p.axes)) for p in program.parameters}
    objective = program.objectives[0]
    numeric = numeric_gradient(program, objective.value, values, free, objective.over, most=6)
    assert list(numeric) == list(objective.over)
    for parameter in program.parameters:
        if parameter.name in numeric:
            estimate = numeric[parameter.name]
            node = program.gradients[objective.name][parameter.name]
            found = evaluate(program, [program.graph.spread(node, parameter.leaf.axes)], values, free)[0]
            order = [parameter.leaf.names.index(axis.name) for axis in parameter.axes]
            mine = found.transpose(order).reshape(-1)[estimate.coordinates]
            tolerance = 10 * estimate.error + 1e-12 * np.abs(mine).max()
            assert (np.abs(mine - estimate.gradient) <= tolerance).all(), parameter.name


def test_only_scalars_are_differentiated(small: Small) -> None:
    w = small.parameter("w", [D], np.ones(3))
    with pytest.raises(ValueError, match="must be a scalar"):
        small.numeric(w)
