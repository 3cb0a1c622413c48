"""The numbers of a model's parameters as the model has them, and as a fit moves them.

Takes an emitted module and the numbers of a fit; gives `Scale` for each, which is the map that keeps its bounds. It is
the module's own, and so are its values; here is the derivative, by which an error on one side becomes one on the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from .problems import Numbers


@dataclass(frozen=True)
class Scale:
    """One number: with bounds the model has `lower + exp(u)`, `upper - exp(u)`, or a logistic curve between the two."""

    lower: float | None
    upper: float | None

    def value(self, u: float) -> float:
        """What the model has."""
        if self.lower is not None and self.upper is not None:
            return self.lower + (self.upper - self.lower) * _logistic(u)
        if self.lower is not None:
            return self.lower + _exp(u)
        return u if self.upper is None else self.upper - _exp(u)

    def slope(self, u: float) -> float:
        """The derivative of `value`."""
        if self.lower is not None and self.upper is not None:
            return (self.upper - self.lower) * _logistic(u) * _logistic(-u)
        if self.lower is not None:
            return _exp(u)
        return 1.0 if self.upper is None else -_exp(u)


def scales(module: ModuleType, data: Mapping[str, Any], objective: str, numbers: Numbers) -> list[Scale]:
    """The scale of each number."""
    layout = module.layout(data)
    found: list[Scale] = []
    for name in module.OBJECTIVES[objective]["over"]:
        count = int(np.prod(layout[name][1], dtype=int))
        found += [Scale(*module.PARAMETERS[name]["bounds"])] * count
    assert len(found) == len(numbers.places)
    return found


def _logistic(u: float) -> float:
    return 1 / (1 + _exp(-u)) if u > 0 else _exp(u) / (1 + _exp(u))


def _exp(u: float) -> float:
    return math.exp(min(u, 709.0))
