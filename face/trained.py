"""`model.fit`: a model and data to trained parameters in one call.

Takes a compiled model, data, and an optimiser and schedules by the names that the command line has, or as objects;
gives `Trained`, which predicts. A training that diverges raises `Diverged` with a note that says where it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc import choices
from gradc.failures import Failure
from gradc.training import Watch

if TYPE_CHECKING:
    import numpy.typing as npt

    from gradc.model import Model
    from gradc.runtime import Data, Optimizer, Session
    from gradc.runtime.data.read import Mapped
    from gradc.runtime.data.sources import Source
    from gradc.runtime.schedules import LRScheduler

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Trained:
    """A trained model. `data` are what it was trained on. `losses` has for each objective the loss of each epoch, as it
    was before the steps; `held_out` that on the rows that are held out, behind the epoch. `epoch` is the one whose
    parameters these are, from 1."""

    model: Model
    session: Session
    data: Data
    losses: Mapping[str, Array]
    held_out: Mapping[str, Array] | None
    epoch: int

    @property
    def loss(self) -> float:
        """The last loss of the first objective."""
        return float(next(iter(self.losses.values()))[-1])

    def values(self) -> dict[str, Array]:
        """The parameters and states by name, as the model sees them: copies."""
        return {name: value.copy() for name, value in self.session.values().items()}

    def predict(self, data: Source | Sequence[Source]) -> dict[str, Array]:
        """The outputs by name for new data, which need not have what only the objective needs."""
        found: dict[str, Array] = self.model.module.predict(self.session.theta, self._read(data, "OUTPUTS"))
        return found

    def metrics(self, data: Source | Sequence[Source]) -> dict[str, float]:
        """The metrics by name."""
        found = self.model.module.metrics(self.session.theta, self._read(data, "METRICS"))
        return {name: float(value) for name, value in found.items()}

    def _read(self, data: Source | Sequence[Source], of: str) -> Mapping[str, Any]:
        """The inputs that all entries of a table need, by the columns and words of the training."""
        from gradc.runtime import read_data

        needed = [name for entry in getattr(self.model.module, of).values() for name in entry["needs"]]
        columns = {name: of for name, of in self.data.record["map"].items() if name in needed}
        found = read_data(self.model, data, map=columns, needed=needed, vocabularies=self.data.vocabularies)
        return found.inputs


def train(
    model: Model,
    data: Source | Sequence[Source],
    optimizer: str | Callable[[Session], Optimizer] = "adam",
    *,
    epochs: int = 100,
    batch: int | None = None,
    lr: float | None = None,
    schedule: str | Sequence[str] | Callable[[Optimizer], LRScheduler] | None = None,
    schedule_every: str = "epoch",
    map: Mapped | None = None,
    on_nan: str = "error",
    validation: float | Source | Sequence[Source] | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    accumulate: int = 1,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    start: Mapping[str, Any] | None = None,
    seed: int = 0,
    after: Callable[..., bool | None] | None = None,
) -> Trained:
    """Train on data: arrays by name, a pandas or polars frame, a file, or several of them, as `read_data` takes them.

    `optimizer` is a name with options, as "adam" or "sgd:momentum=0.9", or what makes one of a session, such as
    `gradc.Adam`; `schedule` likewise. `validation` is the fraction of the rows that is held out, or other data: then
    the parameters are those of the epoch with the least loss on them. With `patience` the training ends after so many
    epochs in which the loss, on those rows where there are some, has not become less by more than `min_delta`. `start`
    has initial values of some parameters. `after(epoch, loss, ...)` is called behind each epoch, with the loss on the
    rows that are held out behind the others; where it gives True the training ends.

    Raises ValueError for options, DataError for data, the module's DataError where they do not fit, and Diverged.
    """
    import numpy as np

    from gradc.runtime import Diverged, fit, read_data

    module = model.module
    taken = read_data(module, data, map=map, on_nan=on_nan, validation=validation, seed=seed)
    theta = _started(module, taken.inputs, start, seed)
    session = model.session(taken.inputs, theta, seed, bind=batch is None)
    chosen, follow = _made(session, optimizer, lr, schedule, epochs)
    best = None if taken.held_out is None else _Best(session, taken.held_out)
    watch = Watch(patience, min_delta)

    def behind(epoch: int, *found: float) -> bool:
        ends = after is not None and after(epoch, *found) is True
        return watch.ends(found[0] if best is None else found[-1]) or ends

    looked_on = after is not None or patience is not None
    try:
        done = fit(
            session,
            chosen,
            epochs=epochs,
            batch=batch,
            seed=seed,
            after=behind if looked_on else None,
            schedule=follow,
            schedule_every=schedule_every,
            validate=None if best is None else best.look,
            accumulate=accumulate,
            clip_norm=clip_norm,
            clip_value=clip_value,
        )
        if not np.isfinite(session.theta).all():
            raise Diverged(done.steps - 1, epochs - 1, math.nan, None, session.theta.copy())
    except (Diverged, module.DataError) as error:
        _explained(error, model, session, taken, seed)
        raise
    if best is None:
        return Trained(model, session, taken, done.history, None, len(done.losses))
    session.theta[...] = best.theta
    return Trained(model, session, taken, done.history, {n: np.array(v) for n, v in best.losses.items()}, best.epoch)


class _Best:
    """Looks at rows that are held out, and keeps the best parameters."""

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self.session = session
        self.objectives = {name: session.module.bind(data, name) for name in session.chosen}
        self.losses: dict[str, list[float]] = {name: [] for name in self.objectives}
        self.least, self.epoch, self.theta = math.inf, 0, session.theta.copy()

    def look(self) -> float:
        """The loss of the first objective, behind an epoch."""
        import numpy as np

        with np.errstate(all="ignore"):
            for name, objective in self.objectives.items():
                self.losses[name].append(float(objective(self.session.theta)[0]))
        first = next(iter(self.losses.values()))
        if first[-1] < self.least:
            self.least, self.epoch = first[-1], len(first)
            np.copyto(self.theta, self.session.theta)
        return first[-1]


def _started(module: ModuleType, data: Mapping[str, Any], start: Mapping[str, Any] | None, seed: int) -> Array:
    theta: Array = module.initial(data, seed)
    if start is None:
        return theta
    found: Array = module.pack({**module.unpack(theta, data), **start}, data)
    return found


def _made(
    session: Session,
    optimizer: str | Callable[[Session], Optimizer],
    lr: float | None,
    schedule: str | Sequence[str] | Callable[[Optimizer], LRScheduler] | None,
    epochs: int,
) -> tuple[Optimizer, LRScheduler | None]:
    """The optimiser and its schedule. ValueError where there is none of that name, or it lacks an option."""
    given = {} if lr is None else {"lr": lr}
    words = [schedule] if isinstance(schedule, str) else [] if callable(schedule) or schedule is None else schedule
    try:
        follow = choices.schedules(list(words), epochs)
        if isinstance(optimizer, str):
            made, several = choices.made(session, choices.optimizer(optimizer, given), (), follow)
        else:
            made = optimizer(session, **given)
            several = choices.scheduled(made, follow)
    except Failure as error:
        raise ValueError(_words(error)) from None
    return made, schedule(made) if callable(schedule) else several


def _words(error: Failure) -> str:
    return error.message if error.help is None else f"{error.message}; {error.help}"


def _explained(error: Exception, model: Model, session: Session, data: Data, seed: int) -> None:
    """The error with a note that says where it came from, where that is found."""
    from gradc.provenance import explain
    from gradc.runtime import Diverged

    found = explain(model, error if isinstance(error, Diverged) else session.theta, data, seed=seed)
    if found is not None:
        error.add_note(str(found))
