"""`import gradc.importer`: models are found like modules, and told of like modules."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gradc.importer

LINE = "input x[n], y[n]\nparam w = 1, b = 0\nminimize mean((w * x + b - y)^2)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of models on the path; what was imported from it is forgotten behind."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_model_is_imported(folder: Path) -> None:
    (folder / "straight_line.model").write_text(LINE)
    found = importlib.import_module("straight_line")
    loss, gradient = found.bind({"x": [1.0, 2.0], "y": [1.0, 3.0]})(np.array([1.0, 0.0]))
    assert loss == 0.5
    assert gradient.tolist() == [-2.0, -1.0]
    assert found.__file__ == str(folder / "straight_line.model")
    assert found.__loader__.get_source("straight_line") == gradc.compile(folder / "straight_line.model").text
    assert sorted(path.name for path in folder.iterdir()) == ["straight_line.model"]


def test_a_model_in_a_package(folder: Path) -> None:
    (folder / "curves").mkdir()
    (folder / "curves" / "__init__.py").write_text("from . import straight\n")
    (folder / "curves" / "straight.model").write_text(LINE)
    package = importlib.import_module("curves")
    assert list(package.straight.PARAMETERS) == ["w", "b"]
    assert package.straight.__name__ == "curves.straight"


def test_the_written_module_comes_first(folder: Path) -> None:
    (folder / "written_line.model").write_text(LINE)
    (folder / "written_line.py").write_text("WRITTEN = True\n")
    assert importlib.import_module("written_line").WRITTEN


def test_a_changed_model_is_compiled_again(folder: Path) -> None:
    path = folder / "changing_line.model"
    path.write_text(LINE)
    found = importlib.import_module("changing_line")
    path.write_text(LINE.replace("b = 0", "slope = 0").replace("+ b", "+ slope"))
    assert list(importlib.reload(found).PARAMETERS) == ["w", "slope"]


def test_mistakes_are_told_where_it_is_imported(folder: Path) -> None:
    (folder / "crooked_line.model").write_text(LINE.replace("w * x", "v * x"))
    with pytest.raises(ImportError) as caught:
        importlib.import_module("crooked_line")
    assert caught.value.name == "crooked_line"
    assert "crooked_line.model has mistakes" in str(caught.value)
    assert "crooked_line.model:3:16" in str(caught.value)
    assert "crooked_line" not in sys.modules


def test_a_file_that_is_no_text(folder: Path) -> None:
    (folder / "noisy_line.model").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ImportError, match="noisy_line"):
        importlib.import_module("noisy_line")


def test_nothing_else_changes(folder: Path) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_line")
    importlib.reload(gradc.importer)
    assert sum(type(finder).__name__ == "ModelFinder" for finder in sys.meta_path) == 1
