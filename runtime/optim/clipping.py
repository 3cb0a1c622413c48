"""Gradients bounded before a step, by their norm or each number for itself, as PyTorch does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..parameter import named
from ..session import Session
from .base import Array, Patterns, joined


def clip_grad_norm_(
    session: Session,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    *,
    params: Patterns = "*",
) -> float:
    """Scale the gradients, of the parameters that the patterns name, so that their norm is at most `max_norm`.

    Gives the norm before. ValueError where it is not finite and `error_if_nonfinite` asks for that.
    """
    total = norm(session.grad, places(session, params), norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise ValueError(f"the norm of the gradients is {total}")
    shrink(session.grad, places(session, params), total, max_norm)
    return total


def clip_grad_value_(session: Session, clip_value: float, *, params: Patterns = "*") -> None:
    """Put each number of the gradients, of the parameters that the patterns name, between ±`clip_value`."""
    bound(session.grad, places(session, params), clip_value)


def places(session: Session, params: Patterns) -> list[slice]:
    """Where the gradients of the parameters lie that have one."""
    names = named(session.parameters, params)
    return joined(session.parameters[n].place for n in names if session.parameters[n].grad is not None)


def norm(gradient: Array, places: Sequence[slice], kind: float = 2.0) -> float:
    """The norm of all these places together; that of squares does not overflow before the result does."""
    parts = [gradient[place] for place in places]
    if kind == 2:
        with np.errstate(over="ignore"):
            total = math.sqrt(sum(float(part.dot(part)) for part in parts))
        if math.isinf(total):
            largest = norm(gradient, places, math.inf)
            if math.isfinite(largest):
                total = largest * math.sqrt(sum(float(np.square(part / largest).sum()) for part in parts))
        return total
    if math.isinf(kind):
        return max((float(max(part.max(), -part.min())) for part in parts), default=0.0)
    return float(sum(float((np.abs(part) ** kind).sum()) for part in parts) ** (1 / kind))


def shrink(gradient: Array, places: Sequence[slice], total: float, most: float) -> None:
    """Scale these places, of norm `total`, to the norm `most` where it is above; with the 1e-6 that PyTorch adds."""
    factor: Any = most / (total + 1e-6)
    if factor >= 1:
        return
    for place in places:
        np.multiply(gradient[place], factor, gradient[place])


def bound(gradient: Array, places: Sequence[slice], most: float) -> None:
    """Put each number of these places between ±`most`."""
    for place in places:
        part = gradient[place]
        np.minimum(np.maximum(part, -most, out=part), most, out=part)
