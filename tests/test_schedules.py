"""Schedules against PyTorch's, step by step; their states; what `fit` does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.runtime import Session, fit
from gradc.runtime.optim import Optimizer
from gradc.runtime.schedules import SCHEDULES

from .harness import compiled
from .reference import optimizers
from .reference.optimizers import EPOCHS, Spec, schedule, walk

REFERENCE = json.loads((Path(__file__).parent / "reference" / "optimizers.json").read_text())
OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "SGD": lambda: gradc.SGD(session(), lr=0.1, momentum=0.5, params=GROUPS),
    "Adam": lambda: gradc.Adam(session(), lr=0.1, betas=(0.6, 0.99), params=GROUPS),
}
GROUPS: list[dict[str, Any]] = [{"params": "a"}, {"params": "b", "lr": 0.05}]
_, MODULE = compiled("param a = 1, b = 2\nminimize a^2 + b^2\n")


def session() -> Session:
    return Session(MODULE, {})


def title(spec: Spec) -> str:
    name, options = spec
    return "-".join([name, *(str(value) for value in options.values() if not isinstance(value, list))])


CASES = pytest.mark.parametrize("number", range(len(optimizers.SCHEDULES)), ids=map(title, optimizers.SCHEDULES))
EITHER = pytest.mark.parametrize("name", OPTIMIZERS)


@CASES
@EITHER
def test_rates_are_pytorchs(name: str, number: int) -> None:
    optimizer = OPTIMIZERS[name]()
    made = schedule(gradc.lr_scheduler, optimizer, optimizers.SCHEDULES[number])
    found = walk(optimizer, made, range(EPOCHS))
    np.testing.assert_allclose(found, REFERENCE[name][number], rtol=1e-12, atol=1e-18)


def test_every_schedule_is_compared() -> None:
    assert {name for name, _ in optimizers.SCHEDULES} == set(SCHEDULES) == set(REFERENCE["schedules"])


@CASES
@EITHER
def test_a_state_that_is_restored_goes_on_to_the_bit(name: str, number: int) -> None:
    spec = optimizers.SCHEDULES[number]
    whole, first, second = (OPTIMIZERS[name]() for _ in range(3))
    expected = walk(whole, schedule(gradc.lr_scheduler, whole, spec), range(EPOCHS))
    before = schedule(gradc.lr_scheduler, first, spec)
    walk(first, before, range(13))
    after = schedule(gradc.lr_scheduler, second, spec)
    # The state of the optimiser holds the groups, and with them the rates.
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert walk(second, after, range(13, EPOCHS)) == expected[13:]
    assert after.get_last_lr() == expected[-1][:2]


def test_a_schedule_goes_on_from_an_epoch() -> None:
    optimizer = OPTIMIZERS["SGD"]()
    with pytest.raises(KeyError, match="group 0 has no 'initial_lr'"):
        gradc.lr_scheduler.StepLR(optimizer, 3, last_epoch=4)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    made = gradc.lr_scheduler.StepLR(optimizer, 3, last_epoch=5)
    assert made.get_last_lr() == pytest.approx([0.01, 0.005])


@pytest.mark.parametrize(("given", "rate"), [(0, 0.1), (2.5, 0.05), (5, 0.1), (7.5, 0.1 * (2 + 2**0.5) / 4), (15, 0.1)])
def test_warm_restarts_take_parts_of_epochs(given: float, rate: float) -> None:
    optimizer = OPTIMIZERS["SGD"]()
    made = gradc.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=5, T_mult=2)
    made.step(given)
    assert made.get_last_lr()[0] == pytest.approx(rate)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("LambdaLR", {"lr_lambda": ["falling"]}, "lr_lambda has 1 entries for 2 groups"),
    ("StepLR", {"step_size": 0}, "step_size must be at least 1"),
    ("ConstantLR", {"factor": 1.5}, "factor must be from 0 to 1"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor must be above 0"),
    ("LinearLR", {"end_factor": 2.0}, "end_factor must be from 0 to 1"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max must be at least 1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0 must be a whole number from 1"),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 1.5}, "T_mult must be a whole number from 1"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "mode": "square"}, "mode must be one of triangular"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [1, 2, 3]}, "max_lr has 3 entries for 2 groups"),
    ("OneCycleLR", {"max_lr": 1}, "needs total_steps, or epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": -1}, "total_steps must be a whole number from 1"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "pct_start": 2}, "pct_start must be from 0 to 1"),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "anneal_strategy": "sin"}, "anneal_strategy must be cos or linear"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "factor must be below 1"),
    ("ReduceLROnPlateau", {"mode": "least"}, "mode must be min or max"),
    ("ReduceLROnPlateau", {"threshold_mode": "much"}, "threshold_mode must be rel or abs"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, "at least one schedule"),
    ("ChainedScheduler", {"schedulers": []}, "at least one schedule"),
    ("SequentialLR", {"schedulers": [("StepLR", {"step_size": 2})], "milestones": [3]}, "need 0 milestones"),
    ("ChainedScheduler", {"schedulers": [("ReduceLROnPlateau", {})]}, "goes with no other schedule"),
]


@pytest.mark.parametrize(("name", "options", "said"), WRONG)
def test_options_that_make_no_sense(name: str, options: dict[str, Any], said: str) -> None:
    optimizer = OPTIMIZERS["SGD"]()
    with pytest.raises(ValueError, match=said):
        schedule(gradc.lr_scheduler, optimizer, (name, options))


def test_what_cannot_go_together() -> None:
    adagrad = gradc.Adagrad(session())
    with pytest.raises(ValueError, match="Adagrad has neither momentum nor betas"):
        gradc.lr_scheduler.CyclicLR(adagrad, 0.1, 1.0)
    gradc.lr_scheduler.CyclicLR(adagrad, 0.1, 1.0, cycle_momentum=False)
    one, two = OPTIMIZERS["SGD"](), OPTIMIZERS["SGD"]()
    with pytest.raises(ValueError, match="schedule 1 is of another optimiser"):
        gradc.lr_scheduler.ChainedScheduler([gradc.lr_scheduler.ExponentialLR(o, 0.9) for o in (one, two)])
    cycle = gradc.lr_scheduler.OneCycleLR(one, 0.1, 3)
    for _ in range(3):
        cycle.step()
    with pytest.raises(ValueError, match="the cycle has 3 steps"):
        cycle.step()


# --------------------------------------------------------------------------------------------------------- the loop


@pytest.mark.parametrize("batch", [None, 2])
def test_the_loop_steps_a_schedule_once_an_epoch(batch: int | None) -> None:
    _, module = compiled("input x[n]\nparam w = 1\nminimize mean((w * x - 1)^2)\n")
    one, two = (Session(module, {"x": np.arange(5.0)}) for _ in range(2))
    first, second = (gradc.SGD(s, lr=0.05) for s in (one, two))
    after = fit(one, first, epochs=6, batch=batch, schedule=gradc.lr_scheduler.ExponentialLR(first, 0.5))
    for epoch in range(6):
        second.lr = 0.05 * 0.5**epoch
        fit(two, second, epochs=1, batch=batch, start=epoch)
    np.testing.assert_array_equal(one.theta, two.theta)
    assert after.theta == one.theta
    assert first.lr == 0.05 * 0.5**6


def test_the_loop_tells_the_loss() -> None:
    found = session()
    optimizer = gradc.SGD(found, lr=1.5)
    plateau = gradc.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    seen: list[float] = []
    done = fit(found, optimizer, epochs=6, schedule=plateau, after=lambda epoch, loss: seen.append(optimizer.lr))
    # With the rate 1.5 the loss grows fourfold, with 0.75 it falls by as much, behind the first for a while.
    np.testing.assert_allclose(done.losses[:4], [5, 20, 80, 20])
    assert seen[:4] == [1.5, 0.75, 0.375, 0.1875]
    assert plateau.best == done.losses.min() < 5


def test_a_training_goes_on_with_its_schedule() -> None:
    def made() -> tuple[Session, Optimizer, Any]:
        found = session()
        optimizer = gradc.Adam(found, lr=0.1)
        return found, optimizer, gradc.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=12)

    whole, optimizer, one = made()
    fit(whole, optimizer, epochs=10, schedule=one)
    cut, first, before = made()
    fit(cut, first, epochs=4, schedule=before)
    again, second, after = made()
    again.theta[...] = cut.theta
    second.load_state_dict(first.state_dict())
    after.load_state_dict(before.state_dict())
    fit(again, second, epochs=6, start=4, schedule=after)
    np.testing.assert_array_equal(again.theta, whole.theta)
