"""The way down: from a start to a minimum, as exactly as doubles allow.

Takes a problem and a start; gives `Minimum`. Squares go down by SciPy's Levenberg-Marquardt with the exact Jacobian,
and where it does not arrive, from the same start again, by ways that get around what stopped it: a trust region, and
variable projection, which eliminates the numbers in which the residuals are linear (Golub and Pereyra, 1973, in
Kaufman's form). A likelihood goes down by SciPy's L-BFGS. Each ends with Gauss-Newton or Newton steps for as long as
digits are gained: a minimiser that compares values stops when half of the digits are right.

Arrival is judged by the slope in units of the statistics, Bates and Watts' relative offset: how far the next step
would go, measured by standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Missing
from .problems import HeldLikelihood, HeldSquares, Likelihood, Squares

Array = npt.NDArray[Any]

NEGLIGIBLE = 1e-13
"""Singular values of a scaled Jacobian that count as 0, by the largest."""

POLISHING = 100
"""Steps that are taken at most once the minimiser has stopped."""

TRIES = 6
"""Steps in turn that may gain nothing, shorter and shorter, before the tolerance is reached."""

FLAT = 1e-12
"""Eigenvalues of a scaled Hessian that count as 0, by the largest."""

EXACT = 1e-12
"""Residuals are as good as 0 where what is left to gain is this share of the fitted values."""


@dataclass(frozen=True)
class Minimum:
    """Where a descent ended. `offset` is the length of the step that would follow, in standard errors.

    `converged` says whether that is within the tolerance, `determined` whether nothing can move without a change,
    `reason` why it ended, `method` by which way.
    """

    u: Array
    offset: float
    converged: bool
    determined: bool
    reason: str
    method: str = ""


def scipy_optimize() -> Any:
    """scipy.optimize, or Missing."""
    try:
        import scipy.optimize
    except ImportError as error:
        raise Missing("SciPy", "fit") from error
    return scipy.optimize


# ---------------------------------------------------------------------------------------------------- sums of squares


def least_squares(problem: Squares | HeldSquares, start: Array, method: str, most: int, tolerance: float) -> Minimum:
    """The least sum of squares that is found from `start`; `most` evaluations are made by each way at most."""
    if start.size == 0:
        return Minimum(start, 0.0, True, True, "there is nothing to move", method)
    found: list[Minimum] = []
    for name, way in WAYS[method]:
        minimum = replace(_polished(problem, way(problem, start, most), tolerance), method=name)
        if minimum.converged and minimum.determined:
            return minimum
        found.append(minimum)
    # The first way that arrived, unless another arrived lower.
    arrived = [m for m in found if m.converged] or found
    least = min(problem.deviance(m.u) for m in arrived)
    return next(m for m in arrived if problem.deviance(m.u) <= least * (1 + 1e-6))


def _marquardt(problem: Squares | HeldSquares, start: Array, most: int) -> Array:
    rows = problem.residuals(start).size
    if rows < start.size:
        return _trust_region(problem, start, most)  # MINPACK wants as many residuals as numbers
    options = {"method": "lm", "x_scale": "jac", "max_nfev": most, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    return _least_squares(problem.residuals, problem.jacobian, start, options)


def _trust_region(problem: Squares | HeldSquares, start: Array, most: int) -> Array:
    options = {"method": "trf", "x_scale": "jac", "max_nfev": most, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    return _least_squares(problem.residuals, problem.jacobian, start, options)


def _least_squares(
    residuals: Callable[[Array], Array], jacobian: Callable[[Array], Array], start: Array, options: dict[str, Any]
) -> Array:
    try:
        found = scipy_optimize().least_squares(residuals, start, jac=jacobian, **options).x
    except (ValueError, np.linalg.LinAlgError):
        return start  # it went where nothing is finite
    return np.asarray(found) if np.isfinite(found).all() else start


def _by_gradient(problem: Squares | HeldSquares, start: Array, most: int) -> Array:
    def value(u: Array) -> tuple[float, Array]:
        residuals = problem.residuals(u)
        return float(residuals @ residuals) / 2, problem.jacobian(u).T @ residuals

    return _lbfgs(value, start, most)


def _projection(problem: Squares | HeldSquares, start: Array, most: int) -> Array:
    """Variable projection: of numbers in which the residuals are linear the best are known, for any others."""
    linear = linear_numbers(problem, start)
    rest = np.setdiff1d(np.arange(start.size), linear)
    if linear.size == 0:
        return start
    known: dict[bytes, tuple[Array, Array, Array]] = {}

    def at(v: Array) -> tuple[Array, Array, Array]:
        key = np.ascontiguousarray(v).tobytes()
        if key not in known:
            known.clear()
            u = start.copy()
            u[rest] = v
            basis = problem.jacobian(u)[:, linear]
            u[linear] -= np.linalg.lstsq(basis, problem.residuals(u), rcond=None)[0]
            q = np.linalg.qr(basis)[0]
            slopes = problem.jacobian(u)[:, rest]
            known[key] = u, problem.residuals(u), slopes - q @ (q.T @ slopes)
        return known[key]

    try:
        if rest.size == 0:
            return at(start[rest])[0]
        options = {"method": "trf", "x_scale": "jac", "max_nfev": most, "ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
        v = _least_squares(lambda v: at(v)[1], lambda v: at(v)[2], start[rest], options)
        u = at(v)[0]
    except (ValueError, np.linalg.LinAlgError):
        return start
    return _marquardt(problem, u, most) if np.isfinite(u).all() else start


def linear_numbers(problem: Squares | HeldSquares, start: Array) -> npt.NDArray[np.intp]:
    """Numbers in which the residuals are linear together: their columns stay as they are when these numbers move."""
    before = problem.jacobian(start)
    size = np.abs(before).max(axis=0, initial=0)
    found: list[int] = []
    for j in range(start.size):
        u = start.copy()
        together = [*found, j]
        u[together] += 0.5 * np.abs(start[together]) + 0.25
        moved = np.abs(problem.jacobian(u)[:, together] - before[:, together]).max(axis=0, initial=0)
        if (moved <= 1e-13 * size[together]).all() and size[j] > 0:
            found = together
    return np.array(found, np.intp)


Way = Callable[[Any, Array, int], Array]

WAYS: dict[str, Sequence[tuple[str, Way]]] = {
    "lm": (
        ("Levenberg-Marquardt", _marquardt),
        ("variable projection, then Levenberg-Marquardt", _projection),
        ("trust region", _trust_region),
    ),
    "lbfgs": (("L-BFGS, then Gauss-Newton", _by_gradient),),
    "profile": (("Levenberg-Marquardt", _marquardt),),
}
"""By method, the ways that are tried in turn until one arrives."""


@dataclass(frozen=True)
class Triangle:
    """A Jacobian whose columns have length 1, as its singular value decomposition: `lengths` are those they had."""

    left: Array
    singular: Array
    right: Array
    lengths: Array
    rank: int


def decomposed(jacobian: Array) -> Triangle:
    """The decomposition, and how many of its singular values count."""
    lengths = np.sqrt((jacobian**2).sum(axis=0))
    lengths[lengths == 0] = 1.0
    q, r = np.linalg.qr(jacobian / lengths)
    small, singular, right = np.linalg.svd(r, full_matrices=False)
    rank = int((singular > NEGLIGIBLE * singular.max(initial=0)).sum())
    return Triangle(q @ small, singular, right, lengths, rank)


def _polished(problem: Squares | HeldSquares, u: Array, tolerance: float) -> Minimum:
    """Gauss-Newton steps for as long as the slope becomes smaller, shortened where a whole one goes too far."""
    residuals, jacobian = problem.residuals(u), problem.jacobian(u)
    left, step, slope = _step(residuals, jacobian, 0.0)
    damping, failed = 0.0, 0
    for _ in range(POLISHING):
        if slope == 0 or failed >= (TRIES if left > tolerance else 2):
            break
        trial = u + step
        there = problem.residuals(trial)
        onwards = _step(there, problem.jacobian(trial), damping)
        lower = there @ there <= (residuals @ residuals) * (1 + 1e-7)
        if onwards[2] < slope and lower:
            failed = failed + 1 if onwards[2] > 0.9 * slope and onwards[0] <= 1e3 * tolerance else 0
            u, residuals, (left, step, slope) = trial, there, onwards
            damping = 0.0 if damping < 1e-6 else damping / 10
            jacobian = problem.jacobian(u)
        else:
            failed += 1
            damping = max(1e-4, 10 * damping)
            step = _step(residuals, jacobian, damping)[1]
    return _judged(problem, u, left, slope, tolerance)


def _step(residuals: Array, jacobian: Array, damping: float) -> tuple[float, Array, float]:
    """The relative offset, the step that follows, and the length of the slope in units of the residuals."""
    found = decomposed(jacobian)
    kept = found.singular[: found.rank]
    along = found.left[:, : found.rank].T @ residuals
    slope = float(np.sqrt(along @ along))
    step = -(found.right[: found.rank].T @ (along * kept / (kept**2 + damping))) / found.lengths
    free = residuals.size - found.rank
    rest = float(np.sqrt(np.maximum(residuals @ residuals - slope**2, 0.0)))
    offset = slope / rest * float(np.sqrt(free / max(found.rank, 1))) if free > 0 and rest > 0 else np.inf
    return offset, step, slope


def _judged(problem: Squares | HeldSquares, u: Array, offset: float, slope: float, tolerance: float) -> Minimum:
    residuals, jacobian = problem.residuals(u), problem.jacobian(u)
    determined = decomposed(jacobian).rank == u.size
    lengths: Array = np.sqrt(((jacobian * u) ** 2).sum(axis=0))
    fitted = float(lengths.max(initial=0))
    if slope <= EXACT * fitted and (offset > tolerance or residuals @ residuals == 0):
        return Minimum(u, 0.0 if slope == 0 else offset, True, determined, "the model passes through all observations")
    return Minimum(u, offset, offset <= tolerance, determined, _reason(offset, tolerance))


def _reason(offset: float, tolerance: float) -> str:
    if offset <= tolerance:
        return f"the next step would be below {tolerance:.0e} standard errors"
    return f"it stopped where the next step would be {offset:.1e} standard errors"


# --------------------------------------------------------------------------------------------------------- likelihoods


def most_likely(problem: Likelihood | HeldLikelihood, start: Array, most: int, tolerance: float) -> Minimum:
    """The greatest likelihood that is found from `start`."""
    if start.size == 0:
        return Minimum(start, 0.0, True, True, "there is nothing to move", "L-BFGS")
    u = _lbfgs(problem.value, start, most)
    offset = np.inf
    for _ in range(POLISHING):
        value, slope = problem.value(u)
        step, decrement = _newton(problem.hessian(u), slope)
        if not decrement < 0.9 * offset and offset <= 1e3 * tolerance:
            break
        offset = decrement
        if decrement == 0:
            break
        length = 1.0
        while length > 1e-10:
            trial = u + length * step
            if problem.value(trial)[0] <= value - 1e-4 * length * decrement**2 * (decrement > 1e-5) + 1e-13 * abs(
                value
            ):
                break
            length /= 4
        else:
            break
        u = trial
    hessian = problem.hessian(u)
    method = "L-BFGS, then Newton"
    if not np.isfinite(hessian).all():
        return Minimum(u, np.inf, False, False, "it stopped where the second derivatives are not finite", method)
    offset = _newton(hessian, problem.value(u)[1])[1]
    curved = _curvatures(hessian)
    if curved.min() < -1e-8 * curved.max():
        return Minimum(u, offset, False, False, "it stopped at a saddle, where the objective bends down", method)
    determined = bool(curved.min() > FLAT * curved.max())
    return Minimum(u, offset, offset <= tolerance, determined, _reason(offset, tolerance), method)


def _curvatures(hessian: Array) -> Array:
    """The eigenvalues, in ascending order, with each number in its own unit."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), np.finfo(float).tiny))
    return np.linalg.eigvalsh(hessian / np.outer(scale, scale))


def _newton(hessian: Array, slope: Array) -> tuple[Array, float]:
    """The step to the minimum of the parabola, its valleys taken for bowls where it bends down, and its length in
    standard errors."""
    if not np.isfinite(hessian).all():
        return -slope, np.inf
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    least = NEGLIGIBLE * np.abs(values).max(initial=0)
    along = vectors.T @ (slope / scale)
    kept = np.abs(values) > least
    step = -(vectors[:, kept] @ (along[kept] / np.abs(values[kept]))) / scale
    return step, float(np.sqrt((along[kept] ** 2 / np.abs(values[kept])).sum()))


def _lbfgs(value: Callable[[Array], tuple[float, Array]], start: Array, most: int) -> Array:
    options = {"maxiter": most, "maxfun": 20 * most, "ftol": 1e-14, "gtol": 1e-10, "maxcor": 20}
    found = scipy_optimize().minimize(value, start, jac=True, method="L-BFGS-B", options=options).x
    return np.asarray(found) if np.isfinite(found).all() else start
