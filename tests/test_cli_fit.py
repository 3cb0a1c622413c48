"""`gradc fit`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from gradc.__main__ import main

pytestmark = pytest.mark.simplified

NIST = Path(__file__).parents[1] / "examples" / "nist"
ARGUMENTS = [str(NIST / "Misra1a.model"), "--data", str(NIST / "Misra1a.csv")]
FILES = ["Misra1a.py", "fit.json", "parameters.npz", "plots.png", "report.html", "run.json"]

TABLE = """Misra1a: least squares by Levenberg-Marquardt
converged: the next step would be below 1e-08 standard errors

parameter    estimate  std. error       t       p            95% interval
b1             238.94        2.71  88.268  <2e-16      233.04      244.84
b2         0.00055016    7.27e-06  75.707  <2e-16  0.00053432  0.00056599

correlations       b1
b2            -0.9988

observations                 14
degrees of freedom           12
residual standard deviation  0.101879
residual sum of squares      0.124551
R squared                    0.999982
log-likelihood               13.1895
AIC                          -20.379
AICc                         -17.979
BIC                          -18.4619
condition of the Jacobian    40.4134
evaluations                  N
"""


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *ARGUMENTS]) == 0
    told = capsys.readouterr()
    assert re.sub(r"(evaluations +)\d+", r"\1N", told.out) == TABLE
    assert told.err == ""


def test_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report and what `predict` reads; the same bytes again, and no address in the page that would be loaded."""
    folder = tmp_path / "fitted"
    arguments = ["fit", *ARGUMENTS, "--intervals", "profile", "--out", str(folder)]
    assert main(arguments) == 0
    assert "report.html written" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == FILES
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(arguments) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert before["plots.png"].startswith(b"\x89PNG")
    page = before["report.html"].decode()
    for words in ("Fit of Misra1a", "residuals over what is fitted", "normal quantiles", "profile of b2", "0.00055016"):
        assert words in page
    assert not re.search(r"<script|<link|(src|href)=\"(?!#)|@import|url\((?!#)", page)
    stored = json.loads(before["fit.json"])
    assert stored["parameters"]["b1"]["estimate"] == pytest.approx(238.94212918, rel=1e-10)
    capsys.readouterr()
    assert main(["predict", str(folder), "--data", str(NIST / "Misra1a.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    b1, b2 = (stored["parameters"][name]["estimate"] for name in ("b1", "b2"))
    assert [float(line) for line in lines[1:3]] == pytest.approx([b1 * (1 - np.exp(-b2 * x)) for x in (77.6, 114.9)])


def test_a_likelihood_has_a_report_without_rows(tmp_path: Path) -> None:
    model, data = tmp_path / "rate.model", tmp_path / "times.csv"
    model.write_text("input t[n]\nparam rate > 0 = 1\nmaximize mean(log(rate) - rate * t)\n")
    data.write_text("t\n0.2\n1.5\n0.7\n")
    assert main(["fit", str(model), "--data", str(data), "--out", str(tmp_path / "fitted")]) == 0
    assert "Maximum likelihood" in (tmp_path / "fitted" / "report.html").read_text()
    assert not (tmp_path / "fitted" / "plots.png").exists()


@pytest.mark.parametrize("kind", ["words", "json", "npz"])
def test_starts(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data = tmp_path / "cubic.model", tmp_path / "points.csv"
    model.write_text(
        "axis k: 3\ninput x[n], y[n]\nparam c[k] = 0, a = 1\nfit = sum[k](c * x^index[k]) * exp(a * x)\n"
        "minimize sum((y - fit)^2)\n"
    )
    x = np.linspace(0, 1, 12)
    y = (1 + 2 * x + 3 * x**2) * np.exp(0.5 * x) + 0.01 * np.cos(40 * x)
    data.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))
    words = "c[0]=1,c[1]=2, c[2]=3,a=0.4"
    if kind == "json":
        words = str(tmp_path / "start.json")
        Path(words).write_text('{"c": [1, 2, 3], "a": 0.4}')
    elif kind == "npz":
        words = str(tmp_path / "start.npz")
        np.savez(words, c=[1.0, 2, 3], a=0.4)
    told = []
    for more in ([], ["--start", words]):
        assert main(["fit", str(model), "--data", str(data), "--json", *more]) == 0
        told.append(json.loads(capsys.readouterr().out)["result"])
    plain, started = told
    assert started["evaluations"] < plain["evaluations"]
    for name in ("c[0]", "c[1]", "c[2]", "a"):
        values = [found["parameters"][name]["estimate"] for found in told]
        assert values[0] == pytest.approx(values[1], rel=1e-8)


def test_what_is_not_determined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "twice.model"
    model.write_text("input x[n], y[n]\nparam a = 1, b = 1, c = 0\nfit = a * b * x + c\nminimize mean((y - fit)^2)\n")
    arguments = ["fit", str(model), "--data", str(NIST / "DanWood.csv")]
    assert main([*arguments, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    (error,) = document["errors"]
    assert error["code"] == "unidentified"
    assert set(error["details"]["direction"]) == {"a", "b"}
    parameters = document["result"]["parameters"]
    assert parameters["a"]["standard_error"] is None
    assert parameters["c"]["standard_error"] > 0
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "a and b are not determined" in told.out
    assert "error: a and b are not determined" in told.err


def test_what_did_not_converge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fit", str(NIST / "MGH17.model"), "--data", str(NIST / "MGH17.csv"), "--max-iterations", "2"]
    assert main([*arguments, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["errors"][0]["code"] == "unconverged"
    assert document["result"]["converged"] is False


@pytest.mark.parametrize(
    ("words", "status", "code", "message"),
    [
        (["--start", "b3=1"], 1, "name", "--start has 'b3', and the model has no such parameter"),
        (["--start", "b1"], 2, "usage", "should have the form name=value"),
        (["--start", "b1=many"], 2, "usage", "'many' should be a number"),
        (["--start", "b1[0]=1"], 2, "usage", "b1 has shape (), and no place [0]"),
        (["--start", "nowhere.json"], 1, "file", "cannot read nowhere.json"),
        (["--level", "95"], 2, "usage", "should be between 0 and 1"),
        (["--method", "newton"], 2, "usage", "invalid choice"),
        (["--objective", "gain"], 1, "data", "there is no objective 'gain'"),
        (["--start", "b2=-1e9"], 1, "data", "a residual is not finite at the start, at row 0 (from 0)"),
    ],
)
def test_refusals(words: list[str], status: int, code: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *ARGUMENTS, *words, "--json"]) == status
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["code"] == code
    assert message in error["message"]


@pytest.mark.parametrize(("library", "extra"), [("scipy", "fit"), ("matplotlib", "plot")])
def test_what_is_not_installed(
    library: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name == library or name.startswith(f"{library}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    assert main(["fit", *ARGUMENTS, "--out", str(tmp_path / "fitted")]) == 1
    assert f"pip install 'gradc[{extra}]'" in capsys.readouterr().err
    assert not list((tmp_path / "fitted").glob("*.json"))
