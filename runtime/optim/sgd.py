"""Steps along the gradient: SGD, its averaged form, and Rprop, which looks at signs only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..session import Session
from .axpy import LARGE, axpy
from .base import Array, Cohort, Group, Optimizer, Patterns, Piece, joined, not_negative, two


class SGD(Optimizer):
    """torch.optim.SGD: momentum (Polyak 1964, Nesterov 1983), with PyTorch's dampening.

    The first step with momentum takes the gradient itself into the buffer, undamped, as PyTorch does.
    """

    ARRAYS = frozenset({"momentum_buffer"})
    takes_rows = True
    hindering = ("weight_decay", "momentum")

    def __init__(
        self,
        session: Session,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(session, params, {**options, "nesterov": nesterov, "maximize": maximize})
        self._axpy = axpy(session.theta.dtype) if session.theta.size >= LARGE else None

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "momentum", "weight_decay")
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError("nesterov needs a momentum above 0 and no dampening")

    def plain(self) -> float | None:
        """The rate, where a step is no more than `theta -= rate * gradient` for all parameters, else None."""
        parameters = self.session.parameters
        every = len(self._owned) == len(parameters) and all(p.requires_grad for p in parameters.values())
        return self.lr if every and self._is_plain() and self._axpy is None else None

    def _is_plain(self) -> bool:
        """Whether a step is no more than that for all parameters that move."""
        groups, lr = self.param_groups, self.param_groups[0]["lr"]
        return not any(g["momentum"] or g["weight_decay"] or g["maximize"] or g["lr"] != lr for g in groups)

    def _walk(self, whole: Array, names: tuple[str, ...]) -> None:
        if self._axpy is None or self.session.sparse or not self._is_plain():
            super()._walk(whole, names)
            return
        for place in joined(self.session.parameters[name].place for name in names):
            self._axpy(whole[place], self.session.theta[place], self.lr)

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group = cohort.group
        first = "momentum_buffer" not in cohort.arrays
        return group["lr"], group["momentum"], 1.0 if first else 1.0 - group["dampening"], group["nesterov"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        lr, momentum, undamped, nesterov = rates
        if momentum:
            buffer = piece["momentum_buffer"]
            np.multiply(buffer, momentum, buffer)
            np.add(buffer, gradient if undamped == 1 else np.multiply(gradient, undamped, piece.b), buffer)
            gradient = np.add(gradient, np.multiply(buffer, momentum, piece.b), piece.b) if nesterov else buffer
        if self._axpy is None:
            np.subtract(piece.theta, np.multiply(gradient, lr, piece.b), piece.theta)
        else:
            self._axpy.spans(gradient, piece.theta, float(lr))


class ASGD(Optimizer):
    """torch.optim.ASGD: averaged stochastic gradient descent (Polyak and Juditsky 1992).

    The average is kept as `ax`, and does not act on the parameters.
    """

    ARRAYS = frozenset({"ax"})

    def __init__(
        self,
        session: Session,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        options = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        super().__init__(session, params, {**options, "maximize": maximize})

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr", "weight_decay")

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"ax": 0.0}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        group, numbers = cohort.group, cohort.numbers
        step = numbers["step"] = numbers.get("step", 0) + 1
        eta, mu = numbers.get("eta", float(group["lr"])), numbers.get("mu", 1.0)
        numbers["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * step) ** group["alpha"]
        numbers["mu"] = 1 / max(1.0, step - group["t0"])
        return 1 - group["lambd"] * eta, eta, mu

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        shrunk, eta, mu = rates
        theta, average = piece.theta, piece["ax"]
        np.multiply(theta, shrunk, theta)
        np.subtract(theta, np.multiply(gradient, eta, piece.b), theta)
        if mu == 1:
            np.copyto(average, theta)
        else:
            np.subtract(theta, average, piece.b)
            np.add(average, np.multiply(piece.b, mu, piece.b), average)


class Rprop(Optimizer):
    """torch.optim.Rprop: resilient backpropagation (Riedmiller and Braun 1993), for full batches."""

    ARRAYS = frozenset({"prev", "step_size"})

    def __init__(
        self,
        session: Session,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        maximize: bool = False,
        *,
        params: Patterns | Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(session, params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        not_negative(options, "lr")
        low, high = two(options, "etas")
        if not 0 < low < 1 < high:
            raise ValueError(f"etas must be a factor below 1 and one above it, and are {options['etas']}")
        two(options, "step_sizes")

    def _kept(self, group: Group) -> Mapping[str, float]:
        return {"prev": 0.0, "step_size": group["lr"]}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        cohort.numbers["step"] = cohort.numbers.get("step", 0) + 1
        shrink, grow = cohort.group["etas"]
        return 1 - shrink, grow - 1, *cohort.group["step_sizes"]

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        shrunk, grown, least, most = rates
        before, size, turned = piece["prev"], piece["step_size"], piece.b
        np.sign(np.multiply(gradient, before, turned), turned)
        # The factor is `grow`, 1 or `shrink` as the sign is 1, 0 or -1; where it is -1 the gradient counts as 0.
        np.multiply(np.maximum(turned, 0, out=piece.c), grown, piece.c)
        np.add(piece.c, 1, piece.c)
        np.minimum(turned, 0, out=piece.d)
        np.multiply(size, np.add(piece.c, np.multiply(piece.d, shrunk, piece.b), piece.c), size)
        np.minimum(np.maximum(size, least, out=size), most, out=size)
        np.multiply(gradient, np.add(piece.d, 1, piece.d), before)
        np.subtract(piece.theta, np.multiply(np.sign(before, piece.c), size, piece.c), piece.theta)
