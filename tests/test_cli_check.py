"""`gradc check`: it agrees on every example, on given data, and fails where a gradient is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradc.__main__ import main
from gradc.commands import check
from gradc.modules import compile_source

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.model")), ids=lambda path: path.stem)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_example_agrees(path: Path, dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(path), "--dtype", dtype, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = document["result"]["checks"]
    assert all(row["passed"] for row in rows)
    assert len([row for row in rows if row["parameter"]]) >= 1
    if dtype == "float64":
        assert min(row["digits_graph"] for row in rows) >= 9


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(EXAMPLES / "thermometer" / "thermometer.model")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["w", "b"]
    assert all(line.endswith("ok") for line in lines[1:])


def test_given_data_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    data = EXAMPLES / "thermometer" / "thermometer.csv"
    assert main(["check", str(data.with_suffix(".model")), "--data", str(data), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["data"], result["rows"]) == ("given", 11)


def test_equal_seeds_give_equal_output(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", str(EXAMPLES / "decay" / "decay.model"), "--seed", "5", "--json"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out == first


def test_a_wrong_gradient_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(*arguments: object) -> object:
        compiled = compile_source(*arguments)  # type: ignore[arg-type]
        lie = "\n_real = bind\n\n\ndef bind(data, objective=None, block=None):\n"
        lie += "    made = _real(data, objective, block)\n"
        lie += "    return lambda theta: (made(theta)[0], made(theta)[1] * 1.000001)\n"
        object.__setattr__(compiled, "module", compiled.module + lie)
        return compiled

    monkeypatch.setattr(check, "compile_source", wrong)
    assert main(["check", str(EXAMPLES / "decay" / "decay.model"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {error["code"] for error in document["errors"]} == {"check"}
    assert [row["passed"] for row in document["result"]["checks"]] == [True, *[False] * 5]
    assert main(["check", str(EXAMPLES / "decay" / "decay.model")]) == 1
    told = capsys.readouterr()
    assert "DIFFERS" in told.out
    assert "differ for rate" in told.err


def test_data_are_positive_where_the_model_needs_them_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "log.model"
    model.write_text("input x[n]\nparam w = 1\nminimize mean((w * log(x))^2)\n")
    assert main(["check", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["data"] == "positive"


MODELS = Path(__file__).parent / "models"


@pytest.mark.parametrize("name", ["gan", "regularised"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_noise_is_drawn_once_and_states_are_compared(name: str, dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(MODELS / f"{name}.model"), "--dtype", dtype, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["result"]["checks"]
    assert {row["objective"] for row in rows} == ({"judge", "forge"} if name == "gan" else {"loss"})
    updated = [row["parameter"] for row in rows if row["method"] == "update"]
    assert updated == ([] if name == "gan" else ["norm.running_mean", "norm.running_var"])


def test_a_wrong_update_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(*arguments: object) -> object:
        compiled = compile_source(*arguments)  # type: ignore[arg-type]
        lie = compiled.module.replace("] = self._updated", "] = self._updated * 1.000001")
        object.__setattr__(compiled, "module", lie)
        return compiled

    monkeypatch.setattr(check, "compile_source", wrong)
    assert main(["check", str(MODELS / "regularised.model")]) == 1
    assert "differ in what a step of loss makes of norm.running_mean" in capsys.readouterr().err


def test_what_is_frozen_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", str(EXAMPLES / "logistic" / "logistic.model"), "--freeze", "w"]
    assert main([*words, "--derivatives", "grad,vjp,jvp,hvp,hessian,jacobian", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["result"]["checks"]
    assert [check["parameter"] for check in checks if check["parameter"]] == ["b"]
    assert all(check["passed"] for check in checks)
