"""What a fit makes small, as a function of the numbers that it may move.

Takes an emitted module and data; gives `Squares`, a vector of residuals with its Jacobian, or `Likelihood`, a value
with its gradient and its Hessian. The numbers are the unconstrained ones of the parameters that the objective trains.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import NotFinite

Array = npt.NDArray[Any]

KEPT = 4
"""Points of which the values are remembered: a minimiser asks for a value, then for the derivatives there."""

LARGE = 1e150
"""What stands for a residual that is not finite: no step to such a point is taken."""


@dataclass(frozen=True)
class Numbers:
    """The numbers that a fit may move: their places in the vector of parameters, and their names, as in `c[2]`."""

    places: npt.NDArray[np.intp]
    names: tuple[str, ...]
    theta: Array

    def whole(self, u: Array) -> Array:
        """The vector of all parameters."""
        theta = self.theta.copy()
        theta[self.places] = u
        return theta


def numbers(module: ModuleType, data: Mapping[str, Any], objective: str, theta: Array) -> Numbers:
    """The numbers that the objective trains, at the start `theta`."""
    layout = module.layout(data)
    places: list[int] = []
    names: list[str] = []
    for name in module.OBJECTIVES[objective]["over"]:
        place, shape = layout[name]
        places += range(place.start, place.stop)
        names += [name + (f"[{', '.join(map(str, at))}]" if at else "") for at in np.ndindex(*shape)]
    return Numbers(np.array(places, np.intp), tuple(names), np.asarray(theta, np.float64))


class _Remembered:
    """A function of a vector whose last values are kept."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.known: OrderedDict[bytes, Any] = OrderedDict()
        self.calls = 0

    def __call__(self, u: Array) -> Any:
        key = np.ascontiguousarray(u, np.float64).tobytes()
        if key not in self.known:
            self.calls += 1
            self.known[key] = self.function(u)
            if len(self.known) > KEPT:
                self.known.popitem(last=False)
        return self.known[key]


class Squares:
    """Residuals and their Jacobian, by the numbers that may move."""

    def __init__(self, module: ModuleType, data: Mapping[str, Any], objective: str, numbers: Numbers) -> None:
        bound = module.bind_residuals(data, objective)
        self.numbers = numbers
        self.seen = module.observations(data, objective)

        def compute(u: Array) -> tuple[Array, Array]:
            residuals, slopes = bound(np.asarray(numbers.whole(u), module.DTYPE))
            return np.asarray(residuals, np.float64), np.asarray(slopes[:, numbers.places], np.float64)

        self._compute = _Remembered(compute)

    @property
    def evaluations(self) -> int:
        """How often the module was called."""
        return self._compute.calls

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.numbers.places)

    @cached_property
    def count(self) -> int:
        """Residuals that are no penalty."""
        return int(self.seen["count"])

    def _parts(self, name: str) -> list[Array]:
        keys = [f"{name} {i}" for i in range(sum(key.startswith("weight ") for key in self.seen))]
        return [np.asarray(self.seen[key], np.float64).ravel() for key in keys if key in self.seen]

    @cached_property
    def weights(self) -> Array:
        """By which each square is multiplied, penalties left out."""
        return np.concatenate(self._parts("weight"))

    @cached_property
    def observed(self) -> Array | None:
        """From what the model's values are subtracted; None where a residual is no difference from something given."""
        parts = self._parts("observed")
        found = np.concatenate(parts) if parts else np.empty(0)
        return found if found.size == self.count else None

    def residuals(self, u: Array) -> Array:
        """With LARGE for what is not finite."""
        found: Array = self._compute(u)[0]
        return np.where(np.isfinite(found), found, LARGE)

    def jacobian(self, u: Array) -> Array:
        """The derivatives of the residuals, 0 for what is not finite."""
        found: Array = self._compute(u)[1]
        return found if np.isfinite(found).all() else np.nan_to_num(found, nan=0.0, posinf=LARGE, neginf=-LARGE)

    def deviance(self, u: Array) -> float:
        """The sum of squares."""
        found = self.residuals(u)
        return float(found @ found)

    def check(self, u: Array) -> None:
        """NotFinite where the problem cannot start at `u`."""
        if (self.weights < 0).any():
            raise NotFinite("the weight of a square is negative", int(np.argmax(self.weights < 0)))
        residuals, slopes = self._compute(u)
        if not np.isfinite(residuals).all():
            raise NotFinite("a residual is not finite at the start", int(np.argmin(np.isfinite(residuals))))
        if not np.isfinite(slopes).all():
            row, column = np.argwhere(~np.isfinite(slopes))[0]
            name = self.numbers.names[column]
            raise NotFinite(f"the derivative of a residual by {name} is not finite at the start", int(row))

    def held(self, at: int, number: float) -> HeldSquares:
        """The problem in all numbers but one."""
        return HeldSquares(self, at, number)


class HeldSquares:
    """Residuals by all numbers but the one at `at`, which is held at `number`."""

    def __init__(self, of: Squares, at: int, number: float) -> None:
        self.of, self.at, self.number = of, at, number
        self.others = np.delete(np.arange(of.size), at)

    def whole(self, u: Array) -> Array:
        """With the number that is held."""
        return np.insert(u, self.at, self.number)

    def residuals(self, u: Array) -> Array:
        return self.of.residuals(self.whole(u))

    def jacobian(self, u: Array) -> Array:
        return self.of.jacobian(self.whole(u))[:, self.others]

    def deviance(self, u: Array) -> float:
        return self.of.deviance(self.whole(u))


class Likelihood:
    """The negative logarithm of a likelihood, with its derivatives. `rows` is by what the objective is multiplied."""

    def __init__(self, module: ModuleType, data: Mapping[str, Any], objective: str, numbers: Numbers) -> None:
        bound, second = module.bind(data, objective), module.bind_hessian(data, objective)
        self.numbers = numbers
        self.count = _rows(module, data)
        self.rows = 1.0
        if _is_mean(module, data, objective, numbers.theta):
            self.rows = float(self.count or 1)
        places = numbers.places

        def compute(u: Array) -> tuple[float, Array]:
            value, slope = bound(np.asarray(numbers.whole(u), module.DTYPE))
            return self.rows * float(value), self.rows * np.asarray(slope[places], np.float64)

        def curve(u: Array) -> Array:
            found = second(np.asarray(numbers.whole(u), module.DTYPE))
            return self.rows * np.asarray(found, np.float64)[np.ix_(places, places)]

        self._compute, self._curve = _Remembered(compute), _Remembered(curve)

    @property
    def evaluations(self) -> int:
        """How often the module was called."""
        return self._compute.calls + self._curve.calls

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.numbers.places)

    def value(self, u: Array) -> tuple[float, Array]:
        """The value, LARGE where it is not finite, and its gradient."""
        value, slope = self._compute(u)
        if not np.isfinite(value):
            return LARGE, np.zeros(self.size)
        return value, np.nan_to_num(slope, nan=0.0, posinf=LARGE, neginf=-LARGE)

    def hessian(self, u: Array) -> Array:
        """The matrix of second derivatives."""
        found: Array = self._curve(u)
        return found

    def deviance(self, u: Array) -> float:
        """Twice the value."""
        return 2 * self.value(u)[0]

    def check(self, u: Array) -> None:
        """NotFinite where the problem cannot start at `u`."""
        value, slope = self._compute(u)
        if not np.isfinite(value):
            raise NotFinite("the objective is not finite at the start", None)
        if not np.isfinite(slope).all():
            name = self.numbers.names[int(np.argmin(np.isfinite(slope)))]
            raise NotFinite(f"the derivative of the objective by {name} is not finite at the start", None)

    def held(self, at: int, number: float) -> HeldLikelihood:
        """The problem in all numbers but one."""
        return HeldLikelihood(self, at, number)


class HeldLikelihood:
    """A likelihood by all numbers but the one at `at`, which is held at `number`."""

    def __init__(self, of: Likelihood, at: int, number: float) -> None:
        self.of, self.at, self.number = of, at, number
        self.others = np.delete(np.arange(of.size), at)

    def whole(self, u: Array) -> Array:
        """With the number that is held."""
        return np.insert(u, self.at, self.number)

    def value(self, u: Array) -> tuple[float, Array]:
        value, slope = self.of.value(self.whole(u))
        return value, slope[self.others]

    def hessian(self, u: Array) -> Array:
        return self.of.hessian(self.whole(u))[np.ix_(self.others, self.others)]

    def deviance(self, u: Array) -> float:
        return self.of.deviance(self.whole(u))


def _rows(module: ModuleType, data: Mapping[str, Any]) -> int | None:
    for name, entry in module.INPUTS.items():
        if name in data and module.ROWS in entry["axes"]:
            return int(np.shape(data[name])[entry["axes"].index(module.ROWS)])
    return None


def _is_mean(module: ModuleType, data: Mapping[str, Any], objective: str, theta: Array) -> bool:
    """Whether the objective stays the same where every row stands twice, as a mean over the rows does."""
    twice = dict(data)
    for name, entry in module.INPUTS.items():
        if name in data and module.ROWS in entry["axes"]:
            axis = entry["axes"].index(module.ROWS)
            twice[name] = np.repeat(np.asarray(data[name]), 2, axis=axis)
    theta = np.asarray(theta, module.DTYPE)
    try:
        once = float(module.bind(data, objective)(theta)[0])
        again = float(module.bind(twice, objective)(theta)[0])
    except module.DataError:
        return False  # another axis is as long as the rows
    near = 1e-9 if module.DTYPE == "float64" else 1e-4
    return abs(again - once) <= near * abs(once)
