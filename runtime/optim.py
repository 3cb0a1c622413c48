"""Stochastic gradient descent with PyTorch's names, defaults and semantics, on the flat vector.

Takes a session; moves its parameters by their gradients. A step is a few NumPy calls whatever the model, and allocates
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .session import Session

Array = npt.NDArray[Any]


class SGD:
    """torch.optim.SGD. `lr` may be set between steps.

    The first step with momentum takes the gradient itself into the buffer, undamped, as PyTorch does. A parameter
    without a gradient, or with `requires_grad` False, is not moved. ValueError for settings that PyTorch refuses.
    """

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} must not be negative, and is {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and no dampening")
        self.session = session
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.maximize = maximize
        theta = session.theta
        # As arrays without axes they cost a ufunc half of what Python floats do.
        self._lr = np.array(lr, theta.dtype)
        self._momentum = np.array(momentum, theta.dtype)
        self._undamped = np.array(1 - dampening, theta.dtype)
        self._decay = np.array(weight_decay, theta.dtype)
        self._scratch = np.empty_like(theta)
        self._term = np.empty_like(theta)
        self._buffer = np.zeros_like(theta) if momentum else None
        self._started: set[str] = set()

    @property
    def lr(self) -> float:
        """The learning rate."""
        return float(self._lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr[...] = value

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the session's gradients."""
        self.session.zero_grad(set_to_none)

    def step(self) -> None:
        """Move the parameters that have a gradient."""
        active = [p for p in self.session.parameters.values() if p.requires_grad and p.grad is not None]
        for place in _joined([p.place for p in active if p.name not in self._started]):
            self._move(place, self.session.grad, first=True)
        for place in _joined([p.place for p in active if p.name in self._started]):
            self._move(place, self.session.grad, first=False)
        self._started.update(p.name for p in active)

    def descend(self, gradient: Array, over: Iterable[str] | None = None) -> None:
        """Move every parameter that requires a gradient, or those `over` names: the loop's step."""
        chosen = None if over is None else frozenset(over)
        active = [
            p for p in self.session.parameters.values() if p.requires_grad and (chosen is None or p.name in chosen)
        ]
        for first in (True, False):
            for place in _joined([p.place for p in active if (p.name not in self._started) == first]):
                self._move(place, gradient, first)
        self._started.update(p.name for p in active)

    def plain(self) -> bool:
        """Whether a step is no more than `theta -= lr * gradient`, for all parameters."""
        every = all(p.requires_grad for p in self.session.parameters.values())
        return every and not (self.momentum or self.weight_decay or self.maximize)

    def _move(self, place: slice, gradient: Array, first: bool) -> None:
        theta, found = self.session.theta[place], gradient[place]
        scratch, term = self._scratch[place], self._term[place]
        if self.maximize:
            found = np.negative(found, scratch)
        if self.weight_decay:
            found = np.add(found, np.multiply(theta, self._decay, term), scratch)
        if self._buffer is not None:
            buffer = self._buffer[place]
            if first:
                np.copyto(buffer, found)
            else:
                np.multiply(buffer, self._momentum, buffer)
                np.add(buffer, np.multiply(found, self._undamped, term), buffer)
            found = np.add(found, np.multiply(buffer, self._momentum, term), scratch) if self.nesterov else buffer
        np.multiply(found, self._lr, scratch)
        np.subtract(theta, scratch, theta)

    def state_dict(self) -> dict[str, Any]:
        """What a step depends on besides the parameters; arrays are copies."""
        return {
            "lr": self.lr,
            "momentum_buffer": None if self._buffer is None else self._buffer.copy(),
            "started": sorted(self._started),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The state that `state_dict` gave."""
        self.lr = state["lr"]
        if self._buffer is not None and state["momentum_buffer"] is not None:
            self._buffer[...] = state["momentum_buffer"]
        self._started = set(state["started"])


def _joined(places: list[slice]) -> list[slice]:
    """Adjacent places as one."""
    found: list[slice] = []
    for place in places:
        if found and found[-1].stop == place.start:
            found[-1] = slice(found[-1].start, place.stop)
        else:
            found.append(place)
    return found
