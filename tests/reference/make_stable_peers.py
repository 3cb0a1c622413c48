"""The suite of stable forms in PyTorch and JAX: `python -m tests.reference.make_stable_peers` writes stable_peers.json.

Each formula as it is written, in double precision, with the gradient that the library gives; of a thousand points, how
many values and how many gradients are finite and within the bound of the suite.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from tests.stable_formulas import FORMULAS, Formula
from tests.test_stable_suite import TRUTH, within

PATH = Path(__file__).with_name("stable_peers.json")
NAMES = ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")


def _evaluated(formula: Formula, known: dict[str, Any]) -> Any:
    before, last = formula.as_written()
    for line in before:
        exec(line, known)
    return eval(last, known)


def by_torch(formula: Formula, points: Any) -> tuple[Any, Any]:
    """Values and gradients of PyTorch."""

    def of(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: function(torch.as_tensor(x, dtype=torch.float64))

    known: dict[str, Any] = {name: of(getattr(torch, name)) for name in NAMES}
    known |= {"erf": of(torch.special.erf), "erfc": of(torch.special.erfc), "pi": math.pi}
    z = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    value = _evaluated(formula, known | {"z": z})
    value.sum().backward()
    return value.detach().numpy(), z.grad.numpy()


def by_jax(formula: Formula, points: Any) -> tuple[Any, Any]:
    """Values and gradients of JAX."""
    known: dict[str, Any] = {name: getattr(jnp, name) for name in NAMES}
    known |= {"erf": jax.scipy.special.erf, "erfc": jax.scipy.special.erfc, "pi": math.pi}
    value = jax.vmap(lambda z: _evaluated(formula, known | {"z": z}))
    gradient = jax.vmap(jax.grad(lambda z: _evaluated(formula, known | {"z": z})))
    return np.asarray(value(jnp.array(points))), np.asarray(gradient(jnp.array(points)))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    found: dict[str, Any] = {"versions": {name: version(name).partition("+")[0] for name in ("torch", "jax")}}
    for name, peer in (("torch", by_torch), ("jax", by_jax)):
        found[name] = {}
        for formula in FORMULAS:
            truth = TRUTH[formula.name].T
            value, gradient = peer(formula, formula.grid())
            shares = within(value, truth[0], truth[2]), within(gradient, truth[1], truth[3])
            found[name][formula.name] = [int(part.sum()) for part in shares]
    PATH.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
