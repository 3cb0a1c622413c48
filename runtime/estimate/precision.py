"""How well the data determine what was estimated.

Takes a problem and its minimum; gives `Precision`: the covariance of the numbers, and the directions in which they can
move and nothing changes. Of squares it follows from the Jacobian, through its singular values and never through the
product with itself; of a likelihood from the Hessian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .descent import FLAT, decomposed
from .problems import Likelihood, Squares

Array = npt.NDArray[Any]

INVOLVED = 1e-6
"""The least share in a direction, by the largest, that says that a number moves in it."""


@dataclass(frozen=True)
class Precision:
    """`covariance` is that of the unconstrained numbers, NaN for those that are not determined.

    `directions` are moves, by the names of the numbers, that leave the objective as it is. `condition` is the ratio of
    the extreme singular values of the Jacobian, its columns scaled to one length (of a likelihood the root of that of
    the Hessian). `effective` is how many numbers the data determine: all, but for penalties and directions.
    """

    covariance: Array
    directions: tuple[Mapping[str, float], ...]
    condition: float
    effective: float


def of_squares(problem: Squares, u: Array, variance: float | None = None) -> Precision:
    """`variance` is that of a residual, 1 where it is None."""
    jacobian = problem.jacobian(u)
    found = decomposed(jacobian)
    k = found.rank
    scaled = found.right[:k] / found.singular[:k, None] / found.lengths
    covariance = (1.0 if variance is None else variance) * scaled.T @ scaled
    null = _null(found.right[:k], u.size)
    effective = float((found.left[: problem.count, :k] ** 2).sum())
    return _made(covariance, null, found.lengths, problem.numbers.names, found.singular, effective)


def of_likelihood(problem: Likelihood, u: Array) -> Precision:
    """From the inverse of the Hessian of the negative log-likelihood."""
    hessian = problem.hessian(u)
    lengths = np.sqrt(np.abs(np.diag(hessian)))
    lengths[lengths == 0] = 1.0
    values, vectors = np.linalg.eigh(hessian / np.outer(lengths, lengths))
    kept = values > FLAT * values.max(initial=0)
    scaled = (vectors[:, kept] / np.sqrt(values[kept])).T / lengths
    null = _null(vectors[:, kept].T, u.size)
    roots = np.sqrt(np.maximum(values[::-1], 0))
    return _made(scaled.T @ scaled, null, lengths, problem.numbers.names, roots, float(kept.sum()))


def _null(right: Array, size: int) -> Array:
    """The directions that all of these are perpendicular to, as rows in the simplest form: by elimination."""
    if len(right) == size:
        return np.empty((0, size))
    rest = np.linalg.svd(right, full_matrices=True)[2][len(right) :] if len(right) else np.eye(size)
    for i in range(len(rest)):
        free = rest[i:]
        row, column = divmod(int(np.argmax(np.abs(free))), size)
        rest[[i, i + row]] = rest[[i + row, i]]
        rest[i] /= rest[i, column]
        for j in range(len(rest)):
            if j != i:
                rest[j] -= rest[j, column] * rest[i]
    rest[np.abs(rest) < INVOLVED] = 0.0
    return np.asarray(rest)


def _made(
    covariance: Array, null: Array, lengths: Array, names: Sequence[str], singular: Array, effective: float
) -> Precision:
    unknown = (null != 0).any(axis=0)
    covariance[unknown, :] = covariance[:, unknown] = np.nan
    directions = []
    for row in null / lengths:
        most = np.abs(row).max()
        directions.append({name: float(share / most) for name, share in zip(names, row, strict=True) if share})
    least = 0.0 if len(null) else float(singular.min(initial=np.inf))
    condition = float(singular.max(initial=0) / least) if least > 0 else float("inf")
    return Precision(covariance, tuple(directions), condition, effective)
