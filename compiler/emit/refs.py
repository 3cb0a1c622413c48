"""How a value is written where an emitted module uses it: its text, and how its axes lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Axis


@dataclass(frozen=True, slots=True)
class Ref:
    """How a value is written where it is used. `axes` stand in memory order; a scalar has none.

    `binds` says how tightly a scalar's text holds together: 2 an atom, 1 a product, 0 a sum or looser.
    """

    text: str
    axes: tuple[Axis, ...] = ()
    home: str = "local"
    contiguous: bool = True
    binds: int = 2
    memory: Ref | None = None  # the buffer that the value lies in, from which views are made

    @property
    def layout(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    def inside(self, binds: int) -> str:
        """The text, in brackets where it holds together less than is needed."""
        return self.text if self.binds >= binds else f"({self.text})"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a loop: the texts of the values that it reads from outside, the lines before it, and the keys
    of the copies that are good in it alone.
    """

    known: frozenset[str]
    lines: list[tuple[str, str | None, str]]
    copied: list[tuple[str, str]]


Groups = tuple[tuple[str, ...], ...]
"""The axes of an array, each group of them one dimension."""
