"""The training loop: full batch, or minibatches in an order that follows from the seed.

Takes a session and an optimiser; moves the session's parameters, and gives the loss of each epoch as it was before
that epoch's update, as a loop in PyTorch prints it. Several objectives take their steps in turn, in the order of the
model, each moving what it trains. Before a pass the noise is drawn, after it the states are updated. A loss or a
gradient that is not finite stops the loop with the last good parameters in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .errors import Diverged, NothingToDifferentiate
from .optim import SGD, Optimizer
from .optim.clipping import bound, norm, parts, shrink
from .parameter import Parameter
from .row_sparse import RowSparse, joined
from .schedules import LRScheduler, ReduceLROnPlateau
from .session import Session

Array = npt.NDArray[Any]
After = Callable[..., bool | None]

STRETCH = 64
"""Steps between looks at what is finite, in the loop that nobody watches. What goes wrong between two looks is found by
going back to the first and looking at each step."""


@dataclass(frozen=True)
class Fit:
    """What a training gave: the flat vector, the loss of each epoch by objective, and the number of steps.

    `validation` is what `validate` gave for each epoch, None without it.
    """

    theta: Array
    history: Mapping[str, Array]
    steps: int
    validation: Array | None = None

    @property
    def losses(self) -> Array:
        """The loss of each epoch, of the first objective."""
        return next(iter(self.history.values()))


def fit(
    session: Session,
    optimizer: Optimizer | None = None,
    *,
    epochs: int,
    batch: int | None = None,
    seed: int = 0,
    start: int = 0,
    after: After | None = None,
    schedule: LRScheduler | None = None,
    schedule_every: str = "epoch",
    validate: Callable[[], float] | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    clip_value: float | None = None,
) -> Fit:
    """Train `epochs` times over the data, all rows a step or `batch` of them.

    `schedule` is stepped after each epoch, or with `schedule_every` "step" each time that all objectives have taken a
    step. One that looks at a metric is given what `validate` gives, the loss on rows that are held out, or without it
    the loss of the first objective. With `accumulate` a step has the mean of the gradients of so many minibatches,
    weighted by their rows: for a loss that is a mean over rows, the step of one large batch. Gradients are clipped by
    value, then by norm, before a step.

    `after(epoch, loss)` is called when an epoch is done, from 1, with a loss for each objective, and with what
    `validate` gave behind them; where it gives True the training ends. The order of the rows and the noise are
    functions of `seed` and of the epoch, or the step, alone; the last rows make a smaller batch. A training that goes
    on with the vector and the optimiser's and the schedule's state of another, which did `start` epochs, is that
    training without the break. Raises Diverged.
    """
    chosen = optimizer or SGD(session)
    if batch is not None and batch < 1:
        raise ValueError(f"a batch has at least one row, and {batch} were asked for")
    if accumulate < 1:
        raise ValueError(f"a step has at least one minibatch, and {accumulate} were asked for")
    if not session.chosen:
        raise NothingToDifferentiate(None, tuple(session.module.OUTPUTS))
    rows = session.rows
    history = {name: np.empty(epochs) for name in session.chosen}
    held = None if validate is None else np.empty(epochs)
    check(session, chosen, accumulate, schedule if schedule_every == "step" else None)
    by_epoch, by_step = (None, schedule) if schedule_every == "step" else (schedule, None)
    clip = (clip_norm, clip_value)
    training = _Training(session, chosen, history, held, seed, start, after, by_epoch, by_step, validate, clip)
    places = cuts(rows, batch)
    done = training.full() if len(places) < 2 else training.minibatches(places, accumulate)
    steps = done * math.ceil(len(places) / accumulate) * len(session.chosen)
    cut = {name: losses[:done] for name, losses in history.items()}
    return Fit(session.theta.copy(), cut, steps, None if held is None else held[:done])


def cuts(rows: int | None, batch: int | None) -> list[slice]:
    """The places of an epoch's minibatches in the order of the rows; one, of all, where there are no minibatches."""
    if rows is None or batch is None or batch >= rows:
        return [slice(0, rows)]
    return [slice(start, min(start + batch, rows)) for start in range(0, rows, batch)]


def check(session: Session, optimizer: Optimizer, accumulate: int = 1, stepped: LRScheduler | None = None) -> None:
    """Raises ValueError where the optimiser cannot take steps of several minibatches, of several objectives, or by
    gradients that come by rows.

    `stepped` is the schedule of each step; ValueError where it looks at the loss of an epoch.
    """
    if isinstance(stepped, ReduceLROnPlateau):
        raise ValueError("ReduceLROnPlateau looks at the loss of an epoch, and cannot be stepped after each step")
    optimizer.check_rows()
    if optimizer.evaluates and (accumulate > 1 or len(session.chosen) > 1):
        what = "minibatches" if accumulate > 1 else "objectives"
        raise ValueError(
            f"{type(optimizer).__name__} looks at several points in a step, of one loss: no several {what}"
        )


def order(seed: int, epoch: int, rows: int) -> Array:
    """The order of the rows in an epoch (from 0): a function of its arguments alone; no generator has a state."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    return generator.permutation(rows)


@dataclass
class _Training:
    """One call of `fit`. `history` is filled as it goes."""

    session: Session
    optimizer: Optimizer
    history: dict[str, Array]
    held: Array | None  # what `validate` gave
    seed: int
    start: int  # epochs done before
    after: After | None
    by_epoch: LRScheduler | None
    by_step: LRScheduler | None
    validate: Callable[[], float] | None
    clip: tuple[float | None, float | None]  # the most of a gradient's norm, and of its numbers

    def __post_init__(self) -> None:
        module = self.session.module
        self.watch = _Watch(self.session)
        self.noise, self.states = bool(module.NOISE), bool(module.STATES)
        self.clips = self.clip != (None, None)
        grad, total = self.session.grad, np.empty_like(self.session.grad)
        self.sums = [(grad[place], total[place]) for place in self.session.dense]

    @property
    def epochs(self) -> int:
        """How many are asked for."""
        return len(next(iter(self.history.values())))

    def evaluate(self, name: str, objective: Any, number: int, epoch: int) -> float:
        """A pass of one objective, its gradient in the session's; the loss. Passes are counted over all objectives."""
        session = self.session
        if self.noise:
            objective.draw(self.seed, number)
        found, _ = objective(session.theta, session.grad)
        for key, rows in session.by_rows(objective).items():
            session.parameters[key].rows = rows
        loss = float(found)
        self.watch.look(name, loss, number, epoch)
        if self.states:
            objective.advance(session.theta)
        return loss

    def move(self, name: str, objective: Any, loss: float) -> None:
        """The optimiser's step, by the session's gradient."""
        session, over = self.session, self.session.module.OBJECTIVES[name]["over"]
        self.watch.moved = True
        if self.clips:
            self.clipped(over)
        if not self.optimizer.evaluates:
            self.optimizer.descend(session.grad, over)
            return

        def again() -> float:
            found, _ = objective(session.theta, session.grad)
            if self.clips:
                self.clipped(over)
            return float(found)

        self.optimizer.descend(session.grad, over, loss, again)

    def clipped(self, over: Collection[str]) -> None:
        """Bound the gradient of what the objective trains."""
        most_norm, most = self.clip
        parameters = self.session.parameters
        found = parts(self.session, [name for name, p in parameters.items() if p.requires_grad and name in over])
        if most is not None:
            bound(found, most)
        if most_norm is not None:
            shrink(found, norm(found), most_norm)

    def stepped(self) -> None:
        """What is due when all objectives have taken a step."""
        if self.by_step is not None:
            self.by_step.step()

    def done(self, epoch: int) -> bool:
        """What is due after an epoch, counted from 0; whether the training ends with it."""
        losses = [float(losses[epoch]) for losses in self.history.values()]
        watched = losses[0]
        if self.validate is not None and self.held is not None:
            watched = self.held[epoch] = self.validate()
            losses.append(watched)
        if self.by_epoch is not None:
            self.by_epoch.epoch_done(watched)
        return self.after is not None and self.after(epoch + 1, *losses) is True

    # --- full batch

    def full(self) -> int:
        """All rows a step; the number of epochs that were done."""
        session, epoch = self.session, 0
        one = len(session.chosen) == 1 and not (self.noise or self.states or session.sparse)
        alone = (self.after, self.by_epoch, self.by_step, self.validate) == (None,) * 4
        if one and alone and not self.optimizer.evaluates:
            (losses,) = self.history.values()
            step = self._unwatched()
            while epoch < self.epochs:
                before, state = session.theta.copy(), self.optimizer.state_dict()
                stop = min(epoch + STRETCH, self.epochs)
                with np.errstate(all="ignore"):
                    losses[epoch:stop] = [step() for _ in range(stop - epoch)]
                if not (math.isfinite(losses[epoch:stop].sum()) and np.isfinite(session.theta).all()):
                    session.theta[...] = before
                    self.optimizer.load_state_dict(state)
                    self.watch = _Watch(session)
                    self._watched(epoch, stop)
                epoch = stop
            return epoch
        return self._watched(0, self.epochs)

    def _unwatched(self) -> Callable[[], float]:
        """A step of the one objective, which gives the loss; it is not finite, or the parameters, if anything was."""
        ((name, objective),) = self.session.objectives.items()
        theta, gradient, move = self.session.theta, self.session.grad, self.move
        evaluate = objective.__call__
        rate = self.optimizer.plain()
        if self.clips or rate is None:
            zeros = self.watch.zeros

            def step() -> float:
                loss: float = evaluate(theta, gradient)[0]
                # A step may hide what is wrong with a gradient, by its sign or a bound.
                if gradient.dot(zeros) != 0:
                    loss = math.nan
                move(name, objective, loss)
                return loss

            return step
        # As an array without axes a rate costs a ufunc half of what a Python float does.
        lr, scratch = np.array(rate, theta.dtype), np.empty_like(theta)
        multiply, subtract = np.multiply, np.subtract

        def plain() -> float:
            loss: float = evaluate(theta, gradient)[0]
            multiply(gradient, lr, scratch)
            subtract(theta, scratch, theta)
            return loss

        return plain

    def _watched(self, first: int, stop: int) -> int:
        """Steps with a look at the loss and the gradient of each; the epoch at which they end."""
        objectives = self.session.objectives
        for epoch in range(first, stop):
            with np.errstate(all="ignore"):
                for turn, (name, objective) in enumerate(objectives.items()):
                    number = (self.start + epoch) * len(objectives) + turn
                    loss = self.history[name][epoch] = self.evaluate(name, objective, number, self.start + epoch)
                    self.move(name, objective, loss)
            self.stepped()
            if self.done(epoch):
                return epoch + 1
        return stop

    # --- minibatches

    def minibatches(self, places: Sequence[slice], accumulate: int) -> int:
        """Some rows a step; the number of epochs that were done."""
        session, rows = self.session, places[-1].stop
        names = session.chosen
        data = _Cuts(session, places)
        groups = [places[i : i + accumulate] for i in range(0, len(places), accumulate)]
        number = self.start * len(places) * len(names)
        for epoch in range(self.epochs):
            data.shuffle(order(self.seed, self.start + epoch, rows))
            sums = dict.fromkeys(names, 0.0)
            for group in groups:
                with np.errstate(all="ignore"):
                    for turn, name in enumerate(names):
                        numbers = range(number + turn, number + turn + len(group) * len(names), len(names))
                        sums[name] += self.together(name, data, group, numbers, self.start + epoch)
                self.stepped()
                number += len(group) * len(names)
            for name, found in sums.items():
                self.history[name][epoch] = found / rows
            if self.done(epoch):
                return epoch + 1
        return self.epochs

    def together(self, name: str, data: _Cuts, group: Sequence[slice], numbers: Sequence[int], epoch: int) -> float:
        """A step of one objective by the mean of the gradients of some minibatches; the sum of their rows' losses."""
        loss, seen = 0.0, 0
        gathered: dict[str, list[RowSparse]] = {}
        for place, number in zip(group, numbers, strict=True):
            objective = data.bound(place)[name]
            size = place.stop - place.start
            try:
                one = self.evaluate(name, objective, number, epoch)
            except Diverged as error:
                error.rows = data.rows(place)
                raise
            loss += one * size
            seen += size
            if len(group) > 1:
                for gradient, total in self.sums:
                    np.multiply(gradient, size, gradient)
                    if seen > size:
                        np.add(gradient, total, gradient)
                    np.copyto(total, gradient)
                for key, rows in self.session.by_rows(objective).items():
                    gathered.setdefault(key, []).append(rows.times(size))
        if len(group) > 1:
            for gradient, _ in self.sums:
                np.divide(gradient, seen, gradient)
            for key, several in gathered.items():
                self.session.parameters[key].rows = joined(several).times(1 / seen)
        self.move(name, objective, one)
        return loss


class _Cuts:
    """The minibatches of the data at `places` of an order of the rows."""

    def __init__(self, session: Session, places: Sequence[slice]) -> None:
        module = session.module
        needed = {name for key in session.chosen for name in module.OBJECTIVES[key]["needs"]}
        tables = {name: table for of in (module.INPUTS, module.NOISE) for name, table in of.items()}
        self._order = np.arange(places[-1].stop)
        self._held: dict[int, slice] = {}
        self.whole = {
            name: np.asarray(session.data[name])
            for name in tables
            if name in needed or (name in module.NOISE and name in session.data)
        }
        self.along = {
            name: tables[name]["axes"].index(module.ROWS) for name in self.whole if module.ROWS in tables[name]["axes"]
        }
        self._bound: dict[int, tuple[dict[str, Array], dict[str, Any]]] = {}
        for size in dict.fromkeys(place.stop - place.start for place in places):
            first = {
                name: np.take(a, range(size), self.along[name]) if name in self.along else a
                for name, a in self.whole.items()
            }
            # With a number of rows, what follows from the data alone is not looked for: it would serve one step.
            self._bound[size] = (first, {name: module.bind(first, name, size) for name in session.chosen})

    def shuffle(self, order: Array) -> None:
        """Go through the rows in another order."""
        self._order = order
        self._held.clear()

    def rows(self, place: slice) -> Array:
        """The rows of the data at these places of the order."""
        return self._order[place].copy()

    def bound(self, place: slice) -> dict[str, Any]:
        """The objectives, bound to the rows at these places of the order."""
        size = place.stop - place.start
        buffers, objectives = self._bound[size]
        if self._held.get(size) != place:
            for name, axis in self.along.items():
                np.take(self.whole[name], self._order[place], axis, buffers[name], "clip")
            for objective in objectives.values():
                objective.rebind(buffers)
            self._held[size] = place
        return objectives


class _Watch:
    """Keeps the last vector at which loss and gradient were finite, and puts it back when one is not.

    Of parameters whose gradients come by rows it keeps the rows that the next step moves.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.good = session.theta.copy()
        # A sum of products with 0 is 0 where all is finite, else NaN; it allocates nothing.
        zeros = np.zeros(session.theta.shape, session.theta.dtype)
        vectors = (session.theta, self.good, session.grad, zeros)
        self.zeros = zeros
        self.parts = [tuple(vector[place] for vector in vectors) for place in session.dense]
        self.moved = False  # since the last look
        self.before: list[tuple[Array, Array, Array]] = []  # array, indices, rows

    def look(self, name: str, loss: float, step: int, epoch: int) -> None:
        """Raises Diverged where the loss, or the gradient of a parameter, is not finite."""
        if math.isfinite(loss):
            for _, _, gradient, zeros in self.parts:
                if gradient.dot(zeros) != 0:
                    break
            else:
                if not self.session.sparse or self._finite_rows():
                    for theta, good, _, _ in self.parts:
                        np.copyto(good, theta)
                    return
        self._raise(name, loss, step, epoch)

    def _finite_rows(self) -> bool:
        """Whether all rows are finite; if so, they are kept as the parameters have them."""
        if self.moved:
            self.before.clear()
            self.moved = False
        for name, axis in self.session.sparse.items():
            parameter = self.session.parameters[name]
            if parameter.rows is not None:
                if not np.isfinite(parameter.rows.values).all():
                    return False
                array = np.moveaxis(parameter.value, axis, 0)
                indices = parameter.rows.indices.copy()
                self.before.append((array, indices, array[indices]))
        return True

    def _raise(self, name: str, loss: float, step: int, epoch: int) -> NoReturn:
        session = self.session
        parameter = None
        if math.isfinite(loss):
            parameter = next(key for key, p in session.parameters.items() if not _finite(session, p))
        at = session.theta.copy()
        for theta, good, _, _ in self.parts:
            np.copyto(theta, good)
        for array, indices, rows in reversed(self.before):
            array[indices] = rows
        objective = name if len(session.chosen) > 1 else None
        raise Diverged(step, epoch, loss, parameter, session.theta.copy(), objective, at)


def _finite(session: Session, parameter: Parameter) -> bool:
    """Whether the gradient of the last pass is."""
    found = session.grad[parameter.place] if parameter.rows is None else parameter.rows.values
    return bool(np.isfinite(found).all())
