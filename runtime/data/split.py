"""Which rows are held out of a training: a function of the seed and of the number of rows alone."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .columns import Array

STREAM = 1
"""Tells the generator of this choice from those of the orders of rows and of the noise."""


def held_out(rows: int, fraction: float, seed: int) -> tuple[Array, Array]:
    """The rows to train on and those held out, each in ascending order.

    The held out are the first `round(fraction * rows)`, at least 1 and not all, of a permutation by Philox, a
    counter-based generator, keyed by the seed. DataError where there are not two rows.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction of the rows that is held out lies between 0 and 1, and is {fraction}")
    if rows < 2:
        raise DataError(None, "one row cannot be cut in two", "give more data, or no validation")
    key = np.random.SeedSequence(seed, spawn_key=(STREAM,))
    shuffled = np.random.Generator(np.random.Philox(key)).permutation(rows)
    count = min(max(round(fraction * rows), 1), rows - 1)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])
