"""The training loop: full batch, or minibatches in an order that follows from the seed.

Takes a session and an optimiser; moves the session's parameters, and gives the loss of each epoch as it was before
that epoch's update, as a loop in PyTorch prints it. A loss or a gradient that is not finite stops the loop with the
last good parameters in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import Diverged
from .optim import SGD
from .session import Session

Array = npt.NDArray[Any]

STRETCH = 64
"""Steps between looks at what is finite, in the loop that nobody watches. What goes wrong between two looks is found by
going back to the first and looking at each step."""


@dataclass(frozen=True)
class Fit:
    """What a training gave: the flat vector, the loss of each epoch, and the number of steps."""

    theta: Array
    losses: Array
    steps: int


def fit(
    session: Session,
    optimizer: SGD | None = None,
    *,
    epochs: int,
    batch: int | None = None,
    seed: int = 0,
    after: Callable[[int, float], None] | None = None,
) -> Fit:
    """Train `epochs` times over the data, all rows a step or `batch` of them.

    `after(epoch, loss)` is called when an epoch is done, from 1. The order of the rows is a function of `seed` and the
    epoch alone; the last rows make a smaller batch. Raises Diverged.
    """
    chosen = optimizer or SGD(session)
    if batch is not None and batch < 1:
        raise ValueError(f"a batch has at least one row, and {batch} were asked for")
    rows = session.objective.rows if session.objective is not None else None
    if session.objective is None:
        session.forward()
    losses = np.empty(epochs)
    if batch is None or rows is None or batch >= rows:
        _full(session, chosen, losses, after)
        return Fit(session.theta.copy(), losses, epochs)
    steps = _minibatches(session, chosen, losses, batch, rows, seed, after)
    return Fit(session.theta.copy(), losses, steps)


# ----------------------------------------------------------------------------------------------------------- full batch


def _full(session: Session, optimizer: SGD, losses: Array, after: Callable[[int, float], None] | None) -> None:
    epoch, epochs = 0, len(losses)
    if after is None and optimizer.plain():
        while epoch < epochs:
            start = session.theta.copy()
            stop = min(epoch + STRETCH, epochs)
            losses[epoch:stop] = _stretch(session, optimizer, stop - epoch)
            if not (math.isfinite(losses[epoch:stop].sum()) and np.isfinite(session.theta).all()):
                session.theta[...] = start
                _watched(session, optimizer, losses, epoch, stop, after)
            epoch = stop
        return
    _watched(session, optimizer, losses, 0, epochs, after)


def _stretch(session: Session, optimizer: SGD, count: int) -> list[float]:
    """Plain steps without a look between them."""
    objective, theta, gradient = session.objective, session.theta, session.grad
    assert objective is not None
    step = objective.__call__
    scratch, lr = optimizer._scratch, optimizer._lr
    multiply, subtract = np.multiply, np.subtract
    losses: list[float] = []
    append = losses.append
    with np.errstate(all="ignore"):
        for _ in range(count):
            loss, _ = step(theta, gradient)
            append(loss)
            multiply(gradient, lr, scratch)
            subtract(theta, scratch, theta)
    return losses


def _watched(
    session: Session,
    optimizer: SGD,
    losses: Array,
    start: int,
    stop: int,
    after: Callable[[int, float], None] | None,
) -> None:
    """Steps with a look at the loss and the gradient of each."""
    assert session.objective is not None
    watch = _Watch(session)
    for epoch in range(start, stop):
        with np.errstate(all="ignore"):
            loss, _ = session.objective(session.theta, session.grad)
            watch.look(loss, epoch, epoch)
            optimizer.descend(session.grad)
        losses[epoch] = loss
        if after is not None:
            after(epoch + 1, float(loss))


class _Watch:
    """Keeps the last vector at which loss and gradient were finite, and puts it back when one is not."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.good = session.theta.copy()

    def look(self, loss: float, step: int, epoch: int) -> None:
        """Raises Diverged where the loss, or the gradient of a parameter, is not finite."""
        session = self.session
        if math.isfinite(loss) and np.isfinite(session.grad).all():
            np.copyto(self.good, session.theta)
            return
        parameter = None
        if math.isfinite(loss):
            wrong = int(np.argmin(np.isfinite(session.grad)))
            parameter = next(p.name for p in session.parameters.values() if p.place.start <= wrong < p.place.stop)
        session.theta[...] = self.good
        raise Diverged(step, epoch, float(loss), parameter, self.good.copy())


# ---------------------------------------------------------------------------------------------------------- minibatches


def order(seed: int, epoch: int, rows: int) -> Array:
    """The order of the rows in an epoch (from 0): a function of its arguments alone; no generator has a state."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    return generator.permutation(rows)


def _minibatches(
    session: Session,
    optimizer: SGD,
    losses: Array,
    batch: int,
    rows: int,
    seed: int,
    after: Callable[[int, float], None] | None,
) -> int:
    module = session.module
    whole = {name: np.asarray(session.data[name]) for name in module.OBJECTIVES[session.name]["needs"]}
    along = {
        name: module.INPUTS[name]["axes"].index(module.ROWS)
        for name in whole
        if module.ROWS in module.INPUTS[name]["axes"]
    }
    sizes = [batch] * (rows // batch) + ([rows % batch] if rows % batch else [])
    bound: dict[int, tuple[dict[str, Array], Any]] = {}
    for size in dict.fromkeys(sizes):
        first = {name: np.take(a, range(size), along[name]) if name in along else a for name, a in whole.items()}
        # With a number of rows, what follows from the data alone is not looked for: it would serve one step.
        bound[size] = (first, module.bind(first, session.name, size))
    watch, step = _Watch(session), 0
    for epoch in range(len(losses)):
        chosen, start, total = order(seed, epoch, rows), 0, 0.0
        for size in sizes:
            part = chosen[start : start + size]
            buffers, objective = bound[size]
            for name, axis in along.items():
                np.take(whole[name], part, axis, buffers[name], "clip")
            objective.rebind(buffers)
            with np.errstate(all="ignore"):
                loss, _ = objective(session.theta, session.grad)
                watch.look(loss, step, epoch)
                optimizer.descend(session.grad)
            total += float(loss) * size
            start += size
            step += 1
        losses[epoch] = total / rows
        if after is not None:
            after(epoch + 1, float(losses[epoch]))
    return step
