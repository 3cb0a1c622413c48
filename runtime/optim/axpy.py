"""`theta -= rate * gradient` in one pass: BLAS's update, which SciPy gives, for vectors that fill the caches.

NumPy needs two calls, each with a pass. BLAS can take its threads for it, or be asked for spans so short that it wakes
none. Its threads are SciPy's own: alone they are the faster way, but after a matrix product NumPy's threads still wait
for the next one, and keep SciPy's from the processor for milliseconds. So some updates go both ways in turn, and the
faster one is taken for a while. What a number becomes does not depend on the way, which is tried out before: a kernel
of BLAS rounds once, but at the end of what it is given, behind the last full vector register, some round twice. All
that is given is a multiple of any register's length, also as the threads share it.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGE = 1 << 19
"""Numbers of a vector from which on it is worth the time to import SciPy."""

REGISTERS = 64
"""Numbers that a kernel takes at a time at most."""

SPAN = 156 * REGISTERS
"""Numbers of a span: OpenBLAS takes its threads from 10,000 on."""

SHARED = 1680 * REGISTERS
"""What threads share is a multiple of this, so that it can be shared by 2 to 8, 10, 12, 14, 15, 16, 20 and more."""

TURNS = 5
"""How often each way is timed before one is chosen."""

AGAIN = 500
"""Updates after which both ways are timed again: who else wants the processor changes."""

SLOW, STRIKES = 3.0, 3
"""Threads are given up that take so many times as long as spans did, so many times one after another."""


def axpy(dtype: np.dtype[Any]) -> Update | None:
    """The update for arrays of this type; None where there is no SciPy."""
    try:
        from scipy.linalg import blas
    except ImportError:
        return None
    return Update(blas.saxpy if dtype == np.float32 else blas.daxpy)


class Update:
    """BLAS's `y += a * x`, whose arguments are x, y, the count, a, and the place and step in each, and how it goes."""

    def __init__(self, blas: Callable[..., Any]) -> None:
        self.blas = blas
        self.whole: bool | None = None  # None while both ways are timed
        self.times: tuple[list[float], list[float]] = ([], [])
        self.strikes = self.left = 0
        self.same: bool | None = None  # whether both ways give the same bits, once it is known

    def spans(self, gradient: Array, theta: Array, rate: float, start: int = 0) -> None:
        """Move `theta` in spans, from a place on."""
        for place in range(start, theta.size, SPAN):
            self.blas(gradient, theta, min(SPAN, theta.size - place), -rate, place, 1, place, 1)

    def threads(self, gradient: Array, theta: Array, rate: float) -> None:
        """Move `theta` by all threads, what they cannot share evenly in spans."""
        shared = theta.size // SHARED * SHARED
        self.blas(gradient, theta, shared, -rate, 0, 1, 0, 1)
        self.spans(gradient, theta, rate, shared)

    def __call__(self, gradient: Array, theta: Array, rate: float) -> None:
        """`theta -= rate * gradient`, of vectors without gaps."""
        if self.same is None and theta.size >= LARGE:
            self.same = self._agree(theta)
        if not self.same or theta.size < LARGE:
            self.spans(gradient, theta, rate)
            return
        if self.whole is not None:
            self.left -= 1
            if self.left < 0:
                self.whole, self.times = None, ([], [])
        whole = self.whole or (self.whole is None and len(self.times[1]) < len(self.times[0]))
        begin = perf_counter()
        (self.threads if whole else self.spans)(gradient, theta, rate)
        self._timed(bool(whole), perf_counter() - begin)

    def _agree(self, theta: Array) -> bool:
        """Whether both ways give the same bits, on other numbers."""
        some = np.random.default_rng(0).normal(size=10_007).astype(theta.dtype)
        gradient, one = np.resize(some, theta.shape), np.resize(some[::-1], theta.shape)
        other = one.copy()
        self.spans(gradient, one, 0.1)
        self.threads(gradient, other, 0.1)
        return np.array_equal(one, other)

    def _timed(self, whole: bool, seconds: float) -> None:
        """Choose, when both ways have been timed; give up what has become slow."""
        apart, together = self.times
        if self.whole is None:
            (together if whole else apart).append(seconds)
            if len(together) == TURNS:
                self.whole, self.left = median(together) < median(apart), AGAIN
        elif whole:
            self.strikes = self.strikes + 1 if seconds > SLOW * median(apart) else 0
            if self.strikes == STRIKES:
                self.whole = False
