"""Python names for the model's: ASCII, no keyword, nothing that the module itself uses, each only once.

Takes names as the model has them (dotted inside layers, primed axes, Greek letters); gives identifiers. The same
names in the same order give the same identifiers.
"""

from __future__ import annotations

import keyword
import unicodedata

# Written out, as what `builtins` holds depends on Python's version and on how it was started.
RESERVED = frozenset(keyword.kwlist) | frozenset(
    "_ case match type "
    "abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod compile complex "
    "copyright credits delattr dict dir divmod enumerate eval exec exit filter float format frozenset getattr "
    "globals hasattr hash help hex id input int isinstance issubclass iter len license list locals map max "
    "memoryview min next object oct open ord pow print property quit range repr reversed round set setattr slice "
    "sorted staticmethod str sum super tuple vars zip "
    "ValueError KeyError IndexError TypeError "
    "self data theta out seed seeds start stop lengths rows_here blocks loss gradient several whole".split()
)


def identifier(name: str) -> str:
    """The nearest Python identifier; not yet unique."""
    letters = []
    for character in name:
        if character.isascii() and (character.isalnum() or character == "_"):
            letters.append(character)
        elif character == "'":
            letters.append("_p")
        elif character in ".":
            letters.append("_")
        else:
            letters.append(_greek(character))
    found = "".join(letters)
    return f"_{found}" if not found or found[0].isdigit() else found


def _greek(character: str) -> str:
    """`alpha` for the letter, from its Unicode name."""
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        word = words[words.index("LETTER") + 1].lower()
        return word.capitalize() if "CAPITAL" in words else word
    return "_"


class Names:
    """Gives identifiers, each once; a second one of the same name gets a number."""

    def __init__(self, reserved: frozenset[str]) -> None:
        self._taken = set(RESERVED | reserved)
        self._counts: dict[str, int] = {}
        self._next: dict[str, int] = {}

    def numbered(self, name: str) -> str:
        """An identifier `name_1`, `name_2`, ... that nothing else has."""
        base = identifier(name)
        number = self._counts.get(base, 0) + 1
        while f"{base}_{number}" in self._taken:
            number += 1
        self._counts[base] = number
        self._taken.add(f"{base}_{number}")
        return f"{base}_{number}"

    def fresh(self, name: str) -> str:
        """An identifier like `name` that nothing else has."""
        base = identifier(name)
        candidate = base if base not in self._taken else f"{base}_"
        stem = base.rstrip("_")
        number = self._next.get(stem, 2)
        while candidate in self._taken:
            candidate = f"{stem}_{number}"
            number += 1
            self._next[stem] = number
        self._taken.add(candidate)
        return candidate
