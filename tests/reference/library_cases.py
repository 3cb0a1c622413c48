"""What the scripts make_stats.py, make_loss.py and make_nn.py share: cases by PyTorch and by mpmath, and their file.

A case has the call as a model writes it, the layers that it needs, and the axes, the value and the gradient of each
argument; `loss` is sum(weight * value). An argument without a gradient is data; one with an `index` is a position along
that axis. Where PyTorch has no such function, and in the tails, where it loses digits itself, the formula is computed
point by point in 60 digits, and so is its derivative by each argument: those cases are marked `exact`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import torch
from mpmath import mpf
from torch import Tensor

LENGTHS = {"n": 6, "k": 4, "d": 3, "e": 3, "i": 3, "j": 2, "o": 4, "t": 5, "s": 4, "c": 2, "h": 3, "w": 4}
LENGTHS |= {"vocab": 7, "head": 2, "m": 3, "wide": 6, "r": 3, "u": 2, "v": 3, "p": 7, "q": 8}
LENGTHS |= {f"y{length}": length for length in (2, 3, 4, 5, 7, 8)}
CASES: list[dict[str, Any]] = []


def shape(axes: str) -> list[int]:
    return [LENGTHS[axis.rstrip("'")] for axis in axes.split()]


def real(axes: str) -> Tensor:
    return torch.randn(shape(axes))


def positive(axes: str) -> Tensor:
    return 0.3 + 2 * torch.rand(shape(axes))


def share(axes: str) -> Tensor:
    return 0.02 + 0.96 * torch.rand(shape(axes))


def count(axes: str) -> Tensor:
    return torch.randint(0, 6, shape(axes)).double()


def yes(axes: str) -> Tensor:
    return torch.randint(0, 2, shape(axes)).double()


def sign(axes: str) -> Tensor:
    return 2 * yes(axes) - 1


def shares(axes: str) -> Tensor:
    """Along the last axis."""
    return torch.softmax(real(axes), -1)


def definite(axes: str) -> Tensor:
    factor = real(axes)
    return factor @ factor.mT + torch.eye(factor.shape[-1])


def lower(axes: str) -> Tensor:
    return torch.linalg.cholesky(definite(axes))


DATA = (count, yes, sign)
"""Numbers by which nothing is differentiated."""

Kind = Callable[[str], Tensor]


class Index:
    """A position along the axis."""

    def __init__(self, axis: str) -> None:
        self.axis = axis

    def __call__(self, axes: str) -> Tensor:
        return torch.randint(0, LENGTHS[self.axis], shape(axes))


def add(
    call: str,
    function: Callable[..., Tensor],
    given: dict[str, tuple[str, Kind | Tensor]],
    result: str,
    layers: dict[str, str] | None = None,
) -> None:
    """A case by PyTorch: `given` holds the axes of each argument and the kind of its numbers, or them."""
    values: dict[str, Tensor] = {}
    entries: dict[str, dict[str, Any]] = {}
    for name, (axes, kind) in given.items():
        values[name] = kind if isinstance(kind, Tensor) else kind(axes)
        entries[name] = {"axes": axes}
        if isinstance(kind, Index):
            entries[name]["index"] = kind.axis
        elif kind not in DATA:
            values[name].requires_grad_()
    found = function(*values.values())
    weight = torch.randn(shape(result))
    assert found.shape == weight.shape, (call, found.shape, weight.shape)
    leaves = {name: value for name, value in values.items() if value.requires_grad}
    gradients = torch.autograd.grad(
        (weight * found).sum(), list(leaves.values()), materialize_grads=True, allow_unused=True
    )
    for name, value in values.items():
        entries[name]["value"] = value.tolist()
    for name, gradient in zip(leaves, gradients, strict=True):
        entries[name]["gradient"] = gradient.tolist()
    more = {"layers": layers} if layers else {}
    CASES.append(
        {"call": call, **more, "given": entries, "result": result, "weight": weight.tolist(), "value": found.tolist()}
    )


def points(call: str, function: Callable[..., Tensor], **kinds: Kind) -> None:
    """A case point by point, along n."""
    add(call, function, {name: ("n", kind) for name, kind in kinds.items()}, "n")


def slope(function: Callable[..., Any], row: list[Any], i: int) -> float:
    """The derivative by the ith argument, by differences that are small beside it."""
    size = abs(row[i]) or mpf(1)
    found = mpmath.diff(lambda t: function(*row[:i], row[i] + t * size, *row[i + 1 :]), 0)
    return float(mpmath.mpf(found.real) / size)


def exact(call: str, function: Callable[..., Any], data: str = "", **columns: list[float]) -> None:
    """A case in 60 digits, point by point; `data` names what is not differentiated."""
    names = list(columns)
    rows = list(zip(*columns.values(), strict=True))
    with mpmath.workdps(60):
        exactly = [[mpf(x) for x in row] for row in rows]
        value = [float(function(*row)) for row in exactly]
        entries: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(names):
            entries[name] = {"axes": "n", "value": columns[name]}
            if name not in data.split():
                entries[name]["gradient"] = [slope(function, row, i) for row in exactly]
    CASES.append(
        {"call": call, "exact": True, "given": entries, "result": "n", "weight": [1.0] * len(rows), "value": value}
    )


def written(name: str, *parts: Callable[[], None]) -> None:
    """The file of that name, with the cases that the parts add; the same numbers each time."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    for part in parts:
        part()
    lines = ",\n".join(json.dumps(one) for one in CASES)
    head = f'"torch": "{torch.__version__}", "lengths": {json.dumps(LENGTHS)}'
    Path(__file__).with_name(f"{name}.json").write_text(f'{{{head}, "cases": [\n{lines}\n]}}\n')
