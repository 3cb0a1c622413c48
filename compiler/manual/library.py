"""The library's entries, from the comments of its own sources.

The comment lines directly above a function or a layer are its text: what it means; with a margin of four blanks, what
it computes; a paragraph about its derivative, where that is a convention; from `Source: ` on, where it comes from; from
a line `example:` on, a whole model with a margin of its own. What a library takes from another is explained there.
"""

from __future__ import annotations

import re

from ... import grammar
from .entry import Entry, entry

EXAMPLE = "example:"
SOURCE = "Source: "
MARGIN = "    "
HEAD = re.compile(r"(?:def|layer) (?P<form>(?P<name>\w+).*?)(?: = .*|:)$")
TAKEN = re.compile(r"\b\w+\.\w+")


def entries() -> tuple[Entry, ...]:
    """The pages of all libraries, in the order of their sources."""
    texts = {name: grammar.text(f"{name}.model") for name in grammar.LIBRARIES}
    return tuple(found for name in texts for found in of_library(name, texts[name], _handed_on(texts)))


def of_library(library: str, text: str, handed_on: dict[str, list[str]]) -> tuple[Entry, ...]:
    """The pages of one: of each function and layer that begins a line of its text."""
    found: list[Entry] = []
    above: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            above.append(line[1:].removeprefix(" "))
            continue
        head = HEAD.match(line)
        if head is not None:
            title = f"{library}.{head['name']}"
            found.append(_entry(library, [title, *handed_on.get(title, ())], head["form"], above))
        above = []
    return tuple(found)


def _handed_on(texts: dict[str, str]) -> dict[str, list[str]]:
    """Under the name of each thing the other names by which libraries have it."""
    found: dict[str, list[str]] = {}
    for library, text in texts.items():
        for line in text.splitlines():
            for name in TAKEN.findall(line) if line.startswith("use ") else ():
                found.setdefault(name, []).append(f"{library}.{name.partition('.')[2]}")
    return found


def _entry(library: str, names: list[str], form: str, above: list[str]) -> Entry:
    cut = above.index(EXAMPLE) if EXAMPLE in above else len(above)
    text, example = above[:cut], above[cut + 1 :]
    start = next((i for i, line in enumerate(text) if line.startswith(SOURCE)), len(text))
    source = " ".join(text[start:]).removeprefix(SOURCE)
    formula = [line.removeprefix(MARGIN) for line in text[:start] if line.startswith(MARGIN)]
    last = max((i + 1 for i, line in enumerate(text[:start]) if line.startswith(MARGIN)), default=start)
    meaning = " ".join(line for line in text[:last] if not line.startswith(MARGIN))
    after = " ".join(text[last:start])
    about = {"corners": after} if "derivative" in after else {}
    return entry(
        f"Library: {library}",
        " ".join(names),
        form,
        f"{meaning} {'' if about else after}",
        "\n".join(example),
        formula="\n".join(formula),
        axes=_axes(form, meaning),
        source=source,
        see="use",
        **about,
    )


def _axes(form: str, meaning: str) -> str:
    """What can be told of the axes from the head alone."""
    if "over all axes" in meaning:
        return "Any, and the result has none."
    along = re.match(r"\w+\[([^\]]*)\]", form)
    if along is None:
        return "Any; the result has all axes of the arguments."
    return f"In brackets, in this order: `{along[1]}`. Arguments may have any others, and the result has those too."
