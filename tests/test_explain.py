"""`inspect --explain`: each rewriting is told with its rule, its line, and both formulas, in the model's own names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradc.__main__ import main
from gradc.compiler.inspect import explain_text, forms
from gradc.compiler.pipeline import RULES

from .harness import compiled

pytestmark = pytest.mark.simplified

EXAMPLES = Path(__file__).parents[1] / "examples"
LOGISTIC = "input x[n], y[n]\nparam w = 1\nz = w * x\nminimize mean(log(1 + exp(z)) - y * z)\n"


def told(text: str) -> str:
    of, _ = compiled(text)
    return explain_text(of.prepared, of.rewrites, RULES)


def test_a_rewriting_is_told_with_both_formulas() -> None:
    lines = told(LOGISTIC).split("\n")
    at = lines.index("line 4: stable.softplus")
    assert lines[at + 1 : at + 3] == ["    log(1 + exp(z))", "    = softplus(z)"]
    assert any(line.startswith("stable.softplus  ") and line.endswith(RULES["stable.softplus"].why) for line in lines)


def test_where_nothing_is_done_that_is_said() -> None:
    assert told("param w = 1\nminimize w\n") == "no rule was used\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.model")), ids=lambda path: path.stem)
def test_every_example_is_explained(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path), "--explain", "--fast-algebra"]) == 0
    text = capsys.readouterr().out
    assert "why" in text
    assert main(["inspect", str(path), "--explain", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["result"]["rewrites"]
    assert steps
    assert {step["rule"] for step in steps} <= set(RULES)
    assert all(step["before"] and step["after"] and step["times"] >= 1 for step in steps)


def test_inspect_says_which_form_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(EXAMPLES / "cubic" / "cubic.model")]) == 0
    assert "triangular factor" in capsys.readouterr().out
    of, _ = compiled(LOGISTIC)
    assert forms(of.rewrites) == []


def test_a_long_model_is_explained_in_few_words() -> None:
    layers = "\n".join(f"h{i + 1} = tanh(w * h{i} + {i}.5)" for i in range(60))
    text = told(f"input x[n]\nparam w = 1\nh0 = x\n{layers}\nminimize sum(h60^2)\n")
    assert max(map(len, text.split("\n"))) < 250


def test_rules_are_left_out_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(EXAMPLES / "logistic" / "logistic.model")
    assert main(["inspect", path, "--explain", "--without", "all"]) == 0
    assert capsys.readouterr().out == "no rule was used\n"
    assert main(["inspect", path, "--explain", "--without", "tensor.joined"]) == 0
    assert "tensor.joined" not in capsys.readouterr().out
    assert main(["inspect", path, "--without", "tensor.join"]) == 2
    assert "did you mean tensor.joined?" in capsys.readouterr().err


def test_the_environment_leaves_out_rules(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRADC_WITHOUT", "all")
    assert main(["inspect", str(EXAMPLES / "logistic" / "logistic.model"), "--explain"]) == 0
    assert capsys.readouterr().out == "no rule was used\n"
