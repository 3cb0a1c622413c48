"""The settings of optimisers and schedules that are compared with PyTorch, and how each is built in either library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STEPS = 20
SEEN = (1, 2, 3, 5, 8, 13, 20)
"""The steps after which the parameters are stored."""

EPOCHS = 30
SHAPES: Mapping[str, tuple[int, ...]] = {"head.W": (3, 4), "head.b": (4,), "W": (4, 2), "b": (2,), "scale": ()}


@dataclass(frozen=True)
class Run:
    """An optimiser with its options; `groups` are of patterns and options; what is frozen; what the loss is times."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[tuple[tuple[str, ...], Mapping[str, Any]]] = ()
    frozen: tuple[str, ...] = ()
    times: float = 1.0

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.options.items()]
        words += ["+".join(names) for names, _ in self.groups] + [f"frozen={name}" for name in self.frozen]
        return ",".join([self.name, *words]) if words else self.name


def _runs() -> list[Run]:
    table: dict[str, list[dict[str, Any]]] = {
        "SGD": [
            {"lr": 0.1},
            {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
            {"lr": 0.02, "momentum": 0.9, "nesterov": True},
        ],
        "ASGD": [
            {},
            {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 5},
            {"lr": 0.05, "t0": 0, "weight_decay": 0.1},
        ],
        "Adadelta": [{}, {"lr": 0.5, "rho": 0.5, "eps": 1e-3}, {"lr": 10, "weight_decay": 0.1}],
        "Adagrad": [
            {},
            {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05},
            {"lr": 0.2, "initial_accumulator_value": 0.3, "eps": 1e-3},
        ],
        "Adam": [
            {"lr": 0.01},
            {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1},
            {"lr": 0.1, "betas": (0.3, 0.4), "amsgrad": True},
            {"lr": 0.05, "weight_decay": 0.2, "decoupled_weight_decay": True},
        ],
        "AdamW": [{"lr": 0.02}, {"lr": 0.05, "weight_decay": 0.3, "betas": (0.8, 0.8)}, {"lr": 0.1, "amsgrad": True}],
        "Adamax": [{}, {"lr": 0.1, "betas": (0.5, 0.6), "weight_decay": 0.1}, {"lr": 0.05, "eps": 1e-2}],
        "NAdam": [
            {},
            {"lr": 0.05, "betas": (0.6, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1},
            {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
        ],
        "RAdam": [
            {"lr": 0.05},
            {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1},
            {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3, "weight_decay": 0.1, "decoupled_weight_decay": True},
        ],
        "RMSprop": [
            {},
            {"lr": 0.02, "alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1},
            {"lr": 0.02, "alpha": 0.8, "centered": True, "eps": 1e-3},
            {"lr": 0.01, "alpha": 0.8, "centered": True, "eps": 1e-3, "momentum": 0.5},
        ],
        "Rprop": [{}, {"lr": 0.05, "etas": (0.3, 1.5)}, {"lr": 0.01, "step_sizes": (1e-3, 0.02)}],
        # Its numbers follow from differences of losses and gradients, so that roundings grow: few iterations a step.
        "LBFGS": [
            {"lr": 0.1, "max_iter": 3},
            {"lr": 0.5, "max_iter": 2, "history_size": 3},
            {"line_search_fn": "strong_wolfe", "max_iter": 1},
            {"line_search_fn": "strong_wolfe", "max_iter": 2, "lr": 0.001, "history_size": 5, "tolerance_grad": 1e-2},
        ],
    }
    found = [Run(name, options) for name, several in table.items() for options in several]
    groups = [(("head.*",), {"lr": 0.003, "weight_decay": 0.1}), (("W", "scale"), {}), (("b",), {"lr": 0.2})]
    for name in table:
        if name not in ("LBFGS", "Rprop"):
            found.append(Run(name, {"lr": 0.02, "weight_decay": 0.05, "maximize": True}, times=-1.0))
            found.append(Run(name, {"lr": 0.02}, groups))
            found.append(Run(name, {"lr": 0.01}, frozen=("head.b", "W")))
    found.append(Run("Rprop", {}, frozen=("head.b", "W")))
    found.append(Run("LBFGS", {"lr": 0.2, "max_iter": 2}, frozen=("head.b", "W")))
    search = {"line_search_fn": "strong_wolfe", "lr": 3, "max_iter": 1, "max_eval": 4, "history_size": 2}
    found.append(Run("LBFGS", search, frozen=("head.W", "head.b", "scale")))
    found.append(Run("LBFGS", {**search, "lr": 2, "max_eval": 3, "history_size": 3}, frozen=("head.b", "W")))
    found.append(Run("LBFGS", {"line_search_fn": "strong_wolfe", "max_iter": 2}, frozen=("head.W",)))
    found.append(Run("Rprop", {"maximize": True}, times=-1.0))
    found.append(Run("Adam", {"lr": 0.02}, [(("head.b", "scale"), {"betas": (0.5, 0.5)})]))
    return found


RUNS = _runs()


# ------------------------------------------------------------------------------------------------- gradients by rows

TABLE = (7, 3)
"""Words and numbers of each, of a table that a step sees some words of."""

BATCH = (4, 2)
"""Rows of a minibatch, and words in a row."""

BY_ROWS = [
    Run("SparseAdam"),
    Run("SparseAdam", {"lr": 0.1, "betas": (0.5, 0.6), "eps": 1e-2}),
    Run("SparseAdam", {"lr": 0.03, "maximize": True}, times=-1.0),
    Run("SGD", {"lr": 0.1}),
    Run("SGD", {"lr": 0.05, "maximize": True}, times=-1.0),
    Run("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    Run("Adagrad", {"lr": 0.2, "initial_accumulator_value": 0.3, "eps": 1e-3}),
]


# -------------------------------------------------------------------------------------------------------- schedules

LAMBDAS: dict[str, Callable[[int], float]] = {
    "falling": lambda epoch: 0.9**epoch,
    "inverse": lambda epoch: 1 / (1 + epoch),
    "waves": lambda epoch: 1.1 if epoch % 3 else 0.7,
}
SCALES: dict[str, Callable[[float], float]] = {"root": lambda x: 1 / math.sqrt(1 + x)}

METRICS = [3.0, 2.0, 2.5, 1.9999, 1.5, 1.6, 1.7, 1.55, 1.51, 1.6, 1.4999, 1.2, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.1, 1.0]
METRICS += [1.05, 1.0, 1.0, 0.99995, 1.2, 1.3, 0.9, 0.9, 0.9, 0.9]
"""The losses that a schedule that looks at them is told."""

Spec = tuple[str, dict[str, Any]]
"""The name of a schedule and its options; functions by their names, and schedules as such pairs."""

SCHEDULES: list[Spec] = [
    ("LambdaLR", {"lr_lambda": "falling"}),
    ("LambdaLR", {"lr_lambda": ["inverse", "waves"]}),
    ("MultiplicativeLR", {"lr_lambda": "waves"}),
    ("MultiplicativeLR", {"lr_lambda": ["waves", "inverse"]}),
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 3, "gamma": 0.8}),
    ("MultiStepLR", {"milestones": [3, 10, 25]}),
    ("MultiStepLR", {"milestones": [20, 5, 5], "gamma": 0.5}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.7, "total_iters": 12}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 20}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("ExponentialLR", {"gamma": 0.5}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 25, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 10}),
    ("CosineAnnealingLR", {"T_max": 50, "eta_min": 1e-3}),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 1e-3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 1e-4}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5}),
    (
        "CyclicLR",
        {"base_lr": [0.01, 0.02], "max_lr": 0.1, "step_size_up": 3, "step_size_down": 6, "mode": "triangular2"},
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "cycle_momentum": False, "scale_fn": "root"}),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": "root", "scale_mode": "iterations"},
    ),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 30}),
    ("OneCycleLR", {"max_lr": [0.1, 0.3], "epochs": 8, "steps_per_epoch": 4, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 31, "three_phase": True, "div_factor": 10, "pct_start": 0.4}),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 40, "cycle_momentum": False}),
    (
        "SequentialLR",
        {
            "schedulers": [("LinearLR", {"start_factor": 0.1}), ("CosineAnnealingLR", {"T_max": 20})],
            "milestones": [5],
        },
    ),
    (
        "SequentialLR",
        {
            "schedulers": [
                ("ConstantLR", {"total_iters": 4}),
                ("ExponentialLR", {"gamma": 0.9}),
                ("CosineAnnealingWarmRestarts", {"T_0": 4}),
                ("MultiStepLR", {"milestones": [2, 4]}),
                ("PolynomialLR", {"total_iters": 3}),
                ("LambdaLR", {"lr_lambda": "inverse"}),
                ("StepLR", {"step_size": 2}),
            ],
            "milestones": [4, 8, 14, 19, 22, 26],
        },
    ),
    (
        "ChainedScheduler",
        {"schedulers": [("ConstantLR", {"factor": 0.1, "total_iters": 3}), ("ExponentialLR", {"gamma": 0.9})]},
    ),
    (
        "ChainedScheduler",
        {
            "schedulers": [
                ("LinearLR", {"total_iters": 8}),
                ("StepLR", {"step_size": 5, "gamma": 0.7}),
                ("CosineAnnealingLR", {"T_max": 40}),
            ]
        },
    ),
    ("ReduceLROnPlateau", {"patience": 2}),
    ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5, "threshold": 0.1, "cooldown": 2, "min_lr": [0.01, 0.001]}),
    ("ReduceLROnPlateau", {"mode": "max", "patience": 3, "threshold_mode": "abs", "threshold": 0.2}),
    ("ReduceLROnPlateau", {"mode": "max", "patience": 4, "factor": 0.9, "eps": 1e-2}),
]


def schedule(library: Any, optimizer: Any, spec: Spec) -> Any:
    """The schedule of `library`, which is PyTorch's module or ours."""
    name, given = spec
    options = dict(given)
    if "lr_lambda" in options:
        names = options["lr_lambda"]
        options["lr_lambda"] = LAMBDAS[names] if isinstance(names, str) else [LAMBDAS[n] for n in names]
    if "scale_fn" in options:
        options["scale_fn"] = SCALES[options["scale_fn"]]
    if "schedulers" in options:
        options["schedulers"] = [schedule(library, optimizer, inner) for inner in options["schedulers"]]
    return getattr(library, name)(optimizer=optimizer, **options)


def walk(optimizer: Any, scheduler: Any, epochs: Sequence[int]) -> list[list[float]]:
    """The rates before the first step and after each, and behind them what is cycled besides."""

    def now() -> list[float]:
        groups = optimizer.param_groups
        return [g["lr"] for g in groups] + [g["betas"][0] if "betas" in g else g["momentum"] for g in groups]

    found = [now()]
    for epoch in epochs:
        if type(scheduler).__name__ == "ReduceLROnPlateau":
            scheduler.step(METRICS[epoch])
        else:
            scheduler.step()
        found.append(now())
        assert scheduler.get_last_lr() == found[-1][: len(optimizer.param_groups)]
    return found
