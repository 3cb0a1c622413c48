"""A training for TensorBoard: event files in the folder of the training, through tensorboardX.

Takes the folder; gives `Board`, which is called with each line of metrics. A training that goes on writes its events
anew, from metrics.jsonl, so that no step is there twice. Event files carry times, and differ from run to run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradc.failures import Failure
from gradc.files import cannot
from gradc.runs import METRICS

FOLDER = "tensorboard"

HELD = "validation_"


def require() -> None:
    """Failure where tensorboardX is missing."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise Failure("missing", "--tensorboard needs tensorboardX", "pip install 'gradc[tensorboard]'") from error


class Board:
    """Event files of the lines in metrics.jsonl, and of those that it is called with. Failure ("file")."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        home = folder / FOLDER
        try:
            for old in home.glob("events.out.tfevents.*"):
                old.unlink()
            self._writer = SummaryWriter(str(home))
            with (folder / METRICS).open(encoding="utf-8") as file:
                for line in file:
                    self(json.loads(line))
            self._writer.flush()
        except OSError as error:
            raise cannot(f"write {home}", error) from error

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Add the numbers of an epoch; those of validation stand beside those of training."""
        for name, value in line.items():
            if name != "epoch" and value is not None:
                tag = f"{name.removeprefix(HELD)}/validation" if name.startswith(HELD) else f"{name}/training"
                self._writer.add_scalar(name if name.startswith("lr") else tag, value, line["epoch"])

    def close(self) -> None:
        """Have all events on the disk."""
        self._writer.close()
