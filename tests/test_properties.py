"""Three ways to the same number, on generated models: the emitted module, the reference, numerical differentiation.

A model is compiled with every pass and with none, and run in blocks of several sizes; the reference evaluates the
program as it was written, differentiated and not simplified. It does so in multiprecision too: where double precision
loses digits by itself, what a module can be held to is what it loses. 1,000 models in all, in parts, so that they can
be shared among processes.
"""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from gradc.compiler.source import ModelError

from .generate import models
from .harness import ALL_OFF, Truth, compiled, distance, sample, start

Array = npt.NDArray[Any]

PRECISE = 1e-9
"""Relative difference allowed in float64 where the problem is well-conditioned."""

LOSSY = 1e4
"""What is allowed beyond it, as a multiple of the difference between double precision and 50 digits."""

REFUSED = {"E0410", "E0438"}
"""Mistakes, told as such: numbers alone may make something that has no value, such as acosh(0.5), and a derivative in a
step of a scan may leave out what comes from the steps before."""

each = settings(
    # A failure stands in the report as it was found: making it smaller takes minutes for each, which belongs to whoever
    # mends it (phases=list(Phase)).
    phases=(Phase.generate,),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


def agree(found: Any, plain: Any, exact: Any, what: str) -> None:
    """`found` is the truth: `exact` where that is finite, within what double precision (`plain`) makes of it."""
    exact = np.asarray(exact, dtype=np.float64)
    if not np.isfinite(exact).all():
        return
    lost = distance(plain, exact)
    if lost > 1e-6:
        # The formula as written overflows or cancels here; what the module gives must still be a number.
        if np.isfinite(np.asarray(plain, dtype=np.float64)).all():
            assert np.isfinite(np.asarray(found, dtype=np.float64)).all(), f"{what} is {found}, and truly {exact}"
        return
    apart = distance(found, exact)
    assert apart <= PRECISE + LOSSY * lost, f"{what} differs by {apart:.1e}: {found}, and truly {exact}"


def everything_agrees(text: str, numeric: bool = True) -> None:
    """Every quantity of the model's module against the reference, with every pass and with none."""
    try:
        of, module = compiled(text)
        _, plainly = compiled(text, without=ALL_OFF)
    except ModelError as error:
        if {d.code for d in error.diagnostics} <= REFUSED:
            return
        raise
    data = sample(module, seed=1)
    theta = start(module, data, seed=2)
    plain = Truth(of.elaborated, module, data, theta)
    exact = Truth(of.elaborated, module, data, theta, digits=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module_agrees(module, plain, exact)
        module_agrees(plainly, plain, exact)
    if numeric:
        numerically(exact)


def module_agrees(module: types.ModuleType, plain: Truth, exact: Truth) -> None:
    """The objectives in blocks of several sizes, outputs, metrics and pulled-back seeds."""
    data, theta = plain.data, plain.theta
    for name in module.OBJECTIVES:
        for block in (None, 1, 3):
            objective = module.bind(data, name, block)
            objective(theta + 0.5)  # what a step leaves behind must not be seen in the next
            loss, gradient = objective(theta)
            what = f"of {name} in blocks of {block}"
            agree(loss, plain.steps[name][0], exact.steps[name][0], f"the loss {what}")
            agree(gradient, plain.steps[name][1], exact.steps[name][1], f"the gradient {what}")
            if module.STATES:
                after = theta.copy()
                objective.advance(after)
                agree(after, plain.steps[name][2], exact.steps[name][2], f"the states after a step {what}")
    module.CACHE, module.LEAST_ROWS = 1, 2  # from here on, what takes no size of blocks is cut into small ones
    found = module.predict(theta, data)
    assert list(found) == list(plain.outputs)
    for name, value in found.items():
        if np.asarray(value).dtype.kind == "f":
            agree(value, plain.outputs[name], exact.outputs[name], f"output {name}")
        else:
            assert value.shape == plain.outputs[name].shape
            if (plain.outputs[name] == exact.outputs[name]).all():
                assert (value == plain.outputs[name]).all(), f"output {name}"
    found = module.metrics(theta, data)
    for name, value in found.items():
        agree(value, plain.metrics[name], exact.metrics[name], f"metric {name}")
    if plain.program.cotangents:
        random = np.random.default_rng(7)
        seeds = {leaf.name: random.normal(size=plain.outputs[leaf.name].shape) for leaf in plain.program.cotangents}
        found = module.vjp(theta, data, seeds)
        agree(found, plain.pullback(seeds), exact.pullback(seeds), "the seeds pulled back")


def numerically(exact: Truth) -> None:
    """The reference's gradient against no rule of calculus at all, where the objective has one."""
    for at, (_, gradient, _) in enumerate(exact.steps.values()):
        if not np.isfinite(gradient).all():
            continue
        coordinates, estimate, error = exact.numeric(most=3, at=at)
        scale = max(1e-9, float(np.abs(gradient).max(initial=0)))
        told = error < PRECISE * scale
        assert (np.abs(estimate - gradient[coordinates])[told] <= PRECISE * scale).all(), (
            f"the gradient is {gradient[coordinates]}, and numerically {estimate} +- {error}"
        )


PARTS, SIZE = 40, 25


@pytest.mark.parametrize("part", range(PARTS))
def test_models(part: int) -> None:
    @seed(part)
    @settings(each, max_examples=SIZE)
    @given(text=models())
    def agreeing(text: str) -> None:
        everything_agrees(text)

    agreeing()
