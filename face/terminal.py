"""The two streams: results go to standard output, messages and progress to standard error.

Takes the choice of colour; gives `Terminal`, which every command writes through. rich is imported when a progress bar
is drawn and not before.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

Tell = Callable[[Mapping[str, Any]], None]
"""Takes what is known of an epoch: its number as "epoch", and numbers by name, None for one that is not finite."""

BETWEEN = 60.0
"""Seconds after which there is a line where the epochs are long."""

REDRAWN = 0.1
"""Seconds between looks of the bar at the training."""


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
    def progress(self, epochs: int, without: Collection[str] = ()) -> Iterator[Tell]:
        """A bar on a terminal; elsewhere about ten lines, and more where epochs are long. Call it after each epoch.

        Lines leave out the numbers whose names are in `without`.
        """
        if self.interactive and not self.json:
            with _bar(epochs, self.color) as bar:
                yield bar
            return
        every = max(epochs // 10, 1)
        width = len(str(epochs))
        told_at = time.monotonic()

        def line(entry: Mapping[str, Any]) -> None:
            nonlocal told_at
            epoch, now = entry["epoch"], time.monotonic()
            if epoch % every == 0 or epoch == epochs or now - told_at > BETWEEN:
                told_at = now
                self.message("  ".join([f"epoch {epoch:>{width}}", *_numbers(entry, without, _shown)]))

        yield line


def _numbers(entry: Mapping[str, Any], without: Collection[str], shown: Callable[[float], str]) -> Iterator[str]:
    for name, value in entry.items():
        if name != "epoch" and name not in without:
            yield f"{name} {'not finite' if value is None else shown(value)}"


def _shown(loss: float) -> str:
    return f"{loss:.6f}" if 1e-3 <= abs(loss) < 1e6 or loss == 0 else f"{loss:.6e}"


@contextmanager
def _bar(epochs: int, color: bool) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr, no_color=not color, highlight=False)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[numbers]}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task, started, drawn_at = bar.add_task("training", total=epochs, numbers=""), False, 0.0

        def advance(entry: Mapping[str, Any]) -> None:
            nonlocal started, drawn_at
            now = time.monotonic()
            if not started and entry["epoch"] > 1:
                # A training that goes on has done the epochs before in another run: they say nothing of the time.
                bar.reset(task, completed=entry["epoch"] - 1)
            started = True
            if now - drawn_at > REDRAWN or entry["epoch"] == epochs:
                drawn_at = now
                numbers = "  ".join(_numbers(entry, (), lambda value: f"{value:.6g}"))
                bar.update(task, completed=entry["epoch"], numbers=numbers)

        yield advance
