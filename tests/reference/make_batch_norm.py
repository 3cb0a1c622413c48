"""Writes batch_norm.json: networks with BatchNorm, and Dropout, in training and in prediction, by PyTorch in float64.

Steps of SGD over minibatches; of each the loss, the gradients and the running statistics that it leaves; at the end the
outputs in `eval`. Of Dropout what it makes of an array, and the gradient. Needs PyTorch.

python tests/reference/make_batch_norm.py
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def perceptron() -> dict[str, Any]:
    """x[n, d] through a line, BatchNorm1d, tanh and a line; some of its options are not the defaults."""
    torch.manual_seed(3)
    first, norm, second = nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    model = nn.Sequential(first, norm, nn.Tanh(), second)
    names = {"a.W": first.weight, "a.b": first.bias, "bn.gain": norm.weight, "bn.bias": norm.bias}
    names |= {"b.W": second.weight, "b.b": second.bias}
    x, y = 2 + 3 * torch.randn(12, 3), torch.randn(12, 2)
    return {**walked(model, norm, names, x, y, 4), "transposed": ["a.W", "b.W"]}


def images() -> dict[str, Any]:
    """x[n, c, h, w] through BatchNorm2d and a square, its mean by channel."""
    torch.manual_seed(4)
    norm = nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    x, y = torch.randn(6, 3, 2, 4) * 2 - 1, torch.randn(6, 3)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.norm(x) ** 2).mean((2, 3))

    return {**walked(Model(), norm, {"bn.gain": norm.weight, "bn.bias": norm.bias}, x, y, 3), "transposed": []}


def walked(
    model: nn.Module, norm: Any, names: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor, batch: int
) -> dict[str, Any]:
    """Some steps, batch after batch in the order of the rows."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    start = {name: value.tolist() for name, value in names.items()}
    steps = []
    for epoch in range(2):
        for begin in range(0, len(x), batch):
            rows = slice(begin, begin + batch)
            optimizer.zero_grad()
            found = model(x[rows])
            loss = ((found - y[rows]) ** 2).mean()
            loss.backward()
            gradients = {name: value.grad.tolist() for name, value in names.items()}
            optimizer.step()
            steps.append(
                {
                    "epoch": epoch,
                    "rows": [begin, begin + batch],
                    "loss": loss.item(),
                    "gradients": gradients,
                    "running_mean": norm.running_mean.tolist(),
                    "running_var": norm.running_var.tolist(),
                }
            )
    model.eval()
    end = {name: value.tolist() for name, value in names.items()}
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "batch": batch,
        "start": start,
        "steps": steps,
        "end": end,
        "outputs": model(x).tolist(),
    }


def dropout() -> dict[str, Any]:
    """An array with some of its elements dropped, a cotangent, and what it is by the array."""
    torch.manual_seed(5)
    x, seed = torch.randn(6, 4, requires_grad=True), torch.randn(6, 4)
    found = nn.Dropout(0.3)(x)
    found.backward(seed)
    assert x.grad is not None
    return {"x": x.tolist(), "seed": seed.tolist(), "found": found.tolist(), "gradient": x.grad.tolist(), "p": 0.3}


if __name__ == "__main__":
    runs = {"perceptron": perceptron(), "images": images(), "dropout": dropout()}
    path = Path(__file__).with_name("batch_norm.json")
    lines = ",\n".join(f'"{name}": {json.dumps(run)}' for name, run in runs.items())
    path.write_text(f'{{"torch": "{torch.__version__}",\n{lines}}}\n')
