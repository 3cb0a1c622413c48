"""Parameters as safetensors: the library reads what we write, and we what it writes; what differs is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import gradc
from gradc.__main__ import main
from gradc.runtime import DataError, ParametersDiffer

pytestmark = pytest.mark.simplified

TEXT = "input x[n, d], y[n]\nparam W[d, k: 3] ~ normal(0, 1), b[k] = 0, s > 0 = 2\n"
TEXT += "minimize mean((sum[k](x @ W + b) / s - y)^2)\n"
DATA = {"x": np.arange(8.0).reshape(4, 2), "y": np.ones(4)}


@pytest.fixture(scope="module")
def model() -> gradc.Model:
    return gradc.compile(TEXT)


def same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_the_library_reads_it_and_its_bytes_are_ours(model: gradc.Model, tmp_path: Path) -> None:
    session = gradc.Session(model.module, DATA, seed=3)
    path = tmp_path / "w.safetensors"
    gradc.save_safetensors(path, session)
    values = {name: np.asarray(value) for name, value in session.values().items()}
    same(safetensors.numpy.load_file(path), values)
    assert float(safetensors.numpy.load_file(path)["s"]) == pytest.approx(2)
    theirs = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file(dict(sorted(values.items())), theirs)
    assert path.read_bytes() == theirs.read_bytes()
    again = gradc.load_safetensors(path)
    same(again, values)
    gradc.save_safetensors(path, again)
    assert path.read_bytes() == theirs.read_bytes()


def test_a_session_takes_it_in(model: gradc.Model, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    trained = model.fit(DATA, "sgd", lr=1e-4, epochs=5, seed=8)
    gradc.save_safetensors(path, trained)
    session = gradc.Session(model.module, DATA, seed=1)
    view = session.parameters["W"].value
    gradc.load_safetensors(path, session)
    assert session.theta == pytest.approx(trained.session.theta, rel=1e-15)
    assert view.base is session.theta or np.shares_memory(view, session.theta)


def by_hand(dtype: str, length: int, data: bytes) -> bytes:
    """A file as the format's description has it: the header's length, the header, the data."""
    head = json.dumps({"a": {"dtype": dtype, "shape": [length], "data_offsets": [0, len(data)]}}).encode()
    return len(head).to_bytes(8, "little") + head + data


def test_what_other_types_hold(tmp_path: Path) -> None:
    """Half numbers and bfloat16, of which NumPy has none: 1.5 and -0.0078125 are exact in all of them."""
    path = tmp_path / "w.safetensors"
    safetensors.numpy.save_file({"a": np.array([1.5, -0.0078125], np.float16)}, path)
    assert gradc.load_safetensors(path)["a"].tolist() == [1.5, -0.0078125]
    path.write_bytes(by_hand("BF16", 2, np.array([0x3FC0, 0xBC00], "<u2").tobytes()))
    assert gradc.load_safetensors(path)["a"].tolist() == [1.5, -0.0078125]
    path.write_bytes(by_hand("F8_E5M2", 1, b"\0"))
    with pytest.raises(DataError, match="F8_E5M2, which NumPy lacks"):
        gradc.load_safetensors(path)


def test_what_differs_is_said_and_nothing_is_changed(model: gradc.Model, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    session = gradc.Session(model.module, DATA, seed=3)
    before = session.theta.copy()
    gradc.save_safetensors(path, {"W": np.ones((3, 2)), "b": np.ones(3), "bias": np.ones(3)})
    with pytest.raises(ParametersDiffer) as caught:
        gradc.load_safetensors(path, session)
    expected = "w.safetensors: W has shape (3, 2), and (2, 3) in the model; there is no s; "
    assert str(caught.value) == expected + "the model has no bias; it has W, b, s"
    gradc.save_safetensors(path, {"b": np.ones(3), "s": np.array(-1.0)})
    with pytest.raises(ParametersDiffer, match="there is no W"):
        gradc.load_safetensors(path, session)
    with pytest.raises(model.module.DataError, match="'s' must lie between 0"):
        gradc.load_safetensors(path, session, partial=True)
    assert session.theta.tobytes() == before.tobytes()
    gradc.save_safetensors(path, {"b": np.full(3, 7.0)})
    gradc.load_safetensors(path, session, partial=True)
    assert session.values()["b"].tolist() == [7, 7, 7]
    assert session.values()["W"].tobytes() == before[:6].tobytes()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 a zip archive", b"\x10\0\0\0\0\0\0\0{", b"\xff" * 40])
def test_what_is_no_such_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"w\.safetensors: this is not a safetensors file"):
        gradc.load_safetensors(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match="'a' holds <U3"):
        gradc.save_safetensors(path, {"a": np.array(["one"])})
    with pytest.raises(FileNotFoundError):
        gradc.load_safetensors(path)
    with pytest.raises(OSError, match="cannot write"):
        gradc.save_safetensors(tmp_path / "missing" / "w.safetensors", {"a": np.ones(2)})
    path.write_text("my notes on weights")
    with pytest.raises(OSError, match="is no safetensors file, and is left as it is"):
        gradc.save_safetensors(path, {"a": np.ones(2)})
    assert path.read_text() == "my notes on weights"
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.safetensors"]


def test_export_and_train_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "line.model").write_text(TEXT)
    np.savez(tmp_path / "line.npz", **DATA)
    fitted, out = tmp_path / "fitted", tmp_path / "line.safetensors"
    words = [str(tmp_path / "line.model"), "--data", str(tmp_path / "line.npz"), "--lr", "1e-4", "--epochs"]
    assert main(["train", *words, "4", "--out", str(fitted)]) == 0
    assert main(["export", str(fitted), "-o", str(out)]) == 0
    with np.load(fitted / "parameters.npz") as archive:
        same(safetensors.numpy.load_file(out), {name: archive[name] for name in archive.files})
    for start, folder in ((fitted / "parameters.npz", "a"), (out, "b")):
        assert main(["train", *words, "3", "--from", str(start), "--out", str(tmp_path / folder)]) == 0
    ours, theirs = ((tmp_path / folder / "parameters.npz").read_bytes() for folder in "ab")
    assert ours == theirs
    capsys.readouterr()
    assert main(["export", str(fitted), "-o", str(tmp_path / "line.pt")]) == 2
    assert "should end in .safetensors" in capsys.readouterr().err
    out.write_bytes(b"no")
    assert main(["train", *words, "3", "--from", str(out), "--out", str(tmp_path / "c")]) == 1
    assert "this is not a safetensors file" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
