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

from gradc.compiler import VERSION
from gradc.compiler.check_graph import checked
from gradc.compiler.differentiate import differentiate
from gradc.compiler.elaborate import elaborate
from gradc.compiler.emit.numpy import emit_numpy
from gradc.compiler.graph import Contract, LinearAlgebra, Node, Objective, Program, reachable
from gradc.compiler.lower import lower
from gradc.compiler.reference import evaluate
from gradc.compiler.simplify.algebra import BEFORE, RULES, simplify_algebra
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
    return load(emit_numpy(checked(lowered), lowered, program, source, "float64", {}, VERSION))


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
