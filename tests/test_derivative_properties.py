"""Derivatives beyond the gradient on generated models: the module, the reference in 60 digits, and differences.

The reference evaluates the derivative as it was differentiated and not simplified; a difference of the gradient in 60
digits knows no rule of calculus for its second derivative. What must hold of any model: a Hessian is symmetric to the
bit, a product with a direction is the matrix times it, and a Jacobian times a direction on either side is the product
that is computed without it.
"""

from __future__ import annotations

import itertools
import types
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, seed, settings

from gradc.compiler.derivatives import Derived, copies, derived
from gradc.compiler.differentiate import differentiate
from gradc.compiler.graph import Program
from gradc.compiler.reference import evaluate, numeric_gradient
from gradc.compiler.source import ModelError

from .generate import models
from .harness import ALL_OFF, Data, aligned, compiled, sample, start
from .test_properties import PRECISE, REFUSED, agree, each

Array = npt.NDArray[Any]

DIGITS = 60


@dataclass(frozen=True)
class Exactly:
    """What the reference says of a model's derivatives at a point, in a direction."""

    written: Program
    module: types.ModuleType
    data: Data
    theta: Array
    v: Array
    digits: int | None

    @cached_property
    def program(self) -> Program:
        return differentiate(self.written)

    @cached_property
    def places(self) -> dict[str, tuple[slice, tuple[int, ...]]]:
        found: dict[str, tuple[slice, tuple[int, ...]]] = self.module.layout(self.data)
        return found

    def parts(self, vector: Array) -> Data:
        return {name: vector[at].reshape(shape) for name, (at, shape) in self.places.items()}

    def values(self, program: Program) -> Data:
        along = {f"along {name}": value for name, value in self.parts(self.v).items()}
        parts = program.pullback
        found = evaluate(program, list(parts.values()), self.data, self.parts(self.theta) | along, self.digits)
        return dict(zip(parts, found, strict=True))

    @cached_property
    def hessians(self) -> dict[str, Array]:
        return {str(item.of): self._hessian(item) for item in derived(self.program, "hessian")}

    def _hessian(self, item: Derived) -> Array:
        found = np.zeros((self.theta.size, self.theta.size))
        by_name = {p.name: p for p in self.program.parameters}
        for key, value in self.values(item.program).items():
            first, second = (by_name[name] for name in key.split(" "))
            to = copies(second.leaf.axes, first.leaf.names)
            axes = [*(a.name for a in first.axes), *(to[a.name] for a in second.axes)]
            (rows, row_shape), (columns, column_shape) = self.places[first.name], self.places[second.name]
            block = aligned(value, item.program.pullback[key], axes, (*row_shape, *column_shape)).astype(np.float64)
            found[rows, columns] = block.reshape(found[rows, columns].shape)
            found[columns, rows] = found[rows, columns].T
        return found

    @cached_property
    def hvps(self) -> dict[str, Array]:
        return {str(item.of): self._hvp(item) for item in derived(self.program, "hvp")}

    def _hvp(self, item: Derived) -> Array:
        found = np.zeros(self.theta.size)
        by_name = {p.name: p for p in self.program.parameters}
        for name, value in self.values(item.program).items():
            at, shape = self.places[name]
            axes = [axis.name for axis in by_name[name].axes]
            found[at] = aligned(value, item.program.pullback[name], axes, shape).astype(np.float64).reshape(-1)
        return found

    def jvp(self, shapes: dict[str, tuple[int, ...]]) -> Data:
        items = derived(self.program, "jvp")
        outputs = self.module.OUTPUTS  # whose axes stand as the module gives them
        return {
            name: aligned(value, item.program.pullback[name], outputs[name]["axes"], shapes[name])
            for item in items
            for name, value in self.values(item.program).items()
        }

    def differences(self, at: int, most: int) -> tuple[Array, Array, Array]:
        """Coordinates of an objective's Hessian times the direction, by differences of its gradient, and the error."""
        graph, objective = self.program.graph, self.program.objectives[at]
        program = derived(self.program, "hvp")[at].program
        slopes = self.program.gradients[objective.name]
        terms = [
            graph.contract([slopes[p.name], tangent.leaf], p.leaf.axes)
            for p, tangent in zip(program.parameters, program.tangents, strict=True)
        ]
        known = self.parts(self.theta) | {f"along {name}": value for name, value in self.parts(self.v).items()}
        found = numeric_gradient(program, graph.sum(terms), self.data, known, objective.over, most, self.digits)
        coordinates = [self.places[name][0].start + estimate.coordinates for name, estimate in found.items()]
        return (
            np.concatenate(coordinates),
            np.concatenate([estimate.gradient for estimate in found.values()]),
            np.concatenate([estimate.error for estimate in found.values()]),
        )


def everything_agrees(text: str) -> None:
    try:
        of, module = compiled(text)
        kinds = ("hessian", "hvp", *(("jvp", "jacobian", "vjp") if of.program.cotangents else ()))
        found = [compiled(text, derivatives=kinds), compiled(text, derivatives=kinds, without=ALL_OFF)]
    except ModelError as error:
        if {d.code for d in error.diagnostics} <= REFUSED:
            return
        raise
    data = sample(module, seed=1)
    theta = start(module, data, seed=2)
    v = np.random.default_rng(3).normal(size=theta.shape)
    plain = Exactly(of.elaborated, module, data, theta, v, None)
    exact = replace(plain, digits=DIGITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, each_module in found:
            _agrees(each_module, plain, exact, kinds)
    for at, hvp in enumerate(exact.hvps.values()):
        if np.isfinite(hvp).all():
            coordinates, estimate, error = exact.differences(at, 3)
            scale = max(1e-9, float(np.abs(hvp).max(initial=0)))
            told = error < PRECISE * scale
            assert (np.abs(estimate - hvp[coordinates])[told] <= PRECISE * scale).all()


def _agrees(module: types.ModuleType, plain: Exactly, exact: Exactly, kinds: Sequence[str]) -> None:
    data, theta, v = plain.data, plain.theta, plain.v
    for name, block in itertools.product(module.OBJECTIVES, (None, 2)):
        bound = module.bind_hessian(data, name, block)
        bound(theta + 0.5)
        hessian = bound(theta)
        what = f"the Hessian of {name} in blocks of {block}"
        agree(hessian, plain.hessians[name], exact.hessians[name], what)
        assert (hessian == hessian.T).all() or not np.isfinite(hessian).all()
        product = module.bind_hvp(data, name, block)
        product(theta + 0.5, v)
        agree(product(theta, v), plain.hvps[name], exact.hvps[name], f"{what} times a direction")
    if "jvp" not in kinds:
        return
    shapes = {name: value.shape for name, value in module.predict(theta, data).items()}
    moved, jacobian = module.jvp(theta, data, v), module.jacobian(theta, data)
    expected, precisely = plain.jvp(shapes), exact.jvp(shapes)
    random = np.random.default_rng(7)
    for name, value in moved.items():
        agree(value, expected[name], precisely[name], f"how {name} moves")
        assert jacobian[name].shape == (*value.shape, theta.size)
        if np.isfinite(jacobian[name]).all():
            agree(jacobian[name] @ v, expected[name], precisely[name], f"the Jacobian of {name} times a direction")
            u = random.normal(size=value.shape)
            pulled = module.vjp(theta, data, {name: u})
            if np.isfinite(pulled).all() and np.isfinite(precisely[name].astype(np.float64)).all():
                scale = 1e-6 + np.abs(jacobian[name]).max(initial=0) * np.abs(u).sum()
                assert np.abs(np.tensordot(u, jacobian[name], u.ndim) - pulled).max(initial=0) <= 1e-6 * scale


FEW = "axis k: 3\nbatch n\ninput x[n]\ninput q\nparam w[k] = 0.3\n"
"""What stands along the rows and `k` has more elements than the data: a Hessian forms it anew in each block of rows."""

FOUND = {
    "every other row of what each block forms": "minimize sum[n, k](w^3 * cos(x * index[k])[n = ::2])",
    "fewer rows than there are": "minimize sum[n, k](w^3 * cos(x[n = 1:] * index[k]))",
    "rows sorted": "minimize sum[n, k](w^3 * index[n] * sort[n](cos(x * index[k])))",
    "matrices over the rows": (
        "M = where(index[n] == index[n'], 2 + tanh(x * index[k]), 0)\nminimize sum(w^3 * log(det[n, n'](M)))"
    ),
    "numbers along pairs of rows": (
        "minimize sum[k](w^3) * log(det[n, n'](where(index[n] == index[n'], 2, tanh(q) / size[n])))"
    ),
    "several objectives": "minimize a = sum(w^2 * q)\nmaximize b = sum(sin(w)) over w\noutput o = w * x",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_found_by_generated_models(text: str) -> None:
    everything_agrees(f"{FEW}{text}\n")


def test_a_jacobian_through_a_scan_that_lacks_an_axis_of_the_output() -> None:
    step = "    s = tanh(s + sum[t](a * (w + s)))\n    yield s\n"
    everything_agrees(
        f"axis v: 4, k: 3, t: 2\nparam w[t] = 0.3, b[k] = 0.2\ninput a[t]\nr = scan v with s = 0.5:\n{step}"
        "minimize sum(w^2)\noutput o = b - mean[v](r)\n"
    )


def test_what_a_scan_is_in_prediction_alone() -> None:
    step = "    s = tanh(s + (if training then w * a else a))\n    yield s\n"
    everything_agrees(
        f"axis v: 4\nparam w = 0.3\ninput a[v]\nr = scan v with s = tanh(w):\n{step}"
        "minimize w^2 + sum(r)\noutput o = sum(r) > 0\n"
    )


def test_a_direction_lies_in_memory_as_its_parameter_was_written() -> None:
    objective = "sin(flatten[(k, k') -> f](M)) * flatten[(k, k') -> f](cos(M[k -> k', k' -> k]))"
    everything_agrees(f"axis k: 3\nparam M[k', k]\nminimize sum({objective})\n")


PARTS, SIZE = 10, 8


@pytest.mark.parametrize("part", range(PARTS))
def test_models(part: int) -> None:
    @seed(100 + part)
    @settings(each, max_examples=SIZE)
    @given(text=models())
    def agreeing(text: str) -> None:
        everything_agrees(text)

    agreeing()
