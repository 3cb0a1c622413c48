"""The library's entries, from the comments of its own source.

The comment lines directly above a function or a layer are its text. From a line `# example:` on they are a whole model,
with a margin of two blanks.
"""

from __future__ import annotations

import re

from ... import grammar
from .entry import Entry

EXAMPLE = "example:"
HEAD = re.compile(r"(?:def|layer) (?P<form>(?P<name>\w+).*?)(?: = .*|:)$")


def entries() -> tuple[Entry, ...]:
    """The pages of all libraries, in the order of their sources."""
    return tuple(entry for name in grammar.LIBRARIES for entry in of_library(name, grammar.text(f"{name}.model")))


def of_library(library: str, text: str) -> tuple[Entry, ...]:
    """The pages of one: of each function and layer that begins a line of its text."""
    found: list[Entry] = []
    above: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            above.append(line[1:].removeprefix(" "))
            continue
        head = HEAD.match(line)
        if head is not None:
            found.append(_entry(library, head["name"], head["form"], above))
        above = []
    return tuple(found)


def _entry(library: str, name: str, form: str, above: list[str]) -> Entry:
    cut = above.index(EXAMPLE) if EXAMPLE in above else len(above)
    meaning = " ".join(part.strip() for part in above[:cut])
    example = "".join(f"{row.removeprefix('  ')}\n" for row in above[cut + 1 :])
    return Entry(f"Library: {library}", (f"{library}.{name}",), (form,), meaning, example, see=("use",))
