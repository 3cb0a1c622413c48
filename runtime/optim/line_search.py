"""A step length that satisfies the strong Wolfe conditions: the loss falls enough, and its slope is small enough.

Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6, with the safeguards that Schmidt's minFunc adds and
PyTorch has: cubic interpolation within bounds, and a move away from an end at which two interpolations have stayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .base import Array

ENOUGH = 1e-4
"""The part of the fall that the slope promises which must be reached."""

FLAT = 0.9
"""The part of the slope at the start that may be left."""

MOST = 25
"""Points that are looked at, at most, beyond the first."""


@dataclass(frozen=True)
class Point:
    """A place along the direction: how far, and what is there."""

    t: float
    loss: float
    gradient: Array
    slope: float


def strong_wolfe(
    look: Callable[[float], Point], start: Point, first: float, largest: float, near: float, most: int = MOST
) -> tuple[Point, int]:
    """The point found from `start`, beginning with the length `first`, and how many were looked at.

    After `most` points beyond the first the best so far is taken. `largest` is the largest number of the direction: an
    interval in which nothing moves by more than `near` is left.
    """
    search = _Search(look, start, largest, near, most)
    interval = search.bracket(first)
    return search.zoom(*interval) if isinstance(interval, tuple) else interval, search.looked


@dataclass
class _Search:
    look: Callable[[float], Point]
    start: Point
    largest: float
    near: float
    most: int
    looked: int = 0
    turns: int = 0

    def at(self, t: float) -> Point:
        self.looked += 1
        return self.look(t)

    def too_high(self, point: Point) -> bool:
        return point.loss > self.start.loss + ENOUGH * point.t * self.start.slope

    def flat(self, point: Point) -> bool:
        return abs(point.slope) <= -FLAT * self.start.slope

    def bracket(self, first: float) -> Point | tuple[Point, Point]:
        """A point that satisfies both conditions, or two with such a one between them."""
        before, point = self.start, self.at(first)
        while self.turns < self.most:
            if self.too_high(point) or (self.turns > 1 and point.loss >= before.loss):
                return before, point
            if self.flat(point):
                return point
            if point.slope >= 0:
                return before, point
            bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
            t = minimum(before, point, bounds)
            before, point = point, self.at(t)
            self.turns += 1
        return self.start, point

    def zoom(self, one: Point, two: Point) -> Point:
        """The best point of the interval, made smaller until it satisfies both conditions."""
        ends = [one, two]
        best = _lower(ends)
        stayed = False
        while self.turns < self.most:
            low, high = sorted(end.t for end in ends)
            if (high - low) * self.largest < self.near:
                break
            t = minimum(ends[0], ends[1], (low, high))
            margin = 0.1 * (high - low)
            close = min(high - t, t - low) < margin
            if close and (stayed or t >= high or t <= low):
                t = high - margin if abs(t - high) < abs(t - low) else low + margin
                close = False
            stayed = close
            point = self.at(t)
            self.turns += 1
            if self.too_high(point) or point.loss >= ends[best].loss:
                ends[1 - best] = point
                best = _lower(ends)
            elif self.flat(point):
                return point
            else:
                if point.slope * (ends[1 - best].t - ends[best].t) >= 0:
                    ends[1 - best] = ends[best]
                ends[best] = point
        return ends[best]


def _lower(ends: list[Point]) -> int:
    """Which of two has the lower loss."""
    return 0 if ends[0].loss <= ends[1].loss else 1


def minimum(one: Point, two: Point, bounds: tuple[float, float]) -> float:
    """Where the cubic through two points with their slopes is least, within the bounds; else their middle."""
    low, high = bounds
    if one.t > two.t:
        one, two = two, one
    tilt = one.slope + two.slope - 3 * (one.loss - two.loss) / (one.t - two.t) if one.t != two.t else math.nan
    square = tilt * tilt - one.slope * two.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    below = two.slope - one.slope + 2 * root
    if below == 0:
        return (low + high) / 2
    return min(max(two.t - (two.t - one.t) * ((two.slope + root - tilt) / below), low), high)
