"""The documents are true: each block of code in README.md, docs/ and the examples is run.

A ```console block holds commands after `$ `, and what each prints, on both streams; it runs in a copy of the examples.
A ```model block compiles and its gradients agree. A ```python block runs. A ```sh block names scripts of the
repository, which .ci/run runs. Numbers may differ in their last digits, since machines add in different orders.
`--update-golden` writes what the commands print into the documents; a person reads the diff.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradc.__main__ import main

pytestmark = pytest.mark.simplified

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
CODE = re.compile(rf"{BLOCK.pattern}|`[^`\n]*`", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns("fitted", "__pycache__"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


def printed(block: str, place: Path) -> Iterator[str]:
    """The block again, with what the commands print now."""
    for line in block.splitlines():
        if line.startswith("$ "):
            yield line
            run = subprocess.run(
                ["sh", "-c", line[2:]],
                cwd=place,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            yield from run.stdout.splitlines()


def same(block: str, now: str) -> None:
    """The words are equal, and the numbers nearly; digits that agree, which `check` prints, by two."""
    for written, printed_now in zip(block.splitlines(), now.splitlines(), strict=True):
        assert NUMBER.sub("#", written).split() == NUMBER.sub("#", printed_now).split()
        near = {"abs": 2} if written.endswith("  ok") else {"rel": 1e-3, "abs": 1e-5}
        found = [float(number) for number in NUMBER.findall(printed_now)]
        assert found == pytest.approx([float(number) for number in NUMBER.findall(written)], **near), written


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block(
    path: Path, place: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if path.is_relative_to(ROOT / "examples"):
        place /= path.parent.name
    text = path.read_text(encoding="utf-8")
    for kind, block in BLOCK.findall(text):
        match kind:
            case "console":
                now = "".join(f"{line}\n" for line in printed(block, place))
                if request.config.getoption("--update-golden"):
                    text = text.replace(block, now)
                    path.write_text(text, encoding="utf-8", newline="\n")
                else:
                    same(block, now)
            case "model":
                model = place / "document.model"
                model.write_text(block)
                assert main(["check", str(model)]) == 0
                capsys.readouterr()
            case "python":
                code = f"import os; os.chdir({str(place)!r})\n{block}"
                run = subprocess.run(
                    [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
                )
                assert run.returncode == 0, run.stderr
            case "sh":
                for line in block.splitlines():
                    script = line.partition("#")[0].split()
                    assert script[0] in ("sh", "git", "cd"), line
                    assert script[0] != "sh" or (ROOT / script[1]).is_file(), line
            case _:
                pytest.fail(f"a block of kind {kind!r} is not checked")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link(path: Path) -> None:
    for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        assert (path.parent / target).exists(), target


def test_the_readme_shows_the_example() -> None:
    model = (ROOT / "examples" / "thermometer" / "thermometer.model").read_text()
    assert f"```model\n{model}```" in (ROOT / "README.md").read_text(encoding="utf-8")
