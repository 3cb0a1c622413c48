"""An estimate as a page with plots, in one file that needs no other.

Takes an `Estimate`, and what its rows are drawn over; gives the text of an HTML page, and the plots as SVG and PNG:
data and fit, residuals over what is fitted and in their order, their quantiles beside those of a normal distribution,
and the curve of each profile. The same estimate gives the same bytes. The plots need matplotlib.
"""

from __future__ import annotations

import html
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import Missing
from .estimate import Coefficient, Estimate
from .table import in_words, number, short, summary

Array = npt.NDArray[Any]

INK, LINE, ACCENT, FAINT = "#1f2328", "#0b57a4", "#c2410c", "#d0d7de"
MOST = 12
"""Profiles that are drawn."""

MANY = 2000
"""Points above which a cloud is a picture within the drawing, and not a shape for each."""

FINE = 400
"""Places at which a curve is drawn."""


@dataclass(frozen=True)
class Plots:
    """All plots as one picture, as SVG and as PNG."""

    svg: str
    png: bytes


@dataclass(frozen=True)
class Abscissa:
    """The column that data and fit are drawn over, by its name, and the fit as a curve over it."""

    name: str
    column: Array
    places: Array
    curve: Array


def abscissa(found: Estimate, module: ModuleType, data: Mapping[str, Any]) -> Abscissa | None:
    """The one column of numbers that the outputs are computed from; None where there are others."""
    if found.observed is None or found.fitted is None:
        return None
    needed = {name for entry in module.OUTPUTS.values() for name in entry["needs"]}
    rows = [name for name in module.INPUTS if name in needed and module.ROWS in module.INPUTS[name]["axes"]]
    if len(rows) != 1 or not needed <= set(data) or module.INPUTS[rows[0]]["dtype"] not in ("float64", "float32"):
        return None
    column = np.asarray(data[rows[0]], np.float64)
    if column.shape != found.observed.shape:
        return None
    grid = np.linspace(column.min(), column.max(), FINE)
    with np.errstate(all="ignore"):
        here, between = (module.predict(found.theta, {**data, rows[0]: places}) for places in (column, grid))
    for name, values in here.items():
        if values.shape == column.shape and np.allclose(values, found.fitted, equal_nan=True):
            return Abscissa(rows[0], column, grid, between[name])
    order = np.argsort(column, kind="stable")
    return Abscissa(rows[0], column, column[order], found.fitted[order])


def plots(found: Estimate, over: Abscissa | None) -> Plots | None:
    """The picture, or None where there is nothing to draw."""
    panels = [*_of_rows(found, over), *_of_profiles(found)]
    if not panels:
        return None
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Missing("matplotlib", "plot") from error
    style: dict[Any, Any] = {
        "svg.hashsalt": "gradc",
        "svg.fonttype": "none",
        "font.family": ["DejaVu Sans"],
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": INK,
        "ytick.color": INK,
        "lines.linewidth": 1.4,
    }
    with rc_context(style):
        lines = math.ceil(len(panels) / 2)
        figure = Figure(figsize=(9.6, 3.3 * lines), layout="constrained")
        FigureCanvasAgg(figure)
        for i, draw in enumerate(panels):
            draw(figure.add_subplot(lines, 2, i + 1))
        vector, pixels = io.StringIO(), io.BytesIO()
        figure.savefig(vector, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(pixels, format="png", dpi=120, metadata={"Software": None})
    text = vector.getvalue()
    return Plots(text[text.index("<svg") :], pixels.getvalue())


Panel = Callable[[Any], None]


def _of_rows(found: Estimate, over: Abscissa | None) -> list[Panel]:
    if found.residuals is None:
        return []
    residuals = found.residuals
    spread = found.deviation or 1.0

    def fit(axes: Any) -> None:
        assert found.observed is not None
        assert found.fitted is not None
        if over is None:
            _cloud(axes, found.fitted, found.observed)
            ends = [np.nanmin(found.fitted), np.nanmax(found.fitted)]
            axes.plot(ends, ends, color=ACCENT)
            _label(axes, "data and fit", "fitted", "observed")
            return
        _cloud(axes, over.column, found.observed, "data")
        axes.plot(over.places, over.curve, color=ACCENT, label="fit")
        axes.legend(frameon=False)
        _label(axes, "data and fit", over.name, "")

    def against_fitted(axes: Any) -> None:
        _scatter(axes, found.fitted, residuals)
        _label(axes, "residuals over what is fitted", "fitted", "residual")

    def in_order(axes: Any) -> None:
        _scatter(axes, np.arange(1, residuals.size + 1), residuals)
        _label(axes, "residuals in the order of the rows", "row", "residual")

    def quantiles(axes: Any) -> None:
        from scipy.special import ndtri

        ordered = np.sort(residuals) / spread
        normal = ndtri((np.arange(1, ordered.size + 1) - 0.5) / ordered.size)
        ends = [normal[0], normal[-1]]
        axes.plot(ends, ends, color=FAINT)
        _cloud(axes, normal, ordered)
        _label(axes, "normal quantiles", "normal quantile", "residual / standard deviation")

    return [fit, against_fitted, in_order, quantiles] if found.fitted is not None else [in_order, quantiles]


def _scatter(axes: Any, across: Array | None, up: Array) -> None:
    axes.axhline(0, color=FAINT, lw=1)
    _cloud(axes, across, up)


def _cloud(axes: Any, across: Array | None, up: Array, label: str | None = None) -> None:
    axes.plot(across, up, "o", color=LINE, ms=3, alpha=0.7, mew=0, label=label, rasterized=up.size > MANY)


def _of_profiles(found: Estimate) -> list[Panel]:
    return [_profile(found, c) for c in found.coefficients if c.profile is not None][:MOST]


def _profile(found: Estimate, coefficient: Coefficient) -> Panel:
    """The root of the loss: straight where the model is linear in the number, and then that of the standard error."""

    def draw(axes: Any) -> None:
        assert coefficient.profile is not None
        places, roots = (np.array(part) for part in coefficient.profile)
        order = np.argsort(places, kind="stable")
        if coefficient.error:
            side = 1 if roots[order][-1] >= roots[order][0] else -1
            axes.plot(places[order], side * (places[order] - coefficient.value) / coefficient.error, color=FAINT)
        axes.plot(places[order], roots[order], color=LINE, marker="o", ms=2.5)
        for end in (coefficient.lower, coefficient.upper):
            if end is not None:
                axes.axvline(end, color=ACCENT, lw=1, ls=(0, (3, 3)))
        _label(axes, f"profile of {coefficient.name}", coefficient.name, "root of the loss")

    return draw


def _label(axes: Any, title: str, across: str, up: str) -> None:
    # A name may hold what matplotlib reads as mathematics.
    title, across, up = (text.replace("$", r"\$") for text in (title, across, up))
    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
    axes.set_xlabel(across)
    axes.set_ylabel(up)


# ------------------------------------------------------------------------------------------------------------ the page

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0.2rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: right; } th { border-bottom: 1px solid #1f2328; }
th:first-child, td:first-child { text-align: left; } svg { max-width: 100%; height: auto; }
.bad { color: #b3261e; font-weight: 600; } .wide { overflow-x: auto; }
"""


POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(found: Estimate, drawn: Plots | None) -> str:
    """The page; it loads nothing and runs nothing."""
    kind = "Least squares" if found.squares else "Maximum likelihood"
    state = "Converged" if found.converged else '<span class="bad">Not converged</span>'
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>Fit of {_text(found.model)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Fit of {_text(found.model)}</h1>",
        f"<p>{kind} by {_text(found.method)}. {state}: {_text(found.reason)}.</p>",
        *(f'<p class="bad">{_text(in_words(direction))}.</p>' for direction in found.unidentified),
        "<h2>Parameters</h2>",
        _parameters(found),
        _correlations(found),
        "<h2>The fit as a whole</h2>",
        _table(["", ""], summary(found)),
        *([f"<h2>Plots</h2><div>{drawn.svg}</div>"] if drawn is not None else []),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _text(words: str) -> str:
    return html.escape(words)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    lines = "\n".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{heads}</tr>\n{lines}</table></div>'


def _parameters(found: Estimate) -> str:
    ends = f"{100 * found.level:g}% {found.intervals} interval"
    head = ["", "estimate", "std. error", "t" if found.squares else "z", "p", f"{ends}: from", "to"]
    rows = []
    for c in found.coefficients:
        bounds = ["-", "-"]
        if c.error is not None:
            bounds = ["open" if end is None else number(end, c.error) for end in (c.lower, c.upper)]
        error = "-" if c.error is None else number(c.error, c.error)
        rows.append([c.name, number(c.value, c.error), error, short(c.statistic), short(c.p), *bounds])
    return _table(head, rows)


def _correlations(found: Estimate) -> str:
    matrix, names = found.correlations, [c.name for c in found.coefficients]
    known = [i for i in range(len(names)) if matrix[i, i] == matrix[i, i]]
    if not 2 <= len(known) <= 2 * MOST:
        return ""
    rows = [[names[i], *(f"{matrix[i, j]:.4f}" if j < i else "" for j in known[:-1])] for i in known[1:]]
    return "<h2>Correlations</h2>\n" + _table(["", *(names[j] for j in known[:-1])], rows)
