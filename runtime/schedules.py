"""Learning rates that change as a training goes, with the names, defaults and numbers of torch.optim.lr_scheduler.

Each takes an optimiser and sets `lr` in its groups: `step()` once an epoch, or as often as its options count. Where
PyTorch computes a rate from the one before, so that several schedules can act together and a rate set by hand stays,
so is it here.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .optim import Optimizer

Rates = list[float]
Lambda = Callable[[int], float]


class LRScheduler:
    """The base of all schedules. A subclass says how a rate follows from the one before, or from the number of steps.

    `base_lrs` are the rates at the start. `last_epoch` goes on with a schedule that took that many steps, whose first
    rates are in the groups as "initial_lr".
    """

    LEFT_OUT: ClassVar[frozenset[str]] = frozenset({"optimizer"})
    """What `state_dict` does not hold."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"group {number} has no 'initial_lr', with which a schedule goes on")
        self.base_lrs: Rates = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._last_lr: Rates = []
        self.step()

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts."""
        return [
            self._next(group["lr"], base)
            for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        ]

    def get_last_lr(self) -> Rates:
        """The rates that were set last, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Set the next rates, or those of the step `epoch`."""
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            self._set(self.get_lr())
        else:
            self.last_epoch = epoch
            self._set(self._at_once())

    def epoch_done(self, loss: float) -> None:
        """What `fit` calls after an epoch of that loss."""
        self.step()

    def _next(self, lr: float, base: float) -> float:
        """The rate after `lr`."""
        raise NotImplementedError

    def _closed(self, base: float) -> float | None:
        """The rate from the number of steps alone; None where there is no such form."""
        return None

    def _at_once(self) -> Rates:
        found = [self._closed(base) for base in self.base_lrs]
        rates = [rate for rate in found if rate is not None]
        return rates if len(rates) == len(found) else self.get_lr()

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = float(rate)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _undo(self) -> None:
        """Forget the step with which a schedule begins, for another to begin it later."""
        self.last_epoch -= 1

    def state_dict(self) -> dict[str, Any]:
        """What the next rates depend on besides the groups: numbers, words and lists of them; no functions."""
        return {key: _plain(value) for key, value in self.__dict__.items() if key not in self.LEFT_OUT}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The state that `state_dict` gave."""
        self.__dict__.update({key: _plain(value) for key, value in state.items()})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _each(value: Any, optimizer: Optimizer, name: str) -> list[Any]:
    """One for each group."""
    count = len(optimizer.param_groups)
    found = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(found) != count:
        raise ValueError(f"{name} has {len(found)} entries for {count} groups of parameters")
    return found


# --------------------------------------------------------------------------------------------------- by a factor


class LambdaLR(LRScheduler):
    """The first rate times `lr_lambda(step)`, a function or one for each group."""

    LEFT_OUT = frozenset({"optimizer", "lr_lambdas"})

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambda | list[Lambda], last_epoch: int = -1) -> None:
        self.lr_lambdas: list[Lambda] = _each(lr_lambda, optimizer, "lr_lambda")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts."""
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(LRScheduler):
    """The rate before times `lr_lambda(step)`, a function or one for each group."""

    LEFT_OUT = frozenset({"optimizer", "lr_lambdas"})

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambda | list[Lambda], last_epoch: int = -1) -> None:
        self.lr_lambdas: list[Lambda] = _each(lr_lambda, optimizer, "lr_lambda")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts."""
        before = [group["lr"] for group in self.optimizer.param_groups]
        if self.last_epoch <= 0:
            return before
        return [lr * f(self.last_epoch) for lr, f in zip(before, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """Times `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"step_size must be at least 1, and is {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        return lr if self.last_epoch == 0 or self.last_epoch % self.step_size else lr * self.gamma

    def _closed(self, base: float) -> float:
        return base * self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """Times `gamma` at each of the milestones."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        return lr * self.gamma ** Counter(self.milestones)[self.last_epoch]

    def _closed(self, base: float) -> float:
        return base * self.gamma ** bisect_right(self.milestones, self.last_epoch)


class ConstantLR(LRScheduler):
    """Times `factor` until `total_iters` steps are done."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"factor must be from 0 to 1, and is {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        if self.last_epoch == 0:
            return lr * self.factor
        return lr * (1.0 / self.factor) if self.last_epoch == self.total_iters else lr

    def _closed(self, base: float) -> float:
        return base if self.last_epoch >= self.total_iters else base * self.factor


class LinearLR(LRScheduler):
    """Times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps: a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor must be above 0 and at most 1, and is {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be from 0 to 1, and is {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        if self.last_epoch == 0:
            return lr * self.start_factor
        if self.last_epoch > self.total_iters:
            return lr
        rise = self.end_factor - self.start_factor
        return lr * (1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _closed(self, base: float) -> float:
        done = min(self.total_iters, self.last_epoch) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class ExponentialLR(LRScheduler):
    """Times `gamma` every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        return lr if self.last_epoch == 0 else lr * self.gamma

    def _closed(self, base: float) -> float:
        return base * self.gamma**self.last_epoch


class PolynomialLR(LRScheduler):
    """To 0 in `total_iters` steps, as a power of what is left of them."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        if self.last_epoch == 0 or self.last_epoch > self.total_iters:
            return lr
        left = 1.0 - self.last_epoch / self.total_iters
        return float(lr * (left / (1.0 - (self.last_epoch - 1) / self.total_iters)) ** self.power)

    def _closed(self, base: float) -> float:
        return float(base * (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power)


# ------------------------------------------------------------------------------------------------------ by waves


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the first rate to `eta_min` in `T_max` steps, and back (Loshchilov and Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max < 1:
            raise ValueError(f"T_max must be at least 1, and is {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _next(self, lr: float, base: float) -> float:
        if self.last_epoch == 0:
            return lr
        if self._step_count == 1:
            return self._closed(base)
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The rate before is eta_min, of which no factor leads away.
            return lr + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        now, before = (1 + math.cos(math.pi * t / self.T_max) for t in (self.last_epoch, self.last_epoch - 1))
        return now / before * (lr - self.eta_min) + self.eta_min

    def _closed(self, base: float) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine again and again, each `T_mult` times as long as the one before (Loshchilov and Hutter 2017)."""

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if value < 1 or value != int(value):
                raise ValueError(f"{name} must be a whole number from 1, and is {value}")
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.T_i: int = T_0
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts."""
        wave = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * wave for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the next rates, or those of the epoch `epoch`, which may be a part of one."""
        self._step_count += 1
        if epoch is None and self.last_epoch >= 0:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            at = 0 if epoch is None else epoch
            if at < 0:
                raise ValueError(f"an epoch is not negative, and {at} was given")
            self.T_cur, self.T_i, self.last_epoch = at, self.T_0, math.floor(at)
            while self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        self._set(self.get_lr())


class _Cycling(LRScheduler):
    """What schedules have in common that cycle the momentum too: `momentum`, or the first of `betas`."""

    cycle_momentum: bool

    def _needs_momentum(self, optimizer: Optimizer) -> None:
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError(
                f"{type(optimizer).__name__} has neither momentum nor betas: leave out the cycle with "
                "cycle_momentum=False"
            )

    @staticmethod
    def _set_momentum(group: dict[str, Any], value: float) -> None:
        if "betas" in group:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_Cycling):
    """Up and down between `base_lr` and `max_lr` (Smith 2017). Meant to be stepped after each batch.

    `mode` is "triangular", "triangular2", which halves the height after each cycle, or "exp_range", which multiplies it
    by `gamma` at each step; or `scale_fn` gives the height, of the cycle or, with `scale_mode` "iterations", the step.
    """

    LEFT_OUT = frozenset({"optimizer", "scale_fn"})
    MODES = ("triangular", "triangular2", "exp_range")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in self.MODES and scale_fn is None:
            raise ValueError(f"mode must be one of {', '.join(self.MODES)}, and is {mode!r}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"scale_mode must be cycle or iterations, and is {scale_mode!r}")
        base_lrs = _each(base_lr, optimizer, "base_lr")
        self.max_lrs = _each(max_lr, optimizer, "max_lr")
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        self.base_momentums = _each(base_momentum, optimizer, "base_momentum")
        self.max_momentums = _each(max_momentum, optimizer, "max_momentum")
        if last_epoch == -1:
            for group, base in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = base
        if cycle_momentum:
            self._needs_momentum(optimizer)
            if last_epoch == -1:
                for group, most in zip(optimizer.param_groups, self.max_momentums, strict=True):
                    self._set_momentum(group, most)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _height(self, at: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(at)
        if self.mode == "exp_range":
            return float(self.gamma**at)
        return 1.0 if self.mode == "triangular" else float(0.5 ** (at - 1))

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts; the momenta are set."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        way = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = way * self._height(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in bounds:
                self._set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]


class OneCycleLR(_Cycling):
    """Up to `max_lr` and down to far below the start, once (Smith and Topin 2018).

    Meant to be stepped after each batch. `total_steps`, or `epochs` times `steps_per_epoch`, is the length;
    `anneal_strategy` is "cos" or "linear".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("a cycle needs total_steps, or epochs and steps_per_epoch")
        for name, value in (("total_steps", total_steps), ("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if value is not None and (value < 1 or value != int(value)):
                raise ValueError(f"{name} must be a whole number from 1, and is {value}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start must be from 0 to 1, and is {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be cos or linear, and is {anneal_strategy!r}")
        total = (epochs or 0) * (steps_per_epoch or 0) if total_steps is None else total_steps
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total, anneal_strategy, cycle_momentum
        # Each phase: its last step, from which rate to which, from which momentum to which; names in the groups.
        up, end = float(pct_start * total) - 1, total - 1
        self._phases: list[list[Any]] = [[up, "initial_lr", "max_lr", "max_momentum", "base_momentum"]]
        if three_phase:
            back = float(2 * pct_start * total) - 2
            self._phases.append([back, "max_lr", "initial_lr", "base_momentum", "max_momentum"])
            self._phases.append([end, "initial_lr", "min_lr", "max_momentum", "max_momentum"])
        else:
            self._phases.append([end, "max_lr", "min_lr", "base_momentum", "max_momentum"])
        if cycle_momentum:
            self._needs_momentum(optimizer)
        if last_epoch == -1:
            bounds: dict[str, Any] = {"max_lr": max_lr}
            if cycle_momentum:
                bounds |= {"base_momentum": base_momentum, "max_momentum": max_momentum}
            for name, several in bounds.items():
                for group, found in zip(optimizer.param_groups, _each(several, optimizer, name), strict=True):
                    group[name] = found
            for group in optimizer.param_groups:
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    self._set_momentum(group, group["max_momentum"])
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)

    def get_lr(self) -> Rates:
        """The rates of the step that `last_epoch` counts; the momenta are set. ValueError behind the end."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"the cycle has {self.total_steps} steps, and this is step {step}")
        now = min(bisect_left([phase[0] for phase in self._phases], step), len(self._phases) - 1)
        end, from_lr, to_lr, from_momentum, to_momentum = self._phases[now]
        begin = self._phases[now - 1][0] if now else 0.0
        done = (step - begin) / (end - begin) if end != begin else 1.0
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                self._set_momentum(group, self._between(group[from_momentum], group[to_momentum], done))
        return [self._between(group[from_lr], group[to_lr], done) for group in self.optimizer.param_groups]


# -------------------------------------------------------------------------------------------------------- of others


class _Several(LRScheduler):
    """What is made of other schedules, all of one optimiser."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        if not schedulers:
            raise ValueError("at least one schedule is needed")
        for number, scheduler in enumerate(schedulers):
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"schedule {number} is of another optimiser")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError("ReduceLROnPlateau needs the loss at each step, and goes with no other schedule")
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def _undo(self) -> None:
        for scheduler in self._schedulers:
            scheduler._undo()

    def state_dict(self) -> dict[str, Any]:
        """What the next rates depend on, with the states of the schedules under "_schedulers"."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The state that `state_dict` gave."""
        super().load_state_dict({key: value for key, value in state.items() if key != "_schedulers"})
        for scheduler, kept in zip(self._schedulers, state["_schedulers"], strict=True):
            scheduler.load_state_dict(kept)


class SequentialLR(_Several):
    """One schedule after another; each milestone is the step with which the next begins."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            wanted = f"{len(schedulers)} schedules need {len(schedulers) - 1} milestones"
            raise ValueError(f"{wanted}, and have {list(milestones)}")
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        # Each has set its own first rate; only the first schedule begins now.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        super()._undo()
        self._schedulers[0].step()
        self._last_lr = self._schedulers[0].get_last_lr()

    def _undo(self) -> None:
        super()._undo()
        self.last_epoch -= 1

    def step(self, epoch: int | None = None) -> None:
        """Set the next rates."""
        self.last_epoch += 1
        now = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[now]
        if now > 0 and self._milestones[now - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Several):
    """Several schedules at once, each on the rate that the one before has set."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("at least one schedule is needed")
        super().__init__(optimizer or schedulers[0].optimizer, schedulers)

    def step(self, epoch: int | None = None) -> None:
        """Set the next rates."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` where what is given to `step` has not become better for more than `patience` steps.

    `mode` says whether "min" or "max" is better, by more than `threshold` relative ("rel") or absolute ("abs"). After a
    change nothing is counted for `cooldown` steps, no rate goes below `min_lr`, and none changes by less than `eps`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ValueError(f"factor must be below 1, and is {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be min or max, and is {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold_mode must be rel or abs, and is {threshold_mode!r}")
        self.optimizer = optimizer
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.min_lrs = _each(min_lr, optimizer, "min_lr")
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics: float, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at the metric of an epoch."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            lower = [max(rate * self.factor, least) for rate, least in zip(rates, self.min_lrs, strict=True)]
            rates = [new if old - new > self.eps else old for old, new in zip(rates, lower, strict=True)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._set(rates)

    def epoch_done(self, loss: float) -> None:
        """What `fit` calls after an epoch of that loss."""
        self.step(loss)

    def _better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        relative = self.threshold_mode == "rel"
        bound = self.best * (1 + sign * self.threshold) if relative else self.best + sign * self.threshold
        return value > bound if sign > 0 else value < bound


SCHEDULES: dict[str, type[LRScheduler]] = {
    schedule.__name__: schedule
    for schedule in (
        LambdaLR,
        MultiplicativeLR,
        StepLR,
        MultiStepLR,
        ConstantLR,
        LinearLR,
        ExponentialLR,
        PolynomialLR,
        CosineAnnealingLR,
        CosineAnnealingWarmRestarts,
        CyclicLR,
        OneCycleLR,
        SequentialLR,
        ChainedScheduler,
        ReduceLROnPlateau,
    )
}
