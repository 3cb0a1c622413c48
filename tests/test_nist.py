"""Reference problems of NIST for nonlinear regression: digits of the certified values, from both starts of each.

The nine of examples/nist go through `gradc fit`. Others of the collection stand in reference/nist.json. The certified
values have 11 digits and were found in quadruple precision.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.__main__ import main

pytestmark = pytest.mark.simplified

EXAMPLES = Path(__file__).parents[1] / "examples" / "nist"
CERTIFIED = json.loads((EXAMPLES / "certified.json").read_text())["problems"]
OTHERS = json.loads((Path(__file__).parent / "reference" / "nist.json").read_text())

# The residuals of Lanczos1 are 13 digits below its data: doubles leave two digits of their squares.
LEFT = {"Lanczos1": 2.0}


def digits(found: Iterable[float], certified: Iterable[float]) -> float:
    """How many digits of each agree: the least."""
    pairs = zip(found, certified, strict=True)
    return min(-math.log10(max(abs(a - b) / abs(b), 1e-16)) for a, b in pairs)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", CERTIFIED)
def test_the_command(name: str, which: int, capsys: pytest.CaptureFixture[str]) -> None:
    problem = CERTIFIED[name]
    start = ",".join(f"{key}={value}" for key, value in problem["starts"][which].items())
    model, data = (str(EXAMPLES / f"{name}{kind}") for kind in (".model", ".csv"))
    assert main(["fit", model, "--data", data, "--start", start, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["result"]
    assert found["converged"]
    assert found["method"] == "Levenberg-Marquardt"
    assert list(found["parameters"]) == list(problem["parameters"])
    entries = found["parameters"].values()
    assert digits([e["estimate"] for e in entries], problem["parameters"].values()) >= 10
    assert digits([e["standard_error"] for e in entries], problem["standard_deviations"].values()) >= 10
    assert digits([found["residual_sum_of_squares"]], [problem["residual_sum_of_squares"]]) >= 10
    assert digits([found["residual_standard_deviation"]], [problem["residual_standard_deviation"]]) >= 10
    assert found["degrees_of_freedom"] == problem["rows"] - len(entries)


@pytest.mark.parametrize("name", CERTIFIED)
def test_the_model_starts_at_the_first_start(name: str) -> None:
    module = gradc.compile(EXAMPLES / f"{name}.model").module
    assert {key: float(value) for key, value in module.unpack(module.initial()).items()} == CERTIFIED[name]["starts"][0]


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "source"])
def test_others(name: str) -> None:
    problem: dict[str, Any] = OTHERS[name]
    names = [f"b{i}" for i in range(1, len(problem["parameters"]) + 1)]
    text = (
        f"input x[n], y[n]\nparam {', '.join(names)}\nfit = {problem['model']}\nminimize sum((y - fit)^2)\noutput fit\n"
    )
    model = gradc.compile(text, derivatives=("residuals",))
    data = {"x": np.array(problem["x"], float), "y": np.array(problem["y"], float)}
    for start in problem["starts"]:
        found = gradc.estimate(model, data, start=dict(zip(names, start, strict=True)))
        assert found.converged
        assert digits([c.value for c in found.coefficients], problem["parameters"]) >= 10
        assert found.rss is not None
        assert digits([found.rss], [problem["residual_sum_of_squares"]]) >= LEFT.get(name, 10)
        if name not in LEFT:
            errors = [c.error or math.nan for c in found.coefficients]
            assert digits(errors, problem["standard_deviations"]) >= 10
