"""One training as the command runs it: the loop of the runtime, with what is told, watched and kept after each epoch.

Takes a session, an optimiser and the folder; moves the session's parameters, writes a line of metrics for each epoch
and a checkpoint now and then, and gives how it ended. All that the next epoch depends on is in `state()`, so that a
training which is `restored` from it is that training without the break, to the bit.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from gradc.failures import FAILED, INTERRUPTED, OK, Failure
from gradc.runs import RunFolder

if TYPE_CHECKING:
    import numpy.typing as npt

    from gradc.runtime import Optimizer, Session
    from gradc.runtime.schedules import LRScheduler

SECONDS = 5.0
"""Between checkpoints at most, where an epoch does not take longer."""

SHARE = 20
"""Writing checkpoints takes at most one part in so many of the time."""

SHOWN_EVERY = 1.0
"""Seconds after which others see what was written to metrics.jsonl."""

Line = dict[str, Any]
"""What is told of an epoch: a line of metrics.jsonl."""


@dataclass(frozen=True)
class Plan:
    """How long and how: the options of `fit`, and when a training stops and is kept."""

    epochs: int
    batch: int | None
    seed: int
    accumulate: int
    clip_norm: float | None
    clip_value: float | None
    schedule_every: str
    patience: int | None
    min_delta: float
    checkpoint_every: int
    checkpoint_apart: float
    """Seconds between regular checkpoints at least; there is one before the end all the same."""


@dataclass
class Watch:
    """The lowest loss so far on rows that are held out, and how long the loss that counts has not become lower.

    The loss counts as lower where it is so by more than `min_delta`. That is the rule of Keras.
    """

    patience: int | None
    min_delta: float
    lowest: float = math.inf
    waited: int = 0

    def ends(self, loss: float) -> bool:
        """Look at the loss of an epoch; whether the training ends with it."""
        if loss < self.lowest - self.min_delta:
            self.lowest, self.waited = loss, 0
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience


@dataclass
class Training:
    """A session with its optimiser and schedule, and where it stands.

    `titles` are what the losses are called, by objective. `held_out` has rows for validation. `head` is what every
    checkpoint holds besides: what the training is. `text` is the module's. All in `told` are called with each line.
    `trouble` is what a pass has raised where numbers went wrong.
    """

    session: Session
    optimizer: Optimizer
    schedule: LRScheduler | None
    plan: Plan
    titles: Mapping[str, str]
    held_out: Mapping[str, npt.NDArray[Any]] | None
    folder: RunFolder
    head: Mapping[str, Any]
    text: str
    told: list[Callable[[Line], None]] = field(default_factory=list)

    epoch: int = 0
    line: Line | None = None
    best: dict[str, Any] | None = None
    stopped_early: bool = False
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        import numpy as np

        module = self.session.module
        self.watch = Watch(self.plan.patience, self.plan.min_delta)
        self.good = self.session.theta.copy()
        self.rates = self._rates()
        self.interrupted = False
        self._first = 0
        self._best_is_new = False
        self._checked = self._shown = time.monotonic()
        self._pause = SECONDS
        self._held: Line = {}
        self._judges = {}
        if self.held_out is not None:
            self._judges = {name: module.bind(self.held_out, name) for name in self.titles}
        self._scratch = np.empty_like(self.session.theta)
        # A sum of products with 0 is 0 where all is finite, else NaN; it allocates nothing.
        self._zeros = np.zeros_like(self.session.theta)
        needed = {name for entry in module.METRICS.values() for name in entry["needs"]}
        self.measures = bool(module.METRICS) and needed <= set(self.session.data)
        taken = {"epoch", "lr", *self.titles.values()}
        self._names = {name: f"metric_{name}" if name in taken else name for name in module.METRICS}

    # ------------------------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """All that the rest of the training depends on, and what was found so far."""
        return {
            **self.head,
            "epoch": self.epoch,
            "stopped_early": self.stopped_early,
            "line": self.line,
            "best": self.best,
            "lowest": self.watch.lowest,
            "waited": self.watch.waited,
            "theta": self.session.theta,
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go where a training was that gave this state. Failure where it was another."""
        theta = self.session.theta
        if state["theta"].shape != theta.shape or state["theta"].dtype != theta.dtype:
            raise Failure("file", "the checkpoint is that of other parameters")
        theta[...] = self.good[...] = state["theta"]
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.stopped_early = state["epoch"], state["stopped_early"]
        self.line, self.best = state["line"], state["best"]
        self.watch.lowest, self.watch.waited = state["lowest"], state["waited"]
        self.rates = self._rates()
        self._best_is_new = self.best is not None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.stopped_early or self.epoch >= self.plan.epochs

    # -------------------------------------------------------------------------------------------------------- loop

    def run(self) -> tuple[int, Failure | None]:
        """Train until the end; the exit status, and what went wrong."""
        import numpy as np

        from gradc.runtime import Diverged, fit

        plan, module = self.plan, self.session.module
        if self.over:
            return OK, None
        self._first = self.epoch
        try:
            with self._interrupts():
                if self.epoch == 0:
                    self._look_at_metrics()
                    self.checkpoint()
                done = fit(
                    self.session,
                    self.optimizer,
                    epochs=plan.epochs - self.epoch,
                    batch=plan.batch,
                    seed=plan.seed,
                    start=self.epoch,
                    after=self._after,
                    schedule=self.schedule,
                    schedule_every=plan.schedule_every,
                    validate=self._validate if self._judges else None,
                    accumulate=plan.accumulate,
                    clip_norm=plan.clip_norm,
                    clip_value=plan.clip_value,
                )
            # Whatever the last step did, no later one has looked at it.
            if not np.isfinite(done.theta).all():
                self.trouble = Diverged(done.steps - 1, self.epoch, math.nan, None, done.theta)
                return FAILED, self._diverged("the last step made a parameter infinite", done.steps - 1, None)
        except Diverged as error:
            self.trouble = error
            np.copyto(self.good, error.theta)
            return FAILED, self._diverged(str(error), error.step, error.parameter)
        except module.DataError as error:
            # A step went where a matrix is singular, or not positive definite.
            self.trouble = error
            return FAILED, self._diverged(str(error), None, None)
        except KeyboardInterrupt:
            self.interrupted = True
        if self.interrupted and not self.over:
            message = f"interrupted after epoch {self.epoch}; its parameters are in {self.folder.folder}"
            return INTERRUPTED, Failure("interrupted", message, "--resume goes on with it", status=INTERRUPTED)
        return OK, None

    def _diverged(self, message: str, step: int | None, parameter: str | None) -> Failure:
        which = "last good" if self.best is None else "best"
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        help = f"the {which} parameters are in {self.folder.folder}; try a smaller --lr than {rate:g}"
        return Failure("diverged", message, help, {"step": step, "parameter": parameter, "epochs": self.epoch})

    def _after(self, epoch: int, *losses: float) -> bool:
        """What is due after an epoch; whether the training ends with it."""
        import numpy as np

        self.epoch = self._first + epoch
        self.line = self._told(losses[: len(self.titles)])
        self.rates = self._rates()
        assert self.folder.lines is not None
        self.folder.lines.add(self.line)
        for tell in self.told:
            tell(self.line)
        theta = self.session.theta
        with np.errstate(invalid="ignore"):
            finite = theta.dot(self._zeros) == 0
        if not finite:
            # The next step stops; nothing of this is kept.
            return False
        np.copyto(self.good, theta)
        if self._judges:
            self._keep_best(losses[-1])
        self.stopped_early = self.watch.ends(losses[-1] if self._judges else losses[0]) and not self._at_end()
        now = time.monotonic()
        ends = self.stopped_early or self.interrupted
        since = now - self._checked
        regular = self._regular() and (self._near_end() or since >= self.plan.checkpoint_apart)
        if ends or self._at_end() or regular or since > self._pause:
            self.checkpoint()
        elif now - self._shown > SHOWN_EVERY:
            self.folder.lines.show()
            self._shown = now
        return ends

    def _at_end(self) -> bool:
        return self.epoch == self.plan.epochs

    def _near_end(self) -> bool:
        """Whether no other regular checkpoint comes before the end."""
        return self.epoch + self.plan.checkpoint_every >= self.plan.epochs

    def _regular(self) -> bool:
        return self.epoch % self.plan.checkpoint_every == 0

    def checkpoint(self) -> None:
        """Keep where the training stands. Failure where it cannot be written."""
        start = time.monotonic()
        best = {**self.head, **self.best} if self._best_is_new and self.best is not None else None
        try:
            self.folder.checkpoint(self.state(), best, self._regular())
        except Failure as error:
            help = "the checkpoint before is whole: --resume goes on from there"
            raise Failure(error.code, error.message, help, error.details, error.status) from error
        self._best_is_new = False
        self._checked = self._shown = time.monotonic()
        self._pause = max(SECONDS, SHARE * (self._checked - start))

    # ------------------------------------------------------------------------------------------------ what is told

    def _rates(self) -> dict[str, float]:
        """The learning rate, the last group's; those of others by their number."""
        *others, rest = (float(group["lr"]) for group in self.optimizer.param_groups)
        return {"lr": rest, **{f"lr_{number}": rate for number, rate in enumerate(others, 1)}}

    def _told(self, losses: tuple[float, ...]) -> Line:
        """The line of the epoch. Its rates are those that it began with."""
        found = dict(zip(self.titles.values(), losses, strict=True))
        metrics = self._metrics(self.session.data) if self.measures else {}
        values = {**found, **metrics, **self._held, **self.rates}
        return {"epoch": self.epoch, **{key: v if math.isfinite(v) else None for key, v in values.items()}}

    def _metrics(self, data: Mapping[str, Any]) -> dict[str, float]:
        found = self.session.module.metrics(self.session.theta, data)
        return {self._names[name]: float(value) for name, value in found.items()}

    def _look_at_metrics(self) -> None:
        """Data that do not fit the metrics are told before the training. Failure ("data")."""
        try:
            for data in (self.session.data, self.held_out):
                if self.measures and data is not None:
                    self._metrics(data)
        except self.session.module.DataError as error:
            raise Failure("data", f"the metrics cannot be computed: {error}") from error

    def _validate(self) -> float:
        """Losses and metrics on the rows that are held out; the loss of the first objective."""
        import numpy as np

        assert self.held_out is not None
        with np.errstate(all="ignore"):
            losses = [float(judge(self.session.theta, self._scratch)[0]) for judge in self._judges.values()]
        metrics = self._metrics(self.held_out) if self.measures else {}
        found = {**dict(zip(self.titles.values(), losses, strict=True)), **metrics}
        self._held = {f"validation_{name}": value for name, value in found.items()}
        return losses[0]

    def _keep_best(self, loss: float) -> None:
        if math.isfinite(loss) and (self.best is None or loss < self.best["loss"]):
            theta = self.session.theta.copy() if self.best is None else self.best["theta"]
            theta[...] = self.session.theta
            self.best = {"epoch": self.epoch, "loss": loss, "line": self.line, "theta": theta}
            self._best_is_new = True

    @property
    def chosen(self) -> npt.NDArray[Any]:
        """The parameters that the training leaves: the best on rows that are held out, else the last."""
        found: npt.NDArray[Any] = self.good if self.best is None else self.best["theta"]
        return found

    # -------------------------------------------------------------------------------------------------- interrupts

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """The first Ctrl-C ends the training with its epoch, the second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        before = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
