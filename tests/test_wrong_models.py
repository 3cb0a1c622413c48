"""Wrong models: each has its expected diagnostics in a golden file beside it, and none ends in a traceback."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.source import ModelError, Source, render
from gradc.compiler.syntax import parse

from .test_threats import pace

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.model"))
MODELS = sorted((Path(__file__).parent / "models").glob("*.model"))
WORD = re.compile(r"[A-Za-z_][\w.]*'*|\d+\.?\d*|\|>|->|==|<=|>=|\n|[^\w\s]| +")


def diagnostics(source: Source) -> ModelError:
    """The mistakes of a model that has some."""
    with pytest.raises(ModelError) as caught:
        elaborate(parse(source))
    return caught.value


def test_there_are_enough() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_model(path: Path, golden: Callable[[Path, str], None]) -> None:
    started = time.process_time()
    error = diagnostics(Source(path.name, path.read_text(encoding="utf-8")))
    taken = time.process_time() - started
    assert taken < 2 or taken < 2 * pace()
    golden(path.with_suffix(".txt"), "\n".join(render(diagnostic).rstrip() + "\n" for diagnostic in error.diagnostics))


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_diagnostic_says_where_and_what_to_write(path: Path) -> None:
    for diagnostic in diagnostics(Source(path.name, path.read_text(encoding="utf-8"))).diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(diagnostic.span.source.text)
        assert diagnostic.message[0].islower() or not diagnostic.message[0].isalpha()
        assert diagnostic.help is not None or diagnostic.code == "E0490"


def test_no_golden_file_without_a_model() -> None:
    assert {path.stem for path in WRONG} == {path.stem for path in (Path(__file__).parent / "wrong").glob("*.txt")}


def test_no_change_of_a_model_ends_in_a_traceback() -> None:
    """Words of all models, taken out, put in and exchanged at random: a model compiles, or its mistakes are told."""
    sources = [path.read_text(encoding="utf-8") for path in [*MODELS, *WRONG] if path.stem != "call_blow_up"]
    words = [WORD.findall(text) for text in sources]
    pool = sorted({word for text in words for word in text if word.strip()})
    chance = random.Random(0)
    for _ in range(400):
        changed = list(chance.choice(words))
        place = chance.randrange(len(changed))
        changed[place : place + chance.randrange(2)] = chance.choices(pool, k=chance.randrange(3))
        with contextlib.suppress(ModelError):
            elaborate(parse(Source("changed.model", "".join(changed))))
