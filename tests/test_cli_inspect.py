"""`gradc inspect`: its formats, one gradient alone, and the stages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gradc.__main__ import main

DECAY = str(Path(__file__).parents[1] / "examples" / "decay" / "decay.model")


def test_all_gradients_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY]) == 0
    told = capsys.readouterr()
    assert "d loss/d offset" in told.out
    assert "2 * sum[n](y_hat - y) / size[n]" in told.out
    assert "trained behind its bounds" in told.out
    assert not told.err


def test_one_gradient_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--wrt", "offset"]) == 0
    told = capsys.readouterr().out
    assert "d loss/d offset" in told
    assert "d loss/d rate" not in told


def test_an_unknown_name_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--wrt", "ofset", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["errors"][0]
    assert error["code"] == "name"
    assert error["help"] == "did you mean offset?"


def test_latex(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--format", "latex"]) == 0
    assert capsys.readouterr().out.startswith("\\begin{align*}\n")


def test_json_is_the_format_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--format", "json"]) == 0
    first = capsys.readouterr().out
    assert main(["inspect", DECAY, "--json"]) == 0
    assert capsys.readouterr().out == first
    assert {value["name"] for value in json.loads(first)["result"]["values"]} >= {"t", "y", "rate", "y_hat"}


def test_the_stages_are_shown_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--stages"]) == 0
    told = capsys.readouterr().out
    heads = [line[3:] for line in told.splitlines() if line.startswith("== ")]
    assert heads[:2] == ["parse", "elaborate"]
    assert heads[-1] == "emit"
    assert "differentiate" in heads
    assert main(["inspect", DECAY, "--stages", "--json"]) == 0
    assert [s["stage"] for s in json.loads(capsys.readouterr().out)["result"]["stages"]] == heads


def test_what_changes_between_steps_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(__file__).parent / "models" / "regularised.model"
    assert main(["inspect", str(model)]) == 0
    lines = [line.split(None, 4) for line in capsys.readouterr().out.splitlines()]
    rules = [(line[0], line[-2].split()[-1], line[-1]) for line in lines if len(line) == 5]
    told = "\n".join(f"{name} {rule}" for name, _, rule in rules)
    assert "drawn at each step: uniform(0, 1)" in told
    assert "kept between steps, 1 at first; after a step 9 * norm.running_var / 10 +" in told
    assert "in training, pointwise: tanh(norm.gain *" in told
    assert "in prediction, pointwise: tanh(norm.gain * (x @ fc.W + fc.b - norm.running_mean)" in told
    assert main(["inspect", str(model), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["result"]["values"]
    leaves = {value["name"]: value["leaf"] for value in values}
    assert (leaves["drop.u"], leaves["norm.running_mean"], leaves["norm.gain"]) == ("noise", "state", "parameter")
    assert [value["gradient"] for value in values if value["name"] == "h"] == [True, False]


def test_several_objectives_have_each_their_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(Path(__file__).parent / "models" / "gan.model")]) == 0
    heads = [line.split(" = ")[0].strip() for line in capsys.readouterr().out.partition("\nwhere")[0].splitlines()]
    parts = ("1.W", "1.b", "2.W", "2.b")
    assert heads == [*(f"d judge/d d{part}" for part in parts), *(f"d forge/d g{part}" for part in parts)]


def test_what_is_frozen_has_no_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", DECAY, "--freeze", "rate"]) == 0
    told = capsys.readouterr().out
    assert "d loss/d a  " in told
    assert "d loss/d rate" not in told
    assert re.search(r"^rate +float +parameter +no +frozen$", told, re.MULTILINE)
