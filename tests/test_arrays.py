"""Windows, concat, flatten, split, running totals and sort: values, gradients and second derivatives.

What PyTorch says of the same arrays stands in reference/arrays.json, with the script that wrote it; the values of whole
models are compared with the reference evaluator too.
"""

from __future__ import annotations

import json
import re
import tracemalloc
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc.compiler import VERSION
from gradc.compiler.check_graph import checked
from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.emit.numpy import emit_numpy
from gradc.compiler.graph import Node, Objective, Program
from gradc.compiler.inspect.formula import axes
from gradc.compiler.inspect.latex import latex
from gradc.compiler.inspect.text import text as text_of
from gradc.compiler.inspect.values import values as described
from gradc.compiler.inspect.write import Writer, names_of
from gradc.compiler.lower import lower
from gradc.compiler.reference import evaluate
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import ALL_OFF, Truth, aligned, compiled, distance, load, sample, start
from .test_properties import everything_agrees

Array = npt.NDArray[Any]

STORED = json.loads((Path(__file__).parent / "reference" / "arrays.json").read_text())
CASES = STORED["cases"]
TOLERANCE = 1e-10


def elaborated(text: str) -> tuple[Program, Source]:
    source = Source("arrays.model", text)
    return elaborate(parse(source)), source


def module_of(program: Program, source: Source) -> types.ModuleType:
    """The module of a differentiated program, without any pass."""
    lowered = lower(program, "float64")
    return load(emit_numpy(checked(lowered), (), program, source, "float64", {}, VERSION))


# ------------------------------------------------------------------------------------------------------ against PyTorch


def written(case: dict[str, Any]) -> str:
    """The model of a case: sum(weight * f^2), and inputs for the directions of second derivatives."""
    lengths = ", ".join(f"{axis}: {length}" for axis, length in STORED["lengths"].items())
    brackets = {name: ", ".join(axes.split()) for name, axes in case["shapes"].items()}
    arrays = ", ".join(f"{name}[{axes}] = 0" for name, axes in brackets.items())
    along = ", ".join(f"along_{name}[{axes}]" for name, axes in brackets.items())
    return f"""axis {lengths}, each: {np.size(case["weight"])}
input weight[each], {along}
param {arrays}
f = {case["formula"]}
minimize sum(weight * flatten[({", ".join(case["result"].split())}) -> each](f)^2)
output f
"""


def inputs(case: dict[str, Any]) -> dict[str, Array]:
    found = {"weight": np.ravel(case["weight"])}
    return found | {f"along_{name}": np.asarray(array) for name, array in case["directions"].items()}


def flat(arrays: dict[str, Any]) -> Array:
    return np.concatenate([np.ravel(array) for array in arrays.values()])


def twice(case: dict[str, Any]) -> tuple[Program, Source]:
    """The program whose objective is the gradient of the case along the stored directions."""
    program, source = elaborated(written(case))
    gradients = differentiate(program).gradients["loss"]
    leaves = {item.name: item.leaf for item in program.inputs}
    parts: list[Node] = []
    for parameter in program.parameters:
        pair = [leaves[f"along_{parameter.name}"], program.graph.spread(gradients[parameter.name], parameter.axes)]
        parts.append(program.graph.contract(pair, parameter.axes))
    names = tuple(parameter.name for parameter in program.parameters)
    second = Objective("loss", program.graph.sum(parts), names)
    return differentiate(replace(program, objectives=(second,), outputs=())), source


def in_order(value: Any, case: dict[str, Any], axes: tuple[str, ...]) -> Array:
    """The stored value with its axes in the order of the module."""
    return np.transpose(value, [case["result"].split().index(axis) for axis in axes])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["all passes", "no pass"])
def test_values_and_gradients_are_those_of_pytorch(case: dict[str, Any], without: tuple[str, ...]) -> None:
    _, module = compiled(written(case), without=without)
    theta = flat(case["arrays"])
    loss, gradient = module.bind(inputs(case))(theta)
    assert loss == pytest.approx(case["loss"], rel=TOLERANCE)
    assert distance(gradient, flat(case["gradients"])) < TOLERANCE
    value = module.predict(theta, inputs(case))["f"]
    assert distance(value, in_order(case["value"], case, module.OUTPUTS["f"]["axes"])) < TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_second_derivatives_are_those_of_pytorch(case: dict[str, Any]) -> None:
    program, source = twice(case)
    _, gradient = module_of(program, source).bind(inputs(case))(flat(case["arrays"]))
    assert distance(gradient, flat(case["seconds"])) < TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_reference_has_the_same_values(case: dict[str, Any]) -> None:
    program, _ = elaborated(written(case))
    parameters = {name: np.asarray(array) for name, array in case["arrays"].items()}
    (node,) = (node for _, node in program.outputs)
    for digits in (None, 30):
        (found,) = evaluate(program, [node], inputs(case), parameters, digits)
        value = aligned(found, node, case["result"].split(), np.shape(case["value"]))
        assert distance(value.astype(np.float64), np.asarray(case["value"])) < TOLERANCE


# -------------------------------------------------------------------------------------------------------- whole modules

NETWORK = """axis c: 2, k: 3, h: 7, w: 6, r: 3, s: 2, u: 2, v: 2, d: 2
input image[n, c, h, w], y[n, d]
param K[k, c, r, s] ~ he(), b[k] = 0
def pool(x[h, w]) = max[u, v](window[h: u, w: v](x, stride=2))
x = pool(tanh(sum[c, r, s](window[h: r, w: s](image, pad=1) * K) + b))
flat = flatten[(k, h, w) -> feature](x)
param W[feature, d] ~ normal(0, 1)
p = flat @ W
minimize mean((p - y)^2)
output p
output x
"""


TAPS_FIRST = NETWORK.replace("axis c: 2, k: 3, ", "axis s: 2, u: 2, v: 2, r: 3, c: 2, k: 3, ").replace(
    ", r: 3, s: 2, u: 2, v: 2, d: 2", ", d: 2"
)
"""The order in which axes are declared is not that in which they lie in memory."""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("block", [1, 3, 4, None])
@pytest.mark.parametrize("text", [NETWORK, TAPS_FIRST], ids=["taps last", "taps first"])
def test_a_network_is_the_same_in_blocks_of_any_size(text: str, dtype: str, block: int | None) -> None:
    of, module = compiled(text, dtype=dtype)
    data = sample(module, seed=1, lengths={"n": 10})
    theta = start(module, data, seed=2)
    truth = Truth(of.elaborated, module, data, theta)
    loss, gradient = module.bind(data, block=block)(theta)
    close = 1e-10 if dtype == "float64" else 1e-4
    assert distance(loss, truth.loss_and_gradient[0]) < close
    assert distance(gradient, truth.loss_and_gradient[1]) < close
    module.CACHE = 1
    for name, value in module.predict(theta, data).items():
        assert distance(value, truth.outputs[name]) < close


def test_a_step_allocates_nothing() -> None:
    _, module = compiled(NETWORK)
    data = sample(module, seed=1, lengths={"n": 300})
    objective = module.bind(data)
    theta, out = start(module, data), np.empty(objective.size)
    objective(theta, out)
    tracemalloc.start()
    objective(theta, out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000  # NumPy's own buffers where it casts; an array of the step has 350,000 bytes


def test_a_convolution_is_products_of_matrices() -> None:
    of, _ = compiled(NETWORK)
    step = of.module.split("def __call__")[1]
    assert step.count("matmul(") == 2
    assert "einsum" not in step


def test_an_output_keeps_the_order_of_its_axes() -> None:
    _, module = compiled("axis h: 6, r: 3, c: 2\ninput x[n, h, c]\nparam w = 2\noutput f = w * window[h: r](x)\n")
    data = sample(module)
    assert module.OUTPUTS["f"]["axes"] == ("n", "h", "r", "c")
    found = module.predict(np.array([2.0]), data)["f"]
    assert distance(found, 2 * np.stack([data["x"][:, i : i + 4] for i in range(3)], 2)) == 0


def test_rows_are_cut_where_data_have_windows_along_them() -> None:
    everything_agrees(
        "axis v: 4, tip: 3\nparam E[v] = 0.3\ninput x[n]\n"
        'minimize sum(sin(x * E)) + sum(E[v = 0] * sum[tip](window[n: tip](x, pad="same")) * x)\n'
    )


def test_whatever_is_flattened_is_read_as_it_lies_in_memory() -> None:
    """Of a state, of noise and of an output's cotangent too, the axes lie as the model has them."""
    merged = "flatten[(k, j) -> f]"
    objective = f"sum({merged}(S) * {merged}(B) * w) + sum({merged}(e) * {merged}(B) * w^2)"
    everything_agrees(
        "axis k: 3, j: 2\ninput B[k, j]\nparam w = 2\nparam M[k, j] = 1\nstate S[j, k] = 1\n"
        f"noise e[j, k] ~ normal(0, 1)\nminimize {objective}\nupdate S = 0.9 * S + e\n"
        f"output swapped = sin(split[f -> (j, k)]({merged}(M)))\n"
    )


@pytest.mark.parametrize(
    ("formula", "short", "told"),
    [
        ("x[t = 2:]", 2, "line 3: nothing is left along t: its length there is t - 2, and 't' has length 2"),
        ("window[t: r](x)", 2, "line 3: nothing is left along t: its length there is t - 2, and 't' has length 2"),
        ("split[t -> (half: 2, u)](x)", 3, "line 3: t cannot be split into equal parts, and 't' has length 3"),
    ],
)
def test_lengths_that_do_not_fit_are_told_when_data_are_bound(formula: str, short: int, told: str) -> None:
    _, module = compiled(f"axis r: 3\ninput x[n, t]\nf = {formula}\nparam w = 1\nminimize mean(w * f)\noutput f\n")
    data = sample(module, lengths={"t": short})
    with pytest.raises(module.DataError, match=re.escape(told)):
        module.bind(data)
    with pytest.raises(module.DataError, match=re.escape(told)):
        module.predict(np.ones(1), data)
    good = sample(module, lengths={"t": 4})
    assert np.isfinite(module.bind(good)(np.ones(1))[0])


def test_a_branch_that_is_not_taken_gives_exactly_nothing() -> None:
    """Where x is not above 0 its logarithm has no value, and none of these lets that through."""
    for form in (
        "cumsum[t](log(x))",
        "cumprod[t](log(x))",
        "sort[t](log(x))",
        "sum[r](window[t: r](log(x), pad=1))",
        "concat[t](log(x[t = :2]), log(x[t = 2:]))",
        "split[m -> (n, t)](flatten[(n, t) -> m](log(x)))",
    ):
        text = f"axis r: 3\nparam x[n: 2, t: 4] = 1\ninput flag[n]: bool\nminimize sum(if flag then {form} else x^2)\n"
        _, module = compiled(text)
        theta = np.array([1.0, 2.0, 3.0, 4.0, -1.0, 0.0, -2.0, 1.0])
        loss, gradient = module.bind({"flag": np.array([True, False])})(theta)
        assert np.isfinite(loss), form
        assert np.isfinite(gradient).all(), form
        assert (gradient[4:] == 2 * theta[4:]).all(), form


# ----------------------------------------------------------------------------------------------------------- elaborated


def value(text: str, name: str = "f") -> Node:
    return dict(elaborated(text)[0].named)[name]


def test_lengths_that_are_equal_have_one_form() -> None:
    for sides in (
        ("x[t = ::2]", 'sum[r](window[t: r](x, stride=2, pad="same"))'),
        ("x[t = 2::3]", "sum[r](window[t: r](x, stride=3))"),
        ("x", 'sum[e](window[t: e](x, pad="same", dilation=3))'),
    ):
        text = f"axis r: 3, e: 2\ninput x[n, t]\nparam w = 1\nf = w * ({sides[0]} - {sides[1]})\nminimize sum(f)\n"
        assert value(text).names == ("n", "t")


def test_an_axis_is_known_from_the_flatten_on() -> None:
    text = """axis a: 2, b: 3
input x[n, a, b]
def flat[f](v[a, b]) = flatten[(a, b) -> f](v)
param w = 1
f = w * flat[feature](x)
param u[feature] = 1
minimize sum(f @ u) + sum(sum[m](flatten[(b, a) -> m](x) * w)) + size[m]
"""
    assert [str(axis.length) for axis in value(text).axes] == ["n", "6"]


def test_a_word_is_handed_on_to_an_option() -> None:
    text = """axis t: 6, r: 3
input x[n, t]
param K[r] = 1
def filtered(v[t], pad="same", stride=1) = sum[r](window[t: r](v, pad=pad, stride=stride) * K)
f = filtered(x, stride=2)
g = filtered(x, pad=0)
h = filtered(x)
minimize sum(f) + sum(g) + sum(h)
"""
    assert [str(value(text, name).axis("t").length) for name in "fgh"] == ["3", "4", "6"]


# ------------------------------------------------------------------------------------------------------------ inspected

FORMS = [
    ("window[t: r](x, stride=2)", r"\operatorname{window}_{t : r}", "window along t with taps r"),
    ("concat[t](x, x^2)", r"\operatorname{concat}_{t}", "concat along t"),
    ("flatten[(n, t) -> m](x)", r"\operatorname{flatten}_{n,t \to m}", "flatten n, t to m"),
    ("split[t -> (k, u)](x)", r"\operatorname{split}_{t \to k,u}", "split t into k, u"),
    ("cumsum[t](x)", r"\operatorname{cumsum}_{t}", "running sum along t"),
    ("cumprod[t](x)", r"\operatorname{cumprod}_{t}", "running product along t"),
    ("x[t = argsort[t](x)]", r"\operatorname{argsort}_{t}", "gather along t"),
]


@pytest.mark.parametrize(("formula", "command", "words"), FORMS, ids=[form[0] for form in FORMS])
def test_a_formula_is_printed_as_it_is_written(formula: str, command: str, words: str) -> None:
    program, _ = elaborated(f"axis r: 3, k: 2\nparam x[n: 5, t: 4] = 1\nf = {formula}\nminimize sum(f^2)\n")
    node = dict(program.named)["f"]
    writer = Writer(names_of(program))
    (found,) = writer.write([node])
    assert text_of(found, {}) == formula
    assert command in latex(found, {})
    assert next(v for v in described(program) if v.name == "f").rule.startswith(words)
    assert axes(found) == set(node.names)
