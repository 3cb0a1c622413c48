"""Generated models with a random part frozen, from a random named value, with its gradient kept, against the reference.

The reference differentiates the program as it was written, in double precision and in multiprecision, as in
`test_properties.py`; it knows of nothing frozen. What these modules share with others is tested there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, seed, settings

from gradc.compiler.parts import described
from gradc.compiler.pipeline import Compiled
from gradc.compiler.source import ModelError

from .generate import models
from .harness import Array, Data, Truth, aligned, compiled, distance, sample, start
from .test_properties import PRECISE, REFUSED, agree, each

pytestmark = pytest.mark.simplified

PARTS, SIZE = 2, 20


@dataclass(frozen=True)
class Twice:
    """The reference in double precision and in multiprecision, which is slow: it is asked where the first differs."""

    plain: Truth
    exact: Truth

    def agrees(self, found: Any, what: str, part: Callable[[Truth], Any]) -> None:
        """`found` is what `part` takes of the reference."""
        near = np.asarray(part(self.plain), dtype=np.float64)
        if not np.isfinite(near).all() or distance(found, near) > PRECISE:
            agree(found, near, part(self.exact), what)


def twice(of: Compiled, module: ModuleType, data: Data, theta: Array) -> Twice:
    return Twice(*(Truth(of.elaborated, module, data, theta, digits) for digits in (None, 60)))


def frozen_agrees(text: str, truth: Twice, random: np.random.Generator) -> None:
    """What is not frozen has the gradient that it had, and what is frozen has zeros."""
    names = list(truth.plain.module.PARAMETERS)
    chosen = tuple(name for name in names if random.random() < 0.5) or (names[0],)
    _, module = compiled(text, frozen=chosen)
    assert set(chosen) == set(module.FROZEN)
    free = np.ones(truth.plain.theta.shape, bool)
    for name in chosen:
        free[truth.plain.places[name][0]] = False

    def of(name: str) -> None:
        loss, gradient = module.bind(truth.plain.data, name)(truth.plain.theta)
        truth.agrees(loss, f"the loss of {name}, {chosen} frozen", lambda t: t.steps[name][0])
        assert (gradient[~free] == 0).all()
        truth.agrees(gradient, f"the gradient of {name}, {chosen} frozen", lambda t: t.steps[name][1] * free)

    for name in module.OBJECTIVES:
        of(name)


def value_agrees(text: str, plain: Truth, name: str, random: np.random.Generator) -> None:
    """A module of one value alone gives it, and pulls a cotangent back from it."""
    of, module = compiled(text, values=(name,), alone=True)
    assert not module.OBJECTIVES
    assert list(module.OUTPUTS) == [name]
    truth = twice(of, module, plain.data, plain.theta)
    found = module.predict(plain.theta, plain.data)[name]
    truth.agrees(found, f"the value {name}", lambda t: t.outputs[name])
    if truth.plain.program.cotangents:
        seeds = {name: random.normal(size=found.shape)}
        pulled = module.vjp(plain.theta, plain.data, seeds)
        truth.agrees(pulled, f"what is pulled back from {name}", lambda t: t.pullback(seeds))


def retained_agrees(text: str, truth: Twice, name: str, axes: tuple[str, ...]) -> None:
    """The gradient by a named value beside that by the parameters, which is what it was."""
    _, module = compiled(text, retained=(name,))

    def of(objective: str) -> None:
        bound = module.bind(truth.plain.data, objective)
        _, gradient = bound(truth.plain.theta)
        truth.agrees(gradient, f"the gradient of {objective} beside {name}'s", lambda t: t.steps[objective][1])
        if name in truth.plain.program.adjoints[objective]:
            found = bound.retained[name]

            def adjoint(truth: Truth) -> Any:
                node = truth.program.adjoints[objective][name]
                return aligned(truth._values([node])[0], node, axes, found.shape)

            truth.agrees(found, f"the gradient of {objective} by {name}", adjoint)

    for objective in module.OBJECTIVES:
        of(objective)


def parts_agree(text: str) -> None:
    """One model."""
    try:
        of, module = compiled(text)
    except ModelError as error:
        if {d.code for d in error.diagnostics} <= REFUSED:
            return
        raise
    data = sample(module, seed=1)
    truth = twice(of, module, data, start(module, data, seed=2))
    random = np.random.default_rng(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen_agrees(text, truth, random)
        known = described(of.elaborated)
        able = [name for name, _ in of.elaborated.named if known[name].dtype == "float" and known[name].reaches]
        able = [name for name in able if name not in module.PARAMETERS]
        if able:
            value_agrees(text, truth.plain, str(random.choice(able)), random)
        whole = [name for name in able if not known[name].stepwise]
        if whole:
            name = str(random.choice(whole))
            retained_agrees(text, truth, name, known[name].axes)


@pytest.mark.parametrize("part", range(PARTS))
def test_parts_of_models(part: int) -> None:
    @seed(100 + part)
    @settings(each, max_examples=SIZE)
    @given(text=models(depth=2))
    def agreeing(text: str) -> None:
        parts_agree(text)

    agreeing()
