"""What tests of emitted modules share: a module from a model's text, sampled data, and the three ways to a number.

Takes the text of models; gives modules, data and parameters for them, and what the reference evaluator says of the
same quantities, aligned with what the module gives: axes in the module's order, gradients as flat vectors.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gradc.compiler.differentiate import differentiate
from gradc.compiler.graph import Node, Program
from gradc.compiler.pipeline import PASSES, Compiled, Options, compile_model
from gradc.compiler.reference import evaluate, numeric_gradient
from gradc.compiler.source import Source

Array = npt.NDArray[Any]
Data = dict[str, Array]

LENGTH = 4
"""Positions along an axis whose length the data give, and"""
ROWS = 5
"""along the row axis."""


def load(text: str, name: str = "model") -> types.ModuleType:
    """The module that an emitted text is."""
    module = types.ModuleType(name)
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


def compiled(text: str, name: str = "model", **options: Any) -> tuple[Compiled, types.ModuleType]:
    """A model's text, compiled, and its module. `options` are those of `Options`."""
    found = compile_model(Source(f"{name}.model", text), Options(**options))
    return found, load(found.module, name)


def lengths_of(module: types.ModuleType, lengths: Mapping[str, int] | None = None) -> dict[str, int]:
    """A length for each axis: the declared one, else that in `lengths`, else ROWS or LENGTH."""
    found: dict[str, int] = {}
    chosen = lengths or {}
    for axis, declared in module.AXES.items():
        found[axis] = declared or chosen.get(axis) or (ROWS if axis == module.ROWS else LENGTH)
    tables = (module.INPUTS, module.NOISE, module.PARAMETERS, module.STATES)
    for entry in (entry for table in tables for entry in table.values()):
        for length in entry["shape"]:
            if isinstance(length, str):
                found.setdefault(length, chosen.get(length) or (ROWS if length == module.ROWS else LENGTH))
    return found


def sample(module: types.ModuleType, seed: int = 0, lengths: Mapping[str, int] | None = None) -> Data:
    """Data for every input: normal numbers, indexes within their axis, truth values. Noise stands among them, drawn."""
    random = np.random.default_rng(seed)
    known = lengths_of(module, lengths)
    data: Data = {}
    for name, entry in module.INPUTS.items():
        shape = tuple(known.get(length, length) for length in entry["shape"])
        if entry["dtype"] == "bool":
            data[name] = random.random(shape) < 0.5
        elif entry["index"] is not None:
            data[name] = random.integers(0, known[entry["index"]], shape)
        else:
            data[name] = random.normal(size=shape)
    if module.NOISE:
        data |= module.noise(data, seed)
    return data


def start(module: types.ModuleType, data: Data, seed: int = 0, spread: float = 0.4) -> Array:
    """Parameters near the model's start, none of them at a corner."""
    theta = np.asarray(module.initial(data, seed=seed))
    return (theta + spread * np.random.default_rng(seed + 1).normal(size=theta.shape)).astype(theta.dtype)


def aligned(value: Any, node: Node, axes: Sequence[str], shape: Sequence[int]) -> Array:
    """A node's value with its axes in the order `axes`, repeated along those that it lacks."""
    array, names = np.asarray(value), list(node.names)
    kept = [name for name in axes if name in names]
    moved = array.transpose([names.index(name) for name in kept])
    wide = moved.reshape([moved.shape[kept.index(name)] if name in kept else 1 for name in axes])
    return np.broadcast_to(wide, tuple(shape))


@dataclass(frozen=True)
class Truth:
    """What the reference says of a model at one point: of the program as written, differentiated and not simplified."""

    written: Program
    module: types.ModuleType
    data: Data
    theta: Array
    digits: int | None = None

    @cached_property
    def program(self) -> Program:
        return differentiate(self.written)

    @cached_property
    def places(self) -> Mapping[str, tuple[slice, tuple[int, ...]]]:
        found: Mapping[str, tuple[slice, tuple[int, ...]]] = self.module.layout(self.data)
        return found

    @cached_property
    def parameters(self) -> Data:
        return {name: np.asarray(self.theta[at].reshape(shape)) for name, (at, shape) in self.places.items()}

    def _values(self, nodes: Sequence[Node], more: Mapping[str, Array] | None = None) -> list[Array]:
        return evaluate(self.program, nodes, {**self.data, **(more or {})}, self.parameters, self.digits)

    def _flat(self, gradients: Mapping[str, Node], values: Mapping[str, Array]) -> Array:
        flat = np.zeros(self.theta.shape)
        for parameter in self.program.parameters:
            if parameter.name in gradients:
                at, shape = self.places[parameter.name]
                node = gradients[parameter.name]
                axes = [axis.name for axis in parameter.axes]
                flat[at] = aligned(values[parameter.name], node, axes, shape).astype(np.float64).reshape(-1)
        return flat

    @cached_property
    def loss_and_gradient(self) -> tuple[float, Array]:
        """Of the first objective, as `bind(data)(theta)` gives them."""
        return self.steps[self.program.objectives[0].name][:2]

    @cached_property
    def steps(self) -> dict[str, tuple[float, Array, Array]]:
        """Of each objective: as `bind(data, name)(theta)` gives them, and the vector with the updates of states."""
        found = {}
        for objective in self.program.objectives:
            gradients = self.program.gradients[objective.name]
            value, *rest = self._values([objective.value, *gradients.values()])
            after = np.array(self.theta, dtype=np.float64)
            written = {state.name: state for state in self.program.states}
            nodes = dict(objective.updates)
            for (name, node), update in zip(nodes.items(), self._values(list(nodes.values())), strict=True):
                at, shape = self.places[name]
                axes = [axis.name for axis in written[name].axes]
                after[at] = aligned(update, node, axes, shape).astype(np.float64).reshape(-1)
            gradient = self._flat(gradients, dict(zip(gradients, rest, strict=True)))
            found[objective.name] = float(value[()]), gradient, after
        return found

    @cached_property
    def outputs(self) -> Data:
        """As `predict(theta, data)` gives them."""
        lengths = lengths_of(self.module, _told(self.module, self.data))
        values = self._values([node for _, node in self.program.outputs])
        found: Data = {}
        for (name, node), value in zip(self.program.outputs, values, strict=True):
            axes = list(self.module.OUTPUTS[name]["axes"])
            by_name = dict(zip(node.names, value.shape, strict=True))
            shape = [by_name.get(axis, lengths.get(axis.rstrip("'"), 1)) for axis in axes]
            found[name] = aligned(value, node, axes, shape)
        return found

    @cached_property
    def metrics(self) -> dict[str, float]:
        """As `metrics(theta, data)` gives them."""
        values = self._values([node for _, node in self.program.metrics])
        return {name: float(v[()]) for (name, _), v in zip(self.program.metrics, values, strict=True)}

    def pullback(self, seeds: Mapping[str, Array]) -> Array:
        """As `vjp(theta, data, seeds)` gives it."""
        more: Data = {}
        for leaf in self.program.cotangents:
            axes = list(self.module.OUTPUTS[leaf.name]["axes"])
            shape = self.outputs[leaf.name].shape
            seed = np.broadcast_to(seeds.get(leaf.name, np.zeros(shape)), shape)
            more[leaf.name] = seed.transpose([axes.index(name) for name in leaf.names])
        values = self._values(list(self.program.pullback.values()), more)
        return self._flat(self.program.pullback, dict(zip(self.program.pullback, values, strict=True)))

    def numeric(self, most: int | None = None, at: int = 0) -> tuple[Array, Array, Array]:
        """By differences alone: coordinates of theta, the derivative of an objective at each, and its error."""
        objective = self.program.objectives[at]
        found = numeric_gradient(
            self.program, objective.value, self.data, self.parameters, objective.over, most, self.digits
        )
        coordinates = [self.places[name][0].start + e.coordinates for name, e in found.items()]
        return (
            np.concatenate(coordinates) if coordinates else np.zeros(0, dtype=np.int64),
            np.concatenate([e.gradient for e in found.values()]) if found else np.zeros(0),
            np.concatenate([e.error for e in found.values()]) if found else np.zeros(0),
        )


def _told(module: types.ModuleType, data: Data) -> dict[str, int]:
    told: dict[str, int] = {}
    for name, entry in module.INPUTS.items():
        for axis, length in zip(entry["shape"], data[name].shape, strict=True):
            if isinstance(axis, str):
                told.setdefault(axis, length)
    return told


def distance(found: Any, truth: Any) -> float:
    """The largest difference, relative to the largest entry of the truth or 1e-6; infinite where one is not finite."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if a.shape != b.shape:
        raise AssertionError(f"shapes differ: {a.shape} and {b.shape}")
    if not a.size:
        return 0.0
    if not np.isfinite(b).all() or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6))


ALL_OFF = tuple(PASSES)
"""Every pass that can be switched off."""
