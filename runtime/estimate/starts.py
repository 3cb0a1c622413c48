"""Other starts, for a descent that has not arrived from its own.

Takes a problem and a start; gives the best of many points around it. Of squares, numbers in which the residuals are
linear are eliminated first, so that a point is judged by the others alone. The points are drawn from a generator with a
fixed key: the same problem has the same starts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .descent import linear_numbers
from .problems import LARGE, Likelihood, Squares

Array = npt.NDArray[Any]

EACH = 30
"""Points that are drawn for each start that is wanted."""

WIDE = 0.5
"""How far they lie: a number is multiplied by up to 10 to this power, or divided."""


def around(problem: Squares | Likelihood, start: Array, count: int) -> list[Array]:
    """The best `count` points of those drawn, the best first."""
    random = np.random.Generator(np.random.Philox(0))
    linear = linear_numbers(problem, start) if isinstance(problem, Squares) else np.empty(0, np.intp)
    found: list[tuple[float, int, Array]] = []
    for i in range(EACH * count):
        stretched = start * 10 ** random.uniform(-WIDE, WIDE, start.size)
        u = stretched + 0.1 * random.uniform(-1, 1, start.size)
        try:
            u = _eliminated(problem, u, linear) if isinstance(problem, Squares) and linear.size else u
        except np.linalg.LinAlgError:
            continue
        value = problem.deviance(u) if np.isfinite(u).all() else LARGE
        if np.isfinite(value) and value < LARGE:
            found.append((value, i, u))
    return [u for _, _, u in sorted(found, key=lambda entry: entry[:2])[:count]]


def _eliminated(problem: Squares, u: Array, linear: npt.NDArray[np.intp]) -> Array:
    u = u.copy()
    basis = problem.jacobian(u)[:, linear]
    u[linear] -= np.linalg.lstsq(basis, problem.residuals(u), rcond=None)[0]
    return u
