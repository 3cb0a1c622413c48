"""Writes runs.json: whole trainings by PyTorch as `gradc train` does them, in float64. Needs PyTorch.

Minibatches in a stored order, groups of parameters, schedules stepped after each batch or given the loss on rows that
are held out; of each epoch the losses and the rates.

python tests/reference/make_runs.py
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

X = [0.05, 1.4, 1.5, 2.8, 1.1, 0.8, 0.3, -0.4, 0.6, 1.3, 2.1]
Y = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]
HELD_OUT, BATCH, EPOCHS, SEED = 3, 3, 8, 4
SCHEDULES = torch.optim.lr_scheduler


def training(
    optimizer: Callable[[Any], Any], schedule: Callable[[Any], Any], by_step: bool = False, on_loss: bool = False
) -> dict[str, Any]:
    """The first rows are held out; `schedule` is stepped after each batch, or with the loss on them."""
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (X, Y))
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.0))
    made = optimizer({"w": w, "b": b})
    scheduler = schedule(made)
    rows = len(X) - HELD_OUT
    epochs = []
    for epoch in range(EPOCHS):
        rates, total = [group["lr"] for group in made.param_groups], 0.0
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((SEED, epoch))))
        order = torch.tensor(random.permutation(rows) + HELD_OUT)
        for start in range(0, rows, BATCH):
            at = order[start : start + BATCH]
            made.zero_grad()
            loss = ((w * x[at] + b - y[at]) ** 2).mean()
            loss.backward()
            made.step()
            total += loss.item() * len(at)
            if by_step:
                scheduler.step()
        held = ((w * x[:HELD_OUT] + b - y[:HELD_OUT]) ** 2).mean().item()
        if not by_step:
            scheduler.step(held) if on_loss else scheduler.step()
        epochs.append({"loss": total / rows, "validation_loss": held, "rates": rates})
    return {"epochs": epochs, "w": w.item(), "b": b.item()}


if __name__ == "__main__":
    steps = EPOCHS * -(-(len(X) - HELD_OUT) // BATCH)
    cases = {
        "onecycle": training(
            lambda p: torch.optim.SGD([{"params": [p["b"]], "weight_decay": 0.1}, {"params": [p["w"]]}], momentum=0.9),
            lambda made: SCHEDULES.OneCycleLR(made, max_lr=0.1, total_steps=steps),
            by_step=True,
        ),
        "cyclic": training(
            lambda p: torch.optim.Adam([{"params": [p["w"]], "lr": 0.5}, {"params": [p["b"]]}], lr=0.1),
            lambda made: SCHEDULES.CyclicLR(
                made, base_lr=0.1, max_lr=2.0, step_size_up=5, mode="triangular2", cycle_momentum=False
            ),
            by_step=True,
        ),
        "plateau": training(
            lambda p: torch.optim.SGD([p["w"], p["b"]], lr=0.2),
            lambda made: SCHEDULES.ReduceLROnPlateau(made, factor=0.5, patience=0),
            on_loss=True,
        ),
        "step": training(
            lambda p: torch.optim.Adam([{"params": [p["w"]], "lr": 3.0}, {"params": [p["b"]]}], lr=1.0),
            lambda made: SCHEDULES.StepLR(made, 3),
        ),
    }
    path = Path(__file__).with_name("runs.json")
    path.write_text(json.dumps({"torch": torch.__version__, **cases}, indent=1) + "\n")
