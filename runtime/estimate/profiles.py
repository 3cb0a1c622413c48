"""Intervals by profile likelihood: how far a number can go before the best of all others is not good enough.

Takes a problem, its minimum and a number; gives `Profile`. The root of what the fit loses, by the variance of a
residual (of a likelihood the root of twice what its logarithm loses), grows in proportion to the number where the
problem is linear, and is compared with the same quantile (Bates and Watts, Nonlinear Regression Analysis, 6.1). The
ends are found to a millionth of a standard error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .descent import least_squares, most_likely, scipy_optimize
from .problems import HeldLikelihood, HeldSquares, Likelihood, Squares

Array = npt.NDArray[Any]

STEPS = 24
"""Steps in one direction, each longer than the last, before an interval counts as open."""

GROWTH = 1.4
NEAR = 1e-6

FAR = 1e3
"""The root where the fit is worse than any quantile allows, if it is finite at all."""


@dataclass(frozen=True)
class Profile:
    """The ends of the interval, None where it is open, and the curve: places of the number, and the root of the loss.

    All are on the side of the fit, where bounds are unknown.
    """

    lower: float | None
    upper: float | None
    places: tuple[float, ...]
    roots: tuple[float, ...]


@dataclass
class Lower(Exception):
    """A point that is lower than the minimum: the descent had not found it."""

    u: Array


def profile(
    problem: Squares | Likelihood, u: Array, at: int, covariance: Array, variance: float, quantile: float, most: int
) -> Profile:
    """The profile of the number at `at`. Lower where it leads to a better minimum."""
    error = math.sqrt(covariance[at, at])
    along = np.delete(covariance[at] / covariance[at, at], at)
    base = problem.deviance(u)
    known: dict[float, tuple[float, Array]] = {float(u[at]): (0.0, np.delete(u, at))}

    def root(place: float) -> float:
        if place in known:
            return known[place][0]
        nearest = min(known, key=lambda other: abs(other - place))
        start = known[nearest][1] + along * (place - nearest)
        held = problem.held(at, place)
        found = _refitted(held, start, known[nearest][1], most)
        loss = problem.deviance(held.whole(found)) - base
        if loss < -1e-7 * variance * max(problem.size, 1):
            raise Lower(held.whole(found))
        known[place] = min(math.sqrt(max(loss, 0.0) / variance), FAR), found
        return known[place][0]

    ends: dict[int, float | None] = {}
    for side in (-1, 1):
        ends[side] = _end(root, float(u[at]), side * error * quantile, quantile)
    places = sorted(known)
    roots = [math.copysign(known[place][0], place - u[at]) for place in places]
    return Profile(ends[-1], ends[1], tuple(places), tuple(roots))


def _end(root: Any, middle: float, step: float, quantile: float) -> float | None:
    """Where the root is the quantile, on the side to which the step leads."""
    inner, length = middle, step / 2
    for _ in range(STEPS):
        outer = inner + length
        if not math.isfinite(outer):
            return None
        if root(outer) >= quantile:
            found = scipy_optimize().brentq(
                lambda place: root(place) - quantile, inner, outer, xtol=abs(step) * NEAR, rtol=1e-14
            )
            return float(found)
        inner, length = outer, length * GROWTH
    return None


def _refitted(held: HeldSquares | HeldLikelihood, start: Array, safe: Array, most: int) -> Array:
    """The best of the other numbers, from the better of two starts."""
    if not held.deviance(start) < held.deviance(safe):
        start = safe
    if isinstance(held, HeldSquares):
        return least_squares(held, start, "profile", most, NEAR).u
    return most_likely(held, start, most, NEAR).u
