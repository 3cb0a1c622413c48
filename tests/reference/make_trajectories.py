"""Writes trajectories.json: whole trainings by PyTorch, in float64. Needs PyTorch.

python tests/reference/make_trajectories.py
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

X = [0.05, 1.4, 1.5, 2.8, 1.1, 0.8, 0.3, -0.4, 0.6, 1.3, 2.1]
Y = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]
CUBIC = [0.5, -0.25, 0.125, 0.75]
POINTS = 2000


def trajectory(
    start: list[float], loss: Callable[[Any], Any], lr: float, steps: int, every: int
) -> dict[str, list[list[float]] | list[float]]:
    """The loss before each step, and the parameters after each `every` of them."""
    theta = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=lr)
    losses, points = [], []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        value = loss(theta)
        value.backward()
        optimizer.step()
        if step % every == 0:
            losses.append(value.item())
            points.append(theta.tolist())
    return {"start": start, "lr": lr, "steps": steps, "every": every, "losses": losses, "points": points}


def line(x: list[float], y: list[float], lr: float, steps: int, every: int) -> dict[str, Any]:
    """Mean squares of a line from w = 1, b = 0."""
    inputs, targets = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    return trajectory([1.0, 0.0], lambda t: ((t[0] * inputs + t[1] - targets) ** 2).mean(), lr, steps, every)


def cubic() -> dict[str, Any]:
    """Summed squares of a cubic of sin."""
    x = torch.linspace(-torch.pi, torch.pi, POINTS, dtype=torch.float64)
    y = torch.sin(x)
    found = trajectory(CUBIC, lambda c: ((c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3 - y) ** 2).sum(), 1e-6, 2000, 20)
    return {**found, "x": x.tolist()}


if __name__ == "__main__":
    runs = {
        "thermometer": line(X, Y, 1e-2, 1000, 5),
        "exchanged": line([0.1 * y for y in Y], [10 * x for x in X], 1e-2, 5000, 25),
        "cubic": cubic(),
    }
    path = Path(__file__).with_name("trajectories.json")
    lines = ",\n".join(f'"{name}": {json.dumps(run)}' for name, run in runs.items())
    path.write_text(f'{{"torch": "{torch.__version__}",\n{lines}}}\n')
