"""The suite of stable forms: each formula at a thousand points, value and gradient, against mpmath.

The bound is four units in the last place of what the rounding of z alone makes of the result, from
`reference/stable_truth.npz`. With the pass switched off most of the formulas must miss it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .harness import compiled
from .stable_formulas import FORMULAS, WEIGHTS, Formula

pytestmark = pytest.mark.simplified

Array = npt.NDArray[Any]

TRUTH = dict(np.load(Path(__file__).parent / "reference" / "stable_truth.npz"))
ULPS = 4 * float(np.finfo(float).eps)
LEAST = 1e-307
"""What is smaller may be 0."""


def within(found: Array, truth: Array, size: Array) -> Array:
    """Where a result is finite and within the bound."""
    with np.errstate(all="ignore"):
        return np.asarray(np.abs(found - truth) <= ULPS * size + LEAST)


def ours(formula: Formula, without: tuple[str, ...] = ()) -> tuple[Array, Array]:
    """Where value and gradient of the compiled formula are within the bound."""
    _, module = compiled(formula.model(), without=without)
    data, z = {"c": np.array(WEIGHTS)}, formula.grid()
    truth = TRUTH[formula.name].T
    with np.errstate(all="ignore"):
        value = module.predict(z, data)["v"]
        gradient = module.bind(data)(z)[1]
    return within(value, truth[0], truth[2]), within(gradient, truth[1], truth[3])


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.name)
def test_a_formula_is_within_the_bound(formula: Formula) -> None:
    value, gradient = ours(formula)
    assert formula.grid()[~value].size == 0
    assert formula.grid()[~gradient].size == 0


def test_the_truth_is_finite() -> None:
    assert [f.name for f in FORMULAS if not np.isfinite(TRUTH[f.name]).all()] == []


def test_without_the_pass_most_formulas_miss() -> None:
    missed = [f.name for f in FORMULAS if not all(part.all() for part in ours(f, ("stable",)))]
    assert len(missed) >= 0.9 * len(FORMULAS)
