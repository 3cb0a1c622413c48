"""Adam for gradients that come by rows: only the rows that occur move."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..session import Session
from .base import Array, Cohort, Group, Optimizer, Patterns, Piece, positive, two, within


class SparseAdam(Optimizer):
    """torch.optim.SparseAdam: the averages of a row stay as they are while the row has no gradient.

    PyTorch refuses a gradient that is an array; here it counts as one in which every row occurs.
    """

    ARRAYS = frozenset({"exp_avg", "exp_avg_sq"})
    takes_rows = True

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(session, params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        positive(options, "lr", "eps")
        within(options, "betas", two(options, "betas"))

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        step = cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        rate = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        return 1 - beta1, 1 - beta2, rate, group["eps"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        rest, rest_of_squares, rate, eps = rates
        mean, squares, b = piece["exp_avg"], piece["exp_avg_sq"], piece.b
        np.add(mean, np.multiply(np.subtract(gradient, mean, b), rest, b), mean)
        np.multiply(gradient, gradient, b)
        np.add(squares, np.multiply(np.subtract(b, squares, b), rest_of_squares, b), squares)
        np.divide(mean, np.add(np.sqrt(squares, b), eps, b), b)
        np.subtract(piece.theta, np.multiply(b, rate, b), piece.theta)
