"""Wrong models: each has its expected diagnostics in a golden file beside it, and none ends in a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.source import ModelError, Source, render
from gradc.compiler.syntax import parse

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.model"))


def diagnostics(source: Source) -> ModelError:
    """The mistakes of a model that has some."""
    with pytest.raises(ModelError) as caught:
        elaborate(parse(source))
    return caught.value


def test_there_are_enough() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_model(path: Path, golden: Callable[[Path, str], None]) -> None:
    started = time.perf_counter()
    error = diagnostics(Source(path.name, path.read_text(encoding="utf-8")))
    assert time.perf_counter() - started < 2
    golden(path.with_suffix(".txt"), "\n".join(render(diagnostic).rstrip() + "\n" for diagnostic in error.diagnostics))


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_diagnostic_points_at_something_and_helps(path: Path) -> None:
    for diagnostic in diagnostics(Source(path.name, path.read_text(encoding="utf-8"))).diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(diagnostic.span.source.text)
        assert diagnostic.message[0].islower() or not diagnostic.message[0].isalpha()
        assert diagnostic.code.startswith("E0")


def test_no_golden_file_without_a_model() -> None:
    assert {path.stem for path in WRONG} == {path.stem for path in (Path(__file__).parent / "wrong").glob("*.txt")}
