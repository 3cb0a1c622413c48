"""Writes arrays.json: windows, concat, flatten, split, running totals and sort by PyTorch, in float64.

python tests/reference/make_arrays.py

A case has a formula `f` in the language, the axes of its result, and arrays by name, each with its axes as the model
writes them. `loss` is sum(weight * f^2); `gradients` are its gradients by the arrays, `seconds` the gradients of
sum(direction * gradient), over all arrays. All cases are computed by functions of PyTorch that do the same as the
formula by another way: convolutions by `conv1d` and `conv2d`, pools by `max_pool2d`, and so on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

LENGTHS = {
    "n": 2,
    "c": 3,
    "o": 2,
    "t": 7,
    "h": 6,
    "w": 5,
    "r": 3,
    "s": 2,
    "u": 2,
    "v": 2,
    "e": 1,
    "q": 4,
    "f": 12,
    "p": 8,
}


@dataclass(frozen=True)
class Case:
    """One formula and the function of PyTorch that is the same. `shapes` are the axes of each array."""

    name: str
    formula: str
    result: str
    shapes: dict[str, str]
    of: Callable[..., Tensor]
    values: dict[str, list[float]] | None = None  # flat, where they are not random


def conv1d(**more: int | str) -> Callable[..., Tensor]:
    return lambda x, K: F.conv1d(x, K, **more)


def conv2d(**more: int | str) -> Callable[..., Tensor]:
    return lambda x, K: F.conv2d(x, K, **more)


def written(options: dict[str, int | str]) -> str:
    names = {"padding": "pad"}
    return "".join(f", {names.get(key, key)}={json.dumps(value)}" for key, value in options.items())


def one_dimension(**options: int | str) -> Case:
    formula = f"sum[c, r](window[t: r](x{written(options)}) * K)"
    name = "conv1d " + " ".join(f"{key} {value}" for key, value in options.items())
    return Case(name, formula, "n o t", {"x": "n c t", "K": "o c r"}, conv1d(**options))


def two_dimensions(**options: int | str) -> Case:
    formula = f"sum[c, r, s](window[h: r, w: s](x{written(options)}) * K)"
    name = "conv2d " + " ".join(f"{key} {value}" for key, value in options.items())
    return Case(name, formula, "n o h w", {"x": "n c h w", "K": "o c r s"}, conv2d(**options))


def dilated_pool(x: Tensor) -> Tensor:
    return F.max_pool1d(x, 3, stride=2, dilation=2)


def windows_by_hand(x: Tensor) -> Tensor:
    return torch.stack([torch.stack([x[:, :, 2 * p + i] for i in range(3)], -1) for p in range(3)], 2)


def block(x: Tensor, K: Tensor, W: Tensor) -> Tensor:
    """A convolution, a pool, and a matrix over all that is left."""
    return F.max_pool2d(torch.tanh(F.conv2d(x, K)), (2, 2)).flatten(1) @ W


ZEROS = [1.5, 0.0, -0.5, 2.0, 0.0, 1.0, 3.0, 0.7, -1.2, 0.4, 0.0, 1.1, -0.3, 0.9]
TIES = [2.0, 1.0, 2.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 3.0, -1.0, 3.0, 2.0, -1.0]

CASES = [
    *(
        one_dimension(**options)
        for options in (
            {},
            {"stride": 2},
            {"stride": 3},
            {"dilation": 2},
            {"dilation": 3},
            {"stride": 2, "dilation": 2},
            {"padding": 1},
            {"padding": 2, "stride": 2},
            {"padding": 3, "dilation": 2, "stride": 2},
            {"padding": "same"},
            {"padding": "same", "dilation": 2},
            {"stride": 5},
        )
    ),
    *(
        two_dimensions(**options)
        for options in (
            {},
            {"stride": 2},
            {"dilation": 2},
            {"padding": 1},
            {"stride": 2, "padding": 1},
            {"padding": "same"},
            {"stride": 2, "padding": 2, "dilation": 2},
            {"padding": "same", "dilation": 2},
        )
    ),
    Case(
        "conv1d even taps same",
        'sum[c, s](window[t: s](x, pad="same") * K)',
        "n o t",
        {"x": "n c t", "K": "o c s"},
        conv1d(padding="same"),
    ),
    Case(
        "conv1d taps to the end", "sum[c, t'](window[t: t'](x) * K)", "n o t", {"x": "n c t", "K": "o c t'"}, conv1d()
    ),
    Case("conv1d one tap", "sum[c, e](window[t: e](x) * K)", "n o t", {"x": "n c t", "K": "o c e"}, conv1d()),
    Case(
        "conv1d one position",
        "sum[c, e](window[t: e](x, stride=9) * K)",
        "n o t",
        {"x": "n c t", "K": "o c e"},
        conv1d(stride=9),
    ),
    Case(
        "conv2d kernel in another order",
        "sum[c, r, s](window[h: r, w: s](x) * K)",
        "n o h w",
        {"x": "n h c w", "K": "r o s c"},
        lambda x, K: F.conv2d(x.permute(0, 2, 1, 3), K.permute(1, 3, 0, 2)),
    ),
    Case(
        "conv2d of each channel",
        "sum[r, s](window[h: r, w: s](x) * K)",
        "n c h w",
        {"x": "n c h w", "K": "c r s"},
        lambda x, K: F.conv2d(x, K[:, None], groups=3),
    ),
    Case(
        "conv2d without batch",
        "sum[c, r, s](window[h: r, w: s](x) * K)",
        "o h w",
        {"x": "c h w", "K": "o c r s"},
        conv2d(),
    ),
    Case(
        "conv2d strides apart",
        "sum[c, r, s](window[w: s](window[h: r](x, stride=2), dilation=2) * K)",
        "n o h w",
        {"x": "n c h w", "K": "o c r s"},
        conv2d(stride=(2, 1), dilation=(1, 2)),
    ),
    Case(
        "filter",
        "sum[r](window[t: r](x) * K)",
        "n t",
        {"x": "n t", "K": "r"},
        lambda x, K: F.conv1d(x[:, None], K[None, None])[:, 0],
    ),
    Case(
        "filter of a vector",
        "sum[r](window[t: r](x, pad=1) * K)",
        "t",
        {"x": "t", "K": "r"},
        lambda x, K: F.conv1d(x[None, None], K[None, None], padding=1)[0, 0],
    ),
    Case("windows", "window[t: r](x, stride=2)", "n c t r", {"x": "n c t"}, windows_by_hand),
    Case("unfold", "window[t: r](x, stride=2)", "n c t r", {"x": "n c t"}, lambda x: x.unfold(2, 3, 2)),
    Case(
        "unfold twice",
        "window[w: s](window[h: r](x, stride=3))",
        "n h w r s",
        {"x": "n h w"},
        lambda x: x.unfold(1, 3, 3).unfold(2, 2, 1),
    ),
    Case(
        "windows of windows",
        "sum[s](window[t: s](window[t: r](x)) * y)",
        "n t r",
        {"x": "n t", "y": "r s"},
        lambda x, y: torch.einsum("ntrs,rs->ntr", x.unfold(1, 3, 1).unfold(1, 2, 1), y),
    ),
    Case(
        "windows of taps",
        "window[r: s](window[t: r](x, stride=2))",
        "n t r s",
        {"x": "n t"},
        lambda x: x.unfold(1, 3, 2).unfold(2, 2, 1),
    ),
    Case(
        "max pool",
        "max[u, v](window[h: u, w: v](x, stride=2))",
        "n c h w",
        {"x": "n c h w"},
        lambda x: F.max_pool2d(x, 2),
    ),
    Case(
        "max pool that overlaps",
        "max[r, s](window[h: r, w: s](x))",
        "n c h w",
        {"x": "n c h w"},
        lambda x: F.max_pool2d(x, (3, 2), stride=1),
    ),
    Case("max pool dilated", "max[r](window[t: r](x, stride=2, dilation=2))", "n c t", {"x": "n c t"}, dilated_pool),
    Case(
        "min pool",
        "min[r](window[t: r](x, stride=2))",
        "n c t",
        {"x": "n c t"},
        lambda x: -F.max_pool1d(-x, 3, stride=2),
    ),
    Case(
        "mean pool",
        "mean[u, v](window[h: u, w: v](x, stride=2))",
        "n c h w",
        {"x": "n c h w"},
        lambda x: F.avg_pool2d(x, 2),
    ),
    Case(
        "mean pool padded",
        "mean[r](window[t: r](x, stride=2, pad=1))",
        "n c t",
        {"x": "n c t"},
        lambda x: F.avg_pool1d(x, 3, stride=2, padding=1),
    ),
    Case(
        "product over windows",
        "prod[r](window[t: r](x, stride=2))",
        "n t",
        {"x": "n t"},
        lambda x: x.unfold(1, 3, 2).prod(-1),
    ),
    Case(
        "logsumexp over windows",
        "logsumexp[r](window[t: r](x))",
        "n t",
        {"x": "n t"},
        lambda x: x.unfold(1, 3, 1).logsumexp(-1),
    ),
    Case(
        "norm over windows",
        "norm[r](window[t: r](x, stride=2))",
        "n t",
        {"x": "n t"},
        lambda x: x.unfold(1, 3, 2).norm(dim=-1),
    ),
    Case(
        "differences in windows",
        "sum[r]((window[t: r](x) - y)^2 * K)",
        "n t",
        {"x": "n t", "y": "n", "K": "r"},
        lambda x, y, K: ((x.unfold(1, 3, 1) - y[:, None, None]) ** 2 * K).sum(-1),
    ),
    Case(
        "windows of rows",
        "sum[r, c](window[n: r](x, pad=1) * K)",
        "n o",
        {"x": "n c", "K": "o c r"},
        lambda x, K: F.conv1d(x.T[None], K, padding=1)[0].T,
    ),
    Case(
        "convolution, pool, flatten",
        "sum[p](flatten[(o, h, w) -> p](max[u, v](window[h: u, w: v]"
        "(tanh(sum[c, r, s](window[h: r, w: s](x) * K)), stride=2))) * W)",
        "n q",
        {"x": "n c h w", "K": "o c r s", "W": "p q"},
        block,
    ),
    Case("concat", "concat[t](x, y)", "n t", {"x": "n t", "y": "n t"}, lambda x, y: torch.cat([x, y], 1)),
    Case(
        "concat of three",
        "concat[t](x[t = 1:], y * x, z[t = :2])",
        "n t",
        {"x": "n t", "y": "n", "z": "n t"},
        lambda x, y, z: torch.cat([x[:, 1:], y[:, None] * x, z[:, :2]], 1),
    ),
    Case(
        "concat broadcast",
        "concat[c](x, y)",
        "n c t",
        {"x": "n c t", "y": "c"},
        lambda x, y: torch.cat([x, y[None, :, None].expand(2, 3, 7)], 1),
    ),
    Case(
        "concat of one position",
        "concat[t](x[t = 0:1], y)",
        "n t",
        {"x": "n t", "y": "n t"},
        lambda x, y: torch.cat([x[:, :1], y], 1),
    ),
    Case("concat of the same", "concat[t](x, x)", "n t", {"x": "n t"}, lambda x: torch.cat([x, x], 1)),
    Case("concat of rows", "concat[n](x, y)", "n c", {"x": "n c", "y": "n c"}, lambda x, y: torch.cat([x, y], 0)),
    Case("flatten", "sin(flatten[(c, t) -> m](x))", "n m", {"x": "n c t"}, lambda x: torch.sin(x.flatten(1))),
    Case(
        "flatten in another order",
        "flatten[(t, c) -> m](x)",
        "n m",
        {"x": "n c t"},
        lambda x: x.permute(0, 2, 1).flatten(1),
    ),
    Case(
        "flatten a part",
        "flatten[(t, c) -> m](x * y)[m = 2::3]",
        "n m",
        {"x": "n t", "y": "c"},
        lambda x, y: (x[:, :, None] * y).flatten(1)[:, 2::3],
    ),
    Case("flatten rows", "flatten[(n, c) -> m](x)", "m t", {"x": "n c t"}, lambda x: x.flatten(0, 1)),
    Case("split", "split[f -> (g: 2, k)](x)", "n g k", {"x": "n f"}, lambda x: x.unflatten(1, (2, 6))),
    Case(
        "split in three",
        "split[f -> (g: 2, c, k)](x) * y",
        "n g c k",
        {"x": "n f", "y": "c"},
        lambda x, y: x.unflatten(1, (2, 3, 2)) * y[None, None, :, None],
    ),
    Case(
        "split and flatten",
        "flatten[(k, g) -> m](split[f -> (g: 2, k)](x))",
        "n m",
        {"x": "n f"},
        lambda x: x.unflatten(1, (2, 6)).transpose(1, 2).flatten(1),
    ),
    Case(
        "split of a slice",
        "split[t -> (g: 2, k)](x[t = 1:])",
        "n g k",
        {"x": "n t"},
        lambda x: x[:, 1:].unflatten(1, (2, 3)),
    ),
    Case("cumsum", "cumsum[t](x)", "n t", {"x": "n t"}, lambda x: x.cumsum(1)),
    Case("cumsum in the middle", "cumsum[c](x * y)", "n c t", {"x": "n c t", "y": "t"}, lambda x, y: (x * y).cumsum(1)),
    Case("cumsum twice", "cumsum[t](cumsum[t](x))", "t", {"x": "t"}, lambda x: x.cumsum(0).cumsum(0)),
    Case("cumsum of one", "cumsum[e](x)", "n e", {"x": "n e"}, lambda x: x.cumsum(1)),
    Case("cumsum of rows", "cumsum[n](x)", "n c", {"x": "n c"}, lambda x: x.cumsum(0)),
    Case("cumprod", "cumprod[t](x)", "n t", {"x": "n t"}, lambda x: x.cumprod(1)),
    Case("cumprod with zeros", "cumprod[t](x)", "n t", {"x": "n t"}, lambda x: by_parts(x), {"x": ZEROS}),
    Case(
        "cumprod in the middle", "cumprod[c](x * y)", "n c t", {"x": "n c t", "y": "t"}, lambda x, y: (x * y).cumprod(1)
    ),
    Case("cumprod of one", "cumprod[e](x)", "n e", {"x": "n e"}, lambda x: x.cumprod(1)),
    Case("cumprod of a vector", "cumprod[t](1 - 0.5 * x)", "t", {"x": "t"}, lambda x: (1 - 0.5 * x).cumprod(0)),
    Case("cumprod of rows", "cumprod[n](x)", "n c", {"x": "n c"}, lambda x: x.cumprod(0)),
    Case("sort", "sort[t](x) * y", "n t", {"x": "n t", "y": "t"}, lambda x, y: x.sort(dim=1, stable=True).values * y),
    Case(
        "sort with ties",
        "sort[t](x) * y",
        "n t",
        {"x": "n t", "y": "t"},
        lambda x, y: x.sort(dim=1, stable=True).values * y,
        {"x": TIES},
    ),
    Case(
        "sort in the middle",
        "sort[c](x) * y",
        "n c t",
        {"x": "n c t", "y": "c"},
        lambda x, y: x.sort(1).values * y[None, :, None],
    ),
    Case("sort of one", "sort[e](x)", "n e", {"x": "n e"}, lambda x: x.sort(1).values),
    Case("sort of rows", "sort[n](x)", "n c", {"x": "n c"}, lambda x: x.sort(0).values),
    Case("median", "sort[t](x)[t = 3]", "n", {"x": "n t"}, lambda x: x.sort(1).values[:, 3]),
    Case(
        "argsort of another",
        "x[t = argsort[t](y)] * z",
        "n t",
        {"x": "n t", "y": "t", "z": "t"},
        lambda x, y, z: x[:, y.argsort()] * z + 0 * y.sum(),
    ),
]


def by_parts(x: Tensor) -> Tensor:
    """Running products one factor after the other: PyTorch's own divides, and its second derivative at 0 is wrong."""
    found = [x[:, 0]]
    for i in range(1, x.shape[1]):
        found.append(found[-1] * x[:, i])
    return torch.stack(found, 1)


def shape(axes: str) -> list[int]:
    return [LENGTHS[axis.rstrip("'")] for axis in axes.split()]


def computed(case: Case) -> dict[str, object]:
    arrays = {}
    for name, axes in case.shapes.items():
        given = (case.values or {}).get(name)
        array = torch.randn(shape(axes), dtype=torch.float64)
        arrays[name] = array if given is None else torch.tensor(given, dtype=torch.float64).reshape(shape(axes))
        arrays[name].requires_grad_()
    found = case.of(*arrays.values())
    weight = torch.randn(found.shape, dtype=torch.float64)
    directions = {name: torch.randn_like(array) for name, array in arrays.items()}
    loss = (weight * found**2).sum()
    gradients = torch.autograd.grad(loss, list(arrays.values()), create_graph=True)
    along = sum((directions[name] * g).sum() for name, g in zip(arrays, gradients, strict=True))
    seconds = torch.autograd.grad(along, list(arrays.values()), allow_unused=True, materialize_grads=True)
    return {
        "name": case.name,
        "formula": case.formula,
        "result": case.result,
        "shapes": case.shapes,
        "arrays": {name: array.tolist() for name, array in arrays.items()},
        "directions": {name: array.tolist() for name, array in directions.items()},
        "weight": weight.tolist(),
        "value": found.tolist(),
        "loss": loss.tolist(),
        "gradients": {name: g.tolist() for name, g in zip(arrays, gradients, strict=True)},
        "seconds": {name: g.tolist() for name, g in zip(arrays, seconds, strict=True)},
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    lines = ",\n".join(json.dumps(computed(case)) for case in CASES)
    head = f'"torch": "{torch.__version__}", "lengths": {json.dumps(LENGTHS)}'
    Path(__file__).with_name("arrays.json").write_text(f'{{{head}, "cases": [\n{lines}\n]}}\n')
