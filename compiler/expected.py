"""What was expected: from a token that does not fit to a sentence that a person understands.

Takes the line, the token at which the automaton stopped and the terminals that it would have taken; gives a Diagnostic.
The rules stand in a table, the most particular first; the last one says what the grammar allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .source import Diagnostic, Diagnostics
from .tokens import Line, Token


def habits(found: Iterable[Line], mistakes: Diagnostics) -> None:
    pass


def diagnosis(line: Line, token: Token, accepted: Iterable[str], signs: Mapping[str, str]) -> Diagnostic:
    return Diagnostic("E0110", f"unexpected `{token.text}`", token.span)
