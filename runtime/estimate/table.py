"""An estimate as a table for people: numbers to the digits that their errors leave.

Takes an `Estimate`; gives text, whose lines end with a line end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .estimate import Coefficient, Estimate

MOST = 12
"""Numbers of which the correlations are shown; of more, the strongest."""

STRONGEST = 10


def table(found: Estimate) -> str:
    """The whole report."""
    state = "converged" if found.converged else "NOT CONVERGED"
    parts = [
        f"{found.model}: {'least squares' if found.squares else 'maximum likelihood'} by {found.method}\n"
        f"{state}: {found.reason}\n",
        _coefficients(found),
        "".join(f"{told}\n" for told in map(in_words, found.unidentified)),
        _correlations(found),
        _summary(found),
    ]
    return "\n".join(part for part in parts if part)


def number(value: float, error: float | None) -> str:
    """The value to the third digit of its error, to six digits where there is none."""
    if value == 0 and not error:
        return "0"
    size = math.floor(math.log10(max(abs(value), error or 0.0)))
    last = math.floor(math.log10(error)) - 2 if error else size - 5
    last = max(last, size - 15)
    if -5 < size < 7:
        return f"{value:.{max(-last, 0)}f}"
    return f"{value:.{max(size - last, 0)}e}"


def short(value: float | None) -> str:
    """Six digits; a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:.6g}" if math.isfinite(value) else "infinite"


def in_words(direction: Mapping[str, float]) -> str:
    """What is not determined, and how it can move."""
    names = list(direction)
    if len(names) == 1:
        return f"{names[0]} is not determined: where it moves nothing changes"
    moves = ", ".join(f"{name} by {share:.3g}" for name, share in direction.items())
    return (
        f"{', '.join(names[:-1])} and {names[-1]} are not determined: nothing changes where they move together, {moves}"
    )


def _coefficients(found: Estimate) -> str:
    level = f"{100 * found.level:g}%"
    statistic = "t" if found.squares else "z"
    kind = "profile interval" if found.intervals == "profile" else "interval"
    head = ["parameter", "estimate", "std. error", statistic, "p", f"{level} {kind}", ""]
    return aligned([head, *(_row(c) for c in found.coefficients)])


def _row(c: Coefficient) -> list[str]:
    digits = [
        number(c.value, c.error),
        "-" if c.error is None else number(c.error, c.error),
        "-" if c.statistic is None else f"{c.statistic:.3f}" if abs(c.statistic) < 1e5 else f"{c.statistic:.3e}",
        "-" if c.p is None else ("<2e-16" if c.p < 2e-16 else f"{c.p:.4f}" if c.p >= 1e-4 else f"{c.p:.1e}"),
    ]
    if c.error is None:
        return [c.name, *digits, "", ""]
    ends = ["open" if end is None else number(end, c.error) for end in (c.lower, c.upper)]
    return [c.name, *digits, *ends]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart, the first to the left and the others to the right; the head of the last but one may
    run over both."""
    head, *body = rows
    widths = [max(len(row[i]) for row in body) for i in range(len(head))]
    widths[:-2] = [max(width, len(cell)) for width, cell in zip(widths[:-2], head[:-2], strict=True)]
    widths[-2] += max(len(head[-2]) - widths[-2] - widths[-1] - 2, 0)
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        if row is head:
            cells[-2:] = [row[-2].rjust(widths[-2] + widths[-1] + 2)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def _correlations(found: Estimate) -> str:
    names = [c.name for c in found.coefficients]
    matrix = found.correlations
    known = [i for i in range(len(names)) if matrix[i, i] == matrix[i, i]]
    if len(known) < 2:
        return ""
    if len(known) > MOST:
        pairs = [(i, j) for i in known for j in known if j < i]
        pairs = sorted(pairs, key=lambda pair: (-abs(matrix[pair]), pair))[:STRONGEST]
        width = max(len(f"{names[i]}, {names[j]}") for i, j in pairs)
        lines = [f"{names[i]}, {names[j]}".ljust(width) + f"  {_correlation(matrix[i, j]):>7}\n" for i, j in pairs]
        return "strongest correlations\n" + "".join(lines)
    first = max(len("correlations"), *(len(names[i]) for i in known))
    widths = [max(7, len(names[j])) for j in known[:-1]]
    head = "correlations".ljust(first) + "".join(f"  {names[j]:>{w}}" for j, w in zip(known[:-1], widths, strict=True))
    lines = [head + "\n"]
    for row, i in enumerate(known[1:], 1):
        cells = "".join(f"  {_correlation(matrix[i, j]):>{w}}" for j, w in zip(known[:row], widths, strict=False))
        lines.append(names[i].ljust(first) + cells + "\n")
    return "".join(lines)


def _correlation(value: float) -> str:
    return f"{value + 0.0 if abs(value) >= 5e-5 else 0.0:.4f}"


def summary(found: Estimate) -> list[tuple[str, str]]:
    """What is said of the fit as a whole: each figure's name, and the figure."""
    freedom = "-" if found.freedom is None else f"{found.freedom:g}"
    entries = [
        ("residual standard deviation", found.deviation),
        ("residual sum of squares", found.rss),
        ("R squared", found.r2),
        ("log-likelihood", found.log_likelihood),
        ("AIC", found.aic),
        ("AICc", found.aicc),
        ("BIC", found.bic),
        ("condition of the Jacobian" if found.squares else "condition", found.condition),
    ]
    lines = [("observations", "-" if found.count is None else str(found.count)), ("degrees of freedom", freedom)]
    lines += [(what, short(value)) for what, value in entries if value is not None]
    return [*lines, ("evaluations", str(found.evaluations))]


def _summary(found: Estimate) -> str:
    lines = summary(found)
    width = max(len(what) for what, _ in lines)
    return "".join(f"{what:<{width}}  {value}\n" for what, value in lines)
