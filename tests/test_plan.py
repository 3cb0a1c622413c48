"""What is computed when, in which memory, and by which operations of NumPy: lowering, and the plan.

The promises are asked of the modules themselves, with the examples and with small models made for one promise each:
data alone is worked on when it is bound, a step allocates nothing, blocks of any size give the same sums.
"""

from __future__ import annotations

import re
import tracemalloc
import types
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from mpmath import mpf

from gradc.compiler import functions as f
from gradc.compiler.emit.ufuncs import ufunc
from gradc.compiler.graph import Contract, Leaf, Map, Node, Program, Reduce, reachable
from gradc.compiler.lower import lower
from gradc.compiler.pipeline import Options, stages
from gradc.compiler.plan import TIMES, Plan, make_plan
from gradc.compiler.source import Source

from .harness import ALL_OFF, Truth, compiled, distance, sample, start
from .test_properties import everything_agrees

pytestmark = pytest.mark.simplified

Array = npt.NDArray[Any]

# The powers of the reference problems of NIST need data of their own.
EXAMPLES = {
    path.stem: path.read_text()
    for path in sorted((Path(__file__).parents[1] / "examples").glob("*/*.model"))
    if path.parent.name != "nist"
}
STRAIGHT = {name: text for name, text in EXAMPLES.items() if " = scan " not in text}
"""Those without a scan, whose body has an order of its own and whose rows are not cut."""

BLOCKY = {
    # NumPy's matrix functions allocate, and `sample` draws no noise.
    **{name: text for name, text in STRAIGHT.items() if name not in ("gaussian_process", "gan")},
    "gather": (
        "axis word: 50, k: 4\ninput x[n], token[n, t]: word\nparam E[word, k] ~ normal(0, 1), v[k] = 1\n"
        "minimize mean((sum[t, k](E[word = token] * v) - x)^2)\n"
    ),
    "slices": (
        "input s[n, t]\nparam a = 0.5, b[t] = 0.1\nd = s[t = 1:] - a * s[t = :-1]\n"
        "minimize mean(d^2) + sum(tanh(b)^2) + mean[n](max[t](a * s))\n"
    ),
    "branches": (
        "input x[n, k], y[n]\nparam w[k] = 0.5, c = 1\nz = x @ w\n"
        "minimize mean(if z > y then (z - y)^2 else c * abs(z - y))\n"
    ),
    "a sum in another order": (
        "axis r: 3, c: 3\ninput x[n, t: 6], y[n]\nparam K[r, c] ~ glorot(), v[c] ~ normal(0, 1)\n"
        "z = relu(window[t: r](x) @ K)\nminimize mean((mean[t](z) @ v - y)^2)\n"
    ),
    "counted": "input x[n, k], y[n]\nparam w[k] = 1\nminimize mean(std[k](x * w) * prod[k](w) + norm[k](x - w) * y)\n",
    "softmax": (
        "input x[n, k], y[n]\nparam w[k] = 1, r in (0, 1) = 0.3\np = softmax[k](x * w)\n"
        "minimize -mean(sum[k](p * log(p))) + r * mean(y * sum[k](p * x))\n"
    ),
    "another row": (
        "input x[n], y[n], t[n]: n\nparam w = 1\nz = w * x\nheld = stop_gradient(z)\n"
        "minimize mean((z - z[n = t] - y)^2) + mean((w * y - held[n = ::-1])^2) + max[n](held) * w\n"
    ),
    "rows outside": "input x[n], y[n]\nparam w = 1\nz = w * x\nminimize mean((z - mean[n](z) - y)^2)\n",
}
"""The examples, and models of what they lack."""


def program_of(text: str, stage: str = "lower", dtype: str = "float64") -> Program:
    for name, value in stages(Source("m.model", text), Options(dtype=dtype)):
        if name == stage:
            assert isinstance(value, Program)
            return value
    raise KeyError(stage)


def plan_of(text: str) -> Plan:
    program = program_of(text)
    objective = program.objectives[0]
    return make_plan(program, [objective.value, *program.gradients[objective.name].values()])


def method(module_text: str, name: str) -> str:
    """The lines of one method of the objective's class, without their remarks."""
    rest = module_text[module_text.index("class _Objective") :]
    found = re.search(rf" +def {name}\(.*?(?=\n    def |\n    @|\n\n\n)", rest, re.S)
    assert found is not None
    return "\n".join(line for line in found[0].split("\n") if not line.lstrip().startswith("#"))


# ---------------------------------------------------------------------------------------------------------------- times


def times_of(text: str) -> dict[str, Counter[str]]:
    """By time, how often each function stands there; parameters and inputs by name."""
    plan = plan_of(text)
    found: dict[str, Counter[str]] = {time: Counter() for time in TIMES}
    for node in reachable(plan.roots):
        if isinstance(node, Map):
            found[plan.time(node)][type(node.expression).__name__] += 1
        elif isinstance(node, Leaf):
            found[plan.time(node)][node.name] += 1
        else:
            found[plan.time(node)][type(node).__name__] += 1
    return found


def test_each_value_has_its_time() -> None:
    found = times_of(
        "input x[n], y[n]\nparam w = 1, b[k: 3] = 1\n"
        "z = tan(w * sin(x)) * sum(cosh(b))\nminimize atan(sum((z - y)^2)) + sum(tanh(b))\n"
    )
    assert found["bind"]["sin"] == found["bind"]["x"] == found["bind"]["y"] == 1
    assert found["step"]["cosh"] == found["step"]["tanh"] == found["step"]["w"] == found["step"]["b"] == 1
    assert found["block"]["tan"] == 1
    assert found["finish"]["atan"] == 1
    assert not found["block"]["sin"] + found["block"]["cosh"] + found["step"]["tan"] + found["step"]["atan"]


def test_a_sum_over_rows_is_finished_after_the_blocks() -> None:
    plan = plan_of(EXAMPLES["logistic"])
    assert plan.rows == "n"
    sums = [node for node in plan.sections["block"] if node.id in plan.sums]
    assert sums
    assert all(isinstance(node, Contract) and plan.time(node) == "finish" for node in sums)
    assert not any(node.id in plan.sums for node in plan.sections["finish"])


@pytest.mark.parametrize("name", STRAIGHT)
def test_no_value_is_needed_before_its_time(name: str) -> None:
    plan = plan_of(STRAIGHT[name])
    order = {time: i for i, time in enumerate(TIMES)}
    for node in reachable(plan.roots):
        assert all(order[plan.time(operand)] <= order[plan.time(node)] for operand in node.operands)
    assert sum(len(nodes) for nodes in plan.sections.values()) == len(reachable(plan.roots))


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("minimize sum((w * x - y)^2)", True),
        ("minimize sum((w * x - mean[n](x) - y)^2)", True),  # known at bind
        ("z = w * x\nminimize sum((z - mean[n](z))^2)", False),  # a sum used in each row
        ("z = w * x\nminimize sum((z[n = 1:] - z[n = :-1])^2)", False),  # another row's value
        ("z = w * x\nminimize max[n](z)^2", False),  # not a sum
        ("z = stop_gradient(w * x)\nminimize sum(w * x) + max[n](z)", False),  # the same, not differentiated
        ("z = stop_gradient(w * x)\nminimize sum((w * y - z[n = ::-1])^2)", False),
        ("z = stop_gradient(w * x)\nminimize sum(w * x) + z[n = 0]", False),
        ("z = stop_gradient(w * x)\nminimize sum((w * y - z[n = t])^2)", False),
        ("z = w * x\nminimize sum(sin(z[n -> n'] * y))", False),  # pairs of rows
    ],
)
def test_rows_are_cut_only_where_each_stands_alone(text: str, cut: bool) -> None:
    assert (plan_of(f"input x[n], y[n], t[n]: n\nparam w = 1\n{text}\n").rows == "n") is cut


@pytest.mark.parametrize("value", ["x[k -> k']", "cos(x)[k -> k']", "cos(x[k -> k'])"])
def test_rows_lead_where_a_scan_goes_along_another_axis(value: str) -> None:
    everything_agrees(
        "batch n\naxis k: 3\ninput x[k, n]\nparam w[k] = 0.3\nr = scan k with s = 0.5:\n    s = tanh(s * w)\n"
        f"    yield s\nminimize sum(r)\noutput o = sin({value} * w[k -> k'])\n"
    )


# ---------------------------------------------------------------------------------------------------- done once at bind


class Counting:
    """A function of NumPy that counts the elements it works on."""

    def __init__(self, function: Any) -> None:
        self.function, self.elements = function, 0

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.elements += max((np.size(a) for a in arguments), default=0)
        return self.function(*arguments, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


def counting(module: types.ModuleType, *names: str) -> list[Counting]:
    found = [Counting(getattr(module, name)) for name in names]
    for name, function in zip(names, found, strict=True):
        setattr(module, name, function)
    return found


def test_work_on_data_alone_is_done_once_when_it_is_bound() -> None:
    _, module = compiled(
        "input x[n], y[n]\nparam w = 1, b = 1\nminimize mean((w * sinh(x) + tanh(b * y) - log(y))^2)\n"
    )
    data = {"x": np.linspace(-1, 1, 50), "y": np.linspace(1, 2, 50)}
    early_sinh, early_log, late = counting(module, "sinh", "log", "tanh")
    objective = module.bind(data)
    assert (early_sinh.elements, early_log.elements, late.elements) == (50, 50, 0)
    for step in range(3):
        objective(np.array([0.5, step]))
    assert (early_sinh.elements, early_log.elements, late.elements) == (50, 50, 150)
    objective.rebind(data)
    assert (early_sinh.elements, early_log.elements) == (100, 100)


@pytest.mark.parametrize(
    ("text", "early", "late"),
    [
        ("minimize sum((w * x^3 + b - y)^2)", ("power", "multiply"), ("power",)),
        ("minimize sum((w * exp(x) * exp(y) - y)^2)", ("exp",), ("exp",)),
        ("minimize sum(w * (x - mean[n](x)) / std[n](x))^2", ("sqrt", "divide"), ("sqrt", "divide")),
    ],
)
def test_what_data_alone_tell_is_not_in_the_step(text: str, early: Sequence[str], late: Sequence[str]) -> None:
    of, _ = compiled(f"input x[n], y[n]\nparam w = 1, b = 1\n{text}\n")
    bind, step = method(of.module, "rebind"), method(of.module, "__call__")
    assert any(f"{name}(" in bind for name in early)
    assert not any(f"{name}(" in step for name in late)


def test_a_product_of_data_is_formed_at_bind_and_not_per_step() -> None:
    of, module = compiled("input x[n, k], y[n]\nparam w = 1\nminimize (w * sum(x * y) - 3)^2\n")
    step = method(of.module, "__call__")
    assert ".dot(" not in step
    assert " in self._blocks" not in step
    data = sample(module)
    truth = Truth(of.elaborated, module, data, np.array([0.7]))
    assert distance(module.bind(data)(np.array([0.7]))[0], truth.loss_and_gradient[0]) < 1e-13


# --------------------------------------------------------------------------------------------------------------- memory

ROWS = 33_000
LEAST = 256 * 1024
"""Bytes: less than any array along the rows, and more than the buffers of 8,192 numbers that a ufunc may take to
itself while it broadcasts."""
LONG = {"attention": 64, "convnet": 256}
"""Rows of those that hold thousands of numbers each."""


def peak_of(objective: Any, theta: Array, gradient: Array) -> tuple[int, int]:
    """The most memory that a step takes, and what several leave behind; bytes."""
    objective(theta, out=gradient)
    tracemalloc.start()
    try:
        objective(theta, out=gradient)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(3):
            objective(theta, out=gradient)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before, after - before


# An error function, which attention has, makes arrays of its own: NumPy has none.
@pytest.mark.parametrize("name", [name for name in BLOCKY if name != "attention"])
def test_a_step_allocates_nothing(name: str) -> None:
    _, module = compiled(BLOCKY[name], name)
    rows = LONG.get(name, ROWS)
    data = sample(module, lengths={"n": rows, "feature": 3, "d": 2, "k": 2, "t": 3})
    theta = start(module, data, spread=0.1)
    most, left = peak_of(module.bind(data, block=rows), theta, np.empty_like(theta))
    assert most < LEAST
    assert left < 4096  # NumPy keeps small blocks for itself


def test_an_allocation_would_be_seen() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        np.exp(np.zeros(ROWS), dtype=np.float64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before > LEAST


def test_data_bound_again_go_into_the_same_memory() -> None:
    _, module = compiled(EXAMPLES["logistic"])
    data = sample(module, lengths={"n": ROWS})
    objective = module.bind(data)
    buffers = objective._buffers
    objective.rebind({**data, "y": 1 - data["y"]})
    assert all(a is b for a, b in zip(buffers, objective._buffers, strict=True))


def test_memory_is_used_again_once_nobody_reads_it() -> None:
    chain = "".join(f"z{i + 1} = sinh(z{i})\n" for i in range(20))
    plan = plan_of(f"input x[n]\nparam w = 1\nz0 = w * x\n{chain}minimize sum(stop_gradient(z20)) * w\n")
    arrays = [n for n in plan.sections["block"] if n.axes]
    assert len(arrays) > 20
    assert len({plan.buffers[node.id].name for node in arrays if node.id in plan.buffers}) <= 2


def test_what_is_handed_out_is_not_written_over() -> None:
    _, module = compiled(
        "axis k: 4\nparam w[k] = 1\na = sinh(w)\nb = sinh(a)\nc = sinh(b)\noutput a, b, c\nminimize sum(c)\n"
    )
    w = np.array([-0.7, 0.1, 0.4, 0.9])
    found = module.predict(w, {})
    for name in "abc":
        w = np.sinh(w)
        np.testing.assert_allclose(found[name], w, rtol=1e-14)


@pytest.mark.parametrize("name", BLOCKY)
def test_no_memory_is_written_while_it_is_still_to_be_read(name: str) -> None:
    """Walked through in order: at each read, the buffer must still hold the node that is read."""
    plan = plan_of(BLOCKY[name])
    holds: dict[str, int] = {}

    def lies_in(node: Node) -> Node:
        while node.id not in plan.buffers and type(node).__name__ in ("Relabel", "Stop", "Slice"):
            node = node.operands[0]
        return node

    for time in ("step", "block", "finish"):
        for node in plan.sections[time]:
            for operand in node.operands:
                held = lies_in(operand)
                if held.id in plan.buffers:
                    assert holds[plan.buffers[held.id].name] == held.id
            if node.id in plan.buffers:
                holds[plan.buffers[node.id].name] = node.id
    for root in plan.roots:
        held = lies_in(root)
        if held.id in plan.buffers:
            assert holds[plan.buffers[held.id].name] == held.id


# --------------------------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("name", BLOCKY)
@pytest.mark.parametrize("rows", [1, 7, 23])
def test_blocks_of_any_size_give_the_same(name: str, rows: int) -> None:
    of, module = compiled(BLOCKY[name], name)
    data = sample(module, seed=rows, lengths={"n": rows, "feature": 3, "d": 2})
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta)
    for block in (1, 7, rows, 10 * rows, None):
        objective = module.bind(data, block=block)
        objective(theta + 0.25)
        loss, gradient = objective(theta)
        assert distance(loss, truth.loss_and_gradient[0]) < 1e-12
        assert distance(gradient, truth.loss_and_gradient[1]) < 1e-11


def test_rows_are_cut_into_as_many_blocks_as_asked_for() -> None:
    _, module = compiled(EXAMPLES["decay"])
    data = sample(module, lengths={"n": 23})
    assert [len(module.bind(data, block=block)._blocks) for block in (1, 7, 23, 100, None)] == [23, 4, 1, 1, 1]


def test_sums_of_many_blocks_are_added_in_double_precision() -> None:
    """In single precision the 16,777,217th one would be lost."""
    _, module = compiled("input x[n]\nparam w[k: 2] = 1\nminimize sum(w) * sum(x)\n", dtype="float32")
    n = 3000
    data = {"x": np.full(n, 16_777_217 / n, np.float32)}
    exact = float(data["x"].astype(np.float64).sum())
    for block in (1, 10):
        loss, gradient = module.bind(data, block=block)(np.ones(2, np.float32))
        assert loss == pytest.approx(2 * exact, rel=3e-7)
        np.testing.assert_allclose(gradient, exact, rtol=3e-7)


# --------------------------------------------------------------------------------------------------------- contractions


def contracted(text: str) -> list[tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]]:
    """The contractions of `value` in the order in which they are computed: axes of the operands, axes of the result."""
    program = program_of(text)
    value = dict(program.outputs)["value"]
    return [
        (tuple(operand.names for operand in node.operands), node.names)
        for node in reachable([value])
        if isinstance(node, Contract)
    ]


def chain(a: int, b: int, c: int, d: int) -> str:
    return (
        f"axis a: {a}, b: {b}, c: {c}, d: {d}\nparam A[a, b] = 1, B[b, c] = 1, C[c, d] = 1\n"
        "output value = sum[b, c](A * B * C)\nminimize sum(value^2)\n"
    )


def test_a_chain_is_contracted_in_the_cheapest_order() -> None:
    # (2x1000)(1000x3) first: 6,000 products and then 1,200, where the other way round takes 600,000 and 400,000.
    assert [result for _, result in contracted(chain(2, 1000, 3, 200))] == [("a", "c"), ("a", "d")]
    # And the mirror image from behind.
    assert [result for _, result in contracted(chain(200, 3, 1000, 2))] == [("b", "d"), ("a", "d")]


def test_a_vector_is_multiplied_first() -> None:
    text = (
        "axis a: 300, b: 300, c: 300\nparam A[a, b] = 1, B[b, c] = 1, v[c] = 1\n"
        "output value = sum[b, c](A * B * v)\nminimize sum(value^2)\n"
    )
    assert [result for _, result in contracted(text)] == [("b",), ("a",)]


def test_an_axis_of_one_operand_is_summed_there_first() -> None:
    text = "axis a: 30, b: 40\nparam A[a, b] = 1, v[a] = 1\noutput value = sum[a, b](A * v)\nminimize value^2\n"
    assert contracted(text) == [((("a", "b"),), ("a",)), ((("a",), ("a",)), ())]


def test_many_operands_are_contracted_two_at_a_time() -> None:
    axes = "abcdefghi"
    text = f"axis {', '.join(f'{x}: {n}' for x, n in zip(axes, (2, 3, 2, 4, 2, 3, 2, 3, 2), strict=True))}\n"
    pairs = list(pairwise(axes))
    text += f"param {', '.join(f'M{x}{y}[{x}, {y}] ~ normal(0, 1)' for x, y in pairs)}\n"
    product = " * ".join(f"M{x}{y}" for x, y in pairs)
    text += f"output value = sum[{', '.join(axes[1:-1])}]({product})\nminimize sum(value^2)\n"
    assert len(contracted(text)) == 7
    assert all(len(operands) == 2 for operands, _ in contracted(text))
    _, module = compiled(text)
    theta = module.initial(seed=1)
    matrices = list(module.unpack(theta).values())
    np.testing.assert_allclose(module.predict(theta, {})["value"], np.linalg.multi_dot(matrices), rtol=1e-12)


@pytest.mark.parametrize("name", EXAMPLES)
def test_contractions_are_products_of_matrices(name: str) -> None:
    of, _ = compiled(EXAMPLES[name], name)
    step = method(of.module, "__call__")
    assert ".dot(" in step or "matmul(" in step
    # A product of the same axes twice, summed over some of them, is no matrix product.
    operands = [text.split("->")[0].split(",") for text in re.findall(r'einsum\("([^"]*)"', step)]
    assert all(len(axes) == 2 and axes[0] == axes[1] for axes in operands)


PRODUCTS = {
    "a matrix by a vector": ("sum[k](x * w)", ".dot("),
    "a matrix by a matrix": ("sum[k](x * M)", ".dot("),
    "its transpose": ("sum[n](x * (M @ v)[k = 0] * y)", ".dot("),
    "a sum of squares": ("sum[n]((y * w[k = 0])^2)", ".dot("),
    "a batch of products": ("sum[k](T * x * w)", "matmul("),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_of_matrices_is_one_call(name: str) -> None:
    text, call = PRODUCTS[name]
    of, module = compiled(
        "axis k: 3, j: 2\ninput x[n, k], y[n], T[n, k, j]\nparam w[k] = 1, M[k, j] = 1, v[j] = 1\n"
        f"value = {text}\noutput value\nminimize sum(value^2) + 0.1 * sum(w^2) + sum(M^2) + sum(v^2)\n"
    )
    assert call in method(of.module, "__call__")
    data = sample(module, seed=2)
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta)
    assert distance(module.predict(theta, data)["value"], truth.outputs["value"]) < 1e-13
    assert distance(module.bind(data)(theta)[1], truth.loss_and_gradient[1]) < 1e-12


# ------------------------------------------------------------------------------------------------------------- lowering


@pytest.mark.parametrize("name", BLOCKY)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_lowered_is_one_operation_of_numpy_each(name: str, dtype: str) -> None:
    for node in reachable(program_of(BLOCKY[name], dtype=dtype).roots()):
        if isinstance(node, Map):
            others = (f.where, f.step, f.as_float)
            assert ufunc(node.expression) is not None or isinstance(node.expression, others)
        if isinstance(node, Contract):
            assert len(node.operands) <= 2
            assert all(operand.dtype == "float" for operand in node.operands)
        if isinstance(node, Reduce):
            assert node.operator != "logsumexp"


def test_softmax_and_its_logarithm_share_their_exponentials() -> None:
    of, _ = compiled(EXAMPLES["digits"])
    step = method(of.module, "__call__")
    assert len(re.findall(r"\bexp\(", step)) == 1
    assert step.count("maximum.reduce(") == 1


def test_a_log_sum_exp_of_nothing_but_minus_infinity_has_no_nan() -> None:
    _, module = compiled("axis k: 3\nparam z[k] = 0, w = 1\ns = softmax[k](w * z)\nminimize sum(s)\noutput s\n")
    theta = module.pack({"z": np.full(3, -1e300), "w": 1e300})
    np.testing.assert_array_equal(module.predict(theta, {})["s"], np.zeros(3))
    assert not np.isnan(module.bind({})(theta)[0])


ANGLES = (0.0, 1e-300, 1e-9, 0.3, 1.5, np.pi / 2, 3.0, np.pi, 3 * np.pi / 2, 6.0, 100.0, 12345.678, -2.5, 1e8)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_by_the_half_angle_are_accurate(name: str) -> None:
    """A few units in the last place times the condition of the function."""
    of, module = compiled(f"axis k: {len(ANGLES)}\nparam x[k] = 0\noutput v = {name}(x)\nminimize sum(v^2)\n")
    assert "tan(" in of.module
    found = module.predict(np.array(ANGLES), {})["v"]
    with mpmath.workdps(60):
        for x, got in zip(ANGLES, found, strict=True):
            truth = getattr(mpmath, name)(mpf(x))
            slope = mpmath.cos(mpf(x)) if name == "sin" else mpmath.sin(mpf(x))
            assert abs(mpf(float(got)) - truth) <= 8 * np.finfo(float).eps * (abs(truth) + abs(x * slope)) + mpf(1e-300)


@pytest.mark.parametrize("exponent", [1, 2, 3, 5, 13, 64, 65, -1, -2, -7, 0.5, -0.5, 2.5, -3.5, 0.3, 1.7])
def test_powers(exponent: float) -> None:
    of, module = compiled(f"axis k: 4\nparam x[k] = 1\noutput v = x^({exponent})\nminimize sum(v)\n")
    x = np.array([0.3, 0.9, 1.1, 2.7])
    found, gradient = module.predict(x, {})["v"], module.bind({})(x)[1]
    whole_or_half = float(2 * exponent).is_integer() and abs(exponent) <= 64
    assert ("power(" in method(of.module, "__call__")) is not whole_or_half
    with mpmath.workdps(60):
        for at, got, slope in zip(x, found, gradient, strict=True):
            truth = mpf(float(at)) ** mpf(exponent)
            # Each multiplication of the chain may round.
            allowed = 2 * np.finfo(float).eps * max(4, abs(exponent))
            assert abs(mpf(float(got)) / truth - 1) < allowed
            assert abs(mpf(float(slope)) / (exponent * truth / mpf(float(at))) - 1) < allowed


def test_a_lowered_program_is_lowered_again_to_itself() -> None:
    for text in EXAMPLES.values():
        once = program_of(text)
        again = lower(once, "float64")
        assert [n.id for n in again.roots()] == [n.id for n in once.roots()]


def test_whole_numbers_times_a_number_stay_whole() -> None:
    """The adjoint of the slice is 1 and 0, and 3 times that; it is placed again before a float meets it."""
    of, module = compiled(
        """axis k: 3
input q, label[n]: k
param r[k] = 1
h = (q + r)[k = label][n = ::-1] + q + max[k](r)
minimize tanh(sum[k](sum[n](h[n = 1:]) + r)) / 2
"""
    )
    data = sample(module)
    theta = start(module, data)
    loss, gradient = Truth(of.elaborated, module, data, theta, digits=40).loss_and_gradient
    found = module.bind(data)(theta)
    assert found[0] == pytest.approx(loss, rel=1e-12)
    assert distance(found[1], gradient) < 1e-9


FOLDED = """axis k: 3, v: 2
input x[n, k]
param w[k] ~ he(), e[v] ~ he(), p > 0 = 1
none = xlogy(p - p, p)
sums = sum[k](e - none * w)
tops = logsumexp[k](e - none * w)
products = prod[k](e - none * w)
squares = sum[k, v]((e - none * w) * (none + 2) * (e - none * w))
shares = softmax[k](none * w + e)
minimize mean(sums * tops * products * max[k](e - none * w)) + squares + sum(w * shares)
output whole = none, wide = none * x, ends = sums + tops, parts = shares
"""


@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["simplified", "plain"])
def test_an_axis_that_a_folded_number_takes_away_still_counts(without: tuple[str, ...]) -> None:
    """`xlogy(0, p)` is 0 from lowering on, if no pass has seen it before, and what it is multiplied by is gone."""
    is_the_references(FOLDED, without)


COUNTED = """axis k: 3, j: 2
axis s like k
input u[n, t]
param z[j] < 2 = -1, o = 1
first, same = scan k with h = 0.5 * ones[n]:
    h = h * cos(o)
    yield h, o - tanh(o)
second = scan t with h = 0.5:
    h = h * cos(mean[k'](sum[s, j]((o * same[k -> s] - z) * h) - same[k -> k'] > 0))
    yield h
minimize sum(second) + sum(z^2)
"""


def test_what_is_left_of_a_count_is_a_number() -> None:
    """NumPy's cosine of a truth value is of half precision."""
    everything_agrees(COUNTED)


@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["simplified", "plain"])
def test_an_axis_that_an_index_loses_is_summed(without: tuple[str, ...]) -> None:
    is_the_references(
        """axis j: 2, v: 4
input x[n]
param e[v] ~ he(), c[j] ~ he()
minimize mean((x * e)[v = argmax[v](c - e - c)] * c)
""",
        without,
    )


def is_the_references(text: str, without: tuple[str, ...]) -> None:
    """Loss, gradient and outputs are the reference's."""
    of, module = compiled(text, without=without)
    data = sample(module)
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta, digits=40)
    loss, gradient = module.bind(data)(theta)
    assert loss == pytest.approx(truth.loss_and_gradient[0], rel=1e-12)
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-12
    for name, value in module.predict(theta, data).items():
        assert value.dtype == np.float64
        assert distance(value, truth.outputs[name]) < 1e-12
