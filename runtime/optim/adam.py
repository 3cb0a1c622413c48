"""Averages of the gradient and of its square: Adam and its kin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..session import Session
from .adagrad import averaged
from .base import Array, Cohort, Group, Optimizer, Patterns, Piece, not_negative, two, within


def kept(beta1: float, beta2: float) -> tuple[float, float, float, float]:
    """What each of two averages keeps and takes."""
    return beta1, 1 - beta1, beta2, 1 - beta2


class _Moments(Optimizer):
    """What they have in common: the averages, and the checks."""

    ARRAYS = frozenset({"exp_avg", "exp_avg_sq"})

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "eps", "weight_decay")
        within(options, "betas", two(options, "betas"))

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _averages(self, piece: Piece, gradient: Array, rates: list[Array]) -> tuple[Array, Array]:
        """The averages after this step; the first of the rates are what they keep and take."""
        mean, squares, b = piece["exp_avg"], piece["exp_avg_sq"], piece.b
        averaged(mean, rates[0], rates[1], gradient, b)
        averaged(squares, rates[2], rates[3], np.multiply(gradient, gradient, b), b)
        return mean, squares


class Adam(_Moments):
    """torch.optim.Adam (Kingma and Ba 2015; amsgrad: Reddi, Kale and Kumar 2018)."""

    ARRAYS = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq"})

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        more = {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(session, params, options | more)

    def _kept(self, group: Group) -> Mapping[str, float]:
        found = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        if group["amsgrad"]:
            found["max_exp_avg_sq"] = 0.0
        return found

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        step = cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        # lr m̂ / (√v̂ + eps) with m̂ = m / (1 - beta1^t), v̂ = v / (1 - beta2^t), both sides multiplied by √(1 - beta2^t).
        root = math.sqrt(1 - beta2**step)
        rate = group["lr"] * root / (1 - beta1**step)
        return *kept(beta1, beta2), rate, group["eps"] * root, group["amsgrad"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        *_, rate, eps, amsgrad = rates
        mean, squares = self._averages(piece, gradient, rates)
        b = piece.b
        if amsgrad:
            largest = piece["max_exp_avg_sq"]
            squares = np.maximum(largest, squares, out=largest)
        np.divide(mean, np.add(np.sqrt(squares, b), eps, b), b)
        np.subtract(piece.theta, np.multiply(b, rate, b), piece.theta)


class AdamW(Adam):
    """torch.optim.AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(session, lr, betas, eps, weight_decay, amsgrad, maximize, True, params=params)


class Adamax(Optimizer):
    """torch.optim.Adamax: Adam with the largest gradient in place of the squares (Kingma and Ba 2015)."""

    ARRAYS = frozenset({"exp_avg", "exp_inf"})

    def __init__(
        self,
        session: Session,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(session, params, options)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        _Moments.check(options)

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        step = cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        return *kept(beta1, beta2), group["lr"] / (1 - beta1**step), group["eps"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        beta1, rest, beta2, _, rate, eps = rates
        mean, largest, b = piece["exp_avg"], piece["exp_inf"], piece.b
        averaged(mean, beta1, rest, gradient, b)
        np.multiply(largest, beta2, largest)
        np.maximum(largest, np.add(np.absolute(gradient, b), eps, b), out=largest)
        np.multiply(np.divide(mean, largest, b), rate, b)
        np.subtract(piece.theta, b, piece.theta)


class NAdam(_Moments):
    """torch.optim.NAdam: Adam with Nesterov's momentum (Dozat 2016)."""

    def __init__(
        self,
        session: Session,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay}
        more = {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
        super().__init__(session, params, options | more)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        super().check(options)
        not_negative(options, "momentum_decay")

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group, numbers = cohort.group, cohort.numbers
        step = numbers["step"] = numbers.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        now, later = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        product = numbers["mu_product"] = numbers.get("mu_product", 1.0) * now
        root = math.sqrt(1 - beta2**step)
        rate = group["lr"] * root
        of_gradient, of_mean = rate * (1 - now) / (1 - product), rate * later / (1 - product * later)
        return *kept(beta1, beta2), of_gradient, of_mean, group["eps"] * root

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        *_, of_gradient, of_mean, eps = rates
        mean, squares = self._averages(piece, gradient, rates)
        b, c = piece.b, piece.c
        np.add(np.multiply(gradient, of_gradient, b), np.multiply(mean, of_mean, c), b)
        np.divide(b, np.add(np.sqrt(squares, c), eps, c), b)
        np.subtract(piece.theta, b, piece.theta)


class RAdam(_Moments):
    """torch.optim.RAdam: Adam that waits until the variance of its rate is known (Liu et al. 2020)."""

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        more = {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
        super().__init__(session, params, options | more)

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        step = cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        rate, left = group["lr"] / (1 - beta1**step), 1 - beta2**step
        most = 2 / (1 - beta2) - 1
        length = most - 2 * step * beta2**step / left
        if length <= 5:
            return *kept(beta1, beta2), rate, 0.0, False
        variance = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        return *kept(beta1, beta2), rate * math.sqrt(variance * left), group["eps"], True

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        *_, rate, eps, known = rates
        mean, squares = self._averages(piece, gradient, rates)
        b = piece.b
        step = np.divide(mean, np.add(np.sqrt(squares, b), eps, b), b) if known else mean
        np.subtract(piece.theta, np.multiply(step, rate, b), piece.theta)
