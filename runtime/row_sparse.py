"""A gradient that has numbers in some rows only: what PyTorch calls a sparse tensor with one sparse dimension.

Takes and gives arrays; `Parameter.grad` is one where the module gives the parameter's gradient by rows. It needs memory
for the rows that occur, whatever the size of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class RowSparse:
    """`values[i]`, of the shape that is left of `shape` without `axis`, stands at `indices[i]` along it; 0 elsewhere.

    An index may occur several times, and its values add up; where it is `coalesced` each occurs once, in order.
    """

    indices: Array
    values: Array
    shape: tuple[int, ...]
    axis: int = 0
    coalesced: bool = False

    def coalesce(self) -> RowSparse:
        """The same with each index once, in order."""
        if self.coalesced:
            return self
        order = self.indices.argsort(kind="stable")
        indices, values = self.indices[order], self.values[order]
        first = np.empty(len(indices), bool)
        first[:1] = True
        np.not_equal(indices[1:], indices[:-1], first[1:])
        if not first.all():
            starts = first.nonzero()[0]
            indices, values = indices[starts], np.add.reduceat(values, starts, 0)
        return RowSparse(indices, values, self.shape, self.axis, True)

    def to_dense(self) -> Array:
        """The whole array."""
        found = np.zeros(self.shape, self.values.dtype)
        self.add_to(found)
        return found

    def add_to(self, dense: Array) -> None:
        """Add the rows to an array of the whole shape, in place."""
        np.add.at(np.moveaxis(dense, self.axis, 0), self.indices, self.values)

    def times(self, factor: float) -> RowSparse:
        """All values multiplied, in arrays of their own."""
        return RowSparse(self.indices.copy(), self.values * factor, self.shape, self.axis, self.coalesced)


def joined(parts: Sequence[RowSparse]) -> RowSparse:
    """The sum of gradients of one parameter; the rows stand one after another."""
    if len(parts) == 1:
        return parts[0]
    indices, values = (np.concatenate([getattr(part, name) for part in parts]) for name in ("indices", "values"))
    return RowSparse(indices, values, parts[0].shape, parts[0].axis)
