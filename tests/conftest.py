"""What all tests share: golden files, compared as they stand and rewritten with `--update-golden`, and the passes.

With GRADC_WITHOUT=all in the environment every test runs without a single rewriting, but for those marked `simplified`,
which are about the passes themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gradc.compiler.pipeline import Options


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "simplified: the test is about what the passes do, and needs them")


@pytest.fixture(autouse=True)
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passes that the environment names are left out of every compilation that does not say so itself."""
    left_out = os.environ.get("GRADC_WITHOUT", "").split()
    if not left_out:
        return
    if request.node.get_closest_marker("simplified"):
        monkeypatch.delenv("GRADC_WITHOUT")
        return
    plain = Options(without=tuple(left_out))
    defaults = Options.__init__.__defaults__
    assert defaults is not None
    monkeypatch.setattr(Options.__init__, "__defaults__", (*defaults[:2], plain.without, *defaults[3:]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files anew; a person reads the diff"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """`golden(path, text)`: the text must be what the file holds, to the byte."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.exists(), f"{path.name} is missing: run pytest with --update-golden, and read what it writes"
        assert text == path.read_text(encoding="utf-8")

    return compare
