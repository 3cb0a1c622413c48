"""Elaboration: each construct of the language gives the axes, the types and the kinds of node that it should."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sympy
from sympy import Integer

from gradc import grammar
from gradc.compiler.elaborate import elaborate
from gradc.compiler.graph import (
    Axis,
    Constant,
    Contract,
    Gather,
    Index,
    Initial,
    Map,
    Node,
    Program,
    Reduce,
    Relabel,
    Size,
    Slice,
    Spread,
    Stop,
    data_length,
    reachable,
)
from gradc.compiler.source import MOST_DIAGNOSTICS, ModelError, Source
from gradc.compiler.syntax import parse

from .test_threats import pace

MODELS = sorted((Path(__file__).parent / "models").glob("*.model"))

HEAD = """
axis k: 3, t: 8, j: 2, vocab: 5
input x[n, k], y[n], s[n, t], label[n]: k, token[n, t]: vocab, flag[n]: bool
param w[k] = 1, A[k, j] ~ normal(0, 1), E[vocab, j] ~ uniform(-1, 1), b = 0
"""


def program(text: str, **constants: float) -> Program:
    """The program of a source."""
    return elaborate(parse(Source("test.model", text)), constants)


def named(expression: str, head: str = HEAD) -> Node:
    """The node of one expression under the declarations of `head`."""
    found = program(f"{head}value = {expression}\nminimize b^2\n")
    return dict(found.named)["value"]


def codes(text: str, **constants: float) -> list[str]:
    """The codes of the mistakes of a source."""
    with pytest.raises(ModelError) as caught:
        program(text, **constants)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


# ------------------------------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_programs_of_the_language(path: Path) -> None:
    found = elaborate(parse(Source(path.name, path.read_text(encoding="utf-8"))))
    assert found.rows == "n"
    assert len(found.objectives) == (2 if path.stem == "gan" else 1)
    assert all(objective.value.axes == () for objective in found.objectives)
    assert found.axes[0] == Axis("n", data_length("n"))
    for node in reachable(found.roots()):
        assert all(operand.id < node.id for operand in node.operands)
        assert node.span is not None
        assert node.span.source.name == path.name


def test_thermometer() -> None:
    found = elaborate(parse(Source("thermometer.model", (MODELS[0].parent / "thermometer.model").read_text())))
    assert [(p.name, p.axes, p.initial) for p in found.parameters] == [
        ("w", (), Initial("constant", (1.0,))),
        ("b", (), Initial("constant", (0.0,))),
    ]
    assert [i.name for i in found.inputs] == ["t_u", "t_c"]
    assert [name for name, _ in found.outputs] == ["t_p"]
    assert [name for name, _ in found.named] == ["w", "b", "t_p"]
    assert found.objectives[0].name == "loss"
    assert found.objectives[0].over == ("w", "b")
    assert found.spans["t_p"].line == 7


def test_instances_have_parameters_of_their_own() -> None:
    found = elaborate(parse(Source("digits.model", (MODELS[0].parent / "digits.model").read_text())))
    assert [p.name for p in found.parameters] == ["fc1.W", "fc1.b", "fc2.W", "fc2.b"]
    assert [a.name for a in found.parameters[0].axes] == ["pixel", "hidden"]
    assert [name for name, _ in found.outputs] == ["logits", "prediction"]
    assert dict(found.outputs)["prediction"].dtype == "int"


def test_over_picks_parameters() -> None:
    found = elaborate(parse(Source("transfer.model", (MODELS[0].parent / "transfer.model").read_text())))
    assert found.objectives[0].over == ("head.W", "head.b")


def test_primes_have_the_length_of_their_axis() -> None:
    found = elaborate(parse(Source("attention.model", (MODELS[0].parent / "attention.model").read_text())))
    named_values = dict(found.named)
    assert named_values["z"].names == ("n", "t", "d")
    relabelled = [node for node in found.graph.nodes if isinstance(node, Relabel)]
    assert relabelled
    assert all(node.axis("t'").length == 64 for node in relabelled)


# ------------------------------------------------------------------------------------------------------ axes and values


@pytest.mark.parametrize(
    ("expression", "axes", "dtype"),
    [
        ("x * y", ("n", "k"), "float"),
        ("x @ w", ("n",), "float"),
        ("x @ A", ("n", "j"), "float"),
        ("w * A", ("k", "j"), "float"),
        ("x[k -> k'] * x", ("n", "k", "k'"), "float"),
        ("y > 0", ("n",), "bool"),
        ("flag and y > 0 or not flag", ("n",), "bool"),
        ("if flag then y else b", ("n",), "float"),
        ("where(x > 0, w, 0)", ("n", "k"), "float"),
        ("if flag then y > 0 else false", ("n",), "bool"),
        ("argmax[k](x)", ("n",), "int"),
        ("any[n](flag)", (), "bool"),
        ("all(x > 0)", (), "bool"),
        ("softmax[k](x)", ("n", "k"), "float"),
        ("log_softmax[k](x)", ("n", "k"), "float"),
        ("logsumexp[k](x)", ("n",), "float"),
        ("var[n](x)", ("k",), "float"),
        ("std(x)", (), "float"),
        ("norm[k](x)", ("n",), "float"),
        ("prod[k](x)", ("n",), "float"),
        ("max[k](x)", ("n",), "float"),
        ("max(x, y, 0)", ("n", "k"), "float"),
        ("min(y, b)", ("n",), "float"),
        ("sum(flag)", (), "float"),
        ("mean[n](x > 0)", ("k",), "float"),
        ("index[k] * y", ("n", "k"), "float"),
        ("size[k]", (), "int"),
        ("size[n]", (), "int"),
        ("zeros[n, k]", ("n", "k"), "int"),
        ("ones[k]", ("k",), "int"),
        ("x[k = label]", ("n",), "float"),
        ("E[vocab = token]", ("n", "t", "j"), "float"),
        ("s[t = 0]", ("n",), "float"),
        ("x[k = -1] + s[t = -1]", ("n",), "float"),
        ("s[t = 1:] - s[t = :-1]", ("n", "t"), "float"),
        ("stop_gradient(w * y)", ("n", "k"), "float"),
        ("detach(y)", ("n",), "float"),
        ("clip(y, -1, 1)", ("n",), "float"),
        ("leaky_relu(y, 0.1)", ("n",), "float"),
        ("elu(x)", ("n", "k"), "float"),
        ("xlogy(y, x)", ("n", "k"), "float"),
        ("atan2(y, x)", ("n", "k"), "float"),
        ("log10(abs(y))", ("n",), "float"),
        ("2^y", ("n",), "float"),
        ("y^x", ("n", "k"), "float"),
        ("x |> relu |> sum[k]", ("n",), "float"),
        ("sin(pi * y)", ("n",), "float"),
    ],
)
def test_axes_and_types(expression: str, axes: tuple[str, ...], dtype: str) -> None:
    node = named(expression)
    assert node.names == axes
    assert node.dtype == dtype


@pytest.mark.parametrize(
    "name",
    [
        *("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh"),
        *("atanh", "abs", "floor", "ceil", "sign", "log1p", "expm1", "log2", "log10", "relu", "sigmoid", "softplus"),
        *("step", "leaky_relu", "elu", "erf", "erfc", "lgamma", "digamma", "trigamma", "log_i0e"),
    ],
)
def test_pointwise_functions(name: str) -> None:
    assert named(f"{name}(y)").names == ("n",)
    assert isinstance(named(f"{name}(0.5)") if name != "acosh" else named("acosh(2)"), Constant)


def test_a_difference_that_vanishes_keeps_its_axes() -> None:
    node = named("sum[k](x - x) + y")
    assert node.names == ("n",)
    assert isinstance(named("y - y"), Spread)
    assert named("max[n](y - y) + b").axes == ()
    assert named("softmax[n](y - y)").names == ("n",)


def test_sum_of_a_product_is_one_contraction() -> None:
    node = named("sum[k](x * (w * A))")
    assert isinstance(node, Contract)
    assert len(node.operands) == 3
    assert [axis.name for axis in node.summed] == ["k"]


def test_mean_divides_by_the_lengths() -> None:
    node = named("mean[k](x)")
    assert isinstance(node, Map)
    assert node.expression.coeff(node.expression.free_symbols.pop()) == sympy.Rational(1, 3)
    assert any(isinstance(part, Size) for part in reachable([named("mean(x)")]))


def test_truth_values_are_counted() -> None:
    contractions = [node for node in reachable([named("mean(x > 0)")]) if isinstance(node, Contract)]
    (number,) = (operand for node in contractions for operand in node.operands)
    assert (number.dtype, number.operands[0].dtype) == ("float", "bool")


def test_stable_primitives() -> None:
    kinds = [node.operator for node in reachable([named("softmax[k](x)")]) if isinstance(node, Reduce)]
    assert kinds == ["logsumexp"]


def test_stop_gradient() -> None:
    assert any(isinstance(node, Stop) for node in reachable([named("stop_gradient(w)")]))


def test_powers() -> None:
    assert named("y^2").attributes() == (sympy.Symbol("_0", real=True) ** 2,)
    assert named("y^0.5").attributes()[0].exp == sympy.Rational(1, 2)
    assert named("y^-1").attributes()[0].exp == -1
    assert named("y^1") is not None


# ---------------------------------------------------------------------------------------------------------- selections


@pytest.mark.parametrize(
    ("text", "start", "step", "length"),
    [
        ("1:", 1, 1, 7),
        (":-1", 0, 1, 7),
        ("2:5", 2, 1, 3),
        ("::2", 0, 2, 4),
        ("::3", 0, 3, 3),
        ("1::3", 1, 3, 3),
        ("::-1", 7, -1, 8),
        ("5:1:-2", 5, -2, 2),
        ("-3:", 5, 1, 3),
        ("size[t] - 2:", 6, 1, 2),
        ("-1:0:-1", 7, -1, 7),
    ],
)
def test_slices(text: str, start: int, step: int, length: int) -> None:
    assert len(range(8)[slice(*[eval_bound(part) for part in text.split(":")])]) == length
    node = named(f"s[t = {text}]")
    assert isinstance(node, Slice)
    assert (node.start, node.step, node.length, node.drop) == (start, step, length, False)


def eval_bound(text: str) -> int | None:
    """A bound of a slice as Python has it, where t is 8."""
    return {"": None, "size[t] - 2": 6}[text] if text in ("", "size[t] - 2") else int(text)


def test_lengths_are_symbolic() -> None:
    head = "input s[n, t]\nparam b = 0\n"
    t = data_length("t")
    assert named("s[t = 1:] - s[t = :-1]", head).axis("t").length == t - 1
    assert named("s[t = ::2]", head).axis("t").length == sympy.floor((t + 1) / 2)
    assert named("s[t = 2:][t = :-1]", head).axis("t").length == t - 3
    node = named("s[t = -1]", head)
    assert isinstance(node, Slice)
    assert node.start == t - 1
    assert node.drop
    assert isinstance(named("s[t = :]", head), type(named("s", head)))
    assert named("size[t] - 1 + 0 * s[t = 0]", head).names == ("n",)


def test_a_mean_of_a_slice_divides_by_its_length() -> None:
    parts = reachable([named("mean[t](s[t = 1:])", "input s[n, t]\nparam b = 0\n")])
    assert [node.length for node in parts if isinstance(node, Size)] == [data_length("t") - 1]


def test_gather_needs_an_index_of_the_axis() -> None:
    assert isinstance(named("E[vocab = token]"), Gather)
    assert isinstance(named("x[k = argmax[k](x)]"), Gather)
    assert isinstance(named("A[k = index[k']]"), Gather)
    assert codes(HEAD + "z = E[vocab = label]\nminimize b^2\n") == ["E0342"]


def test_several_items_at_once() -> None:
    assert named("E[vocab = token, j = 0]").names == ("n", "t")
    assert named("s[t = 1:, n -> n']").names == ("n'", "t")
    assert named("A[k -> k', j -> k]", "axis k: 3, j: 3\ninput x[n]\nparam A[k, j] = 0, b = 0\n").names == ("k", "k'")


# -------------------------------------------------------------------------------------------------------- declarations


def test_lengths_in_place_and_copies() -> None:
    found = program(
        "axis t: 4, s like t\ninput x[n, t]\nparam W[t, gate: 2] = 0, v[s] = 0, u[t', t''] = 0\n"
        "minimize mean(x @ W) + sum(v) + sum(u)\n"
    )
    assert [(axis.name, axis.length) for axis in found.axes] == [
        ("n", data_length("n")),
        ("t", Integer(4)),
        ("s", Integer(4)),
        ("gate", Integer(2)),
    ]
    assert [axis.length for axis in found.parameters[2].axes] == [4, 4]


def test_a_length_may_be_written_after_its_use() -> None:
    found = program("input x[n, d]\nparam w[d: 5] = 0\nminimize mean(x @ w)\n")
    assert found.inputs[0].axes[1].length == 5


def test_rows() -> None:
    assert program("input x[n], z[m]\nbatch m\nparam w = 1\nminimize mean(x) * mean(z) * w\n").rows == "m"
    assert program("axis n: 5\ninput x[n]\nparam w = 1\nminimize mean(x) * w\n").rows is None
    assert program("param w = 1\nminimize w^2\n").rows is None
    first = program("axis k: 2\ninput x[k], z[n, k]\nparam w = 1\nminimize mean(x * z) * w\n")
    assert first.rows == "n"
    assert first.graph.rank("n") == 0


def test_the_order_of_a_parameter_is_as_written() -> None:
    found = program("axis a: 2, b: 3\ninput x[n]\nparam W[b, a] = 0\nminimize sum(W) * mean(x)\n")
    assert [axis.name for axis in found.parameters[0].axes] == ["b", "a"]
    assert found.parameters[0].leaf.names == ("a", "b")


def test_inputs() -> None:
    found = program(HEAD + "minimize b^2\n")
    assert {i.name: (i.dtype, i.indexes and i.indexes.name) for i in found.inputs} == {
        "x": ("float", None),
        "y": ("float", None),
        "s": ("float", None),
        "label": ("int", "k"),
        "token": ("int", "vocab"),
        "flag": ("bool", None),
    }


@pytest.mark.parametrize(
    ("declaration", "initial"),
    [
        ("p = 2", ("constant", (2.0,))),
        ("p", ("constant", (0.0,))),
        ("p > 1", ("constant", (2.0,))),
        ("p < 1", ("constant", (0.0,))),
        ("p in (1, 3)", ("constant", (2.0,))),
        ("p[k] ~ normal(0, 2)", ("normal", (0.0, 2.0))),
        ("p[k] ~ normal(std=2, mean=1)", ("normal", (1.0, 2.0))),
        ("p ~ uniform(-1, 1)", ("uniform", (-1.0, 1.0))),
        ("p in (0, 1) ~ uniform(0.25, 0.75)", ("uniform", (0.25, 0.75))),
        ("p[k, j] ~ glorot()", ("glorot", (1.0,))),
        ("p[k, j] ~ glorot(gain=2)", ("glorot", (2.0,))),
        ("p[k, j] ~ he()", ("he", ())),
        ("p = 2 * size[k] + 1", ("constant", (7.0,))),
    ],
)
def test_initialisers(declaration: str, initial: tuple[str, tuple[float, ...]]) -> None:
    found = program(f"axis k: 3, j: 2\ninput x[n]\nparam {declaration}\nminimize mean(x) * sum(p)\n")
    assert found.parameters[0].initial == Initial(*initial)


@pytest.mark.parametrize(
    ("bound", "limits", "expression"),
    [
        ("> 0", (0.0, None), "exp(_0)"),
        ("> 2", (2.0, None), "_0 + 2"),
        ("< 1", (None, 1.0), "1 - _0"),
        ("in (-1, 1)", (-1.0, 1.0), "_0 - 1"),
        ("in (0, 1)", (0.0, 1.0), "sigmoid(_0)"),
    ],
)
def test_bounds(bound: str, limits: tuple[float | None, float | None], expression: str) -> None:
    found = program(f"param p {bound}\nminimize p^2\n")
    parameter = found.parameters[0]
    assert (parameter.lower, parameter.upper) == limits
    assert str(parameter.value.attributes()[0]) == expression
    assert dict(found.named)["p"] is parameter.value
    assert parameter.value is not parameter.leaf
    if bound == "> 0":
        assert parameter.value.positive


def test_constants() -> None:
    text = "const l2 = 1e-3, twice = 2 * l2\nparam w = 1\nminimize twice * w^2\n"
    assert dict(program(text).named)["twice"].attributes() == (sympy.Rational(1, 500),)
    assert dict(program(text, l2=0.25).named)["twice"].attributes() == (sympy.Rational(1, 2),)
    assert codes(text, l3=1.0) == ["E0411"]
    assert codes(text, l2=float("nan")) == ["E0411"]


def test_objectives() -> None:
    found = program("param w = 1, v = 2\nmaximize gain = -(w - v)^2 over w\n")
    objective = found.objectives[0]
    assert (objective.name, objective.sense, objective.over) == ("gain", "maximize", ("w",))
    assert dict(found.named)["gain"] is not objective.value


def test_outputs_need_no_objective() -> None:
    found = program("input x[n]\nparam w = 1\noutput y = w * x, w\nmetric size_of_w = w\n")
    assert [name for name, _ in found.outputs] == ["y", "w"]
    assert [name for name, _ in found.metrics] == ["size_of_w"]
    assert found.objectives == ()


# ------------------------------------------------------------------------------------------------- functions and layers


def test_functions() -> None:
    found = program(
        "axis a: 2, c: 3\ninput x[n, a], y[n, c]\nparam w = 1\n"
        "def centre[k](v[k]) = v - mean[k](v)\n"
        "def both[p, q](u[p], v[q], scale=2):\n    total = sum[p](u) + sum[q](v)\n    return scale * total\n"
        "z = centre[a](x)\nr = both[a, c](x, y)\ns = both[c, a](y, x, scale=w)\nminimize mean(z) * w + mean(r + s)\n"
    )
    named_values = dict(found.named)
    assert named_values["z"].names == ("n", "a")
    assert named_values["r"].names == ("n",)
    assert list(named_values) == ["w", "z", "r", "s"]


def test_axis_parameters_and_primes() -> None:
    found = program(
        "axis a: 2\ninput x[n, a]\nparam w = 1\n"
        "def gram[k](v[k]) = v * v[k -> k']\ndef twice[k](v[k]) = sum[k'](gram[k](v))\n"
        "g = gram[a](x)\nh = twice[a](x)\nminimize mean(h) * w\n"
    )
    assert dict(found.named)["g"].names == ("n", "a", "a'")
    assert dict(found.named)["h"].names == ("n", "a")


def test_layers_within_layers() -> None:
    found = program(
        "use nn.Linear, nn.LayerNorm\naxis d: 4, wide: 8\ninput x[n, d]\n"
        "layer Block[a]:\n    norm = LayerNorm[a]\n    up = Linear[a, wide]\n    down = Linear[wide, a]\n"
        "    param gain = 1\n    def call(v[a]) = v + gain * (norm(v) |> up |> relu |> down)\n"
        "one = Block[d]\ntwo = Block[d]\nminimize mean((x |> one |> two)^2) over one.up.*, two.gain\n"
    )
    parts = ["norm.gain", "norm.bias", "up.W", "up.b", "down.W", "down.b", "gain"]
    assert [p.name for p in found.parameters] == [f"{block}.{part}" for block in ("one", "two") for part in parts]
    assert found.objectives[0].over == ("one.up.W", "one.up.b", "two.gain")


def test_parts_of_instances_have_dotted_names() -> None:
    node = named(
        "sum(fc.W^2) + fc.b @ A",
        "use nn.Linear\naxis k: 3, j: 2\ninput x[n]\nparam A[j] = 0, b = 0\nfc = Linear[k, j]\n",
    )
    assert node.axes == ()


def test_a_method_besides_call() -> None:
    layer = "layer Scale:\n    param s = 2\n    def back(v) = v / s\n    def call(v) = back(v) * s^2\n"
    head = f"input x[n]\nparam b = 0\n{layer}f = Scale\n"
    assert named("f.back(f(x))", head).names == ("n",)


def test_code_of_the_library_carries_spans_of_the_model() -> None:
    found = program("use nn.mse\ninput x[n], y[n]\nparam w = 1\nminimize mse(w * x, y)\n")
    for node in reachable(found.roots()):
        assert node.span is not None
        assert node.span.source.name == "test.model"
    assert found.objectives[0].value.span is not None
    assert found.objectives[0].value.span.line == 4


LIBRARY = {
    "mse(y, b)": (),
    "mae(y, b)": (),
    "huber(y, b)": ("n",),
    "huber(y, b, delta=2)": ("n",),
    "cross_entropy[k](x, label)": ("n",),
    "binary_cross_entropy(sigmoid(y), y)": ("n",),
    "logistic_loss(y, b)": ("n",),
    "hinge(y, b)": ("n",),
    "gaussian_nll(y, b, exp(b))": ("n",),
    "gelu(x)": ("n", "k"),
    "silu(x)": ("n", "k"),
    "mish(x)": ("n", "k"),
    "softsign(x)": ("n", "k"),
    "selu(x)": ("n", "k"),
    "log_sigmoid(x)": ("n", "k"),
    "logaddexp(x, y)": ("n", "k"),
    **{f"{name}(x)": ("n", "k") for name in ("gelu_tanh", "celu", "hardtanh", "relu6", "hardsigmoid", "hardswish")},
    **{f"{name}(x)": ("n", "k") for name in ("tanhshrink", "softshrink", "hardshrink")},
    **{f"{name}(x, y)": ("n", "k") for name in ("glu", "reglu", "geglu", "swiglu")},
    "threshold(x, b, y)": ("n", "k"),
    "softmin[k](x)": ("n", "k"),
    "normalize[k](x)": ("n", "k"),
    "sinusoidal[t, k]()": ("k", "t"),
    "scaled_dot_product[t, k](x, x * s, s)": ("n",),
    "bce(sigmoid(y), y)": ("n",),
    "bce_with_logits(y, b)": ("n",),
}


@pytest.mark.parametrize("call", LIBRARY)
def test_functions_of_the_library(call: str) -> None:
    name = call.split("(")[0].split("[")[0]
    assert named(call, f"use nn.{name}\n{HEAD}").names == LIBRARY[call]


@pytest.mark.parametrize(
    ("layer", "argument", "axes"),
    [
        ("Linear[k, j]", "x", ("n", "j")),
        ("LayerNorm[k]", "x", ("n", "k")),
        ("RMSNorm[k]", "x", ("n", "k")),
        ("PReLU[k]", "x", ("n", "k")),
        ("Conv1d[k, vocab, t, j]", "x * s, stride=2", ("n", "t", "vocab")),
        ("Conv2d[k, vocab, t, n, j, k']", "x * s, pad=1", ("n", "t", "vocab")),
        ("DepthwiseConv2d[k, t, n, j, k']", "x * s, pad=1", ("n", "k", "t")),
        ("MaxPool[t, n, j, k']", "x * s, stride=1", ("n", "k", "t")),
        ("AvgPool[t, n, j, k']", "x * s, stride=1", ("n", "k", "t")),
        ("MaxPool1d[t, j]", "s", ("n", "t")),
        ("AvgPool1d[t, j]", "s", ("n", "t")),
        ("RNN[t, k, j]", "x * s", ("t", "n", "j")),
        ("GRU[t, k, j]", "x * s", ("t", "n", "j")),
        ("LSTM[t, k, j]", "x * s", ("t", "n", "j")),
        ("Bilinear[k, t, j]", "x, s", ("n", "j")),
        ("InstanceNorm[k, t, j]", "x * s * A", ("n", "k", "t", "j")),
        ("Attention[k, j, vocab, k'']", "A", ("k", "j")),
        ("CrossAttention[k, k', j, vocab, k'']", "A, A[k -> k']", ("k", "j")),
        ("Embedding[vocab, k]", "token", ("n", "k", "t")),
        ("BatchNorm[k, n]", "x", ("n", "k")),
        ("Dropout[n, k]", "x", ("n", "k")),
    ],
)
def test_layers_of_the_library(layer: str, argument: str, axes: tuple[str, ...]) -> None:
    assert named(f"f({argument})", f"use nn.{layer.split('[')[0]}\n{HEAD}f = {layer}\n").names == axes


def test_every_name_of_the_library_is_tested() -> None:
    statements = parse(Source("nn.model", grammar.text("nn.model"))).statements
    tested = {call.split("(")[0].split("[")[0] for call in LIBRARY} | {"Linear", "LayerNorm", "RMSNorm", "Embedding"}
    tested |= {"PReLU", "Bilinear", "InstanceNorm", "Attention", "CrossAttention", "BatchNorm", "Dropout"}
    tested |= {"Conv1d", "Conv2d", "DepthwiseConv2d", "MaxPool", "MaxPool1d", "AvgPool", "AvgPool1d"}
    tested |= {"RNN", "GRU", "LSTM"}
    assert {getattr(statement, "name", None) for statement in statements} == tested


# ------------------------------------------------------------------------------------------------------------- literals


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", sympy.Rational(1, 10)),
        ("1e-3", sympy.Rational(1, 1000)),
        ("2.50", sympy.Rational(5, 2)),
        ("1 / 3", sympy.Rational(1, 3)),
        ("2^10", Integer(1024)),
        ("2^-2", sympy.Rational(1, 4)),
        ("-2^2", Integer(-4)),
        ("sqrt(9)", Integer(3)),
        ("exp(0)", Integer(1)),
        ("floor(-1.5)", Integer(-2)),
        ("max(1, 2.5)", sympy.Rational(5, 2)),
        ("if 1 < 2 then 3 else 4", Integer(3)),
        ("size[k] * 2", Integer(6)),
    ],
)
def test_numbers_are_folded_exactly(text: str, value: sympy.Expr) -> None:
    node = named(text)
    assert isinstance(node, Constant)
    assert node.value == value


def test_long_numbers_become_doubles() -> None:
    assert float(named("3." + "1" * 60).attributes()[0]) == float("3." + "1" * 20)
    assert float(named("2^0.5").attributes()[0]) == 2**0.5
    assert float(named("1.1^1000").attributes()[0]) == pytest.approx(1.1**1000)


def test_an_index_is_a_node() -> None:
    assert isinstance(named("index[k]"), Index)


# --------------------------------------------------------------------------------------------------------------- limits


def test_a_sum_of_many_terms() -> None:
    started = time.process_time()
    text = " + ".join(f"w * x^{i}" for i in range(2, 5002))
    program(f"input x[n]\nparam w = 1\nminimize mean({text})\n")
    taken = time.process_time() - started
    assert taken < 4 or taken < 4 * pace()


def test_functions_may_stand_in_each_other_deeply() -> None:
    chain = "".join(f"def f{i}(x) = f{i - 1}(x) + {i}\n" for i in range(1, 400))
    program(f"def f0(x) = 2 * x\n{chain}input x[n]\nparam w = 1\nminimize mean(f399(w * x))\n")


def test_functions_cannot_recur_by_a_name_that_is_taken_later() -> None:
    text = "def f(v) = exp(v)\ndef exp(v) = f(v)\ninput x[n]\nparam w = 1\nminimize mean(f(w * x))\n"
    assert codes(text) == ["E0202"]
    assert codes("def exp(v) = exp(v)\ninput x[n]\nparam w = 1\nminimize mean(exp(w * x))\n") == ["E0202"]


def test_doubling_layers_are_stopped() -> None:
    layers = "".join(
        f"layer L{i}:\n    p = L{i - 1}\n    q = L{i - 1}\n    def call(x) = p(q(x))\n" for i in range(1, 30)
    )
    text = (
        f"layer L0:\n    param a = 1\n    def call(x) = a * x\n{layers}input x[n]\nnet = L29\nminimize mean(net(x))\n"
    )
    assert codes(text) == ["E0480"]


def test_mistakes_that_nobody_would_read_are_not_told() -> None:
    wrong = "".join(f"z{i} = nope{i}\n" for i in range(1000))
    assert len(codes(f"input x[n]\nparam w = 1\n{wrong}minimize mean(w * x)\n")) == MOST_DIAGNOSTICS


# ------------------------------------------------------------------------------------------------------------- mistakes


def test_a_mistake_is_told_once() -> None:
    text = "input x[n]\nparam w = 1\na = w * nope\nb = a + 1\nc = mean(b)\nminimize c\noutput a\nmetric m = c\n"
    assert codes(text) == ["E0200"]


def test_independent_mistakes_of_one_expression() -> None:
    assert codes("input x[n]\nparam w = 1\nminimize mean(w * nope + never(x) * sum[m](x))\n") == [
        "E0200",
        "E0200",
        "E0300",
    ]


def test_mistakes_stand_in_the_order_of_the_source() -> None:
    text = "use nn.mse\naxis d: 0\ninput x[n]\nparam w = 1\nz = nope\nminimize mse(x)\noutput q\n"
    assert codes(text) == ["E0303", "E0200", "E0404", "E0200"]


def test_a_mistake_in_a_function_shows_the_call() -> None:
    with pytest.raises(ModelError) as caught:
        program("axis k: 3\ninput x[n, k]\nparam w[k] = 0\ndef f(v) = v @ w\ndef g(v) = f(v)\nminimize mean(g(g(x)))\n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E0321"
    assert diagnostic.span.text == "v @ w"
    assert [note.span.text for note in diagnostic.notes] == ["f(v)", "g(g(x))"]


def test_the_example_of_the_language() -> None:
    with pytest.raises(ModelError) as caught:
        program(
            "axis t: 4, head: 2, k: 3\ninput query[n, t, head, k], key[n, t', head, k]\nparam w = 1\n"
            "weight = softmax[t'](query @ key)\nminimize mean(w * weight)\n"
        )
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "`@` needs exactly one shared axis, and these share three"
    assert diagnostic.sides == ("query [n, t, head, k]   key [n, t', head, k]   shared: n, head, k",)
    assert diagnostic.help == "say which to sum over: sum[k](query * key)"
