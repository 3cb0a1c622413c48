"""The tutorial runs, and prints what is stored in it: numbers to a few digits, words as they stand.

`--update-golden` stores what it prints and draws now; a person reads the diff.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.simplified

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "examples" / "tutorial" / "tutorial.ipynb"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def run(notebook: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The notebook, executed in a copy of the examples."""
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("fitted", "__pycache__"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    where = {"metadata": {"path": str(folder / "tutorial")}}
    return NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()


def cleaned(notebook: Any) -> Any:
    """Without what differs from run to run and from machine to machine."""
    for cell in notebook.cells:
        cell.metadata = {}
        outputs: list[Any] = []
        for output in cell.get("outputs", ()):
            # What is printed arrives in pieces, as it happens.
            if (
                outputs
                and output.output_type == outputs[-1].output_type == "stream"
                and output.name == outputs[-1].name
            ):
                outputs[-1].text += output.text
                continue
            if output.output_type in ("display_data", "execute_result"):
                output.metadata = {}
            outputs.append(output)
        if cell.cell_type == "code":
            cell.outputs = outputs
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def printed(cell: Any) -> str:
    """What a cell prints and gives, in order."""
    parts = []
    for output in cell.get("outputs", ()):
        assert output.output_type != "error", output
        parts.append(output.text if output.output_type == "stream" else output.data["text/plain"])
    return "".join(parts)


def same(stored: str, now: str) -> None:
    """The words are equal, and the numbers nearly; of digits that agree, which `check` prints, nearly too."""
    assert len(stored.splitlines()) == len(now.splitlines())
    for before, after in zip(stored.splitlines(), now.splitlines(), strict=True):
        assert NUMBER.sub("#", before).split() == NUMBER.sub("#", after).split()
        near = {"abs": 2} if before.rstrip().endswith(" ok") else {"rel": 1e-3, "abs": 1e-9}
        found = [float(number) for number in NUMBER.findall(after)]
        assert found == pytest.approx([float(number) for number in NUMBER.findall(before)], **near), before


def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    stored = nbformat.read(TUTORIAL, as_version=4)
    now = run(nbformat.read(TUTORIAL, as_version=4), tmp_path / "examples", monkeypatch)
    if request.config.getoption("--update-golden"):
        TUTORIAL.write_text(nbformat.writes(cleaned(now)) + "\n", encoding="utf-8", newline="\n")
        return
    for before, after in zip(stored.cells, now.cells, strict=True):
        same(printed(before), printed(after))


def test_what_is_stored_is_of_no_machine() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    stored = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(stored)
    assert len(text) < 200_000
    assert not re.search(r"/(tmp|home|opt|usr)/|site-packages|Traceback", text)
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
