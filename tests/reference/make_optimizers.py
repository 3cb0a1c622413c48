"""Writes optimizers.json: PyTorch's optimisers and schedules in float64. Needs PyTorch.

python -m tests.reference.make_optimizers
"""

import inspect
import json
import random
import warnings
from pathlib import Path
from typing import Any

import torch

from .optimizers import BATCH, BY_ROWS, EPOCHS, RUNS, SCHEDULES, SEEN, SHAPES, STEPS, TABLE, Run, schedule, walk

# Otherwise NAdam and ASGD keep their coefficients in float32.
torch.set_default_dtype(torch.float64)

ROWS = 12


def drawn(shape: tuple[int, ...], source: random.Random) -> torch.Tensor:
    """Normal numbers, of few digits so that the file is short."""
    numbers = [round(source.gauss(0, 1), 3) for _ in range(int(torch.Size(shape).numel()))]
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape)


SOURCE = random.Random(0)
X, Y = drawn((ROWS, 3), SOURCE), drawn((ROWS, 2), SOURCE)
START = {name: drawn(shape, SOURCE) for name, shape in SHAPES.items()}


def loss(p: dict[str, torch.Tensor]) -> torch.Tensor:
    """A small network: not linear in its parameters, and with a scale that multiplies all."""
    hidden = torch.tanh(X @ p["head.W"] + p["head.b"])
    return ((p["scale"] * (hidden @ p["W"]) + p["b"] - Y) ** 2).mean()


def trajectory(run: Run) -> list[list[float]]:
    """All parameters, one after another, after the steps that are kept."""
    parameters = {name: value.clone().requires_grad_(name not in run.frozen) for name, value in START.items()}
    chosen: Any = list(parameters.values())
    if run.groups:
        chosen = [
            {"params": [p for n, p in parameters.items() if n in names or f"{n.split('.')[0]}.*" in names], **options}
            for names, options in run.groups
        ]
    optimizer = getattr(torch.optim, run.name)(chosen, **run.options)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = run.times * loss(parameters)
        value.backward()
        return value

    points = []
    for step in range(1, STEPS + 1):
        optimizer.step(closure)
        if step in SEEN:
            points.append(torch.cat([p.detach().reshape(-1) for p in parameters.values()]).tolist())
    return points


WORDS = torch.tensor([SOURCE.randrange(TABLE[0]) for _ in range(STEPS * BATCH[0] * BATCH[1])]).reshape(STEPS, *BATCH)
WEIGHTS, AIM = drawn(BATCH[1:] + TABLE[1:], SOURCE), drawn(BATCH[:1], SOURCE)
FIRST = drawn(TABLE, SOURCE)


def by_rows(run: Run) -> list[list[float]]:
    """The table after the steps that are kept, each of which sees other words."""
    table = torch.nn.Embedding.from_pretrained(FIRST.clone(), freeze=False, sparse=True)
    optimizer = getattr(torch.optim, run.name)(table.parameters(), **run.options)
    points = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        found = (torch.tanh(table(WORDS[step - 1])) * WEIGHTS).sum((1, 2))
        value = run.times * ((found - AIM) ** 2).mean()
        value.backward()
        optimizer.step()
        if step in SEEN:
            points.append(table.weight.detach().reshape(-1).tolist())
    return points


def rates(spec: Any, name: str, options: dict[str, Any]) -> list[list[float]]:
    """What a schedule does to two groups."""
    first, second = (torch.zeros(1, requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 0.05}]
    optimizer = getattr(torch.optim, name)(groups, **options)
    with warnings.catch_warnings():
        # Nothing is trained, and a sequence begins its schedules by a call that is no longer advised.
        warnings.simplefilter("ignore")
        return walk(optimizer, schedule(torch.optim.lr_scheduler, optimizer, spec), range(EPOCHS))


LEFT_OUT = ("self", "params", "foreach", "fused", "capturable", "differentiable")
"""What chooses among PyTorch's implementations."""


def signature(name: str) -> dict[str, Any]:
    """The options of an optimiser and their defaults, in order."""
    found = inspect.signature(getattr(torch.optim, name)).parameters
    return {key: option.default for key, option in found.items() if key not in LEFT_OUT}


def line(value: Any) -> str:
    """As JSON."""
    return json.dumps(value)


if __name__ == "__main__":
    runs = ",\n".join(f"{line(str(run))}: {line(trajectory(run))}" for run in RUNS)
    sgd, adam = ("SGD", {"lr": 0.1, "momentum": 0.5}), ("Adam", {"lr": 0.1, "betas": (0.6, 0.99)})
    with_sgd = ",\n".join(line(rates(spec, *sgd)) for spec in SCHEDULES)
    with_adam = ",\n".join(line(rates(spec, *adam)) for spec in SCHEDULES)
    rows = ",\n".join(f"{line(str(run))}: {line(by_rows(run))}" for run in BY_ROWS)
    table = {"words": WORDS.tolist(), "weights": WEIGHTS.tolist(), "aim": AIM.tolist(), "table": FIRST.tolist()}
    signatures = {name: signature(name) for name in dict.fromkeys(run.name for run in (*RUNS, *BY_ROWS))}
    schedules = [name for name in torch.optim.lr_scheduler.__all__ if name != "LRScheduler"]
    data = {"x": X.tolist(), "y": Y.tolist(), "start": {name: value.tolist() for name, value in START.items()}}
    path = Path(__file__).with_name("optimizers.json")
    path.write_text(
        f'{{"torch": "{torch.__version__}",\n"data": {line(data)},\n'
        f'"signatures": {line(signatures)},\n"runs": {{{runs}}},\n'
        f'"by rows": {{"data": {line(table)},\n"runs": {{{rows}}}}},\n'
        f'"schedules": {line(schedules)},\n'
        f'"SGD": [{with_sgd}],\n"Adam": [{with_adam}]}}\n'
    )
