"""What `inspect` shows: gradients as formulas, values, listings. Graphs are put together by hand."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

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
    Objective,
    Parameter,
    Program,
    data_length,
    placeholder,
)
from gradc.compiler.inspect import (
    UnknownName,
    dump,
    formulas,
    inspect_json,
    inspect_latex,
    inspect_text,
    values,
)
from gradc.compiler.inspect.latex import latex
from gradc.compiler.inspect.text import text
from gradc.compiler.inspect.write import Writer, names_of
from gradc.compiler.reference import evaluate
from gradc.compiler.simplify.tensor import simplify_tensors
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
N = Axis("n", data_length("n"))
D = Axis("d", data_length("d"))
K = Axis("k", Integer(4))
T = Axis("t", data_length("t"))


class Model:
    """A program put together by hand."""

    def __init__(self) -> None:
        self.graph = Graph()
        for axis in (N, T, D, K):
            self.graph.rank(axis.name)
        self.inputs: list[Input] = []
        self.parameters: list[Parameter] = []
        self.named: list[tuple[str, Node]] = []
        self.objectives: list[Objective] = []

    def input(self, name: str, *axes: Axis, dtype: str = "float") -> Leaf:
        leaf = self.graph.leaf("input", name, axes, dtype)
        self.inputs.append(Input(name, axes, leaf, dtype))
        return leaf

    def parameter(self, name: str, *axes: Axis, positive: bool = False) -> Node:
        leaf = self.graph.leaf("parameter", name, axes)
        value = self.map(sympy.exp(_0), leaf) if positive else leaf
        start = Initial("constant", (1.0,))
        self.parameters.append(Parameter(name, axes, leaf, value, start, 0.0 if positive else None))
        return self.name(name, value)

    def map(self, expression: Any, *operands: Node) -> Node:
        return self.graph.map(expression, operands)

    def name(self, name: str, node: Node) -> Node:
        self.named.append((name, node))
        return node

    def minimize(self, node: Node, name: str = "loss", sense: str = "minimize", over: Sequence[str] = ()) -> None:
        trained = tuple(over) or tuple(p.name for p in self.parameters)
        self.objectives.append(Objective(name, node, trained, sense))

    def program(self, outputs: Sequence[tuple[str, Node]] = ()) -> Program:
        return Program(
            self.graph,
            (N, T, D, K),
            "n",
            tuple(self.parameters),
            tuple(self.inputs),
            tuple(self.objectives),
            tuple(outputs),
            (),
            tuple(self.named),
        )

    def text(self, node: Node) -> str:
        return self._formula(node, text)

    def latex(self, node: Node) -> str:
        return self._formula(node, latex)

    def _formula(self, node: Node, printed: Any) -> str:
        writer = Writer(names_of(self.program()))
        (formula,) = writer.write([node])
        assert not writer.lines
        result: str = printed(formula, {})
        return result


@pytest.fixture
def model() -> Model:
    return Model()


def thermometer() -> Program:
    model = Model()
    t_u, t_c = model.input("t_u", N), model.input("t_c", N)
    w, b = model.parameter("w"), model.parameter("b")
    t_p = model.name("t_p", model.map(_0 + _1, model.map(_0 * _1, w, t_u), b))
    square = model.map(_0**2, model.map(_0 - _1, t_p, t_c))
    model.minimize(model.map(_0 / _1, model.graph.contract([square], [N]), model.graph.size(N.length)))
    return differentiate(model.program([("t_p", t_p)]))


def logistic() -> Program:
    model = Model()
    x, y = model.input("x", N, D), model.input("y", N)
    w, rate = model.parameter("w", D), model.parameter("rate", positive=True)
    z = model.name("z", model.map(_0 * _1, rate, model.graph.contract([x, w], [D])))
    each = model.map(f.softplus(_0) - _1 * _0, z, y)
    mean = model.map(_0 / _1, model.graph.contract([each], [N]), model.graph.size(N.length))
    model.minimize(model.map(_0 + _1 * sympy.Float(1e-3), mean, model.graph.contract([w, w], [D])))
    p = model.name("p", model.map(f.sigmoid(_0), z))
    return differentiate(model.program([("p", p)]))


# ------------------------------------------------------------------------------------------------------------- formulas


def test_expressions_read_as_in_the_language(model: Model) -> None:
    x, y, w = model.input("x", N), model.input("y", N), model.parameter("w")
    a, b = model.input("a"), model.input("b")
    cases = [
        (_0 - _1, "x - y"),
        (_1 - _0, "y - x"),
        (-_0, "-x"),
        (-(_0**2), "-x^2"),
        ((-_0) ** 3 + 1, "1 - x^3"),
        (2 * _0 - 1, "2 * x - 1"),
        (_0 / 2, "x / 2"),
        (3 * _0 / 2, "3 * x / 2"),
        (-Rational(2, 3) * _0 / _1, "-2 * x / (3 * y)"),
        (1 / _0, "1 / x"),
        (-1 / _0, "-1 / x"),
        (_0**-2, "1 / x^2"),
        (_0 / (_1 + 1), "x / (1 + y)"),
        (_0 / (_1 * sympy.sin(_0)), "x / (y * sin(x))"),
        (sympy.sqrt(_0) * 2, "2 * sqrt(x)"),
        (_0 ** Rational(2, 3), "x^(2/3)"),
        ((_0 + _1) ** 2, "(x + y)^2"),
        (f.power(_0, _1), "x^y"),
        (f.power(_0, _1 - 1), "x^(y - 1)"),
        (sympy.exp(-_0) * 0.1, "0.1 * exp(-x)"),
        (sympy.Abs(_0) + sympy.ceiling(_1), "abs(x) + ceil(y)"),
        (f.maximum(_0, 0), "maximum(x, 0)"),
        (sympy.pi * _0, "pi * x"),
        (f.where(f.less(0, _0), _0, _1 * 2), "if x > 0 then x else 2 * y"),
        (f.where(f.less_equal(_0, _1), 1, 0) * _0, "x * (if x <= y then 1 else 0)"),
        (f.where(f.both(f.unequal(_0, 1), f.negation(f.equal(_0, _1))), 1, 0),
         "if x != 1 and not x == y then 1 else 0"),
        (f.where(f.both(f.either(f.less(_0, 1), f.less(_1, 1)), f.less(_0, _1)), 1, 0),
         "if (x < 1 or y < 1) and x < y then 1 else 0"),
    ]  # fmt: skip
    for expression, expected in cases:
        assert model.text(model.map(expression, x, y)) == expected
    assert model.text(model.map(_0 * _1 + _2, x, w, a)) == "w * x + a"
    assert model.text(model.map(_0 * _1 / _2, x, a, b)) == "a * x / b"


def test_numbers_are_exact(model: Model) -> None:
    x = model.input("x")
    assert model.text(model.map(_0 + sympy.Float(0.1), x)) == "0.1 + x"
    assert model.text(model.graph.constant(0.1)) == "0.1"
    assert model.text(model.graph.constant(1.2345678901234567e-20)) == "1.2345678901234567e-20"
    assert model.text(model.graph.constant(Rational(-1, 3))) == "-1/3"
    assert model.text(model.graph.constant(Rational(1, 2))) == "0.5"
    assert model.text(model.map(_0 / 500, x)) == "0.002 * x"
    assert model.text(model.map(_0 / 30, x)) == "x / 30"


def test_contractions(model: Model) -> None:
    graph = model.graph
    x, y, w, v = model.input("x", N, D), model.input("y", N), model.parameter("w", D), model.parameter("v", D, K)
    assert model.text(graph.contract([x, w], [D])) == "x @ w"
    assert model.text(graph.contract([x, v], [D])) == "x @ v"
    assert model.text(graph.contract([w, w], [D])) == "sum[d](w^2)"
    assert model.text(graph.contract([x, w, y], [N])) == "w * (x @ y)"
    assert model.text(graph.contract([x, w, y], [N, D])) == "y @ x @ w"
    assert model.text(graph.contract([x, x, w], [D])) == "sum[d](w * x^2)"
    assert model.text(graph.contract([model.map(2 * _0 - _1, x, y)], [N])) == "sum[n](2 * x - y)"
    assert model.text(graph.contract([model.map(-3 * _0 / _1, x, w)], [N])) == "-3 * sum[n](x) / w"
    # Two summed axes, or a shared one that is kept: `@` would not say it.
    deep = model.input("deep", N, T, D)
    assert model.text(graph.contract([deep, x], [N, D])) == "sum[n, d](x * deep)"
    assert model.text(graph.contract([deep, x], [D])) == "sum[d](x * deep)"


def test_a_sum_over_what_is_spread(model: Model) -> None:
    graph = model.graph
    y, w = model.input("y", N), model.parameter("w", D)
    wide = graph.spread(w, [N])
    assert model.text(wide) == "w * ones[n]"
    assert model.text(model.map(_0 * _1, wide, y)) == "y * w"
    assert model.text(graph.contract([wide], [N])) == "size[n] * w"
    assert model.text(graph.contract([wide, y], [N])) == "w * sum[n](y)"
    assert model.text(model.map(_0 + _1, wide, y)) == "y + w"


def test_every_other_kind(model: Model) -> None:
    graph = model.graph
    x, label = model.input("x", N, T), model.input("label", N, dtype="int")
    table, logits = model.parameter("E", K, D), model.input("logits", N, K)
    length = T.length
    assert model.text(graph.index(K)) == "index[k]"
    assert model.text(model.map(_0 * _1, graph.size(length - 1), x)) == "x * (size[t] - 1)"
    assert model.text(graph.reduce("max", x, [T])) == "max[t](x)"
    assert model.text(graph.reduce("logsumexp", model.map(_0 + 1, x), [N, T])) == "logsumexp[n, t](1 + x)"
    assert model.text(graph.slice(x, "t", Integer(0), 1, Integer(1), True)) == "x[t = 0]"
    assert model.text(graph.slice(x, "t", length - 2, 1, Integer(1), True)) == "x[t = -2]"
    assert model.text(graph.slice(x, "t", Integer(1), 1, length - 1, False)) == "x[t = 1:]"
    assert model.text(graph.slice(x, "t", Integer(0), 1, length - 1, False)) == "x[t = :-1]"
    assert model.text(graph.slice(x, "t", Integer(0), 1, Integer(3), False)) == "x[t = :3]"
    assert model.text(graph.slice(x, "t", Integer(0), 2, sympy.floor((length + 1) / 2), False)).startswith("x[t = :")
    assert model.text(graph.slice(x, "t", length - 1, -1, length, False)) == "x[t = ::-1]"
    placed = graph.place_slice(model.input("g", N), T, Integer(0), 1, Integer(1), True)
    assert model.text(placed) == "if index[t] == 0 then g else 0"
    shorter = graph.slice(x, "t", Integer(1), 1, length - 1, False)
    back = graph.place_slice(shorter, T, Integer(1), 1, length - 1, False)
    assert model.text(back) == "place[t = 1:](x[t = 1:])"
    assert model.text(graph.gather(table, label, "k")) == "E[k = label]"
    assert model.text(graph.gather(logits, label, "k")) == "logits[k = label]"
    added = graph.scatter(model.input("h", N, D), label, K, [N])
    assert model.text(added) == "sum[n](if index[k] == label then h else 0)"
    assert model.text(graph.relabel(x, {"t": "t'"})) == "x[t -> t']"
    assert model.text(model.map(sympy.exp(_0), graph.stop(table))) == "exp(stop_gradient(E))"


# ------------------------------------------------------------------------------------------------------------ gradients


def test_the_thermometer() -> None:
    assert inspect_text(thermometer()) == (
        "d loss/d w = 2 * sum[n](t_u * (t_p - t_c)) / size[n]\n"
        "d loss/d b = 2 * sum[n](t_p - t_c) / size[n]\n"
        "\n"
        "value   type   leaf       gradient  rule\n"
        "t_u[n]  float  input      no        given\n"
        "t_c[n]  float  input      no        given\n"
        "w       float  parameter  yes       trained as it is\n"
        "b       float  parameter  yes       trained as it is\n"
        "t_p[n]  float  -          yes       pointwise: w * t_u + b\n"
    )


def test_one_gradient_alone() -> None:
    assert inspect_text(thermometer(), "b") == "d loss/d b = 2 * sum[n](t_p - t_c) / size[n]\n"
    assert inspect_text(thermometer(), "t_p") == "d loss/d t_p = 2 * (t_p - t_c) / size[n]\n"


def test_a_bounded_parameter_shows_both_gradients() -> None:
    assert inspect_text(logistic(), "rate").splitlines() == [
        "d loss/d rate       = sum[n]((x @ w) * (p - y)) / size[n]",
        "d loss/d free(rate) = rate * (d loss/d rate)",
    ]
    assert inspect_text(logistic(), "w") == "d loss/d w = rate * sum[n](x * (p - y)) / size[n] + 0.002 * w\n"


def test_an_unknown_name_has_a_nearest_one() -> None:
    with pytest.raises(UnknownName) as caught:
        formulas(thermometer(), "t_q")
    assert (caught.value.name, caught.value.nearest) == ("t_q", "t_p")
    assert caught.value.known == ("w", "b", "t_p")
    assert str(caught.value) == "there is no gradient by 't_q': did you mean t_p?"
    with pytest.raises(UnknownName, match="there is one for w, b, t_p"):
        formulas(thermometer(), "zzz\x1b[31m")


def test_a_parameter_that_is_not_trained_has_the_gradient_zero(model: Model) -> None:
    w, v = model.parameter("w"), model.parameter("v", positive=True)
    model.minimize(model.map(_0**2 * _1, w, v), over=["w"])
    program = differentiate(model.program())
    assert inspect_text(program, "w") == "d loss/d w = 2 * v * w\n"
    assert inspect_text(program, "v") == "d loss/d v = 0\n"
    assert [value.gradient for value in values(program)] == [True, False]


def test_a_maximised_objective_is_negated(model: Model) -> None:
    w = model.parameter("w")
    model.minimize(model.map(-sympy.log(_0), w), "likelihood", "maximize")
    assert inspect_text(differentiate(model.program()), "w") == "d (-likelihood)/d w = -1 / w\n"


def network(layers: int, named: bool) -> Program:
    model = Model()
    h: Node = model.input("x", N, K)
    other = Axis("k'", Integer(4))
    for i in range(layers):
        weight = model.parameter(f"W{i}", K, other)
        z = model.graph.relabel(model.graph.contract([h, weight], [K]), {"k'": "k"})
        h = model.map(sympy.tanh(_0), z)
        if named:
            model.name(f"z{i}", z)
            model.name(f"h{i}", h)
    model.minimize(model.graph.contract([h, h], [N, K]))
    return differentiate(model.program())


def test_named_layers_are_cut_at_their_names() -> None:
    assert inspect_text(network(3, named=True), "W0").splitlines() == [
        "d loss/d W0 = x @ (d loss/d z0)[k -> k']",
        "",
        "where",
        "d loss/d z0 = (d loss/d h0) * (1 - h0^2)",
        "d loss/d h0 = (d loss/d z1)[k -> k'] @ W1",
        "d loss/d z1 = (d loss/d h1) * (1 - h1^2)",
        "d loss/d h1 = (d loss/d z2)[k -> k'] @ W2",
        "d loss/d z2 = 2 * h2 * (1 - h2^2)",
    ]


def test_shared_parts_get_short_names_that_the_model_does_not_use(model: Model) -> None:
    t1, w, v = model.input("t1", N), model.parameter("w"), model.parameter("v")
    shared = model.map(sympy.exp(_0), model.map(_0 * _1 + 3 * _0**2 - 7 * _1**3 + _0 ** Rational(1, 3), t1, w))
    total = model.graph.contract([model.map(_0 * _1, shared, v), model.map(sympy.sin(_0), shared)], [N])
    model.minimize(total)
    shown = inspect_text(differentiate(model.program()), "w")
    assert "\nwhere\n" in shown
    assert "\ntt1 " in shown
    assert shown.count("exp(") == 1


@pytest.mark.parametrize("named", [True, False])
def test_a_thousand_layers(named: bool) -> None:
    program = network(1000, named)
    start = time.process_time()
    shown = inspect_text(program, "W0")
    inspect_latex(program, "W0")
    everything = inspect_text(program)
    assert time.process_time() - start < 20
    assert max(map(len, shown.splitlines())) < 300
    assert len(everything) < 400 * 1000
    assert shown.startswith("d loss/d W0")


def test_one_wide_sum_and_one_deep_expression(model: Model) -> None:
    w = model.parameter("w")
    wide = model.map(sympy.Add(*(sympy.cos(i * _0) for i in range(1, 500))), w)
    assert model.text(wide).count("cos(") == 499
    deep = _0
    for _ in range(300):
        deep = sympy.sin(deep, evaluate=False)
    model.minimize(model.map(deep, w))
    rule = values(model.program())[0].rule
    assert rule == "trained as it is"
    model.name("y", model.map(deep, w))
    assert len(inspect_text(model.program())) < 1000


# ------------------------------------------------------------------------------------------------------- as it is meant

MODELS = Path(__file__).parent / "models"


OTHERS = {
    "bounds": """
        axis k: 3
        input x[n]
        param a > -2 = 1, b < 3 = 0, c in (-1, 4.5) = 0, v[k] in (0, 1) = 0.5
        minimize mean((a + b * x + c * x^2)^2) + sum(v^2 * a)
        """,
    "selections": """
        axis k: 4, t: 6
        input x[n, t], label[n]: k
        param E[k, t] = 1, w[t] = 0.5, s = 2
        early = x[t = 1:] * w[t = 0] - x[t = :-1]
        picked = E[k = label] * w
        most = max[t](picked + x) + prod[t](w + s)
        minimize sum(early^2) + sum(relu(picked - most)) + sum(w[t = -1] * E[t = 2]^2) + sum(maximum(w, s) / size[n])
        """,
    "branches": """
        input x[n], flag[n]: bool
        param w = 0.4, b = 0.3
        z = w * x + b
        h = if z > 0 and not flag then log(z) else z^3 + abs(z)
        minimize mean(h / (1 + stop_gradient(z)^2)) + sqrt(w^2 + 1) * w^b^2
        """,
}


@pytest.mark.parametrize(
    "name", ["thermometer", "cubic", "decay", "logistic", "digits", "transfer", "mixture", *OTHERS]
)
def test_what_is_printed_is_the_gradient(name: str) -> None:
    """The printed formulas, compiled as outputs of the model, have the values of the gradients themselves."""
    source = dedent(OTHERS[name]) if name in OTHERS else (MODELS / f"{name}.model").read_text()
    program = simplify_tensors(differentiate(elaborate(parse(Source(name, source)))))
    objective = program.objectives[0]
    equations = inspect_text(program).split("\n\nvalue ")[0].splitlines()
    pairs = [line.split(" = ", 1) for line in equations if " = " in line]
    definitions = {label.strip(): formula for label, formula in pairs}
    order: list[str] = []
    while len(order) < len(definitions):
        ready = [
            label
            for label, formula in definitions.items()
            if label not in order and all(other in order for other in definitions if _mentions(formula, other))
        ]
        assert ready, "the lines define each other"
        order += ready
    lines = [f"{_identifier(label)} = {_plain(definitions[label])}" for label in order]
    wanted = {f"d loss/d {p}": program.adjoints["loss"][p] for p in objective.over}
    wanted |= {label: program.gradients["loss"][label[14:-1]] for label in definitions if "free(" in label}
    lines += [f"output {_identifier(label)}" for label in wanted]
    again = elaborate(parse(Source(name, "\n".join([source, *lines, ""]))))
    data, free = _values(program)
    outputs = dict(again.outputs)
    printed = evaluate(again, [outputs[_identifier(label)] for label in wanted], data, free)
    true = evaluate(program, list(wanted.values()), data, free)
    for label, found, value in zip(wanted, printed, true, strict=True):
        assert outputs[_identifier(label)].names == wanted[label].names
        np.testing.assert_allclose(found, value, rtol=1e-10, atol=1e-12 * np.abs(value).max(), err_msg=label)


def _mentions(formula: str, label: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(label)}(?![\w.])", formula) is not None


def _identifier(label: str) -> str:
    return label.replace("d loss/d ", "adjoint_").replace(".", "_").replace("free(", "free_").replace(")", "")


def _plain(formula: str) -> str:
    return re.sub(r"d loss/d [\w.]+", lambda match: _identifier(match[0]), formula)


def _values(program: Program) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(5)
    lengths = {data_length(axis.name): 5 + i for i, axis in enumerate(program.axes)}

    def shape(axes: Sequence[Axis]) -> list[int]:
        return [int(axis.length.xreplace(lengths)) for axis in axes]

    data = {}
    for given in program.inputs:
        if given.indexes is not None:
            data[given.name] = rng.integers(0, shape([given.indexes])[0], shape(given.axes))
        elif given.dtype == "bool":
            data[given.name] = rng.random(shape(given.axes)) < 0.5
        else:
            data[given.name] = rng.normal(size=shape(given.axes))
    return data, {p.name: 0.3 * rng.normal(size=shape(p.axes)) for p in program.parameters}


# --------------------------------------------------------------------------------------------------------------- values


def test_the_rules_of_values(model: Model) -> None:
    graph = model.graph
    x, w, b = model.input("x", N, D), model.parameter("w", D), model.parameter("b", N)
    label = model.input("label", N, dtype="int")
    model.name("z", graph.contract([x, w], [D]))
    model.name("alias", x)
    model.name("rate", graph.constant(3))
    model.name("score", model.map(_0 + _1, graph.contract([x, w], [D]), b))
    model.name("best", graph.reduce("argmax", x, [D]))
    model.name("length", graph.contract([w, w], [D]))
    model.name("picked", graph.gather(model.parameter("E", K), label, "k"))
    model.name("first", graph.slice(x, "n", Integer(0), 1, Integer(1), True))
    model.name("turned", graph.relabel(w, {"d": "d'"}))
    model.name("held", graph.stop(w))
    model.name("wide", graph.spread(w, [K]))
    program = model.program([(name, node) for name, node in model.named])
    rules = {value.name: value.rule for value in values(program)}
    assert rules == {
        "x": "given",
        "label": "given",
        "w": "trained as it is",
        "b": "trained as it is",
        "E": "trained as it is",
        "z": "contract over d (matrix-vector product): x @ w",
        "alias": "the same as x",
        "rate": "constant: 3",
        "score": "pointwise: b + z",
        "best": "reduce argmax over d: argmax[d](x)",
        "length": "contract over d (dot product): sum[d](w^2)",
        "picked": "gather along k: E[k = label]",
        "first": "slice along n: x[n = 0]",
        "turned": "rename d to d': w[d -> d']",
        "held": "stop: no derivative: stop_gradient(w)",
        "wide": "broadcast along k: w * ones[k]",
    }
    found = {value.name: value for value in values(program)}
    assert found["x"].axes == (("n", "n"), ("d", "d"))
    assert found["wide"].axes == (("d", "d"), ("k", 4))
    assert (found["label"].dtype, found["best"].dtype) == ("int", "int")
    assert (found["x"].leaf, found["w"].leaf, found["rate"].leaf, found["z"].leaf) == (
        "input",
        "parameter",
        "constant",
        None,
    )


def test_what_nothing_needs_is_said_to_be_not_computed(model: Model) -> None:
    w = model.parameter("w")
    model.name("idle", model.map(sympy.exp(_0), w))
    model.minimize(model.map(_0**2, w))
    rules = {value.name: value.rule for value in values(model.program())}
    assert rules["idle"] == "not computed: nothing needs it (pointwise: exp(w))"


def test_a_stopped_value_needs_no_gradient(model: Model) -> None:
    w = model.parameter("w")
    inner = model.name("inner", model.map(sympy.exp(_0), w))
    model.minimize(model.map(_0 * _1, model.graph.stop(inner), w))
    gradient = {value.name: value.gradient for value in values(model.program())}
    assert gradient == {"w": True, "inner": False}


# ---------------------------------------------------------------------------------------------------- LaTeX, JSON, dump


def test_latex_of_the_thermometer() -> None:
    assert inspect_latex(thermometer(), "w") == (
        "\\begin{align*}\n"
        r"  \frac{\partial \mathrm{loss}}{\partial w} &= "
        r"\frac{2 \, \sum_{n} \mathrm{t\_u}_{n} \, \left(\mathrm{t\_p}_{n} - \mathrm{t\_c}_{n}\right)}{\lvert n \rvert}"
        "\n\\end{align*}\n"
    )


def test_latex(model: Model) -> None:
    graph = model.graph
    x, w, alpha = model.input("x", N, D), model.parameter("w", D), model.parameter("alpha")
    label = model.input("label", N, dtype="int")
    assert model.latex(graph.contract([x, w], [D])) == r"\sum_{d} x_{n,d} \, w_{d}"
    assert model.latex(model.map(sympy.exp(-_0) + sympy.sqrt(_1), alpha, w)) == (
        r"\sqrt{w_{d}} + \exp\left(-\alpha\right)"
    )
    product = model.map(_0 * _1 + 1, graph.contract([x, w], [D]), alpha)
    assert model.latex(product) == r"1 + \alpha \, \sum_{d} x_{n,d} \, w_{d}"
    assert model.latex(model.map(_0 * (_1 + 1), graph.contract([x, w], [D]), alpha)) == (
        r"\left(1 + \alpha\right) \, \sum_{d} x_{n,d} \, w_{d}"
    )
    assert model.latex(model.map(_0**2, graph.contract([w], [D]))) == r"\left(\sum_{d} w_{d}\right)^{2}"
    assert model.latex(model.map(f.where(f.less(_0, 0), _0, 0), alpha)) == (
        r"\begin{cases} \alpha & \text{if } \alpha < 0 \\ 0 & \text{otherwise} \end{cases}"
    )
    assert model.latex(graph.relabel(x, {"d": "d'"})) == "x_{n,d'}"
    assert model.latex(graph.gather(model.parameter("E", K), label, "k")) == (
        r"\left[E_{k}\right]_{k = \mathrm{label}_{n}}"
    )
    assert model.latex(graph.reduce("max", x, [D])) == r"\max_{d} x_{n,d}"
    assert model.latex(graph.constant(1e-7)) == r"1 \cdot 10^{-7}"
    assert model.latex(model.map(_0 - _1, alpha, graph.contract([w], [D]))) == r"\alpha - \sum_{d} w_{d}"
    summed = model.map(_0 + _1 * _2, alpha, graph.contract([w], [D]), x)
    assert model.latex(summed) == r"\left(x_{n,d} \, \sum_{d} w_{d}\right) + \alpha"


def test_names_cannot_be_commands_of_latex(model: Model) -> None:
    node = model.map(_0 + _1, model.input("a_b%$&#{}~^\\input"), model.input("x"))
    assert model.latex(node) == (
        r"\mathrm{a\_b\%\$\&\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}input} + x"
    )


def test_json_is_plain_data() -> None:
    found = json.loads(json.dumps(inspect_json(logistic())))
    assert list(found) == ["schema", "model", "parameters", "where", "values"]
    assert found["schema"] == 1
    w, rate = found["parameters"]
    assert w["gradient"]["text"] == "rate * sum[n](x * (p - y)) / size[n] + 0.002 * w"
    assert w["unconstrained"] is None
    assert rate["bounds"] == [0.0, None]
    assert rate["unconstrained"]["label"] == "d loss/d free(rate)"
    assert {value["name"]: value["gradient"] for value in found["values"]} == {
        "x": False,
        "y": False,
        "w": True,
        "rate": True,
        "z": True,
        "p": False,
    }
    assert found["values"][0]["axes"] == [{"name": "n", "length": "n"}, {"name": "d", "length": "d"}]


def test_a_model_without_objective_has_values_only(model: Model) -> None:
    program = replace(thermometer(), objectives=(), gradients={}, adjoints={})
    assert inspect_text(program).startswith("value ")
    assert inspect_latex(program) == ""
    assert inspect_json(program)["parameters"] == []


def test_the_listing() -> None:
    shown = dump(thermometer()).splitlines()
    assert shown[0] == "%0  Leaf       input t_u  [n] float"
    assert "%4  Map        %0 * %2  [n] float trained" in shown
    assert "%17 Contract   %0 %15 summed n  [] float trained" in shown
    assert shown[-1] == "pullback to b = %20"
    assert "gradient of loss by w = %17" in shown
    ids = [int(line[1:].split()[0]) for line in shown if line.startswith("%")]
    assert ids == sorted(ids)


def test_the_listing_of_every_kind(model: Model) -> None:
    graph = model.graph
    x, label = model.input("x", N, T), model.input("label", N, dtype="int")
    half = graph.constant(Rational(1, 2))
    taken = graph.slice(x, "t", Integer(1), 1, T.length - 1, False)
    nodes = {
        "half": half,
        "k": graph.index(K),
        "taken": taken,
        "back": graph.place_slice(taken, T, Integer(1), 1, T.length - 1, False),
        "read": graph.gather(model.parameter("E", K), label, "k"),
        "added": graph.scatter(x, label, K, [N]),
        "turned": graph.relabel(x, {"t": "t'"}),
        "wide": graph.spread(x, [K]),
        "most": graph.reduce("max", x, [N, T]),
    }
    for name, node in nodes.items():
        model.name(name, node)
    lines = {line.split()[1]: line for line in dump(model.program()).splitlines() if line.startswith("%")}
    assert "1/2" in lines["Constant"]
    assert "along t start 1 step 1 length t - 1 drop False" in lines["Slice"]
    assert "along k summed n" in lines["Scatter"]
    assert "operator max reduced n, t" in lines["Reduce"]
    assert "renamed t, t'" in lines["Relabel"]
    assert set(lines) >= {"Leaf", "Constant", "Index", "PlaceSlice", "Gather", "Spread"}
