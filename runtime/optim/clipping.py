"""Gradients bounded before a step, by their norm or each number for itself, as PyTorch does it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
    found = parts(session, _reached(session, params))
    total = norm(found, norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise ValueError(f"the norm of the gradients is {total}")
    shrink(found, total, max_norm)
    return total


def clip_grad_value_(session: Session, clip_value: float, *, params: Patterns = "*") -> None:
    """Put each number of the gradients, of the parameters that the patterns name, between ±`clip_value`."""
    bound(parts(session, _reached(session, params)), clip_value)


def _reached(session: Session, params: Patterns) -> list[str]:
    """The parameters named that have a gradient."""
    names = named(session.parameters, params)
    return [name for name in names if session.parameters[name].grad is not None]


def parts(session: Session, names: Iterable[str]) -> list[Array]:
    """The gradients of these parameters, as vectors that lie where they are: of rows the values, each row once."""
    places, found = [], []
    for name in names:
        parameter = session.parameters[name]
        if parameter.rows is None:
            places.append(parameter.place)
        else:
            parameter.rows = parameter.rows.coalesce()
            found.append(parameter.rows.values.reshape(-1))
    return [session.grad[place] for place in joined(places)] + found


def norm(parts: Sequence[Array], kind: float = 2.0) -> float:
    """The norm of all these vectors together; that of squares does not overflow before the result does."""
    if kind == 2:
        with np.errstate(over="ignore"):
            total = math.sqrt(sum(float(part.dot(part)) for part in parts))
        if math.isinf(total):
            largest = norm(parts, math.inf)
            if math.isfinite(largest):
                total = largest * math.sqrt(sum(float(np.square(part / largest).sum()) for part in parts))
        return total
    if math.isinf(kind):
        return max((float(max(part.max(), -part.min())) for part in parts if part.size), default=0.0)
    return float(sum(float((np.abs(part) ** kind).sum()) for part in parts) ** (1 / kind))


def shrink(parts: Sequence[Array], total: float, most: float) -> None:
    """Scale these vectors, of norm `total`, to the norm `most` where it is above; with the 1e-6 that PyTorch adds."""
    factor: Any = most / (total + 1e-6)
    if factor >= 1:
        return
    for part in parts:
        np.multiply(part, factor, part)


def bound(parts: Sequence[Array], most: float) -> None:
    """Put each number of these vectors between ±`most`."""
    for part in parts:
        np.minimum(np.maximum(part, -most, out=part), most, out=part)
