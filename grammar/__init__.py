"""The language as text: its grammar, and the library written in the language itself.

Gives the text of `model.lark` and of the libraries, so that nobody else has to know where they lie.
"""

from __future__ import annotations

from importlib.resources import files

LIBRARIES = ("stats", "loss", "nn")
"""What `use` can take names from; the library `nn` is `nn.model`. Each may use those that stand before it."""


def text(name: str) -> str:
    """The text of a file of this folder. FileNotFoundError where there is none."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
