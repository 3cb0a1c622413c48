"""Windows, concat, flatten, split, running totals and sort: values, gradients and second derivatives.

What PyTorch says of the same arrays stands in reference/arrays.json, with the script that wrote it; the values of whole
models are compared with the reference evaluator too.
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
from gradc.compiler.graph import Node, Objective, Program
from gradc.compiler.lower import lower
from gradc.compiler.reference import evaluate
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import ALL_OFF, aligned, compiled, distance, load

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
