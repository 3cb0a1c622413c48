"""Mistakes of form: what is said, where, and how it is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gradc.compiler.source import (
    Diagnostic,
    ModelError,
    Note,
    Source,
    Span,
    nearest,
    read_source,
    render,
    to_json,
)
from gradc.compiler.syntax import parse


def found(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(ModelError) as caught:
        parse(Source("test.model", text))
    return caught.value.diagnostics


# ------------------------------------------------------------------------------------------------------------ rendering

ATTENTION = "a = 1\n" * 13 + "        weight = softmax[t'](query @ key)\n"


def test_the_form_of_the_language_page() -> None:
    source = Source("attention.model", ATTENTION)
    start = ATTENTION.index("query @ key")
    diagnostic = Diagnostic(
        "E0320",
        "`@` needs exactly one shared axis, and these share two",
        Span(source, start, start + 11),
        ("query [n, t, head, k]   key [n, t', head, k]   shared: n, head, k",),
        "say which to sum over: sum[k](query * key)",
    )
    assert render(diagnostic) == (
        """\
error: `@` needs exactly one shared axis, and these share two
  --> attention.model:14:30
   |
14 |         weight = softmax[t'](query @ key)
   |                              ^^^^^^^^^^^
   |  query [n, t, head, k]   key [n, t', head, k]   shared: n, head, k
   = help: say which to sum over: sum[k](query * key)"""
    )


def test_notes_show_further_places() -> None:
    source = Source("m.model", "def f(x) = x @ w\n" + "\n" * 8 + "y = f(3)\n")
    note = Note(Span(source, source.text.index("f(3)"), source.text.index("f(3)") + 4), "in this use of `f`")
    at = Span(source, 11, 16)
    diagnostic = Diagnostic("E0320", "no shared axis", at, ("x []", "w [k]"), "first line\nsecond line", (note,))
    assert render(diagnostic) == (
        """\
error: no shared axis
  --> m.model:1:12
   |
 1 | def f(x) = x @ w
   |            ^^^^^
   |  x []
   |  w [k]
   = help: first line
           second line
note: in this use of `f`
  --> m.model:10:5
   |
10 | y = f(3)
   |     ^^^^"""
    )


def test_colours_change_nothing_else() -> None:
    source = Source("m.model", "y = 1\n")
    diagnostic = Diagnostic("E0000", "wrong", Span(source, 4, 5), ("a",), "b", (Note(Span(source, 0, 1), "c"),))
    coloured = render(diagnostic, color=True)
    assert "\x1b[1;31m" in coloured
    for mark in ("\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(mark, "")
    assert coloured == render(diagnostic)


def marked(text: str, start: int, end: int) -> tuple[str, str]:
    """The source line and the mark under it, as rendered."""
    shown = render(Diagnostic("E0000", "wrong", Span(Source("m.model", text), start, end))).split("\n")
    return shown[3].partition("| ")[2], shown[4].partition("| ")[2]


@pytest.mark.parametrize(
    ("text", "start", "end", "line", "mark"),
    [
        ("ab cd", 3, 5, "ab cd", "   ^^"),
        ("\tab", 1, 3, "    ab", "    ^^"),
        ("a\tb", 2, 3, "a   b", "    ^"),
        ("漢字 b", 3, 4, "漢字 b", "     ^"),
        ("a 漢字", 2, 4, "a 漢字", "  ^^^^"),
        ("e\u0301 b", 3, 4, "e\u0301 b", "  ^"),
        ("a\x1b[31m b", 7, 8, "a\u241b[31m b", "       ^"),
        ("a\u202eb c", 4, 5, "a\ufffdb c", "    ^"),
        ("a\x7f\x00 c", 4, 5, "a\u2421\u2400 c", "    ^"),
        ("a b\r\nc", 2, 3, "a b", "  ^"),
        ("ab", 2, 2, "ab", "  ^"),
        ("ab\ncd", 1, 5, "ab", " ^"),
    ],
    ids=range(12),
)
def test_the_mark_stands_under_what_it_marks(text: str, start: int, end: int, line: str, mark: str) -> None:
    assert marked(text, start, end) == (line, mark)


def test_of_a_long_line_the_part_around_the_mark_is_shown() -> None:
    text = "a" * 1000 + "b" + "c" * 1000
    line, mark = marked(text, 1000, 1001)
    assert len(line) < 160
    assert line[mark.index("^")] == "b"
    assert line.startswith("... a")
    assert line.endswith("c ...")


def test_nothing_in_a_message_can_steer_a_terminal() -> None:
    source = Source("a\x1b]0;b\x07.model", "x\x1b[2J\n")
    evil = "wrong \x1b[31m \u202e"
    shown = render(Diagnostic("E0000", evil, Span(source, 0, 1), (evil,), evil, (Note(Span(source, 0, 1), evil),)))
    assert all(line.isprintable() for line in shown.split("\n"))


def test_as_data() -> None:
    source = Source("m.model", "y = (1 +\n  2)\n")
    note = Note(Span(source, 0, 1), "here")
    diagnostic = Diagnostic("E0123", "wrong", Span(source, 4, 13), ("a", "b"), "help", (note,))
    assert to_json(diagnostic) == {
        "code": "E0123",
        "message": "wrong",
        "file": "m.model",
        "line": 1,
        "column": 5,
        "end_line": 2,
        "end_column": 5,
        "sides": ["a", "b"],
        "help": "help",
        "notes": [{"message": "here", "file": "m.model", "line": 1, "column": 1, "end_line": 1, "end_column": 2}],
    }
    assert json.loads(json.dumps(to_json(diagnostic))) == to_json(diagnostic)


def test_the_nearest_name() -> None:
    assert nearest("sigmod", ["softplus", "sigmoid", "sign"]) == "sigmoid"
    assert nearest("SQRT", {"sqrt", "sort"}) == "sqrt"
    assert nearest("quite_another", ["x", "y"]) is None
    assert nearest("x", []) is None


def test_an_error_holds_all_its_mistakes() -> None:
    error = ModelError(found("x = 1 +\ny = $\n"))
    assert str(error) == "\n\n".join(render(diagnostic) for diagnostic in error.diagnostics)
    assert str(error).count("error: ") == 2


# -------------------------------------------------------------------------------------------------------------- reading


def test_reading_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    path.write_bytes("\ufeffλ = 1\r\ny = 2\r\n".encode())
    assert read_source(path) == Source("a.model", "λ = 1\ny = 2\n")


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"x = 1\ny = \xff\n", "E0101", "not UTF-8: the byte 0xff on line 2"),
        (b"x" * 4_000_001, "E0501", "more than 1000000 characters"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    path = tmp_path / "a.model"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_source(path)
    assert caught.value.diagnostics[0].code == code
    assert words in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ModelError) as caught:
            read_source(path)
        assert caught.value.diagnostics[0].message == "this is not a regular file"
    with pytest.raises(OSError, match="nothing"):
        read_source(tmp_path / "nothing")


# ----------------------------------------------------------------------------------------------------- mistakes of form

WRONG = {
    "brackets": [
        "y = (a + b\nz = 3",
        "y = f(a,\nparam w = 3",
        "y = sum[k(x)",
        "y = (a]",
        "y = a)",
    ],
    "quotes, numbers and characters": [
        'y = f(pad="same)',
        "y = f(pad='same')",
        "y = 2x",
        "y = 1_000",
        "y = 0x10",
        "y = 1e",
        "y = 1.2.3",
        "axis k: 2.5",
        "y = a && b",
        "y = a \u00d7 b",
        "y += 1",
        "y = a ? b : c",
        "y = a \\\n  + b",
    ],
    "names": [
        "y = x\u00b2",
        "\u00b5 = 1",
        "\U0001d431 = 1",
        "caf\u00e9 = 1",
        "y = __import__(x)",
        "\u0391 = 1",
        "\u03b1bc = 1",
        "\u03bd = 1\nv = 2",
        "\u0430 = 1",
        "y = fc.__dict__",
        "param if = 3",
        "y = minimize",
        "y = True",
    ],
    "what cannot be seen": [
        "y = 1 # \u202e",
        "# a\rparam w = 1",
        "y = \u0000",
        "y = a\u200bb",
    ],
    "indentation and blocks": [
        "x = 1\n   y = 2",
        "def f(x):\n    y = 1\n  return x",
        "def f(x):\n\ty = 1\n        return x",
        "def f(x):\nreturn x",
        "def f(x)\n    return x",
        "layer L[i]\n    param w = 0",
        "s = scan t with h = 0\n    yield h",
        "def f(x): return x",
        "def f(x) {\n    return x\n}",
    ],
    "operators": [
        "y = a < b < c",
        "param s > 0 < 1",
        "y = (x = 3)",
        "y = x = 3",
        "y = a b",
        "y = 2 (a) b",
        "y = a *",
        "y = a or or b",
        "y = +x",
        "y = x.*z",
        "y = x'",
        "y = a == not b",
        "y = 1 + if a then b else c",
        "y = a if b else c",
        "y = if a: b else c",
        "y = if a then b",
        "y = (a, b)",
        "y = [1, 2]",
        "y = f(x y)",
        "y = f(a,, b)",
        "y = lambda x: x",
    ],
    "axes": [
        "y = softmax(x, dim=-1)",
        "y = sum(x, keepdims=true)",
        "y = x[0]",
        "y = x[1:]",
        "y = x[:, 0]",
        "y = x[i + 1]",
        "y = x[t == 0]",
        "input x[3]",
    ],
    "statements": [
        "for i in x:\n    y = i",
        "import numpy as np",
        "minimise mean(x)",
        "inputs x[n]",
        "param",
        "batch 3",
        "w * x = y",
        "f(x) = x^2",
        "fc.W = 3",
        "mean(x)",
        '"""A docstring."""',
        "axis k = 10",
        "param r in [0, 1]",
        "use Linear",
        "use nn.a.b",
        "a, b.c = f(x)",
        "state s[k] ~ normal(0, 1)",
        "update fc.s = 1",
        "param W[3*k]",
        "noise e ~ 3",
        "s = scan t:\n    yield h",
        "def f(x: float) = x",
        "def f(x) -> y:\n    return x",
        "minimize x over",
    ],
}


def test_mistakes_of_form(golden: Callable[[Path, str], None]) -> None:
    """What is said of each, in one file that a person can read through."""
    told = []
    for title, texts in WRONG.items():
        told.append(f"==== {title}\n")
        for text in texts:
            (diagnostic,) = found(text + "\n")
            told.append(f"{diagnostic.code} {render(diagnostic)}\n")
    golden(Path(__file__).with_name("wrong_form.txt"), "\n".join(told))


def test_several_mistakes_in_one_run() -> None:
    text = """\
input x[n]
y = x[0]
param 3
def f(x):
    a = = 1
    b = 2
    return x x
layer L:
    z = ( 3
    w = 3
good = 1
output y ==
"""
    diagnostics = found(text)
    assert [diagnostic.span.line for diagnostic in diagnostics] == [2, 3, 5, 7, 9, 12]
    assert [diagnostic.span.start for diagnostic in diagnostics] == sorted(d.span.start for d in diagnostics)


def test_a_wrong_head_silences_its_block() -> None:
    assert len(found("def f(x y):\n    a = = 1\n    b = = 2\nz = 1\n")) == 1
    assert len(found("if a:\n    y = 1\nelse:\n    y = = 2\n")) == 2


def test_a_block_whose_lines_are_all_wrong_is_told_of_once() -> None:
    assert [d.span.line for d in found("layer L:\n    def f(x):\n        a = = 1\n        return (\nx = 1\n")] == [3, 4]


def test_at_most_twenty_are_told() -> None:
    assert len(found("x = = 1\n" * 50)) == 20
    assert len(found("x = $ 1\n" * 50)) == 20


def test_an_open_bracket_hides_no_statement() -> None:
    diagnostics = found("y = f(a\nz = = 2\nminimize (z\noutput = = p\nq = (1\n")
    assert [diagnostic.span.line for diagnostic in diagnostics] == [1, 2, 3, 4, 5]


def test_an_argument_may_be_called_axis() -> None:
    assert parse(Source("m.model", "def f(x, axis=0, dim=1) = x + axis + dim\ny = f(3, axis=1, dim=-1)\n")).statements
    assert parse(Source("m.model", "y = f(3,\n  stride\n = 2,\npad\n = 3)\n")).statements
