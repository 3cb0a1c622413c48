"""Optimisers against PyTorch's, step by step; their groups and states; clipping; what a step allocates."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.runtime import OPTIMIZERS, Diverged, Session, fit
from gradc.runtime.optim import Optimizer, axpy
from gradc.runtime.optim import base as base_of_optimizers

from .harness import compiled
from .reference.optimizers import RUNS, SEEN, SHAPES, STEPS, Run

REFERENCE = json.loads((Path(__file__).parent / "reference" / "optimizers.json").read_text())
DATA = {name: np.array(REFERENCE["data"][name]) for name in "xy"}
PARAMETERS = """
axis d: 3, h: 4, o: 2
batch n
input x[n, d], y[n, o]
layer Head:
    param W[d, h] = 0, b[h] = 0
    def call(v):
        return tanh(v @ W + b)
head = Head
param W[h, o] = 0, b[o] = 0, scale = 1
minimize {times}mean((scale * (head(x) @ W) + b - y)^2)
"""
MODULES: dict[float, ModuleType] = {}


def network(run: Run | None = None, rows: int | None = None) -> Session:
    """The model of the reference at its start."""
    times = 1.0 if run is None else run.times
    if times not in MODULES:
        MODULES[times] = compiled(PARAMETERS.format(times="" if times == 1 else "-"))[1]
    module, data = MODULES[times], {name: value[:rows] for name, value in DATA.items()}
    session = Session(module, data, module.pack(REFERENCE["data"]["start"], data))
    for name in () if run is None else run.frozen:
        session.parameters[name].requires_grad = False
    return session


def optimizer(run: Run, session: Session) -> Optimizer:
    groups = [{"params": names, **options} for names, options in run.groups] or None
    return OPTIMIZERS[run.name](session, params=groups, **run.options)


def closure(session: Session, chosen: Optimizer) -> Callable[[], float]:
    def evaluate() -> float:
        chosen.zero_grad()
        session.backward()
        return session.forward()

    return evaluate


def close(session: Session, expected: list[float]) -> None:
    """All parameters, in the order of the reference; of a number that passes through 0 the last digits are rounding."""
    found = np.concatenate([session.parameters[name].value.ravel() for name in SHAPES])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_steps_are_pytorchs(run: Run) -> None:
    session = network(run)
    chosen = optimizer(run, session)
    evaluate = closure(session, chosen)
    stored = iter(REFERENCE["runs"][str(run)])
    for step in range(1, STEPS + 1):
        chosen.step(evaluate)
        if step in SEEN:
            close(session, next(stored))


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_the_loop_takes_the_same_steps(run: Run) -> None:
    session = network(run)
    fit(session, optimizer(run, session), epochs=STEPS)
    close(session, REFERENCE["runs"][str(run)][-1])


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_a_state_that_is_restored_goes_on_to_the_bit(run: Run) -> None:
    whole, cut = network(run), network(run)
    one = optimizer(run, whole)
    fit(whole, one, epochs=9)
    first = optimizer(run, cut)
    fit(cut, first, epochs=4)
    second = OPTIMIZERS[run.name](
        cut,
        params=[{"params": group["params"]} for group in first.param_groups],
        **({"lr": 123.0} if "nesterov" not in run.options else {"lr": 1, "momentum": 0.1}),
    )
    state = first.state_dict()
    # What a checkpoint keeps: numbers and words as JSON, arrays as bytes.
    second.load_state_dict(thawed(frozen(state)))
    fit(cut, second, epochs=5)
    np.testing.assert_array_equal(whole.theta, cut.theta)
    assert frozen(one.state_dict()) == frozen(second.state_dict())


def frozen(state: Any) -> str:
    """As JSON, arrays as their bytes."""

    def plain(value: Any) -> Any:
        assert isinstance(value, np.ndarray), value
        return {"array": value.tobytes().hex(), "dtype": str(value.dtype), "shape": value.shape}

    return json.dumps(state, default=plain)


def thawed(text: str) -> Any:
    def made(value: dict[str, Any]) -> Any:
        if "array" not in value:
            return value
        return np.frombuffer(bytes.fromhex(value["array"]), value["dtype"]).reshape(value["shape"])

    return json.loads(text, object_hook=made)


# ------------------------------------------------------------------------------------------------------- groups


def test_the_options_are_pytorchs() -> None:
    """Names, order and defaults, but for what chooses among implementations."""
    expected = REFERENCE["signatures"]
    assert set(expected) == set(OPTIMIZERS)
    for name, options in expected.items():
        ours = inspect.signature(OPTIMIZERS[name]).parameters
        found = {key: p.default for key, p in ours.items() if key not in ("session", "params")}
        assert {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()} == options, name


def test_a_parameter_is_in_the_first_group_that_names_it() -> None:
    session = network()
    chosen = gradc.SGD(session, params=[{"params": "head.*", "lr": 0.0}, {"params": ["*"]}], lr=0.1)
    assert [group["params"] for group in chosen.param_groups] == [["head.W", "head.b"], ["W", "b", "scale"]]
    before = {name: p.value.copy() for name, p in session.parameters.items()}
    fit(session, chosen, epochs=1)
    assert {n for n, p in session.parameters.items() if (p.value != before[n]).any()} == {"W", "b", "scale"}
    only = gradc.SGD(session, params="head.*")
    only.add_param_group({"params": "scale", "momentum": 0.5})
    assert [group["momentum"] for group in only.param_groups] == [0.0, 0.5]
    assert only.plain() is None
    fit(session, only, epochs=1)


def test_groups_that_make_no_sense() -> None:
    session = network()
    for params, said in (
        ("tail.*", r"no parameter has a name like 'tail\.\*'; there are head\.W, head\.b, W, b, scale"),
        ([{"params": "*"}, {"params": "W"}], "another group has W already"),
        ([{"params": "*", "momentun": 0.9}], "SGD has no option 'momentun'; it has lr, momentum"),
        ([{"params": "*", "lr": -1.0}], "lr must not be negative"),
        ([], "empty list"),
    ):
        with pytest.raises(ValueError, match=said):
            gradc.SGD(session, params=params)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one group"):
        gradc.LBFGS(session, params=[{"params": "W"}, {"params": "b"}])
    other = gradc.SGD(session, params="W")
    with pytest.raises(ValueError, match="other groups"):
        other.load_state_dict(gradc.SGD(session).state_dict())


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        *((name, {"lr": -1.0}, "lr must not be negative") for name in sorted({*OPTIMIZERS} - {"SparseAdam"})),
        *((name, {"lr": math.nan}, "lr must not be negative, and is nan") for name in ("SGD", "Adam", "LBFGS")),
        *(("SparseAdam", {"lr": lr}, f"lr must be above 0, and is {lr}") for lr in (0.0, -1.0, math.nan)),
        ("SparseAdam", {"eps": 0.0}, "eps must be above 0"),
        *((name, {"betas": (1.0, 0.9)}, "betas must be from 0 to below 1") for name in ("Adam", "Adamax", "NAdam")),
        *((name, {"betas": 0.9}, "betas must be two numbers") for name in ("AdamW", "RAdam")),
        *((name, {"eps": -1e-8}, "eps must not") for name in ("Adam", "Adagrad", "Adadelta", "RMSprop")),
        ("NAdam", {"momentum_decay": -1.0}, "momentum_decay must not"),
        ("Adadelta", {"rho": 1.1}, "rho must be from 0 to 1"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value must not"),
        ("Rprop", {"etas": (1.1, 1.2)}, "etas must be a factor below 1 and one above"),
        ("SGD", {"nesterov": True}, "nesterov needs a momentum"),
        ("ASGD", {"weight_decay": -1.0}, "weight_decay must not"),
        ("LBFGS", {"line_search_fn": "wolfe"}, "line_search_fn must be 'strong_wolfe' or None"),
    ],
)
def test_options_that_pytorch_refuses(name: str, wrong: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OPTIMIZERS[name](network(), **wrong)


def test_options_may_be_set_between_steps() -> None:
    one, two = network(), network()
    first, second = gradc.Adam(one, lr=0.1), gradc.Adam(two, lr=0.3)
    second.lr = 0.1
    assert second.lr == 0.1
    fit(one, first, epochs=3)
    fit(two, second, epochs=3)
    np.testing.assert_array_equal(one.theta, two.theta)


# -------------------------------------------------------------------------------------- parameters that come and go


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "LBFGS"])
def test_a_parameter_counts_its_own_steps(name: str) -> None:
    """Each parameter moves as if there were no other, whichever have moved with it before."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    gradients = np.random.default_rng(0).normal(size=(12, network().theta.size))
    turns = [("head.W", "W"), ("W", "b", "scale"), ("W",), ("head.W", "head.b", "W", "b", "scale"), ("b",), ("head.b",)]
    together = network()
    chosen = OPTIMIZERS[name](together, **options)
    for step, gradient in enumerate(gradients):
        chosen.descend(gradient, turns[step % len(turns)])
    for alone in SHAPES:
        session = network()
        by_itself = OPTIMIZERS[name](session, params=alone, **options)
        for step, gradient in enumerate(gradients):
            if alone in turns[step % len(turns)]:
                by_itself.descend(gradient)
        np.testing.assert_array_equal(together.parameters[alone].value, session.parameters[alone].value)


def test_a_parameter_without_a_gradient_stays() -> None:
    session = network()
    chosen = gradc.AdamW(session)
    session.backward()
    session.parameters["W"].zero_grad()
    before = session.parameters["W"].value.copy()
    chosen.step()
    np.testing.assert_array_equal(session.parameters["W"].value, before)
    assert "W" not in chosen.state_dict()["state"]


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "LBFGS"])
def test_pieces_are_one_vector(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = network(), network()
    fit(whole, OPTIMIZERS[name](whole), epochs=3)
    monkeypatch.setattr(base_of_optimizers, "PIECE", 5)
    fit(cut, OPTIMIZERS[name](cut), epochs=3)
    np.testing.assert_array_equal(whole.theta, cut.theta)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "LBFGS"])
def test_nothing_that_a_stretch_skips_is_lost(name: str) -> None:
    """The watched loop and the one that looks now and then take the same steps, and end at the same one."""
    _, module = compiled("param a = 3, b = 0\nminimize sqrt(a - 1) + b^2\n")
    found = []
    for after in (None, lambda epoch, loss: None):
        session = Session(module, {})
        chosen = OPTIMIZERS[name](session, lr=0.05 if name != "Adadelta" else 50)
        with pytest.raises(Diverged) as caught:
            fit(session, chosen, epochs=30_000, after=after, clip_value=0.7)
        error = caught.value
        found.append((error.step, error.parameter, session.theta.tolist(), frozen(chosen.state_dict())))
    assert found[0] == found[1]


# ---------------------------------------------------------------------------------------------------- what it costs

LARGE = "axis k: 100000\nparam w[k] = 1, v[k] = 2\nminimize sum(w^2) + sum(v^2)\n"
BUSY: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "dampening": 0.0},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "ASGD": {"t0": 0},
}


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "LBFGS"])
def test_a_step_allocates_nothing(name: str) -> None:
    """Beyond a few numbers of Python: the vectors have 1.6 million bytes."""
    session = Session(compiled(LARGE)[1], {})
    chosen = OPTIMIZERS[name](session, maximize=True, **BUSY.get(name, {}))
    gradient = np.random.default_rng(0).normal(size=session.theta.size)
    chosen.descend(gradient)
    session.grad[...] = gradient
    chosen.descend(session.grad)
    tracemalloc.start()
    for _ in range(3):
        chosen.descend(session.grad)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4096


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9, "nesterov": True, "maximize": True}], ids=["plain", "nesterov"]
)
def test_a_large_vector_moves_alike_with_scipy_and_without(
    dtype: str, options: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """BLAS's update rounds once where NumPy's two calls round twice."""
    pytest.importorskip("scipy")
    text = "axis k: 300_001\nparam v[k] = 1, still[k] = 1, w[k] = 1\nminimize sum(v^2) + sum(still^2) + sum(w^2)\n"
    module = compiled(text.replace("_", ""), dtype=dtype)[1]
    random = np.random.default_rng(0)
    start, gradient = (random.normal(size=900_003).astype(dtype) for _ in range(2))
    ends = []
    for there in (True, False):
        if not there:
            monkeypatch.setitem(sys.modules, "scipy.linalg", None)
        session = Session(module, {}, start)
        session.parameters["still"].requires_grad = False
        chosen = gradc.SGD(session, lr=0.1, **options)
        assert (axpy.axpy(session.theta.dtype) is not None) == there
        for _ in range(2):
            chosen.descend(gradient)
        ends.append(session.theta)
    np.testing.assert_array_equal(ends[0][300_001:600_002], start[300_001:600_002])
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=4 * np.finfo(dtype).eps * np.abs(ends[1]).max())
    if not options:
        moved = start.astype(np.longdouble) - 2 * np.longdouble(0.1) * gradient
        moved[300_001:600_002] = start[300_001:600_002]
        np.testing.assert_allclose(ends[0], moved.astype(float), rtol=0, atol=4 * np.finfo(dtype).eps * 5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [600_000, 1_000_003, 1_048_576])
def test_both_ways_of_an_update_give_the_same_bits(dtype: str, size: int) -> None:
    pytest.importorskip("scipy")
    update = axpy.axpy(np.dtype(dtype))
    assert update is not None
    random = np.random.default_rng(size)
    gradient, start = (random.normal(size=size).astype(dtype) for _ in range(2))
    one, other, called = start.copy(), start.copy(), start.copy()
    update.spans(gradient, one, 0.1)
    update.threads(gradient, other, 0.1)
    assert one.tobytes() == other.tobytes()
    for _ in range(2 * axpy.TURNS + 1):
        np.copyto(called, start)
        update(gradient, called, 0.1)
        assert called.tobytes() == one.tobytes()


@pytest.mark.parametrize("same", [True, False])
def test_the_faster_way_is_taken_until_it_is_slow(same: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now, slow, ways = [0.0], [False], []

    def blas(x: Any, y: Any, count: int, a: float, place: int, *_: int) -> None:
        together = count > axpy.SPAN
        ways.append(together)
        now[0] += (100.0 if slow[0] else 1.0) if together else 0.1
        y[place : place + count] += (a if same or not together else 2 * a) * x[place : place + count]

    monkeypatch.setattr(axpy, "perf_counter", lambda: now[0])
    update, gradient, theta = axpy.Update(blas), np.ones(axpy.LARGE), np.zeros(axpy.LARGE)

    def step() -> bool:
        ways.clear()
        update(gradient, theta, 1.0)
        return any(ways)

    for _ in range(2 * axpy.TURNS):
        step()
    assert step() == same
    slow[0] = True
    assert [step() for _ in range(axpy.STRIKES)] == [same] * axpy.STRIKES
    assert not step()
    slow[0] = False
    for _ in range(axpy.AGAIN + 2 * axpy.TURNS):
        step()
    assert step() == same
    assert (theta == -(4 * axpy.TURNS + axpy.STRIKES + axpy.AGAIN + 3)).all()


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("LBFGS",)])
def test_a_float32_model_stays_one(name: str) -> None:
    _, module = compiled("axis k: 3\nparam w[k] = 1\nminimize sum(w^4)\n", dtype="float32")
    session = Session(module, {})
    chosen = OPTIMIZERS[name](session)
    fit(session, chosen, epochs=3)
    arrays = [v for kept in chosen.state_dict()["state"].values() for v in kept.values() if isinstance(v, np.ndarray)]
    assert {array.dtype for array in arrays} <= {np.dtype("float32")}
    assert session.theta.dtype == np.float32
    assert (session.theta < 1).all()


# --------------------------------------------------------------------------------------------------------- clipping


NORMS = [(2.0, 13.0), (1.0, 19.0), (np.inf, 12.0), (3.0, 1819 ** (1 / 3))]


@pytest.mark.parametrize(("kind", "norm"), NORMS)
def test_gradients_are_scaled_to_a_norm(kind: float, norm: float) -> None:
    _, module = compiled("axis k: 2\nparam w[k] = 1, v = 1\nminimize 3*w[k = 0] + 4*w[k = 1] - 12*v\n")
    session = Session(module, {})
    session.backward()
    found = session.grad.copy()
    assert gradc.clip_grad_norm_(session, 100, kind) == pytest.approx(norm)
    np.testing.assert_array_equal(session.grad, found)
    assert gradc.clip_grad_norm_(session, 1.3, kind) == pytest.approx(norm)
    np.testing.assert_allclose(session.grad, found * 1.3 / (norm + 1e-6))
    session.zero_grad()
    session.backward()
    assert gradc.clip_grad_norm_(session, 1.0, params="w") == pytest.approx(5)
    np.testing.assert_allclose(session.grad, [0.6, 0.8, -12], rtol=1e-6)
    session.parameters["v"].zero_grad()
    assert gradc.clip_grad_norm_(session, 10) == pytest.approx(1)


def test_a_norm_does_not_overflow_before_it_must() -> None:
    session = network()
    session.backward()
    session.grad[...] = 1e200
    assert gradc.clip_grad_norm_(session, 1.0) == pytest.approx(1e200 * np.sqrt(session.grad.size))
    assert np.sqrt((session.grad**2).sum()) == pytest.approx(1)
    session.grad[0] = np.inf
    with pytest.raises(ValueError, match="the norm of the gradients is inf"):
        gradc.clip_grad_norm_(session, 1.0, error_if_nonfinite=True)


def test_numbers_of_a_gradient_are_bounded() -> None:
    session = network()
    session.backward()
    found = session.grad.copy()
    gradc.clip_grad_value_(session, 0.01, params=["head.*", "b"])
    layout = {name: p.place for name, p in session.parameters.items()}
    for name, place in layout.items():
        bounded = name not in ("W", "scale")
        np.testing.assert_array_equal(session.grad[place], found[place].clip(-0.01, 0.01) if bounded else found[place])


@pytest.mark.parametrize("name", ["SGD", "Adam", "LBFGS"])
def test_the_loop_clips_before_a_step(name: str) -> None:
    one, two = network(), network()
    first, second = OPTIMIZERS[name](one, lr=0.5), OPTIMIZERS[name](two, lr=0.5)
    fit(one, first, epochs=5, clip_norm=0.3, clip_value=0.2)
    evaluate = closure(two, second)

    def clipped() -> float:
        loss = evaluate()
        gradc.clip_grad_value_(two, 0.2)
        gradc.clip_grad_norm_(two, 0.3)
        return loss

    for _ in range(5):
        second.step(clipped)
    np.testing.assert_array_equal(one.theta, two.theta)
    three = network()
    fit(three, OPTIMIZERS[name](three, lr=0.5), epochs=5)
    assert (three.theta != one.theta).any()


# ----------------------------------------------------------------------------------------------------- accumulation


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("rows", [12, 11])
def test_minibatches_that_accumulate_are_one_large_batch(name: str, rows: int) -> None:
    one, two = network(rows=rows), network(rows=rows)
    small = fit(one, OPTIMIZERS[name](one, lr=0.1), epochs=4, batch=2, accumulate=3, seed=2)
    large = fit(two, OPTIMIZERS[name](two, lr=0.1), epochs=4, batch=6, seed=2)
    assert small.steps == large.steps == 8
    np.testing.assert_allclose(one.theta, two.theta, rtol=1e-12)
    np.testing.assert_allclose(small.losses, large.losses, rtol=1e-12)


def test_several_objectives_accumulate_each_its_own() -> None:
    text = "input x[n]\nparam a = 1, b = 2\nminimize f = mean((a * x - b)^2) over a\n"
    _, module = compiled(text + "minimize g = mean((a * x + b)^2) over b\n")
    data = {"x": np.arange(1.0, 8.0)}
    one, two = Session(module, data), Session(module, data)
    fit(one, gradc.Adam(one, lr=0.1), epochs=3, batch=1, accumulate=4)
    fit(two, gradc.Adam(two, lr=0.1), epochs=3, batch=4)
    np.testing.assert_allclose(one.theta, two.theta, rtol=1e-12)


def test_what_looks_again_needs_one_loss() -> None:
    session = network()
    with pytest.raises(ValueError, match="of one loss: no several minibatches"):
        fit(session, gradc.LBFGS(session), epochs=1, batch=2, accumulate=2)
    with pytest.raises(ValueError, match="give a closure"):
        gradc.LBFGS(session).step()
    with pytest.raises(ValueError, match="at least one minibatch"):
        fit(session, epochs=1, accumulate=0)


def test_lbfgs_finds_a_minimum() -> None:
    _, module = compiled("param x = -1.2, y = 1\nminimize (1 - x)^2 + 100*(y - x^2)^2\n")
    session = Session(module, {})
    fit(session, gradc.LBFGS(session, line_search_fn="strong_wolfe", max_iter=100, tolerance_change=1e-15), epochs=2)
    np.testing.assert_allclose(session.theta, 1, rtol=1e-6)


def test_the_document_has_every_option() -> None:
    """The table of docs/optimisers.md: names and defaults, in the order of the signatures."""
    text = (Path(__file__).parents[1] / "docs" / "optimisers.md").read_text(encoding="utf-8")
    for name, optimizer_class in OPTIMIZERS.items():
        (row,) = re.findall(rf"^\| `{name}` \| `(.*)` \|$", text, re.MULTILINE)
        call = ast.parse(f"f({row})", mode="eval").body
        assert isinstance(call, ast.Call)
        written = {key.arg: ast.literal_eval(key.value) for key in call.keywords}
        left_out = ("session", "params", "maximize")
        known = inspect.signature(optimizer_class).parameters
        assert written == {key: option.default for key, option in known.items() if key not in left_out}
