"""A training that goes on is the training without the break: after SIGKILL, Ctrl-C, a full disk, a damaged checkpoint.

What is compared is every byte of the folder. What cannot be the same training is refused.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradc import runs
from gradc.__main__ import main
from gradc.commands import train
from gradc.failures import Failure
from gradc.modules import compile_source
from gradc.runtime import BadCheckpoint, checkpoint, environment

pytestmark = pytest.mark.simplified

EXAMPLES = Path(__file__).parents[1] / "examples"
MODEL = EXAMPLES / "thermometer" / "thermometer.model"
DATA = MODEL.with_suffix(".csv")
EPOCHS = 12
OPTIONS = ("--batch", "4", "--optimizer", "adam", "--lr", "0.1", "--schedule", "cosine", "--no-plots")


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(source: Any, chosen: Any) -> Any:
        if source.text not in MADE:
            MADE[source.text] = compile_source(source, chosen)
        return MADE[source.text]

    monkeypatch.setattr(train, "compile_source", once)


MADE: dict[str, Any] = {}


def call(folder: Path, *more: str, model: Path = MODEL, data: Path = DATA) -> int:
    words = ["--data", str(data), "--out", str(folder), "--epochs", str(EPOCHS), "--checkpoint-every", "3"]
    return main(["train", str(model), *words, *OPTIONS, *more])


def resume(folder: Path, *more: str) -> int:
    return main(["train", "--out", str(folder), "--resume", *more])


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A training that nothing happened to."""
    assert call(tmp_path / "whole") == 0
    return tmp_path / "whole"


class Stop(BaseException):
    """The end of a process, within the test's own."""


@pytest.fixture
def broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same training, whose machine stopped in epoch 8: the last checkpoint is that of epoch 6."""
    from gradc.training import Training

    after = Training._after

    def stop(self: Training, epoch: int, *losses: float) -> bool:
        if self._first + epoch == 8:
            raise Stop
        return after(self, epoch, *losses)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_after", stop)
        with pytest.raises(Stop):
            call(tmp_path / "off")
    return tmp_path / "off"


# ---------------------------------------------------------------------------------------------------------- SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_trainings_that_are_killed_end_with_the_bytes_of_those_that_are_not(tmp_path: Path) -> None:
    script = Path(__file__).parent / "killed.py"
    told = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True, timeout=500, check=True
    )
    entries = json.loads(told.stdout)
    assert sum(entry["status"].count(-9) for entry in entries) >= 50
    for entry in entries:
        assert entry["status"][-1] == 0, entry
        assert entry.get("same", True), entry
        assert not entry.get("unreadable"), entry
        assert not entry.get("differ"), entry


# ------------------------------------------------------------------------------------------------- going on, and on


def test_a_resumed_training_is_the_one_without_the_break(whole: Path, broken_off: Path) -> None:
    run = json.loads((broken_off / "run.json").read_text())
    assert run["status"] == "running"
    assert resume(broken_off) == 0
    assert files(broken_off) == files(whole)


def test_the_same_command_begins_or_goes_on(whole: Path, broken_off: Path, tmp_path: Path) -> None:
    assert call(broken_off, "--resume") == 0
    assert call(tmp_path / "new", "--resume") == 0
    assert files(broken_off) == files(tmp_path / "new") == files(whole)


def test_a_finished_training_is_left_as_it_is(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(whole)
    capsys.readouterr()
    assert resume(whole) == 0
    assert "nothing is left to do for thermometer after epoch 12" in capsys.readouterr().err
    assert files(whole) == before


def test_a_longer_training_is_that_from_the_beginning(tmp_path: Path) -> None:
    options = ("--optimizer", "adam", "--lr", "0.1", "--batch", "4", "--schedule", "step:step_size=5")
    words = ["train", str(MODEL), "--data", str(DATA), *options, "--checkpoint-every", "4"]
    assert main([*words, "--out", str(tmp_path / "long"), "--epochs", "20"]) == 0
    assert main([*words, "--out", str(tmp_path / "grown"), "--epochs", "7"]) == 0
    assert resume(tmp_path / "grown", "--epochs", "13") == 0
    assert resume(tmp_path / "grown", "--epochs", "20") == 0
    assert files(tmp_path / "grown") == files(tmp_path / "long")
    assert {"loss.png", "loss.svg"} <= set(files(tmp_path / "long"))


def test_data_may_be_at_another_place(broken_off: Path, whole: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.csv"
    shutil.copy(DATA, moved)
    assert resume(broken_off, "--data", str(moved)) == 0
    found, expected = files(broken_off), files(whole)
    for name in expected:
        # A checkpoint knows where the data were found last.
        assert found[name] == expected[name] or name.startswith("checkpoints/")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--lr", "0.2"], "--lr was 0.1 in the run in"),
        (["--seed", "1"], "--seed was 0 in the run in"),
        (["--optimizer", "sgd:momentum=0.5"], "--optimizer was adam in the run in"),
        (["--epochs", "5"], "6 epochs are done, and --epochs asks for 5"),
    ],
)
def test_another_option_is_refused(
    more: list[str], said: str, broken_off: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(broken_off)
    assert resume(broken_off, *more) == 2
    assert said in capsys.readouterr().err
    assert files(broken_off) == before


def test_changed_data_or_a_changed_model_is_refused(
    broken_off: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(broken_off)
    data, model = tmp_path / "thermometer.csv", tmp_path / "thermometer.model"
    data.write_text(DATA.read_text().replace("35.7", "35.8"))
    assert resume(broken_off, "--data", str(data)) == 1
    assert "the data have changed since the run in" in capsys.readouterr().err
    model.write_text(MODEL.read_text() + "\n# other\n")
    assert main(["train", str(model), "--out", str(broken_off), "--resume"]) == 1
    assert f"{model} has changed since the run in" in capsys.readouterr().err
    assert files(broken_off) == before
    module = broken_off / "thermometer.py"
    module.write_text(module.read_text() + "\n")
    assert resume(broken_off) == 1
    assert "is not the module that was trained" in capsys.readouterr().err


def test_another_environment_is_said(
    broken_off: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = environment.environment()
    assert here["numpy"] == np.__version__
    assert here["threads"] >= 1
    monkeypatch.setattr(environment, "environment", lambda: {**here, "numpy": "1.0", "threads": 77})
    assert resume(broken_off) == 0
    told = capsys.readouterr().err
    assert f"warning: NumPy was {np.__version__} and is 1.0: the numbers may differ in their last digits" in told
    assert "the number of threads was" in told
    run = json.loads((broken_off / "run.json").read_text())
    assert [entry["threads"] for entry in run["environments"]] == [here["threads"], 77]


def test_a_training_that_was_broken_off_is_not_lost_by_mistake(
    broken_off: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(broken_off)
    assert call(broken_off) == 1
    assert "--resume goes on with it, --force begins anew" in capsys.readouterr().err
    assert files(broken_off) == before
    assert call(broken_off, "--force") == 0
    assert files(broken_off) == files(whole)
    assert call(broken_off) == 0, "one that is done is written over"


def test_nothing_to_go_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(tmp_path / "nowhere") == 2
    assert "has no checkpoint to go on from: give MODEL and --data" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


# ----------------------------------------------------------------------------------------------- damaged checkpoints


def damaged(whole: bytes) -> Iterator[bytes]:
    """Ways in which a file is not what was written."""
    size = len(whole)
    yield from (whole[: size * tenth // 10] for tenth in range(10))
    for place in range(0, size, size // 20):
        yield whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    yield whole + b"\0"
    foreign = io.BytesIO()
    np.savez(foreign, theta=np.zeros(2))
    yield foreign.getvalue()
    yield whole.replace(b"gradc checkpoint 1", b"gradc checkpoint 2")


def test_a_damaged_checkpoint_is_refused_and_the_one_before_taken(
    whole: Path, broken_off: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = broken_off / "checkpoints" / "last.checkpoint"
    good = last.read_bytes()
    assert checkpoint.read(io.BytesIO(good), "it")["epoch"] == 6
    for content in damaged(good):
        last.write_bytes(content)
        found = runs.load(broken_off)
        assert found is not None
        assert found.damaged is not None
        assert found.state["epoch"] == 3
    capsys.readouterr()
    assert resume(broken_off) == 0
    told = capsys.readouterr().err
    assert "warning:" in told
    assert "last.checkpoint is damaged or cut short" in told or "another version" in told
    assert "training thermometer again, after epoch 3 of 12" in told
    assert files(broken_off) == files(whole)


def test_without_a_whole_checkpoint_nothing_goes_on(broken_off: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("last", "before"):
        (broken_off / "checkpoints" / f"{name}.checkpoint").write_bytes(b"gradc chec")
    before = files(broken_off)
    assert resume(broken_off) == 1
    told = capsys.readouterr().err
    assert "last.checkpoint is cut short" in told
    assert "before.checkpoint is cut short" in told
    assert files(broken_off) == before


def test_metrics_that_are_not_those_of_the_run(broken_off: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = broken_off / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"epoch": 5', b'"epoch": 4'))
    found = runs.load(broken_off)
    assert found is not None
    assert found.state["epoch"] == 3
    path.unlink()
    assert resume(broken_off) == 1
    assert "metrics.jsonl" in capsys.readouterr().err


def test_a_state_comes_back_as_it_was() -> None:
    state = {
        "numbers": [0.1, -0.0, 1e-320, float("inf"), 2**60, True, None, "ü\n"],
        "arrays": {"a": np.arange(6.0).reshape(2, 3).T, "b": np.float32([1.5]), "none": np.zeros((0, 2))},
        "scalar": np.array(3, np.int64),
        "deep": [{"x": [np.array([True, False])]}, ()],
    }
    file = io.BytesIO()
    checkpoint.write(file, state)
    again = io.BytesIO()
    checkpoint.write(again, checkpoint.read(io.BytesIO(file.getvalue()), "it"))
    assert again.getvalue() == file.getvalue()
    found = checkpoint.read(io.BytesIO(file.getvalue()), "it")
    assert found["numbers"] == state["numbers"]
    assert np.signbit(found["numbers"][1])
    for name, array in state["arrays"].items():
        assert found["arrays"][name].dtype == array.dtype
        np.testing.assert_array_equal(found["arrays"][name], array)
    assert found["scalar"].shape == ()
    assert found["deep"][0]["x"][0].tolist() == [True, False]


@pytest.mark.parametrize("wrong", [{1: 2}, {"": 1}, {"a": object()}, {"a": np.array(["x"])}, {"a": np.array([None])}])
def test_what_a_state_cannot_hold(wrong: dict[Any, Any]) -> None:
    with pytest.raises(TypeError, match="a state"):
        checkpoint.write(io.BytesIO(), wrong)


def test_a_checkpoint_that_somebody_made_is_not_believed() -> None:
    import hashlib

    for line in (
        b'{"a":{"":["O",[1]]}}',
        b'{"a":{"":["<f8",[9999999]]}}',
        b'{"a":{"":["<f8",[-1]]}}',
        b"[" * 9999,
        b"1",
    ):
        body = checkpoint.FIRST + line + b"\n" + bytes(8)
        with pytest.raises(BadCheckpoint):
            checkpoint.read(io.BytesIO(body + hashlib.sha256(body).digest()), "it")


# ------------------------------------------------------------------------------------------------- what does not write


class Refusing:
    """Lets so many calls to files pass, and refuses all others, or one, as the system does."""

    def __init__(self, patch: pytest.MonkeyPatch, code: int, passing: int, once: bool) -> None:
        self.code, self.left, self.once, self.refused = code, passing, once, 0
        for name in ("fsync", "replace"):
            patch.setattr(os, name, self.around(getattr(os, name)))
        opened = os.fdopen
        patch.setattr(os, "fdopen", lambda *arguments: RefusingFile(opened(*arguments), self))

    def look(self) -> None:
        self.left -= 1
        if self.left < 0 and not (self.once and self.refused):
            self.refused += 1
            raise OSError(self.code, os.strerror(self.code))

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            self.look()
            return function(*arguments, **options)

        return called


class RefusingFile:
    """A file on such a disk: half of what does not fit is written."""

    def __init__(self, file: Any, disk: Refusing) -> None:
        self.file, self.disk = file, disk

    def write(self, part: Any) -> Any:
        try:
            self.disk.look()
        except OSError:
            self.file.write(bytes(part)[: len(part) // 2])
            raise
        return self.file.write(part)

    def __enter__(self) -> RefusingFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize(("code", "stride", "once"), [(errno.ENOSPC, 3, False), (errno.EIO, 4, True)])
def test_a_disk_that_refuses_leaves_what_was_there(
    code: int,
    stride: int,
    once: bool,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a call on, or at one call, for each of some of the calls that a training makes."""
    expected, kept, passing = files(whole), 0, 0
    while True:
        folder = tmp_path / f"refused-{passing}"
        with monkeypatch.context() as patch:
            disk = Refusing(patch, code, passing, once)
            status = call(folder)
        told = capsys.readouterr().err
        if not disk.refused:
            assert status == 0
            break
        assert status == 1
        assert os.strerror(code) in told
        assert "bug" not in told
        assert not list(folder.rglob(".*.tmp"))
        saved = runs.load(folder)
        if saved is not None:
            assert saved.damaged is None
            assert "--resume goes on" in told or saved.state["epoch"] == EPOCHS or "last.checkpoint" not in told
            kept += 1
        if passing % 4 == 0:
            assert call(folder, "--resume") == 0
            assert files(folder) == expected
        passing += stride
    assert kept > 10


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before the training; root may write anywhere, so the system's answer is made."""

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for module, name in ((Path, "mkdir"), (runs, "Lines")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, refuse)
            assert call(tmp_path / name) == 1
        assert "Permission denied" in capsys.readouterr().err
    (tmp_path / "file").write_text("mine")
    assert call(tmp_path / "file") == 1
    assert "cannot make the folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_checkpoint_of_something_else(broken_off: Path) -> None:
    for name in ("last", "before"):
        path = broken_off / "checkpoints" / f"{name}.checkpoint"
        with path.open("wb") as file:
            checkpoint.write(file, {"epoch": 3})
    with pytest.raises(Failure, match="is not the checkpoint of a training"):
        runs.load(broken_off)


# ----------------------------------------------------------------------------------------- interrupted, and diverged


def test_an_interrupt_leaves_the_checkpoint_of_its_epoch(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gradc.training import Training

    told, folder = Training._told, tmp_path / "off"

    def interrupt(self: Training, losses: tuple[float, ...]) -> dict[str, Any]:
        if self.epoch == 8:
            signal.raise_signal(signal.SIGINT)
        return told(self, losses)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_told", interrupt)
        assert call(folder) == 130
    assert "interrupted after epoch 8" in capsys.readouterr().err
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["epochs_done"], run["last"]["epoch"]) == ("interrupted", 8, 8)
    saved = runs.load(folder)
    assert saved is not None
    assert saved.state["epoch"] == 8
    with np.load(folder / "parameters.npz") as found:
        assert [float(found["w"]), float(found["b"])] == saved.state["theta"].tolist()
    assert resume(folder) == 0
    assert files(folder) == files(whole)


def test_a_second_interrupt_ends_at_once(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gradc.runtime import Optimizer

    descend, folder, steps = Optimizer.descend, tmp_path / "off", 0

    def interrupt(self: Optimizer, *arguments: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == 16:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        descend(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Optimizer, "descend", interrupt)
        assert call(folder) == 130
    assert "interrupted after epoch 5" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert resume(folder) == 0
    assert files(folder) == files(whole)


def test_a_training_that_diverges_does_so_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(MODEL), "--data", str(DATA), "--out", str(tmp_path / "f"), "--no-plots", "--lr", "3"]
    assert main([*words, "--epochs", "900", "--checkpoint-every", "40"]) == 1
    told, before = capsys.readouterr().err, files(tmp_path / "f")
    assert "the last good parameters are in" in told
    saved = runs.load(tmp_path / "f")
    assert saved is not None
    assert 0 < saved.state["epoch"] < 900
    assert np.isfinite(saved.state["theta"]).all()
    assert resume(tmp_path / "f") == 1
    assert capsys.readouterr().err.splitlines()[-2:] == told.splitlines()[-2:]
    assert files(tmp_path / "f") == before
    assert main([*words, "--epochs", "3"]) == 0, "and it is written over"


def test_two_at_once_are_one_too_many(broken_off: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fcntl")
    with runs.RunFolder(broken_off, "thermometer.py") as folder:
        folder.prepare(force=True)
        before = files(broken_off)
        assert resume(broken_off) == 1
        assert "another training is writing in" in capsys.readouterr().err
        assert files(broken_off) == before
    assert resume(broken_off) == 0
