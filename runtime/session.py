"""A model at one point: parameters with gradients that accumulate, as people know them from PyTorch.

Takes an emitted module and data; gives named parameters as views of one flat vector, `forward` for the loss,
`backward` from an objective or from any named value, and for models that need it `draw` and `advance`: noise before a
step, states after it. What is frozen is not computed: where there is a compiler at hand, as in `Model.session`, other
modules of the same model take the place of the first, made when they are first needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Protocol, overload

import numpy as np
import numpy.typing as npt

from .errors import (
    AllFrozen,
    NoDerivative,
    NotCompiled,
    NothingToDifferentiate,
    SeedMissing,
    SeedShape,
    SeveralObjectives,
    UnknownValue,
)
from .parameter import Parameter, Value, named
from .row_sparse import RowSparse

Array = npt.NDArray[Any]


class Described(Protocol):
    """What is known of a named value: its axes in the order in which they are given, its type, the parameters that its
    derivative reaches, and whether it is one of each step of a scan."""

    @property
    def axes(self) -> tuple[str, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def reaches(self) -> tuple[str, ...]: ...
    @property
    def stepwise(self) -> bool: ...


class Variants(Protocol):
    """The modules of one model. `values` describes its objectives, named values, inputs and outputs."""

    @property
    def values(self) -> Mapping[str, Described]: ...

    def variant(self, frozen: tuple[str, ...], retained: tuple[str, ...], value: str | None) -> ModuleType:
        """The module without gradients by the frozen parameters and with those by retained values; of one value alone,
        where that is not None."""


@dataclass
class _Pass:
    """What a pass has given: the gradient, the gradients by retained values, and those that come by rows."""

    gradient: Array
    retained: Mapping[str, Array]
    rows: Mapping[str, RowSparse]

    def times(self, factor: float) -> _Pass:
        """The same for another cotangent, in arrays of its own."""
        retained = {name: value * factor for name, value in self.retained.items()}
        return _Pass(self.gradient * factor, retained, {name: rows.times(factor) for name, rows in self.rows.items()})


class Session:
    """`module` bound to `data`. `theta` (a flat vector) is where it starts, else the model's own start from `seed`.

    `objective` picks one of several; `objectives` are those that are bound. `states` are views of the vector.
    `session[name]` is a parameter, or a named value with its `grad`. `variants` gives other modules of the same model:
    without it what is frozen is computed and left out, and there are no named values but outputs. `sparse` has the
    parameters whose gradients the module gives by rows, each with the place of the axis that the rows are positions of;
    their part of `grad` is not used, and `dense` are the places of all others in the vector. Without `bind` data are
    bound when a pass needs all of them, and not at once: minibatches of arrays in a file are then read as they come.
    Raises the module's DataError where the data do not fit.
    """

    def __init__(
        self,
        module: ModuleType,
        data: Mapping[str, Any],
        theta: Array | None = None,
        seed: int = 0,
        objective: str | None = None,
        variants: Variants | None = None,
        bind: bool = True,
    ) -> None:
        self.data = data
        start = module.initial(data, seed=seed) if theta is None else theta
        self.theta: Array = np.array(start, dtype=module.DTYPE)
        self.grad: Array = np.zeros(self.theta.shape, self.theta.dtype)
        self._plain = self._module = module
        self._variants = variants
        self._chosen = tuple(module.OBJECTIVES) if objective is None else (objective,)
        self._objectives: dict[str, Any] | None = None
        self._compiled_without: tuple[str, ...] = getattr(module, "FROZEN", ())
        over = {name for key in self._chosen for name in module.OBJECTIVES[key]["over"]}
        trained = over if self._chosen else set(module.PARAMETERS) - set(self._compiled_without)
        self._trainable = trained | set(self._compiled_without)
        layout = module.layout(data)
        self.parameters: dict[str, Parameter] = {}
        for name in module.PARAMETERS:
            place, shape = layout[name]
            value, grad = self.theta[place].reshape(shape), self.grad[place].reshape(shape)
            self.parameters[name] = Parameter(name, place, value, name in trained, grad, self._asked)
        along = {key: axis for of in self._chosen for key, axis in module.OBJECTIVES[of].get("sparse", {}).items()}
        axes = {name: module.PARAMETERS[name]["axes"] for name in along}
        self.sparse: dict[str, int] = {name: axes[name].index(axis) for name, axis in along.items()}
        self.dense: list[slice] = _beside([layout[name][0] for name in self.sparse], self.theta.size)
        self.states: dict[str, Array] = {
            name: self.theta[layout[name][0]].reshape(layout[name][1]) for name in module.STATES
        }
        self._named: dict[str, Value] = {}
        self._fits = True  # whether the module is the one for what requires gradients
        self._without_gradients = False
        self._noise = (0, 0)  # seed and step
        # What the last forward passes gave, and where: a backward pass at the same point takes it.
        self._passes: dict[str, _Pass] = {}
        self._room: dict[str, Array] = {}
        self._point: Array = np.full_like(self.theta, np.nan)
        self._reach: dict[str, list[Parameter]] = {}
        self._passed: dict[str, Any] = {}  # of each objective, what computed it last
        self._losses: dict[str, Any] = {}  # the same without a gradient
        if bind:
            self._objectives = {name: module.bind(data, name) for name in self._chosen}

    # ----------------------------------------------------------------------------------------------------- the module

    @property
    def module(self) -> ModuleType:
        """The module that a pass goes through: without gradients by what is frozen."""
        if not self._fits:
            self._take()
        return self._module

    @property
    def objectives(self) -> dict[str, Any]:
        """The objectives of that module, bound to the data."""
        if not self._fits:
            self._take()
        if self._objectives is None:
            self._objectives = {name: self._bound(self._module, name) for name in self._chosen}
        return self._objectives

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of these objectives."""
        return self._chosen

    @property
    def rows(self) -> int | None:
        """How many rows the first objective has; None where it has none."""
        module = self._plain
        for name in module.OBJECTIVES[self._chosen[0]]["needs"] if self._chosen else ():
            axes = module.INPUTS[name]["axes"] if name in module.INPUTS else ()
            if module.ROWS in axes and name in self.data:
                return int(np.shape(self.data[name])[axes.index(module.ROWS)])
        found: int | None = next(iter(self.objectives.values())).rows if self._chosen else None
        return found

    def _take(self) -> None:
        """The module for what requires gradients now, and its objectives."""
        frozen, retained = self._frozen(self._trainable), self._retained()
        module = self._plain
        if self._variants is not None and (frozen, retained) != (self._compiled_without, ()):
            module = self._variants.variant(frozen, retained, None)
        if module is not self._module:
            self._module, self._objectives = module, None
        self._fits = True

    def _bound(self, module: ModuleType, name: str) -> Any:
        objective = module.bind(self.data, name)
        if module.NOISE and self._noise != (0, 0):
            objective.draw(*self._noise)
        return objective

    def _frozen(self, among: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name, p in self.parameters.items() if name in among and not p.requires_grad)

    def _retained(self) -> tuple[str, ...]:
        return tuple(name for name, value in self._named.items() if value.retains_grad)

    def _asked(self, name: str, requires: bool) -> None:
        """A parameter is to require a gradient, or none."""
        if requires and name in self._compiled_without and self._variants is None:
            raise NotCompiled(f"gradient by {name!r}, which was frozen when it was compiled")
        self._changed()

    def _changed(self) -> None:
        """The next pass is another than the last."""
        self._fits = False
        self._passes.clear()
        self._reach.clear()

    # --------------------------------------------------------------------------------------------------------- passes

    def draw(self, seed: int, step: int) -> None:
        """Draw the noise of a step, where the model has some; at first it is that of step 0 of seed 0."""
        if self._plain.NOISE:
            self._noise = (seed, step)
            for objective in (*(self._objectives or {}).values(), *self._losses.values()):
                objective.draw(seed, step)
            self._forget()

    def rebind(self, data: Mapping[str, Any]) -> None:
        """Go on with other data, such as the next rows.

        Raises the module's DataError where they do not fit; the session then has the data that it had.
        """
        self._forget()
        before, self.data = self.data, data
        bound = (*self.objectives.values(), *self._losses.values())
        try:
            for objective in bound:
                objective.rebind(data)
        except ValueError:
            self.data = before
            for objective in bound:
                objective.rebind(before)
            raise

    def forward(self, name: str | None = None) -> float:
        """The loss at the parameters as they are; `name` is that of the objective, where there are several.

        The gradient is computed with it, and kept for `backward`; under `no_grad` it is not.
        """
        found = self._one(name)
        if self._without_gradients:
            self._passed[found] = self._loss(found)
            return float(self._passed[found](self.theta)[0])
        # Of one objective there is nothing else to forget.
        if self._passes.keys() - {found} and self._is_elsewhere():
            self._passes.clear()
        for value in self._named.values():
            value.grad = None
        loss, made = self._compute(found)
        # To see whether a table has changed since would cost more than to compute again.
        if not self.sparse:
            np.copyto(self._point, self.theta)
            self._passes[found] = made
        return loss

    def advance(self, name: str | None = None) -> None:
        """Write what the last pass through an objective has made of the states, where the model has some."""
        if self._plain.STATES:
            found = self._one(name)
            self._passed.get(found, self.objectives[found]).advance(self.theta)

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        """Passes in the `with` block compute losses and no gradients."""
        before, self._without_gradients = self._without_gradients, True
        try:
            yield
        finally:
            self._without_gradients = before

    def _one(self, name: str | None) -> str:
        """The objective of that name, or the only one."""
        if name is None and len(self._chosen) > 1:
            raise SeveralObjectives(self._chosen)
        found = name or next(iter(self._chosen), None)
        if found is None or found not in self._chosen:
            raise NothingToDifferentiate(name, self._chosen or tuple(self._plain.OUTPUTS))
        return found

    def _compute(self, name: str) -> tuple[float, _Pass]:
        """A pass through an objective."""
        objective = self.objectives[name]
        if name not in self._room:
            self._room[name] = np.zeros(self.theta.shape, self.theta.dtype)
        loss, gradient = objective(self.theta, self._room[name])
        self._passed[name] = objective
        retained = objective.retained if self._retained() else {}
        return float(loss), _Pass(gradient, retained, self.by_rows(objective))

    def _loss(self, name: str) -> Any:
        """What computes an objective and no gradient, where there is a compiler."""
        if self._variants is None:
            return self.objectives[name]
        if name not in self._losses:
            module = self._variants.variant(tuple(self._plain.PARAMETERS), (), None)
            self._losses[name] = self._bound(module, name)
        return self._losses[name]

    def _is_elsewhere(self) -> bool:
        """Whether the parameters have been changed since the last forward pass, in place or not."""
        return not (self.theta == self._point).all()

    def _forget(self) -> None:
        """What has been computed is of another point, or of other data."""
        self._passes.clear()
        for value in self._named.values():
            value.grad = None

    # ------------------------------------------------------------------------------------------------------ gradients

    @overload
    def backward(self, seed: Any = None, name: str | None = None) -> None: ...
    @overload
    def backward(self, name: str, seed: Any = None) -> None: ...
    def backward(self, *of: Any, **more: Any) -> None:
        """Add to each parameter's `grad` the gradient of the objective, or of the named value `name` for a cotangent.

        `backward()`, `backward("y")`, `backward("y", seed)` and `backward(seed, "y")` are the same with both given as
        `seed=` and `name=`. `name` may also be that of an objective, and must be where there are several; then what it
        does not train gets nothing. A seed has the value's shape; a scalar needs none. A parameter that the value does
        not depend on keeps the gradient that it has, or None. Raises SeedMissing, SeedShape, NothingToDifferentiate,
        SeveralObjectives, UnknownValue, NoDerivative or AllFrozen.
        """
        seed, name = _start(of, more)
        if (self._passes or self._named) and self._is_elsewhere():
            self._forget()
            np.copyto(self._point, self.theta)
        of_objective = (name is None and self._chosen) or (name in self._chosen and name not in self._plain.OUTPUTS)
        if of_objective:
            name = self._one(name)
            reached = self._reached(name, self.module.OBJECTIVES[name]["over"])
            if not reached and not self._retained():
                raise self._nothing(name)
            found = self._pulled_through(name, seed)
        else:
            name = self._output(name)
            reached = self._reached(name, self.parameters)
            if not reached:
                raise self._nothing(name)
            found = self._pulled_back(name, seed)
        for parameter in reached:
            if parameter.name in found.rows:
                parameter.accumulate(found.rows[parameter.name].times(1.0))
            else:
                parameter.accumulate(found.gradient[parameter.place].reshape(parameter.value.shape))
        for key, gradient in found.retained.items():
            self._named[key].accumulate(gradient)

    def _reached(self, name: str, among: Iterable[str]) -> list[Parameter]:
        """The parameters that get a gradient from there."""
        if name not in self._reach:
            reaches = self.parameters if self._variants is None else self._described(name).reaches
            found = [self.parameters[key] for key in among if key in reaches]
            self._reach[name] = [parameter for parameter in found if parameter.requires_grad]
        return self._reach[name]

    def _nothing(self, name: str) -> NoDerivative | AllFrozen:
        """Why a pass from there reaches no parameter."""
        reaches = self.parameters if self._variants is None else self._described(name).reaches
        frozen = tuple(key for key in reaches if not self.parameters[key].requires_grad)
        return AllFrozen(name, frozen) if frozen else NoDerivative(name, "it depends on no parameter")

    def _pulled_through(self, name: str, seed: Any) -> _Pass:
        """What an objective gives for a cotangent, a number."""
        if seed is not None and np.shape(seed):
            raise SeedShape(name, (), np.shape(seed))
        found = self._passes.get(name) or self._compute(name)[1]
        return found if seed is None else found.times(float(seed))

    def by_rows(self, objective: Any) -> dict[str, RowSparse]:
        """The gradients that the last pass of a bound objective has given by rows; the next one writes over them."""
        if not self.sparse:
            return {}
        return {
            name: RowSparse(indices, values, self.parameters[name].value.shape, self.sparse[name])
            for name, (indices, values) in getattr(objective, "sparse", {}).items()
        }

    def _output(self, name: str | None) -> str:
        """The value to start from, of that name, or the only output that has a gradient."""
        outputs = self._plain.OUTPUTS
        known = tuple(key for key, entry in outputs.items() if entry["dtype"] == self._plain.DTYPE)
        if name is None:
            if len(known) != 1:
                raise NothingToDifferentiate(None, known)
            name = known[0]
        if self._variants is None and name not in known:
            raise NothingToDifferentiate(name, known)
        if self._variants is not None and self._described(name).dtype != "float":
            raise NoDerivative(name, _why(self._described(name).dtype))
        return name

    def _pulled_back(self, name: str, seed: Any) -> _Pass:
        """What a value of the model gives for a cotangent of its shape."""
        frozen, retained = self._frozen(self.parameters), self._retained()
        module, data = self._plain, self._given()
        as_it_is = name in module.OUTPUTS and not retained and self._frozen(self._trainable) == self._compiled_without
        if self._variants is not None and not as_it_is:
            module = self._variants.variant(frozen, retained, name)
        shape = _shape(module, name, data)
        if seed is None:
            if shape:
                raise SeedMissing(name, np.shape(module.predict(self.theta, data)[name]))
            seed = 1.0
        found = np.shape(seed)
        if len(found) != len(shape) or any(n not in (None, m) for n, m in zip(shape, found, strict=True)):
            raise SeedShape(name, shape, found)
        if not retained:
            return _Pass(module.vjp(self.theta, data, {name: seed}), {}, {})
        bound = module.bind_vjp(data, {name: seed})
        return _Pass(bound(self.theta), bound.retained, {})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients by all parameters. Those by named values go with the next forward pass."""
        for parameter in self.parameters.values():
            parameter.zero_grad(set_to_none)

    def requires_grad_(self, requires_grad: bool = True, params: str | Iterable[str] = "*") -> Session:
        """Freeze, with False, the parameters that the patterns name, such as `body.*`, or let them be trained again.

        The next pass is compiled without their gradients. ValueError for a pattern that names none.
        """
        for name in named(self.parameters, params):
            self.parameters[name].requires_grad = requires_grad
        return self

    def retain_grad(self, name: str) -> None:
        """Let backward passes give the gradient by a named value or an input, as `session[name].grad`.

        A parameter has its gradient already. Raises UnknownValue, NoDerivative or NotCompiled.
        """
        found = self[name]
        if isinstance(found, Parameter) or found.retains_grad:
            return
        described = self._described(name)
        if described.dtype != "float":
            raise NoDerivative(name, _why(described.dtype))
        if described.stepwise:
            raise NoDerivative(name, "each step of the scan has its own; retain what the scan yields, or goes through")
        found.retains_grad = True
        self._changed()

    # --------------------------------------------------------------------------------------------------------- values

    def __getitem__(self, name: str) -> Parameter | Value:
        """The parameter or the named value. Raises UnknownValue or NotCompiled."""
        if name in self.parameters:
            return self.parameters[name]
        if self._variants is None:
            raise NotCompiled(f"value {name!r}")
        return self._named.setdefault(name, Value(name, self._described(name).axes))

    def value(self, name: str) -> Array:
        """What a parameter, a state, an input, an objective, an output, a metric or a named value is now: an array.

        A copy, as PyTorch's `detach().clone().numpy()`. A parameter is as the model sees it, its bounds applied; an
        output or a metric is as in prediction, any other value as in training. Raises UnknownValue or NotCompiled.
        """
        module, data = self._plain, self._given()
        if name in self.parameters or name in self.states:
            return np.array(self.values()[name])
        if name in module.INPUTS and name in data:
            return np.array(data[name])
        if name in module.OUTPUTS:
            return np.asarray(module.predict(self.theta, data)[name])
        if name in module.METRICS:
            return np.asarray(module.metrics(self.theta, data)[name])
        if name in self._chosen:
            loss = float(self._loss(name)(self.theta)[0])
            return np.array(-loss if module.OBJECTIVES[name]["sense"] == "maximize" else loss, module.DTYPE)
        if self._variants is None:
            raise NotCompiled(f"value {name!r}")
        self._described(name)
        only = self._variants.variant(tuple(module.PARAMETERS), (), name)
        return np.asarray(only.predict(self.theta, data)[name])

    def values(self) -> dict[str, Array]:
        """The parameters and states by name as the model sees them, bounds applied."""
        found: dict[str, Array] = self._plain.unpack(self.theta, self.data)
        return found

    def _described(self, name: str) -> Described:
        assert self._variants is not None
        known = self._variants.values
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            raise UnknownValue(name, tuple(known), near[0] if near else None)
        return known[name]

    def _given(self) -> Mapping[str, Any]:
        """The data, with the noise of the step, as the objectives have it."""
        if not self._plain.NOISE:
            return self.data
        return {**self._plain.noise(self.data, *self._noise), **self.data}


def _start(of: tuple[Any, ...], more: dict[str, Any]) -> tuple[Any, str | None]:
    """The seed and the name that `backward` is given, in either order."""
    if not of and not more:
        return None, None
    given = dict(zip(("name", "seed") if of and isinstance(of[0], str) else ("seed", "name"), of, strict=False))
    if len(of) > 2 or more.keys() - {"seed", "name"} or more.keys() & given.keys():
        raise TypeError("backward takes a seed and the name of a value, each once")
    given |= more
    name = given.get("name")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"the name of a value is a str, and this is a {type(name).__name__}")
    return given.get("seed"), name


def _shape(module: ModuleType, name: str, data: Mapping[str, Any]) -> tuple[int | None, ...]:
    """The shape of an output, with None for a length that follows from others."""
    known: dict[str, int] = {}
    for key, entry in module.INPUTS.items():
        if key in data:
            known.update(zip(map(str, entry["shape"]), np.shape(data[key]), strict=False))
    return tuple(n if isinstance(n, int) else known.get(n) for n in module.OUTPUTS[name]["shape"])


def _why(dtype: str) -> str:
    return "it is true or false" if dtype == "bool" else "it counts, in whole numbers"


def _beside(places: list[slice], size: int) -> list[slice]:
    """What these places leave of the vector."""
    found, start = [], 0
    for place in sorted(places, key=lambda place: place.start):
        found.append(slice(start, place.start))
        start = place.stop
    return [place for place in [*found, slice(start, size)] if place.start < place.stop]
