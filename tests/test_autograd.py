"""Sessions against PyTorch: what each step of a program of forward and backward passes gives, stored, to 1e-12.

`reference/make_autograd.py` has the programs. And what is PyTorch's no longer: that the work of what is frozen is gone,
what a session says where it cannot go on, and generated models, of which a random part is frozen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc

REFERENCE = json.loads((Path(__file__).parent / "reference" / "autograd.json").read_text())
PRECISE = 1e-12


def near(found: Any, expected: Any, what: str) -> None:
    """Equal to 1e-12 of the largest number, in shape too."""
    if expected is None:
        assert found is None, f"{what} should be None"
        return
    assert found is not None, f"{what} is None"
    a, b = np.asarray(found), np.asarray(expected)
    assert a.shape == b.shape, what
    apart, large = float(np.abs(a - b).max()), float(np.abs(b).max())
    assert apart <= PRECISE * max(large, 1e-3), f"{what}: {apart} apart"


class Followed:
    """A scenario, step by step."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        model = gradc.compile(scenario["text"])
        data = {name: np.array(value) for name, value in scenario["data"].items()}
        start = {name: np.array(value) for name, value in scenario["start"].items()}
        self.session = model.session(data)
        for name, value in start.items():
            self.session.parameters[name].value[...] = value
        self.optimizer = gradc.SGD(self.session, lr=0.1, momentum=0.9)

    def take(self, word: str, arguments: list[Any]) -> Any:
        match word:
            case "step":
                return self.optimizer.step()
            case "no_grad":
                with self.session.no_grad():
                    return self.session.forward(*arguments)
            case "backward":
                name, seed = (*arguments, None, None)[:2]
                return self.session.backward(seed=seed, name=name)
        return getattr(self.session, word)(*arguments)


@pytest.mark.parametrize("name", REFERENCE["scenarios"])
def test_a_program_of_passes_is_pytorchs(name: str) -> None:
    scenario = REFERENCE["scenarios"][name]
    followed = Followed(scenario)
    for number, step in enumerate(scenario["steps"]):
        gives = followed.take(step["do"], step["with"])
        what = f"step {number}, {step['do']}{step['with']}"
        if step["gives"] is not None:
            near(gives, step["gives"], f"{what}: what it gives")
        for key, expected in step["gradients"].items():
            near(followed.session[key].grad, expected, f"{what}: the gradient by {key}")
    for key, expected in scenario["end"].items():
        near(followed.session.parameters[key].value, expected, f"{key} in the end")
