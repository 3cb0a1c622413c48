"""Steps scaled by the size of the gradients so far: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..session import Session
from .base import Array, Cohort, Group, Optimizer, Patterns, Piece, not_negative, within


def averaged(average: Array, keep: Array, rest: Array, value: Array, scratch: Array) -> None:
    """average = keep * average + rest * value, where rest is 1 - keep; `value` may be the scratch."""
    np.multiply(average, keep, average)
    np.add(average, np.multiply(value, rest, scratch), average)


class Adagrad(Optimizer):
    """torch.optim.Adagrad (Duchi, Hazan and Singer 2011)."""

    ARRAYS = frozenset({"sum"})
    takes_rows = True

    def __init__(
        self,
        session: Session,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay}
        more = {"initial_accumulator_value": initial_accumulator_value, "eps": eps, "maximize": maximize}
        super().__init__(session, params, options | more)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        step = cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        return group["lr"] / (1 + (step - 1) * group["lr_decay"]), group["eps"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        lr, eps = rates
        total, b = piece["sum"], piece.b
        np.add(total, np.multiply(gradient, gradient, b), total)
        np.add(np.sqrt(total, b), eps, b)
        np.multiply(np.divide(gradient, b, b), lr, b)
        np.subtract(piece.theta, b, piece.theta)


class Adadelta(Optimizer):
    """torch.optim.Adadelta (Zeiler 2012)."""

    ARRAYS = frozenset({"square_avg", "acc_delta"})

    def __init__(
        self,
        session: Session,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(session, params, options)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "eps", "weight_decay")
        within(options, "rho", (options["rho"],), closed=True)

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        return group["lr"], group["rho"], 1 - group["rho"], group["eps"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        lr, rho, rest, eps = rates
        squares, moved, b, c = piece["square_avg"], piece["acc_delta"], piece.b, piece.c
        averaged(squares, rho, rest, np.multiply(gradient, gradient, b), b)
        np.sqrt(np.add(moved, eps, c), c)
        np.divide(c, np.sqrt(np.add(squares, eps, b), b), c)
        np.multiply(c, gradient, c)
        averaged(moved, rho, rest, np.multiply(c, c, b), b)
        np.subtract(piece.theta, np.multiply(c, lr, c), piece.theta)


class RMSprop(Optimizer):
    """torch.optim.RMSprop (Hinton 2012); centered as in Graves 2013. `eps` is added to the root, as in PyTorch."""

    ARRAYS = frozenset({"square_avg", "grad_avg", "momentum_buffer"})

    def __init__(
        self,
        session: Session,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(session, params, {**options, "centered": centered, "maximize": maximize})

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "alpha", "eps", "weight_decay", "momentum")

    def _kept(self, group: Group) -> Mapping[str, float]:
        found = {"square_avg": 0.0}
        if group["centered"]:
            found["grad_avg"] = 0.0
        if group["momentum"]:
            found["momentum_buffer"] = 0.0
        return found

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        alpha = group["alpha"]
        return group["lr"], alpha, 1 - alpha, group["eps"], group["momentum"], group["centered"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        lr, alpha, rest, eps, momentum, centered = rates
        squares, b = piece["square_avg"], piece.b
        averaged(squares, alpha, rest, np.multiply(gradient, gradient, b), b)
        if centered:
            mean = piece["grad_avg"]
            averaged(mean, alpha, rest, gradient, b)
            np.sqrt(np.subtract(squares, np.multiply(mean, mean, b), b), b)
        else:
            np.sqrt(squares, b)
        step = np.divide(gradient, np.add(b, eps, b), b)
        if momentum:
            buffer = piece["momentum_buffer"]
            np.multiply(buffer, momentum, buffer)
            step = np.add(buffer, step, buffer)
        np.subtract(piece.theta, np.multiply(step, lr, b), piece.theta)
