"""What of a session has a gradient: parameters, named parts of the flat vectors of values and of gradients, and values.

Takes names and views from a session; gives the objects that PyTorch's `tensor.grad` and `tensor.requires_grad` are
looked for in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from .row_sparse import RowSparse, joined

Array = npt.NDArray[Any]


@dataclass(eq=False)
class Parameter:
    """A view of a session's vectors under the parameter's name.

    `value` is what the optimiser moves: the parameter itself, or where it is bounded the unconstrained value behind it.
    `grad` is None until a backward pass reaches the parameter, then accumulates until `zero_grad`. A parameter with
    `requires_grad` False receives no gradient and is not moved. `rows` is the gradient where it comes by rows, in place
    of the session's vector.
    """

    name: str
    place: slice
    value: Array
    _requires: bool = True
    _sum: Array = field(default_factory=lambda: np.empty(0), repr=False)
    _asked: Callable[[str, bool], None] = field(default=lambda name, requires: None, repr=False)
    _reached: bool = field(default=False, repr=False)
    rows: RowSparse | None = field(default=None, repr=False)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients by the parameter are computed. Setting it changes what the next pass computes."""
        return self._requires

    @requires_grad.setter
    def requires_grad(self, requires: bool) -> None:
        if requires != self._requires:
            self._asked(self.name, requires)
            self._requires = bool(requires)

    @property
    def grad(self) -> Array | RowSparse | None:
        """The accumulated gradient, of the shape of `value`, which an optimiser reads: a view, or some rows."""
        if not self._reached:
            return None
        return self._sum if self.rows is None else self.rows

    @grad.setter
    def grad(self, gradient: Array | RowSparse | None) -> None:
        self._reached = False
        if gradient is not None:
            self.accumulate(gradient)

    def accumulate(self, gradient: Array | RowSparse) -> None:
        """Add a gradient of the shape of `value`. Rows and rows are rows; else the sum is an array."""
        if isinstance(gradient, RowSparse):
            if not self._reached:
                self.rows = gradient
            elif self.rows is not None:
                self.rows = joined([self.rows, gradient])
            else:
                gradient.add_to(self._sum)
        elif self._reached and self.rows is None:
            self._sum += gradient
        else:
            self._sum[...] = gradient
            if self._reached and self.rows is not None:
                self.rows.add_to(self._sum)
            self.rows = None
        self._reached = True

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient, or with `set_to_none` False make it zero where there is one."""
        if set_to_none:
            self._reached = False
        elif self._reached and self.rows is None:
            self._sum.fill(0.0)
        elif self.rows is not None:
            self.rows = self.rows.times(0.0)


@dataclass(eq=False)
class Value:
    """A named value of the model, or an input. `axes` are its axes in the order that arrays and seeds of it have.

    `grad` is None until `retain_grad` and a backward pass through the value. It accumulates over the backward passes of
    one forward pass; the values of the next forward pass are others.
    """

    name: str
    axes: tuple[str, ...]
    retains_grad: bool = False
    grad: Array | None = None

    def accumulate(self, gradient: Array) -> None:
        """Add a gradient of the shape of the value."""
        self.grad = gradient.copy() if self.grad is None else self.grad + gradient


def named(names: Collection[str], patterns: str | Iterable[str]) -> list[str]:
    """The names that a pattern, or one of several, matches. ValueError for a pattern that matches none."""
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"no parameter has a name like {pattern!r}; there are {', '.join(names)}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in wanted)]
