"""The curves of a training: its losses, and those on rows that are held out, over the epochs.

Takes the folder of a training; writes `loss.png` and `loss.svg` there, drawn by matplotlib without a screen. Equal
lines of metrics give equal bytes with one version of matplotlib: nothing of the time or the place is in a file.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gradc.files import cannot, replace
from gradc.runs import CURVES, METRICS

if TYPE_CHECKING:
    import numpy.typing as npt

MISSING = "the loss curve is not drawn, since matplotlib is missing: pip install 'gradc[plot]', or --no-plots"

MOST = 2000
"""Points of a curve; of more epochs the lowest and the highest of each stretch."""

WIDE = 10.0
"""From this ratio between the highest and the lowest loss on, the axis is logarithmic."""

DRAWN = 1e250
"""The largest loss that is drawn: the arithmetic of an axis goes beyond its numbers."""

SETTINGS: Any = {
    "svg.hashsalt": "gradc",
    "svg.fonttype": "path",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def available() -> bool:
    """Whether curves can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(folder: Path, titles: Sequence[str], best: Mapping[str, Any] | None) -> None:
    """Draw the losses of these names from metrics.jsonl, and a mark at the best epoch. Failure ("file")."""
    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs, curves = _read(folder / METRICS, titles)
    # Axes of losses near the end of what a float can be reach behind it.
    with matplotlib.rc_context(), np.errstate(all="ignore"):
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for name, losses in curves.items():
            at, shown = _thinned(epochs, losses)
            words = name.replace("validation_loss", "validation") if len(titles) == 1 else name.replace("_", " ", 1)
            axes.plot(at, shown, label=words, linewidth=1.5, marker="." if len(at) == 1 else None)
        if best is not None:
            axes.axvline(best["epoch"], color="0.5", linewidth=0.8, linestyle=":", label=f"best: epoch {best['epoch']}")
        if _wide(curves.values()):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("loss")
        if curves:
            axes.legend()
        for name in CURVES:
            kind = name.rpartition(".")[2]
            nothing = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}

            def fill(file: BinaryIO, kind: str = kind, nothing: dict[str, None] = nothing) -> None:
                figure.savefig(file, format=kind, dpi=150, metadata=nothing)

            replace(folder / name, fill)


def _read(path: Path, titles: Sequence[str]) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    """The epochs and the losses; NaN where one was not finite, or cannot be drawn."""
    import numpy as np

    names = [name for title in titles for name in (title, f"validation_{title}")]
    epochs: list[int] = []
    found: dict[str, list[float]] = {name: [] for name in names}
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                epochs.append(entry["epoch"])
                for name in names:
                    value = entry.get(name)
                    found[name].append(np.nan if value is None or abs(value) > DRAWN else value)
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    curves = {name: np.array(losses, float) for name, losses in found.items()}
    return np.array(epochs), {name: losses for name, losses in curves.items() if np.isfinite(losses).any()}


def _thinned(epochs: npt.NDArray[Any], losses: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Few enough points, with every low and high."""
    import numpy as np

    if len(epochs) <= MOST:
        return epochs, losses
    kept: set[int] = {0, len(epochs) - 1}
    for part in np.array_split(np.arange(len(epochs)), MOST // 2):
        finite = part[np.isfinite(losses[part])]
        if finite.size:
            kept |= {int(finite[losses[finite].argmin()]), int(finite[losses[finite].argmax()])}
    order = np.array(sorted(kept))
    return epochs[order], losses[order]


def _wide(curves: Any) -> bool:
    import numpy as np

    values = np.concatenate([np.ravel(losses) for losses in curves] or [np.ones(1)])
    values = values[np.isfinite(values)]
    return bool(values.min(initial=np.inf) > 0 and values.max(initial=0.0) > WIDE * values.min(initial=np.inf))
