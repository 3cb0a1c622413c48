"""Recurrences against PyTorch, and what a scan is: its axes, what is computed once and what at each step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sympy

from gradc.compiler.differentiate import sweep
from gradc.compiler.graph import Map, Node, Program, Scan, placeholder
from gradc.compiler.loops import Regions
from gradc.compiler.reference import evaluate
from gradc.compiler.source import ModelError

from .harness import ALL_OFF, aligned, compiled, distance, sample, start
from .reference.scans import CASES, values
from .test_properties import everything_agrees

STORED = json.loads((Path(__file__).parent / "reference" / "scans.json").read_text())
NEAR = 1e-10

TANH = """input x[n, t]
param w = 0.5
s = scan t with h = 1:
    h = tanh(h * w + x)
    yield h
minimize mean(s^2)
"""


@pytest.mark.parametrize("without", [(), ("loops",), ALL_OFF], ids=["all", "no loops", "none"])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient(name: str, without: tuple[str, ...]) -> None:
    case, stored = CASES[name], STORED[name]
    given = values(case, seed=0)
    _, module = compiled(case.text, name, without=without)
    theta = np.concatenate([given[key].reshape(-1) for key in case.parameters])
    loss, gradient = module.bind({key: given[key] for key in module.INPUTS})(theta)
    expected = np.concatenate([np.ravel(stored["gradient"][key]) for key in case.parameters])
    assert distance(loss, stored["loss"]) < NEAR
    assert distance(gradient, expected) < NEAR


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives(name: str) -> None:
    case, stored = CASES[name], STORED[name]
    given, direction = values(case, seed=0), values(case, seed=1)
    program = compiled(case.text, name)[0].program
    graph = program.graph
    gradients = next(iter(program.gradients.values()))
    vectors = {p.name: graph.leaf("input", f"direction of {p.name}", p.leaf.axes) for p in program.parameters}
    along = graph.sum([graph.contract([gradients[p.name], vectors[p.name]], p.leaf.axes) for p in program.parameters])
    found = sweep(graph, [(along, graph.constant(1))], [p.leaf for p in program.parameters])
    # The leaves of the vectors have the axes in the graph's order.
    turned = {
        f"direction of {p.name}": direction[p.name].transpose(
            [[axis.name for axis in p.axes].index(name) for name in p.leaf.names]
        )
        for p in program.parameters
    }
    nodes = [found.get(p.leaf.id, graph.constant(0)) for p in program.parameters]
    for p, node, array in zip(
        program.parameters, nodes, evaluate(program, nodes, {**given, **turned}, given), strict=True
    ):
        expected = np.asarray(stored["second"][p.name])
        axes = [axis.name for axis in p.axes]
        assert distance(aligned(array, node, axes, expected.shape), expected) < NEAR


# ------------------------------------------------------------------------------------------------------- what it means


def loss_of(text: str, lengths: dict[str, int] | None = None) -> float:
    _, module = compiled(text)
    data = sample(module, lengths=lengths)
    return float(module.bind(data)(start(module, data, spread=0.0))[0])


def test_a_thousand_steps_are_no_more_text_than_ten() -> None:
    """Nor more nodes, so that they compile in the same time."""
    text = "use nn.LSTM\naxis t: {}, d: 3, m: 4\ninput x[n, t, d]\ncell = LSTM[t, d, m]\nminimize mean(cell(x)^2)\n"
    few, many = (compiled(text.format(steps))[0] for steps in (10, 1000))
    assert len(few.module.splitlines()) == len(many.module.splitlines())
    assert len(few.program.graph.nodes) == len(many.program.graph.nodes)


def test_what_is_carried_grows_axes() -> None:
    """It starts as a number, and is an array from the first step on."""
    body = "    h = 0.5 * h + x * w\n    yield h\nminimize sum(s)\n"
    grown = loss_of(f"input x[n, t]\nparam w = 2\ns = scan t with h = 1:\n{body}")
    plain = loss_of(f"input x[n, t]\nparam w = 2\ns = scan t with h = ones[n]:\n{body}")
    assert grown == plain


def test_the_steps_are_seen_in_order() -> None:
    text = """axis t: 5
param w = 1
s = scan t with h = 0:
    h = 10 * h + index[t] * w
    yield h
output s
minimize w^2
"""
    _, module = compiled(text)
    assert module.predict(np.ones(1), {})["s"].tolist() == [0.0, 1.0, 12.0, 123.0, 1234.0]


def test_a_step_sees_one_position_of_what_a_function_gives() -> None:
    """The function sees the whole axis; what it gives is seen step by step."""
    text = """input x[n, t]
param w = 0.3
def shifted[s](y[s]) = y - mean[s](y)
s = scan t with h = 0:
    h = h + shifted_x * w
    yield h
minimize mean(s^2)
"""
    inside = text.replace("shifted_x", "level()").replace("s = scan", "def level() = x - mean[t](x)\ns = scan")
    outside = text.replace("s = scan", "shifted_x = shifted[t](x)\ns = scan")
    assert loss_of(inside) == pytest.approx(loss_of(outside), rel=1e-14)


def test_a_scan_in_a_function_takes_its_axis() -> None:
    text = """input x[n, t], y[n, s]
param w = 0.3
def smooth[a](z[a], rate):
    r = scan a with h = z[a = 0]:
        h = h + rate * (z - h)
        yield h
    return r
minimize mean(smooth[t](x, w)^2) + mean(smooth[s](y, w)^2)
"""
    _, module = compiled(text)
    data = sample(module)

    def smooth(z: np.ndarray, rate: float) -> np.ndarray:
        h, found = z[:, 0], []
        for i in range(z.shape[1]):
            h = h + rate * (z[:, i] - h)
            found.append(h)
        return np.stack(found, 1)

    expected = (smooth(data["x"], 0.3) ** 2).mean() + (smooth(data["y"], 0.3) ** 2).mean()
    assert module.bind(data)(np.array([0.3]))[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_few_steps(length: int) -> None:
    _, module = compiled(TANH)
    data = sample(module, lengths={"t": length})
    objective = module.bind(data)
    _, gradient = objective(np.array([0.5]))
    gradient = gradient.copy()
    step = 1e-6
    numeric = (objective(np.array([0.5 + step]))[0] - objective(np.array([0.5 - step]))[0]) / (2 * step)
    assert gradient[0] == pytest.approx(numeric, rel=1e-8)


def test_lengths_change_with_the_data() -> None:
    _, module = compiled(TANH)
    short, long = sample(module, lengths={"t": 3}), sample(module, lengths={"t": 9})
    objective = module.bind(short)
    before = objective(np.array([0.5]))[0]
    objective.rebind(long)
    assert objective(np.array([0.5]))[0] == module.bind(long)(np.array([0.5]))[0]
    objective.rebind(short)
    assert objective(np.array([0.5]))[0] == before


# ------------------------------------------------------------------------------------------------- what is done at once


def scans(program: Program) -> list[Scan]:
    return list(Regions(program.roots()).scans)


def body_of(program: Program, scan: Scan) -> list[Node]:
    return list(Regions(program.roots()).body(scan).nodes)


@pytest.mark.simplified
def test_what_needs_no_step_before_is_computed_at_once() -> None:
    """x @ W before the loop, the readout behind it, and the gradients of W, V and b as sums behind the second."""
    text = """axis m: 3, k: 2
input x[n, t, m], y[n, t, k]
param W[m, m'], U[m, m'], V[m, k], b[m]
s = scan t with h = zeros[n, m]:
    h = tanh((x @ W + h @ U)[m' -> m] + b)
    yield h @ V
minimize mean((s - y)^2)
"""
    program = compiled(text)[0].program
    loops = scans(program)
    parameters = {p.name: p.leaf for p in program.parameters}
    for scan in loops:
        read = {operand.id for node in body_of(program, scan) for operand in node.operands}
        assert parameters["W"].id not in read
        assert parameters["V"].id not in read
        assert len(scan.carried) == 1
    assert sum(not scan.backward for scan in loops) == 1


@pytest.mark.simplified
def test_the_way_back_computes_nothing_again() -> None:
    """tanh is kept of each step."""
    text = (
        "input x[n, t]\nparam w = 1\ns = scan t with h = 1:\n    h = tanh(h * w + x)\n    yield h\nminimize mean(s^2)\n"
    )
    program = compiled(text)[0].program
    tanh = [n for scan in scans(program) for n in body_of(program, scan) if _is_tanh(n)]
    assert len(tanh) == 1


def _is_tanh(node: Node) -> bool:
    return isinstance(node, Map) and node.expression == sympy.tanh(placeholder(0))


def test_a_scan_does_not_make_the_module_longer_with_its_length() -> None:
    text = """axis t: {}
param w = 0.9, b[t] = 0.1
s = scan t with h = 1:
    h = sin(h * w) + b
    yield h
minimize mean(s^2)
"""
    short, long = (compiled(text.format(length))[0].module for length in (10, 1000))
    assert len(short.splitlines()) == len(long.splitlines())


def test_a_mistake_in_the_body_is_told_once() -> None:
    text = """input x[n, t, m]
param w = 1
s = scan t with h = 0:
    h = h * w + sum[m](x) + sum[q](x)
    yield h
minimize mean(s^2)
"""
    with pytest.raises(ModelError) as caught:
        compiled(text)
    assert len(caught.value.diagnostics) == 1


def test_a_remark_needs_no_length() -> None:
    """The line of the model that is told beside a value may name an axis that nothing computed has."""
    everything_agrees(
        "axis k: 3, v: 2\ninput x[n, k]\nparam w[k] = 0.3, b = 0.2\n"
        "r, q = scan k with s = 0.5 * ones[n], t = tanh(b) * ones[v]:\n    s = tanh(s + w)\n    t = tanh(t * w)\n"
        "    yield w, sum[v](t * b)\nminimize sum(sin(q))\n"
    )
