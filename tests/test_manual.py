"""The reference is whole and true: every name has an entry, every page is up to date, every example runs.

`--update-golden` writes docs/reference anew. The code blocks of the pages are run by test_docs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gradc import grammar
from gradc.__main__ import main
from gradc.compiler.elaborate import rearrange
from gradc.compiler.elaborate.calls import ARRAYS, DERIVATIVES, RULES
from gradc.compiler.elaborate.distributions import NOISE, STARTS
from gradc.compiler.elaborate.library import scope
from gradc.compiler.manual import entries, find, index, page
from gradc.compiler.manual.entry import Entry

PAGES = Path(__file__).parents[1] / "docs" / "reference"

STATEMENTS = (
    *("axis", "batch", "input", "param", "const", "def", "return", "layer"),
    *("minimize", "maximize", "over", "output", "metric", "use", "like", "bool"),
    *("noise", "state", "update", "training", "scan", "with", "yield"),
)
OPERATORS = (
    *("=", "+", "-", "*", "/", "^", "**", "@", "|>", "==", "!=", "<", "<=", ">", ">=", "and", "or", "not"),
    *("if", "then", "else", "true", "false", "->", "pi"),
)
NAMES = (*STATEMENTS, *OPERATORS, *RULES, *ARRAYS, *DERIVATIVES, *rearrange.RULES, *dict.fromkeys([*STARTS, *NOISE]))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_language_has_an_entry(name: str) -> None:
    assert find(name) is not None


@pytest.mark.parametrize("library", grammar.LIBRARIES)
def test_every_name_of_the_library_has_an_entry(library: str) -> None:
    held = scope(library)
    assert held is not None
    names = [name for e in entries() if e.group.startswith("Library") for name in e.names]
    assert {name for name in names if name.startswith(f"{library}.")} == {f"{library}.{name}" for name in held.names}


def test_every_entry_has_an_example() -> None:
    assert all(entry.example for entry in entries())


def test_every_entry_of_a_library_says_where_it_comes_from() -> None:
    for e in entries():
        assert e.source or not e.group.startswith("Library"), e.title


def test_what_a_library_hands_on_is_explained_once() -> None:
    assert find("nn.cross_entropy") is find("loss.cross_entropy") is find("cross_entropy")


def test_no_name_has_two_entries() -> None:
    names = [name for entry in entries() for name in entry.names]
    assert len(set(names)) == len(names)


WRITTEN = [entry for entry in entries() if entry.example]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.title)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.meaning
    assert entry.forms
    titles = {known.title for known in entries()}
    assert set(entry.see) <= titles


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.title)
def test_an_example_compiles_and_its_gradients_agree(
    entry: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "example.model"
    path.write_text(entry.example)
    assert main(["check", str(path)]) == 0, capsys.readouterr().err


def test_the_pages_are_up_to_date(golden: Callable[[Path, str], None], request: pytest.FixtureRequest) -> None:
    expected = {f"{entry.title}.md": page(entry) for entry in entries()} | {"README.md": index(entries())}
    if request.config.getoption("--update-golden"):
        PAGES.mkdir(exist_ok=True)
        for old in PAGES.glob("*.md"):
            old.unlink()
    for name, text in expected.items():
        golden(PAGES / name, text)
    assert {path.name for path in PAGES.glob("*.md")} == set(expected)


def test_links_lead_to_pages() -> None:
    for path in PAGES.glob("*.md"):
        for target in re.findall(r"\]\((\S+\.md)\)", path.read_text()):
            assert (PAGES / target).is_file(), (path.name, target)


def test_the_command_prints_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "logsumexp"]) == 0
    shown = capsys.readouterr().out
    assert "    logsumexp[k](x)" in shown
    assert "Derivative. `softmax[k](x)`" in shown
    assert main(["help", "Linear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["names"] == ["nn.Linear"]
    assert main(["help"]) == 0
    assert "cholesky" in capsys.readouterr().out


def test_a_misspelt_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "softmx"]) == 1
    assert "did you mean softmax?" in capsys.readouterr().err
