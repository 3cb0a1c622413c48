"""What can go wrong outside a model's text, and what each exit status means.

Takes nothing; gives `Failure`, a mistake with its fields, and the statuses. A mistake in a model is a `ModelError` of
the compiler. Both are turned into words and into data in `report`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OK = 0
FAILED = 1
"""A mistake in the model or in the data, a failed check, a training that diverged."""
USAGE = 2
BUG = 3
INTERRUPTED = 130


@dataclass(eq=False)
class Failure(Exception):
    """A mistake that is told to the user.

    `code` is one of the words in docs/command-line.md ("data", "file", "stale", …), `details` what a program may want
    to read of it: names and numbers only.
    """

    code: str
    message: str
    help: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    status: int = FAILED

    def __str__(self) -> str:
        return self.message


def usage(message: str, help: str | None = None, details: Mapping[str, object] | None = None) -> Failure:
    """A command line that does not say what to do."""
    return Failure("usage", message, help, details or {}, status=USAGE)
