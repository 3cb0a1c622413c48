"""One parameter of a session: a named part of the flat vectors of values and of gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(eq=False)
class Parameter:
    """A view of a session's vectors under the parameter's name.

    `value` is what the optimiser moves: the parameter itself, or where it is bounded the unconstrained value behind it.
    `grad` is None until a backward pass reaches the parameter, then accumulates until `zero_grad`. A parameter with
    `requires_grad` False receives no gradient and is not moved.
    """

    name: str
    place: slice
    value: Array
    requires_grad: bool = True
    _sum: Array = field(default_factory=lambda: np.empty(0), repr=False)
    _reached: bool = field(default=False, repr=False)

    @property
    def grad(self) -> Array | None:
        """The accumulated gradient, of the shape of `value`; a view, which an optimiser reads."""
        return self._sum if self._reached else None

    @grad.setter
    def grad(self, gradient: Array | None) -> None:
        self._reached = gradient is not None
        if gradient is not None:
            self._sum[...] = gradient

    def accumulate(self, gradient: Array) -> None:
        """Add a gradient of the shape of `value`."""
        if self._reached:
            self._sum += gradient
        else:
            self._sum[...] = gradient
            self._reached = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient, or with `set_to_none` False make it zero where there is one."""
        if set_to_none:
            self._reached = False
        elif self._reached:
            self._sum.fill(0.0)
