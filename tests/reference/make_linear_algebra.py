"""Writes linear_algebra.json: values, gradients and second derivatives of matrix functions by PyTorch, in float64.

python tests/reference/make_linear_algebra.py

A case has the axes of the matrix, of the right side and of the result as the model writes them. `loss` is
sum(weight * result); `matrix_gradient` and `right_gradient` are its gradients. `matrix_second` and `right_second` are
the gradients of sum(matrix_direction * matrix_gradient) + sum(right_direction * right_gradient).
"""

import json
from pathlib import Path

import torch

LENGTHS = {"k": 2, "m": 2, "p": 3, "d": 3, "d'": 3}
SOLVED = [
    ("d d'", "d", "d"),
    ("d d'", "m d", "m d"),
    ("k d d'", "k d", "k d"),
    ("k d d'", "d", "k d"),
    ("k d d'", "k m d p", "k m d p"),
    ("k d d'", "m d", "k m d"),
]
SINGLE = [
    (operator, axes, axes if operator in ("inverse", "cholesky") else axes.removesuffix("d d'").strip())
    for operator in ("inverse", "cholesky", "logdet", "det", "trace")
    for axes in ("d d'", "k d d'", "k m d d'")
]


def shape(axes: str) -> list[int]:
    return [LENGTHS[axis] for axis in axes.split()]


def solved(matrix: torch.Tensor, right: torch.Tensor, axes: tuple[str, str, str]) -> torch.Tensor:
    """Each system for itself, so that nothing depends on how PyTorch takes batches and several right sides."""
    batch = axes[0].split()[:-2]
    names, result = axes[1].split(), axes[2].split()
    whole = right.expand(shape("k " + axes[1])) if batch and "k" not in names else right
    names = ["k", *names] if batch and "k" not in names else names
    inner = [name for name in names if name not in ("k", "d")]
    order = [*(["k"] if batch else []), "d", *inner]
    moved = whole.permute([names.index(name) for name in order])
    pieces = moved if batch else moved[None]
    matrices = matrix if batch else matrix[None]
    found = torch.stack(
        [torch.linalg.solve(a, b.reshape(3, -1)).reshape(b.shape) for a, b in zip(matrices, pieces, strict=True)]
    )
    found = found if batch else found[0]
    return found.permute([order.index(name) for name in result])


def value(operator: str, matrix: torch.Tensor, right: torch.Tensor, axes: tuple[str, str, str]) -> torch.Tensor:
    match operator:
        case "solve":
            return solved(matrix, right, axes)
        case "inverse":
            return torch.linalg.inv(matrix)
        case "cholesky":
            return torch.linalg.cholesky(matrix)
        case "logdet":
            return torch.logdet(matrix)
        case "det":
            return torch.linalg.det(matrix)
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


def case(operator: str, axes: tuple[str, str, str]) -> dict[str, object]:
    factor = torch.randn(shape(axes[0]), dtype=torch.float64)
    matrix = factor @ factor.transpose(-1, -2) + torch.eye(3, dtype=torch.float64)
    if operator != "cholesky":
        matrix = matrix + 0.3 * torch.randn(shape(axes[0]), dtype=torch.float64)
    matrix.requires_grad_()
    right = torch.randn(shape(axes[1]), dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape(axes[2]), dtype=torch.float64)
    directions = [torch.randn_like(matrix), torch.randn_like(right)]
    found = value(operator, matrix, right, axes)
    loss = (weight * found).sum()
    leaves = [matrix, right] if operator == "solve" else [matrix]
    gradients = torch.autograd.grad(loss, leaves, create_graph=True)
    along = sum((d * g).sum() for d, g in zip(directions, gradients, strict=False))
    second = [torch.zeros_like(leaf) for leaf in leaves]
    if along.requires_grad:
        second = torch.autograd.grad(along, leaves, allow_unused=True, materialize_grads=True)
    numbers = {
        "matrix": matrix,
        "right": right,
        "weight": weight,
        "matrix_direction": directions[0],
        "right_direction": directions[1],
        "value": found,
        "loss": loss,
    }
    for name, gradient, more in zip(("matrix", "right"), gradients, second, strict=False):
        numbers |= {f"{name}_gradient": gradient, f"{name}_second": more}
    return {"operator": operator, "axes": axes, **{name: tensor.tolist() for name, tensor in numbers.items()}}


if __name__ == "__main__":
    torch.manual_seed(0)
    cases = [case("solve", axes) for axes in SOLVED]
    cases += [case(operator, (axes, "d", result)) for operator, axes, result in SINGLE]
    path = Path(__file__).with_name("linear_algebra.json")
    lines = ",\n".join(json.dumps(one) for one in cases)
    head = f'"torch": "{torch.__version__}", "lengths": {json.dumps(LENGTHS)}'
    path.write_text(f'{{{head}, "cases": [\n{lines}\n]}}\n')
