"""L-BFGS: steps along the gradient as the last moves have bent it, with or without a line search.

The two loops are Nocedal's (1980); the order of what is looked at, and when a step ends are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..session import Session
from .base import Array, Optimizer, Patterns, joined, not_negative
from .line_search import MOST, Point, strong_wolfe

BENT = 1e-10
"""The least curvature along a move for which the move is kept."""


@dataclass
class _Memory:
    """What a step leaves to the next. Vectors hold the numbers of all parameters of the optimiser."""

    n_iter: int = 0
    func_evals: int = 0
    t: float = 0.0
    h_diag: float = 1.0
    prev_loss: float = 0.0
    d: Array | None = None
    prev_flat_grad: Array | None = None
    old_dirs: list[Array] = field(default_factory=list)  # differences of gradients
    old_stps: list[Array] = field(default_factory=list)  # moves
    ro: list[float] = field(default_factory=list)


class LBFGS(Optimizer):
    """torch.optim.LBFGS. A step is up to `max_iter` iterations, and needs a closure that computes loss and gradients.

    `line_search_fn` is None or "strong_wolfe". There is one group of parameters.
    """

    evaluates = True

    def __init__(
        self,
        session: Session,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        most = max_iter * 5 // 4 if max_eval is None else max_eval
        options = {"lr": lr, "max_iter": max_iter, "max_eval": most, "tolerance_grad": tolerance_grad}
        more = {"tolerance_change": tolerance_change, "history_size": history_size, "line_search_fn": line_search_fn}
        self._memory = _Memory()
        super().__init__(session, params, options | more)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr")
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"line_search_fn must be 'strong_wolfe' or None, and is {options['line_search_fn']!r}")

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """The only group. ValueError for another."""
        if self.param_groups:
            raise ValueError("LBFGS has one group of parameters")
        super().add_param_group(group)

    # -------------------------------------------------------------------------------------------------------- steps

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Iterate. `closure` forgets the gradients, and computes them and the loss; gives the loss before the step."""
        if closure is None:
            raise ValueError("LBFGS looks at several points in a step: give a closure that computes loss and gradients")
        loss = float(closure())
        self._iterate(_Places(self, self._reached), loss, closure)
        return loss

    def descend(
        self,
        gradient: Array,
        over: Iterable[str] | None = None,
        loss: float = 0.0,
        again: Callable[[], float] | None = None,
    ) -> None:
        """The loop's step. ValueError without `again`."""
        if again is None:
            raise ValueError("LBFGS looks at several points in a step: give `again`, which computes loss and gradient")
        names = self._moving(over)
        self._iterate(_Places(self, lambda: names, gradient), loss, again)

    def _reached(self) -> tuple[str, ...]:
        return tuple(n for n, p in self._owned if p.requires_grad and p.grad is not None)

    def _iterate(self, at: _Places, loss: float, closure: Callable[[], float]) -> None:
        self.check_rows()
        options, memory = self.param_groups[0], self._memory
        lr, near = options["lr"], options["tolerance_change"]
        gradient, evaluations = at.gradient(), 1
        memory.func_evals += 1
        if _largest(gradient) <= options["tolerance_grad"]:
            return

        def look() -> tuple[float, Array]:
            return float(closure()), at.gradient()

        for iteration in range(1, options["max_iter"] + 1):
            memory.n_iter += 1
            direction = self._direction(gradient)
            memory.d, memory.prev_flat_grad, memory.prev_loss = direction, gradient, loss
            length = min(1.0, 1.0 / float(np.abs(gradient).sum())) * lr if memory.n_iter == 1 else lr
            slope = float(gradient.dot(direction))
            memory.t = length
            if slope > -near:
                break
            looked = 0
            if options["line_search_fn"] is not None:
                start = at.where()

                def ahead(t: float, start: Array = start, direction: Array = direction) -> Point:
                    at.put(start, t, direction)
                    value, found = look()
                    return Point(t, value, found, float(found.dot(direction)))

                here = Point(0.0, loss, gradient, slope)
                left = min(MOST, options["max_eval"] - evaluations)
                best, looked = strong_wolfe(ahead, here, length, _largest(direction), near, left)
                loss, gradient, length = best.loss, best.gradient, best.t
                at.put(start, length, direction)
            else:
                at.put(at.where(), length, direction)
                if iteration != options["max_iter"]:
                    (loss, gradient), looked = look(), 1
            memory.t = length
            evaluations += looked
            memory.func_evals += looked
            if (
                evaluations >= options["max_eval"]
                or _largest(gradient) <= options["tolerance_grad"]
                or _largest(direction) * length <= near
                or abs(loss - memory.prev_loss) < near
            ):
                break

    def _direction(self, gradient: Array) -> Array:
        """The quasi-Newton step, after the last move has been kept."""
        memory = self._memory
        if memory.d is None or memory.prev_flat_grad is None:
            return -gradient
        bend, move = gradient - memory.prev_flat_grad, memory.d * memory.t
        curvature = float(bend.dot(move))
        if curvature > BENT:
            if len(memory.old_dirs) == self.param_groups[0]["history_size"]:
                del memory.old_dirs[0], memory.old_stps[0], memory.ro[0]
            memory.old_dirs.append(bend)
            memory.old_stps.append(move)
            memory.ro.append(1.0 / curvature)
            memory.h_diag = curvature / float(bend.dot(bend))
        found = -gradient
        kept = list(zip(memory.old_dirs, memory.old_stps, memory.ro, strict=True))
        along = []
        for bend, move, ro in reversed(kept):
            along.append(float(move.dot(found)) * ro)
            found -= along[-1] * bend
        found *= memory.h_diag
        for (bend, move, ro), before in zip(kept, reversed(along), strict=True):
            found += move * (before - float(bend.dot(found)) * ro)
        return found

    # -------------------------------------------------------------------------------------------------------- state

    def _state(self) -> dict[str, Any]:
        memory = self._memory
        if memory.d is None:
            return {}
        kept = {name: np.array(getattr(memory, name)) for name in ("d", "prev_flat_grad", "old_dirs", "old_stps")}
        numbers = {name: getattr(memory, name) for name in ("n_iter", "func_evals", "t", "h_diag", "prev_loss")}
        return {"*": {**numbers, **kept, "ro": list(memory.ro)}}

    def _restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        self._memory = _Memory()
        for key, value in state.get("*", {}).items():
            several = key in ("old_dirs", "old_stps", "ro")
            setattr(self._memory, key, list(value) if several else np.array(value) if np.ndim(value) else value)


class _Places:
    """The optimiser's parameters as one vector. Those that do not move have gradient 0."""

    def __init__(self, optimizer: LBFGS, moving: Callable[[], tuple[str, ...]], gradient: Array | None = None) -> None:
        session = optimizer.session
        self.theta = session.theta
        self.grad = session.grad if gradient is None else gradient
        self.moving, self.parameters = moving, session.parameters
        self.places: list[tuple[slice, slice]] = []
        size = 0
        self.at: dict[str, slice] = {}
        for name, parameter in optimizer._owned:
            length = parameter.place.stop - parameter.place.start
            self.at[name] = slice(size, size + length)
            size += length
        self.size = size
        self.whole = joined(parameter.place for _, parameter in optimizer._owned)

    def gradient(self) -> Array:
        """A copy."""
        found = np.zeros(self.size, self.grad.dtype)
        for name in self.moving():
            found[self.at[name]] = self.grad[self.parameters[name].place]
        return found

    def where(self) -> Array:
        """A copy of the parameters."""
        return np.concatenate([self.theta[place] for place in self.whole])

    def put(self, start: Array, t: float, direction: Array) -> None:
        """Move to start + t * direction."""
        moved = start + t * direction
        for place in self.whole:
            length = place.stop - place.start
            self.theta[place], moved = moved[:length], moved[length:]


def _largest(vector: Array) -> float:
    return float(np.abs(vector).max(initial=0.0))
