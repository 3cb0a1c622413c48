"""What `gradc train` tells and keeps of a training: against PyTorch's, and against what is defined."""

from __future__ import annotations

import json
import math
import os
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc
from gradc import curves, data
from gradc.__main__ import main
from gradc.commands import train
from gradc.modules import compile_source
from gradc.runtime.fit import order
from gradc.training import Watch

pytestmark = pytest.mark.simplified

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = Path(__file__).parent / "models"
THERMOMETER = EXAMPLES / "thermometer" / "thermometer.model"
REFERENCE = json.loads((Path(__file__).parent / "reference" / "runs.json").read_text())
HELD_OUT = 3
MADE: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(source: Any, chosen: Any) -> Any:
        key = f"{chosen.dtype} {source.text}"
        if key not in MADE:
            MADE[key] = compile_source(source, chosen)
        return MADE[key]

    monkeypatch.setattr(train, "compile_source", once)


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rows are kept for validation."""
    take = data.take

    def taken(*arguments: Any) -> Any:
        found = take(*arguments)
        apart = {name: array[:HELD_OUT] for name, array in found.inputs.items()}
        rest = {name: array[HELD_OUT:] for name, array in found.inputs.items()}
        return replace(found, inputs=rest, held_out=apart)

    monkeypatch.setattr(data, "take", taken)


def call(folder: Path, *more: str, model: Path = THERMOMETER, rows: Path | None = None, plots: bool = False) -> int:
    words = ["--data", str(rows or model.with_suffix(".csv")), "--out", str(folder), *([] if plots else ["--no-plots"])]
    return main(["train", str(model), *words, *more])


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def run_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


# ---------------------------------------------------------------------------------------------------------- PyTorch


CASES = {
    "onecycle": "--momentum 0.9 --group b:weight_decay=0.1 --schedule onecycle:max_lr=0.1 --schedule-step",
    "cyclic": "--optimizer adam --lr 0.1 --group w:lr=0.5 --schedule-step --schedule "
    "cyclic:base_lr=0.1,max_lr=2,step_size_up=5,mode=triangular2,cycle_momentum=false",
    "plateau": "--lr 0.2 --schedule plateau:factor=0.5,patience=0",
    "step": "--optimizer adam --lr 1 --group w:lr=3 --schedule step:step_size=3",
}


@pytest.mark.usefixtures("held_out")
@pytest.mark.parametrize("name", CASES)
def test_a_run_is_that_of_pytorch(name: str, tmp_path: Path) -> None:
    more = ["--batch", "3", "--epochs", "8", "--seed", "4", *CASES[name].split()]
    assert call(tmp_path / "f", *more) == 0
    expected = REFERENCE[name]["epochs"]
    found = metrics(tmp_path / "f")
    assert len(found) == len(expected)
    for epoch, (line, entry) in enumerate(zip(found, expected, strict=True), 1):
        assert line["epoch"] == epoch
        rates = [line[f"lr_{i}"] for i in range(1, len(entry["rates"]))] + [line["lr"]]
        assert rates == pytest.approx(entry["rates"], rel=1e-12)
        assert line["loss"] == pytest.approx(entry["loss"], rel=1e-10)
        assert line["validation_loss"] == pytest.approx(entry["validation_loss"], rel=1e-10)
    run = run_of(tmp_path / "f")
    best = min(found, key=lambda line: line["validation_loss"])
    assert (run["parameters_of"], run["best"], run["best_epoch"]) == ("best", best, best["epoch"])
    assert run["last"] == found[-1]
    with np.load(tmp_path / "f" / "parameters.npz") as kept:
        table = np.loadtxt(THERMOMETER.with_suffix(".csv"), delimiter=",", skiprows=1)[:HELD_OUT]
        loss = np.mean((float(kept["w"]) * table[:, 0] + float(kept["b"]) - table[:, 1]) ** 2)
    assert loss == pytest.approx(best["validation_loss"], rel=1e-12)


def test_the_schedule_of_each_step_is_that_of_a_loop() -> None:
    module = gradc.compile(THERMOMETER).module
    table = np.loadtxt(THERMOMETER.with_suffix(".csv"), delimiter=",", skiprows=1)
    whole = {"t_u": table[:, 0], "t_c": table[:, 1]}

    def made() -> tuple[Any, Any, Any]:
        session = gradc.Session(module, whole)
        optimizer = gradc.SGD(session, lr=0.01, momentum=0.9)
        return session, optimizer, gradc.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=12)

    session, optimizer, schedule = made()
    seen: list[tuple[int, float, float]] = []

    def validate() -> float:
        return float(session.theta[0])

    def after(epoch: int, loss: float, held: float) -> bool:
        seen.append((epoch, loss, held))
        return epoch == 3

    found = gradc.fit(
        session,
        optimizer,
        epochs=9,
        batch=4,
        schedule=schedule,
        schedule_every="step",
        validate=validate,
        after=after,
    )
    assert [epoch for epoch, *_ in seen] == [1, 2, 3]
    assert (found.steps, len(found.losses)) == (9, 3)
    assert found.losses.tolist() == [loss for _, loss, _ in seen]
    assert found.validation is not None
    assert found.validation.tolist() == [held for *_, held in seen]
    assert found.validation[-1] == found.theta[0]
    other, again, slow = made()
    for epoch in range(3):
        rows = order(0, epoch, 11)
        for part in (rows[:4], rows[4:8], rows[8:]):
            module.bind({name: values[part] for name, values in whole.items()})(other.theta, other.grad)
            again.descend(other.grad)
            slow.step()
    assert (other.theta == session.theta).all()
    assert slow.get_last_lr() == schedule.get_last_lr()
    plateau = gradc.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match="cannot be stepped after each step"):
        gradc.fit(session, optimizer, epochs=1, schedule=plateau, schedule_every="step")


# ------------------------------------------------------------------------------------------------------ when it ends


def ends(losses: list[float], patience: int, delta: float) -> int:
    """The definition: the first epoch such that none of the last `patience` was below, by `delta`, what was lowest."""
    lowest = [math.inf]
    for loss in losses:
        lowest.append(loss if loss < lowest[-1] - delta else lowest[-1])
    for epoch in range(1, len(losses) + 1):
        if epoch > patience and lowest[epoch] == lowest[epoch - patience]:
            return epoch
    return len(losses)


@pytest.mark.parametrize(("patience", "delta"), [(1, 0.0), (3, 0.0), (3, 0.2), (5, 1.0)])
def test_patience(patience: int, delta: float) -> None:
    random = np.random.default_rng(patience)
    for _ in range(50):
        losses = (1 / np.arange(1, 40) + 0.1 * random.normal(size=39)).tolist()
        watch = Watch(patience, delta)
        found = next((i for i, loss in enumerate(losses, 1) if watch.ends(loss)), len(losses))
        assert found == ends(losses, patience, delta)
    assert Watch(2, 0.0).ends(math.nan) is False


@pytest.mark.usefixtures("held_out")
def test_a_training_ends_early_and_leaves_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--optimizer", "adam", "--lr", "2", "--epochs", "300"]
    assert call(tmp_path / "all", *more) == 0
    losses = [line["validation_loss"] for line in metrics(tmp_path / "all")]
    assert call(tmp_path / "f", *more, "--patience", "4", "--min-delta", "0.5") == 0
    run = run_of(tmp_path / "f")
    expected = ends(losses, 4, 0.5)
    assert expected < 300
    assert (run["status"], run["stopped_early"], run["epochs_done"]) == ("done", True, expected)
    assert metrics(tmp_path / "f") == metrics(tmp_path / "all")[:expected]
    assert run["best_epoch"] == int(np.argmin(losses[:expected])) + 1
    told = capsys.readouterr().err
    assert "validation_loss" in told
    assert (tmp_path / "f" / "checkpoints" / "best.checkpoint").exists()


def test_without_validation_the_training_loss_counts(tmp_path: Path) -> None:
    more = ["--lr", "0.01", "--epochs", "3000", "--patience", "5", "--min-delta", "0.01"]
    assert call(tmp_path / "f", *more) == 0
    run = run_of(tmp_path / "f")
    losses = [line["loss"] for line in metrics(tmp_path / "f")]
    assert run["stopped_early"]
    assert len(losses) == run["epochs_done"] == ends(losses, 5, 0.01) < 3000
    assert (run["parameters_of"], run["best"]) == ("last", None)
    assert not (tmp_path / "f" / "checkpoints" / "best.checkpoint").exists()


# ------------------------------------------------------------------------------------------------------------- metrics


@pytest.mark.usefixtures("held_out")
def test_metrics_of_each_epoch_are_the_modules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(30, 3))
    np.savez(tmp_path / "d.npz", x=x, y=x.sum(1))
    more = ["--epochs", "4", "--batch", "9", "--lr", "0.05", "--checkpoint-every", "1"]
    assert call(tmp_path / "f", *more, model=MODELS / "regularised.model", rows=tmp_path / "d.npz") == 0
    (*_, line) = metrics(tmp_path / "f")
    assert list(line) == ["epoch", "loss", "error", "validation_loss", "validation_error", "lr"]
    from gradc.runs import load

    saved = load(tmp_path / "f")
    assert saved is not None
    module, theta = saved.module, saved.state["theta"]
    rest = {"x": x[HELD_OUT:], "y": x[HELD_OUT:].sum(1)}
    assert line["error"] == module.metrics(theta, rest)["error"]
    apart = {"x": x[:HELD_OUT], "y": x[:HELD_OUT].sum(1)}
    assert line["validation_error"] == module.metrics(theta, apart)["error"]
    assert line["validation_loss"] == module.bind(apart)(theta)[0]
    told = capsys.readouterr().err
    assert "training regularised: 42 numbers in 5 parameters, 27 rows and 3 for validation" in told
    assert re.search(r"epoch 4  loss \d\.\d+  error \d\.\d+  validation_loss", told)


def test_metrics_whose_inputs_are_not_there_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.model"
    model.write_text("input x[n], z[n]\nparam w = 1\nminimize mean((w - x)^2)\nmetric far = max(z)\n")
    np.savez(tmp_path / "d.npz", x=np.zeros(3))
    assert call(tmp_path / "f", "--epochs", "1", model=model, rows=tmp_path / "d.npz") == 0
    assert "note: the metrics are left out" in capsys.readouterr().err
    assert list(metrics(tmp_path / "f")[0]) == ["epoch", "loss", "lr"]


def test_a_metric_that_has_the_name_of_something_else(tmp_path: Path) -> None:
    model = tmp_path / "m.model"
    model.write_text("input x[n]\nparam w = 1\nminimize mean((w - x)^2)\nmetric lr = w\nmetric far = log(w - 1)\n")
    np.savez(tmp_path / "d.npz", x=np.zeros(3))
    assert call(tmp_path / "f", "--epochs", "2", "--lr", "0.25", model=model, rows=tmp_path / "d.npz") == 0
    assert metrics(tmp_path / "f") == [
        {"epoch": 1, "loss": 1.0, "metric_lr": 0.5, "far": None, "lr": 0.25},
        {"epoch": 2, "loss": 0.25, "metric_lr": 0.25, "far": None, "lr": 0.25},
    ]


# -------------------------------------------------------------------------------------------------------------- groups


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--group w", "--group 'w' should name parameters and options"),
        ("--group v:lr=1", "no parameter has a name like 'v'; there are w, b"),
        ("--group w:rate=1", "SGD has no option 'rate'"),
        ("--group w:lr=-1", "--group 'w:lr=-1': lr must not be negative"),
        ("--group w:lr=1 --group w:lr=2", "another group has w already"),
        ("--optimizer lbfgs --group w:lr=1", "LBFGS has one group of parameters"),
        ("--schedule plateau --schedule-step", "cannot be stepped after each step"),
        ("--schedule onecycle:max_lr=1,total_steps=5 --momentum 0.9", "ends after 5 epochs, and the training has 100"),
        ("--patience 0", "should be a whole number from 1"),
        ("--min-delta -1", "should not be negative"),
        ("--checkpoint-every 0", "should be a whole number from 1"),
    ],
)
def test_what_cannot_be_meant(words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / "f", *words.split()) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


# -------------------------------------------------------------------------------------------------------------- curves


@pytest.mark.usefixtures("held_out")
def test_curves_are_drawn_and_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        assert call(tmp_path / name, "--epochs", "30", "--lr", "0.01", plots=True) == 0
        # Another moment, another hash of a text.
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    for name in ("loss.png", "loss.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    png = (tmp_path / "a" / "loss.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (960, 600)
    svg = (tmp_path / "a" / "loss.svg").read_text()
    lines = [part for part in ElementTree.fromstring(svg).iter() if part.get("id", "").startswith("line2d")]
    assert len(lines) > 3
    assert "date" not in svg
    assert str(tmp_path) not in svg


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", ["1", "1e307", "1e308"])
def test_losses_beyond_what_can_be_drawn(rate: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, rows = tmp_path / "far.model", tmp_path / "rows.csv"
    model.write_text("input x[n]\nparam w = 1e308\nminimize -w + 0 * sum(x)\n")
    rows.write_text("x\n1\n")
    status = call(tmp_path / "f", "--epochs", "4", "--lr", rate, model=model, rows=rows, plots=True)
    told = capsys.readouterr().err
    assert status == (rate == "1e308")
    assert ("w is inf: the step before has made it so" in told) == (rate == "1e308")


def test_a_long_curve_keeps_its_peaks() -> None:
    losses = np.ones(100_000)
    losses[[17, 54_321]] = 5, -3
    losses[777] = np.nan
    at, shown = curves._thinned(np.arange(1, 100_001), losses)
    assert len(at) <= curves.MOST + 2
    assert {18, 54_322} <= set(at.tolist())
    assert (shown.max(), shown.min(), at[0], at[-1]) == (5, -3, 1, 100_000)


def test_without_matplotlib_a_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curves, "available", lambda: False)
    assert call(tmp_path / "f", "--epochs", "2", plots=True) == 0
    assert capsys.readouterr().err.count("pip install 'gradc[plot]'") == 1
    assert not list((tmp_path / "f").glob("loss.*"))


# --------------------------------------------------------------------------------------------------------- TensorBoard


def events(folder: Path) -> list[tuple[int, str, float]]:
    """The numbers in the event files, by the format of TensorFlow's records: length, its sum, the event, its sum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + size])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += 16 + size
    return found


@pytest.mark.usefixtures("held_out")
def test_event_files_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    more = ["--epochs", "6", "--lr", "0.01", "--tensorboard"]
    assert call(tmp_path / "f", *more) == 0
    assert main(["train", "--out", str(tmp_path / "f"), "--resume", "--epochs", "9"]) == 0
    found = events(tmp_path / "f")
    assert len(found) == len({(step, tag) for step, tag, _ in found}) == 27
    for line in metrics(tmp_path / "f"):
        told = {tag: value for step, tag, value in found if step == line["epoch"]}
        expected = {"loss/training": "loss", "loss/validation": "validation_loss", "lr": "lr"}
        assert told == {tag: pytest.approx(line[name], rel=1e-6) for tag, name in expected.items()}


def test_without_tensorboardx_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert call(tmp_path / "f", "--tensorboard") == 1
    assert "pip install 'gradc[tensorboard]'" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


# ------------------------------------------------------------------------------------------------------------ progress


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a terminal of a process is made")
def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    import pty

    child, terminal = pty.fork()
    if not child:
        os.environ.update(TERM="xterm", COLUMNS="120")
        os.environ.pop("NO_COLOR", None)
        more = ["--epochs", "40", "--lr", "0.01", "--out", str(tmp_path / "f"), "--no-plots"]
        words = ["train", str(THERMOMETER), "--data", str(THERMOMETER.with_suffix(".csv")), *more]
        os.execv(sys.executable, [sys.executable, "-m", "gradc", *words])
    told = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        told += part
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told.decode())
    assert re.search(r"━+ +40/40 loss \d+\.\d+  lr 0\.01 +0:00:00", plain)
    assert "epoch" not in plain


def test_json_has_what_run_json_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / "f", "--epochs", "20", "--json") == 0
    told = capsys.readouterr()
    result = json.loads(told.out)["result"]
    assert result["last"] == metrics(tmp_path / "f")[-1]
    assert {"environments", "best", "stopped_early", "schedule_every", "groups"} <= result.keys()
