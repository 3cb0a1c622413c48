"""The training loop: full batch, or minibatches in an order that follows from the seed.

Takes a session and an optimiser; moves the session's parameters, and gives the loss of each epoch as it was before
that epoch's update, as a loop in PyTorch prints it. Several objectives take their steps in turn, in the order of the
model, each moving what it trains. Before a step the noise is drawn, after it the states are updated. A loss or a
gradient that is not finite stops the loop with the last good parameters in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import Diverged, NothingToDifferentiate
from .optim import SGD
from .session import Session

Array = npt.NDArray[Any]
After = Callable[..., None]

STRETCH = 64
"""Steps between looks at what is finite, in the loop that nobody watches. What goes wrong between two looks is found by
going back to the first and looking at each step."""


@dataclass(frozen=True)
class Fit:
    """What a training gave: the flat vector, the loss of each epoch by objective, and the number of steps."""

    theta: Array
    history: Mapping[str, Array]
    steps: int

    @property
    def losses(self) -> Array:
        """The loss of each epoch, of the first objective."""
        return next(iter(self.history.values()))


def fit(
    session: Session,
    optimizer: SGD | None = None,
    *,
    epochs: int,
    batch: int | None = None,
    seed: int = 0,
    start: int = 0,
    after: After | None = None,
) -> Fit:
    """Train `epochs` times over the data, all rows a step or `batch` of them.

    `after(epoch, loss)` is called when an epoch is done, from 1, with a loss for each objective. The order of the rows
    and the noise are functions of `seed` and of the epoch, or the step, alone; the last rows make a smaller batch. A
    training that goes on with the vector and the optimiser's state of another, which did `start` epochs, is that
    training without the break. Raises Diverged.
    """
    chosen = optimizer or SGD(session)
    if batch is not None and batch < 1:
        raise ValueError(f"a batch has at least one row, and {batch} were asked for")
    if not session.objectives:
        raise NothingToDifferentiate(None, tuple(session.module.OUTPUTS))
    rows = next(iter(session.objectives.values())).rows
    history = {name: np.empty(epochs) for name in session.objectives}
    training = _Training(session, chosen, history, seed, start, after)
    whole = batch is None or rows is None or batch >= rows
    steps = training.full() if whole else training.minibatches(batch or 1, rows or 1)
    return Fit(session.theta.copy(), history, steps)


def order(seed: int, epoch: int, rows: int) -> Array:
    """The order of the rows in an epoch (from 0): a function of its arguments alone; no generator has a state."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    return generator.permutation(rows)


@dataclass
class _Training:
    """One call of `fit`. `history` is filled as it goes."""

    session: Session
    optimizer: SGD
    history: dict[str, Array]
    seed: int
    start: int  # epochs done before
    after: After | None

    def __post_init__(self) -> None:
        module = self.session.module
        self.watch = _Watch(self.session)
        self.noise, self.states = bool(module.NOISE), bool(module.STATES)

    @property
    def epochs(self) -> int:
        """How many are asked for."""
        return len(next(iter(self.history.values())))

    def step(self, name: str, objective: Any, number: int, epoch: int) -> float:
        """One step of one objective; the loss before it. Steps are counted from 0 over all objectives."""
        session = self.session
        if self.noise:
            objective.draw(self.seed, number)
        with np.errstate(all="ignore"):
            loss, _ = objective(session.theta, session.grad)
            self.watch.look(name, float(loss), number, epoch)
            self.optimizer.descend(session.grad, session.module.OBJECTIVES[name]["over"])
            if self.states:
                objective.advance(session.theta)
        return float(loss)

    def done(self, epoch: int) -> None:
        """Tell of an epoch, counted from 0."""
        if self.after is not None:
            self.after(epoch + 1, *(float(losses[epoch]) for losses in self.history.values()))

    # --- full batch

    def full(self) -> int:
        """All rows a step; the number of steps."""
        session, epoch = self.session, 0
        one = len(session.objectives) == 1 and not self.noise and not self.states
        if self.after is None and one and self.optimizer.plain():
            (losses,) = self.history.values()
            while epoch < self.epochs:
                before = session.theta.copy()
                stop = min(epoch + STRETCH, self.epochs)
                losses[epoch:stop] = self._stretch(stop - epoch)
                if not (math.isfinite(losses[epoch:stop].sum()) and np.isfinite(session.theta).all()):
                    session.theta[...] = before
                    self.watch = _Watch(session)
                    self._watched(epoch, stop)
                epoch = stop
        else:
            self._watched(0, self.epochs)
        return self.epochs * len(session.objectives)

    def _stretch(self, count: int) -> list[float]:
        """Plain steps of the one objective without a look between them."""
        (objective,) = self.session.objectives.values()
        theta, gradient = self.session.theta, self.session.grad
        step = objective.__call__
        scratch, lr = self.optimizer._scratch, self.optimizer._lr
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

    def _watched(self, first: int, stop: int) -> None:
        """Steps with a look at the loss and the gradient of each."""
        objectives = self.session.objectives
        for epoch in range(first, stop):
            for turn, (name, objective) in enumerate(objectives.items()):
                number = (self.start + epoch) * len(objectives) + turn
                self.history[name][epoch] = self.step(name, objective, number, self.start + epoch)
            self.done(epoch)

    # --- minibatches

    def minibatches(self, batch: int, rows: int) -> int:
        """Some rows a step; the number of steps."""
        session, module = self.session, self.session.module
        needed = {name for key in session.objectives for name in module.OBJECTIVES[key]["needs"]}
        tables = {name: table for of in (module.INPUTS, module.NOISE) for name, table in of.items()}
        whole = {
            name: np.asarray(session.data[name])
            for name in tables
            if name in needed or (name in module.NOISE and name in session.data)
        }
        along = {name: tables[name]["axes"].index(module.ROWS) for name in whole if module.ROWS in tables[name]["axes"]}
        sizes = [batch] * (rows // batch) + ([rows % batch] if rows % batch else [])
        bound: dict[int, tuple[dict[str, Array], dict[str, Any]]] = {}
        for size in dict.fromkeys(sizes):
            first = {name: np.take(a, range(size), along[name]) if name in along else a for name, a in whole.items()}
            # With a number of rows, what follows from the data alone is not looked for: it would serve one step.
            bound[size] = (first, {name: module.bind(first, name, size) for name in session.objectives})
        number = self.start * len(sizes) * len(session.objectives)
        for epoch in range(self.epochs):
            chosen, begin = order(self.seed, self.start + epoch, rows), 0
            totals = dict.fromkeys(session.objectives, 0.0)
            for size in sizes:
                part = chosen[begin : begin + size]
                buffers, objectives = bound[size]
                for name, axis in along.items():
                    np.take(whole[name], part, axis, buffers[name], "clip")
                for name, objective in objectives.items():
                    objective.rebind(buffers)
                    totals[name] += self.step(name, objective, number, self.start + epoch) * size
                    number += 1
                begin += size
            for name, total in totals.items():
                self.history[name][epoch] = total / rows
            self.done(epoch)
        return self.epochs * len(sizes) * len(session.objectives)


class _Watch:
    """Keeps the last vector at which loss and gradient were finite, and puts it back when one is not."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.good = session.theta.copy()

    def look(self, name: str, loss: float, step: int, epoch: int) -> None:
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
        objective = name if len(session.objectives) > 1 else None
        raise Diverged(step, epoch, loss, parameter, self.good.copy(), objective)
