"""Writes operations.json: values, gradients and Hessian-vector products of the table `operations`, by PyTorch, float64.

python tests/reference/make_operations.py

A case has its operands, and what is stored of `loss = sum(weight * f)`: `value` is f, `gradient` the gradient of the
loss by each operand that is a parameter, and `second` the gradient of `sum(direction * gradient)`, the Hessian times
the direction; what a row says instead of PyTorch stands in its place. A number that JSON has not is a word.
"""

from __future__ import annotations

import json
import math
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from operations import LENGTHS, OPERATIONS, Operand, Operation

torch.set_default_dtype(torch.float64)


def drawn(operand: Operand) -> torch.Tensor:
    """Numbers from the operand's domain."""
    shape = operand.shape
    if operand.index is not None:
        return torch.randint(LENGTHS[operand.index], shape)
    normal = torch.randn(shape)
    match operand.domain:
        case "bool":
            return normal > 0
        case "positive":
            return normal.abs() + 0.5
        case "above":
            return normal.abs() + 1.5
        case "unit":
            return 0.9 * normal.tanh()
        case "regular":
            return normal + 2 * torch.eye(shape[-1])
        case "definite":
            return normal @ normal.mT + torch.eye(shape[-1])
    return normal


def numbers(tensor: torch.Tensor) -> Any:
    """As nested lists, of which JSON holds every number."""

    def held(value: Any) -> Any:
        if isinstance(value, list):
            return [held(part) for part in value]
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    # A derivative that is 0 everywhere comes without storage.
    return held(torch.empty_like(tensor).copy_(tensor).tolist() if tensor._is_zerotensor() else tensor.tolist())


def stored(case: Operation) -> dict[str, Any]:
    """The case's inputs, and what PyTorch gives."""
    operands = {name: drawn(o) if o.values is None else torch.tensor(o.values) for name, o in case.operands.items()}
    leaves = {name: operands[name].requires_grad_() for name, o in case.operands.items() if o.trained}
    value = eval(case.torch, {"torch": torch, "F": F, "accumulate": accumulate, **operands})
    assert list(value.shape) == case.result, case.name
    weight = torch.randn(value.shape)
    directions = {name: torch.randn(leaf.shape) for name, leaf in leaves.items()}
    of = list(leaves.values())
    gradients = torch.autograd.grad(
        (weight * value).sum(), of, create_graph=True, allow_unused=True, materialize_grads=True
    )
    along = sum((d * g).sum() for d, g in zip(directions.values(), gradients, strict=True))
    second = [torch.zeros_like(leaf) for leaf in of]
    if along.requires_grad:
        second = torch.autograd.grad(along, of, allow_unused=True, materialize_grads=True)
    known = {**operands, "torch": torch, "math": math, "weight": weight, "direction": directions}
    known["second"] = dict(zip(leaves, second, strict=True))
    instead = {name: eval(text, known) for name, text in case.instead.items()}
    return {
        "name": case.name,
        "operands": {name: numbers(o.detach()) for name, o in operands.items()},
        "weight": numbers(weight),
        "direction": {name: numbers(d) for name, d in directions.items()},
        "value": numbers(value.detach()),
        "gradient": {n: numbers(instead.get(n, g).detach()) for n, g in zip(leaves, gradients, strict=True)},
        "second": {n: numbers(instead.get(f"second {n}", s).detach()) for n, s in zip(leaves, second, strict=True)},
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    lines = ",\n".join(json.dumps(stored(case)) for case in OPERATIONS)
    path = Path(__file__).with_name("operations.json")
    path.write_text(f'{{"torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')
