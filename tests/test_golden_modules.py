"""The emitted modules as they stand, for people to read: a change of the compiler shows what it does to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gradc.__main__ import main

pytestmark = pytest.mark.simplified

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
EXAMPLES = ("thermometer", "logistic", "digits", "mixture", "decay", "transfer")
MODELS = {name: ROOT / "examples" / name / f"{name}.model" for name in EXAMPLES}
MODELS["gaussian_process"] = ROOT / "tests" / "models" / "gaussian_process.model"
MODELS["regularised"] = ROOT / "tests" / "models" / "regularised.model"


@pytest.mark.parametrize("name", MODELS)
def test_emitted_module(name: str, tmp_path: Path, golden: Callable[[Path, str], None]) -> None:
    path = tmp_path / f"{name}.py"
    assert main(["compile", str(MODELS[name]), "-o", str(path)]) == 0
    golden(GOLDEN / f"{name}.py", path.read_bytes().decode("ascii"))


def test_no_golden_module_without_a_model() -> None:
    assert {path.stem for path in GOLDEN.glob("*.py")} == set(MODELS)
