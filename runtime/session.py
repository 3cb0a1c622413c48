"""A model at one point: parameters with gradients that accumulate, as people know them from PyTorch.

Takes an emitted module and data; gives named parameters as views of one flat vector, `forward` for the loss, and
`backward` from the objective or from any output.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import NothingToDifferentiate, SeedMissing
from .parameter import Parameter

Array = npt.NDArray[Any]


class Session:
    """`module` bound to `data`. `theta` (a flat vector) is where it starts, else the model's own start from `seed`.

    Raises the module's DataError where the data do not fit.
    """

    def __init__(
        self,
        module: ModuleType,
        data: Mapping[str, Any],
        theta: Array | None = None,
        seed: int = 0,
        objective: str | None = None,
    ) -> None:
        self.module = module
        self.data = data
        start = module.initial(data, seed=seed) if theta is None else theta
        self.theta: Array = np.array(start, dtype=module.DTYPE)
        self.grad: Array = np.zeros_like(self.theta)
        self._found: Array = np.empty_like(self.theta)
        self.objective = module.bind(data, objective) if module.OBJECTIVES else None
        self.name = objective or next(iter(module.OBJECTIVES), None)
        trained = module.OBJECTIVES[self.name]["over"] if self.name else tuple(module.PARAMETERS)
        self.parameters: dict[str, Parameter] = {
            name: Parameter(
                name, place, self.theta[place].reshape(shape), name in trained, self.grad[place].reshape(shape)
            )
            for name, (place, shape) in module.layout(data).items()
        }

    def forward(self) -> float:
        """The loss at the parameters as they are."""
        if self.objective is None:
            raise NothingToDifferentiate(None, tuple(self.module.OUTPUTS))
        loss, _ = self.objective(self.theta, self._found)
        return float(loss)

    def backward(self, seed: Any = None, name: str | None = None) -> None:
        """Add to each parameter's `grad` the gradient of the objective, or of the output `name` for a cotangent `seed`.

        A seed has the output's shape; a scalar needs none. Raises SeedMissing or NothingToDifferentiate.
        """
        if name is None and self.objective is not None:
            self.objective(self.theta, self._found)
            found = self._found if seed is None else self._found * float(seed)
        else:
            found = self._pulled_back(seed, name)
        for parameter in self.parameters.values():
            if parameter.requires_grad:
                parameter.accumulate(found[parameter.place].reshape(parameter.value.shape))

    def _pulled_back(self, seed: Any, name: str | None) -> Array:
        known = tuple(key for key, entry in self.module.OUTPUTS.items() if entry["dtype"] == self.module.DTYPE)
        if name is None:
            if len(known) != 1:
                raise NothingToDifferentiate(None, known)
            name = known[0]
        if name not in known:
            raise NothingToDifferentiate(name, known)
        if seed is None:
            shape = np.shape(self.module.predict(self.theta, self.data)[name])
            if shape:
                raise SeedMissing(name, shape)
            seed = 1.0
        found: Array = self.module.vjp(self.theta, self.data, {name: seed})
        return found

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        for parameter in self.parameters.values():
            parameter.zero_grad(set_to_none)

    def values(self) -> dict[str, Array]:
        """The parameters by name as the model sees them, bounds applied."""
        found: dict[str, Array] = self.module.unpack(self.theta, self.data)
        return found
