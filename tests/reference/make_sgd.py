"""Writes sgd.json: 20 steps of torch.optim.SGD on the thermometer for each setting, in float64. Needs PyTorch.

python tests/reference/make_sgd.py
"""

import itertools
import json
from pathlib import Path

import torch

X = [0.05, 1.4, 1.5, 2.8, 1.1, 0.8, 0.3, -0.4, 0.6, 1.3, 2.1]
Y = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]


def settings() -> list[dict[str, float | bool]]:
    """Every combination that PyTorch allows."""
    found = []
    for momentum, dampening, decay, nesterov, maximize in itertools.product(
        (0.0, 0.9), (0.0, 0.3), (0.0, 0.1), (False, True), (False, True)
    ):
        if nesterov and (momentum == 0 or dampening != 0):
            continue
        found.append(
            {
                "lr": 1e-3 if maximize else 1e-2,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": decay,
                "nesterov": nesterov,
                "maximize": maximize,
            }
        )
    return found


def trajectory(options: dict[str, float | bool]) -> list[list[float]]:
    """w and b after each step."""
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (X, Y))
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.0))
    optimizer = torch.optim.SGD([w, b], **options)
    points = []
    for _ in range(20):
        optimizer.zero_grad()
        ((w * x + b - y) ** 2).mean().backward()
        optimizer.step()
        points.append([w.item(), b.item()])
    return points


if __name__ == "__main__":
    runs = [{"options": options, "points": trajectory(options)} for options in settings()]
    path = Path(__file__).with_name("sgd.json")
    path.write_text(json.dumps({"torch": torch.__version__, "runs": runs}, indent=1) + "\n")
