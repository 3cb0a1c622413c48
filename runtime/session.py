"""A model at one point: parameters with gradients that accumulate, as people know them from PyTorch.

Takes an emitted module and data; gives named parameters as views of one flat vector, `forward` for the loss,
`backward` from an objective or from any output, and for models that need it `draw` and `advance`: noise before a step,
states after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import NothingToDifferentiate, SeedMissing, SeveralObjectives
from .parameter import Parameter

Array = npt.NDArray[Any]


class Session:
    """`module` bound to `data`. `theta` (a flat vector) is where it starts, else the model's own start from `seed`.

    `objective` picks one of several; `objectives` are those that are bound. `states` are views of the vector. Raises
    the module's DataError where the data do not fit.
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
        chosen = tuple(module.OBJECTIVES) if objective is None else (objective,)
        self.objectives: dict[str, Any] = {name: module.bind(data, name) for name in chosen}
        trained = {name for key in chosen for name in module.OBJECTIVES[key]["over"]} or set(module.PARAMETERS)
        layout = module.layout(data)
        self.parameters: dict[str, Parameter] = {}
        for name in module.PARAMETERS:
            place, shape = layout[name]
            value, grad = self.theta[place].reshape(shape), self.grad[place].reshape(shape)
            self.parameters[name] = Parameter(name, place, value, name in trained, grad)
        self.states: dict[str, Array] = {
            name: self.theta[layout[name][0]].reshape(layout[name][1]) for name in module.STATES
        }

    def draw(self, seed: int, step: int) -> None:
        """Draw the noise of a step, where the model has some; at first it is that of step 0 of seed 0."""
        if self.module.NOISE:
            for objective in self.objectives.values():
                objective.draw(seed, step)

    def forward(self, name: str | None = None) -> float:
        """The loss at the parameters as they are; `name` is that of the objective, where there are several."""
        loss, _ = self.objectives[self._one(name)](self.theta, self._found)
        return float(loss)

    def advance(self, name: str | None = None) -> None:
        """Write what the last pass through an objective has made of the states, where the model has some."""
        if self.module.STATES:
            self.objectives[self._one(name)].advance(self.theta)

    def _one(self, name: str | None) -> str:
        """The objective of that name, or the only one."""
        if name is None and len(self.objectives) > 1:
            raise SeveralObjectives(tuple(self.objectives))
        found = name or next(iter(self.objectives), None)
        if found not in self.objectives:
            raise NothingToDifferentiate(name, tuple(self.objectives) or tuple(self.module.OUTPUTS))
        return found

    def backward(self, seed: Any = None, name: str | None = None) -> None:
        """Add to each parameter's `grad` the gradient of the objective, or of the output `name` for a cotangent `seed`.

        `name` may also be that of an objective, and must be where there are several; then what it does not train gets
        nothing. A seed has the output's shape; a scalar needs none. Raises SeedMissing, NothingToDifferentiate or
        SeveralObjectives.
        """
        reached = tuple(self.parameters)
        if (name is None and self.objectives) or (name in self.objectives and name not in self.module.OUTPUTS):
            objective = self._one(name)
            self.objectives[objective](self.theta, self._found)
            found = self._found if seed is None else self._found * float(seed)
            reached = self.module.OBJECTIVES[objective]["over"]
        else:
            found = self._pulled_back(seed, name)
        for key in reached:
            parameter = self.parameters[key]
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
        """The parameters and states by name as the model sees them, bounds applied."""
        found: dict[str, Array] = self.module.unpack(self.theta, self.data)
        return found
