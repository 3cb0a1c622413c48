"""Linear algebra over two axes: values, gradients and second derivatives, the rules, and the errors at run time.

What PyTorch says of the same matrices stands in reference/linear_algebra.json, with the script that wrote it; the
values of whole models are compared with the reference evaluator, in fifty digits.
"""

from __future__ import annotations

import json
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Integer

from gradc.__main__ import main
from gradc.compiler import VERSION
from gradc.compiler.check_graph import Malformed, checked
from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.emit.numpy import emit_numpy
from gradc.compiler.graph import Axis, Graph, LinearAlgebra, Node, Objective, Program, reachable
from gradc.compiler.inspect.formula import axes
from gradc.compiler.inspect.latex import latex
from gradc.compiler.inspect.text import text
from gradc.compiler.inspect.values import values
from gradc.compiler.inspect.write import Writer, names_of
from gradc.compiler.lower import lower
from gradc.compiler.reference import evaluate
from gradc.compiler.simplify.algebra import simplify_algebra
from gradc.compiler.simplify.cost import cost
from gradc.compiler.simplify.definite import definite, symmetric
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import ALL_OFF, Truth, aligned, compiled, distance, load, sample, start

Array = npt.NDArray[Any]

STORED = json.loads((Path(__file__).parent / "reference" / "linear_algebra.json").read_text())
CASES = STORED["cases"]
TOLERANCE = 1e-10


def elaborated(text: str) -> tuple[Program, Source]:
    source = Source("algebra.model", text)
    return elaborate(parse(source)), source


def module_of(program: Program, source: Source) -> types.ModuleType:
    """The module of a differentiated program, without any pass."""
    lowered = lower(program, "float64")
    return load(emit_numpy(checked(lowered), (), program, source, "float64", {}, VERSION))


# ------------------------------------------------------------------------------------------------------ against PyTorch


def written(case: dict[str, Any]) -> str:
    """The model of a case: sum(weight * operator(A, b)), and inputs for the directions of second derivatives."""
    matrix, right, result = (", ".join(axes.split()) for axes in case["axes"])
    brackets = f"[{result}]" if result else "[one]"
    lengths = ", ".join(f"{axis}: {length}" for axis, length in STORED["lengths"].items() if "'" not in axis)
    arguments = "A, b" if case["operator"] == "solve" else "A"
    return f"""axis {lengths}, one: 1
input weight{brackets}, along_A[{matrix}], along_b[{right}]
param A[{matrix}] = 0, b[{right}] = 0
f = {case["operator"]}[d, d']({arguments})
minimize sum(weight * f) + 0 * sum(b)
output f
"""


def inputs(case: dict[str, Any]) -> dict[str, Array]:
    weight = np.asarray(case["weight"])
    found = {"weight": weight if weight.ndim else weight.reshape(1)}
    found |= {"along_A": np.asarray(case["matrix_direction"]), "along_b": np.asarray(case["right_direction"])}
    return found


def expected(case: dict[str, Any], order: str) -> Array:
    """The stored gradient or second derivative by A and b, as the vector of parameters has them."""
    right = case.get(f"right_{order}", np.zeros_like(case["right"]))
    return np.concatenate([np.ravel(case[f"matrix_{order}"]), np.ravel(right)])


def named(case: dict[str, Any]) -> str:
    return f"{case['operator']} {' | '.join(case['axes'][: 2 if case['operator'] == 'solve' else 1])}"


def twice(case: dict[str, Any]) -> tuple[Program, Source]:
    """The program whose objective is the gradient of the case along the stored directions."""
    program, source = elaborated(written(case))
    first = differentiate(program)
    gradients = first.gradients["loss"]
    leaves = {item.name: item.leaf for item in program.inputs}
    parts: list[Node] = []
    for parameter in program.parameters:
        pair = [leaves[f"along_{parameter.name}"], program.graph.spread(gradients[parameter.name], parameter.axes)]
        parts.append(program.graph.contract(pair, parameter.axes))
    second = Objective("loss", program.graph.sum(parts), ("A", "b"))
    return differentiate(replace(program, objectives=(second,), outputs=())), source


@pytest.mark.parametrize("case", CASES, ids=named)
@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["all passes", "no pass"])
def test_values_and_gradients_are_those_of_pytorch(case: dict[str, Any], without: tuple[str, ...]) -> None:
    _, module = compiled(written(case), without=without)
    theta = np.concatenate([np.ravel(case["matrix"]), np.ravel(case["right"])])
    loss, gradient = module.bind(inputs(case))(theta)
    assert loss == pytest.approx(case["loss"], rel=TOLERANCE)
    assert distance(gradient, expected(case, "gradient")) < TOLERANCE
    value = module.predict(theta, inputs(case))["f"]
    order = [case["axes"][2].split().index(axis) for axis in module.OUTPUTS["f"]["axes"]]
    assert distance(value, np.transpose(case["value"], order)) < TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=named)
def test_second_derivatives_are_those_of_pytorch(case: dict[str, Any]) -> None:
    program, source = twice(case)
    theta = np.concatenate([np.ravel(case["matrix"]), np.ravel(case["right"])])
    _, gradient = module_of(program, source).bind(inputs(case))(theta)
    assert distance(gradient, expected(case, "second")) < TOLERANCE


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_reference_has_the_same_values(case: dict[str, Any]) -> None:
    program, _ = elaborated(written(case))
    parameters = {"A": np.asarray(case["matrix"]), "b": np.asarray(case["right"])}
    (node,) = (node for _, node in program.outputs)
    axes = case["axes"][2].split()
    for digits in (None, 30):
        (found,) = evaluate(program, [node], inputs(case), parameters, digits)
        value = aligned(found, node, axes, [STORED["lengths"][axis] for axis in axes])
        assert distance(value.astype(np.float64), np.asarray(case["value"])) < TOLERANCE


# ----------------------------------------------------------------------------------------------------------- the models

GAUSSIAN_PROCESS = """input x[n], y[n]
param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.3
K = scale * exp(-((x - x[n -> n']) / length)^2 / 2) + where(index[n] == index[n'], noise, 0)
alpha = solve[n, n'](K, y)
minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2
output alpha
"""
MODELS = {
    "a Gaussian process": GAUSSIAN_PROCESS,
    "one with a length for each feature, by inverse and det": """axis k: 2
input x[n, k], y[n]
param length[k] > 0 = 1, noise > 0 = 0.3, trend = 0.1
distance = sum[k](((x - x[n -> n']) / length)^2)
K = exp(-0.5 * distance) + noise * where(index[n] == index[n'], 1, 0)
rest = y - trend
minimize sum[n, n'](rest * inverse[n, n'](K) * rest[n -> n']) + log(det[n, n'](K))
output weights = inverse[n, n'](K) @ rest[n -> n']
""",
    "Bayesian linear regression": """axis d: 3
input x[n, d], y[n]
param prior > 0 = 1, noise > 0 = 1
P = sum[n](x * x[d -> d']) / noise + where(index[d] == index[d'], prior, 0)
m = solve[d, d'](P, sum[n](x * y) / noise)
minimize sum[n]((y - x @ m)^2) / noise + logdet[d, d'](P) - 2 * trace[d, d'](inverse[d, d'](P))
output mean_of_weights = m
""",
    "a matrix for each row": """axis d: 3, k: 2
input x[n, d], y[n, d]
param B[d, d', k] ~ normal(0, 1), c[d] = 0.1
A = sum[k](B * x)^2 + where(index[d] == index[d'], 4 + exp(x), 0)
z = solve[d, d'](A, y - c)
minimize mean(z^2) + mean[n](log(det[d, d'](A)^2)) + mean(inverse[d, d'](A)^2)
output z
output t = trace[d, d'](A)
output diagonal = A[d' = index[d]]
""",
    "right sides along the rows": """axis d: 3
input x[n, d]
param B[d, d'] ~ normal(0, 1)
A = sum[e](B[d' -> e] * B[d -> d', d' -> e]) + where(index[d] == index[d'], 1, 0)
axis e like d
L = cholesky[d, d'](A)
z = solve[d, d'](L, x)
minimize mean[n](sum[d](z^2)) / 2 + sum[d](log(L[d' = index[d]]))
output z
""",
    "inside a branch": """axis d: 3
input x[n, d], y[n]
param B[d, d'] ~ normal(0, 1)
A = B + where(index[d] == index[d'], 5, 0)
z = solve[d, d'](A, x)
minimize mean(if y > 0 then sum[d](z) else y) + (if sum(B) > 0 then det[d, d'](A) else logdet[d, d'](A))
""",
}


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_modules_agree_with_the_reference(text: str, dtype: str) -> None:
    found, module = compiled(text, dtype=dtype)
    data = sample(module)
    theta = start(module, data)
    truth = Truth(found.elaborated, module, data, theta.astype(np.float64), digits=50)
    loss, gradient = truth.loss_and_gradient
    tolerance = 1e-10 if dtype == "float64" else 2e-3
    for block in (None, 2):
        got, slope = module.bind(data, block=block)(theta)
        assert got == pytest.approx(loss, rel=tolerance)
        assert distance(slope, gradient) < tolerance
    for name, value in truth.outputs.items():
        assert distance(module.predict(theta, data)[name], value.astype(np.float64)) < tolerance
    if dtype == "float64":
        places, numeric, _ = truth.numeric()
        assert distance(gradient[places], numeric) < 1e-8


# ------------------------------------------------------------------------------------------------------------ the rules

HEAD = """axis d: 3, k: 2, e like d
input A[d, d'], C[d, d', k], b[d], c[d'], X[d, k], x[d]
param t > 0 = 1, u[d] > 0 = 1
minimize t
I = where(index[d] == index[d'], 1, 0)
G = sum[k](X * X[d -> d'])
K = exp(-sum[k]((X - X[d -> d'])^2) / t)
"""
FIRES = {
    "log of a determinant": ("log(det[d, d'](A + 9 * I))", "logdet[d, d'](A + 9 * I)"),
    "log of the size of a determinant": ("log(abs(det[d, d'](G + t * I)))", "logdet[d, d'](G + t * I)"),
    "the inverse times a vector": ("inverse[d, d'](A) @ c", "solve[d, d'](A, c[d' -> d])"),
    "a vector times the inverse": ("sum[d](b * inverse[d, d'](A))", "solve[d', d](A, b[d -> d'])"),
    "the inverse between vectors": (
        "sum[d, d'](b * inverse[d, d'](A) * c)",
        "sum[d](b * solve[d, d'](A, c[d' -> d]))",
    ),
    "for each of a batch": ("sum[d'](inverse[d, d'](C) * c)", "solve[d, d'](C, c[d' -> d])"),
    "under another name": ("sum[d'](inverse[d, d'](A)[d -> e] * c)", "solve[e, d'](A[d -> e], c[d' -> e])"),
    "inverse of an inverse": ("inverse[d, d'](inverse[d, d'](A))", "A"),
    "determinant of an inverse": ("det[d, d'](inverse[d', d](A))", "1 / det[d, d'](A)"),
    "log of the determinant of an inverse": ("logdet[d, d'](inverse[d, d'](A + 9 * I))", "-logdet[d, d'](A + 9 * I)"),
    "system of an inverse": ("solve[d, d'](inverse[d, d'](A), b)", "A @ b[d -> d']"),
    "system of a product": ("solve[d, d'](A, A @ c)", "c[d' -> d]"),
    "inverse of a transpose": ("inverse[d, d'](A[d -> d', d' -> d])", "inverse[d, d'](A)[d -> d', d' -> d]"),
    "determinant of a transpose": ("det[d, d'](A[d -> d', d' -> d])", "det[d, d'](A)"),
    "transpose of a system": ("solve[d, d'](A[d -> d', d' -> d], b)", "solve[d', d](A, b[d -> d'])[d' -> d]"),
    "number out of a system": ("solve[d, d'](A, 2 * t * b)", "2 * t * solve[d, d'](A, b)"),
    "transpose of a symmetric matrix": ("(G + K)[d -> d', d' -> d]", "G + K"),
    "transpose of its inverse": ("inverse[d, d'](G + I)[d -> d', d' -> d]", "inverse[d, d'](G + I)"),
}


def both(first: str, second: str) -> tuple[Program, Node, Node]:
    """The two formulas as nodes of one program."""
    program, _ = elaborated(f"{HEAD}output f = {first}\noutput g = {second}\n")
    found = dict(program.outputs)
    return program, found["f"], found["g"]


def value_of(program: Program, node: Node) -> Array:
    random = np.random.default_rng(3)
    shapes = {"d": 3, "d'": 3, "k": 2}
    data = {i.name: random.normal(size=[shapes[axis.name] for axis in i.axes]) for i in program.inputs}
    (value,) = evaluate(program, [node], data, {"t": np.asarray(0.2), "u": random.normal(size=3)})
    return aligned(value, node, [axis.name for axis in node.axes], value.shape)


@pytest.mark.simplified
@pytest.mark.parametrize(("before", "after"), FIRES.values(), ids=FIRES)
def test_a_rule_fires_and_keeps_the_value(before: str, after: str) -> None:
    program, _, expected = both(before, after)
    new = dict(checked(simplify_algebra(program), program).outputs)["f"]
    assert new is expected
    old = dict(program.outputs)["f"]
    assert distance(value_of(program, new), value_of(program, old)) < TOLERANCE


STAYS = {
    "a determinant that may be negative": "log(abs(det[d, d'](A)))",
    "the inverse times as many columns": "sum[d'](inverse[d, d'](A) * A[d -> e])",
    "the inverse summed over its rows too": "sum[d, d'](inverse[d, d'](A) * A)",
    "a system of another matrix": "solve[d, d'](A, A[d -> d', d' -> d] @ c)",
    "a transpose": "(A + G)[d -> d', d' -> d]",
    "what changes its sign": "(x - x[d -> d'])[d -> d', d' -> d]",
}


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_a_rule_does_not_fire(text: str) -> None:
    program, node, _ = both(text, "0 * t")
    assert dict(simplify_algebra(program).outputs)["f"] is node


DEFINITE = {
    "I": True,
    "t * I": True,
    "I / t": True,
    "G + I": True,
    "2 * G + K + u^2 * I": True,
    "t * K * G + where(index[d] == index[d'], u, 0)": True,
    "exp(-((x - x[d -> d']) / t)^2 / 2) + t * I": True,
    "exp(-abs(x - x[d -> d'])) + I": False,
    "exp(-((x + x[d -> d']) / t)^2 / 2) + t * I": False,
    "exp(((x - x[d -> d']) / t)^2 / 2) + t * I": False,
    "G": False,
    "G + 1": False,
    "G - I": False,
    "G + b * I": False,
    "A + I": False,
    "A * A[d -> d', d' -> d] + I": False,
    "x * b[d -> d'] + I": False,
}


@pytest.mark.parametrize(("text", "holds"), DEFINITE.items(), ids=DEFINITE)
def test_what_the_form_shows(text: str, holds: bool) -> None:
    program, node, _ = both(text, "0 * t")
    d, other = (next(axis for axis in program.axes if axis.name == "d"), node.axis("d'"))
    assert definite(program.graph, node, d, other) == holds
    value = value_of(program, node)
    if holds:
        assert symmetric(program.graph, node, d, other)
        assert np.linalg.eigvalsh(value).min() > 0
    if symmetric(program.graph, node, d, other):
        assert np.array_equal(value, value.T)


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_rewritten_programs_keep_values_and_gradients(text: str) -> None:
    program, source = elaborated(text)
    plain = module_of(differentiate(program), source)
    early = checked(simplify_algebra(program), program)
    late = checked(simplify_algebra(differentiate(early)), program)
    module = module_of(late, source)
    data = sample(module)
    theta = start(module, data)
    loss, gradient = plain.bind(data)(theta)
    got, slope = module.bind(data)(theta)
    assert got == pytest.approx(loss, rel=TOLERANCE)
    assert distance(slope, gradient) < TOLERANCE


def operations(program: Program) -> list[str]:
    """The operations on matrices that an objective and its gradient need."""
    (gradient,) = program.gradients.values()
    nodes = reachable([program.objectives[0].value, *gradient.values()])
    return sorted(node.operator for node in nodes if isinstance(node, LinearAlgebra))


def test_a_gaussian_process_solves_one_system() -> None:
    """The adjoint's system is the same one; the inverse is there for the derivative of the determinant alone."""
    program, _ = elaborated(GAUSSIAN_PROCESS)
    assert operations(differentiate(program)) == ["inverse", "logdet", "solve", "solve"]
    late = simplify_algebra(differentiate(simplify_algebra(program)))
    assert operations(late) == ["cholesky", "inverse", "solve"]


# ----------------------------------------------------------------------------------------------------------- the errors

FAULTS = {
    "solve[d, d'](A, b)": "is singular",
    "inverse[d, d'](A)": "is singular",
    "cholesky[d, d'](A)": "is not positive definite",
    "logdet[d, d'](A)": "has no determinant above 0",
}


@pytest.mark.parametrize(("call", "fault"), FAULTS.items(), ids=FAULTS)
@pytest.mark.parametrize("block", [None, 2])
def test_an_unfit_matrix_is_told_with_its_line(call: str, fault: str, block: int | None) -> None:
    text = f"""axis d: 2
input X[n, d, d'], b[n, d]
param s = 1
A = s * X
z = {call}
minimize mean(z)
"""
    _, module = compiled(text)
    data = {"X": np.tile(np.eye(2), (6, 1, 1)), "b": np.ones((6, 2))}
    module.bind(data, block=block)(np.ones(1))
    data["X"][4] = [[1.0, 2.0], [2.0, 4.0]]
    with pytest.raises(module.DataError) as caught:
        module.bind(data, block=block)(np.ones(1))
    assert str(caught.value) == f"line 5: z = {call}: the matrix over [d, d'] {fault} at [n] = [4]"
    assert caught.value.__suppress_context__


def test_one_matrix_has_no_place_in_a_batch() -> None:
    text = "axis d: 2\nparam B[d, d'] = 1\nminimize sum(solve[d, d'](B, ones[d]))\n"
    _, module = compiled(text)
    with pytest.raises(module.DataError, match=r"line 3: .*: the matrix over \[d, d'\] is singular$"):
        module.bind({})(np.ones(4))


def test_the_commands_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, table = tmp_path / "unfit.model", tmp_path / "unfit.csv"
    table.write_text("x\n1\n2\n")
    head = "axis d: 2\ninput x[n]\nparam s = 1, t = 0\nA = where(index[d] == index[d'], s, t)\n"
    model.write_text(head + "minimize mean(x) * s + logdet[d, d'](A) - 3 * t\n")
    train = [
        "train",
        str(model),
        "--data",
        str(table),
        "--out",
        str(tmp_path / "fitted"),
        "--lr",
        "0.1",
        "--epochs",
        "99",
    ]
    assert main(train) == 1
    told = "line 5: minimize mean(x) * s + logdet[d, d'](A) - 3 * t: the matrix over [d, d'] has no determinant"
    assert told in capsys.readouterr().err
    model.write_text(head + "minimize mean(x) * s + logdet[d, d'](A - A) - 3 * t\n")
    assert main(["check", str(model)]) != 0
    assert "has no determinant above 0" in capsys.readouterr().err


def test_a_determinant_of_a_singular_matrix_is_zero() -> None:
    _, module = compiled("axis d: 2\nparam B[d, d'] = 1\noutput z = det[d, d'](B)\n")
    assert module.predict(np.ones(4), {})["z"] == 0


def test_functions_are_written_only_where_they_are_used() -> None:
    found, _ = compiled("axis d: 2\nparam B[d, d'] = 1\noutput z = trace[d, d'](B)\n")
    assert "linalg.inv" not in found.module
    assert "_refuse" not in found.module
    assert ".diagonal(0, 0, 1)" in found.module


# --------------------------------------------------------------------------------------------------- graph and formulas


@pytest.mark.parametrize(
    ("columns", "right", "rule"),
    [
        ("k", (), "its matrix is not square"),
        ("d'", ("d", "d'"), "its right side has the axis of the columns"),
    ],
)
def test_a_broken_node_is_refused(columns: str, right: tuple[str, ...], rule: str) -> None:
    graph = Graph()
    of = {name: Axis(name, Integer(length)) for name, length in (("d", 3), ("d'", 3), ("k", 2))}
    matrix = graph.leaf("input", "A", [of["d"], of[columns]])
    operands = [matrix, graph.leaf("input", "b", [of[name] for name in right])] if right else [matrix]
    node = graph.linear_algebra("solve" if right else "det", operands, of["d"], of[columns])
    program, _ = elaborated("param w = 1\nminimize w\n")
    with pytest.raises(Malformed) as caught:
        checked(replace(program, graph=graph, objectives=(Objective("loss", node, ()),)))
    assert caught.value.rule == rule


def test_costs_are_those_that_were_measured() -> None:
    """With OpenBLAS on one thread, 300 rows, in nanoseconds."""
    graph = Graph()
    wide = [Axis(name, Integer(300)) for name in ("d", "d'")]
    matrix, right = graph.leaf("parameter", "A", wide), graph.leaf("parameter", "b", wide[:1])
    costs = [
        cost(graph.linear_algebra(operator, [matrix, right], *wide), None)
        for operator in ("cholesky", "solve", "inverse")
    ]
    measured = [436e3, 768e3, 3.3e6]
    assert costs == pytest.approx(measured, rel=0.3)


FORMULAS = {
    "solve[d, d'](A, b)": (
        "solve[d, d'](A, b)",
        r"\operatorname{solve}_{d,d'}\left(A_{d,d'}, b_{d}\right)",
        "solve over d, d'",
    ),
    "inverse[d, d'](A + I)": ("inverse[d, d'](A + I)", r"\left(A_{d,d'} + I_{d,d'}\right)^{-1}", "inverse over d, d'"),
    "logdet[d, d'](A)": ("logdet[d, d'](A)", r"\log\det_{d,d'}\left(A_{d,d'}\right)", "logdet over d, d'"),
    "cholesky[d, d'](G)": (
        "cholesky[d, d'](G)",
        r"\operatorname{cholesky}_{d,d'}\left(G_{d,d'}\right)",
        "cholesky over d, d'",
    ),
}


@pytest.mark.parametrize(("written", "shown"), FORMULAS.items(), ids=FORMULAS)
def test_formulas(written: str, shown: tuple[str, str, str]) -> None:
    program, node, _ = both(written, "0 * t")
    known = {key: name for key, name in names_of(program).items() if key != node.id}
    writer = Writer(known)
    (formula,) = writer.write([node])
    assert (text(formula, {}), latex(formula, {})) == shown[:2]
    assert axes(formula) == set(node.names)
    assert next(value.rule for value in values(program) if value.name == "f").startswith(shown[2])
