"""The two streams: results go to standard output, messages and progress to standard error.

Takes the choice of colour; gives `Terminal`, which every command writes through. rich is imported when a progress bar
is drawn and not before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """What a training tells of itself."""

    def __call__(self, epoch: int, *losses: float) -> None: ...


def colored(choice: str, stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to colour what goes to `stream`. `choice` is auto, always or never, and wins over the environment."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return environment.get("TERM") != "dumb" and stream.isatty()


class Terminal:
    """Where a command writes. `json` holds messages back, since standard output then carries everything."""

    def __init__(self, color: str = "auto", json: bool = False) -> None:
        self.json = json
        self.color = colored(color, sys.stderr, os.environ)
        self.interactive = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def result(self, text: str) -> None:
        """Text for standard output, as it stands. BrokenPipeError where nobody reads."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def message(self, text: str) -> None:
        """A line for standard error."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, epochs: int, names: Sequence[str] = ("loss",)) -> Iterator[Progress]:
        """A bar on a terminal; elsewhere about ten lines of epoch and loss. Call it after each epoch, from 1.

        `names` are what the losses are called, in the order in which they are told.
        """
        if self.interactive and not self.json:
            with _bar(epochs, names, self.color) as bar:
                yield bar
            return
        every = max(epochs // 10, 1)
        width = len(str(epochs))

        def line(epoch: int, *losses: float) -> None:
            if epoch % every == 0 or epoch == epochs:
                told = (f"{name} {_shown(loss)}" for name, loss in zip(names, losses, strict=True))
                self.message("  ".join([f"epoch {epoch:>{width}}", *told]))

        yield line


def _shown(loss: float) -> str:
    return f"{loss:.6f}" if 1e-3 <= abs(loss) < 1e6 else f"{loss:.6e}"


@contextmanager
def _bar(epochs: int, names: Sequence[str], color: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(file=sys.stderr, no_color=not color, highlight=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[losses]}"), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("training", total=epochs, losses="")

        def advance(epoch: int, *losses: float) -> None:
            told = "  ".join(f"{name} {loss:.6g}" for name, loss in zip(names, losses, strict=True))
            bar.update(task, completed=epoch, losses=told)

        yield advance
