"""The reference of the language: an entry for every statement, operation and library function, and their pages.

Gives entries, which are plain data, and what is printed of them. What can be told from the compiler's own tables, as
the derivative of a pointwise function, is not written down again; the library's entries are its own comments.
"""

from __future__ import annotations

from functools import cache

from . import derivatives, expressions, library, pointwise, rearranging, reductions, statements, stepping
from .entry import Entry
from .pages import contents, index, page, plain

__all__ = ["Entry", "contents", "entries", "find", "index", "page", "plain"]


@cache
def entries() -> tuple[Entry, ...]:
    """All entries, group by group."""
    rooms = (statements, stepping, expressions, pointwise, reductions, rearranging, derivatives, library)
    return tuple(entry for room in rooms for entry in room.entries())


def find(name: str) -> Entry | None:
    """The entry that explains the name; of the library with its name in front, or without."""
    for known in entries():
        if name in known.names or any(own.partition(".")[2] == name for own in known.names):
            return known
    return None
