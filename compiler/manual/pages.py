"""Entries as pages: Markdown for docs/reference, and plain text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill, indent

from .entry import Entry

WIDTH = 118

HEAD = """# Reference

Every statement, operation and library function has a page, which says what it means, which axes it takes and gives,
what its derivative is at the corners, and shows a model that uses it. The pages are made from the compiler's own tables
and the library's own comments; `gradc help NAME` prints one.
"""


def page(entry: Entry) -> str:
    """The page of an entry."""
    first, *rest = _texts(entry)
    parts = [f"# {entry.title}\n", _block("", entry.forms), f"{fill(first, WIDTH)}\n"]
    parts += [_block("", entry.formula)] if entry.formula else []
    parts += [f"{fill(text, WIDTH)}\n" for text in rest]
    if entry.example:
        parts.append(_block("model", entry.example.splitlines()))
    if entry.see:
        links = ", ".join(f"[{name}]({name}.md)" for name in entry.see)
        parts.append(f"See also {links}.\n")
    parts.append(f"Group: [{entry.group}](README.md).\n")
    return "\n".join(parts)


def _texts(entry: Entry) -> list[str]:
    """The paragraphs, each with its head."""
    found = [entry.meaning]
    heads = (
        ("Axes", entry.axes),
        ("Derivative", entry.derivative),
        ("At the corners", entry.corners),
        ("Source", entry.source),
    )
    return found + [f"**{head}.** {_sentence(text)}" for head, text in heads if text]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "`")) else f"{text}."


def _block(kind: str, lines: Iterable[str]) -> str:
    return "\n".join([f"```{kind}", *lines, "```", ""])


def plain(entry: Entry) -> str:
    """The same for a terminal."""
    first, *rest = (fill(text.replace("**", ""), 100, break_long_words=False) for text in _texts(entry))
    formula = [indent("\n".join(entry.formula), "    ")] if entry.formula else []
    parts = [indent("\n".join(entry.forms), "    "), first, *formula, *rest]
    if entry.example:
        parts.append(indent(entry.example.rstrip(), "    "))
    if entry.see:
        parts.append(f"See also {', '.join(entry.see)}.")
    return "\n\n".join(parts)


def contents(entries: Sequence[Entry]) -> str:
    """All names for a terminal, group by group."""
    groups = _by_group(entries)
    return "\n".join(
        f"{group}\n{indent(fill('  '.join(name for entry in held for name in entry.names), 96), '  ')}\n"
        for group, held in groups.items()
    )


def _by_group(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    return groups


def index(entries: Sequence[Entry]) -> str:
    """The page that leads to all others: a table for each group."""
    parts = [HEAD]
    for group, held in _by_group(entries).items():
        rows = "".join(f"| [{entry.title}]({entry.title}.md) | {_cell(entry)} |\n" for entry in held)
        parts.append(f"## {group}\n\n| name | meaning |\n| --- | --- |\n{rows}")
    return "\n".join(parts)


def _cell(entry: Entry) -> str:
    first, _, _ = entry.meaning.partition(". ")
    return first.rstrip(".:").replace("|", "\\|")
