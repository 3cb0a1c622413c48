"""Functions that move along axes: windows, arrays end to end, axes merged and taken apart, running totals, order."""

from __future__ import annotations

from .entry import Entry, entry

GROUP = "Rearranging"

KEEPS = "Exactly one in brackets, which stays."


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (*_shapes(), *_along())


def _shapes() -> tuple[Entry, ...]:
    return (
        entry(
            GROUP,
            "window",
            """
            window[t: r](x)
            window[h: r, w: s](x, stride=2, dilation=1, pad=1)
            window[t: r](x, pad="same")
            """,
            """What stands at each position and behind it: at position p and tap i it is `x` at `p * stride +
            i * dilation`. The taps are an axis with a length of its own. `pad=1` puts a zero before and one behind;
            `pad="same"` as many as leave, at a stride of 1, as many positions as there were, the odd one behind.
            Summed with weights over the taps it is a convolution, and its largest tap is what pooling takes.""",
            """
            # A convolution of three taps, and the largest of each two.
            axis r: 3, s: 2, c: 4
            input x[n, t], y[n]
            param K[r, c] ~ glorot(), b[c] = 0, v[c] ~ normal(0, 1)
            z = relu(window[t: r](x, pad="same") @ K + b)
            pooled = max[s](window[t: s](z, stride=2))
            minimize mean((mean[t](pooled) @ v - y)^2)
            """,
            axes="""The axis stays with the number of positions as its length, `(t - dilation * (r - 1) - 1) / stride +
            1` rounded down, and that of the taps comes. Several windows at once take the same options.""",
            derivative="At each place of x the sum of those of all positions and taps that stand there.",
            see="slice concat max",
        ),
        entry(
            GROUP,
            "concat",
            "concat[t](a, b)\nconcat[t](a, b, c)",
            """Two values or more end to end along an axis. Each needs the axis, of any length; a value that lacks it is
            given one position by `(v * ones[t])[t = :1]`.""",
            """
            # Two kinds of measurements, and one layer for both.
            axis d: 2, k: 3
            input x[n, d], u[n, d], y[n, k]
            z = concat[d](x, u^2)
            param W[f: 4, k] ~ glorot()
            minimize mean((z[d -> f] @ W - y)^2)
            """,
            axes="The axis stays, with the sum of the lengths; along the others the values are aligned by name.",
            derivative="Of each value its own part of the cotangent.",
            see="split window slice",
        ),
        entry(
            GROUP,
            "flatten",
            "flatten[(c, h, w) -> f](x)",
            "Several axes as one, whose positions go through the last of them fastest.",
            """
            # Pixels in rows and columns into one layer.
            axis h: 2, w: 3, k: 2
            input image[n, h, w], y[n, k]
            pixels = flatten[(h, w) -> f](image)
            param W[f, k] ~ glorot()
            minimize mean((pixels @ W - y)^2)
            """,
            axes="Those in parentheses go, and one comes, whose length is their product.",
            derivative="That of each element, where it came from: `split` with the same axes.",
            see="split rename",
        ),
        entry(
            GROUP,
            "split",
            "split[f -> (h: 2, w)](x)",
            """One axis taken apart into several: the inverse of `flatten`. The length of one of them may be left out
            where the others divide the whole.""",
            """
            # Two heads of one layer, each with a share of its own.
            axis d: 3, f: 4
            input x[n, d], y[n, head: 2]
            param W[d, f] ~ glorot()
            heads = split[f -> (head, m)](x @ W)
            minimize mean((mean[m](tanh(heads)) - y)^2)
            """,
            axes="The one before the arrow goes, and those in parentheses come; the product of their lengths is its.",
            derivative="That of each element, where it came from: `flatten` with the same axes.",
            see="flatten rename",
        ),
    )


def _along() -> tuple[Entry, ...]:
    return (
        entry(
            GROUP,
            "cumsum",
            "cumsum[t](x)",
            "At each position the sum of all up to it, with its own.",
            """
            # A random walk with a drift that changes with what is seen.
            input x[n, t], y[n, t]
            param w = 0.5, drift = 0
            minimize mean((cumsum[t](w * x + drift) - y)^2)
            """,
            axes=KEEPS,
            derivative="The sum of the cotangent from the position to the last.",
            see="cumprod sum scan",
        ),
        entry(
            GROUP,
            "cumprod",
            "cumprod[t](x)",
            "At each position the product of all up to it, with its own.",
            """
            # What is left after losses that depend on what is seen.
            input x[n, t], left[n, t]
            param w = 0.5
            minimize mean((cumprod[t](sigmoid(w * x)) - left)^2)
            """,
            axes=KEEPS,
            derivative="A recurrence of its own, from the last position to the first, and no quotient.",
            corners="Where elements are 0 it is still the product of the others.",
            see="cumsum prod scan",
        ),
        entry(
            GROUP,
            "sort argsort",
            "sort[k](x)\nargsort[k](x)",
            """The elements in ascending order; the positions that put them so, which are whole numbers along the axis:
            `sort[k](x)` is `x[k = argsort[k](x)]`. Equal ones stay in the order that they have. Descending it is
            `sort[k](x)[k = ::-1]`.""",
            """
            # The mean of what is left without the smallest and the largest.
            axis k: 5
            input x[n, k], y[n]
            param w[k] = 1
            trimmed = mean[k](sort[k](w * x)[k = 1:-1])
            minimize mean((trimmed - y)^2)
            output order = argsort[k](w * x)
            """,
            axes=KEEPS,
            derivative="Of each element that of the position to which it has come; none of `argsort`.",
            corners="Elements that tie have the positions in the order in which they stand.",
            see="max argmax gather",
        ),
    )
